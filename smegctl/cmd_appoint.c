/*
 * smegctl appoint: make a member an administrator.
 */
#include "smegctl/cmd.h"
#include "smegctl/json.h"

static int run(struct call *c)
{
	struct request r = {
		.kind = REQUEST_APPOINT,
		.mesh = c->args.values[OPT_MESH],
		.member = c->args.words[0],
	};
	struct reply reply;
	int err = c->ask(c, &r, &reply);

	if (err)
		return err;
	if (c->is_json)
		return json_print(c, json_office("appointed", &reply));
	fprintf(c->talk, "%s %s an administrator: it can invite and expel.\n", reply.member_name,
	        reply.is_unchanged ? "is already" : "is now");
	return 0;
}

static const struct option options[] = {
	{ OPT_MESH, 'm', "mesh", "MESH", LIMIT_NAME_BYTES, "which mesh, where there are several" },
};

const struct command cmd_appoint = {
	.name = "appoint",
	.words = "MEMBER",
	.words_min = 1,
	.words_max = 1,
	.word_max = LIMIT_NAME_BYTES,
	.summary = "make a member an administrator",
	.help = "MEMBER is its alias, key or overlay address. Only the host that made the mesh\n"
		"can do this: it has the mesh's key. An administrator can invite and expel.\n"
		"\n"
		"  smegctl appoint gate --mesh home\n",
	.options = options,
	.options_count = ARRAY_LEN(options),
	.run = run,
};
