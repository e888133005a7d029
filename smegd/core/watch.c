/*
 * The members that name us as watcher: who is silent, and the look that follows.
 *
 * A member tells each of its watchers that it lives once in WATCH_PERIOD_MS.  Who is missed longer
 * than the period and some slack is suspect: asked three times, in the session or by dialling,
 * while the other watchers are told to do the same (quorum.c).  Anything heard from it ends the
 * look.  A broken stream starts it at once, but proves nothing: neither that nor a refused dial
 * shortens the time in which it may answer.
 *
 * Who has not answered is unreachable, which is local, and is looked at again every five seconds,
 * and rarer the longer it lasts.  Only the quorum of its watchers can remove it.
 *
 * A watcher that was itself paused must not blame others: if our tick comes later than we asked for
 * by WATCH_LATE_MS, all times start anew, and for WATCH_ABSTAIN_MS nothing is signed because of
 * silence.  A refused dial is no silence: that host has answered that nobody listens, however late
 * we are.  So a look at a member without a session goes on, and may end in a signature if its last
 * dial was refused.  (Three hundred daemons on two processors of which ten are killed are all
 * late.) Less than that is added to the slack and to the time for an answer: who is busy hears
 * late.
 *
 * Cost: `next_ms` is a lower bound of what is due, never raised but by the scan of all watched
 * members that it calls for; so hearing from one costs a search and no more.  A scan comes after at
 * least a millisecond for every 64 of them, so that a crowd of members that name us, which is
 * theirs to decide, delays only themselves.  Nothing is freed but in the scan.
 *
 * Rejected: questions by the watchers, answered (twice the messages, for what the sign of life
 * gives as well); a timer per session for all neighbours (80 times as many messages).
 */
#include "smegd/core/watch_priv.h"

#include <errno.h>

static struct watched *find(const struct mesh *m, const struct key *key)
{
	struct map_node *node = m->watching ? map_find(&m->watching->watched, key->b) : NULL;

	return node ? container_of(node, struct watched, node) : NULL;
}

/* A search for each message that comes would be a tenth of what a quiet daemon does. */
static struct watched *find_of(struct session *s)
{
	struct mesh *m = s->mesh;

	if (!m->watching || !s->peer)
		return NULL;
	if (s->watched_as_of != m->watched_changes) {
		s->watched = find(m, &s->peer->key);
		s->watched_as_of = m->watched_changes;
	}
	return s->watched;
}

static void due_at(struct mesh *m, int64_t at_ms)
{
	m->watching->next_ms = MIN_OF(m->watching->next_ms, at_ms);
}

const struct stmt *watch_record(const struct mesh *m, const struct watched *w)
{
	const struct entry *e = set_find(m->set, &w->key);

	if (!e || e->standing != STANDING_IN || e->record->counter != w->counter)
		return NULL;
	return e->record;
}

/* --- times ---------------------------------------------------------------------------------- */

static int64_t patience(const struct step *st, const struct watched *w)
{
	return st->now.mono_ms < w->patience_until_ms ? (int64_t)w->patience : 1;
}

static int64_t round_trip(const struct peer *p)
{
	return p ? MIN_OF(p->rtt_ms, WATCH_RTT_MAX_MS) : 0;
}

/* We are late, and what lies on our way is a neighbour of ours: it may be late as well. */
static int64_t slack_for(const struct mesh *m, const struct watched *w, int64_t least_ms, int trips)
{
	return MAX_OF(least_ms, trips * round_trip(mesh_peer(m, &w->key))) + 2 * watch_late(m);
}

/* It is missed from then on, with that slack. */
static int64_t missed_ms(const struct step *st, const struct watched *w, int64_t slack_ms)
{
	return w->alive_ms + (WATCH_PERIOD_MS + slack_ms) * patience(st, w);
}

/* A dial is refused at once, or it is lost: how late we are is nothing to that. */
static int64_t try_ms(const struct step *st, const struct mesh *m, const struct watched *w)
{
	int64_t wait_ms = w->is_refused ? WATCH_TRY_MS : slack_for(m, w, WATCH_TRY_MS, 3);

	return wait_ms * patience(st, w);
}

