/*
 * The set: its gates, standings, digests, forgetting, and every allocation that fails.
 * That merging obeys its laws is shown in test_laws.c.
 */
#include "tests/unit/crdt/fixture.h"

#include "base/err.h"
#include "crdt/stmt_priv.h"

#include <errno.h>

#define NOW ((uint64_t)FIXTURE_NOW_MS)

/* Administrator 0 is appointed, and has admitted member 0 as a peer. */
struct world {
	struct fixture f;
	struct set *set;
	struct stmt *appoint;
	struct stmt *admission;
	struct stmt *record; /* not offered yet */
};

static void world_init(struct world *w)
{
	struct fixture_record r = { .counter = NOW, .role = ROLE_PEER, .watchers = 3 };

	fixture_init(&w->f);
	w->set = fixture_set(&w->f);
	w->appoint = fixture_appoint(&w->f, 0, NOW);
	w->admission = fixture_admission(&w->f, 0, 0, ROLE_PEER, NOW);
	w->record = fixture_record(&w->f, &r);
	fixture_merge(w->set, w->appoint);
	fixture_merge(w->set, w->admission);
}

static void world_fini(struct world *w)
{
	set_free(w->set);
	fixture_drop(&w->f, w->appoint);
	fixture_drop(&w->f, w->admission);
	fixture_drop(&w->f, w->record);
	fixture_fini(&w->f);
}

/* Where the signature of a statement begins. */
static size_t signature_at(const struct stmt *stmt)
{
	return ENVELOPE_HEAD_BYTES + stmt_envelope(stmt).fields.count;
}

/* Offer and forget about it; returns the error of a refusal, else 0. */
static int offer_once(struct world *w, struct stmt *stmt)
{
	struct offered offered = fixture_offer(w->set, stmt);

	fixture_drop(&w->f, stmt);
	return offered.err;
}

static void test_what_lacks_authority_is_refused(void **state)
{
	struct world w;
	struct fixture_record r = { .member = 1, .counter = NOW, .role = ROLE_PEER };
	struct stmt *record;

	(void)state;
	world_init(&w);
	assert_int_equal(offer_once(&w, fixture_admission(&w.f, 1, 1, ROLE_PEER, NOW)),
	                 ERR_NOT_AUTHORISED);
	assert_int_equal(offer_once(&w, fixture_expel(&w.f, 1, 0, NOW)), ERR_NOT_AUTHORISED);
	record = fixture_record(&w.f, &r);
	assert_int_equal(offer_once(&w, fixture_leave(&w.f, 1, record)), ERR_NOT_ADMITTED);
	assert_int_equal(offer_once(&w, record), ERR_NOT_ADMITTED);
	assert_int_equal(set_count(w.set), 1);
	/* An expel may come before its member; it admits nobody. */
	assert_int_equal(offer_once(&w, fixture_expel(&w.f, 0, 1, NOW)), 0);
	record = fixture_record(&w.f, &r);
	assert_int_equal(offer_once(&w, record), ERR_NOT_ADMITTED);
	assert_int_equal(fixture_standing(&w.f, w.set, 1), STANDING_EXPELLED);
	world_fini(&w);
}

static void test_dates_too_far_ahead_wait(void **state)
{
	uint64_t limit = NOW + RECORD_AHEAD_MS;
	struct world w;
	struct fixture_record r = { .counter = limit + 1, .role = ROLE_PEER };
	struct stmt *record;
	struct offered offered;

	(void)state;
	world_init(&w);
	assert_int_equal(offer_once(&w, fixture_appoint(&w.f, 1, limit + 1)), ERR_AHEAD);
	assert_int_equal(offer_once(&w, fixture_revoke(&w.f, 1, limit + 1, NULL)), ERR_AHEAD);
	assert_int_equal(offer_once(&w, fixture_expel(&w.f, 0, 0, limit + 1)), ERR_AHEAD);
	assert_int_equal(offer_once(&w, fixture_admission(&w.f, 0, 1, ROLE_PEER, limit + 1)),
	                 ERR_AHEAD);
	record = fixture_record(&w.f, &r);
	assert_int_equal(offer_once(&w, fixture_leave(&w.f, 0, record)), ERR_AHEAD);
	assert_int_equal(fixture_offer(w.set, record).err, ERR_AHEAD);
	/* From our own disk it counts: the clock may not be set yet. */
	assert_int_equal(set_offer(w.set, record->raw, (struct instant){ 0, 0 }, true, &offered),
	                 0);
	assert_int_equal(offered.offer, OFFER_NEW);
	fixture_drop(&w.f, record);
	r.counter = limit;
	assert_int_equal(offer_once(&w, fixture_appoint(&w.f, 1, limit)), 0);
	world_fini(&w);
}

