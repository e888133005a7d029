/*
 * The payloads of the handshake: there and back, every bound, and what later versions may add.
 */
#include "smegd/wire/greet.h"

#include "tests/unit/unit.h"

#include "base/err.h"
#include "tests/unit/smegd/wire/hex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VERSIONS \
	"01"     \
	"0004"   \
	"0001"   \
	"0003"
#define TIMESTAMP \
	"03"      \
	"0008"    \
	"0000000000000009"
#define CLOCK  \
	"04"   \
	"0008" \
	"0000000000000007"
#define KEY32 "0101010101010101010101010101010101010101010101010101010101010101"
#define PROOF \
	"06"  \
	"0040" KEY32 KEY32
#define JOINER \
	"07"   \
	"0020" KEY32

static int read_hello(const char *hex, struct greet_hello *ret_g)
{
	uint8_t buffer[1024];
	size_t count = unhex(hex, buffer, sizeof(buffer));
	uint8_t *exact = malloc(count + 1);
	int err;

	assert_non_null(exact);
	memcpy(exact + 1, buffer, count);
	err = greet_hello_read((struct bytes){ .at = exact + 1, .count = count }, ret_g);
	free(exact);
	return err;
}

static const struct {
	const char *hex;
	int err;
} hellos[] = {
	{ VERSIONS TIMESTAMP, 0 },
	{ VERSIONS TIMESTAMP CLOCK, 0 },
	{ VERSIONS "02"
	           "0008"
	           "ffffffffffffffff" TIMESTAMP,
	  0 },
	{ VERSIONS TIMESTAMP "05"
	                     "0001"
	                     "aa" PROOF JOINER,
	  0 },
	/* Tags that a later version may have, also long and empty ones. */
	{ VERSIONS TIMESTAMP "08"
	                     "0000",
	  0 },
	{ VERSIONS TIMESTAMP "ff"
	                     "0003"
	                     "aabbcc",
	  0 },
	{ VERSIONS TIMESTAMP "ff"
	                     "0003"
	                     "aabb",
	  ERR_TRUNCATED },
	/* What must be there. */
	{ "", ERR_MALFORMED },
	{ VERSIONS, ERR_MALFORMED },
	{ TIMESTAMP, ERR_MALFORMED },
	/* All of an invite or nothing. */
	{ VERSIONS TIMESTAMP "05"
	                     "0001"
	                     "aa",
	  ERR_MALFORMED },
	{ VERSIONS TIMESTAMP "05"
	                     "0001"
	                     "aa" JOINER,
	  ERR_MALFORMED },
	{ VERSIONS TIMESTAMP PROOF JOINER, ERR_MALFORMED },
	/* Order and repetition; tag 0 is none. */
	{ TIMESTAMP VERSIONS, ERR_MALFORMED },
	{ VERSIONS VERSIONS TIMESTAMP, ERR_MALFORMED },
	{ VERSIONS TIMESTAMP "ff"
	                     "0000"
	                     "ff"
	                     "0000",
	  ERR_MALFORMED },
	{ "00"
	  "0000" VERSIONS TIMESTAMP,
	  ERR_MALFORMED },
	/* Lengths. */
	{ "01"
	  "0003"
	  "000100" TIMESTAMP,
	  ERR_MALFORMED },
	{ "01"
	  "0005"
	  "0001000300" TIMESTAMP,
	  ERR_MALFORMED },
	{ VERSIONS "03"
	           "0007"
	           "00000000000009",
	  ERR_MALFORMED },
	{ VERSIONS TIMESTAMP "05"
	                     "0000" PROOF JOINER,
	  ERR_MALFORMED },
	{ VERSIONS TIMESTAMP "05"
	                     "0001"
	                     "aa"
	                     "06"
	                     "0020" KEY32 JOINER,
	  ERR_MALFORMED },
	{ VERSIONS TIMESTAMP "04", ERR_TRUNCATED },
	{ VERSIONS TIMESTAMP "0400", ERR_TRUNCATED },
	/* Values. */
	{ "01"
	  "0004"
	  "0002"
	  "0001" TIMESTAMP,
	  ERR_MALFORMED },
	{ VERSIONS "03"
	           "0008"
	           "3fffffffffffffff",
	  0 },
	{ VERSIONS "03"
	           "0008"
	           "4000000000000000",
	  ERR_MALFORMED },
	{ VERSIONS TIMESTAMP "04"
	                     "0008"
	                     "4000000000000000",
	  ERR_MALFORMED },
};

