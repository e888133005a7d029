/*
 * base64url and base32 against the vectors of RFC 4648, distances of words, hostile text.
 */
#include "tests/unit/unit.h"

#include "base/err.h"
#include "base/rng.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){ .at = (const uint8_t *)text, .count = strlen(text) };
}

/* RFC 4648 section 10, base64 without padding; the last rows have the two letters of base64url. */
static const struct {
	const char *plain;
	const char *text;
} base64s[] = {
	{ "", "" },
	{ "f", "Zg" },
	{ "fo", "Zm8" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg" },
	{ "fooba", "Zm9vYmE" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xfb\xef\xbe", "----" },
	{ "\xff\xff\xff", "____" },
};

static void test_base64url_is_that_of_rfc_4648(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(base64s); i++) {
		struct bytes plain = bytes_of(base64s[i].plain);
		char text[16];
		uint8_t back[16];
		size_t count = 99;

		base64url_text(plain, text, sizeof(text));
		assert_string_equal(text, base64s[i].text);
		assert_int_equal(base64url_chars(plain.count), strlen(text));
		assert_int_equal(base64url_parse(text, strlen(text), back, sizeof(back), &count),
		                 0);
		assert_true(bytes_equal((struct bytes){ .at = back, .count = count }, plain));
	}
}

static const char *const bad_base64s[] = {
	"Z",    "Zg==",  "Zg=", "Zm9vZ", "Zh",   "Zm9",   "Zm+v",     "Zm/v",
	"Zm v", "Zm9\n", " Zg", "Z=",    "====", "Z\xc3", "Zm9vYm E",
};

static void test_base64url_has_one_spelling(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_base64s); i++) {
		const char *text = bad_base64s[i];
		uint8_t out[16];
		size_t count = 99;

		if (base64url_parse(text, strlen(text), out, sizeof(out), &count) != ERR_MALFORMED)
			fail_msg("accepted: \"%s\"", text);
		assert_int_equal(count, 99);
	}
	/* The count of characters is what counts; a 0 is not the end. */
	assert_int_equal(base64url_parse("Zm\0v", 4, (uint8_t[3]){ 0 }, 3, &(size_t){ 0 }),
	                 ERR_MALFORMED);
}

/* Every byte in every place of a group: only the alphabet passes, and only as itself. */
static void test_base64url_takes_no_byte_for_another(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		for (unsigned place = 0; place < 4; place++) {
			char text[4] = { 'A', 'A', 'A', 'A' };
			char printed[5];
			uint8_t out[3];
			size_t count = 0;

			text[place] = (char)byte;
			if (base64url_parse(text, 4, out, sizeof(out), &count) != 0)
				continue;
			base64url_text((struct bytes){ .at = out, .count = count }, printed, 5);
			if (memcmp(printed, text, 4) != 0)
				fail_msg("0x%02x in place %u", byte, place);
		}
	}
}

/* The whole last character of every size, from an exact heap block for asan. */
static void test_base64url_round_trips_every_size(void **state)
{
	const uint8_t seed[RNG_SEED_BYTES] = { 3 };
	struct rng rng;
	uint8_t plain[200];

	(void)state;
	rng_init(&rng, seed);
	rng_bytes(&rng, plain, sizeof(plain));
	for (size_t bytes = 0; bytes <= sizeof(plain); bytes++) {
		size_t chars = base64url_chars(bytes);
		char *text = test_malloc(chars + 1);
		uint8_t *back = test_malloc(bytes + 1);
		size_t count = 0;

		base64url_text((struct bytes){ .at = plain, .count = bytes }, text, chars + 1);
		assert_int_equal(strlen(text), chars);
		assert_int_equal(base64url_parse(text, chars, back, bytes, &count), 0);
		assert_int_equal(count, bytes);
		assert_memory_equal(back, plain, bytes);
		if (bytes > 0)
			assert_int_equal(base64url_parse(text, chars, back, bytes - 1, &count),
			                 ERR_TOO_BIG);
		test_free(text);
		test_free(back);
	}
}

