/*
 * The reader and the writer: golden bytes, every truncation, every capacity, one form per varint.
 */
#include "tests/unit/unit.h"

#include "base/bytes.h"
#include "base/err.h"

#include <string.h>

#define BYTES_OF(array) ((struct bytes){ .at = (array), .count = sizeof(array) })

/* One of everything, by hand. */
static const uint8_t golden[] = {
	0x12,                                           /* u8 */
	0x34, 0x56,                                     /* u16 */
	0x89, 0xab, 0xcd, 0xef,                         /* u32 */
	0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10, /* u64 */
	'a',  'b',  'c',                                /* copy */
	0xac, 0x02,                                     /* varint 300 */
	'x',  'y',                                      /* borrowed */
};

static void write_all(struct writer *w)
{
	write_u8(w, 0x12);
	write_u16(w, 0x3456);
	write_u32(w, 0x89abcdef);
	write_u64(w, 0xfedcba9876543210);
	write_copy(w, "abc", 3);
	write_varint(w, 300);
	write_copy(w, "xy", 2);
}

struct all {
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	char copy[3];
	uint64_t varint;
	struct bytes borrowed;
};

static void read_all(struct reader *r, struct all *all)
{
	all->u8 = read_u8(r);
	all->u16 = read_u16(r);
	all->u32 = read_u32(r);
	all->u64 = read_u64(r);
	read_copy(r, all->copy, sizeof(all->copy));
	all->varint = read_varint(r);
	all->borrowed = read_bytes(r, 2);
}

static void test_integers_are_written_big_endian(void **state)
{
	uint8_t buffer[sizeof(golden)];
	struct writer w;

	(void)state;
	writer_init(&w, buffer, sizeof(buffer));
	write_all(&w);
	assert_int_equal(w.err, 0);
	assert_true(bytes_equal(writer_bytes(&w), BYTES_OF(golden)));
}

static void test_what_was_written_is_read(void **state)
{
	struct reader r;
	struct all all;

	(void)state;
	reader_init(&r, BYTES_OF(golden));
	assert_int_equal(reader_left(&r), sizeof(golden));
	read_all(&r, &all);
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(reader_finish(&r), 0);
	assert_int_equal(all.u8, 0x12);
	assert_int_equal(all.u16, 0x3456);
	assert_int_equal(all.u32, 0x89abcdef);
	assert_true(all.u64 == 0xfedcba9876543210);
	assert_memory_equal(all.copy, "abc", 3);
	assert_true(all.varint == 300);
	assert_ptr_equal(all.borrowed.at, golden + sizeof(golden) - 2);
	assert_int_equal(all.borrowed.count, 2);
}

/* The copy is on the heap and exact, so that asan sees a byte too many. */
static void test_every_truncation_is_an_error(void **state)
{
	(void)state;
	for (size_t count = 0; count < sizeof(golden); count++) {
		uint8_t *part = test_malloc(count + 1);
		struct reader r;
		struct all all;

		memcpy(part + 1, golden, count);
		reader_init(&r, (struct bytes){ .at = part + 1, .count = count });
		read_all(&r, &all);
		assert_null(all.borrowed.at);
		assert_int_equal(all.borrowed.count, 0);
		assert_int_equal(reader_left(&r), 0);
		assert_int_equal(reader_finish(&r), ERR_TRUNCATED);
		test_free(part);
	}
}

static void test_anything_left_over_is_malformed(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, BYTES_OF(golden));
	read_u64(&r);
	assert_int_equal(r.err, 0);
	assert_int_equal(reader_finish(&r), ERR_MALFORMED);
	reader_init(&r, (struct bytes){ 0 });
	assert_int_equal(reader_finish(&r), 0);
}

