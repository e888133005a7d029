/*
 * One netlink socket: ask, and hear every message of the answer.
 *
 * Every request that is not a dump asks for an acknowledgement, so that every answer has an end: an
 * NLMSG_ERROR (which may say 0) or, for dumps, NLMSG_DONE.  Datagrams of an earlier request that
 * was given up are told by their sequence number and passed over; those that do not come from the
 * kernel by their sender.
 *
 * libmnl's mnl_cb_run() was rejected for the loop: it reports through errno, ends silently at a
 * message whose length does not fit, and treats an interrupted dump as an error of its own before
 * the dump has been drained.  Its mnl_nlmsg_ok() takes a length above 2 GiB for a negative one, and
 * so for good (the fuzzer found it).  Its accessors are used throughout.
 *
 * NETLINK_CAP_ACK keeps the kernel from repeating our request, and with it a private key, in its
 * answer.  NETLINK_GET_STRICT_CHK lets it filter dumps: a router may hold a million routes.
 */
#include "smegd/kern/nl_priv.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ERRNO_MAX 4095 /* MAX_ERRNO of the kernel */

static int nl_setup(struct nl *nl)
{
	const struct timeval timeout = { .tv_sec = NL_TIMEOUT_S };
	int fd = mnl_socket_get_fd(nl->sock);
	int on = 1;

	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	nl->port = mnl_socket_get_portid(nl->sock);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	/* Both are refinements that old kernels lack. */
	mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->sock, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return 0;
}

int nl_open(struct nl *ret_nl, int bus)
{
	struct nl nl = { .seq = 0 };
	int err;

	nl.reply = calloc(1, NL_REPLY_BYTES);
	if (!nl.reply)
		return -ENOMEM;
	nl.sock = mnl_socket_open2(bus, SOCK_CLOEXEC);
	err = nl.sock ? nl_setup(&nl) : -errno;
	if (err) {
		nl_fini(&nl);
		return err;
	}
	*ret_nl = nl;
	return 0;
}

void nl_fini(struct nl *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	if (nl->reply)
		nl_wipe(nl);
	free(nl->reply);
	*nl = (struct nl){ .seq = 0 };
}

void nl_wipe(struct nl *nl)
{
	explicit_bzero(nl->reply, NL_REPLY_BYTES);
}

struct nlmsghdr *nl_start(void *buffer, uint16_t type, uint16_t flags, size_t header)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);

	m->nlmsg_type = type;
	m->nlmsg_flags = flags;
	mnl_nlmsg_put_extra_header(m, header);
	return m;
}

/* The verdict in an NLMSG_ERROR or NLMSG_DONE; an empty NLMSG_DONE is a good one. */
static int nl_verdict(const struct nlmsghdr *m)
{
	int32_t err = 0;

	if (mnl_nlmsg_get_payload_len(m) >= sizeof(err))
		memcpy(&err, mnl_nlmsg_get_payload(m), sizeof(err));
	else if (m->nlmsg_type == NLMSG_ERROR)
		return ERR_MALFORMED;
	return err <= 0 && err >= -ERRNO_MAX ? err : ERR_MALFORMED;
}

/* Only the first error counts; after it nothing is handed on, but the end is still waited for. */
static void nl_fail(struct nl_await *await, int err)
{
	if (await->err == 0)
		await->err = err;
	await->fn = NULL;
}

static void nl_message(const struct nlmsghdr *m, struct nl_await *await)
{
	int err = 0;

	if (m->nlmsg_flags & NLM_F_DUMP_INTR)
		await->is_interrupted = true;
	if (m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE) {
		await->is_done = true;
		err = nl_verdict(m);
	} else if (m->nlmsg_type >= NLMSG_MIN_TYPE && await->fn) {
		err = await->fn(m, await->ctx);
	}
	if (err)
		nl_fail(await, err);
}

int nl_next(struct nl_datagram *d, const struct nlmsghdr **ret_m)
{
	const struct nlmsghdr *m = (const struct nlmsghdr *)(const void *)d->at;
	size_t bytes;

	if (d->left == 0)
		return 0;
	if (d->left < sizeof(*m) || m->nlmsg_len < sizeof(*m) || m->nlmsg_len > d->left)
		return ERR_MALFORMED;
	/* The last one may lack its padding. */
	bytes = ((size_t)m->nlmsg_len + MNL_ALIGNTO - 1) / MNL_ALIGNTO * MNL_ALIGNTO;
	bytes = MIN_OF(bytes, d->left);
	d->at += bytes;
	d->left -= bytes;
	*ret_m = m;
	return 1;
}

