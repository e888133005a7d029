/*
 * One daemon's side of the links: a rig with a struct net, driven only by what wake() says.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_NET_SIDE_H
#define SMEG_TESTS_UNIT_SMEGD_NET_SIDE_H

#include "tests/unit/smegd/net/rig.h"

#include "smegd/net/net.h"

struct side {
	struct rig rig;
	struct net *net;
};

void side_open(struct side *s, int64_t connect_timeout_ms);
void side_close(struct side *s); /* net_close(), if it is open, and asserts that nothing leaked */

/* The next news; asserts that there are some within RIG_PATIENCE_MS. */
struct net_news side_next(struct side *s);

/* The same, and asserts kind (and link, unless it is 0). */
struct net_news side_expect(struct side *s, enum net_news_kind kind, uint64_t link);

/* There are none now. */
void side_expect_nothing(struct side *s);

/* Run the loop, which has no news, until so few blocks of memory live: dropped links are gone. */
void side_settle(struct side *s, size_t live);

/* Listen on loopback (family AF_INET, AF_INET6) or everywhere (0). */
uint16_t side_listen(struct side *s, int family);

/* Dial a literal or name. */
uint64_t side_dial(struct side *s, const char *host, uint16_t port);

/* Dial a plain listener; the link is up and *ret_fd the other end. */
uint64_t side_dial_raw(struct side *s, int listener, uint16_t port, int *ret_fd);

void side_send(struct side *s, uint64_t link, enum lane lane, const void *at, size_t count);

#endif
