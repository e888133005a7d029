/*
 * The digest: the sum, mod 2^128, of one hash per register.
 *
 * A sum does not care for order, and a register that moves up costs one subtraction and one
 * addition.  The exclusive or would do that too, but any 128 hashes that a member may choose then
 * form a linear system it can solve; with sums it has to find a collision among few terms, since
 * each key has only few registers.  Cost of a mistake: two replicas look equal until the next
 * change; the random push-pull finds it.
 *
 * A register's hash is taken once, when its statement is kept, and lies in the statement: replicas
 * that share statements share it too.  What a member adds is a sum of a few of them, and is not
 * kept: 24 bytes a member for what some additions give.
 *
 * Hashed is what merging goes by, and nothing else: the register's place (kind, member, and signer
 * where each signer has one), counter, cause, hash.  So two removes with different signatures for
 * one counter count as the same here, as they do in stmt_compare().
 */
#include "crdt/set_priv.h"

#include "crdt/stmt_priv.h"

#include <assert.h>

#define ELEMENT_LABEL "smeg digest"
#define ELEMENT_BYTES (1 + KEY_BYTES + KEY_BYTES + 8 + 1 + HASH_BYTES)

static struct digest_sum sum_read(const uint8_t hash[DIGEST_BYTES])
{
	struct reader r;
	struct digest_sum sum;

	reader_init(&r, (struct bytes){ hash, DIGEST_BYTES });
	sum.high = read_u64(&r);
	sum.low = read_u64(&r);
	return sum;
}

struct digest_sum digest_of(const struct stmt *stmt)
{
	/* Appoint and revoke share a register. */
	enum stmt_kind place = stmt->kind == STMT_REVOKE ? STMT_APPOINT : stmt->kind;
	bool is_chain = stmt->kind == STMT_ADMISSION || stmt->kind == STMT_EXPEL;
	static const struct key nobody = { { 0 } };
	uint8_t element[ELEMENT_BYTES];
	uint8_t hash[DIGEST_BYTES];
	struct writer w;

	writer_init(&w, element, sizeof(element));
	write_u8(&w, (uint8_t)place);
	write_copy(&w, stmt->member.b, KEY_BYTES);
	write_copy(&w, is_chain ? stmt->signer.b : nobody.b, KEY_BYTES);
	write_u64(&w, stmt->counter);
	write_u8(&w, stmt->cause);
	write_copy(&w, stmt->hash, HASH_BYTES);
	assert(w.err == 0 && w.count == sizeof(element));
	hash_labelled(ELEMENT_LABEL, element, sizeof(element), hash, sizeof(hash));
	return sum_read(hash);
}

void digest_add(struct digest_sum *sum, const struct digest_sum *other)
{
	sum->low += other->low;
	sum->high += other->high + (sum->low < other->low);
}

void digest_subtract(struct digest_sum *sum, const struct digest_sum *other)
{
	bool borrow = sum->low < other->low;

	sum->low -= other->low;
	sum->high -= other->high + borrow;
}

void digest_bytes(const struct digest_sum *sum, uint8_t out[DIGEST_BYTES])
{
	struct writer w;

	writer_init(&w, out, DIGEST_BYTES);
	write_u64(&w, sum->high);
	write_u64(&w, sum->low);
	assert(w.err == 0);
}

void stmt_digest16(const struct stmt *s, uint8_t out[16])
{
	digest_bytes(&s->digest, out);
}
