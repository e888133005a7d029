/*
 * The other watchers of a member that we watch: what they are told, and what they sign.
 *
 * Watchers are picked by their owner among its own sessions, so two of them rarely have a session
 * with each other.  Those that lack one are dialled when a look begins, and told what they are owed
 * when the session is up; that costs nothing while all is well.  Relaying by others was rejected:
 * it needs somebody between them who knows both, just when somebody is missing.
 *
 * A part of a certificate counts for ATTEST_FRESH_MS, so that all that make one up are of one time,
 * and is dropped when the member is heard.  The certificate is made by whoever has the quorum and
 * has signed itself: the first of the signers in the record at once, the others ATTEST_TURN_MS
 * later each, for all get the quorum at about the same time, and each certificate is told to
 * everybody. Two that make one all the same make the same remove for all that merging knows.  It
 * goes through the door of our own statements: its parts were verified, we are its source in both
 * trees, and it is on our disk before it is told.
 *
 * What others say is bounded: only watchers that the record in force names are listened to, and
 * only about that record; they start at most one look in WATCH_ASKED_PAUSE_MS, and one signature of
 * each is checked in ATTEST_PAUSE_MS.
 */
#include "smegd/core/watch_priv.h"

#include "base/err.h"

void quorum_reset(struct watched *w)
{
	w->has_signed = false;
	w->make_ms = 0;
	for (size_t i = 0; i < w->fellows_count; i++) {
		w->fellows[i].attest_ms = 0;
		w->fellows[i].owes_attest = w->fellows[i].owes_suspect = false;
	}
}

/* --- who they are --------------------------------------------------------------------------- */

static void read_fellows(const struct mesh *m, struct watched *w, const struct stmt *record)
{
	struct watcher_id self = watcher_id_of(&m->self.sign_public);

	if (w->fellows_count)
		return;
	memset(w->fellows, 0, sizeof(w->fellows));
	w->fellows_count = record_watchers(record, w->ids);
	w->is_resolved = false;
	for (size_t i = 0; i < w->fellows_count; i++)
		w->fellows[i].is_self = memcmp(&w->ids[i], &self, sizeof(self)) == 0;
}

/* Of which watcher is this the key?  NULL: of none. */
static struct fellow *fellow_of(struct watched *w, const struct key *sign_public)
{
	struct watcher_id id = watcher_id_of(sign_public);

	for (size_t i = 0; i < w->fellows_count; i++)
		if (memcmp(&w->ids[i], &id, sizeof(id)) == 0)
			return &w->fellows[i];
	return NULL;
}

/* A walk over the members, only when one is missed. */
static void resolve(const struct mesh *m, struct watched *w)
{
	const struct entry *e;
	size_t known = 0;

	if (w->is_resolved)
		return;
	set_for_each(e, i, m->set) {
		struct fellow *f = fellow_of(w, entry_subject(e));

		if (!f)
			continue;
		f->key = e->member;
		known++;
	}
	w->is_resolved = known == w->fellows_count;
}

/* --- telling --------------------------------------------------------------------------------- */

static void send_owed(struct step *st, struct session *s, struct watched *w, struct fellow *f)
{
	struct msg msg = { .kind = MSG_SUSPECT };

	msg.u.watch.member = w->key;
	msg.u.watch.counter = w->counter;
	if (f->owes_suspect)
		step_send(st, s, LANE_CONTROL, &msg);
	if (f->owes_attest) {
		msg.kind = MSG_ATTEST;
		for (size_t i = 0; i < w->fellows_count; i++)
			if (w->fellows[i].is_self)
				msg.u.watch.signature = w->fellows[i].attest.signature;
		step_send(st, s, LANE_CONTROL, &msg);
	}
	f->owes_suspect = f->owes_attest = false;
}

