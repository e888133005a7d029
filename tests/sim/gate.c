/*
 * Sockets at the edge of a world.
 *
 * The loop is: run the world up to now, wait for sockets until its next event, hand over what they
 * bring.  All hosts must be free of charge (prices of 0), or they would answer from the future.
 *
 * Links are found by their number, which holds the socket's: a socket is not closed before its host
 * has closed the link or has been told that it is down, so none is mistaken for a newer one; the
 * rest of the number counts up.
 */
#include "tests/sim/gate.h"

#include "tests/sim/host.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FD_BITS 20
#define READ_BYTES 65536
#define WAIT_MS_MAX 20
#define EVENTS 256
#define REPORT_US (200 * 1000)

struct gate_link {
	uint64_t number; /* 0: none at this socket */
	struct host *host;
	struct endpoint remote;
	bool is_connecting;
	uint8_t *queue; /* not taken by the kernel yet */
	size_t queued;
};

struct gate {
	struct world *world;
	int listener;
	int poll;
	uint64_t serial;
	struct gate_link *links; /* by socket */
	size_t links_cap;
	struct gate_counts counts;
	int64_t ahead_us; /* world time minus the machine's */
};

static int64_t machine_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct gate_link *find(struct gate *g, uint64_t number)
{
	size_t fd = number & ((1U << FD_BITS) - 1);

	return fd < g->links_cap && g->links[fd].number == number ? &g->links[fd] : NULL;
}

static int fd_of(uint64_t number)
{
	return (int)(number & ((1U << FD_BITS) - 1));
}

static void from_sockaddr(struct endpoint *out, const struct sockaddr_in6 *in)
{
	*out = (struct endpoint){ .port = ntohs(in->sin6_port) };
	memcpy(out->addr.b, &in->sin6_addr, sizeof(out->addr.b));
}

static struct sockaddr_in6 to_sockaddr(const struct addr *addr, uint16_t port)
{
	struct sockaddr_in6 out = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memcpy(&out.sin6_addr, addr->b, sizeof(addr->b));
	return out;
}

static struct gate_link *link_add(struct gate *g, int fd, struct host *h, bool is_connecting)
{
	struct epoll_event ev = { .events = is_connecting ? EPOLLOUT : EPOLLIN, .data.fd = fd };
	size_t old = g->links_cap;
	int one = 1;

	assert(fd < 1 << FD_BITS);
	if ((size_t)fd >= old) {
		g->links_cap = (size_t)fd + 256;
		g->links = sim_resize(g->links, g->links_cap * sizeof(*g->links));
		memset(g->links + old, 0, (g->links_cap - old) * sizeof(*g->links));
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(g->poll, EPOLL_CTL_ADD, fd, &ev) != 0)
		abort();
	g->links[fd] = (struct gate_link){
		.number = GATE_LINK | ++g->serial << FD_BITS | (uint64_t)fd,
		.host = h,
		.is_connecting = is_connecting,
	};
	return &g->links[fd];
}

static void link_end(struct gate_link *l)
{
	close(fd_of(l->number));
	free(l->queue);
	memset(l, 0, sizeof(*l));
}

/* --- to the hosts ----------------------------------------------------------------------------- */

static void tell(struct gate *g,
                 const struct gate_link *l,
                 enum arrival_kind kind,
                 int err,
                 struct bytes data)
{
	struct arrival *a = sim_resize(NULL, sizeof(*a) + data.count);

	*a = (struct arrival){ .link = l->number, .kind = kind, .err = err };
	if (data.count)
		memcpy(a + 1, data.at, data.count);
	a->data = (struct bytes){ (uint8_t *)(a + 1), data.count };
	host_arrival(g->world, l->host, a);
}

bool gate_is_due(struct gate *g, const struct arrival *a, struct endpoint *ret_remote)
{
	struct gate_link *l = find(g, a->link);

	if (!l)
		return false;
	*ret_remote = l->remote;
	if (a->kind == ARRIVAL_DOWN)
		link_end(l);
	return true;
}

