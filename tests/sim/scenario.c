/*
 * The scenarios.  Each raises a mesh, does something to it, lets it come to rest, and leaves the
 * verdict to check.c; what a scenario asserts beyond that, it says with world_fail().
 */
#include "tests/sim/scenario.h"

#include "tests/sim/net.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US 1000000LL
#define MINUTE_US (60 * SECOND_US)

/* --- doing ------------------------------------------------------------------------------------ */

static bool outcome_done(struct world *w, void *ctx)
{
	const struct host *h = ctx;

	(void)w;
	return h->outcome.is_done;
}

static bool converged(struct world *w, void *ctx)
{
	return check_converged(w, ctx);
}

/* Run a command to its end; its error. */
static int command(struct world *w, struct host *h, struct command *c)
{
	host_command(w, h, c);
	if (!world_run(w, w->now_us + MINUTE_US, outcome_done, h))
		return ERR_TIMED_OUT;
	return h->outcome.result.err;
}

static void expect(struct world *w, int err, const char *what, unsigned host)
{
	if (err)
		world_fail(w, "%s on host %u: %s (%s)", what, host, err_text(err),
		           w->hosts[host]->outcome.result.diag.text);
}

static void name_mesh(struct command *c, const struct model *m)
{
	memcpy(c->mesh, m->mesh, sizeof(c->mesh));
}

static void create(struct world *w, struct model *m, unsigned host)
{
	struct command c = { .kind = CMD_CREATE };

	name_mesh(&c, m);
	expect(w, command(w, w->hosts[host], &c), "create", host);
	m->of[host] = EXPECT_IN;
	m->keys[host] = w->hosts[host]->outcome.result.key;
}

static int invite(struct world *w,
                  struct model *m,
                  unsigned host,
                  uint32_t uses,
                  char token[TOKEN_TEXT_BYTES])
{
	struct command c = { .kind = CMD_INVITE, .uses = uses, .expires_in_ms = MS_PER_DAY };
	int err;

	name_mesh(&c, m);
	err = command(w, w->hosts[host], &c);
	memcpy(token, w->hosts[host]->outcome.result.token, TOKEN_TEXT_BYTES);
	return err;
}

static void begin_join(struct world *w, unsigned host, const char *token)
{
	struct command c = { .kind = CMD_JOIN };

	c.token = (struct bytes){ (const uint8_t *)token, strlen(token) };
	host_command(w, w->hosts[host], &c);
}

static int join(struct world *w, struct model *m, unsigned host, const char *token)
{
	begin_join(w, host, token);
	if (!world_run(w, w->now_us + MINUTE_US, outcome_done, w->hosts[host]))
		return ERR_TIMED_OUT;
	if (!w->hosts[host]->outcome.result.err) {
		m->of[host] = EXPECT_IN;
		m->keys[host] = w->hosts[host]->outcome.result.key;
	}
	return w->hosts[host]->outcome.result.err;
}

static void leave(struct world *w, struct model *m, unsigned host)
{
	struct command c = { .kind = CMD_LEAVE };

	name_mesh(&c, m);
	expect(w, command(w, w->hosts[host], &c), "leave", host);
	m->of[host] = EXPECT_LEFT;
}

static void settle(struct world *w, struct model *m, int64_t within_us, const char *what)
{
	int64_t begun_us = w->now_us;

	if (!world_run(w, w->now_us + within_us, converged, m))
		world_fail(w, "%s: not converged in %.0f s", what, (double)within_us / 1e6);
	printf("  %-28s converged in %.3f s\n", what, (double)(w->now_us - begun_us) / 1e6);
}

static bool all_done(struct world *w, void *ctx)
{
	const struct model *m = ctx;

	for (size_t i = 1; i < m->count; i++)
		if (!w->hosts[i]->outcome.is_done)
			return false;
	return true;
}

