/*
 * Peeling: from the difference of two sequences of symbols to the items that differ.
 *
 * A cell is their symbol less ours, so what both have is not in it.  A cell with one item left
 * shows it (count is 1 or -1 and the check holds); the item is taken out of all its other cells,
 * which may show the next.  Cells up to `received` are complete; those up to `ready` hold what we
 * know of them ahead of their symbol, so that an arriving part costs no walk over our items or over
 * those found, and `ready` doubles.
 *
 * The peer knows the key and may send anything.  What bounds our work and ends every loop:
 *
 * - A cell that has shown its item is empty and stays so in an honest run, as all that was in it
 *   has been taken out.  If it changes again, the symbols contradict each other and we fail.  So a
 *   cell is peeled once, and no item is found twice: it would touch the cell that showed it.
 * - An item whose walk does not lead to the cell that showed it fails us too.
 * - A walk has 19 steps on average up to the highest index; one of more than 64 has a chance of
 *   1e-16.  A peer that searches for items with long walks gains a factor of two or three, so there
 *   is no other bound on it.
 * - Before we say that we are done, every cell must be empty, all that counts as ours must be ours
 *   and nothing that counts as theirs may be.
 *
 * Rejected: to judge by symbol 0 alone (a changed bit elsewhere would pass), and to look for pure
 * cells whatever their count (one hash per change, for little).
 */
#include "crdt/sketch.h"

#include "base/mem.h"
#include "crdt/sketch_priv.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#define CELLS_FIRST 16u
#define STACK_END UINT32_MAX

struct cell {
	struct sketch_symbol sum;
	uint32_t below; /* on the stack */
	bool is_stacked;
	bool is_peeled;
};

struct found {
	uint64_t item;
	struct sketch_walk walk; /* at `ready` or beyond */
	uint32_t check;
	bool is_theirs;
};

struct sketch_decoder {
	const struct mem *mem;
	struct sketch_key key;
	struct sketch_set ours;
	enum sketch_state state;
	uint32_t total; /* of the other set */
	uint32_t max;
	uint32_t received;
	uint32_t ready;
	uint32_t filled; /* cells below `received` that are not empty */
	uint32_t stack;  /* cells below `received` that may show an item */
	struct cell *cells;
	struct found *found;
	size_t found_count;
	size_t found_cap;
	uint64_t *theirs;
	uint32_t *places;
	size_t theirs_count;
	size_t places_count;
};

int sketch_decoder_new(const struct mem *m,
                       const struct sketch_key *key,
                       const struct sketch_set *ours,
                       size_t max_symbols,
                       struct sketch_decoder **ret_decoder)
{
	struct sketch_decoder *d = mem_zalloc(m, sizeof(*d));

	assert(max_symbols >= 1 && max_symbols <= LIMIT_SKETCH_INDEX);
	assert(ours->count <= LIMIT_SKETCH_ITEMS);
	if (!d)
		return -ENOMEM;
	d->mem = m;
	d->key = *key;
	d->ours = *ours;
	d->max = (uint32_t)max_symbols;
	d->state = SKETCH_MORE;
	d->stack = STACK_END;
	*ret_decoder = d;
	return 0;
}

void sketch_decoder_free(struct sketch_decoder *d)
{
	if (!d)
		return;
	mem_free(d->mem, d->cells);
	mem_free(d->mem, d->found);
	mem_free(d->mem, d->theirs);
	mem_free(d->mem, d->places);
	sodium_memzero(&d->key, sizeof(d->key));
	mem_free(d->mem, d);
}

uint32_t sketch_received(const struct sketch_decoder *d)
{
	return d->received;
}

static void decoder_fail(struct sketch_decoder *d)
{
	d->state = SKETCH_FAILED;
}

static bool cell_is_empty(const struct cell *c)
{
	return c->sum.items == 0 && c->sum.checks == 0 && c->sum.count == 0;
}

/* To be looked at, now that it is complete or has changed. */
static void cell_stack(struct sketch_decoder *d, uint32_t index)
{
	struct cell *c = &d->cells[index];

	if (c->is_stacked || (c->sum.count != 1 && c->sum.count != -1))
		return;
	c->is_stacked = true;
	c->below = d->stack;
	d->stack = index;
}

/* Take what was found out of the cell where it now stands. */
static void cell_take(struct sketch_decoder *d, const struct found *f)
{
	struct cell *c = &d->cells[f->walk.at];
	bool was_empty = cell_is_empty(c);

	sketch_symbol_add(&c->sum, f->item, f->check, f->is_theirs ? -1 : 1);
	if (f->walk.at >= d->received)
		return;
	if (c->is_peeled)
		decoder_fail(d);
	d->filled += was_empty;
	d->filled -= cell_is_empty(c);
	cell_stack(d, f->walk.at);
}

/* Take it out of all cells up to `ready` that are still before it. */
static void found_take(struct sketch_decoder *d, struct found *f)
{
	while (f->walk.at < d->ready && d->state == SKETCH_MORE) {
		cell_take(d, f);
		sketch_walk_on(&f->walk);
	}
}

static int cell_peel(struct sketch_decoder *d, struct cell *c, uint64_t mark)
{
	void *found = d->found;
	int err = mem_grow(d->mem, &found, d->found_count, &d->found_cap, sizeof(*d->found));
	struct found *f;

	if (err != 0)
		return err;
	d->found = found;
	f = &d->found[d->found_count++];
	*f = (struct found){
		.item = c->sum.items,
		.walk = sketch_walk_start(mark),
		.check = c->sum.checks,
		.is_theirs = c->sum.count == 1,
	};
	found_take(d, f);
	if (!cell_is_empty(c))
		decoder_fail(d);
	c->is_peeled = true;
	return 0;
}

