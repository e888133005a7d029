/*
 * Links that are up: listening, bytes in and out, lanes, limits, going.  Real sockets on loopback.
 */
#include "tests/unit/smegd/net/side.h"

#include "base/limits.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHUNK 60000u

static uint16_t local_port(int fd)
{
	struct sockaddr_in6 sa;
	socklen_t bytes = sizeof(sa);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &bytes), 0);
	return ntohs(sa.sin6_port); /* where sin_port is, too */
}

/* --- listening --- */

/* All addresses means IPv4 and IPv6, and an IPv4 caller is seen as such. */
static void test_listens_on_all_addresses(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const char *const texts[] = { "127.0.0.1", "::1" };
	struct side s;

	(void)state;
	side_open(&s, 0);
	uint16_t port = side_listen(&s, 0);

	for (size_t i = 0; i < (rig_has_ipv6() ? 2 : 1); i++) {
		char text[ADDR_TEXT_BYTES];
		int fd = raw_connect(families[i], port);
		struct net_news news = side_expect(&s, NET_ACCEPTED, 0);

		addr_text(&news.remote.addr, text);
		assert_string_equal(text, texts[i]);
		assert_int_equal(news.remote.port, local_port(fd));
		assert_int_equal(news.remote.zone, 0);
		close(fd);
		assert_int_equal(side_expect(&s, NET_DOWN, news.link).err, 0);
	}
	side_close(&s);
}

/* One address means that and no other. */
static void test_listens_on_one_address(void **state)
{
	struct side s;

	(void)state;
	if (!rig_has_ipv6()) {
		print_message("skipped: no IPv6 here\n");
		skip();
	}
	side_open(&s, 0);
	uint16_t port = side_listen(&s, AF_INET6);
	int v4 = raw_connect(AF_INET, port);
	int v6 = raw_connect(AF_INET6, port);
	struct pollfd p = { .fd = v4, .events = POLLOUT };

	side_expect(&s, NET_ACCEPTED, 0);
	assert_int_equal(poll(&p, 1, RIG_PATIENCE_MS), 1);
	assert_true(p.revents & POLLERR);
	close(v4);
	close(v6);
	side_close(&s);
}

static void expect_in_use(struct side *s, uint16_t port)
{
	struct diag diag = { 0 };
	char number[16];
	uint16_t bound = 0;

	snprintf(number, sizeof(number), "%u", (unsigned)port);
	assert_int_equal(net_listen(s->net, NULL, port, &bound, &diag), ERR_PORT_IN_USE);
	assert_int_equal(bound, 0);
	assert_non_null(strstr(diag.text, number));
	assert_non_null(strstr(diag.hint, "`port`"));
	assert_non_null(strstr(diag.hint, "ss -ltnp"));
	assert_int_equal(net_listen(s->net, NULL, port, NULL, NULL), ERR_PORT_IN_USE);
}

/* A port that somebody has on either family is in use, and the words say which and what helps. */
static void test_port_in_use_is_said(void **state)
{
	struct side s;
	uint16_t port;

	(void)state;
	side_open(&s, 0);
	expect_in_use(&s, side_listen(&s, 0));

	int v4 = raw_listen(AF_INET, 0, 1, &port);
	expect_in_use(&s, port);
	close(v4);
	if (rig_has_ipv6()) {
		int v6 = raw_listen(AF_INET6, 0, 1, &port);

		expect_in_use(&s, port);
		close(v6);
	}
	/* A refused listen leaves nothing behind. */
	assert_int_equal(net_listen(s.net, NULL, port, NULL, NULL), 0);
	side_close(&s);
}

static void test_foreign_address_is_said(void **state)
{
	struct side s;
	struct addr at;
	struct diag diag = { 0 };

	(void)state;
	side_open(&s, 0);
	addr_from_v4(&at, (const uint8_t[4]){ 203, 0, 113, 77 });
	assert_int_equal(net_listen(s.net, &at, 4000, NULL, &diag), -EADDRNOTAVAIL);
	assert_non_null(strstr(diag.text, "203.0.113.77"));
	side_close(&s);
}

