/*
 * A device as the kernel holds it, for tests: plain arrays with room, and a strict carrying out of
 * operations.  An allowed IP that is given to B leaves A, nothing is made twice or changed before
 * it is made, and no route goes over a link that is down.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_CORE_BOX_H
#define SMEG_TESTS_UNIT_SMEGD_CORE_BOX_H

#include "tests/unit/unit.h"

#include "smegd/core/model.h"

#define BOX_PEERS 16
#define BOX_PREFIXES 16 /* allowed IPs of one peer */
#define BOX_ADDRESSES 8
#define BOX_ROUTES 8

/* A device with room. */
struct box {
	struct device d;
	struct wg_peer peers[BOX_PEERS];
	struct prefix allowed[BOX_PEERS][BOX_PREFIXES];
	struct address addresses[BOX_ADDRESSES];
	struct route routes[BOX_ROUTES];
};

void box_init(struct box *b);
void box_copy(struct box *to, const struct box *from); /* the copy points into itself */

struct wg_peer *box_find(struct box *b, const struct key *key);   /* NULL: not there */
struct wg_peer *box_insert(struct box *b, const struct key *key); /* empty, in order */
void box_remove(struct box *b, const struct key *key);

bool box_allows(const struct wg_peer *p, const struct prefix *prefix);
void box_allow(struct wg_peer *p, const struct prefix *prefix);
void box_disallow(struct wg_peer *p, const struct prefix *prefix);

/* Where it is; the count: not there.  any_length: the address whatever its bits. */
size_t box_address(const struct box *b, const struct address *a, bool any_length);
size_t box_route(const struct box *b, const struct route *r);

void box_apply(struct box *b, const struct op *op);

#endif
