/*
 * api/client against a small server of its own, on a thread, that does what it is told: answers,
 * dawdles, cuts frames, hangs up, or speaks nonsense.
 */
#include "tests/unit/unit.h"

#include "api/client.h"
#include "base/limits.h"
#include "tests/unit/api/control_server.h"
#include "tests/unit/memtest.h"

#include <errno.h>
#include <nng/supplemental/util/platform.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The thread sanitizer calls this before main(); see the file for why. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "suppressions=tests/tsan.supp";
}

static const struct reply progress = { .kind = REPLY_PROGRESS,
	                               .version = CONTROL_VERSION,
	                               .step = 1,
	                               .steps = 2,
	                               .text = "dialling" };
static const struct reply done = {
	.kind = REPLY_DONE, .version = CONTROL_VERSION, .code = "ok", .daemon_version = "9.9"
};
static const struct request question = { .kind = REQUEST_STATUS, .mesh = "home" };

/* A client that has asked. */
struct asked {
	struct memtest mt;
	struct client *client;
	struct diag diag;
};

static void asked_begin(struct asked *a, struct server *s)
{
	memtest_init(&a->mt);
	a->diag = (struct diag){ 0 };
	assert_int_equal(client_open(s->path, &a->mt.mem, &a->client, &a->diag), 0);
	assert_int_equal(client_ask(a->client, &question, &a->diag), 0);
}

static void asked_end(struct asked *a)
{
	client_close(a->client);
	memtest_assert_no_leak(&a->mt);
}

/* --- talk --- */

static void test_progress_and_the_answer_arrive(void **state)
{
	struct server *s = *state;
	const struct piece script[] = { server_frame(s, 0, &progress),
		                        server_frame(s, 20, &progress), server_frame(s, 0, &done) };
	struct reply got;
	struct asked a;

	server_start(s, script, ARRAY_LEN(script));
	asked_begin(&a, s);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(client_next(a.client, 5000, &got, &a.diag), 0);
		assert_int_equal(got.kind, REPLY_PROGRESS);
		assert_string_equal(got.text, "dialling");
	}
	assert_int_equal(client_next(a.client, 5000, &got, &a.diag), 0);
	assert_int_equal(got.kind, REPLY_DONE);
	assert_string_equal(got.daemon_version, "9.9");
	server_join(s);
	assert_int_equal(s->request_err, 0);
	assert_int_equal(s->request.kind, REQUEST_STATUS);
	assert_int_equal(s->request.version, CONTROL_VERSION);
	assert_string_equal(s->request.mesh, "home");
	asked_end(&a);
}

static void test_a_frame_may_come_in_single_bytes(void **state)
{
	struct server *s = *state;
	struct piece whole = server_frame(s, 0, &done);
	struct piece *script = arena_alloc(&s->arena, whole.bytes * sizeof(*script));
	struct reply got;
	struct asked a;

	for (size_t i = 0; i < whole.bytes; i++)
		script[i] = (struct piece){ 1, (const uint8_t *)whole.at + i, 1 };
	server_start(s, script, whole.bytes);
	asked_begin(&a, s);
	assert_int_equal(client_next(a.client, 5000, &got, &a.diag), 0);
	assert_string_equal(got.daemon_version, "9.9");
	server_join(s);
	asked_end(&a);
}

/* What had arrived when the time was up is not lost. */
static void test_one_may_wait_again_after_a_timeout(void **state)
{
	struct server *s = *state;
	struct piece whole = server_frame(s, 0, &done);
	const size_t cuts[] = { 2, 6 };
	const struct piece script[] = {
		{ 0, whole.at, cuts[0] },
		{ 150, (const uint8_t *)whole.at + cuts[0], cuts[1] - cuts[0] },
		{ 150, (const uint8_t *)whole.at + cuts[1], whole.bytes - cuts[1] },
	};
	int timeouts = 0;
	struct reply got;
	struct asked a;
	int err;

	server_start(s, script, ARRAY_LEN(script));
	asked_begin(&a, s);
	while ((err = client_next(a.client, 50, &got, &a.diag)) == ERR_TIMED_OUT && timeouts < 100)
		timeouts++;
	assert_int_equal(err, 0);
	assert_true(timeouts >= 2);
	assert_string_equal(got.daemon_version, "9.9");
	server_join(s);
	asked_end(&a);
}

