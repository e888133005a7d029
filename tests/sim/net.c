/*
 * Links of the simulated network.
 *
 * A link is two directions, each a queue in which nothing overtakes.  In a partition a portion
 * stays at the head and is tried again each half second, as TCP would; the ends notice by their own
 * timers only.
 */
#include "tests/sim/net.h"

#include "tests/sim/host.h"

#include <stdlib.h>
#include <string.h>

#define RETRANSMIT_US 200000
#define CONNECT_TIMEOUT_US 5000000

struct link {
	struct map_node node;
	uint8_t key[8];
	uint64_t number;
	unsigned ends[2]; /* host index; [0] dialled */
	unsigned generation[2];
	bool is_closed[2];     /* that end has closed, or died */
	bool is_open;          /* accepted */
	int64_t arrives_us[2]; /* when the last portion towards end i arrives */
};

struct portion {
	size_t count;
	uint8_t data[];
};

static struct link *find(const struct world *w, uint64_t number)
{
	uint8_t key[8];
	struct map_node *node;

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(number >> (56 - 8 * i));
	node = map_find(&w->links, key);
	return node ? container_of(node, struct link, node) : NULL;
}

static bool is_alive(const struct world *w, const struct link *l, int end)
{
	const struct host *h = w->hosts[l->ends[end]];

	return !l->is_closed[end] && h->is_up && h->generation == l->generation[end];
}

static bool is_cut(const struct world *w, const struct link *l)
{
	return w->hosts[l->ends[0]]->side != w->hosts[l->ends[1]]->side;
}

static void forget(struct world *w, struct link *l)
{
	map_remove(&w->links, &l->node);
	free(l);
}

static int64_t delay(struct world *w)
{
	int64_t us = w->options.delay_us;

	if (w->options.jitter_us)
		us += (int64_t)rng_below(&w->rng, (uint64_t)w->options.jitter_us);
	while (w->options.loss_permille && rng_below(&w->rng, 1000) < w->options.loss_permille)
		us += RETRANSMIT_US;
	return us;
}

/* In order: never before what was sent before it. */
static int64_t arrival(struct world *w, struct link *l, int to)
{
	int64_t at = w->now_us + delay(w);

	if (at < l->arrives_us[to])
		at = l->arrives_us[to];
	l->arrives_us[to] = at;
	return at;
}

static int end_of(const struct link *l, const struct host *h)
{
	return l->ends[0] == h->index ? 0 : 1;
}

/* --- connecting ------------------------------------------------------------------------------ */

static void refused(struct world *w, struct coming *c)
{
	struct link *l = find(w, c->number);

	if (!l)
		return;
	if (is_alive(w, l, 0))
		host_link_down(w, w->hosts[l->ends[0]], l->number, c->err);
	forget(w, l);
}

static void connected(struct world *w, struct coming *c)
{
	struct link *l = find(w, c->number);
	struct host *a;
	struct host *b;

	if (!l)
		return;
	a = w->hosts[l->ends[0]];
	b = w->hosts[l->ends[1]];
	if (is_cut(w, l) || !b->is_up || b->is_paused) {
		bool silent = is_cut(w, l) || b->is_paused;

		c->run = refused;
		c->err = silent ? ERR_CONNECT_TIMEOUT : ERR_REFUSED;
		c->at_us = w->now_us + (silent ? CONNECT_TIMEOUT_US : delay(w));
		world_plan(w, c);
		return;
	}
	l->generation[1] = b->generation;
	l->is_open = true;
	host_accepted(w, b, l->number, &a->at);
	if (is_alive(w, l, 0))
		host_connected(w, a, l->number, &b->at);
}

