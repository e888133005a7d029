/*
 * Changes over nineteen regions: how much longer than the longest single hop from their origin.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"
#include "tests/sim/geo.h"

#define CHANGES 19

static void options(struct world_options *o)
{
	o->net = NET_WORLD;
	o->jitter_us = 1000;
}

static void run(struct measure *b, struct world *w, struct model *m)
{
	struct series *ratio = measure_series(b, "spread_world_ratio", "x", SUM_MEAN);
	struct series *last = measure_series(b, "spread_world_p99_ms", "ms", SUM_P99);

	for (unsigned i = 0; i < CHANGES; i++) {
		unsigned origin = measure_host(w, m);
		struct spread s;

		spread_change(w, m, origin, MINUTE_US, &s);
		if (s.missing) {
			measure_lost(ratio);
			continue;
		}
		measure_add(last, (double)s.last_us / 1e3);
		measure_add(ratio,
		            (double)s.last_us / (double)geo_longest_us(w->hosts[origin]->region));
	}
}

/* Six minutes for nearer fingers to be found: some thousand are tried, four a second. */
GROUP_AS(world,
         run,
         "nineteen regions: spread_world_ratio, spread_world_p99_ms",
         6 * MINUTE_US,
         options)
