/*
 * Beats on their way: ours, and others' that we relay.
 *
 * A beat goes down both trees and on once in each, whichever came first, so that a dead member in
 * one of them costs nobody a beat.  Down the first tree acknowledgements come back: each member
 * waits for those it has sent to, less long the deeper it stands, and tells who it had the beat
 * from one more than their sum.  A second copy is acknowledged with 0 at once, so that nobody waits
 * for it.  The sum is hearsay, for people; no more than the members of the group is believed.
 *
 * What a beat must be to be looked at, the cheap things first: of a member that may lead, greater
 * in number than its last, not within a quarter of the interval of that (who counts up quickly
 * would have the mesh relay a flood), not dated more than a day ahead, and one that would count now
 * (see lead.c).  Only then is it verified; so what verifies is taken, and each costs one
 * verification, but for forged ones.  Nobody who keeps to the protocol passes on a forged one:
 * whoever brings one is not listened to for a minute.  Not more than sixteen a second are verified
 * whatever happens. Remembering numbers that failed would let a forger take a number away from its
 * owner.
 *
 * Two beats of one number that say different things are a proof, told to everybody down both trees:
 * its leader is skipped for a day from the beats' date (so that a proof told again later prolongs
 * nothing), and stays a member like others.  What is remembered of skipped ones does not outlive
 * the daemon, and is 64 at most, the earliest to end going first: a newcomer that has not heard the
 * proof takes such beats, but finds nobody who passes them on to it.
 *
 * Leaves (who cannot be dialled) take beats and acknowledge them, but neither lead nor relay: what
 * they send is dropped.
 */
#include "smegd/core/beat_priv.h"

#include <errno.h>
#include <string.h>

static struct bytes raw_of(const uint8_t raw[BEAT_BYTES])
{
	return (struct bytes){ raw, BEAT_BYTES };
}

/* --- sending ------------------------------------------------------------------------------------
 */

/* Down one tree, from `from` on (NULL: from us); returns to how many. */
static size_t cast(
	struct step *st, struct mesh *m, const struct session *from, struct msg *msg, enum way way)
{
	if (tree_am_leaf(m))
		return 0;
	msg->u.beat.way = way;
	return gossip_cast(st, m, way, from, msg);
}

static void beat_now(struct step *st, struct mesh *m)
{
	struct beats *b = m->beats;
	struct beat beat = { .number = counter_next(b->last, st->now.unix_ms) };
	struct msg msg = { .kind = MSG_BEAT };
	uint8_t raw[BEAT_BYTES];
	size_t count;

	set_digest(m->set, beat.digest);
	beat.members = (uint32_t)set_group_count(m->set);
	beat_sign(&beat, &m->self, &m->mesh_public, raw);
	b->last = beat.number;
	b->fresh_ms = st->now.mono_ms;
	b->next_ms = st->now.mono_ms + st->n->options.heartbeat_interval_ms;
	lead_take(st, m, &m->self.box_public);
	msg.u.beat.beat = raw_of(raw);
	count = cast(st, m, NULL, &msg, WAY_TREE_1);
	beat_wait(st, m, NULL, beat.number, count);
	cast(st, m, NULL, &msg, WAY_TREE_2);
}

/* The beat that was taken goes on in this tree. */
static void relay(struct step *st, struct session *from, struct beater *b, enum way way)
{
	struct msg msg = { .kind = MSG_BEAT };
	size_t count;

	b->told |= (uint8_t)way;
	msg.u.beat.beat = raw_of(b->raw);
	count = cast(st, from->mesh, from, &msg, way);
	if (way == WAY_TREE_1)
		beat_wait(st, from->mesh, from, b->number, count);
}

/* The same, the proof; from NULL: we have found it. */
static void relay_proof(
	struct step *st, struct mesh *m, const struct session *from, struct beater *b, enum way way)
{
	struct msg msg = { .kind = MSG_BEAT };

	if (b->proof_told & way)
		return;
	b->proof_told |= (uint8_t)way;
	msg.u.beat.beat = raw_of(b->raw);
	msg.u.beat.other = raw_of(b->other);
	cast(st, m, from, &msg, way);
}

/* --- checks -------------------------------------------------------------------------------------
 */

static bool is_doubted(const struct beats *b, const struct key *who, int64_t now_ms)
{
	for (size_t i = 0; i < BEAT_DOUBTS; i++)
		if (now_ms < b->doubts[i].until_ms && key_equal(&b->doubts[i].who, who))
			return true;
	return false;
}

