/*
 * The hub's calls, and who gets which frame.
 *
 *	accepted:  AWAIT_HELLO --hello, admitted--> AWAIT_READY --sealed frame--> UP
 *	dialled:   DIALLING --connected--> AWAIT_WELCOME --welcome without error--> UP
 *
 * Everything else drops the link.  Until a link is up the other side may announce no frame larger
 * than a hello, it has AUTH_TIMEOUT_MS, and an accepted link counts as half-open.
 *
 * When there are LIMIT_HALF_OPEN of those, the oldest that has not said hello makes room for a new
 * one.  Refusing the new one instead would let a stranger who opens a few links a second keep
 * everybody out; this way he must be faster than an honest hello travels.
 *
 * Calls are not re-entered: a call's outputs are complete when it returns, and point to nothing
 * inside the hub.
 */
#include "smegd/wire/hub.h"

#include "base/err.h"
#include "smegd/wire/hub_priv.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

void hub_outputs_init(struct hub_outputs *out, const struct mem *m)
{
	*out = (struct hub_outputs){ .count = 0 };
	arena_init(&out->arena, m);
}

void hub_outputs_fini(struct hub_outputs *out)
{
	if (!out || !out->arena.mem)
		return;
	mem_free(out->arena.mem, out->list);
	arena_fini(&out->arena);
	*out = (struct hub_outputs){ .arena = out->arena };
}

static struct step step_start(struct hub *h, struct instant now, struct hub_outputs *out)
{
	arena_reset(&out->arena);
	out->count = 0;
	return (struct step){ .hub = h, .now = now, .out = out };
}

