/*
 * Telling the service manager: paths, abstract names, and whose watchdog it is.
 */
#include "smegd/notify.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A manager that listens at `name`, "@" standing for a zero byte. */
static int manager(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, name, n);
	if (name[0] == '@')
		address.sun_path[0] = 0;
	else
		n++;
	n += offsetof(struct sockaddr_un, sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, (socklen_t)n), 0);
	return fd;
}

static void check(const char *name)
{
	struct notify n;
	char got[64];
	int fd = manager(name);
	ssize_t bytes;

	assert_int_equal(notify_open(&n, name, NULL, NULL), 0);
	assert_int_equal(n.watchdog_ms, 0);
	notify_send(&n, "STATUS=%d meshes", 3);
	notify_close(&n);
	bytes = read(fd, got, sizeof(got));
	assert_int_equal(bytes, strlen("STATUS=3 meshes"));
	assert_memory_equal(got, "STATUS=3 meshes", (size_t)bytes);
	close(fd);
}

static void test_a_path_gets_the_words(void **state)
{
	char dir[] = "/tmp/smeg-notify-XXXXXX";
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	check(path);
	unlink(path);
	rmdir(dir);
}

static void test_an_abstract_name_gets_the_words(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "@smeg-notify-%d", getpid());
	check(name);
}

static void test_without_a_manager_nothing_happens(void **state)
{
	struct notify n;

	(void)state;
	assert_int_equal(notify_open(&n, NULL, "1000000", NULL), 0);
	assert_int_equal(n.watchdog_ms, 0);
	notify_send(&n, "READY=1");
	notify_close(&n);
	assert_int_equal(notify_open(&n, "", NULL, NULL), 0);
	notify_close(&n);
}

static void test_a_bad_address_is_refused(void **state)
{
	static const char *const bad[] = { "relative", "/", "@", "vsock:2:1" };
	char longest[200];
	struct notify n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(notify_open(&n, bad[i], NULL, NULL), ERR_MALFORMED);
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[108] = 0;
	assert_int_equal(notify_open(&n, longest, NULL, NULL), ERR_MALFORMED);
	assert_true(notify_open(&n, "/nonexistent/socket", NULL, NULL) < 0);
	notify_send(&n, "READY=1"); /* and it is lost */
	notify_close(&n);
}

static void test_the_watchdog_is_told_at_half_its_time(void **state)
{
	char own[16];
	char name[64];
	struct notify n;
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@smeg-watchdog-%d", getpid());
	snprintf(own, sizeof(own), "%d", getpid());
	fd = manager(name);
	assert_int_equal(notify_open(&n, name, "60000000", own), 0);
	assert_int_equal(n.watchdog_ms, 30000);
	notify_close(&n);
	assert_int_equal(notify_open(&n, name, "60000000", NULL), 0);
	assert_int_equal(n.watchdog_ms, 30000);
	notify_close(&n);
	/* Somebody else's, inherited. */
	assert_int_equal(notify_open(&n, name, "60000000", "1"), 0);
	assert_int_equal(n.watchdog_ms, 0);
	notify_close(&n);
	assert_int_equal(notify_open(&n, name, "60x", own), 0);
	assert_int_equal(n.watchdog_ms, 0);
	notify_close(&n);
	close(fd);
}

static void test_a_full_manager_does_not_stick_us(void **state)
{
	char name[64];
	struct notify n;
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@smeg-full-%d", getpid());
	fd = manager(name);
	assert_int_equal(notify_open(&n, name, NULL, NULL), 0);
	for (int i = 0; i < 100000; i++)
		notify_send(&n, "WATCHDOG=1");
	notify_close(&n);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_path_gets_the_words),
		cmocka_unit_test(test_an_abstract_name_gets_the_words),
		cmocka_unit_test(test_without_a_manager_nothing_happens),
		cmocka_unit_test(test_a_bad_address_is_refused),
		cmocka_unit_test(test_the_watchdog_is_told_at_half_its_time),
		cmocka_unit_test(test_a_full_manager_does_not_stick_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
