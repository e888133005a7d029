/*
 * Slots of few members: everybody is reached once, whether they are whole or not.
 */
#include "tests/unit/smegd/core/crowd.h"

#include <stdlib.h>

struct spread {
	size_t t;
	size_t *copies; /* by host */
	size_t longest;
	size_t last; /* copies that go no further */
};

static void hand_on(struct crowd *c, struct spread *s, size_t at, unsigned level, size_t depth)
{
	const struct session *to;

	s->longest = MAX_OF(s->longest, depth);
	session_for_each(to, &c->meshes[at]) {
		size_t next = (size_t)to->id - 1;
		unsigned way = few_way(to->peer, s->t, level);
		const struct peer *back;

		if (!way)
			continue;
		s->copies[next]++;
		s->last += way == (unsigned)WAY_LAST_1 << s->t;
		if (way == (unsigned)WAY_LAST_1 << s->t)
			continue;
		assert_int_equal(way, 1u << s->t);
		back = mesh_peer(&c->meshes[next], &c->pairs[at].box_public);
		assert_non_null(back);
		hand_on(c, s, next, tree_level_below(s->t, back->session), depth + 1);
	}
}

/* All are reached once from there in each tree; how many copies were the last, how many hops. */
static void reach(struct crowd *c, size_t from, size_t *ret_last, size_t *ret_longest)
{
	for (size_t t = 0; t < TREES; t++) {
		struct spread s = { .t = t };

		s.copies = calloc(c->count, sizeof(*s.copies));
		hand_on(c, &s, from, 0, 0);
		for (size_t i = 0; i < c->count; i++)
			assert_int_equal(s.copies[i], i != from);
		free(s.copies);
		*ret_last += s.last;
		*ret_longest = MAX_OF(*ret_longest, s.longest);
	}
}

static void reach_from_many(struct crowd *c, size_t *ret_last, size_t *ret_longest)
{
	*ret_last = *ret_longest = 0;
	for (size_t from = 0; from < c->count; from += 1 + c->count / 40)
		reach(c, from, ret_last, ret_longest);
}

static void test_each_is_told_once_in_fewer_hops(void **state)
{
	struct crowd c;
	size_t last;
	size_t before;
	size_t after;

	(void)state;
	crowd_init(&c, 400, crowd_seed());
	crowd_meet(&c);
	reach_from_many(&c, &last, &before);
	assert_int_equal(last, 0);
	crowd_count(&c);
	reach_from_many(&c, &last, &after);
	print_message("%zu hops before, %zu after\n", before, after);
	assert_true(last > 0);
	assert_true(after < before);
	crowd_fini(&c);
}

/* Of a few one is not connected: the finger of its slot hands on to it, and no other copy goes. */
static void test_who_is_not_connected_is_told_by_another(void **state)
{
	struct crowd c;
	size_t cut = 0;

	(void)state;
	crowd_init(&c, 400, crowd_seed());
	crowd_meet(&c);
	crowd_count(&c);
	for (size_t with = 1; with < c.count && cut < 20; with++) {
		const struct peer *p = mesh_peer(&c.meshes[0], &c.pairs[with].box_public);
		bool is_used = c.meshes[0].ring[RING_NEXT].use == p;
		size_t last = 0;
		size_t longest = 0;

		if (!p || !p->session || !p->is_one_of_few)
			continue;
		for (size_t t = 0; t < TREES; t++)
			is_used |= tree_leads_to(&c.meshes[0], t, 0, p);
		if (is_used)
			continue;
		cut++;
		crowd_disconnect(&c, 0, with);
		crowd_disconnect(&c, with, 0);
		reach(&c, 0, &last, &longest);
	}
	assert_true(cut > 0);
	crowd_fini(&c);
}

static struct slot *slot_at(struct mesh *m, size_t t, const struct spot *at)
{
	return &m->trees[t].slots[at->level[t]][at->digit[t]];
}

/* One that we do not know yet is in no count: until it is, its slot is not whole. */
static void test_a_newcomer_is_waited_for(void **state)
{
	struct crowd c;
	struct mesh *m;
	struct step st;
	const struct peer *p = NULL;
	struct map_node *pos;
	const struct entry *e;
	struct slot *slot = NULL;
	struct peer *newcomer;

	(void)state;
	crowd_init(&c, 400, crowd_seed());
	crowd_meet(&c);
	crowd_count(&c);
	m = &c.meshes[0];
	st = crowd_step(&c, 0);
	map_for_each(pos, &m->peers) {
		p = container_of(pos, struct peer, node);
		slot = slot_at(m, 0, &p->spot);
		if (p->is_one_of_few && slot->members > 1 && slot->members <= FEW)
			break;
	}
	assert_int_equal(few_way(p, 0, 0), WAY_LAST_1);
	/* As if it had not been there when we counted. */
	e = set_find(m->set, &p->key);
	newcomer = mesh_peer(m, &p->key);
	newcomer->is_one_of_few = false;
	slot->members--;
	m->count_ms = TIME_NEVER;
	tree_member(&st, m, e);
	map_for_each(pos, &m->peers) {
		p = container_of(pos, struct peer, node);
		if (slot_at(m, 0, &p->spot) == slot)
			assert_int_not_equal(few_way(p, 0, 0), WAY_LAST_1);
	}
	assert_in_range(m->count_ms, st.now.mono_ms + FEW_WAIT_MS / 2,
	                st.now.mono_ms + 3 * FEW_WAIT_MS / 2);
	st.now.mono_ms = m->count_ms;
	few_tick(&st, m);
	assert_true(newcomer->is_one_of_few);
	assert_int_equal(few_way(newcomer, 0, 0), WAY_LAST_1);
	/* A new record of one that is counted changes nothing. */
	tree_member(&st, m, e);
	assert_int_equal(m->count_ms, TIME_NEVER);
	crowd_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_told_once_in_fewer_hops),
		cmocka_unit_test(test_who_is_not_connected_is_told_by_another),
		cmocka_unit_test(test_a_newcomer_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
