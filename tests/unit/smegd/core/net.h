/*
 * A few hosts and the wire between them, for tests of whole nodes: what one sends is what the other
 * gets, in order and at once; time is virtual and passes only when nothing is under way.
 *
 * Each host has a disk, a device per mesh and an address (10.0.0.1, …).  Effects are carried out in
 * order: what must be durable is committed before the next thing leaves.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_CORE_NET_H
#define SMEG_TESTS_UNIT_SMEGD_CORE_NET_H

#include "tests/unit/memtest.h"

#include "smegd/core/node_priv.h"
#include "tests/unit/smegd/core/box.h"
#include "tests/unit/smegd/core/disk.h"

#define NET_HOSTS 10
#define NET_MESHES 3
#define NET_NOW_MS 1700000000000LL
#define NET_LOG_BYTES 65536
#define NET_RESULTS 16

struct net_device {
	char mesh[MESH_ID_BYTES];
	struct box box;
};

struct net_host {
	struct memtest mt;
	struct node_options options;
	struct node *node; /* NULL: down */
	struct effects fx;
	struct disk disk;
	struct net_device devices[NET_MESHES];
	int64_t wall_ahead_ms; /* of this host's wall clock */
	uint64_t hello_ms;     /* timestamp of its last first message */
	int device_err;        /* what reading a device fails with */
	int step_err;          /* what the last step returned */
	size_t crash_in;       /* effects that are still carried out; SIZE_MAX: all */
	bool has_crashed;      /* by crash_in */
	bool is_busy;          /* carrying out effects */
	struct command_result results[NET_RESULTS];
	uint64_t requests[NET_RESULTS];
	size_t results_count;
	struct command_progress progress;
	char *log; /* a line for each effect */
	size_t log_count;
};

struct net_session {
	uint64_t id;
	char mesh[MESH_ID_BYTES];
	size_t ends[2]; /* hosts: who dialled, who was dialled */
	bool open[2];
	bool as_joiner;
};

struct net_event; /* on its way */

struct net {
	struct net_host *hosts;
	size_t count;
	int64_t mono_ms;
	struct net_event *first;
	struct net_event **last;
	struct net_session *sessions;
	size_t sessions_count;
	size_t sessions_cap;
	uint64_t next_request;
	bool cut[NET_HOSTS][NET_HOSTS]; /* nothing gets through */
	/* May be NULL; false: the message is lost.  Sees all that is sent. */
	bool (*filter)(void *ctx, size_t from, size_t to, const struct msg *msg);
	void *ctx;
};

void net_init(struct net *n, size_t hosts);
void net_fini(struct net *n); /* asserts that no host leaked */

void net_boot(struct net *n, size_t host);  /* with what its disk holds */
void net_crash(struct net *n, size_t host); /* uncommitted rows, sessions, and news are lost */
void net_boot_all(struct net *n);
void net_cut(struct net *n, size_t a, size_t b, bool cut);

/* Deliver one event to one host and carry out what follows, but for what others do. */
void net_event(struct net *n, size_t host, struct event *ev);

void net_deliver(struct net *n);         /* all that is under way; no time passes */
void net_run(struct net *n, int64_t ms); /* let time pass */

/* Give a command (its request is chosen); its result is there when it has ended. */
uint64_t net_command(struct net *n, size_t host, struct command *c);
const struct command_result *net_result(const struct net *n, size_t host, uint64_t request);

/* Run for up to two minutes until the command has ended. */
const struct command_result *net_do(struct net *n, size_t host, struct command *c);

struct command net_create_command(const char *name);
struct command net_join_command(const char *token);
struct command net_invite_command(const char *name, uint32_t uses);

/* Asserting that it works; the text of a token for one more. */
const char *net_create(struct net *n, size_t host, const char *name);
const char *net_invite(struct net *n, size_t host, const char *name, uint32_t uses);
void net_join(struct net *n, size_t host, const char *token);

/* Hosts 0 .. count-1 in one mesh "home", made by host 0, settled. */
void net_make_home(struct net *n);

struct mesh *net_mesh(const struct net *n, size_t host, const char *name);
bool net_agrees(const struct net *n, const char *name); /* digests of all hosts that are up */
size_t net_members(const struct net *n, size_t host, const char *name); /* in the group */
void net_log_clear(struct net *n, size_t host);
bool net_logged(const struct net *n, size_t host, const char *text);

#endif
