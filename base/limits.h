/*
 * Every bound in the program.  Checked before any allocation that depends on outside input.
 */
#ifndef SMEG_BASE_LIMITS_H
#define SMEG_BASE_LIMITS_H

#include "base/clock.h"

#define LIMIT_FRAME_BYTES 65536u        /* between daemons, with its 4-byte length */
#define LIMIT_CONTROL_BYTES (16u << 20) /* one control message (long lists are paged below it) */
#define LIMIT_RECORD_BYTES 4096u        /* one signed record, header and body */
#define LIMIT_STATEMENT_BYTES 8192u     /* any signed statement (a revocation lists members) */
#define LIMIT_TOKEN_BYTES 2048u         /* binary form */
#define LIMIT_TOKEN_TEXT 4096u          /* what is read from a file or standard input */
#define LIMIT_NAME_BYTES 63u            /* a DNS label */
#define LIMIT_DESCRIPTION_BYTES 255u
#define LIMIT_ENDPOINTS 16u /* per record */
#define LIMIT_SERVICES 32u
#define LIMIT_SERVICE_VALUE_BYTES 255u
#define LIMIT_PREFIXES 64u
#define LIMIT_WATCHERS 4u
#define LIMIT_TOKEN_BOOTSTRAPS 8u
#define LIMIT_MEMBERS 100000u /* per mesh, every member ever seen and not forgotten */
#define LIMIT_MESHES 16u      /* per daemon */
#define LIMIT_ADMINS 64u      /* per mesh, appointed ever */
#define LIMIT_INVITES 4096u   /* per mesh, that this host issued and that have not expired */
#define LIMIT_ADDRESSES 256u  /* of this host */

#define LIMIT_SKETCH_SYMBOLS 2048u    /* in one part; some 20 KB */
#define LIMIT_SKETCH_INDEX 16384u     /* symbols of one set that can be asked for */
#define LIMIT_SKETCH_ITEMS (4u << 20) /* items of a set that is compared by sketches */

#define LIMIT_SESSIONS 1024u              /* authenticated, per daemon */
#define LIMIT_HALF_OPEN 256u              /* not authenticated yet, per daemon */
#define LIMIT_HALF_OPEN_PER_SOURCE 128u   /* the same, per source address (/64 for IPv6) */
#define LIMIT_SOURCES 1024u               /* source addresses remembered by the rate limiter */
#define LIMIT_LINK_QUEUE_BYTES (1u << 20) /* waiting to be sent on one link; more closes it */

#define AUTH_TIMEOUT_MS (5 * MS_PER_SECOND)
#define REKEY_AFTER_MS (2 * MS_PER_HOUR)
#define CLOCK_OFF_MS (10 * MS_PER_MINUTE) /* a joiner's clock may differ by this from ours */
#define RECORD_AHEAD_MS MS_PER_DAY        /* an entry dated further ahead waits */
#define LIFE_MS (30 * MS_PER_DAY)         /* default `life` of a mesh */
#define INVITE_LIFE_MS MS_PER_DAY         /* default expiry of an invite */
#define COUNTER_BLOCK_MS MS_PER_SECOND    /* counters reserved ahead on disk */

#endif
