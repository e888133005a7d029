/*
 * To whom items are announced that one tree, or both, have brought: see announce.c.  What repair
 * has brought is a sign of more: see news.c.
 */
#include "tests/unit/smegd/core/crowd.h"

#define HOSTS 300
#define WIDER 8
#define AFTER_MS 8

/* A host of a crowd, and what it sends. */
struct teller {
	struct crowd c;
	struct effects fx;
	struct step st;
	struct mesh *m;
};

static void begin_at(struct teller *t, size_t host)
{
	t->m = &t->c.meshes[host];
	effects_init(&t->fx, &t->c.mt.mem);
	t->st = crowd_step(&t->c, host);
	t->st.fx = &t->fx;
}

static void make_crowd(struct crowd *c)
{
	crowd_init(c, HOSTS, crowd_seed());
	crowd_meet(c);
	crowd_count(c);
}

static void begin(struct teller *t)
{
	make_crowd(&t->c);
	begin_at(t, 0);
}

static void end(struct teller *t)
{
	effects_fini(&t->fx);
	gossip_end(t->m);
	crowd_fini(&t->c);
}

/* Somebody's record is news to it: it comes from that session by that way. */
static void bring(struct teller *t, unsigned way, const struct session *from)
{
	const struct entry *e = set_find(t->m->set, &t->c.pairs[HOSTS - 1].box_public);

	assert_non_null(e);
	t->st.way = (enum way)way;
	if (t->m->log.next > 1)
		news_known(&t->st, session_by_id(t->st.n, from->id), e->record->raw);
	else
		gossip_news(&t->st, t->m, e->record, from->id);
	t->st.way = WAY_NONE;
}

/* Who is told of items AFTER_MS later, by host.  Returns how many. */
static size_t announced(struct teller *t, bool told[HOSTS])
{
	size_t count = 0;

	memset(told, 0, HOSTS * sizeof(*told));
	gossip_flush(&t->st, t->m);
	effects_reset(&t->fx);
	t->st.now.mono_ms += AFTER_MS;
	announce_tick(&t->st, t->m);
	for (size_t i = 0; i < t->fx.count; i++) {
		const struct effect *e = &t->fx.list[i];

		assert_int_equal(e->kind, FX_SEND);
		assert_int_equal(e->u.send.msg->kind, MSG_ANNOUNCE);
		assert_int_equal(e->u.send.msg->u.items.count, 1);
		count += !told[e->u.send.session - 1];
		told[e->u.send.session - 1] = true;
	}
	return count;
}

static bool is_in_ring(const struct mesh *m, const struct peer *p)
{
	bool is_in = false;

	for (size_t i = 0; i < RING; i++)
		is_in |= m->ring[i].use == p;
	return is_in;
}

static const struct session *some_session(struct teller *t)
{
	const struct session *s = t->m->sessions[rng_below(&t->c.rng, t->m->sessions_all)];

	assert_non_null(s->peer);
	return s;
}

static void test_what_one_tree_lacked_goes_to_the_closest_there(void **state)
{
	static const unsigned ways[][TREES] = {
		/* by the first, by the second */
		{ WAY_TREE_1, WAY_TREE_2 },
		{ WAY_LAST_1, WAY_LAST_2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways) * TREES; i++) {
		size_t by = i % TREES;
		size_t lacked = 1 - by;
		unsigned told_least = TREE_LEVELS;
		unsigned untold_most = 0;
		bool told[HOSTS];
		struct teller t;
		const struct session *from;
		const struct session *s;

		begin(&t);
		from = some_session(&t);
		bring(&t, ways[i / TREES][by], from);
		assert_in_range(announced(&t, told), WIDER - 1, WIDER + RING);
		assert_false(told[from->id - 1]);
		session_for_each(s, t.m) {
			unsigned level = s->peer->spot.level[lacked];

			if (s == from || is_in_ring(t.m, s->peer))
				continue;
			if (told[s->id - 1])
				told_least = MIN_OF(told_least, level);
			else
				untold_most = MAX_OF(untold_most, level);
		}
		assert_true(told_least >= untold_most);
		end(&t);
	}
}

