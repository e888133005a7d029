/*
 * Identities pass through a mesh: one leaves, or dies without a word, and another joins in its
 * place, four times the mesh in each life.  One life after the last of them, what replicas and
 * disks hold is compared with what the live members alone would need.
 *
 * churn: life is an hour and 100 identities pass for each host.  churn_short: a minute, and 20.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAVE_US (10 * SECOND_US) /* at most, until the machine is another one */
#define TURNOVER 4                /* times the mesh in a life */
#define BUNCH_PART 5              /* that part of the mesh at a time */
#define SAID_EACH 500
#define TOKEN_LIFE 50 /* joins for each invite: whom a token names as bootstrap may go too */

enum phase {
	STAYS,
	LEAVES,
	JOINS,
};

struct slot_state {
	enum phase phase;
	int64_t since_us;
};

struct passing {
	struct world *w;
	struct model *m;
	int64_t life_us;
	char token[TOKEN_TEXT_BYTES];
	struct slot_state *slots; /* by host */
	uint64_t joined;
	uint64_t failed;
	uint64_t peak; /* entries at host 0 */
};

static uint64_t entries_of(const struct passing *p, unsigned host)
{
	struct mesh_view v;

	return node_mesh_find(p->w->hosts[host]->node, p->m->mesh, &v) ? v.known : 0;
}

static void begin_join(struct passing *p, unsigned host)
{
	struct command c = { .kind = CMD_JOIN };

	c.token = (struct bytes){ (const uint8_t *)p->token, strlen(p->token) };
	host_command(p->w, p->w->hosts[host], &c);
	p->slots[host] = (struct slot_state){ JOINS, p->w->now_us };
}

/* The machine is another one from now on. */
static void renew(struct passing *p, unsigned host)
{
	struct host *h = p->w->hosts[host];

	disk_fini(&h->disk);
	memset(&h->disk, 0, sizeof(h->disk));
	host_boot(p->w, h);
	begin_join(p, host);
}

static void begin_leave(struct passing *p, unsigned host)
{
	struct command c = { .kind = CMD_LEAVE };

	name_mesh(&c, p->m);
	host_command(p->w, p->w->hosts[host], &c);
	p->slots[host] = (struct slot_state){ LEAVES, p->w->now_us };
}

static void go_on(struct passing *p, unsigned host)
{
	struct slot_state *slot = &p->slots[host];
	struct host *h = p->w->hosts[host];

	if (slot->phase == LEAVES &&
	    (h->outcome.is_done || p->w->now_us - slot->since_us > LEAVE_US)) {
		host_crash(p->w, h);
		renew(p, host);
	} else if (slot->phase == JOINS && h->outcome.is_done && h->outcome.result.err) {
		p->failed++;
		begin_join(p, host);
	} else if (slot->phase == JOINS && h->outcome.is_done) {
		p->joined++;
		p->m->of[host] = EXPECT_IN;
		model_key(p->m, host, &h->outcome.result.key);
		slot->phase = STAYS;
	}
}

static void pass_one(struct passing *p, uint64_t number)
{
	unsigned host = 1 + (unsigned)rng_below(&p->w->rng, p->m->count - 1);

	if (number % TOKEN_LIFE == 0)
		expect(p->w, invite(p->w, p->m, 0, 2 * TOKEN_LIFE, p->token), "invite", 0);
	for (unsigned i = 1; i < p->m->count; i++)
		go_on(p, i);
	while (p->slots[host].phase != STAYS) {
		host = 1 + host % (unsigned)(p->m->count - 1);
		if (host == 1)
			world_pass(p->w, SECOND_US / 10);
		go_on(p, host);
	}
	p->m->of[host] = EXPECT_NOTHING;
	p->peak = MAX_OF(p->peak, entries_of(p, 0));
	if (rng_below(&p->w->rng, 4) > 0) {
		begin_leave(p, host);
		return;
	}
	host_power_off(p->w, p->w->hosts[host]);
	renew(p, host);
}

