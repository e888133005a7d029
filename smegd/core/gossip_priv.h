/*
 * Dissemination inside the node: the two prefix trees, telling, repair, watching, beats.
 *
 *	tree.c    whom we keep connected, and where news go on
 *	uplink.c  the same for a leaf; carrier.c whom a client's packets go through
 *	near.c    fingers that answer quickly
 *	few.c     slots of few members, which are all connected
 *	retry.c   those that cannot be reached, and when they are dialled again
 *	gossip.c  sessions, what comes by them, the walk over neighbours
 *	news.c    telling news; announce.c announcing them; want.c asking for what was announced
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
struct watched;

/* --- tree.c -------------------------------------------------------------------------------- */

#define TREES 2
#define BOTH_TREES ((1u << TREES) - 1) /* as bits */
#define TREE_LEVELS 8 /* 4-bit digits of a position that are told apart: 16^8 members */
#define TREE_DIGITS 16

#define FEW 4 /* members of a slot that are all connected: few.c */

enum {
	RING_NEXT,   /* by position in tree 1 */
	RING_BEFORE, /* the same; each is the other's next */
	RING_OTHER,  /* the next by position in tree 2 */
	RING
};

/* One sibling prefix: the peers whose position shares `level` digits with ours, and this next. */
struct slot {
	struct peer *use;  /* a connected one; NULL: none */
	struct peer *want; /* the one to be connected with; NULL: there is none */
	int64_t wait_ms;   /* mono: until then `use` serves in place of `want`; 0: nobody waits */
	bool is_stale;     /* `want` must be looked for */
	uint8_t tried;     /* others that were dialled for their round trip; see near.c */
	uint16_t members;  /* as counted last; 0: none, or not known; see few.c */
	uint32_t at;       /* place in the set of the last one tried */
	uint32_t left;     /* members that were not looked at for a try */
	struct peer *few;  /* its members, linked, if they are counted and FEW at most */
};

/* The positions of a member in the trees, as seen from here. */
struct spot {
	uint64_t position[TREES];
	uint8_t level[TREES]; /* digits shared with us; TREE_LEVELS: too many to tell apart */
	uint8_t digit[TREES]; /* the next one */
};

struct tree {
	uint64_t position; /* ours */
	uint8_t depth;     /* all slots from this level on are empty and settled */
	struct slot slots[TREE_LEVELS][TREE_DIGITS];
};

void tree_start(struct step *st, struct mesh *m);
void tree_peer(const struct mesh *m, struct peer *p); /* fills in p->spot of a new peer */
/* The standing or the record of a member has changed. */
void tree_member(struct step *st, struct mesh *m, const struct entry *e);
void tree_session_up(struct step *st, struct session *s);
void tree_session_down(struct peer *p);
void tree_unreachable(struct step *st, struct peer *p);
/* Settle the slots, mark whom we want (p->is_wanted), count who lacks a session (m->lacking). */
void tree_choose(struct step *st, struct mesh *m);
/* Is it in a slot, wanted or used? */
bool tree_holds(struct mesh *m, const struct peer *p);
/* Would it be wanted if it could be reached? */
bool tree_misses(struct mesh *m, const struct peer *p);
/* Is this host itself no part of the trees? */
bool tree_am_leaf(const struct mesh *m);
/* Is this the connected finger of its place in tree t, at `level` or deeper? */
bool tree_leads_to(const struct mesh *m, size_t t, unsigned level, const struct peer *p);
/* The level from which on news go on: below what we share with the sender. */
unsigned tree_level_below(size_t t, const struct session *from);

/* Its positions, as seen from here. */
void tree_spot(const struct mesh *m, const struct key *k, struct spot *ret_spot);
/* The slot of that spot; NULL: too close to us to be told apart. */
struct slot *tree_slot(struct mesh *m, size_t t, const struct spot *at);
/* A peer in the group that can be dialled, and not this host. */
bool tree_may_be_finger(const struct mesh *m, const struct entry *e);
/* Not known to be out of reach; one that is counts again once there is a session. */
bool tree_may_serve(const struct mesh *m, const struct entry *e);
uint64_t tree_hash(const struct key *k);        /* by tree 1's label */
void tree_want(struct mesh *m, struct peer *p); /* may be NULL */

