/*
 * The contract of the header, on the real file system: rows in and out, who may open, with which
 * mode, and what is said when it cannot be.
 */
#include "tests/unit/smegd/store/scratch.h"

#include "smegd/store/store_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_rows(struct store *s, const char *expected)
{
	char text[2000];

	rows_text(s, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void test_rows_come_back_in_order_of_table_mesh_and_key(void **state)
{
	struct scratch d;
	struct store *s;
	const struct row rows[] = {
		row_of(ROW_SEEN, "b", "k", "last"), row_of(ROW_MESH, "b", "", "second"),
		row_of(ROW_STATE, "a", "k2", "4"),  row_of(ROW_STATE, "a", "k", "3"),
		row_of(ROW_MESH, "", "", "first"),  row_of(ROW_STATE, "a", "\xff", "5"),
	};

	(void)state;
	scratch_init(&d);
	s = open_good(d.path);
	assert_rows(s, "");
	rows_keep(s, rows, ARRAY_LEN(rows));
	assert_rows(s, "1//=first 1/b/=second 2/a/k=3 2/a/k2=4 2/a/?=5 5/b/k=last ");
	store_close(s);
	s = open_good(d.path);
	assert_rows(s, "1//=first 1/b/=second 2/a/k=3 2/a/k2=4 2/a/?=5 5/b/k=last ");
	store_close(s);
	scratch_fini(&d);
}

static void test_a_put_is_seen_at_once_and_waits_for_a_commit(void **state)
{
	struct scratch d;
	struct store *s;
	struct diag diag;
	struct row row = row_of(ROW_STATE, "m", "k", "v");

	(void)state;
	scratch_init(&d);
	s = open_good(d.path);
	assert_false(store_is_dirty(s));
	assert_int_equal(store_commit(s, &diag), 0);
	assert_int_equal(store_put(s, &row, &diag), 0);
	assert_true(store_is_dirty(s));
	assert_rows(s, "2/m/k=v ");
	assert_int_equal(store_commit(s, &diag), 0);
	assert_false(store_is_dirty(s));
	row = row_of(ROW_STATE, "m", "k", "w");
	assert_int_equal(store_put(s, &row, &diag), 0);
	store_close(s); /* commits */
	s = open_good(d.path);
	assert_rows(s, "2/m/k=w ");
	store_close(s);
	store_close(NULL);
	scratch_fini(&d);
}

static void test_no_value_deletes_and_an_empty_one_does_not(void **state)
{
	struct scratch d;
	struct store *s;
	const struct row put[] = { row_of(ROW_STATE, "m", "a", "1"),
		                   row_of(ROW_STATE, "m", "b", ""),
		                   row_of(ROW_INVITE, "m", "a", "2") };
	const struct row drop[] = { row_of(ROW_STATE, "m", "a", NULL),
		                    row_of(ROW_STATE, "m", "nobody", NULL) };

	(void)state;
	scratch_init(&d);
	s = open_good(d.path);
	rows_keep(s, put, ARRAY_LEN(put));
	rows_keep(s, drop, ARRAY_LEN(drop));
	assert_rows(s, "2/m/b= 3/m/a=2 ");
	store_close(s);
	s = open_good(d.path);
	assert_rows(s, "2/m/b= 3/m/a=2 ");
	store_close(s);
	scratch_fini(&d);
}

/* Three thousand members have come, in one transaction. */
static void test_many_rows_are_not_kept_in_memory(void **state)
{
	enum {
		ROWS = 6000,
		VALUE_BYTES = 300,
		MEMORY_MAX = 384 * 1024
	};
	struct scratch d;
	struct store *s;
	struct diag diag;
	char value[VALUE_BYTES + 1];
	char key[ROW_KEY_BYTES_MAX];

	(void)state;
	scratch_init(&d);
	s = open_good(d.path);
	memset(value, 'v', VALUE_BYTES);
	value[VALUE_BYTES] = 0;
	for (unsigned i = 0; i < ROWS; i++) {
		struct row row;

		snprintf(key, sizeof(key), "%08x", i * 2654435761u); /* no order in them */
		row = row_of(ROW_STATE, "m", key, value);
		assert_int_equal(store_put(s, &row, &diag), 0);
	}
	assert_in_range(sqlite3_memory_used(), 1, MEMORY_MAX);
	assert_int_equal(store_commit(s, &diag), 0);
	assert_in_range(sqlite3_memory_used(), 1, MEMORY_MAX);
	store_close(s);
	s = open_good(d.path);
	assert_in_range(sqlite3_memory_used(), 1, MEMORY_MAX);
	store_close(s);
	scratch_fini(&d);
}

static int count_row(void *ctx, const struct row *row)
{
	size_t *bytes = ctx;

	*bytes += row->key.count + row->value.count;
	return 0;
}

static void test_too_big_a_row_changes_nothing(void **state)
{
	static char big[STORE_VALUE_BYTES_MAX + 1];
	char key[ROW_KEY_BYTES_MAX + 1];
	struct scratch d;
	struct store *s;
	struct diag diag = { 0 };
	struct row row;
	size_t bytes = 0;

	(void)state;
	scratch_init(&d);
	s = open_good(d.path);
	memset(big, 'v', sizeof(big));
	memset(key, 'k', sizeof(key));
	row = row_of(ROW_STATE, "m", "a", "v");
	row.value = (struct bytes){ (const uint8_t *)big, sizeof(big) };
	assert_int_equal(store_put(s, &row, &diag), ERR_TOO_BIG);
	assert_non_null(strstr(diag.text, "smegd.db"));
	row.value.count = 1;
	row.key = (struct bytes){ (const uint8_t *)key, sizeof(key) };
	assert_int_equal(store_put(s, &row, &diag), ERR_TOO_BIG);
	assert_false(store_is_dirty(s));
	assert_rows(s, "");
	row.key.count = ROW_KEY_BYTES_MAX;
	row.value.count = STORE_VALUE_BYTES_MAX;
	rows_keep(s, &row, 1);
	store_close(s);
	s = open_good(d.path);
	assert_int_equal(store_load(s, count_row, &bytes, &diag), 0);
	assert_int_equal(bytes, ROW_KEY_BYTES_MAX + STORE_VALUE_BYTES_MAX);
	store_close(s);
	scratch_fini(&d);
}

static int stop_at_second(void *ctx, const struct row *row)
{
	int *count = ctx;

	(void)row;
	return ++*count == 2 ? ERR_LIMIT : 0;
}

static void test_a_visitor_can_stop_and_the_next_begins_anew(void **state)
{
	struct scratch d;
	struct store *s;
	struct diag diag;
	const struct row rows[] = { row_of(ROW_STATE, "m", "a", "1"),
		                    row_of(ROW_STATE, "m", "b", "2"),
		                    row_of(ROW_STATE, "m", "c", "3") };
	int count = 0;

	(void)state;
	scratch_init(&d);
	s = open_good(d.path);
	rows_keep(s, rows, ARRAY_LEN(rows));
	assert_int_equal(store_load(s, stop_at_second, &count, &diag), ERR_LIMIT);
	assert_int_equal(count, 2);
	assert_rows(s, "2/m/a=1 2/m/b=2 2/m/c=3 ");
	store_close(s);
	scratch_fini(&d);
}

static void test_what_stands_behind_the_mesh_id_does_not_count(void **state)
{
	struct scratch d;
	struct store *s;
	struct row row = row_of(ROW_STATE, "m", "a", "1");

	(void)state;
	scratch_init(&d);
	s = open_good(d.path);
	memset(row.mesh + 2, 'x', sizeof(row.mesh) - 2);
	rows_keep(s, &row, 1);
	assert_rows(s, "2/m/a=1 ");
	row = row_of(ROW_STATE, "m", "a", NULL);
	rows_keep(s, &row, 1);
	assert_rows(s, "");
	store_close(s);
	scratch_fini(&d);
}

/* --- files and processes ------------------------------------------------------------------ */

static void assert_mode(const char *path, const char *suffix, mode_t mode)
{
	char name[SCRATCH_BYTES * 2];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

static void test_only_the_owner_can_read_whatever_the_umask(void **state)
{
	static const mode_t masks[] = { 0, 022, 0377 };
	const struct row row = row_of(ROW_MESH, "m", "", "secret");
	struct scratch d;
	struct store *s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		mode_t old;

		scratch_init(&d);
		old = umask(masks[i]);
		s = open_good(d.path);
		rows_keep(s, &row, 1);
		umask(old);
		assert_mode(d.path, "", 0600);
		assert_mode(d.path, "-wal", 0600);
		store_close(s);
		/* As it is when a copy was put back. */
		assert_int_equal(chmod(d.path, 0644), 0);
		s = open_good(d.path);
		rows_keep(s, &row, 1);
		assert_mode(d.path, "", 0600);
		assert_mode(d.path, "-wal", 0600);
		store_close(s);
		scratch_fini(&d);
	}
}

static void test_a_second_daemon_is_refused_by_any_name(void **state)
{
	struct scratch d;
	struct store *s;
	struct diag diag;
	char link_name[SCRATCH_BYTES * 2];
	char process[32];

	(void)state;
	scratch_init(&d);
	s = open_good(d.path);
	assert_int_equal(open_error(d.path, &diag), ERR_BUSY);
	snprintf(process, sizeof(process), "process %d", (int)getpid());
	assert_non_null(strstr(diag.text, process));
	assert_true(diag.hint[0]);
	snprintf(link_name, sizeof(link_name), "%s/alias", d.directory);
	assert_int_equal(symlink("smegd.db", link_name), 0);
	assert_int_equal(open_error(link_name, &diag), ERR_BUSY);
	assert_non_null(strstr(diag.text, process)); /* by the same lock, not by sqlite's */
	store_close(s);
	assert_int_equal(open_error(link_name, &diag), 0);
	scratch_fini(&d);
}

/* Runs `child` in a process that it does not return from. */
static pid_t start(void (*child)(const char *path, int ready), const char *path)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		child(path, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return pid;
}

static void child_that_commits_and_puts(const char *path, int ready)
{
	struct store *s = open_good(path);
	const struct row kept = row_of(ROW_COUNTER, "", "c", "17");
	const struct row lost = row_of(ROW_STATE, "m", "k", "v");
	struct diag diag;

	rows_keep(s, &kept, 1);
	assert_int_equal(store_put(s, &lost, &diag), 0);
	assert_int_equal(write(ready, "", 1), 1);
	for (;;)
		pause();
}

static void test_a_killed_daemon_leaves_no_lock_and_what_it_committed(void **state)
{
	struct scratch d;
	struct diag diag;
	struct store *s;
	pid_t pid;

	(void)state;
	scratch_init(&d);
	pid = start(child_that_commits_and_puts, d.path);
	assert_int_equal(open_error(d.path, &diag), ERR_BUSY);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	s = open_good(d.path);
	assert_rows(s, "4//c=17 ");
	store_close(s);
	scratch_fini(&d);
}

static void test_another_program_cannot_write_meanwhile(void **state)
{
	struct scratch d;
	struct store *s;
	pid_t pid;
	int status;

	(void)state;
	scratch_init(&d);
	s = open_good(d.path);
	/* In a process of its own, as the system's locks are by process. */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sqlite3 *db = NULL;
		int rc = sqlite3_open(d.path, &db);

		if (rc == SQLITE_OK)
			rc = sqlite3_exec(db, "DELETE FROM row", NULL, NULL, NULL);
		_exit(rc == SQLITE_BUSY ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	store_close(s);
	scratch_fini(&d);
}

static void child_that_reads_with_sqlite(const char *path, int ready)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, "BEGIN; SELECT count(*) FROM row", NULL, NULL, NULL) != SQLITE_OK)
		_exit(1);
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void test_another_program_that_has_it_open_is_told_of(void **state)
{
	struct scratch d;
	struct diag diag;
	pid_t pid;

	(void)state;
	scratch_init(&d);
	store_close(open_good(d.path));
	pid = start(child_that_reads_with_sqlite, d.path);
	assert_int_equal(open_error(d.path, &diag), ERR_BUSY);
	assert_true(diag.hint[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(open_error(d.path, &diag), 0);
	scratch_fini(&d);
}

static void test_a_place_that_cannot_be_is_refused_with_words(void **state)
{
	static const struct {
		const char *name;
		int err;
		bool has_hint;
	} places[] = {
		{ "missing/smegd.db", -ENOENT, true },
		{ "file/smegd.db", -ENOTDIR, true },
		{ "", -EISDIR, false },
		{ "dangling/", -ENOENT, true },
	};
	char lock[SCRATCH_BYTES];
	struct scratch d;
	struct diag diag;

	(void)state;
	scratch_init(&d);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char name[SCRATCH_BYTES * 2];

		snprintf(name, sizeof(name), "%s/file", d.directory);
		file_write(name, "x", 1);
		snprintf(name, sizeof(name), "%s/%s", d.directory, places[i].name);
		assert_int_equal(open_error(name, &diag), places[i].err);
		assert_int_equal(diag.hint[0] != 0, places[i].has_hint);
	}
	snprintf(lock, sizeof(lock), "%s-lock", d.directory);
	assert_false(file_is_there(lock));
	scratch_fini(&d);
}

/* As somebody whom permissions mean something to. */
static int open_error_as_nobody(const char *path)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct diag diag;
		int err;

		if (geteuid() == 0 && seteuid(65534) != 0)
			_exit(99);
		err = open_error(path, &diag);
		if (err && !diag.hint[0])
			_exit(98);
		_exit(-err);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void test_a_directory_without_the_right_to_write_is_refused(void **state)
{
	struct scratch d;
	char lock[SCRATCH_BYTES * 2];

	(void)state;
	scratch_init(&d);
	assert_int_equal(chmod(d.directory, 0555), 0);
	assert_int_equal(open_error_as_nobody(d.path), -EACCES);
	assert_int_equal(chmod(d.directory, 0755), 0);
	/* The directory and the lock would do, the database does not. */
	store_close(open_good(d.path));
	snprintf(lock, sizeof(lock), "%s-lock", d.path);
	assert_int_equal(chmod(lock, 0666), 0);
	assert_int_equal(chmod(d.path, 0444), 0);
	assert_int_equal(chmod(d.directory, 0777), 0);
	assert_int_equal(open_error_as_nobody(d.path), -EACCES);
	scratch_fini(&d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_come_back_in_order_of_table_mesh_and_key),
		cmocka_unit_test(test_a_put_is_seen_at_once_and_waits_for_a_commit),
		cmocka_unit_test(test_no_value_deletes_and_an_empty_one_does_not),
		cmocka_unit_test(test_many_rows_are_not_kept_in_memory),
		cmocka_unit_test(test_too_big_a_row_changes_nothing),
		cmocka_unit_test(test_a_visitor_can_stop_and_the_next_begins_anew),
		cmocka_unit_test(test_what_stands_behind_the_mesh_id_does_not_count),
		cmocka_unit_test(test_only_the_owner_can_read_whatever_the_umask),
		cmocka_unit_test(test_a_second_daemon_is_refused_by_any_name),
		cmocka_unit_test(test_a_killed_daemon_leaves_no_lock_and_what_it_committed),
		cmocka_unit_test(test_another_program_cannot_write_meanwhile),
		cmocka_unit_test(test_another_program_that_has_it_open_is_told_of),
		cmocka_unit_test(test_a_place_that_cannot_be_is_refused_with_words),
		cmocka_unit_test(test_a_directory_without_the_right_to_write_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
