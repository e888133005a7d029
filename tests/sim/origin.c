/*
 * A table of signatures with what they were put under, and the few keys that made them.
 *
 * A signature is found by its first bytes, and what it covers is kept as a sum: the question is
 * whether a replica holds something that was never signed, by mistake of the code, not whether
 * somebody can find collisions.  The mesh key is left out of the sum, for no world has two meshes
 * that share members.
 */
#include "tests/sim/origin.h"

#include "base/map.h"
#include "tests/sim/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 32
#define SUBJECT_HEAD 2 /* bytes of a first field before its value, a key */
#define COUNTER_AT (SUBJECT_HEAD + KEY_BYTES + 2)

struct signer {
	struct map_node node;
	struct key sign;
	struct key box;
	bool is_mesh;
	bool is_administrator;
	uint64_t counter; /* of its last record that a step signed */
};

struct origin {
	uint8_t sig[16];
	uint64_t sum;
	struct signer *by; /* NULL: a free place */
};

static struct {
	struct map signers;
	struct origin *slots;
	size_t count;
	size_t cap; /* a power of 2 */
	bool is_watching;
	unsigned setbacks;
	uint64_t records;
} the;

static uint64_t sum_on(uint64_t sum, struct bytes b)
{
	for (size_t i = 0; i < b.count; i += sizeof(uint64_t)) {
		uint64_t v = 0;

		memcpy(&v, b.at + i, MIN_OF(sizeof(v), b.count - i));
		sum = (sum ^ v) * 0xff51afd7ed558ccdULL;
		sum ^= sum >> 32;
	}
	return sum + b.count;
}

static uint64_t sum_of(const char *label, struct bytes fields)
{
	return sum_on(sum_on(1, (struct bytes){ (const uint8_t *)label, strlen(label) }), fields);
}

static size_t place_of(const struct origin *slots, size_t cap, const uint8_t *sig)
{
	uint64_t hash;
	size_t i;

	memcpy(&hash, sig, sizeof(hash));
	i = (size_t)(hash * 0x9e3779b97f4a7c15ULL >> 20) & (cap - 1);
	while (slots[i].by && memcmp(slots[i].sig, sig, sizeof(slots[i].sig)) != 0)
		i = (i + 1) & (cap - 1);
	return i;
}

static void grow(void)
{
	size_t cap = the.cap ? 2 * the.cap : 1024;
	struct origin *slots = calloc(cap, sizeof(*slots));

	assert(slots);
	for (size_t i = 0; i < the.cap; i++)
		if (the.slots[i].by)
			slots[place_of(slots, cap, the.slots[i].sig)] = the.slots[i];
	free(the.slots);
	the.slots = slots;
	the.cap = cap;
}

static struct signer *signer_of(const struct key *sign)
{
	struct map_node *node;
	struct signer *s;

	if (!the.signers.key_bytes)
		map_init(&the.signers, KEY_BYTES);
	node = map_find(&the.signers, sign->b);
	if (node)
		return container_of(node, struct signer, node);
	s = calloc(1, sizeof(*s));
	assert(s);
	s->sign = *sign;
	/* A mesh's key need not have a form for exchanges: it stays zero, and is no member's. */
	if (key_to_box(sign, &s->box) != 0)
		memset(&s->box, 0, sizeof(s->box));
	map_insert(&the.signers, &s->node, s->sign.b);
	return s;
}

/* Records and appointments begin with the key that they are about. */
static void note_meaning(struct signer *s,
                         const char *label,
                         const struct key *mesh,
                         struct bytes fields)
{
	struct key subject;
	struct reader r;
	uint64_t counter;

	if (fields.count < COUNTER_AT + sizeof(counter))
		return;
	memcpy(subject.b, fields.at + SUBJECT_HEAD, KEY_BYTES);
	if (strcmp(label, ORIGIN_APPOINT) == 0 && key_equal(&s->sign, mesh)) {
		s->is_mesh = true;
		signer_of(&subject)->is_administrator = true;
	}
	if (strcmp(label, ORIGIN_RECORD) != 0 || !the.is_watching)
		return;
	reader_init(&r, (struct bytes){ fields.at + COUNTER_AT, sizeof(counter) });
	counter = read_u64(&r);
	the.setbacks += counter <= s->counter;
	s->counter = counter;
	the.records++;
}

static bool is_noted(const char *label)
{
	static const char *const labels[] = { ORIGIN_RECORD,    ORIGIN_LEAVE, ORIGIN_PRUNE,
		                              ORIGIN_ADMISSION, ORIGIN_EXPEL, ORIGIN_APPOINT,
		                              ORIGIN_REVOKE };

	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		if (strcmp(label, labels[i]) == 0)
			return true;
	return false;
}

void origin_note(const uint8_t sig[SIGNATURE_BYTES], struct bytes message, const uint8_t secret[64])
{
	const char *label = (const char *)message.at;
	size_t head = strnlen(label, MIN_OF(message.count, (size_t)LABEL_MAX)) + 1 + KEY_BYTES;
	struct origin *o;
	struct bytes fields;
	struct key key;

	if (head > message.count || head > LABEL_MAX + KEY_BYTES || !is_noted(label))
		return;
	fields = (struct bytes){ message.at + head, message.count - head };
	if (2 * (the.count + 1) > the.cap)
		grow();
	o = &the.slots[place_of(the.slots, the.cap, sig)];
	the.count += !o->by;
	memcpy(o->sig, sig, sizeof(o->sig));
	memcpy(key.b, secret + 32, KEY_BYTES); /* it ends with its public half */
	o->by = signer_of(&key);
	o->sum = sum_of(label, fields);
	memcpy(key.b, message.at + head - KEY_BYTES, KEY_BYTES);
	note_meaning(o->by, label, &key, fields);
}

const struct signer *origin_of(const uint8_t sig[SIGNATURE_BYTES],
                               const char *label,
                               struct bytes fields)
{
	const struct origin *o = the.cap ? &the.slots[place_of(the.slots, the.cap, sig)] : NULL;

	return o && o->by && o->sum == sum_of(label, fields) ? o->by : NULL;
}

const struct key *signer_key(const struct signer *s)
{
	return &s->sign;
}

const struct key *signer_box(const struct signer *s)
{
	return &s->box;
}

bool signer_is_mesh(const struct signer *s)
{
	return s->is_mesh;
}

bool origin_is_administrator(const struct key *signer)
{
	return signer_of(signer)->is_administrator;
}

void origin_watch_counters(bool watch)
{
	the.is_watching = watch;
}

uint64_t origin_records(void)
{
	return the.records;
}

unsigned origin_take_setbacks(void)
{
	unsigned was = the.setbacks;

	the.setbacks = 0;
	return was;
}

void origin_begin(void)
{
	struct map_node *pos;

	map_for_each(pos, &the.signers)
		container_of(pos, struct signer, node)->counter = 0;
}
