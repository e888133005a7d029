/*
 * api/model/control: what goes in comes out, and nothing else gets through.
 */
#include "tests/unit/unit.h"

#include "api/model/control.h"
#include "base/limits.h"
#include "tests/unit/golden.h"
#include "tests/unit/memtest.h"

#include <errno.h>

struct world {
	struct memtest mt;
	struct arena arena;
};

static int setup(void **state)
{
	static struct world w;

	memtest_init(&w.mt);
	arena_init(&w.arena, &w.mt.mem);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	arena_fini(&w->arena);
	memtest_assert_no_leak(&w->mt);
	return 0;
}

/* --- messages in which every field has a value of its own --- */

static const char *some_endpoints[] = { "192.0.2.1", "[2001:db8::1]:51820", "host.example:7" };
static const char *some_prefixes[] = { "10.0.0.0/8", "fd00::/8" };
static struct service_info some_services[] = { { "http", "8080" }, { "ssh", "" } };

static const char *some_names[] = { "work", "attic" };

static const struct request full_request = {
	.kind = REQUEST_JOIN,
	.version = CONTROL_VERSION,
	.mesh = "home",
	.has_alias = true,
	.alias = "printer",
	.has_description = true,
	.description = "second floor, \xc3\xb6stlich",
	.has_endpoints = true,
	.endpoints = some_endpoints,
	.endpoints_count = 3,
	.token = "smeg1_abc",
	.role = "client",
	.uses = 4000000000u,
	.expires_in_ms = -86400000,
	.may_bridge = true,
	.for_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	.member = "laptop",
	.keep_invites = true,
	.is_stolen = true,
};

static struct member_info some_members[] = {
	{
		.key = "member-key",
		.alias = "gate",
		.description = "the way in",
		.address = "fd00::1",
		.role = "peer",
		.standing = "in",
		.is_self = true,
		.is_administrator = true,
		.is_reachable = true,
		.has_session = true,
		.has_tunnel = true,
		.address_clash = true,
		.since_ms = 1700000000001,
		.endpoint = "192.0.2.9:51820",
		.handshake_ms = 1700000000002,
		.rx_bytes = UINT64_MAX,
		.tx_bytes = 12345,
		.counter = 1700000000003,
		.endpoints = some_endpoints,
		.endpoints_count = 2,
		.services = some_services,
		.services_count = 2,
		.prefixes = some_prefixes,
		.prefixes_count = 2,
		.reachability = "suspect",
	},
	{ .key = "bare" },
};

static struct mesh_info some_meshes[] = {
	{
		.id = "k3jq7d2mzv5xw4ta",
		.name = "home",
		.device = "smeg-home",
		.address = "fd00::2",
		.prefix = "fd00::/64",
		.key = "mesh-key",
		.role = "peer",
		.is_administrator = true,
		.is_joining = true,
		.wg_port = 51820,
		.members_count = 3,
		.reachable_count = 2,
		.sessions_count = 1,
		.digest = "0123456789abcdef",
		.clock_ahead_ms = -77,
		.problem = "no device",
		.hint = "modprobe wireguard",
		.members = some_members,
		.members_listed = 2,
		.leader = "leader-key",
		.beat_age_ms = -1,
		.beat_members = 3000,
		.carrier = "carrier-key",
	},
	{ .id = "empty" },
};

static const struct reply full_reply = {
	.kind = REPLY_DONE,
	.version = CONTROL_VERSION,
	.step = 2,
	.steps = 5,
	.text = "asking",
	.code = "used-up",
	.error = "the invite has been used",
	.hint = "smegctl invite",
	.daemon_version = "1.2.3",
	.backend = "userspace",
	.uptime_ms = 1000,
	.now_unix_ms = 1700000000000,
	.frames_sent = 12345,
	.bytes_sent = 5000000000,
	.port = 7000,
	.meshes = some_meshes,
	.meshes_count = 2,
	.token = "smeg1_xyz",
	.token_expires_ms = 1700086400000,
	.token_uses = 7,
	.key = "a-key",
	.member_key = "b-key",
	.member_name = "laptop",
	.member_is_administrator = true,
	.is_unchanged = true,
	.stay_count = 230,
	.readmitted_count = 231,
	.returned_count = 2,
	.expelled_from = some_names,
	.expelled_from_count = 2,
};

