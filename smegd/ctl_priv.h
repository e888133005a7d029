/*
 *	ctl.c          requests, answers, who waits for what
 *	ctl_command.c  a request as a command of the node
 *	ctl_view.c     the node's views as what clients get
 */
#ifndef SMEG_SMEGD_CTL_PRIV_H
#define SMEG_SMEGD_CTL_PRIV_H

#include "smegd/ctl.h"

/* ERR_USAGE, ERR_BAD_NAME, ERR_BAD_KEY, ERR_MALFORMED (an endpoint), ERR_LIMIT, with words. */
int ctl_command(const struct request *r, struct command *ret, struct diag *diag) MUST_CHECK;

/*
 * A mesh as clients get it, with or without its members.  Texts live in the arena.  `now` turns the
 * times of one clock into the other's.  -ENOMEM.
 */
struct ctl_viewing {
	const struct node *node;
	struct arena *arena;
	struct instant now;
	bool with_members;
};

int ctl_view_mesh(const struct ctl_viewing *v,
                  const struct mesh_view *m,
                  struct mesh_info *ret) MUST_CHECK;

const char *ctl_role_name(enum role role);
const char *ctl_standing_name(enum standing standing);
const char *ctl_reachability_name(enum reachability reachability);

#endif
