/*
 * The daemon: wakes for each of its parts, and knows what is due when.
 *
 * One timer serves all: it is armed for the earliest of the node's, the hub's and our own times
 * after each wake-up.  Clocks are read once per wake-up, so all that happens in it has one time.
 *
 * At the end tunnels stay as they are: traffic goes on while the daemon is upgraded.
 */
#include "smegd/daemon.h"

#include "smegd/daemon_priv.h"
#include "smegd/host.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define STATUS_EVERY_MS MS_PER_SECOND
#define SLEEP_MAX_MS MS_PER_MINUTE
#define TRIM_EVERY_MS MS_PER_MINUTE

/* --- what is due ---------------------------------------------------------------------------- */

static void tell_status(struct daemon *d)
{
	size_t meshes = node_mesh_count(d->node);
	size_t members = 0;
	size_t sessions = 0;
	struct mesh_view v;
	char status[sizeof(d->status)];

	for (size_t i = 0; i < meshes && node_mesh_view(d->node, i, &v); i++) {
		members += v.members;
		sessions += v.sessions;
	}
	snprintf(status, sizeof(status), "%zu mesh%s, %zu member%s, %zu session%s", meshes,
	         meshes == 1 ? "" : "es", members, members == 1 ? "" : "s", sessions,
	         sessions == 1 ? "" : "s");
	if (strcmp(status, d->status) == 0)
		return;
	memcpy(d->status, status, sizeof(status));
	notify_send(d->notify, "STATUS=%s", status);
}

/* Before the loop sleeps: what was promised to the manager, and the timer. */
static void settle(struct daemon *d)
{
	int64_t now = d->now.mono_ms;
	int64_t at = MIN_OF(node_deadline(d->node), hub_deadline(d->hub));

	if (d->watchdog_ms <= now) {
		notify_send(d->notify, "WATCHDOG=1");
		d->watchdog_ms = now + d->notify->watchdog_ms;
	}
	if (d->status_ms <= now) {
		tell_status(d);
		d->status_ms = TIME_NEVER;
	}
	if (d->trim_ms <= now) {
		host_heap_trim();
		d->trim_ms = now + TRIM_EVERY_MS;
	}
	at = MIN_OF(at, d->commit_ms);
	at = MIN_OF(at, d->watchdog_ms);
	at = MIN_OF(at, d->status_ms);
	at = MIN_OF(at, now + SLEEP_MAX_MS);
	/* At least 1: what is due at once was done just now, and others want their turn. */
	loop_arm(d->loop, MAX_OF(at - now, 1));
}

static int due(struct daemon *d)
{
	struct event tick = { .kind = EV_TICK };
	int err = 0;

	if (hub_deadline(d->hub) <= d->now.mono_ms)
		err = daemon_hub_tick(d);
	if (!err && node_deadline(d->node) <= d->now.mono_ms)
		err = daemon_step(d, &tick);
	if (!err)
		err = daemon_drain(d);
	if (!err && (d->must_commit || d->commit_ms <= d->now.mono_ms))
		err = daemon_commit(d);
	return err;
}

/* --- the loop's handlers -------------------------------------------------------------------- */

static void awake(struct daemon *d)
{
	host_clock(&d->now);
	log_set_clock(d->now.mono_ms);
}

/* Every handler ends here. */
static void asleep(struct daemon *d, int err)
{
	if (!err)
		err = due(d);
	if (err) {
		d->err = err;
		loop_stop(d->loop);
		return;
	}
	/* Something may have changed; told a little later, once for many changes. */
	if (d->status_ms == TIME_NEVER)
		d->status_ms = d->now.mono_ms + STATUS_EVERY_MS;
	settle(d);
}

static void on_woken(void *ctx)
{
	struct daemon *d = ctx;
	int err;

	awake(d);
	err = daemon_links(d);
	if (!err)
		err = daemon_clients(d);
	asleep(d, err);
}

static void on_timeout(void *ctx)
{
	struct daemon *d = ctx;
	bool was_status = false;
	int err;

	awake(d);
	was_status = d->status_ms <= d->now.mono_ms;
	err = due(d);
	if (err || !was_status) {
		asleep(d, err);
		return;
	}
	settle(d);
}

static void on_readable(void *ctx)
{
	struct daemon *d = ctx;
	struct kern_news news = { false, false };
	struct event ev = { .kind = EV_NEWS };
	int err;

	awake(d);
	err = d->kern->v->watch_read(d->kern, &news);
	if (err == -ENOMEM) {
		asleep(d, daemon_no_memory(d));
		return;
	}
	if (err) {
		log_say(LOG_ERROR, "kernel-news", "no more from now on, changes are seen late: %s",
		        err_text(err));
		loop_unwatch(d->loop);
	}
	err = news.addresses_changed ? daemon_queue_addresses(d) : 0;
	if (!err && news.devices_changed) {
		ev.u.news.devices = true;
		err = daemon_step(d, &ev);
	}
	if (!err)
		err = daemon_drain(d);
	asleep(d, err);
}

