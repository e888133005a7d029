/*
 * The bounded reader and writer.
 *
 * A decoder reads all its fields and looks at the error once, so every read after an error must be
 * harmless: it yields 0 and leaves nothing to read, which also ends loops over reader_left().  The
 * first error stays.  The writer is all or nothing per call: a field that does not fit writes no
 * part of itself, and nothing after it is written even if it would fit.
 *
 * Integers are put together byte by byte: no alignment, no host order, no casts of pointers.
 *
 * Varints are unsigned LEB128 as in DWARF and protobuf, but canonical: one value, one form, because
 * signed bytes are compared and hashed.  The last of several bytes is never 0, and the tenth holds
 * only bit 63.
 */
#include "base/bytes.h"

#include "base/err.h"

#include <assert.h>
#include <string.h>

#define VARINT_BYTES_MAX 10

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.count == b.count && bytes_compare(a, b) == 0;
}

int bytes_compare(struct bytes a, struct bytes b)
{
	size_t count = MIN_OF(a.count, b.count);
	int order = count > 0 ? memcmp(a.at, b.at, count) : 0;

	if (order != 0)
		return order;
	return (a.count > b.count) - (a.count < b.count);
}

void reader_init(struct reader *r, struct bytes src)
{
	static const uint8_t nothing[1] = { 0 };

	assert(src.at || src.count == 0);
	r->at = src.at ? src.at : nothing;
	r->end = r->at + src.count;
	r->err = 0;
}

size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

static void reader_fail(struct reader *r, int err)
{
	if (r->err == 0)
		r->err = err;
	r->at = r->end;
}

/* The next `bytes` bytes, or NULL and an error. */
static const uint8_t *reader_take(struct reader *r, size_t bytes)
{
	const uint8_t *at = r->at;

	if (r->err != 0 || bytes > reader_left(r)) {
		reader_fail(r, ERR_TRUNCATED);
		return NULL;
	}
	r->at += bytes;
	return at;
}

static uint64_t read_big_endian(struct reader *r, size_t bytes)
{
	const uint8_t *at = reader_take(r, bytes);
	uint64_t v = 0;

	for (size_t i = 0; at && i < bytes; i++)
		v = v << 8 | at[i];
	return v;
}

uint8_t read_u8(struct reader *r)
{
	return (uint8_t)read_big_endian(r, 1);
}

uint16_t read_u16(struct reader *r)
{
	return (uint16_t)read_big_endian(r, 2);
}

uint32_t read_u32(struct reader *r)
{
	return (uint32_t)read_big_endian(r, 4);
}

uint64_t read_u64(struct reader *r)
{
	return read_big_endian(r, 8);
}

void read_copy(struct reader *r, void *out, size_t bytes)
{
	const uint8_t *at = reader_take(r, bytes);

	if (bytes == 0)
		return;
	if (at)
		memcpy(out, at, bytes);
	else
		memset(out, 0, bytes);
}

struct bytes read_bytes(struct reader *r, size_t bytes)
{
	const uint8_t *at = reader_take(r, bytes);

	return (struct bytes){ .at = at, .count = at ? bytes : 0 };
}

uint64_t read_varint(struct reader *r)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
		const uint8_t *at = reader_take(r, 1);

		if (!at)
			return 0;
		if (i == VARINT_BYTES_MAX - 1 && *at > 1)
			break;
		v |= (uint64_t)(*at & 0x7f) << (7 * i);
		if (*at & 0x80)
			continue;
		if (*at == 0 && i > 0)
			break;
		return v;
	}
	reader_fail(r, ERR_MALFORMED);
	return 0;
}

int reader_finish(struct reader *r)
{
	if (r->err == 0 && reader_left(r) > 0)
		reader_fail(r, ERR_MALFORMED);
	return r->err;
}

void writer_init(struct writer *w, void *buffer, size_t cap)
{
	assert(buffer || cap == 0);
	*w = (struct writer){ .at = buffer, .cap = cap };
}

/* Room for `bytes` bytes, counted as written, or NULL and an error. */
static uint8_t *writer_take(struct writer *w, size_t bytes)
{
	uint8_t *at;

	if (w->err != 0 || bytes > w->cap - w->count) {
		w->err = ERR_TOO_BIG;
		return NULL;
	}
	if (bytes == 0)
		return NULL;
	at = w->at + w->count;
	w->count += bytes;
	return at;
}

static void write_big_endian(struct writer *w, uint64_t v, size_t bytes)
{
	uint8_t *at = writer_take(w, bytes);

	for (size_t i = bytes; at && i > 0; i--) {
		at[i - 1] = (uint8_t)v;
		v >>= 8;
	}
}

void write_u8(struct writer *w, uint8_t v)
{
	write_big_endian(w, v, 1);
}

void write_u16(struct writer *w, uint16_t v)
{
	write_big_endian(w, v, 2);
}

void write_u32(struct writer *w, uint32_t v)
{
	write_big_endian(w, v, 4);
}

void write_u64(struct writer *w, uint64_t v)
{
	write_big_endian(w, v, 8);
}

void write_copy(struct writer *w, const void *src, size_t bytes)
{
	uint8_t *at = writer_take(w, bytes);

	if (at)
		memcpy(at, src, bytes);
}

void write_varint(struct writer *w, uint64_t v)
{
	size_t bytes = varint_bytes(v);
	uint8_t *at = writer_take(w, bytes);

	for (size_t i = 0; at && i < bytes; i++) {
		at[i] = (uint8_t)((v & 0x7f) | (i + 1 < bytes ? 0x80 : 0));
		v >>= 7;
	}
}

struct bytes writer_bytes(const struct writer *w)
{
	if (w->err != 0)
		return (struct bytes){ 0 };
	return (struct bytes){ .at = w->at, .count = w->count };
}

size_t varint_bytes(uint64_t v)
{
	size_t bytes = 1;

	while (v >>= 7)
		bytes++;
	return bytes;
}
