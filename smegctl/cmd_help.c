/*
 * smegctl help: the same as --help.
 */
#include "smegctl/cmd.h"

static int run(struct call *c)
{
	const struct command *command = NULL;
	char seen[SHOWN_BYTES];

	if (c->args.words_count > 0) {
		command = command_find(c->args.words[0]);
		if (!command)
			return fail_usage(c, "there is no command '%s'",
			                  shown(c->args.words[0], seen));
	}
	help_print(c->out, command);
	return 0;
}

const struct command cmd_help = {
	.name = "help",
	.words = "[COMMAND]",
	.words_max = 1,
	.summary = "show help, also about a command",
	.run = run,
};
