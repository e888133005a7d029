/*
 * Everything that can happen to a node.  Borrowed for the duration of the step.
 */
#ifndef SMEG_SMEGD_CORE_EVENT_H
#define SMEG_SMEGD_CORE_EVENT_H

#include "base/clock.h"
#include "smegd/core/command.h"
#include "smegd/core/msg.h"
#include "smegd/core/row.h"

enum event_kind {
	EV_RESTORE = 1, /* row: one per stored row, before EV_START */
	EV_START,       /* once */
	EV_TICK,        /* node_deadline() has come; harmless at any time */
	EV_STOP,        /* the daemon ends: last words, nothing is taken down */
	EV_COMMAND,
	EV_COMMAND_GONE, /* whoever asked has hung up: request */
	EV_SESSION_UP,
	EV_SESSION_DOWN,
	EV_DIAL_FAILED, /* before a session came of it */
	EV_MESSAGE,
	EV_DEVICE,    /* answer to FX_READ_DEVICE */
	EV_APPLIED,   /* answer to FX_APPLY */
	EV_NEWS,      /* the kernel says that something changed: look again */
	EV_ADDRESSES, /* answer to FX_READ_ADDRESSES, and on every change */
	EV_INTERVALS, /* a person has changed them */
};

/* What a person may tune while the node runs; see struct node_options. */
struct intervals {
	int64_t heartbeat_ms;
	int64_t pull_ms;
	int64_t timeout_ms;
};

struct session_up {
	uint64_t session;
	uint64_t dial; /* of FX_DIAL; 0: the other side dialled */
	char mesh[MESH_ID_BYTES];
	struct key peer;   /* X25519, authenticated */
	bool as_joiner;    /* it holds an invite and is no member (yet); see `joiner` */
	struct key joiner; /* Ed25519, if as_joiner */
	struct endpoint remote;
	int64_t clock_ahead_ms; /* its wall clock less ours, within half a round trip */
};

struct event {
	enum event_kind kind;
	struct instant now; /* mono_ms never less than in the event before */
	union {
		const struct row *row;
		const struct command *command;
		uint64_t request;
		struct session_up session_up;
		struct {
			uint64_t session;
			int err;
		} session_down;
		struct {
			uint64_t dial;
			int err; /* ERR_NAME_UNKNOWN, ERR_REFUSED, ERR_CONNECT_TIMEOUT,
			            ERR_UNREACHABLE, ERR_NO_ANSWER, or what the other side told
			            (ERR_EXPIRED, …) */
		} dial_failed;
		struct {
			uint64_t session;
			const struct msg *msg;
		} message;
		struct {
			char mesh[MESH_ID_BYTES];
			int err;
			const struct diag *diag;     /* if err */
			const struct device *device; /* if !err */
		} device;
		struct {
			char mesh[MESH_ID_BYTES];
			int err;
			enum op_kind failed; /* if err: what it stopped at */
			const struct diag *diag;
		} applied;
		struct {
			bool devices;
		} news;
		struct {
			const struct own_address *list;
			size_t count;
		} addresses;
		struct intervals intervals;
	} u;
};

#endif
