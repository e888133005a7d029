/*
 * The inside of the hub: its links, and what its source files offer each other.
 *
 *	hub.c      the calls of hub.h, and who gets which frame
 *	link.c     life and death of links, their deadlines, what goes out
 *	greeting.c hello and welcome
 *	session.c  sealed frames, duplicates, proof of life
 *	rekey.c    new keys for old sessions
 *
 * Every function that may drop a link says so; after it only the link's number may be used.
 */
#ifndef SMEG_SMEGD_WIRE_HUB_PRIV_H
#define SMEG_SMEGD_WIRE_HUB_PRIV_H

#include "base/rng.h"
#include "base/table.h"
#include "smegd/wire/hub.h"
#include "smegd/wire/seal.h"
#include "smegd/wire/source.h"

#define HUB_JOINERS_MAX 64u /* sessions of people with an invite who are no members yet */
#define HUB_PROVE_MS (5 * MS_PER_SECOND)           /* to answer a ping */
#define HUB_REKEY_TIMEOUT_MS MS_PER_MINUTE         /* from the first message to the second */
#define HUB_REKEY_LATE_MS (10 * MS_PER_MINUTE)     /* what the dialled side waits beyond it */
#define HUB_REKEY_EARLIEST_MS (REKEY_AFTER_MS / 4) /* what the dialled side accepts */

enum link_state {
	LINK_DIALLING,      /* dialled, not connected */
	LINK_AWAIT_WELCOME, /* dialled, hello sent */
	LINK_AWAIT_HELLO,   /* accepted */
	LINK_AWAIT_READY,   /* accepted, welcome sent */
	LINK_UP,            /* a session */
};

/* Of two sessions with one key here, one goes. */
struct pair {
	char mesh[MESH_ID_BYTES];
	struct key peer;
	uint8_t is_invited; /* the hello had an invite: apart from member sessions */
};

struct link {
	struct map_node by_deadline;
	struct map_node by_pair;  /* if is_paired */
	struct list half_open;    /* while awaiting hello or ready, oldest first */
	uint8_t deadline_key[16]; /* deadline, number */

	uint64_t number; /* from 1 */
	enum link_state state;
	bool is_dialled;
	struct endpoint remote;
	struct source *source; /* while half-open */
	struct cutter cutter;
	int64_t auth_by_ms;  /* TIME_NEVER unless awaiting something */
	int64_t rekey_at_ms; /* what happens then: see rekey.c */
	int64_t prove_by_ms; /* a frame must come; TIME_NEVER: needn't */

	uint64_t dial;    /* of FX_DIAL; 0: accepted */
	struct pair pair; /* accepted: from the hello on */
	struct key joiner;
	bool as_joiner;         /* admitted as such */
	uint64_t timestamp_ms;  /* of the hello: the greater is the newer */
	struct instant sent;    /* our hello or welcome */
	int64_t clock_ahead_ms; /* accepted: as of the hello, half a round trip too low */

	struct noise *handshake; /* under way; NULL: none */
	struct seal seal;        /* from the welcome on */
	bool is_sealed;
	uint64_t session; /* its number; 0: the node does not know of it (yet) */
	bool is_paired;
	uint64_t capabilities; /* of both sides */
	int64_t keyed_ms;      /* monotonic: age of the keys */
};

struct hub {
	const struct mem *mem;
	struct hub_directory directory;
	struct rng rng;
	struct table by_number;
	struct map by_deadline; /* all links */
	struct map by_pair;
	struct list half_open;
	struct sources sources;
	size_t half_open_count;
	size_t joiner_count;  /* links of joiners: awaiting ready, or up */
	size_t session_count; /* links awaiting ready or up */
	uint64_t last_timestamp_ms;
	struct hub_counters counters;
};

/* What every step works with. */
struct step {
	struct hub *hub;
	struct instant now;
	struct hub_outputs *out;
};

/* --- link.c --------------------------------------------------------------------------------- */

struct link *link_find(const struct hub *h, uint64_t number); /* NULL: gone */
struct link *link_of_session(const struct hub *h, uint64_t session);
struct link *link_of_pair(const struct hub *h, const struct pair *pair);
struct link *link_due(const struct hub *h, int64_t now_ms); /* NULL: none */

int link_make(struct hub *h, uint64_t number, bool is_dialled, struct link **ret_link) MUST_CHECK;
void link_free(struct hub *h, struct link *l); /* wipes */

/* Call after a change of state or of a time. */
void link_schedule(struct hub *h, struct link *l);
int64_t link_deadline(const struct link *l);

/* Half-open: counted by source, and the first to go.  Also from awaiting hello to ready. */
void link_hold(struct hub *h, struct link *l, struct source *src);
void link_release(struct hub *h, struct link *l);

void link_pair(struct hub *h, struct link *l);

/* Drop the link: the shell closes it, the node learns what it must.  Nothing else is left of it. */
int link_cut(struct step *s, struct link *l, int err) MUST_CHECK;

/* The same, when the shell has told us that it is gone. */
int link_gone(struct step *s, struct link *l, int err) MUST_CHECK;

struct hub_output *output_add(struct step *s,
                              enum hub_output_kind kind,
                              const struct link *l) MUST_CHECK;
struct event *output_event(struct step *s, enum event_kind kind) MUST_CHECK;

/* Send these bytes (copied). */
int link_send(struct step *s, const struct link *l, enum lane lane, struct bytes frame) MUST_CHECK;

/* This daemon in the mesh; false: no longer in it. */
bool hub_identity(const struct hub *h, const char mesh[MESH_ID_BYTES], struct identity *ret);

/* --- greeting.c; all may drop the link ---------------------------------------------------------
 */

int greeting_call(struct step *s, struct link *l) MUST_CHECK; /* send the hello */
int greeting_hello(struct step *s, struct link *l, const struct frame *f) MUST_CHECK;
int greeting_welcome(struct step *s, struct link *l, const struct frame *f) MUST_CHECK;

/* Somebody's first bytes were not a hello that we answer. */
int greeting_refuse(struct step *s, struct link *l) MUST_CHECK;

/* --- session.c -------------------------------------------------------------------------------- */

/* The handshake is done and the other side has proved it: tell the node.  May drop the link. */
int session_up(struct step *s, struct link *l, int64_t clock_ahead_ms) MUST_CHECK;

/* A frame of a sealed link.  May drop the link. */
int session_frame(struct step *s, struct link *l, const struct frame *f) MUST_CHECK;

int session_send(struct step *s, struct link *l, enum lane lane, const struct msg *m) MUST_CHECK;

/* Seal and send; content is copied. */
int session_say(struct step *s,
                struct link *l,
                enum lane lane,
                enum seal_kind kind,
                struct bytes content) MUST_CHECK;

/* --- rekey.c; all may drop the link ------------------------------------------------------------
 */

void rekey_arm(struct link *l, struct instant now); /* the keys are new as of now */
int rekey_due(struct step *s, struct link *l) MUST_CHECK;
int rekey_first(struct step *s, struct link *l, struct bytes msg) MUST_CHECK;
int rekey_second(struct step *s, struct link *l, struct bytes msg) MUST_CHECK;

/* The other side seals under the next epoch: so do we. */
int rekey_follow(struct step *s, struct link *l) MUST_CHECK;

#endif
