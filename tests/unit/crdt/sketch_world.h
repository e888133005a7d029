/*
 * Two sets to be compared, and symbols of one of them, for the tests of sketches.
 */
#ifndef SMEG_TESTS_UNIT_CRDT_SKETCH_WORLD_H
#define SMEG_TESTS_UNIT_CRDT_SKETCH_WORLD_H

#include "tests/unit/memtest.h"

#include "base/rng.h"
#include "crdt/sketch.h"

#define COMMON 3000
#define ITEMS_MAX (COMMON + 1000)
#define SYMBOLS_MAX 4096u

/* Two sets and the symbols of theirs.  Items 0 .. COMMON-1 of a random world are in both. */
struct sketch_world {
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

/* SEED of the environment, or 1. */
uint64_t first_seed(void);

void world_init(struct sketch_world *w, uint64_t seed);

/* `common` items in both sets and `apart` in one of them each. */
void world_fill(struct sketch_world *w, size_t common, size_t apart);

/* The first symbols of theirs. */
void world_make(struct sketch_world *w, uint32_t count);

struct sketch_decoder *world_decoder(struct sketch_world *w, size_t max_symbols);

enum sketch_state give(struct sketch_decoder *d, const struct sketch_part *part);

/* Up to `count` symbols from where the decoder stands. */
enum sketch_state give_next(struct sketch_world *w, struct sketch_decoder *d, uint32_t count);

/* Whether the lists are the true difference, by the definition of it. */
bool is_true(const struct sketch_world *w, const struct sketch_decoder *d);

#endif
