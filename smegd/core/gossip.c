/*
 * Telling news.
 *
 * What moves a register of the replica up is news.  It stands in a log of the latest ones, which
 * says by which way it came and where it is still to go:
 *
 *	our own          down both trees, from their roots; while we lack fingers, two neighbours
 *are asked to be the roots for us came by a tree   on in that tree, below what we share with the
 *sender; once for each tree came by repair   its id to all fingers, which ask for it if they lack
 *it: what one half of a split mesh had to be told, all of that half lacks all              to the
 *leaves that we feed
 *
 * News are told at the end of the step in which they came, but not less than two milliseconds after
 * the last ones: a burst travels in few frames, a single one at once.  Eight milliseconds later
 * their ids go to the next peer in the ring; it asks for what the trees failed to bring.  So a
 * dead inner member costs the others some ten milliseconds and each of them 50 bytes, where an
 * acknowledgement for each copy would cost twice that.
 *
 * A member that signs records faster than one a second, after a burst of eight, is kept (the latest
 * record) but not passed on; repair brings the last one round.
 *
 * The log is soft: when more than its 512 items come at once, the oldest are left to repair.
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <string.h>

#define ANNOUNCED_MAX 256 /* ids of one announcement that are looked at */

/* --- the log ---------------------------------------------------------------------------------- */

uint64_t stmt_id(const struct stmt *s)
{
	uint8_t digest[DIGEST_BYTES];
	uint64_t id = 0;

	stmt_digest16(s, digest);
	for (size_t i = 0; i < sizeof(id); i++)
		id = id << 8 | digest[i];
	return id;
}

struct news *newslog_at(const struct mesh *m, uint64_t number)
{
	const struct newslog *l = &m->log;

	if (!l->list || number >= l->next || number + NEWS_LOG_MAX < l->next || !number)
		return NULL;
	return &l->list[number % NEWS_LOG_MAX];
}

static uint64_t first_number(const struct mesh *m)
{
	return m->log.next > NEWS_LOG_MAX ? m->log.next - NEWS_LOG_MAX : 1;
}

struct news *newslog_find(const struct mesh *m, uint64_t id)
{
	for (uint64_t n = m->log.next; n-- > first_number(m);) {
		struct news *item = newslog_at(m, n);

		if (item && item->id == id)
			return item;
	}
	return NULL;
}

static bool is_raw_of(const struct news *item, struct bytes raw)
{
	return item->stmt->raw.count == raw.count &&
	       memcmp(item->stmt->raw.at, raw.at, raw.count) == 0;
}

/* Its number; 0: not there. */
static uint64_t find_raw(const struct mesh *m, struct bytes raw)
{
	for (uint64_t n = m->log.next; n-- > first_number(m);) {
		const struct news *item = newslog_at(m, n);

		if (item && is_raw_of(item, raw))
			return n;
	}
	return 0;
}

/* Its owner has signed more than ORIGIN_BURST records in as many seconds. */
static bool talks_too_much(const struct mesh *m, const struct stmt *s, int64_t now_ms)
{
	unsigned count = 0;

	if (s->kind != STMT_RECORD)
		return false;
	for (uint64_t n = m->log.next; n-- > first_number(m);) {
		const struct news *item = newslog_at(m, n);

		if (!item || now_ms - item->at_ms > ORIGIN_BURST * MS_PER_SECOND)
			break;
		count += item->stmt->kind == STMT_RECORD &&
		         key_equal(&item->stmt->member, &s->member);
	}
	return count >= ORIGIN_BURST;
}

static struct news *newslog_add(struct step *st, struct mesh *m, struct stmt *s)
{
	struct newslog *l = &m->log;
	struct news *item;

	if (!l->list) {
		l->list = mem_zalloc(st->n->mem, NEWS_LOG_MAX * sizeof(*l->list));
		l->next = l->due = l->announced = 1;
	}
	if (!l->list) {
		step_fail(st, -ENOMEM);
		return NULL;
	}
	item = &l->list[l->next % NEWS_LOG_MAX];
	if (item->stmt)
		stmt_unref(st->n->mem, item->stmt);
	l->next++;
	memset(item, 0, sizeof(*item));
	item->stmt = stmt_ref(s);
	item->id = stmt_id(s);
	item->at_ms = l->news_ms = st->now.mono_ms;
	return item;
}

