/*
 * The shell of a simulated daemon: the same translation as smegd's, with models for sockets, disk
 * and kernel.  It decides nothing either.
 *
 * The node and the hub are never re-entered: what one effect brings about (an answer of the kernel,
 * a session that goes down because the node closed it) waits in a queue until the effects are done.
 */
#include "tests/sim/host.h"

#include "tests/sim/net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define COMMIT_LAZY_US 1000000

static struct instant now_of(const struct world *w, const struct host *h)
{
	return (struct instant){
		.mono_ms = world_ms(w),
		.unix_ms = SIM_EPOCH_UNIX_MS + world_ms(w) + h->clock_ahead_ms,
	};
}

/* --- directory: the hub asks the node --------------------------------------------------------- */

static size_t identities(void *ctx, struct identity *out, size_t cap)
{
	return node_identities(ctx, out, cap);
}

static enum admit admit(void *ctx, const struct hello *hello, struct instant now, int *ret_err)
{
	return node_admit(ctx, hello, now, ret_err);
}

/* --- timers ------------------------------------------------------------------------------------
 */

static void run(struct world *w, struct host *h);

static void push(struct host *h, const struct event *ev)
{
	if (h->todo_count == h->todo_cap) {
		h->todo_cap = h->todo_cap ? 2 * h->todo_cap : 16;
		h->todo = realloc(h->todo, h->todo_cap * sizeof(*h->todo));
		assert(h->todo);
	}
	h->todo[h->todo_count++] = *ev;
}

static void carry_outputs(struct world *w, struct host *h, struct hub_outputs *out, bool direct);

static void wake(struct world *w, struct coming *c)
{
	struct host *h = w->hosts[c->host];
	struct event tick = { .kind = EV_TICK };

	if (!h->is_up || h->generation != c->generation || h->timer_us != c->at_us)
		return;
	h->timer_us = INT64_MAX;
	if (h->is_paused) {
		c->at_us = h->timer_us = w->now_us + 10000;
		world_plan(w, c);
		return;
	}
	if (hub_deadline(h->hub) <= world_ms(w)) {
		if (hub_tick(h->hub, now_of(w, h), &h->outer))
			abort();
		carry_outputs(w, h, &h->outer, true);
	}
	push(h, &tick);
	run(w, h);
}

static void arm(struct world *w, struct host *h)
{
	int64_t a = node_deadline(h->node);
	int64_t b = hub_deadline(h->hub);
	int64_t ms = MIN_OF(a, b);
	struct coming c = { .run = wake, .host = h->index, .generation = h->generation };

	if (ms == TIME_NEVER)
		return;
	c.at_us = MAX_OF(ms * 1000, w->now_us + 1);
	if (h->timer_us <= c.at_us)
		return;
	h->timer_us = c.at_us;
	world_plan(w, &c);
}

static void commit_lazy(struct world *w, struct coming *c)
{
	struct host *h = w->hosts[c->host];

	if (h->is_up && h->generation == c->generation)
		disk_commit(&h->disk);
}

static void persist(struct world *w, struct host *h, const struct effect *e)
{
	struct coming c = {
		.at_us = w->now_us + COMMIT_LAZY_US,
		.run = commit_lazy,
		.host = h->index,
		.generation = h->generation,
	};

	if (!h->disk.pending_count && !e->u.persist.durable)
		world_plan(w, &c);
	disk_put(&h->disk, &e->u.persist.row);
	h->must_commit |= e->u.persist.durable;
}

/* Rows up to here are one transaction, on the disk before anything leaves that may speak of them.
 */
static void before_leaving(struct host *h)
{
	if (h->must_commit)
		disk_commit(&h->disk);
	h->must_commit = false;
}

/* --- effects -----------------------------------------------------------------------------------
 */

static void dial(struct world *w, struct host *h, const struct effect *e)
{
	uint64_t link = net_dial(w, h, &e->u.dial.at);

	if (hub_dial(h->hub, link, e, now_of(w, h), &h->inner))
		abort();
	carry_outputs(w, h, &h->inner, false);
}

static void read_device(struct host *h, const struct effect *e)
{
	struct event ev = { .kind = EV_DEVICE };

	memcpy(ev.u.device.mesh, e->u.device.mesh, sizeof(ev.u.device.mesh));
	push(h, &ev);
}

static void apply(struct host *h, const struct effect *e)
{
	struct event ev = { .kind = EV_APPLIED };

	memcpy(ev.u.applied.mesh, e->u.device.mesh, sizeof(ev.u.applied.mesh));
	ev.u.applied.err = kern_apply(&h->kern, e->u.device.device, e->u.device.plan);
	push(h, &ev);
}

