/*
 * Values of options: numbers, durations, and the groups that several commands share.
 *
 * All are strict: "24" is no duration and "5x" no number, since a guess that is wrong shows up much
 * later (an invite that has expired).  What only the daemon can judge, such as whether an alias is
 * free, is left to it.
 */
#include "smegctl/cmd.h"

#include "base/addr.h"

#include <inttypes.h>
#include <string.h>

int number_parse(struct call *c, const char *what, const char *text, uint32_t max, uint32_t *ret)
{
	char seen[SHOWN_BYTES];
	uint64_t value = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9' && value <= max; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	if (at == text || *at || value == 0 || value > max)
		return fail_usage(c, "%s is a number from 1 to %" PRIu32 ", not '%s'", what, max,
		                  shown(text, seen));
	*ret = (uint32_t)value;
	return 0;
}

int duration_parse(struct call *c, const char *what, const char *text, int64_t *ret_ms)
{
	static const struct {
		char letter;
		int64_t ms;
	} units[] = { { 's', MS_PER_SECOND },
		      { 'm', MS_PER_MINUTE },
		      { 'h', MS_PER_HOUR },
		      { 'd', MS_PER_DAY } };
	const int64_t ms_max = 3650 * MS_PER_DAY;
	char seen[SHOWN_BYTES];
	size_t digits = strspn(text, "0123456789");
	int64_t value = 0;

	shown(text, seen);
	for (size_t i = 0; i < digits && value <= ms_max; i++)
		value = value * 10 + (text[i] - '0');
	if (digits == 0)
		return fail_usage(c, "%s is a number and a unit (90s, 15m, 24h, 7d), not '%s'",
		                  what, seen);
	if (text[digits] == 0)
		return fail_usage(c, "%s '%s' lacks its unit: %ss, %sm, %sh or %sd", what, seen,
		                  seen, seen, seen, seen);
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (text[digits] != units[i].letter || text[digits + 1])
			continue;
		if (value == 0 || value > ms_max / units[i].ms)
			return fail_usage(c, "%s is from 1s to 3650d, not '%s'", what, seen);
		*ret_ms = value * units[i].ms;
		return 0;
	}
	return fail_usage(c, "%s has one of the units s, m, h and d, not '%s'", what, seen);
}

const char *mesh_word(const struct call *c)
{
	return c->args.words_count > 0 ? c->args.words[0] : "";
}

int fill_settings(struct call *c, struct request *r)
{
	struct args *a = &c->args;
	char seen[SHOWN_BYTES];
	struct hostport place;

	r->has_alias = a->given[OPT_ALIAS];
	r->alias = a->values[OPT_ALIAS];
	r->has_description = a->given[OPT_DESCRIPTION];
	r->description = a->values[OPT_DESCRIPTION];
	r->has_endpoints = a->given[OPT_ENDPOINT] || a->given[OPT_NO_ENDPOINT];
	r->endpoints = a->endpoints;
	r->endpoints_count = a->endpoints_count;
	if (a->given[OPT_ENDPOINT] && a->given[OPT_NO_ENDPOINT])
		return fail_usage(c, "--endpoint and --no-endpoint exclude each other");
	for (size_t i = 0; i < a->endpoints_count; i++) {
		if (hostport_parse(&place, a->endpoints[i]))
			return fail_usage(
				c, "--endpoint takes HOST, HOST:PORT or [IPV6]:PORT, not '%s'",
				shown(a->endpoints[i], seen));
	}
	return 0;
}

int fill_role(struct call *c, struct request *r)
{
	const char *role = c->args.values[OPT_ROLE];
	char seen[SHOWN_BYTES];

	r->role = role ? role : "";
	if (role && strcmp(role, "peer") != 0 && strcmp(role, "client") != 0)
		return fail_usage(c, "--role is peer or client, not '%s'", shown(role, seen));
	return 0;
}
