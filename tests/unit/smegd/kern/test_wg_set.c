/*
 * Operations become WG_CMD_SET_DEVICE messages: in order, each within the buffer, and saying
 * nothing that was not asked for.
 *
 * A small model of the kernel carries the messages out, by the rules in linux/wireguard.h and the
 * kernel's netlink.c: a message's device settings first, then its peers; REMOVE_ME and UPDATE_ONLY
 * never make a peer; REPLACE_ALLOWEDIPS empties the list first.
 */
#include "smegd/kern/wg_priv.h"

#include "base/err.h"
#include "tests/unit/smegd/kern/recorded.h"

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_MAX 512
#define ALLOWED_MAX 256

struct model_peer {
	struct key key;
	unsigned endpoints; /* how often one was set */
	uint16_t endpoint_port;
	bool has_keepalive;
	uint16_t keepalive_s;
	size_t allowed_count;
	struct prefix allowed[ALLOWED_MAX];
};

struct model {
	bool has_key;
	uint8_t private_key[KEY_BYTES];
	uint16_t port;
	size_t count;
	struct model_peer peers[PEERS_MAX];
	size_t messages;
	size_t bytes_max;
};

static struct model *model_new(void)
{
	struct model *model = calloc(1, sizeof(*model));

	assert_non_null(model);
	return model;
}

static void table_of(const struct nlattr *nest, const struct nlattr **table, uint16_t max)
{
	assert_int_equal(
		nl_attrs(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), table, max),
		0);
}

/* The nested attribute after `item`, the first after NULL; NULL at the end. */
static const struct nlattr *item_after(const struct nlattr *nest, const struct nlattr *item)
{
	const char *start = mnl_attr_get_payload(nest);
	const char *end = start + mnl_attr_get_payload_len(nest);

	item = item ? mnl_attr_next(item) : mnl_attr_get_payload(nest);
	if ((const char *)item >= end)
		return NULL;
	assert_true(mnl_attr_ok(item, (int)(end - (const char *)item)));
	return item;
}

static struct model_peer *model_find(struct model *model, const struct key *key)
{
	for (size_t i = 0; i < model->count; i++) {
		if (key_equal(&model->peers[i].key, key))
			return &model->peers[i];
	}
	return NULL;
}

static void model_allowed(struct model_peer *peer, const struct nlattr *list)
{
	const struct nlattr *item;

	for (item = item_after(list, NULL); item; item = item_after(list, item)) {
		const struct nlattr *table[WGALLOWEDIP_A_MAX + 1];
		struct addr addr = { { 0 } };
		uint8_t bits;
		bool v4;

		table_of(item, table, WGALLOWEDIP_A_MAX);
		v4 = mnl_attr_get_u16(table[WGALLOWEDIP_A_FAMILY]) == AF_INET;
		assert_int_equal(mnl_attr_get_payload_len(table[WGALLOWEDIP_A_IPADDR]),
		                 v4 ? 4 : 16);
		bits = mnl_attr_get_u8(table[WGALLOWEDIP_A_CIDR_MASK]);
		if (v4)
			addr_from_v4(&addr, mnl_attr_get_payload(table[WGALLOWEDIP_A_IPADDR]));
		else
			memcpy(addr.b, mnl_attr_get_payload(table[WGALLOWEDIP_A_IPADDR]), 16);
		assert_true(peer->allowed_count < ALLOWED_MAX);
		prefix_make(&peer->allowed[peer->allowed_count++], &addr,
		            (uint8_t)(bits + (v4 ? 96 : 0)));
	}
}

