/*
 * WireGuard in userspace: a wireguard-go process for each device.
 *
 * What is there is told by two things, the link and the socket, and they may disagree:
 *
 *	link  socket            it is
 *	no    -                 not there; a socket without listener is what a crash leaves
 *	no    answers           dying: the link was deleted under it, and it takes up to 2 s
 *	yes   answers           there
 *	yes   nobody            something else of that name
 *
 * So it never matters who has started it: after a restart of smegd the same device is found
 * standing.  A dying one is asked to hurry, by signal, and waited for, before another is started:
 *it would take the socket file of its successor with it.
 *
 * WireGuard's settings are sent in requests of at most SET_OPS operations, so that each stays well
 * within the time limit.
 */
#include "smegd/kern/uapi_priv.h"

#include "smegd/kern/common_priv.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "wireguard-go"
#define RUN_DIR "/var/run/wireguard"
#define TUN_DEVICE "/dev/net/tun"
#define KIND "tun"
#define SET_OPS 512

struct uapi {
	struct common common;
	char program[PATH_MAX];
	char run_dir[UAPI_PATH_BYTES];
};

static struct uapi *uapi_of(struct common *c)
{
	return container_of(c, struct uapi, common);
}

static const char *program_name(const struct kern_options *options)
{
	return options->wireguard_go ? options->wireguard_go : PROGRAM;
}

/* Its length was checked when the backend was opened. */
static void socket_path(const struct uapi *u, const char *name, char out[UAPI_PATH_BYTES])
{
	int count = snprintf(out, UAPI_PATH_BYTES, "%s/%s.sock", u->run_dir, name);

	assert(count > 0 && count < UAPI_PATH_BYTES);
}

/* Ask, and take the reply apart. */
static int uapi_do(struct uapi *u,
                   const char *name,
                   const struct secret *request,
                   struct device *device,
                   struct collect *collect)
{
	char path[UAPI_PATH_BYTES];
	struct secret reply = { .at = NULL };
	int err;

	socket_path(u, name, path);
	err = uapi_ask(path, request, &reply);
	if (!err)
		err = uapi_parse(reply.at, reply.count, device, collect);
	secret_fini(&reply);
	return err;
}

static int uapi_query(struct common *c, const char *name, struct arena *arena, struct device *ret)
{
	struct secret request = { .at = NULL };
	struct collect collect;
	int err;

	collect_init(&collect, &heap);
	secret_add(&request, "get=1\n\n");
	err = uapi_do(uapi_of(c), name, &request, ret, &collect);
	if (!err)
		err = collect_finish(&collect, arena, ret);
	collect_fini(&collect);
	secret_fini(&request);
	return err == -ENOENT || err == -ECONNREFUSED ? -EOPNOTSUPP : err;
}

static int set_some(struct uapi *u, const char *name, const struct op *ops, size_t count)
{
	struct secret request = { .at = NULL };
	struct device nothing = { .exists = false };
	struct collect collect;
	int err;

	collect_init(&collect, &heap);
	secret_add(&request, "set=1\n");
	for (size_t i = 0; i < count; i++)
		uapi_add_op(&request, &ops[i]);
	secret_add(&request, "\n");
	err = uapi_do(u, name, &request, &nothing, &collect);
	collect_fini(&collect);
	secret_fini(&request);
	return err == -ENOENT || err == -ECONNREFUSED ? -ENODEV : err;
}

/*
 * Lines of the device must come before those of peers, so a request ends where they would not.
 */
static size_t ops_of_request(const struct op *ops, size_t count)
{
	bool has_peers = false;

	for (size_t i = 0; i < count; i++) {
		bool is_peer = ops[i].kind == OP_PEER_SET || ops[i].kind == OP_PEER_DEL;

		if (i == SET_OPS || (has_peers && !is_peer))
			return i;
		has_peers = has_peers || is_peer;
	}
	return count;
}

static int uapi_configure(struct common *c, const char *name, const struct op *ops, size_t count)
{
	size_t some;
	int err = 0;

	for (size_t i = 0; i < count && !err; i += some) {
		some = ops_of_request(ops + i, count - i);
		err = set_some(uapi_of(c), name, ops + i, some);
	}
	return err;
}

