/*
 * Keys: their text, their two forms, the gate for foreign ones, signatures and labelled hashes.
 *
 * Known answers come from other programs: public keys and signatures from openssl, X25519 keys
 * from wg(8) pubkey, hashes from Python's hashlib, points from curve arithmetic done apart.
 */
#include "tests/unit/unit.h"

#include "base/err.h"
#include "base/key.h"
#include "base/limits.h"
#include "base/rng.h"

#include <sodium.h>
#include <string.h>

static void key_of_hex(struct key *k, const char *hex)
{
	size_t count = 0;

	assert_int_equal(sodium_hex2bin(k->b, KEY_BYTES, hex, strlen(hex), NULL, &count, NULL), 0);
	assert_int_equal(count, KEY_BYTES);
}

/* The seed first, first + 1, ... first + 31. */
static int pair_of(struct keypair *pair, uint8_t first)
{
	uint8_t seed[KEY_BYTES];

	for (unsigned i = 0; i < KEY_BYTES; i++)
		seed[i] = (uint8_t)(first + i);
	return keypair_from_seed(pair, seed);
}

static void pair_init(struct keypair *pair, uint8_t first)
{
	assert_int_equal(pair_of(pair, first), 0);
}

static const struct {
	uint8_t first;
	const char *sign_public;
	const char *box_secret;
	const char *box_public;
} pairs[] = {
	{ 1, "ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ=",
	  "cHiPGgzqABomMdrl0F29BiAI1bMPULnim+sqeCIokEQ=",
	  "SjgH0GTQdxgcwHCYnnaJHSDcpVWVSNwsd8GlAnOIKzg=" },
	{ 8, "S93uVQ73NMrgTu5CrmOjedMRK2unOvU1aI1yyZqChGA=",
	  "WDypjaF9Ggh/MY/2pJFkc6XzHWvWV4iG/MskP8xM81M=",
	  "4zZarMAGuAKnNTmcN96dEe41Vj7G2xYzvXgffalDFVU=" },
	{ 9, "Z37dnHpvuqXWCdxwBc6AEdVOAxSs+JyhcgV7wUDt5io=",
	  "wGn/9S0tVv5ypGNGWbYhKWkYZNZvb4AG+a9voAZT43I=",
	  "bf1V6Lyv5LAb86kRck6sPZksH5TK0GAaoRzIKLJROns=" },
};

/* Our box_public is what `wg pubkey` prints for our box_secret. */
static void test_the_box_key_is_the_one_that_wireguard_derives(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct keypair pair;
		struct key secret;
		char text[KEY_TEXT_BYTES];

		pair_init(&pair, pairs[i].first);
		key_text(&pair.sign_public, text);
		assert_string_equal(text, pairs[i].sign_public);
		memcpy(secret.b, pair.box_secret, KEY_BYTES);
		key_text(&secret, text);
		assert_string_equal(text, pairs[i].box_secret);
		key_text(&pair.box_public, text);
		assert_string_equal(text, pairs[i].box_public);
	}
}

