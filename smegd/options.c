/*
 * The command line of smegd, from one table.
 *
 * Few options, for the file has the settings; those that stand for a key go through the key's own
 * check, so there is one place that knows what a port may be.  getopt_long() was rejected for its
 * own words on errors and for taking beginnings of names, so that a new option breaks scripts.
 */
#include "smegd/options.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct row {
	const char *name;
	char letter;                /* 0: none */
	const char *arg;            /* NULL: it takes none */
	const char *key;            /* that it stands for, or NULL */
	enum options_action action; /* if it has no argument */
	const char *help;
};

static const struct row rows[] = {
	{ "config", 'c', "FILE", NULL, OPTIONS_RUN,
	  "read this file; else " CONF_FILE_DEFAULT ", if it is there" },
	{ "check", 0, NULL, NULL, OPTIONS_CHECK, "only say whether the configuration is right" },
	{ "print-config", 0, NULL, NULL, OPTIONS_PRINT,
	  "print all keys with help, range, default and value" },
	{ "log-level", 'v', "LEVEL", "logLevel", OPTIONS_RUN, "error, warning, info or debug" },
	{ "state-dir", 0, "DIR", "stateDirectory", OPTIONS_RUN, "where keys and state are kept" },
	{ "run-dir", 0, "DIR", "runDirectory", OPTIONS_RUN, "where the control socket is made" },
	{ "port", 0, "PORT", "port", OPTIONS_RUN, "TCP port for other daemons" },
	{ "backend", 0, "NAME", "backend", OPTIONS_RUN, "auto, kernel, userspace or none" },
	{ "version", 0, NULL, NULL, OPTIONS_VERSION, "print the version" },
	{ "help", 'h', NULL, NULL, OPTIONS_HELP, "print this" },
};

static int fail(struct diag *diag, const char *what, const char *arg, size_t bytes)
{
	char text[80];

	text_printable(arg, bytes, text, sizeof(text));
	diag_set(diag, ERR_USAGE, "%s: %s", text, what);
	diag_hint(diag, "smegd --help");
	return ERR_USAGE;
}

static const struct row *find(const char *arg, size_t bytes)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];

		if (bytes == 2 && arg[0] == '-' && arg[1] == r->letter)
			return r;
		if (bytes > 2 && strncmp(arg, "--", 2) == 0 && strlen(r->name) == bytes - 2 &&
		    memcmp(r->name, arg + 2, bytes - 2) == 0)
			return r;
	}
	return NULL;
}

static int take(struct options *o,
                const struct row *r,
                const char *arg,
                const char *value,
                struct diag *diag)
{
	if (!r->arg) {
		/* --help after anything still helps. */
		if (o->action != OPTIONS_HELP)
			o->action = r->action;
		return 0;
	}
	if (!r->key) {
		o->file = value;
		return 0;
	}
	if (o->overrides_count == OPTIONS_OVERRIDES_MAX)
		return fail(diag, "too many options", arg, strlen(arg));
	o->overrides[o->overrides_count].option = r->name;
	o->overrides[o->overrides_count].key = r->key;
	o->overrides[o->overrides_count].value = value;
	o->overrides_count++;
	return 0;
}

int options_parse(struct options *ret, int argc, char **argv, struct diag *diag)
{
	memset(ret, 0, sizeof(*ret));
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		size_t bytes = strcspn(arg, "=");
		const char *value = arg[bytes] ? arg + bytes + 1 : NULL;
		const struct row *r = find(arg, bytes);
		int err;

		if (!r && arg[0] != '-')
			return fail(diag, "smegd takes no words; a file goes with -c", arg,
			            strlen(arg));
		if (!r)
			return fail(diag, "there is no such option", arg, bytes);
		if (!r->arg && value)
			return fail(diag, "it takes no value", arg, bytes);
		if (r->arg && !value)
			value = argv[++i]; /* NULL at the end */
		if (r->arg && !value)
			return fail(diag, "it needs a value", arg, bytes);
		err = take(ret, r, arg, value, diag);
		if (err)
			return err;
	}
	return 0;
}

static int read_file(const struct options *o, struct conf *ret, struct diag *diag)
{
	if (o->file)
		return conf_read(ret, o->file, diag);
	if (access(CONF_FILE_DEFAULT, F_OK) && errno == ENOENT) {
		conf_defaults(ret);
		return 0;
	}
	return conf_read(ret, CONF_FILE_DEFAULT, diag);
}

int options_read_conf(const struct options *o, struct conf *ret, struct diag *diag)
{
	int err = read_file(o, ret, diag);
	char where[32];

	for (size_t i = 0; i < o->overrides_count && !err; i++) {
		snprintf(where, sizeof(where), "--%s", o->overrides[i].option);
		err = conf_set(ret, where, o->overrides[i].key, o->overrides[i].value, diag);
		if (err)
			err = ERR_USAGE;
	}
	return err;
}

void options_print_help(FILE *out)
{
	fputs("Usage: smegd [OPTION]...\n\n"
	      "Keeps this host's WireGuard meshes; smegctl tells it what to do.\n\n"
	      "Options:\n",
	      out);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char letter[8] = "    ";
		char head[40];

		if (rows[i].letter)
			snprintf(letter, sizeof(letter), "-%c, ", rows[i].letter);
		snprintf(head, sizeof(head), "%s--%s%s%s", letter, rows[i].name,
		         rows[i].arg ? " " : "", rows[i].arg ? rows[i].arg : "");
		fprintf(out, "  %-24s  %s\n", head, rows[i].help);
	}
	fputs("\nSignals: SIGTERM and SIGINT end it and leave tunnels standing; SIGHUP reads the\n"
	      "configuration again.\n\n"
	      "Exit status: 0 ended by a signal, 1 failed, 2 bad usage or configuration,\n"
	      "4 not permitted.\n",
	      out);
}

int options_exit_status(int err)
{
	switch (err) {
	case 0:
		return 0;
	case ERR_USAGE:
	case ERR_CONFIG:
		return 2;
	case ERR_NOT_PERMITTED:
	case -EPERM:
	case -EACCES:
		return 4;
	default:
		return 1;
	}
}
