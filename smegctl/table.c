/*
 * The command table and the options that every command has.
 *
 * The order is that of help: what one does first comes first.
 */
#include "smegctl/cmd.h"

#include <string.h>

const struct option global_options[] = {
	{ OPT_JSON, 'j', "json", NULL, 0, "print results and errors as JSON" },
	{ OPT_SOCKET, 's', "socket", "PATH", 0, "the control socket of smegd; else $SMEGD_SOCKET" },
	{ OPT_TIMEOUT, 't', "timeout", "DURATION", 0, "how long to wait for smegd" },
	{ OPT_HELP, 'h', "help", NULL, 0, "show this help" },
	{ OPT_VERSION, 'V', "version", NULL, 0, "show the version of smegctl" },
};
const size_t global_options_count = ARRAY_LEN(global_options);

const struct command *const commands[] = {
	&cmd_create,  &cmd_join,       &cmd_invite, &cmd_list,    &cmd_status, &cmd_visualise,
	&cmd_set,     &cmd_leave,      &cmd_expel,  &cmd_appoint, &cmd_revoke, &cmd_key,
	&cmd_version, &cmd_completion, &cmd_help,   NULL,
};

static bool is_called(const struct command *command, const char *name)
{
	if (strcmp(command->name, name) == 0)
		return true;
	for (const char *const *alias = command->aliases; alias && *alias; alias++) {
		if (strcmp(*alias, name) == 0)
			return true;
	}
	return false;
}

const struct command *command_find(const char *name)
{
	for (const struct command *const *c = commands; *c; c++) {
		if (is_called(*c, name))
			return *c;
	}
	return NULL;
}