void gossip_end(struct mesh *m)
{
	const struct mem *mem = m->owner->mem;

	for (size_t i = 0; m->log.list && i < NEWS_LOG_MAX; i++)
		if (m->log.list[i].stmt)
			stmt_unref(mem, m->log.list[i].stmt);
	mem_free(mem, m->log.list);
	memset(&m->log, 0, sizeof(m->log));
	watch_end(m);
	beat_end(m);
}

/* --- news ------------------------------------------------------------------------------------- */

/* It came by these trees from that session: there it is due, if it was not told already. */
static void make_due(struct step *st, struct mesh *m, uint64_t number, const struct session *from)
{
	struct news *item = newslog_at(m, number);

	for (size_t t = 0; t < TREES; t++) {
		if (!((unsigned)st->way >> t & 1) || ((item->due | item->told) >> t & 1))
			continue;
		item->due |= (uint8_t)(1 << t);
		item->from[t] = from->id;
		item->level[t] = (uint8_t)(st->way & WAY_ROOT ? 0 : tree_level_below(t, from));
		m->log.due = MIN_OF(m->log.due, number);
	}
}

void gossip_news(struct step *st, struct mesh *m, struct stmt *s, uint64_t from)
{
	const struct session *by = from ? session_by_id(st->n, from) : NULL;
	bool quiet = from && talks_too_much(m, s, st->now.mono_ms);
	struct news *item = newslog_add(st, m, s);

	if (!item)
		return;
	item->first_from = from;
	item->is_quiet = quiet;
	if (quiet)
		return;
	if (!from)
		item->due = (1 << TREES) - 1;
	else if (by && st->way != WAY_NONE)
		make_due(st, m, m->log.next - 1, by);
	else if (!m->joining)
		item->is_asked_for = m->log.has_asked_for = true;
}

/* What is known already is still to go on in a tree by which it had not come. */
static void known_again(struct step *st, struct session *s, struct bytes raw)
{
	uint64_t number = st->way == WAY_NONE ? 0 : find_raw(s->mesh, raw);

	if (number && !newslog_at(s->mesh, number)->is_quiet)
		make_due(st, s->mesh, number, s);
}

/* --- messages of bounded size ------------------------------------------------------------------
 */

struct teller {
	struct step *st;
	struct session *to;
	enum lane lane;
	enum way way;
	struct bytes list[MSG_ENTRIES_MAX];
	size_t count;
	size_t bytes;
};

void teller_flush(struct teller *t)
{
	struct msg msg = { .kind = MSG_ENTRIES };

	if (!t->count)
		return;
	msg.u.entries.stmts = t->list;
	msg.u.entries.count = t->count;
	msg.u.entries.way = t->way;
	step_send(t->st, t->to, t->lane, &msg);
	t->count = 0;
	t->bytes = 0;
}

void teller_add(struct teller *t, struct bytes raw)
{
	if (t->count == MSG_ENTRIES_MAX || t->bytes + raw.count > MSG_ENTRIES_BYTES_MAX)
		teller_flush(t);
	t->list[t->count++] = raw;
	t->bytes += raw.count;
}

struct teller *teller_new(struct step *st, struct session *to, enum lane lane, enum way way)
{
	struct teller *t = arena_alloc(&st->n->scratch, sizeof(*t));

	if (!t) {
		step_fail(st, -ENOMEM);
		return NULL;
	}
	t->st = st;
	t->to = to;
	t->lane = lane;
	t->way = way;
	t->count = 0;
	t->bytes = 0;
	return t;
}

/* --- telling ---------------------------------------------------------------------------------- */

/* Roots for us: two neighbours while we lack fingers, or are a leaf. */
struct roots {
	bool needed;
	uint64_t of[TREES]; /* sessions; 0: none */
};

static bool can_be_root(const struct mesh *m, const struct session *s)
{
	return s->mesh == m && !s->as_joiner && !s->is_closing && s->peer && !s->peer->is_leaf;
}

static struct roots find_roots(const struct step *st, const struct mesh *m)
{
	struct roots r = { m->lacking != 0 || tree_am_leaf(m), { 0, 0 } };
	struct map_node *pos;

	if (!r.needed)
		return r;
	map_for_each(pos, &st->n->sessions) {
		const struct session *s = container_of(pos, struct session, node);

		if (!can_be_root(m, s))
			continue;
		r.of[1] = r.of[0] ? s->id : 0;
		r.of[0] = r.of[0] ? r.of[0] : s->id;
		if (r.of[1])
			break;
	}
	if (!r.of[1])
		r.of[1] = r.of[0];
	return r;
}

