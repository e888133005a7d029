/*
 * Noise IK against a published test vector, and against tampering.
 */
#include "smegd/wire/noise.h"

#include "tests/unit/unit.h"

#include "base/err.h"
#include "tests/unit/smegd/wire/hex.h"

#define PAYLOAD_MAX 64

/*
 * From noise-c's basic test vectors (R. Weatherley), Noise_IK_25519_ChaChaPoly_BLAKE2b.
 */
static const char *const prologue_hex = "50726f6c6f677565313233";
static const char *const init_static_hex =
	"e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1";
static const char *const init_ephemeral_hex =
	"893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a";
static const char *const resp_public_hex =
	"31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62";
static const char *const resp_static_hex =
	"4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893";
static const char *const resp_ephemeral_hex =
	"bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b";
static const char *const first_payload_hex = "4c756477696720766f6e204d69736573";
static const char *const first_hex =
	"ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
	"ba83a447b38c83e327ad936929812f624884847b7831e95e197b2f797088efdd"
	"232fe541af156ec6d0657602902a8c3e"
	"e64e470f4b6fcd9298ce0b56fe20f86e60d9d933ec6e103ffb09e6001d6abb64";
static const char *const second_payload_hex = "4d757272617920526f746862617264";
static const char *const second_hex =
	"95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
	"9f069b267a06b3de3ecb1043bcb09807c6cd101f3826192a65f11ef3fe4317";
static const char *const hash_hex =
	"00e51d2aac81a9b8ebe441d6af3e1c8efc0f030cc608332edcb42588ff6a0ce2"
	"6415ddc106e95277a5e6d54132f1e5245976b89caf96d262f1fe5a7f0c55c078";
static const char *const to_responder_text_hex = "462e20412e20486179656b";
static const char *const to_responder_hex =
	"cd54383060e7a28434cca27fb1cc524cfbabeb18181589df219d07";
static const char *const to_initiator_text_hex = "4361726c204d656e676572";
static const char *const to_initiator_hex =
	"a856d3bf0246bfc476c655009cd1ed677b8dcc5b349ae8ef2a05f2";

struct side {
	struct keypair self; /* only its X25519 half */
	uint8_t secret[NOISE_SECRET_BYTES];
	struct noise n;
};

static struct bytes prologue(void)
{
	static uint8_t at[32];

	return (struct bytes){ .at = at, .count = unhex(prologue_hex, at, sizeof(at)) };
}

static void side_init(struct side *s, const char *secret_hex, const char *ephemeral_hex)
{
	struct key responder;

	memset(s, 0, sizeof(*s));
	assert_int_equal(unhex(secret_hex, s->self.box_secret, KEY_BYTES), KEY_BYTES);
	crypto_scalarmult_curve25519_base(s->self.box_public.b, s->self.box_secret);
	unhex(ephemeral_hex, s->secret, sizeof(s->secret));
	unhex(resp_public_hex, responder.b, KEY_BYTES);
	noise_init(&s->n, prologue(), &responder);
}

static void initiator(struct side *s)
{
	side_init(s, init_static_hex, init_ephemeral_hex);
}

static void responder(struct side *s)
{
	side_init(s, resp_static_hex, resp_ephemeral_hex);
	assert_hex((struct bytes){ .at = s->self.box_public.b, .count = KEY_BYTES },
	           resp_public_hex);
}

/* A message with a payload given in hexadecimal; returns its length. */
static size_t first(struct side *s, const char *payload_hex, uint8_t *out, size_t cap)
{
	uint8_t payload[PAYLOAD_MAX];
	struct bytes p = { .at = payload };
	struct writer w;

	p.count = unhex(payload_hex, payload, sizeof(payload));
	writer_init(&w, out, cap);
	assert_int_equal(noise_first_write(&s->n, &s->self, s->secret, p, &w), 0);
	return w.count;
}

static size_t second(struct side *s, const char *payload_hex, uint8_t *out, size_t cap)
{
	uint8_t payload[PAYLOAD_MAX];
	struct bytes p = { .at = payload };
	struct writer w;

	p.count = unhex(payload_hex, payload, sizeof(payload));
	writer_init(&w, out, cap);
	assert_int_equal(noise_second_write(&s->n, s->secret, p, &w), 0);
	return w.count;
}

static void assert_seals(const uint8_t key[32], const char *text_hex, const char *cipher_hex)
{
	static const uint8_t nonce[12] = { 0 };
	uint8_t text[PAYLOAD_MAX];
	uint8_t cipher[PAYLOAD_MAX + NOISE_TAG_BYTES];
	size_t count = unhex(text_hex, text, sizeof(text));

	crypto_aead_chacha20poly1305_ietf_encrypt(cipher, NULL, text, count, NULL, 0, NULL, nonce,
	                                          key);
	assert_hex((struct bytes){ .at = cipher, .count = count + NOISE_TAG_BYTES }, cipher_hex);
}

