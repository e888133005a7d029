/*
 * The model of a disk behind the "torn" VFS.
 *
 * An inode holds its durable bytes and the operations since the last sync.  A name leads to two
 * inodes, the durable one and the current one, each of which may be none; they differ between
 * creation or removal and the next sync of the directory.  The files themselves, which the default
 * VFS works on, always have the current content, so that reading needs no model.
 *
 * What a sync promises is taken from sqlite's unix VFS: xSync makes the file durable, and the first
 * one on a journal or log that it created makes the directory durable; xDelete does if it is asked
 * to.  A sync that failed loses for good what it should have written, as on Linux: no later sync
 * brings it back.
 *
 * What may happen at a crash, chosen anew for each: all pieces of unsynced writes have one chance
 * to survive, between never and always; they are applied in order, or shuffled.  A lost piece
 * behind the end of the file may leave zeros or garbage there, as after delayed allocation.  A
 * surviving piece is whole: sqlite relies on a sector being so (and on its neighbours being left
 * alone, its POWERSAFE_OVERWRITE).
 *
 * Names that the store creates or renames by itself, not through sqlite, count as durable at once;
 * a renamed file must have no unsynced operation (asserted), which is the rule for renaming.
 *
 * There are no xShm methods: with this VFS a log works in locking_mode=EXCLUSIVE only, and a store
 * that forgot that fails here.
 */
#include "tests/unit/smegd/store/tornvfs.h"

#include "base/list.h"
#include "base/rng.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR_BYTES 512
#define NAMES_MAX 16
#define NAME_BYTES 512

struct content {
	uint8_t *at;
	size_t count;
	size_t cap;
};

/* A write of one piece within a sector, or a truncation. */
struct piece {
	struct list link;
	bool is_truncation;
	bool is_lost; /* by a sync that failed */
	size_t offset;
	size_t count; /* at a truncation 0 */
	uint8_t data[SECTOR_BYTES];
};

struct inode {
	size_t refs; /* from names and open files */
	struct content durable;
	struct list pieces;   /* struct piece.link, oldest first */
	bool names_directory; /* the first sync is of the directory too */
};

struct name {
	char path[NAME_BYTES];
	struct inode *durable;
	struct inode *current;
};

struct torn_file {
	sqlite3_file base;
	struct inode *inode; /* NULL: not watched */
	sqlite3_file *real;  /* follows this struct */
};

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	struct rng rng;
	struct torn_plan plan;
	uint64_t operations;
	bool is_dead;
	struct name names[NAMES_MAX];
	size_t names_count;
} torn;

static bool chance(unsigned percent)
{
	return rng_below(&torn.rng, 100) < percent;
}

/* --- content ----------------------------------------------------------------------------- */

static void content_resize(struct content *c, size_t count)
{
	if (count > c->cap) {
		c->cap = MAX_OF(count, 2 * c->cap);
		c->at = realloc(c->at, c->cap);
		assert(c->at);
	}
	if (count > c->count)
		memset(c->at + c->count, 0, count - c->count);
	c->count = count;
}

static struct content content_read(const char *path)
{
	struct content c = { 0 };
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert(fd >= 0 && fstat(fd, &st) == 0);
	content_resize(&c, (size_t)st.st_size);
	assert(pread(fd, c.at, c.count, 0) == (ssize_t)c.count);
	close(fd);
	return c;
}

static void content_write(const char *path, const struct content *c)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert(fd >= 0);
	assert(pwrite(fd, c->at, c->count, 0) == (ssize_t)c->count);
	close(fd);
}

static void piece_apply(struct content *c, const struct piece *p)
{
	if (p->is_truncation) {
		content_resize(c, p->offset);
		return;
	}
	if (c->count < p->offset + p->count)
		content_resize(c, p->offset + p->count);
	memcpy(c->at + p->offset, p->data, p->count);
}

/* What did not reach the disk may still have moved the end of the file. */
static void piece_lose(struct content *c, const struct piece *p)
{
	size_t old = c->count;

	if (p->is_truncation || p->offset + p->count <= old || chance(50))
		return;
	content_resize(c, p->offset + p->count);
	if (chance(50))
		rng_bytes(&torn.rng, c->at + old, c->count - old);
}

/* --- inodes and names ---------------------------------------------------------------------- */

static struct inode *inode_new(struct content c)
{
	struct inode *i = calloc(1, sizeof(*i));

	assert(i);
	i->durable = c;
	list_init(&i->pieces);
	return i;
}

static void pieces_free(struct inode *i)
{
	while (!list_is_empty(&i->pieces)) {
		struct piece *p = container_of(i->pieces.next, struct piece, link);

		list_remove(&p->link);
		free(p);
	}
}

