/*
 * Userspace WireGuard: its text protocol, its socket, its process.
 *
 * The protocol is https://www.wireguard.com/xplatform/#configuration-protocol
 */
#ifndef SMEG_SMEGD_KERN_UAPI_PRIV_H
#define SMEG_SMEGD_KERN_UAPI_PRIV_H

#include "base/err.h"
#include "smegd/kern/collect_priv.h"
#include "smegd/kern/secret_priv.h"

#define UAPI_TIMEOUT_MS 2000
#define UAPI_REPLY_BYTES_MAX (64u << 20) /* 100 000 peers take some 40 MiB */
#define UAPI_PATH_BYTES 108              /* sizeof sun_path */

/*
 * A whole reply, to `get` or `set`; any bytes.  Device settings go into *device, peers into
 * *collect.  Returns what it says in errno= (0 or negative); ERR_MALFORMED, ERR_TRUNCATED, -ENOMEM.
 */
int uapi_parse(const char *text, size_t bytes, struct device *device, struct collect *collect)
	MUST_CHECK;

/* The lines of a `set` request that carry out an operation of device or peers. */
void uapi_add_op(struct secret *s, const struct op *op);

/*
 * Ask and hear the whole reply, within UAPI_TIMEOUT_MS.  -ENOENT or -ECONNREFUSED: nobody there.
 */
int uapi_ask(const char *path, const struct secret *request, struct secret *reply) MUST_CHECK;

/* Does somebody listen there? */
bool uapi_is_alive(const char *path);

/* The file of program `name`: as it is if it has a slash, else by PATH.  -ENOENT. */
int program_find(const char *name, char *out, size_t cap) MUST_CHECK;

/*
 * Start wireguard-go for a device that is not there, and wait until it answers on `path`.  It
 * outlives us.  -ETIMEDOUT; -ECHILD when it ended at once; what exec() said.
 */
int uapi_start(const char *program, const char *device, const char *path) MUST_CHECK;

/*
 * Ask the wireguard-go behind `path` to end, if it is one that can be told for sure, by signal.
 * Returns whether it was asked.
 */
bool uapi_signal(const char *path, const char *program);

/* Wait until nobody listens at `path`.  -ETIMEDOUT. */
int uapi_wait_gone(const char *path) MUST_CHECK;

#endif
