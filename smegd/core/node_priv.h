/*
 * The inside of a node: its meshes, sessions and members' soft state, and the step that is under
 * way.  For the files of this folder and their tests.
 */
#ifndef SMEG_SMEGD_CORE_NODE_PRIV_H
#define SMEG_SMEGD_CORE_NODE_PRIV_H

#include "base/list.h"
#include "base/map.h"
#include "base/table.h"
#include "crdt/set.h"
#include "smegd/core/gossip_priv.h"
#include "smegd/core/node.h"
#include "smegd/core/place.h"

/* --- timers ------------------------------------------------------------------------------- */

#define DIAL_BACKOFF_FIRST_MS 500
#define DIAL_BACKOFF_MAX_MS (30 * MS_PER_SECOND)
#define DIAL_BACKOFF_JOIN_MS (2 * MS_PER_SECOND) /* at most, while we join */
#define RETRY_SPREAD_MS (20 * MS_PER_SECOND)     /* for each that is out of reach: see retry.c */
#define RETRY_FREE 8u                            /* so many cost little, whatever we do */
#define RETRY_OTHERS 4u                          /* tried at once when one is found again */
#define RETRY_OTHERS_MAX 32u                     /* when several are */
#define SESSION_BRIEF_MS 300 /* broken so soon, it was refused in favour of an older one */
#define RETRY_BATCH_MS 20    /* those that are found within count together */
#define RETRY_LATER_MS (4 * MS_PER_SECOND)    /* until the next, if none of those is left */
#define DIAL_TIMEOUT_MS (15 * MS_PER_SECOND)  /* connecting and shaking hands; then it failed */
#define PROBE_AFTER_MS (20 * MS_PER_SECOND)   /* silence on a leaf's session before it asks */
#define SESSION_DEAD_MS (12 * MS_PER_SECOND)  /* without an answer before we give it up */
#define SURPLUS_AFTER_MS (20 * MS_PER_SECOND) /* a session that nobody needs any more */
#define HEARTBEAT_INTERVAL_MS (10 * MS_PER_SECOND)
#define PULL_INTERVAL_MS (5 * MS_PER_SECOND)   /* a digest with a random neighbour */
#define POLL_INTERVAL_MS (8 * MS_PER_SECOND)   /* what it finds is put back within 10 s */
#define TREE_WAIT_MS (8 * MS_PER_SECOND)       /* of a nearer finger, half to one and a half */
#define TREE_WAIT_MORE_MS (24 * MS_PER_SECOND) /* as long as members come in */
#define TREE_CALM_MS (2 * MS_PER_SECOND)       /* without a newcomer */
#define STORM_NEWCOMERS 16u                    /* more of them, and what can wait does */
#define STORM_CALM_MS (5 * MS_PER_SECOND)      /* without a newcomer: it is over */
#define STORM_SETTLE_MS (30 * MS_PER_SECOND)   /* and what had waited is done */
#define STORM_PULL_MS 1500                     /* a digest with a random neighbour, until then */
#define STORM_GUARD_MS (10 * MS_PER_SECOND)    /* without a newcomer, before watchers are chosen */
#define STORM_WAIT_MS (30 * MS_PER_SECOND)     /* the longest that anything waits for that */
#define FEW_WAIT_MS (8 * MS_PER_SECOND)        /* for more changes before members are counted */
#define MAINTAIN_BUSY_MS 200                   /* least pause between two neighbour walks, about */
#define MAINTAIN_WAITING_MS 1000               /* of a leaf, while somebody waits to be dialled */
#define MAINTAIN_IDLE_MS (4 * MS_PER_SECOND)   /* after a change */
#define MAINTAIN_QUIET_MS (20 * MS_PER_SECOND) /* while there is none */
#define PUBLISH_DELAY_MS 100                   /* gathers changes of the own record */
#define PUBLISH_WAIT_MS (10 * MS_PER_SECOND)   /* at start: for members to tell our counter */
#define RELAY_TIMEOUT_MS (10 * MS_PER_SECOND)  /* for the issuer to answer an introducer */
#define JOIN_TIMEOUT_MS (50 * MS_PER_SECOND)
#define JOIN_FETCH_MS (15 * MS_PER_SECOND)       /* for the pages, where others talk to us */
#define JOIN_COMPARE_MS (15 * MS_PER_SECOND)     /* for other members to be reached and to agree */
#define HANDSHAKE_FRESH_MS (180 * MS_PER_SECOND) /* WireGuard's REJECT_AFTER_TIME */
#define CARRIER_KEEPALIVE_S 25                   /* of a client, unless another is configured */
#define PRUNED_KEEP_MS (10 * MS_PER_MINUTE)      /* the tunnel of a member that was pruned */
#define ENDPOINT_TRY_MS (15 * MS_PER_SECOND)     /* per place, while somebody wants to talk */
#define DEVICE_DELAY_MS 50                       /* gathers changes of the roster */
#define NEWS_DELAY_MS 100 /* gathers news of the kernel, our own writes too */
#define APPLY_RETRY_FIRST_MS MS_PER_SECOND
#define APPLY_RETRY_MAX_MS (30 * MS_PER_SECOND)
#define JOIN_ANSWER_MS (RELAY_TIMEOUT_MS + 2 * MS_PER_SECOND) /* to a redemption */
#define JOIN_ASK_MS 300 /* between two rounds of questions of a join; doubles */
#define JOIN_ASK_MAX_MS (3 * MS_PER_SECOND)
#define AGE_INTERVAL_MS(m) MIN_OF(10 * MS_PER_MINUTE, (m)->life_ms / 6) /* see age_time() */

