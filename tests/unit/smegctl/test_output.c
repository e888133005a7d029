/*
 * smegctl: what is printed, byte for byte, as transcripts in tests/golden; and how it ends.
 *
 * In a transcript "$" is the command, lines with "~" are what went to stderr, and [n] is the exit
 * status where it is not 0.
 */
#include "tests/unit/unit.h"

#include "tests/unit/smegctl/run.h"

#include "smegctl/print.h"
#include "tests/unit/api/model/sample_mesh.h"
#include "tests/unit/golden.h"

#include <errno.h>
#include <jansson.h>
#include <unistd.h>

#define TRANSCRIPT_BYTES 65536

struct transcript {
	char text[TRANSCRIPT_BYTES];
	size_t count;
};

struct world {
	struct memtest mt;
	struct arena arena;
	struct transcript t;
};

static int setup(void **state)
{
	static struct world w;

	memtest_init(&w.mt);
	arena_init(&w.arena, &w.mt.mem);
	w.t.count = 0;
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

PRINTF_LIKE(2, 3)
static void put(struct transcript *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	t->count += (size_t)vsnprintf(t->text + t->count, sizeof(t->text) - t->count, format, args);
	va_end(args);
	assert_true(t->count < sizeof(t->text));
}

static void put_lines(struct transcript *t, const char *mark, const char *text)
{
	while (*text) {
		int bytes = (int)strcspn(text, "\n");

		put(t, "%s%.*s\n", mark, bytes, text);
		text += bytes;
		text += *text == '\n';
	}
}

static void play(struct world *w, struct run *r, const char *line)
{
	run(r, line);
	put(&w->t, "$ smegctl %s\n", line);
	put_lines(&w->t, "", r->out);
	put_lines(&w->t, "~ ", r->talk);
	if (r->status)
		put(&w->t, "[%d]\n", r->status);
	put(&w->t, "\n");
	run_fini(r);
}

static struct reply sample_reply(struct mesh_info *meshes, size_t count)
{
	return (struct reply){ .kind = REPLY_DONE,
		               .code = "ok",
		               .error = "",
		               .hint = "",
		               .daemon_version = "0.1.0",
		               .backend = "kernel",
		               .uptime_ms = 11520000,
		               .now_unix_ms = SAMPLE_NOW_MS,
		               .port = 7946,
		               .meshes = meshes,
		               .meshes_count = count,
		               .token = "",
		               .key = "",
		               .member_key = "",
		               .member_name = "" };
}

static void test_help_is_as_it_was(void **state)
{
	struct world *w = *state;
	struct run r = { 0 };

	play(w, &r, "--help");
	for (const struct command *const *c = commands; *c; c++) {
		char line[64];

		snprintf(line, sizeof(line), "%s --help", (*c)->name);
		play(w, &r, line);
	}
	play(w, &r, "completion bash");
	golden_assert("smegctl-help.txt", w->t.text, w->t.count);
}

static void test_results_are_as_they_were(void **state)
{
	struct world *w = *state;
	struct mesh_info mesh = sample_mesh(&w->arena, 4);
	struct reply reply = sample_reply(&mesh, 1);
	struct run r = { .reply = &reply };

	reply.token = "smeg1_AAAAAAAAAAAAAAAA";
	reply.token_expires_ms = SAMPLE_NOW_MS + 86400000 - 12;
	reply.token_uses = 1;
	play(w, &r, "create home");
	play(w, &r, "invite home");
	play(w, &r, "invite home --json");
	reply.token_uses = 5;
	reply.token_expires_ms = SAMPLE_NOW_MS + 900000;
	play(w, &r, "invite --uses 5 --expires 15m");
	reply.token_uses = 0;
	play(w, &r, "invite --uncounted --expires 15m");
	reply.token = "";
	play(w, &r, "join smeg1_AAAA");
	play(w, &r, "join smeg1_AAAA --json");
	play(w, &r, "set --alias gate");
	play(w, &r, "leave home");
	play(w, &r, "leave home --json");
	reply.key = "0000AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	play(w, &r, "key");
	play(w, &r, "key --json");
	play(w, &r, "version");
	play(w, &r, "version --json");
	reply.member_key = "0001AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	reply.member_name = "printer";
	play(w, &r, "expel printer");
	play(w, &r, "expel printer --json");
	reply.member_is_administrator = true;
	play(w, &r, "expel printer --mesh home --keep-invites");
	play(w, &r, "appoint printer");
	reply.is_unchanged = true;
	play(w, &r, "appoint printer");
	play(w, &r, "appoint printer --json");
	reply.member_is_administrator = false;
	play(w, &r, "revoke printer");
	reply.is_unchanged = false;
	reply.stay_count = 1;
	play(w, &r, "revoke printer");
	reply.stay_count = 0;
	reply.readmitted_count = 300;
	reply.returned_count = 2;
	play(w, &r, "revoke printer --stolen");
	play(w, &r, "revoke printer --stolen --json");
	reply.daemon_version = "0.0.9";
	play(w, &r, "version");
	golden_assert("smegctl-results.txt", w->t.text, w->t.count);
}

static void test_lists_are_as_they_were(void **state)
{
	struct world *w = *state;
	struct mesh_info meshes[2] = { sample_mesh(&w->arena, 4), sample_mesh(&w->arena, 2) };
	struct reply reply = sample_reply(meshes, 1);
	struct run r = { .reply = &reply };

	meshes[0].members[3].standing = "left";
	meshes[1].members[1].reachability = "suspect";
	meshes[1].name = "work";
	meshes[1].id = "zzzzzzzzzzzzzzzz";
	play(w, &r, "list");
	play(w, &r, "list --all");
	play(w, &r, "list --json");
	reply.meshes_count = 2;
	play(w, &r, "list");
	reply.meshes_count = 0;
	play(w, &r, "list");
	play(w, &r, "list --json");
	golden_assert("smegctl-list.txt", w->t.text, w->t.count);
}

static void test_status_is_as_it_was(void **state)
{
	struct world *w = *state;
	struct mesh_info mesh = sample_mesh(&w->arena, 4);
	struct mesh_info large = sample_mesh(&w->arena, 200);
	const char *expelled_from[] = { "home", "work" };
	struct reply reply = sample_reply(&mesh, 1);
	struct run r = { .reply = &reply };

	play(w, &r, "status");
	play(w, &r, "status --json");
	mesh.members[1].reachability = "suspect";
	mesh.members[1].since_ms = SAMPLE_NOW_MS - 2400;
	mesh.leader = "zzzzAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	mesh.beat_members = 0;
	mesh.role = "client";
	mesh.carrier = mesh.members[1].key;
	play(w, &r, "status");
	mesh.role = "peer";
	mesh.members[1].reachability = "reachable";
	mesh.leader = "";
	mesh.beat_age_ms = -1;
	mesh.clock_ahead_ms = 95000;
	mesh.problem = "the device smeg-home is somebody else's";
	mesh.hint = "ip link delete smeg-home";
	mesh.is_joining = true;
	mesh.members[1].address_clash = true;
	reply.backend = "none";
	play(w, &r, "status");
	mesh.clock_ahead_ms = -95000;
	reply.backend = "userspace";
	play(w, &r, "status");
	reply.meshes = &large;
	play(w, &r, "status");
	reply.meshes_count = 0;
	play(w, &r, "status");
	reply.expelled_from = expelled_from;
	reply.expelled_from_count = 2;
	play(w, &r, "status");
	play(w, &r, "status --json");
	golden_assert("smegctl-status.txt", w->t.text, w->t.count);
}

static void test_colour_only_where_there_is_colour(void **state)
{
	struct world *w = *state;
	struct mesh_info mesh = sample_mesh(&w->arena, 3);
	struct reply reply = sample_reply(&mesh, 1);
	struct run plain = { .reply = &reply };
	struct run coloured = { .reply = &reply, .has_colour = true };

	run(&plain, "list");
	run(&coloured, "list");
	assert_null(strchr(plain.out, 0x1b));
	assert_non_null(strstr(coloured.out, "\033[32mreachable\033[0m"));
	run_fini(&coloured);
	run(&coloured, "list --json");
	assert_null(strchr(coloured.out, 0x1b));
	run_fini(&plain);
	run_fini(&coloured);
}

/* The promise of list --json: without "local", all hosts of a mesh print the same. */
static json_t *without_local(json_t *value)
{
	const char *key;
	json_t *inner;
	size_t i;

	if (json_is_object(value)) {
		json_object_del(value, "local");
		json_object_foreach(value, key, inner) without_local(inner);
	}
	json_array_foreach(value, i, inner) without_local(inner);
	return value;
}

static void test_hosts_that_agree_print_the_same_list(void **state)
{
	struct world *w = *state;
	struct mesh_info here = sample_mesh(&w->arena, 5);
	struct mesh_info there = sample_mesh(&w->arena, 5);
	struct reply reply = sample_reply(&here, 1);
	struct run r = { .reply = &reply };
	json_t *a;
	json_t *b;

	/* All that one host may see otherwise than another. */
	there.name = there.device = there.address = there.key = there.role = "other";
	there.is_administrator = false;
	there.reachable_count = there.sessions_count = there.wg_port = 99;
	there.clock_ahead_ms = 99;
	there.leader = "other";
	there.beat_age_ms = there.beat_members = 99;
	there.problem = there.hint = "other";
	for (size_t i = 0; i < 5; i++) {
		there.members[i].is_self = i == 3;
		there.members[i].is_reachable = !there.members[i].is_reachable;
		there.members[i].reachability = "other";
		there.members[i].has_session = !there.members[i].has_session;
		there.members[i].has_tunnel = !there.members[i].has_tunnel;
		there.members[i].since_ms = there.members[i].handshake_ms = 7;
		there.members[i].rx_bytes = there.members[i].tx_bytes = 7;
		there.members[i].endpoint = "other";
	}
	run(&r, "list --json");
	a = without_local(json_loads(r.out, 0, NULL));
	run_fini(&r);
	reply.meshes = &there;
	run(&r, "list --json");
	b = without_local(json_loads(r.out, 0, NULL));
	run_fini(&r);
	assert_non_null(a);
	assert_true(json_equal(a, b));
	json_decref(b);
	there.members[4].counter++;
	run(&r, "list --json");
	b = without_local(json_loads(r.out, 0, NULL));
	assert_false(json_equal(a, b));
	json_decref(a);
	json_decref(b);
	run_fini(&r);
}

static void test_pictures_go_where_they_are_sent(void **state)
{
	struct world *w = *state;
	struct mesh_info mesh = sample_mesh(&w->arena, 3);
	struct reply reply = sample_reply(&mesh, 1);
	char path[] = "/tmp/smeg-picture-XXXXXX";
	struct run r = { .reply = &reply };
	struct run f = { .reply = &reply };
	char line[80];
	char got[16384];
	FILE *file;
	size_t n;
	json_t *json;

	run(&r, "visualise");
	assert_int_equal(strncmp(r.out, "<svg", 4), 0);
	close(mkstemp(path));
	snprintf(line, sizeof(line), "visualise -o %s", path);
	run(&f, line);
	assert_string_equal(f.out, "");
	file = fopen(path, "re");
	n = fread(got, 1, sizeof(got), file);
	fclose(file);
	assert_int_equal(n, r.out_bytes);
	assert_memory_equal(got, r.out, n);
	run_fini(&r);
	run_fini(&f);
	run(&r, "visualise --format json");
	run(&f, "visualise --json");
	assert_string_equal(r.out, f.out);
	json = json_loads(r.out, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(json, "meshes")), 1);
	json_decref(json);
	run_fini(&r);
	run_fini(&f);
	run(&r, "visualise -o /nonexistent/x.svg");
	assert_int_equal(r.status, 5);
	assert_non_null(strstr(r.talk, "/nonexistent/x.svg"));
	run_fini(&r);
	remove(path);
}

