/*
 * Control messages: the first byte says which decoder gets the rest.  What it lets through must be
 * text as promised, and must come back the same after being encoded again.
 */
#include "api/model/control.h"
#include "api/model/utf8.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *heap_resize(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	if (bytes > 0)
		return realloc(ptr, bytes);
	free(ptr);
	return NULL;
}

static void check_text(const char *text)
{
	size_t bytes;

	for (size_t left = strlen(text); left > 0; left -= bytes, text += bytes)
		assert(utf8_is_safe(utf8_next(text, left, &bytes)));
}

static void check_request(struct bytes src, struct arena *arena)
{
	struct request r;
	struct bytes first;
	struct bytes second;

	if (request_decode(src, arena, &r) != 0)
		return;
	check_text(r.mesh);
	check_text(r.alias);
	check_text(r.description);
	check_text(r.token);
	check_text(r.role);
	check_text(r.for_key);
	check_text(r.member);
	for (size_t i = 0; i < r.endpoints_count; i++)
		check_text(r.endpoints[i]);
	if (request_encode(&r, arena, &first) != 0)
		return;
	assert(request_decode(first, arena, &r) == 0);
	assert(request_encode(&r, arena, &second) == 0);
	assert(bytes_equal(first, second));
}

static void check_reply(struct bytes src, struct arena *arena)
{
	struct reply r;
	struct bytes first;
	struct bytes second;

	if (reply_decode(src, arena, &r) != 0)
		return;
	check_text(r.text);
	check_text(r.error);
	check_text(r.member_name);
	for (size_t i = 0; i < r.expelled_from_count; i++)
		check_text(r.expelled_from[i]);
	for (size_t i = 0; i < r.meshes_count; i++) {
		const struct mesh_info *m = &r.meshes[i];

		check_text(m->name);
		for (size_t j = 0; j < m->members_listed; j++)
			check_text(m->members[j].description);
	}
	if (reply_encode(&r, arena, &first) != 0)
		return;
	assert(reply_decode(first, arena, &r) == 0);
	assert(reply_encode(&r, arena, &second) == 0);
	assert(bytes_equal(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mem heap = { .resize = heap_resize };
	struct arena arena;

	if (size == 0)
		return 0;
	arena_init(&arena, &heap);
	if (data[0] & 1)
		check_reply((struct bytes){ data + 1, size - 1 }, &arena);
	else
		check_request((struct bytes){ data + 1, size - 1 }, &arena);
	arena_fini(&arena);
	return 0;
}