static void test_what_both_brought_goes_to_the_rings_only(void **state)
{
	static const unsigned ways[][2] = {
		/* one after the other */
		{ WAY_TREE_1, WAY_TREE_2 },
		{ WAY_TREE_2, WAY_LAST_1 },
		{ WAY_LAST_1, WAY_LAST_2 },
		{ WAY_TREE_1 | WAY_LAST_2, WAY_NONE },
		{ WAY_LAST_1 | WAY_LAST_2, WAY_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		bool told[HOSTS];
		struct teller t;
		const struct session *s;

		begin(&t);
		bring(&t, ways[i][0], some_session(&t));
		if (ways[i][1])
			bring(&t, ways[i][1], some_session(&t));
		announced(&t, told);
		session_for_each(s, t.m)
			assert_true(!told[s->id - 1] || is_in_ring(t.m, s->peer));
		end(&t);
	}
}

/* So many sessions are as close in tree 1 as the last of those that are told, or closer. */
static size_t could_be_told(const struct mesh *m)
{
	const struct session *s;
	unsigned level = TREE_LEVELS + 1;
	size_t count = 0;

	while (count < WIDER && level-- > 0) {
		count = 0;
		session_for_each(s, m)
			count += s->peer->spot.level[0] >= level;
	}
	return count;
}

/* Each of the equally close must have its turn, or some would never be told by anybody. */
static void test_the_equally_close_take_turns(void **state)
{
	bool ever[HOSTS] = { false };
	size_t first = 0;
	size_t all = 0;
	size_t host = 0;
	struct teller t;

	(void)state;
	make_crowd(&t.c);
	while (could_be_told(&t.c.meshes[host]) < WIDER + 8)
		assert_true(++host < HOSTS - 1); /* whose record it is */
	begin_at(&t, host);
	for (unsigned round = 0; round < 30; round++) {
		bool told[HOSTS];

		bring(&t, WAY_LAST_2, t.m->sessions[0]);
		announced(&t, told);
		for (size_t i = 0; i < HOSTS; i++)
			ever[i] |= told[i];
		gossip_end(t.m);
		t.st.now.mono_ms += MS_PER_MINUTE;
		for (size_t i = 0; round == 0 && i < HOSTS; i++)
			first += told[i];
	}
	for (size_t i = 0; i < HOSTS; i++)
		all += ever[i];
	print_message("%zu told at first, %zu in the end\n", first, all);
	assert_true(all > first + 3);
	end(&t);
}

/* --- what streams in ----------------------------------------------------------------------------
 */

#define STREAK_MIN 16
#define STREAK_GAP_MS 50
#define STREAK_MORE_MS 80

/* So many news that nobody told by a tree, each so long after the last. */
static void stream(struct teller *t, size_t first, size_t count, int64_t gap_ms)
{
	for (size_t i = first; i < first + count; i++) {
		const struct entry *e = set_find(t->m->set, &t->c.pairs[i].box_public);

		t->st.now.mono_ms += gap_ms;
		gossip_news(&t->st, t->m, e->record, t->m->sessions[0]->id);
	}
}

static void test_more_is_expected_while_repaired_news_stream_in(void **state)
{
	struct teller t;

	(void)state;
	begin(&t);
	stream(&t, 1, STREAK_MIN, STREAK_GAP_MS - 1);
	assert_true(t.m->mending_until_ms == 0);
	stream(&t, 1 + STREAK_MIN, 2, STREAK_GAP_MS - 1);
	assert_true(t.m->mending_until_ms == t.st.now.mono_ms + STREAK_MORE_MS);
	/* What comes later is none of it. */
	t.m->mending_until_ms = 0;
	stream(&t, 40, STREAK_MIN, STREAK_GAP_MS);
	stream(&t, 80, STREAK_MIN - 1, STREAK_GAP_MS - 1);
	assert_true(t.m->mending_until_ms == 0);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_one_tree_lacked_goes_to_the_closest_there),
		cmocka_unit_test(test_what_both_brought_goes_to_the_rings_only),
		cmocka_unit_test(test_the_equally_close_take_turns),
		cmocka_unit_test(test_more_is_expected_while_repaired_news_stream_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
