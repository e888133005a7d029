/*
 * What daemons say to each other inside a session, as plain values.  smegd/wire turns them into
 * bytes and back, and checks every bound given here.
 */
#ifndef SMEG_SMEGD_CORE_MSG_H
#define SMEG_SMEGD_CORE_MSG_H

#include "base/bytes.h"
#include "crdt/invite.h"
#include "crdt/set.h"

/* Chosen so that a full message stays below LIMIT_FRAME_BYTES. */
#define MSG_ENTRIES_BYTES_MAX 49152u /* sum of statement bytes in one MSG_ENTRIES */
#define MSG_ENTRIES_MAX 512u
#define MSG_SUMMARY_MAX 1024u
#define MSG_WANT_MAX 1024u

enum msg_kind {
	MSG_ENTRIES = 1,  /* statements: news, or what a summary showed to be missing */
	MSG_DIGEST = 2,   /* my digest; `question`: tell me yours */
	MSG_SUMMARY = 3,  /* fingerprints of all my entries in a range of keys */
	MSG_WANT = 4,     /* send me all statements about these keys */
	MSG_REDEEM = 5,   /* joiner -> introducer -> issuer: honour this invite */
	MSG_REDEEMED = 6, /* the answer, on the way back */
	MSG_BYE = 7,      /* I close this session on purpose */
};

struct summary_item {
	struct key member; /* X25519 */
	uint8_t fingerprint[FINGERPRINT_BYTES];
};

/* All pointers are borrowed: from the decoder's arena, or from the node until the next step. */
struct msg {
	enum msg_kind kind;
	union {
		struct {
			struct bytes *stmts;
			size_t count;
		} entries;
		struct {
			uint8_t digest[DIGEST_BYTES];
			bool question;
			uint64_t members; /* entries behind it, for people */
		} digest;
		struct {
			struct key from; /* first key of the range, inclusive */
			struct key to;   /* last key of the range, inclusive */
			uint8_t mesh_fingerprint[FINGERPRINT_BYTES];
			bool reply; /* an answer to a summary: do not answer with one */
			struct summary_item *items; /* ascending */
			size_t count;
		} summary;
		struct {
			bool mesh; /* also the mesh key's statements */
			struct key *members;
			size_t count;
		} want;
		struct {
			uint64_t request;    /* chosen by the asker, per session */
			struct bytes invite; /* signed limits, raw */
			struct key joiner;   /* Ed25519 */
			struct signature proof;
			uint8_t hops;      /* relays so far; at most 4 */
			struct key issuer; /* X25519 of whom to ask */
		} redeem;
		struct {
			uint64_t request;
			int err;             /* 0: admitted */
			struct bytes *stmts; /* appointments and the admission */
			size_t count;
		} redeemed;
	} u;
};

/* Control goes before bulk on a link. */
enum lane {
	LANE_CONTROL = 0,
	LANE_BULK = 1,
	LANE__COUNT
};

#endif
