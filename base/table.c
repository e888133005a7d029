/*
 * Numbers to pointers, by open addressing with linear probing.
 *
 * Of a cold table a search touches one or two cache lines, where a tree of a hundred elements
 * touches nine, each in another element.  At most half of the cells are taken, so that runs are
 * short.  A removal moves later cells of its run back, and leaves no marks: a table that has seen
 * a million links is as quick as a new one.
 *
 * Numbers that were given out one after the other lie apart after a multiplication by 2^64/phi
 * (D. Knuth, TAOCP 3, 6.4), of which the upper bits are taken.  Nobody else chooses them, so no
 * secret is needed.
 *
 * Rejected: a library's table of the same kind (uthash): its macros end the process when memory
 * fails, or hide the failure in a flag.
 */
#include "base/table.h"

#include <assert.h>
#include <errno.h>

#define CELLS_MIN 8

void table_init(struct table *t)
{
	*t = (struct table){ .cap = 0 };
}

void table_fini(struct table *t, const struct mem *m)
{
	mem_free(m, t->cells);
	table_init(t);
}

static size_t home_of(const struct table *t, uint64_t number)
{
	return (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (t->cap - 1);
}

/* Its cell, or the free one in which its run ends. */
static struct table_cell *cell_of(const struct table *t, uint64_t number)
{
	size_t at = home_of(t, number);

	while (t->cells[at].value && t->cells[at].number != number)
		at = (at + 1) & (t->cap - 1);
	return &t->cells[at];
}

static int grow(struct table *t, const struct mem *m)
{
	struct table new = { .cap = t->cap ? 2 * t->cap : CELLS_MIN, .count = t->count };

	new.cells = mem_zalloc(m, new.cap * sizeof(*new.cells));
	if (!new.cells)
		return -ENOMEM;
	for (size_t i = 0; i < t->cap; i++)
		if (t->cells[i].value)
			*cell_of(&new, t->cells[i].number) = t->cells[i];
	mem_free(m, t->cells);
	*t = new;
	return 0;
}

int table_add(struct table *t, const struct mem *m, uint64_t number, void *value)
{
	struct table_cell *cell;

	assert(value);
	if (2 * (t->count + 1) > t->cap && grow(t, m))
		return -ENOMEM;
	cell = cell_of(t, number);
	assert(!cell->value);
	*cell = (struct table_cell){ .number = number, .value = value };
	t->count++;
	return 0;
}

void *table_find(const struct table *t, uint64_t number)
{
	return t->cap ? cell_of(t, number)->value : NULL;
}

/* May the cell `at` be moved to `hole`, without lying before its home? */
static bool may_move(const struct table *t, size_t hole, size_t at)
{
	size_t from_home = (at - home_of(t, t->cells[at].number)) & (t->cap - 1);
	size_t from_hole = (at - hole) & (t->cap - 1);

	return from_home >= from_hole;
}

void table_remove(struct table *t, uint64_t number)
{
	struct table_cell *cell = t->cap ? cell_of(t, number) : NULL;
	size_t hole;

	if (!cell || !cell->value)
		return;
	hole = (size_t)(cell - t->cells);
	for (size_t at = hole;;) {
		at = (at + 1) & (t->cap - 1);
		if (!t->cells[at].value)
			break;
		if (!may_move(t, hole, at))
			continue;
		t->cells[hole] = t->cells[at];
		hole = at;
	}
	t->cells[hole].value = NULL;
	t->count--;
}
