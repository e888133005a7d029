/*
 * What a node can ask for.  Effects are carried out in order: a durable FX_PERSIST is on the disk
 * before any later FX_SEND, FX_DIAL or FX_REPLY leaves.
 *
 * All FX_PERSIST up to that effect, or to the end of the step, are one transaction, also those that
 * need not be durable: a crash finds all of them or none.  Committing each by itself would leave
 * half-made meshes, and uses of invites that admitted nobody.
 */
#ifndef SMEG_SMEGD_CORE_EFFECT_H
#define SMEG_SMEGD_CORE_EFFECT_H

#include "base/mem.h"
#include "smegd/core/command.h"
#include "smegd/core/msg.h"
#include "smegd/core/row.h"

enum effect_kind {
	FX_PERSIST = 1, /* put or delete a row; durable: as told above */
	FX_SEND,
	FX_DIAL,
	FX_CLOSE,          /* a session */
	FX_READ_DEVICE,    /* answer: EV_DEVICE */
	FX_APPLY,          /* answer: EV_APPLIED */
	FX_READ_ADDRESSES, /* answer: EV_ADDRESSES */
	FX_REPLY,
	FX_PROGRESS,
	FX_TRACE,
};

/* Things worth a line in the log; TRACE_* above the bar are for debugging only. */
enum trace_kind {
	TRACE_MESH_CREATED = 1,
	TRACE_MESH_JOINED,
	TRACE_MESH_LEFT,
	TRACE_MEMBER_IN,
	TRACE_MEMBER_OUT,
	TRACE_SESSION_UP,
	TRACE_SESSION_DOWN,
	TRACE_DIAL_FAILED,
	TRACE_REFUSED_STATEMENT,
	TRACE_CLOCK_OFF,
	TRACE_DEVICE_ERROR,
	TRACE_APPLIED,
	TRACE_REPAIR,
	TRACE_LOCATOR_CLASH,
	TRACE_INVITE_USED,
	TRACE_REFUSED_JOIN,
	TRACE_SUSPECT,       /* a member that we watch is silent; err 0: no longer */
	TRACE_ATTESTED,      /* we signed that it is */
	TRACE_ABSTAINED,     /* we did not: it may be us */
	TRACE_REFUTED,       /* we were pruned, and come back */
	TRACE_UPLINK_MOVED,  /* from this one, which brings no beats */
	TRACE_CARRIER_MOVED, /* to this one */
};

struct effect {
	enum effect_kind kind;
	union {
		struct {
			struct row row;
			bool durable;
		} persist;
		struct {
			uint64_t session;
			enum lane lane;
			const struct msg *msg;
		} send;
		struct {
			uint64_t dial; /* chosen by the node */
			char mesh[MESH_ID_BYTES];
			struct key peer;    /* X25519 that must answer */
			struct hostport at; /* a name is looked up by the shell */
			bool as_joiner;     /* prove `invite` in the first message */
		} dial;
		uint64_t session; /* close */
		struct {
			char mesh[MESH_ID_BYTES];
			char device[DEVICE_NAME_BYTES];
			const struct plan *plan; /* apply only */
		} device;
		struct {
			uint64_t request;
			const struct command_result *result;
		} reply;
		struct {
			uint64_t request;
			const struct command_progress *progress;
		} progress;
		struct {
			enum trace_kind kind;
			char mesh[MESH_ID_BYTES];
			struct key member; /* zero: none */
			int err;
			uint64_t number;
		} trace;
	} u;
};

/* Filled by node_step(); all it points to lives until the next step or effects_fini(). */
struct effects {
	struct arena arena;
	struct effect *list;
	size_t count;
	size_t cap;
};

void effects_init(struct effects *fx, const struct mem *m);
void effects_fini(struct effects *fx);
void effects_reset(struct effects *fx);

/* A new, zeroed effect at the end, or NULL when out of memory. */
struct effect *effects_add(struct effects *fx, enum effect_kind kind) MUST_CHECK;

const char *trace_name(enum trace_kind kind);

#endif
