/*
 * A daemon that is stopped for a while may be pruned by its watchers, and is back soon after it
 * goes on; nobody else is.
 */
#include "tests/sim/scenario.h"

static void run(struct world *w, struct model *m)
{
	unsigned first;

	raise_mesh(w, m);
	first = random_host(w, m);
	/* In turn: who is pruned again and again waits longer and longer until it comes back. */
	for (unsigned i = 0; i < 30; i++) {
		struct host *h = w->hosts[(first + i) % m->count];

		host_pause(w, h);
		world_pass(w, 20 * SECOND_US);
		check_safety(w, m, true);
		host_resume(w, h);
		world_pass(w, CHECK_BACK_US);
		check_safety(w, m, true);
	}
	settle(w, m, MINUTE_US, "after pauses");
	check_final(w, m);
}

SCENARIO(pauses, "hosts stop for 20 s and go on", 30)
