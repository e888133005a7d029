/*
 * The cutter: every portioning of a stream gives the same frames, and lengths are judged first.
 */
#include "smegd/wire/frame.h"

#include "tests/unit/memtest.h"
#include "tests/unit/unit.h"

#include "base/err.h"

#include <errno.h>

struct cut {
	uint8_t type[8];
	size_t body[8];
	size_t count;
};

/* Feed `bytes` in portions and collect the frames. */
static int feed(
	struct cutter *c, struct bytes all, size_t portion, size_t bytes_max, struct cut *ret_cut)
{
	*ret_cut = (struct cut){ .count = 0 };
	for (size_t at = 0; at < all.count;) {
		size_t step = MIN_OF(portion, all.count - at);
		struct bytes in = { .at = all.at + at, .count = step };
		struct frame f;
		int got;

		while ((got = cutter_next(c, &in, bytes_max, &f)) == 1) {
			assert_true(ret_cut->count < ARRAY_LEN(ret_cut->type));
			assert_int_equal(f.head.count, FRAME_HEAD_BYTES);
			assert_ptr_equal(f.head.at + FRAME_HEAD_BYTES, f.body.at);
			for (size_t i = 0; i < f.body.count; i++)
				assert_int_equal(f.body.at[i], (uint8_t)(f.type + i));
			ret_cut->type[ret_cut->count] = f.type;
			ret_cut->body[ret_cut->count++] = f.body.count;
		}
		if (got < 0)
			return got;
		assert_int_equal(in.count, 0);
		at += step;
	}
	return 0;
}

/* A frame whose body counts up from its type. */
static size_t put(uint8_t *out, uint8_t type, size_t body_bytes)
{
	frame_head(out, type, body_bytes);
	for (size_t i = 0; i < body_bytes; i++)
		out[FRAME_HEAD_BYTES + i] = (uint8_t)(type + i);
	return FRAME_HEAD_BYTES + body_bytes;
}

static void test_every_portioning_gives_the_same_frames(void **state)
{
	static const size_t bodies[] = { 0, 1, 3, 100, 0, 700 };
	uint8_t all[1024];
	struct bytes in = { .at = all, .count = 0 };
	struct memtest mt;
	struct cutter c;
	struct cut cut;

	(void)state;
	memtest_init(&mt);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		in.count += put(all + in.count, (uint8_t)(1 + i), bodies[i]);
	for (size_t portion = 1; portion <= in.count; portion++) {
		cutter_init(&c, &mt.mem);
		assert_int_equal(feed(&c, in, portion, LIMIT_FRAME_BYTES, &cut), 0);
		assert_int_equal(cut.count, ARRAY_LEN(bodies));
		for (size_t i = 0; i < cut.count; i++) {
			assert_int_equal(cut.type[i], 1 + i);
			assert_int_equal(cut.body[i], bodies[i]);
		}
		/* One more call takes back the frame that the last one gave out. */
		assert_int_equal(cutter_next(&c, &(struct bytes){ .at = NULL }, 10,
		                             &(struct frame){ .type = 0 }),
		                 0);
		memtest_assert_no_leak(&mt);
		cutter_fini(&c);
	}
}

static void test_whole_frames_allocate_nothing(void **state)
{
	uint8_t all[64];
	struct bytes in = { .at = all, .count = put(all, 1, 20) };
	struct memtest mt;
	struct cutter c;
	struct frame f;

	(void)state;
	memtest_init(&mt);
	cutter_init(&c, &mt.mem);
	assert_int_equal(cutter_next(&c, &in, LIMIT_FRAME_BYTES, &f), 1);
	assert_int_equal(mt.calls, 0);
	cutter_fini(&c);
}

/* The largest frame passes, one byte more does not, whatever has come of it. */
static void test_length_is_judged_before_anything_is_allocated(void **state)
{
	static const struct {
		size_t after; /* announced */
		size_t bytes_max;
		int err;
	} rows[] = {
		{ 0, LIMIT_FRAME_BYTES, ERR_MALFORMED },
		{ 1, LIMIT_FRAME_BYTES, 0 },
		{ LIMIT_FRAME_BYTES - 4, LIMIT_FRAME_BYTES, 0 },
		{ LIMIT_FRAME_BYTES - 3, LIMIT_FRAME_BYTES, ERR_TOO_BIG },
		{ 0xffffffff, LIMIT_FRAME_BYTES, ERR_TOO_BIG },
		{ FRAME_FIRST_BYTES_MAX - 4, FRAME_FIRST_BYTES_MAX, 0 },
		{ FRAME_FIRST_BYTES_MAX - 3, FRAME_FIRST_BYTES_MAX, ERR_TOO_BIG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t portion = 1; portion <= 4; portion++) {
			uint8_t length[4];
			struct bytes in = { .at = length, .count = sizeof(length) };
			struct memtest mt;
			struct writer w;
			struct cutter c;
			struct cut cut;

			memtest_init(&mt);
			cutter_init(&c, &mt.mem);
			writer_init(&w, length, sizeof(length));
			write_u32(&w, (uint32_t)rows[i].after);
			assert_int_equal(feed(&c, in, portion, rows[i].bytes_max, &cut),
			                 rows[i].err);
			assert_int_equal(mt.calls, rows[i].err ? 0 : 1);
			cutter_fini(&c);
			memtest_assert_no_leak(&mt);
		}
	}
}

static void test_out_of_memory_is_told(void **state)
{
	uint8_t all[64];
	struct bytes in = { .at = all, .count = put(all, 1, 20) - 1 };
	struct memtest mt;
	struct cutter c;
	struct cut cut;

	(void)state;
	memtest_failing(&mt, 1);
	cutter_init(&c, &mt.mem);
	assert_int_equal(feed(&c, in, 3, LIMIT_FRAME_BYTES, &cut), -ENOMEM);
	cutter_fini(&c);
	cutter_fini(NULL);
	memtest_assert_no_leak(&mt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_portioning_gives_the_same_frames),
		cmocka_unit_test(test_whole_frames_allocate_nothing),
		cmocka_unit_test(test_length_is_judged_before_anything_is_allocated),
		cmocka_unit_test(test_out_of_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
