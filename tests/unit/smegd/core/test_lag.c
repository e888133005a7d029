/*
 * How long news take by the other tree is learnt from the copies that come: announcements wait for
 * twice as long.  See note_lag() in news.c.  And how what was announced is announced in its turn.
 */
#include "tests/unit/smegd/core/home.h"

#include <stdio.h>

#define WIDER 8 /* see announce.c */
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
	item->due = item->told = item->came = 0;
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
	/* And as long where it is our own timers that are late. */
	c.m->log.lag_ms = 0;
	c.m->watching->late_ms = 150;
	assert_true(news_deadline(c.m) == c.n.mono_ms + 300);
	net_fini(&c.n);
}

/* --- what was announced ----------------------------------------------------------------------- */

struct ears {
	bool is_deaf;        /* host 0 hears no news */
	size_t announced[2]; /* by host 0; 1: as repaired */
};

static bool listen(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct ears *e = ctx;

	if (from == 0 && msg->kind == MSG_ANNOUNCE)
		e->announced[msg->u.items.repaired]++;
	return !e->is_deaf || to != 0 ||
	       (msg->kind != MSG_ENTRIES && msg->kind != MSG_ANNOUNCE && msg->kind != MSG_DIGEST);
}

/* Host 0 has missed an item, and hears of it from host 1. */
static void hear_of_it(struct ears *e, bool repaired, int64_t late_ms)
{
	struct msg msg = { .kind = MSG_ANNOUNCE };
	struct command c = { .kind = CMD_SET, .mesh = "home", .settings.has_alias = true };
	struct net n;
	uint64_t id;

	home_init(&n, 5);
	n.filter = listen;
	n.ctx = e;
	e->is_deaf = true;
	snprintf(c.settings.alias, sizeof(c.settings.alias), "gate");
	net_command(&n, 2, &c);
	net_run(&n, 50);
	id = newslog_at(home_mesh(&n, 1), home_mesh(&n, 1)->log.next - 1)->id;
	assert_null(newslog_find(home_mesh(&n, 0), id));
	*e = (struct ears){ .is_deaf = false };
	msg.u.items.items = &id;
	msg.u.items.count = 1;
	msg.u.items.repaired = repaired;
	home_mesh(&n, 0)->watching->late_ms = late_ms;
	home_say(&n, 1, 0, &msg);
	net_run(&n, 300);
	assert_non_null(newslog_find(home_mesh(&n, 0), id));
	net_fini(&n);
}

static void test_who_is_late_takes_what_it_lacks_for_slow(void **state)
{
	static const struct {
		bool repaired; /* as the other one says */
		int64_t late_ms;
		bool is_wide;
	} table[] = {
		{ true, 0, true }, { false, 0, true }, { true, 100, true }, { false, 100, false }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct ears e;

		hear_of_it(&e, table[i].repaired, table[i].late_ms);
		assert_true((e.announced[true] > 0) == table[i].is_wide);
		assert_in_range(e.announced[false], !table[i].is_wide, table[i].is_wide ? 0 : RING);
	}
}

/* Host 0 has an item; ret: how often it announces it, if all others have (told) before it does. */
static size_t announced_by_0(bool told)
{
	struct msg msg = { .kind = MSG_ANNOUNCE };
	struct command c = { .kind = CMD_SET, .mesh = "home", .settings.has_alias = true };
	struct ears e = { .is_deaf = false };
	struct net n;

	home_init(&n, 5);
	n.filter = listen;
	n.ctx = &e;
	snprintf(c.settings.alias, sizeof(c.settings.alias), "gate");
	net_command(&n, 0, &c);
	net_deliver(&n);
	msg.u.items.items = &newslog_at(home_mesh(&n, 0), home_mesh(&n, 0)->log.next - 1)->id;
	msg.u.items.count = 1;
	for (size_t i = 1; told && i < 5; i++)
		home_say(&n, i, 0, &msg);
	net_run(&n, 100);
	net_fini(&n);
	return e.announced[false];
}

