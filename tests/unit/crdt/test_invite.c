/*
 * Invites and tokens: what a person may do to a token on the way, and what a stranger may.
 */
#include "tests/unit/crdt/fixture.h"

#include "base/err.h"
#include "base/text.h"
#include "crdt/codec_priv.h"
#include "crdt/invite.h"

#include <stdio.h>

static void limits_init(struct invite_limits *limits, struct keypair *ret_pair)
{
	fixture_pair(ret_pair, 'I', 0);
	*limits = (struct invite_limits){
		.invite_key = ret_pair->sign_public,
		.role = ROLE_PEER,
		.may_bridge = true,
		.issued_ms = 10,
		.expires_ms = 20,
		.uses = 3,
	};
}

static void invite_init(struct fixture *f, struct invite *ret_invite, struct keypair *ret_pair)
{
	struct invite_limits limits;

	limits_init(&limits, ret_pair);
	assert_int_equal(invite_sign(&limits, &f->admins[0], &f->mesh.sign_public, ret_invite), 0);
}

static void token_init(struct fixture *f, struct token *t)
{
	struct keypair pair;

	*t = (struct token){
		.mesh_public = f->mesh.sign_public,
		.mesh_name = "home",
		.bootstraps = { { f->members[0].box_public, { "host.example", 4711 } },
		                { f->members[1].box_public, { "2001:db8::1", 0 } } },
		.bootstraps_count = 2,
	};
	invite_init(f, &t->invite, &pair);
	memcpy(t->invite_seed, pair.seed, KEY_BYTES);
}

static void test_limits_come_back(void **state)
{
	struct fixture f;
	struct keypair pair;
	struct invite_limits limits;
	struct invite invite;
	struct invite got;

	(void)state;
	fixture_init(&f);
	limits_init(&limits, &pair);
	limits.has_for_key = true;
	limits.for_key = f.members[0].sign_public;
	assert_int_equal(invite_sign(&limits, &f.admins[0], &f.mesh.sign_public, &invite), 0);
	assert_int_equal(invite_parse((struct bytes){ invite.raw, invite.raw_bytes },
	                              &f.mesh.sign_public, &got),
	                 0);
	assert_true(key_equal(&got.limits.issuer, &f.admins[0].sign_public));
	assert_true(key_equal(&got.limits.invite_key, &pair.sign_public));
	assert_int_equal(got.limits.role, ROLE_PEER);
	assert_true(got.limits.may_bridge);
	assert_int_equal(got.limits.issued_ms, 10);
	assert_int_equal(got.limits.expires_ms, 20);
	assert_int_equal(got.limits.uses, 3);
	assert_true(got.limits.has_for_key);
	assert_true(key_equal(&got.limits.for_key, &f.members[0].sign_public));
	assert_memory_equal(got.id, invite.id, INVITE_ID_BYTES);
	fixture_fini(&f);
}

