/*
 * The main loop: one thread that waits for a time, a wake-up from other threads, a signal, or one
 * descriptor, on libuv.
 */
#ifndef SMEG_SMEGD_LOOP_H
#define SMEG_SMEGD_LOOP_H

#include "base/err.h"

struct loop;

/* All are called by loop_run()'s thread, one at a time. */
struct loop_handlers {
	void *ctx;
	void (*woken)(void *ctx);             /* loop_wake(), any number of times folded into one */
	void (*timeout)(void *ctx);           /* what loop_arm() set has come */
	void (*readable)(void *ctx);          /* the descriptor of loop_watch() */
	void (*signal)(void *ctx, int signo); /* SIGTERM, SIGINT, SIGHUP */
};

int loop_open(const struct loop_handlers *handlers, struct loop **ret) MUST_CHECK;
void loop_close(struct loop *l); /* NULL is fine */

/* From any thread; the only one here that may. */
void loop_wake(struct loop *l);

/* One descriptor at most.  Borrowed until loop_close() or loop_unwatch(). */
int loop_watch(struct loop *l, int fd) MUST_CHECK;
void loop_unwatch(struct loop *l);

/* Call `timeout` once, in so many ms, instead of when it was armed for before. */
void loop_arm(struct loop *l, int64_t delay_ms);

/* Until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

#endif
