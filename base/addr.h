/*
 * IP addresses, prefixes and transport endpoints as plain values.
 *
 * An IPv4 address is held as v4-mapped IPv6 (::ffff:a.b.c.d), so that there is one shape and one
 * order; parsing and printing use the usual text forms.
 */
#ifndef SMEG_BASE_ADDR_H
#define SMEG_BASE_ADDR_H

#include "base/defs.h"

#define ADDR_TEXT_BYTES 46      /* INET6_ADDRSTRLEN */
#define PREFIX_TEXT_BYTES 50    /* address/128 */
#define ENDPOINT_TEXT_BYTES 272 /* [name or address]:65535 */
#define HOST_NAME_MAX_BYTES 253 /* RFC 1035 */

struct addr {
	uint8_t b[16];
};

/* bits counts within 128, also for IPv4 (a.b.c.0/24 is 120).  Host bits are zero. */
struct prefix {
	struct addr addr;
	uint8_t bits;
};

/* A numeric endpoint; port 0 means unknown.  Zone is the interface index for fe80::/10, else 0. */
struct endpoint {
	struct addr addr;
	uint16_t port;
	uint32_t zone;
};

/* A place to dial, as a person wrote it: host is a name or a numeric address without brackets. */
struct hostport {
	char host[HOST_NAME_MAX_BYTES + 1];
	uint16_t port; /* 0: not given */
};

bool addr_is_v4(const struct addr *a);
bool addr_is_zero(const struct addr *a); /* :: or 0.0.0.0 */
bool addr_is_loopback(const struct addr *a);
bool addr_is_link_local(const struct addr *a);
bool addr_is_multicast(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);
int addr_compare(const struct addr *a, const struct addr *b);
void addr_from_v4(struct addr *ret_a, const uint8_t v4[4]);

/* RFC 5952 text; IPv4 dotted. */
void addr_text(const struct addr *a, char out[ADDR_TEXT_BYTES]);

/* Strict: dotted IPv4 without leading zeros, or RFC 4291 IPv6 without zone.  ERR_MALFORMED. */
int addr_parse(struct addr *ret_a, const char *text) MUST_CHECK;

/* `bits` <= 128; host bits are cleared. */
void prefix_make(struct prefix *ret_p, const struct addr *a, uint8_t bits);
bool prefix_contains(const struct prefix *p, const struct addr *a);
bool prefix_overlaps(const struct prefix *p, const struct prefix *q);
bool prefix_equal(const struct prefix *p, const struct prefix *q);
int prefix_compare(const struct prefix *p, const struct prefix *q);
void prefix_text(const struct prefix *p, char out[PREFIX_TEXT_BYTES]);

/* "10.0.0.0/8", "fd00::/8"; host bits must be zero.  ERR_MALFORMED. */
int prefix_parse(struct prefix *ret_p, const char *text) MUST_CHECK;

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b); /* ignores the zone */

/* "1.2.3.4:5", "[fd00::1]:5", "[fe80::1%zone]:5"; the bare address when the port is unknown. */
void endpoint_text(const struct endpoint *e, char out[ENDPOINT_TEXT_BYTES]);

/*
 * "host", "host:port", "1.2.3.4:5", "[v6]", "[v6]:port" or a bare IPv6 address.  A name must be
 * letters, digits, hyphens, dots (RFC 1123), at most 253 bytes, and its last label not a number.  A
 * numeric host is stored as addr_text() prints it, a name as written.  ERR_MALFORMED.
 */
int hostport_parse(struct hostport *ret_h, const char *text) MUST_CHECK;
void hostport_text(const struct hostport *h, char out[ENDPOINT_TEXT_BYTES]);

/* 1..63 of a-z, 0-9, hyphen; no hyphen at either end (RFC 1123 label, lower case only). */
bool name_is_label(const char *text);

#endif
