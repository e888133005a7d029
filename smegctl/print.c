/*
 * Output for people.
 *
 * Widths count code points: the decoder has let nothing through that is invisible or moves the
 * cursor, and wide letters in aliases are rare (an alias is a DNS label), so a table of widths is
 * not worth it.  Colour only says again what the words say.
 */
#include "smegctl/print.h"

#include "api/model/utf8.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void duration_text(int64_t ms, char out[DURATION_BYTES])
{
	int64_t s = MAX_OF(ms, 0) / MS_PER_SECOND;
	int64_t min = s / 60;
	int64_t h = min / 60;
	int64_t d = h / 24;

	if (s < 60)
		snprintf(out, DURATION_BYTES, "%" PRId64 " s", s);
	else if (h < 1)
		snprintf(out, DURATION_BYTES, "%" PRId64 " min", min);
	else if (h < 48 && min % 60 > 0)
		snprintf(out, DURATION_BYTES, "%" PRId64 " h %" PRId64 " min", h, min % 60);
	else if (h < 48)
		snprintf(out, DURATION_BYTES, "%" PRId64 " h", h);
	else if (h % 24 > 0)
		snprintf(out, DURATION_BYTES, "%" PRId64 " d %" PRId64 " h", d, h % 24);
	else
		snprintf(out, DURATION_BYTES, "%" PRId64 " d", d);
}

void amount_text(uint64_t bytes, char out[AMOUNT_BYTES])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t unit = 1024;
	size_t i = 0;

	if (bytes < unit) {
		snprintf(out, AMOUNT_BYTES, "%" PRIu64 " B", bytes);
		return;
	}
	for (; i + 1 < ARRAY_LEN(units) && bytes / unit >= 1024; i++)
		unit *= 1024;
	if (bytes / unit < 10)
		snprintf(out, AMOUNT_BYTES, "%" PRIu64 ".%" PRIu64 " %s", bytes / unit,
		         bytes % unit * 10 / unit, units[i]);
	else
		snprintf(out, AMOUNT_BYTES, "%" PRIu64 " %s", bytes / unit, units[i]);
}

const char *text_make(struct call *c, const char *format, ...)
{
	va_list args;
	char *out = NULL;
	int bytes;

	va_start(args, format);
	bytes = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (bytes >= 0)
		out = arena_alloc(&c->arena, (size_t)bytes + 1);
	if (!out)
		return "?";
	va_start(args, format);
	vsnprintf(out, (size_t)bytes + 1, format, args);
	va_end(args);
	return out;
}

/* --- colour --- */

static const char *tint_code(enum tint tint)
{
	switch (tint) {
	case TINT_GOOD:
		return "32";
	case TINT_BAD:
		return "31";
	case TINT_WARN:
		return "33";
	case TINT_DIM:
		return "2";
	case TINT_BOLD:
		return "1";
	case TINT_NONE:
		break;
	}
	return NULL;
}

void print_tinted(struct call *c, const char *text, enum tint tint)
{
	const char *code = c->has_colour ? tint_code(tint) : NULL;

	if (code)
		fprintf(c->out, "\033[%sm%s\033[0m", code, text);
	else
		fputs(text, c->out);
}

/* --- tables --- */

static size_t text_width(const char *text)
{
	size_t left = strlen(text);
	size_t width = 0;
	size_t bytes;

	for (; left > 0; left -= bytes, text += bytes, width++)
		utf8_next(text, left, &bytes);
	return width;
}

int table_init(struct call *c, struct table *t, size_t columns, size_t rows_max)
{
	assert(columns <= COLUMNS_MAX);
	*t = (struct table){ .columns = columns, .rows_max = rows_max };
	t->cells = arena_alloc(&c->arena, rows_max * columns * sizeof(*t->cells));
	return t->cells ? 0 : -ENOMEM;
}

struct cell *table_row(struct table *t)
{
	assert(t->rows < t->rows_max);
	return &t->cells[t->rows++ * t->columns];
}

static const char *cell_text(const struct cell *cell)
{
	return cell->text && cell->text[0] ? cell->text : "-";
}

