/*
 * Datagrams recorded from a kernel (Linux 6.1), the seeds of the fuzz target.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_KERN_RECORDED_H
#define SMEG_TESTS_UNIT_SMEGD_KERN_RECORDED_H

#include "tests/unit/unit.h"

#include "base/bytes.h"
#include "base/key.h"
#include "smegd/kern/nl_priv.h"

#define RECORDED_SEQ 7
#define RECORDED_PORT 9

/* The file tests/fuzz/corpus/NAME, on the heap, of just its size; fails the test if absent. */
struct bytes recorded(const char *name);
void recorded_free(struct bytes b);

/* Hand each message of the datagram NAME below netlink/ to `fn`; what nl_parse() came to. */
int recorded_parse(const char *name, nl_message_fn fn, void *ctx);

/*
 * Hand `fn` the datagram's first message cut to every shorter length, its header saying so, in
 * memory that ends where it ends.
 */
void recorded_truncate(const char *name, void (*fn)(const struct nlmsghdr *m));

/* A key of 31 bytes `fill`, then 0x40, as in the recordings. */
struct key recorded_key(uint8_t fill);

#endif
