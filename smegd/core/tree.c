/*
 * Whom we keep connected: the prefix trees.
 *
 * A member's position in a tree is a keyed hash of its key, read as digits of 4 bits.  For each
 * number of digits that somebody shares with us, and each next digit, there is a slot, and we seek
 * a session with one peer in it: the nearest by XOR of positions, so that two who are each other's
 * nearest need one session between them.  Some 39 slots a tree are not empty at 3000 members.
 * News that come from a neighbour go on to the fingers in the slots below what it shares with us:
 * so each prefix is covered by exactly one of its members, whoever the news begin with, without any
 * message to build it.  Two trees, by two hashes, have different inner members: what a dead one
 * loses in one tree comes by the other.
 *
 * `want` is who should be connected, `use` who is: when the wanted one is not, any connected peer
 * of the slot serves.  Slots are settled lazily: a newcomer is compared with the one wanted at
 * once, though dialled some seconds later if another serves; but when the wanted one goes, one pass
 * over all members looks for the next ones of all such slots, at the pace of the neighbour walk.
 *
 * A member that cannot be dialled (a client, a peer without a place) is a leaf: in nobody's slots.
 * It dials two peers which hand it everything: see uplink.c.
 *
 * Rejected: key intervals on the wire (a forged bound silences a part of the mesh), trees built
 * by messages (they must be mended by messages), a table of all positions (16 bytes a member).
 */
#include "smegd/core/node_priv.h"

#include <sodium.h>
#include <string.h>

_Static_assert(crypto_shorthash_KEYBYTES == 16, "as long as the labels");

static const char *const labels[TREES] = { "smegmesh tree 01", "smegmesh tree 02" };

static uint64_t hash_of(const char *label, const struct key *k)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t out = 0;

	crypto_shorthash(hash, k->b, sizeof(k->b), (const uint8_t *)label);
	for (size_t i = 0; i < sizeof(hash); i++)
		out = out << 8 | hash[i];
	return out;
}

uint64_t tree_hash(const struct key *k)
{
	return hash_of(labels[0], k);
}

static uint8_t level_of(uint64_t a, uint64_t b)
{
	uint8_t level = 0;

	while (level < TREE_LEVELS && (a >> (60 - 4 * level) & 15) == (b >> (60 - 4 * level) & 15))
		level++;
	return level;
}

void tree_spot(const struct mesh *m, const struct key *k, struct spot *ret_spot)
{
	for (size_t t = 0; t < TREES; t++) {
		uint64_t position = hash_of(labels[t], k);
		uint8_t level = level_of(position, m->trees[t].position);

		ret_spot->position[t] = position;
		ret_spot->level[t] = level;
		ret_spot->digit[t] = 0;
		if (level < TREE_LEVELS)
			ret_spot->digit[t] = (uint8_t)(position >> (60 - 4 * level) & 15);
	}
}

void tree_peer(const struct mesh *m, struct peer *p)
{
	tree_spot(m, &p->key, &p->spot);
}

/* Somebody stands, or is wanted, at this spot. */
static void deepen(struct mesh *m, size_t t, const struct spot *at)
{
	m->trees[t].depth = MAX_OF(m->trees[t].depth, (uint8_t)(at->level[t] + 1));
}

static void fit_depth(struct mesh *m)
{
	for (size_t t = 0; t < TREES; t++) {
		struct tree *tree = &m->trees[t];
		bool used = false;

		while (tree->depth && !used) {
			for (size_t d = 0; d < TREE_DIGITS; d++)
				used |= tree->slots[tree->depth - 1][d].want ||
				        tree->slots[tree->depth - 1][d].use;
			tree->depth -= !used;
		}
	}
}

struct slot *tree_slot(struct mesh *m, size_t t, const struct spot *at)
{
	if (at->level[t] == TREE_LEVELS)
		return NULL;
	return &m->trees[t].slots[at->level[t]][at->digit[t]];
}

/* --- who may stand in a slot ------------------------------------------------------------------ */

static bool is_peer(const struct mesh *m, const struct entry *e)
{
	return e->standing == STANDING_IN && record_role(e->record) == ROLE_PEER &&
	       !key_equal(&e->member, &m->self.box_public);
}

