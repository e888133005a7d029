/*
 * The diff between the wanted and the read device.
 *
 * Both sides are sorted by key, so one merge walk finds what to make, change and remove.  Order of
 * operations: the device and its key, removals (so that an allowed IP is free before another peer
 * gets it), changes, additions, then addresses and routes, last the link goes up.
 *
 * An allowed IP belongs to one peer of a device: giving it to B takes it from A in the kernel at
 * once.  So an address that moves needs no removal at A, and A's others are not disturbed; a whole
 * list is replaced only when an address must vanish from the device.  (Replacing empties the list
 * for a moment, in which packets are lost; adding does not.)
 *
 * Never written: an endpoint unless the wanted side names one, anything of a peer that is not ours,
 * link-local addresses, routes of other protocols (the backend does not even read those).
 *
 * Two known slips of such diffs are in the table of the unit test: a keepalive that was taken away
 * must be written as 0, and an allowed IP that was taken away must go.
 */
#include "smegd/core/plan.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct planner {
	const struct plan_input *in;
	struct arena *arena;
	struct plan *out;
	size_t cap;
	int err;
	struct op spare; /* written to when memory is out */
};

static struct op *add_op(struct planner *p, enum op_kind kind)
{
	struct op *op;

	if (p->out->count == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 16;
		struct op *ops = arena_alloc(p->arena, cap * sizeof(*ops));

		if (!ops) {
			p->err = -ENOMEM;
			return &p->spare;
		}
		if (p->out->count)
			memcpy(ops, p->out->ops, p->out->count * sizeof(*ops));
		p->out->ops = ops;
		p->cap = cap;
	}
	op = &p->out->ops[p->out->count++];
	op->kind = kind;
	return op;
}