/* RFC 8032 section 7.1, test 1. */
static void test_the_signing_key_is_that_of_rfc_8032(void **state)
{
	struct key seed;
	struct key expected;
	struct keypair pair;

	(void)state;
	key_of_hex(&seed, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
	key_of_hex(&expected, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
	assert_int_equal(keypair_from_seed(&pair, seed.b), 0);
	assert_true(key_equal(&pair.sign_public, &expected));
	assert_memory_equal(pair.seed, seed.b, KEY_BYTES);
}

static void test_a_seed_whose_public_key_has_the_sign_bit_is_refused(void **state)
{
	struct keypair pair;
	struct keypair before;

	(void)state;
	memset(&pair, 0xab, sizeof(pair));
	before = pair;
	assert_int_equal(pair_of(&pair, 0), ERR_BAD_KEY);
	assert_memory_equal(&pair, &before, sizeof(pair));
}

static void test_generated_pairs_are_members_keys_and_follow_from_the_seed(void **state)
{
	const uint8_t seed[RNG_SEED_BYTES] = { 1, 2, 3 };
	struct rng one;
	struct rng two;

	(void)state;
	rng_init(&one, seed);
	rng_init(&two, seed);
	for (unsigned i = 0; i < 32; i++) {
		struct keypair a;
		struct keypair b;
		struct key box;

		keypair_generate(&a, &one);
		keypair_generate(&b, &two);
		assert_memory_equal(&a, &b, sizeof(a));
		assert_int_equal(a.sign_public.b[31] & 0x80, 0);
		assert_int_equal(key_to_box(&a.sign_public, &box), 0);
		assert_true(key_equal(&box, &a.box_public));
		crypto_scalarmult_base(box.b, a.box_secret);
		assert_true(key_equal(&box, &a.box_public));
		/* Clamped, as WireGuard does with any secret that it is given. */
		assert_int_equal(a.box_secret[0] & 7, 0);
		assert_int_equal(a.box_secret[31] & 0xc0, 0x40);
	}
}

static void test_fini_wipes_the_pair(void **state)
{
	struct keypair pair;

	(void)state;
	pair_init(&pair, 1);
	keypair_fini(&pair);
	assert_true(sodium_is_zero((const uint8_t *)&pair, sizeof(pair)));
	keypair_fini(NULL);
}

static const struct {
	const char *name;
	const char *hex;
} bad_points[] = {
	/* All eight points of the torsion subgroup. */
	{ "order 1", "0100000000000000000000000000000000000000000000000000000000000000" },
	{ "order 2", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f" },
	{ "order 4", "0000000000000000000000000000000000000000000000000000000000000000" },
	{ "order 4, sign", "0000000000000000000000000000000000000000000000000000000000000080" },
	{ "order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05" },
	{ "order 8, sign", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85" },
	{ "order 8, too", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a" },
	{ "order 8, too, sign",
	  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa" },
	/* The base point plus a torsion point: right curve, wrong subgroup. */
	{ "base + order 8", "98519eadf35b995233b51b5cd23e9cc5a28b639b5a4af0ec903cb960d81b7819" },
	{ "base + order 4", "9bad33f580df7ecc49df5342bac8145d5bedc40f573d1b067f3c4ce449689a15" },
	{ "base - order 8", "13661d745ad63221ca5da0456fa618713511dc60668aa464e55b09a20ff7fc1d" },
	/* No x satisfies the equation. */
	{ "off the curve, y = 2",
	  "0200000000000000000000000000000000000000000000000000000000000000" },
	{ "off the curve, y = 7",
	  "0700000000000000000000000000000000000000000000000000000000000000" },
	{ "sign and identity", "0100000000000000000000000000000000000000000000000000000000000080" },
};

static void test_points_that_are_no_keys_do_not_convert(void **state)
{
	struct key box;
	struct key before;

	(void)state;
	memset(&box, 0xab, sizeof(box));
	before = box;
	for (size_t i = 0; i < ARRAY_LEN(bad_points); i++) {
		struct key k;

		key_of_hex(&k, bad_points[i].hex);
		if (key_to_box(&k, &box) != ERR_BAD_KEY)
			fail_msg("accepted: %s", bad_points[i].name);
		assert_true(key_equal(&box, &before));
	}
}

/* y and y + p would be one point with two encodings; below 2^255 there are 19 such y. */
static void test_encodings_that_are_not_canonical_do_not_convert(void **state)
{
	struct key box;

	(void)state;
	for (unsigned low = 0xed; low <= 0xff; low++) {
		struct key k;

		memset(k.b, 0xff, KEY_BYTES);
		k.b[0] = (uint8_t)low;
		k.b[31] = 0x7f;
		assert_int_equal(key_to_box(&k, &box), ERR_BAD_KEY);
		k.b[31] = 0xff;
		assert_int_equal(key_to_box(&k, &box), ERR_BAD_KEY);
	}
}

static void test_a_good_point_with_the_sign_bit_does_not_convert(void **state)
{
	struct keypair pair;
	struct key box;

	(void)state;
	pair_init(&pair, 1);
	assert_int_equal(key_to_box(&pair.sign_public, &box), 0);
	pair.sign_public.b[31] |= 0x80;
	assert_int_equal(key_to_box(&pair.sign_public, &box), ERR_BAD_KEY);
}

#define Z40 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const char *const bad_texts[] = {
	"",
	Z40 "AA=",        /* 43 characters */
	Z40 "AAA",        /* no padding */
	Z40 "AAA==",      /* 45 */
	Z40 "AAA=\n",     /* what a file ends with */
	" " Z40 "AA=",    /* blank first */
	Z40 "AA==",       /* 31 bytes */
	Z40 "AAAA",       /* 33 bytes */
	Z40 "AAB=",       /* bits left over */
	Z40 "AAD=",       /* the same */
	Z40 "AA-=",       /* the alphabet of base64url */
	Z40 "A_A=",       /* the same */
	Z40 "A A=",       /* blank within */
	Z40 "A=A=",       /* padding within */
	Z40 "A\xc3\xa4=", /* not ASCII */
};

static void test_texts_that_are_no_keys_do_not_parse(void **state)
{
	struct key k;
	struct key before;

	(void)state;
	memset(&k, 0xab, sizeof(k));
	before = k;
	for (size_t i = 0; i < ARRAY_LEN(bad_texts); i++) {
		if (key_parse(&k, bad_texts[i]) != ERR_BAD_KEY)
			fail_msg("accepted: \"%s\"", bad_texts[i]);
		assert_true(key_equal(&k, &before));
	}
}

static void test_text_and_key_are_one_to_one(void **state)
{
	const uint8_t seed[RNG_SEED_BYTES] = { 7 };
	struct rng rng;
	struct key k;

	(void)state;
	assert_int_equal(key_parse(&k, Z40 "AAA="), 0);
	assert_true(key_is_zero(&k));
	rng_init(&rng, seed);
	for (unsigned i = 0; i < 256; i++) {
		struct key back;
		char text[KEY_TEXT_BYTES];
		char head[9];

		rng_bytes(&rng, k.b, KEY_BYTES);
		key_text(&k, text);
		assert_int_equal(strlen(text), KEY_TEXT_BYTES - 1);
		assert_int_equal(key_parse(&back, text), 0);
		assert_true(key_equal(&k, &back));
		key_short_text(&k, head);
		assert_int_equal(strlen(head), 8);
		assert_memory_equal(head, text, 8);
	}
}

/* Every byte in every place of a group: only the alphabet passes, and only as itself. */
static void test_no_byte_of_a_key_text_passes_for_another(void **state)
{
	(void)state;
	for (unsigned byte = 1; byte < 256; byte++) {
		for (unsigned place = 0; place < 4; place++) {
			char text[KEY_TEXT_BYTES] = Z40 "AAA=";
			char printed[KEY_TEXT_BYTES];
			struct key k;

			text[place] = (char)byte;
			if (key_parse(&k, text) != 0)
				continue;
			key_text(&k, printed);
			if (strcmp(printed, text) != 0)
				fail_msg("0x%02x in place %u", byte, place);
		}
	}
}

/* '+' stands for a large value but sorts before every letter. */
static void test_keys_are_ordered_by_bytes_not_by_text(void **state)
{
	struct key small = { { 0x00 } };
	struct key large = { { 0xf8 } };
	char small_text[KEY_TEXT_BYTES];
	char large_text[KEY_TEXT_BYTES];

	(void)state;
	key_text(&small, small_text);
	key_text(&large, large_text);
	assert_true(strcmp(small_text, large_text) > 0);
	assert_true(key_compare(&small, &large) < 0);
	assert_true(key_compare(&large, &small) > 0);
	assert_int_equal(key_compare(&small, &small), 0);
	small.b[31] = 1;
	assert_false(key_is_zero(&small));
	assert_false(key_equal(&small, &large));
}

/* openssl pkeyutl -sign over "smeg test\0hello". */
static void test_a_signature_is_ed25519_over_label_zero_message(void **state)
{
	struct keypair pair;
	struct signature sig;
	char hex[2 * SIGNATURE_BYTES + 1];

	(void)state;
	pair_init(&pair, 1);
	/* Leave something else than zeros where the next call puts its buffer. */
	key_sign(&pair, "a label that is longer than the next", "and a message", 13, &sig);
	key_sign(&pair, "smeg test", "hello", 5, &sig);
	sodium_bin2hex(hex, sizeof(hex), sig.b, sizeof(sig.b));
	assert_string_equal(hex,
	                    "40e35fb95933650fb70c3129218bc7a36285e6894856b84a39dbce9c4f9f4eac"
	                    "298f9ccc9c67c5e5fa23d61d4c025136d2f7dd9c95a4e84012b09a41f38d600b");
	assert_int_equal(key_verify(&pair.sign_public, "smeg test", "hello", 5, &sig), 0);
}

static void test_a_signature_holds_for_its_label_only(void **state)
{
	struct keypair pair;
	struct signature sig;

	(void)state;
	pair_init(&pair, 1);
	key_sign(&pair, "ab", "cd", 2, &sig);
	assert_int_equal(key_verify(&pair.sign_public, "ab", "cd", 2, &sig), 0);
	assert_int_equal(key_verify(&pair.sign_public, "a", "bcd", 3, &sig), ERR_BAD_SIGNATURE);
	assert_int_equal(key_verify(&pair.sign_public, "abc", "d", 1, &sig), ERR_BAD_SIGNATURE);
	assert_int_equal(key_verify(&pair.sign_public, "abcd", "", 0, &sig), ERR_BAD_SIGNATURE);
	assert_int_equal(key_verify(&pair.sign_public, "ac", "cd", 2, &sig), ERR_BAD_SIGNATURE);
}

static void test_no_bit_of_a_signed_statement_can_be_changed(void **state)
{
	struct keypair pair;
	struct signature sig;
	uint8_t msg[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	const struct key *pub = &pair.sign_public;

	(void)state;
	pair_init(&pair, 1);
	key_sign(&pair, "l", msg, sizeof(msg), &sig);
	for (size_t i = 0; i < 8 * sizeof(msg); i++) {
		msg[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(key_verify(pub, "l", msg, sizeof(msg), &sig), ERR_BAD_SIGNATURE);
		msg[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t i = 0; i < 8 * sizeof(sig.b); i++) {
		sig.b[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(key_verify(pub, "l", msg, sizeof(msg), &sig), ERR_BAD_SIGNATURE);
		sig.b[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(key_verify(pub, "l", msg, sizeof(msg) - 1, &sig), ERR_BAD_SIGNATURE);
	assert_int_equal(key_verify(pub, "l", msg, sizeof(msg), &sig), 0);
}

/* S + L is the same scalar: without a check, anybody could make a second signature of one. */
static void test_a_signature_has_one_form(void **state)
{
	static const uint8_t group_order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a,       0x63,
		                                 0x12, 0x58, 0xd6, 0x9c, 0xf7,       0xa2,
		                                 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
	struct keypair pair;
	struct signature sig;

	(void)state;
	pair_init(&pair, 1);
	key_sign(&pair, "l", "m", 1, &sig);
	sodium_add(sig.b + 32, group_order, sizeof(group_order));
	assert_int_equal(key_verify(&pair.sign_public, "l", "m", 1, &sig), ERR_BAD_SIGNATURE);
}

static void test_statements_are_signed_up_to_the_limit(void **state)
{
	static uint8_t msg[LIMIT_STATEMENT_BYTES + 1];
	struct keypair pair;
	struct signature sig;
	char label[KEY_LABEL_MAX + 1];

	(void)state;
	memset(label, 'x', sizeof(label));
	label[KEY_LABEL_MAX] = 0;
	pair_init(&pair, 1);
	key_sign(&pair, label, msg, LIMIT_STATEMENT_BYTES, &sig);
	assert_int_equal(key_verify(&pair.sign_public, label, msg, LIMIT_STATEMENT_BYTES, &sig), 0);
	assert_int_equal(key_verify(&pair.sign_public, label, msg, sizeof(msg), &sig),
	                 ERR_BAD_SIGNATURE);
	key_sign(&pair, label, NULL, 0, &sig);
	assert_int_equal(key_verify(&pair.sign_public, label, NULL, 0, &sig), 0);
}

/* hashlib.blake2b(msg, digest_size=n, person=label). */
static void test_a_labelled_hash_is_personalised_blake2b(void **state)
{
	struct key expected;
	struct key hash;
	uint8_t half[16];

	(void)state;
	key_of_hex(&expected, "b5b66023a3f35ddf060e2253c0abb74a4cb1840d0a5463fb610469b400804108");
	hash_labelled("smeg test", "abc", 3, hash.b, sizeof(hash.b));
	assert_true(key_equal(&hash, &expected));
	key_of_hex(&expected, "ecdc0d02433adc3175b14f466813484c00000000000000000000000000000000");
	hash_labelled("smeg-sixteen-chr", NULL, 0, half, sizeof(half));
	assert_memory_equal(half, expected.b, sizeof(half));
}

static void test_hashes_of_two_labels_or_lengths_have_nothing_in_common(void **state)
{
	uint8_t a[64];
	uint8_t b[64];
	uint8_t c[32];

	(void)state;
	hash_labelled("a", "msg", 3, a, sizeof(a));
	hash_labelled("b", "msg", 3, b, sizeof(b));
	hash_labelled("a", "msg", 3, c, sizeof(c));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, c, sizeof(c));
	hash_labelled("am", "sg", 2, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_box_key_is_the_one_that_wireguard_derives),
		cmocka_unit_test(test_the_signing_key_is_that_of_rfc_8032),
		cmocka_unit_test(test_a_seed_whose_public_key_has_the_sign_bit_is_refused),
		cmocka_unit_test(test_generated_pairs_are_members_keys_and_follow_from_the_seed),
		cmocka_unit_test(test_fini_wipes_the_pair),
		cmocka_unit_test(test_points_that_are_no_keys_do_not_convert),
		cmocka_unit_test(test_encodings_that_are_not_canonical_do_not_convert),
		cmocka_unit_test(test_a_good_point_with_the_sign_bit_does_not_convert),
		cmocka_unit_test(test_texts_that_are_no_keys_do_not_parse),
		cmocka_unit_test(test_text_and_key_are_one_to_one),
		cmocka_unit_test(test_no_byte_of_a_key_text_passes_for_another),
		cmocka_unit_test(test_keys_are_ordered_by_bytes_not_by_text),
		cmocka_unit_test(test_a_signature_is_ed25519_over_label_zero_message),
		cmocka_unit_test(test_a_signature_holds_for_its_label_only),
		cmocka_unit_test(test_no_bit_of_a_signed_statement_can_be_changed),
		cmocka_unit_test(test_a_signature_has_one_form),
		cmocka_unit_test(test_statements_are_signed_up_to_the_limit),
		cmocka_unit_test(test_a_labelled_hash_is_personalised_blake2b),
		cmocka_unit_test(test_hashes_of_two_labels_or_lengths_have_nothing_in_common),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
