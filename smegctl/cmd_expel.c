/*
 * smegctl expel: put a member out of a mesh for good.
 *
 * There is no question "are you sure": scripts would answer it blindly, and the member must be
 * named.  What an expel does not do is said where it matters: an administrator keeps its office.
 */
#include "smegctl/cmd.h"
#include "smegctl/json.h"
#include "smegctl/print.h"

static void print_result(struct call *c, const struct request *r, const struct reply *reply)
{
	const char *mesh = reply->meshes_count ? reply->meshes[0].name : r->mesh;

	fprintf(c->talk, "%s is expelled from %s and cannot come back with its key.\n",
	        reply->member_name, mesh);
	fprintf(c->talk, r->keep_invites ? "Invites that it issued can still be used.\n"
	                                 : "Invites that it issued are void.\n");
	if (!reply->member_is_administrator)
		return;
	fprintf(c->talk,
	        "It is still an administrator: whoever has its key can admit and expel.\n"
	        "  hint: on the host that made the mesh: smegctl revoke %s --stolen\n",
	        reply->member_key);
}

static int run(struct call *c)
{
	struct request r = {
		.kind = REQUEST_EXPEL,
		.mesh = c->args.values[OPT_MESH],
		.member = c->args.words[0],
		.keep_invites = c->args.given[OPT_KEEP_INVITES],
	};
	struct reply reply;
	int err = c->ask(c, &r, &reply);

	if (err)
		return err;
	if (c->is_json)
		return json_print(c, json_office("expelled", &reply));
	print_result(c, &r, &reply);
	return 0;
}

static const struct option options[] = {
	{ OPT_KEEP_INVITES, 0, "keep-invites", NULL, 0,
	  "invites that it issued can still be used; else they are void" },
	{ OPT_MESH, 'm', "mesh", "MESH", LIMIT_NAME_BYTES, "which mesh, where there are several" },
};

const struct command cmd_expel = {
	.name = "expel",
	.words = "MEMBER",
	.words_min = 1,
	.words_max = 1,
	.word_max = LIMIT_NAME_BYTES,
	.summary = "put a member out of a mesh for good",
	.help = "MEMBER is its alias, key or overlay address. This host must be an\n"
		"administrator of the mesh. All others close their connections to the member\n"
		"and drop it from their devices as soon as they hear of it; it cannot come back\n"
		"with its key. An expel never ends and cannot be taken back.\n"
		"\n"
		"  smegctl expel printer\n",
	.options = options,
	.options_count = ARRAY_LEN(options),
	.run = run,
};
