/*
 * The wire of net.h.  The session layer is left out but for its decisions: who is let in
 * (node_admit()), and that of two sessions between a pair the one dialled by the lower key stays.
 */
#include "tests/unit/smegd/core/net_priv.h"

#include <stdio.h>

/* --- the queue ---------------------------------------------------------------------------------
 */

struct net_event *net_queue(struct net *n, size_t host, enum event_kind kind)
{
	struct net_event *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	memtest_init(&e->mt);
	arena_init(&e->arena, &e->mt.mem);
	e->host = host;
	e->from = NET_HOSTS;
	e->ev.kind = kind;
	*n->last = e;
	n->last = &e->next;
	return e;
}

struct net_event *net_take(struct net *n)
{
	struct net_event *e = n->first;

	n->first = e->next;
	if (!n->first)
		n->last = &n->first;
	return e;
}

void net_drop(struct net_event *e)
{
	arena_fini(&e->arena);
	free(e);
}

void net_drop_events_of(struct net *n, size_t host)
{
	struct net_event **at = &n->first;

	while (*at) {
		struct net_event *e = *at;

		if (e->host != host) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		net_drop(e);
	}
	n->last = at;
}

/* --- copies ------------------------------------------------------------------------------------
 */

static void *dup_bytes(struct net_event *e, const void *at, size_t bytes)
{
	void *copy;

	if (!at)
		return NULL;
	copy = arena_dup(&e->arena, at, bytes);
	assert_non_null(copy);
	return copy;
}

static struct bytes *dup_list(struct net_event *e, const struct bytes *list, size_t count)
{
	struct bytes *copy = dup_bytes(e, list, count * sizeof(*list));

	for (size_t i = 0; i < count; i++)
		copy[i].at = dup_bytes(e, list[i].at, list[i].count);
	return copy;
}

static void copy_msg(struct net_event *e, const struct msg *msg)
{
	struct msg *m = &e->msg;

	*m = *msg;
	switch (msg->kind) {
	case MSG_ENTRIES:
		assert_true(msg->u.entries.count <= MSG_ENTRIES_MAX);
		m->u.entries.stmts = dup_list(e, msg->u.entries.stmts, msg->u.entries.count);
		break;
	case MSG_SKETCH:
		m->u.sketch.symbols.at =
			dup_bytes(e, msg->u.sketch.symbols.at, msg->u.sketch.symbols.count);
		break;
	case MSG_WANT:
	case MSG_ANNOUNCE:
		assert_true(msg->u.items.count <= MSG_ITEMS_MAX);
		m->u.items.items = dup_bytes(e, msg->u.items.items,
		                             msg->u.items.count * sizeof(*m->u.items.items));
		break;
	case MSG_BEAT:
		m->u.beat.beat.at = dup_bytes(e, msg->u.beat.beat.at, msg->u.beat.beat.count);
		m->u.beat.other.at = dup_bytes(e, msg->u.beat.other.at, msg->u.beat.other.count);
		break;
	case MSG_REDEEM:
		m->u.redeem.invite.at =
			dup_bytes(e, msg->u.redeem.invite.at, msg->u.redeem.invite.count);
		break;
	case MSG_REDEEMED:
		m->u.redeemed.stmts = dup_list(e, msg->u.redeemed.stmts, msg->u.redeemed.count);
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
	e->ev.u.message.msg = m;
}

void net_copy_device(struct net_event *e, const struct device *d)
{
	struct device *copy = dup_bytes(e, d, sizeof(*d));

	copy->peers = dup_bytes(e, d->peers, d->peers_count * sizeof(*d->peers));
	for (size_t i = 0; i < d->peers_count; i++)
		copy->peers[i].allowed =
			dup_bytes(e, d->peers[i].allowed,
		                  d->peers[i].allowed_count * sizeof(*d->peers[i].allowed));
	copy->addresses = dup_bytes(e, d->addresses, d->addresses_count * sizeof(*d->addresses));
	copy->routes = dup_bytes(e, d->routes, d->routes_count * sizeof(*d->routes));
	e->ev.u.device.device = copy;
}

/* --- sessions -----------------------------------------------------------------------------------
 */

static struct net_session *find_session(struct net *n, uint64_t id)
{
	for (size_t i = 0; i < n->sessions_count; i++)
		if (n->sessions[i].id == id)
			return &n->sessions[i];
	return NULL;
}

void net_queue_down(struct net *n, struct net_session *s, size_t end, int err)
{
	struct net_event *e;

	if (!s->open[end])
		return;
	s->open[end] = false;
	e = net_queue(n, s->ends[end], EV_SESSION_DOWN);
	e->ev.u.session_down.session = s->id;
	e->ev.u.session_down.err = err;
}

static struct net_event *queue_up(struct net *n,
                                  const struct net_session *s,
                                  size_t end,
                                  const struct hello *h)
{
	struct net_host *me = &n->hosts[s->ends[end]];
	struct net_host *other = &n->hosts[s->ends[!end]];
	struct net_event *e = net_queue(n, s->ends[end], EV_SESSION_UP);
	struct session_up *up = &e->ev.u.session_up;
	char text[ADDR_TEXT_BYTES];

	up->session = s->id;
	memcpy(up->mesh, s->mesh, sizeof(up->mesh));
	up->peer = h->peer;
	snprintf(text, sizeof(text), "10.0.0.%zu", s->ends[!end] + 1);
	assert_int_equal(addr_parse(&up->remote.addr, text), 0);
	up->remote.port = end ? 50000 : 7000;
	up->clock_ahead_ms = other->wall_ahead_ms - me->wall_ahead_ms;
	if (end) {
		up->as_joiner = s->as_joiner;
		up->joiner = h->joiner;
	}
	return e;
}

static bool find_identity(struct net_host *h, const char *mesh, struct identity *ret)
{
	struct identity list[LIMIT_MESHES];
	size_t count = h->node ? node_identities(h->node, list, ARRAY_LEN(list)) : 0;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].mesh, mesh) != 0)
			continue;
		*ret = list[i];
		return true;
	}
	return false;
}

