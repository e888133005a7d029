/*
 * The device of a mesh: when to read it, what to do about what was read, what to do when that
 * fails.
 *
 * One read or apply is under way at a time.  A read happens when the roster changed (gathered for a
 * twentieth of a second), when the kernel says that something changed, after an apply (to see that
 * it held), and every eight seconds, because nobody sends news of peers.  An apply that fails is
 * repeated with a pause that doubles; after three applies in a row that did not hold, somebody
 * undoes our work, and the pause grows in the same way.
 *
 * A link of our name that is no WireGuard device, or has somebody else's key, is not ours: it is
 * left alone, and the status says so.
 */
#include "smegd/core/node_priv.h"
#include "smegd/core/plan.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

static bool has_device(const struct step *st, const struct mesh *m)
{
	return !st->n->options.no_devices && !mesh_is_over(m);
}

void device_tick(struct step *st, struct mesh *m)
{
	struct tunnel *t = &m->tunnel;
	struct effect *e;

	if (!has_device(st, m))
		return;
	if (t->is_dirty && !t->backoff_ms) {
		int64_t delay = m->state == MESH_ACTIVE ? DEVICE_DELAY_MS : 0;

		t->read_ms = MIN_OF(t->read_ms, st->now.mono_ms + delay);
	}
	t->is_dirty = false;
	if (t->is_reading || t->is_applying || st->now.mono_ms < t->read_ms)
		return;
	t->is_reading = true;
	t->read_ms = st->now.mono_ms + st->n->options.poll_interval_ms;
	e = step_fx(st, FX_READ_DEVICE);
	memcpy(e->u.device.mesh, m->id, sizeof(m->id));
	memcpy(e->u.device.device, t->name, sizeof(t->name));
}

void device_news(struct step *st)
{
	struct mesh *m;

	mesh_for_each(m, st->n)
		if (!m->tunnel.backoff_ms)
			m->tunnel.read_ms =
				MIN_OF(m->tunnel.read_ms, st->now.mono_ms + NEWS_DELAY_MS);
}

static void failed(struct step *st, struct mesh *m, int err, const struct diag *diag)
{
	struct tunnel *t = &m->tunnel;

	t->backoff_ms = t->backoff_ms ? MIN_OF(2 * t->backoff_ms, APPLY_RETRY_MAX_MS)
	                              : APPLY_RETRY_FIRST_MS;
	t->read_ms = st->now.mono_ms + t->backoff_ms;
	if (diag)
		t->problem = *diag;
	else
		diag_set(&t->problem, err, "%s: %s", t->name, err_text(err));
	step_trace(st, TRACE_DEVICE_ERROR, m, NULL, err);
	join_device_ready(st, m, err, &t->problem);
}

static void held(struct step *st, struct mesh *m)
{
	struct tunnel *t = &m->tunnel;

	t->is_made = true;
	t->backoff_ms = 0;
	t->applied_in_a_row = 0;
	memset(&t->problem, 0, sizeof(t->problem));
	join_device_ready(st, m, 0, NULL);
}

static void take_statistics(struct step *st, struct mesh *m, const struct device *have)
{
	struct map_node *pos;

	map_for_each(pos, &m->peers)
		container_of(pos, struct peer, node)->has_tunnel = false;
	for (size_t i = 0; i < have->peers_count; i++) {
		const struct wg_peer *w = &have->peers[i];
		struct peer *p = mesh_member_peer(st, m, &w->key);

		if (!p)
			continue;
		p->has_tunnel = true;
		p->has_endpoint = w->has_endpoint;
		p->endpoint = w->endpoint;
		p->handshake_ms = w->handshake_ms;
		p->rx_bytes = w->rx_bytes;
		p->tx_bytes = w->tx_bytes;
	}
}

/* A peer is ours to remove if it is or was a member; others were added by hand. */
static bool is_ours(const void *ctx, const struct key *peer)
{
	const struct mesh *m = ctx;

	return mesh_peer(m, peer) || set_find(m->set, peer);
}

static bool is_somebody_elses(const struct mesh *m, const struct device *have)
{
	return have->foreign ||
	       (have->exists && have->has_private_key &&
	        sodium_memcmp(have->private_key, m->self.box_secret, KEY_BYTES) != 0);
}

static void refuse_foreign(struct step *st, struct mesh *m)
{
	struct diag diag;

	diag_set(&diag, -EEXIST, "the interface %s is there already and is not this mesh's",
	         m->tunnel.name);
	diag_hint(&diag, "ip link show %s; rename or delete it", m->tunnel.name);
	failed(st, m, -EEXIST, &diag);
}

static void apply(struct step *st, struct mesh *m, const struct plan *plan)
{
	struct effect *e;

	m->tunnel.is_applying = true;
	e = step_fx(st, FX_APPLY);
	memcpy(e->u.device.mesh, m->id, sizeof(m->id));
	memcpy(e->u.device.device, m->tunnel.name, sizeof(m->tunnel.name));
	e->u.device.plan = plan;
}

void device_read(struct step *st, const struct event *ev)
{
	struct mesh *m = mesh_by_id(st->n, ev->u.device.mesh);
	const struct device *have = ev->u.device.device;
	struct plan_input in = { .have = have, .is_ours = is_ours, .ctx = m };
	struct plan *plan = step_alloc(st, sizeof(*plan));
	struct device want;
	struct prefix own;

	if (!m || !plan)
		return;
	m->tunnel.is_reading = false;
	if (!has_device(st, m))
		return;
	if (ev->u.device.err) {
		failed(st, m, ev->u.device.err, ev->u.device.diag);
		return;
	}
	m->tunnel.is_foreign = is_somebody_elses(m, have);
	if (m->tunnel.is_foreign) {
		refuse_foreign(st, m);
		return;
	}
	take_statistics(st, m, have);
	place_prefix(m->id, &own);
	in.want = &want;
	in.own = &own;
	if (desired_make(st, m, have, &want) || plan_make(&in, &st->fx->arena, plan))
		step_fail(st, -ENOMEM);
	else if (plan->count)
		apply(st, m, plan);
	else
		held(st, m);
	sodium_memzero(want.private_key, sizeof(want.private_key));
}

void device_applied(struct step *st, const struct event *ev)
{
	struct mesh *m = mesh_by_id(st->n, ev->u.applied.mesh);
	struct tunnel *t;

	if (!m)
		return;
	t = &m->tunnel;
	t->is_applying = false;
	if (!has_device(st, m))
		return;
	if (ev->u.applied.err) {
		failed(st, m, ev->u.applied.err, ev->u.applied.diag);
		return;
	}
	step_trace(st, TRACE_APPLIED, m, NULL, 0);
	t->is_made = true;
	t->read_ms = st->now.mono_ms; /* see that it held */
	if (++t->applied_in_a_row > 3) {
		diag_set(&t->problem, ERR_BUSY, "something else keeps changing %s", t->name);
		t->backoff_ms = t->backoff_ms ? MIN_OF(2 * t->backoff_ms, APPLY_RETRY_MAX_MS)
		                              : APPLY_RETRY_FIRST_MS;
		t->read_ms += t->backoff_ms;
	}
}

void device_take_down(struct step *st, struct mesh *m)
{
	struct plan *plan;

	if (st->n->options.no_devices || m->tunnel.is_foreign)
		return;
	plan = step_alloc(st, sizeof(*plan));
	if (!plan)
		return;
	plan->ops = step_alloc(st, sizeof(*plan->ops));
	if (!plan->ops)
		return;
	plan->ops[0].kind = OP_LINK_DEL;
	plan->count = 1;
	apply(st, m, plan);
}
