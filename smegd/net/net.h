/*
 * Links between daemons: nng streams over TCP.  nng's threads only queue what happened and wake the
 * loop; everything here is called from the loop's thread.
 *
 * A link carries bytes; frames, sessions and retries are not its business.
 */
#ifndef SMEG_SMEGD_NET_NET_H
#define SMEG_SMEGD_NET_NET_H

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "smegd/core/msg.h"

struct net;

enum net_news_kind {
	NET_ACCEPTED,  /* a new link, with remote */
	NET_CONNECTED, /* a dialled link is up, with remote */
	NET_BYTES,     /* data */
	/*
	 * The link is gone; err: 0 closed by the other side, ERR_REFUSED, ERR_NAME_UNKNOWN,
	 * ERR_CONNECT_TIMEOUT, ERR_UNREACHABLE, ERR_LIMIT (queue overflow, too many links), -errno.
	 * Its number is not used again.
	 */
	NET_DOWN,
};

struct net_news {
	enum net_news_kind kind;
	uint64_t link;
	struct endpoint remote;
	struct bytes data; /* valid until the next net_next() */
	int err;
};

struct net_options {
	const struct mem *mem;
	/* net_next() may have news.  Called from any thread, also from within calls below. */
	void (*wake)(void *ctx);
	void *wake_ctx;
	int64_t connect_timeout_ms; /* 0: 5000 */
};

int net_open(const struct net_options *options, struct net **ret) MUST_CHECK;

/* Closes every link and waits until nng is done with them. */
void net_close(struct net *n);

/*
 * Listen on all addresses, IPv6 and IPv4, or on one (`at`, NULL: all).  Port 0: any below 32768 is
 * not promised.  ERR_PORT_IN_USE, -errno; words in `diag`.
 */
int net_listen(struct net *n,
               const struct addr *at,
               uint16_t port,
               uint16_t *ret_port,
               struct diag *diag) MUST_CHECK;

/* Start dialling a name or address.  The link's number comes back at once; news follow, always. */
int net_dial(struct net *n, const struct hostport *at, uint64_t *ret_link) MUST_CHECK;

/*
 * Queue bytes (copied) on a lane.  LANE_CONTROL goes first.  More than LIMIT_LINK_QUEUE_BYTES
 * waiting: the link goes down with ERR_LIMIT.  A link that is gone is ignored.
 */
int net_send(struct net *n, uint64_t link, enum lane lane, struct bytes bytes) MUST_CHECK;

/*
 * Close after what is queued has left and the other side is quiet, or after a second; at once if
 * nothing was ever sent.  No news follow.
 */
void net_drop(struct net *n, uint64_t link);

/* The next thing that happened; false: nothing more for now. */
bool net_next(struct net *n, struct net_news *ret);

#endif