/* NULL counts as "". */
static void assert_text(const char *got, const char *want)
{
	assert_non_null(got);
	assert_string_equal(got, want ? want : "");
}

static void assert_texts(const char *const *got, const char *const *want, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_text(got[i], want[i]);
}

static void assert_request(const struct request *got, const struct request *want)
{
	assert_int_equal(got->kind, want->kind);
	assert_int_equal(got->version, want->version);
	assert_text(got->mesh, want->mesh);
	assert_int_equal(got->has_alias, want->has_alias);
	assert_text(got->alias, want->alias);
	assert_int_equal(got->has_description, want->has_description);
	assert_text(got->description, want->description);
	assert_int_equal(got->has_endpoints, want->has_endpoints);
	assert_int_equal(got->endpoints_count, want->endpoints_count);
	assert_texts(got->endpoints, want->endpoints, want->endpoints_count);
	assert_text(got->token, want->token);
	assert_text(got->role, want->role);
	assert_int_equal(got->uses, want->uses);
	assert_int_equal(got->expires_in_ms, want->expires_in_ms);
	assert_int_equal(got->may_bridge, want->may_bridge);
	assert_text(got->for_key, want->for_key);
	assert_text(got->member, want->member);
	assert_int_equal(got->keep_invites, want->keep_invites);
	assert_int_equal(got->is_stolen, want->is_stolen);
}

static void assert_member(const struct member_info *got, const struct member_info *want)
{
	assert_text(got->key, want->key);
	assert_text(got->alias, want->alias);
	assert_text(got->description, want->description);
	assert_text(got->address, want->address);
	assert_text(got->role, want->role);
	assert_text(got->standing, want->standing);
	assert_int_equal(got->is_self, want->is_self);
	assert_int_equal(got->is_administrator, want->is_administrator);
	assert_int_equal(got->is_reachable, want->is_reachable);
	assert_int_equal(got->has_session, want->has_session);
	assert_int_equal(got->has_tunnel, want->has_tunnel);
	assert_int_equal(got->address_clash, want->address_clash);
	assert_int_equal(got->since_ms, want->since_ms);
	assert_text(got->endpoint, want->endpoint);
	assert_int_equal(got->handshake_ms, want->handshake_ms);
	assert_true(got->rx_bytes == want->rx_bytes);
	assert_true(got->tx_bytes == want->tx_bytes);
	assert_true(got->counter == want->counter);
	assert_int_equal(got->endpoints_count, want->endpoints_count);
	assert_texts(got->endpoints, want->endpoints, want->endpoints_count);
	assert_int_equal(got->services_count, want->services_count);
	for (size_t i = 0; i < want->services_count; i++) {
		assert_text(got->services[i].name, want->services[i].name);
		assert_text(got->services[i].value, want->services[i].value);
	}
	assert_int_equal(got->prefixes_count, want->prefixes_count);
	assert_texts(got->prefixes, want->prefixes, want->prefixes_count);
	assert_text(got->reachability, want->reachability);
}

static void assert_mesh(const struct mesh_info *got, const struct mesh_info *want)
{
	assert_text(got->id, want->id);
	assert_text(got->name, want->name);
	assert_text(got->device, want->device);
	assert_text(got->address, want->address);
	assert_text(got->prefix, want->prefix);
	assert_text(got->key, want->key);
	assert_text(got->role, want->role);
	assert_int_equal(got->is_administrator, want->is_administrator);
	assert_int_equal(got->is_joining, want->is_joining);
	assert_int_equal(got->wg_port, want->wg_port);
	assert_int_equal(got->members_count, want->members_count);
	assert_int_equal(got->reachable_count, want->reachable_count);
	assert_int_equal(got->sessions_count, want->sessions_count);
	assert_text(got->digest, want->digest);
	assert_int_equal(got->clock_ahead_ms, want->clock_ahead_ms);
	assert_text(got->problem, want->problem);
	assert_text(got->hint, want->hint);
	assert_text(got->leader, want->leader);
	assert_text(got->carrier, want->carrier);
	assert_int_equal(got->beat_age_ms, want->beat_age_ms);
	assert_int_equal(got->beat_members, want->beat_members);
	assert_int_equal(got->members_listed, want->members_listed);
	for (size_t i = 0; i < want->members_listed; i++)
		assert_member(&got->members[i], &want->members[i]);
}

