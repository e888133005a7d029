/*
 * The rules of the cryptography that worlds run on, real or not: who lacks a key gets nothing, what
 * was changed does not open, and a verdict that is remembered is the same verdict.
 */
#include "tests/sim/scenario.h"

#include <sodium.h>
#include <string.h>

#define AEAD_BYTES crypto_aead_chacha20poly1305_ietf_ABYTES

static void must(struct world *w, bool holds, const char *what)
{
	if (!holds)
		world_fail(w, "%s", what);
}

static void signatures(struct world *w)
{
	struct keypair a;
	struct keypair b;
	struct signature sig;
	char text[] = "a statement";

	keypair_generate(&a, &w->rng);
	keypair_generate(&b, &w->rng);
	key_sign(&a, "sim", text, sizeof(text), &sig);
	for (int twice = 0; twice < 2; twice++) {
		must(w, key_verify(&a.sign_public, "sim", text, sizeof(text), &sig) == 0,
		     "a good signature is refused");
		must(w, key_verify(&b.sign_public, "sim", text, sizeof(text), &sig) != 0,
		     "a signature counts for another key");
		must(w, key_verify(&a.sign_public, "sim", text, sizeof(text) - 1, &sig) != 0,
		     "a signature counts for another text");
	}
	sig.b[rng_below(&w->rng, sizeof(sig.b))] ^= 1;
	for (int twice = 0; twice < 2; twice++)
		must(w, key_verify(&a.sign_public, "sim", text, sizeof(text), &sig) != 0,
		     "a changed signature counts");
}

static void exchange(struct world *w)
{
	struct keypair a;
	struct keypair b;
	uint8_t secret[32];
	uint8_t public[32];
	uint8_t zero[32] = { 0 };
	uint8_t x[32];
	uint8_t y[32];
	uint8_t z[32];

	keypair_generate(&a, &w->rng);
	keypair_generate(&b, &w->rng);
	must(w, crypto_scalarmult_curve25519(x, a.box_secret, b.box_public.b) == 0 &&
	                crypto_scalarmult_curve25519(y, b.box_secret, a.box_public.b) == 0 &&
	                memcmp(x, y, sizeof(x)) == 0,
	     "two members do not find one secret");
	rng_bytes(&w->rng, secret, sizeof(secret));
	crypto_scalarmult_curve25519_base(public, secret);
	must(w, crypto_scalarmult_curve25519(y, secret, a.box_public.b) == 0 &&
	                crypto_scalarmult_curve25519(z, a.box_secret, public) == 0 &&
	                memcmp(y, z, sizeof(y)) == 0,
	     "an ephemeral key and a member's do not find one secret");
	must(w, memcmp(x, y, sizeof(x)) != 0, "two exchanges find the same secret");
	must(w, crypto_scalarmult_curve25519(z, a.box_secret, zero) != 0,
	     "a point of low order is taken");
	secret[5] ^= 1;
	must(w, crypto_scalarmult_curve25519(z, secret, a.box_public.b) == 0 &&
	                memcmp(y, z, sizeof(y)) != 0,
	     "another secret leads to the same one");
}

struct box {
	uint8_t key[32];
	uint8_t nonce[12];
	uint8_t more[7];
	uint8_t text[33 + AEAD_BYTES];
};

static bool opens(const struct box *b)
{
	uint8_t out[33];

	return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, b->text, sizeof(b->text),
	                                                 b->more, sizeof(b->more), b->nonce,
	                                                 b->key) == 0;
}

static void sealing(struct world *w)
{
	struct box b;

	rng_bytes(&w->rng, &b, sizeof(b));
	crypto_aead_chacha20poly1305_ietf_encrypt(b.text, NULL, b.text, 33, b.more, sizeof(b.more),
	                                          NULL, b.nonce, b.key);
	must(w, opens(&b), "what was sealed does not open");
	for (size_t bit = 0; bit < 8 * sizeof(b); bit++) {
		uint8_t *byte = (uint8_t *)&b + bit / 8;

		*byte ^= (uint8_t)(1 << bit % 8);
		if (opens(&b))
			world_fail(w, "it opens with bit %zu changed", bit);
		*byte ^= (uint8_t)(1 << bit % 8);
	}
	must(w, opens(&b), "it opens no more");
}

static void run(struct world *w, struct model *m)
{
	bool was = crypto_is_real();

	(void)m;
	for (int real = 0; real < 2; real++) {
		crypto_use_real(real);
		for (unsigned i = 0; i < 20; i++) {
			signatures(w);
			exchange(w);
			sealing(w);
		}
	}
	crypto_use_real(was);
}

SCENARIO(standins, "the stand-ins for cryptography keep its rules", 1)
