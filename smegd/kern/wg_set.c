/*
 * From operations of device and peers to WG_CMD_SET_DEVICE messages.
 *
 * A message takes as many operations as fit, in order.  The kernel looks at a message's device
 * settings before its peers, so a device setting after a peer starts a new message.
 *
 * A peer whose allowed IPs do not fit goes on in the next message with its key and the rest of
 * them. Then WGPEER_F_REPLACE_ALLOWEDIPS must not come again, which would empty the list, and
 * WGPEER_F_UPDATE_ONLY always does: the peer was there a message ago, and if somebody has removed
 * it in between it stays so.
 *
 * A setting that is not in an operation is not in the message, and the kernel keeps what it has: an
 * endpoint that it learned by roaming above all.
 */
#include "smegd/kern/wg_priv.h"

#include <assert.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <string.h>

/* What became of an operation. */
enum put {
	PUT_ALL,
	PUT_SOME,
	PUT_NOTHING
};

static bool put_endpoint(struct nlmsghdr *m, size_t cap, const struct endpoint *e)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(e->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		                    .sin6_port = htons(e->port),
		                    .sin6_scope_id = e->zone };

	if (addr_is_v4(&e->addr)) {
		memcpy(&in4.sin_addr, e->addr.b + 12, sizeof(in4.sin_addr));
		return mnl_attr_put_check(m, cap, WGPEER_A_ENDPOINT, sizeof(in4), &in4);
	}
	memcpy(&in6.sin6_addr, e->addr.b, sizeof(in6.sin6_addr));
	return mnl_attr_put_check(m, cap, WGPEER_A_ENDPOINT, sizeof(in6), &in6);
}

static bool put_allowed(struct nlmsghdr *m, size_t cap, const struct prefix *p)
{
	bool v4 = addr_is_v4(&p->addr) && p->bits >= 96;
	size_t skip = v4 ? 12 : 0;
	struct nlattr *nest = mnl_attr_nest_start_check(m, cap, 0);
	bool ok;

	if (!nest)
		return false;
	ok = mnl_attr_put_u16_check(m, cap, WGALLOWEDIP_A_FAMILY, v4 ? AF_INET : AF_INET6) &&
	     mnl_attr_put_check(m, cap, WGALLOWEDIP_A_IPADDR, sizeof(p->addr.b) - skip,
	                        p->addr.b + skip) &&
	     mnl_attr_put_u8_check(m, cap, WGALLOWEDIP_A_CIDR_MASK,
	                           (uint8_t)(p->bits - (v4 ? 96 : 0)));
	if (ok)
		mnl_attr_nest_end(m, nest);
	else
		mnl_attr_nest_cancel(m, nest);
	return ok;
}

/* As many of the allowed IPs as fit; true if none is left. */
static bool put_allowed_list(struct wg_set *s, struct nlmsghdr *m, size_t cap)
{
	const struct op *op = &s->ops[s->next];
	struct nlattr *nest;

	if (op->kind == OP_PEER_DEL || s->allowed_done == op->peer.allowed_count)
		return true;
	nest = mnl_attr_nest_start_check(m, cap, WGPEER_A_ALLOWEDIPS);
	if (!nest)
		return false;
	while (s->allowed_done < op->peer.allowed_count &&
	       put_allowed(m, cap, &op->peer.allowed[s->allowed_done]))
		s->allowed_done++;
	mnl_attr_nest_end(m, nest);
	return s->allowed_done == op->peer.allowed_count;
}

static uint32_t peer_flags(const struct wg_set *s, const struct op *op)
{
	uint32_t flags = 0;

	if (op->kind == OP_PEER_DEL)
		return WGPEER_F_REMOVE_ME;
	if (!op->peer.create || s->is_continued)
		flags |= WGPEER_F_UPDATE_ONLY;
	if (op->peer.replace_allowed && !s->is_continued)
		flags |= WGPEER_F_REPLACE_ALLOWEDIPS;
	return flags;
}

