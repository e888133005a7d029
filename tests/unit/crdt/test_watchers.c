/*
 * Watchers: records name them by 12 bytes of their keys, certificates hold the keys whole.  What
 * does not fit together is refused, though every signature in it be good.
 *
 * Also what a record costs, in bytes and in time, as every member is looked at when a node starts.
 */
#include "tests/unit/crdt/fixture.h"

#include "base/err.h"
#include "crdt/stmt_priv.h"

#include <stdio.h>
#include <time.h>

#define PART_BYTES (KEY_BYTES + SIGNATURE_BYTES)

/* --- the form of the field -------------------------------------------------------------------- */

/* A record of member 0 by hand, with these values of the watchers' field. */
static int parse_with(struct fixture *f, const struct bytes *fields, size_t count)
{
	static const uint8_t body[] = { 1, 1, ROLE_PEER };
	uint8_t header_buffer[RECORD_HEADER_BYTES_MAX];
	uint8_t raw[1024];
	uint8_t hash[BODY_HASH_BYTES];
	struct signature signature;
	struct writer header;
	struct writer w;
	struct stmt *s;
	int err;

	hash_labelled("smeg body", body, sizeof(body), hash, sizeof(hash));
	writer_init(&header, header_buffer, sizeof(header_buffer));
	field_put(&header, 1, f->members[0].sign_public.b, KEY_BYTES);
	field_put_u64(&header, 2, 5);
	for (size_t i = 0; i < count; i++)
		field_put(&header, 3, fields[i].at, fields[i].count);
	field_put(&header, 4, hash, sizeof(hash));
	mesh_sign(&f->members[0], LABEL_RECORD, &f->mesh.sign_public, writer_bytes(&header),
	          &signature);
	writer_init(&w, raw, sizeof(raw));
	envelope_write(&w, STMT_RECORD, writer_bytes(&header), &signature);
	write_copy(&w, body, sizeof(body));
	assert_int_equal(w.err, 0);
	err = stmt_parse(&f->mt.mem, writer_bytes(&w), &s);
	if (err == 0) {
		assert_int_equal(stmt_verify(s, &f->mesh.sign_public), 0);
		fixture_drop(f, s);
	}
	return err;
}

static void test_one_field_of_whole_ids_that_ascend(void **state)
{
	uint8_t ids[5 * WATCHER_ID_BYTES] = { 0 };
	struct bytes two[2] = { { ids, 12 }, { ids + 12, 12 } };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	/* They differ in the last byte alone. */
	for (size_t i = 0; i < 5; i++)
		ids[i * WATCHER_ID_BYTES + 11] = (uint8_t)i;
	for (size_t bytes = 0; bytes <= sizeof(ids); bytes++) {
		bool is_good = bytes == 12 || bytes == 24 || bytes == 36 || bytes == 48;

		if (parse_with(&f, &(struct bytes){ ids, bytes }, 1) !=
		    (is_good ? 0 : ERR_MALFORMED))
			fail_msg("%zu bytes", bytes);
	}
	assert_int_equal(parse_with(&f, two, 0), 0);
	assert_int_equal(parse_with(&f, two, 2), ERR_MALFORMED);
	/* The third is the second again, then less. */
	ids[35] = 1;
	assert_int_equal(parse_with(&f, &(struct bytes){ ids, 36 }, 1), ERR_MALFORMED);
	ids[35] = 0;
	assert_int_equal(parse_with(&f, &(struct bytes){ ids, 36 }, 1), ERR_MALFORMED);
	/* The owner's own. */
	assert_int_equal(parse_with(&f, &(struct bytes){ f.members[0].sign_public.b, 12 }, 1),
	                 ERR_MALFORMED);
	fixture_fini(&f);
}

/* --- certificates ----------------------------------------------------------------------------- */

/* The header of `record`, and these parts as they are. */
static void certificate(const struct stmt *record,
                        const struct attest *attests,
                        size_t count,
                        struct fixture_bytes *out)
{
	struct envelope e = stmt_envelope(record);
	struct writer w;

