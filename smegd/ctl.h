/*
 * The control socket's meaning: requests to answers from the node's views, or to commands of the
 * node and its results back to answers.  No socket here: bytes come in and go out.
 */
#ifndef SMEG_SMEGD_CTL_H
#define SMEG_SMEGD_CTL_H

#include "api/model/control.h"
#include "base/mem.h"
#include "smegd/access.h"
#include "smegd/core/node.h"
#include "smegd/net/local.h"

/* What a client waits for. */
struct ctl_pending {
	uint64_t request; /* of the node's command; 0: this place is free */
	uint64_t conn;
	enum request_kind kind;
};

struct ctl {
	const struct node *node; /* borrowed, as all pointers here */
	const char *backend;
	uint16_t port;
	int64_t started_ms; /* mono */
	struct access access;
	struct instant now;   /* set before each call */
	uint64_t frames_sent; /* to other daemons; counted by the shell */
	uint64_t bytes_sent;
	uint64_t last_request;
	struct ctl_pending pending[LOCAL_CONNS_MAX];
};

/* What to do about a request. */
struct ctl_todo {
	const struct command *command; /* give it to the node; NULL: answer at once */
	struct bytes reply;            /* the last frame of the answer, if there is no command */
};

/* What a client sent.  All results live in `arena`. */
struct ctl_asked {
	uint64_t conn;
	struct local_peer peer;
	struct bytes frame;
};

/* 0 or -ENOMEM: whatever else is wrong, is in the reply. */
int ctl_request(struct ctl *c,
                const struct ctl_asked *asked,
                struct arena *arena,
                struct ctl_todo *ret) MUST_CHECK;

/*
 * The node's FX_REPLY and FX_PROGRESS as frames for connection *ret_conn; 0: nobody waits for it
 * any more.  A reply ends the answer.  -ENOMEM.
 */
int ctl_reply(struct ctl *c,
              const struct effect *reply,
              struct arena *arena,
              uint64_t *ret_conn,
              struct bytes *ret) MUST_CHECK;
int ctl_progress(struct ctl *c,
                 const struct effect *progress,
                 struct arena *arena,
                 uint64_t *ret_conn,
                 struct bytes *ret) MUST_CHECK;

/* The client has gone.  The request that the node must be told of; 0: none. */
uint64_t ctl_gone(struct ctl *c, uint64_t conn);

#endif
