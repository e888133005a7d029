/*
 * The wanted device of a mesh: members of the group -> WireGuard peers, addresses, routes.
 *
 *   a peer renders   every other peer, with its /128 and the /128s of the clients that name it as
 *                    carrier, and every client that names this host (or nobody yet)
 *   a client renders its carrier, with the mesh's /64
 *
 * Allowed IPs are also WireGuard's check of the source, so nothing wider than what a member owns is
 * given to it, but to a client, for which all comes from its carrier.
 *
 * If two members ever share a locator, the earlier admission has it and the other is not rendered.
 * Every host decides so alike, since admissions are replicated.
 */
#include "smegd/core/node_priv.h"
#include "smegd/core/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is needed of one member while rendering. */
struct item {
	const struct entry *entry;
	const struct stmt *admission;
	struct addr locator;
	enum role role;
	bool has_carrier;
	struct key carrier;
	bool clashes;
};

struct render {
	struct step *st;
	struct mesh *m;
	const struct device *have;
	struct device *want;
	struct item *items; /* all in the group but us, in key order */
	size_t count;
	bool has_carried; /* some client names a carrier: else nobody looks for those of a peer */
};

static void *take(struct render *r, size_t bytes)
{
	return step_alloc(r->st, bytes);
}

/*
 * A prune is often wrong about packets: the daemon is gone, its tunnel is not.  So the tunnel stays
 * for a while, and as long as it is in use.
 */
static bool keeps_tunnel(const struct render *r, const struct entry *e)
{
	const struct peer *p = mesh_peer(r->m, &e->member);
	int64_t since_ms = p && p->pruned_ms ? p->pruned_ms : r->m->started_ms;
	bool is_fresh = p && p->has_tunnel && p->handshake_ms &&
	                r->st->now.unix_ms - p->handshake_ms < HANDSHAKE_FRESH_MS;

	return e->standing == STANDING_PRUNED && e->record &&
	       (is_fresh || r->st->now.mono_ms - since_ms < PRUNED_KEEP_MS);
}

static int collect(struct render *r)
{
	const struct entry *e;

	r->items = take(r, set_count(r->m->set) * sizeof(*r->items));
	if (!r->items)
		return -ENOMEM;
	set_for_each(e, at, r->m->set) {
		struct item *i = &r->items[r->count];
		struct record record;

		if ((e->standing != STANDING_IN && !keeps_tunnel(r, e)) ||
		    key_equal(&e->member, &r->m->self.box_public))
			continue;
		record_read(e->record, &record);
		i->entry = e;
		i->role = record.role;
		i->has_carrier = record.has_carrier;
		i->carrier = record.carrier;
		r->has_carried |= record.has_carrier;
		i->admission = entry_admission(r->m->set, e);
		place_locator(r->m->id, &e->member, &i->locator);
		r->count++;
	}
	return 0;
}

/* By locator, then who was admitted first, then key. */
static int order_items(const void *a, const void *b)
{
	const struct item *const *x = a;
	const struct item *const *y = b;
	int c = addr_compare(&(*x)->locator, &(*y)->locator);

	if (c)
		return c;
	c = stmt_compare((*x)->admission, (*y)->admission);
	return c ? c : key_compare(&(*x)->entry->member, &(*y)->entry->member);
}

static int mark_clashes(struct render *r)
{
	struct item **sorted = take(r, r->count * sizeof(*sorted));
	struct addr mine;

	if (!sorted)
		return -ENOMEM;
	place_locator(r->m->id, &r->m->self.box_public, &mine);
	for (size_t i = 0; i < r->count; i++) {
		sorted[i] = &r->items[i];
		sorted[i]->clashes = addr_equal(&sorted[i]->locator, &mine);
	}
	qsort(sorted, r->count, sizeof(*sorted), order_items);
	for (size_t i = 1; i < r->count; i++)
		if (addr_equal(&sorted[i]->locator, &sorted[i - 1]->locator)) {
			sorted[i]->clashes = true;
			step_trace(r->st, TRACE_LOCATOR_CLASH, r->m, &sorted[i]->entry->member, 0);
		}
	for (size_t i = 0; i < r->count; i++) {
		struct peer *p = mesh_peer(r->m, &r->items[i].entry->member);

		if (p)
			p->clashes = r->items[i].clashes;
	}
	return 0;
}