void nl_parse(const void *datagram, size_t bytes, struct nl_await *await)
{
	struct nl_datagram d = { .at = datagram, .left = bytes };
	const struct nlmsghdr *m;
	int some = 1;

	while (!await->is_done && some == 1) {
		some = nl_next(&d, &m);
		if (some == 1 && m->nlmsg_seq == await->seq && m->nlmsg_pid == await->port)
			nl_message(m, await);
	}
	if (some < 0)
		nl_fail(await, some);
}

/* One datagram from the kernel into nl->reply; its length, or an error. */
static ssize_t nl_receive(struct nl *nl)
{
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	struct iovec part = { .iov_base = nl->reply, .iov_len = NL_REPLY_BYTES };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1
	};
	ssize_t got;

	do {
		got = recvmsg(mnl_socket_get_fd(nl->sock), &msg, 0);
	} while ((got < 0 && errno == EINTR) || (got >= 0 && from.nl_pid != 0));
	if (got < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (msg.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	return got;
}

int nl_ask(struct nl *nl, struct nlmsghdr *m, nl_message_fn fn, void *ctx)
{
	struct nl_await await = { .seq = ++nl->seq, .port = nl->port, .fn = fn, .ctx = ctx };
	bool is_dump = (m->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	ssize_t got;

	assert(m->nlmsg_len <= NL_REQUEST_BYTES);
	m->nlmsg_flags |= (uint16_t)(NLM_F_REQUEST | (is_dump ? 0 : NLM_F_ACK));
	m->nlmsg_seq = await.seq;
	if (mnl_socket_sendto(nl->sock, m, m->nlmsg_len) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	while (!await.is_done) {
		got = nl_receive(nl);
		if (got < 0)
			return (int)got;
		nl_parse(nl->reply, (size_t)got, &await);
	}
	return await.err == 0 && await.is_interrupted ? -EINTR : await.err;
}

int nl_attrs(const void *attrs, size_t bytes, const struct nlattr **table, uint16_t max)
{
	const char *end = (const char *)attrs + bytes;
	const struct nlattr *a = attrs;
	uint16_t type;

	memset(table, 0, (max + 1u) * sizeof(*table));
	while ((const char *)a < end) {
		if (!mnl_attr_ok(a, (int)(end - (const char *)a)))
			return ERR_MALFORMED;
		type = mnl_attr_get_type(a);
		if (type <= max)
			table[type] = a;
		a = mnl_attr_next(a);
	}
	return 0;
}

int nl_message_attrs(const struct nlmsghdr *m,
                     size_t header,
                     const struct nlattr **table,
                     uint16_t max)
{
	size_t bytes = mnl_nlmsg_get_payload_len(m);

	if (bytes < header)
		return ERR_MALFORMED;
	header = (header + MNL_ALIGNTO - 1) / MNL_ALIGNTO * MNL_ALIGNTO;
	header = MIN_OF(header, bytes);
	return nl_attrs((const char *)mnl_nlmsg_get_payload(m) + header, bytes - header, table,
	                max);
}

uint32_t nl_u32(const struct nlattr *a, uint32_t otherwise)
{
	if (!a || mnl_attr_get_payload_len(a) != sizeof(uint32_t))
		return otherwise;
	return mnl_attr_get_u32(a);
}

uint16_t nl_u16(const struct nlattr *a, uint16_t otherwise)
{
	if (!a || mnl_attr_get_payload_len(a) != sizeof(uint16_t))
		return otherwise;
	return mnl_attr_get_u16(a);
}

uint64_t nl_u64(const struct nlattr *a, uint64_t otherwise)
{
	if (!a || mnl_attr_get_payload_len(a) != sizeof(uint64_t))
		return otherwise;
	return mnl_attr_get_u64(a);
}

void nl_text(const struct nlattr *a, char *out, size_t cap)
{
	size_t bytes = a ? mnl_attr_get_payload_len(a) : 0;

	assert(cap > 0);
	bytes = MIN_OF(bytes, cap - 1);
	if (bytes > 0)
		memcpy(out, mnl_attr_get_payload(a), bytes);
	out[bytes] = 0;
}
