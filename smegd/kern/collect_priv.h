/*
 * Peers as they come in, in whatever order and however many, until they are all there.
 */
#ifndef SMEG_SMEGD_KERN_COLLECT_PRIV_H
#define SMEG_SMEGD_KERN_COLLECT_PRIV_H

#include "base/mem.h"
#include "smegd/core/model.h"

struct collected {
	struct wg_peer peer; /* allowed_count counts; allowed is set at the end */
	size_t first;        /* of its allowed IPs */
};

struct collect {
	const struct mem *mem; /* borrowed */
	struct collected *peers;
	size_t peers_count;
	size_t peers_cap;
	struct prefix *allowed;
	size_t allowed_count;
	size_t allowed_cap;
};

/* The C library's allocator. */
extern const struct mem heap;

void collect_init(struct collect *c, const struct mem *mem);
void collect_fini(struct collect *c);

/* Forget everything that was collected. */
void collect_reset(struct collect *c);

/* The peer that was added last, if that is its key; NULL otherwise. */
struct wg_peer *collect_last(struct collect *c, const struct key *key);

/* A new peer, valid until the next call; NULL when out of memory. */
struct wg_peer *collect_peer(struct collect *c, const struct key *key) MUST_CHECK;

/* An allowed IP of the peer that was added last (there is one); host bits are cleared. */
int collect_allowed(struct collect *c, const struct addr *addr, uint8_t bits) MUST_CHECK;

/* Copy all into `arena`, sorted and each once.  -ENOMEM; ERR_MALFORMED for a peer that came twice.
 */
int collect_finish(struct collect *c, struct arena *arena, struct device *ret_device) MUST_CHECK;

#endif
