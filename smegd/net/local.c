/*
 * The control socket: clients, their requests, the answers.
 *
 * Built like net.c from pump, acceptor and pipe; news are flags on a connection, told in the order
 * connected, request, drained, gone.
 *
 * A frame is collected in memory that grows with what has come, not with what its length announces:
 * an announced 16 MiB costs nothing until they are sent.  While an answer is unfinished, input is
 * not looked at, but one receive stays under way until the buffer holds something, and so a client
 * that leaves amid a long answer is noticed.
 *
 * The number of clients is small and bounded, so they are in a list and found by walking it.
 */
#include "smegd/net/local.h"

#include "base/list.h"
#include "smegd/net/accept_priv.h"
#include "smegd/net/claim_priv.h"
#include "smegd/net/pipe_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FRAME_HEAD_BYTES 4u
#define FRAME_FIRST_BYTES 4096u
#define FLUSH_MS 1000
#define SOCKET_MODE 0660

enum conn_state {
	CONN_UP,
	CONN_FLUSHING,
	CONN_DOWN,
	CONN_DEAD
};

enum {
	SAY_CONNECTED = 1,
	SAY_REQUEST = 2,
	SAY_DRAINED = 4,
	SAY_GONE = 8
};

struct conn {
	uint64_t number;
	enum conn_state state;
	struct local *local;
	struct local_peer peer;
	struct pipe pipe;
	unsigned say;
	int err; /* of SAY_GONE */

	uint8_t head[FRAME_HEAD_BYTES];
	size_t head_bytes; /* that have come */
	uint8_t *frame;
	size_t frame_bytes; /* that have come */
	size_t frame_cap;
	size_t taken; /* of what the pipe holds */
	bool holding; /* the pipe holds data: it is not reading */
	bool asked;   /* a request is complete and not yet answered */
	bool begun;   /* a part of the answer is queued, and was not yet said to have left */
	bool lent;    /* the frame was given out by the last local_next() */

	struct alarm alarm; /* flushing: close */
	struct list node;   /* in local.conns, .dropped or .dead */
	struct list ready;  /* in local.ready while say is not 0 */
};

struct local {
	const struct mem *mem;
	uint64_t last_number;
	struct pump pump;
	struct acceptor acceptor;
	struct list conns; /* UP and DOWN */
	size_t conns_count;
	struct list ready;
	struct list dropped; /* FLUSHING */
	struct list dead;
	struct conn *served; /* its frame was given out by the last local_next() */
};

static void say(struct conn *c, unsigned what)
{
	if (c->say == 0)
		list_add(&c->local->ready, &c->ready);
	c->say |= what;
}

static void unsay(struct conn *c, unsigned what)
{
	c->say &= ~what;
	if (c->say == 0)
		list_remove(&c->ready);
}

/* --- going --- */

static void leave_list(struct conn *c)
{
	if (c->state == CONN_UP || c->state == CONN_DOWN)
		c->local->conns_count--;
	list_remove(&c->node);
	unsay(c, ~0u);
}

/* It is freed by the next local_next(): a handler of it may be on the stack. */
static void kill_conn(struct conn *c)
{
	struct local *l = c->local;

	assert(c->state != CONN_DEAD);
	leave_list(c);
	alarm_clear(&c->alarm);
	pipe_close(&c->pipe);
	c->state = CONN_DEAD;
	list_add(&l->dead, &c->node);
	if (l->served == c)
		l->served = NULL;
}

static void fail_conn(struct conn *c, int err)
{
	assert(c->state == CONN_UP);
	pipe_close(&c->pipe);
	c->state = CONN_DOWN;
	c->err = err;
	say(c, SAY_GONE);
}

static void bury(struct local *l)
{
	struct list *at;
	struct list *next;

	list_for_each_safe(at, next, &l->dead) {
		struct conn *c = container_of(at, struct conn, node);

		list_remove(at);
		pipe_fini(&c->pipe);
		mem_free(l->mem, c->frame);
		mem_free(l->mem, c);
	}
}

static void conn_alarm(struct alarm *alarm)
{
	kill_conn(container_of(alarm, struct conn, alarm));
}

/* --- requests --- */

static size_t frame_length(const struct conn *c)
{
	return (size_t)c->head[0] << 24 | (size_t)c->head[1] << 16 | (size_t)c->head[2] << 8 |
	       c->head[3];
}

static int take_head(struct conn *c, struct bytes *left)
{
	size_t count = MIN_OF(sizeof(c->head) - c->head_bytes, left->count);

	memcpy(c->head + c->head_bytes, left->at, count);
	c->head_bytes += count;
	left->at += count;
	left->count -= count;
	if (c->head_bytes < sizeof(c->head))
		return 0;
	if (frame_length(c) == 0)
		return ERR_MALFORMED;
	return frame_length(c) > LIMIT_CONTROL_BYTES ? ERR_TOO_BIG : 0;
}

