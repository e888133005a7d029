/*
 * The statements of authority: appoint, revoke, admission, expel.
 *
 * Trust starts at one key, whose hash is the mesh's name, and has two steps: the mesh key names
 * administrators, administrators name members.  More steps (an administrator appoints another)
 * were rejected: the set would have to decide what remains of a chain when its middle goes.
 *
 * A revocation is about a person who goes (its expels stand) or about a key that was stolen.  Who
 * has the stolen key can date an expel back to when it was in force, so no rule about dates tells
 * the thief's expels from the owner's: the mesh key has to say which of the two cases it is, with
 * a field of the revocation.  In the second case another administrator signs again, beforehand,
 * the expels that shall stand.  For admissions the list of those who stay serves both cases.
 *
 * The list is bounded by the size of a statement, some 230 members.  For more, another
 * administrator admits them (which needs nothing from them) before the first is revoked.
 *
 * Only a member's own key (record_sign) can say how it is reached; nothing here repeats it.
 */
#include "crdt/admit.h"

#include "base/err.h"
#include "base/text.h"
#include "crdt/stmt_priv.h"

#include <assert.h>
#include <string.h>

#define MESH_ID_LABEL "smeg mesh id"

enum {
	APPOINT_SUBJECT = 1,
	APPOINT_ISSUED = 2,
};

enum {
	REVOKE_SUBJECT = 1,
	REVOKE_ISSUED = 2,
	REVOKE_STAY = 3,
	REVOKE_IS_STOLEN = 4,
};

enum {
	ADMISSION_SUBJECT = 1,
	ADMISSION_ISSUER = 2,
	ADMISSION_ISSUED = 3,
	ADMISSION_ROLE = 4,
	ADMISSION_MAY_BRIDGE = 5,
	ADMISSION_INVITE = 6,
};

enum {
	EXPEL_SUBJECT = 1,
	EXPEL_ISSUER = 2,
	EXPEL_ISSUED = 3,
	EXPEL_KEEPS_INVITES = 4,
};

static const struct field_rule appoint_rules[] = {
	{ APPOINT_SUBJECT, KEY_BYTES, KEY_BYTES, 1, 1, NULL },
	{ APPOINT_ISSUED, 8, 8, 1, 1, NULL },
};

static const struct field_rule revoke_rules[] = {
	{ REVOKE_SUBJECT, KEY_BYTES, KEY_BYTES, 1, 1, NULL },
	{ REVOKE_ISSUED, 8, 8, 1, 1, NULL },
	{ REVOKE_STAY, KEY_BYTES, KEY_BYTES, 0, LIMIT_STATEMENT_BYTES, field_is_ascending },
	{ REVOKE_IS_STOLEN, 1, 1, 0, 1, field_is_true },
};

static const struct field_rule admission_rules[] = {
	{ ADMISSION_SUBJECT, KEY_BYTES, KEY_BYTES, 1, 1, NULL },
	{ ADMISSION_ISSUER, KEY_BYTES, KEY_BYTES, 1, 1, NULL },
	{ ADMISSION_ISSUED, 8, 8, 1, 1, NULL },
	{ ADMISSION_ROLE, 1, 1, 1, 1, field_is_role },
	{ ADMISSION_MAY_BRIDGE, 1, 1, 0, 1, field_is_true },
	{ ADMISSION_INVITE, INVITE_ID_BYTES, INVITE_ID_BYTES, 0, 1, field_is_nonzero },
};

static const struct field_rule expel_rules[] = {
	{ EXPEL_SUBJECT, KEY_BYTES, KEY_BYTES, 1, 1, NULL },
	{ EXPEL_ISSUER, KEY_BYTES, KEY_BYTES, 1, 1, NULL },
	{ EXPEL_ISSUED, 8, 8, 1, 1, NULL },
	{ EXPEL_KEEPS_INVITES, 1, 1, 0, 1, field_is_true },
};

