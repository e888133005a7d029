/*
 * Is a database ours, not newer, and whole?
 *
 * Four looks, each of which trusts what the one before has shown.  The header, read without
 * sqlite, which on a stranger's file would roll a journal back or delete a log.  The log, as sqlite
 * does not mind if it is broken (log.c).  Then version and structure through sqlite, with the log:
 * its pages count, and it can have another version than the file.  A newer one is not checked
 * further, as it may hold what this sqlite cannot read.  Then the rows.  quick_check(1) stops at
 * the first fault and leaves out what only matters for indexes; there are none.
 */
#include "smegd/store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_BYTES 100
#define HEADER_MAGIC "SQLite format 3" /* with its 0 it is 16 bytes */
#define FORMAT_LOG 2                   /* the file format's number of "write-ahead log" */

/* What of the header (https://sqlite.org/fileformat.html, section 1.3) can be judged alone. */
struct header {
	bool is_file;
	bool has_magic;
	uint32_t page_bytes;
	uint32_t pages;
	uint8_t write_format;
	uint8_t read_format;
	uint32_t version;
	uint32_t application_id;
	int64_t file_bytes;
};

static int header_read(struct store *s, struct header *ret, struct diag *diag)
{
	uint8_t raw[HEADER_BYTES] = { 0 };
	struct stat st = { 0 };
	ssize_t count = 0;
	struct reader r;
	/* For writing, though we only read: only so does the system say now why we may not. */
	int fd = open(s->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		count = pread(fd, raw, sizeof(raw), 0);
	if (fd < 0 || count < 0) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return store_refuse(err, "open the database", s->path, NULL, diag);
	}
	close(fd);
	reader_init(&r, (struct bytes){ raw, sizeof(raw) });
	ret->is_file = S_ISREG(st.st_mode);
	ret->file_bytes = st.st_size;
	ret->has_magic = bytes_equal(read_bytes(&r, 16),
	                             (struct bytes){ (const uint8_t *)HEADER_MAGIC, 16 });
	ret->page_bytes = read_u16(&r);
	if (ret->page_bytes == 1)
		ret->page_bytes = 65536;
	ret->write_format = read_u8(&r);
	ret->read_format = read_u8(&r);
	read_bytes(&r, 8);
	ret->pages = read_u32(&r);
	read_bytes(&r, 28);
	ret->version = read_u32(&r);
	read_bytes(&r, 4);
	ret->application_id = read_u32(&r);
	return 0;
}

static int newer(const struct store *s, long version, size_t newest, struct diag *diag)
{
	char why[128];

	snprintf(why, sizeof(why),
	         "its schema has the number %ld, and this smegd knows them up to %zu", version,
	         newest);
	return store_refuse(ERR_NEWER_STORE, "use the database", s->path, why, diag);
}

static int damaged(const struct store *s, const char *how, struct diag *diag)
{
	char why[320];

	snprintf(why, sizeof(why), "%s: %s", err_text(ERR_DAMAGED_STORE), how);
	return store_refuse(ERR_DAMAGED_STORE, "use the database", s->path, why, diag);
}

/* Before sqlite comes near: it would roll a foreign journal back, or delete a log. */
static int inspect_header(struct store *s, size_t newest, struct diag *diag)
{
	struct header h = { 0 };
	int err = header_read(s, &h, diag);

	if (err)
		return err;
	if (!h.is_file)
		return damaged(s, "it is not a file", diag);
	if (h.file_bytes == 0)
		return damaged(s, "it is empty", diag);
	if (!h.has_magic)
		return damaged(s, "it is no sqlite database", diag);
	if (h.application_id != STORE_APPLICATION_ID)
		return damaged(s, "it belongs to another program", diag);
	if (h.version <= INT32_MAX && h.version > newest)
		return newer(s, (long)h.version, newest, diag);
	if (h.version == 0 || h.version > newest)
		return damaged(s, "its schema has no number", diag);
	if (h.write_format != FORMAT_LOG || h.read_format != FORMAT_LOG)
		return damaged(s, "its format is not the one with a write-ahead log", diag);
	/* With a log, the end of the file may be there. */
	if (h.page_bytes < 512 || h.file_bytes < h.page_bytes ||
	    (!s->had_log && h.file_bytes / h.page_bytes < h.pages))
		return damaged(s, "it is cut off", diag);
	if (store_has(s, "-journal"))
		return damaged(s, "there is a -journal beside it, which is not ours", diag);
	return 0;
}

/* The first column of the first row, on one line; cut off at `cap`. */
static int ask(sqlite3 *db, const char *question, char *out, size_t cap)
{
	sqlite3_stmt *st = NULL;
	const char *text;
	int rc = sqlite3_prepare_v2(db, question, -1, &st, NULL);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		text = (const char *)sqlite3_column_text(st, 0);
		snprintf(out, cap, "%s", text ? text : "");
		for (char *c = out; (c = strchr(c, '\n'));)
			*c = ' ';
		rc = text ? SQLITE_OK : SQLITE_NOMEM;
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_CORRUPT;
	}
	sqlite3_finalize(st);
	return rc;
}

/* What the log adds can have another version than the file. */
static int inspect_structure(struct store *s, size_t newest, int *ret_version, struct diag *diag)
{
	char answer[256];
	int rc = store_connect(s, s->path);

	if (rc == SQLITE_OK)
		rc = ask(s->db, "PRAGMA user_version", answer, sizeof(answer));
	if (rc != SQLITE_OK)
		return store_fault(s->db, rc, "open the database", s->path, diag);
	*ret_version = atoi(answer);
	if (*ret_version > 0 && (size_t)*ret_version > newest)
		return newer(s, *ret_version, newest, diag);
	if (*ret_version <= 0)
		return damaged(s, "its schema has no number", diag);
	rc = ask(s->db, "PRAGMA quick_check(1)", answer, sizeof(answer));
	if (rc != SQLITE_OK)
		return store_fault(s->db, rc, "check the database", s->path, diag);
	if (strcmp(answer, "ok") != 0)
		return damaged(s, answer, diag);
	return 0;
}

static int visit_nothing(void *ctx, const struct row *row)
{
	(void)ctx;
	(void)row;
	return 0;
}

int store_inspect_rows(struct store *s, struct diag *diag)
{
	int rc = store_prepare(s);

	if (rc != SQLITE_OK)
		return store_fault(s->db, rc, "use the database", s->path, diag);
	return store_load(s, visit_nothing, NULL, diag);
}

int store_inspect(struct store *s, size_t newest, int *ret_version, struct diag *diag)
{
	int err;

	s->had_log = store_has(s, "-wal");
	err = inspect_header(s, newest, diag);
	if (!err && s->had_log)
		err = store_inspect_log(s, diag);
	if (err)
		return err;
	return inspect_structure(s, newest, ret_version, diag);
}