	writer_init(&w, out->at, sizeof(out->at));
	envelope_write(&w, STMT_REMOVE, e.fields, &e.signature);
	write_u8(&w, CAUSE_PRUNE);
	for (size_t i = 0; i < count; i++) {
		write_copy(&w, attests[i].watcher.b, KEY_BYTES);
		write_copy(&w, attests[i].signature.b, SIGNATURE_BYTES);
	}
	assert_int_equal(w.err, 0);
	out->count = w.count;
}

/* What becomes of it: an error of the parser, or else of verifying. */
static int judge(struct fixture *f, const struct fixture_bytes *b)
{
	struct stmt *s;
	int err = stmt_parse(&f->mt.mem, (struct bytes){ b->at, b->count }, &s);

	if (err != 0)
		return err;
	err = stmt_verify(s, &f->mesh.sign_public);
	fixture_drop(f, s);
	return err;
}

struct scene {
	struct fixture f;
	struct stmt *record;                    /* of member 0, who names 1 and 2 */
	struct attest attests[FIXTURE_MEMBERS]; /* by each member, 0 too; all signed well */
	size_t low;                             /* 1 or 2: whose id is the lesser */
	size_t high;
};

static void scene_init(struct scene *s, uint64_t counter)
{
	struct fixture_record want = { .counter = counter, .role = ROLE_PEER, .watchers = 2 };
	struct watcher_id first;
	struct record r;

	fixture_init(&s->f);
	s->record = fixture_record(&s->f, &want);
	for (size_t i = 0; i < FIXTURE_MEMBERS; i++)
		prune_attest(s->record, &s->f.members[i], &s->f.mesh.sign_public, &s->attests[i]);
	record_read(s->record, &r);
	first = watcher_id_of(&s->f.members[1].sign_public);
	s->low = watcher_id_compare(&first, &r.watchers[0]) == 0 ? 1 : 2;
	s->high = 3 - s->low;
}

static void scene_fini(struct scene *s)
{
	fixture_drop(&s->f, s->record);
	fixture_fini(&s->f);
}

static int judge_two(struct scene *s, const struct attest *a, const struct attest *b)
{
	struct attest attests[2] = { *a, *b };
	struct fixture_bytes bytes;

	certificate(s->record, attests, 2, &bytes);
	return judge(&s->f, &bytes);
}

static int make_two(struct scene *s, const struct attest *a, const struct attest *b)
{
	struct attest attests[2] = { *a, *b };
	struct stmt *remove;
	int err = remove_make_prune(&s->f.mt.mem, s->record, attests, 2, &remove);

	if (err == 0)
		fixture_drop(&s->f, remove);
	return err;
}

static void test_only_the_two_that_are_named_make_one(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s, 5);
	for (size_t i = 0; i < FIXTURE_MEMBERS; i++) {
		for (size_t j = 0; j < FIXTURE_MEMBERS; j++) {
			bool is_pair = (i == 1 && j == 2) || (i == 2 && j == 1);
			int err = judge_two(&s, &s.attests[i], &s.attests[j]);
			int want = i == s.low && j == s.high ? 0 : ERR_MALFORMED;

			if (err != want)
				fail_msg("%zu and %zu: %d", i, j, err);
			err = make_two(&s, &s.attests[i], &s.attests[j]);
			assert_int_equal(err, is_pair ? 0 : ERR_NOT_AUTHORISED);
		}
	}
	scene_fini(&s);
}

/* Both keys of one id: of a point and its negative whoever has one secret has the other. */
static void test_two_keys_of_one_id_count_once(void **state)
{
	struct attest twin;
	struct scene s;

	(void)state;
	scene_init(&s, 5);
	for (size_t i = 1; i <= 2; i++) {
		twin = s.attests[i];
		twin.watcher.b[KEY_BYTES - 1] ^= 0x80;
		assert_true(record_watches(s.record, &twin.watcher));
		assert_int_equal(make_two(&s, &s.attests[i], &twin), ERR_NOT_AUTHORISED);
		assert_int_equal(judge_two(&s, &s.attests[i], &twin), ERR_MALFORMED);
		assert_int_equal(judge_two(&s, &twin, &s.attests[i]), ERR_MALFORMED);
	}
	scene_fini(&s);
}

