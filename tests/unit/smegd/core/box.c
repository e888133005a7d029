/*
 * See box.h.
 */
#include "tests/unit/smegd/core/box.h"

#include <string.h>

void box_init(struct box *b)
{
	memset(b, 0, sizeof(*b));
	b->d.peers = b->peers;
	b->d.addresses = b->addresses;
	b->d.routes = b->routes;
	for (size_t i = 0; i < BOX_PEERS; i++)
		b->peers[i].allowed = b->allowed[i];
}

void box_copy(struct box *to, const struct box *from)
{
	memcpy(to, from, sizeof(*to));
	to->d.peers = to->peers;
	to->d.addresses = to->addresses;
	to->d.routes = to->routes;
	for (size_t i = 0; i < BOX_PEERS; i++)
		to->peers[i].allowed = to->allowed[0] + (from->peers[i].allowed - from->allowed[0]);
}

struct wg_peer *box_find(struct box *b, const struct key *key)
{
	for (size_t i = 0; i < b->d.peers_count; i++)
		if (key_equal(&b->peers[i].key, key))
			return &b->peers[i];
	return NULL;
}

/* A new, empty peer in its place in the order of keys. */
struct wg_peer *box_insert(struct box *b, const struct key *key)
{
	struct prefix *room = b->peers[b->d.peers_count].allowed;
	size_t at = b->d.peers_count++;

	assert_true(b->d.peers_count <= BOX_PEERS);
	for (; at > 0 && key_compare(&b->peers[at - 1].key, key) > 0; at--)
		b->peers[at] = b->peers[at - 1];
	b->peers[at] = (struct wg_peer){ .key = *key, .allowed = room };
	return &b->peers[at];
}

void box_remove(struct box *b, const struct key *key)
{
	struct wg_peer *p = box_find(b, key);
	struct prefix *room;
	size_t at;

	assert_non_null(p);
	room = p->allowed;
	at = (size_t)(p - b->peers);
	memmove(p, p + 1, (b->d.peers_count - at - 1) * sizeof(*p));
	b->peers[--b->d.peers_count].allowed = room;
}

bool box_allows(const struct wg_peer *p, const struct prefix *prefix)
{
	for (size_t i = 0; i < p->allowed_count; i++)
		if (prefix_equal(&p->allowed[i], prefix))
			return true;
	return false;
}

void box_allow(struct wg_peer *p, const struct prefix *prefix)
{
	size_t at = p->allowed_count;

	if (box_allows(p, prefix))
		return;
	assert_true(p->allowed_count < BOX_PREFIXES);
	for (; at > 0 && prefix_compare(&p->allowed[at - 1], prefix) > 0; at--)
		p->allowed[at] = p->allowed[at - 1];
	p->allowed[at] = *prefix;
	p->allowed_count++;
}

void box_disallow(struct wg_peer *p, const struct prefix *prefix)
{
	for (size_t i = 0; i < p->allowed_count; i++) {
		if (!prefix_equal(&p->allowed[i], prefix))
			continue;
		memmove(&p->allowed[i], &p->allowed[i + 1],
		        (p->allowed_count - i - 1) * sizeof(*p->allowed));
		p->allowed_count--;
		return;
	}
}

size_t box_address(const struct box *b, const struct address *a, bool any_length)
{
	size_t i = 0;

	while (i < b->d.addresses_count && !(addr_equal(&b->addresses[i].addr, &a->addr) &&
	                                     (any_length || b->addresses[i].bits == a->bits)))
		i++;
	return i;
}

size_t box_route(const struct box *b, const struct route *r)
{
	size_t i = 0;

	while (i < b->d.routes_count &&
	       !(prefix_equal(&b->routes[i].to, &r->to) && b->routes[i].metric == r->metric))
		i++;
	return i;
}

static void apply_peer(struct box *k, const struct op *op)
{
	struct wg_peer *p = box_find(k, &op->peer.key);

	assert_true(op->peer.create == !p);
	if (!p)
		p = box_insert(k, &op->peer.key);
	if (op->peer.set_endpoint) {
		p->has_endpoint = true;
		p->endpoint = op->peer.endpoint;
	}
	if (op->peer.set_keepalive)
		p->keepalive_s = op->peer.keepalive_s;
	if (op->peer.replace_allowed)
		p->allowed_count = 0;
	for (size_t i = 0; i < op->peer.allowed_count; i++) {
		assert_false(box_allows(p, &op->peer.allowed[i]));
		for (size_t j = 0; j < k->d.peers_count; j++)
			box_disallow(&k->peers[j], &op->peer.allowed[i]);
		box_allow(p, &op->peer.allowed[i]);
	}
}

static void apply_address(struct box *k, const struct op *op)
{
	size_t at = box_address(k, &op->address, op->kind == OP_ADDRESS_ADD);

	if (op->kind == OP_ADDRESS_ADD) {
		assert_int_equal(at, k->d.addresses_count);
		k->addresses[k->d.addresses_count++] = op->address;
	} else {
		assert_true(at < k->d.addresses_count);
		k->addresses[at] = k->addresses[--k->d.addresses_count];
	}
}

static void apply_route(struct box *k, const struct op *op)
{
	size_t at = box_route(k, &op->route);

	assert_true(k->d.up);
	if (op->kind == OP_ROUTE_ADD) {
		assert_int_equal(at, k->d.routes_count);
		k->routes[k->d.routes_count++] = op->route;
	} else {
		assert_true(at < k->d.routes_count);
		k->routes[at] = k->routes[--k->d.routes_count];
	}
}

void box_apply(struct box *k, const struct op *op)
{
	assert_int_equal(k->d.exists, op->kind != OP_LINK_ADD);
	switch (op->kind) {
	case OP_LINK_ADD:
		k->d.exists = true;
		break;
	case OP_LINK_DEL:
		box_init(k);
		break;
	case OP_LINK_MTU:
		k->d.mtu = op->mtu;
		break;
	case OP_LINK_UP:
		assert_false(k->d.up);
		k->d.up = true;
		break;
	case OP_DEVICE_KEY:
		k->d.has_private_key = true;
		memcpy(k->d.private_key, op->private_key, sizeof(op->private_key));
		break;
	case OP_DEVICE_PORT:
		k->d.listen_port = op->port;
		break;
	case OP_PEER_SET:
		apply_peer(k, op);
		break;
	case OP_PEER_DEL:
		box_remove(k, &op->peer.key);
		break;
	case OP_ADDRESS_ADD:
	case OP_ADDRESS_DEL:
		apply_address(k, op);
		break;
	case OP_ROUTE_ADD:
	case OP_ROUTE_DEL:
		apply_route(k, op);
		break;
	}
}
