/*
 * Heartbeats as bytes.
 *
 * The envelope is that of statements; the fields have no tags, as all of them are always there and
 * a beat is relayed some thousand times.  What a later version has to add takes another version
 * byte and label.
 *
 * The leader stands in it by its X25519 key, by which members are found: whoever relays looks up
 * the entry before anything that costs, and takes the Ed25519 key to verify with from there.  With
 * the Ed25519 key in the beat every forged one would cost a conversion, half as much as a
 * verification.
 */
#include "crdt/beat.h"

#include "base/err.h"
#include "crdt/codec_priv.h"

#include <assert.h>
#include <string.h>

#define LABEL_BEAT "smegmesh beat 1"

/* Apart from the kinds of statement, as the invite's. */
#define BEAT_KIND 0x62
#define BEAT_FIELDS_BYTES (BEAT_BYTES - ENVELOPE_HEAD_BYTES - SIGNATURE_BYTES)

_Static_assert(BEAT_FIELDS_BYTES == KEY_BYTES + 8 + DIGEST_BYTES + 4, "the form in beat.h");

void beat_sign(const struct beat *beat,
               const struct keypair *leader,
               const struct key *mesh_public,
               uint8_t out[BEAT_BYTES])
{
	uint8_t buffer[BEAT_FIELDS_BYTES];
	struct signature signature;
	struct writer fields;
	struct writer w;

	assert(beat->number != 0);
	writer_init(&fields, buffer, sizeof(buffer));
	write_copy(&fields, leader->box_public.b, KEY_BYTES);
	write_u64(&fields, beat->number);
	write_copy(&fields, beat->digest, DIGEST_BYTES);
	write_u32(&fields, beat->members);
	mesh_sign(leader, LABEL_BEAT, mesh_public, writer_bytes(&fields), &signature);
	writer_init(&w, out, BEAT_BYTES);
	envelope_write(&w, BEAT_KIND, writer_bytes(&fields), &signature);
	assert(w.err == 0 && w.count == BEAT_BYTES);
}

int beat_parse(struct bytes raw, struct beat *ret_beat)
{
	struct beat beat;
	struct envelope e;
	struct reader r;
	int err = envelope_read(raw, &e);

	if (err != 0)
		return err;
	if (e.kind != BEAT_KIND || e.rest.count > 0)
		return ERR_MALFORMED;
	reader_init(&r, e.fields);
	read_copy(&r, beat.leader.b, KEY_BYTES);
	beat.number = read_u64(&r);
	read_copy(&r, beat.digest, DIGEST_BYTES);
	beat.members = read_u32(&r);
	err = reader_finish(&r);
	if (err != 0)
		return err;
	if (beat.number == 0)
		return ERR_MALFORMED;
	*ret_beat = beat;
	return 0;
}

int beat_verify(struct bytes raw, const struct key *signer, const struct key *mesh_public)
{
	struct envelope e;
	int err = envelope_read(raw, &e);

	assert(err == 0);
	return mesh_verify(signer, LABEL_BEAT, mesh_public, e.fields, &e.signature);
}

bool beat_contradicts(const struct beat *a, const struct beat *b)
{
	return key_equal(&a->leader, &b->leader) && a->number == b->number &&
	       (a->members != b->members || memcmp(a->digest, b->digest, DIGEST_BYTES) != 0);
}
