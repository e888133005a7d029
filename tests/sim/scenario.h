/*
 * Scenarios: what happens in a world, one per rule or mended bug.
 */
#ifndef SMEG_TESTS_SIM_SCENARIO_H
#define SMEG_TESTS_SIM_SCENARIO_H

#include "tests/sim/check.h"

struct scenario {
	const char *name;
	const char *help;
	unsigned nodes; /* default */
	void (*run)(struct world *w, struct model *m);
};

extern const struct scenario scenarios[];
extern const size_t scenarios_count;

#endif
