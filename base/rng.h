/*
 * A deterministic, cryptographically strong generator: ChaCha20 with fast key erasure.
 *
 * The daemon seeds it once from the operating system; the simulator from its seed.  The state is
 * secret wherever keys are drawn from it: wipe it with rng_fini().
 */
#ifndef SMEG_BASE_RNG_H
#define SMEG_BASE_RNG_H

#include "base/defs.h"

#define RNG_SEED_BYTES 32

struct rng {
	uint8_t key[32];
	uint8_t pool[480]; /* drawn ahead; wiped as it is given out */
	size_t used;       /* bytes of pool already given out */
};

void rng_init(struct rng *r, const uint8_t seed[RNG_SEED_BYTES]);
void rng_fini(struct rng *r);

void rng_bytes(struct rng *r, void *out, size_t bytes);
uint64_t rng_u64(struct rng *r);

/* Uniform in [0, bound); bound > 0. */
uint64_t rng_below(struct rng *r, uint64_t bound);

/* `value` moved by a uniform share of up to ±percent; for timers.  value >= 0. */
int64_t rng_jitter(struct rng *r, int64_t value, unsigned percent);

/* An independent generator, seeded from this one. */
void rng_fork(struct rng *r, struct rng *ret_child);

#endif
