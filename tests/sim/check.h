/*
 * What must always hold, and what must hold in the end.
 */
#ifndef SMEG_TESTS_SIM_CHECK_H
#define SMEG_TESTS_SIM_CHECK_H

#include "tests/sim/host.h"

/* What the scenario knows: who should be in. */
enum expected {
	EXPECT_NOTHING,
	EXPECT_IN,
	EXPECT_LEFT
};

struct model {
	char mesh[LIMIT_NAME_BYTES + 1];
	enum expected *of; /* by host index */
	struct key *keys;  /* of those that ever joined */
	size_t count;
};

void model_init(struct model *m, size_t hosts, const char *mesh);
void model_fini(struct model *m);

/* All hosts that are up and should be in agree with each other and with the model. */
bool check_converged(struct world *w, const struct model *m);

/* The same as a verdict: what differs is printed and counted. */
void check_final(struct world *w, const struct model *m);

/* No host counts a live member out, or one in that has left; cheap enough for every second. */
void check_safety(struct world *w, const struct model *m, bool settled);

/* Devices hold exactly the group: every member's /128 with its own key, nobody else's. */
void check_devices(struct world *w, const struct model *m);

#endif
