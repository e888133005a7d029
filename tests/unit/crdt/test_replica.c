/*
 * Many replicas in one program: what a member costs, clones, and the pool of statements.
 */
#include "tests/unit/crdt/fixture.h"

#include "crdt/pool_priv.h"
#include "crdt/set_priv.h"
#include "crdt/stmt_priv.h"

#include "base/err.h"
#include "base/rng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW FIXTURE_NOW_MS

/* --- a mesh of many ------------------------------------------------------------------- */

#define MANY 600

struct many {
	struct fixture f;
	struct stmt *appoint;
	struct stmt *admissions[MANY];
	struct stmt *records[MANY];
};

static void many_init(struct many *x)
{
	struct admission a = { .role = ROLE_PEER, .issued_ms = NOW };
	struct record r = { .counter = NOW, .role = ROLE_PEER };
	struct keypair pair;

	fixture_init(&x->f);
	x->appoint = fixture_appoint(&x->f, 0, NOW);
	for (size_t i = 0; i < MANY; i++) {
		fixture_pair(&pair, (uint8_t)('a' + i / 256), (uint8_t)i);
		a.subject = pair.sign_public;
		assert_int_equal(admission_sign(&x->f.mt.mem, &a, &x->f.admins[0],
		                                &x->f.mesh.sign_public, &x->admissions[i]),
		                 0);
		assert_int_equal(record_sign(&x->f.mt.mem, &r, &pair, &x->f.mesh.sign_public,
		                             &x->records[i]),
		                 0);
	}
}

static void many_fini(struct many *x)
{
	fixture_drop(&x->f, x->appoint);
	for (size_t i = 0; i < MANY; i++) {
		fixture_drop(&x->f, x->admissions[i]);
		fixture_drop(&x->f, x->records[i]);
	}
	fixture_fini(&x->f);
}

/* As from disk: so that a thousand signatures more are not verified. */
static void put(struct set *s, const struct stmt *stmt)
{
	struct instant now = { .mono_ms = 1, .unix_ms = NOW };
	struct offered offered;

	assert_int_equal(set_offer(s, stmt->raw, now, true, &offered), 0);
	assert_int_equal(offered.offer, OFFER_NEW);
}

static void many_fill(const struct many *x, struct set *s)
{
	put(s, x->appoint);
	for (size_t i = 0; i < MANY; i++) {
		put(s, x->admissions[i]);
		put(s, x->records[i]);
	}
}

static struct set *new_set(const struct fixture *f, const struct mem *mem, struct stmt_pool *pool)
{
	struct set_options options = {
		.mem = mem,
		.pool = pool,
		.mesh_public = f->mesh.sign_public,
		.life_ms = LIFE_MS,
		.members_max = 2 * MANY,
	};
	struct set *s;

	assert_int_equal(set_new(&options, &s), 0);
	return s;
}

/* --- what a member costs -------------------------------------------------------------- */

/* Counts as glibc does: 8 bytes more than asked for, in steps of 16, at least 32. */
struct count {
	struct mem mem;
	size_t bytes;
};

static size_t chunk_bytes(size_t bytes)
{
	return MAX_OF((bytes + 8 + 15) / 16 * 16, 32);
}

static void *count_resize(void *ctx, void *ptr, size_t bytes)
{
	struct count *c = ctx;
	size_t *head = ptr ? (size_t *)ptr - 2 : NULL;

	if (head)
		c->bytes -= chunk_bytes(head[0]);
	if (bytes == 0) {
		free(head);
		return NULL;
	}
	c->bytes += chunk_bytes(bytes);
	head = realloc(head, bytes + 2 * sizeof(size_t));
	assert_non_null(head);
	head[0] = bytes;
	return head + 2;
}

static void count_init(struct count *c)
{
	*c = (struct count){ .mem = { .ctx = c, .resize = count_resize } };
}

