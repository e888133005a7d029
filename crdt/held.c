/*
 * What administrators say of a member: its admissions, then its expels, one per signer.
 *
 * One chain for both, whose first link is inside the entry: nearly every member has one admission
 * and nothing else, and that then costs no allocation.  The chain ascends by kind and signer, so it
 * depends on what is held alone.
 */
#include "crdt/set_priv.h"

#include "base/mem.h"

#include <errno.h>

const struct held *held_first(const struct entry *e)
{
	return e->held.stmt ? &e->held : NULL;
}

const struct held *held_of(const struct entry *e, enum stmt_kind kind)
{
	const struct held *h = held_first(e);

	while (h && h->stmt->kind != kind)
		h = h->next;
	return h;
}

const struct held *held_next(const struct held *h)
{
	const struct held *next = h->next;

	return next && next->stmt->kind == h->stmt->kind ? next : NULL;
}

static int place_compare(const struct stmt *a, enum stmt_kind kind, const struct key *signer)
{
	if (a->kind != kind)
		return a->kind < kind ? -1 : 1;
	return key_compare(&a->signer, signer);
}

struct stmt *held_find(const struct entry *e, enum stmt_kind kind, const struct key *signer)
{
	const struct held *h;

	held_for_each(h, e, kind) {
		if (key_equal(&h->stmt->signer, signer))
			return h->stmt;
	}
	return NULL;
}

/* A new link behind `h`, with what `h` held; `h` then has room for another statement. */
static int link_split(const struct mem *m, struct held *h)
{
	struct held *behind = mem_alloc(m, sizeof(*behind));

	if (!behind)
		return -ENOMEM;
	*behind = *h;
	h->next = behind;
	return 0;
}

static int link_append(const struct mem *m, struct held *last, struct stmt *stmt)
{
	struct held *h = mem_zalloc(m, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->stmt = stmt_ref(stmt);
	last->next = h;
	return 0;
}

int held_put(const struct mem *m, struct entry *e, struct stmt *stmt)
{
	struct held *h = &e->held;
	int order;

	if (!h->stmt) {
		h->stmt = stmt_ref(stmt);
		return 0;
	}
	while ((order = place_compare(h->stmt, stmt->kind, &stmt->signer)) < 0 && h->next)
		h = h->next;
	if (order < 0)
		return link_append(m, h, stmt);
	if (order > 0 && link_split(m, h) != 0)
		return -ENOMEM;
	if (order == 0)
		stmt_unref(m, h->stmt);
	h->stmt = stmt_ref(stmt);
	return 0;
}

/* Take the statement out of this link: the next one moves up into it. */
static void link_drop(const struct mem *m, struct held *h)
{
	struct held *next = h->next;

	stmt_unref(m, h->stmt);
	if (!next) {
		h->stmt = NULL;
		return;
	}
	*h = *next;
	mem_free(m, next);
}

void held_drop(const struct mem *m, struct entry *e, enum stmt_kind kind)
{
	struct held *h = &e->held;
	struct held *before = NULL;

	while (h && h->stmt) {
		bool is_last = !h->next;

		if (h->stmt->kind != kind) {
			before = h;
			h = h->next;
			continue;
		}
		link_drop(m, h);
		if (is_last && before) {
			before->next = NULL;
			mem_free(m, h);
			return;
		}
	}
}

void held_free(const struct mem *m, struct held *held)
{
	while (held->stmt)
		link_drop(m, held);
}

int held_copy(const struct mem *m, const struct held *from, struct held *ret)
{
	struct held *last = ret;

	*ret = (struct held){ .stmt = from->stmt ? stmt_ref(from->stmt) : NULL };
	for (const struct held *h = from->next; h; h = h->next) {
		if (link_append(m, last, h->stmt) != 0) {
			held_free(m, ret);
			return -ENOMEM;
		}
		last = last->next;
	}
	return 0;
}
