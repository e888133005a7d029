/*
 * Leaving is for good until one joins again, and then it is the same member.
 */
#include "tests/sim/scenario.h"

#include <stdio.h>
#include <string.h>

static void run(struct world *w, struct model *m)
{
	char token[TOKEN_TEXT_BYTES];
	struct key before;
	unsigned who = 1;

	raise_mesh(w, m);
	before = m->members[who].key;
	leave(w, m, who);
	settle(w, m, MINUTE_US, "leave");
	check_final(w, m);
	expect(w, invite(w, m, 0, 1, token), "invite", 0);
	expect(w, join(w, m, who, token), "join again", who);
	if (!key_equal(&before, &m->members[who].key))
		world_fail(w, "joined again with another key");
	settle(w, m, MINUTE_US, "join again");
	check_final(w, m);
}

SCENARIO(leave, "one leaves and joins again with the same key", 20)
