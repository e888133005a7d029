/*
 * Where the members of a mesh stand in its picture.  All lengths are in tenths of a pixel.
 */
#ifndef SMEG_API_MODEL_LAYOUT_H
#define SMEG_API_MODEL_LAYOUT_H

#include "base/defs.h"

struct point {
	int32_t x;
	int32_t y;
};

/* sin and cos times 10000 at `at` of `of` equal steps around, clockwise from the top; within 17. */
int32_t turn_sin(size_t at, size_t of);
int32_t turn_cos(size_t at, size_t of);

enum layout_kind {
	LAYOUT_FEW,  /* a wide ring; labels of several lines beside each */
	LAYOUT_RING, /* a ring; labels stand out from it like rays */
	LAYOUT_DISC, /* rings within rings; short labels below each */
};

struct layout {
	enum layout_kind kind;
	size_t count;   /* members */
	int32_t radius; /* of the outermost ring */
	int32_t node;   /* half the width of a member */
};

void layout_init(struct layout *l, size_t count);

/* Position of member `index` around (0, 0): the same for the same index and count. */
struct point layout_at(const struct layout *l, size_t index);

#endif
