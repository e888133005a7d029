/*
 * The bytes of everything that is signed.  They are on disks and in other releases: whoever has to
 * change a line here has changed the format, and owes it a new version byte (and label).
 *
 * CORPUS=DIR writes the same things as seeds for the fuzzers, below DIR/stmt and so on;
 * PRINT=1 prints the hexadecimal lines for a format that was changed on purpose.
 */
#include "tests/unit/crdt/fixture.h"

#include "base/err.h"
#include "base/text.h"
#include "crdt/beat.h"
#include "crdt/codec_priv.h"
#include "crdt/invite.h"
#include "tests/unit/crdt/golden.h"

#include <sodium.h>
#include <stdio.h>

struct blob {
	uint8_t at[LIMIT_STATEMENT_BYTES];
	size_t count;
};

static void take(struct fixture *f, struct blob *out, struct stmt *s)
{
	memcpy(out->at, s->raw.at, s->raw.count);
	out->count = s->raw.count;
	fixture_drop(f, s);
}

static void make_appoint(struct fixture *f, struct blob *out)
{
	take(f, out, fixture_appoint(f, 0, 1000));
}

static void make_revoke(struct fixture *f, struct blob *out)
{
	static const int stay[] = { 1, 0, 1, -1 };

	take(f, out, fixture_revoke(f, 0, 2000, stay));
}

static void make_revoke_stolen(struct fixture *f, struct blob *out)
{
	take(f, out, fixture_revoke_stolen(f, 0, 2000));
}

static void make_admission(struct fixture *f, struct blob *out)
{
	take(f, out, fixture_admission(f, 0, 0, ROLE_CLIENT, 3000));
}

static void make_admission_full(struct fixture *f, struct blob *out)
{
	struct admission a = {
		.subject = f->members[0].sign_public,
		.role = ROLE_PEER,
		.may_bridge = true,
		.issued_ms = 0x0102030405060708,
		.invite = "sixteen bytes id",
	};
	struct stmt *s;

	assert_int_equal(admission_sign(&f->mt.mem, &a, &f->admins[1], &f->mesh.sign_public, &s),
	                 0);
	take(f, out, s);
}

static void make_record(struct fixture *f, struct blob *out)
{
	struct fixture_record r = { .member = 0, .counter = 4000, .role = ROLE_PEER };

	take(f, out, fixture_record(f, &r));
}

#define TEXT(s) ((struct bytes){ (const uint8_t *)(s), sizeof(s) - 1 })

static struct stmt *full_record(struct fixture *f)
{
	struct record r = {
		.counter = 0x1112131415161718,
		.role = ROLE_CLIENT,
		.has_carrier = true,
		.carrier = f->members[1].box_public,
		.alias = TEXT("office"),
		.description = TEXT("first floor"),
		.places = { { PLACE_GIVEN,
		              { { 0x20, 1, 0x0d, 0xb8, [15] = 1 } },
		              { NULL, 0 },
		              4711,
		              51820 },
		            { PLACE_INTERFACE, { { 0 } }, { NULL, 0 }, 4711, 0 },
		            { PLACE_NAME, { { 0 } }, TEXT("host.example"), 0, 51820 } },
		.places_count = 3,
		.services = { { TEXT("http"), TEXT("tcp 80") }, { TEXT("ssh"), TEXT("") } },
		.services_count = 2,
		.prefixes_count = 3,
	};
	struct stmt *s;

	fixture_watchers(f, &r, 1, 4);
	addr_from_v4(&r.places[1].addr, (const uint8_t[4]){ 192, 0, 2, 1 });
	assert_int_equal(prefix_parse(&r.prefixes[0], "::/0"), 0);
	assert_int_equal(prefix_parse(&r.prefixes[1], "10.0.0.0/8"), 0);
	assert_int_equal(prefix_parse(&r.prefixes[2], "fd00::/8"), 0);
	assert_int_equal(record_sign(&f->mt.mem, &r, &f->members[0], &f->mesh.sign_public, &s), 0);
	return s;
}

static void make_record_full(struct fixture *f, struct blob *out)
{
	take(f, out, full_record(f));
}

static void make_leave(struct fixture *f, struct blob *out)
{
	struct stmt *record = full_record(f);

	take(f, out, fixture_leave(f, 0, record));
	fixture_drop(f, record);
}

static void make_prune(struct fixture *f, struct blob *out)
{
	struct stmt *record = full_record(f);

	take(f, out, fixture_prune(f, record, 1));
	fixture_drop(f, record);
}

