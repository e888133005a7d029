/*
 * A net whose beats are overheard, for tests of them.  Time is virtual and messages take none, so
 * all times are those of the protocol alone.  Hosts are named by the order of their keys: 0 is the
 * lowest.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_CORE_RIG_H
#define SMEG_TESTS_UNIT_SMEGD_CORE_RIG_H

#include "smegd/core/beat_priv.h"
#include "tests/unit/smegd/core/net.h"

#define INTERVAL_MS 10000
#define BEATS_MAX 256

/* A beat as its leader sent it. */
struct heard {
	int64_t at_ms;
	size_t by;
	uint64_t number;
};

struct rig {
	struct net n;
	size_t order[NET_HOSTS]; /* hosts, by key */
	bool mute[NET_HOSTS];    /* by order: its beats do not get out */
	bool deaf_1[NET_HOSTS];  /* by order: no beats get to it by the first tree */
	bool keeps_acks[NET_HOSTS];
	bool no_watchers; /* nobody is pruned */
	struct heard beats[BEATS_MAX];
	size_t beats_count;
	size_t casts[WAY__COUNT]; /* beats and proofs on the wire, by way */
	size_t proofs;
	size_t acks;
	size_t sent[NET_HOSTS];      /* beats, by order of the sender */
	size_t questions[NET_HOSTS]; /* the same */
};

/* That many hosts in one mesh, settled; the lowest has just beaten. */
void rig_init(struct rig *r, size_t hosts);
void rig_fini(struct rig *r);
void rig_listen(struct rig *r); /* to a net that the test has made */
void rig_forget(struct rig *r); /* what was overheard */

struct mesh *rig_home(struct rig *r, size_t i);
const struct key *rig_key(struct rig *r, size_t i);
size_t rig_place(const struct rig *r, size_t host); /* the order of a host of the net */
void rig_isolate(struct rig *r, size_t i, bool cut);
uint64_t rig_now(const struct rig *r); /* Unix ms */

/* Whom host i follows; SIZE_MAX: nobody that is up. */
size_t rig_leader(struct rig *r, size_t i);
void rig_assert_all_follow(struct rig *r, size_t leader);
uint32_t rig_acknowledged(struct rig *r, size_t i);

/* Anything signed by host i. */
struct forged {
	uint8_t raw[BEAT_BYTES];
	struct msg msg;
};

void rig_forge(struct rig *r, size_t i, uint64_t number, uint32_t members, struct forged *ret);
/* As if host `from` had sent it to host `to`, which may be hostile of it. */
void rig_say(struct rig *r, size_t from, size_t to, const struct msg *msg);

#endif
