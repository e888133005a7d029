/*
 * Parsing, printing and comparing addresses.
 *
 * The parsers are our own, for two reasons: they work on a part of a text (the address within
 * "[fd00::1]:51820") without copying it, and they are strict where resolvers are not.  What
 * inet_aton() takes for an address ("127.1", "0x7f000001", "010.0.0.1") is neither an address nor a
 * host name here: a name whose last label is a number is refused, since getaddrinfo() would read
 * it as another address than the person who wrote it (the URL standard has the same rule).
 *
 * One value, one text: printing follows RFC 5952, and a numeric host in a hostport is stored in
 * that form.  Parsing takes every RFC 4291 form but a zone.  "::ffff:1.2.3.4" is the IPv4 address,
 * since that is how IPv4 is held; a prefix written in IPv6 form counts its bits within 128.
 *
 * A prefix that has an IPv4 address has at least 96 bits: with fewer, clearing the host bits would
 * have broken the ffff group.  prefix_text() relies on that.
 *
 * Sources: RFC 4291 section 2.2, RFC 5952, RFC 1123 section 2.1, RFC 1035 section 2.3.4.
 */
#include "base/addr.h"

#include "base/err.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define GROUPS 8
#define LABEL_CHARS_MAX 63

static const uint8_t v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* A part of a text. */
struct slice {
	const char *at;
	size_t chars;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* -1: not a hexadecimal digit. */
static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static struct slice slice_of(const char *text)
{
	return (struct slice){ .at = text, .chars = strlen(text) };
}

static struct slice slice_from(struct slice s, size_t start)
{
	assert(start <= s.chars);
	return (struct slice){ .at = s.at + start, .chars = s.chars - start };
}

/* The position of the first `c` in `s`, or the length of `s`. */
static size_t slice_find(struct slice s, char c)
{
	const char *at = s.chars > 0 ? memchr(s.at, c, s.chars) : NULL;

	return at ? (size_t)(at - s.at) : s.chars;
}

/* Plain decimal, no sign, no leading zero.  Returns false if it is not or exceeds `max`. */
static bool decimal_parse(struct slice s, unsigned max, unsigned *ret_v)
{
	unsigned v = 0;

	assert(max <= UINT16_MAX);
	if (s.chars == 0 || s.chars > 5 || (s.chars > 1 && s.at[0] == '0'))
		return false;
	for (size_t i = 0; i < s.chars; i++) {
		if (!is_digit(s.at[i]))
			return false;
		v = v * 10 + (unsigned)(s.at[i] - '0');
	}
	if (v > max)
		return false;
	*ret_v = v;
	return true;
}

static bool v4_parse(uint8_t ret_v4[4], struct slice s)
{
	for (unsigned i = 0; i < 4; i++) {
		size_t end = slice_find(s, '.');
		unsigned v;

		if ((end < s.chars) != (i < 3))
			return false;
		if (!decimal_parse((struct slice){ .at = s.at, .chars = end }, 255, &v))
			return false;
		ret_v4[i] = (uint8_t)v;
		s = slice_from(s, i < 3 ? end + 1 : end);
	}
	return true;
}

/* One group of up to four hexadecimal digits. */
static bool group_parse(uint8_t ret_group[2], struct slice s)
{
	unsigned v = 0;

	if (s.chars == 0 || s.chars > 4)
		return false;
	for (size_t i = 0; i < s.chars; i++) {
		int digit = hex_value(s.at[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	ret_group[0] = (uint8_t)(v >> 8);
	ret_group[1] = (uint8_t)v;
	return true;
}

/* Groups read so far, in order, and the place of the "::" among them. */
struct v6_groups {
	uint8_t b[16];
	size_t count;
	size_t gap; /* GROUPS + 1: none */
};

/* A group, or a dotted IPv4 address if it is the last. */
static bool v6_item_parse(struct v6_groups *g, struct slice item, bool is_last)
{
	if (is_last && slice_find(item, '.') < item.chars) {
		if (g->count + 2 > GROUPS || !v4_parse(g->b + 2 * g->count, item))
			return false;
		g->count += 2;
		return true;
	}
	if (g->count + 1 > GROUPS || !group_parse(g->b + 2 * g->count, item))
		return false;
	g->count++;
	return true;
}

static bool v6_groups_parse(struct v6_groups *g, struct slice s)
{
	if (s.chars >= 2 && s.at[0] == ':' && s.at[1] == ':') {
		g->gap = 0;
		s = slice_from(s, 2);
		if (s.chars == 0)
			return true;
	}
	for (;;) {
		size_t end = slice_find(s, ':');
		bool is_last = end == s.chars;

		if (!v6_item_parse(g, (struct slice){ .at = s.at, .chars = end }, is_last))
			return false;
		if (is_last)
			return true;
		s = slice_from(s, end + 1);
		if (s.chars == 0)
			return false;
		if (s.at[0] != ':')
			continue;
		if (g->gap <= GROUPS)
			return false;
		g->gap = g->count;
		s = slice_from(s, 1);
		if (s.chars == 0)
			return true;
	}
}

static bool v6_parse(struct addr *ret_a, struct slice s)
{
	struct v6_groups g = { .gap = GROUPS + 1 };
	struct addr a = { { 0 } };
	size_t head;
	size_t tail;

	if (!v6_groups_parse(&g, s))
		return false;
	/* "::" stands for at least one group. */
	if (g.gap <= GROUPS ? g.count >= GROUPS : g.count != GROUPS)
		return false;
	head = 2 * MIN_OF(g.gap, g.count);
	tail = 2 * g.count - head;
	memcpy(a.b, g.b, head);
	memcpy(a.b + sizeof(a.b) - tail, g.b + head, tail);
	*ret_a = a;
	return true;
}

static bool slice_parse(struct addr *ret_a, struct slice s)
{
	uint8_t v4[4];

	if (slice_find(s, ':') < s.chars)
		return v6_parse(ret_a, s);
	if (!v4_parse(v4, s))
		return false;
	addr_from_v4(ret_a, v4);
	return true;
}

bool addr_is_v4(const struct addr *a)
{
	return memcmp(a->b, v4_mapped, sizeof(v4_mapped)) == 0;
}

bool addr_is_zero(const struct addr *a)
{
	static const uint8_t zero[16] = { 0 };

	if (addr_is_v4(a))
		return memcmp(a->b + 12, zero, 4) == 0;
	return memcmp(a->b, zero, sizeof(zero)) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
	static const struct addr loopback = { { [15] = 1 } };

	return addr_is_v4(a) ? a->b[12] == 127 : addr_equal(a, &loopback);
}

bool addr_is_link_local(const struct addr *a)
{
	if (addr_is_v4(a))
		return a->b[12] == 169 && a->b[13] == 254;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool addr_is_multicast(const struct addr *a)
{
	return addr_is_v4(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_compare(a, b) == 0;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

void addr_from_v4(struct addr *ret_a, const uint8_t v4[4])
{
	memcpy(ret_a->b, v4_mapped, sizeof(v4_mapped));
	memcpy(ret_a->b + sizeof(v4_mapped), v4, 4);
}

static unsigned addr_group(const struct addr *a, size_t i)
{
	return (unsigned)a->b[2 * i] << 8 | a->b[2 * i + 1];
}

/* The first of the longest runs of zero groups; its length is 0 when none has two groups. */
static size_t zero_run(const struct addr *a, size_t *ret_length)
{
	size_t best = 0;
	size_t best_length = 0;

	for (size_t i = 0; i < GROUPS; i++) {
		size_t end = i;

		while (end < GROUPS && addr_group(a, end) == 0)
			end++;
		if (end - i > best_length) {
			best = i;
			best_length = end - i;
		}
	}
	*ret_length = best_length >= 2 ? best_length : 0;
	return best;
}

static size_t group_text(char *out, unsigned group)
{
	static const char digits[] = "0123456789abcdef";
	size_t chars = 0;

	for (unsigned shift = 16; shift > 0; shift -= 4) {
		if (chars > 0 || group >> (shift - 4) > 0 || shift == 4)
			out[chars++] = digits[group >> (shift - 4) & 0xf];
	}
	return chars;
}

void addr_text(const struct addr *a, char out[ADDR_TEXT_BYTES])
{
	size_t length;
	size_t run = zero_run(a, &length);
	size_t chars = 0;

	if (addr_is_v4(a)) {
		const uint8_t *v4 = a->b + 12;

		snprintf(out, ADDR_TEXT_BYTES, "%u.%u.%u.%u", v4[0], v4[1], v4[2], v4[3]);
		return;
	}
	for (size_t i = 0; i < GROUPS; i++) {
		if (length > 0 && i == run) {
			out[chars++] = ':';
			if (i + length == GROUPS)
				out[chars++] = ':';
			i += length - 1;
			continue;
		}
		if (i > 0)
			out[chars++] = ':';
		chars += group_text(out + chars, addr_group(a, i));
	}
	out[chars] = 0;
	assert(chars < ADDR_TEXT_BYTES);
}

int addr_parse(struct addr *ret_a, const char *text)
{
	return slice_parse(ret_a, slice_of(text)) ? 0 : ERR_MALFORMED;
}

/* Are the first `bits` bits the same? */
static bool bits_equal(const struct addr *a, const struct addr *b, unsigned bits)
{
	unsigned whole = bits / 8;
	unsigned rest = bits % 8;

	if (memcmp(a->b, b->b, whole) != 0)
		return false;
	return rest == 0 || (a->b[whole] ^ b->b[whole]) >> (8 - rest) == 0;
}

void prefix_make(struct prefix *ret_p, const struct addr *a, uint8_t bits)
{
	struct prefix p = { .addr = *a, .bits = bits };

	assert(bits <= 128);
	for (unsigned i = 0; i < sizeof(p.addr.b); i++) {
		if (8 * i >= bits)
			p.addr.b[i] = 0;
		else if (bits - 8 * i < 8)
			p.addr.b[i] &= (uint8_t)(0xff00 >> (bits - 8 * i));
	}
	*ret_p = p;
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	assert(p->bits <= 128);
	return bits_equal(&p->addr, a, p->bits);
}

bool prefix_overlaps(const struct prefix *p, const struct prefix *q)
{
	assert(p->bits <= 128);
	assert(q->bits <= 128);
	return bits_equal(&p->addr, &q->addr, MIN_OF(p->bits, q->bits));
}

bool prefix_equal(const struct prefix *p, const struct prefix *q)
{
	return prefix_compare(p, q) == 0;
}

int prefix_compare(const struct prefix *p, const struct prefix *q)
{
	int order = addr_compare(&p->addr, &q->addr);

	return order != 0 ? order : p->bits - q->bits;
}

void prefix_text(const struct prefix *p, char out[PREFIX_TEXT_BYTES])
{
	char text[ADDR_TEXT_BYTES];
	bool is_v4 = addr_is_v4(&p->addr);

	assert(!is_v4 || p->bits >= 96);
	addr_text(&p->addr, text);
	snprintf(out, PREFIX_TEXT_BYTES, "%s/%u", text, is_v4 ? p->bits - 96u : p->bits);
}

int prefix_parse(struct prefix *ret_p, const char *text)
{
	struct slice s = slice_of(text);
	size_t slash = slice_find(s, '/');
	struct slice head = { .at = s.at, .chars = slash };
	bool is_dotted = slice_find(head, ':') == head.chars;
	struct addr a;
	struct prefix p;
	unsigned bits;

	if (slash == s.chars || !slice_parse(&a, head))
		return ERR_MALFORMED;
	if (!decimal_parse(slice_from(s, slash + 1), is_dotted ? 32 : 128, &bits))
		return ERR_MALFORMED;
	prefix_make(&p, &a, (uint8_t)(is_dotted ? bits + 96 : bits));
	if (!addr_equal(&p.addr, &a))
		return ERR_MALFORMED;
	*ret_p = p;
	return 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

void endpoint_text(const struct endpoint *e, char out[ENDPOINT_TEXT_BYTES])
{
	char text[ADDR_TEXT_BYTES];
	char zone[12] = "";
	bool is_v4 = addr_is_v4(&e->addr);

	addr_text(&e->addr, text);
	if (e->zone != 0)
		snprintf(zone, sizeof(zone), "%%%u", (unsigned)e->zone);
	if (e->port == 0)
		snprintf(out, ENDPOINT_TEXT_BYTES, "%s%s", text, zone);
	else if (is_v4)
		snprintf(out, ENDPOINT_TEXT_BYTES, "%s%s:%u", text, zone, e->port);
	else
		snprintf(out, ENDPOINT_TEXT_BYTES, "[%s%s]:%u", text, zone, e->port);
}

/* A label of RFC 1123. */
static bool is_host_label(struct slice s)
{
	if (s.chars == 0 || s.chars > LABEL_CHARS_MAX)
		return false;
	if (s.at[0] == '-' || s.at[s.chars - 1] == '-')
		return false;
	for (size_t i = 0; i < s.chars; i++) {
		char c = s.at[i];

		if (!is_lower(c) && !is_upper(c) && !is_digit(c) && c != '-')
			return false;
	}
	return true;
}

/* Would inet_aton() take it for a part of an address: 12, 0x7f, 0x? */
static bool is_number(struct slice s)
{
	bool is_hex = s.chars >= 2 && s.at[0] == '0' && (s.at[1] == 'x' || s.at[1] == 'X');

	for (size_t i = is_hex ? 2 : 0; i < s.chars; i++) {
		if (is_hex ? hex_value(s.at[i]) < 0 : !is_digit(s.at[i]))
			return false;
	}
	return true;
}

static bool is_host_name(struct slice s)
{
	if (s.chars == 0 || s.chars > HOST_NAME_MAX_BYTES)
		return false;
	for (;;) {
		size_t end = slice_find(s, '.');
		struct slice label = { .at = s.at, .chars = end };

		if (!is_host_label(label))
			return false;
		/* The last one; a dot may follow it. */
		if (end + 1 >= s.chars)
			return !is_number(label);
		s = slice_from(s, end + 1);
	}
}

/* A numeric host is stored in its one printed form, a name as it was written. */
static bool host_parse(struct hostport *h, struct slice s)
{
	struct addr a;

	if (slice_parse(&a, s)) {
		addr_text(&a, h->host);
		return true;
	}
	if (!is_host_name(s))
		return false;
	memcpy(h->host, s.at, s.chars);
	h->host[s.chars] = 0;
	return true;
}

/* Split "[v6]", "[v6]:port", bare IPv6, "host" or "host:port"; port.at is NULL without a colon. */
static bool hostport_split(struct slice s, struct slice *ret_host, struct slice *ret_port)
{
	size_t colon = slice_find(s, ':');
	struct slice rest;

	*ret_host = s;
	*ret_port = (struct slice){ .at = NULL };
	if (s.chars > 0 && s.at[0] == '[') {
		size_t end = slice_find(s, ']');

		/* Brackets are for IPv6 only. */
		if (end == s.chars || colon > end)
			return false;
		*ret_host = (struct slice){ .at = s.at + 1, .chars = end - 1 };
		rest = slice_from(s, end + 1);
		if (rest.chars == 0)
			return true;
		if (rest.at[0] != ':')
			return false;
		*ret_port = slice_from(rest, 1);
		return true;
	}
	if (colon == s.chars)
		return true;
	rest = slice_from(s, colon + 1);
	if (slice_find(rest, ':') < rest.chars)
		return true;
	ret_host->chars = colon;
	*ret_port = rest;
	return true;
}

int hostport_parse(struct hostport *ret_h, const char *text)
{
	struct hostport h = { .port = 0 };
	struct slice host;
	struct slice port;
	unsigned v;

	if (!hostport_split(slice_of(text), &host, &port))
		return ERR_MALFORMED;
	if (port.at) {
		if (!decimal_parse(port, UINT16_MAX, &v) || v == 0)
			return ERR_MALFORMED;
		h.port = (uint16_t)v;
	}
	if (!host_parse(&h, host))
		return ERR_MALFORMED;
	*ret_h = h;
	return 0;
}

void hostport_text(const struct hostport *h, char out[ENDPOINT_TEXT_BYTES])
{
	if (h->port == 0)
		snprintf(out, ENDPOINT_TEXT_BYTES, "%s", h->host);
	else if (strchr(h->host, ':'))
		snprintf(out, ENDPOINT_TEXT_BYTES, "[%s]:%u", h->host, h->port);
	else
		snprintf(out, ENDPOINT_TEXT_BYTES, "%s:%u", h->host, h->port);
}

bool name_is_label(const char *text)
{
	struct slice s = slice_of(text);

	for (size_t i = 0; i < s.chars; i++) {
		if (is_upper(s.at[i]))
			return false;
	}
	return is_host_label(s);
}
