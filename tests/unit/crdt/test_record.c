/*
 * Records and removes: what was said comes back, what may not be said is refused, and only the
 * owner or a quorum of the watchers it named can remove.
 */
#include "tests/unit/crdt/fixture.h"

#include "base/err.h"
#include "crdt/stmt_priv.h"

#include <stdio.h>

#define TEXT(s) ((struct bytes){ (const uint8_t *)(s), sizeof(s) - 1 })

/* A record that uses everything; change one thing and sign. */
static struct record record_all(const struct fixture *f)
{
	struct record r = {
		.counter = 7,
		.role = ROLE_CLIENT,
		.has_carrier = true,
		.carrier = f->members[1].box_public,
		.alias = TEXT("office"),
		.description = TEXT("first\0floor"),
		.places_count = 3,
		.services_count = 2,
		.services = { { TEXT("http"), TEXT("80") }, { TEXT("ssh"), TEXT("") } },
		.prefixes_count = 2,
	};

	r.places[0] = (struct place){ PLACE_GIVEN, { { 0x20, 1 } }, { NULL, 0 }, 1, 2 };
	r.places[1] = (struct place){ PLACE_INTERFACE, { { 0x20, 2 } }, { NULL, 0 }, 0, 65535 };
	r.places[2] = (struct place){ PLACE_NAME, { { 0 } }, TEXT("host.example"), 3, 0 };
	fixture_watchers(f, &r, 1, 2);
	assert_int_equal(prefix_parse(&r.prefixes[0], "0.0.0.0/0"), 0);
	assert_int_equal(prefix_parse(&r.prefixes[1], "fd00::/8"), 0);
	return r;
}

static int sign(struct fixture *f, const struct record *r, struct stmt **ret_stmt)
{
	return record_sign(&f->mt.mem, r, &f->members[0], &f->mesh.sign_public, ret_stmt);
}

static void test_everything_said_comes_back(void **state)
{
	struct fixture f;
	struct record r;
	struct record got;
	struct stmt *s;

	(void)state;
	fixture_init(&f);
	r = record_all(&f);
	assert_int_equal(sign(&f, &r, &s), 0);
	record_read(s, &got);
	assert_true(key_equal(&got.subject, &f.members[0].sign_public));
	assert_int_equal(got.counter, 7);
	assert_int_equal(got.watchers_count, 2);
	assert_memory_equal(got.watchers, r.watchers, 2 * sizeof(got.watchers[0]));
	assert_int_equal(got.role, ROLE_CLIENT);
	assert_true(got.has_carrier && key_equal(&got.carrier, &r.carrier));
	assert_true(bytes_equal(got.alias, r.alias));
	assert_true(bytes_equal(got.description, r.description));
	assert_int_equal(got.places_count, 3);
	assert_int_equal(got.places[1].kind, PLACE_INTERFACE);
	assert_true(addr_equal(&got.places[1].addr, &r.places[1].addr));
	assert_int_equal(got.places[1].gossip_port, 0);
	assert_int_equal(got.places[1].wg_port, 65535);
	assert_true(bytes_equal(got.places[2].name, r.places[2].name));
	assert_int_equal(got.services_count, 2);
	assert_true(bytes_equal(got.services[0].name, r.services[0].name));
	assert_true(bytes_equal(got.services[0].value, r.services[0].value));
	assert_int_equal(got.services[1].value.count, 0);
	assert_int_equal(got.prefixes_count, 2);
	assert_true(prefix_equal(&got.prefixes[0], &r.prefixes[0]));
	assert_true(record_same_body(&r, &got));
	assert_int_equal(record_role(s), ROLE_CLIENT);
	fixture_drop(&f, s);
	fixture_fini(&f);
}

static void test_the_body_is_compared_without_the_header(void **state)
{
	struct fixture f;
	struct record a;
	struct record b;

	(void)state;
	fixture_init(&f);
	a = record_all(&f);
	b = a;
	b.counter++;
	b.watchers_count = 0;
	assert_true(record_same_body(&a, &b));
	b.services[0].value = TEXT("81");
	assert_false(record_same_body(&a, &b));
	b = a;
	b.prefixes_count = 1;
	assert_false(record_same_body(&a, &b));
	b = a;
	b.has_carrier = false;
	assert_false(record_same_body(&a, &b));
	fixture_fini(&f);
}

