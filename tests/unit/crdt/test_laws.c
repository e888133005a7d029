/*
 * Merging obeys its laws: whatever the order, repetition and grouping, replicas that have seen the
 * same end up the same; and what is out stays out.
 *
 * First by enumeration: every subset of three small pools of statements, in every order, against a
 * model that is a plain reading of the rules (crdt/set.h) over the whole list.  Then by random
 * histories over a larger pool:
 *
 *	SEED=n       repeats a run (it is printed)
 *	HISTORIES=n  how many (default: what takes a few seconds)
 *
 * Statements are signed once and offered as trusted, without converting keys again: what is tested
 * here is merging.  Signatures are the business of test_stmt.c and test_set.c.
 */
#include "tests/unit/crdt/fixture.h"

#include "base/rng.h"
#include "crdt/set_priv.h"
#include "crdt/stmt_priv.h"

#include <stdio.h>
#include <time.h>

#define HISTORIES_DEFAULT 20000
#define POOL_MAX 128
#define PICK_MAX 20
#define REPLICAS 3
#define MEMBERS 3

struct lab {
	struct fixture f;
	struct stmt *pool[POOL_MAX];
	size_t count;
	size_t authority_count; /* of the pool's first, which are no records or removes */
	struct rng rng;
};

static void lab_add(struct lab *l, struct stmt *s)
{
	assert_true(l->count < POOL_MAX);
	l->pool[l->count++] = s;
}

static void lab_fini(struct lab *l)
{
	for (size_t i = 0; i < l->count; i++)
		fixture_drop(&l->f, l->pool[i]);
	fixture_fini(&l->f);
}

/* --- the model ------------------------------------------------------------------------- */

/* A list of statements, of which some count. */
struct list {
	const struct stmt *at[POOL_MAX];
	size_t count;
};

static const struct stmt *model_mesh(const struct list *list, const struct key *administrator)
{
	const struct stmt *best = NULL;

	for (size_t i = 0; i < list->count; i++) {
		const struct stmt *s = list->at[i];

		if (s->kind != STMT_APPOINT && s->kind != STMT_REVOKE)
			continue;
		if (key_equal(&s->subject, administrator) && (!best || stmt_compare(s, best) > 0))
			best = s;
	}
	return best;
}

/* The greatest of a kind about a member, by this signer if not NULL. */
static const struct stmt *model_greatest(const struct list *list,
                                         enum stmt_kind kind,
                                         const struct key *member,
                                         const struct key *signer)
{
	const struct stmt *best = NULL;

	for (size_t i = 0; i < list->count; i++) {
		const struct stmt *s = list->at[i];

		if (s->kind != kind || !key_equal(&s->member, member))
			continue;
		if (signer && !key_equal(&s->signer, signer))
			continue;
		if (!best || stmt_compare(s, best) > 0)
			best = s;
	}
	return best;
}

static const struct stmt *model_admission(const struct list *list,
                                          const struct key *member,
                                          bool *ret_any)
{
	const struct stmt *best = NULL;

	*ret_any = false;
	for (size_t i = 0; i < list->count; i++) {
		const struct stmt *s = list->at[i];
		const struct stmt *mesh;

		if (s->kind != STMT_ADMISSION || !key_equal(&s->member, member))
			continue;
		mesh = model_mesh(list, &s->signer);
		*ret_any |= mesh != NULL;
		/* Only the last word of each issuer. */
		if (!mesh || s != model_greatest(list, STMT_ADMISSION, member, &s->signer))
			continue;
		if (mesh->kind == STMT_REVOKE && !revoke_lets_stay(mesh, member))
			continue;
		if (!best || stmt_compare(s, best) > 0)
			best = s;
	}
	return best;
}

