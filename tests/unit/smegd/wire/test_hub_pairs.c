/*
 * One session per pair: whatever the order in which two dials meet, both sides end with the same
 * single session.  All orders are tried, not some.
 */
#include "smegd/wire/hub.h"

#include "tests/unit/smegd/wire/pipe.h"

#include "smegd/wire/hub_priv.h"

#define STEPS_MAX 64

static struct world w;

/* Who dials: 0 is the lower key. */
static unsigned dialler[2];

/* One run is a list of choices among what can happen next. */
static unsigned chosen[STEPS_MAX];
static unsigned choices[STEPS_MAX];
static size_t steps;

/* What can happen next; do the one at `index`, or only count when index is UINT_MAX. */
static unsigned happen(unsigned index)
{
	unsigned count = 0;

	for (size_t i = 0; i < 2; i++) {
		struct pipe *p = &w.pipe[i];

		/* Dials start in their order, at any time. */
		if (w.pipes == i) {
			if (count++ == index)
				pipe_connect(&w, world_dial(&w, dialler[i], !dialler[i], false));
			break;
		}
		for (unsigned end = 0; end < 2; end++) {
			const struct flow *f = &p->flow[end];

			if (f->count[LANE_CONTROL] > 0) {
				if (count++ == index)
					pipe_move(&w, p, end, LANE_CONTROL);
			} else if (f->is_closing && p->is_open[!end]) {
				if (count++ == index)
					pipe_close(&w, p, end);
			}
		}
	}
	return count;
}

/* The next run in order; false: that was the last. */
static bool next_run(void)
{
	while (steps > 0) {
		if (++chosen[steps - 1] < choices[steps - 1])
			return true;
		steps--;
	}
	return false;
}

static void run(void)
{
	size_t fixed = steps;

	world_init(&w, 2);
	steps = 0;
	while ((choices[steps] = happen(UINT32_MAX)) > 0) {
		if (steps >= fixed)
			chosen[steps] = 0;
		happen(chosen[steps++]);
		assert_true(steps < STEPS_MAX);
	}
}

static void assert_one_session(void)
{
	uint64_t a;
	uint64_t b;

	assert_int_equal(world_sessions(&w, 0, &a), 1);
	assert_int_equal(world_sessions(&w, 1, &b), 1);
	world_send_digest(&w, 0, a, LANE_CONTROL, 1);
	world_send_digest(&w, 1, b, LANE_CONTROL, 2);
	world_settle(&w);
	assert_int_equal(seen_count(&w, 0, EV_MESSAGE), 1);
	assert_int_equal(seen_last(&w, 0, EV_MESSAGE)->session, a);
	assert_int_equal(seen_count(&w, 1, EV_MESSAGE), 1);
	assert_int_equal(seen_last(&w, 1, EV_MESSAGE)->session, b);
	/* It also passes the test of being alive. */
	world_pass(&w, HUB_PROVE_MS);
	world_settle(&w);
	assert_int_equal(world_sessions(&w, 0, NULL), 1);
	assert_int_equal(world_sessions(&w, 1, NULL), 1);
}

/* Every dial is answered for: up or failed, once. */
static void assert_dials_are_told(void)
{
	for (size_t i = 0; i < w.pipes; i++) {
		unsigned told = 0;

		for (size_t n = 0; n < w.seen_count; n++)
			told += w.seen[n].host == w.pipe[i].end[0] &&
			        w.seen[n].dial == w.pipe[i].dial;
		assert_int_equal(told, 1);
	}
}

/* A session that another replaces goes down after the other has come up. */
static void assert_never_bare(unsigned host)
{
	int count = 0;

	for (size_t n = 0; n < w.seen_count; n++) {
		if (w.seen[n].host != host)
			continue;
		if (w.seen[n].kind == EV_SESSION_UP)
			count++;
		if (w.seen[n].kind == EV_SESSION_DOWN && w.seen[n].err == 0)
			count--;
		assert_in_range(count, 0, 2);
	}
}

static unsigned try_all(unsigned first, unsigned second)
{
	unsigned runs = 0;

	dialler[0] = first;
	dialler[1] = second;
	steps = 0;
	do {
		run();
		assert_dials_are_told();
		assert_never_bare(0);
		assert_never_bare(1);
		assert_one_session();
		world_fini(&w);
		runs++;
	} while (next_run());
	return runs;
}

static void test_both_dial(void **state)
{
	(void)state;
	assert_in_range(try_all(0, 1), 50, 1000000);
	assert_in_range(try_all(1, 0), 50, 1000000);
}