/* By which ways this item is to go to this session now; also to a leaf: `ret_leaf`. */
static unsigned ways_to(const struct roots *r,
                        const struct news *item,
                        const struct session *s,
                        bool *ret_leaf)
{
	const struct mesh *m = s->mesh;
	unsigned ways = 0;

	*ret_leaf = s->peer->is_leaf && !item->told && item->first_from != s->id;
	for (size_t t = 0; t < TREES; t++) {
		if (!(item->due >> t & 1) || item->from[t] == s->id || item->first_from == s->id)
			continue;
		if (r->needed && !item->first_from)
			ways |= r->of[t] == s->id ? 1u << t | WAY_ROOT : 0;
		else if (tree_leads_to(m, t, item->level[t], s->peer))
			ways |= 1u << t;
	}
	return ways;
}

static void tell_session(struct step *st, struct session *s, const struct roots *r)
{
	struct mesh *m = s->mesh;
	struct teller *tellers[WAY__COUNT] = { NULL };

	for (uint64_t n = m->log.due; n < m->log.next; n++) {
		const struct news *item = newslog_at(m, n);
		unsigned ways;
		bool is_leaf;

		if (!item || !item->due)
			continue;
		ways = ways_to(r, item, s, &is_leaf);
		if (!ways && !is_leaf)
			continue;
		if (!tellers[ways])
			tellers[ways] = teller_new(st, s, LANE_CONTROL, (enum way)ways);
		if (!tellers[ways])
			return;
		teller_add(tellers[ways], item->stmt->raw);
	}
	for (size_t i = 0; i < ARRAY_LEN(tellers); i++)
		if (tellers[i])
			teller_flush(tellers[i]);
}

void gossip_flush(struct step *st, struct mesh *m)
{
	struct roots r;
	struct map_node *pos;
	bool any = false;

	for (uint64_t n = m->log.due; n < m->log.next && !any; n++)
		any = newslog_at(m, n) && newslog_at(m, n)->due;
	if (any) {
		m->log.told_ms = st->now.mono_ms;
		r = find_roots(st, m);
		m->is_untold |= m->sessions_count == 0 || (r.needed && !r.of[0]);
		map_for_each(pos, &st->n->sessions) {
			struct session *s = container_of(pos, struct session, node);

			if (s->mesh == m && !s->as_joiner && !s->is_closing)
				tell_session(st, s, &r);
		}
	}
	for (uint64_t n = m->log.due; n < m->log.next; n++) {
		struct news *item = newslog_at(m, n);

		if (item) {
			item->told |= item->due;
			item->due = 0;
		}
	}
	m->log.due = m->log.next;
}

size_t gossip_cast(struct step *st,
                   struct mesh *m,
                   enum way way,
                   const struct session *from,
                   const struct msg *msg)
{
	size_t t = way & WAY_TREE_2 ? 1 : 0;
	unsigned level = from && !(way & WAY_ROOT) ? tree_level_below(t, from) : 0;
	struct map_node *pos;
	size_t count = 0;

	map_for_each(pos, &st->n->sessions) {
		const struct session *s = container_of(pos, struct session, node);

		if (s->mesh != m || s->as_joiner || s->is_closing || s == from)
			continue;
		if (!tree_leads_to(m, t, level, s->peer) && !(s->peer->is_leaf && t == 0))
			continue;
		step_send(st, s, LANE_CONTROL, msg);
		count++;
	}
	return count;
}

/* --- announcing ---------------------------------------------------------------------------------
 */

/* Ids of items that are old enough, to be told to one session; nothing of what it gave us. */
static size_t gather_ids(const struct mesh *m,
                         const struct session *to,
                         int64_t until_ms,
                         uint64_t ids[ANNOUNCED_MAX])
{
	size_t count = 0;

	for (uint64_t n = m->log.announced; n < m->log.next && count < ANNOUNCED_MAX; n++) {
		const struct news *item = newslog_at(m, n);
		bool is_its = item && (item->first_from == to->id || item->from[0] == to->id ||
		                       item->from[1] == to->id);

		/* What a join or a repair fetched is nothing that the trees had to bring. */
		if (item && item->at_ms <= until_ms && !is_its && item->told)
			ids[count++] = item->id;
	}
	return count;
}