/* --- uplink.c, carrier.c ------------------------------------------------------------------- */

#define UPLINKS 2
#define UPLINK_MUTES 8u

/* Somebody to avoid. */
struct uplink_mute {
	struct key who;
	int64_t until_ms; /* mono */
	bool is_silent;   /* brought no beats while others did; else it was pruned */
};

/* A leaf's. */
struct uplinks {
	struct peer *of[UPLINKS];
	struct peer *trial; /* a third one that is tried; NULL: none */
	int64_t trial_ms;   /* mono: since when */
	int64_t next_ms;    /* mono: no other is tried before, for silence */
	int64_t look_ms;    /* mono: one is tried then, though nothing is amiss */
	unsigned pause;     /* intervals after the last try; 0: all is well */
	uint64_t cursor;    /* tries go down the rendezvous order */
	struct key leader;  /* as last seen; zero: none */
	struct uplink_mute mutes[UPLINK_MUTES];
	unsigned next_mute;
};

void uplink_start(struct step *st, struct mesh *m);
/* Fill the places, try another if one brings no beats, want them. */
void uplink_choose(struct step *st, struct mesh *m);
void uplink_lost(struct mesh *m, struct peer *p); /* out of the group, or of reach */
bool uplink_holds(const struct mesh *m, const struct peer *p);
/* A beat has come by it, of this leader: ours, or of others. */
void uplink_beat(struct step *st, struct session *s, const struct key *leader);
void uplink_mute(struct mesh *m, const struct key *who, bool is_silent);
bool uplink_is_mute(const struct mesh *m, const struct key *who, bool only_silent);

/* A client's. */
struct carriage {
	struct key before; /* who carries until switch_ms, for the device */
	int64_t switch_ms; /* mono */
	int64_t look_ms;   /* mono: see whether another would do better */
	struct key better; /* the first in order, to be connected with; if wants */
	bool wants;
};

struct record;
/* Whom the next own record should name; NULL: there is nobody. */
const struct entry *own_carrier(const struct mesh *m);
/* Whom the own record names; false: nobody. */
bool carrier_named(const struct mesh *m, struct key *ret);
void carrier_want(struct step *st, struct mesh *m);
/* The own record is about to be signed anew. */
void carrier_changes(struct step *st, struct mesh *m, const struct record *next);
/* Through whom the device sends; false: there is nobody.  It is read again when that changes. */
bool carrier_of_device(struct step *st, struct mesh *m, struct key *ret);

/* --- near.c -------------------------------------------------------------------------------- */

void near_start(struct step *st, struct mesh *m);
void near_tick(struct step *st, struct mesh *m);
int64_t near_deadline(const struct mesh *m);
/* A question of ours was answered after rtt_ms. */
void near_measured(struct step *st, struct session *s, int64_t rtt_ms);

/* --- few.c --------------------------------------------------------------------------------- */

void few_start(struct step *st, struct mesh *m);
void few_tick(struct step *st, struct mesh *m);
int64_t few_deadline(const struct mesh *m);
/* The standing or the record of a member has changed. */
void few_member(struct step *st, struct mesh *m, const struct entry *e);
/* All members of this slot are connected, and are told each. */
bool few_is_whole(const struct slot *s, size_t t);
/*
 * How news for `level` and deeper in tree t go to that peer: with the bit of the tree to a finger,
 * with that of its last copy to each of a slot whose members are all connected; 0: not.
 */
unsigned few_way(const struct peer *p, size_t t, unsigned level);

/* --- news.c, gossip.c
 * ------------------------------------------------------------------------------ */

#define NEWS_LOG_MAX 512u   /* the latest news, for catching up and announcements */
#define ANNOUNCE_AFTER_MS 8 /* when the trees should have brought it */
#define BATCH_MS 2          /* news less than that after the last ones wait for more */
#define ORIGIN_BURST 8      /* records of one owner that are told within ORIGIN_BURST seconds */

