/*
 * Output for programs.  Fields are only ever added; smegctl(1) lists them.
 */
#ifndef SMEG_SMEGCTL_JSON_H
#define SMEG_SMEGCTL_JSON_H

#include "smegctl/cmd.h"

#include <jansson.h>

/* Takes `root`, which may be NULL (out of memory).  Prints it with a line end.  0 or -ENOMEM. */
int json_print(struct call *c, json_t *root);

/* {"error": {"code", "message", "hint"}} from c->diag */
void json_error(struct call *c, int err);

/* An array of texts.  NULL: out of memory. */
json_t *json_texts(const char *const *list, size_t count) MUST_CHECK;

/* A mesh without its members: what this host knows of it.  NULL: out of memory. */
json_t *json_mesh(const struct mesh_info *m) MUST_CHECK;

/*
 * {"mesh": id, "members": [...], "local": {...}}: the replicated state, members in key order.  All
 * that depends on the host that is asked is in objects called "local".
 */
json_t *json_members(const struct mesh_info *m) MUST_CHECK;

/* {VERB: {"key", "name", "administrator"}, "unchanged", ...}: expel, appoint, revoke. */
json_t *json_office(const char *verb, const struct reply *r) MUST_CHECK;

/* create, join, set: {"mesh": {...}}, and the token if there is one. */
json_t *json_result(const struct reply *r) MUST_CHECK;

#endif
