/*
 * Sessions and dialling: who is connected, whom to try again and when.
 *
 * A member is dialled at its places one after the other; when all have failed it counts as
 * unreachable, and is tried again for ever, when retry.c says.  Unreachable is local and changes
 * nothing but what people see and when we dial: no entry is ever touched for it.
 *
 * The hub keeps one session per pair; for a moment there may be two, and the newer is used.
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <string.h>

struct session *session_by_id(const struct node *n, uint64_t id)
{
	return table_find(&n->sessions, id);
}

/* --- places --------------------------------------------------------------------------------- */

static bool is_on_link(const struct node *n, const struct addr *a)
{
	for (size_t i = 0; i < n->addresses_count; i++) {
		struct prefix p;

		prefix_make(&p, &n->addresses[i].addr, n->addresses[i].bits);
		if (prefix_contains(&p, a))
			return true;
	}
	return false;
}

static bool has_family(const struct node *n, const struct addr *a)
{
	for (size_t i = 0; i < n->addresses_count; i++)
		if (addr_is_v4(&n->addresses[i].addr) == addr_is_v4(a))
			return true;
	return n->addresses_count == 0;
}

/* What the operator named comes first, then what is near, then what we have an address for. */
static unsigned rank_place(const struct node *n, const struct place *p)
{
	if (p->kind == PLACE_GIVEN || p->kind == PLACE_NAME)
		return 0;
	if (is_on_link(n, &p->addr))
		return 1;
	return has_family(n, &p->addr) ? 2 : 3;
}

/* The places of a record in the order in which to try them; `out` holds LIMIT_ENDPOINTS. */
size_t dial_order(const struct node *n, const struct record *r, struct place *out)
{
	size_t count = 0;

	for (unsigned rank = 0; rank < 4; rank++)
		for (size_t i = 0; i < r->places_count; i++)
			if (rank_place(n, &r->places[i]) == rank)
				out[count++] = r->places[i];
	return count;
}

static void place_host(const struct place *p, struct hostport *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->port = p->gossip_port;
	if (p->kind == PLACE_NAME)
		memcpy(ret->host, p->name.at, MIN_OF(p->name.count, sizeof(ret->host) - 1));
	else
		addr_text(&p->addr, ret->host);
}

/* Where the peer may be dialled; at most LIMIT_ENDPOINTS + 1. */
static size_t list_hosts(const struct peer *p, struct hostport *out)
{
	const struct entry *e = set_find(p->mesh->set, &p->key);
	struct place places[LIMIT_ENDPOINTS];
	struct record r;
	size_t count = 0;

	if (e && e->record) {
		size_t ordered;

		record_read(e->record, &r);
		ordered = dial_order(p->mesh->owner, &r, places);
		for (size_t i = 0; i < ordered; i++)
			if (places[i].gossip_port)
				place_host(&places[i], &out[count++]);
	}
	if (p->known)
		out[count++] = *p->known;
	return count;
}

/* --- dialling ------------------------------------------------------------------------------- */

void dial_set_unreachable(struct step *st, struct peer *p, bool unreachable)
{
	p->is_doubtful = false;
	if (p->is_unreachable == unreachable)
		return;
	p->is_unreachable = unreachable;
	p->changed_ms = st->now.mono_ms;
	if (unreachable) {
		p->mesh->unreachable++;
		tree_unreachable(st, p);
		watch_unreachable(st, p);
	} else {
		const struct entry *e = set_find(p->mesh->set, &p->key);

		p->mesh->unreachable -= p->mesh->unreachable > 0;
		if (e)
			tree_member(st, p->mesh, e); /* it may be the one wanted in a slot */
		retry_found(st, p->mesh);
	}
	if (p->mesh->role == ROLE_CLIENT) { /* another carrier, perhaps */
		own_changed(st, p->mesh);
		p->mesh->tunnel.is_dirty = true;
	}
}

static void back_off(struct step *st, struct peer *p)
{
	struct mesh *m = p->mesh;

	p->place = 0;
	dial_set_unreachable(st, p, true);
	p->dial_again_ms = st->now.mono_ms + retry_pause(st, p);
	m->maintain_ms = MIN_OF(m->maintain_ms, p->dial_again_ms);
}

void dial_forget(struct node *n, struct peer *p)
{
	if (p->dial)
		table_remove(&n->dials, p->dial);
	p->dial = 0;
}

