/*
 * Everything at once.
 */
#include "tests/sim/scenario.h"

#include <stdio.h>
#include <string.h>

/* One random thing that goes wrong, or that somebody wants. */
static void storm_once(struct world *w, struct model *m)
{
	struct host *h = w->hosts[random_host(w, m)];
	char text[32];

	switch (rng_below(&w->rng, 6)) {
	case 0:
		if (h->is_up)
			host_crash(w, h);
		break;
	case 1:
		if (h->is_up)
			host_power_off(w, h);
		break;
	case 2:
		set_sides(w, 1 + (unsigned)rng_below(&w->rng, 3));
		break;
	case 3:
		if (h->is_paused)
			host_resume(w, h);
		else if (h->is_up)
			host_pause(w, h);
		break;
	case 4:
		if (!h->is_up)
			host_boot(w, h);
		break;
	default:
		if (!h->is_up || h->is_paused || m->of[h->index] != EXPECT_IN)
			break;
		snprintf(text, sizeof(text), "%u", (unsigned)rng_below(&w->rng, 1000));
		describe(w, m, h->index, text);
		break;
	}
}

/* Crashes, power failures, pauses, splits and changes at once; two leave; then all is well again.
 */
static void run(struct world *w, struct model *m)
{
	raise_mesh(w, m);
	for (unsigned i = 0; i < 200; i++) {
		storm_once(w, m);
		world_pass(w, (int64_t)rng_below(&w->rng, SECOND_US));
		if (i % 20 == 0)
			check_safety(w, m, true);
	}
	set_sides(w, 1);
	for (size_t i = 0; i < m->count; i++) {
		host_resume(w, w->hosts[i]);
		if (!w->hosts[i]->is_up)
			host_boot(w, w->hosts[i]);
	}
	leave(w, m, 1);
	leave(w, m, 2);
	settle(w, m, 2 * MINUTE_US, "after the storm");
	check_final(w, m);
}

SCENARIO(storm, "crashes, power failures, pauses, splits and changes at once", 100)
