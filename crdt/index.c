/*
 * The indexes of a set: arrays of pointers to entries, ascending by member or by subject.
 *
 * A mesh has thousands of members that change rarely and are looked at all the time, and a
 * simulator holds thousands of replicas: eight bytes a member and index, positions that can be
 * counted on, and a copy that is one memcpy.  An insertion moves what is behind it, 12 KiB on
 * average among three thousand; in order, as when rows come back from the store, it moves nothing.
 * Rejected: the treap of base/map.h, which costs 80 bytes a member for its two nodes.
 *
 * Arrays grow by an eighth, not twofold: their slack counts against those eight bytes.
 */
#include "crdt/set_priv.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define SLACK_MIN 4

static const struct key *key_at(const struct index *x, size_t i)
{
	return x->is_by_subject ? entry_subject(x->list[i]) : &x->list[i]->member;
}

size_t index_rank(const struct index *x, const struct key *key)
{
	size_t low = 0;
	size_t high = x->count;

	/* In order: behind the last. */
	if (high > 0 && key_compare(key_at(x, high - 1), key) < 0)
		return high;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (key_compare(key_at(x, mid), key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct entry *index_find(const struct index *x, const struct key *key)
{
	size_t at = index_rank(x, key);

	return at < x->count && key_equal(key_at(x, at), key) ? x->list[at] : NULL;
}

static int index_grow(const struct mem *m, struct index *x)
{
	size_t cap = x->count + x->count / 8 + SLACK_MIN;
	struct entry **list;

	if (x->count < x->cap)
		return 0;
	if (cap > SIZE_MAX / sizeof(struct entry *))
		return -ENOMEM;
	list = mem_resize(m, x->list, cap * sizeof(struct entry *));
	if (!list)
		return -ENOMEM;
	x->list = list;
	x->cap = cap;
	return 0;
}

static const struct key *index_key(const struct index *x, const struct entry *e)
{
	return x->is_by_subject ? entry_subject(e) : &e->member;
}

int index_insert(const struct mem *m, struct index *x, struct entry *e)
{
	size_t at = index_rank(x, index_key(x, e));
	int err = index_grow(m, x);

	if (err != 0)
		return err;
	memmove(x->list + at + 1, x->list + at, (x->count - at) * sizeof(struct entry *));
	x->list[at] = e;
	x->count++;
	return 0;
}

void index_remove(struct index *x, const struct entry *e)
{
	size_t at = index_rank(x, index_key(x, e));

	assert(at < x->count && x->list[at] == e);
	x->count--;
	memmove(x->list + at, x->list + at + 1, (x->count - at) * sizeof(struct entry *));
}

void index_replace(struct index *x, const struct entry *from, struct entry *to)
{
	size_t at = index_rank(x, index_key(x, from));

	assert(at < x->count && x->list[at] == from);
	x->list[at] = to;
}

int index_copy(const struct mem *m, const struct index *from, struct index *ret)
{
	*ret = (struct index){ .is_by_subject = from->is_by_subject };
	if (from->count == 0)
		return 0;
	ret->list = mem_dup(m, from->list, from->count * sizeof(struct entry *));
	if (!ret->list)
		return -ENOMEM;
	ret->count = from->count;
	ret->cap = from->count;
	return 0;
}
