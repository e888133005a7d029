/*
 * Wanted device, read device -> the fewest operations that lead from one to the other.
 */
#ifndef SMEG_SMEGD_CORE_PLAN_H
#define SMEG_SMEGD_CORE_PLAN_H

#include "base/mem.h"
#include "smegd/core/model.h"

struct plan_input {
	const struct device *want; /* borrowed; peers ascending by key */
	const struct device *have; /* borrowed; peers ascending by key */
	const struct prefix *own;  /* addresses inside it on the device are ours */
	/* Is this peer ours to remove?  Others, added by hand, are left alone. */
	bool (*is_ours)(const void *ctx, const struct key *peer);
	const void *ctx;
};

/* NULL: not there. */
const struct wg_peer *device_peer(const struct device *d, const struct key *key);

/*
 * A field absent from the wanted side is reset, but: an absent endpoint is left as it is (the
 * kernel may have learned it), and peers, addresses and routes that are not ours are not touched.
 *
 * have->foreign is the caller's to handle first (asserted).  An unchanged world gives count 0.
 * The operations live in `arena` and borrow from `want`.  -ENOMEM.
 */
int plan_make(const struct plan_input *in, struct arena *arena, struct plan *ret) MUST_CHECK;

#endif
