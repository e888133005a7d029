/*
 * News of links, addresses and routes.
 */
#ifndef SMEG_SMEGD_KERN_WATCH_PRIV_H
#define SMEG_SMEGD_KERN_WATCH_PRIV_H

#include "smegd/core/model.h"
#include "smegd/kern/kern.h"

#include <linux/netlink.h>

#define WATCH_BUFFER_BYTES 32768u

/* A device that was read or applied here; `index` is what is known of it, 0: nothing. */
struct watched {
	char name[DEVICE_NAME_BYTES];
	uint32_t index;
};

struct mnl_socket;

struct watch {
	struct mnl_socket *sock;
	void *buffer;
	const char *device_prefix; /* borrowed */
	struct watched *devices;
	size_t count;
	size_t cap;
};

/* `device_prefix` is kept. */
int watch_open(struct watch *w, const char *device_prefix) MUST_CHECK;
void watch_fini(struct watch *w);
int watch_fd(const struct watch *w);

/* From now on, tell of this device.  `index` 0: leave what is known. */
int watch_add(struct watch *w, const char *name, uint32_t index) MUST_CHECK;

/* As watch_read() in kern.h. */
int watch_drain(struct watch *w, struct kern_news *ret) MUST_CHECK;

/* One datagram of news, any bytes: adds to *news.  What cannot be read counts as all news. */
void watch_parse(struct watch *w, const void *datagram, size_t bytes, struct kern_news *news);

#endif