/* Key and settings of a peer; only the key and flags where it is continued. */
static bool put_peer_head(struct wg_set *s, struct nlmsghdr *m, size_t cap)
{
	const struct op *op = &s->ops[s->next];
	bool has_settings = op->kind == OP_PEER_SET && !s->is_continued;
	uint32_t flags = peer_flags(s, op);
	const struct key *key = &op->peer.key;

	if (!mnl_attr_put_check(m, cap, WGPEER_A_PUBLIC_KEY, sizeof(key->b), key->b))
		return false;
	if (flags && !mnl_attr_put_u32_check(m, cap, WGPEER_A_FLAGS, flags))
		return false;
	if (has_settings && op->peer.set_endpoint && !put_endpoint(m, cap, &op->peer.endpoint))
		return false;
	if (has_settings && op->peer.set_keepalive)
		return mnl_attr_put_u16_check(m, cap, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL,
		                              op->peer.keepalive_s);
	return true;
}

static enum put put_peer(struct wg_set *s, struct nlmsghdr *m, size_t cap)
{
	struct nlattr *nest = mnl_attr_nest_start_check(m, cap, 0);
	bool is_all;

	if (!nest)
		return PUT_NOTHING;
	if (!put_peer_head(s, m, cap)) {
		mnl_attr_nest_cancel(m, nest);
		return PUT_NOTHING;
	}
	is_all = put_allowed_list(s, m, cap);
	mnl_attr_nest_end(m, nest);
	return is_all ? PUT_ALL : PUT_SOME;
}

static enum put put_device(const struct wg_set *s, struct nlmsghdr *m, size_t cap)
{
	const struct op *op = &s->ops[s->next];
	bool ok;

	if (op->kind == OP_DEVICE_KEY)
		ok = mnl_attr_put_check(m, cap, WGDEVICE_A_PRIVATE_KEY, KEY_BYTES, op->private_key);
	else
		ok = mnl_attr_put_u16_check(m, cap, WGDEVICE_A_LISTEN_PORT, op->port);
	return ok ? PUT_ALL : PUT_NOTHING;
}

/* One operation more into `m`, which has `peers` open or not. */
static enum put put_op(struct wg_set *s, struct nlmsghdr *m, size_t cap, struct nlattr **peers)
{
	const struct op *op = &s->ops[s->next];

	if (op->kind == OP_DEVICE_KEY || op->kind == OP_DEVICE_PORT)
		return *peers ? PUT_NOTHING : put_device(s, m, cap);
	assert(op->kind == OP_PEER_SET || op->kind == OP_PEER_DEL);
	if (!*peers)
		*peers = mnl_attr_nest_start_check(m, cap, WGDEVICE_A_PEERS);
	return *peers ? put_peer(s, m, cap) : PUT_NOTHING;
}

struct nlmsghdr *wg_set_next(struct wg_set *s, void *buffer, size_t cap)
{
	struct nlmsghdr *m;
	struct genlmsghdr *head;
	struct nlattr *peers = NULL;
	enum put put = PUT_ALL;
	size_t before = s->next;
	size_t allowed_before = s->allowed_done;

	assert(cap >= WG_SET_BYTES_MIN);
	if (s->next == s->count)
		return NULL;
	m = nl_start(buffer, s->family, 0, sizeof(*head));
	head = mnl_nlmsg_get_payload(m);
	head->cmd = WG_CMD_SET_DEVICE;
	head->version = WG_GENL_VERSION;
	mnl_attr_put_strz(m, WGDEVICE_A_IFNAME, s->name);
	while (s->next < s->count && put == PUT_ALL) {
		put = put_op(s, m, cap, &peers);
		s->is_continued = put == PUT_SOME || (put == PUT_NOTHING && s->is_continued);
		if (put == PUT_ALL) {
			s->next++;
			s->allowed_done = 0;
		}
	}
	if (peers)
		mnl_attr_nest_end(m, peers);
	/* Each message takes something on, or this would never end. */
	assert(s->next > before || s->allowed_done > allowed_before || s->is_continued);
	return m;
}