static int order_prefixes(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

static struct wg_peer *add_peer(struct render *r, const struct item *i, size_t allowed)
{
	struct wg_peer *w = &r->want->peers[r->want->peers_count++];
	struct peer *p = mesh_peer_make(r->st, r->m, &i->entry->member);

	w->key = i->entry->member;
	w->keepalive_s = r->st->n->options.keepalive_s;
	w->allowed = take(r, allowed * sizeof(*w->allowed));
	if (p)
		endpoint_choose(r->st, p, device_peer(r->have, &w->key), w);
	return w;
}

static size_t count_carried(const struct render *r, const struct key *carrier)
{
	size_t count = 0;

	for (size_t i = 0; r->has_carried && i < r->count; i++)
		count += r->items[i].role == ROLE_CLIENT && r->items[i].has_carrier &&
		         key_equal(&r->items[i].carrier, carrier);
	return count;
}

static void add_carried(const struct render *r, struct wg_peer *w)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct item *c = &r->items[i];

		if (c->role == ROLE_CLIENT && c->has_carrier && !c->clashes &&
		    key_equal(&c->carrier, &w->key))
			prefix_make(&w->allowed[w->allowed_count++], &c->locator, 128);
	}
	qsort(w->allowed, w->allowed_count, sizeof(*w->allowed), order_prefixes);
}

static void render_for_peer(struct render *r)
{
	for (size_t i = 0; i < r->count && !r->st->err; i++) {
		const struct item *it = &r->items[i];
		bool elsewhere = it->role == ROLE_CLIENT && it->has_carrier &&
		                 !key_equal(&it->carrier, &r->m->self.box_public);
		size_t carried = it->role == ROLE_PEER ? count_carried(r, &it->entry->member) : 0;
		struct wg_peer *w;

		if (it->clashes || elsewhere)
			continue;
		w = add_peer(r, it, 1 + carried);
		if (!w->allowed)
			return;
		prefix_make(&w->allowed[w->allowed_count++], &it->locator, 128);
		if (carried)
			add_carried(r, w);
	}
}

static void render_for_client(struct render *r)
{
	struct key carrier;
	bool has_carrier = carrier_of_device(r->st, r->m, &carrier);

	for (size_t i = 0; has_carrier && i < r->count; i++) {
		struct wg_peer *w;

		if (!key_equal(&r->items[i].entry->member, &carrier) || r->items[i].clashes)
			continue;
		w = add_peer(r, &r->items[i], 1);
		/* Nobody can begin to talk to who sits behind a NAT. */
		if (!w->keepalive_s)
			w->keepalive_s = CARRIER_KEEPALIVE_S;
		if (w->allowed)
			place_prefix(r->m->id, &w->allowed[w->allowed_count++]);
	}
}

static void render_device(struct render *r)
{
	const struct node_options *o = &r->st->n->options;
	struct device *want = r->want;

	memcpy(want->name, r->m->tunnel.name, sizeof(want->name));
	want->exists = want->up = true;
	want->mtu = o->mtu ? o->mtu : DEVICE_MTU_DEFAULT;
	want->has_private_key = true;
	memcpy(want->private_key, r->m->self.box_secret, sizeof(want->private_key));
	want->listen_port = r->m->wg_port;
	want->addresses = take(r, sizeof(*want->addresses));
	want->routes = take(r, sizeof(*want->routes));
	if (!want->addresses || !want->routes)
		return;
	place_locator(r->m->id, &r->m->self.box_public, &want->addresses[0].addr);
	want->addresses[0].bits = 128;
	want->addresses_count = 1;
	place_prefix(r->m->id, &want->routes[0].to);
	want->routes_count = 1;
}

int desired_make(struct step *st, struct mesh *m, const struct device *have, struct device *ret)
{
	struct render r = { .st = st, .m = m, .have = have, .want = ret };

	memset(ret, 0, sizeof(*ret));
	render_device(&r);
	if (st->err || collect(&r) || mark_clashes(&r))
		return -ENOMEM;
	ret->peers = take(&r, r.count * sizeof(*ret->peers));
	if (!ret->peers)
		return -ENOMEM;
	if (m->role == ROLE_CLIENT)
		render_for_client(&r);
	else
		render_for_peer(&r);
	return st->err;
}
