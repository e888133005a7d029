/*
 * The own record: what this host says of itself, and when it says it anew.
 *
 * The record is made from the settings and the host's addresses; it is signed again only if what it
 * says has changed, if it was removed (refutation), or if it grows old (life / 4, with jitter), so
 * a restart writes nothing.  Changes gather for a tenth of a second.
 *
 * Before the first write after a start the node waits until a member has compared digests with us
 * or ten seconds have passed: if this host was restored from a backup, the others know a greater
 * counter, and a record signed below it would be ignored by everybody.
 */
#include "smegd/core/node_priv.h"

#include <stdlib.h>
#include <string.h>

static size_t given_places(const struct mesh *m, struct place *out, size_t cap)
{
	const struct settings *s = &m->settings;
	uint16_t gossip_port = m->owner->options.gossip_port;
	size_t count = 0;

	for (size_t i = 0; i < s->places_count && count < cap; i++) {
		struct place *p = &out[count++];
		const struct hostport *h = &s->places[i];

		memset(p, 0, sizeof(*p));
		p->gossip_port = h->port ? h->port : gossip_port;
		p->wg_port = m->wg_port;
		if (addr_parse(&p->addr, h->host) == 0) {
			p->kind = PLACE_GIVEN;
		} else {
			p->kind = PLACE_NAME;
			p->name = (struct bytes){ (const uint8_t *)h->host, strlen(h->host) };
		}
	}
	return count;
}

size_t own_places(const struct mesh *m, struct place *out, size_t cap)
{
	const struct node *n = m->owner;
	size_t count = 0;

	if (m->settings.places_count)
		return given_places(m, out, cap);
	for (size_t i = 0; i < n->addresses_count && count < cap; i++) {
		struct place *p = &out[count++];

		memset(p, 0, sizeof(*p));
		p->kind = PLACE_INTERFACE;
		p->addr = n->addresses[i].addr;
		p->gossip_port = n->options.gossip_port;
		p->wg_port = m->wg_port;
	}
	return count;
}

static int order_ids(const void *a, const void *b)
{
	return watcher_id_compare(a, b);
}

/* Ids ascend in a record, whatever the order in which the watchers were chosen. */
static void name_watchers(const struct mesh *m, struct record *r)
{
	struct key keys[LIMIT_WATCHERS];

	r->watchers_count = watch_own(m, keys);
	for (size_t i = 0; i < r->watchers_count; i++)
		r->watchers[i] = watcher_id_of(&keys[i]);
	qsort(r->watchers, r->watchers_count, sizeof(*r->watchers), order_ids);
}

static void make_record(const struct mesh *m, struct record *r)
{
	const struct entry *carrier = m->role == ROLE_CLIENT ? own_carrier(m) : NULL;
	const struct settings *s = &m->settings;

	memset(r, 0, sizeof(*r));
	r->role = m->role;
	r->has_carrier = carrier != NULL;
	if (carrier)
		r->carrier = carrier->member;
	r->alias = (struct bytes){ (const uint8_t *)s->alias, strlen(s->alias) };
	r->description = (struct bytes){ (const uint8_t *)s->description, strlen(s->description) };
	r->places_count = own_places(m, r->places, ARRAY_LEN(r->places));
	name_watchers(m, r);
}

static bool same_watchers(const struct record *a, const struct record *b)
{
	return a->watchers_count == b->watchers_count &&
	       memcmp(a->watchers, b->watchers, a->watchers_count * sizeof(*a->watchers)) == 0;
}

void own_changed(struct step *st, struct mesh *m)
{
	if (mesh_is_running(m) && !watch_holds_back(m) && m->publish_ms == TIME_NEVER)
		m->publish_ms = st->now.mono_ms + PUBLISH_DELAY_MS;
}

static void schedule_resign(struct step *st, struct mesh *m, uint64_t signed_ms)
{
	int64_t period = rng_jitter(&st->n->rng, m->life_ms / 4, 10);

	m->resign_unix_ms = (int64_t)signed_ms + period;
}

void own_publish(struct step *st, struct mesh *m, bool force)
{
	const struct entry *self = mesh_self_entry(m);
	struct record next;
	struct record last;
	int err;

	make_record(m, &next);
	m->publish_ms = TIME_NEVER;
	if (self && self->record && !m->resign_unix_ms)
		schedule_resign(st, m, self->record->counter);
	if (!force && self && self->record && self->standing == STANDING_IN) {
		record_read(self->record, &last);
		if (record_same_body(&next, &last) && same_watchers(&next, &last))
			return;
	}
	carrier_changes(st, m, &next);
	err = mesh_sign_record(st, m, &next);
	if (err)
		step_fail(st, err);
	schedule_resign(st, m, m->last_counter);
}

/*
 * A record dated over a day ahead is refused by everybody, and its counter is never taken back:
 * with a clock that most others contradict, nothing is signed until it is set.
 */
bool own_may_publish(const struct mesh *m)
{
	/* One other alone may be the one that is wrong. */
	bool is_far_ahead = m->sessions_count >= 2 && mesh_clock_ahead(m) < -RECORD_AHEAD_MS / 2;

	return m->counter_known && !is_far_ahead;
}

void own_tick(struct step *st, struct mesh *m)
{
	bool is_old;

	if (!m->counter_known && st->now.mono_ms - m->started_ms >= PUBLISH_WAIT_MS)
		m->counter_known = true;
	is_old = m->resign_unix_ms && st->now.unix_ms >= m->resign_unix_ms;
	if (!is_old && st->now.mono_ms < m->publish_ms)
		return;
	/* Without a look at the interfaces there is nothing to say yet. */
	if (own_may_publish(m) && (st->n->has_addresses || m->settings.places_count))
		own_publish(st, m, is_old);
}
