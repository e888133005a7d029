/*
 * Replies as JSON.
 *
 * `list` is made for comparing: what hosts agree on once they have converged is in the members
 * themselves, and what each sees for itself (reachability, handshakes, counters, which one it is)
 * in a "local" beside it, so that `jq 'del(.. | .local?)'` leaves what must be equal everywhere.
 *
 * Times are Unix milliseconds, 0 for never, as on the control socket.
 */
#include "smegctl/json.h"

#include <errno.h>

int json_print(struct call *c, json_t *root)
{
	int failed;

	if (!root)
		return diag_set(&c->diag, -ENOMEM, "%s", err_text(-ENOMEM));
	failed = json_dumpf(root, c->out, JSON_INDENT(2));
	json_decref(root);
	if (failed)
		return diag_set(&c->diag, -EIO, "cannot write the output");
	fputc('\n', c->out);
	return 0;
}

void json_error(struct call *c, int err)
{
	json_t *root = json_pack("{s:{s:s, s:s, s:s}}", "error", "code", err_code(err), "message",
	                         c->diag.text, "hint", c->diag.hint);

	/* There is nobody left to tell. */
	if (json_print(c, root) != 0)
		fprintf(c->talk, "smegctl: %s\n", err_text(err));
}

/* NULL when out of memory. */
json_t *json_texts(const char *const *list, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count && array; i++) {
		if (json_array_append_new(array, json_string(list[i]))) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static json_t *services(const struct service_info *list, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count && array; i++) {
		if (json_array_append_new(array, json_pack("{s:s, s:s}", "name", list[i].name,
		                                           "value", list[i].value))) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static json_t *member_local(const struct member_info *m)
{
	return json_pack("{s:b, s:b, s:s, s:b, s:b, s:I, s:s, s:I, s:I, s:I}", "self", m->is_self,
	                 "reachable", m->is_reachable, "reachability", m->reachability, "session",
	                 m->has_session, "tunnel", m->has_tunnel, "since_ms",
	                 (json_int_t)m->since_ms, "endpoint", m->endpoint, "handshake_ms",
	                 (json_int_t)m->handshake_ms, "rx_bytes", (json_int_t)m->rx_bytes,
	                 "tx_bytes", (json_int_t)m->tx_bytes);
}

static json_t *member(const struct member_info *m)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:o, s:o, s:o, s:o}", "key",
	                 m->key, "alias", m->alias, "description", m->description, "address",
	                 m->address, "role", m->role, "standing", m->standing, "administrator",
	                 m->is_administrator, "address_clash", m->address_clash, "counter",
	                 (json_int_t)m->counter, "endpoints",
	                 json_texts(m->endpoints, m->endpoints_count), "services",
	                 services(m->services, m->services_count), "prefixes",
	                 json_texts(m->prefixes, m->prefixes_count), "local", member_local(m));
}

static json_t *members(const struct mesh_info *m)
{
	json_t *array = json_array();

	for (size_t i = 0; i < m->members_listed && array; i++) {
		if (json_array_append_new(array, member(&m->members[i]))) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

json_t *json_mesh(const struct mesh_info *m)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b,"
	                 " s:I, s:I, s:I, s:I, s:s, s:I, s:s, s:I, s:I, s:s, s:s, s:s}",
	                 "id", m->id, "name", m->name, "device", m->device, "address", m->address,
	                 "prefix", m->prefix, "key", m->key, "role", m->role, "administrator",
	                 m->is_administrator, "joining", m->is_joining, "wg_port",
	                 (json_int_t)m->wg_port, "members", (json_int_t)m->members_count,
	                 "reachable", (json_int_t)m->reachable_count, "sessions",
	                 (json_int_t)m->sessions_count, "digest", m->digest, "clock_ahead_ms",
	                 (json_int_t)m->clock_ahead_ms, "leader", m->leader, "beat_age_ms",
	                 (json_int_t)m->beat_age_ms, "beat_members", (json_int_t)m->beat_members,
	                 "carrier", m->carrier, "problem", m->problem, "hint", m->hint);
}

json_t *json_members(const struct mesh_info *m)
{
	return json_pack("{s:s, s:o, s:o}", "mesh", m->id, "members", members(m), "local",
	                 json_mesh(m));
}

json_t *json_office(const char *verb, const struct reply *r)
{
	return json_pack("{s:{s:s, s:s, s:b}, s:b, s:I, s:I, s:I, s:o}", verb, "key", r->member_key,
	                 "name", r->member_name, "administrator", r->member_is_administrator,
	                 "unchanged", r->is_unchanged, "stay", (json_int_t)r->stay_count,
	                 "readmitted", (json_int_t)r->readmitted_count, "returned",
	                 (json_int_t)r->returned_count, "mesh",
	                 r->meshes_count ? json_mesh(&r->meshes[0]) : json_object());
}

json_t *json_result(const struct reply *r)
{
	json_t *root = json_object();
	int failed = !root;

	if (root && r->meshes_count > 0)
		failed |= json_object_set_new(root, "mesh", json_mesh(&r->meshes[0]));
	if (root && r->token[0]) {
		failed |= json_object_set_new(root, "token", json_string(r->token));
		failed |=
			json_object_set_new(root, "expires_ms", json_integer(r->token_expires_ms));
		failed |= json_object_set_new(root, "uses", json_integer(r->token_uses));
	}
	if (!failed)
		return root;
	json_decref(root);
	return NULL;
}