static void assert_reply(const struct reply *got, const struct reply *want)
{
	assert_int_equal(got->kind, want->kind);
	assert_int_equal(got->version, want->version);
	assert_int_equal(got->step, want->step);
	assert_int_equal(got->steps, want->steps);
	assert_text(got->text, want->text);
	assert_text(got->code, want->code);
	assert_text(got->error, want->error);
	assert_text(got->hint, want->hint);
	assert_text(got->daemon_version, want->daemon_version);
	assert_text(got->backend, want->backend);
	assert_int_equal(got->uptime_ms, want->uptime_ms);
	assert_int_equal(got->frames_sent, want->frames_sent);
	assert_int_equal(got->bytes_sent, want->bytes_sent);
	assert_int_equal(got->now_unix_ms, want->now_unix_ms);
	assert_int_equal(got->port, want->port);
	assert_int_equal(got->meshes_count, want->meshes_count);
	for (size_t i = 0; i < want->meshes_count; i++)
		assert_mesh(&got->meshes[i], &want->meshes[i]);
	assert_text(got->token, want->token);
	assert_int_equal(got->token_expires_ms, want->token_expires_ms);
	assert_int_equal(got->token_uses, want->token_uses);
	assert_text(got->key, want->key);
	assert_text(got->member_key, want->member_key);
	assert_text(got->member_name, want->member_name);
	assert_int_equal(got->member_is_administrator, want->member_is_administrator);
	assert_int_equal(got->is_unchanged, want->is_unchanged);
	assert_int_equal(got->stay_count, want->stay_count);
	assert_int_equal(got->readmitted_count, want->readmitted_count);
	assert_int_equal(got->returned_count, want->returned_count);
	assert_int_equal(got->expelled_from_count, want->expelled_from_count);
	assert_texts(got->expelled_from, want->expelled_from, want->expelled_from_count);
}

/* --- round trips --- */

static struct bytes encode_reply(struct world *w, const struct reply *r)
{
	struct bytes b;

	assert_int_equal(reply_encode(r, &w->arena, &b), 0);
	return b;
}

static struct bytes encode_request(struct world *w, const struct request *r)
{
	struct bytes b;

	assert_int_equal(request_encode(r, &w->arena, &b), 0);
	return b;
}

static void test_every_field_of_a_request_comes_back(void **state)
{
	const struct request empty = { .kind = REQUEST_VERSION, .version = CONTROL_VERSION };
	struct world *w = *state;
	struct request got;

	assert_int_equal(request_decode(encode_request(w, &full_request), &w->arena, &got), 0);
	assert_request(&got, &full_request);
	assert_int_equal(request_decode(encode_request(w, &empty), &w->arena, &got), 0);
	assert_request(&got, &empty);
}

static void test_every_field_of_a_reply_comes_back(void **state)
{
	const struct reply empty = { .kind = REPLY_PROGRESS, .version = CONTROL_VERSION };
	struct world *w = *state;
	struct reply got;

	assert_int_equal(reply_decode(encode_reply(w, &full_reply), &w->arena, &got), 0);
	assert_reply(&got, &full_reply);
	assert_int_equal(reply_decode(encode_reply(w, &empty), &w->arena, &got), 0);
	assert_reply(&got, &empty);
}

