/*
 * The canonical codec of everything that is signed.
 *
 * A value has one encoding: varints are minimal, tags ascend, a tag that may repeat does so side by
 * side, a tag that may not is there at most once, "false" and "none" are a field that is absent.
 * That is not needed for verifying (nothing is ever encoded again), but two implementations that
 * say the same then sign the same bytes, and a parser with one accepted form is easier to test.
 *
 * Unknown tags are let through anywhere in the order: a later version may add what an earlier one
 * can do without, and the earlier one still stores and forwards it, as it keeps the raw bytes.
 * What an earlier version must not do without needs a new version byte, and that is refused whole.
 *
 * Bounds are rows of a table (struct field_rule), walked once by fields_check(); after it, reading
 * cannot fail.  Rejected: protobuf, whose encoding is not canonical, and ASN.1 DER, which is but
 * takes ten times the code.
 *
 * Signatures: the mesh is not in the bytes but under the signature, and so is the kind with its
 * version, through the label.  Bytes of another mesh, kind or version just fail to verify.
 */
#include "crdt/codec_priv.h"

#include "base/addr.h"
#include "base/err.h"
#include "crdt/stmt.h"

#include <assert.h>
#include <string.h>

void fields_init(struct fields *f, struct bytes src)
{
	reader_init(&f->reader, src);
	f->last = 0;
}

bool fields_next(struct fields *f, struct field *ret_field)
{
	struct reader *r = &f->reader;
	struct field field;
	uint64_t bytes;

	if (reader_left(r) == 0)
		return false;
	field.tag = read_varint(r);
	bytes = read_varint(r);
	/* Tag 0 is never used, so that zeroed bytes are no fields. */
	if (r->err == 0 && (field.tag == 0 || field.tag < f->last))
		r->err = ERR_MALFORMED;
	if (r->err == 0 && bytes > reader_left(r))
		r->err = ERR_TRUNCATED;
	if (r->err != 0)
		return false;
	field.value = read_bytes(r, (size_t)bytes);
	f->last = field.tag;
	*ret_field = field;
	return true;
}

static bool field_obeys(const struct field *field,
                        const struct field_rule *rule,
                        struct bytes before)
{
	if (field->value.count < rule->bytes_min || field->value.count > rule->bytes_max)
		return false;
	return !rule->is_valid || rule->is_valid(before, field->value);
}

int fields_check(struct bytes src, const struct field_rule *rules, size_t count)
{
	size_t times[FIELD_RULES_MAX] = { 0 };
	struct bytes before = { NULL, 0 };
	struct fields f;
	struct field field;
	size_t at = 0; /* the first rule that may still apply */

	assert(count <= FIELD_RULES_MAX);
	fields_init(&f, src);
	while (fields_next(&f, &field)) {
		while (at < count && rules[at].tag < field.tag)
			at++;
		if (at == count || rules[at].tag != field.tag)
			continue;
		if (times[at]++ == 0)
			before = (struct bytes){ NULL, 0 };
		if (times[at] > rules[at].times_max || !field_obeys(&field, &rules[at], before))
			return ERR_MALFORMED;
		before = field.value;
	}
	if (f.reader.err != 0)
		return f.reader.err;
	for (size_t i = 0; i < count; i++) {
		if (times[i] < rules[i].times_min)
			return ERR_MALFORMED;
	}
	return 0;
}

bool field_is_role(struct bytes before, struct bytes value)
{
	(void)before;
	return value.at[0] == ROLE_PEER || value.at[0] == ROLE_CLIENT;
}

bool field_is_true(struct bytes before, struct bytes value)
{
	(void)before;
	return value.at[0] == 1;
}

bool field_is_nonzero(struct bytes before, struct bytes value)
{
	(void)before;
	for (size_t i = 0; i < value.count; i++) {
		if (value.at[i] != 0)
			return true;
	}
	return false;
}

bool field_is_ascending(struct bytes before, struct bytes value)
{
	return before.count == 0 || bytes_compare(before, value) < 0;
}

bool field_is_label(struct bytes before, struct bytes value)
{
	char text[LIMIT_NAME_BYTES + 1];

	(void)before;
	if (value.count == 0 || value.count > LIMIT_NAME_BYTES)
		return false;
	memcpy(text, value.at, value.count);
	text[value.count] = 0;
	return strlen(text) == value.count && name_is_label(text);
}

bool host_is_valid(struct bytes host)
{
	char text[HOST_NAME_MAX_BYTES + 1];
	struct hostport parsed;

	if (host.count == 0 || host.count > HOST_NAME_MAX_BYTES)
		return false;
	memcpy(text, host.at, host.count);
	text[host.count] = 0;
	if (strlen(text) != host.count || hostport_parse(&parsed, text) != 0)
		return false;
	/* With a port or brackets it would have come back shorter. */
	return strcmp(parsed.host, text) == 0;
}

