/*
 * A world for daemons: virtual time, one queue of things to come, one seed.
 *
 * Hosts run the shipped node and hub (smegd/core, smegd/wire); links, disks and kernels are
 * modelled here.  The same seed and options give the same world, step by step: the trace hash
 * proves it.
 */
#ifndef SMEG_TESTS_SIM_WORLD_H
#define SMEG_TESTS_SIM_WORLD_H

#include "base/map.h"
#include "base/rng.h"
#include "smegd/core/node.h"
#include "smegd/wire/hub.h"

#define SIM_EPOCH_UNIX_MS 1750000000000LL /* the wall clock at virtual time 0 */
#define SIM_GOSSIP_PORT 21820

struct world;
struct host;

/* Something to come: `run` is called with it at its time. */
struct coming {
	int64_t at_us;
	uint64_t seq; /* order among those of one time */
	void (*run)(struct world *w, struct coming *c);
	unsigned host;
	unsigned generation; /* of the host: what was meant for a dead process is dropped */
	uint64_t number;
	int err;
	void *data; /* taken by run; freed with the world otherwise */
};

struct world_options {
	uint64_t seed;
	int64_t delay_us;       /* one way */
	int64_t jitter_us;      /* up to this more */
	unsigned loss_permille; /* of portions: they come a retransmission later */
	bool trace;
	bool devices; /* model WireGuard devices too */
};

struct world {
	struct mem mem;
	struct world_options options;
	struct rng rng;
	int64_t now_us;
	uint64_t seq;
	struct coming *heap;
	size_t heap_count;
	size_t heap_cap;
	struct host **hosts;
	size_t hosts_count;
	struct map links; /* struct link by number */
	uint64_t last_link;
	uint64_t hash; /* of everything that happened */
	uint64_t steps;
	uint64_t messages; /* portions that travelled */
	uint64_t bytes;
	unsigned failures; /* invariants that did not hold */
};

void world_init(struct world *w, const struct world_options *options);
void world_fini(struct world *w);

/* Plan something; `data` is taken. */
void world_plan(struct world *w, const struct coming *c);

/* Run until virtual time `until_us`, or until `done` (may be NULL) says so.  True if it did. */
bool world_run(struct world *w,
               int64_t until_us,
               bool (*done)(struct world *w, void *ctx),
               void *ctx);

int64_t world_ms(const struct world *w);

/* Mix what happened into the trace hash; printed when tracing. */
void world_note(struct world *w, const char *what, unsigned host, uint64_t a, uint64_t b);

/* An invariant does not hold: counted and printed. */
void world_fail(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
