/*
 * Links, addresses and routes: what the kernel says becomes structs, operations become requests
 * that say no more than was asked for.
 */
#include "smegd/kern/rtnl_priv.h"

#include "base/err.h"
#include "tests/unit/smegd/kern/recorded.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Lines of text for what a recorded datagram says. */
static char said[4096];

static void say(const char *format, ...) PRINTF_LIKE(1, 2);
static void say(const char *format, ...)
{
	size_t at = strlen(said);
	va_list args;

	va_start(args, format);
	vsnprintf(said + at, sizeof(said) - at, format, args);
	va_end(args);
}

static int on_link(const struct nlmsghdr *m, void *ctx)
{
	struct rtnl_link l;

	(void)ctx;
	assert_int_equal(rtnl_parse_link(m, &l), 0);
	say("%u %s '%s' mtu %u %s\n", l.index, l.name, l.kind, l.mtu,
	    l.flags & IFF_UP ? "up" : "down");
	return 0;
}

static int on_address(const struct nlmsghdr *m, void *ctx)
{
	char text[ADDR_TEXT_BYTES];
	struct rtnl_address a;

	(void)ctx;
	assert_int_equal(rtnl_parse_address(m, &a), 0);
	addr_text(&a.address.addr, text);
	say("%u %s bits %u flags %x scope %u\n", a.index, text, a.address.bits, a.flags, a.scope);
	return 0;
}

static int on_route(const struct nlmsghdr *m, void *ctx)
{
	char text[PREFIX_TEXT_BYTES];
	struct rtnl_route r;

	assert_int_equal(rtnl_parse_route(m, &r), 0);
	if (r.table != RT_TABLE_MAIN)
		return 0;
	/* In a request of ours. */
	if (ctx && r.protocol == ROUTE_PROTOCOL_SMEG)
		r.protocol = 0;
	prefix_text(&r.route.to, text);
	say("%s over %u protocol %u type %u metric %u\n", text, r.index, r.protocol, r.type,
	    r.route.metric);
	return 0;
}

