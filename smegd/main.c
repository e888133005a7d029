/*
 * smegd: the daemon that keeps this host's WireGuard meshes.
 *
 * Everything that it takes from its surroundings at start is here: arguments, environment, standard
 * streams.  Errors before the log is set up are for the person at the terminal; later ones go to
 * the log, which under systemd is the journal.
 */
#include "api/version.h"
#include "smegd/daemon.h"
#include "smegd/host.h"
#include "smegd/notify.h"
#include "smegd/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int complain(int err, const struct diag *diag)
{
	fprintf(stderr, "smegd: %s\n", diag->text[0] ? diag->text : err_text(err));
	if (diag->hint[0])
		fprintf(stderr, "  hint: %s\n", diag->hint);
	return err;
}

static int log_failure(int err, const char *event, const struct diag *diag)
{
	struct log_line l;

	log_begin(&l, LOG_ERROR, event, NULL, NULL);
	log_error(&l, err);
	log_text(&l, "text", diag->text[0] ? diag->text : err_text(err));
	if (diag->hint[0])
		log_text(&l, "hint", diag->hint);
	log_end(&l);
	return err;
}

static int reread(void *ctx, struct conf *ret, struct diag *diag)
{
	return options_read_conf(ctx, ret, diag);
}

static void open_notify(struct notify *notify)
{
	const char *socket = getenv("NOTIFY_SOCKET");
	int err = notify_open(notify, socket, getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));

	/* Whom we start (wireguard-go) must not speak for us. */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (err)
		log_say(LOG_WARNING, "notify", "cannot reach NOTIFY_SOCKET: %s", err_text(err));
}

static int run(struct options *options, const struct conf *conf)
{
	struct notify notify;
	struct daemon_options daemon = {
		.conf = conf,
		.reread = reread,
		.reread_ctx = options,
		.notify = &notify,
	};
	struct daemon *d = NULL;
	struct diag diag = { "", "" };
	int err;

	open_notify(&notify);
	err = daemon_open(&daemon, &d, &diag);
	if (err) {
		log_failure(err, "cannot-start", &diag);
	} else {
		err = daemon_run(d, &diag);
		if (err)
			log_failure(err, "failed", &diag);
	}
	daemon_close(d);
	notify_close(&notify);
	return err;
}

static void open_log(const struct conf *conf)
{
	const struct log_options log = {
		.fd = STDERR_FILENO,
		.level = (enum log_level)conf->log_level,
		.has_priority = log_is_journal(getenv("JOURNAL_STREAM"), STDERR_FILENO),
	};

	log_setup(&log);
}

static int act(struct options *options)
{
	struct conf conf;
	struct diag diag = { "", "" };
	int err;

	if (options->action == OPTIONS_HELP) {
		options_print_help(stdout);
		return 0;
	}
	if (options->action == OPTIONS_VERSION) {
		puts("smegd " SMEG_VERSION);
		return 0;
	}
	err = options_read_conf(options, &conf, &diag);
	if (err)
		return complain(err, &diag);
	if (options->action == OPTIONS_PRINT)
		conf_print(&conf, stdout);
	if (options->action != OPTIONS_RUN)
		return 0;
	open_log(&conf);
	host_harden();
	return run(options, &conf);
}

int main(int argc, char **argv)
{
	struct options options;
	struct diag diag = { "", "" };
	int err;

	host_heap_setup();
	err = options_parse(&options, argc, argv, &diag);
	if (err)
		return options_exit_status(complain(err, &diag));
	err = act(&options);
	if (!err && fflush(stdout))
		err = ERR_INTERNAL;
	return options_exit_status(err);
}
