/*
 * From every older schema to the newest, from golden text; and what happens when a step fails.
 *
 * The golden databases are what released versions have written.  They are never edited: a new
 * schema adds one, and the older ones must then lead to the same rows.
 */
#include "tests/unit/smegd/store/scratch.h"

#include "smegd/store/store_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char golden_1[] =
	"PRAGMA journal_mode=WAL;"
	"PRAGMA application_id=1399678311;"
	"PRAGMA user_version=1;"
	"CREATE TABLE row ("
	" tab INTEGER NOT NULL,"
	" mesh TEXT NOT NULL,"
	" key BLOB NOT NULL,"
	" value BLOB NOT NULL,"
	" sum BLOB NOT NULL,"
	" PRIMARY KEY (tab, mesh, key)"
	") STRICT, WITHOUT ROWID;"
	"INSERT INTO row VALUES (1, 'abcdefghijklmnop', x'', x'73656372657421',"
	" x'748ba8ff700f87e1ba08b2078d062487');"
	"INSERT INTO row VALUES (4, '', x'636f756e746572', x'0000019000000001',"
	" x'e35a9fcbb055cc1b1b67b36bf3b6360d');";

static const char *const golden[] = { golden_1 };

static const char golden_rows[] = "1/abcdefghijklmnop/=secret! 4//counter=????????";

static void run_sql(sqlite3 *db, const char *sql)
{
	char *words = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
		fail_msg("%s", words);
}

static void build(const char *path, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	run_sql(db, sql);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void ask(sqlite3 *db, const char *question, char out[500])
{
	sqlite3_stmt *st = NULL;

	out[0] = 0;
	assert_int_equal(sqlite3_prepare_v2(db, question, -1, &st, NULL), SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW)
		snprintf(out + strlen(out), 500 - strlen(out), "%s\n",
		         (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
}

static void assert_rows(struct store *s)
{
	char text[300];

	rows_text(s, text, sizeof(text));
	text[strlen(golden_rows)] = 0; /* a space */
	assert_string_equal(text, golden_rows);
}

static void test_every_version_has_a_golden_database(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(golden), store_migrations.count);
	for (size_t i = 0; i < store_migrations.count; i++)
		assert_int_equal(store_migrations.at[i].number, i + 1);
}

static void test_a_database_of_every_version_is_read_and_made_the_newest(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(golden); i++) {
		struct scratch d;
		struct store *s;
		char version[500];

		scratch_init(&d);
		build(d.path, golden[i]);
		s = open_good(d.path);
		assert_rows(s);
		ask(s->db, "PRAGMA user_version", version);
		assert_int_equal(atoi(version), store_migrations.count);
		store_close(s);
		scratch_fini(&d);
	}
}

/* Else the golden text is not of this version: add a migration instead of changing one. */
static void test_a_new_database_is_like_the_newest_golden_one(void **state)
{
	static const char *const questions[] = {
		"SELECT sql FROM sqlite_schema",
		"PRAGMA application_id",
		"PRAGMA user_version",
		"SELECT hex(sum) FROM row ORDER BY tab",
	};
	static const uint8_t counter[] = { 0, 0, 1, 0x90, 0, 0, 0, 1 };
	struct row rows[] = { row_of(ROW_MESH, "abcdefghijklmnop", "", "secret!"),
		              row_of(ROW_COUNTER, "", "counter", "") };
	struct scratch d;
	struct store *s;
	sqlite3 *db = NULL;
	char expected[500];
	char found[500];

	(void)state;
	scratch_init(&d);
	rows[1].value = (struct bytes){ counter, sizeof(counter) };
	s = open_good(d.path);
	rows_keep(s, rows, ARRAY_LEN(rows));
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	run_sql(db, golden[ARRAY_LEN(golden) - 1]);
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		ask(db, questions[i], expected);
		ask(s->db, questions[i], found);
		assert_string_equal(found, expected);
	}
	sqlite3_close(db);
	store_close(s);
	scratch_fini(&d);
}

/* --- steps that do not exist yet ------------------------------------------------------------- */

#define WITH(...)                                                                 \
	((struct migrations){ (const struct migration[]){ __VA_ARGS__ },          \
	                      sizeof((const struct migration[]){ __VA_ARGS__ }) / \
	                              sizeof(struct migration) })
#define FIRST                                 \
	{                                     \
		1, store_migrations.at[0].sql \
	}

static int open_with(const char *path, struct migrations list, struct diag *diag)
{
	struct store *s = NULL;
	int err = store_open_with(path, NULL, list, &s, diag);

	if (err == 0) {
		assert_rows(s);
		store_close(s);
	}
	return err;
}

static void test_missing_steps_run_in_order_and_once(void **state)
{
	struct scratch d;
	struct diag diag = { 0 };
	struct migrations list =
		WITH(FIRST, { 2, "CREATE TABLE two (x); INSERT INTO two VALUES (1)" },
	             { 3, "UPDATE two SET x = x + 1" });

	(void)state;
	scratch_init(&d);
	build(d.path, golden_1);
	assert_int_equal(open_with(d.path, (struct migrations){ list.at, 2 }, &diag), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(open_with(d.path, list, &diag), 0);
	build(d.path, "INSERT INTO two SELECT 7 FROM two WHERE x = 2");
	build(d.path, "CREATE TABLE proof AS SELECT 1 / (count(*) = 2) FROM two");
	/* And now it is newer than we. */
	assert_int_equal(open_error(d.path, &diag), ERR_NEWER_STORE);
	assert_non_null(strstr(diag.text, "number 3"));
	scratch_fini(&d);
}

static void test_a_step_that_fails_leaves_the_database_as_it_was(void **state)
{
	struct scratch d;
	struct picture before;
	struct diag diag = { 0 };
	struct migrations list =
		WITH(FIRST, { 2, "CREATE TABLE two (x)" }, { 3, "INSERT INTO nowhere VALUES (1)" });

	(void)state;
	scratch_init(&d);
	build(d.path, golden_1);
	picture_take(&before, d.path);
	assert_int_equal(open_with(d.path, list, &diag), ERR_DAMAGED_STORE);
	assert_non_null(strstr(diag.text, "cannot upgrade"));
	picture_assert_same(&before, d.path);
	assert_int_equal(open_error(d.path, &diag), 0);
	scratch_fini(&d);
}

/* More than sqlite's cache holds, or nothing would be written early anyway. */
static void test_a_damaged_row_stops_an_upgrade_before_it_is_written(void **state)
{
	struct scratch d;
	struct picture before;
	struct diag diag = { 0 };
	struct migrations list = WITH(
		FIRST,
		{ 2,
	          "CREATE TABLE two (x);"
	          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
	          " INSERT INTO two SELECT zeroblob(4000) FROM n" });

	(void)state;
	scratch_init(&d);
	build(d.path, golden_1);
	build(d.path, "UPDATE row SET value = x'00'");
	picture_take(&before, d.path);
	assert_int_equal(open_with(d.path, list, &diag), ERR_DAMAGED_STORE);
	picture_assert_same(&before, d.path);
	scratch_fini(&d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_version_has_a_golden_database),
		cmocka_unit_test(test_a_database_of_every_version_is_read_and_made_the_newest),
		cmocka_unit_test(test_a_new_database_is_like_the_newest_golden_one),
		cmocka_unit_test(test_missing_steps_run_in_order_and_once),
		cmocka_unit_test(test_a_step_that_fails_leaves_the_database_as_it_was),
		cmocka_unit_test(test_a_damaged_row_stops_an_upgrade_before_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
