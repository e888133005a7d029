/*
 * What it costs to make two replicas equal again: all bytes of both sides after the digest that
 * shows the difference until there is none.  Not counted: signs of life, beats, and the digests of
 * the regular pull before anything is done about the difference, which flow anyway; from then on
 * every digest counts.
 *
 * The mean of ten such repairs in each world; the worst of all worlds is the figure.
 *
 * Two hosts are up, of all the members that their replicas hold; nobody else ever boots.
 *
 * missed: the one's own record or what it heard of others did not get to the other; the log of the
 * latest news knows what the other lacks.  Unknown: the one has heard something that it believes
 * the other to have; only a sketch finds out.  Either first records, which the other just lacks, or
 * changed ones, which count twice in the sketch.
 */
#include "tests/sim/measure.h"

#include "crdt/admit.h"
#include "tests/sim/act.h"
#include "tests/sim/prepare.h"
#include "tests/sim/tap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 10
#define MANY 16

enum figure {
	MISSED_1,
	LACKING_1,
	LACKING_16,
	CHANGED_1,
	CHANGED_16,
	FIGURES
};

static const char *const names[FIGURES] = {
	"repair_1_bytes",         "repair_1_sketch_bytes",   "repair_16_bytes",
	"repair_1_changed_bytes", "repair_16_changed_bytes",
};

struct bench {
	struct measure *b;
	struct world *w;
	struct model *m;
	struct tap tap;
	struct key mesh;
	uint64_t session;                          /* of host 0 with host 1 */
	struct keypair fresh[ROUNDS * (MANY + 1)]; /* of members without a record */
	double sums[FIGURES];                      /* over all rounds */
	bool is_losing;
	bool has_begun;
	int64_t until_us;
};

/* Something is done about the difference; watchers of those that never boot talk too. */
static bool is_repair(const struct msg *msg)
{
	static const enum msg_kind kinds[] = { MSG_ENTRIES,  MSG_SKETCH,   MSG_WANT,
		                               MSG_ANNOUNCE, MSG_CONTINUE, MSG_FETCH };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (msg->kind == kinds[i])
			return true;
	}
	return false;
}

/* What goes down the trees is lost, and so is the word of it; repair gets through. */
static bool lose_news(struct world *w, struct host *h, const struct effect *send, void *ctx)
{
	struct bench *x = ctx;
	const struct msg *msg = send->u.send.msg;

	(void)w;
	if (h->index == 0)
		x->session = send->u.send.session;
	if (x->is_losing && (msg->kind == MSG_ANNOUNCE || msg->kind == MSG_ENTRIES))
		return false;
	/* Digests so far flowed anyway. */
	if (!x->has_begun && is_repair(msg)) {
		x->has_begun = true;
		memset(x->tap.bytes, 0, sizeof(x->tap.bytes));
	}
	return true;
}

static bool equal(struct world *w, void *ctx)
{
	const struct model *m = ctx;
	struct mesh_view v[2];

	return node_mesh_find(w->hosts[0]->node, m->mesh, &v[0]) &&
	       node_mesh_find(w->hosts[1]->node, m->mesh, &v[1]) &&
	       memcmp(v[0].digest, v[1].digest, DIGEST_BYTES) == 0;
}

/* Bytes until equal, less `beside`. */
static void count(struct bench *x, enum figure figure, uint64_t beside)
{
	assert(!equal(x->w, x->m));
	x->has_begun = false;
	while (!equal(x->w, x->m) && x->w->now_us < x->until_us)
		world_pass(x->w, 100);
	x->sums[figure] += (double)tap_repair_bytes(&x->tap) - (double)beside;
	if (!equal(x->w, x->m))
		world_fail(x->w, "%s: not repaired within a minute", names[figure]);
	world_pass(x->w, 10 * SECOND_US);
}

static struct keypair pair_of(const uint8_t seed[KEY_BYTES])
{
	struct keypair pair;

	if (keypair_from_seed(&pair, seed))
		abort();
	return pair;
}

/* A record like those of hosts that were up: a place, four watchers. */
static struct stmt *sign(struct bench *x, const struct keypair *pair)
{
	struct record r = { .role = ROLE_PEER, .places_count = 1, .watchers_count = 4 };
	struct stmt *s;

	r.counter = (uint64_t)(SIM_EPOCH_UNIX_MS + world_ms(x->w));
	r.description = (struct bytes){ (const uint8_t *)"changed", 7 };
	r.places[0].kind = PLACE_INTERFACE;
	r.places[0].addr = x->w->hosts[2]->at.addr;
	r.places[0].gossip_port = SIM_GOSSIP_PORT;
	r.places[0].wg_port = 51820;
	for (uint8_t i = 0; i < 4; i++)
		r.watchers[i].b[0] = (uint8_t)(i + 1);
	if (record_sign(&x->w->mem, &r, pair, &x->mesh, &s))
		abort();
	return s;
}

