/*
 * A daemon that is stopped for a while is slow, not dead.
 */
#include "tests/sim/scenario.h"

static void run(struct world *w, struct model *m)
{
	raise_mesh(w, m);
	for (unsigned i = 0; i < 30; i++) {
		struct host *h = w->hosts[random_host(w, m)];

		host_pause(w, h);
		world_pass(w, 20 * SECOND_US);
		host_resume(w, h);
		check_safety(w, m, true);
	}
	settle(w, m, MINUTE_US, "after pauses");
	check_final(w, m);
}

SCENARIO(pauses, "hosts stop for 20 s and go on", 30)
