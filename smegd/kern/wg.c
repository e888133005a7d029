/*
 * WireGuard of the kernel, by generic netlink.
 *
 * The family has a number of its own in each running kernel; asking for it by name also makes the
 * kernel load the module.  Whether we may use it is tried by reading a device whose name no device
 * can have: the kernel looks at permission before it looks for the device.  Making a device for a
 * trial was rejected, since other programs react to new devices.
 *
 * Buffers hold private keys and are wiped after each use.
 */
#include "smegd/kern/wg_priv.h"

#include "smegd/kern/common_priv.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <stdlib.h>
#include <string.h>

#define KIND "wireguard"
#define NO_DEVICE "/" /* never the name of a device */

struct wg {
	struct common common;
	struct nl genl;
	uint16_t family;
	void *request; /* NL_REQUEST_BYTES */
};

static int on_family(const struct nlmsghdr *m, void *ctx)
{
	return wg_parse_family(m, ctx);
}

static int family_find(struct nl *genl, uint16_t *ret_family)
{
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, GENL_ID_CTRL, 0, sizeof(struct genlmsghdr));
	struct genlmsghdr *head = mnl_nlmsg_get_payload(m);
	uint16_t family = 0;
	int err;

	head->cmd = CTRL_CMD_GETFAMILY;
	head->version = 1;
	mnl_attr_put_strz(m, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
	err = nl_ask(genl, m, on_family, &family);
	if (!err && family == 0)
		err = -ENOENT;
	if (!err)
		*ret_family = family;
	return err;
}

static int device_ask(
	struct nl *genl, uint16_t family, const char *name, nl_message_fn fn, void *ctx)
{
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, family, NLM_F_DUMP, sizeof(struct genlmsghdr));
	struct genlmsghdr *head = mnl_nlmsg_get_payload(m);

	head->cmd = WG_CMD_GET_DEVICE;
	head->version = WG_GENL_VERSION;
	mnl_attr_put_strz(m, WGDEVICE_A_IFNAME, name);
	return nl_ask(genl, m, fn, ctx);
}

int wg_available(void)
{
	struct nl genl;
	uint16_t family;
	int err = nl_open(&genl, NETLINK_GENERIC);

	if (err)
		return err;
	err = family_find(&genl, &family);
	if (!err)
		err = device_ask(&genl, family, NO_DEVICE, NULL, NULL);
	nl_fini(&genl);
	return err == -ENODEV ? 0 : err;
}

/* What a dump goes into. */
struct reading {
	struct device *device;
	struct collect collect;
};

static int on_device(const struct nlmsghdr *m, void *ctx)
{
	struct reading *r = ctx;

	return wg_parse(m, r->device, &r->collect);
}

static int wg_query(struct common *c, const char *name, struct arena *arena, struct device *ret)
{
	struct wg *wg = container_of(c, struct wg, common);
	struct reading r = { .device = ret };
	int err = -EINTR;

	collect_init(&r.collect, &heap);
	for (int i = 0; i < NL_TRIES && err == -EINTR; i++) {
		collect_reset(&r.collect);
		err = device_ask(&wg->genl, wg->family, name, on_device, &r);
	}
	nl_wipe(&wg->genl);
	if (!err)
		err = collect_finish(&r.collect, arena, ret);
	collect_fini(&r.collect);
	return err;
}

static int wg_link_add(struct common *c, const char *name, struct diag *diag)
{
	struct rtnl_link link;
	int err = rtnl_link_add(&c->rtnl, name, KIND);

	if (err != -EEXIST)
		return err;
	if (rtnl_link_get(&c->rtnl, name, &link) == 0 && strcmp(link.kind, KIND) == 0)
		return 0;
	diag_set(diag, err, "%s: there is another device of this name, not of WireGuard", name);
	diag_hint(diag, "see what it is: ip -details link show %s", name);
	return err;
}

static int wg_link_del(struct common *c, const struct rtnl_link *l)
{
	if (strcmp(l->kind, KIND) != 0)
		return -EOPNOTSUPP;
	return rtnl_link_del(&c->rtnl, l->index);
}

static int wg_configure(struct common *c, const char *name, const struct op *ops, size_t count)
{
	struct wg *wg = container_of(c, struct wg, common);
	struct wg_set set = { .family = wg->family, .name = name, .ops = ops, .count = count };
	struct nlmsghdr *m;
	int err = 0;

	while (!err) {
		m = wg_set_next(&set, wg->request, NL_REQUEST_BYTES);
		if (!m)
			break;
		err = nl_ask(&wg->genl, m, NULL, NULL);
	}
	explicit_bzero(wg->request, NL_REQUEST_BYTES);
	return err;
}

static void wg_free(struct kern *k)
{
	struct wg *wg;

	if (!k)
		return;
	wg = container_of(container_of(k, struct common, kern), struct wg, common);
	common_fini(&wg->common);
	nl_fini(&wg->genl);
	free(wg->request);
	free(wg);
}

static const struct backend_ops wg_ops = {
	.query = wg_query,
	.link_add = wg_link_add,
	.link_del = wg_link_del,
	.configure = wg_configure,
};

static const struct kern_vtable wg_vtable = {
	.name = "kernel",
	.read = common_read,
	.apply = common_apply,
	.addresses = common_addresses,
	.watch_fd = common_watch_fd,
	.watch_read = common_watch_read,
	.free = wg_free,
};

int wg_open(const struct kern_options *options, struct kern **ret)
{
	struct wg *wg = calloc(1, sizeof(*wg));
	int err;

	if (!wg)
		return -ENOMEM;
	wg->common.kern.v = &wg_vtable;
	wg->common.ops = &wg_ops;
	wg->request = calloc(1, NL_REQUEST_BYTES);
	err = wg->request ? common_open(&wg->common, options) : -ENOMEM;
	if (!err)
		err = nl_open(&wg->genl, NETLINK_GENERIC);
	if (!err)
		err = family_find(&wg->genl, &wg->family);
	if (err)
		wg_free(&wg->common.kern);
	else
		*ret = &wg->common.kern;
	return err;
}
