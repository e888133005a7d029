/*
 * Whom to talk to, telling news, and repair: the simple form.
 *
 * Neighbours: all members that can be dialled stand in a ring in key order, and each seeks a
 * session with those 1, 2, 4, 8, … places on; a place whose holder cannot be reached goes to the
 * next one on. So each holds about 2 log2 n sessions, the graph stays connected when members
 * vanish, and no message is needed to build it.  Everyone else is still dialled again for ever,
 * with back-off, as soon as it is its turn: halves that were split find each other by that.
 *
 * News go to all sessions but the one they came from, in the step in which they came; what is known
 * already is not told again, so a message crosses each link at most twice.
 *
 * Repair: a digest to a random neighbour every few seconds.  If it differs, the asked one sends the
 * fingerprints of all its entries, in pages; the asker sends what the other lacks and asks for what
 * it lacks itself.  This costs 40 bytes a member, only when something differs.
 *
 * The rest of the core knows only the functions of this file; prefix trees and sketches will stand
 * behind the same ones.
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <string.h>

#define REPAIR_PAUSE_MS 500 /* between two summaries to one session */
#define STRIDES_MAX 17      /* 2^17 > LIMIT_MEMBERS */

static bool is_equal_digest(const struct mesh *m, const uint8_t digest[DIGEST_BYTES])
{
	uint8_t mine[DIGEST_BYTES];

	set_digest(m->set, mine);
	return memcmp(mine, digest, DIGEST_BYTES) == 0;
}

static void send_digest(struct step *st, struct session *s, bool question)
{
	struct msg msg = { .kind = MSG_DIGEST };

	set_digest(s->mesh->set, msg.u.digest.digest);
	msg.u.digest.question = question;
	msg.u.digest.members = set_count(s->mesh->set);
	step_send(st, s, LANE_CONTROL, &msg);
	if (question)
		s->asked_ms = st->now.mono_ms;
}

void gossip_ask(struct step *st, struct session *s)
{
	send_digest(st, s, true);
}

void gossip_ask_all(struct step *st, const struct mesh *m, int64_t pause_ms)
{
	struct map_node *pos;

	map_for_each(pos, &st->n->sessions) {
		struct session *s = container_of(pos, struct session, node);

		if (s->mesh == m && !s->as_joiner && !s->is_closing &&
		    st->now.mono_ms - s->asked_ms >= pause_ms)
			gossip_ask(st, s);
	}
}

/* --- telling ------------------------------------------------------------------------------- */

void gossip_news(struct step *st, struct mesh *m, struct stmt *s, uint64_t from)
{
	void *list = m->told;

	if (mem_grow(st->n->mem, &list, m->told_count, &m->told_cap, sizeof(*m->told))) {
		step_fail(st, -ENOMEM);
		return;
	}
	m->told = list;
	m->told[m->told_count++] = (struct told){ stmt_ref(s), from };
}

/* Gathers statements into messages of bounded size. */
struct teller {
	struct step *st;
	struct session *to;
	enum lane lane;
	struct bytes list[MSG_ENTRIES_MAX];
	size_t count;
	size_t bytes;
};

static void teller_flush(struct teller *t)
{
	struct msg msg = { .kind = MSG_ENTRIES };

	if (!t->count)
		return;
	msg.u.entries.stmts = t->list;
	msg.u.entries.count = t->count;
	step_send(t->st, t->to, t->lane, &msg);
	t->count = 0;
	t->bytes = 0;
}

static void teller_add(struct teller *t, struct bytes raw)
{
	if (t->count == MSG_ENTRIES_MAX || t->bytes + raw.count > MSG_ENTRIES_BYTES_MAX)
		teller_flush(t);
	t->list[t->count++] = raw;
	t->bytes += raw.count;
}

static struct teller *teller_new(struct step *st, struct session *to, enum lane lane)
{
	struct teller *t = arena_alloc(&st->n->scratch, sizeof(*t));

	if (!t) {
		step_fail(st, -ENOMEM);
		return NULL;
	}
	t->st = st;
	t->to = to;
	t->lane = lane;
	return t;
}

static void tell_session(struct step *st, struct session *s)
{
	const struct mesh *m = s->mesh;
	struct teller *t = teller_new(st, s, LANE_CONTROL);

	for (size_t i = 0; t && i < m->told_count; i++)
		if (m->told[i].from != s->id)
			teller_add(t, m->told[i].stmt->raw);
	if (t)
		teller_flush(t);
}

