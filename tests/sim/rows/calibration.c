/*
 * The simulator's half of the calibration row: messages of a scenario that real daemons play too
 * (tests/bench/rows/calibration.sh).  A mesh that has settled idles for a minute; then twenty
 * members change, one a second.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"

#include <stdio.h>

#define SETTLE_US MINUTE_US
#define IDLE_US MINUTE_US
#define CHANGES 20
#define TAIL_US (10 * SECOND_US)

static void run(struct measure *b, struct world *w, struct model *m)
{
	uint64_t before;

	raise_mesh(w, m);
	world_pass(w, SETTLE_US);
	before = w->messages;
	world_pass(w, IDLE_US);
	measure_add(measure_series(b, "calibration_idle", "1", SUM_MEAN),
	            (double)(w->messages - before));
	before = w->messages;
	for (unsigned i = 0; i < CHANGES; i++) {
		char text[32];

		snprintf(text, sizeof(text), "change %u", i);
		describe(w, m, measure_host(w, m), text);
		world_pass(w, SECOND_US);
	}
	world_pass(w, TAIL_US);
	measure_add(measure_series(b, "calibration_changes", "1", SUM_MEAN),
	            (double)(w->messages - before));
	check_final(w, m);
}

GROUP(calibration, "messages of a minute's idling and of twenty changes", NULL)
