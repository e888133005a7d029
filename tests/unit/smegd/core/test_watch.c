/*
 * Watchers: who is missed, when, by whom, and who may say so.  Time is virtual and messages take
 * none, so all times here are those of the protocol alone.
 */
#include "tests/unit/smegd/core/home.h"

/* What went over the wire. */
struct tally {
	const struct net *n;
	size_t from;
	size_t suspects;
	size_t attests;
	size_t signs[NET_HOSTS]; /* of life, by receiver */
	size_t all;
};

static bool count_sent(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct tally *t = ctx;

	if (from != t->from)
		return true;
	t->all++;
	t->suspects += msg->kind == MSG_SUSPECT;
	t->attests += msg->kind == MSG_ATTEST;
	t->signs[to] += msg->kind == MSG_DIGEST && !msg->u.digest.question;
	return true;
}

/* --- who watches ----------------------------------------------------------------------------- */

static void test_a_record_names_as_many_watchers_as_there_can_be(void **state)
{
	static const size_t hosts[] = { 1, 2, 3, 4, 5, 10 };

	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(hosts); t++) {
		struct net n;

		home_init(&n, hosts[t]);
		for (size_t i = 0; i < hosts[t]; i++) {
			size_t count = 0;

			assert_false(home_watches(&n, i, i));
			for (size_t j = 0; j < hosts[t]; j++) {
				count += home_watches(&n, i, j);
				assert_int_equal(home_watches(&n, i, j),
				                 home_watched(&n, j, home_key(&n, i)) != NULL);
			}
			assert_int_equal(count, MIN_OF(hosts[t] - 1, (size_t)LIMIT_WATCHERS));
		}
		net_fini(&n);
	}
}

static void test_each_watcher_hears_once_in_two_seconds_and_nobody_is_suspect(void **state)
{
	struct tally t = { .from = 3 };
	struct net n;

	(void)state;
	home_init(&n, 10);
	net_log_clear(&n, 3);
	t.n = &n;
	n.filter = count_sent;
	n.ctx = &t;
	net_run(&n, 60 * MS_PER_SECOND);
	for (size_t i = 0; i < 10; i++) {
		/* Questions of others are answered too: about one in 5 s of each, to a random one.
		 */
		assert_true(home_watches(&n, 3, i) ? t.signs[i] >= 30 && t.signs[i] <= 45
		                                   : t.signs[i] <= 15);
		assert_false(net_logged(&n, i, "suspect"));
	}
	net_fini(&n);
}

static void test_a_restart_keeps_the_watchers_and_signs_nothing(void **state)
{
	struct net n;
	uint64_t counter;

	(void)state;
	home_init(&n, 10);
	counter = mesh_self_entry(home_mesh(&n, 3))->record->counter;
	net_crash(&n, 3);
	net_boot(&n, 3);
	net_run(&n, 60 * MS_PER_SECOND);
	assert_int_equal(mesh_self_entry(home_mesh(&n, 3))->record->counter, counter);
	assert_int_equal(home_mesh(&n, 3)->watching->guards_count, 4);
	net_fini(&n);
}

static void clear_logs(struct net *n)
{
	for (size_t i = 0; i < n->count; i++)
		net_log_clear(n, i);
}

/* A watcher that is gone is replaced, the others stay; and the new one hears as they do. */
static void test_only_a_watcher_that_is_gone_is_replaced(void **state)
{
	struct net n;
	struct key before[LIMIT_WATCHERS];
	struct key after[LIMIT_WATCHERS];
	struct key gone;
	size_t kept = 0;
	size_t victim;

	(void)state;
	home_init(&n, 10);
	assert_int_equal(watch_own(home_mesh(&n, 0), before), 4);
	for (victim = 1; !home_watches(&n, 0, victim); victim++)
		;
	gone = home_mesh(&n, victim)->self.sign_public;
	home_vanish(&n, victim);
	net_run(&n, 20 * MS_PER_SECOND);
	assert_int_equal(watch_own(home_mesh(&n, 0), after), 4);
	for (size_t i = 0; i < 4; i++) {
		assert_false(key_equal(&after[i], &gone));
		for (size_t j = 0; j < 4; j++)
			kept += key_equal(&after[i], &before[j]);
	}
	assert_int_equal(kept, 3);
	net_run(&n, 10 * MS_PER_SECOND);
	clear_logs(&n);
	net_run(&n, 30 * MS_PER_SECOND);
	for (size_t i = 0; i < 10; i++)
		assert_false(i != victim && net_logged(&n, i, "suspect"));
	net_fini(&n);
}

