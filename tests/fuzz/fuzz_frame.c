/*
 * The cutter: the frames must not depend on how the bytes are cut into portions.
 *
 * Input: a byte that gives the size of portions, then the stream.
 */
#include "smegd/wire/frame.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *resize(void *ctx, void *ptr, size_t bytes)
{
	size_t *live = ctx;

	if (bytes == 0) {
		*live -= ptr != NULL;
		free(ptr);
		return NULL;
	}
	assert(bytes <= LIMIT_FRAME_BYTES);
	*live += ptr == NULL;
	assert(*live <= 1);
	return realloc(ptr, bytes);
}

/* A sum over all frames; *ret_err is how it ended. */
static uint64_t cut(struct bytes all, size_t portion, size_t bytes_max, int *ret_err)
{
	size_t live = 0;
	struct mem m = { .ctx = &live, .resize = resize };
	struct cutter c;
	uint64_t sum = 0;
	int got = 0;

	cutter_init(&c, &m);
	for (size_t at = 0; at < all.count && got >= 0;) {
		size_t step = MIN_OF(portion, all.count - at);
		uint8_t *copy = malloc(step);
		struct bytes in = { .at = copy, .count = step };
		struct frame f;

		assert(copy);
		memcpy(copy, all.at + at, step);
		while ((got = cutter_next(&c, &in, bytes_max, &f)) == 1) {
			assert(f.body.count + FRAME_HEAD_BYTES <= bytes_max);
			sum = sum * 31 + f.type + f.body.count;
			for (size_t i = 0; i < f.body.count; i++)
				sum = sum * 31 + f.body.at[i];
		}
		free(copy);
		at += step;
	}
	cutter_fini(&c);
	assert(live == 0);
	*ret_err = got;
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all = { .at = data + 1, .count = size - 1 };
	size_t bytes_max;
	int err[2];

	if (size < 2)
		return 0;
	bytes_max = data[0] & 1 ? LIMIT_FRAME_BYTES : FRAME_FIRST_BYTES_MAX;
	assert(cut(all, 1 + data[0] / 2, bytes_max, &err[0]) ==
	       cut(all, all.count, bytes_max, &err[1]));
	assert(err[0] == err[1]);
	return 0;
}