/* All hosts of the world in one mesh; host 0 creates, the others join at once. */
static void raise_mesh(struct world *w, struct model *m)
{
	char token[TOKEN_TEXT_BYTES];
	int64_t begun_us = w->now_us;

	while (w->hosts_count < m->count)
		host_new(w);
	create(w, m, 0);
	expect(w, invite(w, m, 0, (uint32_t)m->count, token), "invite", 0);
	for (unsigned i = 1; i < m->count; i++)
		begin_join(w, i, token);
	if (!world_run(w, w->now_us + 2 * MINUTE_US, all_done, m))
		world_fail(w, "not all joins came to an end");
	for (unsigned i = 1; i < m->count; i++) {
		expect(w, w->hosts[i]->outcome.result.err, "join", i);
		m->of[i] = EXPECT_IN;
		m->keys[i] = w->hosts[i]->outcome.result.key;
	}
	printf("  %-28s %.3f s\n", "all joined", (double)(w->now_us - begun_us) / 1e6);
	settle(w, m, MINUTE_US, "raise");
	/* What others say is on the disk within a second. */
	world_run(w, w->now_us + 2 * SECOND_US, NULL, NULL);
}

static unsigned random_host(struct world *w, const struct model *m)
{
	return (unsigned)rng_below(&w->rng, m->count);
}

/* --- scenarios -------------------------------------------------------------------------------- */

static void run_join(struct world *w, struct model *m)
{
	raise_mesh(w, m);
	check_final(w, m);
}

static bool changed_known(struct world *w, void *ctx)
{
	return check_converged(w, ctx);
}

static void run_change(struct world *w, struct model *m)
{
	struct command c = { .kind = CMD_SET };
	int64_t worst_us = 0;

	raise_mesh(w, m);
	/* Let the neighbours settle, so that repairs of joining are over. */
	world_run(w, w->now_us + 30 * SECOND_US, NULL, NULL);
	for (unsigned i = 0; i < 10; i++) {
		unsigned host = random_host(w, m);
		int64_t begun_us;

		name_mesh(&c, m);
		c.settings.has_description = true;
		snprintf(c.settings.description, sizeof(c.settings.description), "change %u", i);
		begun_us = w->now_us;
		host_command(w, w->hosts[host], &c);
		if (!world_run(w, w->now_us + MINUTE_US, changed_known, m))
			world_fail(w, "change %u did not reach all", i);
		worst_us = MAX_OF(worst_us, w->now_us - begun_us);
		world_run(w, w->now_us + 2 * SECOND_US, NULL, NULL);
	}
	printf("  %-28s %.3f s\n", "slowest of 10 changes", (double)worst_us / 1e6);
	check_final(w, m);
}

static void run_leave(struct world *w, struct model *m)
{
	char token[TOKEN_TEXT_BYTES];
	struct key before;
	unsigned who = 1;

	raise_mesh(w, m);
	before = m->keys[who];
	leave(w, m, who);
	settle(w, m, MINUTE_US, "leave");
	check_final(w, m);
	expect(w, invite(w, m, 0, 1, token), "invite", 0);
	expect(w, join(w, m, who, token), "join again", who);
	if (!key_equal(&before, &m->keys[who]))
		world_fail(w, "joined again with another key");
	settle(w, m, MINUTE_US, "join again");
	check_final(w, m);
}

/* Who leaves while it is cut off tells the others when it meets them again. */
static void run_leave_alone(struct world *w, struct model *m)
{
	struct host *alone;

	raise_mesh(w, m);
	alone = w->hosts[1];
	alone->side = 1;
	world_run(w, w->now_us + MINUTE_US, NULL, NULL);
	leave(w, m, 1);
	host_crash(w, alone);
	host_boot(w, alone);
	world_run(w, w->now_us + MINUTE_US, NULL, NULL);
	alone->side = 0;
	settle(w, m, 2 * MINUTE_US, "left while cut off");
	check_final(w, m);
	leave(w, m, 2);
	settle(w, m, MINUTE_US, "left while connected");
	/* Its sessions are dead, but it does not know yet (storm, seed 4 with 24 nodes). */
	w->hosts[3]->side = 1;
	leave(w, m, 3);
	world_run(w, w->now_us + MINUTE_US, NULL, NULL);
	w->hosts[3]->side = 0;
	settle(w, m, 2 * MINUTE_US, "left with dead sessions");
	check_final(w, m);
}

/*
 * Power fails just after a join, before the others' records were on the disk; cut off, the host
 * leaves. It knows no other member by record then, and must still tell them (storm, seed 220 with 5
 * nodes).
 */
static void run_early(struct world *w, struct model *m)
{
	unsigned last = (unsigned)m->count - 1;
	char token[TOKEN_TEXT_BYTES];
	struct host *h;

	m->count = last;
	raise_mesh(w, m);
	m->count = last + 1;
	h = host_new(w);
	expect(w, invite(w, m, 0, 1, token), "invite", 0);
	expect(w, join(w, m, last, token), "join", last);
	host_power_off(w, h);
	h->side = 1;
	host_boot(w, h);
	leave(w, m, last);
	world_run(w, w->now_us + MINUTE_US, NULL, NULL);
	h->side = 0;
	settle(w, m, 2 * MINUTE_US, "left knowing nobody");
	check_final(w, m);
}

