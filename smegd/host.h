/*
 * What the daemon takes from the machine it runs on: clocks, entropy, directories, its own
 * protection.
 */
#ifndef SMEG_SMEGD_HOST_H
#define SMEG_SMEGD_HOST_H

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

/* The C library's heap. */
extern const struct mem host_heap;

/* Before the first thread: keep the process small; see host.c. */
void host_heap_setup(void);

/* Give the machine the pages of the heap on which nothing is; some 100 us. */
void host_heap_trim(void);

/* Both clocks, now.  The monotonic one counts while the machine sleeps. */
void host_clock(struct instant *ret);

/* From getrandom(2); waits at boot until there is some. */
int host_entropy(void *out, size_t bytes) MUST_CHECK;

/* No core dumps and no debugger of the same user: memory holds keys.  New files are ours alone. */
void host_harden(void);

/* This host's name without its domain, in lower case, if that is a DNS label; else "". */
void host_label(char *out, size_t cap);

/* The number of a group.  -ENOENT: there is none of this name. */
int host_group(const char *name, uint32_t *ret_gid) MUST_CHECK;

struct host_directory {
	const char *path;
	const char *key; /* of the configuration, for errors */
	uint32_t mode;
	bool has_group;
	uint32_t gid;
};

/*
 * Make a directory (its parent must exist) or bring one that is ours to this mode and group.  An
 * existing one that belongs to another user is refused.  Without the right to set the group it
 * keeps the one it has: *ret_kept_group.
 */
int host_directory(const struct host_directory *d,
                   bool *ret_kept_group,
                   struct diag *diag) MUST_CHECK;

#endif