void mesh_id_of(const struct key *mesh_public, char out[MESH_ID_BYTES])
{
	uint8_t hash[HASH_BYTES];

	hash_labelled(MESH_ID_LABEL, mesh_public->b, KEY_BYTES, hash, sizeof(hash));
	base32_text((struct bytes){ hash, sizeof(hash) }, out, MESH_ID_CHARS);
}

int appoint_scan(struct stmt *s, const struct envelope *e)
{
	int err = fields_check(e->fields, appoint_rules, ARRAY_LEN(appoint_rules));

	if (err != 0)
		return err;
	field_find_copy(e->fields, APPOINT_SUBJECT, s->subject.b, KEY_BYTES);
	s->counter = field_find_u64(e->fields, APPOINT_ISSUED);
	return 0;
}

int revoke_scan(struct stmt *s, const struct envelope *e)
{
	int err = fields_check(e->fields, revoke_rules, ARRAY_LEN(revoke_rules));

	if (err != 0)
		return err;
	field_find_copy(e->fields, REVOKE_SUBJECT, s->subject.b, KEY_BYTES);
	s->counter = field_find_u64(e->fields, REVOKE_ISSUED);
	s->cause = 1;
	return 0;
}

int admission_scan(struct stmt *s, const struct envelope *e)
{
	int err = fields_check(e->fields, admission_rules, ARRAY_LEN(admission_rules));

	if (err != 0)
		return err;
	field_find_copy(e->fields, ADMISSION_SUBJECT, s->subject.b, KEY_BYTES);
	field_find_copy(e->fields, ADMISSION_ISSUER, s->signer.b, KEY_BYTES);
	s->counter = field_find_u64(e->fields, ADMISSION_ISSUED);
	return 0;
}

int expel_scan(struct stmt *s, const struct envelope *e)
{
	int err = fields_check(e->fields, expel_rules, ARRAY_LEN(expel_rules));

	if (err != 0)
		return err;
	field_find_copy(e->fields, EXPEL_SUBJECT, s->subject.b, KEY_BYTES);
	field_find_copy(e->fields, EXPEL_ISSUER, s->signer.b, KEY_BYTES);
	s->counter = field_find_u64(e->fields, EXPEL_ISSUED);
	return 0;
}

int admission_sign(const struct mem *m,
                   const struct admission *a,
                   const struct keypair *issuer,
                   const struct key *mesh_public,
                   struct stmt **ret_stmt)
{
	struct seal seal = { STMT_ADMISSION, issuer, mesh_public };
	uint8_t buffer[STMT_SMALL_BYTES_MAX];
	struct writer w;
	struct bytes invite = { a->invite, sizeof(a->invite) };

	writer_init(&w, buffer, sizeof(buffer));
	field_put(&w, ADMISSION_SUBJECT, a->subject.b, KEY_BYTES);
	field_put(&w, ADMISSION_ISSUER, issuer->sign_public.b, KEY_BYTES);
	field_put_u64(&w, ADMISSION_ISSUED, a->issued_ms);
	field_put_u8(&w, ADMISSION_ROLE, (uint8_t)a->role);
	if (a->may_bridge)
		field_put_u8(&w, ADMISSION_MAY_BRIDGE, 1);
	if (field_is_nonzero(invite, invite))
		field_put(&w, ADMISSION_INVITE, invite.at, invite.count);
	return stmt_seal(m, &seal, &w, ret_stmt);
}

void admission_read(const struct stmt *s, struct admission *ret_a)
{
	struct bytes fields = stmt_envelope(s).fields;

	assert(s->kind == STMT_ADMISSION);
	*ret_a = (struct admission){
		.subject = s->subject,
		.issuer = s->signer,
		.role = field_find_u8(fields, ADMISSION_ROLE),
		.may_bridge = field_find_u8(fields, ADMISSION_MAY_BRIDGE) == 1,
		.issued_ms = s->counter,
	};
	field_find_copy(fields, ADMISSION_INVITE, ret_a->invite, sizeof(ret_a->invite));
}

