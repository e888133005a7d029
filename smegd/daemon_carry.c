/*
 * Events into the node, effects out of it.
 *
 * node_step() is never re-entered: an effect's answer is queued as a further event, with all that
 * it points to, and stepped when the effects of this one are done.
 *
 * The disk comes first: a durable row is committed before the next thing leaves (a message, a dial,
 * a reply).  One commit serves all rows before that point, also those of several steps, for nothing
 * of them has left in between.  Rows that can wait are committed with the next one, or within a
 * second.  A store that fails ends the daemon: going on would promise what is not kept.
 */
#include "smegd/daemon_priv.h"

#include "smegd/host.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#define COMMIT_DELAY_MS MS_PER_SECOND

int daemon_no_memory(struct daemon *d)
{
	return diag_set(&d->diag, -ENOMEM, "out of memory");
}

/* --- the queue ------------------------------------------------------------------------------ */

struct queued *daemon_queue(struct daemon *d, enum event_kind kind)
{
	struct queued *q = mem_zalloc(&host_heap, sizeof(*q));

	if (!q)
		return NULL;
	q->event.kind = kind;
	arena_init(&q->arena, &host_heap);
	list_add(&d->queue, &q->link);
	return q;
}

void daemon_queue_free(struct queued *q)
{
	const struct mem *mem = q->arena.mem;

	list_remove(&q->link);
	arena_fini(&q->arena);
	sodium_memzero(q, sizeof(*q)); /* a device's private key */
	mem_free(mem, q);
}

int daemon_drain(struct daemon *d)
{
	while (!list_is_empty(&d->queue)) {
		struct queued *q = container_of(d->queue.next, struct queued, link);
		int err = daemon_step(d, &q->event);

		daemon_queue_free(q);
		if (err)
			return err;
	}
	return 0;
}

/* --- the disk ------------------------------------------------------------------------------- */

/* The store has words of its own but when memory ran out. */
static int disk_failed(struct daemon *d, int err, const struct diag *diag)
{
	d->diag = *diag;
	if (!diag->text[0])
		diag_set(&d->diag, err, "cannot write the database: %s", err_text(err));
	return err;
}

static int persist(struct daemon *d, const struct effect *e)
{
	struct diag diag = { "", "" };
	int err = store_put(d->store, &e->u.persist.row, &diag);

	if (err)
		return disk_failed(d, err, &diag);
	if (e->u.persist.durable)
		d->must_commit = true;
	if (d->commit_ms == TIME_NEVER)
		d->commit_ms = d->now.mono_ms + COMMIT_DELAY_MS;
	return 0;
}

int daemon_commit(struct daemon *d)
{
	struct diag diag = { "", "" };
	int err = store_commit(d->store, &diag);

	d->must_commit = false;
	d->commit_ms = TIME_NEVER;
	return err ? disk_failed(d, err, &diag) : 0;
}

/* Something is about to leave that may speak of what was stored. */
static int before_leaving(struct daemon *d)
{
	return d->must_commit ? daemon_commit(d) : 0;
}

/* --- the kernel ----------------------------------------------------------------------------- */

static int read_device(struct daemon *d, const struct effect *e)
{
	struct queued *q = daemon_queue(d, EV_DEVICE);
	struct event *ev = q ? &q->event : NULL;
	int err;

	if (!q)
		return daemon_no_memory(d);
	memcpy(ev->u.device.mesh, e->u.device.mesh, sizeof(ev->u.device.mesh));
	err = d->kern->v->read(d->kern, e->u.device.device, &q->arena, &q->device);
	ev->u.device.device = &q->device;
	if (!err)
		return 0;
	if (err == -ENOMEM)
		return daemon_no_memory(d);
	diag_set(&q->diag, err, "cannot read device %s: %s", e->u.device.device, err_text(err));
	ev->u.device.err = err;
	ev->u.device.diag = &q->diag;
	ev->u.device.device = NULL;
	daemon_problem(d, e->u.device.device, e->u.device.mesh, &q->diag);
	return 0;
}

static int apply(struct daemon *d, const struct effect *e)
{
	const struct plan *plan = e->u.device.plan;
	struct queued *q = daemon_queue(d, EV_APPLIED);
	struct event *ev = q ? &q->event : NULL;
	size_t failed = 0;

	if (!q)
		return daemon_no_memory(d);
	memcpy(ev->u.applied.mesh, e->u.device.mesh, sizeof(ev->u.applied.mesh));
	ev->u.applied.diag = &q->diag;
	daemon_trace_plan(e->u.device.device, e->u.device.mesh, plan);
	ev->u.applied.err = d->kern->v->apply(d->kern, e->u.device.device, plan, &failed, &q->diag);
	if (!ev->u.applied.err) {
		d->problem[0] = 0;
		return 0;
	}
	assert(failed < plan->count);
	ev->u.applied.failed = plan->ops[failed].kind;
	daemon_problem(d, e->u.device.device, e->u.device.mesh, &q->diag);
	return 0;
}

int daemon_queue_addresses(struct daemon *d)
{
	struct queued *q = daemon_queue(d, EV_ADDRESSES);
	struct own_address *list = NULL;
	size_t count = 0;
	int err;

	if (!q)
		return daemon_no_memory(d);
	err = d->kern->v->addresses(d->kern, &q->arena, &list, &count);
	if (err == -ENOMEM)
		return daemon_no_memory(d);
	if (err) {
		/* What the node knows already is better than nothing. */
		log_say(LOG_WARNING, "addresses", "cannot read them: %s", err_text(err));
		daemon_queue_free(q);
		return 0;
	}
	q->event.u.addresses.list = list;
	q->event.u.addresses.count = count;
	return 0;
}

/* --- effects -------------------------------------------------------------------------------- */

static int leave(struct daemon *d, const struct effect *e)
{
	int err = before_leaving(d);

	if (err)
		return err;
	if (e->kind == FX_SEND)
		return daemon_send(d, e);
	if (e->kind == FX_DIAL)
		return daemon_dial(d, e);
	return daemon_reply(d, e);
}

static int carry(struct daemon *d, const struct effect *e)
{
	switch (e->kind) {
	case FX_PERSIST:
		return persist(d, e);
	case FX_SEND:
	case FX_DIAL:
	case FX_REPLY:
		return leave(d, e);
	case FX_CLOSE:
		return daemon_hang_up(d, e->u.session);
	case FX_READ_DEVICE:
		return read_device(d, e);
	case FX_APPLY:
		return apply(d, e);
	case FX_READ_ADDRESSES:
		return daemon_queue_addresses(d);
	case FX_PROGRESS:
		return daemon_progress(d, e);
	case FX_TRACE:
		daemon_trace(e);
		return 0;
	}
	assert(!"an effect of no kind");
	return 0;
}

int daemon_step(struct daemon *d, struct event *ev)
{
	int err;

	ev->now = d->now;
	err = node_step(d->node, ev, &d->fx);
	if (err)
		return diag_set(&d->diag, err, "the node cannot go on: %s", err_text(err));
	for (size_t i = 0; i < d->fx.count && !err; i++)
		err = carry(d, &d->fx.list[i]);
	return err;
}
