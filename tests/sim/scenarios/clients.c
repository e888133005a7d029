/*
 * Clients behind NAT: they dial two peers and hang off them, and move when one of those dies.
 *
 * What a client says must reach all, and what others say must reach it, before and after.
 */
#include "tests/sim/scenario.h"

#include "tests/sim/act.h"
#include "tests/sim/spread.h"

#define DEATHS 4
#define WITHIN_US SECOND_US /* less than it takes to find it by a pull */

static void must_spread(struct world *w, struct model *m, unsigned origin)
{
	struct spread s;

	spread_change(w, m, origin, WITHIN_US, &s);
	if (s.missing)
		world_fail(w, "a change of host %u did not reach %zu of %zu", origin, s.missing,
		           s.hosts);
}

static void run(struct world *w, struct model *m)
{
	unsigned all = (unsigned)m->count;
	unsigned peers = raise_with_clients(w, m);

	world_pass(w, 20 * SECOND_US);
	must_spread(w, m, all - 1);
	must_spread(w, m, 0);
	for (unsigned i = 0; i < DEATHS && i + 2 < peers; i++) {
		unsigned victim = 1 + i;

		m->of[victim] = EXPECT_DEAD;
		host_power_off(w, w->hosts[victim]);
		world_pass(w, 30 * SECOND_US);
		check_safety(w, m, true);
		must_spread(w, m, peers + i % (all - peers));
		must_spread(w, m, 0);
	}
	check_final(w, m);
}

SCENARIO(clients, "clients behind NAT hang off two peers, and move when one dies", 24)
