/*
 * A command of smegctl: one row with its words, options and help, and the function that runs it.
 * Parser, help, completion and manual all read the same rows (commands[]).
 */
#ifndef SMEG_SMEGCTL_CMD_H
#define SMEG_SMEGCTL_CMD_H

#include "api/model/control.h"
#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>

#define WORDS_MAX 2

enum option_id {
	OPT_HELP,
	OPT_JSON,
	OPT_SOCKET,
	OPT_TIMEOUT,
	OPT_VERSION,
	OPT_ALIAS,
	OPT_DESCRIPTION,
	OPT_ENDPOINT,
	OPT_NO_ENDPOINT,
	OPT_TOKEN_FILE,
	OPT_NAME,
	OPT_ROLE,
	OPT_USES,
	OPT_UNCOUNTED,
	OPT_EXPIRES,
	OPT_FOR,
	OPT_MAY_BRIDGE,
	OPT_FORMAT,
	OPT_OUTPUT,
	OPT_ALL,
	OPT_MESH,
	OPT_KEEP_INVITES,
	OPT_STOLEN,
	OPT__COUNT
};

struct option {
	enum option_id id;
	char letter;      /* 0: none */
	const char *name; /* without the hyphens */
	const char *arg;  /* what help calls its value; NULL: a flag */
	size_t max;       /* bytes of the value; 0: any */
	const char *help;
};

struct call;

struct command {
	const char *name;
	const char *const *aliases; /* the prototype's names; ends with NULL; or NULL */
	const char *words;          /* as in help: "[MESH]"; "" if there are none */
	size_t words_min;
	size_t words_max; /* <= WORDS_MAX */
	size_t word_max;  /* bytes of each; 0: any */
	const char *summary;
	const char *help; /* more; ends with a line end; or NULL */
	const struct option *options;
	size_t options_count;
	int64_t timeout_ms; /* default of --timeout; 0: TIMEOUT_DEFAULT_MS */
	int (*run)(struct call *c);
};

#define TIMEOUT_DEFAULT_MS (10 * MS_PER_SECOND)

extern const struct command *const commands[]; /* ends with NULL */
extern const struct option global_options[];
extern const size_t global_options_count;

extern const struct command cmd_create;
extern const struct command cmd_join;
extern const struct command cmd_invite;
extern const struct command cmd_leave;
extern const struct command cmd_list;
extern const struct command cmd_status;
extern const struct command cmd_visualise;
extern const struct command cmd_set;
extern const struct command cmd_expel;
extern const struct command cmd_appoint;
extern const struct command cmd_revoke;
extern const struct command cmd_key;
extern const struct command cmd_version;
extern const struct command cmd_completion;
extern const struct command cmd_help;

/* What was typed.  Texts are borrowed from argv. */
struct args {
	const struct command *command; /* NULL: none was given */
	bool given[OPT__COUNT];
	const char *values[OPT__COUNT];
	const char *endpoints[LIMIT_ENDPOINTS]; /* of OPT_ENDPOINT, which may be repeated */
	size_t endpoints_count;
	const char *words[WORDS_MAX];
	size_t words_count;
};

/* Ask the daemon: 0 and its final reply if that says "ok", else an error with words in c->diag. */
typedef int ask_fn(struct call *c, const struct request *r, struct reply *ret);

/* One run of smegctl, with all that it touches, so that tests can stand in for each. */
struct call {
	struct args args;
	FILE *in;   /* for tokens */
	FILE *out;  /* data */
	FILE *talk; /* everything else */
	bool in_is_tty;
	bool is_json;
	bool has_colour;    /* on out */
	const char *socket; /* NULL: the default */
	int64_t timeout_ms;
	ask_fn *ask;
	const struct mem *mem;
	struct arena arena;    /* until the end of the run */
	struct client *client; /* of ask_daemon() */
	struct diag diag;
};

/* Parse, run, print what went wrong.  The exit status.  The caller has set in .. mem. */
int call_run(struct call *c, int argc, char **argv) MUST_CHECK;

/* Exit status for an error: 0 ok, 1 failed, 2 usage, 3 no daemon, 4 not permitted, 5 not found, 6
 * timed out. */
int exit_status(int err);

/* The ask_fn of the real program. */
int ask_daemon(struct call *c, const struct request *r, struct reply *ret);

/* args.c: 0, or ERR_USAGE with words.  Sets c->args only. */
int args_parse(struct call *c, int argc, char **argv) MUST_CHECK;

/* By name or alias; NULL: there is none. */
const struct command *command_find(const char *name);

/* "24h" and the like to milliseconds; `what` names it in errors.  ERR_USAGE. */
int duration_parse(struct call *c, const char *what, const char *text, int64_t *ret_ms) MUST_CHECK;

/* A decimal number in [1, max].  ERR_USAGE. */
int number_parse(struct call *c, const char *what, const char *text, uint32_t max, uint32_t *ret)
	MUST_CHECK;

/* ERR_USAGE with these words and a hint to the command's help. */
int fail_usage(struct call *c, const char *format, ...) PRINTF_LIKE(2, 3);

/* Text from the command line for an error: printable, and without the secret of a token. */
#define SHOWN_BYTES 80
const char *shown(const char *text, char out[SHOWN_BYTES]);

/* help.c */
void help_print(FILE *out, const struct command *command); /* NULL: of smegctl */

/* The words and options that several commands share. */
const char *mesh_word(const struct call *c); /* first word, or "" */

/* Alias, description, endpoints: create, join, set.  ERR_USAGE. */
int fill_settings(struct call *c, struct request *r) MUST_CHECK;

/* ERR_USAGE unless --role is peer or client; "" if it is not given. */
int fill_role(struct call *c, struct request *r) MUST_CHECK;

#endif
