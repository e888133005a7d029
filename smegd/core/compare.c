/*
 * The end of a join: fetch the state, compare it with two members besides the introducer.
 *
 * Repair does the fetching; here it is only asked for often, and its end is noticed.  The
 * comparison shows up an introducer that hides half of the mesh (design, section 3).  In a mesh
 * that has no two others there is nobody to compare with; where others cannot be reached in time,
 * the join succeeds and says so.
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define JOIN_ASKED 4u    /* neighbours asked in one round */
#define JOIN_SESSIONS 8u /* enough to find two that agree */

/* --- join: fetching and comparing ------------------------------------------------------------ */

/* Members besides us and the introducer that could be asked. */
static size_t others_to_ask(const struct mesh *m, const struct key *introducer)
{
	const struct entry *e;
	size_t count = 0;

	set_for_each(e, i, m->set)
		count += e->standing == STANDING_IN &&
		         !key_equal(&e->member, &m->self.box_public) &&
		         !key_equal(&e->member, introducer);
	return MIN_OF(count, ARRAY_LEN(m->joining->agreed_keys));
}

/* Sessions with random others; the trees' neighbours come by themselves. */
static void dial_random(struct step *st, struct mesh *m)
{
	if (m->sessions_count >= JOIN_SESSIONS)
		return;
	for (unsigned i = 0; i < 2 && set_count(m->set); i++) {
		const struct entry *e =
			set_at(m->set, (size_t)rng_below(&st->n->rng, set_count(m->set)));
		struct peer *p =
			e->standing == STANDING_IN ? mesh_peer_make(st, m, &e->member) : NULL;

		if (p && !p->session && !p->dial && st->now.mono_ms >= p->dial_again_ms)
			dial_peer(st, p);
	}
}

static void begin_comparing(struct step *st, struct mesh *m)
{
	struct joining *j = m->joining;

	j->step = JOIN_COMPARING;
	j->step_since_ms = st->now.mono_ms;
	step_progress(st, j->request, 5, "comparing with other members");
	dial_random(st, m);
	m->maintain_ms = st->now.mono_ms;
}

/* Its pages were all there is: what has changed meanwhile, the comparison shows. */
void join_fetched(struct step *st, struct mesh *m)
{
	if (m->joining && m->joining->step == JOIN_FETCHING)
		begin_comparing(st, m);
}

static void count_agreement(struct joining *j, const struct key *peer)
{
	for (size_t i = 0; i < j->agreed; i++)
		if (key_equal(&j->agreed_keys[i], peer))
			return;
	if (j->agreed < ARRAY_LEN(j->agreed_keys))
		j->agreed_keys[j->agreed++] = *peer;
}

void join_digest(struct step *st, struct session *s)
{
	struct mesh *m = s->mesh;
	struct joining *j = m->joining;

	if (!j || !s->is_equal || s->as_joiner)
		return;
	if (j->step == JOIN_FETCHING)
		begin_comparing(st, m);
	if (j->step == JOIN_COMPARING && !key_equal(&s->peer->key, &j->introducer))
		count_agreement(j, &s->peer->key);
	if (j->step == JOIN_COMPARING && j->agreed >= others_to_ask(m, &j->introducer))
		joining_finish(st, m);
}

static int64_t ask_at(const struct joining *j)
{
	return j->asked_ms + MIN_OF((int64_t)JOIN_ASK_MS << j->asked, JOIN_ASK_MAX_MS);
}

/*
 * While many join, no two are equal for long, and questions to all neighbours would keep it so:
 * some are asked, less and less often.
 */
static void ask_around(struct step *st, struct mesh *m)
{
	struct joining *j = m->joining;

	j->asked_ms = st->now.mono_ms;
	j->asked += ask_at(j) - j->asked_ms < JOIN_ASK_MAX_MS;
	gossip_ask_some(st, m, JOIN_ASKED);
	if (j->step == JOIN_COMPARING)
		dial_random(st, m);
}

static void finish_uncompared(struct step *st, struct mesh *m)
{
	step_progress(st, m->joining->request, 5,
	              "joined; only %zu of %zu other members could be compared with",
	              m->joining->agreed, others_to_ask(m, &m->joining->introducer));
	joining_finish(st, m);
}

static void tick_member(struct step *st, struct mesh *m)
{
	struct joining *j = m->joining;

	if (j->step == JOIN_COMPARING && st->now.mono_ms - j->step_since_ms >= JOIN_COMPARE_MS) {
		finish_uncompared(st, m);
		return;
	}
	/* Nobody has the time for our pages, but others tell us what they hear: that will do. */
	if (j->step == JOIN_FETCHING && st->now.mono_ms - j->step_since_ms >= JOIN_FETCH_MS &&
	    m->sessions_count > 1 && mesh_live_members(m) > 2)
		begin_comparing(st, m);
	if (st->now.mono_ms >= ask_at(j))
		ask_around(st, m);
}

static void out_of_time(struct step *st, struct mesh *m)
{
	struct joining *j = m->joining;
	struct diag diag = { "", "" };

	if (m->state == MESH_PREPARING) {
		diag_set(&diag, ERR_TIMED_OUT, "the interface %s could not be made ready in time",
		         m->tunnel.name);
		joining_give_up(st, m, ERR_TIMED_OUT, &diag);
		return;
	}
	if (m->state == MESH_ADMITTING) {
		j->bootstrap = j->token.bootstraps_count - 1; /* no more of them */
		join_failed(st, m, ERR_TIMED_OUT);
		return;
	}
	/* It was let in late, but has what there is. */
	if (j->step == JOIN_COMPARING) {
		finish_uncompared(st, m);
		return;
	}
	diag_set(&diag, ERR_TIMED_OUT,
	         "this host is admitted to \"%s\", but could not fetch its members yet; it goes on "
	         "trying",
	         m->name);
	diag_hint(&diag, "smegctl status %s", m->name);
	command_fail(st, j->request, ERR_TIMED_OUT, &diag);
	joining_drop(st, m);
}

/* When the place that is being tried has had its time. */
static int64_t step_deadline(const struct joining *j)
{
	if (j->step == JOIN_DIALLING)
		return j->step_since_ms + DIAL_TIMEOUT_MS;
	if (j->step == JOIN_REDEEMING)
		return j->step_since_ms + JOIN_ANSWER_MS;
	return TIME_NEVER;
}

void join_tick(struct step *st, struct mesh *m)
{
	struct joining *j = m->joining;

	if (!j)
		return;
	if (st->now.mono_ms >= j->deadline_ms) {
		out_of_time(st, m);
	} else if (st->now.mono_ms >= step_deadline(j)) {
		join_failed(st, m, ERR_TIMED_OUT);
	} else if (j->step == JOIN_WAITING && st->now.mono_ms >= j->again_ms) {
		join_dial(st, m);
	} else if (j->step == JOIN_FETCHING || j->step == JOIN_COMPARING) {
		tick_member(st, m);
	}
}

int64_t join_deadline(const struct mesh *m)
{
	const struct joining *j = m->joining;
	int64_t at;

	if (!j)
		return TIME_NEVER;
	if (j->step == JOIN_WAITING)
		return MIN_OF(j->deadline_ms, j->again_ms);
	if (j->step == JOIN_FETCHING || j->step == JOIN_COMPARING)
		return MIN_OF(j->deadline_ms, ask_at(j));
	at = step_deadline(j);
	return MIN_OF(j->deadline_ms, at);
}