static void test_nothing_is_announced_to_who_has_announced_it(void **state)
{
	(void)state;
	assert_in_range(announced_by_0(false), 1, RING);
	assert_int_equal(announced_by_0(true), 0);
}

/* Announcements by host 0 of an item that these trees (bits) have brought. */
static size_t announced_if(uint8_t came, unsigned rate)
{
	struct ears e = { .is_deaf = false };
	struct mesh *m;
	struct news *item;
	struct net n;

	home_init(&n, 10);
	n.filter = listen;
	n.ctx = &e;
	m = home_mesh(&n, 0);
	item = newslog_at(m, m->log.next - 1);
	item->at_ms = n.mono_ms;
	item->told = 1;
	item->came = came;
	m->log.announced = m->log.next - 1;
	m->log.rate = (struct rate){ n.mono_ms, rate, 0 };
	m->newcomer_ms = 0;
	m->newcomers = 0;
	net_run(&n, 50);
	net_fini(&n);
	return e.announced[false];
}

/* What is missing from one tree here is missing elsewhere, too, and perhaps from both. */
static void test_what_one_tree_alone_brought_is_announced_to_more(void **state)
{
	(void)state;
	assert_in_range(announced_if(1, 1), WIDER, RING + WIDER);
	assert_in_range(announced_if(2, 1), WIDER, RING + WIDER);
	assert_in_range(announced_if(3, 1), 1, RING);
	assert_in_range(announced_if(0, 1), 1, RING);  /* by repair, and our neighbours' */
	assert_in_range(announced_if(1, 16), 0, RING); /* repair is under way */
}

/* --- floods ----------------------------------------------------------------------------------- */

struct leaving {
	struct net *n;
	int64_t at_ms; /* when host 0 first told a record; 0: not yet */
};

static bool note_entries(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct leaving *l = ctx;

	(void)to;
	if (from == 0 && msg->kind == MSG_ENTRIES && !l->at_ms)
		l->at_ms = l->n->mono_ms;
	return true;
}

static int64_t tell(struct leaving *l, const char *alias)
{
	struct command c = { .kind = CMD_SET, .mesh = "home", .settings.has_alias = true };

	l->at_ms = 0;
	snprintf(c.settings.alias, sizeof(c.settings.alias), "%s", alias);
	net_command(l->n, 0, &c);
	for (int i = 0; i < 90 && !l->at_ms; i++)
		net_run(l->n, 10);
	assert_true(l->at_ms != 0);
	return l->at_ms;
}

/* How long after a change of its own host 0 tells the next, with so many news in this second. */
static int64_t told_after(unsigned news)
{
	struct leaving l = { .at_ms = 0 };
	struct net n;
	int64_t first_ms;
	int64_t after_ms;

	home_init(&n, 5);
	l.n = &n;
	n.filter = note_entries;
	n.ctx = &l;
	home_mesh(&n, 0)->log.tree_rate = (struct rate){ n.mono_ms, news, 0 };
	first_ms = tell(&l, "gate");
	after_ms = tell(&l, "door") - first_ms;
	net_fini(&n);
	return after_ms;
}

/* Thousands of records follow when half of a mesh is lost. */
static void test_in_a_flood_records_wait_for_each_other(void **state)
{
	(void)state;
	assert_in_range(told_after(NEWS_FLOOD - 3), 0, 150);
	assert_in_range(told_after(NEWS_FLOOD), 250, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_follows_the_copies_up_and_down),
		cmocka_unit_test(test_one_late_copy_among_many_changes_nothing),
		cmocka_unit_test(test_it_is_forgotten_after_five_seconds_without_copies),
		cmocka_unit_test(test_announcements_wait_for_it),
		cmocka_unit_test(test_who_is_late_takes_what_it_lacks_for_slow),
		cmocka_unit_test(test_nothing_is_announced_to_who_has_announced_it),
		cmocka_unit_test(test_what_one_tree_alone_brought_is_announced_to_more),
		cmocka_unit_test(test_in_a_flood_records_wait_for_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