static void test_what_is_older_than_life_is_stale(void **state)
{
	struct world w;
	struct fixture_record r = { .counter = NOW - LIFE_MS, .role = ROLE_PEER };
	struct stmt *record;
	struct offered offered;

	(void)state;
	world_init(&w);
	assert_int_equal(offer_once(&w, fixture_record(&w.f, &r)), 0);
	r.counter--;
	r.member = 1;
	assert_int_equal(offer_once(&w, fixture_admission(&w.f, 0, 1, ROLE_PEER, 1)), 0);
	record = fixture_record(&w.f, &r);
	assert_int_equal(fixture_offer(w.set, record).err, ERR_STALE);
	assert_int_equal(offer_once(&w, fixture_leave(&w.f, 1, record)), ERR_STALE);
	/* From our own disk only the floor counts. */
	assert_int_equal(set_offer(w.set, record->raw, (struct instant){ 0, FIXTURE_NOW_MS }, true,
	                           &offered),
	                 0);
	assert_int_equal(offered.offer, OFFER_NEW);
	fixture_drop(&w.f, record);
	world_fini(&w);
}

static void test_members_and_administrators_are_bounded(void **state)
{
	struct fixture f;
	struct set_options options = { .life_ms = LIFE_MS, .members_max = 2 };
	struct set *s;
	struct stmt *stmt;

	(void)state;
	fixture_init(&f);
	options.mem = &f.mt.mem;
	options.mesh_public = f.mesh.sign_public;
	assert_int_equal(set_new(&options, &s), 0);
	for (uint8_t i = 0; i <= LIMIT_ADMINS; i++) {
		struct keypair pair;

		fixture_pair(&pair, i < FIXTURE_ADMINS ? 'A' : 'B', i);
		assert_int_equal(appoint_sign(&f.mt.mem, &pair.sign_public, NOW, &f.mesh, &stmt),
		                 0);
		assert_int_equal(fixture_offer(s, stmt).err, i < LIMIT_ADMINS ? 0 : ERR_LIMIT);
		fixture_drop(&f, stmt);
	}
	for (size_t i = 0; i < 3; i++) {
		stmt = fixture_admission(&f, 0, i, ROLE_PEER, NOW);
		assert_int_equal(fixture_offer(s, stmt).err, i < 2 ? 0 : ERR_LIMIT);
		fixture_drop(&f, stmt);
	}
	stmt = fixture_expel(&f, 0, 3, NOW);
	assert_int_equal(fixture_offer(s, stmt).err, ERR_LIMIT);
	fixture_drop(&f, stmt);
	/* Who is there already may still change. */
	stmt = fixture_expel(&f, 0, 0, NOW);
	fixture_merge(s, stmt);
	fixture_drop(&f, stmt);
	stmt = fixture_revoke(&f, 0, NOW, NULL);
	fixture_merge(s, stmt);
	fixture_drop(&f, stmt);
	set_free(s);
	fixture_fini(&f);
}

static void test_signatures_are_verified_for_what_is_new(void **state)
{
	struct world w;
	struct fixture_bytes b;
	struct offered offered;
	struct instant now = { 0, FIXTURE_NOW_MS };

	(void)state;
	world_init(&w);
	fixture_copy(w.record, &b);
	b.at[signature_at(w.record)] ^= 1;
	assert_int_equal(set_offer(w.set, (struct bytes){ b.at, b.count }, now, false, &offered),
	                 0);
	assert_int_equal(offered.offer, OFFER_REFUSED);
	assert_int_equal(offered.err, ERR_BAD_SIGNATURE);
	assert_null(offered.stmt);
	/* Trusted: taken as it is. */
	assert_int_equal(set_offer(w.set, (struct bytes){ b.at, b.count }, now, true, &offered), 0);
	assert_int_equal(offered.offer, OFFER_NEW);
	world_fini(&w);
}

