/*
 * The view of a mesh that other programs get: plain values, no secret among them.  Texts are
 * terminated, never NULL, and safe to print: what came from other members is checked on decode.
 */
#ifndef SMEG_API_MODEL_MESH_H
#define SMEG_API_MODEL_MESH_H

#include "base/defs.h"

struct service_info {
	const char *name;
	const char *value;
};

struct member_info {
	const char *key;   /* base64 X25519: WireGuard's public key */
	const char *alias; /* may be empty */
	const char *description;
	const char *address;  /* overlay address */
	const char *role;     /* "peer", "client" */
	const char *standing; /* "in", "admitted", "left", "pruned", "expelled", "void" */
	bool is_self;
	bool is_administrator;
	bool is_reachable;
	bool has_session;
	bool has_tunnel;
	bool address_clash;
	const char *reachability; /* "reachable", "suspect", "unreachable" */
	int64_t since_ms;         /* Unix ms of the last change of that; 0: unknown */
	const char *endpoint;     /* of the tunnel or session; may be empty */
	int64_t handshake_ms;     /* Unix ms; 0: never */
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t counter;       /* of its record */
	const char **endpoints; /* as published */
	size_t endpoints_count;
	struct service_info *services;
	size_t services_count;
	const char **prefixes;
	size_t prefixes_count;
};

struct mesh_info {
	const char *id;
	const char *name;
	const char *device;
	const char *address; /* of this host */
	const char *prefix;  /* the mesh's /64 */
	const char *key;     /* of this host, base64 X25519 */
	const char *role;
	bool is_administrator;
	bool is_joining;
	uint32_t wg_port;
	uint32_t members_count;   /* in the group */
	uint32_t reachable_count; /* of them, this host included */
	uint32_t sessions_count;
	const char *digest; /* hex */
	int64_t clock_ahead_ms;
	const char *leader;    /* base64 X25519, or "": unknown */
	int64_t beat_age_ms;   /* since its last beat; -1: unknown */
	uint32_t beat_members; /* how many acknowledged that; 0: unknown */
	const char *carrier;   /* of a client: base64 X25519, or "": none */
	const char *problem;   /* "" or what is wrong */
	const char *hint;
	struct member_info *members; /* in key order; empty if not asked for */
	size_t members_listed;
};

#endif