static void doubt(struct beats *b, const struct key *who, int64_t now_ms)
{
	b->doubts[b->next_doubt] = (struct beat_doubt){ *who, now_ms + BEAT_DOUBT_MS };
	b->next_doubt = (b->next_doubt + 1) % BEAT_DOUBTS;
}

static bool verify(struct step *st, struct session *s, struct bytes raw, const struct entry *e)
{
	struct beats *b = s->mesh->beats;

	if (st->now.mono_ms - b->second_ms >= MS_PER_SECOND) {
		b->second_ms = st->now.mono_ms;
		b->checks = 0;
	}
	if (b->checks >= BEAT_CHECKS)
		return false;
	b->checks++;
	if (beat_verify(raw, entry_subject(e), &s->mesh->mesh_public) == 0)
		return true;
	doubt(b, &s->peer->key, st->now.mono_ms);
	return false;
}

static bool is_ahead(const struct step *st, uint64_t number)
{
	int64_t until_ms = st->now.unix_ms + RECORD_AHEAD_MS;

	return until_ms < 0 || number > (uint64_t)until_ms;
}

/* All that can be said without verifying it. */
static bool is_acceptable(const struct step *st,
                          const struct mesh *m,
                          const struct beat *beat,
                          const struct entry *e)
{
	const struct beater *b = beater_find(m, &beat->leader);
	int64_t now_ms = st->now.mono_ms;

	if (b && b->number &&
	    (beat->number <= b->number ||
	     now_ms - b->at_ms < st->n->options.heartbeat_interval_ms / 4))
		return false;
	return !is_ahead(st, beat->number) && lead_may(m, e, now_ms) &&
	       lead_would_take(m, &beat->leader, now_ms);
}

/* It counts where another leads, and not for us. */
static bool is_of_another(const struct step *st,
                          const struct mesh *m,
                          const struct beat *beat,
                          const struct entry *e)
{
	const struct beater *b = beater_find(m, &beat->leader);

	return !(b && beat->number <= b->number) && !is_ahead(st, beat->number) &&
	       lead_may(m, e, st->now.mono_ms) &&
	       !lead_would_take(m, &beat->leader, st->now.mono_ms);
}

/* --- proofs -------------------------------------------------------------------------------------
 */

/* Make room for one more that is skipped. */
static void limit_skips(struct mesh *m, int64_t now_ms)
{
	struct beater *first = NULL;
	struct map_node *pos;
	size_t count = 0;

	map_for_each(pos, &m->beats->beaters) {
		struct beater *b = container_of(pos, struct beater, node);

		if (now_ms >= b->skipped_until_ms)
			continue;
		count++;
		if (!first || b->skipped_until_ms < first->skipped_until_ms)
			first = b;
	}
	if (count >= BEAT_SKIPS_MAX)
		first->skipped_until_ms = 0;
}

/* A day from the beats' date, as our clock has it; 0: it is over. */
static int64_t skip_for(const struct step *st, uint64_t number)
{
	int64_t left_ms;

	if (is_ahead(st, number))
		return 0;
	left_ms = (int64_t)number + BEAT_SKIP_MS - st->now.unix_ms;
	return MIN_OF(MAX_OF(left_ms, 0), BEAT_SKIP_MS);
}

static struct beater *skip(struct step *st,
                           struct mesh *m,
                           const struct beat *beat,
                           struct bytes one,
                           struct bytes other)
{
	struct beater *b = beater_make(st, m, &beat->leader);
	uint8_t copy[BEAT_BYTES];

	if (!b)
		return NULL;
	limit_skips(m, st->now.mono_ms);
	memcpy(copy, other.at, sizeof(copy));
	memmove(b->raw, one.at, sizeof(b->raw)); /* may be that itself */
	memcpy(b->other, copy, sizeof(b->other));
	b->number = beat->number;
	b->at_ms = st->now.mono_ms;
	b->skipped_until_ms = st->now.mono_ms + skip_for(st, beat->number);
	b->proof_told = 0;
	if (m->beats->has_leader && key_equal(&m->beats->leader, &beat->leader))
		lead_vacate(st, m, st->now.mono_ms + BEAT_SETTLE_MS);
	return b;
}

