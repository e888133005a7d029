/*
 * Acknowledgements of beats, summed on the way back up the first tree.
 *
 * Each member waits for those it has sent the beat on to, less long the deeper it stands, and tells
 * who it had the beat from one more than their sum.  A second copy, or one that ends here, is
 * acknowledged with 0 at once, so that nobody waits for it.  A member that is silent costs its
 * neighbour's patience and no more.
 *
 * The sum is hearsay, for people: a neighbour may say what it wants, or say it twice.  No more than
 * the members of the group is believed.  Rejected: to remember who was sent what, and signatures of
 * all (64 bytes a member and beat).
 */
#include "smegd/core/beat_priv.h"

static uint32_t group_count(const struct mesh *m)
{
	return (uint32_t)set_group_count(m->set);
}

void beat_acknowledge(struct step *st, const struct session *s, uint64_t number, uint32_t count)
{
	struct msg msg = { .kind = MSG_BEAT_ACK };

	msg.u.beat_ack.number = number;
	msg.u.beat_ack.count = count;
	step_send(st, s, LANE_CONTROL, &msg);
}

static void end_wait(struct step *st, struct mesh *m, struct beat_wait *w)
{
	const struct session *s = w->session ? session_by_id(st->n, w->session) : NULL;

	w->is_used = false;
	if (!w->session)
		m->beats->acknowledged = w->sum;
	else if (s && !s->is_closing)
		beat_acknowledge(st, s, w->number, 1 + w->sum);
}

static struct beat_wait *free_wait(struct step *st, struct mesh *m)
{
	struct beat_wait *first = &m->beats->waits[0];

	for (size_t i = 0; i < BEAT_WAITS; i++) {
		struct beat_wait *w = &m->beats->waits[i];

		if (!w->is_used)
			return w;
		if (w->until_ms < first->until_ms)
			first = w;
	}
	end_wait(st, m, first);
	return first;
}

void beat_wait(
	struct step *st, struct mesh *m, const struct session *from, uint64_t number, size_t count)
{
	unsigned level = from ? tree_level_below(0, from) : 0;
	int64_t patience_ms = BEAT_WAIT_MS - (int64_t)level * BEAT_WAIT_LESS_MS;
	struct beat_wait *w = free_wait(st, m);

	*w = (struct beat_wait){
		.is_used = true,
		.number = number,
		.session = from ? from->id : 0,
		.waiting = count,
		.until_ms = st->now.mono_ms + MAX_OF(patience_ms, BEAT_WAIT_MIN_MS),
	};
	if (count == 0)
		end_wait(st, m, w);
}

void beat_on_ack(struct step *st, struct session *s, const struct msg *msg)
{
	struct mesh *m = s->mesh;

	for (size_t i = 0; i < BEAT_WAITS; i++) {
		struct beat_wait *w = &m->beats->waits[i];

		if (!w->is_used || w->number != msg->u.beat_ack.number || w->session == s->id)
			continue;
		w->sum += MIN_OF(msg->u.beat_ack.count,
		                 group_count(m) - MIN_OF(w->sum, group_count(m)));
		if (--w->waiting == 0)
			end_wait(st, m, w);
		return;
	}
}

void beat_end_late_waits(struct step *st, struct mesh *m)
{
	for (size_t i = 0; i < BEAT_WAITS; i++) {
		struct beat_wait *w = &m->beats->waits[i];

		if (w->is_used && st->now.mono_ms >= w->until_ms)
			end_wait(st, m, w);
	}
}
