/*
 * WireGuard of the kernel: its messages.
 */
#ifndef SMEG_SMEGD_KERN_WG_PRIV_H
#define SMEG_SMEGD_KERN_WG_PRIV_H

#include "smegd/kern/collect_priv.h"
#include "smegd/kern/nl_priv.h"

#define WG_SET_BYTES_MIN 512u /* a message holds at least one peer with its settings */

/*
 * One message of a WG_CMD_GET_DEVICE dump, any payload: device settings into *device, peers into
 * *collect, where one that continues from the last message is joined.  ERR_MALFORMED, -ENOMEM.
 */
int wg_parse(const struct nlmsghdr *m, struct device *device, struct collect *collect) MUST_CHECK;

/* The id of a generic netlink family, from its CTRL_CMD_NEWFAMILY message; ERR_MALFORMED. */
int wg_parse_family(const struct nlmsghdr *m, uint16_t *ret_family) MUST_CHECK;

/* Operations of device and peers on their way into messages. */
struct wg_set {
	uint16_t family;
	const char *name; /* of the device */
	const struct op *ops;
	size_t count;
	size_t next;         /* the operation that is under way */
	bool is_continued;   /* its settings went with an earlier message */
	size_t allowed_done; /* of its allowed IPs, so many went with earlier messages */
};

/*
 * The next WG_CMD_SET_DEVICE message, in `buffer` of `cap` >= WG_SET_BYTES_MIN bytes, aligned for a
 * netlink header; NULL when all is said.
 */
struct nlmsghdr *wg_set_next(struct wg_set *s, void *buffer, size_t cap);

#endif
