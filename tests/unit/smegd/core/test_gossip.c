/*
 * Telling news, repair, and who talks to whom.
 */
#include "tests/unit/smegd/core/net.h"

#include <stdio.h>

static int set_alias(struct net *n, size_t host, const char *alias)
{
	struct command c = { .kind = CMD_SET, .mesh = "home", .settings.has_alias = true };

	snprintf(c.settings.alias, sizeof(c.settings.alias), "%s", alias);
	net_command(n, host, &c);
	net_deliver(n);
	return net_result(n, host, c.request)->err;
}

/* How often each host was sent statements, and by whom. */
struct tally {
	size_t times[NET_HOSTS][NET_HOSTS];
	size_t stmts;
};

static bool count_told(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct tally *t = ctx;

	if (msg->kind == MSG_ENTRIES) {
		t->times[from][to]++;
		t->stmts += msg->u.entries.count;
	}
	return true;
}

/* --- news ----------------------------------------------------------------------------------------
 */

static void test_news_go_at_once_to_all_but_who_told_them(void **state)
{
	struct tally told = { .stmts = 0 };
	struct net n;
	int64_t start;

	(void)state;
	net_init(&n, 5);
	net_make_home(&n);
	n.filter = count_told;
	n.ctx = &told;
	start = n.mono_ms;
	assert_int_equal(set_alias(&n, 2, "gate"), 0);
	assert_int_equal(n.mono_ms, start);
	assert_true(net_agrees(&n, "home"));
	for (size_t a = 0; a < 5; a++) {
		assert_int_equal(told.times[a][2], 0);
		for (size_t b = 0; b < 5; b++) {
			assert_true(told.times[a][b] <= 1);
			/* Two that told each other had both been told by others. */
			if (told.times[2][b])
				assert_int_equal(told.times[2][b], 1);
		}
	}
	/* Nothing more for a while. */
	memset(&told, 0, sizeof(told));
	net_run(&n, MS_PER_MINUTE);
	assert_int_equal(told.stmts, 0);
	net_fini(&n);
}

/* By which ways entries were sent. */
static bool count_ways(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	size_t *ways = ctx;

	(void)from;
	(void)to;
	if (msg->kind == MSG_ENTRIES)
		ways[msg->u.entries.way]++;
	return true;
}

/* Where all are connected who news are from tells all, and nobody hands on, but to leaves. */
static void test_the_last_copy_goes_on_to_leaves_only(void **state)
{
	enum {
		PEERS = 6,
		CLIENT = PEERS
	};
	struct command invite = net_invite_command("home", 1);
	struct net n;

	(void)state;
	net_init(&n, PEERS + 1);
	net_boot_all(&n);
	net_create(&n, 0, "home");
	for (size_t i = 1; i < PEERS; i++)
		net_join(&n, i, net_invite(&n, 0, "home", 1));
	invite.role = ROLE_CLIENT;
	net_join(&n, CLIENT, net_do(&n, 0, &invite)->token);
	net_run(&n, MS_PER_MINUTE);
	assert_true(net_agrees(&n, "home"));
	for (size_t host = 0; host < PEERS; host++) {
		size_t ways[WAY__COUNT] = { 0 };
		char alias[16];

		n.filter = count_ways;
		n.ctx = ways;
		snprintf(alias, sizeof(alias), "gate%zu", host);
		assert_int_equal(set_alias(&n, host, alias), 0);
		assert_true(net_agrees(&n, "home")); /* the client as well, and at once */
		assert_int_equal(ways[WAY_LAST_1 | WAY_LAST_2], PEERS - 1);
		assert_in_range(ways[WAY_NONE], 1, PEERS); /* from those it talks to */
		for (size_t way = 1; way < (WAY_LAST_1 | WAY_LAST_2); way++)
			assert_int_equal(ways[way], 0);
		n.filter = NULL;
		net_run(&n, 1000);
	}
	net_fini(&n);
}

static bool repeat_to_1(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct net *n = ctx;

	(void)from;
	if (to == 1 && msg->kind == MSG_ENTRIES) {
		struct event ev = { .kind = EV_MESSAGE, .u.message.msg = msg };
		const struct peer *p = mesh_peer(net_mesh(n, 1, "home"),
		                                 &net_mesh(n, from, "home")->self.box_public);

		n->filter = NULL;
		ev.u.message.session = p->session->id;
		net_event(n, 1, &ev);
		net_log_clear(n, 1);
	}
	return true;
}