static void test_a_member_costs_a_replica_100_bytes(void **state)
{
	static struct many x;
	struct count shared;
	struct count own;
	struct stmt_pool *pool;
	struct set *sets[3];

	(void)state;
	many_init(&x);
	count_init(&shared);
	count_init(&own);
	assert_int_equal(stmt_pool_new(&shared.mem, &pool), 0);
	for (size_t i = 0; i < 3; i++) {
		size_t before = own.bytes;

		sets[i] = new_set(&x.f, &own.mem, pool);
		many_fill(&x, sets[i]);
		printf("replica %zu: %zu bytes a member\n", i, (own.bytes - before) / MANY);
		assert_true(own.bytes - before <= 100 * MANY);
		assert_int_equal(stmt_pool_count(pool), 1 + 2 * MANY);
	}
	printf("statements: %zu bytes a member, shared\n", shared.bytes / MANY);
	for (size_t i = 0; i < 3; i++)
		set_free(sets[i]);
	assert_int_equal(own.bytes, 0);
	stmt_pool_free(pool);
	assert_int_equal(shared.bytes, 0);
	many_fini(&x);
}

/* Two pointers a member, and a little for the set. */
static void test_a_clone_costs_two_pointers(void **state)
{
	static struct many x;
	struct count own;
	struct set *s;
	struct set *clone;
	size_t before;

	(void)state;
	many_init(&x);
	count_init(&own);
	s = new_set(&x.f, &own.mem, NULL);
	many_fill(&x, s);
	before = own.bytes;
	assert_int_equal(set_clone(s, &clone), 0);
	assert_true(own.bytes - before <= 2 * sizeof(void *) * MANY + 1024);
	assert_int_equal(set_count(clone), MANY);
	set_free(s);
	set_free(clone);
	assert_int_equal(own.bytes, 0);
	many_fini(&x);
}

/* --- looking -------------------------------------------------------------------------- */

static void test_positions_are_in_key_order(void **state)
{
	static struct many x;
	struct set *s;
	const struct entry *e;
	struct key all_ones;
	struct key zero = { { 0 } };

	(void)state;
	memset(&all_ones, 0xff, sizeof(all_ones));
	many_init(&x);
	s = new_set(&x.f, &x.f.mt.mem, NULL);
	assert_null(set_at(s, 0));
	assert_int_equal(set_rank(s, &zero), 0);
	many_fill(&x, s);
	set_for_each(e, i, s) {
		struct key behind = e->member;

		assert_true(i == 0 || key_compare(&set_at(s, i - 1)->member, &e->member) < 0);
		assert_ptr_equal(set_find(s, &e->member), e);
		assert_int_equal(set_rank(s, &e->member), i);
		behind.b[KEY_BYTES - 1] ^= 1; /* between this one and a neighbour */
		assert_int_equal(set_rank(s, &behind), i + (key_compare(&behind, &e->member) > 0));
		assert_null(set_find(s, &behind));
	}
	assert_null(set_at(s, MANY));
	assert_null(set_at(s, SIZE_MAX));
	assert_int_equal(set_rank(s, &all_ones), MANY);
	set_free(s);
	many_fini(&x);
}

/* What is derived is what it was when entries kept it. */
static void test_an_entry_tells_its_subject_and_admission(void **state)
{
	struct fixture f;
	struct set *s;
	struct stmt *list[4];
	const struct entry *e;

	(void)state;
	fixture_init(&f);
	s = fixture_set(&f);
	list[0] = fixture_appoint(&f, 0, NOW);
	list[1] = fixture_appoint(&f, 1, NOW);
	list[2] = fixture_admission(&f, 0, 2, ROLE_PEER, NOW - 5);
	list[3] = fixture_admission(&f, 1, 2, ROLE_CLIENT, NOW - 6);
	for (size_t i = 0; i < 4; i++)
		fixture_merge(s, list[i]);
	e = set_find(s, &f.members[2].box_public);
	assert_true(key_equal(entry_subject(e), &f.members[2].sign_public));
	assert_int_equal(stmt_compare(entry_admission(s, e), list[2]), 0);
	fixture_drop(&f, list[0]);
	list[0] = fixture_revoke(&f, 0, NOW + 1, NULL);
	fixture_merge(s, list[0]);
	assert_int_equal(stmt_compare(entry_admission(s, e), list[3]), 0);
	fixture_drop(&f, list[1]);
	list[1] = fixture_revoke(&f, 1, NOW + 1, NULL);
	fixture_merge(s, list[1]);
	assert_null(entry_admission(s, e));
	for (size_t i = 0; i < 4; i++)
		fixture_drop(&f, list[i]);
	set_free(s);
	fixture_fini(&f);
}

