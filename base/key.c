/*
 * Keys, signatures and labelled hashes: the only place that knows which primitives we use.
 *
 * A member signs with Ed25519 (RFC 8032) and WireGuard uses X25519 (RFC 7748).  The birational map
 * u = (1 + y) / (1 - y) forgets the sign of x, so two Ed25519 keys share each X25519 key.  We admit
 * only those whose encoded sign bit is 0: then the X25519 form names exactly one member key, and
 * nobody can claim another's WireGuard key.
 *
 * key_to_box() is the gate for foreign keys.  libsodium refuses points that are off the curve, of
 * small order, or outside the prime-order subgroup.  That covers second encodings of one point
 * (y + p for y) too: there are 19, and none of their points lies in that subgroup; a test tries
 * all.
 *
 * A signature covers label || 0 || message.  A label holds no 0, so no two pairs of label and
 * message give the same bytes.  libsodium wants them in one piece; without an allocator that means
 * a buffer on the stack, and so a bound on the message.  Rejected: Ed25519ph, which streams, but is
 * another signature scheme than the one that everybody can check; and Ed25519 put together from
 * scalar arithmetic, which is how such code goes wrong.
 */
#include "base/key.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/rng.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define SIGN_BYTES_MAX (KEY_LABEL_MAX + 1 + LIMIT_STATEMENT_BYTES)

_Static_assert(KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "an Ed25519 public key");
_Static_assert(KEY_BYTES == crypto_sign_SEEDBYTES, "an Ed25519 seed");
_Static_assert(KEY_BYTES == crypto_scalarmult_curve25519_BYTES, "an X25519 key");
_Static_assert(SIGNATURE_BYTES == crypto_sign_BYTES, "an Ed25519 signature");
_Static_assert(KEY_TEXT_BYTES ==
                       sodium_base64_ENCODED_LEN(KEY_BYTES, sodium_base64_VARIANT_ORIGINAL),
               "base64 with padding and the terminating 0");

static bool key_sign_bit(const struct key *k)
{
	return k->b[KEY_BYTES - 1] & 0x80;
}

/* label || 0 || msg into `out`; returns the count of bytes. */
static size_t signed_bytes(uint8_t out[SIGN_BYTES_MAX],
                           const char *label,
                           const void *msg,
                           size_t bytes)
{
	size_t label_bytes = strlen(label);

	assert(label_bytes > 0);
	assert(label_bytes <= KEY_LABEL_MAX);
	assert(bytes <= LIMIT_STATEMENT_BYTES);
	memcpy(out, label, label_bytes + 1);
	if (bytes > 0)
		memcpy(out + label_bytes + 1, msg, bytes);
	return label_bytes + 1 + bytes;
}

int key_compare(const struct key *a, const struct key *b)
{
	return memcmp(a->b, b->b, KEY_BYTES);
}

bool key_equal(const struct key *a, const struct key *b)
{
	return memcmp(a->b, b->b, KEY_BYTES) == 0;
}

bool key_is_zero(const struct key *k)
{
	return sodium_is_zero(k->b, KEY_BYTES);
}

void key_text(const struct key *k, char out[KEY_TEXT_BYTES])
{
	sodium_bin2base64(out, KEY_TEXT_BYTES, k->b, KEY_BYTES, sodium_base64_VARIANT_ORIGINAL);
}

void key_short_text(const struct key *k, char out[9])
{
	char text[KEY_TEXT_BYTES];

	key_text(k, text);
	memcpy(out, text, 8);
	out[8] = 0;
}

int key_parse(struct key *ret_k, const char *text)
{
	struct key k = { { 0 } };
	char back[KEY_TEXT_BYTES];
	size_t count = 0;

	if (strnlen(text, KEY_TEXT_BYTES) != KEY_TEXT_BYTES - 1)
		return ERR_BAD_KEY;
	if (sodium_base642bin(k.b, KEY_BYTES, text, KEY_TEXT_BYTES - 1, NULL, &count, NULL,
	                      sodium_base64_VARIANT_ORIGINAL) != 0)
		return ERR_BAD_KEY;
	/* The decoder takes every byte above 0x7f for '/'; what we would not print is no key. */
	key_text(&k, back);
	if (count != KEY_BYTES || memcmp(back, text, KEY_TEXT_BYTES) != 0)
		return ERR_BAD_KEY;
	*ret_k = k;
	return 0;
}

int keypair_from_seed(struct keypair *ret_pair, const uint8_t seed[KEY_BYTES])
{
	struct keypair pair;
	int err = ERR_BAD_KEY;

	memcpy(pair.seed, seed, KEY_BYTES);
	crypto_sign_seed_keypair(pair.sign_public.b, pair.sign_secret, seed);
	if (key_to_box(&pair.sign_public, &pair.box_public) != 0)
		goto out;
	crypto_sign_ed25519_sk_to_curve25519(pair.box_secret, pair.sign_secret);
	*ret_pair = pair;
	err = 0;
out:
	sodium_memzero(&pair, sizeof(pair));
	return err;
}

void keypair_generate(struct keypair *ret_pair, struct rng *rng)
{
	uint8_t seed[KEY_BYTES];

	do {
		rng_bytes(rng, seed, sizeof(seed));
	} while (keypair_from_seed(ret_pair, seed) != 0);
	sodium_memzero(seed, sizeof(seed));
}

void keypair_fini(struct keypair *pair)
{
	if (pair)
		sodium_memzero(pair, sizeof(*pair));
}

int key_to_box(const struct key *sign_public, struct key *ret_box)
{
	struct key box;

	if (key_sign_bit(sign_public))
		return ERR_BAD_KEY;
	if (crypto_sign_ed25519_pk_to_curve25519(box.b, sign_public->b) != 0)
		return ERR_BAD_KEY;
	*ret_box = box;
	return 0;
}

void key_sign(const struct keypair *pair,
              const char *label,
              const void *msg,
              size_t bytes,
              struct signature *ret_sig)
{
	uint8_t buffer[SIGN_BYTES_MAX];
	size_t count = signed_bytes(buffer, label, msg, bytes);

	crypto_sign_detached(ret_sig->b, NULL, buffer, count, pair->sign_secret);
}

int key_verify(const struct key *sign_public,
               const char *label,
               const void *msg,
               size_t bytes,
               const struct signature *sig)
{
	uint8_t buffer[SIGN_BYTES_MAX];
	size_t count;

	if (bytes > LIMIT_STATEMENT_BYTES)
		return ERR_BAD_SIGNATURE;
	count = signed_bytes(buffer, label, msg, bytes);
	if (crypto_sign_verify_detached(sig->b, buffer, count, sign_public->b) != 0)
		return ERR_BAD_SIGNATURE;
	return 0;
}

void hash_labelled(const char *label, const void *msg, size_t bytes, void *out, size_t out_bytes)
{
	uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES] = { 0 };
	static const uint8_t no_salt[crypto_generichash_blake2b_SALTBYTES] = { 0 };
	size_t label_bytes = strlen(label);

	assert(label_bytes > 0);
	assert(label_bytes <= sizeof(personal));
	assert(out_bytes >= crypto_generichash_blake2b_BYTES_MIN);
	assert(out_bytes <= crypto_generichash_blake2b_BYTES_MAX);
	memcpy(personal, label, label_bytes);
	crypto_generichash_blake2b_salt_personal(out, out_bytes, msg, bytes, NULL, 0, no_salt,
	                                         personal);
}
