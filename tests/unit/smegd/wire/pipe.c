/*
 * The world of pipe.h.  It plays the shell: it carries out what the hubs put out, in order, and
 * keeps what they tell their nodes.
 *
 * It checks what every shell relies on: a frame that is sent is whole, nothing is sent on a link
 * after it was closed, a session goes up once and down once.
 */
#include "tests/unit/smegd/wire/pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void append(uint8_t **at, size_t *count, struct bytes more)
{
	uint8_t *grown = realloc(*at, *count + more.count + 1);

	assert_non_null(grown);
	if (more.count > 0)
		memcpy(grown + *count, more.at, more.count);
	*at = grown;
	*count += more.count;
}

static size_t identities(void *ctx, struct identity *out, size_t cap)
{
	struct host *h = ctx;

	assert_true(h->identities_count <= cap);
	memcpy(out, h->identities, h->identities_count * sizeof(*out));
	return h->identities_count;
}

/* Timestamps as the node would keep them; else what the test wants. */
static enum admit admit(void *ctx, const struct hello *hello, struct instant now, int *ret_err)
{
	struct host *h = ctx;
	size_t i = 0;

	(void)now;
	h->asked++;
	h->hello = *hello;
	*ret_err = h->tell;
	if (h->admit == ADMIT_SILENT)
		return ADMIT_SILENT;
	while (i < h->seen_count && !key_equal(&h->seen_key[i], &hello->peer))
		i++;
	assert_true(i < WORLD_PEERS);
	if (i == h->seen_count)
		h->seen_key[h->seen_count++] = hello->peer;
	else if (hello->timestamp_ms <= h->seen_ms[i])
		return ADMIT_SILENT;
	h->seen_ms[i] = hello->timestamp_ms;
	return h->admit;
}

static struct instant host_now(struct host *h)
{
	h->now = h->world->now;
	h->now.unix_ms += h->clock_ahead_ms;
	return h->now;
}

static struct pipe *pipe_find(struct world *w, unsigned host, uint64_t link, unsigned *ret_end)
{
	for (size_t i = 0; i < w->pipes; i++) {
		for (unsigned end = 0; end < 2; end++) {
			struct pipe *p = &w->pipe[i];

			if (p->end[end] == host && p->link[end] == link) {
				*ret_end = end;
				return p;
			}
		}
	}
	return NULL;
}

static void log_event(struct world *w, unsigned host, const struct event *ev)
{
	struct seen *s = &w->seen[w->seen_count];

	assert_true(w->seen_count++ < WORLD_SEEN);
	*s = (struct seen){ .host = host, .kind = ev->kind };
	switch (ev->kind) {
	case EV_SESSION_UP:
		s->session = ev->u.session_up.session;
		s->dial = ev->u.session_up.dial;
		s->up = ev->u.session_up;
		break;
	case EV_SESSION_DOWN:
		s->session = ev->u.session_down.session;
		s->err = ev->u.session_down.err;
		break;
	case EV_DIAL_FAILED:
		s->dial = ev->u.dial_failed.dial;
		s->err = ev->u.dial_failed.err;
		break;
	case EV_MESSAGE:
		s->session = ev->u.message.session;
		s->msg = ev->u.message.msg->kind;
		if (s->msg == MSG_DIGEST)
			s->first = ev->u.message.msg->u.digest.digest[0];
		break;
	default:
		fail_msg("a hub makes no event %d", ev->kind);
	}
}

static void carry_out(struct world *w, unsigned host, const struct hub_output *o)
{
	struct pipe *p;
	unsigned end = 0;

	if (o->kind == HUB_EVENT) {
		log_event(w, host, &o->event);
		return;
	}
	p = pipe_find(w, host, o->link, &end);
	assert_non_null(p);
	if (o->kind == HUB_CLOSE) {
		assert_false(p->flow[end].is_closing);
		p->flow[end].is_closing = true;
		p->is_open[end] = false;
		return;
	}
	assert_int_equal(o->kind, HUB_SEND);
	assert_false(p->flow[end].is_closing);
	assert_true(p->is_connected);
	assert_in_range(o->frame.count, 5, LIMIT_FRAME_BYTES);
	append(&p->flow[end].at[o->lane], &p->flow[end].count[o->lane], o->frame);
	append(&w->captured, &w->captured_count, o->frame);
}

