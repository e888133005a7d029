/*
 * Keys and statements for tests: the same ones in every run, named by small numbers.
 *
 * Statements are signed for real and belong to the fixture's allocator; free them by
 * fixture_drop(), and fixture_fini() proves that none was forgotten.
 */
#ifndef SMEG_TESTS_UNIT_CRDT_FIXTURE_H
#define SMEG_TESTS_UNIT_CRDT_FIXTURE_H

#include "tests/unit/memtest.h"

#include "crdt/set.h"

#define FIXTURE_ADMINS 3
#define FIXTURE_MEMBERS 6
#define FIXTURE_NOW_MS 1700000000000LL

struct fixture {
	struct memtest mt;
	struct keypair mesh;
	struct keypair other_mesh;
	struct keypair admins[FIXTURE_ADMINS];
	struct keypair members[FIXTURE_MEMBERS];
};

void fixture_init(struct fixture *f);
void fixture_fini(struct fixture *f); /* asserts that nothing leaked */

/* A key pair for each pair of numbers. */
void fixture_pair(struct keypair *ret_pair, uint8_t kind, uint8_t n);

struct stmt *fixture_appoint(struct fixture *f, size_t admin, uint64_t ms);

/* `stay`: member numbers, ended by -1; NULL: none. */
struct stmt *fixture_revoke(struct fixture *f, size_t admin, uint64_t ms, const int *stay);
struct stmt *fixture_revoke_stolen(struct fixture *f, size_t admin, uint64_t ms);
struct stmt *fixture_admission(
	struct fixture *f, size_t admin, size_t member, enum role role, uint64_t ms);
struct stmt *fixture_expel(struct fixture *f, size_t admin, size_t member, uint64_t ms);

/* With that many of the other members as watchers, and `variant` in its description. */
struct fixture_record {
	size_t member;
	uint64_t counter;
	enum role role;
	size_t watchers;
	char variant;
};
struct stmt *fixture_record(struct fixture *f, const struct fixture_record *r);

/* Name so many members from number `first` on as the watchers of *r, in order. */
void fixture_watchers(const struct fixture *f, struct record *r, size_t first, size_t count);

struct stmt *fixture_leave(struct fixture *f, size_t member, const struct stmt *record);

/* By the record's watchers from number `first` on, as many as the quorum. */
struct stmt *fixture_prune(struct fixture *f, const struct stmt *record, size_t first);

void fixture_drop(struct fixture *f, struct stmt *s);

/* A set of the fixture's mesh. */
struct set *fixture_set(struct fixture *f);

/* Offer at FIXTURE_NOW_MS, untrusted; returns the outcome. */
struct offered fixture_offer(struct set *s, const struct stmt *stmt);

/* Offer, asserting that it is new. */
void fixture_merge(struct set *s, const struct stmt *stmt);

enum standing fixture_standing(struct fixture *f, const struct set *s, size_t member);

/* A copy of the bytes of a statement, for breaking. */
struct fixture_bytes {
	uint8_t at[LIMIT_STATEMENT_BYTES];
	size_t count;
};
void fixture_copy(const struct stmt *s, struct fixture_bytes *out);

#endif
