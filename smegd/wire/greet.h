/*
 * What the two handshake messages say, as plain values and as bytes.
 *
 * Bytes: fields in ascending order of tag, none twice: tag u8 | length u16 | value.  Unknown tags
 * are skipped, so that later versions can say more; they are part of the transcript all the same.
 */
#ifndef SMEG_SMEGD_WIRE_GREET_H
#define SMEG_SMEGD_WIRE_GREET_H

#include "base/bytes.h"
#include "crdt/invite.h"

#define GREET_VERSION_MIN 1u /* of the session protocol: what this program speaks */
#define GREET_VERSION_MAX 1u
#define GREET_CAPABILITIES 0u                    /* none defined yet */
#define GREET_TIME_MAX ((uint64_t)INT64_MAX / 2) /* of anybody's clock; more is malformed */

/* Of the first message. */
struct greet_hello {
	uint16_t version_min;
	uint16_t version_max;
	uint64_t capabilities;
	uint64_t timestamp_ms; /* grows with every hello of this key, even if its clock goes back */
	uint64_t clock_ms;     /* wall clock */
	bool has_invite;
	struct bytes invite; /* raw signed limits, 1..INVITE_LIMITS_BYTES_MAX */
	struct signature proof;
	struct key joiner; /* Ed25519 */
};

/* Of the second. */
struct greet_welcome {
	int err;          /* 0: welcome; else why not */
	uint16_t version; /* chosen; 0 with an error */
	uint64_t capabilities;
	uint64_t clock_ms;
};

#define GREET_HELLO_BYTES_MAX (6 * 3 + 4 + 8 + 8 + 8 + INVITE_LIMITS_BYTES_MAX + 64 + 32 + 3)
#define GREET_WELCOME_BYTES_MAX (4 * 3 + 2 + 2 + 8 + 8)

void greet_hello_write(const struct greet_hello *g, struct writer *w);
void greet_welcome_write(const struct greet_welcome *g, struct writer *w);

/* ERR_MALFORMED, ERR_TRUNCATED.  ret_g->invite borrows from `src`. */
int greet_hello_read(struct bytes src, struct greet_hello *ret_g) MUST_CHECK;
int greet_welcome_read(struct bytes src, struct greet_welcome *ret_g) MUST_CHECK;

/* The highest version in both ranges; 0: none. */
uint16_t greet_version(const struct greet_hello *theirs, uint16_t min, uint16_t max);

/* Errors on the wire: 0, or the positive number of base/err.h. */
uint16_t greet_error_number(int err);
int greet_error_from(uint64_t number);

#endif
