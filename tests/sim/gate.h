/*
 * The gate: real daemons talk to simulated hosts over real sockets, while virtual time follows the
 * machine's clock.  For measuring one daemon among thousands (tests/bench/rows/one.sh).
 *
 * Every host's address must be local (ip -6 route add local fd09::/32 dev lo): one listener serves
 * all, and the address that was dialled tells which host is meant.  A host that dials an address
 * where no host is goes out through the gate, from its own address.  What does not go through it is
 * as in any world.  No seed repeats a run with a gate.
 */
#ifndef SMEG_TESTS_SIM_GATE_H
#define SMEG_TESTS_SIM_GATE_H

#include "tests/sim/net.h"

#define GATE_LINK (UINT64_C(1) << 63) /* in numbers of links through the gate */

struct gate_counts {
	uint64_t links; /* that came up */
	uint64_t received_bytes;
	uint64_t sent_bytes;
	uint64_t sent_portions;
};

/* Listens on SIM_GOSSIP_PORT, on all addresses; sets w->gate.  False: it cannot, errno. */
bool gate_open(struct world *w);
void gate_free(struct world *w);

/* Carry real time and real bytes until `end` (a flag set by a signal handler); each_second may
 * print. */
void gate_run(struct world *w, const volatile int *end, void (*each_second)(struct world *w));
struct gate_counts gate_count(const struct gate *g);

static inline bool gate_has(uint64_t link)
{
	return (link & GATE_LINK) != 0;
}

/* --- for net.c ------------------------------------------------------------------------------ */

uint64_t gate_dial(struct gate *g, struct host *from, const struct hostport *at);
void gate_send(struct gate *g, uint64_t link, struct bytes data);
void gate_close(struct gate *g, uint64_t link);
bool gate_is_due(struct gate *g, const struct arrival *a, struct endpoint *ret_remote);

#endif
