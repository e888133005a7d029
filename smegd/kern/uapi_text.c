/*
 * From operations of device and peers to the lines of a `set` request.
 *
 * update_only=true comes first after the key, before anything could be set, so that wireguard-go
 * drops the peer that it has made for the line before; also when removing, where it would otherwise
 * make a peer to remove it.  A setting that is not in an operation is not in the request, and
 * wireguard-go keeps what it has.
 */
#include "smegd/kern/uapi_priv.h"

#include <assert.h>

static void add_endpoint(struct secret *s, const struct endpoint *e)
{
	char addr[ADDR_TEXT_BYTES];

	addr_text(&e->addr, addr);
	if (addr_is_v4(&e->addr))
		secret_add(s, "endpoint=%s:%u\n", addr, e->port);
	else if (e->zone)
		secret_add(s, "endpoint=[%s%%%u]:%u\n", addr, e->zone, e->port);
	else
		secret_add(s, "endpoint=[%s]:%u\n", addr, e->port);
}

static void add_key(struct secret *s, const char *name, const uint8_t key[KEY_BYTES])
{
	secret_add(s, "%s=", name);
	secret_add_hex(s, key);
	secret_add(s, "\n");
}

static void add_peer(struct secret *s, const struct op *op)
{
	char text[PREFIX_TEXT_BYTES];

	add_key(s, "public_key", op->peer.key.b);
	if (!op->peer.create)
		secret_add(s, "update_only=true\n");
	if (op->peer.set_endpoint)
		add_endpoint(s, &op->peer.endpoint);
	if (op->peer.set_keepalive)
		secret_add(s, "persistent_keepalive_interval=%u\n", op->peer.keepalive_s);
	if (op->peer.replace_allowed)
		secret_add(s, "replace_allowed_ips=true\n");
	for (size_t i = 0; i < op->peer.allowed_count; i++) {
		prefix_text(&op->peer.allowed[i], text);
		secret_add(s, "allowed_ip=%s\n", text);
	}
}

void uapi_add_op(struct secret *s, const struct op *op)
{
	switch (op->kind) {
	case OP_DEVICE_KEY:
		add_key(s, "private_key", op->private_key);
		return;
	case OP_DEVICE_PORT:
		secret_add(s, "listen_port=%u\n", op->port);
		return;
	case OP_PEER_SET:
		add_peer(s, op);
		return;
	case OP_PEER_DEL:
		add_key(s, "public_key", op->peer.key.b);
		secret_add(s, "update_only=true\nremove=true\n");
		return;
	default:
		break;
	}
	assert(!"an operation of device or peers");
}