struct bytes field_find(struct bytes src, uint64_t tag)
{
	struct fields f;
	struct field field;

	fields_init(&f, src);
	while (fields_next(&f, &field)) {
		if (field.tag == tag)
			return field.value;
	}
	return (struct bytes){ NULL, 0 };
}

void field_find_copy(struct bytes src, uint64_t tag, void *out, size_t bytes)
{
	struct bytes value = field_find(src, tag);

	assert(value.count == bytes || value.count == 0);
	if (value.count == 0)
		memset(out, 0, bytes);
	else
		memcpy(out, value.at, bytes);
}

uint8_t field_find_u8(struct bytes src, uint64_t tag)
{
	uint8_t v;

	field_find_copy(src, tag, &v, sizeof(v));
	return v;
}

uint32_t field_find_u32(struct bytes src, uint64_t tag)
{
	uint8_t b[4];
	struct reader r;

	field_find_copy(src, tag, b, sizeof(b));
	reader_init(&r, (struct bytes){ b, sizeof(b) });
	return read_u32(&r);
}

uint64_t field_find_u64(struct bytes src, uint64_t tag)
{
	uint8_t b[8];
	struct reader r;

	field_find_copy(src, tag, b, sizeof(b));
	reader_init(&r, (struct bytes){ b, sizeof(b) });
	return read_u64(&r);
}

void field_put(struct writer *w, uint64_t tag, const void *value, size_t bytes)
{
	assert(tag > 0);
	write_varint(w, tag);
	write_varint(w, bytes);
	write_copy(w, value, bytes);
}

void field_put_u8(struct writer *w, uint64_t tag, uint8_t value)
{
	field_put(w, tag, &value, sizeof(value));
}

void field_put_u32(struct writer *w, uint64_t tag, uint32_t value)
{
	write_varint(w, tag);
	write_varint(w, sizeof(value));
	write_u32(w, value);
}

void field_put_u64(struct writer *w, uint64_t tag, uint64_t value)
{
	write_varint(w, tag);
	write_varint(w, sizeof(value));
	write_u64(w, value);
}

int envelope_read(struct bytes raw, struct envelope *ret_envelope)
{
	struct envelope e;
	struct reader r;
	uint8_t version;
	size_t bytes;

	reader_init(&r, raw);
	e.kind = read_u8(&r);
	version = read_u8(&r);
	if (r.err == 0 && version != CODEC_VERSION)
		return ERR_VERSION;
	bytes = read_u16(&r);
	e.fields = read_bytes(&r, bytes);
	read_copy(&r, e.signature.b, SIGNATURE_BYTES);
	if (r.err != 0)
		return r.err;
	e.rest = read_bytes(&r, reader_left(&r));
	*ret_envelope = e;
	return 0;
}

void envelope_write(struct writer *w,
                    uint8_t kind,
                    struct bytes fields,
                    const struct signature *signature)
{
	assert(fields.count <= UINT16_MAX);
	write_u8(w, kind);
	write_u8(w, CODEC_VERSION);
	write_u16(w, (uint16_t)fields.count);
	write_copy(w, fields.at, fields.count);
	write_copy(w, signature->b, SIGNATURE_BYTES);
}

/* Mesh public key || fields; returns the count of bytes. */
static size_t mesh_bytes(uint8_t out[LIMIT_STATEMENT_BYTES],
                         const struct key *mesh_public,
                         struct bytes fields)
{
	/* Whoever got here has kept to LIMIT_STATEMENT_BYTES with a signature in it. */
	assert(fields.count + KEY_BYTES <= LIMIT_STATEMENT_BYTES);
	memcpy(out, mesh_public->b, KEY_BYTES);
	memcpy(out + KEY_BYTES, fields.at, fields.count);
	return KEY_BYTES + fields.count;
}

void mesh_sign(const struct keypair *pair,
               const char *label,
               const struct key *mesh_public,
               struct bytes fields,
               struct signature *ret_signature)
{
	uint8_t buffer[LIMIT_STATEMENT_BYTES];
	size_t bytes = mesh_bytes(buffer, mesh_public, fields);

	key_sign(pair, label, buffer, bytes, ret_signature);
}

int mesh_verify(const struct key *signer,
                const char *label,
                const struct key *mesh_public,
                struct bytes fields,
                const struct signature *signature)
{
	uint8_t buffer[LIMIT_STATEMENT_BYTES];
	size_t bytes = mesh_bytes(buffer, mesh_public, fields);

	return key_verify(signer, label, buffer, bytes, signature);
}
