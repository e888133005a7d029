/*
 * See fixture.h.  Seeds are counted up until the public key has the sign bit that members need, so
 * a change of that rule shows in the golden bytes.
 */
#include "tests/unit/crdt/fixture.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

void fixture_pair(struct keypair *ret_pair, uint8_t kind, uint8_t n)
{
	uint8_t seed[KEY_BYTES] = { kind, n };

	while (keypair_from_seed(ret_pair, seed) != 0)
		seed[2]++;
}

void fixture_init(struct fixture *f)
{
	memtest_init(&f->mt);
	fixture_pair(&f->mesh, 'M', 0);
	fixture_pair(&f->other_mesh, 'M', 1);
	for (uint8_t i = 0; i < FIXTURE_ADMINS; i++)
		fixture_pair(&f->admins[i], 'A', i);
	for (uint8_t i = 0; i < FIXTURE_MEMBERS; i++)
		fixture_pair(&f->members[i], 'm', i);
}

void fixture_fini(struct fixture *f)
{
	memtest_assert_no_leak(&f->mt);
}

struct stmt *fixture_appoint(struct fixture *f, size_t admin, uint64_t ms)
{
	struct stmt *s;

	assert_int_equal(appoint_sign(&f->mt.mem, &f->admins[admin].sign_public, ms, &f->mesh, &s),
	                 0);
	return s;
}

struct stmt *fixture_revoke(struct fixture *f, size_t admin, uint64_t ms, const int *stay)
{
	struct key keys[FIXTURE_MEMBERS];
	struct revocation r = {
		.administrator = f->admins[admin].sign_public,
		.issued_ms = ms,
		.stay = keys,
	};
	struct stmt *s;

	for (; stay && *stay >= 0; stay++)
		keys[r.stay_count++] = f->members[*stay].box_public;
	assert_int_equal(revoke_sign(&f->mt.mem, &r, &f->mesh, &s), 0);
	return s;
}

struct stmt *fixture_revoke_stolen(struct fixture *f, size_t admin, uint64_t ms)
{
	struct revocation r = {
		.administrator = f->admins[admin].sign_public,
		.issued_ms = ms,
		.is_stolen = true,
	};
	struct stmt *s;

	assert_int_equal(revoke_sign(&f->mt.mem, &r, &f->mesh, &s), 0);
	return s;
}

struct stmt *fixture_admission(
	struct fixture *f, size_t admin, size_t member, enum role role, uint64_t ms)
{
	struct admission a = {
		.subject = f->members[member].sign_public,
		.role = role,
		.issued_ms = ms,
	};
	struct stmt *s;

	assert_int_equal(
		admission_sign(&f->mt.mem, &a, &f->admins[admin], &f->mesh.sign_public, &s), 0);
	return s;
}

struct stmt *fixture_expel(struct fixture *f, size_t admin, size_t member, uint64_t ms)
{
	struct expulsion x = { .subject = f->members[member].sign_public, .issued_ms = ms };
	struct stmt *s;

	assert_int_equal(expel_sign(&f->mt.mem, &x, &f->admins[admin], &f->mesh.sign_public, &s),
	                 0);
	return s;
}

static int order_ids(const void *a, const void *b)
{
	return watcher_id_compare(a, b);
}

void fixture_watchers(const struct fixture *f, struct record *r, size_t first, size_t count)
{
	r->watchers_count = count;
	for (size_t i = 0; i < count; i++)
		r->watchers[i] =
			watcher_id_of(&f->members[(first + i) % FIXTURE_MEMBERS].sign_public);
	qsort(r->watchers, count, sizeof(*r->watchers), order_ids);
}

struct stmt *fixture_record(struct fixture *f, const struct fixture_record *want)
{
	struct record r = {
		.counter = want->counter,
		.role = want->role,
	};
	struct stmt *s;

	fixture_watchers(f, &r, want->member + 1, want->watchers);
	if (want->variant)
		r.description = (struct bytes){ (const uint8_t *)&want->variant, 1 };
	assert_int_equal(
		record_sign(&f->mt.mem, &r, &f->members[want->member], &f->mesh.sign_public, &s),
		0);
	return s;
}

struct stmt *fixture_leave(struct fixture *f, size_t member, const struct stmt *record)
{
	struct stmt *s;

	assert_int_equal(remove_sign_leave(&f->mt.mem, record, &f->members[member],
	                                   &f->mesh.sign_public, &s),
	                 0);
	return s;
}

static const struct keypair *pair_of(const struct fixture *f, const struct watcher_id *id)
{
	for (size_t i = 0; i < FIXTURE_MEMBERS; i++) {
		if (memcmp(f->members[i].sign_public.b, id->b, sizeof(id->b)) == 0)
			return &f->members[i];
	}
	fail();
	return NULL;
}

struct stmt *fixture_prune(struct fixture *f, const struct stmt *record, size_t first)
{
	struct attest attests[LIMIT_WATCHERS];
	struct record r;
	size_t count = 0;
	struct stmt *s;

	record_read(record, &r);
	for (size_t i = first; i < r.watchers_count; i++)
		prune_attest(record, pair_of(f, &r.watchers[i]), &f->mesh.sign_public,
		             &attests[count++]);
	assert_int_equal(remove_make_prune(&f->mt.mem, record, attests, count, &s), 0);
	return s;
}

void fixture_drop(struct fixture *f, struct stmt *s)
{
	stmt_unref(&f->mt.mem, s);
}

struct set *fixture_set(struct fixture *f)
{
	struct set_options options = {
		.mem = &f->mt.mem,
		.mesh_public = f->mesh.sign_public,
		.life_ms = LIFE_MS,
		.members_max = 64,
	};
	struct set *s;

	assert_int_equal(set_new(&options, &s), 0);
	return s;
}

struct offered fixture_offer(struct set *s, const struct stmt *stmt)
{
	struct instant now = { .mono_ms = 1, .unix_ms = FIXTURE_NOW_MS };
	struct offered offered;

	assert_int_equal(set_offer(s, stmt->raw, now, false, &offered), 0);
	return offered;
}

void fixture_merge(struct set *s, const struct stmt *stmt)
{
	struct offered offered = fixture_offer(s, stmt);

	assert_int_equal(offered.err, 0);
	assert_int_equal(offered.offer, OFFER_NEW);
}

enum standing fixture_standing(struct fixture *f, const struct set *s, size_t member)
{
	const struct entry *e = set_find(s, &f->members[member].box_public);

	assert_non_null(e);
	return e->standing;
}

void fixture_copy(const struct stmt *s, struct fixture_bytes *out)
{
	assert_true(s->raw.count <= sizeof(out->at));
	memcpy(out->at, s->raw.at, s->raw.count);
	out->count = s->raw.count;
}
