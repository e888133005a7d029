/*
 * One mesh of this daemon: its life, its members' soft state, and the single way in which
 * statements enter its set.
 *
 * mesh_offer() is the one door: whatever moves a register up is stored (durably if it is ours, and
 * then before it is told), told to the neighbours at the end of the step, and followed up here. The
 * set decides what is true; this file only reacts.
 *
 * An own record that others hold with a greater counter than ours means that this host was restored
 * from a backup: its counter is adopted, and the present settings are signed above it.  A prune of
 * this host is refuted in the same way.  An expel is final: the mesh is left.
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <string.h>

struct mesh *mesh_by_id(const struct node *n, const char *id)
{
	struct mesh *m;

	mesh_for_each(m, n)
		if (strcmp(m->id, id) == 0)
			return m;
	return NULL;
}

struct mesh *mesh_by_name(const struct node *n, const char *name)
{
	struct mesh *m;

	mesh_for_each(m, n)
		if (!mesh_is_over(m) && (strcmp(m->name, name) == 0 || strcmp(m->id, name) == 0))
			return m;
	return NULL;
}

bool mesh_is_over(const struct mesh *m)
{
	return m->state == MESH_LEFT || m->state == MESH_LEAVING;
}

bool mesh_is_running(const struct mesh *m)
{
	return m->state == MESH_ACTIVE;
}

static int make_set(const struct node *n, struct mesh *m)
{
	const struct set_options options = {
		.mem = n->mem,
		.pool = n->options.pool,
		.mesh_public = m->mesh_public,
		.life_ms = m->life_ms,
		.members_max = LIMIT_MEMBERS,
	};

	return set_new(&options, &m->set);
}

int node_adopt(struct node *n, const char *mesh_id, const struct set *replica)
{
	struct mesh *m = mesh_by_id(n, mesh_id);
	struct set *clone;

	if (!m)
		return ERR_NO_MESH;
	if (set_clone(replica, &clone))
		return -ENOMEM;
	set_free(m->set);
	m->set = clone;
	return 0;
}

struct mesh *mesh_new(struct step *st, const struct key *mesh_public, const char *name)
{
	struct node *n = st->n;
	struct mesh *m = mem_zalloc(n->mem, sizeof(*m));

	if (!m) {
		step_fail(st, -ENOMEM);
		return NULL;
	}
	m->owner = n;
	m->state = MESH_PREPARING;
	m->mesh_public = *mesh_public;
	m->life_ms = n->options.life_ms;
	m->role = ROLE_PEER;
	m->publish_ms = TIME_NEVER;
	m->age_ms = st->now.mono_ms + AGE_INTERVAL_MS(m);
	m->settings.has_alias = m->settings.has_description = m->settings.has_places = true;
	mesh_id_of(mesh_public, m->id);
	memcpy(m->name, name, strlen(name) + 1);
	place_device(n->options.device_prefix, name, m->id, m->tunnel.name);
	map_init(&m->peers, KEY_BYTES);
	map_init(&m->issued, INVITE_ID_BYTES);
	list_init(&m->relays);
	if (make_set(n, m)) {
		mem_free(n->mem, m);
		step_fail(st, -ENOMEM);
		return NULL;
	}
	list_add(&n->meshes, &m->link);
	return m;
}

static void drop_peers(struct mesh *m)
{
	struct map_node *pos;

	while ((pos = map_first(&m->peers)))
		mesh_peer_drop(m, container_of(pos, struct peer, node));
	mem_free(m->owner->mem, m->peers_list);
	m->peers_list = NULL;
	m->peers_cap = 0;
}

void mesh_free(struct mesh *m)
{
	const struct mem *mem = m->owner->mem;
	struct map_node *pos;

	gossip_end(m);
	drop_peers(m);
	while ((pos = map_first(&m->issued))) {
		map_remove(&m->issued, pos);
		mem_free(mem, container_of(pos, struct issued, node));
	}
	while (!list_is_empty(&m->relays)) {
		struct list *first = m->relays.next;

		list_remove(first);
		mem_free(mem, container_of(first, struct relay, link));
	}
	if (m->joining) {
		token_fini(&m->joining->token);
		keypair_fini(&m->joining->invite_pair);
		mem_free(mem, m->joining);
	}
	while (m->sessions_all) {
		struct session *s = m->sessions[m->sessions_all - 1];

		session_drop(m->owner, s);
		repair_end(mem, s);
		mem_free(mem, s);
	}
	mem_free(mem, m->sessions);
	set_free(m->set);
	keypair_fini(&m->self);
	keypair_fini(&m->mesh_pair);
	list_remove(&m->link);
	mem_free(mem, m);
}

/* --- members ------------------------------------------------------------------------------ */

