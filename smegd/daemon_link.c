/*
 * Bytes between net and hub.
 *
 * What comes from outside goes: net -> hub -> events -> node -> effects -> hub -> net.  The two
 * calls of the hub in it have outputs of their own (in, out), so the first list stays whole while
 * its events are fed to the node one by one.  What the second one reports back (a session is down
 * because the node closed it) is queued like any other answer.
 *
 * One turn takes a bounded number of news, then lets timers and signals have theirs.
 */
#include "smegd/daemon_priv.h"

#include <assert.h>
#include <errno.h>

#define NEWS_PER_TURN 512

static int push(struct daemon *d, const struct hub_output *o)
{
	if (o->kind == HUB_SEND) {
		d->ctl.frames_sent++;
		d->ctl.bytes_sent += o->frame.count;
		if (net_send(d->net, o->link, o->lane, o->frame))
			return daemon_no_memory(d);
	} else if (o->kind == HUB_CLOSE) {
		net_drop(d->net, o->link);
	}
	return 0;
}

/* Whom the node has let in: on the disk before the answer leaves. */
static int save_admitted(struct daemon *d)
{
	struct event ev = { .kind = EV_TICK };
	int err;

	if (!node_has_unsaved(d->node))
		return 0;
	err = daemon_step(d, &ev);
	return err ? err : daemon_commit(d);
}

/* Of a call that came from outside: not within a step. */
static int feed(struct daemon *d, int err)
{
	if (err)
		return daemon_no_memory(d);
	err = save_admitted(d);
	for (size_t i = 0; i < d->in.count && !err; i++) {
		struct hub_output *o = &d->in.list[i];

		err = o->kind == HUB_EVENT ? daemon_step(d, &o->event) : push(d, o);
	}
	return err ? err : daemon_drain(d);
}

/* Of a call that an effect asked for: within a step. */
static int follow(struct daemon *d, int err)
{
	if (err)
		return daemon_no_memory(d);
	for (size_t i = 0; i < d->out.count && !err; i++) {
		const struct hub_output *o = &d->out.list[i];
		struct queued *q;

		if (o->kind != HUB_EVENT) {
			err = push(d, o);
			continue;
		}
		assert(o->event.kind != EV_MESSAGE); /* it would point into d->out */
		q = daemon_queue(d, o->event.kind);
		if (!q)
			return daemon_no_memory(d);
		q->event = o->event;
	}
	return err;
}

int daemon_send(struct daemon *d, const struct effect *send)
{
	return follow(d, hub_send(d->hub, send, d->now, &d->out));
}

int daemon_hang_up(struct daemon *d, uint64_t session)
{
	return follow(d, hub_close(d->hub, session, d->now, &d->out));
}

int daemon_dial(struct daemon *d, const struct effect *dial)
{
	uint64_t link;

	if (net_dial(d->net, &dial->u.dial.at, &link))
		return daemon_no_memory(d);
	return follow(d, hub_dial(d->hub, link, dial, d->now, &d->out));
}

int daemon_hub_tick(struct daemon *d)
{
	return feed(d, hub_tick(d->hub, d->now, &d->in));
}

static int take(struct daemon *d, const struct net_news *n)
{
	switch (n->kind) {
	case NET_ACCEPTED:
		return feed(d, hub_accepted(d->hub, n->link, &n->remote, d->now, &d->in));
	case NET_CONNECTED:
		return feed(d, hub_connected(d->hub, n->link, &n->remote, d->now, &d->in));
	case NET_BYTES:
		return feed(d, hub_bytes(d->hub, n->link, n->data, d->now, &d->in));
	case NET_DOWN:
		return feed(d, hub_link_down(d->hub, n->link, n->err, d->now, &d->in));
	}
	assert(!"news of no kind");
	return 0;
}

int daemon_links(struct daemon *d)
{
	struct net_news news;
	int err = 0;
	int turns;

	for (turns = 0; turns < NEWS_PER_TURN && !err && net_next(d->net, &news); turns++)
		err = take(d, &news);
	if (turns == NEWS_PER_TURN)
		loop_wake(d->loop);
	return err;
}
