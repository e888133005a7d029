/*
 * All keys of the configuration at once: defaults, the printed form, comparison.
 *
 * What --print-config prints is a file that reads back to the same values, so it is also the
 * example to start from.
 */
#include "smegd/conf_priv.h"

#include <assert.h>
#include <string.h>

#define HELP_COLUMNS 90

void conf_defaults(struct conf *ret)
{
	struct diag diag;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < conf_keys_count; i++) {
		const struct conf_key *k = &conf_keys[i];

		if (!conf_is_list(k) && conf_value_set(ret, k, k->standard, &diag))
			assert(!"a default that its own key refuses");
	}
}

int conf_set(
	struct conf *c, const char *where, const char *key, const char *text, struct diag *diag)
{
	const struct conf_key *k = conf_find(key);
	struct diag inner;
	int err;

	assert(k && !conf_is_list(k));
	err = conf_value_set(c, k, text, &inner);
	return err ? diag_set(diag, err, "%s: %s", where, inner.text) : 0;
}

/* As a comment, broken at blanks. */
static void print_help(FILE *out, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t word = strcspn(text, " ");

		if (column + word >= HELP_COLUMNS) {
			fputc('\n', out);
			column = 0;
		}
		column += (size_t)fprintf(out, "%s %.*s", column ? "" : "#", (int)word, text);
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void print_key(const struct conf *c, const struct conf_key *k, FILE *out)
{
	char value[CONF_VALUE_TEXT_BYTES];
	char range[160];

	conf_value_text(c, k, value);
	conf_range_text(k, range, sizeof(range));
	print_help(out, k->help);
	fprintf(out, "# Takes %s.  Default: %s.  Change: %s.\n", range,
	        k->standard[0] ? k->standard : "none", k->is_live ? "SIGHUP" : "restart");
	fprintf(out, "%s: %s\n", k->name, value);
}

void conf_print(const struct conf *c, FILE *out)
{
	for (size_t i = 0; i < conf_keys_count; i++) {
		if (i)
			fputc('\n', out);
		print_key(c, &conf_keys[i], out);
	}
}

size_t conf_compare(const struct conf *old,
                    const struct conf *new,
                    struct conf_change *ret,
                    size_t cap)
{
	char a[CONF_VALUE_TEXT_BYTES];
	char b[CONF_VALUE_TEXT_BYTES];
	size_t count = 0;

	for (size_t i = 0; i < conf_keys_count; i++) {
		const struct conf_key *k = &conf_keys[i];

		conf_value_text(old, k, a);
		conf_value_text(new, k, b);
		if (strcmp(a, b) == 0)
			continue;
		if (count < cap)
			ret[count] = (struct conf_change){
				.key = k->name,
				.needs_restart = !k->is_live,
			};
		count++;
	}
	return count;
}
