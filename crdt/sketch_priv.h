/*
 * How an item comes to its symbols: shared by making and peeling.
 */
#ifndef SMEG_CRDT_SKETCH_PRIV_H
#define SMEG_CRDT_SKETCH_PRIV_H

#include "crdt/sketch.h"

/* An item on its way through the symbols it takes part in: all of them, ascending, from 0 on. */
struct sketch_walk {
	uint64_t state;
	uint32_t at; /* the symbol that is next; LIMIT_SKETCH_INDEX: no more of them */
};

/* The second keyed hash of an item: its upper bits are the check, all of it seeds the walk. */
uint64_t sketch_mark(const struct sketch_key *key, uint64_t item);

static inline uint32_t sketch_check(uint64_t mark)
{
	return (uint32_t)(mark >> (64 - SKETCH_CHECK_BITS));
}

static inline struct sketch_walk sketch_walk_start(uint64_t mark)
{
	return (struct sketch_walk){ .state = mark };
}

/* The walk must not be over. */
static inline void sketch_walk_on(struct sketch_walk *w)
{
	uint64_t z;
	uint64_t next;

	/* SplitMix64 (Steele, Lea, Flood, 2014). */
	w->state += 0x9e3779b97f4a7c15;
	z = w->state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	z ^= z >> 31;
	/* Two fractions in (0, 1]; see sketch.c. */
	next = MIN_OF(((uint64_t)(w->at + 1) << 32) / ((z >> 32) + 1),
	              ((uint64_t)(w->at + 2) << 32) / ((z & UINT32_MAX) + 1) - 1);
	w->at = (uint32_t)MIN_OF(next, (uint64_t)LIMIT_SKETCH_INDEX);
}

/* sign: 1 to put in, -1 to take out. */
static inline void sketch_symbol_add(struct sketch_symbol *s,
                                     uint64_t item,
                                     uint32_t check,
                                     int32_t sign)
{
	s->items ^= item;
	s->checks ^= check;
	s->count += sign;
}

#endif
