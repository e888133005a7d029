/*
 * Meshes of many hosts that share one replica and have sessions as they want them, without nodes
 * that run: for tests of the trees.  SEED=number repeats a run.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_CORE_CROWD_H
#define SMEG_TESTS_UNIT_SMEGD_CORE_CROWD_H

#include "tests/unit/memtest.h"

#include "smegd/core/node_priv.h"

#define CROWD_NOW_MS 1700000000000LL

struct crowd {
	struct memtest mt;
	struct rng rng;
	struct keypair mesh;
	struct set *set;
	size_t count;
	struct node *nodes;
	struct mesh *meshes;
	struct keypair *pairs;
	bool *is_dead;
};

uint64_t crowd_seed(void); /* printed */
void crowd_init(struct crowd *c, size_t count, uint64_t number);
void crowd_fini(struct crowd *c);
struct step crowd_step(struct crowd *c, size_t i); /* one that can't have effects */
size_t crowd_index(const struct crowd *c, const struct key *k);
/* Host i has a session with that one; the other side is another call. */
void crowd_connect(struct crowd *c, size_t i, size_t with);
void crowd_disconnect(struct crowd *c, size_t i, size_t with);
/* All want their fingers, and are connected with whom they want. */
void crowd_meet(struct crowd *c);
/* All count the members of their slots, and are connected with whom they want then. */
void crowd_count(struct crowd *c);

#endif
