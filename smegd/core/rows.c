/*
 * What the node keeps in the store, and how it reads it back.
 *
 * A row's value begins with a version byte.  One that this version does not know is ERR_VERSION,
 * one that makes no sense ERR_MALFORMED; either ends the start, because going on without half of
 * the state would forget members.  Statements are stored as the bytes that were received.
 *
 * Row keys of statements are kind, member and, where a register is one per signer, the signer; so a
 * greater statement of the same register replaces the row.  Kinds ascend in the order in which a
 * fresh set accepts them (appointments, admissions, records, removes, expels), and the store
 * returns rows in the order of keys.
 */
#include "smegd/core/node_priv.h"

#include <sodium.h>

#include <errno.h>
#include <string.h>

#define MESH_ROW_VERSION 1
#define MESH_ROW_BYTES_MAX 8192
#define SMALL_ROW_VERSION 1

static const uint8_t key_prepared[] = "prepared-key";
static const uint8_t key_counter[] = "reserved-counter";
static const uint8_t key_floor[] = "floor";
static const uint8_t key_expelled[] = "expelled"; /* unknown to 0.1.0, which passes over it */

static struct bytes name_bytes(const uint8_t *name)
{
	return (struct bytes){ name, strlen((const char *)name) };
}

static void put(struct step *st,
                const char *mesh_id,
                enum row_table table,
                struct bytes key,
                const struct writer *value)
{
	struct row row = { .table = table, .key = key, .value = writer_bytes(value) };

	if (mesh_id)
		memcpy(row.mesh, mesh_id, MESH_ID_BYTES);
	step_put(st, &row, true);
}

/* --- meshes ------------------------------------------------------------------------------- */

static void write_text(struct writer *w, const char *text)
{
	size_t count = strlen(text);

	write_varint(w, count);
	write_copy(w, text, count);
}

static void write_settings(struct writer *w, const struct settings *s)
{
	write_text(w, s->alias);
	write_text(w, s->description);
	write_varint(w, s->places_count);
	for (size_t i = 0; i < s->places_count; i++) {
		write_text(w, s->places[i].host);
		write_u16(w, s->places[i].port);
	}
}

/* Where others were, for the time before their records are known again. */
static void write_bootstraps(struct writer *w, const struct mesh *m)
{
	struct map_node *pos;
	size_t count = 0;

	map_for_each(pos, &m->peers)
		if (container_of(pos, struct peer, node)->known)
			count++;
	count = MIN_OF(count, LIMIT_TOKEN_BOOTSTRAPS);
	write_varint(w, count);
	map_for_each(pos, &m->peers) {
		const struct peer *p = container_of(pos, struct peer, node);

		if (!p->known || !count)
			continue;
		count--;
		write_copy(w, p->key.b, sizeof(p->key.b));
		write_text(w, p->known->host);
		write_u16(w, p->known->port);
	}
}

void rows_put_mesh(struct step *st, const struct mesh *m)
{
	uint8_t buffer[MESH_ROW_BYTES_MAX];
	struct writer w;

	writer_init(&w, buffer, sizeof(buffer));
	write_u8(&w, MESH_ROW_VERSION);
	write_u8(&w, (uint8_t)m->state);
	write_copy(&w, m->mesh_public.b, sizeof(m->mesh_public.b));
	write_text(&w, m->name);
	write_copy(&w, m->self.seed, sizeof(m->self.seed));
	write_u8(&w, m->has_mesh_pair);
	write_copy(&w, m->mesh_pair.seed, sizeof(m->mesh_pair.seed));
	write_u8(&w, (uint8_t)m->role);
	write_u16(&w, m->wg_port);
	write_u64(&w, (uint64_t)m->life_ms);
	write_settings(&w, &m->settings);
	write_bootstraps(&w, m);
	if (w.err)
		step_fail(st, w.err);
	else
		put(st, m->id, ROW_MESH, (struct bytes){ (const uint8_t *)"", 0 }, &w);
	sodium_memzero(buffer, sizeof(buffer));
}

static void read_text(struct reader *r, char *out, size_t cap)
{
	uint64_t count = read_varint(r);

	if (count >= cap) {
		r->err = r->err ? r->err : ERR_MALFORMED;
		count = 0;
	}
	memset(out, 0, cap);
	read_copy(r, out, (size_t)count);
}

