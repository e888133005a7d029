/*
 * Beats on their way: acknowledgements, hostile ones, proofs.
 */
#include "tests/unit/smegd/core/rig.h"

/* --- acknowledgements ---------------------------------------------------------------------------
 */

static void test_all_that_have_had_a_beat_are_counted(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 10);
	net_run(&r.n, INTERVAL_MS);
	assert_int_equal(rig_acknowledged(&r, 0), 9);
	rig_fini(&r);
}

static void test_who_is_missing_costs_the_others_nothing(void **state)
{
	struct rig r;
	int64_t at_ms;

	(void)state;
	rig_init(&r, 10);
	at_ms = r.n.mono_ms + INTERVAL_MS;
	r.keeps_acks[7] = true;
	net_run(&r.n, INTERVAL_MS);
	assert_int_equal(r.n.mono_ms, at_ms);
	assert_int_equal(rig_acknowledged(&r, 0), 9); /* of the beat before: still waiting */
	net_run(&r.n, BEAT_WAIT_MS);
	assert_in_range(rig_acknowledged(&r, 0), 7, 8); /* it, and one below it perhaps */
	/* By the second tree alone a beat is had too, but not acknowledged. */
	r.keeps_acks[7] = false;
	r.deaf_1[5] = true;
	net_run(&r.n, INTERVAL_MS);
	assert_in_range(rig_acknowledged(&r, 0), 7, 8);
	assert_int_equal(rig_home(&r, 5)->beats->heard_ms, at_ms + INTERVAL_MS);
	rig_fini(&r);
}

static void test_no_more_than_the_group_is_counted(void **state)
{
	struct rig r;
	struct msg msg = { .kind = MSG_BEAT_ACK };

	(void)state;
	rig_init(&r, 4);
	r.keeps_acks[2] = true;
	net_run(&r.n, INTERVAL_MS);
	msg.u.beat_ack.number = rig_home(&r, 0)->beats->last;
	msg.u.beat_ack.count = UINT32_MAX;
	rig_say(&r, 2, 0, &msg);
	net_run(&r.n, BEAT_WAIT_MS);
	assert_int_equal(rig_acknowledged(&r, 0), 4);
	rig_fini(&r);
}

/* --- hostile ------------------------------------------------------------------------------------
 */

static void test_beats_of_others_than_the_leader_end_at_the_first(void **state)
{
	struct rig r;
	struct forged f;
	unsigned before;

	(void)state;
	rig_init(&r, 5);
	before = rig_home(&r, 2)->beats->checks;
	for (uint64_t i = 0; i < 100; i++) {
		rig_forge(&r, 4, rig_now(&r) + i, 1, &f);
		rig_say(&r, 4, 2, &f.msg);
	}
	assert_int_equal(r.casts[WAY_TREE_1] + r.casts[WAY_TREE_2], 0);
	assert_int_equal(rig_home(&r, 2)->beats->checks, before); /* not even verified */
	rig_assert_all_follow(&r, 0);
	rig_fini(&r);
}

static void test_a_beat_is_relayed_once_in_each_tree(void **state)
{
	struct rig r;
	struct forged f;

	(void)state;
	rig_init(&r, 5);
	net_run(&r.n, INTERVAL_MS / 2);
	rig_forge(&r, 0, rig_now(&r), 1, &f);
	for (size_t i = 0; i < 50; i++)
		rig_say(&r, 0, 3, &f.msg);
	assert_int_equal(r.casts[WAY_TREE_2], 0);
	assert_in_range(r.casts[WAY_TREE_1], 0, 3);
	assert_int_equal(r.acks - r.casts[WAY_TREE_1], 50);
	f.msg.u.beat.way = WAY_TREE_2;
	for (size_t i = 0; i < 50; i++)
		rig_say(&r, 0, 3, &f.msg);
	assert_in_range(r.casts[WAY_TREE_2], 0, 3);
	f.msg.u.beat.way = (enum way)(WAY_ROOT | WAY_TREE_1);
	rig_forge(&r, 0, rig_now(&r) + 1, 1, &f);
	f.msg.u.beat.way = (enum way)(WAY_ROOT | WAY_TREE_1);
	rig_say(&r, 0, 4, &f.msg);
	assert_int_equal(r.casts[WAY_ROOT | WAY_TREE_1], 0);
	rig_fini(&r);
}

