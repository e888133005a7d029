/*
 * SIGHUP: read the configuration again, and apply what can be without a restart.
 *
 * What needs a restart keeps its old value here, so that the next reload says so again.  A file
 * with an error changes nothing.
 */
#include "smegd/daemon_priv.h"

#include <string.h>

#define CHANGES_MAX 64

static void tell(const struct conf_change *change)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "config", NULL, NULL);
	log_text(&l, "key", change->key);
	log_text(&l, "result", change->needs_restart ? "needs-restart" : "applied");
	log_end(&l);
}

static void fail(const struct diag *diag)
{
	struct log_line l;

	log_begin(&l, LOG_ERROR, "config", NULL, NULL);
	log_text(&l, "text", diag->text);
	if (diag->hint[0])
		log_text(&l, "hint", diag->hint);
	log_end(&l);
}

static int tell_node(struct daemon *d)
{
	struct event ev = { .kind = EV_INTERVALS };

	ev.u.intervals = (struct intervals){
		.heartbeat_ms = (int64_t)d->conf.heartbeat_interval_s * MS_PER_SECOND,
		.pull_ms = (int64_t)d->conf.pull_interval_s * MS_PER_SECOND,
		.timeout_ms = (int64_t)d->conf.timeout_s * MS_PER_SECOND,
	};
	return daemon_step(d, &ev);
}

/* The keys that the table calls live. */
static void adopt(struct daemon *d, const struct conf *from)
{
	struct diag diag = { "", "" };

	d->conf.log_level = from->log_level;
	d->conf.admins = from->admins;
	d->conf.heartbeat_interval_s = from->heartbeat_interval_s;
	d->conf.pull_interval_s = from->pull_interval_s;
	d->conf.timeout_s = from->timeout_s;
	memcpy(d->conf.group, from->group, sizeof(d->conf.group));
	log_set_level((enum log_level)from->log_level);
	if (daemon_open_to_group(d, &diag))
		fail(&diag);
}

int daemon_reload(struct daemon *d)
{
	struct conf_change changes[CHANGES_MAX];
	struct diag diag = { "", "" };
	struct conf conf;
	size_t count;
	int err = 0;

	notify_send(d->notify, "RELOADING=1");
	if (d->reread(d->reread_ctx, &conf, &diag)) {
		fail(&diag);
	} else {
		count = conf_compare(&d->conf, &conf, changes, CHANGES_MAX);
		adopt(d, &conf);
		err = tell_node(d);
		for (size_t i = 0; i < MIN_OF(count, CHANGES_MAX); i++)
			tell(&changes[i]);
		if (!count)
			log_say(LOG_INFO, "config", "nothing has changed");
	}
	notify_send(d->notify, "READY=1");
	return err;
}
