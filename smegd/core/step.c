/*
 * Effects of the step under way.
 *
 * The rest of the core reads as if memory never ran out: a step that has failed keeps its error in
 * st->err, hands out a spare effect to write to, and node_step() returns the error at its end.  The
 * node may then only be freed, so half-made changes do no harm.  The alternative, a checked return
 * value on every helper, made half of each function error paths that can't be told apart anyway.
 *
 * What an effect points to is copied into the effects' arena: nothing in it borrows from an event.
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void step_fail(struct step *st, int err)
{
	if (!st->err)
		st->err = err;
}

struct effect *step_fx(struct step *st, enum effect_kind kind)
{
	struct effect *e = effects_add(st->fx, kind);

	if (e)
		return e;
	step_fail(st, -ENOMEM);
	memset(&st->spare, 0, sizeof(st->spare));
	return &st->spare;
}

void *step_alloc(struct step *st, size_t bytes)
{
	void *p = arena_alloc(&st->fx->arena, bytes);

	if (!p)
		step_fail(st, -ENOMEM);
	return p;
}

static struct bytes copy_bytes(struct step *st, struct bytes src)
{
	struct bytes out = { NULL, 0 };

	if (!src.at)
		return out;
	out.at = arena_dup(&st->fx->arena, src.at, src.count);
	out.count = src.count;
	if (!out.at)
		step_fail(st, -ENOMEM);
	return out;
}

void step_put(struct step *st, const struct row *row, bool durable)
{
	struct effect *e = step_fx(st, FX_PERSIST);

	e->u.persist.row = *row;
	e->u.persist.row.key = copy_bytes(st, row->key);
	e->u.persist.row.value = copy_bytes(st, row->value);
	e->u.persist.durable = durable;
}

static struct bytes *copy_list(struct step *st, const struct bytes *list, size_t count)
{
	struct bytes *out = step_alloc(st, count * sizeof(*out));

	for (size_t i = 0; out && i < count; i++)
		out[i] = copy_bytes(st, list[i]);
	return out;
}

static void copy_items(struct step *st, struct msg *msg)
{
	size_t bytes = msg->u.items.count * sizeof(*msg->u.items.items);
	uint64_t *copy = step_alloc(st, bytes);

	if (copy && bytes)
		memcpy(copy, msg->u.items.items, bytes);
	msg->u.items.items = copy;
}

static void copy_inside(struct step *st, struct msg *msg)
{
	switch (msg->kind) {
	case MSG_ENTRIES:
		msg->u.entries.stmts = copy_list(st, msg->u.entries.stmts, msg->u.entries.count);
		break;
	case MSG_REDEEMED:
		msg->u.redeemed.stmts = copy_list(st, msg->u.redeemed.stmts, msg->u.redeemed.count);
		break;
	case MSG_REDEEM:
		msg->u.redeem.invite = copy_bytes(st, msg->u.redeem.invite);
		break;
	case MSG_SKETCH:
		msg->u.sketch.symbols = copy_bytes(st, msg->u.sketch.symbols);
		break;
	case MSG_BEAT:
		msg->u.beat.beat = copy_bytes(st, msg->u.beat.beat);
		msg->u.beat.other = copy_bytes(st, msg->u.beat.other);
		break;
	case MSG_WANT:
	case MSG_ANNOUNCE:
		copy_items(st, msg);
		break;
	case MSG_DIGEST:
	case MSG_CONTINUE:
	case MSG_FETCH:
	case MSG_SUSPECT:
	case MSG_ATTEST:
	case MSG_BEAT_ACK:
	case MSG_BYE:
		break;
	}
}

void step_send(struct step *st, const struct session *s, enum lane lane, const struct msg *msg)
{
	struct msg *copy = step_alloc(st, sizeof(*copy));
	struct effect *e;

	if (!copy)
		return;
	*copy = *msg;
	copy_inside(st, copy);
	e = step_fx(st, FX_SEND);
	e->u.send.session = s->id;
	e->u.send.lane = lane;
	e->u.send.msg = copy;
}

void step_close(struct step *st, struct session *s)
{
	const struct msg bye = { .kind = MSG_BYE };

	step_send(st, s, LANE_BULK, &bye);
	step_fx(st, FX_CLOSE)->u.session = s->id;
	s->is_closing = true;
	st->n->has_closing = true;
}

void step_trace(
	struct step *st, enum trace_kind kind, const struct mesh *m, const struct key *who, int err)
{
	struct effect *e = step_fx(st, FX_TRACE);

	e->u.trace.kind = kind;
	if (m)
		memcpy(e->u.trace.mesh, m->id, sizeof(m->id));
	if (who)
		e->u.trace.member = *who;
	e->u.trace.err = err;
}

struct command_result *step_result(struct step *st, uint64_t request)
{
	struct command_result *r = step_alloc(st, sizeof(*r));
	struct effect *e;

	if (!r)
		return NULL;
	e = step_fx(st, FX_REPLY);
	e->u.reply.request = request;
	e->u.reply.result = r;
	return r;
}

void step_progress(struct step *st, uint64_t request, unsigned step, const char *format, ...)
{
	struct command_progress *p;
	struct effect *e;
	va_list args;

	if (!request)
		return;
	p = step_alloc(st, sizeof(*p));
	if (!p)
		return;
	p->step = step;
	p->steps = JOIN_STEPS;
	va_start(args, format);
	vsnprintf(p->text, sizeof(p->text), format, args);
	va_end(args);
	e = step_fx(st, FX_PROGRESS);
	e->u.progress.request = request;
	e->u.progress.progress = p;
}