/* Both messages, the handshake hash and both transport keys are those of the vector. */
static void test_handshake_gives_the_published_bytes(void **state)
{
	uint8_t msg[256];
	uint8_t payload[PAYLOAD_MAX];
	struct bytes m = { .at = msg };
	struct noise_keys a;
	struct noise_keys b;
	struct side i;
	struct side r;

	(void)state;
	initiator(&i);
	responder(&r);
	m.count = first(&i, first_payload_hex, msg, sizeof(msg));
	assert_hex(m, first_hex);
	assert_int_equal(noise_first_read(&r.n, &r.self, m, payload), 0);
	assert_hex((struct bytes){ .at = payload, .count = m.count - NOISE_FIRST_BYTES },
	           first_payload_hex);
	assert_true(key_equal(&r.n.peer, &i.self.box_public));
	assert_int_equal(r.n.operations, 2);
	m.count = second(&r, second_payload_hex, msg, sizeof(msg));
	assert_hex(m, second_hex);
	assert_int_equal(noise_second_read(&i.n, &i.self, m, payload), 0);
	assert_hex((struct bytes){ .at = payload, .count = m.count - NOISE_SECOND_BYTES },
	           second_payload_hex);
	noise_split(&i.n, &a);
	noise_split(&r.n, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_hex((struct bytes){ .at = a.hash, .count = sizeof(a.hash) }, hash_hex);
	assert_seals(a.to_responder, to_responder_text_hex, to_responder_hex);
	assert_seals(a.to_initiator, to_initiator_text_hex, to_initiator_hex);
	assert_true(sodium_is_zero((uint8_t *)&i.n, sizeof(i.n)));
}

/* Every bit of the first message counts, and so does every cut. */
static void test_changed_first_message_is_refused(void **state)
{
	uint8_t msg[256];
	uint8_t payload[256];
	struct side i;
	struct side r;
	size_t count;

	(void)state;
	initiator(&i);
	count = first(&i, first_payload_hex, msg, sizeof(msg));
	for (size_t bit = 0; bit < 8 * count; bit++) {
		responder(&r);
		msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(noise_first_read(&r.n, &r.self,
		                                      (struct bytes){ .at = msg, .count = count },
		                                      payload),
		                     0);
		msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t cut = 0; cut < count; cut++) {
		responder(&r);
		assert_int_not_equal(noise_first_read(&r.n, &r.self,
		                                      (struct bytes){ .at = msg, .count = cut },
		                                      payload),
		                     0);
	}
}

static void test_changed_second_message_is_refused(void **state)
{
	uint8_t one[256];
	uint8_t two[256];
	uint8_t payload[256];
	struct bytes m = { .at = one };
	struct side i;
	struct side r;
	struct noise before;
	size_t count;

	(void)state;
	initiator(&i);
	responder(&r);
	m.count = first(&i, first_payload_hex, one, sizeof(one));
	assert_int_equal(noise_first_read(&r.n, &r.self, m, payload), 0);
	count = second(&r, second_payload_hex, two, sizeof(two));
	before = i.n;
	for (size_t bit = 0; bit < 8 * count; bit++) {
		i.n = before;
		two[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(noise_second_read(&i.n, &i.self,
		                                       (struct bytes){ .at = two, .count = count },
		                                       payload),
		                     0);
		two[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t cut = 0; cut < count; cut++) {
		i.n = before;
		assert_int_not_equal(noise_second_read(&i.n, &i.self,
		                                       (struct bytes){ .at = two, .count = cut },
		                                       payload),
		                     0);
	}
}

/* The points of small order (and their twins beyond p) that libsodium's authors list. */
static const char *const low_order[] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static void test_low_order_keys_are_refused(void **state)
{
	uint8_t msg[NOISE_FIRST_BYTES] = { 0 };
	uint8_t payload[1];
	struct bytes m = { .at = msg, .count = sizeof(msg) };
	struct writer w;
	struct side s;
	struct key bad;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(low_order); i++) {
		unhex(low_order[i], bad.b, KEY_BYTES);
		/* As the key to dial. */
		initiator(&s);
		noise_init(&s.n, prologue(), &bad);
		writer_init(&w, msg, sizeof(msg));
		assert_int_equal(noise_first_write(&s.n, &s.self, s.secret,
		                                   (struct bytes){ .at = NULL }, &w),
		                 ERR_BAD_KEY);
		/* As the initiator's ephemeral key. */
		responder(&s);
		memcpy(msg, bad.b, KEY_BYTES);
		assert_int_equal(noise_first_read(&s.n, &s.self, m, payload), ERR_BAD_KEY);
		assert_int_equal(s.n.operations, 1);
		/* As the responder's. */
		initiator(&s);
		m.count = NOISE_SECOND_BYTES;
		assert_int_equal(noise_second_read(&s.n, &s.self, m, payload), ERR_BAD_KEY);
		m.count = NOISE_FIRST_BYTES;
	}
}

/* An initiator whose static key is of low order is refused too, although its message opens. */
static void test_low_order_static_key_is_refused(void **state)
{
	uint8_t msg[256];
	uint8_t payload[PAYLOAD_MAX];
	struct bytes m = { .at = msg };
	struct side i;
	struct side r;

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(low_order); n++) {
		initiator(&i);
		responder(&r);
		unhex(low_order[n], i.self.box_public.b, KEY_BYTES);
		m.count = first(&i, first_payload_hex, msg, sizeof(msg));
		assert_int_equal(noise_first_read(&r.n, &r.self, m, payload), ERR_BAD_KEY);
	}
}

/* Another prologue, another transcript. */
static void test_prologue_is_bound(void **state)
{
	uint8_t msg[256];
	uint8_t payload[PAYLOAD_MAX];
	struct bytes m = { .at = msg };
	struct side i;
	struct side r;

	(void)state;
	initiator(&i);
	responder(&r);
	m.count = first(&i, first_payload_hex, msg, sizeof(msg));
	noise_init(&r.n, (struct bytes){ .at = (const uint8_t *)"other", .count = 5 },
	           &r.self.box_public);
	assert_int_equal(noise_first_read(&r.n, &r.self, m, payload), ERR_BAD_SIGNATURE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake_gives_the_published_bytes),
		cmocka_unit_test(test_changed_first_message_is_refused),
		cmocka_unit_test(test_changed_second_message_is_refused),
		cmocka_unit_test(test_low_order_keys_are_refused),
		cmocka_unit_test(test_low_order_static_key_is_refused),
		cmocka_unit_test(test_prologue_is_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
