/*
 * The log: lines, hostile text, levels, rates.
 */
#include "smegd/log.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/key.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int pipes[2];

/* What was written since the last call. */
static const char *written(void)
{
	static char text[65536];
	ssize_t n;

	/* So that an empty pipe is not waited for. */
	assert_int_equal(write(pipes[1], "$", 1), 1);
	n = read(pipes[0], text, sizeof(text) - 1);
	assert_true(n > 0 && text[n - 1] == '$');
	text[n - 1] = 0;
	return text;
}

static void open_log(enum log_level level, bool has_priority)
{
	const struct log_options o = {
		.fd = pipes[1],
		.level = level,
		.has_priority = has_priority,
	};

	log_setup(&o);
}

static int setup(void **state)
{
	(void)state;
	open_log(LOG_DEBUG, false);
	return pipe(pipes);
}

static void test_a_line_has_its_subject_first(void **state)
{
	struct key member = { { 1, 2, 3 } };
	struct log_line l;

	(void)state;
	open_log(LOG_DEBUG, false);
	log_begin(&l, LOG_INFO, "session-down", "abcd", &member);
	log_error(&l, ERR_REFUSED);
	log_number(&l, "number", -5);
	log_end(&l);
	assert_string_equal(written(), "mesh=abcd member=AQIDAAAA event=session-down "
	                               "error=connection-refused number=-5\n");
}

static void test_what_is_not_known_is_left_out(void **state)
{
	const struct key none = { { 0 } };
	struct log_line l;

	(void)state;
	open_log(LOG_DEBUG, false);
	log_begin(&l, LOG_INFO, "x", "", &none);
	log_error(&l, 0);
	log_end(&l);
	assert_string_equal(written(), "event=x\n");
}

static void test_system_errors_are_told_in_words(void **state)
{
	struct log_line l;

	(void)state;
	open_log(LOG_DEBUG, false);
	log_begin(&l, LOG_INFO, "x", NULL, NULL);
	log_error(&l, -28);
	log_end(&l);
	assert_non_null(strstr(written(), "event=x error=\"no space left"));
}

static void test_hostile_text_stays_in_its_field(void **state)
{
	static const struct {
		const char *text;
		const char *line;
	} rows[] = {
		{ "plain", "event=x f=plain\n" },
		{ "", "event=x f=\"\"\n" },
		{ "a b", "event=x f=\"a b\"\n" },
		{ "a=b", "event=x f=\"a=b\"\n" },
		{ "a\nevent=forged", "event=x f=\"a?event=forged\"\n" },
		{ "\x1b[31m\x7f\xc3\xa4", "event=x f=?[31m???\n" },
		{ "\" x=\"1\\", "event=x f=\"\\\" x=\\\"1\\\\\"\n" },
	};

	(void)state;
	open_log(LOG_DEBUG, false);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct log_line l;

		log_begin(&l, LOG_DEBUG, "x", NULL, NULL);
		log_text(&l, "f", rows[i].text);
		log_end(&l);
		assert_string_equal(written(), rows[i].line);
	}
}