/* In a mesh of two nobody can be removed: the longer the other is silent, the rarer the looks. */
static void test_looks_at_who_stays_silent_get_rare(void **state)
{
	int64_t first_ms;
	int64_t last_ms = 0;
	size_t looks = 0;
	struct net n;
	struct key gone;

	(void)state;
	home_init(&n, 2);
	gone = home_vanish(&n, 1);
	first_ms = n.mono_ms;
	while (n.mono_ms < first_ms + 10 * MS_PER_MINUTE) {
		const struct watched *w = home_watched(&n, 0, &gone);
		int64_t least_ms = last_ms ? (last_ms - first_ms - 2 * MS_PER_SECOND) / 2 : 0;

		if (w->concluded_ms > last_ms) {
			assert_true(!last_ms || w->concluded_ms - last_ms >= least_ms);
			last_ms = w->concluded_ms;
			looks++;
		}
		net_run(&n, 200);
	}
	assert_in_range(looks, 8, 16);
	net_fini(&n);
}

/* --- how soon ----------------------------------------------------------------------------------
 */

/* Wherever in the period it falls silent. */
static void test_a_silent_crash_is_known_to_all_within_two_seconds(void **state)
{
	(void)state;
	for (int64_t phase = 0; phase < WATCH_PERIOD_MS; phase += 130) {
		struct net n;
		struct key key;
		int64_t took;

		home_init(&n, 5);
		net_run(&n, phase);
		key = home_vanish(&n, 4);
		took = home_until(&n, home_has_pruned, &key, 5000);
		/* Missed after 2300 ms, of which up to 2000 were over; three tries of 200 ms. */
		assert_in_range(took, 900, 1500);
		net_fini(&n);
	}
}

/* Whose answers take half a second is missed after two seconds more, and has longer to answer. */
static void test_times_follow_the_round_trip(void **state)
{
	struct key key;
	struct net n;

	(void)state;
	home_init(&n, 5);
	for (size_t i = 0; i < 4; i++)
		mesh_peer(home_mesh(&n, i), home_key(&n, 4))->rtt_ms = 500;
	key = home_vanish(&n, 4);
	assert_in_range(home_until(&n, home_has_pruned, &key, 20000), 2000 + 3 * 1500,
	                4000 + 3 * 1500);
	net_fini(&n);
}

static void test_a_broken_stream_is_looked_after_at_once(void **state)
{
	(void)state;
	for (int64_t phase = 0; phase < WATCH_PERIOD_MS; phase += 370) {
		struct net n;
		struct key key;
		int64_t took;

		home_init(&n, 5);
		net_run(&n, phase);
		key = *home_key(&n, 4);
		net_crash(&n, 4);
		took = home_until(&n, home_has_pruned, &key, 5000);
		assert_in_range(took, 600, 650);
		net_fini(&n);
	}
}

/* A stream that breaks by itself is no proof: the member is dialled, and answers. */
static void test_a_broken_stream_of_a_living_member_prunes_nobody(void **state)
{
	struct net n;

	(void)state;
	home_init(&n, 5);
	for (int round = 0; round < 5; round++) {
		for (size_t i = 1; i < 5; i++)
			home_break(&n, i, 0);
		net_run(&n, 3 * MS_PER_SECOND);
		assert_true(home_has(&n, home_key(&n, 0)));
	}
	for (size_t i = 0; i < 5; i++)
		assert_false(net_logged(&n, i, "attested"));
	net_fini(&n);
}

/*
 * The other side keeps an older session, as its wire may for five seconds: each new one breaks as
 * it comes up.  That is a session now and then, not one after the other, and nobody is suspect for
 * it.
 */
