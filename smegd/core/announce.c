/*
 * Announcing news: the ids of what others may lack, who ask for it then (want.c).
 *
 * Eight milliseconds after they came, ids go to three neighbours in rings, which ask for what the
 * trees failed to bring.  So a dead inner member costs the others some ten milliseconds, and each
 * of them a hundred bytes, as acknowledgements would.  One neighbour is not enough: of 3000 some
 * fifty miss both copies where one in twenty has just died and one in a hundred portions is late,
 * and one in fourteen of those would hear of it 200 ms later.  Nor are three where that is so: what
 * only one tree has brought goes to those who are closest in the other one as well.  The same dead
 * host should have told them, and some of them miss both copies.
 *
 * What came by repair goes to all fingers, since half of a mesh may lack it.
 *
 * Rejected: a fourth neighbour for all (36 bytes a change of a healthy mesh), eight random sessions
 * instead of the closest (two changes in a hundred found a host that heard of it 200 ms later).
 */
#include "smegd/core/node_priv.h"

#define WIDER 8         /* sessions for what one tree has not brought */
#define WIDER_RATE 16   /* unless so many news come in a second */
#define REPAIRED_WIDE 2 /* rounds to all fingers of what came by repair, in a row */
#define REPAIRED_WIDE_MS (4 * MS_PER_SECOND) /* for one more of them */
#define REPAIRED_TOLD 3                      /* fingers, about, in any other round */

static unsigned ring_bits(const struct mesh *m, const struct peer *p)
{
	unsigned bits = 0;

	for (size_t i = 0; i < RING; i++)
		bits |= m->ring[i].use == p ? 1u << i : 0;
	return bits;
}

/* Of the two of us that are next to each other only the one that has it first need say so. */
void news_announced(struct news *item, const struct session *by)
{
	item->announced |= (uint8_t)ring_bits(by->mesh, by->peer);
}

/* Which items are announced to one session. */
struct gathering {
	uint64_t first; /* number of the first that is looked at */
	bool (*suits)(const struct gathering *g, const struct news *item);
	int64_t until_ms; /* that came until then */
	unsigned bits;    /* of the rings, in which the session is our neighbour; of a tree */
};

/* Never what that session gave us. */
static size_t gather(const struct gathering *g,
                     const struct session *to,
                     uint64_t ids[ANNOUNCED_MAX])
{
	const struct mesh *m = to->mesh;
	size_t count = 0;

	for (uint64_t n = g->first; n < m->log.next && count < ANNOUNCED_MAX; n++) {
		const struct news *item = newslog_at(m, n);

		if (item && g->suits(g, item) && !news_is_from(item, to))
			ids[count++] = item->id;
	}
	return count;
}

/* Old enough, and nothing that it has told us it has. */
static bool is_old(const struct gathering *g, const struct news *item)
{
	/* What a join or a repair fetched is nothing that the trees had to bring. */
	return item->at_ms <= g->until_ms && item->told && !(item->announced & g->bits);
}

/* By the other tree only: somebody on the way to us in this one is dead, and others lack it, too.
 */
static bool is_single(const struct gathering *g, const struct news *item)
{
	return item->at_ms <= g->until_ms && item->told && item->came == (BOTH_TREES & ~g->bits);
}

/* Came by repair, and by no tree since. */
static bool is_repaired(const struct gathering *g, const struct news *item)
{
	(void)g;
	return item->is_asked_for;
}

static void announce_to(
	struct step *st, const struct session *s, uint64_t *ids, size_t count, bool repaired)
{
	struct msg msg = { .kind = MSG_ANNOUNCE };

	msg.u.items.items = ids;
	msg.u.items.count = count;
	msg.u.items.repaired = repaired;
	if (count)
		step_send(st, s, LANE_CONTROL, &msg);
}

/* The same for our neighbours in the rings: what waits to be told is not announced before. */
static int64_t ring_patience(const struct mesh *m, int64_t now_ms)
{
	int64_t patience_ms = news_patience(m, now_ms);

	return news_is_flood(m, now_ms) ? MAX_OF(patience_ms, 2 * NEWS_BATCH_MS) : patience_ms;
}

/* What came by repair goes to all fingers: at once, unless the trees are late with it. */
static int64_t announce_repaired_at(const struct mesh *m, int64_t now_ms)
{
	int64_t after_ms = news_patience(m, now_ms);

	if (!m->log.asked_for)
		return TIME_NEVER;
	return m->log.asked_for_ms + (after_ms > ANNOUNCE_AFTER_MS ? after_ms : 0);
}

/*
 * A round to all fingers is for what half of a mesh lacks.  Where repair brings something all the
 * time, since many join or hosts are busy, most have it already, and rounds would be most of what
 * is sent: some random fingers will do.
 */
static bool may_go_wide(struct mesh *m, int64_t now_ms)
{
	int64_t since_ms = now_ms - m->log.wide_ms;

	if (since_ms >= REPAIRED_WIDE_MS) {
		m->log.wide -= (unsigned)MIN_OF((int64_t)m->log.wide, since_ms / REPAIRED_WIDE_MS);
		m->log.wide_ms = now_ms;
	}
	if (mesh_is_settling(m, now_ms) || m->log.wide >= REPAIRED_WIDE)
		return false;
	m->log.wide++;
	return true;
}

