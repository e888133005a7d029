/*
 * Telling the service manager how we are.
 *
 * The socket is connected once, so that a daemon that later loses sight of the path (own mount
 * namespace) still gets through.  Sending never waits: a stuck manager must not stick us too.
 */
#include "smegd/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int address_of(const char *text, struct sockaddr_un *ret, socklen_t *ret_bytes)
{
	size_t n = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || n < 2 || n >= sizeof(ret->sun_path))
		return ERR_MALFORMED;
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	memcpy(ret->sun_path, text, n);
	*ret_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (text[0] == '@')
		ret->sun_path[0] = 0;
	else
		(*ret_bytes)++;
	return 0;
}

static int connect_to(const char *text)
{
	struct sockaddr_un address;
	socklen_t bytes;
	int err = address_of(text, &address, &bytes);
	int fd;

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, bytes)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* 0 for what is no number. */
static int64_t number_of(const char *text)
{
	char *end;
	long long v;

	if (!text || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	v = strtoll(text, &end, 10);
	return errno || *end ? 0 : v;
}

int notify_open(struct notify *n, const char *socket, const char *usec, const char *pid)
{
	int fd;

	*n = (struct notify){ .fd = -1 };
	if (!socket || !socket[0])
		return 0;
	fd = connect_to(socket);
	if (fd < 0)
		return fd;
	n->fd = fd;
	/* WATCHDOG_PID says whose watchdog it is: not ours if we only inherited it. */
	if (usec && (!pid || number_of(pid) == getpid()))
		n->watchdog_ms = number_of(usec) / 2000;
	return 0;
}

void notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

void notify_send(const struct notify *n, const char *format, ...)
{
	char text[512];
	va_list args;
	int bytes;

	if (n->fd < 0)
		return;
	va_start(args, format);
	bytes = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (bytes <= 0)
		return;
	bytes = MIN_OF(bytes, (int)sizeof(text) - 1);
	if (send(n->fd, text, (size_t)bytes, MSG_NOSIGNAL) < 0)
		return; /* lost, as promised */
}
