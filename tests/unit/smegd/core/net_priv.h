/*
 * The wire of net.h: what is under way, and the sessions.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_CORE_NET_PRIV_H
#define SMEG_TESTS_UNIT_SMEGD_CORE_NET_PRIV_H

#include "tests/unit/smegd/core/net.h"

enum net_kind {
	NET_EVENT, /* for a host */
	NET_DIAL,
};

struct net_event {
	struct net_event *next;
	enum net_kind kind;
	size_t host; /* whose event, or who dials */
	size_t from; /* who sent it; NET_HOSTS: the host's own kernel */
	struct event ev;
	struct msg msg;
	struct effect dial;
	struct own_address address;
	struct device *device;
	struct memtest mt;
	struct arena arena;
};

/* An event for a host, at the end of the queue. */
struct net_event *net_queue(struct net *n, size_t host, enum event_kind kind);
struct net_event *net_take(struct net *n);
void net_drop(struct net_event *e);
void net_drop_events_of(struct net *n, size_t host);

void net_copy_device(struct net_event *e, const struct device *d);
void net_queue_down(struct net *n, struct net_session *s, size_t end, int err);
void net_dial(struct net *n, struct net_event *e);
void net_send_msg(struct net *n, size_t from, uint64_t session, const struct msg *msg);
void net_close_session(struct net *n, size_t host, uint64_t session);

#endif