const struct wg_peer *device_peer(const struct device *d, const struct key *key)
{
	size_t low = 0;
	size_t high = d->peers_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = key_compare(&d->peers[mid].key, key);

		if (c == 0)
			return &d->peers[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static bool has_allowed(const struct wg_peer *peer, const struct prefix *p)
{
	for (size_t i = 0; i < peer->allowed_count; i++)
		if (prefix_equal(&peer->allowed[i], p))
			return true;
	return false;
}

/* Does some other wanted peer take this prefix?  Then the kernel moves it by itself. */
static bool moves_away(const struct device *want, const struct key *from, const struct prefix *p)
{
	for (size_t i = 0; i < want->peers_count; i++)
		if (!key_equal(&want->peers[i].key, from) && has_allowed(&want->peers[i], p))
			return true;
	return false;
}

static bool must_replace(const struct planner *p,
                         const struct wg_peer *want,
                         const struct wg_peer *have)
{
	for (size_t i = 0; i < have->allowed_count; i++)
		if (!has_allowed(want, &have->allowed[i]) &&
		    !moves_away(p->in->want, &want->key, &have->allowed[i]))
			return true;
	return false;
}

static size_t missing_allowed(const struct wg_peer *want,
                              const struct wg_peer *have,
                              struct prefix *out)
{
	size_t count = 0;

	for (size_t i = 0; i < want->allowed_count; i++)
		if (!have || !has_allowed(have, &want->allowed[i])) {
			if (out)
				out[count] = want->allowed[i];
			count++;
		}
	return count;
}

static void create_peer(struct planner *p, const struct wg_peer *want)
{
	struct op *op = add_op(p, OP_PEER_SET);

	op->peer.key = want->key;
	op->peer.create = true;
	op->peer.set_endpoint = want->has_endpoint;
	op->peer.endpoint = want->endpoint;
	op->peer.set_keepalive = want->keepalive_s != 0;
	op->peer.keepalive_s = want->keepalive_s;
	op->peer.replace_allowed = true;
	op->peer.allowed = want->allowed;
	op->peer.allowed_count = want->allowed_count;
}

static void change_peer(struct planner *p, const struct wg_peer *want, const struct wg_peer *have)
{
	bool replace = must_replace(p, want, have);
	size_t missing = missing_allowed(want, have, NULL);
	bool endpoint = want->has_endpoint &&
	                !(have->has_endpoint && endpoint_equal(&want->endpoint, &have->endpoint));
	bool keepalive = want->keepalive_s != have->keepalive_s;
	struct op *op;

	if (!replace && !missing && !endpoint && !keepalive)
		return;
	op = add_op(p, OP_PEER_SET);
	op->peer.key = want->key;
	op->peer.set_endpoint = endpoint;
	op->peer.endpoint = want->endpoint;
	op->peer.set_keepalive = keepalive;
	op->peer.keepalive_s = want->keepalive_s;
	op->peer.replace_allowed = replace;
	if (replace) {
		op->peer.allowed = want->allowed;
		op->peer.allowed_count = want->allowed_count;
	} else if (missing) {
		op->peer.allowed = arena_alloc(p->arena, missing * sizeof(*op->peer.allowed));
		if (!op->peer.allowed) {
			p->err = -ENOMEM;
			return;
		}
		op->peer.allowed_count = missing_allowed(want, have, op->peer.allowed);
	}
}

static void plan_peers(struct planner *p)
{
	const struct device *want = p->in->want;
	const struct device *have = p->in->have;

	for (size_t i = 0; i < have->peers_count; i++) {
		const struct key *key = &have->peers[i].key;

		if (!device_peer(want, key) && p->in->is_ours(p->in->ctx, key))
			add_op(p, OP_PEER_DEL)->peer.key = *key;
	}
	for (size_t i = 0; i < want->peers_count; i++) {
		const struct wg_peer *there = device_peer(have, &want->peers[i].key);

		if (there)
			change_peer(p, &want->peers[i], there);
		else
			create_peer(p, &want->peers[i]);
	}
}

static bool has_address(const struct device *d, const struct address *a)
{
	for (size_t i = 0; i < d->addresses_count; i++)
		if (addr_equal(&d->addresses[i].addr, &a->addr) && d->addresses[i].bits == a->bits)
			return true;
	return false;
}

static void plan_addresses(struct planner *p)
{
	const struct device *want = p->in->want;
	const struct device *have = p->in->have;

	for (size_t i = 0; i < have->addresses_count; i++)
		if (!has_address(want, &have->addresses[i]) &&
		    prefix_contains(p->in->own, &have->addresses[i].addr))
			add_op(p, OP_ADDRESS_DEL)->address = have->addresses[i];
	for (size_t i = 0; i < want->addresses_count; i++)
		if (!has_address(have, &want->addresses[i]))
			add_op(p, OP_ADDRESS_ADD)->address = want->addresses[i];
}

static bool has_route(const struct device *d, const struct route *r)
{
	for (size_t i = 0; i < d->routes_count; i++)
		if (prefix_equal(&d->routes[i].to, &r->to) && d->routes[i].metric == r->metric)
			return true;
	return false;
}

static void plan_routes(struct planner *p)
{
	const struct device *want = p->in->want;
	const struct device *have = p->in->have;

	for (size_t i = 0; i < have->routes_count; i++)
		if (!has_route(want, &have->routes[i]))
			add_op(p, OP_ROUTE_DEL)->route = have->routes[i];
	for (size_t i = 0; i < want->routes_count; i++)
		if (!has_route(have, &want->routes[i]))
			add_op(p, OP_ROUTE_ADD)->route = want->routes[i];
}

static void plan_device(struct planner *p)
{
	const struct device *want = p->in->want;
	const struct device *have = p->in->have;

	if (!have->exists)
		add_op(p, OP_LINK_ADD);
	if (!have->exists || have->mtu != want->mtu)
		add_op(p, OP_LINK_MTU)->mtu = want->mtu;
	if (!have->has_private_key ||
	    memcmp(have->private_key, want->private_key, sizeof(want->private_key)) != 0)
		memcpy(add_op(p, OP_DEVICE_KEY)->private_key, want->private_key,
		       sizeof(want->private_key));
	if (have->listen_port != want->listen_port)
		add_op(p, OP_DEVICE_PORT)->port = want->listen_port;
}

int plan_make(const struct plan_input *in, struct arena *arena, struct plan *ret)
{
	struct planner p = { .in = in, .arena = arena, .out = ret };

	assert(!in->have->foreign);
	memset(ret, 0, sizeof(*ret));
	plan_device(&p);
	plan_peers(&p);
	plan_addresses(&p);
	/* The kernel takes no route over a link that is down, and drops them when it goes down. */
	if (!in->have->exists || !in->have->up)
		add_op(&p, OP_LINK_UP);
	plan_routes(&p);
	return p.err;
}
