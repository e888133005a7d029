/*
 * How fast and at what cost the others learn of something.
 */
#ifndef SMEG_TESTS_SIM_SPREAD_H
#define SMEG_TESTS_SIM_SPREAD_H

#include "tests/sim/check.h"

struct spread {
	int64_t last_us; /* from the cause until the last live host knew */
	int64_t median_us;
	size_t hosts;    /* that should know */
	size_t missing;  /* of them, those that did not in time */
	double copies;   /* payloads received per host; changes only */
	double bytes;    /* sent per host while it spread and for a while after, all told */
	double portions; /* the same */
};

/* How long after the last host knew the bytes are still counted. */
#define SPREAD_TAIL_US (2 * SECOND_US)

/* `origin` changes its description. */
void spread_change(
	struct world *w, struct model *m, unsigned origin, int64_t within_us, struct spread *ret);

/* The same without that while; no copies, bytes or portions. */
void spread_tell(
	struct world *w, struct model *m, unsigned origin, int64_t within_us, struct spread *ret);

/* `victims` die at once, told or by power-off; known: each live host misses all of them. */
struct crash {
	const unsigned *victims;
	size_t count;
	bool is_told;
};
void spread_crash(struct world *w,
                  struct model *m,
                  const struct crash *crash,
                  int64_t within_us,
                  struct spread *ret);

/* From now until every live host knows what `tracking` asks it. */
struct tracking {
	bool (*knows)(struct world *w, struct host *h, void *ctx);
	void *ctx;
};
void spread_follow(struct world *w,
                   const struct model *m,
                   const struct tracking *tracking,
                   int64_t within_us,
                   struct spread *ret);

/* Bytes and portions sent by all hosts so far. */
struct traffic {
	uint64_t bytes;
	uint64_t portions;
};
struct traffic traffic_of(const struct world *w);

#endif
