/*
 * The daemon's memory: one sqlite database with rows of (table, mesh, key) -> value.
 *
 * What a value means is the core's business; here it is bytes.  Durable puts are on the disk
 * (write-ahead log, synchronous=FULL) when store_commit() returns; others may wait for the next
 * commit.  Refuses a database that is newer or damaged, and changes nothing in it then.
 */
#ifndef SMEG_SMEGD_STORE_STORE_H
#define SMEG_SMEGD_STORE_STORE_H

#include "base/bytes.h"
#include "base/err.h"
#include "smegd/core/row.h"

struct store;

/*
 * Open or create `path` (mode 0600, its directory must exist), migrate it to the newest schema.
 *
 * vfs  name of a sqlite VFS, NULL for the default; tests use one that loses unsynced writes.
 * ERR_NEWER_STORE, ERR_DAMAGED_STORE, ERR_BUSY (another daemon has it), -errno; words in `diag`.
 */
int store_open(const char *path, const char *vfs, struct store **ret, struct diag *diag) MUST_CHECK;
void store_close(struct store *s); /* commits what is pending; NULL is fine */

/* Visit every row in (table, mesh, key) order.  `row` is borrowed; a non-zero return ends it. */
int store_load(struct store *s, int (*visit)(void *ctx, const struct row *row), void *ctx,
	       struct diag *diag) MUST_CHECK;

/*
 * Put (or, with value.at == NULL, delete) a row in the open transaction; opens one if need be.
 * Visible to store_load() at once, durable after store_commit().
 */
int store_put(struct store *s, const struct row *row, struct diag *diag) MUST_CHECK;

/* End the transaction, if one is open, durably. */
int store_commit(struct store *s, struct diag *diag) MUST_CHECK;

/* Is anything waiting for a commit? */
bool store_is_dirty(const struct store *s);

#endif