uint64_t net_dial(struct world *w, struct host *from, const struct hostport *at)
{
	struct link *l = w->mem.resize(NULL, NULL, sizeof(*l));
	struct host *to = host_at(w, at);
	struct coming c = { .run = connected, .host = from->index };

	memset(l, 0, sizeof(*l));
	l->number = ++w->last_link;
	for (size_t i = 0; i < sizeof(l->key); i++)
		l->key[i] = (uint8_t)(l->number >> (56 - 8 * i));
	l->ends[0] = from->index;
	l->generation[0] = from->generation;
	map_insert(&w->links, &l->node, l->key);
	c.number = l->number;
	c.at_us = w->now_us + 2 * delay(w);
	if (to) {
		l->ends[1] = to->index;
	} else {
		l->ends[1] = from->index;
		c.run = refused;
		c.err = ERR_UNREACHABLE;
	}
	world_plan(w, &c);
	return l->number;
}

/* --- traffic --------------------------------------------------------------------------------- */

/* Which end a planned portion goes to is the lowest bit of `generation`'s place: see post(). */
static void arrive(struct world *w, struct coming *c)
{
	struct link *l = find(w, c->number);
	struct portion *p = c->data;
	int to = (int)c->generation;

	c->data = NULL;
	if (!l || !is_alive(w, l, to)) {
		free(p);
		return;
	}
	if (is_cut(w, l) || w->hosts[l->ends[to]]->is_paused) {
		c->data = p;
		c->at_us = w->now_us + RETRANSMIT_US;
		if (l->arrives_us[to] < c->at_us)
			l->arrives_us[to] = c->at_us;
		world_plan(w, c);
		return;
	}
	w->messages++;
	w->bytes += p->count;
	host_bytes(w, w->hosts[l->ends[to]], l->number, (struct bytes){ p->data, p->count });
	free(p);
}

static void hung_up(struct world *w, struct coming *c)
{
	struct link *l = find(w, c->number);
	int to = (int)c->generation;

	if (!l)
		return;
	if (is_alive(w, l, to) && (is_cut(w, l) || w->hosts[l->ends[to]]->is_paused)) {
		c->at_us = w->now_us + RETRANSMIT_US;
		world_plan(w, c);
		return;
	}
	if (is_alive(w, l, to)) {
		l->is_closed[to] = true;
		host_link_down(w, w->hosts[l->ends[to]], l->number, 0);
	}
	forget(w, l);
}

static void post(struct world *w,
                 struct link *l,
                 int to,
                 struct portion *p,
                 void (*run)(struct world *, struct coming *))
{
	struct coming c = {
		.at_us = arrival(w, l, to),
		.run = run,
		.host = l->ends[to],
		.generation = (unsigned)to,
		.number = l->number,
		.data = p,
	};

	world_plan(w, &c);
}

void net_send(struct world *w, struct host *from, uint64_t link, struct bytes data)
{
	struct link *l = find(w, link);
	struct portion *p;

	if (!l || !is_alive(w, l, end_of(l, from)))
		return;
	p = w->mem.resize(NULL, NULL, sizeof(*p) + data.count);
	p->count = data.count;
	memcpy(p->data, data.at, data.count);
	post(w, l, !end_of(l, from), p, arrive);
}

void net_close(struct world *w, struct host *from, uint64_t link)
{
	struct link *l = find(w, link);
	int end;

	if (!l)
		return;
	end = end_of(l, from);
	if (l->is_closed[end])
		return;
	l->is_closed[end] = true;
	if (l->is_open)
		post(w, l, !end, NULL, hung_up);
}

void net_break(struct world *w, struct host *h, bool told)
{
	struct map_node *pos;
	struct map_node *tmp;

	map_for_each_safe(pos, tmp, &w->links) {
		struct link *l = container_of(pos, struct link, node);
		int end = end_of(l, h);

		if (l->ends[end] != h->index || l->is_closed[end])
			continue;
		l->is_closed[end] = true;
		if (told && l->is_open)
			post(w, l, !end, NULL, hung_up);
	}
}

void net_fini(struct world *w)
{
	struct map_node *pos;
	struct map_node *tmp;

	map_for_each_safe(pos, tmp, &w->links)
		forget(w, container_of(pos, struct link, node));
}
