/*
 * The Noise IK handshake, after "The Noise Protocol Framework", revision 34, sections 5 and 7.5.
 *
 *	<- s
 *	...
 *	-> e, es, s, ss, payload
 *	<- e, ee, se, payload
 *
 * The state of the specification is cut down to what this pattern needs.  Every MixKey() here is
 * followed by one encryption at most before the next, so the nonce is always 0 and no counter is
 * kept.  The handshake never encrypts without a key, hence no case for that either.
 *
 * A shared secret of zeros means that the other side sent a point of low order; libsodium tells,
 * and the handshake ends, so that nobody gets a session whose keys do not depend on both sides.
 *
 * HASHLEN is 64 and HMAC's block is 128 bytes (section 4.3).  libsodium has BLAKE2b with a key of
 * its own, which is not HMAC; the specification asks for HMAC, so it is put together below.
 *
 * Rejected: a library.  None is in Debian, and the pattern is two pages.
 */
#include "smegd/wire/noise.h"

#include "base/err.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define BLOCK_BYTES 128

_Static_assert(NOISE_TAG_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES, "the tag");
_Static_assert(NOISE_SECRET_BYTES == crypto_scalarmult_curve25519_SCALARBYTES, "a scalar");

static const uint8_t nonce_zero[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = { 0 };

static void hash_pair(uint8_t out[NOISE_HASH_BYTES], struct bytes a, struct bytes b)
{
	crypto_generichash_blake2b_state state;

	crypto_generichash_blake2b_init(&state, NULL, 0, NOISE_HASH_BYTES);
	crypto_generichash_blake2b_update(&state, a.at, a.count);
	crypto_generichash_blake2b_update(&state, b.at, b.count);
	crypto_generichash_blake2b_final(&state, out, NOISE_HASH_BYTES);
	sodium_memzero(&state, sizeof(state));
}

/* RFC 2104, with a key no longer than a hash. */
static void hmac(uint8_t out[NOISE_HASH_BYTES],
                 const uint8_t key[NOISE_HASH_BYTES],
                 struct bytes data)
{
	uint8_t inner[BLOCK_BYTES];
	uint8_t outer[BLOCK_BYTES];
	uint8_t hash[NOISE_HASH_BYTES];

	memset(inner, 0x36, sizeof(inner));
	memset(outer, 0x5c, sizeof(outer));
	for (size_t i = 0; i < NOISE_HASH_BYTES; i++) {
		inner[i] ^= key[i];
		outer[i] ^= key[i];
	}
	hash_pair(hash, (struct bytes){ .at = inner, .count = sizeof(inner) }, data);
	hash_pair(out, (struct bytes){ .at = outer, .count = sizeof(outer) },
	          (struct bytes){ .at = hash, .count = sizeof(hash) });
	sodium_memzero(inner, sizeof(inner));
	sodium_memzero(outer, sizeof(outer));
	sodium_memzero(hash, sizeof(hash));
}

/* HKDF with two outputs (section 4.3).  The outputs may not overlap `chain`. */
static void derive(const uint8_t chain[NOISE_HASH_BYTES],
                   struct bytes input,
                   uint8_t out_a[NOISE_HASH_BYTES],
                   uint8_t out_b[NOISE_HASH_BYTES])
{
	static const uint8_t one = 1;
	uint8_t master[NOISE_HASH_BYTES];
	uint8_t second[NOISE_HASH_BYTES + 1];

	hmac(master, chain, input);
	hmac(out_a, master, (struct bytes){ .at = &one, .count = 1 });
	memcpy(second, out_a, NOISE_HASH_BYTES);
	second[NOISE_HASH_BYTES] = 2;
	hmac(out_b, master, (struct bytes){ .at = second, .count = sizeof(second) });
	sodium_memzero(master, sizeof(master));
	sodium_memzero(second, sizeof(second));
}

static void mix_hash(struct noise *n, const void *data, size_t bytes)
{
	hash_pair(n->hash, (struct bytes){ .at = n->hash, .count = sizeof(n->hash) },
	          (struct bytes){ .at = data, .count = bytes });
}

/* MixKey(DH(secret, public)). */
static int mix_dh(struct noise *n, const uint8_t *secret, const struct key *public)
{
	uint8_t shared[crypto_scalarmult_curve25519_BYTES];
	uint8_t chain[NOISE_HASH_BYTES];
	uint8_t key[NOISE_HASH_BYTES];
	int err = ERR_BAD_KEY;

	n->operations++;
	if (crypto_scalarmult_curve25519(shared, secret, public->b) == 0 &&
	    !sodium_is_zero(shared, sizeof(shared))) {
		derive(n->chain, (struct bytes){ .at = shared, .count = sizeof(shared) }, chain,
		       key);
		memcpy(n->chain, chain, sizeof(n->chain));
		memcpy(n->key, key, sizeof(n->key));
		err = 0;
	}
	sodium_memzero(shared, sizeof(shared));
	sodium_memzero(chain, sizeof(chain));
	sodium_memzero(key, sizeof(key));
	return err;
}

/* EncryptAndHash(); `out` has room for the tag as well. */
static void encrypt(struct noise *n, struct bytes plain, uint8_t *out)
{
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.at, plain.count, n->hash,
	                                          sizeof(n->hash), NULL, nonce_zero, n->key);
	mix_hash(n, out, plain.count + NOISE_TAG_BYTES);
}

