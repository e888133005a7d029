/*
 * Making a path free for a Unix socket.
 */
#ifndef SMEG_SMEGD_NET_CLAIM_PRIV_H
#define SMEG_SMEGD_NET_CLAIM_PRIV_H

#include "base/err.h"

/*
 * Lock the directory of `path` against other daemons that start now, and remove a socket at `path`
 * that refuses connections.  On success the caller binds, then calls claim_release(*ret_lock).
 *
 * ERR_BUSY, -EEXIST, -ENAMETOOLONG, -errno, with words in `diag`.
 */
int claim_path(const char *path, int *ret_lock, struct diag *diag) MUST_CHECK;
void claim_release(int lock);

#endif
