/*
 * Rows of the bench that the simulator can measure: `smegsim --row NAME --nodes N --seeds K`.
 *
 * `--row A,B,C` measures each of them from the same settled mesh, in a process of its own.
 */
#ifndef SMEG_TESTS_SIM_MEASURE_H
#define SMEG_TESTS_SIM_MEASURE_H

#include "tests/sim/spread.h"

/*
 * What TCP/IP adds, for people: 40 bytes of headers to each portion, and as many for the other
 * side's acknowledgement, since single small messages are acknowledged one by one.
 */
#define MEASURE_TCP_BYTES 80

enum summary {
	SUM_P99, /* 99th percentile of all samples */
	SUM_MEAN,
	SUM_WORST, /* the greatest */
	SUM_LEAST,
	SUM_TOTAL,
};

struct series {
	char name[32];
	char unit[16];
	enum summary how;
	double *samples;
	size_t count;
	size_t cap;
	size_t missing; /* samples that could not be taken: the row has no value then */
};

#define MEASURE_SERIES_MAX 32

/* One row's measuring over all seeds. */
struct measure {
	unsigned nodes;
	unsigned seeds;
	bool is_broken; /* a process died: no figure has a value */
	struct series series[MEASURE_SERIES_MAX];
	size_t series_count;
};

/* How rows are measured; see smegsim. */
struct measuring {
	const char *names; /* of groups, separated by commas */
	unsigned nodes;
	unsigned seeds;
	unsigned jobs; /* processes beside each other */
	bool one_mesh; /* seeds differ from when the mesh has settled only */
};

/* A group of figures that one world gives; run once for each seed. */
struct group {
	const char *name;
	const char *help;
	int64_t settle_us; /* the mesh is raised and has had so long; 0: run() raises it */
	void (*options)(struct world_options *o);          /* may be NULL */
	void (*prepare)(struct world *w, struct model *m); /* then, once for all seeds of one mesh;
	                                                      may be NULL */
	void (*run)(struct measure *b, struct world *w, struct model *m);
};

/* run() raises the mesh. */
#define GROUP(name_, help_, options_) GROUP_AS(name_, run, help_, 0, options_)
/* run() gets what prepare() has made of one that has settled. */
#define GROUP_PREPARED(name_, help_, settle_us_, prepare_) \
	GROUP_FULL(name_, run, help_, settle_us_, NULL, prepare_)

/* run() gets one that has settled; with others of the same options it shares it. */
#define GROUP_SETTLED(name_, help_, settle_us_) GROUP_AS(name_, run, help_, settle_us_, NULL)
#define GROUP_AS(name_, run_, help_, settle_us_, options_) \
	GROUP_FULL(name_, run_, help_, settle_us_, options_, NULL)
#define GROUP_FULL(name_, run_, help_, settle_us_, options_, prepare_)                           \
	static const struct group group_##name_ = { #name_,   help_,    settle_us_,              \
		                                    options_, prepare_, run_ };                  \
	__attribute__((used,                                                                     \
	               section("sim_groups"))) static const struct group *const listed_##name_ = \
		&group_##name_;

struct series *measure_series(struct measure *b,
                              const char *name,
                              const char *unit,
                              enum summary how);
void measure_add(struct series *s, double value);
void measure_lost(struct series *s);

int measure_run(const struct measuring *what, const struct world_options *o);
void measure_list(void);

/* Processor seconds of this process so far. */
double measure_cpu(void);

/* How often a live host was pruned and came back, all told. */
uint64_t measure_refuted(const struct world *w);

/* A live host, up and in, drawn by the world's generator. */
unsigned measure_host(struct world *w, const struct model *m);

#endif
