/*
 * A stranger at a daemon's port, for tests: says something, or nothing, and counts what comes back.
 *
 *	stranger ADDRESS PORT SECONDS [FILE]
 *
 * Sends FILE, its first half and then the rest so that they come in two portions; "-" or none: it
 * stays silent.  Waits until the other side closes or SECONDS are over, and prints one line:
 *
 *	received BYTES closed|open after MILLISECONDS
 *
 * Exit status: 0, 1 when it cannot connect or read the file, 2 for bad usage.
 */
#include "base/addr.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAYS_MAX (1u << 20)
#define PAUSE_US 50000

static uint8_t says[SAYS_MAX];

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * MS_PER_SECOND + t.tv_nsec / 1000000;
}

static int complain(const char *what)
{
	fprintf(stderr, "stranger: %s: %s\n", what, strerror(errno));
	return 1;
}

/* The socket, or -1. */
static int call(const char *address, int port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	const int one = 1;
	int fd;
	int failed;

	if (inet_pton(AF_INET, address, &in.sin_addr) == 1) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		failed = fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof(in));
	} else if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1) {
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		failed = fd < 0 || connect(fd, (struct sockaddr *)&in6, sizeof(in6));
	} else {
		errno = EINVAL;
		return -1;
	}
	if (failed)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* That the other side hangs up while we speak is its right. */
static void say(int fd, size_t bytes)
{
	if (bytes < 2) {
		(void)!send(fd, says, bytes, MSG_NOSIGNAL);
		return;
	}
	if (send(fd, says, bytes / 2, MSG_NOSIGNAL) < 0)
		return;
	usleep(PAUSE_US);
	(void)!send(fd, says + bytes / 2, bytes - bytes / 2, MSG_NOSIGNAL);
}

static void listen_until(int fd, int64_t deadline_ms, int64_t began_ms)
{
	static uint8_t buffer[65536];
	bool is_closed = false;
	size_t count = 0;

	while (!is_closed && now_ms() < deadline_ms) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&p, 1, (int)(deadline_ms - now_ms())) <= 0)
			continue;
		got = recv(fd, buffer, sizeof(buffer), 0);
		is_closed = got <= 0;
		count += got > 0 ? (size_t)got : 0;
	}
	printf("received %zu %s after %lld\n", count, is_closed ? "closed" : "open",
	       (long long)(now_ms() - began_ms));
}

int main(int argc, char **argv)
{
	int64_t began_ms = now_ms();
	size_t bytes = 0;
	int fd;

	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: stranger ADDRESS PORT SECONDS [FILE]\n");
		return 2;
	}
	if (argc == 5 && strcmp(argv[4], "-") != 0) {
		FILE *f = fopen(argv[4], "re");

		if (!f)
			return complain(argv[4]);
		bytes = fread(says, 1, sizeof(says), f);
		fclose(f);
	}
	fd = call(argv[1], atoi(argv[2]));
	if (fd < 0)
		return complain(argv[1]);
	say(fd, bytes);
	listen_until(fd, began_ms + MS_PER_SECOND * atoi(argv[3]), began_ms);
	close(fd);
	return 0;
}
