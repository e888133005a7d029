/*
 * Where a key stands in an index, against counting: keys spread as keys are, keys that lie close to
 * each other (who makes his own can have that), and few that are far from where they would be.
 */
#include "base/mem.h"
#include "base/rng.h"
#include "crdt/set_priv.h"
#include "tests/unit/memtest.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENTRIES 700
#define LOOKS 2000
#define GROUP_MAX 300

static void rng_of(struct rng *r)
{
	const char *text = getenv("SEED");
	uint64_t number = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
	uint8_t seed[RNG_SEED_BYTES] = { 0 };

	print_message("SEED=%llu\n", (unsigned long long)number);
	memcpy(seed, &number, sizeof(number));
	rng_init(r, seed);
}

/* The first `same` bytes are those of all, but for one in `stray`. */
static void make_key(struct rng *r, size_t same, uint64_t stray, struct key *ret)
{
	rng_bytes(r, ret->b, sizeof(ret->b));
	if (!stray || rng_below(r, stray))
		memset(ret->b, 0x5a, same);
}

static size_t rank_by_counting(const struct index *x, const struct key *k)
{
	size_t rank = 0;

	for (size_t i = 0; i < x->count; i++)
		rank += key_compare(&x->list[i]->member, k) < 0;
	return rank;
}

static void look_up(struct rng *r, size_t same, uint64_t stray)
{
	struct entry *entries = calloc(ENTRIES, sizeof(*entries));
	struct index x = { .is_by_subject = false };
	struct memtest mt;

	memtest_init(&mt);
	for (size_t i = 0; i < ENTRIES; i++) {
		make_key(r, same, stray, &entries[i].member);
		assert_int_equal(index_insert(&mt.mem, &x, &entries[i]), 0);
	}
	for (size_t i = 1; i < x.count; i++)
		assert_true(key_compare(&x.list[i - 1]->member, &x.list[i]->member) < 0);
	for (size_t i = 0; i < LOOKS; i++) {
		struct key k;

		make_key(r, same, stray, &k);
		if (i % 2)
			k = entries[i % ENTRIES].member;
		assert_int_equal(index_rank(&x, &k), rank_by_counting(&x, &k));
		assert_ptr_equal(index_find(&x, &k), i % 2 ? &entries[i % ENTRIES] : NULL);
	}
	mem_free(&mt.mem, x.list);
	memtest_assert_no_leak(&mt);
	free(entries);
}

static void test_a_key_is_found_wherever_it_stands(void **state)
{
	struct rng r;

	(void)state;
	rng_of(&r);
	look_up(&r, 0, 0);
	look_up(&r, 8, 0);
	look_up(&r, 24, 2);
	look_up(&r, 12, 10);
	rng_fini(&r);
}

/* A bit for each place, under insertions and removals anywhere. */
static void test_who_is_in_keeps_its_place(void **state)
{
	bool in[GROUP_MAX + 1] = { false };
	struct group g = { .words = NULL };
	struct memtest mt;
	struct rng r;
	size_t count = 0;

	(void)state;
	rng_of(&r);
	memtest_init(&mt);
	for (size_t round = 0; round < LOOKS * 5; round++) {
		bool grows = !count || (count < GROUP_MAX && rng_below(&r, 100) < 52);
		size_t at = (size_t)rng_below(&r, count + grows);
		size_t total = 0;
		size_t next = 0;

		if (grows) {
			memmove(in + at + 1, in + at, (count - at) * sizeof(*in));
			count++;
			assert_int_equal(group_insert(&mt.mem, &g, at, count), 0);
			in[at] = rng_below(&r, 3) == 0;
			group_set(&g, at, in[at]);
		} else {
			count--;
			memmove(in + at, in + at + 1, (count - at) * sizeof(*in));
			group_remove(&g, at);
		}
		for (size_t i = 0; i < count; i++) {
			total += in[i];
			if (!in[i])
				continue;
			assert_int_equal(group_next(&g, next), i);
			next = i + 1;
		}
		assert_true(group_next(&g, next) == SIZE_MAX);
		assert_int_equal(g.count, total);
	}
	mem_free(&mt.mem, g.words);
	memtest_assert_no_leak(&mt);
	rng_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_is_found_wherever_it_stands),
		cmocka_unit_test(test_who_is_in_keeps_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