static void test_what_is_known_costs_neither_memory_nor_signatures(void **state)
{
	struct world w;
	struct fixture_bytes b;
	struct offered offered;
	size_t calls;

	(void)state;
	world_init(&w);
	fixture_merge(w.set, w.record);
	calls = w.f.mt.calls;
	assert_int_equal(fixture_offer(w.set, w.record).offer, OFFER_KNOWN);
	assert_int_equal(fixture_offer(w.set, w.admission).offer, OFFER_KNOWN);
	assert_int_equal(fixture_offer(w.set, w.appoint).offer, OFFER_KNOWN);
	/* The same header with another signature is the same for merging; nobody looks at it. */
	fixture_copy(w.record, &b);
	b.at[signature_at(w.record)] ^= 1;
	assert_int_equal(set_offer(w.set, (struct bytes){ b.at, b.count },
	                           (struct instant){ 0, FIXTURE_NOW_MS }, false, &offered),
	                 0);
	assert_int_equal(offered.offer, OFFER_KNOWN);
	assert_int_equal(w.f.mt.calls, calls);
	world_fini(&w);
}

static void test_hostile_bytes_are_refused_with_the_parsers_word(void **state)
{
	struct world w;
	struct instant now = { 0, FIXTURE_NOW_MS };
	struct offered offered;
	uint8_t raw[] = { 9, 1 };

	(void)state;
	world_init(&w);
	assert_int_equal(set_offer(w.set, (struct bytes){ raw, 2 }, now, false, &offered), 0);
	assert_int_equal(offered.offer, OFFER_REFUSED);
	assert_int_equal(offered.err, ERR_VERSION);
	assert_int_equal(set_offer(w.set, (struct bytes){ NULL, 0 }, now, true, &offered), 0);
	assert_int_equal(offered.err, ERR_TRUNCATED);
	world_fini(&w);
}

static void test_an_offer_tells_what_changed(void **state)
{
	struct world w;
	struct offered offered;
	struct stmt *leave;

	(void)state;
	world_init(&w);
	offered = fixture_offer(w.set, w.record);
	assert_int_equal(offered.offer, OFFER_NEW);
	assert_true(bytes_equal(offered.stmt->raw, w.record->raw));
	assert_ptr_equal(offered.entry, set_find(w.set, &w.f.members[0].box_public));
	assert_int_equal(offered.before, STANDING_ADMITTED);
	assert_int_equal(offered.entry->standing, STANDING_IN);
	assert_false(offered.roster_changed);
	leave = fixture_leave(&w.f, 0, w.record);
	offered = fixture_offer(w.set, leave);
	assert_int_equal(offered.before, STANDING_IN);
	assert_int_equal(offered.entry->standing, STANDING_LEFT);
	fixture_drop(&w.f, leave);
	leave = fixture_revoke(&w.f, 0, NOW + 1, NULL);
	offered = fixture_offer(w.set, leave);
	assert_true(offered.roster_changed);
	assert_null(offered.entry);
	fixture_drop(&w.f, leave);
	world_fini(&w);
}

static void test_a_remove_covers_up_to_its_counter(void **state)
{
	struct world w;
	struct fixture_record r = { .counter = NOW + 1, .role = ROLE_PEER, .watchers = 3 };
	struct stmt *later = NULL;
	struct stmt *prune;
	struct stmt *leave;

	(void)state;
	world_init(&w);
	later = fixture_record(&w.f, &r);
	prune = fixture_prune(&w.f, w.record, 0);
	leave = fixture_leave(&w.f, 0, w.record);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_ADMITTED);
	fixture_merge(w.set, prune);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_PRUNED);
	fixture_merge(w.set, w.record);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_PRUNED);
	fixture_merge(w.set, leave);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_LEFT);
	assert_int_equal(fixture_offer(w.set, prune).offer, OFFER_KNOWN);
	assert_int_equal(set_group_count(w.set), 0);
	fixture_merge(w.set, later);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_IN);
	assert_int_equal(set_group_count(w.set), 1);
	fixture_drop(&w.f, later);
	fixture_drop(&w.f, prune);
	fixture_drop(&w.f, leave);
	world_fini(&w);
}

