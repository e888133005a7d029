/*
 * Ends that come at any moment: links dropped and nets closed while traffic flows both ways.  There
 * is little to assert here; the sanitizers do.  Where a round ends is drawn from a fixed seed.
 */
#include "tests/unit/smegd/net/side.h"

#include <netinet/in.h>
#include <poll.h>

#define ROUNDS 200
#define LINKS 4

static uint8_t block[20000];

/* Take what there is, and answer every bit of it so that traffic never ends. */
static unsigned turn(struct side *s, uint64_t *ret_link)
{
	struct net_news news;
	unsigned count = 0;

	while (count < 50 && net_next(s->net, &news)) {
		count++;
		*ret_link = news.link;
		if (news.kind == NET_DOWN)
			continue;
		side_send(s, news.link, count % 2 ? LANE_BULK : LANE_CONTROL, block,
		          1 + (news.data.count * 7919) % sizeof(block));
	}
	return count;
}

static void wait_for_either(struct side *a, struct side *b)
{
	struct pollfd p[2] = { { .fd = a->rig.event_fd, .events = POLLIN },
		               { .fd = b->rig.event_fd, .events = POLLIN } };

	assert_true(poll(p, 2, RIG_PATIENCE_MS) > 0);
	rig_wait(&a->rig, rig_now());
	rig_wait(&b->rig, rig_now());
}

static unsigned draw(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % below;
}

/* A dials B: LINKS links, and a new one for each that is dropped. */
static void flow(struct side *a, struct side *b, unsigned events, unsigned *seed)
{
	uint16_t port = side_listen(b, AF_INET);

	for (int i = 0; i < LINKS; i++)
		side_send(a, side_dial(a, "127.0.0.1", port), LANE_BULK, block, 5000);
	while (events) {
		uint64_t link = 0;
		unsigned count = turn(a, &link) + turn(b, &link);

		if (count == 0)
			wait_for_either(a, b);
		if (link && draw(seed, 8) == 0) {
			net_drop(draw(seed, 2) ? a->net : b->net, link);
			side_send(a, side_dial(a, "127.0.0.1", port), LANE_BULK, block, 5000);
		}
		events -= MIN_OF(events, count ? count : 1);
	}
}

static void test_close_while_traffic_flows(void **state)
{
	unsigned seed = 20240611;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct side a;
		struct side b;

		side_open(&a, 0);
		side_open(&b, 0);
		flow(&a, &b, draw(&seed, 120), &seed);
		if (draw(&seed, 2)) {
			side_close(&a);
			side_close(&b);
		} else {
			side_close(&b);
			side_close(&a);
		}
	}
}

/* A link is dropped right when it comes up, and in the middle of being accepted. */
static void test_drop_at_once(void **state)
{
	struct side a;
	struct side b;
	unsigned seed = 7;

	(void)state;
	side_open(&a, 0);
	side_open(&b, 0);
	uint16_t port = side_listen(&b, AF_INET);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t link = side_dial(&a, "127.0.0.1", port);
		struct net_news news;

		if (draw(&seed, 2))
			side_send(&a, link, LANE_CONTROL, block, sizeof(block));
		if (draw(&seed, 2))
			side_expect(&a, NET_CONNECTED, link);
		net_drop(a.net, link);
		while (net_next(b.net, &news))
			if (news.kind == NET_ACCEPTED && draw(&seed, 2))
				net_drop(b.net, news.link);
	}
	side_close(&a);
	side_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_while_traffic_flows),
		cmocka_unit_test(test_drop_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
