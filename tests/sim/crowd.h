/*
 * A crowd: a settled mesh of simulated hosts that real daemons can join (gate.h).
 */
#ifndef SMEG_TESTS_SIM_CROWD_H
#define SMEG_TESTS_SIM_CROWD_H

#include "tests/sim/world.h"

/*
 * Raises the mesh, prints a token as {"token":TEXT}, then, until SIGTERM, what has gone through the
 * gate so far, five lines a second.  The program's exit status.
 */
int crowd_run(const struct world_options *options, unsigned nodes);

#endif
