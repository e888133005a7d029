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
#define MSG_ITEMS_MAX 2048u          /* in one MSG_WANT or MSG_ANNOUNCE */
#define MSG_SYMBOLS_BYTES_MAX 32768u /* in one MSG_SKETCH */
#define MSG_BEAT_BYTES_MAX 512u
#define MSG_ITEM_BYTES 8u

enum msg_kind {
	MSG_ENTRIES = 1,   /* statements: news, an answer to MSG_WANT, or a page */
	MSG_DIGEST = 2,    /* I am here, my digest; `question`: tell me yours */
	MSG_SKETCH = 3,    /* symbols of my statements */
	MSG_WANT = 4,      /* send me these statements */
	MSG_REDEEM = 5,    /* joiner -> introducer -> issuer: honour this invite */
	MSG_REDEEMED = 6,  /* the answer, on the way back */
	MSG_BYE = 7,       /* I close this session on purpose */
	MSG_ANNOUNCE = 8,  /* I hold these new statements */
	MSG_CONTINUE = 9,  /* send me further symbols */
	MSG_FETCH = 10,    /* send me a page of the whole state */
	MSG_SUSPECT = 11,  /* a watcher misses a member that you watch too */
	MSG_ATTEST = 12,   /* a watcher's part of a prune certificate */
	MSG_BEAT = 13,     /* the leader's heartbeat */
	MSG_BEAT_ACK = 14, /* so many below me have had it */
};

/* How news go on: bits, in the numbers of the wire. */
enum way {
	WAY_NONE = 0,   /* asked for: not relayed as it is */
	WAY_TREE_1 = 1, /* down the first tree, below what we share with the sender */
	WAY_TREE_2 = 2,
	WAY_ROOT = 4,    /* with the others: from a leaf; be the root of those trees for it */
	WAY_LAST_1 = 8,  /* no further in the first tree: the sender tells all of our slot */
	WAY_LAST_2 = 16, /* never with root, nor with the bit of the same tree */
	WAY__COUNT = 32
};

/* All pointers are borrowed: from the decoder's arena, or from the node until the next step. */
struct msg {
	enum msg_kind kind;
	union {
		struct {
			struct bytes *stmts;
			size_t count;
			enum way way;
			bool is_page;    /* all statements about from..to, both inclusive */
			struct key from; /* X25519; zero: and the mesh key's */
			struct key to;
		} entries;
		struct {
			uint8_t digest[DIGEST_BYTES];
			bool question;
			uint64_t members; /* entries behind it, for people; 0: not said */
		} digest;
		struct {
			uint64_t salt;
			uint32_t from;
			struct bytes symbols;
		} sketch;
		struct {
			uint64_t salt;
			uint32_t from;
			uint32_t count;
		} more;
		struct {
			uint64_t salt; /* want: of the sketch; 0: they were announced */
			uint64_t *items;
			size_t count;
			bool repaired; /* announce: no tree brought them to the sender */
		} items;               /* want, announce */
		struct {
			struct key from;
		} fetch;
		struct {
			struct key member;          /* X25519 */
			uint64_t counter;           /* of its record */
			struct signature signature; /* attest only */
		} watch;                            /* suspect, attest */
		struct {
			struct bytes beat;
			enum way way;
			struct bytes other; /* empty, or the second half of a proof */
		} beat;
		struct {
			uint64_t number;
			uint32_t count;
		} beat_ack;
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