static void make_expel(struct fixture *f, struct blob *out)
{
	take(f, out, fixture_expel(f, 0, 0, 5000));
}

static void make_expel_keeping(struct fixture *f, struct blob *out)
{
	struct expulsion x = {
		.subject = f->members[0].sign_public,
		.issued_ms = 5000,
		.keep_invites = true,
	};
	struct stmt *s;

	assert_int_equal(expel_sign(&f->mt.mem, &x, &f->admins[0], &f->mesh.sign_public, &s), 0);
	take(f, out, s);
}

static void sign_invite(struct fixture *f, struct invite *ret_invite, bool is_full)
{
	struct keypair pair;
	struct invite_limits limits = {
		.role = is_full ? ROLE_PEER : ROLE_CLIENT,
		.may_bridge = is_full,
		.issued_ms = 6000,
		.expires_ms = 7000,
		.uses = is_full ? 3 : 0,
		.has_for_key = is_full,
	};

	fixture_pair(&pair, 'I', 0);
	limits.invite_key = pair.sign_public;
	if (is_full)
		limits.for_key = f->members[0].sign_public;
	assert_int_equal(invite_sign(&limits, &f->admins[0], &f->mesh.sign_public, ret_invite), 0);
}

static void make_invite(struct fixture *f, struct blob *out)
{
	struct invite invite;

	sign_invite(f, &invite, false);
	memcpy(out->at, invite.raw, invite.raw_bytes);
	out->count = invite.raw_bytes;
}

static void make_invite_full(struct fixture *f, struct blob *out)
{
	struct invite invite;

	sign_invite(f, &invite, true);
	memcpy(out->at, invite.raw, invite.raw_bytes);
	out->count = invite.raw_bytes;
}

static void make_token(struct fixture *f, struct blob *out)
{
	struct keypair pair;
	struct token t = {
		.mesh_public = f->mesh.sign_public,
		.mesh_name = "home",
		.bootstraps = { { f->members[1].box_public, { "192.0.2.1", 4711 } },
		                { f->members[2].box_public, { "host.example", 0 } } },
		.bootstraps_count = 2,
	};
	char text[TOKEN_TEXT_BYTES];

	fixture_pair(&pair, 'I', 0);
	memcpy(t.invite_seed, pair.seed, KEY_BYTES);
	sign_invite(f, &t.invite, false);
	assert_int_equal(token_text(&t, text), 0);
	out->count = strlen(text);
	memcpy(out->at, text, out->count);
}

/* For the fuzzers only: a short history, as tests/fuzz/fuzz_stmt.c takes it. */
static void make_sequence(struct fixture *f, struct blob *out)
{
	static void (*const makers[])(struct fixture * f, struct blob * out) = {
		make_appoint, make_admission_full, make_admission, make_record,
		make_leave,   make_expel,          make_revoke,
	};
	struct writer w;

	writer_init(&w, out->at, sizeof(out->at));
	write_u8(&w, 0xff);
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		struct blob one;

		makers[i](f, &one);
		write_u16(&w, (uint16_t)one.count);
		write_copy(&w, one.at, one.count);
		if (i == 4)
			write_u16(&w, 0);
	}
	assert_int_equal(w.err, 0);
	out->count = w.count;
}

/* The same for the binary form of a token, without its check bytes. */
static void make_token_binary(struct fixture *f, struct blob *out)
{
	struct blob text;

	make_token(f, &text);
	assert_int_equal(base64url_parse((const char *)text.at + 6, text.count - 6, out->at,
	                                 sizeof(out->at), &out->count),
	                 0);
	out->count -= 4;
}

static void make_beat(struct fixture *f, struct blob *out)
{
	struct beat beat = { .number = 0x0102030405060708, .members = 3000 };

	for (size_t i = 0; i < sizeof(beat.digest); i++)
		beat.digest[i] = (uint8_t)(0xa0 + i);
	beat_sign(&beat, &f->members[0], &f->mesh.sign_public, out->at);
	out->count = BEAT_BYTES;
}

