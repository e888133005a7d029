/*
 * When members that could not be reached are dialled again.
 *
 * Of a few (RETRY_FREE), each after a pause that doubles from half a second to half a minute, for
 * ever. Where half of a mesh is away, that would be some hundred dials that fail in each half
 * minute, by every daemon, for as long as it lasts.  So the more are out of reach, the rarer each
 * is tried: a daemon makes about one such dial in ten to twenty seconds (RETRY_SPREAD_MS), whatever
 * their number.  All together then try so often that the first one gets through a moment after the
 * network is back; and whoever finds one again tries RETRY_OTHERS more at once, of those that it
 * would want to be connected with, and so on with each that answers.  What is found again thus
 * grows like a rumour, and stops where nobody answers.  Those that it does not miss follow one by
 * one: they are dialled for people, who want to see who can be reached.
 *
 * A daemon that has no session at all keeps to the pauses of a single member: nobody tries for it.
 *
 * Rejected: to try all as soon as one is found again (a hundred sessions for each member, most of
 * them closed again after 20 s), to count all as reachable then (two of five dead hosts would look
 * alive when a third is back), to have a few chosen ones try (the choice must be mended as well).
 */
#include "smegd/core/node_priv.h"

int64_t retry_pause(struct step *st, struct peer *p)
{
	struct mesh *m = p->mesh;
	/* Somebody waits, and an introducer hears only so many newcomers a second. */
	int64_t max_ms = m->joining ? DIAL_BACKOFF_JOIN_MS : DIAL_BACKOFF_MAX_MS;
	int64_t own_ms;
	int64_t turn_ms;

	p->backoff_ms = p->backoff_ms ? MIN_OF(2 * p->backoff_ms, max_ms) : DIAL_BACKOFF_FIRST_MS;
	own_ms = rng_jitter(&st->n->rng, p->backoff_ms, 25);
	if (m->joining || !m->sessions_count || m->unreachable <= RETRY_FREE)
		return own_ms;
	/* Any time within the round of all: those that were lost together must not be tried
	 * together. */
	turn_ms = (int64_t)rng_below(&st->n->rng, (m->unreachable - RETRY_FREE) * RETRY_SPREAD_MS);
	return MAX_OF(own_ms, turn_ms);
}

/* An even choice of `most` that are missed and wait; *other: one of those that are not missed. */
static size_t choose(
	struct step *st, struct mesh *m, size_t most, struct peer **out, struct peer **ret_other)
{
	struct map_node *pos;
	size_t missed = 0;
	size_t others = 0;

	map_for_each(pos, &m->peers) {
		struct peer *p = container_of(pos, struct peer, node);
		uint64_t at;

		if (!p->is_unreachable || p->session || p->dial || p->dial_again_ms == TIME_NEVER)
			continue;
		if (!tree_misses(m, p)) {
			if (rng_below(&st->n->rng, ++others) == 0)
				*ret_other = p;
			continue;
		}
		at = missed < most ? missed : rng_below(&st->n->rng, missed + 1);
		missed++;
		if (at < most)
			out[at] = p;
	}
	return MIN_OF(missed, most);
}

/* Half of a mesh comes back within a second: a walk for each of them would be most of the work. */
void retry_found(struct step *st, struct mesh *m)
{
	int64_t at_ms = MAX_OF(st->now.mono_ms, m->found_ms + RETRY_BATCH_MS);

	m->found++;
	m->maintain_ms = MIN_OF(m->maintain_ms, at_ms);
}

void retry_others(struct step *st, struct mesh *m)
{
	size_t most = MIN_OF(m->found * RETRY_OTHERS, RETRY_OTHERS_MAX);
	struct peer *missed[RETRY_OTHERS_MAX];
	struct peer *other = NULL;
	size_t count;

	if (!m->found)
		return;
	m->found = 0;
	m->found_ms = st->now.mono_ms;
	if (!m->unreachable)
		return;
	count = choose(st, m, most, missed, &other);
	for (size_t i = 0; i < count; i++)
		missed[i]->dial_again_ms = MIN_OF(missed[i]->dial_again_ms, st->now.mono_ms);
	if (!count && other)
		other->dial_again_ms =
			MIN_OF(other->dial_again_ms,
		               st->now.mono_ms + rng_jitter(&st->n->rng, RETRY_LATER_MS, 25));
}
