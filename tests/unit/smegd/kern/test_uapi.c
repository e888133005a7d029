/*
 * The text protocol of a userspace WireGuard, both ways.
 */
#include "smegd/kern/uapi_priv.h"

#include "tests/unit/memtest.h"
#include "tests/unit/smegd/kern/recorded.h"

#include <errno.h>
#include <stdio.h>

#define KEY_1 "0101010101010101010101010101010101010101010101010101010101010140"
#define KEY_2 "0202020202020202020202020202020202020202020202020202020202020240"
#define END "errno=0\n\n"

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

/* In memory that ends where the text ends. */
static int reading_text(struct reading *r, const char *text, size_t count)
{
	char *copy = malloc(count > 0 ? count : 1);
	int err;

	assert_non_null(copy);
	memcpy(copy, text, count);
	err = uapi_parse(copy, count, &r->device, &r->collect);
	free(copy);
	return err ? err : collect_finish(&r->collect, &r->arena, &r->device);
}

static void test_a_recorded_reply_is_read_whole(void **state)
{
	struct key private_key = recorded_key(0x48);
	struct bytes b = recorded("uapi/get");
	char text[ENDPOINT_TEXT_BYTES];
	const struct wg_peer *peers;
	struct memtest mt;
	struct reading r;

	(void)state;
	memtest_init(&mt);
	reading_init(&r, &mt.mem);
	assert_int_equal(reading_text(&r, (const char *)b.at, b.count), 0);
	recorded_free(b);
	peers = r.device.peers;
	assert_true(r.device.has_private_key);
	assert_memory_equal(r.device.private_key, private_key.b, KEY_BYTES);
	assert_int_equal(r.device.listen_port, 5182);
	assert_int_equal(r.device.peers_count, 3);
	for (uint8_t i = 0; i < 3; i++) {
		struct key key = recorded_key((uint8_t)(i + 1));

		assert_true(key_equal(&peers[i].key, &key));
	}
	assert_false(peers[0].has_endpoint);
	endpoint_text(&peers[1].endpoint, text);
	assert_string_equal(text, "[fd09::2]:5");
	endpoint_text(&peers[2].endpoint, text);
	assert_string_equal(text, "198.18.0.2:51820");
	assert_int_equal(peers[2].keepalive_s, 25);
	assert_int_equal(peers[2].tx_bytes, 148);
	assert_int_equal(peers[2].allowed_count, 3);
	prefix_text(&peers[2].allowed[0], text);
	assert_string_equal(text, "::/0");
	prefix_text(&peers[2].allowed[1], text);
	assert_string_equal(text, "10.7.0.3/32");
	reading_fini(&r);
	memtest_assert_no_leak(&mt);
}

static void test_a_reply_cut_anywhere_is_an_error(void **state)
{
	struct bytes b = recorded("uapi/get");

	(void)state;
	for (size_t count = 0; count < b.count; count++) {
		struct reading r;

		reading_init(&r, &heap);
		assert_int_equal(reading_text(&r, (const char *)b.at, count), ERR_TRUNCATED);
		reading_fini(&r);
	}
	recorded_free(b);
}

static void test_every_failed_allocation_is_reported(void **state)
{
	struct bytes b = recorded("uapi/get");
	int err = -ENOMEM;

	(void)state;
	for (size_t n = 1; err; n++) {
		struct memtest mt;
		struct reading r;

		memtest_failing(&mt, n);
		reading_init(&r, &mt.mem);
		err = reading_text(&r, (const char *)b.at, b.count);
		reading_fini(&r);
		memtest_assert_no_leak(&mt);
		assert_true(err == 0 || err == -ENOMEM);
		assert_true(n < 100);
	}
	recorded_free(b);
}

