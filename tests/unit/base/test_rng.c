/*
 * The generator: golden bytes from openssl's ChaCha20, erasure, and exact ranges.
 */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "base/rng.h"

#include <sodium.h>
#include <string.h>

/* Seed 0, 1, ... 31. */
static void rng_start(struct rng *r)
{
	uint8_t seed[RNG_SEED_BYTES];

	for (unsigned i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)i;
	rng_init(r, seed);
}

static void assert_hex(const uint8_t *bytes, size_t count, const char *hex)
{
	char text[129];

	assert_true(count <= 64);
	sodium_bin2hex(text, sizeof(text), bytes, count);
	assert_string_equal(text, hex);
}

/* Block 1 is `openssl enc -chacha20` of zeros; its first 32 bytes are the key of block 2. */
static void test_the_stream_is_chacha20_with_the_key_replaced(void **state)
{
	struct rng r;
	uint8_t out[496];

	(void)state;
	rng_start(&r);
	rng_bytes(&r, out, sizeof(out));
	assert_hex(out, 32, "2b23cce7a26023ab3f0eef693ac87f64258235eab1f7a32dc22762a0485b410c");
	assert_hex(out + 464, 16, "01def102acf0175b4fe41f026a6d9cf2");
	assert_hex(out + 480, 16, "2d41a59c90e41a8e7a4dccaa1c460699");
}

static void test_integers_are_big_endian(void **state)
{
	struct rng r;

	(void)state;
	rng_start(&r);
	assert_true(rng_u64(&r) == 0x2b23cce7a26023ab);
	assert_true(rng_u64(&r) == 0x3f0eef693ac87f64);
}

static void test_the_stream_does_not_depend_on_the_sizes_drawn(void **state)
{
	struct rng r;
	uint8_t whole[2000];
	uint8_t parts[2000];

	(void)state;
	rng_start(&r);
	rng_bytes(&r, whole, sizeof(whole));
	for (size_t step = 1; step < 1000; step = step * 3 + 1) {
		rng_start(&r);
		for (size_t at = 0; at < sizeof(parts); at += step) {
			size_t left = sizeof(parts) - at;

			rng_bytes(&r, parts + at, step < left ? step : left);
		}
		assert_memory_equal(whole, parts, sizeof(whole));
	}
}

static bool holds(const struct rng *r, const uint8_t *bytes, size_t count)
{
	const uint8_t *at = (const uint8_t *)r;

	for (size_t i = 0; i + count <= sizeof(*r); i++) {
		if (memcmp(at + i, bytes, count) == 0)
			return true;
	}
	return false;
}

/* What was given out, and the key that it came from, cannot be found in the state. */
static void test_the_past_is_erased(void **state)
{
	struct rng r;
	uint8_t out[100];
	uint8_t key[32];

	(void)state;
	rng_start(&r);
	memcpy(key, r.key, sizeof(key));
	rng_bytes(&r, out, sizeof(out));
	assert_false(holds(&r, key, 8));
	for (size_t i = 0; i + 8 <= sizeof(out); i += 4)
		assert_false(holds(&r, out + i, 8));
	rng_fini(&r);
	assert_true(sodium_is_zero((const uint8_t *)&r, sizeof(r)));
	rng_fini(NULL);
}

static const uint64_t bounds[] = {
	1, 2, 3, 7, 1000, UINT32_MAX, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1, UINT64_MAX,
};

static void test_draws_stay_below_their_bound(void **state)
{
	struct rng r;

	(void)state;
	rng_start(&r);
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		for (unsigned n = 0; n < 200; n++) {
			if (rng_below(&r, bounds[i]) >= bounds[i])
				fail_msg("bound %llu", (unsigned long long)bounds[i]);
		}
	}
}

/*
 * With 2^64 mod bound = 2^62, a plain remainder would draw the lowest third twice as often as it
 * should.  30 000 draws, each third 10 000 give or take 82: six sigma are 490.
 */
static void test_draws_are_uniform_where_a_remainder_is_not(void **state)
{
	const uint64_t third = UINT64_C(1) << 62;
	unsigned counts[3] = { 0 };
	struct rng r;

	(void)state;
	rng_start(&r);
	for (unsigned n = 0; n < 30000; n++)
		counts[rng_below(&r, 3 * third) / third]++;
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(counts[i], 9500, 10500);
}

static const struct {
	int64_t value;
	unsigned percent;
	int64_t low;
	int64_t high;
} jitters[] = {
	{ 0, 50, 0, 0 },   { 1, 50, 1, 1 },  { 2, 50, 1, 3 },      { 10, 20, 8, 12 },
	{ 10, 0, 10, 10 }, { 3, 100, 0, 6 }, { 250, 3, 243, 257 },
};

static void test_jitter_reaches_both_ends_and_no_further(void **state)
{
	struct rng r;

	(void)state;
	rng_start(&r);
	for (size_t i = 0; i < ARRAY_LEN(jitters); i++) {
		int64_t low = INT64_MAX;
		int64_t high = 0;

		for (unsigned n = 0; n < 1000; n++) {
			int64_t v = rng_jitter(&r, jitters[i].value, jitters[i].percent);

			low = MIN_OF(low, v);
			high = MAX_OF(high, v);
		}
		assert_true(low == jitters[i].low);
		assert_true(high == jitters[i].high);
	}
}

static void test_jitter_of_a_huge_value_does_not_overflow(void **state)
{
	int64_t low = TIME_NEVER;
	struct rng r;

	(void)state;
	rng_start(&r);
	for (unsigned n = 0; n < 200; n++) {
		int64_t v = rng_jitter(&r, TIME_NEVER, 100);

		assert_true(v >= 0);
		low = MIN_OF(low, v);
		assert_true(rng_jitter(&r, TIME_NEVER, 10) > TIME_NEVER / 10 * 8);
		assert_true(rng_jitter(&r, TIME_NEVER, 0) == TIME_NEVER);
	}
	assert_true(low < TIME_NEVER / 10);
}

static void test_a_fork_is_a_stream_of_its_own(void **state)
{
	struct rng parent;
	struct rng child;
	struct rng other;
	uint8_t seed[RNG_SEED_BYTES];

	(void)state;
	rng_start(&parent);
	rng_bytes(&parent, seed, sizeof(seed));
	rng_init(&other, seed);
	rng_start(&parent);
	rng_fork(&parent, &child);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t v = rng_u64(&child);

		assert_true(v == rng_u64(&other));
		assert_true(v != rng_u64(&parent));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_stream_is_chacha20_with_the_key_replaced),
		cmocka_unit_test(test_integers_are_big_endian),
		cmocka_unit_test(test_the_stream_does_not_depend_on_the_sizes_drawn),
		cmocka_unit_test(test_the_past_is_erased),
		cmocka_unit_test(test_draws_stay_below_their_bound),
		cmocka_unit_test(test_draws_are_uniform_where_a_remainder_is_not),
		cmocka_unit_test(test_jitter_reaches_both_ends_and_no_further),
		cmocka_unit_test(test_jitter_of_a_huge_value_does_not_overflow),
		cmocka_unit_test(test_a_fork_is_a_stream_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
