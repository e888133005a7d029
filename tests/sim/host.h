/*
 * A simulated machine: a node and a hub, carried by a shell like the daemon's, a disk and a kernel.
 */
#ifndef SMEG_TESTS_SIM_HOST_H
#define SMEG_TESTS_SIM_HOST_H

#include "tests/sim/disk.h"
#include "tests/sim/kern.h"
#include "tests/sim/world.h"

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
	bool is_paused;
	unsigned generation; /* counts boots */
	unsigned side;       /* hosts of different sides can't hear each other */
	int64_t clock_ahead_ms;
	struct endpoint at;
	struct node *node;
	struct hub *hub;
	struct effects fx;
	struct hub_outputs outer; /* of what comes from the network */
	struct hub_outputs inner; /* of what the node asks for */
	struct disk disk;
	struct kern_model kern;
	int64_t timer_us;   /* planned for; INT64_MAX: none */
	struct event *todo; /* answers and small news, in order */
	size_t todo_first;
	size_t todo_count;
	size_t todo_cap;
	bool is_running;  /* inside run() */
	bool must_commit; /* before the next thing leaves */
	uint64_t last_request;
	struct outcome outcome;
	uint64_t statements_refused;
};

struct host *host_new(struct world *w);
void host_free(struct world *w, struct host *h);
struct host *host_at(const struct world *w, const struct hostport *at);

void host_boot(struct world *w, struct host *h);      /* from its disk */
void host_crash(struct world *w, struct host *h);     /* the process is killed */
void host_power_off(struct world *w, struct host *h); /* nobody hears of it */

/* Give a command; its outcome lands in h->outcome.  Strings of `c` are borrowed for the call. */
void host_command(struct world *w, struct host *h, struct command *c);

void host_accepted(struct world *w, struct host *h, uint64_t link, const struct endpoint *remote);
void host_connected(struct world *w, struct host *h, uint64_t link, const struct endpoint *remote);
void host_bytes(struct world *w, struct host *h, uint64_t link, struct bytes data);
void host_link_down(struct world *w, struct host *h, uint64_t link, int err);

#endif
