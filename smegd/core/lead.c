/*
 * Who leads: whose beats count, and whose turn it is when there are none.
 *
 * The leader is whoever beat last, of those whose beats count.  A beat counts if the office is
 * vacant, if it is the leader's own or that of a lower key, or if the leader is late (2.5
 *intervals: so that a new leader, which acts after three, is not turned away by who heard the old
 *one last). The office becomes vacant by three intervals of silence, or when the leader leaves the
 *group or is skipped.
 *
 * A round begins when the office becomes vacant and with every accepted beat.  It gives the three
 * lowest that might take office (below the leader, if there is one) their turns, half a second
 * apart: the first one beats, and the others hear that before their turn comes.  Who lets its turn
 * go by is passed over for an hour, or until it beats.  A round without a beat ends one interval
 * after its last turn; with a leader, at the leader's next beat.  So
 *
 *	the leader is silent    after three intervals the next lowest beats, one and not all
 *	the leader is out       the same, as soon as that is known; 100 ms later in fact: beats that
 *	                        overtook the news would be dropped by those who wait for the old
 *leader a lower one comes       it hears the leader for a while, then beats in its turn, and leads
 *	three lower ones are    one round for each three that are dead but not pruned
 *	silent
 *
 * Nobody is asked and nothing is agreed.  Where views differ, two lead for a while, each for those
 * who hear it; the lower one leads for whoever hears both, the other one as well, which then stops.
 * That is harmless, as a leader has no authority: keys can be made until they are low enough, and
 * the entries of the group are the owners' own.  Nothing depends on beats but the figures shown to
 * people, a question to a neighbour, and a client's choice of peers.  The worst that low keys can
 *do is to let turns go by (for an hour each) or to lead and say nonsense.
 *
 * Our own turn never goes by in our own view: one that was passed over, wrongly or not, beats in
 *its turn and is taken.
 *
 * Rejected: an election by messages (a quorum for what has no authority), taking over as soon as a
 * lower key is seen to be gone (a thousand newcomers would all beat), to depose one member a round
 * (the leaders of a rack die together).
 */
#include "smegd/core/beat_priv.h"

#include <errno.h>
#include <string.h>

static int64_t interval_of(const struct mesh *m)
{
	return m->owner->options.heartbeat_interval_ms;
}

static bool is_us(const struct mesh *m, const struct key *k)
{
	return key_equal(k, &m->self.box_public);
}

static bool we_lead(const struct mesh *m)
{
	return m->beats->has_leader && is_us(m, &m->beats->leader);
}

/* --- members that have beaten -------------------------------------------------------------------
 */

struct beater *beater_find(const struct mesh *m, const struct key *k)
{
	struct map_node *node = map_find(&m->beats->beaters, k->b);

	return node ? container_of(node, struct beater, node) : NULL;
}

/* Those who are out of the group, and of whom there is nothing to remember. */
static void sweep(struct step *st, struct mesh *m)
{
	struct map_node *pos;
	struct map_node *tmp;

	map_for_each_safe(pos, tmp, &m->beats->beaters) {
		struct beater *b = container_of(pos, struct beater, node);
		const struct entry *e = set_find(m->set, &b->key);

		if ((e && e->standing == STANDING_IN) || st->now.mono_ms < b->passed_until_ms ||
		    st->now.mono_ms < b->skipped_until_ms)
			continue;
		map_remove(&m->beats->beaters, pos);
		mem_free(st->n->mem, b);
	}
}

struct beater *beater_make(struct step *st, struct mesh *m, const struct key *k)
{
	struct beater *b = beater_find(m, k);

	if (b)
		return b;
	if (m->beats->beaters.count % 64 == 63)
		sweep(st, m);
	b = mem_zalloc(st->n->mem, sizeof(*b));
	if (!b) {
		step_fail(st, -ENOMEM);
		return NULL;
	}
	b->key = *k;
	map_insert(&m->beats->beaters, &b->node, b->key.b);
	return b;
}

/* --- who may lead -------------------------------------------------------------------------------
 */

bool lead_may(const struct mesh *m, const struct entry *e, int64_t now_ms)
{
	const struct beater *b;

	if (!e || e->standing != STANDING_IN || record_role(e->record) != ROLE_PEER ||
	    !record_has_places(e->record))
		return false;
	b = beater_find(m, &e->member);
	return !b || now_ms >= b->skipped_until_ms;
}

static bool we_may(const struct mesh *m, int64_t now_ms)
{
	return mesh_is_running(m) && lead_may(m, mesh_self_entry(m), now_ms);
}

bool lead_is_alone(const struct mesh *m, int64_t now_ms)
{
	const struct entry *e;

	for (size_t i = 0; (e = set_at(m->set, i)); i++)
		if (!is_us(m, &e->member) && lead_may(m, e, now_ms))
			return false;
	return true;
}

bool lead_would_take(const struct mesh *m, const struct key *k, int64_t now_ms)
{
	const struct beats *b = m->beats;

	if (!b->has_leader || key_compare(k, &b->leader) <= 0)
		return true;
	return !we_lead(m) &&
	       now_ms - b->heard_ms >= BEAT_MISSED * interval_of(m) - interval_of(m) / 2;
}

