/*
 * Bounded reading and writing of byte strings with a sticky error: read or write all fields, then
 * look once.  All integers are big-endian.
 */
#ifndef SMEG_BASE_BYTES_H
#define SMEG_BASE_BYTES_H

#include "base/defs.h"

struct mem;

/* A borrowed byte string. */
struct bytes {
	const uint8_t *at; /* may be NULL when count is 0 */
	size_t count;
};

bool bytes_equal(struct bytes a, struct bytes b);

/* Total order: as memcmp, then the shorter first. */
int bytes_compare(struct bytes a, struct bytes b);

struct reader {
	const uint8_t *at;
	const uint8_t *end;
	int err; /* 0, or the first error: ERR_TRUNCATED or ERR_MALFORMED; then all reads give 0 */
};

void reader_init(struct reader *r, struct bytes src);

/* 0 after an error, so that a loop over it ends. */
size_t reader_left(const struct reader *r);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);

/* Copies; zero-fills `out` after an error. */
void read_copy(struct reader *r, void *out, size_t bytes);

/* Borrows from the source; {NULL, 0} after an error. */
struct bytes read_bytes(struct reader *r, size_t bytes);

/*
 * Unsigned LEB128, at most 10 bytes.  Canonical only: a needlessly long form is ERR_MALFORMED.
 */
uint64_t read_varint(struct reader *r);

/* Sets ERR_MALFORMED if anything is left; returns the error. */
int reader_finish(struct reader *r) MUST_CHECK;

/* Writes into a fixed buffer; running over sets err and writes nothing more. */
struct writer {
	uint8_t *at;
	size_t count; /* bytes written */
	size_t cap;
	int err; /* 0 or ERR_TOO_BIG */
};

void writer_init(struct writer *w, void *buffer, size_t cap);
void write_u8(struct writer *w, uint8_t v);
void write_u16(struct writer *w, uint16_t v);
void write_u32(struct writer *w, uint32_t v);
void write_u64(struct writer *w, uint64_t v);
void write_copy(struct writer *w, const void *src, size_t bytes);
void write_varint(struct writer *w, uint64_t v);

/* What was written; {NULL, 0} after an error.  Borrows from the buffer. */
struct bytes writer_bytes(const struct writer *w);

/* Bytes that write_varint() takes for v. */
size_t varint_bytes(uint64_t v);

#endif