/* The first error stays, reads give zero although bytes were there, and copies are filled. */
static void test_after_an_error_everything_reads_as_zero(void **state)
{
	static const uint8_t src[] = { 0x80, 0x00, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	static const uint8_t zero[4] = { 0 };
	uint8_t copy[4];
	struct reader r;

	(void)state;
	memset(copy, 0xab, sizeof(copy));
	reader_init(&r, BYTES_OF(src));
	assert_true(read_varint(&r) == 0);
	assert_int_equal(r.err, ERR_MALFORMED);
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(read_u8(&r), 0);
	assert_int_equal(read_u16(&r), 0);
	assert_int_equal(read_u32(&r), 0);
	assert_true(read_u64(&r) == 0);
	assert_true(read_varint(&r) == 0);
	read_copy(&r, copy, sizeof(copy));
	assert_memory_equal(copy, zero, sizeof(zero));
	read_copy(&r, NULL, 0);
	assert_null(read_bytes(&r, 1).at);
	assert_int_equal(reader_finish(&r), ERR_MALFORMED);
}

static void test_a_request_larger_than_memory_is_truncated(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, BYTES_OF(golden));
	read_u8(&r);
	assert_null(read_bytes(&r, SIZE_MAX).at);
	assert_int_equal(reader_finish(&r), ERR_TRUNCATED);
}

static const struct {
	uint64_t value;
	size_t count;
	uint8_t form[10];
} varints[] = {
	{ 0, 1, { 0 } },
	{ 1, 1, { 1 } },
	{ 127, 1, { 0x7f } },
	{ 128, 2, { 0x80, 0x01 } },
	{ 300, 2, { 0xac, 0x02 } },
	{ 16383, 2, { 0xff, 0x7f } },
	{ 16384, 3, { 0x80, 0x80, 0x01 } },
	{ UINT32_MAX, 5, { 0xff, 0xff, 0xff, 0xff, 0x0f } },
	{ INT64_MAX, 9, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f } },
	{ UINT64_C(1) << 63, 10, { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01 } },
	{ UINT64_MAX, 10, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 } },
};

static void test_a_varint_has_one_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(varints); i++) {
		struct bytes form = { .at = varints[i].form, .count = varints[i].count };
		uint8_t buffer[10];
		struct writer w;
		struct reader r;

		writer_init(&w, buffer, sizeof(buffer));
		write_varint(&w, varints[i].value);
		assert_true(bytes_equal(writer_bytes(&w), form));
		assert_int_equal(varint_bytes(varints[i].value), form.count);
		reader_init(&r, form);
		assert_true(read_varint(&r) == varints[i].value);
		assert_int_equal(reader_finish(&r), 0);
	}
}

static void test_every_power_of_two_survives_as_a_varint(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		for (unsigned less = 0; less < 2; less++) {
			uint64_t v = (UINT64_C(1) << bit) - less;
			uint8_t buffer[10];
			struct writer w;
			struct reader r;

			writer_init(&w, buffer, sizeof(buffer));
			write_varint(&w, v);
			assert_int_equal(writer_bytes(&w).count, varint_bytes(v));
			reader_init(&r, writer_bytes(&w));
			assert_true(read_varint(&r) == v);
			assert_int_equal(reader_finish(&r), 0);
		}
	}
}

static const struct {
	const char *name;
	int err;
	size_t count;
	uint8_t form[11];
} bad_varints[] = {
	{ "nothing", ERR_TRUNCATED, 0, { 0 } },
	{ "no end", ERR_TRUNCATED, 1, { 0x80 } },
	{ "no end after nine",
	  ERR_TRUNCATED,
	  9,
	  { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
	{ "zero in two bytes", ERR_MALFORMED, 2, { 0x80, 0x00 } },
	{ "one in two bytes", ERR_MALFORMED, 2, { 0x81, 0x00 } },
	{ "127 in three bytes", ERR_MALFORMED, 3, { 0xff, 0x80, 0x00 } },
	{ "zero in ten bytes",
	  ERR_MALFORMED,
	  10,
	  { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00 } },
	{ "2^64",
	  ERR_MALFORMED,
	  10,
	  { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02 } },
	{ "eleven bytes",
	  ERR_MALFORMED,
	  11,
	  { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x00 } },
};

static void test_other_forms_of_a_varint_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_varints); i++) {
		struct reader r;
		uint64_t v;

		reader_init(&r, (struct bytes){ .at = bad_varints[i].form,
		                                .count = bad_varints[i].count });
		v = read_varint(&r);
		if (v != 0 || reader_finish(&r) != bad_varints[i].err)
			fail_msg("%s: err %d", bad_varints[i].name, r.err);
	}
}

