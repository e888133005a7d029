/*
 * A row of the daemon's store: what the core asks to be kept and gets back at start.
 */
#ifndef SMEG_SMEGD_CORE_ROW_H
#define SMEG_SMEGD_CORE_ROW_H

#include "base/bytes.h"
#include "crdt/admit.h"

enum row_table {
	ROW_MESH = 1,    /* key: empty.  The mesh, our identity and settings in it */
	ROW_STATE = 2,   /* key: register.  One statement of the replicated state, its bytes */
	ROW_INVITE = 3,  /* key: invite id.  An invite that this host issued, and its uses */
	ROW_COUNTER = 4, /* key: name.  Reserved counters, the floor, the last timestamp */
	ROW_SEEN = 5,    /* key: X25519 key.  Last handshake timestamp of a member or joiner */
	ROW__COUNT
};

#define ROW_KEY_BYTES_MAX 80

struct row {
	enum row_table table;
	char mesh[MESH_ID_BYTES]; /* empty string: of the daemon, not of a mesh */
	struct bytes key;         /* <= ROW_KEY_BYTES_MAX */
	struct bytes value;       /* at == NULL: delete */
};

#endif
