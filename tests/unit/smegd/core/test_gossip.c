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
	struct mesh *m = net_mesh(n, host, "home");

	for (size_t i = 0; i < m->told_count; i++)
		stmt_unref(&n->hosts[host].mt.mem, m->told[i].stmt);
	m->told_count = 0;
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

static bool lose_summaries(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	(void)ctx;
	(void)to;
	return !(msg->kind == MSG_SUMMARY && from == 1);
}

/* A member for host 1 whose key is between the last of host 0's first page and the next one. */
static void invent_between_pages(struct net *n)
{
	const struct entry *last = set_first(net_mesh(n, 0, "home")->set);
	struct keypair pair;
	size_t number = 0;

	for (size_t i = 1; i < MSG_SUMMARY_MAX; i++)
		last = set_next(last);
	do
		pair_of(&pair, 1, number++);
	while (key_compare(&pair.box_public, &last->member) <= 0 ||
	       key_compare(&pair.box_public, &set_next(last)->member) >= 0);
	invent(n, 1, &pair);
}

static void test_pages_of_a_summary_leave_no_gap(void **state)
{
	struct net n;

	(void)state;
	net_init(&n, 2);
	n.hosts[0].options.no_devices = n.hosts[1].options.no_devices = true;
	net_make_home(&n);
	for (size_t i = 0; i < MSG_SUMMARY_MAX + 100; i++) {
		struct keypair pair;

		pair_of(&pair, 0, i);
		invent(&n, 0, &pair);
	}
	invent_between_pages(&n);
	forget_news(&n, 0);
	forget_news(&n, 1);
	n.filter = lose_summaries; /* one of the two shows what it has */
	net_run(&n, MS_PER_MINUTE);
	assert_true(net_agrees(&n, "home"));
	assert_int_equal(net_members(&n, 1, "home"), MSG_SUMMARY_MAX + 103);
	net_fini(&n);
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
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(net_members(&n, i, "home"), 4); /* unreachable is not removed */
	for (size_t i = 0; i < 3; i++)
		net_cut(&n, 3, i, false);
	net_run(&n, DIAL_BACKOFF_MAX_MS * 5 / 4 + 5 * MS_PER_SECOND);
	assert_true(net_agrees(&n, "home"));
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
	for (size_t host = 0; host < 5; host++) {
		struct mesh *m = net_mesh(&n, host, "home");
		struct map_node *pos;

		map_for_each(pos, &n.hosts[host].node->sessions) {
			const struct session *s = container_of(pos, struct session, node);

			if (s->dialled)
				assert_true(s->peer->is_wanted);
		}
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

/* Each seeks those 1, 2, 4 places behind it in the order of keys. */
static void test_neighbours_stand_one_two_and_four_places_on(void **state)
{
	struct key keys[5];
	size_t order[5];
	struct net n;

	(void)state;
	net_init(&n, 5);
	net_make_home(&n);
	net_run(&n, MS_PER_MINUTE);
	for (size_t i = 0; i < 5; i++) {
		size_t at = i;

		keys[i] = net_mesh(&n, i, "home")->self.box_public;
		for (; at > 0 && key_compare(&keys[order[at - 1]], &keys[i]) > 0; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	for (size_t i = 0; i < 5; i++)
		for (size_t step = 1; step < 5; step++) {
			const struct mesh *m = net_mesh(&n, order[i], "home");
			const struct peer *p = mesh_peer(m, &keys[order[(i + step) % 5]]);

			assert_non_null(p);
			assert_int_equal(p->is_wanted, step != 3);
			if (p->is_wanted)
				assert_non_null(p->session);
		}
	net_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_news_go_at_once_to_all_but_who_told_them),
		cmocka_unit_test(test_what_is_known_is_neither_told_nor_stored_again),
		cmocka_unit_test(test_replicas_that_differ_both_ways_become_one),
		cmocka_unit_test(test_pages_of_a_summary_leave_no_gap),
		cmocka_unit_test(test_who_was_away_hears_all_that_it_missed),
		cmocka_unit_test(test_halves_of_a_split_find_each_other),
		cmocka_unit_test(test_a_silent_session_is_asked_and_then_given_up),
		cmocka_unit_test(test_the_timeout_can_be_changed_while_it_runs),
		cmocka_unit_test(test_a_shorter_pull_interval_counts_at_once),
		cmocka_unit_test(test_a_session_that_nobody_needs_is_closed),
		cmocka_unit_test(test_neighbours_stand_one_two_and_four_places_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
