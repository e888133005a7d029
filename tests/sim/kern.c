/*
 * The modelled kernel.
 */
#include "tests/sim/kern.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct device *find(struct kern_model *k, const char *name)
{
	for (size_t i = 0; i < KERN_DEVICES_MAX; i++)
		if (strcmp(k->devices[i].name, name) == 0)
			return &k->devices[i];
	return NULL;
}

const struct device *kern_find(const struct kern_model *k, const char *name)
{
	for (size_t i = 0; i < KERN_DEVICES_MAX; i++)
		if (name[0] && strcmp(k->devices[i].name, name) == 0)
			return &k->devices[i];
	return NULL;
}

static void empty(struct device *d)
{
	for (size_t i = 0; i < d->peers_count; i++)
		free(d->peers[i].allowed);
	free(d->peers);
	free(d->addresses);
	free(d->routes);
	memset(d, 0, sizeof(*d));
}

void kern_fini(struct kern_model *k)
{
	for (size_t i = 0; i < KERN_DEVICES_MAX; i++)
		empty(&k->devices[i]);
}

void kern_read(const struct kern_model *k,
               const char *name,
               struct arena *arena,
               struct device *ret)
{
	const struct device *d = kern_find(k, name);

	memset(ret, 0, sizeof(*ret));
	if (!d)
		return;
	*ret = *d;
	ret->peers = arena_dup(arena, d->peers, d->peers_count * sizeof(*d->peers));
	for (size_t i = 0; i < d->peers_count; i++)
		ret->peers[i].allowed =
			arena_dup(arena, d->peers[i].allowed,
		                  d->peers[i].allowed_count * sizeof(struct prefix));
	ret->addresses = arena_dup(arena, d->addresses, d->addresses_count * sizeof(*d->addresses));
	ret->routes = arena_dup(arena, d->routes, d->routes_count * sizeof(*d->routes));
}

static void *with_room(void *list, size_t count, size_t each)
{
	void *p = realloc(list, (count + 1) * each);

	assert(p);
	return p;
}

static struct wg_peer *find_peer(struct device *d, const struct key *key, bool create)
{
	size_t i = 0;

	while (i < d->peers_count && key_compare(&d->peers[i].key, key) < 0)
		i++;
	if (i < d->peers_count && key_equal(&d->peers[i].key, key))
		return &d->peers[i];
	if (!create)
		return NULL;
	d->peers = with_room(d->peers, d->peers_count, sizeof(*d->peers));
	memmove(&d->peers[i + 1], &d->peers[i], (d->peers_count - i) * sizeof(*d->peers));
	memset(&d->peers[i], 0, sizeof(d->peers[i]));
	d->peers[i].key = *key;
	d->peers_count++;
	return &d->peers[i];
}

static void take_allowed(struct wg_peer *p, const struct prefix *a)
{
	for (size_t i = 0; i < p->allowed_count; i++)
		if (prefix_equal(&p->allowed[i], a)) {
			memmove(&p->allowed[i], &p->allowed[i + 1],
			        (p->allowed_count - i - 1) * sizeof(*a));
			p->allowed_count--;
			return;
		}
}

static void give_allowed(struct device *d, struct wg_peer *p, const struct prefix *a)
{
	size_t i = 0;

	for (size_t other = 0; other < d->peers_count; other++)
		take_allowed(&d->peers[other], a);
	while (i < p->allowed_count && prefix_compare(&p->allowed[i], a) < 0)
		i++;
	p->allowed = with_room(p->allowed, p->allowed_count, sizeof(*a));
	memmove(&p->allowed[i + 1], &p->allowed[i], (p->allowed_count - i) * sizeof(*a));
	p->allowed[i] = *a;
	p->allowed_count++;
}

static int set_peer(struct device *d, const struct op *op)
{
	struct wg_peer *p = find_peer(d, &op->peer.key, op->peer.create);

	if (!p)
		return 0; /* UPDATE_ONLY of one that is gone */
	if (op->peer.set_endpoint) {
		p->has_endpoint = true;
		p->endpoint = op->peer.endpoint;
	}
	if (op->peer.set_keepalive)
		p->keepalive_s = op->peer.keepalive_s;
	if (op->peer.replace_allowed)
		p->allowed_count = 0;
	for (size_t i = 0; i < op->peer.allowed_count; i++)
		give_allowed(d, p, &op->peer.allowed[i]);
	return 0;
}

static void del_peer(struct device *d, const struct key *key)
{
	struct wg_peer *p = find_peer(d, key, false);
	size_t i;

	if (!p)
		return;
	i = (size_t)(p - d->peers);
	free(p->allowed);
	memmove(p, p + 1, (d->peers_count - i - 1) * sizeof(*p));
	d->peers_count--;
}

static void add_address(struct device *d, const struct address *a)
{
	d->addresses = with_room(d->addresses, d->addresses_count, sizeof(*a));
	d->addresses[d->addresses_count++] = *a;
}

static void add_route(struct device *d, const struct route *r)
{
	d->routes = with_room(d->routes, d->routes_count, sizeof(*r));
	d->routes[d->routes_count++] = *r;
}

static void del_address(struct device *d, const struct address *a)
{
	for (size_t i = 0; i < d->addresses_count; i++)
		if (addr_equal(&d->addresses[i].addr, &a->addr))
			d->addresses[i--] = d->addresses[--d->addresses_count];
}

static void del_route(struct device *d, const struct route *r)
{
	for (size_t i = 0; i < d->routes_count; i++)
		if (prefix_equal(&d->routes[i].to, &r->to))
			d->routes[i--] = d->routes[--d->routes_count];
}

static int add_link(struct kern_model *k, const char *name)
{
	struct device *d = find(k, "");

	if (kern_find(k, name))
		return 0;
	if (!d)
		return -ENOSPC;
	memcpy(d->name, name, strlen(name) + 1);
	d->exists = true;
	return 0;
}

static int change(struct device *d, const struct op *op)
{
	switch (op->kind) {
	case OP_LINK_ADD:
	case OP_LINK_DEL:
		break;
	case OP_LINK_MTU:
		d->mtu = op->mtu;
		break;
	case OP_LINK_UP:
		d->up = true;
		break;
	case OP_DEVICE_KEY:
		d->has_private_key = true;
		memcpy(d->private_key, op->private_key, sizeof(d->private_key));
		break;
	case OP_DEVICE_PORT:
		d->listen_port = op->port;
		break;
	case OP_PEER_SET:
		return set_peer(d, op);
	case OP_PEER_DEL:
		del_peer(d, &op->peer.key);
		break;
	case OP_ADDRESS_ADD:
		add_address(d, &op->address);
		break;
	case OP_ADDRESS_DEL:
		del_address(d, &op->address);
		break;
	case OP_ROUTE_ADD:
		if (!d->up)
			return -ENETDOWN;
		add_route(d, &op->route);
		break;
	case OP_ROUTE_DEL:
		del_route(d, &op->route);
		break;
	}
	return 0;
}

int kern_apply(struct kern_model *k, const char *name, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct op *op = &plan->ops[i];
		struct device *d = find(k, name);
		int err;

		k->writes++;
		if (op->kind == OP_LINK_ADD)
			err = add_link(k, name);
		else if (!d)
			err = op->kind == OP_LINK_DEL ? 0 : -ENODEV;
		else
			err = change(d, op);
		if (err)
			return err;
		if (op->kind == OP_LINK_DEL && d)
			empty(d);
	}
	return 0;
}
