/*
 * Records: a small signed header and a body that the header hashes.
 *
 * The header is apart so that a remove can contain it: whoever holds only the remove can check that
 * the owner really wrote that counter and named those watchers, without the 4 KiB of the body.  The
 * signature covers the header alone, the header the body by its hash, and the hash is checked when
 * the bytes are parsed: a record with another body is malformed, not merely unverified.
 *
 * Watchers are named by 12 bytes of their keys and not by 32, since a record goes to every member
 * and rests with every member, and a certificate, which is rare, has room for the whole keys.  To
 * be taken for one of four watchers takes a key with the same 12 bytes: some 2^94 tries.  24 bytes
 * of the body's hash leave 2^96 to an owner who wants two bodies under one header, the same order.
 * Rejected: the counter without its leading zeros (2 bytes of 220, for a number with two forms less
 * easily told from the other times), and places without their ports (a default that could not be
 * changed later).
 *
 * Lists that have an order of their own (places by preference) keep it; sets (watchers, services,
 * prefixes) ascend, so that saying the same gives the same bytes.  That is what record_same_body()
 * uses: it encodes both sides and compares bytes, rather than comparing field by field in a second
 * place that would have to be kept in step.
 *
 * The reader of each repeated value also serves as its check.  An unknown kind of place is refused
 * and not skipped: new kinds get a tag of their own, which is skipped.
 */
#include "crdt/record.h"

#include "base/err.h"
#include "crdt/stmt_priv.h"

#include <assert.h>
#include <string.h>

#define BODY_LABEL "smeg body"
#define HEADER_LABEL "smeg header"

enum {
	HEADER_SUBJECT = 1,
	HEADER_COUNTER = 2,
	HEADER_WATCHERS = 3,
	HEADER_BODY_HASH = 4,
};

enum {
	BODY_ROLE = 1,
	BODY_CARRIER = 2,
	BODY_ALIAS = 3,
	BODY_DESCRIPTION = 4,
	BODY_PLACE = 5,
	BODY_SERVICE = 6,
	BODY_PREFIX = 7,
};

#define PLACE_HEAD_BYTES 5u /* kind, two ports */
#define PLACE_BYTES_MAX (PLACE_HEAD_BYTES + HOST_NAME_MAX_BYTES)
#define SERVICE_BYTES_MAX (1 + LIMIT_NAME_BYTES + LIMIT_SERVICE_VALUE_BYTES)
#define PREFIX_BYTES 17u

static bool place_read(struct bytes value, struct place *ret_place)
{
	struct place p = { .name = { NULL, 0 } };
	struct reader r;

	reader_init(&r, value);
	p.kind = read_u8(&r);
	p.gossip_port = read_u16(&r);
	p.wg_port = read_u16(&r);
	if (p.kind == PLACE_NAME)
		p.name = read_bytes(&r, reader_left(&r));
	else
		read_copy(&r, p.addr.b, sizeof(p.addr.b));
	if (reader_finish(&r) != 0)
		return false;
	*ret_place = p;
	return true;
}

static bool place_is_valid(struct bytes before, struct bytes value)
{
	struct place p;
	struct addr a;
	char text[HOST_NAME_MAX_BYTES + 1];

	(void)before;
	if (!place_read(value, &p))
		return false;
	if (p.kind == PLACE_GIVEN || p.kind == PLACE_INTERFACE)
		return !addr_is_zero(&p.addr) && !addr_is_multicast(&p.addr);
	if (p.kind != PLACE_NAME || !host_is_valid(p.name))
		return false;
	/* A numeric address has kinds of its own. */
	memcpy(text, p.name.at, p.name.count);
	text[p.name.count] = 0;
	return addr_parse(&a, text) != 0;
}

static bool service_read(struct bytes value, struct service *ret_service)
{
	struct service s;
	struct reader r;

	reader_init(&r, value);
	s.name = read_bytes(&r, read_u8(&r));
	s.value = read_bytes(&r, reader_left(&r));
	if (r.err != 0)
		return false;
	*ret_service = s;
	return true;
}

static bool service_is_valid(struct bytes before, struct bytes value)
{
	struct service last;
	struct service s;

	if (!service_read(value, &s) || !field_is_label(s.name, s.name))
		return false;
	if (s.value.count > LIMIT_SERVICE_VALUE_BYTES)
		return false;
	return !service_read(before, &last) || bytes_compare(last.name, s.name) < 0;
}

