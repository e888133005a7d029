/*
 * Snapshots of the node for the control socket and for tests.  Nothing is computed here that the
 * node decides by: a view never changes what it shows.
 */
#include "smegd/core/view.h"

#include "smegd/core/node_priv.h"

#include <string.h>

static bool is_shown(const struct mesh *m)
{
	return m->state == MESH_ACTIVE || m->state == MESH_ADMITTING ||
	       (m->state == MESH_PREPARING && m->joining);
}

size_t node_mesh_count(const struct node *n)
{
	size_t count = 0;
	struct mesh *m;

	mesh_for_each(m, n)
		count += is_shown(m);
	return count;
}

/* The median of how far the clocks of the others are ahead. */
int64_t mesh_clock_ahead(const struct mesh *m)
{
	int64_t list[64];
	size_t count = 0;
	const struct session *s;

	session_for_each(s, m) {
		size_t i = count;

		if (!s->peer || count == ARRAY_LEN(list))
			continue;
		for (; i > 0 && list[i - 1] > s->clock_ahead_ms; i--)
			list[i] = list[i - 1];
		list[i] = s->clock_ahead_ms;
		count++;
	}
	return count ? list[count / 2] : 0;
}

static void fill_mesh(const struct mesh *m, struct mesh_view *v)
{
	uint32_t acknowledged;
	int64_t at_ms;

	memset(v, 0, sizeof(*v));
	memcpy(v->id, m->id, sizeof(v->id));
	v->name = m->name;
	v->device = m->owner->options.no_devices ? "" : m->tunnel.name;
	v->self = m->self.box_public;
	place_locator(m->id, &m->self.box_public, &v->address);
	place_prefix(m->id, &v->prefix);
	v->role = m->role;
	v->is_administrator = set_is_administrator(m->set, &m->self.sign_public);
	v->is_joining = m->joining != NULL;
	v->wg_port = m->wg_port;
	v->members = set_group_count(m->set);
	v->known = set_count(m->set);
	v->sessions = m->sessions_count;
	set_digest(m->set, v->digest);
	v->clock_ahead_ms = mesh_clock_ahead(m);
	v->beat_age_ms = -1;
	if (beat_view(m, &v->leader, &at_ms, &acknowledged)) {
		v->beat_age_ms = at_ms ? m->owner->last_mono_ms - at_ms : -1;
		v->beat_members = acknowledged;
	}
	if (m->role == ROLE_CLIENT && !carrier_named(m, &v->carrier))
		memset(&v->carrier, 0, sizeof(v->carrier));
	v->problem = m->tunnel.problem.text;
	v->problem_hint = m->tunnel.problem.hint;
}

bool node_mesh_view(const struct node *n, size_t index, struct mesh_view *ret)
{
	struct mesh *m;

	mesh_for_each(m, n)
		if (is_shown(m) && index-- == 0) {
			fill_mesh(m, ret);
			return true;
		}
	return false;
}

bool node_mesh_find(const struct node *n, const char *name, struct mesh_view *ret)
{
	const struct mesh *m = mesh_by_name(n, name);

	if (!m || !is_shown(m))
		return false;
	fill_mesh(m, ret);
	return true;
}

bool node_mesh_leader(const struct node *n, const char *name, struct key *ret_leader)
{
	const struct mesh *m = mesh_by_name(n, name);
	uint32_t acknowledged;
	int64_t at_ms;

	return m && is_shown(m) && beat_view(m, ret_leader, &at_ms, &acknowledged) &&
	       !key_is_zero(ret_leader);
}

static const char *mesh_excess(const struct mesh *m)
{
	const struct newslog *log = &m->log;

	if (m->sessions_all > LIMIT_SESSIONS || m->sessions_count > m->sessions_all)
		return "sessions";
	if (log->due > log->next || log->announced > log->next || log->lag_ms < 0)
		return "the log";
	if (log->list && log->next - log->due > NEWS_LOG_MAX)
		return "news that were not told";
	if (m->set && set_count(m->set) > LIMIT_MEMBERS)
		return "members";
	/* Soft state is for those that the set knows, and who else holds a session or a dial. */
	if (m->set && m->peers.count > set_count(m->set) + LIMIT_SESSIONS)
		return "peers";
	if (m->issued.count > LIMIT_INVITES)
		return "invites";
	return NULL;
}

