/*
 * When those that cannot be reached are dialled again.  SEED=number repeats a run.
 */
#include "tests/unit/smegd/core/crowd.h"

#include <stdlib.h>

#define AWAY 100u
#define ROUND_MS (int64_t)((AWAY - RETRY_FREE) * RETRY_SPREAD_MS)

/* Host 0 of a crowd that has met, and some of the others, none of which is in reach. */
struct lost {
	struct crowd c;
	struct mesh *m;
	struct step st;
};

static void lost_init(struct lost *l)
{
	crowd_init(&l->c, 2 * AWAY, crowd_seed());
	crowd_meet(&l->c);
	l->m = &l->c.meshes[0];
	l->st = crowd_step(&l->c, 0);
	for (size_t i = 1; i <= AWAY; i++) {
		struct peer *p;

		if (mesh_peer(l->m, &l->c.pairs[i].box_public) &&
		    mesh_peer(l->m, &l->c.pairs[i].box_public)->session)
			crowd_disconnect(&l->c, 0, i);
		p = mesh_peer_make(&l->st, l->m, &l->c.pairs[i].box_public);
		assert_non_null(p);
		dial_set_unreachable(&l->st, p, true);
		p->dial_again_ms = TIME_NEVER - 1;
	}
	assert_int_equal(l->m->unreachable, AWAY);
	assert_true(l->m->sessions_count > 0);
	tree_choose(&l->st, l->m);
	l->m->maintain_ms = TIME_NEVER;
}

static void lost_fini(struct lost *l)
{
	crowd_fini(&l->c);
}

static struct peer *away(const struct lost *l, size_t i)
{
	return mesh_peer(l->m, &l->c.pairs[i].box_public);
}

/* How many are to be tried by then; *ret_missed: of those that are missed. */
static size_t due_by(const struct lost *l, int64_t at_ms, size_t *ret_missed)
{
	size_t count = 0;

	*ret_missed = 0;
	for (size_t i = 1; i <= AWAY; i++) {
		if (away(l, i)->dial_again_ms > at_ms)
			continue;
		count++;
		*ret_missed += tree_misses(l->m, away(l, i));
	}
	return count;
}

/* --- pauses ----------------------------------------------------------------------------------- */

/* However many are away, about one in RETRY_SPREAD_MS is dialled, from the first moment on. */
static void test_the_more_are_away_the_rarer_each_is_tried(void **state)
{
	struct lost l;
	size_t early = 0;
	int64_t least = TIME_NEVER;
	int64_t most = 0;

	(void)state;
	lost_init(&l);
	for (size_t i = 1; i <= AWAY; i++) {
		int64_t pause = retry_pause(&l.st, away(&l, i));

		early += pause < ROUND_MS / 4;
		least = MIN_OF(least, pause);
		most = MAX_OF(most, pause);
	}
	print_message("first after %lld ms, last after %lld ms, a quarter of the time: %zu\n",
	              (long long)least, (long long)most, early);
	assert_true(most < ROUND_MS);
	assert_true(most > ROUND_MS / 2);
	assert_true(least < 20 * RETRY_SPREAD_MS);
	assert_in_range(early, AWAY / 4 - 20, AWAY / 4 + 20);
	lost_fini(&l);
}

static void test_a_few_are_tried_twice_a_minute_for_ever(void **state)
{
	static const int64_t pauses[] = { 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000 };
	struct lost l;

	(void)state;
	lost_init(&l);
	l.m->unreachable = RETRY_FREE;
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++)
		assert_in_range(retry_pause(&l.st, away(&l, 1)), pauses[i] * 3 / 4,
		                pauses[i] * 5 / 4);
	lost_fini(&l);
}

/* It may be its own network that is away: nobody else tries for it. */
static void test_who_has_no_session_waits_for_nobodys_turn(void **state)
{
	struct lost l;

	(void)state;
	lost_init(&l);
	l.m->sessions_count = 0;
	for (size_t i = 1; i <= AWAY; i++)
		assert_in_range(retry_pause(&l.st, away(&l, i)), DIAL_BACKOFF_FIRST_MS * 3 / 4,
		                DIAL_BACKOFF_FIRST_MS * 5 / 4);
	lost_fini(&l);
}

/* --- one is found again ----------------------------------------------------------------------- */

static void test_with_one_found_a_few_that_are_missed_are_tried_at_once(void **state)
{
	struct lost l;
	size_t missed;

	(void)state;
	lost_init(&l);
	assert_int_equal(due_by(&l, l.st.now.mono_ms, &missed), 0);
	dial_set_unreachable(&l.st, away(&l, 1), false);
	assert_true(l.m->maintain_ms <= l.st.now.mono_ms);
	retry_others(&l.st, l.m);
	assert_int_equal(due_by(&l, l.st.now.mono_ms, &missed), RETRY_OTHERS);
	assert_int_equal(missed, RETRY_OTHERS);
	lost_fini(&l);
}

/* Those that are found within a moment share a walk, which tries as many as theirs would have. */
static void test_several_that_are_found_count_together(void **state)
{
	struct lost l;
	size_t missed;

	(void)state;
	lost_init(&l);
	retry_found(&l.st, l.m);
	retry_others(&l.st, l.m);
	l.st.now.mono_ms += 1;
	l.m->maintain_ms = TIME_NEVER;
	for (size_t i = 2; i <= 3; i++)
		retry_found(&l.st, l.m);
	assert_true(l.m->maintain_ms == l.st.now.mono_ms - 1 + RETRY_BATCH_MS);
	for (size_t i = 1; i <= AWAY; i++)
		away(&l, i)->dial_again_ms = l.st.now.mono_ms + MS_PER_HOUR;
	retry_others(&l.st, l.m);
	assert_int_equal(due_by(&l, l.st.now.mono_ms, &missed), 2 * RETRY_OTHERS);
	/* Once: nobody has been found since. */
	for (size_t i = 1; i <= AWAY; i++)
		away(&l, i)->dial_again_ms = l.st.now.mono_ms + MS_PER_HOUR;
	retry_others(&l.st, l.m);
	assert_int_equal(due_by(&l, l.st.now.mono_ms, &missed), 0);
	lost_fini(&l);
}

static void test_of_those_that_are_not_missed_one_follows_the_other(void **state)
{
	struct lost l;
	size_t missed;
	int64_t now;

	(void)state;
	lost_init(&l);
	now = l.st.now.mono_ms;
	for (size_t i = 1; i <= AWAY; i++)
		if (tree_misses(l.m, away(&l, i)))
			away(&l, i)->is_unreachable = false;
	retry_found(&l.st, l.m);
	retry_others(&l.st, l.m);
	assert_int_equal(due_by(&l, now + RETRY_LATER_MS * 3 / 4 - 1, &missed), 0);
	assert_int_equal(due_by(&l, now + RETRY_LATER_MS * 5 / 4, &missed), 1);
	assert_int_equal(missed, 0);
	lost_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_more_are_away_the_rarer_each_is_tried),
		cmocka_unit_test(test_a_few_are_tried_twice_a_minute_for_ever),
		cmocka_unit_test(test_who_has_no_session_waits_for_nobodys_turn),
		cmocka_unit_test(test_with_one_found_a_few_that_are_missed_are_tried_at_once),
		cmocka_unit_test(test_several_that_are_found_count_together),
		cmocka_unit_test(test_of_those_that_are_not_missed_one_follows_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
