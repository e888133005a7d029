/*
 * Reading a node: what it knows of its meshes and members, for the control socket and for tests.
 * Views are snapshots; text in them is borrowed from the node until the next step.
 */
#ifndef SMEG_SMEGD_CORE_VIEW_H
#define SMEG_SMEGD_CORE_VIEW_H

#include "crdt/set.h"
#include "smegd/core/command.h"

struct node;

/* What this host thinks of a member, by itself or by what watchers say. */
enum reachability {
	REACHABLE,
	SUSPECT, /* not heard of, but not given up */
	UNREACHABLE,
};

struct mesh_view {
	char id[MESH_ID_BYTES];
	const char *name;
	const char *device;
	struct key self;      /* X25519 */
	struct addr address;  /* locator of this host */
	struct prefix prefix; /* the mesh's /64 */
	enum role role;
	bool is_administrator;
	bool is_joining; /* a join is under way */
	uint16_t wg_port;
	size_t members; /* in the group, this host included */
	size_t known;   /* entries altogether */
	size_t sessions;
	uint8_t digest[DIGEST_BYTES];
	int64_t clock_ahead_ms; /* median of the sessions' clocks less ours */
	struct key leader;      /* X25519; zero: unknown */
	int64_t beat_age_ms;    /* since its last beat; -1: unknown */
	size_t beat_members;    /* how many acknowledged that; 0: unknown */
	struct key carrier;     /* X25519; of a client, through whom its packets go; zero: none */
	const char *problem;    /* "" or words about what is wrong with the device, for status */
	const char *problem_hint;
};

struct member_view {
	struct key key;     /* X25519 */
	struct key subject; /* Ed25519 */
	enum standing standing;
	enum role role;
	bool is_self;
	bool is_administrator;
	bool has_record;
	struct record record; /* if has_record; borrowed bytes */
	struct addr address;  /* locator */
	bool locator_clash;   /* somebody admitted earlier has the same; not rendered */
	bool has_session;
	struct endpoint remote; /* of the session */
	bool is_reachable;      /* session, or fresh handshake, or heard of lately */
	enum reachability reachability;
	int64_t changed_mono_ms;  /* when that last changed */
	bool has_tunnel;          /* rendered as a WireGuard peer and found in the device */
	struct endpoint endpoint; /* of the tunnel, as WireGuard has it */
	bool has_endpoint;
	int64_t handshake_ms; /* Unix ms; 0: never */
	uint64_t rx_bytes;
	uint64_t tx_bytes;
};

size_t node_mesh_count(const struct node *n);
bool node_mesh_view(const struct node *n, size_t index, struct mesh_view *ret);

/* By local name or id; false: no such mesh. */
bool node_mesh_find(const struct node *n, const char *name, struct mesh_view *ret);

/* X25519 key of who leads it; false: no such mesh, or nobody is known to.  Cheaper than a view. */
bool node_mesh_leader(const struct node *n, const char *name, struct key *ret_leader);

/* How much it holds, of all meshes. */
struct node_load {
	size_t sessions;
	size_t members;
};

/* What is beyond its bounds, which nothing from outside should bring about; NULL: nothing is. */
const char *node_excess(const struct node *n, struct node_load *ret);

/* The name of the index-th mesh that this host was expelled from; NULL: there are no more. */
const char *node_expelled_from(const struct node *n, size_t index);

/* Members in key order: the first whose key is greater than `after` (NULL: the first of all). */
bool node_member_next(const struct node *n,
                      const char *mesh_id,
                      const struct key *after,
                      struct member_view *ret);

#endif