/* --- clones --------------------------------------------------------------------------- */

/* What is told of a member. */
struct told {
	size_t stmts;
	uint8_t digests[DIGEST_BYTES]; /* of them, one over the other */
};

/* Everything that a set says: compared before and after another one is changed. */
struct picture {
	uint8_t digest[DIGEST_BYTES];
	struct told mesh;
	size_t count;
	size_t group;
	uint64_t floor;
	struct {
		struct key member;
		enum standing standing;
		uint64_t admission; /* its date; 0: none in force */
		struct told told;
	} members[FIXTURE_MEMBERS];
};

static int tell_visit(void *ctx, const struct stmt *stmt)
{
	struct told *told = ctx;
	uint8_t digest[DIGEST_BYTES];

	assert_true(stmt->refs > 0);
	stmt_digest16(stmt, digest);
	told->stmts++;
	for (size_t i = 0; i < sizeof(digest); i++)
		told->digests[i] ^= digest[i];
	return 0;
}

static void picture(const struct set *s, struct picture *p)
{
	const struct entry *e;

	memset(p, 0, sizeof(*p));
	set_digest(s, p->digest);
	assert_int_equal(set_visit_member(s, NULL, tell_visit, &p->mesh), 0);
	p->count = set_count(s);
	p->group = set_group_count(s);
	p->floor = set_floor(s);
	set_for_each(e, i, s) {
		p->members[i].member = e->member;
		p->members[i].standing = e->standing;
		p->members[i].admission =
			entry_admission(s, e) ? entry_admission(s, e)->counter : 0;
		assert_int_equal(set_visit_member(s, &e->member, tell_visit, &p->members[i].told),
		                 0);
	}
}

static void assert_is(const struct set *s, const struct picture *p)
{
	struct picture now;

	picture(s, &now);
	assert_memory_equal(&now, p, sizeof(now));
}

/* Changes of every kind. */
enum change {
	CHANGE_RECORD,
	CHANGE_REMOVE,
	CHANGE_ADMISSION,
	CHANGE_EXPEL,
	CHANGE_REVOKE,
	CHANGE_REVOKE_STOLEN,
	CHANGE_NEW_MEMBER,
	CHANGE_AGE_SOME,
	CHANGE_AGE_ALL,
	CHANGE_COUNT
};

struct zoo {
	struct fixture f;
	struct stmt *start[9];
	size_t start_count;
	struct stmt *change[CHANGE_COUNT];
};

