/*
 * Our own watchers: whom we name, the sign of life that they wait for, and what follows a prune.
 *
 * Watchers are random peers that we have sessions with; a choice that stands is kept, since each
 * change is a record that the whole mesh has to carry: only who has left the group, or has had no
 * session for five seconds while another could take its place, is replaced, and changes are
 * gathered.  A restart takes over whom the own record names.  A client has its uplinks watch it.
 *
 * With k watchers one of them hears from us every WATCH_PERIOD_MS / k, in turn, so that the first
 * to miss us does so soon, whenever we fall silent; it then wakes the others.
 *
 * A prune of ourselves is refuted after a pause that doubles from one second to a minute, so that
 * watchers who insist can't make the two of us fill the mesh with records.  Those that signed are
 * avoided for an hour: chosen at all only if there would be no quorum otherwise, and not if they
 * have done it twice.  (Never choosing them would leave nobody in a mesh of five after one false
 * prune.)  Who learns of its prune within ten seconds after its start was away: nobody is to blame,
 * and it comes back at once.
 */
#include "smegd/core/watch_priv.h"

static size_t wanted(const struct mesh *m)
{
	return m->role == ROLE_CLIENT ? GUARD_CLIENT : LIMIT_WATCHERS;
}

/* The peer, if it has a session; else NULL. */
static const struct peer *connected(const struct mesh *m, const struct guard *g)
{
	const struct peer *p = mesh_peer(m, &g->key);

	return p && p->session && !p->session->is_closing ? p : NULL;
}

static bool is_peer_in_group(const struct entry *e)
{
	return e && e->standing == STANDING_IN && record_role(e->record) == ROLE_PEER;
}

static struct guard *find_guard(struct watching *w, const struct key *key)
{
	for (size_t i = 0; i < w->guards_count; i++)
		if (key_equal(&w->guards[i].key, key))
			return &w->guards[i];
	return NULL;
}

static void drop_guard(struct watching *w, struct guard *g)
{
	*g = w->guards[--w->guards_count];
}

/* --- whom to avoid -----------------------------------------------------------------------------
 */

static struct avoided *find_avoided(struct watching *w, const struct key *subject, int64_t now)
{
	for (size_t i = 0; i < w->avoided_count; i++)
		if (key_equal(&w->avoided[i].subject, subject) && now < w->avoided[i].until_ms)
			return &w->avoided[i];
	return NULL;
}

/* The oldest makes room. */
static void avoid(struct watching *w, const struct key *subject, int64_t now)
{
	struct avoided *a = find_avoided(w, subject, now);

	if (!a && w->avoided_count < AVOID_MAX) {
		a = &w->avoided[w->avoided_count++];
		a->times = 0;
	} else if (!a) {
		a = &w->avoided[0];
		for (size_t i = 1; i < AVOID_MAX; i++)
			if (w->avoided[i].until_ms < a->until_ms)
				a = &w->avoided[i];
		a->times = 0;
	}
	a->subject = *subject;
	a->until_ms = now + AVOID_MS;
	a->times++;
}

/* --- the choice ----------------------------------------------------------------------------------
 */

/* A client is watched by its uplinks: it need not keep others connected for that. */
static bool may_watch(const struct mesh *m, const struct peer *p)
{
	return m->role != ROLE_CLIENT || m->uplinks.of[0] == p || m->uplinks.of[1] == p;
}

/* Could this member be a watcher?  `times`: it has signed against us so often. */
static bool is_candidate(const struct step *st,
                         struct mesh *m,
                         const struct session *s,
                         unsigned times)
{
	const struct entry *e;
	const struct avoided *a;

	if (!s->peer || s->as_joiner || s->is_closing || s->peer->session != s ||
	    s->peer->is_suspect || st->now.mono_ms - s->since_ms < GUARD_PROVEN_MS ||
	    !may_watch(m, s->peer) || find_guard(m->watching, &s->peer->key))
		return false;
	e = set_find(m->set, &s->peer->key);
	if (!is_peer_in_group(e))
		return false;
	a = find_avoided(m->watching, entry_subject(e), st->now.mono_ms);
	return times == (a ? a->times : 0);
}