int64_t watch_late(const struct mesh *m)
{
	return m->watching ? m->watching->late_ms : 0;
}

/* The most of lately: a quarter of it is forgotten with each tick that is in time. */
static void note_late(struct watching *ws, int64_t late_ms)
{
	ws->late_ms = MAX_OF(MIN_OF(late_ms, (int64_t)WATCH_LATE_MS), ws->late_ms * 3 / 4);
}

/* --- the look ------------------------------------------------------------------------------- */

static void mark(struct step *st, struct mesh *m, const struct watched *w, bool suspect)
{
	struct peer *p = suspect ? mesh_peer_make(st, m, &w->key) : mesh_peer(m, &w->key);

	if (!p || p->is_suspect == suspect)
		return;
	p->is_suspect = suspect;
	if (!p->is_unreachable)
		p->changed_ms = st->now.mono_ms;
	step_trace(st, TRACE_SUSPECT, m, &w->key, suspect ? ERR_NO_ANSWER : 0);
}

static void ask_once(struct step *st, struct mesh *m, struct watched *w)
{
	struct peer *p = mesh_peer_make(st, m, &w->key);

	w->tries++;
	w->next_ms = st->now.mono_ms + try_ms(st, m, w);
	due_at(m, w->next_ms);
	if (!p)
		return;
	if (p->session && !p->session->is_closing) {
		gossip_ask(st, p->session);
	} else if (!p->dial) {
		p->place = 0;
		dial_peer(st, p);
	}
}

/* tell: it is our own finding, so the others are to look as well. */
static void begin_look(struct step *st, struct mesh *m, struct watched *w, bool tell)
{
	w->state = WATCH_LOOKING;
	w->is_missed = false;
	w->began_ms = st->now.mono_ms;
	w->tries = 0;
	mark(st, m, w, true);
	ask_once(st, m, w); /* the suspect is told first */
	canary_begin(st, m, w);
	quorum_begin(st, m, w, tell);
}

/* Half of a mesh may be away for hours: the longer it lasts, the rarer the looks. */
static int64_t again_ms(const struct step *st, const struct watched *w)
{
	int64_t part_ms = (st->now.mono_ms - w->heard_ms) / WATCH_AGAIN_PART;

	return MIN_OF(MAX_OF(part_ms, WATCH_AGAIN_MS), WATCH_AGAIN_MAX_MS);
}

static void conclude(struct step *st, struct mesh *m, struct watched *w)
{
	struct peer *p = mesh_peer(m, &w->key);

	w->state = WATCH_SILENT;
	w->concluded_ms = st->now.mono_ms;
	w->next_ms = st->now.mono_ms + again_ms(st, w);
	if (p)
		dial_set_unreachable(st, p, true);
	quorum_conclude(st, m, w);
}

void watch_asked(struct step *st, struct mesh *m, struct watched *w)
{
	/* Who waits for its next look joins in, so that signatures are of one time. */
	bool may_look =
		w->state == WATCH_QUIET ||
		(w->state == WATCH_SILENT && st->now.mono_ms - w->concluded_ms >= WATCH_AGAIN_MS);

	if (!may_look || (w->asked_ms && st->now.mono_ms - w->asked_ms < WATCH_ASKED_PAUSE_MS))
		return;
	w->asked_ms = st->now.mono_ms;
	begin_look(st, m, w, false);
}

/* Not here and now: we may be called out of the dialling that a look begins with. */
static void miss(struct step *st, struct peer *p)
{
	struct watched *w = find(p->mesh, &p->key);

	if (!w || w->state != WATCH_QUIET || p->session)
		return;
	w->is_missed = true;
	due_at(p->mesh, st->now.mono_ms);
}

void watch_broken(struct step *st, const struct session *s)
{
	struct peer *p = s->peer;
	struct watched *w = find(p->mesh, &p->key);

	if (p->mesh->watching)
		canary_lost(st, p->mesh->watching, &p->key);
	/*
	 * It has an older session that it takes for alive: each of ours will break as it comes up,
	 * until that one is proved dead.  That we get so far proves that it lives.
	 */
	if (w)
		w->was_brief = session_was_brief(st, s);
	miss(st, p);
}

void watch_unreachable(struct step *st, struct peer *p)
{
	miss(st, p);
}

