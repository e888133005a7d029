/*
 * The daemon: a node, and around it the hub, the network, the kernel, the disk and the control
 * socket.
 */
#ifndef SMEG_SMEGD_DAEMON_H
#define SMEG_SMEGD_DAEMON_H

#include "smegd/conf.h"
#include "smegd/notify.h"

struct daemon;

struct daemon_options {
	const struct conf *conf; /* copied */
	/* Read the configuration again, for SIGHUP; errors are logged by the daemon. */
	int (*reread)(void *ctx, struct conf *ret, struct diag *diag);
	void *reread_ctx;
	struct notify *notify; /* borrowed */
};

/*
 * Open everything and restore the node.  On failure `diag` says what and what would help:
 * ERR_BUSY, ERR_PORT_IN_USE, ERR_NO_WIREGUARD, ERR_NEWER_STORE, ERR_DAMAGED_STORE, -errno.
 */
int daemon_open(const struct daemon_options *options,
                struct daemon **ret,
                struct diag *diag) MUST_CHECK;

/*
 * Until SIGTERM or SIGINT (0), or until it cannot go on: the disk fails, memory runs out.  Tunnels
 * are left standing.
 */
int daemon_run(struct daemon *d, struct diag *diag) MUST_CHECK;

/* Commits, closes all links and the socket, wipes keys.  NULL is fine. */
void daemon_close(struct daemon *d);

#endif