/* --- bytes --- */

/* Two nets, a link, bytes both ways, both sides told of its beginning and end. */
static void test_link_carries_bytes_both_ways(void **state)
{
	struct side a;
	struct side b;

	(void)state;
	side_open(&a, 0);
	side_open(&b, 0);
	size_t idle = a.rig.mem.live;
	uint16_t port = side_listen(&b, AF_INET);
	uint64_t at_a = side_dial(&a, "127.0.0.1", port);
	struct net_news up = side_expect(&a, NET_CONNECTED, at_a);
	uint64_t at_b = side_expect(&b, NET_ACCEPTED, 0).link;

	assert_int_equal(up.remote.port, port);
	assert_true(addr_is_loopback(&up.remote.addr));
	side_send(&a, at_a, LANE_CONTROL, "ping", 4);
	struct net_news news = side_expect(&b, NET_BYTES, at_b);
	assert_int_equal(news.data.count, 4);
	assert_memory_equal(news.data.at, "ping", 4);
	side_send(&b, at_b, LANE_BULK, "pong!", 5);
	news = side_expect(&a, NET_BYTES, at_a);
	assert_int_equal(news.data.count, 5);
	assert_memory_equal(news.data.at, "pong!", 5);

	net_drop(a.net, at_a);
	side_settle(&a, idle);
	assert_int_equal(side_expect(&b, NET_DOWN, at_b).err, 0);
	/* Gone on both sides: ignored. */
	side_send(&a, at_a, LANE_CONTROL, "x", 1);
	side_send(&b, at_b, LANE_CONTROL, "x", 1);
	net_drop(b.net, at_b);
	net_drop(b.net, 4711);
	side_expect_nothing(&a);
	side_expect_nothing(&b);
	side_close(&a);
	side_close(&b);
}

/* Nothing is queued yet when the link is dialled: what was sent before leaves when it is up. */
static void test_bytes_wait_for_the_connection(void **state)
{
	struct side s;
	uint16_t port;
	char got[6];

	(void)state;
	side_open(&s, 0);
	int listener = raw_listen(AF_INET, 0, 5, &port);
	uint64_t link = side_dial(&s, "127.0.0.1", port);

	side_send(&s, link, LANE_CONTROL, "early", 5);
	side_send(&s, link, LANE_BULK, "", 0);
	side_send(&s, link, LANE_BULK, "!", 1);
	side_expect(&s, NET_CONNECTED, link);
	int fd = raw_accept(listener);
	/* A wake for each send that ended. */
	for (size_t have = 0; have < sizeof(got);) {
		struct net_news news;
		ssize_t now = raw_recv_some(fd, got + have, sizeof(got) - have);

		have += now > 0 ? (size_t)now : 0;
		if (now < 0 && !net_next(s.net, &news))
			rig_wait(&s.rig, rig_now() + 10);
	}
	assert_memory_equal(got, "early!", 6);
	close(fd);
	close(listener);
	side_close(&s);
}

/* However the stream is cut, it arrives whole and in order. */
static void test_bytes_arrive_in_order(void **state)
{
	static uint8_t block[1 << 20];
	struct side s;
	size_t sent = 0;
	size_t got = 0;
	unsigned piece = 1;

	(void)state;
	side_open(&s, 0);
	int fd = raw_connect(AF_INET, side_listen(&s, AF_INET));
	uint64_t link = side_expect(&s, NET_ACCEPTED, 0).link;

	pattern_fill(block, sizeof(block), 0, 1);
	while (got < sizeof(block)) {
		struct net_news news;

		piece = piece * 1103515245u + 12345u;
		sent += raw_send_some(fd, block + sent,
		                      MIN_OF(sizeof(block) - sent, (piece >> 16) % 20000));
		if (!net_next(s.net, &news)) {
			if (sent == sizeof(block))
				assert_true(rig_wait(&s.rig, rig_now() + RIG_PATIENCE_MS));
			continue;
		}
		assert_int_equal(news.kind, NET_BYTES);
		assert_int_equal(news.link, link);
		pattern_assert(news.data.at, news.data.count, got, 1);
		got += news.data.count;
	}
	close(fd);
	side_expect(&s, NET_DOWN, link);
	side_close(&s);
}

