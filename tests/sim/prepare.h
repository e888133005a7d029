/*
 * Large worlds begin from prepared disks instead of by thousands of joins: identities, admissions
 * and records are made once, and every host boots with all of them.
 */
#ifndef SMEG_TESTS_SIM_PREPARE_H
#define SMEG_TESTS_SIM_PREPARE_H

#include "tests/sim/check.h"

/* The model's hosts (made, not booted) come up as members of one mesh; host 0 administers it. */
void prepare_mesh(struct world *w, struct model *m);

/* The same, but nobody is booted.  Key pairs are in the model, and in *ret_mesh the mesh's key. */
void prepare_disks(struct world *w, struct model *m, struct key *ret_mesh);

#endif
