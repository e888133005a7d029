/*
 * The socket of a userspace WireGuard: one connection for each request, one limit of time for all.
 *
 * A connection carries one request only: wireguard-go reads ahead while it carries out a `set`, and
 * drops what it has read of the next; and after an error it takes the rest of the request for
 * another.  The end of a reply is its empty line, since wireguard-go keeps the connection open.
 *
 * We are in the daemon's main loop, so a wireguard-go that hangs must not hang us: the deadline is
 * for the whole exchange, not for each byte.
 */
#include "smegd/kern/uapi_priv.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES 65536
#define STEP_MS 5 /* between two looks */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A connection, or an error. */
static int uapi_connect(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;
	int err;

	assert(strlen(path) < sizeof(at.sun_path));
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	/* A full queue: it lives, but does not take connections. */
	err = errno == EAGAIN ? -ETIMEDOUT : -errno;
	close(fd);
	return err;
}

static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = deadline - now_ms();
	int ready = left > 0 ? poll(&p, 1, (int)left) : 0;

	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	return ready == 0 ? -ETIMEDOUT : 0;
}

static int send_all(int fd, const struct secret *request, int64_t deadline)
{
	size_t done = 0;
	ssize_t sent;
	int err = 0;

	while (done < request->count && !err) {
		sent = send(fd, request->at + done, request->count - done, MSG_NOSIGNAL);
		if (sent >= 0)
			done += (size_t)sent;
		else if (errno == EAGAIN)
			err = wait_for(fd, POLLOUT, deadline);
		else if (errno != EINTR)
			err = -errno;
	}
	return err;
}

static bool reply_is_whole(const struct secret *reply)
{
	return reply->count >= 2 && memcmp(reply->at + reply->count - 2, "\n\n", 2) == 0;
}

static int receive_all(int fd, struct secret *reply, int64_t deadline)
{
	ssize_t got;
	int err = 0;

	while (!err && !reply_is_whole(reply)) {
		if (reply->count > UAPI_REPLY_BYTES_MAX)
			return ERR_TOO_BIG;
		if (!secret_room(reply, READ_BYTES))
			return -ENOMEM;
		got = recv(fd, reply->at + reply->count, READ_BYTES, 0);
		if (got > 0)
			reply->count += (size_t)got;
		else if (got == 0)
			err = ERR_TRUNCATED;
		else if (errno == EAGAIN)
			err = wait_for(fd, POLLIN, deadline);
		else if (errno != EINTR)
			err = -errno;
	}
	return err;
}

int uapi_ask(const char *path, const struct secret *request, struct secret *reply)
{
	int64_t deadline = now_ms() + UAPI_TIMEOUT_MS;
	int fd;
	int err;

	if (request->err)
		return request->err;
	fd = uapi_connect(path);
	if (fd < 0)
		return fd;
	err = send_all(fd, request, deadline);
	if (!err)
		err = receive_all(fd, reply, deadline);
	close(fd);
	return err;
}

bool uapi_is_alive(const char *path)
{
	int fd = uapi_connect(path);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || fd == -ETIMEDOUT;
}

/* Is process `pid` running that program?  Names of processes are cut to 15 bytes. */
static bool process_is(pid_t pid, const char *program)
{
	const char *slash = strrchr(program, '/');
	char path[64];
	char want[32];
	char comm[32] = "";
	FILE *f;
	bool is;

	snprintf(want, sizeof(want), "%.15s\n", slash ? slash + 1 : program);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	is = fgets(comm, sizeof(comm), f) && strcmp(comm, want) == 0;
	fclose(f);
	return is;
}

bool uapi_signal(const char *path, const char *program)
{
	struct ucred cred = { .pid = 0 };
	socklen_t bytes = sizeof(cred);
	int fd = uapi_connect(path);
	bool is_asked;

	if (fd < 0)
		return false;
	/*
	 * Who listens.  A wireguard-go that has put itself into the background was started by
	 * another process, which did the listening and is gone; then the name does not match.
	 */
	is_asked = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &bytes) == 0 && cred.pid > 1 &&
	           process_is(cred.pid, program) && kill(cred.pid, SIGTERM) == 0;
	close(fd);
	return is_asked;
}

int uapi_wait_gone(const char *path)
{
	int64_t deadline = now_ms() + UAPI_TIMEOUT_MS;

	while (uapi_is_alive(path)) {
		if (now_ms() >= deadline)
			return -ETIMEDOUT;
		poll(NULL, 0, STEP_MS);
	}
	return 0;
}
