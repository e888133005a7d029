/*
 * A stream of numbered datagrams, to count what a path loses:
 *
 *	stream receive PORT                      wait for one stream, print what came of it
 *	stream send ADDRESS PORT RATE SECONDS    send one; SIGTERM ends it before its time
 *
 * The receiver prints "listening" when it may be sent to, and at the end one line:
 *
 *	sent 60000 received 60000 lost 0 duplicated 0 reordered 0 longest-gap-ms 12.3
 *
 * The sender keeps its times by a fixed grid, so that a late one does not make all that follow
 * late; but it does not catch up faster than CATCH_UP times the rate, since a burst would measure
 * the queues of the machine and not the path.  It says how many it has sent by datagrams of their
 * own at the end, many of them, so that losing some does not matter.
 *
 * Exit status: 0 however much was lost, 1 when nothing can be said (no stream came, or its end did
 * not), 2 for bad usage.
 */
#include "base/defs.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x736d65672d737472)
#define NUMBER_END UINT64_MAX
#define COUNT_MAX (1u << 24)
#define PAYLOAD_BYTES 64
#define CATCH_UP 4
#define END_TIMES 20
#define END_PAUSE_NS 50000000
#define START_TIMEOUT_MS 120000
#define IDLE_TIMEOUT_MS 20000 /* within a stream */
#define LATE_MS 1000          /* how long after the end stragglers are waited for */
#define BUFFER_BYTES (4 << 20)
#define NS_PER_S INT64_C(1000000000)

/* Both ends are one machine, so there is no byte order to agree on. */
struct datagram {
	uint64_t magic;
	uint64_t number; /* from 0; NUMBER_END: count is how many there were */
	uint64_t count;
	uint8_t padding[PAYLOAD_BYTES - 24];
};

struct tally {
	uint64_t sent;
	uint64_t received;
	uint64_t duplicated;
	uint64_t reordered;
	uint64_t next; /* greatest number so far, and 1 */
	int64_t last_ns;
	int64_t gap_ns;
	bool has_end;
};

static uint8_t seen[COUNT_MAX / 8];
static volatile sig_atomic_t must_end;

static void on_signal(int signo)
{
	(void)signo;
	must_end = 1;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void sleep_until(int64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = ns % NS_PER_S };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/* A socket that is bound or connected to the address. */
static int open_socket(const char *host, const char *port)
{
	struct addrinfo hints = {
		.ai_family = host ? AF_UNSPEC : AF_INET6,
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | (host ? 0 : AI_PASSIVE),
	};
	struct addrinfo *at;
	int rc = getaddrinfo(host, port, &hints, &at);
	int bytes = BUFFER_BYTES;
	int fd;

	if (rc) {
		fprintf(stderr, "stream: %s port %s: %s\n", host ? host : "any", port,
		        gai_strerror(rc));
		exit(2);
	}
	fd = socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	/* A pause of this process must not count as loss.  Without permission: as good as it gets.
	 */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	rc = host ? connect(fd, at->ai_addr, at->ai_addrlen)
	          : bind(fd, at->ai_addr, at->ai_addrlen);
	if (rc)
		die(host ? "connect" : "bind");
	freeaddrinfo(at);
	return fd;
}

/* --- sending -------------------------------------------------------------------------------- */

/* What the host refuses is lost like any other, but an address that fails from the start is said.
 */
static void send_one(int fd, uint64_t number, uint64_t count)
{
	struct datagram d = { .magic = MAGIC, .number = number, .count = count };

	if (send(fd, &d, sizeof(d), 0) < 0 && number == 0)
		die("send");
}

static int send_stream(int fd, uint64_t rate, uint64_t count)
{
	int64_t step = NS_PER_S / (int64_t)rate;
	int64_t begun = now_ns();
	int64_t last = begun;
	uint64_t i;

	for (i = 0; i < count && !must_end; i++) {
		int64_t due = begun + (int64_t)i * step;

		sleep_until(MAX_OF(due, last + step / CATCH_UP));
		last = now_ns();
		send_one(fd, i, 0);
	}
	printf("sent %" PRIu64 " in %.1f s\n", i, (double)(now_ns() - begun) / NS_PER_S);
	for (int end = 0; end < END_TIMES; end++) {
		send_one(fd, NUMBER_END, i);
		sleep_until(now_ns() + END_PAUSE_NS);
	}
	return fflush(stdout) != 0;
}

/* --- receiving ------------------------------------------------------------------------------ */

static void count_one(struct tally *t, const struct datagram *d)
{
	int64_t now = now_ns();

	if (d->number == NUMBER_END) {
		t->sent = d->count;
		t->has_end = true;
		return;
	}
	if (d->number >= COUNT_MAX)
		return;
	if (t->last_ns)
		t->gap_ns = MAX_OF(t->gap_ns, now - t->last_ns);
	t->last_ns = now;
	if (seen[d->number / 8] & 1 << d->number % 8) {
		t->duplicated++;
		return;
	}
	seen[d->number / 8] |= (uint8_t)(1 << d->number % 8);
	t->received++;
	if (d->number < t->next)
		t->reordered++;
	else
		t->next = d->number + 1;
}

static int time_left(const struct tally *t, int64_t end_ns)
{
	if (end_ns)
		return (int)MAX_OF((end_ns - now_ns()) / 1000000, 0);
	return t->last_ns ? IDLE_TIMEOUT_MS : START_TIMEOUT_MS;
}

static int receive_stream(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct tally t = { .sent = 0 };
	int64_t end_ns = 0;
	struct datagram d;

	printf("listening\n");
	fflush(stdout);
	while (poll(&p, 1, time_left(&t, end_ns)) > 0) {
		if (recv(fd, &d, sizeof(d), 0) == sizeof(d) && d.magic == MAGIC)
			count_one(&t, &d);
		if (t.has_end && !end_ns)
			end_ns = now_ns() + LATE_MS * INT64_C(1000000);
		if (end_ns && now_ns() >= end_ns)
			break;
	}
	if (!t.has_end) {
		fprintf(stderr, "stream: %" PRIu64 " received, and no end\n", t.received);
		return 1;
	}
	printf("sent %" PRIu64 " received %" PRIu64 " lost %" PRIu64 " duplicated %" PRIu64
	       " reordered %" PRIu64 " longest-gap-ms %.1f\n",
	       t.sent, t.received, t.sent - t.received, t.duplicated, t.reordered,
	       (double)t.gap_ns / 1e6);
	return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "receive") == 0)
		return receive_stream(open_socket(NULL, argv[2]));
	if (argc == 6 && strcmp(argv[1], "send") == 0) {
		uint64_t rate = strtoul(argv[4], NULL, 10);
		uint64_t count = rate * strtoul(argv[5], NULL, 10);

		signal(SIGTERM, on_signal);
		if (rate > 0 && rate <= 1000000 && count > 0 && count <= COUNT_MAX)
			return send_stream(open_socket(argv[2], argv[3]), rate, count);
	}
	fprintf(stderr, "usage: stream receive PORT | stream send ADDRESS PORT RATE SECONDS\n");
	return 2;
}