static void test_recorded_lists_are_read(void **state)
{
	static const struct {
		const char *name;
		nl_message_fn fn;
		const char *want;
	} rows[] = {
		{ "link", on_link, "2 smegx 'wireguard' mtu 1420 up\n" },
		{ "addresses4", on_address,
		  "1 127.0.0.1 bits 104 flags 80 scope 254\n"
		  "2 10.7.0.1 bits 120 flags 80 scope 0\n"
		  "4 198.18.0.1 bits 112 flags 80 scope 0\n" },
		{ "addresses6", on_address,
		  "1 ::1 bits 128 flags 80 scope 254\n"
		  "2 fd00:7::1 bits 128 flags 282 scope 0\n"
		  "4 fd09::1 bits 64 flags 82 scope 0\n" },
		{ "routes6", on_route,
		  "fd00:7::/64 over 2 protocol 188 type 1 metric 0\n"
		  "fd09::/64 over 4 protocol 2 type 1 metric 256\n" },
		{ "routes4", on_route,
		  "10.7.0.0/24 over 2 protocol 2 type 1 metric 0\n"
		  "10.8.0.0/16 over 2 protocol 188 type 1 metric 50\n"
		  "198.18.0.0/16 over 4 protocol 2 type 1 metric 0\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		said[0] = 0;
		assert_int_equal(recorded_parse(rows[i].name, rows[i].fn, NULL), 0);
		assert_string_equal(said, rows[i].want);
	}
}

static void parse_cut(const struct nlmsghdr *m)
{
	struct rtnl_address a;
	struct rtnl_route r;
	struct rtnl_link l;
	int errs[] = { rtnl_parse_link(m, &l), rtnl_parse_address(m, &a), rtnl_parse_route(m, &r) };

	for (size_t i = 0; i < ARRAY_LEN(errs); i++)
		assert_true(errs[i] == 0 || errs[i] == ERR_MALFORMED || errs[i] == -EAFNOSUPPORT);
}

static void test_every_truncation_is_survived(void **state)
{
	static const char *const names[] = { "link", "addresses4", "addresses6", "routes4",
		                             "routes6" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		recorded_truncate(names[i], parse_cut);
}

static void test_an_own_address_wins_over_the_other_end(void **state)
{
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, RTM_NEWADDR, 0, sizeof(struct ifaddrmsg));
	struct ifaddrmsg *info = mnl_nlmsg_get_payload(m);
	struct rtnl_address a;

	(void)state;
	info->ifa_family = AF_INET;
	info->ifa_prefixlen = 32;
	info->ifa_flags = 1;
	mnl_attr_put(m, IFA_ADDRESS, 4, "\xc0\x00\x02\x02");
	mnl_attr_put(m, IFA_LOCAL, 4, "\xc0\x00\x02\x01");
	assert_int_equal(rtnl_parse_address(m, &a), 0);
	assert_int_equal(a.address.addr.b[15], 1);
	assert_int_equal(a.flags, 1);
	info->ifa_prefixlen = 33;
	assert_int_equal(rtnl_parse_address(m, &a), ERR_MALFORMED);
	info->ifa_prefixlen = 32;
	info->ifa_family = AF_INET6;
	assert_int_equal(rtnl_parse_address(m, &a), ERR_MALFORMED);
	info->ifa_family = 77;
	assert_int_equal(rtnl_parse_address(m, &a), -EAFNOSUPPORT);
}

static void test_which_links_are_usable(void **state)
{
	static const struct {
		const char *name;
		const char *kind;
		uint32_t flags;
		bool want;
	} rows[] = {
		{ "eth0", "", IFF_UP, true },
		{ "eth0", "", 0, false },
		{ "lo", "", IFF_UP | IFF_LOOPBACK, false },
		{ "eth0", "veth", IFF_UP, true },
		{ "br0", "bridge", IFF_UP, true },
		{ "eth0.7", "vlan", IFF_UP, true },
		{ "he", "sit", IFF_UP, true },
		{ "ppp0", "ppp", IFF_UP | IFF_POINTOPOINT, true },
		{ "smeghome", "", IFF_UP, false },
		{ "smeg", "veth", IFF_UP, false },
		{ "smee", "veth", IFF_UP, true },
		{ "wg0", "wireguard", IFF_UP, false },
		{ "tailscale0", "tun", IFF_UP, false },
		{ "gre1", "gre", IFF_UP, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rtnl_link l = { .flags = rows[i].flags };

		strcpy(l.name, rows[i].name);
		strcpy(l.kind, rows[i].kind);
		print_message("%s %s\n", l.name, l.kind);
		assert_int_equal(rtnl_link_is_usable(&l, "smeg"), rows[i].want);
	}
}

static void test_which_addresses_are_usable(void **state)
{
	static const struct {
		const char *text;
		uint32_t flags;
		uint8_t scope;
		bool want;
	} rows[] = {
		{ "2001:db8::1", IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, true },
		{ "192.0.2.1", IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, true },
		{ "fd00::1", IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, true },
		{ "2001:db8::1", IFA_F_TEMPORARY, RT_SCOPE_UNIVERSE, false },
		{ "192.0.2.1", IFA_F_SECONDARY, RT_SCOPE_UNIVERSE, true },
		{ "2001:db8::1", IFA_F_DEPRECATED, RT_SCOPE_UNIVERSE, false },
		{ "2001:db8::1", IFA_F_TENTATIVE, RT_SCOPE_UNIVERSE, false },
		{ "2001:db8::1", IFA_F_TENTATIVE | IFA_F_OPTIMISTIC, RT_SCOPE_UNIVERSE, true },
		{ "2001:db8::1", IFA_F_TENTATIVE | IFA_F_DADFAILED, RT_SCOPE_UNIVERSE, false },
		{ "fe80::1", IFA_F_PERMANENT, RT_SCOPE_LINK, false },
		{ "fe80::1", IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, false },
		{ "192.0.2.1", IFA_F_PERMANENT, RT_SCOPE_LINK, false },
		{ "169.254.1.1", IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, false },
		{ "127.0.0.2", IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, false },
		{ "::1", IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, false },
		{ "ff02::1", IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rtnl_address a = { .flags = rows[i].flags, .scope = rows[i].scope };

		print_message("%s %x\n", rows[i].text, rows[i].flags);
		assert_int_equal(addr_parse(&a.address.addr, rows[i].text), 0);
		assert_int_equal(rtnl_address_is_usable(&a), rows[i].want);
	}
}

/* What a request says, by the parsers. */
static void say_request(const struct nlmsghdr *m)
{
	said[0] = 0;
	say("%u/%x ", m->nlmsg_type, m->nlmsg_flags);
	if (m->nlmsg_type == RTM_NEWADDR || m->nlmsg_type == RTM_DELADDR)
		on_address(m, NULL);
	else if (m->nlmsg_type == RTM_NEWROUTE || m->nlmsg_type == RTM_DELROUTE)
		on_route(m, said);
	else
		on_link(m, NULL);
}

static void test_requests_say_what_was_asked(void **state)
{
	struct nl_small b;
	struct op op = { .kind = OP_ADDRESS_ADD };

	(void)state;
	assert_int_equal(addr_parse(&op.address.addr, "fd00:7::1"), 0);
	op.address.bits = 128;
	say_request(rtnl_request(b.bytes, &op, 5));
	assert_string_equal(said, "20/600 5 fd00:7::1 bits 128 flags 202 scope 0\n");
	op.kind = OP_ADDRESS_DEL;
	assert_int_equal(addr_parse(&op.address.addr, "10.7.0.1"), 0);
	op.address.bits = 120;
	say_request(rtnl_request(b.bytes, &op, 5));
	assert_string_equal(said, "21/0 5 10.7.0.1 bits 120 flags 0 scope 0\n");
	op.kind = OP_ROUTE_ADD;
	assert_int_equal(prefix_parse(&op.route.to, "10.7.0.0/16"), 0);
	op.route.metric = 50;
	say_request(rtnl_request(b.bytes, &op, 5));
	assert_string_equal(said, "24/c00 10.7.0.0/16 over 5 protocol 0 type 1 metric 50\n");
	op.kind = OP_ROUTE_DEL;
	assert_int_equal(prefix_parse(&op.route.to, "fd00:7::/64"), 0);
	say_request(rtnl_request(b.bytes, &op, 5));
	assert_string_equal(said, "25/0 fd00:7::/64 over 5 protocol 0 type 1 metric 50\n");
}

static void test_a_default_metric_is_written_out(void **state)
{
	struct op op = { .kind = OP_ROUTE_DEL };
	const struct nlattr *table[RTA_MAX + 1];
	struct nl_small b;

	(void)state;
	assert_int_equal(prefix_parse(&op.route.to, "fd00:7::/64"), 0);
	assert_int_equal(nl_message_attrs(rtnl_request(b.bytes, &op, 5), sizeof(struct rtmsg),
	                                  table, RTA_MAX),
	                 0);
	assert_int_equal(nl_u32(table[RTA_PRIORITY], 0), 1024);
	assert_int_equal(prefix_parse(&op.route.to, "0.0.0.0/0"), 0);
	assert_int_equal(nl_message_attrs(rtnl_request(b.bytes, &op, 5), sizeof(struct rtmsg),
	                                  table, RTA_MAX),
	                 0);
	assert_null(table[RTA_PRIORITY]);
}

static void test_link_requests_name_one_thing(void **state)
{
	struct op op = { .kind = OP_LINK_MTU, .mtu = 1380 };
	const struct ifinfomsg *info;
	struct nlmsghdr *m;
	struct nl_small b;

	(void)state;
	m = rtnl_request(b.bytes, &op, 5);
	info = mnl_nlmsg_get_payload(m);
	say_request(m);
	assert_string_equal(said, "19/0 5  '' mtu 1380 down\n");
	assert_int_equal(info->ifi_change, 0);
	op.kind = OP_LINK_UP;
	m = rtnl_request(b.bytes, &op, 5);
	say_request(m);
	assert_string_equal(said, "19/0 5  '' mtu 0 up\n");
	assert_int_equal(info->ifi_change, IFF_UP);
	op.kind = OP_LINK_DEL;
	say_request(rtnl_request(b.bytes, &op, 5));
	assert_string_equal(said, "17/0 5  '' mtu 0 down\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_lists_are_read),
		cmocka_unit_test(test_every_truncation_is_survived),
		cmocka_unit_test(test_an_own_address_wins_over_the_other_end),
		cmocka_unit_test(test_which_links_are_usable),
		cmocka_unit_test(test_which_addresses_are_usable),
		cmocka_unit_test(test_requests_say_what_was_asked),
		cmocka_unit_test(test_a_default_metric_is_written_out),
		cmocka_unit_test(test_link_requests_name_one_thing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
