/*
 * Series of samples and how they become figures.
 *
 * Each figure is a line of JSON on the standard output: name, nodes, value, unit, median, worst,
 * samples, seeds.  A row that could not be measured, or in whose worlds an invariant did not hold,
 * has the value null: it is not met, whatever its target.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern const struct group *const __start_sim_groups[];
extern const struct group *const __stop_sim_groups[];

double measure_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct series *measure_series(struct measure *b,
                              const char *name,
                              const char *unit,
                              enum summary how)
{
	struct series *s = b->series;

	while (s < b->series + b->series_count && strcmp(s->name, name) != 0)
		s++;
	if (s < b->series + b->series_count)
		return s;
	assert(b->series_count < MEASURE_SERIES_MAX);
	b->series_count++;
	*s = (struct series){ .name = name, .unit = unit, .how = how };
	return s;
}

void measure_add(struct series *s, double value)
{
	s->samples = sim_grow(s->samples, s->count, &s->cap, sizeof(*s->samples));
	s->samples[s->count++] = value;
}

void measure_lost(struct series *s)
{
	s->missing++;
}

unsigned measure_host(struct world *w, const struct model *m)
{
	unsigned i;

	do {
		i = random_host(w, m);
	} while (m->of[i] != EXPECT_IN || !w->hosts[i]->is_up || w->hosts[i]->is_paused);
	return i;
}

uint64_t measure_refuted(const struct world *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w->hosts_count; i++)
		sum += w->hosts[i]->refuted;
	return sum;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double total(const struct series *s)
{
	double sum = 0;

	for (size_t i = 0; i < s->count; i++)
		sum += s->samples[i];
	return sum;
}

static double value_of(const struct series *s)
{
	switch (s->how) {
	case SUM_P99:
		return s->samples[(s->count * 99 + 99) / 100 - 1];
	case SUM_MEAN:
		return total(s) / (double)s->count;
	case SUM_WORST:
		return s->samples[s->count - 1];
	case SUM_LEAST:
		return s->samples[0];
	case SUM_TOTAL:
		return total(s);
	}
	return 0;
}

static void print_series(const struct measure *b, struct series *s)
{
	bool known = s->count && !s->missing;
	char value[32] = "null";

	if (s->count)
		qsort(s->samples, s->count, sizeof(*s->samples), by_size);
	if (known)
		snprintf(value, sizeof(value), "%.3f", value_of(s));
	printf("{\"name\":\"%s\",\"nodes\":%u,\"value\":%s,\"unit\":\"%s\",\"median\":%.3f,"
	       "\"worst\":%.3f,\"samples\":%zu,\"lost\":%zu,\"seeds\":%u}\n",
	       s->name, b->nodes, value, s->unit, s->count ? s->samples[s->count / 2] : 0,
	       s->count ? s->samples[s->how == SUM_LEAST ? 0 : s->count - 1] : 0, s->count,
	       s->missing, b->seeds);
	free(s->samples);
}

/* One world from one seed.  What went wrong in it spoils all its figures. */
static void run_seed(struct measure *b, const struct group *g, struct world_options o)
{
	struct world w;
	struct model m;

	if (g->options)
		g->options(&o);
	world_init(&w, &o);
	w.is_quiet = true;
	model_init(&m, b->nodes, "home");
	g->run(b, &w, &m);
	for (size_t i = 0; w.failures && i < b->series_count; i++)
		measure_lost(&b->series[i]);
	fprintf(stderr, "# %s: seed %llu, %u nodes: %.1f virtual s, %.1f s so far, %u failures\n",
	        g->name, (unsigned long long)o.seed, b->nodes, (double)w.now_us / 1e6,
	        measure_cpu(), w.failures);
	world_fini(&w);
	model_fini(&m);
}

int measure_run(const char *name, const struct world_options *o, unsigned nodes, unsigned seeds)
{
	const struct group *const *g = __start_sim_groups;
	struct measure b = { .nodes = nodes, .seeds = seeds };
	struct world_options options = *o;

	while (g < __stop_sim_groups && strcmp((*g)->name, name) != 0)
		g++;
	if (g == __stop_sim_groups || !nodes || !seeds) {
		fprintf(stderr, "smegsim: --row takes a name of --list, --nodes and --seeds\n");
		return 2;
	}
	options.devices = false;
	options.prepared = true;
	for (unsigned i = 0; i < seeds; i++) {
		options.seed = o->seed + i;
		run_seed(&b, *g, options);
	}
	for (size_t i = 0; i < b.series_count; i++)
		print_series(&b, &b.series[i]);
	return 0;
}

void measure_list(void)
{
	for (const struct group *const *g = __start_sim_groups; g < __stop_sim_groups; g++)
		printf("--row %-12s %s\n", (*g)->name, (*g)->help);
}
