/*
 * One-way delays between nineteen regions, in tenths of a millisecond.
 *
 * Our own figures: great-circle distance between the cities in which large clouds have regions,
 * times 1.4 for the detours of cables, at two thirds of the speed of light (200 km a millisecond);
 * 0.3 ms inside a region.  Against round trips that operators publish this is within some 20 %:
 * Ashburn to Dublin 76 ms (published: about 70), to Tokyo 153 (150 to 160), to Sydney 220 (200).
 */
#include "tests/sim/geo.h"

#include "base/defs.h"

static const char *const names[GEO_REGIONS] = {
	"Ashburn", "Columbus",  "San Jose",  "Boardman", "Montreal",  "Sao Paulo", "Dublin",
	"London",  "Paris",     "Frankfurt", "Milan",    "Stockholm", "Manama",    "Cape Town",
	"Mumbai",  "Singapore", "Hong Kong", "Tokyo",    "Sydney",
};

/* clang-format off */
static const uint16_t tenths[GEO_REGIONS][GEO_REGIONS] = {
	{    3,   34,  269,  245,   55,  537,  382,  414,  433,  458,
	   477,  465,  768,  893,  900, 1087,  916,  761, 1097 },
	{   34,    3,  235,  212,   69,  560,  402,  434,  454,  478,
	   499,  479,  786,  926,  909, 1076,  901,  738, 1066 },
	{  269,  235,    3,   67,  285,  726,  573,  604,  628,  641,
	   671,  606,  903, 1150,  949,  955,  781,  584,  838 },
	{  245,  212,   67,    3,  247,  745,  512,  542,  566,  577,
	   609,  539,  836, 1138,  888,  928,  749,  558,  880 },
	{   55,   69,  285,  247,    3,  570,  333,  365,  385,  409,
	   430,  412,  717,  893,  845, 1036,  870,  727, 1122 },
	{  537,  560,  726,  745,  570,    3,  657,  665,  658,  688,
	   666,  765,  827,  444,  964, 1119, 1263, 1297,  935 },
	{  382,  402,  573,  512,  333,  657,    3,   32,   55,   76,
	    99,  114,  386,  699,  532,  784,  689,  671, 1205 },
	{  414,  434,  604,  542,  365,  665,   32,    3,   24,   45,
	    67,  100,  355,  677,  503,  759,  674,  669, 1190 },
	{  433,  454,  628,  566,  385,  658,   55,   24,    3,   33,
	    45,  108,  338,  654,  491,  751,  674,  680, 1187 },
	{  458,  478,  641,  577,  409,  688,   76,   45,   33,    3,
	    36,   83,  311,  657,  459,  718,  641,  653, 1154 },
	{  477,  499,  671,  609,  430,  666,   99,   67,   45,   36,
	     3,  116,  297,  621,  453,  718,  655,  680, 1159 },
	{  465,  479,  606,  539,  412,  765,  114,  100,  108,   83,
	   116,    3,  311,  726,  436,  675,  576,  572, 1092 },
	{  768,  786,  903,  836,  717,  827,  386,  355,  338,  311,
	   297,  311,    3,  525,  169,  442,  448,  579,  876 },
	{  893,  926, 1150, 1138,  893,  444,  699,  677,  654,  657,
	   621,  726,  525,    3,  577,  677,  831, 1031,  771 },
	{  900,  909,  949,  888,  845,  964,  532,  503,  491,  459,
	   453,  436,  169,  577,    3,  273,  301,  471,  711 },
	{ 1087, 1076,  955,  928, 1036, 1119,  784,  759,  751,  718,
	   718,  675,  442,  677,  273,    3,  181,  372,  441 },
	{  916,  901,  781,  749,  870, 1263,  689,  674,  674,  641,
	   655,  576,  448,  831,  301,  181,    3,  202,  516 },
	{  761,  738,  584,  558,  727, 1297,  671,  669,  680,  653,
	   680,  572,  579, 1031,  471,  372,  202,    3,  548 },
	{ 1097, 1066,  838,  880, 1122,  935, 1205, 1190, 1187, 1154,
	  1159, 1092,  876,  771,  711,  441,  516,  548,    3 },
};
/* clang-format on */

int64_t geo_delay_us(unsigned from, unsigned to)
{
	return 100 * (int64_t)tenths[from % GEO_REGIONS][to % GEO_REGIONS];
}

const char *geo_name(unsigned region)
{
	return names[region % GEO_REGIONS];
}

int64_t geo_longest_us(unsigned from)
{
	int64_t longest = 0;

	for (unsigned i = 0; i < GEO_REGIONS; i++)
		longest = MAX_OF(longest, geo_delay_us(from, i));
	return longest;
}