/* After a call on a host's hub. */
static void finish(struct world *w, unsigned host, int err)
{
	struct hub_outputs *out = &w->host[host].out;

	if (err) {
		assert_int_equal(err, -ENOMEM);
		w->err = err;
		return;
	}
	for (size_t i = 0; i < out->count; i++)
		carry_out(w, host, &out->list[i]);
}

static int compare_pairs(const void *a, const void *b)
{
	const struct keypair *x = a;
	const struct keypair *y = b;

	return key_compare(&x->box_public, &y->box_public);
}

static void host_init(struct world *w, unsigned i, const struct keypair *pair, size_t fail_at)
{
	struct host *h = &w->host[i];
	struct hub_options options = { .mem = &h->mt.mem };

	*h = (struct host){ .world = w, .index = i, .pair = *pair, .admit = ADMIT_MEMBER };
	h->identities[0].mesh_public = w->mesh_public;
	h->identities[0].pair = &h->pair;
	mesh_id_of(&w->mesh_public, h->identities[0].mesh);
	h->identities_count = 1;
	memtest_failing(&h->mt, fail_at);
	options.directory.ctx = h;
	options.directory.identities = identities;
	options.directory.admit = admit;
	memset(options.seed, (int)(7 + i), sizeof(options.seed));
	hub_outputs_init(&h->out, &h->mt.mem);
	if (hub_new(&options, &h->hub) != 0)
		w->err = -ENOMEM;
}

void world_init_failing(struct world *w, unsigned hosts, size_t fail_at)
{
	static const uint8_t seed[RNG_SEED_BYTES] = { 42 };
	struct keypair pairs[WORLD_HOSTS];
	struct keypair mesh;
	struct rng rng;

	assert_in_range(hosts, 1, WORLD_HOSTS);
	memset(w, 0, sizeof(*w));
	w->hosts = hosts;
	w->now = (struct instant){ .mono_ms = 1000, .unix_ms = 1700000000000 };
	rng_init(&rng, seed);
	keypair_generate(&mesh, &rng);
	w->mesh_public = mesh.sign_public;
	for (unsigned i = 0; i < hosts; i++)
		keypair_generate(&pairs[i], &rng);
	qsort(pairs, hosts, sizeof(*pairs), compare_pairs);
	for (unsigned i = 0; i < hosts; i++)
		host_init(w, i, &pairs[i], fail_at);
}

void world_init(struct world *w, unsigned hosts)
{
	world_init_failing(w, hosts, 0);
	assert_int_equal(w->err, 0);
}

void world_fini(struct world *w)
{
	for (unsigned i = 0; i < w->hosts; i++) {
		hub_free(w->host[i].hub);
		hub_outputs_fini(&w->host[i].out);
		memtest_assert_no_leak(&w->host[i].mt);
	}
	for (size_t i = 0; i < w->pipes; i++) {
		for (unsigned n = 0; n < 2 * LANE__COUNT; n++)
			free(w->pipe[i].flow[n / LANE__COUNT].at[n % LANE__COUNT]);
	}
	free(w->captured);
}

void world_invite(struct world *w, unsigned host)
{
	static const uint8_t seed[RNG_SEED_BYTES] = { 43 };
	struct invite_limits limits = { .role = ROLE_PEER, .uses = 1, .expires_ms = 1800000000000 };
	struct host *h = &w->host[host];
	struct keypair issuer;
	struct rng rng;

	rng_init(&rng, seed);
	keypair_generate(&issuer, &rng);
	keypair_generate(&h->invite_pair, &rng);
	limits.invite_key = h->invite_pair.sign_public;
	assert_int_equal(invite_sign(&limits, &issuer, &w->mesh_public, &h->invite), 0);
	h->identities[0].invite = &h->invite;
	h->identities[0].invite_pair = &h->invite_pair;
}

static struct pipe *dial(struct world *w, unsigned from, unsigned to, const struct effect *fx)
{
	struct pipe *p = &w->pipe[w->pipes];
	struct host *h = &w->host[from];

	assert_true(w->pipes++ < ARRAY_LEN(w->pipe));
	*p = (struct pipe){ .end = { from, to }, .dial = fx->u.dial.dial };
	p->link[0] = ++w->last_link;
	p->is_open[0] = true;
	if (!w->err)
		finish(w, from, hub_dial(h->hub, p->link[0], fx, host_now(h), &h->out));
	return p;
}

