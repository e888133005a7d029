/*
 * Ten changes in the moment after one in twenty hosts lost power, with a loss of 1 %.
 *
 * Nobody has noticed yet: all changes come within the next second or so.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"

#define CHANGES 10
#define BETWEEN_US (SECOND_US / 10)

static void run(struct measure *b, struct world *w, struct model *m)
{
	struct series *last = measure_series(b, "spread_lossy_p99_ms", "ms", SUM_P99);

	w->options.loss_permille = 10;
	for (size_t dead = 0; dead < m->count / 20; dead++) {
		unsigned who = measure_host(w, m);

		m->of[who] = EXPECT_DEAD;
		host_power_off(w, w->hosts[who]);
	}
	for (unsigned i = 0; i < CHANGES; i++) {
		struct spread s;

		spread_tell(w, m, measure_host(w, m), MINUTE_US, &s);
		if (s.missing)
			measure_lost(last);
		else
			measure_add(last, (double)s.last_us / 1e3);
		world_pass(w, BETWEEN_US);
	}
}

GROUP_SETTLED(lossy, "1 % loss and 5 % of hosts just dead: spread_lossy_p99_ms", MINUTE_US)
