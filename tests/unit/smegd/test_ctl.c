/*
 * Control requests to commands of the node and to answers, with a real node behind them.
 */
#include "smegd/ctl.h"

#include "api/version.h"
#include "smegd/ctl_priv.h"
#include "smegd/host.h"
#include "tests/unit/unit.h"

#include <sodium.h>
#include <string.h>

static struct node *node;
static struct effects fx;
static struct arena arena;
static struct conf_users no_admins;
static struct ctl ctl;

static int setup(void **state)
{
	struct node_options o = {
		.mem = &host_heap,
		.gossip_port = 21820,
		.wg_port = 51820,
		.no_devices = true,
		.alias = "this-host",
	};

	(void)state;
	if (sodium_init() < 0)
		return -1;
	strcpy(o.places[0].host, "198.51.100.1");
	o.places_count = 1;
	memcpy(o.device_prefix, "smeg", 5);
	arena_init(&arena, &host_heap);
	effects_init(&fx, &host_heap);
	if (node_new(&o, &node))
		return -1;
	ctl = (struct ctl){
		.node = node,
		.backend = "none",
		.port = 21820,
		.started_ms = 1000,
		.frames_sent = 7,
		.bytes_sent = 700,
		.access = { .own_uid = 4242424, .admins = &no_admins },
		.now = { .mono_ms = 6000, .unix_ms = 1700000000000 },
	};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	node_free(node);
	effects_fini(&fx);
	arena_fini(&arena);
	return 0;
}

static void step(struct event ev)
{
	ev.now = ctl.now;
	assert_int_equal(node_step(node, &ev, &fx), 0);
}

/* Request `r` from connection 5 of this user. */
static struct ctl_todo ask_as(const struct request *r, uint32_t uid)
{
	struct ctl_asked asked = { .conn = 5, .peer = { .uid = uid, .gid = uid } };
	struct ctl_todo todo;

	assert_int_equal(request_encode(r, &arena, &asked.frame), 0);
	assert_int_equal(ctl_request(&ctl, &asked, &arena, &todo), 0);
	return todo;
}

static struct reply decode(struct bytes frame)
{
	struct reply r;

	assert_int_equal(reply_decode(frame, &arena, &r), 0);
	return r;
}

static struct reply answer(struct request r, uint32_t uid)
{
	struct ctl_todo todo;

	r.version = CONTROL_VERSION;
	todo = ask_as(&r, uid);
	assert_null(todo.command);
	return decode(todo.reply);
}

/* The node's FX_REPLY to what was asked last. */
static struct reply reply_of_node(uint64_t want_conn)
{
	struct bytes frame;
	uint64_t conn = 99;

	for (size_t i = 0; i < fx.count; i++) {
		if (fx.list[i].kind != FX_REPLY)
			continue;
		assert_int_equal(ctl_reply(&ctl, &fx.list[i], &arena, &conn, &frame), 0);
		assert_int_equal(conn, want_conn);
		return conn ? decode(frame) : (struct reply){ .kind = REPLY_DONE };
	}
	fail_msg("the node does not reply");
	return (struct reply){ 0 };
}

static struct reply command(struct request r)
{
	struct event ev = { .kind = EV_COMMAND };
	struct ctl_todo todo;

	r.version = CONTROL_VERSION;
	todo = ask_as(&r, 0);
	if (!todo.command)
		return decode(todo.reply);
	ev.u.command = todo.command;
	step(ev);
	return reply_of_node(5);
}

static void create(const char *name)
{
	struct reply r = command((struct request){ .kind = REQUEST_CREATE, .mesh = name });

	assert_string_equal(r.code, "ok");
}

static void start(void)
{
	step((struct event){ .kind = EV_START });
}

/* --- reading -------------------------------------------------------------------------------- */

static void test_version_and_facts(void **state)
{
	struct reply r = answer((struct request){ .kind = REQUEST_VERSION }, 0);

	(void)state;
	assert_int_equal(r.kind, REPLY_DONE);
	assert_string_equal(r.code, "ok");
	assert_string_equal(r.daemon_version, SMEG_VERSION);
	assert_string_equal(r.backend, "none");
	assert_int_equal(r.port, 21820);
	assert_int_equal(r.uptime_ms, 5000);
	assert_int_equal(r.frames_sent, 7);
	assert_int_equal(r.bytes_sent, 700);
	assert_int_equal(r.now_unix_ms, 1700000000000);
}