#define NEWS_LEAVES (1u << TREES) /* beside the trees: to the leaves that we feed */

/* One of the latest news. */
struct news {
	struct stmt *stmt; /* one reference */
	uint64_t id;       /* see stmt_id() */
	int64_t at_ms;
	uint64_t from[TREES]; /* session it came from in that tree; 0: none */
	uint64_t first_from;  /* the same, whatever the way; 0: our own */
	uint8_t level[TREES];
	uint8_t due;           /* trees (bits) in which it is still to be told, or NEWS_LEAVES */
	uint8_t told;          /* the same, in which it was told */
	bool is_quiet;         /* neither told nor announced: its owner talks too much */
	bool is_asked_for;     /* came by repair: announced to all fingers at once */
	uint8_t came;          /* trees (bits) by which it came, be it as their last copy */
	uint64_t older_id;     /* number of the next one in the chain of its id; 0: none */
	uint64_t older_member; /* the same, of its member */
	uint8_t announced; /* which of our neighbours in the rings have told us that they have it:
	                      bits */
};

/* How many came in this second, and in the one before. */
struct rate {
	int64_t second_ms; /* mono: when this one began */
	unsigned this_second;
	unsigned last_second;
};

#define NEWS_FLOOD 64u    /* records in a second: they wait for each other */
#define NEWS_BATCH_MS 250 /* so long */

#define NEWS_CHAINS 256

/* Numbers of the latest items, by what their chain has in common; 0: none yet. */
struct news_chains {
	uint64_t ids[NEWS_CHAINS];
	uint64_t members[NEWS_CHAINS];
};

/* A ring: item n is list[n % NEWS_LOG_MAX]. */
struct newslog {
	struct news *list; /* NULL until the first news */
	struct news_chains *chains;
	uint64_t next; /* number of the next item; the first is 1 */
	uint64_t due;  /* all items before this one have been told */
	uint64_t announced;
	uint64_t rounds;            /* of telling */
	int64_t told_ms[TREES + 1]; /* mono: when news were last told; last: to leaves only */
	uint64_t asked_for;         /* the first one that is_asked_for; 0: none */
	int64_t asked_for_ms;
	struct rate rate;      /* of all */
	struct rate tree_rate; /* of records: our own, and what came by a tree */
	unsigned streak;       /* news that came by repair, one soon after the other */
	int64_t streak_ms;     /* mono: the last of them */
	unsigned wide;         /* rounds to all fingers of what came by repair, lately */
	int64_t wide_ms;       /* mono: since when the next one less is counted */
	int64_t lag_ms;        /* between two copies of one item; see news.c */
	int64_t lag_at_ms;     /* mono: when that was seen */
};

/* What is known already is still to go on in a tree by which it had not come. */
void news_known(struct step *st, struct session *s, struct bytes raw);
int64_t news_deadline(const struct mesh *m);
#define ANNOUNCED_MAX 256 /* ids of one announcement that are looked at */

/* Do the trees bring so many news that replicas are not equal for long? */
bool news_is_flood(const struct mesh *m, int64_t now_ms);
/* How long the trees are given before what they bring is announced, or asked for again. */
int64_t news_patience(const struct mesh *m, int64_t now_ms);
/* Has this session brought it, by any way? */
bool news_is_from(const struct news *item, const struct session *s);
/* This session has announced it. */
void news_announced(struct news *item, const struct session *by);
void announce_tick(struct step *st, struct mesh *m);     /* what is old enough */
void announce_repaired(struct step *st, struct mesh *m); /* at the end of a step */
int64_t announce_deadline(const struct mesh *m);

/* --- newslog.c ----------------------------------------------------------------------------- */

