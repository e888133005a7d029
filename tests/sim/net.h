/*
 * Links between hosts: ordered streams with delay and jitter, and all the ways in which they fail.
 *
 *	loss         a lost portion comes a retransmission (200 ms, doubled by each further loss)
 *	             later, and what was sent behind it waits: a stream neither loses nor repeats
 *nor reorders anything.  Between links everything may overtake everything. partition    world.cut
 *says which side does not hear which; in one direction, if wanted.  What was sent waits, and is
 *tried again at doubling intervals. NAT          host.is_natted: it dials, nobody dials it. set-up
 *one round trip until the dialler may send. process ends the other sides hear of it one way later.
 *	power off    silence, until the machine is up again and resets what it does not know.
 */
#ifndef SMEG_TESTS_SIM_NET_H
#define SMEG_TESTS_SIM_NET_H

#include "tests/sim/world.h"

struct net *net_new(void);
void net_free(struct world *w, struct net *n);

/* `from` dials `at`; its host gets an arrival CONNECTED or DOWN later.  Returns the number. */
uint64_t net_dial(struct world *w, struct host *from, const struct hostport *at);
void net_send(struct world *w, struct host *from, uint64_t link, struct bytes data);
void net_close(struct world *w, struct host *from, uint64_t link);

/* All links of a host break; told: the other ends hear of it. */
void net_break(struct world *w, struct host *h, bool told);

enum arrival_kind {
	ARRIVAL_BYTES,
	ARRIVAL_ACCEPTED,
	ARRIVAL_CONNECTED,
	ARRIVAL_DOWN,
};

/* Something that has come to a host over a link; the host hands it back with arrival_done(). */
struct arrival {
	struct arrival *next;
	uint64_t link;
	enum arrival_kind kind;
	int end; /* of the link, that it came to */
	int err; /* DOWN */
	unsigned cap;
	struct bytes data;
};

/* The endpoint of the other side; false: the link is gone, or this end of it. */
bool arrival_is_due(struct world *w, const struct arrival *a, struct endpoint *ret_remote);
void arrival_done(struct world *w, struct arrival *a);

size_t net_links(const struct net *n);

#endif