/* The last ones come in. */
static void finish_passing(struct passing *p)
{
	for (unsigned round = 0; round < 60; round++) {
		world_pass(p->w, SECOND_US);
		for (unsigned i = 1; i < p->m->count; i++)
			go_on(p, i);
	}
}

static void count_row(void *ctx, const struct row *row)
{
	*(uint64_t *)ctx += row->table == ROW_STATE;
}

/* The largest of all hosts, over what the live ones need: an entry of two statements each. */
static void weigh(struct measure *b, const struct passing *p)
{
	uint64_t live = 0;
	uint64_t entries = 0;
	uint64_t rows = 0;

	for (unsigned i = 0; i < p->m->count; i++) {
		uint64_t own_rows = 0;

		if (p->m->of[i] != EXPECT_IN || !p->w->hosts[i]->is_up)
			continue;
		live++;
		entries = MAX_OF(entries, entries_of(p, i));
		disk_visit(&p->w->hosts[i]->disk, count_row, &own_rows);
		rows = MAX_OF(rows, own_rows);
	}
	measure_add(measure_series(b, "churn_entries_ratio", "x", SUM_WORST),
	            (double)entries / (double)live);
	measure_add(measure_series(b, "churn_rows_ratio", "x", SUM_WORST),
	            (double)rows / (2 * (double)live));
	measure_add(measure_series(b, "churn_state_ratio", "x", SUM_WORST),
	            MAX_OF((double)entries, (double)rows / 2) / (double)live);
	measure_add(measure_series(b, "churn_peak_ratio", "x", SUM_WORST),
	            (double)p->peak / (double)live);
	measure_add(measure_series(b, "churn_joined", "1", SUM_LEAST), (double)p->joined);
	measure_add(measure_series(b, "churn_join_failed", "1", SUM_TOTAL), (double)p->failed);
}

/* Hours pass: somebody may want to know how far it is. */
static void say_where(const struct passing *p, uint64_t number)
{
	if (number % SAID_EACH == 0)
		fprintf(stderr,
		        "# churn: %llu passed, %llu joined, %llu failed: %.0f virtual s, %.0f s of "
		        "this process, %llu entries\n",
		        (unsigned long long)number, (unsigned long long)p->joined,
		        (unsigned long long)p->failed, (double)p->w->now_us / 1e6, measure_cpu(),
		        (unsigned long long)entries_of(p, 0));
}

static void pass_all(struct measure *b, struct world *w, struct model *m, uint64_t identities)
{
	struct passing p = { .w = w, .m = m, .life_us = w->options.life_ms * 1000 };
	size_t bunch = MAX_OF(m->count / BUNCH_PART, 1);
	int64_t each_us = p.life_us / (int64_t)(TURNOVER * m->count) * (int64_t)bunch;
	int64_t next_us;

	p.slots = calloc(m->count, sizeof(*p.slots));
	assert(p.slots);
	raise_mesh(w, m);
	next_us = w->now_us;
	for (uint64_t i = 0; i < identities; i++) {
		if (i % bunch == 0) {
			next_us = MAX_OF(next_us + each_us, w->now_us);
			world_pass(w, next_us - w->now_us);
		}
		pass_one(&p, i);
		say_where(&p, i + 1);
	}
	finish_passing(&p);
	/* A life, and until everybody has looked at what is old. */
	world_pass(w, p.life_us + p.life_us / 6 + 2 * SECOND_US);
	weigh(b, &p);
	free(p.slots);
}

static void run(struct measure *b, struct world *w, struct model *m)
{
	pass_all(b, w, m, 100 * m->count);
}

static void options(struct world_options *o)
{
	o->life_ms = MS_PER_HOUR;
}

GROUP(churn, "100 identities for each host, life 1 h: churn_state_ratio", options)

static void run_short(struct measure *b, struct world *w, struct model *m)
{
	pass_all(b, w, m, 20 * m->count);
}

static void options_short(struct world_options *o)
{
	o->life_ms = MS_PER_MINUTE;
}

GROUP_AS(churn_short, run_short, "20 identities for each host, life 1 min", 0, options_short)