static void model_endpoint(struct model_peer *peer, const struct nlattr *a)
{
	struct sockaddr_in6 in6 = { .sin6_port = 0 };

	/* The port is at the same place for both families. */
	memcpy(&in6, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	assert_int_equal(mnl_attr_get_payload_len(a),
	                 in6.sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(in6));
	peer->endpoints++;
	peer->endpoint_port = ntohs(in6.sin6_port);
}

static void model_remove(struct model *model, struct model_peer *peer)
{
	if (peer)
		*peer = model->peers[--model->count];
}

static void model_peer(struct model *model, const struct nlattr *item)
{
	const struct nlattr *table[WGPEER_A_MAX + 1];
	struct model_peer *peer;
	struct key key;
	uint32_t flags;

	table_of(item, table, WGPEER_A_MAX);
	assert_int_equal(mnl_attr_get_payload_len(table[WGPEER_A_PUBLIC_KEY]), KEY_BYTES);
	assert_null(table[WGPEER_A_PRESHARED_KEY]);
	memcpy(key.b, mnl_attr_get_payload(table[WGPEER_A_PUBLIC_KEY]), KEY_BYTES);
	flags = nl_u32(table[WGPEER_A_FLAGS], 0);
	peer = model_find(model, &key);
	if (flags & WGPEER_F_REMOVE_ME) {
		model_remove(model, peer);
		return;
	}
	if (!peer && (flags & WGPEER_F_UPDATE_ONLY))
		return;
	if (!peer) {
		assert_true(model->count < PEERS_MAX);
		peer = &model->peers[model->count++];
		*peer = (struct model_peer){ .key = key };
	}
	if (flags & WGPEER_F_REPLACE_ALLOWEDIPS)
		peer->allowed_count = 0;
	if (table[WGPEER_A_ENDPOINT])
		model_endpoint(peer, table[WGPEER_A_ENDPOINT]);
	if (table[WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL]) {
		peer->has_keepalive = true;
		peer->keepalive_s = mnl_attr_get_u16(table[WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL]);
	}
	if (table[WGPEER_A_ALLOWEDIPS])
		model_allowed(peer, table[WGPEER_A_ALLOWEDIPS]);
}

static void model_message(struct model *model, const struct nlmsghdr *m)
{
	const struct genlmsghdr *head = mnl_nlmsg_get_payload(m);
	const struct nlattr *table[WGDEVICE_A_MAX + 1];
	const struct nlattr *item;

	assert_int_equal(m->nlmsg_type, 0x20);
	assert_int_equal(head->cmd, WG_CMD_SET_DEVICE);
	assert_int_equal(nl_message_attrs(m, sizeof(*head), table, WGDEVICE_A_MAX), 0);
	assert_string_equal(mnl_attr_get_str(table[WGDEVICE_A_IFNAME]), "smegx");
	assert_null(table[WGDEVICE_A_FLAGS]);
	assert_null(table[WGDEVICE_A_FWMARK]);
	model->port = nl_u16(table[WGDEVICE_A_LISTEN_PORT], model->port);
	if (table[WGDEVICE_A_PRIVATE_KEY]) {
		model->has_key = true;
		memcpy(model->private_key, mnl_attr_get_payload(table[WGDEVICE_A_PRIVATE_KEY]),
		       KEY_BYTES);
	}
	if (table[WGDEVICE_A_PEERS]) {
		const struct nlattr *peers = table[WGDEVICE_A_PEERS];

		for (item = item_after(peers, NULL); item; item = item_after(peers, item))
			model_peer(model, item);
	}
	model->messages++;
	model->bytes_max = MAX_OF(model->bytes_max, m->nlmsg_len);
}

/* Say all in messages of at most `cap` bytes, in memory that ends there; `between` may be NULL. */
static void say(struct model *model,
                const struct op *ops,
                size_t count,
                size_t cap,
                void (*between)(struct model *))
{
	struct wg_set set = { .family = 0x20, .name = "smegx", .ops = ops, .count = count };
	uint8_t *buffer = malloc(cap);
	struct nlmsghdr *m;

	assert_non_null(buffer);
	while ((m = wg_set_next(&set, buffer, cap))) {
		assert_true(m->nlmsg_len <= cap);
		model_message(model, m);
		if (between)
			between(model);
	}
	free(buffer);
}

/* `ops` of peers that are made, each with `each` allowed IPs of its own; every third is IPv4. */
static struct prefix *many_peers(struct op *ops, size_t count, size_t each)
{
	struct prefix *all = calloc(count * each, sizeof(*all));

	assert_non_null(all);
	for (size_t i = 0; i < count; i++) {
		struct op *op = &ops[i];

		*op = (struct op){ .kind = OP_PEER_SET };
		op->peer.key.b[0] = (uint8_t)i;
		op->peer.key.b[1] = (uint8_t)(i >> 8);
		op->peer.create = true;
		op->peer.replace_allowed = true;
		op->peer.set_keepalive = i % 2;
		op->peer.keepalive_s = (uint16_t)i;
		op->peer.set_endpoint = true;
		op->peer.endpoint.port = (uint16_t)(1000 + i);
		op->peer.endpoint.addr.b[0] = 0xfd;
		if (i % 3 == 0)
			addr_from_v4(&op->peer.endpoint.addr, (const uint8_t[]){ 192, 0, 2, 1 });
		op->peer.allowed = all + i * each;
		op->peer.allowed_count = each;
		for (size_t j = 0; j < each; j++) {
			struct addr a = { { 0xfd, (uint8_t)(i >> 8), (uint8_t)i, (uint8_t)j } };

			if (j % 3 == 0)
				addr_from_v4(&a, (const uint8_t[]){ 10, (uint8_t)(i >> 8),
				                                    (uint8_t)i, (uint8_t)j });
			prefix_make(&op->peer.allowed[j], &a, 128);
		}
	}
	return all;
}

static void assert_peers(const struct model *model, const struct op *ops, size_t count)
{
	assert_int_equal(model->count, count);
	for (size_t i = 0; i < count; i++) {
		const struct model_peer *p = &model->peers[i];

		assert_true(key_equal(&p->key, &ops[i].peer.key));
		assert_int_equal(p->endpoint_port, ops[i].peer.endpoint.port);
		assert_int_equal(p->has_keepalive, ops[i].peer.set_keepalive);
		assert_int_equal(p->allowed_count, ops[i].peer.allowed_count);
		assert_memory_equal(p->allowed, ops[i].peer.allowed,
		                    p->allowed_count * sizeof(*p->allowed));
	}
}

static void test_any_split_says_the_same(void **state)
{
	static const size_t caps[] = { WG_SET_BYTES_MIN, 516, 600, 1000, 4096, NL_REQUEST_BYTES };
	static const struct {
		size_t peers;
		size_t each;
	} shapes[] = { { 500, 7 }, { 3, 200 }, { 20, 0 }, { 50, 1 } };
	static struct op ops[500];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct prefix *all = many_peers(ops, shapes[i].peers, MAX_OF(shapes[i].each, 1));

		for (size_t j = 0; shapes[i].each == 0 && j < shapes[i].peers; j++)
			ops[j].peer.allowed_count = 0;
		for (size_t j = 0; j < ARRAY_LEN(caps); j++) {
			struct model *model = model_new();

			say(model, ops, shapes[i].peers, caps[j], NULL);
			assert_peers(model, ops, shapes[i].peers);
			/* Not again where it goes on: the peer may have roamed. */
			for (size_t n = 0; n < model->count; n++)
				assert_int_equal(model->peers[n].endpoints, 1);
			/* Twice comes to the same. */
			say(model, ops, shapes[i].peers, caps[j], NULL);
			assert_peers(model, ops, shapes[i].peers);
			free(model);
		}
		free(all);
	}
}

