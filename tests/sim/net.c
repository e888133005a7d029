/*
 * Links of the simulated network.
 *
 * A link's number holds its place in a table, so that finding it is a look; the rest of the number
 * counts up and tells a link from those that had the place before.  Each host has a list of its
 * links' ends.  A link goes when both ends are closed and nothing of it is under way.
 *
 * Each direction is a queue in which nothing overtakes: what is sent arrives no earlier than what
 * was sent before it.  When a cut stops a direction, its first portion sets the time of the next
 * try and the others queue up behind it.
 */
#include "tests/sim/net.h"

#include "tests/sim/gate.h"
#include "tests/sim/geo.h"
#include "tests/sim/host.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RTO_FIRST_US 200000
#define RTO_MAX_US (120 * SECOND_US)
#define SYN_AGAIN_US SECOND_US
#define CONNECT_TIMEOUT_US (5 * SECOND_US)
#define PLACE_BITS 24
#define NOBODY UINT32_MAX
#define CLASSES 4 /* of arrivals kept for reuse: 128, 256, 512, 1024 bytes */
#define CLASS_BYTES(c) (128U << (c))

struct end {
	struct list of_host; /* in host.links */
	uint32_t host;       /* index; NOBODY: dialled an address where nobody is */
	uint32_t generation;
	bool is_second;     /* ends[1] */
	bool is_closed;     /* that end has closed, or died */
	int64_t arrives_us; /* when the last portion towards this end arrives */
	int64_t rto_us;     /* of what is held up on its way here */
};

struct link {
	uint64_t number; /* 0: a free place */
	uint32_t next_free;
	uint32_t under_way;
	bool is_open;       /* the dialler is connected */
	int64_t give_up_us; /* connecting */
	struct end ends[2]; /* [0] dialled */
};

struct net {
	struct link **places; /* by blocks that do not move */
	size_t blocks;
	uint32_t free; /* NOBODY: none */
	uint64_t serial;
	size_t count;
	struct arrival *kept[CLASSES];
};

#define BLOCK 1024

static struct link *at_place(const struct net *n, size_t place)
{
	return &n->places[place / BLOCK][place % BLOCK];
}

static struct link *find(const struct net *n, uint64_t number)
{
	size_t place = number & ((1U << PLACE_BITS) - 1);
	struct link *l;

	if (place >= n->blocks * BLOCK)
		return NULL;
	l = at_place(n, place);
	return l->number == number ? l : NULL;
}

struct net *net_new(void)
{
	struct net *n = calloc(1, sizeof(*n));

	assert(n);
	n->free = NOBODY;
	return n;
}

static void block_add(struct net *n)
{
	struct link *block = calloc(BLOCK, sizeof(*block));

	assert(block && (n->blocks + 1) * BLOCK <= 1U << PLACE_BITS);
	n->places = sim_resize(n->places, (n->blocks + 1) * sizeof(*n->places));
	n->places[n->blocks] = block;
	for (size_t i = BLOCK; i-- > 0;) {
		block[i].next_free = n->free;
		n->free = (uint32_t)(n->blocks * BLOCK + i);
	}
	n->blocks++;
}

static struct link *link_new(struct net *n)
{
	uint32_t place;
	struct link *l;

	if (n->free == NOBODY)
		block_add(n);
	place = n->free;
	l = at_place(n, place);
	n->free = l->next_free;
	*l = (struct link){ .number = ++n->serial << PLACE_BITS | place };
	n->count++;
	return l;
}

/* When both ends are closed and nothing is under way, the link is no more. */
static void maybe_forget(struct net *n, struct link *l)
{
	if (!l->ends[0].is_closed || !l->ends[1].is_closed || l->under_way)
		return;
	l->next_free = n->free;
	n->free = (uint32_t)(l->number & ((1U << PLACE_BITS) - 1));
	l->number = 0;
	n->count--;
}

