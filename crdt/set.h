/*
 * One mesh's replicated state: a map from member keys to registers, and the mesh key's statements.
 *
 * Registers per member: the greatest record, the greatest remove, the greatest admission of each
 * issuer, the greatest expel of each issuer.  Mesh statements: the greatest appoint-or-revoke per
 * administrator.  "Greatest" is stmt_compare().  Merging takes the greater of each register, so it
 * is idempotent, commutative and associative; what is in the group is a function of the registers
 * alone, never of the order of arrival.  A statement is kept only if its signatures verify and, for
 * records and removes, only if the member has an admission whose issuer was ever appointed
 * (strangers can't fill memory).
 *
 *   in the group <=> admitted by an issuer in force, not expelled, record's role within the
 *                    admission, and record counter > remove counter (or no remove)
 */
#ifndef SMEG_CRDT_SET_H
#define SMEG_CRDT_SET_H

#include "base/clock.h"
#include "crdt/admit.h"
#include "crdt/record.h"

#define DIGEST_BYTES 16

struct set;

/* The state of one member, derived. */
enum standing {
	STANDING_ADMITTED, /* admitted, but without a record in force yet */
	STANDING_IN,       /* in the group */
	STANDING_LEFT,
	STANDING_PRUNED,
	STANDING_EXPELLED,
	STANDING_VOID, /* no admission in force (its issuer was revoked), or role exceeded */
};

/* A chain ascends by kind (admissions, then expels), then signer, and has each signer once. */
struct held {
	struct held *next;
	struct stmt *stmt; /* NULL: the chain is empty (only in the link inside an entry) */
};

/*
 * Registers of one key.  Read-only outside the set.  Replicas cloned from each other share entries
 * until one of them changes; a pointer to an entry holds until the next change of the set.
 */
struct entry {
	struct key member;          /* X25519 */
	struct stmt *record;        /* NULL: none */
	struct stmt *remove;        /* NULL: none */
	struct held held;           /* administrators' statements; the first link is in place */
	uint32_t refs;              /* sets that share this */
	enum standing standing : 8; /* kept up to date by the set */
	bool is_live : 1;           /* its admissions count; see set_age() */
	bool is_passing : 1;        /* see set_age(); such an entry is not shown */
	uint32_t front : 16;        /* of the key that statements name: its first bytes */
};

struct stmt_pool;

struct set_options {
	const struct mem *mem;  /* borrowed */
	struct stmt_pool *pool; /* borrowed; NULL: none (see crdt/pool.h) */
	struct key mesh_public; /* Ed25519 */
	int64_t life_ms;
	size_t members_max;
};

int set_new(const struct set_options *options, struct set **ret_set) MUST_CHECK;
void set_free(struct set *s);

/*
 * A replica of its own that holds the same, with the same options (mem and pool too): O(members)
 * copies of pointers.  Either may be changed and freed first.  For simulators, which would else
 * merge every member into every replica.
 */
int set_clone(const struct set *from, struct set **ret_set) MUST_CHECK;

enum offer {
	OFFER_NEW,     /* a register moved up: relay and store */
	OFFER_KNOWN,   /* we hold exactly this or something greater */
	OFFER_REFUSED, /* see err */
};

struct offered {
	enum offer offer;
	int err;              /* refused: ERR_STALE, ERR_AHEAD, ERR_NOT_ADMITTED, ERR_BAD_SIGNATURE,
	                         ERR_NOT_AUTHORISED, ERR_LIMIT, or a parser's */
	struct stmt *stmt;    /* borrowed from the set when new; else NULL */
	struct entry *entry;  /* of the member when new; NULL for appoint and revoke */
	enum standing before; /* standing before the change (VOID if no entry was shown) */
	bool roster_changed;  /* appoint, revoke: the standing of any member may have changed */
};

/*
 * Offer one statement's bytes.  Cheap for what is known: signatures are verified only for what
 * would move a register up.  Hostile bytes are not an error: they come back as OFFER_REFUSED.
 *
 * now      for "too far ahead" and "older than life".
 * trusted  from our own disk: signatures are not verified again, and of the dates only the floor
 *          counts (the clock may be wrong at start, and what we hold must not hang on it).
 * Returns 0 or -ENOMEM.
 */
