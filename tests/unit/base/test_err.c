/*
 * Errors have one stable code and one text each; words for people never overrun.
 */
#include "tests/unit/unit.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>

#define ROW(name, number, code, text) { ERR_##name, number, code, text },

static const struct {
	int err;
	int number;
	const char *code;
	const char *text;
} ours[] = { SMEG_ERRORS(ROW) };

static void test_each_of_our_errors_has_its_code_and_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		assert_int_equal(ours[i].err, -ours[i].number);
		assert_string_equal(err_code(ours[i].err), ours[i].code);
		assert_string_equal(err_text(ours[i].err), ours[i].text);
		assert_int_equal(err_from_code(ours[i].code), ours[i].err);
	}
}

static void test_numbers_and_codes_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		assert_true(ours[i].number >= 1000);
		assert_string_not_equal(ours[i].code, "ok");
		assert_string_not_equal(ours[i].code, "system");
		assert_string_not_equal(ours[i].code, "out-of-memory");
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(ours[i].number, ours[j].number);
			assert_string_not_equal(ours[i].code, ours[j].code);
		}
	}
}

/* Scripts match on them: lower-case words with hyphens. */
static void test_codes_are_hyphenated_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		const char *code = ours[i].code;

		assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz-"), strlen(code));
		assert_true(code[0] != '-' && code[strlen(code) - 1] != '-');
	}
}

static const struct {
	int err;
	const char *code;
	const char *text;
} others[] = {
	{ 0, "ok", "success" },
	{ -ENOMEM, "out-of-memory", "out of memory" },
	{ -EADDRINUSE, "system", "address in use" },
	{ -ECANCELED, "system", "cancelled" },
	{ -999, "system", "system error" },
	{ -1999, "internal", "unknown error" },
	{ 1, "internal", "unknown error" },
	{ INT32_MIN, "internal", "unknown error" },
};

static void test_errors_of_the_system_have_a_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_string_equal(err_code(others[i].err), others[i].code);
		assert_string_equal(err_text(others[i].err), others[i].text);
	}
	for (int err = 0; err < 200; err++) {
		assert_true(err_text(-err)[0] != 0);
		assert_true(err_code(-err)[0] != 0);
	}
}

static void test_codes_lead_back_to_errors(void **state)
{
	(void)state;
	assert_int_equal(err_from_code("ok"), 0);
	assert_int_equal(err_from_code("out-of-memory"), -ENOMEM);
	assert_int_equal(err_from_code("system"), ERR_INTERNAL);
	assert_int_equal(err_from_code("no such code"), ERR_INTERNAL);
	assert_int_equal(err_from_code(""), ERR_INTERNAL);
}

static void test_words_are_formatted_and_a_new_text_clears_the_hint(void **state)
{
	struct diag d;

	(void)state;
	memset(&d, 0xab, sizeof(d));
	assert_int_equal(diag_set(&d, ERR_STALE, "%s:%d", "line", 7), ERR_STALE);
	assert_string_equal(d.text, "line:7");
	assert_string_equal(d.hint, "");
	diag_hint(&d, "run `%s`", "smegctl join");
	assert_string_equal(d.hint, "run `smegctl join`");
	assert_string_equal(d.text, "line:7");
	assert_int_equal(diag_set(&d, -EIO, "again"), -EIO);
	assert_string_equal(d.hint, "");
}

static void test_a_text_may_wrap_the_one_before(void **state)
{
	struct diag d;

	(void)state;
	diag_set(&d, ERR_CONFIG, "line %d", 3);
	diag_set(&d, ERR_CONFIG, "mesh.yaml: %s", d.text);
	assert_string_equal(d.text, "mesh.yaml: line 3");
	diag_hint(&d, "%s", d.text);
	diag_hint(&d, "see %s", d.hint);
	assert_string_equal(d.hint, "see mesh.yaml: line 3");
}

static void test_long_words_are_cut_and_terminated(void **state)
{
	struct diag d;

	(void)state;
	memset(&d, 0xab, sizeof(d));
	diag_set(&d, ERR_USAGE, "%2000s", "x");
	assert_int_equal(strlen(d.text), sizeof(d.text) - 1);
	diag_hint(&d, "%2000s", "x");
	assert_int_equal(strlen(d.hint), sizeof(d.hint) - 1);
	assert_int_equal(strlen(d.text), sizeof(d.text) - 1);
}

static void test_nobody_needs_to_listen(void **state)
{
	(void)state;
	assert_int_equal(diag_set(NULL, ERR_STALE, "%s", "lost"), ERR_STALE);
	diag_hint(NULL, "%s", "lost");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_of_our_errors_has_its_code_and_text),
		cmocka_unit_test(test_numbers_and_codes_are_unique),
		cmocka_unit_test(test_codes_are_hyphenated_words),
		cmocka_unit_test(test_errors_of_the_system_have_a_text),
		cmocka_unit_test(test_codes_lead_back_to_errors),
		cmocka_unit_test(test_words_are_formatted_and_a_new_text_clears_the_hint),
		cmocka_unit_test(test_a_text_may_wrap_the_one_before),
		cmocka_unit_test(test_long_words_are_cut_and_terminated),
		cmocka_unit_test(test_nobody_needs_to_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
