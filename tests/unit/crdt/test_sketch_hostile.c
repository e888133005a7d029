/*
 * Sketches against what should not be: changed bits, parts out of order, too large differences,
 * malformed bytes, and what a peer that knows the key can do with symbols that no set has.
 */
#include "tests/unit/crdt/sketch_world.h"

#include "base/err.h"
#include "crdt/sketch_priv.h"

/* A bit changed on the way: an error, a failure, no end, or the truth; never a wrong answer. */
static void flip_one(struct sketch_world *w, uint32_t max_symbols)
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
	static struct sketch_world w;
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

static void test_budget_ends_it(void **state)
{
	static struct sketch_world w;
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
	static struct sketch_world w;

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
	write_u16(&w, 0); /* items */
	write_u32(&w, 1);
	write_u8(&w, 0); /* checks */
	write_u16(&w, 2);
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
	/* No symbol, and none announced. */
	assert_int_equal(read_made((const uint64_t[]){ 10, 0, 0 }, 0, 0, 10), ERR_MALFORMED);
	for (size_t less = 1; less <= 13; less++)
		assert_int_equal(read_made(cases[0].head, 0, 0, less), ERR_TRUNCATED);
}

static void put(struct sketch_world *w, uint32_t index, uint64_t item, int32_t sign)
{
	uint32_t check = sketch_check(sketch_mark(&w->key, item));

	sketch_symbol_add(&w->symbols[index], item, check, sign);
}

/* In all symbols where it belongs. */
static void put_everywhere(struct sketch_world *w, uint64_t item, int32_t sign)
{
	struct sketch_walk walk = sketch_walk_start(sketch_mark(&w->key, item));

	for (; walk.at < w->all.count; sketch_walk_on(&walk))
		put(w, walk.at, item, sign);
}

/* Whether the item takes part in symbol 1. */
static bool is_in_first(const struct sketch_world *w, uint64_t item)
{
	struct sketch_walk walk = sketch_walk_start(sketch_mark(&w->key, item));

	sketch_walk_on(&walk);
	return walk.at == 1;
}

/* Give what is in the symbols to a decoder of an own set of `ours` items. */
static void assert_hostile(struct sketch_world *w, uint32_t total, enum sketch_state want)
{
	struct sketch_decoder *d = world_decoder(w, 64);

	w->all.total = total;
	assert_int_equal(give_next(w, d, w->all.count), want);
	sketch_decoder_free(d);
	memset(w->symbols, 0, sizeof(w->symbols));
}

static void test_symbols_of_no_set_fail(void **state)
{
	static struct sketch_world w;
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
	static struct sketch_world w;

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
	/* Both at once, so that the numbers agree. */
	world_make(&w, 64);
	put_everywhere(&w, w.ours_items[3], 1);
	put_everywhere(&w, 1, -1);
	assert_hostile(&w, 10, SKETCH_FAILED);
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
static void world_poison(struct sketch_world *w, unsigned kind)
{
	memset(w->symbols, 0, sizeof(w->symbols));
	for (uint32_t i = 0; i < SYMBOLS_MAX; i++) {
		uint64_t item = kind == 2 ? rng_below(&w->rng, 8) : rng_u64(&w->rng) >> 16;

		put(w, i, item, i > 0 && rng_below(&w->rng, 2) == 1 ? -1 : 1);
		if (kind == 1)
			w->symbols[i].checks = (uint32_t)rng_u64(&w->rng) >> 8;
	}
}

static void assert_bounded(struct sketch_world *w, uint32_t each)
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
	static struct sketch_world w;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changed_bits_never_mislead),
		cmocka_unit_test(test_budget_ends_it),
		cmocka_unit_test(test_parts_follow_each_other),
		cmocka_unit_test(test_malformed_bytes_are_refused),
		cmocka_unit_test(test_symbols_of_no_set_fail),
		cmocka_unit_test(test_lists_agree_with_what_we_have),
		cmocka_unit_test(test_streams_of_poison_end_in_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