struct pipe *world_dial_key(struct world *w, unsigned from, unsigned to, const struct key *peer)
{
	struct effect fx = { .kind = FX_DIAL };

	fx.u.dial.dial = 1000 + w->pipes;
	memcpy(fx.u.dial.mesh, w->host[from].identities[0].mesh, MESH_ID_BYTES);
	fx.u.dial.peer = *peer;
	return dial(w, from, to, &fx);
}

struct pipe *world_dial(struct world *w, unsigned from, unsigned to, bool as_joiner)
{
	struct effect fx = { .kind = FX_DIAL };

	fx.u.dial.dial = 1000 + w->pipes;
	memcpy(fx.u.dial.mesh, w->host[from].identities[0].mesh, MESH_ID_BYTES);
	fx.u.dial.peer = w->host[to].pair.box_public;
	fx.u.dial.as_joiner = as_joiner;
	return dial(w, from, to, &fx);
}

static struct endpoint endpoint_of(unsigned host)
{
	struct endpoint e = { .port = (uint16_t)(1000 + host) };
	const uint8_t v4[4] = { 10, 0, 0, (uint8_t)host };

	addr_from_v4(&e.addr, v4);
	return e;
}

void pipe_connect(struct world *w, struct pipe *p)
{
	struct endpoint ends[2] = { endpoint_of(p->end[0]), endpoint_of(p->end[1]) };
	struct host *a = &w->host[p->end[0]];
	struct host *b = &w->host[p->end[1]];

	if (w->err || !p->is_open[0])
		return;
	p->link[1] = ++w->last_link;
	p->is_open[1] = true;
	p->is_connected = true;
	finish(w, b->index, hub_accepted(b->hub, p->link[1], &ends[0], host_now(b), &b->out));
	if (!w->err)
		finish(w, a->index,
		       hub_connected(a->hub, p->link[0], &ends[1], host_now(a), &a->out));
}

uint64_t world_stranger(struct world *w, unsigned to, const struct endpoint *remote)
{
	struct pipe *p = &w->pipe[w->pipes];
	struct host *h = &w->host[to];

	assert_true(w->pipes++ < ARRAY_LEN(w->pipe));
	*p = (struct pipe){ .end = { UINT32_MAX, to }, .is_connected = true };
	p->link[1] = ++w->last_link;
	p->is_open[1] = true;
	finish(w, to, hub_accepted(h->hub, p->link[1], remote, host_now(h), &h->out));
	return p->link[1];
}

void world_bytes(struct world *w, unsigned to, uint64_t link, struct bytes bytes)
{
	struct host *h = &w->host[to];

	finish(w, to, hub_bytes(h->hub, link, bytes, host_now(h), &h->out));
}

struct bytes flow_front(const struct flow *f, enum lane lane)
{
	const uint8_t *at = f->at[lane];
	size_t bytes;

	if (f->count[lane] == 0)
		return (struct bytes){ .at = NULL };
	bytes = 4 + ((size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3]);
	assert_true(bytes <= f->count[lane]);
	return (struct bytes){ .at = at, .count = bytes };
}

bool pipe_move(struct world *w, struct pipe *p, unsigned from, enum lane lane)
{
	struct flow *f = &p->flow[from];
	struct bytes frame = flow_front(f, lane);
	unsigned to = !from;
	uint8_t *copy;

	if (frame.count == 0 || w->err)
		return false;
	/* An exact copy, so that a sanitizer sees reads beyond it. */
	copy = malloc(frame.count);
	assert_non_null(copy);
	memcpy(copy, frame.at, frame.count);
	memmove(f->at[lane], f->at[lane] + frame.count, f->count[lane] - frame.count);
	f->count[lane] -= frame.count;
	for (size_t at = 0; at < frame.count && p->is_open[to] && !w->err;) {
		size_t step = w->portion ? w->portion : frame.count;

		step = MIN_OF(step, frame.count - at);
		world_bytes(w, p->end[to], p->link[to],
		            (struct bytes){ .at = copy + at, .count = step });
		at += step;
	}
	free(copy);
	return true;
}