static void test_what_is_known_is_neither_told_nor_stored_again(void **state)
{
	struct net n;

	(void)state;
	net_init(&n, 3);
	net_make_home(&n);
	n.filter = repeat_to_1;
	n.ctx = &n;
	assert_int_equal(set_alias(&n, 0, "gate"), 0);
	assert_null(n.filter);
	assert_false(net_logged(&n, 1, "send entries"));
	assert_false(net_logged(&n, 1, "put state"));
	net_fini(&n);
}

/* --- repair --------------------------------------------------------------------------------------
 */

static void pair_of(struct keypair *pair, size_t host, size_t number)
{
	uint8_t seed[KEY_BYTES] = { (uint8_t)number, (uint8_t)(number >> 8), 7, (uint8_t)host };

	while (keypair_from_seed(pair, seed))
		seed[4]++;
}

/* Statements of a member that no host has heard of, given to one host only. */
static void invent(struct net *n, size_t host, const struct keypair *pair)
{
	struct mesh *home = net_mesh(n, 0, "home");
	const struct mem *mem = &n->hosts[0].mt.mem;
	struct step st = { .n = n->hosts[host].node, .fx = &n->hosts[host].fx };
	struct admission a = { .role = ROLE_CLIENT, .issued_ms = NET_NOW_MS };
	struct record r = { .role = ROLE_CLIENT, .counter = NET_NOW_MS };
	struct stmt *s;

	st.now = (struct instant){ n->mono_ms, NET_NOW_MS + n->mono_ms };
	a.subject = pair->sign_public;
	assert_int_equal(admission_sign(mem, &a, &home->self, &home->mesh_public, &s), 0);
	mesh_offer(&st, net_mesh(n, host, "home"), s->raw, 1);
	stmt_unref(mem, s);
	assert_int_equal(record_sign(mem, &r, pair, &home->mesh_public, &s), 0);
	mesh_offer(&st, net_mesh(n, host, "home"), s->raw, 1);
	stmt_unref(mem, s);
}

/* As if they had been learned long ago: not news. */
static void forget_news(struct net *n, size_t host)
{
	struct newslog *l = &net_mesh(n, host, "home")->log;

	for (size_t i = 0; i < NEWS_LOG_MAX; i++) {
		if (l->list && l->list[i].stmt)
			stmt_unref(&n->hosts[host].mt.mem, l->list[i].stmt);
		if (l->list)
			memset(&l->list[i], 0, sizeof(l->list[i]));
	}
	if (l->list)
		memset(l->chains, 0, sizeof(*l->chains));
	l->next = l->due = l->announced = 1;
	l->asked_for = 0;
}

static void test_replicas_that_differ_both_ways_become_one(void **state)
{
	struct net n;

	(void)state;
	net_init(&n, 2);
	n.hosts[0].options.no_devices = n.hosts[1].options.no_devices = true;
	net_make_home(&n);
	for (size_t host = 0; host < 2; host++) {
		for (size_t i = 0; i < 20; i++) {
			struct keypair pair;

			pair_of(&pair, host, i);
			invent(&n, host, &pair);
		}
		forget_news(&n, host);
	}
	assert_false(net_agrees(&n, "home"));
	net_run(&n, 10 * MS_PER_SECOND);
	assert_true(net_agrees(&n, "home"));
	assert_int_equal(net_members(&n, 0, "home"), 42);
	net_fini(&n);
}

/* Counts the messages of repair. */
struct steps {
	size_t sketches;
	size_t symbols_bytes;
	size_t mores;
	size_t wants;
	size_t fetches;
	size_t pages;
	size_t entries;
	bool lose_sketches;
};

static bool count_steps(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct steps *s = ctx;

	(void)from;
	(void)to;
	s->mores += msg->kind == MSG_CONTINUE;
	s->wants += msg->kind == MSG_WANT;
	s->fetches += msg->kind == MSG_FETCH;
	if (msg->kind == MSG_SKETCH) {
		s->sketches++;
		s->symbols_bytes += msg->u.sketch.symbols.count;
		return !s->lose_sketches;
	}
	if (msg->kind == MSG_ENTRIES) {
		s->pages += msg->u.entries.is_page;
		s->entries += msg->u.entries.count;
	}
	return true;
}

static void begin_counting(struct net *n, struct steps *s)
{
	n->hosts[0].options.no_devices = n->hosts[1].options.no_devices = true;
	net_make_home(n);
	memset(s, 0, sizeof(*s));
	n->filter = count_steps;
	n->ctx = s;
}

static void invent_many(struct net *n, size_t host, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct keypair pair;

		pair_of(&pair, host, i);
		invent(n, host, &pair);
	}
	forget_news(n, host);
}