static void test_a_client_may_not_act_as_peer(void **state)
{
	struct world w;
	struct fixture_record r = { .member = 1, .counter = NOW, .role = ROLE_PEER };

	(void)state;
	world_init(&w);
	assert_int_equal(offer_once(&w, fixture_admission(&w.f, 0, 1, ROLE_CLIENT, NOW)), 0);
	assert_int_equal(offer_once(&w, fixture_record(&w.f, &r)), 0);
	assert_int_equal(fixture_standing(&w.f, w.set, 1), STANDING_VOID);
	r.role = ROLE_CLIENT;
	r.counter++;
	assert_int_equal(offer_once(&w, fixture_record(&w.f, &r)), 0);
	assert_int_equal(fixture_standing(&w.f, w.set, 1), STANDING_IN);
	/* A peer may. */
	r.member = 0;
	assert_int_equal(offer_once(&w, fixture_record(&w.f, &r)), 0);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_IN);
	world_fini(&w);
}

static void test_the_greatest_admission_in_force_counts(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	fixture_merge(w.set, w.record);
	assert_int_equal(offer_once(&w, fixture_appoint(&w.f, 1, NOW)), 0);
	/* Administrator 1 narrows the role, and is revoked: the older admission counts again. */
	assert_int_equal(offer_once(&w, fixture_admission(&w.f, 1, 0, ROLE_CLIENT, NOW + 5)), 0);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_VOID);
	assert_int_equal(offer_once(&w, fixture_revoke(&w.f, 1, NOW + 1, NULL)), 0);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_IN);
	world_fini(&w);
}

static void test_a_revocation_voids_admissions_but_for_who_stays(void **state)
{
	static const int stay[] = { 1, -1 };
	struct world w;
	struct fixture_record r = { .member = 1, .counter = NOW, .role = ROLE_PEER };

	(void)state;
	world_init(&w);
	fixture_merge(w.set, w.record);
	assert_int_equal(offer_once(&w, fixture_admission(&w.f, 0, 1, ROLE_PEER, NOW)), 0);
	assert_int_equal(offer_once(&w, fixture_record(&w.f, &r)), 0);
	assert_int_equal(set_group_count(w.set), 2);
	assert_true(set_is_administrator(w.set, &w.f.admins[0].sign_public));
	assert_int_equal(offer_once(&w, fixture_revoke(&w.f, 0, NOW, stay)), 0);
	assert_false(set_is_administrator(w.set, &w.f.admins[0].sign_public));
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_VOID);
	assert_int_equal(fixture_standing(&w.f, w.set, 1), STANDING_IN);
	assert_int_equal(set_group_count(w.set), 1);
	/* What it signs now is kept, and void: replicas that heard of it before hold it too. */
	assert_int_equal(offer_once(&w, fixture_admission(&w.f, 0, 2, ROLE_PEER, NOW)), 0);
	assert_int_equal(fixture_standing(&w.f, w.set, 2), STANDING_VOID);
	/* Appointed again: all as before. */
	assert_int_equal(offer_once(&w, fixture_appoint(&w.f, 0, NOW + 1)), 0);
	assert_int_equal(set_group_count(w.set), 2);
	assert_int_equal(fixture_standing(&w.f, w.set, 2), STANDING_ADMITTED);
	world_fini(&w);
}

static void test_expels_outlive_a_revocation_unless_the_key_was_stolen(void **state)
{
	static const int stay[] = { 0, -1 };
	struct world w;

	(void)state;
	world_init(&w);
	fixture_merge(w.set, w.record);
	assert_int_equal(offer_once(&w, fixture_appoint(&w.f, 1, NOW)), 0);
	assert_int_equal(offer_once(&w, fixture_expel(&w.f, 1, 0, NOW)), 0);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_EXPELLED);
	assert_int_equal(offer_once(&w, fixture_admission(&w.f, 0, 0, ROLE_PEER, NOW + 9)), 0);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_EXPELLED);
	assert_int_equal(offer_once(&w, fixture_revoke(&w.f, 1, NOW + 1, stay)), 0);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_EXPELLED);
	assert_int_equal(offer_once(&w, fixture_revoke_stolen(&w.f, 1, NOW + 2)), 0);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_IN);
	world_fini(&w);
}

