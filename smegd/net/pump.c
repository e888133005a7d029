/*
 * The only place where nng's threads and ours meet.
 *
 * An nng callback does two things: it appends a notice, which is part of its op, to a list under a
 * mutex, and it wakes the loop.  It allocates nothing, so it cannot fail; it runs no code of ours
 * that could take a second lock, so it cannot deadlock.  An op has at most one operation under way
 * and is begun again only after its notice has run, so it is in the list at most once.
 *
 * Rules of nng 1.5.2 that this rests on (its src/core/aio.c):
 *   - A completion runs the callback exactly once, on a task thread, never inside the call that
 *     submitted the aio.
 *   - nng_aio_stop() cancels, then waits for the callback.  So it must not be called from a
 * callback or under a lock that a callback takes, and after it nothing touches the op.
 *   - nng_aio_free() also waits for the thread that expires timers, which stop does not.
 *   - After a sleep an aio stays marked so that a later timeout of it counts as success
 * (a_expire_ok is never reset): the aio that sleeps does nothing else.
 *
 * Most sends end at once and all right, and nothing follows them.  That wakes nobody: it is noted
 * when the loop wakes for another reason.  Else every frame would wake it twice.
 *
 * Alarms share one sleeping aio: one for each of a thousand links would be a thousand aios that
 * mostly wait for nothing.
 */
#include "smegd/net/pump_priv.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

/* In a thread of nng. */
static void op_landed(void *arg)
{
	struct op *o = arg;
	struct pump *p = o->pump;
	size_t moved = nng_aio_result(o->aio) == 0 ? nng_aio_count(o->aio) : 0;
	bool wakes;

	pthread_mutex_lock(&p->lock);
	wakes = o->patience == 0 || o->patience != moved;
	list_add(&p->posted, &o->notice.node);
	pthread_mutex_unlock(&p->lock);
	/* As with pump_post(), `o` may be gone: the loop could have run it. */
	if (wakes)
		p->wake(p->wake_ctx);
}

static void op_run(struct notice *notice)
{
	struct op *o = container_of(notice, struct op, notice);

	assert(o->busy);
	o->busy = false;
	o->done(o);
}

int op_init(struct op *o, struct pump *p, void (*done)(struct op *op))
{
	*o = (struct op){ .pump = p, .done = done, .notice.run = op_run };
	list_init(&o->notice.node);
	return nng_aio_alloc(&o->aio, op_landed, o) ? -ENOMEM : 0;
}

void op_fini(struct op *o)
{
	nng_stream *stream;

	if (!o->aio)
		return;
	nng_aio_stop(o->aio);
	pump_retract(o->pump, &o->notice);
	/* It may have succeeded unseen.  Other operations than accept and dial leave NULL here. */
	if (o->busy && nng_aio_result(o->aio) == 0) {
		stream = nng_aio_get_output(o->aio, 0);
		nng_stream_free(stream);
	}
	nng_aio_free(o->aio);
	memset(o, 0, sizeof(*o));
}

nng_aio *op_begin(struct op *o)
{
	assert(!o->busy);
	o->busy = true;
	o->patience = 0; /* nobody else looks at it now */
	return o->aio;
}

void op_set_patience(struct op *o, size_t count)
{
	pthread_mutex_lock(&o->pump->lock);
	o->patience = count;
	pthread_mutex_unlock(&o->pump->lock);
}

void op_hurry(struct op *o)
{
	bool has_landed;

	if (!o->busy)
		return;
	pthread_mutex_lock(&o->pump->lock);
	has_landed = o->patience && !list_is_empty(&o->notice.node);
	o->patience = 0;
	pthread_mutex_unlock(&o->pump->lock);
	if (has_landed)
		pump_wake(o->pump);
}

int64_t pump_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Sleep until the first alarm, if any. */
static void fall_asleep(struct pump *p)
{
	struct alarm *first;
	int64_t left_ms;

	if (list_is_empty(&p->alarms))
		return;
	first = container_of(p->alarms.next, struct alarm, node);
	if (p->sleep.busy) {
		/* Sleeping too long: its `done` comes at once and calls us again. */
		if (first->at_ms < p->sleep_until_ms) {
			p->sleep_until_ms = first->at_ms;
			nng_aio_abort(p->sleep.aio, NNG_ECANCELED);
		}
		return;
	}
	left_ms = first->at_ms - pump_now();
	left_ms = MIN_OF(MAX_OF(left_ms, 0), INT32_MAX);
	p->sleep_until_ms = first->at_ms;
	nng_sleep_aio((nng_duration)left_ms, op_begin(&p->sleep));
}

static void slept(struct op *o)
{
	struct pump *p = container_of(o, struct pump, sleep);
	int64_t now = pump_now();

	while (!list_is_empty(&p->alarms)) {
		struct alarm *first = container_of(p->alarms.next, struct alarm, node);

		if (first->at_ms > now)
			break;
		list_remove(&first->node);
		first->ring(first);
	}
	fall_asleep(p);
}

void alarm_init(struct alarm *a, void (*ring)(struct alarm *alarm))
{
	*a = (struct alarm){ .ring = ring };
	list_init(&a->node);
}

void alarm_set(struct alarm *a, struct pump *p, int64_t after_ms)
{
	struct list *at;

	list_remove(&a->node);
	a->at_ms = pump_now() + after_ms;
	/* From the end: most alarms are set for the same time ahead. */
	for (at = p->alarms.prev; at != &p->alarms; at = at->prev)
		if (container_of(at, struct alarm, node)->at_ms <= a->at_ms)
			break;
	list_add(at->next, &a->node);
	fall_asleep(p);
}

void alarm_clear(struct alarm *a)
{
	list_remove(&a->node);
}

int pump_init(struct pump *p, void (*wake)(void *ctx), void *wake_ctx)
{
	*p = (struct pump){ .wake = wake, .wake_ctx = wake_ctx };
	list_init(&p->posted);
	list_init(&p->alarms);
	pthread_mutex_init(&p->lock, NULL);
	return op_init(&p->sleep, p, slept);
}

void pump_fini(struct pump *p)
{
	op_fini(&p->sleep);
	assert(list_is_empty(&p->posted));
	pthread_mutex_destroy(&p->lock);
}

void pump_post(struct pump *p, struct notice *notice)
{
	pthread_mutex_lock(&p->lock);
	list_add(&p->posted, &notice->node);
	pthread_mutex_unlock(&p->lock);
	p->wake(p->wake_ctx);
}

void pump_retract(struct pump *p, struct notice *notice)
{
	pthread_mutex_lock(&p->lock);
	list_remove(&notice->node);
	pthread_mutex_unlock(&p->lock);
}

void pump_wake(struct pump *p)
{
	p->wake(p->wake_ctx);
}

bool pump_turn(struct pump *p)
{
	struct notice *notice = NULL;

	pthread_mutex_lock(&p->lock);
	if (!list_is_empty(&p->posted)) {
		notice = container_of(p->posted.next, struct notice, node);
		list_remove(&notice->node);
	}
	pthread_mutex_unlock(&p->lock);
	/* Without the lock: the handler may stop an aio and so wait for a callback. */
	if (notice)
		notice->run(notice);
	return notice;
}