/*
 * A search of the map touches one peer after the other, most of which nothing was heard of for
 * long: half of the time that a quiet daemon takes was that.
 */
static size_t quick_of(const struct key *key)
{
	return ((size_t)key->b[0] << 8 | key->b[1]) % QUICK;
}

struct peer *mesh_peer(const struct mesh *m, const struct key *key)
{
	const struct quick *q = &m->quick[quick_of(key)];
	struct map_node *node;

	if (!q->count || (q->latest && key_equal(&q->latest->key, key)))
		return q->count ? q->latest : NULL;
	node = map_find(&m->peers, key->b);
	return node ? container_of(node, struct peer, node) : NULL;
}

void mesh_changed(struct mesh *m)
{
	int64_t pause_ms = m->lacking ? MAINTAIN_BUSY_MS : MAINTAIN_IDLE_MS;

	m->maintain_ms = MIN_OF(m->maintain_ms, m->owner->last_mono_ms + pause_ms);
}

static int list_grow(struct mesh *m)
{
	void *list = m->peers_list;
	int err = mem_grow(m->owner->mem, &list, m->peers.count, &m->peers_cap,
	                   sizeof(*m->peers_list));

	m->peers_list = list;
	return err;
}

struct peer *mesh_peer_make(struct step *st, struct mesh *m, const struct key *key)
{
	struct peer *p = mesh_peer(m, key);

	if (p || key_equal(key, &m->self.box_public))
		return p;
	if (m->peers.count >= LIMIT_MEMBERS)
		return NULL;
	p = list_grow(m) ? NULL : mem_zalloc(st->n->mem, sizeof(*p));
	if (!p) {
		step_fail(st, -ENOMEM);
		return NULL;
	}
	p->key = *key;
	p->mesh = m;
	p->at = (uint32_t)m->peers.count;
	m->peers_list[p->at] = p;
	tree_peer(m, p);
	map_insert(&m->peers, &p->node, p->key.b);
	m->quick[quick_of(key)].latest = p;
	m->quick[quick_of(key)].count++;
	mesh_changed(m);
	return p;
}

void mesh_peer_drop(struct mesh *m, struct peer *p)
{
	struct quick *q = &m->quick[quick_of(&p->key)];

	q->count--;
	if (q->latest == p)
		q->latest = NULL;
	map_remove(&m->peers, &p->node);
	m->peers_list[p->at] = m->peers_list[m->peers.count];
	m->peers_list[p->at]->at = p->at;
	dial_forget(m->owner, p);
	mem_free(m->owner->mem, p->known);
	mem_free(m->owner->mem, p);
}

void mesh_peer_is_at(struct step *st, struct peer *p, const struct hostport *at)
{
	if (!p->known)
		p->known = mem_alloc(st->n->mem, sizeof(*p->known));
	if (p->known)
		*p->known = *at;
	else
		step_fail(st, -ENOMEM);
}

struct peer *mesh_member_peer(struct step *st, struct mesh *m, const struct key *key)
{
	return set_find(m->set, key) ? mesh_peer_make(st, m, key) : mesh_peer(m, key);
}

const struct entry *mesh_self_entry(const struct mesh *m)
{
	return set_find(m->set, &m->self.box_public);
}

size_t mesh_live_members(const struct mesh *m)
{
	return set_group_count(m->set);
}

void mesh_start(struct step *st, struct mesh *m)
{
	const struct entry *self = mesh_self_entry(m);

	m->state = MESH_ACTIVE;
	m->started_ms = st->now.mono_ms;
	if (self && self->record && self->record->counter > m->last_counter)
		m->last_counter = self->record->counter;
	m->counter_known = set_count(m->set) <= 1;
	m->tunnel.is_dirty = true;
	gossip_start(st, m);
	own_changed(st, m);
}

