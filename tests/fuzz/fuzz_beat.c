/*
 * Heartbeats as bytes.  What parses has one form, reads the same twice, and verifies only if it is
 * from the corpus: the fuzzer can't sign.
 */
#include "crdt/beat.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the fields say, in the bytes of the form. */
static void check_fields(const struct beat *beat, const uint8_t *raw)
{
	uint8_t number[8];

	for (size_t i = 0; i < sizeof(number); i++)
		number[i] = (uint8_t)(beat->number >> (56 - 8 * i));
	assert(beat->number != 0);
	assert(memcmp(beat->leader.b, raw + 4, KEY_BYTES) == 0);
	assert(memcmp(number, raw + 4 + KEY_BYTES, sizeof(number)) == 0);
	assert(memcmp(beat->digest, raw + 12 + KEY_BYTES, DIGEST_BYTES) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct key mesh_public = { { 1, 2, 3 } };
	/* Exact, so that the sanitizer sees a byte too many. */
	uint8_t *copy = malloc(size + 1);
	struct bytes raw;
	struct beat beat;
	int err;

	if (!copy)
		return 0;
	if (size > 0)
		memcpy(copy + 1, data, size);
	raw = (struct bytes){ copy + 1, size };
	err = beat_parse(raw, &beat);
	if (err == 0) {
		assert(size == BEAT_BYTES);
		check_fields(&beat, raw.at);
		assert(!beat_contradicts(&beat, &beat));
		err = beat_verify(raw, &beat.leader, &mesh_public);
		assert(err == 0 || err == ERR_BAD_SIGNATURE);
	} else {
		assert(err == ERR_MALFORMED || err == ERR_TRUNCATED || err == ERR_VERSION);
	}
	free(copy);
	return 0;
}
