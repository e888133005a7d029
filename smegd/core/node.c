/*
 * The node: takes each event to the file that handles it, and ends each step.
 *
 * At the end of every step, in this order: sessions that were closed go, news are told, devices are
 * looked at, meshes that ended go, handshake timestamps are stored.  So a handler never has to
 * think of what else its change may call for.
 *
 * The clock is only ever what the event brings; a monotonic clock that goes back is a bug of the
 * shell (asserted), a wall clock may do what it wants.
 */
#include "smegd/core/node.h"

#include "smegd/core/node_priv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static void take_intervals(struct node *n, const struct intervals *i)
{
	struct node_options *o = &n->options;

	o->heartbeat_interval_ms = i->heartbeat_ms ? i->heartbeat_ms : HEARTBEAT_INTERVAL_MS;
	o->pull_interval_ms = i->pull_ms ? i->pull_ms : PULL_INTERVAL_MS;
	o->timeout_ms = i->timeout_ms ? i->timeout_ms : SESSION_DEAD_MS;
}

int node_new(const struct node_options *options, struct node **ret)
{
	struct node *n = mem_zalloc(options->mem, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->mem = options->mem;
	n->options = *options;
	take_intervals(n, &(struct intervals){ options->heartbeat_interval_ms,
	                                       options->pull_interval_ms, options->timeout_ms });
	if (!n->options.poll_interval_ms)
		n->options.poll_interval_ms = POLL_INTERVAL_MS;
	if (!n->options.life_ms)
		n->options.life_ms = LIFE_MS;
	rng_init(&n->rng, options->seed);
	memset(n->options.seed, 0, sizeof(n->options.seed));
	list_init(&n->meshes);
	table_init(&n->sessions);
	table_init(&n->dials);
	map_init(&n->seen, KEY_BYTES);
	arena_init(&n->scratch, n->mem);
	*ret = n;
	return 0;
}

void node_free(struct node *n)
{
	const struct mem *mem;
	struct map_node *pos;

	if (!n)
		return;
	mem = n->mem;
	while ((pos = map_first(&n->seen))) {
		map_remove(&n->seen, pos);
		mem_free(mem, container_of(pos, struct seen, node));
	}
	while (!list_is_empty(&n->meshes))
		mesh_free(container_of(n->meshes.next, struct mesh, link));
	table_fini(&n->sessions, mem);
	table_fini(&n->dials, mem);
	mem_free(mem, n->addresses);
	arena_fini(&n->scratch);
	keypair_fini(&n->prepared);
	rng_fini(&n->rng);
	mem_free(mem, n);
}

/* --- events --------------------------------------------------------------------------------- */

static void start(struct step *st)
{
	struct mesh *m;

	st->n->is_started = true;
	step_fx(st, FX_READ_ADDRESSES);
	mesh_for_each(m, st->n)
		if (m->state == MESH_ACTIVE)
			mesh_start(st, m);
		else if (m->state == MESH_LEAVING)
			mesh_resume(st, m);
}

static void age(struct step *st, struct mesh *m);

static void tick(struct step *st)
{
	struct mesh *m;

	mesh_for_each(m, st->n) {
		if (m->state == MESH_ACTIVE) {
			gossip_tick(st, m);
			own_tick(st, m);
			redeem_tick(st, m);
			age(st, m);
		} else if (m->state == MESH_LEAVING) {
			gossip_tick(st, m);
		}
		join_tick(st, m);
	}
}

struct aging {
	struct step *st;
	struct mesh *m;
};

static void dropped(void *ctx, const struct stmt *stmt)
{
	struct aging *a = ctx;

	rows_delete_stmt(a->st, a->m, stmt);
}

static bool clock_is_trusted(const struct mesh *m)
{
	int64_t ahead_ms = mesh_clock_ahead(m);

	/* The floor must not be moved by a clock that most others contradict. */
	return ahead_ms < MS_PER_HOUR && ahead_ms > -MS_PER_HOUR;
}

struct instant age_time(const struct mesh *m, struct instant now)
{
	now.unix_ms -= now.unix_ms % AGE_INTERVAL_MS(m);
	return now;
}

static void age(struct step *st, struct mesh *m)
{
	struct aging a = { st, m };
	uint64_t floor = set_floor(m->set);

	if (st->now.mono_ms < m->age_ms)
		return;
	m->age_ms = st->now.mono_ms + age_time(m, st->now).unix_ms + AGE_INTERVAL_MS(m) -
	            st->now.unix_ms;
	redeem_age(st);
	if (!clock_is_trusted(m))
		return;
	if (set_age(m->set, age_time(m, st->now), dropped, &a))
		step_fail(st, -ENOMEM);
	if (set_floor(m->set) != floor)
		rows_put_floor(st, m);
}

static void message(struct step *st, const struct event *ev)
{
	struct session *s = session_by_id(st->n, ev->u.message.session);
	const struct msg *msg = ev->u.message.msg;

	if (!s || s->is_closing)
		return;
	s->heard_ms = st->now.mono_ms;
	if (msg->kind == MSG_BYE)
		s->said_bye = true;
	else if (msg->kind == MSG_REDEEM && mesh_is_running(s->mesh))
		redeem_message(st, s, msg);
	else if (msg->kind == MSG_REDEEMED)
		redeemed_message(st, s, msg);
	else if (!s->as_joiner)
		gossip_message(st, s, msg);
}

static void take_addresses(struct step *st, const struct event *ev)
{
	struct node *n = st->n;
	size_t count = MIN_OF(ev->u.addresses.count, LIMIT_ADDRESSES);
	struct own_address *list = NULL;
	struct mesh *m;

	if (count) {
		list = mem_dup(n->mem, ev->u.addresses.list, count * sizeof(*list));
		if (!list) {
			step_fail(st, -ENOMEM);
			return;
		}
	}
	mem_free(n->mem, n->addresses);
	n->addresses = list;
	n->addresses_count = count;
	n->has_addresses = true;
	mesh_for_each(m, n)
		own_changed(st, m);
}

/* What is scheduled by a longer interval than the new one would be late. */
static void change_intervals(struct step *st, const struct intervals *i)
{
	struct mesh *m;

	take_intervals(st->n, i);
	mesh_for_each(m, st->n)
		m->repair_ms =
			MIN_OF(m->repair_ms, st->now.mono_ms + st->n->options.pull_interval_ms);
}

static void stop(struct step *st)
{
	/* Nothing is said: whoever misses us dials again, and finds out. */
	st->n->is_started = false;
}

static void handle(struct step *st, const struct event *ev)
{
	switch (ev->kind) {
	case EV_RESTORE:
		break; /* rows_restore(), which has a result */
	case EV_START:
		start(st);
		break;
	case EV_TICK:
		tick(st);
		break;
	case EV_STOP:
		stop(st);
		break;
	case EV_COMMAND:
		command_run(st, ev->u.command);
		break;
	case EV_COMMAND_GONE:
		command_gone(st, ev->u.request);
		break;
	case EV_SESSION_UP:
		dial_session_up(st, &ev->u.session_up);
		break;
	case EV_SESSION_DOWN:
		dial_session_down(st, ev->u.session_down.session, ev->u.session_down.err);
		break;
	case EV_DIAL_FAILED:
		dial_failed(st, ev->u.dial_failed.dial, ev->u.dial_failed.err);
		break;
	case EV_MESSAGE:
		message(st, ev);
		break;
	case EV_DEVICE:
		device_read(st, ev);
		break;
	case EV_APPLIED:
		device_applied(st, ev);
		break;
	case EV_NEWS:
		if (ev->u.news.devices)
			device_news(st);
		break;
	case EV_ADDRESSES:
		take_addresses(st, ev);
		break;
	case EV_INTERVALS:
		change_intervals(st, &ev->u.intervals);
		break;
	}
}

static void store_seen(struct step *st)
{
	struct seen *seen;

	while ((seen = st->n->unsaved)) {
		st->n->unsaved = seen->next_unsaved;
		rows_put_seen(st, seen);
	}
}

static void finish(struct step *st)
{
	struct mesh *m;

	mesh_for_each(m, st->n) {
		gossip_finish(st, m);
		device_tick(st, m);
	}
	dial_sweep(st);
	mesh_sweep(st);
	store_seen(st);
}

int node_step(struct node *n, const struct event *ev, struct effects *out)
{
	struct step st = { .n = n, .now = ev->now, .fx = out };

	assert(ev->now.mono_ms >= n->last_mono_ms);
	n->last_mono_ms = ev->now.mono_ms;
	effects_reset(out);
	arena_reset(&n->scratch);
	if (ev->kind == EV_RESTORE) {
		int err = rows_restore(&st, ev->u.row);

		return err ? err : st.err;
	}
	handle(&st, ev);
	if (n->is_started && !st.err)
		finish(&st);
	return st.err;
}

/* --- when next ------------------------------------------------------------------------------- */

static int64_t mesh_deadline(const struct mesh *m)
{
	const struct node *n = m->owner;
	int64_t at = join_deadline(m);
	int64_t gossip_ms;

	if (!n->options.no_devices && !mesh_is_over(m) && !m->tunnel.is_reading &&
	    !m->tunnel.is_applying)
		at = MIN_OF(at, m->tunnel.read_ms);
	if (m->state != MESH_ACTIVE && m->state != MESH_LEAVING)
		return at;
	gossip_ms = gossip_deadline(m);
	at = MIN_OF(at, gossip_ms);
	if (m->counter_known && (n->has_addresses || m->settings.places_count))
		at = MIN_OF(at, m->publish_ms);
	return at;
}

int64_t node_deadline(const struct node *n)
{
	int64_t at = TIME_NEVER;
	struct mesh *m;

	if (!n->is_started)
		return at;
	mesh_for_each(m, n) {
		int64_t mine = mesh_deadline(m);

		at = MIN_OF(at, mine);
	}
	return at;
}

/* --- for the session layer ------------------------------------------------------------------- */

size_t node_identities(const struct node *n, struct identity *out, size_t cap)
{
	size_t count = 0;
	struct mesh *m;

	mesh_for_each(m, n) {
		struct identity *i = &out[count];

		if (count == cap || (m->state != MESH_ACTIVE && m->state != MESH_ADMITTING &&
		                     m->state != MESH_LEAVING))
			continue;
		memset(i, 0, sizeof(*i));
		memcpy(i->mesh, m->id, sizeof(i->mesh));
		i->mesh_public = m->mesh_public;
		i->pair = &m->self;
		if (m->joining && m->state == MESH_ADMITTING) {
			i->invite = &m->joining->token.invite;
			i->invite_pair = &m->joining->invite_pair;
		}
		count++;
	}
	return count;
}