static void tell_down(struct world *w, struct pipe *p, unsigned end)
{
	struct host *h = &w->host[p->end[end]];

	if (!p->is_open[end] || w->err)
		return;
	p->is_open[end] = false;
	finish(w, h->index, hub_link_down(h->hub, p->link[end], 0, host_now(h), &h->out));
}

bool pipe_close(struct world *w, struct pipe *p, unsigned from)
{
	struct flow *f = &p->flow[from];

	if (!f->is_closing || !p->is_open[!from] || f->count[0] > 0 || f->count[1] > 0)
		return false;
	tell_down(w, p, !from);
	return true;
}

void pipe_cut(struct world *w, struct pipe *p)
{
	for (unsigned end = 0; end < 2; end++) {
		memset(p->flow[end].count, 0, sizeof(p->flow[end].count));
		tell_down(w, p, end);
	}
}

void world_settle(struct world *w)
{
	bool moved = true;

	while (moved && !w->err) {
		moved = false;
		for (size_t n = 0; n < 2 * w->pipes; n++) {
			struct pipe *p = &w->pipe[n / 2];
			unsigned from = n % 2;

			if (p->end[0] == UINT32_MAX)
				continue;
			moved |= pipe_move(w, p, from, LANE_CONTROL) ||
			         pipe_move(w, p, from, LANE_BULK) || pipe_close(w, p, from);
		}
	}
}

void world_pass(struct world *w, int64_t ms)
{
	w->now.mono_ms += ms;
	w->now.unix_ms += ms;
	for (unsigned i = 0; i < w->hosts && !w->err; i++) {
		struct host *h = &w->host[i];

		finish(w, i, hub_tick(h->hub, host_now(h), &h->out));
		if (!w->err)
			assert_true(hub_deadline(h->hub) > w->now.mono_ms);
	}
}

struct pipe *world_join(struct world *w, unsigned from, unsigned to)
{
	struct pipe *p = world_dial(w, from, to, false);

	pipe_connect(w, p);
	world_settle(w);
	return p;
}

void world_send(
	struct world *w, unsigned host, uint64_t session, enum lane lane, const struct msg *m)
{
	struct effect fx = { .kind = FX_SEND };
	struct host *h = &w->host[host];

	fx.u.send.session = session;
	fx.u.send.lane = lane;
	fx.u.send.msg = m;
	if (!w->err)
		finish(w, host, hub_send(h->hub, &fx, host_now(h), &h->out));
}

void world_send_digest(
	struct world *w, unsigned host, uint64_t session, enum lane lane, uint8_t first)
{
	struct msg m = { .kind = MSG_DIGEST };

	memset(m.u.digest.digest, first, sizeof(m.u.digest.digest));
	world_send(w, host, session, lane, &m);
}

void world_close(struct world *w, unsigned host, uint64_t session)
{
	struct host *h = &w->host[host];

	if (!w->err)
		finish(w, host, hub_close(h->hub, session, host_now(h), &h->out));
}

size_t seen_count(const struct world *w, unsigned host, enum event_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < w->seen_count; i++)
		count += w->seen[i].host == host && w->seen[i].kind == kind;
	return count;
}

const struct seen *seen_last(const struct world *w, unsigned host, enum event_kind kind)
{
	for (size_t i = w->seen_count; i-- > 0;) {
		if (w->seen[i].host == host && w->seen[i].kind == kind)
			return &w->seen[i];
	}
	fail_msg("host %u has seen no event %d", host, kind);
	return NULL;
}

size_t world_sessions(const struct world *w, unsigned host, uint64_t *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < w->seen_count; i++) {
		const struct seen *s = &w->seen[i];
		bool is_down = false;

		if (s->host != host || s->kind != EV_SESSION_UP)
			continue;
		for (size_t j = 0; j < w->seen_count; j++) {
			const struct seen *d = &w->seen[j];

			if (d->host != host || d->session != s->session || j == i)
				continue;
			assert_int_not_equal(d->kind, EV_SESSION_UP);
			assert_true(j > i);
			if (d->kind != EV_SESSION_DOWN)
				continue;
			assert_false(is_down);
			is_down = true;
		}
		if (is_down)
			continue;
		count++;
		if (ret)
			*ret = s->session;
	}
	return count;
}

struct hub_counters world_count(const struct world *w, unsigned host)
{
	struct hub_counters c;

	hub_count(w->host[host].hub, &c);
	return c;
}
