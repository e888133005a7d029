/*
 * A disk that keeps what was committed and forgets the rest when its host dies.
 *
 * Thousands of hosts store the same statements: keys and values are interned in a store that all
 * disks of a world share, and a disk is a table of pairs of pointers, above a base image that hosts
 * may have in common.
 */
#ifndef SMEG_TESTS_SIM_DISK_H
#define SMEG_TESTS_SIM_DISK_H

#include "smegd/core/row.h"

/* Interned bytes: equal content, equal pointer.  Kept until the store goes. */
struct blob;

struct store *store_new(void);
void store_free(struct store *s);

/* A row's table, mesh and key together; and a value, NULL for "deleted". */
struct disk_pair {
	const struct blob *key;
	const struct blob *value;
};

/* Pairs by key: open addressing on the pointers. */
struct disk_table {
	struct disk_pair *slots;
	size_t count;
	size_t live; /* those with a value */
	size_t cap;
};

struct set;

/* Rows that many disks begin with; never changed once a disk uses it. */
struct disk_image {
	struct disk_table table;
	char mesh[MESH_ID_BYTES]; /* of `replica` */
	struct set *replica;      /* what the rows say, for hosts to share; NULL: to be restored */
};

struct disk {
	const struct disk_image *base; /* borrowed; NULL: none */
	struct disk_table own;         /* committed, over the base */
	struct disk_pair *pending;     /* in order of puts */
	size_t pending_count;
	size_t pending_cap;
	uint64_t commits;
	bool is_full;      /* commits fail */
	unsigned slowness; /* a commit takes this many times as long; 0 and 1: as usual */
};

void disk_fini(struct disk *d);
void disk_put(struct store *s, struct disk *d, const struct row *row);
/* `changes` is told each row and what it was on the disk (at NULL: not there).  False: full. */
bool disk_commit(struct disk *d,
                 void (*changes)(void *ctx, const struct row *row, struct bytes before),
                 void *ctx);
void disk_lose(struct disk *d);                           /* what was not committed */
void disk_copy(struct disk *to, const struct disk *from); /* a backup, or its return */

/* Every row in the order of keys, as the real store gives them back. */
void disk_visit(const struct disk *d, void (*visit)(void *ctx, const struct row *row), void *ctx);

/* Only what is not in the base; meant for disks that hide nothing of it. */
void disk_visit_own(const struct disk *d,
                    void (*visit)(void *ctx, const struct row *row),
                    void *ctx);
bool disk_hides(const struct disk *d);       /* is a row of the base deleted? */
size_t disk_rows_most(const struct disk *d); /* no more than so many, with what is pending */

/* A base image: `rows` are added by image_put(), then it is only read. */
void image_put(struct store *s, struct disk_image *image, const struct row *row);
void image_fini(struct disk_image *image);

#endif