static void inode_put(struct inode *i)
{
	if (!i || --i->refs > 0)
		return;
	pieces_free(i);
	free(i->durable.at);
	free(i);
}

static void inode_set(struct inode **at, struct inode *i)
{
	if (i)
		i->refs++;
	inode_put(*at);
	*at = i;
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* The name as it is now; one that the model does not know, or not so, was made without sqlite. */
static struct name *name_at(const char *path)
{
	struct name *n = torn.names;

	while (n < torn.names + torn.names_count && strcmp(n->path, path) != 0)
		n++;
	if (n == torn.names + torn.names_count) {
		assert(torn.names_count < NAMES_MAX && strlen(path) < NAME_BYTES);
		torn.names_count++;
		strcpy(n->path, path);
	}
	if (n->current && !is_file(path)) {
		assert(list_is_empty(&n->current->pieces));
		inode_set(&n->current, NULL);
		inode_set(&n->durable, NULL);
	} else if (!n->current && is_file(path)) {
		inode_set(&n->current, inode_new(content_read(path)));
		inode_set(&n->durable, n->current);
	}
	return n;
}

static void names_sync(void)
{
	for (size_t i = 0; i < torn.names_count; i++)
		inode_set(&torn.names[i].durable, torn.names[i].current);
}

static void names_forget(void)
{
	for (size_t i = 0; i < torn.names_count; i++) {
		inode_set(&torn.names[i].durable, NULL);
		inode_set(&torn.names[i].current, NULL);
	}
	torn.names_count = 0;
}

static void inode_sync(struct inode *i)
{
	struct list *pos;
	struct list *tmp;

	list_for_each_safe(pos, tmp, &i->pieces) {
		struct piece *p = container_of(pos, struct piece, link);

		if (!p->is_lost)
			piece_apply(&i->durable, p);
		list_remove(&p->link);
		free(p);
	}
	if (i->names_directory)
		names_sync();
	i->names_directory = false;
}

static void inode_lose(struct inode *i)
{
	struct list *pos;

	list_for_each(pos, &i->pieces)
		container_of(pos, struct piece, link)->is_lost = true;
}

static void inode_add(struct inode *i, const uint8_t *data, size_t count, size_t offset)
{
	while (count > 0) {
		struct piece *p = calloc(1, sizeof(*p));

		assert(p);
		p->offset = offset;
		p->count = MIN_OF(count, SECTOR_BYTES - offset % SECTOR_BYTES);
		memcpy(p->data, data, p->count);
		list_add(&i->pieces, &p->link);
		data += p->count;
		offset += p->count;
		count -= p->count;
	}
}

/* --- operations ------------------------------------------------------------------------------ */

enum fate {
	FATE_DONE,
	FATE_FAILED,
	FATE_DEAD
};

static enum fate operation(void)
{
	const struct torn_plan *p = &torn.plan;

	if (torn.is_dead)
		return FATE_DEAD;
	torn.operations++;
	if (p->fail_at > 0 &&
	    (p->fails_once ? torn.operations == p->fail_at : torn.operations >= p->fail_at))
		return FATE_FAILED;
	if (torn.operations == p->crash_at) {
		torn.is_dead = true;
		return FATE_DEAD;
	}
	return FATE_DONE;
}

static int fail(int rc)
{
	errno = torn.plan.fault == TORN_FULL ? ENOSPC : EIO;
	return rc;
}

/* What of a write that failed was done: it ends with a sector. */
static int half_of(int count, sqlite3_int64 offset)
{
	sqlite3_int64 end = (offset + count / 2) / SECTOR_BYTES * SECTOR_BYTES;

	return end > offset ? (int)(end - offset) : 0;
}

static int torn_write(sqlite3_file *file, const void *data, int count, sqlite3_int64 offset)
{
	struct torn_file *f = (struct torn_file *)file;
	bool was_dead = torn.is_dead;
	enum fate fate = operation();
	int rc;

	if (was_dead)
		return fail(SQLITE_IOERR_WRITE);
	if (fate == FATE_FAILED)
		count = half_of(count, offset);
	rc = f->real->pMethods->xWrite(f->real, data, count, offset);
	assert(rc == SQLITE_OK);
	if (f->inode)
		inode_add(f->inode, data, (size_t)count, (size_t)offset);
	if (fate == FATE_DONE)
		return SQLITE_OK;
	if (fate == FATE_FAILED && torn.plan.fault == TORN_FULL)
		return SQLITE_FULL;
	return fail(SQLITE_IOERR_WRITE);
}

static int torn_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct torn_file *f = (struct torn_file *)file;
	bool was_dead = torn.is_dead;
	enum fate fate = operation();
	struct piece *p;
	int rc;

	if (was_dead || (fate == FATE_FAILED && torn.plan.fault != TORN_FULL))
		return fail(SQLITE_IOERR_TRUNCATE);
	rc = f->real->pMethods->xTruncate(f->real, size);
	assert(rc == SQLITE_OK);
	if (f->inode) {
		p = calloc(1, sizeof(*p));
		assert(p);
		p->is_truncation = true;
		p->offset = (size_t)size;
		list_add(&f->inode->pieces, &p->link);
	}
	return fate == FATE_DEAD ? fail(SQLITE_IOERR_TRUNCATE) : SQLITE_OK;
}