static void reach(struct step *st, struct mesh *m, struct watched *w, struct fellow *f)
{
	struct peer *p = mesh_peer_make(st, m, &f->key);

	if (!p)
		return;
	if (p->session && !p->session->is_closing) {
		send_owed(st, p->session, w, f);
		return;
	}
	m->watching->owes = true;
	if (!p->dial && st->now.mono_ms >= p->dial_again_ms)
		dial_peer(st, p);
}

static void reach_all(struct step *st, struct mesh *m, struct watched *w)
{
	for (size_t i = 0; i < w->fellows_count; i++)
		if (!w->fellows[i].is_self && !key_is_zero(&w->fellows[i].key))
			reach(st, m, w, &w->fellows[i]);
}

void quorum_begin(struct step *st, struct mesh *m, struct watched *w, bool tell)
{
	const struct stmt *record = watch_record(m, w);

	if (!record)
		return;
	read_fellows(m, w, record);
	resolve(m, w);
	for (size_t i = 0; tell && i < w->fellows_count; i++)
		w->fellows[i].owes_suspect = !w->fellows[i].is_self;
	reach_all(st, m, w);
}

void quorum_session(struct step *st, struct session *s)
{
	struct watching *ws = s->mesh->watching;
	bool owes = false;
	struct map_node *pos;

	if (!ws->owes || s->since_ms != st->now.mono_ms) /* it has just come up */
		return;
	map_for_each(pos, &ws->watched) {
		struct watched *w = container_of(pos, struct watched, node);

		for (size_t i = 0; i < w->fellows_count; i++) {
			struct fellow *f = &w->fellows[i];

			if (key_equal(&f->key, &s->peer->key))
				send_owed(st, s, w, f);
			owes = owes || f->owes_suspect || f->owes_attest;
		}
	}
	ws->owes = owes;
}

/* --- the certificate ------------------------------------------------------------------------- */

static bool is_fresh(const struct step *st, const struct fellow *f)
{
	return f->attest_ms && st->now.mono_ms - f->attest_ms < ATTEST_FRESH_MS;
}

/* Or each of them would soon make one as well, while the trees bring ours. */
static void tell_fellows(struct step *st, struct mesh *m, struct watched *w, struct stmt *remove)
{
	struct msg msg = { .kind = MSG_ENTRIES };

	msg.u.entries.stmts = &remove->raw;
	msg.u.entries.count = 1;
	msg.u.entries.way = (enum way)(WAY_LAST_1 | WAY_LAST_2);
	for (size_t i = 0; i < w->fellows_count; i++) {
		const struct fellow *f = &w->fellows[i];
		const struct peer *p = f->is_self ? NULL : mesh_peer(m, &f->key);

		if (p && p->session && !p->session->is_closing)
			step_send(st, p->session, LANE_CONTROL, &msg);
	}
}

/* NULL: not enough have signed, or we have not. */
static struct stmt *certificate(struct step *st, struct mesh *m, struct watched *w)
{
	const struct stmt *record = watch_record(m, w);
	struct attest list[LIMIT_WATCHERS];
	size_t count = 0;
	struct stmt *remove = NULL;
	int err;

	for (size_t i = 0; i < w->fellows_count; i++)
		if (is_fresh(st, &w->fellows[i]))
			list[count++] = w->fellows[i].attest;
	if (!record || !w->has_signed)
		return NULL;
	err = remove_make_prune(st->n->mem, record, list, count, &remove);
	if (err && err != ERR_NOT_AUTHORISED)
		step_fail(st, err);
	return err ? NULL : remove;
}

void quorum_make(struct step *st, struct mesh *m, struct watched *w)
{
	struct stmt *remove = certificate(st, m, w);

	w->make_ms = 0;
	if (!remove)
		return;
	mesh_offer(st, m, remove->raw, 0); /* and watch_member() lets it go */
	tell_fellows(st, m, w, remove);
	stmt_unref(st->n->mem, remove);
}

