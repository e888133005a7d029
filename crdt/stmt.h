/*
 * A statement: immutable signed bytes about one member of one mesh, with what was read from its
 * envelope.  The bytes are kept, stored and forwarded exactly as received; nothing is ever encoded
 * again to be verified, and fields that this version does not know are kept with them.
 *
 * Common form: kind u8 | version u8 | ... .  The mesh is not in the bytes: every signature covers
 * label || 0 || mesh public key || bytes (docs/protocol/statements.md), so a statement of another
 * mesh fails to verify.
 */
#ifndef SMEG_CRDT_STMT_H
#define SMEG_CRDT_STMT_H

#include "base/bytes.h"
#include "base/key.h"
#include "base/limits.h"

struct mem;

enum stmt_kind {
	STMT_APPOINT = 1,   /* mesh key: this key is an administrator */
	STMT_REVOKE = 2,    /* mesh key: it is no longer; lists the members whose admission stays */
	STMT_ADMISSION = 3, /* issuer: this key is admitted, in this role */
	STMT_RECORD = 4,    /* owner: signed header and body; the add entry */
	STMT_REMOVE = 5,    /* the covered header, a cause, an authority; the remove entry */
	STMT_EXPEL = 6,     /* administrator: this key is out for good */
};

enum role {
	ROLE_PEER = 1,
	ROLE_CLIENT = 2,
};

/* Causes of removes; the greater wins among removes of one counter. */
enum cause {
	CAUSE_PRUNE = 1,
	CAUSE_LEAVE = 2,
};

/* A sum of hashes, mod 2^128. */
struct digest_sum {
	uint64_t high;
	uint64_t low;
};

struct stmt {
	uint32_t refs;
	enum stmt_kind kind : 8;
	uint8_t cause;      /* remove: enum cause; revoke: 1; else 0 */
	bool is_pooled;     /* shared between sets: see crdt/pool.h */
	struct key member;  /* X25519 form of the key it is about: the key of the sets */
	struct key subject; /* the same, Ed25519 form */
	struct key signer;  /* Ed25519: owner, issuer, administrator; remove: the owner; appoint and
	                       revoke: zero, as the mesh key is not in the bytes */
	uint64_t counter; /* record: its own; remove: the covered one; else when issued, Unix ms */
	uint8_t hash[16]; /* breaks ties; record: of the header; remove: zero; else of all bytes */
	struct digest_sum digest; /* its share in the digest of a set that holds it */
	struct bytes raw;         /* the whole statement; lives as long as this struct */
};

/*
 * Read the envelope of `raw` and check every bound and the form of every field that this version
 * knows (also in a record's body).  Verifies no signature: see stmt_verify().
 *
 * raw   copied.
 * Returns a statement with one reference, in *ret_stmt; ERR_MALFORMED, ERR_TRUNCATED, ERR_TOO_BIG,
 * ERR_VERSION, ERR_BAD_KEY, -ENOMEM.
 */
int stmt_parse(const struct mem *m, struct bytes raw, struct stmt **ret_stmt) MUST_CHECK;

/*
 * Verify all signatures in the statement against the mesh: the owner's, the issuer's, the quorum's,
 * the mesh key's.  Whether an issuer is an administrator is the set's question, not this one's.
 * 0 or ERR_BAD_SIGNATURE (also for too small a quorum, or one not named by the covered header).
 */
int stmt_verify(const struct stmt *s, const struct key *mesh_public) MUST_CHECK;

struct stmt *stmt_ref(struct stmt *s);
void stmt_unref(const struct mem *m, struct stmt *s); /* NULL is fine */

/*
 * The hash of its register and content, as it counts in the digest of a set; so two that are the
 * same for merging have the same.  Not hashed here: it is kept with the statement.
 */
void stmt_digest16(const struct stmt *s, uint8_t out[16]);

/* Order of two statements of one register: (counter, cause, hash).  0: the same for merging. */
int stmt_compare(const struct stmt *a, const struct stmt *b);

#endif
