/*
 * Telling news.
 *
 * What moves a register of the replica up is news.  It stands in a log of the latest ones, which
 * says by which way it came and where it is still to go:
 *
 * - our own: down both trees, from their roots; while we lack fingers, two neighbours are asked to
 *   be the roots for us;
 * - came by a tree: on in that tree, below what we share with the sender; once for each tree;
 * - came by repair: its id to all fingers, which ask for it if they lack it, and do the same: what
 *   one half of a split mesh had to be told, all of that half lacks;
 * - came since a neighbour in a ring had it by a tree: the same, for who misses both trees has
 *   others behind it that do; but where our own timers are late, to our own neighbours in the
 *   rings: the trees are but slow, and rounds to all fingers would make them slower;
 * - all: to the leaves that we feed.
 *
 * News are told at the end of the step in which they came, but not less than two milliseconds after
 * the last ones: a burst travels in few frames, a single one at once.  What the trees fail to bring
 * is announced: announce.c.
 *
 * When half of a mesh is lost, each of the other half names other watchers, and many are removed:
 * thousands of news within a minute.  Records wait for each other then, a quarter of a second at
 * each hop; a remove does not, and takes along what waits.
 *
 * Where all members of a slot are connected, see few.c, each is told, and that it is the last.
 *
 * A member that signs records faster than one a second, after a burst of eight, is kept (the latest
 * record) but not passed on; repair brings the last one round.
 *
 * The log (newslog.c) is soft: when more than its 512 items come at once, the oldest are left to
 * repair.
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <string.h>

#define ANNOUNCE_AFTER_MAX_MS MS_PER_SECOND
#define BATCH_MAX_MS 100
#define BURST 32       /* news in a second, while a mesh settles after many have joined */
#define STREAK_MIN 16u /* news by repair, each less than so long after the last: */
#define STREAK_GAP_MS 50
#define STREAK_MORE_MS 80 /* more are expected so long */
#define LAG_RISES 8       /* by that part of itself, and 1 ms */
#define LAG_FALLS 16
#define LAG_LIFE_MS (5 * MS_PER_SECOND) /* how long the last one counts that was seen */

void gossip_end(struct mesh *m)
{
	newslog_fini(m);
	repair_forget(m);
	watch_end(m);
	beat_end(m);
}

bool news_is_flood(const struct mesh *m, int64_t now_ms)
{
	return rate_is(&m->log.tree_rate, NEWS_FLOOD, now_ms);
}

/* --- news ------------------------------------------------------------------------------------- */

static int64_t lag_of(const struct mesh *m, int64_t now_ms)
{
	return now_ms - m->log.lag_at_ms < LAG_LIFE_MS ? m->log.lag_ms : 0;
}

/*
 * A copy came that long after the first.  What is kept moves a step up or down, so that two of
 * three are within it: the few that a lossy stream holds up must not make all announcements wait.
 */
static void note_lag(struct mesh *m, int64_t lag_ms, int64_t now_ms)
{
	int64_t before = lag_of(m, now_ms);
	int64_t step_ms =
		lag_ms > before ? 1 + before / LAG_RISES : -(before + LAG_FALLS - 1) / LAG_FALLS;

	m->log.lag_ms = before + step_ms;
	m->log.lag_at_ms = now_ms;
}

/* How slow the trees seem: or it is we who are late, and find in a moment what they have brought.
 */
static int64_t slowness(const struct mesh *m, int64_t now_ms)
{
	return MAX_OF(lag_of(m, now_ms), watch_late(m));
}

/*
 * How long the trees are given before we announce.  Where they take longer, because many join at
 * once or because all are far away, the next peer would ask for what is under way; and what it is
 * given for that, it has to announce in its turn.
 */
int64_t news_patience(const struct mesh *m, int64_t now_ms)
{
	int64_t after_ms = MAX_OF(2 * slowness(m, now_ms), ANNOUNCE_AFTER_MS);

	if (mesh_is_settling(m, now_ms))
		return ANNOUNCE_AFTER_MAX_MS;
	return MIN_OF(after_ms, ANNOUNCE_AFTER_MAX_MS);
}

