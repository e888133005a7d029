/*
 * smegctl revoke: take an administrator's office.
 *
 * What becomes of those whom it admitted is the question that people have here, so the answer is
 * printed, with numbers.
 */
#include "smegctl/cmd.h"
#include "smegctl/json.h"

#include <inttypes.h>

static const char *plural(uint32_t count)
{
	return count == 1 ? "" : "s";
}

static void print_result(struct call *c, const struct request *r, const struct reply *reply)
{
	if (reply->is_unchanged) {
		fprintf(c->talk, "%s had been revoked already.\n", reply->member_name);
		return;
	}
	fprintf(c->talk, "%s is no longer an administrator. Invites that it issued are void.\n",
	        reply->member_name);
	fprintf(c->talk, "%" PRIu32 " member%s that it admitted stay%s.\n", reply->stay_count,
	        plural(reply->stay_count), reply->stay_count == 1 ? "s" : "");
	if (reply->readmitted_count)
		fprintf(c->talk,
		        "%" PRIu32 " were too many to be listed: this host has admitted them.\n",
		        reply->readmitted_count);
	if (!r->is_stolen) {
		fprintf(c->talk, "Whom it has expelled stays out.\n");
		return;
	}
	fprintf(c->talk,
	        "Its expels are void: %" PRIu32 " member%s may join again by a new invite.\n"
	        "It is still a member; if its key was stolen:\n"
	        "  hint: on an administrator: smegctl expel %s\n",
	        reply->returned_count, plural(reply->returned_count), reply->member_key);
}

static int run(struct call *c)
{
	struct request r = {
		.kind = REQUEST_REVOKE,
		.mesh = c->args.values[OPT_MESH],
		.member = c->args.words[0],
		.is_stolen = c->args.given[OPT_STOLEN],
	};
	struct reply reply;
	int err = c->ask(c, &r, &reply);

	if (err)
		return err;
	if (c->is_json)
		return json_print(c, json_office("revoked", &reply));
	print_result(c, &r, &reply);
	return 0;
}

static const struct option options[] = {
	{ OPT_STOLEN, 0, "stolen", NULL, 0,
	  "its key was stolen: those whom it has expelled are no longer so" },
	{ OPT_MESH, 'm', "mesh", "MESH", LIMIT_NAME_BYTES, "which mesh, where there are several" },
};

const struct command cmd_revoke = {
	.name = "revoke",
	.words = "MEMBER",
	.words_min = 1,
	.words_max = 1,
	.word_max = LIMIT_NAME_BYTES,
	.summary = "take an administrator's office",
	.help = "MEMBER is its alias, key or overlay address. Only the host that made the mesh\n"
		"can do this: it has the mesh's key. The revoked one stays a member, and so does\n"
		"everyone whom it has admitted: the revocation lists those who have no other\n"
		"admission, some 230 at most; where there are more, this host admits them anew,\n"
		"if it is another administrator. Its invites are void. Its expels stay in\n"
		"force, unless its key was stolen: a thief can date an expel back, so then all\n"
		"are void. Expel again beforehand, on another administrator, who shall stay\n"
		"out.\n"
		"\n"
		"  smegctl revoke gate --stolen\n",
	.options = options,
	.options_count = ARRAY_LEN(options),
	.run = run,
};