static bool model_is_expelled(const struct list *list, const struct key *member, bool *ret_any)
{
	bool is_expelled = false;

	*ret_any = false;
	for (size_t i = 0; i < list->count; i++) {
		const struct stmt *s = list->at[i];
		const struct stmt *mesh;

		if (s->kind != STMT_EXPEL || !key_equal(&s->member, member))
			continue;
		mesh = model_mesh(list, &s->signer);
		*ret_any |= mesh != NULL;
		is_expelled |= mesh && !(mesh->kind == STMT_REVOKE && revoke_is_stolen(mesh));
	}
	return is_expelled;
}

/* False: no entry. */
static bool model_standing(const struct list *list,
                           const struct key *member,
                           enum standing *ret_standing)
{
	bool has_admission;
	bool has_expel;
	bool is_expelled = model_is_expelled(list, member, &has_expel);
	const struct stmt *admission = model_admission(list, member, &has_admission);
	const struct stmt *record = model_greatest(list, STMT_RECORD, member, NULL);
	const struct stmt *remove = model_greatest(list, STMT_REMOVE, member, NULL);
	struct admission a;

	if (!has_admission && !has_expel)
		return false;
	*ret_standing = STANDING_VOID;
	if (is_expelled) {
		*ret_standing = STANDING_EXPELLED;
	} else if (admission && remove && (!record || record->counter <= remove->counter)) {
		*ret_standing = remove->cause == CAUSE_LEAVE ? STANDING_LEFT : STANDING_PRUNED;
	} else if (admission && !record) {
		*ret_standing = STANDING_ADMITTED;
	} else if (admission) {
		admission_read(admission, &a);
		if (a.role == ROLE_PEER || record_role(record) == ROLE_CLIENT)
			*ret_standing = STANDING_IN;
	}
	return true;
}

static void assert_like_model(const struct lab *l, const struct set *s, const struct list *list)
{
	size_t shown = 0;
	size_t in = 0;

	for (size_t i = 0; i < MEMBERS; i++) {
		const struct key *member = &l->f.members[i].box_public;
		const struct entry *e = set_find(s, member);
		enum standing standing;
		bool exists = model_standing(list, member, &standing);

		assert_int_equal(exists, e != NULL);
		if (!exists)
			continue;
		assert_int_equal(e->standing, standing);
		shown++;
		in += standing == STANDING_IN;
	}
	assert_int_equal(set_count(s), shown);
	assert_int_equal(set_group_count(s), in);
}

/* --- replicas -------------------------------------------------------------------------- */

static struct offered offer(struct set *s, const struct stmt *stmt, int64_t unix_ms)
{
	struct offer_terms terms = { .now = { .unix_ms = unix_ms }, .trusted = true };
	struct offered offered;

	assert_int_equal(set_offer_scanned(s, stmt, &terms, &offered), 0);
	return offered;
}

/* Offer the whole list again and again until nothing is new, as repair does. */
static void offer_all(struct set *s, const struct list *list)
{
	size_t news;

	do {
		news = 0;
		for (size_t i = 0; i < list->count; i++)
			news += offer(s, list->at[i], FIXTURE_NOW_MS).offer == OFFER_NEW;
	} while (news > 0);
}

static int collect(void *ctx, const struct stmt *stmt)
{
	struct list *list = ctx;

	assert_true(list->count < POOL_MAX);
	list->at[list->count++] = stmt;
	return 0;
}

/* Everything a replica would send, in the order in which it does. */
static void set_list(const struct set *s, struct list *out)
{
	const struct entry *e;

	assert_int_equal(set_visit_member(s, NULL, collect, out), 0);
	set_for_each(e, i, s)
		assert_int_equal(set_visit_member(s, &e->member, collect, out), 0);
}

/* Take in all of another replica, in one pass; nothing may be refused. */
static size_t merge(struct set *s, const struct set *other)
{
	struct list list = { .count = 0 };
	size_t news = 0;

	set_list(other, &list);
	for (size_t i = 0; i < list.count; i++) {
		struct offered offered = offer(s, list.at[i], FIXTURE_NOW_MS);

		assert_int_not_equal(offered.offer, OFFER_REFUSED);
		news += offered.offer == OFFER_NEW;
	}
	return news;
}

