/*
 * A connected stream: one receive and one send under way at a time, and two lanes of what waits to
 * be sent.
 */
#ifndef SMEG_SMEGD_NET_PIPE_PRIV_H
#define SMEG_SMEGD_NET_PIPE_PRIV_H

#include "base/bytes.h"
#include "base/mem.h"
#include "smegd/core/msg.h"
#include "smegd/net/pump_priv.h"

#define PIPE_SMALL_BYTES 1024u  /* for input, of a link where little comes */
#define PIPE_LARGE_BYTES 16384u /* of one where more does */

struct pipe;

/* Called in the loop's thread; each may call pipe_close(), none may call pipe_fini(). */
struct pipe_events {
	/* Bytes are there (pipe_data()); nothing more is read until pipe_resume(). */
	void (*got)(struct pipe *p);
	/* Nothing is queued any more. */
	void (*drained)(struct pipe *p);
	/* Nothing more will come: 0 the other side closed, or -errno.  Once, and the last call. */
	void (*ended)(struct pipe *p, int err);
};

struct pipe {
	struct pump *pump;
	const struct mem *mem;
	const struct pipe_events *on;
	nng_stream *stream; /* NULL: not connected yet, or closed */
	struct op recv;
	struct op send;
	uint8_t *buffer;
	size_t room; /* of the buffer */
	size_t got;  /* bytes in it */
	bool ending; /* a receive has failed: one more is tried */
	bool broken; /* a send has failed: what is queued later goes nowhere */
	bool closed;
	bool used;                      /* something was queued, ever */
	bool is_urgent;                 /* somebody waits for `drained` */
	int err;                        /* the first that is worth telling */
	struct list lanes[LANE__COUNT]; /* of chunks */
	struct chunk *sending;
	size_t queued; /* bytes, with what is left of `sending` */
	size_t queued_max;
};

/* Everything is borrowed.  After a failure pipe_fini() is due all the same.  -ENOMEM. */
int pipe_init(struct pipe *p,
              struct pump *pump,
              const struct mem *mem,
              const struct pipe_events *on,
              size_t queued_max) MUST_CHECK;

/* The stream is taken.  What was queued before leaves now. */
void pipe_start(struct pipe *p, nng_stream *stream);

/* Break the connection; no handler is called any more.  Twice is fine. */
void pipe_close(struct pipe *p);

/* Closes if need be, and waits until nng is done with it.  Not in a handler of this pipe. */
void pipe_fini(struct pipe *p);

/* What has come; valid until pipe_resume() or pipe_fini(). */
struct bytes pipe_data(const struct pipe *p);

/* The data has been taken: read on. */
void pipe_resume(struct pipe *p);

/*
 * Queue the parts, joined, as one chunk (not empty).  ERR_LIMIT: queued_max would be exceeded;
 * -ENOMEM; and then nothing was queued.
 */
int pipe_send(struct pipe *p, enum lane lane, const struct bytes *parts, size_t count) MUST_CHECK;

/*
 * `drained` is waited for: it comes at once when all has left.  Else it comes, and
 * pipe_is_drained() tells of it, when the loop wakes for whatever reason.
 */
void pipe_hurry(struct pipe *p);
/* Has all left that was queued?  Was ever anything? */
bool pipe_is_drained(const struct pipe *p);
bool pipe_is_used(const struct pipe *p);

/* An nng error as ours: 0 for "closed", -errno. */
int pipe_error(int nng_err);

#endif
