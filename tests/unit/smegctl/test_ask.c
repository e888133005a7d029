/*
 * smegctl against a daemon on a socket: progress while it works, and the ways it can end.
 */
#include "tests/unit/unit.h"

#include "smegctl/cmd.h"
#include "tests/unit/api/control_server.h"

#include <string.h>

struct outcome {
	int status;
	char *out;
	char *talk;
};

/* smegctl --socket PATH and the words. */
static void ask(struct outcome *o, const char *path, const char *const *words, size_t count)
{
	char *argv[16] = { strdup("smegctl"), strdup("--socket"), strdup(path) };
	struct call c = { .in_is_tty = true, .ask = ask_daemon };
	size_t out_bytes;
	size_t talk_bytes;
	struct memtest mt;

	memtest_init(&mt);
	for (size_t i = 0; i < count; i++)
		argv[3 + i] = strdup(words[i]);
	c.mem = &mt.mem;
	c.out = open_memstream(&o->out, &out_bytes);
	c.talk = open_memstream(&o->talk, &talk_bytes);
	o->status = call_run(&c, (int)count + 3, argv);
	fclose(c.out);
	fclose(c.talk);
	for (size_t i = 0; i < count + 3; i++)
		free(argv[i]);
	memtest_assert_no_leak(&mt);
}

static void outcome_fini(struct outcome *o)
{
	free(o->out);
	free(o->talk);
}

static struct mesh_info mesh = { .name = "home", .id = "id", .members_count = 3 };
static const struct reply progress = { .kind = REPLY_PROGRESS,
	                               .version = CONTROL_VERSION,
	                               .step = 1,
	                               .steps = 2,
	                               .text = "dialling" };
static const struct reply done = { .kind = REPLY_DONE,
	                           .version = CONTROL_VERSION,
	                           .code = "ok",
	                           .meshes = &mesh,
	                           .meshes_count = 1 };
static const struct reply refused = { .kind = REPLY_DONE,
	                              .version = CONTROL_VERSION,
	                              .code = "used-up",
	                              .error = "the invite has been used already",
	                              .hint = "smegctl invite home" };
static const struct reply unknown = { .kind = REPLY_DONE,
	                              .version = CONTROL_VERSION,
	                              .code = "of-a-later-version",
	                              .error = "it is raining" };

static const char *const join[] = { "join", "smeg1_abc" };

static void test_progress_is_talk_and_the_end_is_data(void **state)
{
	struct server *s = *state;
	const struct piece script[] = { server_frame(s, 0, &progress), server_frame(s, 0, &done) };
	struct outcome o;

	server_start(s, script, ARRAY_LEN(script));
	ask(&o, s->path, join, ARRAY_LEN(join));
	server_join(s);
	assert_int_equal(o.status, 0);
	assert_string_equal(s->request.token, "smeg1_abc");
	assert_int_equal(strncmp(o.talk, "[1/2] dialling\n", 15), 0);
	assert_null(strstr(o.out, "dialling"));
	assert_non_null(strstr(o.out, "This host is in home."));
	outcome_fini(&o);
}

static void test_refusals_keep_their_words(void **state)
{
	struct server *s = *state;
	const struct piece script[] = { server_frame(s, 0, &refused) };
	struct outcome o;

	server_start(s, script, ARRAY_LEN(script));
	ask(&o, s->path, join, ARRAY_LEN(join));
	server_join(s);
	assert_int_equal(o.status, 1);
	assert_string_equal(o.talk, "smegctl join: the invite has been used already\n"
	                            "  hint: smegctl invite home\n");
	assert_string_equal(o.out, "");
	outcome_fini(&o);
}

static void test_an_error_of_a_later_version_is_shown(void **state)
{
	struct server *s = *state;
	const struct piece script[] = { server_frame(s, 0, &unknown) };
	struct outcome o;

	server_start(s, script, ARRAY_LEN(script));
	ask(&o, s->path, join, ARRAY_LEN(join));
	server_join(s);
	assert_int_equal(o.status, 1);
	assert_non_null(strstr(o.talk, "it is raining"));
	outcome_fini(&o);
}

static void test_time_runs_out_in_a_step(void **state)
{
	static const char *const words[] = { "join", "smeg1_abc", "--timeout", "1s" };
	struct server *s = *state;
	const struct piece script[] = { server_frame(s, 0, &progress), { 1300, NULL, 0 } };
	struct outcome o;

	server_start(s, script, ARRAY_LEN(script));
	ask(&o, s->path, words, ARRAY_LEN(words));
	server_join(s);
	assert_int_equal(o.status, 6);
	assert_non_null(strstr(o.talk, "within 1 s; its last step: dialling"));
	assert_non_null(strstr(o.talk, "hint: "));
	assert_null(strstr(o.talk, "smeg1_abc"));
	outcome_fini(&o);
}

static void test_no_daemon_is_an_exit_status_of_its_own(void **state)
{
	static const char *const words[] = { "status" };
	static const char *const json[] = { "status", "--json" };
	struct outcome o;

	(void)state;
	ask(&o, "/nonexistent/sock", words, ARRAY_LEN(words));
	assert_int_equal(o.status, 3);
	assert_non_null(strstr(o.talk, "smegctl status: smegd is not running"));
	outcome_fini(&o);
	ask(&o, "/nonexistent/sock", json, ARRAY_LEN(json));
	assert_int_equal(o.status, 3);
	assert_string_equal(o.talk, "");
	assert_non_null(strstr(o.out, "\"daemon-unreachable\""));
	outcome_fini(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_progress_is_talk_and_the_end_is_data,
		                                server_setup, server_teardown),
		cmocka_unit_test_setup_teardown(test_refusals_keep_their_words, server_setup,
		                                server_teardown),
		cmocka_unit_test_setup_teardown(test_an_error_of_a_later_version_is_shown,
		                                server_setup, server_teardown),
		cmocka_unit_test_setup_teardown(test_time_runs_out_in_a_step, server_setup,
		                                server_teardown),
		cmocka_unit_test(test_no_daemon_is_an_exit_status_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
