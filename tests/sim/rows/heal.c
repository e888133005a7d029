/*
 * Halves that were apart for ten minutes: from the moment of healing until all digests are equal
 * again, with changes, a leave and a crash on each side a minute after they were parted, and again
 * half a minute before they meet.
 *
 * With one mesh for all seeds what comes before that last half minute is the same for each: it
 * costs minutes of a processor at 3000 hosts.  What changes then, and the healing, differ.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"

#define LAST_US (MINUTE_US / 2)
#define CHANGES 5 /* on each side, in each of the two parts */

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

static void change(struct world *w, struct model *m)
{
	for (unsigned side = 0; side < 2; side++) {
		unsigned dead = of_side(w, m, side);

		leave(w, m, of_side(w, m, side));
		for (unsigned i = 0; i < CHANGES; i++)
			describe(w, m, of_side(w, m, side), "changed while apart");
		if (m->of[dead] != EXPECT_IN)
			continue;
		m->of[dead] = EXPECT_DEAD;
		host_power_off(w, w->hosts[dead]);
	}
}

static void part(struct world *w, struct model *m)
{
	set_sides(w, 2);
	world_pass(w, MINUTE_US);
	change(w, m);
	world_pass(w, 9 * MINUTE_US - LAST_US);
}

static void run(struct measure *b, struct world *w, struct model *m)
{
	struct series *heal = measure_series(b, "heal_ms", "ms", SUM_WORST);
	int64_t begun_us;

	change(w, m);
	world_pass(w, LAST_US);
	set_sides(w, 1);
	begun_us = w->now_us;
	if (world_run(w, begun_us + MINUTE_US, equal, m))
		measure_add(heal, (double)(w->now_us - begun_us) / 1e3);
	else
		measure_lost(heal);
	world_pass(w, MINUTE_US);
	check_final(w, m);
}

GROUP_PREPARED(heal, "halves apart for ten minutes: heal_ms", MINUTE_US, part)
