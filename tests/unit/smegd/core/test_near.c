/*
 * Near fingers: who answers sooner is found, stays, and then nobody is dialled any more.
 */
#include "tests/unit/smegd/core/crowd.h"

#include <stdlib.h>

#define FAR_MS 200
#define MEMBERS 300

/* Host 0 of a crowd, which explores. */
struct explorer {
	struct crowd c;
	struct effects fx;
	struct mesh *m;
	int64_t mono_ms;
	size_t near;   /* answers in a millisecond, all others in FAR_MS; 0: nobody does */
	size_t *dials; /* by host */
	size_t dials_count;
};

static struct step explorer_step(struct explorer *x)
{
	struct step st = crowd_step(&x->c, 0);

	st.fx = &x->fx;
	st.now.mono_ms = x->mono_ms;
	return st;
}

static void measure(struct explorer *x, size_t with)
{
	struct step st = explorer_step(x);
	struct peer *p = mesh_peer(x->m, &x->c.pairs[with].box_public);

	p->session->is_asking = false;
	p->session->dialled = true;
	p->rtt_ms = with == x->near ? 1 : FAR_MS;
	near_measured(&st, p->session);
}

static void explorer_init(struct explorer *x)
{
	memset(x, 0, sizeof(*x));
	crowd_init(&x->c, MEMBERS, crowd_seed());
	crowd_meet(&x->c);
	crowd_count(&x->c);
	x->m = &x->c.meshes[0];
	x->mono_ms = 1000;
	x->dials = calloc(MEMBERS, sizeof(*x->dials));
	effects_init(&x->fx, &x->c.mt.mem);
	for (size_t i = 1; i < MEMBERS; i++) {
		const struct peer *p = mesh_peer(x->m, &x->c.pairs[i].box_public);

		if (p && p->session)
			measure(x, i);
	}
}

static void explorer_fini(struct explorer *x)
{
	effects_fini(&x->fx);
	free(x->dials);
	crowd_fini(&x->c);
}

/* Who is dialled answers; who is not wanted then is closed. */
static void carry_out(struct explorer *x)
{
	for (size_t i = 0; i < x->fx.count; i++) {
		struct peer *p;
		size_t with;

		if (x->fx.list[i].kind != FX_DIAL)
			continue;
		with = crowd_index(&x->c, &x->fx.list[i].u.dial.peer);
		p = mesh_peer(x->m, &x->c.pairs[with].box_public);
		p->dial = 0;
		x->dials[with]++;
		x->dials_count++;
		crowd_connect(&x->c, 0, with);
		measure(x, with);
		if (!tree_holds(x->m, p))
			crowd_disconnect(&x->c, 0, with);
	}
	effects_reset(&x->fx);
}

static void explore(struct explorer *x, size_t times)
{
	for (size_t i = 0; i < times; i++) {
		struct step st;

		x->mono_ms = near_deadline(x->m);
		st = explorer_step(x);
		near_tick(&st, x->m);
		assert_int_equal(st.err, 0);
		carry_out(x);
	}
}

/* A host in a slot of level 0 in the first tree that has many members, but not its finger. */
static size_t one_of_many(struct explorer *x, struct slot **ret_slot)
{
	for (size_t i = 1; i < MEMBERS; i++) {
		struct spot at;

		tree_spot(x->m, &x->c.pairs[i].box_public, &at);
		*ret_slot = &x->m->trees[0].slots[at.level[0]][at.digit[0]];
		if (at.level[0] == 0 && (*ret_slot)->members > FEW && (*ret_slot)->members < 24 &&
		    !mesh_peer(x->m, &x->c.pairs[i].box_public))
			return i;
	}
	fail_msg("all slots have few");
	return 0;
}

static void test_each_is_tried_and_then_nobody(void **state)
{
	struct explorer x;
	size_t dials;

	(void)state;
	explorer_init(&x);
	explore(&x, 2000);
	dials = x.dials_count;
	print_message("%zu dials\n", dials);
	assert_in_range(dials, MEMBERS / 2, TREES * MEMBERS);
	/* One has a slot in each tree, and is tried for both. */
	for (size_t i = 0; i < MEMBERS; i++)
		assert_true(x.dials[i] <= TREES);
	x.mono_ms = 100 * MS_PER_MINUTE;
	explore(&x, 20);
	assert_int_equal(x.dials_count, dials);
	assert_true(near_deadline(x.m) - x.mono_ms >= 20 * MS_PER_SECOND);
	explorer_fini(&x);
}

static void test_who_answers_sooner_is_found_and_stays(void **state)
{
	struct explorer x;
	struct step st;
	struct slot *slot;
	struct peer *near;
	size_t dials;

	(void)state;
	explorer_init(&x);
	x.near = one_of_many(&x, &slot);
	explore(&x, 2000);
	near = mesh_peer(x.m, &x.c.pairs[x.near].box_public);
	assert_non_null(near);
	assert_ptr_equal(slot->want, near);
	assert_ptr_equal(slot->use, near);
	/* All others come, among them those of nearer positions, and say something new. */
	dials = x.dials_count;
	for (size_t i = 1; i < MEMBERS; i++) {
		st = explorer_step(&x);
		crowd_connect(&x.c, 0, i);
		tree_member(&st, x.m, set_find(x.m->set, &x.c.pairs[i].box_public));
		assert_ptr_equal(slot->want, near);
		assert_ptr_equal(slot->use, near);
	}
	explore(&x, 20);
	assert_int_equal(x.dials_count, dials);
	/* When it goes another takes its place. */
	crowd_disconnect(&x.c, 0, x.near);
	near->is_unreachable = true;
	st = explorer_step(&x);
	tree_unreachable(&st, near);
	tree_choose(&st, x.m);
	assert_ptr_not_equal(slot->want, near);
	assert_non_null(slot->want);
	explorer_fini(&x);
}

/* A finger that dialled us, and whose answers nobody has timed. */
static void test_a_finger_of_whom_nothing_is_known_is_asked(void **state)
{
	struct explorer x;
	struct step st;
	struct slot *slot;
	bool is_asked = false;

	(void)state;
	explorer_init(&x);
	one_of_many(&x, &slot);
	explore(&x, 2000);
	slot->want->rtt_ms = 0;
	x.mono_ms = near_deadline(x.m);
	st = explorer_step(&x);
	near_tick(&st, x.m);
	for (size_t i = 0; i < x.fx.count; i++)
		is_asked |= x.fx.list[i].kind == FX_SEND &&
		            x.fx.list[i].u.send.session == slot->want->session->id;
	assert_true(is_asked);
	assert_true(slot->want->session->is_asking);
	explorer_fini(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_tried_and_then_nobody),
		cmocka_unit_test(test_who_answers_sooner_is_found_and_stays),
		cmocka_unit_test(test_a_finger_of_whom_nothing_is_known_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
