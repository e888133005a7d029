/*
 * What the backends share: rtnetlink, news, and the order in which a plan is carried out.
 *
 * Operations of device and peers that follow each other go to WireGuard together, since a mesh of
 * thousands is thousands of them.  When such a run fails, some may have been carried out; as all
 * are idempotent, the run is done again one by one, and the one that fails is named exactly.
 * Sending each alone from the start was rejected: over the socket of wireguard-go it is a
 * connection each.
 *
 * A device is looked up once for each apply, and again after its link was made or removed.
 */
#include "smegd/kern/common_priv.h"

#include "smegd/kern/words_priv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* A plan under way. */
struct job {
	struct common *c;
	const char *name;
	struct rtnl_link link; /* index 0: not looked up, or not there */
	struct diag *diag;
};

int common_open(struct common *c, const struct kern_options *options)
{
	int err;

	assert(strlen(options->device_prefix) < sizeof(c->device_prefix));
	strcpy(c->device_prefix, options->device_prefix);
	err = nl_open(&c->rtnl, NETLINK_ROUTE);
	return err ? err : watch_open(&c->watch, c->device_prefix);
}

void common_fini(struct common *c)
{
	watch_fini(&c->watch);
	nl_fini(&c->rtnl);
}

static int device_read(struct common *c,
                       const struct rtnl_link *l,
                       struct arena *arena,
                       struct device *ret)
{
	int err = c->ops->query(c, l->name, arena, ret);

	if (err == -EOPNOTSUPP) {
		ret->foreign = true;
		return 0;
	}
	if (!err)
		err = rtnl_read(&c->rtnl, l, arena, ret);
	ret->exists = !err;
	return err;
}

int common_read(struct kern *k, const char *name, struct arena *arena, struct device *ret)
{
	struct common *c = container_of(k, struct common, kern);
	struct device device = { .exists = false };
	struct rtnl_link link;
	int err;

	assert(strlen(name) < sizeof(device.name));
	strcpy(device.name, name);
	err = rtnl_link_get(&c->rtnl, name, &link);
	if (err && err != -ENODEV)
		return err;
	if (watch_add(&c->watch, name, err ? 0 : link.index))
		return -ENOMEM;
	if (!err)
		err = device_read(c, &link, arena, &device);
	if (err == -ENODEV) {
		/* It was not there, or went while we read. */
		explicit_bzero(&device, sizeof(device));
		strcpy(device.name, name);
		err = 0;
	}
	if (!err)
		*ret = device;
	explicit_bzero(device.private_key, sizeof(device.private_key));
	return err;
}

static bool op_is_wireguard(const struct op *op)
{
	return op->kind == OP_DEVICE_KEY || op->kind == OP_DEVICE_PORT || op->kind == OP_PEER_SET ||
	       op->kind == OP_PEER_DEL;
}

static bool op_is_removal(const struct op *op)
{
	return op->kind == OP_LINK_DEL || op->kind == OP_PEER_DEL || op->kind == OP_ADDRESS_DEL ||
	       op->kind == OP_ROUTE_DEL;
}

static int job_link_add(struct job *j)
{
	struct common *c = j->c;
	bool was_there = rtnl_link_get(&c->rtnl, j->name, &j->link) == 0;
	int err = c->ops->link_add(c, j->name, j->diag);

	if (!err)
		err = rtnl_link_get(&c->rtnl, j->name, &j->link);
	if (err)
		return err;
	err = rtnl_link_plain(&c->rtnl, j->link.index);
	/* Half a device must not stand: nobody would set the rest later. */
	if (err && !was_there && c->ops->link_del(c, &j->link) == 0)
		j->link.index = 0;
	return err ? err : watch_add(&c->watch, j->name, j->link.index);
}

/* An operation on a link that must be there. */
static int job_link_op(struct job *j, const struct op *op)
{
	struct common *c = j->c;
	int err = 0;

	if (j->link.index == 0)
		err = rtnl_link_get(&c->rtnl, j->name, &j->link);
	if (err == -ENODEV && op_is_removal(op))
		return 0;
	if (err)
		return err;
	if (op->kind != OP_LINK_DEL)
		return rtnl_apply(&c->rtnl, op, j->link.index);
	err = c->ops->link_del(c, &j->link);
	j->link.index = 0;
	return err;
}

/* A run of operations for WireGuard; *ret_failed counts within it. */
static int job_configure(struct job *j, const struct op *ops, size_t count, size_t *ret_failed)
{
	struct common *c = j->c;
	int err = c->ops->configure(c, j->name, ops, count);

	*ret_failed = 0;
	if (count == 1 && err == -ENODEV && op_is_removal(ops))
		return 0;
	if (!err || count == 1 || err == -ETIMEDOUT)
		return err;
	for (size_t i = 0; i < count; i++) {
		*ret_failed = i;
		err = c->ops->configure(c, j->name, &ops[i], 1);
		if (err && !(err == -ENODEV && op_is_removal(&ops[i])))
			return err;
	}
	return 0;
}

/* Carry out what starts at plan->ops[i]; returns how many in *ret_count, the failed one in *i. */
static int job_step(struct job *j, const struct plan *plan, size_t *i, size_t *ret_count)
{
	const struct op *op = &plan->ops[*i];
	size_t failed = 0;
	size_t count = 1;
	int err;

	if (op->kind == OP_LINK_ADD) {
		err = job_link_add(j);
	} else if (!op_is_wireguard(op)) {
		err = job_link_op(j, op);
	} else {
		while (*i + count < plan->count && op_is_wireguard(&op[count]))
			count++;
		err = job_configure(j, op, count, &failed);
	}
	*i += failed;
	*ret_count = count;
	return err;
}

int common_apply(struct kern *k,
                 const char *name,
                 const struct plan *plan,
                 size_t *ret_failed,
                 struct diag *diag)
{
	struct common *c = container_of(k, struct common, kern);
	struct job j = { .c = c, .name = name, .diag = diag };
	size_t count = 0;
	int err = watch_add(&c->watch, name, 0);

	if (diag)
		*diag = (struct diag){ .text = "" };
	for (size_t i = 0; i < plan->count && !err; i += count) {
		err = job_step(&j, plan, &i, &count);
		if (err) {
			*ret_failed = i;
			err = words_for_op(diag, &plan->ops[i], name, err);
		}
	}
	return err;
}

int common_addresses(struct kern *k, struct arena *arena, struct own_address **ret, size_t *count)
{
	struct common *c = container_of(k, struct common, kern);

	return rtnl_addresses(&c->rtnl, c->device_prefix, arena, ret, count);
}

int common_watch_fd(struct kern *k)
{
	return watch_fd(&container_of(k, struct common, kern)->watch);
}

int common_watch_read(struct kern *k, struct kern_news *ret)
{
	return watch_drain(&container_of(k, struct common, kern)->watch, ret);
}
