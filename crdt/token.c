/*
 * Tokens: all that a joiner needs, as one line of text that a person copies.
 *
 *   text   := "smeg1_" base64url(binary)
 *   binary := version u8 | fields | check 4
 *
 * What a person gets wrong is told apart before any cryptography, because the remedies differ: not
 * a token at all (the wrong line was copied), a token of a later version (update), a token cut or
 * mistyped (copy again: the check bytes).  Only then come the form, the issuer's signature, and
 * whether the secret belongs to the invite.
 *
 * The binary form has a version of its own besides the text's, so that one can change without the
 * other.  Field by field it follows the codec of all signed things; unknown fields are let through.
 *
 * Everything that held the secret is wiped, on all ways out.
 */
#include "crdt/invite.h"

#include "base/err.h"
#include "base/text.h"
#include "crdt/codec_priv.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define CHECK_LABEL "smeg token"
#define CHECK_BYTES 4
#define TOKEN_VERSION 1

#define PREFIX "smeg"
#define PREFIX_CHARS 4
#define TEXT_VERSION_DIGITS_MAX 4

enum {
	TOKEN_MESH_PUBLIC = 1,
	TOKEN_MESH_NAME = 2,
	TOKEN_INVITE_SEED = 3,
	TOKEN_INVITE = 4,
	TOKEN_BOOTSTRAP = 5,
};

#define BOOTSTRAP_HEAD_BYTES (KEY_BYTES + 2u)

static bool bootstrap_read(struct bytes value, struct bootstrap *ret_bootstrap)
{
	struct bootstrap b = { .at = { .port = 0 } };
	struct reader r;
	struct bytes host;

	reader_init(&r, value);
	read_copy(&r, b.member.b, KEY_BYTES);
	b.at.port = read_u16(&r);
	host = read_bytes(&r, reader_left(&r));
	if (r.err != 0 || !host_is_valid(host))
		return false;
	memcpy(b.at.host, host.at, host.count);
	*ret_bootstrap = b;
	return true;
}

static bool bootstrap_is_valid(struct bytes before, struct bytes value)
{
	struct bootstrap b;

	(void)before;
	return bootstrap_read(value, &b);
}

static const struct field_rule rules[] = {
	{ TOKEN_MESH_PUBLIC, KEY_BYTES, KEY_BYTES, 1, 1, NULL },
	{ TOKEN_MESH_NAME, 1, LIMIT_NAME_BYTES, 1, 1, field_is_label },
	{ TOKEN_INVITE_SEED, KEY_BYTES, KEY_BYTES, 1, 1, NULL },
	{ TOKEN_INVITE, 1, INVITE_LIMITS_BYTES_MAX, 1, 1, NULL },
	{ TOKEN_BOOTSTRAP, BOOTSTRAP_HEAD_BYTES + 1, BOOTSTRAP_HEAD_BYTES + HOST_NAME_MAX_BYTES, 1,
	  LIMIT_TOKEN_BOOTSTRAPS, bootstrap_is_valid },
};

static void check_bytes(struct bytes binary, uint8_t out[CHECK_BYTES])
{
	uint8_t hash[HASH_BYTES];

	hash_labelled(CHECK_LABEL, binary.at, binary.count, hash, sizeof(hash));
	memcpy(out, hash, CHECK_BYTES);
}

static void bootstrap_put(struct writer *w, const struct bootstrap *b)
{
	size_t host_bytes = strlen(b->at.host);

	write_varint(w, TOKEN_BOOTSTRAP);
	write_varint(w, BOOTSTRAP_HEAD_BYTES + host_bytes);
	write_copy(w, b->member.b, KEY_BYTES);
	write_u16(w, b->at.port);
	write_copy(w, b->at.host, host_bytes);
}

static void token_put(struct writer *w, const struct token *t)
{
	uint8_t check[CHECK_BYTES];

	write_u8(w, TOKEN_VERSION);
	field_put(w, TOKEN_MESH_PUBLIC, t->mesh_public.b, KEY_BYTES);
	field_put(w, TOKEN_MESH_NAME, t->mesh_name, strlen(t->mesh_name));
	field_put(w, TOKEN_INVITE_SEED, t->invite_seed, KEY_BYTES);
	field_put(w, TOKEN_INVITE, t->invite.raw, t->invite.raw_bytes);
	for (size_t i = 0; i < t->bootstraps_count; i++)
		bootstrap_put(w, &t->bootstraps[i]);
	check_bytes(writer_bytes(w), check);
	write_copy(w, check, CHECK_BYTES);
}