/* DecryptAndHash(); cipher.count >= NOISE_TAG_BYTES. */
static int decrypt(struct noise *n, struct bytes cipher, uint8_t *out)
{
	assert(cipher.count >= NOISE_TAG_BYTES);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, cipher.at, cipher.count,
	                                              n->hash, sizeof(n->hash), nonce_zero,
	                                              n->key) != 0)
		return ERR_BAD_SIGNATURE;
	mix_hash(n, cipher.at, cipher.count);
	return 0;
}

/* The next `bytes` of the writer's room. */
static uint8_t *take(struct writer *w, size_t bytes)
{
	uint8_t *at = w->at + w->count;

	assert(!w->err);
	assert(bytes <= w->cap - w->count);
	w->count += bytes;
	return at;
}

/* The "e" token of a message that we write. */
static void write_ephemeral(struct noise *n,
                            const uint8_t secret[NOISE_SECRET_BYTES],
                            struct writer *w)
{
	uint8_t *public = take(w, KEY_BYTES);

	n->operations++;
	memcpy(n->secret, secret, sizeof(n->secret));
	crypto_scalarmult_curve25519_base(public, n->secret);
	mix_hash(n, public, KEY_BYTES);
}

void noise_init(struct noise *n, struct bytes prologue, const struct key *responder)
{
	static const char name[] = "Noise_IK_25519_ChaChaPoly_BLAKE2b";

	_Static_assert(sizeof(name) - 1 <= NOISE_HASH_BYTES, "padded with zeros, not hashed");
	*n = (struct noise){ .peer = *responder };
	memcpy(n->hash, name, sizeof(name) - 1);
	memcpy(n->chain, n->hash, sizeof(n->chain));
	mix_hash(n, prologue.at, prologue.count);
	mix_hash(n, responder->b, KEY_BYTES);
}

void noise_fini(struct noise *n)
{
	if (n)
		sodium_memzero(n, sizeof(*n));
}

int noise_first_write(struct noise *n,
                      const struct keypair *self,
                      const uint8_t secret[NOISE_SECRET_BYTES],
                      struct bytes payload,
                      struct writer *w)
{
	struct bytes own = { .at = self->box_public.b, .count = KEY_BYTES };
	int err;

	write_ephemeral(n, secret, w);
	err = mix_dh(n, n->secret, &n->peer);
	if (err)
		return err;
	encrypt(n, own, take(w, KEY_BYTES + NOISE_TAG_BYTES));
	err = mix_dh(n, self->box_secret, &n->peer);
	if (err)
		return err;
	encrypt(n, payload, take(w, payload.count + NOISE_TAG_BYTES));
	return 0;
}

int noise_first_read(struct noise *n,
                     const struct keypair *self,
                     struct bytes msg,
                     uint8_t *payload)
{
	struct reader r;
	int err;

	if (msg.count < NOISE_FIRST_BYTES)
		return ERR_TRUNCATED;
	reader_init(&r, msg);
	read_copy(&r, n->peer_ephemeral.b, KEY_BYTES);
	mix_hash(n, n->peer_ephemeral.b, KEY_BYTES);
	err = mix_dh(n, self->box_secret, &n->peer_ephemeral);
	if (!err)
		err = decrypt(n, read_bytes(&r, KEY_BYTES + NOISE_TAG_BYTES), n->peer.b);
	if (!err)
		err = mix_dh(n, self->box_secret, &n->peer);
	if (!err)
		err = decrypt(n, read_bytes(&r, reader_left(&r)), payload);
	return err;
}

int noise_second_write(struct noise *n,
                       const uint8_t secret[NOISE_SECRET_BYTES],
                       struct bytes payload,
                       struct writer *w)
{
	int err;

	write_ephemeral(n, secret, w);
	err = mix_dh(n, n->secret, &n->peer_ephemeral);
	if (!err)
		err = mix_dh(n, n->secret, &n->peer);
	if (!err)
		encrypt(n, payload, take(w, payload.count + NOISE_TAG_BYTES));
	return err;
}

int noise_second_read(struct noise *n,
                      const struct keypair *self,
                      struct bytes msg,
                      uint8_t *payload)
{
	struct reader r;
	int err;

	if (msg.count < NOISE_SECOND_BYTES)
		return ERR_TRUNCATED;
	reader_init(&r, msg);
	read_copy(&r, n->peer_ephemeral.b, KEY_BYTES);
	mix_hash(n, n->peer_ephemeral.b, KEY_BYTES);
	err = mix_dh(n, n->secret, &n->peer_ephemeral);
	if (!err)
		err = mix_dh(n, self->box_secret, &n->peer_ephemeral);
	if (!err)
		err = decrypt(n, read_bytes(&r, reader_left(&r)), payload);
	return err;
}

void noise_split(struct noise *n, struct noise_keys *ret_keys)
{
	uint8_t a[NOISE_HASH_BYTES];
	uint8_t b[NOISE_HASH_BYTES];

	derive(n->chain, (struct bytes){ .at = NULL, .count = 0 }, a, b);
	memcpy(ret_keys->to_responder, a, sizeof(ret_keys->to_responder));
	memcpy(ret_keys->to_initiator, b, sizeof(ret_keys->to_initiator));
	memcpy(ret_keys->hash, n->hash, sizeof(ret_keys->hash));
	sodium_memzero(a, sizeof(a));
	sodium_memzero(b, sizeof(b));
	noise_fini(n);
}
