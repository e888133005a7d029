/*
 * While many join: what can wait does, not for ever, and then is done.
 */
#include "tests/unit/smegd/core/crowd.h"

#include "smegd/core/watch_priv.h"

#include <stdlib.h>

#define MEMBERS 300

/* Host 0 of a crowd. */
struct calm {
	struct crowd c;
	struct effects fx;
	struct mesh *m;
	int64_t mono_ms;
	size_t told; /* members of whom repair has brought something */
};

static struct step calm_step(struct calm *x)
{
	struct step st = crowd_step(&x->c, 0);

	effects_reset(&x->fx);
	st.fx = &x->fx;
	st.now.mono_ms = x->mono_ms;
	x->m->owner->last_mono_ms = x->mono_ms;
	return st;
}

static void calm_init(struct calm *x, size_t members)
{
	memset(x, 0, sizeof(*x));
	crowd_init(&x->c, members, crowd_seed());
	x->m = &x->c.meshes[0];
	x->mono_ms = 100000;
	effects_init(&x->fx, &x->c.mt.mem);
}

static void calm_fini(struct calm *x)
{
	gossip_end(x->m);
	effects_fini(&x->fx);
	crowd_fini(&x->c);
}

/* As if the last of many had come in that long ago. */
static void storm(struct calm *x, int64_t ago_ms)
{
	x->m->newcomers = STORM_NEWCOMERS + 1;
	x->m->newcomer_ms = x->mono_ms - ago_ms;
}

/* --- what a storm is -------------------------------------------------------------------------- */

struct offering {
	struct step *st;
	struct mesh *m;
	int64_t gap_ms;
};

static int offer_one(void *ctx, const struct stmt *s)
{
	struct offering *o = ctx;

	o->st->now.mono_ms += s->kind == STMT_RECORD ? o->gap_ms : 0;
	assert_int_equal(mesh_offer(o->st, o->m, s->raw, 1), OFFER_NEW);
	return 0;
}

/* Host 0 hears of all members, a record in so many milliseconds. */
static void hear_all(struct calm *x, int64_t gap_ms)
{
	struct step st = calm_step(x);
	struct set *all = x->m->set;
	struct offering o = { &st, x->m, gap_ms };
	struct set_options options = {
		.mem = &x->c.mt.mem,
		.mesh_public = x->c.mesh.sign_public,
		.life_ms = LIFE_MS,
		.members_max = LIMIT_MEMBERS,
	};

	x->m->mesh_public = x->c.mesh.sign_public;
	x->m->life_ms = LIFE_MS;
	x->m->newcomers = 0;
	assert_int_equal(set_new(&options, &x->m->set), 0);
	assert_int_equal(set_visit_all(all, offer_one, &o), 0);
	assert_int_equal(st.err, 0);
	x->mono_ms = st.now.mono_ms;
	set_free(x->m->set);
	x->m->set = all;
}

static void test_many_in_a_row_are_a_storm(void **state)
{
	struct calm x;

	(void)state;
	calm_init(&x, STORM_NEWCOMERS + 3);
	hear_all(&x, STORM_CALM_MS / 2 - 1); /* our own record is among them */
	assert_true(mesh_is_storm(x.m, x.mono_ms));
	assert_true(mesh_is_storm(x.m, x.m->newcomer_ms + STORM_CALM_MS - 1));
	assert_false(mesh_is_storm(x.m, x.m->newcomer_ms + STORM_CALM_MS));
	assert_true(mesh_is_settling(x.m, x.m->newcomer_ms + STORM_SETTLE_MS - 1));
	assert_false(mesh_is_settling(x.m, x.m->newcomer_ms + STORM_SETTLE_MS));
	calm_fini(&x);
}

static void test_few_or_rare_ones_are_none(void **state)
{
	struct calm x;

	(void)state;
	calm_init(&x, STORM_NEWCOMERS + 1);
	hear_all(&x, 10);
	assert_int_equal(x.m->newcomers, STORM_NEWCOMERS);
	assert_false(mesh_is_storm(x.m, x.mono_ms));
	calm_fini(&x);
	calm_init(&x, 2 * STORM_NEWCOMERS);
	hear_all(&x, STORM_CALM_MS);
	assert_false(mesh_is_storm(x.m, x.mono_ms));
	assert_false(mesh_is_settling(x.m, x.mono_ms));
	calm_fini(&x);
}

/* --- sessions --------------------------------------------------------------------------------- */

/* Slots of tree t whose finger is not sought. */
static size_t unsought(const struct mesh *m, size_t t)
{
	size_t count = 0;

	for (size_t l = 0; l < TREE_LEVELS; l++)
		for (size_t d = 0; d < TREE_DIGITS; d++) {
			const struct peer *p = m->trees[t].slots[l][d].want;

			count += p && !p->is_wanted;
		}
	return count;
}

static void choose(struct calm *x)
{
	struct step st = calm_step(x);

	tree_choose(&st, x->m);
	assert_int_equal(st.err, 0);
}

static void begin(struct calm *x)
{
	struct step st = calm_step(x);

	few_start(&st, x->m);
	tree_start(&st, x->m);
}