static void end_open(struct link *l, int end, struct host *h)
{
	struct end *e = &l->ends[end];

	e->is_second = end;
	e->host = h->index;
	e->generation = h->generation;
	e->rto_us = RTO_FIRST_US;
	list_add(&h->links, &e->of_host);
}

static void end_close(struct end *e)
{
	if (e->is_closed)
		return;
	e->is_closed = true;
	if (e->host != NOBODY)
		list_remove(&e->of_host);
}

size_t net_links(const struct net *n)
{
	return n->count;
}

/* --- arrivals -------------------------------------------------------------------------------- */

static unsigned class_of(size_t bytes)
{
	unsigned c = 0;

	while (c < CLASSES && bytes > CLASS_BYTES(c))
		c++;
	return c;
}

static struct arrival *arrival_new(struct net *n, struct link *l, int end, struct bytes data)
{
	unsigned class = class_of(data.count);
	struct arrival *a = class < CLASSES ? n->kept[class] : NULL;

	if (a)
		n->kept[class] = a->next;
	else
		a = sim_resize(NULL,
		               sizeof(*a) + (class < CLASSES ? CLASS_BYTES(class) : data.count));
	*a = (struct arrival){ .link = l->number, .end = end, .cap = class };
	if (data.count)
		memcpy(a + 1, data.at, data.count);
	a->data = (struct bytes){ (uint8_t *)(a + 1), data.count };
	l->under_way++;
	return a;
}

static void arrival_keep(struct net *n, struct arrival *a)
{
	if (a->cap == CLASSES) {
		free(a);
		return;
	}
	a->next = n->kept[a->cap];
	n->kept[a->cap] = a;
}

void arrival_done(struct world *w, struct arrival *a)
{
	struct link *l = find(w->net, a->link);

	if (gate_has(a->link)) {
		free(a);
		return;
	}
	assert(l && l->under_way);
	l->under_way--;
	maybe_forget(w->net, l);
	arrival_keep(w->net, a);
}

bool arrival_is_due(struct world *w, const struct arrival *a, struct endpoint *ret_remote)
{
	struct link *l = find(w->net, a->link);
	const struct end *other;

	if (gate_has(a->link))
		return gate_is_due(w->gate, a, ret_remote);
	other = &l->ends[!a->end];
	if (l->ends[a->end].is_closed)
		return false;
	if (other->host != NOBODY)
		*ret_remote = w->hosts[other->host]->at;
	if (a->kind == ARRIVAL_DOWN)
		end_close(&l->ends[a->end]);
	return true;
}

/* --- travelling ------------------------------------------------------------------------------ */

static int64_t delay(struct world *w, const struct host *from, const struct host *to)
{
	const struct world_options *o = &w->options;
	int64_t rto_us = RTO_FIRST_US;
	int64_t us = o->delay_us;

	if (o->net == NET_WORLD)
		us = geo_delay_us(from->region, to->region);
	if (o->jitter_us)
		us += (int64_t)rng_below(&w->rng, (uint64_t)o->jitter_us);
	while (o->loss_permille && rng_below(&w->rng, 1000) < o->loss_permille) {
		us += rto_us;
		rto_us *= 2;
	}
	return us;
}

static bool is_cut(const struct world *w, const struct host *from, const struct host *to)
{
	return w->cut[from->side % SIM_SIDES][to->side % SIM_SIDES];
}

static void arrive(struct world *w, struct coming *c);

/* Put on its way what is for end `to`, leaving when the sender has done what it is at. */
static void post(struct world *w, struct link *l, struct arrival *a)
{
	struct end *to = &l->ends[a->end];
	struct host *from = w->hosts[l->ends[!a->end].host];
	struct coming c = { .run = arrive, .data = a };

	c.at_us = host_clear_us(w, from) + delay(w, from, w->hosts[to->host]);
	c.at_us = MAX_OF(c.at_us, to->arrives_us);
	to->arrives_us = c.at_us;
	world_plan(w, &c);
}

