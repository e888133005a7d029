/*
 * What scenarios do to a world: raise a mesh, give commands, let it come to rest.
 */
#ifndef SMEG_TESTS_SIM_ACT_H
#define SMEG_TESTS_SIM_ACT_H

#include "tests/sim/check.h"

/*
 * All of the model's hosts in one mesh.  Few of them join with one token, all at once; many begin
 * from prepared disks, see prepare.h.  Returns when all agree.
 */
void raise_mesh(struct world *w, struct model *m);

/* The same, and then the last quarter of the hosts join as clients behind NAT.  The first of them.
 */
unsigned raise_with_clients(struct world *w, struct model *m);

/* Run a command to its end; its error. */
int command(struct world *w, struct host *h, struct command *c);
void expect(struct world *w, int err, const char *what, unsigned host);
void name_mesh(struct command *c, const struct model *m);

void create(struct world *w, struct model *m, unsigned host);
int invite(struct world *w,
           struct model *m,
           unsigned host,
           uint32_t uses,
           char token[TOKEN_TEXT_BYTES]);
/* A token for one key, so that its holder can join where no administrator is. */
void invite_for(struct world *w, struct model *m, unsigned who, char token[TOKEN_TEXT_BYTES]);
int join(struct world *w, struct model *m, unsigned host, const char *token);
int join_as(struct world *w, struct model *m, unsigned host, const char *token, enum role role);
void leave(struct world *w, struct model *m, unsigned host);

/* Change a host's description, at once; the outcome is not waited for. */
void describe(struct world *w, struct model *m, unsigned host, const char *text);

/* Until all agree with each other and with the model, or it is a failure. */
bool settle(struct world *w, struct model *m, int64_t within_us, const char *what);

unsigned random_host(struct world *w, const struct model *m);
void boot_all(struct world *w);

/* Hosts fall into so many sides, by index; 1: whole again. */
void set_sides(struct world *w, unsigned sides);

#endif