static void test_create_status_and_list(void **state)
{
	struct reply r;
	const struct mesh_info *m;

	(void)state;
	start();
	r = command((struct request){ .kind = REQUEST_CREATE, .mesh = "home" });
	assert_string_equal(r.code, "ok");
	assert_int_equal(r.meshes_count, 1);
	assert_string_equal(r.meshes[0].name, "home");
	assert_int_equal(r.meshes[0].members_count, 1);
	assert_memory_equal(r.token, "smeg1_", 6);
	assert_int_equal(r.token_uses, 1);
	assert_int_equal(r.token_expires_ms, r.now_unix_ms + INVITE_LIFE_MS);
	assert_int_equal(strlen(r.key), 44);

	r = answer((struct request){ .kind = REQUEST_STATUS }, 0);
	assert_int_equal(r.meshes_count, 1);
	m = &r.meshes[0];
	assert_string_equal(m->role, "peer");
	assert_true(m->is_administrator);
	assert_false(m->is_joining);
	assert_int_equal(strlen(m->digest), 2 * DIGEST_BYTES);
	assert_int_equal(strlen(m->id), MESH_ID_BYTES - 1);
	assert_int_equal(m->reachable_count, 1);
	/* The only mesh comes with its members. */
	assert_int_equal(m->members_listed, 1);
	assert_true(m->members[0].is_self);
	assert_string_equal(m->members[0].standing, "in");
	assert_string_equal(m->members[0].alias, "this-host");
	assert_string_equal(m->members[0].key, m->key);
	assert_string_equal(m->members[0].address, m->address);
	assert_int_equal(m->members[0].endpoints_count, 1);
	assert_string_equal(m->members[0].endpoints[0], "198.51.100.1:21820");
}

static void test_members_come_when_they_are_asked_for(void **state)
{
	struct reply r;

	(void)state;
	start();
	create("home");
	create("work");
	r = answer((struct request){ .kind = REQUEST_STATUS }, 0);
	assert_int_equal(r.meshes_count, 2);
	assert_int_equal(r.meshes[0].members_listed, 0);
	assert_int_equal(r.meshes[0].reachable_count, 1);
	r = answer((struct request){ .kind = REQUEST_STATUS, .mesh = "work" }, 0);
	assert_int_equal(r.meshes_count, 1);
	assert_string_equal(r.meshes[0].name, "work");
	assert_int_equal(r.meshes[0].members_listed, 1);
	r = answer((struct request){ .kind = REQUEST_LIST }, 0);
	assert_int_equal(r.meshes_count, 2);
	assert_int_equal(r.meshes[1].members_listed, 1);
}

static void test_an_unknown_mesh_is_named(void **state)
{
	struct reply r = answer((struct request){ .kind = REQUEST_LIST, .mesh = "no" }, 0);

	(void)state;
	assert_string_equal(r.code, "no-such-mesh");
	assert_string_equal(r.error, "there is no mesh \"no\" on this host");
	assert_string_equal(r.hint, "which there are: smegctl status");
}

/* --- changing ------------------------------------------------------------------------------- */

static void test_requests_become_commands(void **state)
{
	static const char key[] = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
	const char *places[] = { "a.example", "[fd00::1]:77" };
	struct request r = {
		.kind = REQUEST_INVITE,
		.mesh = "home",
		.role = "client",
		.uses = 7,
		.expires_in_ms = 60000,
		.may_bridge = true,
		.for_key = key,
		.token = "",
		.alias = "",
		.description = "",
	};
	struct command c;
	struct diag d = { "", "" };

	(void)state;
	assert_int_equal(ctl_command(&r, &c, &d), 0);
	assert_int_equal(c.kind, CMD_INVITE);
	assert_string_equal(c.mesh, "home");
	assert_int_equal(c.role, ROLE_CLIENT);
	assert_int_equal(c.uses, 7);
	assert_int_equal(c.expires_in_ms, 60000);
	assert_true(c.may_bridge);
	assert_true(c.has_for_key);
	assert_int_equal(c.for_key.b[31], 32);
	assert_false(c.settings.has_alias || c.settings.has_description || c.settings.has_places);

	r = (struct request){ .kind = REQUEST_JOIN, .mesh = "", .token = "smeg1_x", .role = "" };
	r.has_alias = r.has_description = r.has_endpoints = true;
	r.alias = "me";
	r.description = "a host";
	r.endpoints = places;
	r.endpoints_count = 2;
	r.for_key = "";
	assert_int_equal(ctl_command(&r, &c, &d), 0);
	assert_int_equal(c.kind, CMD_JOIN);
	assert_int_equal(c.role, 0);
	assert_int_equal(c.token.count, 7);
	assert_memory_equal(c.token.at, "smeg1_x", 7);
	assert_string_equal(c.settings.alias, "me");
	assert_string_equal(c.settings.description, "a host");
	assert_int_equal(c.settings.places_count, 2);
	assert_string_equal(c.settings.places[0].host, "a.example");
	assert_int_equal(c.settings.places[0].port, 0);
	assert_string_equal(c.settings.places[1].host, "fd00::1");
	assert_int_equal(c.settings.places[1].port, 77);
}

