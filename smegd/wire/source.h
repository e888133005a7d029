/*
 * What one source address may cost us: half-open links, and handshakes that need public-key work.
 *
 * A source is an IPv4 address or the /64 of an IPv6 address.
 */
#ifndef SMEG_SMEGD_WIRE_SOURCE_H
#define SMEG_SMEGD_WIRE_SOURCE_H

#include "base/addr.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#define SOURCE_BURST 256u     /* handshakes at once */
#define SOURCE_PER_SECOND 64u /* and then */

struct source {
	struct map_node node;
	struct list used; /* in sources.idle while nothing is half-open */
	struct addr addr;
	size_t half_open;
	int64_t tokens_milli; /* thousandths of a handshake */
	int64_t filled_ms;    /* monotonic: when tokens_milli was right */
};

struct sources {
	const struct mem *mem;
	struct map map;
	struct list idle; /* least recently used first; may be forgotten */
};

void sources_init(struct sources *s, const struct mem *m);
void sources_fini(struct sources *s);

/*
 * The source of `addr`, made if need be; the least recently used idle one makes room.
 * Returns 0 or -ENOMEM.  *ret_source is NULL when LIMIT_SOURCES are busy.  It is valid until the
 * next call, or as long as it has something half-open.
 */
int source_get(struct sources *s,
               const struct addr *addr,
               struct instant now,
               struct source **ret_source) MUST_CHECK;

void source_hold(struct source *src);                       /* one more half-open link */
void source_release(struct sources *s, struct source *src); /* one less */

/* May one more handshake be computed?  Takes a token if so. */
bool source_spend(struct source *src, struct instant now);

#endif