static void zoo_init(struct zoo *z)
{
	struct fixture_record r = { .member = 0, .counter = NOW, .role = ROLE_PEER };
	struct fixture_record old = { .member = 1, .counter = NOW - 9, .role = ROLE_PEER };
	struct fixture *f = &z->f;
	struct stmt **start = z->start;

	fixture_init(f);
	*start++ = fixture_appoint(f, 0, NOW);
	*start++ = fixture_appoint(f, 1, NOW);
	*start++ = fixture_admission(f, 0, 0, ROLE_PEER, NOW);
	*start++ = fixture_admission(f, 1, 0, ROLE_PEER, NOW - 1);
	*start++ = fixture_record(f, &r);
	*start++ = fixture_admission(f, 0, 1, ROLE_PEER, NOW - 9);
	*start++ = fixture_record(f, &old);
	*start++ = fixture_admission(f, 1, 2, ROLE_PEER, NOW);
	*start++ = fixture_expel(f, 1, 1, NOW - 9);
	z->start_count = (size_t)(start - z->start);
	memset(z->change, 0, sizeof(z->change));
	z->change[CHANGE_REMOVE] = fixture_leave(f, 0, z->start[4]);
	r.counter++;
	z->change[CHANGE_RECORD] = fixture_record(f, &r);
	z->change[CHANGE_ADMISSION] = fixture_admission(f, 0, 0, ROLE_CLIENT, NOW + 1);
	z->change[CHANGE_EXPEL] = fixture_expel(f, 0, 0, NOW);
	z->change[CHANGE_REVOKE] = fixture_revoke(f, 0, NOW + 1, NULL);
	z->change[CHANGE_REVOKE_STOLEN] = fixture_revoke_stolen(f, 1, NOW + 1);
	z->change[CHANGE_NEW_MEMBER] = fixture_admission(f, 0, 4, ROLE_PEER, NOW);
}

static void zoo_fini(struct zoo *z)
{
	for (size_t i = 0; i < z->start_count; i++)
		fixture_drop(&z->f, z->start[i]);
	for (size_t i = 0; i < CHANGE_COUNT; i++)
		fixture_drop(&z->f, z->change[i]);
	fixture_fini(&z->f);
}

static void zoo_fill(const struct zoo *z, struct set *s)
{
	for (size_t i = 0; i < z->start_count; i++)
		fixture_merge(s, z->start[i]);
}

/* Whatever comes of it. */
static int zoo_try(const struct zoo *z, struct set *s, enum change change, struct offered *ret)
{
	struct instant now = { .mono_ms = 1, .unix_ms = NOW };

	*ret = (struct offered){ .offer = OFFER_NEW };
	if (change == CHANGE_AGE_SOME || change == CHANGE_AGE_ALL) {
		now.unix_ms += LIFE_MS - 5 + (change == CHANGE_AGE_ALL ? LIFE_MS : 0);
		return set_age(s, now, NULL, NULL);
	}
	return set_offer(s, z->change[change]->raw, now, false, ret);
}

static int zoo_change(const struct zoo *z, struct set *s, enum change change)
{
	struct offered offered;
	int err = zoo_try(z, s, change, &offered);

	if (err == 0)
		assert_int_equal(offered.offer, OFFER_NEW);
	return err;
}

/* A set that shares nothing, and what was done to it. */
struct life {
	struct set *set;
	enum change changes[512];
	size_t count;
};

static void life_again(struct zoo *z, const struct life *like, struct life *ret)
{
	struct offered offered;
	struct life l = *like;

	l.set = fixture_set(&z->f);
	zoo_fill(z, l.set);
	for (size_t i = 0; i < l.count; i++)
		assert_int_equal(zoo_try(z, l.set, l.changes[i], &offered), 0);
	*ret = l;
}

static void check_pair(struct zoo *z, enum change change, size_t mine, size_t freed_first)
{
	struct set *pair[2];
	struct picture pictures[2]; /* of the changed one, of the other one */
	struct set *alone = fixture_set(&z->f);

	/* What the change makes of a set that shares nothing. */
	zoo_fill(z, alone);
	assert_int_equal(zoo_change(z, alone, change), 0);
	picture(alone, &pictures[mine]);
	set_free(alone);
	pair[0] = fixture_set(&z->f);
	zoo_fill(z, pair[0]);
	picture(pair[0], &pictures[!mine]);
	assert_memory_not_equal(&pictures[0], &pictures[1], sizeof(pictures[0]));
	assert_int_equal(set_clone(pair[0], &pair[1]), 0);
	assert_is(pair[1], &pictures[!mine]);
	assert_int_equal(zoo_change(z, pair[mine], change), 0);
	assert_is(pair[mine], &pictures[mine]);
	assert_is(pair[!mine], &pictures[!mine]);
	set_free(pair[freed_first]);
	assert_is(pair[!freed_first], &pictures[!freed_first]);
	set_free(pair[!freed_first]);
}

