/*
 * Addresses, prefixes, endpoints and host names: tables of good and bad texts.
 */
#include "tests/unit/unit.h"

#include "base/addr.h"
#include "base/err.h"
#include "base/rng.h"

#include <arpa/inet.h>
#include <string.h>

static struct addr addr_of(const char *text)
{
	struct addr a;

	if (addr_parse(&a, text) != 0)
		fail_msg("refused: %s", text);
	return a;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix p;

	if (prefix_parse(&p, text) != 0)
		fail_msg("refused: %s", text);
	return p;
}

/* What is written, and the one text that is printed (RFC 5952 section 4). */
static const struct {
	const char *text;
	const char *printed;
} good_addrs[] = {
	{ "0.0.0.0", "0.0.0.0" },
	{ "1.2.3.4", "1.2.3.4" },
	{ "255.255.255.255", "255.255.255.255" },
	{ "::", "::" },
	{ "::1", "::1" },
	{ "1::", "1::" },
	{ "fd00::1", "fd00::1" },
	{ "FD00:ABCD::EF", "fd00:abcd::ef" },
	{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
	{ "0001:0020:0300:4000:0:0:0:8", "1:20:300:4000::8" },
	{ "0:0:0:0:0:0:0:0", "::" },
	{ "0:0:0:0:0:0:0:1", "::1" },
	/* One group of zeros is not shortened (4.2.2), but may be written so. */
	{ "1:2:3:0:5:6:7:8", "1:2:3:0:5:6:7:8" },
	{ "1:2:3::5:6:7:8", "1:2:3:0:5:6:7:8" },
	{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
	{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
	/* The longest run, and of equal ones the first (4.2.3). */
	{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
	{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
	{ "0:0:1:0:0:0:0:0", "0:0:1::" },
	{ "0:0:1:1:1:1:0:0", "::1:1:1:1:0:0" },
	{ "1:0:0:0:0:0:0:0", "1::" },
	/* Dotted tails: mapped is IPv4, anything else is not. */
	{ "::ffff:1.2.3.4", "1.2.3.4" },
	{ "::FFFF:102:304", "1.2.3.4" },
	{ "0:0:0:0:0:ffff:0:0", "0.0.0.0" },
	{ "64:ff9b::1.2.3.4", "64:ff9b::102:304" },
	{ "::1.2.3.4", "::102:304" },
	{ "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304" },
	{ "1:2:3:4:5::1.2.3.4", "1:2:3:4:5:0:102:304" },
	{ "::ffff:0:1.2.3.4", "::ffff:0:102:304" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};

static void test_an_address_is_printed_in_one_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_addrs); i++) {
		struct addr a = addr_of(good_addrs[i].text);
		struct addr back;
		char text[ADDR_TEXT_BYTES];

		memset(text, 0xab, sizeof(text));
		addr_text(&a, text);
		assert_string_equal(text, good_addrs[i].printed);
		back = addr_of(text);
		assert_true(addr_equal(&a, &back));
	}
}

static const char *const bad_addrs[] = {
	"",
	" ",
	"1",
	"1.2.3",
	"1.2.3.",
	".1.2.3",
	"1.2.3.4.",
	"1.2.3.4.5",
	"1..2.3",
	"256.1.1.1",
	"1.2.3.400",
	"01.2.3.4",
	"1.2.3.00",
	"1.2.3.-4",
	"1.2.3.+4",
	" 1.2.3.4",
	"1.2.3.4 ",
	"1.2.3.4\n",
	"0x1.2.3.4",
	"1.2.3.a",
	"1,2,3,4",
	"127.1",
	"2130706433",
	"1.2.3.4/8",
	":",
	":::",
	"::::",
	"1",
	"1:",
	":1",
	"1:2",
	"1:2:3:4:5:6:7",
	"1:2:3:4:5:6:7:8:9",
	"1:2:3:4:5:6:7:8:",
	":1:2:3:4:5:6:7:8",
	"1:2:3:4:5:6:7:8::",
	"::1:2:3:4:5:6:7:8",
	"1:2:3:4::5:6:7:8",
	"1::2::3",
	"1:::2",
	"::1:",
	":1::",
	"1::2:",
	"12345::",
	"::00001",
	"::g",
	"::-1",
	"::+1",
	"fe80::1%eth0",
	"fe80::1%1",
	"[::1]",
	"::1/128",
	"::1 ",
	" ::1",
	"::1.2.3",
	"::1.2.3.4.5",
	"::1.2.3.256",
	"::01.2.3.4",
	"::1.2.3.4:5",
	"1.2.3.4::",
	"1.2.3.4:1::",
	"1:2:3:4:5:6:7:1.2.3.4",
	/* Two bytes too many, chosen so as to look like a good count of groups. */
	"1:2:3:4:5:6:7:1.2.6.0",
	"1:2:3:4:5:1.2.3.4",
	"::1:2:3:4:5:6:7.8.9.1",
	"1:2:3:4:5:6::1.2.3.4",
	"::.1.2.3",
	"localhost",
	"::1\xc2\xa0",
};

static void test_texts_that_are_no_addresses_do_not_parse(void **state)
{
	struct addr a;
	struct addr before;

	(void)state;
	memset(&a, 0xab, sizeof(a));
	before = a;
	for (size_t i = 0; i < ARRAY_LEN(bad_addrs); i++) {
		if (addr_parse(&a, bad_addrs[i]) != ERR_MALFORMED)
			fail_msg("accepted: \"%s\"", bad_addrs[i]);
		assert_true(addr_equal(&a, &before));
	}
}

/* A text of bytes that addresses are made of. */
static void random_text(struct rng *r, char out[24])
{
	static const char alphabet[] = "0123:::..af/";
	size_t chars = rng_below(r, 23);

	for (size_t i = 0; i < chars; i++)
		out[i] = alphabet[rng_below(r, sizeof(alphabet) - 1)];
	out[chars] = 0;
}

static bool inet_parse(struct addr *a, const char *text)
{
	uint8_t v4[4];

	if (inet_pton(AF_INET6, text, a->b) == 1)
		return true;
	if (inet_pton(AF_INET, text, v4) != 1)
		return false;
	addr_from_v4(a, v4);
	return true;
}

/* The C library is as strict as we are, so the two must agree on everything. */
static void test_parsing_agrees_with_the_c_library(void **state)
{
	const uint8_t seed[RNG_SEED_BYTES] = { 42 };
	unsigned good = 0;
	struct rng r;

	(void)state;
	rng_init(&r, seed);
	for (unsigned i = 0; i < 200000; i++) {
		struct addr ours;
		struct addr theirs;
		char text[24];
		bool is_good;

		random_text(&r, text);
		is_good = inet_parse(&theirs, text);
		if ((addr_parse(&ours, text) == 0) != is_good)
			fail_msg("\"%s\" parses there: %d", text, is_good);
		if (is_good && !addr_equal(&ours, &theirs))
			fail_msg("\"%s\" differs", text);
		good += is_good;
	}
	assert_true(good > 100);
}

static void test_printing_agrees_with_the_c_library(void **state)
{
	const uint8_t seed[RNG_SEED_BYTES] = { 43 };
	struct rng r;

	(void)state;
	rng_init(&r, seed);
	for (unsigned i = 0; i < 20000; i++) {
		struct addr a = { { 0x20 } };
		uint16_t groups = (uint16_t)rng_u64(&r);
		char ours[ADDR_TEXT_BYTES];
		char theirs[INET6_ADDRSTRLEN];

		/* Each bit says whether a byte is zero. */
		for (unsigned byte = 1; byte < 16; byte++)
			a.b[byte] = groups >> byte & 1 ? (uint8_t)rng_u64(&r) : 0;
		addr_text(&a, ours);
		assert_non_null(inet_ntop(AF_INET6, a.b, theirs, sizeof(theirs)));
		assert_string_equal(ours, theirs);
	}
}

enum {
	V4 = 1,
	ZERO = 2,
	LOOPBACK = 4,
	LINK_LOCAL = 8,
	MULTICAST = 16,
};

static const struct {
	const char *text;
	unsigned is;
} kinds[] = {
	{ "::", ZERO },
	{ "0.0.0.0", V4 | ZERO },
	{ "0.0.0.1", V4 },
	{ "::1", LOOPBACK },
	{ "::2", 0 },
	{ "1::1", 0 },
	{ "127.0.0.1", V4 | LOOPBACK },
	{ "127.255.255.254", V4 | LOOPBACK },
	{ "128.0.0.1", V4 },
	{ "169.254.0.1", V4 | LINK_LOCAL },
	{ "169.253.0.1", V4 },
	{ "fe80::1", LINK_LOCAL },
	{ "febf::1", LINK_LOCAL },
	{ "fec0::1", 0 },
	{ "fe7f::1", 0 },
	{ "ff02::1", MULTICAST },
	{ "feff::1", 0 },
	{ "224.0.0.1", V4 | MULTICAST },
	{ "239.255.255.255", V4 | MULTICAST },
	{ "223.255.255.255", V4 },
	{ "240.0.0.1", V4 },
	{ "::fffe:1.2.3.4", 0 },
	{ "1::ffff:1.2.3.4", 0 },
};

static void test_addresses_have_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct addr a = addr_of(kinds[i].text);
		unsigned is = 0;

		is |= addr_is_v4(&a) ? V4 : 0;
		is |= addr_is_zero(&a) ? ZERO : 0;
		is |= addr_is_loopback(&a) ? LOOPBACK : 0;
		is |= addr_is_link_local(&a) ? LINK_LOCAL : 0;
		is |= addr_is_multicast(&a) ? MULTICAST : 0;
		if (is != kinds[i].is)
			fail_msg("%s: %u", kinds[i].text, is);
	}
}

static void test_ipv4_is_held_mapped(void **state)
{
	static const uint8_t v4[4] = { 192, 0, 2, 1 };
	static const struct addr mapped = { { [10] = 0xff, 0xff, 192, 0, 2, 1 } };
	struct addr a;

	(void)state;
	addr_from_v4(&a, v4);
	assert_true(addr_equal(&a, &mapped));
	a = addr_of("192.0.2.1");
	assert_true(addr_equal(&a, &mapped));
}

static const struct {
	const char *text;
	const char *printed;
	uint8_t bits;
} good_prefixes[] = {
	{ "0.0.0.0/0", "0.0.0.0/0", 96 },
	{ "10.0.0.0/8", "10.0.0.0/8", 104 },
	{ "10.1.2.3/32", "10.1.2.3/32", 128 },
	{ "128.0.0.0/1", "128.0.0.0/1", 97 },
	{ "::/0", "::/0", 0 },
	{ "fd00::/8", "fd00::/8", 8 },
	{ "FD00::/8", "fd00::/8", 8 },
	{ "fd00::1/128", "fd00::1/128", 128 },
	{ "fe80::/10", "fe80::/10", 10 },
	{ "8000::/1", "8000::/1", 1 },
	/* In IPv6 form bits count within 128, whatever the address. */
	{ "::ffff:10.0.0.0/104", "10.0.0.0/8", 104 },
	{ "::ffff:0:0/96", "0.0.0.0/0", 96 },
	{ "::fffe:0:0/95", "::fffe:0:0/95", 95 },
};

static void test_prefixes_print_as_they_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_prefixes); i++) {
		struct prefix p = prefix_of(good_prefixes[i].text);
		struct prefix back;
		char text[PREFIX_TEXT_BYTES];

		assert_int_equal(p.bits, good_prefixes[i].bits);
		prefix_text(&p, text);
		assert_string_equal(text, good_prefixes[i].printed);
		back = prefix_of(text);
		assert_true(prefix_equal(&p, &back));
	}
}

