/* See side.h. */
#include "tests/unit/smegd/net/side.h"

#include <stdio.h>

void side_open(struct side *s, int64_t connect_timeout_ms)
{
	rig_init(&s->rig);
	struct net_options options = {
		.mem = &s->rig.mem.mem,
		.wake = rig_wake,
		.wake_ctx = &s->rig,
		.connect_timeout_ms = connect_timeout_ms,
	};

	s->net = NULL;
	assert_int_equal(net_open(&options, &s->net), 0);
}

void side_close(struct side *s)
{
	net_close(s->net);
	s->net = NULL;
	rig_fini(&s->rig);
}

/* After the last "nothing" only a wake lets us ask again: so a forgotten wake hangs a test. */
struct net_news side_next(struct side *s)
{
	int64_t until_ms = rig_now() + RIG_PATIENCE_MS;
	struct net_news news;

	while (!net_next(s->net, &news))
		if (!rig_wait(&s->rig, until_ms))
			fail_msg("no news");
	return news;
}

struct net_news side_expect(struct side *s, enum net_news_kind kind, uint64_t link)
{
	struct net_news news = side_next(s);

	if (news.kind != kind)
		fail_msg("news %d of link %u (%s) and not %d", (int)news.kind, (unsigned)news.link,
		         err_text(news.err), (int)kind);
	if (link)
		assert_int_equal(news.link, link);
	return news;
}

void side_expect_nothing(struct side *s)
{
	struct net_news news;

	assert_false(net_next(s->net, &news));
}

void side_settle(struct side *s, size_t live)
{
	int64_t until_ms = rig_now() + RIG_PATIENCE_MS;

	for (side_expect_nothing(s); s->rig.mem.live > live; side_expect_nothing(s))
		assert_true(rig_wait(&s->rig, until_ms));
}

uint16_t side_listen(struct side *s, int family)
{
	struct addr at = { 0 };
	struct diag diag = { 0 };
	uint16_t port = 0;
	int err = ERR_PORT_IN_USE;

	if (family == AF_INET)
		addr_from_v4(&at, (const uint8_t[4]){ 127, 0, 0, 1 });
	else
		at.b[15] = 1;
	/* Somebody may take a free port between the look and the bind. */
	for (int tries = 0; tries < 20 && err == ERR_PORT_IN_USE; tries++)
		err = net_listen(s->net, family ? &at : NULL, rig_free_port(), &port, &diag);
	if (err)
		fail_msg("%s", diag.text);
	return port;
}

uint64_t side_dial(struct side *s, const char *host, uint16_t port)
{
	struct hostport at = { .port = port };
	uint64_t link = 0;

	snprintf(at.host, sizeof(at.host), "%s", host);
	assert_int_equal(net_dial(s->net, &at, &link), 0);
	assert_true(link != 0);
	return link;
}

uint64_t side_dial_raw(struct side *s, int listener, uint16_t port, int *ret_fd)
{
	uint64_t link = side_dial(s, "127.0.0.1", port);

	side_expect(s, NET_CONNECTED, link);
	*ret_fd = raw_accept(listener);
	return link;
}

void side_send(struct side *s, uint64_t link, enum lane lane, const void *at, size_t count)
{
	assert_int_equal(net_send(s->net, link, lane, (struct bytes){ at, count }), 0);
}
