/*
 * Help, made from the command table.
 */
#include "smegctl/cmd.h"

#include <string.h>

/* "  -s, --socket PATH" */
static int option_head(char *out, size_t cap, const struct option *o)
{
	char letter[8] = "    ";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	return snprintf(out, cap, "  %s--%s%s%s", letter, o->name, o->arg ? " " : "",
	                o->arg ? o->arg : "");
}

static void print_options(FILE *out, const struct option *table, size_t count)
{
	char head[64];
	int width = 0;

	for (size_t i = 0; i < count; i++) {
		int chars = option_head(head, sizeof(head), &table[i]);

		width = MAX_OF(width, chars);
	}
	for (size_t i = 0; i < count; i++) {
		option_head(head, sizeof(head), &table[i]);
		fprintf(out, "%-*s  %s\n", width, head, table[i].help);
	}
}

static void print_command(FILE *out, const struct command *command)
{
	fprintf(out, "Usage: smegctl %s%s%s [OPTION]...\n\n%s\n", command->name,
	        command->words[0] ? " " : "", command->words, command->summary);
	if (command->help)
		fprintf(out, "\n%s", command->help);
	if (command->options_count > 0) {
		fputs("\nOptions:\n", out);
		print_options(out, command->options, command->options_count);
	}
	fputs("\nOptions of every command:\n", out);
	print_options(out, global_options, global_options_count);
	if (!command->aliases)
		return;
	fputs("\nAlso known as:", out);
	for (const char *const *alias = command->aliases; *alias; alias++)
		fprintf(out, " %s", *alias);
	fputc('\n', out);
}

static void print_overview(FILE *out)
{
	fputs("Usage: smegctl COMMAND [OPTION]...\n\n"
	      "Talks to smegd, which keeps this host's WireGuard meshes.\n\n"
	      "Start a mesh with `smegctl create NAME`; it prints the line to run on the next "
	      "host.\n\n"
	      "Commands:\n",
	      out);
	for (const struct command *const *c = commands; *c; c++) {
		char head[40];

		snprintf(head, sizeof(head), "%s%s%s", (*c)->name, (*c)->words[0] ? " " : "",
		         (*c)->words);
		fprintf(out, "  %-22s  %s\n", head, (*c)->summary);
	}
	fputs("\nOptions of every command:\n", out);
	print_options(out, global_options, global_options_count);
	fputs("\nExit status: 0 done, 1 failed, 2 bad usage, 3 smegd cannot be reached, 4 not "
	      "permitted,\n"
	      "5 no such mesh or member, 6 timed out.\n\n"
	      "More about a command: smegctl COMMAND --help\n",
	      out);
}

void help_print(FILE *out, const struct command *command)
{
	if (command)
		print_command(out, command);
	else
		print_overview(out);
}
