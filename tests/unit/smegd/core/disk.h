/*
 * A store for tests: rows, of which what is not committed is forgotten by a crash.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_CORE_DISK_H
#define SMEG_TESTS_UNIT_SMEGD_CORE_DISK_H

#include "tests/unit/unit.h"

#include "smegd/core/row.h"

struct disk_row {
	struct row row; /* its bytes are the disk's */
	uint8_t *bytes; /* key, then value */
};

struct disk_rows {
	struct disk_row *list;
	size_t count;
	size_t cap;
};

struct disk {
	struct disk_rows rows;    /* committed; ascending by table, mesh, key */
	struct disk_rows pending; /* in the order in which they were put */
	bool is_due;              /* one that is pending must be durable before anything leaves */
	size_t puts;              /* ever */
};

void disk_fini(struct disk *d);
void disk_copy(struct disk *to, const struct disk *from); /* what is committed */
void disk_put(struct disk *d, const struct row *row, bool durable);
void disk_commit(struct disk *d);
void disk_crash(struct disk *d); /* pending rows are gone */

/* A committed row of this table, the n-th; NULL: no such. */
const struct row *disk_nth(const struct disk *d, enum row_table table, size_t n);
size_t disk_count(const struct disk *d, enum row_table table);

#endif