void gossip_flush(struct step *st, struct mesh *m)
{
	struct map_node *pos;

	if (!m->told_count)
		return;
	map_for_each(pos, &st->n->sessions) {
		struct session *s = container_of(pos, struct session, node);

		if (s->mesh == m && !s->as_joiner)
			tell_session(st, s);
	}
	for (size_t i = 0; i < m->told_count; i++)
		stmt_unref(st->n->mem, m->told[i].stmt);
	m->told_count = 0;
}

/* --- repair -------------------------------------------------------------------------------- */

/* The key just below; `k` is not zero. */
static struct key key_below(const struct key *k)
{
	struct key below = *k;

	for (size_t i = sizeof(below.b); i-- > 0 && below.b[i]-- == 0;)
		;
	return below;
}

/* One page: entries from `e` on, until the page is full; returns where the next one begins. */
static const struct entry *send_page(struct step *st,
                                     struct session *s,
                                     const struct entry *e,
                                     const struct key *from)
{
	struct msg msg = { .kind = MSG_SUMMARY };
	struct summary_item *items = step_alloc(st, MSG_SUMMARY_MAX * sizeof(*items));
	size_t count = 0;

	if (!items)
		return NULL;
	for (; e && count < MSG_SUMMARY_MAX; e = set_next(e), count++) {
		items[count].member = e->member;
		memcpy(items[count].fingerprint, e->fingerprint, FINGERPRINT_BYTES);
	}
	msg.u.summary.from = *from;
	/* Pages adjoin: what only the other side has may be between two entries of ours. */
	if (e)
		msg.u.summary.to = key_below(&e->member);
	else
		memset(&msg.u.summary.to, 0xff, sizeof(msg.u.summary.to));
	set_mesh_fingerprint(s->mesh->set, msg.u.summary.mesh_fingerprint);
	msg.u.summary.items = items;
	msg.u.summary.count = count;
	step_send(st, s, LANE_BULK, &msg);
	return e;
}

static void send_summary(struct step *st, struct session *s)
{
	const struct entry *e = set_first(s->mesh->set);
	struct key from = { { 0 } };

	if (s->repaired_ms && st->now.mono_ms - s->repaired_ms < REPAIR_PAUSE_MS)
		return;
	s->repaired_ms = st->now.mono_ms;
	step_trace(st, TRACE_REPAIR, s->mesh, s->peer ? &s->peer->key : NULL, 0);
	do {
		e = send_page(st, s, e, &from);
		if (e)
			from = e->member;
	} while (e && !st->err);
}

static int add_stmt(void *ctx, const struct stmt *stmt)
{
	teller_add(ctx, stmt->raw);
	return 0;
}

/* What a page shows: entries only we have, only they have, or that differ. */
struct compare {
	struct step *st;
	struct session *s;
	struct teller *teller;
	struct key *want;
	size_t want_count;
};

static void give(struct compare *c, const struct key *member)
{
	if (set_visit_member(c->s->mesh->set, member, add_stmt, c->teller))
		step_fail(c->st, -ENOMEM);
}

static void ask(struct compare *c, const struct key *member)
{
	if (c->want_count < MSG_WANT_MAX)
		c->want[c->want_count++] = *member;
}

static void compare_page(struct compare *c, const struct msg *msg)
{
	const struct entry *e = set_first(c->s->mesh->set);
	const struct key *to = &msg->u.summary.to;
	size_t i = 0;

	while (e && key_compare(&e->member, &msg->u.summary.from) < 0)
		e = set_next(e);
	while (i < msg->u.summary.count || (e && key_compare(&e->member, to) <= 0)) {
		const struct summary_item *item =
			i < msg->u.summary.count ? &msg->u.summary.items[i] : NULL;
		bool mine = e && key_compare(&e->member, to) <= 0;
		int order = !item ? -1 : !mine ? 1 : key_compare(&e->member, &item->member);

		if (order < 0) {
			give(c, &e->member);
		} else if (order > 0) {
			ask(c, &item->member);
		} else if (memcmp(e->fingerprint, item->fingerprint, FINGERPRINT_BYTES) != 0) {
			give(c, &e->member);
			ask(c, &item->member);
		}
		e = order <= 0 ? set_next(e) : e;
		i += order >= 0;
	}
}

