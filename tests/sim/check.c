/*
 * The judge: compares every host's view with the scenario's model and with the other hosts' views.
 */
#include "tests/sim/check.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_US (10 * SECOND_US)
#define ALL_VIEWS_MAX 300 /* hosts: above that the walk over all members of all takes seconds */

void model_init(struct model *m, size_t hosts, const char *mesh)
{
	memset(m, 0, sizeof(*m));
	strcpy(m->mesh, mesh);
	m->count = hosts;
	m->of = calloc(hosts, sizeof(*m->of));
	m->members = calloc(hosts, sizeof(*m->members));
	assert(m->of && m->members);
	map_init(&m->by_key, KEY_BYTES);
}

void model_fini(struct model *m)
{
	free(m->of);
	free(m->members);
}

void model_key(struct model *m, unsigned host, const struct key *key)
{
	struct model_member *member = &m->members[host];

	if (member->is_known)
		map_remove(&m->by_key, &member->node);
	member->is_known = true;
	member->host = host;
	member->key = *key;
	map_insert(&m->by_key, &member->node, member->key.b);
}

static bool takes_part(const struct world *w, const struct model *m, size_t i)
{
	return i < w->hosts_count && w->hosts[i]->is_up && !w->hosts[i]->is_paused &&
	       m->of[i] == EXPECT_IN;
}

static size_t expected_in(const struct model *m)
{
	size_t count = 0;

	for (size_t i = 0; i < m->count; i++)
		count += m->of[i] == EXPECT_IN;
	return count;
}

static size_t expected_dead(const struct model *m)
{
	size_t count = 0;

	for (size_t i = 0; i < m->count; i++)
		count += m->of[i] == EXPECT_DEAD;
	return count;
}

bool check_converged(struct world *w, const struct model *m)
{
	uint8_t digest[DIGEST_BYTES];
	size_t in = expected_in(m);
	size_t most = in + expected_dead(m);
	size_t members = 0;
	bool first = true;

	for (size_t i = 0; i < m->count; i++) {
		struct mesh_view v;

		if (!takes_part(w, m, i))
			continue;
		if (!node_mesh_find(w->hosts[i]->node, m->mesh, &v) || v.members < in ||
		    v.members > most)
			return false;
		if (!first &&
		    (v.members != members || memcmp(digest, v.digest, sizeof(digest)) != 0))
			return false;
		members = v.members;
		memcpy(digest, v.digest, sizeof(digest));
		first = false;
	}
	return true;
}

long check_host_of(const struct model *m, const struct key *key)
{
	struct map_node *node = map_find(&m->by_key, key->b);

	return node ? (long)container_of(node, struct model_member, node)->host : -1;
}

bool check_member(const struct world *w,
                  const struct model *m,
                  unsigned viewer,
                  unsigned who,
                  struct member_view *ret)
{
	const struct node *n = w->hosts[viewer]->node;
	struct key key = m->members[who].key;
	char id[MESH_ID_BYTES];
	struct mesh_view v;

	if (!node_mesh_find(n, m->mesh, &v))
		return false;
	memcpy(id, v.id, sizeof(id));
	/* The key just below leads to it. */
	for (int b = KEY_BYTES - 1; b >= 0 && key.b[b]-- == 0; b--)
		;
	return node_member_next(n, id, &key, ret) && key_equal(&ret->key, &m->members[who].key);
}

static bool is_cut_off(const struct world *w, const struct host *h)
{
	for (size_t i = 0; i < w->hosts_count; i++) {
		const struct host *other = w->hosts[i];

		if (other->side != h->side && other->is_up &&
		    (w->cut[h->side][other->side] || w->cut[other->side][h->side]))
			return true;
	}
	return false;
}

/* Its watchers may have found it silent: it is away, or has not been back for long. */
static bool may_be_pruned(const struct world *w, const struct host *h)
{
	return !h->is_up || h->is_paused || w->now_us - h->back_us < CHECK_BACK_US ||
	       is_cut_off(w, h);
}

/* May this view have it so?  Who is just back has old news for a while, and may still hear of more.
 */
bool check_is_excused(const struct world *w, const struct host *viewer, const struct host *h)
{
	return may_be_pruned(w, h) || w->now_us - viewer->back_us < CHECK_BACK_US;
}