static void assert_same_set(const struct lab *l, const struct set *a, const struct set *b)
{
	uint8_t a_digest[DIGEST_BYTES];
	uint8_t b_digest[DIGEST_BYTES];

	set_digest(a, a_digest);
	set_digest(b, b_digest);
	assert_memory_equal(a_digest, b_digest, DIGEST_BYTES);
	assert_int_equal(set_count(a), set_count(b));
	assert_int_equal(set_group_count(a), set_group_count(b));
	for (size_t i = 0; i < MEMBERS; i++) {
		const struct entry *x = set_find(a, &l->f.members[i].box_public);
		const struct entry *y = set_find(b, &l->f.members[i].box_public);

		assert_int_equal(x == NULL, y == NULL);
		if (!x)
			continue;
		assert_int_equal(x->standing, y->standing);
	}
}

/* --- enumeration ----------------------------------------------------------------------- */

struct enumeration {
	struct lab lab;
	struct list base;      /* offered to every replica first */
	struct list order;     /* the subset, being permuted */
	struct set *reference; /* the subset in its first order */
	size_t orders;
};

static void try_order(struct enumeration *e)
{
	struct set *s = fixture_set(&e->lab.f);
	struct list all = e->base;

	offer_all(s, &e->base);
	offer_all(s, &e->order);
	for (size_t i = 0; i < e->order.count; i++)
		all.at[all.count++] = e->order.at[i];
	assert_like_model(&e->lab, s, &all);
	e->orders++;
	if (!e->reference) {
		e->reference = s;
		return;
	}
	assert_same_set(&e->lab, e->reference, s);
	set_free(s);
}

static void swap(const struct stmt **a, const struct stmt **b)
{
	const struct stmt *t = *a;

	*a = *b;
	*b = t;
}

static void try_orders_from(struct enumeration *e, size_t at)
{
	if (at >= e->order.count) {
		try_order(e);
		return;
	}
	for (size_t i = at; i < e->order.count; i++) {
		swap(&e->order.at[at], &e->order.at[i]);
		try_orders_from(e, at + 1);
		swap(&e->order.at[at], &e->order.at[i]);
	}
}

static void try_all_subsets(struct enumeration *e)
{
	for (unsigned subset = 0; subset < 1u << e->lab.count; subset++) {
		e->order.count = 0;
		for (size_t i = 0; i < e->lab.count; i++) {
			if (subset & 1u << i)
				e->order.at[e->order.count++] = e->lab.pool[i];
		}
		e->reference = NULL;
		try_orders_from(e, 0);
		set_free(e->reference);
	}
	print_message("%zu orders\n", e->orders);
	for (size_t i = 0; i < e->base.count; i++)
		stmt_unref(&e->lab.f.mt.mem, (struct stmt *)(uintptr_t)e->base.at[i]);
	lab_fini(&e->lab);
}

static void base_add(struct enumeration *e, struct stmt *s)
{
	e->base.at[e->base.count++] = s;
}

static void test_authority_in_every_order(void **state)
{
	static const int stay[] = { 0, -1 };
	struct enumeration e = { .orders = 0 };
	struct lab *l = &e.lab;
	struct fixture_record r = { .counter = 3, .role = ROLE_PEER };

	(void)state;
	fixture_init(&l->f);
	lab_add(l, fixture_appoint(&l->f, 0, 1));
	lab_add(l, fixture_revoke(&l->f, 0, 1, stay));
	lab_add(l, fixture_appoint(&l->f, 1, 2));
	lab_add(l, fixture_admission(&l->f, 0, 0, ROLE_PEER, 1));
	lab_add(l, fixture_admission(&l->f, 1, 0, ROLE_CLIENT, 2));
	lab_add(l, fixture_expel(&l->f, 1, 1, 1));
	lab_add(l, fixture_record(&l->f, &r));
	try_all_subsets(&e);
}

