/*
 * The ordered map: a treap.
 *
 * Two orders at once: by key from left to right, and by priority from root to leaf (a parent comes
 * before its children in `above`).  Since the priority is a hash of the key and ties are broken by
 * the key itself, the set of keys determines the tree: the same members give the same shape on
 * every machine and after any history, and so the same costs in every run of a simulation.
 *
 * The hash is SipHash-2-4 with a fixed key.  A fixed key means that somebody who may choose many
 * keys can make the tree deeper than it should be (a chain of about 2*sqrt(n) from n tried keys),
 * but what can be admitted is bounded elsewhere and nothing recurses here, so depth costs time and
 * no stack.  Rejected: a random key per process, which would make cost and shape irreproducible;
 * red-black and AVL trees, whose shape depends on history and whose removal is a page of cases;
 * a sorted array, with O(n) insertion and elements that move.
 *
 * Nodes are threaded in the order of their keys as well, and the map keeps the first: a walk over
 * cold elements, which is what timers do, touches each of them once and nothing else.
 *
 * Source: R. Seidel, C. Aragon, "Randomized Search Trees", 1996.
 */
#include "base/map.h"

#include "base/bytes.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static uint64_t key_priority(const uint8_t *key, size_t key_bytes)
{
	static const uint8_t fixed[crypto_shorthash_siphash24_KEYBYTES] = { 0 };
	uint8_t hash[crypto_shorthash_siphash24_BYTES];
	struct reader r;

	crypto_shorthash_siphash24(hash, key, key_bytes, fixed);
	reader_init(&r, (struct bytes){ .at = hash, .count = sizeof(hash) });
	return read_u64(&r);
}

static uint64_t key_head(const uint8_t *key, size_t key_bytes)
{
	uint8_t head[8] = { 0 };
	uint64_t out = 0;

	memcpy(head, key, MIN_OF(key_bytes, sizeof(head)));
	for (size_t i = 0; i < sizeof(head); i++)
		out = out << 8 | head[i];
	return out;
}

/* As memcmp() of the keys.  Most differ in their heads, which lie in the node: one miss a level. */
static int order_to(const struct map *m,
                    uint64_t head,
                    const uint8_t *key,
                    const struct map_node *n)
{
	if (head != n->head)
		return head < n->head ? -1 : 1;
	return m->key_bytes <= sizeof(head) ? 0 : memcmp(key, n->key, m->key_bytes);
}

/* Does a belong above b?  A total order on nodes of one map. */
static bool above(const struct map *m, const struct map_node *a, const struct map_node *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return memcmp(a->key, b->key, m->key_bytes) < 0;
}

/* The pointer that points to `node`. */
static struct map_node **link_to(struct map *m, struct map_node *node)
{
	if (!node->up)
		return &m->root;
	return node->up->left == node ? &node->up->left : &node->up->right;
}

/* Put `node`, a child of `up`, into its parent's place; the parent becomes its child. */
static void rotate_up(struct map *m, struct map_node *node)
{
	struct map_node *up = node->up;
	struct map_node *moved;

	*link_to(m, up) = node;
	node->up = up->up;
	up->up = node;
	if (up->left == node) {
		moved = node->right;
		node->right = up;
		up->left = moved;
	} else {
		moved = node->left;
		node->left = up;
		up->right = moved;
	}
	if (moved)
		moved->up = up;
}

void map_init(struct map *m, size_t key_bytes)
{
	assert(key_bytes > 0);
	*m = (struct map){ .key_bytes = key_bytes };
}

/* Between node->before and what came after that. */
static void thread(struct map *m, struct map_node *node)
{
	struct map_node **link = node->before ? &node->before->after : &m->first;

	node->after = *link;
	*link = node;
	if (node->after)
		node->after->before = node;
}

static void unthread(struct map *m, struct map_node *node)
{
	*(node->before ? &node->before->after : &m->first) = node->after;
	if (node->after)
		node->after->before = node->before;
}

void map_insert(struct map *m, struct map_node *node, const void *key)
{
	struct map_node **link = &m->root;
	struct map_node *up = NULL;
	struct map_node *before = NULL;
	uint64_t head = key_head(key, m->key_bytes);

	while (*link) {
		int order = order_to(m, head, key, *link);

		assert(order != 0);
		up = *link;
		before = order < 0 ? before : up;
		link = order < 0 ? &up->left : &up->right;
	}
	*node = (struct map_node){ .up = up, .before = before, .head = head, .key = key };
	node->priority = key_priority(node->key, m->key_bytes);
	*link = node;
	thread(m, node);
	m->count++;
	while (node->up && above(m, node, node->up))
		rotate_up(m, node);
}

void map_remove(struct map *m, struct map_node *node)
{
	struct map_node *child;

	assert(m->count > 0);
	assert(*link_to(m, node) == node);
	while (node->left && node->right)
		rotate_up(m, above(m, node->left, node->right) ? node->left : node->right);
	child = node->left ? node->left : node->right;
	*link_to(m, node) = child;
	if (child)
		child->up = node->up;
	unthread(m, node);
	m->count--;
	*node = (struct map_node){ 0 };
}

struct map_node *map_find(const struct map *m, const void *key)
{
	struct map_node *node = m->root;
	uint64_t head = key_head(key, m->key_bytes);

	while (node) {
		int order = order_to(m, head, key, node);

		if (order == 0)
			return node;
		node = order < 0 ? node->left : node->right;
	}
	return NULL;
}

struct map_node *map_at_least(const struct map *m, const void *key)
{
	struct map_node *node = m->root;
	struct map_node *best = NULL;
	uint64_t head = key_head(key, m->key_bytes);

	while (node) {
		if (order_to(m, head, key, node) <= 0) {
			best = node;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return best;
}

struct map_node *map_first(const struct map *m)
{
	return m->first;
}

struct map_node *map_next(const struct map_node *node)
{
	return node->after;
}

struct map_node *map_nth(const struct map *m, size_t index)
{
	struct map_node *node = map_first(m);

	assert(index < m->count);
	while (index-- > 0)
		node = map_next(node);
	return node;
}