static bool prefix_read(struct bytes value, struct prefix *ret_prefix)
{
	struct prefix p;
	struct reader r;

	reader_init(&r, value);
	p.bits = read_u8(&r);
	read_copy(&r, p.addr.b, sizeof(p.addr.b));
	if (reader_finish(&r) != 0)
		return false;
	*ret_prefix = p;
	return true;
}

static bool prefix_is_valid(struct bytes before, struct bytes value)
{
	struct prefix last;
	struct prefix p;
	struct prefix clean;

	if (!prefix_read(value, &p) || p.bits > 128)
		return false;
	prefix_make(&clean, &p.addr, p.bits);
	if (!addr_equal(&clean.addr, &p.addr))
		return false;
	return !prefix_read(before, &last) || prefix_compare(&last, &p) < 0;
}

/* One id twice would count twice in a quorum. */
static bool watchers_are_valid(struct bytes before, struct bytes value)
{
	(void)before;
	if (value.count % WATCHER_ID_BYTES != 0)
		return false;
	for (size_t at = WATCHER_ID_BYTES; at < value.count; at += WATCHER_ID_BYTES) {
		if (memcmp(value.at + at - WATCHER_ID_BYTES, value.at + at, WATCHER_ID_BYTES) >= 0)
			return false;
	}
	return true;
}

static const struct field_rule header_rules[] = {
	{ HEADER_SUBJECT, KEY_BYTES, KEY_BYTES, 1, 1, NULL },
	{ HEADER_COUNTER, 8, 8, 1, 1, NULL },
	{ HEADER_WATCHERS, WATCHER_ID_BYTES, LIMIT_WATCHERS *WATCHER_ID_BYTES, 0, 1,
	  watchers_are_valid },
	{ HEADER_BODY_HASH, BODY_HASH_BYTES, BODY_HASH_BYTES, 1, 1, NULL },
};

static const struct field_rule body_rules[] = {
	{ BODY_ROLE, 1, 1, 1, 1, field_is_role },
	{ BODY_CARRIER, KEY_BYTES, KEY_BYTES, 0, 1, NULL },
	{ BODY_ALIAS, 1, LIMIT_NAME_BYTES, 0, 1, field_is_label },
	{ BODY_DESCRIPTION, 1, LIMIT_DESCRIPTION_BYTES, 0, 1, NULL },
	{ BODY_PLACE, PLACE_HEAD_BYTES + 1, PLACE_BYTES_MAX, 0, LIMIT_ENDPOINTS, place_is_valid },
	{ BODY_SERVICE, 2, SERVICE_BYTES_MAX, 0, LIMIT_SERVICES, service_is_valid },
	{ BODY_PREFIX, PREFIX_BYTES, PREFIX_BYTES, 0, LIMIT_PREFIXES, prefix_is_valid },
};

static size_t watchers_read(struct bytes fields, struct watcher_id out[LIMIT_WATCHERS])
{
	struct bytes value = field_find(fields, HEADER_WATCHERS);

	if (value.count > 0)
		memcpy(out, value.at, value.count);
	return value.count / WATCHER_ID_BYTES;
}

int header_watcher(const struct header *h, const struct key *sign_public)
{
	struct watcher_id id = watcher_id_of(sign_public);

	for (size_t i = 0; i < h->watchers_count; i++) {
		if (watcher_id_compare(&h->watchers[i], &id) == 0)
			return (int)i;
	}
	return -1;
}

int header_read(struct bytes fields, struct header *ret_header)
{
	struct header h = { .watchers_count = 0 };
	int err;

	if (fields.count > RECORD_HEADER_BYTES_MAX)
		return ERR_TOO_BIG;
	err = fields_check(fields, header_rules, ARRAY_LEN(header_rules));
	if (err != 0)
		return err;
	field_find_copy(fields, HEADER_SUBJECT, h.subject.b, KEY_BYTES);
	h.counter = field_find_u64(fields, HEADER_COUNTER);
	field_find_copy(fields, HEADER_BODY_HASH, h.body_hash, sizeof(h.body_hash));
	h.watchers_count = watchers_read(fields, h.watchers);
	if (header_watcher(&h, &h.subject) >= 0)
		return ERR_MALFORMED;
	*ret_header = h;
	return 0;
}

