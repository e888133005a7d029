/*
 * The leader's power fails, several times over: until every live host has had a beat of another
 * one; meanwhile no live member may be lost, and at most three members may have taken the lead.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"

#define DEATHS 3
#define LEADERS_MAX 3

struct office {
	struct model *m;
	struct key gone;  /* the leader that died */
	unsigned leaders; /* hosts that led first in their own view */
};

static bool knows(struct world *w, struct host *h, void *ctx)
{
	struct office *o = ctx;
	struct key leader;

	(void)w;
	if (!h->is_up || !node_mesh_leader(h->node, o->m->mesh, &leader) ||
	    key_equal(&leader, &o->gone))
		return false;
	o->leaders += key_equal(&leader, &o->m->members[h->index].key);
	return true;
}

/* Who leads in its own view; the first if there are several, or the number of hosts. */
static unsigned find_leader(const struct world *w, const struct model *m)
{
	for (unsigned i = 0; i < m->count; i++) {
		struct mesh_view v;

		if (w->hosts[i]->is_up && node_mesh_find(w->hosts[i]->node, m->mesh, &v) &&
		    key_equal(&v.leader, &v.self))
			return i;
	}
	return (unsigned)m->count;
}

static void die(struct series *took, struct world *w, struct model *m)
{
	unsigned leader = find_leader(w, m);
	struct office office = { .m = m };
	struct tracking tracking = { knows, &office };
	struct spread s;

	if (leader == m->count) {
		world_fail(w, "nobody leads");
		return;
	}
	office.gone = m->members[leader].key;
	m->of[leader] = EXPECT_DEAD;
	host_power_off(w, w->hosts[leader]);
	spread_follow(w, m, &tracking, MINUTE_US, &s);
	if (s.missing)
		measure_lost(took);
	else
		measure_add(took, (double)s.last_us / 1e3);
	if (office.leaders > LEADERS_MAX)
		world_fail(w, "%u members took the lead", office.leaders);
}

static void run(struct measure *b, struct world *w, struct model *m)
{
	struct series *took = measure_series(b, "leader_takeover_ms", "ms", SUM_WORST);

	for (unsigned i = 0; i < DEATHS; i++) {
		die(took, w, m);
		world_pass(w, 15 * SECOND_US);
		check_safety(w, m, true);
	}
}

GROUP_SETTLED(leader, "the leader's power fails: leader_takeover_ms", MINUTE_US)
