/*
 * Invites as bytes.  The fuzzer can't sign, so nearly all end as ERR_BAD_SIGNATURE at best; what
 * counts is that every bound holds on the way there.  A few that are good are in the corpus.
 */
#include "crdt/invite.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t seed[KEY_BYTES] = { 'M', 0 };
	struct keypair mesh;
	struct invite invite;
	uint8_t *copy = malloc(size + 1);
	int err;

	if (!copy)
		return 0;
	/* The mesh of the corpus. */
	while (keypair_from_seed(&mesh, seed) != 0)
		seed[2]++;
	if (size > 0)
		memcpy(copy, data, size);
	err = invite_parse((struct bytes){ copy, size }, &mesh.sign_public, &invite);
	free(copy);
	if (err != 0) {
		assert(err == ERR_MALFORMED || err == ERR_TRUNCATED || err == ERR_VERSION ||
		       err == ERR_TOO_BIG || err == ERR_BAD_SIGNATURE);
		return 0;
	}
	assert(invite.raw_bytes == size);
	assert(memcmp(invite.raw, data, size) == 0);
	assert(invite.limits.role == ROLE_PEER || invite.limits.role == ROLE_CLIENT);
	return 0;
}
