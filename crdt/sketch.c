/*
 * Symbols: what they are made of, and their bytes.
 *
 * The idea is that of Yang, Gilad and Alizadeh, "Practical Rateless Set Reconciliation" (2024,
 * arXiv 2402.02668): every item is in symbol 0 and in symbol i with probability 1 / (1 + i/2), so
 * that a prefix of the sequence can be decoded as soon as it is long enough, however large the
 * difference turns out to be.
 *
 * Both ends must come to the same symbols for an item, so no floating point and no root decides.
 * An item in symbol i stays out of those up to j with probability
 *
 *	(i+1)(i+2) / ((j+1)(j+2)) = (i+1)/(j+1) * (i+2)/(j+2),
 *
 * which is the chance that two independent fractions u, v in (0, 1] are both small enough: u <=
 * (i+1)/(j+1) and v <= (i+2)/(j+2).  Hence its next symbol is exactly the smaller of (i+1)/u and
 * (i+2)/v - 1, rounded down: integers, no approximation.  The fractions come in pairs from a
 * generator that the item's mark seeds; the mark is a keyed hash, so the walk is as hard to choose.
 *
 * One key does for items and marks: their inputs have 16 and 8 bytes, and SipHash tells lengths
 * apart.
 *
 * Nothing is kept between parts.  To remember where each item stands would save the steps before
 * `from`, which are few as they go by the logarithm, and would cost memory per session and item.
 *
 * On the wire, a count is written as its distance from what is to be expected of a set of that
 * size: one byte in place of two or three.  An item has 48 bits: two of 3000 statements have
 * the same with a chance of 2 in 100 million, of a million in 500, and then pages repair.  A check
 * has 24: a cell of several items passes for one with a chance of 1 in 16 million, and then the
 * decoding fails and is begun again under another key.  With 64 and 32 bits a sketch took a third
 * more, for no use.
 */
#include "crdt/sketch.h"

#include "base/err.h"
#include "crdt/sketch_priv.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define ITEM_MASK ((UINT64_C(1) << SKETCH_ITEM_BITS) - 1)

static uint64_t keyed_hash(const struct sketch_key *key, const uint8_t *src, size_t bytes)
{
	uint8_t hash[crypto_shorthash_BYTES];
	struct reader r;

	_Static_assert(crypto_shorthash_KEYBYTES == SKETCH_KEY_BYTES, "a SipHash key");
	crypto_shorthash(hash, src, bytes, key->b);
	reader_init(&r, (struct bytes){ hash, sizeof(hash) });
	return read_u64(&r);
}

uint64_t sketch_item(const struct sketch_key *key, const uint8_t digest[SKETCH_DIGEST_BYTES])
{
	return keyed_hash(key, digest, SKETCH_DIGEST_BYTES) & ITEM_MASK;
}

uint64_t sketch_mark(const struct sketch_key *key, uint64_t item)
{
	uint8_t raw[8];
	struct writer w;

	writer_init(&w, raw, sizeof(raw));
	write_u64(&w, item);
	assert(w.err == 0);
	return keyed_hash(key, raw, sizeof(raw));
}

void sketch_make(const struct sketch_key *key,
                 const struct sketch_set *set,
                 struct sketch_part *part)
{
	uint32_t end = part->from + part->count;

	assert(set->count <= LIMIT_SKETCH_ITEMS);
	assert(part->from <= LIMIT_SKETCH_INDEX && part->count <= LIMIT_SKETCH_INDEX);
	assert(end <= LIMIT_SKETCH_INDEX);
	part->total = (uint32_t)set->count;
	memset(part->symbols, 0, part->count * sizeof(*part->symbols));
	for (size_t i = 0; i < set->count; i++) {
		uint64_t mark = sketch_mark(key, set->items[i]);
		struct sketch_walk w = sketch_walk_start(mark);

		for (; w.at < end; sketch_walk_on(&w)) {
			if (w.at >= part->from)
				sketch_symbol_add(&part->symbols[w.at - part->from], set->items[i],
				                  sketch_check(mark), 1);
		}
	}
}

/* How many of `total` items to expect in symbol `index`, rounded down. */
static int64_t count_expected(uint32_t total, uint32_t index)
{
	return (int64_t)(2 * (uint64_t)total / (index + 2));
}

/* Signed numbers as unsigned ones, small when near zero: 0, -1, 1, -2, 2 as 0, 1, 2, 3, 4. */
static uint64_t zigzag(int64_t v)
{
	return v < 0 ? 2 * (uint64_t) - (v + 1) + 1 : 2 * (uint64_t)v;
}

static int64_t unzigzag(uint64_t v)
{
	return v & 1 ? -(int64_t)(v >> 1) - 1 : (int64_t)(v >> 1);
}

void sketch_write(const struct sketch_part *part, struct writer *w)
{
	assert(part->count >= 1 && part->count <= LIMIT_SKETCH_SYMBOLS);
	write_varint(w, part->total);
	write_varint(w, part->from);
	write_varint(w, part->count);
	for (uint32_t i = 0; i < part->count; i++) {
		const struct sketch_symbol *s = &part->symbols[i];

		assert(s->items <= ITEM_MASK && s->checks < 1u << SKETCH_CHECK_BITS);
		write_u16(w, (uint16_t)(s->items >> 32));
		write_u32(w, (uint32_t)s->items);
		write_u8(w, (uint8_t)(s->checks >> 16));
		write_u16(w, (uint16_t)s->checks);
		write_varint(w, zigzag(s->count - count_expected(part->total, part->from + i)));
	}
}

static int head_read(struct reader *r, size_t cap, struct sketch_part *part)
{
	uint64_t total = read_varint(r);
	uint64_t from = read_varint(r);
	uint64_t count = read_varint(r);

	if (r->err != 0)
		return r->err;
	if (count == 0)
		return ERR_MALFORMED;
	if (total > LIMIT_SKETCH_ITEMS || count > MIN_OF(cap, LIMIT_SKETCH_SYMBOLS) ||
	    from > LIMIT_SKETCH_INDEX - count)
		return ERR_TOO_BIG;
	part->total = (uint32_t)total;
	part->from = (uint32_t)from;
	part->count = (uint32_t)count;
	return 0;
}

static int symbol_read(struct reader *r, uint32_t total, uint32_t index, struct sketch_symbol *s)
{
	int64_t expected = count_expected(total, index);
	int64_t count;

	s->items = (uint64_t)read_u16(r) << 32;
	s->items |= read_u32(r);
	s->checks = (uint32_t)read_u8(r) << 16;
	s->checks |= read_u16(r);
	count = unzigzag(read_varint(r));
	if (r->err != 0)
		return r->err;
	/* In this order: the sum could overflow.  Every item is in symbol 0. */
	if (count < -expected || count > (int64_t)total - expected || (index == 0 && count != 0))
		return ERR_MALFORMED;
	s->count = (int32_t)(expected + count);
	return 0;
}

int sketch_read(struct bytes src,
                struct sketch_symbol *symbols,
                size_t cap,
                struct sketch_part *ret_part)
{
	struct reader r;
	int err;

	reader_init(&r, src);
	err = head_read(&r, cap, ret_part);
	if (err != 0)
		return err;
	ret_part->symbols = symbols;
	for (uint32_t i = 0; i < ret_part->count; i++) {
		err = symbol_read(&r, ret_part->total, ret_part->from + i, &symbols[i]);
		if (err != 0)
			return err;
	}
	return reader_finish(&r);
}
