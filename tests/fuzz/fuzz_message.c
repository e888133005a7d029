/*
 * Messages from a peer.  What is taken keeps every bound, costs no more memory than was promised,
 * and is the same after packing and unpacking it again.
 */
#include "smegd/wire/message.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *resize(void *ctx, void *ptr, size_t bytes)
{
	size_t *sum = ctx;

	if (bytes == 0) {
		free(ptr);
		return NULL;
	}
	*sum += bytes;
	return realloc(ptr, bytes);
}

static struct bytes pack(const struct msg *m, struct arena *a)
{
	struct message_packed out;
	int err = message_pack(m, (struct message_room){ 0, 0 }, a, &out);

	assert(err == 0);
	return (struct bytes){ .at = out.block, .count = out.bytes };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t sum = 0;
	struct mem m = { .ctx = &sum, .resize = resize };
	struct msg first;
	struct msg second;
	struct arena a;
	int err;

	if (size > LIMIT_FRAME_BYTES)
		return 0;
	arena_init(&a, &m);
	err = message_unpack((struct bytes){ .at = data, .count = size }, &a, &first);
	/* Arenas take chunks that are larger than what is asked of them. */
	assert(sum <= 3 * MESSAGE_MEMORY_BYTES);
	if (err == 0) {
		struct bytes one = pack(&first, &a);

		assert(message_check(&first) == 0);
		err = message_unpack(one, &a, &second);
		assert(err == 0);
		assert(bytes_equal(one, pack(&second, &a)));
	} else {
		assert(err == ERR_VERSION || err == ERR_MALFORMED || err == ERR_TOO_BIG);
	}
	arena_fini(&a);
	return 0;
}
