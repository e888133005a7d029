/*
 * From operations on links, addresses and routes to the bytes of rtnetlink requests.
 *
 * What a request does not name the kernel leaves alone; so each names just what its operation says.
 * Three choices are not obvious:
 *
 * Addresses come without IFA_F_* defaults: no duplicate detection (a WireGuard link cannot carry
 * it, and the address would be tentative for a second) and no prefix route (its metric and protocol
 * would be the kernel's, and it would look like a route of somebody else).
 *
 * Routes are appended.  NLM_F_EXCL would fail beside a foreign route to the same prefix on another
 * link, NLM_F_REPLACE would take that one away, and with neither an IPv4 route would go before it.
 *
 * A route that is deleted is named with its protocol and its metric, written out where it is the
 * default, so that none but ours can match.
 */
#include "smegd/kern/rtnl_priv.h"

#include <assert.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#define METRIC_DEFAULT_V6 1024u /* IP6_RT_PRIO_USER of the kernel */
#define V4_AT 12                /* of a v4-mapped address */

static bool is_v4(const struct addr *a, uint8_t bits)
{
	return addr_is_v4(a) && bits >= 96;
}

static void put_addr(struct nlmsghdr *m, uint16_t type, const struct addr *a, bool v4)
{
	if (v4)
		mnl_attr_put(m, type, sizeof(a->b) - V4_AT, a->b + V4_AT);
	else
		mnl_attr_put(m, type, sizeof(a->b), a->b);
}

static struct nlmsghdr *request_link(void *buffer, const struct op *op, uint32_t index)
{
	bool is_del = op->kind == OP_LINK_DEL;
	struct nlmsghdr *m =
		nl_start(buffer, is_del ? RTM_DELLINK : RTM_SETLINK, 0, sizeof(struct ifinfomsg));
	struct ifinfomsg *info = mnl_nlmsg_get_payload(m);

	info->ifi_index = (int)index;
	if (op->kind == OP_LINK_MTU)
		mnl_attr_put_u32(m, IFLA_MTU, op->mtu);
	if (op->kind == OP_LINK_UP) {
		info->ifi_flags = IFF_UP;
		info->ifi_change = IFF_UP;
	}
	return m;
}

static struct nlmsghdr *request_address(void *buffer, const struct op *op, uint32_t index)
{
	bool is_del = op->kind == OP_ADDRESS_DEL;
	bool v4 = is_v4(&op->address.addr, op->address.bits);
	struct nlmsghdr *m =
		nl_start(buffer, is_del ? RTM_DELADDR : RTM_NEWADDR,
	                 is_del ? 0 : NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifaddrmsg));
	struct ifaddrmsg *info = mnl_nlmsg_get_payload(m);

	info->ifa_family = v4 ? AF_INET : AF_INET6;
	info->ifa_prefixlen = (uint8_t)(op->address.bits - (v4 ? 96 : 0));
	info->ifa_scope = RT_SCOPE_UNIVERSE;
	info->ifa_index = index;
	put_addr(m, IFA_LOCAL, &op->address.addr, v4);
	put_addr(m, IFA_ADDRESS, &op->address.addr, v4);
	if (!is_del)
		mnl_attr_put_u32(m, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
	return m;
}

static struct nlmsghdr *request_route(void *buffer, const struct op *op, uint32_t index)
{
	bool is_del = op->kind == OP_ROUTE_DEL;
	bool v4 = is_v4(&op->route.to.addr, op->route.to.bits);
	uint32_t metric = op->route.metric;
	struct nlmsghdr *m =
		nl_start(buffer, is_del ? RTM_DELROUTE : RTM_NEWROUTE,
	                 is_del ? 0 : NLM_F_CREATE | NLM_F_APPEND, sizeof(struct rtmsg));
	struct rtmsg *info = mnl_nlmsg_get_payload(m);

	if (metric == 0 && !v4)
		metric = METRIC_DEFAULT_V6;
	info->rtm_family = v4 ? AF_INET : AF_INET6;
	info->rtm_dst_len = (uint8_t)(op->route.to.bits - (v4 ? 96 : 0));
	info->rtm_table = RT_TABLE_MAIN;
	info->rtm_protocol = ROUTE_PROTOCOL_SMEG;
	info->rtm_scope = v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	info->rtm_type = RTN_UNICAST;
	put_addr(m, RTA_DST, &op->route.to.addr, v4);
	mnl_attr_put_u32(m, RTA_OIF, index);
	if (metric > 0)
		mnl_attr_put_u32(m, RTA_PRIORITY, metric);
	return m;
}

struct nlmsghdr *rtnl_request(void *buffer, const struct op *op, uint32_t index)
{
	assert(index > 0);
	switch (op->kind) {
	case OP_LINK_DEL:
	case OP_LINK_MTU:
	case OP_LINK_UP:
		return request_link(buffer, op, index);
	case OP_ADDRESS_ADD:
	case OP_ADDRESS_DEL:
		return request_address(buffer, op, index);
	case OP_ROUTE_ADD:
	case OP_ROUTE_DEL:
		return request_route(buffer, op, index);
	default:
		break;
	}
	assert(!"an operation of links, addresses or routes");
	return NULL;
}
