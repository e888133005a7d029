/*
 * Peers as they come in, in whatever order and however many, until they are all there.
 *
 * Neither the kernel nor wireguard-go says beforehand how many will come, and the kernel splits a
 * long list of allowed IPs over several messages, adjacent ones.  So peers and allowed IPs grow in
 * two flat arrays on the heap, a peer's allowed IPs being a run in the second; at the end they are
 * copied to the arena in one piece each.  Growing in the arena itself was rejected: it would keep
 * every outgrown copy until the next step.
 */
#include "smegd/kern/collect_priv.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *heap_resize(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	if (bytes > 0)
		return realloc(ptr, bytes);
	free(ptr);
	return NULL;
}

const struct mem heap = { .resize = heap_resize };

void collect_init(struct collect *c, const struct mem *mem)
{
	*c = (struct collect){ .mem = mem };
}

void collect_fini(struct collect *c)
{
	mem_free(c->mem, c->peers);
	mem_free(c->mem, c->allowed);
	collect_init(c, c->mem);
}

void collect_reset(struct collect *c)
{
	c->peers_count = 0;
	c->allowed_count = 0;
}

struct wg_peer *collect_last(struct collect *c, const struct key *key)
{
	struct collected *last;

	if (c->peers_count == 0)
		return NULL;
	last = &c->peers[c->peers_count - 1];
	return key_equal(&last->peer.key, key) ? &last->peer : NULL;
}

struct wg_peer *collect_peer(struct collect *c, const struct key *key)
{
	void *array = c->peers;
	struct collected *new;

	if (mem_grow(c->mem, &array, c->peers_count, &c->peers_cap, sizeof(*c->peers)))
		return NULL;
	c->peers = array;
	new = &c->peers[c->peers_count++];
	*new = (struct collected){ .peer = { .key = *key }, .first = c->allowed_count };
	return &new->peer;
}

int collect_allowed(struct collect *c, const struct addr *addr, uint8_t bits)
{
	void *array = c->allowed;
	int err;

	assert(c->peers_count > 0);
	err = mem_grow(c->mem, &array, c->allowed_count, &c->allowed_cap, sizeof(*c->allowed));
	if (err)
		return err;
	c->allowed = array;
	prefix_make(&c->allowed[c->allowed_count++], addr, bits);
	c->peers[c->peers_count - 1].peer.allowed_count++;
	return 0;
}

static int collected_compare(const void *a, const void *b)
{
	const struct collected *p = a;
	const struct collected *q = b;

	return key_compare(&p->peer.key, &q->peer.key);
}

static int allowed_compare(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

/* Sort `count` prefixes and drop what is there twice; the new count. */
static size_t allowed_sort(struct prefix *p, size_t count)
{
	size_t kept = 0;

	if (count > 1)
		qsort(p, count, sizeof(*p), allowed_compare);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || !prefix_equal(&p[kept - 1], &p[i]))
			p[kept++] = p[i];
	}
	return kept;
}

int collect_finish(struct collect *c, struct arena *arena, struct device *ret_device)
{
	struct wg_peer *peers = arena_alloc(arena, c->peers_count * sizeof(*peers));
	struct prefix *allowed =
		arena_dup(arena, c->allowed, c->allowed_count * sizeof(*c->allowed));

	if (!peers || !allowed)
		return -ENOMEM;
	if (c->peers_count > 1)
		qsort(c->peers, c->peers_count, sizeof(*c->peers), collected_compare);
	for (size_t i = 0; i < c->peers_count; i++) {
		if (i > 0 && key_equal(&peers[i - 1].key, &c->peers[i].peer.key))
			return ERR_MALFORMED;
		peers[i] = c->peers[i].peer;
		peers[i].allowed = allowed + c->peers[i].first;
		peers[i].allowed_count = allowed_sort(peers[i].allowed, peers[i].allowed_count);
	}
	ret_device->peers = peers;
	ret_device->peers_count = c->peers_count;
	return 0;
}