/* A key that fits the id, by somebody who has not its secret. */
static void test_a_forged_key_of_an_id_is_refused(void **state)
{
	struct attest forged;
	struct scene s;

	(void)state;
	scene_init(&s, 5);
	for (size_t at = WATCHER_ID_BYTES; at < KEY_BYTES; at++) {
		forged = s.attests[s.high];
		forged.watcher.b[at] ^= 1;
		assert_int_equal(attest_verify(s.record, &forged, &s.f.mesh.sign_public),
		                 ERR_BAD_SIGNATURE);
		assert_int_equal(judge_two(&s, &s.attests[s.low], &forged), ERR_BAD_SIGNATURE);
	}
	/* The watcher's key and another's signature. */
	forged = s.attests[3];
	forged.watcher = s.attests[s.high].watcher;
	assert_int_equal(judge_two(&s, &s.attests[s.low], &forged), ERR_BAD_SIGNATURE);
	for (size_t at = 0; at < WATCHER_ID_BYTES; at++) {
		forged = s.attests[s.high];
		forged.watcher.b[at] ^= 1;
		assert_false(record_watches(s.record, &forged.watcher));
		assert_int_equal(attest_verify(s.record, &forged, &s.f.mesh.sign_public),
		                 ERR_NOT_AUTHORISED);
		assert_int_equal(judge_two(&s, &s.attests[s.low], &forged), ERR_MALFORMED);
	}
	scene_fini(&s);
}

/* Forgers put their own ids in the place of the watchers': the owner has not signed that. */
static void test_forged_ids_are_refused(void **state)
{
	struct attest attests[2];
	struct record forged;
	struct fixture_bytes b;
	struct stmt *record;
	struct envelope e;
	uint8_t *ids;
	struct scene s;

	(void)state;
	scene_init(&s, 5);
	fixture_watchers(&s.f, &forged, 3, 2);
	fixture_copy(s.record, &b);
	e = stmt_envelope(s.record);
	ids = memmem(b.at, b.count, field_find(e.fields, 3).at, 2 * WATCHER_ID_BYTES);
	assert_non_null(ids);
	memcpy(ids, forged.watchers, 2 * WATCHER_ID_BYTES);
	assert_int_equal(stmt_parse(&s.f.mt.mem, (struct bytes){ b.at, b.count }, &record), 0);
	assert_int_equal(stmt_verify(record, &s.f.mesh.sign_public), ERR_BAD_SIGNATURE);
	for (size_t i = 0; i < 2; i++) {
		struct watcher_id id = watcher_id_of(&s.f.members[3 + i].sign_public);
		size_t at = watcher_id_compare(&id, &forged.watchers[1]) == 0;

		prune_attest(record, &s.f.members[3 + i], &s.f.mesh.sign_public, &attests[at]);
		assert_int_equal(attest_verify(record, &attests[at], &s.f.mesh.sign_public), 0);
	}
	certificate(record, attests, 2, &b);
	assert_int_equal(judge(&s.f, &b), ERR_BAD_SIGNATURE);
	fixture_drop(&s.f, record);
	scene_fini(&s);
}

static void test_parts_of_another_counter_are_refused(void **state)
{
	struct scene earlier;
	struct scene s;

	(void)state;
	scene_init(&earlier, 5);
	scene_init(&s, 6);
	assert_int_equal(judge_two(&s, &s.attests[s.low], &s.attests[s.high]), 0);
	assert_int_equal(judge_two(&s, &earlier.attests[s.low], &earlier.attests[s.high]),
	                 ERR_BAD_SIGNATURE);
	assert_int_equal(judge_two(&s, &s.attests[s.low], &earlier.attests[s.high]),
	                 ERR_BAD_SIGNATURE);
	assert_int_equal(judge_two(&s, &earlier.attests[s.low], &s.attests[s.high]),
	                 ERR_BAD_SIGNATURE);
	scene_fini(&s);
	scene_fini(&earlier);
}

