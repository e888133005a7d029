/*
 * Where a tunnel's packets go: the choice among a member's places, without ever undoing what
 * WireGuard learned.
 *
 * While the handshake is fresh the endpoint works, however WireGuard came by it: nothing is
 * written. A peer without an endpoint gets the best place.  Otherwise a place is given up only
 * after somebody has sent to it for a quarter of a minute without a handshake; an idle tunnel is
 * left as it is, so an unchanged world makes no writes even when members are away.
 */
#include "smegd/core/node_priv.h"

#include <string.h>

#define CANDIDATES_MAX (LIMIT_ENDPOINTS + 1)

struct candidates {
	struct endpoint list[CANDIDATES_MAX];
	size_t count;
};

static void add(struct candidates *c, const struct addr *a, uint16_t port)
{
	struct endpoint e = { .addr = *a, .port = port };

	if (!port || c->count == CANDIDATES_MAX)
		return;
	for (size_t i = 0; i < c->count; i++)
		if (endpoint_equal(&c->list[i], &e))
			return;
	c->list[c->count++] = e;
}

/* The address that a session has proved to work comes first, then the places in their order. */
static void list_candidates(struct peer *p, struct candidates *c)
{
	const struct entry *e = set_find(p->mesh->set, &p->key);
	struct place places[LIMIT_ENDPOINTS];
	struct record r;
	size_t count;
	bool lacks;

	c->count = 0;
	if (!e || !e->record)
		return;
	record_read(e->record, &r);
	count = dial_order(p->mesh->owner, &r, places);
	if (p->session && p->session->dialled && count)
		add(c, &p->session->remote.addr, places[0].wg_port);
	for (size_t i = 0; i < count; i++)
		if (places[i].kind != PLACE_NAME)
			add(c, &places[i].addr, places[i].wg_port);
	lacks = !c->count && count > 0;
	if (p->lacks_address != lacks)
		mesh_changed(p->mesh);
	p->lacks_address = lacks;
}

static size_t find(const struct candidates *c, const struct endpoint *e)
{
	size_t i = 0;

	while (i < c->count && !endpoint_equal(&c->list[i], e))
		i++;
	return i;
}

static void take(struct step *st, struct peer *p, const struct endpoint *e, struct wg_peer *want)
{
	want->has_endpoint = true;
	want->endpoint = *e;
	p->endpoint_since_ms = st->now.mono_ms;
}

static bool is_fresh(const struct step *st, const struct wg_peer *have)
{
	return have->handshake_ms && st->now.unix_ms - have->handshake_ms < HANDSHAKE_FRESH_MS;
}

void endpoint_choose(struct step *st,
                     struct peer *p,
                     const struct wg_peer *have,
                     struct wg_peer *want)
{
	struct candidates c;
	size_t at;

	list_candidates(p, &c);
	if (!c.count)
		return;
	if (!have || !have->has_endpoint) {
		p->tx_seen = have ? have->tx_bytes : 0;
		take(st, p, &c.list[0], want);
		return;
	}
	if (is_fresh(st, have) || have->tx_bytes <= p->tx_seen) {
		p->tx_seen = have->tx_bytes;
		p->endpoint_since_ms = st->now.mono_ms;
		return;
	}
	/* Sent to, and no handshake: count the time from the first look that saw it. */
	if (st->now.mono_ms - p->endpoint_since_ms < ENDPOINT_TRY_MS)
		return;
	p->tx_seen = have->tx_bytes;
	at = find(&c, &have->endpoint);
	if (at == c.count)
		take(st, p, &c.list[0], want);
	else if (c.count > 1)
		take(st, p, &c.list[(at + 1) % c.count], want);
}
