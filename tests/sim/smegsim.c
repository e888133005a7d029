/*
 * smegsim: run scenarios of simulated daemons from a seed, or measure rows of the bench.
 *
 *	smegsim [--scenario NAME] [--nodes N] [--seed S] [option]...
 *	smegsim --row NAME[,NAME] --nodes N --seeds K [--jobs J] [--one-mesh] [option]...
 *	smegsim --crowd --nodes N
 *	smegsim --list
 *
 * Without a name, every scenario once.  Ends with a table; exit status 1 if an invariant failed.
 */
#include "tests/sim/crowd.h"
#include "tests/sim/measure.h"
#include "tests/sim/scenario.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

extern const struct scenario *const __start_sim_scenarios[];
extern const struct scenario *const __stop_sim_scenarios[];

enum crypto_choice {
	CRYPTO_BY_SIZE,
	CRYPTO_REAL,
	CRYPTO_MODEL,
};

struct invocation {
	struct world_options world;
	const char *scenario;
	const char *row;
	unsigned nodes;
	unsigned seeds;
	unsigned jobs;
	bool one_mesh;
	enum crypto_choice crypto;
	bool list;
	bool twice;
	bool crowd;
};

static const struct option options[] = {
	{ "scenario", required_argument, NULL, 's' },
	{ "row", required_argument, NULL, 'r' },
	{ "nodes", required_argument, NULL, 'n' },
	{ "seed", required_argument, NULL, 'S' },
	{ "seeds", required_argument, NULL, 'K' },
	{ "jobs", required_argument, NULL, 'J' },
	{ "one-mesh", no_argument, NULL, '1' },
	{ "net", required_argument, NULL, 'N' },
	{ "loss", required_argument, NULL, 'l' },
	{ "delay-us", required_argument, NULL, 'd' },
	{ "jitter-us", required_argument, NULL, 'j' },
	{ "work-us", required_argument, NULL, 'w' },
	{ "verify-us", required_argument, NULL, 'v' },
	{ "commit-us", required_argument, NULL, 'c' },
	{ "crypto", required_argument, NULL, 'C' },
	{ "minutes", required_argument, NULL, 'm' },
	{ "prepared", no_argument, NULL, 'p' },
	{ "trace", no_argument, NULL, 't' },
	{ "list", no_argument, NULL, 'L' },
	{ "no-devices", no_argument, NULL, 'D' },
	{ "twice", no_argument, NULL, '2' },
	{ "crowd", no_argument, NULL, 'R' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: smegsim [--list] [--scenario NAME] [--row NAME[,NAME] --seeds K] [--nodes N] "
	"[--seed S]\n"
	"               [--jobs J] [--one-mesh]\n"
	"               [--net lan|world] [--loss PERMILLE] [--delay-us D] [--jitter-us J]\n"
	"               [--work-us W] [--verify-us V] [--commit-us C] [--crypto real|model]\n"
	"               [--minutes M] [--prepared] [--no-devices] [--twice] [--trace] [--crowd]\n";

static bool parse_word(struct invocation *s, int option)
{
	if (option == 'N' && strcmp(optarg, "world") == 0)
		s->world.net = NET_WORLD;
	else if (option == 'C' && strcmp(optarg, "real") == 0)
		s->crypto = CRYPTO_REAL;
	else if (option == 'C' && strcmp(optarg, "model") == 0)
		s->crypto = CRYPTO_MODEL;
	else
		return option == 'N' && strcmp(optarg, "lan") == 0;
	return true;
}

static bool parse_flag(struct invocation *s, int option)
{
	switch (option) {
	case 't':
		s->world.trace = true;
		return true;
	case 'D':
		s->world.devices = false;
		return true;
	case 'L':
		s->list = true;
		return true;
	case '2':
		s->twice = true;
		return true;
	case '1':
		s->one_mesh = true;
		return true;
	case 'R':
		s->crowd = true;
		return true;
	case 'p':
		s->world.prepared = true;
		return true;
	default:
		return false;
	}
}

static bool parse_one(struct invocation *s, int option)
{
	char *end = NULL;
	unsigned long long number = optarg ? strtoull(optarg, &end, 10) : 0;

	if (option == 's')
		s->scenario = optarg;
	else if (option == 'r')
		s->row = optarg;
	else if (option == 'N' || option == 'C')
		return parse_word(s, option);
	else if (!optarg)
		return parse_flag(s, option);
	else if (*end || end == optarg)
		return false;
	else if (option == 'n')
		s->nodes = (unsigned)number;
	else if (option == 'S')
		s->world.seed = number;
	else if (option == 'K')
		s->seeds = (unsigned)number;
	else if (option == 'J')
		s->jobs = (unsigned)number;
	else if (option == 'm')
		s->world.minutes = (unsigned)number;
	else if (option == 'l')
		s->world.loss_permille = (unsigned)number;
	else if (option == 'd')
		s->world.delay_us = (int64_t)number;
	else if (option == 'j')
		s->world.jitter_us = (int64_t)number;
	else if (option == 'w')
		s->world.prices.message_us = (int64_t)number;
	else if (option == 'v')
		s->world.prices.verify_us = (int64_t)number;
	else if (option == 'c')
		s->world.prices.commit_us = (int64_t)number;
	else
		return false;
	return true;
}

static bool parse(int argc, char **argv, struct invocation *s)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!parse_one(s, c))
			return false;
	return optind == argc;
}

/* --- scenarios ------------------------------------------------------------------------------- */