static void test_sessions_that_break_as_they_come_up_are_no_reason_to_hurry(void **state)
{
	size_t broken = 0;
	struct net n;
	int64_t end_ms;

	(void)state;
	home_init(&n, 5);
	home_break(&n, 1, 0);
	for (end_ms = n.mono_ms + 5 * MS_PER_SECOND; n.mono_ms < end_ms; net_run(&n, 1)) {
		if (!mesh_peer(home_mesh(&n, 1), home_key(&n, 0))->session)
			continue;
		home_break(&n, 1, 0);
		broken++;
	}
	print_message("%zu sessions in 5 s\n", broken);
	/* Both sides look, and both dial. */
	assert_in_range(broken, 5, 2 * 5 * MS_PER_SECOND / WATCH_HEARD_MS);
	assert_true(home_has(&n, home_key(&n, 0)));
	assert_true(home_has(&n, home_key(&n, 1)));
	for (size_t i = 0; i < 5; i++)
		assert_false(net_logged(&n, i, "attested"));
	net_fini(&n);
}

/* --- how many ----------------------------------------------------------------------------------
 */

static void test_only_a_quorum_of_the_watchers_prunes(void **state)
{
	static const struct {
		size_t hosts; /* one of them vanishes, all others watch it */
		size_t signers;
		bool is_pruned;
	} table[] = {
		{ 2, 1, false }, { 3, 1, false }, { 3, 2, true },  { 4, 1, false },
		{ 4, 2, true },  { 5, 1, false }, { 5, 2, false }, { 5, 3, true },
	};

	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(table); t++) {
		struct key key;
		struct net n;

		home_init(&n, table[t].hosts);
		for (size_t i = table[t].signers; i + 1 < table[t].hosts; i++)
			home_abstain(&n, i);
		key = home_vanish(&n, table[t].hosts - 1);
		net_run(&n, 30 * MS_PER_SECOND);
		assert_int_equal(home_has_pruned(&n, &key), table[t].is_pruned);
		/* Unreachable is not removed. */
		if (!table[t].is_pruned) {
			assert_true(home_has(&n, &key));
			assert_true(mesh_peer(home_mesh(&n, 0), &key)->is_unreachable);
		}
		net_fini(&n);
	}
}

/* Two of four that lie do not suffice, however often they say it. */
static void test_two_hostile_watchers_of_four_prune_nobody(void **state)
{
	struct tally t = { .from = 0 };
	struct net n;

	(void)state;
	home_init(&n, 5);
	n.filter = count_sent;
	n.ctx = &t;
	for (int i = 0; i < 1000; i++) {
		struct msg first = home_attest(&n, 1, 4);
		struct msg second = home_attest(&n, 2, 4);

		home_say(&n, 1, 0, &first);
		home_say(&n, 2, 0, &second);
		home_say(&n, 1, 3, &first);
		home_say(&n, 2, 3, &second);
		net_run(&n, 10);
	}
	assert_true(home_has(&n, home_key(&n, 4)));
	assert_false(net_logged(&n, 4, "refuted"));
	/* In ten seconds: some questions that ended a look, and no signature. */
	assert_int_equal(t.attests, 0);
	assert_true(t.all < 60);
	net_fini(&n);
}

static void test_signatures_that_are_none_of_its_watchers_count_for_nothing(void **state)
{
	struct key key;
	struct net n;

	(void)state;
	home_init(&n, 5);
	home_abstain(&n, 1);
	home_abstain(&n, 2);
	key = *home_key(&n, 4);
	{
		struct msg forged = home_attest(&n, 1, 4);
		struct msg other = home_attest(&n, 2, 3); /* about another member */

		forged.u.watch.signature.b[7] ^= 1;
		other.u.watch.member = key;
		other.u.watch.counter = forged.u.watch.counter;
		home_vanish(&n, 4);
		net_run(&n, 1000);
		for (int i = 0; i < 20; i++) {
			home_say(&n, 1, 0, &forged);
			home_say(&n, 2, 0, &other);
			net_run(&n, 500);
		}
	}
	assert_true(home_mesh(&n, 0)->watching->watched.count > 0);
	assert_true(home_has(&n, &key));
	net_fini(&n);
}