static void hear_one(struct bench *x, struct stmt *s)
{
	struct msg msg = { .kind = MSG_ENTRIES };

	msg.u.entries.stmts = &s->raw;
	msg.u.entries.count = 1;
	tap_hear(x->w, x->w->hosts[0], x->session, &msg);
	stmt_unref(&x->w->mem, s);
}

/* Host 0 hears these records, from host 1 as it believes.  Their bytes. */
static uint64_t hear(struct bench *x, const struct keypair *pairs, size_t count)
{
	uint64_t bytes = 0;

	x->until_us = x->w->now_us + MINUTE_US;
	for (unsigned i = 0; i < count; i++) {
		struct stmt *s = sign(x, &pairs[i]);

		bytes += s->raw.count;
		hear_one(x, s);
	}
	return bytes;
}

/* Records of members that have one already. */
static void changed(struct bench *x, enum figure figure, size_t changes)
{
	size_t first = 2 + rng_below(&x->w->rng, x->m->count - 2 - changes);
	struct keypair pairs[MANY];
	uint64_t bytes;

	for (size_t i = 0; i < changes; i++)
		pairs[i] = pair_of(x->m->members[first + i].seed);
	bytes = hear(x, pairs, changes);
	count(x, figure, changes == 1 ? 0 : bytes);
}

static void lacking(struct bench *x, enum figure figure, size_t at, size_t changes)
{
	uint64_t bytes = hear(x, x->fresh + at, changes);

	count(x, figure, changes == 1 ? 0 : bytes);
}

static void missed(struct bench *x, const char *text)
{
	x->is_losing = true;
	x->until_us = x->w->now_us + MINUTE_US;
	describe(x->w, x->m, 0, text);
	while (equal(x->w, x->m) && x->w->now_us < x->until_us)
		world_pass(x->w, 1000);
	world_pass(x->w, 15000); /* told and announced, in vain */
	x->is_losing = false;
	count(x, MISSED_1, 0);
}

/* Members that have no record yet, at both hosts. */
static void admit(struct bench *x)
{
	struct keypair issuer = pair_of(x->m->members[0].seed);

	for (size_t i = 0; i < ARRAY_LEN(x->fresh); i++) {
		struct admission a = { .role = ROLE_PEER };
		struct stmt *s;

		keypair_generate(&x->fresh[i], &x->w->rng);
		a.subject = x->fresh[i].sign_public;
		a.issued_ms = (uint64_t)(SIM_EPOCH_UNIX_MS + world_ms(x->w));
		if (admission_sign(&x->w->mem, &a, &issuer, &x->mesh, &s))
			abort();
		hear_one(x, s);
	}
	if (!world_run(x->w, x->w->now_us + MINUTE_US, equal, x->m))
		world_fail(x->w, "admissions do not get to the other host");
	world_pass(x->w, 10 * SECOND_US);
}

static void settle_two(struct bench *x)
{
	x->tap.send = lose_news;
	x->tap.ctx = x;
	prepare_disks(x->w, x->m, &x->mesh);
	host_boot(x->w, x->w->hosts[0]);
	host_boot(x->w, x->w->hosts[1]);
	settle(x->w, x->m, 2 * MINUTE_US, "two of many");
	world_pass(x->w, MINUTE_US);
	x->w->tap = &x->tap;
	world_pass(x->w, 5 * SECOND_US);
	admit(x);
}

static void run(struct measure *b, struct world *w, struct model *m)
{
	struct bench x = { .b = b, .w = w, .m = m };

	w->model = NULL; /* it knows nothing of those that are admitted here, nor who is never up */
	settle_two(&x);
	for (unsigned i = 0; i < ROUNDS; i++) {
		missed(&x, i % 2 ? "one" : "two");
		lacking(&x, LACKING_1, i * (MANY + 1), 1);
		lacking(&x, LACKING_16, i * (MANY + 1) + 1, MANY);
		changed(&x, CHANGED_1, 1);
		changed(&x, CHANGED_16, MANY);
	}
	w->tap = NULL;
	for (size_t i = 0; i < FIGURES; i++)
		measure_add(measure_series(b, names[i], "B", SUM_WORST), x.sums[i] / ROUNDS);
}

GROUP(repair, "two replicas that differ: repair_1_bytes, repair_16_bytes, and others beside", NULL)
