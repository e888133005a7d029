/*
 * The simplest: a mesh comes up.
 */
#include "tests/sim/scenario.h"

#include <stdio.h>
#include <string.h>

static void run(struct world *w, struct model *m)
{
	raise_mesh(w, m);
	check_final(w, m);
}

SCENARIO(join, "all join at once with one token", 100)