static void set_sides(struct world *w, unsigned sides)
{
	for (size_t i = 0; i < w->hosts_count; i++)
		w->hosts[i]->side = (unsigned)(i % sides);
	world_note(w, "sides", 0, sides, 0);
}

/* A token for one key, so that its holder can join where no administrator is. */
static void invite_for(struct world *w, struct model *m, unsigned who, char token[TOKEN_TEXT_BYTES])
{
	struct command c = { .kind = CMD_KEY };

	expect(w, command(w, w->hosts[who], &c), "key", who);
	c = (struct command){ .kind = CMD_INVITE, .uses = 1, .expires_in_ms = MS_PER_DAY };
	c.has_for_key = true;
	c.for_key = w->hosts[who]->outcome.result.key;
	name_mesh(&c, m);
	expect(w, command(w, w->hosts[0], &c), "invite --for", 0);
	memcpy(token, w->hosts[0]->outcome.result.token, TOKEN_TEXT_BYTES);
}

/*
 * Ten minutes in halves; one host joins on each side, one leaves on each side.  The administrator
 * is on the even side, so who joins on the odd one was admitted ahead.
 */
static void run_split(struct world *w, struct model *m)
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
	world_run(w, w->now_us + 5 * SECOND_US, NULL, NULL);
	m->count = odd + 1;
	set_sides(w, 2);
	world_run(w, w->now_us + MINUTE_US, NULL, NULL);
	expect(w, join(w, m, even, token[0]), "join on the even side", even);
	expect(w, join(w, m, odd, token[1]), "join on the odd side", odd);
	leave(w, m, 2);
	leave(w, m, 3);
	world_run(w, w->now_us + 9 * MINUTE_US, NULL, NULL);
	check_safety(w, m, false);
	set_sides(w, 1);
	settle(w, m, MINUTE_US, "heal");
	check_final(w, m);
}

static void run_crashes(struct world *w, struct model *m)
{
	raise_mesh(w, m);
	for (unsigned i = 0; i < 3 * m->count; i++) {
		struct host *h = w->hosts[random_host(w, m)];

		if (h->is_up && rng_below(&w->rng, 2))
			host_crash(w, h);
		else if (h->is_up)
			host_power_off(w, h);
		world_run(w, w->now_us + (int64_t)rng_below(&w->rng, 3 * SECOND_US), NULL, NULL);
		check_safety(w, m, true);
		for (size_t k = 0; k < m->count; k++)
			if (!w->hosts[k]->is_up && rng_below(&w->rng, 2))
				host_boot(w, w->hosts[k]);
	}
	for (size_t k = 0; k < m->count; k++)
		if (!w->hosts[k]->is_up)
			host_boot(w, w->hosts[k]);
	settle(w, m, 2 * MINUTE_US, "after crashes");
	world_run(w, w->now_us + 30 * SECOND_US, NULL, NULL);
	check_final(w, m);
}

/* A host's disk comes back from a backup; its next change must still be believed. */
static void run_backup(struct world *w, struct model *m)
{
	struct command c = { .kind = CMD_SET };
	struct host *h;
	struct disk backup = { .count = 0 };

	raise_mesh(w, m);
	h = w->hosts[m->count - 1];
	disk_commit(&h->disk);
	disk_copy(&backup, &h->disk);
	name_mesh(&c, m);
	c.settings.has_alias = true;
	strcpy(c.settings.alias, "newer");
	expect(w, command(w, h, &c), "set", h->index);
	settle(w, m, MINUTE_US, "set before the restore");
	host_crash(w, h);
	disk_copy(&h->disk, &backup);
	disk_fini(&backup);
	host_boot(w, h);
	strcpy(c.settings.alias, "restored");
	expect(w, command(w, h, &c), "set", h->index);
	world_run(w, w->now_us + 30 * SECOND_US, NULL, NULL);
	settle(w, m, MINUTE_US, "set after the restore");
	for (size_t i = 0; i < m->count; i++) {
		struct member_view v = { .is_self = false };
		struct mesh_view mesh;
		struct key key = m->keys[h->index];

		/* The member before it in key order leads to it. */
		for (int b = KEY_BYTES - 1; b >= 0 && key.b[b]-- == 0; b--)
			;
		if (!node_mesh_find(w->hosts[i]->node, m->mesh, &mesh) ||
		    !node_member_next(w->hosts[i]->node, mesh.id, &key, &v) ||
		    !bytes_equal(v.record.alias, (struct bytes){ (const uint8_t *)"restored", 8 }))
			world_fail(w, "host %zu does not believe the restored host", i);
	}
	check_final(w, m);
}

