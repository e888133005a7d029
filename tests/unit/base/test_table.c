/*
 * The table against an array, under random operations.
 *
 * SEED=n in the environment repeats a run; the seed is printed at the start.
 */
#include "tests/unit/memtest.h"

#include "base/rng.h"
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define UNIVERSE 300 /* numbers: few enough to meet again */

static int values[UNIVERSE]; /* what number i leads to, if is_in[i] */

static uint64_t run_seed(void)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	print_message("SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

/* Numbers that were given out in turn, and some that differ in few upper bits only. */
static uint64_t number_of(size_t i)
{
	return i < UNIVERSE / 2 ? i + 1 : (uint64_t)i << 52;
}

static void check(const struct table *t, const bool *is_in)
{
	size_t count = 0;

	for (size_t i = 0; i < UNIVERSE; i++) {
		assert_ptr_equal(table_find(t, number_of(i)), is_in[i] ? &values[i] : NULL);
		count += is_in[i];
	}
	assert_int_equal(t->count, count);
	assert_true(2 * t->count <= t->cap);
}

static void test_random_operations_agree_with_an_array(void **state)
{
	uint8_t seed[RNG_SEED_BYTES] = { 0 };
	bool is_in[UNIVERSE] = { false };
	uint64_t n = run_seed();
	struct memtest mt;
	struct table t;
	struct rng r;

	(void)state;
	memtest_init(&mt);
	memcpy(seed, &n, sizeof(n));
	rng_init(&r, seed);
	table_init(&t);
	for (unsigned step = 0; step < 20000; step++) {
		size_t i = (size_t)rng_below(&r, UNIVERSE);
		bool is_growing = step / 4000 % 2 == 0; /* full and empty are both reached */

		if (is_in[i] && rng_below(&r, is_growing ? 8 : 1) == 0) {
			table_remove(&t, number_of(i));
			is_in[i] = false;
		} else if (!is_in[i] && rng_below(&r, is_growing ? 1 : 8) == 0) {
			assert_int_equal(table_add(&t, &mt.mem, number_of(i), &values[i]), 0);
			is_in[i] = true;
		}
		if (step % 16 == 0)
			check(&t, is_in);
	}
	check(&t, is_in);
	table_fini(&t, &mt.mem);
	memtest_assert_no_leak(&mt);
}

static void test_an_empty_table_has_nothing(void **state)
{
	struct table t = { .cap = 0 };
	struct memtest mt;

	(void)state;
	memtest_init(&mt);
	assert_null(table_find(&t, 0));
	table_remove(&t, 7);
	table_fini(&t, &mt.mem);
	memtest_assert_no_leak(&mt);
}

static void test_many_in_turn_grow_it_no_further(void **state)
{
	struct memtest mt;
	struct table t;
	size_t cap;

	(void)state;
	memtest_init(&mt);
	table_init(&t);
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(table_add(&t, &mt.mem, i, &values[0]), 0);
	cap = t.cap;
	for (uint64_t i = 101; i <= 100000; i++) {
		table_remove(&t, i - 100);
		assert_int_equal(table_add(&t, &mt.mem, i, &values[0]), 0);
	}
	assert_int_equal(t.cap, cap);
	assert_int_equal(t.count, 100);
	table_fini(&t, &mt.mem);
	memtest_assert_no_leak(&mt);
}

static void test_no_memory_changes_nothing(void **state)
{
	struct memtest mt;
	struct memtest none;
	struct table t;

	(void)state;
	memtest_init(&mt);
	memtest_failing(&none, 1);
	table_init(&t);
	assert_int_equal(table_add(&t, &none.mem, 1, &values[0]), -ENOMEM);
	assert_null(table_find(&t, 1));
	for (uint64_t i = 1; i <= 4; i++)
		assert_int_equal(table_add(&t, &mt.mem, i, &values[i]), 0);
	memtest_failing(&none, 1);
	assert_int_equal(table_add(&t, &none.mem, 5, &values[5]), -ENOMEM);
	assert_null(table_find(&t, 5));
	for (uint64_t i = 1; i <= 4; i++)
		assert_ptr_equal(table_find(&t, i), &values[i]);
	table_fini(&t, &mt.mem);
	memtest_assert_no_leak(&mt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations_agree_with_an_array),
		cmocka_unit_test(test_an_empty_table_has_nothing),
		cmocka_unit_test(test_many_in_turn_grow_it_no_further),
		cmocka_unit_test(test_no_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
