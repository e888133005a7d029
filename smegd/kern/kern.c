/*
 * Which WireGuard: the kernel's, a userspace one, or none.
 *
 * The kernel's is preferred where it is there, since it is faster by an order of magnitude.  That a
 * permission is missing does not make us try the next: wireguard-go needs the same one, and "no
 * WireGuard is available" would be a lie that sends people to install packages.
 */
#include "smegd/kern/kern.h"

#include "smegd/kern/common_priv.h"
#include "smegd/kern/words_priv.h"

#include <assert.h>
#include <errno.h>

static int permission_check(struct diag *diag)
{
	struct nl nl;
	int err = nl_open(&nl, NETLINK_ROUTE);

	if (err)
		return diag_set(diag, err, "cannot open a netlink socket: %s", err_text(err));
	err = rtnl_permitted(&nl);
	nl_fini(&nl);
	return err ? words_for_permission(diag) : 0;
}

static int no_wireguard(enum backend wanted, int kernel_err, int user_err, struct diag *diag)
{
	bool has_program = user_err == -ENODEV;
	const char *what = "neither the kernel nor the program wireguard-go";

	if (wanted == BACKEND_KERNEL)
		what = "not in this kernel";
	else if (has_program)
		what = wanted == BACKEND_USERSPACE ? "wireguard-go needs /dev/net/tun"
		                                   : "not in this kernel, and wireguard-go needs "
		                                     "/dev/net/tun";
	else if (wanted == BACKEND_USERSPACE)
		what = "there is no program wireguard-go";
	diag_set(diag, ERR_NO_WIREGUARD, "%s: %s (%s)", err_text(ERR_NO_WIREGUARD), what,
	         err_text(wanted == BACKEND_USERSPACE ? user_err : kernel_err));
	if (wanted == BACKEND_KERNEL)
		diag_hint(diag, "modprobe wireguard, or use the userspace backend");
	else
		diag_hint(diag, has_program ? "modprobe tun" : "apt install wireguard-go");
	return ERR_NO_WIREGUARD;
}

/* Settle AUTO, and find out whether what is wanted can work. */
static int choose(const struct kern_options *options, enum backend *ret, struct diag *diag)
{
	enum backend wanted = options->backend;
	int kernel_err = -EOPNOTSUPP;
	int user_err = -EOPNOTSUPP;

	if (wanted != BACKEND_USERSPACE)
		kernel_err = wg_available();
	if (kernel_err && wanted != BACKEND_KERNEL)
		user_err = uapi_available(options);
	if (kernel_err == -EPERM || (kernel_err && user_err == -EPERM))
		return words_for_permission(diag);
	if (kernel_err && user_err)
		return no_wireguard(wanted, kernel_err, user_err, diag);
	*ret = kernel_err ? BACKEND_USERSPACE : BACKEND_KERNEL;
	return permission_check(diag);
}

int kern_open(const struct kern_options *options, struct kern **ret, struct diag *diag)
{
	enum backend backend = options->backend;
	int err = 0;

	assert(options->device_prefix && options->device_prefix[0]);
	if (backend != BACKEND_NONE)
		err = choose(options, &backend, diag);
	if (err)
		return err;
	if (backend == BACKEND_NONE)
		err = none_open(options, ret);
	else if (backend == BACKEND_KERNEL)
		err = wg_open(options, ret);
	else
		err = uapi_open(options, ret);
	if (err)
		diag_set(diag, err, "cannot open the WireGuard backend: %s", err_text(err));
	return err;
}
