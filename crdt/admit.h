/*
 * Authority: the mesh key appoints and revokes administrators, administrators admit and expel.
 */
#ifndef SMEG_CRDT_ADMIT_H
#define SMEG_CRDT_ADMIT_H

#include "crdt/stmt.h"

#define INVITE_ID_BYTES 16
#define MESH_ID_CHARS 16
#define MESH_ID_BYTES (MESH_ID_CHARS + 1)

/* First 16 characters of lower-case base32 of a labelled hash of the mesh public key. */
void mesh_id_of(const struct key *mesh_public, char out[MESH_ID_BYTES]);

struct admission {
	struct key subject; /* Ed25519 of the member */
	struct key issuer;  /* Ed25519 of the administrator */
	enum role role;     /* ROLE_PEER may also act as client; a client may not act as peer */
	bool may_bridge;
	uint64_t issued_ms;
	uint8_t invite[INVITE_ID_BYTES]; /* zero: without an invite */
};

/* a->issuer is ignored and set from `issuer`. */
int admission_sign(const struct mem *m,
                   const struct admission *a,
                   const struct keypair *issuer,
                   const struct key *mesh_public,
                   struct stmt **ret_stmt) MUST_CHECK;
void admission_read(const struct stmt *s, struct admission *ret_a);

/* By the mesh key (here any Ed25519 pair; its sign bit does not matter). */
int appoint_sign(const struct mem *m,
                 const struct key *administrator,
                 uint64_t issued_ms,
                 const struct keypair *mesh,
                 struct stmt **ret_stmt) MUST_CHECK;

/*
 * An administrator whose key was stolen is another case than one who goes: whoever has the key can
 * sign expels and date them back, so is_stolen voids all its expels.  Sign again beforehand, by
 * another administrator, those that shall stand.
 */
struct revocation {
	struct key administrator; /* Ed25519 */
	uint64_t issued_ms;
	bool is_stolen;         /* its expels are void; else they stay in force */
	const struct key *stay; /* X25519: members whose admission by it remains valid; any order */
	size_t stay_count;
};

/* ERR_TOO_BIG beyond some 230 members that stay. */
int revoke_sign(const struct mem *m,
                const struct revocation *r,
                const struct keypair *mesh,
                struct stmt **ret_stmt) MUST_CHECK;
bool revoke_lets_stay(const struct stmt *revoke, const struct key *member);
bool revoke_is_stolen(const struct stmt *revoke);

struct expulsion {
	struct key subject; /* Ed25519 */
	uint64_t issued_ms;
	bool keep_invites; /* what the expelled member issued stays valid */
};

int expel_sign(const struct mem *m,
               const struct expulsion *x,
               const struct keypair *administrator,
               const struct key *mesh_public,
               struct stmt **ret_stmt) MUST_CHECK;
bool expel_keeps_invites(const struct stmt *expel);

#endif
