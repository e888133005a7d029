/*
 * Who leads, and from when on.
 */
#include "tests/unit/smegd/core/rig.h"

/* --- leading ------------------------------------------------------------------------------------
 */

static void test_the_lowest_beats_every_interval_and_all_hear_it(void **state)
{
	struct rig r;
	int64_t start;

	(void)state;
	rig_init(&r, 5);
	start = r.n.mono_ms;
	net_run(&r.n, 6 * INTERVAL_MS);
	assert_int_equal(r.beats_count, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(r.beats[i].by, 0);
		assert_int_equal(r.beats[i].at_ms, start + (int64_t)(i + 1) * INTERVAL_MS);
		assert_int_equal(r.beats[i].number, (uint64_t)(NET_NOW_MS + r.beats[i].at_ms));
	}
	rig_assert_all_follow(&r, 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(rig_home(&r, i)->beats->heard_ms, r.n.mono_ms);
	rig_fini(&r);
}

static void test_one_alone_leads_at_once(void **state)
{
	struct net n;

	(void)state;
	net_init(&n, 1);
	net_boot_all(&n);
	net_create(&n, 0, "home");
	net_run(&n, MS_PER_SECOND);
	assert_true(net_mesh(&n, 0, "home")->beats->has_leader);
	net_fini(&n);
}

static void test_numbers_go_up_when_the_clock_goes_back(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 3);
	net_run(&r.n, INTERVAL_MS);
	r.n.hosts[r.order[0]].wall_ahead_ms = -MS_PER_HOUR;
	net_run(&r.n, 2 * INTERVAL_MS);
	assert_int_equal(r.beats_count, 3);
	assert_int_equal(r.beats[1].number, r.beats[0].number + 1);
	assert_int_equal(r.beats[2].number, r.beats[0].number + 2);
	rig_assert_all_follow(&r, 0);
	rig_fini(&r);
}

/* --- silence ------------------------------------------------------------------------------------
 */