static void make_hello(struct net *n,
                       const struct net_event *dial,
                       const struct identity *id,
                       struct hello *ret)
{
	struct net_host *h = &n->hosts[dial->host];
	int64_t wall = NET_NOW_MS + n->mono_ms + h->wall_ahead_ms;

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->mesh, id->mesh, sizeof(ret->mesh));
	ret->peer = id->pair->box_public;
	h->hello_ms = MAX_OF(h->hello_ms + 1, (uint64_t)wall);
	ret->timestamp_ms = h->hello_ms;
	ret->has_invite = dial->dial.u.dial.as_joiner;
	if (!ret->has_invite)
		return;
	assert_non_null(id->invite);
	ret->invite = (struct bytes){ id->invite->raw, id->invite->raw_bytes };
	ret->joiner = id->pair->sign_public;
	invite_prove(id->invite_pair, &ret->joiner, &id->mesh_public, &ret->proof);
}

/* The host at an address, if a packet gets there. */
/* ret: 0, or why it can't be reached: a host without a daemon says so. */
static int find_host(const struct net *n, size_t from, const struct hostport *at, size_t *ret_host)
{
	int number;

	if (sscanf(at->host, "10.0.0.%d", &number) != 1)
		return ERR_CONNECT_TIMEOUT;
	*ret_host = (size_t)number - 1;
	if (*ret_host >= n->count || n->cut[from][*ret_host])
		return ERR_CONNECT_TIMEOUT;
	return n->hosts[*ret_host].node ? 0 : ERR_REFUSED;
}

/* Knock; 0: let in, and *ret_hello is who came. */
static int knock(struct net *n, struct net_event *dial, size_t to, struct hello *ret_hello)
{
	struct net_host *h = &n->hosts[to];
	struct instant now = { n->mono_ms, NET_NOW_MS + n->mono_ms + h->wall_ahead_ms };
	struct identity mine;
	struct identity theirs;
	int err;

	if (!find_identity(&n->hosts[dial->host], dial->dial.u.dial.mesh, &mine))
		return ERR_NO_ANSWER; /* given up meanwhile */
	if (!find_identity(h, dial->dial.u.dial.mesh, &theirs) ||
	    !key_equal(&theirs.pair->box_public, &dial->dial.u.dial.peer))
		return ERR_NO_ANSWER;
	make_hello(n, dial, &mine, ret_hello);
	switch (node_admit(h->node, ret_hello, now, &err)) {
	case ADMIT_MEMBER:
	case ADMIT_JOINER:
		return 0;
	case ADMIT_TELL:
		return err;
	case ADMIT_SILENT:
		break;
	}
	return ERR_NO_ANSWER;
}

