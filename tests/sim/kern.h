/*
 * A model of the kernel's WireGuard: one device per mesh, with the rule that an allowed IP belongs
 * to one peer.  Strict: what the real kernel would refuse, it refuses.
 */
#ifndef SMEG_TESTS_SIM_KERN_H
#define SMEG_TESTS_SIM_KERN_H

#include "base/mem.h"
#include "smegd/core/model.h"

#define KERN_DEVICES_MAX 4

struct kern_model {
	struct device devices[KERN_DEVICES_MAX]; /* name "" where there is none */
	uint64_t writes;                         /* operations carried out */
};

void kern_fini(struct kern_model *k);
void kern_read(const struct kern_model *k,
               const char *name,
               struct arena *arena,
               struct device *ret);
int kern_apply(struct kern_model *k, const char *name, const struct plan *plan);
const struct device *kern_find(const struct kern_model *k, const char *name);

#endif
