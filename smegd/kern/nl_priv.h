/*
 * One netlink socket: ask, and hear every message of the answer.
 */
#ifndef SMEG_SMEGD_KERN_NL_PRIV_H
#define SMEG_SMEGD_KERN_NL_PRIV_H

#include "base/defs.h"

#include <linux/netlink.h>
#include <stdalign.h>

#define NL_REQUEST_BYTES 16384u /* of any request */
#define NL_REPLY_BYTES 65536u   /* of one datagram; the kernel never fills more than 32 KiB */
#define NL_TIMEOUT_S 2          /* of one datagram */
#define NL_TRIES 8              /* of a dump that changes while it is read */

struct mnl_socket;

/* Room for any request but those of WireGuard. */
struct nl_small {
	alignas(struct nlmsghdr) uint8_t bytes[512];
};

struct nl {
	struct mnl_socket *sock;
	uint32_t port;
	uint32_t seq;
	void *reply; /* NL_REPLY_BYTES */
};

/* Called for each message of an answer.  0, or an error, which fails the request. */
typedef int (*nl_message_fn)(const struct nlmsghdr *m, void *ctx);

/* What is being waited for, and what came of it. */
struct nl_await {
	uint32_t seq;
	uint32_t port;
	nl_message_fn fn; /* may be NULL */
	void *ctx;
	int err; /* the first: the kernel's verdict, fn's, or ERR_MALFORMED */
	bool is_done;
	bool is_interrupted; /* the kernel's list changed in between: what was heard is useless */
};

/* `bus` is NETLINK_ROUTE or NETLINK_GENERIC. */
int nl_open(struct nl *ret_nl, int bus) MUST_CHECK;
void nl_fini(struct nl *nl);

/* An empty request with a fixed header of `header` zero bytes, at `buffer`. */
struct nlmsghdr *nl_start(void *buffer, uint16_t type, uint16_t flags, size_t header);

/*
 * Send `m` (NLM_F_REQUEST and a sequence number are filled in, NLM_F_ACK unless it is a dump) and
 * hand each message of the answer to `fn` (may be NULL).  Returns the kernel's verdict, or the
 * error of `fn`; -EINTR for a dump that was interrupted, and then all that `fn` has seen must be
 * dropped.
 */
int nl_ask(struct nl *nl, struct nlmsghdr *m, nl_message_fn fn, void *ctx) MUST_CHECK;

/* Wipe what was received: answers of WireGuard hold private keys. */
void nl_wipe(struct nl *nl);

/* A datagram of messages; any bytes, aligned as a message header. */
struct nl_datagram {
	const uint8_t *at;
	size_t left;
};

/* The next message, which lies within it: 1; 0 at the end; ERR_MALFORMED. */
int nl_next(struct nl_datagram *d, const struct nlmsghdr **ret_m) MUST_CHECK;

/*
 * One datagram: calls fn for messages that belong to the request, until it fails, and notes errors
 * and the end.  Takes any bytes.
 */
void nl_parse(const void *datagram, size_t bytes, struct nl_await *await);

/*
 * Sort attributes by type: table[t] for t <= max, the last of each type; others are passed over.
 * ERR_MALFORMED when lengths do not fit.
 */
int nl_attrs(const void *attrs, size_t bytes, const struct nlattr **table, uint16_t max) MUST_CHECK;

/* The attributes of `m` after a fixed header of `header` bytes; ERR_MALFORMED. */
int nl_message_attrs(const struct nlmsghdr *m,
                     size_t header,
                     const struct nlattr **table,
                     uint16_t max) MUST_CHECK;

/* Payloads of exactly that length, else `otherwise`.  `a` may be NULL. */
uint32_t nl_u32(const struct nlattr *a, uint32_t otherwise);
uint16_t nl_u16(const struct nlattr *a, uint16_t otherwise);
uint64_t nl_u64(const struct nlattr *a, uint64_t otherwise);

/* The text of `a`, cut to fit and terminated; "" when NULL. */
void nl_text(const struct nlattr *a, char *out, size_t cap);

#endif
