/*
 * smegsim: run scenarios of simulated daemons from a seed.
 *
 *	smegsim [--scenario NAME] [--nodes N] [--seed S] [--loss PERMILLE] [--delay-us D]
 *	        [--jitter-us J] [--no-devices] [--trace] [--list]
 *
 * Without a name, every scenario once.  Ends with a table; exit status 1 if an invariant failed.
 */
#include "tests/sim/scenario.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct invocation {
	struct world_options world;
	const char *scenario;
	unsigned nodes;
	bool list;
	bool twice;
};

static const struct option options[] = {
	{ "scenario", required_argument, NULL, 's' },
	{ "nodes", required_argument, NULL, 'n' },
	{ "seed", required_argument, NULL, 'S' },
	{ "loss", required_argument, NULL, 'l' },
	{ "delay-us", required_argument, NULL, 'd' },
	{ "jitter-us", required_argument, NULL, 'j' },
	{ "trace", no_argument, NULL, 't' },
	{ "list", no_argument, NULL, 'L' },
	{ "no-devices", no_argument, NULL, 'D' },
	{ "twice", no_argument, NULL, '2' },
	{ NULL, 0, NULL, 0 },
};

static bool parse(int argc, char **argv, struct invocation *s)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned long long number = optarg ? strtoull(optarg, NULL, 10) : 0;

		switch (c) {
		case 's':
			s->scenario = optarg;
			break;
		case 'n':
			s->nodes = (unsigned)number;
			break;
		case 'S':
			s->world.seed = number;
			break;
		case 'l':
			s->world.loss_permille = (unsigned)number;
			break;
		case 'd':
			s->world.delay_us = (int64_t)number;
			break;
		case 'j':
			s->world.jitter_us = (int64_t)number;
			break;
		case 't':
			s->world.trace = true;
			break;
		case 'D':
			s->world.devices = false;
			break;
		case 'L':
			s->list = true;
			break;
		case '2':
			s->twice = true;
			break;
		default:
			return false;
		}
	}
	return optind == argc;
}

struct figures {
	double virtual_s;
	double real_s;
	uint64_t messages;
	uint64_t bytes;
	uint64_t hash;
	unsigned failures;
};

static double real_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct figures run(const struct scenario *sc, const struct invocation *s)
{
	unsigned nodes = s->nodes ? s->nodes : sc->nodes;
	double begun = real_seconds();
	struct figures f;
	struct world w;
	struct model m;

	world_init(&w, &s->world);
	model_init(&m, nodes, "home");
	sc->run(&w, &m);
	f = (struct figures){
		.virtual_s = (double)w.now_us / 1e6,
		.real_s = real_seconds() - begun,
		.messages = w.messages,
		.bytes = w.bytes,
		.hash = w.hash,
		.failures = w.failures,
	};
	model_fini(&m);
	world_fini(&w);
	return f;
}

static bool run_and_print(const struct scenario *sc, const struct invocation *s)
{
	unsigned nodes = s->nodes ? s->nodes : sc->nodes;
	struct figures f;

	printf("scenario %s: %s\n  repeat with: smegsim --scenario %s --nodes %u --seed %llu\n",
	       sc->name, sc->help, sc->name, nodes, (unsigned long long)s->world.seed);
	f = run(sc, s);
	if (s->twice && run(sc, s).hash != f.hash) {
		printf("FAIL: the same seed gave another trace\n");
		f.failures++;
	}
	printf("  %-28s %u\n  %-28s %.1f s in %.1f s\n  %-28s %llu (%.1f MB)\n"
	       "  %-28s %016llx\n  %-28s %u\n",
	       "nodes", nodes, "virtual time", f.virtual_s, f.real_s, "messages",
	       (unsigned long long)f.messages, (double)f.bytes / 1e6, "trace hash",
	       (unsigned long long)f.hash, "failures", f.failures);
	return f.failures == 0;
}

int main(int argc, char **argv)
{
	struct invocation s = {
		.world = { .seed = 1, .delay_us = 500, .jitter_us = 500, .devices = true },
	};
	bool ok = true;
	bool found = false;

	if (sodium_init() < 0) /* picks its fast code; nothing here needs its entropy */
		return 1;
	if (!parse(argc, argv, &s)) {
		fprintf(stderr, "usage: smegsim [--list] [--scenario NAME] [--nodes N] [--seed S] "
		                "[--loss PERMILLE] [--delay-us D] [--jitter-us J] [--no-devices] "
		                "[--twice] [--trace]\n");
		return 2;
	}
	for (size_t i = 0; i < scenarios_count; i++) {
		if (s.list) {
			printf("%-10s %s\n", scenarios[i].name, scenarios[i].help);
			found = true;
			continue;
		}
		if (s.scenario && strcmp(s.scenario, scenarios[i].name) != 0)
			continue;
		found = true;
		ok &= run_and_print(&scenarios[i], &s);
	}
	if (!found)
		fprintf(stderr, "smegsim: no scenario %s; see --list\n", s.scenario);
	return ok && found ? 0 : 1;
}
