/*
 * Prints the rows of a store as text, for tests, also while a daemon has it open:
 *
 *	storedump DATABASE
 *
 * One line for each row, in order, of four words: the table (mesh, state, invite, counter, seen),
 * the mesh id, the key and the value in hexadecimal; an empty one is "-".  This prints secret keys.
 *
 * The daemon lets nobody else in, so a copy is read.  The log is copied before and after the file:
 * if it has not changed, nothing was committed meanwhile, and whatever is just being moved from it
 * into the file is in the copy of the log too.
 *
 * Exit status: 0, 1 when the database cannot be read (words on standard error), 2 for bad usage.
 */
#include "smegd/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 200
#define PAUSE_US 10000
#define NAME_BYTES (PATH_MAX + 16)

struct content {
	uint8_t *at; /* NULL: there is no file */
	size_t count;
};

static void content_fini(struct content *c)
{
	free(c->at);
	*c = (struct content){ 0 };
}

/* 0 or -errno; a file that is not there is none. */
static int content_read(struct content *c, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t got;

	*c = (struct content){ 0 };
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0 || !(c->at = malloc((size_t)st.st_size + 1))) {
		close(fd);
		return -ENOMEM;
	}
	while (c->count < (size_t)st.st_size) {
		got = read(fd, c->at + c->count, (size_t)st.st_size - c->count);
		if (got <= 0)
			break;
		c->count += (size_t)got;
	}
	close(fd);
	return 0;
}

static int content_write(const struct content *c, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool is_whole = fd >= 0 && write(fd, c->at, c->count) == (ssize_t)c->count;

	if (fd >= 0)
		close(fd);
	return is_whole ? 0 : -EIO;
}

static bool content_equal(const struct content *a, const struct content *b)
{
	return !a->at == !b->at && a->count == b->count &&
	       (a->count == 0 || memcmp(a->at, b->at, a->count) == 0);
}

static int copy_once(const char *path, struct content *ret_file, struct content *ret_log)
{
	struct content again = { 0 };
	char log[NAME_BYTES];
	int err;

	snprintf(log, sizeof(log), "%s-wal", path);
	err = content_read(ret_log, log);
	if (!err)
		err = content_read(ret_file, path);
	if (!err)
		err = content_read(&again, log);
	if (!err && !ret_file->at)
		err = -ENOENT;
	if (!err && !content_equal(ret_log, &again))
		err = -EAGAIN;
	content_fini(&again);
	return err;
}

/* A copy in `to` and `to`-wal, of one moment. */
static int copy(const char *path, const char *to)
{
	char log[NAME_BYTES];
	int err = -EAGAIN;

	snprintf(log, sizeof(log), "%s-wal", to);
	for (int i = 0; i < TRIES && err == -EAGAIN; i++) {
		struct content file = { 0 };
		struct content content = { 0 };

		if (i > 0)
			usleep(PAUSE_US);
		err = copy_once(path, &file, &content);
		if (!err)
			err = content_write(&file, to);
		if (!err && content.at)
			err = content_write(&content, log);
		content_fini(&file);
		content_fini(&content);
	}
	return err;
}

static void print_hex(struct bytes b)
{
	putchar(' ');
	if (b.count == 0)
		putchar('-');
	for (size_t i = 0; i < b.count; i++)
		printf("%02x", b.at[i]);
}

static int print_row(void *ctx, const struct row *row)
{
	static const char *const tables[ROW__COUNT] = {
		[ROW_MESH] = "mesh",       [ROW_STATE] = "state", [ROW_INVITE] = "invite",
		[ROW_COUNTER] = "counter", [ROW_SEEN] = "seen",
	};

	(void)ctx;
	printf("%s %s", tables[row->table], row->mesh[0] ? row->mesh : "-");
	print_hex(row->key);
	print_hex(row->value);
	putchar('\n');
	return 0;
}

static int dump(const char *path)
{
	struct diag diag = { 0 };
	struct store *s = NULL;
	int err = store_open(path, NULL, &s, &diag);

	if (!err)
		err = store_load(s, print_row, NULL, &diag);
	if (err)
		fprintf(stderr, "storedump: %s\n", diag.text);
	store_close(s);
	return err;
}

int main(int argc, char **argv)
{
	static const char *const suffixes[] = { "", "-wal", "-lock" };
	char directory[] = "/tmp/storedump-XXXXXX";
	char path[64];
	char name[80];
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: storedump DATABASE\n");
		return 2;
	}
	if (!mkdtemp(directory)) {
		fprintf(stderr, "storedump: cannot make %s: %s\n", directory, strerror(errno));
		return 1;
	}
	snprintf(path, sizeof(path), "%s/copy", directory);
	err = copy(argv[1], path);
	if (err)
		fprintf(stderr, "storedump: cannot copy %s: %s\n", argv[1], err_text(err));
	else
		err = dump(path);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
	rmdir(directory);
	return err || fflush(stdout) != 0;
}
