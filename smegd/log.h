/*
 * The log: one line of key=value fields per event, subject first, on standard error.
 *
 *	mesh=ab12… member=hK3j… event=session-down error=connection-refused
 *
 * Only the files of smegd/ itself log.  A function logs an error or returns it, never both. Secrets
 * never come here: there is no way to log 32 bytes but as the first 8 characters of a public key.
 */
#ifndef SMEG_SMEGD_LOG_H
#define SMEG_SMEGD_LOG_H

#include "base/defs.h"

struct key;

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_INFO,
	LOG_DEBUG,
	LOG__COUNT
};

/* One line is at most this long; what does not fit is cut and ends in "...". */
#define LOG_LINE_BYTES 2048
#define LOG_TEXT_BYTES 512 /* of one field's text */

/* Of one event, lines at once and lines a second.  What is left out is counted in the next line. */
#define LOG_BURST 40
#define LOG_PER_SECOND 5

struct log_options {
	int fd;
	enum log_level level;
	bool has_priority; /* "<6>" and the like before each line, for journald */
};

void log_setup(const struct log_options *options);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* The time by which lines are counted; monotonic. */
void log_set_clock(int64_t mono_ms);

/* Is `fd` the stream that the environment's JOURNAL_STREAM (may be NULL) names? */
bool log_is_journal(const char *journal_stream, int fd);

/* A line under way. */
struct log_line {
	enum log_level level;
	const char *event;
	bool is_wanted;
	size_t count;
	char text[LOG_LINE_BYTES];
};

/*
 * Begin a line.  mesh and member may be NULL or empty (zero); `event` is a constant, for its
 * address is kept.  Then fields, in any number; then log_end().
 */
void log_begin(struct log_line *l,
               enum log_level level,
               const char *event,
               const char *mesh,
               const struct key *member);

/* Any text, also a stranger's: made printable and quoted where need be.  `name` is a constant. */
void log_text(struct log_line *l, const char *name, const char *text);
void log_number(struct log_line *l, const char *name, int64_t number);
void log_error(struct log_line *l, int err); /* nothing if 0 */
void log_end(struct log_line *l);

/* A whole line: event=EVENT text="…" */
void log_say(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