/* Who has much less gets pages, and gives what they lack. */
static void test_pages_bring_much_and_take_what_they_lack(void **state)
{
	struct steps steps;
	struct net n;

	(void)state;
	net_init(&n, 2);
	begin_counting(&n, &steps);
	steps.lose_sketches = true;
	invent_many(&n, 0, 1100);
	invent_many(&n, 1, 20);
	net_run(&n, MS_PER_MINUTE);
	assert_true(net_agrees(&n, "home"));
	assert_int_equal(net_members(&n, 1, "home"), 1122);
	assert_true(steps.pages >= 3);
	assert_int_equal(steps.pages, steps.fetches);
	/* Each statement once, but for those of the two themselves. */
	assert_in_range(steps.entries, 2 * 1120, 2 * 1120 + 16);
	net_fini(&n);
}

/* What differs is sent, and nothing else. */
static void test_a_sketch_brings_what_differs_and_no_more(void **state)
{
	static const size_t counts[] = { 8, 100 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct steps steps;
		struct net n;

		net_init(&n, 2);
		begin_counting(&n, &steps);
		invent_many(&n, 0, 600);
		net_run(&n, MS_PER_MINUTE);
		assert_true(net_agrees(&n, "home"));
		memset(&steps, 0, sizeof(steps));
		invent_many(&n, 1, counts[i]);
		net_run(&n, 10 * MS_PER_SECOND);
		assert_true(net_agrees(&n, "home"));
		assert_int_equal(steps.entries, 2 * counts[i]);
		assert_int_equal(steps.fetches, 0);
		assert_true(steps.sketches >= 1);
		print_message("%zu differ: %zu bytes of symbols\n", 2 * counts[i],
		              steps.symbols_bytes);
		assert_true(steps.symbols_bytes <= 16 * 13 + 2 * counts[i] * 2 * 14 * 2);
		net_fini(&n);
	}
}

/* A neighbour that missed the last news gets just those. */
static void test_what_a_neighbour_missed_comes_without_a_sketch(void **state)
{
	struct steps steps;
	struct net n;

	(void)state;
	net_init(&n, 2);
	begin_counting(&n, &steps);
	net_run(&n, MS_PER_MINUTE);
	memset(&steps, 0, sizeof(steps));
	net_cut(&n, 0, 1, true);
	assert_int_equal(set_alias(&n, 0, "gate"), 0);
	net_run(&n, 100);
	net_cut(&n, 0, 1, false);
	net_run(&n, 10 * MS_PER_SECOND);
	assert_true(net_agrees(&n, "home"));
	assert_int_equal(steps.entries, 1);
	assert_int_equal(steps.sketches, 0);
	net_fini(&n);
}

static bool count_announced(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	(void)from;
	(void)to;
	*(size_t *)ctx += msg->kind == MSG_ANNOUNCE;
	return true;
}

/* Where the trees take long, what they bring is not announced before. */
static void test_news_are_announced_when_the_trees_had_their_time(void **state)
{
	static const int64_t lags[] = { 0, 200 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lags); i++) {
		size_t announced = 0;
		struct net n;

		net_init(&n, 5);
		net_make_home(&n);
		net_run(&n, MS_PER_MINUTE);
		n.filter = count_announced;
		n.ctx = &announced;
		for (size_t h = 0; h < 5; h++) {
			struct mesh *m = net_mesh(&n, h, "home");

			m->log.lag_ms = lags[i];
			m->log.lag_at_ms = n.mono_ms;
		}
		assert_int_equal(set_alias(&n, 2, "gate"), 0);
		net_run(&n, 100);
		assert_int_equal(announced > 0, lags[i] == 0);
		net_run(&n, 400);
		assert_true(announced > 0);
		net_fini(&n);
	}
}

static void test_who_was_away_hears_all_that_it_missed(void **state)
{
	struct net n;

	(void)state;
	net_init(&n, 4);
	net_make_home(&n);
	for (size_t i = 0; i < 3; i++)
		net_cut(&n, 3, i, true);
	net_run(&n, 5 * MS_PER_MINUTE);
	assert_int_equal(n.hosts[3].node->sessions.count, 0);
	assert_int_equal(set_alias(&n, 0, "gate"), 0);
	assert_int_equal(set_alias(&n, 3, "lonely"), 0);
	net_run(&n, MS_PER_MINUTE);
	assert_false(net_agrees(&n, "home"));
	/* The three prune the one; it knows better than to prune them. */
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(net_members(&n, i, "home"), i < 3 ? 3 : 4);
	for (size_t i = 0; i < 3; i++)
		net_cut(&n, 3, i, false);
	net_run(&n, DIAL_BACKOFF_MAX_MS * 5 / 4 + 5 * MS_PER_SECOND);
	assert_true(net_agrees(&n, "home"));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(net_members(&n, i, "home"), 4);
	net_fini(&n);
}

