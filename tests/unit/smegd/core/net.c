/*
 * See net.h.
 */
#include "tests/unit/smegd/core/net_priv.h"

#include <errno.h>
#include <stdio.h>

#define STEPS_MAX 200000 /* in one net_run(); more is a loop without end */

/* --- devices ------------------------------------------------------------------------------------
 */

static struct net_device *find_device(struct net_host *h, const char *mesh)
{
	struct net_device *free_one = NULL;

	for (size_t i = 0; i < NET_MESHES; i++) {
		struct net_device *d = &h->devices[i];

		if (strcmp(d->mesh, mesh) == 0)
			return d;
		if (!d->mesh[0] && !free_one)
			free_one = d;
	}
	assert_non_null(free_one);
	memcpy(free_one->mesh, mesh, MESH_ID_BYTES);
	box_init(&free_one->box);
	return free_one;
}

static void read_device(struct net *n, size_t host, const char *mesh)
{
	struct net_event *e = net_queue(n, host, EV_DEVICE);

	memcpy(e->ev.u.device.mesh, mesh, MESH_ID_BYTES);
}

/* What is read is what is there when the answer comes. */
static void answer_read(struct net_host *h, struct net_event *e)
{
	e->ev.u.device.err = h->device_err;
	if (!h->device_err)
		net_copy_device(e, &find_device(h, e->ev.u.device.mesh)->box.d);
}

static void apply(struct net *n, size_t host, const char *mesh, const struct plan *plan)
{
	struct net_device *d = find_device(&n->hosts[host], mesh);
	struct net_event *e = net_queue(n, host, EV_APPLIED);

	assert_true(plan->count > 0);
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->ops[i].kind == OP_LINK_DEL && !d->box.d.exists)
			continue; /* the backends don't mind */
		box_apply(&d->box, &plan->ops[i]);
	}
	memcpy(e->ev.u.applied.mesh, mesh, MESH_ID_BYTES);
}

static void tell_addresses(struct net *n, size_t host)
{
	struct net_event *e = net_queue(n, host, EV_ADDRESSES);
	char text[ADDR_TEXT_BYTES];

	snprintf(text, sizeof(text), "10.0.0.%zu", host + 1);
	assert_int_equal(addr_parse(&e->address.addr, text), 0);
	e->address.bits = 120;
	e->ev.u.addresses.list = &e->address;
	e->ev.u.addresses.count = 1;
}

/* --- effects ------------------------------------------------------------------------------------
 */

static void PRINTF_LIKE(2, 3) say(struct net_host *h, const char *format, ...)
{
	va_list args;

	if (h->log_count + 256 > NET_LOG_BYTES)
		return;
	va_start(args, format);
	h->log_count += (size_t)vsnprintf(h->log + h->log_count, 256, format, args);
	va_end(args);
}

static void say_effect(struct net_host *h, const struct effect *fx)
{
	static const char *const tables[] = { "", "mesh", "state", "invite", "counter", "seen" };
	static const char *const msgs[] = {
		"",         "entries", "digest", "sketch",  "want",   "redeem", "redeemed", "bye",
		"announce", "more",    "fetch",  "suspect", "attest", "beat",   "beat-ack"
	};
	const struct row *row = &fx->u.persist.row;

	switch (fx->kind) {
	case FX_PERSIST:
		say(h, "%s%s", row->value.at ? "put " : "delete ", tables[row->table]);
		if (row->table == ROW_STATE)
			say(h, " %d", row->key.at[0]);
		if (row->table == ROW_COUNTER)
			say(h, " %.*s", (int)row->key.count, (const char *)row->key.at);
		say(h, "%s\n", fx->u.persist.durable ? "" : " lazily");
		break;
	case FX_SEND:
		say(h, "send %s\n", msgs[fx->u.send.msg->kind]);
		break;
	case FX_DIAL:
		say(h, "dial %s%s\n", fx->u.dial.at.host, fx->u.dial.as_joiner ? " as joiner" : "");
		break;
	case FX_CLOSE:
		say(h, "close\n");
		break;
	case FX_READ_DEVICE:
		say(h, "read\n");
		break;
	case FX_APPLY:
		say(h, "apply %zu\n", fx->u.device.plan->count);
		break;
	case FX_READ_ADDRESSES:
		say(h, "addresses\n");
		break;
	case FX_REPLY:
		say(h, "reply %s\n", err_code(fx->u.reply.result->err));
		break;
	case FX_PROGRESS:
		say(h, "progress %u\n", fx->u.progress.progress->step);
		break;
	case FX_TRACE:
		say(h, "trace %s\n", trace_name(fx->u.trace.kind));
		break;
	}
}