void dial_peer(struct step *st, struct peer *p)
{
	struct hostport hosts[LIMIT_ENDPOINTS + 1];
	size_t count = list_hosts(p, hosts);
	struct effect *e;

	dial_forget(st->n, p);
	if (p->place >= count) {
		back_off(st, p);
		return;
	}
	if (table_add(&st->n->dials, st->n->mem, st->n->next_dial + 1, p)) {
		step_fail(st, -ENOMEM);
		return;
	}
	p->dial = ++st->n->next_dial;
	p->dial_started_ms = st->now.mono_ms;
	e = step_fx(st, FX_DIAL);
	e->u.dial.dial = p->dial;
	memcpy(e->u.dial.mesh, p->mesh->id, sizeof(e->u.dial.mesh));
	e->u.dial.peer = p->key;
	e->u.dial.at = hosts[p->place];
}

static void try_next(struct step *st, struct peer *p, int err)
{
	struct hostport hosts[LIMIT_ENDPOINTS + 1];

	dial_forget(st->n, p);
	if (p->session)
		return;
	step_trace(st, TRACE_DIAL_FAILED, p->mesh, &p->key, err);
	watch_dialled(st, p, err);
	p->place++;
	if (p->place < list_hosts(p, hosts))
		dial_peer(st, p);
	else
		back_off(st, p);
}

void dial_failed(struct step *st, uint64_t dial, int err)
{
	struct peer *p;

	if (!dial || join_owns_dial(st, dial, err))
		return;
	p = table_find(&st->n->dials, dial);
	if (p)
		try_next(st, p, err);
}

/* Nothing is kept of it that would not be the same if it were made anew. */
static bool is_idle(const struct step *st, const struct peer *p)
{
	/* A tunnel is ours by what we remember of its peer, and has an endpoint to be chosen. */
	if (!st->n->options.no_devices)
		return false;
	return !p->session && !p->dial && !p->is_wanted && !p->is_doubtful &&
	       !tree_holds(p->mesh, p) && !p->known &&
	       (st->now.mono_ms >= p->dial_again_ms || p->dial_again_ms == TIME_NEVER) &&
	       !(p->is_unreachable && p->dial_again_ms != TIME_NEVER &&
	         set_find(p->mesh->set, &p->key));
}

/* A shell that never answers must not silence a member for ever. */
void dial_tick(struct step *st, struct mesh *m)
{
	struct peer *p;

	peer_for_each(p, m) {
		if (p->dial && st->now.mono_ms - p->dial_started_ms > DIAL_TIMEOUT_MS)
			try_next(st, p, ERR_TIMED_OUT);
		if (!is_idle(st, p))
			continue;
		mesh_peer_drop(m, p);
	}
}

/* --- sessions ------------------------------------------------------------------------------- */

struct session *session_add(struct step *st, struct mesh *m, uint64_t id)
{
	const struct mem *mem = st->n->mem;
	void *list = m->sessions;
	int err = mem_grow(mem, &list, m->sessions_all, &m->sessions_cap, sizeof(*m->sessions));
	struct session *s;

	m->sessions = list;
	s = err ? NULL : mem_zalloc(mem, sizeof(*s));
	if (!s || table_add(&st->n->sessions, mem, id, s)) {
		mem_free(mem, s);
		step_fail(st, -ENOMEM);
		return NULL;
	}
	s->id = id;
	s->mesh = m;
	m->sessions[m->sessions_all++] = s;
	return s;
}

void session_drop(struct node *n, struct session *s)
{
	struct mesh *m = s->mesh;
	size_t at = 0;

	while (m->sessions[at] != s)
		at++;
	m->sessions_all--;
	memmove(&m->sessions[at], &m->sessions[at + 1],
	        (m->sessions_all - at) * sizeof(*m->sessions));
	table_remove(&n->sessions, s->id);
}

static struct session *add_session(struct step *st, struct mesh *m, const struct session_up *up)
{
	struct session *s = session_add(st, m, up->session);

	if (!s)
		return NULL;
	s->dialled = up->dial != 0;
	s->as_joiner = up->as_joiner;
	s->joiner = up->joiner;
	s->remote = up->remote;
	s->clock_ahead_ms = up->clock_ahead_ms;
	s->since_ms = s->heard_ms = st->now.mono_ms;
	return s;
}

static void refuse(struct step *st, uint64_t session)
{
	step_fx(st, FX_CLOSE)->u.session = session;
}