static void test_invites_of_an_expelled_issuer(void **state)
{
	struct world w;
	const struct key *issuer;
	struct expulsion x = { .issued_ms = NOW, .keep_invites = true };
	struct stmt *stmt;

	(void)state;
	world_init(&w);
	/* Administrator 1 is expelled by 0, first so that its invites are kept. */
	issuer = &w.f.admins[1].sign_public;
	assert_false(set_honours_invites_of(w.set, issuer));
	assert_int_equal(offer_once(&w, fixture_appoint(&w.f, 1, NOW)), 0);
	assert_true(set_honours_invites_of(w.set, issuer));
	x.subject = *issuer;
	assert_int_equal(expel_sign(&w.f.mt.mem, &x, &w.f.admins[0], &w.f.mesh.sign_public, &stmt),
	                 0);
	assert_int_equal(offer_once(&w, stmt), 0);
	assert_true(set_honours_invites_of(w.set, issuer));
	x.issued_ms++;
	x.keep_invites = false;
	assert_int_equal(expel_sign(&w.f.mt.mem, &x, &w.f.admins[0], &w.f.mesh.sign_public, &stmt),
	                 0);
	assert_int_equal(offer_once(&w, stmt), 0);
	assert_false(set_honours_invites_of(w.set, issuer));
	assert_int_equal(offer_once(&w, fixture_revoke_stolen(&w.f, 0, NOW)), 0);
	assert_true(set_honours_invites_of(w.set, issuer));
	assert_int_equal(offer_once(&w, fixture_revoke(&w.f, 1, NOW, NULL)), 0);
	assert_false(set_honours_invites_of(w.set, issuer));
	world_fini(&w);
}

struct copy {
	struct set *to;
	size_t refused;
	size_t visited;
};

static int copy_visit(void *ctx, const struct stmt *stmt)
{
	struct copy *c = ctx;

	c->visited++;
	c->refused += fixture_offer(c->to, stmt).offer == OFFER_REFUSED;
	return 0;
}

static void test_a_fresh_replica_accepts_all_in_the_order_of_a_visit(void **state)
{
	struct world w;
	struct copy c = { 0 };
	struct fixture_record r = { .member = 1, .counter = NOW, .role = ROLE_PEER, .watchers = 4 };
	const struct entry *e;
	struct stmt *record;
	uint8_t ours[DIGEST_BYTES];
	uint8_t theirs[DIGEST_BYTES];

	(void)state;
	world_init(&w);
	fixture_merge(w.set, w.record);
	assert_int_equal(offer_once(&w, fixture_appoint(&w.f, 1, NOW)), 0);
	assert_int_equal(offer_once(&w, fixture_admission(&w.f, 1, 0, ROLE_CLIENT, NOW)), 0);
	assert_int_equal(offer_once(&w, fixture_admission(&w.f, 1, 1, ROLE_PEER, 5)), 0);
	record = fixture_record(&w.f, &r);
	fixture_merge(w.set, record);
	assert_int_equal(offer_once(&w, fixture_prune(&w.f, record, 0)), 0);
	fixture_drop(&w.f, record);
	assert_int_equal(offer_once(&w, fixture_expel(&w.f, 1, 1, NOW)), 0);
	assert_int_equal(offer_once(&w, fixture_revoke(&w.f, 1, NOW, NULL)), 0);

	c.to = fixture_set(&w.f);
	assert_int_equal(set_visit_member(w.set, NULL, copy_visit, &c), 0);
	set_for_each(e, i, w.set)
		assert_int_equal(set_visit_member(w.set, &e->member, copy_visit, &c), 0);
	assert_int_equal(c.refused, 0);
	assert_int_equal(c.visited, 2 + 3 + 4);
	set_digest(w.set, ours);
	set_digest(c.to, theirs);
	assert_memory_equal(ours, theirs, DIGEST_BYTES);
	set_for_each(e, i, w.set) {
		const struct entry *other = set_find(c.to, &e->member);

		assert_int_equal(e->standing, other->standing);
	}
	set_free(c.to);
	world_fini(&w);
}

static int stop_visit(void *ctx, const struct stmt *stmt)
{
	(void)stmt;
	return --*(int *)ctx == 0 ? 42 : 0;
}

static void test_a_visit_ends_with_what_the_visitor_returns(void **state)
{
	struct world w;
	int left = 2;

	(void)state;
	world_init(&w);
	fixture_merge(w.set, w.record);
	assert_int_equal(set_visit_member(w.set, &w.f.members[0].box_public, stop_visit, &left),
	                 42);
	left = 1;
	assert_int_equal(set_visit_member(w.set, NULL, stop_visit, &left), 42);
	left = 1;
	assert_int_equal(set_visit_member(w.set, &w.f.members[1].box_public, stop_visit, &left), 0);
	world_fini(&w);
}

