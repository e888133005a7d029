/*
 * A tap on what daemons say: it counts by kind, may lose a message, and lets a row of the bench put
 * words into a host's mouth or ear.
 */
#ifndef SMEG_TESTS_SIM_TAP_H
#define SMEG_TESTS_SIM_TAP_H

#include "tests/sim/host.h"

#define TAP_KINDS (MSG_BEAT_ACK + 1)
#define TAP_ALIVE 0 /* in the place of a kind: digests that are mere signs of life */

struct tap {
	/* Sees what a host sends, before it leaves; false: it is lost.  May be NULL. */
	bool (*send)(struct world *w, struct host *h, const struct effect *send, void *ctx);
	void *ctx;
	uint64_t bytes[TAP_KINDS]; /* frame, length and tag; by enum msg_kind */
};

/* One of the two kinds of a digest: nobody asked for it and it asks nothing. */
bool tap_is_alive(const struct msg *msg);

/* Of all kinds of which repair consists. */
uint64_t tap_repair_bytes(const struct tap *t);

/* The host sends this as well, as though its node had wanted it. */
void tap_say(struct world *w, struct host *h, uint64_t session, const struct msg *msg);

/* The host hears this from the other side of a session. */
void tap_hear(struct world *w, struct host *h, uint64_t session, const struct msg *msg);

#endif
