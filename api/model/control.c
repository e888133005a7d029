/*
 * Control messages to bytes and back.
 *
 * One table per message says which field of our struct is which field of the generated one, and
 * its bound; two loops carry everything over, so that encoder and decoder cannot drift apart and a
 * new field is one line.  protobuf-c does the bytes.  Generated types do not leave this file.
 *
 * Hostile bytes: a message of n bytes can ask protobuf-c for a hundred times n (an empty
 * sub-message takes two bytes and makes a struct), so the allocator that it gets has a budget, and
 * what it makes is thrown away once it has been copied into the caller's arena.  A message that
 * runs over is ERR_TOO_BIG, like one with a text or a list beyond its bound.
 *
 * Texts must not contain NUL (ERR_MALFORMED).  What is not UTF-8, or could drive a terminal, is
 * replaced by '?': it comes from other members by way of the daemon, and a list that cannot be
 * shown because of one odd description would be worse.
 *
 * Rejected: writing out every field twice, as most users of protobuf-c do; it is four times as
 * long, and the bounds are then in one direction only.
 */
#include "api/model/control.h"

#include "api/control.pb-c.h"
#include "api/model/utf8.h"
#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

/* What protobuf-c may use for one message; real ones take four to five times their bytes. */
#define REQUEST_MEMORY_BYTES (1u << 20)
#define REPLY_MEMORY_BYTES (128u << 20)

/* Bounds of texts that have none in base/limits.h. */
#define WORD_BYTES 63    /* roles, standings, devices, codes */
#define KEY_BYTES_MAX 64 /* base64 of 32 bytes is 44 */
#define PLACE_BYTES 272  /* ENDPOINT_TEXT_BYTES */
#define TALK_BYTES 1023  /* errors, hints, progress */

enum field_kind {
	FIELD_TEXT,
	FIELD_FLAG,
	FIELD_32,
	FIELD_64,
	FIELD_TEXTS,
	FIELD_MESSAGES
};

struct shape;

struct field {
	enum field_kind kind;
	size_t ours; /* offsets */
	size_t theirs;
	size_t ours_count; /* of FIELD_TEXTS and FIELD_MESSAGES */
	size_t theirs_count;
	size_t max;       /* bytes of a text */
	size_t count_max; /* elements of a list */
	const struct shape *shape;
};

struct shape {
	const ProtobufCMessageDescriptor *theirs;
	size_t ours_bytes;
	const struct field *fields;
	size_t fields_count;
};

_Static_assert(sizeof(enum request_kind) == 4 && sizeof(enum reply_kind) == 4, "FIELD_32");

/* OURS and THEIRS are the two struct types of the table that follows. */
#define AT(name) .ours = offsetof(OURS, name), .theirs = offsetof(THEIRS, name)
#define TEXT(name, bytes)                                    \
	{                                                    \
		.kind = FIELD_TEXT, AT(name), .max = (bytes) \
	}
#define FLAG(name)                           \
	{                                    \
		.kind = FIELD_FLAG, AT(name) \
	}
#define NUMBER32(name)                     \
	{                                  \
		.kind = FIELD_32, AT(name) \
	}
#define NUMBER64(name)                     \
	{                                  \
		.kind = FIELD_64, AT(name) \
	}