/* What was added to the time for an answer, as we are late, is not needed any more. */
void watch_dialled(struct step *st, struct peer *p, int err)
{
	struct watched *w = find(p->mesh, &p->key);

	if (!w)
		return;
	w->is_refused = err == ERR_REFUSED;
	if (w->state != WATCH_LOOKING)
		return;
	w->next_ms = MIN_OF(w->next_ms, st->now.mono_ms + try_ms(st, p->mesh, w));
	due_at(p->mesh, w->next_ms);
}

/* --- signs of life --------------------------------------------------------------------------- */

/* It lives but is out: it has to know, so that it can come back. */
static void tell_pruned(struct step *st, struct session *s, struct watched *w)
{
	const struct entry *e = set_find(s->mesh->set, &w->key);
	struct bytes raw;
	struct msg msg = { .kind = MSG_ENTRIES };

	if (w->told_ms && st->now.mono_ms - w->told_ms < WATCH_TELL_MS)
		return;
	w->told_ms = st->now.mono_ms;
	if (!e || e->standing != STANDING_PRUNED)
		return;
	raw = e->remove->raw;
	msg.u.entries.stmts = &raw;
	msg.u.entries.count = 1;
	msg.u.entries.way = WAY_NONE;
	step_send(st, s, LANE_CONTROL, &msg);
}

static void heard(struct step *st, struct mesh *m, struct watched *w)
{
	w->heard_ms = st->now.mono_ms;
	w->is_missed = w->is_refused = false;
	if (w->state == WATCH_QUIET)
		return;
	w->alive_ms = st->now.mono_ms;
	w->state = WATCH_QUIET;
	quorum_reset(w);
	mark(st, m, w, false);
	due_at(m, st->now.mono_ms + WATCH_PERIOD_MS);
}

void watch_heard(struct step *st, struct session *s)
{
	struct watched *w;

	if (!s->mesh->watching || !s->peer)
		return;
	if (s->peer->is_unreachable)
		dial_set_unreachable(st, s->peer, false);
	w = find_of(s);
	if (w && w->state == WATCH_OUT)
		tell_pruned(st, s, w);
	else if (w)
		heard(st, s->mesh, w);
	quorum_session(st, s);
}

void watch_alive(struct step *st, struct session *s)
{
	struct watched *w = find_of(s);

	if (w)
		w->alive_ms = st->now.mono_ms;
}

/* --- who names us ---------------------------------------------------------------------------- */

static struct watched *make(struct step *st, struct mesh *m, const struct key *key)
{
	struct watched *w = find(m, key);

	if (w || m->watching->watched.count >= LIMIT_MEMBERS)
		return w;
	w = mem_zalloc(st->n->mem, sizeof(*w));
	if (!w) {
		step_fail(st, -ENOMEM);
		return NULL;
	}
	w->key = *key;
	w->state = WATCH_OUT;
	w->patience = 1;
	map_insert(&m->watching->watched, &w->node, w->key.b);
	m->watched_changes++;
	return w;
}

/* It came back soon after we had signed that it was gone: we were too quick. */
static void learn(struct step *st, struct watched *w)
{
	int64_t now = st->now.mono_ms;

	if (w->state != WATCH_OUT || !w->pruned_ms || now - w->pruned_ms >= WATCH_REFUTED_MS)
		return;
	w->patience = (unsigned)MIN_OF(2 * patience(st, w), (int64_t)WATCH_PATIENCE_MAX);
	w->patience_until_ms = now + WATCH_PATIENCE_MS;
	w->pruned_ms = 0;
}

static void name_us(struct step *st, struct mesh *m, struct watched *w, uint64_t counter)
{
	if (w->state != WATCH_OUT && w->counter == counter)
		return;
	/* A new record is a sign of life: only its owner can have made it. */
	quorum_reset(w);
	w->fellows_count = 0;
	w->counter = counter;
	w->state = WATCH_QUIET;
	w->heard_ms = w->alive_ms = st->now.mono_ms;
	w->is_missed = w->is_refused = false;
	w->measure_ms = st->now.mono_ms + MS_PER_SECOND;
	mark(st, m, w, false);
	due_at(m, w->measure_ms);
}

