/*
 * Newer, foreign and damaged databases: refused, or, where the damage hits nothing, all rows as
 * they were.  Never other rows, and a refused file stays the same to the byte, as does its log.
 */
#include "tests/unit/smegd/store/scratch.h"

#include "base/rng.h"
#include "smegd/store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_BYTES 100000
#define STATES_MAX 4

/* A database of some pages, at `path`.good; with a log there too, at `path`.good-wal. */
struct sample {
	struct scratch scratch;
	char good[SCRATCH_BYTES * 2];
	char good_log[SCRATCH_BYTES * 2];
	char log[SCRATCH_BYTES * 2];
	bool has_log;
	char *states[STATES_MAX]; /* the rows as text, after each commit; the last is current */
	size_t states_count;
};

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	char *words = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
		fail_msg("%s: %s", sql, words);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Refused with `err` and unchanged. */
static void assert_refused(const char *path, int err)
{
	struct picture before;
	struct diag diag;

	picture_take(&before, path);
	assert_int_equal(open_error(path, &diag), err);
	picture_assert_same(&before, path);
	assert_non_null(strstr(diag.text, path));
	assert_null(strchr(diag.text, '\n'));
	assert_true(diag.hint[0]);
}

static void put_many(struct store *s, int from, int to)
{
	char value[6000];

	for (int i = from; i < to; i++) {
		char key[16];
		struct row row;
		struct diag diag;

		snprintf(key, sizeof(key), "k%d", i);
		memset(value, 'a' + (i + from) % 26, sizeof(value));
		value[(i * 397 + from * 31) % (i % 5 ? 500 : 5999)] = 0;
		row = row_of(ROW_STATE, "abcdefghijklmnop", key, value);
		if (i % 7 == 3)
			row.value.at = NULL;
		assert_int_equal(store_put(s, &row, &diag), 0);
	}
}

static void sample_note(struct sample *p, struct store *s)
{
	char *text = malloc(TEXT_BYTES);

	assert_non_null(text);
	assert_true(p->states_count < STATES_MAX);
	rows_text(s, text, TEXT_BYTES);
	p->states[p->states_count++] = text;
}

static void sample_init(struct sample *p, bool has_log)
{
	struct store *s;
	struct diag diag;

	memset(p, 0, sizeof(*p));
	p->has_log = has_log;
	scratch_init(&p->scratch);
	snprintf(p->good, sizeof(p->good), "%s.good", p->scratch.path);
	snprintf(p->good_log, sizeof(p->good_log), "%s.good-wal", p->scratch.path);
	snprintf(p->log, sizeof(p->log), "%s-wal", p->scratch.path);
	s = open_good(p->scratch.path);
	put_many(s, 0, 60);
	assert_int_equal(store_commit(s, &diag), 0);
	store_close(s);
	s = open_good(p->scratch.path);
	sample_note(p, s);
	for (int i = 0; has_log && i < 3; i++) {
		put_many(s, 3 + i * 11, 30 + i * 17);
		assert_int_equal(store_commit(s, &diag), 0);
		sample_note(p, s);
	}
	file_copy(p->scratch.path, p->good);
	if (has_log)
		file_copy(p->log, p->good_log);
	store_close(s);
}

static void sample_fini(struct sample *p)
{
	for (size_t i = 0; i < p->states_count; i++)
		free(p->states[i]);
	scratch_fini(&p->scratch);
}

/* Good files again. */
static void sample_restore(struct sample *p)
{
	file_copy(p->good, p->scratch.path);
	unlink(p->log);
	if (p->has_log)
		file_copy(p->good_log, p->log);
}

enum outcome {
	REFUSED,
	SAME,
	EARLIER
};

/* Earlier rows are right where the damage is in the log. */
static enum outcome sample_open(struct sample *p)
{
	static char text[TEXT_BYTES];
	struct picture before;
	struct store *s = NULL;
	struct diag diag;
	int err;

	picture_take(&before, p->scratch.path);
	err = store_open(p->scratch.path, NULL, &s, &diag);
	if (err != 0) {
		if (err != ERR_DAMAGED_STORE && err != ERR_NEWER_STORE)
			fail_msg("%d: %s", err, diag.text);
		picture_assert_same(&before, p->scratch.path);
		return REFUSED;
	}
	rows_text(s, text, sizeof(text));
	store_close(s);
	for (size_t i = p->states_count; i > 0; i--) {
		if (strcmp(text, p->states[i - 1]) == 0)
			return i == p->states_count ? SAME : EARLIER;
	}
	fail_msg("other rows than were written");
	return REFUSED;
}

