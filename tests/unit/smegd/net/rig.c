/* See rig.h. */
#include "tests/unit/smegd/net/rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/*
 * The thread sanitizer calls this before main(); TSAN_OPTIONS comes after it.  Tests run in the
 * root of the tree.
 */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "suppressions=tests/tsan.supp";
}

void rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	memtest_init(&r->mem);
	r->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(r->event_fd >= 0);
	r->loop = pthread_self();
}

void rig_fini(struct rig *r)
{
	memtest_assert_no_leak(&r->mem);
	close(r->event_fd);
}

void rig_wake(void *rig)
{
	struct rig *r = rig;
	uint64_t one = 1;

	atomic_fetch_add(&r->wakes, 1);
	if (pthread_equal(r->loop, pthread_self()))
		atomic_fetch_add(&r->wakes_of_loop, 1);
	else
		atomic_fetch_add(&r->wakes_of_others, 1);
	if (write(r->event_fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

int64_t rig_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool rig_wait(struct rig *r, int64_t until_ms)
{
	struct pollfd p = { .fd = r->event_fd, .events = POLLIN };
	int64_t left_ms = until_ms - rig_now();
	uint64_t count;

	if (left_ms < 0 || poll(&p, 1, (int)left_ms) <= 0)
		return false;
	return read(r->event_fd, &count, sizeof(count)) == sizeof(count);
}

static socklen_t loopback(int family, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in6.sin6_addr.s6_addr[15] = 1;
	memset(ret, 0, sizeof(*ret));
	if (family == AF_INET)
		memcpy(ret, &in, sizeof(in));
	else
		memcpy(ret, &in6, sizeof(in6));
	return family == AF_INET ? sizeof(in) : sizeof(in6);
}

static int try_bind(int family, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t bytes = loopback(family, port, &sa);
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&sa, bytes) < 0 || listen(fd, 1) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool rig_has_ipv6(void)
{
	int fd = try_bind(AF_INET6, 0);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

uint16_t rig_free_port(void)
{
	static unsigned step;
	bool has_ipv6 = rig_has_ipv6();

	/* Spread over processes, so that tests that run at once rarely meet. */
	for (int tries = 0; tries < 2000; tries++) {
		unsigned mix = ((unsigned)getpid() * 2654435761u + ++step * 40503u) >> 7;
		uint16_t port = (uint16_t)(10000 + mix % 22000);
		int v4 = try_bind(AF_INET, port);
		int v6 = has_ipv6 ? try_bind(AF_INET6, port) : -1;
		bool is_free = v4 >= 0 && (v6 >= 0 || !has_ipv6);

		if (v4 >= 0)
			close(v4);
		if (v6 >= 0)
			close(v6);
		if (is_free)
			return port;
	}
	fail_msg("no free port");
	return 0;
}

int raw_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

void raw_connect_to(int fd, int family, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t bytes = loopback(family, port, &sa);

	if (connect(fd, (const struct sockaddr *)&sa, bytes) < 0)
		assert_int_equal(errno, EINPROGRESS);
}

int raw_connect(int family, uint16_t port)
{
	int fd = raw_socket(family);

	raw_connect_to(fd, family, port);
	return fd;
}

int raw_listen(int family, uint16_t port, int backlog, uint16_t *ret_port)
{
	uint16_t bound = port ? port : rig_free_port();
	int fd = try_bind(family, bound);

	assert_true(fd >= 0);
	assert_int_equal(listen(fd, backlog), 0);
	*ret_port = bound;
	return fd;
}

void raw_wait(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	assert_int_equal(poll(&p, 1, RIG_PATIENCE_MS), 1);
}

int raw_accept(int listener)
{
	int fd;

	raw_wait(listener, POLLIN);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

size_t raw_send_some(int fd, const void *at, size_t count)
{
	ssize_t sent = send(fd, at, count, MSG_NOSIGNAL);

	if (sent < 0)
		assert_true(errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
	return sent < 0 ? 0 : (size_t)sent;
}

void raw_send(int fd, const void *at, size_t count)
{
	for (size_t sent = 0; sent < count;) {
		ssize_t now = send(fd, (const char *)at + sent, count - sent, MSG_NOSIGNAL);

		if (now > 0)
			sent += (size_t)now;
		else if (errno == EAGAIN)
			raw_wait(fd, POLLOUT);
		else
			fail_msg("send: %s", strerror(errno));
	}
}

ssize_t raw_recv_some(int fd, void *at, size_t count)
{
	ssize_t got = recv(fd, at, count, 0);

	if (got >= 0)
		return got;
	if (errno == EAGAIN)
		return -1;
	assert_int_equal(errno, ECONNRESET);
	return 0;
}

void raw_recv(int fd, void *at, size_t count)
{
	for (size_t got = 0; got < count;) {
		ssize_t now = raw_recv_some(fd, (char *)at + got, count - got);

		if (now < 0)
			raw_wait(fd, POLLIN);
		assert_true(now != 0);
		if (now > 0)
			got += (size_t)now;
	}
}

void raw_recv_end(int fd)
{
	char byte;

	raw_wait(fd, POLLIN);
	assert_int_equal(raw_recv_some(fd, &byte, 1), 0);
}

void raw_reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static uint8_t pattern(size_t offset, unsigned salt)
{
	return (uint8_t)((offset * 167 + (offset >> 8) * 13 + salt * 59) >> 1);
}

void pattern_fill(uint8_t *at, size_t count, size_t offset, unsigned salt)
{
	for (size_t i = 0; i < count; i++)
		at[i] = pattern(offset + i, salt);
}

void pattern_assert(const uint8_t *at, size_t count, size_t offset, unsigned salt)
{
	for (size_t i = 0; i < count; i++)
		if (at[i] != pattern(offset + i, salt))
			fail_msg("byte %zu differs", offset + i);
}

size_t rig_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 3; /* ".", ".." and the directory itself */
}