static void test_time_runs_out(void **state)
{
	struct server *s = *state;
	const struct piece script[] = { { 400, NULL, 0 } };
	nng_time before = nng_clock();
	struct reply got;
	struct asked a;

	server_start(s, script, ARRAY_LEN(script));
	asked_begin(&a, s);
	assert_int_equal(client_next(a.client, 100, &got, &a.diag), ERR_TIMED_OUT);
	assert_true(nng_clock() - before >= 100);
	assert_non_null(strstr(a.diag.text, "too long"));
	server_join(s);
	asked_end(&a);
}

static void test_a_daemon_that_hangs_up_is_told(void **state)
{
	struct server *s = *state;
	struct piece whole = server_frame(s, 0, &done);
	const struct piece script[] = { { 0, whole.at, whole.bytes - 1 } };
	struct reply got;
	struct asked a;

	server_start(s, script, ARRAY_LEN(script));
	asked_begin(&a, s);
	assert_int_equal(client_next(a.client, 5000, &got, &a.diag), ERR_NO_DAEMON);
	assert_non_null(strstr(a.diag.text, "hung up"));
	assert_true(a.diag.hint[0]);
	server_join(s);
	asked_end(&a);
}

static void test_nonsense_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t count;
		int err;
	} rows[] = {
		{ "\0\0\0\0", 4, ERR_MALFORMED },
		{ "\xff\xff\xff\xff", 4, ERR_MALFORMED },
		{ "HTTP/1.1 400", 12, ERR_MALFORMED },
		{ "\0\0\0\3\xff\xff\xff", 7, ERR_MALFORMED },
		{ "\0\0\0\4\x08\x02\x10\x02", 8, ERR_VERSION }, /* done, version 2 */
		{ "\0\0\0\4\x08\x09\x10\x01", 8, ERR_VERSION }, /* a kind that is not known */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct piece script[] = { { 0, rows[i].bytes, rows[i].count } };
		struct server *s = *state;
		struct reply got;
		struct asked a;

		server_start(s, script, 1);
		asked_begin(&a, s);
		assert_int_equal(client_next(a.client, 5000, &got, &a.diag), rows[i].err);
		assert_true(a.diag.text[0]);
		assert_int_equal(strstr(a.diag.text, "another version") != NULL,
		                 rows[i].err == ERR_VERSION);
		server_join(s);
		asked_end(&a);
	}
}

static void test_a_request_beyond_its_bounds_is_not_sent(void **state)
{
	struct server *s = *state;
	struct request r = question;
	char name[80];
	struct memtest mt;
	struct client *c;
	struct diag diag;

	memset(name, 'a', sizeof(name));
	name[79] = 0;
	r.mesh = name;
	memtest_init(&mt);
	s->closes_first = true;
	server_start(s, NULL, 0);
	assert_int_equal(client_open(s->path, &mt.mem, &c, &diag), 0);
	assert_int_equal(client_ask(c, &r, &diag), ERR_TOO_BIG);
	client_close(c);
	server_join(s);
	memtest_assert_no_leak(&mt);
}

/* --- four ways of not reaching it --- */

static int try_open(const char *path, struct diag *diag)
{
	struct client *c = NULL;
	struct memtest mt;
	int err;

	memtest_init(&mt);
	*diag = (struct diag){ 0 };
	err = client_open(path, &mt.mem, &c, diag);
	if (!err)
		client_close(c);
	memtest_assert_no_leak(&mt);
	return err;
}