static void note_reply(struct world *w, struct host *h, const struct effect *e)
{
	if (e->u.reply.request != h->outcome.request)
		return;
	h->outcome.is_done = true;
	h->outcome.done_ms = world_ms(w);
	h->outcome.result = *e->u.reply.result;
	world_note(w, "reply", h->index, e->u.reply.request, (uint64_t)-h->outcome.result.err);
}

static void carry(struct world *w, struct host *h, const struct effect *e)
{
	struct event ev = { .kind = EV_ADDRESSES };

	if (e->kind == FX_SEND || e->kind == FX_DIAL || e->kind == FX_REPLY)
		before_leaving(h);
	switch (e->kind) {
	case FX_PERSIST:
		persist(w, h, e);
		break;
	case FX_SEND:
		if (hub_send(h->hub, e, now_of(w, h), &h->inner))
			abort();
		carry_outputs(w, h, &h->inner, false);
		break;
	case FX_DIAL:
		dial(w, h, e);
		break;
	case FX_CLOSE:
		if (hub_close(h->hub, e->u.session, now_of(w, h), &h->inner))
			abort();
		carry_outputs(w, h, &h->inner, false);
		break;
	case FX_READ_DEVICE:
		read_device(h, e);
		break;
	case FX_APPLY:
		apply(h, e);
		break;
	case FX_READ_ADDRESSES:
		push(h, &ev);
		break;
	case FX_REPLY:
		note_reply(w, h, e);
		break;
	case FX_PROGRESS:
		h->outcome.progress = e->u.progress.progress->step;
		break;
	case FX_TRACE:
		h->statements_refused += e->u.trace.kind == TRACE_REFUSED_STATEMENT;
		world_note(w, trace_name(e->u.trace.kind), h->index, e->u.trace.member.b[0],
		           (uint64_t)-e->u.trace.err);
		break;
	}
}

static void step(struct world *w, struct host *h, const struct event *ev)
{
	if (node_step(h->node, ev, &h->fx))
		abort();
	for (size_t i = 0; i < h->fx.count; i++)
		carry(w, h, &h->fx.list[i]);
}

/* direct: events go to the node now, for what they point to is in `out`; else they wait. */
static void carry_outputs(struct world *w, struct host *h, struct hub_outputs *out, bool direct)
{
	for (size_t i = 0; i < out->count; i++) {
		struct hub_output *o = &out->list[i];

		if (o->kind == HUB_SEND) {
			net_send(w, h, o->link, o->frame);
		} else if (o->kind == HUB_CLOSE) {
			net_close(w, h, o->link);
		} else if (direct) {
			o->event.now = now_of(w, h);
			step(w, h, &o->event);
		} else {
			assert(o->event.kind != EV_MESSAGE);
			push(h, &o->event);
		}
	}
}

static void fill(struct host *h,
                 struct event *ev,
                 struct arena *arena,
                 struct device *device,
                 struct own_address *own)
{
	struct mesh_view view;

	if (ev->kind == EV_ADDRESSES) {
		own->addr = h->at.addr;
		own->bits = 96;
		own->interface = 2;
		ev->u.addresses.list = own;
		ev->u.addresses.count = 1;
	} else if (ev->kind == EV_DEVICE && node_mesh_find(h->node, ev->u.device.mesh, &view)) {
		kern_read(&h->kern, view.device, arena, device);
		ev->u.device.device = device;
	} else if (ev->kind == EV_DEVICE) {
		memset(device, 0, sizeof(*device));
		ev->u.device.device = device;
	}
}

static void run(struct world *w, struct host *h)
{
	struct own_address own = { .bits = 0 };
	struct device device;
	struct arena arena;

	if (h->is_running)
		return;
	h->is_running = true;
	arena_init(&arena, &w->mem);
	while (h->todo_first < h->todo_count) {
		struct event ev = h->todo[h->todo_first++];

		ev.now = now_of(w, h);
		fill(h, &ev, &arena, &device, &own);
		step(w, h, &ev);
		arena_reset(&arena);
	}
	h->todo_first = h->todo_count = 0;
	arena_fini(&arena);
	h->is_running = false;
	arm(w, h);
}

/* --- what comes from the network ----------------------------------------------------------------
 */

void host_accepted(struct world *w, struct host *h, uint64_t link, const struct endpoint *remote)
{
	if (hub_accepted(h->hub, link, remote, now_of(w, h), &h->outer))
		abort();
	carry_outputs(w, h, &h->outer, true);
	run(w, h);
}

void host_connected(struct world *w, struct host *h, uint64_t link, const struct endpoint *remote)
{
	if (hub_connected(h->hub, link, remote, now_of(w, h), &h->outer))
		abort();
	carry_outputs(w, h, &h->outer, true);
	run(w, h);
}

