/*
 * Who is in: a bit for each shown entry, in its order.
 *
 * Where members come and go, most entries are of those who have gone, kept until they are old; the
 * walks that look for whom to talk to want the others.  To pass over a bit costs nothing, to look
 * at an entry that is nowhere near costs a miss of the cache.
 *
 * Rejected: a third array of pointers (eight bytes a member where an eighth of one does).
 */
#include "crdt/set_priv.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

#define BITS 64

static uint64_t below(size_t bit)
{
	return ((uint64_t)1 << bit) - 1;
}

static bool is_in(const struct group *g, size_t at)
{
	return g->words[at / BITS] >> at % BITS & 1;
}

void group_set(struct group *g, size_t at, bool in)
{
	uint64_t bit = (uint64_t)1 << at % BITS;

	g->count += in;
	g->count -= is_in(g, at);
	g->words[at / BITS] = (g->words[at / BITS] & ~bit) | (in ? bit : 0);
}

static int grow(const struct mem *m, struct group *g, size_t words)
{
	uint64_t *list;

	if (words <= g->words_count)
		return 0;
	list = mem_resize(m, g->words, words * sizeof(*list));
	if (!list)
		return -ENOMEM;
	memset(list + g->words_count, 0, (words - g->words_count) * sizeof(*list));
	g->words = list;
	g->words_count = words;
	return 0;
}

int group_insert(const struct mem *m, struct group *g, size_t at, size_t entries)
{
	size_t w = at / BITS;
	uint64_t mask = below(at % BITS);
	uint64_t moved;

	if (grow(m, g, (entries + BITS - 1) / BITS) != 0)
		return -ENOMEM;
	moved = g->words[w] >> (BITS - 1);
	g->words[w] = (g->words[w] & mask) | (g->words[w] & ~mask) << 1;
	for (w++; w < g->words_count; w++) {
		uint64_t next = g->words[w] >> (BITS - 1);

		g->words[w] = g->words[w] << 1 | moved;
		moved = next;
	}
	return 0;
}

void group_remove(struct group *g, size_t at)
{
	size_t w = at / BITS;
	uint64_t mask = below(at % BITS);

	g->count -= is_in(g, at);
	g->words[w] = (g->words[w] & mask) | (g->words[w] >> 1 & ~mask);
	for (; w + 1 < g->words_count; w++) {
		g->words[w] |= g->words[w + 1] << (BITS - 1);
		g->words[w + 1] >>= 1;
	}
}

void group_rebuild(struct group *g, const struct index *shown)
{
	if (!g->words)
		return;
	memset(g->words, 0, g->words_count * sizeof(*g->words));
	g->count = 0;
	for (size_t i = 0; i < shown->count; i++)
		group_set(g, i, shown->list[i]->standing == STANDING_IN);
}

size_t group_next(const struct group *g, size_t from)
{
	size_t w = from / BITS;
	uint64_t left = w < g->words_count ? g->words[w] & ~below(from % BITS) : 0;

	while (!left && ++w < g->words_count)
		left = g->words[w];
	return left ? w * BITS + (size_t)__builtin_ctzll(left) : SIZE_MAX;
}

int group_copy(const struct mem *m, const struct group *from, struct group *ret)
{
	*ret = (struct group){ .words = NULL };
	if (!from->words_count)
		return 0;
	ret->words = mem_dup(m, from->words, from->words_count * sizeof(*ret->words));
	if (!ret->words)
		return -ENOMEM;
	ret->words_count = from->words_count;
	ret->count = from->count;
	return 0;
}