/* Of two between one pair the one dialled by the lower key stays; of two alike the newer. */
static bool yields(struct net *n, const struct net_session *old, const struct net_session *new)
{
	struct identity a;
	struct identity b;

	if (old->ends[0] == new->ends[0])
		return false;
	assert_true(find_identity(&n->hosts[old->ends[0]], old->mesh, &a));
	assert_true(find_identity(&n->hosts[new->ends[0]], old->mesh, &b));
	return key_compare(&a.pair->box_public, &b.pair->box_public) < 0;
}

static void keep_one(struct net *n, struct net_session *new)
{
	for (size_t i = 0; i < n->sessions_count && !new->as_joiner; i++) {
		struct net_session *old = &n->sessions[i];
		bool same_pair = (old->ends[0] == new->ends[0] && old->ends[1] == new->ends[1]) ||
		                 (old->ends[0] == new->ends[1] && old->ends[1] == new->ends[0]);
		struct net_session *loser;

		if (old == new || old->as_joiner || !same_pair || !old->open[0] || !old->open[1] ||
		    strcmp(old->mesh, new->mesh) != 0)
			continue;
		loser = yields(n, old, new) ? new : old;
		net_queue_down(n, loser, 0, 0);
		net_queue_down(n, loser, 1, 0);
	}
}

static void connect_to(struct net *n, struct net_event *dial, size_t to, const struct hello *h)
{
	struct hello answer = { .peer = dial->dial.u.dial.peer };
	struct net_session *s;

	if (n->sessions_count == n->sessions_cap) {
		n->sessions_cap = n->sessions_cap ? 2 * n->sessions_cap : 64;
		n->sessions = realloc(n->sessions, n->sessions_cap * sizeof(*n->sessions));
		assert_non_null(n->sessions);
	}
	s = &n->sessions[n->sessions_count++];
	*s = (struct net_session){
		.id = n->sessions_count + 1000,
		.ends = { dial->host, to },
		.open = { true, true },
		.as_joiner = h->has_invite,
	};
	memcpy(s->mesh, h->mesh, sizeof(s->mesh));
	queue_up(n, s, 1, h);
	queue_up(n, s, 0, &answer)->ev.u.session_up.dial = dial->dial.u.dial.dial;
	keep_one(n, s);
}

void net_dial(struct net *n, struct net_event *e)
{
	struct net_event *failed;
	struct hello hello;
	size_t to;
	int err = find_host(n, e->host, &e->dial.u.dial.at, &to);

	if (!err)
		err = knock(n, e, to, &hello);
	if (!err) {
		connect_to(n, e, to, &hello);
		return;
	}
	failed = net_queue(n, e->host, EV_DIAL_FAILED);
	failed->ev.u.dial_failed.dial = e->dial.u.dial.dial;
	failed->ev.u.dial_failed.err = err;
}

void net_send_msg(struct net *n, size_t from, uint64_t session, const struct msg *msg)
{
	struct net_session *s = find_session(n, session);
	struct net_event *e;
	size_t end;

	assert_non_null(s);
	end = s->ends[0] == from ? 0 : 1;
	assert_int_equal(s->ends[end], from);
	if (!s->open[end] || !s->open[!end] || n->cut[from][s->ends[!end]])
		return;
	if (n->filter && !n->filter(n->ctx, from, s->ends[!end], msg))
		return;
	e = net_queue(n, s->ends[!end], EV_MESSAGE);
	e->from = from;
	e->ev.u.message.session = session;
	copy_msg(e, msg);
}

void net_close_session(struct net *n, size_t host, uint64_t session)
{
	struct net_session *s = find_session(n, session);
	size_t end = s && s->ends[1] == host;

	if (!s || !s->open[end])
		return;
	net_queue_down(n, s, end, 0);
	if (!n->cut[host][s->ends[!end]])
		net_queue_down(n, s, !end, 0);
}