/* A sender whose bytes nobody takes is slowed down; nothing is lost, nothing piles up. */
static void test_reader_that_is_slow_slows_the_sender(void **state)
{
	static uint8_t block[65536];
	struct side s;
	size_t sent = 0;
	size_t got = 0;
	int bytes = 65536;

	(void)state;
	side_open(&s, 0);
	int fd = raw_connect(AF_INET, side_listen(&s, AF_INET));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	side_expect(&s, NET_ACCEPTED, 0);
	size_t blocks = s.rig.mem.calls;
	size_t live = s.rig.mem.live;

	/* Until the kernel takes no more for a good while, as we take nothing. */
	for (struct pollfd p = { .fd = fd, .events = POLLOUT }; poll(&p, 1, 200) == 1;) {
		pattern_fill(block, sizeof(block), sent, 2);
		sent += raw_send_some(fd, block, sizeof(block));
		assert_true(sent < 64u << 20);
	}
	assert_int_equal(s.rig.mem.calls, blocks);
	while (got < sent) {
		struct net_news news = side_expect(&s, NET_BYTES, 0);

		pattern_assert(news.data.at, news.data.count, got, 2);
		got += news.data.count;
	}
	assert_int_equal(s.rig.mem.live, live); /* one buffer, if a larger one */
	close(fd);
	side_close(&s);
}

/* --- lanes --- */

/*
 * Send chunks until the kernel takes no more and one is stuck half-way.  A chunk that has left is
 * freed, and that tells.  How many chunks it took.
 */
static size_t stuff(struct side *s, uint64_t link, const uint8_t *chunk, size_t bytes)
{
	size_t idle = s->rig.mem.live;
	size_t chunks = 0;

	do {
		assert_true(chunks < 2000);
		side_send(s, link, LANE_BULK, chunk, bytes);
		chunks++;
		do
			side_expect_nothing(s);
		while (s->rig.mem.live > idle && rig_wait(&s->rig, rig_now() + 300));
		side_expect_nothing(s); /* what has simply left wakes nobody */
	} while (s->rig.mem.live == idle);
	return chunks;
}

/* Control overtakes bulk, chunk by chunk: what was begun is finished first. */
static void test_control_overtakes_bulk(void **state)
{
	static uint8_t bulk[CHUNK];
	static uint8_t control[CHUNK];
	static uint8_t got[CHUNK];
	struct side s;
	uint16_t port;
	int fd;
	int bytes = 32768;

	(void)state;
	memset(bulk, 'b', sizeof(bulk));
	memset(control, 'c', sizeof(control));
	side_open(&s, 0);
	int listener = raw_listen(AF_INET, 0, 5, &port);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	uint64_t link = side_dial_raw(&s, listener, port, &fd);

	size_t stuck = stuff(&s, link, bulk, CHUNK);
	for (int i = 0; i < 3; i++)
		side_send(&s, link, LANE_BULK, bulk, CHUNK);
	for (int i = 0; i < 3; i++)
		side_send(&s, link, LANE_CONTROL, control, CHUNK);
	for (size_t i = 0; i < stuck + 6; i++) {
		for (size_t have = 0; have < CHUNK;) {
			struct net_news news;
			ssize_t now = raw_recv_some(fd, got + have, CHUNK - have);

			have += now > 0 ? (size_t)now : 0;
			if (now < 0 && !net_next(s.net, &news))
				rig_wait(&s.rig, rig_now() + 10);
		}
		assert_memory_equal(got, i >= stuck && i < stuck + 3 ? control : bulk, CHUNK);
	}
	close(fd);
	close(listener);
	side_close(&s);
}