const char *node_excess(const struct node *n, struct node_load *ret)
{
	const char *excess = NULL;
	const struct mesh *m;
	size_t meshes = 0;

	*ret = (struct node_load){ .sessions = 0 };
	mesh_for_each(m, n) {
		const char *mine = mesh_excess(m);

		excess = excess ? excess : mine;
		meshes++;
		ret->sessions += m->sessions_all;
		ret->members += m->set ? set_count(m->set) : 0;
	}
	return meshes > LIMIT_MESHES ? "meshes" : excess;
}

const char *node_expelled_from(const struct node *n, size_t index)
{
	struct mesh *m;

	mesh_for_each(m, n)
		if (m->state == MESH_LEFT && m->expelled_ms && index-- == 0)
			return m->name;
	return NULL;
}

static void fill_peer(const struct peer *p, struct member_view *v)
{
	v->has_session = p->session != NULL;
	if (p->session)
		v->remote = p->session->remote;
	v->is_reachable = !p->is_unreachable; /* a session may be dead without knowing */
	/* Who is suspect counts as there: that is what suspecting means. */
	if (!v->is_reachable)
		v->reachability = UNREACHABLE;
	else
		v->reachability = p->is_suspect ? SUSPECT : REACHABLE;
	if (p->changed_ms)
		v->changed_mono_ms = p->changed_ms;
	v->locator_clash = p->clashes;
	v->has_tunnel = p->has_tunnel;
	if (!p->has_tunnel)
		return;
	v->endpoint = p->endpoint;
	v->has_endpoint = p->has_endpoint;
	v->handshake_ms = p->handshake_ms;
	v->rx_bytes = p->rx_bytes;
	v->tx_bytes = p->tx_bytes;
}

static void fill_member(const struct mesh *m, const struct entry *e, struct member_view *v)
{
	const struct stmt *admission = entry_admission(m->set, e);
	const struct peer *p = mesh_peer(m, &e->member);
	struct admission a;

	memset(v, 0, sizeof(*v));
	v->key = e->member;
	v->subject = *entry_subject(e);
	v->standing = e->standing;
	v->is_self = key_equal(&e->member, &m->self.box_public);
	v->is_administrator = set_is_administrator(m->set, entry_subject(e));
	v->has_record = e->record != NULL;
	if (e->record) {
		record_read(e->record, &v->record);
		v->role = v->record.role;
	} else if (admission) {
		admission_read(admission, &a);
		v->role = a.role;
	}
	place_locator(m->id, &e->member, &v->address);
	/* Reachable unless something is known to the contrary. */
	v->is_reachable = e->standing != STANDING_EXPELLED;
	v->changed_mono_ms = m->started_ms;
	if (v->is_self) {
		v->is_reachable = true;
		v->changed_mono_ms = 0;
	}
	if (p)
		fill_peer(p, v);
	if (e->standing == STANDING_PRUNED && (!v->has_session || !v->is_reachable)) {
		v->is_reachable = false;
		v->reachability = UNREACHABLE;
		v->changed_mono_ms = p ? p->pruned_ms : 0;
	}
}

static const struct entry *entry_after(const struct mesh *m, const struct key *after)
{
	size_t i = after ? set_rank(m->set, after) : 0;
	const struct entry *e = set_at(m->set, i);

	return e && after && key_equal(&e->member, after) ? set_at(m->set, i + 1) : e;
}

bool node_member_next(const struct node *n,
                      const char *mesh_id,
                      const struct key *after,
                      struct member_view *ret)
{
	const struct mesh *m = mesh_by_id(n, mesh_id);
	const struct entry *e = m ? entry_after(m, after) : NULL;

	if (!e)
		return false;
	fill_member(m, e, ret);
	return true;
}