/* An older or newer program must read the same from these bytes. */
static void test_bytes_are_what_they_were(void **state)
{
	struct world *w = *state;
	struct bytes all[2] = { encode_request(w, &full_request), encode_reply(w, &full_reply) };
	char *text = arena_alloc(&w->arena, 2 * (all[0].count + all[1].count) + 64);
	char *at = text;

	assert_non_null(text);
	for (size_t n = 0; n < 2; n++) {
		for (size_t i = 0; i < all[n].count; i++)
			at += sprintf(at, "%02x%s", all[n].at[i],
			              i + 1 == all[n].count || i % 32 == 31 ? "\n" : "");
	}
	golden_assert("control.hex", text, strlen(text));
}

/* --- bounds --- */

/* A text of `bytes` letters. */
static const char *letters(struct world *w, size_t bytes)
{
	char *text = arena_alloc(&w->arena, bytes + 1);

	assert_non_null(text);
	memset(text, 'a', bytes);
	return text;
}

static void test_texts_are_bounded(void **state)
{
	static const struct {
		const char *name;
		size_t offset;
		size_t max;
	} rows[] = {
		{ "mesh", offsetof(struct request, mesh), LIMIT_NAME_BYTES },
		{ "alias", offsetof(struct request, alias), LIMIT_NAME_BYTES },
		{ "description", offsetof(struct request, description), LIMIT_DESCRIPTION_BYTES },
		{ "token", offsetof(struct request, token), LIMIT_TOKEN_TEXT },
		{ "role", offsetof(struct request, role), 63 },
		{ "for_key", offsetof(struct request, for_key), 64 },
		{ "member", offsetof(struct request, member), 64 },
	};
	struct world *w = *state;
	struct bytes b;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request r = full_request;
		struct request got;
		const char **field = (const char **)(void *)((char *)&r + rows[i].offset);

		*field = letters(w, rows[i].max);
		assert_int_equal(request_decode(encode_request(w, &r), &w->arena, &got), 0);
		assert_request(&got, &r);
		*field = letters(w, rows[i].max + 1);
		if (request_encode(&r, &w->arena, &b) != ERR_TOO_BIG)
			fail_msg("%s is not bounded", rows[i].name);
	}
}

static void test_lists_are_bounded(void **state)
{
	const char *many[LIMIT_ENDPOINTS + 1];
	struct request r = full_request;
	struct world *w = *state;
	struct request got;
	struct bytes b;

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = "h";
	r.endpoints = many;
	r.endpoints_count = LIMIT_ENDPOINTS;
	assert_int_equal(request_decode(encode_request(w, &r), &w->arena, &got), 0);
	assert_request(&got, &r);
	r.endpoints_count++;
	assert_int_equal(request_encode(&r, &w->arena, &b), ERR_TOO_BIG);
}

static void test_meshes_and_their_lists_are_bounded(void **state)
{
	struct mesh_info meshes[LIMIT_MESHES + 1] = { 0 };
	struct member_info member = { 0 };
	struct service_info services[LIMIT_SERVICES + 1] = { 0 };
	struct reply r = full_reply;
	struct world *w = *state;
	struct bytes b;

	r.meshes = meshes;
	r.meshes_count = LIMIT_MESHES;
	encode_reply(w, &r);
	r.meshes_count++;
	assert_int_equal(reply_encode(&r, &w->arena, &b), ERR_TOO_BIG);
	r.meshes_count = 1;
	meshes[0].members = &member;
	meshes[0].members_listed = 1;
	member.services = services;
	member.services_count = LIMIT_SERVICES;
	encode_reply(w, &r);
	member.services_count++;
	assert_int_equal(reply_encode(&r, &w->arena, &b), ERR_TOO_BIG);
}

/* Bytes that no encoder of ours makes: `pieces` of (tag, length, bytes). */
static struct bytes put_text(
	struct world *w, struct bytes head, uint8_t tag, const char *text, size_t count)
{
	size_t cap = head.count + 8 + count;
	uint8_t *out = arena_alloc(&w->arena, cap);
	struct writer wr;

