/*
 * Sessions with neighbours: what comes by them goes to the file that it is for, questions that have
 * no answer end them, and whoever is wanted and not there is dialled.
 *
 * An idle session is silent: streams between peers need no upkeep, watchers find out who is gone,
 * and a digest goes to one random neighbour every few seconds.  Walks over all peers and sessions
 * cost more than anything else here.  So there are two: at sessions that wait for something, when
 * the first of that is due, and over everything, soon after a change and else rarely.
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <string.h>

/* --- messages -----------------------------------------------------------------------------------
 */

static void on_entries(struct step *st, struct session *s, const struct msg *msg)
{
	size_t news = 0;

	st->way = msg->u.entries.way;
	for (size_t i = 0; i < msg->u.entries.count && !st->err; i++) {
		enum offer offer = mesh_offer(st, s->mesh, msg->u.entries.stmts[i], s->id);

		news += offer == OFFER_NEW;
		if (offer == OFFER_KNOWN)
			news_known(st, s, msg->u.entries.stmts[i]);
	}
	st->way = WAY_NONE;
	if (msg->u.entries.is_page)
		repair_entries(st, s, msg);
	/* Who has just started waits for a digest that is equal. */
	else if (news && !s->mesh->counter_known && !s->is_asking)
		gossip_ask(st, s);
}

void gossip_message(struct step *st, struct session *s, const struct msg *msg)
{
	watch_heard(st, s);
	switch (msg->kind) {
	case MSG_ENTRIES:
		on_entries(st, s, msg);
		break;
	case MSG_DIGEST:
		/* Neither a question nor an answer: its time is chosen by the sender. */
		if (!msg->u.digest.question && !msg->u.digest.members)
			watch_alive(st, s);
		repair_digest(st, s, msg);
		break;
	case MSG_ANNOUNCE:
		want_announced(st, s, msg);
		break;
	case MSG_WANT:
		if (msg->u.items.salt)
			repair_message(st, s, msg);
		else
			want_asked(st, s, msg);
		break;
	case MSG_SKETCH:
	case MSG_CONTINUE:
	case MSG_FETCH:
		repair_message(st, s, msg);
		break;
	case MSG_SUSPECT:
	case MSG_ATTEST:
		watch_message(st, s, msg);
		break;
	case MSG_BEAT:
	case MSG_BEAT_ACK:
		beat_message(st, s, msg);
		break;
	case MSG_REDEEM:
	case MSG_REDEEMED:
	case MSG_BYE:
		break; /* not ours: node.c */
	}
}

/* --- sessions -----------------------------------------------------------------------------------
 */

static void send_digest(struct step *st, struct session *s, bool question)
{
	struct msg msg = { .kind = MSG_DIGEST };

	set_digest(s->mesh->set, msg.u.digest.digest);
	msg.u.digest.question = question;
	step_send(st, s, LANE_CONTROL, &msg);
}

void gossip_alive(struct step *st, struct session *s)
{
	send_digest(st, s, false);
}

static void look_by(struct mesh *m, int64_t at_ms)
{
	m->look_ms = MIN_OF(m->look_ms, at_ms);
}

void gossip_ask(struct step *st, struct session *s)
{
	send_digest(st, s, true);
	if (!s->is_asking)
		s->asked_ms = st->now.mono_ms;
	s->is_asking = true;
	look_by(s->mesh, s->asked_ms + st->n->options.timeout_ms + 1);
}

void gossip_ask_all(struct step *st, const struct mesh *m)
{
	struct session *s;

	session_for_each(s, m)
		if (!s->as_joiner && !s->is_closing)
			gossip_ask(st, s);
}

static bool may_ask(const struct session *s)
{
	return !s->as_joiner && !s->is_closing && !s->is_asking;
}

void gossip_ask_silent(struct step *st, const struct mesh *m, int64_t silent_ms)
{
	struct session *s;

	session_for_each(s, m)
		if (may_ask(s) && st->now.mono_ms - s->heard_ms >= silent_ms)
			gossip_ask(st, s);
}

void gossip_ask_some(struct step *st, const struct mesh *m, size_t wanted)
{
	struct session *s;
	size_t left = 0;

	session_for_each(s, m)
		left += may_ask(s);
	session_for_each(s, m) {
		if (!may_ask(s) || rng_below(&st->n->rng, left--) >= wanted)
			continue;
		wanted--;
		gossip_ask(st, s);
	}
}

void gossip_start(struct step *st, struct mesh *m)
{
	m->maintain_ms = st->now.mono_ms;
	m->look_ms = TIME_NEVER;
	m->repair_ms =
		st->now.mono_ms + rng_jitter(&st->n->rng, st->n->options.pull_interval_ms, 50);
	tree_start(st, m);
	few_start(st, m);
	near_start(st, m);
	watch_start(st, m);
	beat_start(st, m);
}

