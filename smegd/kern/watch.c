/*
 * News of links, addresses and routes.
 *
 * The kernel tells what has changed; we tell only that something has, and the core reads again.  So
 * nothing depends on hearing every message or on their order: an overrun (ENOBUFS) or bytes that
 * make no sense are "everything has changed".  Our own writes show up as well, and the read that
 * follows finds nothing to do.
 *
 * Addresses and routes name a link by index only, so the index of each device of ours is kept here
 * as it was last heard; an address on a link that is gone by now counts as a foreign one, which
 * costs a read too many.  Routes are heard for IPv6 only, and only ours count: on a router the
 * tables of other programs change all the time.
 *
 * Of foreign links only going up, going down and away matters, since addresses are reported of
 * links that are up; other changes (wireless statistics, counters) come by the dozen.
 */
#include "smegd/kern/watch_priv.h"

#include "smegd/kern/collect_priv.h"
#include "smegd/kern/rtnl_priv.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int watch_join(struct watch *w)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		                      RTNLGRP_IPV6_ROUTE };

	if (mnl_socket_bind(w->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(w->sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
		    0)
			return -errno;
	}
	return 0;
}

int watch_open(struct watch *w, const char *device_prefix)
{
	int err;

	*w = (struct watch){ .device_prefix = device_prefix };
	w->buffer = malloc(WATCH_BUFFER_BYTES);
	if (!w->buffer)
		return -ENOMEM;
	w->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	err = w->sock ? watch_join(w) : -errno;
	if (err)
		watch_fini(w);
	return err;
}

void watch_fini(struct watch *w)
{
	if (w->sock)
		mnl_socket_close(w->sock);
	free(w->buffer);
	mem_free(&heap, w->devices);
	*w = (struct watch){ .count = 0 };
}

int watch_fd(const struct watch *w)
{
	return mnl_socket_get_fd(w->sock);
}

static struct watched *watched_by_name(struct watch *w, const char *name)
{
	for (size_t i = 0; i < w->count; i++) {
		if (strcmp(w->devices[i].name, name) == 0)
			return &w->devices[i];
	}
	return NULL;
}

static struct watched *watched_by_index(struct watch *w, uint32_t index)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->devices[i].index == index && index > 0)
			return &w->devices[i];
	}
	return NULL;
}

int watch_add(struct watch *w, const char *name, uint32_t index)
{
	struct watched *d = watched_by_name(w, name);
	void *array = w->devices;
	int err;

	assert(strlen(name) < sizeof(d->name));
	if (!d) {
		err = mem_grow(&heap, &array, w->count, &w->cap, sizeof(*w->devices));
		if (err)
			return err;
		w->devices = array;
		d = &w->devices[w->count++];
		*d = (struct watched){ .index = 0 };
		strcpy(d->name, name);
	}
	if (index > 0)
		d->index = index;
	return 0;
}

static int news_of_link(struct watch *w, const struct nlmsghdr *m, struct kern_news *news)
{
	struct rtnl_link l;
	struct watched *named;
	struct watched *indexed;
	int err = rtnl_parse_link(m, &l);

	if (err)
		return err;
	named = watched_by_name(w, l.name);
	indexed = watched_by_index(w, l.index);
	if (indexed && indexed != named)
		indexed->index = 0; /* it was given another name */
	if (named)
		named->index = m->nlmsg_type == RTM_DELLINK ? 0 : l.index;
	if (named || indexed)
		news->devices_changed = true;
	else if (m->nlmsg_type == RTM_DELLINK || (l.change & IFF_UP))
		news->addresses_changed = true;
	return 0;
}

/* A device of ours that nobody has asked about yet is not the host's own either. */
static bool is_prefixed(const struct watch *w, uint32_t index)
{
	char name[IF_NAMESIZE];

	return if_indextoname(index, name) &&
	       strncmp(name, w->device_prefix, strlen(w->device_prefix)) == 0;
}

static int news_of_address(struct watch *w, const struct nlmsghdr *m, struct kern_news *news)
{
	struct rtnl_address a;
	int err = rtnl_parse_address(m, &a);

	if (err)
		return err;
	if (watched_by_index(w, a.index))
		news->devices_changed = true;
	else if (!is_prefixed(w, a.index))
		news->addresses_changed = true;
	return 0;
}

static int news_of_route(struct watch *w, const struct nlmsghdr *m, struct kern_news *news)
{
	struct rtnl_route r;
	int err = rtnl_parse_route(m, &r);

	if (err)
		return err;
	if (r.protocol == ROUTE_PROTOCOL_SMEG && watched_by_index(w, r.index))
		news->devices_changed = true;
	return 0;
}

static int news_of_message(struct watch *w, const struct nlmsghdr *m, struct kern_news *news)
{
	switch (m->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return news_of_link(w, m, news);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return news_of_address(w, m, news);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return news_of_route(w, m, news);
	default:
		return 0;
	}
}

static void news_of_all(struct kern_news *news)
{
	*news = (struct kern_news){ .addresses_changed = true, .devices_changed = true };
}

void watch_parse(struct watch *w, const void *datagram, size_t bytes, struct kern_news *news)
{
	struct nl_datagram d = { .at = datagram, .left = bytes };
	const struct nlmsghdr *m;
	int some;

	while ((some = nl_next(&d, &m)) == 1) {
		if (news_of_message(w, m, news)) {
			news_of_all(news);
			return;
		}
	}
	if (some < 0)
		news_of_all(news);
}

int watch_drain(struct watch *w, struct kern_news *ret)
{
	struct kern_news news = { .addresses_changed = false };
	ssize_t got;

	for (;;) {
		struct sockaddr_nl from = { .nl_family = AF_NETLINK };
		socklen_t from_bytes = sizeof(from);

		got = recvfrom(watch_fd(w), w->buffer, WATCH_BUFFER_BYTES, MSG_TRUNC,
		               (struct sockaddr *)&from, &from_bytes);
		if (got < 0 && errno == EAGAIN)
			break;
		if (got > (ssize_t)WATCH_BUFFER_BYTES || (got < 0 && errno == ENOBUFS))
			news_of_all(&news);
		else if (got < 0 && errno != EINTR)
			return -errno;
		else if (got > 0 && from.nl_pid == 0)
			watch_parse(w, w->buffer, (size_t)got, &news);
	}
	*ret = news;
	return 0;
}