static void announce_to(struct step *st, struct session *s, int64_t until_ms, bool asked_for)
{
	struct mesh *m = s->mesh;
	struct msg msg = { .kind = MSG_ANNOUNCE };
	uint64_t ids[ANNOUNCED_MAX];

	if (!asked_for) {
		msg.u.items.count = gather_ids(m, s, until_ms, ids);
	} else {
		for (uint64_t n = m->log.announced;
		     n < m->log.next && msg.u.items.count < ANNOUNCED_MAX; n++) {
			const struct news *item = newslog_at(m, n);

			if (item && item->is_asked_for && item->first_from != s->id)
				ids[msg.u.items.count++] = item->id;
		}
	}
	msg.u.items.items = ids;
	if (msg.u.items.count)
		step_send(st, s, LANE_CONTROL, &msg);
}

/* What came by repair goes to all fingers at once. */
static void announce_repaired(struct step *st, struct mesh *m)
{
	struct map_node *pos;

	if (!m->log.has_asked_for)
		return;
	m->log.has_asked_for = false;
	map_for_each(pos, &st->n->sessions) {
		struct session *s = container_of(pos, struct session, node);

		if (s->mesh == m && !s->as_joiner && !s->is_closing &&
		    (s->peer->is_leaf || tree_leads_to(m, 0, 0, s->peer)))
			announce_to(st, s, st->now.mono_ms, true);
	}
	for (uint64_t n = m->log.announced; n < m->log.next; n++)
		if (newslog_at(m, n))
			newslog_at(m, n)->is_asked_for = false;
}

void gossip_finish(struct step *st, struct mesh *m)
{
	announce_repaired(st, m);
	if (m->log.due < m->log.next && st->now.mono_ms - m->log.told_ms >= BATCH_MS)
		gossip_flush(st, m);
}

static int64_t announce_at(const struct mesh *m)
{
	const struct news *first;

	if (m->log.announced >= m->log.next)
		return TIME_NEVER;
	first = newslog_at(m, MAX_OF(m->log.announced, first_number(m)));
	return first->at_ms + ANNOUNCE_AFTER_MS;
}

static void announce(struct step *st, struct mesh *m)
{
	int64_t until_ms = st->now.mono_ms - ANNOUNCE_AFTER_MS;
	struct peer *next = m->next.use;

	if (announce_at(m) > st->now.mono_ms)
		return;
	m->log.announced = MAX_OF(m->log.announced, first_number(m));
	if (next && next->session)
		announce_to(st, next->session, until_ms, false);
	while (m->log.announced < m->log.next && newslog_at(m, m->log.announced)->at_ms <= until_ms)
		m->log.announced++;
}

static void on_announce(struct step *st, struct session *s, const struct msg *msg)
{
	struct msg want = { .kind = MSG_WANT };
	uint64_t lacking[ANNOUNCED_MAX];

	for (size_t i = 0; i < msg->u.items.count && i < ANNOUNCED_MAX; i++)
		if (!newslog_find(s->mesh, msg->u.items.items[i]))
			lacking[want.u.items.count++] = msg->u.items.items[i];
	want.u.items.items = lacking;
	if (want.u.items.count)
		step_send(st, s, LANE_CONTROL, &want);
}

static void on_want_announced(struct step *st, struct session *s, const struct msg *msg)
{
	struct teller *t = teller_new(st, s, LANE_CONTROL, WAY_NONE);

	for (size_t i = 0; t && i < msg->u.items.count && i < ANNOUNCED_MAX; i++) {
		const struct news *item = newslog_find(s->mesh, msg->u.items.items[i]);

		if (item)
			teller_add(t, item->stmt->raw);
	}
	if (t)
		teller_flush(t);
}

/* --- messages -----------------------------------------------------------------------------------
 */

static void on_entries(struct step *st, struct session *s, const struct msg *msg)
{
	size_t news = 0;

	st->way = msg->u.entries.way;
	for (size_t i = 0; i < msg->u.entries.count && !st->err; i++) {
		enum offer offer = mesh_offer(st, s->mesh, msg->u.entries.stmts[i], s->id);

		news += offer == OFFER_NEW;
		if (offer == OFFER_KNOWN)
			known_again(st, s, msg->u.entries.stmts[i]);
	}
	st->way = WAY_NONE;
	if (msg->u.entries.is_page)
		repair_entries(st, s, msg);
	/* A join, or who has just started, waits for a digest that is equal. */
	else if (news && (s->mesh->joining || !s->mesh->counter_known))
		gossip_ask(st, s);
}