static void print_cell(
	struct call *c, const struct table *t, const struct cell *cell, size_t column, size_t width)
{
	const char *text = cell_text(cell);
	int pad = (int)(width - text_width(text));

	if (t->is_right && t->is_right[column])
		fprintf(c->out, "%*s", pad, "");
	print_tinted(c, text, cell->tint);
	if (column + 1 == t->columns)
		fputc('\n', c->out);
	else
		fprintf(c->out, "%*s", t->is_right && t->is_right[column] ? 2 : pad + 2, "");
}

void table_print(struct call *c, const struct table *t)
{
	size_t widths[COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < t->rows * t->columns; i++) {
		size_t width = text_width(cell_text(&t->cells[i]));

		widths[i % t->columns] = MAX_OF(widths[i % t->columns], width);
	}
	for (size_t i = 0; i < t->rows * t->columns; i++)
		print_cell(c, t, &t->cells[i], i % t->columns, widths[i % t->columns]);
}

/* --- what several commands print --- */

void print_fact(struct call *c, const char *name, const char *text)
{
	fprintf(c->out, "  %-9s %s\n", name, text);
}

void print_progress(struct call *c, const struct reply *r)
{
	if (r->steps > 0)
		fprintf(c->talk, "[%" PRIu32 "/%" PRIu32 "] %s\n", r->step, r->steps, r->text);
	else
		fprintf(c->talk, "%s\n", r->text);
	fflush(c->talk);
}

void print_join_line(struct call *c, const struct reply *r)
{
	char left[DURATION_BYTES];

	/* Rounded up to the minute: what was asked for, not a second less. */
	duration_text(r->token_expires_ms - r->now_unix_ms + 30 * MS_PER_SECOND, left);
	fflush(c->out);
	if (r->token_uses == 1)
		fprintf(c->talk,
		        "\nOn the next host, run this as root; it works once, within %s:\n\n",
		        left);
	else if (r->token_uses > 1)
		fprintf(c->talk,
		        "\nOn the next hosts, run this as root; it works %" PRIu32
		        " times, within %s:\n\n",
		        r->token_uses, left);
	else
		fprintf(c->talk,
		        "\nOn the next hosts, run this as root; it works any number of times, "
		        "within "
		        "%s:\n\n",
		        left);
	fflush(c->talk);
	fprintf(c->out, "smegctl join %s\n", r->token);
	fflush(c->out);
	fprintf(c->talk, "\nWhoever has this line can join: keep it secret until it is used.\n");
}

const char *member_name(struct call *c, const struct member_info *m)
{
	return m->alias[0] ? m->alias : text_make(c, "%.8s...", m->key);
}

bool member_is_current(const struct member_info *m)
{
	return strcmp(m->standing, "in") == 0 || strcmp(m->standing, "admitted") == 0 ||
	       strcmp(m->standing, "pruned") == 0;
}

/* Out by the word of its watchers, and not heard since. */
static bool is_pruned(const struct member_info *m)
{
	return strcmp(m->standing, "pruned") == 0;
}

struct cell member_state(struct call *c, const struct member_info *m, int64_t now_ms)
{
	const char *what = "unreachable";
	char since[DURATION_BYTES];
	enum tint tint = TINT_BAD;

	if (m->is_self)
		return (struct cell){ "this host", TINT_NONE };
	if (strcmp(m->standing, "in") != 0 && !is_pruned(m))
		return (struct cell){ m->standing, TINT_DIM };
	if (strcmp(m->reachability, "suspect") == 0) {
		tint = TINT_WARN;
		what = "suspect";
	}
	if (m->is_reachable && tint == TINT_BAD)
		return (struct cell){ is_pruned(m) ? "coming back" : "reachable", TINT_GOOD };
	if (m->since_ms == 0)
		return (struct cell){ text_make(c, "%s%s", what, is_pruned(m) ? ", pruned" : ""),
			              tint };
	duration_text(now_ms - m->since_ms, since);
	return (struct cell){ text_make(c, "%s %s%s", what, since, is_pruned(m) ? ", pruned" : ""),
		              tint };
}
