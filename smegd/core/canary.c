/*
 * Is it the member that is gone, or are we?  Whoever is cut off misses everybody, and must not
 * blame the one whom it happens to watch.
 *
 * When a look begins, up to eight other members that we have sessions with are questioned too, and
 * we sign only if more than two thirds of them were heard before its end.  Sessions that broke less
 * than a minute ago count as long as their member is in the group and has no new one: else the half
 * of a split that has just given up its dead sessions would believe that it hears everybody.
 *
 * The design says "more than half"; with that, in a split into two equal halves chance decides.
 * See docs/decisions/0006-two-thirds-of-the-canaries.md.  Without any canary, as in a mesh of two,
 * nothing is signed.
 */
#include "smegd/core/watch_priv.h"

void canary_lost(struct step *st, struct watching *ws, const struct key *key)
{
	ws->lost[ws->lost_count++ % WATCH_LOST_MAX] = (struct lost){ *key, st->now.mono_ms };
}

/* An even choice among all that are offered, as many as there is room for. */
struct choice {
	struct rng *rng;
	const struct session *chosen[WATCH_CANARIES]; /* NULL: a lost one */
	size_t offered;
};

static void offer_canary(struct choice *c, const struct session *s)
{
	uint64_t at = c->offered++;

	if (at >= WATCH_CANARIES)
		at = rng_below(c->rng, c->offered);
	if (at < WATCH_CANARIES)
		c->chosen[at] = s;
}

static void offer_sessions(struct choice *c, const struct mesh *m, const struct watched *w)
{
	const struct session *s;

	session_for_each(s, m)
		if (s->peer && !s->as_joiner && !s->is_closing && s->peer->session == s &&
		    !key_equal(&s->peer->key, &w->key))
			offer_canary(c, s);
}

static bool is_missing(const struct mesh *m, const struct key *key)
{
	const struct peer *p = mesh_peer(m, key);
	const struct entry *e = set_find(m->set, key);

	return e && e->standing == STANDING_IN && !(p && p->session);
}

static bool is_repeated(const struct watching *ws, size_t from, size_t at)
{
	for (size_t i = from; i < at; i++)
		if (key_equal(&ws->lost[i % WATCH_LOST_MAX].key,
		              &ws->lost[at % WATCH_LOST_MAX].key))
			return true;
	return false;
}

static void offer_lost(struct choice *c, struct step *st, struct mesh *m, const struct watched *w)
{
	const struct watching *ws = m->watching;
	size_t from = ws->lost_count > WATCH_LOST_MAX ? ws->lost_count - WATCH_LOST_MAX : 0;

	while (from < ws->lost_count &&
	       st->now.mono_ms - ws->lost[from % WATCH_LOST_MAX].at_ms > WATCH_LOST_MS)
		from++;
	for (size_t i = from; i < ws->lost_count; i++) {
		const struct key *key = &ws->lost[i % WATCH_LOST_MAX].key;

		if (!key_equal(key, &w->key) && !is_repeated(ws, from, i) && is_missing(m, key))
			offer_canary(c, NULL);
	}
}

void canary_begin(struct step *st, struct mesh *m, struct watched *w)
{
	struct choice c = { .rng = &st->n->rng };

	offer_sessions(&c, m, w);
	offer_lost(&c, st, m, w);
	w->canaries_count = 0;
	w->canaries_lost = 0;
	for (size_t i = 0; i < MIN_OF(c.offered, (size_t)WATCH_CANARIES); i++) {
		struct session *s;

		if (!c.chosen[i]) {
			w->canaries_lost++;
			continue;
		}
		w->canaries[w->canaries_count++] = c.chosen[i]->id;
		s = session_by_id(st->n, c.chosen[i]->id);
		if (st->now.mono_ms - s->heard_ms > WATCH_CANARY_FRESH_MS)
			gossip_ask(st, s);
	}
}

bool canary_answered(const struct step *st, const struct watched *w)
{
	size_t all = w->canaries_count + w->canaries_lost;
	size_t answered = 0;

	for (size_t i = 0; i < w->canaries_count; i++) {
		const struct session *s = session_by_id(st->n, w->canaries[i]);

		answered += s && s->heard_ms >= w->began_ms - WATCH_CANARY_FRESH_MS;
	}
	return 3 * answered > 2 * all;
}
