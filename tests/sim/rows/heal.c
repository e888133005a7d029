/*
 * Halves that were apart for ten minutes: from the moment of healing until all digests are equal
 * again, with changes, one leave and one crash on each side meanwhile.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"

static bool equal(struct world *w, void *ctx)
{
	return check_converged(w, ctx);
}

/* A host of this side (indices fall into sides by their lowest bit). */
static unsigned of_side(struct world *w, const struct model *m, unsigned side)
{
	unsigned i;

	do {
		i = measure_host(w, m);
	} while (i == 0 || i % 2 != side);
	return i;
}

static void live_apart(struct world *w, struct model *m)
{
	for (unsigned side = 0; side < 2; side++) {
		leave(w, m, of_side(w, m, side));
		for (unsigned i = 0; i < 5; i++)
			describe(w, m, of_side(w, m, side), "changed while apart");
	}
	world_pass(w, 9 * MINUTE_US);
}

static void run(struct measure *b, struct world *w, struct model *m)
{
	struct series *heal = measure_series(b, "heal_ms", "ms", SUM_WORST);
	int64_t begun_us;

	set_sides(w, 2);
	world_pass(w, MINUTE_US);
	live_apart(w, m);
	set_sides(w, 1);
	begun_us = w->now_us;
	if (world_run(w, begun_us + MINUTE_US, equal, m))
		measure_add(heal, (double)(w->now_us - begun_us) / 1e3);
	else
		measure_lost(heal);
	world_pass(w, MINUTE_US);
	check_final(w, m);
}

GROUP_SETTLED(heal, "halves apart for ten minutes: heal_ms", MINUTE_US)