static void test_messages_are_filled(void **state)
{
	static struct op ops[500];
	struct prefix *all = many_peers(ops, 500, 7);
	struct model *model = model_new();

	(void)state;
	say(model, ops, 500, NL_REQUEST_BYTES, NULL);
	/* 500 peers of some 80 bytes and 7 allowed IPs of some 40 are 180 KiB. */
	assert_in_range(model->messages, 10, 13);
	assert_true(model->bytes_max > NL_REQUEST_BYTES - 512);
	free(model);
	free(all);
}

static void take_away(struct model *model)
{
	if (model->messages == 1)
		model->count = 0;
}

static void test_a_peer_removed_halfway_stays_removed(void **state)
{
	static struct op ops[1];
	struct prefix *all = many_peers(ops, 1, 200);
	struct model *model = model_new();

	(void)state;
	say(model, ops, 1, 1000, take_away);
	assert_true(model->messages > 3);
	assert_int_equal(model->count, 0);
	free(model);
	free(all);
}

static void test_what_is_not_asked_for_is_not_said(void **state)
{
	struct op ops[] = { { .kind = OP_PEER_SET } };
	struct model *model = model_new();
	struct model_peer *p = &model->peers[0];

	(void)state;
	*p = (struct model_peer){ .endpoint_port = 5, .keepalive_s = 6 };
	p->allowed_count = 1;
	p->allowed[0].bits = 7;
	model->count = 1;
	model->port = 8;
	/* The peer has the key of all zeros, as has the operation. */
	say(model, ops, 1, NL_REQUEST_BYTES, NULL);
	assert_int_equal(model->count, 1);
	assert_int_equal(p->endpoint_port, 5);
	assert_int_equal(p->keepalive_s, 6);
	assert_false(p->has_keepalive);
	assert_int_equal(p->allowed_count, 1);
	assert_int_equal(model->port, 8);
	assert_false(model->has_key);
	free(model);
}

