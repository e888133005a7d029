/*
 * Statements as hostile bytes: whatever is cut, flipped or taken from elsewhere is refused when
 * parsed, or else not believed when verified; and what is unknown is carried along.
 */
#include "tests/unit/crdt/fixture.h"

#include "base/err.h"
#include "crdt/stmt_priv.h"

#include <sodium.h>

/* One of each kind (two removes); all true in the fixture's mesh. */
#define SAMPLES 7

struct samples {
	struct fixture f;
	struct stmt *at[SAMPLES];
};

static void samples_init(struct samples *s)
{
	static const int stay[] = { 1, 2, -1 };
	struct fixture_record r = {
		.member = 0, .counter = 4000, .role = ROLE_PEER, .watchers = 4, .variant = 'x'
	};

	fixture_init(&s->f);
	s->at[0] = fixture_appoint(&s->f, 0, 1000);
	s->at[1] = fixture_revoke(&s->f, 0, 2000, stay);
	s->at[2] = fixture_admission(&s->f, 0, 0, ROLE_PEER, 3000);
	s->at[3] = fixture_record(&s->f, &r);
	s->at[4] = fixture_leave(&s->f, 0, s->at[3]);
	s->at[5] = fixture_prune(&s->f, s->at[3], 0);
	s->at[6] = fixture_expel(&s->f, 0, 0, 5000);
}

static void samples_fini(struct samples *s)
{
	for (size_t i = 0; i < SAMPLES; i++)
		fixture_drop(&s->f, s->at[i]);
	fixture_fini(&s->f);
}

/* Is this a statement, and one of that mesh? */
static bool is_believed(struct fixture *f, struct bytes raw, const struct key *mesh_public)
{
	struct stmt *s;
	bool believed;
	int err = stmt_parse(&f->mt.mem, raw, &s);

	if (err != 0) {
		assert_true(err == ERR_MALFORMED || err == ERR_TRUNCATED || err == ERR_TOO_BIG ||
		            err == ERR_VERSION || err == ERR_BAD_KEY);
		return false;
	}
	err = stmt_verify(s, mesh_public);
	assert_true(err == 0 || err == ERR_BAD_SIGNATURE);
	believed = err == 0;
	fixture_drop(f, s);
	return believed;
}

static void test_true_statements_are_believed_in_their_mesh_only(void **state)
{
	struct samples s;

	(void)state;
	samples_init(&s);
	for (size_t i = 0; i < SAMPLES; i++) {
		assert_true(is_believed(&s.f, s.at[i]->raw, &s.f.mesh.sign_public));
		assert_false(is_believed(&s.f, s.at[i]->raw, &s.f.other_mesh.sign_public));
	}
	samples_fini(&s);
}

static void test_no_truncation_is_believed(void **state)
{
	struct samples s;

	(void)state;
	samples_init(&s);
	for (size_t i = 0; i < SAMPLES; i++) {
		for (size_t count = 0; count < s.at[i]->raw.count; count++) {
			struct bytes raw = { s.at[i]->raw.at, count };
			struct stmt *got;

			/* By form already: no signature is needed to see it. */
			if (stmt_parse(&s.f.mt.mem, raw, &got) != 0)
				continue;
			/* But for a certificate that lacks one whole part. */
			assert_int_equal(got->kind, STMT_REMOVE);
			assert_int_equal(got->cause, CAUSE_PRUNE);
			assert_int_equal(stmt_verify(got, &s.f.mesh.sign_public),
			                 ERR_BAD_SIGNATURE);
			fixture_drop(&s.f, got);
		}
	}
	samples_fini(&s);
}

static void test_no_extension_is_believed(void **state)
{
	struct samples s;

	(void)state;
	samples_init(&s);
	for (size_t i = 0; i < SAMPLES; i++) {
		struct fixture_bytes b;

		fixture_copy(s.at[i], &b);
		for (size_t more = 1; more <= 2 * (KEY_BYTES + SIGNATURE_BYTES); more++) {
			b.at[b.count + more - 1] = (uint8_t)more;
			assert_false(is_believed(&s.f, (struct bytes){ b.at, b.count + more },
			                         &s.f.mesh.sign_public));
		}
	}
	samples_fini(&s);
}

