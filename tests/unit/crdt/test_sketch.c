/*
 * Sketches: every small difference; the number of symbols that large ones take; bytes; and what a
 * peer that knows the key can do with symbols that no set has.
 */
#include "tests/unit/crdt/fixture.h"

#include "base/err.h"
#include "base/rng.h"
#include "base/text.h"
#include "crdt/sketch_priv.h"
#include "tests/unit/crdt/golden.h"

#include <errno.h>
#include <stdio.h>

#define COMMON 3000
#define ITEMS_MAX (COMMON + 1000)
#define SYMBOLS_MAX 4096u
#define SEEDS 200

/* Two sets and the symbols of theirs.  Items 0 .. COMMON-1 of a random world are in both. */
struct world {
	struct memtest mt;
	struct rng rng;
	struct sketch_key key;
	uint64_t theirs_items[ITEMS_MAX];
	uint64_t ours_items[ITEMS_MAX];
	struct sketch_set theirs;
	struct sketch_set ours;
	struct sketch_symbol symbols[SYMBOLS_MAX];
	struct sketch_part all; /* of theirs */
};

static uint64_t first_seed(void)
{
	const char *text = getenv("SEED");

	return text ? strtoull(text, NULL, 10) : 1;
}

static void world_init(struct world *w, uint64_t seed)
{
	uint8_t raw[RNG_SEED_BYTES] = { 0 };

	memset(w, 0, sizeof(*w));
	memtest_init(&w->mt);
	memcpy(raw, &seed, sizeof(seed));
	rng_init(&w->rng, raw);
	rng_bytes(&w->rng, w->key.b, sizeof(w->key.b));
	w->theirs.items = w->theirs_items;
	w->ours.items = w->ours_items;
	w->all.symbols = w->symbols;
}

/* `common` items in both sets and `apart` in one of them each. */
static void world_fill(struct world *w, size_t common, size_t apart)
{
	size_t theirs = 0;
	size_t ours = 0;

	assert_true(common + apart <= ITEMS_MAX);
	for (size_t i = 0; i < common + apart; i++) {
		uint64_t item = rng_u64(&w->rng);
		bool is_common = i < common;
		bool is_theirs = is_common || rng_below(&w->rng, 2) == 1;

		if (is_theirs)
			w->theirs_items[theirs++] = item;
		if (is_common || !is_theirs)
			w->ours_items[ours++] = item;
	}
	w->theirs.count = theirs;
	w->ours.count = ours;
}

static void world_make(struct world *w, uint32_t count)
{
	w->all.from = 0;
	w->all.count = count;
	sketch_make(&w->key, &w->theirs, &w->all);
}

static struct sketch_decoder *world_decoder(struct world *w, size_t max_symbols)
{
	struct sketch_decoder *d;

	assert_int_equal(sketch_decoder_new(&w->mt.mem, &w->key, &w->ours, max_symbols, &d), 0);
	return d;
}

static enum sketch_state give(struct sketch_decoder *d, const struct sketch_part *part)
{
	enum sketch_state state;

	assert_int_equal(sketch_decode(d, part, &state), 0);
	return state;
}

/* Up to `count` symbols from where the decoder stands. */
static enum sketch_state give_next(struct world *w, struct sketch_decoder *d, uint32_t count)
{
	struct sketch_part part = w->all;

	part.from = sketch_received(d);
	assert_true(part.from < w->all.count);
	part.count = MIN_OF(count, w->all.count - part.from);
	part.symbols += part.from;
	return give(d, &part);
}

static enum sketch_state give_singly(struct world *w, struct sketch_decoder *d)
{
	enum sketch_state state;

	do
		state = give_next(w, d, 1);
	while (state == SKETCH_MORE);
	return state;
}

static bool has(const uint64_t *items, size_t count, uint64_t item)
{
	for (size_t i = 0; i < count; i++) {
		if (items[i] == item)
			return true;
	}
	return false;
}

