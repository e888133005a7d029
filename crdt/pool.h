/*
 * One copy of each statement for many sets of one program: equal bytes are one struct stmt,
 * whichever set they came to first.  For simulators; a daemon, which has one set a mesh, has none.
 *
 * What is in the pool has been parsed, and its member key converted; and the pool remembers for
 * which mesh key it was verified.  Neither is done again for a set of that mesh: both depend on
 * nothing but the bytes and that key, so the outcome is exactly the same.  Dates and authority are
 * each set's own.  What came in unverified (`trusted`) is verified when somebody first has to.
 *
 * One thread only, as everything here.  Bytes are found by a part of their signature, which a
 * hostile author can choose: a daemon's pool would have to hash them.
 */
#ifndef SMEG_CRDT_POOL_H
#define SMEG_CRDT_POOL_H

#include "base/defs.h"

struct mem;
struct stmt_pool;

/* `mem` is borrowed.  0 or -ENOMEM. */
int stmt_pool_new(const struct mem *mem, struct stmt_pool **ret_pool) MUST_CHECK;

/* All of its statements must have been released (asserted); NULL is fine. */
void stmt_pool_free(struct stmt_pool *pool);

/* Different statements in it. */
size_t stmt_pool_count(const struct stmt_pool *pool);

/* How many verifications of a statement it has saved, so that a simulator can charge them. */
uint64_t stmt_pool_spared(const struct stmt_pool *pool);

#endif