static void test_who_brings_forged_beats_is_not_listened_to(void **state)
{
	struct rig r;
	struct forged f;

	(void)state;
	rig_init(&r, 4);
	net_run(&r.n, INTERVAL_MS / 2);
	for (uint64_t i = 0; i < 100; i++) {
		rig_forge(&r, 0, rig_now(&r) + i, 1, &f);
		f.raw[BEAT_BYTES - 1] ^= 1;
		rig_say(&r, 3, 2, &f.msg);
	}
	assert_int_equal(rig_home(&r, 2)->beats->checks, 1);
	assert_int_equal(r.casts[WAY_TREE_1], 0);
	/* The true one, with a number that was forged before, comes by others. */
	rig_forge(&r, 0, rig_now(&r) + 7, 1, &f);
	rig_say(&r, 3, 2, &f.msg);
	assert_int_not_equal(rig_home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	rig_say(&r, 1, 2, &f.msg);
	assert_int_equal(rig_home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	/* For a minute. */
	net_run(&r.n, BEAT_DOUBT_MS - 1);
	rig_forge(&r, 0, rig_now(&r) + 1, 1, &f);
	rig_say(&r, 3, 2, &f.msg);
	assert_int_not_equal(rig_home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	net_run(&r.n, 1);
	rig_say(&r, 3, 2, &f.msg);
	assert_int_equal(rig_home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	rig_fini(&r);
}

static void test_nothing_is_verified_more_than_sixteen_times_a_second(void **state)
{
	struct rig r;
	struct forged f;

	(void)state;
	rig_init(&r, 10);
	net_run(&r.n, INTERVAL_MS / 2);
	rig_home(&r, 9)->beats->second_ms = r.n.mono_ms;
	rig_home(&r, 9)->beats->checks = BEAT_CHECKS;
	rig_forge(&r, 0, rig_now(&r), 1, &f);
	rig_say(&r, 0, 9, &f.msg);
	assert_int_not_equal(rig_home(&r, 9)->beats->heard_ms, r.n.mono_ms);
	net_run(&r.n, MS_PER_SECOND);
	rig_say(&r, 0, 9, &f.msg);
	assert_int_equal(rig_home(&r, 9)->beats->heard_ms, r.n.mono_ms);
	rig_fini(&r);
}

static void test_who_counts_up_quickly_is_relayed_slowly(void **state)
{
	struct rig r;
	struct forged f;
	int64_t heard_ms;
	size_t taken = 0;

	(void)state;
	rig_init(&r, 4);
	r.mute[0] = true; /* the true ones; these are said to its neighbour */
	heard_ms = rig_home(&r, 3)->beats->heard_ms;
	for (size_t i = 0; i < 200; i++) {
		net_run(&r.n, 100);
		rig_forge(&r, 0, rig_now(&r), (uint32_t)i, &f);
		rig_say(&r, 0, 3, &f.msg);
		taken += rig_home(&r, 3)->beats->heard_ms != heard_ms;
		heard_ms = rig_home(&r, 3)->beats->heard_ms;
	}
	assert_int_equal(taken, 8); /* in 20 s, one in 2.5 s */
	assert_int_equal(r.proofs, 0);
	rig_fini(&r);
}

static void test_a_number_counts_once(void **state)
{
	struct forged old;
	struct forged f;
	struct rig r;

	(void)state;
	rig_init(&r, 3);
	net_run(&r.n, INTERVAL_MS / 3);
	rig_forge(&r, 0, rig_now(&r) - 1, 1, &old);
	rig_forge(&r, 0, rig_now(&r), 1, &f);
	rig_say(&r, 0, 2, &f.msg);
	assert_int_equal(rig_home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	net_run(&r.n, INTERVAL_MS / 3);
	rig_say(&r, 0, 2, &f.msg);
	rig_say(&r, 0, 2, &old.msg);
	assert_int_not_equal(rig_home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	rig_fini(&r);
}

static void test_dates_far_ahead_are_refused(void **state)
{
	struct rig r;
	struct forged f;

	(void)state;
	rig_init(&r, 3);
	net_run(&r.n, INTERVAL_MS / 2);
	rig_forge(&r, 0, rig_now(&r) + MS_PER_DAY + 1, 1, &f);
	rig_say(&r, 0, 2, &f.msg);
	assert_int_not_equal(rig_home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	rig_forge(&r, 0, rig_now(&r) + MS_PER_DAY, 1, &f);
	rig_say(&r, 0, 2, &f.msg);
	assert_int_equal(rig_home(&r, 2)->beats->heard_ms, r.n.mono_ms);
	rig_fini(&r);
}

/* The lowest keys are made in milliseconds: they get nothing for it. */
static void test_the_lowest_key_has_no_power(void **state)
{
	struct rig r;
	uint8_t before[DIGEST_BYTES];
	uint8_t after[DIGEST_BYTES];
	struct forged f;

	(void)state;
	rig_init(&r, 5);
	set_digest(rig_home(&r, 4)->set, before);
	r.mute[0] = true;
	for (size_t i = 0; i < 8; i++) {
		net_run(&r.n, INTERVAL_MS);
		rig_forge(&r, 0, rig_now(&r), 1, &f);
		for (size_t to = 1; to < 5; to++)
			rig_say(&r, 0, to, &f.msg);
		assert_int_equal(rig_leader(&r, 4), 0);
	}
	set_digest(rig_home(&r, 4)->set, after);
	assert_memory_equal(before, after, sizeof(before));
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(net_members(&r.n, r.order[i], "home"), 5);
	rig_fini(&r);
}

/* --- proofs -------------------------------------------------------------------------------------
 */

static void test_who_says_two_things_is_skipped_by_all(void **state)
{
	struct rig r;
	struct forged one;
	struct forged other;
	int64_t found;
	size_t told;

	(void)state;
	rig_init(&r, 6);
	net_run(&r.n, INTERVAL_MS / 2);
	rig_forge(&r, 0, rig_now(&r), 1, &one);
	rig_forge(&r, 0, rig_now(&r), 2, &other);
	rig_say(&r, 0, 2, &one.msg);
	rig_say(&r, 0, 2, &other.msg);
	found = r.n.mono_ms;
	told = r.proofs;
	/* Once down each tree, and to the equivocator too. */
	assert_in_range(told, 5, 10);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(beater_find(rig_home(&r, i), rig_key(&r, 0))->skipped_until_ms,
		                 found + MS_PER_DAY);
	net_run(&r.n, 200);
	assert_int_equal(r.beats[r.beats_count - 1].by, 1);
	assert_int_equal(r.beats[r.beats_count - 1].at_ms, found + BEAT_SETTLE_MS);
	rig_assert_all_follow(&r, 1);
	/* A member like others. */
	assert_int_equal(net_members(&r.n, r.order[5], "home"), 6);
	one.msg.u.beat.other = other.msg.u.beat.beat;
	for (size_t i = 1; i < 6; i++)
		rig_say(&r, 0, i, &one.msg);
	net_run(&r.n, 3 * INTERVAL_MS);
	assert_int_equal(r.proofs, told); /* not told again */
	rig_assert_all_follow(&r, 1);
	rig_fini(&r);
}

static void test_what_proves_nothing_is_dropped(void **state)
{
	struct rig r;
	struct forged one;
	struct forged other;

	(void)state;
	rig_init(&r, 4);
	net_run(&r.n, INTERVAL_MS / 2);
	/* Another number. */
	rig_forge(&r, 0, rig_now(&r), 1, &one);
	rig_forge(&r, 0, rig_now(&r) + 1, 2, &other);
	one.msg.u.beat.other = other.msg.u.beat.beat;
	rig_say(&r, 3, 2, &one.msg);
	/* Too old: told again after its day. */
	rig_forge(&r, 0, rig_now(&r) - MS_PER_DAY, 1, &one);
	rig_forge(&r, 0, rig_now(&r) - MS_PER_DAY, 2, &other);
	one.msg.u.beat.other = other.msg.u.beat.beat;
	rig_say(&r, 3, 2, &one.msg);
	/* Not signed. */
	rig_forge(&r, 0, rig_now(&r), 1, &one);
	rig_forge(&r, 0, rig_now(&r), 2, &other);
	other.raw[BEAT_BYTES - 1] ^= 1;
	one.msg.u.beat.other = other.msg.u.beat.beat;
	rig_say(&r, 3, 2, &one.msg);
	assert_int_equal(r.proofs, 0);
	rig_assert_all_follow(&r, 0);
	/* An old one lasts for what is left of its day. */
	rig_forge(&r, 0, rig_now(&r) - MS_PER_DAY + 5000, 1, &one);
	rig_forge(&r, 0, rig_now(&r) - MS_PER_DAY + 5000, 2, &other);
	one.msg.u.beat.other = other.msg.u.beat.beat;
	rig_say(&r, 1, 2, &one.msg);
	assert_int_equal(beater_find(rig_home(&r, 2), rig_key(&r, 0))->skipped_until_ms,
	                 r.n.mono_ms + 5000);
	rig_fini(&r);
}

static void test_two_beats_in_a_row_that_differ_raise_a_question(void **state)
{
	struct rig r;
	struct forged f;
	size_t before;

	(void)state;
	rig_init(&r, 3);
	for (size_t i = 0; i < 2; i++) {
		net_run(&r.n, INTERVAL_MS / 4);
		rig_forge(&r, 0, rig_now(&r), 1, &f); /* with a digest of zeros */
		before = r.questions[2];
		rig_say(&r, 0, 2, &f.msg);
		assert_int_equal(r.questions[2] - before, i);
	}
	rig_fini(&r);
}

/* --- what is remembered -------------------------------------------------------------------------
 */

static struct step step_of(struct rig *r, size_t i)
{
	return (struct step){
		.n = r->n.hosts[r->order[i]].node,
		.now = { r->n.mono_ms, NET_NOW_MS + r->n.mono_ms },
	};
}

/* Beaters of that many who are no members (any longer). */
static void remember(struct rig *r, size_t i, uint8_t count, int64_t skipped_ms)
{
	struct step st = step_of(r, i);

	for (uint8_t k = 0; k < count; k++) {
		struct key key = { { k, 0xff } };
		struct beater *b = beater_make(&st, rig_home(r, i), &key);

		assert_non_null(b);
		if (skipped_ms)
			b->skipped_until_ms = r->n.mono_ms + skipped_ms + k;
	}
	assert_int_equal(st.err, 0);
}

static void test_who_is_gone_is_forgotten(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 3);
	for (size_t i = 0; i < 10; i++)
		remember(&r, 2, 250, 0);
	assert_in_range(rig_home(&r, 2)->beats->beaters.count, 1, 64);
	assert_non_null(beater_find(rig_home(&r, 2), rig_key(&r, 0)));
	rig_fini(&r);
}

static void test_no_more_than_64_are_skipped(void **state)
{
	struct key first = { { 0, 0xff } };
	struct key second = { { 1, 0xff } };
	struct forged one;
	struct forged other;
	struct rig r;

	(void)state;
	rig_init(&r, 3);
	net_run(&r.n, INTERVAL_MS / 2);
	remember(&r, 2, BEAT_SKIPS_MAX, MS_PER_HOUR);
	rig_forge(&r, 0, rig_now(&r), 1, &one);
	rig_forge(&r, 0, rig_now(&r), 2, &other);
	one.msg.u.beat.other = other.msg.u.beat.beat;
	rig_say(&r, 1, 2, &one.msg);
	assert_int_equal(beater_find(rig_home(&r, 2), rig_key(&r, 0))->skipped_until_ms,
	                 r.n.mono_ms + MS_PER_DAY);
	assert_int_equal(beater_find(rig_home(&r, 2), &first)->skipped_until_ms, 0);
	assert_int_not_equal(beater_find(rig_home(&r, 2), &second)->skipped_until_ms, 0);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_that_have_had_a_beat_are_counted),
		cmocka_unit_test(test_who_is_missing_costs_the_others_nothing),
		cmocka_unit_test(test_no_more_than_the_group_is_counted),
		cmocka_unit_test(test_beats_of_others_than_the_leader_end_at_the_first),
		cmocka_unit_test(test_a_beat_is_relayed_once_in_each_tree),
		cmocka_unit_test(test_who_brings_forged_beats_is_not_listened_to),
		cmocka_unit_test(test_nothing_is_verified_more_than_sixteen_times_a_second),
		cmocka_unit_test(test_who_counts_up_quickly_is_relayed_slowly),
		cmocka_unit_test(test_a_number_counts_once),
		cmocka_unit_test(test_dates_far_ahead_are_refused),
		cmocka_unit_test(test_the_lowest_key_has_no_power),
		cmocka_unit_test(test_who_says_two_things_is_skipped_by_all),
		cmocka_unit_test(test_what_proves_nothing_is_dropped),
		cmocka_unit_test(test_two_beats_in_a_row_that_differ_raise_a_question),
		cmocka_unit_test(test_who_is_gone_is_forgotten),
		cmocka_unit_test(test_no_more_than_64_are_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