static void test_no_change_of_an_invite_is_believed(void **state)
{
	struct fixture f;
	struct keypair pair;
	struct invite invite;
	struct invite got;
	uint8_t raw[INVITE_LIMITS_BYTES_MAX + 1];

	(void)state;
	fixture_init(&f);
	invite_init(&f, &invite, &pair);
	memcpy(raw, invite.raw, invite.raw_bytes);
	for (size_t count = 0; count < invite.raw_bytes; count++)
		assert_int_not_equal(
			invite_parse((struct bytes){ raw, count }, &f.mesh.sign_public, &got), 0);
	for (size_t bit = 0; bit < 8 * invite.raw_bytes; bit++) {
		raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(invite_parse((struct bytes){ raw, invite.raw_bytes },
		                                  &f.mesh.sign_public, &got),
		                     0);
		raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	raw[invite.raw_bytes] = 0;
	assert_int_equal(invite_parse((struct bytes){ raw, invite.raw_bytes + 1 },
	                              &f.mesh.sign_public, &got),
	                 ERR_MALFORMED);
	assert_int_equal(
		invite_parse((struct bytes){ raw, sizeof(raw) }, &f.mesh.sign_public, &got),
		ERR_TOO_BIG);
	assert_int_equal(invite_parse((struct bytes){ raw, invite.raw_bytes },
	                              &f.other_mesh.sign_public, &got),
	                 ERR_BAD_SIGNATURE);
	fixture_fini(&f);
}

static void test_the_id_is_of_what_is_signed(void **state)
{
	struct fixture f;
	struct keypair pair;
	struct invite_limits limits;
	struct invite a;
	struct invite b;

	(void)state;
	fixture_init(&f);
	limits_init(&limits, &pair);
	assert_int_equal(invite_sign(&limits, &f.admins[0], &f.mesh.sign_public, &a), 0);
	assert_int_equal(invite_sign(&limits, &f.admins[0], &f.mesh.sign_public, &b), 0);
	assert_memory_equal(a.id, b.id, INVITE_ID_BYTES);
	assert_int_equal(invite_sign(&limits, &f.admins[0], &f.other_mesh.sign_public, &b), 0);
	assert_memory_not_equal(a.id, b.id, INVITE_ID_BYTES);
	limits.uses++;
	assert_int_equal(invite_sign(&limits, &f.admins[0], &f.mesh.sign_public, &b), 0);
	assert_memory_not_equal(a.id, b.id, INVITE_ID_BYTES);
	fixture_fini(&f);
}

static void test_a_proof_is_good_for_one_joiner(void **state)
{
	struct fixture f;
	struct keypair pair;
	struct invite_limits limits;
	struct invite invite;
	struct signature proof;
	const struct key *joiner;
	const struct key *other;

	(void)state;
	fixture_init(&f);
	joiner = &f.members[0].sign_public;
	other = &f.members[1].sign_public;
	invite_init(&f, &invite, &pair);
	invite_prove(&pair, joiner, &f.mesh.sign_public, &proof);
	assert_int_equal(invite_check_proof(&invite, joiner, &f.mesh.sign_public, &proof), 0);
	assert_int_equal(invite_check_proof(&invite, other, &f.mesh.sign_public, &proof),
	                 ERR_BAD_SIGNATURE);
	assert_int_equal(invite_check_proof(&invite, joiner, &f.other_mesh.sign_public, &proof),
	                 ERR_BAD_SIGNATURE);
	invite_prove(&f.members[0], joiner, &f.mesh.sign_public, &proof);
	assert_int_equal(invite_check_proof(&invite, joiner, &f.mesh.sign_public, &proof),
	                 ERR_BAD_SIGNATURE);
	/* An invite for one key, in the hands of another. */
	limits = invite.limits;
	limits.has_for_key = true;
	limits.for_key = *joiner;
	assert_int_equal(invite_sign(&limits, &f.admins[0], &f.mesh.sign_public, &invite), 0);
	invite_prove(&pair, joiner, &f.mesh.sign_public, &proof);
	assert_int_equal(invite_check_proof(&invite, joiner, &f.mesh.sign_public, &proof), 0);
	invite_prove(&pair, other, &f.mesh.sign_public, &proof);
	assert_int_equal(invite_check_proof(&invite, other, &f.mesh.sign_public, &proof),
	                 ERR_NOT_AUTHORISED);
	fixture_fini(&f);
}

static void test_bad_limits_cannot_be_signed(void **state)
{
	struct fixture f;
	struct keypair pair;
	struct invite_limits limits;
	struct invite invite;

	(void)state;
	fixture_init(&f);
	limits_init(&limits, &pair);
	limits.role = 0;
	assert_int_equal(invite_sign(&limits, &f.admins[0], &f.mesh.sign_public, &invite),
	                 ERR_MALFORMED);
	limits_init(&limits, &pair);
	limits.has_for_key = true; /* the zero key is none */
	assert_int_equal(invite_sign(&limits, &f.admins[0], &f.mesh.sign_public, &invite),
	                 ERR_MALFORMED);
	fixture_fini(&f);
}

static void assert_same_token(const struct token *a, const struct token *b)
{
	assert_true(key_equal(&a->mesh_public, &b->mesh_public));
	assert_string_equal(a->mesh_name, b->mesh_name);
	assert_memory_equal(a->invite_seed, b->invite_seed, KEY_BYTES);
	assert_memory_equal(a->invite.id, b->invite.id, INVITE_ID_BYTES);
	assert_int_equal(a->bootstraps_count, b->bootstraps_count);
	for (size_t i = 0; i < a->bootstraps_count; i++) {
		assert_true(key_equal(&a->bootstraps[i].member, &b->bootstraps[i].member));
		assert_string_equal(a->bootstraps[i].at.host, b->bootstraps[i].at.host);
		assert_int_equal(a->bootstraps[i].at.port, b->bootstraps[i].at.port);
	}
}

static void test_a_token_survives_copying(void **state)
{
	struct fixture f;
	struct token t;
	struct token got;
	char text[TOKEN_TEXT_BYTES];
	char framed[TOKEN_TEXT_BYTES + 16];

	(void)state;
	fixture_init(&f);
	token_init(&f, &t);
	assert_int_equal(token_text(&t, text), 0);
	assert_memory_equal(text, "smeg1_", 6);
	assert_int_equal(token_parse(text, strlen(text), &got), 0);
	assert_same_token(&t, &got);
	snprintf(framed, sizeof(framed), "\r\n \t%s \n\n", text);
	assert_int_equal(token_parse(framed, strlen(framed), &got), 0);
	assert_same_token(&t, &got);
	token_fini(&got);
	assert_int_equal(got.bootstraps_count, 0);
	token_fini(NULL);
	fixture_fini(&f);
}

static void test_every_cut_and_typing_error_is_named(void **state)
{
	struct fixture f;
	struct token t;
	struct token got;
	char text[TOKEN_TEXT_BYTES];
	size_t chars;

	(void)state;
	fixture_init(&f);
	token_init(&f, &t);
	assert_int_equal(token_text(&t, text), 0);
	chars = strlen(text);
	for (size_t count = 0; count < chars; count++)
		assert_int_equal(token_parse(text, count, &got),
		                 count < 6 ? ERR_TOKEN : ERR_TRUNCATED);
	for (size_t at = 6; at < chars; at++) {
		char was = text[at];

		text[at] = was == 'x' ? 'y' : 'x';
		assert_int_equal(token_parse(text, chars, &got), ERR_TRUNCATED);
		text[at] = '+';
		assert_int_equal(token_parse(text, chars, &got), ERR_TRUNCATED);
		text[at] = was;
	}
	assert_int_equal(token_parse(text, chars, &got), 0);
	fixture_fini(&f);
}

static void test_other_texts_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = {
		{ "", ERR_TOKEN },
		{ "  \n", ERR_TOKEN },
		{ "hello", ERR_TOKEN },
		{ "smeg", ERR_TOKEN },
		{ "smeg_abc", ERR_TOKEN },
		{ "smeg1", ERR_TOKEN },
		{ "smeg1-abc", ERR_TOKEN },
		{ "smegx_abc", ERR_TOKEN },
		{ "Smeg1_abc", ERR_TOKEN },
		{ "smeg11111_abc", ERR_TOKEN },
		{ "smeg2_abc", ERR_VERSION },
		{ "smeg10_abc", ERR_VERSION },
		{ "smeg0_", ERR_VERSION },
		{ "smeg1_", ERR_TRUNCATED },
		{ "smeg1_AAAA", ERR_TRUNCATED },
		{ "smeg1_AAAAAAAAAAAAAAAA", ERR_TRUNCATED },
	};
	struct token got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int err = token_parse(rows[i].text, strlen(rows[i].text), &got);

		if (err != rows[i].err)
			fail_msg("%s: %d", rows[i].text, err);
	}
}

