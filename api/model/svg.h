/*
 * Writing SVG text: counted first, written second, always well-formed.
 */
#ifndef SMEG_API_MODEL_SVG_H
#define SMEG_API_MODEL_SVG_H

#include "base/defs.h"

/* With at = NULL nothing is written but `count` grows all the same. */
struct svg {
	char *at;
	size_t count;
};

/* At most SVG_PIECE_BYTES - 1 bytes at a time (asserted). */
#define SVG_PIECE_BYTES 512
void svg_put(struct svg *s, const char *format, ...) PRINTF_LIKE(2, 3);

/* As it stands: markup of ours. */
void svg_raw(struct svg *s, const char *markup);

/* Character data or the value of an attribute: escaped; what XML or a person cannot take is '?'. */
void svg_text(struct svg *s, const char *text);

/* The same, but at most `chars` characters, the last of which is then an ellipsis. */
void svg_text_cut(struct svg *s, const char *text, size_t chars);

/* About how many columns the text takes: 1 each, 2 for the wide letters of East Asia. */
size_t text_columns(const char *text);

#endif