/* --- newer and foreign --------------------------------------------------------------------- */

static void test_a_newer_database_is_refused_and_not_changed(void **state)
{
	struct sample p;

	(void)state;
	sample_init(&p, false);
	run_sql(p.scratch.path, "PRAGMA user_version=2");
	assert_refused(p.scratch.path, ERR_NEWER_STORE);
	run_sql(p.scratch.path, "DROP TABLE row; CREATE TABLE quite_different (x)");
	assert_refused(p.scratch.path, ERR_NEWER_STORE);
	run_sql(p.scratch.path, "PRAGMA journal_mode=DELETE");
	assert_refused(p.scratch.path, ERR_NEWER_STORE);
	sample_fini(&p);
}

/* The number is in the log, and the header of the file still has the old one. */
static void test_a_database_that_is_newer_by_its_log_is_refused_too(void **state)
{
	char other[SCRATCH_BYTES * 2];
	char other_log[SCRATCH_BYTES * 2];
	sqlite3 *db = NULL;
	struct sample p;

	(void)state;
	sample_init(&p, false);
	snprintf(other, sizeof(other), "%s/other", p.scratch.directory);
	snprintf(other_log, sizeof(other_log), "%s/other-wal", p.scratch.directory);
	assert_int_equal(sqlite3_open(p.scratch.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=7", NULL, NULL, NULL), SQLITE_OK);
	file_copy(p.scratch.path, other);
	file_copy(p.log, other_log);
	sqlite3_close(db);
	assert_refused(other, ERR_NEWER_STORE);
	sample_fini(&p);
}

static void test_what_is_not_ours_is_refused_and_not_changed(void **state)
{
	static const char *const changes[] = {
		"PRAGMA application_id=1",        "PRAGMA application_id=0",
		"PRAGMA user_version=0",          "PRAGMA user_version=-1",
		"PRAGMA journal_mode=DELETE",     "DROP TABLE row",
		"ALTER TABLE row RENAME TO rows", "ALTER TABLE row RENAME COLUMN sum TO total",
	};
	struct sample p;

	(void)state;
	sample_init(&p, false);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		sample_restore(&p);
		run_sql(p.scratch.path, changes[i]);
		assert_refused(p.scratch.path, ERR_DAMAGED_STORE);
	}
	file_write(p.scratch.path, "", 0);
	assert_refused(p.scratch.path, ERR_DAMAGED_STORE);
	file_write(p.scratch.path, "Dear diary\n", 11);
	assert_refused(p.scratch.path, ERR_DAMAGED_STORE);
	unlink(p.scratch.path);
	assert_int_equal(mkfifo(p.scratch.path, 0600), 0);
	assert_int_equal(open_error(p.scratch.path, &(struct diag){ 0 }), ERR_DAMAGED_STORE);
	sample_fini(&p);
}

static void test_a_log_or_journal_that_does_not_belong_is_refused(void **state)
{
	char journal[SCRATCH_BYTES * 2];
	struct sample p;

	(void)state;
	sample_init(&p, true);
	/* sqlite would replay the log into the new database. */
	sample_restore(&p);
	unlink(p.scratch.path);
	assert_refused(p.scratch.path, ERR_DAMAGED_STORE);
	assert_false(file_is_there(p.scratch.path));
	sample_restore(&p);
	snprintf(journal, sizeof(journal), "%s-journal", p.scratch.path);
	file_copy(p.good, journal);
	assert_refused(p.scratch.path, ERR_DAMAGED_STORE);
	unlink(journal);
	assert_int_equal(sample_open(&p), SAME);
	sample_fini(&p);
}

/* --- damaged ------------------------------------------------------------------------------- */

static void test_a_row_that_nobody_wrote_so_is_refused(void **state)
{
	static const char *const changes[] = {
		"UPDATE row SET value = x'00' WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET value = substr(value, 2) WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET key = x'00' WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET mesh = 'qrst' WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET tab = 3 WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET tab = 0 WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET tab = 99 WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET tab = tab + 4294967296 WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET sum = x'' WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET sum = zeroblob(16) WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET mesh = mesh || 'q' WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET mesh = mesh || char(0) WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET key = zeroblob(81) WHERE key = CAST('k1' AS BLOB)",
		"UPDATE row SET value = zeroblob(65537) WHERE key = CAST('k1' AS BLOB)",
		"INSERT INTO row VALUES (2, 'm', x'', x'', x'')",
	};
	struct sample p;

	(void)state;
	sample_init(&p, false);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		sample_restore(&p);
		run_sql(p.scratch.path, changes[i]);
		assert_refused(p.scratch.path, ERR_DAMAGED_STORE);
	}
	sample_fini(&p);
}

