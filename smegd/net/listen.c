/*
 * Listening, on all addresses or one.
 *
 * All addresses are, on most hosts, one socket: bound to [::] it takes IPv4 as well, as v4-mapped
 * addresses, which is the shape we hold them in anyway.  Where net.ipv6.bindv6only is set, or there
 * is no IPv6, it takes a second one bound to 0.0.0.0.  nng offers neither the descriptor nor
 * IPV6_V6ONLY, so both are bound, IPv6 first, and "in use" for the second means that the first has
 * it: had another program held the IPv4 port, a dual-stack bind to [::] would have failed already.
 * With bindv6only that does not follow, so then it is an error.
 *
 * nng looks its addresses up with AI_ADDRCONFIG: on a host that has IPv4 addresses but not one of
 * IPv6, loopback apart, [::] does not exist for it, and the other way round.  One of two is enough.
 * A host that gets its first IPv6 address later is heard there after a restart.
 */
#include "smegd/net/net_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

void endpoint_from_nng(struct endpoint *ret_e, const nng_sockaddr *sa)
{
	uint8_t port[2] = { 0 };

	*ret_e = (struct endpoint){ 0 };
	if (sa->s_family == NNG_AF_INET) {
		addr_from_v4(&ret_e->addr, (const uint8_t *)&sa->s_in.sa_addr);
		memcpy(port, &sa->s_in.sa_port, sizeof(port));
	} else if (sa->s_family == NNG_AF_INET6) {
		memcpy(ret_e->addr.b, sa->s_in6.sa_addr, sizeof(ret_e->addr.b));
		memcpy(port, &sa->s_in6.sa_port, sizeof(port));
		if (addr_is_link_local(&ret_e->addr))
			ret_e->zone = sa->s_in6.sa_scope;
	}
	ret_e->port = (uint16_t)(port[0] << 8 | port[1]);
}

void net_url(char out[NET_URL_BYTES], const struct endpoint *e)
{
	char text[ADDR_TEXT_BYTES];
	char zone[16] = "";

	addr_text(&e->addr, text);
	if (e->zone)
		snprintf(zone, sizeof(zone), "%%%u", (unsigned)e->zone);
	/* Not tcp4 or tcp6: with those nng finds no loopback address on a host that has no other.
	 */
	if (addr_is_v4(&e->addr))
		snprintf(out, NET_URL_BYTES, "tcp://%s:%u", text, (unsigned)e->port);
	else
		snprintf(out, NET_URL_BYTES, "tcp://[%s%s]:%u", text, zone, (unsigned)e->port);
}

static bool v6_sockets_leave_out_v4(void)
{
	FILE *f = fopen("/proc/sys/net/ipv6/bindv6only", "re");
	int c = '0';

	if (f) {
		c = fgetc(f);
		fclose(f);
	}
	return c == '1';
}

static void listener_accepted(struct acceptor *a, nng_stream *stream)
{
	struct net *n = container_of(a, struct listener, acceptor)->net;
	struct link *l = NULL;
	nng_sockaddr remote;

	/* Who is gone already has no address. */
	if (n->links.count < NET_LINKS_MAX &&
	    nng_stream_get_addr(stream, NNG_OPT_REMADDR, &remote) == 0)
		l = link_new(n);
	if (!l) {
		nng_stream_free(stream);
		return;
	}
	l->accepted = true;
	endpoint_from_nng(&l->remote, &remote);
	link_up(l, stream);
}

/* A TCP listener; nng's error. */
static int open_listener(const struct endpoint *at, nng_stream_listener **ret, int *ret_port)
{
	nng_stream_listener *l;
	char url[NET_URL_BYTES];
	int err;

	net_url(url, at);
	err = nng_stream_listener_alloc(&l, url);
	if (err)
		return err;
	/* These cannot fail: nng only notes them for the connections to come. */
	(void)nng_stream_listener_set_bool(l, NNG_OPT_TCP_NODELAY, true);
	(void)nng_stream_listener_set_bool(l, NNG_OPT_TCP_KEEPALIVE, true);
	err = nng_stream_listener_listen(l);
	if (err == 0)
		err = nng_stream_listener_get_int(l, NNG_OPT_TCP_BOUND_PORT, ret_port);
	if (err)
		nng_stream_listener_free(l);
	else
		*ret = l;
	return err;
}

