/*
 * What the files of the store share, and its tests.
 */
#ifndef SMEG_SMEGD_STORE_STORE_PRIV_H
#define SMEG_SMEGD_STORE_STORE_PRIV_H

#include "smegd/store/store.h"

#include <limits.h>
#include <sqlite3.h>

#define STORE_APPLICATION_ID 0x536d6567  /* "Smeg", in the file's header */
#define STORE_NAME_BYTES (PATH_MAX + 32) /* a path and what is appended to it */

/* Step `number` leads from schema version number - 1 to number; a list begins with number 1. */
struct migration {
	int number;
	const char *sql;
};

struct migrations {
	const struct migration *at;
	size_t count; /* also the version that the last one leads to */
};

extern const struct migrations store_migrations;

enum store_statement {
	STORE_SELECT,
	STORE_PUT,
	STORE_DELETE,
	STORE_BEGIN,
	STORE_COMMIT,
	STORE__COUNT,
};

struct store {
	char path[PATH_MAX]; /* absolute, without symbolic links */
	const char *vfs;     /* NULL: sqlite's default */
	int lock_fd;         /* -1: none */
	bool had_log;        /* there was a write-ahead log when we came */
	bool is_dirty;       /* a transaction is open */
	bool is_loading;
	int err;         /* the error that ended it, see store_put(), */
	struct diag why; /* and its words */
	sqlite3 *db;
	sqlite3_stmt *statements[STORE__COUNT];
};

/* store_open() with another list of migrations. */
int store_open_with(const char *path,
                    const char *vfs,
                    struct migrations list,
                    struct store **ret,
                    struct diag *diag) MUST_CHECK;

/* Run the migrations beyond `version`, within the caller's transaction; a sqlite result code. */
int store_migrate(sqlite3 *db, struct migrations list, int version) MUST_CHECK;

/* Compile the statements against the newest schema; a sqlite result code. */
int store_prepare(struct store *s) MUST_CHECK;

/* `path` and a suffix; returns `out`. */
const char *store_beside(char out[STORE_NAME_BYTES], const struct store *s, const char *suffix);

/* Is there a file of that name? */
bool store_has(const struct store *s, const char *suffix);

/* Open a connection to `name` that writes nothing by itself; a sqlite result code. */
int store_connect(struct store *s, const char *name) MUST_CHECK;

/*
 * Is the database ours, not newer than `newest`, and its structure whole?  Connects, writes
 * nothing. ERR_NEWER_STORE, ERR_DAMAGED_STORE, ERR_BUSY, -errno.
 */
int store_inspect(struct store *s, size_t newest, int *ret_version, struct diag *diag) MUST_CHECK;

/* Is the log beside it broken other than by a power failure?  ERR_DAMAGED_STORE, -errno. */
int store_inspect_log(struct store *s, struct diag *diag) MUST_CHECK;

/* Compile the statements, read every row. */
int store_inspect_rows(struct store *s, struct diag *diag) MUST_CHECK;

/* Let go of everything.  The log stays as it is, unless `tidy`: then it is moved into the file. */
void store_free(struct store *s, bool tidy);

/*
 * Our error for the sqlite result code `rc` of `db` (may be NULL), with words and a hint:
 * "cannot `what` `path`: ...".
 */
int store_fault(sqlite3 *db, int rc, const char *what, const char *path, struct diag *diag)
	MUST_CHECK;

/* The same for an error of ours or -errno; `why` NULL: its text. */
int store_refuse(int err, const char *what, const char *path, const char *why, struct diag *diag)
	MUST_CHECK;

#endif
