/*
 * Last words that nobody hears at first.
 */
#include "tests/sim/scenario.h"

#include <stdio.h>
#include <string.h>

/* Who leaves while it is cut off tells the others when it meets them again. */
static void run(struct world *w, struct model *m)
{
	struct host *alone;

	raise_mesh(w, m);
	alone = w->hosts[1];
	alone->side = 1;
	world_pass(w, MINUTE_US);
	leave(w, m, 1);
	host_crash(w, alone);
	host_boot(w, alone);
	world_pass(w, MINUTE_US);
	alone->side = 0;
	settle(w, m, 2 * MINUTE_US, "left while cut off");
	check_final(w, m);
	leave(w, m, 2);
	settle(w, m, MINUTE_US, "left while connected");
	/* Its sessions are dead, but it does not know yet (storm, seed 4 with 24 nodes). */
	w->hosts[3]->side = 1;
	leave(w, m, 3);
	world_pass(w, MINUTE_US);
	w->hosts[3]->side = 0;
	settle(w, m, 2 * MINUTE_US, "left with dead sessions");
	check_final(w, m);
}

SCENARIO(alone, "one leaves while it is cut off", 20)
