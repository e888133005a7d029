/*
 * What the kernel says of a WireGuard device becomes a struct device.
 */
#include "smegd/kern/wg_priv.h"

#include "base/err.h"
#include "tests/unit/memtest.h"
#include "tests/unit/smegd/kern/recorded.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>

struct reading {
	struct device device;
	struct collect collect;
	struct arena arena;
};

static void reading_init(struct reading *r, const struct mem *mem)
{
	r->device = (struct device){ .exists = false };
	collect_init(&r->collect, mem);
	arena_init(&r->arena, mem);
}

static void reading_fini(struct reading *r)
{
	collect_fini(&r->collect);
	arena_fini(&r->arena);
}

static int on_message(const struct nlmsghdr *m, void *ctx)
{
	struct reading *r = ctx;

	return wg_parse(m, &r->device, &r->collect);
}

static int reading_recorded(struct reading *r, const char *name)
{
	int err = recorded_parse(name, on_message, r);

	return err ? err : collect_finish(&r->collect, &r->arena, &r->device);
}

static void assert_allowed(const struct wg_peer *p, size_t i, const char *want)
{
	char text[PREFIX_TEXT_BYTES];

	assert_true(i < p->allowed_count);
	prefix_text(&p->allowed[i], text);
	assert_string_equal(text, want);
}

static void assert_endpoint(const struct wg_peer *p, const char *want)
{
	char text[ENDPOINT_TEXT_BYTES];

	assert_true(p->has_endpoint);
	endpoint_text(&p->endpoint, text);
	assert_string_equal(text, want);
}

static void test_a_recorded_device_is_read_whole(void **state)
{
	struct key private_key = recorded_key(0x48);
	struct memtest mt;
	struct reading r;

	(void)state;
	memtest_init(&mt);
	reading_init(&r, &mt.mem);
	assert_int_equal(reading_recorded(&r, "device"), 0);
	assert_true(r.device.has_private_key);
	assert_memory_equal(r.device.private_key, private_key.b, KEY_BYTES);
	assert_int_equal(r.device.listen_port, 5182);
	assert_int_equal(r.device.peers_count, 3);
	for (uint8_t i = 0; i < 3; i++) {
		struct key key = recorded_key((uint8_t)(i + 1));

		assert_true(key_equal(&r.device.peers[i].key, &key));
		assert_int_equal(r.device.peers[i].handshake_ms, 0);
	}
	assert_false(r.device.peers[0].has_endpoint);
	assert_int_equal(r.device.peers[0].allowed_count, 0);
	assert_endpoint(&r.device.peers[1], "[fe80::2%1]:5");
	assert_endpoint(&r.device.peers[2], "198.18.0.2:51820");
	assert_int_equal(r.device.peers[2].keepalive_s, 25);
	assert_int_equal(r.device.peers[2].tx_bytes, 148);
	assert_int_equal(r.device.peers[2].allowed_count, 2);
	assert_allowed(&r.device.peers[2], 0, "10.7.0.3/32");
	assert_allowed(&r.device.peers[2], 1, "fd00:7::3/128");
	reading_fini(&r);
	memtest_assert_no_leak(&mt);
}

static void test_a_peer_goes_on_in_the_next_message(void **state)
{
	struct memtest mt;
	struct reading r;

	(void)state;
	memtest_init(&mt);
	reading_init(&r, &mt.mem);
	assert_int_equal(reading_recorded(&r, "continued"), 0);
	assert_int_equal(r.device.listen_port, 5182);
	assert_true(r.device.has_private_key);
	assert_int_equal(r.device.peers_count, 2);
	assert_int_equal(r.device.peers[0].allowed_count, 1);
	assert_allowed(&r.device.peers[0], 0, "fd00:0:0:9::/64");
	assert_int_equal(r.device.peers[1].keepalive_s, 25);
	assert_int_equal(r.device.peers[1].allowed_count, 4);
	assert_allowed(&r.device.peers[1], 0, "fd00:0:0:1::/64");
	assert_allowed(&r.device.peers[1], 3, "fd00:0:0:4::/64");
	reading_fini(&r);
}

static void test_every_failed_allocation_is_reported(void **state)
{
	int err = -ENOMEM;

	(void)state;
	for (size_t n = 1; err; n++) {
		struct memtest mt;
		struct reading r;

		memtest_failing(&mt, n);
		reading_init(&r, &mt.mem);
		err = reading_recorded(&r, "continued");
		reading_fini(&r);
		memtest_assert_no_leak(&mt);
		assert_true(err == 0 || err == -ENOMEM);
		assert_true(n < 100);
	}
}