static void down(struct gate *g, struct gate_link *l, int err)
{
	epoll_ctl(g->poll, EPOLL_CTL_DEL, fd_of(l->number), NULL);
	tell(g, l, ARRIVAL_DOWN, err, (struct bytes){ NULL, 0 });
}

static void accept_one(struct gate *g)
{
	struct sockaddr_in6 here = { .sin6_port = 0 };
	struct sockaddr_in6 there = { .sin6_port = 0 };
	socklen_t size = sizeof(there);
	int fd = accept4(g->listener, (struct sockaddr *)&there, &size, SOCK_NONBLOCK);
	struct endpoint called;
	struct hostport at = { .port = SIM_GOSSIP_PORT };
	struct gate_link *l;
	struct host *h;

	if (fd < 0)
		return;
	size = sizeof(here);
	getsockname(fd, (struct sockaddr *)&here, &size);
	from_sockaddr(&called, &here);
	addr_text(&called.addr, at.host);
	h = host_at(g->world, &at);
	if (!h || !h->is_up) {
		close(fd);
		return;
	}
	l = link_add(g, fd, h, false);
	from_sockaddr(&l->remote, &there);
	g->counts.links++;
	tell(g, l, ARRIVAL_ACCEPTED, 0, (struct bytes){ NULL, 0 });
}

static void connected(struct gate *g, struct gate_link *l)
{
	int fd = fd_of(l->number);
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };
	int err = 0;
	socklen_t size = sizeof(err);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size);
	if (err) {
		down(g, l, ERR_REFUSED);
		return;
	}
	epoll_ctl(g->poll, EPOLL_CTL_MOD, fd, &ev);
	l->is_connecting = false;
	g->counts.links++;
	tell(g, l, ARRIVAL_CONNECTED, 0, (struct bytes){ NULL, 0 });
}

static void read_some(struct gate *g, struct gate_link *l)
{
	uint8_t buffer[READ_BYTES];
	ssize_t got = read(fd_of(l->number), buffer, sizeof(buffer));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		down(g, l, 0);
		return;
	}
	g->counts.received_bytes += (size_t)got;
	tell(g, l, ARRIVAL_BYTES, 0, (struct bytes){ buffer, (size_t)got });
}

/* --- from the hosts --------------------------------------------------------------------------- */

static void failed(struct world *w, struct coming *c)
{
	struct gate_link *l = find(w->gate, c->number);

	if (l)
		down(w->gate, l, ERR_UNREACHABLE);
}

/* The host is within a step of its own. */
static void fail_later(struct gate *g, const struct gate_link *l)
{
	struct coming c = { .at_us = g->world->now_us + 1000, .run = failed };

	c.number = l->number;
	epoll_ctl(g->poll, EPOLL_CTL_DEL, fd_of(l->number), NULL);
	world_plan(g->world, &c);
}

uint64_t gate_dial(struct gate *g, struct host *from, const struct hostport *at)
{
	struct sockaddr_in6 here = to_sockaddr(&from->at.addr, 0);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in6 there;
	struct gate_link *l;
	struct addr addr;
	bool is_failed;

	if (fd < 0)
		abort();
	is_failed = addr_parse(&addr, at->host) != 0 ||
	            bind(fd, (struct sockaddr *)&here, sizeof(here)) != 0;
	if (!is_failed) {
		there = to_sockaddr(&addr, at->port);
		is_failed = connect(fd, (struct sockaddr *)&there, sizeof(there)) != 0 &&
		            errno != EINPROGRESS;
	}
	l = link_add(g, fd, from, true);
	if (is_failed)
		fail_later(g, l);
	l->remote = (struct endpoint){ .addr = addr, .port = at->port };
	return l->number;
}

