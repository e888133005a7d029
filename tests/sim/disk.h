/*
 * A disk that keeps what was committed and forgets the rest when its host dies.
 */
#ifndef SMEG_TESTS_SIM_DISK_H
#define SMEG_TESTS_SIM_DISK_H

#include "smegd/core/row.h"

struct disk_row {
	enum row_table table;
	char mesh[MESH_ID_BYTES];
	uint8_t key[ROW_KEY_BYTES_MAX];
	size_t key_bytes;
	uint8_t *value; /* NULL: deleted (in a pending one) */
	size_t value_bytes;
};

struct disk {
	struct disk_row *rows; /* committed, sorted */
	size_t count;
	size_t cap;
	struct disk_row *pending; /* in order of puts */
	size_t pending_count;
	size_t pending_cap;
	uint64_t commits;
};

void disk_fini(struct disk *d);
void disk_put(struct disk *d, const struct row *row);
void disk_commit(struct disk *d);
void disk_lose(struct disk *d);                           /* what was not committed */
void disk_copy(struct disk *to, const struct disk *from); /* a backup, or its return */

#endif