/* --- rounds -------------------------------------------------------------------------------------
 */

static bool is_passed(const struct mesh *m, const struct key *k, int64_t now_ms)
{
	const struct beater *b = beater_find(m, k);

	return b && now_ms < b->passed_until_ms;
}

static void begin_round(struct step *st, struct mesh *m, int64_t at_ms)
{
	struct beats *b = m->beats;
	struct round *r = &b->round;
	const struct entry *e;

	memset(r, 0, sizeof(*r));
	r->at_ms = at_ms;
	for (size_t i = 0; r->count < BEAT_TRIES && (e = set_at(m->set, i)); i++) {
		if (b->has_leader && key_compare(&e->member, &b->leader) >= 0)
			break;
		if (lead_may(m, e, st->now.mono_ms) && !is_passed(m, &e->member, st->now.mono_ms))
			r->contenders[r->count++] = e->member;
	}
}

static int64_t turn_of(const struct round *r, size_t i)
{
	return r->at_ms + (int64_t)i * BEAT_TURN_MS;
}

static int64_t round_end(const struct mesh *m)
{
	return turn_of(&m->beats->round, BEAT_TRIES) + interval_of(m);
}

/* Never ourselves: our turn comes again. */
static void pass_over(struct step *st, struct mesh *m, const struct key *k)
{
	struct beater *b = is_us(m, k) ? NULL : beater_make(st, m, k);

	if (b)
		b->passed_until_ms = st->now.mono_ms + BEAT_PASSED_MS;
}

/* Those below who have let their turn go by; below NULL: all. */
static void end_round(struct step *st, struct mesh *m, const struct key *below)
{
	const struct round *r = &m->beats->round;

	for (size_t i = 0; i < r->count; i++) {
		const struct key *k = &r->contenders[i];

		if (!key_is_zero(k) && st->now.mono_ms >= turn_of(r, i + 1) &&
		    (!below || key_compare(k, below) < 0))
			pass_over(st, m, k);
	}
}

void lead_take(struct step *st, struct mesh *m, const struct key *k)
{
	struct beats *b = m->beats;

	end_round(st, m, k);
	b->has_leader = true;
	b->leader = *k;
	b->heard_ms = st->now.mono_ms;
	begin_round(st, m, st->now.mono_ms);
}

void lead_vacate(struct step *st, struct mesh *m, int64_t at_ms)
{
	m->beats->has_leader = false;
	begin_round(st, m, at_ms);
}

/* When it is our turn, if nobody beats before. */
static int64_t own_turn(const struct mesh *m, int64_t now_ms)
{
	const struct beats *b = m->beats;

	if (we_lead(m))
		return b->next_ms;
	for (size_t i = 0; i < b->round.count; i++)
		if (is_us(m, &b->round.contenders[i]) && we_may(m, now_ms))
			return MAX_OF(turn_of(&b->round, i), b->may_ms);
	return TIME_NEVER;
}

bool lead_tick(struct step *st, struct mesh *m)
{
	struct beats *b = m->beats;
	int64_t now_ms = st->now.mono_ms;

	if (we_lead(m) && !we_may(m, now_ms)) {
		lead_vacate(st, m, now_ms + BEAT_SETTLE_MS);
	} else if (b->has_leader && !we_lead(m) &&
	           now_ms - b->heard_ms >= BEAT_MISSED * interval_of(m)) {
		pass_over(st, m, &b->leader);
		lead_vacate(st, m, now_ms);
	} else if (!b->has_leader && now_ms >= round_end(m)) {
		end_round(st, m, NULL);
		begin_round(st, m, now_ms);
	}
	return now_ms >= own_turn(m, now_ms);
}

int64_t lead_deadline(const struct mesh *m)
{
	const struct beats *b = m->beats;
	int64_t turn_ms = own_turn(m, m->owner->last_mono_ms);

	if (we_lead(m))
		return turn_ms;
	return MIN_OF(turn_ms,
	              b->has_leader ? b->heard_ms + BEAT_MISSED * interval_of(m) : round_end(m));
}

/* --- changes of the group -----------------------------------------------------------------------
 */

/* Returns whether anybody is left. */
static bool strike_out(struct round *r, const struct key *gone)
{
	bool any = false;

	for (size_t i = 0; i < r->count; i++) {
		if (key_equal(&r->contenders[i], gone))
			memset(&r->contenders[i], 0, sizeof(r->contenders[i]));
		any |= !key_is_zero(&r->contenders[i]);
	}
	return any;
}

void beat_member(struct step *st, struct mesh *m, const struct entry *e)
{
	struct beats *b = m->beats;
	int64_t now_ms = st->now.mono_ms;

	if (!b)
		return;
	if (lead_may(m, e, now_ms)) {
		if (!b->has_leader && b->round.count == 0)
			begin_round(st, m, now_ms + BEAT_SETTLE_MS);
	} else if (b->has_leader && key_equal(&e->member, &b->leader)) {
		lead_vacate(st, m, now_ms + BEAT_SETTLE_MS);
	} else if (!strike_out(&b->round, &e->member) && !b->has_leader && b->round.count) {
		begin_round(st, m, now_ms + BEAT_SETTLE_MS);
	}
}
