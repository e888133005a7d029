/*
 * Which messages of the kernel are news, and of what.
 */
#include "smegd/kern/watch_priv.h"

#include "smegd/kern/nl_priv.h"
#include "smegd/kern/words_priv.h"
#include "tests/unit/smegd/kern/recorded.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#define OURS 1000002u /* no such links exist where the test runs */
#define THEIRS 1000003u

/* What became of it: D devices, A addresses. */
static const char *news_text(const struct kern_news *news)
{
	if (news->devices_changed)
		return news->addresses_changed ? "DA" : "D";
	return news->addresses_changed ? "A" : "";
}

static const char *feed(struct watch *w, const struct nlmsghdr *m)
{
	struct kern_news news = { .devices_changed = false };

	watch_parse(w, m, m->nlmsg_len, &news);
	return news_text(&news);
}

static const char *feed_link(
	struct watch *w, uint16_t type, uint32_t index, const char *name, uint32_t change)
{
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, type, 0, sizeof(struct ifinfomsg));
	struct ifinfomsg *info = mnl_nlmsg_get_payload(m);

	info->ifi_index = (int)index;
	info->ifi_change = change;
	mnl_attr_put_strz(m, IFLA_IFNAME, name);
	return feed(w, m);
}

static const char *feed_address(struct watch *w, uint32_t index)
{
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, RTM_DELADDR, 0, sizeof(struct ifaddrmsg));
	struct ifaddrmsg *info = mnl_nlmsg_get_payload(m);

	info->ifa_family = AF_INET;
	info->ifa_index = index;
	mnl_attr_put_u32(m, IFA_ADDRESS, 1);
	return feed(w, m);
}

static const char *feed_route(struct watch *w, uint32_t index, uint8_t protocol)
{
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, RTM_DELROUTE, 0, sizeof(struct rtmsg));
	struct rtmsg *info = mnl_nlmsg_get_payload(m);

	info->rtm_family = AF_INET6;
	info->rtm_protocol = protocol;
	mnl_attr_put_u32(m, RTA_OIF, index);
	return feed(w, m);
}

static void watch_init(struct watch *w)
{
	*w = (struct watch){ .device_prefix = "smeg" };
	assert_int_equal(watch_add(w, "smegx", OURS), 0);
}

static void test_what_is_news_of_what(void **state)
{
	struct watch w;

	(void)state;
	watch_init(&w);
	assert_string_equal(feed_link(&w, RTM_NEWLINK, OURS, "smegx", 0), "D");
	assert_string_equal(feed_link(&w, RTM_NEWLINK, THEIRS, "eth0", 0), "");
	assert_string_equal(feed_link(&w, RTM_NEWLINK, THEIRS, "eth0", IFF_UP), "A");
	assert_string_equal(feed_link(&w, RTM_DELLINK, THEIRS, "eth0", 0), "A");
	assert_string_equal(feed_address(&w, OURS), "D");
	assert_string_equal(feed_address(&w, THEIRS), "A");
	assert_string_equal(feed_route(&w, OURS, ROUTE_PROTOCOL_SMEG), "D");
	assert_string_equal(feed_route(&w, OURS, RTPROT_STATIC), "");
	assert_string_equal(feed_route(&w, THEIRS, ROUTE_PROTOCOL_SMEG), "");
	assert_string_equal(feed_route(&w, 0, ROUTE_PROTOCOL_SMEG), "");
	watch_fini(&w);
}

static void test_a_device_is_followed_through_its_lives(void **state)
{
	struct watch w;

	(void)state;
	watch_init(&w);
	assert_string_equal(feed_link(&w, RTM_DELLINK, OURS, "smegx", 0), "D");
	assert_string_equal(feed_route(&w, OURS, ROUTE_PROTOCOL_SMEG), "");
	/* Made again, with another index; its old one goes to somebody else. */
	assert_string_equal(feed_link(&w, RTM_NEWLINK, THEIRS, "smegx", IFF_UP), "D");
	assert_string_equal(feed_address(&w, THEIRS), "D");
	assert_string_equal(feed_address(&w, OURS), "A");
	/* Given another name. */
	assert_string_equal(feed_link(&w, RTM_NEWLINK, THEIRS, "other", 0), "D");
	assert_string_equal(feed_address(&w, THEIRS), "A");
	watch_fini(&w);
}

static void test_what_makes_no_sense_is_all_news(void **state)
{
	struct nl_small b;
	struct nlmsghdr *m = nl_start(b.bytes, RTM_NEWADDR, 0, sizeof(struct ifaddrmsg));
	struct watch w;

	(void)state;
	watch_init(&w);
	/* An address message without any address, and one that is cut off. */
	assert_string_equal(feed(&w, m), "DA");
	m->nlmsg_len -= 4;
	assert_string_equal(feed(&w, m), "DA");
	m->nlmsg_type = 999;
	assert_string_equal(feed(&w, m), "");
	m->nlmsg_len = 4;
	assert_string_equal(feed(&w, m), "DA");
	watch_fini(&w);
}

static void test_a_device_is_added_once(void **state)
{
	struct watch w;

	(void)state;
	watch_init(&w);
	assert_int_equal(watch_add(&w, "smegx", 0), 0);
	assert_int_equal(w.count, 1);
	assert_int_equal(w.devices[0].index, OURS);
	for (uint32_t i = 0; i < 40; i++) {
		char name[DEVICE_NAME_BYTES] = "smeg-";

		name[5] = (char)('A' + i);
		assert_int_equal(watch_add(&w, name, i + 1), 0);
	}
	assert_int_equal(w.count, 41);
	watch_fini(&w);
}

static void test_refusals_are_put_into_words(void **state)
{
	struct op op = { .kind = OP_ADDRESS_ADD };
	struct diag d = { .text = "" };

	(void)state;
	assert_int_equal(addr_parse(&op.address.addr, "10.7.0.1"), 0);
	op.address.bits = 128;
	assert_int_equal(words_for_op(&d, &op, "smegx", -EPERM), -EPERM);
	assert_string_equal(d.text,
	                    "smegx: cannot add the address 10.7.0.1/32: operation not permitted");
	assert_string_equal(d.hint, "run smegd as root or with CAP_NET_ADMIN");
	/* Words that are there say more. */
	op.kind = OP_LINK_UP;
	assert_int_equal(words_for_op(&d, &op, "smegx", -EADDRINUSE), ERR_PORT_IN_USE);
	assert_string_equal(d.hint, "run smegd as root or with CAP_NET_ADMIN");
	d.text[0] = 0;
	assert_int_equal(words_for_op(&d, &op, "smegx", -EADDRINUSE), ERR_PORT_IN_USE);
	assert_string_equal(d.text, "smegx: cannot bring the device up: the port is in use");
	op.kind = OP_ADDRESS_ADD;
	assert_int_equal(words_for_op(NULL, &op, "smegx", -EADDRINUSE), -EADDRINUSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_news_of_what),
		cmocka_unit_test(test_a_device_is_followed_through_its_lives),
		cmocka_unit_test(test_what_makes_no_sense_is_all_news),
		cmocka_unit_test(test_a_device_is_added_once),
		cmocka_unit_test(test_refusals_are_put_into_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
