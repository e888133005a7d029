/*
 * The leader and its beats.  Time is virtual and messages take none, so all times here are those of
 * the protocol alone.  Hosts are named by the order of their keys: 0 is the lowest.
 */
#include "smegd/core/beat_priv.h"
#include "tests/unit/smegd/core/net.h"

#define INTERVAL_MS 10000
#define BEATS_MAX 256

/* --- helpers ------------------------------------------------------------------------------------
 */

/* A beat as its leader sent it. */
struct heard {
	int64_t at_ms;
	size_t by;
	uint64_t number;
};

struct rig {
	struct net n;
	size_t order[NET_HOSTS]; /* hosts, by key */
	bool mute[NET_HOSTS];    /* by order: its beats do not get out */
	bool deaf[NET_HOSTS];    /* by order: no beats get to it */
	bool deaf_1[NET_HOSTS];  /* the same, by the first tree */
	bool keeps_acks[NET_HOSTS];
	bool no_watchers; /* nobody is pruned */
	struct heard beats[BEATS_MAX];
	size_t beats_count;
	size_t casts[WAY__COUNT]; /* beats and proofs on the wire, by way */
	size_t proofs;
	size_t acks;
	size_t sent[NET_HOSTS];      /* beats, by order of the sender */
	size_t questions[NET_HOSTS]; /* the same */
};

static struct mesh *home(struct rig *r, size_t i)
{
	struct mesh *m = net_mesh(&r->n, r->order[i], "home");

	assert_non_null(m);
	return m;
}

static const struct key *key_of(struct rig *r, size_t i)
{
	return &home(r, i)->self.box_public;
}

static size_t place_of(const struct rig *r, size_t host)
{
	for (size_t i = 0; i < r->n.count; i++)
		if (r->order[i] == host)
			return i;
	return 0;
}

static void note(struct rig *r, size_t by, const struct msg *msg)
{
	struct heard *last = r->beats_count ? &r->beats[r->beats_count - 1] : NULL;
	struct beat beat;

	assert_int_equal(beat_parse(msg->u.beat.beat, &beat), 0);
	if (!key_equal(&beat.leader, key_of(r, by)) || (last && last->number == beat.number))
		return;
	assert_true(r->beats_count < BEATS_MAX);
	r->beats[r->beats_count++] = (struct heard){ r->n.mono_ms, by, beat.number };
}

static bool overhear(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct rig *r = ctx;
	size_t by = place_of(r, from);

	if (msg->kind == MSG_BEAT_ACK) {
		r->acks++;
		return !r->keeps_acks[by];
	}
	r->questions[by] += msg->kind == MSG_DIGEST && msg->u.digest.question;
	r->sent[by] += msg->kind == MSG_BEAT;
	if (msg->kind != MSG_BEAT)
		return !r->no_watchers || msg->kind != MSG_ATTEST;
	r->casts[msg->u.beat.way]++;
	if (msg->u.beat.other.count)
		r->proofs++;
	else if (!r->mute[by])
		note(r, by, msg);
	return !r->mute[by] && !r->deaf[place_of(r, to)] &&
	       !(r->deaf_1[place_of(r, to)] && msg->u.beat.way == WAY_TREE_1);
}

static void sort_hosts(struct rig *r)
{
	for (size_t i = 0; i < r->n.count; i++)
		r->order[i] = i;
	for (size_t i = 0; i < r->n.count; i++)
		for (size_t j = i + 1; j < r->n.count; j++)
			if (key_compare(key_of(r, j), key_of(r, i)) < 0) {
				size_t other = r->order[i];

				r->order[i] = r->order[j];
				r->order[j] = other;
			}
}

static void forget(struct rig *r)
{
	r->beats_count = r->proofs = r->acks = 0;
	memset(r->casts, 0, sizeof(r->casts));
}

/* What comes next begins just after a beat of the lowest. */
static void after_a_beat(struct rig *r)
{
	size_t count = r->beats_count;

	while (r->beats_count == count)
		net_run(&r->n, 1);
	assert_int_equal(r->beats[count].by, 0);
	forget(r);
}

static void init(struct rig *r, size_t hosts)
{
	memset(r, 0, sizeof(*r));
	net_init(&r->n, hosts);
	net_make_home(&r->n);
	sort_hosts(r);
	r->n.filter = overhear;
	r->n.ctx = r;
	net_run(&r->n, 30 * MS_PER_SECOND);
	after_a_beat(r);
}

static void fini(struct rig *r)
{
	net_fini(&r->n);
}

static size_t leader_of(struct rig *r, size_t i)
{
	struct key leader;
	int64_t at_ms;
	uint32_t acknowledged;

	if (!beat_view(home(r, i), &leader, &at_ms, &acknowledged))
		return SIZE_MAX;
	for (size_t j = 0; j < r->n.count; j++)
		if (r->n.hosts[r->order[j]].node && key_equal(key_of(r, j), &leader))
			return j;
	return SIZE_MAX;
}

static void assert_all_follow(struct rig *r, size_t leader)
{
	for (size_t i = 0; i < r->n.count; i++)
		if (r->n.hosts[r->order[i]].node)
			assert_int_equal(leader_of(r, i), leader);
}

