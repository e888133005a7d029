/*
 * Links between daemons: the calls of net.h, over links (link.c) and listeners (listen.c).
 *
 * One rule orders everything: nng's threads post notices and wake the loop (pump.c), and all state
 * below is touched by the loop's thread only, in net_next() or in a call of the loop.  So there is
 * one mutex in the whole folder's data path, held for a list insertion, and no link has a lock.
 *
 * News are not queued as objects: a link remembers what is to be said about it (up, bytes, down, in
 * this order) and stands in a list of those that have something to say.  So news cannot fail for
 * want of memory, and there are at most as many as links.
 *
 * A link whose data was given out reads on when net_next() is called again; until then TCP slows
 * the sender.  Memory for input is thus one buffer for each link, whatever peers do.
 */
#include "smegd/net/net.h"

#include "smegd/net/net_priv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 5000

int net_open(const struct net_options *options, struct net **ret)
{
	struct net *n = mem_zalloc(options->mem, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	n->mem = options->mem;
	n->connect_timeout_ms =
		options->connect_timeout_ms ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	map_init(&n->links, sizeof(((struct link *)NULL)->key));
	list_init(&n->ready);
	list_init(&n->dropped);
	list_init(&n->dead);
	list_init(&n->listeners);
	err = pump_init(&n->pump, options->wake, options->wake_ctx);
	if (err == 0)
		err = resolver_new(&n->pump, &n->resolver);
	if (err)
		net_close(n);
	else
		*ret = n;
	return err;
}

void net_close(struct net *n)
{
	struct map_node *at;
	struct map_node *tmp;

	if (!n)
		return;
	listeners_fini(n);
	/* First break them all, then wait: so nng ends them side by side. */
	map_for_each_safe(at, tmp, &n->links)
		link_kill(container_of(at, struct link, by_number));
	while (!list_is_empty(&n->dropped))
		link_kill(container_of(n->dropped.next, struct link, node));
	links_bury(n);
	resolver_free(n->resolver);
	pump_fini(&n->pump);
	mem_free(n->mem, n);
}

static void lookup_done(struct lookup *lookup)
{
	struct link *l = lookup->owner;

	l->lookup = NULL;
	alarm_clear(&l->alarm);
	if (lookup->err) {
		link_fail(l, lookup->err);
		return;
	}
	memcpy(l->targets, lookup->found, sizeof(l->targets));
	l->targets_count = lookup->count;
	for (size_t i = 0; i < l->targets_count; i++)
		l->targets[i].port = l->port;
	/* Connecting has its own time, whatever the name service took. */
	l->give_up_ms = pump_now() + l->net->connect_timeout_ms;
	link_dial(l);
}

int net_dial(struct net *n, const struct hostport *at, uint64_t *ret_link)
{
	struct link *l = link_new(n);
	int err;

	if (!l)
		return -ENOMEM;
	*ret_link = l->number;
	l->port = at->port;
	if (n->links.count > NET_LINKS_MAX) {
		link_fail(l, ERR_LIMIT);
	} else if (addr_parse(&l->targets[0].addr, at->host) == 0) {
		l->targets[0].port = at->port;
		l->targets_count = 1;
		link_dial(l);
	} else {
		alarm_set(&l->alarm, &n->pump, n->connect_timeout_ms);
		err = resolver_ask(n->resolver, at->host, lookup_done, l, &l->lookup);
		if (err)
			link_fail(l, err);
	}
	if (l->say)
		pump_wake(&n->pump);
	return 0;
}

static struct link *find(const struct net *n, uint64_t number)
{
	uint8_t key[sizeof(((struct link *)NULL)->key)];
	struct map_node *node;

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(number >> (8 * (7 - i)));
	node = map_find(&n->links, key);
	return node ? container_of(node, struct link, by_number) : NULL;
}

int net_send(struct net *n, uint64_t link, enum lane lane, struct bytes bytes)
{
	struct link *l = find(n, link);
	int err;

	if (!l || l->state == LINK_DOWN || bytes.count == 0)
		return 0;
	err = pipe_send(&l->pipe, lane, &bytes, 1);
	if (err != ERR_LIMIT)
		return err;
	link_fail(l, ERR_LIMIT);
	pump_wake(&n->pump);
	return 0;
}

void net_drop(struct net *n, uint64_t link)
{
	struct link *l = find(n, link);

	if (!l)
		return;
	link_drop(l);
	/* The next net_next() frees it. */
	pump_wake(&n->pump);
}

/* Say the first thing there is to say about the first link in line. */
static void tell(struct net *n, struct net_news *ret)
{
	struct link *l = container_of(n->ready.next, struct link, ready);
	unsigned what = l->say & SAY_UP ? SAY_UP : l->say & SAY_BYTES ? SAY_BYTES : SAY_DOWN;

	*ret = (struct net_news){ .link = l->number, .remote = l->remote };
	list_remove(&l->ready);
	l->say &= ~what;
	if (l->say)
		list_add(&n->ready, &l->ready);
	switch (what) {
	case SAY_UP:
		ret->kind = l->accepted ? NET_ACCEPTED : NET_CONNECTED;
		break;
	case SAY_BYTES:
		ret->kind = NET_BYTES;
		ret->data = pipe_data(&l->pipe);
		n->served = l;
		break;
	default:
		ret->kind = NET_DOWN;
		ret->err = l->err;
		link_kill(l);
	}
}

bool net_next(struct net *n, struct net_news *ret)
{
	if (n->served) {
		struct link *l = n->served;

		n->served = NULL;
		pipe_resume(&l->pipe);
	}
	links_bury(n);
	while (list_is_empty(&n->ready))
		if (!pump_turn(&n->pump))
			return false;
	tell(n, ret);
	return true;
}