static bool is_told_repaired(struct step *st, const struct session *s, bool wide)
{
	const struct mesh *m = s->mesh;

	if (s->as_joiner || s->is_closing)
		return false;
	if (s->peer->is_leaf)
		return true;
	if (!tree_leads_to(m, 0, 0, s->peer))
		return false;
	return wide || rng_below(&st->n->rng, m->sessions_count) < REPAIRED_TOLD;
}

void announce_repaired(struct step *st, struct mesh *m)
{
	struct gathering g = { .first = m->log.asked_for, .suits = is_repaired };
	uint64_t ids[ANNOUNCED_MAX];
	const struct session *s;
	bool wide;

	if (st->now.mono_ms < announce_repaired_at(m, st->now.mono_ms))
		return;
	wide = may_go_wide(m, st->now.mono_ms);
	session_for_each(s, m)
		if (is_told_repaired(st, s, wide))
			announce_to(st, s, ids, gather(&g, s, ids), true);
	for (uint64_t n = m->log.asked_for; n < m->log.next; n++)
		if (newslog_at(m, n))
			newslog_at(m, n)->is_asked_for = false;
	m->log.asked_for = 0;
}

static int64_t announce_at(const struct mesh *m, int64_t now_ms)
{
	const struct news *first;

	if (m->log.announced >= m->log.next)
		return TIME_NEVER;
	first = newslog_at(m, MAX_OF(m->log.announced, newslog_first(m)));
	return first->at_ms + ring_patience(m, now_ms);
}

static void announce_old(struct step *st, const struct session *to, int64_t until_ms)
{
	const struct mesh *m = to->mesh;
	struct gathering g = { m->log.announced, is_old, until_ms, ring_bits(m, to->peer) };
	uint64_t ids[ANNOUNCED_MAX];

	announce_to(st, to, ids, gather(&g, to, ids), false);
}

/*
 * Who are closest to us in that tree, with a random one first of those who are equally close: what
 * has not reached us there, they lack as well.
 */
static size_t find_closest(struct step *st,
                           const struct mesh *m,
                           size_t t,
                           const struct session **ret)
{
	size_t first = rng_below(&st->n->rng, m->sessions_all);
	size_t count = 0;

	for (unsigned level = TREE_LEVELS + 1; level-- > 0;)
		for (size_t i = 0; i < m->sessions_all; i++) {
			const struct session *s = m->sessions[(first + i) % m->sessions_all];

			if (!s->peer || s->peer->spot.level[t] != level || s->as_joiner ||
			    s->is_closing || s->peer->is_leaf)
				continue;
			if (count == WIDER)
				return count;
			ret[count++] = s;
		}
	return count;
}

static bool has_single(const struct mesh *m, const struct gathering *g)
{
	for (uint64_t n = g->first; n < m->log.next; n++)
		if (newslog_at(m, n) && is_single(g, newslog_at(m, n)))
			return true;
	return false;
}

/*
 * Three neighbours in rings are enough as long as they are not dead as well: of 3000 hosts of which
 * one in twenty is, one in thirty changes would find a host that misses both copies and all three.
 * Where many news come at once repair is on its way anyway.
 */
static void announce_wider(struct step *st, struct mesh *m, int64_t until_ms)
{
	const struct session *closest[WIDER];
	uint64_t ids[ANNOUNCED_MAX];

	if (tree_am_leaf(m) || mesh_is_settling(m, st->now.mono_ms) || !m->sessions_all ||
	    rate_is(&m->log.rate, WIDER_RATE, st->now.mono_ms))
		return;
	for (size_t t = 0; t < TREES; t++) {
		struct gathering g = { m->log.announced, is_single, until_ms, 1u << t };
		size_t count = has_single(m, &g) ? find_closest(st, m, t, closest) : 0;

		for (size_t i = 0; i < count; i++)
			announce_to(st, closest[i], ids, gather(&g, closest[i], ids), false);
	}
}

void announce_tick(struct step *st, struct mesh *m)
{
	/* Some of what is not yet that old goes along, or each would go alone. */
	int64_t after_ms = MAX_OF(ring_patience(m, st->now.mono_ms) / 2, ANNOUNCE_AFTER_MS);
	int64_t until_ms = st->now.mono_ms - after_ms;

	if (announce_at(m, st->now.mono_ms) > st->now.mono_ms)
		return;
	m->log.announced = MAX_OF(m->log.announced, newslog_first(m));
	for (size_t i = 0; i < RING; i++) {
		const struct peer *p = m->ring[i].use;
		bool is_told = false;

		/* In a small mesh one peer is several of our neighbours. */
		for (size_t k = 0; k < i; k++)
			is_told |= m->ring[k].use == p;
		if (p && p->session && !is_told)
			announce_old(st, p->session, until_ms);
	}
	announce_wider(st, m, until_ms);
	while (m->log.announced < m->log.next && newslog_at(m, m->log.announced)->at_ms <= until_ms)
		m->log.announced++;
}

int64_t announce_deadline(const struct mesh *m)
{
	int64_t now_ms = m->owner->last_mono_ms;
	int64_t at_ms = announce_at(m, now_ms);
	int64_t repaired_ms = announce_repaired_at(m, now_ms);

	return MIN_OF(at_ms, repaired_ms);
}