static const char *const bad_prefixes[] = {
	"",
	"/",
	"/8",
	"10.0.0.0",
	"10.0.0.0/",
	"10.0.0.0/33",
	"10.0.0.0/08",
	"10.0.0.0/-1",
	"10.0.0.0/ 8",
	"10.0.0.0/8 ",
	"10.0.0.0/8/8",
	"10.0.0.0/+8",
	"10.0.0.1/8",
	"10.0.0.1/31",
	"128.0.0.0/0",
	"10.0/8",
	"::/129",
	"::/999999",
	"::/4294967296",
	"::1/0",
	"::1/127",
	"fd00::/7",
	"fd00::/",
	"fd00::/00",
	"fd00::/8x",
	"::ffff:1.2.3.0/24",
	"::ffff:0:0/95",
	"10.0.0.0/128",
	"fe80::%1/64",
	"[fd00::]/8",
};

static void test_texts_that_are_no_prefixes_do_not_parse(void **state)
{
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_prefixes); i++) {
		if (prefix_parse(&p, bad_prefixes[i]) != ERR_MALFORMED)
			fail_msg("accepted: \"%s\"", bad_prefixes[i]);
	}
}

/* The reference looks at one bit at a time. */
static bool bit_of(const struct addr *a, unsigned i)
{
	return a->b[i / 8] >> (7 - i % 8) & 1;
}

