/*
 * Measuring in processes of their own, some beside each other.
 *
 * A task begins from what its parent has in memory, so a mesh that took a minute to start can be
 * measured in many ways, each from the same state and none after another.  What it adds to its
 * series comes back through a pipe.
 */
#ifndef SMEG_TESTS_SIM_TASK_H
#define SMEG_TESTS_SIM_TASK_H

#include "tests/sim/measure.h"

#include <stdio.h>
#include <sys/types.h>

#define TASKS_MAX 16

struct task {
	pid_t pid;
	FILE *from; /* its series */
};

/* Tasks under way; oldest first. */
struct tasks {
	struct measure *into; /* borrowed; gets the series in the order of task_start() */
	unsigned at_once;     /* 1 .. TASKS_MAX */
	struct task list[TASKS_MAX];
	unsigned count;
};

void tasks_init(struct tasks *t, struct measure *into, unsigned at_once);

/*
 * Have run(ctx, b) done by a new process; b has no series yet.  Waits for the oldest task first if
 * as many are under way as may be.
 */
void task_start(struct tasks *t, void (*run)(void *ctx, struct measure *b), void *ctx);

/* Wait for all.  A task that died leaves into->is_broken. */
void tasks_end(struct tasks *t);

#endif