static void on_summary(struct step *st, struct session *s, const struct msg *msg)
{
	struct compare c = { .st = st, .s = s };
	struct msg want = { .kind = MSG_WANT };
	uint8_t mine[FINGERPRINT_BYTES];

	c.teller = teller_new(st, s, LANE_BULK);
	c.want = step_alloc(st, MSG_WANT_MAX * sizeof(*c.want));
	if (!c.teller || !c.want)
		return;
	set_mesh_fingerprint(s->mesh->set, mine);
	want.u.want.mesh = memcmp(mine, msg->u.summary.mesh_fingerprint, FINGERPRINT_BYTES) != 0;
	if (want.u.want.mesh && set_visit_member(s->mesh->set, NULL, add_stmt, c.teller)) {
		step_fail(st, -ENOMEM);
		return;
	}
	compare_page(&c, msg);
	teller_flush(c.teller);
	want.u.want.members = c.want;
	want.u.want.count = c.want_count;
	if (want.u.want.mesh || c.want_count)
		step_send(st, s, LANE_CONTROL, &want);
}

static void on_want(struct step *st, struct session *s, const struct msg *msg)
{
	struct teller *t = teller_new(st, s, LANE_BULK);
	int err = 0;

	if (!t)
		return;
	if (msg->u.want.mesh)
		err = set_visit_member(s->mesh->set, NULL, add_stmt, t);
	for (size_t i = 0; !err && i < msg->u.want.count; i++)
		err = set_visit_member(s->mesh->set, &msg->u.want.members[i], add_stmt, t);
	if (err)
		step_fail(st, err);
	teller_flush(t);
}

static void on_digest(struct step *st, struct session *s, const struct msg *msg)
{
	s->is_equal = is_equal_digest(s->mesh, msg->u.digest.digest);
	if (s->is_equal)
		s->mesh->counter_known = true;
	if (msg->u.digest.question) {
		send_digest(st, s, false);
		if (!s->is_equal)
			send_summary(st, s);
	}
	if (s->is_equal && s->mesh->state == MESH_LEAVING)
		mesh_leave(st, s->mesh); /* somebody knows now */
	else
		join_digest(st, s);
}

static void on_entries(struct step *st, struct session *s, const struct msg *msg)
{
	size_t news = 0;

	for (size_t i = 0; i < msg->u.entries.count && !st->err; i++)
		if (mesh_offer(st, s->mesh, msg->u.entries.stmts[i], s->id) == OFFER_NEW)
			news++;
	/* While a join fetches the state, ask again as soon as something came. */
	if (news && s->mesh->joining)
		gossip_ask(st, s);
}

void gossip_message(struct step *st, struct session *s, const struct msg *msg)
{
	switch (msg->kind) {
	case MSG_ENTRIES:
		on_entries(st, s, msg);
		break;
	case MSG_DIGEST:
		on_digest(st, s, msg);
		break;
	case MSG_SUMMARY:
		on_summary(st, s, msg);
		break;
	case MSG_WANT:
		on_want(st, s, msg);
		break;
	case MSG_REDEEM:
	case MSG_REDEEMED:
	case MSG_BYE:
		break; /* not ours: node.c */
	}
}

/* --- neighbours ----------------------------------------------------------------------------- */

void gossip_start(struct step *st, struct mesh *m)
{
	m->maintain_ms = st->now.mono_ms;
	m->repair_ms =
		st->now.mono_ms + rng_jitter(&st->n->rng, st->n->options.pull_interval_ms, 50);
}

void gossip_session_up(struct step *st, struct session *s)
{
	if (s->dialled)
		gossip_ask(st, s);
}

static bool can_be_neighbour(const struct entry *e, const struct mesh *m)
{
	struct record r;

	if (e->standing != STANDING_IN || key_equal(&e->member, &m->self.box_public))
		return false;
	record_read(e->record, &r);
	return r.role == ROLE_PEER && r.places_count;
}

/* The ring: those who can be dialled, in key order, starting behind us. */
static size_t make_ring(struct step *st, struct mesh *m, struct peer ***ret_ring)
{
	size_t count = 0;
	size_t before = 0;
	struct peer **list = arena_alloc(&st->n->scratch, set_count(m->set) * 2 * sizeof(*list));

	*ret_ring = NULL;
	if (!list) {
		step_fail(st, -ENOMEM);
		return 0;
	}
	for (const struct entry *e = set_first(m->set); e; e = set_next(e)) {
		struct peer *p;

		if (!can_be_neighbour(e, m))
			continue;
		p = mesh_peer_make(st, m, &e->member);
		if (!p)
			continue;
		list[count++] = p;
		before += key_compare(&e->member, &m->self.box_public) < 0;
	}
	/* Those before us follow those behind us: repeat them at the end. */
	memcpy(list + count, list, before * sizeof(*list));
	*ret_ring = list + before;
	return count;
}

static bool is_candidate(const struct step *st, const struct peer *p)
{
	return p->session || p->dial || st->now.mono_ms >= p->dial_again_ms;
}

