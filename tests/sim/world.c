/*
 * Virtual time and the queue: a binary heap ordered by time, then by when it was planned, so that
 * equal times keep their order on every machine.
 *
 * Memory of the simulated daemons comes from malloc through a struct mem; running out of it ends
 * the simulator, not a host (the walk over failing allocations is a unit test's).
 */
#include "tests/sim/world.h"

#include "tests/sim/host.h"
#include "tests/sim/net.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *resize(void *ctx, void *ptr, size_t bytes)
{
	void *p;

	(void)ctx;
	if (!bytes) {
		free(ptr);
		return NULL;
	}
	p = realloc(ptr, bytes);
	if (!p)
		abort();
	return p;
}

void world_init(struct world *w, const struct world_options *options)
{
	uint8_t seed[RNG_SEED_BYTES] = { 0 };

	memset(w, 0, sizeof(*w));
	w->mem.resize = resize;
	w->options = *options;
	memcpy(seed, &options->seed, sizeof(options->seed));
	rng_init(&w->rng, seed);
	map_init(&w->links, 8);
	w->now_us = 1000000;
	w->hash = 14695981039346656037ULL;
}

void world_fini(struct world *w)
{
	net_fini(w);
	for (size_t i = 0; i < w->hosts_count; i++)
		host_free(w, w->hosts[i]);
	free(w->hosts);
	for (size_t i = 0; i < w->heap_count; i++)
		free(w->heap[i].data);
	free(w->heap);
	rng_fini(&w->rng);
	memset(w, 0, sizeof(*w));
}

int64_t world_ms(const struct world *w)
{
	return w->now_us / 1000;
}

/* --- the queue ------------------------------------------------------------------------------ */

static bool before(const struct coming *a, const struct coming *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->seq < b->seq;
}

static void swap(struct coming *a, struct coming *b)
{
	struct coming t = *a;

	*a = *b;
	*b = t;
}

void world_plan(struct world *w, const struct coming *c)
{
	size_t i;

	assert(c->at_us >= w->now_us);
	if (w->heap_count == w->heap_cap) {
		w->heap_cap = w->heap_cap ? 2 * w->heap_cap : 1024;
		w->heap = resize(NULL, w->heap, w->heap_cap * sizeof(*w->heap));
	}
	i = w->heap_count++;
	w->heap[i] = *c;
	w->heap[i].seq = ++w->seq;
	for (; i && before(&w->heap[i], &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&w->heap[i], &w->heap[(i - 1) / 2]);
}

static struct coming take_first(struct world *w)
{
	struct coming first = w->heap[0];
	size_t i = 0;

	w->heap[0] = w->heap[--w->heap_count];
	for (;;) {
		size_t least = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < w->heap_count; child++)
			if (before(&w->heap[child], &w->heap[least]))
				least = child;
		if (least == i)
			return first;
		swap(&w->heap[i], &w->heap[least]);
		i = least;
	}
}

static void run_one(struct world *w)
{
	struct coming c = take_first(w);

	w->now_us = c.at_us;
	w->steps++;
	c.run(w, &c);
}

bool world_run(struct world *w,
               int64_t until_us,
               bool (*done)(struct world *w, void *ctx),
               void *ctx)
{
	int64_t look_us = w->now_us;

	while (w->heap_count && w->heap[0].at_us <= until_us) {
		run_one(w);
		/* `done` looks at every host: a hundred times a second is often enough. */
		if (done && w->now_us >= look_us) {
			if (done(w, ctx))
				return true;
			look_us = w->now_us + 10000;
		}
	}
	w->now_us = until_us;
	return done && done(w, ctx);
}

/* --- what happened --------------------------------------------------------------------------- */

static void mix(struct world *w, uint64_t v)
{
	for (int i = 0; i < 8; i++) {
		w->hash ^= (v >> (8 * i)) & 0xff;
		w->hash *= 1099511628211ULL;
	}
}

void world_note(struct world *w, const char *what, unsigned host, uint64_t a, uint64_t b)
{
	mix(w, (uint64_t)w->now_us);
	for (const char *c = what; *c; c++)
		mix(w, (uint8_t)*c);
	mix(w, host);
	mix(w, a);
	mix(w, b);
	if (w->options.trace)
		printf("%12.6f host=%u %s %llu %llu\n", (double)w->now_us / 1e6, host, what,
		       (unsigned long long)a, (unsigned long long)b);
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