/* A random one; *ret_count: of how many. */
static const struct session *pick(struct step *st,
                                  struct mesh *m,
                                  unsigned times,
                                  size_t *ret_count)
{
	const struct session *picked = NULL;
	const struct session *s;

	*ret_count = 0;
	session_for_each(s, m)
		if (is_candidate(st, m, s, times) && rng_below(&st->n->rng, ++*ret_count) == 0)
			picked = s;
	return picked;
}

static bool add_guard(struct step *st, struct mesh *m, unsigned times)
{
	struct watching *w = m->watching;
	size_t count;
	const struct session *s = pick(st, m, times, &count);
	struct guard *g = &w->guards[w->guards_count];

	if (!s)
		return false;
	*g = (struct guard){ .key = s->peer->key };
	g->subject = *entry_subject(set_find(m->set, &g->key));
	w->guards_count++;
	mesh_changed(m);
	return true;
}

static bool fill(struct step *st, struct mesh *m)
{
	bool changed = false;

	while (m->watching->guards_count < wanted(m) && add_guard(st, m, 0))
		changed = true;
	while (m->watching->guards_count < 2 && add_guard(st, m, 1))
		changed = true;
	return changed;
}

/* Who is out goes; who has had no session for long goes if another can take its place. */
static bool replace(struct step *st, struct mesh *m)
{
	struct watching *w = m->watching;
	bool changed = false;

	for (size_t i = w->guards_count; i-- > 0;) {
		struct guard *g = &w->guards[i];
		size_t others;

		if (is_peer_in_group(set_find(m->set, &g->key))) {
			if (!g->lost_ms || st->now.mono_ms < g->lost_ms || !pick(st, m, 0, &others))
				continue;
		}
		drop_guard(w, g);
		changed = true;
	}
	return changed;
}

static size_t gone(struct step *st, struct mesh *m)
{
	struct watching *w = m->watching;
	size_t count = 0;

	for (size_t i = 0; i < w->guards_count; i++) {
		struct guard *g = &w->guards[i];
		const struct peer *p = connected(m, g);

		if (p && may_watch(m, p))
			g->lost_ms = 0;
		else if (!g->lost_ms)
			g->lost_ms = st->now.mono_ms + GUARD_GONE_MS;
		count += (g->lost_ms && st->now.mono_ms >= g->lost_ms) ||
		         !is_peer_in_group(set_find(m->set, &g->key));
	}
	return count;
}

static void chosen(struct step *st, struct mesh *m)
{
	struct watching *w = m->watching;

	w->has_chosen = true;
	w->changed_ms = st->now.mono_ms;
	own_changed(st, m);
	/* Everyone now, then in turn: whoever is new has its first sign early. */
	for (size_t i = 0; i < w->guards_count; i++) {
		const struct peer *p = connected(m, &w->guards[i]);

		if (p)
			gossip_alive(st, p->session);
	}
	w->turn = 0;
	w->alive_ms = w->guards_count ? st->now.mono_ms + WATCH_PERIOD_MS / (int64_t)w->guards_count
	                              : TIME_NEVER;
}

/*
 * Where many join, records that name watchers would keep all from ever being equal, and comparing
 * is how a join ends; and the trees that are to carry them are just being built.
 */
static bool is_too_early(const struct mesh *m, int64_t now_ms)
{
	bool is_settling = mesh_is_settling(m, now_ms);

	return m->joining ||
	       (is_settling && (m->lacking || now_ms - m->newcomer_ms < STORM_GUARD_MS));
}