static void test_registers_of_one_member_in_every_order(void **state)
{
	struct enumeration e = { .orders = 0 };
	struct lab *l = &e.lab;
	struct fixture_record r = { .counter = 3, .role = ROLE_PEER, .watchers = 3 };
	struct stmt *one;

	(void)state;
	fixture_init(&l->f);
	base_add(&e, fixture_appoint(&l->f, 0, 1));
	base_add(&e, fixture_admission(&l->f, 0, 0, ROLE_PEER, 1));
	/* Two records of one counter, a later one, and three removes; two of them the same. */
	one = fixture_record(&l->f, &r);
	lab_add(l, one);
	lab_add(l, fixture_prune(&l->f, one, 0));
	lab_add(l, fixture_prune(&l->f, one, 1));
	lab_add(l, fixture_leave(&l->f, 0, one));
	r.variant = 'x';
	lab_add(l, fixture_record(&l->f, &r));
	r.counter++;
	lab_add(l, fixture_record(&l->f, &r));
	lab_add(l, fixture_expel(&l->f, 0, 0, 1));
	try_all_subsets(&e);
}

static void test_two_members_in_every_order(void **state)
{
	static const int stay[] = { 1, -1 };
	struct enumeration e = { .orders = 0 };
	struct lab *l = &e.lab;
	struct fixture_record r = { .counter = 3, .role = ROLE_CLIENT };
	struct stmt *one;

	(void)state;
	fixture_init(&l->f);
	base_add(&e, fixture_appoint(&l->f, 0, 1));
	lab_add(l, fixture_admission(&l->f, 0, 0, ROLE_PEER, 1));
	lab_add(l, fixture_admission(&l->f, 0, 1, ROLE_CLIENT, 1));
	one = fixture_record(&l->f, &r);
	lab_add(l, one);
	r.member = 1;
	lab_add(l, fixture_record(&l->f, &r));
	lab_add(l, fixture_leave(&l->f, 0, one));
	lab_add(l, fixture_revoke(&l->f, 0, 5, stay));
	lab_add(l, fixture_revoke_stolen(&l->f, 0, 6));
	try_all_subsets(&e);
}

/* --- random histories ------------------------------------------------------------------ */

#define TICK (LIFE_MS / 2)
#define T0 (FIXTURE_NOW_MS - 4 * TICK)

/* Everything about a few members and administrators, at a few times. */
static void pool_init(struct lab *l, bool has_stolen)
{
	static const int stay[] = { 0, 2, -1 };

	for (size_t a = 0; a < 2; a++) {
		lab_add(l, fixture_appoint(&l->f, a, T0));
		lab_add(l, fixture_expel(&l->f, a, a, T0 + a));
		lab_add(l, fixture_revoke(&l->f, a, T0, stay));
		lab_add(l, fixture_appoint(&l->f, a, T0 + TICK));
		lab_add(l, fixture_revoke(&l->f, a, T0 + 2 * TICK, NULL));
		if (has_stolen)
			lab_add(l, fixture_revoke_stolen(&l->f, a, T0 + 3 * TICK));
		for (size_t m = 0; m < MEMBERS; m++) {
			lab_add(l, fixture_admission(&l->f, a, m, ROLE_PEER, T0));
			lab_add(l, fixture_admission(&l->f, a, m, ROLE_CLIENT, T0 + TICK + a));
		}
	}
	l->authority_count = l->count;
	for (size_t m = 0; m < MEMBERS; m++) {
		for (uint64_t t = 0; t < 4; t++) {
			struct fixture_record r = {
				.member = m,
				.counter = T0 + t * TICK,
				.role = t % 2 == 0 ? ROLE_PEER : ROLE_CLIENT,
				.watchers = t == 3 ? 1 : 3,
			};
			struct stmt *record = fixture_record(&l->f, &r);

			lab_add(l, record);
			lab_add(l, fixture_leave(&l->f, m, record));
			if (t < 3)
				lab_add(l, fixture_prune(&l->f, record, t % 2));
			r.variant = 'x';
			lab_add(l, fixture_record(&l->f, &r));
		}
	}
}

static uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void lab_init_random(struct lab *l, bool has_stolen)
{
	uint64_t seed = env_number("SEED", (uint64_t)time(NULL));
	uint8_t bytes[RNG_SEED_BYTES] = { 0 };

	print_message("SEED=%llu\n", (unsigned long long)seed);
	memcpy(bytes, &seed, sizeof(seed));
	fixture_init(&l->f);
	rng_init(&l->rng, bytes);
	l->count = 0;
	pool_init(l, has_stolen);
}

/* Half of it about authority, and mostly with an administrator: else little would be accepted. */
static void pick(struct lab *l, struct list *out)
{
	size_t wanted = 1 + (size_t)rng_below(&l->rng, PICK_MAX);

	out->count = 0;
	if (rng_below(&l->rng, 4) > 0)
		out->at[out->count++] = l->pool[0];
	while (out->count < wanted) {
		bool is_authority = rng_below(&l->rng, 2) == 0;
		size_t from = is_authority ? 0 : l->authority_count;
		size_t to = is_authority ? l->authority_count : l->count;

		out->at[out->count++] = l->pool[from + rng_below(&l->rng, to - from)];
	}
}

static struct set *merged(struct lab *l, const struct set *a, const struct set *b)
{
	struct set *s = fixture_set(&l->f);

	merge(s, a);
	merge(s, b);
	return s;
}

/* Histories in which nobody is ever in the group prove little. */
static void assert_not_vacuous(uint64_t in, uint64_t histories)
{
	print_message("%llu histories, %llu in the group\n", (unsigned long long)histories,
	              (unsigned long long)in);
	assert_true(in >= histories / 10);
}

/* (a + b) + c = a + (b + c) = (c + a) + b, and each part adds nothing to the whole. */
static size_t try_groupings(struct lab *l, struct set *const *r)
{
	size_t in;

	struct set *ab = merged(l, r[0], r[1]);
	struct set *bc = merged(l, r[1], r[2]);
	struct set *ca = merged(l, r[2], r[0]);
	struct set *abc[3] = { merged(l, ab, r[2]), merged(l, r[0], bc), merged(l, ca, r[1]) };
	struct list held = { .count = 0 };

	assert_same_set(l, abc[0], abc[1]);
	assert_same_set(l, abc[0], abc[2]);
	for (size_t i = 0; i < REPLICAS; i++)
		assert_int_equal(merge(abc[0], r[i]), 0);
	assert_int_equal(merge(abc[0], bc), 0);
	assert_int_equal(merge(abc[0], abc[1]), 0);
	for (size_t i = 0; i < REPLICAS; i++)
		set_list(r[i], &held);
	assert_like_model(l, abc[0], &held);
	in = set_group_count(abc[0]);
	set_free(ab);
	set_free(bc);
	set_free(ca);
	for (size_t i = 0; i < 3; i++)
		set_free(abc[i]);
	return in;
}

static void test_grouping_does_not_matter(void **state)
{
	uint64_t histories = env_number("HISTORIES", HISTORIES_DEFAULT);
	struct lab l;
	uint64_t in = 0;

	(void)state;
	lab_init_random(&l, true);
	for (uint64_t h = 0; h < histories; h++) {
		struct set *replicas[REPLICAS];

		for (size_t i = 0; i < REPLICAS; i++) {
			struct list list;

			replicas[i] = fixture_set(&l.f);
			pick(&l, &list);
			if (i == 0)
				offer_all(replicas[i], &list);
			/* Once only: what came before its authority is lost to this one. */
			for (size_t k = 0; i > 0 && k < list.count; k++)
				offer(replicas[i], list.at[k], FIXTURE_NOW_MS);
		}
		in += try_groupings(&l, replicas);
		for (size_t i = 0; i < REPLICAS; i++)
			set_free(replicas[i]);
	}
	assert_not_vacuous(in, histories);
	lab_fini(&l);
}

