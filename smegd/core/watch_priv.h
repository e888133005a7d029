/*
 * What the files about watching share:
 *
 *	watch.c   members that name us as watcher: who is silent, and the look that follows
 *	quorum.c  the other watchers of such a member: what they are told, and what they sign
 *	guard.c   our own watchers: whom we name, the sign of life, and what follows a prune
 */
#ifndef SMEG_SMEGD_CORE_WATCH_PRIV_H
#define SMEG_SMEGD_CORE_WATCH_PRIV_H

#include "smegd/core/gossip_priv.h"
#include "smegd/core/node_priv.h"

#include <string.h>

#define WATCH_PERIOD_MS (2 * MS_PER_SECOND) /* a watcher hears from us once in this time */
#define WATCH_SLACK_MS 300                  /* at least; else four round trips */
#define WATCH_TRIES 3u
#define WATCH_TRY_MS 200                   /* at least; else three round trips */
#define WATCH_RTT_MAX_MS MS_PER_SECOND     /* what was slower was a pause, not the way */
#define WATCH_AGAIN_MS (5 * MS_PER_SECOND) /* between two looks at one that stays silent */
#define WATCH_AGAIN_PART 2                 /* of the time that it has been so, if longer */
#define WATCH_AGAIN_MAX_MS (5 * MS_PER_MINUTE)
#define WATCH_STALE_MS (10 * MS_PER_SECOND)      /* not heard for so long, it may be dead */
#define WATCH_MEASURE_MS (30 * MS_PER_SECOND)    /* between two questions about the round trip */
#define WATCH_HEARD_MS 300                       /* who was heard since then is not suspect */
#define WATCH_ASKED_PAUSE_MS (2 * MS_PER_SECOND) /* between looks that others ask for */
#define WATCH_LATE_MS 500                        /* our own timers: more, and we blame nobody */
#define WATCH_ABSTAIN_MS (5 * MS_PER_SECOND)     /* and sign nothing for this time */
#define WATCH_CANARIES 8u
#define WATCH_CANARY_FRESH_MS 100   /* heard so lately, it need not be asked */
#define WATCH_LOST_MS MS_PER_MINUTE /* a broken session counts against us so long */
#define WATCH_LOST_MAX 128u
#define WATCH_TELL_MS MS_PER_SECOND           /* between two tellings of its certificate */
#define WATCH_REFUTED_MS (10 * MS_PER_MINUTE) /* back in so soon: it was pruned wrongly */
#define WATCH_PATIENCE_MAX 8u
#define WATCH_PATIENCE_MS MS_PER_HOUR
#define ATTEST_FRESH_MS (15 * MS_PER_SECOND) /* the parts of a certificate are of one time */
#define ATTEST_PAUSE_MS 100                  /* between two signatures of one that we check */
#define ATTEST_TURN_MS 400                   /* for each signer before us to make the certificate */

#define GUARD_FIRST_MS (3 * MS_PER_SECOND)   /* after the start we take what there is */
#define GUARD_LOOK_MS 250                    /* between two looks at our watchers, at first */
#define GUARD_WELL_MS (10 * MS_PER_SECOND)   /* while all have sessions */
#define GUARD_PROVEN_MS MS_PER_SECOND        /* a session must be up for this time */
#define GUARD_GONE_MS (5 * MS_PER_SECOND)    /* without a session */
#define GUARD_RESUME_MS (15 * MS_PER_SECOND) /* the same, after a start */
#define GUARD_PAUSE_MS (10 * MS_PER_SECOND)  /* between two changes of the choice */
#define GUARD_HURRY_MS MS_PER_SECOND         /* the same, with fewer than three */
#define GUARD_HURRY_BELOW 3u
#define GUARD_OUT_MS (6 * MS_PER_SECOND) /* after one of more than three has left the group */
#define GUARD_CLIENT 2u                  /* watchers of a client */
#define REFUTE_FIRST_MS MS_PER_SECOND
#define REFUTE_MAX_MS (60 * MS_PER_SECOND)
#define REFUTE_RESET_MS (10 * MS_PER_MINUTE)
#define REFUTE_START_MS (10 * MS_PER_SECOND) /* a prune learnt so soon after a start was right */
#define AVOID_MS MS_PER_HOUR
#define AVOID_MAX 16u

/* --- the members that we watch -------------------------------------------------------------- */

/* A watcher of a member that we watch, perhaps ourselves; by its place in the record. */
struct fellow {
	struct key key; /* X25519; zero: unknown here */
	bool is_self;
	bool owes_suspect; /* to be told as soon as there is a session */
	bool owes_attest;
	struct attest attest;
	int64_t attest_ms; /* mono: when it came last; 0: none */
	int64_t check_ms;  /* mono: no signature of it is checked before */
};

enum watch_state {
	WATCH_QUIET,   /* all is well */
	WATCH_LOOKING, /* missed: being asked */
	WATCH_SILENT,  /* did not answer; we have signed, or abstained */
	WATCH_OUT,     /* no longer watched; remembered until keep_ms */
};

