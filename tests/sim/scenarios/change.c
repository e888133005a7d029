/*
 * Ten changes, one after the other; each must reach all.
 */
#include "tests/sim/scenario.h"

#include "tests/sim/spread.h"

static void run(struct world *w, struct model *m)
{
	int64_t worst_us = 0;

	raise_mesh(w, m);
	/* Let the neighbours settle, so that repairs of joining are over. */
	world_pass(w, 30 * SECOND_US);
	for (unsigned i = 0; i < 10; i++) {
		struct spread s;

		spread_change(w, m, random_host(w, m), MINUTE_US, &s);
		if (s.missing)
			world_fail(w, "change %u did not reach %zu", i, s.missing);
		worst_us = MAX_OF(worst_us, s.last_us);
		world_pass(w, 2 * SECOND_US);
	}
	world_say(w, "  %-28s %.3f ms\n", "slowest of 10 changes", (double)worst_us / 1e3);
	check_final(w, m);
}

SCENARIO(change, "ten changes, each must reach all", 100)
