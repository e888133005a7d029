/*
 * Who may do what over the control socket, by the kernel's word on who is at its other end.
 */
#ifndef SMEG_SMEGD_ACCESS_H
#define SMEG_SMEGD_ACCESS_H

#include "base/err.h"
#include "smegd/conf.h"

struct access {
	uint32_t own_uid;
	bool has_group;
	uint32_t gid;                    /* of the configured group */
	const char *group;               /* its name; borrowed */
	const struct conf_users *admins; /* borrowed */
};

/*
 * May user `uid`, whose process's group is `gid`, read (or change) things?  Root and our own user
 * may do all; members of the group may read; users in `admins` may read and change.  0, or
 * ERR_NOT_PERMITTED with words on who asks and what would help; `verb` is what was to be done.
 */
int access_read(const struct access *a,
                uint32_t uid,
                uint32_t gid,
                const char *verb,
                struct diag *diag) MUST_CHECK;
int access_change(const struct access *a,
                  uint32_t uid,
                  uint32_t gid,
                  const char *verb,
                  struct diag *diag) MUST_CHECK;

#endif