/* Each breaks one rule in a record that is else good. */
static void break_role(struct record *r)
{
	r->role = 3;
}

static void break_no_role(struct record *r)
{
	r->role = 0;
}

static void break_alias_case(struct record *r)
{
	r->alias = TEXT("Office");
}

static void break_alias_hyphen(struct record *r)
{
	r->alias = TEXT("-office");
}

static void break_alias_zero(struct record *r)
{
	r->alias = TEXT("off\0ice");
}

static void break_alias_long(struct record *r)
{
	r->alias = TEXT("0123456789012345678901234567890123456789012345678901234567890123");
}

static const uint8_t zeros[LIMIT_RECORD_BYTES] = { 0 };

static void break_description_long(struct record *r)
{
	r->description = (struct bytes){ zeros, LIMIT_DESCRIPTION_BYTES + 1 };
}

static void break_place_kind(struct record *r)
{
	r->places[0].kind = 4;
}

static void break_place_kind_zero(struct record *r)
{
	r->places[0].kind = 0;
}

static void break_place_zero(struct record *r)
{
	r->places[0].addr = (struct addr){ { 0 } };
}

static void break_place_zero_v4(struct record *r)
{
	addr_from_v4(&r->places[0].addr, zeros);
}

static void break_place_multicast(struct record *r)
{
	r->places[0].addr.b[0] = 0xff;
}

static void break_place_no_name(struct record *r)
{
	r->places[2].name.count = 0;
}

static void break_place_name(struct record *r)
{
	r->places[2].name = TEXT("host_name");
}

static void break_place_name_port(struct record *r)
{
	r->places[2].name = TEXT("host.example:22");
}

static void break_place_name_number(struct record *r)
{
	r->places[2].name = TEXT("192.0.2.1");
}

static void break_service_twice(struct record *r)
{
	r->services[1].name = r->services[0].name;
}

static void break_service_order(struct record *r)
{
	r->services[1].name = TEXT("ftp");
}

static void break_service_name(struct record *r)
{
	r->services[0].name = TEXT("_http");
}

static void break_service_no_name(struct record *r)
{
	r->services[0].name.count = 0;
}

static void break_service_value(struct record *r)
{
	r->services[0].value = (struct bytes){ zeros, LIMIT_SERVICE_VALUE_BYTES + 1 };
}

static void break_prefix_order(struct record *r)
{
	struct prefix p = r->prefixes[0];

	r->prefixes[0] = r->prefixes[1];
	r->prefixes[1] = p;
}

static void break_prefix_twice(struct record *r)
{
	r->prefixes[1] = r->prefixes[0];
}

static void break_prefix_host_bits(struct record *r)
{
	r->prefixes[1].addr.b[15] = 1;
}

static void break_prefix_bits(struct record *r)
{
	r->prefixes[1].bits = 129;
}

static void break_watcher_twice(struct record *r)
{
	r->watchers[1] = r->watchers[0];
}

static void break_watcher_order(struct record *r)
{
	struct watcher_id id = r->watchers[0];

	r->watchers[0] = r->watchers[1];
	r->watchers[1] = id;
}

