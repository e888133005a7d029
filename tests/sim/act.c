/*
 * Doing things to a world.
 */
#include "tests/sim/act.h"

#include "tests/sim/prepare.h"

#include <stdio.h>
#include <string.h>

#define JOINERS_MAX 300 /* at once, with one token; above that, worlds are prepared */

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

int command(struct world *w, struct host *h, struct command *c)
{
	host_command(w, h, c);
	if (!world_run(w, w->now_us + MINUTE_US, outcome_done, h))
		return ERR_TIMED_OUT;
	return h->outcome.result.err;
}

void expect(struct world *w, int err, const char *what, unsigned host)
{
	if (err)
		world_fail(w, "%s on host %u: %s (%s)", what, host, err_text(err),
		           w->hosts[host]->outcome.result.diag.text);
}

void name_mesh(struct command *c, const struct model *m)
{
	memcpy(c->mesh, m->mesh, sizeof(c->mesh));
}

void create(struct world *w, struct model *m, unsigned host)
{
	struct command c = { .kind = CMD_CREATE };

	name_mesh(&c, m);
	expect(w, command(w, w->hosts[host], &c), "create", host);
	m->of[host] = EXPECT_IN;
	model_key(m, host, &w->hosts[host]->outcome.result.key);
}

int invite(struct world *w,
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

void invite_for(struct world *w, struct model *m, unsigned who, char token[TOKEN_TEXT_BYTES])
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

/* role: 0: what the token allows. */
static void begin_join(struct world *w, unsigned host, const char *token, enum role role)
{
	struct command c = { .kind = CMD_JOIN, .role = role };

	c.token = (struct bytes){ (const uint8_t *)token, strlen(token) };
	host_command(w, w->hosts[host], &c);
}

static void note_joined(struct world *w, struct model *m, unsigned host)
{
	m->of[host] = EXPECT_IN;
	model_key(m, host, &w->hosts[host]->outcome.result.key);
}

int join(struct world *w, struct model *m, unsigned host, const char *token)
{
	return join_as(w, m, host, token, (enum role)0);
}

int join_as(struct world *w, struct model *m, unsigned host, const char *token, enum role role)
{
	begin_join(w, host, token, role);
	if (!world_run(w, w->now_us + MINUTE_US, outcome_done, w->hosts[host]))
		return ERR_TIMED_OUT;
	if (!w->hosts[host]->outcome.result.err)
		note_joined(w, m, host);
	return w->hosts[host]->outcome.result.err;
}

void leave(struct world *w, struct model *m, unsigned host)
{
	struct command c = { .kind = CMD_LEAVE };

	name_mesh(&c, m);
	expect(w, command(w, w->hosts[host], &c), "leave", host);
	m->of[host] = EXPECT_LEFT;
}

void describe(struct world *w, struct model *m, unsigned host, const char *text)
{
	struct command c = { .kind = CMD_SET };

	name_mesh(&c, m);
	c.settings.has_description = true;
	snprintf(c.settings.description, sizeof(c.settings.description), "%s", text);
	host_command(w, w->hosts[host], &c);
}

bool settle(struct world *w, struct model *m, int64_t within_us, const char *what)
{
	int64_t begun_us = w->now_us;
	bool ok = world_run(w, w->now_us + within_us, converged, m);

	if (!ok)
		world_fail(w, "%s: not converged in %.0f s", what, (double)within_us / 1e6);
	world_say(w, "  %-28s converged in %.3f s\n", what, (double)(w->now_us - begun_us) / 1e6);
	return ok;
}

static bool all_done(struct world *w, void *ctx)
{
	const struct model *m = ctx;

	for (size_t i = 1; i < m->count; i++)
		if (!w->hosts[i]->outcome.is_done)
			return false;
	return true;
}

static void join_all(struct world *w, struct model *m)
{
	char token[TOKEN_TEXT_BYTES];
	int64_t begun_us = w->now_us;

	boot_all(w);
	create(w, m, 0);
	expect(w, invite(w, m, 0, (uint32_t)m->count, token), "invite", 0);
	for (unsigned i = 1; i < m->count; i++)
		begin_join(w, i, token, (enum role)0);
	if (!world_run(w, w->now_us + 2 * MINUTE_US, all_done, m))
		world_fail(w, "not all joins came to an end");
	for (unsigned i = 1; i < m->count; i++) {
		expect(w, w->hosts[i]->outcome.result.err, "join", i);
		note_joined(w, m, i);
	}
	world_say(w, "  %-28s %.3f s\n", "all joined", (double)(w->now_us - begun_us) / 1e6);
}

void raise_mesh(struct world *w, struct model *m)
{
	while (w->hosts_count < m->count)
		host_new(w);
	if (m->count > JOINERS_MAX || w->options.prepared)
		prepare_mesh(w, m);
	else
		join_all(w, m);
	settle(w, m, 2 * MINUTE_US, "raise");
	/* What others say is on the disk within a second. */
	world_pass(w, 2 * SECOND_US);
}

unsigned raise_with_clients(struct world *w, struct model *m)
{
	unsigned all = (unsigned)m->count;
	unsigned peers = all - all / 4;
	char token[TOKEN_TEXT_BYTES];

	/* Which peer of a device carries a client's traffic is what tests/netns looks at. */
	w->options.devices = false;
	while (w->hosts_count < all) {
		struct host *h = host_new(w);

		h->is_natted = h->index >= peers;
	}
	m->count = peers;
	raise_mesh(w, m);
	expect(w, invite(w, m, 0, all - peers, token), "invite", 0);
	m->count = all;
	for (unsigned i = peers; i < all; i++)
		expect(w, join_as(w, m, i, token, ROLE_CLIENT), "join as a client", i);
	settle(w, m, MINUTE_US, "with clients");
	return peers;
}

unsigned random_host(struct world *w, const struct model *m)
{
	return (unsigned)rng_below(&w->rng, m->count);
}

void boot_all(struct world *w)
{
	for (size_t i = 0; i < w->hosts_count; i++)
		if (!w->hosts[i]->is_up)
			host_boot(w, w->hosts[i]);
}

void set_sides(struct world *w, unsigned sides)
{
	for (size_t i = 0; i < w->hosts_count; i++) {
		w->hosts[i]->side = (unsigned)(i % sides);
		w->hosts[i]->back_us = w->now_us;
	}
	world_note(w, "sides", 0, sides, 0);
}