void host_bytes(struct world *w, struct host *h, uint64_t link, struct bytes data)
{
	if (hub_bytes(h->hub, link, data, now_of(w, h), &h->outer))
		abort();
	carry_outputs(w, h, &h->outer, true);
	run(w, h);
}

void host_link_down(struct world *w, struct host *h, uint64_t link, int err)
{
	if (hub_link_down(h->hub, link, err, now_of(w, h), &h->outer))
		abort();
	carry_outputs(w, h, &h->outer, true);
	run(w, h);
}

/* --- life --------------------------------------------------------------------------------------
 */

struct host *host_new(struct world *w)
{
	struct host *h = calloc(1, sizeof(*h));

	assert(h);
	h->index = (unsigned)w->hosts_count;
	h->at.addr.b[0] = 0xfd;
	h->at.addr.b[1] = 0x09;
	h->at.addr.b[14] = (uint8_t)((h->index + 1) >> 8);
	h->at.addr.b[15] = (uint8_t)(h->index + 1);
	h->at.port = SIM_GOSSIP_PORT;
	effects_init(&h->fx, &w->mem);
	hub_outputs_init(&h->outer, &w->mem);
	hub_outputs_init(&h->inner, &w->mem);
	w->hosts = realloc(w->hosts, (w->hosts_count + 1) * sizeof(struct host *));
	assert(w->hosts);
	w->hosts[w->hosts_count++] = h;
	host_boot(w, h);
	return h;
}

void host_free(struct world *w, struct host *h)
{
	(void)w;
	hub_free(h->hub);
	node_free(h->node);
	effects_fini(&h->fx);
	hub_outputs_fini(&h->outer);
	hub_outputs_fini(&h->inner);
	disk_fini(&h->disk);
	kern_fini(&h->kern);
	free(h->todo);
	free(h);
}

struct host *host_at(const struct world *w, const struct hostport *at)
{
	struct addr a;

	if (addr_parse(&a, at->host))
		return NULL;
	for (size_t i = 0; i < w->hosts_count; i++)
		if (addr_equal(&w->hosts[i]->at.addr, &a))
			return w->hosts[i];
	return NULL;
}

static void restore(struct world *w, struct host *h)
{
	for (size_t i = 0; i < h->disk.count; i++) {
		const struct disk_row *r = &h->disk.rows[i];
		struct row row = {
			.table = r->table,
			.key = { r->key, r->key_bytes },
			.value = { r->value, r->value_bytes },
		};
		struct event ev = { .kind = EV_RESTORE, .now = now_of(w, h), .u.row = &row };

		memcpy(row.mesh, r->mesh, sizeof(row.mesh));
		if (node_step(h->node, &ev, &h->fx))
			abort();
	}
}

void host_boot(struct world *w, struct host *h)
{
	struct node_options no = {
		.mem = &w->mem,
		.gossip_port = SIM_GOSSIP_PORT,
		.wg_port = 51820,
		.device_prefix = "smeg",
		.no_devices = !w->options.devices,
	};
	struct hub_options ho = { .mem = &w->mem, .directory = { NULL, identities, admit } };
	struct event start = { .kind = EV_START };

	assert(!h->is_up);
	rng_bytes(&w->rng, no.seed, sizeof(no.seed));
	rng_bytes(&w->rng, ho.seed, sizeof(ho.seed));
	h->is_up = true;
	h->generation++;
	h->timer_us = INT64_MAX;
	h->must_commit = false;
	h->todo_first = h->todo_count = 0;
	if (node_new(&no, &h->node))
		abort();
	ho.directory.ctx = h->node;
	if (hub_new(&ho, &h->hub))
		abort();
	restore(w, h);
	world_note(w, "boot", h->index, h->generation, 0);
	push(h, &start);
	run(w, h);
}

static void end(struct world *w, struct host *h, bool told)
{
	assert(h->is_up);
	net_break(w, h, told);
	disk_lose(&h->disk);
	h->is_up = false;
	hub_free(h->hub);
	node_free(h->node);
	h->hub = NULL;
	h->node = NULL;
	world_note(w, told ? "crash" : "power-off", h->index, h->generation, 0);
}

void host_crash(struct world *w, struct host *h)
{
	end(w, h, true);
}

void host_power_off(struct world *w, struct host *h)
{
	end(w, h, false);
	kern_fini(&h->kern);
}

void host_command(struct world *w, struct host *h, struct command *c)
{
	struct event ev = { .kind = EV_COMMAND, .now = now_of(w, h), .u.command = c };

	c->request = ++h->last_request;
	memset(&h->outcome, 0, sizeof(h->outcome));
	h->outcome.request = c->request;
	world_note(w, "command", h->index, c->request, (uint64_t)c->kind);
	step(w, h, &ev);
	run(w, h);
}