/* Sessions close one by one as their EV_SESSION_DOWN comes; they are told now. */
void mesh_stop_sessions(struct step *st, struct mesh *m)
{
	struct session *s;

	session_for_each(s, m)
		step_close(st, s);
}

/* --- the end -------------------------------------------------------------------------------- */

void mesh_leave(struct step *st, struct mesh *m)
{
	gossip_flush(st, m); /* before the sessions close behind it */
	mesh_stop_sessions(st, m);
	device_take_down(st, m);
	join_left(st, m);
	m->state = MESH_LEFT;
	m->is_ending = true;
	m->publish_ms = TIME_NEVER;
	rows_put_mesh(st, m);
}

/*
 * The remove is told now, but sessions may be dead without anybody knowing: the mesh stays, without
 * a device, until one member has answered with the same digest.
 */
void mesh_leave_later(struct step *st, struct mesh *m)
{
	device_take_down(st, m);
	join_left(st, m);
	m->state = MESH_LEAVING;
	m->publish_ms = TIME_NEVER;
	rows_put_mesh(st, m);
	gossip_start(st, m);
	gossip_flush(st, m);
	gossip_ask_all(st, m);
}

void mesh_resume(struct step *st, struct mesh *m)
{
	gossip_start(st, m);
}

static int delete_row(void *ctx, const struct stmt *stmt)
{
	struct step *st = ctx;
	struct mesh *m;

	mesh_for_each(m, st->n)
		if (m->is_ending)
			rows_delete_stmt(st, m, stmt);
	return 0;
}

/* A mesh that was left keeps its key, its counter and its settings, nothing else. */
static void empty_mesh(struct step *st, struct mesh *m)
{
	const struct entry *e;
	int err = set_visit_member(m->set, NULL, delete_row, st);

	set_for_each(e, i, m->set)
		err = err ? err : set_visit_member(m->set, &e->member, delete_row, st);
	drop_peers(m);
	/* They know peers. */
	memset(m->trees, 0, sizeof(m->trees));
	memset(m->ring, 0, sizeof(m->ring));
	gossip_end(m);
	set_free(m->set);
	m->set = NULL;
	if (err || make_set(st->n, m))
		step_fail(st, -ENOMEM);
	m->is_ending = false;
}

void mesh_sweep(struct step *st)
{
	struct mesh *m;
	struct mesh *next;

	for (m = container_of(st->n->meshes.next, struct mesh, link); &m->link != &st->n->meshes;
	     m = next) {
		next = container_of(m->link.next, struct mesh, link);
		if (!m->is_ending)
			continue;
		if (m->state == MESH_LEFT)
			empty_mesh(st, m);
		else
			mesh_free(m);
	}
}

/* --- statements ---------------------------------------------------------------------------- */

static void expelled(struct step *st, struct mesh *m)
{
	step_trace(st, TRACE_MESH_LEFT, m, NULL, ERR_EXPELLED);
	m->expelled_ms = (uint64_t)st->now.unix_ms;
	rows_put_expelled(st, m);
	mesh_leave(st, m);
}

static void self_changed(struct step *st, struct mesh *m, const struct offered *o)
{
	const struct entry *e = o->entry;

	if (e->record && e->record->counter > m->last_counter)
		m->last_counter = e->record->counter;
	beat_member(st, m, e);
	if (!mesh_is_running(m))
		return;
	if (e->standing == STANDING_EXPELLED)
		expelled(st, m);
	else if (e->standing == STANDING_PRUNED)
		watch_pruned(st, m, e->remove); /* refuted, after a pause */
	else if (e->standing != STANDING_IN && e->remove)
		own_publish(st, m, true); /* above the remove */
	else
		own_changed(st, m);
}

/* So lately that many have come in a row. */
static bool have_come(const struct mesh *m, int64_t now_ms, int64_t within_ms)
{
	return m->newcomers > STORM_NEWCOMERS && now_ms - m->newcomer_ms < within_ms;
}