/* Bytes with check bytes that hold: what a stranger, not a typing error, makes. */
static int parse_binary(const uint8_t *binary, size_t count, struct token *ret_t)
{
	uint8_t whole[LIMIT_TOKEN_BYTES];
	uint8_t hash[HASH_BYTES];
	char text[TOKEN_TEXT_BYTES] = "smeg1_";

	assert_true(count + 4 <= sizeof(whole));
	hash_labelled("smeg token", binary, count, hash, sizeof(hash));
	memcpy(whole, binary, count);
	memcpy(whole + count, hash, 4);
	base64url_text((struct bytes){ whole, count + 4 }, text + 6, sizeof(text) - 6);
	return token_parse(text, strlen(text), ret_t);
}

static void test_no_change_behind_good_check_bytes_is_believed(void **state)
{
	struct fixture f;
	struct token t;
	struct token got;
	char text[TOKEN_TEXT_BYTES];
	uint8_t binary[LIMIT_TOKEN_BYTES];
	size_t count;
	size_t invite_end;

	(void)state;
	fixture_init(&f);
	token_init(&f, &t);
	t.bootstraps_count = 1;
	assert_int_equal(token_text(&t, text), 0);
	assert_int_equal(
		base64url_parse(text + 6, strlen(text) - 6, binary, sizeof(binary), &count), 0);
	count -= 4;
	assert_int_equal(parse_binary(binary, count, &got), 0);
	binary[0] = 2;
	assert_int_equal(parse_binary(binary, count, &got), ERR_VERSION);
	binary[0] = 1;
	for (size_t shorter = 1; shorter < count; shorter++) {
		/* But for a shorter host, which nobody signs. */
		int err = parse_binary(binary, shorter, &got);

		assert_true(err == ERR_MALFORMED || err == ERR_BAD_SIGNATURE);
	}
	/* All but the name and the bootstraps is bound together by signatures. */
	invite_end = 1 + 34 + 6 + 34 + 3 + t.invite.raw_bytes;
	for (size_t bit = 8; bit < 8 * invite_end; bit++) {
		binary[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (parse_binary(binary, count, &got) == 0)
			assert_string_not_equal(got.mesh_name, t.mesh_name);
		binary[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	fixture_fini(&f);
}

static void test_the_secret_must_be_the_invites(void **state)
{
	struct fixture f;
	struct token t;
	struct token got;
	char text[TOKEN_TEXT_BYTES];

	(void)state;
	fixture_init(&f);
	token_init(&f, &t);
	memcpy(t.invite_seed, f.members[0].seed, KEY_BYTES);
	assert_int_equal(token_text(&t, text), 0);
	assert_int_equal(token_parse(text, strlen(text), &got), ERR_MALFORMED);
	token_init(&f, &t);
	t.mesh_public = f.other_mesh.sign_public;
	assert_int_equal(token_text(&t, text), 0);
	assert_int_equal(token_parse(text, strlen(text), &got), ERR_BAD_SIGNATURE);
	token_init(&f, &t);
	t.bootstraps_count = 0;
	assert_int_equal(token_text(&t, text), 0);
	assert_int_equal(token_parse(text, strlen(text), &got), ERR_MALFORMED);
	fixture_fini(&f);
}

static void test_a_token_that_does_not_fit_is_too_big(void **state)
{
	struct fixture f;
	struct token t;
	struct token got;
	char text[TOKEN_TEXT_BYTES];

	(void)state;
	fixture_init(&f);
	token_init(&f, &t);
	for (size_t i = 0; i < LIMIT_TOKEN_BOOTSTRAPS; i++) {
		t.bootstraps[i] = t.bootstraps[0];
		memset(t.bootstraps[i].at.host, 0, sizeof(t.bootstraps[i].at.host));
		for (size_t c = 0; c < 150; c++)
			t.bootstraps[i].at.host[c] = c % 50 == 49 ? '.' : 'a';
	}
	t.bootstraps_count = LIMIT_TOKEN_BOOTSTRAPS;
	assert_int_equal(token_text(&t, text), 0);
	assert_int_equal(token_parse(text, strlen(text), &got), 0);
	assert_same_token(&t, &got);
	for (size_t i = 0; i < LIMIT_TOKEN_BOOTSTRAPS; i++) {
		for (size_t c = 150; c < 250; c++)
			t.bootstraps[i].at.host[c] = c % 50 == 49 ? '.' : 'a';
	}
	assert_int_equal(token_text(&t, text), ERR_TOO_BIG);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits_come_back),
		cmocka_unit_test(test_no_change_of_an_invite_is_believed),
		cmocka_unit_test(test_the_id_is_of_what_is_signed),
		cmocka_unit_test(test_a_proof_is_good_for_one_joiner),
		cmocka_unit_test(test_bad_limits_cannot_be_signed),
		cmocka_unit_test(test_a_token_survives_copying),
		cmocka_unit_test(test_every_cut_and_typing_error_is_named),
		cmocka_unit_test(test_other_texts_are_told_apart),
		cmocka_unit_test(test_no_change_behind_good_check_bytes_is_believed),
		cmocka_unit_test(test_the_secret_must_be_the_invites),
		cmocka_unit_test(test_a_token_that_does_not_fit_is_too_big),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