/* --- members ------------------------------------------------------------------------------ */

/*
 * What this host knows of another member by itself; never replicated.  With a device there is one
 * for each member: ordered to be small.
 */
struct peer {
	struct map_node node; /* in mesh.peers, by key */
	struct key key;       /* X25519 */
	struct mesh *mesh;
	struct session *session; /* NULL: none */
	bool is_wanted;          /* as a neighbour; recomputed by tree.c */
	bool is_leaf;            /* no part of the trees; those it dials feed it */
	bool is_one_of_few;      /* of a slot; all of them are connected */
	bool lacks_address;      /* published names only, and no session: nowhere to send packets */
	bool clashes;            /* somebody admitted earlier has its locator; set by desired.c */
	bool is_doubtful;        /* a session broke: dial once to see, neighbour or not */
	bool is_unreachable;
	bool is_suspect;          /* a watcher's: missed, and being asked; see watch.c */
	bool has_tunnel;          /* of WireGuard's side, below */
	bool has_endpoint;        /* of it */
	uint8_t answers;          /* to questions in this session, up to UINT8_MAX */
	uint32_t rtt_ms;          /* of the last of them; 0: unknown */
	uint32_t least_ms;        /* of all of them */
	unsigned place;           /* the place to dial next, counts up */
	uint32_t at;              /* in mesh.peers_list */
	struct spot spot;         /* in the trees */
	struct peer *next[TREES]; /* of the few of its slot; while it is_one_of_few */
	uint64_t dial;            /* under way; 0: none */
	int64_t dial_started_ms;  /* mono */
	int64_t dial_again_ms;    /* mono; not before; TIME_NEVER: it is no member any more */
	int64_t backoff_ms;
	int64_t changed_ms;     /* mono: when is_suspect or is_unreachable last changed; 0: never */
	int64_t pruned_ms;      /* mono: when it was pruned; 0: not, or before the start */
	struct hostport *known; /* where a bootstrap said it is; NULL: unknown */
	/* WireGuard's side, as last read: */
	struct endpoint endpoint;
	int64_t handshake_ms;
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	/* Choice of the tunnel's endpoint: */
	uint64_t tx_seen;          /* tx_bytes when the present endpoint was set */
	int64_t endpoint_since_ms; /* mono */
};

/* --- sessions ----------------------------------------------------------------------------- */

/* The items of the sketch that we began last; see repair.c. */
struct sketched {
	uint64_t salt;
	uint64_t *items; /* NULL: none */
	size_t count;
};

