/*
 * Who crashed may be pruned, but is in again soon after its boot.
 */
#include "tests/sim/scenario.h"

#include <stdio.h>
#include <string.h>

static void run(struct world *w, struct model *m)
{
	raise_mesh(w, m);
	for (unsigned i = 0; i < 3 * m->count; i++) {
		struct host *h = w->hosts[random_host(w, m)];

		if (h->is_up && rng_below(&w->rng, 2))
			host_crash(w, h);
		else if (h->is_up)
			host_power_off(w, h);
		world_pass(w, (int64_t)rng_below(&w->rng, 3 * SECOND_US));
		check_safety(w, m, true);
		for (size_t k = 0; k < m->count; k++)
			if (!w->hosts[k]->is_up && rng_below(&w->rng, 2))
				host_boot(w, w->hosts[k]);
	}
	for (size_t k = 0; k < m->count; k++)
		if (!w->hosts[k]->is_up)
			host_boot(w, w->hosts[k]);
	settle(w, m, 2 * MINUTE_US, "after crashes");
	world_pass(w, 30 * SECOND_US);
	check_final(w, m);
}

SCENARIO(crashes, "hosts are killed or lose power at random moments", 30)
