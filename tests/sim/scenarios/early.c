/*
 * A member that knows nobody by record.
 */
#include "tests/sim/scenario.h"

#include <stdio.h>
#include <string.h>

/*
 * Power fails just after a join, before the others' records were on the disk; cut off, the host
 * leaves. It knows no other member by record then, and must still tell them (storm, seed 220 with 5
 * nodes).
 */
static void run(struct world *w, struct model *m)
{
	unsigned last = (unsigned)m->count - 1;
	char token[TOKEN_TEXT_BYTES];
	struct host *h;

	m->count = last;
	raise_mesh(w, m);
	m->count = last + 1;
	h = host_new(w);
	host_boot(w, h);
	expect(w, invite(w, m, 0, 1, token), "invite", 0);
	expect(w, join(w, m, last, token), "join", last);
	host_power_off(w, h);
	h->side = 1;
	host_boot(w, h);
	leave(w, m, last);
	world_pass(w, MINUTE_US);
	h->side = 0;
	settle(w, m, 2 * MINUTE_US, "left knowing nobody");
	check_final(w, m);
}

SCENARIO(early, "power fails just after a join; it leaves while cut off", 6)