static void test_the_digest_follows_every_register(void **state)
{
	struct world w;
	struct stmt *stmts[4];
	uint8_t seen[6][DIGEST_BYTES];
	size_t count = 0;

	(void)state;
	world_init(&w);
	stmts[0] = w.record;
	stmts[1] = fixture_prune(&w.f, w.record, 0);
	stmts[2] = fixture_leave(&w.f, 0, w.record);
	stmts[3] = fixture_expel(&w.f, 0, 0, NOW);
	set_digest(w.set, seen[count++]);
	for (size_t i = 0; i < 4; i++) {
		fixture_merge(w.set, stmts[i]);
		set_digest(w.set, seen[count]);
		for (size_t k = 0; k < count; k++)
			assert_memory_not_equal(seen[k], seen[count], DIGEST_BYTES);
		count++;
	}
	for (size_t i = 1; i < 4; i++)
		fixture_drop(&w.f, stmts[i]);
	world_fini(&w);
}

/* Watchers 0,1 or 1,2 of 3: two certificates, one remove. */
static void test_removes_with_other_signatures_are_the_same(void **state)
{
	struct world w;
	struct set *other;
	struct stmt *a;
	struct stmt *b;
	uint8_t ours[DIGEST_BYTES];
	uint8_t theirs[DIGEST_BYTES];

	(void)state;
	world_init(&w);
	other = fixture_set(&w.f);
	fixture_merge(other, w.appoint);
	fixture_merge(other, w.admission);
	a = fixture_prune(&w.f, w.record, 0);
	b = fixture_prune(&w.f, w.record, 1);
	assert_false(bytes_equal(a->raw, b->raw));
	stmt_digest16(a, ours);
	stmt_digest16(b, theirs);
	assert_memory_equal(ours, theirs, DIGEST_BYTES);
	fixture_merge(w.set, a);
	fixture_merge(other, b);
	set_digest(w.set, ours);
	set_digest(other, theirs);
	assert_memory_equal(ours, theirs, DIGEST_BYTES);
	assert_int_equal(fixture_offer(w.set, b).offer, OFFER_KNOWN);
	fixture_drop(&w.f, a);
	fixture_drop(&w.f, b);
	set_free(other);
	world_fini(&w);
}

static void count_dropped(void *ctx, const struct stmt *stmt)
{
	size_t *counts = ctx;

	counts[stmt->kind]++;
}

static struct instant at(uint64_t unix_ms)
{
	return (struct instant){ .unix_ms = (int64_t)unix_ms };
}

static void test_members_go_with_their_last_word(void **state)
{
	struct world w;
	size_t dropped[8] = { 0 };
	uint8_t before[DIGEST_BYTES];
	uint8_t after[DIGEST_BYTES];
	struct set *empty;

	(void)state;
	world_init(&w);
	empty = fixture_set(&w.f);
	fixture_merge(empty, w.appoint);
	fixture_merge(w.set, w.record);
	assert_int_equal(offer_once(&w, fixture_leave(&w.f, 0, w.record)), 0);
	assert_int_equal(set_age(w.set, at(NOW + LIFE_MS), count_dropped, dropped), 0);
	assert_int_equal(set_count(w.set), 1);
	assert_int_equal(set_floor(w.set), NOW);
	assert_int_equal(set_age(w.set, at(NOW + LIFE_MS + 1), count_dropped, dropped), 0);
	assert_int_equal(dropped[STMT_RECORD], 1);
	assert_int_equal(dropped[STMT_REMOVE], 1);
	assert_int_equal(dropped[STMT_ADMISSION], 1);
	assert_int_equal(dropped[STMT_APPOINT], 0);
	assert_int_equal(set_count(w.set), 0);
	assert_null(set_at(w.set, 0));
	set_digest(w.set, after);
	set_digest(empty, before);
	assert_memory_equal(before, after, DIGEST_BYTES);
	/* And nothing brings it back. */
	fixture_offer(w.set, w.admission);
	assert_int_equal(fixture_offer(w.set, w.record).err, ERR_STALE);
	assert_int_equal(set_group_count(w.set), 0);
	set_free(empty);
	world_fini(&w);
}

