/*
 * From the bytes of kernel WireGuard's messages to plain structs.
 *
 * A device is told in several messages.  Only the first holds its settings; a peer whose allowed
 * IPs did not fit comes again, first in the next message, with nothing but its key and more of them
 * (include/uapi/linux/wireguard.h).  So a field that is absent is left as it is.
 *
 * Preshared keys are not ours and passed over.
 */
#include "smegd/kern/wg_priv.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/time_types.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <string.h>

/* For each attribute nested in `nest`. */
typedef int (*item_fn)(const struct nlattr *item, struct collect *collect);

static int for_each_item(const struct nlattr *nest, item_fn fn, struct collect *collect)
{
	const char *end = (const char *)mnl_attr_get_payload(nest) + mnl_attr_get_payload_len(nest);
	const struct nlattr *item = mnl_attr_get_payload(nest);
	int err = 0;

	while ((const char *)item < end && !err) {
		if (!mnl_attr_ok(item, (int)(end - (const char *)item)))
			return ERR_MALFORMED;
		err = fn(item, collect);
		item = mnl_attr_next(item);
	}
	return err;
}

static int nested(const struct nlattr *nest, const struct nlattr **table, uint16_t max)
{
	return nl_attrs(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), table, max);
}

static int parse_allowed(const struct nlattr *item, struct collect *collect)
{
	const struct nlattr *table[WGALLOWEDIP_A_MAX + 1];
	const struct nlattr *mask;
	const struct nlattr *ip;
	struct addr addr;
	unsigned bits;
	int err = nested(item, table, WGALLOWEDIP_A_MAX);

	if (err)
		return err;
	ip = table[WGALLOWEDIP_A_IPADDR];
	mask = table[WGALLOWEDIP_A_CIDR_MASK];
	if (!ip || !mask || mnl_attr_get_payload_len(mask) != 1)
		return ERR_MALFORMED;
	bits = mnl_attr_get_u8(mask);
	switch (nl_u16(table[WGALLOWEDIP_A_FAMILY], 0)) {
	case AF_INET:
		if (mnl_attr_get_payload_len(ip) != 4 || bits > 32)
			return ERR_MALFORMED;
		addr_from_v4(&addr, mnl_attr_get_payload(ip));
		return collect_allowed(collect, &addr, (uint8_t)(bits + 96));
	case AF_INET6:
		if (mnl_attr_get_payload_len(ip) != sizeof(addr.b) || bits > 128)
			return ERR_MALFORMED;
		memcpy(addr.b, mnl_attr_get_payload(ip), sizeof(addr.b));
		return collect_allowed(collect, &addr, (uint8_t)bits);
	default:
		return 0;
	}
}

static int parse_endpoint(const struct nlattr *a, struct wg_peer *peer)
{
	struct endpoint *e = &peer->endpoint;
	struct sockaddr_in6 in6;
	struct sockaddr_in in4;
	size_t bytes = mnl_attr_get_payload_len(a);

	if (bytes == sizeof(in4)) {
		memcpy(&in4, mnl_attr_get_payload(a), sizeof(in4));
		if (in4.sin_family != AF_INET)
			return ERR_MALFORMED;
		addr_from_v4(&e->addr, (const uint8_t *)&in4.sin_addr);
		e->port = ntohs(in4.sin_port);
	} else if (bytes == sizeof(in6)) {
		memcpy(&in6, mnl_attr_get_payload(a), sizeof(in6));
		if (in6.sin6_family != AF_INET6)
			return ERR_MALFORMED;
		memcpy(e->addr.b, &in6.sin6_addr, sizeof(e->addr.b));
		e->port = ntohs(in6.sin6_port);
		e->zone = addr_is_link_local(&e->addr) ? in6.sin6_scope_id : 0;
	} else {
		return ERR_MALFORMED;
	}
	peer->has_endpoint = true;
	return 0;
}

