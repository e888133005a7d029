/*
 * Every n-th operation on the disk fails: a full disk, or an I/O error, once or from then on.
 *
 * Each time the caller must be told, in words, at the call that failed or not at all if what was
 * promised is kept; after that the store takes nothing more; and the next start finds what the last
 * good commit left, or the whole of the one that failed.
 */
#include "tests/unit/smegd/store/scratch.h"
#include "tests/unit/smegd/store/tornvfs.h"

#include "smegd/store/store_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMITS 12

struct run {
	struct scratch scratch;
	struct store *s;
	struct diag diag;
	int err;       /* the first error */
	int committed; /* commits that returned */
	int tried;
};

static void put_and_commit(struct run *r, int number)
{
	char value[3000] = { 0 };
	struct row counter = row_of(ROW_COUNTER, "", "c", value);
	struct row big = row_of(ROW_STATE, "m", "big", value);

	snprintf(value, sizeof(value), "%d", number);
	counter.value.count = strlen(value);
	big.value.count = sizeof(value);
	r->tried = number;
	r->err = store_put(r->s, &counter, &r->diag);
	if (!r->err)
		r->err = store_put(r->s, &big, &r->diag);
	if (!r->err)
		r->err = store_commit(r->s, &r->diag);
	if (!r->err)
		r->committed = number;
}

/* It stays with its error, and says so with the same words. */
static void assert_ended(struct run *r)
{
	struct row row = row_of(ROW_STATE, "m", "more", "v");
	struct diag diag = { 0 };

	assert_int_equal(store_put(r->s, &row, &diag), r->err);
	assert_string_equal(diag.text, r->diag.text);
	assert_string_equal(diag.hint, r->diag.hint);
	assert_int_equal(store_commit(r->s, &diag), r->err);
	assert_false(store_is_dirty(r->s));
}

static void work(struct run *r)
{
	r->err = store_open(r->scratch.path, TORNVFS, &r->s, &r->diag);
	if (r->err)
		return;
	sqlite3_wal_autocheckpoint(r->s->db, 8);
	for (int i = 1; i <= COMMITS && !r->err; i++)
		put_and_commit(r, i);
	if (r->err)
		assert_ended(r);
	store_close(r->s);
}

static int read_counter(void *ctx, const struct row *row)
{
	int *numbers = ctx;
	char text[16] = { 0 };

	memcpy(text, row->value.at, MIN_OF(row->value.count, sizeof(text) - 1));
	numbers[row->table == ROW_COUNTER] = atoi(text);
	return 0;
}

/* What the next start finds, after a power failure too. */
static void assert_found(struct run *r)
{
	int numbers[2] = { 0, 0 };

	torn_crash();
	if (store_open(r->scratch.path, TORNVFS, &r->s, &r->diag) != 0)
		fail_msg("after a fault: %s", r->diag.text);
	assert_int_equal(store_load(r->s, read_counter, numbers, &r->diag), 0);
	store_close(r->s);
	assert_int_equal(numbers[0], numbers[1]);
	if (numbers[0] != r->committed && numbers[0] != r->tried)
		fail_msg("found %d, %d was committed", numbers[0], r->committed);
}

static bool run_one(struct torn_plan plan, int expected)
{
	struct run r = { 0 };
	bool is_reached;

	scratch_init(&r.scratch);
	torn_start(&plan);
	work(&r);
	is_reached = torn_operations() >= plan.fail_at;
	if (r.err) {
		assert_int_equal(r.err, expected);
		assert_non_null(strstr(r.diag.text, r.scratch.path));
		assert_non_null(strstr(r.diag.text, err_text(expected)));
		assert_true(r.diag.hint[0]);
	}
	assert_found(&r);
	scratch_fini(&r.scratch);
	return is_reached;
}

static void walk(enum torn_fault fault, bool fails_once, int expected)
{
	uint64_t n = 1;

	while (run_one(
		(struct torn_plan){
			.seed = n, .fail_at = n, .fails_once = fails_once, .fault = fault },
		expected))
		n++;
	assert_true(n > 50);
}

static void test_a_full_disk_is_told_and_loses_nothing(void **state)
{
	(void)state;
	walk(TORN_FULL, false, -ENOSPC);
}

static void test_a_disk_that_was_full_for_a_moment_loses_nothing(void **state)
{
	(void)state;
	walk(TORN_FULL, true, -ENOSPC);
}

static void test_a_broken_disk_is_told_and_loses_nothing(void **state)
{
	(void)state;
	walk(TORN_ERROR, false, -EIO);
}

static void test_one_io_error_loses_nothing(void **state)
{
	(void)state;
	walk(TORN_ERROR, true, -EIO);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_full_disk_is_told_and_loses_nothing),
		cmocka_unit_test(test_a_disk_that_was_full_for_a_moment_loses_nothing),
		cmocka_unit_test(test_a_broken_disk_is_told_and_loses_nothing),
		cmocka_unit_test(test_one_io_error_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