static void test_every_kind_has_its_command(void **state)
{
	static const struct {
		enum request_kind kind;
		enum command_kind command;
	} rows[] = {
		{ REQUEST_CREATE, CMD_CREATE }, { REQUEST_JOIN, CMD_JOIN },
		{ REQUEST_LEAVE, CMD_LEAVE },   { REQUEST_INVITE, CMD_INVITE },
		{ REQUEST_SET, CMD_SET },       { REQUEST_KEY, CMD_KEY },
		{ REQUEST_EXPEL, CMD_EXPEL },   { REQUEST_APPOINT, CMD_APPOINT },
		{ REQUEST_REVOKE, CMD_REVOKE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request r = { .kind = rows[i].kind,
			             .version = CONTROL_VERSION,
			             .member = "m" };
		struct ctl_todo todo = ask_as(&r, 0);

		assert_non_null(todo.command);
		assert_int_equal(todo.command->kind, rows[i].command);
		assert_int_equal(todo.command->request, i + 1);
		assert_int_equal(ctl_gone(&ctl, 5), i + 1);
	}
}

static void check_refused(struct request r, const char *code, const char *error)
{
	struct reply reply = answer(r, 0);

	assert_string_equal(reply.code, code);
	assert_memory_equal(reply.error, error, strlen(error));
}

static void test_bad_forms_are_refused_in_words(void **state)
{
	const char *place[] = { "a b" };

	(void)state;
	check_refused((struct request){ .kind = REQUEST_SET,
	                                .has_endpoints = true,
	                                .endpoints = place,
	                                .endpoints_count = 1 },
	              "malformed", "\"a b\" is not an endpoint");
	check_refused((struct request){ .kind = REQUEST_JOIN, .role = "king" }, "usage",
	              "there is no role \"king\"");
	check_refused((struct request){ .kind = REQUEST_INVITE, .for_key = "short" }, "bad-key",
	              "\"short\" is not a key");
	check_refused((struct request){ .kind = REQUEST_EXPEL }, "usage", "no member was named");
	check_refused((struct request){ .kind = REQUEST_REVOKE,
	                                .member =
	                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                                        "AAAAAAAAAAAAAAA" },
	              "bad-name", "a member's name of 64 bytes is too long");
	/* Nothing of it is pending. */
	assert_int_equal(ctl_gone(&ctl, 5), 0);
}

static void test_requests_about_members(void **state)
{
	struct request r = { .kind = REQUEST_EXPEL,
		             .mesh = "home",
		             .member = "printer",
		             .keep_invites = true,
		             .is_stolen = true,
		             .role = "",
		             .token = "" };
	struct diag d = { "", "" };
	struct command c;

	(void)state;
	assert_int_equal(ctl_command(&r, &c, &d), 0);
	assert_int_equal(c.kind, CMD_EXPEL);
	assert_string_equal(c.mesh, "home");
	assert_string_equal(c.member, "printer");
	assert_true(c.keep_invites && c.is_stolen);
	r.keep_invites = r.is_stolen = false;
	assert_int_equal(ctl_command(&r, &c, &d), 0);
	assert_false(c.keep_invites || c.is_stolen);
}

static void test_the_answer_says_what_became_of_a_member(void **state)
{
	struct reply r;

	(void)state;
	start();
	create("home");
	r = command((struct request){ .kind = REQUEST_EXPEL, .member = "this-host" });
	assert_string_equal(r.code, "usage");
	assert_string_equal(r.hint, "smegctl leave home");
	r = command((struct request){ .kind = REQUEST_EXPEL, .member = "nobody" });
	assert_string_equal(r.code, "no-such-member");
	r = command((struct request){ .kind = REQUEST_APPOINT, .member = "this-host" });
	assert_string_equal(r.code, "ok");
	assert_string_equal(r.member_name, "this-host");
	assert_string_equal(r.member_key, r.meshes[0].key);
	assert_true(r.member_is_administrator && r.is_unchanged);
	r = command((struct request){
		.kind = REQUEST_REVOKE, .member = "this-host", .is_stolen = true });
	assert_string_equal(r.code, "ok");
	assert_false(r.member_is_administrator || r.is_unchanged);
	assert_int_equal(r.stay_count, 1);
	assert_int_equal(r.returned_count, 0);
	assert_false(r.meshes[0].is_administrator);
}

static void test_reachability_and_leader_are_shown(void **state)
{
	struct reply r;

	(void)state;
	start();
	create("home");
	r = answer((struct request){ .kind = REQUEST_STATUS }, 0);
	assert_string_equal(r.meshes[0].members[0].reachability, "reachable");
	assert_int_equal(r.expelled_from_count, 0);
	assert_string_equal(r.meshes[0].leader, "");
	assert_int_equal(r.meshes[0].beat_age_ms, -1);
	assert_int_equal(r.meshes[0].beat_members, 0);
	assert_string_equal(ctl_reachability_name(REACHABLE), "reachable");
	assert_string_equal(ctl_reachability_name(SUSPECT), "suspect");
	assert_string_equal(ctl_reachability_name(UNREACHABLE), "unreachable");
}

static void test_the_nodes_refusal_comes_back_in_words(void **state)
{
	struct reply r;

	(void)state;
	start();
	r = command((struct request){ .kind = REQUEST_LEAVE, .mesh = "nowhere" });
	assert_string_equal(r.code, "no-such-mesh");
	assert_non_null(strstr(r.error, "nowhere"));
	assert_true(r.hint[0]);
}

static void test_leave_answers_with_what_was_left(void **state)
{
	struct reply r;

	(void)state;
	start();
	create("home");
	r = command((struct request){ .kind = REQUEST_LEAVE, .mesh = "home" });
	assert_string_equal(r.code, "ok");
	assert_int_equal(r.meshes_count, 1);
	assert_string_equal(r.meshes[0].name, "home");
	assert_int_equal(answer((struct request){ .kind = REQUEST_STATUS }, 0).meshes_count, 0);
}

static void test_who_hung_up_gets_no_answer(void **state)
{
	struct request r = { .kind = REQUEST_KEY, .version = CONTROL_VERSION };
	struct event ev = { .kind = EV_COMMAND };
	struct ctl_todo todo;

	(void)state;
	start();
	todo = ask_as(&r, 0);
	assert_non_null(todo.command);
	ev.u.command = todo.command;
	assert_int_equal(ctl_gone(&ctl, 6), 0);
	assert_int_equal(ctl_gone(&ctl, 5), todo.command->request);
	assert_int_equal(ctl_gone(&ctl, 5), 0);
	step(ev);
	reply_of_node(0);
}

static void test_progress_goes_to_who_asked(void **state)
{
	const struct command_progress p = { .step = 2, .steps = 5, .text = "dialling" };
	struct effect e = { .kind = FX_PROGRESS };
	struct request r = { .kind = REQUEST_JOIN, .version = CONTROL_VERSION };
	struct bytes frame;
	struct reply got;
	uint64_t conn;

	(void)state;
	e.u.progress.progress = &p;
	e.u.progress.request = ask_as(&r, 0).command->request;
	assert_int_equal(ctl_progress(&ctl, &e, &arena, &conn, &frame), 0);
	assert_int_equal(conn, 5);
	got = decode(frame);
	assert_int_equal(got.kind, REPLY_PROGRESS);
	assert_int_equal(got.step, 2);
	assert_int_equal(got.steps, 5);
	assert_string_equal(got.text, "dialling");
	e.u.progress.request++;
	assert_int_equal(ctl_progress(&ctl, &e, &arena, &conn, &frame), 0);
	assert_int_equal(conn, 0);
}

/* --- who, and what is no request ------------------------------------------------------------ */

static void test_strangers_are_refused_by_what_they_ask(void **state)
{
	(void)state;
	for (int kind = REQUEST_VERSION; kind < REQUEST__COUNT; kind++) {
		struct reply r =
			answer((struct request){ .kind = (enum request_kind)kind }, 4242425);

		assert_string_equal(r.code, "not-permitted");
		assert_non_null(strstr(r.error, "uid 4242425 may not "));
	}
	/* The user that the daemon runs as may. */
	assert_string_equal(answer((struct request){ .kind = REQUEST_LIST }, 4242424).code, "ok");
	assert_int_equal(ctl_gone(&ctl, 5), 0);
}

static void test_the_group_reads_and_does_not_change(void **state)
{
	(void)state;
	ctl.access.has_group = true;
	ctl.access.gid = 4242425; /* as the process's group */
	ctl.access.group = "smegmesh";
	for (int kind = REQUEST_VERSION; kind < REQUEST__COUNT; kind++) {
		struct reply r =
			answer((struct request){ .kind = (enum request_kind)kind }, 4242425);

		assert_string_equal(r.code, kind <= REQUEST_LIST ? "ok" : "not-permitted");
	}
}

static void test_bytes_that_are_no_request_are_answered(void **state)
{
	struct ctl_asked asked = { .conn = 5, .frame = { (const uint8_t *)"\xff\xff", 2 } };
	static uint8_t big[CONTROL_REQUEST_BYTES + 1];
	struct request other = { .kind = REQUEST_VERSION, .version = CONTROL_VERSION + 1 };
	struct ctl_todo todo;

	(void)state;
	assert_int_equal(ctl_request(&ctl, &asked, &arena, &todo), 0);
	assert_string_equal(decode(todo.reply).code, "malformed");
	asked.frame = (struct bytes){ big, sizeof(big) };
	assert_int_equal(ctl_request(&ctl, &asked, &arena, &todo), 0);
	assert_string_equal(decode(todo.reply).code, "too-big");
	assert_int_equal(request_encode(&other, &arena, &asked.frame), 0);
	assert_int_equal(ctl_request(&ctl, &asked, &arena, &todo), 0);
	assert_string_equal(decode(todo.reply).code, "version");
	assert_non_null(strstr(decode(todo.reply).hint, "systemctl restart smegd"));
}

static void test_names_of_roles_and_standings(void **state)
{
	(void)state;
	assert_string_equal(ctl_role_name(ROLE_PEER), "peer");
	assert_string_equal(ctl_role_name(ROLE_CLIENT), "client");
	assert_string_equal(ctl_role_name(0), "");
	assert_string_equal(ctl_standing_name(STANDING_IN), "in");
	assert_string_equal(ctl_standing_name(STANDING_ADMITTED), "admitted");
	assert_string_equal(ctl_standing_name(STANDING_LEFT), "left");
	assert_string_equal(ctl_standing_name(STANDING_PRUNED), "pruned");
	assert_string_equal(ctl_standing_name(STANDING_EXPELLED), "expelled");
	assert_string_equal(ctl_standing_name(STANDING_VOID), "void");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_version_and_facts),
		TEST(test_create_status_and_list),
		TEST(test_members_come_when_they_are_asked_for),
		TEST(test_an_unknown_mesh_is_named),
		TEST(test_requests_become_commands),
		TEST(test_every_kind_has_its_command),
		TEST(test_bad_forms_are_refused_in_words),
		TEST(test_requests_about_members),
		TEST(test_the_answer_says_what_became_of_a_member),
		TEST(test_reachability_and_leader_are_shown),
		TEST(test_the_nodes_refusal_comes_back_in_words),
		TEST(test_leave_answers_with_what_was_left),
		TEST(test_who_hung_up_gets_no_answer),
		TEST(test_progress_goes_to_who_asked),
		TEST(test_strangers_are_refused_by_what_they_ask),
		TEST(test_the_group_reads_and_does_not_change),
		TEST(test_bytes_that_are_no_request_are_answered),
		TEST(test_names_of_roles_and_standings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