static int torn_sync(sqlite3_file *file, int flags)
{
	struct torn_file *f = (struct torn_file *)file;
	bool was_dead = torn.is_dead;
	enum fate fate = operation();

	(void)flags;
	if (was_dead)
		return fail(SQLITE_IOERR_FSYNC);
	if (fate == FATE_FAILED && torn.plan.fault != TORN_FULL) {
		if (f->inode)
			inode_lose(f->inode);
		return fail(SQLITE_IOERR_FSYNC);
	}
	/* The power may go just after the disk had all. */
	if (f->inode && !torn.plan.ignores_syncs && (fate != FATE_DEAD || chance(25)))
		inode_sync(f->inode);
	return fate == FATE_DEAD ? fail(SQLITE_IOERR_FSYNC) : SQLITE_OK;
}

static int torn_read(sqlite3_file *file, void *data, int count, sqlite3_int64 offset)
{
	struct torn_file *f = (struct torn_file *)file;

	if (torn.is_dead)
		return fail(SQLITE_IOERR_READ);
	return f->real->pMethods->xRead(f->real, data, count, offset);
}

static int torn_close(sqlite3_file *file)
{
	struct torn_file *f = (struct torn_file *)file;

	inode_set(&f->inode, NULL);
	return f->real->pMethods->xClose(f->real);
}

static int torn_file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	struct torn_file *f = (struct torn_file *)file;

	return f->real->pMethods->xFileSize(f->real, ret);
}

static int torn_lock(sqlite3_file *file, int level)
{
	struct torn_file *f = (struct torn_file *)file;

	return f->real->pMethods->xLock(f->real, level);
}

static int torn_unlock(sqlite3_file *file, int level)
{
	struct torn_file *f = (struct torn_file *)file;

	return f->real->pMethods->xUnlock(f->real, level);
}

static int torn_check_reserved_lock(sqlite3_file *file, int *ret)
{
	struct torn_file *f = (struct torn_file *)file;

	return f->real->pMethods->xCheckReservedLock(f->real, ret);
}

static int torn_file_control(sqlite3_file *file, int op, void *arg)
{
	struct torn_file *f = (struct torn_file *)file;

	/* The one that would change the file behind our back. */
	if (op == SQLITE_FCNTL_SIZE_HINT)
		return SQLITE_NOTFOUND;
	return f->real->pMethods->xFileControl(f->real, op, arg);
}

static int torn_sector_size(sqlite3_file *file)
{
	(void)file;
	return SECTOR_BYTES;
}

static int torn_characteristics(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods torn_methods = {
	.iVersion = 1,
	.xClose = torn_close,
	.xRead = torn_read,
	.xWrite = torn_write,
	.xTruncate = torn_truncate,
	.xSync = torn_sync,
	.xFileSize = torn_file_size,
	.xLock = torn_lock,
	.xUnlock = torn_unlock,
	.xCheckReservedLock = torn_check_reserved_lock,
	.xFileControl = torn_file_control,
	.xSectorSize = torn_sector_size,
	.xDeviceCharacteristics = torn_characteristics,
};

/* Creating a file is an operation, opening one is not. */
static int torn_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret)
{
	struct torn_file *f = (struct torn_file *)file;
	struct name *n = path ? name_at(path) : NULL;
	bool creates = n && !n->current && (flags & SQLITE_OPEN_CREATE);
	bool was_dead = torn.is_dead;
	enum fate fate = creates ? operation() : FATE_DONE;
	int rc;

	(void)vfs;
	memset(f, 0, sizeof(*f));
	f->real = (sqlite3_file *)(f + 1);
	if (was_dead || fate == FATE_FAILED)
		return fail(SQLITE_CANTOPEN);
	rc = torn.real->xOpen(torn.real, path, f->real, flags, ret);
	if (rc != SQLITE_OK)
		return rc;
	if (creates) {
		inode_set(&n->current, inode_new((struct content){ 0 }));
		n->current->names_directory = true;
	}
	if (n)
		inode_set(&f->inode, n->current);
	f->base.pMethods = &torn_methods;
	if (fate == FATE_DEAD) {
		torn_close(file);
		f->base.pMethods = NULL;
		return fail(SQLITE_CANTOPEN);
	}
	return SQLITE_OK;
}

