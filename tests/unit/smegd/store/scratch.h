/*
 * What the store's tests share: a directory that goes away, rows at hand, and files by their hash.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_STORE_SCRATCH_H
#define SMEG_TESTS_UNIT_SMEGD_STORE_SCRATCH_H

#include "tests/unit/unit.h"

#include "base/key.h"
#include "smegd/store/store.h"

#define SCRATCH_BYTES 128

struct scratch {
	char directory[SCRATCH_BYTES / 2];
	char path[SCRATCH_BYTES]; /* of a database, not made yet */
};

/* The bytes of a database and of what may lie beside it; zero: not there. */
struct picture {
	struct key files[4];
};

void scratch_init(struct scratch *s);
void scratch_fini(struct scratch *s); /* removes the directory and the files in it */

void picture_take(struct picture *p, const char *path);
void picture_assert_same(const struct picture *p, const char *path);

/* The whole file; the caller frees it. */
uint8_t *file_read(const char *path, size_t *ret_count);
void file_write(const char *path, const void *at, size_t count);
void file_copy(const char *from, const char *to);
bool file_is_there(const char *path);

/* A row of texts; `value` NULL: deletion.  Borrows. */
struct row row_of(enum row_table table, const char *mesh, const char *key, const char *value);

/* Puts and commits, asserting success. */
void rows_keep(struct store *s, const struct row *rows, size_t count);

/* "table/mesh/key=value " for each row; bytes that do not print as '?'. */
void rows_text(struct store *s, char *out, size_t cap);

/* Opens, asserting success. */
struct store *open_good(const char *path);

/* The error of opening, asserting that there are words; closes when it succeeds. */
int open_error(const char *path, struct diag *diag);

#endif
