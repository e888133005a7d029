/*
 * The inside of a set, shared by its files: set.c (looking), offer.c, entry.c and held.c (one
 * member), index.c, digest.c, age.c.
 */
#ifndef SMEG_CRDT_SET_PRIV_H
#define SMEG_CRDT_SET_PRIV_H

#include "base/map.h"
#include "crdt/set.h"

/* One administrator, ever appointed. */
struct admin {
	struct map_node node;
	struct key subject; /* Ed25519; the map's key */
	struct stmt *stmt;  /* the greatest appoint or revoke */
};

/* Entries, ascending by one of their two keys. */
struct index {
	bool is_by_subject; /* else by member */
	struct entry **list;
	size_t count;
	size_t cap;
};

/* Which of the shown ones are in. */
struct group {
	uint64_t *words;
	size_t words_count;
	size_t count; /* of those that are */
};

struct set {
	const struct mem *mem;
	struct stmt_pool *pool; /* NULL: none */
	struct key mesh_public;
	int64_t life_ms;
	size_t members_max;
	struct index all;   /* by subject; each holds a reference */
	struct index shown; /* by member, without passing ones */
	struct group group; /* of the shown ones, by their places */
	struct map admins;  /* struct admin, by Ed25519 key */
	uint64_t floor;
	struct digest_sum mesh_sum;    /* of the mesh key's statements */
	struct digest_sum members_sum; /* of all entries */
};

_Static_assert(sizeof(void *) > 8 || sizeof(struct entry) <= 72,
               "a member costs 80 bytes, and two pointers");

/* --- offer.c --- */

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

void digest_add(struct digest_sum *sum, const struct digest_sum *other);
void digest_subtract(struct digest_sum *sum, const struct digest_sum *other);
void digest_bytes(const struct digest_sum *sum, uint8_t out[DIGEST_BYTES]);

/* --- group.c --- */

/* A place for one more, that is not in yet; with it there are `entries`.  0 or -ENOMEM. */
int group_insert(const struct mem *m, struct group *g, size_t at, size_t entries) MUST_CHECK;
void group_remove(struct group *g, size_t at);
void group_set(struct group *g, size_t at, bool in);
void group_rebuild(struct group *g, const struct index *shown);
size_t group_next(const struct group *g, size_t from); /* SIZE_MAX: there is none */
int group_copy(const struct mem *m, const struct group *from, struct group *ret) MUST_CHECK;

/* --- index.c --- */

/* The first two bytes of a key, as a number. */
uint16_t index_front(const struct key *k);
/* The position of the first entry whose key is not less. */
size_t index_rank(const struct index *x, const struct key *key);
struct entry *index_find(const struct index *x, const struct key *key); /* NULL: not there */

/* 0 or -ENOMEM.  Its key is not in the index yet. */
int index_insert(const struct mem *m, struct index *x, struct entry *e) MUST_CHECK;
void index_remove(struct index *x, const struct entry *e);

/* Put `to` in the place of `from`, which has the same key. */
void index_replace(struct index *x, const struct entry *from, struct entry *to);

/* A copy of the pointers alone; *ret has no list yet. */
int index_copy(const struct mem *m, const struct index *from, struct index *ret) MUST_CHECK;

/* --- held.c: the administrators' statements of an entry --- */

/* The first link, or NULL. */
const struct held *held_first(const struct entry *e);

/* The first link of this kind, or NULL; held_next(): the next of the same kind. */
const struct held *held_of(const struct entry *e, enum stmt_kind kind);
const struct held *held_next(const struct held *h);

#define held_for_each(h, e, kind) for (h = held_of(e, kind); h; h = held_next(h))

/* This signer's statement, or NULL. */
struct stmt *held_find(const struct entry *e, enum stmt_kind kind, const struct key *signer);

/* Put `stmt` (referenced) in the place of its signer.  0 or -ENOMEM. */
int held_put(const struct mem *m, struct entry *e, struct stmt *stmt) MUST_CHECK;
void held_drop(const struct mem *m, struct entry *e, enum stmt_kind kind);

/* The same chain for a copy, with references of its own.  0 or -ENOMEM (then it is empty). */
int held_copy(const struct mem *m, const struct held *from, struct held *ret) MUST_CHECK;
void held_free(const struct mem *m, struct held *held);

/* --- entry.c --- */

struct admin *admin_find(const struct set *s, const struct key *sign_public);
struct entry *entry_find(const struct set *s, const struct key *subject);

/* An entry with its first statement (of an administrator; referenced); NULL: out of memory. */
struct entry *entry_new(struct set *s, struct stmt *stmt) MUST_CHECK;

/*
 * Around a change of registers.  Open: the entry to change, which is another one if it was shared;
 * NULL: out of memory.  Close: all that is derived is brought up to date; 0 or -ENOMEM.
 */
struct entry *entry_open(struct set *s, struct entry *e) MUST_CHECK;
int entry_close(struct set *s, struct entry *e) MUST_CHECK;

/* Give back the set's reference; it must be out of the indexes, and of what is summed. */
void entry_unref(const struct mem *m, struct entry *e);

struct digest_sum entry_sum(const struct entry *e);

/* The standing only: after a change of the mesh key's statements.  0 or -ENOMEM. */
int entry_judge(struct set *s, struct entry *e) MUST_CHECK;

bool expel_in_force(const struct set *s, const struct stmt *expel);

#endif