static void parse_cut(const struct nlmsghdr *m)
{
	struct reading r;
	uint16_t family;
	int err;

	reading_init(&r, &heap);
	err = wg_parse(m, &r.device, &r.collect);
	assert_true(err == 0 || err == ERR_MALFORMED);
	err = collect_finish(&r.collect, &r.arena, &r.device);
	assert_int_equal(err, 0);
	reading_fini(&r);
	err = wg_parse_family(m, &family);
	assert_true(err == 0 || err == ERR_MALFORMED);
}

static void test_every_truncation_is_survived(void **state)
{
	(void)state;
	recorded_truncate("device", parse_cut);
	recorded_truncate("continued", parse_cut);
	recorded_truncate("family", parse_cut);
}

static int on_family(const struct nlmsghdr *m, void *ctx)
{
	return wg_parse_family(m, ctx);
}

static void test_the_family_has_its_number(void **state)
{
	uint16_t family = 0;

	(void)state;
	assert_int_equal(recorded_parse("family", on_family, &family), 0);
	assert_int_equal(family, 0x20);
}

/* One peer with one allowed IP, each part of which a row can spoil. */
struct peer_row {
	const char *name;
	size_t key_bytes;
	uint16_t endpoint_family;
	size_t endpoint_bytes;
	size_t handshake_bytes;
	int64_t handshake_s;
	int64_t handshake_ns;
	uint16_t family;
	size_t ip_bytes;
	uint8_t bits;
	int err;
};

static const struct peer_row peer_rows[] = {
	{ "good, IPv6", 32, AF_INET6, 28, 16, 5, 7000000, AF_INET6, 16, 128, 0 },
	{ "good, IPv4", 32, AF_INET, 16, 16, 5, 7000000, AF_INET, 4, 32, 0 },
	{ "short key", 31, AF_INET, 16, 16, 5, 0, AF_INET, 4, 32, ERR_MALFORMED },
	{ "long key", 33, AF_INET, 16, 16, 5, 0, AF_INET, 4, 32, ERR_MALFORMED },
	{ "endpoint of another family", 32, AF_INET6, 16, 16, 5, 0, AF_INET, 4, 32, ERR_MALFORMED },
	{ "endpoint of another length", 32, AF_INET, 17, 16, 5, 0, AF_INET, 4, 32, ERR_MALFORMED },
	{ "short endpoint", 32, AF_INET6, 27, 16, 5, 0, AF_INET, 4, 32, ERR_MALFORMED },
	{ "short time", 32, AF_INET, 16, 8, 5, 0, AF_INET, 4, 32, ERR_MALFORMED },
	{ "time before 1970", 32, AF_INET, 16, 16, -1, 0, AF_INET, 4, 32, ERR_MALFORMED },
	{ "time that overflows", 32, AF_INET, 16, 16, INT64_MAX, 0, AF_INET, 4, 32, ERR_MALFORMED },
	{ "nanoseconds", 32, AF_INET, 16, 16, 5, 1000000000, AF_INET, 4, 32, ERR_MALFORMED },
	{ "IPv4 of 33 bits", 32, AF_INET, 16, 16, 5, 0, AF_INET, 4, 33, ERR_MALFORMED },
	{ "IPv6 of 129 bits", 32, AF_INET, 16, 16, 5, 0, AF_INET6, 16, 129, ERR_MALFORMED },
	{ "IPv4 of 16 bytes", 32, AF_INET, 16, 16, 5, 0, AF_INET, 16, 32, ERR_MALFORMED },
	{ "IPv6 of 4 bytes", 32, AF_INET, 16, 16, 5, 0, AF_INET6, 4, 32, ERR_MALFORMED },
	{ "a family to come", 32, AF_INET, 16, 16, 5, 7000000, 77, 4, 32, 0 },
};

static struct nlmsghdr *peer_message(void *buffer, const struct peer_row *row)
{
	struct nlmsghdr *m = nl_start(buffer, 0x20, 0, sizeof(struct genlmsghdr));
	struct nlattr *peers = mnl_attr_nest_start(m, WGDEVICE_A_PEERS);
	struct nlattr *peer = mnl_attr_nest_start(m, 0);
	const int64_t at[2] = { row->handshake_s, row->handshake_ns };
	uint8_t bytes[64] = { 0 };
	struct nlattr *list;
	struct nlattr *item;

