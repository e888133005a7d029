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
#define GUESSES 8u /* before halves are taken */

static const struct key *key_at(const struct index *x, size_t i)
{
	return x->is_by_subject ? entry_subject(x->list[i]) : &x->list[i]->member;
}

uint16_t index_front(const struct key *k)
{
	return (uint16_t)(k->b[0] << 8 | k->b[1]);
}

static uint16_t front_at(const struct index *x, size_t i)
{
	return x->is_by_subject ? (uint16_t)x->list[i]->front : index_front(&x->list[i]->member);
}

/* The statements, which know the whole key of a subject, are elsewhere in memory. */
static bool is_before(const struct index *x, size_t i, const struct key *key)
{
	uint16_t there = front_at(x, i);
	uint16_t front = index_front(key);

	return there != front ? there < front : key_compare(key_at(x, i), key) < 0;
}

/* How many places there are from one front to another, if keys are spread evenly. */
static size_t places(const struct index *x, uint16_t from, uint16_t to)
{
	return to > from ? (size_t)((uint64_t)(to - from) * x->count >> 16) : 0;
}

/*
 * Keys are as good as random, so that one says by itself about where it stands, and another one how
 * far that is off: some five looks of thirteen among five thousand, and each misses the cache.  Who
 * has made his keys to mislead us gains the other eight: then halves are taken.
 */
size_t index_rank(const struct index *x, const struct key *key)
{
	uint16_t front = index_front(key);
	size_t low = 0;
	size_t high = x->count;
	size_t guess = places(x, 0, front);

	/* In order: behind the last. */
	if (high > 0 && is_before(x, high - 1, key))
		return high;
	for (unsigned looks = 0; low < high; looks++) {
		size_t at = looks < GUESSES ? MIN_OF(MAX_OF(guess, low), high - 1)
		                            : low + (high - low) / 2;
		uint16_t there = front_at(x, at);

		if (is_before(x, at, key)) {
			low = at + 1;
			guess = low + places(x, there, front);
		} else {
			size_t back = 1 + places(x, front, there);

			high = at;
			guess = at > back ? at - back : 0;
		}
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
