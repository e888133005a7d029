/*
 * The crowd settles in virtual time, as fast as it goes; then its clocks are set to the machine's
 * and time is real.
 */
#include "tests/sim/crowd.h"

#include "tests/sim/act.h"
#include "tests/sim/crypto.h"
#include "tests/sim/gate.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SETTLE_US MINUTE_US
#define TOKEN_USES 1000

static volatile int ended;

static void on_term(int signal)
{
	(void)signal;
	ended = 1;
}

static int64_t unix_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void report(struct world *w)
{
	struct gate_counts c = gate_count(w->gate);

	printf("{\"unix_ms\":%lld,\"links\":%llu,\"received_bytes\":%llu,\"sent_bytes\":%llu,"
	       "\"sent_portions\":%llu,\"inner_portions\":%llu,\"members\":%zu}\n",
	       (long long)unix_ms(), (unsigned long long)c.links,
	       (unsigned long long)c.received_bytes, (unsigned long long)c.sent_bytes,
	       (unsigned long long)c.sent_portions, (unsigned long long)w->messages,
	       w->hosts_count);
}

static int serve(struct world *w, struct model *m)
{
	char token[TOKEN_TEXT_BYTES];

	raise_mesh(w, m);
	world_pass(w, SETTLE_US);
	check_final(w, m);
	w->options.epoch_unix_ms = unix_ms() - world_ms(w);
	expect(w, invite(w, m, 0, TOKEN_USES, token), "invite", 0);
	if (w->failures)
		return 1;
	if (!gate_open(w)) {
		fprintf(stderr, "smegsim: cannot listen: %s\n", strerror(errno));
		return 1;
	}
	printf("{\"token\":\"%s\"}\n", token);
	gate_run(w, &ended, report);
	return 0;
}

int crowd_run(const struct world_options *options, unsigned nodes)
{
	struct world_options o = *options;
	struct world w;
	struct model m;
	int status;

	signal(SIGTERM, on_term);
	signal(SIGPIPE, SIG_IGN);
	crypto_use_real(false);
	o.prepared = true;
	o.devices = false;
	o.epoch_unix_ms = unix_ms();
	memset(&o.prices, 0, sizeof(o.prices)); /* it takes the time that it takes */
	world_init(&w, &o);
	model_init(&m, nodes, "home");
	status = serve(&w, &m);
	gate_free(&w);
	world_fini(&w);
	model_fini(&m);
	return status;
}