static void test_a_change_stays_in_its_clone(void **state)
{
	struct zoo z;

	(void)state;
	zoo_init(&z);
	for (int change = 0; change < CHANGE_COUNT; change++)
		for (size_t which = 0; which < 4; which++)
			check_pair(&z, (enum change)change, which & 1, which >> 1);
	zoo_fini(&z);
}

static void change_both(struct zoo *z, struct set *clone, struct life *alone, enum change change)
{
	struct offered offered[2];
	struct picture p;

	assert_int_equal(zoo_try(z, clone, change, &offered[0]), 0);
	assert_int_equal(zoo_try(z, alone->set, change, &offered[1]), 0);
	assert_int_equal(offered[0].offer, offered[1].offer);
	assert_int_equal(offered[0].err, offered[1].err);
	assert_int_equal(offered[0].before, offered[1].before);
	alone->changes[alone->count++] = change;
	picture(alone->set, &p);
	assert_is(clone, &p);
}

/* Random changes to clones of clones, against sets that were made alone. */
static void test_clones_of_clones_go_their_own_ways(void **state)
{
	enum {
		CLONES = 6,
		STEPS = 500
	};
	static const struct life unborn;
	static struct life alone[CLONES];
	struct set *clones[CLONES];
	uint8_t seed[RNG_SEED_BYTES] = { 3 };
	struct picture p;
	struct rng rng;
	struct zoo z;

	(void)state;
	zoo_init(&z);
	rng_init(&rng, seed);
	clones[0] = fixture_set(&z.f);
	zoo_fill(&z, clones[0]);
	for (size_t i = 0; i < CLONES; i++) {
		life_again(&z, &unborn, &alone[i]);
		if (i > 0)
			assert_int_equal(set_clone(clones[i / 2], &clones[i]), 0);
	}
	for (size_t n = 0; n < STEPS; n++) {
		size_t i = (size_t)rng_below(&rng, CLONES);
		size_t from = (i + 1 + (size_t)rng_below(&rng, CLONES - 1)) % CLONES;

		change_both(&z, clones[i], &alone[i], (enum change)rng_below(&rng, CHANGE_COUNT));
		if (rng_below(&rng, 3) > 0)
			continue;
		/* Start over, as a copy of another one or from the beginning. */
		set_free(clones[i]);
		set_free(alone[i].set);
		life_again(&z, n % 2 ? &unborn : &alone[from], &alone[i]);
		if (n % 2)
			clones[i] = fixture_set(&z.f);
		if (n % 2)
			zoo_fill(&z, clones[i]);
		else
			assert_int_equal(set_clone(clones[from], &clones[i]), 0);
	}
	for (size_t i = 0; i < CLONES; i++) {
		picture(alone[i].set, &p);
		assert_is(clones[i], &p);
		set_free(clones[i]);
		set_free(alone[i].set);
	}
	zoo_fini(&z);
}

static void test_running_out_of_memory_hurts_no_clone(void **state)
{
	struct picture before;
	struct zoo z;

	(void)state;
	zoo_init(&z);
	for (int change = 0; change < CHANGE_COUNT; change++) {
		for (size_t n = 1;; n++) {
			struct set *from = fixture_set(&z.f);
			struct set *clone = NULL;
			int err;

			zoo_fill(&z, from);
			picture(from, &before);
			z.f.mt.calls = 0;
			z.f.mt.fail_at = n;
			err = set_clone(from, &clone);
			if (err == 0)
				err = zoo_change(&z, clone, (enum change)change);
			z.f.mt.fail_at = 0;
			assert_is(from, &before);
			if (err != 0)
				set_free(clone);
			set_free(from);
			if (err == 0) {
				set_free(clone);
				break;
			}
			assert_int_equal(err, -ENOMEM);
		}
	}
	zoo_fini(&z);
}

