/*
 * A walk over all that a replica would send: what comes, in which order, and that the digest is the
 * sum of just that.
 */
#include "tests/unit/crdt/fixture.h"

#define NOW ((uint64_t)FIXTURE_NOW_MS)

/* Four members, of whom one is passing, and two administrators. */
struct world {
	struct fixture f;
	struct set *set;
};

static void merge(struct world *w, struct stmt *s)
{
	fixture_merge(w->set, s);
	fixture_drop(&w->f, s);
}

static void world_init(struct world *w)
{
	struct fixture *f = &w->f;
	struct fixture_record first = { .counter = NOW, .role = ROLE_PEER, .watchers = 3 };
	struct fixture_record second = { .member = 1, .counter = NOW + 9, .role = ROLE_PEER };

	fixture_init(f);
	w->set = fixture_set(f);
	merge(w, fixture_appoint(f, 0, NOW));
	merge(w, fixture_appoint(f, 1, NOW));
	merge(w, fixture_admission(f, 0, 0, ROLE_PEER, NOW));
	merge(w, fixture_admission(f, 1, 0, ROLE_PEER, NOW));
	merge(w, fixture_record(f, &first));
	merge(w, fixture_admission(f, 0, 1, ROLE_PEER, NOW));
	merge(w, fixture_record(f, &second));
	merge(w, fixture_admission(f, 0, 2, ROLE_PEER, NOW));
	assert_int_equal(set_raise_floor(w->set, NOW), 0);
	merge(w, fixture_admission(f, 0, 3, ROLE_PEER, NOW - 1));
	assert_null(set_find(w->set, &f->members[3].box_public));
	assert_int_equal(set_count(w->set), 3);
}

static void world_fini(struct world *w)
{
	set_free(w->set);
	fixture_fini(&w->f);
}

/* Statements as they come, and the sum of their hashes. */
struct walk {
	const struct stmt *at[16];
	size_t count;
	size_t left; /* end when it is 0 */
	uint8_t sum[16];
};

static int walk_visit(void *ctx, const struct stmt *stmt)
{
	struct walk *w = ctx;
	uint8_t digest[16];
	unsigned carry = 0;

	assert_true(w->count < ARRAY_LEN(w->at));
	w->at[w->count++] = stmt;
	stmt_digest16(stmt, digest);
	for (size_t i = sizeof(digest); i-- > 0;) {
		carry += w->sum[i] + digest[i];
		w->sum[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return --w->left == 0 ? 42 : 0;
}

static void test_a_visit_of_all_is_the_mesh_keys_then_each_members(void **state)
{
	struct walk each = { .left = 99 };
	struct walk all = { .left = 99 };
	struct world w;
	const struct entry *e;
	struct set *empty;

	(void)state;
	world_init(&w);
	assert_int_equal(set_visit_member(w.set, NULL, walk_visit, &each), 0);
	set_for_each(e, i, w.set)
		assert_int_equal(set_visit_member(w.set, &e->member, walk_visit, &each), 0);
	assert_int_equal(set_visit_all(w.set, walk_visit, &all), 0);
	assert_int_equal(all.count, 2 + 3 + 2 + 1);
	assert_int_equal(each.count, all.count);
	for (size_t i = 0; i < all.count; i++) {
		assert_ptr_equal(all.at[i], each.at[i]);
		assert_int_equal(all.at[i]->kind == STMT_APPOINT, i < 2);
		if (i > 2)
			assert_true(key_compare(&all.at[i - 1]->member, &all.at[i]->member) <= 0);
	}
	/* Cut short anywhere, and with nothing to see. */
	for (size_t left = 1; left <= 8; left++) {
		struct walk cut = { .left = left };

		assert_int_equal(set_visit_all(w.set, walk_visit, &cut), 42);
		assert_int_equal(cut.count, left);
	}
	empty = fixture_set(&w.f);
	assert_int_equal(set_visit_all(empty, walk_visit, &all), 0);
	assert_int_equal(all.count, 8);
	set_free(empty);
	world_fini(&w);
}

static void test_the_digest_is_the_sum_of_its_statements(void **state)
{
	struct walk all = { .left = 99 };
	uint8_t digest[DIGEST_BYTES];
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(set_visit_all(w.set, walk_visit, &all), 0);
	set_digest(w.set, digest);
	assert_memory_equal(digest, all.sum, sizeof(all.sum));
	for (size_t i = 0; i < all.count; i++) {
		for (size_t j = 0; j < i; j++) {
			uint8_t a[16];
			uint8_t b[16];

			stmt_digest16(all.at[i], a);
			stmt_digest16(all.at[j], b);
			assert_memory_not_equal(a, b, sizeof(a));
		}
	}
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_visit_of_all_is_the_mesh_keys_then_each_members),
		cmocka_unit_test(test_the_digest_is_the_sum_of_its_statements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
