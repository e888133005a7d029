/*
 * smegctl version: of this program and of the daemon that it talks to.
 */
#include "api/version.h"
#include "smegctl/cmd.h"
#include "smegctl/json.h"

#include <string.h>

static int run(struct call *c)
{
	struct request r = { .kind = REQUEST_VERSION };
	struct reply reply;
	int err;

	/* Ours is known whether or not there is a daemon. */
	if (!c->is_json)
		fprintf(c->out, "smegctl %s\n", SMEG_VERSION);
	err = c->ask(c, &r, &reply);
	if (err)
		return err;
	if (c->is_json)
		return json_print(c, json_pack("{s:s, s:s, s:i}", "smegctl", SMEG_VERSION, "smegd",
		                               reply.daemon_version, "protocol", CONTROL_VERSION));
	fprintf(c->out, "smegd %s\n", reply.daemon_version);
	if (strcmp(reply.daemon_version, SMEG_VERSION) != 0)
		fprintf(c->talk,
		        "The two differ; after an upgrade: sudo systemctl restart smegd\n");
	return 0;
}

const struct command cmd_version = {
	.name = "version",
	.words = "",
	.summary = "show the versions of smegctl and smegd",
	.run = run,
};