static void test_who_signed_is_told_by_the_whole_key(void **state)
{
	struct fixture_record want = { .counter = 5, .role = ROLE_PEER, .watchers = 3 };
	struct fixture f;
	struct stmt *record;
	struct stmt *prune;
	struct record r;
	struct key twin;

	(void)state;
	fixture_init(&f);
	record = fixture_record(&f, &want);
	prune = fixture_prune(&f, record, 1); /* all but the first */
	record_read(record, &r);
	for (size_t i = 0; i < FIXTURE_MEMBERS; i++) {
		struct watcher_id id = watcher_id_of(&f.members[i].sign_public);
		bool signed_it = watcher_id_compare(&id, &r.watchers[1]) == 0 ||
		                 watcher_id_compare(&id, &r.watchers[2]) == 0;

		assert_int_equal(remove_signed_by(prune, &f.members[i].sign_public), signed_it);
		twin = f.members[i].sign_public;
		twin.b[WATCHER_ID_BYTES] ^= 1;
		assert_false(remove_signed_by(prune, &twin));
	}
	fixture_drop(&f, prune);
	prune = fixture_leave(&f, 0, record);
	assert_false(remove_signed_by(prune, &f.members[0].sign_public));
	fixture_drop(&f, prune);
	fixture_drop(&f, record);
	fixture_fini(&f);
}

static void test_removes_are_the_same_whoever_has_signed(void **state)
{
	struct fixture_record want = { .counter = 5, .role = ROLE_PEER, .watchers = 4 };
	struct fixture f;
	struct stmt *record;
	struct stmt *one;
	struct stmt *other;
	struct stmt *later;

	(void)state;
	fixture_init(&f);
	record = fixture_record(&f, &want);
	one = fixture_prune(&f, record, 0);
	other = fixture_prune(&f, record, 1);
	assert_memory_not_equal(one->raw.at, other->raw.at, one->raw.count);
	assert_true(remove_is_same(one, one->raw));
	assert_true(remove_is_same(one, other->raw));
	assert_false(remove_is_same(one, record->raw));
	fixture_drop(&f, other);
	other = fixture_leave(&f, 0, record);
	assert_false(remove_is_same(one, other->raw));
	fixture_drop(&f, record);
	want.counter = 6;
	record = fixture_record(&f, &want);
	later = fixture_prune(&f, record, 0);
	assert_int_equal(later->raw.count, one->raw.count);
	assert_false(remove_is_same(one, later->raw));
	fixture_drop(&f, later);
	fixture_drop(&f, other);
	fixture_drop(&f, one);
	fixture_drop(&f, record);
	fixture_fini(&f);
}

/* --- what it costs ---------------------------------------------------------------------------- */

static struct stmt *typical(struct fixture *f)
{
	struct record r = {
		.counter = FIXTURE_NOW_MS,
		.role = ROLE_PEER,
		.alias = { (const uint8_t *)"n1234", 5 },
		.places = { { PLACE_INTERFACE,
		              { { 0x20, 1, 0x0d, 0xb8, [15] = 1 } },
		              { NULL, 0 },
		              21820,
		              51820 } },
		.places_count = 1,
	};
	struct stmt *s;

	fixture_watchers(f, &r, 1, LIMIT_WATCHERS);
	assert_int_equal(record_sign(&f->mt.mem, &r, &f->members[0], &f->mesh.sign_public, &s), 0);
	return s;
}

/* Print what each field takes with its tag and length; returns the sum. */
static size_t weigh(const char *const *names, struct bytes src)
{
	struct fields f;
	struct field field;
	size_t sum = 0;

	fields_init(&f, src);
	for (size_t left = reader_left(&f.reader); fields_next(&f, &field);
	     left = reader_left(&f.reader)) {
		size_t bytes = left - reader_left(&f.reader);

		printf("%4zu  %s\n", bytes, names[field.tag]);
		sum += bytes;
	}
	return sum;
}

