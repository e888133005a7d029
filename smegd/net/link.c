/*
 * The life of one link: dialling, up, going.
 *
 * A name may stand for several addresses.  They are tried one after the other, each with its share
 * of the time that is left, so that one dead address does not eat it all.  Trying them side by side
 * (RFC 8305) would be faster for a person who waits; here a redial follows anyway, and twice the
 * connections would meet the far side's limits for strangers.
 *
 * nng sometimes calls a stream connected that is not.  It puts a new socket under epoll before it
 * calls connect(), and such a socket reports a hang-up; when its poller gets to that only after
 * connect(), it looks for an error, finds none and declares success (tcp_dialer_cb() in 1.5.2; a
 * busy machine shows it within seconds).  So we ask for the peer's name, which exists only if it is
 * true.  If not, an empty send waits until it becomes true, since nng sends when the kernel says
 * that it can; if that fails, a receive yields the reason, which nng's error event swallows.
 *
 * A dropped link that has sent something reads on, and throws away, until all has left and the
 * other side has been quiet for a moment.  TCP answers data for a closed socket with a reset, and
 * so does a close() that leaves data unread; a reset destroys what is still on its way in the
 * kernel, such as the words that say why we close.
 *
 * Nothing is freed where it ends.  Handlers run deep inside pump_turn(), and data that net_next()
 * gave out may still be in use when the loop drops its link; so a dead link is closed and set
 * aside, and the next net_next() frees it, when no handler is on the stack.
 */
#include "smegd/net/net_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TO(state) (1u << (state))

static const uint32_t moves[LINK__COUNT] = {
	[LINK_DIALLING] = TO(LINK_UP) | TO(LINK_DOWN) | TO(LINK_DEAD),
	[LINK_UP] = TO(LINK_FLUSHING) | TO(LINK_DOWN) | TO(LINK_DEAD),
	[LINK_FLUSHING] = TO(LINK_DEAD),
	[LINK_DOWN] = TO(LINK_DEAD),
	[LINK_DEAD] = 0,
};

static void move(struct link *l, enum link_state state)
{
	assert(moves[l->state] & TO(state));
	l->state = state;
}

static void say(struct link *l, unsigned what)
{
	if (l->say == 0)
		list_add(&l->net->ready, &l->ready);
	l->say |= what;
}

static void unsay(struct link *l, unsigned what)
{
	l->say &= ~what;
	if (l->say == 0)
		list_remove(&l->ready);
}

/* --- up --- */

/* Dropped, and all has left: close when the other side has been quiet for a moment. */
static void linger(struct link *l)
{
	int64_t left_ms = MAX_OF(l->give_up_ms - pump_now(), 0);

	alarm_set(&l->alarm, &l->net->pump, MIN_OF(left_ms, NET_LINGER_MS));
}

static void link_got(struct pipe *p)
{
	struct link *l = container_of(p, struct link, pipe);

	if (l->state != LINK_FLUSHING) {
		say(l, SAY_BYTES);
		return;
	}
	pipe_resume(p);
	if (pipe_is_drained(p))
		linger(l);
}

static void link_drained(struct pipe *p)
{
	struct link *l = container_of(p, struct link, pipe);

	if (l->state == LINK_FLUSHING)
		linger(l);
}

static void link_ended(struct pipe *p, int err)
{
	struct link *l = container_of(p, struct link, pipe);

	if (l->state == LINK_FLUSHING)
		link_kill(l);
	else
		link_fail(l, err);
}

static const struct pipe_events link_events = { link_got, link_drained, link_ended };

void link_up(struct link *l, nng_stream *stream)
{
	move(l, LINK_UP);
	pipe_start(&l->pipe, stream);
	say(l, SAY_UP);
}

/* --- dialling --- */

