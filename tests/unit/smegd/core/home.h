/*
 * The mesh "home" of net.h with what tests of its watchers need: hosts fall silent, lie, or are cut
 * off, and one looks at what the others hold for true.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_CORE_HOME_H
#define SMEG_TESTS_UNIT_SMEGD_CORE_HOME_H

#include "smegd/core/watch_priv.h"
#include "tests/unit/smegd/core/net.h"

void home_init(struct net *n, size_t hosts);
struct mesh *home_mesh(const struct net *n, size_t host);
const struct key *home_key(const struct net *n, size_t host);
const struct entry *home_seen(const struct net *n, size_t by, const struct key *key);
struct watched *home_watched(const struct net *n, size_t by, const struct key *key);
void home_isolate(struct net *n, size_t host, bool cut);
/* Falls silent without a word, as a host that loses its power. */
struct key home_vanish(struct net *n, size_t host);
bool home_has_pruned(const struct net *n, const struct key *key);
bool home_has(const struct net *n, const struct key *key);
/* How long until it is so; at most max_ms. */
int64_t home_until(struct net *n,
                   bool (*is_so)(const struct net *n, const struct key *key),
                   const struct key *key,
                   int64_t max_ms);
void home_abstain(const struct net *n, size_t host);
struct session *home_session(const struct net *n, size_t at, size_t with);
void home_break(struct net *n, size_t a, size_t b);
/* As if host `from` had sent it to host `to`, which may be hostile of it. */
void home_say(struct net *n, size_t from, size_t to, const struct msg *msg);
struct msg home_suspect(const struct net *n, size_t about);
struct msg home_attest(const struct net *n, size_t by, size_t about);
bool home_watches(const struct net *n, size_t of, size_t host);
/* All watchers that host `of` names sign against it; it hears so from the first of them. */
size_t home_prune(struct net *n, size_t of);

#endif
