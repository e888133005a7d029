/*
 * Everything that reads netlink messages: what comes out is within its bounds, sorted, each once.
 *
 * The input is a datagram.  Its first message says which sequence number and port are waited for,
 * so that most inputs are taken for an answer.  The same bytes are then taken for news.
 */
#include "base/err.h"
#include "smegd/kern/rtnl_priv.h"
#include "smegd/kern/watch_priv.h"
#include "smegd/kern/wg_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What WireGuard's messages of the datagram go into. */
struct reading {
	struct device device;
	struct collect collect;
};

static bool is_expected(int err)
{
	return err == 0 || err == ERR_MALFORMED || err == -EAFNOSUPPORT;
}

static int on_message(const struct nlmsghdr *m, void *ctx)
{
	struct reading *r = ctx;
	struct rtnl_address address;
	struct rtnl_route route;
	struct rtnl_link link;
	uint16_t family;
	int err;

	err = rtnl_parse_link(m, &link);
	assert(is_expected(err));
	if (!err) {
		assert(memchr(link.name, 0, sizeof(link.name)));
		assert(memchr(link.kind, 0, sizeof(link.kind)));
	}
	err = rtnl_parse_address(m, &address);
	assert(is_expected(err));
	assert(err || address.address.bits <= 128);
	err = rtnl_parse_route(m, &route);
	assert(is_expected(err));
	assert(err || route.route.to.bits <= 128);
	assert(is_expected(wg_parse_family(m, &family)));
	err = wg_parse(m, &r->device, &r->collect);
	assert(is_expected(err));
	return 0;
}

static void device_check(const struct device *d)
{
	for (size_t i = 0; i < d->peers_count; i++) {
		const struct wg_peer *p = &d->peers[i];

		assert(i == 0 || key_compare(&d->peers[i - 1].key, &p->key) < 0);
		assert(p->handshake_ms >= 0);
		for (size_t j = 0; j < p->allowed_count; j++) {
			assert(p->allowed[j].bits <= 128);
			assert(j == 0 || prefix_compare(&p->allowed[j - 1], &p->allowed[j]) < 0);
		}
	}
}

static void fuzz_answer(const uint8_t *datagram, size_t size)
{
	struct nlmsghdr first = { .nlmsg_len = 0 };
	struct reading r = { .device = { .exists = false } };
	struct nl_await await = { .fn = on_message, .ctx = &r };
	struct arena arena;

	memcpy(&first, datagram, MIN_OF(size, sizeof(first)));
	await.seq = first.nlmsg_seq;
	await.port = first.nlmsg_pid;
	collect_init(&r.collect, &heap);
	arena_init(&arena, &heap);
	nl_parse(datagram, size, &await);
	if (collect_finish(&r.collect, &arena, &r.device) == 0)
		device_check(&r.device);
	arena_fini(&arena);
	collect_fini(&r.collect);
}

static void fuzz_news(const uint8_t *datagram, size_t size)
{
	struct watched device = { .name = "smegx", .index = 2 };
	struct watch w = { .device_prefix = "smeg", .devices = &device, .count = 1, .cap = 1 };
	struct kern_news news = { .addresses_changed = false };

	watch_parse(&w, datagram, size, &news);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Aligned as the kernel's buffers are, and of just that size. */
	uint8_t *datagram = malloc(size > 0 ? size : 1);

	if (!datagram)
		return 0;
	if (size > 0)
		memcpy(datagram, data, size);
	fuzz_answer(datagram, size);
	fuzz_news(datagram, size);
	free(datagram);
	return 0;
}