bool mesh_is_storm(const struct mesh *m, int64_t now_ms)
{
	return have_come(m, now_ms, STORM_CALM_MS);
}

bool mesh_is_settling(const struct mesh *m, int64_t now_ms)
{
	return have_come(m, now_ms, STORM_SETTLE_MS);
}

/* Those that were pruned and come back are no crowd: they have their sessions and watchers. */
static void note_newcomer(struct mesh *m, enum standing before, int64_t now_ms)
{
	if (now_ms - m->newcomer_ms >= STORM_CALM_MS)
		m->newcomers = 0;
	m->newcomers += before != STANDING_PRUNED && m->newcomers <= STORM_NEWCOMERS;
	m->newcomer_ms = now_ms;
}

static void other_changed(struct step *st, struct mesh *m, const struct offered *o)
{
	const struct entry *e = o->entry;
	struct peer *p = mesh_peer(m, &e->member);

	if (o->before != STANDING_IN && e->standing == STANDING_IN) {
		note_newcomer(m, o->before, st->now.mono_ms);
		step_trace(st, TRACE_MEMBER_IN, m, &e->member, 0);
	}
	if (o->before == STANDING_IN && e->standing != STANDING_IN)
		step_trace(st, TRACE_MEMBER_OUT, m, &e->member, 0);
	if (p)
		p->pruned_ms = e->standing != STANDING_PRUNED ? 0
		               : p->pruned_ms                 ? p->pruned_ms
		                                              : st->now.mono_ms;
	if (m->role == ROLE_CLIENT)
		own_changed(st, m); /* another carrier, perhaps */
	if (m->state == MESH_ACTIVE || m->state == MESH_LEAVING)
		tree_member(st, m, e);
	watch_member(st, m, e);
	beat_member(st, m, e);
	if (!p)
		return;
	if (o->stmt->kind == STMT_RECORD && !p->session &&
	    (p->backoff_ms || p->dial_again_ms == TIME_NEVER)) {
		/* It is alive somewhere: look again soon. */
		p->dial_again_ms = MIN_OF(p->dial_again_ms, st->now.mono_ms + MS_PER_SECOND);
		m->maintain_ms = MIN_OF(m->maintain_ms, p->dial_again_ms);
		p->place = 0;
	}
	if (e->standing == STANDING_EXPELLED && p->session) {
		gossip_farewell(st, p->session); /* the last that it hears of us is why */
		step_close(st, p->session);
	}
}

enum offer mesh_offer(struct step *st, struct mesh *m, struct bytes raw, uint64_t from)
{
	struct offered o;
	/* Our own may be dated ahead of a clock that went back: they go on from the last counter.
	 */
	int err = set_offer(m->set, raw, age_time(m, st->now), from == 0, &o);

	if (err) {
		step_fail(st, err);
		return OFFER_REFUSED;
	}
	if (o.offer == OFFER_REFUSED)
		step_trace(st, TRACE_REFUSED_STATEMENT, m, NULL, o.err);
	if (o.offer != OFFER_NEW)
		return o.offer;
	rows_put_stmt(st, m, o.stmt, from == 0);
	gossip_news(st, m, o.stmt, from);
	m->tunnel.is_dirty = true;
	if (o.entry && key_equal(&o.entry->member, &m->self.box_public))
		self_changed(st, m, &o);
	else if (o.entry)
		other_changed(st, m, &o);
	return OFFER_NEW;
}

uint64_t mesh_next_counter(struct step *st, struct mesh *m)
{
	m->last_counter = counter_next(m->last_counter, st->now.unix_ms);
	if (m->last_counter >= m->reserved_counter) {
		m->reserved_counter = m->last_counter + (uint64_t)COUNTER_BLOCK_MS;
		rows_put_counter(st, m);
	}
	return m->last_counter;
}

int mesh_sign_record(struct step *st, struct mesh *m, const struct record *r)
{
	struct record next = *r;
	struct stmt *s;
	int err;

	next.counter = mesh_next_counter(st, m);
	err = record_sign(st->n->mem, &next, &m->self, &m->mesh_public, &s);
	if (err)
		return err;
	mesh_offer(st, m, s->raw, 0);
	stmt_unref(st->n->mem, s);
	return st->err;
}