static void test_a_prefix_keeps_its_bits_and_clears_the_rest(void **state)
{
	struct addr ones;

	(void)state;
	memset(ones.b, 0xff, sizeof(ones.b));
	for (unsigned bits = 0; bits <= 128; bits++) {
		struct prefix p;

		prefix_make(&p, &ones, (uint8_t)bits);
		assert_int_equal(p.bits, bits);
		for (unsigned i = 0; i < 128; i++)
			assert_int_equal(bit_of(&p.addr, i), i < bits);
		assert_true(prefix_contains(&p, &ones));
		for (unsigned i = 0; i < 128; i++) {
			struct addr a = ones;

			a.b[i / 8] ^= (uint8_t)(0x80 >> i % 8);
			assert_int_equal(prefix_contains(&p, &a), i >= bits);
		}
	}
}

static const struct {
	const char *p;
	const char *q;
	bool overlap;
} overlaps[] = {
	{ "10.0.0.0/8", "10.0.0.0/8", true },  { "10.0.0.0/8", "10.1.0.0/16", true },
	{ "10.0.0.0/8", "11.0.0.0/8", false }, { "10.0.0.0/16", "10.1.0.0/16", false },
	{ "0.0.0.0/0", "1.2.3.4/32", true },   { "0.0.0.0/0", "fd00::/8", false },
	{ "::/0", "1.2.3.4/32", true },        { "fd00::/8", "fd00:1::/32", true },
	{ "fd00::/8", "fe80::/10", false },    { "fc00::/7", "fd00::/8", true },
	{ "1.2.3.4/32", "1.2.3.4/32", true },  { "1.2.3.4/32", "1.2.3.5/32", false },
};

