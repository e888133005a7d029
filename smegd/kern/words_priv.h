/*
 * Words for people about what the kernel refused.
 */
#ifndef SMEG_SMEGD_KERN_WORDS_PRIV_H
#define SMEG_SMEGD_KERN_WORDS_PRIV_H

#include "base/err.h"
#include "smegd/core/model.h"

/*
 * Say in `diag` (may be NULL; words that are there stay) that `op` on device `name` failed with
 * `err`, and what helps.  Returns the error, a port in use as ERR_PORT_IN_USE.
 */
int words_for_op(struct diag *diag, const struct op *op, const char *name, int err);

/* The same for the permission to change anything at all.  Returns -EPERM. */
int words_for_permission(struct diag *diag);

#endif