static void test_what_a_reply_may_say(void **state)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = {
		{ END, 0 },
		{ "errno=-22\n\n", -EINVAL },
		{ "errno=98\n\n", -EADDRINUSE },
		{ "errno=4096\n\n", ERR_MALFORMED },
		{ "errno=\n\n", ERR_MALFORMED },
		{ "errno=--2\n\n", ERR_MALFORMED },
		{ "errno=0\n\n\n", ERR_MALFORMED },
		{ "errno=0\nmore=1\n\n", ERR_MALFORMED },
		{ "\n", ERR_MALFORMED },
		{ "\n" END, ERR_MALFORMED },
		{ "no sign\n" END, ERR_MALFORMED },
		{ "a_key_to_come=anything at all\n" END, 0 },
		{ "=\n" END, 0 },
		{ "listen_port=0\n" END, 0 },
		{ "listen_port=65535\n" END, 0 },
		{ "listen_port=65536\n" END, ERR_MALFORMED },
		{ "listen_port=+1\n" END, ERR_MALFORMED },
		{ "listen_port=-1\n" END, ERR_MALFORMED },
		{ "listen_port= 1\n" END, ERR_MALFORMED },
		{ "listen_port=1 \n" END, ERR_MALFORMED },
		{ "listen_port=\n" END, ERR_MALFORMED },
		{ "listen_port=0x1\n" END, ERR_MALFORMED },
		{ "listen_port=99999999999999999999999\n" END, ERR_MALFORMED },
		{ "private_key=" KEY_1 "\n" END, 0 },
		{ "private_key=" KEY_1 "0\n" END, ERR_MALFORMED },
		{ "private_key=01\n" END, ERR_MALFORMED },
		{ "private_key=g" KEY_1 "\n" END, ERR_MALFORMED },
		{ "public_key=" KEY_1 "\npublic_key=" KEY_2 "\n" END, 0 },
		{ "public_key=" KEY_1 "\npublic_key=" KEY_1 "\n" END, ERR_MALFORMED },
		{ "public_key=\n" END, ERR_MALFORMED },
		{ "endpoint=1.2.3.4:5\n" END, ERR_MALFORMED },
		{ "allowed_ip=::/0\n" END, ERR_MALFORMED },
		{ "rx_bytes=1\n" END, ERR_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reading r;

		print_message("%s", rows[i].text);
		reading_init(&r, &heap);
		assert_int_equal(reading_text(&r, rows[i].text, strlen(rows[i].text)), rows[i].err);
		reading_fini(&r);
	}
}

static void test_what_it_may_say_of_a_peer(void **state)
{
	static const struct {
		const char *line;
		int err;
	} rows[] = {
		{ "endpoint=1.2.3.4:5", 0 },
		{ "endpoint=[fe80::1%eth0]:5", 0 },
		{ "endpoint=[fe80::1]:5", 0 },
		{ "endpoint=[::ffff:1.2.3.4]:5", 0 },
		{ "endpoint=1.2.3.4", ERR_MALFORMED },
		{ "endpoint=1.2.3.4:", ERR_MALFORMED },
		{ "endpoint=1.2.3.4:65536", ERR_MALFORMED },
		{ "endpoint=[]:5", ERR_MALFORMED },
		{ "endpoint=[:5", ERR_MALFORMED },
		{ "endpoint=", ERR_MALFORMED },
		{ "endpoint=host:5", ERR_MALFORMED },
		{ "last_handshake_time_sec=9223372036854775", ERR_MALFORMED },
		{ "last_handshake_time_sec=1700000000", 0 },
		{ "last_handshake_time_nsec=999999999", 0 },
		{ "last_handshake_time_nsec=1000000000", ERR_MALFORMED },
		{ "rx_bytes=18446744073709551615", 0 },
		{ "rx_bytes=18446744073709551616", ERR_MALFORMED },
		{ "persistent_keepalive_interval=65535", 0 },
		{ "persistent_keepalive_interval=65536", ERR_MALFORMED },
		{ "allowed_ip=10.0.0.0/8", 0 },
		{ "allowed_ip=10.0.0.1/8", 0 },
		{ "allowed_ip=10.0.0.0/33", ERR_MALFORMED },
		{ "allowed_ip=fd00::/128", 0 },
		{ "allowed_ip=fd00::/129", ERR_MALFORMED },
		{ "allowed_ip=fd00::", ERR_MALFORMED },
		{ "allowed_ip=/8", ERR_MALFORMED },
		{ "allowed_ip=0000:0000:0000:0000:0000:0000:0000:0000:0000/8", ERR_MALFORMED },
		{ "allowed_ip=" KEY_1 KEY_1 KEY_1 "/8", ERR_MALFORMED },
		{ "allowed_ip=fd00::/", ERR_MALFORMED },
		{ "preshared_key=what is not ours is not looked at", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reading r;
		char text[512];

		print_message("%s\n", rows[i].line);
		snprintf(text, sizeof(text), "public_key=" KEY_1 "\n%s\n" END, rows[i].line);
		reading_init(&r, &heap);
		assert_int_equal(reading_text(&r, text, strlen(text)), rows[i].err);
		reading_fini(&r);
	}
}

static void test_values_arrive(void **state)
{
	static const char text[] = "public_key=" KEY_1 "\nendpoint=[fe80::1%eth0]:5\n"
				   "last_handshake_time_sec=1700000000\n"
				   "last_handshake_time_nsec=123999999\n"
				   "allowed_ip=10.9.8.7/8\n" END;
	struct reading r;
	char printed[ENDPOINT_TEXT_BYTES];

	(void)state;
	reading_init(&r, &heap);
	assert_int_equal(reading_text(&r, text, strlen(text)), 0);
	endpoint_text(&r.device.peers[0].endpoint, printed);
	assert_string_equal(printed, "[fe80::1]:5");
	assert_int_equal(r.device.peers[0].endpoint.zone, 0);
	assert_int_equal(r.device.peers[0].handshake_ms, 1700000000123);
	prefix_text(&r.device.peers[0].allowed[0], printed);
	assert_string_equal(printed, "10.0.0.0/8");
	reading_fini(&r);
}

static void assert_op_text(const struct op *op, const char *want)
{
	struct secret s = { .at = NULL };

	uapi_add_op(&s, op);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.count, strlen(want));
	assert_memory_equal(s.at, want, s.count);
	secret_fini(&s);
}

