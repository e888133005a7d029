/*
 * The world of the tests of sketches; see sketch_world.h.
 */
#include "tests/unit/crdt/sketch_world.h"

uint64_t first_seed(void)
{
	const char *text = getenv("SEED");

	return text ? strtoull(text, NULL, 10) : 1;
}

void world_init(struct sketch_world *w, uint64_t seed)
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

void world_fill(struct sketch_world *w, size_t common, size_t apart)
{
	size_t theirs = 0;
	size_t ours = 0;

	assert_true(common + apart <= ITEMS_MAX);
	for (size_t i = 0; i < common + apart; i++) {
		uint64_t item = rng_u64(&w->rng) >> (64 - SKETCH_ITEM_BITS);
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

void world_make(struct sketch_world *w, uint32_t count)
{
	w->all.from = 0;
	w->all.count = count;
	sketch_make(&w->key, &w->theirs, &w->all);
}

struct sketch_decoder *world_decoder(struct sketch_world *w, size_t max_symbols)
{
	struct sketch_decoder *d;

	assert_int_equal(sketch_decoder_new(&w->mt.mem, &w->key, &w->ours, max_symbols, &d), 0);
	return d;
}

enum sketch_state give(struct sketch_decoder *d, const struct sketch_part *part)
{
	enum sketch_state state;

	assert_int_equal(sketch_decode(d, part, &state), 0);
	return state;
}

enum sketch_state give_next(struct sketch_world *w, struct sketch_decoder *d, uint32_t count)
{
	struct sketch_part part = w->all;

	part.from = sketch_received(d);
	assert_true(part.from < w->all.count);
	part.count = MIN_OF(count, w->all.count - part.from);
	part.symbols += part.from;
	return give(d, &part);
}

static bool has(const uint64_t *items, size_t count, uint64_t item)
{
	for (size_t i = 0; i < count; i++) {
		if (items[i] == item)
			return true;
	}
	return false;
}

bool is_true(const struct sketch_world *w, const struct sketch_decoder *d)
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
