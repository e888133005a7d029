/*
 * What goes over the control socket, as plain values, and its bytes (control.proto).
 *
 * A client sends one request; smegd answers with any number of progress replies and one that is
 * final.  Each message is one frame: u32 big-endian length, then protobuf.  Both ends check every
 * bound of this header before they allocate.
 */
#ifndef SMEG_API_MODEL_CONTROL_H
#define SMEG_API_MODEL_CONTROL_H

#include "api/model/mesh.h"
#include "base/bytes.h"
#include "base/err.h"

#define CONTROL_VERSION 1
#define CONTROL_REQUEST_BYTES 65536u /* of a request; replies: LIMIT_CONTROL_BYTES */

enum request_kind {
	REQUEST_VERSION = 1,
	REQUEST_STATUS, /* of the daemon and its meshes; with members if one is named or there is
	                   one */
	REQUEST_LIST,   /* members of `mesh`, or of all */
	REQUEST_CREATE,
	REQUEST_JOIN,
	REQUEST_LEAVE,
	REQUEST_INVITE,
	REQUEST_SET,
	REQUEST_KEY,
	REQUEST_EXPEL,
	REQUEST_APPOINT,
	REQUEST_REVOKE,
	REQUEST__COUNT
};

/* Strings are terminated and never NULL ("" when absent); borrowed from the decoder's arena. */
struct request {
	enum request_kind kind;
	uint32_t version; /* CONTROL_VERSION of the client */
	const char *mesh; /* local name or id; create: the name */

	/* create, join, set */
	bool has_alias;
	const char *alias;
	bool has_description;
	const char *description;
	bool has_endpoints;
	const char **endpoints; /* host[:port], as typed */
	size_t endpoints_count;

	/* join */
	const char *token;

	/* join (wish), invite */
	const char *role; /* "peer", "client" or "" */

	/* invite */
	uint32_t uses; /* 0: uncounted */
	int64_t expires_in_ms;
	bool may_bridge;
	const char *for_key; /* base64 Ed25519 key, or "" */

	/* expel, appoint, revoke */
	const char *member; /* alias, base64 key or overlay address */
	bool keep_invites;  /* expel: what it issued may still be used */
	bool is_stolen;     /* revoke: so was its key, and its expels are void */
};

enum reply_kind {
	REPLY_PROGRESS = 1,
	REPLY_DONE
};

struct reply {
	enum reply_kind kind;
	uint32_t version;

	/* progress */
	uint32_t step;
	uint32_t steps;
	const char *text;

	/* done */
	const char *code; /* "ok", or the stable code of an error (base/err.h) */
	const char *error;
	const char *hint;

	/* what was asked for; whatever does not apply is empty */
	const char *daemon_version;
	const char *backend; /* "kernel", "userspace", "none" */
	int64_t uptime_ms;
	int64_t now_unix_ms;
	uint64_t frames_sent;     /* to other daemons, handshakes too */
	uint64_t bytes_sent;      /* of them, without TCP/IP */
	uint32_t port;            /* of the daemon, TCP */
	struct mesh_info *meshes; /* status, list, create, join, leave, set */
	size_t meshes_count;
	const char *token;        /* create, invite */
	int64_t token_expires_ms; /* Unix ms */
	uint32_t token_uses;
	const char *key; /* key: base64 */

	/* expel, appoint, revoke */
	const char *member_key;       /* base64 X25519 */
	const char *member_name;      /* its alias, or its key */
	bool member_is_administrator; /* now */
	bool is_unchanged;            /* it was so already */
	uint32_t stay_count;          /* revoke: members that the revocation lets stay */
	uint32_t readmitted_count;    /* revoke: that this host has admitted instead */
	uint32_t returned_count;      /* revoke: no longer expelled */

	/* status */
	const char **expelled_from; /* names of meshes */
	size_t expelled_from_count;
};

struct arena;

/*
 * Encode into the arena.  NULL texts count as "".  -ENOMEM, ERR_TOO_BIG (the message, or a text or
 * list in it, is beyond its bound).
 */
int request_encode(const struct request *r, struct arena *arena, struct bytes *ret) MUST_CHECK;
int reply_encode(const struct reply *r, struct arena *arena, struct bytes *ret) MUST_CHECK;

/*
 * Decode hostile bytes; all that is returned lives in the arena and borrows nothing from src.
 * Texts come out safe to print: what is not UTF-8 or a control character is '?'.  ERR_MALFORMED,
 * ERR_TOO_BIG, ERR_VERSION (another version, or a kind that this one does not have), -ENOMEM.
 */
int request_decode(struct bytes src, struct arena *arena, struct request *ret) MUST_CHECK;
int reply_decode(struct bytes src, struct arena *arena, struct reply *ret) MUST_CHECK;

#endif