static void test_the_floor_never_sinks(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(set_age(w.set, at(1), NULL, NULL), 0);
	assert_int_equal(set_floor(w.set), 0);
	assert_int_equal(set_age(w.set, at(NOW), NULL, NULL), 0);
	assert_int_equal(set_floor(w.set), NOW - LIFE_MS);
	assert_int_equal(set_age(w.set, at(NOW - 1000), NULL, NULL), 0);
	assert_int_equal(set_raise_floor(w.set, 5), 0);
	assert_int_equal(set_floor(w.set), NOW - LIFE_MS);
	assert_int_equal(set_raise_floor(w.set, NOW + 1), 0);
	assert_int_equal(set_floor(w.set), NOW + 1);
	assert_int_equal(fixture_offer(w.set, w.record).err, ERR_STALE);
	world_fini(&w);
}

static void test_an_old_admission_lives_with_a_young_record(void **state)
{
	struct world w;
	struct fixture_record r = { .counter = NOW + LIFE_MS, .role = ROLE_PEER };
	struct stmt *young;
	struct offered offered;
	size_t dropped[8] = { 0 };

	(void)state;
	world_init(&w);
	young = fixture_record(&w.f, &r);
	assert_int_equal(set_offer(w.set, young->raw, at(NOW + LIFE_MS), false, &offered), 0);
	assert_int_equal(set_age(w.set, at(NOW + LIFE_MS + 1), count_dropped, dropped), 0);
	assert_int_equal(dropped[STMT_ADMISSION], 0);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_IN);
	assert_int_equal(set_age(w.set, at(NOW + 2 * LIFE_MS + 1), count_dropped, dropped), 0);
	assert_int_equal(dropped[STMT_ADMISSION], 1);
	assert_int_equal(set_count(w.set), 0);
	fixture_drop(&w.f, young);
	world_fini(&w);
}

/*
 * An old admission without a member is not counted, shown or sent, so two replicas that age at
 * different moments do not hand it to each other for ever; with a young record it is a member.
 */
static void test_an_old_admission_alone_is_passing(void **state)
{
	struct world w;
	struct fixture_record r = { .counter = NOW + LIFE_MS, .role = ROLE_PEER };
	struct stmt *young;
	struct offered offered;
	uint8_t empty[DIGEST_BYTES];
	uint8_t digest[DIGEST_BYTES];
	size_t dropped[8] = { 0 };
	int left = 1;

	(void)state;
	world_init(&w);
	young = fixture_record(&w.f, &r);
	assert_int_equal(set_age(w.set, at(NOW + LIFE_MS + 1), NULL, NULL), 0);
	set_digest(w.set, empty);
	assert_int_equal(set_offer(w.set, w.admission->raw, at(NOW + LIFE_MS + 1), false, &offered),
	                 0);
	assert_int_equal(offered.offer, OFFER_NEW);
	assert_null(set_find(w.set, &w.f.members[0].box_public));
	assert_null(set_at(w.set, 0));
	assert_int_equal(set_count(w.set), 0);
	assert_int_equal(set_visit_member(w.set, &w.f.members[0].box_public, stop_visit, &left), 0);
	set_digest(w.set, digest);
	assert_memory_equal(empty, digest, DIGEST_BYTES);
	/* The floor rises: it goes. */
	assert_int_equal(set_age(w.set, at(NOW + LIFE_MS + 2), count_dropped, dropped), 0);
	assert_int_equal(dropped[STMT_ADMISSION], 1);
	/* It comes again, and its record. */
	assert_int_equal(set_offer(w.set, w.admission->raw, at(NOW + LIFE_MS + 1), false, &offered),
	                 0);
	assert_int_equal(set_offer(w.set, young->raw, at(NOW + LIFE_MS + 1), false, &offered), 0);
	assert_int_equal(offered.before, STANDING_VOID);
	assert_int_equal(offered.entry->standing, STANDING_IN);
	assert_int_equal(set_count(w.set), 1);
	set_digest(w.set, digest);
	assert_memory_not_equal(empty, digest, DIGEST_BYTES);
	fixture_drop(&w.f, young);
	world_fini(&w);
}

