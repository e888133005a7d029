/*
 * Hosts that die one after the other: until every other live host shows them as unreachable or out.
 *
 * `crash`: power fails, streams stay open.  `broken`: the process is killed, its streams break.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"

#define CRASHES 5

static void crashes(struct measure *b, struct world *w, struct model *m, bool is_told)
{
	struct series *last = measure_series(
		b, is_told ? "crash_broken_stream_p99_ms" : "crash_known_p99_ms", "ms", SUM_P99);

	for (unsigned i = 0; i < CRASHES; i++) {
		unsigned victim = measure_host(w, m);
		struct crash crash = { &victim, 1, is_told };
		struct spread s;

		spread_crash(w, m, &crash, 30 * SECOND_US, &s);
		if (s.missing)
			measure_lost(last);
		else
			measure_add(last, (double)s.last_us / 1e3);
		world_pass(w, 10 * SECOND_US);
	}
}

static void run(struct measure *b, struct world *w, struct model *m)
{
	crashes(b, w, m, false);
}

GROUP_SETTLED(crash, "power fails: crash_known_p99_ms", MINUTE_US)

static void run_broken(struct measure *b, struct world *w, struct model *m)
{
	crashes(b, w, m, true);
}

GROUP_AS(broken, run_broken, "the process dies: crash_broken_stream_p99_ms", MINUTE_US, NULL)
