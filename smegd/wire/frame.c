/*
 * Cutting a stream into frames.
 *
 * The common case, whole frames in one portion, copies nothing: the frame is borrowed from the
 * input.  Only the tail of a portion is kept, in a buffer of exactly the size that its length
 * announces and that is given back with the frame, so an idle link holds no buffer.  That costs an
 * allocation per frame that comes in pieces; a buffer kept for reuse would cost 64 KiB for each of
 * a thousand links instead.
 *
 * The length is judged as soon as its four bytes are there and before anything is allocated.  How
 * much is allowed may change from one frame to the next (it grows when the other side has proved
 * who it is), therefore it is an argument.
 *
 * Invariant: buffer != NULL only if 4 <= have < want.
 */
#include "smegd/wire/frame.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define LENGTH_BYTES 4u

_Static_assert(FRAME_FIRST_BYTES_MAX <= LIMIT_FRAME_BYTES, "a hello is a frame");

void frame_head(uint8_t out[FRAME_HEAD_BYTES], uint8_t type, size_t body_bytes)
{
	struct writer w;

	assert(body_bytes <= LIMIT_FRAME_BYTES - FRAME_HEAD_BYTES);
	writer_init(&w, out, FRAME_HEAD_BYTES);
	write_u32(&w, (uint32_t)body_bytes + 1);
	write_u8(&w, type);
	assert(!w.err);
}

void cutter_init(struct cutter *c, const struct mem *m)
{
	*c = (struct cutter){ .mem = m };
}

void cutter_fini(struct cutter *c)
{
	if (!c || !c->mem)
		return;
	mem_free(c->mem, c->buffer);
	*c = (struct cutter){ .mem = c->mem };
}

static struct bytes take(struct bytes *input, size_t bytes)
{
	struct bytes taken = { .at = input->at, .count = bytes };

	assert(bytes <= input->count);
	if (bytes > 0)
		*input = (struct bytes){ .at = input->at + bytes, .count = input->count - bytes };
	return taken;
}

/* Bytes of the whole frame that starts with this length, or an error. */
static int frame_bytes(const uint8_t length[LENGTH_BYTES], size_t bytes_max, size_t *ret_bytes)
{
	struct reader r;
	size_t after;

	reader_init(&r, (struct bytes){ .at = length, .count = LENGTH_BYTES });
	after = read_u32(&r);
	if (after == 0)
		return ERR_MALFORMED;
	if (after > bytes_max - LENGTH_BYTES)
		return ERR_TOO_BIG;
	*ret_bytes = LENGTH_BYTES + after;
	return 0;
}

static void frame_of(struct bytes whole, struct frame *ret_frame)
{
	assert(whole.count >= FRAME_HEAD_BYTES);
	*ret_frame = (struct frame){
		.type = whole.at[LENGTH_BYTES],
		.head = { .at = whole.at, .count = FRAME_HEAD_BYTES },
		.body = { .at = whole.at + FRAME_HEAD_BYTES,
		          .count = whole.count - FRAME_HEAD_BYTES },
	};
}

/* Collect the four bytes of the length.  Returns whether they are all there. */
static bool fill_length(struct cutter *c, struct bytes *input)
{
	size_t count = MIN_OF(LENGTH_BYTES - c->have, input->count);

	if (count > 0)
		memcpy(c->head + c->have, take(input, count).at, count);
	c->have += count;
	return c->have == LENGTH_BYTES;
}

/* The length is known: make the buffer. */
static int start_buffer(struct cutter *c, size_t bytes_max)
{
	size_t want;
	int err = frame_bytes(c->head, bytes_max, &want);

	if (err)
		return err;
	c->buffer = mem_alloc(c->mem, want);
	if (!c->buffer)
		return -ENOMEM;
	memcpy(c->buffer, c->head, LENGTH_BYTES);
	c->want = want;
	return 0;
}

int cutter_next(struct cutter *c, struct bytes *input, size_t bytes_max, struct frame *ret_frame)
{
	size_t count;
	int err;

	assert(bytes_max > FRAME_HEAD_BYTES);
	assert(bytes_max <= LIMIT_FRAME_BYTES);
	/* The frame that the last call gave out. */
	if (c->buffer && c->have == c->want)
		cutter_fini(c);
	if (c->have == 0 && input->count >= LENGTH_BYTES) {
		err = frame_bytes(input->at, bytes_max, &count);
		if (err)
			return err;
		if (count <= input->count) {
			frame_of(take(input, count), ret_frame);
			return 1;
		}
	}
	if (!c->buffer) {
		if (!fill_length(c, input))
			return 0;
		err = start_buffer(c, bytes_max);
		if (err)
			return err;
	}
	count = MIN_OF(c->want - c->have, input->count);
	if (count > 0)
		memcpy(c->buffer + c->have, take(input, count).at, count);
	c->have += count;
	if (c->have < c->want)
		return 0;
	frame_of((struct bytes){ .at = c->buffer, .count = c->want }, ret_frame);
	return 1;
}