/* The first candidate at or behind `at` becomes wanted. */
static struct peer *want_at(struct step *st, struct peer **ring, size_t count, size_t at)
{
	for (size_t i = 0; i < count; i++) {
		struct peer *p = ring[(at + i) % count];

		if (is_candidate(st, p))
			return p;
	}
	return NULL;
}

/* A client keeps an eye on its carrier; returns 1 if it has no session with it yet. */
static size_t want_carrier(struct mesh *m)
{
	const struct entry *carrier = m->role == ROLE_CLIENT ? own_carrier(m) : NULL;
	struct peer *p = carrier ? mesh_peer(m, &carrier->member) : NULL;

	if (!p || p->is_wanted)
		return 0;
	p->is_wanted = true;
	return !p->session;
}

/* Mark whom we want; returns how many of them have no session yet. */
static size_t choose(struct step *st, struct mesh *m)
{
	struct peer **ring;
	size_t count = make_ring(st, m, &ring);
	size_t strides = m->role == ROLE_CLIENT ? 2 : STRIDES_MAX;
	size_t lacking = 0;
	struct map_node *pos;

	map_for_each(pos, &m->peers) {
		struct peer *p = container_of(pos, struct peer, node);

		p->is_wanted = p->lacks_address;
	}
	for (size_t k = 0; k < strides && (size_t)1 << k <= count; k++) {
		struct peer *p = want_at(st, ring, count, ((size_t)1 << k) - 1);

		if (!p || p->is_wanted)
			continue;
		p->is_wanted = true;
		lacking += !p->session;
	}
	return lacking + want_carrier(m);
}

static void dial_wanted(struct step *st, struct mesh *m)
{
	struct map_node *pos;

	map_for_each(pos, &m->peers) {
		struct peer *p = container_of(pos, struct peer, node);
		bool retry = p->is_unreachable && set_find(m->set, &p->key) &&
		             set_find(m->set, &p->key)->standing == STANDING_IN;
		/* While we know nobody by record, the bootstraps are all there is. */
		bool known = p->known.port && mesh_live_members(m) <= 1;

		if (p->session || p->dial || st->now.mono_ms < p->dial_again_ms)
			continue;
		if (p->is_wanted || p->is_doubtful || retry || known)
			dial_peer(st, p);
	}
}

static void close_surplus(struct step *st, struct session *s)
{
	if (!s->dialled || s->as_joiner || s->mesh->joining || s->peer->is_wanted) {
		s->unwanted_ms = 0;
		return;
	}
	if (!s->unwanted_ms)
		s->unwanted_ms = st->now.mono_ms;
	else if (st->now.mono_ms - s->unwanted_ms > SURPLUS_AFTER_MS)
		step_close(st, s);
}

static void probe(struct step *st, struct session *s)
{
	int64_t silent = st->now.mono_ms - s->heard_ms;
	int64_t timeout = st->n->options.timeout_ms;

	if (silent > timeout)
		dial_session_down(st, s->id, ERR_TIMED_OUT);
	else if (silent > timeout / PROBES && st->now.mono_ms - s->asked_ms > timeout / PROBES)
		gossip_ask(st, s);
}

static void each_session(struct step *st,
                         struct mesh *m,
                         void (*visit)(struct step *st, struct session *s))
{
	struct map_node *pos;
	struct map_node *tmp;

	map_for_each_safe(pos, tmp, &st->n->sessions) {
		struct session *s = container_of(pos, struct session, node);

		if (s->mesh == m && !s->as_joiner)
			visit(st, s);
	}
}

static void repair_random(struct step *st, struct mesh *m)
{
	struct map_node *pos;
	uint64_t pick;

	m->repair_ms =
		st->now.mono_ms + rng_jitter(&st->n->rng, st->n->options.pull_interval_ms, 30);
	if (!m->sessions_count)
		return;
	pick = rng_below(&st->n->rng, m->sessions_count);
	map_for_each(pos, &st->n->sessions) {
		struct session *s = container_of(pos, struct session, node);

		if (s->mesh != m || s->as_joiner)
			continue;
		if (pick-- == 0)
			gossip_ask(st, s);
	}
}

void gossip_tick(struct step *st, struct mesh *m)
{
	if (st->now.mono_ms >= m->maintain_ms) {
		size_t lacking = choose(st, m);
		int64_t pause = lacking ? MAINTAIN_BUSY_MS : MAINTAIN_IDLE_MS;

		dial_wanted(st, m);
		each_session(st, m, close_surplus);
		each_session(st, m, probe);
		m->maintain_ms = st->now.mono_ms + rng_jitter(&st->n->rng, pause, 20);
	}
	if (st->now.mono_ms >= m->repair_ms)
		repair_random(st, m);
}