static void test_halves_of_a_split_find_each_other(void **state)
{
	struct net n;

	(void)state;
	net_init(&n, 4);
	net_make_home(&n);
	for (size_t a = 0; a < 2; a++)
		for (size_t b = 2; b < 4; b++)
			net_cut(&n, a, b, true);
	net_run(&n, 10 * MS_PER_MINUTE);
	assert_int_equal(set_alias(&n, 0, "left"), 0);
	assert_int_equal(set_alias(&n, 3, "right"), 0);
	for (size_t a = 0; a < 2; a++)
		for (size_t b = 2; b < 4; b++)
			net_cut(&n, a, b, false);
	net_run(&n, DIAL_BACKOFF_MAX_MS * 5 / 4 + 5 * MS_PER_SECOND);
	assert_true(net_agrees(&n, "home"));
	net_fini(&n);
}

/* --- sessions
 * ------------------------------------------------------------------------------------- */

static void test_a_silent_session_is_asked_and_then_given_up(void **state)
{
	struct member_view v;
	struct net n;
	struct key key;

	(void)state;
	net_init(&n, 2);
	net_make_home(&n);
	key = net_mesh(&n, 1, "home")->self.box_public;
	net_cut(&n, 0, 1, true);
	net_run(&n, SESSION_DEAD_MS - MS_PER_SECOND - PULL_INTERVAL_MS);
	assert_int_equal(n.hosts[0].node->sessions.count, 1);
	net_run(&n, 10 * MS_PER_SECOND);
	assert_int_equal(n.hosts[0].node->sessions.count, 0);
	key.b[31]--; /* the one before it */
	assert_true(node_member_next(n.hosts[0].node, net_mesh(&n, 0, "home")->id, &key, &v));
	net_run(&n, 10 * MS_PER_SECOND);
	assert_true(node_member_next(n.hosts[0].node, net_mesh(&n, 0, "home")->id, &key, &v));
	assert_false(v.is_reachable);
	net_cut(&n, 0, 1, false);
	net_run(&n, MS_PER_MINUTE);
	assert_true(node_member_next(n.hosts[0].node, net_mesh(&n, 0, "home")->id, &key, &v));
	assert_true(v.is_reachable && v.has_session);
	net_fini(&n);
}

/* The same, after a person has asked for another patience. */
static void test_the_timeout_can_be_changed_while_it_runs(void **state)
{
	struct event ev = { .kind = EV_INTERVALS };
	struct net n;

	(void)state;
	net_init(&n, 2);
	net_make_home(&n);
	ev.u.intervals.timeout_ms = 3 * MS_PER_SECOND;
	ev.u.intervals.pull_ms = 300 * MS_PER_SECOND;
	net_event(&n, 0, &ev);
	net_run(&n, 10 * MS_PER_SECOND);
	assert_int_equal(n.hosts[0].node->sessions.count, 1);
	net_cut(&n, 0, 1, true);
	net_run(&n, 6 * MS_PER_SECOND);
	assert_int_equal(n.hosts[0].node->sessions.count, 0);
	assert_int_equal(n.hosts[1].node->sessions.count, 1);
	net_fini(&n);
}

static void test_a_shorter_pull_interval_counts_at_once(void **state)
{
	struct event ev = { .kind = EV_INTERVALS };
	struct net n;
	struct node *node;

	(void)state;
	net_init(&n, 2);
	net_make_home(&n);
	node = n.hosts[0].node;
	ev.u.intervals.pull_ms = MS_PER_HOUR;
	net_event(&n, 0, &ev);
	net_run(&n, 10 * MS_PER_SECOND);
	assert_true(net_mesh(&n, 0, "home")->repair_ms > n.mono_ms + 30 * MS_PER_MINUTE);
	ev.u.intervals.pull_ms = MS_PER_SECOND;
	net_event(&n, 0, &ev);
	assert_true(net_mesh(&n, 0, "home")->repair_ms <= n.mono_ms + MS_PER_SECOND);
	ev.u.intervals = (struct intervals){ 0 };
	net_event(&n, 0, &ev);
	assert_int_equal(node->options.heartbeat_interval_ms, HEARTBEAT_INTERVAL_MS);
	assert_int_equal(node->options.pull_interval_ms, PULL_INTERVAL_MS);
	assert_int_equal(node->options.timeout_ms, SESSION_DEAD_MS);
	net_fini(&n);
}

