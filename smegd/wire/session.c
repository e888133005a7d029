/*
 * Sessions: sealed frames in and out, and one session per pair of members.
 *
 * Two members may dial each other at the same time.  Of two sessions of a pair both sides keep the
 * one that the lower key dialled, and of two that the same side dialled the one with the greater
 * timestamp in its hello.  Both sides know keys and timestamps, so they keep the same one in
 * whatever order the sessions come up.  ("The one that came up last" was rejected: the two sides
 * may see different orders and close both.)  Sessions whose hello has an invite are apart from
 * the others, since a member that joins again may hold one of each for a moment.
 *
 * The rule has a hole: if the higher side has restarted, the session that the lower one dialled is
 * dead, but the lower one does not know yet and closes the new session in its favour.  So whenever
 * an older session wins it must prove itself: it gets a ping, and if no frame comes within
 * HUB_PROVE_MS it goes down; the other side's next dial then succeeds.
 *
 * Every SESSION_UP is followed by exactly one SESSION_DOWN, also if the node itself closes.
 */
#include "smegd/wire/hub_priv.h"

#include "base/err.h"
#include "smegd/wire/message.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int session_say(
	struct step *s, struct link *l, enum lane lane, enum seal_kind kind, struct bytes content)
{
	struct hub_output *o = output_add(s, HUB_SEND, l);
	uint8_t *frame = arena_alloc(&s->out->arena, content.count + SEAL_BYTES);

	assert(content.count <= SEAL_CONTENT_BYTES_MAX);
	if (!o || !frame)
		return -ENOMEM;
	if (content.count > 0)
		memcpy(frame + SEAL_HEAD_BYTES, content.at, content.count);
	seal_frame(&l->seal, lane, kind, frame, content.count);
	o->lane = lane;
	o->frame = (struct bytes){ .at = frame, .count = content.count + SEAL_BYTES };
	return 0;
}

int session_send(struct step *s, struct link *l, enum lane lane, const struct msg *m)
{
	const struct message_room room = { .before = SEAL_HEAD_BYTES, .after = NOISE_TAG_BYTES };
	struct message_packed packed;
	struct hub_output *o;
	int err;

	assert(l->state == LINK_UP);
	err = message_pack(m, room, &s->out->arena, &packed);
	if (err)
		return err;
	assert(packed.bytes <= SEAL_CONTENT_BYTES_MAX);
	o = output_add(s, HUB_SEND, l);
	if (!o)
		return -ENOMEM;
	seal_frame(&l->seal, lane, SEAL_MESSAGE, packed.block, packed.bytes);
	o->lane = lane;
	o->frame = (struct bytes){ .at = packed.block, .count = packed.bytes + SEAL_BYTES };
	return 0;
}

/* --- one session per pair ------------------------------------------------------------------- */

/* Was this link dialled by the member with the lower key? */
static bool is_by_lower(const struct link *l, const struct key *self)
{
	return l->is_dialled == (key_compare(self, &l->pair.peer) < 0);
}

/* Of two links of one pair, is `a` the one to keep? */
static bool is_preferred(const struct link *a, const struct link *b, const struct key *self)
{
	if (a->is_dialled != b->is_dialled)
		return is_by_lower(a, self);
	return a->timestamp_ms > b->timestamp_ms;
}

static int tell_up(struct step *s, struct link *l, int64_t clock_ahead_ms)
{
	struct event *ev = output_event(s, EV_SESSION_UP);
	struct session_up *up;

	if (!ev)
		return -ENOMEM;
	assert(l->session == 0);
	l->session = l->number;
	up = &ev->u.session_up;
	up->session = l->session;
	up->dial = l->dial;
	memcpy(up->mesh, l->pair.mesh, MESH_ID_BYTES);
	up->peer = l->pair.peer;
	up->as_joiner = l->as_joiner;
	if (l->as_joiner)
		up->joiner = l->joiner;
	up->remote = l->remote;
	up->clock_ahead_ms = clock_ahead_ms;
	return 0;
}