static void choose_first(struct step *st, struct mesh *m)
{
	size_t others = set_group_count(m->set) ? set_group_count(m->set) - 1 : 0;
	int64_t since_ms = st->now.mono_ms - m->watching->started_ms;
	size_t count;

	if (is_too_early(m, st->now.mono_ms) && since_ms < STORM_WAIT_MS)
		return;
	pick(st, m, 0, &count);
	if (count < MIN_OF(wanted(m), MAX_OF(others, (size_t)1)) && since_ms < GUARD_FIRST_MS)
		return;
	fill(st, m);
	chosen(st, m);
}

/* Nothing is to be done until a session with one of them ends, or one leaves: guard_lost(). */
static bool are_well(const struct mesh *m)
{
	const struct watching *w = m->watching;

	if (!w->has_chosen || w->guards_count < wanted(m) || m->role == ROLE_CLIENT)
		return false;
	for (size_t i = 0; i < w->guards_count; i++)
		if (w->guards[i].lost_ms)
			return false;
	return true;
}

void guard_lost(struct step *st, struct mesh *m, const struct key *key)
{
	if (m->watching && find_guard(m->watching, key))
		m->watching->look_ms = st->now.mono_ms;
}

static void look(struct step *st, struct mesh *m)
{
	struct watching *w = m->watching;
	size_t left = w->guards_count - gone(st, m);
	int64_t pause =
		left < MIN_OF(GUARD_HURRY_BELOW, wanted(m)) ? GUARD_HURRY_MS : GUARD_PAUSE_MS;
	bool changed;

	if (!w->has_chosen) {
		choose_first(st, m);
		return;
	}
	if (st->now.mono_ms - w->changed_ms < pause)
		return;
	changed = replace(st, m);
	if (fill(st, m) || changed)
		chosen(st, m);
}

size_t watch_own(const struct mesh *m, struct key out[LIMIT_WATCHERS])
{
	size_t count = m->watching ? m->watching->guards_count : 0;

	for (size_t i = 0; i < count; i++)
		out[i] = m->watching->guards[i].subject;
	return count;
}

bool watch_wants(const struct mesh *m, const struct peer *p)
{
	return m->watching && find_guard(m->watching, &p->key);
}

void guard_member(struct step *st, struct mesh *m, const struct entry *e)
{
	struct watching *w = m->watching;

	if (e->standing == STANDING_IN || !find_guard(w, &e->member))
		return;
	/* Where many have gone at once, so have watchers of many: first all are to hear of it. */
	w->look_ms = st->now.mono_ms;
	if (w->guards_count > GUARD_HURRY_BELOW)
		w->look_ms += rng_jitter(&st->n->rng, GUARD_OUT_MS, 50);
}

/* --- the sign of life
 * ----------------------------------------------------------------------------- */

static void tell_alive(struct step *st, struct mesh *m)
{
	struct watching *w = m->watching;
	int64_t gap;
	const struct peer *p;

	if (!w->guards_count) {
		w->alive_ms = TIME_NEVER;
		return;
	}
	gap = WATCH_PERIOD_MS / (int64_t)w->guards_count;
	p = connected(m, &w->guards[w->turn++ % w->guards_count]);
	if (p)
		gossip_alive(st, p->session);
	w->alive_ms += gap;
	if (w->alive_ms <= st->now.mono_ms)
		w->alive_ms = st->now.mono_ms + gap;
}

/* --- when we were pruned
 * --------------------------------------------------------------------------- */

static void blame(struct step *st, struct mesh *m, const struct stmt *remove)
{
	struct watching *w = m->watching;
	bool changed = false;

	for (size_t i = w->guards_count; i-- > 0;) {
		if (!remove_signed_by(remove, &w->guards[i].subject))
			continue;
		avoid(w, &w->guards[i].subject, st->now.mono_ms);
		drop_guard(w, &w->guards[i]);
		changed = true;
	}
	if (fill(st, m) || changed)
		chosen(st, m);
}