/* Whether the lists are the true difference; by the definition of it. */
static bool is_true(const struct world *w, const struct sketch_decoder *d)
{
	struct sketch_difference diff = sketch_difference(d);
	size_t common = w->theirs.count - diff.theirs_count;

	for (size_t i = 0; i < diff.theirs_count; i++) {
		if (i > 0 && diff.theirs[i - 1] >= diff.theirs[i])
			return false;
		if (!has(w->theirs.items, w->theirs.count, diff.theirs[i]) ||
		    has(w->ours.items, w->ours.count, diff.theirs[i]))
			return false;
	}
	for (size_t i = 0; i < diff.ours_count; i++) {
		if ((i > 0 && diff.ours[i - 1] >= diff.ours[i]) || diff.ours[i] >= w->ours.count ||
		    has(w->theirs.items, w->theirs.count, w->ours.items[diff.ours[i]]))
			return false;
	}
	/* None missing: what remains is the same number on both sides. */
	return diff.theirs_count <= w->theirs.count && w->ours.count - diff.ours_count == common;
}

/* The sets with these bits, from a few items. */
static void world_choose(struct world *w, const uint64_t *items, unsigned theirs, unsigned ours)
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
	static struct world w;
	uint64_t items[6];
	size_t cases = 0;

	(void)state;
	world_init(&w, 1);
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		items[i] = rng_u64(&w.rng);
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
static double measure(struct world *w, size_t apart)
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
static double measure_bytes(struct world *w, size_t apart, uint32_t each)
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
	static struct world w;

	(void)state;
	assert_true(measure_bytes(&w, 1, 1) <= 18);
	assert_true(measure_bytes(&w, 1, 8) <= 8 * 14);
	assert_true(measure_bytes(&w, 1, 16) <= 16 * 14);
	assert_true(measure_bytes(&w, 16, 8) <= 30 * 14 + 8 * 7);
	assert_true(measure_bytes(&w, 16, 16) <= 30 * 14 + 16 * 7);
}

static void test_symbols_go_by_the_difference(void **state)
{
	static const size_t aparts[] = { 16, 64, 256, 1000 };
	static struct world w;

	(void)state;
	assert_true(measure(&w, 0) == 1);
	assert_true(measure(&w, 1) == 1);
	assert_true(measure(&w, 4) <= 4 * 2.5);
	for (size_t i = 0; i < ARRAY_LEN(aparts); i++)
		assert_true(measure(&w, aparts[i]) <= 1.8 * (double)aparts[i]);
}

/* A symbol holds a share of 1 / (1 + index/2) of the items, within five deviations. */
static void test_items_are_spread_as_meant(void **state)
{
	static struct world w;

	(void)state;
	world_init(&w, first_seed());
	world_fill(&w, ITEMS_MAX, 0);
	world_make(&w, SYMBOLS_MAX);
	assert_int_equal(w.symbols[0].count, ITEMS_MAX);
	for (uint32_t i = 1; i < SYMBOLS_MAX; i++) {
		double want = 2.0 * ITEMS_MAX / (i + 2);
		double off = w.symbols[i].count - want;

		if (off * off > 25 * (want + 1))
			fail_msg("symbol %u holds %d items, not %.1f", i, w.symbols[i].count, want);
	}
}