/* --- how it ends --- */

static void test_exit_status_of_every_error(void **state)
{
	static const struct {
		int err;
		int status;
	} rows[] = {
		{ 0, 0 },
		{ ERR_USAGE, 2 },
		{ ERR_NO_DAEMON, 3 },
		{ ERR_NOT_PERMITTED, 4 },
		{ ERR_NOT_ADMIN, 4 },
		{ ERR_NOT_AUTHORISED, 4 },
		{ -EPERM, 4 },
		{ -EACCES, 4 },
		{ ERR_NO_MESH, 5 },
		{ ERR_NO_MEMBER, 5 },
		{ -ENOENT, 5 },
		{ ERR_TIMED_OUT, 6 },
		{ ERR_CONNECT_TIMEOUT, 6 },
	};

	(void)state;
	for (int err = 0; err >= -3000; err--) {
		int want = err ? 1 : 0;

		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			if (rows[i].err == err)
				want = rows[i].status;
		}
		assert_int_equal(exit_status(err), want);
	}
}

static void test_errors_are_json_too(void **state)
{
	static const struct {
		const char *line;
		int err;
		const char *code;
		int status;
	} rows[] = {
		{ "status --json", ERR_NO_DAEMON, "daemon-unreachable", 3 },
		{ "join --json smeg1_a", ERR_USED_UP, "used-up", 1 },
		{ "leave --json nowhere", ERR_NO_MESH, "no-such-mesh", 5 },
		{ "list --json --bogus", 0, "usage", 2 },
		{ "list --bogus --json", 0, "usage", 2 },
		{ "bogus -j", 0, "usage", 2 },
		{ "status --json --timeout x", 0, "usage", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct run r = { .err = rows[i].err };
		json_t *root;
		json_t *error;

		run(&r, rows[i].line);
		assert_int_equal(r.status, rows[i].status);
		assert_string_equal(r.talk, "");
		root = json_loads(r.out, 0, NULL);
		error = json_object_get(root, "error");
		assert_string_equal(json_string_value(json_object_get(error, "code")),
		                    rows[i].code);
		assert_true(json_string_length(json_object_get(error, "message")) > 0);
		assert_true(json_is_string(json_object_get(error, "hint")));
		json_decref(root);
		run_fini(&r);
	}
}

/* A reply without what it should have must not crash us. */
static void test_poor_replies_are_survived(void **state)
{
	static const char *const lines[] = { "create home", "join smeg1_a", "invite",
		                             "set -a x",    "list",         "status",
		                             "visualise",   "key",          "expel a",
		                             "appoint a",   "revoke a",     "revoke a --stolen" };
	struct reply reply = sample_reply(NULL, 0);

	(void)state;
	reply.daemon_version = "";
	reply.backend = "";
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct run r = { .reply = &reply };

		run(&r, lines[i]);
		assert_true(r.status == 0 || r.status == 1);
		run_fini(&r);
	}
}

