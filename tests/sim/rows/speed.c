/*
 * How much faster than real an idle mesh is simulated, in processor time of one core.  With nothing
 * beside it: two simulations of thousands of hosts slow each other down by a third, for the caches.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"

#define IDLE_US (MINUTE_US / 2)

static void run(struct measure *b, struct world *w, struct model *m)
{
	double cpu;

	(void)m;
	/* A process that goes on with another's mesh pays for its own pages first. */
	world_pass(w, IDLE_US);
	cpu = measure_cpu();
	world_pass(w, IDLE_US);
	measure_add(measure_series(b, "sim_speed", "x", SUM_LEAST),
	            (double)IDLE_US / 1e6 / (measure_cpu() - cpu));
}

GROUP_SETTLED(speed, "an idle mesh: sim_speed", MINUTE_US)
