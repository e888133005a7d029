/*
 * Seals: how two members prove themselves to each other, and how frames are protected afterwards.
 *
 *	hello    := frame HELLO:   MAC 16 | Noise IK message 1 (payload: struct greet_hello)
 *	welcome  := frame WELCOME: Noise IK message 2 (payload: struct greet_welcome)
 *	sealed   := frame SEALED | lane | epoch: AEAD(kind u8 | content)
 *
 * The MAC is keyed by a hash of the mesh id and the responder's key.  It selects the mesh, and
 * without it nobody makes us compute with keys: see docs/protocol/sessions.md.
 */
#ifndef SMEG_SMEGD_WIRE_SEAL_H
#define SMEG_SMEGD_WIRE_SEAL_H

#include "smegd/core/node.h"
#include "smegd/wire/frame.h"
#include "smegd/wire/greet.h"
#include "smegd/wire/noise.h"

#define SEAL_MAC_BYTES 16
#define SEAL_KIND_BYTES 1
#define SEAL_BYTES (FRAME_HEAD_BYTES + SEAL_KIND_BYTES + NOISE_TAG_BYTES) /* more than content */
#define SEAL_CONTENT_BYTES_MAX (LIMIT_FRAME_BYTES - SEAL_BYTES)

/* What is inside a sealed frame.  A receiver ignores kinds that it does not know. */
enum seal_kind {
	SEAL_READY = 0,        /* nothing; the first frame of each lane and epoch */
	SEAL_MESSAGE = 1,      /* an envelope of api/sync.proto */
	SEAL_REKEY_FIRST = 2,  /* Noise IK message 1, empty payload */
	SEAL_REKEY_SECOND = 3, /* Noise IK message 2, empty payload */
	SEAL_PING = 4,         /* answer with SEAL_READY */
};

/* --- handshake ------------------------------------------------------------------------------ */

/* What an initiator needs. */
struct seal_caller {
	const struct identity *self;
	const struct key *peer; /* X25519 that must answer */
	const uint8_t *secret;  /* fresh, NOISE_SECRET_BYTES */
};

/* The whole frame of the first message.  ERR_BAD_KEY: the peer's key is no key. */
int seal_hello(struct noise *n,
               const struct seal_caller *caller,
               const struct greet_hello *says,
               struct writer *w) MUST_CHECK;

/* Is the body of this hello meant for `self`?  Looks at the MAC only. */
bool seal_hello_is_for(const struct identity *self, struct bytes body);

/*
 * Open a hello that is for `self`.  `scratch`: FRAME_FIRST_BYTES_MAX bytes, to which ret_says
 * points.  Errors of noise_first_read() and greet_hello_read().  n->peer is the initiator.
 */
int seal_hello_open(struct noise *n,
                    const struct identity *self,
                    struct bytes body,
                    uint8_t *scratch,
                    struct greet_hello *ret_says) MUST_CHECK;

/* The whole frame of the second message.  Call noise_split() afterwards. */
int seal_welcome(struct noise *n,
                 const uint8_t secret[NOISE_SECRET_BYTES],
                 const struct greet_welcome *says,
                 struct writer *w) MUST_CHECK;

int seal_welcome_open(struct noise *n,
                      const struct identity *self,
                      struct bytes body,
                      uint8_t *scratch,
                      struct greet_welcome *ret_says) MUST_CHECK;

/* Start a handshake within a session; the messages are then those of noise.h. */
void seal_rekey_init(struct noise *n,
                     const uint8_t session_hash[NOISE_HASH_BYTES],
                     const struct key *dialled);

/* --- transport ------------------------------------------------------------------------------ */

struct seal_key {
	bool present;
	uint8_t key[32];
	uint64_t count[LANE__COUNT]; /* frames sealed or opened on each lane */
};

/* Both directions of one session.  Secret: wipe with seal_fini(). */
struct seal {
	struct seal_key tx[2]; /* by the epoch's lowest bit */
	struct seal_key rx[2];
	uint8_t tx_epoch;               /* seals */
	uint8_t rx_newest;              /* of the newest keys */
	uint8_t rx_epoch[LANE__COUNT];  /* the last one opened was of */
	uint8_t hash[NOISE_HASH_BYTES]; /* of the handshake that gave the newest keys */
};

/* Take the keys (wiped) of the first handshake. */
void seal_init(struct seal *s, struct noise_keys *keys, bool is_initiator);
void seal_fini(struct seal *s);

/* One epoch only, on both sides of every lane: the next may begin. */
bool seal_is_settled(const struct seal *s);

/* Take the keys (wiped) of the next epoch: they open from now on.  The seal must be settled. */
void seal_next(struct seal *s, struct noise_keys *keys, bool is_initiator);

/* Seal under the next epoch from now on, if there is one that is not in use yet (returned). */
bool seal_switch(struct seal *s);

/*
 * Seal in place.  `frame` has content_bytes + SEAL_BYTES bytes, the content at SEAL_HEAD_BYTES.
 */
#define SEAL_HEAD_BYTES (FRAME_HEAD_BYTES + SEAL_KIND_BYTES)
void seal_frame(
	struct seal *s, enum lane lane, enum seal_kind kind, uint8_t *frame, size_t content_bytes);

struct seal_opened {
	enum lane lane;
	uint8_t kind; /* enum seal_kind, or a later one */
	struct bytes content;
	bool is_new_epoch; /* the first on this lane under the newer keys */
};

/*
 * Open a frame of type SEALED into `plain`, which has room for frame->body.count bytes.
 * ERR_MALFORMED: no such type or epoch, or the frame is not the next of its lane, or was changed.
 */
int seal_open(struct seal *s,
              const struct frame *frame,
              uint8_t *plain,
              struct seal_opened *ret_opened) MUST_CHECK;

#endif
