/*
 * Dialling: what goes wrong and how it is told, names, several addresses, giving up.  No test asks
 * the network: libc.c answers for *.test and *.stuck, and all addresses are loopback.
 */
#include "tests/unit/smegd/net/libc.h"
#include "tests/unit/smegd/net/side.h"

#include "base/limits.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* A listener whose queue is full: a further connection gets no answer. */
struct deaf {
	int listener;
	int callers[8];
	size_t count;
	uint16_t port;
};

/* The kernel says of a listening socket how many wait (unacked) and how many may (sacked). */
static bool is_full(int listener)
{
	struct tcp_info info;
	socklen_t bytes = sizeof(info);

	assert_int_equal(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &bytes), 0);
	return info.tcpi_unacked > info.tcpi_sacked;
}

static void deaf_open(struct deaf *d, int family)
{
	d->listener = raw_listen(family, 0, 0, &d->port);
	for (d->count = 0; !is_full(d->listener); d->count++) {
		assert_true(d->count < ARRAY_LEN(d->callers));
		d->callers[d->count] = raw_connect(family, d->port);
		raw_wait(d->callers[d->count], POLLOUT);
	}
}

static void deaf_close(struct deaf *d)
{
	for (size_t i = 0; i < d->count; i++)
		close(d->callers[i]);
	close(d->listener);
}

static int dial_and_fail(struct side *s, const char *host, uint16_t port)
{
	uint64_t link = side_dial(s, host, port);
	struct net_news news = side_expect(s, NET_DOWN, link);

	side_expect_nothing(s);
	return news.err;
}

/* --- what goes wrong --- */

static void test_closed_port_is_refused(void **state)
{
	struct side s;
	uint16_t port = rig_free_port();

	(void)state;
	side_open(&s, 0);
	assert_int_equal(dial_and_fail(&s, "127.0.0.1", port), ERR_REFUSED);
	if (rig_has_ipv6())
		assert_int_equal(dial_and_fail(&s, "::1", port), ERR_REFUSED);
	/* A port that was not given is nowhere. */
	assert_int_equal(dial_and_fail(&s, "127.0.0.1", 0), ERR_REFUSED);
	side_close(&s);
}

/* .invalid never exists (RFC 6761); with no name server to ask, our own timeout ends it. */
static void test_unknown_name_is_told(void **state)
{
	struct side s;

	(void)state;
	side_open(&s, 3000);
	assert_int_equal(dial_and_fail(&s, "smeg-no-such-host.invalid", 4000), ERR_NAME_UNKNOWN);
	assert_int_equal(dial_and_fail(&s, "later.test", 4000), ERR_NAME_UNKNOWN);
	side_close(&s);
}

static void test_no_answer_times_out(void **state)
{
	struct side s;
	struct deaf deaf;

	(void)state;
	side_open(&s, 300);
	deaf_open(&deaf, AF_INET);
	int64_t before = rig_now();
	assert_int_equal(dial_and_fail(&s, "127.0.0.1", deaf.port), ERR_CONNECT_TIMEOUT);
	assert_true(rig_now() - before >= 299);
	deaf_close(&deaf);
	side_close(&s);
}

/* A link-local address without a zone leads nowhere. */
static void test_no_way_is_unreachable(void **state)
{
	struct side s;

	(void)state;
	side_open(&s, 3000);
	assert_int_equal(dial_and_fail(&s, "fe80::1", 4000), ERR_UNREACHABLE);
	side_close(&s);
}

/* More links than NET_LINKS_MAX: told, like everything. */
static void test_number_of_links_is_limited(void **state)
{
	struct side s;
	unsigned refused = 0;

	(void)state;
	side_open(&s, 100000);
	names_block();
	for (unsigned i = 0; i < LIMIT_SESSIONS + LIMIT_HALF_OPEN + 256; i++)
		side_dial(&s, "a.stuck", 4000);
	side_expect_nothing(&s);
	for (unsigned i = 0; i < 3; i++) {
		unsigned wakes = s.rig.wakes_of_loop;

		side_dial(&s, "a.stuck", 4000);
		/* Nothing happens at nng that would wake the loop. */
		assert_int_equal(s.rig.wakes_of_loop, wakes + 1);
	}
	for (struct net_news news; net_next(s.net, &news); refused++) {
		assert_int_equal(news.kind, NET_DOWN);
		assert_int_equal(news.err, ERR_LIMIT);
	}
	assert_int_equal(refused, 3);
	side_close(&s);
	names_release();
}