int record_scan(struct stmt *s, const struct envelope *e)
{
	struct header h;
	uint8_t hash[BODY_HASH_BYTES];
	int err = header_read(e->fields, &h);

	if (err == 0)
		err = fields_check(e->rest, body_rules, ARRAY_LEN(body_rules));
	if (err != 0)
		return err;
	hash_labelled(BODY_LABEL, e->rest.at, e->rest.count, hash, sizeof(hash));
	if (memcmp(hash, h.body_hash, sizeof(hash)) != 0)
		return ERR_MALFORMED;
	hash_labelled(HEADER_LABEL, e->fields.at, e->fields.count, s->hash, sizeof(s->hash));
	s->subject = h.subject;
	s->signer = h.subject;
	s->counter = h.counter;
	return 0;
}

enum role record_role(const struct stmt *s)
{
	assert(s->kind == STMT_RECORD);
	return field_find_u8(stmt_envelope(s).rest, BODY_ROLE);
}

bool record_has_places(const struct stmt *s)
{
	struct fields f;
	struct field field;

	assert(s->kind == STMT_RECORD);
	fields_init(&f, stmt_envelope(s).rest);
	while (fields_next(&f, &field) && field.tag <= BODY_PLACE) {
		if (field.tag == BODY_PLACE && (field.value.at[1] | field.value.at[2]) != 0)
			return true;
	}
	return false;
}

size_t record_watchers(const struct stmt *s, struct watcher_id out[LIMIT_WATCHERS])
{
	assert(s->kind == STMT_RECORD);
	return watchers_read(stmt_envelope(s).fields, out);
}

bool record_watches(const struct stmt *s, const struct key *sign_public)
{
	struct bytes value;

	assert(s->kind == STMT_RECORD);
	value = field_find(stmt_envelope(s).fields, HEADER_WATCHERS);
	for (size_t at = 0; at < value.count; at += WATCHER_ID_BYTES) {
		if (memcmp(value.at + at, sign_public->b, WATCHER_ID_BYTES) == 0)
			return true;
	}
	return false;
}

static void place_put(struct writer *w, const struct place *p)
{
	bool is_name = p->kind == PLACE_NAME;
	size_t bytes = PLACE_HEAD_BYTES + (is_name ? p->name.count : sizeof(p->addr.b));

	write_varint(w, BODY_PLACE);
	write_varint(w, bytes);
	write_u8(w, (uint8_t)p->kind);
	write_u16(w, p->gossip_port);
	write_u16(w, p->wg_port);
	if (is_name)
		write_copy(w, p->name.at, p->name.count);
	else
		write_copy(w, p->addr.b, sizeof(p->addr.b));
}

static void service_put(struct writer *w, const struct service *s)
{
	/* A name too long for its length byte must not come out as another one. */
	if (s->name.count > UINT8_MAX) {
		w->err = ERR_TOO_BIG;
		return;
	}
	write_varint(w, BODY_SERVICE);
	write_varint(w, 1 + s->name.count + s->value.count);
	write_u8(w, (uint8_t)s->name.count);
	write_copy(w, s->name.at, s->name.count);
	write_copy(w, s->value.at, s->value.count);
}

static void prefix_put(struct writer *w, const struct prefix *p)
{
	write_varint(w, BODY_PREFIX);
	write_varint(w, PREFIX_BYTES);
	write_u8(w, p->bits);
	write_copy(w, p->addr.b, sizeof(p->addr.b));
}

static void body_put(struct writer *w, const struct record *r)
{
	assert(r->places_count <= LIMIT_ENDPOINTS);
	assert(r->services_count <= LIMIT_SERVICES);
	assert(r->prefixes_count <= LIMIT_PREFIXES);
	field_put_u8(w, BODY_ROLE, (uint8_t)r->role);
	if (r->has_carrier)
		field_put(w, BODY_CARRIER, r->carrier.b, KEY_BYTES);
	if (r->alias.count > 0)
		field_put(w, BODY_ALIAS, r->alias.at, r->alias.count);
	if (r->description.count > 0)
		field_put(w, BODY_DESCRIPTION, r->description.at, r->description.count);
	for (size_t i = 0; i < r->places_count; i++)
		place_put(w, &r->places[i]);
	for (size_t i = 0; i < r->services_count; i++)
		service_put(w, &r->services[i]);
	for (size_t i = 0; i < r->prefixes_count; i++)
		prefix_put(w, &r->prefixes[i]);
}

