/*
 * A world for daemons: virtual time, one queue of things to come, one seed.
 *
 * Hosts run the shipped node and hub (smegd/core, smegd/wire); links, disks and kernels are
 * modelled here.  The same seed and options give the same world, step by step: the trace hash
 * proves it.
 */
#ifndef SMEG_TESTS_SIM_WORLD_H
#define SMEG_TESTS_SIM_WORLD_H

#include "base/rng.h"
#include "smegd/core/node.h"
#include "smegd/wire/hub.h"

#define SIM_EPOCH_UNIX_MS 1750000000000LL /* the wall clock at virtual time 0 */
#define SIM_GOSSIP_PORT 21820
#define SIM_REAL_CRYPTO_MAX                                                  \
	300 /* nodes; above that, crypto.h's stand-ins unless told otherwise \
	     */
#define SIM_SIDES 8

#define SECOND_US 1000000LL
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)

struct world;
struct host;
struct net;
struct gate;
struct store;
struct tracker;
struct disk_image;
struct stmt_pool;
struct tap;
struct model;

/* Something to come: `run` is called with it at its time. */
struct coming {
	int64_t at_us;
	void (*run)(struct world *w, struct coming *c);
	unsigned host;
	unsigned generation; /* of the host: what was meant for a dead process is dropped */
	uint64_t number;
	int err;
	void *data; /* taken by run; released by whoever planned it when the world ends */
};

enum net_model {
	NET_LAN,   /* one delay for all pairs */
	NET_WORLD, /* hosts spread over the regions of geo.h */
};

/* What things cost in virtual time.  Constants, not measured anew, or no run could be repeated. */
struct prices {
	int64_t message_us; /* to handle one portion */
	int64_t tick_us;    /* to handle a timer or what a link does */
	int64_t send_us;    /* to send one portion */
	int64_t verify_us;  /* one signature */
	int64_t sign_us;
	int64_t dh_us; /* one X25519 */
	int64_t commit_us;
};

struct world_options {
	uint64_t seed;
	enum net_model net;
	int64_t delay_us;       /* one way */
	int64_t jitter_us;      /* up to this more */
	unsigned loss_permille; /* of portions: they come a retransmission later */
	struct prices prices;
	int64_t life_ms; /* of meshes; 0: as shipped */
	bool trace;
	bool devices;          /* model WireGuard devices too */
	bool prepared;         /* begin from prepared disks, however few hosts there are */
	unsigned minutes;      /* of rows that last long; 0: as long as they should */
	int64_t epoch_unix_ms; /* 0: SIM_EPOCH_UNIX_MS */
};

/* In the queue; the rest of the event lies in `events`. */
struct planned {
	int64_t at_us;
	uint64_t seq; /* order among those of one time */
	uint32_t event;
};

struct queue {
	struct planned *heap; /* of four children each */
	size_t count;
	size_t cap;
	uint64_t seq;
	struct coming *events;
	uint32_t *free;
	size_t free_count;
	size_t events_cap;
};

struct world {
	struct mem mem;
	struct world_options options;
	struct rng rng;
	int64_t now_us;
	struct queue queue;
	struct host **hosts;
	size_t hosts_count;
	struct net *net;
	struct gate *gate;              /* to real daemons (gate.h); NULL: none */
	struct store *store;            /* what disks have in common */
	struct stmt_pool *pool;         /* what replicas have in common */
	struct disk_image *image;       /* rows that disks begin with; NULL: none */
	struct tracker *tracker;        /* NULL: none */
	struct tap *tap;                /* NULL: none */
	const struct model *model;      /* who should be in; NULL: not known */
	int64_t checked_us;             /* by check_final() */
	bool cut[SIM_SIDES][SIM_SIDES]; /* from, to: nothing comes through */
	struct effects fx;              /* of the step under way; hosts take turns */
	struct hub_outputs outer;       /* of what comes from the network */
	struct hub_outputs inner;       /* of what the node asks for */
	struct arena arena;             /* of the event under way */
	uint64_t hash;                  /* of everything that happened */
	uint64_t steps;
	uint64_t messages; /* portions that were sent */
	uint64_t bytes;    /* of them: frame, length and tag */
	unsigned failures; /* invariants that did not hold */
	bool is_quiet;     /* print nothing but failures */
};

void world_init(struct world *w, const struct world_options *options);
void world_fini(struct world *w);
void world_reseed(struct world *w, uint64_t seed); /* of what is drawn from now on */

/* Plan something; `data` is taken. */
void world_plan(struct world *w, const struct coming *c);

/* Run until virtual time `until_us`, or until `done` (may be NULL) says so.  True if it did. */
bool world_run(struct world *w,
               int64_t until_us,
               bool (*done)(struct world *w, void *ctx),
               void *ctx);

/* Let this much virtual time pass. */
void world_pass(struct world *w, int64_t us);

int64_t world_ms(const struct world *w);

/* Mix what happened into the trace hash; printed when tracing. */
void world_note(struct world *w, const char *what, unsigned host, uint64_t a, uint64_t b);

/* A line for people, unless the world is quiet. */
void world_say(const struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);

/* An invariant does not hold: counted and printed. */
void world_fail(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);

/* Memory of the simulator itself: never NULL. */
void *sim_resize(void *p, size_t bytes);
void *sim_grow(void *list, size_t count, size_t *cap, size_t each);

#endif