/* --- limits --- */

/* A peer that takes nothing costs LIMIT_LINK_QUEUE_BYTES, then its link. */
static void test_overflow_ends_the_link(void **state)
{
	static uint8_t chunk[CHUNK];
	struct side s;
	uint16_t port;
	int fd;
	size_t sent = 0;
	struct net_news news;

	(void)state;
	side_open(&s, 0);
	int listener = raw_listen(AF_INET, 0, 5, &port);
	uint64_t link = side_dial_raw(&s, listener, port, &fd);

	/* Without a look at what has left: 18 chunks are more than the limit. */
	while (!net_next(s.net, &news)) {
		assert_true(sent < 200u << 20);
		for (int i = 0; i < 18; i++, sent += CHUNK)
			side_send(&s, link, LANE_BULK, chunk, CHUNK);
	}
	assert_int_equal(news.kind, NET_DOWN);
	assert_int_equal(news.link, link);
	assert_int_equal(news.err, ERR_LIMIT);
	side_send(&s, link, LANE_BULK, chunk, CHUNK);
	side_expect_nothing(&s);
	/* A number is not used again. */
	assert_true(side_dial(&s, "127.0.0.1", port) > link);
	close(fd);
	close(listener);
	side_close(&s);
}

/* The limit is exact: that much is queued, a byte more is not. */
static void test_overflow_is_exact(void **state)
{
	static uint8_t chunk[LIMIT_LINK_QUEUE_BYTES];
	struct side s;
	uint16_t port;

	(void)state;
	side_open(&s, 0);
	int listener = raw_listen(AF_INET, 0, 5, &port);

	/* Dialling, as the loop has not looked yet: nothing leaves. */
	uint64_t fits = side_dial(&s, "127.0.0.1", port);
	side_send(&s, fits, LANE_BULK, chunk, sizeof(chunk) - 1);
	side_send(&s, fits, LANE_CONTROL, chunk, 1);
	uint64_t over = side_dial(&s, "127.0.0.1", port);
	side_send(&s, over, LANE_BULK, chunk, sizeof(chunk) - 1);
	unsigned wakes = s.rig.wakes_of_loop;
	side_send(&s, over, LANE_CONTROL, chunk, 2);
	assert_int_equal(s.rig.wakes_of_loop, wakes + 1);
	assert_int_equal(side_expect(&s, NET_DOWN, over).err, ERR_LIMIT);
	side_expect(&s, NET_CONNECTED, fits);
	close(listener);
	side_close(&s);
}

/* --- going --- */

/* A drop lets out what is queued, then closes; no news. */
static void test_drop_flushes(void **state)
{
	static uint8_t block[900000];
	static uint8_t got[sizeof(block)];
	struct side s;
	uint16_t port;
	int fd;
	size_t have = 0;

	(void)state;
	side_open(&s, 0);
	size_t idle = s.rig.mem.live;
	int listener = raw_listen(AF_INET, 0, 5, &port);
	uint64_t link = side_dial_raw(&s, listener, port, &fd);

	pattern_fill(block, sizeof(block), 0, 3);
	for (size_t at = 0; at < sizeof(block); at += CHUNK)
		side_send(&s, link, LANE_BULK, block + at, CHUNK);
	int64_t before = rig_now();
	net_drop(s.net, link);
	for (ssize_t now = -1; now != 0 && have < sizeof(got);) {
		now = raw_recv_some(fd, got + have, sizeof(got) - have);
		have += now > 0 ? (size_t)now : 0;
		if (now < 0)
			rig_wait(&s.rig, rig_now() + 10);
		side_expect_nothing(&s);
	}
	/* All of it, unless the machine was so busy that the second was over. */
	assert_true(have == sizeof(got) || rig_now() - before >= 999);
	pattern_assert(got, have, 0, 3);
	side_settle(&s, idle);
	raw_recv_end(fd);
	close(fd);
	close(listener);
	side_close(&s);
}