static int make_room(struct conn *c, size_t bytes)
{
	size_t cap = MAX_OF(c->frame_cap, FRAME_FIRST_BYTES);
	uint8_t *frame;

	if (bytes <= c->frame_cap)
		return 0;
	while (cap < bytes)
		cap *= 2;
	frame = mem_resize(c->local->mem, c->frame, cap);
	if (!frame)
		return -ENOMEM;
	c->frame = frame;
	c->frame_cap = cap;
	return 0;
}

static int take_body(struct conn *c, struct bytes *left)
{
	size_t count = MIN_OF(frame_length(c) - c->frame_bytes, left->count);
	int err = make_room(c, c->frame_bytes + count);

	if (err)
		return err;
	memcpy(c->frame + c->frame_bytes, left->at, count);
	c->frame_bytes += count;
	left->at += count;
	left->count -= count;
	return 0;
}

/* Take what the pipe holds, up to the end of a request. */
static void take(struct conn *c)
{
	struct bytes left = pipe_data(&c->pipe);
	int err = 0;

	left.at += c->taken;
	left.count -= c->taken;
	while (err == 0 && left.count && !c->asked) {
		if (c->head_bytes < sizeof(c->head))
			err = take_head(c, &left);
		else
			err = take_body(c, &left);
		if (err == 0 && c->frame_bytes && c->frame_bytes == frame_length(c))
			c->asked = true;
	}
	if (err) {
		fail_conn(c, err);
		return;
	}
	if (c->asked)
		say(c, SAY_REQUEST);
	c->taken = pipe_data(&c->pipe).count - left.count;
	if (left.count == 0) {
		c->taken = 0;
		c->holding = false;
		pipe_resume(&c->pipe);
	}
}

/* May the next request be looked at? */
static void take_if_due(struct conn *c)
{
	if (c->state == CONN_UP && c->holding && !c->asked && !c->lent)
		take(c);
}

/* The frame that was given out is not used any more. */
static void take_back(struct conn *c)
{
	mem_free(c->local->mem, c->frame);
	c->frame = NULL;
	c->frame_cap = 0;
	c->lent = false;
	take_if_due(c);
}

static void conn_got(struct pipe *p)
{
	struct conn *c = container_of(p, struct conn, pipe);

	if (c->state == CONN_FLUSHING) {
		pipe_resume(p);
		return;
	}
	c->holding = true;
	take_if_due(c);
}

static void conn_drained(struct pipe *p)
{
	struct conn *c = container_of(p, struct conn, pipe);

	if (c->state == CONN_FLUSHING) {
		kill_conn(c);
	} else if (c->begun) {
		c->begun = false;
		say(c, SAY_DRAINED);
	}
}

static void conn_ended(struct pipe *p, int err)
{
	struct conn *c = container_of(p, struct conn, pipe);

	if (c->state == CONN_FLUSHING)
		kill_conn(c);
	else
		fail_conn(c, err);
}

static const struct pipe_events conn_events = { conn_got, conn_drained, conn_ended };

/* --- connections --- */

static bool who_is(nng_stream *stream, struct local_peer *ret)
{
	uint64_t uid;
	uint64_t gid;
	uint64_t pid;

	if (nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_UID, &uid) ||
	    nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_GID, &gid) ||
	    nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_PID, &pid))
		return false;
	ret->uid = (uint32_t)uid;
	ret->gid = (uint32_t)gid;
	ret->pid = (int32_t)pid;
	return true;
}

static struct conn *conn_new(struct local *l, const struct local_peer *peer)
{
	struct conn *c = mem_zalloc(l->mem, sizeof(*c));

	if (!c)
		return NULL;
	c->local = l;
	c->peer = *peer;
	alarm_init(&c->alarm, conn_alarm);
	list_init(&c->node);
	list_init(&c->ready);
	if (pipe_init(&c->pipe, &l->pump, l->mem, &conn_events, LOCAL_QUEUE_BYTES)) {
		pipe_fini(&c->pipe);
		mem_free(l->mem, c);
		return NULL;
	}
	pipe_hurry(
		&c->pipe); /* whoever asked for a list gets the next piece when this one has left */
	c->number = ++l->last_number;
	list_add(&l->conns, &c->node);
	l->conns_count++;
	return c;
}

static void conn_accepted(struct acceptor *a, nng_stream *stream)
{
	struct local *l = container_of(a, struct local, acceptor);
	struct local_peer peer;
	struct conn *c = NULL;

	if (who_is(stream, &peer) &&
	    l->conns_count < LOCAL_CONNS_MAX - (peer.uid == 0 ? 0 : LOCAL_CONNS_ROOT))
		c = conn_new(l, &peer);
	if (!c) {
		nng_stream_free(stream);
		return;
	}
	pipe_start(&c->pipe, stream);
	say(c, SAY_CONNECTED);
}

static struct conn *find(struct local *l, uint64_t number)
{
	struct list *at;

	list_for_each(at, &l->conns) {
		struct conn *c = container_of(at, struct conn, node);

		if (c->number == number)
			return c;
	}
	return NULL;
}