static void post_note(struct world *w, struct link *l, int end, enum arrival_kind kind, int err)
{
	struct arrival *a = arrival_new(w->net, l, end, (struct bytes){ NULL, 0 });

	a->kind = kind;
	a->err = err;
	post(w, l, a);
}

/* Nobody here knows this stream: a reset goes back, unless the machine is off. */
static void reset(struct world *w, struct link *l, int end)
{
	if (!w->hosts[l->ends[end].host]->is_silent && !l->ends[!end].is_closed)
		post_note(w, l, !end, ARRIVAL_DOWN, ERR_REFUSED);
}

/* What the own machine tells can't be cut off. */
static void hear(struct world *w, struct coming *c)
{
	struct arrival *a = c->data;
	struct end *e = &find(w->net, a->link)->ends[a->end];

	if (e->is_closed)
		arrival_done(w, a);
	else
		host_arrival(w, w->hosts[e->host], a);
}

static void arrive(struct world *w, struct coming *c)
{
	struct arrival *a = c->data;
	struct link *l = find(w->net, a->link);
	struct end *e = &l->ends[a->end];
	struct host *h = w->hosts[e->host];

	if (is_cut(w, w->hosts[l->ends[!a->end].host], h)) {
		if (e->arrives_us <= w->now_us) {
			e->arrives_us = w->now_us + e->rto_us;
			e->rto_us = MIN_OF(2 * e->rto_us, RTO_MAX_US);
		}
		c->at_us = e->arrives_us;
		world_plan(w, c);
		return;
	}
	e->rto_us = RTO_FIRST_US;
	if (e->is_closed && a->kind == ARRIVAL_BYTES)
		reset(w, l, a->end);
	hear(w, c);
}

void net_send(struct world *w, struct host *from, uint64_t link, struct bytes data)
{
	struct link *l = find(w->net, link);
	int end;

	if (gate_has(link))
		gate_send(w->gate, link, data);
	if (!l)
		return;
	end = l->ends[0].host == from->index ? 0 : 1;
	if (l->ends[end].is_closed || !l->is_open)
		return;
	w->messages++;
	w->bytes += data.count;
	from->sent_portions++;
	from->sent_bytes += data.count;
	from->spent_us += w->options.prices.send_us;
	post(w, l, arrival_new(w->net, l, !end, data));
}

void net_close(struct world *w, struct host *from, uint64_t link)
{
	struct link *l = find(w->net, link);
	int end;

	if (gate_has(link))
		gate_close(w->gate, link);
	if (!l)
		return;
	end = l->ends[0].host == from->index ? 0 : 1;
	if (l->ends[end].is_closed)
		return;
	end_close(&l->ends[end]);
	if (l->is_open)
		post_note(w, l, !end, ARRIVAL_DOWN, 0);
	maybe_forget(w->net, l);
}

/* --- connecting ------------------------------------------------------------------------------ */

/* The dialler hears how it ended; the other end never was. */
static void refuse(struct world *w, struct link *l, int err, int64_t at_us)
{
	struct arrival *a = arrival_new(w->net, l, 0, (struct bytes){ NULL, 0 });
	struct coming c = { .at_us = at_us, .data = a };

	end_close(&l->ends[1]);
	a->kind = ARRIVAL_DOWN;
	a->err = err;
	c.run = hear;
	world_plan(w, &c);
}

static void syn_again(struct world *w, struct link *l, struct coming *c)
{
	if (w->now_us + SYN_AGAIN_US >= l->give_up_us) {
		l->under_way--;
		refuse(w, l, ERR_CONNECT_TIMEOUT, l->give_up_us);
		return;
	}
	c->at_us = w->now_us + SYN_AGAIN_US;
	world_plan(w, c);
}

