/*
 * A watcher whose own timers are late: what it may still say, and how much longer it waits.
 */
#include "tests/unit/smegd/core/home.h"

/* That nobody listens there its host has said; it is no silence that we slept through. */
static void test_who_is_refused_is_signed_against_by_those_who_were_late(void **state)
{
	struct key key;
	struct net n;

	(void)state;
	home_init(&n, 5);
	key = *home_key(&n, 4);
	n.mono_ms += 4000;
	net_crash(&n, 4);
	assert_in_range(home_until(&n, home_has_pruned, &key, 10000), 600, 650);
	assert_true(net_logged(&n, 0, "abstained"));
	net_fini(&n);
	/* Also if the look has begun, and then they are late. */
	home_init(&n, 5);
	key = *home_key(&n, 4);
	net_crash(&n, 4);
	net_run(&n, 100);
	n.mono_ms += WATCH_LATE_MS + 200;
	assert_in_range(home_until(&n, home_has_pruned, &key, 10000), 200, 1600);
	net_fini(&n);
}

/* It was refused once, and has been heard since. */
static void test_a_refusal_counts_until_the_member_is_heard(void **state)
{
	struct key key;
	struct net n;

	(void)state;
	home_init(&n, 5);
	key = *home_key(&n, 4);
	net_crash(&n, 4);
	net_run(&n, 100);
	assert_true(home_watched(&n, 0, &key)->is_refused);
	net_boot(&n, 4);
	net_run(&n, MS_PER_MINUTE);
	assert_true(home_has(&n, &key));
	assert_false(home_watched(&n, 0, &key)->is_refused);
	home_vanish(&n, 4);
	n.mono_ms += 4000;
	net_run(&n, WATCH_ABSTAIN_MS - 1);
	assert_true(home_has(&n, &key));
	net_fini(&n);
}

static void late(const struct net *n, int64_t late_ms)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->hosts[i].node)
			home_mesh(n, i)->watching->late_ms = late_ms;
}

static void test_our_own_lateness_is_known_and_forgotten(void **state)
{
	struct net n;

	(void)state;
	home_init(&n, 5);
	assert_int_equal(watch_late(home_mesh(&n, 0)), 0);
	n.mono_ms = watch_deadline(home_mesh(&n, 0)) + 400;
	net_run(&n, 1);
	assert_in_range(watch_late(home_mesh(&n, 0)), 400, 410);
	net_run(&n, 10 * MS_PER_SECOND);
	assert_in_range(watch_late(home_mesh(&n, 0)), 0, 10);
	n.mono_ms += MS_PER_MINUTE;
	net_run(&n, 1);
	assert_int_equal(watch_late(home_mesh(&n, 0)), WATCH_LATE_MS);
	net_fini(&n);
}

/* Who hears late misses nobody sooner for it, and gives more time to answer. */
static void test_times_follow_our_own_lateness(void **state)
{
	struct key key;
	int64_t took = 0;
	struct net n;

	(void)state;
	home_init(&n, 5);
	key = home_vanish(&n, 4);
	for (; took < 20000 && !home_has_pruned(&n, &key); took += 20) {
		late(&n, 200);
		net_run(&n, 20);
	}
	assert_in_range(took, 300 + 400 + 3 * 600, 2300 + 400 + 3 * 600 + 100);
	net_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_refused_is_signed_against_by_those_who_were_late),
		cmocka_unit_test(test_a_refusal_counts_until_the_member_is_heard),
		cmocka_unit_test(test_our_own_lateness_is_known_and_forgotten),
		cmocka_unit_test(test_times_follow_our_own_lateness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
