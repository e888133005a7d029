/*
 * Growing arrays and the arena, on an allocator that poisons, moves, counts and fails.
 */
#include "tests/unit/memtest.h"

#include "base/mem.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

static void test_an_array_doubles_when_it_is_full(void **state)
{
	struct memtest mt;
	void *array = NULL;
	size_t cap = 0;
	size_t calls = 0;

	(void)state;
	memtest_init(&mt);
	for (uint32_t i = 0; i < 1000; i++) {
		size_t before = cap;

		assert_int_equal(mem_grow(&mt.mem, &array, i, &cap, sizeof(i)), 0);
		assert_true(cap > i);
		if (cap != before) {
			calls++;
			assert_true(before == 0 || (cap == 2 * before && before == i));
		}
		memcpy((uint8_t *)array + i * sizeof(i), &i, sizeof(i));
	}
	assert_int_equal(mt.calls, calls);
	for (uint32_t i = 0; i < 1000; i++)
		assert_memory_equal((uint8_t *)array + i * sizeof(i), &i, sizeof(i));
	mem_free(&mt.mem, array);
	memtest_assert_no_leak(&mt);
}

static void test_an_array_that_cannot_grow_is_left_as_it_was(void **state)
{
	for (size_t n = 1; n <= 3; n++) {
		struct memtest mt;
		void *array = NULL;
		void *before;
		size_t cap = 0;
		size_t count = 0;
		int err;

		memtest_failing(&mt, n);
		do {
			before = array;
			count = cap;
			err = mem_grow(&mt.mem, &array, count, &cap, 8);
		} while (err == 0);
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(mt.calls, n);
		assert_ptr_equal(array, before);
		assert_int_equal(cap, count);
		mem_free(&mt.mem, array);
		memtest_assert_no_leak(&mt);
	}
	(void)state;
}

static const struct {
	size_t cap;
	size_t each;
} too_large[] = {
	{ SIZE_MAX / 2 + 1, 1 }, { SIZE_MAX / 16 + 1, 8 }, { SIZE_MAX, 1 },
	{ 0, SIZE_MAX / 2 },     { 8, SIZE_MAX / 8 },
};

static void test_sizes_that_overflow_are_out_of_memory(void **state)
{
	struct memtest mt;
	struct arena a;

	(void)state;
	memtest_init(&mt);
	for (size_t i = 0; i < ARRAY_LEN(too_large); i++) {
		uint8_t dummy;
		void *array = &dummy;
		size_t cap = too_large[i].cap;

		assert_int_equal(mem_grow(&mt.mem, &array, cap, &cap, too_large[i].each), -ENOMEM);
		assert_ptr_equal(array, &dummy);
		assert_true(cap == too_large[i].cap);
	}
	assert_int_equal(mt.calls, 0);
	arena_init(&a, &mt.mem);
	for (size_t less = 0; less < 64; less++)
		assert_null(arena_alloc(&a, SIZE_MAX - less));
	arena_fini(&a);
	memtest_assert_no_leak(&mt);
}

static void test_helpers_zero_copy_and_resize(void **state)
{
	struct memtest mt;
	uint8_t *zeroed;
	uint8_t *copy;

	(void)state;
	memtest_init(&mt);
	zeroed = mem_zalloc(&mt.mem, 100);
	assert_non_null(zeroed);
	assert_true(sodium_is_zero(zeroed, 100));
	copy = mem_dup(&mt.mem, "hello", 6);
	assert_non_null(copy);
	assert_string_equal((char *)copy, "hello");
	copy = mem_resize(&mt.mem, copy, 1000);
	assert_non_null(copy);
	assert_string_equal((char *)copy, "hello");
	mem_free(&mt.mem, zeroed);
	assert_int_equal(mt.live, 1);
	mem_free(&mt.mem, copy);
	mem_free(&mt.mem, NULL);
	memtest_assert_no_leak(&mt);
}

static void test_helpers_pass_a_failure_on(void **state)
{
	struct memtest mt;
	void *kept;

	(void)state;
	memtest_failing(&mt, 1);
	assert_null(mem_alloc(&mt.mem, 1));
	memtest_failing(&mt, 1);
	assert_null(mem_zalloc(&mt.mem, 1));
	memtest_failing(&mt, 1);
	assert_null(mem_dup(&mt.mem, "x", 1));
	memtest_failing(&mt, 2);
	kept = mem_dup(&mt.mem, "abc", 4);
	assert_non_null(kept);
	assert_null(mem_resize(&mt.mem, kept, 100));
	assert_string_equal((char *)kept, "abc");
	mem_free(&mt.mem, kept);
	memtest_assert_no_leak(&mt);
}

static void test_arena_memory_is_zeroed_aligned_and_apart(void **state)
{
	struct memtest mt;
	struct arena a;
	uint8_t *at[300];

	(void)state;
	memtest_init(&mt);
	arena_init(&a, &mt.mem);
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_LEN(at); i++) {
			at[i] = arena_alloc(&a, i);
			assert_non_null(at[i]);
			assert_int_equal((uintptr_t)at[i] % alignof(max_align_t), 0);
			assert_true(sodium_is_zero(at[i], i));
			memset(at[i], (int)(i & 0xff), i);
		}
		for (size_t i = 0; i < ARRAY_LEN(at); i++) {
			for (size_t j = 0; j < i; j++)
				assert_int_equal(at[i][j], i & 0xff);
		}
		arena_reset(&a);
	}
	arena_fini(&a);
	memtest_assert_no_leak(&mt);
}

