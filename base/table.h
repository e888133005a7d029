/*
 * Numbers to pointers: a hash table for what is looked up at every message.
 *
 * For numbers that this program gives out itself.  It has no order: who walks over elements keeps
 * them in a list or an array besides, or uses a map.
 */
#ifndef SMEG_BASE_TABLE_H
#define SMEG_BASE_TABLE_H

#include "base/mem.h"

struct table_cell {
	uint64_t number;
	void *value; /* NULL: the cell is free */
};

struct table {
	struct table_cell *cells; /* a power of two of them; NULL until the first */
	size_t cap;
	size_t count;
};

/* All zeros is an empty table too. */
void table_init(struct table *t);
void table_fini(struct table *t, const struct mem *m);

/* `value` is borrowed and not NULL; the number must not be there yet (asserted).  -ENOMEM. */
int table_add(struct table *t, const struct mem *m, uint64_t number, void *value) MUST_CHECK;

/* NULL: not there. */
void *table_find(const struct table *t, uint64_t number);

/* Nothing happens if it is not there. */
void table_remove(struct table *t, uint64_t number);

#endif
