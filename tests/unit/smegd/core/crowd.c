/*
 * See crowd.h.
 */
#include "tests/unit/smegd/core/crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct instant now(void)
{
	return (struct instant){ 1000, CROWD_NOW_MS };
}

static void take(struct crowd *c, struct stmt *s)
{
	struct offered o;

	assert_int_equal(set_offer(c->set, s->raw, now(), true, &o), 0);
	assert_int_equal(o.offer, OFFER_NEW);
	stmt_unref(&c->mt.mem, s);
}

static void make_pair(struct crowd *c, struct keypair *pair)
{
	uint8_t seed[KEY_BYTES];

	do
		rng_bytes(&c->rng, seed, sizeof(seed));
	while (keypair_from_seed(pair, seed));
}

/* The first is administrator and admits all. */
static void admit(struct crowd *c, size_t i, enum role role)
{
	struct admission a = { .subject = c->pairs[i].sign_public,
		               .role = role,
		               .issued_ms = CROWD_NOW_MS };
	struct record r = { .role = role, .counter = CROWD_NOW_MS, .places_count = 1 };
	struct stmt *s;

	assert_int_equal(addr_parse(&r.places[0].addr, "2001:db8::1"), 0);
	r.places[0].kind = PLACE_GIVEN;
	r.places[0].gossip_port = 21820;
	assert_int_equal(admission_sign(&c->mt.mem, &a, &c->pairs[0], &c->mesh.sign_public, &s), 0);
	take(c, s);
	assert_int_equal(record_sign(&c->mt.mem, &r, &c->pairs[i], &c->mesh.sign_public, &s), 0);
	take(c, s);
}

static void make_node(struct crowd *c, size_t i)
{
	struct node *n = &c->nodes[i];
	struct mesh *m = &c->meshes[i];

	n->mem = &c->mt.mem;
	list_init(&n->meshes);
	table_init(&n->sessions);
	table_init(&n->dials);
	arena_init(&n->scratch, n->mem);
	n->rng = c->rng;
	m->owner = n;
	m->state = MESH_ACTIVE;
	m->role = ROLE_PEER;
	m->self = c->pairs[i];
	m->set = c->set;
	m->settings.places_count = 1;
	map_init(&m->peers, KEY_BYTES);
}

struct step crowd_step(struct crowd *c, size_t i)
{
	return (struct step){ .n = &c->nodes[i], .now = now() };
}

size_t crowd_index(const struct crowd *c, const struct key *k)
{
	for (size_t i = 0; i < c->count; i++)
		if (key_equal(&c->pairs[i].box_public, k))
			return i;
	fail_msg("nobody has that key");
	return 0;
}

void crowd_connect(struct crowd *c, size_t i, size_t with)
{
	struct step st = crowd_step(c, i);
	struct mesh *m = &c->meshes[i];
	struct peer *p = mesh_peer_make(&st, m, &c->pairs[with].box_public);
	struct session *s;

	assert_non_null(p);
	if (p->session)
		return;
	s = session_add(&st, m, with + 1);
	assert_non_null(s);
	s->peer = p;
	p->session = s;
	tree_session_up(&st, s);
	m->sessions_count++;
}

void crowd_init(struct crowd *c, size_t count, uint64_t number)
{
	uint8_t seed[RNG_SEED_BYTES] = { 0 };
	struct set_options options = { .life_ms = LIFE_MS, .members_max = LIMIT_MEMBERS };
	struct stmt *s;

	memset(c, 0, sizeof(*c));
	memtest_init(&c->mt);
	memcpy(seed, &number, sizeof(number));
	rng_init(&c->rng, seed);
	c->count = count;
	c->nodes = calloc(count, sizeof(*c->nodes));
	c->meshes = calloc(count, sizeof(*c->meshes));
	c->pairs = calloc(count, sizeof(*c->pairs));
	c->is_dead = calloc(count, sizeof(*c->is_dead));
	make_pair(c, &c->mesh);
	options.mem = &c->mt.mem;
	options.mesh_public = c->mesh.sign_public;
	assert_int_equal(set_new(&options, &c->set), 0);
	for (size_t i = 0; i < count; i++)
		make_pair(c, &c->pairs[i]);
	assert_int_equal(
		appoint_sign(&c->mt.mem, &c->pairs[0].sign_public, CROWD_NOW_MS, &c->mesh, &s), 0);
	take(c, s);
	for (size_t i = 0; i < count; i++)
		admit(c, i, ROLE_PEER);
	for (size_t i = 0; i < count; i++)
		make_node(c, i);
}

void crowd_disconnect(struct crowd *c, size_t i, size_t with)
{
	struct peer *p = mesh_peer(&c->meshes[i], &c->pairs[with].box_public);
	struct session *s = p ? p->session : NULL;

	if (!s)
		return;
	session_drop(&c->nodes[i], s);
	p->session = NULL;
	c->meshes[i].sessions_count--;
	tree_session_down(p);
	mem_free(&c->mt.mem, s);
}

static void connect_wanted(struct crowd *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct map_node *pos;

		map_for_each(pos, &c->meshes[i].peers) {
			struct peer *p = container_of(pos, struct peer, node);
			size_t other = crowd_index(c, &p->key);

			if (!p->is_wanted)
				continue;
			crowd_connect(c, i, other);
			crowd_connect(c, other, i);
		}
	}
}

void crowd_meet(struct crowd *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct step st = crowd_step(c, i);

		few_start(&st, &c->meshes[i]);
		tree_start(&st, &c->meshes[i]);
		tree_choose(&st, &c->meshes[i]);
		assert_int_equal(st.err, 0);
	}
	connect_wanted(c);
}

void crowd_count(struct crowd *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct step st = crowd_step(c, i);

		tree_choose(&st, &c->meshes[i]);
		assert_int_equal(c->meshes[i].lacking, 0);
		st.now.mono_ms = few_deadline(&c->meshes[i]);
		few_tick(&st, &c->meshes[i]);
		tree_choose(&st, &c->meshes[i]);
		assert_int_equal(st.err, 0);
	}
	connect_wanted(c);
}

void crowd_fini(struct crowd *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct map_node *pos;

		for (size_t k = 0; k < c->meshes[i].sessions_all; k++)
			mem_free(&c->mt.mem, c->meshes[i].sessions[k]);
		mem_free(&c->mt.mem, c->meshes[i].sessions);
		table_fini(&c->nodes[i].sessions, &c->mt.mem);
		table_fini(&c->nodes[i].dials, &c->mt.mem);
		while ((pos = map_first(&c->meshes[i].peers))) {
			map_remove(&c->meshes[i].peers, pos);
			mem_free(&c->mt.mem, container_of(pos, struct peer, node));
		}
		mem_free(&c->mt.mem, c->meshes[i].peers_list);
		arena_fini(&c->nodes[i].scratch);
	}
	set_free(c->set);
	free(c->nodes);
	free(c->meshes);
	free(c->pairs);
	free(c->is_dead);
	memtest_assert_no_leak(&c->mt);
}

uint64_t crowd_seed(void)
{
	const char *text = getenv("SEED");
	uint64_t number = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);

	print_message("SEED=%llu\n", (unsigned long long)number);
	return number;
}