static void test_a_silent_leader_is_deposed_after_three_intervals(void **state)
{
	struct rig r;
	int64_t last;

	(void)state;
	rig_init(&r, 5);
	last = r.n.mono_ms;
	r.mute[0] = true;
	net_run(&r.n, 3 * INTERVAL_MS - 1);
	assert_int_equal(r.beats_count, 0);
	assert_int_equal(rig_leader(&r, 4), 0);
	net_run(&r.n, 1);
	assert_int_equal(r.beats_count, 1);
	assert_int_equal(r.beats[0].by, 1);
	assert_int_equal(r.beats[0].at_ms, last + 3 * INTERVAL_MS);
	for (size_t i = 1; i < 5; i++)
		assert_int_equal(rig_leader(&r, i), 1);
	/* Nobody else says a word from then on. */
	net_run(&r.n, 4 * INTERVAL_MS);
	assert_int_equal(r.beats_count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(r.beats[i].by, 1);
	/* It is alive, and only not heard: it stays a member, and leads as soon as it is. */
	assert_int_equal(net_members(&r.n, r.order[4], "home"), 5);
	r.mute[0] = false;
	net_run(&r.n, INTERVAL_MS);
	rig_assert_all_follow(&r, 0);
	rig_fini(&r);
}

/* The first `silent` ones say nothing; when does who beat after the last beat of the lowest? */
static struct heard take_over(struct rig *r, size_t silent)
{
	int64_t last = r->n.mono_ms;
	struct heard first;

	for (size_t i = 0; i < silent; i++)
		r->mute[i] = true;
	for (int64_t end = last + 6 * INTERVAL_MS; r->n.mono_ms < end && !r->beats_count;)
		net_run(&r->n, 1);
	assert_int_equal(r->beats_count, 1);
	first = r->beats[0];
	first.at_ms -= last;
	/* Whoever it was, no other one speaks. */
	net_run(&r->n, INTERVAL_MS - 1);
	assert_int_equal(r->beats_count, 1);
	return first;
}

static void test_turns_are_half_a_second_apart_three_to_a_round(void **state)
{
	static const int64_t when[] = { 0, 30000, 30500, 31000, 30000 + 1500 + 10000, 41500 + 500 };

	(void)state;
	for (size_t silent = 1; silent < ARRAY_LEN(when); silent++) {
		struct heard first;
		struct rig r;

		rig_init(&r, 6);
		first = take_over(&r, silent);
		assert_int_equal(first.by, silent);
		assert_int_equal(first.at_ms, when[silent]);
		rig_fini(&r);
	}
}

/* Who let its turn go by is not waited for again, but may come back by itself. */
static void test_who_was_passed_over_costs_no_second_turn(void **state)
{
	struct rig r;
	int64_t last;

	(void)state;
	rig_init(&r, 5);
	take_over(&r, 2);
	assert_int_equal(rig_leader(&r, 4), 2);
	net_run(&r.n, 1);
	last = r.n.mono_ms;
	rig_forget(&r);
	r.mute[2] = true;
	net_run(&r.n, 3 * INTERVAL_MS);
	assert_int_equal(r.beats_count, 1);
	assert_int_equal(r.beats[0].by, 3);
	assert_int_equal(r.beats[0].at_ms, last + 3 * INTERVAL_MS);
	r.mute[1] = false;
	net_run(&r.n, INTERVAL_MS);
	assert_int_equal(rig_leader(&r, 4), 1);
	/* It has beaten, so it has its turn again. */
	r.mute[0] = r.mute[2] = false;
	net_run(&r.n, INTERVAL_MS);
	rig_assert_all_follow(&r, 0);
	last = rig_home(&r, 4)->beats->heard_ms;
	rig_forget(&r);
	r.mute[0] = r.mute[1] = true;
	net_run(&r.n, 4 * INTERVAL_MS);
	/* The others have passed over 2, which it does not know: 3 has the same turn. */
	assert_int_equal(r.beats[0].at_ms - last, 3 * INTERVAL_MS + BEAT_TURN_MS);
	assert_int_equal(rig_leader(&r, 4), 2);
	rig_fini(&r);
}

/* Who heard the last beat late does not turn the next leader away. */
static void test_a_late_leader_gives_way_after_two_and_a_half_intervals(void **state)
{
	struct rig r;
	struct forged f;

	(void)state;
	rig_init(&r, 5);
	r.mute[0] = true;
	net_run(&r.n, 5 * INTERVAL_MS / 2 - 1);
	rig_forge(&r, 2, rig_now(&r), 1, &f);
	rig_say(&r, 2, 4, &f.msg);
	assert_int_equal(rig_leader(&r, 4), 0);
	net_run(&r.n, 1);
	rig_say(&r, 2, 4, &f.msg);
	assert_int_equal(rig_leader(&r, 4), 2);
	/* 1 has had no turn yet in the view of 4; it has one now. */
	assert_null(beater_find(rig_home(&r, 4), rig_key(&r, 1)));
	assert_int_equal(rig_home(&r, 4)->beats->round.count, 2);
	rig_fini(&r);
}

/* Who has not had the time to beat is not passed over. */
static void test_a_turn_is_over_when_the_next_one_begins(void **state)
{
	struct rig r;
	struct forged f;

	(void)state;
	rig_init(&r, 5);
	r.mute[0] = r.mute[1] = true;
	net_run(&r.n, 3 * INTERVAL_MS + BEAT_TURN_MS - 1);
	rig_forge(&r, 2, rig_now(&r), 1, &f);
	rig_say(&r, 2, 4, &f.msg);
	assert_int_equal(rig_leader(&r, 4), 2);
	assert_null(beater_find(rig_home(&r, 4), rig_key(&r, 1)));
	net_run(&r.n, 1); /* 2 itself */
	assert_int_equal(rig_leader(&r, 3), 2);
	assert_non_null(beater_find(rig_home(&r, 3), rig_key(&r, 1)));
	rig_fini(&r);
}

/* --- going and coming ---------------------------------------------------------------------------
 */

static void test_the_next_beats_when_the_leader_is_pruned(void **state)
{
	struct rig r;
	int64_t pruned;
	struct key gone;

	(void)state;
	rig_init(&r, 6);
	gone = *rig_key(&r, 0);
	rig_isolate(&r, 0, true);
	net_crash(&r.n, r.order[0]);
	while (set_find(rig_home(&r, 1)->set, &gone)->standing == STANDING_IN)
		net_run(&r.n, 1);
	pruned = r.n.mono_ms;
	net_run(&r.n, INTERVAL_MS);
	assert_in_range(r.beats_count, 1, 2);
	assert_int_equal(r.beats[0].by, 1);
	assert_int_equal(r.beats[0].at_ms, pruned + BEAT_SETTLE_MS);
	for (size_t i = 1; i < 6; i++)
		assert_int_equal(rig_leader(&r, i), 1);
	rig_fini(&r);
}

static void test_the_next_beats_when_the_leader_leaves(void **state)
{
	struct command leave = { .kind = CMD_LEAVE, .mesh = "home" };
	struct rig r;
	int64_t left;

	(void)state;
	rig_init(&r, 4);
	left = r.n.mono_ms;
	net_command(&r.n, r.order[0], &leave);
	net_run(&r.n, 200);
	assert_int_equal(r.beats_count, 1);
	assert_int_equal(r.beats[0].by, 1);
	assert_int_equal(r.beats[0].at_ms, left + BEAT_SETTLE_MS);
	rig_fini(&r);
}

/* All start at once, as after a power cut: nobody speaks before it has listened. */
static void test_a_mesh_that_starts_listens_first(void **state)
{
	bool has_beaten[NET_HOSTS] = { false };
	struct rig r;
	int64_t start;
	size_t count = 0;

	(void)state;
	rig_init(&r, 8);
	for (size_t i = 0; i < 8; i++)
		net_crash(&r.n, r.order[i]);
	for (size_t i = 0; i < 8; i++)
		net_boot(&r.n, r.order[i]);
	start = r.n.mono_ms;
	net_run(&r.n, 2 * INTERVAL_MS);
	assert_true(r.beats[0].at_ms - start >= INTERVAL_MS * 9 / 10);
	assert_true(r.beats[0].at_ms - start <= INTERVAL_MS * 11 / 10);
	for (size_t i = 0; i < r.beats_count; i++) {
		count += !has_beaten[r.beats[i].by];
		has_beaten[r.beats[i].by] = true;
	}
	assert_in_range(count, 1, BEAT_TRIES);
	rig_assert_all_follow(&r, 0);
	rig_fini(&r);
}

/* All that might take office go at once: the next ones are not made to wait for their turns. */
static void test_a_round_ends_when_its_contenders_are_gone(void **state)
{
	struct command leave = { .kind = CMD_LEAVE, .mesh = "home" };
	struct rig r;
	int64_t gone;

	(void)state;
	rig_init(&r, 6);
	r.mute[0] = r.mute[1] = r.mute[2] = r.mute[3] = true;
	net_run(&r.n, 3 * INTERVAL_MS + 2 * MS_PER_SECOND);
	assert_int_equal(r.beats_count, 0);
	assert_false(rig_home(&r, 5)->beats->has_leader);
	gone = r.n.mono_ms;
	for (size_t i = 1; i < 4; i++)
		net_command(&r.n, r.order[i], &leave);
	net_deliver(&r.n);
	net_run(&r.n, INTERVAL_MS / 2);
	assert_int_equal(r.beats_count, 1);
	assert_int_equal(r.beats[0].by, 4);
	/* News that come so close together wait for each other. */
	assert_in_range(r.beats[0].at_ms - gone, BEAT_SETTLE_MS, BEAT_SETTLE_MS + 4);
	rig_fini(&r);
}

/* A turn that we had to let go by, because we had not listened long enough, is not our last one. */
static void test_our_own_turn_comes_again(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 4);
	r.no_watchers = true;
	net_crash(&r.n, r.order[0]);
	net_run(&r.n, 4 * INTERVAL_MS);
	net_boot(&r.n, r.order[0]);
	rig_home(&r, 0)->beats->may_ms = r.n.mono_ms + 25000;
	rig_forget(&r);
	net_run(&r.n, 25000 - 1);
	assert_in_range(r.beats_count, 2, 3);
	assert_int_equal(rig_leader(&r, 0), 1);
	net_run(&r.n, 1);
	rig_assert_all_follow(&r, 0);
	rig_fini(&r);
}

