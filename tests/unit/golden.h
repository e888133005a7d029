/*
 * Compare text with a file of tests/golden, byte for byte; with UPDATE=1 in the environment write
 * the file instead.  Run from the root of the tree, as `make unit` does.
 */
#ifndef SMEG_TESTS_UNIT_GOLDEN_H
#define SMEG_TESTS_UNIT_GOLDEN_H

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void golden_write(const char *path, const char *text, size_t bytes)
{
	FILE *f = fopen(path, "we");

	if (!f)
		fail_msg("cannot write %s", path);
	assert_int_equal(fwrite(text, 1, bytes, f), bytes);
	assert_int_equal(fclose(f), 0);
}

/* The line where they part. */
static inline int golden_line(const char *a, const char *b, size_t bytes)
{
	int line = 1;

	for (size_t i = 0; i < bytes && a[i] == b[i]; i++)
		line += a[i] == '\n';
	return line;
}

/* `name` is below tests/golden. */
static inline void golden_assert(const char *name, const char *text, size_t bytes)
{
	const char *update = getenv("UPDATE");
	char path[256];
	char *want = malloc(bytes + 1);
	size_t got;
	FILE *f;

	assert_non_null(want);
	snprintf(path, sizeof(path), "tests/golden/%s", name);
	if (update && strcmp(update, "1") == 0)
		golden_write(path, text, bytes);
	f = fopen(path, "re");
	if (!f)
		fail_msg("cannot read %s (UPDATE=1 makes it)", path);
	got = fread(want, 1, bytes + 1, f);
	fclose(f);
	if (got != bytes || memcmp(want, text, bytes) != 0)
		fail_msg("%s differs at line %d; it is now:\n%s", path,
		         golden_line(want, text, got < bytes ? got : bytes), text);
	free(want);
}

#endif