/* --- the pool ------------------------------------------------------------------------- */

static void test_equal_statements_are_one(void **state)
{
	struct instant now = { .mono_ms = 1, .unix_ms = NOW };
	struct stmt_pool *pool;
	struct offered first;
	struct offered second;
	struct set *sets[2];
	struct zoo z;

	(void)state;
	zoo_init(&z);
	assert_int_equal(stmt_pool_new(&z.f.mt.mem, &pool), 0);
	for (size_t i = 0; i < 2; i++)
		sets[i] = new_set(&z.f, &z.f.mt.mem, pool);
	for (size_t i = 0; i < z.start_count; i++) {
		assert_int_equal(set_offer(sets[0], z.start[i]->raw, now, false, &first), 0);
		assert_int_equal(set_offer(sets[1], z.start[i]->raw, now, false, &second), 0);
		assert_int_equal(second.offer, OFFER_NEW);
		assert_ptr_equal(first.stmt, second.stmt);
		assert_int_equal(first.stmt->refs, 2);
		assert_int_equal(stmt_pool_count(pool), i + 1);
	}
	set_free(sets[0]);
	assert_int_equal(stmt_pool_count(pool), z.start_count);
	set_free(sets[1]);
	assert_int_equal(stmt_pool_count(pool), 0);
	stmt_pool_free(pool);
	zoo_fini(&z);
}

/* A record whose signature is wrong: as another mesh's would be. */
static void test_the_pool_takes_nobodys_word(void **state)
{
	struct instant now = { .mono_ms = 1, .unix_ms = NOW };
	struct fixture_bytes bad;
	struct stmt_pool *pool;
	struct offered offered;
	struct set *trusting;
	struct set *set;
	struct zoo z;

	(void)state;
	zoo_init(&z);
	assert_int_equal(stmt_pool_new(&z.f.mt.mem, &pool), 0);
	trusting = new_set(&z.f, &z.f.mt.mem, pool);
	set = new_set(&z.f, &z.f.mt.mem, pool);
	zoo_fill(&z, trusting);
	zoo_fill(&z, set);
	fixture_copy(z.change[CHANGE_ADMISSION], &bad);
	bad.at[bad.count - 1] ^= 1;
	/* One takes it as from its disk: it is in the pool then, but unverified. */
	assert_int_equal(
		set_offer(trusting, (struct bytes){ bad.at, bad.count }, now, true, &offered), 0);
	assert_int_equal(offered.offer, OFFER_NEW);
	assert_int_equal(stmt_pool_count(pool), z.start_count + 1);
	assert_int_equal(set_offer(set, (struct bytes){ bad.at, bad.count }, now, false, &offered),
	                 0);
	assert_int_equal(offered.offer, OFFER_REFUSED);
	assert_int_equal(offered.err, ERR_BAD_SIGNATURE);
	set_free(trusting);
	set_free(set);
	stmt_pool_free(pool);
	zoo_fini(&z);
}

static void test_what_one_mesh_verified_is_not_verified_for_another(void **state)
{
	struct instant now = { .mono_ms = 1, .unix_ms = NOW };
	struct stmt_pool *pool;
	struct offered offered;
	struct set *ours;
	struct set *theirs;
	struct zoo z;

	(void)state;
	zoo_init(&z);
	assert_int_equal(stmt_pool_new(&z.f.mt.mem, &pool), 0);
	ours = new_set(&z.f, &z.f.mt.mem, pool);
	zoo_fill(&z, ours);
	/* The same with another mesh key. */
	z.f.mesh = z.f.other_mesh;
	theirs = new_set(&z.f, &z.f.mt.mem, pool);
	for (size_t i = 0; i < z.start_count; i++) {
		assert_int_equal(set_offer(theirs, z.start[i]->raw, now, false, &offered), 0);
		assert_int_equal(offered.offer, OFFER_REFUSED);
		if (i < 2)
			assert_int_equal(offered.err, ERR_BAD_SIGNATURE);
	}
	set_free(theirs);
	set_free(ours);
	stmt_pool_free(pool);
	zoo_fini(&z);
}