/* A host that starts listens for an interval, then the lowest leads again. */
static void test_a_lower_one_that_comes_listens_first(void **state)
{
	struct rig r;
	int64_t start;
	size_t by_others = 0;

	(void)state;
	rig_init(&r, 5);
	r.no_watchers = true;
	net_crash(&r.n, r.order[0]);
	net_run(&r.n, 60 * MS_PER_SECOND);
	rig_forget(&r);
	while (!r.beats_count)
		net_run(&r.n, 1);
	/* Nobody was pruned: it is in the group, and hears the leader 6 s after its start. */
	net_run(&r.n, 4000);
	net_boot(&r.n, r.order[0]);
	start = r.n.mono_ms;
	rig_forget(&r);
	net_run(&r.n, 3 * INTERVAL_MS);
	while (r.beats[by_others].by != 0) {
		assert_int_equal(r.beats[by_others].by, 1);
		by_others++;
	}
	assert_in_range(r.beats[by_others].at_ms - start, INTERVAL_MS * 9 / 10,
	                INTERVAL_MS * 11 / 10);
	assert_int_equal(by_others, 1);
	rig_assert_all_follow(&r, 0);
	for (size_t i = by_others; i < r.beats_count; i++)
		assert_int_equal(r.beats[i].by, 0);
	rig_fini(&r);
}

static void cut_in_two(struct rig *r, bool cut)
{
	for (size_t i = 0; i < r->n.count; i++)
		for (size_t j = 0; j < i; j++)
			if (i % 2 != j % 2)
				net_cut(&r->n, r->order[i], r->order[j], cut);
}

static void test_each_half_has_a_leader_and_the_whole_has_one(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 8);
	cut_in_two(&r, true);
	net_run(&r.n, 50 * MS_PER_SECOND);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(rig_leader(&r, i), i % 2);
	cut_in_two(&r, false);
	net_run(&r.n, 60 * MS_PER_SECOND);
	rig_assert_all_follow(&r, 0);
	rig_forget(&r);
	net_run(&r.n, 3 * INTERVAL_MS);
	assert_int_equal(r.beats_count, 3);
	rig_fini(&r);
}