	assert_non_null(out);
	writer_init(&wr, out, cap);
	write_copy(&wr, head.at, head.count);
	write_u8(&wr, (uint8_t)(tag << 3 | 2));
	write_varint(&wr, count);
	write_copy(&wr, text, count);
	return writer_bytes(&wr);
}

static struct bytes least_request(struct world *w)
{
	const struct request r = { .kind = REQUEST_LIST, .version = CONTROL_VERSION };

	return encode_request(w, &r);
}

static void test_the_decoder_has_the_same_bounds(void **state)
{
	enum {
		TAG_MESH = 3,
		TAG_ENDPOINTS = 9,
		TAG_TOKEN = 10,
		TAG_FOR_KEY = 15
	};
	static const struct {
		uint8_t tag;
		size_t bytes;
		int err;
	} rows[] = {
		{ TAG_MESH, LIMIT_NAME_BYTES, 0 },
		{ TAG_MESH, LIMIT_NAME_BYTES + 1, ERR_TOO_BIG },
		{ TAG_TOKEN, LIMIT_TOKEN_TEXT, 0 },
		{ TAG_TOKEN, LIMIT_TOKEN_TEXT + 1, ERR_TOO_BIG },
		{ TAG_ENDPOINTS, 272, 0 },
		{ TAG_ENDPOINTS, 273, ERR_TOO_BIG },
		{ TAG_FOR_KEY, 64, 0 },
		{ TAG_FOR_KEY, 65, ERR_TOO_BIG },
	};
	struct world *w = *state;
	struct bytes b = least_request(w);
	struct request got;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(request_decode(put_text(w, b, rows[i].tag,
		                                         letters(w, rows[i].bytes), rows[i].bytes),
		                                &w->arena, &got),
		                 rows[i].err);
	for (size_t i = 0; i < LIMIT_ENDPOINTS; i++)
		b = put_text(w, b, TAG_ENDPOINTS, "h", 1);
	assert_int_equal(request_decode(b, &w->arena, &got), 0);
	b = put_text(w, b, TAG_ENDPOINTS, "h", 1);
	assert_int_equal(request_decode(b, &w->arena, &got), ERR_TOO_BIG);
}

/* `head` and a field that nobody knows, `total` bytes together. */
static struct bytes pad(struct world *w, struct bytes head, size_t total)
{
	static const uint8_t tag[] = { 0xfa, 0x01 }; /* 31 */
	const size_t length_bytes = 3;
	uint8_t *out = arena_alloc(&w->arena, total);
	struct writer wr;

	assert_non_null(out);
	writer_init(&wr, out, total);
	write_copy(&wr, head.at, head.count);
	write_copy(&wr, tag, sizeof(tag));
	assert_int_equal(varint_bytes(total - wr.count - length_bytes), length_bytes);
	write_varint(&wr, total - wr.count - length_bytes);
	assert_int_equal(wr.err, 0);
	return (struct bytes){ out, total };
}

static void test_requests_are_short(void **state)
{
	struct world *w = *state;
	struct bytes b = least_request(w);
	struct request got;

	assert_int_equal(request_decode(pad(w, b, CONTROL_REQUEST_BYTES), &w->arena, &got), 0);
	assert_int_equal(request_decode(pad(w, b, CONTROL_REQUEST_BYTES + 1), &w->arena, &got),
	                 ERR_TOO_BIG);
}

/* Counts bytes, not blocks. */
struct meter {
	struct mem mem;
	size_t bytes; /* ever asked for */
};

static void *meter_resize(void *ctx, void *ptr, size_t bytes)
{
	struct meter *m = ctx;

	if (bytes == 0) {
		free(ptr);
		return NULL;
	}
	m->bytes += bytes;
	return realloc(ptr, bytes);
}

/* An empty mesh or member takes two bytes: the memory that they may take is bounded all the same.
 */
