/*
 * The daemon's memory: one sqlite database with rows of (table, mesh, key) -> value.
 *
 * What a value means is the core's business; here it is bytes.  Durable puts are on the disk
 * (write-ahead log, synchronous=FULL) when store_commit() returns; others may wait for the next
 * commit.  Refuses a database that is newer or damaged, and changes nothing in it then.
 *
 * Beside `path` lie `path`-wal (part of the database: copy both, stopped) and `path`-lock (empty
 * but for the number of the process that has it; it stays, and is only held while that one lives).
 */
#ifndef SMEG_SMEGD_STORE_STORE_H
#define SMEG_SMEGD_STORE_STORE_H

#include "base/bytes.h"
#include "base/err.h"
#include "smegd/core/row.h"

#define STORE_VALUE_BYTES_MAX 65536u /* no frame is larger */

struct store;

/*
 * Open or create `path` (mode 0600, its directory must exist), migrate it to the newest schema.
 * Reads every row once, to see that none is damaged.
 *
 * vfs  name of a sqlite VFS, NULL for the default; tests use one that loses unsynced writes.
 * ERR_NEWER_STORE, ERR_DAMAGED_STORE, ERR_BUSY (another daemon has it), -errno; words in `diag`.
 */
int store_open(const char *path, const char *vfs, struct store **ret, struct diag *diag) MUST_CHECK;

/*
 * Commits what is pending; NULL is fine.  That last commit's failure shows nowhere: who cares calls
 * store_commit() first.
 */
void store_close(struct store *s);

/*
 * Visit every row in (table, mesh, key) order.  `row` is borrowed; a non-zero return ends it and is
 * returned.  The visitor must not call the store.  ERR_DAMAGED_STORE, -errno.
 */
int store_load(struct store *s,
               int (*visit)(void *ctx, const struct row *row),
               void *ctx,
               struct diag *diag) MUST_CHECK;

/*
 * Put (or, with value.at == NULL, delete) a row in the open transaction; opens one if need be.
 * Visible to store_load() at once, durable after store_commit().
 *
 * ERR_TOO_BIG (key over ROW_KEY_BYTES_MAX, value over STORE_VALUE_BYTES_MAX) changes nothing. After
 * any other error, also of store_commit(), the open transaction is gone and the store takes no
 * more: each later put or commit returns the same error again, and the daemon must end.  It could
 * not go on, for after a failed sync nobody knows what is on the disk; the next store_open() reads
 * it.  Of the transaction that failed, that one finds all or nothing.
 */
int store_put(struct store *s, const struct row *row, struct diag *diag) MUST_CHECK;

/* End the transaction, if one is open, durably.  Errors: see store_put(). */
int store_commit(struct store *s, struct diag *diag) MUST_CHECK;

/* Is anything waiting for a commit? */
bool store_is_dirty(const struct store *s);

#endif
