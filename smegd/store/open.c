/*
 * Opening the database: lock, create, inspect, adopt, and closing it.
 *
 *   lock      flock(2) on a file beside the database.  It goes with the process, however that
 *             ends, and it tells a second daemon before this one has touched a byte.
 *   create    under another name, which takes the real one when all is on the disk.  So a file of
 *             the real name is a whole database, and an empty or short one is damage: taking that
 *             for a new one would make a new identity and lose the old.
 *   inspect   header, version, structure, rows.  Nothing is written before all of it was found
 *             good: the connection is told to leave the log alone (sqlite would move it into the
 *             database when closing), and an empty log that sqlite made is taken away again.
 *   adopt     migrate, in one transaction that a damaged row rolls back; empty the log.
 *
 * sqlite runs in locking_mode=EXCLUSIVE, set before the first read: then it keeps the log's index
 * in its own memory and there is no -shm file, and other programs cannot write.  That alone was
 * rejected as the lock between daemons, as it is only taken after the file was read, and as
 * fcntl(2) locks vanish when anyone in the process closes the same file.
 *
 * A log without its database is refused as well: sqlite would replay it into the new one.
 *
 * Rows are read once, at start; after that a commit needs the few pages on the way to a row.  So
 * sqlite keeps little of the database in memory: by default it would hold two megabytes for ever,
 * as much as three thousand members take themselves.  A large transaction spills into the log.
 */
#include "smegd/store/store_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_WAIT_MS 1000 /* for somebody who makes a copy just now */

const char *store_beside(char out[STORE_NAME_BYTES], const struct store *s, const char *suffix)
{
	snprintf(out, STORE_NAME_BYTES, "%s%s", s->path, suffix);
	return out;
}

static const char *directory_of(char out[STORE_NAME_BYTES], const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash)
		snprintf(out, STORE_NAME_BYTES, "%.*s", (int)MAX_OF(slash - path, 1), path);
	else
		snprintf(out, STORE_NAME_BYTES, ".");
	return out;
}

bool store_has(const struct store *s, const char *suffix)
{
	char name[STORE_NAME_BYTES];
	struct stat st;

	return lstat(store_beside(name, s, suffix), &st) == 0;
}

/* Without links, as sqlite puts the log beside the file itself; so all names lead to one lock. */
static int path_resolve(struct store *s, const char *path, struct diag *diag)
{
	const char *slash = strrchr(path, '/');
	char directory[STORE_NAME_BYTES];
	char resolved[PATH_MAX];
	struct stat st;
	int count;

	if (realpath(path, s->path)) {
		/* Said here, or the lock would be made beside the directory. */
		if (stat(s->path, &st) == 0 && S_ISDIR(st.st_mode))
			return store_refuse(-EISDIR, "open the database", path, NULL, diag);
		return 0;
	}
	if (errno != ENOENT)
		return store_refuse(-errno, "open the database", path, NULL, diag);
	if (strlen(path) >= PATH_MAX || !realpath(directory_of(directory, path), resolved))
		return store_refuse(-errno, "open the database", path, NULL, diag);
	count = snprintf(s->path, PATH_MAX, "%s/%s", resolved, slash ? slash + 1 : path);
	if (count >= PATH_MAX)
		return store_refuse(-ENAMETOOLONG, "open the database", path, NULL, diag);
	return 0;
}

static int lock_busy(struct store *s, struct diag *diag)
{
	char why[64] = "another daemon has it open";
	char holder[16] = { 0 };

	if (pread(s->lock_fd, holder, sizeof(holder) - 1, 0) > 0 && atoi(holder) > 0)
		snprintf(why, sizeof(why), "process %d has it open", atoi(holder));
	return store_refuse(ERR_BUSY, "open the database", s->path, why, diag);
}

static int lock_take(struct store *s, struct diag *diag)
{
	char name[STORE_NAME_BYTES];

	s->lock_fd = open(store_beside(name, s, "-lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return store_refuse(-errno, "open", name, NULL, diag);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return lock_busy(s, diag);
		return store_refuse(-errno, "lock", name, NULL, diag);
	}
	/* For the words of whoever comes next; a full disk must not keep us from starting. */
	if (ftruncate(s->lock_fd, 0) < 0 || dprintf(s->lock_fd, "%d\n", (int)getpid()) < 0)
		return 0;
	return 0;
}

int store_connect(struct store *s, const char *name)
{
	int rc = sqlite3_open_v2(
		name, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
		s->vfs);

	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(s->db, BUSY_WAIT_MS);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db,
		                  "PRAGMA locking_mode=EXCLUSIVE;" /* before anything is read */
		                  "PRAGMA temp_store=MEMORY;"
		                  "PRAGMA cache_size=-128;" /* see above; KiB */
		                  "PRAGMA trusted_schema=OFF;"
		                  "PRAGMA cell_size_check=ON;"
		                  "PRAGMA secure_delete=ON;" /* keys of a mesh that was left */
		                  "PRAGMA journal_size_limit=16777216;"
		                  "PRAGMA synchronous=FULL",
		                  NULL, NULL, NULL);
	return rc;
}

/* An empty file with our mode, whatever the umask; sqlite gives its log the same mode. */
static int make_empty(const char *name, struct diag *diag)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int err = 0;

	if (fd < 0 || fchmod(fd, 0600) < 0)
		err = store_refuse(-errno, "create", name, NULL, diag);
	if (fd >= 0)
		close(fd);
	return err;
}