/* However many bad ones it sends, few are looked at. */
static void test_signatures_of_one_watcher_are_checked_now_and_then(void **state)
{
	const struct watched *w;
	struct msg good;
	struct msg bad;
	struct net n;

	(void)state;
	home_init(&n, 5);
	w = home_watched(&n, 0, home_key(&n, 4));
	good = bad = home_attest(&n, 1, 4);
	bad.u.watch.signature.b[7] ^= 1;
	net_cut(&n, 0, 4, true); /* or it would be heard, which ends all */
	net_run(&n, WATCH_HEARD_MS + 100);
	home_say(&n, 1, 0, &bad);
	home_say(&n, 1, 0, &good);
	for (size_t i = 0; i < w->fellows_count; i++)
		assert_int_equal(w->fellows[i].attest_ms, 0);
	net_run(&n, ATTEST_PAUSE_MS);
	home_say(&n, 1, 0, &good);
	for (size_t i = 0; i < w->fellows_count; i++)
		if (key_equal(&w->fellows[i].key, home_key(&n, 1)))
			assert_int_equal(w->fellows[i].attest_ms, n.mono_ms);
	net_fini(&n);
}

/* A suspicion costs one question in two seconds, whoever has it and however often. */
static void test_a_thousand_suspicions_cost_one_look(void **state)
{
	struct tally t = { .from = 0 };
	struct msg wrong;
	struct msg right;
	struct net n;

	(void)state;
	home_init(&n, 5);
	right = home_suspect(&n, 4);
	wrong = right;
	wrong.u.watch.counter--;
	/* Let it be out of hearing for a little, so that the suspicion is worth a look. */
	while (n.mono_ms - home_watched(&n, 0, home_key(&n, 4))->heard_ms < WATCH_HEARD_MS + 100)
		net_run(&n, 10);
	n.filter = count_sent;
	n.ctx = &t;
	for (int i = 0; i < 1000; i++)
		home_say(&n, 1, 0, &wrong);
	assert_int_equal(t.all, 0);
	for (int i = 0; i < 1000; i++)
		home_say(&n, 1, 0, &right);
	/* The suspect and three canaries. */
	assert_in_range(t.all, 1, 4);
	net_fini(&n);
}

/* Who has just heard the member says so by not looking. */
static void test_who_has_just_heard_it_does_not_look(void **state)
{
	struct tally t = { .from = 0 };
	struct msg msg;
	struct net n;

	(void)state;
	home_init(&n, 5);
	while (home_watched(&n, 0, home_key(&n, 4))->heard_ms != n.mono_ms)
		net_run(&n, 1);
	net_run(&n, WATCH_HEARD_MS - 1);
	n.filter = count_sent;
	n.ctx = &t;
	msg = home_suspect(&n, 4);
	home_say(&n, 1, 0, &msg);
	msg = home_attest(&n, 1, 4);
	home_say(&n, 1, 0, &msg);
	assert_int_equal(t.all, 0);
	net_fini(&n);
}

static bool no_sign_of_life(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	(void)ctx;
	return from != 4 || to != 0 || msg->kind != MSG_DIGEST;
}

/* Only the sign of life has a schedule, but who talks is not looked for. */
static void test_who_says_other_things_is_not_missed(void **state)
{
	const struct msg other = { .kind = MSG_BEAT_ACK };
	struct net n;

	(void)state;
	home_init(&n, 5);
	n.filter = no_sign_of_life;
	net_log_clear(&n, 0);
	for (int i = 0; i < 100; i++) {
		home_say(&n, 4, 0, &other);
		net_run(&n, 100);
	}
	assert_false(net_logged(&n, 0, "suspect"));
	net_run(&n, WATCH_HEARD_MS);
	assert_true(net_logged(&n, 0, "suspect"));
	net_fini(&n);
}

