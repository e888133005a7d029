/*
 * The primitives that the shipped code calls, as the simulator links them: counted, so that they
 *can be charged, and above some hundred nodes replaced by stand-ins with the same rules.
 *
 *	signatures       always real.  A verdict is computed once for each (key, message, signature)
 *	                 and remembered for the next host that asks; so is the X25519 form of a key.
 *	X25519           stand-in: a keyed hash of both public keys.  Computing it takes a secret.
 *	AEAD             stand-in: a tag over key, nonce, additional data and text; no encryption.
 *
 * What passes a gate to real daemons (gate.h) is real, whatever the rest is: its handshakes, and
 * every frame under the keys that come of them.
 *
 * Bound by `ld --wrap`: the archives are those of the daemon.
 */
#ifndef SMEG_TESTS_SIM_CRYPTO_H
#define SMEG_TESTS_SIM_CRYPTO_H

#include "base/bytes.h"

/* Process-wide, as the linker's binding is.  Memories outlive a world: they change no result. */
void crypto_use_real(bool real);
bool crypto_is_real(void);

/* From now on the hub handles what has come through a gate. */
void crypto_at_gate(bool at_gate);

/* Computations that a daemon would have made. */
struct crypto_counts {
	uint64_t verified;
	uint64_t signed_;
	uint64_t dh;
};
const struct crypto_counts *crypto_counts(void);

/* Count the sealed texts opened from now on that contain `marker`; empty: none. */
void crypto_mark(struct bytes marker);
bool crypto_take_marked(void); /* was it in the last one opened?  Clears. */

/* Microseconds per real Ed25519 verification on this machine, now. */
double crypto_measure_verify(void);

#endif
