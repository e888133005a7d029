/*
 * Scenarios: what happens in a world, one per rule or mended bug, each in a file of scenarios/.
 *
 * A file defines run() and ends with SCENARIO(name, help, nodes), which puts it into the list that
 * the linker gathers.
 */
#ifndef SMEG_TESTS_SIM_SCENARIO_H
#define SMEG_TESTS_SIM_SCENARIO_H

#include "tests/sim/act.h"

struct scenario {
	const char *name;
	const char *help;
	unsigned nodes; /* default */
	void (*run)(struct world *w, struct model *m);
};

#define SCENARIO(name_, help_, nodes_) SCENARIO_AS(#name_, help_, nodes_)
#define SCENARIO_AS(name_, help_, nodes_)                                                      \
	static const struct scenario this_one = { name_, help_, nodes_, run };                 \
	__attribute__((used,                                                                   \
	               section("sim_scenarios"))) static const struct scenario *const listed = \
		&this_one;

#endif