/* The first byte of every value.  None at all is damage, not another version. */
static int read_version(struct reader *r, uint8_t known)
{
	uint8_t version = read_u8(r);

	if (r->err)
		return ERR_MALFORMED;
	return version == known ? 0 : ERR_VERSION;
}

static uint64_t read_count(struct reader *r, uint64_t max)
{
	uint64_t count = read_varint(r);

	if (count <= max)
		return count;
	r->err = r->err ? r->err : ERR_MALFORMED;
	return 0;
}

static void read_settings(struct reader *r, struct settings *s)
{
	s->has_alias = s->has_description = s->has_places = true;
	read_text(r, s->alias, sizeof(s->alias));
	read_text(r, s->description, sizeof(s->description));
	s->places_count = (size_t)read_count(r, LIMIT_ENDPOINTS);
	for (size_t i = 0; i < s->places_count; i++) {
		read_text(r, s->places[i].host, sizeof(s->places[i].host));
		s->places[i].port = read_u16(r);
	}
}

static void read_bootstraps(struct step *st, struct mesh *m, struct reader *r)
{
	uint64_t count = read_count(r, LIMIT_TOKEN_BOOTSTRAPS);

	while (count-- && !r->err) {
		struct hostport at = { .port = 0 };
		struct peer *p;
		struct key key;

		read_copy(r, key.b, sizeof(key.b));
		read_text(r, at.host, sizeof(at.host));
		at.port = read_u16(r);
		if (r->err)
			return;
		p = mesh_peer_make(st, m, &key);
		if (p && at.port)
			mesh_peer_is_at(st, p, &at);
	}
}

static void read_keys(struct mesh *m, struct reader *r)
{
	uint8_t seed[KEY_BYTES];

	read_copy(r, seed, sizeof(seed));
	if (!r->err)
		r->err = keypair_from_seed(&m->self, seed);
	m->has_mesh_pair = read_u8(r) != 0;
	read_copy(r, seed, sizeof(seed));
	if (!r->err && m->has_mesh_pair)
		r->err = keypair_from_seed(&m->mesh_pair, seed);
	sodium_memzero(seed, sizeof(seed));
}

/* As strict as the commands by which such a mesh comes about; what is signed later must not fail.
 */
static bool is_sane(const struct mesh *m, const struct row *row)
{
	return strcmp(m->id, row->mesh) == 0 && name_is_label(m->name) &&
	       (m->role == ROLE_PEER || m->role == ROLE_CLIENT) &&
	       m->life_ms == m->owner->options.life_ms &&
	       (!m->has_mesh_pair || key_equal(&m->mesh_pair.sign_public, &m->mesh_public)) &&
	       command_settings(&m->settings, NULL) == 0;
}

static int restore_mesh(struct step *st, const struct row *row)
{
	struct reader r;
	struct mesh *m;
	struct key mesh_public;
	char name[LIMIT_NAME_BYTES + 1];
	uint8_t state;
	int err;

	reader_init(&r, row->value);
	err = read_version(&r, MESH_ROW_VERSION);
	if (err)
		return err;
	state = read_u8(&r);
	read_copy(&r, mesh_public.b, sizeof(mesh_public.b));
	read_text(&r, name, sizeof(name));
	if (r.err || (state != MESH_ACTIVE && state != MESH_LEFT && state != MESH_LEAVING))
		return ERR_MALFORMED;
	m = mesh_new(st, &mesh_public, name);
	if (!m)
		return st->err;
	m->state = (enum mesh_state)state;
	read_keys(m, &r);
	m->role = (enum role)read_u8(&r);
	m->wg_port = read_u16(&r);
	m->life_ms = (int64_t)read_u64(&r);
	read_settings(&r, &m->settings);
	read_bootstraps(st, m, &r);
	if (reader_finish(&r) || !is_sane(m, row))
		return ERR_MALFORMED;
	return st->err;
}

/* --- statements --------------------------------------------------------------------------- */

#define STMT_KEY_BYTES (1 + 2 * KEY_BYTES)

