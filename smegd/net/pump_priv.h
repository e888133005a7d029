/*
 * From nng's threads to the loop's: what was posted, in order, and alarms.
 *
 * Only pump_post() may be called from any thread.  All handlers run in the loop's thread, inside
 * pump_turn().
 */
#ifndef SMEG_SMEGD_NET_PUMP_PRIV_H
#define SMEG_SMEGD_NET_PUMP_PRIV_H

#include "base/list.h"

#include <nng/nng.h>
#include <pthread.h>

/* Something to be run in the loop's thread; embedded in what it is about. */
struct notice {
	struct list node; /* in pump.posted, under its lock */
	void (*run)(struct notice *notice);
};

struct pump;

/*
 * An nng_aio: one operation at a time.  Begin with op_begin(), then hand `aio` to nng; `done` is
 * called when it has ended, and by then the op can be used again.
 */
struct op {
	struct notice notice;
	struct pump *pump;
	nng_aio *aio;
	void (*done)(struct op *op);
	bool busy; /* nng has it, or it is posted and not run yet */
	/* Under the pump's lock.  Success with that count wakes nobody; 0: any end wakes. */
	size_t patience;
};

/* Zeroed is valid for op_fini().  -ENOMEM. */
int op_init(struct op *o, struct pump *p, void (*done)(struct op *op)) MUST_CHECK;

/*
 * Cancels, waits until nng is done with it, frees.  `done` is not called.  A stream that it was
 * about to yield is freed.  Whatever nng object it was given to must exist until then.  It may be
 * called from inside any handler, its own `done` too.
 */
void op_fini(struct op *o);

/* Mark it busy (it must not be) and return the aio to hand to nng. */
nng_aio *op_begin(struct op *o);
/*
 * Until it begins anew: if it ends well, having moved all `count` bytes, `done` may wait until the
 * loop wakes for another reason.
 */
void op_set_patience(struct op *o, size_t count);
/* No longer: somebody waits for its end, which may have been a while ago. */
void op_hurry(struct op *o);

/* A moment at which `ring` is called. */
struct alarm {
	struct list node;
	int64_t at_ms;
	void (*ring)(struct alarm *alarm);
};

struct pump {
	pthread_mutex_t lock;
	struct list posted; /* of notices, oldest first; under the lock */
	void (*wake)(void *ctx);
	void *wake_ctx;
	struct list alarms; /* soonest first */
	struct op sleep;
	int64_t sleep_until_ms;
};

int pump_init(struct pump *p, void (*wake)(void *ctx), void *wake_ctx) MUST_CHECK;

/* All ops but its own are finished by now. */
void pump_fini(struct pump *p);

/* Queue the notice (it must not be queued) and wake the loop.  From any thread. */
void pump_post(struct pump *p, struct notice *notice);

/* Take the notice out if it is queued.  What posts it must have been stopped. */
void pump_retract(struct pump *p, struct notice *notice);

/* Wake the loop from its own thread: news came about by a call and not by nng. */
void pump_wake(struct pump *p);

/* Run one handler.  False: there was none. */
bool pump_turn(struct pump *p);

/* Milliseconds on the clock of alarms. */
int64_t pump_now(void);

/* Set (again) or clear.  alarm_clear() is fine on one that is not set, not on a zeroed one. */
void alarm_init(struct alarm *a, void (*ring)(struct alarm *alarm));
void alarm_set(struct alarm *a, struct pump *p, int64_t after_ms);
void alarm_clear(struct alarm *a);

#endif
