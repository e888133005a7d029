/*
 * smegctl key: the key that the next join will use, for `smegctl invite --for`.
 */
#include "smegctl/cmd.h"
#include "smegctl/json.h"

static int run(struct call *c)
{
	struct request r = { .kind = REQUEST_KEY };
	struct reply reply;
	int err = c->ask(c, &r, &reply);

	if (err)
		return err;
	if (c->is_json)
		return json_print(c, json_pack("{s:s}", "key", reply.key));
	fprintf(c->out, "%s\n", reply.key);
	return 0;
}

const struct command cmd_key = {
	.name = "key",
	.words = "",
	.summary = "show the key that this host will join with",
	.help = "Give it to an administrator for `smegctl invite --for KEY`: nobody else can\n"
		"use such an invite, so it may travel in the open. The key is public; it is\n"
		"made on first use.\n",
	.run = run,
};
