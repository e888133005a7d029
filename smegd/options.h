/*
 * The command line of smegd.
 */
#ifndef SMEG_SMEGD_OPTIONS_H
#define SMEG_SMEGD_OPTIONS_H

#include "smegd/conf.h"

#include <stdio.h>

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK, /* read the configuration, say whether it is right */
	OPTIONS_PRINT, /* print it with all that is not in the file */
	OPTIONS_VERSION,
	OPTIONS_HELP,
};

/* Options that stand for a key of the file, in the order in which they were given. */
#define OPTIONS_OVERRIDES_MAX 16

struct options {
	enum options_action action;
	const char *file; /* NULL: the default one, if it is there */
	size_t overrides_count;
	struct {
		const char *option; /* as in errors: "--port" */
		const char *key;
		const char *value;
	} overrides[OPTIONS_OVERRIDES_MAX];
};

/* Texts are borrowed from argv.  ERR_USAGE. */
int options_parse(struct options *ret, int argc, char **argv, struct diag *diag) MUST_CHECK;

/* The configuration file as the options have it, and their overrides on top.  ERR_CONFIG,
 * ERR_USAGE. */
int options_read_conf(const struct options *o, struct conf *ret, struct diag *diag) MUST_CHECK;

void options_print_help(FILE *out);

/* 0 done, 1 failed, 2 bad usage or configuration, 4 not permitted; as smegctl's. */
int options_exit_status(int err);

#endif
