/*
 * smegctl join: redeem an invite.
 *
 * The token is a secret, and arguments are seen by everyone on the host (ps), so it may as well
 * come from a file or from standard input.  There the whole line that invite printed will do, since
 * that is what people copy.  Errors never repeat it.
 */
#include "smegctl/cmd.h"
#include "smegctl/json.h"
#include "smegctl/print.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define BLANKS " \t\r\n"

static int fail_token(struct call *c, const char *from)
{
	diag_set(&c->diag, ERR_TOKEN, "%s holds no invite: one begins with smeg1_", from);
	diag_hint(&c->diag, "on a host that is in the mesh: smegctl invite");
	return ERR_TOKEN;
}

/* The last word that looks like a token, in place; any version, so that smegd can say which. */
static char *find_token(char *text)
{
	char *found = NULL;
	char *next = NULL;

	for (char *word = strtok_r(text, BLANKS, &next); word;
	     word = strtok_r(NULL, BLANKS, &next)) {
		if (strncmp(word, "smeg", 4) == 0 && strchr(word, '_'))
			found = word;
	}
	return found;
}

static int read_token(struct call *c, FILE *from, const char *name, const char **ret)
{
	/* Room for the words before the token. */
	size_t cap = LIMIT_TOKEN_TEXT + 256;
	char *text = arena_alloc(&c->arena, cap + 1);
	size_t bytes;

	if (!text)
		return diag_set(&c->diag, -ENOMEM, "%s", err_text(-ENOMEM));
	bytes = fread(text, 1, cap + 1, from);
	if (ferror(from))
		return diag_set(&c->diag, -EIO, "cannot read %s", name);
	if (bytes > cap)
		return diag_set(&c->diag, ERR_TOKEN, "%s is too long to be an invite", name);
	text[bytes] = 0;
	*ret = find_token(text);
	return *ret ? 0 : fail_token(c, name);
}

static int read_file(struct call *c, const char *path, const char **ret)
{
	FILE *f = fopen(path, "re");
	int err;

	if (!f) {
		err = -errno;
		return diag_set(&c->diag, err, "cannot open %s: %s", path, err_text(err));
	}
	err = read_token(c, f, path, ret);
	fclose(f);
	return err;
}

static int find_source(struct call *c, const char **ret)
{
	const char *word = mesh_word(c);
	const char *path = c->args.values[OPT_TOKEN_FILE];

	if (word[0] && path)
		return fail_usage(c, "an invite and --token-file exclude each other");
	if (path)
		return read_file(c, path, ret);
	if (strcmp(word, "-") == 0 || (!word[0] && !c->in_is_tty))
		return read_token(c, c->in, "standard input", ret);
	if (!word[0])
		return fail_usage(c,
		                  "join needs the invite: as its argument, in --token-file or on "
		                  "standard input");
	/* What is wrong with it is for smegd to say. */
	*ret = word;
	return strchr(word, '_') ? 0 : fail_token(c, "the argument");
}

static void print_result(struct call *c, const struct reply *r)
{
	const struct mesh_info *m = &r->meshes[0];

	fprintf(c->out, "This host is in %s.\n\n", m->name);
	print_fact(c, "mesh", m->id);
	print_fact(c, "address", m->address);
	print_fact(c, "device", m->device[0] ? m->device : "none");
	print_fact(c, "members", text_make(c, "%" PRIu32, m->members_count));
	fflush(c->out);
	fprintf(c->talk, "\nSee who is there: smegctl list %s\n", m->name);
}

static int run(struct call *c)
{
	const char *name = c->args.values[OPT_NAME];
	struct request r = { .kind = REQUEST_JOIN, .mesh = name ? name : "" };
	struct reply reply;
	int err = fill_settings(c, &r);

	if (!err)
		err = fill_role(c, &r);
	if (!err)
		err = find_source(c, &r.token);
	if (!err)
		err = c->ask(c, &r, &reply);
	if (err)
		return err;
	if (c->is_json)
		return json_print(c, json_result(&reply));
	if (reply.meshes_count == 0)
		return diag_set(&c->diag, ERR_MALFORMED, "smegd does not say which mesh it joined");
	print_result(c, &reply);
	return 0;
}

static const struct option options[] = {
	{ OPT_TOKEN_FILE, 'f', "token-file", "FILE", 0, "read the invite from a file" },
	{ OPT_NAME, 'n', "name", "NAME", LIMIT_NAME_BYTES, "what this host calls the mesh" },
	{ OPT_ALIAS, 'a', "alias", "NAME", LIMIT_NAME_BYTES,
	  "what this host is called in the mesh" },
	{ OPT_DESCRIPTION, 'd', "description", "TEXT", LIMIT_DESCRIPTION_BYTES, "a line about it" },
	{ OPT_ENDPOINT, 'e', "endpoint", "HOST[:PORT]", 0,
	  "where others reach this host; may be repeated" },
	{ OPT_ROLE, 'r', "role", "peer|client", 0, "the role to ask for; else the invite's" },
};

static const char *const aliases[] = { "join-mesh", NULL };

const struct command cmd_join = {
	.name = "join",
	.aliases = aliases,
	.words = "[TOKEN|-]",
	.words_max = 1,
	.word_max = LIMIT_TOKEN_TEXT,
	.summary = "join a mesh with an invite",
	.help = "TOKEN is what `smegctl create` or `smegctl invite` printed on another host.\n"
		"With - or, away from a terminal, without an argument it is read from\n"
		"standard input, so that it does not show in the list of processes; the whole\n"
		"line that was printed will do.\n"
		"\n"
		"  smegctl join smeg1_...\n"
		"  ssh first smegctl invite home | smegctl join --alias second\n",
	.options = options,
	.options_count = ARRAY_LEN(options),
	.timeout_ms = MS_PER_MINUTE,
	.run = run,
};