/* The next item, of that statement (one more reference); NULL: out of memory, st->err is set. */
struct news *newslog_add(struct step *st, struct mesh *m, struct stmt *s);
struct news *newslog_at(const struct mesh *m, uint64_t number); /* NULL: no longer there */
uint64_t newslog_first(const struct mesh *m); /* the lowest number that may be there */
/* The item of this id, or NULL: O(items / NEWS_CHAINS). */
struct news *newslog_find(const struct mesh *m, uint64_t id);
/* The number of the item of this statement, or 0: O(items), but the latest first. */
uint64_t newslog_find_raw(const struct mesh *m, struct bytes raw);
/* Has its owner signed ORIGIN_BURST records in as many seconds before this one? */
bool newslog_is_too_much(const struct mesh *m, const struct stmt *s, int64_t now_ms);
void newslog_fini(struct mesh *m);
void rate_count(struct rate *r, int64_t now_ms);                   /* one more */
bool rate_is(const struct rate *r, unsigned news, int64_t now_ms); /* this second or the last */
/* The first 8 bytes of its digest, as a number. */
uint64_t stmt_id(const struct stmt *s);

/* --- want.c -------------------------------------------------------------------------------- */

#define WANTS_MAX 32

/* What was announced, and asked for. */
struct want {
	uint64_t id;
	int64_t again_ms; /* mono: ask somebody else then */
	uint64_t asked;   /* the session that was asked last */
	uint64_t other;   /* another one that announced it; 0: none */
	unsigned tries;
	bool is_repaired; /* who announced it had it by repair */
};

struct wants {
	struct want list[WANTS_MAX];
	size_t count;
};

void want_announced(struct step *st, struct session *s, const struct msg *msg);
void want_asked(struct step *st, struct session *s, const struct msg *msg); /* MSG_WANT */
void want_tick(struct step *st, struct mesh *m);
int64_t want_deadline(const struct mesh *m);
/* Asked for since a neighbour in a ring has it by a tree, and nobody by repair. */
bool want_is_of_ring(struct mesh *m, uint64_t id);

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
/* Until then what we lack is coming: see repair.c. */
void repair_mending(struct mesh *m, int64_t until_ms);
void repair_forget(struct mesh *m);                        /* what is kept of a sketch */
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
/* A stream broke without a word: start looking now, or a moment later if it had just come up. */
void watch_broken(struct step *st, const struct session *s);
void watch_unreachable(struct step *st, struct peer *p);      /* it can't be dialled */
void watch_dialled(struct step *st, struct peer *p, int err); /* in vain */
int64_t watch_late(const struct mesh *m); /* how late our own timers are lately */
/* Our own record is covered by this remove of our watchers: sign above it, after a pause. */
void watch_pruned(struct step *st, struct mesh *m, const struct stmt *remove);
void watch_message(struct step *st, struct session *s, const struct msg *msg);
void watch_tick(struct step *st, struct mesh *m);
int64_t watch_deadline(const struct mesh *m);
/* Whom our own record names as watchers; at most LIMIT_WATCHERS Ed25519 keys. */
size_t watch_own(const struct mesh *m, struct key out[LIMIT_WATCHERS]);
/* A pause after a prune is under way: nothing else may sign a record until then. */
bool watch_holds_back(const struct mesh *m);
/* The session with that member has ended, which may be one of our watchers. */
void guard_lost(struct step *st, struct mesh *m, const struct key *key);
/* Is this one of our watchers, so that the session with it is to be kept? */
bool watch_wants(const struct mesh *m, const struct peer *p);

/* --- beat.c -------------------------------------------------------------------------------- */

void beat_start(struct step *st, struct mesh *m);
void beat_end(struct mesh *m);
void beat_member(struct step *st, struct mesh *m, const struct entry *e);
void beat_message(struct step *st, struct session *s, const struct msg *msg);
void beat_tick(struct step *st, struct mesh *m);
int64_t beat_deadline(const struct mesh *m);
/* Are the beats fresh? */
bool beat_is_fresh(const struct mesh *m, struct instant now);
/* Do beats come by this session, or may they still?  See uplink.c. */
bool beat_comes_by(const struct session *s, struct instant now);
/* Who leads, when it was last heard (mono), how many have had that beat if it was ours, else 0. */
bool beat_view(const struct mesh *m,
               struct key *ret_leader,
               int64_t *ret_at_ms,
               uint32_t *ret_acknowledged);

#endif