/* No longer watched; what we know of it stays for a while. */
static void let_go(struct step *st, struct mesh *m, struct watched *w, bool pruned)
{
	if (w->state != WATCH_OUT) {
		w->pruned_ms = pruned && w->has_signed ? st->now.mono_ms : 0;
		mark(st, m, w, false);
		quorum_reset(w);
	}
	w->state = WATCH_OUT;
	w->keep_ms = MAX_OF(pruned ? st->now.mono_ms + WATCH_REFUTED_MS : st->now.mono_ms,
	                    w->patience_until_ms);
	due_at(m, w->keep_ms);
}

void watch_member(struct step *st, struct mesh *m, const struct entry *e)
{
	struct watched *w = find(m, &e->member);
	bool pruned = e->standing == STANDING_PRUNED;
	bool names;

	if (!m->watching || key_equal(&e->member, &m->self.box_public))
		return;
	guard_member(st, m, e);
	if (w && e->standing == STANDING_IN)
		learn(st, w);
	names = e->record && record_watches(e->record, &m->self.sign_public);
	if (names && (pruned || e->standing == STANDING_IN))
		w = make(st, m, &e->member);
	if (names && w && e->standing == STANDING_IN)
		name_us(st, m, w, e->record->counter);
	else if (w)
		let_go(st, m, w, pruned);
}

/* --- time ------------------------------------------------------------------------------------ */

static int64_t quiet(struct step *st, struct mesh *m, struct watched *w)
{
	int64_t missed = missed_ms(st, w, WATCH_SLACK_MS); /* at the earliest */
	struct peer *p;

	if (w->is_missed && w->was_brief && st->now.mono_ms < w->heard_ms + WATCH_HEARD_MS)
		return w->heard_ms + WATCH_HEARD_MS;
	/* To look up who it is costs most here: only when something may be due. */
	if (!w->is_missed && st->now.mono_ms < MIN_OF(missed, w->measure_ms))
		return MIN_OF(missed, w->measure_ms);
	p = mesh_peer(m, &w->key);
	missed = missed_ms(st, w, slack_for(m, w, WATCH_SLACK_MS, 4));
	/* Whatever else it says proves that it lives, but only for this moment. */
	missed = MAX_OF(missed, w->heard_ms + WATCH_HEARD_MS);
	if (w->is_missed || st->now.mono_ms >= missed) {
		begin_look(st, m, w, true);
		return w->next_ms;
	}
	if (st->now.mono_ms >= w->measure_ms) {
		w->measure_ms = st->now.mono_ms + rng_jitter(&st->n->rng, WATCH_MEASURE_MS, 25);
		if (p && p->session && !p->session->is_closing)
			gossip_ask(st, p->session);
	}
	return MIN_OF(missed, w->measure_ms);
}

/* They may answer late as well: until then we could but abstain, and for five seconds. */
static bool waits_for_canaries(const struct step *st, const struct mesh *m, struct watched *w)
{
	int64_t until_ms = w->began_ms + (WATCH_TRIES * WATCH_TRY_MS + 2 * watch_late(m));

	return st->now.mono_ms < until_ms && !canary_answered(st, w);
}

static void look_on(struct step *st, struct mesh *m, struct watched *w)
{
	if (w->tries < WATCH_TRIES)
		ask_once(st, m, w);
	else if (waits_for_canaries(st, m, w))
		w->next_ms = st->now.mono_ms + WATCH_TRY_MS / 4;
	else
		conclude(st, m, w);
}

/* Do what is due for one; returns when next. */
static int64_t step_one(struct step *st, struct mesh *m, struct watched *w)
{
	bool is_due = st->now.mono_ms >= w->next_ms;

	if (w->make_ms && st->now.mono_ms >= w->make_ms)
		quorum_make(st, m, w); /* and it is out, perhaps */
	switch (w->state) {
	case WATCH_QUIET:
		return quiet(st, m, w);
	case WATCH_LOOKING:
		if (is_due)
			look_on(st, m, w);
		break;
	case WATCH_SILENT:
		if (is_due)
			begin_look(st, m, w, true);
		break;
	case WATCH_OUT:
		return w->keep_ms;
	}
	return w->make_ms ? MIN_OF(w->make_ms, w->next_ms) : w->next_ms;
}