static uint32_t acknowledged(struct rig *r, size_t i)
{
	return home(r, i)->beats->acknowledged;
}

static void isolate(struct rig *r, size_t i, bool cut)
{
	for (size_t j = 0; j < r->n.count; j++)
		if (j != i)
			net_cut(&r->n, r->order[i], r->order[j], cut);
}

/* Anything signed by host i. */
struct forged {
	uint8_t raw[BEAT_BYTES];
	struct msg msg;
};

static void forge(struct rig *r, size_t i, uint64_t number, uint32_t members, struct forged *ret)
{
	struct beat beat = { .number = number, .members = members };

	beat_sign(&beat, &home(r, i)->self, &home(r, i)->mesh_public, ret->raw);
	ret->msg = (struct msg){ .kind = MSG_BEAT };
	ret->msg.u.beat.beat = (struct bytes){ ret->raw, BEAT_BYTES };
	ret->msg.u.beat.way = WAY_TREE_1;
}

static uint64_t now_of(const struct rig *r)
{
	return (uint64_t)(NET_NOW_MS + r->n.mono_ms);
}

/* As if host `from` had sent it to host `to`, which may be hostile of it. */
static void say(struct rig *r, size_t from, size_t to, const struct msg *msg)
{
	struct peer *p = mesh_peer(home(r, to), key_of(r, from));
	struct event ev = { .kind = EV_MESSAGE };

	assert_true(p && p->session);
	ev.u.message.session = p->session->id;
	ev.u.message.msg = msg;
	net_event(&r->n, r->order[to], &ev);
	net_deliver(&r->n);
}

/* --- leading ------------------------------------------------------------------------------------
 */

