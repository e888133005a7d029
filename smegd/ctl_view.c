/*
 * The node's views as what clients of the control socket get: values to texts, one clock to the
 * other.
 *
 * Views borrow from the node until its next step, and a frame is made before that; still every text
 * that is not terminated where it lies, or that a member wrote, is copied, for encoders want C
 * strings.
 */
#include "smegd/ctl_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *ctl_role_name(enum role role)
{
	switch (role) {
	case ROLE_PEER:
		return "peer";
	case ROLE_CLIENT:
		return "client";
	}
	return "";
}

const char *ctl_standing_name(enum standing standing)
{
	switch (standing) {
	case STANDING_ADMITTED:
		return "admitted";
	case STANDING_IN:
		return "in";
	case STANDING_LEFT:
		return "left";
	case STANDING_PRUNED:
		return "pruned";
	case STANDING_EXPELLED:
		return "expelled";
	case STANDING_VOID:
		return "void";
	}
	return "";
}

const char *ctl_reachability_name(enum reachability reachability)
{
	switch (reachability) {
	case REACHABLE:
		return "reachable";
	case SUSPECT:
		return "suspect";
	case UNREACHABLE:
		return "unreachable";
	}
	return "";
}

/*
 * Texts for the arena; out of memory is seen once, at the end.  A zero byte ends a text: what
 * follows it could not be shown either.
 */
struct texts {
	struct arena *arena;
	bool failed;
};

static const char *text_of(struct texts *t, const void *at, size_t count)
{
	char *out = arena_alloc(t->arena, count + 1);

	if (!out) {
		t->failed = true;
		return "";
	}
	if (count)
		memcpy(out, at, count);
	out[count] = 0;
	return out;
}

static const char *text_copy(struct texts *t, const char *text)
{
	return text_of(t, text, strlen(text));
}

static const char *text_key(struct texts *t, const struct key *k)
{
	char text[KEY_TEXT_BYTES];

	key_text(k, text);
	return text_copy(t, text);
}

static const char *text_addr(struct texts *t, const struct addr *a)
{
	char text[ADDR_TEXT_BYTES];

	addr_text(a, text);
	return text_copy(t, text);
}

static const char *text_endpoint(struct texts *t, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_BYTES];

	endpoint_text(e, text);
	return text_copy(t, text);
}

static const char *text_prefix(struct texts *t, const struct prefix *p)
{
	char text[PREFIX_TEXT_BYTES];

	prefix_text(p, text);
	return text_copy(t, text);
}

static const char *text_place(struct texts *t, const struct place *p)
{
	struct hostport h = { .port = p->gossip_port };
	char text[ENDPOINT_TEXT_BYTES];

	if (p->kind == PLACE_NAME)
		memcpy(h.host, p->name.at, MIN_OF(p->name.count, sizeof(h.host) - 1));
	else
		addr_text(&p->addr, h.host);
	hostport_text(&h, text);
	return text_copy(t, text);
}

/* --- members -------------------------------------------------------------------------------- */

static void fill_services(struct texts *t, const struct record *r, struct member_info *ret)
{
	ret->services = arena_alloc(t->arena, r->services_count * sizeof(*ret->services));
	if (!ret->services) {
		t->failed = true;
		return;
	}
	ret->services_count = r->services_count;
	for (size_t i = 0; i < r->services_count; i++) {
		const struct service *s = &r->services[i];

		ret->services[i].name = text_of(t, s->name.at, s->name.count);
		ret->services[i].value = text_of(t, s->value.at, s->value.count);
	}
}

static const char **texts_new(struct texts *t, size_t count)
{
	const char **list = arena_alloc(t->arena, count * sizeof(*list));

	if (!list)
		t->failed = true;
	return list;
}

static void fill_record(struct texts *t, const struct record *r, struct member_info *ret)
{
	ret->alias = text_of(t, r->alias.at, r->alias.count);
	ret->description = text_of(t, r->description.at, r->description.count);
	ret->counter = r->counter;
	fill_services(t, r, ret);
	ret->endpoints = texts_new(t, r->places_count);
	ret->prefixes = texts_new(t, r->prefixes_count);
	if (t->failed)
		return;
	ret->endpoints_count = r->places_count;
	for (size_t i = 0; i < r->places_count; i++)
		ret->endpoints[i] = text_place(t, &r->places[i]);
	ret->prefixes_count = r->prefixes_count;
	for (size_t i = 0; i < r->prefixes_count; i++)
		ret->prefixes[i] = text_prefix(t, &r->prefixes[i]);
}