static void test_no_single_bit_flip_is_believed(void **state)
{
	struct samples s;

	(void)state;
	samples_init(&s);
	for (size_t i = 0; i < SAMPLES; i++) {
		struct fixture_bytes b;

		fixture_copy(s.at[i], &b);
		for (size_t bit = 0; bit < 8 * b.count; bit++) {
			b.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (is_believed(&s.f, (struct bytes){ b.at, b.count },
			                &s.f.mesh.sign_public))
				fail_msg("sample %zu, bit %zu", i, bit);
			b.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	samples_fini(&s);
}

static void test_other_versions_and_kinds_are_told_apart(void **state)
{
	struct samples s;
	struct stmt *got;

	(void)state;
	samples_init(&s);
	for (size_t i = 0; i < SAMPLES; i++) {
		struct fixture_bytes b;
		struct bytes raw = { b.at, s.at[i]->raw.count };

		fixture_copy(s.at[i], &b);
		for (unsigned version = 0; version < 256; version++) {
			b.at[1] = (uint8_t)version;
			if (version != CODEC_VERSION)
				assert_int_equal(stmt_parse(&s.f.mt.mem, raw, &got), ERR_VERSION);
		}
		b.at[1] = CODEC_VERSION;
		b.at[0] = 0;
		assert_int_equal(stmt_parse(&s.f.mt.mem, raw, &got), ERR_MALFORMED);
		b.at[0] = STMT_EXPEL + 1;
		assert_int_equal(stmt_parse(&s.f.mt.mem, raw, &got), ERR_VERSION);
	}
	samples_fini(&s);
}

/* The same fields as another kind: the label is what differs, and with it the signature. */
static void test_a_signature_is_good_for_one_kind(void **state)
{
	struct samples s;
	struct fixture_bytes b;

	(void)state;
	samples_init(&s);
	/* A revocation that lists nobody has the form of an appointment. */
	fixture_drop(&s.f, s.at[1]);
	s.at[1] = fixture_revoke(&s.f, 0, 2000, NULL);
	fixture_copy(s.at[1], &b);
	b.at[0] = STMT_APPOINT;
	assert_false(is_believed(&s.f, (struct bytes){ b.at, b.count }, &s.f.mesh.sign_public));
	/* A leave's signature does not do as a watcher's. */
	fixture_copy(s.at[4], &b);
	b.at[b.count - SIGNATURE_BYTES - 1] = CAUSE_PRUNE;
	assert_false(is_believed(&s.f, (struct bytes){ b.at, b.count }, &s.f.mesh.sign_public));
	samples_fini(&s);
}

static void test_what_was_read_from_the_envelope(void **state)
{
	struct samples s;

	(void)state;
	samples_init(&s);
	for (size_t i = 0; i < SAMPLES; i++) {
		const struct stmt *stmt = s.at[i];
		bool is_by_mesh = i < 2;
		bool is_by_admin = i == 2 || i == 6;
		const struct keypair *about = is_by_mesh ? &s.f.admins[0] : &s.f.members[0];

		assert_true(key_equal(&stmt->subject, &about->sign_public));
		assert_true(key_equal(&stmt->member, &about->box_public));
		if (is_by_mesh)
			assert_true(key_is_zero(&stmt->signer));
		else
			assert_true(key_equal(&stmt->signer,
			                      is_by_admin ? &s.f.admins[0].sign_public
			                                  : &s.f.members[0].sign_public));
		assert_int_equal(sodium_is_zero(stmt->hash, sizeof(stmt->hash)),
		                 stmt->kind == STMT_REMOVE);
		assert_int_equal(stmt->refs, 1);
	}
	assert_int_equal(s.at[0]->counter, 1000);
	assert_int_equal(s.at[1]->cause, 1);
	assert_int_equal(s.at[3]->counter, 4000);
	assert_int_equal(s.at[4]->counter, 4000);
	assert_int_equal(s.at[4]->cause, CAUSE_LEAVE);
	assert_int_equal(s.at[5]->cause, CAUSE_PRUNE);
	samples_fini(&s);
}

/* A later version adds a field to everything; its signature covers that too. */
static struct stmt *with_unknown_field(struct fixture *f,
                                       enum stmt_kind kind,
                                       const struct stmt *like,
                                       const struct keypair *pair)
{
	uint8_t buffer[LIMIT_STATEMENT_BYTES];
	struct envelope e = stmt_envelope(like);
	struct seal seal = { kind, pair, &f->mesh.sign_public };
	struct writer w;
	struct stmt *s;

	writer_init(&w, buffer, sizeof(buffer));
	write_copy(&w, e.fields.at, e.fields.count);
	field_put(&w, 1000, "from the future", 15);
	assert_int_equal(stmt_seal(&f->mt.mem, &seal, &w, &s), 0);
	return s;
}

static void test_unknown_fields_are_kept(void **state)
{
	struct samples s;
	const struct keypair *signers[SAMPLES];

	(void)state;
	samples_init(&s);
	signers[0] = signers[1] = &s.f.mesh;
	signers[2] = signers[6] = &s.f.admins[0];
	for (size_t i = 0; i < SAMPLES; i++) {
		struct stmt *later;

		if (i >= 3 && i <= 5)
			continue; /* test_record.c */
		later = with_unknown_field(&s.f, s.at[i]->kind, s.at[i], signers[i]);
		assert_true(is_believed(&s.f, later->raw, &s.f.mesh.sign_public));
		assert_int_equal(later->counter, s.at[i]->counter);
		assert_non_null(memmem(later->raw.at, later->raw.count, "from the future", 15));
		fixture_drop(&s.f, later);
	}
	samples_fini(&s);
}

static void test_too_big_is_refused_before_anything_else(void **state)
{
	static const struct {
		enum stmt_kind kind;
		size_t max;
	} rows[] = {
		{ STMT_APPOINT, 1024 }, { STMT_REVOKE, 8192 }, { STMT_ADMISSION, 1024 },
		{ STMT_RECORD, 4096 },  { STMT_REMOVE, 1024 }, { STMT_EXPEL, 1024 },
	};
	static uint8_t big[LIMIT_STATEMENT_BYTES + 1] = { 0, CODEC_VERSION };
	struct memtest mt;
	struct stmt *s;

	(void)state;
	memtest_init(&mt);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		big[0] = (uint8_t)rows[i].kind;
		assert_int_equal(stmt_parse(&mt.mem, (struct bytes){ big, rows[i].max + 1 }, &s),
		                 ERR_TOO_BIG);
		assert_int_not_equal(stmt_parse(&mt.mem, (struct bytes){ big, rows[i].max }, &s),
		                     ERR_TOO_BIG);
	}
	assert_int_equal(mt.calls, 0);
}

static void test_a_subject_must_be_a_member_key(void **state)
{
	struct fixture f;
	struct admission a = { .role = ROLE_PEER };
	struct stmt *s;

	(void)state;
	fixture_init(&f);
	/* Not on the curve or of small order; and the other one of two with one X25519 form. */
	memset(a.subject.b, 0, KEY_BYTES);
	assert_int_equal(admission_sign(&f.mt.mem, &a, &f.admins[0], &f.mesh.sign_public, &s),
	                 ERR_BAD_KEY);
	a.subject = f.members[0].sign_public;
	a.subject.b[KEY_BYTES - 1] |= 0x80;
	assert_int_equal(admission_sign(&f.mt.mem, &a, &f.admins[0], &f.mesh.sign_public, &s),
	                 ERR_BAD_KEY);
	fixture_fini(&f);
}

static void test_the_order_is_counter_cause_hash(void **state)
{
	struct stmt a = { .counter = 5, .cause = 1, .hash = { 5 } };
	struct stmt b = a;

	(void)state;
	assert_int_equal(stmt_compare(&a, &b), 0);
	b.hash[0] = 4;
	assert_true(stmt_compare(&a, &b) > 0);
	b.cause = 2;
	assert_true(stmt_compare(&a, &b) < 0);
	b.counter = 4;
	assert_true(stmt_compare(&a, &b) > 0);
	b.counter = UINT64_MAX;
	assert_true(stmt_compare(&a, &b) < 0 && stmt_compare(&b, &a) > 0);
}

static void test_the_last_reference_frees(void **state)
{
	struct fixture f;
	struct stmt *s;

	(void)state;
	fixture_init(&f);
	s = fixture_appoint(&f, 0, 1);
	assert_ptr_equal(stmt_ref(s), s);
	stmt_unref(&f.mt.mem, s);
	assert_int_equal(f.mt.live, 1);
	stmt_unref(&f.mt.mem, s);
	assert_int_equal(f.mt.live, 0);
	stmt_unref(&f.mt.mem, NULL);
	fixture_fini(&f);
}

static void test_revocations_list_who_stays(void **state)
{
	static const int stay[] = { 3, 1, 3, -1 };
	struct fixture f;
	struct stmt *s;

	(void)state;
	fixture_init(&f);
	s = fixture_revoke(&f, 0, 1, stay);
	for (int i = 0; i < FIXTURE_MEMBERS; i++)
		assert_int_equal(revoke_lets_stay(s, &f.members[i].box_public), i == 1 || i == 3);
	assert_false(revoke_is_stolen(s));
	fixture_drop(&f, s);
	s = fixture_revoke_stolen(&f, 0, 1);
	assert_true(revoke_is_stolen(s));
	fixture_drop(&f, s);
	fixture_fini(&f);
}

static void test_a_revocation_holds_some_230_members(void **state)
{
	static struct key stay[300];
	struct revocation r = { .stay = stay };
	struct fixture f;
	struct stmt *s;

	(void)state;
	fixture_init(&f);
	r.administrator = f.admins[0].sign_public;
	for (size_t i = 0; i < ARRAY_LEN(stay); i++)
		stay[i].b[0] = (uint8_t)i, stay[i].b[1] = (uint8_t)(i >> 8);
	r.stay_count = 237;
	assert_int_equal(revoke_sign(&f.mt.mem, &r, &f.mesh, &s), 0);
	assert_true(revoke_lets_stay(s, &stay[236]));
	fixture_drop(&f, s);
	r.stay_count = 300;
	assert_int_equal(revoke_sign(&f.mt.mem, &r, &f.mesh, &s), ERR_TOO_BIG);
	fixture_fini(&f);
}

static void test_admissions_and_expels_read_back(void **state)
{
	struct fixture f;
	struct admission a = {
		.role = ROLE_CLIENT, .may_bridge = true, .issued_ms = 77, .invite = { 9, 8, 7 }
	};
	struct expulsion x = { .issued_ms = 3, .keep_invites = true };
	struct admission got;
	struct stmt *s;

	(void)state;
	fixture_init(&f);
	a.subject = f.members[0].sign_public;
	assert_int_equal(admission_sign(&f.mt.mem, &a, &f.admins[1], &f.mesh.sign_public, &s), 0);
	admission_read(s, &got);
	assert_true(key_equal(&got.subject, &a.subject));
	assert_true(key_equal(&got.issuer, &f.admins[1].sign_public));
	assert_int_equal(got.role, ROLE_CLIENT);
	assert_true(got.may_bridge);
	assert_int_equal(got.issued_ms, 77);
	assert_memory_equal(got.invite, a.invite, sizeof(a.invite));
	fixture_drop(&f, s);
	x.subject = f.members[0].sign_public;
	assert_int_equal(expel_sign(&f.mt.mem, &x, &f.admins[1], &f.mesh.sign_public, &s), 0);
	assert_true(expel_keeps_invites(s));
	fixture_drop(&f, s);
	a.role = 3;
	assert_int_equal(admission_sign(&f.mt.mem, &a, &f.admins[1], &f.mesh.sign_public, &s),
	                 ERR_MALFORMED);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_true_statements_are_believed_in_their_mesh_only),
		cmocka_unit_test(test_no_truncation_is_believed),
		cmocka_unit_test(test_no_extension_is_believed),
		cmocka_unit_test(test_no_single_bit_flip_is_believed),
		cmocka_unit_test(test_other_versions_and_kinds_are_told_apart),
		cmocka_unit_test(test_a_signature_is_good_for_one_kind),
		cmocka_unit_test(test_what_was_read_from_the_envelope),
		cmocka_unit_test(test_unknown_fields_are_kept),
		cmocka_unit_test(test_too_big_is_refused_before_anything_else),
		cmocka_unit_test(test_a_subject_must_be_a_member_key),
		cmocka_unit_test(test_the_order_is_counter_cause_hash),
		cmocka_unit_test(test_the_last_reference_frees),
		cmocka_unit_test(test_revocations_list_who_stays),
		cmocka_unit_test(test_a_revocation_holds_some_230_members),
		cmocka_unit_test(test_admissions_and_expels_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