static void test_a_session_that_nobody_needs_is_closed(void **state)
{
	struct net n;
	struct peer *p;

	(void)state;
	net_init(&n, 5);
	net_make_home(&n);
	net_run(&n, MS_PER_MINUTE);
	/* So few would all be kept. */
	for (size_t host = 0; host < 5; host++) {
		struct mesh *m = net_mesh(&n, host, "home");
		struct map_node *pos;

		m->count_ms = TIME_NEVER;
		for (size_t l = 0; l < TREE_LEVELS; l++)
			for (size_t d = 0; d < TREE_DIGITS; d++)
				for (size_t t = 0; t < TREES; t++)
					m->trees[t].slots[l][d].members = 0;
		map_for_each(pos, &m->peers)
			container_of(pos, struct peer, node)->is_one_of_few = false;
	}
	net_run(&n, MS_PER_MINUTE);
	for (size_t host = 0; host < 5; host++) {
		struct mesh *m = net_mesh(&n, host, "home");
		const struct session *s;

		session_for_each(s, m)
			if (s->dialled)
				assert_true(s->peer->is_wanted);
		assert_true(m->sessions_count >= 2);
	}
	/* Dial one that is not wanted. */
	for (size_t host = 0; host < 5; host++) {
		for (size_t other = 0; other < 5; other++) {
			struct mesh *m = net_mesh(&n, host, "home");

			p = mesh_peer(m, &net_mesh(&n, other, "home")->self.box_public);
			if (!p || p->is_wanted || p->session)
				continue;
			p->is_doubtful = true;
			net_run(&n, 5 * MS_PER_SECOND);
			assert_non_null(p->session);
			net_run(&n, SURPLUS_AFTER_MS + 5 * MS_PER_SECOND);
			assert_null(p->session);
		}
	}
	net_fini(&n);
}

/* Of the many that a node only knows of it keeps no soft state: they cost their entries. */
static void test_peers_are_only_those_that_are_talked_to(void **state)
{
	struct keypair pairs[20];
	struct step st = { .err = 0 };
	struct map_node *pos;
	struct mesh *m;
	struct net n;

	(void)state;
	net_init(&n, 5);
	for (size_t host = 0; host < 5; host++)
		n.hosts[host].options.no_devices = true;
	net_make_home(&n);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		pair_of(&pairs[i], 0, i);
		invent(&n, 0, &pairs[i]);
	}
	forget_news(&n, 0);
	net_run(&n, MS_PER_MINUTE);
	assert_true(net_agrees(&n, "home"));
	for (size_t host = 0; host < 5; host++) {
		m = net_mesh(&n, host, "home");
		assert_int_equal(set_count(m->set), 5 + ARRAY_LEN(pairs));
		assert_true(m->peers.count <= 4);
	}
	/* What was made for a while goes; what is known against somebody stays. */
	st.n = n.hosts[4].node;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		assert_non_null(mesh_peer_make(&st, m, &pairs[i].box_public));
	mesh_peer(m, &pairs[0].box_public)->is_unreachable = true;
	net_run(&n, 10 * MS_PER_SECOND);
	assert_non_null(mesh_peer(m, &pairs[0].box_public));
	assert_true(m->peers.count <= 5);
	map_for_each(pos, &m->peers) {
		const struct peer *p = container_of(pos, struct peer, node);

		assert_true(p->session || p->is_wanted || p->known || p->is_unreachable);
	}
	net_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_news_go_at_once_to_all_but_who_told_them),
		cmocka_unit_test(test_the_last_copy_goes_on_to_leaves_only),
		cmocka_unit_test(test_what_is_known_is_neither_told_nor_stored_again),
		cmocka_unit_test(test_replicas_that_differ_both_ways_become_one),
		cmocka_unit_test(test_pages_bring_much_and_take_what_they_lack),
		cmocka_unit_test(test_a_sketch_brings_what_differs_and_no_more),
		cmocka_unit_test(test_what_a_neighbour_missed_comes_without_a_sketch),
		cmocka_unit_test(test_news_are_announced_when_the_trees_had_their_time),
		cmocka_unit_test(test_who_was_away_hears_all_that_it_missed),
		cmocka_unit_test(test_halves_of_a_split_find_each_other),
		cmocka_unit_test(test_a_silent_session_is_asked_and_then_given_up),
		cmocka_unit_test(test_the_timeout_can_be_changed_while_it_runs),
		cmocka_unit_test(test_a_shorter_pull_interval_counts_at_once),
		cmocka_unit_test(test_a_session_that_nobody_needs_is_closed),
		cmocka_unit_test(test_peers_are_only_those_that_are_talked_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
