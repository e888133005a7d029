/*
 * Heartbeats as bytes: what is signed comes back, and nothing else is believed.
 */
#include "tests/unit/crdt/fixture.h"

#include "base/err.h"
#include "crdt/beat.h"

static void beat_init(struct fixture *f, struct beat *beat, uint8_t out[BEAT_BYTES])
{
	*beat = (struct beat){ .number = FIXTURE_NOW_MS, .members = 3000 };
	memset(beat->digest, 0x5a, sizeof(beat->digest));
	beat_sign(beat, &f->members[2], &f->mesh.sign_public, out);
	beat->leader = f->members[2].box_public;
}

static int verify(struct fixture *f, const uint8_t raw[BEAT_BYTES])
{
	return beat_verify((struct bytes){ raw, BEAT_BYTES }, &f->members[2].sign_public,
	                   &f->mesh.sign_public);
}

static void test_a_beat_comes_back(void **state)
{
	struct fixture f;
	struct beat beat;
	struct beat got;
	uint8_t raw[BEAT_BYTES];

	(void)state;
	fixture_init(&f);
	beat_init(&f, &beat, raw);
	assert_int_equal(beat_parse((struct bytes){ raw, BEAT_BYTES }, &got), 0);
	assert_true(key_equal(&got.leader, &f.members[2].box_public));
	assert_int_equal(got.number, FIXTURE_NOW_MS);
	assert_memory_equal(got.digest, beat.digest, DIGEST_BYTES);
	assert_int_equal(got.members, 3000);
	assert_int_equal(verify(&f, raw), 0);
	fixture_fini(&f);
}

static void test_no_change_of_a_beat_is_believed(void **state)
{
	struct fixture f;
	struct beat beat;
	uint8_t raw[BEAT_BYTES];

	(void)state;
	fixture_init(&f);
	beat_init(&f, &beat, raw);
	for (size_t i = 0; i < 8 * BEAT_BYTES; i++) {
		struct bytes changed = { raw, BEAT_BYTES };

		raw[i / 8] ^= (uint8_t)(1 << i % 8);
		if (beat_parse(changed, &beat) == 0)
			assert_int_equal(verify(&f, raw), ERR_BAD_SIGNATURE);
		raw[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(verify(&f, raw), 0);
	fixture_fini(&f);
}

static void test_another_signer_or_mesh_is_not_believed(void **state)
{
	struct fixture f;
	struct beat beat;
	uint8_t raw[BEAT_BYTES];
	struct bytes all = { raw, BEAT_BYTES };

	(void)state;
	fixture_init(&f);
	beat_init(&f, &beat, raw);
	assert_int_equal(beat_verify(all, &f.members[1].sign_public, &f.mesh.sign_public),
	                 ERR_BAD_SIGNATURE);
	assert_int_equal(beat_verify(all, &f.members[2].sign_public, &f.other_mesh.sign_public),
	                 ERR_BAD_SIGNATURE);
	fixture_fini(&f);
}

static void test_other_forms_are_refused(void **state)
{
	struct fixture f;
	struct beat beat;
	uint8_t raw[BEAT_BYTES + 1] = { 0 };

	(void)state;
	fixture_init(&f);
	beat_init(&f, &beat, raw);
	for (size_t bytes = 0; bytes < BEAT_BYTES; bytes++)
		assert_int_equal(beat_parse((struct bytes){ raw, bytes }, &beat), ERR_TRUNCATED);
	assert_int_equal(beat_parse((struct bytes){ raw, BEAT_BYTES + 1 }, &beat), ERR_MALFORMED);
	raw[0] = STMT_RECORD;
	assert_int_equal(beat_parse((struct bytes){ raw, BEAT_BYTES }, &beat), ERR_MALFORMED);
	raw[0] = 0x62;
	raw[1]++;
	assert_int_equal(beat_parse((struct bytes){ raw, BEAT_BYTES }, &beat), ERR_VERSION);
	raw[1]--;
	raw[3]--; /* a field too short, a byte behind the signature */
	assert_int_equal(beat_parse((struct bytes){ raw, BEAT_BYTES }, &beat), ERR_MALFORMED);
	raw[3]++;
	memset(raw + 4 + KEY_BYTES, 0, 8);
	assert_int_equal(beat_parse((struct bytes){ raw, BEAT_BYTES }, &beat), ERR_MALFORMED);
	fixture_fini(&f);
}

static void test_only_other_words_contradict(void **state)
{
	struct fixture f;
	struct beat a;
	struct beat b;
	uint8_t raw[BEAT_BYTES];

	(void)state;
	fixture_init(&f);
	beat_init(&f, &a, raw);
	b = a;
	assert_false(beat_contradicts(&a, &b));
	b.members++;
	assert_true(beat_contradicts(&a, &b));
	b.number++;
	assert_false(beat_contradicts(&a, &b));
	b = a;
	b.digest[15] ^= 1;
	assert_true(beat_contradicts(&a, &b));
	b.leader = f.members[3].box_public;
	assert_false(beat_contradicts(&a, &b));
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_beat_comes_back),
		cmocka_unit_test(test_no_change_of_a_beat_is_believed),
		cmocka_unit_test(test_another_signer_or_mesh_is_not_believed),
		cmocka_unit_test(test_other_forms_are_refused),
		cmocka_unit_test(test_only_other_words_contradict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
