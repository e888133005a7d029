/*
 * One value of the configuration: from text, to text.
 *
 * A number is decimal digits and nothing else, without leading zeros: YAML 1.1 reads 010 as eight,
 * and others read 12abc as twelve.  Everything is checked here that can be checked without looking
 * at the machine; whether a user or a directory exists, who uses it finds out.
 *
 * A duration is a number of seconds, as in the prototype's files, or has one of the units s, m and
 * h.  It is printed in the largest unit that fits.
 */
#include "smegd/conf_priv.h"

#include "api/model/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static void *field_of(struct conf *c, const struct conf_key *k)
{
	return (char *)c + k->at;
}

static const void *field_in(const struct conf *c, const struct conf_key *k)
{
	return (const char *)c + k->at;
}

/* In the largest unit that gives a whole number. */
static void duration_text(uint32_t seconds, char out[16])
{
	if (seconds && seconds % 3600 == 0)
		snprintf(out, 16, "%" PRIu32 "h", seconds / 3600);
	else if (seconds && seconds % 60 == 0)
		snprintf(out, 16, "%" PRIu32 "m", seconds / 60);
	else
		snprintf(out, 16, "%" PRIu32 "s", seconds);
}

static void duration_range_text(const struct conf_key *k, char *out, size_t cap)
{
	char min[16];
	char max[16];

	duration_text(k->min, min);
	duration_text(k->max, max);
	snprintf(out, cap, "%s..%s (seconds, or with a unit: s, m, h)", min, max);
}

void conf_range_text(const struct conf_key *k, char *out, size_t cap)
{
	size_t n = 0;

	switch (k->type) {
	case CONF_NUMBER:
		snprintf(out, cap, "%s%" PRIu32 "..%" PRIu32 "%s%s", k->or_zero ? "0 or " : "",
		         k->min, k->max, k->unit ? " " : "", k->unit ? k->unit : "");
		return;
	case CONF_DURATION:
		duration_range_text(k, out, cap);
		return;
	case CONF_CHOICE:
		out[0] = 0;
		for (const char *const *w = k->choices; *w && n < cap; w++)
			n += (size_t)snprintf(out + n, cap - n, "%s%s",
			                      w == k->choices ? "" : (w[1] ? ", " : " or "), *w);
		return;
	case CONF_PATH:
		snprintf(out, cap, "an absolute path of less than %" PRIu32 " bytes", k->max);
		return;
	case CONF_LABEL:
		snprintf(out, cap, "1 to 63 of a-z, 0-9 and hyphen, no hyphen at either end");
		return;
	case CONF_PREFIX:
		snprintf(out, cap, "1 to %" PRIu32 " of a-z and 0-9", k->max);
		return;
	case CONF_USER:
		snprintf(out, cap, "a name of the system, at most %d bytes", CONF_USER_BYTES - 1);
		return;
	case CONF_ADDRESS:
		snprintf(out, cap, "an IPv4 or IPv6 address");
		return;
	case CONF_PLACES:
		snprintf(out, cap, "a list of at most %u HOST or HOST:PORT", LIMIT_ENDPOINTS);
		return;
	case CONF_USERS:
		snprintf(out, cap, "a list of at most %u user names", CONF_USERS_MAX);
		return;
	}
	assert(!"a type of no kind");
}

static int refuse(const struct conf_key *k, const char *text, struct diag *diag)
{
	char range[160];

	conf_range_text(k, range, sizeof(range));
	if (conf_is_list(k))
		return diag_set(diag, ERR_CONFIG, "%s: \"%.100s\" is not valid; it takes %s",
		                k->name, text, range);
	return diag_set(diag, ERR_CONFIG, "%s is \"%.100s\"; it must be %s", k->name, text, range);
}

/* --- from text ------------------------------------------------------------------------------ */

