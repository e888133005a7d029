/*
 * Dissemination inside the node: the two prefix trees, telling, repair, watching, beats.
 *
 *	tree.c    whom we keep connected, and where news go on
 *	gossip.c  telling news, announcing them
 *	repair.c  digests, catching up, sketches, pages
 *	watch.c   who is silent, prune certificates, refuting our own
 *	beat.c    the leader's heartbeats
 */
#ifndef SMEG_SMEGD_CORE_GOSSIP_PRIV_H
#define SMEG_SMEGD_CORE_GOSSIP_PRIV_H

#include "crdt/set.h"
#include "smegd/core/event.h"

struct step;
struct mesh;
struct peer;
struct session;

/* --- tree.c -------------------------------------------------------------------------------- */

#define TREES 2
#define TREE_LEVELS 8 /* 4-bit digits of a position that are told apart: 16^8 members */
#define TREE_DIGITS 16

/* One sibling prefix: the peers whose position shares `level` digits with ours, and this next. */
struct slot {
	struct peer *use;  /* a connected one; NULL: none */
	struct peer *want; /* the one to be connected with; NULL: the prefix is empty, or unknown */
	bool is_settled;   /* `want` is up to date */
};

/* The positions of a member in the trees, as seen from here. */
struct spot {
	uint64_t position[TREES];
	uint8_t level[TREES]; /* digits shared with us; TREE_LEVELS: too many to tell apart */
};

struct tree {
	uint64_t position; /* ours */
	struct slot slots[TREE_LEVELS][TREE_DIGITS];
};

void tree_start(struct step *st, struct mesh *m);
/* The standing or the record of a member has changed. */
void tree_member(struct step *st, struct mesh *m, const struct entry *e);
void tree_session_up(struct step *st, struct session *s);
void tree_session_down(struct step *st, struct peer *p);
void tree_unreachable(struct step *st, struct peer *p);
/* Settle the slots, mark whom we want (p->is_wanted), return how many lack a session. */
size_t tree_choose(struct step *st, struct mesh *m);
void tree_forget(struct mesh *m, struct peer *p); /* before the peer is freed */

/* Does news that came by `way` from `from` (NULL: our own) go to this session, in tree t? */
bool tree_leads_to(const struct mesh *m, size_t t, unsigned level, const struct session *s);
/* The level from which on news go on: below what we share with the sender; 0 for our own. */
unsigned tree_level(size_t t, const struct session *from, bool is_root);
/* Is the other side no part of the trees, and fed by us? */
bool tree_is_leaf(const struct mesh *m, const struct peer *p);

/* --- gossip.c ------------------------------------------------------------------------------ */

#define NEWS_LOG_MAX 512     /* the latest news, for catching up and announcements */
#define ANNOUNCE_AFTER_MS 8  /* when the trees should have brought it */
#define BATCH_MS 2           /* news less than that after the last ones wait for more */

/* One of the latest news. */
struct news {
	struct stmt *stmt; /* one reference; NULL: none */
	uint64_t id;       /* first 8 bytes of its digest */
	uint8_t trees;     /* bits: already told down this tree */
	bool is_due;       /* to be told at the end of this step, or a little later */
	bool is_announced;
	bool from_repair; /* announced to all fingers, not told */
	uint8_t due_trees;
	uint8_t level[TREES];
	uint64_t from[TREES]; /* session it came from in that tree; 0: our own */
	uint64_t first_from;
	int64_t at_ms;
};

struct newslog {
	struct news *list; /* ring of NEWS_LOG_MAX, made at the first news */
	uint64_t next;     /* sequence number of the next one */
	uint64_t told;     /* all before this one have been told */
	uint64_t announced;
	int64_t flushed_ms;
};

/* Send down one tree: to our fingers at `level` and deeper, but `from`.  Returns to how many. */
size_t gossip_cast(struct step *st,
                   struct mesh *m,
                   enum way way,
                   const struct session *from,
                   const struct msg *msg);
/* Tell it our digest: the sign of life that watchers wait for. */
void gossip_alive(struct step *st, struct session *s);

/* --- repair.c ------------------------------------------------------------------------------ */

struct repair; /* a sketch that is being decoded, of one session */

void repair_digest(struct step *st, struct session *s, const struct msg *msg);
void repair_message(struct step *st, struct session *s, const struct msg *msg);
void repair_drop(struct step *st, struct session *s);
void repair_tick(struct step *st, struct session *s);

/* --- watch.c ------------------------------------------------------------------------------- */

void watch_start(struct step *st, struct mesh *m);
void watch_end(struct mesh *m); /* frees what it holds */
/* The standing or the record of a member has changed, also our own. */
void watch_member(struct step *st, struct mesh *m, const struct entry *e);
/* Something authenticated came from a member: any message, also an answered handshake. */
void watch_heard(struct step *st, struct session *s);
/* A stream broke without a word: start looking now. */
void watch_broken(struct step *st, struct peer *p);
void watch_unreachable(struct step *st, struct peer *p); /* it can't be dialled */
void watch_message(struct step *st, struct session *s, const struct msg *msg);
void watch_tick(struct step *st, struct mesh *m);
int64_t watch_deadline(const struct mesh *m);
/* Whom our own record names as watchers; at most LIMIT_WATCHERS Ed25519 keys. */
size_t watch_own(const struct mesh *m, struct key out[LIMIT_WATCHERS]);

/* --- beat.c -------------------------------------------------------------------------------- */

void beat_start(struct step *st, struct mesh *m);
void beat_end(struct mesh *m);
void beat_member(struct step *st, struct mesh *m, const struct entry *e);
void beat_session_down(struct step *st, const struct session *s);
void beat_message(struct step *st, struct session *s, const struct msg *msg);
void beat_tick(struct step *st, struct mesh *m);
int64_t beat_deadline(const struct mesh *m);
/* Are the beats fresh?  A client that does not hear any moves to other peers. */
bool beat_is_fresh(const struct mesh *m, struct instant now);
/* Who leads, when it was last heard (mono), how many have had the last beat, if that was ours. */
bool beat_view(const struct mesh *m,
               struct key *ret_leader,
               int64_t *ret_at_ms,
               uint32_t *ret_acknowledged);

#endif
