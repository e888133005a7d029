/*
 * Ordered map from fixed-size byte keys to pointers, intrusive: the caller embeds a map_node and
 * owns the memory, so no call here can fail.  Iteration is in key order (memcmp) on every machine,
 * whatever the order of insertion: no decision may depend on hashes or addresses.
 *
 * A treap whose priorities are a hash of the key: O(log n) expected, shape independent of history.
 */
#ifndef SMEG_BASE_MAP_H
#define SMEG_BASE_MAP_H

#include "base/defs.h"

struct map_node {
	struct map_node *left;
	struct map_node *right;
	struct map_node *up;
	struct map_node *before; /* in key order */
	struct map_node *after;
	uint64_t head;      /* the first 8 bytes of the key, big-endian, padded with zeros */
	const uint8_t *key; /* borrowed; lives in the element; does not change while mapped */
	uint64_t priority;
};

struct map {
	struct map_node *root;
	struct map_node *first;
	size_t count;
	size_t key_bytes;
};

void map_init(struct map *m, size_t key_bytes);

/* The element's key must not be in the map yet (asserted).  `key` is borrowed until removal. */
void map_insert(struct map *m, struct map_node *node, const void *key);

/* The node must be in this map. */
void map_remove(struct map *m, struct map_node *node);

/* NULL: not there. */
struct map_node *map_find(const struct map *m, const void *key);

/* The first node whose key is not less than `key`, or NULL. */
struct map_node *map_at_least(const struct map *m, const void *key);

/* Smallest; following; NULL at the end.  Both look at one node. */
struct map_node *map_first(const struct map *m);
struct map_node *map_next(const struct map_node *node);

/* The node at position `index` (0 .. count-1) in key order; O(n) is allowed. */
struct map_node *map_nth(const struct map *m, size_t index);

#define map_for_each(pos, m) for (pos = map_first(m); pos; pos = map_next(pos))

/* The current node may be removed (and freed) in the body. */
#define map_for_each_safe(pos, tmp, m)                                  \
	for (pos = map_first(m), tmp = pos ? map_next(pos) : NULL; pos; \
	     pos = tmp, tmp = pos ? map_next(pos) : NULL)

#endif
