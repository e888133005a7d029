/*
 * The key table and what goes with it.
 *
 *	conf.c        YAML events -> keys and values, and where they stand
 *	conf_table.c  the keys, and what became of the prototype's
 *	conf_value.c  one value: from text, to text
 *	conf_print.c  all of them: --print-config, comparison
 */
#ifndef SMEG_SMEGD_CONF_PRIV_H
#define SMEG_SMEGD_CONF_PRIV_H

#include "smegd/conf.h"

enum conf_type {
	CONF_NUMBER,   /* uint32_t in [min, max] */
	CONF_DURATION, /* uint32_t seconds in [min, max]; as 10, 10s, 5m or 1h */
	CONF_CHOICE,   /* uint32_t: index into choices */
	CONF_PATH,     /* char[], absolute, shorter than max */
	CONF_LABEL,    /* char[], a DNS label or "" */
	CONF_PREFIX,   /* char[], beginning of device names, at most max */
	CONF_USER,     /* char[], a user's or group's name or "" */
	CONF_ADDRESS,  /* struct addr and the flag before it; "" is none */
	CONF_PLACES,   /* struct conf_places */
	CONF_USERS,    /* struct conf_users */
};

struct conf_key {
	const char *name;
	enum conf_type type;
	size_t at; /* offset in struct conf */
	uint32_t min;
	uint32_t max;
	bool or_zero; /* 0 is allowed as well */
	const char *unit;
	const char *const *choices; /* ends with NULL */
	const char *standard;       /* as text; lists: empty */
	bool is_live;               /* SIGHUP applies it */
	const char *help;
};

extern const struct conf_key conf_keys[];
extern const size_t conf_keys_count;

/* A key that the prototype had, and what to do instead. */
struct conf_old {
	const char *name;
	const char *instead;
};

extern const struct conf_old conf_olds[];
extern const size_t conf_olds_count;

static inline bool conf_is_list(const struct conf_key *k)
{
	return k->type == CONF_PLACES || k->type == CONF_USERS;
}

/* NULL: there is none. */
const struct conf_key *conf_find(const char *name);

/*
 * Set a scalar, or add to a list.  The words of an error do not say where.  ERR_CONFIG.
 */
int conf_value_set(struct conf *c, const struct conf_key *k, const char *text, struct diag *diag)
	MUST_CHECK;

/* As it would stand in a file. */
void conf_value_text(const struct conf *c,
                     const struct conf_key *k,
                     char out[CONF_VALUE_TEXT_BYTES]);

/* "1..65535", "0 or 1280..9000 bytes", "auto, kernel, userspace or none", … */
void conf_range_text(const struct conf_key *k, char *out, size_t cap);

#endif
