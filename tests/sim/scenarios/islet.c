/*
 * The peers that a client hangs off are cut off from all others, but not from the client.
 *
 * Its sessions live on, and whoever leads on that islet may beat for it: all the same the client
 * must find its way back to the others, and hear what they say and who leads them.
 */
#include "tests/sim/scenario.h"

#include "tests/sim/act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum side {
	SIDE_MAIN,
	SIDE_ISLET,
	SIDE_CLIENT, /* hears all, and is heard */
};

/* Three intervals of silence and the turns of the successors, then some time to try another. */
#define WITHIN_US (60 * SECOND_US)
/* If the leader is cut off with them, beats go on, and only the look at a third peer finds it. */
#define WITHIN_LEADER_US (10 * MINUTE_US)
#define TURNS 3

/* All that this client is connected with.  Returns how many. */
static unsigned cut_islet(struct world *w, const struct model *m, unsigned client)
{
	unsigned count = 0;

	for (unsigned i = 0; i < m->count; i++) {
		struct host *h = w->hosts[i];
		struct member_view v;

		h->side = i == client ? SIDE_CLIENT : SIDE_MAIN;
		h->back_us = w->now_us;
		if (h->is_natted || !check_member(w, m, client, i, &v) || !v.has_session)
			continue;
		h->side = SIDE_ISLET;
		count++;
	}
	w->cut[SIDE_MAIN][SIDE_ISLET] = w->cut[SIDE_ISLET][SIDE_MAIN] = true;
	for (int s = 0; s < SIDE_CLIENT; s++)
		w->cut[s][SIDE_CLIENT] = w->cut[SIDE_CLIENT][s] = false;
	world_note(w, "islet", client, count, 0);
	return count;
}

static void heal(struct world *w, struct model *m)
{
	for (unsigned i = 0; i < m->count; i++) {
		w->hosts[i]->side = SIDE_MAIN;
		w->hosts[i]->back_us = w->now_us;
	}
	settle(w, m, 3 * MINUTE_US, "after the islet");
}

struct waiting {
	const struct model *m;
	unsigned client;
	unsigned origin; /* of the change, in the greater part */
	const char *text;
};

static bool has_come(struct world *w, void *ctx)
{
	const struct waiting *wait = ctx;
	struct bytes text = { (const uint8_t *)wait->text, strlen(wait->text) };
	struct member_view v;

	return check_member(w, wait->m, wait->client, wait->origin, &v) && v.has_record &&
	       bytes_equal(v.record.description, text);
}

static struct mesh_view view_of(const struct world *w, const struct model *m, unsigned host)
{
	struct mesh_view v;

	if (!node_mesh_find(w->hosts[host]->node, m->mesh, &v))
		abort();
	return v;
}

static unsigned find_main(const struct world *w, const struct model *m)
{
	unsigned i = 0;

	while (i < m->count && w->hosts[i]->side != SIDE_MAIN)
		i++;
	return i;
}

/* The seconds until the client has a change of the greater part. */
static double change(struct world *w, struct model *m, unsigned client, int64_t within_us)
{
	char text[32];
	struct waiting wait = { m, client, find_main(w, m), text };
	int64_t begun_us = w->now_us;

	snprintf(text, sizeof(text), "at %lld", (long long)begun_us);
	describe(w, m, wait.origin, text);
	if (!world_run(w, begun_us + within_us, has_come, &wait))
		world_fail(w, "client %u is on its islet", client);
	return (double)(w->now_us - begun_us) / SECOND_US;
}

static bool is_leader_cut_off(const struct world *w, const struct model *m, unsigned client)
{
	struct key leader = view_of(w, m, client).leader;

	for (unsigned i = 0; i < m->count; i++)
		if (key_equal(&m->members[i].key, &leader))
			return w->hosts[i]->side == SIDE_ISLET;
	return false;
}

static void strand(struct world *w, struct model *m, unsigned client)
{
	unsigned count = cut_islet(w, m, client);
	bool leader = is_leader_cut_off(w, m, client);
	double first;
	double second;
	int64_t age_ms;

	world_pass(w, SECOND_US); /* what the islet has on its way does not count */
	first = change(w, m, client, leader ? WITHIN_LEADER_US : WITHIN_US);
	world_pass(w, MINUTE_US);
	second = change(w, m, client, WITHIN_US / 3);
	age_ms = view_of(w, m, client).beat_age_ms;
	world_say(w,
	          "  client %u: cut off with %u peers%s: a change came after %.1f s, then %.1f s\n",
	          client, count, leader ? " and the leader" : "", first, second);
	if (age_ms < 0 || age_ms > 15000)
		world_fail(w, "client %u has heard no beat for %lld ms", client, (long long)age_ms);
	check_safety(w, m, true);
	heal(w, m);
}

static void run(struct world *w, struct model *m)
{
	unsigned all = (unsigned)m->count;
	unsigned peers = raise_with_clients(w, m);

	for (unsigned turn = 0; turn < TURNS; turn++) {
		world_pass(w, MINUTE_US);
		strand(w, m, peers + turn % (all - peers));
	}
	check_final(w, m);
}

SCENARIO(islet, "a client's peers are cut off from all others", 24)
