/*
 * No WireGuard at all: the control plane runs, and no device is made.
 *
 * The core does not plan for this backend; should it do so, a device that is not there is what it
 * finds, and an operation fails rather than pretend.  The host's own addresses and their news are
 * as real as with any other backend.
 */
#include "smegd/kern/common_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int none_read(struct kern *k, const char *name, struct arena *arena, struct device *ret)
{
	(void)k;
	(void)arena;
	assert(strlen(name) < sizeof(ret->name));
	*ret = (struct device){ .exists = false };
	strcpy(ret->name, name);
	return 0;
}

static int none_apply(struct kern *k,
                      const char *name,
                      const struct plan *plan,
                      size_t *ret_failed,
                      struct diag *diag)
{
	(void)k;
	if (plan->count == 0)
		return 0;
	*ret_failed = 0;
	return diag_set(diag, -EOPNOTSUPP, "%s: WireGuard is switched off (backend none)", name);
}

static void none_free(struct kern *k)
{
	struct common *c;

	if (!k)
		return;
	c = container_of(k, struct common, kern);
	common_fini(c);
	free(c);
}

static const struct kern_vtable none_vtable = {
	.name = "none",
	.read = none_read,
	.apply = none_apply,
	.addresses = common_addresses,
	.watch_fd = common_watch_fd,
	.watch_read = common_watch_read,
	.free = none_free,
};

int none_open(const struct kern_options *options, struct kern **ret)
{
	struct common *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->kern.v = &none_vtable;
	err = common_open(c, options);
	if (err)
		none_free(&c->kern);
	else
		*ret = &c->kern;
	return err;
}