static void on_proof(struct step *st, struct session *s, const struct msg *msg)
{
	struct mesh *m = s->mesh;
	struct beat one;
	struct beat other;
	struct beater *b;
	const struct entry *e;

	if (beat_parse(msg->u.beat.beat, &one) || beat_parse(msg->u.beat.other, &other) ||
	    !beat_contradicts(&one, &other))
		return;
	b = beater_find(m, &one.leader);
	if (!b || st->now.mono_ms >= b->skipped_until_ms) {
		e = set_find(m->set, &one.leader);
		if (!e || e->standing != STANDING_IN || !skip_for(st, one.number) ||
		    !verify(st, s, msg->u.beat.beat, e) || !verify(st, s, msg->u.beat.other, e))
			return;
		b = skip(st, m, &one, msg->u.beat.beat, msg->u.beat.other);
	}
	if (b)
		relay_proof(st, m, s, b, msg->u.beat.way);
}

/* Another one of that number, with other words. */
static void found_contradiction(struct step *st,
                                struct session *s,
                                const struct msg *msg,
                                const struct beat *beat)
{
	struct mesh *m = s->mesh;
	const struct entry *e = set_find(m->set, &beat->leader);
	struct beater *b = beater_find(m, &beat->leader);

	if (st->now.mono_ms < b->skipped_until_ms || !e || e->standing != STANDING_IN ||
	    !skip_for(st, beat->number) || !verify(st, s, msg->u.beat.beat, e))
		return;
	b = skip(st, m, beat, raw_of(b->raw), msg->u.beat.beat);
	if (!b)
		return;
	relay_proof(st, m, NULL, b, WAY_TREE_1);
	relay_proof(st, m, NULL, b, WAY_TREE_2);
}

/* --- beats of others ----------------------------------------------------------------------------
 */

/* Two in a row that differ are hardly news that cross: compare with who brought it. */
static void compare_digest(struct step *st, struct session *s, const struct beat *beat)
{
	struct beats *b = s->mesh->beats;
	uint8_t mine[DIGEST_BYTES];

	set_digest(s->mesh->set, mine);
	b->differing = memcmp(mine, beat->digest, sizeof(mine)) == 0 ? 0 : b->differing + 1;
	if (b->differing < 2 || s->is_asking)
		return;
	b->differing = 0;
	gossip_ask(st, s);
}

static void take(struct step *st, struct session *s, const struct msg *msg, const struct beat *beat)
{
	struct mesh *m = s->mesh;
	struct beater *b = beater_make(st, m, &beat->leader);

	if (!b)
		return;
	memcpy(b->raw, msg->u.beat.beat.at, sizeof(b->raw));
	b->number = beat->number;
	b->at_ms = m->beats->fresh_ms = st->now.mono_ms;
	b->passed_until_ms = 0;
	b->told = 0;
	uplink_beat(st, s, &beat->leader);
	lead_take(st, m, &beat->leader);
	relay(st, s, b, msg->u.beat.way);
	compare_digest(st, s, beat);
}

/* One that we have taken, by the other tree, or again.  False: it does not go on. */
static bool again(struct step *st,
                  struct session *s,
                  const struct msg *msg,
                  const struct beat *beat)
{
	struct beater *b = beater_find(s->mesh, &beat->leader);
	struct beat known;

	if (!b || b->number != beat->number || beat_parse(raw_of(b->raw), &known))
		return false;
	if (beat_contradicts(&known, beat)) {
		found_contradiction(st, s, msg, beat);
		return false;
	}
	/* Not if somebody says it again and again. */
	if (st->now.mono_ms - b->at_ms < st->n->options.heartbeat_interval_ms)
		uplink_beat(st, s, &beat->leader);
	if (b->told & msg->u.beat.way || st->now.mono_ms < b->skipped_until_ms)
		return false;
	relay(st, s, b, msg->u.beat.way);
	return true;
}

static void on_beat(struct step *st, struct session *s, const struct msg *msg)
{
	struct mesh *m = s->mesh;
	const struct entry *e;
	struct beat beat;

	if (beat_parse(msg->u.beat.beat, &beat))
		return;
	e = set_find(m->set, &beat.leader);
	if (!key_equal(&beat.leader, &m->self.box_public)) {
		if (again(st, s, msg, &beat))
			return;
		if (is_acceptable(st, m, &beat, e) && verify(st, s, msg->u.beat.beat, e)) {
			take(st, s, msg, &beat);
			return;
		}
		if (is_of_another(st, m, &beat, e))
			uplink_beat(st, s, &beat.leader);
	}
	/* It ends here: nobody need wait for it. */
	if (msg->u.beat.way == WAY_TREE_1)
		beat_acknowledge(st, s, beat.number, 0);
}

