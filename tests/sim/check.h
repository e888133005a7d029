/*
 * What must always hold, and what must hold in the end.
 */
#ifndef SMEG_TESTS_SIM_CHECK_H
#define SMEG_TESTS_SIM_CHECK_H

#include "base/map.h"
#include "tests/sim/host.h"

/* What the scenario knows: who should be in. */
enum expected {
	EXPECT_NOTHING,
	EXPECT_IN,
	EXPECT_LEFT,
	EXPECT_DEAD, /* gone for good without a word: whether it is in is the others' affair */
};

struct model_member {
	struct map_node node; /* in model.by_key, once its key is known */
	struct key key;
	uint8_t seed[KEY_BYTES]; /* of its key pair; prepared meshes only */
	unsigned host;
	bool is_known;
};

struct model {
	char mesh[LIMIT_NAME_BYTES + 1];
	enum expected *of; /* by host index */
	struct model_member *members;
	struct map by_key;
	size_t count;
};

void model_init(struct model *m, size_t hosts, const char *mesh);
void model_fini(struct model *m);
void model_key(struct model *m, unsigned host, const struct key *key); /* it has joined with it */

/* All hosts that are up and should be in agree with each other and with the model. */
bool check_converged(struct world *w, const struct model *m);

/* The same as a verdict: what differs is printed and counted. */
void check_final(struct world *w, const struct model *m);

/* The same after every run, if there is a model and nothing has happened since. */
void check_end(struct world *w);

/*
 * No host counts a live member out, or one in that has left; cheap enough for every second.  Who is
 * down, paused or cut off, or was so less than CHECK_BACK_US ago, may be pruned, but never
 * expelled.
 */
#define CHECK_BACK_US (10 * SECOND_US)
void check_safety(struct world *w, const struct model *m, bool settled);

/* The host that has joined with this key; -1: none. */
long check_host_of(const struct model *m, const struct key *key);

/* May this view have `h` pruned? */
bool check_is_excused(const struct world *w, const struct host *viewer, const struct host *h);

/* Devices hold exactly the group: every member's /128 with its own key, nobody else's. */
void check_devices(struct world *w, const struct model *m);

/* What `viewer` thinks of `who`; false: it has never heard of it. */
bool check_member(const struct world *w,
                  const struct model *m,
                  unsigned viewer,
                  unsigned who,
                  struct member_view *ret);

#endif