	mnl_attr_put(m, WGPEER_A_PUBLIC_KEY, row->key_bytes, bytes);
	memcpy(bytes, &row->endpoint_family, sizeof(row->endpoint_family));
	mnl_attr_put(m, WGPEER_A_ENDPOINT, row->endpoint_bytes, bytes);
	mnl_attr_put(m, WGPEER_A_LAST_HANDSHAKE_TIME, row->handshake_bytes, at);
	list = mnl_attr_nest_start(m, WGPEER_A_ALLOWEDIPS);
	item = mnl_attr_nest_start(m, 0);
	mnl_attr_put_u16(m, WGALLOWEDIP_A_FAMILY, row->family);
	mnl_attr_put(m, WGALLOWEDIP_A_IPADDR, row->ip_bytes, bytes);
	mnl_attr_put_u8(m, WGALLOWEDIP_A_CIDR_MASK, row->bits);
	mnl_attr_nest_end(m, item);
	mnl_attr_nest_end(m, list);
	mnl_attr_nest_end(m, peer);
	mnl_attr_nest_end(m, peers);
	return m;
}

static void test_what_does_not_fit_is_malformed(void **state)
{
	struct nl_small b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(peer_rows); i++) {
		struct reading r;

		print_message("%s\n", peer_rows[i].name);
		reading_init(&r, &heap);
		assert_int_equal(
			wg_parse(peer_message(b.bytes, &peer_rows[i]), &r.device, &r.collect),
			peer_rows[i].err);
		if (!peer_rows[i].err) {
			assert_int_equal(collect_finish(&r.collect, &r.arena, &r.device), 0);
			assert_int_equal(r.device.peers[0].handshake_ms, 5007);
		}
		reading_fini(&r);
	}
}

static void test_a_list_whose_items_do_not_fit_is_malformed(void **state)
{
	static const struct nlattr items[] = {
		{ .nla_len = 8 }, { .nla_len = 200 }, { 0 }, { .nla_len = 3 }
	};
	struct nl_small b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(items); i++) {
		struct nlmsghdr *m = nl_start(b.bytes, 0x20, 0, sizeof(struct genlmsghdr));
		struct reading r;

		mnl_attr_put(m, WGDEVICE_A_PEERS, sizeof(items[i]), &items[i]);
		reading_init(&r, &heap);
		assert_int_equal(wg_parse(m, &r.device, &r.collect), ERR_MALFORMED);
		reading_fini(&r);
	}
}

static void test_a_peer_that_comes_twice_is_malformed(void **state)
{
	struct key one = recorded_key(1);
	struct key two = recorded_key(2);
	struct reading r;

	(void)state;
	reading_init(&r, &heap);
	assert_non_null(collect_peer(&r.collect, &one));
	assert_non_null(collect_peer(&r.collect, &two));
	assert_null(collect_last(&r.collect, &one));
	assert_non_null(collect_peer(&r.collect, &one));
	assert_int_equal(collect_finish(&r.collect, &r.arena, &r.device), ERR_MALFORMED);
	reading_fini(&r);
}

static void test_allowed_ips_are_sorted_and_each_once(void **state)
{
	static const char *const in[] = { "fd00:2::/64", "10.0.0.0/8", "fd00:1::/64", "10.0.0.0/8",
		                          "fd00:1::/48" };
	struct key key = recorded_key(1);
	struct reading r;

	(void)state;
	reading_init(&r, &heap);
	assert_non_null(collect_peer(&r.collect, &key));
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		struct prefix p;

		assert_int_equal(prefix_parse(&p, in[i]), 0);
		assert_int_equal(collect_allowed(&r.collect, &p.addr, p.bits), 0);
	}
	assert_int_equal(collect_finish(&r.collect, &r.arena, &r.device), 0);
	assert_int_equal(r.device.peers[0].allowed_count, 4);
	for (size_t i = 1; i < 4; i++)
		assert_true(prefix_compare(&r.device.peers[0].allowed[i - 1],
		                           &r.device.peers[0].allowed[i]) < 0);
	reading_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_recorded_device_is_read_whole),
		cmocka_unit_test(test_a_peer_goes_on_in_the_next_message),
		cmocka_unit_test(test_every_failed_allocation_is_reported),
		cmocka_unit_test(test_every_truncation_is_survived),
		cmocka_unit_test(test_the_family_has_its_number),
		cmocka_unit_test(test_what_does_not_fit_is_malformed),
		cmocka_unit_test(test_a_list_whose_items_do_not_fit_is_malformed),
		cmocka_unit_test(test_a_peer_that_comes_twice_is_malformed),
		cmocka_unit_test(test_allowed_ips_are_sorted_and_each_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
