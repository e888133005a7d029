/*
 * Output for people: tables, durations, amounts, colours.
 */
#ifndef SMEG_SMEGCTL_PRINT_H
#define SMEG_SMEGCTL_PRINT_H

#include "smegctl/cmd.h"

#define DURATION_BYTES 32
#define AMOUNT_BYTES 32
#define COLUMNS_MAX 10

enum tint {
	TINT_NONE,
	TINT_GOOD,
	TINT_BAD,
	TINT_WARN,
	TINT_DIM,
	TINT_BOLD
};

/* "12 s", "3 min", "24 h", "2 h 5 min", "4 d 2 h"; negative counts as 0. */
void duration_text(int64_t ms, char out[DURATION_BYTES]);

/* "512 B", "1.2 KiB", "34 MiB" */
void amount_text(uint64_t bytes, char out[AMOUNT_BYTES]);

/* Text in c->arena by printf rules; "?" when out of memory. */
const char *text_make(struct call *c, const char *format, ...) PRINTF_LIKE(2, 3);

struct cell {
	const char *text; /* NULL or "": shown as "-" */
	enum tint tint;
};

struct table {
	size_t columns;
	const bool *is_right; /* per column: aligned to the right */
	struct cell *cells;   /* in c->arena */
	size_t rows;
	size_t rows_max;
};

/* Room for rows_max rows, the heading included.  -ENOMEM. */
int table_init(struct call *c, struct table *t, size_t columns, size_t rows_max) MUST_CHECK;

/* The next row's cells, all empty. */
struct cell *table_row(struct table *t);
void table_print(struct call *c, const struct table *t);

/* `text` on `out`, coloured if there is colour. */
void print_tinted(struct call *c, const char *text, enum tint tint);

/* "  name   text" */
void print_fact(struct call *c, const char *name, const char *text);

/* "[2/5] text" on talk */
void print_progress(struct call *c, const struct reply *r);

/* The line that the next host runs, after a sentence about it on talk. */
void print_join_line(struct call *c, const struct reply *r);

/* Alias, or the first characters of the key. */
const char *member_name(struct call *c, const struct member_info *m);

/* "reachable", "suspect 3 s", "unreachable 4 min", "this host", or the standing. */
struct cell member_state(struct call *c, const struct member_info *m, int64_t now_ms);

/* The member is of the group, or about to be. */
bool member_is_current(const struct member_info *m);

#endif