static void on_signal(void *ctx, int signo)
{
	struct daemon *d = ctx;

	awake(d);
	if (signo == SIGHUP) {
		asleep(d, daemon_reload(d));
		return;
	}
	log_say(LOG_INFO, "stopping", "%s", signo == SIGINT ? "SIGINT" : "SIGTERM");
	d->is_stopping = true;
	loop_stop(d->loop);
}

/* --- opening -------------------------------------------------------------------------------- */

static int open_loop(struct daemon *d, struct diag *diag)
{
	struct loop_handlers handlers = {
		.ctx = d,
		.woken = on_woken,
		.timeout = on_timeout,
		.readable = on_readable,
		.signal = on_signal,
	};
	int err = loop_open(&handlers, &d->loop);

	return err ? diag_set(diag, err, "cannot set up the main loop: %s", err_text(err)) : 0;
}

static void prepare(struct daemon *d, const struct daemon_options *options)
{
	d->conf = *options->conf;
	d->reread = options->reread;
	d->reread_ctx = options->reread_ctx;
	d->notify = options->notify;
	d->commit_ms = TIME_NEVER;
	d->status_ms = TIME_NEVER;
	d->watchdog_ms = TIME_NEVER;
	list_init(&d->queue);
	effects_init(&d->fx, &host_heap);
	hub_outputs_init(&d->in, &host_heap);
	hub_outputs_init(&d->out, &host_heap);
	arena_init(&d->scratch, &host_heap);
	awake(d);
}

int daemon_open(const struct daemon_options *options, struct daemon **ret, struct diag *diag)
{
	struct daemon *d = mem_zalloc(&host_heap, sizeof(*d));
	int err;

	if (!d)
		return diag_set(diag, -ENOMEM, "out of memory");
	if (sodium_init() < 0) {
		mem_free(&host_heap, d);
		return diag_set(diag, ERR_INTERNAL, "libsodium does not work on this machine");
	}
	prepare(d, options);
	err = open_loop(d, diag);
	if (!err)
		err = daemon_open_parts(d, diag);
	if (err) {
		daemon_close(d);
		return err;
	}
	d->ctl.node = d->node;
	d->ctl.backend = d->kern->v->name;
	d->ctl.port = d->port;
	d->ctl.started_ms = d->now.mono_ms;
	*ret = d;
	return 0;
}

/* --- running -------------------------------------------------------------------------------- */

static void tell_started(const struct daemon *d)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "started", NULL, NULL);
	log_text(&l, "backend", d->kern->v->name);
	log_number(&l, "port", d->port);
	log_number(&l, "meshes", (int64_t)node_mesh_count(d->node));
	log_text(&l, "state", d->conf.state_directory);
	log_end(&l);
}

static int start(struct daemon *d)
{
	struct event ev = { .kind = EV_START };
	int err;

	awake(d);
	err = daemon_step(d, &ev);
	if (!err)
		err = daemon_drain(d);
	if (!err)
		err = due(d);
	if (err)
		return err;
	tell_started(d);
	if (d->notify->watchdog_ms)
		d->watchdog_ms = d->now.mono_ms;
	notify_send(d->notify, "READY=1");
	d->status_ms = d->now.mono_ms;
	settle(d);
	return 0;
}

static int stop(struct daemon *d)
{
	struct event ev = { .kind = EV_STOP };
	int err;

	notify_send(d->notify, "STOPPING=1\nSTATUS=stopping; tunnels stay");
	err = daemon_step(d, &ev);
	if (!err)
		err = daemon_drain(d);
	if (!err)
		err = daemon_commit(d);
	return err;
}

int daemon_run(struct daemon *d, struct diag *diag)
{
	int err = start(d);

	if (!err) {
		loop_run(d->loop);
		err = d->err;
	}
	if (!err && d->is_stopping)
		err = stop(d);
	if (err)
		*diag = d->diag;
	return err;
}

void daemon_close(struct daemon *d)
{
	if (!d)
		return;
	while (!list_is_empty(&d->queue))
		daemon_queue_free(container_of(d->queue.next, struct queued, link));
	/* Threads wake the loop, and the loop polls the kernel: in this order. */
	local_close(d->local);
	net_close(d->net);
	loop_close(d->loop);
	if (d->kern)
		d->kern->v->free(d->kern);
	hub_free(d->hub);
	node_free(d->node);
	store_close(d->store);
	effects_fini(&d->fx);
	hub_outputs_fini(&d->in);
	hub_outputs_fini(&d->out);
	arena_fini(&d->scratch);
	mem_free(&host_heap, d);
}