/* Statements without meaning, so that thousands cost nothing; the signature is where it hashes. */
static struct stmt made_up(uint8_t raw[ENVELOPE_HEAD_BYTES + SIGNATURE_BYTES], uint64_t number)
{
	struct stmt s = { .kind = STMT_EXPEL,
		          .raw = { raw, ENVELOPE_HEAD_BYTES + SIGNATURE_BYTES } };

	memset(raw, 0, s.raw.count);
	raw[0] = STMT_EXPEL;
	raw[1] = CODEC_VERSION;
	/* Eight homes, the last and the first of the table: long runs, across its end. */
	raw[ENVELOPE_HEAD_BYTES + 6] = number % 8 < 4 ? 0xff : 0;
	raw[ENVELOPE_HEAD_BYTES + 7] =
		(uint8_t)(number % 8 < 4 ? 0xfc + number % 8 : number % 8 - 4);
	for (size_t i = 0; i < 8; i++)
		raw[ENVELOPE_HEAD_BYTES + 8 + i] = (uint8_t)(number >> 8 * i);
	return s;
}

static void test_the_table_finds_what_is_in_it_and_no_more(void **state)
{
	enum {
		COUNT = 200,
		STEPS = 20000
	};
	uint8_t raw[ENVELOPE_HEAD_BYTES + SIGNATURE_BYTES];
	struct stmt *in[COUNT] = { NULL };
	uint8_t seed[RNG_SEED_BYTES] = { 4 };
	struct stmt_pool *pool;
	struct memtest mt;
	struct rng rng;
	size_t count = 0;

	(void)state;
	memtest_init(&mt);
	rng_init(&rng, seed);
	assert_int_equal(stmt_pool_new(&mt.mem, &pool), 0);
	for (size_t n = 0; n < STEPS; n++) {
		uint64_t i = rng_below(&rng, COUNT);
		struct stmt s = made_up(raw, i);

		assert_ptr_equal(pool_find(pool, s.raw), in[i]);
		if (in[i]) {
			stmt_unref(&mt.mem, in[i]);
			in[i] = NULL;
			count--;
		} else {
			in[i] = pool_keep(pool, &s);
			assert_non_null(in[i]);
			count++;
		}
		assert_int_equal(stmt_pool_count(pool), count);
	}
	for (size_t i = 0; i < COUNT; i++) {
		struct stmt s = made_up(raw, i);

		assert_ptr_equal(pool_find(pool, s.raw), in[i]);
		stmt_unref(&mt.mem, in[i]);
	}
	assert_int_equal(stmt_pool_count(pool), 0);
	assert_null(pool_find(pool, (struct bytes){ raw, 3 }));
	stmt_pool_free(pool);
	memtest_assert_no_leak(&mt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_member_costs_a_replica_100_bytes),
		cmocka_unit_test(test_a_clone_costs_two_pointers),
		cmocka_unit_test(test_positions_are_in_key_order),
		cmocka_unit_test(test_an_entry_tells_its_subject_and_admission),
		cmocka_unit_test(test_a_change_stays_in_its_clone),
		cmocka_unit_test(test_clones_of_clones_go_their_own_ways),
		cmocka_unit_test(test_running_out_of_memory_hurts_no_clone),
		cmocka_unit_test(test_equal_statements_are_one),
		cmocka_unit_test(test_the_pool_takes_nobodys_word),
		cmocka_unit_test(test_what_one_mesh_verified_is_not_verified_for_another),
		cmocka_unit_test(test_the_table_finds_what_is_in_it_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