static void listener_free(struct listener *l)
{
	list_remove(&l->node);
	acceptor_fini(&l->acceptor);
	mem_free(l->net->mem, l);
}

/* 0 or a negative error of ours. */
static int listen_at(struct net *n, const struct endpoint *at, uint16_t *ret_port)
{
	struct listener *l;
	nng_stream_listener *nl;
	int port;
	int err = open_listener(at, &nl, &port);

	if (err)
		return pipe_error(err);
	l = mem_zalloc(n->mem, sizeof(*l));
	if (!l) {
		nng_stream_listener_free(nl);
		return -ENOMEM;
	}
	l->net = n;
	err = acceptor_init(&l->acceptor, &n->pump, nl, listener_accepted);
	if (err) {
		mem_free(n->mem, l);
		return err;
	}
	list_add(&n->listeners, &l->node);
	*ret_port = (uint16_t)port;
	return 0;
}

static int listen_words(const struct endpoint *at, int err, struct diag *diag)
{
	char text[ENDPOINT_TEXT_BYTES];
	unsigned port = at->port;

	endpoint_text(at, text);
	if (err == -EADDRINUSE) {
		diag_set(diag, ERR_PORT_IN_USE, "TCP port %u is in use, listening at %s failed",
		         port, text);
		diag_hint(diag, "see who has it: ss -ltnp 'sport = :%u'; or choose another: `port`",
		          port);
		return ERR_PORT_IN_USE;
	}
	if (err == -EADDRNOTAVAIL)
		return diag_set(diag, err, "cannot listen at %s: this host has no such address",
		                text);
	diag_set(diag, err, "cannot listen at %s: %s", text, err_text(err));
	if (err == -EACCES)
		diag_hint(diag, "ports below 1024 are for root; choose another: `port`");
	return err;
}

/* Is the address family one that this host does not have (as nng sees it)? */
static bool is_missing(int err)
{
	return err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT;
}

static int listen_all(struct net *n, uint16_t port, uint16_t *ret_port, struct diag *diag)
{
	struct endpoint v6 = { .port = port };
	struct endpoint v4 = { .port = port };
	int err6 = listen_at(n, &v6, ret_port);
	int err4;

	addr_from_v4(&v4.addr, (const uint8_t[4]){ 0 });
	if (err6 && !is_missing(err6))
		return listen_words(&v6, err6, diag);
	if (err6 == 0) {
		v4.port = *ret_port;
		if (!v6_sockets_leave_out_v4())
			return 0;
	}
	err4 = listen_at(n, &v4, ret_port);
	if (err4 == 0 || (err6 == 0 && is_missing(err4)))
		return 0;
	if (err6 == 0)
		listener_free(container_of(n->listeners.prev, struct listener, node));
	return listen_words(&v4, err4, diag);
}

int net_listen(
	struct net *n, const struct addr *at, uint16_t port, uint16_t *ret_port, struct diag *diag)
{
	struct endpoint one = { .port = port };
	uint16_t bound;
	int err;

	if (at) {
		one.addr = *at;
		err = listen_at(n, &one, &bound);
		if (err)
			err = listen_words(&one, err, diag);
	} else {
		err = listen_all(n, port, &bound, diag);
	}
	if (err == 0 && ret_port)
		*ret_port = bound;
	return err;
}

void listeners_fini(struct net *n)
{
	struct list *at;
	struct list *next;

	list_for_each_safe(at, next, &n->listeners)
		listener_free(container_of(at, struct listener, node));
}
