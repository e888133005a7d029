/*
 * What the host's user database says about a client of the control socket.
 */
#ifndef SMEG_SMEGD_NET_CRED_H
#define SMEG_SMEGD_NET_CRED_H

#include "base/defs.h"

/*
 * Is the user in the group called `name`, as primary or supplementary group?  False when the user
 * or the group does not exist.  `gid` is the group the client runs with: it counts as well.
 *
 * This asks the user database, not the process: who was added to the group need not log in again.
 * May take as long as the name service does; call it once per connection.
 */
bool cred_in_group(uint32_t uid, uint32_t gid, const char *name);

#endif
