/*
 * Near fingers: of the members of a slot, one that answers quickly.
 *
 * A slot begins with the member whose position is nearest, which on a network of one place is as
 * good as any.  Where its answers take more than NEAR_MS, other members of the slot are dialled,
 * one at a time, each once, and asked; the quickest of them stays.  News then cross the world once,
 * at their last hop, and not at each.
 *
 * The slots of the lowest levels come first: all news pass them.  Where a slot has few members,
 * all are connected, and there is nothing to choose: few.c.  Nothing is said about this on the
 * wire, and nothing kept of those that were slower.
 *
 * Once a member was found to be far, a connected finger stays until one is measured that answers
 * sooner: were it to give way to whoever has a nearer position, as on a network of one place, each
 * session that is opened to measure might cost what had been found.
 *
 * An answer may have waited for a busy host, and most hosts are busy when a mesh starts.  So the
 * least round trip of a session counts, a finger has SURE answers before another is tried, and
 * nobody is while our own timers are late: three hundred daemons on one machine would else find
 * each other far, dial all the more, and so be later still.
 *
 * Rejected: network coordinates in records (signed again whenever they move), asking everybody
 * (eight members of 77 slots at once), trying those first whose addresses begin as ours do (what
 * that is worth, no simulation can tell).
 */
#include "smegd/core/node_priv.h"

#define NEAR_MS 10            /* a round trip that is good enough */
#define SURE 3                /* answers before a finger counts as far */
#define GAIN_MS 5             /* less is not worth a change */
#define TRIES_LOWEST 24       /* in a slot of level 0, besides the first */
#define TRIES 16              /* in those above it */
#define EXPLORE_MS 250        /* between two tries */
#define EXPLORE_IDLE_MS 30000 /* when there is nothing to try */
#define CALM_MS 10000         /* without a newcomer, before anybody is tried */
#define LATE_MS 20            /* our own timers: more, and this host is too busy to measure */
#define LOOKED_AT_MAX 16384   /* members, for the tries of a slot */

void near_start(struct step *st, struct mesh *m)
{
	m->explore_ms = st->now.mono_ms + rng_jitter(&st->n->rng, 10 * EXPLORE_MS, 50);
}

int64_t near_deadline(const struct mesh *m)
{
	return m->explore_ms;
}

static bool is_peer_far(const struct peer *p)
{
	return p->session && p->answers >= SURE && p->least_ms > NEAR_MS;
}

static bool is_far(const struct slot *s, unsigned level)
{
	unsigned others = s->members ? s->members - 1u : 0;

	return s->members > FEW && s->want && is_peer_far(s->want) &&
	       s->tried < MIN_OF(others, level ? TRIES : TRIES_LOWEST);
}

/* The first slot, from the lowest level up, that could do better. */
static struct slot *find_far(struct mesh *m, size_t *ret_t, struct spot *ret_at)
{
	for (uint8_t l = 0; l < TREE_LEVELS; l++)
		for (size_t t = 0; t < TREES; t++)
			for (uint8_t d = 0; d < TREE_DIGITS; d++) {
				struct slot *s = &m->trees[t].slots[l][d];

				if (!is_far(s, l))
					continue;
				*ret_t = t;
				ret_at->level[t] = l;
				ret_at->digit[t] = d;
				return s;
			}
	return NULL;
}

/* The next member of that slot that we do not talk to; the first is a random one. */
static const struct entry *find_other(struct step *st,
                                      struct mesh *m,
                                      size_t t,
                                      const struct spot *at)
{
	struct slot *slot = tree_slot(m, t, at);
	size_t count = set_count(m->set);

	if (!slot->tried) {
		slot->at = (uint32_t)rng_below(&st->n->rng, count);
		slot->left = (uint32_t)MIN_OF(count, LOOKED_AT_MAX);
	}
	while (slot->left) {
		const struct entry *e = set_at(m->set, ++slot->at % count);
		const struct peer *p;
		struct spot spot;

		slot->left--;
		tree_spot(m, &e->member, &spot);
		if (spot.level[t] != at->level[t] || spot.digit[t] != at->digit[t] ||
		    !tree_may_be_finger(m, e))
			continue;
		p = mesh_peer(m, &e->member);
		if (!p || (!p->session && !p->dial && !p->is_unreachable))
			return e;
	}
	return NULL;
}

