/*
 * The carrier: the peer through which a client's packets go.
 *
 * It is the first in rendezvous order of those that the client reaches, so that a change of the
 * roster moves as few clients as possible, but a carrier that works is kept: streams run through
 * it, and a move costs them some packets.  It is given up when it cannot be reached, leaves the
 * group, or is cut off from the mesh, which shows by beats that others bring and it does not.  Then
 * the first of those that are connected takes over; an untried one would be a guess of some
 * seconds.  A better one takes over when its session has stood for half a minute.
 *
 * A move is made in the order in which no handshake is lost: the record goes first, and the device
 * follows when the others can have made theirs.  A carrier that does not know the client yet drops
 * its handshake, and WireGuard begins another only five seconds later.
 *
 * Whom the own record names is the carrier that there is: nothing else is kept, and a restart
 * goes on with it.
 */
#include "smegd/core/node_priv.h"

#include <string.h>

#define PROVEN_MS (30 * MS_PER_SECOND) /* a better one's session stands so long */
#define SWITCH_MS 200                  /* from the record to the device */
#define DIAL_MS (3 * MS_PER_SECOND)    /* without a session and not dialled in that: will not do */
#define LOOK_MS (5 * MS_PER_SECOND)    /* between two looks for a better one */

static void rank_of(const struct mesh *m, const struct key *k, uint8_t hash[16])
{
	uint8_t pair[2 * KEY_BYTES];

	memcpy(pair, m->self.box_public.b, KEY_BYTES);
	memcpy(pair + KEY_BYTES, k->b, KEY_BYTES);
	hash_labelled("smeg carrier 1", pair, sizeof(pair), hash, 16);
}

static bool may_carry(const struct mesh *m, const struct entry *e)
{
	const struct peer *p = e ? mesh_peer(m, &e->member) : NULL;

	if (!e || !tree_may_be_finger(m, e))
		return false;
	return !p || p->session ||
	       (!p->is_unreachable &&
	        !(p->dial && m->owner->last_mono_ms - p->dial_started_ms >= DIAL_MS));
}

bool carrier_named(const struct mesh *m, struct key *ret)
{
	const struct entry *self = mesh_self_entry(m);
	struct record r;

	if (!self || !self->record)
		return false;
	record_read(self->record, &r);
	*ret = r.carrier;
	return r.has_carrier;
}

/* How long it has been connected; negative: it is not. */
static int64_t connected_ms(const struct mesh *m, const struct entry *e)
{
	const struct peer *p = mesh_peer(m, &e->member);

	if (!p || !p->session || p->session->is_closing)
		return -1;
	return m->owner->last_mono_ms - p->session->since_ms;
}

/* The first in rendezvous order that has been connected for so long (-1: connected or not). */
static const struct entry *first(const struct mesh *m, int64_t least_ms, bool mute_too)
{
	const struct entry *best = NULL;
	const struct entry *e;
	uint8_t best_hash[16];

	set_for_each(e, i, m->set) {
		uint8_t hash[16];

		if (!may_carry(m, e) || (least_ms >= 0 && connected_ms(m, e) < least_ms) ||
		    (!mute_too && uplink_is_mute(m, &e->member, true)))
			continue;
		rank_of(m, &e->member, hash);
		if (best && memcmp(hash, best_hash, sizeof(hash)) <= 0)
			continue;
		best = e;
		memcpy(best_hash, hash, sizeof(hash));
	}
	return best;
}

static bool is_before(const struct mesh *m, const struct entry *a, const struct entry *b)
{
	uint8_t ranks[2][16];

	rank_of(m, &a->member, ranks[0]);
	rank_of(m, &b->member, ranks[1]);
	return memcmp(ranks[0], ranks[1], sizeof(ranks[0])) > 0;
}

const struct entry *own_carrier(const struct mesh *m)
{
	const struct entry *now = NULL;
	const struct entry *better;
	struct key named;

	if (carrier_named(m, &named) && !uplink_is_mute(m, &named, true))
		now = set_find(m->set, &named);
	if (may_carry(m, now)) {
		better = first(m, PROVEN_MS, false);
		return better && is_before(m, better, now) ? better : now;
	}
	/* At the start nothing runs yet that a wrong guess could break. */
	better = now ? first(m, 0, false) : NULL;
	if (!better)
		better = first(m, -1, false);
	return better ? better : first(m, -1, true);
}

/* Others bring beats and it does not.  A leader's own beats come also from an islet. */
static bool is_cut_off(struct step *st, const struct mesh *m, const struct peer *carrier)
{
	struct key leader;
	int64_t at_ms;
	uint32_t acknowledged;

	if (!carrier || !carrier->session || beat_comes_by(carrier->session, st->now) ||
	    !beat_is_fresh(m, st->now) || !beat_view(m, &leader, &at_ms, &acknowledged))
		return false;
	for (size_t i = 0; i < UPLINKS; i++) {
		const struct peer *p = m->uplinks.of[i];

		if (p && p != carrier && p->session && p->session->beat_ms &&
		    beat_comes_by(p->session, st->now) && !key_equal(&p->key, &leader))
			return true;
	}
	return false;
}

static void look(struct step *st, struct mesh *m)
{
	struct carriage *c = &m->carriage;
	const struct entry *next;
	struct key named;
	bool has_named = carrier_named(m, &named);

	c->look_ms = st->now.mono_ms + LOOK_MS;
	if (has_named && is_cut_off(st, m, mesh_peer(m, &named)))
		uplink_mute(m, &named, true);
	next = own_carrier(m);
	if (next && !(has_named && key_equal(&next->member, &named)))
		own_changed(st, m);
	next = first(m, -1, false);
	c->wants = next != NULL;
	if (next)
		c->better = next->member;
}

void carrier_want(struct step *st, struct mesh *m)
{
	const struct carriage *c = &m->carriage;
	struct key named;

	if (st->now.mono_ms >= c->look_ms)
		look(st, m);
	if (carrier_named(m, &named) && may_carry(m, set_find(m->set, &named)))
		tree_want(m, mesh_peer_make(st, m, &named));
	if (c->wants && may_carry(m, set_find(m->set, &c->better)))
		tree_want(m, mesh_peer_make(st, m, &c->better));
}

void carrier_changes(struct step *st, struct mesh *m, const struct record *next)
{
	struct carriage *c = &m->carriage;
	struct key named;

	if (!carrier_named(m, &named) || !next->has_carrier || key_equal(&named, &next->carrier))
		return;
	step_trace(st, TRACE_CARRIER_MOVED, m, &next->carrier, 0);
	if (st->now.mono_ms >= c->switch_ms)
		c->before = named; /* else the device has not even come so far */
	c->switch_ms = st->now.mono_ms + SWITCH_MS;
}

bool carrier_of_device(struct step *st, struct mesh *m, struct key *ret)
{
	struct carriage *c = &m->carriage;
	const struct entry *e;

	if (st->now.mono_ms < c->switch_ms) {
		m->tunnel.read_ms = MIN_OF(m->tunnel.read_ms, c->switch_ms);
		*ret = c->before;
		return true;
	}
	if (carrier_named(m, ret))
		return true;
	e = own_carrier(m);
	if (e)
		*ret = e->member;
	return e != NULL;
}
