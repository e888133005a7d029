/*
 * smegctl leave: leave a mesh and take its device down.
 *
 * The mesh must be named, also where there is only one: nothing else asks whether you are sure.
 */
#include "smegctl/cmd.h"
#include "smegctl/json.h"

static int run(struct call *c)
{
	struct request r = { .kind = REQUEST_LEAVE, .mesh = mesh_word(c) };
	struct reply reply;
	int err = c->ask(c, &r, &reply);

	if (err)
		return err;
	if (c->is_json)
		return json_print(c, json_pack("{s:s}", "left", r.mesh));
	fprintf(c->talk, "This host has left %s.\n", r.mesh);
	return 0;
}

static const char *const aliases[] = { "leave-mesh", NULL };

const struct command cmd_leave = {
	.name = "leave",
	.aliases = aliases,
	.words = "MESH",
	.words_min = 1,
	.words_max = 1,
	.word_max = LIMIT_NAME_BYTES,
	.summary = "leave a mesh and take its device down",
	.help = "MESH is its name or id. The others hear of it at once. The key is kept:\n"
		"joining again with a new invite gives the same address.\n",
	.run = run,
};