/* Nobody hangs on us in the tree by which it came: but leaves, and our neighbours in the rings. */
static void make_due_below(struct mesh *m, uint64_t number)
{
	struct news *item = newslog_at(m, number);

	if (item->due | item->told)
		return;
	item->due = NEWS_LEAVES;
	m->log.due = MIN_OF(m->log.due, number);
}

/* The trees that it came by, handed on or as their last copy. */
static void note_came(struct step *st, struct mesh *m, struct news *item, uint64_t from)
{
	unsigned trees = (unsigned)st->way | (unsigned)st->way / WAY_LAST_1;

	trees &= BOTH_TREES & ~(unsigned)item->came;
	if (!trees)
		return;
	for (size_t t = 0; t < TREES; t++)
		if (trees >> t & 1)
			item->from[t] = from;
	item->came |= (uint8_t)trees;
	note_lag(m, st->now.mono_ms - item->at_ms, st->now.mono_ms);
}

/* It came by these trees from that session: there it is due, if it was not told already. */
static void make_due(struct step *st, struct mesh *m, uint64_t number, const struct session *from)
{
	struct news *item = newslog_at(m, number);

	note_came(st, m, item, from->id);
	for (size_t t = 0; t < TREES; t++) {
		if (!((unsigned)st->way >> t & 1) || ((item->due | item->told) >> t & 1))
			continue;
		item->due |= (uint8_t)(1 << t);
		item->is_asked_for = false; /* the tree brings it to the others, too */
		item->from[t] = from->id;
		item->level[t] = (uint8_t)(st->way & WAY_ROOT ? 0 : tree_level_below(t, from));
		m->log.due = MIN_OF(m->log.due, number);
	}
	make_due_below(m, number);
}

/* One after the other comes by repair: more is on its way. */
static void note_stream(struct mesh *m, int64_t now_ms)
{
	struct newslog *l = &m->log;

	l->streak = now_ms - l->streak_ms < STREAK_GAP_MS ? l->streak + 1 : 1;
	l->streak_ms = now_ms;
	if (l->streak > STREAK_MIN)
		repair_mending(m, now_ms + STREAK_MORE_MS);
}

static void ask_for(struct mesh *m, struct news *item)
{
	note_stream(m, item->at_ms);
	item->is_asked_for = true;
	if (m->log.asked_for)
		return;
	m->log.asked_for = m->log.next - 1;
	m->log.asked_for_ms = item->at_ms;
}

void gossip_news(struct step *st, struct mesh *m, struct stmt *s, uint64_t from)
{
	const struct session *by = from ? session_by_id(st->n, from) : NULL;
	bool quiet = from && newslog_is_too_much(m, s, st->now.mono_ms);
	struct news *item = newslog_add(st, m, s);

	if (!item)
		return;
	item->first_from = from;
	item->is_quiet = quiet;
	if (s->kind == STMT_RECORD && (!from || st->way != WAY_NONE))
		rate_count(&m->log.tree_rate, st->now.mono_ms);
	if (quiet)
		return;
	if (!from)
		item->due = item->came = BOTH_TREES;
	else if (by && st->way != WAY_NONE)
		make_due(st, m, m->log.next - 1, by);
	else if (watch_late(m) > ANNOUNCE_AFTER_MS && want_is_of_ring(m, item->id))
		make_due_below(m, m->log.next - 1);
	else if (!m->joining)
		ask_for(m, item);
}