static void test_operations_say_what_was_asked(void **state)
{
	struct prefix allowed[2];
	struct op op = { .kind = OP_DEVICE_PORT, .port = 5182 };
	struct key key = recorded_key(1);

	(void)state;
	assert_op_text(&op, "listen_port=5182\n");
	op = (struct op){ .kind = OP_DEVICE_KEY };
	memcpy(op.private_key, key.b, KEY_BYTES);
	assert_op_text(&op, "private_key=" KEY_1 "\n");
	op = (struct op){ .kind = OP_PEER_DEL, .peer.key = key };
	assert_op_text(&op, "public_key=" KEY_1 "\nupdate_only=true\nremove=true\n");
	op.kind = OP_PEER_SET;
	assert_op_text(&op, "public_key=" KEY_1 "\nupdate_only=true\n");
	op.peer.create = true;
	assert_op_text(&op, "public_key=" KEY_1 "\n");
	op.peer.set_keepalive = true;
	op.peer.set_endpoint = true;
	op.peer.endpoint.port = 5;
	op.peer.endpoint.zone = 2;
	assert_int_equal(addr_parse(&op.peer.endpoint.addr, "fe80::1"), 0);
	op.peer.replace_allowed = true;
	assert_int_equal(prefix_parse(&allowed[0], "10.0.0.0/8"), 0);
	assert_int_equal(prefix_parse(&allowed[1], "::/0"), 0);
	op.peer.allowed = allowed;
	op.peer.allowed_count = 2;
	assert_op_text(&op, "public_key=" KEY_1 "\nendpoint=[fe80::1%2]:5\n"
	                    "persistent_keepalive_interval=0\nreplace_allowed_ips=true\n"
	                    "allowed_ip=10.0.0.0/8\nallowed_ip=::/0\n");
	assert_int_equal(addr_parse(&op.peer.endpoint.addr, "192.0.2.1"), 0);
	op.peer.allowed_count = 0;
	op.peer.set_keepalive = false;
	op.peer.replace_allowed = false;
	assert_op_text(&op, "public_key=" KEY_1 "\nendpoint=192.0.2.1:5\n");
}

static void test_secrets_grow(void **state)
{
	struct secret s = { .at = NULL };

	(void)state;
	for (int i = 0; i < 3000; i++)
		secret_add(&s, "%06d\n", i);
	assert_int_equal(s.count, 21000);
	assert_memory_equal(s.at + 20993, "002999\n", 7);
	secret_fini(&s);
	assert_null(s.at);
	secret_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_recorded_reply_is_read_whole),
		cmocka_unit_test(test_a_reply_cut_anywhere_is_an_error),
		cmocka_unit_test(test_every_failed_allocation_is_reported),
		cmocka_unit_test(test_what_a_reply_may_say),
		cmocka_unit_test(test_what_it_may_say_of_a_peer),
		cmocka_unit_test(test_values_arrive),
		cmocka_unit_test(test_operations_say_what_was_asked),
		cmocka_unit_test(test_secrets_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