/* What was signed about a silence is void when the silence is over. */
static void test_a_signature_ends_with_the_silence(void **state)
{
	struct net n;

	(void)state;
	home_init(&n, 5);
	net_cut(&n, 0, 4, true);
	for (int i = 0; i < 500 && !home_watched(&n, 0, home_key(&n, 4))->has_signed; i++)
		net_run(&n, 10);
	assert_true(home_watched(&n, 0, home_key(&n, 4))->has_signed);
	assert_true(mesh_peer(home_mesh(&n, 0), home_key(&n, 4))->is_unreachable);
	net_cut(&n, 0, 4, false);
	net_run(&n, 8 * MS_PER_SECOND);
	assert_false(mesh_peer(home_mesh(&n, 0), home_key(&n, 4))->is_unreachable);
	while (n.mono_ms - home_watched(&n, 0, home_key(&n, 4))->heard_ms < WATCH_HEARD_MS + 100)
		net_run(&n, 10);
	for (size_t by = 1; by <= 2; by++) {
		struct msg msg = home_attest(&n, by, 4);

		home_say(&n, by, 0, &msg);
	}
	assert_int_equal(home_seen(&n, 0, home_key(&n, 4))->standing, STANDING_IN);
	net_run(&n, MS_PER_SECOND);
	assert_true(home_has(&n, home_key(&n, 4)));
	assert_false(net_logged(&n, 4, "refuted"));
	net_fini(&n);
}

/* Watchers without a session dial each other; what they owe is told when it is up. */
static void test_watchers_that_lack_a_session_dial_each_other(void **state)
{
	size_t by[LIMIT_WATCHERS];
	size_t count = 0;
	struct key key;
	struct net n;
	int64_t took;

	(void)state;
	home_init(&n, 10);
	key = *home_key(&n, 9);
	for (size_t i = 0; i < 9; i++)
		if (home_watches(&n, 9, i))
			by[count++] = i;
	assert_int_equal(count, 4);
	/* Three must sign, and the first can't reach the two others until it is over. */
	home_abstain(&n, by[3]);
	net_cut(&n, by[3], 9, true); /* or it would be refused, which suffices */
	net_crash(&n, 9);
	for (size_t i = 1; i <= 2; i++) {
		net_cut(&n, by[0], by[i], true);
		home_break(&n, by[0], by[i]);
	}
	net_run(&n, 700);
	assert_true(home_has(&n, &key));
	assert_true(home_watched(&n, by[0], &key)->has_signed);
	for (size_t i = 1; i <= 2; i++)
		net_cut(&n, by[0], by[i], false);
	took = home_until(&n, home_has_pruned, &key, 10000);
	assert_true(took < 3000); /* less than the next look, five seconds later */
	net_fini(&n);
}

/* Has it made a remove itself? */
static bool has_made(const struct net *n, size_t host)
{
	const struct mesh *m = home_mesh(n, host);
	bool any = false;

	for (uint64_t i = 1; i < m->log.next; i++) {
		const struct news *item = newslog_at(m, i);

		any |= item && item->stmt->kind == STMT_REMOVE && !item->first_from;
	}
	return any;
}

/* The host that a watcher of host 4 is, by its place in the record. */
static size_t watcher_at(const struct net *n, size_t place)
{
	struct watcher_id ids[LIMIT_WATCHERS];
	size_t host = 0;

	assert_true(record_watchers(mesh_self_entry(home_mesh(n, 4))->record, ids) > place);
	for (size_t i = 0; i < 4; i++) {
		struct watcher_id id = watcher_id_of(&home_mesh(n, i)->self.sign_public);

		if (memcmp(&id, &ids[place], sizeof(id)) == 0)
			host = i;
	}
	return host;
}

/* All have the quorum at about the same time, and what each makes is told to everybody. */
static void test_signers_make_the_certificate_in_turn(void **state)
{
	(void)state;
	for (size_t place = 0; place < 3; place++) {
		struct msg attests[3];
		struct net n;
		size_t by;

		home_init(&n, 5);
		by = watcher_at(&n, place);
		for (size_t i = 0; i < 3; i++)
			attests[i] = home_attest(&n, watcher_at(&n, i), 4);
		for (size_t i = 0; i < 3; i++)
			if (i != place)
				home_abstain(&n, watcher_at(&n, i));
		home_abstain(&n, watcher_at(&n, 3));
		{
			struct key key = *home_key(&n, 4);
			size_t places[3] = { watcher_at(&n, 0), watcher_at(&n, 1),
				             watcher_at(&n, 2) };

			home_vanish(&n, 4);
			net_run(&n, 4 * MS_PER_SECOND);
			assert_true(home_watched(&n, by, &key)->has_signed);
			for (size_t i = 0; i < 3; i++)
				if (i != place)
					home_say(&n, places[i], by, &attests[i]);
			assert_int_equal(has_made(&n, by), place == 0);
			net_run(&n, (int64_t)place * ATTEST_TURN_MS - 1);
			assert_int_equal(has_made(&n, by), place == 0);
			net_run(&n, 20);
			assert_true(has_made(&n, by));
			assert_true(home_has_pruned(&n, &key));
		}
		net_fini(&n);
	}
}

