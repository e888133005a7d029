/*
 * Slots of few members: all of them are kept connected, and get news from us.
 *
 * Below the levels in which a slot has many members, and so a near one to choose, nothing can be
 * chosen: the last two hops would lead through whoever is there, across the world and back.  So
 * where a slot has no more than FEW members, we seek a session with each.  While all of them are
 * connected the slot is `whole`: each gets news from us, marked as the last of their way, and hands
 * them to its leaves only.  While one of them is not, the finger gets them and hands them on below:
 * so it does not matter whether two members count alike.  At 3000 members this takes one hop out of
 * each tree, for some four sessions more: over nineteen regions a model of the trees gives 1.32
 * times the longest hop, where the nearest finger in every slot without it gives 1.62.
 *
 * Members are counted by a pass over all, some seconds after something has changed; until then such
 * a slot is not whole.
 *
 * Rejected: the receiver finding out by its own count that it has nothing to hand on (two who count
 * differently silence a part of a tree), counting on each change (a join would be a pass over all).
 */
#include "smegd/core/node_priv.h"

#include <string.h>

#define BUSY_MS (2 * MS_PER_SECOND) /* a count waits for our fingers to be connected */

static bool has_few(const struct slot *s)
{
	return s->members && s->members <= FEW;
}

static void count_later(struct step *st, struct mesh *m)
{
	if (m->count_ms != TIME_NEVER)
		return;
	m->counting_ms = st->now.mono_ms;
	m->count_ms = st->now.mono_ms + rng_jitter(&st->n->rng, FEW_WAIT_MS, 50);
}

void few_start(struct step *st, struct mesh *m)
{
	m->counting_ms = st->now.mono_ms;
	m->count_ms = st->now.mono_ms + rng_jitter(&st->n->rng, BUSY_MS, 50);
}

int64_t few_deadline(const struct mesh *m)
{
	return m->count_ms;
}

/* --- counting --------------------------------------------------------------------------------- */

static void forget_counts(struct mesh *m)
{
	struct map_node *pos;

	for (size_t t = 0; t < TREES; t++)
		for (size_t l = 0; l < TREE_LEVELS; l++)
			for (size_t d = 0; d < TREE_DIGITS; d++) {
				struct slot *s = &m->trees[t].slots[l][d];

				s->members = 0;
				s->few = NULL;
			}
	map_for_each(pos, &m->peers)
		container_of(pos, struct peer, node)->is_one_of_few = false;
}

static void count_one(struct mesh *m, const struct entry *e)
{
	struct spot at;

	tree_spot(m, &e->member, &at);
	for (size_t t = 0; t < TREES; t++) {
		struct slot *s = tree_slot(m, t, &at);

		if (s && s->members < UINT16_MAX)
			s->members++;
	}
}

static void seek_one(struct step *st, struct mesh *m, const struct entry *e)
{
	struct spot at;

	tree_spot(m, &e->member, &at);
	for (size_t t = 0; t < TREES; t++) {
		struct slot *s = tree_slot(m, t, &at);
		struct peer *p = s && has_few(s) ? mesh_peer_make(st, m, &e->member) : NULL;

		if (!p)
			continue;
		p->is_one_of_few = true;
		p->next[t] = s->few;
		s->few = p;
	}
}

static void count(struct step *st, struct mesh *m)
{
	const struct entry *e;

	forget_counts(m);
	if (tree_am_leaf(m)) {
		count_later(st, m);
		return;
	}
	set_for_each_in(e, i, m->set)
		if (tree_may_be_finger(m, e))
			count_one(m, e);
	set_for_each_in(e, i, m->set)
		if (!st->err && tree_may_be_finger(m, e))
			seek_one(st, m, e);
}

void few_tick(struct step *st, struct mesh *m)
{
	if (st->now.mono_ms < m->count_ms)
		return;
	if (m->lacking || (mesh_is_storm(m, st->now.mono_ms) &&
	                   st->now.mono_ms - m->counting_ms < STORM_WAIT_MS)) {
		m->count_ms = st->now.mono_ms + rng_jitter(&st->n->rng, BUSY_MS, 50);
		return;
	}
	m->count_ms = TIME_NEVER;
	count(st, m);
	m->maintain_ms = MIN_OF(m->maintain_ms, st->now.mono_ms);
}

/* --- changes ---------------------------------------------------------------------------------- */

/* It came, or it went.  False: the count stands. */
static bool is_count_off(struct slot *s, bool is_finger)
{
	if (is_finger)
		return s->members <= FEW;
	if (s->members > FEW + 1) {
		s->members--;
		return false;
	}
	return s->members != 0;
}

void few_member(struct step *st, struct mesh *m, const struct entry *e)
{
	struct peer *p = mesh_peer(m, &e->member);
	bool is_finger = tree_may_be_finger(m, e);
	struct spot at;

	/* A new record of one that is counted, or of a client, which never was. */
	if (is_finger ? p && p->is_one_of_few : e->record && record_role(e->record) != ROLE_PEER)
		return;
	if (p)
		p->is_one_of_few = false;
	tree_spot(m, &e->member, &at);
	for (size_t t = 0; t < TREES; t++) {
		struct slot *s = tree_slot(m, t, &at);

		if (!s || !is_count_off(s, is_finger))
			continue;
		s->members = 0;
		count_later(st, m);
	}
}

/* --- which are whole -------------------------------------------------------------------------- */

bool few_is_whole(const struct slot *s, size_t t)
{
	unsigned up = 0;

	if (!has_few(s))
		return false;
	for (const struct peer *p = s->few; p; p = p->next[t])
		up += p->session && !p->session->is_closing;
	return up == s->members;
}

unsigned few_way(const struct peer *p, size_t t, unsigned level)
{
	const struct slot *s;
	unsigned at = p->spot.level[t];

	if (at >= TREE_LEVELS || at < level)
		return WAY_NONE;
	s = &p->mesh->trees[t].slots[at][p->spot.digit[t]];
	if (p->is_one_of_few && few_is_whole(s, t))
		return (unsigned)WAY_LAST_1 << t;
	return s->use == p ? 1u << t : WAY_NONE;
}
