/*
 * Five in a hundred hosts stop for ten seconds each, at random moments of an hour: whom any live
 * host counts out five seconds after it went on was removed falsely, and so was whoever did not
 * stop at all and had to come back.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"

#include <stdlib.h>

#define PAUSE_US (10 * SECOND_US)
#define BACK_US (5 * SECOND_US)

enum moment_kind {
	MOMENT_PAUSE,
	MOMENT_RESUME,
	MOMENT_LOOK,
	MOMENT__COUNT
};

struct moment {
	int64_t at_us;
	enum moment_kind kind;
	unsigned host;
};

static int by_time(const void *a, const void *b)
{
	const struct moment *x = a;
	const struct moment *y = b;

	return (x->at_us > y->at_us) - (x->at_us < y->at_us);
}

/* Is it out in the view of any host that is there? */
static bool is_out(struct world *w, const struct model *m, unsigned who)
{
	for (unsigned i = 0; i < m->count; i++) {
		const struct host *h = w->hosts[i];
		struct member_view v;

		if (!h->is_up || h->is_paused)
			continue;
		if (!check_member(w, m, i, who, &v) || v.standing != STANDING_IN)
			return true;
	}
	return false;
}

/* Different hosts, each once. */
static size_t plan(struct world *w, const struct model *m, struct moment *out)
{
	size_t pauses = MAX_OF(m->count / 20, (size_t)1);
	unsigned first = random_host(w, m);

	for (size_t i = 0; i < pauses; i++) {
		int64_t at = w->now_us + (int64_t)rng_below(&w->rng, (uint64_t)HOUR_US);
		unsigned host = (unsigned)((first + 7 * i) % m->count);

		*out++ = (struct moment){ at, MOMENT_PAUSE, host };
		*out++ = (struct moment){ at + PAUSE_US, MOMENT_RESUME, host };
		*out++ = (struct moment){ at + PAUSE_US + BACK_US, MOMENT_LOOK, host };
	}
	return pauses * MOMENT__COUNT;
}

static unsigned act(struct world *w, struct model *m, const struct moment *at)
{
	struct host *h = w->hosts[at->host];

	world_run(w, at->at_us, NULL, NULL);
	if (at->kind == MOMENT_PAUSE)
		host_pause(w, h);
	else if (at->kind == MOMENT_RESUME)
		host_resume(w, h);
	else
		return is_out(w, m, at->host);
	return 0;
}

static void run(struct measure *b, struct world *w, struct model *m)
{
	struct moment *list = sim_resize(NULL, (m->count + 1) * MOMENT__COUNT * sizeof(*list));
	int64_t end_us;
	uint64_t refuted;
	unsigned out = 0;
	size_t count;

	raise_mesh(w, m);
	world_pass(w, MINUTE_US);
	end_us = w->now_us + HOUR_US;
	count = plan(w, m, list);
	qsort(list, count, sizeof(*list), by_time);
	for (size_t i = 0; i < count; i++)
		out += act(w, m, &list[i]);
	world_run(w, MAX_OF(end_us, w->now_us), NULL, NULL);
	/* Each host that stopped may have had to come back once; nobody else. */
	refuted = measure_refuted(w);
	measure_add(measure_series(b, "pauses_pruned", "1", SUM_TOTAL), (double)refuted);
	if (refuted > count / MOMENT__COUNT)
		out += (unsigned)(refuted - count / MOMENT__COUNT);
	measure_add(measure_series(b, "false_removals_pauses", "1", SUM_TOTAL), (double)out);
	check_final(w, m);
	free(list);
}

GROUP(pausing, "5 % of hosts stop for 10 s, in an hour: false_removals_pauses", NULL)
