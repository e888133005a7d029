/*
 * From what sqlite says to our errors, and to words for people.
 *
 * The system's own error is passed on where sqlite kept it: "disk I/O error" is true of a pulled
 * disk and of an exceeded quota, but what to do about them differs.  SQLITE_ERROR, that is SQL
 * which does not compile or run, counts as damage: our SQL is fixed, so it is the schema that is
 * not ours.
 */
#include "smegd/store/store_priv.h"

#include <errno.h>

static const struct {
	int err;
	const char *text;
} hints[] = {
	{ ERR_DAMAGED_STORE,
	  "restore a backup (without its old -wal), or move it away and join again" },
	{ ERR_NEWER_STORE,
	  "install the newer smegd again, or restore a backup of before the upgrade" },
	{ ERR_BUSY, "stop the other daemon, or give this one another state directory" },
	{ -ENOSPC, "free some space on that disk and start smegd again" },
	{ -EDQUOT, "raise the quota or free some space, and start smegd again" },
	{ -EIO, "look into the kernel's log (dmesg) for errors of the disk" },
	{ -EACCES, "make the user that smegd runs as the owner of the directory and its files" },
	{ -EPERM, "make the user that smegd runs as the owner of the directory and its files" },
	{ -EROFS, "mount that file system writable, or choose another state directory" },
	{ -ENOENT, "create the directory first: install -d -m 700 DIRECTORY" },
	{ -ENOTDIR, "choose another state directory" },
};

static int fault_system(sqlite3 *db)
{
	int error = db ? sqlite3_system_errno(db) : 0;

	return error > 0 ? -error : -EIO;
}

static int fault_code(sqlite3 *db, int rc)
{
	switch (rc) {
	case SQLITE_IOERR_NOMEM:
		return -ENOMEM;
	case SQLITE_IOERR_CORRUPTFS:
	case SQLITE_IOERR_DATA:
	case SQLITE_IOERR_SHORT_READ:
		return ERR_DAMAGED_STORE;
	}
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return fault_system(db);
	case SQLITE_ERROR:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return ERR_DAMAGED_STORE;
	default:
		return ERR_INTERNAL;
	}
}

int store_refuse(int err, const char *what, const char *path, const char *why, struct diag *diag)
{
	diag_set(diag, err, "cannot %s %s: %s", what, path, why ? why : err_text(err));
	for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
		if (hints[i].err == err)
			diag_hint(diag, "%s", hints[i].text);
	}
	return err;
}

int store_fault(sqlite3 *db, int rc, const char *what, const char *path, struct diag *diag)
{
	int err = fault_code(db, rc);
	char why[256];

	/* sqlite's words say more than ours where it is about its own matters. */
	if (db && (err == ERR_DAMAGED_STORE || err == ERR_INTERNAL)) {
		sqlite3_snprintf((int)sizeof(why), why, "%s: %s", err_text(err),
		                 sqlite3_errmsg(db));
		return store_refuse(err, what, path, why, diag);
	}
	return store_refuse(err, what, path, NULL, diag);
}
