/*
 * Uplinks: the peers that a leaf hangs off.
 *
 * A leaf dials two peers, the first in rendezvous order of those it can reach, and they hand it
 * everything.  One that goes out of the group or out of reach is replaced at once.  One whose
 * session lives but brings nothing is harder: it may be cut off from the mesh, or the mesh may have
 * no leader for a while.  So an uplink that has brought no beat for three intervals is never just
 * dropped: a third peer is tried beside it, and takes its place if it does bring beats.  While
 * nobody brings any nothing moves, and the tries get rarer.  An uplink is thus only ever given up
 * for one that is connected and known to be better, and a mesh without a leader sets nobody
 * wandering.
 *
 * Beats may also come from an islet that follows a leader of its own.  So a third is looked at as
 * well when a greater key takes over although the old leader is in the group, and every three
 * minutes.  Who is tried is compared with like any peer that we dial, so a look also brings what
 * the uplinks have kept from us: mostly that they were pruned, and then both are replaced.  If they
 * were not, and the third follows another leader, it takes one of the two places: which part is the
 * mesh cannot be told from beats, so we hang off both.
 *
 * Tries go down the rendezvous order from the last one, so that each peer has its turn before one
 * has a second; who was given up or pruned is chosen again only if there is nobody else, for ten
 * minutes.
 *
 * Rejected: to drop first and dial then; to move by the lack of beats alone, both uplinks or one
 * (all clients of a mesh would move whenever a leader dies); to go by the leader's key where
 * beats of different ones come (the lower one may be the one that is cut off).
 */
#include "smegd/core/node_priv.h"

#include <string.h>

#define PAUSE_MAX 32u               /* intervals between two tries that came to nothing, at most */
#define LOOK_MS (3 * MS_PER_MINUTE) /* at a third peer, though nothing is amiss */
#define MUTE_MS (10 * MS_PER_MINUTE)

static int64_t interval_of(const struct step *st)
{
	return st->n->options.heartbeat_interval_ms;
}

/* --- who was given up ------------------------------------------------------------------------- */

bool uplink_is_mute(const struct mesh *m, const struct key *who, bool only_silent)
{
	const struct uplinks *u = &m->uplinks;

	for (size_t i = 0; i < ARRAY_LEN(u->mutes); i++)
		if (m->owner->last_mono_ms < u->mutes[i].until_ms &&
		    (u->mutes[i].is_silent || !only_silent) && key_equal(&u->mutes[i].who, who))
			return true;
	return false;
}

void uplink_mute(struct mesh *m, const struct key *who, bool is_silent)
{
	struct uplinks *u = &m->uplinks;

	u->mutes[u->next_mute] =
		(struct uplink_mute){ *who, m->owner->last_mono_ms + MUTE_MS, is_silent };
	u->next_mute = (u->next_mute + 1) % UPLINK_MUTES;
}

/* --- the choice ------------------------------------------------------------------------------- */

bool uplink_holds(const struct mesh *m, const struct peer *p)
{
	const struct uplinks *u = &m->uplinks;

	return u->of[0] == p || u->of[1] == p || u->trial == p;
}

/* Have beats come by it lately?  Not so before the first one. */
static bool brings(const struct step *st, const struct peer *p)
{
	return p && p->session && p->session->beat_ms && beat_comes_by(p->session, st->now);
}

static uint64_t weight_of(const struct mesh *m, const struct key *k)
{
	struct key pair = *k;

	for (size_t i = 0; i < sizeof(pair.b); i++)
		pair.b[i] ^= m->self.box_public.b[i];
	return tree_hash(&pair);
}

enum choice {
	CHOOSE_PROVEN, /* connected, and brings beats */
	CHOOSE_ANY,
	CHOOSE_MUTE, /* also who was given up */
	CHOOSE_NEW,  /* not connected: it may know what we do not */
};

/* The first below *weight in rendezvous order, or NULL. */
static struct peer *choose(struct step *st, struct mesh *m, enum choice how, uint64_t *weight)
{
	const struct entry *best = NULL;
	const struct entry *e;
	uint64_t best_weight = 0;

