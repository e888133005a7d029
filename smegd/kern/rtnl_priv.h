/*
 * Links, addresses and routes by rtnetlink; the same for every backend.
 */
#ifndef SMEG_SMEGD_KERN_RTNL_PRIV_H
#define SMEG_SMEGD_KERN_RTNL_PRIV_H

#include "base/mem.h"
#include "smegd/core/model.h"
#include "smegd/kern/kern.h"
#include "smegd/kern/nl_priv.h"

#define LINK_KIND_BYTES 16

/* What one RTM_*LINK message says. */
struct rtnl_link {
	uint32_t index;
	uint32_t flags;  /* IFF_* */
	uint32_t change; /* which of them have changed; only in news */
	uint32_t mtu;
	char name[DEVICE_NAME_BYTES];
	char kind[LINK_KIND_BYTES]; /* "wireguard", "tun", ...; "" for hardware */
};

/* One RTM_*ADDR message. */
struct rtnl_address {
	uint32_t index;
	uint32_t flags; /* IFA_F_* */
	uint8_t scope;
	struct address address;
};

/* One RTM_*ROUTE message. */
struct rtnl_route {
	uint32_t index; /* 0: none, or several */
	uint32_t table;
	uint8_t protocol;
	uint8_t type;
	struct route route; /* metric 0 stands for the default */
};

/*
 * Bytes of one message (its length has been checked against the datagram) into a struct.  Takes any
 * payload.  ERR_MALFORMED; -EAFNOSUPPORT for a family other than IPv4 and IPv6.
 */
int rtnl_parse_link(const struct nlmsghdr *m, struct rtnl_link *ret) MUST_CHECK;
int rtnl_parse_address(const struct nlmsghdr *m, struct rtnl_address *ret) MUST_CHECK;
int rtnl_parse_route(const struct nlmsghdr *m, struct rtnl_route *ret) MUST_CHECK;

/* May others reach this host at such an address, on such a link? */
bool rtnl_link_is_usable(const struct rtnl_link *l, const char *device_prefix);
bool rtnl_address_is_usable(const struct rtnl_address *a);

/*
 * The request that carries out `op` (of link, address or route) on link `index`, into `buffer`, a
 * struct nl_small.  For OP_LINK_ADD see below.
 */
struct nlmsghdr *rtnl_request(void *buffer, const struct op *op, uint32_t index);

/* -ENODEV if there is no such link. */
int rtnl_link_get(struct nl *nl, const char *name, struct rtnl_link *ret) MUST_CHECK;

/* A new link of a kind.  -EEXIST. */
int rtnl_link_add(struct nl *nl, const char *name, const char *kind) MUST_CHECK;

/* Keep the kernel from giving a link IPv6 addresses of its own choice. */
int rtnl_link_plain(struct nl *nl, uint32_t index) MUST_CHECK;
int rtnl_link_del(struct nl *nl, uint32_t index) MUST_CHECK;

/* One operation on a link that is there; adding what is there and deleting what is not is fine. */
int rtnl_apply(struct nl *nl, const struct op *op, uint32_t index) MUST_CHECK;

/* Fill in up, mtu, addresses and routes of ret_device from link `l`. */
int rtnl_read(struct nl *nl, const struct rtnl_link *l, struct arena *arena, struct device *ret)
	MUST_CHECK;

/* As addresses() in kern.h. */
int rtnl_addresses(struct nl *nl,
                   const char *device_prefix,
                   struct arena *arena,
                   struct own_address **ret,
                   size_t *count) MUST_CHECK;

/* 0 if we may change links, -EPERM if not.  Changes nothing. */
int rtnl_permitted(struct nl *nl) MUST_CHECK;

#endif
