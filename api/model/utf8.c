/*
 * A decoder that accepts exactly what RFC 3629 does.
 *
 * It is written out instead of taken from the C library, because mbrtowc() follows the locale and
 * keeps state, which is not pure.  What is unsafe is a short list and not the Unicode database:
 * the aim is that a name chosen by another member can neither drive a terminal nor make a line
 * read differently from what it says; look-alike letters are beyond it.
 */
#include "api/model/utf8.h"

/* Length of the sequence that starts with `first`, or 0. */
static size_t sequence_bytes(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

uint32_t utf8_next(const char *text, size_t left, size_t *ret_bytes)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t first = (uint8_t)text[0];
	size_t bytes = sequence_bytes(first);
	uint32_t code = first;

	*ret_bytes = 1;
	if (bytes == 0 || bytes > left)
		return UTF8_INVALID;
	if (bytes > 1)
		code = first & (0x7fu >> bytes);
	for (size_t i = 1; i < bytes; i++) {
		if (((uint8_t)text[i] & 0xc0) != 0x80)
			return UTF8_INVALID;
		code = code << 6 | ((uint8_t)text[i] & 0x3fu);
	}
	if (code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return UTF8_INVALID;
	*ret_bytes = bytes;
	return code;
}

bool utf8_is_safe(uint32_t code)
{
	static const struct {
		uint32_t first;
		uint32_t last;
	} unsafe[] = {
		{ 0x0000, 0x001f },   /* C0 */
		{ 0x007f, 0x009f },   /* DEL, C1 */
		{ 0x061c, 0x061c },   /* Arabic letter mark */
		{ 0x200e, 0x200f },   /* left-to-right and right-to-left mark */
		{ 0x2028, 0x202e },   /* separators, embeddings and overrides */
		{ 0x2066, 0x2069 },   /* isolates */
		{ 0xfdd0, 0xfdef },   /* no characters */
		{ 0xfeff, 0xfeff },   /* byte order mark */
		{ 0xfff9, 0xfffb },   /* interlinear annotation */
		{ 0xe0000, 0xe0fff }, /* tags */
	};

	if (code > 0x10ffff || (code & 0xfffe) == 0xfffe)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++) {
		if (code >= unsafe[i].first && code <= unsafe[i].last)
			return false;
	}
	return true;
}