int hub_new(const struct hub_options *options, struct hub **ret)
{
	struct hub *h = mem_zalloc(options->mem, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->mem = options->mem;
	h->directory = options->directory;
	rng_init(&h->rng, options->seed);
	table_init(&h->by_number);
	map_init(&h->by_deadline, sizeof(((struct link *)NULL)->deadline_key));
	map_init(&h->by_pair, sizeof(struct pair));
	list_init(&h->half_open);
	sources_init(&h->sources, h->mem);
	*ret = h;
	return 0;
}

void hub_free(struct hub *h)
{
	const struct mem *m;
	struct map_node *pos;
	struct map_node *tmp;

	if (!h)
		return;
	m = h->mem;
	map_for_each_safe(pos, tmp, &h->by_deadline)
		link_free(h, container_of(pos, struct link, by_deadline));
	table_fini(&h->by_number, m);
	sources_fini(&h->sources);
	rng_fini(&h->rng);
	sodium_memzero(h, sizeof(*h));
	mem_free(m, h);
}

/* The oldest link that has not said hello goes, if too many are half-open. */
static int make_room(struct step *s)
{
	struct list *pos;

	if (s->hub->half_open_count < LIMIT_HALF_OPEN)
		return 0;
	list_for_each(pos, &s->hub->half_open) {
		struct link *l = container_of(pos, struct link, half_open);

		if (l->state == LINK_AWAIT_HELLO)
			return link_cut(s, l, 0);
	}
	return 0;
}

int hub_accepted(struct hub *h,
                 uint64_t link,
                 const struct endpoint *remote,
                 struct instant now,
                 struct hub_outputs *out)
{
	struct step s = step_start(h, now, out);
	struct source *src;
	struct link *l;
	int err = make_room(&s);

	if (!err)
		err = source_get(&h->sources, &remote->addr, now, &src);
	if (!err)
		err = link_make(h, link, false, &l);
	if (err)
		return err;
	l->remote = *remote;
	if (h->half_open_count >= LIMIT_HALF_OPEN || !src ||
	    src->half_open >= LIMIT_HALF_OPEN_PER_SOURCE)
		return link_cut(&s, l, 0);
	link_hold(h, l, src);
	l->auth_by_ms = now.mono_ms + AUTH_TIMEOUT_MS;
	link_schedule(h, l);
	return 0;
}

int hub_dial(struct hub *h,
             uint64_t link,
             const struct effect *dial,
             struct instant now,
             struct hub_outputs *out)
{
	struct step s = step_start(h, now, out);
	struct link *l;
	int err;

	assert(dial->kind == FX_DIAL);
	err = link_make(h, link, true, &l);
	if (err)
		return err;
	l->dial = dial->u.dial.dial;
	memcpy(l->pair.mesh, dial->u.dial.mesh, MESH_ID_CHARS);
	l->pair.peer = dial->u.dial.peer;
	l->pair.is_invited = dial->u.dial.as_joiner;
	return h->session_count < LIMIT_SESSIONS ? 0 : link_cut(&s, l, ERR_LIMIT);
}

int hub_connected(struct hub *h,
                  uint64_t link,
                  const struct endpoint *remote,
                  struct instant now,
                  struct hub_outputs *out)
{
	struct step s = step_start(h, now, out);
	struct link *l = link_find(h, link);

	if (!l || l->state != LINK_DIALLING)
		return 0;
	l->remote = *remote;
	return greeting_call(&s, l);
}

static size_t frame_bytes_max(const struct link *l)
{
	return l->state == LINK_UP ? LIMIT_FRAME_BYTES : FRAME_FIRST_BYTES_MAX;
}

static int on_frame(struct step *s, struct link *l, const struct frame *f)
{
	switch (l->state) {
	case LINK_AWAIT_HELLO:
		return greeting_hello(s, l, f);
	case LINK_AWAIT_WELCOME:
		return greeting_welcome(s, l, f);
	case LINK_AWAIT_READY:
	case LINK_UP:
		return session_frame(s, l, f);
	case LINK_DIALLING:
		break;
	}
	return link_cut(s, l, ERR_NO_ANSWER);
}

/* The stream can't be cut into frames. */
static int on_garbage(struct step *s, struct link *l)
{
	if (l->state == LINK_AWAIT_HELLO)
		return greeting_refuse(s, l);
	s->hub->counters.frames_bad++;
	return link_cut(s, l, l->session ? ERR_MALFORMED : ERR_NO_ANSWER);
}

int hub_bytes(struct hub *h,
              uint64_t link,
              struct bytes bytes,
              struct instant now,
              struct hub_outputs *out)
{
	struct step s = step_start(h, now, out);
	struct link *l;

	/* Looked up again each time: a frame may be the last of its link. */
	while ((l = link_find(h, link))) {
		struct frame f;
		int got = cutter_next(&l->cutter, &bytes, frame_bytes_max(l), &f);
		int err;

		if (got == 0 || got == -ENOMEM)
			return got;
		err = got > 0 ? on_frame(&s, l, &f) : on_garbage(&s, l);
		if (err)
			return err;
	}
	return 0;
}

int hub_link_down(
	struct hub *h, uint64_t link, int err, struct instant now, struct hub_outputs *out)
{
	struct step s = step_start(h, now, out);
	struct link *l = link_find(h, link);

	if (!l)
		return 0;
	if (l->state == LINK_AWAIT_WELCOME)
		err = ERR_NO_ANSWER;
	return link_gone(&s, l, err);
}

int hub_send(struct hub *h, const struct effect *send, struct instant now, struct hub_outputs *out)
{
	struct step s = step_start(h, now, out);
	struct link *l = link_of_session(h, send->u.send.session);

	assert(send->kind == FX_SEND);
	if (!l)
		return 0;
	return session_send(&s, l, send->u.send.lane, send->u.send.msg);
}

int hub_close(struct hub *h, uint64_t session, struct instant now, struct hub_outputs *out)
{
	struct step s = step_start(h, now, out);
	struct link *l = link_of_session(h, session);

	return l ? link_cut(&s, l, 0) : 0;
}

/* Each of a link's times has its own meaning; the first that has come is acted on. */
static int on_due(struct step *s, struct link *l)
{
	int64_t now_ms = s->now.mono_ms;

	if (l->auth_by_ms <= now_ms)
		return l->state == LINK_AWAIT_HELLO ? greeting_refuse(s, l)
		                                    : link_cut(s, l, ERR_NO_ANSWER);
	if (l->prove_by_ms <= now_ms)
		return link_cut(s, l, ERR_TIMED_OUT);
	assert(l->rekey_at_ms <= now_ms);
	return rekey_due(s, l);
}

int hub_tick(struct hub *h, struct instant now, struct hub_outputs *out)
{
	struct step s = step_start(h, now, out);
	struct link *l;
	int err = 0;

	while (!err && (l = link_due(h, now.mono_ms)))
		err = on_due(&s, l);
	return err;
}

int64_t hub_deadline(const struct hub *h)
{
	struct map_node *first = map_first(&h->by_deadline);

	return first ? link_deadline(container_of(first, struct link, by_deadline)) : TIME_NEVER;
}

void hub_count(const struct hub *h, struct hub_counters *ret)
{
	*ret = h->counters;
}
