/*
 * A request of the control socket as a command of the node.
 *
 * Forms are checked here (what is an endpoint, what is a key); whether it makes sense is for the
 * node to say.  Each error repeats what was typed and shows how it should look.
 */
#include "smegd/ctl_priv.h"

#include <assert.h>
#include <string.h>

static int copy_text(char *to, size_t cap, const char *text, const char *what, struct diag *diag)
{
	size_t n = strlen(text);

	if (n >= cap)
		return diag_set(diag, ERR_BAD_NAME, "%s of %zu bytes is too long: %zu at most",
		                what, n, cap - 1);
	memcpy(to, text, n + 1);
	return 0;
}

static int parse_endpoints(const struct request *r, struct settings *s, struct diag *diag)
{
	if (r->endpoints_count > ARRAY_LEN(s->places))
		return diag_set(diag, ERR_LIMIT, "%zu endpoints are too many: %zu at most",
		                r->endpoints_count, ARRAY_LEN(s->places));
	for (size_t i = 0; i < r->endpoints_count; i++) {
		if (hostport_parse(&s->places[i], r->endpoints[i])) {
			diag_set(diag, ERR_MALFORMED, "\"%.100s\" is not an endpoint",
			         r->endpoints[i]);
			diag_hint(diag,
			          "write HOST, HOST:PORT, or [IPv6]:PORT with a port of 1..65535");
			return ERR_MALFORMED;
		}
	}
	s->places_count = r->endpoints_count;
	return 0;
}

static int parse_settings(const struct request *r, struct settings *s, struct diag *diag)
{
	int err = 0;

	s->has_alias = r->has_alias;
	s->has_description = r->has_description;
	s->has_places = r->has_endpoints;
	if (r->has_alias)
		err = copy_text(s->alias, sizeof(s->alias), r->alias, "an alias", diag);
	if (!err && r->has_description)
		err = copy_text(s->description, sizeof(s->description), r->description,
		                "a description", diag);
	if (!err && r->has_endpoints)
		err = parse_endpoints(r, s, diag);
	return err;
}

static int parse_role(const struct request *r, enum role *ret, struct diag *diag)
{
	if (!r->role[0])
		return 0;
	if (strcmp(r->role, "peer") == 0)
		*ret = ROLE_PEER;
	else if (strcmp(r->role, "client") == 0)
		*ret = ROLE_CLIENT;
	else
		return diag_set(diag, ERR_USAGE, "there is no role \"%.32s\": it is peer or client",
		                r->role);
	return 0;
}

static int parse_invite(const struct request *r, struct command *c, struct diag *diag)
{
	int err = 0;

	c->uses = r->uses;
	c->may_bridge = r->may_bridge;
	c->expires_in_ms = r->expires_in_ms ? r->expires_in_ms : INVITE_LIFE_MS;
	c->has_for_key = r->for_key[0] != 0;
	if (c->has_for_key)
		err = key_parse(&c->for_key, r->for_key);
	if (!err)
		return 0;
	diag_set(diag, err, "\"%.64s\" is not a key: it has 44 characters of base64", r->for_key);
	diag_hint(diag, "on the host that is to join: smegctl key");
	return err;
}

static int parse_member(const struct request *r, struct command *c, struct diag *diag)
{
	c->keep_invites = r->keep_invites;
	c->is_stolen = r->is_stolen;
	if (!r->member[0])
		return diag_set(diag, ERR_USAGE, "no member was named");
	return copy_text(c->member, sizeof(c->member), r->member, "a member's name", diag);
}

static bool is_about_member(enum command_kind kind)
{
	return kind == CMD_EXPEL || kind == CMD_APPOINT || kind == CMD_REVOKE;
}

static enum command_kind kind_of(enum request_kind kind)
{
	switch (kind) {
	case REQUEST_CREATE:
		return CMD_CREATE;
	case REQUEST_JOIN:
		return CMD_JOIN;
	case REQUEST_LEAVE:
		return CMD_LEAVE;
	case REQUEST_INVITE:
		return CMD_INVITE;
	case REQUEST_SET:
		return CMD_SET;
	case REQUEST_KEY:
		return CMD_KEY;
	case REQUEST_EXPEL:
		return CMD_EXPEL;
	case REQUEST_APPOINT:
		return CMD_APPOINT;
	case REQUEST_REVOKE:
		return CMD_REVOKE;
	default:
		assert(!"a request that is no command");
		return CMD_KEY;
	}
}

int ctl_command(const struct request *r, struct command *ret, struct diag *diag)
{
	int err;

	memset(ret, 0, sizeof(*ret));
	ret->kind = kind_of(r->kind);
	err = copy_text(ret->mesh, sizeof(ret->mesh), r->mesh, "a mesh's name", diag);
	if (!err)
		err = parse_settings(r, &ret->settings, diag);
	if (!err)
		err = parse_role(r, &ret->role, diag);
	if (!err && ret->kind == CMD_INVITE)
		err = parse_invite(r, ret, diag);
	if (!err && is_about_member(ret->kind))
		err = parse_member(r, ret, diag);
	ret->token.at = (const uint8_t *)r->token;
	ret->token.count = strlen(r->token);
	return err;
}
