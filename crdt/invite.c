/*
 * Invites: limits that an administrator signs over a key made for the purpose.
 *
 * The invite's key is the secret in a token.  Its holder signs the key to be admitted, so an
 * introducer on the way learns nothing it could use: the proof is good for that one key.  The
 * issuer's signature makes the limits checkable by every member, so strangers with a made-up token
 * are turned away by whom they dial and never trouble the issuer.
 *
 * The id is a hash of what is signed, and not of the signature: an issuer that signs the same
 * limits twice (a retried command) has still made one invite, with one use count.
 *
 * Whether the issuer is an administrator, the date, and the uses are for the caller: they change.
 */
#include "crdt/invite.h"

#include "base/err.h"
#include "crdt/stmt_priv.h"

#include <assert.h>
#include <string.h>

#define LABEL_INVITE "smegmesh invite 1"
#define LABEL_JOIN "smegmesh join 1"
#define ID_LABEL "smeg invite id"

/* Apart from the kinds of statement: an invite is not one, and is in no set. */
#define INVITE_KIND 0x69

enum {
	INVITE_ISSUER = 1,
	INVITE_KEY = 2,
	INVITE_ISSUED = 3,
	INVITE_EXPIRES = 4,
	INVITE_ROLE = 5,
	INVITE_MAY_BRIDGE = 6,
	INVITE_USES = 7,
	INVITE_FOR_KEY = 8,
};

static bool is_member_key(struct bytes before, struct bytes value)
{
	struct key sign_public;
	struct key box;

	(void)before;
	memcpy(sign_public.b, value.at, KEY_BYTES);
	return key_to_box(&sign_public, &box) == 0;
}

static const struct field_rule rules[] = {
	{ INVITE_ISSUER, KEY_BYTES, KEY_BYTES, 1, 1, NULL },
	{ INVITE_KEY, KEY_BYTES, KEY_BYTES, 1, 1, NULL },
	{ INVITE_ISSUED, 8, 8, 1, 1, NULL },
	{ INVITE_EXPIRES, 8, 8, 1, 1, NULL },
	{ INVITE_ROLE, 1, 1, 1, 1, field_is_role },
	{ INVITE_MAY_BRIDGE, 1, 1, 0, 1, field_is_true },
	{ INVITE_USES, 4, 4, 0, 1, field_is_nonzero },
	{ INVITE_FOR_KEY, KEY_BYTES, KEY_BYTES, 0, 1, is_member_key },
};

static void limits_read(struct bytes fields, struct invite_limits *ret_limits)
{
	*ret_limits = (struct invite_limits){
		.role = field_find_u8(fields, INVITE_ROLE),
		.may_bridge = field_find_u8(fields, INVITE_MAY_BRIDGE) == 1,
		.issued_ms = field_find_u64(fields, INVITE_ISSUED),
		.expires_ms = field_find_u64(fields, INVITE_EXPIRES),
		.uses = field_find_u32(fields, INVITE_USES),
		.has_for_key = field_find(fields, INVITE_FOR_KEY).count > 0,
	};
	field_find_copy(fields, INVITE_ISSUER, ret_limits->issuer.b, KEY_BYTES);
	field_find_copy(fields, INVITE_KEY, ret_limits->invite_key.b, KEY_BYTES);
	field_find_copy(fields, INVITE_FOR_KEY, ret_limits->for_key.b, KEY_BYTES);
}

static void limits_put(struct writer *w,
                       const struct invite_limits *limits,
                       const struct key *issuer)
{
	field_put(w, INVITE_ISSUER, issuer->b, KEY_BYTES);
	field_put(w, INVITE_KEY, limits->invite_key.b, KEY_BYTES);
	field_put_u64(w, INVITE_ISSUED, limits->issued_ms);
	field_put_u64(w, INVITE_EXPIRES, limits->expires_ms);
	field_put_u8(w, INVITE_ROLE, (uint8_t)limits->role);
	if (limits->may_bridge)
		field_put_u8(w, INVITE_MAY_BRIDGE, 1);
	if (limits->uses > 0)
		field_put_u32(w, INVITE_USES, limits->uses);
	if (limits->has_for_key)
		field_put(w, INVITE_FOR_KEY, limits->for_key.b, KEY_BYTES);
}

/* Hash of mesh public key || fields. */
static void invite_id(struct bytes fields,
                      const struct key *mesh_public,
                      uint8_t out[INVITE_ID_BYTES])
{
	uint8_t buffer[KEY_BYTES + INVITE_LIMITS_BYTES_MAX];

	assert(fields.count <= INVITE_LIMITS_BYTES_MAX);
	memcpy(buffer, mesh_public->b, KEY_BYTES);
	memcpy(buffer + KEY_BYTES, fields.at, fields.count);
	hash_labelled(ID_LABEL, buffer, KEY_BYTES + fields.count, out, INVITE_ID_BYTES);
}

int invite_parse(struct bytes raw, const struct key *mesh_public, struct invite *ret_invite)
{
	struct invite invite = { .raw_bytes = raw.count };
	struct envelope e;
	int err;

	if (raw.count > sizeof(invite.raw))
		return ERR_TOO_BIG;
	err = envelope_read(raw, &e);
	if (err != 0)
		return err;
	if (e.kind != INVITE_KIND || e.rest.count > 0)
		return ERR_MALFORMED;
	err = fields_check(e.fields, rules, ARRAY_LEN(rules));
	if (err != 0)
		return err;
	limits_read(e.fields, &invite.limits);
	err = mesh_verify(&invite.limits.issuer, LABEL_INVITE, mesh_public, e.fields, &e.signature);
	if (err != 0)
		return err;
	invite_id(e.fields, mesh_public, invite.id);
	memcpy(invite.raw, raw.at, raw.count);
	*ret_invite = invite;
	return 0;
}

int invite_sign(const struct invite_limits *limits,
                const struct keypair *issuer,
                const struct key *mesh_public,
                struct invite *ret_invite)
{
	uint8_t fields_buffer[INVITE_LIMITS_BYTES_MAX];
	uint8_t raw[INVITE_LIMITS_BYTES_MAX];
	struct signature signature;
	struct writer fields;
	struct writer w;

	writer_init(&fields, fields_buffer, sizeof(fields_buffer));
	limits_put(&fields, limits, &issuer->sign_public);
	assert(fields.err == 0);
	mesh_sign(issuer, LABEL_INVITE, mesh_public, writer_bytes(&fields), &signature);
	writer_init(&w, raw, sizeof(raw));
	envelope_write(&w, INVITE_KIND, writer_bytes(&fields), &signature);
	assert(w.err == 0);
	return invite_parse(writer_bytes(&w), mesh_public, ret_invite);
}

void invite_prove(const struct keypair *invite_pair,
                  const struct key *joiner,
                  const struct key *mesh_public,
                  struct signature *ret_proof)
{
	mesh_sign(invite_pair, LABEL_JOIN, mesh_public, (struct bytes){ joiner->b, KEY_BYTES },
	          ret_proof);
}

int invite_check_proof(const struct invite *invite,
                       const struct key *joiner,
                       const struct key *mesh_public,
                       const struct signature *proof)
{
	const struct invite_limits *limits = &invite->limits;
	int err = mesh_verify(&limits->invite_key, LABEL_JOIN, mesh_public,
	                      (struct bytes){ joiner->b, KEY_BYTES }, proof);

	if (err != 0)
		return err;
	if (limits->has_for_key && !key_equal(&limits->for_key, joiner))
		return ERR_NOT_AUTHORISED;
	return 0;
}