static void test_small_bytes_cannot_take_much_memory(void **state)
{
	enum {
		TAG_ENDPOINTS = 9,
		TAG_MESHES = 14
	};
	uint8_t *flood = malloc(LIMIT_CONTROL_BYTES);
	struct meter m = { .mem = { .ctx = &m, .resize = meter_resize } };
	struct request request;
	struct arena arena;
	struct reply reply;

	(void)state;
	assert_non_null(flood);
	arena_init(&arena, &m.mem);
	for (size_t i = 0; i + 1 < LIMIT_CONTROL_BYTES; i += 2) {
		flood[i] = TAG_MESHES << 3 | 2;
		flood[i + 1] = 0;
	}
	assert_int_equal(reply_decode((struct bytes){ flood, LIMIT_CONTROL_BYTES }, &arena, &reply),
	                 ERR_TOO_BIG);
	assert_true(m.bytes < 140u << 20);
	assert_int_equal(
		reply_decode((struct bytes){ flood, LIMIT_CONTROL_BYTES + 1 }, &arena, &reply),
		ERR_TOO_BIG);
	for (size_t i = 0; i < CONTROL_REQUEST_BYTES; i += 2)
		flood[i] = TAG_ENDPOINTS << 3 | 2;
	m.bytes = 0;
	assert_int_equal(
		request_decode((struct bytes){ flood, CONTROL_REQUEST_BYTES }, &arena, &request),
		ERR_TOO_BIG);
	assert_true(m.bytes < 2u << 20);
	arena_fini(&arena);
	free(flood);
}

/* --- text from others --- */

static void test_texts_come_out_safe(void **state)
{
	static const struct {
		const char *bytes;
		size_t count;
		const char *want; /* NULL: malformed */
	} rows[] = {
		{ "plain", 5, "plain" },
		{ "", 0, "" },
		{ "\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xa7", 9,
		  "\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xa7" },
		{ "a\nb\tc\x1b[0m\x7f", 10, "a?b?c?[0m?" },
		{ "\xc2\x9b"
		  "31m",
		  5, "?31m" },
		{ "\xff\xfe", 2, "??" },
		{ "\xc0\xaf", 2, "??" },
		{ "\xe0\x80\xaf", 3, "???" },
		{ "\xed\xa0\x80", 3, "???" },
		{ "\xf4\x90\x80\x80", 4, "????" },
		{ "\xe2\x82", 2, "??" },
		{ "\xe2\x80\xae"
		  "txt",
		  6, "?txt" },
		{ "\xef\xbf\xbf", 3, "?" },
		{ "a\0b", 3, NULL },
		{ "\0", 1, NULL },
		{ "ab\0", 3, NULL },
	};
	enum {
		TAG_DESCRIPTION = 7
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bytes b = put_text(w, least_request(w), TAG_DESCRIPTION, rows[i].bytes,
		                          rows[i].count);
		struct request got;
		int err = request_decode(b, &w->arena, &got);

		assert_int_equal(err, rows[i].want ? 0 : ERR_MALFORMED);
		if (!err)
			assert_string_equal(got.description, rows[i].want);
	}
}

/* --- versions and kinds --- */

static void test_other_versions_and_kinds_are_told_apart(void **state)
{
	static const struct {
		uint32_t kind;
		uint32_t version;
		int err;
	} rows[] = {
		{ REQUEST_VERSION, CONTROL_VERSION, 0 },
		{ REQUEST__COUNT - 1, CONTROL_VERSION, 0 },
		{ REQUEST__COUNT, CONTROL_VERSION, ERR_VERSION },
		{ UINT32_MAX, CONTROL_VERSION, ERR_VERSION },
		{ REQUEST_LIST, CONTROL_VERSION + 1, ERR_VERSION },
		{ 0, CONTROL_VERSION, ERR_MALFORMED },
		{ REQUEST_LIST, 0, ERR_MALFORMED },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request r = { .kind = rows[i].kind, .version = rows[i].version };
		struct request got;

		assert_int_equal(request_decode(encode_request(w, &r), &w->arena, &got),
		                 rows[i].err);
	}
	assert_int_equal(
		request_decode((struct bytes){ NULL, 0 }, &w->arena, &(struct request){ 0 }),
		ERR_MALFORMED);
}