static void test_what_may_not_be_said_is_malformed(void **state)
{
	static const struct {
		const char *name;
		void (*apply)(struct record *r);
	} rows[] = {
		{ "role", break_role },
		{ "no role", break_no_role },
		{ "alias in upper case", break_alias_case },
		{ "alias begins with a hyphen", break_alias_hyphen },
		{ "alias with a zero byte", break_alias_zero },
		{ "alias of 64", break_alias_long },
		{ "description of 256", break_description_long },
		{ "unknown kind of place", break_place_kind },
		{ "kind 0 of place", break_place_kind_zero },
		{ "place ::", break_place_zero },
		{ "place 0.0.0.0", break_place_zero_v4 },
		{ "place at a multicast address", break_place_multicast },
		{ "place without a name", break_place_no_name },
		{ "place with a bad name", break_place_name },
		{ "place with a port in its name", break_place_name_port },
		{ "place with a number for a name", break_place_name_number },
		{ "service twice", break_service_twice },
		{ "services descend", break_service_order },
		{ "service with a bad name", break_service_name },
		{ "service without a name", break_service_no_name },
		{ "service value of 256", break_service_value },
		{ "prefixes descend", break_prefix_order },
		{ "prefix twice", break_prefix_twice },
		{ "prefix with host bits", break_prefix_host_bits },
		{ "prefix of 129 bits", break_prefix_bits },
		{ "watcher twice", break_watcher_twice },
		{ "watchers descend", break_watcher_order },
	};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record r = record_all(&f);
		struct stmt *s;

		rows[i].apply(&r);
		if (sign(&f, &r, &s) != ERR_MALFORMED)
			fail_msg("%s", rows[i].name);
	}
	fixture_fini(&f);
}

static void test_nobody_watches_itself(void **state)
{
	struct fixture f;
	struct record r;
	struct stmt *s;

	(void)state;
	fixture_init(&f);
	r = record_all(&f);
	for (size_t first = 0; first < 3; first++) {
		fixture_watchers(&f, &r, first, LIMIT_WATCHERS);
		assert_int_equal(sign(&f, &r, &s), first == 0 ? ERR_MALFORMED : 0);
		if (first > 0)
			fixture_drop(&f, s);
	}
	fixture_fini(&f);
}

static void test_every_list_may_be_full(void **state)
{
	static char names[LIMIT_SERVICES][3];
	struct fixture f;
	struct record r = { .role = ROLE_PEER };
	struct stmt *s;
	struct record got;

	(void)state;
	fixture_init(&f);
	fixture_watchers(&f, &r, 1, LIMIT_WATCHERS);
	r.places_count = LIMIT_ENDPOINTS;
	r.services_count = LIMIT_SERVICES;
	r.prefixes_count = LIMIT_PREFIXES;
	for (size_t i = 0; i < LIMIT_ENDPOINTS; i++)
		r.places[i] = (struct place){ PLACE_GIVEN, { { 0x20, (uint8_t)i } }, { 0 }, 1, 1 };
	for (size_t i = 0; i < LIMIT_SERVICES; i++) {
		snprintf(names[i], sizeof(names[i]), "%02zu", i);
		r.services[i].name = (struct bytes){ (const uint8_t *)names[i], 2 };
	}
	for (size_t i = 0; i < LIMIT_PREFIXES; i++)
		r.prefixes[i] = (struct prefix){ { { 0x20, (uint8_t)i } }, 16 };
	assert_int_equal(sign(&f, &r, &s), 0);
	record_read(s, &got);
	assert_int_equal(got.services_count, LIMIT_SERVICES);
	assert_int_equal(got.prefixes_count, LIMIT_PREFIXES);
	assert_true(record_same_body(&r, &got));
	fixture_drop(&f, s);
	fixture_fini(&f);
}

static void test_a_record_beyond_4_kib_is_too_big(void **state)
{
	static char names[LIMIT_SERVICES][3];
	struct fixture f;
	struct record r = { .role = ROLE_PEER };
	struct stmt *s;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "%02zu", i);
		r.services[i].name = (struct bytes){ (const uint8_t *)names[i], 2 };
		r.services[i].value = (struct bytes){ zeros, 200 };
	}
	r.services_count = 19;
	assert_int_equal(sign(&f, &r, &s), 0);
	fixture_drop(&f, s);
	/* Room in the body's buffer, but not beside the header. */
	r.description = (struct bytes){ zeros, 60 };
	assert_int_equal(sign(&f, &r, &s), ERR_TOO_BIG);
	r.services_count = 20;
	assert_int_equal(sign(&f, &r, &s), ERR_TOO_BIG);
	fixture_fini(&f);
}