/* The answer to the first packet has come: the dialler is connected and the other side accepts. */
static void syn_ack(struct world *w, struct coming *c)
{
	struct link *l = find(w->net, c->number);
	struct host *a = w->hosts[l->ends[0].host];
	struct host *b = w->hosts[l->ends[1].host];
	struct arrival *told;

	if (is_cut(w, b, a)) {
		syn_again(w, l, c);
		return;
	}
	l->under_way--;
	if (l->ends[0].is_closed) {
		end_close(&l->ends[1]);
		maybe_forget(w->net, l);
		return;
	}
	if (b->generation != c->generation || !b->is_up) {
		refuse(w, l, ERR_REFUSED, w->now_us + delay(w, b, a));
		return;
	}
	end_open(l, 1, b);
	l->is_open = true;
	post_note(w, l, 1, ARRIVAL_ACCEPTED, 0);
	told = arrival_new(w->net, l, 0, (struct bytes){ NULL, 0 });
	told->kind = ARRIVAL_CONNECTED;
	host_arrival(w, a, told);
}

static void syn(struct world *w, struct coming *c)
{
	struct link *l = find(w->net, c->number);
	struct host *a = w->hosts[l->ends[0].host];
	struct host *b = w->hosts[l->ends[1].host];

	if (l->ends[0].is_closed) {
		end_close(&l->ends[1]);
		l->under_way--;
		maybe_forget(w->net, l);
		return;
	}
	if (is_cut(w, a, b) || b->is_silent || b->is_natted) {
		syn_again(w, l, c);
		return;
	}
	if (!b->is_up) {
		l->under_way--;
		refuse(w, l, ERR_REFUSED, w->now_us + delay(w, b, a));
		return;
	}
	c->run = syn_ack;
	c->generation = b->generation;
	c->at_us = w->now_us + delay(w, b, a);
	world_plan(w, c);
}

uint64_t net_dial(struct world *w, struct host *from, const struct hostport *at)
{
	struct host *to = host_at(w, at);
	struct coming c = { .run = syn };
	struct link *l;
	uint64_t number;

	if (!to && w->gate)
		return gate_dial(w->gate, from, at);
	l = link_new(w->net);
	number = c.number = l->number;
	end_open(l, 0, from);
	l->ends[1] = (struct end){ .host = NOBODY, .is_second = true };
	l->give_up_us = w->now_us + CONNECT_TIMEOUT_US;
	if (!to || to == from) {
		refuse(w, l, ERR_UNREACHABLE, host_clear_us(w, from) + 1000);
		return number;
	}
	l->ends[1].host = to->index;
	list_init(&l->ends[1].of_host);
	l->under_way++;
	c.at_us = host_clear_us(w, from) + delay(w, from, to);
	world_plan(w, &c);
	return number;
}

/* --- the end of hosts and of the world ------------------------------------------------------- */

void net_break(struct world *w, struct host *h, bool told)
{
	struct list *pos;
	struct list *next;

	for (pos = h->links.next; pos != &h->links; pos = next) {
		struct end *e = container_of(pos, struct end, of_host);
		struct link *l;
		int end;

		next = pos->next;
		/* The ends stand one behind the other in their link. */
		end = e->is_second;
		l = container_of(e - end, struct link, ends[0]);
		end_close(e);
		if (told && l->is_open && !l->ends[!end].is_closed)
			post_note(w, l, !end, ARRIVAL_DOWN, 0);
		maybe_forget(w->net, l);
	}
}

void net_free(struct world *w, struct net *n)
{
	struct queue *q = &w->queue;

	for (size_t i = 0; i < q->count; i++)
		if (q->events[q->heap[i].event].data)
			free(q->events[q->heap[i].event].data);
	for (size_t i = 0; i < CLASSES; i++)
		for (struct arrival *a = n->kept[i], *next; a; a = next) {
			next = a->next;
			free(a);
		}
	for (size_t i = 0; i < n->blocks; i++)
		free(n->places[i]);
	free(n->places);
	free(n);
}
