/*
 * Every n-th request of sqlite for memory fails, once or from then on.
 *
 * The store must say -ENOMEM and nothing else, above all not that the database is damaged, and what
 * was committed must be there afterwards.  sqlite does without where it only wanted a cache.
 */
#include "tests/unit/smegd/store/scratch.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	sqlite3_mem_methods real;
	size_t calls;
	size_t fail_at; /* 0: none */
	bool fails_once;
} memory;

static bool is_refused(void)
{
	memory.calls++;
	if (memory.fail_at == 0)
		return false;
	return memory.fails_once ? memory.calls == memory.fail_at : memory.calls >= memory.fail_at;
}

static void *failing_malloc(int bytes)
{
	return is_refused() ? NULL : memory.real.xMalloc(bytes);
}

static void *failing_realloc(void *at, int bytes)
{
	return is_refused() ? NULL : memory.real.xRealloc(at, bytes);
}

static int count_row(void *ctx, const struct row *row)
{
	size_t *count = ctx;

	(void)row;
	++*count;
	return 0;
}

/* The first error; *ret_committed becomes 1 when the commit has returned. */
static int work(const char *path, size_t *ret_committed)
{
	static char big[5000];
	struct row row = row_of(ROW_STATE, "m", "k", "");
	struct diag diag = { 0 };
	struct store *s = NULL;
	size_t count = 0;
	int err = store_open(path, NULL, &s, &diag);

	*ret_committed = 0;
	row.value = (struct bytes){ (const uint8_t *)big, sizeof(big) };
	if (!err)
		err = store_put(s, &row, &diag);
	if (!err)
		err = store_commit(s, &diag);
	if (!err)
		*ret_committed = 1;
	if (!err)
		err = store_load(s, count_row, &count, &diag);
	if (err && !diag.text[0])
		fail_msg("no words");
	store_close(s);
	return err;
}

static void assert_found(const char *path, size_t committed)
{
	struct store *s = open_good(path);
	struct diag diag;
	size_t count = 0;

	assert_int_equal(store_load(s, count_row, &count, &diag), 0);
	assert_true(count >= committed);
	store_close(s);
}

static void walk(bool fails_once, bool exists)
{
	for (size_t n = 1;; n++) {
		struct scratch d;
		size_t committed;
		bool is_reached;
		int err;

		scratch_init(&d);
		if (exists)
			store_close(open_good(d.path));
		memory.calls = 0;
		memory.fails_once = fails_once;
		memory.fail_at = n;
		err = work(d.path, &committed);
		is_reached = memory.calls >= n;
		memory.fail_at = 0;
		if (err && err != -ENOMEM)
			fail_msg("request %zu: %d", n, err);
		assert_found(d.path, committed);
		scratch_fini(&d);
		if (!is_reached)
			break;
	}
}

static void test_no_memory_for_a_moment_is_told_as_such(void **state)
{
	(void)state;
	walk(true, true);
}

static void test_no_memory_for_good_is_told_as_such(void **state)
{
	(void)state;
	walk(false, true);
}

static void test_no_memory_while_creating_is_told_as_such(void **state)
{
	(void)state;
	walk(true, false);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory_for_a_moment_is_told_as_such),
		cmocka_unit_test(test_no_memory_for_good_is_told_as_such),
		cmocka_unit_test(test_no_memory_while_creating_is_told_as_such),
	};
	sqlite3_mem_methods failing;

	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory.real) != SQLITE_OK)
		return 1;
	failing = memory.real;
	failing.xMalloc = failing_malloc;
	failing.xRealloc = failing_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) != SQLITE_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