static void test_a_long_line_is_cut(void **state)
{
	char text[LOG_TEXT_BYTES * 2];
	struct log_line l;
	const char *line;

	(void)state;
	open_log(LOG_DEBUG, false);
	memset(text, '"', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	log_begin(&l, LOG_DEBUG, "x", NULL, NULL);
	for (int i = 0; i < 10; i++)
		log_text(&l, "f", text);
	log_number(&l, "n", 1);
	log_end(&l);
	line = written();
	assert_true(strlen(line) <= LOG_LINE_BYTES);
	assert_string_equal(line + strlen(line) - 4, "...\n");
	assert_int_equal(strchr(line, '\n') - line, strlen(line) - 1);
}

static void test_levels_hold_lines_back(void **state)
{
	(void)state;
	open_log(LOG_WARNING, false);
	log_say(LOG_INFO, "x", "no");
	log_say(LOG_DEBUG, "x", "no");
	log_say(LOG_WARNING, "x", "yes");
	log_say(LOG_ERROR, "x", "yes");
	assert_string_equal(written(), "event=x text=yes\nevent=x text=yes\n");
	log_set_level(LOG_INFO);
	assert_int_equal(log_get_level(), LOG_INFO);
	log_say(LOG_INFO, "x", "%d", 7);
	assert_string_equal(written(), "event=x text=7\n");
}

static void test_the_journal_gets_priorities(void **state)
{
	(void)state;
	open_log(LOG_DEBUG, true);
	log_say(LOG_ERROR, "x", "a");
	log_say(LOG_WARNING, "x", "a");
	log_say(LOG_INFO, "x", "a");
	log_say(LOG_DEBUG, "x", "a");
	assert_string_equal(written(), "<3>event=x text=a\n<4>event=x text=a\n"
	                               "<6>event=x text=a\n<7>event=x text=a\n");
}

static void test_the_journal_is_known_by_its_inode(void **state)
{
	char name[64];
	struct stat st;

	(void)state;
	assert_int_equal(fstat(pipes[1], &st), 0);
	snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	assert_true(log_is_journal(name, pipes[1]));
	assert_false(log_is_journal("1:2", pipes[1]));
	assert_false(log_is_journal(NULL, pipes[1]));
	assert_false(log_is_journal("", pipes[1]));
}

/* A burst, then so many a second, each kind by itself; the gap is counted. */
static void test_a_flood_of_one_event_is_thinned(void **state)
{
	size_t lines = 0;
	const char *text;

	(void)state;
	open_log(LOG_INFO, false);
	log_set_clock(1000);
	for (int i = 0; i < LOG_BURST + 100; i++)
		log_say(LOG_WARNING, "flood", "a");
	log_say(LOG_WARNING, "other", "a");
	text = written();
	for (const char *c = text; (c = strstr(c, "flood")); c++)
		lines++;
	assert_int_equal(lines, LOG_BURST);
	assert_non_null(strstr(text, "event=other text=a\n"));
	log_set_clock(1000 + 1000 / LOG_PER_SECOND - 1);
	log_say(LOG_WARNING, "flood", "a");
	assert_string_equal(written(), "");
	log_set_clock(1000 + 1000 / LOG_PER_SECOND);
	log_say(LOG_WARNING, "flood", "a");
	log_say(LOG_WARNING, "flood", "a");
	assert_string_equal(written(), "event=flood left-out=101 text=a\n");
	/* A long silence fills no more than a burst. */
	log_set_clock(1000 + MS_PER_DAY);
	lines = 0;
	for (int i = 0; i < LOG_BURST + 1; i++)
		log_say(LOG_WARNING, "flood", "a");
	for (const char *c = written(); (c = strstr(c, "flood")); c++)
		lines++;
	assert_int_equal(lines, LOG_BURST);
}

static void test_errors_are_never_thinned(void **state)
{
	size_t lines = 0;

	(void)state;
	open_log(LOG_INFO, false);
	for (int i = 0; i < LOG_BURST * 2; i++)
		log_say(LOG_ERROR, "e", "a");
	for (const char *c = written(); (c = strstr(c, "event=e")); c++)
		lines++;
	assert_int_equal(lines, LOG_BURST * 2);
}

static void test_more_kinds_than_counters_still_come_through(void **state)
{
	static char names[200][8];

	(void)state;
	open_log(LOG_INFO, false);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(names[i], sizeof(names[i]), "k%zu", i);
		log_say(LOG_INFO, names[i], "a");
	}
	assert_non_null(strstr(written(), "event=k90 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_has_its_subject_first),
		cmocka_unit_test(test_what_is_not_known_is_left_out),
		cmocka_unit_test(test_system_errors_are_told_in_words),
		cmocka_unit_test(test_hostile_text_stays_in_its_field),
		cmocka_unit_test(test_a_long_line_is_cut),
		cmocka_unit_test(test_levels_hold_lines_back),
		cmocka_unit_test(test_the_journal_gets_priorities),
		cmocka_unit_test(test_the_journal_is_known_by_its_inode),
		cmocka_unit_test(test_a_flood_of_one_event_is_thinned),
		cmocka_unit_test(test_errors_are_never_thinned),
		cmocka_unit_test(test_more_kinds_than_counters_still_come_through),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
