/*
 * One side hears the other, but not the other way round.
 *
 * Who is not heard may be pruned, but all must be in and agree soon after it ends; neither streams
 * that deliver but are not acknowledged nor half-open dials may be left in the way.
 */
#include "tests/sim/scenario.h"

static void run(struct world *w, struct model *m)
{
	raise_mesh(w, m);
	set_sides(w, 2);
	w->cut[1][0] = false; /* odd to even comes through */
	for (unsigned i = 0; i < 5; i++) {
		world_pass(w, MINUTE_US);
		describe(w, m, random_host(w, m), i % 2 ? "odd" : "even");
		check_safety(w, m, true);
	}
	w->cut[1][0] = true;
	set_sides(w, 1);
	settle(w, m, 3 * MINUTE_US, "after deafness of one side");
	check_final(w, m);
}

SCENARIO(oneway, "one side hears the other, not the other way round", 24)