struct session {
	uint64_t id;
	struct mesh *mesh; /* in its sessions too */
	struct peer *peer; /* NULL while as_joiner */
	bool dialled;      /* by us */
	bool as_joiner;    /* the other side holds an invite only; or we do */
	struct key joiner; /* Ed25519, if as_joiner and accepted */
	struct endpoint remote;
	int64_t clock_ahead_ms;
	int64_t since_ms;        /* mono */
	int64_t heard_ms;        /* mono: last message */
	int64_t asked_ms;        /* mono: last question of ours */
	int64_t unwanted_ms;     /* mono: since when neither needs it; 0: needed */
	int64_t beat_ms;         /* mono: last beat that it brought; 0: none */
	struct key beat_by;      /* whose that was */
	bool is_asking;          /* and no answer has come since asked_ms */
	bool is_equal;           /* its last digest was ours */
	uint64_t told;           /* in which round of telling it was looked at last */
	struct watched *watched; /* as found when watched_changes was so; NULL: we don't watch it */
	uint64_t watched_as_of;
	struct mending mending;
	bool said_bye;   /* the other side closes on purpose */
	bool is_closing; /* FX_CLOSE is out: gone at the end of this step */
};

/* --- an introducer's errands --------------------------------------------------------------- */

/* A redemption on its way through us. */
struct relay {
	struct list link; /* in mesh.relays */
	uint64_t request; /* ours, towards the issuer */
	uint64_t back_session;
	uint64_t back_request;
	struct key issuer; /* X25519 */
	bool sent;
	int64_t deadline_ms;
	struct invite invite;
	struct key joiner;
	struct signature proof;
	uint8_t hops;
};

/* An invite that this host issued. */
struct issued {
	struct map_node node; /* in mesh.issued, by id */
	uint8_t id[INVITE_ID_BYTES];
	uint32_t uses_left;
	uint64_t expires_ms;
};

/* --- meshes ------------------------------------------------------------------------------- */

#define QUICK 512u

/* Of the peers whose keys begin with the same bits: the latest one, and how many there are. */
struct quick {
	struct peer *latest; /* NULL: not known */
	unsigned count;
};

enum mesh_state {
	MESH_PREPARING, /* create or join: the device is being made; nothing stored yet */
	MESH_ADMITTING, /* join: looking for somebody who admits us */
	MESH_ACTIVE,
	MESH_LEFT,    /* kept for its key and counter only */
	MESH_LEAVING, /* left, but no member is known to know: all that is left to do */
	MESH__COUNT
};

enum join_step {
	JOIN_NONE,
	JOIN_WAITING, /* who should admit us is busy */
	JOIN_DIALLING,
	JOIN_REDEEMING,
	JOIN_FETCHING,
	JOIN_COMPARING
};

/* A create or join under way. */
struct joining {
	uint64_t request; /* 0: whoever asked is gone */
	bool is_create;
	enum join_step step;
	int64_t deadline_ms;
	int64_t step_since_ms;
	int64_t again_ms;           /* mono: waiting ends */
	int64_t asked_ms;           /* mono: last round of questions for digests */
	unsigned asked;             /* rounds, until they are as rare as they get */
	struct token token;         /* join */
	struct keypair invite_pair; /* join */
	size_t bootstrap;           /* index under way */
	unsigned round;             /* of all of them */
	uint64_t dial;
	uint64_t session; /* with the introducer, as joiner */
	uint64_t redeem_request;
	struct key introducer; /* X25519 */
	struct diag diag;      /* words about the last failure */
	size_t agreed;         /* members besides the introducer with our digest */
	struct key agreed_keys[2];
};

/* The device of a mesh, as the node handles it. */
struct tunnel {
	char name[DEVICE_NAME_BYTES];
	bool is_dirty;      /* the wanted side may have changed */
	bool is_reading;    /* FX_READ_DEVICE is out */
	bool is_applying;   /* FX_APPLY is out */
	bool is_foreign;    /* as last read: not ours to touch */
	bool is_made;       /* one apply went through, or nothing was left to do */
	int64_t read_ms;    /* mono: when to read next */
	int64_t backoff_ms; /* after a failed apply */
	unsigned applied_in_a_row;
	struct diag problem;
};