int appoint_sign(const struct mem *m,
                 const struct key *administrator,
                 uint64_t issued_ms,
                 const struct keypair *mesh,
                 struct stmt **ret_stmt)
{
	struct seal seal = { STMT_APPOINT, mesh, &mesh->sign_public };
	uint8_t buffer[STMT_SMALL_BYTES_MAX];
	struct writer w;

	writer_init(&w, buffer, sizeof(buffer));
	field_put(&w, APPOINT_SUBJECT, administrator->b, KEY_BYTES);
	field_put_u64(&w, APPOINT_ISSUED, issued_ms);
	return stmt_seal(m, &seal, &w, ret_stmt);
}

/* The smallest key above *floor (NULL: of all), or NULL. */
static const struct key *key_above(const struct key *keys, size_t count, const struct key *floor)
{
	const struct key *best = NULL;

	for (size_t i = 0; i < count; i++) {
		if (floor && key_compare(&keys[i], floor) <= 0)
			continue;
		if (!best || key_compare(&keys[i], best) < 0)
			best = &keys[i];
	}
	return best;
}

/* The list is sorted as it is written, whatever order and repetition it comes in. */
int revoke_sign(const struct mem *m,
                const struct revocation *r,
                const struct keypair *mesh,
                struct stmt **ret_stmt)
{
	struct seal seal = { STMT_REVOKE, mesh, &mesh->sign_public };
	uint8_t buffer[LIMIT_STATEMENT_BYTES];
	const struct key *next = NULL;
	struct writer w;

	writer_init(&w, buffer, sizeof(buffer));
	field_put(&w, REVOKE_SUBJECT, r->administrator.b, KEY_BYTES);
	field_put_u64(&w, REVOKE_ISSUED, r->issued_ms);
	while (w.err == 0 && (next = key_above(r->stay, r->stay_count, next)))
		field_put(&w, REVOKE_STAY, next->b, KEY_BYTES);
	if (r->is_stolen)
		field_put_u8(&w, REVOKE_IS_STOLEN, 1);
	return stmt_seal(m, &seal, &w, ret_stmt);
}

bool revoke_lets_stay(const struct stmt *revoke, const struct key *member)
{
	struct bytes want = { member->b, KEY_BYTES };
	struct fields f;
	struct field field;

	assert(revoke->kind == STMT_REVOKE);
	fields_init(&f, stmt_envelope(revoke).fields);
	while (fields_next(&f, &field)) {
		if (field.tag == REVOKE_STAY && bytes_equal(field.value, want))
			return true;
	}
	return false;
}

bool revoke_is_stolen(const struct stmt *revoke)
{
	assert(revoke->kind == STMT_REVOKE);
	return field_find_u8(stmt_envelope(revoke).fields, REVOKE_IS_STOLEN) == 1;
}

int expel_sign(const struct mem *m,
               const struct expulsion *x,
               const struct keypair *administrator,
               const struct key *mesh_public,
               struct stmt **ret_stmt)
{
	struct seal seal = { STMT_EXPEL, administrator, mesh_public };
	uint8_t buffer[STMT_SMALL_BYTES_MAX];
	struct writer w;

	writer_init(&w, buffer, sizeof(buffer));
	field_put(&w, EXPEL_SUBJECT, x->subject.b, KEY_BYTES);
	field_put(&w, EXPEL_ISSUER, administrator->sign_public.b, KEY_BYTES);
	field_put_u64(&w, EXPEL_ISSUED, x->issued_ms);
	if (x->keep_invites)
		field_put_u8(&w, EXPEL_KEEPS_INVITES, 1);
	return stmt_seal(m, &seal, &w, ret_stmt);
}

bool expel_keeps_invites(const struct stmt *expel)
{
	assert(expel->kind == STMT_EXPEL);
	return field_find_u8(stmt_envelope(expel).fields, EXPEL_KEEPS_INVITES) == 1;
}