/*
 * What the other side sent meanwhile, unread, must not turn the close into a reset: that would
 * destroy what is still in the kernel, on its way.
 */
static void drop_with_unread_input(bool drained_before)
{
	static uint8_t block[4 * CHUNK];
	static uint8_t got[sizeof(block)];
	struct side s;
	uint16_t port;
	int fd;

	side_open(&s, 0);
	int listener = raw_listen(AF_INET, 0, 5, &port);
	size_t idle = s.rig.mem.live;
	uint64_t link = side_dial_raw(&s, listener, port, &fd);
	size_t up = s.rig.mem.live;

	pattern_fill(block, sizeof(block), 0, 4);
	for (size_t at = 0; at < sizeof(block); at += CHUNK)
		side_send(&s, link, LANE_BULK, block + at, CHUNK);
	if (drained_before)
		side_settle(&s, up);
	raw_send(fd, got, 100000);
	net_drop(s.net, link);
	side_settle(&s, idle);
	raw_recv(fd, got, sizeof(got));
	pattern_assert(got, sizeof(got), 0, 4);
	raw_recv_end(fd);
	close(fd);
	close(listener);
	side_close(&s);
}

static void test_drop_does_not_reset(void **state)
{
	(void)state;
	drop_with_unread_input(false);
	drop_with_unread_input(true);
}

/* A drop does not wait for ever for a peer that takes nothing: a second. */
static void test_drop_gives_up(void **state)
{
	static uint8_t block[LIMIT_LINK_QUEUE_BYTES / 2];
	static uint8_t got[65536];
	struct side s;
	uint16_t port;
	int fd;
	size_t have = 0;
	ssize_t now;

	(void)state;
	side_open(&s, 0);
	size_t idle = s.rig.mem.live;
	int listener = raw_listen(AF_INET, 0, 5, &port);
	uint64_t link = side_dial_raw(&s, listener, port, &fd);

	size_t sent = stuff(&s, link, block, sizeof(block)) * sizeof(block);
	int64_t before = rig_now();
	net_drop(s.net, link);
	/* The link is freed when it is over. */
	side_settle(&s, idle);
	assert_true(rig_now() - before >= 999);
	while ((now = raw_recv_some(fd, got, sizeof(got))) != 0) {
		have += now > 0 ? (size_t)now : 0;
		if (now < 0)
			raw_wait(fd, POLLIN);
	}
	assert_true(have < sent);
	close(fd);
	close(listener);
	side_close(&s);
}

/* Data given out stays valid until the next net_next(), even when its link is dropped. */
static void test_data_outlives_the_drop(void **state)
{
	struct side s;

	(void)state;
	side_open(&s, 0);
	int fd = raw_connect(AF_INET, side_listen(&s, AF_INET));
	uint64_t link = side_expect(&s, NET_ACCEPTED, 0).link;

	raw_send(fd, "data", 4);
	struct net_news news = side_expect(&s, NET_BYTES, link);
	net_drop(s.net, link);
	assert_memory_equal(news.data.at, "data", 4);
	side_expect_nothing(&s);
	raw_recv_end(fd);
	close(fd);
	side_close(&s);
}

