/*
 * smegctl create: start a mesh, and say how the next host joins it.
 */
#include "smegctl/cmd.h"
#include "smegctl/json.h"
#include "smegctl/print.h"

static int run(struct call *c)
{
	struct request r = { .kind = REQUEST_CREATE, .mesh = mesh_word(c) };
	const struct mesh_info *m;
	struct reply reply;
	int err = fill_settings(c, &r);

	if (!err)
		err = c->ask(c, &r, &reply);
	if (err)
		return err;
	if (c->is_json)
		return json_print(c, json_result(&reply));
	if (reply.meshes_count == 0)
		return diag_set(&c->diag, ERR_MALFORMED, "smegd does not say which mesh it made");
	m = &reply.meshes[0];
	fprintf(c->out, "%s is up on this host.\n\n", m->name);
	print_fact(c, "mesh", m->id);
	print_fact(c, "address", m->address);
	print_fact(c, "device", m->device[0] ? m->device : "none");
	if (reply.token[0])
		print_join_line(c, &reply);
	return 0;
}

static const struct option options[] = {
	{ OPT_ALIAS, 'a', "alias", "NAME", LIMIT_NAME_BYTES,
	  "what this host is called in the mesh" },
	{ OPT_DESCRIPTION, 'd', "description", "TEXT", LIMIT_DESCRIPTION_BYTES, "a line about it" },
	{ OPT_ENDPOINT, 'e', "endpoint", "HOST[:PORT]", 0,
	  "where others reach this host; may be repeated" },
};

static const char *const aliases[] = { "new-mesh", NULL };

const struct command cmd_create = {
	.name = "create",
	.aliases = aliases,
	.words = "NAME",
	.words_min = 1,
	.words_max = 1,
	.word_max = LIMIT_NAME_BYTES,
	.summary = "start a mesh on this host",
	.help = "Makes the mesh's keys, brings up its WireGuard device and prints the line\n"
		"with which the next host joins: one use, valid for 24 hours. More such\n"
		"lines: smegctl invite.\n"
		"\n"
		"NAME is what this host calls the mesh, and what it proposes to those who\n"
		"join: letters a to z, digits and hyphens. Without --endpoint the addresses\n"
		"of the host's interfaces are published.\n"
		"\n"
		"  smegctl create home --endpoint vpn.example.org\n",
	.options = options,
	.options_count = ARRAY_LEN(options),
	.timeout_ms = MS_PER_MINUTE,
	.run = run,
};