static void adopt(struct step *st, struct session *s, const struct session_up *up)
{
	const struct entry *e = set_find(s->mesh->set, &up->peer);
	struct peer *p = mesh_peer_make(st, s->mesh, &up->peer);

	/* Out of memory, over the limit, our own key, or expelled while we dialled. */
	if (!p || (e && e->standing == STANDING_EXPELLED)) {
		step_close(st, s);
		return;
	}
	s->peer = p;
	p->session = s;
	p->backoff_ms = 0;
	p->answers = 0;
	p->place = 0;
	if (p->dial == up->dial)
		dial_forget(st->n, p);
	dial_set_unreachable(st, p, false);
	s->mesh->sessions_count++;
	step_trace(st, TRACE_SESSION_UP, s->mesh, &p->key, 0);
	gossip_session_up(st, s);
	redeem_session_up(st, s);
}

static void warn_clock(struct step *st, const struct session *s)
{
	struct effect *e;

	if (s->clock_ahead_ms < CLOCK_OFF_MS && s->clock_ahead_ms > -CLOCK_OFF_MS)
		return;
	e = step_fx(st, FX_TRACE);
	e->u.trace.kind = TRACE_CLOCK_OFF;
	memcpy(e->u.trace.mesh, s->mesh->id, sizeof(e->u.trace.mesh));
	e->u.trace.number = (uint64_t)s->clock_ahead_ms;
}

void dial_session_up(struct step *st, const struct session_up *up)
{
	struct mesh *m = mesh_by_id(st->n, up->mesh);
	struct session *s;
	bool is_ours;

	if (!m || m->state == MESH_LEFT || session_by_id(st->n, up->session)) {
		refuse(st, up->session);
		return;
	}
	is_ours = m->joining && up->dial && m->joining->dial == up->dial;
	if (m->state != MESH_ACTIVE && m->state != MESH_LEAVING && !is_ours) {
		refuse(st, up->session);
		return;
	}
	s = add_session(st, m, up);
	if (!s)
		return;
	warn_clock(st, s);
	if (is_ours) {
		s->as_joiner = true;
		join_session_up(st, s);
	} else if (!s->as_joiner) {
		adopt(st, s, up);
	}
}

/* Is there a second session with this peer, from the moment in which both had dialled? */
static struct session *other_session(const struct peer *p)
{
	struct session *s;

	session_for_each(s, p->mesh)
		if (s->peer == p && !s->is_closing)
			return s;
	return NULL;
}

bool session_was_brief(const struct step *st, const struct session *s)
{
	return st->now.mono_ms - s->since_ms < SESSION_BRIEF_MS;
}

static void peer_lost(struct step *st, struct peer *p, const struct session *s)
{
	int64_t pause_ms = session_was_brief(st, s)
	                           ? rng_jitter(&st->n->rng, DIAL_BACKOFF_FIRST_MS, 25)
	                           : (int64_t)rng_below(&st->n->rng, 200);

	if (p->session != s)
		return;
	p->session = other_session(p);
	if (p->session)
		return;
	p->place = 0;
	p->dial_again_ms = st->now.mono_ms + pause_ms;
	p->mesh->maintain_ms = MIN_OF(p->mesh->maintain_ms, p->dial_again_ms);
	if (!s->said_bye && !s->is_closing)
		p->is_doubtful = true;
}

void dial_session_down(struct step *st, uint64_t session, int err)
{
	struct session *s = session_by_id(st->n, session);

	if (!s)
		return;
	if (err == ERR_TIMED_OUT) /* our own finding, not the hub's news */
		step_fx(st, FX_CLOSE)->u.session = s->id;
	session_drop(st->n, s);
	if (s->peer) {
		s->mesh->sessions_count--;
		step_trace(st, TRACE_SESSION_DOWN, s->mesh, &s->peer->key, err);
		peer_lost(st, s->peer, s);
		gossip_session_down(st, s);
	} else {
		join_session_down(st, s->mesh, s->id);
	}
	mem_free(st->n->mem, s);
}

void dial_sweep(struct step *st)
{
	struct session *s;
	struct mesh *m;

	if (!st->n->has_closing)
		return;
	st->n->has_closing = false;
	mesh_for_each(m, st->n)
		session_for_each_safe(s, m)
			if (s->is_closing)
				dial_session_down(st, s->id, 0);
}