static void test_hellos(void **state)
{
	struct greet_hello g;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hellos); i++) {
		if (read_hello(hellos[i].hex, &g) != hellos[i].err)
			fail_msg("%s", hellos[i].hex);
	}
	assert_int_equal(read_hello(VERSIONS TIMESTAMP, &g), 0);
	assert_int_equal(g.version_min, 1);
	assert_int_equal(g.version_max, 3);
	assert_int_equal(g.timestamp_ms, 9);
	/* Without a clock of its own, the timestamp is the clock. */
	assert_int_equal(g.clock_ms, 9);
	assert_int_equal(read_hello(VERSIONS TIMESTAMP CLOCK, &g), 0);
	assert_int_equal(g.clock_ms, 7);
}

/* The longest hello fits into the room that is kept for it, and its invite is bounded. */
static void test_longest_hello(void **state)
{
	static const uint8_t invite[INVITE_LIMITS_BYTES_MAX + 1] = { 1 };
	struct greet_hello g = { .version_max = 1, .has_invite = true };
	uint8_t buffer[GREET_HELLO_BYTES_MAX + 1];
	struct greet_hello back;
	struct writer w;

	(void)state;
	g.invite = (struct bytes){ .at = invite, .count = INVITE_LIMITS_BYTES_MAX };
	writer_init(&w, buffer, GREET_HELLO_BYTES_MAX);
	greet_hello_write(&g, &w);
	assert_int_equal(w.err, 0);
	assert_int_equal(w.count, GREET_HELLO_BYTES_MAX);
	assert_int_equal(greet_hello_read(writer_bytes(&w), &back), 0);
	assert_int_equal(back.invite.count, INVITE_LIMITS_BYTES_MAX);
	g.invite.count++;
	writer_init(&w, buffer, sizeof(buffer));
	greet_hello_write(&g, &w);
	assert_int_equal(w.err, 0);
	assert_int_equal(greet_hello_read(writer_bytes(&w), &back), ERR_MALFORMED);
}

static void test_welcomes(void **state)
{
	struct greet_welcome g = {
		.err = ERR_USED_UP, .version = 3, .capabilities = 5, .clock_ms = GREET_TIME_MAX
	};
	uint8_t buffer[GREET_WELCOME_BYTES_MAX];
	struct greet_welcome back;
	struct writer w;

	(void)state;
	writer_init(&w, buffer, sizeof(buffer));
	greet_welcome_write(&g, &w);
	assert_int_equal(w.err, 0);
	assert_int_equal(w.count, sizeof(buffer));
	assert_int_equal(greet_welcome_read(writer_bytes(&w), &back), 0);
	assert_int_equal(back.err, g.err);
	assert_int_equal(back.version, 3);
	assert_int_equal(back.capabilities, 5);
	assert_true(back.clock_ms == GREET_TIME_MAX);
	for (size_t cut = 0; cut < w.count; cut++)
		assert_int_not_equal(
			greet_welcome_read((struct bytes){ .at = buffer, .count = cut }, &back), 0);
	/* The clock is the last field. */
	buffer[w.count - 8] = 0x40;
	assert_int_equal(greet_welcome_read(writer_bytes(&w), &back), ERR_MALFORMED);
}

static void test_versions(void **state)
{
	static const struct {
		uint16_t theirs[2];
		uint16_t ours[2];
		uint16_t chosen;
	} rows[] = {
		{ { 1, 1 }, { 1, 1 }, 1 }, { { 1, 5 }, { 1, 3 }, 3 }, { { 2, 3 }, { 1, 9 }, 3 },
		{ { 3, 9 }, { 1, 3 }, 3 }, { { 4, 9 }, { 1, 3 }, 0 }, { { 1, 3 }, { 4, 9 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct greet_hello g = { .version_min = rows[i].theirs[0],
			                 .version_max = rows[i].theirs[1] };

		assert_int_equal(greet_version(&g, rows[i].ours[0], rows[i].ours[1]),
		                 rows[i].chosen);
	}
}

static void test_error_numbers(void **state)
{
	(void)state;
	assert_int_equal(greet_error_number(0), 0);
	assert_int_equal(greet_error_number(ERR_MALFORMED), 1000);
	assert_int_equal(greet_error_number(ERR_INTERNAL), 1040);
	assert_int_equal(greet_error_number(ERR_INTERNAL - 1), 1040);
	assert_int_equal(greet_error_number(-ENOMEM), 1040);
	assert_int_equal(greet_error_number(5), 1040);
	for (unsigned n = 1000; n <= 1040; n++)
		assert_int_equal(greet_error_number(greet_error_from(n)), n);
	assert_int_equal(greet_error_from(0), 0);
	assert_int_equal(greet_error_from(1), ERR_INTERNAL);
	assert_int_equal(greet_error_from(999), ERR_INTERNAL);
	assert_int_equal(greet_error_from(1041), ERR_INTERNAL);
	assert_int_equal(greet_error_from(UINT64_MAX), ERR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hellos),        cmocka_unit_test(test_longest_hello),
		cmocka_unit_test(test_welcomes),      cmocka_unit_test(test_versions),
		cmocka_unit_test(test_error_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