/* Which field overflows depends on the capacity; no byte of it or of a later one is written. */
static void test_a_field_that_does_not_fit_is_not_written(void **state)
{
	static const size_t ends[] = { 0, 1, 3, 7, 15, 18, 20, 22 };

	(void)state;
	for (size_t cap = 0; cap < sizeof(golden); cap++) {
		uint8_t buffer[sizeof(golden)];
		size_t whole = 0;
		struct writer w;

		for (size_t i = 0; i < ARRAY_LEN(ends) && ends[i] <= cap; i++)
			whole = ends[i];
		memset(buffer, 0xcd, sizeof(buffer));
		writer_init(&w, buffer, cap);
		write_all(&w);
		assert_int_equal(w.err, ERR_TOO_BIG);
		assert_int_equal(w.count, whole);
		assert_memory_equal(buffer, golden, whole);
		for (size_t i = whole; i < sizeof(buffer); i++)
			assert_int_equal(buffer[i], 0xcd);
		assert_null(writer_bytes(&w).at);
		assert_int_equal(writer_bytes(&w).count, 0);
	}
}

static void test_a_writer_without_room_writes_nothing(void **state)
{
	uint8_t buffer[2];
	struct writer w;

	(void)state;
	writer_init(&w, NULL, 0);
	write_copy(&w, NULL, 0);
	assert_int_equal(w.err, 0);
	assert_int_equal(writer_bytes(&w).count, 0);
	write_copy(&w, "x", SIZE_MAX);
	assert_int_equal(w.err, ERR_TOO_BIG);
	write_copy(&w, NULL, 0);
	assert_int_equal(w.err, ERR_TOO_BIG);
	/* With something written, the sum would wrap. */
	writer_init(&w, buffer, sizeof(buffer));
	write_u8(&w, 1);
	write_copy(&w, "x", SIZE_MAX);
	assert_int_equal(w.err, ERR_TOO_BIG);
}

/* In rising order. */
static const struct bytes ordered[] = {
	{ NULL, 0 },
	{ (const uint8_t *)"\x00", 1 },
	{ (const uint8_t *)"\x00\x00", 2 },
	{ (const uint8_t *)"\x00\xff", 2 },
	{ (const uint8_t *)"\x01", 1 },
	{ (const uint8_t *)"a", 1 },
	{ (const uint8_t *)"ab", 2 },
	{ (const uint8_t *)"b", 1 },
	{ (const uint8_t *)"\x80", 1 },
	{ (const uint8_t *)"\xff\x00", 2 },
};

static int sign_of(int v)
{
	return (v > 0) - (v < 0);
}

static void test_byte_strings_are_totally_ordered(void **state)
{
	(void)state;
	for (int i = 0; i < (int)ARRAY_LEN(ordered); i++) {
		for (int j = 0; j < (int)ARRAY_LEN(ordered); j++) {
			assert_int_equal(sign_of(bytes_compare(ordered[i], ordered[j])),
			                 sign_of(i - j));
			assert_int_equal(bytes_equal(ordered[i], ordered[j]), i == j);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers_are_written_big_endian),
		cmocka_unit_test(test_what_was_written_is_read),
		cmocka_unit_test(test_every_truncation_is_an_error),
		cmocka_unit_test(test_anything_left_over_is_malformed),
		cmocka_unit_test(test_after_an_error_everything_reads_as_zero),
		cmocka_unit_test(test_a_request_larger_than_memory_is_truncated),
		cmocka_unit_test(test_a_varint_has_one_form),
		cmocka_unit_test(test_every_power_of_two_survives_as_a_varint),
		cmocka_unit_test(test_other_forms_of_a_varint_are_refused),
		cmocka_unit_test(test_a_field_that_does_not_fit_is_not_written),
		cmocka_unit_test(test_a_writer_without_room_writes_nothing),
		cmocka_unit_test(test_byte_strings_are_totally_ordered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
