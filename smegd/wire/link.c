/*
 * Links: how they are found, when they are due, how they end.
 *
 * A link is found by its number in a table, since that happens twice for each message, and the
 * session that the node knows has the number of its link.  It is in up to two ordered maps besides:
 * by its deadline, since what happens then must happen in one order on every machine, and by its
 * pair of members once it is the session of that pair.
 *
 * A link has one deadline, the least of its times; the map of deadlines makes the hub's own
 * deadline a look at its first node.
 *
 * A link ends in one function.  Whatever the reason, the node hears of it exactly once: a session
 * that it knows goes down, a dial that it asked for has failed, and of an accepted link that came
 * to nothing it never knew.
 */
#include "smegd/wire/hub_priv.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#define LINK_OF(node, member) ((node) ? container_of(node, struct link, member) : NULL)

/* In the order of signed deadlines, then of numbers. */
static void deadline_key(uint8_t out[16], int64_t deadline_ms, uint64_t number)
{
	struct writer w;

	writer_init(&w, out, 16);
	write_u64(&w, (uint64_t)deadline_ms ^ UINT64_C(1) << 63);
	write_u64(&w, number);
}

struct link *link_find(const struct hub *h, uint64_t number)
{
	return table_find(&h->by_number, number);
}

struct link *link_of_session(const struct hub *h, uint64_t session)
{
	struct link *l = link_find(h, session);

	return l && l->session ? l : NULL;
}

struct link *link_of_pair(const struct hub *h, const struct pair *pair)
{
	struct map_node *node = map_find(&h->by_pair, pair);

	return LINK_OF(node, by_pair);
}

int64_t link_deadline(const struct link *l)
{
	return MIN_OF(l->auth_by_ms, MIN_OF(l->rekey_at_ms, l->prove_by_ms));
}

struct link *link_due(const struct hub *h, int64_t now_ms)
{
	struct map_node *node = map_first(&h->by_deadline);
	struct link *l = LINK_OF(node, by_deadline);

	return l && link_deadline(l) <= now_ms ? l : NULL;
}

int link_make(struct hub *h, uint64_t number, bool is_dialled, struct link **ret_link)
{
	struct link *l;

	assert(number > 0);
	_Static_assert(sizeof(struct pair) == MESH_ID_BYTES + KEY_BYTES + 1, "no padding");
	l = mem_zalloc(h->mem, sizeof(*l));
	if (!l)
		return -ENOMEM;
	if (table_add(&h->by_number, h->mem, number, l)) {
		mem_free(h->mem, l);
		return -ENOMEM;
	}
	l->number = number;
	l->is_dialled = is_dialled;
	l->state = is_dialled ? LINK_DIALLING : LINK_AWAIT_HELLO;
	l->auth_by_ms = TIME_NEVER;
	l->rekey_at_ms = TIME_NEVER;
	l->prove_by_ms = TIME_NEVER;
	list_init(&l->half_open);
	cutter_init(&l->cutter, h->mem);
	deadline_key(l->deadline_key, TIME_NEVER, number);
	map_insert(&h->by_deadline, &l->by_deadline, l->deadline_key);
	*ret_link = l;
	return 0;
}

void link_free(struct hub *h, struct link *l)
{
	link_release(h, l);
	table_remove(&h->by_number, l->number);
	map_remove(&h->by_deadline, &l->by_deadline);
	if (l->is_paired)
		map_remove(&h->by_pair, &l->by_pair);
	if (l->is_sealed)
		h->session_count--;
	if (l->as_joiner)
		h->joiner_count--;
	cutter_fini(&l->cutter);
	noise_fini(l->handshake);
	mem_free(h->mem, l->handshake);
	sodium_memzero(l, sizeof(*l));
	mem_free(h->mem, l);
}

void link_schedule(struct hub *h, struct link *l)
{
	map_remove(&h->by_deadline, &l->by_deadline);
	deadline_key(l->deadline_key, link_deadline(l), l->number);
	map_insert(&h->by_deadline, &l->by_deadline, l->deadline_key);
}

void link_hold(struct hub *h, struct link *l, struct source *src)
{
	assert(!l->source);
	source_hold(src);
	l->source = src;
	list_add(&h->half_open, &l->half_open);
	h->half_open_count++;
}

void link_release(struct hub *h, struct link *l)
{
	if (!l->source)
		return;
	source_release(&h->sources, l->source);
	l->source = NULL;
	list_remove(&l->half_open);
	h->half_open_count--;
}

void link_pair(struct hub *h, struct link *l)
{
	assert(!l->is_paired);
	map_insert(&h->by_pair, &l->by_pair, &l->pair);
	l->is_paired = true;
}

struct hub_output *output_add(struct step *s, enum hub_output_kind kind, const struct link *l)
{
	struct hub_outputs *out = s->out;
	void *list = out->list;
	int err = mem_grow(out->arena.mem, &list, out->count, &out->cap, sizeof(*out->list));
	struct hub_output *o;

	out->list = list;
	if (err)
		return NULL;
	o = &out->list[out->count++];
	*o = (struct hub_output){ .kind = kind, .link = l ? l->number : 0 };
	return o;
}

struct event *output_event(struct step *s, enum event_kind kind)
{
	struct hub_output *o = output_add(s, HUB_EVENT, NULL);

	if (!o)
		return NULL;
	o->event.kind = kind;
	o->event.now = s->now;
	return &o->event;
}

int link_send(struct step *s, const struct link *l, enum lane lane, struct bytes frame)
{
	struct hub_output *o = output_add(s, HUB_SEND, l);

	if (!o)
		return -ENOMEM;
	o->lane = lane;
	o->frame.at = arena_dup(&s->out->arena, frame.at, frame.count);
	o->frame.count = frame.count;
	return o->frame.at ? 0 : -ENOMEM;
}

/* Tell the node what ended with this link, if it knew of it. */
static int tell_end(struct step *s, const struct link *l, int err)
{
	struct event *ev;

	if (l->session == 0 && !l->is_dialled)
		return 0;
	ev = output_event(s, l->session ? EV_SESSION_DOWN : EV_DIAL_FAILED);
	if (!ev)
		return -ENOMEM;
	if (l->session) {
		ev->u.session_down.session = l->session;
		ev->u.session_down.err = err;
	} else {
		ev->u.dial_failed.dial = l->dial;
		ev->u.dial_failed.err = err ? err : ERR_NO_ANSWER;
	}
	return 0;
}

int link_gone(struct step *s, struct link *l, int err)
{
	int told = tell_end(s, l, err);

	link_free(s->hub, l);
	return told;
}

int link_cut(struct step *s, struct link *l, int err)
{
	bool is_out = output_add(s, HUB_CLOSE, l);
	int told = link_gone(s, l, err);

	return is_out ? told : -ENOMEM;
}

bool hub_identity(const struct hub *h, const char mesh[MESH_ID_BYTES], struct identity *ret)
{
	struct identity list[LIMIT_MESHES];
	size_t count = h->directory.identities(h->directory.ctx, list, LIMIT_MESHES);

	assert(count <= LIMIT_MESHES);
	for (size_t i = 0; i < count; i++) {
		if (memcmp(list[i].mesh, mesh, MESH_ID_BYTES) != 0)
			continue;
		*ret = list[i];
		return true;
	}
	return false;
}