static void test_who_is_no_watcher_is_not_listened_to(void **state)
{
	struct tally t = { .from = 0 };
	struct msg msg;
	size_t stranger;
	struct net n;
	size_t about;

	(void)state;
	home_init(&n, 10);
	for (about = 1; !home_watches(&n, about, 0); about++)
		;
	for (stranger = 1; stranger == about || home_watches(&n, about, stranger); stranger++)
		;
	while (n.mono_ms - home_watched(&n, 0, home_key(&n, about))->heard_ms <
	       WATCH_HEARD_MS + 100)
		net_run(&n, 10);
	n.filter = count_sent;
	n.ctx = &t;
	msg = home_suspect(&n, about);
	home_say(&n, stranger, 0, &msg);
	msg = home_attest(&n, stranger, about);
	home_say(&n, stranger, 0, &msg);
	assert_int_equal(t.all, 0);
	net_fini(&n);
}

/* --- when we are at fault ------------------------------------------------------------------------
 */

static void test_who_was_paused_blames_nobody(void **state)
{
	struct key key;
	struct net n;

	(void)state;
	home_init(&n, 5);
	for (size_t i = 0; i < 5; i++)
		net_log_clear(&n, i);
	n.mono_ms += 4000;
	net_run(&n, 100);
	for (size_t i = 0; i < 5; i++) {
		assert_false(net_logged(&n, i, "suspect"));
		assert_true(net_logged(&n, i, "abstained"));
	}
	/* Even who is really gone is not signed against by one that has just come to. */
	net_run(&n, 60 * MS_PER_SECOND);
	key = home_vanish(&n, 4);
	n.mono_ms += 4000;
	net_run(&n, WATCH_ABSTAIN_MS - 1);
	assert_true(home_has(&n, &key));
	assert_true(home_until(&n, home_has_pruned, &key, 10000) < 10000);
	net_fini(&n);
}

/* Who is out does not count among those who hear. */
static void test_who_is_pruned_itself_signs_nothing(void **state)
{
	struct watching *w;
	struct key key;
	struct net n;

	(void)state;
	home_init(&n, 5);
	w = home_mesh(&n, 0)->watching;
	w->pruned_ms = n.mono_ms;
	w->backoff_ms = REFUTE_MAX_MS;
	home_prune(&n, 0);
	home_abstain(&n, 1);
	net_cut(&n, 1, 4, true); /* or it would be refused, which suffices */
	key = *home_key(&n, 4);
	net_crash(&n, 4);
	net_run(&n, 30 * MS_PER_SECOND);
	assert_int_equal(home_seen(&n, 2, &key)->standing, STANDING_IN);
	net_run(&n, 60 * MS_PER_SECOND);
	assert_int_equal(home_seen(&n, 2, &key)->standing, STANDING_PRUNED);
	net_fini(&n);
}

static bool no_repair(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	(void)ctx;
	(void)from;
	(void)to;
	return msg->kind != MSG_SKETCH && msg->kind != MSG_FETCH && msg->kind != MSG_WANT &&
	       msg->kind != MSG_ANNOUNCE;
}

/* It need not wait for repair to find out. */
static void test_who_is_out_is_told_so_when_it_is_heard(void **state)
{
	struct key key;
	struct net n;

	(void)state;
	home_init(&n, 5);
	key = *home_key(&n, 4);
	home_isolate(&n, 4, true);
	net_run(&n, 5000);
	assert_int_equal(home_seen(&n, 0, &key)->standing, STANDING_PRUNED);
	n.filter = no_repair;
	home_isolate(&n, 4, false);
	net_run(&n, 5000);
	assert_int_equal(mesh_self_entry(home_mesh(&n, 4))->standing, STANDING_IN);
	assert_true(net_logged(&n, 4, "refuted"));
	net_fini(&n);
}