struct mesh {
	struct list link; /* in node.meshes */
	struct node *owner;
	enum mesh_state state;
	char id[MESH_ID_BYTES];
	char name[LIMIT_NAME_BYTES + 1];
	struct key mesh_public;
	bool has_mesh_pair; /* this host made the mesh and keeps its key */
	struct keypair mesh_pair;
	struct keypair self;
	enum role role;
	uint16_t wg_port;
	uint64_t expelled_ms; /* LEFT: Unix ms of when this host was expelled; 0: it was not */
	int64_t life_ms;
	struct settings settings; /* all has_ flags set */
	struct set *set;
	struct map peers;          /* struct peer by key */
	struct peer **peers_list;  /* the same, for walks: see peer_for_each() */
	size_t peers_cap;          /* of the list */
	struct quick quick[QUICK]; /* the same, by its first bits: most searches end there */
	struct map issued;
	struct list relays;
	uint64_t next_request;
	struct session **sessions; /* oldest first, also joiners' */
	size_t sessions_all;
	size_t sessions_cap;
	size_t sessions_count; /* of those, with members */
	/* own record */
	uint64_t last_counter;
	uint64_t reserved_counter;
	int64_t publish_ms; /* mono: sign a new record then; TIME_NEVER: nothing to say */
	bool counter_known; /* a member has told, or we waited long enough */
	int64_t started_ms;
	int64_t resign_unix_ms;
	/* timers, mono */
	int64_t maintain_ms; /* whom we want, dialling; see mesh_changed() */
	int64_t look_ms;     /* at sessions: an answer is late, or there is something to compare */
	int64_t repair_ms;
	int64_t age_ms;
	/* dissemination */
	struct tree trees[TREES];
	int64_t newcomer_ms;      /* mono: when the last one came in */
	unsigned newcomers;       /* that came less than STORM_CALM_MS after each other */
	struct slot ring[RING];   /* our neighbours in the rings of positions */
	struct uplinks uplinks;   /* a leaf's */
	struct carriage carriage; /* a client's */
	bool has_leaves;          /* some that we talk to may be leaves */
	size_t unreachable;       /* that we try again; as of the last walk, and since */
	unsigned found;           /* again, since retry_others() */
	int64_t found_ms;         /* mono: when that was */
	int64_t settled_ms;       /* mono: when the slots were settled last */
	size_t lacking;           /* of those we want, without a session */
	int64_t count_ms;         /* mono: count the members of our slots then */
	int64_t counting_ms;      /* mono: since when that is to be done */
	int64_t explore_ms;       /* mono: look for a nearer finger then */
	bool is_exploring;        /* some are far */
	bool is_wide;             /* some member was measured far */
	struct newslog log;
	struct wants wants;
	bool is_untold;      /* our own statements, when nobody was there to hear them */
	uint64_t fetching;   /* session from which pages come; 0: none */
	int64_t fetching_ms; /* mono: the last page asked for */
	int64_t recheck_ms;  /* mono: not before, see repair_tick() */
	struct sketched sketched;
	int64_t mending_until_ms;  /* mono: much is coming, or a sketch of ours is out; repair.c */
	struct watching *watching; /* watch.c; NULL until started */
	uint64_t watched_changes;  /* of whom we watch: made, dropped */
	struct beats *beats;       /* beat.c; the same */
	struct joining *joining;   /* NULL: none */
	struct tunnel tunnel;
	bool is_ending; /* at the end of this step: freed, or emptied if MESH_LEFT */
};

/* --- the node ----------------------------------------------------------------------------- */

struct seen {
	struct map_node node;
	struct key key;
	uint64_t timestamp_ms;
	bool is_unsaved;
	struct seen *next_unsaved;
};

struct node {
	const struct mem *mem;
	struct node_options options;
	struct rng rng;
	bool is_started;
	struct list meshes;
	struct table sessions; /* by id */
	struct table dials;    /* under way, by number: peers */
	bool has_closing;      /* among the sessions */
	struct map seen;
	struct seen *unsaved; /* of `seen`: to be stored at the end of the step */
	int64_t last_mono_ms;
	uint64_t next_dial;
	bool has_prepared; /* the key for the next join */
	bool prepared_stored;
	struct keypair prepared;
	struct own_address *addresses;
	size_t addresses_count;
	bool has_addresses;
	struct arena scratch; /* for one step */
};

