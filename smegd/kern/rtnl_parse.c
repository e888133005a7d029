/*
 * From the bytes of rtnetlink messages to plain structs.
 *
 * The bytes come from the kernel, which is trusted, but of any version: what is missing gets the
 * value that an older kernel meant by not sending it, and what does not fit is ERR_MALFORMED, never
 * an assertion.  Addresses of IPv4 become v4-mapped here and prefix lengths count within 128.
 *
 * An address on a point-to-point link has the other end in IFA_ADDRESS and our own in IFA_LOCAL;
 * else IPv6 sends IFA_ADDRESS only.  So IFA_LOCAL wins where it is there, for both families.
 */
#include "smegd/kern/rtnl_priv.h"

#include "base/err.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#define METRIC_DEFAULT_V6 1024u /* IP6_RT_PRIO_USER of the kernel */

/* Links of these kinds lead to a peer chosen by somebody, not to a network that others share. */
static const char *const tunnel_kinds[] = { "wireguard", "tun", "ipip", "ip6tnl", "gre",
	                                    "ip6gre",    "vti", "vti6", "xfrm" };

int rtnl_parse_link(const struct nlmsghdr *m, struct rtnl_link *ret)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(m);
	const struct nlattr *table[IFLA_MAX + 1];
	const struct nlattr *nested[IFLA_INFO_MAX + 1];
	int err = nl_message_attrs(m, sizeof(*info), table, IFLA_MAX);

	if (err)
		return err;
	*ret = (struct rtnl_link){ .index = (uint32_t)info->ifi_index,
		                   .flags = info->ifi_flags,
		                   .change = info->ifi_change,
		                   .mtu = nl_u32(table[IFLA_MTU], 0) };
	nl_text(table[IFLA_IFNAME], ret->name, sizeof(ret->name));
	if (!table[IFLA_LINKINFO])
		return 0;
	err = nl_attrs(mnl_attr_get_payload(table[IFLA_LINKINFO]),
	               mnl_attr_get_payload_len(table[IFLA_LINKINFO]), nested, IFLA_INFO_MAX);
	if (!err)
		nl_text(nested[IFLA_INFO_KIND], ret->kind, sizeof(ret->kind));
	return err;
}

/* An address of `family` in `a` (NULL: all zero), with `bits` within its own family. */
static int read_address(uint8_t family, const struct nlattr *a, uint8_t bits, struct address *ret)
{
	static const uint8_t zero[16];
	const void *bytes = a ? mnl_attr_get_payload(a) : zero;
	size_t count = family == AF_INET ? 4 : sizeof(ret->addr.b);

	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	if ((a && mnl_attr_get_payload_len(a) != count) || bits > count * 8)
		return ERR_MALFORMED;
	if (family == AF_INET) {
		addr_from_v4(&ret->addr, bytes);
		bits = (uint8_t)(bits + 96);
	} else {
		memcpy(ret->addr.b, bytes, count);
	}
	ret->bits = bits;
	return 0;
}

int rtnl_parse_address(const struct nlmsghdr *m, struct rtnl_address *ret)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(m);
	const struct nlattr *table[IFA_MAX + 1];
	const struct nlattr *own;
	int err = nl_message_attrs(m, sizeof(*info), table, IFA_MAX);

	if (err)
		return err;
	own = table[IFA_LOCAL] ? table[IFA_LOCAL] : table[IFA_ADDRESS];
	if (!own)
		return ERR_MALFORMED;
	*ret = (struct rtnl_address){ .index = info->ifa_index,
		                      .flags = nl_u32(table[IFA_FLAGS], info->ifa_flags),
		                      .scope = info->ifa_scope };
	return read_address(info->ifa_family, own, info->ifa_prefixlen, &ret->address);
}

int rtnl_parse_route(const struct nlmsghdr *m, struct rtnl_route *ret)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(m);
	const struct nlattr *table[RTA_MAX + 1];
	struct address to;
	uint32_t metric;
	int err = nl_message_attrs(m, sizeof(*info), table, RTA_MAX);

	if (!err)
		err = read_address(info->rtm_family, table[RTA_DST], info->rtm_dst_len, &to);
	if (err)
		return err;
	metric = nl_u32(table[RTA_PRIORITY], 0);
	if (info->rtm_family == AF_INET6 && metric == METRIC_DEFAULT_V6)
		metric = 0;
	*ret = (struct rtnl_route){ .index = nl_u32(table[RTA_OIF], 0),
		                    .table = nl_u32(table[RTA_TABLE], info->rtm_table),
		                    .protocol = info->rtm_protocol,
		                    .type = info->rtm_type,
		                    .route = { .metric = metric } };
	prefix_make(&ret->route.to, &to.addr, to.bits);
	return 0;
}

bool rtnl_link_is_usable(const struct rtnl_link *l, const char *device_prefix)
{
	if (!(l->flags & IFF_UP) || (l->flags & IFF_LOOPBACK))
		return false;
	if (strncmp(l->name, device_prefix, strlen(device_prefix)) == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(tunnel_kinds); i++) {
		if (strcmp(l->kind, tunnel_kinds[i]) == 0)
			return false;
	}
	return true;
}

bool rtnl_address_is_usable(const struct rtnl_address *a)
{
	const struct addr *addr = &a->address.addr;
	uint32_t unfit = IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED;

	/* The bit of a temporary address means a secondary one in IPv4, which is as good as any. */
	if (!addr_is_v4(addr))
		unfit |= IFA_F_TEMPORARY;
	/* An optimistic address may be used although it is tentative. */
	if (a->flags & IFA_F_OPTIMISTIC)
		unfit &= ~(uint32_t)IFA_F_TENTATIVE;
	return a->scope == RT_SCOPE_UNIVERSE && !(a->flags & unfit) && !addr_is_zero(addr) &&
	       !addr_is_loopback(addr) && !addr_is_link_local(addr) && !addr_is_multicast(addr);
}
