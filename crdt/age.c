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

#include <errno.h>

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

static bool is_old(const struct aging *a, const struct stmt *stmt)
{
	return stmt && stmt->counter < a->set->floor;
}

/* No record or remove is left, and no admission is young. */
static bool admissions_go(const struct aging *a, const struct entry *e)
{
	const struct held *h;

	if ((e->record && !is_old(a, e->record)) || (e->remove && !is_old(a, e->remove)))
		return false;
	held_for_each(h, e, STMT_ADMISSION) {
		if (!is_old(a, h->stmt))
			return false;
	}
	return true;
}

/* Nothing of it is left. */
static bool entry_goes(const struct aging *a, const struct entry *e)
{
	return !held_of(e, STMT_EXPEL) && admissions_go(a, e);
}

static void entry_tell(const struct aging *a, const struct entry *e)
{
	const struct held *h;

	if (is_old(a, e->record))
		aging_tell(a, e->record);
	if (is_old(a, e->remove))
		aging_tell(a, e->remove);
	if (!admissions_go(a, e))
		return;
	held_for_each(h, e, STMT_ADMISSION)
		aging_tell(a, h->stmt);
}

static void register_age(const struct aging *a, struct stmt **place)
{
	if (!is_old(a, *place))
		return;
	stmt_unref(a->set->mem, *place);
	*place = NULL;
}

/* Of an entry that stays: what of it is old. */
static int entry_age(const struct aging *a, struct entry *e)
{
	bool do_admissions_go = admissions_go(a, e);

	if (!is_old(a, e->record) && !is_old(a, e->remove) &&
	    !(do_admissions_go && held_of(e, STMT_ADMISSION)))
		return 0;
	entry_tell(a, e);
	e = entry_open(a->set, e);
	if (!e)
		return -ENOMEM;
	register_age(a, &e->record);
	register_age(a, &e->remove);
	if (do_admissions_go)
		held_drop(a->set->mem, e, STMT_ADMISSION);
	return entry_close(a->set, e);
}

static void shown_compact(const struct aging *a)
{
	struct index *x = &a->set->shown;
	size_t kept = 0;

	for (size_t i = 0; i < x->count; i++) {
		if (!entry_goes(a, x->list[i]))
			x->list[kept++] = x->list[i];
	}
	x->count = kept;
	group_rebuild(&a->set->group, x);
}

static void entry_bury(const struct aging *a, struct entry *e)
{
	struct digest_sum sum = entry_sum(e);

	entry_tell(a, e);
	digest_subtract(&a->set->members_sum, &sum);
	entry_unref(a->set->mem, e);
}

/* Those that go, in one pass over each index: one by one would move the rest each time. */
static void index_compact(const struct aging *a)
{
	struct index *x = &a->set->all;
	size_t kept = 0;

	shown_compact(a);
	for (size_t i = 0; i < x->count; i++) {
		if (entry_goes(a, x->list[i]))
			entry_bury(a, x->list[i]);
		else
			x->list[kept++] = x->list[i];
	}
	x->count = kept;
}

static int age_to(const struct aging *a, uint64_t floor)
{
	const struct index *x = &a->set->all;
	int err = 0;

	if (floor <= a->set->floor)
		return 0;
	a->set->floor = floor;
	for (size_t i = 0; i < x->count && err == 0; i++) {
		if (!entry_goes(a, x->list[i]))
			err = entry_age(a, x->list[i]);
	}
	if (err == 0)
		index_compact(a);
	return err;
}

int set_age(struct set *s,
            struct instant now,
            void (*dropped)(void *ctx, const struct stmt *stmt),
            void *ctx)
{
	struct aging a = { .set = s, .dropped = dropped, .ctx = ctx };

	return now.unix_ms > s->life_ms ? age_to(&a, (uint64_t)(now.unix_ms - s->life_ms)) : 0;
}

uint64_t set_floor(const struct set *s)
{
	return s->floor;
}

int set_raise_floor(struct set *s, uint64_t floor_ms)
{
	struct aging a = { .set = s };

	return age_to(&a, floor_ms);
}