#define LIST(name, ours_n, most)                        \
	AT(name), .ours_count = offsetof(OURS, ours_n), \
		  .theirs_count = offsetof(THEIRS, n_##name), .count_max = (most)
#define TEXTS(name, most, bytes)                                                    \
	{                                                                           \
		.kind = FIELD_TEXTS, LIST(name, name##_count, most), .max = (bytes) \
	}
#define MESSAGES(name, ours_n, most, of)                                        \
	{                                                                       \
		.kind = FIELD_MESSAGES, LIST(name, ours_n, most), .shape = (of) \
	}
#define SHAPE(what, table)                                                                  \
	{                                                                                   \
		&smeg__control__##what##__descriptor, sizeof(OURS), table, ARRAY_LEN(table) \
	}

#define OURS struct service_info
#define THEIRS Smeg__Control__Service
static const struct field service_fields[] = {
	TEXT(name, LIMIT_NAME_BYTES),
	TEXT(value, LIMIT_SERVICE_VALUE_BYTES),
};
static const struct shape service_shape = SHAPE(service, service_fields);
#undef OURS
#undef THEIRS

#define OURS struct member_info
#define THEIRS Smeg__Control__Member
static const struct field member_fields[] = {
	TEXT(key, KEY_BYTES_MAX),
	TEXT(alias, LIMIT_NAME_BYTES),
	TEXT(description, LIMIT_DESCRIPTION_BYTES),
	TEXT(address, PLACE_BYTES),
	TEXT(role, WORD_BYTES),
	TEXT(standing, WORD_BYTES),
	FLAG(is_self),
	FLAG(is_administrator),
	FLAG(is_reachable),
	FLAG(has_session),
	FLAG(has_tunnel),
	FLAG(address_clash),
	NUMBER64(since_ms),
	TEXT(endpoint, PLACE_BYTES),
	NUMBER64(handshake_ms),
	NUMBER64(rx_bytes),
	NUMBER64(tx_bytes),
	NUMBER64(counter),
	TEXTS(endpoints, LIMIT_ENDPOINTS, PLACE_BYTES),
	MESSAGES(services, services_count, LIMIT_SERVICES, &service_shape),
	TEXTS(prefixes, LIMIT_PREFIXES, PLACE_BYTES),
	TEXT(reachability, WORD_BYTES),
};
static const struct shape member_shape = SHAPE(member, member_fields);
#undef OURS
#undef THEIRS

#define OURS struct mesh_info
#define THEIRS Smeg__Control__Mesh
static const struct field mesh_fields[] = {
	TEXT(id, LIMIT_NAME_BYTES),
	TEXT(name, LIMIT_NAME_BYTES),
	TEXT(device, WORD_BYTES),
	TEXT(address, PLACE_BYTES),
	TEXT(prefix, PLACE_BYTES),
	TEXT(key, KEY_BYTES_MAX),
	TEXT(role, WORD_BYTES),
	FLAG(is_administrator),
	FLAG(is_joining),
	NUMBER32(wg_port),
	NUMBER32(members_count),
	NUMBER32(reachable_count),
	NUMBER32(sessions_count),
	TEXT(digest, WORD_BYTES),
	NUMBER64(clock_ahead_ms),
	TEXT(problem, TALK_BYTES),
	TEXT(hint, TALK_BYTES),
	MESSAGES(members, members_listed, LIMIT_MEMBERS, &member_shape),
	TEXT(leader, KEY_BYTES_MAX),
	NUMBER64(beat_age_ms),
	NUMBER32(beat_members),
	TEXT(carrier, KEY_BYTES_MAX),
};
static const struct shape mesh_shape = SHAPE(mesh, mesh_fields);
#undef OURS
#undef THEIRS

#define OURS struct request
#define THEIRS Smeg__Control__Request
static const struct field request_fields[] = {
	NUMBER32(kind),
	NUMBER32(version),
	TEXT(mesh, LIMIT_NAME_BYTES),
	FLAG(has_alias),
	TEXT(alias, LIMIT_NAME_BYTES),
	FLAG(has_description),
	TEXT(description, LIMIT_DESCRIPTION_BYTES),
	FLAG(has_endpoints),
	TEXTS(endpoints, LIMIT_ENDPOINTS, PLACE_BYTES),
	TEXT(token, LIMIT_TOKEN_TEXT),
	TEXT(role, WORD_BYTES),
	NUMBER32(uses),
	NUMBER64(expires_in_ms),
	FLAG(may_bridge),
	TEXT(for_key, KEY_BYTES_MAX),
	TEXT(member, KEY_BYTES_MAX),
	FLAG(keep_invites),
	FLAG(is_stolen),
};
static const struct shape request_shape = SHAPE(request, request_fields);
#undef OURS
#undef THEIRS

#define OURS struct reply
#define THEIRS Smeg__Control__Reply
static const struct field reply_fields[] = {
	NUMBER32(kind),
	NUMBER32(version),
	NUMBER32(step),
	NUMBER32(steps),
	TEXT(text, TALK_BYTES),
	TEXT(code, WORD_BYTES),
	TEXT(error, TALK_BYTES),
	TEXT(hint, TALK_BYTES),
	TEXT(daemon_version, WORD_BYTES),
	TEXT(backend, WORD_BYTES),
	NUMBER64(uptime_ms),
	NUMBER64(now_unix_ms),
	NUMBER64(frames_sent),
	NUMBER64(bytes_sent),
	NUMBER32(port),
	MESSAGES(meshes, meshes_count, LIMIT_MESHES, &mesh_shape),
	TEXT(token, LIMIT_TOKEN_TEXT),
	NUMBER64(token_expires_ms),
	NUMBER32(token_uses),
	TEXT(key, KEY_BYTES_MAX),
	TEXT(member_key, KEY_BYTES_MAX),
	TEXT(member_name, LIMIT_NAME_BYTES),
	FLAG(member_is_administrator),
	FLAG(is_unchanged),
	NUMBER32(stay_count),
	NUMBER32(readmitted_count),
	NUMBER32(returned_count),
	TEXTS(expelled_from, LIMIT_MESHES, LIMIT_NAME_BYTES),
};
static const struct shape reply_shape = SHAPE(reply, reply_fields);
#undef OURS
#undef THEIRS

/* A field of a struct, by offset.  Both sides only ever use the type that the table says. */
static void *field_at(void *base, size_t offset)
{
	return (uint8_t *)base + offset;
}

static const void *field_of(const void *base, size_t offset)
{
	return (const uint8_t *)base + offset;
}

/* --- encode --- */

static int fill(const struct shape *shape, const void *ours, void *theirs, struct arena *scratch)
	MUST_CHECK;

/* NULL counts as "". */
static int fill_text(const char *text, size_t max, ProtobufCBinaryData *ret)
{
	size_t bytes = text ? strnlen(text, max + 1) : 0;

	if (bytes > max)
		return ERR_TOO_BIG;
	/* protobuf-c only reads what it packs. */
	*ret = (ProtobufCBinaryData){ .len = bytes, .data = (uint8_t *)(uintptr_t)text };
	return 0;
}

static int fill_texts(const struct field *f, const void *ours, void *theirs, struct arena *scratch)
{
	const char *const *texts = *(const char *const *const *)field_of(ours, f->ours);
	size_t count = *(const size_t *)field_of(ours, f->ours_count);
	ProtobufCBinaryData *list;
	int err = 0;

	if (count > f->count_max)
		return ERR_TOO_BIG;
	list = arena_alloc(scratch, count * sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < count && !err; i++)
		err = fill_text(texts[i], f->max, &list[i]);
	*(ProtobufCBinaryData **)field_at(theirs, f->theirs) = list;
	*(size_t *)field_at(theirs, f->theirs_count) = count;
	return err;
}

static int fill_messages(const struct field *f,
                         const void *ours,
                         void *theirs,
                         struct arena *scratch)
{
	const uint8_t *items = *(const uint8_t *const *)field_of(ours, f->ours);
	size_t count = *(const size_t *)field_of(ours, f->ours_count);
	ProtobufCMessage **list;
	int err = 0;

	if (count > f->count_max)
		return ERR_TOO_BIG;
	list = arena_alloc(scratch, count * sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < count && !err; i++) {
		list[i] = arena_alloc(scratch, f->shape->theirs->sizeof_message);
		if (!list[i])
			return -ENOMEM;
		err = fill(f->shape, items + i * f->shape->ours_bytes, list[i], scratch);
	}
	*(ProtobufCMessage ***)field_at(theirs, f->theirs) = list;
	*(size_t *)field_at(theirs, f->theirs_count) = count;
	return err;
}

static int fill_field(const struct field *f, const void *ours, void *theirs, struct arena *scratch)
{
	switch (f->kind) {
	case FIELD_TEXT:
		return fill_text(*(const char *const *)field_of(ours, f->ours), f->max,
		                 field_at(theirs, f->theirs));
	case FIELD_FLAG:
		*(protobuf_c_boolean *)field_at(theirs, f->theirs) =
			*(const bool *)field_of(ours, f->ours);
		return 0;
	case FIELD_32:
		memcpy(field_at(theirs, f->theirs), field_of(ours, f->ours), 4);
		return 0;
	case FIELD_64:
		memcpy(field_at(theirs, f->theirs), field_of(ours, f->ours), 8);
		return 0;
	case FIELD_TEXTS:
		return fill_texts(f, ours, theirs, scratch);
	case FIELD_MESSAGES:
		return fill_messages(f, ours, theirs, scratch);
	}
	return ERR_INTERNAL;
}

static int fill(const struct shape *shape, const void *ours, void *theirs, struct arena *scratch)
{
	int err = 0;

	protobuf_c_message_init(shape->theirs, theirs);
	for (size_t i = 0; i < shape->fields_count && !err; i++)
		err = fill_field(&shape->fields[i], ours, theirs, scratch);
	return err;
}

static int encode(const struct shape *shape,
                  const void *ours,
                  size_t bytes_max,
                  struct arena *arena,
                  struct bytes *ret)
{
	struct arena scratch;
	ProtobufCMessage *theirs;
	uint8_t *out;
	size_t bytes;
	int err = -ENOMEM;

	arena_init(&scratch, arena->mem);
	theirs = arena_alloc(&scratch, shape->theirs->sizeof_message);
	if (!theirs)
		goto out;
	err = fill(shape, ours, theirs, &scratch);
	if (err)
		goto out;
	bytes = protobuf_c_message_get_packed_size(theirs);
	err = ERR_TOO_BIG;
	if (bytes > bytes_max)
		goto out;
	err = -ENOMEM;
	out = arena_alloc(arena, bytes);
	if (!out)
		goto out;
	protobuf_c_message_pack(theirs, out);
	*ret = (struct bytes){ .at = out, .count = bytes };
	err = 0;
out:
	arena_fini(&scratch);
	return err;
}

/* --- decode --- */

/* What protobuf-c allocates from: never frees, and stops at its budget. */
struct budget {
	struct arena *arena;
	size_t left;
	int err; /* 0, or why an allocation failed */
};

static void *budget_alloc(void *ctx, size_t bytes)
{
	struct budget *b = ctx;
	void *ptr;

	/* The arena rounds up; small pieces are what an attacker would send. */
	if (bytes > b->left || b->left - bytes < 16) {
		b->err = ERR_TOO_BIG;
		return NULL;
	}
	ptr = arena_alloc(b->arena, bytes);
	if (!ptr) {
		b->err = -ENOMEM;
		return NULL;
	}
	b->left -= bytes + 16;
	return ptr;
}

static void budget_free(void *ctx, void *ptr)
{
	(void)ctx;
	(void)ptr;
}

static int take(const struct shape *shape, const void *theirs, void *ours, struct arena *arena)
	MUST_CHECK;

/* Copies, terminates, and replaces what is not safe to print.  Never longer than the source. */
static int take_text(const ProtobufCBinaryData *data,
                     size_t max,
                     struct arena *arena,
                     const char **ret)
{
	const char *src = (const char *)data->data;
	char *out;
	size_t n = 0;
	size_t bytes;

	if (data->len > max)
		return ERR_TOO_BIG;
	if (data->len > 0 && memchr(src, 0, data->len))
		return ERR_MALFORMED;
	out = arena_alloc(arena, data->len + 1);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < data->len; i += bytes) {
		if (utf8_is_safe(utf8_next(src + i, data->len - i, &bytes))) {
			memcpy(out + n, src + i, bytes);
			n += bytes;
		} else {
			out[n++] = '?';
		}
	}
	out[n] = 0;
	*ret = out;
	return 0;
}

static int take_texts(const struct field *f, const void *theirs, void *ours, struct arena *arena)
{
	const ProtobufCBinaryData *list =
		*(const ProtobufCBinaryData *const *)field_of(theirs, f->theirs);
	size_t count = *(const size_t *)field_of(theirs, f->theirs_count);
	const char **texts;
	int err = 0;

	if (count > f->count_max)
		return ERR_TOO_BIG;
	texts = arena_alloc(arena, count * sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	for (size_t i = 0; i < count && !err; i++)
		err = take_text(&list[i], f->max, arena, &texts[i]);
	*(const char ***)field_at(ours, f->ours) = texts;
	*(size_t *)field_at(ours, f->ours_count) = count;
	return err;
}

static int take_messages(const struct field *f, const void *theirs, void *ours, struct arena *arena)
{
	const ProtobufCMessage *const *list =
		*(const ProtobufCMessage *const *const *)field_of(theirs, f->theirs);
	size_t count = *(const size_t *)field_of(theirs, f->theirs_count);
	uint8_t *items;
	int err = 0;

	if (count > f->count_max)
		return ERR_TOO_BIG;
	items = arena_alloc(arena, count * f->shape->ours_bytes);
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < count && !err; i++)
		err = take(f->shape, list[i], items + i * f->shape->ours_bytes, arena);
	*(uint8_t **)field_at(ours, f->ours) = items;
	*(size_t *)field_at(ours, f->ours_count) = count;
	return err;
}

static int take_field(const struct field *f, const void *theirs, void *ours, struct arena *arena)
{
	switch (f->kind) {
	case FIELD_TEXT:
		return take_text(field_of(theirs, f->theirs), f->max, arena,
		                 field_at(ours, f->ours));
	case FIELD_FLAG:
		*(bool *)field_at(ours, f->ours) =
			*(const protobuf_c_boolean *)field_of(theirs, f->theirs) != 0;
		return 0;
	case FIELD_32:
		memcpy(field_at(ours, f->ours), field_of(theirs, f->theirs), 4);
		return 0;
	case FIELD_64:
		memcpy(field_at(ours, f->ours), field_of(theirs, f->theirs), 8);
		return 0;
	case FIELD_TEXTS:
		return take_texts(f, theirs, ours, arena);
	case FIELD_MESSAGES:
		return take_messages(f, theirs, ours, arena);
	}
	return ERR_INTERNAL;
}

static int take(const struct shape *shape, const void *theirs, void *ours, struct arena *arena)
{
	int err = 0;

	for (size_t i = 0; i < shape->fields_count && !err; i++)
		err = take_field(&shape->fields[i], theirs, ours, arena);
	return err;
}

static int decode(const struct shape *shape,
                  struct bytes src,
                  size_t memory_max,
                  struct arena *arena,
                  void *ours)
{
	struct arena scratch;
	struct budget budget = { .arena = &scratch, .left = memory_max };
	ProtobufCAllocator allocator = { .alloc = budget_alloc,
		                         .free = budget_free,
		                         .allocator_data = &budget };
	ProtobufCMessage *theirs;
	int err;

	arena_init(&scratch, arena->mem);
	theirs = protobuf_c_message_unpack(shape->theirs, &allocator, src.count, src.at);
	if (theirs)
		err = take(shape, theirs, ours, arena);
	else
		err = budget.err ? budget.err : ERR_MALFORMED;
	arena_fini(&scratch);
	return err;
}

/* --- exported --- */

int request_encode(const struct request *r, struct arena *arena, struct bytes *ret)
{
	return encode(&request_shape, r, CONTROL_REQUEST_BYTES, arena, ret);
}

int reply_encode(const struct reply *r, struct arena *arena, struct bytes *ret)
{
	return encode(&reply_shape, r, LIMIT_CONTROL_BYTES, arena, ret);
}

/* The version first: what a later one means by a field is not ours to judge. */
static int check_version(uint32_t version, uint32_t kind, uint32_t kinds)
{
	if (version == 0 || kind == 0)
		return ERR_MALFORMED;
	return version == CONTROL_VERSION && kind < kinds ? 0 : ERR_VERSION;
}

int request_decode(struct bytes src, struct arena *arena, struct request *ret)
{
	struct request r = { 0 };
	int err;

	if (src.count > CONTROL_REQUEST_BYTES)
		return ERR_TOO_BIG;
	err = decode(&request_shape, src, REQUEST_MEMORY_BYTES, arena, &r);
	if (!err)
		err = check_version(r.version, r.kind, REQUEST__COUNT);
	if (!err)
		*ret = r;
	return err;
}

int reply_decode(struct bytes src, struct arena *arena, struct reply *ret)
{
	struct reply r = { 0 };
	int err;

	if (src.count > LIMIT_CONTROL_BYTES)
		return ERR_TOO_BIG;
	err = decode(&reply_shape, src, REPLY_MEMORY_BYTES, arena, &r);
	if (!err)
		err = check_version(r.version, r.kind, REPLY_DONE + 1);
	if (!err)
		*ret = r;
	return err;
}