static int add_stmt(void *ctx, const struct stmt *stmt)
{
	teller_add(ctx, stmt->raw);
	return 0;
}

void gossip_farewell(struct step *st, struct session *s)
{
	struct teller *t = teller_new(st, s, LANE_CONTROL, WAY_NONE);

	if (!t || set_visit_member(s->mesh->set, NULL, add_stmt, t) ||
	    set_visit_member(s->mesh->set, &s->peer->key, add_stmt, t)) {
		step_fail(st, -ENOMEM);
		return;
	}
	teller_flush(t);
}

/* What this host has said of itself when nobody was there to hear it. */
static void tell_of_us(struct step *st, struct session *s)
{
	struct mesh *m = s->mesh;
	enum way way = (enum way)(WAY_ROOT | WAY_TREE_1 | WAY_TREE_2);
	struct teller *t;

	if (!m->is_untold || s->peer->is_leaf)
		return;
	t = teller_new(st, s, LANE_CONTROL, way);
	if (!t || set_visit_member(m->set, &m->self.box_public, add_stmt, t)) {
		step_fail(st, -ENOMEM);
		return;
	}
	teller_flush(t);
	m->is_untold = false;
}

void gossip_session_up(struct step *st, struct session *s)
{
	mesh_changed(s->mesh);
	s->mending.known = s->mesh->log.next;
	tree_session_up(st, s);
	tell_of_us(st, s);
	watch_heard(st, s);
	/*
	 * Also who was dialled wants to know how near the other is, where that counts.  While many
	 * join no two are equal, and we need not hear it from each.
	 */
	if ((s->dialled && (s->mesh->joining || !mesh_is_storm(s->mesh, st->now.mono_ms))) ||
	    s->mesh->is_exploring)
		gossip_ask(st, s);
}

void gossip_session_down(struct step *st, struct session *s)
{
	repair_end(st->n->mem, s);
	if (s->mesh->fetching == s->id)
		s->mesh->fetching = 0;
	if (s->peer->session)
		return;
	tree_session_down(s->peer);
	guard_lost(st, s->mesh, &s->peer->key);
	if (!s->said_bye && !s->is_closing)
		watch_broken(st, s);
}

/* While we know nobody by record, the bootstraps are all there is. */
static bool is_needed(const struct mesh *m, const struct peer *p)
{
	return p->is_wanted || p->is_doubtful || (p->known && mesh_live_members(m) <= 1);
}

/* When it is to be looked at, or dialled; TIME_NEVER: nobody needs it. */
static int64_t dial_due(const struct mesh *m, const struct peer *p)
{
	if (p->session)
		return TIME_NEVER;
	if (p->dial)
		return p->dial_started_ms + DIAL_TIMEOUT_MS + 1;
	if (is_needed(m, p))
		return p->dial_again_ms == TIME_NEVER ? 0 : p->dial_again_ms;
	return p->is_unreachable ? p->dial_again_ms : TIME_NEVER;
}

/* It is no member any more: nobody misses it. */
static bool is_gone(const struct mesh *m, const struct peer *p)
{
	const struct entry *e = set_find(m->set, &p->key);

	return !is_needed(m, p) &&
	       !(e && (e->standing == STANDING_IN || e->standing == STANDING_PRUNED));
}

/* Dial those that are due.  When is the next one?  TIME_NEVER: nobody is dialled or waits for it.
 */
static int64_t dial_wanted(struct step *st, struct mesh *m)
{
	int64_t next = TIME_NEVER;
	size_t unreachable = 0;
	struct peer *p;

	peer_for_each(p, m) {
		int64_t due = dial_due(m, p);

		if (!p->dial && st->now.mono_ms >= due) {
			if (is_gone(m, p))
				p->dial_again_ms = TIME_NEVER; /* until it says something */
			else
				dial_peer(st, p);
			due = dial_due(m, p);
		}
		unreachable += p->is_unreachable && due != TIME_NEVER;
		next = MIN_OF(next, due);
	}
	m->unreachable = unreachable;
	return next;
}

static void close_surplus(struct step *st, struct session *s)
{
	if (!s->dialled || s->mesh->joining || s->peer->is_wanted) {
		s->unwanted_ms = 0;
		return;
	}
	if (!s->unwanted_ms)
		s->unwanted_ms = st->now.mono_ms;
	if (st->now.mono_ms - s->unwanted_ms > SURPLUS_AFTER_MS)
		step_close(st, s);
	else
		s->mesh->maintain_ms =
			MIN_OF(s->mesh->maintain_ms, s->unwanted_ms + SURPLUS_AFTER_MS + 1);
}

