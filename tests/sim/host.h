/*
 * A simulated machine: a node and a hub, carried by a shell like the daemon's, a disk and a kernel.
 *
 * It does one thing at a time: each costs virtual time (world_options.prices), what it sends leaves
 * when that is spent, and what comes meanwhile waits.
 */
#ifndef SMEG_TESTS_SIM_HOST_H
#define SMEG_TESTS_SIM_HOST_H

#include "base/list.h"
#include "tests/sim/crypto.h"
#include "tests/sim/disk.h"
#include "tests/sim/kern.h"
#include "tests/sim/world.h"

struct arrival;

/* How the last command ended. */
struct outcome {
	uint64_t request;
	bool is_done;
	unsigned progress;
	int64_t done_ms;
	struct command_result result;
};

struct host {
	unsigned index;
	bool is_up;
	bool is_paused;      /* by host_pause() */
	bool is_silent;      /* power is off: not even a reset comes back */
	bool is_natted;      /* it dials, nobody dials it */
	bool is_leaving;     /* it was told to leave, and not to join since */
	int64_t back_us;     /* since then up, not paused and on this side */
	unsigned generation; /* counts boots */
	unsigned side;       /* see world.cut */
	unsigned region;
	int64_t clock_ahead_ms; /* of its wall clock */
	int64_t drift_ppm;      /* of both clocks */
	struct endpoint at;
	struct node *node;
	struct hub *hub;
	struct disk disk;
	struct kern_model kern;
	struct list links;     /* ends of links, of net.c */
	struct arrival *inbox; /* what has come and waits */
	struct arrival **inbox_end;
	bool is_serving;             /* something is planned for the inbox */
	int64_t timer_us;            /* planned for; INT64_MAX: none */
	int64_t busy_us;             /* until then it is at work */
	int64_t spent_us;            /* in the handling under way, without cryptography */
	struct crypto_counts before; /* it began */
	uint64_t spared_before;      /* by the pool, which verifies a statement once */
	struct event *todo;          /* answers and small news, in order */
	size_t todo_first;
	size_t todo_count;
	size_t todo_cap;
	bool is_handling;
	bool must_commit; /* before the next thing leaves */
	bool is_failing;  /* its disk is full: the daemon ends */
	uint64_t last_request;
	struct outcome outcome;
	uint64_t statements_refused;
	uint64_t records; /* that it signed */
	uint64_t refuted; /* times that it was pruned and came back */
	uint64_t sent_portions;
	uint64_t sent_bytes;
	uint64_t marked; /* portions with the marker of crypto_mark() */
};

struct host *host_new(struct world *w);          /* not booted */
void host_place(struct host *h, unsigned index); /* has the address of this one from now on */
void host_free(struct world *w, struct host *h);
struct host *host_at(const struct world *w, const struct hostport *at);

void host_boot(struct world *w, struct host *h);      /* from its disk */
void host_crash(struct world *w, struct host *h);     /* the process is killed */
void host_power_off(struct world *w, struct host *h); /* nobody hears of it */
void host_pause(struct world *w, struct host *h);     /* its clocks go on, it does not */
void host_resume(struct world *w, struct host *h);

/* Give a command; its outcome lands in h->outcome.  Strings of `c` are borrowed for the call. */
void host_command(struct world *w, struct host *h, struct command *c);

/* Something has come over the network; taken. */
void host_arrival(struct world *w, struct host *h, struct arrival *a);

int64_t host_unix_ms(const struct world *w, const struct host *h); /* by its own clock */

/* When what it sends now leaves. */
int64_t host_clear_us(const struct world *w, const struct host *h);

/*
 * When does each host know something?  `knows` is asked after whatever a host does, until it says
 * yes; the times are those at which the host is done with what told it.
 */
struct tracker {
	bool (*knows)(struct world *w, struct host *h, void *ctx);
	void *ctx;
	int64_t *known_us; /* by host; -1: not yet */
	size_t missing;    /* hosts that do not know */
};

void tracker_init(struct tracker *t, size_t hosts);
void tracker_fini(struct tracker *t);

#endif