	set_for_each(e, i, m->set) {
		const struct peer *p = mesh_peer(m, &e->member);
		uint64_t w;

		if (!tree_may_be_finger(m, e) || !tree_may_serve(m, e) ||
		    (p && uplink_holds(m, p)) || (how == CHOOSE_PROVEN && !brings(st, p)) ||
		    (how == CHOOSE_NEW && p && p->session) ||
		    (how != CHOOSE_MUTE && uplink_is_mute(m, &e->member, false)))
			continue;
		w = weight_of(m, &e->member);
		if (w >= *weight || (best && w <= best_weight))
			continue;
		best = e;
		best_weight = w;
	}
	if (!best)
		return NULL;
	*weight = best_weight;
	return mesh_peer_make(st, m, &best->member);
}

static struct peer *choose_uplink(struct step *st, struct mesh *m)
{
	uint64_t weight = UINT64_MAX;
	struct peer *p = choose(st, m, CHOOSE_ANY, &weight);

	return p ? p : choose(st, m, CHOOSE_MUTE, &weight);
}

static void fill(struct step *st, struct mesh *m)
{
	struct uplinks *u = &m->uplinks;

	for (size_t i = 0; i < UPLINKS; i++) {
		if (u->of[i])
			continue;
		if (u->trial && u->trial->session) {
			u->of[i] = u->trial;
			u->trial = NULL;
		} else {
			u->of[i] = choose_uplink(st, m);
		}
	}
}

/* --- trying another --------------------------------------------------------------------------- */

/* Of the uplinks that live and bring no beats, the one that we have had longest. */
static struct peer **find_silent(const struct step *st, struct mesh *m)
{
	struct peer **found = NULL;

	for (size_t i = 0; i < UPLINKS; i++) {
		struct peer **p = &m->uplinks.of[i];

		if (*p && (*p)->session && !beat_comes_by((*p)->session, st->now) &&
		    (!found || (*p)->session->since_ms < (*found)->session->since_ms))
			found = p;
	}
	return found;
}

/*
 * The uplink that we have had longest, if all of them bring the beats of somebody who does not lead
 * the tried one; NULL: no.
 */
static struct peer **find_estranged(struct mesh *m)
{
	struct uplinks *u = &m->uplinks;
	struct peer **found = NULL;

	for (size_t i = 0; i < UPLINKS; i++) {
		const struct session *s = u->of[i] ? u->of[i]->session : NULL;

		if (!s || s->beat_ms < u->trial_ms ||
		    key_equal(&s->beat_by, &u->trial->session->beat_by))
			return NULL;
		if (!found || s->since_ms < (*found)->session->since_ms)
			found = &u->of[i];
	}
	return found;
}

static void displace(struct step *st, struct mesh *m, struct peer **silent, bool is_silent)
{
	struct uplinks *u = &m->uplinks;
	struct session *s = (*silent)->session;

	step_trace(st, TRACE_UPLINK_MOVED, m, &(*silent)->key, 0);
	if (is_silent)
		uplink_mute(m, &(*silent)->key, true);
	s->unwanted_ms = st->now.mono_ms - SURPLUS_AFTER_MS; /* unless somebody else needs it */
	*silent = u->trial;
	u->trial = NULL;
	u->pause = 0;
	u->next_ms = st->now.mono_ms + interval_of(st);
}

/* Of whom nothing comes in one and a half intervals will not do. */
static void judge(struct step *st, struct mesh *m)
{
	struct uplinks *u = &m->uplinks;
	struct peer **silent = find_silent(st, m);
	int64_t age_ms;
	bool is_good = brings(st, u->trial);

	if (!u->trial->session)
		return; /* it is dialled */
	if (is_good && silent) {
		displace(st, m, silent, true);
		return;
	}
	age_ms = st->now.mono_ms - MAX_OF(u->trial_ms, u->trial->session->since_ms);
	if (age_ms < interval_of(st) + interval_of(st) / 2)
		return;
	silent = is_good ? find_estranged(m) : NULL;
	if (silent)
		displace(st, m, silent, false);
	u->trial = NULL;
}

