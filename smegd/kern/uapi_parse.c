/*
 * From the text of a userspace WireGuard's reply to plain structs.
 *
 * A reply is lines of key=value, the last being errno=, and an empty line.  Lines before the first
 * public_key= are of the device, those after of the peer named last.  Values are taken strictly:
 * digits and nothing else in a number, 64 digits in a key, a limit on everything.  Keys that we do
 * not know are passed over, as a newer wireguard-go may tell more; preshared keys, the protocol
 * version and the firewall mark are among them, being none of ours.
 *
 * The zone of a link-local endpoint is dropped: wireguard-go takes one and does not give it back,
 * so comparing it would never come to rest.
 */
#include "smegd/kern/uapi_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

/* A part of the reply, not terminated. */
struct span {
	const char *at;
	size_t count;
};

/* Where lines go. */
struct sink {
	struct device *device;
	struct collect *collect;
	struct wg_peer *peer; /* NULL before the first */
	bool is_done;         /* errno= was read */
	int verdict;
};

static bool span_is(struct span s, const char *text)
{
	return s.count == strlen(text) && memcmp(s.at, text, s.count) == 0;
}

/* Digits only, at most `max`. */
static int read_number(struct span s, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (s.count == 0 || s.count > 20)
		return ERR_MALFORMED;
	for (size_t i = 0; i < s.count; i++) {
		unsigned digit = (unsigned char)s.at[i] - (unsigned)'0';

		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return ERR_MALFORMED;
		n = n * 10 + digit;
	}
	if (n > max)
		return ERR_MALFORMED;
	*ret = n;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int read_key(struct span s, uint8_t out[KEY_BYTES])
{
	if (s.count != 2 * KEY_BYTES)
		return ERR_MALFORMED;
	for (size_t i = 0; i < KEY_BYTES; i++) {
		int high = hex_digit(s.at[2 * i]);
		int low = hex_digit(s.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return ERR_MALFORMED;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int read_addr(struct span s, struct addr *ret)
{
	char text[ADDR_TEXT_BYTES];

	if (s.count >= sizeof(text) || memchr(s.at, 0, s.count))
		return ERR_MALFORMED;
	memcpy(text, s.at, s.count);
	text[s.count] = 0;
	return addr_parse(ret, text);
}

/* Split at the last `c`: what is before it stays in *s, what is after goes to *ret_rest. */
static int split_last(struct span *s, char c, struct span *ret_rest)
{
	const char *at = s->count > 0 ? memrchr(s->at, c, s->count) : NULL;

	if (!at)
		return ERR_MALFORMED;
	*ret_rest = (struct span){ at + 1, s->count - (size_t)(at - s->at) - 1 };
	s->count = (size_t)(at - s->at);
	return 0;
}

static int on_private_key(struct sink *k, struct span value)
{
	static const uint8_t none[KEY_BYTES];
	int err = read_key(value, k->device->private_key);

	if (!err)
		k->device->has_private_key = memcmp(k->device->private_key, none, KEY_BYTES) != 0;
	return err;
}

static int on_listen_port(struct sink *k, struct span value)
{
	uint64_t port = 0;
	int err = read_number(value, UINT16_MAX, &port);

	k->device->listen_port = (uint16_t)port;
	return err;
}

static int on_public_key(struct sink *k, struct span value)
{
	struct key key;
	int err = read_key(value, key.b);

	if (err)
		return err;
	k->peer = collect_peer(k->collect, &key);
	return k->peer ? 0 : -ENOMEM;
}

static int on_endpoint(struct sink *k, struct span value)
{
	struct span rest;
	struct addr addr;
	uint64_t port;
	const char *zone;
	int err = split_last(&value, ':', &rest);

	if (!err)
		err = read_number(rest, UINT16_MAX, &port);
	if (err)
		return err;
	if (value.count >= 2 && value.at[0] == '[' && value.at[value.count - 1] == ']') {
		value = (struct span){ value.at + 1, value.count - 2 };
		zone = memchr(value.at, '%', value.count);
		if (zone)
			value.count = (size_t)(zone - value.at);
	}
	err = read_addr(value, &addr);
	if (err)
		return err;
	k->peer->endpoint = (struct endpoint){ .addr = addr, .port = (uint16_t)port };
	k->peer->has_endpoint = true;
	return 0;
}

static int on_handshake_s(struct sink *k, struct span value)
{
	uint64_t s = 0;
	int err = read_number(value, INT64_MAX / MS_PER_SECOND - 1, &s);

	k->peer->handshake_ms += (int64_t)s * MS_PER_SECOND;
	return err;
}

static int on_handshake_ns(struct sink *k, struct span value)
{
	uint64_t ns = 0;
	int err = read_number(value, 999999999, &ns);

	k->peer->handshake_ms += (int64_t)(ns / 1000000);
	return err;
}

static int on_rx_bytes(struct sink *k, struct span value)
{
	return read_number(value, UINT64_MAX, &k->peer->rx_bytes);
}

static int on_tx_bytes(struct sink *k, struct span value)
{
	return read_number(value, UINT64_MAX, &k->peer->tx_bytes);
}

static int on_keepalive(struct sink *k, struct span value)
{
	uint64_t s = 0;
	int err = read_number(value, UINT16_MAX, &s);

	k->peer->keepalive_s = (uint16_t)s;
	return err;
}

static int on_allowed_ip(struct sink *k, struct span value)
{
	struct span rest;
	struct addr addr;
	uint64_t bits;
	uint8_t before;
	int err = split_last(&value, '/', &rest);

	if (!err)
		err = read_addr(value, &addr);
	if (err)
		return err;
	/* Dotted text counts within 32; a mapped address in IPv6 text does not. */
	before = value.count > 0 && !memchr(value.at, ':', value.count) ? 96 : 0;
	err = read_number(rest, 128u - before, &bits);
	return err ? err : collect_allowed(k->collect, &addr, (uint8_t)(bits + before));
}

static int on_errno(struct sink *k, struct span value)
{
	uint64_t n = 0;
	int err;

	/* Said to be positive; wireguard-go says it negative. */
	if (value.count > 0 && value.at[0] == '-')
		value = (struct span){ value.at + 1, value.count - 1 };
	err = read_number(value, 4095, &n);
	k->verdict = -(int)n;
	k->is_done = true;
	return err;
}

static const struct {
	const char *key;
	int (*read)(struct sink *k, struct span value);
	bool is_of_peer;
} lines[] = {
	{ "private_key", on_private_key, false },
	{ "listen_port", on_listen_port, false },
	{ "public_key", on_public_key, false },
	{ "endpoint", on_endpoint, true },
	{ "last_handshake_time_sec", on_handshake_s, true },
	{ "last_handshake_time_nsec", on_handshake_ns, true },
	{ "rx_bytes", on_rx_bytes, true },
	{ "tx_bytes", on_tx_bytes, true },
	{ "persistent_keepalive_interval", on_keepalive, true },
	{ "allowed_ip", on_allowed_ip, true },
	{ "errno", on_errno, false },
};

static int parse_line(struct sink *k, struct span line)
{
	const char *sign = line.count > 0 ? memchr(line.at, '=', line.count) : NULL;
	struct span key;
	struct span value;

	if (!sign)
		return ERR_MALFORMED;
	key = (struct span){ line.at, (size_t)(sign - line.at) };
	value = (struct span){ sign + 1, line.count - key.count - 1 };
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		if (!span_is(key, lines[i].key))
			continue;
		if (lines[i].is_of_peer && !k->peer)
			return ERR_MALFORMED;
		return lines[i].read(k, value);
	}
	return 0;
}

int uapi_parse(const char *text, size_t bytes, struct device *device, struct collect *collect)
{
	struct sink k = { .device = device, .collect = collect };
	const char *end = text + bytes;
	const char *at = text;
	int err;

	while (!k.is_done) {
		const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;

		if (!stop)
			return ERR_TRUNCATED;
		err = parse_line(&k, (struct span){ at, (size_t)(stop - at) });
		if (err)
			return err;
		at = stop + 1;
	}
	if (at == end)
		return ERR_TRUNCATED;
	return end - at == 1 && *at == '\n' ? k.verdict : ERR_MALFORMED;
}