struct watched {
	struct map_node node; /* in watching.watched, by key */
	struct key key;       /* X25519 */
	uint64_t counter;     /* of the record that names us */
	enum watch_state state;
	int64_t heard_ms;   /* mono: last message of any kind */
	int64_t alive_ms;   /* mono: last sign of life; the next one is due a period later */
	bool is_missed;     /* QUIET: look at the next tick */
	bool was_brief;     /* the session that broke: not before WATCH_HEARD_MS have passed */
	bool is_refused;    /* the last dial: nobody listens there; and not heard since */
	int64_t next_ms;    /* LOOKING: the next try; SILENT: the next look */
	int64_t make_ms;    /* mono: make the certificate if nobody has; 0: nothing to make */
	int64_t measure_ms; /* QUIET: ask for the round trip */
	/* the look */
	int64_t began_ms;
	int64_t asked_ms;     /* when others last made us look; 0: never */
	int64_t concluded_ms; /* SILENT: when the look ended */
	unsigned tries;
	uint64_t canaries[WATCH_CANARIES]; /* sessions */
	size_t canaries_count;
	size_t canaries_lost; /* chosen among the lost sessions: they don't answer */
	/* the quorum */
	struct fellow fellows[LIMIT_WATCHERS];
	struct watcher_id ids[LIMIT_WATCHERS];
	size_t fellows_count;
	bool is_resolved; /* the fellows are those of `counter` */
	bool has_signed;
	/* what is remembered */
	unsigned patience;         /* times; 1 .. WATCH_PATIENCE_MAX */
	int64_t patience_until_ms; /* then 1 again */
	int64_t pruned_ms;         /* OUT: when it was pruned with our signature; 0: not so */
	int64_t told_ms;           /* OUT: when it was last sent its certificate; 0: never */
	int64_t keep_ms;
};

/* --- our own watchers ------------------------------------------------------------------------ */

struct guard {
	struct key key;     /* X25519 */
	struct key subject; /* Ed25519 */
	int64_t lost_ms;    /* mono: gone if there is no session by then; 0: there is one */
};

/* Signed against us. */
struct avoided {
	struct key subject; /* Ed25519 */
	int64_t until_ms;
	unsigned times;
};

/* A member session that broke. */
struct lost {
	struct key key; /* X25519 */
	int64_t at_ms;
};

struct watching {
	struct map watched;
	int64_t next_ms;                  /* nothing is due among the watched before this */
	int64_t abstain_until_ms;         /* from what rests on silence */
	int64_t late_ms;                  /* our own ticks, lately; at most WATCH_LATE_MS */
	bool owes;                        /* some fellow is to be told something */
	struct lost lost[WATCH_LOST_MAX]; /* a ring */
	size_t lost_count;                /* ever */

	struct guard guards[LIMIT_WATCHERS];
	size_t guards_count;
	bool has_chosen;
	size_t turn;        /* whose turn it is to hear from us */
	int64_t alive_ms;   /* mono: then */
	int64_t look_ms;    /* mono: look at our watchers then */
	int64_t changed_ms; /* mono: when the choice last changed */
	int64_t started_ms;

	int64_t refute_ms; /* mono: then we come back; TIME_NEVER: not pruned */
	int64_t backoff_ms;
	int64_t pruned_ms; /* mono: the last time; 0: never */
	struct avoided avoided[AVOID_MAX];
	size_t avoided_count;
};

/* watch.c */
/* Others ask for a look. */
void watch_asked(struct step *st, struct mesh *m, struct watched *w);
/* The record that names us, if it is still the one in force; else NULL. */
const struct stmt *watch_record(const struct mesh *m, const struct watched *w);

/* canary.c: is it us who are cut off? */
void canary_lost(struct step *st, struct watching *ws, const struct key *key);
void canary_begin(struct step *st, struct mesh *m, struct watched *w);
bool canary_answered(const struct step *st, const struct watched *w); /* by enough of them */

/* quorum.c */
void quorum_reset(struct watched *w); /* another record, or heard: what was signed is void */
void quorum_begin(struct step *st, struct mesh *m, struct watched *w, bool tell);
/* It is our turn to make a certificate. */
void quorum_make(struct step *st, struct mesh *m, struct watched *w);
/* The member has not answered: sign, if we may, and see whether enough have. */
void quorum_conclude(struct step *st, struct mesh *m, struct watched *w);
void quorum_session(struct step *st, struct session *s); /* tell it what it is owed */
void quorum_message(struct step *st, struct session *s, struct watched *w, const struct msg *msg);

/* guard.c */
void guard_start(struct step *st, struct mesh *m);
void guard_member(struct step *st, struct mesh *m, const struct entry *e);
void guard_tick(struct step *st, struct mesh *m);
int64_t guard_deadline(const struct watching *w);

#endif
