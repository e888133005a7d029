/*
 * A healthy mesh on a LAN: what idling costs, and ten changes one after the other.
 */
#include "tests/sim/measure.h"

#include "tests/sim/act.h"

#include <stdio.h>

#define CHANGES 10
#define IDLE_US (MINUTE_US / 2) /* three beats, six pulls of each host */

static double idle(struct measure *b, struct world *w, const struct model *m)
{
	struct traffic before = traffic_of(w);
	double seconds = (double)IDLE_US / 1e6;
	double rate;
	double portions;

	world_pass(w, IDLE_US);
	rate = (double)(w->bytes - before.bytes) / (double)m->count / seconds;
	portions = (double)(w->messages - before.portions) / (double)m->count / seconds;
	measure_add(measure_series(b, "idle_bytes_per_s", "B/s", SUM_WORST), rate);
	measure_add(measure_series(b, "idle_tcp_bytes_per_s", "B/s", SUM_WORST),
	            rate + MEASURE_TCP_BYTES * portions);
	measure_add(measure_series(b, "idle_messages_per_s", "1/s", SUM_WORST), portions);
	return rate;
}

static void changes(struct measure *b, struct world *w, struct model *m, double idle_rate)
{
	struct series *last = measure_series(b, "spread_lan_p99_ms", "ms", SUM_P99);
	double copies = 0;
	double bytes = 0;
	double portions = 0;

	for (unsigned i = 0; i < CHANGES; i++) {
		struct spread s;

		spread_change(w, m, measure_host(w, m), MINUTE_US, &s);
		if (s.missing)
			measure_lost(last);
		else
			measure_add(last, (double)s.last_us / 1e3);
		copies += s.copies / CHANGES;
		portions += s.portions / CHANGES;
		bytes += (s.bytes - idle_rate * (double)(s.last_us + SPREAD_TAIL_US) / 1e6) /
		         CHANGES;
	}
	measure_add(measure_series(b, "spread_copies", "copies", SUM_WORST), copies);
	measure_add(measure_series(b, "change_bytes", "B", SUM_WORST), bytes);
	measure_add(measure_series(b, "change_messages", "1", SUM_WORST), portions);
}

/* Prepared records say what their hosts would say, if few sign anew: see prepare.c. */
static void tell_signers(const struct world *w)
{
	size_t count = 0;

	for (size_t i = 0; i < w->hosts_count; i++)
		count += w->hosts[i]->records != 0;
	fprintf(stderr, "# calm: %zu of %zu hosts have signed a record since their start\n", count,
	        w->hosts_count);
}

static void run(struct measure *b, struct world *w, struct model *m)
{
	tell_signers(w);
	changes(b, w, m, idle(b, w, m));
	check_final(w, m);
}

GROUP_SETTLED(calm,
              "a healthy LAN: spread_lan_p99_ms, spread_copies, change_bytes, idle_*",
              MINUTE_US)