static void test_nothing_is_made_without_create(void **state)
{
	struct op ops[] = { { .kind = OP_PEER_SET }, { .kind = OP_PEER_DEL } };
	struct model *model = model_new();

	(void)state;
	ops[0].peer.replace_allowed = true;
	ops[0].peer.set_keepalive = true;
	say(model, ops, 2, NL_REQUEST_BYTES, NULL);
	assert_int_equal(model->count, 0);
	assert_int_equal(model->messages, 1);
	free(model);
}

static void test_order_is_kept(void **state)
{
	struct op ops[] = {
		{ .kind = OP_DEVICE_KEY, .private_key = { 1 } },
		{ .kind = OP_DEVICE_PORT, .port = 1 },
		{ .kind = OP_PEER_SET, .peer = { .key = { { 1 } }, .create = true } },
		{ .kind = OP_PEER_DEL, .peer = { .key = { { 1 } } } },
		{ .kind = OP_DEVICE_PORT, .port = 2 },
		{ .kind = OP_PEER_SET, .peer = { .key = { { 2 } }, .create = true } },
	};
	struct model *model = model_new();

	(void)state;
	say(model, ops, ARRAY_LEN(ops), NL_REQUEST_BYTES, NULL);
	assert_int_equal(model->messages, 2);
	assert_int_equal(model->port, 2);
	assert_true(model->has_key);
	assert_int_equal(model->private_key[0], 1);
	assert_int_equal(model->count, 1);
	assert_int_equal(model->peers[0].key.b[0], 2);
	free(model);
}

static void test_no_operations_are_no_message(void **state)
{
	struct model *model = model_new();

	(void)state;
	say(model, NULL, 0, NL_REQUEST_BYTES, NULL);
	assert_int_equal(model->messages, 0);
	free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_split_says_the_same),
		cmocka_unit_test(test_messages_are_filled),
		cmocka_unit_test(test_a_peer_removed_halfway_stays_removed),
		cmocka_unit_test(test_what_is_not_asked_for_is_not_said),
		cmocka_unit_test(test_nothing_is_made_without_create),
		cmocka_unit_test(test_order_is_kept),
		cmocka_unit_test(test_no_operations_are_no_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
