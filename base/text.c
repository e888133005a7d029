/*
 * Text forms of byte strings, and two helpers for text that a person or a stranger wrote.
 *
 * base64url goes through libsodium, whose decoder refuses bits that are left over, so that a token
 * has one spelling.  But it takes every byte above 0x7f for the last letter (1.0.18; found by the
 * fuzzer), so the alphabet is checked here.  base32 is ours, as libsodium has none; it only prints,
 * because a mesh id is a prefix of a hash and is compared as text.
 *
 * The distance is the restricted Damerau-Levenshtein one (optimal string alignment): a pair of
 * neighbours is swapped at most once.  That is enough to guess which word was meant, and takes
 * three rows instead of a table.
 */
#include "base/text.h"

#include "base/err.h"

#include <assert.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>

#define DISTANCE_CHARS_MAX 32

size_t base64url_chars(size_t bytes)
{
	return bytes / 3 * 4 + (bytes % 3 > 0 ? bytes % 3 + 1 : 0);
}

void base64url_text(struct bytes src, char *out, size_t cap)
{
	size_t chars = base64url_chars(src.count);

	assert(cap > chars);
	sodium_bin2base64(out, chars + 1, src.at, src.count,
	                  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static bool is_base64url(const char *text, size_t chars)
{
	for (size_t i = 0; i < chars; i++) {
		char c = text[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return true;
}

int base64url_parse(const char *text, size_t chars, void *out, size_t cap, size_t *ret_count)
{
	size_t want = chars / 4 * 3 + (chars % 4 > 1 ? chars % 4 - 1 : 0);
	size_t count = 0;

	if (chars % 4 == 1)
		return ERR_MALFORMED;
	if (want > cap)
		return ERR_TOO_BIG;
	if (!is_base64url(text, chars))
		return ERR_MALFORMED;
	/* Nothing may come with NULL, which libsodium forbids. */
	if (want > 0 && sodium_base642bin(out, want, text, chars, NULL, &count, NULL,
	                                  sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return ERR_MALFORMED;
	assert(count == want);
	*ret_count = count;
	return 0;
}

void base32_text(struct bytes src, char *out, size_t chars)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned bits = 0; /* the lowest bits_count are not printed yet */
	unsigned bits_count = 0;
	size_t at = 0;

	assert(chars / 8 * 5 + (chars % 8 * 5 + 7) / 8 <= src.count);
	for (size_t i = 0; i < chars; i++) {
		if (bits_count < 5) {
			bits = (bits << 8 | src.at[at++]) & 0xfff;
			bits_count += 8;
		}
		bits_count -= 5;
		out[i] = digits[bits >> bits_count & 0x1f];
	}
	out[chars] = 0;
}

static unsigned min_of_three(unsigned a, unsigned b, unsigned c)
{
	return MIN_OF(MIN_OF(a, b), c);
}

unsigned text_distance(const char *a, const char *b)
{
	/* rows[i % 3][j]: from the first i characters of a to the first j of b. */
	unsigned rows[3][DISTANCE_CHARS_MAX + 1];
	size_t a_chars = strnlen(a, DISTANCE_CHARS_MAX + 1);
	size_t b_chars = strnlen(b, DISTANCE_CHARS_MAX + 1);

	if (a_chars > DISTANCE_CHARS_MAX || b_chars > DISTANCE_CHARS_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= b_chars; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_chars; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i - 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_chars; j++) {
			unsigned differ = a[i - 1] != b[j - 1];

			row[j] = min_of_three(above[j] + 1, row[j - 1] + 1, above[j - 1] + differ);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN_OF(row[j], rows[(i - 2) % 3][j - 2] + 1);
		}
	}
	return rows[a_chars % 3][b_chars];
}

void text_printable(const char *src, size_t bytes, char *out, size_t cap)
{
	size_t count;

	if (cap == 0)
		return;
	count = MIN_OF(bytes, cap - 1);
	for (size_t i = 0; i < count; i++)
		out[i] = src[i] >= ' ' && src[i] <= '~' ? src[i] : '?';
	out[count] = 0;
}
