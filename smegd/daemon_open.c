/*
 * Opening the daemon's parts, in the order in which each can still be refused without harm:
 * the disk (a second daemon on the same state ends here, before it has touched anything else), the
 * kernel, the port, the control socket, the node with its rows.  Until READY=1 nobody has seen
 * anything of us but an open port.
 *
 * Refusals come with words of the part that refused; here is added what only we know: which key of
 * the configuration would help.
 */
#include "smegd/daemon_priv.h"
#include "smegd/host.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define STORE_NAME "smegd.db"

/* From any thread. */
static void wake(void *ctx)
{
	struct daemon *d = ctx;

	loop_wake(d->loop);
}

static int open_store(struct daemon *d, struct diag *diag)
{
	struct host_directory dir = {
		.path = d->conf.state_directory,
		.key = "stateDirectory",
		.mode = 0700,
	};
	char path[CONF_PATH_BYTES + sizeof(STORE_NAME) + 1];
	bool kept;
	int err = host_directory(&dir, &kept, diag);

	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/%s", d->conf.state_directory, STORE_NAME);
	return store_open(path, NULL, &d->store, diag);
}

static int open_kernel(struct daemon *d, struct diag *diag)
{
	struct kern_options options = {
		.backend = (enum backend)d->conf.backend,
		.device_prefix = d->conf.device_prefix,
	};
	int err = kern_open(&options, &d->kern, diag);
	int fd;

	if (err == -EPERM && !diag->hint[0])
		diag_hint(diag, "run as root, or without WireGuard: backend: none");
	if (err)
		return err;
	fd = d->kern->v->watch_fd(d->kern);
	if (fd < 0)
		return 0;
	err = loop_watch(d->loop, fd);
	return err ? diag_set(diag, err, "cannot watch the kernel: %s", err_text(err)) : 0;
}

static int open_network(struct daemon *d, struct diag *diag)
{
	struct net_options options = { .mem = &host_heap, .wake = wake, .wake_ctx = d };
	int err = net_open(&options, &d->net);

	if (err)
		return diag_set(diag, err, "cannot set up the network: %s", err_text(err));
	return net_listen(d->net, d->conf.has_listen ? &d->conf.listen : NULL,
	                  (uint16_t)d->conf.port, &d->port, diag);
}

static size_t identities(void *ctx, struct identity *out, size_t cap)
{
	return node_identities(ctx, out, cap);
}

static enum admit admit(void *ctx, const struct hello *hello, struct instant now, int *ret_err)
{
	return node_admit(ctx, hello, now, ret_err);
}

static int open_hub(struct daemon *d)
{
	struct hub_options options = { .mem = &host_heap };
	int err = host_entropy(options.seed, sizeof(options.seed));

	options.directory.ctx = d->node;
	options.directory.identities = identities;
	options.directory.admit = admit;
	if (!err)
		err = hub_new(&options, &d->hub);
	sodium_memzero(&options, sizeof(options));
	return err;
}

static void node_settings(const struct daemon *d, struct node_options *o)
{
	const struct conf *c = &d->conf;

	o->mem = &host_heap;
	o->gossip_port = d->port;
	o->wg_port = (uint16_t)c->wireguard_port;
	memcpy(o->device_prefix, c->device_prefix, sizeof(o->device_prefix));
	o->no_devices = strcmp(d->kern->v->name, "none") == 0;
	o->mtu = c->mtu;
	o->keepalive_s = (uint16_t)c->keep_alive_s;
	memcpy(o->alias, c->alias, sizeof(o->alias));
	if (!c->alias[0])
		host_label(o->alias, sizeof(o->alias));
	memcpy(o->places, c->endpoints.list, sizeof(o->places));
	o->places_count = c->endpoints.count;
	o->heartbeat_interval_ms = (int64_t)c->heartbeat_interval_s * MS_PER_SECOND;
	o->pull_interval_ms = (int64_t)c->pull_interval_s * MS_PER_SECOND;
	o->timeout_ms = (int64_t)c->timeout_s * MS_PER_SECOND;
}

static int open_node(struct daemon *d, struct diag *diag)
{
	struct node_options options;
	int err;

	memset(&options, 0, sizeof(options));
	node_settings(d, &options);
	err = host_entropy(options.seed, sizeof(options.seed));
	if (!err)
		err = node_new(&options, &d->node);
	sodium_memzero(&options, sizeof(options));
	if (!err)
		err = open_hub(d);
	return err ? diag_set(diag, err, "cannot make the node: %s", err_text(err)) : 0;
}

/* One stored row.  The effects of this are at most traces: nothing leaves before the start. */
static int restore(void *ctx, const struct row *row)
{
	struct daemon *d = ctx;
	struct event ev = { .kind = EV_RESTORE, .now = d->now };
	int err;

	ev.u.row = row;
	err = node_step(d->node, &ev, &d->fx);
	for (size_t i = 0; i < d->fx.count && !err; i++) {
		assert(d->fx.list[i].kind == FX_TRACE);
		daemon_trace(&d->fx.list[i]);
	}
	return err;
}

static int restore_all(struct daemon *d, struct diag *diag)
{
	int err = store_load(d->store, restore, d, diag);

	if (err == ERR_VERSION)
		err = ERR_NEWER_STORE;
	else if (err == ERR_MALFORMED)
		err = ERR_DAMAGED_STORE;
	else if (err == 0 || diag->text[0])
		return err;
	diag_set(diag, err, "%s/%s: %s", d->conf.state_directory, STORE_NAME, err_text(err));
	diag_hint(diag,
	          "nothing in it was changed; install the version that wrote it, or restore it "
	          "from a backup");
	return err;
}

int daemon_open_parts(struct daemon *d, struct diag *diag)
{
	int err = open_store(d, diag);

	if (!err)
		err = open_kernel(d, diag);
	if (!err)
		err = open_network(d, diag);
	if (!err)
		err = daemon_socket_open(d, diag);
	if (!err)
		err = open_node(d, diag);
	if (!err)
		err = restore_all(d, diag);
	return err;
}