int set_offer(struct set *s,
              struct bytes raw,
              struct instant now,
              bool trusted,
              struct offered *ret_offered) MUST_CHECK;

const struct key *set_mesh_public(const struct set *s);

/*
 * Members in key order, without passing ones.  set_at(): the i-th, NULL at the end, O(1);
 * set_rank(): the position of the first whose key is not less.  Any change of the set moves them.
 */
const struct entry *set_find(const struct set *s, const struct key *member); /* NULL: not there */
const struct entry *set_at(const struct set *s, size_t i);
size_t set_rank(const struct set *s, const struct key *member);
size_t set_count(const struct set *s);
size_t set_group_count(const struct set *s); /* STANDING_IN */
/* The first at *at or behind it that is STANDING_IN, and where; NULL: there is none. */
const struct entry *set_group_next(const struct set *s, size_t *at);

#define set_for_each(entry, i, set) for (size_t i = 0; ((entry) = set_at((set), i)) != NULL; i++)

/* The same of the group; others are not looked at. */
#define set_for_each_in(entry, i, set) \
	for (size_t i = 0; ((entry) = set_group_next((set), &i)) != NULL; i++)

/* The member's Ed25519 key. */
const struct key *entry_subject(const struct entry *e);

/* The greatest admission in force, or NULL.  `s` is the set that the entry is of. */
const struct stmt *entry_admission(const struct set *s, const struct entry *e);

/* Appointed and not revoked. */
bool set_is_administrator(const struct set *s, const struct key *sign_public);

/*
 * May an invite by this issuer (Ed25519) still be honoured: appointed, not revoked, and not
 * expelled, unless every expel in force says that its invites are kept.
 */
bool set_honours_invites_of(const struct set *s, const struct key *issuer);

/* 16-byte multiset hash over all registers: equal digests, equal replicas.  O(1). */
void set_digest(const struct set *s, uint8_t out[DIGEST_BYTES]);

/*
 * Walk the statements of one member (member != NULL) or of the mesh key (member == NULL), in an
 * order in which a fresh replica accepts them (expels, admissions, remove, record: a member that is
 * out is never in on the way).  The mesh key's go before all members'.  Ends early with what
 * `visit` returns, if that is not 0.
 */
typedef int set_visit(void *ctx, const struct stmt *stmt);
int set_visit_member(const struct set *s, const struct key *member, set_visit *visit, void *ctx)
	MUST_CHECK;

/* The same for all: the mesh key's statements first, then each member's, in key order. */
int set_visit_all(const struct set *s, set_visit *visit, void *ctx) MUST_CHECK;

/*
 * Forget what is older than life.  The floor is the greatest now - life ever acted on.
 *
 * Records and removes go by their counter.  Admissions go when the member has neither a record nor
 * a remove left and none of its admissions is younger than the floor.  An old admission that
 * arrives alone may be the first half of a member that we have not seen: it is kept but passing,
 * which is not shown, not digested and not sent, until a record comes or the floor rises.  Expels,
 * appointments and revocations stay for ever.
 *
 * A node that was away for longer than `life` forgets its own admission here: sign the new record
 * first, or keep the admission and offer it again.
 *
 * dropped  called (may be NULL) with each statement before it goes.
 * Returns 0, or -ENOMEM where an entry has to be copied because a clone shares it.
 */
int set_age(struct set *s,
            struct instant now,
            void (*dropped)(void *ctx, const struct stmt *stmt),
            void *ctx) MUST_CHECK;
uint64_t set_floor(const struct set *s);
/* From disk; never lowers; forgets too. */
int set_raise_floor(struct set *s, uint64_t floor_ms) MUST_CHECK;

/* The next counter for an owner: max(last + 1, Unix ms). */
uint64_t counter_next(uint64_t last, int64_t unix_ms);

#endif
