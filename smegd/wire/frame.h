/*
 * Frames: what a link's stream of bytes is cut into.
 *
 *	length u32, big-endian, of what follows | type u8 | body
 *
 * The whole frame, with its length, is at most LIMIT_FRAME_BYTES, and before the other side has
 * proved who it is at most FRAME_FIRST_BYTES_MAX.
 */
#ifndef SMEG_SMEGD_WIRE_FRAME_H
#define SMEG_SMEGD_WIRE_FRAME_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"

#define FRAME_HEAD_BYTES 5u         /* length and type */
#define FRAME_FIRST_BYTES_MAX 1536u /* the largest hello or welcome */

enum frame_type {
	FRAME_HELLO = 0x01,
	FRAME_WELCOME = 0x02,
	FRAME_SEALED = 0x10, /* | FRAME_SEALED_BULK | FRAME_SEALED_ODD */
};

#define FRAME_SEALED_BULK 0x01u /* the lane */
#define FRAME_SEALED_ODD 0x02u  /* the epoch's lowest bit */

struct frame {
	uint8_t type;
	struct bytes head; /* the FRAME_HEAD_BYTES as they came */
	struct bytes body;
};

/* Put length and type in front of `body_bytes` bytes that follow.  The sum is within the limit. */
void frame_head(uint8_t out[FRAME_HEAD_BYTES], uint8_t type, size_t body_bytes);

/* Cuts one link's bytes; holds at most one frame that has not come whole. */
struct cutter {
	const struct mem *mem;
	uint8_t head[4]; /* the length, as far as it has come */
	uint8_t *buffer; /* of exactly the announced frame; NULL: none yet */
	size_t have;     /* bytes of the frame that are here */
	size_t want;     /* bytes of the frame in the buffer, length included; 0: not known */
};

void cutter_init(struct cutter *c, const struct mem *m);
void cutter_fini(struct cutter *c);

/*
 * Take the next frame off the front of *input, or all of *input if it does not complete one.
 *
 * bytes_max   of a whole frame; looked at when its length is known, before any allocation.
 * ret_frame   borrowed from the input or from the cutter, until the next call.
 *
 * Returns 1: a frame; 0: more bytes are needed; ERR_TOO_BIG or ERR_MALFORMED (no type): the stream
 * can't be cut any more; -ENOMEM.
 */
int cutter_next(struct cutter *c, struct bytes *input, size_t bytes_max, struct frame *ret_frame)
	MUST_CHECK;

#endif
