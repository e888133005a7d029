/*
 * Removes: a covered header, a cause, and an authority.
 *
 * A remove counts for whoever holds its bytes, for ever, and without any other knowledge: the owner
 * signed the header, so it named the watchers itself, and the quorum of those, or the owner, signed
 * the remove.  No roster, no leader, no order of arrival.  That is why a part holds the watcher's
 * whole key, of which the header has only the id.
 *
 * The ids of the keys are among the header's and ascend: one watcher can't count twice, two keys
 * with one id can't either, and nobody from outside can count at all, by form.  To be counted for
 * another's watcher takes a key with its 12 bytes: 2^96 tries for one watcher, and then as many for
 * the next of the quorum.  (The key is under the signature, so it has to be had before one signs.)
 *
 * The certificate holds exactly as many parts as the quorum; more would say nothing more and cost a
 * verification each.
 *
 * A leave could have been a prune by the owner.  It has a label and a cause of its own, because the
 * two lead to different treatment (tunnels go at once, or stay for a while).
 */
#include "crdt/record.h"

#include "base/err.h"
#include "crdt/stmt_priv.h"

#include <assert.h>

#define PART_BYTES (KEY_BYTES + SIGNATURE_BYTES)

/* How many of so many watchers may prune; 0: they can't. */
static size_t quorum_of(size_t watchers_count)
{
	static const size_t quorum[LIMIT_WATCHERS + 1] = { 0, 0, 2, 2, 3 };

	assert(watchers_count <= LIMIT_WATCHERS);
	return quorum[watchers_count];
}

static struct attest part_read(struct reader *r)
{
	struct attest a;

	read_copy(r, a.watcher.b, KEY_BYTES);
	read_copy(r, a.signature.b, SIGNATURE_BYTES);
	return a;
}

/* The parts of a certificate: at most one per watcher, in the header's order. */
static int prune_scan(const struct header *h, struct bytes parts)
{
	struct reader r;
	int last = -1;

	if (parts.count == 0 || parts.count % PART_BYTES != 0)
		return ERR_TRUNCATED;
	reader_init(&r, parts);
	while (reader_left(&r) > 0) {
		struct attest a = part_read(&r);
		int at = header_watcher(h, &a.watcher);

		if (at <= last)
			return ERR_MALFORMED;
		last = at;
	}
	return 0;
}

int remove_scan(struct stmt *s, const struct envelope *e)
{
	struct header h;
	struct reader r;
	struct bytes authority;
	int err = header_read(e->fields, &h);

	if (err != 0)
		return err;
	reader_init(&r, e->rest);
	s->cause = read_u8(&r);
	if (r.err != 0)
		return r.err;
	authority = read_bytes(&r, reader_left(&r));
	if (s->cause == CAUSE_PRUNE)
		err = prune_scan(&h, authority);
	else if (s->cause != CAUSE_LEAVE || authority.count > SIGNATURE_BYTES)
		err = ERR_MALFORMED;
	else if (authority.count < SIGNATURE_BYTES)
		err = ERR_TRUNCATED;
	if (err != 0)
		return err;
	s->subject = h.subject;
	s->signer = h.subject;
	s->counter = h.counter;
	return 0;
}

static int leave_verify(const struct stmt *s,
                        const struct envelope *e,
                        const struct key *mesh_public,
                        struct reader *authority)
{
	struct signature signature;

	read_copy(authority, signature.b, SIGNATURE_BYTES);
	return mesh_verify(&s->subject, LABEL_LEAVE, mesh_public, e->fields, &signature);
}

static int prune_verify(const struct envelope *e,
                        const struct key *mesh_public,
                        struct reader *authority)
{
	struct header h;
	size_t count = reader_left(authority) / PART_BYTES;
	int err = header_read(e->fields, &h);

	assert(err == 0);
	if (count != quorum_of(h.watchers_count))
		return ERR_BAD_SIGNATURE;
	for (size_t i = 0; i < count; i++) {
		struct attest a = part_read(authority);

		err = mesh_verify(&a.watcher, LABEL_PRUNE, mesh_public, e->fields, &a.signature);
		if (err != 0)
			return err;
	}
	return 0;
}

int remove_verify(const struct stmt *s, const struct envelope *e, const struct key *mesh_public)
{
	struct reader authority;

	reader_init(&authority, e->rest);
	if (read_u8(&authority) == CAUSE_LEAVE)
		return leave_verify(s, e, mesh_public, &authority);
	return prune_verify(e, mesh_public, &authority);
}

