/*
 * Clocks that run at different speeds: 200 ppm apart is more than any two machines'.
 */
#include "tests/sim/scenario.h"

static void run(struct world *w, struct model *m)
{
	while (w->hosts_count < m->count) {
		struct host *h = host_new(w);

		h->drift_ppm = (int64_t)rng_below(&w->rng, 401) - 200;
	}
	raise_mesh(w, m);
	for (unsigned i = 0; i < 10; i++) {
		world_pass(w, 10 * MINUTE_US);
		check_safety(w, m, true);
		describe(w, m, random_host(w, m), i % 2 ? "odd" : "even");
	}
	settle(w, m, MINUTE_US, "after 100 minutes");
	check_final(w, m);
}

SCENARIO(drift, "clocks run at different speeds for 100 minutes", 24)
