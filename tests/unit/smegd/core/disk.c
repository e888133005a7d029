/*
 * See disk.h.
 */
#include "tests/unit/smegd/core/disk.h"

#include <stdlib.h>
#include <string.h>

static int order(const struct row *a, const struct row *b)
{
	int c = (int)a->table - (int)b->table;

	if (!c)
		c = strcmp(a->mesh, b->mesh);
	return c ? c : bytes_compare(a->key, b->key);
}

static struct disk_row make_row(const struct row *row)
{
	struct disk_row r = { .row = *row };

	assert_true(row->key.count <= ROW_KEY_BYTES_MAX);
	assert_true(row->table > 0 && row->table < ROW__COUNT);
	r.bytes = malloc(row->key.count + row->value.count + 1);
	assert_non_null(r.bytes);
	if (row->key.count)
		memcpy(r.bytes, row->key.at, row->key.count);
	if (row->value.count)
		memcpy(r.bytes + row->key.count, row->value.at, row->value.count);
	r.row.key.at = r.bytes;
	if (row->value.at)
		r.row.value.at = r.bytes + row->key.count;
	return r;
}

static void insert(struct disk_rows *rows, size_t at, struct disk_row r)
{
	if (rows->count == rows->cap) {
		rows->cap = rows->cap ? 2 * rows->cap : 64;
		rows->list = realloc(rows->list, rows->cap * sizeof(*rows->list));
		assert_non_null(rows->list);
	}
	memmove(&rows->list[at + 1], &rows->list[at], (rows->count - at) * sizeof(r));
	rows->list[at] = r;
	rows->count++;
}

static void drop_all(struct disk_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->list[i].bytes);
	free(rows->list);
	*rows = (struct disk_rows){ .list = NULL };
}

/* The first row that is not less. */
static size_t lower_bound(const struct disk_rows *rows, const struct row *row)
{
	size_t low = 0;
	size_t high = rows->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (order(&rows->list[mid].row, row) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void disk_fini(struct disk *d)
{
	drop_all(&d->rows);
	drop_all(&d->pending);
}

void disk_copy(struct disk *to, const struct disk *from)
{
	*to = (struct disk){ .is_due = false };
	for (size_t i = 0; i < from->rows.count; i++)
		insert(&to->rows, i, make_row(&from->rows.list[i].row));
}

void disk_put(struct disk *d, const struct row *row, bool durable)
{
	insert(&d->pending, d->pending.count, make_row(row));
	d->is_due |= durable;
	d->puts++;
}

void disk_commit(struct disk *d)
{
	for (size_t i = 0; i < d->pending.count; i++) {
		struct disk_row *r = &d->pending.list[i];
		size_t at = lower_bound(&d->rows, &r->row);

		if (at < d->rows.count && order(&d->rows.list[at].row, &r->row) == 0) {
			free(d->rows.list[at].bytes);
			d->rows.count--;
			memmove(&d->rows.list[at], &d->rows.list[at + 1],
			        (d->rows.count - at) * sizeof(*r));
		}
		if (r->row.value.at)
			insert(&d->rows, at, make_row(&r->row));
	}
	disk_crash(d);
}

void disk_crash(struct disk *d)
{
	drop_all(&d->pending);
	d->is_due = false;
}

const struct row *disk_nth(const struct disk *d, enum row_table table, size_t n)
{
	for (size_t i = 0; i < d->rows.count; i++)
		if (d->rows.list[i].row.table == table && n-- == 0)
			return &d->rows.list[i].row;
	return NULL;
}

size_t disk_count(const struct disk *d, enum row_table table)
{
	size_t count = 0;

	while (disk_nth(d, table, count))
		count++;
	return count;
}