/* Put the covered header, as signed in the record, and the cause. */
static void remove_begin(struct writer *w, const struct envelope *record, enum cause cause)
{
	envelope_write(w, STMT_REMOVE, record->fields, &record->signature);
	write_u8(w, (uint8_t)cause);
}

int remove_sign_leave(const struct mem *m,
                      const struct stmt *record,
                      const struct keypair *owner,
                      const struct key *mesh_public,
                      struct stmt **ret_stmt)
{
	uint8_t raw[STMT_SMALL_BYTES_MAX];
	struct envelope e = stmt_envelope(record);
	struct signature signature;
	struct writer w;

	assert(record->kind == STMT_RECORD);
	assert(key_equal(&record->subject, &owner->sign_public));
	mesh_sign(owner, LABEL_LEAVE, mesh_public, e.fields, &signature);
	writer_init(&w, raw, sizeof(raw));
	remove_begin(&w, &e, CAUSE_LEAVE);
	write_copy(&w, signature.b, SIGNATURE_BYTES);
	assert(w.err == 0);
	return stmt_parse(m, writer_bytes(&w), ret_stmt);
}

void prune_attest(const struct stmt *record,
                  const struct keypair *watcher,
                  const struct key *mesh_public,
                  struct attest *ret_attest)
{
	assert(record->kind == STMT_RECORD);
	ret_attest->watcher = watcher->sign_public;
	mesh_sign(watcher, LABEL_PRUNE, mesh_public, stmt_envelope(record).fields,
	          &ret_attest->signature);
}

int attest_verify(const struct stmt *record,
                  const struct attest *attest,
                  const struct key *mesh_public)
{
	struct header h;
	struct envelope e = stmt_envelope(record);
	int err = header_read(e.fields, &h);

	assert(record->kind == STMT_RECORD);
	assert(err == 0);
	if (header_watcher(&h, &attest->watcher) < 0)
		return ERR_NOT_AUTHORISED;
	return mesh_verify(&attest->watcher, LABEL_PRUNE, mesh_public, e.fields,
	                   &attest->signature);
}

static const struct attest *attest_by(const struct attest *attests,
                                      size_t count,
                                      const struct watcher_id *id)
{
	for (size_t i = 0; i < count; i++) {
		struct watcher_id got = watcher_id_of(&attests[i].watcher);

		if (watcher_id_compare(&got, id) == 0)
			return &attests[i];
	}
	return NULL;
}

int remove_make_prune(const struct mem *m,
                      const struct stmt *record,
                      const struct attest *attests,
                      size_t count,
                      struct stmt **ret_stmt)
{
	uint8_t raw[STMT_SMALL_BYTES_MAX];
	struct envelope e = stmt_envelope(record);
	struct header h;
	struct writer w;
	size_t wanted;
	int err = header_read(e.fields, &h);

	assert(record->kind == STMT_RECORD);
	assert(err == 0);
	wanted = quorum_of(h.watchers_count);
	if (wanted == 0)
		return ERR_NOT_AUTHORISED;
	writer_init(&w, raw, sizeof(raw));
	remove_begin(&w, &e, CAUSE_PRUNE);
	for (size_t i = 0; i < h.watchers_count && wanted > 0; i++) {
		const struct attest *a = attest_by(attests, count, &h.watchers[i]);

		if (!a)
			continue;
		write_copy(&w, a->watcher.b, KEY_BYTES);
		write_copy(&w, a->signature.b, SIGNATURE_BYTES);
		wanted--;
	}
	if (wanted > 0)
		return ERR_NOT_AUTHORISED;
	assert(w.err == 0);
	return stmt_parse(m, writer_bytes(&w), ret_stmt);
}

bool remove_signed_by(const struct stmt *remove, const struct key *watcher)
{
	struct envelope e = stmt_envelope(remove);
	struct reader r;

	assert(remove->kind == STMT_REMOVE);
	reader_init(&r, e.rest);
	if (read_u8(&r) != CAUSE_PRUNE)
		return false;
	while (reader_left(&r) > 0) {
		struct attest a = part_read(&r);

		if (key_equal(&a.watcher, watcher))
			return true;
	}
	return false;
}

bool remove_is_same(const struct stmt *remove, struct bytes raw)
{
	size_t all = remove->raw.count;
	size_t signed_part = stmt_envelope(remove).rest.count - 1; /* behind the cause */

	assert(remove->kind == STMT_REMOVE);
	return raw.count == all && memcmp(raw.at, remove->raw.at, all - signed_part) == 0;
}