static void test_beats_are_fresh_for_three_intervals(void **state)
{
	struct rig r;
	struct instant now = { 0, 0 };

	(void)state;
	rig_init(&r, 3);
	now.mono_ms = r.n.mono_ms + 3 * INTERVAL_MS;
	assert_true(beat_is_fresh(rig_home(&r, 0), now)); /* leads */
	assert_false(beat_is_fresh(rig_home(&r, 2), now));
	now.mono_ms--;
	assert_true(beat_is_fresh(rig_home(&r, 2), now));
	net_crash(&r.n, r.order[2]);
	net_boot(&r.n, r.order[2]);
	now.mono_ms = r.n.mono_ms + 3 * INTERVAL_MS;
	assert_false(beat_is_fresh(rig_home(&r, 2), now));
	now.mono_ms--;
	assert_true(beat_is_fresh(rig_home(&r, 2), now));
	rig_fini(&r);
}

static void test_a_client_follows_and_never_leads(void **state)
{
	struct command invite = net_invite_command("home", 1);
	struct rig r = { 0 };
	struct forged f;
	size_t client;

	(void)state;
	net_init(&r.n, 4);
	net_boot_all(&r.n);
	net_join(&r.n, 1, net_create(&r.n, 0, "home"));
	net_join(&r.n, 2, net_invite(&r.n, 0, "home", 1));
	invite.role = ROLE_CLIENT;
	net_join(&r.n, 3, net_do(&r.n, 0, &invite)->token);
	rig_listen(&r);
	client = rig_place(&r, 3);
	net_run(&r.n, 30 * MS_PER_SECOND);
	rig_assert_all_follow(&r, client == 0 ? 1 : 0);
	assert_int_equal(rig_acknowledged(&r, client == 0 ? 1 : 0), 3);
	assert_int_equal(r.sent[client], 0);
	/* A true beat is dropped if a client brings it. */
	net_run(&r.n, INTERVAL_MS / 2);
	rig_forge(&r, client == 0 ? 1 : 0, rig_now(&r), 1, &f);
	rig_say(&r, client, client == 3 ? 2 : 3, &f.msg);
	assert_int_not_equal(rig_home(&r, client == 3 ? 2 : 3)->beats->heard_ms, r.n.mono_ms);
	/* It sees a proof, and keeps it to itself: others see it too. */
	rig_say(&r, client == 3 ? 2 : 3, client, &f.msg);
	rig_forge(&r, client == 0 ? 1 : 0, rig_now(&r), 2, &f);
	rig_say(&r, client == 3 ? 2 : 3, client, &f.msg);
	assert_true(beater_find(rig_home(&r, client), rig_key(&r, client == 0 ? 1 : 0))
	                    ->skipped_until_ms);
	assert_int_equal(r.sent[client], 0);
	/* Cut off from all others it does not begin. */
	rig_isolate(&r, client, true);
	rig_forget(&r);
	net_run(&r.n, 4 * INTERVAL_MS);
	assert_false(rig_home(&r, client)->beats->has_leader);
	assert_false(beat_is_fresh(rig_home(&r, client), (struct instant){ r.n.mono_ms, 0 }));
	assert_int_equal(rig_home(&r, client)->beats->last, 0);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_lowest_beats_every_interval_and_all_hear_it),
		cmocka_unit_test(test_one_alone_leads_at_once),
		cmocka_unit_test(test_numbers_go_up_when_the_clock_goes_back),
		cmocka_unit_test(test_a_silent_leader_is_deposed_after_three_intervals),
		cmocka_unit_test(test_turns_are_half_a_second_apart_three_to_a_round),
		cmocka_unit_test(test_who_was_passed_over_costs_no_second_turn),
		cmocka_unit_test(test_a_late_leader_gives_way_after_two_and_a_half_intervals),
		cmocka_unit_test(test_a_turn_is_over_when_the_next_one_begins),
		cmocka_unit_test(test_the_next_beats_when_the_leader_is_pruned),
		cmocka_unit_test(test_the_next_beats_when_the_leader_leaves),
		cmocka_unit_test(test_our_own_turn_comes_again),
		cmocka_unit_test(test_a_mesh_that_starts_listens_first),
		cmocka_unit_test(test_a_round_ends_when_its_contenders_are_gone),
		cmocka_unit_test(test_a_lower_one_that_comes_listens_first),
		cmocka_unit_test(test_each_half_has_a_leader_and_the_whole_has_one),
		cmocka_unit_test(test_beats_are_fresh_for_three_intervals),
		cmocka_unit_test(test_a_client_follows_and_never_leads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