static void want_writing(struct gate *g, const struct gate_link *l, bool wanted)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd_of(l->number) };

	if (wanted)
		ev.events |= EPOLLOUT;
	epoll_ctl(g->poll, EPOLL_CTL_MOD, fd_of(l->number), &ev);
}

static void flush(struct gate *g, struct gate_link *l)
{
	ssize_t put = send(fd_of(l->number), l->queue, l->queued, MSG_NOSIGNAL);

	if (put < 0)
		return;
	l->queued -= (size_t)put;
	memmove(l->queue, l->queue + put, l->queued);
	if (!l->queued)
		want_writing(g, l, false);
}

void gate_send(struct gate *g, uint64_t link, struct bytes data)
{
	struct gate_link *l = find(g, link);
	ssize_t put = 0;

	if (!l || l->is_connecting)
		return;
	g->counts.sent_bytes += data.count;
	g->counts.sent_portions++;
	if (!l->queued)
		put = send(fd_of(link), data.at, data.count, MSG_NOSIGNAL);
	put = MAX_OF(put, 0); /* errors are read's */
	if ((size_t)put == data.count)
		return;
	data.at += put;
	data.count -= (size_t)put;
	l->queue = sim_resize(l->queue, l->queued + data.count);
	memcpy(l->queue + l->queued, data.at, data.count);
	l->queued += data.count;
	want_writing(g, l, true);
}

void gate_close(struct gate *g, uint64_t link)
{
	struct gate_link *l = find(g, link);

	if (l)
		link_end(l);
}

/* --- the loop --------------------------------------------------------------------------------- */

static void serve(struct gate *g, const struct epoll_event *ev)
{
	struct gate_link *l;

	if (ev->data.fd == g->listener) {
		accept_one(g);
		return;
	}
	l = &g->links[ev->data.fd];
	if (!l->number)
		return;
	if (l->is_connecting) {
		connected(g, l);
		return;
	}
	if ((ev->events & EPOLLOUT) && l->queued)
		flush(g, l);
	if (ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_some(g, l);
}

void gate_run(struct world *w, const volatile int *end, void (*report)(struct world *w))
{
	struct gate *g = w->gate;
	struct epoll_event events[EVENTS];
	int64_t report_us = 0;

	g->ahead_us = w->now_us - machine_us();
	while (!*end) {
		int64_t now_us = machine_us() + g->ahead_us;
		int64_t wait_us;
		int count;

		world_run(w, now_us, NULL, NULL);
		wait_us = w->queue.count ? w->queue.heap[0].at_us - machine_us() - g->ahead_us : 0;
		count = epoll_wait(g->poll, events, EVENTS,
		                   (int)MIN_OF(MAX_OF(wait_us / 1000, 0), WAIT_MS_MAX));
		world_run(w, machine_us() + g->ahead_us, NULL, NULL);
		for (int i = 0; i < count; i++)
			serve(g, &events[i]);
		if (w->now_us < report_us)
			continue;
		report_us = w->now_us + REPORT_US;
		report(w);
	}
}

struct gate_counts gate_count(const struct gate *g)
{
	return g->counts;
}

bool gate_open(struct world *w)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(SIM_GOSSIP_PORT) };
	struct epoll_event ev = { .events = EPOLLIN };
	struct gate *g = sim_resize(NULL, sizeof(*g));

	*g = (struct gate){ .world = w };
	g->listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	g->poll = epoll_create1(0);
	ev.data.fd = g->listener;
	w->gate = g;
	return bind(g->listener, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	       listen(g->listener, SOMAXCONN) == 0 &&
	       epoll_ctl(g->poll, EPOLL_CTL_ADD, g->listener, &ev) == 0;
}

void gate_free(struct world *w)
{
	struct gate *g = w->gate;

	if (!g)
		return;
	for (size_t i = 0; i < g->links_cap; i++)
		if (g->links[i].number)
			link_end(&g->links[i]);
	close(g->listener);
	close(g->poll);
	free(g->links);
	free(g);
	w->gate = NULL;
}
