/*
 * Wall clocks decide nothing between members that hear each other.
 */
#include "tests/sim/scenario.h"

#include <stdio.h>
#include <string.h>

/* Clocks minutes off, in both directions, and one that jumps. */
static void run(struct world *w, struct model *m)
{
	while (w->hosts_count < m->count) {
		struct host *h = host_new(w);

		h->clock_ahead_ms =
			(int64_t)rng_below(&w->rng, 8 * MS_PER_MINUTE) - 4 * MS_PER_MINUTE;
	}
	raise_mesh(w, m);
	w->hosts[1]->clock_ahead_ms += 6 * MS_PER_HOUR;
	w->hosts[2]->clock_ahead_ms -= 6 * MS_PER_HOUR;
	world_pass(w, 5 * MINUTE_US);
	check_safety(w, m, true);
	leave(w, m, 2);
	settle(w, m, MINUTE_US, "leave with a slow clock");
	check_final(w, m);
}

SCENARIO(clocks, "clocks minutes off, and two that jump by hours", 30)