/* Those that have signed before us in the record make it first, if they are there. */
static void make_in_turn(struct step *st, struct mesh *m, struct watched *w)
{
	struct stmt *remove = w->make_ms ? NULL : certificate(st, m, w);
	int64_t before = 0;

	if (!remove)
		return;
	stmt_unref(st->n->mem, remove);
	for (size_t i = 0; i < w->fellows_count && !w->fellows[i].is_self; i++)
		before += is_fresh(st, &w->fellows[i]);
	if (before == 0) {
		quorum_make(st, m, w);
		return;
	}
	w->make_ms = st->now.mono_ms + before * (ATTEST_TURN_MS + 2 * watch_late(m));
	m->watching->next_ms = MIN_OF(m->watching->next_ms, w->make_ms);
}

static bool may_sign(struct step *st, struct mesh *m, const struct watched *w)
{
	const struct entry *self = mesh_self_entry(m);
	bool abstains = st->now.mono_ms < m->watching->abstain_until_ms && !w->is_refused;

	if (!self || self->standing != STANDING_IN || abstains)
		return false;
	if (canary_answered(st, w))
		return true;
	/* It may be us who are cut off: find out which sessions are dead. */
	gossip_ask_silent(st, m, WATCH_STALE_MS);
	return false;
}

static void sign(struct step *st, struct mesh *m, struct watched *w, struct fellow *self)
{
	const struct stmt *record = watch_record(m, w);

	prune_attest(record, &m->self, &m->mesh_public, &self->attest);
	self->attest_ms = st->now.mono_ms;
	w->has_signed = true;
	step_trace(st, TRACE_ATTESTED, m, &w->key, 0);
	for (size_t i = 0; i < w->fellows_count; i++)
		w->fellows[i].owes_attest = !w->fellows[i].is_self;
	reach_all(st, m, w);
	make_in_turn(st, m, w);
}

void quorum_conclude(struct step *st, struct mesh *m, struct watched *w)
{
	struct fellow *self = fellow_of(w, &m->self.sign_public);

	/* One watcher alone is no quorum. */
	if (!self || w->fellows_count < 2 || !watch_record(m, w))
		return;
	if (may_sign(st, m, w))
		sign(st, m, w, self);
	else
		step_trace(st, TRACE_ABSTAINED, m, &w->key, 0);
}

/* --- what others say ------------------------------------------------------------------------- */

/* Is this a part that we have, or a good one? */
static bool take_attest(struct step *st,
                        struct watched *w,
                        struct fellow *f,
                        const struct session *s,
                        const struct signature *signature)
{
	const struct stmt *record = watch_record(s->mesh, w);
	struct attest attest = { .signature = *signature };

	if (!record || st->now.mono_ms < f->check_ms)
		return false;
	f->check_ms = st->now.mono_ms + ATTEST_PAUSE_MS;
	attest.watcher = *entry_subject(set_find(s->mesh->set, &s->peer->key));
	if (attest_verify(record, &attest, &s->mesh->mesh_public))
		return false;
	f->attest = attest;
	f->attest_ms = st->now.mono_ms;
	return true;
}

void quorum_message(struct step *st, struct session *s, struct watched *w, const struct msg *msg)
{
	const struct stmt *record = watch_record(s->mesh, w);
	const struct entry *e = set_find(s->mesh->set, &s->peer->key);
	struct fellow *f;

	/* Who has just heard it says so by not signing. */
	if (!record || !e ||
	    (w->state == WATCH_QUIET && st->now.mono_ms - w->heard_ms < WATCH_HEARD_MS))
		return;
	read_fellows(s->mesh, w, record);
	f = fellow_of(w, entry_subject(e));
	if (!f || f->is_self)
		return;
	f->key = e->member;
	if (msg->kind == MSG_ATTEST && !take_attest(st, w, f, s, &msg->u.watch.signature))
		return;
	watch_asked(st, s->mesh, w);
	if (msg->kind == MSG_ATTEST)
		make_in_turn(st, s->mesh, w);
}