static void test_expels_stay_for_ever(void **state)
{
	struct world w;
	size_t dropped[8] = { 0 };

	(void)state;
	world_init(&w);
	fixture_merge(w.set, w.record);
	assert_int_equal(offer_once(&w, fixture_expel(&w.f, 0, 0, NOW)), 0);
	assert_int_equal(set_age(w.set, at(NOW + 10 * LIFE_MS), count_dropped, dropped), 0);
	assert_int_equal(dropped[STMT_EXPEL], 0);
	assert_int_equal(dropped[STMT_ADMISSION], 1);
	assert_int_equal(set_count(w.set), 1);
	assert_int_equal(fixture_standing(&w.f, w.set, 0), STANDING_EXPELLED);
	world_fini(&w);
}

static void test_no_allocation_that_fails_leaks(void **state)
{
	struct world w;
	struct stmt *all[6];
	struct instant now = { 0, FIXTURE_NOW_MS };

	(void)state;
	world_init(&w);
	all[0] = w.appoint;
	all[1] = w.admission;
	all[2] = w.record;
	all[3] = fixture_leave(&w.f, 0, w.record);
	all[4] = fixture_expel(&w.f, 0, 1, NOW);
	all[5] = fixture_revoke(&w.f, 0, NOW, NULL);
	for (size_t n = 1;; n++) {
		struct memtest mt;
		struct set_options options = {
			.mem = &mt.mem,
			.mesh_public = w.f.mesh.sign_public,
			.life_ms = LIFE_MS,
			.members_max = 64,
		};
		struct set *s = NULL;
		struct offered offered;
		int err;

		memtest_failing(&mt, n);
		err = set_new(&options, &s);
		for (size_t i = 0; err == 0 && i < 6; i++) {
			err = set_offer(s, all[i]->raw, now, false, &offered);
			if (err == 0)
				assert_int_equal(offered.offer, OFFER_NEW);
		}
		if (err == 0)
			err = set_age(s, at(NOW + 2 * LIFE_MS), NULL, NULL);
		set_free(s);
		memtest_assert_no_leak(&mt);
		if (err == 0)
			break;
		assert_int_equal(err, -ENOMEM);
	}
	for (size_t i = 3; i < 6; i++)
		fixture_drop(&w.f, all[i]);
	world_fini(&w);
}

static void test_counters_only_grow(void **state)
{
	(void)state;
	assert_int_equal(counter_next(5, 3), 6);
	assert_int_equal(counter_next(5, 6), 6);
	assert_int_equal(counter_next(5, 7), 7);
	assert_int_equal(counter_next(0, -1), 1);
	assert_true(counter_next(UINT64_MAX, 1) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_lacks_authority_is_refused),
		cmocka_unit_test(test_dates_too_far_ahead_wait),
		cmocka_unit_test(test_what_is_older_than_life_is_stale),
		cmocka_unit_test(test_members_and_administrators_are_bounded),
		cmocka_unit_test(test_signatures_are_verified_for_what_is_new),
		cmocka_unit_test(test_what_is_known_costs_neither_memory_nor_signatures),
		cmocka_unit_test(test_hostile_bytes_are_refused_with_the_parsers_word),
		cmocka_unit_test(test_an_offer_tells_what_changed),
		cmocka_unit_test(test_a_remove_covers_up_to_its_counter),
		cmocka_unit_test(test_a_client_may_not_act_as_peer),
		cmocka_unit_test(test_the_greatest_admission_in_force_counts),
		cmocka_unit_test(test_a_revocation_voids_admissions_but_for_who_stays),
		cmocka_unit_test(test_expels_outlive_a_revocation_unless_the_key_was_stolen),
		cmocka_unit_test(test_invites_of_an_expelled_issuer),
		cmocka_unit_test(test_a_fresh_replica_accepts_all_in_the_order_of_a_visit),
		cmocka_unit_test(test_a_visit_ends_with_what_the_visitor_returns),
		cmocka_unit_test(test_the_digest_follows_every_register),
		cmocka_unit_test(test_removes_with_other_signatures_are_the_same),
		cmocka_unit_test(test_members_go_with_their_last_word),
		cmocka_unit_test(test_the_floor_never_sinks),
		cmocka_unit_test(test_an_old_admission_lives_with_a_young_record),
		cmocka_unit_test(test_an_old_admission_alone_is_passing),
		cmocka_unit_test(test_expels_stay_for_ever),
		cmocka_unit_test(test_no_allocation_that_fails_leaks),
		cmocka_unit_test(test_counters_only_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
