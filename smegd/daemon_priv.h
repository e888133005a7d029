/*
 *	daemon.c         the loop's handlers, what is due when, the end
 *	daemon_open.c    the parts, one after the other
 *	daemon_carry.c   events into the node, effects out of it
 *	daemon_link.c    bytes between net and hub
 *	daemon_socket.c  clients of the control socket
 *	daemon_trace.c   what goes into the log
 *	daemon_reload.c  SIGHUP
 *
 * Every int here is 0 or an error after which the daemon ends, with words in d->diag.
 */
#ifndef SMEG_SMEGD_DAEMON_PRIV_H
#define SMEG_SMEGD_DAEMON_PRIV_H

#include "base/list.h"
#include "smegd/ctl.h"
#include "smegd/daemon.h"
#include "smegd/kern/kern.h"
#include "smegd/loop.h"
#include "smegd/net/net.h"
#include "smegd/store/store.h"
#include "smegd/wire/hub.h"

/* An event that waits for its turn, with what it points to. */
struct queued {
	struct list link;
	struct event event;
	struct arena arena;
	struct diag diag;
	struct device device;
};

struct daemon {
	struct conf conf;
	int (*reread)(void *ctx, struct conf *ret, struct diag *diag);
	void *reread_ctx;
	const struct notify *notify;
	struct instant now; /* read once per wake-up */
	bool is_stopping;
	int err; /* it cannot go on */
	struct diag diag;

	struct loop *loop;
	struct store *store;
	struct kern *kern;
	struct net *net;
	struct local *local;
	struct node *node;
	struct hub *hub;
	struct ctl ctl;
	uint16_t port;

	struct effects fx;
	struct hub_outputs in;  /* of what came from outside: its events are fed one by one */
	struct hub_outputs out; /* of what the node's effects asked for */
	struct list queue;      /* struct queued, oldest first */
	struct arena scratch;   /* for one request or reply */

	bool must_commit;    /* before anything else leaves */
	int64_t commit_ms;   /* mono: when what can wait is committed; TIME_NEVER: nothing waits */
	int64_t watchdog_ms; /* mono: when to tell the watchdog; TIME_NEVER: nobody watches */
	int64_t status_ms;   /* mono: when to look whether STATUS has changed */
	int64_t trim_ms;     /* mono: when to give back memory; with the next wake-up after it */
	char status[96];     /* the last told */
	char problem[512];   /* the last logged of a device */
};

/* daemon_open.c */
int daemon_open_parts(struct daemon *d, struct diag *diag) MUST_CHECK; /* words in diag */

/* daemon_carry.c */
int daemon_step(struct daemon *d, struct event *ev) MUST_CHECK; /* and carry out the effects */
int daemon_drain(struct daemon *d) MUST_CHECK;                  /* step what was queued */
int daemon_commit(struct daemon *d) MUST_CHECK;
int daemon_queue_addresses(struct daemon *d) MUST_CHECK;
struct queued *daemon_queue(struct daemon *d,
                            enum event_kind kind) MUST_CHECK; /* NULL: no memory */
void daemon_queue_free(struct queued *q);
int daemon_no_memory(struct daemon *d); /* sets the words */

/* daemon_link.c */
int daemon_links(struct daemon *d) MUST_CHECK; /* what the network has to say */
int daemon_hub_tick(struct daemon *d) MUST_CHECK;
int daemon_send(struct daemon *d, const struct effect *send) MUST_CHECK;
int daemon_dial(struct daemon *d, const struct effect *dial) MUST_CHECK;
int daemon_hang_up(struct daemon *d, uint64_t session) MUST_CHECK;

/* daemon_socket.c */
int daemon_socket_open(struct daemon *d, struct diag *diag) MUST_CHECK;
int daemon_clients(struct daemon *d) MUST_CHECK; /* what they have to say */
int daemon_reply(struct daemon *d, const struct effect *reply) MUST_CHECK;
int daemon_progress(struct daemon *d, const struct effect *progress) MUST_CHECK;
int daemon_open_to_group(struct daemon *d, struct diag *diag) MUST_CHECK; /* directory and socket */

/* daemon_trace.c */
void daemon_trace(const struct effect *trace);
void daemon_trace_plan(const char *device, const char *mesh, const struct plan *plan);
void daemon_problem(struct daemon *d,
                    const char *device,
                    const char *mesh,
                    const struct diag *diag);

/* daemon_reload.c */
int daemon_reload(struct daemon *d) MUST_CHECK;

#endif