static void test_a_missing_socket_is_told(void **state)
{
	struct diag diag;

	(void)state;
	assert_int_equal(try_open("/tmp/smeg-there-is-none/sock", &diag), ERR_NO_DAEMON);
	assert_non_null(strstr(diag.text, "there is no socket /tmp/smeg-there-is-none/sock"));
	assert_non_null(strstr(diag.hint, "smegd"));
}

static void test_a_stale_socket_is_told(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct server *s = *state;
	struct diag diag;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/stale", s->dir);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	assert_int_equal(try_open(sa.sun_path, &diag), ERR_NO_DAEMON);
	assert_non_null(strstr(diag.text, "nobody listens"));
	assert_non_null(strstr(diag.hint, "smegd"));
	unlink(sa.sun_path);
}

static void test_a_file_is_no_socket(void **state)
{
	struct diag diag;

	(void)state;
	assert_int_equal(try_open("/etc/passwd", &diag), ERR_NO_DAEMON);
	assert_non_null(strstr(diag.text, "is not a socket"));
}

static void test_a_long_path_is_refused(void **state)
{
	struct diag diag;
	char path[300];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[299] = 0;
	assert_int_equal(try_open(path, &diag), ERR_TOO_BIG);
}

/* Only who is not root can be refused. */
static void test_missing_permission_is_told(void **state)
{
	struct server *s = *state;
	struct diag diag;
	uid_t before = geteuid();

	if (before != 0)
		skip();
	assert_int_equal(chmod(s->path, 0600), 0);
	assert_int_equal(chmod(s->dir, 0755), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(try_open(s->path, &diag), ERR_NOT_PERMITTED);
	assert_non_null(strstr(diag.hint, "sudo"));
	assert_int_equal(seteuid(before), 0);
	assert_int_equal(chmod(s->dir, 0700), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(try_open(s->path, &diag), ERR_NOT_PERMITTED);
	assert_int_equal(seteuid(before), 0);
}

static void test_out_of_memory_is_told(void **state)
{
	struct server *s = *state;
	const struct piece script[] = { server_frame(s, 0, &done) };

	for (size_t n = 1;; n++) {
		struct client *c = NULL;
		struct memtest mt;
		struct reply got;
		struct diag diag;
		int err;

		memtest_failing(&mt, n);
		server_start(s, script, 1);
		err = client_open(s->path, &mt.mem, &c, &diag);
		if (err) {
			struct memtest whole;

			/* Let the server go on. */
			memtest_init(&whole);
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(client_open(s->path, &whole.mem, &c, &diag), 0);
			client_close(c);
			c = NULL;
		} else {
			err = client_ask(c, &question, &diag);
			if (!err)
				err = client_next(c, 5000, &got, &diag);
		}
		client_close(c);
		server_join(s);
		memtest_assert_no_leak(&mt);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_progress_and_the_answer_arrive, server_setup,
		                                server_teardown),
		cmocka_unit_test_setup_teardown(test_a_frame_may_come_in_single_bytes, server_setup,
		                                server_teardown),
		cmocka_unit_test_setup_teardown(test_one_may_wait_again_after_a_timeout,
		                                server_setup, server_teardown),
		cmocka_unit_test_setup_teardown(test_time_runs_out, server_setup, server_teardown),
		cmocka_unit_test_setup_teardown(test_a_daemon_that_hangs_up_is_told, server_setup,
		                                server_teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_is_refused, server_setup,
		                                server_teardown),
		cmocka_unit_test_setup_teardown(test_a_request_beyond_its_bounds_is_not_sent,
		                                server_setup, server_teardown),
		cmocka_unit_test(test_a_missing_socket_is_told),
		cmocka_unit_test_setup_teardown(test_a_stale_socket_is_told, server_setup,
		                                server_teardown),
		cmocka_unit_test(test_a_file_is_no_socket),
		cmocka_unit_test(test_a_long_path_is_refused),
		cmocka_unit_test_setup_teardown(test_missing_permission_is_told, server_setup,
		                                server_teardown),
		cmocka_unit_test_setup_teardown(test_out_of_memory_is_told, server_setup,
		                                server_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
