/*
 * api/model/utf8: exactly RFC 3629, and nothing past the end.
 */
#include "tests/unit/unit.h"

#include "api/model/utf8.h"

static void test_sequences_at_their_limits(void **state)
{
	static const struct {
		const char *text;
		size_t left;
		uint32_t code;
		size_t bytes;
	} rows[] = {
		{ "a", 1, 'a', 1 },
		{ "\x7f", 1, 0x7f, 1 },
		{ "\x80", 1, UTF8_INVALID, 1 },
		{ "\xc1\xbf", 2, UTF8_INVALID, 1 },
		{ "\xc2\x80", 2, 0x80, 2 },
		{ "\xdf\xbf", 2, 0x7ff, 2 },
		{ "\xe0\x9f\xbf", 3, UTF8_INVALID, 1 },
		{ "\xe0\xa0\x80", 3, 0x800, 3 },
		{ "\xed\x9f\xbf", 3, 0xd7ff, 3 },
		{ "\xed\xa0\x80", 3, UTF8_INVALID, 1 },
		{ "\xed\xbf\xbf", 3, UTF8_INVALID, 1 },
		{ "\xee\x80\x80", 3, 0xe000, 3 },
		{ "\xef\xbf\xbd", 3, 0xfffd, 3 },
		{ "\xf0\x8f\xbf\xbf", 4, UTF8_INVALID, 1 },
		{ "\xf0\x90\x80\x80", 4, 0x10000, 4 },
		{ "\xf4\x8f\xbf\xbf", 4, 0x10ffff, 4 },
		{ "\xf4\x90\x80\x80", 4, UTF8_INVALID, 1 },
		{ "\xf5\x80\x80\x80", 4, UTF8_INVALID, 1 },
		/* The rest is there, but may not be looked at. */
		{ "\xc3\xbc", 1, UTF8_INVALID, 1 },
		{ "\xe2\x82\xac", 2, UTF8_INVALID, 1 },
		{ "\xf0\x9f\x90\xa7", 3, UTF8_INVALID, 1 },
		/* A sequence that another one interrupts. */
		{ "\xe2\x82"
		  "a",
		  3, UTF8_INVALID, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t bytes = 99;

		assert_int_equal(utf8_next(rows[i].text, rows[i].left, &bytes), rows[i].code);
		assert_int_equal(bytes, rows[i].bytes);
	}
}

static void test_what_misleads_is_unsafe(void **state)
{
	static const struct {
		uint32_t code;
		bool is_safe;
	} rows[] = {
		{ 0x1f, false },     { ' ', true },       { '~', true },
		{ 0x7f, false },     { 0x9f, false },     { 0xa0, true },
		{ 0x200d, true },    { 0x200e, false },   { 0x202e, false },
		{ 0x2069, false },   { 0x206a, true },    { 0xfdd0, false },
		{ 0xfeff, false },   { 0xfffd, true },    { 0xfffe, false },
		{ 0x1f427, true },   { 0x1ffff, false },  { 0xe0001, false },
		{ 0x10fffe, false }, { 0x110000, false }, { UTF8_INVALID, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(utf8_is_safe(rows[i].code), rows[i].is_safe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sequences_at_their_limits),
		cmocka_unit_test(test_what_misleads_is_unsafe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
