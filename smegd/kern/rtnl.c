/*
 * Links by rtnetlink, and single operations on them.
 *
 * A link is found by its name at each read and apply, and never remembered: it may be deleted and
 * made again at any time, with another index.
 *
 * Whether we may change anything is asked with a request that names no link: the kernel looks at
 * permission first and finds the request invalid after.  Looking at our own capabilities was
 * rejected: inside a user namespace they say nothing of the network namespace we are in.
 */
#include "smegd/kern/rtnl_priv.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

static int on_link(const struct nlmsghdr *m, void *ctx)
{
	return m->nlmsg_type == RTM_NEWLINK ? rtnl_parse_link(m, ctx) : 0;
}

int rtnl_link_get(struct nl *nl, const char *name, struct rtnl_link *ret)
{
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	int err;

	mnl_attr_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	mnl_attr_put_strz(m, IFLA_IFNAME, name);
	*ret = (struct rtnl_link){ .index = 0 };
	err = nl_ask(nl, m, on_link, ret);
	if (err)
		return err;
	/* The kernel also finds links by their alternative names. */
	return ret->index > 0 && strcmp(ret->name, name) == 0 ? 0 : -ENODEV;
}

int rtnl_link_add(struct nl *nl, const char *name, const char *kind)
{
	struct nl_small b;
	struct nlmsghdr *m =
		nl_start(b.bytes, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	struct nlattr *nest;

	mnl_attr_put_strz(m, IFLA_IFNAME, name);
	nest = mnl_attr_nest_start(m, IFLA_LINKINFO);
	mnl_attr_put_strz(m, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(m, nest);
	return nl_ask(nl, m, NULL, NULL);
}

int rtnl_link_plain(struct nl *nl, uint32_t index)
{
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, RTM_SETLINK, 0, sizeof(struct ifinfomsg));
	struct ifinfomsg *info = mnl_nlmsg_get_payload(m);
	struct nlattr *outer;
	struct nlattr *inner;

	info->ifi_index = (int)index;
	outer = mnl_attr_nest_start(m, IFLA_AF_SPEC);
	inner = mnl_attr_nest_start(m, AF_INET6);
	mnl_attr_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(m, inner);
	mnl_attr_nest_end(m, outer);
	return nl_ask(nl, m, NULL, NULL);
}

int rtnl_link_del(struct nl *nl, uint32_t index)
{
	return rtnl_apply(nl, &(struct op){ .kind = OP_LINK_DEL }, index);
}

int rtnl_apply(struct nl *nl, const struct op *op, uint32_t index)
{
	struct nl_small b;
	int err = nl_ask(nl, rtnl_request(b.bytes, op, index), NULL, NULL);

	switch (op->kind) {
	case OP_ADDRESS_ADD:
	case OP_ROUTE_ADD:
		return err == -EEXIST ? 0 : err;
	case OP_LINK_DEL:
	case OP_ADDRESS_DEL:
	case OP_ROUTE_DEL:
		return err == -ENODEV || err == -EADDRNOTAVAIL || err == -ESRCH ? 0 : err;
	default:
		return err;
	}
}

int rtnl_permitted(struct nl *nl)
{
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, RTM_SETLINK, 0, sizeof(struct ifinfomsg));
	int err = nl_ask(nl, m, NULL, NULL);

	return err == -EPERM || err == -EACCES ? -EPERM : 0;
}
