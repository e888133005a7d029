/*
 * Invites and tokens.
 *
 * An invite is a key pair made for it plus limits that its issuer signs.  A token carries the
 * invite's secret, the limits, the mesh key and a few places to dial with the keys expected there.
 * Text: "smeg1_" and base64url of the binary form, whose last 4 bytes are a hash of the rest, so
 * that a cut or mistyped token is told from a foreign one.
 */
#ifndef SMEG_CRDT_INVITE_H
#define SMEG_CRDT_INVITE_H

#include "base/addr.h"
#include "crdt/admit.h"

#define INVITE_LIMITS_BYTES_MAX 512
#define TOKEN_TEXT_BYTES 4096 /* text and terminating 0 */

struct invite_limits {
	struct key issuer;     /* Ed25519 */
	struct key invite_key; /* Ed25519, made for this invite */
	enum role role;
	bool may_bridge;
	uint64_t issued_ms;
	uint64_t expires_ms;
	uint32_t uses;      /* 0: uncounted, any administrator may honour it */
	bool has_for_key;   /* only this key may use it */
	struct key for_key; /* Ed25519 */
};

/* The signed form, as it travels. */
struct invite {
	struct invite_limits limits;
	uint8_t id[INVITE_ID_BYTES]; /* hash of the signed bytes */
	uint8_t raw[INVITE_LIMITS_BYTES_MAX];
	size_t raw_bytes;
};

/* limits->issuer is ignored and set from `issuer`. */
int invite_sign(const struct invite_limits *limits,
                const struct keypair *issuer,
                const struct key *mesh_public,
                struct invite *ret_invite) MUST_CHECK;

/* ERR_MALFORMED, ERR_TRUNCATED, ERR_VERSION, ERR_BAD_SIGNATURE (also: of another mesh). */
int invite_parse(struct bytes raw,
                 const struct key *mesh_public,
                 struct invite *ret_invite) MUST_CHECK;

/* Proof that the holder of the invite's secret wants `joiner` (Ed25519) admitted. */
void invite_prove(const struct keypair *invite_pair,
                  const struct key *joiner,
                  const struct key *mesh_public,
                  struct signature *ret_proof);
int invite_check_proof(const struct invite *invite,
                       const struct key *joiner,
                       const struct key *mesh_public,
                       const struct signature *proof) MUST_CHECK;

/* Where to dial, and whose X25519 key must answer. */
struct bootstrap {
	struct key member;
	struct hostport at;
};

struct token {
	struct key mesh_public;
	char mesh_name[LIMIT_NAME_BYTES + 1]; /* a DNS label; a suggestion to the joiner */
	uint8_t invite_seed[KEY_BYTES];       /* secret */
	struct invite invite;
	struct bootstrap bootstraps[LIMIT_TOKEN_BOOTSTRAPS];
	size_t bootstraps_count; /* >= 1 */
};

/* ERR_TOO_BIG when it does not fit. */
int token_text(const struct token *t, char out[TOKEN_TEXT_BYTES]) MUST_CHECK;

/*
 * Parse and verify: the issuer's signature over the limits, the invite key against its seed.
 * Blanks and line ends around the text are skipped.
 * ERR_TOKEN: not a token at all (no smeg1_); ERR_VERSION: smegN_ of a later version;
 * ERR_TRUNCATED: base64 or check bytes wrong (cut or mistyped); ERR_MALFORMED; ERR_BAD_SIGNATURE.
 * Does not look at expiry.
 */
int token_parse(const char *text, size_t chars, struct token *ret_t) MUST_CHECK;
void token_fini(struct token *t); /* wipes */

#endif