static void test_order_and_repetition_do_not_matter(void **state)
{
	uint64_t histories = env_number("HISTORIES", HISTORIES_DEFAULT);
	struct lab l;
	uint64_t in = 0;

	(void)state;
	lab_init_random(&l, true);
	for (uint64_t h = 0; h < histories; h++) {
		struct list list;
		struct set *first = fixture_set(&l.f);
		struct set *second = fixture_set(&l.f);

		pick(&l, &list);
		offer_all(first, &list);
		assert_like_model(&l, first, &list);
		for (size_t i = list.count; i > 1; i--)
			swap(&list.at[i - 1], &list.at[rng_below(&l.rng, i)]);
		offer_all(second, &list);
		assert_same_set(&l, first, second);
		in += set_group_count(first);
		set_free(first);
		set_free(second);
	}
	assert_not_vacuous(in, histories);
	lab_fini(&l);
}

/* What one replica was ever told about each member. */
struct memory {
	bool is_removed[MEMBERS];
	uint64_t removed[MEMBERS]; /* the greatest counter of a remove */
	bool is_expelled[MEMBERS];
};

static size_t member_number(const struct lab *l, const struct key *member)
{
	size_t i = 0;

	while (i < MEMBERS && !key_equal(&l->f.members[i].box_public, member))
		i++;
	return i;
}

static void memory_take(struct memory *m, size_t i, const struct stmt *stmt)
{
	if (stmt->kind == STMT_EXPEL)
		m->is_expelled[i] = true;
	if (stmt->kind != STMT_REMOVE)
		return;
	m->removed[i] = m->is_removed[i] ? MAX_OF(m->removed[i], stmt->counter) : stmt->counter;
	m->is_removed[i] = true;
}

static void assert_nobody_is_back(const struct lab *l, const struct set *s, const struct memory *m)
{
	const struct entry *e;

	set_for_each(e, at, s) {
		size_t i = member_number(l, &e->member);

		if (e->standing != STANDING_IN)
			continue;
		assert_false(m->is_expelled[i]);
		assert_true(!m->is_removed[i] || e->record->counter > m->removed[i]);
		assert_true(e->record->counter >= set_floor(s));
	}
}

/*
 * Time passes, things are forgotten, and all of it is offered again, for ever.  (No revocations of
 * stolen keys here: those are meant to take expels back.)
 */
static void test_what_is_out_stays_out(void **state)
{
	uint64_t histories = env_number("HISTORIES", HISTORIES_DEFAULT);
	struct lab l;
	uint64_t in = 0;

	(void)state;
	lab_init_random(&l, false);
	for (uint64_t h = 0; h < histories; h++) {
		struct set *s = fixture_set(&l.f);
		struct memory m = { .is_removed = { false } };
		int64_t now = T0;

		/* Half of them begin with authority in place, or little would be accepted. */
		for (size_t i = 0; h % 2 == 0 && i < 8; i++)
			offer(s, l.pool[i], now);
		for (size_t step = 0; step < 24; step++) {
			const struct stmt *stmt = l.pool[rng_below(&l.rng, l.count)];
			size_t i = member_number(&l, &stmt->member);
			struct offered offered = offer(s, stmt, now);

			if (i < MEMBERS && offered.offer != OFFER_REFUSED)
				memory_take(&m, i, stmt);
			if (rng_below(&l.rng, 6) == 0)
				now += (int64_t)rng_below(&l.rng, TICK);
			if (rng_below(&l.rng, 6) == 0)
				assert_int_equal(
					set_age(s, (struct instant){ .unix_ms = now }, NULL, NULL),
					0);
			assert_nobody_is_back(&l, s, &m);
			in += set_group_count(s);
		}
		set_free(s);
	}
	assert_not_vacuous(in, histories);
	lab_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_authority_in_every_order),
		cmocka_unit_test(test_registers_of_one_member_in_every_order),
		cmocka_unit_test(test_two_members_in_every_order),
		cmocka_unit_test(test_order_and_repetition_do_not_matter),
		cmocka_unit_test(test_grouping_does_not_matter),
		cmocka_unit_test(test_what_is_out_stays_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
