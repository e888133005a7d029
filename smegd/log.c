/*
 * The log.
 *
 * A line is built on the caller's stack and leaves in one write(), so lines of several processes do
 * not mix.  Every text is taken for hostile: control and non-ASCII bytes become '?', and what could
 * be read as two fields is quoted; so nobody's alias can forge a line or drive a terminal.
 *
 * Rate: a bucket per event kind, by the address of its constant name.  Errors are never held back,
 * for few are made and each needs somebody; debug lines neither, for somebody asked for all.  The
 * line after a gap says how many are missing.
 *
 * The sink is the only mutable global of the daemon.  Rejected: handing a log to every function
 * that might have a word to say; it makes calls longer and there is one standard error anyway.
 */
#include "smegd/log.h"

#include "base/err.h"
#include "base/key.h"
#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUCKETS_MAX 64

struct bucket {
	const char *event;
	int64_t tokens; /* thousandths of a line */
	int64_t at_ms;
	uint64_t left_out;
};

static struct {
	struct log_options options;
	int64_t now_ms;
	struct bucket buckets[BUCKETS_MAX];
	size_t buckets_count;
} sink = { .options = { .fd = STDERR_FILENO, .level = LOG_INFO } };

void log_setup(const struct log_options *options)
{
	assert(options->level < LOG__COUNT);
	memset(&sink, 0, sizeof(sink));
	sink.options = *options;
}

void log_set_level(enum log_level level)
{
	assert(level < LOG__COUNT);
	sink.options.level = level;
}

enum log_level log_get_level(void)
{
	return sink.options.level;
}

void log_set_clock(int64_t mono_ms)
{
	sink.now_ms = mono_ms;
}

bool log_is_journal(const char *journal_stream, int fd)
{
	char want[64];
	struct stat st;

	if (!journal_stream || fstat(fd, &st))
		return false;
	snprintf(want, sizeof(want), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(journal_stream, want) == 0;
}

/* --- rate ----------------------------------------------------------------------------------- */

static struct bucket *bucket_of(const char *event)
{
	struct bucket *b = sink.buckets;

	for (; b < sink.buckets + sink.buckets_count; b++)
		if (b->event == event || strcmp(b->event, event) == 0)
			return b;
	/* More kinds than buckets: the rest share the last. */
	if (sink.buckets_count == BUCKETS_MAX)
		return &sink.buckets[BUCKETS_MAX - 1];
	sink.buckets_count++;
	*b = (struct bucket){
		.event = event,
		.tokens = LOG_BURST * 1000,
		.at_ms = sink.now_ms,
	};
	return b;
}

/* May a line of this kind leave now?  ret: lines left out since the last that did. */
static bool rate_take(const char *event, uint64_t *ret_left_out)
{
	struct bucket *b = bucket_of(event);
	int64_t passed = MIN_OF(sink.now_ms - b->at_ms, LOG_BURST * 1000);

	b->tokens = MIN_OF(b->tokens + MAX_OF(passed, 0) * LOG_PER_SECOND, LOG_BURST * 1000);
	b->at_ms = sink.now_ms;
	if (b->tokens < 1000) {
		b->left_out++;
		return false;
	}
	b->tokens -= 1000;
	*ret_left_out = b->left_out;
	b->left_out = 0;
	return true;
}

/* --- lines ---------------------------------------------------------------------------------- */

static void put(struct log_line *l, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room is kept for the line's end. */
static void put(struct log_line *l, const char *format, ...)
{
	size_t cap = sizeof(l->text) - sizeof("...\n") - l->count;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->text + l->count, cap, format, args);
	va_end(args);
	assert(n >= 0);
	if ((size_t)n < cap) {
		l->count += (size_t)n;
		return;
	}
	l->count += cap - 1;
	memcpy(l->text + l->count, "...", 3);
	l->count += 3;
	/* Full: what follows falls away whole. */
	l->is_wanted = false;
}

static void put_priority(struct log_line *l)
{
	static const int priorities[LOG__COUNT] = {
		[LOG_ERROR] = 3,
		[LOG_WARNING] = 4,
		[LOG_INFO] = 6,
		[LOG_DEBUG] = 7,
	};

	if (sink.options.has_priority)
		put(l, "<%d>", priorities[l->level]);
}

void log_begin(struct log_line *l,
               enum log_level level,
               const char *event,
               const char *mesh,
               const struct key *member)
{
	uint64_t left_out = 0;
	char name[9];

	assert(level < LOG__COUNT);
	l->level = level;
	l->event = event;
	l->count = 0;
	l->is_wanted = level <= sink.options.level;
	if (l->is_wanted && (level == LOG_WARNING || level == LOG_INFO))
		l->is_wanted = rate_take(event, &left_out);
	if (!l->is_wanted)
		return;
	put_priority(l);
	if (mesh && mesh[0])
		put(l, "mesh=%s ", mesh);
	if (member && !key_is_zero(member)) {
		key_short_text(member, name);
		put(l, "member=%s ", name);
	}
	put(l, "event=%s", event);
	if (left_out)
		log_number(l, "left-out", (int64_t)left_out);
}

static bool needs_quotes(const char *text)
{
	return !text[0] || strpbrk(text, " \"=\\");
}

void log_text(struct log_line *l, const char *name, const char *text)
{
	char clean[LOG_TEXT_BYTES];
	char quoted[2 * LOG_TEXT_BYTES + 3];
	size_t n = 0;

	if (!l->is_wanted)
		return;
	text_printable(text, strlen(text), clean, sizeof(clean));
	if (!needs_quotes(clean)) {
		put(l, " %s=%s", name, clean);
		return;
	}
	quoted[n++] = '"';
	for (const char *c = clean; *c; c++) {
		if (*c == '"' || *c == '\\')
			quoted[n++] = '\\';
		quoted[n++] = *c;
	}
	quoted[n++] = '"';
	quoted[n] = 0;
	put(l, " %s=%s", name, quoted);
}

void log_number(struct log_line *l, const char *name, int64_t number)
{
	if (l->is_wanted)
		put(l, " %s=%lld", name, (long long)number);
}

void log_error(struct log_line *l, int err)
{
	const char *code = err_code(err);

	if (err)
		log_text(l, "error", strcmp(code, "system") == 0 ? err_text(err) : code);
}

void log_end(struct log_line *l)
{
	/* A line that got too long has lost is_wanted, but not its text. */
	if (!l->count)
		return;
	l->text[l->count++] = '\n';
	/* Nobody is left to be told that the log is gone. */
	if (write(sink.options.fd, l->text, l->count) < 0)
		return;
}

void log_say(enum log_level level, const char *event, const char *format, ...)
{
	struct log_line l;
	char text[LOG_TEXT_BYTES];
	va_list args;

	log_begin(&l, level, event, NULL, NULL);
	if (!l.is_wanted)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_text(&l, "text", text);
	log_end(&l);
}
