/*
 * Bytes that all signed things share: fields, the envelope around them, and signatures bound to a
 * mesh.  docs/protocol/statements.md has the same in words.
 *
 *   envelope := kind u8 | version u8 | u16 bytes of the fields | fields | signature 64 | rest
 *   field    := tag varint | length varint | value
 */
#ifndef SMEG_CRDT_CODEC_PRIV_H
#define SMEG_CRDT_CODEC_PRIV_H

#include "base/bytes.h"
#include "base/key.h"
#include "base/limits.h"

#define CODEC_VERSION 1
#define ENVELOPE_HEAD_BYTES 4
#define HASH_BYTES 16

struct field {
	uint64_t tag;
	struct bytes value; /* borrowed */
};

/* Walks fields in their order; stops at the first error and keeps it. */
struct fields {
	struct reader reader;
	uint64_t last; /* tag of the field before; 0: none yet */
};

void fields_init(struct fields *f, struct bytes src);

/* False at the end and after an error: look at f->reader.err then. */
bool fields_next(struct fields *f, struct field *ret_field);

/* What a known tag may hold.  Tags without a rule are let through. */
struct field_rule {
	uint64_t tag;
	size_t bytes_min;
	size_t bytes_max;
	size_t times_min;
	size_t times_max;
	/* Beyond length; NULL: nothing.  `before` is the value before of the same tag, or empty. */
	bool (*is_valid)(struct bytes before, struct bytes value);
};

#define FIELD_RULES_MAX 8

/* Check form, order and rules (in ascending order of tag).  ERR_MALFORMED, ERR_TRUNCATED. */
int fields_check(struct bytes src, const struct field_rule *rules, size_t count) MUST_CHECK;

/* Rules for values. */
bool field_is_role(struct bytes before, struct bytes value);
bool field_is_true(struct bytes before, struct bytes value);
bool field_is_nonzero(struct bytes before, struct bytes value);
bool field_is_ascending(struct bytes before, struct bytes value);
bool field_is_label(struct bytes before, struct bytes value);

/* A host name, or a numeric address in its one printed form. */
bool host_is_valid(struct bytes host);

/* The first value of a tag in fields that were checked; count 0: not there. */
struct bytes field_find(struct bytes src, uint64_t tag);

/* The same, for fields of fixed size; zero when not there. */
void field_find_copy(struct bytes src, uint64_t tag, void *out, size_t bytes);
uint8_t field_find_u8(struct bytes src, uint64_t tag);
uint32_t field_find_u32(struct bytes src, uint64_t tag);
uint64_t field_find_u64(struct bytes src, uint64_t tag);

void field_put(struct writer *w, uint64_t tag, const void *value, size_t bytes);
void field_put_u8(struct writer *w, uint64_t tag, uint8_t value);
void field_put_u32(struct writer *w, uint64_t tag, uint32_t value);
void field_put_u64(struct writer *w, uint64_t tag, uint64_t value);

struct envelope {
	uint8_t kind;
	struct bytes fields; /* borrowed, as all below; not checked */
	struct signature signature;
	struct bytes rest; /* what follows the signature */
};

/* ERR_TRUNCATED, ERR_VERSION. */
int envelope_read(struct bytes raw, struct envelope *ret_envelope) MUST_CHECK;
void envelope_write(struct writer *w,
                    uint8_t kind,
                    struct bytes fields,
                    const struct signature *signature);

/* Sign and verify label || 0 || mesh public key || fields. */
void mesh_sign(const struct keypair *pair,
               const char *label,
               const struct key *mesh_public,
               struct bytes fields,
               struct signature *ret_signature);
int mesh_verify(const struct key *signer,
                const char *label,
                const struct key *mesh_public,
                struct bytes fields,
                const struct signature *signature) MUST_CHECK;

#endif