void gossip_message(struct step *st, struct session *s, const struct msg *msg)
{
	watch_heard(st, s);
	switch (msg->kind) {
	case MSG_ENTRIES:
		on_entries(st, s, msg);
		break;
	case MSG_DIGEST:
		/* Neither a question nor an answer: its time is chosen by the sender. */
		if (!msg->u.digest.question && !msg->u.digest.members)
			watch_alive(st, s);
		repair_digest(st, s, msg);
		break;
	case MSG_ANNOUNCE:
		on_announce(st, s, msg);
		break;
	case MSG_WANT:
		if (msg->u.items.salt)
			repair_message(st, s, msg);
		else
			on_want_announced(st, s, msg);
		break;
	case MSG_SKETCH:
	case MSG_CONTINUE:
	case MSG_FETCH:
		repair_message(st, s, msg);
		break;
	case MSG_SUSPECT:
	case MSG_ATTEST:
		watch_message(st, s, msg);
		break;
	case MSG_BEAT:
	case MSG_BEAT_ACK:
		beat_message(st, s, msg);
		break;
	case MSG_REDEEM:
	case MSG_REDEEMED:
	case MSG_BYE:
		break; /* not ours: node.c */
	}
}

/* --- sessions -----------------------------------------------------------------------------------
 */

static void send_digest(struct step *st, struct session *s, bool question)
{
	struct msg msg = { .kind = MSG_DIGEST };

	set_digest(s->mesh->set, msg.u.digest.digest);
	msg.u.digest.question = question;
	step_send(st, s, LANE_CONTROL, &msg);
}

void gossip_alive(struct step *st, struct session *s)
{
	send_digest(st, s, false);
}

static void walk_by(struct mesh *m, int64_t at_ms)
{
	m->maintain_ms = MIN_OF(m->maintain_ms, at_ms);
}

void gossip_ask(struct step *st, struct session *s)
{
	send_digest(st, s, true);
	if (!s->is_asking)
		s->asked_ms = st->now.mono_ms;
	s->is_asking = true;
	walk_by(s->mesh, s->asked_ms + st->n->options.timeout_ms + 1);
}

void gossip_ask_all(struct step *st, const struct mesh *m, int64_t pause_ms)
{
	struct map_node *pos;

	map_for_each(pos, &st->n->sessions) {
		struct session *s = container_of(pos, struct session, node);

		if (s->mesh == m && !s->as_joiner && !s->is_closing &&
		    (!s->is_asking || st->now.mono_ms - s->asked_ms >= pause_ms))
			gossip_ask(st, s);
	}
}

void gossip_start(struct step *st, struct mesh *m)
{
	m->maintain_ms = st->now.mono_ms;
	m->repair_ms =
		st->now.mono_ms + rng_jitter(&st->n->rng, st->n->options.pull_interval_ms, 50);
	tree_start(st, m);
	watch_start(st, m);
	beat_start(st, m);
}

static int add_stmt(void *ctx, const struct stmt *stmt)
{
	teller_add(ctx, stmt->raw);
	return 0;
}

void gossip_farewell(struct step *st, struct session *s)
{
	struct teller *t = teller_new(st, s, LANE_CONTROL, WAY_NONE);

	if (!t || set_visit_member(s->mesh->set, NULL, add_stmt, t) ||
	    set_visit_member(s->mesh->set, &s->peer->key, add_stmt, t)) {
		step_fail(st, -ENOMEM);
		return;
	}
	teller_flush(t);
}

/* What this host has said of itself when nobody was there to hear it. */
static void tell_of_us(struct step *st, struct session *s)
{
	struct mesh *m = s->mesh;
	enum way way = (enum way)(WAY_ROOT | WAY_TREE_1 | WAY_TREE_2);
	struct teller *t;

	if (!m->is_untold || s->peer->is_leaf)
		return;
	t = teller_new(st, s, LANE_CONTROL, way);
	if (!t || set_visit_member(m->set, &m->self.box_public, add_stmt, t)) {
		step_fail(st, -ENOMEM);
		return;
	}
	teller_flush(t);
	m->is_untold = false;
}

void gossip_session_up(struct step *st, struct session *s)
{
	s->mending.known = s->mesh->log.next;
	tree_session_up(st, s);
	tell_of_us(st, s);
	watch_heard(st, s);
	if (s->dialled)
		gossip_ask(st, s);
}