static int remove_leftovers(struct store *s, struct diag *diag)
{
	static const char *const suffixes[] = { "-new", "-new-journal", "-new-wal" };
	sqlite3_vfs *vfs = sqlite3_vfs_find(s->vfs);
	char name[STORE_NAME_BYTES];

	if (!vfs)
		return store_refuse(ERR_INTERNAL, "open", s->path, "no such VFS", diag);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		int rc = vfs->xDelete(vfs, store_beside(name, s, suffixes[i]), 0);

		if (rc != SQLITE_OK && rc != SQLITE_IOERR_DELETE_NOENT)
			return store_refuse(-EIO, "remove", name, NULL, diag);
	}
	return 0;
}

/* Make the names in the database's directory durable. */
static int directory_sync(const struct store *s)
{
	char name[STORE_NAME_BYTES];
	int fd = open(directory_of(name, s->path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = 0;

	/* Some file systems cannot, and say so. */
	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * Write a new database to `name`.  In sqlite's rollback mode, which syncs at the commit; switching
 * to the log comes last, as the format number in the header.
 */
static int fill(struct store *s, struct migrations list, const char *name, struct diag *diag)
{
	char pragma[64];
	int err = 0;
	int rc;

	snprintf(pragma, sizeof(pragma), "PRAGMA application_id=%d", STORE_APPLICATION_ID);
	rc = store_connect(s, name);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, pragma, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = store_migrate(s->db, list, 0);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	if (rc != SQLITE_OK)
		err = store_fault(s->db, rc, "create", name, diag);
	sqlite3_close(s->db);
	s->db = NULL;
	return err;
}

static int create(struct store *s, struct migrations list, struct diag *diag)
{
	char name[STORE_NAME_BYTES];
	int err;

	if (store_has(s, "-wal") || store_has(s, "-journal"))
		return store_refuse(ERR_DAMAGED_STORE, "open the database", s->path,
		                    "it is gone, but its log (-wal or -journal) is there", diag);
	err = remove_leftovers(s, diag);
	if (!err)
		err = make_empty(store_beside(name, s, "-new"), diag);
	if (!err)
		err = fill(s, list, name, diag);
	if (err)
		return err;
	if (rename(name, s->path) < 0)
		return store_refuse(-errno, "create", s->path, NULL, diag);
	err = directory_sync(s);
	return err ? store_refuse(err, "create", s->path, NULL, diag) : 0;
}

/* To the newest version, or not at all: the rows are looked at before it is committed. */
static int upgrade(struct store *s, struct migrations list, int version, struct diag *diag)
{
	int err;
	int rc = sqlite3_exec(s->db,
	                      "PRAGMA cache_spill=OFF;" /* or the log could grow before that */
	                      "BEGIN IMMEDIATE",
	                      NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = store_migrate(s->db, list, version);
	if (rc != SQLITE_OK)
		return store_fault(s->db, rc, "upgrade the database", s->path, diag);
	err = store_inspect_rows(s, diag);
	if (err)
		return err;
	rc = sqlite3_exec(s->db, "COMMIT; PRAGMA cache_spill=ON", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return store_fault(s->db, rc, "upgrade the database", s->path, diag);
	return 0;
}

/* A copy that was put back is often readable by all, and there are secrets in it. */
static void hide(const struct store *s)
{
	static const char *const suffixes[] = { "", "-wal" };
	char name[STORE_NAME_BYTES];
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		store_beside(name, s, suffixes[i]);
		if (stat(name, &st) == 0 && (st.st_mode & 077) != 0 && chmod(name, 0600) < 0)
			continue; /* not ours, then: its owner has decided */
	}
}

static int adopt(struct store *s, struct migrations list, int version, struct diag *diag)
{
	int err;
	int rc;

	if ((size_t)version < list.count)
		err = upgrade(s, list, version, diag);
	else
		err = store_inspect_rows(s, diag);
	if (err)
		return err;
	hide(s);
	/* See log.c.  With no log this does nothing. */
	rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc != SQLITE_OK)
		return store_fault(s->db, rc, "write to", s->path, diag);
	return 0;
}

/* A database that was refused is left as it was found: without the empty log that sqlite made. */
static void remove_empty_log(struct store *s)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(s->vfs);
	char name[STORE_NAME_BYTES];
	struct stat st;

	if (stat(store_beside(name, s, "-wal"), &st) == 0 && st.st_size == 0)
		vfs->xDelete(vfs, name, 0);
}

int store_open_with(const char *path,
                    const char *vfs,
                    struct migrations list,
                    struct store **ret,
                    struct diag *diag)
{
	struct store *s = calloc(1, sizeof(*s));
	int version = 0;
	int err;

	assert(list.count > 0);
	if (!s)
		return store_refuse(-ENOMEM, "open the database", path, NULL, diag);
	s->lock_fd = -1;
	s->vfs = vfs;
	err = path_resolve(s, path, diag);
	if (!err)
		err = lock_take(s, diag);
	if (!err && !store_has(s, ""))
		err = create(s, list, diag);
	if (!err)
		err = store_inspect(s, list.count, &version, diag);
	if (!err)
		err = adopt(s, list, version, diag);
	if (err) {
		store_free(s, false);
		return err;
	}
	*ret = s;
	return 0;
}

int store_open(const char *path, const char *vfs, struct store **ret, struct diag *diag)
{
	return store_open_with(path, vfs, store_migrations, ret, diag);
}

void store_free(struct store *s, bool tidy)
{
	for (size_t i = 0; i < STORE__COUNT; i++)
		sqlite3_finalize(s->statements[i]);
	if (s->db) {
		sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !tidy, NULL);
		sqlite3_close(s->db);
		if (!tidy && !s->had_log)
			remove_empty_log(s);
	}
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s);
}
