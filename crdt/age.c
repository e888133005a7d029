/*
 * Forgetting, by age alone.
 *
 * A replica may forget a remove only when nobody can still offer the record that it covers.  Who
 * holds what is not known in a mesh that splits for weeks, so the rule needs no knowledge: below
 * the floor nothing is kept and nothing is accepted, and the floor only rises.  A remove covers
 * records with counters up to its own, so they are below the floor when it is, here and anywhere.
 * Collecting by acknowledgements was tried and brought removed members back.
 *
 * Admissions have no place in that order: an old one is needed to believe a young record.  So they
 * go with their member, and an old one without a member is kept only in passing; if it counted,
 * two replicas that age at different moments would hand it to each other for ever.
 *
 * In between two calls nothing changes by itself: what is passing is judged by the floor, and the
 * floor moves only here.
 */
#include "crdt/set_priv.h"

#include "base/mem.h"

#include <assert.h>

struct aging {
	struct set *set;
	void (*dropped)(void *ctx, const struct stmt *stmt);
	void *ctx;
};

static void aging_tell(const struct aging *a, const struct stmt *stmt)
{
	if (a->dropped)
		a->dropped(a->ctx, stmt);
}

static bool register_age(const struct aging *a, struct stmt **place)
{
	struct stmt *stmt = *place;

	if (!stmt || stmt->counter >= a->set->floor)
		return false;
	aging_tell(a, stmt);
	*place = NULL;
	stmt_unref(a->set->mem, stmt);
	return true;
}

static bool chain_has_young(const struct held *chain, uint64_t floor)
{
	for (const struct held *h = chain; h; h = h->next) {
		if (h->stmt->counter >= floor)
			return true;
	}
	return false;
}

static void entry_age(const struct aging *a, struct entry *e)
{
	struct set *s = a->set;
	bool has_changed = register_age(a, &e->record);

	has_changed |= register_age(a, &e->remove);
	if (!e->record && !e->remove && e->admissions &&
	    !chain_has_young(e->admissions, s->floor)) {
		for (const struct held *h = e->admissions; h; h = h->next)
			aging_tell(a, h->stmt);
		/* What is derived must not point at what goes. */
		e->admission = NULL;
		chain_free(s->mem, &e->admissions);
		has_changed = true;
	}
	if (!e->record && !e->remove && !e->admissions && !e->expels)
		entry_free(s, e);
	else if (has_changed)
		entry_update(s, e);
}

static void age_to(const struct aging *a, uint64_t floor)
{
	struct map_node *node;
	struct map_node *next;

	if (floor <= a->set->floor)
		return;
	a->set->floor = floor;
	map_for_each_safe(node, next, &a->set->members)
		entry_age(a, container_of(node, struct entry, node));
}

void set_age(struct set *s,
             struct instant now,
             void (*dropped)(void *ctx, const struct stmt *stmt),
             void *ctx)
{
	struct aging a = { .set = s, .dropped = dropped, .ctx = ctx };

	if (now.unix_ms > s->life_ms)
		age_to(&a, (uint64_t)(now.unix_ms - s->life_ms));
}

uint64_t set_floor(const struct set *s)
{
	return s->floor;
}

void set_raise_floor(struct set *s, uint64_t floor_ms)
{
	struct aging a = { .set = s };

	age_to(&a, floor_ms);
}
