/*
 * The shapes of a WireGuard device: what is wanted, what is there, and the operations that lead
 * from one to the other.  Plain values; all arrays live in an arena of whoever made them.
 */
#ifndef SMEG_SMEGD_CORE_MODEL_H
#define SMEG_SMEGD_CORE_MODEL_H

#include "base/addr.h"
#include "base/key.h"

#define DEVICE_NAME_BYTES 16    /* IFNAMSIZ */
#define ROUTE_PROTOCOL_SMEG 115 /* rtm_protocol of our routes: "s", in no rt_protos list */
#define DEVICE_MTU_DEFAULT 1420

struct wg_peer {
	struct key key;
	bool has_endpoint;
	struct endpoint endpoint;
	uint16_t keepalive_s;   /* 0: off */
	struct prefix *allowed; /* ascending (prefix_compare), none twice */
	size_t allowed_count;
	/* Only in what was read: */
	int64_t handshake_ms; /* Unix ms of the last handshake; 0: never */
	uint64_t rx_bytes;
	uint64_t tx_bytes;
};

struct address {
	struct addr addr;
	uint8_t bits; /* within 128, as struct prefix; host bits kept */
};

struct route {
	struct prefix to;
	uint32_t metric; /* 0: the kernel's default (1024 for IPv6) */
};

/* A device, wanted or read. */
struct device {
	char name[DEVICE_NAME_BYTES];
	bool exists;  /* read: there is a link of this name and WireGuard answers for it */
	bool foreign; /* read: a link of this name is there, but it is not a WireGuard device */
	bool up;
	uint32_t mtu;
	bool has_private_key;
	uint8_t private_key[KEY_BYTES];
	uint16_t listen_port;
	struct wg_peer *peers; /* ascending by key */
	size_t peers_count;
	struct address *addresses; /* read: all of the link, but link-local ones */
	size_t addresses_count;
	struct route *routes; /* read: only those over this link with ROUTE_PROTOCOL_SMEG */
	size_t routes_count;
};

enum op_kind {
	OP_LINK_ADD, /* make the device (address generation off, so no link-local address) */
	OP_LINK_DEL,
	OP_LINK_MTU, /* mtu */
	OP_LINK_UP,
	OP_DEVICE_KEY,  /* private_key */
	OP_DEVICE_PORT, /* port */
	OP_PEER_SET,    /* peer; see the flags below */
	OP_PEER_DEL,    /* peer.key */
	OP_ADDRESS_ADD, /* address; without duplicate detection, without the kernel's prefix route
	                 */
	OP_ADDRESS_DEL,
	OP_ROUTE_ADD, /* route, over the device, protocol ROUTE_PROTOCOL_SMEG */
	OP_ROUTE_DEL,
};

struct op {
	enum op_kind kind;
	uint32_t mtu;
	uint16_t port;
	uint8_t private_key[KEY_BYTES];
	struct address address;
	struct route route;
	struct {
		struct key key;
		bool create; /* else it must exist: never brings back a peer that is gone */
		bool set_endpoint;
		struct endpoint endpoint;
		bool set_keepalive;
		uint16_t keepalive_s;
		bool replace_allowed; /* else `allowed` is added to what the peer has */
		struct prefix *allowed;
		size_t allowed_count;
	} peer;
};

/* Operations in the order in which they must be done. */
struct plan {
	struct op *ops;
	size_t count;
};

/* One address of an interface that is not ours, on which others may reach this host. */
struct own_address {
	struct addr addr;
	uint8_t bits;
	uint32_t interface;
};

#endif
