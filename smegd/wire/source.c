/*
 * Token buckets by source address.
 *
 * A whole /64 is one source, since anybody with IPv6 has as many addresses in it as he likes.  The
 * bucket is wide: fifty daemons behind one address, or on one test machine, start at the same time
 * and each dials several others.  What the bucket guards against is measured in thousands a second.
 *
 * At most LIMIT_SOURCES are remembered.  One with half-open links is pinned; of the others the
 * least recently used goes first.  Forgetting one fills its bucket again, so an attacker with more
 * than that many addresses is not held by this; the MAC of the hello, which he can't make without
 * knowing the mesh and its member, is.  Rejected: a global bucket, with which he could lock out
 * everybody else.
 */
#include "smegd/wire/source.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define MILLI 1000

_Static_assert(LIMIT_SOURCES > LIMIT_HALF_OPEN, "there is always one to forget");

static void source_addr(struct addr *out, const struct addr *addr)
{
	*out = *addr;
	if (!addr_is_v4(addr))
		memset(out->b + 8, 0, 8);
}

static struct source *source_of(struct map_node *node)
{
	return node ? container_of(node, struct source, node) : NULL;
}

static void source_drop(struct sources *s, struct source *src)
{
	assert(src->half_open == 0);
	list_remove(&src->used);
	map_remove(&s->map, &src->node);
	mem_free(s->mem, src);
}

void sources_init(struct sources *s, const struct mem *m)
{
	*s = (struct sources){ .mem = m };
	map_init(&s->map, sizeof(struct addr));
	list_init(&s->idle);
}

void sources_fini(struct sources *s)
{
	struct map_node *pos;
	struct map_node *tmp;

	map_for_each_safe(pos, tmp, &s->map) {
		struct source *src = source_of(pos);

		src->half_open = 0;
		source_drop(s, src);
	}
}

static int source_make(struct sources *s,
                       const struct addr *addr,
                       struct instant now,
                       struct source **ret_source)
{
	struct source *src;

	*ret_source = NULL;
	if (s->map.count >= LIMIT_SOURCES) {
		if (list_is_empty(&s->idle))
			return 0;
		source_drop(s, container_of(s->idle.next, struct source, used));
	}
	src = mem_zalloc(s->mem, sizeof(*src));
	if (!src)
		return -ENOMEM;
	src->addr = *addr;
	src->tokens_milli = (int64_t)SOURCE_BURST * MILLI;
	src->filled_ms = now.mono_ms;
	list_init(&src->used);
	list_add(&s->idle, &src->used);
	map_insert(&s->map, &src->node, src->addr.b);
	*ret_source = src;
	return 0;
}

int source_get(struct sources *s,
               const struct addr *addr,
               struct instant now,
               struct source **ret_source)
{
	struct addr key;
	struct source *src;

	source_addr(&key, addr);
	src = source_of(map_find(&s->map, key.b));
	if (!src)
		return source_make(s, &key, now, ret_source);
	if (src->half_open == 0) {
		list_remove(&src->used);
		list_add(&s->idle, &src->used);
	}
	*ret_source = src;
	return 0;
}

void source_hold(struct source *src)
{
	list_remove(&src->used);
	src->half_open++;
}

void source_release(struct sources *s, struct source *src)
{
	assert(src->half_open > 0);
	if (--src->half_open == 0)
		list_add(&s->idle, &src->used);
}

bool source_spend(struct source *src, struct instant now)
{
	const int64_t full = (int64_t)SOURCE_BURST * MILLI;
	int64_t passed = now.mono_ms - src->filled_ms;

	/* One second more than it takes to fill up, so that the product can't run over. */
	passed = MIN_OF(MAX_OF(passed, 0), full / SOURCE_PER_SECOND + MILLI);
	/* A millisecond brings PER_SECOND thousandths. */
	src->tokens_milli = MIN_OF(full, src->tokens_milli + passed * SOURCE_PER_SECOND);
	src->filled_ms = now.mono_ms;
	if (src->tokens_milli < MILLI)
		return false;
	src->tokens_milli -= MILLI;
	return true;
}
