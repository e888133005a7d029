/*
 * Writing SVG text.
 *
 * A drawing is made twice: the first time only to count, so that exactly one block is allocated and
 * nothing in between can fail.  That doubles a few milliseconds and saves a growing buffer with an
 * error on every line.
 *
 * Texts come from other members.  They are escaped here and nowhere else, and nobody else writes
 * "%s" with one of them.
 */
#include "api/model/svg.h"

#include "api/model/utf8.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put_bytes(struct svg *s, const char *src, size_t bytes)
{
	if (s->at)
		memcpy(s->at + s->count, src, bytes);
	s->count += bytes;
}

void svg_put(struct svg *s, const char *format, ...)
{
	char piece[SVG_PIECE_BYTES];
	va_list args;
	int bytes;

	va_start(args, format);
	bytes = vsnprintf(piece, sizeof(piece), format, args);
	va_end(args);
	assert(bytes >= 0 && (size_t)bytes < sizeof(piece));
	put_bytes(s, piece, (size_t)bytes);
}

void svg_raw(struct svg *s, const char *markup)
{
	put_bytes(s, markup, strlen(markup));
}

static const char *escape(uint32_t code)
{
	switch (code) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return utf8_is_safe(code) ? NULL : "?";
	}
}

void svg_text_cut(struct svg *s, const char *text, size_t chars)
{
	size_t left = strlen(text);
	size_t bytes;

	for (; left > 0; left -= bytes, text += bytes) {
		uint32_t code = utf8_next(text, left, &bytes);
		const char *instead = escape(code);

		if (chars-- == 1 && left > bytes)
			instead = "\xe2\x80\xa6"; /* U+2026 */
		put_bytes(s, instead ? instead : text, instead ? strlen(instead) : bytes);
		if (chars == 0)
			return;
	}
}

void svg_text(struct svg *s, const char *text)
{
	svg_text_cut(s, text, SIZE_MAX);
}

size_t text_columns(const char *text)
{
	size_t left = strlen(text);
	size_t columns = 0;
	size_t bytes;

	for (; left > 0; left -= bytes, text += bytes) {
		uint32_t code = utf8_next(text, left, &bytes);

		columns += code >= 0x1100 && code != UTF8_INVALID ? 2 : 1;
	}
	return columns;
}