void watch_pruned(struct step *st, struct mesh *m, const struct stmt *remove)
{
	struct watching *w = m->watching;
	int64_t now = st->now.mono_ms;

	m->last_counter = MAX_OF(m->last_counter, remove->counter);
	if (!w)
		return;
	m->publish_ms = TIME_NEVER; /* refute() signs what there is to say */
	if (now - w->started_ms < REFUTE_START_MS) {
		w->refute_ms = now;
		return;
	}
	if (w->refute_ms == TIME_NEVER) {
		if (!w->pruned_ms || now - w->pruned_ms >= REFUTE_RESET_MS)
			w->backoff_ms = REFUTE_FIRST_MS;
		else
			w->backoff_ms = MIN_OF(2 * w->backoff_ms, REFUTE_MAX_MS);
		w->refute_ms = now + w->backoff_ms;
	}
	w->pruned_ms = now;
	blame(st, m, remove);
}

bool watch_holds_back(const struct mesh *m)
{
	return m->watching && m->watching->refute_ms != TIME_NEVER;
}

static void refute(struct step *st, struct mesh *m)
{
	const struct entry *self = mesh_self_entry(m);

	if (!own_may_publish(m) || (!st->n->has_addresses && !m->settings.places_count)) {
		m->watching->refute_ms = st->now.mono_ms + GUARD_LOOK_MS;
		return;
	}
	m->watching->refute_ms = TIME_NEVER;
	if (!self || self->standing != STANDING_PRUNED) {
		own_changed(st, m);
		return;
	}
	step_trace(st, TRACE_REFUTED, m, NULL, 0);
	own_publish(st, m, true);
}

/* --- beginning, and time
 * --------------------------------------------------------------------------- */

/* Whom the own record names stays, if it comes back soon. */
static void take_over(struct step *st, struct mesh *m, const struct stmt *record)
{
	struct watcher_id ids[LIMIT_WATCHERS];
	size_t count = record_watchers(record, ids);
	struct watching *w = m->watching;
	const struct entry *e;

	set_for_each(e, at, m->set) {
		struct watcher_id id = watcher_id_of(entry_subject(e));

		for (size_t i = 0; i < count && w->guards_count < LIMIT_WATCHERS; i++) {
			if (memcmp(&ids[i], &id, sizeof(id)) != 0 || !is_peer_in_group(e))
				continue;
			w->guards[w->guards_count++] = (struct guard){
				.key = e->member,
				.subject = *entry_subject(e),
				.lost_ms = st->now.mono_ms + GUARD_RESUME_MS,
			};
		}
	}
	w->has_chosen = w->guards_count > 0;
	if (w->has_chosen)
		w->alive_ms = st->now.mono_ms;
}

void guard_start(struct step *st, struct mesh *m)
{
	const struct entry *self = mesh_self_entry(m);
	struct watching *w = m->watching;

	w->started_ms = st->now.mono_ms;
	w->look_ms = st->now.mono_ms;
	w->alive_ms = TIME_NEVER;
	w->refute_ms = TIME_NEVER;
	w->changed_ms = st->now.mono_ms;
	if (self && self->record)
		take_over(st, m, self->record);
	if (self && self->standing == STANDING_PRUNED)
		watch_pruned(st, m, self->remove);
}

void guard_tick(struct step *st, struct mesh *m)
{
	struct watching *w = m->watching;

	if (st->now.mono_ms >= w->refute_ms)
		refute(st, m);
	if (st->now.mono_ms >= w->alive_ms)
		tell_alive(st, m);
	if (st->now.mono_ms < w->look_ms)
		return;
	w->look_ms = st->now.mono_ms + (w->has_chosen ? MS_PER_SECOND : GUARD_LOOK_MS);
	look(st, m);
	/* Those of a client depend on its uplinks, which change without a word to us. */
	if (are_well(m))
		w->look_ms = st->now.mono_ms + GUARD_WELL_MS;
}

int64_t guard_deadline(const struct watching *w)
{
	int64_t at = MIN_OF(w->alive_ms, w->look_ms);

	return MIN_OF(at, w->refute_ms);
}
