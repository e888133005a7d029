/*
 * What a person asks of the node, and what comes back.  Text fields are terminated strings, bounded
 * by whoever decoded them; the node checks their form.
 */
#ifndef SMEG_SMEGD_CORE_COMMAND_H
#define SMEG_SMEGD_CORE_COMMAND_H

#include "base/addr.h"
#include "base/err.h"
#include "crdt/invite.h"
#include "smegd/core/model.h"

enum command_kind {
	CMD_CREATE = 1,
	CMD_JOIN,
	CMD_LEAVE,
	CMD_INVITE,
	CMD_SET,
	CMD_KEY, /* make (once) and show the key that the next join will use */
	CMD_EXPEL,
	CMD_APPOINT,
	CMD_REVOKE,
};

/* Settings of this member; a member of the struct counts only if its has_ flag says so. */
struct settings {
	bool has_alias;
	char alias[LIMIT_NAME_BYTES + 1]; /* "" takes it away */
	bool has_description;
	char description[LIMIT_DESCRIPTION_BYTES + 1];
	bool has_places;
	struct hostport places[LIMIT_ENDPOINTS]; /* --endpoint; count 0: back to interfaces */
	size_t places_count;
};

struct command {
	enum command_kind kind;
	uint64_t request; /* comes back in replies; 0 is not used */
	char mesh[LIMIT_NAME_BYTES +
	          1];             /* local name or mesh id; create: the name; join: "" or name */
	struct settings settings; /* create, join, set */
	struct bytes token;       /* join: its text */
	enum role role;           /* invite: what it allows; join: 0 or what is wished */
	uint32_t uses;            /* invite; 0: uncounted */
	int64_t expires_in_ms;    /* invite */
	bool may_bridge;          /* invite */
	bool has_for_key;         /* invite --for */
	struct key for_key;       /* Ed25519 */
	char member[LIMIT_NAME_BYTES + 1]; /* expel, appoint, revoke: alias, key or address */
	bool keep_invites;                 /* expel */
	bool is_stolen;                    /* revoke: its expels are void, too */
};

/* The end of a command. */
struct command_result {
	int err;
	struct diag diag; /* words, when err != 0 */
	char mesh_id[MESH_ID_BYTES];
	char mesh_name[LIMIT_NAME_BYTES + 1];
	struct addr address; /* this host's locator */
	char device[DEVICE_NAME_BYTES];
	struct key key;     /* key: Ed25519; create, join: X25519 of this member */
	size_t members;     /* in the group */
	int64_t expires_ms; /* create, invite: of the token, Unix ms */
	uint32_t uses;
	char token[TOKEN_TEXT_BYTES]; /* create, invite; secret */
	/* expel, appoint, revoke: */
	struct key member;                      /* X25519 */
	char member_name[LIMIT_NAME_BYTES + 1]; /* its alias, or its key */
	bool member_is_admin;                   /* now; expel: still */
	bool is_unchanged;                      /* it was so already: nothing was signed */
	size_t stay;                            /* revoke: members that it lets stay */
	size_t readmitted;                      /* revoke: that this host admitted instead */
	size_t returned;                        /* revoke: no longer expelled */
};

/* Something to show while a command runs. */
struct command_progress {
	unsigned step; /* from 1 */
	unsigned steps;
	char text[160];
};

#endif