void beat_message(struct step *st, struct session *s, const struct msg *msg)
{
	struct beats *b = s->mesh->beats;

	if (!b || !s->peer)
		return;
	if (msg->kind == MSG_BEAT_ACK) {
		beat_on_ack(st, s, msg);
		return;
	}
	if ((msg->u.beat.way != WAY_TREE_1 && msg->u.beat.way != WAY_TREE_2) || s->peer->is_leaf ||
	    is_doubted(b, &s->peer->key, st->now.mono_ms))
		return;
	if (msg->u.beat.other.count)
		on_proof(st, s, msg);
	else
		on_beat(st, s, msg);
}

/* --- life ---------------------------------------------------------------------------------------
 */

void beat_start(struct step *st, struct mesh *m)
{
	int64_t now_ms = st->now.mono_ms;
	int64_t wait_ms = rng_jitter(&st->n->rng, st->n->options.heartbeat_interval_ms, 10);
	struct beats *b;

	beat_end(m);
	b = mem_zalloc(st->n->mem, sizeof(*b));
	if (!b) {
		step_fail(st, -ENOMEM);
		return;
	}
	map_init(&b->beaters, KEY_BYTES);
	m->beats = b;
	b->started_ms = b->fresh_ms = now_ms;
	/* There may be a leader: let it be heard. */
	b->may_ms = lead_is_alone(m, now_ms) ? now_ms : now_ms + wait_ms;
	lead_vacate(st, m, b->may_ms);
}

void beat_end(struct mesh *m)
{
	struct map_node *pos;
	struct map_node *tmp;

	if (!m->beats)
		return;
	map_for_each_safe(pos, tmp, &m->beats->beaters) {
		map_remove(&m->beats->beaters, pos);
		mem_free(m->owner->mem, container_of(pos, struct beater, node));
	}
	mem_free(m->owner->mem, m->beats);
	m->beats = NULL;
}

void beat_tick(struct step *st, struct mesh *m)
{
	if (!m->beats)
		return;
	beat_end_late_waits(st, m);
	if (lead_tick(st, m))
		beat_now(st, m);
}

int64_t beat_deadline(const struct mesh *m)
{
	int64_t at_ms;

	if (!m->beats)
		return TIME_NEVER;
	at_ms = lead_deadline(m);
	for (size_t i = 0; i < BEAT_WAITS; i++)
		if (m->beats->waits[i].is_used)
			at_ms = MIN_OF(at_ms, m->beats->waits[i].until_ms);
	return at_ms;
}

static bool we_lead(const struct beats *b, const struct mesh *m)
{
	return b->has_leader && key_equal(&b->leader, &m->self.box_public);
}

bool beat_is_fresh(const struct mesh *m, struct instant now)
{
	const struct beats *b = m->beats;
	int64_t since_ms;

	if (!b || we_lead(b, m))
		return true;
	since_ms = MAX_OF(b->started_ms, b->fresh_ms);
	return now.mono_ms - since_ms < BEAT_MISSED * m->owner->options.heartbeat_interval_ms;
}

/* With time for the turns of those who take over. */
bool beat_comes_by(const struct session *s, struct instant now)
{
	const struct beats *b = s->mesh->beats;
	int64_t since_ms = MAX_OF(s->since_ms, s->beat_ms);

	if (!b)
		return true;
	since_ms = MAX_OF(since_ms, b->started_ms);
	return now.mono_ms - since_ms <
	       BEAT_MISSED * s->mesh->owner->options.heartbeat_interval_ms +
	               (int64_t)BEAT_TRIES * BEAT_TURN_MS;
}

bool beat_view(const struct mesh *m,
               struct key *ret_leader,
               int64_t *ret_at_ms,
               uint32_t *ret_acknowledged)
{
	const struct beats *b = m->beats;

	if (!b || !b->has_leader)
		return false;
	*ret_leader = b->leader;
	*ret_at_ms = b->heard_ms;
	*ret_acknowledged = we_lead(b, m) ? b->acknowledged : 0;
	return true;
}