static void check_one(struct world *w, const struct model *m, size_t viewer, long who, int standing)
{
	bool excused =
		standing == STANDING_PRUNED && check_is_excused(w, w->hosts[viewer], w->hosts[who]);

	if (m->of[who] == EXPECT_IN && standing != STANDING_IN && !excused)
		world_fail(w, "host %zu counts host %ld out (%d)", viewer, who, standing);
	else if (m->of[who] == EXPECT_LEFT && standing == STANDING_IN)
		world_fail(w, "host %zu counts host %ld in, which left", viewer, who);
}

static void check_view(struct world *w, const struct model *m, size_t i, bool settled)
{
	struct mesh_view v;
	struct member_view member = { .is_self = false };
	const struct key *after = NULL;
	struct key last;

	if (!node_mesh_find(w->hosts[i]->node, m->mesh, &v)) {
		world_fail(w, "host %zu lost the mesh", i);
		return;
	}
	while (node_member_next(w->hosts[i]->node, v.id, after, &member)) {
		long who = check_host_of(m, &member.key);

		last = member.key;
		after = &last;
		if (who < 0) {
			if (settled)
				world_fail(w, "host %zu has a member nobody knows", i);
		} else if (settled) {
			check_one(w, m, i, who, (int)member.standing);
		} else if (member.standing == STANDING_EXPELLED ||
		           (member.standing == STANDING_PRUNED && m->of[who] == EXPECT_IN &&
		            !check_is_excused(w, w->hosts[i], w->hosts[who]))) {
			world_fail(w, "host %zu: host %ld was removed by others", i, who);
		}
	}
}

/* Replicas that are equal give equal views: in a large mesh, one tells of all. */
static bool one_tells_all(struct world *w, const struct model *m, bool settled)
{
	return settled && m->count > ALL_VIEWS_MAX && check_converged(w, m);
}

void check_safety(struct world *w, const struct model *m, bool settled)
{
	bool one = one_tells_all(w, m, settled);

	for (size_t i = 0; i < m->count; i++) {
		if (!takes_part(w, m, i))
			continue;
		check_view(w, m, i, settled);
		if (one)
			return;
	}
}

static size_t count_left(const struct model *m)
{
	size_t count = 0;

	for (size_t i = 0; i < m->count; i++)
		count += m->of[i] == EXPECT_LEFT;
	return count;
}

void check_devices(struct world *w, const struct model *m)
{
	size_t others = expected_in(m) - 1;
	/* Tunnels of those who were pruned stay for a while, also of who left unheard. */
	size_t dead = expected_dead(m) + count_left(m);

	for (size_t i = 0; i < m->count; i++) {
		const struct device *d;
		struct mesh_view v;

		if (!takes_part(w, m, i) || !node_mesh_find(w->hosts[i]->node, m->mesh, &v))
			continue;
		d = kern_find(&w->hosts[i]->kern, v.device);
		if (!d || !d->up || d->peers_count < others || d->peers_count > others + dead)
			world_fail(w, "host %zu: device has %zu peers, not %zu", i,
			           d ? d->peers_count : 0, others);
		for (size_t p = 0; d && p < d->peers_count; p++)
			if (check_host_of(m, &d->peers[p].key) < 0 ||
			    d->peers[p].allowed_count != 1 || d->peers[p].allowed[0].bits != 128 ||
			    !d->peers[p].has_endpoint)
				world_fail(w, "host %zu: peer %zu is rendered wrongly", i, p);
	}
}

static bool settled(struct world *w, void *ctx)
{
	return check_converged(w, ctx);
}

void check_final(struct world *w, const struct model *m)
{
	/* Devices follow the roster within a moment; somebody may be naming other watchers. */
	world_pass(w, w->options.devices ? SECOND_US : 0);
	if (!check_converged(w, m) && !world_run(w, w->now_us + SETTLE_US, settled, (void *)m))
		world_fail(w, "the replicas differ");
	check_safety(w, m, true);
	if (w->options.devices)
		check_devices(w, m);
	w->checked_us = w->now_us;
}

void check_end(struct world *w)
{
	if (w->model && expected_in(w->model) && w->checked_us != w->now_us)
		check_final(w, w->model);
}
