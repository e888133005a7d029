/*
 * UTF-8, one code point at a time, and which of them are safe to show to a person.
 */
#ifndef SMEG_API_MODEL_UTF8_H
#define SMEG_API_MODEL_UTF8_H

#include "base/defs.h"

#define UTF8_INVALID UINT32_MAX

/*
 * The code point at `text`, of which `left` (> 0) bytes may be read, and how many bytes it takes.
 * UTF8_INVALID, one byte long, for what is not UTF-8: stray, truncated or overlong sequences,
 * surrogates, beyond U+10FFFF (RFC 3629).
 */
uint32_t utf8_next(const char *text, size_t left, size_t *ret_bytes);

/*
 * False for what moves a terminal's cursor, changes the direction of text or is no character:
 * controls (C0, DEL, C1), line and paragraph separators, bidirectional controls, non-characters.
 */
bool utf8_is_safe(uint32_t code);

#endif
