/*
 * Halves that find each other again.
 */
#include "tests/sim/scenario.h"

#include <stdio.h>
#include <string.h>

/*
 * Ten minutes in halves; one host joins on each side, one leaves on each side.  The administrator
 * is on the even side, so who joins on the odd one was admitted ahead.
 */
static void run(struct world *w, struct model *m)
{
	unsigned even = (unsigned)(m->count - 2) & ~1U;
	unsigned odd = even + 1;
	char token[2][TOKEN_TEXT_BYTES];

	m->count = odd + 1;
	while (w->hosts_count < m->count)
		host_new(w);
	m->count = even; /* these two join during the split */
	raise_mesh(w, m);
	expect(w, invite(w, m, 0, 1, token[0]), "invite", 0);
	invite_for(w, m, odd, token[1]);
	world_pass(w, 5 * SECOND_US);
	m->count = odd + 1;
	set_sides(w, 2);
	world_pass(w, MINUTE_US);
	expect(w, join(w, m, even, token[0]), "join on the even side", even);
	expect(w, join(w, m, odd, token[1]), "join on the odd side", odd);
	leave(w, m, 2);
	leave(w, m, 3);
	world_pass(w, 9 * MINUTE_US);
	check_safety(w, m, false);
	set_sides(w, 1);
	settle(w, m, MINUTE_US, "heal");
	check_final(w, m);
}

SCENARIO(split, "ten minutes in halves; one joins, one leaves meanwhile", 100)