/* Fingers of whom too little is known to call them near or far.  True: some are asked now. */
static bool ask_fingers(struct step *st, struct mesh *m)
{
	bool any = false;

	for (size_t t = 0; t < TREES; t++)
		for (size_t l = 0; l < TREE_LEVELS; l++)
			for (size_t d = 0; d < TREE_DIGITS; d++) {
				const struct slot *s = &m->trees[t].slots[l][d];

				if (s->members <= FEW || !s->want || !s->want->session ||
				    s->want->answers >= SURE ||
				    (s->want->answers && s->want->least_ms <= NEAR_MS))
					continue;
				any = true;
				if (!s->want->session->is_asking)
					gossip_ask(st, s->want->session);
			}
	return any;
}

/* While many join, answers are late because all are busy: more dialling would make them later. */
static bool is_calm(const struct step *st, const struct mesh *m)
{
	return !m->joining && (!m->newcomer_ms || st->now.mono_ms - m->newcomer_ms >= CALM_MS);
}

void near_tick(struct step *st, struct mesh *m)
{
	struct spot at;
	struct slot *slot;
	const struct entry *e;
	struct peer *p;
	bool may_explore = !m->lacking && is_calm(st, m);
	bool is_asking;
	size_t t;

	if (st->now.mono_ms < m->explore_ms)
		return;
	if (st->now.mono_ms - m->explore_ms > LATE_MS) {
		m->is_exploring = false;
		m->explore_ms = st->now.mono_ms + rng_jitter(&st->n->rng, CALM_MS, 50);
		return;
	}
	is_asking = may_explore && ask_fingers(st, m);
	slot = may_explore ? find_far(m, &t, &at) : NULL;
	m->is_exploring = slot || is_asking;
	m->explore_ms = st->now.mono_ms +
	                rng_jitter(&st->n->rng, m->is_exploring ? EXPLORE_MS : EXPLORE_IDLE_MS, 30);
	if (!slot)
		return;
	e = find_other(st, m, t, &at);
	slot->tried++;
	p = e ? mesh_peer_make(st, m, &e->member) : NULL;
	if (p)
		dial_peer(st, p);
	else
		slot->tried = UINT8_MAX; /* there is nobody else */
}

static void note_answer(struct peer *p, int64_t rtt_ms)
{
	p->rtt_ms = (uint32_t)MIN_OF(rtt_ms, (int64_t)UINT32_MAX);
	p->least_ms = p->answers ? MIN_OF(p->least_ms, p->rtt_ms) : p->rtt_ms;
	if (p->answers < UINT8_MAX)
		p->answers++;
}

void near_measured(struct step *st, struct session *s, int64_t rtt_ms)
{
	struct mesh *m = s->mesh;
	struct peer *p = s->peer;
	bool is_used = p->is_wanted;

	note_answer(p, rtt_ms);
	m->is_wide |= is_peer_far(p);
	for (size_t t = 0; t < TREES; t++) {
		struct slot *slot = tree_slot(m, t, &p->spot);

		if (!slot || p->is_leaf)
			continue;
		is_used |= slot->want == p;
		if (!slot->want || slot->want == p || !is_peer_far(slot->want) ||
		    p->least_ms + GAIN_MS >= slot->want->least_ms)
			continue;
		slot->want = slot->use = p;
		p->is_wanted = is_used = true;
		mesh_changed(m);
	}
	/* One that was only dialled to be asked need not stay. */
	if (!is_used && s->dialled && p->least_ms > NEAR_MS && !s->unwanted_ms)
		s->unwanted_ms = st->now.mono_ms - SURPLUS_AFTER_MS;
}
