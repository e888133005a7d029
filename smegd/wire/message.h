/*
 * Messages as bytes: struct msg to api/sync.proto and back.
 */
#ifndef SMEG_SMEGD_WIRE_MESSAGE_H
#define SMEG_SMEGD_WIRE_MESSAGE_H

#include "base/mem.h"
#include "smegd/core/msg.h"

#define MSG_HOPS_MAX 4u

/* Where to leave room around the packed bytes. */
struct message_room {
	size_t before;
	size_t after;
};

/* Does `m` keep every bound that msg.h gives?  0, ERR_TOO_BIG or ERR_MALFORMED. */
int message_check(const struct msg *m) MUST_CHECK;

struct message_packed {
	uint8_t *block; /* the room before, the bytes, the room after */
	size_t bytes;   /* without the room */
};

/*
 * Pack `m`, which passes message_check() (asserted), into a block of `a`.  Returns 0 or -ENOMEM.
 */
int message_pack(const struct msg *m,
                 struct message_room room,
                 struct arena *a,
                 struct message_packed *ret_packed) MUST_CHECK;

/*
 * Read hostile bytes (<= LIMIT_FRAME_BYTES) into `ret_m`, whose pointers are then to `a`.  Takes at
 * most MESSAGE_MEMORY_BYTES of `a`, whatever the bytes.
 *
 * Returns 0; ERR_VERSION: a kind or version that we don't know, to be ignored; ERR_MALFORMED or
 * ERR_TOO_BIG: breaks a bound; -ENOMEM.
 */
#define MESSAGE_MEMORY_BYTES (256u << 10)
int message_unpack(struct bytes src, struct arena *a, struct msg *ret_m) MUST_CHECK;

#endif
