/*
 * Rows as pairs of interned blobs.
 *
 * A table is hashed by the address of the key's blob; addresses differ from run to run, so nothing
 * may depend on a table's order: disk_visit() sorts.
 */
#include "tests/sim/disk.h"

#include "crdt/set.h"
#include "tests/sim/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct blob {
	struct blob *next; /* of the same bucket */
	uint64_t hash;
	size_t bytes;
	uint8_t at[];
};

struct store {
	struct blob **buckets;
	size_t cap; /* a power of two */
	size_t count;
};

/* --- interning ------------------------------------------------------------------------------ */

struct store *store_new(void)
{
	struct store *s = calloc(1, sizeof(*s));

	assert(s);
	s->cap = 1024;
	s->buckets = calloc(s->cap, sizeof(struct blob *));
	assert(s->buckets);
	return s;
}

void store_free(struct store *s)
{
	for (size_t i = 0; i < s->cap; i++)
		for (struct blob *b = s->buckets[i], *next; b; b = next) {
			next = b->next;
			free(b);
		}
	free(s->buckets);
	free(s);
}

static void rehash(struct store *s)
{
	size_t cap = 2 * s->cap;
	struct blob **buckets = calloc(cap, sizeof(struct blob *));

	assert(buckets);
	for (size_t i = 0; i < s->cap; i++)
		for (struct blob *b = s->buckets[i], *next; b; b = next) {
			next = b->next;
			b->next = buckets[b->hash & (cap - 1)];
			buckets[b->hash & (cap - 1)] = b;
		}
	free(s->buckets);
	s->buckets = buckets;
	s->cap = cap;
}

/* Eight bytes at a time; not for enemies. */
static uint64_t hash_of(const uint8_t *at, size_t bytes)
{
	uint64_t hash = bytes * 0x9e3779b97f4a7c15ULL;

	for (; bytes; at += MIN_OF(bytes, 8), bytes -= MIN_OF(bytes, 8)) {
		uint64_t v = 0;

		memcpy(&v, at, MIN_OF(bytes, 8));
		hash = (hash ^ v) * 0xff51afd7ed558ccdULL;
		hash ^= hash >> 32;
	}
	return hash;
}

static const struct blob *intern(struct store *s, const uint8_t *at, size_t bytes)
{
	uint64_t hash = hash_of(at, bytes);
	struct blob *b;

	for (b = s->buckets[hash & (s->cap - 1)]; b; b = b->next)
		if (b->hash == hash && b->bytes == bytes && memcmp(b->at, at, bytes) == 0)
			return b;
	if (s->count == s->cap)
		rehash(s);
	b = sim_resize(NULL, sizeof(*b) + bytes);
	*b = (struct blob){ .next = s->buckets[hash & (s->cap - 1)], .hash = hash, .bytes = bytes };
	memcpy(b->at, at, bytes);
	s->buckets[hash & (s->cap - 1)] = b;
	s->count++;
	return b;
}

/* table u8 | mesh, with its 0 | key: their order is the store's. */
#define KEY_HEAD (1 + MESH_ID_BYTES)

static struct disk_pair intern_row(struct store *s, const struct row *row)
{
	uint8_t key[KEY_HEAD + ROW_KEY_BYTES_MAX];
	struct disk_pair p = { NULL, NULL };

	assert(row->key.count <= ROW_KEY_BYTES_MAX);
	key[0] = (uint8_t)row->table;
	memset(key + 1, 0, MESH_ID_BYTES);
	strcpy((char *)key + 1, row->mesh);
	if (row->key.count)
		memcpy(key + KEY_HEAD, row->key.at, row->key.count);
	p.key = intern(s, key, KEY_HEAD + row->key.count);
	if (row->value.at)
		p.value = intern(s, row->value.at, row->value.count);
	return p;
}

/* --- tables --------------------------------------------------------------------------------- */

static size_t place_of(const struct disk_table *t, const struct blob *key)
{
	size_t i = (size_t)(key->hash >> 7) & (t->cap - 1);

	while (t->slots[i].key && t->slots[i].key != key)
		i = (i + 1) & (t->cap - 1);
	return i;
}

static void table_grow(struct disk_table *t)
{
	struct disk_table bigger = { .count = t->count, .live = t->live };

	bigger.cap = t->cap ? 2 * t->cap : 16;
	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	assert(bigger.slots);
	for (size_t i = 0; i < t->cap; i++)
		if (t->slots[i].key)
			bigger.slots[place_of(&bigger, t->slots[i].key)] = t->slots[i];
	free(t->slots);
	*t = bigger;
}

/* A deleted row stays as a pair without a value: it may hide one of the base. */
static void table_put(struct disk_table *t, const struct disk_pair *p)
{
	size_t i;

	if (4 * (t->count + 1) > 3 * t->cap)
		table_grow(t);
	i = place_of(t, p->key);
	t->count += !t->slots[i].key;
	t->live += (p->value != NULL) - (size_t)(t->slots[i].value != NULL);
	t->slots[i] = *p;
}

