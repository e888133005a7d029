/*
 * A day of a mesh that loses two in a hundred portions, with a change every ten minutes: each time
 * that a live member is pruned, it has to come back, which is counted.  Above a thousand hosts two
 * hours.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"

#define LARGE 1000
#define BETWEEN_US (10 * MINUTE_US)

static void options(struct world_options *o)
{
	o->loss_permille = 20;
}

static int64_t duration(const struct world *w, const struct model *m)
{
	if (w->options.minutes)
		return (int64_t)w->options.minutes * MINUTE_US;
	return m->count > LARGE ? 2 * HOUR_US : 24 * HOUR_US;
}

static void run(struct measure *b, struct world *w, struct model *m)
{
	int64_t end_us;

	raise_mesh(w, m);
	world_pass(w, MINUTE_US);
	end_us = w->now_us + duration(w, m);
	while (w->now_us < end_us) {
		describe(w, m, measure_host(w, m), "another day");
		world_run(w, MIN_OF(w->now_us + BETWEEN_US, end_us), NULL, NULL);
	}
	measure_add(measure_series(b, "false_removals", "1", SUM_TOTAL),
	            (double)measure_refuted(w));
	check_final(w, m);
}

GROUP(steady, "a day with 2 % loss: false_removals", options)
