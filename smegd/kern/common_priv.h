/*
 * What the backends share: rtnetlink, news, and the order in which a plan is carried out.
 */
#ifndef SMEG_SMEGD_KERN_COMMON_PRIV_H
#define SMEG_SMEGD_KERN_COMMON_PRIV_H

#include "smegd/kern/kern.h"
#include "smegd/kern/rtnl_priv.h"
#include "smegd/kern/watch_priv.h"

struct common;

/* What differs between kernel and userspace WireGuard. */
struct backend_ops {
	/*
	 * Fill in keys, port and peers of ret_device.  -EOPNOTSUPP when the link is there but
	 * no WireGuard answers for it, -ENODEV when it has just gone.
	 */
	int (*query)(struct common *c, const char *name, struct arena *arena, struct device *ret);

	/* Make a link, or be content with one of ours that is there.  The cause in `diag`. */
	int (*link_add)(struct common *c, const char *name, struct diag *diag);

	/* Remove link `l`; -EOPNOTSUPP if it is not WireGuard. */
	int (*link_del)(struct common *c, const struct rtnl_link *l);

	/* Carry out `count` (> 0) operations of device and peers, in order. */
	int (*configure)(struct common *c, const char *name, const struct op *ops, size_t count);
};

/* First member of each backend. */
struct common {
	struct kern kern;
	const struct backend_ops *ops; /* NULL: no backend */
	struct nl rtnl;
	struct watch watch;
	char device_prefix[DEVICE_NAME_BYTES];
};

int common_open(struct common *c, const struct kern_options *options) MUST_CHECK;
void common_fini(struct common *c);

/* For vtables. */
int common_read(struct kern *k, const char *name, struct arena *arena, struct device *ret);
int common_apply(struct kern *k,
                 const char *name,
                 const struct plan *plan,
                 size_t *ret_failed,
                 struct diag *diag);
int common_addresses(struct kern *k, struct arena *arena, struct own_address **ret, size_t *count);
int common_watch_fd(struct kern *k);
int common_watch_read(struct kern *k, struct kern_news *ret);

/*
 * Backends.  Each is open()ed where it was found to work: wg_available() and uapi_available() say
 * so, with -EPERM where only the permission is missing.
 */
int wg_available(void) MUST_CHECK;
int wg_open(const struct kern_options *options, struct kern **ret) MUST_CHECK;
int uapi_available(const struct kern_options *options) MUST_CHECK;
int uapi_open(const struct kern_options *options, struct kern **ret) MUST_CHECK;
int none_open(const struct kern_options *options, struct kern **ret) MUST_CHECK;

#endif