static bool table_has(const struct disk_table *t, const struct blob *key)
{
	return t->cap && t->slots[place_of(t, key)].key;
}

void image_put(struct store *s, struct disk_image *image, const struct row *row)
{
	struct disk_pair p = intern_row(s, row);

	table_put(&image->table, &p);
}

void image_fini(struct disk_image *image)
{
	free(image->table.slots);
	set_free(image->replica);
	memset(image, 0, sizeof(*image));
}

/* --- disks ---------------------------------------------------------------------------------- */

void disk_put(struct store *s, struct disk *d, const struct row *row)
{
	d->pending = sim_grow(d->pending, d->pending_count, &d->pending_cap, sizeof(*d->pending));
	d->pending[d->pending_count++] = intern_row(s, row);
}

static struct row row_of(const struct disk_pair *p)
{
	const struct blob *k = p->key;
	struct row row = {
		.table = (enum row_table)k->at[0],
		.key = { k->at + KEY_HEAD, k->bytes - KEY_HEAD },
	};

	memcpy(row.mesh, k->at + 1, sizeof(row.mesh));
	if (p->value)
		row.value = (struct bytes){ p->value->at, p->value->bytes };
	return row;
}

static struct bytes value_of(const struct disk *d, const struct blob *key)
{
	const struct disk_table *t = table_has(&d->own, key) ? &d->own : NULL;
	const struct blob *value;

	if (!t && d->base && table_has(&d->base->table, key))
		t = &d->base->table;
	value = t ? t->slots[place_of(t, key)].value : NULL;
	return value ? (struct bytes){ value->at, value->bytes } : (struct bytes){ NULL, 0 };
}

bool disk_commit(struct disk *d,
                 void (*changes)(void *ctx, const struct row *row, struct bytes before),
                 void *ctx)
{
	if (d->is_full && d->pending_count)
		return false;
	for (size_t i = 0; i < d->pending_count; i++) {
		struct row row = row_of(&d->pending[i]);

		if (changes)
			changes(ctx, &row, value_of(d, d->pending[i].key));
		table_put(&d->own, &d->pending[i]);
	}
	d->commits += d->pending_count != 0;
	d->pending_count = 0;
	return true;
}

void disk_lose(struct disk *d)
{
	d->pending_count = 0;
}

void disk_fini(struct disk *d)
{
	free(d->own.slots);
	free(d->pending);
	memset(d, 0, sizeof(*d));
}

void disk_copy(struct disk *to, const struct disk *from)
{
	disk_fini(to);
	to->base = from->base;
	to->own = from->own;
	if (!from->own.cap)
		return;
	to->own.slots = sim_resize(NULL, from->own.cap * sizeof(*to->own.slots));
	memcpy(to->own.slots, from->own.slots, from->own.cap * sizeof(*to->own.slots));
}

/* --- reading -------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	const struct blob *x = ((const struct disk_pair *)a)->key;
	const struct blob *y = ((const struct disk_pair *)b)->key;

	return bytes_compare((struct bytes){ x->at, x->bytes }, (struct bytes){ y->at, y->bytes });
}

static size_t gather(const struct disk *d, struct disk_pair *out)
{
	size_t count = 0;

	for (size_t i = 0; d->base && i < d->base->table.cap; i++) {
		const struct disk_pair *p = &d->base->table.slots[i];

		if (p->key && p->value && !table_has(&d->own, p->key))
			out[count++] = *p;
	}
	for (size_t i = 0; i < d->own.cap; i++)
		if (d->own.slots[i].value)
			out[count++] = d->own.slots[i];
	return count;
}

/* A row that is in two of these counts twice. */
size_t disk_rows_most(const struct disk *d)
{
	return (d->base ? d->base->table.live : 0) + d->own.live + d->pending_count;
}

void disk_visit_own(const struct disk *d,
                    void (*visit)(void *ctx, const struct row *row),
                    void *ctx)
{
	struct disk alone = { .own = d->own };

	disk_visit(&alone, visit, ctx);
}

bool disk_hides(const struct disk *d)
{
	for (size_t i = 0; d->base && i < d->own.cap; i++) {
		const struct disk_pair *p = &d->own.slots[i];

		if (p->key && !p->value && table_has(&d->base->table, p->key))
			return true;
	}
	return false;
}

void disk_visit(const struct disk *d, void (*visit)(void *ctx, const struct row *row), void *ctx)
{
	size_t most = (d->base ? d->base->table.count : 0) + d->own.count + 1;
	struct disk_pair *list = sim_resize(NULL, most * sizeof(*list));
	size_t count = gather(d, list);

	qsort(list, count, sizeof(*list), by_key);
	for (size_t i = 0; i < count; i++) {
		struct row row = row_of(&list[i]);

		visit(ctx, &row);
	}
	free(list);
}