static int decoder_peel(struct sketch_decoder *d)
{
	int err = 0;

	while (err == 0 && d->stack != STACK_END && d->state == SKETCH_MORE) {
		struct cell *c = &d->cells[d->stack];
		uint64_t mark;

		d->stack = c->below;
		c->is_stacked = false;
		if (c->sum.count != 1 && c->sum.count != -1)
			continue;
		mark = sketch_mark(&d->key, c->sum.items);
		if (sketch_check(mark) == c->sum.checks)
			err = cell_peel(d, c, mark);
	}
	return err;
}

/* Fill the cells from `ready` on with what is known of them. */
static int cells_make(struct sketch_decoder *d, uint32_t count)
{
	struct sketch_part own = { .from = d->ready, .count = count };

	own.symbols = mem_alloc(d->mem, count * sizeof(*own.symbols));
	if (!own.symbols)
		return -ENOMEM;
	sketch_make(&d->key, &d->ours, &own);
	for (uint32_t i = 0; i < count; i++) {
		const struct sketch_symbol *s = &own.symbols[i];

		d->cells[d->ready + i] = (struct cell){
			.sum = { s->items, s->checks, -s->count },
		};
	}
	mem_free(d->mem, own.symbols);
	d->ready += count;
	for (size_t i = 0; i < d->found_count; i++)
		found_take(d, &d->found[i]);
	return 0;
}

static int cells_reserve(struct sketch_decoder *d, uint32_t need)
{
	uint32_t want = MIN_OF(MAX_OF(MAX_OF(2 * d->ready, CELLS_FIRST), need), d->max);
	struct cell *cells;

	if (need <= d->ready)
		return 0;
	cells = mem_resize(d->mem, d->cells, want * sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	d->cells = cells;
	return cells_make(d, want - d->ready);
}

static void cell_receive(struct sketch_decoder *d, const struct sketch_symbol *s)
{
	struct cell *c = &d->cells[d->received];

	sketch_symbol_add(&c->sum, s->items, s->checks, s->count);
	d->filled += !cell_is_empty(c);
	cell_stack(d, d->received++);
}

static int found_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct found *)a)->item;
	uint64_t y = ((const struct found *)b)->item;

	return (x > y) - (x < y);
}

/* Both lists, from what was found in order; false if that contradicts what we have. */
static bool lists_fill(struct sketch_decoder *d)
{
	size_t ours = 0;

	for (size_t i = 0; i < d->found_count; i++) {
		if (d->found[i].is_theirs)
			d->theirs[d->theirs_count++] = d->found[i].item;
		else
			ours++;
	}
	for (size_t i = 0; i < d->ours.count && d->found_count > 0; i++) {
		struct found key = { .item = d->ours.items[i] };
		const struct found *f =
			bsearch(&key, d->found, d->found_count, sizeof(*f), found_compare);

		if (!f)
			continue;
		if (f->is_theirs || d->places_count == ours)
			return false;
		d->places[d->places_count++] = (uint32_t)i;
	}
	return d->places_count == ours;
}

static int decoder_conclude(struct sketch_decoder *d)
{
	size_t room = MAX_OF(d->found_count, 1);

	d->theirs = mem_alloc(d->mem, room * sizeof(*d->theirs));
	d->places = mem_alloc(d->mem, room * sizeof(*d->places));
	if (!d->theirs || !d->places)
		return -ENOMEM;
	if (d->found_count > 0)
		qsort(d->found, d->found_count, sizeof(*d->found), found_compare);
	d->state = lists_fill(d) ? SKETCH_DONE : SKETCH_FAILED;
	return 0;
}

static bool part_follows(const struct sketch_decoder *d, const struct sketch_part *part)
{
	size_t apart = part->total > d->ours.count ? part->total - d->ours.count
	                                           : d->ours.count - part->total;

	if (part->from != d->received)
		return false;
	return d->received == 0 ? apart <= d->max : part->total == d->total;
}

static int part_take(struct sketch_decoder *d, const struct sketch_part *part)
{
	uint32_t count = MIN_OF(part->count, d->max - d->received);
	int err = cells_reserve(d, d->received + count);

	if (err != 0)
		return err;
	d->total = part->total;
	for (uint32_t i = 0; i < count; i++)
		cell_receive(d, &part->symbols[i]);
	err = decoder_peel(d);
	if (err != 0 || d->state != SKETCH_MORE || d->received == 0)
		return err;
	if (d->filled == 0)
		return decoder_conclude(d);
	/* Every item is in cell 0: what fills the others is none. */
	if (cell_is_empty(&d->cells[0]) || d->received == d->max)
		decoder_fail(d);
	return 0;
}

int sketch_decode(struct sketch_decoder *d,
                  const struct sketch_part *part,
                  enum sketch_state *ret_state)
{
	int err = 0;

	if (d->state == SKETCH_MORE && part_follows(d, part))
		err = part_take(d, part);
	else if (d->state == SKETCH_MORE)
		decoder_fail(d);
	*ret_state = d->state;
	return err;
}

struct sketch_difference sketch_difference(const struct sketch_decoder *d)
{
	assert(d->state == SKETCH_DONE);
	return (struct sketch_difference){
		.theirs = d->theirs,
		.theirs_count = d->theirs_count,
		.ours = d->places,
		.ours_count = d->places_count,
	};
}