static void stop_dialling(struct link *l)
{
	alarm_clear(&l->alarm);
	lookup_forget(l->lookup);
	l->lookup = NULL;
	if (l->dialer)
		nng_stream_dialer_close(l->dialer);
	if (l->early)
		nng_stream_close(l->early);
	op_fini(&l->dial);
	nng_stream_dialer_free(l->dialer);
	l->dialer = NULL;
	nng_stream_free(l->early);
	l->early = NULL;
}

static int dial_error(int nng_err)
{
	int err = pipe_error(nng_err);

	switch (err) {
	case -ECONNREFUSED:
		return ERR_REFUSED;
	case -ETIMEDOUT:
		return ERR_CONNECT_TIMEOUT;
	case -EHOSTUNREACH:
	case -ENETDOWN:
	case -EHOSTDOWN:
	case -ENONET:
	/* An address of a kind that this host does not have. */
	case -EADDRNOTAVAIL:
	case -EAFNOSUPPORT:
	case -EINVAL:
		return ERR_UNREACHABLE;
	case 0:
		return -ECONNABORTED;
	default:
		return err;
	}
}

/* Of several failed attempts the one that says most: somebody was there, nobody answered, no way.
 */
static void note_error(struct link *l, int err)
{
	if (l->err == 0 || l->err == ERR_UNREACHABLE || err == ERR_REFUSED)
		l->err = err;
}

static void attempt_failed(struct link *l, int err)
{
	stop_dialling(l);
	note_error(l, err);
	link_dial(l);
}

static bool arrived(struct link *l)
{
	nng_stream *stream = l->early;
	nng_sockaddr remote;

	if (nng_stream_get_addr(stream, NNG_OPT_REMADDR, &remote))
		return false;
	l->early = NULL;
	stop_dialling(l);
	l->err = 0;
	endpoint_from_nng(&l->remote, &remote);
	link_up(l, stream);
	return true;
}

static void reason_came(struct op *o)
{
	attempt_failed(container_of(o, struct link, dial), dial_error(nng_aio_result(o->aio)));
}

static void empty_send_ended(struct op *o)
{
	struct link *l = container_of(o, struct link, dial);
	nng_iov iov = { .iov_buf = &l->scrap, .iov_len = sizeof(l->scrap) };

	if (nng_aio_result(o->aio) == 0 && arrived(l))
		return;
	o->done = reason_came;
	nng_aio_set_iov(o->aio, 1, &iov);
	nng_stream_recv(l->early, op_begin(o));
}

static void dial_ended(struct op *o)
{
	struct link *l = container_of(o, struct link, dial);
	nng_iov nothing = { .iov_buf = &l->scrap, .iov_len = 0 };
	int err = nng_aio_result(o->aio);

	assert(l->state == LINK_DIALLING);
	if (err) {
		attempt_failed(l, dial_error(err));
		return;
	}
	l->early = nng_aio_get_output(o->aio, 0);
	if (arrived(l))
		return;
	o->done = empty_send_ended;
	nng_aio_set_iov(o->aio, 1, &nothing);
	nng_stream_send(l->early, op_begin(o));
}

static int begin_dial(struct link *l, const struct endpoint *target)
{
	char url[NET_URL_BYTES];
	int err;

	net_url(url, target);
	err = nng_stream_dialer_alloc(&l->dialer, url);
	if (err) {
		l->dialer = NULL;
		return dial_error(err);
	}
	/* Links are tried again, so a failure to set them is none. */
	(void)nng_stream_dialer_set_bool(l->dialer, NNG_OPT_TCP_NODELAY, true);
	(void)nng_stream_dialer_set_bool(l->dialer, NNG_OPT_TCP_KEEPALIVE, true);
	if (op_init(&l->dial, &l->net->pump, dial_ended))
		return -ENOMEM;
	nng_stream_dialer_dial(l->dialer, op_begin(&l->dial));
	return 0;
}

