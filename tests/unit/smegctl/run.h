/*
 * Run smegctl in the test: argv in, streams and exit status out, and a daemon that answers what the
 * test says and remembers what it was asked.
 */
#ifndef SMEG_TESTS_UNIT_SMEGCTL_RUN_H
#define SMEG_TESTS_UNIT_SMEGCTL_RUN_H

#include "tests/unit/unit.h"

#include "smegctl/cmd.h"
#include "tests/unit/memtest.h"

#define RUN_ARGS_MAX 32

struct run {
	/* Set before. */
	const struct reply *reply;
	int err;           /* what asking gives; 0: the reply */
	const char *input; /* standard input; NULL: a terminal */
	bool has_colour;

	/* Looked at after. */
	char asked[2048]; /* the request as text; "" if there was none */
	char *out;
	char *talk;
	int status;
	size_t out_bytes;
};

/* "smegctl" and the words of `line`, which are separated by blanks; '' stands for an empty word. */
void run(struct run *r, const char *line);
void run_fini(struct run *r);

#endif