static int visit_nothing(void *ctx, const struct row *row)
{
	(void)ctx;
	(void)row;
	return 0;
}

static void test_a_row_that_is_damaged_later_is_found_by_loading(void **state)
{
	struct sample p;
	struct store *s;
	struct diag diag;

	(void)state;
	sample_init(&p, false);
	s = open_good(p.scratch.path);
	sqlite3_exec(s->db, "UPDATE row SET value = x'00'", NULL, NULL, NULL);
	assert_int_equal(store_load(s, visit_nothing, NULL, &diag), ERR_DAMAGED_STORE);
	assert_non_null(strstr(diag.text, p.scratch.path));
	store_close(s);
	sample_fini(&p);
}

static void test_a_file_that_is_cut_off_is_refused(void **state)
{
	struct sample p;
	size_t count;

	(void)state;
	sample_init(&p, false);
	free(file_read(p.good, &count));
	for (size_t cut = 1; cut <= count; cut += cut < 600 ? 37 : 512) {
		sample_restore(&p);
		assert_int_equal(truncate(p.scratch.path, (off_t)(count - cut)), 0);
		assert_refused(p.scratch.path, ERR_DAMAGED_STORE);
	}
	for (size_t left = 0; left < 600; left += 20) {
		sample_restore(&p);
		assert_int_equal(truncate(p.scratch.path, (off_t)left), 0);
		assert_refused(p.scratch.path, ERR_DAMAGED_STORE);
	}
	sample_fini(&p);
}

struct tally {
	unsigned of[3];
};

static void flip(struct sample *p, const char *path, size_t at, uint8_t bits, struct tally *tally)
{
	size_t count;
	uint8_t *bytes;

	sample_restore(p);
	bytes = file_read(path, &count);
	bytes[at] ^= bits;
	file_write(path, bytes, count);
	free(bytes);
	tally->of[sample_open(p)]++;
}

/* All of the header, then a byte here and there. */
static struct tally flip_many(struct sample *p, const char *path, size_t steps)
{
	struct tally tally = { { 0 } };
	uint8_t seed[RNG_SEED_BYTES] = { 3 };
	struct rng rng;
	size_t count;

	rng_init(&rng, seed);
	sample_restore(p);
	free(file_read(path, &count));
	for (size_t at = 0; at < count; at += 1 + (at < 120 ? 0 : rng_below(&rng, count / steps)))
		flip(p, path, at, (uint8_t)(1u << rng_below(&rng, 8)), &tally);
	return tally;
}

static void test_a_flipped_bit_in_the_file_is_refused_or_harmless(void **state)
{
	struct sample p;
	struct tally tally;

	(void)state;
	sample_init(&p, false);
	tally = flip_many(&p, p.scratch.path, 80);
	print_message("of bits in the file, %u refused, %u harmless\n", tally.of[REFUSED],
	              tally.of[SAME]);
	assert_true(tally.of[REFUSED] > tally.of[SAME] / 2);
	sample_fini(&p);
}

static void test_a_flipped_bit_beside_a_log_is_refused_or_harmless(void **state)
{
	struct sample p;
	struct tally tally;

	(void)state;
	sample_init(&p, true);
	tally = flip_many(&p, p.scratch.path, 80);
	assert_true(tally.of[REFUSED] > 0);
	assert_int_equal(tally.of[EARLIER], 0);
	sample_fini(&p);
}

/* In the last transaction of the log a torn write looks the same, and so does a lost end. */
static void test_a_flipped_bit_in_the_log_is_refused_or_like_a_torn_write(void **state)
{
	struct sample p;
	struct tally tally;

	(void)state;
	sample_init(&p, true);
	tally = flip_many(&p, p.log, 80);
	print_message("of bits in the log, %u refused, %u harmless, %u lead to an earlier commit\n",
	              tally.of[REFUSED], tally.of[SAME], tally.of[EARLIER]);
	assert_true(tally.of[REFUSED] > tally.of[EARLIER]);
	assert_true(tally.of[EARLIER] > 0);
	sample_fini(&p);
}

/* No row is wrong yet, but the next one that is put would be: here, the number of free pages. */
static void test_a_structure_that_is_wrong_is_refused_though_all_rows_are_there(void **state)
{
	struct tally tally = { { 0 } };
	struct sample p;

	(void)state;
	sample_init(&p, false);
	flip(&p, p.scratch.path, 39, 1, &tally);
	assert_int_equal(tally.of[REFUSED], 1);
	sample_fini(&p);
}