/* Until somebody is connecting to this port and has no answer: SYN_SENT is state 2. */
static void await_syn(uint16_t port)
{
	int64_t until_ms = rig_now() + RIG_PATIENCE_MS;
	bool found = false;

	while (!found) {
		FILE *f = fopen("/proc/net/tcp", "re");
		char line[256];
		unsigned to;
		unsigned tcp_state;

		assert_non_null(f);
		while (fgets(line, sizeof(line), f))
			if (sscanf(line, " %*d: %*x:%*x %*x:%x %x", &to, &tcp_state) == 2)
				found = found || (to == port && tcp_state == 2);
		fclose(f);
		assert_true(rig_now() < until_ms);
	}
}

/*
 * What nng takes for connected too early (see link.c) ends like everything else: by time, when the
 * other side answers after all (the kernel asks again after a second), when it refuses then.
 */
static void test_early_success_is_not_believed(void **state)
{
	struct side s;
	struct deaf deaf;
	char text[4];

	(void)state;
	connect_slowly(true);
	deaf_open(&deaf, AF_INET);
	side_open(&s, 300);
	assert_int_equal(dial_and_fail(&s, "127.0.0.1", deaf.port), ERR_CONNECT_TIMEOUT);
	net_drop(s.net, side_dial(&s, "127.0.0.1", deaf.port));
	side_dial(&s, "127.0.0.1", deaf.port);
	side_close(&s);

	side_open(&s, 0);
	uint64_t link = side_dial(&s, "127.0.0.1", deaf.port);
	side_send(&s, link, LANE_BULK, "late", 4);
	await_syn(deaf.port);
	for (size_t i = 0; i < deaf.count; i++)
		close(raw_accept(deaf.listener));
	side_expect(&s, NET_CONNECTED, link);
	int fd = raw_accept(deaf.listener);
	raw_recv(fd, text, sizeof(text));
	assert_memory_equal(text, "late", 4);
	close(fd);
	side_expect(&s, NET_DOWN, link);
	deaf_close(&deaf);

	deaf_open(&deaf, AF_INET);
	link = side_dial(&s, "127.0.0.1", deaf.port);
	await_syn(deaf.port);
	deaf_close(&deaf);
	assert_int_equal(side_expect(&s, NET_DOWN, link).err, ERR_REFUSED);
	side_close(&s);
	connect_slowly(false);
}

/* --- names --- */

static void test_name_is_dialled(void **state)
{
	struct side s;

	(void)state;
	side_open(&s, 0);
	uint16_t port = side_listen(&s, AF_INET);
	uint64_t link = side_dial(&s, "one.test", port);

	side_send(&s, link, LANE_CONTROL, "hi", 2);
	for (unsigned seen = 0; seen != 7;) {
		struct net_news news = side_next(&s);

		seen |= news.kind == NET_CONNECTED ? 1 : news.kind == NET_ACCEPTED ? 2 : 4;
		if (news.kind == NET_CONNECTED)
			assert_int_equal(news.remote.port, port);
		else if (news.kind == NET_BYTES)
			assert_memory_equal(news.data.at, "hi", 2);
		assert_true(news.kind != NET_DOWN);
	}
	side_close(&s);
}

/* The second address is tried when the first refuses. */
static void test_all_addresses_of_a_name_are_tried(void **state)
{
	struct side s;
	uint16_t port;

	(void)state;
	side_open(&s, 0);
	int listener = raw_listen(AF_INET, 0, 5, &port);
	struct net_news news = side_expect(&s, NET_CONNECTED, side_dial(&s, "two.test", port));

	assert_true(addr_is_v4(&news.remote.addr));
	net_drop(s.net, news.link);
	close(listener);
	assert_int_equal(dial_and_fail(&s, "two.test", port), ERR_REFUSED);
	assert_int_equal(dial_and_fail(&s, "many.test", port), ERR_REFUSED);
	side_close(&s);
}

/* ... and when the first does not answer, while there is time left. */
static void test_dead_address_does_not_eat_all_the_time(void **state)
{
	struct side s;
	struct deaf deaf;
	uint16_t port;

	(void)state;
	if (!rig_has_ipv6()) {
		print_message("skipped: no IPv6 here\n");
		skip();
	}
	side_open(&s, 3000);
	deaf_open(&deaf, AF_INET6);
	int listener = raw_listen(AF_INET, deaf.port, 5, &port);
	int64_t before = rig_now();
	struct net_news news = side_expect(&s, NET_CONNECTED, side_dial(&s, "two.test", port));

	assert_true(addr_is_v4(&news.remote.addr));
	assert_true(rig_now() - before >= 1499);
	net_drop(s.net, news.link);
	close(listener);
	/* Of "no answer" and "refused" the second says more. */
	assert_int_equal(dial_and_fail(&s, "two.test", port), ERR_REFUSED);
	deaf_close(&deaf);
	side_close(&s);
}