bool tree_may_be_finger(const struct mesh *m, const struct entry *e)
{
	return is_peer(m, e) && record_has_places(e->record);
}

bool tree_am_leaf(const struct mesh *m)
{
	struct place places[LIMIT_ENDPOINTS];

	return m->role == ROLE_CLIENT || own_places(m, places, ARRAY_LEN(places)) == 0;
}

/* Not known to be out of reach; one that is counts again once there is a session. */
bool tree_may_serve(const struct mesh *m, const struct entry *e)
{
	const struct peer *p = mesh_peer(m, &e->member);

	return !p || p->session || !p->is_unreachable;
}

/* --- settling --------------------------------------------------------------------------------- */

static bool is_of_ring(const struct mesh *m, const struct slot *s)
{
	return s >= m->ring && s < m->ring + RING;
}

/* How far from us: XOR in a tree, the way round the ring. */
static uint64_t distance(const struct mesh *m, size_t t, const struct slot *s, uint64_t position)
{
	uint64_t ours = m->trees[t].position;

	if (s == &m->ring[RING_NEXT] || s == &m->ring[RING_OTHER])
		return position - ours;
	return s == &m->ring[RING_BEFORE] ? ours - position : position ^ ours;
}

/* In a mesh that is wide, a connected finger gives way only to one that answers sooner: near.c. */
static bool is_nearer(const struct mesh *m, size_t t, const struct slot *s, const struct spot *at)
{
	if (!s->want)
		return true;
	if (m->is_wide && !is_of_ring(m, s) && s->want->session)
		return false;
	return distance(m, t, s, at->position[t]) < distance(m, t, s, s->want->spot.position[t]);
}

/* The slots of a spot: one a tree, and those of the ring. */
#define SPOT_SLOTS (TREES + RING)

static struct slot *slot_at(struct mesh *m, const struct spot *at, size_t i, size_t *ret_tree)
{
	*ret_tree = i < TREES ? i : i == TREES + RING_OTHER;
	return i < TREES ? tree_slot(m, i, at) : &m->ring[i - TREES];
}

/* Offer a member to its slots; all: also to those that are settled. */
static void offer(struct step *st, struct mesh *m, const struct entry *e, bool all)
{
	struct spot at;
	bool is_checked = false;

	tree_spot(m, &e->member, &at);
	for (size_t i = 0; i < SPOT_SLOTS; i++) {
		size_t t;
		struct slot *s = slot_at(m, &at, i, &t);
		struct peer *p;

		if (!s || !(all || s->is_stale) || !is_nearer(m, t, s, &at))
			continue;
		if (!is_checked && (!tree_may_be_finger(m, e) || !tree_may_serve(m, e)))
			return;
		is_checked = true;
		p = mesh_peer_make(st, m, &e->member);
		if (!p)
			return;
		s->want = p;
		if (!is_of_ring(m, s))
			deepen(m, t, &at);
		mesh_changed(m);
	}
}

static bool is_any_stale(const struct mesh *m)
{
	bool any = false;

	for (size_t i = 0; i < RING; i++)
		any |= m->ring[i].is_stale;
	for (size_t t = 0; t < TREES; t++)
		for (size_t l = 0; l < m->trees[t].depth; l++)
			for (size_t d = 0; d < TREE_DIGITS; d++)
				any |= m->trees[t].slots[l][d].is_stale;
	return any;
}

typedef void slot_visit(struct step *st, struct mesh *m, struct slot *s);

static void each_slot(struct step *st, struct mesh *m, slot_visit *visit)
{
	for (size_t t = 0; t < TREES; t++)
		for (size_t l = 0; l < m->trees[t].depth; l++)
			for (size_t d = 0; d < TREE_DIGITS; d++)
				visit(st, m, &m->trees[t].slots[l][d]);
	for (size_t i = 0; i < RING; i++)
		visit(st, m, &m->ring[i]);
}

static void empty_stale(struct step *st, struct mesh *m, struct slot *s)
{
	(void)st;
	(void)m;
	if (!s->is_stale)
		return;
	s->want = NULL;
	s->tried = 0;
}

static void mark_settled(struct step *st, struct mesh *m, struct slot *s)
{
	(void)st;
	(void)m;
	s->is_stale = false;
	if (s->want && s->want->session)
		s->use = s->want;
}