/* An older session has won over a new one: is anybody there? */
static int challenge(struct step *s, struct link *l)
{
	if (l->prove_by_ms != TIME_NEVER)
		return 0;
	l->prove_by_ms = s->now.mono_ms + HUB_PROVE_MS;
	link_schedule(s->hub, l);
	return session_say(s, l, LANE_CONTROL, SEAL_PING, (struct bytes){ .at = NULL });
}

/* The new link is not the one to keep.  The node must hear of what it dialled. */
static int session_lost(struct step *s, struct link *l, struct link *winner, int64_t clock_ahead_ms)
{
	int err = l->is_dialled ? tell_up(s, l, clock_ahead_ms) : 0;

	if (!err)
		err = link_cut(s, l, 0);
	return err ? err : challenge(s, winner);
}

int session_up(struct step *s, struct link *l, int64_t clock_ahead_ms)
{
	struct link *other = link_of_pair(s->hub, &l->pair);
	struct identity self;
	int err;

	if (!hub_identity(s->hub, l->pair.mesh, &self))
		return link_cut(s, l, ERR_NO_MESH);
	l->state = LINK_UP;
	l->auth_by_ms = TIME_NEVER;
	link_release(s->hub, l);
	link_schedule(s->hub, l);
	if (other && !is_preferred(l, other, &self.pair->box_public))
		return session_lost(s, l, other, clock_ahead_ms);
	err = tell_up(s, l, clock_ahead_ms);
	if (!err && other)
		err = link_cut(s, other, 0);
	if (err)
		return err;
	link_pair(s->hub, l);
	return 0;
}

/* --- frames --------------------------------------------------------------------------------- */

static int session_broken(struct step *s, struct link *l)
{
	s->hub->counters.frames_bad++;
	return link_cut(s, l, ERR_MALFORMED);
}

static int on_message(struct step *s, struct link *l, struct bytes content)
{
	struct msg *m = arena_alloc(&s->out->arena, sizeof(*m));
	struct event *ev;
	int err;

	if (!m)
		return -ENOMEM;
	err = message_unpack(content, &s->out->arena, m);
	if (err == -ENOMEM)
		return err;
	if (err == ERR_VERSION)
		return 0;
	if (err)
		return session_broken(s, l);
	ev = output_event(s, EV_MESSAGE);
	if (!ev)
		return -ENOMEM;
	ev->u.message.session = l->session;
	ev->u.message.msg = m;
	return 0;
}

static int on_content(struct step *s, struct link *l, const struct seal_opened *opened)
{
	switch (opened->kind) {
	case SEAL_MESSAGE:
		return on_message(s, l, opened->content);
	case SEAL_REKEY_FIRST:
		return rekey_first(s, l, opened->content);
	case SEAL_REKEY_SECOND:
		return rekey_second(s, l, opened->content);
	case SEAL_PING:
		return session_say(s, l, LANE_CONTROL, SEAL_READY, (struct bytes){ .at = NULL });
	default:
		return 0;
	}
}

/* The first frame of an accepted link: now the session counts. */
static int on_ready(struct step *s, struct link *l)
{
	int64_t half_trip = (s->now.mono_ms - l->sent.mono_ms) / 2;

	return session_up(s, l, l->clock_ahead_ms + half_trip);
}

int session_frame(struct step *s, struct link *l, const struct frame *f)
{
	uint8_t *plain = arena_alloc(&s->out->arena, f->body.count);
	uint64_t number = l->number;
	struct seal_opened opened;
	int err = 0;

	if (!plain)
		return -ENOMEM;
	if (seal_open(&l->seal, f, plain, &opened) != 0)
		return session_broken(s, l);
	if (l->prove_by_ms != TIME_NEVER) {
		l->prove_by_ms = TIME_NEVER;
		link_schedule(s->hub, l);
	}
	if (l->state == LINK_AWAIT_READY)
		err = on_ready(s, l);
	l = link_find(s->hub, number);
	if (err || !l)
		return err;
	if (opened.is_new_epoch)
		err = rekey_follow(s, l);
	return err ? err : on_content(s, l, &opened);
}
