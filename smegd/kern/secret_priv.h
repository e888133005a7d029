/*
 * Growing text that is wiped wherever it has been: it holds private keys.
 */
#ifndef SMEG_SMEGD_KERN_SECRET_PRIV_H
#define SMEG_SMEGD_KERN_SECRET_PRIV_H

#include "base/defs.h"

/* Zeroed: empty. */
struct secret {
	char *at;
	size_t count;
	size_t cap;
	int err; /* sticky: -ENOMEM */
};

void secret_fini(struct secret *s);

/* Make room for `bytes` more at at[count]; false when out of memory. */
bool secret_room(struct secret *s, size_t bytes) MUST_CHECK;

/* Append by printf rules. */
void secret_add(struct secret *s, const char *format, ...) PRINTF_LIKE(2, 3);

/* Append 32 bytes as 64 lower-case hexadecimal digits. */
void secret_add_hex(struct secret *s, const uint8_t bytes[32]);

#endif
