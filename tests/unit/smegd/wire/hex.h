/*
 * Bytes written as hexadecimal in tests.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_WIRE_HEX_H
#define SMEG_TESTS_UNIT_SMEGD_WIRE_HEX_H

#include "tests/unit/unit.h"

#include "base/bytes.h"

#include <sodium.h>
#include <string.h>

/* Returns the number of bytes. */
static inline size_t unhex(const char *text, uint8_t *out, size_t cap)
{
	size_t count = 0;

	assert_int_equal(sodium_hex2bin(out, cap, text, strlen(text), " \n", &count, NULL), 0);
	return count;
}

static inline void assert_hex(struct bytes got, const char *text)
{
	static char line[2 * 65536 + 1];

	assert_true(got.count < sizeof(line) / 2);
	sodium_bin2hex(line, sizeof(line), got.at, got.count);
	assert_string_equal(line, text);
}

#endif
