/*
 * Statements: what parses obeys every bound, reads without fault, keeps its bytes, and merges into
 * a set that stays sound.
 *
 * The input is one statement; or, after a byte 0xff (no kind), several with a 16-bit length before
 * each, which are offered to a set as from disk (the fuzzer can't sign), the set ageing as they
 * come.  At the end a fresh replica takes what the first would send, and must agree with it.
 */
#include "crdt/set.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEQUENCE 0xff
#define MEMBERS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *heap_resize(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	if (bytes > 0)
		return realloc(ptr, bytes);
	free(ptr);
	return NULL;
}

static const struct mem heap = { .resize = heap_resize };
static const struct key mesh_public = { { 1, 2, 3 } };

static void read_watchers(const struct stmt *s, const struct record *r)
{
	struct watcher_id ids[LIMIT_WATCHERS];

	assert(r->watchers_count <= LIMIT_WATCHERS);
	assert(record_watchers(s, ids) == r->watchers_count);
	assert(memcmp(ids, r->watchers, r->watchers_count * sizeof(*ids)) == 0);
	assert(!record_watches(s, &r->subject));
	for (size_t i = 0; i < r->watchers_count; i++) {
		struct key key = { { 0 } };

		memcpy(key.b, ids[i].b, sizeof(ids[i].b));
		assert(record_watches(s, &key));
	}
}

static void read_record(const struct stmt *s)
{
	struct record r;

	record_read(s, &r);
	assert(r.counter == s->counter);
	assert(key_equal(&r.subject, &s->subject));
	assert(r.role == ROLE_PEER || r.role == ROLE_CLIENT);
	assert(r.alias.count <= LIMIT_NAME_BYTES);
	read_watchers(s, &r);
	assert(r.places_count <= LIMIT_ENDPOINTS);
	assert(r.services_count <= LIMIT_SERVICES);
	assert(r.prefixes_count <= LIMIT_PREFIXES);
	for (size_t i = 0; i < r.services_count; i++)
		assert(r.services[i].value.count <= LIMIT_SERVICE_VALUE_BYTES);
	for (size_t i = 0; i < r.prefixes_count; i++) {
		char text[PREFIX_TEXT_BYTES];
		struct prefix back;

		prefix_text(&r.prefixes[i], text);
		assert(prefix_parse(&back, text) == 0);
		assert(prefix_equal(&back, &r.prefixes[i]));
	}
	assert(record_same_body(&r, &r));
}

static void read_stmt(const struct stmt *s)
{
	struct admission a;

	switch (s->kind) {
	case STMT_RECORD:
		read_record(s);
		break;
	case STMT_ADMISSION:
		admission_read(s, &a);
		assert(a.issued_ms == s->counter);
		break;
	case STMT_REVOKE:
		revoke_is_stolen(s);
		revoke_lets_stay(s, &s->member);
		break;
	case STMT_EXPEL:
		expel_keeps_invites(s);
		break;
	default:
		break;
	}
}

static void fuzz_one(struct bytes raw)
{
	struct stmt *s;
	int err = stmt_parse(&heap, raw, &s);

	if (err != 0) {
		assert(err == ERR_MALFORMED || err == ERR_TRUNCATED || err == ERR_TOO_BIG ||
		       err == ERR_VERSION || err == ERR_BAD_KEY || err == -ENOMEM);
		return;
	}
	assert(bytes_equal(s->raw, raw));
	assert(stmt_compare(s, s) == 0);
	read_stmt(s);
	err = stmt_verify(s, &mesh_public);
	assert(err == 0 || err == ERR_BAD_SIGNATURE);
	stmt_unref(&heap, s);
}

static struct set *new_set(void)
{
	struct set_options options = {
		.mem = &heap,
		.mesh_public = mesh_public,
		.life_ms = LIFE_MS,
		.members_max = MEMBERS_MAX,
	};
	struct set *s;

	return set_new(&options, &s) == 0 ? s : NULL;
}

/* Offer as from disk; false when out of memory. */
static bool offer(struct set *s, struct bytes raw, struct instant now)
{
	struct offered offered;

	if (set_offer(s, raw, now, true, &offered) != 0)
		return false;
	assert((offered.offer == OFFER_REFUSED) == (offered.err != 0));
	assert((offered.offer == OFFER_NEW) == (offered.stmt != NULL));
	return true;
}

static int copy_visit(void *ctx, const struct stmt *stmt)
{
	struct offered offered;

	if (set_offer(ctx, stmt->raw, (struct instant){ 0, 0 }, true, &offered) != 0)
		return -ENOMEM;
	assert(offered.offer == OFFER_NEW);
	return 0;
}

static void check_copy(const struct set *s)
{
	struct set *copy = new_set();
	uint8_t ours[DIGEST_BYTES];
	uint8_t theirs[DIGEST_BYTES];
	int err;

	if (!copy)
		return;
	err = set_raise_floor(copy, set_floor(s));
	if (err == 0)
		err = set_visit_all(s, copy_visit, copy);
	if (err == 0) {
		set_digest(s, ours);
		set_digest(copy, theirs);
		assert(memcmp(ours, theirs, DIGEST_BYTES) == 0);
		assert(set_count(s) == set_count(copy));
		assert(set_group_count(s) == set_group_count(copy));
	}
	set_free(copy);
}

static void fuzz_sequence(struct bytes src)
{
	struct set *s = new_set();
	struct instant now = { 0, LIFE_MS };
	struct reader r;

	reader_init(&r, src);
	while (s && reader_left(&r) > 0) {
		size_t bytes = read_u16(&r);
		struct bytes raw = read_bytes(&r, bytes);

		if (r.err != 0 || !offer(s, raw, now))
			break;
		/* An empty statement lets time pass. */
		if (raw.count > 0)
			continue;
		now.unix_ms += 1000;
		if (set_age(s, now, NULL, NULL) != 0)
			break;
	}
	if (s)
		check_copy(s);
	set_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exact, so that the sanitizer sees a byte too many. */
	uint8_t *copy = malloc(size + 1);

	if (!copy)
		return 0;
	if (size > 0)
		memcpy(copy + 1, data, size);
	if (size > 0 && data[0] == SEQUENCE)
		fuzz_sequence((struct bytes){ copy + 2, size - 1 });
	else
		fuzz_one((struct bytes){ copy + 1, size });
	free(copy);
	return 0;
}
