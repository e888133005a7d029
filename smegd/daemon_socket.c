/*
 * Clients of the control socket.
 *
 * The socket and its directory are what keeps strangers out: the directory is 0750 and the socket
 * 0660, both of the configured group.  Who of those who get in may do what is access.c's business.
 */
#include "smegd/daemon_priv.h"

#include "smegd/host.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define REQUESTS_PER_TURN 64
#define SOCKET_NAME "smegd.sock"

_Static_assert(CONF_RUN_PATH_BYTES + sizeof(SOCKET_NAME) < 108, "sun_path");

static void socket_path(const struct daemon *d, char *out, size_t cap)
{
	snprintf(out, cap, "%s/%s", d->conf.run_directory, SOCKET_NAME);
}

/* From any thread. */
static void wake(void *ctx)
{
	struct daemon *d = ctx;

	loop_wake(d->loop);
}

static void find_group(struct daemon *d)
{
	struct access *a = &d->ctl.access;
	int err;

	a->group = d->conf.group;
	a->admins = &d->conf.admins;
	a->own_uid = (uint32_t)geteuid();
	a->has_group = false;
	if (!d->conf.group[0])
		return;
	err = host_group(d->conf.group, &a->gid);
	a->has_group = err == 0;
	if (err)
		log_say(LOG_INFO, "group",
		        "there is no group %s, so only root may use the control socket; to make "
		        "it: "
		        "groupadd --system %s",
		        d->conf.group, d->conf.group);
}

static int open_directory(struct daemon *d, struct diag *diag)
{
	const struct host_directory dir = {
		.path = d->conf.run_directory,
		.key = "runDirectory",
		.mode = 0750,
		.has_group = d->ctl.access.has_group,
		.gid = d->ctl.access.gid,
	};
	bool kept = false;
	int err = host_directory(&dir, &kept, diag);

	if (kept)
		log_say(LOG_INFO, "group", "cannot give %s to group %s without CAP_CHOWN",
		        d->conf.run_directory, d->conf.group);
	return err;
}

/* local_open() has left it with our own group. */
static int open_socket(const struct daemon *d, struct diag *diag)
{
	char path[CONF_RUN_PATH_BYTES + sizeof(SOCKET_NAME) + 1];

	if (!d->ctl.access.has_group)
		return 0;
	socket_path(d, path, sizeof(path));
	/* The same right as for the directory, of which was told. */
	if (chown(path, (uid_t)-1, d->ctl.access.gid) && errno != EPERM)
		return diag_set(diag, -errno, "cannot set the group of %s: %s", path,
		                err_text(-errno));
	return 0;
}

int daemon_open_to_group(struct daemon *d, struct diag *diag)
{
	int err;

	find_group(d);
	err = open_directory(d, diag);
	return err ? err : open_socket(d, diag);
}

int daemon_socket_open(struct daemon *d, struct diag *diag)
{
	struct local_options options = { .mem = &host_heap, .wake = wake, .wake_ctx = d };
	char path[CONF_RUN_PATH_BYTES + sizeof(SOCKET_NAME) + 1];
	int err;

	find_group(d);
	err = open_directory(d, diag);
	if (err)
		return err;
	socket_path(d, path, sizeof(path));
	err = local_open(&options, path, &d->local, diag);
	return err ? err : open_socket(d, diag);
}

/* --- requests ------------------------------------------------------------------------------- */

static int answer(struct daemon *d, uint64_t conn, struct bytes frame, bool last)
{
	int err = local_reply(d->local, conn, frame, last);

	assert(err != ERR_TOO_BIG); /* an encoder's bound */
	return err ? daemon_no_memory(d) : 0;
}

static int run(struct daemon *d, const struct command *command)
{
	struct event ev = { .kind = EV_COMMAND };
	int err;

	ev.u.command = command;
	err = daemon_step(d, &ev);
	return err ? err : daemon_drain(d);
}

static int requested(struct daemon *d, const struct local_news *n)
{
	struct ctl_asked asked = {
		.conn = n->conn,
		.peer = n->peer,
		.frame = n->frame,
	};
	struct arena arena;
	struct ctl_todo todo;
	int err;

	/* Not the scratch arena: the command must live while its reply is made. */
	arena_init(&arena, &host_heap);
	d->ctl.now = d->now;
	err = ctl_request(&d->ctl, &asked, &arena, &todo);
	if (err)
		err = daemon_no_memory(d);
	else if (todo.command)
		err = run(d, todo.command);
	else
		err = answer(d, n->conn, todo.reply, true);
	arena_fini(&arena);
	return err;
}

static int gone(struct daemon *d, uint64_t conn)
{
	struct event ev = { .kind = EV_COMMAND_GONE };
	int err;

	ev.u.request = ctl_gone(&d->ctl, conn);
	if (!ev.u.request)
		return 0;
	err = daemon_step(d, &ev);
	return err ? err : daemon_drain(d);
}

int daemon_clients(struct daemon *d)
{
	struct local_news news;
	int err = 0;
	int turns;

	for (turns = 0; turns < REQUESTS_PER_TURN && !err && local_next(d->local, &news); turns++) {
		if (news.kind == LOCAL_REQUEST)
			err = requested(d, &news);
		else if (news.kind == LOCAL_GONE)
			err = gone(d, news.conn);
	}
	if (turns == REQUESTS_PER_TURN)
		loop_wake(d->loop);
	return err;
}

/* --- answers -------------------------------------------------------------------------------- */

int daemon_reply(struct daemon *d, const struct effect *reply)
{
	struct bytes frame;
	uint64_t conn;

	arena_reset(&d->scratch);
	d->ctl.now = d->now;
	if (ctl_reply(&d->ctl, reply, &d->scratch, &conn, &frame))
		return daemon_no_memory(d);
	return conn ? answer(d, conn, frame, true) : 0;
}

int daemon_progress(struct daemon *d, const struct effect *progress)
{
	struct bytes frame;
	uint64_t conn;

	arena_reset(&d->scratch);
	if (ctl_progress(&d->ctl, progress, &d->scratch, &conn, &frame))
		return daemon_no_memory(d);
	return conn ? answer(d, conn, frame, false) : 0;
}
