/*
 * The node: one daemon's part in all its meshes, as a pure state machine.
 *
 * Order of calls: node_new(), an EV_RESTORE per stored row, EV_START, then anything;
 * node_deadline() after every step says when an EV_TICK is due.
 */
#ifndef SMEG_SMEGD_CORE_NODE_H
#define SMEG_SMEGD_CORE_NODE_H

#include "base/rng.h"
#include "smegd/core/effect.h"
#include "smegd/core/event.h"
#include "smegd/core/view.h"

struct node;

struct node_options {
	const struct mem *mem;            /* borrowed */
	struct stmt_pool *pool;           /* borrowed; NULL: none; for simulators (crdt/pool.h) */
	uint8_t seed[RNG_SEED_BYTES];     /* from the operating system; keys are drawn from it */
	uint16_t gossip_port;             /* TCP port on which this daemon listens */
	uint16_t wg_port;                 /* UDP port of the first mesh; further ones count up */
	char device_prefix[8];            /* devices are PREFIX-NAME; "smeg" */
	bool no_devices;                  /* backend none: plan nothing */
	uint32_t mtu;                     /* 0: DEVICE_MTU_DEFAULT */
	uint16_t keepalive_s;             /* persistent keepalive to peers; 0: off */
	char alias[LIMIT_NAME_BYTES + 1]; /* default alias in new meshes; may be empty */
	struct hostport places[LIMIT_ENDPOINTS]; /* default --endpoint; count 0: interfaces */
	size_t places_count;
	int64_t heartbeat_interval_ms; /* of the leader's beats; 0: 10 000 */
	int64_t pull_interval_ms;      /* digest with a random neighbour; 0: 5000 */
	int64_t timeout_ms;            /* silence on a session until it is lost; 0: 12 000 */
	int64_t poll_interval_ms;      /* read the devices; 0: 8000 */
	int64_t life_ms;               /* of meshes; 0: LIFE_MS, as everywhere; for simulators */
};

int node_new(const struct node_options *options, struct node **ret) MUST_CHECK;
void node_free(struct node *n); /* wipes keys; NULL is fine */

/*
 * For simulators, in place of an EV_RESTORE for each statement: hold what `replica` holds, sharing
 * its entries.  After the mesh's own row was restored, before EV_START.  ERR_NO_MESH, -ENOMEM.
 */
struct set;
int node_adopt(struct node *n, const char *mesh_id, const struct set *replica) MUST_CHECK;

/*
 * Feed one event to the node and collect what the shell must now do.
 *
 * ev   borrowed; nothing in it is kept.
 * out  emptied first; valid until the next step.
 *
 * Returns 0 or -ENOMEM (then the node may only be freed), or from EV_RESTORE an error for a row
 * that makes no sense (ERR_VERSION, ERR_MALFORMED: the store is newer or damaged).
 */
int node_step(struct node *n, const struct event *ev, struct effects *out) MUST_CHECK;

/* Monotonic ms at which an EV_TICK is due; TIME_NEVER: not at all. */
int64_t node_deadline(const struct node *n);

/* --- for the session layer (smegd/wire) --------------------------------------------------- */

/* Who this daemon is in one mesh, also in one that it is joining. */
struct identity {
	char mesh[MESH_ID_BYTES];
	struct key mesh_public;
	const struct keypair *pair;        /* borrowed until the next step */
	const struct invite *invite;       /* while joining with an invite, else NULL */
	const struct keypair *invite_pair; /* the same */
};

size_t node_identities(const struct node *n, struct identity *out, size_t cap);

/* The first message of somebody who dialled us, opened and authenticated as holder of `peer`. */
struct hello {
	char mesh[MESH_ID_BYTES];
	struct key peer;       /* X25519 */
	uint64_t timestamp_ms; /* of its clock; must exceed the last of this key */
	bool has_invite;
	struct bytes invite; /* raw signed limits */
	struct key joiner;   /* Ed25519; its X25519 form is `peer` */
	struct signature proof;
};

enum admit {
	ADMIT_MEMBER,
	ADMIT_JOINER,
	ADMIT_TELL,   /* refuse, and tell the error: the key or the invite did authenticate */
	ADMIT_SILENT, /* refuse without a byte */
};

/*
 * May this one speak with us?  Remembers the timestamp of whoever gets an answer.  err: what to
 * tell (ERR_EXPIRED, ERR_USED_UP, ERR_CLOCK_OFF, …).
 */
enum admit node_admit(struct node *n, const struct hello *hello, struct instant now, int *ret_err);

/*
 * Has node_admit() remembered something that is not stored yet?  Then an EV_TICK, and its durable
 * rows on the disk, before the answer leaves: else a crash would make a replay good again.
 */
bool node_has_unsaved(const struct node *n);

#endif
