/*
 * The configuration: one YAML file of keys that one table describes (conf_table.c).
 *
 * Errors are ERR_CONFIG with words that begin "FILE:LINE:COLUMN: " and a hint.
 */
#ifndef SMEG_SMEGD_CONF_H
#define SMEG_SMEGD_CONF_H

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "smegd/log.h"

#include <stdio.h>

#define CONF_FILE_DEFAULT "/etc/smegmesh/configuration.yaml"
#define CONF_FILE_BYTES 65536u
#define CONF_PATH_BYTES 256
#define CONF_RUN_PATH_BYTES 92 /* a Unix socket's path with its file name has 107 at most */
#define CONF_USER_BYTES 33
#define CONF_USERS_MAX 32u
#define CONF_VALUE_TEXT_BYTES 8192 /* of any value, printed */

struct conf_places {
	size_t count;
	struct hostport list[LIMIT_ENDPOINTS]; /* port 0: ours */
};

struct conf_users {
	size_t count;
	char list[CONF_USERS_MAX][CONF_USER_BYTES];
};

/* Texts are terminated; "" means none. */
struct conf {
	uint32_t port;
	bool has_listen;
	struct addr listen; /* if has_listen; else all addresses */
	uint32_t wireguard_port;
	uint32_t backend; /* enum backend of smegd/kern/kern.h */
	char state_directory[CONF_PATH_BYTES];
	char run_directory[CONF_RUN_PATH_BYTES];
	uint32_t log_level; /* enum log_level */
	char device_prefix[8];
	uint32_t mtu;          /* 0: the default of devices */
	uint32_t keep_alive_s; /* of WireGuard; 0: off */
	char alias[LIMIT_NAME_BYTES + 1];
	struct conf_places endpoints;
	char group[CONF_USER_BYTES];
	struct conf_users admins;
	uint32_t heartbeat_interval_s;
	uint32_t pull_interval_s;
	uint32_t timeout_s;
};

/* Every key at its default. */
void conf_defaults(struct conf *ret);

/*
 * Parse a file's bytes over the defaults; `name` is what errors call it.  Bytes are hostile:
 * bounded, no anchors, no aliases, no tags, one document.  ERR_CONFIG, -ENOMEM.
 */
int conf_parse(struct conf *ret, const char *name, struct bytes src, struct diag *diag) MUST_CHECK;

/* Read and parse a file.  ERR_CONFIG also when it cannot be read. */
int conf_read(struct conf *ret, const char *path, struct diag *diag) MUST_CHECK;

/* Set one key from a text as it would stand in the file; `where` begins the error. */
int conf_set(struct conf *c,
             const char *where,
             const char *key,
             const char *text,
             struct diag *diag) MUST_CHECK;

/* All keys with help, range, default and value, as a file that conf_parse() takes. */
void conf_print(const struct conf *c, FILE *out);

/* What became of a key when the file was read again. */
struct conf_change {
	const char *key;
	bool needs_restart;
};

/*
 * The keys in which the two differ, in the order of the table.  Returns how many of them there are;
 * `ret` has room for `cap`.
 */
size_t conf_compare(const struct conf *old,
                    const struct conf *new,
                    struct conf_change *ret,
                    size_t cap);

/* The name of key `index`, or NULL behind the last; for tests of the manual. */
const char *conf_key_name(size_t index);

#endif
