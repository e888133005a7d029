/*
 * The main loop, on libuv.
 *
 * libuv for its portable odds and ends was not the point: it is here for a loop that other threads
 * can wake (nng's) and that takes signals without races.  Its types stay in this file.
 *
 * SIGPIPE is ignored: a connection that breaks while we write is an error of that write.
 */
#include "smegd/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

struct loop {
	uv_loop_t uv;
	struct loop_handlers on;
	uv_async_t async;
	uv_timer_t timer;
	uv_signal_t signals[ARRAY_LEN(signals)];
	uv_poll_t poll;
	bool is_polling;
};

static void on_async(uv_async_t *handle)
{
	struct loop *l = handle->data;

	l->on.woken(l->on.ctx);
}

static void on_timer(uv_timer_t *handle)
{
	struct loop *l = handle->data;

	l->on.timeout(l->on.ctx);
}

static void on_signal(uv_signal_t *handle, int signo)
{
	struct loop *l = handle->data;

	l->on.signal(l->on.ctx, signo);
}

/* An error of polling is for the reader of the descriptor to find. */
static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct loop *l = handle->data;

	(void)status;
	(void)events;
	l->on.readable(l->on.ctx);
}

static int signals_open(struct loop *l)
{
	int err = 0;

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(signals) && !err; i++) {
		err = uv_signal_init(&l->uv, &l->signals[i]);
		if (err)
			return err;
		l->signals[i].data = l;
		err = uv_signal_start(&l->signals[i], on_signal, signals[i]);
	}
	return err;
}

/* libuv's errors are -errno, as ours. */
int loop_open(const struct loop_handlers *handlers, struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->on = *handlers;
	err = uv_loop_init(&l->uv);
	if (err) {
		free(l);
		return err;
	}
	l->timer.data = l;
	l->async.data = l;
	err = uv_timer_init(&l->uv, &l->timer);
	if (!err)
		err = uv_async_init(&l->uv, &l->async, on_async);
	if (!err)
		err = signals_open(l);
	if (err)
		loop_close(l);
	else
		*ret = l;
	return err;
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
	(void)ctx;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void loop_close(struct loop *l)
{
	if (!l)
		return;
	uv_walk(&l->uv, close_handle, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	if (uv_loop_close(&l->uv))
		assert(!"a handle is open after all were closed");
	free(l);
}

void loop_wake(struct loop *l)
{
	uv_async_send(&l->async);
}

int loop_watch(struct loop *l, int fd)
{
	int err;

	assert(!l->is_polling);
	err = uv_poll_init(&l->uv, &l->poll, fd);
	if (err)
		return err;
	l->poll.data = l;
	l->is_polling = true;
	return uv_poll_start(&l->poll, UV_READABLE, on_poll);
}

void loop_unwatch(struct loop *l)
{
	if (l->is_polling)
		uv_poll_stop(&l->poll);
}

void loop_arm(struct loop *l, int64_t delay_ms)
{
	assert(delay_ms >= 0);
	/* The loop's idea of now may be old: a long step would shorten the wait. */
	uv_update_time(&l->uv);
	uv_timer_start(&l->timer, on_timer, (uint64_t)delay_ms, 0);
}

void loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}
