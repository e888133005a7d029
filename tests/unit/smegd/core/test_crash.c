/*
 * Crashes and failures at every point: after each effect of one host, and at each request for
 * memory.  What was not committed is lost; the host starts again with what its disk holds.
 */
#include "tests/unit/smegd/core/net.h"

#include <errno.h>
#include <stdio.h>

#define POINTS_MAX 400

/* The invite of the created mesh, or another: its reply may have been lost. */
static char *create_after_all(struct net *n)
{
	struct command c = net_create_command("home");
	struct command invite = net_invite_command("home", 1);

	if (!net_mesh(n, 0, "home"))
		assert_int_equal(net_do(n, 0, &c)->err, 0);
	return strdup(net_do(n, 0, &invite)->token);
}

static void restart(struct net *n, size_t host)
{
	if (n->hosts[host].node)
		return;
	net_boot(n, host);
	assert_int_equal(n->hosts[host].step_err, 0);
	net_run(n, 20 * MS_PER_SECOND);
}

static void test_a_create_that_a_crash_cut_short_can_be_repeated(void **state)
{
	size_t points = 0;
	bool crashed = true;

	(void)state;
	for (; crashed; points++) {
		struct command c = net_create_command("home");
		struct net n;
		char *token;

		assert_true(points < POINTS_MAX);
		net_init(&n, 2);
		net_boot_all(&n);
		n.hosts[0].crash_in = points;
		net_do(&n, 0, &c);
		net_run(&n, MS_PER_SECOND);
		crashed = n.hosts[0].has_crashed;
		n.hosts[0].crash_in = SIZE_MAX;
		restart(&n, 0);
		token = create_after_all(&n);
		net_join(&n, 1, token);
		assert_int_equal(net_members(&n, 0, "home"), 2);
		assert_true(net_agrees(&n, "home"));
		free(token);
		net_fini(&n);
	}
	assert_true(points > 12);
}

/* The token has one use: a second one would be refused. */
static size_t crash_in_join(size_t who)
{
	size_t points = 0;
	bool crashed = true;

	for (; crashed; points++) {
		struct net n;
		struct command c;
		char *token;
		struct key key;

		assert_true(points < POINTS_MAX);
		net_init(&n, 2);
		net_boot_all(&n);
		token = strdup(net_create(&n, 0, "home"));
		net_run(&n, MS_PER_SECOND);
		c = net_join_command(token);
		n.hosts[who].crash_in = points;
		net_do(&n, 1, &c);
		net_run(&n, MS_PER_SECOND);
		crashed = n.hosts[who].has_crashed;
		n.hosts[who].crash_in = SIZE_MAX;
		restart(&n, who);
		key = n.hosts[1].node->prepared.box_public;
		if (!net_mesh(&n, 1, "home")) {
			net_join(&n, 1, token);
			if (!key_is_zero(&key))
				assert_true(
					key_equal(&key, &net_mesh(&n, 1, "home")->self.box_public));
		}
		net_run(&n, 10 * MS_PER_SECOND);
		assert_int_equal(net_members(&n, 0, "home"), 2);
		assert_int_equal(net_members(&n, 1, "home"), 2);
		assert_true(net_agrees(&n, "home"));
		assert_false(n.hosts[1].node->has_prepared);
		free(token);
		net_fini(&n);
	}
	return points;
}

static void test_a_joiner_that_crashed_joins_with_the_same_key_and_token(void **state)
{
	(void)state;
	assert_true(crash_in_join(1) > 30);
}

static void test_an_issuer_that_crashed_has_spent_no_use_in_vain(void **state)
{
	(void)state;
	assert_true(crash_in_join(0) > 15);
}

static void test_a_leave_that_a_crash_cut_short_leaves_no_half_member(void **state)
{
	size_t points = 0;
	bool crashed = true;

	(void)state;
	for (; crashed; points++) {
		struct command c = { .kind = CMD_LEAVE, .mesh = "home" };
		struct net n;

		assert_true(points < POINTS_MAX);
		net_init(&n, 2);
		net_make_home(&n);
		n.hosts[1].crash_in = points;
		net_do(&n, 1, &c);
		net_run(&n, MS_PER_SECOND);
		crashed = n.hosts[1].has_crashed;
		n.hosts[1].crash_in = SIZE_MAX;
		restart(&n, 1);
		net_run(&n, MS_PER_MINUTE);
		/* Either it is a member still, for both, or for neither. */
		assert_int_equal(net_members(&n, 0, "home"), net_mesh(&n, 1, "home") ? 2 : 1);
		if (!net_mesh(&n, 1, "home"))
			net_join(&n, 1, net_invite(&n, 0, "home", 1));
		net_run(&n, 10 * MS_PER_SECOND);
		assert_true(net_agrees(&n, "home"));
		net_fini(&n);
	}
	assert_true(points > 5);
}

/* --- memory --------------------------------------------------------------------------------------
 */

/* Create, join, set, leave; `who` may fail at any time.  Returns whether it did. */
static bool history(struct net *n, size_t who)
{
	struct command create = net_create_command("home");
	struct command set = { .kind = CMD_SET, .mesh = "home", .settings.has_alias = true };
	struct command leave = { .kind = CMD_LEAVE, .mesh = "home" };
	const struct command_result *r;

	net_boot_all(n);
	r = net_do(n, 0, &create);
	if (n->hosts[who].step_err || !r)
		return true;
	create = net_join_command(r->token);
	if (!n->hosts[1].node || !net_do(n, 1, &create))
		return true;
	snprintf(set.settings.alias, sizeof(set.settings.alias), "gate");
	net_do(n, who, &set);
	net_run(n, 3 * MS_PER_SECOND);
	if (!n->hosts[who].step_err)
		net_do(n, 1, &leave);
	net_run(n, MS_PER_SECOND);
	return n->hosts[who].step_err != 0;
}

static void fail_memory(size_t who)
{
	bool failed = true;
	size_t swallowed = 0;

	for (size_t n = 1; failed; n++) {
		struct net net;

		assert_true(n < 20000);
		net_init(&net, 2);
		net.hosts[who].mt.fail_at = n;
		failed = history(&net, who);
		if (failed && net.hosts[who].step_err != -ENOMEM)
			fail_msg("request %zu: %d", n, net.hosts[who].step_err);
		if (!failed && net.hosts[who].mt.calls >= n) {
			/* At the door there is no error to return: whoever knocks is refused. */
			assert_int_equal(++swallowed, 1);
			failed = true;
		}
		net_fini(&net);
	}
}

static void test_a_creator_without_memory_ends_and_leaks_nothing(void **state)
{
	(void)state;
	fail_memory(0);
}

static void test_a_joiner_without_memory_ends_and_leaks_nothing(void **state)
{
	(void)state;
	fail_memory(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_create_that_a_crash_cut_short_can_be_repeated),
		cmocka_unit_test(test_a_joiner_that_crashed_joins_with_the_same_key_and_token),
		cmocka_unit_test(test_an_issuer_that_crashed_has_spent_no_use_in_vain),
		cmocka_unit_test(test_a_leave_that_a_crash_cut_short_leaves_no_half_member),
		cmocka_unit_test(test_a_creator_without_memory_ends_and_leaks_nothing),
		cmocka_unit_test(test_a_joiner_without_memory_ends_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