/* One node_step() under way.  After out of memory `err` is set and writes go to spares. */
struct step {
	struct node *n;
	struct instant now;
	struct effects *fx;
	int err;
	enum way way; /* of the statements that are being offered */
	struct effect spare;
};

#define mesh_for_each(pos, node)                                         \
	for (pos = container_of((node)->meshes.next, struct mesh, link); \
	     &pos->link != &(node)->meshes; pos = container_of(pos->link.next, struct mesh, link))

/*
 * Last first, in no order that means anything; the current one may be dropped in the body.  The
 * map leads from one to the next by pointers that are in no cache, here many are fetched at a time.
 */
#define peer_for_each(pos, mesh)                    \
	for (size_t pos##_at = (mesh)->peers.count; \
	     pos##_at-- > 0 && ((pos) = (mesh)->peers_list[pos##_at], true);)

#define session_for_each(pos, mesh)                                                         \
	for (size_t pos##_at = 0;                                                           \
	     pos##_at < (mesh)->sessions_all && ((pos) = (mesh)->sessions[pos##_at], true); \
	     pos##_at++)

/* Newest first; the current one may end in the body. */
#define session_for_each_safe(pos, mesh)                                   \
	for (size_t pos##_at = (mesh)->sessions_all;                       \
	     pos##_at-- > 0 && ((pos) = (mesh)->sessions[pos##_at], true); \
	     pos##_at = MIN_OF(pos##_at, (mesh)->sessions_all))

/* step.c: effects; none of these fails but by st->err.  step_progress() counts to JOIN_STEPS. */
#define JOIN_STEPS 5

struct effect *step_fx(struct step *st, enum effect_kind kind);
void *step_alloc(struct step *st,
                 size_t bytes); /* zeroed, lives as the effects; NULL: err is set */
void step_fail(struct step *st, int err);
void step_put(struct step *st, const struct row *row, bool durable); /* copies */
void step_send(struct step *st, const struct session *s, enum lane lane, const struct msg *msg);
void step_close(struct step *st, struct session *s);
void step_trace(struct step *st,
                enum trace_kind kind,
                const struct mesh *m,
                const struct key *who,
                int err);
struct command_result *step_result(struct step *st, uint64_t request);
void step_progress(struct step *st, uint64_t request, unsigned step, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* rows.c: what is stored of a mesh. */
void rows_put_mesh(struct step *st, const struct mesh *m);
void rows_put_stmt(struct step *st, const struct mesh *m, const struct stmt *s, bool durable);
void rows_delete_stmt(struct step *st, const struct mesh *m, const struct stmt *s);
void rows_put_prepared(struct step *st);
void rows_delete_prepared(struct step *st);
void rows_put_counter(struct step *st, const struct mesh *m);
void rows_put_floor(struct step *st, const struct mesh *m);
void rows_put_expelled(struct step *st, const struct mesh *m);
void rows_put_issued(struct step *st, const struct mesh *m, const struct issued *i);
void rows_delete_issued(struct step *st, const struct mesh *m, const struct issued *i);
void rows_put_seen(struct step *st, struct seen *seen);
void rows_delete_seen(struct step *st, const struct seen *seen);
int rows_restore(struct step *st, const struct row *row) MUST_CHECK;

/* mesh.c */
struct mesh *mesh_new(struct step *st, const struct key *mesh_public, const char *name);
void mesh_free(struct mesh *m);
struct mesh *mesh_by_id(const struct node *n, const char *id);
struct mesh *mesh_by_name(const struct node *n, const char *name); /* name or id; not LEFT ones */
bool mesh_is_over(const struct mesh *m); /* LEFT or LEAVING: nothing that people see */
/*
 * The time by which things are old: all forget at the same moments.  Else those who have forgotten
 * and those who have not differ all the while, and no repair can make them equal.
 */
struct instant age_time(const struct mesh *m, struct instant now);
bool mesh_is_running(const struct mesh *m);       /* ACTIVE */
void mesh_start(struct step *st, struct mesh *m); /* becomes ACTIVE */
void mesh_stop_sessions(struct step *st, struct mesh *m);
void mesh_leave_later(struct step *st, struct mesh *m); /* becomes LEAVING */
void mesh_resume(struct step *st, struct mesh *m);      /* LEAVING, after a start */
void mesh_leave(struct step *st, struct mesh *m);       /* ends here: sessions, device, state */
void mesh_sweep(struct step *st);                       /* at the end of a step: what is_ending */
/*
 * The soft state of another member; NULL: there is none, and nothing is known against it.  It is
 * made when there is something to keep (a dial, a session, a tunnel) and dropped by dial_tick()
 * when that has gone: a node holds far more members than it ever talks to.
 */
struct peer *mesh_peer(const struct mesh *m, const struct key *key);
/* NULL: this host, over the limit, out of memory. */
struct peer *mesh_peer_make(struct step *st, struct mesh *m, const struct key *key);
void mesh_peer_drop(struct mesh *m, struct peer *p); /* frees it */
/* A bootstrap says so. */
void mesh_peer_is_at(struct step *st, struct peer *p, const struct hostport *at);
/* The same if the set knows the key; else only what is there already. */
struct peer *mesh_member_peer(struct step *st, struct mesh *m, const struct key *key);
/* Whom we want or have a session with has changed: walk over all before long. */
void mesh_changed(struct mesh *m);
/*
 * Many come in at once, and hosts and links are busy with that.  What is not needed for them to be
 * let in and to know each other waits: further sessions, watchers, most of repair.
 */
bool mesh_is_storm(const struct mesh *m, int64_t now_ms);
bool mesh_is_settling(const struct mesh *m, int64_t now_ms); /* the same, and half a minute after */
const struct entry *mesh_self_entry(const struct mesh *m);
size_t mesh_live_members(const struct mesh *m);
/* Offer bytes to the set and follow up; from 0: our own, stored durably. */
enum offer mesh_offer(struct step *st, struct mesh *m, struct bytes raw, uint64_t from);
int mesh_sign_record(struct step *st, struct mesh *m, const struct record *r);
uint64_t mesh_next_counter(struct step *st, struct mesh *m);

/* own.c: the own record. */
int64_t mesh_clock_ahead(const struct mesh *m); /* median of the others' clocks less ours */
bool own_may_publish(const struct mesh *m);
void own_changed(struct step *st, struct mesh *m);
void own_tick(struct step *st, struct mesh *m);
void own_publish(struct step *st, struct mesh *m, bool force);
size_t own_places(const struct mesh *m, struct place *out, size_t cap);

/* gossip.c: telling news; the rest of dissemination is in gossip_priv.h. */
void gossip_start(struct step *st, struct mesh *m);
void gossip_end(struct mesh *m); /* frees what the mesh holds for it */
void gossip_news(struct step *st, struct mesh *m, struct stmt *s, uint64_t from);
void gossip_flush(struct step *st, struct mesh *m);  /* tell now what is due */
void gossip_finish(struct step *st, struct mesh *m); /* at the end of a step: unless it may wait */
void gossip_farewell(struct step *st, struct session *s); /* all about it, as it is expelled */
void gossip_session_up(struct step *st, struct session *s);
void gossip_session_down(struct step *st, struct session *s);
void gossip_message(struct step *st, struct session *s, const struct msg *msg);
void gossip_tick(struct step *st, struct mesh *m);
int64_t gossip_deadline(const struct mesh *m);
void gossip_ask(struct step *st, struct session *s);
/* All members that we have sessions with. */
void gossip_ask_all(struct step *st, const struct mesh *m);
/* Those of them that nothing was heard of for so long, but for what is being asked already. */
void gossip_ask_silent(struct step *st, const struct mesh *m, int64_t silent_ms);
/* So many random ones of those that are not being asked. */
void gossip_ask_some(struct step *st, const struct mesh *m, size_t wanted);

/* dial.c: sessions and dialling. */
void dial_peer(struct step *st, struct peer *p);
void dial_failed(struct step *st, uint64_t dial, int err);
void dial_forget(struct node *n, struct peer *p); /* the one under way, if there is */
void dial_tick(struct step *st, struct mesh *m);
void dial_session_up(struct step *st, const struct session_up *up);
void dial_session_down(struct step *st, uint64_t session, int err);
void dial_set_unreachable(struct step *st, struct peer *p, bool unreachable);
void dial_sweep(struct step *st); /* at the end of a step: sessions that are closing */
size_t dial_order(const struct node *n, const struct record *r, struct place *out);
struct session *session_by_id(const struct node *n, uint64_t id);
struct session *session_add(struct step *st, struct mesh *m, uint64_t id); /* NULL: st->err */
void session_drop(struct node *n, struct session *s); /* out of the lists; not freed */

/* retry.c: those that could not be reached. */
int64_t retry_pause(struct step *st, struct peer *p);                   /* after one more failure */
bool session_was_brief(const struct step *st, const struct session *s); /* of one that ends now */
void retry_found(struct step *st, struct mesh *m);  /* one of them has been found again */
void retry_others(struct step *st, struct mesh *m); /* in each walk: if some have been */

/* create.c: what create and join have in common. */
void joining_drop(struct step *st, struct mesh *m);
void joining_give_up(struct step *st, struct mesh *m, int err, const struct diag *diag);
void joining_finish(struct step *st, struct mesh *m);
int joining_check_name(struct step *st, const char *name, bool join, struct diag *diag);
int joining_check_settings(struct step *st, const struct command *c, struct diag *diag);
struct mesh *joining_prepare(struct step *st,
                             const struct command *c,
                             const struct key *mesh_public,
                             const char *name);
bool joining_has_room(struct step *st);
void joining_spend_key(struct step *st, const struct mesh *m);
void create_finish(struct step *st, struct mesh *m);

/* join.c, compare.c */
void join_dial(struct step *st, struct mesh *m);            /* the token's next place */
void join_failed(struct step *st, struct mesh *m, int err); /* that place did not help */

/* authority.c: expel, appoint, revoke. */
void authority_run(struct step *st, const struct command *c);

/* command.c, join.c, redeem.c */
void command_run(struct step *st, const struct command *c);
struct mesh *command_mesh(struct step *st, const struct command *c); /* NULL: refused, told so */
void command_gone(struct step *st, uint64_t request);
int command_fail(struct step *st, uint64_t request, int err, const struct diag *diag);
void command_done(struct step *st, uint64_t request, const struct command_result *result);
int command_settings(const struct settings *s, struct diag *diag);
void command_hint_label(struct diag *diag, const char *name);
/* Only what has a has_ flag; an omitted setting stays. */
void command_take_settings(struct settings *to, const struct settings *from);
void command_result_mesh(struct command_result *r, const struct mesh *m);
int invite_make(struct step *st, struct mesh *m, const struct command *c, struct command_result *r);
bool node_prepare_key(struct step *st);
void join_begin(struct step *st, const struct command *c);
void create_begin(struct step *st, const struct command *c);
void join_device_ready(struct step *st, struct mesh *m, int err, const struct diag *diag);
bool join_owns_dial(struct step *st, uint64_t dial, int err);
void join_session_up(struct step *st, struct session *s);
void join_session_down(struct step *st, struct mesh *m, uint64_t session);
void join_redeemed(struct step *st, struct session *s, const struct msg *msg);
void join_fetched(struct step *st, struct mesh *m); /* the last page has come */
void join_digest(struct step *st, struct session *s);
void join_left(struct step *st, struct mesh *m);
void join_tick(struct step *st, struct mesh *m);
int64_t join_deadline(const struct mesh *m);
void redeem_message(struct step *st, struct session *s, const struct msg *msg);
void redeemed_message(struct step *st, struct session *s, const struct msg *msg);
void redeem_session_up(struct step *st, struct session *s);
void redeem_tick(struct step *st, struct mesh *m);
void redeem_age(struct step *st);

/* device.c, desired.c */
void device_tick(struct step *st, struct mesh *m);
void device_read(struct step *st, const struct event *ev);
void device_applied(struct step *st, const struct event *ev);
void device_take_down(struct step *st, struct mesh *m);
void device_news(struct step *st);
void endpoint_choose(struct step *st,
                     struct peer *p,
                     const struct wg_peer *have,
                     struct wg_peer *want);
int desired_make(struct step *st, struct mesh *m, const struct device *have, struct device *ret);

#endif
