/*
 * The leader's heartbeat: a small signed thing that is in no set and on no disk.
 *
 *   beat := 0x62 | version | u16 60 | leader 32 | number u64 | digest 16 | members u32 | signature
 * 64
 */
#ifndef SMEG_CRDT_BEAT_H
#define SMEG_CRDT_BEAT_H

#include "crdt/set.h"

#define BEAT_BYTES 128

struct beat {
	struct key leader;            /* X25519: the key of the sets */
	uint64_t number;              /* max(last + 1, Unix ms) of that leader; not 0 */
	uint8_t digest[DIGEST_BYTES]; /* of its replica */
	uint32_t members;             /* in the group, as it sees it */
};

/* beat->leader is ignored and set from `leader`; the number is not 0 (asserted). */
void beat_sign(const struct beat *beat,
               const struct keypair *leader,
               const struct key *mesh_public,
               uint8_t out[BEAT_BYTES]);

/* Verifies nothing.  ERR_TRUNCATED, ERR_VERSION, ERR_MALFORMED. */
int beat_parse(struct bytes raw, struct beat *ret_beat) MUST_CHECK;

/*
 * raw     has been parsed.
 * signer  the Ed25519 form of the leader's key, as its entry has it.
 * 0 or ERR_BAD_SIGNATURE.
 */
int beat_verify(struct bytes raw,
                const struct key *signer,
                const struct key *mesh_public) MUST_CHECK;

/*
 * Two beats of one leader with one number that say different things: signed both, a proof that it
 * does not keep to the protocol.  Two signatures of the same words are none.
 */
bool beat_contradicts(const struct beat *a, const struct beat *b);

#endif