static const struct {
	const char *corpus;
	const char *name;
	void (*make)(struct fixture *f, struct blob *out);
	const char *hex;
} rows[] = {
	{ "stmt", "appoint", make_appoint, GOLDEN_APPOINT },
	{ "stmt", "revoke", make_revoke, GOLDEN_REVOKE },
	{ "stmt", "revoke-stolen", make_revoke_stolen, GOLDEN_REVOKE_STOLEN },
	{ "stmt", "admission", make_admission, GOLDEN_ADMISSION },
	{ "stmt", "admission-full", make_admission_full, GOLDEN_ADMISSION_FULL },
	{ "stmt", "record", make_record, GOLDEN_RECORD },
	{ "stmt", "record-full", make_record_full, GOLDEN_RECORD_FULL },
	{ "stmt", "leave", make_leave, GOLDEN_LEAVE },
	{ "stmt", "prune", make_prune, GOLDEN_PRUNE },
	{ "stmt", "expel", make_expel, GOLDEN_EXPEL },
	{ "stmt", "expel-keeping", make_expel_keeping, GOLDEN_EXPEL_KEEPING },
	{ "invite", "invite", make_invite, GOLDEN_INVITE },
	{ "invite", "invite-full", make_invite_full, GOLDEN_INVITE_FULL },
	{ "token", "token", make_token, GOLDEN_TOKEN },
	{ "beat", "beat", make_beat, GOLDEN_BEAT },
	{ "stmt", "sequence", make_sequence, NULL },
	{ "token", "token-binary", make_token_binary, NULL },
};

static void print_hex(const char *name, const struct blob *blob)
{
	printf("#define GOLDEN_");
	for (const char *c = name; *c; c++)
		putchar(*c == '-' ? '_' : *c - ('a' - 'A'));
	for (size_t i = 0; i < blob->count; i++)
		printf("%s%02x", i % 44 == 0 ? (i > 0 ? "\" \\\n\t\"" : " \\\n\t\"") : "",
		       blob->at[i]);
	printf("\"\n");
}

static void write_seed(const char *folder,
                       const char *corpus,
                       const char *name,
                       const struct blob *blob)
{
	char path[512];
	FILE *file;

	assert_in_range(snprintf(path, sizeof(path), "%s/%s/%s", folder, corpus, name), 1, 511);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(blob->at, 1, blob->count, file), blob->count);
	assert_int_equal(fclose(file), 0);
}

static void test_bytes_do_not_change_without_a_version(void **state)
{
	struct fixture f;
	size_t wrong = 0;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct blob blob;
		char hex[2 * LIMIT_STATEMENT_BYTES + 1];

		rows[i].make(&f, &blob);
		sodium_bin2hex(hex, sizeof(hex), blob.at, blob.count);
		if (getenv("CORPUS"))
			write_seed(getenv("CORPUS"), rows[i].corpus, rows[i].name, &blob);
		if (!rows[i].hex)
			continue;
		if (getenv("PRINT"))
			print_hex(rows[i].name, &blob);
		if (strcmp(hex, rows[i].hex) != 0) {
			print_error("%s has changed\n", rows[i].name);
			wrong++;
		}
	}
	assert_true(wrong == 0 || getenv("PRINT"));
	fixture_fini(&f);
}

static void test_the_mesh_id_does_not_change(void **state)
{
	struct fixture f;
	char id[MESH_ID_BYTES];

	(void)state;
	fixture_init(&f);
	mesh_id_of(&f.mesh.sign_public, id);
	if (getenv("PRINT"))
		printf("#define GOLDEN_MESH_ID \"%s\"\n", id);
	else
		assert_string_equal(id, GOLDEN_MESH_ID);
	assert_true(name_is_label(id));
	fixture_fini(&f);
}

/* A replica that has one of everything; so a change of what is hashed is seen. */
static void test_the_digest_does_not_change(void **state)
{
	static const size_t order[] = { 0, 3, 6, 8, 9 };
	struct instant now = { .unix_ms = 1000 };
	uint8_t digest[DIGEST_BYTES];
	char hex[2 * DIGEST_BYTES + 1];
	struct fixture f;
	struct set *s;

	(void)state;
	fixture_init(&f);
	s = fixture_set(&f);
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		struct offered offered;
		struct blob blob;

		rows[order[i]].make(&f, &blob);
		assert_int_equal(
			set_offer(s, (struct bytes){ blob.at, blob.count }, now, true, &offered),
			0);
		assert_int_equal(offered.offer, OFFER_NEW);
	}
	set_digest(s, digest);
	sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	if (getenv("PRINT"))
		printf("#define GOLDEN_DIGEST \"%s\"\n", hex);
	else
		assert_string_equal(hex, GOLDEN_DIGEST);
	set_free(s);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_do_not_change_without_a_version),
		cmocka_unit_test(test_the_mesh_id_does_not_change),
		cmocka_unit_test(test_the_digest_does_not_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
