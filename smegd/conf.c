/*
 * The configuration file: YAML events to keys and values.
 *
 * libyaml turns bytes into events, each with its place; we take one mapping of scalars and lists of
 * scalars, and whatever else YAML can say is an error where it stands.  Nothing is built in
 * between, so no depth and no alias can cost memory.  A tree of nodes (libyaml's documents,
 * libcyaml) was rejected: it loses places, or ranges, or reads "12abc" as 12.
 *
 * An unknown key is an error: a misspelt setting that is silently at its default costs an evening.
 * If the prototype had it, the error says what replaced it; else it guesses what was meant.
 */
#include "smegd/conf.h"

#include "base/text.h"
#include "smegd/conf_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

/* Further than this, a guess is no help. */
#define GUESS_DISTANCE_MAX 3
#define KEYS_MAX 64

/* One file under way. */
struct reading {
	struct conf *conf;
	const char *name;
	struct bytes src;
	struct diag *diag;
	yaml_parser_t parser;
	yaml_event_t event; /* the present one; its kind is YAML_NO_EVENT after it was deleted */
	yaml_mark_t seen[KEYS_MAX]; /* where each key stood, by its index in conf_keys */
	bool is_seen[KEYS_MAX];
};

static int fail_at(struct reading *r, const yaml_mark_t *at, const char *format, ...)
	PRINTF_LIKE(3, 4);