static void test_prefixes_overlap_if_one_contains_the_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(overlaps); i++) {
		struct prefix p = prefix_of(overlaps[i].p);
		struct prefix q = prefix_of(overlaps[i].q);

		if (prefix_overlaps(&p, &q) != overlaps[i].overlap ||
		    prefix_overlaps(&q, &p) != overlaps[i].overlap)
			fail_msg("%s, %s", overlaps[i].p, overlaps[i].q);
	}
}

/* In rising order: by address, then the shorter prefix first. */
static const char *const ordered_prefixes[] = {
	"::/0",       "::/1",       "::/128",      "0.0.0.0/0", "0.0.0.0/8",
	"10.0.0.0/8", "10.0.0.0/9", "10.0.0.1/32", "fd00::/8",  "fd00::/16",
};

static int sign_of(int v)
{
	return (v > 0) - (v < 0);
}

static void test_prefixes_are_totally_ordered(void **state)
{
	(void)state;
	for (int i = 0; i < (int)ARRAY_LEN(ordered_prefixes); i++) {
		for (int j = 0; j < (int)ARRAY_LEN(ordered_prefixes); j++) {
			struct prefix p = prefix_of(ordered_prefixes[i]);
			struct prefix q = prefix_of(ordered_prefixes[j]);

			assert_int_equal(sign_of(prefix_compare(&p, &q)), sign_of(i - j));
			assert_int_equal(prefix_equal(&p, &q), i == j);
		}
	}
}

