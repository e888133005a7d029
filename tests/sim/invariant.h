/*
 * What must hold after every step of every host, judged by what the step has brought about: no look
 * costs more than the change it looks at.  What takes a walk over replicas is in check.h.
 */
#ifndef SMEG_TESTS_SIM_INVARIANT_H
#define SMEG_TESTS_SIM_INVARIANT_H

#include "tests/sim/host.h"

/* A row that the host asks to be kept: statements in it were signed by who may. */
void invariant_persist(struct world *w, const struct host *h, const struct row *row);

/*
 * A row of its disk changes, from `before`: no register goes back, and nothing is dropped that is
 * younger than the mesh's life.
 */
void invariant_row(struct world *w,
                   const struct host *h,
                   const struct row *row,
                   struct bytes before);

/*
 * The host has counted a member in or out: nobody goes who is live and within its reach, and who
 * has left does not come back.
 */
void invariant_roster(struct world *w,
                      const struct host *h,
                      enum trace_kind kind,
                      const struct key *who);

/*
 * After the effects: bounds are kept, and the host's own counter went up.  `rows`: no more than so
 * many were on its disk, or on their way there, before the step.
 */
void invariant_step(struct world *w, const struct host *h, size_t rows);

#endif