/* What came before a reset is delivered before the end. */
static void test_last_words_before_a_reset_arrive(void **state)
{
	struct side s;

	(void)state;
	side_open(&s, 0);
	uint16_t port = side_listen(&s, AF_INET);
	for (int i = 0; i < 500; i++) {
		int fd = raw_connect(AF_INET, port);
		uint64_t link = side_expect(&s, NET_ACCEPTED, 0).link;

		/* We are sending, too, and that fails first. */
		side_send(&s, link, LANE_BULK, "hello", 5);
		raw_send(fd, "expired", 7);
		raw_reset(fd);
		side_send(&s, link, LANE_BULK, "hello", 5);
		struct net_news news = side_expect(&s, NET_BYTES, link);
		assert_int_equal(news.data.count, 7);
		assert_memory_equal(news.data.at, "expired", 7);
		news = side_expect(&s, NET_DOWN, link);
		assert_true(news.err == 0 || news.err == -ECONNRESET);
	}
	side_close(&s);
}

/* --- many --- */

#define MANY 200u

/* 200 links at once: all come up, all echo, all go. */
static void test_many_links_at_once(void **state)
{
	struct side a;
	struct side b;
	unsigned up = 0;
	unsigned echoed = 0;
	unsigned down = 0;

	(void)state;
	side_open(&a, 0);
	side_open(&b, 0);
	uint16_t port = side_listen(&b, AF_INET);
	for (unsigned i = 0; i < MANY; i++)
		side_dial(&a, "127.0.0.1", port);
	int64_t until_ms = rig_now() + RIG_PATIENCE_MS;
	while (down < MANY) {
		struct net_news news;

		while (net_next(a.net, &news)) {
			up += news.kind == NET_CONNECTED;
			echoed += news.kind == NET_BYTES;
			down += news.kind == NET_DOWN;
			if (news.kind == NET_CONNECTED)
				side_send(&a, news.link, LANE_CONTROL, &news.link, 8);
			else if (news.kind == NET_BYTES)
				assert_memory_equal(news.data.at, &news.link, 8);
		}
		while (net_next(b.net, &news)) {
			assert_true(news.kind != NET_CONNECTED);
			if (news.kind != NET_BYTES)
				continue;
			side_send(&b, news.link, LANE_BULK, news.data.at, news.data.count);
			net_drop(b.net, news.link);
		}
		struct pollfd p[2] = { { .fd = a.rig.event_fd, .events = POLLIN },
			               { .fd = b.rig.event_fd, .events = POLLIN } };
		assert_true(down == MANY || poll(p, 2, (int)(until_ms - rig_now())) > 0);
		rig_wait(&a.rig, rig_now());
		rig_wait(&b.rig, rig_now());
	}
	assert_int_equal(up, MANY);
	assert_int_equal(echoed, MANY);
	side_close(&a);
	side_close(&b);
}

/* --- descriptors --- */

static void set_descriptors(rlim_t soft)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = soft;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Out of descriptors: the listener waits and does not spin, and goes on when there are some. */
static void test_no_descriptors_is_survived(void **state)
{
	struct rlimit before;
	struct side s;
	int fds[4];
	unsigned wakes;

	(void)state;
	side_open(&s, 0);
	uint16_t port = side_listen(&s, AF_INET);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = raw_socket(AF_INET);
	set_descriptors(3);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		raw_connect_to(fds[i], AF_INET, port);
	for (int round = 0; round < 3; round++) {
		int64_t start = rig_now();

		wakes = s.rig.wakes;
		while (rig_wait(&s.rig, start + 500))
			side_expect_nothing(&s);
		/* One for each pause and one for each failure: 2 x 5, and some grace. */
		assert_true(s.rig.wakes - wakes >= 2 && s.rig.wakes - wakes <= 16);
	}
	/* Dialling says why. */
	uint64_t link = side_dial(&s, "127.0.0.1", port);
	assert_int_equal(side_expect(&s, NET_DOWN, link).err, -EMFILE);
	set_descriptors(before.rlim_cur);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		side_expect(&s, NET_ACCEPTED, 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	side_close(&s);
}

/* --- nng's side --- */

/* Find our end of a connection in /proc/net/tcp; is its keepalive timer running? */
static bool has_keepalive(uint16_t own, uint16_t other)
{
	FILE *f = fopen("/proc/net/tcp", "re");
	char line[256];
	bool found = false;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned from;
		unsigned to;
		unsigned state;
		unsigned timer;

		if (sscanf(line, " %*d: %*x:%x %*x:%x %x %*x:%*x %x:", &from, &to, &state,
		           &timer) == 4 &&
		    from == own && to == other && state == 1)
			found = timer == 2;
	}
	fclose(f);
	return found;
}

