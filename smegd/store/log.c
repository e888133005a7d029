/*
 * Is a log that a daemon left behind broken in its middle?
 *
 * sqlite takes the first frame that does not check for the end of the log, as it is what a power
 * failure leaves.  A bit that flipped in an earlier frame would so silently take back all that was
 * committed since, an identity or a counter among it.  But a transaction is only begun when the one
 * before is on the disk.  So a power failure can break the last one in the log and no other: behind
 * the first broken frame there is at most one that ends a transaction.  Where there are more, the
 * log is damaged.  A broken last transaction stays undecidable, and is taken for a power failure.
 *
 * For this to hold, all frames of one salt must come from one run of the daemon: frames of a torn
 * transaction could else stand behind later ones.  So the log is emptied at each start.  And one
 * transaction must have one frame that ends it, which is so wherever a write leaves the rest of the
 * sector alone (sqlite's POWERSAFE_OVERWRITE, the default on Unix).
 *
 * Format: https://sqlite.org/fileformat.html, section 4.
 */
#include "smegd/store/store_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x377f0682u /* its last bit: the checksums take words as big-endian */
#define HEADER_BYTES 32
#define FRAME_BYTES 24
#define PAGE_BYTES_MAX 65536u

struct sum {
	uint32_t a;
	uint32_t b;
};

struct log {
	FILE *file;
	bool is_big_endian;
	uint32_t page_bytes;
	uint64_t salt;
	struct sum sum; /* of all that was valid */
	uint8_t frame[FRAME_BYTES + PAGE_BYTES_MAX];
};

static uint32_t word(const uint8_t *at, bool is_big_endian)
{
	if (is_big_endian)
		return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
	return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static void sum_add(struct sum *s, const uint8_t *at, size_t count, bool is_big_endian)
{
	for (size_t i = 0; i < count; i += 8) {
		s->a += word(at + i, is_big_endian) + s->b;
		s->b += word(at + i + 4, is_big_endian) + s->a;
	}
}

static bool sum_is(const struct sum *s, uint32_t a, uint32_t b)
{
	return s->a == a && s->b == b;
}

/* The header is one write within a sector: it is never half of two. */
static bool header_read(struct log *l)
{
	uint8_t raw[HEADER_BYTES];
	struct reader r;
	uint32_t magic;
	uint32_t a;

	if (fread(raw, sizeof(raw), 1, l->file) != 1)
		return false;
	reader_init(&r, (struct bytes){ raw, sizeof(raw) });
	magic = read_u32(&r);
	read_u32(&r); /* the format's version */
	l->page_bytes = read_u32(&r);
	read_u32(&r); /* number of checkpoints */
	l->salt = read_u64(&r);
	l->is_big_endian = magic & 1;
	sum_add(&l->sum, raw, 24, l->is_big_endian);
	a = read_u32(&r);
	return (magic | 1) == (MAGIC | 1) && sum_is(&l->sum, a, read_u32(&r)) &&
	       l->page_bytes >= 512 && l->page_bytes <= PAGE_BYTES_MAX;
}

static bool frame_read(struct log *l)
{
	return fread(l->frame, FRAME_BYTES + l->page_bytes, 1, l->file) == 1;
}

/* Does the frame follow on what was valid?  Goes on to it then. */
static bool frame_is_next(struct log *l)
{
	struct sum sum = l->sum;
	struct reader r;
	uint32_t a;

	sum_add(&sum, l->frame, 8, l->is_big_endian);
	sum_add(&sum, l->frame + FRAME_BYTES, l->page_bytes, l->is_big_endian);
	reader_init(&r, (struct bytes){ l->frame, FRAME_BYTES });
	if (read_u32(&r) == 0) /* the page's number */
		return false;
	read_u32(&r);
	if (read_u64(&r) != l->salt)
		return false;
	a = read_u32(&r);
	if (!sum_is(&sum, a, read_u32(&r)))
		return false;
	l->sum = sum;
	return true;
}

/* Is it of this log, not of the one before in the same file, and the last of a transaction? */
static bool frame_ends_transaction(const struct log *l)
{
	struct reader r;
	uint32_t pages;

	reader_init(&r, (struct bytes){ l->frame, FRAME_BYTES });
	read_u32(&r);
	pages = read_u32(&r);
	return pages > 0 && read_u64(&r) == l->salt;
}

static bool is_broken(struct log *l)
{
	unsigned ends = 0;

	/* What follows a header is only written when that is on the disk. */
	if (!header_read(l))
		return fgetc(l->file) != EOF;
	while (frame_read(l)) {
		if (frame_is_next(l))
			continue;
		do
			ends += frame_ends_transaction(l);
		while (frame_read(l));
	}
	return ends > 1;
}

int store_inspect_log(struct store *s, struct diag *diag)
{
	struct log *l = calloc(1, sizeof(*l));
	char name[STORE_NAME_BYTES];
	int err = 0;

	store_beside(name, s, "-wal");
	if (!l)
		return store_refuse(-ENOMEM, "read", name, NULL, diag);
	l->file = fopen(name, "re");
	if (!l->file)
		err = store_refuse(-errno, "read", name, NULL, diag);
	else if (is_broken(l))
		err = store_refuse(
			ERR_DAMAGED_STORE, "use the log", name,
			"the database is damaged: there is something behind what is broken", diag);
	else if (ferror(l->file))
		err = store_refuse(-EIO, "read", name, NULL, diag);
	if (l->file)
		fclose(l->file);
	free(l);
	return err;
}