void link_dial(struct link *l)
{
	while (l->target < l->targets_count) {
		int64_t left_ms = l->give_up_ms - pump_now();
		int64_t share_ms = left_ms / (int64_t)(l->targets_count - l->target);
		int err;

		if (left_ms <= 0)
			break;
		l->remote = l->targets[l->target++];
		err = begin_dial(l, &l->remote);
		if (err == 0) {
			alarm_set(&l->alarm, &l->net->pump, MAX_OF(share_ms, 1));
			return;
		}
		stop_dialling(l);
		note_error(l, err);
	}
	link_fail(l, l->err ? l->err : ERR_CONNECT_TIMEOUT);
}

/* --- going --- */

static void close_now(struct link *l, enum link_state state)
{
	if (l->state == LINK_DIALLING)
		stop_dialling(l);
	alarm_clear(&l->alarm);
	pipe_close(&l->pipe);
	move(l, state);
}

void link_fail(struct link *l, int err)
{
	close_now(l, LINK_DOWN);
	l->err = err;
	/* Data that the loop has not had yet is gone when we are who closes; else none waits here.
	 */
	unsay(l, SAY_BYTES);
	say(l, SAY_DOWN);
}

static void forget_number(struct link *l)
{
	struct net *n = l->net;

	if (l->state != LINK_FLUSHING)
		map_remove(&n->links, &l->by_number);
	unsay(l, ~0u);
}

void link_kill(struct link *l)
{
	forget_number(l);
	close_now(l, LINK_DEAD);
	list_remove(&l->node);
	list_add(&l->net->dead, &l->node);
	if (l->net->served == l)
		l->net->served = NULL;
}

void link_drop(struct link *l)
{
	bool has_bytes = l->say & SAY_BYTES;

	if (l->state != LINK_UP || !pipe_is_used(&l->pipe)) {
		link_kill(l);
		return;
	}
	forget_number(l);
	move(l, LINK_FLUSHING);
	list_add(&l->net->dropped, &l->node);
	l->give_up_ms = pump_now() + NET_FLUSH_MS;
	pipe_hurry(&l->pipe);
	if (pipe_is_drained(&l->pipe))
		linger(l);
	else
		alarm_set(&l->alarm, &l->net->pump, NET_FLUSH_MS);
	if (has_bytes)
		pipe_resume(&l->pipe);
}

static void link_alarm(struct alarm *alarm)
{
	struct link *l = container_of(alarm, struct link, alarm);
	int err;

	if (l->state == LINK_FLUSHING) {
		link_kill(l);
		return;
	}
	assert(l->state == LINK_DIALLING);
	/* A name that nobody could tell about in time does not resolve, as far as people care. */
	err = l->lookup ? ERR_NAME_UNKNOWN : ERR_CONNECT_TIMEOUT;
	attempt_failed(l, err);
}

void links_bury(struct net *n)
{
	struct list *at;
	struct list *next;

	list_for_each_safe(at, next, &n->dead) {
		struct link *l = container_of(at, struct link, node);

		list_remove(at);
		pipe_fini(&l->pipe);
		mem_free(n->mem, l);
	}
}

struct link *link_new(struct net *n)
{
	struct link *l = mem_zalloc(n->mem, sizeof(*l));

	if (!l)
		return NULL;
	l->net = n;
	l->state = LINK_DIALLING;
	l->give_up_ms = pump_now() + n->connect_timeout_ms;
	alarm_init(&l->alarm, link_alarm);
	list_init(&l->node);
	list_init(&l->ready);
	if (pipe_init(&l->pipe, &n->pump, n->mem, &link_events, LIMIT_LINK_QUEUE_BYTES)) {
		pipe_fini(&l->pipe);
		mem_free(n->mem, l);
		return NULL;
	}
	l->number = ++n->last_number;
	for (size_t i = 0; i < sizeof(l->key); i++)
		l->key[i] = (uint8_t)(l->number >> (8 * (7 - i)));
	map_insert(&n->links, &l->by_number, l->key);
	return l;
}