static void test_fields_of_later_versions_are_skipped(void **state)
{
	struct world *w = *state;
	struct bytes b = put_text(w, least_request(w), 15, "k", 1);
	struct request got;
	static const uint8_t later[] = { 0xfa, 0x01, 0x03, 'n', 'e', 'w' }; /* tag 31 */
	uint8_t *all = arena_alloc(&w->arena, b.count + sizeof(later));

	assert_non_null(all);
	memcpy(all, b.at, b.count);
	memcpy(all + b.count, later, sizeof(later));
	assert_int_equal(
		request_decode((struct bytes){ all, b.count + sizeof(later) }, &w->arena, &got), 0);
	assert_string_equal(got.for_key, "k");
}

/* --- damage --- */

/* Cut anywhere and with every byte changed: an error or a message, and never more. */
static void test_damaged_messages_do_no_harm(void **state)
{
	struct world *w = *state;
	struct bytes b = encode_reply(w, &full_reply);
	size_t refused = 0;

	for (size_t n = 0; n < b.count; n++) {
		/* A block of its own, so that reading on is seen. */
		uint8_t *cut = malloc(n + 1);
		struct reply got;

		assert_non_null(cut);
		memcpy(cut, b.at, n);
		refused += reply_decode((struct bytes){ cut, n }, &w->arena, &got) != 0;
		memcpy(cut, b.at, n);
		free(cut);
	}
	assert_true(refused > b.count / 2);
	for (size_t n = 0; n < b.count; n++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			uint8_t *changed = malloc(b.count);
			struct reply got;

			assert_non_null(changed);
			memcpy(changed, b.at, b.count);
			changed[n] ^= (uint8_t)(1u << bit);
			(void)!reply_decode((struct bytes){ changed, b.count }, &w->arena, &got);
			free(changed);
			arena_reset(&w->arena);
			b = encode_reply(w, &full_reply);
		}
	}
}

static void test_out_of_memory_is_told(void **state)
{
	struct world *w = *state;
	struct bytes src = encode_reply(w, &full_reply);

	for (size_t n = 1;; n++) {
		struct memtest mt;
		struct arena arena;
		struct reply got;
		struct bytes b;
		int decoded;
		int encoded;

		memtest_failing(&mt, n);
		arena_init(&arena, &mt.mem);
		decoded = reply_decode(src, &arena, &got);
		encoded = reply_encode(&full_reply, &arena, &b);
		arena_fini(&arena);
		memtest_assert_no_leak(&mt);
		if (!decoded && !encoded)
			break;
		assert_true(decoded == 0 || decoded == -ENOMEM);
		assert_true(encoded == 0 || encoded == -ENOMEM);
	}
}

/* The figure in base/limits.h: a mesh of the yardstick's size fits many times. */
static void test_a_large_mesh_fits(void **state)
{
	enum {
		MEMBERS = 20000
	};
	struct world *w = *state;
	struct mesh_info mesh = { .id = "large", .members_listed = MEMBERS };
	struct reply r = full_reply;
	struct reply got;
	struct bytes b;

	mesh.members = arena_alloc(&w->arena, MEMBERS * sizeof(struct member_info));
	assert_non_null(mesh.members);
	for (size_t i = 0; i < MEMBERS; i++)
		mesh.members[i] = some_members[0];
	r.meshes = &mesh;
	r.meshes_count = 1;
	b = encode_reply(w, &r);
	assert_int_equal(reply_decode(b, &w->arena, &got), 0);
	assert_reply(&got, &r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_field_of_a_request_comes_back, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_every_field_of_a_reply_comes_back, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_bytes_are_what_they_were, setup, teardown),
		cmocka_unit_test_setup_teardown(test_texts_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_meshes_and_their_lists_are_bounded, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_the_decoder_has_the_same_bounds, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_requests_are_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_bytes_cannot_take_much_memory, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_texts_come_out_safe, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_versions_and_kinds_are_told_apart, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_fields_of_later_versions_are_skipped, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_damaged_messages_do_no_harm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_of_memory_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_large_mesh_fits, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