static void test_who_is_cut_off_signs_nothing_and_comes_back(void **state)
{
	struct key key;
	struct net n;

	(void)state;
	home_init(&n, 5);
	net_log_clear(&n, 4);
	key = *home_key(&n, 4);
	home_isolate(&n, 4, true);
	for (int64_t end = n.mono_ms + 20000; n.mono_ms < end;)
		net_run(&n, 100);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(home_seen(&n, i, &key)->standing, STANDING_PRUNED);
		assert_int_equal(home_seen(&n, 4, home_key(&n, i))->standing, STANDING_IN);
	}
	assert_true(net_logged(&n, 4, "abstained"));
	assert_false(net_logged(&n, 4, "attested"));
	/* It hears that it is out as soon as it is heard, and says a second later that it is not.
	 */
	home_isolate(&n, 4, false);
	assert_true(home_until(&n, home_has, &key, 60000) < 60000);
	assert_true(net_logged(&n, 4, "refuted"));
	net_fini(&n);
}

/* Two of five on one side: the three others are a quorum, but none of them hears enough. */
static void test_a_split_down_the_middle_prunes_nobody_for_a_minute(void **state)
{
	struct net n;

	(void)state;
	home_init(&n, 5);
	for (size_t a = 0; a < 2; a++)
		for (size_t b = 2; b < 5; b++)
			net_cut(&n, a, b, true);
	for (int64_t end = n.mono_ms + 58000; n.mono_ms < end;)
		net_run(&n, 500);
	for (size_t i = 0; i < 5; i++) {
		assert_true(home_has(&n, home_key(&n, i)));
		assert_false(net_logged(&n, i, "attested"));
	}
	for (size_t a = 0; a < 2; a++)
		for (size_t b = 2; b < 5; b++)
			net_cut(&n, a, b, false);
	net_run(&n, 60 * MS_PER_SECOND);
	assert_true(net_agrees(&n, "home"));
	net_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_record_names_as_many_watchers_as_there_can_be),
		cmocka_unit_test(test_each_watcher_hears_once_in_two_seconds_and_nobody_is_suspect),
		cmocka_unit_test(test_a_restart_keeps_the_watchers_and_signs_nothing),
		cmocka_unit_test(test_only_a_watcher_that_is_gone_is_replaced),
		cmocka_unit_test(test_looks_at_who_stays_silent_get_rare),
		cmocka_unit_test(test_a_silent_crash_is_known_to_all_within_two_seconds),
		cmocka_unit_test(test_times_follow_the_round_trip),
		cmocka_unit_test(test_a_broken_stream_is_looked_after_at_once),
		cmocka_unit_test(test_a_broken_stream_of_a_living_member_prunes_nobody),
		cmocka_unit_test(test_sessions_that_break_as_they_come_up_are_no_reason_to_hurry),
		cmocka_unit_test(test_only_a_quorum_of_the_watchers_prunes),
		cmocka_unit_test(test_two_hostile_watchers_of_four_prune_nobody),
		cmocka_unit_test(test_signatures_that_are_none_of_its_watchers_count_for_nothing),
		cmocka_unit_test(test_signatures_of_one_watcher_are_checked_now_and_then),
		cmocka_unit_test(test_a_thousand_suspicions_cost_one_look),
		cmocka_unit_test(test_who_has_just_heard_it_does_not_look),
		cmocka_unit_test(test_who_says_other_things_is_not_missed),
		cmocka_unit_test(test_a_signature_ends_with_the_silence),
		cmocka_unit_test(test_watchers_that_lack_a_session_dial_each_other),
		cmocka_unit_test(test_signers_make_the_certificate_in_turn),
		cmocka_unit_test(test_who_is_no_watcher_is_not_listened_to),
		cmocka_unit_test(test_who_was_paused_blames_nobody),
		cmocka_unit_test(test_who_is_pruned_itself_signs_nothing),
		cmocka_unit_test(test_who_is_out_is_told_so_when_it_is_heard),
		cmocka_unit_test(test_who_is_cut_off_signs_nothing_and_comes_back),
		cmocka_unit_test(test_a_split_down_the_middle_prunes_nobody_for_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