static void test_the_lowest_beats_every_interval_and_all_hear_it(void **state)
{
	struct rig r;
	int64_t start;

	(void)state;
	init(&r, 5);
	start = r.n.mono_ms;
	net_run(&r.n, 6 * INTERVAL_MS);
	assert_int_equal(r.beats_count, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(r.beats[i].by, 0);
		assert_int_equal(r.beats[i].at_ms, start + (int64_t)(i + 1) * INTERVAL_MS);
		assert_int_equal(r.beats[i].number, (uint64_t)(NET_NOW_MS + r.beats[i].at_ms));
	}
	assert_all_follow(&r, 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(home(&r, i)->beats->heard_ms, r.n.mono_ms);
	fini(&r);
}

static void test_one_alone_leads_at_once(void **state)
{
	struct net n;

	(void)state;
	net_init(&n, 1);
	net_boot_all(&n);
	net_create(&n, 0, "home");
	net_run(&n, MS_PER_SECOND);
	assert_true(net_mesh(&n, 0, "home")->beats->has_leader);
	net_fini(&n);
}

static void test_numbers_go_up_when_the_clock_goes_back(void **state)
{
	struct rig r;

	(void)state;
	init(&r, 3);
	net_run(&r.n, INTERVAL_MS);
	r.n.hosts[r.order[0]].wall_ahead_ms = -MS_PER_HOUR;
	net_run(&r.n, 2 * INTERVAL_MS);
	assert_int_equal(r.beats_count, 3);
	assert_int_equal(r.beats[1].number, r.beats[0].number + 1);
	assert_int_equal(r.beats[2].number, r.beats[0].number + 2);
	assert_all_follow(&r, 0);
	fini(&r);
}

/* --- silence ------------------------------------------------------------------------------------
 */

static void test_a_silent_leader_is_deposed_after_three_intervals(void **state)
{
	struct rig r;
	int64_t last;

	(void)state;
	init(&r, 5);
	last = r.n.mono_ms;
	r.mute[0] = true;
	net_run(&r.n, 3 * INTERVAL_MS - 1);
	assert_int_equal(r.beats_count, 0);
	assert_int_equal(leader_of(&r, 4), 0);
	net_run(&r.n, 1);
	assert_int_equal(r.beats_count, 1);
	assert_int_equal(r.beats[0].by, 1);
	assert_int_equal(r.beats[0].at_ms, last + 3 * INTERVAL_MS);
	for (size_t i = 1; i < 5; i++)
		assert_int_equal(leader_of(&r, i), 1);
	/* Nobody else says a word from then on. */
	net_run(&r.n, 4 * INTERVAL_MS);
	assert_int_equal(r.beats_count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(r.beats[i].by, 1);
	/* It is alive, and only not heard: it stays a member, and leads as soon as it is. */
	assert_int_equal(net_members(&r.n, r.order[4], "home"), 5);
	r.mute[0] = false;
	net_run(&r.n, INTERVAL_MS);
	assert_all_follow(&r, 0);
	fini(&r);
}

/* The first `silent` ones say nothing; when does who beat after the last beat of the lowest? */
static struct heard take_over(struct rig *r, size_t silent)
{
	int64_t last = r->n.mono_ms;
	struct heard first;

	for (size_t i = 0; i < silent; i++)
		r->mute[i] = true;
	for (int64_t end = last + 6 * INTERVAL_MS; r->n.mono_ms < end && !r->beats_count;)
		net_run(&r->n, 1);
	assert_int_equal(r->beats_count, 1);
	first = r->beats[0];
	first.at_ms -= last;
	/* Whoever it was, no other one speaks. */
	net_run(&r->n, INTERVAL_MS - 1);
	assert_int_equal(r->beats_count, 1);
	return first;
}

static void test_turns_are_half_a_second_apart_three_to_a_round(void **state)
{
	static const int64_t when[] = { 0, 30000, 30500, 31000, 30000 + 1500 + 10000, 41500 + 500 };

	(void)state;
	for (size_t silent = 1; silent < ARRAY_LEN(when); silent++) {
		struct heard first;
		struct rig r;

		init(&r, 6);
		first = take_over(&r, silent);
		assert_int_equal(first.by, silent);
		assert_int_equal(first.at_ms, when[silent]);
		fini(&r);
	}
}

/* Who let its turn go by is not waited for again, but may come back by itself. */
static void test_who_was_passed_over_costs_no_second_turn(void **state)
{
	struct rig r;
	int64_t last;

	(void)state;
	init(&r, 5);
	take_over(&r, 2);
	assert_int_equal(leader_of(&r, 4), 2);
	net_run(&r.n, 1);
	last = r.n.mono_ms;
	forget(&r);
	r.mute[2] = true;
	net_run(&r.n, 3 * INTERVAL_MS);
	assert_int_equal(r.beats_count, 1);
	assert_int_equal(r.beats[0].by, 3);
	assert_int_equal(r.beats[0].at_ms, last + 3 * INTERVAL_MS);
	r.mute[1] = false;
	net_run(&r.n, INTERVAL_MS);
	assert_int_equal(leader_of(&r, 4), 1);
	/* It has beaten, so it has its turn again. */
	r.mute[0] = r.mute[2] = false;
	net_run(&r.n, INTERVAL_MS);
	assert_all_follow(&r, 0);
	last = home(&r, 4)->beats->heard_ms;
	forget(&r);
	r.mute[0] = r.mute[1] = true;
	net_run(&r.n, 4 * INTERVAL_MS);
	/* The others have passed over 2, which it does not know: 3 has the same turn. */
	assert_int_equal(r.beats[0].at_ms - last, 3 * INTERVAL_MS + BEAT_TURN_MS);
	assert_int_equal(leader_of(&r, 4), 2);
	fini(&r);
}

/* Who heard the last beat late does not turn the next leader away. */
static void test_a_late_leader_gives_way_after_two_and_a_half_intervals(void **state)
{
	struct rig r;
	struct forged f;

	(void)state;
	init(&r, 5);
	r.mute[0] = true;
	net_run(&r.n, 5 * INTERVAL_MS / 2 - 1);
	forge(&r, 2, now_of(&r), 1, &f);
	say(&r, 2, 4, &f.msg);
	assert_int_equal(leader_of(&r, 4), 0);
	net_run(&r.n, 1);
	say(&r, 2, 4, &f.msg);
	assert_int_equal(leader_of(&r, 4), 2);
	/* 1 has had no turn yet in the view of 4; it has one now. */
	assert_null(beater_find(home(&r, 4), key_of(&r, 1)));
	assert_int_equal(home(&r, 4)->beats->round.count, 2);
	fini(&r);
}

/* Who has not had the time to beat is not passed over. */
static void test_a_turn_is_over_when_the_next_one_begins(void **state)
{
	struct rig r;
	struct forged f;

	(void)state;
	init(&r, 5);
	r.mute[0] = r.mute[1] = true;
	net_run(&r.n, 3 * INTERVAL_MS + BEAT_TURN_MS - 1);
	forge(&r, 2, now_of(&r), 1, &f);
	say(&r, 2, 4, &f.msg);
	assert_int_equal(leader_of(&r, 4), 2);
	assert_null(beater_find(home(&r, 4), key_of(&r, 1)));
	net_run(&r.n, 1); /* 2 itself */
	assert_int_equal(leader_of(&r, 3), 2);
	assert_non_null(beater_find(home(&r, 3), key_of(&r, 1)));
	fini(&r);
}

/* --- going and coming ---------------------------------------------------------------------------
 */

static void test_the_next_beats_when_the_leader_is_pruned(void **state)
{
	struct rig r;
	int64_t pruned;
	struct key gone;

	(void)state;
	init(&r, 6);
	gone = *key_of(&r, 0);
	isolate(&r, 0, true);
	net_crash(&r.n, r.order[0]);
	while (set_find(home(&r, 1)->set, &gone)->standing == STANDING_IN)
		net_run(&r.n, 1);
	pruned = r.n.mono_ms;
	net_run(&r.n, INTERVAL_MS);
	assert_in_range(r.beats_count, 1, 2);
	assert_int_equal(r.beats[0].by, 1);
	assert_int_equal(r.beats[0].at_ms, pruned + BEAT_SETTLE_MS);
	for (size_t i = 1; i < 6; i++)
		assert_int_equal(leader_of(&r, i), 1);
	fini(&r);
}

static void test_the_next_beats_when_the_leader_leaves(void **state)
{
	struct command leave = { .kind = CMD_LEAVE, .mesh = "home" };
	struct rig r;
	int64_t left;

	(void)state;
	init(&r, 4);
	left = r.n.mono_ms;
	net_command(&r.n, r.order[0], &leave);
	net_run(&r.n, 200);
	assert_int_equal(r.beats_count, 1);
	assert_int_equal(r.beats[0].by, 1);
	assert_int_equal(r.beats[0].at_ms, left + BEAT_SETTLE_MS);
	fini(&r);
}

/* All start at once, as after a power cut: nobody speaks before it has listened. */
static void test_a_mesh_that_starts_listens_first(void **state)
{
	bool has_beaten[NET_HOSTS] = { false };
	struct rig r;
	int64_t start;
	size_t count = 0;

	(void)state;
	init(&r, 8);
	for (size_t i = 0; i < 8; i++)
		net_crash(&r.n, r.order[i]);
	for (size_t i = 0; i < 8; i++)
		net_boot(&r.n, r.order[i]);
	start = r.n.mono_ms;
	net_run(&r.n, 2 * INTERVAL_MS);
	assert_true(r.beats[0].at_ms - start >= INTERVAL_MS * 9 / 10);
	assert_true(r.beats[0].at_ms - start <= INTERVAL_MS * 11 / 10);
	for (size_t i = 0; i < r.beats_count; i++) {
		count += !has_beaten[r.beats[i].by];
		has_beaten[r.beats[i].by] = true;
	}
	assert_in_range(count, 1, BEAT_TRIES);
	assert_all_follow(&r, 0);
	fini(&r);
}

/* All that might take office go at once: the next ones are not made to wait for their turns. */
static void test_a_round_ends_when_its_contenders_are_gone(void **state)
{
	struct command leave = { .kind = CMD_LEAVE, .mesh = "home" };
	struct rig r;
	int64_t gone;

	(void)state;
	init(&r, 6);
	r.mute[0] = r.mute[1] = r.mute[2] = r.mute[3] = true;
	net_run(&r.n, 3 * INTERVAL_MS + 2 * MS_PER_SECOND);
	assert_int_equal(r.beats_count, 0);
	assert_false(home(&r, 5)->beats->has_leader);
	gone = r.n.mono_ms;
	for (size_t i = 1; i < 4; i++)
		net_command(&r.n, r.order[i], &leave);
	net_deliver(&r.n);
	net_run(&r.n, INTERVAL_MS / 2);
	assert_int_equal(r.beats_count, 1);
	assert_int_equal(r.beats[0].by, 4);
	/* News that come so close together wait for each other. */
	assert_in_range(r.beats[0].at_ms - gone, BEAT_SETTLE_MS, BEAT_SETTLE_MS + 4);
	fini(&r);
}

/* A turn that we had to let go by, because we had not listened long enough, is not our last one. */
static void test_our_own_turn_comes_again(void **state)
{
	struct rig r;

	(void)state;
	init(&r, 4);
	r.no_watchers = true;
	net_crash(&r.n, r.order[0]);
	net_run(&r.n, 4 * INTERVAL_MS);
	net_boot(&r.n, r.order[0]);
	home(&r, 0)->beats->may_ms = r.n.mono_ms + 25000;
	forget(&r);
	net_run(&r.n, 25000 - 1);
	assert_in_range(r.beats_count, 2, 3);
	assert_int_equal(leader_of(&r, 0), 1);
	net_run(&r.n, 1);
	assert_all_follow(&r, 0);
	fini(&r);
}

/* A host that starts listens for an interval, then the lowest leads again. */
static void test_a_lower_one_that_comes_listens_first(void **state)
{
	struct rig r;
	int64_t start;
	size_t by_others = 0;

	(void)state;
	init(&r, 5);
	r.no_watchers = true;
	net_crash(&r.n, r.order[0]);
	net_run(&r.n, 60 * MS_PER_SECOND);
	forget(&r);
	while (!r.beats_count)
		net_run(&r.n, 1);
	/* Nobody was pruned: it is in the group, and hears the leader 6 s after its start. */
	net_run(&r.n, 4000);
	net_boot(&r.n, r.order[0]);
	start = r.n.mono_ms;
	forget(&r);
	net_run(&r.n, 3 * INTERVAL_MS);
	while (r.beats[by_others].by != 0) {
		assert_int_equal(r.beats[by_others].by, 1);
		by_others++;
	}
	assert_in_range(r.beats[by_others].at_ms - start, INTERVAL_MS * 9 / 10,
	                INTERVAL_MS * 11 / 10);
	assert_int_equal(by_others, 1);
	assert_all_follow(&r, 0);
	for (size_t i = by_others; i < r.beats_count; i++)
		assert_int_equal(r.beats[i].by, 0);
	fini(&r);
}

static void cut_in_two(struct rig *r, bool cut)
{
	for (size_t i = 0; i < r->n.count; i++)
		for (size_t j = 0; j < i; j++)
			if (i % 2 != j % 2)
				net_cut(&r->n, r->order[i], r->order[j], cut);
}

static void test_each_half_has_a_leader_and_the_whole_has_one(void **state)
{
	struct rig r;

	(void)state;
	init(&r, 8);
	cut_in_two(&r, true);
	net_run(&r.n, 50 * MS_PER_SECOND);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(leader_of(&r, i), i % 2);
	cut_in_two(&r, false);
	net_run(&r.n, 60 * MS_PER_SECOND);
	assert_all_follow(&r, 0);
	forget(&r);
	net_run(&r.n, 3 * INTERVAL_MS);
	assert_int_equal(r.beats_count, 3);
	fini(&r);
}

static void test_beats_are_fresh_for_three_intervals(void **state)
{
	struct rig r;
	struct instant now = { 0, 0 };

	(void)state;
	init(&r, 3);
	now.mono_ms = r.n.mono_ms + 3 * INTERVAL_MS;
	assert_true(beat_is_fresh(home(&r, 0), now)); /* leads */
	assert_false(beat_is_fresh(home(&r, 2), now));
	now.mono_ms--;
	assert_true(beat_is_fresh(home(&r, 2), now));
	net_crash(&r.n, r.order[2]);
	net_boot(&r.n, r.order[2]);
	now.mono_ms = r.n.mono_ms + 3 * INTERVAL_MS;
	assert_false(beat_is_fresh(home(&r, 2), now));
	now.mono_ms--;
	assert_true(beat_is_fresh(home(&r, 2), now));
	fini(&r);
}

static void test_a_client_follows_and_never_leads(void **state)
{
	struct command invite = net_invite_command("home", 1);
	struct rig r = { 0 };
	struct forged f;
	size_t client;

	(void)state;
	net_init(&r.n, 4);
	net_boot_all(&r.n);
	net_join(&r.n, 1, net_create(&r.n, 0, "home"));
	net_join(&r.n, 2, net_invite(&r.n, 0, "home", 1));
	invite.role = ROLE_CLIENT;
	net_join(&r.n, 3, net_do(&r.n, 0, &invite)->token);
	sort_hosts(&r);
	client = place_of(&r, 3);
	r.n.filter = overhear;
	r.n.ctx = &r;
	net_run(&r.n, 30 * MS_PER_SECOND);
	assert_all_follow(&r, client == 0 ? 1 : 0);
	assert_int_equal(acknowledged(&r, client == 0 ? 1 : 0), 3);
	assert_int_equal(r.sent[client], 0);
	/* A true beat is dropped if a client brings it. */
	net_run(&r.n, INTERVAL_MS / 2);
	forge(&r, client == 0 ? 1 : 0, now_of(&r), 1, &f);
	say(&r, client, client == 3 ? 2 : 3, &f.msg);
	assert_int_not_equal(home(&r, client == 3 ? 2 : 3)->beats->heard_ms, r.n.mono_ms);
	/* It sees a proof, and keeps it to itself: others see it too. */
	say(&r, client == 3 ? 2 : 3, client, &f.msg);
	forge(&r, client == 0 ? 1 : 0, now_of(&r), 2, &f);
	say(&r, client == 3 ? 2 : 3, client, &f.msg);
	assert_true(
		beater_find(home(&r, client), key_of(&r, client == 0 ? 1 : 0))->skipped_until_ms);
	assert_int_equal(r.sent[client], 0);
	/* Cut off from all others it does not begin. */
	isolate(&r, client, true);
	forget(&r);
	net_run(&r.n, 4 * INTERVAL_MS);
	assert_false(home(&r, client)->beats->has_leader);
	assert_false(beat_is_fresh(home(&r, client), (struct instant){ r.n.mono_ms, 0 }));
	assert_int_equal(home(&r, client)->beats->last, 0);
	fini(&r);
}

/* --- acknowledgements ---------------------------------------------------------------------------
 */

static void test_all_that_have_had_a_beat_are_counted(void **state)
{
	struct rig r;

	(void)state;
	init(&r, 10);
	net_run(&r.n, INTERVAL_MS);
	assert_int_equal(acknowledged(&r, 0), 9);
	fini(&r);
}

static void test_who_is_missing_costs_the_others_nothing(void **state)
{
	struct rig r;
	int64_t at_ms;

	(void)state;
	init(&r, 10);
	at_ms = r.n.mono_ms + INTERVAL_MS;
	r.keeps_acks[7] = true;
	net_run(&r.n, INTERVAL_MS);
	assert_int_equal(r.n.mono_ms, at_ms);
	assert_int_equal(acknowledged(&r, 0), 9); /* of the beat before: still waiting */
	net_run(&r.n, BEAT_WAIT_MS);
	assert_in_range(acknowledged(&r, 0), 7, 8); /* it, and one below it perhaps */
	/* By the second tree alone a beat is had too, but not acknowledged. */
	r.keeps_acks[7] = false;
	r.deaf_1[5] = true;
	net_run(&r.n, INTERVAL_MS);
	assert_in_range(acknowledged(&r, 0), 7, 8);
	assert_int_equal(home(&r, 5)->beats->heard_ms, at_ms + INTERVAL_MS);
	fini(&r);
}

static void test_no_more_than_the_group_is_counted(void **state)
{
	struct rig r;
	struct msg msg = { .kind = MSG_BEAT_ACK };

	(void)state;
	init(&r, 4);
	r.keeps_acks[2] = true;
	net_run(&r.n, INTERVAL_MS);
	msg.u.beat_ack.number = home(&r, 0)->beats->last;
	msg.u.beat_ack.count = UINT32_MAX;
	say(&r, 2, 0, &msg);
	net_run(&r.n, BEAT_WAIT_MS);
	assert_int_equal(acknowledged(&r, 0), 4);
	fini(&r);
}

/* --- hostile ------------------------------------------------------------------------------------
 */

static void test_beats_of_others_than_the_leader_end_at_the_first(void **state)
{
	struct rig r;
	struct forged f;
	unsigned before;

	(void)state;
	init(&r, 5);
	before = home(&r, 2)->beats->checks;
	for (uint64_t i = 0; i < 100; i++) {
		forge(&r, 4, now_of(&r) + i, 1, &f);
		say(&r, 4, 2, &f.msg);
	}
	assert_int_equal(r.casts[WAY_TREE_1] + r.casts[WAY_TREE_2], 0);
	assert_int_equal(home(&r, 2)->beats->checks, before); /* not even verified */
	assert_all_follow(&r, 0);
	fini(&r);
}

static void test_a_beat_is_relayed_once_in_each_tree(void **state)
{
	struct rig r;
	struct forged f;

	(void)state;
	init(&r, 5);
	net_run(&r.n, INTERVAL_MS / 2);
	forge(&r, 0, now_of(&r), 1, &f);
	for (size_t i = 0; i < 50; i++)
		say(&r, 0, 3, &f.msg);
	assert_int_equal(r.casts[WAY_TREE_2], 0);
	assert_in_range(r.casts[WAY_TREE_1], 0, 3);
	assert_int_equal(r.acks - r.casts[WAY_TREE_1], 50);
	f.msg.u.beat.way = WAY_TREE_2;
	for (size_t i = 0; i < 50; i++)
		say(&r, 0, 3, &f.msg);
	assert_in_range(r.casts[WAY_TREE_2], 0, 3);
	f.msg.u.beat.way = (enum way)(WAY_ROOT | WAY_TREE_1);
	forge(&r, 0, now_of(&r) + 1, 1, &f);
	f.msg.u.beat.way = (enum way)(WAY_ROOT | WAY_TREE_1);
	say(&r, 0, 4, &f.msg);
	assert_int_equal(r.casts[WAY_ROOT | WAY_TREE_1], 0);
	fini(&r);
}

static void test_who_brings_forged_beats_is_not_listened_to(void **state)
{
	struct rig r;
	struct forged f;

	(void)state;
	init(&r, 4);
	net_run(&r.n, INTERVAL_MS / 2);
	for (uint64_t i = 0; i < 100; i++) {
		forge(&r, 0, now_of(&r) + i, 1, &f);
		f.raw[BEAT_BYTES - 1] ^= 1;
		say(&r, 3, 2, &f.msg);
	}
	assert_int_equal(home(&r, 2)->beats->checks, 1);
	assert_int_equal(r.casts[WAY_TREE_1], 0);
	/* The true one, with a number that was forged before, comes by others. */
	forge(&r, 0, now_of(&r) + 7, 1, &f);
	say(&r, 3, 2, &f.msg);
	assert_int_not_equal(home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	say(&r, 1, 2, &f.msg);
	assert_int_equal(home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	/* For a minute. */
	net_run(&r.n, BEAT_DOUBT_MS - 1);
	forge(&r, 0, now_of(&r) + 1, 1, &f);
	say(&r, 3, 2, &f.msg);
	assert_int_not_equal(home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	net_run(&r.n, 1);
	say(&r, 3, 2, &f.msg);
	assert_int_equal(home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	fini(&r);
}

static void test_nothing_is_verified_more_than_sixteen_times_a_second(void **state)
{
	struct rig r;
	struct forged f;

	(void)state;
	init(&r, 10);
	net_run(&r.n, INTERVAL_MS / 2);
	home(&r, 9)->beats->second_ms = r.n.mono_ms;
	home(&r, 9)->beats->checks = BEAT_CHECKS;
	forge(&r, 0, now_of(&r), 1, &f);
	say(&r, 0, 9, &f.msg);
	assert_int_not_equal(home(&r, 9)->beats->heard_ms, r.n.mono_ms);
	net_run(&r.n, MS_PER_SECOND);
	say(&r, 0, 9, &f.msg);
	assert_int_equal(home(&r, 9)->beats->heard_ms, r.n.mono_ms);
	fini(&r);
}

static void test_who_counts_up_quickly_is_relayed_slowly(void **state)
{
	struct rig r;
	struct forged f;
	int64_t heard_ms;
	size_t taken = 0;

	(void)state;
	init(&r, 4);
	r.mute[0] = true; /* the true ones; these are said to its neighbour */
	heard_ms = home(&r, 3)->beats->heard_ms;
	for (size_t i = 0; i < 200; i++) {
		net_run(&r.n, 100);
		forge(&r, 0, now_of(&r), (uint32_t)i, &f);
		say(&r, 0, 3, &f.msg);
		taken += home(&r, 3)->beats->heard_ms != heard_ms;
		heard_ms = home(&r, 3)->beats->heard_ms;
	}
	assert_int_equal(taken, 8); /* in 20 s, one in 2.5 s */
	assert_int_equal(r.proofs, 0);
	fini(&r);
}

static void test_a_number_counts_once(void **state)
{
	struct forged old;
	struct forged f;
	struct rig r;

	(void)state;
	init(&r, 3);
	net_run(&r.n, INTERVAL_MS / 3);
	forge(&r, 0, now_of(&r) - 1, 1, &old);
	forge(&r, 0, now_of(&r), 1, &f);
	say(&r, 0, 2, &f.msg);
	assert_int_equal(home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	net_run(&r.n, INTERVAL_MS / 3);
	say(&r, 0, 2, &f.msg);
	say(&r, 0, 2, &old.msg);
	assert_int_not_equal(home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	fini(&r);
}

static void test_dates_far_ahead_are_refused(void **state)
{
	struct rig r;
	struct forged f;

	(void)state;
	init(&r, 3);
	net_run(&r.n, INTERVAL_MS / 2);
	forge(&r, 0, now_of(&r) + MS_PER_DAY + 1, 1, &f);
	say(&r, 0, 2, &f.msg);
	assert_int_not_equal(home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	forge(&r, 0, now_of(&r) + MS_PER_DAY, 1, &f);
	say(&r, 0, 2, &f.msg);
	assert_int_equal(home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	fini(&r);
}

/* The lowest keys are made in milliseconds: they get nothing for it. */
static void test_the_lowest_key_has_no_power(void **state)
{
	struct rig r;
	uint8_t before[DIGEST_BYTES];
	uint8_t after[DIGEST_BYTES];
	struct forged f;

	(void)state;
	init(&r, 5);
	set_digest(home(&r, 4)->set, before);
	r.mute[0] = true;
	for (size_t i = 0; i < 8; i++) {
		net_run(&r.n, INTERVAL_MS);
		forge(&r, 0, now_of(&r), 1, &f);
		for (size_t to = 1; to < 5; to++)
			say(&r, 0, to, &f.msg);
		assert_int_equal(leader_of(&r, 4), 0);
	}
	set_digest(home(&r, 4)->set, after);
	assert_memory_equal(before, after, sizeof(before));
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(net_members(&r.n, r.order[i], "home"), 5);
	fini(&r);
}

/* --- proofs -------------------------------------------------------------------------------------
 */

static void test_who_says_two_things_is_skipped_by_all(void **state)
{
	struct rig r;
	struct forged one;
	struct forged other;
	int64_t found;
	size_t told;

	(void)state;
	init(&r, 6);
	net_run(&r.n, INTERVAL_MS / 2);
	forge(&r, 0, now_of(&r), 1, &one);
	forge(&r, 0, now_of(&r), 2, &other);
	say(&r, 0, 2, &one.msg);
	say(&r, 0, 2, &other.msg);
	found = r.n.mono_ms;
	told = r.proofs;
	/* Once down each tree, and to the equivocator too. */
	assert_in_range(told, 5, 10);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(beater_find(home(&r, i), key_of(&r, 0))->skipped_until_ms,
		                 found + MS_PER_DAY);
	net_run(&r.n, 200);
	assert_int_equal(r.beats[r.beats_count - 1].by, 1);
	assert_int_equal(r.beats[r.beats_count - 1].at_ms, found + BEAT_SETTLE_MS);
	assert_all_follow(&r, 1);
	/* A member like others. */
	assert_int_equal(net_members(&r.n, r.order[5], "home"), 6);
	one.msg.u.beat.other = other.msg.u.beat.beat;
	for (size_t i = 1; i < 6; i++)
		say(&r, 0, i, &one.msg);
	net_run(&r.n, 3 * INTERVAL_MS);
	assert_int_equal(r.proofs, told); /* not told again */
	assert_all_follow(&r, 1);
	fini(&r);
}

static void test_what_proves_nothing_is_dropped(void **state)
{
	struct rig r;
	struct forged one;
	struct forged other;

	(void)state;
	init(&r, 4);
	net_run(&r.n, INTERVAL_MS / 2);
	/* Another number. */
	forge(&r, 0, now_of(&r), 1, &one);
	forge(&r, 0, now_of(&r) + 1, 2, &other);
	one.msg.u.beat.other = other.msg.u.beat.beat;
	say(&r, 3, 2, &one.msg);
	/* Too old: told again after its day. */
	forge(&r, 0, now_of(&r) - MS_PER_DAY, 1, &one);
	forge(&r, 0, now_of(&r) - MS_PER_DAY, 2, &other);
	one.msg.u.beat.other = other.msg.u.beat.beat;
	say(&r, 3, 2, &one.msg);
	/* Not signed. */
	forge(&r, 0, now_of(&r), 1, &one);
	forge(&r, 0, now_of(&r), 2, &other);
	other.raw[BEAT_BYTES - 1] ^= 1;
	one.msg.u.beat.other = other.msg.u.beat.beat;
	say(&r, 3, 2, &one.msg);
	assert_int_equal(r.proofs, 0);
	assert_all_follow(&r, 0);
	/* An old one lasts for what is left of its day. */
	forge(&r, 0, now_of(&r) - MS_PER_DAY + 5000, 1, &one);
	forge(&r, 0, now_of(&r) - MS_PER_DAY + 5000, 2, &other);
	one.msg.u.beat.other = other.msg.u.beat.beat;
	say(&r, 1, 2, &one.msg);
	assert_int_equal(beater_find(home(&r, 2), key_of(&r, 0))->skipped_until_ms,
	                 r.n.mono_ms + 5000);
	fini(&r);
}

static void test_two_beats_in_a_row_that_differ_raise_a_question(void **state)
{
	struct rig r;
	struct forged f;
	size_t before;

	(void)state;
	init(&r, 3);
	for (size_t i = 0; i < 2; i++) {
		net_run(&r.n, INTERVAL_MS / 4);
		forge(&r, 0, now_of(&r), 1, &f); /* with a digest of zeros */
		before = r.questions[2];
		say(&r, 0, 2, &f.msg);
		assert_int_equal(r.questions[2] - before, i);
	}
	fini(&r);
}

/* --- what is remembered -------------------------------------------------------------------------
 */

static struct step step_of(struct rig *r, size_t i)
{
	return (struct step){
		.n = r->n.hosts[r->order[i]].node,
		.now = { r->n.mono_ms, NET_NOW_MS + r->n.mono_ms },
	};
}

/* Beaters of that many who are no members (any longer). */
static void remember(struct rig *r, size_t i, uint8_t count, int64_t skipped_ms)
{
	struct step st = step_of(r, i);

	for (uint8_t k = 0; k < count; k++) {
		struct key key = { { k, 0xff } };
		struct beater *b = beater_make(&st, home(r, i), &key);

		assert_non_null(b);
		if (skipped_ms)
			b->skipped_until_ms = r->n.mono_ms + skipped_ms + k;
	}
	assert_int_equal(st.err, 0);
}

static void test_who_is_gone_is_forgotten(void **state)
{
	struct rig r;

	(void)state;
	init(&r, 3);
	for (size_t i = 0; i < 10; i++)
		remember(&r, 2, 250, 0);
	assert_in_range(home(&r, 2)->beats->beaters.count, 1, 64);
	assert_non_null(beater_find(home(&r, 2), key_of(&r, 0)));
	fini(&r);
}

static void test_no_more_than_64_are_skipped(void **state)
{
	struct key first = { { 0, 0xff } };
	struct key second = { { 1, 0xff } };
	struct forged one;
	struct forged other;
	struct rig r;

	(void)state;
	init(&r, 3);
	net_run(&r.n, INTERVAL_MS / 2);
	remember(&r, 2, BEAT_SKIPS_MAX, MS_PER_HOUR);
	forge(&r, 0, now_of(&r), 1, &one);
	forge(&r, 0, now_of(&r), 2, &other);
	one.msg.u.beat.other = other.msg.u.beat.beat;
	say(&r, 1, 2, &one.msg);
	assert_int_equal(beater_find(home(&r, 2), key_of(&r, 0))->skipped_until_ms,
	                 r.n.mono_ms + MS_PER_DAY);
	assert_int_equal(beater_find(home(&r, 2), &first)->skipped_until_ms, 0);
	assert_int_not_equal(beater_find(home(&r, 2), &second)->skipped_until_ms, 0);
	fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_lowest_beats_every_interval_and_all_hear_it),
		cmocka_unit_test(test_one_alone_leads_at_once),
		cmocka_unit_test(test_numbers_go_up_when_the_clock_goes_back),
		cmocka_unit_test(test_a_silent_leader_is_deposed_after_three_intervals),
		cmocka_unit_test(test_turns_are_half_a_second_apart_three_to_a_round),
		cmocka_unit_test(test_who_was_passed_over_costs_no_second_turn),
		cmocka_unit_test(test_a_late_leader_gives_way_after_two_and_a_half_intervals),
		cmocka_unit_test(test_a_turn_is_over_when_the_next_one_begins),
		cmocka_unit_test(test_the_next_beats_when_the_leader_is_pruned),
		cmocka_unit_test(test_the_next_beats_when_the_leader_leaves),
		cmocka_unit_test(test_our_own_turn_comes_again),
		cmocka_unit_test(test_a_mesh_that_starts_listens_first),
		cmocka_unit_test(test_a_round_ends_when_its_contenders_are_gone),
		cmocka_unit_test(test_a_lower_one_that_comes_listens_first),
		cmocka_unit_test(test_each_half_has_a_leader_and_the_whole_has_one),
		cmocka_unit_test(test_beats_are_fresh_for_three_intervals),
		cmocka_unit_test(test_a_client_follows_and_never_leads),
		cmocka_unit_test(test_all_that_have_had_a_beat_are_counted),
		cmocka_unit_test(test_who_is_missing_costs_the_others_nothing),
		cmocka_unit_test(test_no_more_than_the_group_is_counted),
		cmocka_unit_test(test_beats_of_others_than_the_leader_end_at_the_first),
		cmocka_unit_test(test_a_beat_is_relayed_once_in_each_tree),
		cmocka_unit_test(test_who_brings_forged_beats_is_not_listened_to),
		cmocka_unit_test(test_nothing_is_verified_more_than_sixteen_times_a_second),
		cmocka_unit_test(test_who_counts_up_quickly_is_relayed_slowly),
		cmocka_unit_test(test_a_number_counts_once),
		cmocka_unit_test(test_dates_far_ahead_are_refused),
		cmocka_unit_test(test_the_lowest_key_has_no_power),
		cmocka_unit_test(test_who_says_two_things_is_skipped_by_all),
		cmocka_unit_test(test_what_proves_nothing_is_dropped),
		cmocka_unit_test(test_two_beats_in_a_row_that_differ_raise_a_question),
		cmocka_unit_test(test_who_is_gone_is_forgotten),
		cmocka_unit_test(test_no_more_than_64_are_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