static int start_failed(struct diag *diag, const struct uapi *u, const char *name, int err)
{
	if (err == -ECHILD) {
		diag_set(diag, err, "%s: %s was started and ended at once", name, u->program);
		diag_hint(diag,
		          "see what it says, and that /dev/net/tun is there: LOG_LEVEL=verbose %s "
		          "-f %s",
		          u->program, name);
		return ERR_NO_WIREGUARD;
	}
	diag_set(diag, err, "%s: cannot start %s: %s", name, u->program, err_text(err));
	if (err != -ENOENT)
		return err;
	diag_hint(diag, "apt install wireguard-go");
	return ERR_NO_WIREGUARD;
}

static int uapi_link_add(struct common *c, const char *name, struct diag *diag)
{
	struct uapi *u = uapi_of(c);
	char path[UAPI_PATH_BYTES];
	struct rtnl_link link;
	int err = rtnl_link_get(&c->rtnl, name, &link);
	bool is_alive;

	socket_path(u, name, path);
	is_alive = uapi_is_alive(path);
	if (!err && is_alive)
		return 0;
	if (!err) {
		diag_set(diag, -EEXIST, "%s: there is another device of this name", name);
		diag_hint(diag, "see what it is: ip -details link show %s", name);
		return -EEXIST;
	}
	if (err != -ENODEV)
		return err;
	if (is_alive) {
		uapi_signal(path, u->program);
		err = uapi_wait_gone(path);
		if (err)
			return diag_set(diag, err, "%s: the last %s does not end", name,
			                u->program);
	}
	err = uapi_start(u->program, name, path);
	return err ? start_failed(diag, u, name, err) : 0;
}

static int uapi_link_del(struct common *c, const struct rtnl_link *l)
{
	struct uapi *u = uapi_of(c);
	char path[UAPI_PATH_BYTES];
	int err;

	socket_path(u, l->name, path);
	if (strcmp(l->kind, KIND) != 0 || !uapi_is_alive(path))
		return -EOPNOTSUPP;
	err = rtnl_link_del(&c->rtnl, l->index);
	/* It would find out by itself, within 2 s, and removes its socket in either case. */
	if (!err)
		uapi_signal(path, u->program);
	return err;
}

static void uapi_free(struct kern *k)
{
	struct uapi *u;

	if (!k)
		return;
	u = uapi_of(container_of(k, struct common, kern));
	common_fini(&u->common);
	free(u);
}

static const struct backend_ops uapi_ops = {
	.query = uapi_query,
	.link_add = uapi_link_add,
	.link_del = uapi_link_del,
	.configure = uapi_configure,
};

static const struct kern_vtable uapi_vtable = {
	.name = "userspace",
	.read = common_read,
	.apply = common_apply,
	.addresses = common_addresses,
	.watch_fd = common_watch_fd,
	.watch_read = common_watch_read,
	.free = uapi_free,
};

int uapi_available(const struct kern_options *options)
{
	char program[PATH_MAX];
	int err = program_find(program_name(options), program, sizeof(program));

	if (err)
		return err;
	if (access(TUN_DEVICE, R_OK | W_OK) == 0)
		return 0;
	return errno == EACCES ? -EPERM : -ENODEV;
}

int uapi_open(const struct kern_options *options, struct kern **ret)
{
	const char *run_dir = options->run_dir ? options->run_dir : RUN_DIR;
	struct uapi *u;
	int err;

	/* A slash, the longest name, ".sock" and the end must fit after it. */
	if (strlen(run_dir) + DEVICE_NAME_BYTES + 6 > sizeof(u->run_dir))
		return -ENAMETOOLONG;
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->common.kern.v = &uapi_vtable;
	u->common.ops = &uapi_ops;
	strcpy(u->run_dir, run_dir);
	err = program_find(program_name(options), u->program, sizeof(u->program));
	if (!err)
		err = common_open(&u->common, options);
	if (err)
		uapi_free(&u->common.kern);
	else
		*ret = &u->common.kern;
	return err;
}
