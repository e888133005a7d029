/*
 * Noise_IK_25519_ChaChaPoly_BLAKE2b: two messages after which both sides hold the same keys and
 * know each other's static key.  The plain pattern of the specification (revision 34), so that its
 * public test vectors hold; what smegmesh puts around it is in seal.h.
 *
 * Order of calls:  initiator  noise_init, noise_first_write, noise_second_read,  noise_split
 *                  responder  noise_init, noise_first_read,  noise_second_write, noise_split
 * After an error only noise_fini() may follow.
 */
#ifndef SMEG_SMEGD_WIRE_NOISE_H
#define SMEG_SMEGD_WIRE_NOISE_H

#include "base/bytes.h"
#include "base/key.h"

#define NOISE_HASH_BYTES 64
#define NOISE_TAG_BYTES 16
#define NOISE_SECRET_BYTES 32
#define NOISE_FIRST_BYTES (2 * KEY_BYTES + 2 * NOISE_TAG_BYTES) /* more than its payload */
#define NOISE_SECOND_BYTES (KEY_BYTES + NOISE_TAG_BYTES)

/* One handshake under way.  Secret: wipe with noise_fini(). */
struct noise {
	uint8_t chain[NOISE_HASH_BYTES];    /* ck */
	uint8_t hash[NOISE_HASH_BYTES];     /* h */
	uint8_t key[32];                    /* k; each is used once, so its nonce is always 0 */
	uint8_t secret[NOISE_SECRET_BYTES]; /* our ephemeral key */
	struct key peer; /* their static key; responder: from the first message */
	struct key peer_ephemeral;
	unsigned operations; /* X25519 computations made so far */
};

struct noise_keys {
	uint8_t to_responder[32];
	uint8_t to_initiator[32];
	uint8_t hash[NOISE_HASH_BYTES]; /* of the whole handshake; public */
};

/* `responder`: whose static key is known beforehand. */
void noise_init(struct noise *n, struct bytes prologue, const struct key *responder);
void noise_fini(struct noise *n);

/*
 * `self` gives the static key (its X25519 half), `secret` is a fresh ephemeral key.  ERR_BAD_KEY:
 * `responder` is a point of low order.  The writer's room is the caller's care.
 */
int noise_first_write(struct noise *n,
                      const struct keypair *self,
                      const uint8_t secret[NOISE_SECRET_BYTES],
                      struct bytes payload,
                      struct writer *w) MUST_CHECK;

/*
 * `payload` has room for msg.count - NOISE_FIRST_BYTES and is unspecified after an error:
 * ERR_TRUNCATED, ERR_BAD_KEY, ERR_BAD_SIGNATURE.  Then n->peer has been proved by its owner.
 */
int noise_first_read(struct noise *n,
                     const struct keypair *self,
                     struct bytes msg,
                     uint8_t *payload) MUST_CHECK;

int noise_second_write(struct noise *n,
                       const uint8_t secret[NOISE_SECRET_BYTES],
                       struct bytes payload,
                       struct writer *w) MUST_CHECK;
int noise_second_read(struct noise *n,
                      const struct keypair *self,
                      struct bytes msg,
                      uint8_t *payload) MUST_CHECK;

/* The transport keys; wipes `n`. */
void noise_split(struct noise *n, struct noise_keys *ret_keys);

#endif
