/*
 * How long news take by the other tree is learnt from the copies that come: announcements wait for
 * twice as long.  See note_lag() in news.c.
 */
#include "tests/unit/smegd/core/home.h"

#include <stdio.h>

#define FORGET_MS (5 * MS_PER_SECOND)

struct copies {
	struct net n;
	struct mesh *m; /* of host 0 */
};

static void begin(struct copies *c)
{
	home_init(&c->n, 2);
	net_run(&c->n, MS_PER_MINUTE);
	c->m = home_mesh(&c->n, 0);
	assert_true(c->m->log.next > 1);
	c->m->log.lag_ms = 0;
}

/* Host 1 brings what host 0 had so long ago. */
static void copy(struct copies *c, int64_t late_ms)
{
	struct news *item = newslog_at(c->m, c->m->log.next - 1);
	struct msg msg = { .kind = MSG_ENTRIES };

	item->at_ms = c->n.mono_ms - late_ms;
	item->due = item->told = 0;
	item->is_quiet = false;
	msg.u.entries.stmts = &item->stmt->raw;
	msg.u.entries.count = 1;
	msg.u.entries.way = WAY_TREE_1;
	home_say(&c->n, 1, 0, &msg);
}

static void copies(struct copies *c, unsigned count, int64_t late_ms)
{
	while (count-- > 0)
		copy(c, late_ms);
}

static int64_t lag(const struct copies *c)
{
	return c->m->log.lag_ms;
}

static void test_it_follows_the_copies_up_and_down(void **state)
{
	struct copies c;
	int64_t before;

	(void)state;
	begin(&c);
	copy(&c, 200);
	assert_true(lag(&c) == 1);
	copies(&c, 100, 200);
	assert_true(lag(&c) > 180 && lag(&c) < 230);
	before = lag(&c);
	copy(&c, 0);
	assert_true(lag(&c) < before && lag(&c) >= before - before / 8);
	copies(&c, 100, 0);
	assert_true(lag(&c) == 0);
	net_fini(&c.n);
}

static void test_one_late_copy_among_many_changes_nothing(void **state)
{
	struct copies c;

	(void)state;
	begin(&c);
	for (unsigned i = 0; i < 100; i++) {
		copies(&c, 9, 4);
		copy(&c, 4000);
		assert_true(lag(&c) <= 8);
	}
	net_fini(&c.n);
}

static void test_it_is_forgotten_after_five_seconds_without_copies(void **state)
{
	struct copies c;

	(void)state;
	begin(&c);
	copies(&c, 100, 200);
	c.m->log.lag_at_ms = c.n.mono_ms - FORGET_MS + 1;
	copy(&c, 500);
	assert_true(lag(&c) > 180);
	c.m->log.lag_at_ms = c.n.mono_ms - FORGET_MS;
	copy(&c, 500);
	assert_true(lag(&c) == 1);
	net_fini(&c.n);
}

/* Twice that is how long an announcement waits; a second at most. */
static void test_announcements_wait_for_it(void **state)
{
	struct copies c;
	int64_t first_ms;

	(void)state;
	begin(&c);
	copies(&c, 100, 200);
	newslog_at(c.m, c.m->log.next - 1)->at_ms = c.n.mono_ms;
	newslog_at(c.m, c.m->log.next - 1)->due = 0;
	c.m->log.announced = c.m->log.next - 1;
	c.m->log.due = c.m->log.next;
	first_ms = news_deadline(c.m);
	assert_true(first_ms == c.n.mono_ms + 2 * lag(&c));
	c.m->log.lag_ms = 4000;
	assert_true(news_deadline(c.m) == c.n.mono_ms + MS_PER_SECOND);
	net_fini(&c.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_follows_the_copies_up_and_down),
		cmocka_unit_test(test_one_late_copy_among_many_changes_nothing),
		cmocka_unit_test(test_it_is_forgotten_after_five_seconds_without_copies),
		cmocka_unit_test(test_announcements_wait_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
