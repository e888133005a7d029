/*
 * The side of a pool that sets and statements see.
 */
#ifndef SMEG_CRDT_POOL_PRIV_H
#define SMEG_CRDT_POOL_PRIV_H

#include "crdt/pool.h"
#include "crdt/stmt.h"

/* The statement with these bytes (not referenced), or NULL.  They may be anything. */
struct stmt *pool_find(const struct stmt_pool *pool, struct bytes raw);

/* Put in a copy of `scanned`, whose member is known and whose bytes are not in the pool yet. */
struct stmt *pool_keep(struct stmt_pool *pool, const struct stmt *scanned) MUST_CHECK;

bool pool_is_verified(const struct stmt *pooled, const struct key *mesh_public);
void pool_set_verified(struct stmt *pooled, const struct key *mesh_public);

/* After the last reference: out of the pool, and freed. */
void pool_drop(struct stmt *pooled);

#endif