static void take_reply(struct net_host *h, const struct effect *fx)
{
	size_t at = h->results_count++ % NET_RESULTS;

	assert_true(fx->u.reply.request != 0);
	h->results[at] = *fx->u.reply.result;
	h->requests[at] = fx->u.reply.request;
}

static void carry_out(struct net *n, size_t host, const struct effect *fx)
{
	struct net_host *h = &n->hosts[host];

	say_effect(h, fx);
	if (h->disk.is_due && (fx->kind == FX_SEND || fx->kind == FX_DIAL || fx->kind == FX_REPLY))
		disk_commit(&h->disk);
	switch (fx->kind) {
	case FX_PERSIST:
		disk_put(&h->disk, &fx->u.persist.row, fx->u.persist.durable);
		break;
	case FX_SEND:
		net_send_msg(n, host, fx->u.send.session, fx->u.send.msg);
		break;
	case FX_DIAL: {
		struct net_event *e = net_queue(n, host, EV_TICK);

		e->kind = NET_DIAL;
		e->dial = *fx;
		break;
	}
	case FX_CLOSE:
		net_close_session(n, host, fx->u.session);
		break;
	case FX_READ_DEVICE:
		read_device(n, host, fx->u.device.mesh);
		break;
	case FX_APPLY:
		apply(n, host, fx->u.device.mesh, fx->u.device.plan);
		break;
	case FX_READ_ADDRESSES:
		tell_addresses(n, host);
		break;
	case FX_REPLY:
		take_reply(h, fx);
		break;
	case FX_PROGRESS:
		h->progress = *fx->u.progress.progress;
		break;
	case FX_TRACE:
		break;
	}
}

static void carry_out_all(struct net *n, size_t host)
{
	struct net_host *h = &n->hosts[host];

	for (size_t i = 0; i < h->fx.count; i++) {
		if (h->crash_in != SIZE_MAX && h->crash_in-- == 0) {
			h->has_crashed = true;
			h->crash_in = SIZE_MAX;
			net_crash(n, host);
			return;
		}
		carry_out(n, host, &h->fx.list[i]);
	}
	if (h->disk.is_due)
		disk_commit(&h->disk);
}

/* --- hosts --------------------------------------------------------------------------------------
 */

static struct instant now_at(const struct net *n, size_t host)
{
	return (struct instant){ n->mono_ms,
		                 NET_NOW_MS + n->mono_ms + n->hosts[host].wall_ahead_ms };
}

void net_event(struct net *n, size_t host, struct event *ev)
{
	struct net_host *h = &n->hosts[host];

	if (!h->node)
		return;
	ev->now = now_at(n, host);
	h->step_err = node_step(h->node, ev, &h->fx);
	if (h->step_err)
		net_crash(n, host);
	else
		carry_out_all(n, host);
}

void net_init(struct net *n, size_t hosts)
{
	*n = (struct net){ .count = hosts };
	n->last = &n->first;
	n->hosts = calloc(hosts, sizeof(*n->hosts));
	assert_non_null(n->hosts);
	for (size_t i = 0; i < hosts; i++) {
		struct net_host *h = &n->hosts[i];

		memtest_init(&h->mt);
		h->crash_in = SIZE_MAX;
		h->log = malloc(NET_LOG_BYTES);
		assert_non_null(h->log);
		net_log_clear(n, i);
		h->options = (struct node_options){
			.mem = &h->mt.mem,
			.seed = { 's', 'e', 'e', 'd', (uint8_t)i },
			.gossip_port = 7000,
			.wg_port = 51820,
			.device_prefix = "smeg",
			.keepalive_s = 25,
		};
		snprintf(h->options.alias, sizeof(h->options.alias), "host-%zu", i);
	}
}

