/*
 * Links between hosts: ordered streams with delay and jitter, lost portions that come a
 * retransmission later, partitions in which nothing comes through until they heal, and both ways of
 * dying: a process that ends (the other side hears of it) and a machine that does (it does not).
 */
#ifndef SMEG_TESTS_SIM_NET_H
#define SMEG_TESTS_SIM_NET_H

#include "tests/sim/world.h"

/* `from` dials `at`; its host gets link_connected() or link_down() later.  Returns the number. */
uint64_t net_dial(struct world *w, struct host *from, const struct hostport *at);
void net_send(struct world *w, struct host *from, uint64_t link, struct bytes data);
void net_close(struct world *w, struct host *from, uint64_t link);

/* All links of a host break; told: the other ends hear of it. */
void net_break(struct world *w, struct host *h, bool told);
void net_fini(struct world *w);

#endif
