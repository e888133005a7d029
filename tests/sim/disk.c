/*
 * Rows in a sorted array: small, and in the order in which the real store gives them back.
 */
#include "tests/sim/disk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int order(const struct disk_row *a, const struct disk_row *b)
{
	int c = (int)a->table - (int)b->table;

	if (!c)
		c = strcmp(a->mesh, b->mesh);
	if (!c)
		c = bytes_compare((struct bytes){ a->key, a->key_bytes },
		                  (struct bytes){ b->key, b->key_bytes });
	return c;
}

static void *grow(void *list, size_t count, size_t *cap, size_t each)
{
	if (count < *cap)
		return list;
	*cap = *cap ? 2 * *cap : 16;
	list = realloc(list, *cap * each);
	assert(list);
	return list;
}

static uint8_t *copy(const uint8_t *src, size_t bytes)
{
	uint8_t *p = malloc(bytes + 1);

	assert(p);
	if (bytes)
		memcpy(p, src, bytes);
	return p;
}

void disk_put(struct disk *d, const struct row *row)
{
	struct disk_row *r;

	assert(row->key.count <= ROW_KEY_BYTES_MAX);
	d->pending = grow(d->pending, d->pending_count, &d->pending_cap, sizeof(*d->pending));
	r = &d->pending[d->pending_count++];
	memset(r, 0, sizeof(*r));
	r->table = row->table;
	memcpy(r->mesh, row->mesh, sizeof(r->mesh));
	if (row->key.count)
		memcpy(r->key, row->key.at, row->key.count);
	r->key_bytes = row->key.count;
	r->value_bytes = row->value.count;
	r->value = row->value.at ? copy(row->value.at, row->value.count) : NULL;
}

static void commit_row(struct disk *d, struct disk_row *r)
{
	size_t low = 0;
	size_t high = d->count;
	bool found;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (order(&d->rows[mid], r) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	found = low < d->count && order(&d->rows[low], r) == 0;
	if (found)
		free(d->rows[low].value);
	if (found && r->value) {
		d->rows[low] = *r;
	} else if (found) {
		memmove(&d->rows[low], &d->rows[low + 1], (d->count - low - 1) * sizeof(*r));
		d->count--;
	} else if (r->value) {
		d->rows = grow(d->rows, d->count, &d->cap, sizeof(*d->rows));
		memmove(&d->rows[low + 1], &d->rows[low], (d->count - low) * sizeof(*r));
		d->rows[low] = *r;
		d->count++;
	}
}

void disk_commit(struct disk *d)
{
	for (size_t i = 0; i < d->pending_count; i++)
		commit_row(d, &d->pending[i]);
	d->commits += d->pending_count != 0;
	d->pending_count = 0;
}

void disk_lose(struct disk *d)
{
	for (size_t i = 0; i < d->pending_count; i++)
		free(d->pending[i].value);
	d->pending_count = 0;
}

void disk_fini(struct disk *d)
{
	disk_lose(d);
	for (size_t i = 0; i < d->count; i++)
		free(d->rows[i].value);
	free(d->rows);
	free(d->pending);
	memset(d, 0, sizeof(*d));
}

void disk_copy(struct disk *to, const struct disk *from)
{
	disk_fini(to);
	for (size_t i = 0; i < from->count; i++) {
		struct disk_row r = from->rows[i];

		r.value = copy(r.value, r.value_bytes);
		commit_row(to, &r);
	}
}
