/*
 * Sketches from a peer that knows the key.
 *
 * Byte 0 is the number of own items; then, by its highest bit: parts as they come over the wire,
 * each with a 16-bit length before it; or steps that put small items into symbols with checks that
 * hold, which the fuzzer would not find.  Whatever comes, the decoder ends, keeps its bounds, and
 * says only things about the own set that are so.
 */
#include "crdt/sketch_priv.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define OWN_MAX 63
#define STEPPED 0x80
#define SYMBOLS_MAX 64u
#define BUDGET 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *heap_resize(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	assert(bytes <= BUDGET * 100);
	if (bytes > 0)
		return realloc(ptr, bytes);
	free(ptr);
	return NULL;
}

static const struct mem heap = { .resize = heap_resize };
static const struct sketch_key key = { { 1, 2, 3 } };

static void check_difference(const struct sketch_decoder *d, uint32_t total, size_t own)
{
	struct sketch_difference diff = sketch_difference(d);

	assert(total + diff.ours_count == own + diff.theirs_count);
	assert(diff.theirs_count + diff.ours_count <= sketch_received(d));
	for (size_t i = 0; i < diff.theirs_count; i++) {
		assert(i == 0 || diff.theirs[i - 1] < diff.theirs[i]);
		/* The own items are 1 .. own. */
		assert(diff.theirs[i] == 0 || diff.theirs[i] > own);
	}
	for (size_t i = 0; i < diff.ours_count; i++) {
		assert(i == 0 || diff.ours[i - 1] < diff.ours[i]);
		assert(diff.ours[i] < own);
	}
}

static enum sketch_state give(struct sketch_decoder *d, const struct sketch_part *part, size_t own)
{
	enum sketch_state state = SKETCH_FAILED;

	if (sketch_decode(d, part, &state) != 0)
		return SKETCH_FAILED;
	assert(sketch_received(d) <= BUDGET);
	if (state == SKETCH_DONE)
		check_difference(d, part->total, own);
	return state;
}

/* What is read is written as it was. */
static bool part_read(struct bytes raw, struct sketch_symbol *symbols, struct sketch_part *part)
{
	static uint8_t again[SKETCH_BYTES_MAX(SYMBOLS_MAX)];
	struct writer w;
	int err = sketch_read(raw, symbols, SYMBOLS_MAX, part);

	if (err != 0) {
		assert(err == ERR_MALFORMED || err == ERR_TRUNCATED || err == ERR_TOO_BIG);
		return false;
	}
	writer_init(&w, again, sizeof(again));
	sketch_write(part, &w);
	assert(bytes_equal(writer_bytes(&w), raw));
	return true;
}

static void fuzz_parts(struct reader *r, struct sketch_decoder *d, size_t own)
{
	static struct sketch_symbol symbols[SYMBOLS_MAX];
	enum sketch_state state = SKETCH_MORE;
	struct sketch_part part;

	while (state == SKETCH_MORE && reader_left(r) > 0) {
		size_t count = read_u16(r);
		struct bytes raw = read_bytes(r, count);

		if (r->err != 0 || !part_read(raw, symbols, &part))
			return;
		state = give(d, &part, own);
	}
}

/* Byte 1 says how many symbols to a part; then two bytes a step: symbol and sign, item. */
static void fuzz_steps(struct reader *r, struct sketch_decoder *d, size_t own)
{
	static struct sketch_symbol symbols[SYMBOLS_MAX];
	struct sketch_part all = { .count = SYMBOLS_MAX, .symbols = symbols };
	uint64_t items[OWN_MAX];
	struct sketch_part part;
	uint32_t each = read_u8(r) % SYMBOLS_MAX + 1;
	enum sketch_state state = SKETCH_MORE;

	for (size_t i = 0; i < own; i++)
		items[i] = i + 1;
	sketch_make(&key, &(struct sketch_set){ items, own }, &all);
	while (reader_left(r) >= 2) {
		uint8_t place = read_u8(r);
		uint64_t item = read_u8(r);

		sketch_symbol_add(&symbols[place % SYMBOLS_MAX], item,
		                  sketch_check(sketch_mark(&key, item)), place & 0x80 ? -1 : 1);
	}
	part = all;
	part.total = (uint32_t)MAX_OF(symbols[0].count, 0);
	for (; state == SKETCH_MORE && part.from < SYMBOLS_MAX; part.from += part.count) {
		part.symbols = symbols + part.from;
		part.count = MIN_OF(each, SYMBOLS_MAX - part.from);
		state = give(d, &part, own);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t items[OWN_MAX];
	struct sketch_decoder *d;
	struct reader r;
	uint8_t first;
	/* Exact, so that the sanitizer sees a byte too many. */
	uint8_t *copy = size > 0 ? malloc(size) : NULL;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	reader_init(&r, (struct bytes){ copy, size });
	first = read_u8(&r);
	for (size_t i = 0; i < OWN_MAX; i++)
		items[i] = i + 1;
	if (sketch_decoder_new(&heap, &key, &(struct sketch_set){ items, first & OWN_MAX }, BUDGET,
	                       &d) == 0) {
		if (first & STEPPED)
			fuzz_steps(&r, d, first & OWN_MAX);
		else
			fuzz_parts(&r, d, first & OWN_MAX);
		sketch_decoder_free(d);
	}
	free(copy);
	return 0;
}
