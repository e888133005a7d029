/*
 * Reading lists by rtnetlink: addresses and routes of a device, addresses of the host.
 *
 * Lists of one device are filtered by the kernel where it can (NETLINK_GET_STRICT_CHK, since 4.20)
 * and by us in any case.  They go through a growing array on the heap, because the kernel does not
 * say how many will come, and start over when it says that its list changed meanwhile.
 *
 * A message of a list that cannot be read is passed over: it is of a kind that we do not know, and
 * no reason to lose the others.
 */
#include "smegd/kern/rtnl_priv.h"

#include "smegd/kern/collect_priv.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

/* What a dump is filtered by, and where it goes. */
struct dump {
	uint32_t index; /* 0: any */
	const char *device_prefix;
	void *array;
	size_t count;
	size_t cap;
	size_t each;
};

static void *dump_put(struct dump *d)
{
	if (mem_grow(&heap, &d->array, d->count, &d->cap, d->each))
		return NULL;
	return (char *)d->array + d->each * d->count++;
}

/* Ask until the answer is whole; what came before an interruption is dropped. */
static int dump_run(struct nl *nl,
                    const struct nlmsghdr *question,
                    nl_message_fn fn,
                    struct dump *d)
{
	struct nl_small b;
	int err = -EINTR;

	for (int i = 0; i < NL_TRIES && err == -EINTR; i++) {
		d->count = 0;
		memcpy(b.bytes, question, question->nlmsg_len);
		err = nl_ask(nl, (struct nlmsghdr *)b.bytes, fn, d);
	}
	return err;
}

static int on_device_address(const struct nlmsghdr *m, void *ctx)
{
	struct dump *d = ctx;
	struct rtnl_address a;
	struct address *kept;

	if (m->nlmsg_type != RTM_NEWADDR || rtnl_parse_address(m, &a))
		return 0;
	if (a.index != d->index || addr_is_link_local(&a.address.addr))
		return 0;
	kept = dump_put(d);
	if (!kept)
		return -ENOMEM;
	*kept = a.address;
	return 0;
}

static int on_device_route(const struct nlmsghdr *m, void *ctx)
{
	struct dump *d = ctx;
	struct rtnl_route r;
	struct route *kept;

	if (m->nlmsg_type != RTM_NEWROUTE || rtnl_parse_route(m, &r))
		return 0;
	if (r.index != d->index || r.protocol != ROUTE_PROTOCOL_SMEG || r.type != RTN_UNICAST ||
	    r.table != RT_TABLE_MAIN)
		return 0;
	kept = dump_put(d);
	if (!kept)
		return -ENOMEM;
	*kept = r.route;
	return 0;
}

static int read_addresses(struct nl *nl, uint32_t index, struct arena *arena, struct device *ret)
{
	struct dump d = { .index = index, .each = sizeof(struct address) };
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	struct ifaddrmsg *info = mnl_nlmsg_get_payload(m);
	int err;

	info->ifa_index = index;
	err = dump_run(nl, m, on_device_address, &d);
	if (!err) {
		ret->addresses = arena_dup(arena, d.array, d.count * d.each);
		ret->addresses_count = d.count;
		err = ret->addresses ? 0 : -ENOMEM;
	}
	mem_free(&heap, d.array);
	return err;
}

/* Routes of one family, added to those in `d`. */
static int read_routes_of(struct nl *nl, uint8_t family, struct dump *ret_d)
{
	struct dump d = { .index = ret_d->index, .each = ret_d->each };
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg));
	struct rtmsg *info = mnl_nlmsg_get_payload(m);
	struct route *kept;
	int err;

	info->rtm_family = family;
	info->rtm_table = RT_TABLE_MAIN;
	info->rtm_protocol = ROUTE_PROTOCOL_SMEG;
	info->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(m, RTA_OIF, d.index);
	err = dump_run(nl, m, on_device_route, &d);
	/* A table without any route is not there. */
	if (err == -ENOENT)
		err = 0;
	for (size_t i = 0; i < d.count && !err; i++) {
		kept = dump_put(ret_d);
		if (kept)
			*kept = ((struct route *)d.array)[i];
		err = kept ? 0 : -ENOMEM;
	}
	mem_free(&heap, d.array);
	return err;
}

