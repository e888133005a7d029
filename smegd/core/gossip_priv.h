/*
 * Dissemination inside the node: the two prefix trees, telling, repair, watching, beats.
 *
 *	tree.c    whom we keep connected, and where news go on
 *	near.c    fingers that answer quickly
 *	gossip.c  sessions, what comes by them, the walk over neighbours
 *	news.c    telling news, announcing them
 *	repair.c  digests, catching up, sketches; pages.c the whole state
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
	struct peer *want; /* the one to be connected with; NULL: there is none */
	int64_t wait_ms;   /* mono: until then `use` serves in place of `want`; 0: nobody waits */
	bool is_stale;     /* `want` must be looked for */
	bool is_measured;  /* `want` was chosen for its round trip */
	uint8_t tried;     /* others that were dialled to measure it */
};

/* The positions of a member in the trees, as seen from here. */
struct spot {
	uint64_t position[TREES];
	uint8_t level[TREES]; /* digits shared with us; TREE_LEVELS: too many to tell apart */
	uint8_t digit[TREES]; /* the next one */
};

struct tree {
	uint64_t position; /* ours */
	struct slot slots[TREE_LEVELS][TREE_DIGITS];
};

void tree_start(struct step *st, struct mesh *m);
void tree_peer(const struct mesh *m, struct peer *p); /* fills in p->spot of a new peer */
/* The standing or the record of a member has changed. */
void tree_member(struct step *st, struct mesh *m, const struct entry *e);
void tree_session_up(struct step *st, struct session *s);
void tree_session_down(struct step *st, struct peer *p);
void tree_unreachable(struct step *st, struct peer *p);
/* Settle the slots, mark whom we want (p->is_wanted), count who lacks a session (m->lacking). */
void tree_choose(struct step *st, struct mesh *m);
/* Is it in a slot, wanted or used? */
bool tree_holds(struct mesh *m, const struct peer *p);
/* Is this host itself no part of the trees? */
bool tree_am_leaf(const struct mesh *m);
/* Is this the connected finger of its place in tree t, at `level` or deeper? */
bool tree_leads_to(const struct mesh *m, size_t t, unsigned level, const struct peer *p);
/* The level from which on news go on: below what we share with the sender. */
unsigned tree_level_below(size_t t, const struct session *from);

/* Its positions, as seen from here. */
void tree_spot(const struct mesh *m, const struct key *k, struct spot *ret_spot);
/* A peer in the group that can be dialled, and not this host. */
bool tree_may_be_finger(const struct mesh *m, const struct entry *e);

/* --- near.c -------------------------------------------------------------------------------- */

void near_start(struct step *st, struct mesh *m);
void near_tick(struct step *st, struct mesh *m);
int64_t near_deadline(const struct mesh *m);
void near_measured(struct step *st, struct session *s); /* p->rtt_ms is known anew */

/* --- news.c, gossip.c
 * ------------------------------------------------------------------------------ */

#define NEWS_LOG_MAX 512u   /* the latest news, for catching up and announcements */
#define ANNOUNCE_AFTER_MS 8 /* when the trees should have brought it */
#define BATCH_MS 2          /* news less than that after the last ones wait for more */
#define ORIGIN_BURST 8      /* records of one owner that are told within ORIGIN_BURST seconds */

/* One of the latest news. */
struct news {
	struct stmt *stmt; /* one reference */
	uint64_t id;       /* see stmt_id() */
	int64_t at_ms;
	uint64_t from[TREES]; /* session it came from in that tree; 0: none */
	uint64_t first_from;  /* the same, whatever the way; 0: our own */
	uint8_t level[TREES];
	uint8_t due;       /* trees (bits) in which it is still to be told */
	uint8_t told;      /* trees in which it was told */
	bool is_quiet;     /* neither told nor announced: its owner talks too much */
	bool is_asked_for; /* came by repair: announced to all fingers at once */
};

/* A ring: item n is list[n % NEWS_LOG_MAX]. */
struct newslog {
	struct news *list; /* NULL until the first news */
	uint64_t next;     /* number of the next item; the first is 1 */
	uint64_t due;      /* all items before this one have been told */
	uint64_t announced;
	int64_t told_ms[TREES]; /* mono: when news were last told */
	uint64_t asked_for;     /* the first one that is_asked_for; 0: none */
	int64_t asked_for_ms;
	int64_t lag_ms;    /* between two copies of one item, at most, fading */
	int64_t lag_at_ms; /* mono: when that was seen */
};

