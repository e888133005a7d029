/*
 * Near fingers: of the members of a slot, one that answers quickly.
 *
 * A slot begins with the member whose position is nearest, which on a network of one place is as
 * good as any.  Where its answers take more than NEAR_MS, other members of the slot are dialled,
 * one at a time, each once, and asked; the quickest of them stays.  The first try is to ask the
 * present one again: it may have been busy.  News then cross the world once,
 * at their last hop, and not at each.
 *
 * The slots of the lowest levels come first: all news pass them.  Nothing is said about this on the
 * wire, and nothing kept of those that were slower.
 *
 * Rejected: network coordinates in records (signed again whenever they move), asking everybody
 * (eight members of 77 slots at once), forgetting a near one for one with a nearer position.
 */
#include "smegd/core/node_priv.h"

#define NEAR_MS 10            /* a round trip that is good enough */
#define GAIN_MS 5             /* less is not worth a change */
#define TRIES_MAX 12          /* in a slot of level 0, besides the first; 4 less a level */
#define EXPLORE_MS 250        /* between two tries */
#define EXPLORE_IDLE_MS 30000 /* when there is nothing to try */
#define CALM_MS 5000          /* without a newcomer, before anybody is tried */
#define LOOKED_AT_MAX 8192    /* members, to find one of a slot */

void near_start(struct step *st, struct mesh *m)
{
	m->explore_ms = st->now.mono_ms + rng_jitter(&st->n->rng, 10 * EXPLORE_MS, 50);
}

int64_t near_deadline(const struct mesh *m)
{
	return m->explore_ms;
}

static bool is_far(const struct slot *s, unsigned level)
{
	return s->want && s->want->session && s->want->rtt_ms > NEAR_MS &&
	       s->tried + 4 * level < TRIES_MAX;
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

/* A random member of that slot that we do not talk to. */
static const struct entry *find_other(struct step *st,
                                      struct mesh *m,
                                      size_t t,
                                      const struct spot *at)
{
	size_t count = set_count(m->set);
	size_t first = (size_t)rng_below(&st->n->rng, count);

	for (size_t i = 0; i < count && i < LOOKED_AT_MAX; i++) {
		const struct entry *e = set_at(m->set, (first + i) % count);
		const struct peer *p;
		struct spot spot;

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
	size_t t;

	if (st->now.mono_ms < m->explore_ms)
		return;
	slot = m->lacking || !is_calm(st, m) ? NULL : find_far(m, &t, &at);
	m->is_exploring = slot != NULL;
	m->explore_ms =
		st->now.mono_ms + rng_jitter(&st->n->rng, slot ? EXPLORE_MS : EXPLORE_IDLE_MS, 30);
	if (!slot)
		return;
	if (!slot->tried++) {
		gossip_ask(st, slot->want->session);
		return;
	}
	e = find_other(st, m, t, &at);
	p = e ? mesh_peer_make(st, m, &e->member) : NULL;
	if (p)
		dial_peer(st, p);
	else
		slot->tried = TRIES_MAX; /* there is nobody else */
}

void near_measured(struct step *st, struct session *s)
{
	struct mesh *m = s->mesh;
	struct peer *p = s->peer;
	bool is_used = p->is_wanted;

	for (size_t t = 0; t < TREES; t++) {
		struct slot *slot;

		if (p->spot.level[t] == TREE_LEVELS || p->is_leaf)
			continue;
		slot = &m->trees[t].slots[p->spot.level[t]][p->spot.digit[t]];
		is_used |= slot->want == p;
		if (!slot->want || slot->want == p || !slot->want->session ||
		    slot->want->rtt_ms <= NEAR_MS || p->rtt_ms + GAIN_MS >= slot->want->rtt_ms)
			continue;
		slot->want = slot->use = p;
		slot->is_measured = true;
		p->is_wanted = is_used = true;
	}
	/* One that was only dialled to be asked need not stay. */
	if (!is_used && s->dialled && p->rtt_ms > NEAR_MS && !s->unwanted_ms)
		s->unwanted_ms = st->now.mono_ms - SURPLUS_AFTER_MS;
}