struct figures {
	double virtual_s;
	double real_s;
	uint64_t steps;
	uint64_t messages;
	uint64_t bytes;
	uint64_t hash;
	unsigned failures;
};

static double real_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void choose_crypto(const struct invocation *s, unsigned nodes)
{
	crypto_use_real(s->crypto == CRYPTO_BY_SIZE ? nodes <= SIM_REAL_CRYPTO_MAX
	                                            : s->crypto == CRYPTO_REAL);
}

static struct figures run(const struct scenario *sc, const struct invocation *s)
{
	unsigned nodes = s->nodes ? s->nodes : sc->nodes;
	double begun = real_seconds();
	struct figures f;
	struct world w;
	struct model m;

	choose_crypto(s, nodes);
	world_init(&w, &s->world);
	model_init(&m, nodes, "home");
	w.model = &m;
	sc->run(&w, &m);
	check_end(&w);
	f = (struct figures){
		.virtual_s = (double)w.now_us / 1e6,
		.real_s = real_seconds() - begun,
		.steps = w.steps,
		.messages = w.messages,
		.bytes = w.bytes,
		.hash = w.hash,
		.failures = w.failures,
	};
	world_fini(&w);
	model_fini(&m);
	return f;
}

static void print_figures(const struct figures *f, unsigned nodes)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	printf("  %-28s %u\n  %-28s %.1f s in %.1f s of one core\n"
	       "  %-28s %llu (%.1f MB; with TCP/IP %.1f MB)\n"
	       "  %-28s %llu\n  %-28s %.0f MB\n  %-28s %016llx\n  %-28s %u\n",
	       "nodes", nodes, "virtual time", f->virtual_s, f->real_s, "messages",
	       (unsigned long long)f->messages, (double)f->bytes / 1e6,
	       ((double)f->bytes + MEASURE_TCP_BYTES * (double)f->messages) / 1e6, "events",
	       (unsigned long long)f->steps, "memory of the simulator",
	       (double)use.ru_maxrss / 1024, "trace hash", (unsigned long long)f->hash, "failures",
	       f->failures);
}

static void print_prices(const struct invocation *s)
{
	const struct prices *p = &s->world.prices;

	printf("  cryptography: %s; charged in virtual time: %lld us a message, %lld us a\n"
	       "  verification (measured here: %.1f us), %lld us a signature, %lld us an X25519,\n"
	       "  %lld us a commit\n",
	       crypto_is_real() ? "real"
	                        : "signatures real and remembered, X25519 and AEAD stand-ins",
	       (long long)p->message_us, (long long)p->verify_us, crypto_measure_verify(),
	       (long long)p->sign_us, (long long)p->dh_us, (long long)p->commit_us);
}

static bool run_and_print(const struct scenario *sc, const struct invocation *s)
{
	unsigned nodes = s->nodes ? s->nodes : sc->nodes;
	struct figures f;

	printf("scenario %s: %s\n  repeat with: smegsim --scenario %s --nodes %u --seed %llu\n",
	       sc->name, sc->help, sc->name, nodes, (unsigned long long)s->world.seed);
	choose_crypto(s, nodes);
	print_prices(s);
	f = run(sc, s);
	if (s->twice && run(sc, s).hash != f.hash) {
		printf("FAIL: the same seed gave another trace\n");
		f.failures++;
	}
	print_figures(&f, nodes);
	return f.failures == 0;
}

static int run_scenarios(const struct invocation *s)
{
	bool found = false;
	bool ok = true;

	for (const struct scenario *const *sc = __start_sim_scenarios; sc < __stop_sim_scenarios;
	     sc++) {
		if (s->list)
			printf("%-10s %s\n", (*sc)->name, (*sc)->help);
		else if (!s->scenario || strcmp(s->scenario, (*sc)->name) == 0)
			ok &= run_and_print(*sc, s);
		else
			continue;
		found = true;
	}
	if (s->list)
		measure_list();
	if (!found)
		fprintf(stderr, "smegsim: no scenario %s; see --list\n", s->scenario);
	return ok && found ? 0 : 1;
}

/*
 * Three thousand daemons take gigabytes and each event goes to another one: with pages of 4 KiB
 * most of its time is the look-up of addresses.  Malloc takes large pages where it is told to
 * before it starts, and where the kernel has none it does without.
 */
static void use_large_pages(char **argv)
{
	if (getenv("GLIBC_TUNABLES") || setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 1))
		return;
	execv("/proc/self/exe", argv); /* or go on as we are */
}

int main(int argc, char **argv)
{
	struct invocation s = {
		.seeds = 10,
		.jobs = 1,
		.world = {
			.seed = 1,
			.delay_us = 500,
			.jitter_us = 50,
			.devices = true,
			.prices = { .message_us = 200, .tick_us = 20, .verify_us = 40,
			            .sign_us = 15, .dh_us = 35, .commit_us = 1000 },
		},
	};

	use_large_pages(argv);
	if (sodium_init() < 0) /* picks its fast code; nothing here needs its entropy */
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!parse(argc, argv, &s)) {
		fputs(usage, stderr);
		return 2;
	}
	if (s.crowd && s.nodes > 1)
		return crowd_run(&s.world, s.nodes);
	if (!s.row)
		return run_scenarios(&s);
	choose_crypto(&s, s.nodes);
	return measure_run(&(struct measuring){ s.row, s.nodes, s.seeds, s.jobs, s.one_mesh },
	                   &s.world);
}