static void test_the_second_tree_waits(void **state)
{
	struct calm x;

	(void)state;
	calm_init(&x, MEMBERS);
	storm(&x, 0);
	begin(&x);
	choose(&x);
	assert_int_equal(unsought(x.m, 0), 0);
	assert_true(unsought(x.m, 1) > 10);
	x.mono_ms += STORM_CALM_MS;
	choose(&x);
	assert_int_equal(unsought(x.m, 1), 0);
	calm_fini(&x);
}

static void test_the_second_tree_does_not_wait_for_ever(void **state)
{
	struct calm x;
	int64_t until_ms;

	(void)state;
	calm_init(&x, MEMBERS);
	storm(&x, 0);
	begin(&x);
	until_ms = x.mono_ms + 3 * TREE_WAIT_MS / 2 + TREE_WAIT_MORE_MS;
	choose(&x);
	assert_true(unsought(x.m, 1) > 10);
	x.mono_ms = until_ms;
	storm(&x, 0);
	choose(&x);
	assert_int_equal(unsought(x.m, 1), 0);
	calm_fini(&x);
}

/* How long until the members of small slots are counted. */
static int64_t count_after(struct calm *x, bool goes_on)
{
	int64_t begun_ms = x->mono_ms;

	x->m->lacking = 0;
	while (x->m->count_ms != TIME_NEVER) {
		struct step st;

		assert_true(x->m->count_ms - begun_ms < MS_PER_MINUTE);
		x->mono_ms = x->m->count_ms;
		if (goes_on)
			storm(x, 0);
		st = calm_step(x);
		few_tick(&st, x->m);
	}
	return x->mono_ms - begun_ms;
}

static void test_small_slots_wait(void **state)
{
	struct calm x;
	int64_t after_ms;

	(void)state;
	calm_init(&x, MEMBERS);
	storm(&x, 0);
	begin(&x);
	after_ms = count_after(&x, false);
	assert_in_range(after_ms, STORM_CALM_MS, STORM_CALM_MS + 3000);
	begin(&x);
	after_ms = count_after(&x, true);
	assert_in_range(after_ms, STORM_WAIT_MS, STORM_WAIT_MS + 3000);
	calm_fini(&x);
}

/* --- watchers --------------------------------------------------------------------------------- */

/* How long until watchers are chosen; asked once in GUARD_LOOK_MS. */
static int64_t choose_watchers(struct calm *x, bool goes_on)
{
	int64_t begun_ms = x->mono_ms;
	struct step st = calm_step(x);

	x->m->newcomers = 0;
	watch_start(&st, x->m);
	assert_non_null(x->m->watching);
	storm(x, 0);
	x->m->lacking = 0;
	while (!x->m->watching->has_chosen) {
		assert_true(x->mono_ms - begun_ms < MS_PER_MINUTE);
		x->mono_ms += GUARD_LOOK_MS;
		if (goes_on)
			storm(x, 0);
		st = calm_step(x);
		guard_tick(&st, x->m);
	}
	assert_int_equal(x->m->watching->guards_count, LIMIT_WATCHERS);
	watch_end(x->m);
	return x->mono_ms - begun_ms;
}

static void test_watchers_wait(void **state)
{
	struct calm x;
	int64_t after_ms;

	(void)state;
	calm_init(&x, MEMBERS);
	crowd_meet(&x.c);
	after_ms = choose_watchers(&x, false);
	assert_in_range(after_ms, STORM_GUARD_MS, STORM_GUARD_MS + 2 * GUARD_LOOK_MS);
	after_ms = choose_watchers(&x, true);
	assert_in_range(after_ms, STORM_WAIT_MS, STORM_WAIT_MS + 2 * GUARD_LOOK_MS);
	calm_fini(&x);
}

/* --- news ------------------------------------------------------------------------------------- */

/* Something comes by repair: how many sessions hear of it. */
static size_t repaired(struct calm *x)
{
	struct step st = calm_step(x);
	const struct entry *e = set_at(x->m->set, ++x->told);
	size_t count = 0;

	gossip_news(&st, x->m, e->record, UINT64_MAX);
	gossip_finish(&st, x->m);
	for (size_t i = 0; i < x->fx.count; i++)
		count += x->fx.list[i].kind == FX_SEND &&
		         x->fx.list[i].u.send.msg->kind == MSG_ANNOUNCE;
	return count;
}

static void test_what_repair_brings_is_told_to_few(void **state)
{
	struct calm x;
	size_t few = 0;

	(void)state;
	calm_init(&x, MEMBERS);
	crowd_meet(&x.c);
	/* Two rounds in a row are for all fingers, then one in four seconds. */
	for (unsigned i = 0; i < 2; i++)
		assert_true(repaired(&x) > 20);
	for (unsigned i = 0; i < 10; i++)
		few += repaired(&x);
	assert_in_range(few, 1, 100);
	x.mono_ms += 4 * MS_PER_SECOND;
	assert_true(repaired(&x) > 20);
	assert_true(repaired(&x) < 20);
	x.mono_ms += MS_PER_MINUTE;
	storm(&x, 0);
	assert_true(repaired(&x) < 20);
	calm_fini(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_in_a_row_are_a_storm),
		cmocka_unit_test(test_few_or_rare_ones_are_none),
		cmocka_unit_test(test_the_second_tree_waits),
		cmocka_unit_test(test_the_second_tree_does_not_wait_for_ever),
		cmocka_unit_test(test_small_slots_wait),
		cmocka_unit_test(test_watchers_wait),
		cmocka_unit_test(test_what_repair_brings_is_told_to_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