static void settle(struct step *st, struct mesh *m)
{
	const struct entry *e;

	m->settled_ms = st->now.mono_ms;
	each_slot(st, m, empty_stale);
	/* Most are no nearer than others: to read their records first would be most of the work. */
	for (size_t i = 0; !st->err && (e = set_group_next(m->set, &i)); i++)
		offer(st, m, e, false);
	each_slot(st, m, mark_settled);
	fit_depth(m);
}

static void make_stale(struct step *st, struct mesh *m, struct slot *s)
{
	(void)st;
	(void)m;
	s->is_stale = true;
}

void tree_start(struct step *st, struct mesh *m)
{
	struct map_node *pos;

	for (size_t t = 0; t < TREES; t++) {
		m->trees[t].position = hash_of(labels[t], &m->self.box_public);
		m->trees[t].depth = TREE_LEVELS;
	}
	map_for_each(pos, &m->peers)
		tree_peer(m, container_of(pos, struct peer, node));
	each_slot(st, m, make_stale);
	uplink_start(st, m);
	m->lacking = 1; /* until the first look */
}

/* --- changes ---------------------------------------------------------------------------------- */

/* Where many go at once, one pass looks for all that are to take their places. */
static void settle_soon(struct mesh *m)
{
	int64_t at_ms = MAX_OF(m->owner->last_mono_ms + 1, m->settled_ms + MAINTAIN_BUSY_MS);

	m->maintain_ms = MIN_OF(m->maintain_ms, at_ms);
}

static void let_go(struct mesh *m, struct peer *p, bool also_use)
{
	bool is_sought = tree_am_leaf(m);

	for (size_t i = 0; i < SPOT_SLOTS; i++) {
		size_t t;
		struct slot *s = slot_at(m, &p->spot, i, &t);

		if (!s)
			continue;
		s->is_stale |= s->want == p;
		is_sought |= s->is_stale;
		if (also_use && s->use == p)
			s->use = NULL;
	}
	uplink_lost(m, p);
	if (is_sought)
		settle_soon(m);
	else
		mesh_changed(m);
}

bool tree_holds(struct mesh *m, const struct peer *p)
{
	for (size_t i = 0; i < SPOT_SLOTS; i++) {
		size_t t;
		const struct slot *s = slot_at(m, &p->spot, i, &t);

		if (s && (s->want == p || s->use == p))
			return true;
	}
	return p->is_one_of_few || uplink_holds(m, p);
}

bool tree_misses(struct mesh *m, const struct peer *p)
{
	if (p->is_one_of_few || tree_am_leaf(m))
		return true;
	for (size_t i = 0; i < SPOT_SLOTS; i++) {
		size_t t;
		const struct slot *s = slot_at(m, &p->spot, i, &t);

		if (s && is_nearer(m, t, s, &p->spot))
			return true;
	}
	return false;
}

void tree_member(struct step *st, struct mesh *m, const struct entry *e)
{
	struct peer *p = mesh_peer(m, &e->member);
	bool is_finger = tree_may_be_finger(m, e);

	few_member(st, m, e);
	if (p)
		p->is_leaf = e->standing == STANDING_IN && !is_finger;
	m->has_leaves |= p && p->is_leaf;
	if (is_finger)
		offer(st, m, e, true);
	else if (p)
		let_go(m, p, true);
	if (is_finger && p && p->session)
		tree_session_up(st, p->session);
}

void tree_session_up(struct step *st, struct session *s)
{
	struct mesh *m = s->mesh;
	const struct entry *e = set_find(m->set, &s->peer->key);

	s->peer->is_leaf = e && e->standing == STANDING_IN && !tree_may_be_finger(m, e);
	m->has_leaves |= s->peer->is_leaf;
	/* Not in the group as far as we know: it may be new, and knows more than we. */
	if (s->peer->is_leaf || (e && e->standing == STANDING_EXPELLED))
		return;
	/* It may have been out of reach when its slots were settled. */
	if (e && is_peer(m, e))
		offer(st, m, e, true);
	for (size_t i = 0; i < SPOT_SLOTS; i++) {
		size_t t;
		struct slot *slot = slot_at(m, &s->peer->spot, i, &t);

		if (slot && (slot->want == s->peer || (!slot->use && !is_of_ring(m, slot))))
			slot->use = s->peer;
		if (slot && !is_of_ring(m, slot) && slot->use == s->peer)
			deepen(m, t, &s->peer->spot);
	}
}

