/*
 * Virtual time and the queue: a heap ordered by time, then by when it was planned, so that equal
 * times keep their order on every machine.
 *
 * The heap has four children to a node and holds only what orders; events lie in a table beside it
 * and do not move.  Most of what is planned is a timer per host and the few portions under way, so
 * the heap is some thousand slots and stays in the cache; a calendar queue was not worth its
 * tuning.
 *
 * Memory of the simulated daemons comes from malloc through a struct mem; running out of it ends
 * the simulator, not a host (the walk over failing allocations is a unit test's).
 */
#include "tests/sim/world.h"

#include "tests/sim/origin.h"

#include "crdt/pool.h"
#include "tests/sim/disk.h"
#include "tests/sim/host.h"
#include "tests/sim/net.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHILDREN 4

static void *resize(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	return sim_resize(ptr, bytes);
}

void *sim_resize(void *p, size_t bytes)
{
	if (!bytes) {
		free(p);
		return NULL;
	}
	p = realloc(p, bytes);
	if (!p)
		abort();
	return p;
}

void *sim_grow(void *list, size_t count, size_t *cap, size_t each)
{
	if (count < *cap)
		return list;
	*cap = *cap ? 2 * *cap : 16;
	return sim_resize(list, *cap * each);
}

void world_reseed(struct world *w, uint64_t seed)
{
	uint8_t bytes[RNG_SEED_BYTES] = { 0 };

	memcpy(bytes, &seed, sizeof(seed));
	rng_init(&w->rng, bytes);
}

void world_init(struct world *w, const struct world_options *options)
{
	origin_begin();
	memset(w, 0, sizeof(*w));
	w->mem.resize = resize;
	w->options = *options;
	if (!w->options.epoch_unix_ms)
		w->options.epoch_unix_ms = SIM_EPOCH_UNIX_MS;
	world_reseed(w, options->seed);
	effects_init(&w->fx, &w->mem);
	hub_outputs_init(&w->outer, &w->mem);
	hub_outputs_init(&w->inner, &w->mem);
	arena_init(&w->arena, &w->mem);
	for (size_t i = 0; i < SIM_SIDES; i++)
		for (size_t j = 0; j < SIM_SIDES; j++)
			w->cut[i][j] = i != j;
	w->now_us = SECOND_US;
	w->hash = 14695981039346656037ULL;
	w->store = store_new();
	w->net = net_new();
	if (stmt_pool_new(&w->mem, &w->pool))
		abort();
}

void world_fini(struct world *w)
{
	for (size_t i = 0; i < w->hosts_count; i++)
		host_free(w, w->hosts[i]);
	free(w->hosts);
	net_free(w, w->net);
	store_free(w->store);
	if (w->image)
		image_fini(w->image);
	free(w->image);
	stmt_pool_free(w->pool);
	free(w->queue.heap);
	free(w->queue.events);
	free(w->queue.free);
	effects_fini(&w->fx);
	hub_outputs_fini(&w->outer);
	hub_outputs_fini(&w->inner);
	arena_fini(&w->arena);
	rng_fini(&w->rng);
	memset(w, 0, sizeof(*w));
}

int64_t world_ms(const struct world *w)
{
	return w->now_us / 1000;
}

/* --- the queue ------------------------------------------------------------------------------ */

static inline bool before(const struct planned *a, const struct planned *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->seq < b->seq;
}

static uint32_t event_new(struct queue *q)
{
	if (!q->free_count) {
		size_t old = q->events_cap;

		q->events_cap = old ? 2 * old : 1024;
		q->events = sim_resize(q->events, q->events_cap * sizeof(*q->events));
		q->free = sim_resize(q->free, q->events_cap * sizeof(*q->free));
		for (size_t i = q->events_cap; i > old; i--)
			q->free[q->free_count++] = (uint32_t)(i - 1);
	}
	return q->free[--q->free_count];
}

void world_plan(struct world *w, const struct coming *c)
{
	struct queue *q = &w->queue;
	struct planned slot = { .at_us = c->at_us, .seq = ++q->seq, .event = event_new(q) };
	size_t i = q->count;

	assert(c->at_us >= w->now_us);
	q->events[slot.event] = *c;
	q->heap = sim_grow(q->heap, q->count, &q->cap, sizeof(*q->heap));
	q->count++;
	while (i && before(&slot, &q->heap[(i - 1) / CHILDREN])) {
		q->heap[i] = q->heap[(i - 1) / CHILDREN];
		i = (i - 1) / CHILDREN;
	}
	q->heap[i] = slot;
}

/* Put `slot` into the hole at the root. */
static void sink(struct queue *q, struct planned slot)
{
	size_t i = 0;

	for (;;) {
		size_t first = CHILDREN * i + 1;
		size_t end = MIN_OF(first + CHILDREN, q->count);
		size_t least = first;

		if (first >= q->count)
			break;
		for (size_t child = first + 1; child < end; child++)
			if (before(&q->heap[child], &q->heap[least]))
				least = child;
		if (before(&slot, &q->heap[least]))
			break;
		q->heap[i] = q->heap[least];
		i = least;
	}
	q->heap[i] = slot;
}

static void run_one(struct world *w)
{
	struct queue *q = &w->queue;
	struct planned first = q->heap[0];
	struct coming c = q->events[first.event];

	q->free[q->free_count++] = first.event;
	q->count--;
	if (q->count)
		sink(q, q->heap[q->count]);
	w->now_us = first.at_us;
	w->steps++;
	c.run(w, &c);
}

/* `done` looks at every host: the more there are, the rarer. */
static int64_t look_interval(const struct world *w)
{
	return w->hosts_count > 500 ? 50000 : 10000;
}

bool world_run(struct world *w,
               int64_t until_us,
               bool (*done)(struct world *w, void *ctx),
               void *ctx)
{
	int64_t look_us = w->now_us;

	while (w->queue.count && w->queue.heap[0].at_us <= until_us) {
		run_one(w);
		if (done && w->now_us >= look_us) {
			if (done(w, ctx))
				return true;
			look_us = w->now_us + look_interval(w);
		}
	}
	w->now_us = until_us;
	return done && done(w, ctx);
}

void world_pass(struct world *w, int64_t us)
{
	world_run(w, w->now_us + us, NULL, NULL);
}

/* --- what happened --------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t v)
{
	hash = (hash ^ v) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

void world_note(struct world *w, const char *what, unsigned host, uint64_t a, uint64_t b)
{
	uint64_t hash = mix(w->hash, (uint64_t)w->now_us);

	for (const char *c = what; *c; c++)
		hash = mix(hash, (uint8_t)*c);
	w->hash = mix(mix(mix(hash, host), a), b);
	if (w->options.trace)
		printf("%12.6f host=%u %s %llu %llu\n", (double)w->now_us / 1e6, host, what,
		       (unsigned long long)a, (unsigned long long)b);
}

void world_say(const struct world *w, const char *format, ...)
{
	va_list args;

	if (w->is_quiet)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

void world_fail(struct world *w, const char *format, ...)
{
	va_list args;

	w->failures++;
	printf("FAIL seed=%llu at %.3f s: ", (unsigned long long)w->options.seed,
	       (double)w->now_us / 1e6);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}
