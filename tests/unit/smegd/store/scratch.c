/*
 * Small helpers for the store's tests; all of them fail the running test when they cannot.
 */
#include "tests/unit/smegd/store/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void scratch_init(struct scratch *s)
{
	/* In memory, where there is such a place: thousands of syncs of a busy disk take minutes.
	 */
	snprintf(s->directory, sizeof(s->directory), "%s/smeg-store-XXXXXX",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(s->directory));
	snprintf(s->path, sizeof(s->path), "%s/smegd.db", s->directory);
}

void scratch_fini(struct scratch *s)
{
	DIR *d = opendir(s->directory);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d))) {
		char name[SCRATCH_BYTES + sizeof(e->d_name)];

		snprintf(name, sizeof(name), "%s/%s", s->directory, e->d_name);
		if (e->d_name[0] != '.')
			unlink(name);
	}
	closedir(d);
	assert_int_equal(rmdir(s->directory), 0);
}

bool file_is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

uint8_t *file_read(const char *path, size_t *ret_count)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *at;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	at = malloc((size_t)st.st_size + 1);
	assert_non_null(at);
	assert_int_equal(read(fd, at, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_count = (size_t)st.st_size;
	return at;
}

void file_write(const char *path, const void *at, size_t count)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, at, count), count);
	close(fd);
}

void file_copy(const char *from, const char *to)
{
	size_t count;
	uint8_t *at = file_read(from, &count);

	file_write(to, at, count);
	free(at);
}

static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };

void picture_take(struct picture *p, const char *path)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char name[SCRATCH_BYTES * 2];
		size_t count;
		uint8_t *at;

		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		if (!file_is_there(name))
			continue;
		at = file_read(name, &count);
		hash_labelled("picture", at, count, p->files[i].b, KEY_BYTES);
		free(at);
	}
}

void picture_assert_same(const struct picture *p, const char *path)
{
	struct picture now;

	picture_take(&now, path);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		if (!key_equal(&p->files[i], &now.files[i]))
			fail_msg("%s%s was changed", path, suffixes[i]);
	}
}

struct row row_of(enum row_table table, const char *mesh, const char *key, const char *value)
{
	struct row row = {
		.table = table,
		.key = { (const uint8_t *)key, strlen(key) },
		.value = { (const uint8_t *)value, value ? strlen(value) : 0 },
	};

	snprintf(row.mesh, sizeof(row.mesh), "%s", mesh);
	return row;
}

void rows_keep(struct store *s, const struct row *rows, size_t count)
{
	struct diag diag = { 0 };

	for (size_t i = 0; i < count; i++)
		assert_int_equal(store_put(s, &rows[i], &diag), 0);
	assert_int_equal(store_commit(s, &diag), 0);
}

struct printer {
	char *out;
	size_t cap;
	size_t count;
};

static void print(struct printer *p, const char *text)
{
	p->count += (size_t)snprintf(p->out + p->count, p->cap - p->count, "%s", text);
	assert_true(p->count < p->cap);
}

static void print_bytes(struct printer *p, struct bytes b)
{
	for (size_t i = 0; i < b.count; i++) {
		char c[2] = { (char)b.at[i], 0 };

		print(p, b.at[i] > 32 && b.at[i] < 127 ? c : "?");
	}
}

static int print_row(void *ctx, const struct row *row)
{
	struct printer *p = ctx;
	char table[2] = { (char)('0' + row->table), 0 };

	print(p, table);
	print(p, "/");
	print(p, row->mesh);
	print(p, "/");
	print_bytes(p, row->key);
	print(p, "=");
	assert_non_null(row->value.at);
	print_bytes(p, row->value);
	print(p, " ");
	return 0;
}

void rows_text(struct store *s, char *out, size_t cap)
{
	struct printer p = { out, cap, 0 };
	struct diag diag = { 0 };

	out[0] = 0;
	if (store_load(s, print_row, &p, &diag) != 0)
		fail_msg("%s", diag.text);
}

struct store *open_good(const char *path)
{
	struct diag diag = { 0 };
	struct store *s = NULL;

	if (store_open(path, NULL, &s, &diag) != 0)
		fail_msg("%s", diag.text);
	return s;
}

int open_error(const char *path, struct diag *diag)
{
	struct store *s = NULL;
	int err;

	memset(diag, 0, sizeof(*diag));
	err = store_open(path, NULL, &s, diag);
	if (err == 0) {
		store_close(s);
	} else {
		assert_null(s);
		assert_non_null(strstr(diag->text, "cannot"));
		assert_non_null(strchr(diag->text, '/'));
	}
	return err;
}