/* Another connected peer of the slot. */
static struct peer *substitute(size_t t, const struct peer *gone)
{
	const struct session *s;

	session_for_each(s, gone->mesh) {
		struct peer *p = s->peer;

		if (p && p != gone && p->session == s && !p->is_leaf && !s->is_closing &&
		    p->spot.level[t] == gone->spot.level[t] &&
		    p->spot.digit[t] == gone->spot.digit[t])
			return p;
	}
	return NULL;
}

void tree_session_down(struct peer *p)
{
	struct mesh *m = p->mesh;

	for (size_t i = 0; i < SPOT_SLOTS; i++) {
		size_t t;
		struct slot *s = slot_at(m, &p->spot, i, &t);

		if (!s || s->use != p)
			continue;
		s->use = is_of_ring(m, s) ? NULL : substitute(t, p);
	}
}

void tree_unreachable(struct step *st, struct peer *p)
{
	(void)st;
	let_go(p->mesh, p, !p->session);
}

/* --- whom we want ----------------------------------------------------------------------------- */

void tree_want(struct mesh *m, struct peer *p)
{
	if (!p || p->is_wanted)
		return;
	p->is_wanted = true;
	m->lacking += !p->session;
}

/* One tree brings all news: the second one is for when some of its inner members are dead. */
static bool is_second(const struct mesh *m, const struct slot *s)
{
	const struct slot *first = &m->trees[1].slots[0][0];

	return s >= first && s < first + TREE_LEVELS * TREE_DIGITS;
}

/*
 * While another serves, a nearer newcomer is not dialled at once: where many join, most would be
 * outdone by the next ones before they were of any use.  Nor, then, is anybody for the second tree.
 */
static bool can_wait(struct step *st, struct mesh *m, struct slot *s)
{
	bool is_served = s->use && s->use != s->want;
	bool is_spare = !s->use && is_second(m, s) && mesh_is_storm(m, st->now.mono_ms);

	if (is_of_ring(m, s) || !s->want || s->want->session || !(is_served || is_spare)) {
		s->wait_ms = 0;
		return false;
	}
	if (!s->wait_ms)
		s->wait_ms = st->now.mono_ms + rng_jitter(&st->n->rng, TREE_WAIT_MS, 50);
	/* More are coming, perhaps. */
	if (st->now.mono_ms >= s->wait_ms && (st->now.mono_ms >= s->wait_ms + TREE_WAIT_MORE_MS ||
	                                      (st->now.mono_ms - m->newcomer_ms >= TREE_CALM_MS &&
	                                       !mesh_is_storm(m, st->now.mono_ms))))
		return false;
	/* Nothing comes of a look before: and it would be a walk over all neighbours. */
	m->maintain_ms =
		MIN_OF(m->maintain_ms, MAX_OF(s->wait_ms, st->now.mono_ms + MAINTAIN_IDLE_MS));
	return true;
}

static void want_slot(struct step *st, struct mesh *m, struct slot *s)
{
	tree_want(m, can_wait(st, m, s) ? s->use : s->want);
}

void tree_choose(struct step *st, struct mesh *m)
{
	struct peer *p;
	bool is_leaf = tree_am_leaf(m);

	if (!is_leaf && is_any_stale(m))
		settle(st, m);
	m->lacking = 0;
	peer_for_each(p, m)
		p->is_wanted =
			p->lacks_address || watch_wants(m, p) || (p->is_one_of_few && !is_leaf);
	if (is_leaf)
		uplink_choose(st, m);
	else
		each_slot(st, m, want_slot);
}

/* --- where news go ---------------------------------------------------------------------------- */

bool tree_leads_to(const struct mesh *m, size_t t, unsigned level, const struct peer *p)
{
	unsigned at = p->spot.level[t];

	return at < TREE_LEVELS && at >= level && m->trees[t].slots[at][p->spot.digit[t]].use == p;
}

unsigned tree_level_below(size_t t, const struct session *from)
{
	return from->peer ? from->peer->spot.level[t] + 1u : 0;
}
