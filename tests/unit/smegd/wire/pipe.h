/*
 * Hubs back to back: a small world of hosts, links between them whose bytes the test moves as it
 * likes, and a log of what the nodes would have been told.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_WIRE_PIPE_H
#define SMEG_TESTS_UNIT_SMEGD_WIRE_PIPE_H

#include "tests/unit/memtest.h"
#include "tests/unit/unit.h"

#include "base/err.h"
#include "smegd/wire/hub.h"

#define WORLD_HOSTS 3
#define WORLD_SEEN 4096
#define WORLD_PEERS 64
#define WORLD_DIGESTS 64

/* One event that a host's node got. */
struct seen {
	unsigned host;
	enum event_kind kind;
	uint64_t session;
	uint64_t dial;
	int err;
	struct session_up up;
	enum msg_kind msg;
	uint8_t first; /* first byte of a MSG_DIGEST's digest: tests number their messages by it */
};

struct host {
	struct world *world;
	unsigned index;
	struct memtest mt;
	struct hub *hub;
	struct hub_outputs out;
	struct keypair pair;
	struct identity identities[2];
	size_t identities_count;
	struct invite invite;
	struct keypair invite_pair;
	struct instant now; /* of this host: clocks differ by what the test sets */
	int64_t clock_ahead_ms;

	/* The stand-in for node_admit(). */
	enum admit admit;
	int tell;
	unsigned asked;
	struct hello hello; /* the last one asked about; borrowed bytes are gone */
	struct key seen_key[WORLD_PEERS];
	uint64_t seen_ms[WORLD_PEERS];
	size_t seen_count;
};

/* Bytes on their way in one direction, whole frames by lane. */
struct flow {
	uint8_t *at[LANE__COUNT];
	size_t count[LANE__COUNT];
	bool is_closing; /* the sender closes when all is out */
};

struct pipe {
	unsigned end[2];  /* hosts: dialler, accepter */
	uint64_t link[2]; /* numbers at each host */
	uint64_t dial;
	bool is_open[2]; /* the host's hub has not been told that it is gone, nor closed it */
	bool is_connected;
	struct flow flow[2]; /* from end[0], from end[1] */
};

struct world {
	struct host host[WORLD_HOSTS];
	unsigned hosts;
	struct pipe pipe[1100];
	size_t pipes;
	uint64_t last_link;
	struct instant now;
	struct key mesh_public;
	struct seen seen[WORLD_SEEN];
	size_t seen_count;
	uint8_t *captured; /* every byte that was on any link */
	size_t captured_count;
	size_t portion; /* bytes at a time; 0: whole frames */
	int err;        /* the first -ENOMEM; then nothing moves any more */
};

/* Host 0 has the lowest key, and so on. */
void world_init(struct world *w, unsigned hosts);
void world_fini(struct world *w); /* asserts that nothing leaks */

/* The same, with the n-th request for memory of each hub failing. */
void world_init_failing(struct world *w, unsigned hosts, size_t fail_at);

/* Give the host an invite, as somebody who joins. */
void world_invite(struct world *w, unsigned host);

struct pipe *world_dial(struct world *w, unsigned from, unsigned to, bool as_joiner);
struct pipe *world_dial_key(struct world *w, unsigned from, unsigned to, const struct key *peer);
void pipe_connect(struct world *w, struct pipe *p);

/* A bare link into a host, whose other end is the test. */
uint64_t world_stranger(struct world *w, unsigned to, const struct endpoint *remote);
void world_bytes(struct world *w, unsigned to, uint64_t link, struct bytes bytes);

/* Move the next frame of a lane from end `from` (0 dialler, 1 accepter); false: there is none. */
bool pipe_move(struct world *w, struct pipe *p, unsigned from, enum lane lane);

/* If that end closes and all its bytes are out: tell the other.  False: nothing to do. */
bool pipe_close(struct world *w, struct pipe *p, unsigned from);

/* Cut the link: both ends are told. */
void pipe_cut(struct world *w, struct pipe *p);

void world_settle(struct world *w);           /* until nothing moves; control before bulk */
void world_pass(struct world *w, int64_t ms); /* time; ticks every hub */

/* Dial, connect, settle. */
struct pipe *world_join(struct world *w, unsigned from, unsigned to);

void world_send(
	struct world *w, unsigned host, uint64_t session, enum lane lane, const struct msg *m);
void world_send_digest(
	struct world *w, unsigned host, uint64_t session, enum lane lane, uint8_t first);
void world_close(struct world *w, unsigned host, uint64_t session);

/* The log. */
size_t seen_count(const struct world *w, unsigned host, enum event_kind kind);
const struct seen *seen_last(const struct world *w, unsigned host, enum event_kind kind);

/* Sessions that this host's node holds now; the last in *ret (may be NULL). */
size_t world_sessions(const struct world *w, unsigned host, uint64_t *ret);

struct hub_counters world_count(const struct world *w, unsigned host);

/* The frame at the front of a flow, or {NULL, 0}. */
struct bytes flow_front(const struct flow *f, enum lane lane);

#endif
