/*
 * Keys: 32 raw bytes, compared as raw bytes (never as base64, whose order differs), printed as
 * base64.  A member has one key pair: an Ed25519 key whose public half has sign bit 0, so that its
 * X25519 form (also its WireGuard key) maps back to exactly one Ed25519 key.
 */
#ifndef SMEG_BASE_KEY_H
#define SMEG_BASE_KEY_H

#include "base/defs.h"

#define KEY_BYTES 32
#define KEY_TEXT_BYTES 45 /* base64 and the terminating 0 */
#define SIGNATURE_BYTES 64
#define KEY_LABEL_MAX 63 /* characters of a signature's label */

struct rng;

/* Any public key or 32-byte hash. */
struct key {
	uint8_t b[KEY_BYTES];
};

struct signature {
	uint8_t b[SIGNATURE_BYTES];
};

/* A signing key pair and its X25519 form.  Secret: wipe with keypair_fini(). */
struct keypair {
	uint8_t seed[KEY_BYTES];       /* all else follows from it */
	uint8_t sign_secret[64];       /* libsodium's Ed25519 secret key */
	struct key sign_public;        /* Ed25519, sign bit 0 */
	uint8_t box_secret[KEY_BYTES]; /* X25519, clamped */
	struct key box_public;         /* X25519: what people see, WireGuard's key */
};

int key_compare(const struct key *a, const struct key *b);
bool key_equal(const struct key *a, const struct key *b);
bool key_is_zero(const struct key *k);

/* Standard base64 with padding, as wg(8) prints. */
void key_text(const struct key *k, char out[KEY_TEXT_BYTES]);

/* The first 8 characters of the text: for logs. */
void key_short_text(const struct key *k, char out[9]);

/* Exactly 44 characters of canonical base64.  ERR_BAD_KEY otherwise. */
int key_parse(struct key *ret_k, const char *text) MUST_CHECK;

/* Draws seeds until the public key's sign bit is 0. */
void keypair_generate(struct keypair *ret_pair, struct rng *rng);

/* ERR_BAD_KEY when the seed's public key has sign bit 1 (it is then no member key). */
int keypair_from_seed(struct keypair *ret_pair, const uint8_t seed[KEY_BYTES]) MUST_CHECK;
void keypair_fini(struct keypair *pair);

/*
 * The X25519 form of an Ed25519 public key.  ERR_BAD_KEY when the sign bit is set, the point is not
 * on the curve, of small order, not canonical, or does not convert.
 */
int key_to_box(const struct key *sign_public, struct key *ret_box) MUST_CHECK;

/*
 * Ed25519 over label || 0 || message; the label (1..KEY_LABEL_MAX characters) keeps kinds of
 * statement apart.  `bytes` <= LIMIT_STATEMENT_BYTES (asserted): longer things are hashed first.
 */
void key_sign(const struct keypair *pair,
              const char *label,
              const void *msg,
              size_t bytes,
              struct signature *ret_sig);

/* 0 or ERR_BAD_SIGNATURE; also when `bytes` exceeds what key_sign() takes. */
int key_verify(const struct key *sign_public,
               const char *label,
               const void *msg,
               size_t bytes,
               const struct signature *sig) MUST_CHECK;

/*
 * BLAKE2b of `msg`, `out_bytes` (16..64) long, personalised by `label` (1..16 characters).
 * Two labels never collide.
 */
void hash_labelled(const char *label, const void *msg, size_t bytes, void *out, size_t out_bytes);

#endif
