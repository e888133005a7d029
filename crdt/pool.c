/*
 * The pool: a table of statements by a part of their signature.
 *
 * Open addressing with linear probing; what is taken out is closed by moving up what follows, so
 * there are no tombstones and the table does not age.  Nothing is ever walked in its order, so no
 * decision depends on it.
 *
 * An honest signature is as good as random, so eight bytes of it are the hash.  Rejected: a hash of
 * all bytes, which would cost each of a million offers as much as reading the statement.
 *
 * A statement verifies for one mesh key at most (or somebody has found a forgery), so one is kept.
 */
#include "crdt/pool.h"

#include "base/mem.h"
#include "crdt/pool_priv.h"
#include "crdt/stmt_priv.h"

#include <assert.h>
#include <errno.h>

#define SLOTS_MIN 64 /* a power of 2 */

struct pooled {
	struct stmt stmt;
	struct stmt_pool *pool;
	bool is_verified;
	struct key mesh_public; /* for which */
				/* the bytes follow */
};

struct stmt_pool {
	const struct mem *mem;
	struct stmt **slots;
	size_t cap; /* a power of 2 */
	size_t count;
	uint64_t spared;
};

int stmt_pool_new(const struct mem *mem, struct stmt_pool **ret_pool)
{
	struct stmt_pool *pool = mem_zalloc(mem, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->mem = mem;
	pool->cap = SLOTS_MIN;
	pool->slots = mem_zalloc(mem, pool->cap * sizeof(struct stmt *));
	if (!pool->slots) {
		mem_free(mem, pool);
		return -ENOMEM;
	}
	*ret_pool = pool;
	return 0;
}

void stmt_pool_free(struct stmt_pool *pool)
{
	if (!pool)
		return;
	assert(pool->count == 0);
	mem_free(pool->mem, pool->slots);
	mem_free(pool->mem, pool);
}

size_t stmt_pool_count(const struct stmt_pool *pool)
{
	return pool->count;
}

uint64_t stmt_pool_spared(const struct stmt_pool *pool)
{
	return pool->spared;
}

/* Where a statement with this signature is looked for first. */
static size_t slot_of(const struct stmt_pool *pool, const struct signature *signature)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < sizeof(hash); i++)
		hash = hash << 8 | signature->b[i];
	return (size_t)hash & (pool->cap - 1);
}

static size_t home_of(const struct stmt_pool *pool, const struct stmt *s)
{
	struct envelope e = stmt_envelope(s);

	return slot_of(pool, &e.signature);
}

static size_t slot_after(const struct stmt_pool *pool, size_t slot)
{
	return (slot + 1) & (pool->cap - 1);
}

struct stmt *pool_find(const struct stmt_pool *pool, struct bytes raw)
{
	struct envelope e;
	size_t at;

	if (envelope_read(raw, &e) != 0)
		return NULL;
	for (at = slot_of(pool, &e.signature); pool->slots[at]; at = slot_after(pool, at)) {
		if (bytes_equal(pool->slots[at]->raw, raw))
			return pool->slots[at];
	}
	return NULL;
}

static void slot_put(struct stmt_pool *pool, struct stmt *s)
{
	size_t at = home_of(pool, s);

	while (pool->slots[at])
		at = slot_after(pool, at);
	pool->slots[at] = s;
}

/* At most half full. */
static int pool_grow(struct stmt_pool *pool)
{
	struct stmt_pool grown = *pool;

	if (pool->count < pool->cap / 2)
		return 0;
	grown.cap *= 2;
	if (grown.cap > SIZE_MAX / sizeof(struct stmt *))
		return -ENOMEM;
	grown.slots = mem_zalloc(pool->mem, grown.cap * sizeof(struct stmt *));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < pool->cap; i++) {
		if (pool->slots[i])
			slot_put(&grown, pool->slots[i]);
	}
	mem_free(pool->mem, pool->slots);
	*pool = grown;
	return 0;
}

struct stmt *pool_keep(struct stmt_pool *pool, const struct stmt *scanned)
{
	struct pooled *p;

	if (pool_grow(pool) != 0)
		return NULL;
	p = mem_alloc(pool->mem, sizeof(*p) + scanned->raw.count);
	if (!p)
		return NULL;
	stmt_settle(&p->stmt, scanned, (uint8_t *)(p + 1));
	p->stmt.is_pooled = true;
	p->pool = pool;
	p->is_verified = false;
	slot_put(pool, &p->stmt);
	pool->count++;
	return &p->stmt;
}

bool pool_is_verified(const struct stmt *pooled, const struct key *mesh_public)
{
	const struct pooled *p = container_of(pooled, const struct pooled, stmt);
	bool is_verified;

	assert(pooled->is_pooled);
	is_verified = p->is_verified && key_equal(&p->mesh_public, mesh_public);
	p->pool->spared += is_verified;
	return is_verified;
}

void pool_set_verified(struct stmt *pooled, const struct key *mesh_public)
{
	struct pooled *p = container_of(pooled, struct pooled, stmt);

	assert(pooled->is_pooled);
	p->is_verified = true;
	p->mesh_public = *mesh_public;
}

/* Does what starts its search at `home` pass by `hole` before it comes to `at`? */
static bool passes_by(size_t home, size_t hole, size_t at)
{
	return hole <= at ? home <= hole || home > at : home <= hole && home > at;
}

void pool_drop(struct stmt *pooled)
{
	struct pooled *p = container_of(pooled, struct pooled, stmt);
	struct stmt_pool *pool = p->pool;
	size_t hole = home_of(pool, pooled);

	while (pool->slots[hole] != pooled)
		hole = slot_after(pool, hole);
	for (size_t at = slot_after(pool, hole); pool->slots[at]; at = slot_after(pool, at)) {
		if (!passes_by(home_of(pool, pool->slots[at]), hole, at))
			continue;
		pool->slots[hole] = pool->slots[at];
		hole = at;
	}
	pool->slots[hole] = NULL;
	pool->count--;
	mem_free(pool->mem, p);
}