static void begin(struct step *st, struct mesh *m, bool is_silent)
{
	struct uplinks *u = &m->uplinks;
	uint64_t any = UINT64_MAX;

	/* Another that is connected will do for one that is silent; else there is more to hear. */
	u->trial = is_silent ? choose(st, m, CHOOSE_PROVEN, &any) : NULL;
	for (int turn = 0; !u->trial && turn < 2; turn++) {
		u->trial = choose(st, m, CHOOSE_NEW, &u->cursor);
		if (!u->trial)
			u->cursor = UINT64_MAX; /* all have had their turn */
	}
	u->trial_ms = st->now.mono_ms;
	u->look_ms = st->now.mono_ms + rng_jitter(&st->n->rng, LOOK_MS, 30);
	u->pause = u->pause ? MIN_OF(2 * u->pause, PAUSE_MAX) : 1;
	u->next_ms = st->now.mono_ms + rng_jitter(&st->n->rng, u->pause * interval_of(st), 25);
}

/* A greater key leads, and the one before is in the group: we may be on an islet. */
static bool has_office_passed_up(struct mesh *m)
{
	struct uplinks *u = &m->uplinks;
	struct key before = u->leader;
	const struct entry *e;
	int64_t at_ms;
	uint32_t acknowledged;

	if (!beat_view(m, &u->leader, &at_ms, &acknowledged))
		return false;
	if (key_compare(&u->leader, &before) <= 0 || key_is_zero(&before))
		return false;
	e = set_find(m->set, &before);
	return e && e->standing == STANDING_IN;
}

static void try_others(struct step *st, struct mesh *m)
{
	struct uplinks *u = &m->uplinks;
	bool is_silent;

	if (u->trial)
		judge(st, m);
	if (has_office_passed_up(m))
		u->look_ms = st->now.mono_ms;
	is_silent = find_silent(st, m) != NULL;
	if (!is_silent)
		u->pause = 0;
	if (!u->trial &&
	    ((is_silent && st->now.mono_ms >= u->next_ms) || st->now.mono_ms >= u->look_ms))
		begin(st, m, is_silent);
}

/* --- what happens ----------------------------------------------------------------------------- */

void uplink_start(struct step *st, struct mesh *m)
{
	struct uplinks *u = &m->uplinks;

	memset(u, 0, sizeof(*u));
	u->cursor = UINT64_MAX;
	u->look_ms = st->now.mono_ms + rng_jitter(&st->n->rng, LOOK_MS, 30);
}

void uplink_lost(struct mesh *m, struct peer *p)
{
	struct uplinks *u = &m->uplinks;
	const struct entry *e = set_find(m->set, &p->key);

	if (!uplink_holds(m, p))
		return;
	/* It may be back in a moment, and still be cut off. */
	if (e && e->standing == STANDING_PRUNED)
		uplink_mute(m, &p->key, false);

	for (size_t i = 0; i < UPLINKS; i++)
		if (u->of[i] == p)
			u->of[i] = NULL;
	if (u->trial != p)
		return;
	u->trial = NULL; /* the next one's turn */
	u->next_ms = 0;
}

void uplink_beat(struct step *st, struct session *s, const struct key *leader)
{
	s->beat_ms = st->now.mono_ms;
	s->beat_by = *leader;
	if (s->mesh->uplinks.trial == s->peer)
		s->mesh->maintain_ms = st->now.mono_ms;
}

void uplink_choose(struct step *st, struct mesh *m)
{
	struct uplinks *u = &m->uplinks;

	fill(st, m);
	try_others(st, m);
	tree_want(m, u->of[0]);
	tree_want(m, u->of[1]);
	tree_want(m, u->trial);
	if (m->role == ROLE_CLIENT)
		carrier_want(st, m);
}
