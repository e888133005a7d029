/*
 * The member with the lowest key dies three times over, by power failure: nobody live is lost, and
 * changes go on reaching everybody.
 */
#include "tests/sim/scenario.h"

#include "tests/sim/spread.h"

static unsigned lowest(const struct world *w, const struct model *m)
{
	unsigned best = UINT32_MAX;

	for (unsigned i = 0; i < m->count; i++)
		if (m->of[i] == EXPECT_IN && w->hosts[i]->is_up &&
		    (best == UINT32_MAX ||
		     key_compare(&m->members[i].key, &m->members[best].key) < 0))
			best = i;
	return best;
}

static void run(struct world *w, struct model *m)
{
	raise_mesh(w, m);
	world_pass(w, MINUTE_US);
	for (unsigned i = 0; i < 3; i++) {
		unsigned leader = lowest(w, m);
		struct spread s;

		m->of[leader] = EXPECT_DEAD;
		host_power_off(w, w->hosts[leader]);
		spread_change(w, m, lowest(w, m), MINUTE_US, &s);
		if (s.missing)
			world_fail(w, "a change did not reach %zu", s.missing);
		world_pass(w, MINUTE_US);
		check_safety(w, m, true);
	}
	check_final(w, m);
}

SCENARIO(leader-dies, "the member with the lowest key dies, three times over", 100)
