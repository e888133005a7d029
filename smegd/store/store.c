/*
 * Rows in and out, and when they are durable.
 *
 * A transaction is open from the first put to the commit.  The caller decides how long that is: a
 * counter is put and committed before the message leaves that depends on it, and takes along
 * whatever lazy rows were waiting.  One connection and one transaction make that order plain: there
 * is no commit that could overtake another.
 *
 * Every error of a write is final (see the header).  A retry was rejected: after a failed fsync(2)
 * Linux marks the pages clean, so a second one succeeds without having written anything.
 *
 * What is read is checked as if a stranger had sent it: types, bounds, order (pages that changed
 * places pass sqlite's quick_check), and the hash over the row.
 * The hash covers a hash of the value instead of the value, so that no copy of a secret is made.
 */
#include "smegd/store/store.h"

#include "base/key.h"
#include "smegd/store/store_priv.h"

#include <assert.h>
#include <string.h>

#define SUM_BYTES 16
#define SUM_LABEL "smegmesh row"
#define SUM_VALUE_LABEL "smegmesh value"

enum column {
	COLUMN_TABLE,
	COLUMN_MESH,
	COLUMN_KEY,
	COLUMN_VALUE,
	COLUMN_SUM
};

static const char *const sql[STORE__COUNT] = {
	[STORE_SELECT] = "SELECT tab, mesh, key, value, sum FROM row ORDER BY tab, mesh, key",
	[STORE_PUT] = "REPLACE INTO row (tab, mesh, key, value, sum) VALUES (?, ?, ?, ?, ?)",
	[STORE_DELETE] = "DELETE FROM row WHERE tab = ? AND mesh = ? AND key = ?",
	[STORE_BEGIN] = "BEGIN IMMEDIATE",
	[STORE_COMMIT] = "COMMIT",
};

static void row_sum(const struct row *row, uint8_t out[SUM_BYTES])
{
	uint8_t buffer[16 + MESH_ID_BYTES + ROW_KEY_BYTES_MAX + KEY_BYTES];
	uint8_t value[KEY_BYTES];
	char mesh[MESH_ID_BYTES] = { 0 }; /* what stands behind its end is nothing that is kept */
	struct writer w;
	struct bytes all;

	hash_labelled(SUM_VALUE_LABEL, row->value.at, row->value.count, value, sizeof(value));
	memcpy(mesh, row->mesh, strlen(row->mesh));
	writer_init(&w, buffer, sizeof(buffer));
	write_u8(&w, (uint8_t)row->table);
	write_copy(&w, mesh, sizeof(mesh));
	write_u8(&w, (uint8_t)row->key.count);
	write_copy(&w, row->key.at, row->key.count);
	write_copy(&w, value, sizeof(value));
	all = writer_bytes(&w);
	assert(w.err == 0);
	hash_labelled(SUM_LABEL, all.at, all.count, out, SUM_BYTES);
}

/* Borrows until the next step.  `ret` is never NULL, for that would mean deletion. */
static int column_read(sqlite3_stmt *st, enum column i, size_t max, struct bytes *ret)
{
	static const uint8_t nothing;
	const void *at;
	int count;

	if (sqlite3_column_type(st, (int)i) != SQLITE_BLOB)
		return SQLITE_CORRUPT;
	at = sqlite3_column_blob(st, (int)i);
	count = sqlite3_column_bytes(st, (int)i);
	if (count < 0 || (size_t)count > max)
		return SQLITE_CORRUPT;
	if (count > 0 && !at)
		return SQLITE_NOMEM;
	*ret = (struct bytes){ count > 0 ? at : &nothing, (size_t)count };
	return SQLITE_OK;
}

static int mesh_read(sqlite3_stmt *st, char out[MESH_ID_BYTES])
{
	const char *text;
	int count;

	if (sqlite3_column_type(st, COLUMN_MESH) != SQLITE_TEXT)
		return SQLITE_CORRUPT;
	text = (const char *)sqlite3_column_text(st, COLUMN_MESH);
	count = sqlite3_column_bytes(st, COLUMN_MESH);
	if (!text)
		return SQLITE_NOMEM;
	if (count < 0 || count >= MESH_ID_BYTES || strlen(text) != (size_t)count)
		return SQLITE_CORRUPT;
	memset(out, 0, MESH_ID_BYTES);
	memcpy(out, text, (size_t)count);
	return SQLITE_OK;
}

/* The row that the statement stands on; a sqlite result code. */
static int row_read(sqlite3_stmt *st, struct row *row)
{
	sqlite3_int64 table = sqlite3_column_int64(st, COLUMN_TABLE);
	uint8_t expected[SUM_BYTES];
	struct bytes sum;
	int rc;

	if (table <= 0 || table >= ROW__COUNT)
		return SQLITE_CORRUPT;
	row->table = (enum row_table)table;
	rc = mesh_read(st, row->mesh);
	if (rc == SQLITE_OK)
		rc = column_read(st, COLUMN_KEY, ROW_KEY_BYTES_MAX, &row->key);
	if (rc == SQLITE_OK)
		rc = column_read(st, COLUMN_VALUE, STORE_VALUE_BYTES_MAX, &row->value);
	if (rc == SQLITE_OK)
		rc = column_read(st, COLUMN_SUM, SUM_BYTES, &sum);
	if (rc != SQLITE_OK)
		return rc;
	row_sum(row, expected);
	if (!bytes_equal(sum, (struct bytes){ expected, SUM_BYTES }))
		return SQLITE_CORRUPT;
	return SQLITE_OK;
}