int token_text(const struct token *t, char out[TOKEN_TEXT_BYTES])
{
	uint8_t binary[LIMIT_TOKEN_BYTES];
	struct writer w;

	assert(t->bootstraps_count <= LIMIT_TOKEN_BOOTSTRAPS);
	writer_init(&w, binary, sizeof(binary));
	token_put(&w, t);
	if (w.err == 0) {
		memcpy(out, PREFIX "1_", PREFIX_CHARS + 2);
		base64url_text(writer_bytes(&w), out + PREFIX_CHARS + 2,
		               TOKEN_TEXT_BYTES - PREFIX_CHARS - 2);
	}
	sodium_memzero(binary, sizeof(binary));
	return w.err;
}

/* The secret must be that of the key whose limits the issuer signed. */
static int seed_check(const struct token *t)
{
	struct keypair pair;
	int err = ERR_MALFORMED;

	if (keypair_from_seed(&pair, t->invite_seed) != 0)
		return ERR_MALFORMED;
	if (key_equal(&pair.sign_public, &t->invite.limits.invite_key))
		err = 0;
	keypair_fini(&pair);
	return err;
}

static int token_read(struct bytes fields, struct token *t)
{
	struct bytes name = field_find(fields, TOKEN_MESH_NAME);
	struct fields f;
	struct field field;
	int err;

	field_find_copy(fields, TOKEN_MESH_PUBLIC, t->mesh_public.b, KEY_BYTES);
	memcpy(t->mesh_name, name.at, name.count);
	field_find_copy(fields, TOKEN_INVITE_SEED, t->invite_seed, KEY_BYTES);
	fields_init(&f, fields);
	while (fields_next(&f, &field)) {
		if (field.tag != TOKEN_BOOTSTRAP)
			continue;
		if (!bootstrap_read(field.value, &t->bootstraps[t->bootstraps_count++]))
			return ERR_MALFORMED;
	}
	err = invite_parse(field_find(fields, TOKEN_INVITE), &t->mesh_public, &t->invite);
	/* The check bytes held, so what ends too early was made so. */
	return err == ERR_TRUNCATED || err == ERR_TOO_BIG ? ERR_MALFORMED : err;
}

static int binary_parse(struct bytes binary, struct token *t)
{
	uint8_t check[CHECK_BYTES];
	struct bytes fields;
	int err;

	if (binary.count < 1 + CHECK_BYTES)
		return ERR_TRUNCATED;
	binary.count -= CHECK_BYTES;
	check_bytes(binary, check);
	if (memcmp(check, binary.at + binary.count, CHECK_BYTES) != 0)
		return ERR_TRUNCATED;
	if (binary.at[0] != TOKEN_VERSION)
		return ERR_VERSION;
	fields = (struct bytes){ binary.at + 1, binary.count - 1 };
	if (fields_check(fields, rules, ARRAY_LEN(rules)) != 0)
		return ERR_MALFORMED;
	err = token_read(fields, t);
	return err != 0 ? err : seed_check(t);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Take "smegN_" off the text: 0 for version 1. */
static int prefix_take(struct bytes *text)
{
	size_t at = PREFIX_CHARS;

	if (text->count <= at || memcmp(text->at, PREFIX, PREFIX_CHARS) != 0)
		return ERR_TOKEN;
	while (at < text->count && text->at[at] >= '0' && text->at[at] <= '9')
		at++;
	if (at == PREFIX_CHARS || at > PREFIX_CHARS + TEXT_VERSION_DIGITS_MAX)
		return ERR_TOKEN;
	if (at == text->count || text->at[at] != '_')
		return ERR_TOKEN;
	if (at != PREFIX_CHARS + 1 || text->at[PREFIX_CHARS] != '1')
		return ERR_VERSION;
	text->at += at + 1;
	text->count -= at + 1;
	return 0;
}

int token_parse(const char *text, size_t chars, struct token *ret_t)
{
	struct bytes rest = { (const uint8_t *)text, chars };
	uint8_t binary[LIMIT_TOKEN_BYTES];
	struct token t = { .bootstraps_count = 0 };
	size_t count;
	int err;

	while (rest.count > 0 && is_blank((char)rest.at[0])) {
		rest.at++;
		rest.count--;
	}
	while (rest.count > 0 && is_blank((char)rest.at[rest.count - 1]))
		rest.count--;
	err = prefix_take(&rest);
	if (err != 0)
		return err;
	if (base64url_parse((const char *)rest.at, rest.count, binary, sizeof(binary), &count) != 0)
		err = ERR_TRUNCATED;
	else
		err = binary_parse((struct bytes){ binary, count }, &t);
	if (err == 0)
		*ret_t = t;
	token_fini(&t);
	sodium_memzero(binary, sizeof(binary));
	return err;
}

void token_fini(struct token *t)
{
	if (t)
		sodium_memzero(t, sizeof(*t));
}
