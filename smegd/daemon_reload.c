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

/* The keys that the table calls live. */
static void adopt(struct daemon *d, const struct conf *from)
{
	struct diag diag = { "", "" };

	d->conf.log_level = from->log_level;
	d->conf.admins = from->admins;
	memcpy(d->conf.group, from->group, sizeof(d->conf.group));
	log_set_level((enum log_level)from->log_level);
	if (daemon_open_to_group(d, &diag))
		fail(&diag);
}

void daemon_reload(struct daemon *d)
{
	struct conf_change changes[CHANGES_MAX];
	struct diag diag = { "", "" };
	struct conf conf;
	size_t count;

	notify_send(d->notify, "RELOADING=1");
	if (d->reread(d->reread_ctx, &conf, &diag)) {
		fail(&diag);
	} else {
		count = conf_compare(&d->conf, &conf, changes, CHANGES_MAX);
		adopt(d, &conf);
		for (size_t i = 0; i < MIN_OF(count, CHANGES_MAX); i++)
			tell(&changes[i]);
		if (!count)
			log_say(LOG_INFO, "config", "nothing has changed");
	}
	notify_send(d->notify, "READY=1");
}
