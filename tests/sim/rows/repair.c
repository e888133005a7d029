/*
 * What it costs to make two replicas equal again: all bytes of both sides, from the digest that
 * shows the difference until there is none, but for the signs of life and beats that flow anyway.
 *
 * Two hosts are up, of all the members that their replicas hold; nobody else ever boots.
 *
 *	missed    one changes, and what it tells at once is lost: its log of the latest news knows
 *	          what the other lacks
 *	unknown   the one has heard from a third something that it believes the other to have:
 *	          only a sketch finds out
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"
#include "tests/sim/prepare.h"
#include "tests/sim/tap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 10
#define MANY 16

struct bench {
	struct measure *b;
	struct world *w;
	struct model *m;
	struct tap tap;
	struct key mesh;
	uint64_t session; /* of host 0 with host 1 */
};

/* What goes down the trees is lost, and so is the word of it; repair gets through. */
static bool lose_news(struct world *w, struct host *h, const struct effect *send, void *ctx)
{
	struct bench *x = ctx;
	const struct msg *msg = send->u.send.msg;

	(void)w;
	if (h->index == 0)
		x->session = send->u.send.session;
	return msg->kind != MSG_ANNOUNCE &&
	       (msg->kind != MSG_ENTRIES || msg->u.entries.way == WAY_NONE);
}

static bool equal(struct world *w, void *ctx)
{
	return check_converged(w, ctx);
}

/* Bytes until equal, less `beside`. */
static void count(struct bench *x, const char *name, uint64_t beside)
{
	struct series *s = measure_series(x->b, name, "B", SUM_WORST);

	assert(!check_converged(x->w, x->m));
	if (world_run(x->w, x->w->now_us + MINUTE_US, equal, x->m))
		measure_add(s, (double)tap_repair_bytes(&x->tap) - (double)beside);
	else
		measure_lost(s);
	world_pass(x->w, 10 * SECOND_US);
}

static void missed(struct bench *x, const char *text)
{
	uint8_t before[DIGEST_BYTES];
	struct mesh_view v;

	assert(node_mesh_find(x->w->hosts[0]->node, x->m->mesh, &v));
	memcpy(before, v.digest, sizeof(before));
	memset(x->tap.bytes, 0, sizeof(x->tap.bytes));
	describe(x->w, x->m, 0, text);
	while (node_mesh_find(x->w->hosts[0]->node, x->m->mesh, &v) &&
	       memcmp(before, v.digest, sizeof(before)) == 0)
		world_pass(x->w, 1000);
	count(x, "repair_1_bytes", 0);
}

/* A record like those of hosts that were up: a place, four watchers. */
static struct stmt *sign(struct bench *x, unsigned member)
{
	struct record r = { .role = ROLE_PEER, .places_count = 1, .watchers_count = 4 };
	struct keypair pair;
	struct stmt *s;

	r.counter = (uint64_t)(SIM_EPOCH_UNIX_MS + world_ms(x->w));
	r.description = (struct bytes){ (const uint8_t *)"changed", 7 };
	r.places[0].kind = PLACE_INTERFACE;
	r.places[0].addr = x->w->hosts[member]->at.addr;
	r.places[0].gossip_port = SIM_GOSSIP_PORT;
	r.places[0].wg_port = 51820;
	for (uint8_t i = 0; i < 4; i++)
		r.watchers[i].b[0] = (uint8_t)(i + 1);
	if (keypair_from_seed(&pair, x->m->members[member].seed) ||
	    record_sign(&x->w->mem, &r, &pair, &x->mesh, &s))
		abort();
	return s;
}

static void unknown(struct bench *x, const char *name, size_t changes, bool beside)
{
	struct stmt *stmts[MANY];
	struct bytes raw[MANY];
	struct msg msg = { .kind = MSG_ENTRIES };
	uint64_t bytes = 0;
	unsigned first = 2 + (unsigned)rng_below(&x->w->rng, x->m->count - 2 - changes);

	for (unsigned i = 0; i < changes; i++) {
		stmts[i] = sign(x, first + i);
		raw[i] = stmts[i]->raw;
		bytes += raw[i].count;
	}
	msg.u.entries.stmts = raw;
	msg.u.entries.count = changes;
	memset(x->tap.bytes, 0, sizeof(x->tap.bytes));
	tap_hear(x->w, x->w->hosts[0], x->session, &msg);
	for (size_t i = 0; i < changes; i++)
		stmt_unref(&x->w->mem, stmts[i]);
	count(x, name, beside ? bytes : 0);
}

static void run(struct measure *b, struct world *w, struct model *m)
{
	struct bench x = { .b = b, .w = w, .m = m };

	x.tap.send = lose_news;
	x.tap.ctx = &x;
	prepare_disks(w, m, &x.mesh);
	host_boot(w, w->hosts[0]);
	host_boot(w, w->hosts[1]);
	settle(w, m, 2 * MINUTE_US, "two of many");
	world_pass(w, MINUTE_US);
	w->tap = &x.tap;
	world_pass(w, 5 * SECOND_US);
	for (unsigned i = 0; i < ROUNDS; i++) {
		missed(&x, i % 2 ? "one" : "two");
		unknown(&x, "repair_1_sketch_bytes", 1, false);
		unknown(&x, "repair_16_bytes", MANY, true);
	}
	w->tap = NULL;
}

GROUP(repair, "two replicas that differ: repair_1_bytes, repair_1_sketch_bytes, repair_16_bytes", NULL)