static int torn_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
	struct name *n = name_at(path);
	bool was_dead = torn.is_dead;
	enum fate fate;

	(void)vfs;
	if (!n->current)
		return SQLITE_IOERR_DELETE_NOENT;
	fate = operation();
	if (was_dead || (fate == FATE_FAILED && torn.plan.fault != TORN_FULL))
		return fail(SQLITE_IOERR_DELETE);
	assert(unlink(path) == 0);
	inode_set(&n->current, NULL);
	if (fate == FATE_DEAD)
		return fail(SQLITE_IOERR_DELETE);
	if (sync_directory && !torn.plan.ignores_syncs)
		names_sync();
	return SQLITE_OK;
}

static int torn_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
	(void)vfs;
	return torn.real->xAccess(torn.real, path, flags, ret);
}

static int torn_full_pathname(sqlite3_vfs *vfs, const char *path, int cap, char *out)
{
	(void)vfs;
	return torn.real->xFullPathname(torn.real, path, cap, out);
}

static int torn_randomness(sqlite3_vfs *vfs, int count, char *out)
{
	(void)vfs;
	rng_bytes(&torn.rng, out, (size_t)count);
	return count;
}

static int torn_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int torn_current_time(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	*ret = 2460000.5;
	return SQLITE_OK;
}

static int torn_last_error(sqlite3_vfs *vfs, int count, char *out)
{
	(void)vfs;
	(void)count;
	(void)out;
	return errno;
}

static void torn_register(void)
{
	torn.real = sqlite3_vfs_find(NULL);
	assert(torn.real);
	torn.vfs = (sqlite3_vfs){
		.iVersion = 1,
		.szOsFile = (int)sizeof(struct torn_file) + torn.real->szOsFile,
		.mxPathname = NAME_BYTES - 1,
		.zName = TORNVFS,
		.xOpen = torn_open,
		.xDelete = torn_delete,
		.xAccess = torn_access,
		.xFullPathname = torn_full_pathname,
		.xRandomness = torn_randomness,
		.xSleep = torn_sleep,
		.xCurrentTime = torn_current_time,
		.xGetLastError = torn_last_error,
	};
	assert(sqlite3_vfs_register(&torn.vfs, 0) == SQLITE_OK);
}

/* --- the crash -------------------------------------------------------------------------------- */

static void shuffle(struct piece **pieces, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t other = rng_below(&torn.rng, i);
		struct piece *tmp = pieces[i - 1];

		pieces[i - 1] = pieces[other];
		pieces[other] = tmp;
	}
}

static void inode_tear(struct inode *i, unsigned survival_percent, bool is_ordered)
{
	struct piece **pieces;
	struct list *pos;
	size_t count = 0;

	list_for_each(pos, &i->pieces)
		count++;
	pieces = calloc(count + 1, sizeof(*pieces));
	assert(pieces);
	count = 0;
	list_for_each(pos, &i->pieces)
		pieces[count++] = container_of(pos, struct piece, link);
	if (!is_ordered)
		shuffle(pieces, count);
	for (size_t p = 0; p < count; p++) {
		if (chance(survival_percent))
			piece_apply(&i->durable, pieces[p]);
		else
			piece_lose(&i->durable, pieces[p]);
	}
	free(pieces);
	pieces_free(i);
}

void torn_crash(void)
{
	static const unsigned survivals[] = { 0, 10, 50, 90, 99, 100 };
	unsigned survival = survivals[rng_below(&torn.rng, ARRAY_LEN(survivals))];
	bool is_ordered = chance(50);

	for (size_t i = 0; i < torn.names_count; i++) {
		struct name *n = name_at(torn.names[i].path);
		struct inode *found = chance(50) ? n->durable : n->current;

		if (found) {
			inode_tear(found, survival, is_ordered);
			content_write(n->path, &found->durable);
		} else if (n->current) {
			assert(unlink(n->path) == 0);
		}
	}
	names_forget();
	torn.is_dead = false;
	torn.plan = (struct torn_plan){ 0 };
}

void torn_plan(const struct torn_plan *plan)
{
	torn.plan = *plan;
	torn.operations = 0;
}

void torn_start(const struct torn_plan *plan)
{
	uint8_t seed[RNG_SEED_BYTES] = { 0 };

	if (!torn.real)
		torn_register();
	memcpy(seed, &plan->seed, sizeof(plan->seed));
	rng_init(&torn.rng, seed);
	/* sqlite draws the numbers in its log itself. */
	sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(plan->seed & 0x7fffffff) | 1, NULL);
	names_forget();
	torn.is_dead = false;
	torn_plan(plan);
}

uint64_t torn_operations(void)
{
	return torn.operations;
}

bool torn_is_dead(void)
{
	return torn.is_dead;
}
