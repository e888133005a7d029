/*
 * The injected allocator's helpers, growing arrays, and the arena.
 *
 * An arena is a list of chunks; `current` is the one being filled, those before it are full and
 * those after it are empty.  A request that does not fit takes the first empty chunk that is large
 * enough and moves it to the place after current; only when there is none is a new one made.  So a
 * small step that is repeated allocates nothing after its first run, whatever the order of its
 * requests, and the list cannot grow without bound.  What a large step took goes back at the reset:
 * a joiner applies a thousand statements in one step, and an idle node a dozen.  The rest of a
 * chunk that was left is lost until the next reset: a first-fit search over all chunks was
 * rejected, as its cost grows with the step.
 *
 * Chunks double up to a limit, so that a small node (there are thousands in a simulation) holds one
 * page, and a large one does not hold a list of thousands.
 *
 * Every size computed here is checked for overflow and reported as out of memory.
 */
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <string.h>

#define ARRAY_CAP_FIRST 8
#define CHUNK_BYTES_MIN 4096
#define CHUNK_BYTES_MAX 65536
#define ALIGN_BYTES alignof(max_align_t)

/* The bytes follow; the struct's size is a multiple of ALIGN_BYTES. */
struct arena_chunk {
	alignas(max_align_t) struct arena_chunk *next;
	size_t cap;
	size_t used;
};

void *mem_alloc(const struct mem *m, size_t bytes)
{
	assert(bytes > 0);
	return m->resize(m->ctx, NULL, bytes);
}

void *mem_zalloc(const struct mem *m, size_t bytes)
{
	void *ptr = mem_alloc(m, bytes);

	if (ptr)
		memset(ptr, 0, bytes);
	return ptr;
}

void *mem_resize(const struct mem *m, void *ptr, size_t bytes)
{
	assert(bytes > 0);
	return m->resize(m->ctx, ptr, bytes);
}

void *mem_dup(const struct mem *m, const void *src, size_t bytes)
{
	void *ptr = mem_alloc(m, bytes);

	if (ptr)
		memcpy(ptr, src, bytes);
	return ptr;
}

void mem_free(const struct mem *m, void *ptr)
{
	if (ptr)
		m->resize(m->ctx, ptr, 0);
}

int mem_grow(const struct mem *m, void **array, size_t count, size_t *cap, size_t each)
{
	size_t want;
	void *grown;

	assert(each > 0);
	assert(count <= *cap);
	if (count < *cap)
		return 0;
	if (*cap > SIZE_MAX / 2 / each)
		return -ENOMEM;
	want = *cap > 0 ? *cap * 2 : ARRAY_CAP_FIRST;
	if (want > SIZE_MAX / each)
		return -ENOMEM;
	grown = mem_resize(m, *array, want * each);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*cap = want;
	return 0;
}

void arena_init(struct arena *a, const struct mem *m)
{
	*a = (struct arena){ .mem = m };
}

void arena_fini(struct arena *a)
{
	struct arena_chunk *next;

	if (!a)
		return;
	for (struct arena_chunk *c = a->chunks; c; c = next) {
		next = c->next;
		mem_free(a->mem, c);
	}
	a->chunks = NULL;
	a->current = NULL;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk **link = &a->chunks;
	size_t kept = 0;

	if (!a->is_used)
		return;
	a->is_used = false;
	while (*link) {
		struct arena_chunk *c = *link;

		if (c->cap > ARENA_KEEP_BYTES - kept) {
			*link = c->next;
			mem_free(a->mem, c);
			continue;
		}
		kept += c->cap;
		c->used = 0;
		link = &c->next;
	}
	a->current = a->chunks;
}

/* A chunk of at least `bytes` that is in no list, or NULL. */
static struct arena_chunk *chunk_new(struct arena *a, size_t bytes)
{
	size_t cap = a->current ? MIN_OF(a->current->cap * 2, CHUNK_BYTES_MAX) : CHUNK_BYTES_MIN;
	struct arena_chunk *c;

	cap = MAX_OF(cap, bytes);
	if (cap > SIZE_MAX - sizeof(*c))
		return NULL;
	c = mem_alloc(a->mem, sizeof(*c) + cap);
	if (c)
		*c = (struct arena_chunk){ .cap = cap };
	return c;
}

/* Make current a chunk with `bytes` free bytes.  NULL when out of memory. */
static struct arena_chunk *arena_advance(struct arena *a, size_t bytes)
{
	struct arena_chunk **after = a->current ? &a->current->next : &a->chunks;
	struct arena_chunk **link = after;
	struct arena_chunk *c;

	while (*link && (*link)->cap < bytes)
		link = &(*link)->next;
	c = *link;
	if (c)
		*link = c->next;
	else
		c = chunk_new(a, bytes);
	if (!c)
		return NULL;
	c->next = *after;
	*after = c;
	a->current = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	struct arena_chunk *c = a->current;
	uint8_t *ptr;

	if (bytes > SIZE_MAX - ALIGN_BYTES)
		return NULL;
	/* Even 0 bytes take some, so that every result is a pointer of its own. */
	bytes = MAX_OF((bytes + ALIGN_BYTES - 1) / ALIGN_BYTES, 1) * ALIGN_BYTES;
	if (!c || bytes > c->cap - c->used)
		c = arena_advance(a, bytes);
	if (!c)
		return NULL;
	a->is_used = true;
	ptr = (uint8_t *)(c + 1) + c->used;
	c->used += bytes;
	memset(ptr, 0, bytes);
	return ptr;
}

void *arena_dup(struct arena *a, const void *src, size_t bytes)
{
	void *ptr = arena_alloc(a, bytes);

	if (ptr && bytes > 0)
		memcpy(ptr, src, bytes);
	return ptr;
}
