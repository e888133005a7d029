/*
 * What net.c, link.c and listen.c share.
 */
#ifndef SMEG_SMEGD_NET_NET_PRIV_H
#define SMEG_SMEGD_NET_NET_PRIV_H

#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "smegd/net/accept_priv.h"
#include "smegd/net/net.h"
#include "smegd/net/pipe_priv.h"
#include "smegd/net/resolve_priv.h"

/* All links at once; those above the hub's limits live only until it drops them. */
#define NET_LINKS_MAX (LIMIT_SESSIONS + LIMIT_HALF_OPEN + 256u)
#define NET_FLUSH_MS 1000 /* a dropped link lives no longer */
#define NET_LINGER_MS 100 /* when all has left: so long without input */

/*
 *           net_dial            accept
 *              |                  |
 *           DIALLING ----------> UP
 *              |  \            /   |
 *              |   v          v    |
 *              |   DOWN      FLUSHING (dropped, data leaves)
 *              |    |  (news pending)  |
 *              +----+--> DEAD <--------+   freed in the next net_next()
 */
enum link_state {
	LINK_DIALLING,
	LINK_UP,
	LINK_FLUSHING,
	LINK_DOWN,
	LINK_DEAD,
	LINK__COUNT
};

/* What net_next() has to say about a link, in this order. */
enum {
	SAY_UP = 1,
	SAY_BYTES = 2,
	SAY_DOWN = 4
};

struct link {
	uint64_t number;
	uint8_t key[8]; /* the number, big-endian */
	enum link_state state;
	bool accepted;
	struct net *net;
	struct endpoint remote;
	struct pipe pipe;
	unsigned say;
	int err; /* of SAY_DOWN */

	/* While dialling */
	struct lookup *lookup;
	nng_stream_dialer *dialer;
	struct op dial;
	nng_stream *early; /* nng calls it connected, the kernel does not yet */
	uint8_t scrap;
	struct endpoint targets[RESOLVE_ADDRESSES];
	size_t targets_count;
	size_t target;      /* the next to try */
	int64_t give_up_ms; /* also of flushing */
	uint16_t port;

	struct alarm alarm;        /* dialling: try the next; flushing: close */
	struct map_node by_number; /* in net.links while it has a number for the caller */
	struct list node;          /* in net.dropped or net.dead, else in net.unlisted */
	struct list ready;         /* in net.ready while say is not 0 */
};

struct listener {
	struct acceptor acceptor;
	struct net *net;
	struct list node;
};

struct net {
	const struct mem *mem;
	int64_t connect_timeout_ms;
	uint64_t last_number;
	struct pump pump;
	struct resolver *resolver;
	struct map links; /* those that are UP, DIALLING or DOWN */
	struct list ready;
	struct list dropped; /* FLUSHING */
	struct list dead;
	struct link *served; /* its data was given out by the last net_next() */
	struct list listeners;
};

/* --- link.c --- */

/* A new link in state DIALLING, with its number.  NULL: out of memory. */
struct link *link_new(struct net *n);

/* Connected, with l->remote set: `stream` is taken. */
void link_up(struct link *l, nng_stream *stream);

/* Try l->targets, one after the other, until net.connect_timeout_ms after it was made. */
void link_dial(struct link *l);

/* Gone, for the reason `err`: the caller will hear of it. */
void link_fail(struct link *l, int err);

/* The caller does not want it any more. */
void link_drop(struct link *l);

/* Close at once, without news.  It is freed in the next net_next(). */
void link_kill(struct link *l);

/* Free those that are dead. */
void links_bury(struct net *n);

/* --- listen.c --- */

void listeners_fini(struct net *n);

/* An address of nng as ours. */
void endpoint_from_nng(struct endpoint *ret_e, const nng_sockaddr *sa);

/* tcp://address:port */
#define NET_URL_BYTES 96
void net_url(char out[NET_URL_BYTES], const struct endpoint *e);

#endif