static int fail_at(struct reading *r, const yaml_mark_t *at, const char *format, ...)
{
	char text[sizeof(r->diag->text)];
	char clean[sizeof(r->diag->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_printable(text, strlen(text), clean, sizeof(clean));
	return diag_set(r->diag, ERR_CONFIG, "%s:%zu:%zu: %s", r->name, at->line + 1,
	                at->column + 1, clean);
}

static int fail_here(struct reading *r, const char *format, ...) PRINTF_LIKE(2, 3);

/* At the present event. */
static int fail_here(struct reading *r, const char *format, ...)
{
	char text[sizeof(r->diag->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return fail_at(r, &r->event.start_mark, "%s", text);
}

/* --- events --------------------------------------------------------------------------------- */

/* The reader's errors have an offset instead of a mark. */
static yaml_mark_t mark_of(const struct reading *r, size_t offset)
{
	yaml_mark_t m = { 0 };

	for (size_t i = 0; i < MIN_OF(offset, r->src.count); i++) {
		if (r->src.at[i] == '\n') {
			m.line++;
			m.column = 0;
		} else if ((r->src.at[i] & 0xc0) != 0x80) {
			m.column++;
		}
	}
	return m;
}

static int fail_yaml(struct reading *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "not YAML";
	yaml_mark_t m;

	switch (p->error) {
	case YAML_MEMORY_ERROR:
		return -ENOMEM;
	case YAML_READER_ERROR:
		m = mark_of(r, p->problem_offset);
		return fail_at(r, &m, "%s", problem);
	default:
		return fail_at(r, &p->problem_mark, "%s%s%s", problem, p->context ? " " : "",
		               p->context ? p->context : "");
	}
}

static bool has_extras(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return true;
	case YAML_SCALAR_EVENT:
		return e->data.scalar.anchor || e->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return e->data.sequence_start.anchor || e->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return e->data.mapping_start.anchor || e->data.mapping_start.tag;
	default:
		return false;
	}
}

static void event_drop(struct reading *r)
{
	yaml_event_delete(&r->event);
	r->event.type = YAML_NO_EVENT;
}

/* On to the next event. */
static int next(struct reading *r)
{
	event_drop(r);
	if (!yaml_parser_parse(&r->parser, &r->event)) {
		r->event.type = YAML_NO_EVENT;
		return fail_yaml(r);
	}
	if (has_extras(&r->event))
		return fail_here(r, "anchors, aliases and tags are not used here");
	return 0;
}

/* The scalar's text, if it is one that a C string can hold. */
static const char *scalar_text(const struct reading *r)
{
	const char *text = (const char *)r->event.data.scalar.value;

	assert(r->event.type == YAML_SCALAR_EVENT);
	return strlen(text) == r->event.data.scalar.length ? text : NULL;
}

/* `key:`, `key: ~`, `key: null` */
static bool is_null(const struct reading *r)
{
	const char *text = (const char *)r->event.data.scalar.value;

	return r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!text[0] || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

/* --- keys ----------------------------------------------------------------------------------- */

/* Capitals count for nothing in a guess. */
static unsigned distance(const char *a, const char *b)
{
	char low[2][33] = { "", "" };
	const char *from[2] = { a, b };

	for (size_t i = 0; i < 2; i++) {
		if (strlen(from[i]) >= sizeof(low[i]))
			return UINT32_MAX;
		for (size_t j = 0; from[i][j]; j++) {
			char c = from[i][j];

			low[i][j] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
		}
	}
	return text_distance(low[0], low[1]);
}

static const char *guess(const char *typed)
{
	unsigned best = GUESS_DISTANCE_MAX + 1;
	const char *name = NULL;

	for (size_t i = 0; i < conf_keys_count; i++) {
		unsigned d = distance(typed, conf_keys[i].name);

		/* A short key can be reached from anywhere. */
		if (d < best && d * 2 < strlen(conf_keys[i].name)) {
			best = d;
			name = conf_keys[i].name;
		}
	}
	return name;
}

static int fail_unknown(struct reading *r, const char *typed)
{
	const char *name = guess(typed);

	for (size_t i = 0; i < conf_olds_count; i++) {
		if (strcmp(conf_olds[i].name, typed) == 0) {
			fail_here(r, "%s is no longer a key", typed);
			diag_hint(r->diag, "%s", conf_olds[i].instead);
			return ERR_CONFIG;
		}
	}
	fail_here(r, "there is no key \"%.64s\"", typed);
	if (name)
		diag_hint(r->diag, "did you mean: %s", name);
	else
		diag_hint(r->diag, "all keys: smegd --print-config");
	return ERR_CONFIG;
}

static int read_key(struct reading *r, const struct conf_key **ret)
{
	const struct conf_key *k;
	const char *text;
	size_t index;

	if (r->event.type != YAML_SCALAR_EVENT)
		return fail_here(r, "a key must be a plain word");
	text = scalar_text(r);
	if (!text)
		return fail_here(r, "a key must be a plain word");
	k = conf_find(text);
	if (!k)
		return fail_unknown(r, text);
	index = (size_t)(k - conf_keys);
	assert(index < ARRAY_LEN(r->seen));
	if (r->is_seen[index])
		return fail_here(r, "%s is set a second time; it stands in line %zu already", text,
		                 r->seen[index].line + 1);
	r->is_seen[index] = true;
	r->seen[index] = r->event.start_mark;
	*ret = k;
	return 0;
}

/* --- values --------------------------------------------------------------------------------- */

/* The present event is a scalar: the value, or an element of it. */
static int read_scalar(struct reading *r, const struct conf_key *k)
{
	const char *text = scalar_text(r);
	struct diag diag = { "", "" };
	char range[160];

	conf_range_text(k, range, sizeof(range));
	if (is_null(r)) {
		fail_here(r, "%s has no value; it must be %s", k->name, range);
		diag_hint(r->diag, "for its default, remove the line");
		return ERR_CONFIG;
	}
	if (!text)
		return fail_here(r, "%s contains a zero byte", k->name);
	if (conf_value_set(r->conf, k, text, &diag))
		return fail_here(r, "%s", diag.text);
	return 0;
}

static int read_list(struct reading *r, const struct conf_key *k)
{
	if (r->event.type != YAML_SEQUENCE_START_EVENT) {
		fail_here(r, "%s takes a list", k->name);
		diag_hint(r->diag, "write %s: [ONE, OTHER]", k->name);
		return ERR_CONFIG;
	}
	for (;;) {
		int err = next(r);

		if (err || r->event.type == YAML_SEQUENCE_END_EVENT)
			return err;
		if (r->event.type != YAML_SCALAR_EVENT)
			return fail_here(r, "an element of %s must be a plain word", k->name);
		err = read_scalar(r, k);
		if (err)
			return err;
	}
}

static int read_value(struct reading *r, const struct conf_key *k)
{
	if (conf_is_list(k))
		return read_list(r, k);
	if (r->event.type != YAML_SCALAR_EVENT)
		return fail_here(r, "%s takes one value, not a list or a mapping", k->name);
	return read_scalar(r, k);
}

/* --- the document --------------------------------------------------------------------------- */

static int read_mapping(struct reading *r)
{
	const struct conf_key *k = NULL;

	for (;;) {
		int err = next(r);

		if (err || r->event.type == YAML_MAPPING_END_EVENT)
			return err;
		err = read_key(r, &k);
		if (!err)
			err = next(r);
		if (!err)
			err = read_value(r, k);
		if (err)
			return err;
	}
}

/* After a document's start: its one mapping, or nothing. */
static int read_document(struct reading *r)
{
	int err = next(r);

	if (err)
		return err;
	if (r->event.type == YAML_MAPPING_START_EVENT)
		err = read_mapping(r);
	else if (r->event.type != YAML_SCALAR_EVENT || !is_null(r))
		err = fail_here(r, "expected lines of the form KEY: VALUE");
	return err ? err : next(r);
}

static int read_stream(struct reading *r)
{
	int err = next(r);

	if (!err)
		err = next(r);
	if (err || r->event.type == YAML_STREAM_END_EVENT)
		return err;
	err = read_document(r);
	if (!err)
		err = next(r);
	if (!err && r->event.type != YAML_STREAM_END_EVENT)
		err = fail_here(r, "a second document; one file has one");
	return err;
}

int conf_parse(struct conf *ret, const char *name, struct bytes src, struct diag *diag)
{
	struct reading r = { .conf = ret, .name = name, .src = src, .diag = diag };
	int err;

	assert(conf_keys_count <= ARRAY_LEN(r.seen));
	conf_defaults(ret);
	if (src.count > CONF_FILE_BYTES)
		return diag_set(diag, ERR_CONFIG, "%s: longer than %u bytes", name,
		                CONF_FILE_BYTES);
	if (!yaml_parser_initialize(&r.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, src.count ? src.at : (const uint8_t *)"",
	                             src.count);
	err = read_stream(&r);
	event_drop(&r);
	yaml_parser_delete(&r.parser);
	return err;
}

static int fail_file(const char *path, int err, struct diag *diag)
{
	diag_set(diag, ERR_CONFIG, "cannot read %s: %s", path, err_text(err));
	if (err == -ENOENT)
		diag_hint(diag, "to start from all defaults: smegd --print-config >%s", path);
	return ERR_CONFIG;
}

int conf_read(struct conf *ret, const char *path, struct diag *diag)
{
	uint8_t buffer[CONF_FILE_BYTES + 1];
	size_t count = 0;
	ssize_t n = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail_file(path, -errno, diag);
	while (count < sizeof(buffer) && n > 0) {
		n = read(fd, buffer + count, sizeof(buffer) - count);
		if (n > 0)
			count += (size_t)n;
	}
	if (n < 0) {
		int err = -errno;

		close(fd);
		return fail_file(path, err, diag);
	}
	close(fd);
	return conf_parse(ret, path, (struct bytes){ .at = buffer, .count = count }, diag);
}