static const struct {
	const char *addr;
	uint16_t port;
	uint32_t zone;
	const char *text;
} endpoints[] = {
	{ "1.2.3.4", 51820, 0, "1.2.3.4:51820" },
	{ "1.2.3.4", 0, 0, "1.2.3.4" },
	{ "fd00::1", 1, 0, "[fd00::1]:1" },
	{ "fd00::1", 0, 0, "fd00::1" },
	{ "fe80::1", 51820, 3, "[fe80::1%3]:51820" },
	{ "fe80::1", 65535, UINT32_MAX, "[fe80::1%4294967295]:65535" },
};

static void test_endpoints_print_with_brackets_and_zone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
		struct endpoint e = { .addr = addr_of(endpoints[i].addr),
			              .port = endpoints[i].port,
			              .zone = endpoints[i].zone };
		char text[ENDPOINT_TEXT_BYTES];

		endpoint_text(&e, text);
		assert_string_equal(text, endpoints[i].text);
	}
}

static void test_endpoints_are_equal_whatever_their_zone(void **state)
{
	struct endpoint a = { .addr = addr_of("fe80::1"), .port = 1, .zone = 1 };
	struct endpoint b = a;

	(void)state;
	b.zone = 2;
	assert_true(endpoint_equal(&a, &b));
	b.port = 2;
	assert_false(endpoint_equal(&a, &b));
	b = a;
	b.addr.b[0] = 0;
	assert_false(endpoint_equal(&a, &b));
}

#define L63 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij-63"
#define N253 L63 "." L63 "." L63 ".abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghi61"

static const struct {
	const char *text;
	const char *host;
	uint16_t port;
	const char *printed;
} good_hosts[] = {
	{ "host", "host", 0, "host" },
	{ "host:1", "host", 1, "host:1" },
	{ "a", "a", 0, "a" },
	{ "Host.Example.org:65535", "Host.Example.org", 65535, "Host.Example.org:65535" },
	{ "host.example.", "host.example.", 0, "host.example." },
	{ "x--y.4you:80", "x--y.4you", 80, "x--y.4you:80" },
	{ "1.2.3.4.example", "1.2.3.4.example", 0, "1.2.3.4.example" },
	{ "0xbeefy", "0xbeefy", 0, "0xbeefy" },
	{ L63, L63, 0, L63 },
	{ N253 ":7", N253, 7, N253 ":7" },
	{ "1.2.3.4", "1.2.3.4", 0, "1.2.3.4" },
	{ "1.2.3.4:5", "1.2.3.4", 5, "1.2.3.4:5" },
	{ "[fd00::1]", "fd00::1", 0, "fd00::1" },
	{ "[FD00:0::1]:51820", "fd00::1", 51820, "[fd00::1]:51820" },
	{ "fd00::1", "fd00::1", 0, "fd00::1" },
	{ "::", "::", 0, "::" },
	/* Without brackets the last group is no port. */
	{ "fd00::1:5182", "fd00::1:5182", 0, "fd00::1:5182" },
	{ "[::ffff:1.2.3.4]:5", "1.2.3.4", 5, "1.2.3.4:5" },
};

static void test_hosts_print_as_they_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_hosts); i++) {
		struct hostport h;
		struct hostport back;
		char text[ENDPOINT_TEXT_BYTES];

		if (hostport_parse(&h, good_hosts[i].text) != 0)
			fail_msg("refused: %s", good_hosts[i].text);
		assert_string_equal(h.host, good_hosts[i].host);
		assert_int_equal(h.port, good_hosts[i].port);
		hostport_text(&h, text);
		assert_string_equal(text, good_hosts[i].printed);
		assert_int_equal(hostport_parse(&back, text), 0);
		assert_string_equal(back.host, h.host);
		assert_int_equal(back.port, h.port);
	}
}