void net_fini(struct net *n)
{
	for (size_t i = 0; i < n->count; i++) {
		net_crash(n, i);
		disk_fini(&n->hosts[i].disk);
		free(n->hosts[i].log);
	}
	while (n->first)
		net_drop(net_take(n));
	free(n->sessions);
	free(n->hosts);
}

void net_boot(struct net *n, size_t host)
{
	struct net_host *h = &n->hosts[host];
	struct event start = { .kind = EV_START };

	assert_null(h->node);
	h->options.seed[5]++; /* a daemon draws another one at each start */
	h->step_err = node_new(&h->options, &h->node);
	if (h->step_err)
		return;
	effects_init(&h->fx, &h->mt.mem);
	for (size_t i = 0; i < h->disk.rows.count && !h->step_err; i++) {
		struct event ev = {
			.kind = EV_RESTORE,
			.now = now_at(n, host),
			.u.row = &h->disk.rows.list[i].row,
		};

		h->step_err = node_step(h->node, &ev, &h->fx);
		if (!h->step_err)
			assert_int_equal(h->fx.count, 0);
	}
	if (h->step_err)
		net_crash(n, host);
	else
		net_event(n, host, &start);
}

void net_crash(struct net *n, size_t host)
{
	struct net_host *h = &n->hosts[host];

	if (!h->node)
		return;
	node_free(h->node);
	h->node = NULL;
	effects_fini(&h->fx);
	memtest_assert_no_leak(&h->mt);
	disk_crash(&h->disk);
	net_drop_events_of(n, host);
	for (size_t i = 0; i < n->sessions_count; i++) {
		struct net_session *s = &n->sessions[i];

		for (size_t end = 0; end < 2; end++) {
			if (s->ends[end] != host || !s->open[end])
				continue;
			s->open[end] = false;
			if (!n->cut[host][s->ends[!end]])
				net_queue_down(n, s, !end, -ECONNRESET);
		}
	}
}

void net_boot_all(struct net *n)
{
	for (size_t i = 0; i < n->count; i++)
		net_boot(n, i);
	net_deliver(n);
}

void net_cut(struct net *n, size_t a, size_t b, bool cut)
{
	n->cut[a][b] = n->cut[b][a] = cut;
}

/* --- time ---------------------------------------------------------------------------------------
 */

static void deliver_one(struct net *n)
{
	struct net_event *e = net_take(n);

	if (e->ev.kind == EV_DEVICE)
		answer_read(&n->hosts[e->host], e);
	if (e->kind == NET_DIAL && n->hosts[e->host].node)
		net_dial(n, e);
	else if (e->kind == NET_EVENT)
		net_event(n, e->host, &e->ev);
	net_drop(e);
}

void net_deliver(struct net *n)
{
	for (size_t i = 0; n->first; i++) {
		assert_true(i < STEPS_MAX);
		deliver_one(n);
	}
}

static void tick_due(struct net *n)
{
	for (size_t i = 0; i < n->count; i++) {
		struct event tick = { .kind = EV_TICK };

		if (n->hosts[i].node && node_deadline(n->hosts[i].node) <= n->mono_ms)
			net_event(n, i, &tick);
	}
}

void net_run(struct net *n, int64_t ms)
{
	int64_t end = n->mono_ms + ms;

	net_deliver(n);
	for (size_t steps = 0; n->mono_ms < end; steps++) {
		int64_t next = end;

		assert_true(steps < STEPS_MAX);
		for (size_t i = 0; i < n->count; i++)
			if (n->hosts[i].node)
				next = MIN_OF(next, node_deadline(n->hosts[i].node));
		/* A deadline that is not met by its tick would stop time. */
		n->mono_ms = MAX_OF(next, n->mono_ms + 1);
		tick_due(n);
		net_deliver(n);
	}
	/* What need not be durable at once is soon. */
	for (size_t i = 0; i < n->count; i++)
		disk_commit(&n->hosts[i].disk);
}

