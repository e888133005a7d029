/*
 * What a hostile neighbour can make repair cost.
 */
#include "tests/unit/smegd/core/net.h"

#include <stdio.h>

/* What host 0 sends to host 1. */
struct answers {
	size_t of[MSG_BEAT_ACK + 1];
};

static bool count(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct answers *a = ctx;

	if (from == 0 && to == 1)
		a->of[msg->kind]++;
	return true;
}

static void begin(struct net *n, struct answers *a)
{
	net_init(n, 2);
	n->hosts[0].options.no_devices = n->hosts[1].options.no_devices = true;
	net_make_home(n);
	net_run(n, MS_PER_MINUTE);
	memset(a, 0, sizeof(*a));
	n->filter = count;
	n->ctx = a;
}

static struct session *session_at_0(const struct net *n)
{
	const struct key *other = &net_mesh(n, 1, "home")->self.box_public;

	return mesh_peer(net_mesh(n, 0, "home"), other)->session;
}

/* As if host 1 had sent it to host 0. */
static void say(struct net *n, const struct msg *msg)
{
	struct event ev = { .kind = EV_MESSAGE };

	ev.u.message.session = session_at_0(n)->id;
	ev.u.message.msg = msg;
	net_event(n, 0, &ev);
}

/* A thousand of one kind within a second get 64 answers; a second later they get some again. */
static void test_costly_requests_are_served_so_often_in_a_second(void **state)
{
	static const enum msg_kind asked[] = { MSG_FETCH, MSG_WANT };
	uint64_t item = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		struct msg msg = { .kind = asked[i] };
		struct answers a;
		struct net n;

		begin(&n, &a);
		if (asked[i] == MSG_WANT) {
			msg.u.items.salt = 5;
			msg.u.items.items = &item;
			msg.u.items.count = 1;
		}
		for (int k = 0; k < 1000; k++)
			say(&n, &msg);
		assert_int_equal(session_at_0(&n)->mending.served, 1000);
		if (asked[i] == MSG_FETCH)
			assert_int_equal(a.of[MSG_ENTRIES], 64);
		net_run(&n, MS_PER_SECOND + 100);
		memset(&a, 0, sizeof(a));
		say(&n, &msg);
		if (asked[i] == MSG_FETCH)
			assert_int_equal(a.of[MSG_ENTRIES], 1);
		net_fini(&n);
	}
}

/* Symbols are made of the sketch that we sent last, of no other, and not without end. */
static void test_symbols_are_made_of_our_own_sketch_only(void **state)
{
	struct msg msg = { .kind = MSG_CONTINUE };
	struct answers a;
	struct net n;

	(void)state;
	begin(&n, &a);
	msg.u.more.salt = 77;
	msg.u.more.from = 8;
	msg.u.more.count = 8;
	say(&n, &msg);
	assert_int_equal(a.of[MSG_SKETCH], 0);
	session_at_0(&n)->mending.salt = 77;
	say(&n, &msg);
	assert_int_equal(a.of[MSG_SKETCH], 1);
	msg.u.more.count = UINT32_MAX;
	say(&n, &msg);
	msg.u.more.count = 0;
	say(&n, &msg);
	msg.u.more.count = 8;
	msg.u.more.from = UINT32_MAX - 3;
	say(&n, &msg);
	assert_int_equal(a.of[MSG_SKETCH], 1);
	net_fini(&n);
}

/* Rubbish for symbols ends the decoding; what is kept for it is one decoder at most. */
static void test_rubbish_for_a_sketch_leaves_nothing_behind(void **state)
{
	uint8_t rubbish[600];
	struct msg msg = { .kind = MSG_SKETCH };
	struct answers a;
	struct net n;

	(void)state;
	begin(&n, &a);
	for (unsigned k = 0; k < 200; k++) {
		for (size_t i = 0; i < sizeof(rubbish); i++)
			rubbish[i] = (uint8_t)(i * k + (i >> 3));
		msg.u.sketch.salt = k + 1;
		msg.u.sketch.from = k % 3 ? 0 : 8;
		msg.u.sketch.symbols = (struct bytes){ rubbish, k % 7 ? sizeof(rubbish) : k };
		say(&n, &msg);
		net_run(&n, 50);
	}
	assert_null(session_at_0(&n)->mending.decoding);
	net_run(&n, MS_PER_MINUTE);
	assert_true(net_agrees(&n, "home"));
	net_fini(&n); /* asserts that nothing leaked */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_costly_requests_are_served_so_often_in_a_second),
		cmocka_unit_test(test_symbols_are_made_of_our_own_sketch_only),
		cmocka_unit_test(test_rubbish_for_a_sketch_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
