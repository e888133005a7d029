/*
 * The socket of a userspace WireGuard that is hostile, slow, or not there: an answer or an error,
 * and never later than the limit.
 */
#include "smegd/kern/uapi_priv.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/smeg-uapi.XXXXXX";
static char path[UAPI_PATH_BYTES];

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int listen_here(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	strcpy(at.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* A server: takes one connection, reads a request, says `say`, then does `after`. */
enum after {
	CLOSES,
	STAYS,
	DRIPS
};

static _Noreturn void serve(int listener, const char *say, enum after after)
{
	char in[64];
	int fd = accept(listener, NULL, NULL);

	if (fd < 0 || read(fd, in, sizeof(in)) < 0)
		_exit(1);
	if (write(fd, say, strlen(say)) < 0)
		_exit(1);
	while (after == DRIPS) {
		usleep(20000);
		if (write(fd, "a", 1) < 0)
			_exit(0);
	}
	if (after == STAYS)
		pause();
	_exit(0);
}

/* Ask a server that behaves so; its process is ended after. */
static int ask(const char *say, enum after after, struct secret *reply)
{
	struct secret request = { .at = NULL };
	int listener = listen_here();
	pid_t child = fork();
	int err;

	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGPIPE, SIG_IGN);
		serve(listener, say, after);
	}
	close(listener);
	secret_add(&request, "get=1\n\n");
	err = uapi_ask(path, &request, reply);
	secret_fini(&request);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return err;
}

static void test_a_reply_ends_with_its_empty_line(void **state)
{
	struct secret reply = { .at = NULL };

	(void)state;
	assert_int_equal(ask("a=1\nerrno=0\n\n", STAYS, &reply), 0);
	assert_int_equal(reply.count, 13);
	assert_memory_equal(reply.at, "a=1\nerrno=0\n\n", 13);
	secret_fini(&reply);
}

static void test_a_reply_that_is_cut_off_is_an_error(void **state)
{
	static const char *const texts[] = { "", "a", "errno=0\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct secret reply = { .at = NULL };

		assert_int_equal(ask(texts[i], CLOSES, &reply), ERR_TRUNCATED);
		secret_fini(&reply);
	}
}

static void test_silence_and_dripping_end_in_time(void **state)
{
	static const enum after ways[] = { STAYS, DRIPS };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct secret reply = { .at = NULL };
		int64_t start = now_ms();

		assert_int_equal(ask("errno=0\n", ways[i], &reply), -ETIMEDOUT);
		assert_in_range(now_ms() - start, UAPI_TIMEOUT_MS - 100, UAPI_TIMEOUT_MS + 1500);
		secret_fini(&reply);
	}
}

static void test_nobody_is_told_from_nothing(void **state)
{
	struct secret request = { .at = NULL };
	struct secret reply = { .at = NULL };
	int listener = listen_here();

	(void)state;
	secret_add(&request, "get=1\n\n");
	/* This process listens, and it is no wireguard-go. */
	assert_false(uapi_signal(path, "/usr/bin/wireguard-go"));
	assert_true(uapi_is_alive(path));
	assert_int_equal(uapi_wait_gone(path), -ETIMEDOUT);
	close(listener);
	assert_int_equal(uapi_ask(path, &request, &reply), -ECONNREFUSED);
	assert_false(uapi_is_alive(path));
	assert_int_equal(uapi_wait_gone(path), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(uapi_ask(path, &request, &reply), -ENOENT);
	assert_false(uapi_is_alive(path));
	secret_fini(&request);
	secret_fini(&reply);
}

static void test_programs_are_found_by_path(void **state)
{
	char out[128];
	char small[4];

	(void)state;
	setenv("PATH", "/nonexistent::/bin", 1);
	assert_int_equal(program_find("sh", out, sizeof(out)), 0);
	assert_string_equal(out, "/bin/sh");
	assert_int_equal(program_find("/bin/sh", out, sizeof(out)), 0);
	assert_string_equal(out, "/bin/sh");
	assert_int_equal(program_find("sh", small, sizeof(small)), -ENOENT);
	assert_int_equal(program_find("/bin/sh", small, sizeof(small)), -ENOENT);
	assert_int_equal(program_find("no-such-program", out, sizeof(out)), -ENOENT);
	assert_int_equal(program_find("/no/such/program", out, sizeof(out)), -ENOENT);
}

static void test_a_program_that_cannot_start_is_said(void **state)
{
	(void)state;
	assert_int_equal(uapi_start("/no/such/program", "smegx", path), -ENOENT);
	assert_int_equal(uapi_start("/tmp", "smegx", path), -EACCES);
	assert_int_equal(uapi_start("/bin/false", "smegx", path), -ECHILD);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/smegx.sock", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_reply_ends_with_its_empty_line),
		cmocka_unit_test(test_a_reply_that_is_cut_off_is_an_error),
		cmocka_unit_test(test_silence_and_dripping_end_in_time),
		cmocka_unit_test(test_nobody_is_told_from_nothing),
		cmocka_unit_test(test_programs_are_found_by_path),
		cmocka_unit_test(test_a_program_that_cannot_start_is_said),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
