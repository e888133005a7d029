/*
 * The chains of the log of news find what a look through all of it would.
 */
#include "tests/unit/smegd/core/crowd.h"

#define HOSTS 700 /* more than the ring has items */
#define ROUNDS (3 * NEWS_LOG_MAX)

static struct news *find_slowly(const struct mesh *m, uint64_t id)
{
	for (uint64_t n = m->log.next; n-- > newslog_first(m);)
		if (newslog_at(m, n)->id == id)
			return newslog_at(m, n);
	return NULL;
}

static bool is_too_much_slowly(const struct mesh *m, const struct stmt *s, int64_t now_ms)
{
	unsigned count = 0;

	for (uint64_t n = m->log.next; n-- > newslog_first(m);) {
		const struct news *item = newslog_at(m, n);

		count += now_ms - item->at_ms <= ORIGIN_BURST * MS_PER_SECOND &&
		         key_equal(&item->stmt->member, &s->member);
	}
	return count >= ORIGIN_BURST;
}

/* One member signs most of all that is signed. */
static struct stmt *draw(struct crowd *c)
{
	size_t i = rng_below(&c->rng, 8) ? rng_below(&c->rng, HOSTS) : 0;

	return set_find(c->set, &c->pairs[i].box_public)->record;
}

static void test_chains_find_what_a_look_through_all_finds(void **state)
{
	struct crowd c;
	struct step st;
	struct mesh *m;
	size_t much = 0;
	size_t gone = 0;

	(void)state;
	crowd_init(&c, HOSTS, crowd_seed());
	m = &c.meshes[0];
	st = crowd_step(&c, 0);
	assert_null(newslog_find(m, 1));
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct stmt *s = draw(&c);
		/* For most of the time so many that a member's last one has left the ring. */
		int64_t pause_ms = round < NEWS_LOG_MAX ? 100 : 1;
		bool is_much = newslog_is_too_much(m, s, st.now.mono_ms);

		assert_true(is_much == is_too_much_slowly(m, s, st.now.mono_ms));
		much += is_much;
		assert_non_null(newslog_add(&st, m, s));
		for (unsigned i = 0; i < 3; i++) {
			/* Ids of what was added, of what was long ago, and of what was never. */
			uint64_t id = stmt_id(draw(&c)) + (i == 2);

			assert_ptr_equal(newslog_find(m, id), find_slowly(m, id));
			gone += !newslog_find(m, id);
		}
		st.now.mono_ms += (int64_t)rng_below(&c.rng, 2 * (uint64_t)pause_ms);
	}
	assert_true(much > 0 && much < ROUNDS);
	assert_true(gone >= ROUNDS);
	newslog_fini(m);
	crowd_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains_find_what_a_look_through_all_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