void gossip_session_down(struct step *st, struct session *s)
{
	repair_end(st->n->mem, s);
	if (s->mesh->fetching == s->id)
		s->mesh->fetching = 0;
	if (s->peer->session)
		return;
	tree_session_down(st, s->peer);
	if (!s->said_bye && !s->is_closing)
		watch_broken(st, s->peer);
}

/* Is somebody being dialled, or waiting for it? */
static bool dial_wanted(struct step *st, struct mesh *m)
{
	struct map_node *pos;
	bool waits = false;

	map_for_each(pos, &m->peers) {
		struct peer *p = container_of(pos, struct peer, node);
		/* While we know nobody by record, the bootstraps are all there is. */
		bool known = p->known.port && mesh_live_members(m) <= 1;
		const struct entry *e;

		if (p->session)
			continue;
		waits |= p->dial || p->is_unreachable || p->is_doubtful || p->is_wanted || known;
		if (p->dial || st->now.mono_ms < p->dial_again_ms)
			continue;
		e = p->is_unreachable ? set_find(m->set, &p->key) : NULL;
		if (p->is_wanted || p->is_doubtful || known ||
		    (e && (e->standing == STANDING_IN || e->standing == STANDING_PRUNED)))
			dial_peer(st, p);
	}
	return waits;
}

static void close_surplus(struct step *st, struct session *s)
{
	if (!s->dialled || s->mesh->joining || s->peer->is_wanted) {
		s->unwanted_ms = 0;
		return;
	}
	if (!s->unwanted_ms)
		s->unwanted_ms = st->now.mono_ms;
	else if (st->now.mono_ms - s->unwanted_ms > SURPLUS_AFTER_MS)
		step_close(st, s);
}

/* A leaf sits behind something that forgets silent streams. */
static void keep_up(struct step *st, struct session *s)
{
	int64_t timeout_ms = st->n->options.timeout_ms;
	bool is_late = s->is_asking && st->now.mono_ms - s->asked_ms > timeout_ms;

	if (is_late && st->now.mono_ms - s->heard_ms > timeout_ms) {
		dial_session_down(st, s->id, ERR_TIMED_OUT);
		return;
	}
	if (!s->is_asking && s->dialled && tree_am_leaf(s->mesh) &&
	    st->now.mono_ms - s->heard_ms > PROBE_AFTER_MS)
		gossip_ask(st, s);
	else
		repair_tick(st, s);
	if (s->is_asking)
		walk_by(s->mesh, MAX_OF(s->asked_ms, s->heard_ms) + timeout_ms + 1);
}

static void look_after(struct step *st, struct session *s)
{
	close_surplus(st, s);
	if (!s->is_closing)
		keep_up(st, s);
}

static void each_session(struct step *st,
                         struct mesh *m,
                         void (*visit)(struct step *st, struct session *s))
{
	struct map_node *pos;
	struct map_node *tmp;

	map_for_each_safe(pos, tmp, &st->n->sessions) {
		struct session *s = container_of(pos, struct session, node);

		if (s->mesh == m && !s->as_joiner && !s->is_closing)
			visit(st, s);
	}
}

static void pull_random(struct step *st, struct mesh *m)
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
		if (pick-- == 0 && !s->is_closing)
			gossip_ask(st, s);
	}
}

void gossip_tick(struct step *st, struct mesh *m)
{
	if (st->now.mono_ms >= m->maintain_ms) {
		int64_t pause = MAINTAIN_IDLE_MS;

		tree_choose(st, m);
		dial_tick(st, m);
		if (dial_wanted(st, m))
			pause = m->lacking ? MAINTAIN_BUSY_MS : MAINTAIN_WAITING_MS;
		m->maintain_ms = st->now.mono_ms + rng_jitter(&st->n->rng, pause, 20);
		each_session(st, m, look_after); /* may want the next walk earlier */
	}
	if (st->now.mono_ms >= m->repair_ms)
		pull_random(st, m);
	announce(st, m);
	watch_tick(st, m);
	beat_tick(st, m);
}

int64_t gossip_deadline(const struct mesh *m)
{
	int64_t at = MIN_OF(m->maintain_ms, m->repair_ms);
	int64_t announce_ms = announce_at(m);
	int64_t watch_ms = watch_deadline(m);
	int64_t beat_ms = beat_deadline(m);

	if (m->log.due < m->log.next)
		at = MIN_OF(at, m->log.told_ms + BATCH_MS);
	at = MIN_OF(at, announce_ms);
	at = MIN_OF(at, watch_ms);
	return MIN_OF(at, beat_ms);
}