static int read_routes(struct nl *nl, uint32_t index, struct arena *arena, struct device *ret)
{
	struct dump d = { .index = index, .each = sizeof(struct route) };
	int err = read_routes_of(nl, AF_INET6, &d);

	if (!err)
		err = read_routes_of(nl, AF_INET, &d);
	if (!err) {
		ret->routes = arena_dup(arena, d.array, d.count * d.each);
		ret->routes_count = d.count;
		err = ret->routes ? 0 : -ENOMEM;
	}
	mem_free(&heap, d.array);
	return err;
}

int rtnl_read(struct nl *nl, const struct rtnl_link *l, struct arena *arena, struct device *ret)
{
	int err;

	assert(l->index > 0);
	ret->up = l->flags & IFF_UP;
	ret->mtu = l->mtu;
	err = read_addresses(nl, l->index, arena, ret);
	return err ? err : read_routes(nl, l->index, arena, ret);
}

static int on_usable_link(const struct nlmsghdr *m, void *ctx)
{
	struct dump *d = ctx;
	struct rtnl_link l;
	uint32_t *kept;

	if (m->nlmsg_type != RTM_NEWLINK || rtnl_parse_link(m, &l) ||
	    !rtnl_link_is_usable(&l, d->device_prefix))
		return 0;
	kept = dump_put(d);
	if (!kept)
		return -ENOMEM;
	*kept = l.index;
	return 0;
}

static int on_usable_address(const struct nlmsghdr *m, void *ctx)
{
	struct dump *d = ctx;
	struct rtnl_address a;
	struct own_address *kept;

	if (m->nlmsg_type != RTM_NEWADDR || rtnl_parse_address(m, &a) ||
	    !rtnl_address_is_usable(&a))
		return 0;
	kept = dump_put(d);
	if (!kept)
		return -ENOMEM;
	*kept = (struct own_address){ .addr = a.address.addr,
		                      .bits = a.address.bits,
		                      .interface = a.index };
	return 0;
}

static bool dump_has_index(const struct dump *links, uint32_t index)
{
	for (size_t i = 0; i < links->count; i++) {
		if (((uint32_t *)links->array)[i] == index)
			return true;
	}
	return false;
}

/* Drop addresses of links that are not usable, and copy the rest. */
static int addresses_finish(const struct dump *links,
                            struct dump *found,
                            struct arena *arena,
                            struct own_address **ret)
{
	struct own_address *all = found->array;
	size_t kept = 0;

	for (size_t i = 0; i < found->count; i++) {
		if (dump_has_index(links, all[i].interface))
			all[kept++] = all[i];
	}
	found->count = kept;
	*ret = arena_dup(arena, all, kept * sizeof(*all));
	return *ret ? 0 : -ENOMEM;
}

int rtnl_addresses(struct nl *nl,
                   const char *device_prefix,
                   struct arena *arena,
                   struct own_address **ret,
                   size_t *count)
{
	struct dump links = { .device_prefix = device_prefix, .each = sizeof(uint32_t) };
	struct dump found = { .each = sizeof(struct own_address) };
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	int err;

	mnl_attr_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	err = dump_run(nl, m, on_usable_link, &links);
	if (!err) {
		m = nl_start(b.bytes, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
		err = dump_run(nl, m, on_usable_address, &found);
	}
	if (!err)
		err = addresses_finish(&links, &found, arena, ret);
	if (!err)
		*count = found.count;
	mem_free(&heap, links.array);
	mem_free(&heap, found.array);
	return err;
}
