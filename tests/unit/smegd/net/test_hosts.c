/*
 * Listening on hosts of all kinds: with IPv4 only, with IPv6 only, with sockets that take one
 * family each.  Every case is a process in a network namespace of its own, so this needs root.
 */
#include "tests/unit/smegd/net/side.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT 77

/* As the kernel's linux/ipv6.h has it, which does not go with netinet/in.h. */
struct v6_request {
	struct in6_addr addr;
	uint32_t bits;
	int index;
};

struct host {
	bool has_v4; /* an address that is not loopback's */
	bool has_v6;
	bool v6_is_off;
	bool v6only;   /* net.ipv6.bindv6only */
	bool v4_taken; /* another program has the port on 0.0.0.0 */
	int err;
	bool hears_v4;
	bool hears_v6;
};

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f))
		_exit(CANNOT);
}

static void add_v4(int fd)
{
	struct ifreq request = { .ifr_name = "lo:1" };
	struct sockaddr_in sin = { .sin_family = AF_INET };

	inet_pton(AF_INET, "10.9.9.9", &sin.sin_addr);
	memcpy(&request.ifr_addr, &sin, sizeof(sin));
	if (ioctl(fd, SIOCSIFADDR, &request) < 0)
		_exit(CANNOT);
}

static void add_v6(void)
{
	struct v6_request request = { .bits = 128, .index = (int)if_nametoindex("lo") };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET6, "fd99::9", &request.addr);
	if (fd < 0 || ioctl(fd, SIOCSIFADDR, &request) < 0)
		_exit(CANNOT);
	close(fd);
}

static void become(const struct host *h)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK };
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		_exit(CANNOT);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		_exit(CANNOT);
	if (h->has_v4)
		add_v4(fd);
	if (h->has_v6)
		add_v6();
	if (h->v6_is_off)
		put("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	if (h->v6only)
		put("/proc/sys/net/ipv6/bindv6only", "1");
	close(fd);
}

static int take_v4(uint16_t port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 1) < 0)
		_exit(CANNOT);
	return fd;
}

static void hear(struct side *s, int family, uint16_t port)
{
	int fd = raw_connect(family, port);
	uint64_t link = side_expect(s, NET_ACCEPTED, 0).link;

	net_drop(s->net, link);
	close(fd);
}

static void in_namespace(const struct host *h)
{
	const uint16_t port = 23456;
	struct diag diag = { 0 };
	struct side s;
	int taken = -1;
	int err;

	become(h);
	side_open(&s, 0);
	if (h->v4_taken)
		taken = take_v4(port);
	err = net_listen(s.net, NULL, port, NULL, &diag);
	if (err != h->err)
		fail_msg("%d: %s", err, diag.text);
	if (err) {
		/* What was opened before the failure is closed. */
		assert_int_equal(close(taken), 0);
		assert_int_equal(net_listen(s.net, NULL, port, NULL, NULL), 0);
	}
	if (h->hears_v4)
		hear(&s, AF_INET, port);
	if (h->hears_v6)
		hear(&s, AF_INET6, port);
	side_close(&s);
}

/* cmocka's assertions jump in the process that failed, so the child is one test of its own. */
static const struct host *chosen;

static void test_child(void **state)
{
	(void)state;
	in_namespace(chosen);
}

static void run_child(const struct host *h, int report)
{
	const struct CMUnitTest child[] = { cmocka_unit_test(test_child) };

	chosen = h;
	dup2(report, STDOUT_FILENO);
	dup2(report, STDERR_FILENO);
	_exit(cmocka_run_group_tests(child, NULL, NULL));
}

/* Indented, so that it is not taken for a report of this program. */
static void show(FILE *report)
{
	char line[512];

	rewind(report);
	while (fgets(line, sizeof(line), report))
		print_error("    %s", line);
}

static void listen_on(const struct host *h)
{
	FILE *report = tmpfile();
	int status;
	pid_t pid;

	assert_non_null(report);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_child(h, fileno(report));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		show(report);
	fclose(report);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
		print_message("skipped: the resolver files cannot be replaced here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void test_host_with_both_families(void **state)
{
	(void)state;
	listen_on(&(struct host){
		.has_v4 = true, .has_v6 = true, .hears_v4 = true, .hears_v6 = true });
}

static void test_host_with_loopback_only(void **state)
{
	(void)state;
	listen_on(&(struct host){ .hears_v4 = true, .hears_v6 = true });
}

static void test_host_with_ipv4_only(void **state)
{
	(void)state;
	listen_on(&(struct host){ .has_v4 = true, .hears_v4 = true });
}

static void test_host_with_ipv6_off(void **state)
{
	(void)state;
	listen_on(&(struct host){ .has_v4 = true, .v6_is_off = true, .hears_v4 = true });
}

static void test_host_with_ipv6_only(void **state)
{
	(void)state;
	listen_on(&(struct host){ .has_v6 = true, .hears_v6 = true });
}

/* Two sockets; both are heard. */
static void test_host_with_a_socket_for_each_family(void **state)
{
	(void)state;
	listen_on(&(struct host){ .has_v4 = true,
	                          .has_v6 = true,
	                          .v6only = true,
	                          .hears_v4 = true,
	                          .hears_v6 = true });
}

/* Half of the port is not enough. */
static void test_port_taken_on_ipv4(void **state)
{
	(void)state;
	for (int v6only = 0; v6only < 2; v6only++)
		listen_on(&(struct host){ .has_v4 = true,
		                          .has_v6 = true,
		                          .v6only = v6only,
		                          .v4_taken = true,
		                          .err = ERR_PORT_IN_USE,
		                          .hears_v4 = true,
		                          .hears_v6 = true });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_with_both_families),
		cmocka_unit_test(test_host_with_loopback_only),
		cmocka_unit_test(test_host_with_ipv4_only),
		cmocka_unit_test(test_host_with_ipv6_off),
		cmocka_unit_test(test_host_with_ipv6_only),
		cmocka_unit_test(test_host_with_a_socket_for_each_family),
		cmocka_unit_test(test_port_taken_on_ipv4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