/* A leaf sits behind something that forgets silent streams. */
static void keep_up(struct step *st, struct session *s)
{
	int64_t timeout_ms = st->n->options.timeout_ms;
	bool is_late = s->is_asking && st->now.mono_ms - s->asked_ms > timeout_ms;

	if (is_late && st->now.mono_ms - s->heard_ms > timeout_ms) {
		dial_session_down(st, s->id, ERR_TIMED_OUT);
		return;
	}
	if (!s->is_asking && s->dialled && tree_am_leaf(s->mesh) &&
	    st->now.mono_ms - s->heard_ms > PROBE_AFTER_MS)
		gossip_ask(st, s);
	else
		repair_tick(st, s);
	if (s->is_asking)
		look_by(s->mesh, MAX_OF(s->asked_ms, s->heard_ms) + timeout_ms + 1);
}

static void each_session(struct step *st,
                         struct mesh *m,
                         void (*visit)(struct step *st, struct session *s))
{
	struct session *s;

	session_for_each_safe(s, m)
		if (!s->as_joiner && !s->is_closing)
			visit(st, s);
}

static void pull_random(struct step *st, struct mesh *m)
{
	int64_t pause_ms = st->n->options.pull_interval_ms;
	struct session *s;

	/* Who comes in amid others misses what was told before anybody knew it. */
	if (mesh_is_settling(m, st->now.mono_ms))
		pause_ms = MIN_OF(pause_ms, STORM_PULL_MS);
	m->repair_ms = st->now.mono_ms + rng_jitter(&st->n->rng, pause_ms, 30);
	if (!m->sessions_all)
		return;
	s = m->sessions[rng_below(&st->n->rng, m->sessions_all)];
	if (s->peer && !s->is_closing)
		gossip_ask(st, s);
}

/* The longest until the next walk, if nothing changes before; due: when somebody is to be dialled.
 */
static int64_t walk_pause(const struct mesh *m, int64_t due)
{
	bool is_leaf = tree_am_leaf(m);

	/* Whom it waits for, and for how long, is not all told by changes. */
	if ((is_leaf || m->joining) && due != TIME_NEVER)
		return m->lacking ? MAINTAIN_BUSY_MS : MAINTAIN_WAITING_MS;
	return is_leaf || m->joining || m->state == MESH_LEAVING ? MAINTAIN_IDLE_MS
	                                                         : MAINTAIN_QUIET_MS;
}

static void maintain(struct step *st, struct mesh *m)
{
	int64_t due;

	m->maintain_ms = TIME_NEVER;
	tree_choose(st, m);
	retry_others(st, m);
	dial_tick(st, m);
	due = dial_wanted(st, m);
	each_session(st, m, close_surplus);
	if (tree_am_leaf(m))
		m->look_ms = st->now.mono_ms;
	due = MIN_OF(MAX_OF(due, st->now.mono_ms + MAINTAIN_BUSY_MS),
	             st->now.mono_ms + rng_jitter(&st->n->rng, walk_pause(m, due), 20));
	m->maintain_ms = MIN_OF(m->maintain_ms, due);
}

void gossip_tick(struct step *st, struct mesh *m)
{
	if (st->now.mono_ms >= m->maintain_ms)
		maintain(st, m);
	if (st->now.mono_ms >= m->look_ms) {
		m->look_ms = TIME_NEVER;
		each_session(st, m, keep_up);
	}
	if (st->now.mono_ms >= m->repair_ms)
		pull_random(st, m);
	few_tick(st, m);
	near_tick(st, m);
	announce_tick(st, m);
	want_tick(st, m);
	watch_tick(st, m);
	beat_tick(st, m);
}

int64_t gossip_deadline(const struct mesh *m)
{
	int64_t walk_ms = MIN_OF(m->maintain_ms, m->look_ms);
	int64_t at = MIN_OF(walk_ms, m->repair_ms);
	int64_t announce_ms = news_deadline(m);
	int64_t watch_ms = watch_deadline(m);
	int64_t beat_ms = beat_deadline(m);
	int64_t near_ms = near_deadline(m);
	int64_t want_ms = want_deadline(m);
	int64_t few_ms = few_deadline(m);

	at = MIN_OF(at, announce_ms);
	at = MIN_OF(at, want_ms);
	at = MIN_OF(at, watch_ms);
	at = MIN_OF(at, near_ms);
	at = MIN_OF(at, few_ms);
	return MIN_OF(at, beat_ms);
}
