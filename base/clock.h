/*
 * Time as a value.  Nothing here reads a clock: the shell does and passes an instant in.
 */
#ifndef SMEG_BASE_CLOCK_H
#define SMEG_BASE_CLOCK_H

#include "base/defs.h"

/* One moment on two clocks. */
struct instant {
	int64_t mono_ms; /* monotonic; never goes back; for intervals and deadlines */
	int64_t unix_ms; /* wall clock; may jump; for counters and expiry */
};

#define MS_PER_SECOND 1000LL
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR (60 * MS_PER_MINUTE)
#define MS_PER_DAY (24 * MS_PER_HOUR)

#define TIME_NEVER INT64_MAX /* a deadline that does not come */

#endif
