/*
 * The kernel, as the daemon sees it: read a WireGuard device, apply operations, hear of changes.
 *
 * Three implementations: kernel WireGuard (generic netlink), userspace WireGuard (starts
 * wireguard-go, speaks its socket; link, addresses and routes by rtnetlink all the same), and none.
 * The simulator has a fourth.  A backend translates and reports; it decides nothing, keeps no copy
 * of what it wrote, and never touches what an operation does not name.
 */
#ifndef SMEG_SMEGD_KERN_KERN_H
#define SMEG_SMEGD_KERN_KERN_H

#include "base/err.h"
#include "base/mem.h"
#include "smegd/core/model.h"

enum backend {
	BACKEND_AUTO,
	BACKEND_KERNEL,
	BACKEND_USERSPACE,
	BACKEND_NONE
};

/* What has changed since the last look; several changes may be folded into one. */
struct kern_news {
	bool addresses_changed; /* of interfaces that are not ours */
	bool devices_changed;   /* a link, address or route of a device whose name was read
	                           or applied here was changed, by whomever */
};

struct kern;

struct kern_vtable {
	const char *name; /* "kernel", "userspace", "none" */
	/*
	 * Read one device.  A missing one is no error: exists = false.  Arrays live in `arena`.
	 * Reads peers in as many parts as the kernel sends, and starts over when it was
	 * interrupted.
	 */
	int (*read)(struct kern *k, const char *name, struct arena *arena, struct device *ret);
	/*
	 * Carry out ops in order.  Stops at the first that fails: its index in *ret_failed, words
	 * in `diag`.  -EEXIST of an add and absence of what is deleted are success.
	 */
	int (*apply)(struct kern *k,
	             const char *name,
	             const struct plan *plan,
	             size_t *ret_failed,
	             struct diag *diag);
	/* Global unicast addresses of interfaces that are up, not loopback, and none of ours. */
	int (*addresses)(struct kern *k,
	                 struct arena *arena,
	                 struct own_address **ret,
	                 size_t *count);
	int (*watch_fd)(struct kern *k); /* poll for reading; -1: none */
	int (*watch_read)(struct kern *k,
	                  struct kern_news *ret); /* drain; an overrun is all news */
	void (*free)(struct kern *k);
};

struct kern {
	const struct kern_vtable *v;
};

struct kern_options {
	enum backend backend;
	const char *wireguard_go; /* program for userspace; NULL: "wireguard-go" by PATH */
	const char *run_dir;      /* where its sockets are; NULL: /var/run/wireguard */
	/* Names of our devices start so; their addresses are never reported as the host's own. */
	const char *device_prefix; /* "smeg" */
};

/*
 * Open a backend.  AUTO: kernel if it can make a WireGuard device, else userspace if the program is
 * there.  -EPERM, ERR_NO_WIREGUARD, with words in `diag`.
 */
int kern_open(const struct kern_options *options, struct kern **ret, struct diag *diag) MUST_CHECK;

#endif
