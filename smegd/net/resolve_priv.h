/*
 * Names to addresses, off the loop.
 */
#ifndef SMEG_SMEGD_NET_RESOLVE_PRIV_H
#define SMEG_SMEGD_NET_RESOLVE_PRIV_H

#include "base/addr.h"
#include "smegd/net/pump_priv.h"

#define RESOLVE_ADDRESSES 4u /* of a name, in the order of preference; the others are ignored */
#define RESOLVE_THREADS 4u

struct resolver;

/* One question.  Its answer is valid in `done` only. */
struct lookup {
	struct notice notice;
	struct list node; /* in the resolver's queue */
	struct resolver *resolver;
	void (*done)(struct lookup *lookup);
	void *owner;
	bool forgotten; /* under the resolver's lock: nobody waits for it */
	bool running;   /* the same: a thread has it */
	int err;        /* 0, ERR_NAME_UNKNOWN, -errno */
	struct endpoint found[RESOLVE_ADDRESSES]; /* without ports */
	size_t count;
	char host[HOST_NAME_MAX_BYTES + 1];
};

/* -ENOMEM.  The pump is borrowed until resolver_free(). */
int resolver_new(struct pump *p, struct resolver **ret) MUST_CHECK;

/* Does not wait for the name service; its threads end when it has answered.  NULL is fine. */
void resolver_free(struct resolver *r);

/*
 * Ask.  `done` is called in the loop's thread and ends the lookup, as does lookup_forget() before
 * that.  -ENOMEM, -EAGAIN (no thread).
 */
int resolver_ask(struct resolver *r,
                 const char *host,
                 void (*done)(struct lookup *lookup),
                 void *owner,
                 struct lookup **ret) MUST_CHECK;

/* The answer is not wanted any more.  NULL is fine. */
void lookup_forget(struct lookup *l);

#endif