static const char *const bad_hosts[] = {
	"",
	".",
	":",
	":1",
	"[]",
	"[]:1",
	"[",
	"]",
	"[::1",
	"::1]",
	"[::1]x",
	"[::1]x5",
	"[::1]:",
	"[::1]1",
	"[::1]:0",
	"[::1]:65536",
	"[::1]:1:2",
	"[[::1]]:1",
	"[1.2.3.4]:5",
	"[host]:1",
	"[fe80::1%1]:1",
	"host:",
	"host:0",
	"host:01",
	"host:65536",
	"host:-1",
	"host: 1",
	"host:1 ",
	"host:x",
	"host:1:2",
	"fd00::1:51820",
	"host::1",
	"::1::",
	" host",
	"host ",
	"ho st",
	"host\n",
	"host/",
	"user@host",
	".host",
	"host..org",
	"host..",
	"-host",
	"host-",
	"a.-b",
	"a-.b",
	"under_score",
	"h\xc3\xb6st",
	"*.org",
	L63 "x",
	N253 "x",
	"x." N253,
	N253 ".",
	/* What inet_aton() would take for an address. */
	"1",
	"1.2.3",
	"1.2.3.4.5",
	"127.1",
	"1.2.3.400",
	"01.2.3.4",
	"1.2.3.4.",
	"0x7f000001",
	"0x7f.0.0.0X1",
	"0x",
	"host.0x1f",
	"host.123",
	"host.123.",
	"017700000001",
};

static void test_texts_that_are_no_hosts_do_not_parse(void **state)
{
	struct hostport h;
	struct hostport before;

	(void)state;
	assert_int_equal(strlen(N253), HOST_NAME_MAX_BYTES);
	memset(&h, 0xab, sizeof(h));
	before = h;
	for (size_t i = 0; i < ARRAY_LEN(bad_hosts); i++) {
		if (hostport_parse(&h, bad_hosts[i]) != ERR_MALFORMED)
			fail_msg("accepted: \"%s\"", bad_hosts[i]);
		assert_memory_equal(&h, &before, sizeof(h));
	}
}

static const struct {
	const char *text;
	bool is_label;
} labels[] = {
	{ "a", true },      { "0", true },     { "a-b", true },       { "a--b", true },
	{ L63, true },      { "web01", true }, { "12", true },        { "", false },
	{ "-", false },     { "-a", false },   { "a-", false },       { "A", false },
	{ "aBc", false },   { "a.b", false },  { "a_b", false },      { "a b", false },
	{ L63 "x", false }, { "a\n", false },  { "\xc3\xa4", false }, { "`a", false },
	{ "a{", false },    { "/0", false },   { "0:", false },
};

static void test_a_name_is_a_lower_case_dns_label(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		if (name_is_label(labels[i].text) != labels[i].is_label)
			fail_msg("\"%s\"", labels[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_address_is_printed_in_one_way),
		cmocka_unit_test(test_texts_that_are_no_addresses_do_not_parse),
		cmocka_unit_test(test_parsing_agrees_with_the_c_library),
		cmocka_unit_test(test_printing_agrees_with_the_c_library),
		cmocka_unit_test(test_addresses_have_kinds),
		cmocka_unit_test(test_ipv4_is_held_mapped),
		cmocka_unit_test(test_prefixes_print_as_they_parse),
		cmocka_unit_test(test_texts_that_are_no_prefixes_do_not_parse),
		cmocka_unit_test(test_a_prefix_keeps_its_bits_and_clears_the_rest),
		cmocka_unit_test(test_prefixes_overlap_if_one_contains_the_other),
		cmocka_unit_test(test_prefixes_are_totally_ordered),
		cmocka_unit_test(test_endpoints_print_with_brackets_and_zone),
		cmocka_unit_test(test_endpoints_are_equal_whatever_their_zone),
		cmocka_unit_test(test_hosts_print_as_they_parse),
		cmocka_unit_test(test_texts_that_are_no_hosts_do_not_parse),
		cmocka_unit_test(test_a_name_is_a_lower_case_dns_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
