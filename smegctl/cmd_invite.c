/*
 * smegctl invite: the line with which another host joins.
 */
#include "smegctl/cmd.h"
#include "smegctl/json.h"
#include "smegctl/print.h"

#include <inttypes.h>
#include <string.h>

static int fill(struct call *c, struct request *r)
{
	const struct args *a = &c->args;
	int err = fill_role(c, r);

	r->uses = a->given[OPT_UNCOUNTED] ? 0 : 1;
	r->expires_in_ms = INVITE_LIFE_MS;
	r->may_bridge = a->given[OPT_MAY_BRIDGE];
	r->for_key = a->values[OPT_FOR];
	if (!err && a->given[OPT_USES] && a->given[OPT_UNCOUNTED])
		return fail_usage(c, "--uses and --uncounted exclude each other");
	if (!err && a->given[OPT_USES])
		err = number_parse(c, "--uses", a->values[OPT_USES], LIMIT_MEMBERS, &r->uses);
	if (!err && a->given[OPT_EXPIRES])
		err = duration_parse(c, "--expires", a->values[OPT_EXPIRES], &r->expires_in_ms);
	return err;
}

static int run(struct call *c)
{
	struct request r = { .kind = REQUEST_INVITE, .mesh = mesh_word(c) };
	struct reply reply;
	int err = fill(c, &r);

	if (!err)
		err = c->ask(c, &r, &reply);
	if (err)
		return err;
	if (c->is_json)
		return json_print(c, json_result(&reply));
	if (!reply.token[0])
		return diag_set(&c->diag, ERR_MALFORMED, "smegd has sent no invite");
	print_join_line(c, &reply);
	return 0;
}

static const struct option options[] = {
	{ OPT_ROLE, 'r', "role", "peer|client", 0, "what the invite allows; else peer" },
	{ OPT_USES, 'u', "uses", "NUMBER", 0, "how many hosts may join with it; else 1" },
	{ OPT_UNCOUNTED, 0, "uncounted", NULL, 0,
	  "any number, and any administrator may admit them" },
	{ OPT_EXPIRES, 'x', "expires", "DURATION", 0, "90s, 15m, 24h, 7d; else 24h" },
	{ OPT_FOR, 0, "for", "KEY", 64, "only for the host whose `smegctl key` is KEY" },
	{ OPT_MAY_BRIDGE, 'b', "may-bridge", NULL, 0, "let it connect this mesh with others" },
};

const struct command cmd_invite = {
	.name = "invite",
	.words = "[MESH]",
	.words_max = 1,
	.word_max = LIMIT_NAME_BYTES,
	.summary = "print the line with which another host joins",
	.help = "MESH may be left out where there is one only. This host must be an\n"
		"administrator of it. Only the line itself goes to standard output.\n"
		"\n"
		"  smegctl invite home --uses 5 --expires 7d\n"
		"  smegctl invite home --role client --for \"$(ssh laptop smegctl key)\"\n",
	.options = options,
	.options_count = ARRAY_LEN(options),
	.run = run,
};