/* --- words --- */

static void test_durations_read_well(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ -5, "0 s" },
		{ 0, "0 s" },
		{ 59999, "59 s" },
		{ 60000, "1 min" },
		{ 3599999, "59 min" },
		{ 3600000, "1 h" },
		{ 3660000, "1 h 1 min" },
		{ 86399999, "23 h 59 min" },
		{ 86400000, "24 h" },
		{ 172799999, "47 h 59 min" },
		{ 172800000, "2 d" },
		{ 176400000, "2 d 1 h" },
		{ INT64_MAX, "106751991167 d 7 h" },
	};
	char text[DURATION_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		duration_text(rows[i].ms, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void test_amounts_read_well(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" },
		{ 10239, "9.9 KiB" },
		{ 10240, "10 KiB" },
		{ 1048575, "1023 KiB" },
		{ 1048576, "1.0 MiB" },
		{ UINT64_MAX, "15 EiB" },
	};
	char text[AMOUNT_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		amount_text(rows[i].bytes, text);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_help_is_as_it_was, setup, teardown),
		cmocka_unit_test_setup_teardown(test_results_are_as_they_were, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists_are_as_they_were, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status_is_as_it_was, setup, teardown),
		cmocka_unit_test_setup_teardown(test_colour_only_where_there_is_colour, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_hosts_that_agree_print_the_same_list, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_pictures_go_where_they_are_sent, setup,
		                                teardown),
		cmocka_unit_test(test_exit_status_of_every_error),
		cmocka_unit_test(test_errors_are_json_too),
		cmocka_unit_test(test_poor_replies_are_survived),
		cmocka_unit_test(test_durations_read_well),
		cmocka_unit_test(test_amounts_read_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
