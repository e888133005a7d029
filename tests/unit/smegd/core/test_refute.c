/*
 * After a false prune: when its owner comes back, whom it avoids, and who has learnt from it.
 */
#include "tests/unit/smegd/core/home.h"

static bool is_back(const struct net *n, const struct key *key)
{
	for (size_t i = 0; i < n->count; i++)
		if (key_equal(home_key(n, i), key))
			return mesh_self_entry(home_mesh(n, i))->standing == STANDING_IN;
	return false;
}

static void test_a_false_prune_is_refuted_after_a_pause_that_doubles(void **state)
{
	static const int64_t pauses[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	struct watching *w;
	struct key key;
	struct net n;

	(void)state;
	home_init(&n, 5);
	key = *home_key(&n, 4);
	w = home_mesh(&n, 4)->watching;
	for (size_t i = 0; i <= ARRAY_LEN(pauses); i++) {
		int64_t wanted = i < ARRAY_LEN(pauses) ? pauses[i] : 1000;

		home_prune(&n, 4);
		assert_int_equal(home_until(&n, is_back, &key, 100000), wanted);
		w->avoided_count = 0; /* or nobody would be left */
		net_run(&n, i + 1 < ARRAY_LEN(pauses) ? 5000 : REFUTE_RESET_MS + 1000);
		assert_true(home_has(&n, &key));
		assert_int_equal(w->guards_count, 4);
	}
	net_fini(&n);
}

static void test_watchers_that_signed_falsely_are_avoided(void **state)
{
	struct key before[LIMIT_WATCHERS];
	struct key after[LIMIT_WATCHERS];
	struct net n;
	size_t seen = 0;

	(void)state;
	home_init(&n, 10);
	assert_int_equal(watch_own(home_mesh(&n, 4), before), 4);
	home_prune(&n, 4);
	for (size_t round = 0; round < 60; round++) {
		size_t count = watch_own(home_mesh(&n, 4), after);

		seen = 0;
		assert_int_equal(count, 4);
		for (size_t i = 0; i < 4; i++)
			for (size_t j = 0; j < 4; j++)
				seen += key_equal(&after[i], &before[j]);
		/* One of the four has not signed: three make a quorum. */
		assert_true(seen <= 1);
		net_run(&n, MS_PER_MINUTE - 1000);
	}
	net_fini(&n);
}

/* With nobody else there, one false signature is forgiven, the second is not. */
static void test_in_a_small_mesh_a_watcher_is_avoided_once_it_has_signed_twice(void **state)
{
	struct key none[LIMIT_WATCHERS];
	struct net n;

	(void)state;
	home_init(&n, 3);
	home_prune(&n, 2);
	net_run(&n, 20 * MS_PER_SECOND);
	assert_int_equal(watch_own(home_mesh(&n, 2), none), 2);
	home_prune(&n, 2);
	net_run(&n, 20 * MS_PER_SECOND);
	assert_int_equal(watch_own(home_mesh(&n, 2), none), 0);
	assert_true(home_has(&n, home_key(&n, 2)));
	net_run(&n, AVOID_MS);
	assert_int_equal(watch_own(home_mesh(&n, 2), none), 2);
	net_fini(&n);
}

/* A host that was cut off comes back: those that had signed wait longer for it, for an hour. */
static void test_watchers_that_were_wrong_have_more_patience(void **state)
{
	struct key key;
	struct net n;
	int64_t took;

	(void)state;
	home_init(&n, 3);
	key = *home_key(&n, 2);
	home_isolate(&n, 2, true);
	assert_in_range(home_until(&n, home_has_pruned, &key, 5000), 1000, 2500);
	home_isolate(&n, 2, false);
	assert_true(home_until(&n, home_has, &key, 60000) < 60000);
	net_run(&n, 20 * MS_PER_SECOND);
	assert_int_equal(home_watched(&n, 0, &key)->patience, 2);
	assert_int_equal(home_watched(&n, 1, &key)->patience, 2);
	home_vanish(&n, 2);
	took = home_until(&n, home_has_pruned, &key, 20000);
	/* Twice 2300 ms less up to a second, and tries of 400 ms. */
	assert_in_range(took, 3600, 5800);
	net_fini(&n);
}

/* Who was away when it was pruned blames nobody, and is back at once. */
static void test_a_restarted_host_comes_back_at_once_and_avoids_nobody(void **state)
{
	struct key key;
	struct net n;

	(void)state;
	home_init(&n, 5);
	key = *home_key(&n, 4);
	net_crash(&n, 4);
	net_run(&n, 5000);
	assert_true(home_has_pruned(&n, &key));
	net_boot(&n, 4);
	/* As soon as it has compared digests, and may write. */
	assert_true(home_until(&n, home_has, &key, 60000) < 3000);
	assert_int_equal(home_mesh(&n, 4)->watching->avoided_count, 0);
	net_run(&n, 20 * MS_PER_SECOND);
	assert_int_equal(home_mesh(&n, 4)->watching->guards_count, 4);
	net_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_false_prune_is_refuted_after_a_pause_that_doubles),
		cmocka_unit_test(test_watchers_that_signed_falsely_are_avoided),
		cmocka_unit_test(
			test_in_a_small_mesh_a_watcher_is_avoided_once_it_has_signed_twice),
		cmocka_unit_test(test_watchers_that_were_wrong_have_more_patience),
		cmocka_unit_test(test_a_restarted_host_comes_back_at_once_and_avoids_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
