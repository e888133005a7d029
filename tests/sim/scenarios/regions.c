/*
 * The mesh spans the world: delays of up to 130 ms, and 1 % of all portions lost.
 */
#include "tests/sim/scenario.h"

#include "tests/sim/spread.h"

static void run(struct world *w, struct model *m)
{
	w->options.net = NET_WORLD;
	w->options.jitter_us = 2000;
	w->options.loss_permille = 10;
	raise_mesh(w, m);
	world_pass(w, 30 * SECOND_US);
	for (unsigned i = 0; i < 5; i++) {
		struct spread s;

		spread_change(w, m, random_host(w, m), MINUTE_US, &s);
		if (s.missing)
			world_fail(w, "change %u did not reach %zu", i, s.missing);
	}
	check_final(w, m);
}

SCENARIO(regions, "a mesh over nineteen regions with loss", 57)
