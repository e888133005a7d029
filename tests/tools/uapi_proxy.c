/*
 * Stands between a program and a userspace WireGuard, and writes down what is asked:
 *
 *	uapi_proxy LISTEN REAL LOG
 *
 * LISTEN is the socket to make, REAL that of WireGuard.  LOG gets a line for each request: "get",
 * or "set" and all its lines, separated by blanks; the value of a private key is left out.  A
 * request is written down before WireGuard gets it, so whoever sees its effect finds it in LOG.
 *
 * One connection at a time: requests are short, and so the log has one order.  It ends by signal.
 */
#include "base/defs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX (4u << 20)
#define CHUNK_BYTES 65536
#define SECRET "private_key="

struct request {
	char at[REQUEST_BYTES_MAX];
	size_t count;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "uapi_proxy: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_un place(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(at.sun_path)) {
		errno = ENAMETOOLONG;
		die(path);
	}
	strcpy(at.sun_path, path);
	return at;
}

static int socket_make(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static bool write_all(int fd, const char *at, size_t count)
{
	while (count > 0) {
		ssize_t some = send(fd, at, count, MSG_NOSIGNAL);

		if (some < 0 && errno != EINTR)
			return false;
		if (some > 0) {
			at += some;
			count -= (size_t)some;
		}
	}
	return true;
}

/* One line: the request's, joined. */
static void log_request(FILE *log, char *text, size_t count)
{
	const char *line;
	char *rest = text;

	text[count - 1] = 0; /* in place of the last newline */
	while ((line = strsep(&rest, "\n"))) {
		if (strcmp(line, "set=1") == 0)
			fputs("set", log);
		else if (strcmp(line, "get=1") == 0)
			fputs("get", log);
		else if (strncmp(line, SECRET, strlen(SECRET)) == 0)
			fputs(" " SECRET "...", log);
		else if (*line)
			fprintf(log, " %s", line);
	}
	fputc('\n', log);
	if (fflush(log) != 0)
		die("log");
}

/* Write down every whole request in the buffer, and forget it. */
static void log_requests(FILE *log, struct request *r)
{
	char *end;

	while ((end = memmem(r->at, r->count, "\n\n", 2))) {
		size_t bytes = (size_t)(end - r->at) + 2;

		log_request(log, r->at, bytes);
		memmove(r->at, r->at + bytes, r->count - bytes);
		r->count -= bytes;
	}
}

/* Pass on what is there to read.  False at the end of either. */
static bool pass(int from, int to, FILE *log, struct request *r)
{
	char chunk[CHUNK_BYTES];
	ssize_t some = recv(from, chunk, sizeof(chunk), 0);

	if (some <= 0)
		return some < 0 && errno == EINTR;
	if (log) {
		if (r->count + (size_t)some > sizeof(r->at)) {
			errno = EMSGSIZE;
			die("request");
		}
		memcpy(r->at + r->count, chunk, (size_t)some);
		r->count += (size_t)some;
		log_requests(log, r);
	}
	return write_all(to, chunk, (size_t)some);
}

static void serve(int client, const char *real, FILE *log, struct request *r)
{
	const struct sockaddr_un at = place(real);
	int server = socket_make();
	bool goes_on = connect(server, (const struct sockaddr *)&at, sizeof(at)) == 0;
	struct pollfd p[] = { { .fd = client, .events = POLLIN },
		              { .fd = server, .events = POLLIN } };

	r->count = 0;
	while (goes_on && poll(p, ARRAY_LEN(p), -1) > 0) {
		if (p[0].revents)
			goes_on = pass(client, server, log, r);
		if (goes_on && p[1].revents)
			goes_on = pass(server, client, NULL, NULL);
	}
	close(server);
	close(client);
}

int main(int argc, char **argv)
{
	static struct request request;
	int fd = socket_make();
	struct sockaddr_un at;
	FILE *log;

	if (argc != 4) {
		fprintf(stderr, "usage: uapi_proxy LISTEN REAL LOG\n");
		return 2;
	}
	log = fopen(argv[3], "ae");
	if (!log)
		die(argv[3]);
	at = place(argv[1]);
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) || listen(fd, 16))
		die(argv[1]);
	for (;;) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (client >= 0)
			serve(client, argv[2], log, &request);
		else if (errno != EINTR)
			die("accept");
	}
}
