/*
 * The regions of the simulated world and how far they are apart.
 */
#ifndef SMEG_TESTS_SIM_GEO_H
#define SMEG_TESTS_SIM_GEO_H

#include <stdint.h>

#define GEO_REGIONS 19

int64_t geo_delay_us(unsigned from, unsigned to); /* one way */
int64_t geo_longest_us(unsigned from);            /* to the farthest region */
const char *geo_name(unsigned region);

#endif
