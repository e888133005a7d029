/*
 * The hub: all sessions of a daemon over all links, as a pure state machine between the bytes of
 * smegd/net and the events of smegd/core.
 *
 * It cuts frames, opens and answers handshakes (Noise IK, see seal.h), seals and opens messages,
 * limits what strangers can cost, and keeps one session per pair of members.  It asks the directory
 * (the node) who may speak.  A stranger gets no byte.
 *
 * Links are numbered by the shell, from 1, no number twice.  A dialled link exists from hub_dial()
 * on.
 */
#ifndef SMEG_SMEGD_WIRE_HUB_H
#define SMEG_SMEGD_WIRE_HUB_H

#include "smegd/core/node.h"

struct hub;

/* How the hub asks the node; ctx is the node (or a test's stand-in). */
struct hub_directory {
	void *ctx;
	size_t (*identities)(void *ctx, struct identity *out, size_t cap);
	enum admit (*admit)(void *ctx, const struct hello *hello, struct instant now, int *ret_err);
};

enum hub_output_kind {
	HUB_SEND,  /* frame bytes for a link, on a lane; in order within the lane */
	HUB_CLOSE, /* after what was sent before is out; no hub_link_down() follows from us */
	HUB_EVENT, /* for the node: EV_SESSION_UP, EV_SESSION_DOWN, EV_DIAL_FAILED, EV_MESSAGE */
};

struct hub_output {
	enum hub_output_kind kind;
	uint64_t link;
	enum lane lane;
	struct bytes frame; /* whole, with its length */
	struct event event;
};

/* Filled by the calls below; each empties it first.  Lives until the next call on the hub. */
struct hub_outputs {
	struct arena arena;
	struct hub_output *list;
	size_t count;
	size_t cap;
};

void hub_outputs_init(struct hub_outputs *out, const struct mem *m);
void hub_outputs_fini(struct hub_outputs *out);

struct hub_options {
	const struct mem *mem;
	uint8_t seed[RNG_SEED_BYTES]; /* ephemeral keys are drawn from it */
	struct hub_directory directory;
};

int hub_new(const struct hub_options *options, struct hub **ret) MUST_CHECK;
void hub_free(struct hub *h); /* wipes keys; NULL is fine */

/* All of these return 0 or -ENOMEM; nothing from outside is an error. */

/* A stranger's link was accepted.  `link` is new. */
int hub_accepted(struct hub *h,
                 uint64_t link,
                 const struct endpoint *remote,
                 struct instant now,
                 struct hub_outputs *out) MUST_CHECK;

/* An FX_DIAL is on its way over `link` (effect borrowed). */
int hub_dial(struct hub *h,
             uint64_t link,
             const struct effect *dial,
             struct instant now,
             struct hub_outputs *out) MUST_CHECK;

/* A dialled link is connected: the first message leaves. */
int hub_connected(struct hub *h,
                  uint64_t link,
                  const struct endpoint *remote,
                  struct instant now,
                  struct hub_outputs *out) MUST_CHECK;

/* Bytes as they come, in any portions. */
int hub_bytes(struct hub *h,
              uint64_t link,
              struct bytes bytes,
              struct instant now,
              struct hub_outputs *out) MUST_CHECK;

/* A link is gone (closed by the other side, broken, could not connect, queue overflow). */
int hub_link_down(struct hub *h,
                  uint64_t link,
                  int err,
                  struct instant now,
                  struct hub_outputs *out) MUST_CHECK;

/*
 * The node's FX_SEND and FX_CLOSE.  A session that is gone already is ignored.  Closing one brings
 * its EV_SESSION_DOWN: each that came up goes down once, whoever ends it.
 */
int hub_send(struct hub *h, const struct effect *send, struct instant now, struct hub_outputs *out)
	MUST_CHECK;
int hub_close(struct hub *h, uint64_t session, struct instant now, struct hub_outputs *out)
	MUST_CHECK;

/* Half-open time-outs and rekeying. */
int hub_tick(struct hub *h, struct instant now, struct hub_outputs *out) MUST_CHECK;
int64_t hub_deadline(const struct hub *h);

/* What the hub counted, for status and tests. */
struct hub_counters {
	uint64_t hellos;         /* first messages received */
	uint64_t hellos_refused; /* of them, without an answer */
	uint64_t hellos_limited; /* dropped by the rate limit before any public-key work */
	uint64_t frames_bad;     /* sessions closed for bytes that do not open or parse */
	uint64_t key_operations; /* X25519 computations made for strangers */
};
void hub_count(const struct hub *h, struct hub_counters *ret);

#endif
