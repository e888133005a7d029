/*
 * smegctl completion: a script for bash, made from the command table.
 *
 * Names of meshes are asked from smegd when they are completed, and with a short timeout: a shell
 * must not hang because a daemon does.  Aliases are others' words and compgen expands what it is
 * given, so nothing but a DNS label gets there.
 */
#include "smegctl/cmd.h"

#include <string.h>

static void print_names(FILE *out, const struct option *table, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fprintf(out, " --%s", table[i].name);
}

static void print_case(FILE *out, const struct command *command)
{
	bool takes_mesh = strstr(command->words, "MESH") != NULL;

	fprintf(out, "\t%s", command->name);
	for (const char *const *alias = command->aliases; alias && *alias; alias++)
		fprintf(out, "|%s", *alias);
	fputs(") words=\"", out);
	if (command == &cmd_completion)
		fputs("bash", out);
	if (takes_mesh)
		fputs("$(_smegctl_meshes)", out);
	if (strcmp(command->words, "MEMBER") == 0)
		fputs("$(_smegctl_aliases)", out);
	print_names(out, command->options, command->options_count);
	print_names(out, global_options, global_options_count);
	fputs("\" ;;\n", out);
}

static void print_bash(FILE *out)
{
	fputs("# bash completion for smegctl; made by: smegctl completion bash\n"
	      "_smegctl_meshes() {\n"
	      "\tsmegctl status --json --timeout 1s 2>/dev/null |\n"
	      "\t\tsed -n 's/^      \"name\": \"\\(.*\\)\",$/\\1/p'\n"
	      "}\n"
	      "_smegctl_aliases() {\n"
	      "\tsmegctl list --json --timeout 1s 2>/dev/null |\n"
	      "\t\tsed -n 's/^      \"alias\": \"\\([a-z0-9-]*\\)\",$/\\1/p'\n"
	      "}\n"
	      "_smegctl() {\n"
	      "\tlocal word command='' words=''\n"
	      "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	      "\t\tcase $word in -*) ;; *) command=$word; break ;; esac\n"
	      "\tdone\n"
	      "\tcase ${COMP_WORDS[COMP_CWORD-1]} in\n"
	      "\t--role|-r) words='peer client' ;;\n"
	      "\t--mesh|-m) words=$(_smegctl_meshes) ;;\n"
	      "\t--format|-f) words='svg json' ;;\n"
	      "\t*) case $command in\n"
	      "\t'') words=\"",
	      out);
	for (const struct command *const *c = commands; *c; c++)
		fprintf(out, "%s%s", c == commands ? "" : " ", (*c)->name);
	print_names(out, global_options, global_options_count);
	fputs("\" ;;\n", out);
	for (const struct command *const *c = commands; *c; c++)
		print_case(out, *c);
	fputs("\tesac ;;\n"
	      "\tesac\n"
	      "\tCOMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
	      "}\n"
	      "complete -o default -F _smegctl smegctl\n",
	      out);
}

static int run(struct call *c)
{
	char seen[SHOWN_BYTES];

	if (strcmp(c->args.words[0], "bash") != 0)
		return fail_usage(c, "there is completion for bash, not for '%s'",
		                  shown(c->args.words[0], seen));
	print_bash(c->out);
	return 0;
}

const struct command cmd_completion = {
	.name = "completion",
	.words = "bash",
	.words_min = 1,
	.words_max = 1,
	.summary = "print a script that completes commands in the shell",
	.help = "  source <(smegctl completion bash)\n",
	.run = run,
};