static void test_a_typical_record_has_at_most_225_bytes(void **state)
{
	static const char *const header[] = { "", "owner", "counter", "watchers", "body hash" };
	static const char *const body[] = {
		"", "role", "carrier", "alias", "description", "place"
	};
	struct fixture f;
	struct envelope e;
	struct stmt *prune;
	struct stmt *s;
	size_t sum;

	(void)state;
	fixture_init(&f);
	s = typical(&f);
	e = stmt_envelope(s);
	printf("%4u  kind, version, length\n%4u  signature\n", ENVELOPE_HEAD_BYTES,
	       SIGNATURE_BYTES);
	sum = ENVELOPE_HEAD_BYTES + SIGNATURE_BYTES + weigh(header, e.fields) + weigh(body, e.rest);
	assert_int_equal(sum, s->raw.count);
	prune = fixture_prune(&f, s, 0);
	printf("%4zu  a typical record; %zu a certificate that prunes it\n", s->raw.count,
	       prune->raw.count);
	assert_in_range(s->raw.count, 1, 225);
	fixture_drop(&f, prune);
	fixture_drop(&f, s);
	fixture_fini(&f);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* What is looked at without reading the rest is what reading the rest gives; and it takes less. */
static void test_looking_at_a_header_is_cheap(void **state)
{
	enum {
		TIMES = 20000
	};
	struct watcher_id ids[LIMIT_WATCHERS];
	struct fixture f;
	struct record r;
	struct stmt *s;
	int64_t at[5];
	size_t sum = 0;

	(void)state;
	fixture_init(&f);
	s = typical(&f);
	at[0] = now_ns();
	for (size_t i = 0; i < TIMES; i++)
		sum += record_watches(s, &f.members[i % FIXTURE_MEMBERS].sign_public);
	at[1] = now_ns();
	assert_int_equal(sum, TIMES / FIXTURE_MEMBERS * 4 + 1); /* 20000 = 3333 * 6 + 2 */
	for (size_t i = 0; i < TIMES; i++)
		sum += record_watchers(s, ids);
	at[2] = now_ns();
	for (size_t i = 0; i < TIMES; i++)
		sum += record_has_places(s);
	at[3] = now_ns();
	for (size_t i = 0; i < TIMES; i++) {
		record_read(s, &r);
		sum += r.watchers_count;
	}
	at[4] = now_ns();
	assert_int_equal(sum, TIMES / FIXTURE_MEMBERS * 4 + 1 + TIMES * (4 + 1 + 4));
	assert_int_equal(record_watchers(s, ids), r.watchers_count);
	assert_memory_equal(ids, r.watchers, sizeof(ids));
	printf("record_watches %lld ns, record_watchers %lld, record_has_places %lld, "
	       "record_read %lld\n",
	       (long long)(at[1] - at[0]) / TIMES, (long long)(at[2] - at[1]) / TIMES,
	       (long long)(at[3] - at[2]) / TIMES, (long long)(at[4] - at[3]) / TIMES);
	fixture_drop(&f, s);
	fixture_fini(&f);
}

/* Places that only WireGuard is at don't count. */
static void test_places_are_where_it_can_be_dialled(void **state)
{
	static const uint16_t ports[][2] = { { 0, 0 }, { 0, 1 }, { 1, 0 }, { 0x100, 0 } };
	struct fixture f;
	struct stmt *s;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i <= ARRAY_LEN(ports); i++) {
		struct record r = {
			.role = ROLE_PEER,
			.places = { { PLACE_GIVEN, { { 0x20, 1 } }, { NULL, 0 }, 0, 9 },
			            { PLACE_NAME, { { 0 } }, { NULL, 0 }, 0, 9 } },
			.places_count = i < ARRAY_LEN(ports) ? 2 : 0,
			.services = { { { (const uint8_t *)"ssh", 3 },
			                { (const uint8_t *)"\1\1\1", 3 } } },
			.services_count = 1,
		};

		r.places[1].name = (struct bytes){ (const uint8_t *)"host", 4 };
		for (size_t k = 0; k < r.places_count; k++)
			r.places[k].gossip_port = ports[i][k];
		assert_int_equal(record_sign(&f.mt.mem, &r, &f.members[0], &f.mesh.sign_public, &s),
		                 0);
		assert_int_equal(record_has_places(s), i > 0 && i < ARRAY_LEN(ports));
		fixture_drop(&f, s);
	}
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_field_of_whole_ids_that_ascend),
		cmocka_unit_test(test_only_the_two_that_are_named_make_one),
		cmocka_unit_test(test_two_keys_of_one_id_count_once),
		cmocka_unit_test(test_a_forged_key_of_an_id_is_refused),
		cmocka_unit_test(test_forged_ids_are_refused),
		cmocka_unit_test(test_parts_of_another_counter_are_refused),
		cmocka_unit_test(test_who_signed_is_told_by_the_whole_key),
		cmocka_unit_test(test_removes_are_the_same_whoever_has_signed),
		cmocka_unit_test(test_a_typical_record_has_at_most_225_bytes),
		cmocka_unit_test(test_looking_at_a_header_is_cheap),
		cmocka_unit_test(test_places_are_where_it_can_be_dialled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
