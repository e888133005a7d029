/*
 * From argv to struct args, by the tables.
 *
 * Options may stand anywhere, also before the command, until "--".  A name must be complete:
 * getopt_long() takes any unique beginning, so that a new option breaks scripts that worked; it
 * also prints errors itself, in its own words, with no suggestion, and cannot leave out what must
 * not be shown.  Hence this parser.
 *
 * Errors repeat what was typed, which may be a token in the wrong place: shown() takes its secret
 * part away.
 */
#include "smegctl/cmd.h"

#include "base/text.h"

#include <stdarg.h>
#include <string.h>

/* Further than this, a guess is no help. */
#define GUESS_DISTANCE_MAX 2

const char *shown(const char *text, char out[SHOWN_BYTES])
{
	const char *token = strstr(text, "smeg1_");
	size_t bytes = token ? (size_t)(token - text) + strlen("smeg1_") : strlen(text);
	char kept[SHOWN_BYTES - 4];

	text_printable(text, bytes, kept, sizeof(kept));
	snprintf(out, SHOWN_BYTES, "%s%s", kept, token || bytes >= sizeof(kept) ? "..." : "");
	return out;
}

int fail_usage(struct call *c, const char *format, ...)
{
	char text[sizeof(c->diag.text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	diag_set(&c->diag, ERR_USAGE, "%s", text);
	if (c->args.command)
		diag_hint(&c->diag, "smegctl %s --help", c->args.command->name);
	else
		diag_hint(&c->diag, "smegctl --help");
	return ERR_USAGE;
}

/* --- guesses --- */

struct guess {
	const char *name;
	unsigned distance;
};

static void guess_try(struct guess *g, const char *name, const char *typed)
{
	unsigned distance = text_distance(name, typed);

	if (distance <= GUESS_DISTANCE_MAX && (!g->name || distance < g->distance))
		*g = (struct guess){ .name = name, .distance = distance };
}

static int fail_command(struct call *c, const char *typed)
{
	char text[SHOWN_BYTES];
	struct guess g = { 0 };

	for (const struct command *const *row = commands; *row; row++) {
		guess_try(&g, (*row)->name, typed);
		for (const char *const *a = (*row)->aliases; a && *a; a++)
			guess_try(&g, *a, typed);
	}
	fail_usage(c, "there is no command '%s'", shown(typed, text));
	if (g.name)
		diag_hint(&c->diag, "did you mean: smegctl %s", g.name);
	return ERR_USAGE;
}

static void guess_options(struct guess *g,
                          const struct option *table,
                          size_t count,
                          const char *typed)
{
	for (size_t i = 0; i < count; i++)
		guess_try(g, table[i].name, typed);
}

static int fail_option(struct call *c, const char *arg, const char *name, size_t bytes)
{
	const struct command *command = c->args.command;
	char typed[SHOWN_BYTES];
	char text[SHOWN_BYTES];
	struct guess g = { 0 };

	text_printable(name, bytes, typed, sizeof(typed));
	guess_options(&g, global_options, global_options_count, typed);
	if (command)
		guess_options(&g, command->options, command->options_count, typed);
	/* The value of --name=value may be anything. */
	snprintf(typed, sizeof(typed), "%.*s", (int)(name - arg + (ptrdiff_t)bytes), arg);
	fail_usage(c, "%s%s has no option %s", command ? "" : "smegctl",
	           command ? command->name : "", shown(typed, text));
	if (g.name)
		diag_hint(&c->diag, "did you mean: --%s", g.name);
	return ERR_USAGE;
}

/* --- options --- */

/* By name (of `bytes` bytes), or by letter if `name` is NULL. */
static const struct option *option_in(
	const struct option *table, size_t count, const char *name, size_t bytes, char letter)
{
	for (size_t i = 0; i < count; i++) {
		if (!name && table[i].letter == letter)
			return &table[i];
		if (name && strlen(table[i].name) == bytes &&
		    memcmp(table[i].name, name, bytes) == 0)
			return &table[i];
	}
	return NULL;
}

/* The command's own come first, so that a letter may mean something else there. */
static const struct option *option_find(const struct call *c,
                                        const char *name,
                                        size_t bytes,
                                        char letter)
{
	const struct command *command = c->args.command;
	const struct option *o = NULL;

	if (command)
		o = option_in(command->options, command->options_count, name, bytes, letter);
	return o ? o : option_in(global_options, global_options_count, name, bytes, letter);
}

static int option_set(struct call *c, const struct option *o, const char *value)
{
	struct args *a = &c->args;

	if (value && o->max > 0 && strlen(value) > o->max)
		return fail_usage(c, "the value of --%s is longer than %zu bytes", o->name, o->max);
	if (o->id == OPT_ENDPOINT) {
		if (a->endpoints_count == ARRAY_LEN(a->endpoints))
			return fail_usage(c, "--%s may be given %zu times", o->name,
			                  ARRAY_LEN(a->endpoints));
		a->endpoints[a->endpoints_count++] = value;
	} else if (a->given[o->id] && o->arg) {
		return fail_usage(c, "--%s is given twice", o->name);
	}
	a->given[o->id] = true;
	a->values[o->id] = value;
	return 0;
}

/* Where we are in argv. */
struct cursor {
	int argc;
	char **argv;
	int at;
};

/* The value that follows, or is the rest of the same argument. */
static int option_value(struct call *c,
                        const struct option *o,
                        const char *rest,
                        struct cursor *cur)
{
	if (rest)
		return option_set(c, o, rest);
	if (cur->at + 1 >= cur->argc)
		return fail_usage(c, "--%s needs a value: --%s %s", o->name, o->name, o->arg);
	return option_set(c, o, cur->argv[++cur->at]);
}

static int parse_long(struct call *c, struct cursor *cur)
{
	const char *arg = cur->argv[cur->at];
	const char *name = arg + 2;
	size_t bytes = strcspn(name, "=");
	const char *rest = name[bytes] ? name + bytes + 1 : NULL;
	const struct option *o = option_find(c, name, bytes, 0);

	if (!o)
		return fail_option(c, arg, name, bytes);
	if (o->arg)
		return option_value(c, o, rest, cur);
	if (rest)
		return fail_usage(c, "--%s takes no value", o->name);
	return option_set(c, o, NULL);
}

/* -j, -hj, -t 5s, -t5s */
static int parse_letters(struct call *c, struct cursor *cur)
{
	const char *arg = cur->argv[cur->at];

	for (const char *letter = arg + 1; *letter; letter++) {
		const struct option *o = option_find(c, NULL, 0, *letter);
		int err;

		if (!o) {
			char name[] = { '-', *letter, 0 };

			return fail_option(c, name, name + 1, 1);
		}
		if (o->arg)
			return option_value(c, o, letter[1] ? letter + 1 : NULL, cur);
		err = option_set(c, o, NULL);
		if (err)
			return err;
	}
	return 0;
}

/* --- words --- */

static int parse_word(struct call *c, const char *word)
{
	struct args *a = &c->args;
	char text[SHOWN_BYTES];

	if (!a->command) {
		a->command = command_find(word);
		return a->command ? 0 : fail_command(c, word);
	}
	if (a->words_count == a->command->words_max)
		return fail_usage(c, "%s does not take '%s'", a->command->name, shown(word, text));
	if (a->command->word_max > 0 && strlen(word) > a->command->word_max)
		return fail_usage(c, "'%s' is longer than %zu bytes", shown(word, text),
		                  a->command->word_max);
	a->words[a->words_count++] = word;
	return 0;
}

static int parse_one(struct call *c, struct cursor *cur, bool *options_ended)
{
	const char *arg = cur->argv[cur->at];

	if (*options_ended || arg[0] != '-' || arg[1] == 0)
		return parse_word(c, arg);
	if (strcmp(arg, "--") == 0) {
		*options_ended = true;
		return 0;
	}
	return arg[1] == '-' ? parse_long(c, cur) : parse_letters(c, cur);
}

int args_parse(struct call *c, int argc, char **argv)
{
	struct cursor cur = { .argc = argc, .argv = argv, .at = 1 };
	bool options_ended = false;
	int err = 0;

	c->args = (struct args){ 0 };
	for (; cur.at < argc && !err; cur.at++)
		err = parse_one(c, &cur, &options_ended);
	if (err)
		return err;
	if (c->args.given[OPT_HELP] || (c->args.given[OPT_VERSION] && !c->args.command))
		return 0;
	if (!c->args.command)
		return fail_usage(c, "which command?");
	if (c->args.words_count < c->args.command->words_min)
		return fail_usage(c, "%s needs %s", c->args.command->name, c->args.command->words);
	return 0;
}
