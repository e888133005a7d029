/*
 * smegctl set: change what the mesh knows about this host.
 *
 * What is not given stays as it is; what is given as "" is taken away.
 */
#include "smegctl/cmd.h"
#include "smegctl/json.h"

static int run(struct call *c)
{
	struct request r = { .kind = REQUEST_SET, .mesh = mesh_word(c) };
	struct reply reply;
	int err = fill_settings(c, &r);

	if (!err && !r.has_alias && !r.has_description && !r.has_endpoints)
		return fail_usage(c, "set what? give --alias, --description, --endpoint or "
		                     "--no-endpoint");
	if (!err)
		err = c->ask(c, &r, &reply);
	if (err)
		return err;
	if (c->is_json)
		return json_print(c, json_result(&reply));
	fprintf(c->talk, "Changed.\n");
	return 0;
}

static const struct option options[] = {
	{ OPT_ALIAS, 'a', "alias", "NAME", LIMIT_NAME_BYTES,
	  "what this host is called in the mesh; \"\" takes it away" },
	{ OPT_DESCRIPTION, 'd', "description", "TEXT", LIMIT_DESCRIPTION_BYTES,
	  "a line about it; \"\" takes it away" },
	{ OPT_ENDPOINT, 'e', "endpoint", "HOST[:PORT]", 0,
	  "where others reach this host, instead of before; may be repeated" },
	{ OPT_NO_ENDPOINT, 0, "no-endpoint", NULL, 0, "back to the addresses of its interfaces" },
};

static const char *const aliases[] = { "put-alias", "put-description", NULL };

const struct command cmd_set = {
	.name = "set",
	.aliases = aliases,
	.words = "[MESH]",
	.words_max = 1,
	.word_max = LIMIT_NAME_BYTES,
	.summary = "change what a mesh knows about this host",
	.help = "MESH may be left out where there is one only. What is not given stays as it\n"
		"is.\n"
		"\n"
		"  smegctl set home --alias printer --description 'second floor'\n",
	.options = options,
	.options_count = ARRAY_LEN(options),
	.run = run,
};
