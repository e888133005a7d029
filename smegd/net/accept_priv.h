/*
 * A listening stream that accepts for ever.
 */
#ifndef SMEG_SMEGD_NET_ACCEPT_PRIV_H
#define SMEG_SMEGD_NET_ACCEPT_PRIV_H

#include "smegd/net/pump_priv.h"

#define ACCEPT_PAUSE_MS 100

struct acceptor {
	struct pump *pump;
	nng_stream_listener *listener;
	struct op accept;
	struct alarm pause;
	/* In the loop's thread; `stream` is the callee's. */
	void (*accepted)(struct acceptor *a, nng_stream *stream);
};

/*
 * The listener listens already; it is taken, also on failure.  -ENOMEM.  After acceptor_init() or
 * zeroed acceptor_fini() is fine.
 */
int acceptor_init(struct acceptor *a,
                  struct pump *p,
                  nng_stream_listener *listener,
                  void (*accepted)(struct acceptor *a, nng_stream *stream)) MUST_CHECK;

/* Stops listening, waits until nng is done with it.  Not from `accepted`. */
void acceptor_fini(struct acceptor *a);

#endif