/* What is known already is still to go on in a tree by which it had not come. */
void news_known(struct step *st, struct session *s, struct bytes raw);
void news_announced(struct step *st, struct session *s, const struct msg *msg);
void news_wanted(struct step *st, struct session *s, const struct msg *msg);
void news_tick(struct step *st, struct mesh *m); /* announce what is old enough */
int64_t news_deadline(const struct mesh *m);
/* Has this session brought it, by any way? */
bool news_is_from(const struct news *item, const struct session *s);
/* The item of this id, or NULL. */
struct news *newslog_find(const struct mesh *m, uint64_t id);
struct news *newslog_at(const struct mesh *m, uint64_t number); /* NULL: no longer there */
/* The first 8 bytes of its digest, as a number. */
uint64_t stmt_id(const struct stmt *s);

/* Send down one tree: to our fingers below what we share with `from` (NULL: all).  To how many. */
size_t gossip_cast(struct step *st,
                   struct mesh *m,
                   enum way way,
                   const struct session *from,
                   const struct msg *msg);
/* Tell it our digest: the sign of life that watchers wait for. */
void gossip_alive(struct step *st, struct session *s);

/* --- repair.c ------------------------------------------------------------------------------ */

struct decoding; /* a sketch of the other side that is being decoded */

/* A session's part of repair. */
struct mending {
	uint8_t theirs[DIGEST_BYTES]; /* its last digest */
	uint8_t ours[DIGEST_BYTES];   /* ours when that came */
	uint64_t members;             /* as it last said; 0: not */
	int64_t check_ms;             /* mono: compare again then; 0: no need */
	uint64_t known;               /* news up to this number it has, or was sent */
	int64_t begun_ms;             /* mono: last sketch of ours, or fetch */
	int64_t served_ms;            /* mono: since when `served` counts */
	unsigned served;              /* costly requests of the other side */
	uint64_t salt;                /* of the sketch that we sent last; 0: none */
	unsigned waited;              /* turns, for the other side to begin */
	struct decoding *decoding;
};

void repair_digest(struct step *st, struct session *s, const struct msg *msg);
void repair_entries(struct step *st, struct session *s, const struct msg *msg); /* a page */
void repair_message(struct step *st, struct session *s, const struct msg *msg);
void repair_fetch(struct step *st, struct session *s);
/* Answer MSG_FETCH. */
void repair_page(struct step *st, struct session *s, const struct msg *msg);
/* May this neighbour make us work once more in this second? */
bool repair_may_serve(struct step *st, struct session *s);
void repair_end(const struct mem *mem, struct session *s); /* frees what it holds for it */
void repair_tick(struct step *st, struct session *s);

/* Gathers statements into messages of bounded size. */
struct teller;
struct teller *teller_new(struct step *st, struct session *to, enum lane lane, enum way way);
void teller_add(struct teller *t, struct bytes raw);
void teller_flush(struct teller *t);

/* --- watch.c ------------------------------------------------------------------------------- */

void watch_start(struct step *st, struct mesh *m);
void watch_end(struct mesh *m); /* frees what it holds */
/* The standing or the record of a member has changed, also our own. */
void watch_member(struct step *st, struct mesh *m, const struct entry *e);
/* Something authenticated came from a member: any message, also an answered handshake. */
void watch_heard(struct step *st, struct session *s);
void watch_alive(struct step *st, struct session *s); /* besides, if it was that */
/* A stream broke without a word: start looking now. */
void watch_broken(struct step *st, struct peer *p);
void watch_unreachable(struct step *st, struct peer *p); /* it can't be dialled */
/* Our own record is covered by this remove of our watchers: sign above it, after a pause. */
void watch_pruned(struct step *st, struct mesh *m, const struct stmt *remove);
void watch_message(struct step *st, struct session *s, const struct msg *msg);
void watch_tick(struct step *st, struct mesh *m);
int64_t watch_deadline(const struct mesh *m);
/* Whom our own record names as watchers; at most LIMIT_WATCHERS Ed25519 keys. */
size_t watch_own(const struct mesh *m, struct key out[LIMIT_WATCHERS]);
/* A pause after a prune is under way: nothing else may sign a record until then. */
bool watch_holds_back(const struct mesh *m);
/* Is this one of our watchers, so that the session with it is to be kept? */
bool watch_wants(const struct mesh *m, const struct peer *p);

/* --- beat.c -------------------------------------------------------------------------------- */

void beat_start(struct step *st, struct mesh *m);
void beat_end(struct mesh *m);
void beat_member(struct step *st, struct mesh *m, const struct entry *e);
void beat_message(struct step *st, struct session *s, const struct msg *msg);
void beat_tick(struct step *st, struct mesh *m);
int64_t beat_deadline(const struct mesh *m);
/* Are the beats fresh?  A client that does not hear any moves to other peers. */
bool beat_is_fresh(const struct mesh *m, struct instant now);
/* Who leads, when it was last heard (mono), how many have had that beat if it was ours, else 0. */
bool beat_view(const struct mesh *m,
               struct key *ret_leader,
               int64_t *ret_at_ms,
               uint32_t *ret_acknowledged);

#endif