static void scan(struct step *st, struct mesh *m)
{
	struct watching *ws = m->watching;
	int64_t earliest = st->now.mono_ms + (int64_t)(ws->watched.count / 64);
	int64_t next = TIME_NEVER;
	struct map_node *pos;
	struct map_node *tmp;

	ws->next_ms = TIME_NEVER;
	map_for_each_safe(pos, tmp, &ws->watched) {
		struct watched *w = container_of(pos, struct watched, node);
		int64_t at = step_one(st, m, w);

		if (w->state == WATCH_OUT && st->now.mono_ms >= w->keep_ms) {
			map_remove(&ws->watched, pos);
			mem_free(st->n->mem, w);
			m->watched_changes++;
			continue;
		}
		next = MIN_OF(next, at);
	}
	next = MAX_OF(next, earliest);
	ws->next_ms = MIN_OF(ws->next_ms, next);
}

/* That its stream broke, or a dial was refused, we know however late. */
static bool is_silence(const struct mesh *m, const struct watched *w)
{
	const struct peer *p = mesh_peer(m, &w->key);

	return p && p->session;
}

/* We were not there: nobody is to be blamed for what we did not hear. */
static void start_anew(struct step *st, struct mesh *m)
{
	struct map_node *pos;

	m->watching->abstain_until_ms = st->now.mono_ms + WATCH_ABSTAIN_MS;
	step_trace(st, TRACE_ABSTAINED, m, NULL, ERR_BUSY);
	map_for_each(pos, &m->watching->watched) {
		struct watched *w = container_of(pos, struct watched, node);

		if (w->state == WATCH_LOOKING && !is_silence(m, w))
			continue;
		if (w->state == WATCH_LOOKING) {
			quorum_reset(w);
			mark(st, m, w, false);
			w->state = WATCH_QUIET;
		}
		w->heard_ms = w->alive_ms = st->now.mono_ms;
		w->is_missed = w->is_missed && !is_silence(m, w);
		w->next_ms = st->now.mono_ms + WATCH_AGAIN_MS;
	}
}

void watch_tick(struct step *st, struct mesh *m)
{
	int64_t asked_ms = watch_deadline(m);

	if (!m->watching)
		return;
	if (st->now.mono_ms >= asked_ms)
		note_late(m->watching, st->now.mono_ms - asked_ms);
	if (asked_ms != TIME_NEVER && st->now.mono_ms - asked_ms > WATCH_LATE_MS)
		start_anew(st, m);
	if (st->now.mono_ms >= m->watching->next_ms)
		scan(st, m);
	guard_tick(st, m);
}

int64_t watch_deadline(const struct mesh *m)
{
	int64_t at;

	if (!m->watching)
		return TIME_NEVER;
	at = guard_deadline(m->watching);
	return MIN_OF(at, m->watching->next_ms);
}

void watch_message(struct step *st, struct session *s, const struct msg *msg)
{
	struct watched *w = find(s->mesh, &msg->u.watch.member);

	if (w && w->state != WATCH_OUT && w->counter == msg->u.watch.counter && s->peer)
		quorum_message(st, s, w, msg);
}

/* --- beginning and end ------------------------------------------------------------------------ */

void watch_start(struct step *st, struct mesh *m)
{
	const struct entry *e;

	watch_end(m);
	if (!mesh_is_running(m))
		return;
	m->watching = mem_zalloc(st->n->mem, sizeof(*m->watching));
	if (!m->watching) {
		step_fail(st, -ENOMEM);
		return;
	}
	map_init(&m->watching->watched, KEY_BYTES);
	m->watched_changes++;
	m->watching->next_ms = TIME_NEVER;
	guard_start(st, m);
	set_for_each(e, i, m->set)
		watch_member(st, m, e);
}

void watch_end(struct mesh *m)
{
	struct map_node *pos;

	if (!m->watching)
		return;
	while ((pos = map_first(&m->watching->watched))) {
		map_remove(&m->watching->watched, pos);
		mem_free(m->owner->mem, container_of(pos, struct watched, node));
	}
	mem_free(m->owner->mem, m->watching);
	m->watching = NULL;
	m->watched_changes++;
}