static void test_arena_gives_no_pointer_twice_even_for_nothing(void **state)
{
	struct memtest mt;
	struct arena a;
	void *one;
	void *two;

	(void)state;
	memtest_init(&mt);
	arena_init(&a, &mt.mem);
	one = arena_alloc(&a, 0);
	two = arena_dup(&a, NULL, 0);
	assert_non_null(one);
	assert_non_null(two);
	assert_ptr_not_equal(one, two);
	assert_string_equal(arena_dup(&a, "text", 5), "text");
	arena_fini(&a);
	memtest_assert_no_leak(&mt);
}

static const size_t sizes[] = { 10, 5000, 100, 3000, 9000, 1, 4096 };

/* After one run of a step, the same requests in any order of rotation need nothing new for long. */
static void test_a_reset_arena_reuses_its_chunks(void **state)
{
	struct memtest mt;
	struct arena a;
	size_t first;

	(void)state;
	memtest_init(&mt);
	arena_init(&a, &mt.mem);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		assert_non_null(arena_alloc(&a, sizes[i]));
	first = mt.calls;
	arena_reset(&a);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		assert_non_null(arena_alloc(&a, sizes[i]));
	assert_int_equal(mt.calls, first);
	for (size_t round = 0; round < 1000; round++) {
		arena_reset(&a);
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
			assert_non_null(arena_alloc(&a, sizes[(i * 3 + round) % ARRAY_LEN(sizes)]));
	}
	assert_true(mt.calls <= first + ARRAY_LEN(sizes));
	assert_int_equal(mt.live, mt.calls);
	arena_fini(&a);
	memtest_assert_no_leak(&mt);
}

static void test_a_reset_arena_gives_back_what_a_large_step_took(void **state)
{
	struct memtest mt;
	struct arena a;
	size_t calls;
	size_t live;

	(void)state;
	memtest_init(&mt);
	arena_init(&a, &mt.mem);
	for (unsigned i = 0; i < 1000; i++)
		assert_non_null(arena_alloc(&a, 3000));
	assert_non_null(arena_alloc(&a, 300000));
	live = mt.live;
	arena_reset(&a);
	assert_true(mt.live < live);
	/* What is left is some small ones, of use as before. */
	assert_in_range(mt.live, 1, 8);
	calls = mt.calls;
	live = mt.live;
	for (unsigned i = 0; i < 10; i++)
		assert_non_null(arena_alloc(&a, 3000));
	assert_int_equal(mt.calls, calls);
	arena_reset(&a);
	assert_int_equal(mt.live, live);
	/* Nothing but a large one. */
	arena_fini(&a);
	arena_init(&a, &mt.mem);
	assert_non_null(arena_alloc(&a, ARENA_KEEP_BYTES + 1));
	arena_reset(&a);
	assert_int_equal(mt.live, 0);
	assert_non_null(arena_alloc(&a, 1));
	arena_fini(&a);
	memtest_assert_no_leak(&mt);
}

static void test_every_failing_allocation_of_an_arena_is_told_and_leaks_nothing(void **state)
{
	(void)state;
	for (size_t n = 1;; n++) {
		struct memtest mt;
		struct arena a;
		bool failed = false;

		memtest_failing(&mt, n);
		arena_init(&a, &mt.mem);
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			if (!arena_dup(&a, sizes, MIN_OF(sizes[i], sizeof(sizes))) ||
			    !arena_alloc(&a, sizes[i]))
				failed = true;
		}
		assert_int_equal(failed, mt.calls >= n);
		/* It still works afterwards. */
		if (failed)
			assert_non_null(arena_alloc(&a, 300000));
		arena_fini(&a);
		memtest_assert_no_leak(&mt);
		if (!failed)
			break;
	}
}

static void test_arena_fini_takes_what_is_not_there(void **state)
{
	struct memtest mt;
	struct arena a;

	(void)state;
	memtest_init(&mt);
	arena_fini(NULL);
	memset(&a, 0, sizeof(a));
	arena_fini(&a);
	arena_init(&a, &mt.mem);
	arena_reset(&a);
	arena_fini(&a);
	arena_fini(&a);
	assert_int_equal(mt.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_array_doubles_when_it_is_full),
		cmocka_unit_test(test_an_array_that_cannot_grow_is_left_as_it_was),
		cmocka_unit_test(test_sizes_that_overflow_are_out_of_memory),
		cmocka_unit_test(test_helpers_zero_copy_and_resize),
		cmocka_unit_test(test_helpers_pass_a_failure_on),
		cmocka_unit_test(test_arena_memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(test_arena_gives_no_pointer_twice_even_for_nothing),
		cmocka_unit_test(test_a_reset_arena_reuses_its_chunks),
		cmocka_unit_test(test_a_reset_arena_gives_back_what_a_large_step_took),
		cmocka_unit_test(
			test_every_failing_allocation_of_an_arena_is_told_and_leaks_nothing),
		cmocka_unit_test(test_arena_fini_takes_what_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
