/*
 * Sketches: every small difference; the symbols and bytes that large ones take; the same symbols
 * everywhere.  What should not be is in test_sketch_hostile.c.
 */
#include "tests/unit/crdt/sketch_world.h"

#include "base/err.h"
#include "tests/unit/crdt/golden.h"

#include <errno.h>
#include <stdio.h>

#define SEEDS 200

static enum sketch_state give_singly(struct sketch_world *w, struct sketch_decoder *d)
{
	enum sketch_state state;

	do
		state = give_next(w, d, 1);
	while (state == SKETCH_MORE);
	return state;
}

/* The sets with these bits, from a few items. */
static void world_choose(struct sketch_world *w,
                         const uint64_t *items,
                         unsigned theirs,
                         unsigned ours)
{
	w->theirs.count = w->ours.count = 0;
	for (unsigned i = 0; i < 6; i++) {
		if (theirs >> i & 1)
			w->theirs_items[w->theirs.count++] = items[i];
		if (ours >> i & 1)
			w->ours_items[w->ours.count++] = items[i];
	}
}

static void test_every_small_difference_is_found(void **state)
{
	static struct sketch_world w;
	uint64_t items[6];
	size_t cases = 0;

	(void)state;
	world_init(&w, 1);
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		items[i] = rng_u64(&w.rng) >> (64 - SKETCH_ITEM_BITS);
	for (unsigned pair = 0; pair < 64 * 64; pair++) {
		unsigned apart = (unsigned)__builtin_popcount(pair / 64 ^ pair % 64);
		struct sketch_decoder *d;
		struct sketch_difference diff;

		if (apart > 3)
			continue;
		world_choose(&w, items, pair / 64, pair % 64);
		world_make(&w, 256);
		d = world_decoder(&w, 256);
		assert_int_equal(give_singly(&w, d), SKETCH_DONE);
		diff = sketch_difference(d);
		assert_int_equal(diff.theirs_count + diff.ours_count, apart);
		assert_true(is_true(&w, d));
		if (apart < 2)
			assert_int_equal(sketch_received(d), 1);
		sketch_decoder_free(d);
		cases++;
	}
	assert_int_equal(cases, 64 * (1 + 6 + 15 + 20));
	memtest_assert_no_leak(&w.mt);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Symbols that a difference of `apart` takes; prints them and returns the mean. */
static double measure(struct sketch_world *w, size_t apart)
{
	static uint32_t used[SEEDS];
	uint64_t seed = first_seed();
	double sum = 0;

	for (size_t i = 0; i < SEEDS; i++) {
		struct sketch_decoder *d;

		world_init(w, seed + i);
		world_fill(w, COMMON, apart);
		world_make(w, (uint32_t)(64 + 3 * apart));
		d = world_decoder(w, w->all.count);
		if (give_singly(w, d) != SKETCH_DONE)
			fail_msg("seed %ju: %zu items not found", (uintmax_t)(seed + i), apart);
		assert_int_equal(
			sketch_difference(d).theirs_count + sketch_difference(d).ours_count, apart);
		if (i < 4)
			assert_true(is_true(w, d));
		used[i] = sketch_received(d);
		sum += used[i];
		sketch_decoder_free(d);
		memtest_assert_no_leak(&w->mt);
	}
	qsort(used, SEEDS, sizeof(*used), by_value);
	print_message("%zu of %d differ, seeds %ju..%ju: %.2f symbols, p99 %u, most %u\n", apart,
	              COMMON, (uintmax_t)seed, (uintmax_t)(seed + SEEDS - 1), sum / SEEDS,
	              used[SEEDS * 99 / 100 - 1], used[SEEDS - 1]);
	return sum / SEEDS;
}

/* Bytes of the parts of `each` symbols that a difference of `apart` takes, on average. */
static double measure_bytes(struct sketch_world *w, size_t apart, uint32_t each)
{
	static uint8_t raw[SKETCH_BYTES_MAX(64)];
	uint64_t seed = first_seed();
	double sum = 0;

	for (size_t i = 0; i < SEEDS; i++) {
		struct sketch_part part = { .count = each, .symbols = w->symbols };
		enum sketch_state state = SKETCH_MORE;
		struct sketch_decoder *d;
		struct writer out;

		world_init(w, seed + i);
		world_fill(w, COMMON, apart);
		d = world_decoder(w, SYMBOLS_MAX);
		for (; state == SKETCH_MORE; part.from += each) {
			sketch_make(&w->key, &w->theirs, &part);
			writer_init(&out, raw, sizeof(raw));
			sketch_write(&part, &out);
			sum += (double)writer_bytes(&out).count;
			assert_int_equal(sketch_read(writer_bytes(&out), w->symbols, each, &part),
			                 0);
			state = give(d, &part);
		}
		assert_int_equal(state, SKETCH_DONE);
		sketch_decoder_free(d);
	}
	print_message("%zu of %d differ, parts of %u: %.0f bytes\n", apart, COMMON, each,
	              sum / SEEDS);
	return sum / SEEDS;
}

static void test_bytes_go_by_the_difference(void **state)
{
	static struct sketch_world w;

	(void)state;
	assert_true(measure_bytes(&w, 1, 1) <= 15);
	assert_true(measure_bytes(&w, 1, 8) <= 8 * 11);
	assert_true(measure_bytes(&w, 1, 16) <= 16 * 11);
	assert_true(measure_bytes(&w, 16, 8) <= 30 * 11 + 8 * 7);
	assert_true(measure_bytes(&w, 16, 16) <= 30 * 11 + 16 * 7);
}

static void test_symbols_go_by_the_difference(void **state)
{
	static const size_t aparts[] = { 16, 64, 256, 1000 };
	static struct sketch_world w;

	(void)state;
	assert_true(measure(&w, 0) == 1);
	assert_true(measure(&w, 1) == 1);
	assert_true(measure(&w, 4) <= 4 * 2.5);
	for (size_t i = 0; i < ARRAY_LEN(aparts); i++)
		assert_true(measure(&w, aparts[i]) <= 1.8 * (double)aparts[i]);
}

/* A symbol holds a share of 1 / (1 + index/2) of the items, within seven deviations. */
static void test_items_are_spread_as_meant(void **state)
{
	static struct sketch_world w;

	(void)state;
	world_init(&w, first_seed());
	world_fill(&w, ITEMS_MAX, 0);
	world_make(&w, SYMBOLS_MAX);
	assert_int_equal(w.symbols[0].count, ITEMS_MAX);
	for (uint32_t i = 1; i < SYMBOLS_MAX; i++) {
		double want = 2.0 * ITEMS_MAX / (i + 2);
		double off = w.symbols[i].count - want;

		if (off * off > 49 * (want * (1 - want / ITEMS_MAX) + 1))
			fail_msg("symbol %u holds %d items, not %.1f", i, w.symbols[i].count, want);
	}
}

static void test_any_part_is_the_same_part(void **state)
{
	static const uint32_t cuts[] = { 0, 1, 16, 17, 48, 2000, 2001, SYMBOLS_MAX };
	static struct sketch_world w;
	static struct sketch_symbol again[SYMBOLS_MAX];

	(void)state;
	world_init(&w, 3);
	world_fill(&w, 500, 0);
	world_make(&w, SYMBOLS_MAX);
	for (size_t i = 0; i + 1 < ARRAY_LEN(cuts); i++) {
		struct sketch_part part = { .from = cuts[i],
			                    .count = cuts[i + 1] - cuts[i],
			                    .symbols = again };

		sketch_make(&w.key, &w.theirs, &part);
		assert_int_equal(part.total, 500);
		assert_memory_equal(again, w.symbols + cuts[i], part.count * sizeof(*again));
	}
}

static void test_keys_tell_sessions_apart(void **state)
{
	static struct sketch_world w;
	struct sketch_symbol first[8];
	struct sketch_decoder *d;
	uint8_t digest[SKETCH_DIGEST_BYTES] = { 1 };
	uint64_t item;

	(void)state;
	world_init(&w, 4);
	world_fill(&w, 100, 2);
	world_make(&w, 64);
	memcpy(first, w.symbols + 1, sizeof(first));
	item = sketch_item(&w.key, digest);
	/* The key of another session: its symbols mean nothing here, and decode there. */
	w.key.b[15] ^= 1;
	assert_true(item != sketch_item(&w.key, digest));
	d = world_decoder(&w, 64);
	assert_int_equal(give_next(&w, d, 64), SKETCH_FAILED);
	sketch_decoder_free(d);
	world_make(&w, 64);
	assert_memory_not_equal(first, w.symbols + 1, sizeof(first));
	d = world_decoder(&w, 64);
	assert_int_equal(give_next(&w, d, 64), SKETCH_DONE);
	assert_true(is_true(&w, d));
	sketch_decoder_free(d);
	memtest_assert_no_leak(&w.mt);
}

static void test_no_memory(void **state)
{
	static struct sketch_world w;
	size_t n;

	(void)state;
	world_init(&w, 7);
	world_fill(&w, 100, 32);
	world_make(&w, 128);
	for (n = 1;; n++) {
		struct sketch_decoder *d = NULL;
		enum sketch_state decoded = SKETCH_MORE;
		struct sketch_part part = w.all;
		int err;

		memtest_failing(&w.mt, n);
		err = sketch_decoder_new(&w.mt.mem, &w.key, &w.ours, 128, &d);
		for (part.count = 8; err == 0 && decoded == SKETCH_MORE; part.from += 8) {
			part.symbols = w.symbols + part.from;
			err = sketch_decode(d, &part, &decoded);
		}
		sketch_decoder_free(d);
		memtest_assert_no_leak(&w.mt);
		if (err == 0) {
			assert_int_equal(decoded, SKETCH_DONE);
			break;
		}
		assert_int_equal(err, -ENOMEM);
	}
	assert_true(n > 10);
}

static void write_all(const struct sketch_world *w, uint8_t *raw, size_t cap, struct writer *out)
{
	writer_init(out, raw, cap);
	sketch_write(&w->all, out);
	assert_int_equal(out->err, 0);
}

static void test_bytes_come_back(void **state)
{
	static struct sketch_world w;
	static uint8_t raw[SKETCH_BYTES_MAX(LIMIT_SKETCH_SYMBOLS)];
	static struct sketch_symbol symbols[LIMIT_SKETCH_SYMBOLS];
	static const uint32_t ranges[][2] = { { 0, 1 }, { 0, 16 }, { 16, 32 }, { 3, 2048 } };
	struct sketch_part part;
	struct writer out;

	(void)state;
	world_init(&w, 10);
	world_fill(&w, COMMON, 0);
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		w.all.from = ranges[i][0];
		w.all.count = ranges[i][1];
		sketch_make(&w.key, &w.theirs, &w.all);
		write_all(&w, raw, SKETCH_BYTES_MAX(w.all.count), &out);
		print_message("symbols %u..%u of %d items: %zu bytes\n", w.all.from,
		              w.all.from + w.all.count - 1, COMMON, out.count);
		assert_true(out.count <= 8 + 14 * (size_t)w.all.count);
		assert_int_equal(sketch_read(writer_bytes(&out), symbols, w.all.count, &part), 0);
		assert_int_equal(part.total, COMMON);
		assert_int_equal(part.from, w.all.from);
		assert_int_equal(part.count, w.all.count);
		assert_memory_equal(symbols, w.symbols, part.count * sizeof(*symbols));
		assert_int_equal(sketch_read(writer_bytes(&out), symbols, w.all.count - 1, &part),
		                 ERR_TOO_BIG);
	}
}