static int parse_handshake(const struct nlattr *a, struct wg_peer *peer)
{
	struct __kernel_timespec at;

	if (mnl_attr_get_payload_len(a) != sizeof(at))
		return ERR_MALFORMED;
	memcpy(&at, mnl_attr_get_payload(a), sizeof(at));
	if (at.tv_sec < 0 || at.tv_sec >= INT64_MAX / MS_PER_SECOND || at.tv_nsec < 0 ||
	    at.tv_nsec >= 1000000000)
		return ERR_MALFORMED;
	peer->handshake_ms = at.tv_sec * MS_PER_SECOND + at.tv_nsec / 1000000;
	return 0;
}

static int parse_peer(const struct nlattr *item, struct collect *collect)
{
	const struct nlattr *table[WGPEER_A_MAX + 1];
	const struct nlattr *a;
	struct wg_peer *peer;
	struct key key;
	int err = nested(item, table, WGPEER_A_MAX);

	if (err)
		return err;
	a = table[WGPEER_A_PUBLIC_KEY];
	if (!a || mnl_attr_get_payload_len(a) != sizeof(key.b))
		return ERR_MALFORMED;
	memcpy(key.b, mnl_attr_get_payload(a), sizeof(key.b));
	peer = collect_last(collect, &key);
	if (!peer)
		peer = collect_peer(collect, &key);
	if (!peer)
		return -ENOMEM;
	a = table[WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL];
	peer->keepalive_s = nl_u16(a, peer->keepalive_s);
	peer->rx_bytes = nl_u64(table[WGPEER_A_RX_BYTES], peer->rx_bytes);
	peer->tx_bytes = nl_u64(table[WGPEER_A_TX_BYTES], peer->tx_bytes);
	if (table[WGPEER_A_ENDPOINT])
		err = parse_endpoint(table[WGPEER_A_ENDPOINT], peer);
	if (!err && table[WGPEER_A_LAST_HANDSHAKE_TIME])
		err = parse_handshake(table[WGPEER_A_LAST_HANDSHAKE_TIME], peer);
	if (!err && table[WGPEER_A_ALLOWEDIPS])
		err = for_each_item(table[WGPEER_A_ALLOWEDIPS], parse_allowed, collect);
	return err;
}

static int parse_private_key(const struct nlattr *a, struct device *device)
{
	static const uint8_t none[KEY_BYTES];

	if (mnl_attr_get_payload_len(a) != KEY_BYTES)
		return ERR_MALFORMED;
	memcpy(device->private_key, mnl_attr_get_payload(a), KEY_BYTES);
	device->has_private_key = memcmp(device->private_key, none, KEY_BYTES) != 0;
	return 0;
}

int wg_parse(const struct nlmsghdr *m, struct device *device, struct collect *collect)
{
	const struct nlattr *table[WGDEVICE_A_MAX + 1];
	int err = nl_message_attrs(m, sizeof(struct genlmsghdr), table, WGDEVICE_A_MAX);

	if (err)
		return err;
	device->listen_port = nl_u16(table[WGDEVICE_A_LISTEN_PORT], device->listen_port);
	if (table[WGDEVICE_A_PRIVATE_KEY])
		err = parse_private_key(table[WGDEVICE_A_PRIVATE_KEY], device);
	if (!err && table[WGDEVICE_A_PEERS])
		err = for_each_item(table[WGDEVICE_A_PEERS], parse_peer, collect);
	return err;
}

int wg_parse_family(const struct nlmsghdr *m, uint16_t *ret_family)
{
	const struct nlattr *table[CTRL_ATTR_MAX + 1];
	int err = nl_message_attrs(m, sizeof(struct genlmsghdr), table, CTRL_ATTR_MAX);
	uint16_t family;

	if (err)
		return err;
	family = nl_u16(table[CTRL_ATTR_FAMILY_ID], 0);
	if (family < NLMSG_MIN_TYPE)
		return ERR_MALFORMED;
	*ret_family = family;
	return 0;
}