/* Header and body with a field of a later version, put together by hand. */
static void test_unknown_fields_are_kept(void **state)
{
	struct fixture f;
	struct fixture_record want = { .counter = 9, .role = ROLE_PEER, .watchers = 2 };
	uint8_t body_buffer[256];
	uint8_t header_buffer[512];
	uint8_t raw[1024];
	uint8_t hash[BODY_HASH_BYTES];
	struct signature signature;
	struct record named;
	struct writer body;
	struct writer header;
	struct writer w;
	struct stmt *s;
	struct stmt *leave;
	struct stmt *prune;

	(void)state;
	fixture_init(&f);
	writer_init(&body, body_buffer, sizeof(body_buffer));
	field_put_u8(&body, 1, ROLE_PEER);
	field_put(&body, 99, "body from the future", 20);
	hash_labelled("smeg body", body.at, body.count, hash, sizeof(hash));
	writer_init(&header, header_buffer, sizeof(header_buffer));
	field_put(&header, 1, f.members[0].sign_public.b, KEY_BYTES);
	field_put_u64(&header, 2, want.counter);
	fixture_watchers(&f, &named, 1, 2);
	field_put(&header, 3, named.watchers, 2 * WATCHER_ID_BYTES);
	field_put(&header, 4, hash, sizeof(hash));
	field_put(&header, 99, "header from the future", 22);
	mesh_sign(&f.members[0], LABEL_RECORD, &f.mesh.sign_public, writer_bytes(&header),
	          &signature);
	writer_init(&w, raw, sizeof(raw));
	envelope_write(&w, STMT_RECORD, writer_bytes(&header), &signature);
	write_copy(&w, body.at, body.count);

	assert_int_equal(stmt_parse(&f.mt.mem, writer_bytes(&w), &s), 0);
	assert_int_equal(stmt_verify(s, &f.mesh.sign_public), 0);
	assert_true(bytes_equal(s->raw, writer_bytes(&w)));
	leave = fixture_leave(&f, 0, s);
	assert_int_equal(stmt_verify(leave, &f.mesh.sign_public), 0);
	assert_non_null(memmem(leave->raw.at, leave->raw.count, "header from the future", 22));
	prune = fixture_prune(&f, s, 0);
	assert_int_equal(stmt_verify(prune, &f.mesh.sign_public), 0);
	fixture_drop(&f, s);
	fixture_drop(&f, leave);
	fixture_drop(&f, prune);
	fixture_fini(&f);
}

/* All subsets of the watchers, of records that name 0 to 4. */
static void test_a_quorum_of_the_watchers_prunes(void **state)
{
	static const unsigned quorum[] = { 99, 99, 2, 2, 3 };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (size_t watchers = 0; watchers <= LIMIT_WATCHERS; watchers++) {
		struct fixture_record want = { .counter = 5,
			                       .role = ROLE_PEER,
			                       .watchers = watchers };
		struct stmt *record = fixture_record(&f, &want);

		/* Bit i: member 1 + i attests; the fifth is none of the watchers. */
		for (unsigned subset = 0; subset < 32; subset++) {
			struct attest attests[5];
			unsigned named = 0;
			size_t count = 0;
			struct stmt *s;

			for (size_t i = 5; i-- > 0;) {
				if (!(subset & 1u << i))
					continue;
				prune_attest(record, &f.members[1 + i], &f.mesh.sign_public,
				             &attests[count++]);
				named += i < watchers;
			}
			if (named < quorum[watchers]) {
				assert_int_equal(
					remove_make_prune(&f.mt.mem, record, attests, count, &s),
					ERR_NOT_AUTHORISED);
				continue;
			}
			assert_int_equal(remove_make_prune(&f.mt.mem, record, attests, count, &s),
			                 0);
			assert_int_equal(stmt_verify(s, &f.mesh.sign_public), 0);
			assert_int_equal(s->cause, CAUSE_PRUNE);
			fixture_drop(&f, s);
		}
		fixture_drop(&f, record);
	}
	fixture_fini(&f);
}

