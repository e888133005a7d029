/*
 * Series of samples and how they become figures.
 *
 * Each figure is a line of JSON on the standard output: name, nodes, value, unit, median, worst,
 * samples, seeds.  A row that could not be measured, or in whose worlds an invariant did not hold,
 * has the value null: it is not met, whatever its target.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"
#include "tests/sim/task.h"

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
	*s = (struct series){ .how = how };
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->unit, sizeof(s->unit), "%s", unit);
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
	bool known = s->count && !s->missing && !b->is_broken;
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

/* --- running ---------------------------------------------------------------------------------- */

#define GROUPS_MAX 8

/* One seed's world, or one of several groups or seeds that begin from it. */
struct run {
	const struct measuring *what;
	const struct group *groups[GROUPS_MAX];
	size_t groups_count;
	struct world_options options;
	struct world w;
	struct model m;
	const struct group *group; /* to be measured now */
	unsigned offset;           /* of the seed, from when the mesh has settled */
};

/* What went wrong in a world spoils all its figures. */
static void run_group(void *ctx, struct measure *b)
{
	struct run *r = ctx;

	if (r->what->one_mesh)
		world_reseed(&r->w, r->options.seed + r->offset);
	r->group->run(b, &r->w, &r->m);
	check_end(&r->w);
	for (size_t i = 0; r->w.failures && i < b->series_count; i++)
		measure_lost(&b->series[i]);
	fprintf(stderr,
	        "# %s: seed %llu, %u nodes: %.1f virtual s, %.1f s of this process, %u failures\n",
	        r->group->name, (unsigned long long)(r->options.seed + r->offset), b->nodes,
	        (double)r->w.now_us / 1e6, measure_cpu(), r->w.failures);
}

static void run_groups(struct run *r, struct measure *b)
{
	unsigned seeds = r->what->one_mesh ? r->what->seeds : 1;
	struct tasks tasks;

	tasks_init(&tasks, b, r->what->one_mesh ? r->what->jobs : 1);
	for (r->offset = 0; r->offset < seeds; r->offset++)
		for (size_t i = 0; i < r->groups_count; i++) {
			r->group = r->groups[i];
			task_start(&tasks, run_group, r);
		}
	tasks_end(&tasks);
}

static void run_world(void *ctx, struct measure *b)
{
	struct run *r = ctx;
	int64_t settle_us = r->groups[0]->settle_us;

	if (r->groups[0]->options)
		r->groups[0]->options(&r->options);
	world_init(&r->w, &r->options);
	r->w.is_quiet = true;
	model_init(&r->m, r->what->nodes, "home");
	r->w.model = &r->m;
	if (settle_us) {
		raise_mesh(&r->w, &r->m);
		world_pass(&r->w, settle_us);
		fprintf(stderr, "# seed %llu, %u nodes: settled after %.1f s\n",
		        (unsigned long long)r->options.seed, r->what->nodes, measure_cpu());
	}
	if (r->groups[0]->prepare) {
		r->groups[0]->prepare(&r->w, &r->m);
		fprintf(stderr, "# seed %llu, %u nodes: prepared after %.1f s\n",
		        (unsigned long long)r->options.seed, r->what->nodes, measure_cpu());
	}
	r->group = r->groups[0];
	if (r->groups_count > 1 || r->what->one_mesh)
		run_groups(r, b);
	else
		run_group(r, b);
	world_fini(&r->w);
	model_fini(&r->m);
}

static const struct group *find_group(const char *name, size_t length)
{
	const struct group *const *g = __start_sim_groups;

	while (g < __stop_sim_groups &&
	       (strncmp((*g)->name, name, length) != 0 || (*g)->name[length]))
		g++;
	return g < __stop_sim_groups ? *g : NULL;
}

/* Those that share a world must want the same one. */
static bool find_groups(struct run *r)
{
	const char *at = r->what->names;

	do {
		size_t length = strcspn(at, ",");
		const struct group *g = find_group(at, length);

		if (!g || r->groups_count == GROUPS_MAX)
			return false;
		r->groups[r->groups_count++] = g;
		at += length;
	} while (*at++ == ',');
	for (size_t i = 0; i < r->groups_count; i++)
		if (r->groups[i]->settle_us != r->groups[0]->settle_us ||
		    r->groups[i]->prepare != r->groups[0]->prepare ||
		    r->groups[i]->options != r->groups[0]->options)
			return false;
	return r->groups[0]->settle_us || (r->groups_count == 1 && !r->what->one_mesh);
}

int measure_run(const struct measuring *what, const struct world_options *o)
{
	struct measure b = { .nodes = what->nodes, .seeds = what->seeds };
	struct run r = { .what = what, .options = *o };
	unsigned worlds = what->one_mesh ? 1 : what->seeds;
	struct tasks tasks;

	if (!find_groups(&r) || !what->nodes || !what->seeds || !what->jobs ||
	    what->jobs > TASKS_MAX) {
		fprintf(stderr,
		        "smegsim: --row takes names of --list that begin from the same mesh, "
		        "--nodes, --seeds and --jobs up to %d\n",
		        TASKS_MAX);
		return 2;
	}
	r.options.devices = false;
	r.options.prepared = true;
	tasks_init(&tasks, &b, what->one_mesh ? 1 : what->jobs);
	for (unsigned i = 0; i < worlds; i++) {
		r.options.seed = o->seed + i;
		task_start(&tasks, run_world, &r);
	}
	tasks_end(&tasks);
	for (size_t i = 0; i < b.series_count; i++)
		print_series(&b, &b.series[i]);
	return b.is_broken ? 1 : 0;
}

void measure_list(void)
{
	for (const struct group *const *g = __start_sim_groups; g < __stop_sim_groups; g++)
		printf("--row %-12s %s\n", (*g)->name, (*g)->help);
}