static void test_base64url_needs_neither_input_nor_room_for_nothing(void **state)
{
	size_t count = 99;
	char text[1] = { 'x' };

	(void)state;
	assert_int_equal(base64url_parse("", 0, NULL, 0, &count), 0);
	assert_int_equal(count, 0);
	base64url_text((struct bytes){ 0 }, text, sizeof(text));
	assert_int_equal(text[0], 0);
}

/* RFC 4648 section 10, base32, in lower case and without padding. */
static const struct {
	const char *plain;
	size_t chars;
	const char *text;
} base32s[] = {
	{ "", 0, "" },
	{ "f", 1, "m" },
	{ "fo", 3, "mzx" },
	{ "foo", 4, "mzxw" },
	{ "foob", 6, "mzxw6y" },
	{ "fooba", 8, "mzxw6ytb" },
	{ "foobar", 9, "mzxw6ytbo" },
	{ "foobar", 2, "mz" },
	{ "foobarfoobar", 16, "mzxw6ytbojtg633c" },
	{ "\xff\xff\xff\xff\xff", 8, "77777777" },
};

static void test_base32_is_that_of_rfc_4648(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(base32s); i++) {
		char text[20];

		memset(text, 0xcd, sizeof(text));
		base32_text(bytes_of(base32s[i].plain), text, base32s[i].chars);
		assert_string_equal(text, base32s[i].text);
	}
}

static const struct {
	const char *a;
	const char *b;
	unsigned distance;
} distances[] = {
	{ "", "", 0 },
	{ "", "abc", 3 },
	{ "join", "join", 0 },
	{ "join", "jion", 1 },
	{ "join", "joi", 1 },
	{ "join", "joinn", 1 },
	{ "join", "jain", 1 },
	{ "ab", "ba", 1 },
	{ "abcd", "badc", 2 },
	{ "ca", "abc", 3 }, /* 2 if a swapped pair could be parted again */
	{ "kitten", "sitting", 3 },
	{ "status", "leave", 5 },
	{ "invite", "expel", 6 },
	{ "12345678901234567890123456789012", "2345678901234567890123456789012", 1 },
	{ "123456789012345678901234567890123", "123456789012345678901234567890123", UINT_MAX },
	{ "x", "123456789012345678901234567890123", UINT_MAX },
};

static void test_distance_counts_the_slips_of_a_typist(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(distances); i++) {
		unsigned there = text_distance(distances[i].a, distances[i].b);
		unsigned back = text_distance(distances[i].b, distances[i].a);

		if (there != distances[i].distance || back != there)
			fail_msg("%s, %s: %u, %u", distances[i].a, distances[i].b, there, back);
	}
}

static void test_every_byte_becomes_printable(void **state)
{
	char src[256];
	char out[257];

	(void)state;
	for (unsigned i = 0; i < sizeof(src); i++)
		src[i] = (char)i;
	text_printable(src, sizeof(src), out, sizeof(out));
	assert_int_equal(strlen(out), sizeof(src));
	for (unsigned i = 0; i < sizeof(src); i++)
		assert_int_equal(out[i], i >= 0x20 && i < 0x7f ? (int)i : '?');
}

static void test_printable_text_is_cut_and_terminated(void **state)
{
	char out[4] = { 'x', 'x', 'x', 'x' };

	(void)state;
	text_printable("abc", 3, out, 0);
	assert_int_equal(out[0], 'x');
	text_printable("abc", 3, out, 1);
	assert_string_equal(out, "");
	text_printable("a\nc", 3, out, 3);
	assert_string_equal(out, "a?");
	assert_int_equal(out[3], 'x');
	text_printable("abc", 3, out, 4);
	assert_string_equal(out, "abc");
	text_printable(NULL, 0, out, 4);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64url_is_that_of_rfc_4648),
		cmocka_unit_test(test_base64url_has_one_spelling),
		cmocka_unit_test(test_base64url_takes_no_byte_for_another),
		cmocka_unit_test(test_base64url_round_trips_every_size),
		cmocka_unit_test(test_base64url_needs_neither_input_nor_room_for_nothing),
		cmocka_unit_test(test_base32_is_that_of_rfc_4648),
		cmocka_unit_test(test_distance_counts_the_slips_of_a_typist),
		cmocka_unit_test(test_every_byte_becomes_printable),
		cmocka_unit_test(test_printable_text_is_cut_and_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
