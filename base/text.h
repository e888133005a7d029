/*
 * Text forms of byte strings: base64url (tokens) and base32 (mesh ids).
 */
#ifndef SMEG_BASE_TEXT_H
#define SMEG_BASE_TEXT_H

#include "base/bytes.h"

/* Bytes of text, without the terminating 0. */
size_t base64url_chars(size_t bytes);

/* Without padding, terminated; `cap` > base64url_chars(src.count). */
void base64url_text(struct bytes src, char *out, size_t cap);

/* Canonical only; `out` is unspecified after an error.  ERR_MALFORMED, ERR_TOO_BIG (for cap). */
int base64url_parse(const char *text, size_t chars, void *out, size_t cap, size_t *ret_count)
	MUST_CHECK;

/* Lower-case RFC 4648 base32, the first `chars` characters, terminated.  chars*5 <= src.count*8. */
void base32_text(struct bytes src, char *out, size_t chars);

/*
 * Edit distance (insert, delete, replace, swap of neighbours), for "did you mean".  At most 32
 * characters each are compared; a longer one counts as UINT_MAX far.
 */
unsigned text_distance(const char *a, const char *b);

/*
 * Like snprintf %s with its bounds and terminating 0, but all `bytes` bytes count (0 does not end
 * them) and control and non-ASCII bytes become '?': for hostile text in logs.
 */
void text_printable(const char *src, size_t bytes, char *out, size_t cap);

#endif
