/*
 * The generator: ChaCha20 with fast key erasure (D. J. Bernstein, "Fast-key-erasure random-number
 * generators", 2017).
 *
 * Each block of 512 bytes of key stream gives the next key (32 bytes) and a pool (480 bytes).  The
 * old key is gone at once and pool bytes are wiped as they are given out, so whoever reads the
 * state later learns nothing about what was drawn before.  A key is used for one block only, hence
 * the nonce is always zero.
 *
 * The stream is a function of the seed alone, the same on every machine: integers are taken
 * big-endian, and no draw depends on a word size.  Numbers in a range are drawn by rejection, so
 * they are exactly uniform; how many draws that takes is again a function of the seed.
 *
 * Rejected: randombytes_buf_deterministic(), which starts a new stream per call, and a small fast
 * generator for the simulator, which would then not run the shipped code.
 */
#include "base/rng.h"

#include "base/bytes.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static void rng_refill(struct rng *r)
{
	static const uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES] = { 0 };
	uint8_t block[sizeof(r->key) + sizeof(r->pool)];

	crypto_stream_chacha20_ietf(block, sizeof(block), nonce, r->key);
	memcpy(r->key, block, sizeof(r->key));
	memcpy(r->pool, block + sizeof(r->key), sizeof(r->pool));
	r->used = 0;
	sodium_memzero(block, sizeof(block));
}

void rng_init(struct rng *r, const uint8_t seed[RNG_SEED_BYTES])
{
	_Static_assert(sizeof(r->key) == RNG_SEED_BYTES, "the seed is the first key");
	_Static_assert(sizeof(r->key) == crypto_stream_chacha20_ietf_KEYBYTES, "a ChaCha20 key");
	memcpy(r->key, seed, RNG_SEED_BYTES);
	memset(r->pool, 0, sizeof(r->pool));
	r->used = sizeof(r->pool);
}

void rng_fini(struct rng *r)
{
	if (r)
		sodium_memzero(r, sizeof(*r));
}

void rng_bytes(struct rng *r, void *out, size_t bytes)
{
	uint8_t *at = out;

	while (bytes > 0) {
		size_t count;

		assert(r->used <= sizeof(r->pool));
		if (r->used == sizeof(r->pool))
			rng_refill(r);
		count = MIN_OF(bytes, sizeof(r->pool) - r->used);
		memcpy(at, r->pool + r->used, count);
		sodium_memzero(r->pool + r->used, count);
		r->used += count;
		at += count;
		bytes -= count;
	}
}

uint64_t rng_u64(struct rng *r)
{
	uint8_t raw[8];
	struct reader reader;

	rng_bytes(r, raw, sizeof(raw));
	reader_init(&reader, (struct bytes){ .at = raw, .count = sizeof(raw) });
	return read_u64(&reader);
}

uint64_t rng_below(struct rng *r, uint64_t bound)
{
	uint64_t unfair;
	uint64_t v;

	assert(bound > 0);
	/* 2^64 mod bound: that many of the smallest values are one too many of their class. */
	unfair = (UINT64_MAX - bound + 1) % bound;
	do {
		v = rng_u64(r);
	} while (v < unfair);
	return v % bound;
}

int64_t rng_jitter(struct rng *r, int64_t value, unsigned percent)
{
	uint64_t v = (uint64_t)value;
	uint64_t span;
	uint64_t moved;

	assert(value >= 0);
	assert(percent <= 100);
	/* In two parts: v * percent overflows for deadlines that never come. */
	span = v / 100 * percent + v % 100 * percent / 100;
	moved = v - span + rng_below(r, 2 * span + 1);
	return (int64_t)MIN_OF(moved, (uint64_t)INT64_MAX);
}

void rng_fork(struct rng *r, struct rng *ret_child)
{
	uint8_t seed[RNG_SEED_BYTES];

	rng_bytes(r, seed, sizeof(seed));
	rng_init(ret_child, seed);
	sodium_memzero(seed, sizeof(seed));
}