/* Clocks minutes off, in both directions, and one that jumps. */
static void run_clocks(struct world *w, struct model *m)
{
	while (w->hosts_count < m->count) {
		struct host *h = host_new(w);

		h->clock_ahead_ms =
			(int64_t)rng_below(&w->rng, 8 * MS_PER_MINUTE) - 4 * MS_PER_MINUTE;
	}
	raise_mesh(w, m);
	w->hosts[1]->clock_ahead_ms += 6 * MS_PER_HOUR;
	w->hosts[2]->clock_ahead_ms -= 6 * MS_PER_HOUR;
	world_run(w, w->now_us + 5 * MINUTE_US, NULL, NULL);
	check_safety(w, m, true);
	leave(w, m, 2);
	settle(w, m, MINUTE_US, "leave with a slow clock");
	check_final(w, m);
}

static void run_pauses(struct world *w, struct model *m)
{
	raise_mesh(w, m);
	for (unsigned i = 0; i < 30; i++) {
		struct host *h = w->hosts[random_host(w, m)];

		h->is_paused = true;
		world_run(w, w->now_us + 20 * SECOND_US, NULL, NULL);
		h->is_paused = false;
		check_safety(w, m, true);
	}
	settle(w, m, MINUTE_US, "after pauses");
	check_final(w, m);
}

/* One random thing that goes wrong, or that somebody wants. */
static void storm_once(struct world *w, struct model *m)
{
	struct host *h = w->hosts[random_host(w, m)];
	struct command c = { .kind = CMD_SET };

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
		h->is_paused = !h->is_paused;
		break;
	case 4:
		if (!h->is_up)
			host_boot(w, h);
		break;
	default:
		if (!h->is_up || h->is_paused || m->of[h->index] != EXPECT_IN)
			break;
		name_mesh(&c, m);
		c.settings.has_description = true;
		snprintf(c.settings.description, sizeof(c.settings.description), "%u",
		         (unsigned)rng_below(&w->rng, 1000));
		host_command(w, h, &c);
		break;
	}
}

/* Crashes, power failures, pauses, splits and changes at once; two leave; then all is well again.
 */
static void run_storm(struct world *w, struct model *m)
{
	raise_mesh(w, m);
	for (unsigned i = 0; i < 200; i++) {
		storm_once(w, m);
		world_run(w, w->now_us + (int64_t)rng_below(&w->rng, SECOND_US), NULL, NULL);
		if (i % 20 == 0)
			check_safety(w, m, true);
	}
	set_sides(w, 1);
	for (size_t i = 0; i < m->count; i++) {
		w->hosts[i]->is_paused = false;
		if (!w->hosts[i]->is_up)
			host_boot(w, w->hosts[i]);
	}
	leave(w, m, 1);
	leave(w, m, 2);
	settle(w, m, 2 * MINUTE_US, "after the storm");
	check_final(w, m);
}

const struct scenario scenarios[] = {
	{ "join", "all join at once with one token", 100, run_join },
	{ "change", "ten changes, each must reach all", 100, run_change },
	{ "leave", "one leaves and joins again with the same key", 20, run_leave },
	{ "alone", "one leaves while it is cut off", 20, run_leave_alone },
	{ "early", "power fails just after a join; it leaves while cut off", 6, run_early },
	{ "split", "ten minutes in halves; one joins, one leaves meanwhile", 100, run_split },
	{ "crashes", "hosts are killed or lose power at random moments", 30, run_crashes },
	{ "backup", "a disk comes back from a backup", 10, run_backup },
	{ "clocks", "clocks minutes off, and two that jump by hours", 30, run_clocks },
	{ "storm", "crashes, power failures, pauses, splits and changes at once", 100, run_storm },
	{ "pauses", "hosts stop for 20 s and go on", 30, run_pauses },
};
const size_t scenarios_count = ARRAY_LEN(scenarios);