/* Names that hang hold up neither numbers nor the loop, nor the end. */
static void test_dead_name_service_stops_nothing_else(void **state)
{
	struct side s;
	uint64_t stuck[12];
	uint16_t port;
	int fd;

	(void)state;
	names_block();
	side_open(&s, 2000);
	int listener = raw_listen(AF_INET, 0, 5, &port);
	for (size_t i = 0; i < ARRAY_LEN(stuck); i++)
		stuck[i] = side_dial(&s, "host.stuck", port);
	while (names_stuck() < 4)
		sched_yield();
	side_dial_raw(&s, listener, port, &fd);
	side_listen(&s, 0);
	for (size_t i = 0; i < ARRAY_LEN(stuck); i++)
		assert_int_equal(side_expect(&s, NET_DOWN, stuck[i]).err, ERR_NAME_UNKNOWN);
	assert_int_equal(names_stuck(), 4);
	/* Dropped while it waits, and one that is left behind. */
	net_drop(s.net, side_dial(&s, "dropped.stuck", port));
	side_dial(&s, "left.stuck", port);
	side_close(&s);
	assert_int_equal(names_stuck(), 4);
	names_release();
	close(fd);
	close(listener);
}

/* The answer of a name that is late meets nobody. */
static void test_late_answer_is_dropped(void **state)
{
	struct side s;

	(void)state;
	for (int i = 0; i < 20; i++) {
		names_block();
		side_open(&s, 0);
		net_drop(s.net, side_dial(&s, "a.stuck", 4000));
		side_dial(&s, "b.stuck", 4000);
		while (names_stuck() < 1)
			sched_yield();
		names_release();
		if (i % 2)
			side_expect(&s, NET_DOWN, 0);
		side_close(&s);
	}
}

/* --- giving up --- */

/* Dropped or closed amid the attempt: no news, nothing left. */
static void test_attempt_can_be_given_up(void **state)
{
	struct side s;
	struct deaf deaf;

	(void)state;
	deaf_open(&deaf, AF_INET);
	for (int i = 0; i < 50; i++) {
		side_open(&s, 0);
		uint64_t link = side_dial(&s, "127.0.0.1", deaf.port);

		side_dial(&s, "127.0.0.1", deaf.port);
		side_send(&s, link, LANE_BULK, "never", 5);
		net_drop(s.net, link);
		side_expect_nothing(&s);
		side_close(&s);
	}
	deaf_close(&deaf);
}

/* --- memory --- */

/* Every allocation that fails is an error or costs a stranger his link; nothing leaks. */
static void test_memory_that_fails(void **state)
{
	struct side s;
	struct hostport at = { .host = "127.0.0.1" };
	uint64_t link;
	int err = -ENOMEM;

	(void)state;
	for (size_t n = 1; err; n++) {
		rig_init(&s.rig);
		s.net = NULL;
		s.rig.mem.fail_at = n;
		struct net_options options = { &s.rig.mem.mem, rig_wake, &s.rig, 0 };
		err = net_open(&options, &s.net);
		if (err == 0)
			err = net_listen(s.net, NULL, rig_free_port(), &at.port, NULL);
		if (err == 0)
			err = net_dial(s.net, &at, &link);
		if (err == 0)
			err = net_send(s.net, link, LANE_BULK,
			               (struct bytes){ (const void *)"x", 1 });
		if (err == 0) {
			/* The accepting side's allocations: it hangs up. */
			for (struct net_news news = { 0 };
			     news.kind != NET_BYTES && news.kind != NET_DOWN;)
				news = side_next(&s);
			err = s.rig.mem.calls >= n ? -ENOMEM : 0;
		}
		assert_true(err == 0 || err == -ENOMEM);
		assert_true(n < 100);
		side_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_port_is_refused),
		cmocka_unit_test(test_unknown_name_is_told),
		cmocka_unit_test(test_no_answer_times_out),
		cmocka_unit_test(test_no_way_is_unreachable),
		cmocka_unit_test(test_early_success_is_not_believed),
		cmocka_unit_test(test_number_of_links_is_limited),
		cmocka_unit_test(test_name_is_dialled),
		cmocka_unit_test(test_all_addresses_of_a_name_are_tried),
		cmocka_unit_test(test_dead_address_does_not_eat_all_the_time),
		cmocka_unit_test(test_dead_name_service_stops_nothing_else),
		cmocka_unit_test(test_late_answer_is_dropped),
		cmocka_unit_test(test_attempt_can_be_given_up),
		cmocka_unit_test(test_memory_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
