/*
 * The control socket's server side: nng streams over a Unix socket.  A frame is a length (u32,
 * big-endian) and that many bytes; what they mean is smegd/ctl's business.
 *
 * Same style as net.h: nng's threads only queue what happened and wake the loop; everything here is
 * called from the loop's thread.
 *
 * A client asks, the daemon answers with any number of frames and ends the answer; only then is the
 * client's next request read.  So a client has one request under way, and what it sends ahead waits
 * in its own socket.
 */
#ifndef SMEG_SMEGD_NET_LOCAL_H
#define SMEG_SMEGD_NET_LOCAL_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#define LOCAL_CONNS_MAX 64u
#define LOCAL_CONNS_ROOT 8u /* of them, kept for root: others cannot lock it out */
/* Waiting to be sent to one client; more closes it.  A largest answer fits behind some small ones.
 */
#define LOCAL_QUEUE_BYTES (LIMIT_CONTROL_BYTES + (1u << 20))

struct local;

/* Who is at the other end, as the kernel said when it connected. */
struct local_peer {
	uint32_t uid;
	uint32_t gid;
	int32_t pid; /* 0: unknown (in another PID namespace) */
};

enum local_news_kind {
	LOCAL_CONNECTED, /* a new client */
	LOCAL_REQUEST,   /* it asks: `frame` */
	/*
	 * All frames of its unfinished answer have left: room for more.  Who does not send in
	 * portions may ignore it.
	 */
	LOCAL_DRAINED,
	/*
	 * The client is gone, also amid an answer; err: 0 closed by it, ERR_TOO_BIG or
	 * ERR_MALFORMED (its frame), ERR_LIMIT (LOCAL_QUEUE_BYTES), -errno.  Its number is not used
	 * again.
	 */
	LOCAL_GONE,
};

struct local_news {
	enum local_news_kind kind;
	uint64_t conn;
	struct local_peer peer; /* with every kind */
	struct bytes frame;     /* without its length; valid until the next local_next() */
	int err;
};

struct local_options {
	const struct mem *mem;
	/* local_next() may have news.  Called from any thread, also from within calls below. */
	void (*wake)(void *ctx);
	void *wake_ctx;
};

/*
 * Listen at `path`; its directory exists, and who may enter that is the caller's care.  The socket
 * gets mode 0660; its group is the process's.
 *
 * What is at `path` already is removed only if it is a socket that refuses connections.
 * ERR_BUSY: a daemon listens there; -EEXIST: not a socket; -errno; words in `diag`.
 */
int local_open(const struct local_options *options,
               const char *path,
               struct local **ret,
               struct diag *diag) MUST_CHECK;

/* Closes every connection, removes the socket, waits until nng is done.  NULL is fine. */
void local_close(struct local *l);

/*
 * Queue one frame of the answer (copied; 1..LIMIT_CONTROL_BYTES bytes, else ERR_TOO_BIG); `last`
 * ends the answer.  Queue overflow closes the connection.  A connection that is gone is ignored.
 * One that asked nothing may be sent to as well, but not `last` (asserted).
 */
int local_reply(struct local *l, uint64_t conn, struct bytes frame, bool last) MUST_CHECK;

/* Close after what is queued has left (or after a second).  No news follow. */
void local_drop(struct local *l, uint64_t conn);

/* The next thing that happened; false: nothing more for now. */
bool local_next(struct local *l, struct local_news *ret);

#endif
