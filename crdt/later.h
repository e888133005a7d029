#ifndef SMEG_CRDT_LATER_H
#define SMEG_CRDT_LATER_H
#include "crdt/set.h"
enum role record_role(const struct stmt *s);
void stmt_digest16(const struct stmt *s, uint8_t out[16]);
int set_visit_all(const struct set *s, set_visit *visit, void *ctx) MUST_CHECK;
#endif
