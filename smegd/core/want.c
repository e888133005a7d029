/*
 * Asking for what was announced.
 *
 * Who hears of news that no tree has brought asks whoever announced them, and remembers it: a
 * second announcement is no second question, but where the answer does not come in the time that
 * the trees would have taken (a dead neighbour, a lost portion), somebody else is asked, the other
 * one who announced it first.  By then nearly everybody has it.
 *
 * What is remembered is bounded in number and in tries: who announces what does not exist gets
 * three short questions sent to others.  Past that repair is there.
 *
 * Rejected: asking two at once (two copies each time, where one in thirty is late).
 */
#include "smegd/core/node_priv.h"

#define TRIES_MAX 4u

static struct want *find(struct wants *w, uint64_t id)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->list[i].id == id)
			return &w->list[i];
	return NULL;
}

static void ask(struct step *st, const struct session *s, uint64_t *ids, size_t count)
{
	struct msg msg = { .kind = MSG_WANT, .u.items = { .items = ids, .count = count } };

	if (count)
		step_send(st, s, LANE_CONTROL, &msg);
}

/* False: it is being asked for already.  Where there is no room it is asked for and forgotten. */
static bool note(struct step *st, const struct session *s, uint64_t id, bool repaired)
{
	struct mesh *m = s->mesh;
	struct want *w = find(&m->wants, id);

	if (w) {
		w->is_repaired |= repaired;
		if (w->asked != s->id)
			w->other = s->id;
		return false;
	}
	if (m->wants.count < WANTS_MAX)
		m->wants.list[m->wants.count++] = (struct want){
			.id = id,
			.again_ms = st->now.mono_ms + news_patience(m, st->now.mono_ms),
			.asked = s->id,
			.tries = 1,
			.is_repaired = repaired,
		};
	return true;
}

void want_announced(struct step *st, struct session *s, const struct msg *msg)
{
	uint64_t lacking[ANNOUNCED_MAX];
	size_t count = 0;

	for (size_t i = 0; i < msg->u.items.count && i < ANNOUNCED_MAX; i++) {
		uint64_t id = msg->u.items.items[i];
		struct news *item = newslog_find(s->mesh, id);

		if (item)
			news_announced(item, s);
		else if (note(st, s, id, msg->u.items.repaired))
			lacking[count++] = id;
	}
	ask(st, s, lacking, count);
}

void want_asked(struct step *st, struct session *s, const struct msg *msg)
{
	struct teller *t = teller_new(st, s, LANE_CONTROL, WAY_NONE);

	for (size_t i = 0; t && i < msg->u.items.count && i < ANNOUNCED_MAX; i++) {
		const struct news *item = newslog_find(s->mesh, msg->u.items.items[i]);

		if (item)
			teller_add(t, item->stmt->raw);
	}
	if (t)
		teller_flush(t);
}

bool want_is_of_ring(struct mesh *m, uint64_t id)
{
	const struct want *w = find(&m->wants, id);

	return w && !w->is_repaired;
}

/* --- asking again ----------------------------------------------------------------------------- */

static bool may_ask(const struct session *s, const struct want *w)
{
	return s && s->peer && !s->is_closing && !s->peer->is_leaf && s->id != w->asked;
}

/* Who announced it too, or a random neighbour; NULL: none of those that were looked at will do. */
static const struct session *pick(struct step *st, const struct mesh *m, const struct want *w)
{
	const struct session *s = w->other ? session_by_id(st->n, w->other) : NULL;

	for (unsigned i = 0; i < 4 && !may_ask(s, w) && m->sessions_all; i++)
		s = m->sessions[rng_below(&st->n->rng, m->sessions_all)];
	return may_ask(s, w) ? s : NULL;
}

static void ask_again(struct step *st, struct mesh *m, struct want *w)
{
	const struct session *s = pick(st, m, w);

	w->tries++;
	w->other = 0;
	w->again_ms = st->now.mono_ms + news_patience(m, st->now.mono_ms);
	if (!s)
		return;
	w->asked = s->id;
	ask(st, s, &w->id, 1);
}

void want_tick(struct step *st, struct mesh *m)
{
	struct wants *ws = &m->wants;

	for (size_t i = ws->count; i-- > 0;) {
		struct want *w = &ws->list[i];

		if (st->now.mono_ms < w->again_ms)
			continue;
		if (w->tries < TRIES_MAX && !newslog_find(m, w->id))
			ask_again(st, m, w);
		else
			*w = ws->list[--ws->count];
	}
}

int64_t want_deadline(const struct mesh *m)
{
	int64_t at = TIME_NEVER;

	for (size_t i = 0; i < m->wants.count; i++)
		at = MIN_OF(at, m->wants.list[i].again_ms);
	return at;
}
