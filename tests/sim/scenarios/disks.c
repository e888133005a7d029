/*
 * Disks that are slow, and disks that are full: the daemon ends rather than go on without a disk,
 * and comes back as the member that it was.
 */
#include "tests/sim/scenario.h"

#define ROUNDS 30

static void disturb(struct world *w, const struct model *m)
{
	struct disk *d = &w->hosts[random_host(w, m)]->disk;

	if (rng_below(&w->rng, 2))
		d->is_full = !d->is_full;
	else
		d->slowness =
			d->slowness ? 0 : 100; /* times a millisecond: a card that is worn out */
}

static void run(struct world *w, struct model *m)
{
	size_t ended = 0;

	raise_mesh(w, m);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct host *h = w->hosts[random_host(w, m)];

		disturb(w, m);
		if (h->is_up)
			describe(w, m, h->index, i % 2 ? "odd" : "even");
		world_pass(w, 3 * SECOND_US);
		check_safety(w, m, true);
		for (size_t k = 0; k < w->hosts_count; k++) {
			ended += !w->hosts[k]->is_up;
			if (!w->hosts[k]->is_up && !w->hosts[k]->disk.is_full)
				host_boot(w, w->hosts[k]);
		}
	}
	if (!ended)
		world_fail(w, "no daemon ended for its full disk");
	for (size_t k = 0; k < w->hosts_count; k++) {
		w->hosts[k]->disk.is_full = false;
		w->hosts[k]->disk.slowness = 0;
	}
	boot_all(w);
	settle(w, m, 2 * MINUTE_US, "with good disks again");
	check_final(w, m);
}

SCENARIO(disks, "disks are slow or full", 24)
