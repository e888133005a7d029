/*
 * What the files about beats share:
 *
 *	lead.c      who leads: silence, turns, taking over
 *	beat.c      beats on their way: checks, relaying, proofs
 *	beat_ack.c  how many have had ours
 */
#ifndef SMEG_SMEGD_CORE_BEAT_PRIV_H
#define SMEG_SMEGD_CORE_BEAT_PRIV_H

#include "crdt/beat.h"
#include "smegd/core/gossip_priv.h"
#include "smegd/core/node_priv.h"

#define BEAT_MISSED 3               /* intervals of silence after which a leader is deposed */
#define BEAT_TRIES 3u               /* members that may try to take over in one round */
#define BEAT_TURN_MS 500            /* between the turns of a round */
#define BEAT_SETTLE_MS 100          /* for the news that a leader is out to get about */
#define BEAT_PASSED_MS MS_PER_HOUR  /* who let its turn go by has no further one so long */
#define BEAT_SKIP_MS MS_PER_DAY     /* after a proof of equivocation */
#define BEAT_SKIPS_MAX 64u          /* members that are skipped at one time */
#define BEAT_CHECKS 16u             /* verifications a second */
#define BEAT_DOUBT_MS MS_PER_MINUTE /* nothing is taken from who brought a forged one */
#define BEAT_DOUBTS 16u             /* such neighbours that are remembered */
#define BEAT_WAITS 8u               /* beats whose acknowledgements are being summed */
#define BEAT_WAIT_MS 800            /* for them, at the root; each level below: */
#define BEAT_WAIT_LESS_MS 150       /* so much less */
#define BEAT_WAIT_MIN_MS 100

/* A member that has beaten, or let its turn go by. */
struct beater {
	struct map_node node;      /* in beats.beaters */
	struct key key;            /* X25519 */
	uint64_t number;           /* of its last accepted beat; 0: none */
	uint8_t raw[BEAT_BYTES];   /* that beat */
	int64_t at_ms;             /* mono: when it came */
	int64_t passed_until_ms;   /* mono */
	int64_t skipped_until_ms;  /* mono */
	uint8_t other[BEAT_BYTES]; /* while skipped: with `raw` the proof */
	uint8_t told;              /* trees (enum way) in which the beat has gone on */
	uint8_t proof_told;        /* the same, the proof */
};

/* Who may take office, in the order of their turns. */
struct round {
	int64_t at_ms;                     /* mono: the first turn */
	struct key contenders[BEAT_TRIES]; /* zero: has left the group since */
	size_t count;
};

/* Acknowledgements of one beat that are being summed. */
struct beat_wait {
	bool is_used;
	uint64_t number;
	uint64_t session; /* whom to tell; 0: the beat is ours */
	size_t waiting;   /* answers still to come */
	uint32_t sum;
	int64_t until_ms; /* mono */
};

struct beat_doubt {
	struct key who; /* X25519 of a neighbour */
	int64_t until_ms;
};

struct beats {
	struct map beaters;
	int64_t started_ms;
	int64_t may_ms;  /* mono: we do not beat before */
	bool has_leader; /* else the office is vacant */
	struct key leader;
	int64_t heard_ms; /* mono: last accepted beat of the leader, or ours */
	int64_t fresh_ms; /* mono: last accepted beat of anybody */
	int64_t next_ms;  /* mono: our next beat, while we lead */
	uint64_t last;    /* number of our last beat */
	struct round round;
	unsigned differing; /* beats in a row with another digest than ours */
	struct beat_wait waits[BEAT_WAITS];
	uint32_t acknowledged; /* members that have had our last beat */
	int64_t second_ms;     /* mono: since when `checks` counts */
	unsigned checks;
	struct beat_doubt doubts[BEAT_DOUBTS];
	size_t next_doubt;
};

/* --- beat_ack.c ------------------------------------------------------------------------------- */

void beat_acknowledge(struct step *st, const struct session *s, uint64_t number, uint32_t count);
/* For so many answers to what came from `from` (NULL: from us) and has gone on. */
void beat_wait(
	struct step *st, struct mesh *m, const struct session *from, uint64_t number, size_t count);
void beat_on_ack(struct step *st, struct session *s, const struct msg *msg);
void beat_end_late_waits(struct step *st, struct mesh *m);

/* --- lead.c ----------------------------------------------------------------------------------- */

struct beater *beater_find(const struct mesh *m, const struct key *k);
struct beater *beater_make(struct step *st,
                           struct mesh *m,
                           const struct key *k); /* NULL: st->err */

/* May this member lead at all: a peer in the group that others can dial, and not skipped. */
bool lead_may(const struct mesh *m, const struct entry *e, int64_t now_ms);
/* Is there no such member but us? */
bool lead_is_alone(const struct mesh *m, int64_t now_ms);
/* Would a beat of this one count now? */
bool lead_would_take(const struct mesh *m, const struct key *k, int64_t now_ms);
/* It has beaten (we too): it leads, and the next round begins. */
void lead_take(struct step *st, struct mesh *m, const struct key *k);
/* The office is vacant; the first turn is at at_ms. */
void lead_vacate(struct step *st, struct mesh *m, int64_t at_ms);
/* Depose who is silent, begin the next round; true: it is our turn to beat. */
bool lead_tick(struct step *st, struct mesh *m);
int64_t lead_deadline(const struct mesh *m);

#endif
