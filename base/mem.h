/*
 * The injected allocator, and an arena on top of it.
 *
 * Pure code gets memory only through a struct mem.  Out of memory is -ENOMEM everywhere; what
 * returned it may only be freed, and the daemon ends (state comes back from the store).
 */
#ifndef SMEG_BASE_MEM_H
#define SMEG_BASE_MEM_H

#include "base/defs.h"

struct mem {
	void *ctx;
	/* Like realloc, with bytes = 0 meaning free (returns NULL).  ptr may be NULL. */
	void *(*resize)(void *ctx, void *ptr, size_t bytes);
};

/* NULL when out of memory.  bytes > 0. */
void *mem_alloc(const struct mem *m, size_t bytes) MUST_CHECK;

/* The same, zeroed. */
void *mem_zalloc(const struct mem *m, size_t bytes) MUST_CHECK;

/* NULL when out of memory, and then ptr is still valid.  bytes > 0. */
void *mem_resize(const struct mem *m, void *ptr, size_t bytes) MUST_CHECK;

/* A copy of `bytes` bytes (> 0) at src. */
void *mem_dup(const struct mem *m, const void *src, size_t bytes) MUST_CHECK;

/* NULL is fine. */
void mem_free(const struct mem *m, void *ptr);

/*
 * Make room for one more element in a growing array: doubles *ret_cap when count has reached it.
 * Returns 0 or -ENOMEM.  *array is replaced; pass a void * variable, since a cast struct foo **
 * would be read as another type than it has.
 */
int mem_grow(const struct mem *m, void **array, size_t count, size_t *cap, size_t each) MUST_CHECK;

/*
 * Memory that is released all at once.  arena_reset() keeps chunks for reuse, ARENA_KEEP_BYTES of
 * them at most: one large step must not be paid for ever after.
 */
#define ARENA_KEEP_BYTES 65536u

struct arena {
	const struct mem *mem; /* borrowed */
	struct arena_chunk *chunks;
	struct arena_chunk *current;
	bool is_used; /* since the last reset, which else would touch a cold chunk */
};

void arena_init(struct arena *a, const struct mem *m);
void arena_fini(struct arena *a);
void arena_reset(struct arena *a);

/* Aligned for any type, zeroed; NULL when out of memory.  bytes may be 0. */
void *arena_alloc(struct arena *a, size_t bytes) MUST_CHECK;
void *arena_dup(struct arena *a, const void *src, size_t bytes) MUST_CHECK;

#endif