/* Half-open links die some day: keepalive is on at both ends. */
static void test_keepalive_is_on(void **state)
{
	struct side s;
	uint16_t port;
	int fd;

	(void)state;
	side_open(&s, 0);
	uint16_t ours = side_listen(&s, AF_INET);
	int caller = raw_connect(AF_INET, ours);
	side_expect(&s, NET_ACCEPTED, 0);
	assert_true(has_keepalive(ours, local_port(caller)));
	assert_false(has_keepalive(local_port(caller), ours));

	int listener = raw_listen(AF_INET, 0, 5, &port);
	side_dial_raw(&s, listener, port, &fd);
	struct sockaddr_in peer;
	socklen_t bytes = sizeof(peer);
	assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &bytes), 0);
	assert_true(has_keepalive(ntohs(peer.sin_port), port));
	close(caller);
	close(fd);
	close(listener);
	side_close(&s);
}

/* wake() comes from nng's threads, not only from the loop's. */
static void test_wake_comes_from_other_threads(void **state)
{
	struct side s;

	(void)state;
	side_open(&s, 0);
	int fd = raw_connect(AF_INET, side_listen(&s, AF_INET));

	side_expect(&s, NET_ACCEPTED, 0);
	assert_true(s.rig.wakes_of_others > 0);
	close(fd);
	side_close(&s);
}

/* Closing gives back every descriptor. */
static void test_nothing_stays_open(void **state)
{
	struct side s;
	size_t before;
	int64_t until_ms = rig_now() + RIG_PATIENCE_MS;

	(void)state;
	/* nng's own are opened with its first use. */
	side_open(&s, 0);
	side_close(&s);
	before = rig_open_fds();
	side_open(&s, 0);
	uint16_t port = side_listen(&s, 0);
	int fd = raw_connect(AF_INET, port);
	side_expect(&s, NET_ACCEPTED, 0);
	/* To ourselves: one link dialled, one accepted. */
	side_dial(&s, "127.0.0.1", port);
	side_next(&s);
	side_next(&s);
	side_close(&s);
	close(fd);
	/* Streams are closed by nng's reaper, a moment later. */
	while (rig_open_fds() > before && rig_now() < until_ms)
		sched_yield();
	assert_true(rig_open_fds() <= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listens_on_all_addresses),
		cmocka_unit_test(test_listens_on_one_address),
		cmocka_unit_test(test_port_in_use_is_said),
		cmocka_unit_test(test_foreign_address_is_said),
		cmocka_unit_test(test_link_carries_bytes_both_ways),
		cmocka_unit_test(test_bytes_wait_for_the_connection),
		cmocka_unit_test(test_bytes_arrive_in_order),
		cmocka_unit_test(test_reader_that_is_slow_slows_the_sender),
		cmocka_unit_test(test_control_overtakes_bulk),
		cmocka_unit_test(test_overflow_ends_the_link),
		cmocka_unit_test(test_overflow_is_exact),
		cmocka_unit_test(test_drop_flushes),
		cmocka_unit_test(test_drop_does_not_reset),
		cmocka_unit_test(test_drop_gives_up),
		cmocka_unit_test(test_data_outlives_the_drop),
		cmocka_unit_test(test_last_words_before_a_reset_arrive),
		cmocka_unit_test(test_many_links_at_once),
		cmocka_unit_test(test_no_descriptors_is_survived),
		cmocka_unit_test(test_keepalive_is_on),
		cmocka_unit_test(test_wake_comes_from_other_threads),
		cmocka_unit_test(test_nothing_stays_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