/* A certificate of 2 for a header that names 4; more parts than the quorum; a part twice. */
static void test_certificates_of_another_size_or_order_are_refused(void **state)
{
	struct fixture f;
	struct fixture_record want = { .counter = 5, .role = ROLE_PEER, .watchers = 4 };
	struct fixture_bytes b;
	struct stmt *record;
	struct stmt *prune;
	struct stmt *s;
	size_t part = KEY_BYTES + SIGNATURE_BYTES;
	size_t first;

	(void)state;
	fixture_init(&f);
	record = fixture_record(&f, &want);
	prune = fixture_prune(&f, record, 0);
	fixture_copy(prune, &b);
	first = b.count - 3 * part;
	assert_int_equal(stmt_parse(&f.mt.mem, (struct bytes){ b.at, b.count - part }, &s), 0);
	assert_int_equal(stmt_verify(s, &f.mesh.sign_public), ERR_BAD_SIGNATURE);
	fixture_drop(&f, s);
	/* The same watcher twice. */
	memcpy(b.at + first + part, b.at + first, part);
	assert_int_equal(stmt_parse(&f.mt.mem, (struct bytes){ b.at, b.count }, &s), ERR_MALFORMED);
	/* Two of them the other way round. */
	fixture_copy(prune, &b);
	memcpy(b.at + first, prune->raw.at + first + part, part);
	memcpy(b.at + first + part, prune->raw.at + first, part);
	assert_int_equal(stmt_parse(&f.mt.mem, (struct bytes){ b.at, b.count }, &s), ERR_MALFORMED);
	/* A watcher that the header does not name: ids are compared to their last byte. */
	fixture_copy(prune, &b);
	b.at[first + 2 * part + WATCHER_ID_BYTES - 1] ^= 1;
	assert_int_equal(stmt_parse(&f.mt.mem, (struct bytes){ b.at, b.count }, &s), ERR_MALFORMED);
	fixture_drop(&f, prune);
	fixture_drop(&f, record);
	fixture_fini(&f);
}

static void test_attests_are_checked_one_by_one(void **state)
{
	struct fixture f;
	struct fixture_record want = { .counter = 5, .role = ROLE_PEER, .watchers = 2 };
	struct attest attest;
	struct stmt *record;
	struct stmt *later;

	(void)state;
	fixture_init(&f);
	record = fixture_record(&f, &want);
	want.counter++;
	later = fixture_record(&f, &want);
	prune_attest(record, &f.members[2], &f.mesh.sign_public, &attest);
	assert_int_equal(attest_verify(record, &attest, &f.mesh.sign_public), 0);
	assert_int_equal(attest_verify(later, &attest, &f.mesh.sign_public), ERR_BAD_SIGNATURE);
	assert_int_equal(attest_verify(record, &attest, &f.other_mesh.sign_public),
	                 ERR_BAD_SIGNATURE);
	attest.watcher = f.members[1].sign_public;
	assert_int_equal(attest_verify(record, &attest, &f.mesh.sign_public), ERR_BAD_SIGNATURE);
	prune_attest(record, &f.members[3], &f.mesh.sign_public, &attest);
	assert_int_equal(attest_verify(record, &attest, &f.mesh.sign_public), ERR_NOT_AUTHORISED);
	fixture_drop(&f, record);
	fixture_drop(&f, later);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_said_comes_back),
		cmocka_unit_test(test_the_body_is_compared_without_the_header),
		cmocka_unit_test(test_what_may_not_be_said_is_malformed),
		cmocka_unit_test(test_nobody_watches_itself),
		cmocka_unit_test(test_every_list_may_be_full),
		cmocka_unit_test(test_a_record_beyond_4_kib_is_too_big),
		cmocka_unit_test(test_unknown_fields_are_kept),
		cmocka_unit_test(test_a_quorum_of_the_watchers_prunes),
		cmocka_unit_test(test_certificates_of_another_size_or_order_are_refused),
		cmocka_unit_test(test_attests_are_checked_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