static bool number_parse(const char *text, uint32_t *ret)
{
	uint64_t v = 0;

	if (!text[0] || (text[0] == '0' && text[1]))
		return false;
	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9' || v > UINT32_MAX)
			return false;
		v = v * 10 + (uint64_t)(*c - '0');
	}
	if (v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool set_number(const struct conf_key *k, const char *text, uint32_t *field)
{
	uint32_t v;

	if (!number_parse(text, &v))
		return false;
	if ((v < k->min || v > k->max) && !(k->or_zero && v == 0))
		return false;
	*field = v;
	return true;
}

static bool set_duration(const struct conf_key *k, const char *text, uint32_t *field)
{
	static const struct {
		char letter;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };
	size_t chars = strlen(text);
	uint32_t unit = 1;
	char digits[11];
	uint32_t v;

	for (size_t i = 0; i < ARRAY_LEN(units) && chars; i++) {
		if (text[chars - 1] != units[i].letter)
			continue;
		unit = units[i].seconds;
		chars--;
		break;
	}
	if (chars >= sizeof(digits))
		return false;
	memcpy(digits, text, chars);
	digits[chars] = 0;
	if (!number_parse(digits, &v) || v > k->max / unit || v * unit < k->min)
		return false;
	*field = v * unit;
	return true;
}

static bool set_choice(const struct conf_key *k, const char *text, uint32_t *field)
{
	for (uint32_t i = 0; k->choices[i]; i++) {
		if (strcmp(k->choices[i], text) == 0) {
			*field = i;
			return true;
		}
	}
	return false;
}

/* The whole field is written, so that two equal values are equal bytes. */
static bool set_text(const char *text, size_t cap, char *field)
{
	size_t n = strlen(text);

	if (n >= cap)
		return false;
	memset(field, 0, cap);
	memcpy(field, text, n);
	return true;
}

/*
 * What a path may consist of: UTF-8 without control characters, also those beyond ASCII, which an
 * escape can write and YAML does not read.
 */
static bool is_clean(const char *text)
{
	size_t bytes;

	for (size_t left = strlen(text); left > 0; left -= bytes, text += bytes)
		if (!utf8_is_safe(utf8_next(text, left, &bytes)))
			return false;
	return true;
}

/* As useradd(8) allows, and capitals. */
static bool is_user(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-$";

	return text[0] && text[0] != '-' && strspn(text, allowed) == strlen(text);
}

static bool is_prefix(const char *text)
{
	return text[0] && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(text);
}

static bool set_address(struct conf *c, const char *text)
{
	struct addr a = { { 0 } };

	if (text[0] && (addr_parse(&a, text) || addr_is_zero(&a) || addr_is_multicast(&a)))
		return false;
	c->has_listen = text[0] != 0;
	c->listen = a;
	return true;
}

static bool add_place(struct conf_places *places, const char *text)
{
	struct hostport h;

	memset(&h, 0, sizeof(h));
	if (places->count == ARRAY_LEN(places->list) || hostport_parse(&h, text))
		return false;
	places->list[places->count++] = h;
	return true;
}

static bool add_user(struct conf_users *users, const char *text)
{
	if (users->count == ARRAY_LEN(users->list) || !is_user(text) ||
	    !set_text(text, CONF_USER_BYTES, users->list[users->count]))
		return false;
	users->count++;
	return true;
}

static bool value_set(struct conf *c, const struct conf_key *k, const char *text)
{
	void *field = field_of(c, k);

	switch (k->type) {
	case CONF_NUMBER:
		return set_number(k, text, field);
	case CONF_DURATION:
		return set_duration(k, text, field);
	case CONF_CHOICE:
		return set_choice(k, text, field);
	case CONF_PATH:
		return text[0] == '/' && is_clean(text) && set_text(text, k->max, field);
	case CONF_LABEL:
		return (!text[0] || name_is_label(text)) &&
		       set_text(text, LIMIT_NAME_BYTES + 1, field);
	case CONF_PREFIX:
		return is_prefix(text) && set_text(text, k->max + 1, field);
	case CONF_USER:
		return (!text[0] || is_user(text)) && set_text(text, CONF_USER_BYTES, field);
	case CONF_ADDRESS:
		assert(k->at == offsetof(struct conf, has_listen));
		return set_address(c, text);
	case CONF_PLACES:
		return add_place(field, text);
	case CONF_USERS:
		return add_user(field, text);
	}
	assert(!"a type of no kind");
	return false;
}

int conf_value_set(struct conf *c, const struct conf_key *k, const char *text, struct diag *diag)
{
	return value_set(c, k, text) ? 0 : refuse(k, text, diag);
}

/* --- to text -------------------------------------------------------------------------------- */

struct out {
	char *text;
	size_t count;
};

/* CONF_VALUE_TEXT_BYTES is more than any value takes. */
static void put(struct out *o, const char *text)
{
	size_t n = strlen(text);

	assert(o->count + n < CONF_VALUE_TEXT_BYTES);
	memcpy(o->text + o->count, text, n + 1);
	o->count += n;
}

static void put_quoted(struct out *o, const char *text)
{
	put(o, "\"");
	for (const char *c = text; *c; c++) {
		const char one[] = { *c, 0 };

		if (*c == '"' || *c == '\\')
			put(o, "\\");
		put(o, one);
	}
	put(o, "\"");
}

static void put_places(struct out *o, const struct conf_places *places)
{
	char text[ENDPOINT_TEXT_BYTES];

	put(o, "[");
	for (size_t i = 0; i < places->count; i++) {
		hostport_text(&places->list[i], text);
		put(o, i ? ", " : "");
		put_quoted(o, text);
	}
	put(o, "]");
}

static void put_users(struct out *o, const struct conf_users *users)
{
	put(o, "[");
	for (size_t i = 0; i < users->count; i++) {
		put(o, i ? ", " : "");
		put_quoted(o, users->list[i]);
	}
	put(o, "]");
}

static void put_number(struct out *o, uint32_t number)
{
	char text[16];

	snprintf(text, sizeof(text), "%" PRIu32, number);
	put(o, text);
}

void conf_value_text(const struct conf *c,
                     const struct conf_key *k,
                     char out[CONF_VALUE_TEXT_BYTES])
{
	const void *field = field_in(c, k);
	struct out o = { .text = out };
	char text[ADDR_TEXT_BYTES];

	_Static_assert(sizeof(text) >= 16, "duration_text()");
	out[0] = 0;
	switch (k->type) {
	case CONF_NUMBER:
		put_number(&o, *(const uint32_t *)field);
		break;
	case CONF_DURATION:
		duration_text(*(const uint32_t *)field, text);
		put(&o, text);
		break;
	case CONF_CHOICE:
		put(&o, k->choices[*(const uint32_t *)field]);
		break;
	case CONF_PATH:
	case CONF_LABEL:
	case CONF_PREFIX:
	case CONF_USER:
		put_quoted(&o, field);
		break;
	case CONF_ADDRESS:
		addr_text(&c->listen, text);
		put_quoted(&o, c->has_listen ? text : "");
		break;
	case CONF_PLACES:
		put_places(&o, field);
		break;
	case CONF_USERS:
		put_users(&o, field);
		break;
	}
}