static size_t stmt_key(const struct stmt *s, uint8_t out[STMT_KEY_BYTES])
{
	bool per_signer = s->kind == STMT_ADMISSION || s->kind == STMT_EXPEL;

	/* Appoint and revoke share one register, hence one row. */
	out[0] = s->kind == STMT_REVOKE ? STMT_APPOINT : (uint8_t)s->kind;
	memcpy(out + 1, s->member.b, KEY_BYTES);
	if (!per_signer)
		return 1 + KEY_BYTES;
	memcpy(out + 1 + KEY_BYTES, s->signer.b, KEY_BYTES);
	return STMT_KEY_BYTES;
}

static void put_stmt(struct step *st,
                     const struct mesh *m,
                     const struct stmt *s,
                     struct bytes value,
                     bool durable)
{
	uint8_t key[STMT_KEY_BYTES];
	struct row row = { .table = ROW_STATE, .value = value };

	memcpy(row.mesh, m->id, sizeof(row.mesh));
	row.key = (struct bytes){ key, stmt_key(s, key) };
	step_put(st, &row, durable);
}

void rows_put_stmt(struct step *st, const struct mesh *m, const struct stmt *s, bool durable)
{
	put_stmt(st, m, s, s->raw, durable);
}

void rows_delete_stmt(struct step *st, const struct mesh *m, const struct stmt *s)
{
	put_stmt(st, m, s, (struct bytes){ NULL, 0 }, false);
}

static int restore_stmt(struct step *st, struct mesh *m, const struct row *row)
{
	struct offered offered;
	int err = set_offer(m->set, row->value, st->now, true, &offered);

	if (err)
		return err;
	/* Older than life by now, or dated ahead of a clock that went back: not damage. */
	if (offered.offer != OFFER_REFUSED)
		return 0;
	switch (offered.err) {
	case ERR_VERSION:
		return ERR_VERSION;
	case ERR_MALFORMED:
	case ERR_TRUNCATED:
	case ERR_TOO_BIG:
	case ERR_BAD_KEY:
		return ERR_MALFORMED;
	default:
		return 0;
	}
}

/* --- small rows ---------------------------------------------------------------------------- */

void rows_put_prepared(struct step *st)
{
	uint8_t buffer[1 + KEY_BYTES];
	struct writer w;

	writer_init(&w, buffer, sizeof(buffer));
	write_u8(&w, SMALL_ROW_VERSION);
	write_copy(&w, st->n->prepared.seed, KEY_BYTES);
	put(st, NULL, ROW_COUNTER, name_bytes(key_prepared), &w);
	sodium_memzero(buffer, sizeof(buffer));
}

void rows_delete_prepared(struct step *st)
{
	struct row row = { .table = ROW_COUNTER, .key = name_bytes(key_prepared) };

	step_put(st, &row, true);
}

static void put_number(struct step *st, const struct mesh *m, const uint8_t *name, uint64_t value)
{
	uint8_t buffer[9];
	struct writer w;

	writer_init(&w, buffer, sizeof(buffer));
	write_u8(&w, SMALL_ROW_VERSION);
	write_u64(&w, value);
	put(st, m->id, ROW_COUNTER, name_bytes(name), &w);
}

void rows_put_counter(struct step *st, const struct mesh *m)
{
	put_number(st, m, key_counter, m->reserved_counter);
}

void rows_put_floor(struct step *st, const struct mesh *m)
{
	put_number(st, m, key_floor, set_floor(m->set));
}

void rows_put_expelled(struct step *st, const struct mesh *m)
{
	put_number(st, m, key_expelled, m->expelled_ms);
}

static int restore_prepared(struct step *st, struct reader *r)
{
	uint8_t seed[KEY_BYTES];
	int err;

	read_copy(r, seed, sizeof(seed));
	err = reader_finish(r);
	if (!err)
		err = keypair_from_seed(&st->n->prepared, seed);
	st->n->has_prepared = st->n->prepared_stored = !err;
	sodium_memzero(seed, sizeof(seed));
	return err ? ERR_MALFORMED : 0;
}