/* Of one sector, so no power failure does that. */
static void test_a_flipped_bit_in_the_header_of_the_log_is_refused(void **state)
{
	struct tally tally = { { 0 } };
	struct sample p;

	(void)state;
	sample_init(&p, true);
	for (size_t at = 0; at < 32; at++)
		flip(&p, p.log, at, (uint8_t)(1u << at % 8), &tally);
	assert_int_equal(tally.of[REFUSED], 32);
	sample_fini(&p);
}

/* What a power failure, or a copy, may leave of the log's end. */
static void test_a_log_that_is_cut_off_leaves_an_earlier_commit(void **state)
{
	struct tally tally = { { 0 } };
	struct sample p;
	size_t count;

	(void)state;
	sample_init(&p, true);
	free(file_read(p.good_log, &count));
	for (size_t left = 0; left < count; left += 1009) {
		sample_restore(&p);
		assert_int_equal(truncate(p.log, (off_t)left), 0);
		tally.of[sample_open(&p)]++;
	}
	assert_int_equal(tally.of[REFUSED] + tally.of[SAME], 0);
	sample_fini(&p);
}

static void test_pages_that_were_zeroed_or_swapped_are_refused_or_harmless(void **state)
{
	struct sample p;
	struct tally tally = { { 0 } };
	size_t count;
	uint8_t *good;

	(void)state;
	sample_init(&p, false);
	good = file_read(p.good, &count);
	for (size_t at = 0; at < count; at += 4096) {
		uint8_t *bytes = file_read(p.good, &count);

		memset(bytes + at, 0, 4096);
		file_write(p.scratch.path, bytes, count);
		tally.of[sample_open(&p)]++;
		memcpy(bytes, good, count);
		memcpy(bytes + at, good + (at + 4096) % count, 4096);
		memcpy(bytes + (at + 4096) % count, good + at, 4096);
		file_write(p.scratch.path, bytes, count);
		tally.of[sample_open(&p)]++;
		/* Half of it is of another write. */
		memcpy(bytes, good, count);
		memcpy(bytes + at, good + (at + 4096) % count, 512);
		file_write(p.scratch.path, bytes, count);
		tally.of[sample_open(&p)]++;
		free(bytes);
	}
	free(good);
	assert_true(tally.of[REFUSED] > tally.of[SAME]);
	assert_int_equal(tally.of[EARLIER], 0);
	sample_fini(&p);
}

/* A creation that the power cut short promised nothing, and must not be in the way. */
static void test_what_is_left_of_a_creation_is_overwritten(void **state)
{
	static const char *const suffixes[] = { "-new", "-new-journal", "-new-wal" };
	struct scratch d;
	char name[SCRATCH_BYTES * 2];

	(void)state;
	scratch_init(&d);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", d.path, suffixes[i]);
		file_write(name, "garbage", 7);
	}
	store_close(open_good(d.path));
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", d.path, suffixes[i]);
		assert_false(file_is_there(name));
	}
	scratch_fini(&d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_newer_database_is_refused_and_not_changed),
		cmocka_unit_test(test_a_database_that_is_newer_by_its_log_is_refused_too),
		cmocka_unit_test(test_what_is_not_ours_is_refused_and_not_changed),
		cmocka_unit_test(test_a_log_or_journal_that_does_not_belong_is_refused),
		cmocka_unit_test(test_a_row_that_nobody_wrote_so_is_refused),
		cmocka_unit_test(test_a_row_that_is_damaged_later_is_found_by_loading),
		cmocka_unit_test(test_a_file_that_is_cut_off_is_refused),
		cmocka_unit_test(test_a_flipped_bit_in_the_file_is_refused_or_harmless),
		cmocka_unit_test(test_a_flipped_bit_beside_a_log_is_refused_or_harmless),
		cmocka_unit_test(test_a_flipped_bit_in_the_log_is_refused_or_like_a_torn_write),
		cmocka_unit_test(
			test_a_structure_that_is_wrong_is_refused_though_all_rows_are_there),
		cmocka_unit_test(test_a_flipped_bit_in_the_header_of_the_log_is_refused),
		cmocka_unit_test(test_a_log_that_is_cut_off_leaves_an_earlier_commit),
		cmocka_unit_test(test_pages_that_were_zeroed_or_swapped_are_refused_or_harmless),
		cmocka_unit_test(test_what_is_left_of_a_creation_is_overwritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