void news_known(struct step *st, struct session *s, struct bytes raw)
{
	uint64_t number = st->way == WAY_NONE ? 0 : newslog_find_raw(s->mesh, raw);

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

/* Roots for what is our own: two neighbours while we lack fingers, or are a leaf. */
struct roots {
	bool needed;
	uint64_t of[TREES]; /* sessions; 0: none */
};

static bool can_be_root(const struct session *s)
{
	return !s->as_joiner && !s->is_closing && s->peer && !s->peer->is_leaf;
}

/* Silent ones may be cut off from the rest. */
static void add_roots(const struct step *st, const struct mesh *m, bool silent, struct roots *r)
{
	const struct session *s;

	session_for_each(s, m) {
		if (r->of[1])
			return;
		if (!can_be_root(s) || beat_comes_by(s, st->now) == silent)
			continue;
		r->of[r->of[0] ? 1 : 0] = s->id;
	}
}

static bool is_own_due(const struct mesh *m)
{
	for (uint64_t n = m->log.due; n < m->log.next; n++) {
		const struct news *item = newslog_at(m, n);

		if (item && item->due && !item->first_from)
			return true;
	}
	return false;
}

static struct roots find_roots(const struct step *st, const struct mesh *m)
{
	struct roots r = { .needed = is_own_due(m) && (m->lacking || tree_am_leaf(m)) };

	if (!r.needed)
		return r;
	add_roots(st, m, false, &r);
	add_roots(st, m, true, &r);
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
	unsigned ways = 0;

	*ret_leaf = s->peer->is_leaf && !item->told && item->first_from != s->id;
	for (size_t t = 0; t < TREES; t++) {
		/* Who gave us the item by the other tree needs it for those below it in this one.
		 */
		if (!(item->due >> t & 1) || item->from[t] == s->id)
			continue;
		if (r->needed && !item->first_from)
			ways |= r->of[t] == s->id ? 1u << t | WAY_ROOT : 0;
		else
			ways |= few_way(s->peer, t, item->level[t]);
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

/*
 * Most news go on to few of our neighbours, or to none: who is looked at is found by the slots that
 * they are for, and no session twice.  A walk over all of them for each change of the mesh was a
 * quarter of what a daemon does while the mesh is busy.
 */
static void tell_peer(struct step *st, const struct peer *p, const struct roots *r)
{
	struct session *s = p ? p->session : NULL;

	if (!s || s->is_closing || s->as_joiner || s->told == p->mesh->log.rounds)
		return;
	s->told = p->mesh->log.rounds;
	tell_session(st, s, r);
}

static void tell_slot(struct step *st, const struct slot *s, size_t t, const struct roots *r)
{
	if (!few_is_whole(s, t)) {
		tell_peer(st, s->use, r);
		return;
	}
	for (const struct peer *p = s->few; p; p = p->next[t])
		tell_peer(st, p, r);
}

/* The lowest level of a tree from which on something is due. */
static unsigned level_due(const struct mesh *m, size_t t)
{
	unsigned level = TREE_LEVELS;

	for (uint64_t n = m->log.due; n < m->log.next; n++) {
		const struct news *item = newslog_at(m, n);

		if (item && (item->due >> t & 1))
			level = MIN_OF(level, item->level[t]);
	}
	return level;
}

static void tell_trees(struct step *st, struct mesh *m, const struct roots *r)
{
	for (size_t t = 0; t < TREES; t++)
		for (unsigned l = level_due(m, t); l < m->trees[t].depth; l++)
			for (size_t d = 0; d < TREE_DIGITS; d++)
				tell_slot(st, &m->trees[t].slots[l][d], t, r);
}

/* Leaves hang on us, and roots are chosen, in no slot of ours. */
static void tell_all(struct step *st, struct mesh *m, const struct roots *r)
{
	struct session *s;
	bool has_leaves = false;

	session_for_each(s, m) {
		has_leaves |= s->peer && s->peer->is_leaf;
		tell_peer(st, s->peer && s->peer->session == s ? s->peer : NULL, r);
	}
	m->has_leaves = has_leaves;
}

/* The trees in which something is to be told, as bits. */
static unsigned trees_due(const struct mesh *m)
{
	unsigned due = 0;

	for (uint64_t n = m->log.due; n < m->log.next; n++)
		due |= newslog_at(m, n) ? newslog_at(m, n)->due : 0u;
	return due;
}

void gossip_flush(struct step *st, struct mesh *m)
{
	unsigned due = trees_due(m);
	struct roots r;

	for (size_t t = 0; t <= TREES; t++)
		if (due >> t & 1)
			m->log.told_ms[t] = st->now.mono_ms;
	if (due) {
		r = find_roots(st, m);
		m->is_untold |= m->sessions_count == 0 || (r.needed && !r.of[0]);
		m->log.rounds++;
		if (r.needed || m->has_leaves)
			tell_all(st, m, &r);
		else
			tell_trees(st, m, &r);
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

static size_t cast_leaves(struct step *st,
                          struct mesh *m,
                          const struct session *from,
                          const struct msg *msg)
{
	const struct session *s;
	size_t count = 0;

	if (!m->has_leaves)
		return 0;
	m->has_leaves = false;
	session_for_each(s, m) {
		if (!s->peer || !s->peer->is_leaf)
			continue;
		m->has_leaves = true;
		if (s->is_closing || s == from)
			continue;
		step_send(st, s, LANE_CONTROL, msg);
		count++;
	}
	return count;
}

/* Two beats come in ten seconds to everybody: it looks at slots, not at all sessions. */
size_t gossip_cast(struct step *st,
                   struct mesh *m,
                   enum way way,
                   const struct session *from,
                   const struct msg *msg)
{
	size_t t = way & WAY_TREE_2 ? 1 : 0;
	unsigned level = from && !(way & WAY_ROOT) ? tree_level_below(t, from) : 0;
	size_t count = t == 0 ? cast_leaves(st, m, from, msg) : 0;

	for (; level < m->trees[t].depth; level++)
		for (size_t d = 0; d < TREE_DIGITS; d++) {
			const struct peer *p = m->trees[t].slots[level][d].use;

			if (!p || !p->session || p->session->is_closing || p->session == from)
				continue;
			step_send(st, p->session, LANE_CONTROL, msg);
			count++;
		}
	return count;
}

bool news_is_from(const struct news *item, const struct session *s)
{
	return item->first_from == s->id || item->from[0] == s->id || item->from[1] == s->id;
}

/* --- when ---------------------------------------------------------------------------------------
 */

/* Is anything due that is no record? */
static bool is_urgent(const struct mesh *m)
{
	for (uint64_t n = m->log.due; n < m->log.next; n++) {
		const struct news *item = newslog_at(m, n);

		if (item && item->due && item->stmt->kind != STMT_RECORD)
			return true;
	}
	return false;
}

static bool is_burst(const struct mesh *m, int64_t now_ms)
{
	if (mesh_is_settling(m, now_ms))
		return rate_is(&m->log.rate, BURST, now_ms);
	return news_is_flood(m, now_ms) && !is_urgent(m);
}

/*
 * Each tree waits for itself: what has just gone down the one must not hold up the same news in the
 * other.  Where news are slow anyway, more of them share a frame.
 */
static int64_t flush_at(const struct mesh *m, int64_t now_ms)
{
	int64_t batch_ms = is_burst(m, now_ms) ? NEWS_BATCH_MS
	                                       : MIN_OF(MAX_OF(slowness(m, now_ms) / 4, BATCH_MS),
	                                                BATCH_MAX_MS);
	unsigned due = m->log.due < m->log.next ? trees_due(m) : 0;
	int64_t at = TIME_NEVER;

	for (size_t t = 0; t <= TREES; t++)
		if (due >> t & 1)
			at = MIN_OF(at, m->log.told_ms[t] + batch_ms);
	return at;
}

void gossip_finish(struct step *st, struct mesh *m)
{
	announce_repaired(st, m);
	/* Whom all news come to last has nothing due, and would look at ever more of them. */
	if (m->log.due < m->log.next && !trees_due(m))
		m->log.due = m->log.next;
	if (st->now.mono_ms >= flush_at(m, st->now.mono_ms))
		gossip_flush(st, m);
}

int64_t news_deadline(const struct mesh *m)
{
	int64_t now_ms = m->owner->last_mono_ms;
	int64_t flush_ms = flush_at(m, now_ms);
	int64_t announce_ms = announce_deadline(m);

	return MIN_OF(flush_ms, announce_ms);
}
