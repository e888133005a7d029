/*
 * The inside of a set, shared by its files: set.c (offers), entry.c (one member), digest.c, age.c.
 */
#ifndef SMEG_CRDT_SET_PRIV_H
#define SMEG_CRDT_SET_PRIV_H

#include "crdt/set.h"

/* A chain ascends by signer and has each signer once. */
struct held {
	struct held *next;
	struct stmt *stmt;
};

/* One administrator, ever appointed. */
struct admin {
	struct map_node node;
	struct key subject; /* Ed25519; the map's key */
	struct stmt *stmt;  /* the greatest appoint or revoke */
};

struct set {
	const struct mem *mem;
	struct key mesh_public;
	int64_t life_ms;
	size_t members_max;
	struct map members;  /* struct entry, by X25519 key */
	struct map subjects; /* the same, by Ed25519 key */
	struct map admins;   /* struct admin, by Ed25519 key */
	uint64_t floor;
	size_t shown_count; /* members that are not passing */
	size_t group_count;
	struct digest_sum mesh_sum;    /* of the mesh key's statements */
	struct digest_sum members_sum; /* of all entries */
};

/* --- set.c --- */

struct offer_terms {
	struct instant now;
	bool trusted;
};

/*
 * set_offer() behind the parser: a statement from stmt_scan(), or one that was parsed elsewhere and
 * brings its member key along (borrowed; what is kept is a copy).  0 or -ENOMEM.
 */
int set_offer_scanned(struct set *s,
                      const struct stmt *scanned,
                      const struct offer_terms *terms,
                      struct offered *ret_offered) MUST_CHECK;

/* --- digest.c --- */

/* The hash of one register's content; the signer counts where there is a register for each. */
struct digest_sum digest_of(const struct stmt *stmt);
void digest_add(struct digest_sum *sum, const struct digest_sum *other);
void digest_subtract(struct digest_sum *sum, const struct digest_sum *other);
void digest_bytes(const struct digest_sum *sum, uint8_t out[DIGEST_BYTES]);
void digest_fingerprint(const struct digest_sum *sum, uint8_t out[FINGERPRINT_BYTES]);

/* --- entry.c --- */

struct admin *admin_find(const struct set *s, const struct key *sign_public);
struct entry *entry_find(const struct set *s, const struct key *subject);

/* An empty entry, in the maps; NULL when out of memory. */
struct entry *entry_new(struct set *s,
                        const struct key *member,
                        const struct key *subject) MUST_CHECK;

/* Takes the entry out of the maps and frees it with all it holds. */
void entry_free(struct set *s, struct entry *e);

/* The statement of this signer, or NULL. */
struct stmt *chain_find(const struct held *chain, const struct key *signer);

/* Put `stmt` (taken) in the place of its signer.  0 or -ENOMEM (then not taken). */
int chain_put(const struct mem *m, struct held **chain, struct stmt *stmt) MUST_CHECK;
void chain_free(const struct mem *m, struct held **chain);

/* Bring all that is derived up to date: after a change of the entry's registers. */
void entry_update(struct set *s, struct entry *e);

/* The standing only: after a change of the mesh key's statements. */
void entry_judge(struct set *s, struct entry *e);

/* Do the admissions count: is there a record, a remove, or one that is young?  See set_age(). */
bool entry_is_live(const struct set *s, const struct entry *e);

bool expel_in_force(const struct set *s, const struct stmt *expel);

#endif