static void header_put(struct writer *w,
                       const struct record *r,
                       const struct key *subject,
                       struct bytes body)
{
	uint8_t hash[BODY_HASH_BYTES];

	assert(r->watchers_count <= LIMIT_WATCHERS);
	hash_labelled(BODY_LABEL, body.at, body.count, hash, sizeof(hash));
	field_put(w, HEADER_SUBJECT, subject->b, KEY_BYTES);
	field_put_u64(w, HEADER_COUNTER, r->counter);
	if (r->watchers_count > 0)
		field_put(w, HEADER_WATCHERS, r->watchers, r->watchers_count * WATCHER_ID_BYTES);
	field_put(w, HEADER_BODY_HASH, hash, sizeof(hash));
}

int record_sign(const struct mem *m,
                const struct record *r,
                const struct keypair *owner,
                const struct key *mesh_public,
                struct stmt **ret_stmt)
{
	uint8_t body_buffer[LIMIT_RECORD_BYTES];
	uint8_t header_buffer[RECORD_HEADER_BYTES_MAX];
	uint8_t raw[LIMIT_RECORD_BYTES];
	struct signature signature;
	struct writer body;
	struct writer header;
	struct writer w;

	writer_init(&body, body_buffer, sizeof(body_buffer));
	body_put(&body, r);
	writer_init(&header, header_buffer, sizeof(header_buffer));
	header_put(&header, r, &owner->sign_public, writer_bytes(&body));
	assert(header.err == 0);
	mesh_sign(owner, LABEL_RECORD, mesh_public, writer_bytes(&header), &signature);
	writer_init(&w, raw, sizeof(raw));
	envelope_write(&w, STMT_RECORD, writer_bytes(&header), &signature);
	write_copy(&w, body.at, body.count);
	if (body.err != 0 || w.err != 0)
		return ERR_TOO_BIG;
	return stmt_parse(m, writer_bytes(&w), ret_stmt);
}

static void body_field_read(struct record *r, const struct field *field)
{
	bool is_read = true;

	switch (field->tag) {
	case BODY_ROLE:
		r->role = field->value.at[0];
		break;
	case BODY_CARRIER:
		r->has_carrier = true;
		memcpy(r->carrier.b, field->value.at, KEY_BYTES);
		break;
	case BODY_ALIAS:
		r->alias = field->value;
		break;
	case BODY_DESCRIPTION:
		r->description = field->value;
		break;
	case BODY_PLACE:
		is_read = place_read(field->value, &r->places[r->places_count++]);
		break;
	case BODY_SERVICE:
		is_read = service_read(field->value, &r->services[r->services_count++]);
		break;
	case BODY_PREFIX:
		is_read = prefix_read(field->value, &r->prefixes[r->prefixes_count++]);
		break;
	default: /* of a later version */
		break;
	}
	assert(is_read);
}

void record_read(const struct stmt *s, struct record *ret_r)
{
	struct envelope e = stmt_envelope(s);
	struct header h;
	struct fields f;
	struct field field;
	int err;

	assert(s->kind == STMT_RECORD);
	err = header_read(e.fields, &h);
	assert(err == 0);
	memset(ret_r, 0, sizeof(*ret_r));
	ret_r->subject = h.subject;
	ret_r->counter = h.counter;
	ret_r->watchers_count = watchers_read(e.fields, ret_r->watchers);
	fields_init(&f, e.rest);
	while (fields_next(&f, &field))
		body_field_read(ret_r, &field);
}

bool record_same_body(const struct record *a, const struct record *b)
{
	uint8_t a_buffer[LIMIT_RECORD_BYTES];
	uint8_t b_buffer[LIMIT_RECORD_BYTES];
	struct writer a_body;
	struct writer b_body;

	writer_init(&a_body, a_buffer, sizeof(a_buffer));
	writer_init(&b_body, b_buffer, sizeof(b_buffer));
	body_put(&a_body, a);
	body_put(&b_body, b);
	return a_body.err == 0 && b_body.err == 0 &&
	       bytes_equal(writer_bytes(&a_body), writer_bytes(&b_body));
}