/* Key 00 01 .. 0f; digests of 16 bytes 01, 02, 03, 04, 05; symbols 0 to 7. */
static void test_golden(void **state)
{
	static struct sketch_world w;
	uint8_t raw[SKETCH_BYTES_MAX(8)];
	char hex[2 * sizeof(raw) + 1] = "";
	struct writer out;

	(void)state;
	world_init(&w, 0);
	for (uint8_t i = 0; i < SKETCH_KEY_BYTES; i++)
		w.key.b[i] = i;
	for (uint8_t i = 0; i < 5; i++) {
		uint8_t digest[SKETCH_DIGEST_BYTES];

		memset(digest, i + 1, sizeof(digest));
		w.theirs_items[i] = sketch_item(&w.key, digest);
	}
	w.theirs.count = 5;
	world_make(&w, 8);
	write_all(&w, raw, sizeof(raw), &out);
	for (size_t i = 0; i < out.count; i++)
		snprintf(hex + 2 * i, 3, "%02x", raw[i]);
	assert_string_equal(hex, GOLDEN_SKETCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_small_difference_is_found),
		cmocka_unit_test(test_bytes_go_by_the_difference),
		cmocka_unit_test(test_symbols_go_by_the_difference),
		cmocka_unit_test(test_items_are_spread_as_meant),
		cmocka_unit_test(test_any_part_is_the_same_part),
		cmocka_unit_test(test_keys_tell_sessions_apart),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_bytes_come_back),
		cmocka_unit_test(test_golden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
