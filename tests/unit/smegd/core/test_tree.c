/*
 * The prefix trees: whoever news begin with, every member gets them once by each tree.
 *
 * The hosts here share one replica and have sessions as they want them; news are handed on by the
 * rule that gossip.c uses.  SEED=number repeats a run.
 */
#include "tests/unit/memtest.h"

#include "smegd/core/node_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOW_MS 1700000000000LL

struct crowd {
	struct memtest mt;
	struct rng rng;
	struct keypair mesh;
	struct set *set;
	size_t count;
	struct node *nodes;
	struct mesh *meshes;
	struct keypair *pairs;
	bool *is_dead;
};

static struct instant now(void)
{
	return (struct instant){ 1000, NOW_MS };
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
		               .issued_ms = NOW_MS };
	struct record r = { .role = role, .counter = NOW_MS, .places_count = 1 };
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
	arena_init(&n->scratch, n->mem);
	m->owner = n;
	m->state = MESH_ACTIVE;
	m->role = ROLE_PEER;
	m->self = c->pairs[i];
	m->set = c->set;
	m->settings.places_count = 1;
	map_init(&m->peers, KEY_BYTES);
}

static struct step step_of(struct crowd *c, size_t i)
{
	return (struct step){ .n = &c->nodes[i], .now = now() };
}

static size_t index_of(const struct crowd *c, const struct key *k)
{
	for (size_t i = 0; i < c->count; i++)
		if (key_equal(&c->pairs[i].box_public, k))
			return i;
	fail_msg("nobody has that key");
	return 0;
}

static void connect(struct crowd *c, size_t i, size_t with)
{
	struct step st = step_of(c, i);
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

static void crowd_init(struct crowd *c, size_t count, uint64_t number)
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
	assert_int_equal(appoint_sign(&c->mt.mem, &c->pairs[0].sign_public, NOW_MS, &c->mesh, &s),
	                 0);
	take(c, s);
	for (size_t i = 0; i < count; i++)
		admit(c, i, ROLE_PEER);
	for (size_t i = 0; i < count; i++)
		make_node(c, i);
}

/* Everybody is connected with whom it wants. */
static void meet(struct crowd *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct step st = step_of(c, i);

		tree_start(&st, &c->meshes[i]);
		tree_choose(&st, &c->meshes[i]);
		assert_int_equal(st.err, 0);
	}
	for (size_t i = 0; i < c->count; i++) {
		struct map_node *pos;

		map_for_each(pos, &c->meshes[i].peers) {
			struct peer *p = container_of(pos, struct peer, node);
			size_t other = index_of(c, &p->key);

			if (!p->is_wanted)
				continue;
			connect(c, i, other);
			connect(c, other, i);
		}
	}
}

static void crowd_fini(struct crowd *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct map_node *pos;

		for (size_t k = 0; k < c->meshes[i].sessions_all; k++)
			mem_free(&c->mt.mem, c->meshes[i].sessions[k]);
		mem_free(&c->mt.mem, c->meshes[i].sessions);
		table_fini(&c->nodes[i].sessions, &c->mt.mem);
		while ((pos = map_first(&c->meshes[i].peers))) {
			map_remove(&c->meshes[i].peers, pos);
			mem_free(&c->mt.mem, container_of(pos, struct peer, node));
		}
		arena_fini(&c->nodes[i].scratch);
	}
	set_free(c->set);
	free(c->nodes);
	free(c->meshes);
	free(c->pairs);
	free(c->is_dead);
	memtest_assert_no_leak(&c->mt);
}

/* --- handing on ---------------------------------------------------------------------------------
 */

struct spread {
	size_t t;
	size_t *copies; /* by host */
	size_t longest;
};

static void hand_on(struct crowd *c, struct spread *s, size_t at, unsigned level, size_t depth)
{
	const struct session *to;

	s->longest = MAX_OF(s->longest, depth);
	session_for_each(to, &c->meshes[at])
	{
		size_t next = (size_t)to->id - 1;
		const struct peer *back;

		if (!tree_leads_to(&c->meshes[at], s->t, level, to->peer) || c->is_dead[next])
			continue;
		s->copies[next]++;
		back = mesh_peer(&c->meshes[next], &c->pairs[at].box_public);
		assert_non_null(back);
		hand_on(c, s, next, tree_level_below(s->t, back->session), depth + 1);
	}
}

static uint64_t seed(void)
{
	const char *text = getenv("SEED");
	uint64_t number = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);

	print_message("SEED=%llu\n", (unsigned long long)number);
	return number;
}