static int restore_counter(struct step *st, struct mesh *m, const struct row *row)
{
	struct reader r;
	int err;
	uint64_t value;

	reader_init(&r, row->value);
	err = read_version(&r, SMALL_ROW_VERSION);
	if (err)
		return err;
	if (!row->mesh[0] && bytes_equal(row->key, name_bytes(key_prepared)))
		return restore_prepared(st, &r);
	if (!m)
		return 0; /* of a mesh whose row is gone */
	value = read_u64(&r);
	if (reader_finish(&r))
		return ERR_MALFORMED;
	if (bytes_equal(row->key, name_bytes(key_counter)))
		m->last_counter = m->reserved_counter = value;
	else if (bytes_equal(row->key, name_bytes(key_floor)))
		return set_raise_floor(m->set, value);
	else if (bytes_equal(row->key, name_bytes(key_expelled)))
		m->expelled_ms = value;
	return 0;
}

void rows_put_issued(struct step *st, const struct mesh *m, const struct issued *i)
{
	uint8_t buffer[13];
	struct writer w;

	writer_init(&w, buffer, sizeof(buffer));
	write_u8(&w, SMALL_ROW_VERSION);
	write_u32(&w, i->uses_left);
	write_u64(&w, i->expires_ms);
	put(st, m->id, ROW_INVITE, (struct bytes){ i->id, sizeof(i->id) }, &w);
}

void rows_delete_issued(struct step *st, const struct mesh *m, const struct issued *i)
{
	struct row row = { .table = ROW_INVITE, .key = { i->id, sizeof(i->id) } };

	memcpy(row.mesh, m->id, sizeof(row.mesh));
	step_put(st, &row, false);
}

static int restore_issued(struct step *st, struct mesh *m, const struct row *row)
{
	struct issued *i;
	struct reader r;
	int err;

	reader_init(&r, row->value);
	err = read_version(&r, SMALL_ROW_VERSION);
	if (err)
		return err;
	if (row->key.count != INVITE_ID_BYTES)
		return ERR_MALFORMED;
	i = mem_zalloc(st->n->mem, sizeof(*i));
	if (!i)
		return -ENOMEM;
	memcpy(i->id, row->key.at, sizeof(i->id));
	i->uses_left = read_u32(&r);
	i->expires_ms = read_u64(&r);
	if (reader_finish(&r) || map_find(&m->issued, i->id)) {
		mem_free(st->n->mem, i);
		return ERR_MALFORMED;
	}
	map_insert(&m->issued, &i->node, i->id);
	return 0;
}

void rows_put_seen(struct step *st, struct seen *seen)
{
	uint8_t buffer[9];
	struct writer w;
	struct row row = { .table = ROW_SEEN, .key = { seen->key.b, sizeof(seen->key.b) } };

	writer_init(&w, buffer, sizeof(buffer));
	write_u8(&w, SMALL_ROW_VERSION);
	write_u64(&w, seen->timestamp_ms);
	row.value = writer_bytes(&w);
	step_put(st, &row, true);
	seen->is_unsaved = false;
}

void rows_delete_seen(struct step *st, const struct seen *seen)
{
	struct row row = { .table = ROW_SEEN, .key = { seen->key.b, sizeof(seen->key.b) } };

	step_put(st, &row, false);
}

static int restore_seen(struct step *st, const struct row *row)
{
	struct seen *seen;
	struct reader r;
	int err;

	reader_init(&r, row->value);
	err = read_version(&r, SMALL_ROW_VERSION);
	if (err)
		return err;
	if (row->key.count != KEY_BYTES || map_find(&st->n->seen, row->key.at))
		return ERR_MALFORMED;
	seen = mem_zalloc(st->n->mem, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	memcpy(seen->key.b, row->key.at, KEY_BYTES);
	seen->timestamp_ms = read_u64(&r);
	map_insert(&st->n->seen, &seen->node, seen->key.b);
	return reader_finish(&r) ? ERR_MALFORMED : 0;
}

int rows_restore(struct step *st, const struct row *row)
{
	struct mesh *m = row->mesh[0] ? mesh_by_id(st->n, row->mesh) : NULL;

	if (row->table == ROW_MESH)
		return m ? ERR_MALFORMED : restore_mesh(st, row);
	if (row->table == ROW_COUNTER)
		return restore_counter(st, m, row);
	if (row->table == ROW_SEEN)
		return restore_seen(st, row);
	if (!m)
		return 0; /* left over from a mesh that is gone */
	if (row->table == ROW_STATE)
		return restore_stmt(st, m, row);
	if (row->table == ROW_INVITE)
		return restore_issued(st, m, row);
	return ERR_VERSION;
}
