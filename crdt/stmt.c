/*
 * Statements: the envelope, the table of kinds, verification, references, order.
 *
 * Everything that is replicated is a statement, and everything that is believed about a member
 * follows from statements alone.  So what is checked here is checked once, for sockets and disk
 * alike: a statement that parses obeys every bound, and readers of its fields cannot fail.
 *
 * Two statements of one register are ordered by (counter, cause, hash).  The hash only breaks ties
 * of an owner or issuer who signed two things with one counter; it makes the order total, so that
 * all replicas keep the same one.  Removes have no hash on purpose: two certificates with different
 * signatures for the same remove say the same, and neither is worth relaying after the other.
 *
 * Kinds above those of this version are ERR_VERSION and not ERR_MALFORMED: a later release may add
 * kinds, and a sender of them is not broken.
 */
#include "crdt/stmt.h"

#include "base/err.h"
#include "base/mem.h"
#include "crdt/pool_priv.h"
#include "crdt/stmt_priv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define HASH_LABEL "smeg statement"

static const struct stmt_type {
	size_t bytes_max;
	const char *label; /* of the signature in the envelope */
	bool has_rest;     /* bytes may follow the signature */
	int (*scan)(struct stmt *s, const struct envelope *e);
} types[] = {
	[STMT_APPOINT] = { STMT_SMALL_BYTES_MAX, LABEL_APPOINT, false, appoint_scan },
	[STMT_REVOKE] = { LIMIT_STATEMENT_BYTES, LABEL_REVOKE, false, revoke_scan },
	[STMT_ADMISSION] = { STMT_SMALL_BYTES_MAX, LABEL_ADMISSION, false, admission_scan },
	[STMT_RECORD] = { LIMIT_RECORD_BYTES, LABEL_RECORD, true, record_scan },
	/* The covered header stays signed as it was in the record. */
	[STMT_REMOVE] = { STMT_SMALL_BYTES_MAX, LABEL_RECORD, true, remove_scan },
	[STMT_EXPEL] = { STMT_SMALL_BYTES_MAX, LABEL_EXPEL, false, expel_scan },
};

_Static_assert(LIMIT_RECORD_BYTES <= LIMIT_STATEMENT_BYTES, "a record is a statement");
_Static_assert(LIMIT_STATEMENT_BYTES <= UINT16_MAX, "the envelope's length has 16 bits");
_Static_assert(ENVELOPE_HEAD_BYTES + RECORD_HEADER_BYTES_MAX + SIGNATURE_BYTES + 1 +
                               LIMIT_WATCHERS * (KEY_BYTES + SIGNATURE_BYTES) <=
                       STMT_SMALL_BYTES_MAX,
               "any header fits into a remove");

int stmt_scan(struct bytes raw, struct stmt *ret_stmt)
{
	struct stmt s = { .raw = raw };
	struct envelope e;
	int err;

	if (raw.count == 0)
		return ERR_TRUNCATED;
	if (raw.at[0] == 0)
		return ERR_MALFORMED;
	if (raw.at[0] >= ARRAY_LEN(types))
		return ERR_VERSION;
	s.kind = raw.at[0];
	if (raw.count > types[s.kind].bytes_max)
		return ERR_TOO_BIG;
	err = envelope_read(raw, &e);
	if (err != 0)
		return err;
	if (e.rest.count > 0 && !types[s.kind].has_rest)
		return ERR_MALFORMED;
	err = types[s.kind].scan(&s, &e);
	if (err != 0)
		return err;
	if (s.kind != STMT_RECORD && s.kind != STMT_REMOVE)
		hash_labelled(HASH_LABEL, raw.at, raw.count, s.hash, sizeof(s.hash));
	*ret_stmt = s;
	return 0;
}

int stmt_member(struct stmt *s)
{
	return key_to_box(&s->subject, &s->member);
}

void stmt_settle(struct stmt *s, const struct stmt *scanned, uint8_t *raw)
{
	*s = *scanned;
	memcpy(raw, scanned->raw.at, scanned->raw.count);
	s->raw.at = raw;
	s->digest = digest_of(s);
	s->is_pooled = false;
	s->refs = 1;
}

struct stmt *stmt_keep(const struct mem *m, const struct stmt *scanned)
{
	struct stmt *s = mem_alloc(m, sizeof(*s) + scanned->raw.count);

	if (s)
		stmt_settle(s, scanned, (uint8_t *)(s + 1));
	return s;
}

int stmt_parse(const struct mem *m, struct bytes raw, struct stmt **ret_stmt)
{
	struct stmt scanned;
	struct stmt *s;
	int err = stmt_scan(raw, &scanned);

	if (err != 0)
		return err;
	err = stmt_member(&scanned);
	if (err != 0)
		return err;
	s = stmt_keep(m, &scanned);
	if (!s)
		return -ENOMEM;
	*ret_stmt = s;
	return 0;
}

int stmt_seal(const struct mem *m,
              const struct seal *seal,
              const struct writer *fields,
              struct stmt **ret_stmt)
{
	uint8_t raw[LIMIT_STATEMENT_BYTES];
	struct signature signature;
	struct writer w;

	writer_init(&w, raw, sizeof(raw));
	if (fields->err != 0 || fields->count + ENVELOPE_HEAD_BYTES + SIGNATURE_BYTES > sizeof(raw))
		return ERR_TOO_BIG;
	mesh_sign(seal->pair, types[seal->kind].label, seal->mesh_public, writer_bytes(fields),
	          &signature);
	envelope_write(&w, (uint8_t)seal->kind, writer_bytes(fields), &signature);
	return stmt_parse(m, writer_bytes(&w), ret_stmt);
}

struct envelope stmt_envelope(const struct stmt *s)
{
	struct envelope e;
	int err = envelope_read(s->raw, &e);

	assert(err == 0);
	return e;
}

int stmt_verify(const struct stmt *s, const struct key *mesh_public)
{
	bool is_by_mesh = s->kind == STMT_APPOINT || s->kind == STMT_REVOKE;
	struct envelope e = stmt_envelope(s);
	int err = mesh_verify(is_by_mesh ? mesh_public : &s->signer, types[s->kind].label,
	                      mesh_public, e.fields, &e.signature);

	if (err == 0 && s->kind == STMT_REMOVE)
		err = remove_verify(s, &e, mesh_public);
	return err;
}

struct stmt *stmt_ref(struct stmt *s)
{
	assert(s->refs > 0);
	assert(s->refs < UINT32_MAX);
	s->refs++;
	return s;
}

void stmt_unref(const struct mem *m, struct stmt *s)
{
	if (!s)
		return;
	assert(s->refs > 0);
	if (--s->refs > 0)
		return;
	if (s->is_pooled)
		pool_drop(s);
	else
		mem_free(m, s);
}

int stmt_compare(const struct stmt *a, const struct stmt *b)
{
	if (a->counter != b->counter)
		return a->counter < b->counter ? -1 : 1;
	if (a->cause != b->cause)
		return a->cause < b->cause ? -1 : 1;
	return memcmp(a->hash, b->hash, sizeof(a->hash));
}