static void test_one_side_dials_twice(void **state)
{
	(void)state;
	assert_in_range(try_all(0, 0), 50, 1000000);
	assert_in_range(try_all(1, 1), 50, 1000000);
}

/* The lower's dial is kept whichever came first. */
static void test_lower_key_wins(void **state)
{
	struct pipe *low;
	struct pipe *high;

	(void)state;
	for (unsigned first = 0; first < 2; first++) {
		world_init(&w, 2);
		world_join(&w, first, !first);
		world_join(&w, !first, first);
		low = &w.pipe[first];
		high = &w.pipe[!first];
		assert_true(low->is_open[0] && low->is_open[1]);
		assert_false(high->is_open[0] || high->is_open[1]);
		/* The loser's dialler is told that it came up and went down, not that it failed. */
		assert_int_equal(seen_count(&w, 1, EV_SESSION_UP), 2);
		assert_int_equal(seen_count(&w, 1, EV_DIAL_FAILED), 0);
		assert_int_equal(seen_last(&w, 1, EV_SESSION_DOWN)->err, 0);
		/* Who did not dial it hears of it only if it was up. */
		assert_int_equal(seen_count(&w, 0, EV_SESSION_UP), 1 + first);
		assert_one_session();
		world_fini(&w);
	}
}

static void test_newer_dial_of_one_side_wins(void **state)
{
	(void)state;
	for (unsigned from = 0; from < 2; from++) {
		world_init(&w, 2);
		world_join(&w, from, !from);
		world_join(&w, from, !from);
		assert_false(w.pipe[0].is_open[0] || w.pipe[0].is_open[1]);
		assert_true(w.pipe[1].is_open[0] && w.pipe[1].is_open[1]);
		assert_one_session();
		world_fini(&w);
	}
}

/*
 * The higher side has restarted without its old link being told: the lower one keeps the dead
 * session at first, but finds out, and the next dial succeeds.
 */
static void test_dead_session_gives_way(void **state)
{
	struct pipe *dead;

	(void)state;
	world_init(&w, 2);
	dead = world_join(&w, 0, 1);
	dead->is_open[1] = false;
	seen_last(&w, 1, EV_SESSION_UP);
	assert_int_equal(hub_link_down(w.host[1].hub, dead->link[1], 0, w.now, &w.host[1].out), 0);
	world_pass(&w, 1000);
	world_join(&w, 1, 0);
	assert_int_equal(world_sessions(&w, 0, NULL), 1);
	assert_false(w.pipe[1].is_open[1]);
	world_pass(&w, HUB_PROVE_MS - 1);
	assert_int_equal(world_sessions(&w, 0, NULL), 1);
	world_pass(&w, 1);
	assert_int_equal(world_sessions(&w, 0, NULL), 0);
	assert_int_equal(seen_last(&w, 0, EV_SESSION_DOWN)->err, ERR_TIMED_OUT);
	world_join(&w, 1, 0);
	assert_int_equal(world_sessions(&w, 0, NULL), 1);
	assert_true(w.pipe[2].is_open[0] && w.pipe[2].is_open[1]);
	world_fini(&w);
}

/* Different peers, and joiners beside members, do not replace each other. */
static void test_other_pairs_are_left_alone(void **state)
{
	(void)state;
	world_init(&w, 3);
	world_invite(&w, 2);
	world_join(&w, 0, 1);
	world_join(&w, 2, 1);
	world_join(&w, 0, 2);
	w.host[1].admit = ADMIT_JOINER;
	pipe_connect(&w, world_dial(&w, 2, 1, true));
	world_settle(&w);
	assert_int_equal(world_sessions(&w, 0, NULL), 2);
	assert_int_equal(world_sessions(&w, 1, NULL), 3);
	assert_int_equal(world_sessions(&w, 2, NULL), 3);
	assert_true(seen_last(&w, 1, EV_SESSION_UP)->up.as_joiner);
	/* The same joiner again: the newer stays. */
	pipe_connect(&w, world_dial(&w, 2, 1, true));
	world_settle(&w);
	assert_int_equal(world_sessions(&w, 1, NULL), 3);
	assert_int_equal(world_sessions(&w, 2, NULL), 3);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_dial),
		cmocka_unit_test(test_one_side_dials_twice),
		cmocka_unit_test(test_lower_key_wins),
		cmocka_unit_test(test_newer_dial_of_one_side_wins),
		cmocka_unit_test(test_dead_session_gives_way),
		cmocka_unit_test(test_other_pairs_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
