/*
 * The prefix trees: whoever news begin with, every member gets them once by each tree.
 *
 * The hosts here share one replica and have sessions as they want them; news are handed on by the
 * rule that gossip.c uses.  SEED=number repeats a run.
 */
#include "tests/unit/smegd/core/crowd.h"

#include <stdlib.h>

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
	session_for_each(to, &c->meshes[at]) {
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

static void test_each_tree_reaches_everybody_once_from_anywhere(void **state)
{
	static const size_t sizes[] = { 2, 3, 17, 400 };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
		struct crowd c;
		size_t longest = 0;

		crowd_init(&c, sizes[k], crowd_seed());
		crowd_meet(&c);
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
	crowd_init(&c, 400, crowd_seed());
	crowd_meet(&c);
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
	crowd_init(&c, 40, crowd_seed());
	crowd_meet(&c);
	m = &c.meshes[0];
	st = crowd_step(&c, 0);
	p = m->ring[RING_NEXT].want;
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
	crowd_init(&c, 40, crowd_seed());
	crowd_meet(&c);
	m = &c.meshes[0];
	st = crowd_step(&c, 0);
	p = m->ring[RING_NEXT].want;
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