/* --- commands -----------------------------------------------------------------------------------
 */

uint64_t net_command(struct net *n, size_t host, struct command *c)
{
	struct event ev = { .kind = EV_COMMAND, .u.command = c };

	c->request = ++n->next_request;
	net_event(n, host, &ev);
	return c->request;
}

const struct command_result *net_result(const struct net *n, size_t host, uint64_t request)
{
	const struct net_host *h = &n->hosts[host];

	for (size_t i = 0; i < MIN_OF(h->results_count, (size_t)NET_RESULTS); i++)
		if (h->requests[i] == request)
			return &h->results[i];
	return NULL;
}

const struct command_result *net_do(struct net *n, size_t host, struct command *c)
{
	uint64_t request = net_command(n, host, c);

	net_deliver(n);
	for (int i = 0; i < 1200 && !net_result(n, host, request) && n->hosts[host].node; i++)
		net_run(n, 100);
	return net_result(n, host, request);
}

struct command net_create_command(const char *name)
{
	struct command c = { .kind = CMD_CREATE };

	snprintf(c.mesh, sizeof(c.mesh), "%s", name);
	return c;
}

struct command net_join_command(const char *token)
{
	struct command c = { .kind = CMD_JOIN };

	c.token = (struct bytes){ (const uint8_t *)token, strlen(token) };
	return c;
}

struct command net_invite_command(const char *name, uint32_t uses)
{
	struct command c = {
		.kind = CMD_INVITE,
		.role = ROLE_PEER,
		.uses = uses,
		.expires_in_ms = MS_PER_DAY,
	};

	snprintf(c.mesh, sizeof(c.mesh), "%s", name);
	return c;
}

static const struct command_result *must(struct net *n, size_t host, struct command *c)
{
	const struct command_result *r = net_do(n, host, c);

	assert_non_null(r);
	if (r->err)
		fail_msg("host %zu: %s", host, r->diag.text);
	return r;
}

const char *net_create(struct net *n, size_t host, const char *name)
{
	struct command c = net_create_command(name);

	return must(n, host, &c)->token;
}

const char *net_invite(struct net *n, size_t host, const char *name, uint32_t uses)
{
	struct command c = net_invite_command(name, uses);

	return must(n, host, &c)->token;
}

void net_join(struct net *n, size_t host, const char *token)
{
	struct command c = net_join_command(token);

	must(n, host, &c);
}

void net_make_home(struct net *n)
{
	net_boot_all(n);
	net_create(n, 0, "home");
	for (size_t i = 1; i < n->count; i++)
		net_join(n, i, net_invite(n, 0, "home", 1));
	net_run(n, 10 * MS_PER_SECOND);
	assert_true(net_agrees(n, "home"));
}

/* --- looking ------------------------------------------------------------------------------------
 */

struct mesh *net_mesh(const struct net *n, size_t host, const char *name)
{
	return n->hosts[host].node ? mesh_by_name(n->hosts[host].node, name) : NULL;
}

bool net_agrees(const struct net *n, const char *name)
{
	uint8_t digests[2][DIGEST_BYTES];
	size_t count = 0;

	for (size_t i = 0; i < n->count; i++) {
		struct mesh *m = net_mesh(n, i, name);

		if (!m)
			continue;
		set_digest(m->set, digests[!!count]);
		if (count++ && memcmp(digests[0], digests[1], DIGEST_BYTES) != 0)
			return false;
	}
	return true;
}

size_t net_members(const struct net *n, size_t host, const char *name)
{
	struct mesh *m = net_mesh(n, host, name);

	return m ? mesh_live_members(m) : 0;
}

void net_log_clear(struct net *n, size_t host)
{
	n->hosts[host].log_count = 0;
	n->hosts[host].log[0] = 0;
}

bool net_logged(const struct net *n, size_t host, const char *text)
{
	return strstr(n->hosts[host].log, text) != NULL;
}