static void test_any_part_is_the_same_part(void **state)
{
	static const uint32_t cuts[] = { 0, 1, 16, 17, 48, 2000, 2001, SYMBOLS_MAX };
	static struct world w;
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

/* A bit changed on the way: an error, a failure, no end, or the truth; never a wrong answer. */
static void flip_one(struct world *w, uint32_t max_symbols)
{
	static uint8_t raw[SKETCH_BYTES_MAX(64)];
	static struct sketch_symbol symbols[64];
	struct sketch_decoder *d = world_decoder(w, max_symbols);
	struct sketch_part part;
	struct writer out;
	size_t bit;

	writer_init(&out, raw, sizeof(raw));
	sketch_write(&w->all, &out);
	assert_int_equal(out.err, 0);
	bit = rng_below(&w->rng, 8 * out.count);
	raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
	if (sketch_read(writer_bytes(&out), symbols, 64, &part) == 0 &&
	    give(d, &part) == SKETCH_DONE)
		assert_true(is_true(w, d));
	sketch_decoder_free(d);
}

static void test_changed_bits_never_mislead(void **state)
{
	static const size_t aparts[] = { 0, 1, 2, 8 };
	static struct world w;
	uint64_t seed = first_seed();

	(void)state;
	print_message("seed %ju\n", (uintmax_t)seed);
	world_init(&w, seed);
	for (size_t i = 0; i < ARRAY_LEN(aparts); i++) {
		for (unsigned n = 0; n < 4000; n++) {
			world_fill(&w, 20, aparts[i]);
			world_make(&w, 1 + (uint32_t)rng_below(&w.rng, 32));
			flip_one(&w, 64);
		}
	}
	memtest_assert_no_leak(&w.mt);
}

static void test_keys_tell_sessions_apart(void **state)
{
	static struct world w;
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

static void test_budget_ends_it(void **state)
{
	static struct world w;
	struct sketch_decoder *d;

	(void)state;
	world_init(&w, 5);
	world_fill(&w, 200, 64);
	world_make(&w, 256);
	d = world_decoder(&w, 40);
	assert_int_equal(give_next(&w, d, 16), SKETCH_MORE);
	assert_int_equal(give_next(&w, d, 23), SKETCH_MORE);
	assert_int_equal(give_next(&w, d, 100), SKETCH_FAILED);
	assert_int_equal(sketch_received(d), 40);
	/* It stays so. */
	assert_int_equal(give_next(&w, d, 100), SKETCH_FAILED);
	assert_int_equal(sketch_received(d), 40);
	sketch_decoder_free(d);
	/* Sizes alone show that it would not do; where they just may, it goes on. */
	world_fill(&w, 100, 0);
	w.ours.count -= 40;
	world_make(&w, 1);
	d = world_decoder(&w, 39);
	assert_int_equal(give_next(&w, d, 1), SKETCH_FAILED);
	sketch_decoder_free(d);
	d = world_decoder(&w, 40);
	assert_int_equal(give_next(&w, d, 1), SKETCH_MORE);
	sketch_decoder_free(d);
	memtest_assert_no_leak(&w.mt);
}

static void test_parts_follow_each_other(void **state)
{
	static struct world w;

	(void)state;
	world_init(&w, 6);
	world_fill(&w, 100, 16);
	world_make(&w, 64);
	for (unsigned fault = 0; fault < 4; fault++) {
		struct sketch_decoder *d = world_decoder(&w, 64);
		struct sketch_part next = w.all;

		assert_int_equal(give_next(&w, d, 4), SKETCH_MORE);
		next.from = fault == 1 ? 0 : fault == 2 ? 5 : 4;
		next.symbols += next.from;
		next.count = 60 - (fault == 2);
		next.total += fault == 3;
		assert_int_equal(give(d, &next), fault == 0 ? SKETCH_DONE : SKETCH_FAILED);
		sketch_decoder_free(d);
	}
	memtest_assert_no_leak(&w.mt);
}

static void test_no_memory(void **state)
{
	static struct world w;
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

static void put(struct world *w, uint32_t index, uint64_t item, int32_t sign)
{
	uint32_t check = sketch_check(sketch_mark(&w->key, item));

	sketch_symbol_add(&w->symbols[index], item, check, sign);
}

/* Whether the item takes part in symbol 1. */
static bool is_in_first(const struct world *w, uint64_t item)
{
	struct sketch_walk walk = sketch_walk_start(sketch_mark(&w->key, item));

	sketch_walk_on(&walk);
	return walk.at == 1;
}

/* Give what is in the symbols to a decoder of an own set of `ours` items. */
static void assert_hostile(struct world *w, uint32_t total, enum sketch_state want)
{
	struct sketch_decoder *d = world_decoder(w, 64);

	w->all.total = total;
	assert_int_equal(give_next(w, d, w->all.count), want);
	sketch_decoder_free(d);
	memset(w->symbols, 0, sizeof(w->symbols));
}

static void test_symbols_of_no_set_fail(void **state)
{
	static struct world w;
	uint64_t in = 1;
	uint64_t out = 1;

	(void)state;
	world_init(&w, 8);
	while (!is_in_first(&w, in))
		in++;
	while (is_in_first(&w, out))
		out++;
	w.all.count = 2;
	/* Honest, to show that the rest is what fails. */
	put(&w, 0, in, 1);
	put(&w, 1, in, 1);
	assert_hostile(&w, 1, SKETCH_DONE);
	/* Found in symbol 0, missing in 1, where its lack shows it again: a loop for ever. */
	put(&w, 0, in, 1);
	assert_hostile(&w, 1, SKETCH_FAILED);
	/* In a symbol that it does not take part in. */
	put(&w, 0, out, 1);
	put(&w, 1, out, 1);
	assert_hostile(&w, 1, SKETCH_FAILED);
	put(&w, 0, in, 2);
	put(&w, 1, out, 1);
	assert_hostile(&w, 2, SKETCH_FAILED);
	/* Symbols beyond an empty first. */
	put(&w, 1, in, 2);
	assert_hostile(&w, 0, SKETCH_FAILED);
}

static void test_lists_agree_with_what_we_have(void **state)
{
	static struct world w;

	(void)state;
	world_init(&w, 9);
	world_fill(&w, 10, 0);
	/* They claim to lack what we do not have. */
	world_make(&w, 1);
	put(&w, 0, 1, -1);
	assert_hostile(&w, 9, SKETCH_FAILED);
	/* They claim to have alone what we have. */
	world_make(&w, 1);
	put(&w, 0, w.ours_items[3], 1);
	assert_hostile(&w, 11, SKETCH_FAILED);
	/* Ours is no set: what is found once is there twice. */
	world_make(&w, 1);
	w.ours_items[w.ours.count++] = w.ours_items[0];
	assert_hostile(&w, 10, SKETCH_FAILED);
	memtest_assert_no_leak(&w.mt);
}

/* An allocator that knows how much is in use. */
struct ledger {
	struct mem mem;
	size_t now;
	size_t most;
};

static void *ledger_resize(void *ctx, void *ptr, size_t bytes)
{
	struct ledger *l = ctx;
	struct memtest_head *old = ptr ? (struct memtest_head *)ptr - 1 : NULL;
	struct memtest_head *new;

	l->now += bytes - (old ? old->bytes : 0);
	l->most = MAX_OF(l->most, l->now);
	if (bytes == 0) {
		free(old);
		return NULL;
	}
	new = realloc(old, sizeof(*new) + bytes);
	assert_non_null(new);
	new->bytes = bytes;
	return new + 1;
}

/* Symbols that each show an item, or lack one, or nothing sensible. */
static void world_poison(struct world *w, unsigned kind)
{
	memset(w->symbols, 0, sizeof(w->symbols));
	for (uint32_t i = 0; i < SYMBOLS_MAX; i++) {
		uint64_t item = kind == 2 ? rng_below(&w->rng, 8) : rng_u64(&w->rng);

		put(w, i, item, i > 0 && rng_below(&w->rng, 2) == 1 ? -1 : 1);
		if (kind == 1)
			w->symbols[i].checks = (uint32_t)rng_u64(&w->rng);
	}
}

static void assert_bounded(struct world *w, uint32_t each)
{
	struct ledger l = { .mem = { .ctx = &l, .resize = ledger_resize } };
	enum sketch_state state = SKETCH_MORE;
	struct sketch_decoder *d;
	size_t max = 1 + rng_below(&w->rng, SYMBOLS_MAX);

	assert_int_equal(sketch_decoder_new(&l.mem, &w->key, &w->ours, max, &d), 0);
	while (state == SKETCH_MORE)
		state = give_next(w, d, each);
	if (state == SKETCH_DONE)
		assert_true(is_true(w, d));
	assert_true(sketch_received(d) <= max);
	assert_true(l.most <= 100 * max + 256);
	sketch_decoder_free(d);
	assert_int_equal(l.now, 0);
}

static void test_streams_of_poison_end_in_bounds(void **state)
{
	static struct world w;
	uint64_t seed = first_seed();

	(void)state;
	print_message("seed %ju\n", (uintmax_t)seed);
	for (unsigned n = 0; n < 60; n++) {
		world_init(&w, seed + n);
		world_fill(&w, n % 2 ? 0 : 20, 0);
		w.all.count = SYMBOLS_MAX;
		world_poison(&w, n % 3);
		w.all.total = n % 2 ? 1 : 20;
		assert_bounded(&w, n % 4 ? SYMBOLS_MAX : 1);
		/* An honest one keeps the bounds too, when it ends and when it does not. */
		world_fill(&w, 100, 1000);
		world_make(&w, SYMBOLS_MAX);
		assert_bounded(&w, 1 + n);
	}
}

static void write_all(const struct world *w, uint8_t *raw, size_t cap, struct writer *out)
{
	writer_init(out, raw, cap);
	sketch_write(&w->all, out);
	assert_int_equal(out->err, 0);
}

static void test_bytes_come_back(void **state)
{
	static struct world w;
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

/* One symbol with these head fields, the count as it stands on the wire. */
static int read_made(const uint64_t head[3], uint64_t wire_count, size_t more, size_t less)
{
	struct sketch_symbol symbols[4];
	struct sketch_part part;
	uint8_t raw[64] = { 0 };
	struct writer w;

	writer_init(&w, raw, sizeof(raw));
	for (size_t i = 0; i < 3; i++)
		write_varint(&w, head[i]);
	write_u64(&w, 1);
	write_u32(&w, 2);
	write_varint(&w, wire_count);
	assert_int_equal(w.err, 0);
	return sketch_read((struct bytes){ raw, w.count + more - less }, symbols, 4, &part);
}

static void test_malformed_bytes_are_refused(void **state)
{
	const uint64_t items = LIMIT_SKETCH_ITEMS;
	const uint64_t last = LIMIT_SKETCH_INDEX - 1;
	const struct {
		uint64_t head[3];
		uint64_t wire_count;
		int err;
	} cases[] = {
		{ { 10, 0, 1 }, 0, 0 },
		{ { items, last, 1 }, 0, 0 },
		{ { 0, 0, 1 }, 0, 0 },
		{ { items + 1, 0, 1 }, 0, ERR_TOO_BIG },
		{ { UINT64_MAX, 0, 1 }, 0, ERR_TOO_BIG },
		{ { 10, last + 1, 1 }, 0, ERR_TOO_BIG },
		{ { 10, UINT64_MAX, 1 }, 0, ERR_TOO_BIG },
		{ { 10, 0, 5 }, 0, ERR_TOO_BIG },
		{ { 10, 0, UINT64_MAX }, 0, ERR_TOO_BIG },
		{ { 10, 0, 0 }, 0, ERR_MALFORMED },
		{ { 10, 0, 2 }, 0, ERR_TRUNCATED },
		/* Symbol 0 has all; symbol 1 of 10 is expected to have 6: from 0 to 10. */
		{ { 10, 0, 1 }, 1, ERR_MALFORMED },
		{ { 10, 1, 1 }, 11, 0 },
		{ { 10, 1, 1 }, 13, ERR_MALFORMED },
		{ { 10, 1, 1 }, 8, 0 },
		{ { 10, 1, 1 }, 10, ERR_MALFORMED },
		{ { 10, 1, 1 }, UINT64_MAX, ERR_MALFORMED },
		{ { 10, 1, 1 }, UINT64_MAX - 1, ERR_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int err = read_made(cases[i].head, cases[i].wire_count, 0, 0);

		if (err != cases[i].err)
			fail_msg("case %zu: %s", i, err_text(err));
	}
	assert_int_equal(read_made(cases[0].head, 0, 1, 0), ERR_MALFORMED);
	for (size_t less = 1; less <= 16; less++)
		assert_int_equal(read_made(cases[0].head, 0, 0, less), ERR_TRUNCATED);
}

/* Key 00 01 .. 0f; digests of 16 bytes 01, 02, 03, 04, 05; symbols 0 to 7. */
static void test_golden(void **state)
{
	static struct world w;
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
		cmocka_unit_test(test_symbols_go_by_the_difference),
		cmocka_unit_test(test_bytes_go_by_the_difference),
		cmocka_unit_test(test_items_are_spread_as_meant),
		cmocka_unit_test(test_any_part_is_the_same_part),
		cmocka_unit_test(test_changed_bits_never_mislead),
		cmocka_unit_test(test_keys_tell_sessions_apart),
		cmocka_unit_test(test_budget_ends_it),
		cmocka_unit_test(test_parts_follow_each_other),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_symbols_of_no_set_fail),
		cmocka_unit_test(test_lists_agree_with_what_we_have),
		cmocka_unit_test(test_streams_of_poison_end_in_bounds),
		cmocka_unit_test(test_bytes_come_back),
		cmocka_unit_test(test_malformed_bytes_are_refused),
		cmocka_unit_test(test_golden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