static int row_fault(struct store *s, int rc, struct diag *diag)
{
	if (rc == SQLITE_CORRUPT)
		return store_refuse(ERR_DAMAGED_STORE, "read", s->path,
		                    "the database is damaged: a row is not what was written", diag);
	return store_fault(s->db, rc, "read", s->path, diag);
}

/* Where a row stands in the order of loading; a copy, as what was read is gone with the next. */
struct place {
	size_t count;
	uint8_t at[1 + MESH_ID_BYTES + ROW_KEY_BYTES_MAX];
};

static void place_of(struct place *p, const struct row *row)
{
	struct writer w;

	writer_init(&w, p->at, sizeof(p->at));
	write_u8(&w, (uint8_t)row->table);
	write_copy(&w, row->mesh, sizeof(row->mesh));
	write_copy(&w, row->key.at, row->key.count);
	assert(w.err == 0);
	p->count = w.count;
}

/* Read the row that the statement stands on, which must come after `last`; moves that on. */
static int row_next(sqlite3_stmt *st, struct place *last, struct row *row)
{
	struct place place;
	int rc = row_read(st, row);

	if (rc != SQLITE_OK)
		return rc;
	place_of(&place, row);
	if (bytes_compare((struct bytes){ last->at, last->count },
	                  (struct bytes){ place.at, place.count }) >= 0)
		return SQLITE_CORRUPT;
	*last = place;
	return SQLITE_OK;
}

int store_load(struct store *s,
               int (*visit)(void *ctx, const struct row *row),
               void *ctx,
               struct diag *diag)
{
	sqlite3_stmt *st = s->statements[STORE_SELECT];
	struct place last = { 0 };
	int err = 0;

	assert(!s->is_loading);
	s->is_loading = true;
	while (err == 0) {
		struct row row;
		int rc = sqlite3_step(st);

		if (rc == SQLITE_DONE)
			break;
		if (rc != SQLITE_ROW) {
			err = store_fault(s->db, rc, "read", s->path, diag);
			break;
		}
		rc = row_next(st, &last, &row);
		err = rc == SQLITE_OK ? visit(ctx, &row) : row_fault(s, rc, diag);
	}
	sqlite3_reset(st);
	s->is_loading = false;
	return err;
}

/* No way on: keep the words, drop the transaction, leave the files as they are. */
static int give_up(struct store *s, int rc, struct diag *diag)
{
	s->err = store_fault(s->db, rc, "write to", s->path, &s->why);
	sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	s->is_dirty = false;
	if (diag)
		*diag = s->why;
	return s->err;
}

/* The same words as before. */
static int given_up(const struct store *s, struct diag *diag)
{
	if (diag)
		*diag = s->why;
	return s->err;
}

static int bind_bytes(sqlite3_stmt *st, int i, struct bytes b)
{
	/* A NULL pointer would be bound as SQL's NULL. */
	if (b.count == 0)
		return sqlite3_bind_zeroblob(st, i, 0);
	return sqlite3_bind_blob(st, i, b.at, (int)b.count, SQLITE_STATIC);
}

static int bind_row(sqlite3_stmt *st, const struct row *row, struct bytes sum)
{
	int rc = sqlite3_bind_int(st, 1, (int)row->table);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 2, row->mesh, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = bind_bytes(st, 3, row->key);
	if (rc == SQLITE_OK && row->value.at)
		rc = bind_bytes(st, 4, row->value);
	if (rc == SQLITE_OK && row->value.at)
		rc = bind_bytes(st, 5, sum);
	return rc;
}

/* Run a statement that yields no rows. */
static int run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int write_row(struct store *s, const struct row *row)
{
	sqlite3_stmt *st = s->statements[row->value.at ? STORE_PUT : STORE_DELETE];
	uint8_t sum[SUM_BYTES] = { 0 };
	int rc;

	if (row->value.at)
		row_sum(row, sum);
	rc = bind_row(st, row, (struct bytes){ sum, sizeof(sum) });
	if (rc == SQLITE_OK)
		rc = run(st);
	sqlite3_clear_bindings(st);
	return rc;
}

int store_put(struct store *s, const struct row *row, struct diag *diag)
{
	int rc = SQLITE_OK;

	assert(!s->is_loading);
	assert(row->table > 0 && row->table < ROW__COUNT);
	assert(memchr(row->mesh, 0, sizeof(row->mesh)));
	if (s->err)
		return given_up(s, diag);
	if (row->key.count > ROW_KEY_BYTES_MAX || row->value.count > STORE_VALUE_BYTES_MAX)
		return store_refuse(ERR_TOO_BIG, "write a row to", s->path, NULL, diag);
	if (!s->is_dirty)
		rc = run(s->statements[STORE_BEGIN]);
	if (rc == SQLITE_OK)
		rc = write_row(s, row);
	if (rc != SQLITE_OK)
		return give_up(s, rc, diag);
	s->is_dirty = true;
	return 0;
}

int store_commit(struct store *s, struct diag *diag)
{
	int rc;

	assert(!s->is_loading);
	if (s->err)
		return given_up(s, diag);
	if (!s->is_dirty)
		return 0;
	rc = run(s->statements[STORE_COMMIT]);
	if (rc != SQLITE_OK)
		return give_up(s, rc, diag);
	s->is_dirty = false;
	return 0;
}

bool store_is_dirty(const struct store *s)
{
	return s->is_dirty;
}

int store_prepare(struct store *s)
{
	for (size_t i = 0; i < STORE__COUNT; i++) {
		int rc;

		assert(!s->statements[i]);
		rc = sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
		                        &s->statements[i], NULL);
		if (rc != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}

void store_close(struct store *s)
{
	int err;

	if (!s)
		return;
	err = store_commit(s, NULL);
	/* After an error the log is what we know: the next start reads it, not we. */
	store_free(s, err == 0);
}