int local_reply(struct local *l, uint64_t conn, struct bytes frame, bool last)
{
	struct conn *c = find(l, conn);
	uint8_t head[FRAME_HEAD_BYTES] = { (uint8_t)(frame.count >> 24),
		                           (uint8_t)(frame.count >> 16),
		                           (uint8_t)(frame.count >> 8), (uint8_t)frame.count };
	struct bytes parts[2] = { { head, sizeof(head) }, frame };
	int err;

	if (frame.count == 0 || frame.count > LIMIT_CONTROL_BYTES)
		return ERR_TOO_BIG;
	if (!c || c->state != CONN_UP)
		return 0;
	assert(c->asked || !last);
	err = pipe_send(&c->pipe, LANE_CONTROL, parts, ARRAY_LEN(parts));
	if (err == ERR_LIMIT) {
		fail_conn(c, ERR_LIMIT);
	} else if (err) {
		return err;
	} else if (!last) {
		c->begun = c->asked;
	} else {
		unsay(c, SAY_DRAINED);
		c->begun = false;
		c->asked = false;
		c->head_bytes = 0;
		c->frame_bytes = 0;
		take_if_due(c);
	}
	if (c->say)
		pump_wake(&l->pump);
	return 0;
}

void local_drop(struct local *l, uint64_t conn)
{
	struct conn *c = find(l, conn);

	if (!c)
		return;
	if (c->state != CONN_UP || pipe_is_drained(&c->pipe)) {
		kill_conn(c);
	} else {
		leave_list(c);
		c->state = CONN_FLUSHING;
		list_add(&l->dropped, &c->node);
		alarm_set(&c->alarm, &l->pump, FLUSH_MS);
		if (c->holding)
			pipe_resume(&c->pipe);
	}
	/* The next local_next() frees it. */
	pump_wake(&l->pump);
}

/* --- news --- */

static void tell(struct local *l, struct local_news *ret)
{
	struct conn *c = container_of(l->ready.next, struct conn, ready);
	unsigned what = c->say & -c->say; /* the lowest bit comes first */

	*ret = (struct local_news){ .conn = c->number, .peer = c->peer };
	list_remove(&c->ready);
	c->say &= ~what;
	if (c->say)
		list_add(&l->ready, &c->ready);
	switch (what) {
	case SAY_CONNECTED:
		ret->kind = LOCAL_CONNECTED;
		break;
	case SAY_REQUEST:
		ret->kind = LOCAL_REQUEST;
		ret->frame = (struct bytes){ .at = c->frame, .count = c->frame_bytes };
		c->lent = true;
		l->served = c;
		break;
	case SAY_DRAINED:
		ret->kind = LOCAL_DRAINED;
		break;
	default:
		ret->kind = LOCAL_GONE;
		ret->err = c->err;
		kill_conn(c);
	}
}

bool local_next(struct local *l, struct local_news *ret)
{
	if (l->served) {
		struct conn *c = l->served;

		l->served = NULL;
		take_back(c);
	}
	bury(l);
	while (list_is_empty(&l->ready))
		if (!pump_turn(&l->pump))
			return false;
	tell(l, ret);
	return true;
}

/* --- the socket --- */

static int listen_at(const char *path, nng_stream_listener **ret, struct diag *diag)
{
	nng_stream_listener *l = NULL;
	char url[160];
	int err;

	snprintf(url, sizeof(url), "ipc://%s", path);
	err = nng_stream_listener_alloc(&l, url);
	if (err == 0)
		err = nng_stream_listener_set_int(l, NNG_OPT_IPC_PERMISSIONS, SOCKET_MODE);
	if (err == 0)
		err = nng_stream_listener_listen(l);
	if (err == 0) {
		*ret = l;
		return 0;
	}
	nng_stream_listener_free(l);
	err = pipe_error(err);
	return diag_set(diag, err, "cannot listen at %s: %s", path, err_text(err));
}

static int open_socket(struct local *l, const char *path, struct diag *diag)
{
	nng_stream_listener *nl = NULL;
	int lock;
	int err = claim_path(path, &lock, diag);

	if (err)
		return err;
	err = listen_at(path, &nl, diag);
	claim_release(lock);
	return err ? err : acceptor_init(&l->acceptor, &l->pump, nl, conn_accepted);
}

int local_open(const struct local_options *options,
               const char *path,
               struct local **ret,
               struct diag *diag)
{
	struct local *l = mem_zalloc(options->mem, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->mem = options->mem;
	list_init(&l->conns);
	list_init(&l->ready);
	list_init(&l->dropped);
	list_init(&l->dead);
	err = pump_init(&l->pump, options->wake, options->wake_ctx);
	if (err == 0)
		err = open_socket(l, path, diag);
	if (err)
		local_close(l);
	else
		*ret = l;
	return err;
}

void local_close(struct local *l)
{
	if (!l)
		return;
	acceptor_fini(&l->acceptor);
	/* First break them all, then wait. */
	while (!list_is_empty(&l->conns))
		kill_conn(container_of(l->conns.next, struct conn, node));
	while (!list_is_empty(&l->dropped))
		kill_conn(container_of(l->dropped.next, struct conn, node));
	bury(l);
	pump_fini(&l->pump);
	mem_free(l->mem, l);
}
