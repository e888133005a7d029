/*
 * A daemon's control socket in a directory of its own, driven only by what wake() says.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_NET_PLACE_H
#define SMEG_TESTS_UNIT_SMEGD_NET_PLACE_H

#include "tests/unit/smegd/net/rig.h"

#include "smegd/net/local.h"

struct place {
	struct rig rig;
	struct local *local;
	char dir[64];
	char path[96];
};

/* The directory only; then the socket, which must succeed. */
void place_make(struct place *p);
void place_open(struct place *p);

/* local_open() at p->path. */
int place_try(struct place *p, struct diag *diag);

/* local_close(), if it is open; asserts that the directory is empty and nothing leaked. */
void place_close(struct place *p);

/* The next news; asserts that there are some within RIG_PATIENCE_MS. */
struct local_news place_next(struct place *p);

/* The same, and asserts kind (and conn, unless it is 0). */
struct local_news place_expect(struct place *p, enum local_news_kind kind, uint64_t conn);

/* There are none now. */
void place_expect_nothing(struct place *p);

/* A Unix socket, non-blocking, connected to or listening at `path`; -1: that failed. */
int raw_unix(const char *path, bool to_listen);

/* A client and its number. */
int place_client(struct place *p, uint64_t *ret_conn);

#endif
