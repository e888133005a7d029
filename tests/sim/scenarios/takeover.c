/*
 * Leaders die: each time one member takes over, and not all.
 */
#include "tests/sim/scenario.h"

#include <stdlib.h>

#define DEATHS 4
#define LOOK_US (SECOND_US / 50)

static struct mesh_view view_of(const struct host *h, const struct model *m)
{
	struct mesh_view v;

	if (!node_mesh_find(h->node, m->mesh, &v))
		abort();
	return v;
}

/* The lowest key of those that are up. */
static unsigned find_lowest(const struct world *w, const struct model *m)
{
	unsigned best = 0;
	struct key lowest = { { 0 } };

	for (unsigned i = 0; i < m->count; i++) {
		struct key self;

		if (!w->hosts[i]->is_up)
			continue;
		self = view_of(w->hosts[i], m).self;
		if (!key_is_zero(&lowest) && key_compare(&self, &lowest) > 0)
			continue;
		lowest = self;
		best = i;
	}
	return best;
}

/* Let time pass, and count who led at any time, in its own view. */
static unsigned count_leaders(struct world *w, const struct model *m, int64_t us)
{
	bool *has_led = sim_resize(NULL, m->count);
	unsigned count = 0;

	for (unsigned i = 0; i < m->count; i++)
		has_led[i] = false;
	for (int64_t end = w->now_us + us; w->now_us < end;) {
		world_pass(w, LOOK_US);
		for (unsigned i = 0; i < m->count; i++) {
			struct mesh_view v;

			if (has_led[i] || !w->hosts[i]->is_up)
				continue;
			v = view_of(w->hosts[i], m);
			has_led[i] = key_equal(&v.leader, &v.self);
			count += has_led[i];
		}
	}
	free(has_led);
	return count;
}

static void check_leader(struct world *w, const struct model *m, const char *when)
{
	struct mesh_view leader = view_of(w->hosts[find_lowest(w, m)], m);
	size_t others = 0;
	size_t up = 0;

	for (unsigned i = 0; i < m->count; i++) {
		struct mesh_view v;

		if (!w->hosts[i]->is_up)
			continue;
		up++;
		v = view_of(w->hosts[i], m);
		others += !key_equal(&v.leader, &leader.self);
	}
	if (others)
		world_fail(w, "%s: %zu do not follow the lowest", when, others);
	world_say(w, "  %s: %zu of %zu have acknowledged\n", when, leader.beat_members, up - 1);
	/* A lost portion comes a retransmission later, maybe too late to be counted. */
	if (leader.beat_members >= up ||
	    (!w->options.loss_permille && leader.beat_members + 1 != up))
		world_fail(w, "%s: %zu of %zu have acknowledged", when, leader.beat_members,
		           up - 1);
}

static void run(struct world *w, struct model *m)
{
	unsigned victim = 0;
	unsigned leaders;

	raise_mesh(w, m);
	world_pass(w, MINUTE_US);
	check_leader(w, m, "raised");
	for (unsigned i = 0; i < DEATHS; i++) {
		victim = find_lowest(w, m);
		if (i % 2)
			host_crash(w, w->hosts[victim]);
		else
			host_power_off(w, w->hosts[victim]);
		m->of[victim] = EXPECT_DEAD;
		leaders = count_leaders(w, m, MINUTE_US);
		world_say(w, "  a death: %u have led\n", leaders);
		if (leaders != 1)
			world_fail(w, "%u have taken over", leaders);
		check_leader(w, m, "after a death");
	}
	m->of[victim] = EXPECT_IN;
	host_boot(w, w->hosts[victim]);
	world_pass(w, MINUTE_US);
	check_leader(w, m, "after its return");
}

SCENARIO(takeover, "leaders die: one takes over each time", 30)
