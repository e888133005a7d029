/*
 * Talk to smegd: connect, ask, take replies.  Blocking, with a deadline.
 */
#ifndef SMEG_API_CLIENT_H
#define SMEG_API_CLIENT_H

#include "api/model/control.h"
#include "base/mem.h"

#define CONTROL_SOCKET_DEFAULT "/run/smegmesh/smegd.sock"

struct client;

/*
 * Connect to the socket at `path` (NULL: the default).  ERR_NO_DAEMON (not there or nobody listens:
 * the words say which, and how to start it), ERR_NOT_PERMITTED, ERR_TIMED_OUT.
 */
int client_open(const char *path, const struct mem *m, struct client **ret, struct diag *diag)
	MUST_CHECK;
void client_close(struct client *c);

int client_ask(struct client *c, const struct request *r, struct diag *diag) MUST_CHECK;

/*
 * Wait for the next reply.  It lives until the next call on the client.  timeout_ms: for this
 * reply; after ERR_TIMED_OUT one may wait again.
 * ERR_TIMED_OUT, ERR_NO_DAEMON (hung up), ERR_MALFORMED, ERR_VERSION.
 */
int client_next(struct client *c, int64_t timeout_ms, struct reply *ret, struct diag *diag)
	MUST_CHECK;

#endif