static void test_each_tree_reaches_everybody_once_from_anywhere(void **state)
{
	static const size_t sizes[] = { 2, 3, 17, 400 };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
		struct crowd c;
		size_t longest = 0;

		crowd_init(&c, sizes[k], seed());
		meet(&c);
		for (size_t from = 0; from < c.count; from += 1 + c.count / 40) {
			for (size_t t = 0; t < TREES; t++) {
				struct spread s = { .t = t };

				s.copies = calloc(c.count, sizeof(*s.copies));
				hand_on(&c, &s, from, 0, 0);
				for (size_t i = 0; i < c.count; i++)
					assert_int_equal(s.copies[i], i != from);
				longest = MAX_OF(longest, s.longest);
				free(s.copies);
			}
		}
		print_message("%zu members: %zu hops at most\n", c.count, longest);
		assert_true(longest <= TREE_LEVELS);
		crowd_fini(&c);
	}
}

/* With a twentieth of the members dead, the two trees together lose few. */
static void test_what_one_tree_loses_the_other_brings(void **state)
{
	struct crowd c;
	size_t lost_by_one = 0;
	size_t lost = 0;
	size_t living = 0;

	(void)state;
	crowd_init(&c, 400, seed());
	meet(&c);
	for (size_t i = 1; i < c.count; i++)
		c.is_dead[i] = rng_below(&c.rng, 20) == 0;
	for (size_t from = 0; from < c.count; from += 10) {
		struct spread s[TREES];

		if (c.is_dead[from])
			continue;
		for (size_t t = 0; t < TREES; t++) {
			s[t] = (struct spread){ .t = t,
				                .copies = calloc(c.count, sizeof(*s[t].copies)) };
			hand_on(&c, &s[t], from, 0, 0);
		}
		for (size_t i = 0; i < c.count; i++) {
			if (c.is_dead[i] || i == from)
				continue;
			living++;
			lost_by_one += !s[0].copies[i];
			lost += !s[0].copies[i] && !s[1].copies[i];
		}
		free(s[0].copies);
		free(s[1].copies);
	}
	print_message("lost by the first tree: %.2f %%, by both: %.2f %%\n",
	              100.0 * (double)lost_by_one / (double)living,
	              100.0 * (double)lost / (double)living);
	assert_true(lost_by_one * 10 <= living * 3);
	assert_true(lost * 100 <= living * 5);
	crowd_fini(&c);
}

/*
 * A finger that could not be reached for a while, and then dials: it is wanted again, or the
 * session would be closed by its dialler, who may not want it, and both trees end here.
 */
static void test_who_was_out_of_reach_is_wanted_when_it_comes(void **state)
{
	struct crowd c;
	struct mesh *m;
	struct step st;
	struct slot *slot;
	struct peer *p;
	struct session *s;

	(void)state;
	crowd_init(&c, 40, seed());
	meet(&c);
	m = &c.meshes[0];
	st = step_of(&c, 0);
	p = m->next.want;
	assert_non_null(p);
	slot = &m->trees[0].slots[p->spot.level[0]][p->spot.digit[0]];
	p = slot->want;
	s = p->session;
	p->session = NULL;
	tree_session_down(p);
	p->is_unreachable = true;
	tree_unreachable(&st, p);
	tree_choose(&st, m);
	assert_false(p->is_wanted);
	p->session = s;
	p->is_unreachable = false;
	tree_session_up(&st, s);
	assert_ptr_equal(slot->want, p);
	assert_ptr_equal(slot->use, p);
	tree_choose(&st, m);
	assert_true(p->is_wanted);
	crowd_fini(&c);
}

/* A finger that goes is replaced by the next nearest; a newcomer that is nearer takes its place. */
static void test_slots_follow_the_members(void **state)
{
	struct crowd c;
	struct mesh *m;
	struct step st;
	struct slot before;
	struct slot *slot;
	struct peer *p;

	(void)state;
	crowd_init(&c, 40, seed());
	meet(&c);
	m = &c.meshes[0];
	st = step_of(&c, 0);
	p = m->next.want;
	assert_non_null(p);
	slot = &m->trees[0].slots[p->spot.level[0]][p->spot.digit[0]];
	before = *slot;
	before.want->session = NULL;
	tree_session_down(before.want);
	before.want->is_unreachable = true;
	tree_unreachable(&st, before.want);
	tree_choose(&st, m);
	assert_ptr_not_equal(slot->want, before.want);
	/* It is there again. */
	before.want->is_unreachable = false;
	tree_member(&st, m, set_find(m->set, &before.want->key));
	assert_ptr_equal(slot->want, before.want);
	crowd_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_tree_reaches_everybody_once_from_anywhere),
		cmocka_unit_test(test_what_one_tree_loses_the_other_brings),
		cmocka_unit_test(test_slots_follow_the_members),
		cmocka_unit_test(test_who_was_out_of_reach_is_wanted_when_it_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
