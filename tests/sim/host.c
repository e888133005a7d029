/*
 * The shell of a simulated daemon: the same translation as smegd's, with models for sockets, disk
 * and kernel.  It decides nothing either.
 *
 * The node and the hub are never re-entered: what one effect brings about (an answer of the kernel,
 * a session that goes down because the node closed it) waits in a queue until the effects are done.
 * Since hosts take turns, they share the arenas of the step under way.
 */
#include "tests/sim/host.h"

#include "crdt/pool.h"
#include "tests/sim/gate.h"
#include "tests/sim/invariant.h"
#include "tests/sim/net.h"
#include "tests/sim/origin.h"
#include "tests/sim/tap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define COMMIT_LAZY_US SECOND_US

static int64_t mono_ms(const struct world *w, const struct host *h)
{
	return (w->now_us + w->now_us / 1000000 * h->drift_ppm) / 1000;
}

static struct instant now_of(const struct world *w, const struct host *h)
{
	int64_t ms = mono_ms(w, h);

	return (struct instant){
		.mono_ms = ms,
		.unix_ms = w->options.epoch_unix_ms + ms + h->clock_ahead_ms,
	};
}

int64_t host_unix_ms(const struct world *w, const struct host *h)
{
	return now_of(w, h).unix_ms;
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

/* --- what handling costs ---------------------------------------------------------------------- */

static int64_t spent(const struct world *w, const struct host *h)
{
	const struct prices *p = &w->options.prices;
	const struct crypto_counts *now = crypto_counts();

	uint64_t verified =
		now->verified - h->before.verified + stmt_pool_spared(w->pool) - h->spared_before;

	return h->spent_us + p->verify_us * (int64_t)verified +
	       p->sign_us * (int64_t)(now->signed_ - h->before.signed_) +
	       p->dh_us * (int64_t)(now->dh - h->before.dh);
}

int64_t host_clear_us(const struct world *w, const struct host *h)
{
	return w->now_us + (h->is_handling ? spent(w, h) : 0);
}

static void begin(const struct world *w, struct host *h, int64_t price_us)
{
	assert(!h->is_handling);
	h->is_handling = true;
	h->spent_us = price_us;
	h->before = *crypto_counts();
	h->spared_before = stmt_pool_spared(w->pool);
}

static void run(struct world *w, struct host *h);
static void arm(struct world *w, struct host *h);

/* Whatever waits is done, the time is spent, and the next timer is set. */
static void end(struct world *w, struct host *h)
{
	struct tracker *t = w->tracker;

	run(w, h);
	h->busy_us = w->now_us + spent(w, h);
	h->is_handling = false;
	if (h->is_failing) {
		host_crash(w, h);
		return;
	}
	if (t && t->known_us[h->index] < 0 && t->knows(w, h, t->ctx)) {
		t->known_us[h->index] = h->busy_us;
		t->missing--;
	}
	arm(w, h);
}

void tracker_init(struct tracker *t, size_t hosts)
{
	memset(t, 0, sizeof(*t));
	t->known_us = sim_resize(NULL, hosts * sizeof(*t->known_us));
	t->missing = hosts;
	for (size_t i = 0; i < hosts; i++)
		t->known_us[i] = -1;
}

void tracker_fini(struct tracker *t)
{
	free(t->known_us);
}

/* --- timers ----------------------------------------------------------------------------------- */

static void push(struct host *h, const struct event *ev)
{
	h->todo = sim_grow(h->todo, h->todo_count, &h->todo_cap, sizeof(*h->todo));
	h->todo[h->todo_count++] = *ev;
}

static void carry_outputs(struct world *w, struct host *h, struct hub_outputs *out, bool direct);

static void tick(struct world *w, struct host *h)
{
	struct event ev = { .kind = EV_TICK };

	begin(w, h, w->options.prices.tick_us);
	if (hub_deadline(h->hub) <= mono_ms(w, h)) {
		if (hub_tick(h->hub, now_of(w, h), &w->outer))
			abort();
		carry_outputs(w, h, &w->outer, true);
	}
	push(h, &ev);
	end(w, h);
}

static int64_t deadline_ms(const struct host *h)
{
	return MIN_OF(node_deadline(h->node), hub_deadline(h->hub));
}

static void wake(struct world *w, struct coming *c)
{
	struct host *h = w->hosts[c->host];

	if (!h->is_up || h->generation != c->generation || h->timer_us != c->at_us)
		return;
	h->timer_us = INT64_MAX;
	if (h->is_paused)
		return; /* host_resume() arms again */
	if (w->now_us >= h->busy_us && deadline_ms(h) <= mono_ms(w, h))
		tick(w, h);
	else
		arm(w, h);
}

static void arm(struct world *w, struct host *h)
{
	int64_t ms = deadline_ms(h);
	struct coming c = { .run = wake, .host = h->index, .generation = h->generation };

	if (ms == TIME_NEVER)
		return;
	c.at_us = ms * 1000 - ms / 1000 * h->drift_ppm;
	c.at_us = MAX_OF(c.at_us, MAX_OF(w->now_us + 1, h->busy_us));
	if (h->drift_ppm && ms > mono_ms(w, h))
		c.at_us = MAX_OF(c.at_us, w->now_us + 500);
	if (h->timer_us <= c.at_us)
		return;
	h->timer_us = c.at_us;
	world_plan(w, &c);
}

/* --- disk ------------------------------------------------------------------------------------- */

struct committing {
	struct world *w;
	struct host *h;
};

static void row_changes(void *ctx, const struct row *row, struct bytes before)
{
	const struct committing *c = ctx;

	invariant_row(c->w, c->h, row, before);
}

static void commit(struct world *w, struct host *h)
{
	struct committing c = { w, h };
	int64_t price_us = w->options.prices.commit_us * MAX_OF((int64_t)h->disk.slowness, 1);

	h->must_commit = false;
	if (!h->disk.pending_count)
		return;
	h->is_failing |= !disk_commit(&h->disk, row_changes, &c);
	h->spent_us += price_us;
}

static void commit_lazy(struct world *w, struct coming *c)
{
	struct host *h = w->hosts[c->host];

	if (!h->is_up || h->generation != c->generation || !h->disk.pending_count)
		return;
	if (h->is_paused || w->now_us < h->busy_us) {
		c->at_us = MAX_OF(w->now_us + 10000, h->busy_us);
		world_plan(w, c);
		return;
	}
	begin(w, h, 0);
	commit(w, h);
	end(w, h);
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
	invariant_persist(w, h, &e->u.persist.row);
	disk_put(w->store, &h->disk, &e->u.persist.row);
	h->must_commit |= e->u.persist.durable;
}

/* Rows up to here are one transaction, on the disk before anything leaves that may speak of them.
 */
static void before_leaving(struct world *w, struct host *h)
{
	if (h->must_commit)
		commit(w, h);
}

/* --- effects ---------------------------------------------------------------------------------- */

static void dial(struct world *w, struct host *h, const struct effect *e)
{
	uint64_t link = net_dial(w, h, &e->u.dial.at);

	if (hub_dial(h->hub, link, e, now_of(w, h), &w->inner))
		abort();
	carry_outputs(w, h, &w->inner, false);
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

static void send(struct world *w, struct host *h, const struct effect *e)
{
	struct tap *t = w->tap;
	uint64_t before = w->bytes;

	if (t && t->send && !t->send(w, h, e, t->ctx))
		return;
	if (hub_send(h->hub, e, now_of(w, h), &w->inner))
		abort();
	carry_outputs(w, h, &w->inner, false);
	if (t)
		t->bytes[tap_is_alive(e->u.send.msg) ? TAP_ALIVE : e->u.send.msg->kind] +=
			w->bytes - before;
}

static void carry(struct world *w, struct host *h, const struct effect *e)
{
	struct event ev = { .kind = EV_ADDRESSES };

	if (e->kind == FX_SEND || e->kind == FX_DIAL || e->kind == FX_REPLY)
		before_leaving(w, h);
	if (h->is_failing)
		return;
	switch (e->kind) {
	case FX_PERSIST:
		persist(w, h, e);
		break;
	case FX_SEND:
		send(w, h, e);
		break;
	case FX_DIAL:
		dial(w, h, e);
		break;
	case FX_CLOSE:
		if (hub_close(h->hub, e->u.session, now_of(w, h), &w->inner))
			abort();
		carry_outputs(w, h, &w->inner, false);
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
		h->refuted += e->u.trace.kind == TRACE_REFUTED;
		if (e->u.trace.kind == TRACE_MEMBER_IN || e->u.trace.kind == TRACE_MEMBER_OUT)
			invariant_roster(w, h, e->u.trace.kind, &e->u.trace.member);
		world_note(w, trace_name(e->u.trace.kind), h->index, e->u.trace.member.b[0],
		           (uint64_t)-e->u.trace.err);
		break;
	}
}

static void step(struct world *w, struct host *h, const struct event *ev)
{
	uint64_t records = origin_records();
	size_t rows = disk_rows_most(&h->disk);

	origin_watch_counters(true);
	if (node_step(h->node, ev, &w->fx))
		abort();
	origin_watch_counters(false);
	h->records += origin_records() - records;
	for (size_t i = 0; i < w->fx.count; i++)
		carry(w, h, &w->fx.list[i]);
	invariant_step(w, h, rows);
}

/* direct: events go to the node now, for what they point to is in `out`; else they wait. */
static void carry_outputs(struct world *w, struct host *h, struct hub_outputs *out, bool direct)
{
	for (size_t i = 0; i < out->count && !h->is_failing; i++) {
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

static void fill(struct world *w,
                 struct host *h,
                 struct event *ev,
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
		kern_read(&h->kern, view.device, &w->arena, device);
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

	while (h->todo_first < h->todo_count && !h->is_failing) {
		struct event ev = h->todo[h->todo_first++];

		ev.now = now_of(w, h);
		fill(w, h, &ev, &device, &own);
		step(w, h, &ev);
		arena_reset(&w->arena);
	}
	h->todo_first = h->todo_count = 0;
}

/* --- what comes from the network -------------------------------------------------------------- */

static int to_hub(struct world *w,
                  struct host *h,
                  const struct arrival *a,
                  const struct endpoint *remote)
{
	struct instant now = now_of(w, h);

	switch (a->kind) {
	case ARRIVAL_BYTES:
		return hub_bytes(h->hub, a->link, a->data, now, &w->outer);
	case ARRIVAL_ACCEPTED:
		return hub_accepted(h->hub, a->link, remote, now, &w->outer);
	case ARRIVAL_CONNECTED:
		return hub_connected(h->hub, a->link, remote, now, &w->outer);
	case ARRIVAL_DOWN:
		return hub_link_down(h->hub, a->link, a->err, now, &w->outer);
	}
	return 0;
}

static void handle(struct world *w, struct host *h, struct arrival *a)
{
	const struct prices *p = &w->options.prices;
	struct endpoint remote = { .port = 0 };

	if (arrival_is_due(w, a, &remote)) {
		begin(w, h, a->kind == ARRIVAL_BYTES ? p->message_us : p->tick_us);
		crypto_at_gate(gate_has(a->link));
		if (to_hub(w, h, a, &remote))
			abort();
		crypto_at_gate(false);
		h->marked += crypto_take_marked();
		carry_outputs(w, h, &w->outer, true);
		end(w, h);
	}
	arrival_done(w, a);
}

static void serve(struct world *w, struct host *h);

static void serve_later(struct world *w, struct coming *c)
{
	struct host *h = w->hosts[c->host];

	if (!h->is_up || h->generation != c->generation)
		return;
	h->is_serving = false;
	serve(w, h);
}

/* Take what has come, one by one; what does not fit now is planned for. */
static void serve(struct world *w, struct host *h)
{
	struct coming c = { .run = serve_later, .host = h->index, .generation = h->generation };

	while (h->inbox && h->is_up && !h->is_paused && w->now_us >= h->busy_us) {
		struct arrival *a = h->inbox;

		h->inbox = a->next;
		if (!h->inbox)
			h->inbox_end = &h->inbox;
		handle(w, h, a);
	}
	if (!h->inbox || !h->is_up || h->is_paused || h->is_serving)
		return;
	h->is_serving = true;
	c.at_us = h->busy_us;
	world_plan(w, &c);
}

void host_arrival(struct world *w, struct host *h, struct arrival *a)
{
	a->next = NULL;
	*h->inbox_end = a;
	h->inbox_end = &a->next;
	if (!h->is_serving)
		serve(w, h);
}

/* --- life ------------------------------------------------------------------------------------- */

/* Each in a /64 of its own, as strangers are counted by it. */
void host_place(struct host *h, unsigned index)
{
	uint32_t number = index + 1;

	h->at.addr.b[0] = 0xfd;
	h->at.addr.b[1] = 0x09;
	h->at.addr.b[15] = 1;
	for (unsigned i = 0; i < 4; i++)
		h->at.addr.b[4 + i] = (uint8_t)(number >> (24 - 8 * i));
	h->at.port = SIM_GOSSIP_PORT;
}

struct host *host_new(struct world *w)
{
	struct host *h = calloc(1, sizeof(*h));

	assert(h);
	h->index = (unsigned)w->hosts_count;
	h->region = h->index % 19;
	h->inbox_end = &h->inbox;
	list_init(&h->links);
	host_place(h, h->index);
	w->hosts = sim_resize(w->hosts, (w->hosts_count + 1) * sizeof(struct host *));
	w->hosts[w->hosts_count++] = h;
	return h;
}

void host_free(struct world *w, struct host *h)
{
	for (struct arrival *a = h->inbox, *next; a; a = next) {
		next = a->next;
		arrival_done(w, a);
	}
	hub_free(h->hub);
	node_free(h->node);
	disk_fini(&h->disk);
	kern_fini(&h->kern);
	free(h->todo);
	free(h);
}

struct host *host_at(const struct world *w, const struct hostport *at)
{
	uint32_t number = 0;
	struct addr a;

	if (addr_parse(&a, at->host))
		return NULL;
	for (unsigned i = 0; i < 4; i++)
		number = number << 8 | a.b[4 + i];
	if (!number || number > w->hosts_count || !addr_equal(&w->hosts[number - 1]->at.addr, &a))
		return NULL;
	return w->hosts[number - 1];
}

struct restoring {
	struct world *w;
	struct host *h;
	const struct disk_image *shared; /* NULL: row by row */
};

static void restore_row(void *ctx, const struct row *row)
{
	struct restoring *r = ctx;
	struct event ev = { .kind = EV_RESTORE, .now = now_of(r->w, r->h), .u.row = row };
	const struct disk_image *base = r->shared;

	if (node_step(r->h->node, &ev, &r->w->fx))
		abort();
	if (base && row->table == ROW_MESH && strcmp(row->mesh, base->mesh) == 0 &&
	    node_adopt(r->h->node, base->mesh, base->replica))
		abort();
}

/* The base is taken as a whole, so that its entries are shared, unless a row of it was deleted. */
static void restore(struct world *w, struct host *h)
{
	const struct disk_image *base = h->disk.base;
	struct restoring r = { w, h, base && base->replica && !disk_hides(&h->disk) ? base : NULL };

	if (r.shared)
		disk_visit_own(&h->disk, restore_row, &r);
	else
		disk_visit(&h->disk, restore_row, &r);
}

static void start(struct world *w, struct host *h)
{
	struct node_options no = {
		.mem = &w->mem,
		.pool = w->pool,
		.gossip_port = SIM_GOSSIP_PORT,
		.wg_port = 51820,
		.device_prefix = "smeg",
		.no_devices = !w->options.devices,
		.life_ms = w->options.life_ms,
	};
	struct hub_options ho = { .mem = &w->mem, .directory = { NULL, identities, admit } };

	rng_bytes(&w->rng, no.seed, sizeof(no.seed));
	rng_bytes(&w->rng, ho.seed, sizeof(ho.seed));
	if (node_new(&no, &h->node))
		abort();
	ho.directory.ctx = h->node;
	if (hub_new(&ho, &h->hub))
		abort();
}

void host_boot(struct world *w, struct host *h)
{
	struct event ev = { .kind = EV_START };

	assert(!h->is_up);
	h->is_up = true;
	h->is_paused = h->is_silent = h->is_serving = h->is_failing = h->must_commit = false;
	h->generation++;
	h->back_us = w->now_us;
	h->timer_us = INT64_MAX;
	h->busy_us = w->now_us;
	h->todo_first = h->todo_count = 0;
	start(w, h);
	restore(w, h);
	world_note(w, "boot", h->index, h->generation, 0);
	begin(w, h, w->options.prices.tick_us);
	push(h, &ev);
	end(w, h);
}

static void end_process(struct world *w, struct host *h, bool told)
{
	assert(h->is_up && !h->is_handling);
	h->is_up = false;
	h->is_paused = false;
	net_break(w, h, told);
	while (h->inbox) {
		struct arrival *a = h->inbox;

		h->inbox = a->next;
		arrival_done(w, a);
	}
	h->inbox_end = &h->inbox;
	disk_lose(&h->disk);
	hub_free(h->hub);
	node_free(h->node);
	h->hub = NULL;
	h->node = NULL;
	world_note(w, told ? "crash" : "power-off", h->index, h->generation, 0);
}

void host_crash(struct world *w, struct host *h)
{
	end_process(w, h, true);
}

void host_power_off(struct world *w, struct host *h)
{
	end_process(w, h, false);
	h->is_silent = true;
	kern_fini(&h->kern);
}

void host_pause(struct world *w, struct host *h)
{
	h->is_paused = h->is_up;
	world_note(w, "pause", h->index, h->generation, 0);
}

void host_resume(struct world *w, struct host *h)
{
	if (!h->is_paused)
		return;
	h->is_paused = false;
	h->back_us = w->now_us;
	world_note(w, "resume", h->index, h->generation, 0);
	arm(w, h);
	if (!h->is_serving)
		serve(w, h);
}

void host_command(struct world *w, struct host *h, struct command *c)
{
	struct event ev = { .kind = EV_COMMAND, .u.command = c };

	c->request = ++h->last_request;
	if (c->kind == CMD_LEAVE || c->kind == CMD_JOIN)
		h->is_leaving = c->kind == CMD_LEAVE;
	memset(&h->outcome, 0, sizeof(h->outcome));
	h->outcome.request = c->request;
	world_note(w, "command", h->index, c->request, (uint64_t)c->kind);
	begin(w, h, w->options.prices.message_us);
	ev.now = now_of(w, h);
	step(w, h, &ev);
	end(w, h);
}

void tap_say(struct world *w, struct host *h, uint64_t session, const struct msg *msg)
{
	struct effect e = { .kind = FX_SEND };

	e.u.send.session = session;
	e.u.send.lane = LANE_CONTROL;
	e.u.send.msg = msg;
	begin(w, h, w->options.prices.send_us);
	carry(w, h, &e);
	end(w, h);
}

void tap_hear(struct world *w, struct host *h, uint64_t session, const struct msg *msg)
{
	struct event ev = { .kind = EV_MESSAGE };

	ev.u.message.session = session;
	ev.u.message.msg = msg;
	begin(w, h, w->options.prices.message_us);
	ev.now = now_of(w, h);
	step(w, h, &ev);
	end(w, h);
}
