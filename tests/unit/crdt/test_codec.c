/*
 * Fields: what is canonical, what a table of rules lets through.
 */
#include "tests/unit/unit.h"

#include "base/err.h"
#include "crdt/codec_priv.h"

#include <string.h>

#define TEXT(s) ((struct bytes){ (const uint8_t *)(s), sizeof(s) - 1 })

static const struct field_rule rules[] = {
	{ 1, 1, 2, 1, 1, NULL },
	{ 3, 0, 4, 0, 2, field_is_ascending },
	{ 5, 1, 1, 0, 1, field_is_true },
};

static void test_rules_decide_what_fields_may_hold(void **state)
{
	const struct {
		const char *name;
		struct bytes src;
		int err;
	} rows[] = {
		{ "only what is required", TEXT("\1\1a"), 0 },
		{ "the longest", TEXT("\1\2ab"), 0 },
		{ "too short", TEXT("\1\0"), ERR_MALFORMED },
		{ "too long", TEXT("\1\3abc"), ERR_MALFORMED },
		{ "required is missing", TEXT("\3\1a"), ERR_MALFORMED },
		{ "nothing at all", TEXT(""), ERR_MALFORMED },
		{ "twice what may be once", TEXT("\1\1a\1\1b"), ERR_MALFORMED },
		{ "repeated and ascending", TEXT("\1\1a\3\1a\3\1b"), 0 },
		{ "repeated and equal", TEXT("\1\1a\3\1a\3\1a"), ERR_MALFORMED },
		{ "repeated and descending", TEXT("\1\1a\3\1b\3\1a"), ERR_MALFORMED },
		{ "repeated too often", TEXT("\1\1a\3\1a\3\1b\3\1c"), ERR_MALFORMED },
		{ "not true", TEXT("\1\1a\5\1\2"), ERR_MALFORMED },
		{ "true", TEXT("\1\1a\5\1\1"), 0 },
		{ "descending tags", TEXT("\3\1a\1\1a"), ERR_MALFORMED },
		{ "unknown between", TEXT("\1\1a\2\3xyz\4\0"), 0 },
		{ "unknown, repeated", TEXT("\1\1a\2\1x\2\1x"), 0 },
		{ "unknown behind", TEXT("\1\1a\xff\x7f\0"), 0 },
		{ "unknown out of order", TEXT("\1\1a\4\0\2\0"), ERR_MALFORMED },
		{ "repetition interrupted", TEXT("\1\1a\3\1a\4\0\3\1b"), ERR_MALFORMED },
		{ "tag 0", TEXT("\0\0\1\1a"), ERR_MALFORMED },
		{ "long form of a tag", TEXT("\x81\0\1a"), ERR_MALFORMED },
		{ "long form of a length", TEXT("\1\x81\0a"), ERR_MALFORMED },
		{ "ends within a tag", TEXT("\1\1a\x81"), ERR_TRUNCATED },
		{ "ends before a length", TEXT("\1\1a\2"), ERR_TRUNCATED },
		{ "ends within a value", TEXT("\1\1a\2\2x"), ERR_TRUNCATED },
		{ "a length near 2^64", TEXT("\1\1a\2\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"),
		  ERR_TRUNCATED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int err = fields_check(rows[i].src, rules, ARRAY_LEN(rules));

		if (err != rows[i].err)
			fail_msg("%s: %d, not %d", rows[i].name, err, rows[i].err);
	}
}

static void test_an_absent_field_reads_as_zero(void **state)
{
	struct bytes src = TEXT("\1\1a\2\4\1\2\3\4\3\10\1\2\3\4\5\6\7\10");

	(void)state;
	assert_int_equal(field_find_u8(src, 1), 'a');
	assert_int_equal(field_find_u32(src, 2), 0x01020304);
	assert_int_equal(field_find_u64(src, 3), 0x0102030405060708);
	assert_int_equal(field_find_u8(src, 4), 0);
	assert_int_equal(field_find_u32(src, 4), 0);
	assert_int_equal(field_find_u64(src, 4), 0);
	assert_int_equal(field_find(src, 4).count, 0);
}

static void test_written_fields_read_back(void **state)
{
	uint8_t buffer[64];
	struct writer w;

	(void)state;
	writer_init(&w, buffer, sizeof(buffer));
	field_put_u8(&w, 1, 7);
	field_put_u32(&w, 200, 0x01020304);
	field_put_u64(&w, 201, 5);
	field_put(&w, 202, "xyz", 3);
	assert_int_equal(w.err, 0);
	assert_int_equal(fields_check(writer_bytes(&w), NULL, 0), 0);
	assert_int_equal(field_find_u8(writer_bytes(&w), 1), 7);
	assert_int_equal(field_find_u32(writer_bytes(&w), 200), 0x01020304);
	assert_int_equal(field_find_u64(writer_bytes(&w), 201), 5);
	assert_true(bytes_equal(field_find(writer_bytes(&w), 202), TEXT("xyz")));
}

static void test_hosts_have_one_spelling(void **state)
{
	static const struct {
		const char *host;
		bool is_valid;
	} rows[] = {
		{ "example.org", true },
		{ "a", true },
		{ "192.0.2.1", true },
		{ "2001:db8::1", true },
		{ "2001:DB8::1", false },
		{ "[2001:db8::1]", false },
		{ "example.org:5", false },
		{ "192.0.2.1:5", false },
		{ "010.0.0.1", false },
		{ "", false },
		{ "-a", false },
		{ "a b", false },
		{ "a..b", false },
		{ "fe80::1%1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bytes host = { (const uint8_t *)rows[i].host, strlen(rows[i].host) };

		if (host_is_valid(host) != rows[i].is_valid)
			fail_msg("%s", rows[i].host);
	}
	assert_false(host_is_valid(TEXT("a\0b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_decide_what_fields_may_hold),
		cmocka_unit_test(test_an_absent_field_reads_as_zero),
		cmocka_unit_test(test_written_fields_read_back),
		cmocka_unit_test(test_hosts_have_one_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