static void fill_member(const struct ctl_viewing *v,
                        struct texts *t,
                        const struct member_view *m,
                        struct member_info *ret)
{
	ret->key = text_key(t, &m->key);
	ret->address = text_addr(t, &m->address);
	ret->role = ctl_role_name(m->role);
	ret->standing = ctl_standing_name(m->standing);
	ret->is_self = m->is_self;
	ret->is_administrator = m->is_administrator;
	ret->is_reachable = m->is_reachable;
	ret->reachability = ctl_reachability_name(m->reachability);
	ret->has_session = m->has_session;
	ret->has_tunnel = m->has_tunnel;
	ret->address_clash = m->locator_clash;
	if (m->changed_mono_ms)
		ret->since_ms = v->now.unix_ms - (v->now.mono_ms - m->changed_mono_ms);
	if (m->has_endpoint)
		ret->endpoint = text_endpoint(t, &m->endpoint);
	else if (m->has_session)
		ret->endpoint = text_endpoint(t, &m->remote);
	ret->handshake_ms = m->handshake_ms;
	ret->rx_bytes = m->rx_bytes;
	ret->tx_bytes = m->tx_bytes;
	if (m->has_record)
		fill_record(t, &m->record, ret);
}

/* One walk over the members: to count, or to fill as well. */
static void walk(const struct ctl_viewing *v,
                 struct texts *t,
                 const char *mesh,
                 struct mesh_info *ret)
{
	size_t cap = ret->members_listed;
	struct member_view m;
	struct key after;
	size_t count = 0;
	uint32_t reachable = 0;

	for (const struct key *from = NULL; node_member_next(v->node, mesh, from, &m);
	     from = &after) {
		if (ret->members && count < cap)
			fill_member(v, t, &m, &ret->members[count]);
		count++;
		reachable += m.standing == STANDING_IN && m.is_reachable;
		after = m.key;
	}
	ret->reachable_count = reachable;
	ret->members_listed = ret->members ? MIN_OF(count, cap) : 0;
}

/* --- meshes --------------------------------------------------------------------------------- */

static const char *text_digest(struct texts *t, const uint8_t digest[DIGEST_BYTES])
{
	char text[2 * DIGEST_BYTES + 1];

	for (size_t i = 0; i < DIGEST_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	return text_copy(t, text);
}

static void fill_mesh(struct texts *t, const struct mesh_view *m, struct mesh_info *ret)
{
	ret->id = text_copy(t, m->id);
	ret->name = text_copy(t, m->name);
	ret->device = text_copy(t, m->device);
	ret->address = text_addr(t, &m->address);
	ret->prefix = text_prefix(t, &m->prefix);
	ret->key = text_key(t, &m->self);
	ret->role = ctl_role_name(m->role);
	ret->is_administrator = m->is_administrator;
	ret->is_joining = m->is_joining;
	ret->wg_port = m->wg_port;
	ret->members_count = (uint32_t)m->members;
	ret->sessions_count = (uint32_t)m->sessions;
	ret->digest = text_digest(t, m->digest);
	ret->clock_ahead_ms = m->clock_ahead_ms;
	if (!key_is_zero(&m->leader))
		ret->leader = text_key(t, &m->leader);
	ret->beat_age_ms = m->beat_age_ms;
	ret->beat_members = (uint32_t)m->beat_members;
	if (!key_is_zero(&m->carrier))
		ret->carrier = text_key(t, &m->carrier);
	ret->problem = text_copy(t, m->problem);
	ret->hint = text_copy(t, m->problem_hint);
}

int ctl_view_mesh(const struct ctl_viewing *v, const struct mesh_view *m, struct mesh_info *ret)
{
	struct texts t = { .arena = v->arena };

	memset(ret, 0, sizeof(*ret));
	fill_mesh(&t, m, ret);
	if (v->with_members) {
		ret->members = arena_alloc(v->arena, m->known * sizeof(*ret->members));
		ret->members_listed = m->known;
		if (!ret->members)
			return -ENOMEM;
	}
	walk(v, &t, m->id, ret);
	return t.failed ? -ENOMEM : 0;
}
