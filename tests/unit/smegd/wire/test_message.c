/*
 * Messages: every kind there and back, every bound and one beyond it, and hostile bytes.
 */
#include "smegd/wire/message.h"

#include "tests/unit/memtest.h"
#include "tests/unit/unit.h"

#include "base/err.h"
#include "base/rng.h"
#include "tests/unit/smegd/wire/hex.h"

#include <errno.h>
#include <stdlib.h>

static struct memtest mt;
static struct arena arena;
static uint8_t filler[LIMIT_FRAME_BYTES];

static int setup(void **state)
{
	(void)state;
	memtest_init(&mt);
	arena_init(&arena, &mt.mem);
	for (size_t i = 0; i < sizeof(filler); i++)
		filler[i] = (uint8_t)(i * 7 + 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	memtest_assert_no_leak(&mt);
	return 0;
}

static struct bytes filled(size_t from, size_t count)
{
	return (struct bytes){ .at = filler + from, .count = count };
}

static struct key key_of(uint8_t first)
{
	struct key k;

	memset(k.b, first, sizeof(k.b));
	return k;
}

static struct bytes packed(const struct msg *m)
{
	struct message_packed out;

	assert_int_equal(message_pack(m, (struct message_room){ 3, 5 }, &arena, &out), 0);
	return (struct bytes){ .at = out.block + 3, .count = out.bytes };
}

/* From an exact copy, so that a sanitizer sees reads beyond it. */
static int unpack(struct bytes src, struct msg *ret_m)
{
	uint8_t *copy = malloc(src.count + 1);
	int err;

	assert_non_null(copy);
	if (src.count > 0)
		memcpy(copy + 1, src.at, src.count);
	err = message_unpack((struct bytes){ .at = copy + 1, .count = src.count }, &arena, ret_m);
	free(copy);
	return err;
}

static void there_and_back(const struct msg *m, struct msg *ret_back)
{
	assert_int_equal(message_check(m), 0);
	assert_int_equal(unpack(packed(m), ret_back), 0);
	assert_int_equal(ret_back->kind, m->kind);
}

static void assert_stmts(const struct bytes *a,
                         size_t a_count,
                         const struct bytes *b,
                         size_t b_count)
{
	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++)
		assert_true(bytes_equal(a[i], b[i]));
}

/* --- there and back ------------------------------------------------------------------------- */

static void test_entries(void **state)
{
	struct bytes stmts[] = { filled(0, 1), filled(1, 300), filled(9, LIMIT_STATEMENT_BYTES) };
	struct msg m = { .kind = MSG_ENTRIES };
	struct msg back;

	(void)state;
	there_and_back(&m, &back);
	assert_int_equal(back.u.entries.count, 0);
	m.u.entries.stmts = stmts;
	m.u.entries.count = ARRAY_LEN(stmts);
	there_and_back(&m, &back);
	assert_stmts(back.u.entries.stmts, back.u.entries.count, stmts, ARRAY_LEN(stmts));
}

static void test_digest(void **state)
{
	struct msg m = { .kind = MSG_DIGEST };
	struct msg back;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		memset(m.u.digest.digest, 0xa0 + (int)i, DIGEST_BYTES);
		m.u.digest.question = i;
		m.u.digest.members = i ? UINT64_MAX : 0;
		there_and_back(&m, &back);
		assert_memory_equal(back.u.digest.digest, m.u.digest.digest, DIGEST_BYTES);
		assert_int_equal(back.u.digest.question, i);
		assert_true(back.u.digest.members == m.u.digest.members);
	}
}

static void test_ways_and_pages(void **state)
{
	struct bytes stmts[] = { filled(1, 300) };
	struct msg m = { .kind = MSG_ENTRIES };
	struct msg back;

	(void)state;
	m.u.entries.stmts = stmts;
	m.u.entries.count = 1;
	for (unsigned way = 0; way < WAY__COUNT; way++) {
		unsigned last = way / WAY_LAST_1;

		m.u.entries.way = (enum way)way;
		/* It can't both go on and not. */
		if (last && (way & WAY_ROOT || way & last)) {
			assert_int_equal(message_check(&m), ERR_MALFORMED);
			continue;
		}
		there_and_back(&m, &back);
		assert_int_equal(back.u.entries.way, way);
		assert_false(back.u.entries.is_page);
	}
	m.u.entries.way = WAY__COUNT;
	assert_int_equal(message_check(&m), ERR_MALFORMED);
	m.u.entries.way = WAY_NONE;
	m.u.entries.is_page = true;
	m.u.entries.from = key_of(1);
	m.u.entries.to = key_of(3);
	there_and_back(&m, &back);
	assert_true(back.u.entries.is_page);
	assert_true(key_equal(&back.u.entries.from, &m.u.entries.from));
	assert_true(key_equal(&back.u.entries.to, &m.u.entries.to));
	m.u.entries.from = key_of(4);
	assert_int_equal(message_check(&m), ERR_MALFORMED);
}

static void test_sketch(void **state)
{
	struct msg m = { .kind = MSG_SKETCH };
	struct msg back;

	(void)state;
	m.u.sketch.salt = 0x0102030405060708;
	m.u.sketch.from = 16;
	m.u.sketch.symbols = filled(7, 200);
	there_and_back(&m, &back);
	assert_true(back.u.sketch.salt == m.u.sketch.salt);
	assert_int_equal(back.u.sketch.from, 16);
	assert_true(bytes_equal(back.u.sketch.symbols, m.u.sketch.symbols));
	m = (struct msg){ .kind = MSG_CONTINUE };
	m.u.more.salt = UINT64_MAX;
	m.u.more.from = 16;
	m.u.more.count = UINT32_MAX;
	there_and_back(&m, &back);
	assert_true(back.u.more.salt == UINT64_MAX);
	assert_int_equal(back.u.more.from, 16);
	assert_true(back.u.more.count == UINT32_MAX);
}

static void test_items(void **state)
{
	static const enum msg_kind kinds[] = { MSG_WANT, MSG_ANNOUNCE };
	uint64_t items[] = { UINT64_MAX, 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct msg m = { .kind = kinds[i] };
		struct msg back;

		there_and_back(&m, &back);
		assert_int_equal(back.u.items.count, 0);
		m.u.items.salt = kinds[i] == MSG_WANT ? 5 : 0;
		m.u.items.repaired = kinds[i] == MSG_ANNOUNCE;
		m.u.items.items = items;
		m.u.items.count = 2;
		there_and_back(&m, &back);
		assert_int_equal(back.u.items.repaired, m.u.items.repaired);
		assert_true(back.u.items.salt == m.u.items.salt);
		assert_int_equal(back.u.items.count, 2);
		assert_memory_equal(back.u.items.items, items, sizeof(items));
	}
}

static void test_watchers(void **state)
{
	struct msg m = { .kind = MSG_SUSPECT };
	struct msg back;

	(void)state;
	m.u.watch.member = key_of(4);
	m.u.watch.counter = 77;
	there_and_back(&m, &back);
	assert_true(key_equal(&back.u.watch.member, &m.u.watch.member));
	assert_true(back.u.watch.counter == 77);
	m.kind = MSG_ATTEST;
	memset(m.u.watch.signature.b, 0x5a, SIGNATURE_BYTES);
	there_and_back(&m, &back);
	assert_true(key_equal(&back.u.watch.member, &m.u.watch.member));
	assert_memory_equal(back.u.watch.signature.b, m.u.watch.signature.b, SIGNATURE_BYTES);
}

static void test_beats(void **state)
{
	struct msg m = { .kind = MSG_BEAT };
	struct msg back;

	(void)state;
	assert_int_equal(message_check(&m), ERR_MALFORMED);
	m.u.beat.beat = filled(3, MSG_BEAT_BYTES_MAX);
	m.u.beat.way = WAY_TREE_2;
	there_and_back(&m, &back);
	assert_true(bytes_equal(back.u.beat.beat, m.u.beat.beat));
	assert_int_equal(back.u.beat.way, WAY_TREE_2);
	assert_int_equal(back.u.beat.other.count, 0);
	m.u.beat.other = filled(4, 9);
	there_and_back(&m, &back);
	assert_true(bytes_equal(back.u.beat.other, m.u.beat.other));
	m.u.beat.other.count = MSG_BEAT_BYTES_MAX + 1;
	assert_int_equal(message_check(&m), ERR_TOO_BIG);
	m = (struct msg){ .kind = MSG_BEAT_ACK };
	m.u.beat_ack.number = UINT64_MAX;
	m.u.beat_ack.count = 3000;
	there_and_back(&m, &back);
	assert_true(back.u.beat_ack.number == UINT64_MAX);
	assert_int_equal(back.u.beat_ack.count, 3000);
	m = (struct msg){ .kind = MSG_FETCH };
	m.u.fetch.from = key_of(8);
	there_and_back(&m, &back);
	assert_true(key_equal(&back.u.fetch.from, &m.u.fetch.from));
}

static void test_redeem(void **state)
{
	struct msg m = { .kind = MSG_REDEEM };
	struct msg back;

	(void)state;
	m.u.redeem.request = UINT64_MAX;
	m.u.redeem.invite = filled(3, 200);
	m.u.redeem.joiner = key_of(4);
	m.u.redeem.issuer = key_of(5);
	m.u.redeem.hops = MSG_HOPS_MAX;
	memset(m.u.redeem.proof.b, 6, SIGNATURE_BYTES);
	there_and_back(&m, &back);
	assert_true(back.u.redeem.request == UINT64_MAX);
	assert_true(bytes_equal(back.u.redeem.invite, m.u.redeem.invite));
	assert_true(key_equal(&back.u.redeem.joiner, &m.u.redeem.joiner));
	assert_true(key_equal(&back.u.redeem.issuer, &m.u.redeem.issuer));
	assert_memory_equal(&back.u.redeem.proof, &m.u.redeem.proof, SIGNATURE_BYTES);
	assert_int_equal(back.u.redeem.hops, MSG_HOPS_MAX);
}

static void test_redeemed(void **state)
{
	static const int errs[][2] = {
		{ 0, 0 },
		{ ERR_USED_UP, ERR_USED_UP },
		{ ERR_MALFORMED, ERR_MALFORMED },
		{ ERR_INTERNAL, ERR_INTERNAL },
		{ -ENOMEM, ERR_INTERNAL },
		{ ERR_INTERNAL - 1, ERR_INTERNAL },
	};
	struct bytes stmts[] = { filled(0, 100), filled(1, 200) };
	struct msg m = { .kind = MSG_REDEEMED };
	struct msg back;

	(void)state;
	m.u.redeemed.request = 7;
	m.u.redeemed.stmts = stmts;
	m.u.redeemed.count = 2;
	for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
		m.u.redeemed.err = errs[i][0];
		there_and_back(&m, &back);
		assert_int_equal(back.u.redeemed.err, errs[i][1]);
		assert_int_equal(back.u.redeemed.request, 7);
		assert_stmts(back.u.redeemed.stmts, back.u.redeemed.count, stmts, 2);
	}
}

static void test_bye(void **state)
{
	struct msg m = { .kind = MSG_BYE };
	struct msg back;

	(void)state;
	there_and_back(&m, &back);
}

/* --- bounds --------------------------------------------------------------------------------- */

static void fill_stmts(struct bytes *stmts, size_t count, size_t each)
{
	for (size_t i = 0; i < count; i++)
		stmts[i] = filled(i, each);
}

static void test_bounds_of_entries(void **state)
{
	static struct bytes stmts[MSG_ENTRIES_MAX + 1];
	static const struct {
		size_t count;
		size_t each;
		int err;
	} rows[] = {
		{ MSG_ENTRIES_MAX, 1, 0 },
		{ MSG_ENTRIES_MAX, MSG_ENTRIES_BYTES_MAX / MSG_ENTRIES_MAX, 0 },
		{ MSG_ENTRIES_MAX, MSG_ENTRIES_BYTES_MAX / MSG_ENTRIES_MAX + 1, ERR_TOO_BIG },
		{ MSG_ENTRIES_MAX + 1, 1, ERR_TOO_BIG },
		{ 1, LIMIT_STATEMENT_BYTES, 0 },
		{ 1, LIMIT_STATEMENT_BYTES + 1, ERR_TOO_BIG },
		{ MSG_ENTRIES_BYTES_MAX / LIMIT_STATEMENT_BYTES, LIMIT_STATEMENT_BYTES, 0 },
		{ MSG_ENTRIES_BYTES_MAX / LIMIT_STATEMENT_BYTES + 1, LIMIT_STATEMENT_BYTES,
		  ERR_TOO_BIG },
		{ 1, 0, ERR_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct msg m = { .kind = MSG_ENTRIES };
		struct msg r = { .kind = MSG_REDEEMED };
		struct msg back;

		fill_stmts(stmts, rows[i].count, rows[i].each);
		m.u.entries.stmts = stmts;
		m.u.entries.count = rows[i].count;
		r.u.redeemed.stmts = stmts;
		r.u.redeemed.count = rows[i].count;
		assert_int_equal(message_check(&m), rows[i].err);
		assert_int_equal(message_check(&r), rows[i].err);
		if (rows[i].err)
			continue;
		assert_in_range(packed(&m).count, 1, LIMIT_FRAME_BYTES - 64);
		there_and_back(&m, &back);
		assert_stmts(back.u.entries.stmts, back.u.entries.count, stmts, rows[i].count);
		there_and_back(&r, &back);
		arena_reset(&arena);
	}
}

static void test_bounds_of_lists(void **state)
{
	static uint64_t items[MSG_ITEMS_MAX + 1];
	static uint8_t symbols[MSG_SYMBOLS_BYTES_MAX + 1];
	struct msg s = { .kind = MSG_SKETCH };
	struct msg q = { .kind = MSG_WANT };
	struct msg back;

	(void)state;
	s.u.sketch.symbols = (struct bytes){ symbols, MSG_SYMBOLS_BYTES_MAX };
	assert_in_range(packed(&s).count, 1, LIMIT_FRAME_BYTES - 64);
	there_and_back(&s, &back);
	s.u.sketch.symbols.count++;
	assert_int_equal(message_check(&s), ERR_TOO_BIG);
	q.u.items.items = items;
	q.u.items.count = MSG_ITEMS_MAX;
	assert_in_range(packed(&q).count, 1, LIMIT_FRAME_BYTES - 64);
	there_and_back(&q, &back);
	assert_int_equal(back.u.items.count, MSG_ITEMS_MAX);
	q.u.items.count++;
	assert_int_equal(message_check(&q), ERR_TOO_BIG);
}

static void test_bounds_of_redeem(void **state)
{
	struct msg m = { .kind = MSG_REDEEM };
	struct msg back;

	(void)state;
	assert_int_equal(message_check(&m), ERR_MALFORMED);
	m.u.redeem.invite = filled(0, INVITE_LIMITS_BYTES_MAX);
	there_and_back(&m, &back);
	m.u.redeem.invite.count++;
	assert_int_equal(message_check(&m), ERR_TOO_BIG);
	m.u.redeem.invite.count = 1;
	m.u.redeem.hops = MSG_HOPS_MAX + 1;
	assert_int_equal(message_check(&m), ERR_TOO_BIG);
	m.kind = (enum msg_kind)0;
	assert_int_equal(message_check(&m), ERR_MALFORMED);
	m.kind = (enum msg_kind)(MSG_BEAT_ACK + 1);
	assert_int_equal(message_check(&m), ERR_MALFORMED);
}

/* --- foreign bytes -------------------------------------------------------------------------- */

/* A field of length-delimited bytes, to build messages that we would not send. */
static void field(struct writer *out, unsigned number, struct bytes value)
{
	write_varint(out, (uint64_t)number << 3 | 2);
	write_varint(out, value.count);
	write_copy(out, value.at, value.count);
}

static void number(struct writer *out, unsigned field_number, uint64_t v)
{
	write_varint(out, (uint64_t)field_number << 3);
	write_varint(out, v);
}

static int unpack_body(unsigned kind, struct bytes body, struct msg *ret_m)
{
	static uint8_t buffer[LIMIT_FRAME_BYTES];
	struct writer out;

	writer_init(&out, buffer, sizeof(buffer));
	field(&out, kind, body);
	assert_int_equal(out.err, 0);
	return unpack(writer_bytes(&out), ret_m);
}

/* One field of wrong length in an otherwise right message; a field left out is of length 0. */
static void test_fields_of_wrong_length_are_refused(void **state)
{
	static const struct {
		enum msg_kind kind;
		unsigned field;
		size_t right[7]; /* of fields 1 and up; 0: none */
		size_t wrong;
		int err;
	} rows[] = {
		{ MSG_DIGEST, 1, { 16 }, 16, 0 },
		{ MSG_DIGEST, 1, { 16 }, 15, ERR_MALFORMED },
		{ MSG_DIGEST, 1, { 16 }, 17, ERR_MALFORMED },
		{ MSG_DIGEST, 1, { 16 }, 0, ERR_MALFORMED },
		{ MSG_WANT, 2, { 0 }, 8, 0 },
		{ MSG_WANT, 2, { 0 }, 7, ERR_MALFORMED },
		{ MSG_WANT, 2, { 0 }, 8 * (MSG_ITEMS_MAX + 1), ERR_TOO_BIG },
		{ MSG_ANNOUNCE, 1, { 0 }, 9, ERR_MALFORMED },
		{ MSG_FETCH, 1, { 32 }, 32, 0 },
		{ MSG_FETCH, 1, { 32 }, 31, ERR_MALFORMED },
		{ MSG_FETCH, 1, { 32 }, 0, ERR_MALFORMED },
		{ MSG_SUSPECT, 1, { 32 }, 33, ERR_MALFORMED },
		{ MSG_ATTEST, 1, { 32, 0, 64 }, 31, ERR_MALFORMED },
		{ MSG_ATTEST, 3, { 32, 0, 64 }, 63, ERR_MALFORMED },
		{ MSG_ATTEST, 3, { 32, 0, 64 }, 64, 0 },
		{ MSG_BEAT, 1, { 9 }, 0, ERR_MALFORMED },
		{ MSG_BEAT, 1, { 9 }, MSG_BEAT_BYTES_MAX + 1, ERR_TOO_BIG },
		{ MSG_ENTRIES, 3, { 0, 0, 32, 32 }, 31, ERR_MALFORMED },
		{ MSG_ENTRIES, 4, { 0, 0, 32, 32 }, 33, ERR_MALFORMED },
		{ MSG_REDEEM, 2, { 0, 9, 32, 64, 0, 32 }, INVITE_LIMITS_BYTES_MAX, 0 },
		{ MSG_REDEEM,
		  2,
		  { 0, 9, 32, 64, 0, 32 },
		  INVITE_LIMITS_BYTES_MAX + 1,
		  ERR_TOO_BIG },
		{ MSG_REDEEM, 2, { 0, 9, 32, 64, 0, 32 }, 0, ERR_MALFORMED },
		{ MSG_REDEEM, 3, { 0, 9, 32, 64, 0, 32 }, 31, ERR_MALFORMED },
		{ MSG_REDEEM, 4, { 0, 9, 32, 64, 0, 32 }, 65, ERR_MALFORMED },
		{ MSG_REDEEM, 6, { 0, 9, 32, 64, 0, 32 }, 0, ERR_MALFORMED },
		{ MSG_ENTRIES, 1, { 0 }, LIMIT_STATEMENT_BYTES, 0 },
		{ MSG_ENTRIES, 1, { 0 }, LIMIT_STATEMENT_BYTES + 1, ERR_TOO_BIG },
		{ MSG_REDEEMED, 3, { 0 }, LIMIT_STATEMENT_BYTES + 1, ERR_TOO_BIG },
	};
	static uint8_t body[LIMIT_FRAME_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct writer out;
		struct msg m;

		writer_init(&out, body, sizeof(body));
		for (unsigned f = 1; f <= 7; f++) {
			size_t bytes = f == rows[i].field ? rows[i].wrong : rows[i].right[f - 1];

			if (bytes > 0)
				field(&out, f, filled(0, bytes));
		}
		assert_int_equal(out.err, 0);
		assert_int_equal(unpack_body(rows[i].kind, writer_bytes(&out), &m), rows[i].err);
		arena_reset(&arena);
	}
}

static void test_too_many_entries_are_refused(void **state)
{
	static uint8_t body[LIMIT_FRAME_BYTES];

	(void)state;
	for (size_t count = MSG_ENTRIES_MAX; count <= MSG_ENTRIES_MAX + 1; count++) {
		struct writer out;
		struct msg m;

		writer_init(&out, body, sizeof(body));
		for (size_t i = 0; i < count; i++)
			field(&out, 1, filled(0, 1));
		assert_int_equal(unpack_body(MSG_ENTRIES, writer_bytes(&out), &m),
		                 count > MSG_ENTRIES_MAX ? ERR_TOO_BIG : 0);
	}
}

static void test_hops_are_bounded(void **state)
{
	static const uint64_t hops[] = { 0, 4, 5, 256, 260, UINT32_MAX };
	uint8_t body[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hops); i++) {
		struct writer out;
		struct msg m;

		writer_init(&out, body, sizeof(body));
		field(&out, 2, filled(0, 9));
		field(&out, 3, filled(0, 32));
		field(&out, 4, filled(0, 64));
		field(&out, 6, filled(0, 32));
		number(&out, 5, hops[i]);
		assert_int_equal(unpack_body(MSG_REDEEM, writer_bytes(&out), &m),
		                 hops[i] > MSG_HOPS_MAX ? ERR_TOO_BIG : 0);
	}
}

/* What a later version may send: new kinds, new fields, a new meaning of an old kind. */
static void test_later_versions_are_tolerated(void **state)
{
	uint8_t buffer[256];
	struct writer out;
	struct msg m;

	(void)state;
	/* Nothing, and a body that we don't know. */
	assert_int_equal(unpack((struct bytes){ .at = NULL }, &m), ERR_VERSION);
	assert_int_equal(unpack_body(16, filled(0, 20), &m), ERR_VERSION);
	assert_int_equal(unpack_body(1000, filled(0, 20), &m), ERR_VERSION);
	/* A field of a digest, and one beside it, that we don't know. */
	writer_init(&out, buffer, sizeof(buffer));
	field(&out, 1, filled(0, 16));
	field(&out, 77, filled(0, 10));
	number(&out, 78, 5);
	assert_int_equal(unpack_body(MSG_DIGEST, writer_bytes(&out), &m), 0);
	assert_memory_equal(m.u.digest.digest, filler, DIGEST_BYTES);
	/* A version that we don't know. */
	writer_init(&out, buffer, sizeof(buffer));
	field(&out, MSG_BYE, filled(0, 0));
	number(&out, 15, 1);
	assert_int_equal(unpack(writer_bytes(&out), &m), ERR_VERSION);
	writer_init(&out, buffer, sizeof(buffer));
	field(&out, MSG_BYE, filled(0, 0));
	number(&out, 16, 1);
	assert_int_equal(unpack(writer_bytes(&out), &m), 0);
}

/* Counts what is asked for at a time. */
static void *counting_resize(void *ctx, void *ptr, size_t bytes)
{
	size_t *sum = ctx;

	*sum += bytes;
	return mt.mem.resize(mt.mem.ctx, ptr, bytes);
}

/* Frames full of the shortest fields cost no more memory than was promised. */
static void test_hostile_repetition_hits_the_budget(void **state)
{
	static uint8_t buffer[LIMIT_FRAME_BYTES];
	static const uint8_t tags[] = {
		MSG_ENTRIES << 3 | 2, MSG_DIGEST << 3 | 2, MSG_SKETCH << 3 | 2, MSG_WANT << 3 | 2,
		MSG_REDEEM << 3 | 2,  MSG_BYE << 3 | 2,    MSG_BEAT << 3 | 2,   15 << 3,
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(tags); i++) {
		size_t sum = 0;
		struct mem counting = { .ctx = &sum, .resize = counting_resize };
		struct arena a;
		struct msg m;
		struct bytes src = { .at = buffer, .count = sizeof(buffer) };
		size_t start = 0;

		/* At the top, or within an entries body. */
		if (i >= ARRAY_LEN(tags)) {
			struct writer out;

			writer_init(&out, buffer, sizeof(buffer));
			write_u8(&out, MSG_ENTRIES << 3 | 2);
			write_varint(&out, sizeof(buffer) - 4);
			start = out.count;
		}
		for (size_t at = start; at + 1 < sizeof(buffer); at += 2) {
			buffer[at] = tags[i % ARRAY_LEN(tags)];
			buffer[at + 1] = 0;
		}
		arena_init(&a, &counting);
		assert_int_not_equal(message_unpack(src, &a, &m), -ENOMEM);
		/* Chunks are larger than what is taken from them. */
		assert_in_range(sum, 0, 3 * MESSAGE_MEMORY_BYTES);
		arena_fini(&a);
	}
}

static void test_random_bytes_are_harmless(void **state)
{
	uint8_t junk[300];
	struct rng rng;

	(void)state;
	rng_init(&rng, (const uint8_t[RNG_SEED_BYTES]){ 11 });
	for (unsigned i = 0; i < 50000; i++) {
		size_t count = rng_below(&rng, sizeof(junk));
		struct msg m;
		int err;

		rng_bytes(&rng, junk, count);
		if (count > 2) {
			junk[0] = (uint8_t)((1 + rng_below(&rng, 7)) << 3 | 2);
			junk[1] = (uint8_t)MIN_OF(count - 2, 127);
		}
		err = unpack((struct bytes){ .at = junk, .count = count }, &m);
		if (err == 0)
			assert_int_equal(message_check(&m), 0);
		arena_reset(&arena);
	}
}

/* Cut anywhere: refused or, between fields, shorter; never read beyond. */
static void test_cut_messages_are_harmless(void **state)
{
	struct bytes stmts[] = { filled(0, 20), filled(1, 30) };
	struct msg m = { .kind = MSG_ENTRIES };
	struct bytes whole;
	struct msg back;

	(void)state;
	m.u.entries.stmts = stmts;
	m.u.entries.count = 2;
	whole = packed(&m);
	for (size_t cut = 1; cut < whole.count; cut++)
		assert_int_not_equal(unpack((struct bytes){ .at = whole.at, .count = cut }, &back),
		                     0);
}

static void test_every_failing_allocation_is_told(void **state)
{
	struct bytes stmts[] = { filled(0, 4000), filled(1, 4000), filled(2, 4000) };
	struct msg m = { .kind = MSG_ENTRIES };
	struct bytes whole;

	(void)state;
	m.u.entries.stmts = stmts;
	m.u.entries.count = ARRAY_LEN(stmts);
	whole = packed(&m);
	for (size_t n = 1;; n++) {
		struct memtest failing;
		struct message_packed out;
		struct arena a;
		struct msg back;
		int err;

		memtest_failing(&failing, n);
		arena_init(&a, &failing.mem);
		err = message_pack(&m, (struct message_room){ 0, 0 }, &a, &out);
		if (!err)
			err = message_unpack(whole, &a, &back);
		arena_fini(&a);
		memtest_assert_no_leak(&failing);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
	}
}

/* The bytes of each kind, so that a change of the format is seen. */
static void test_golden_bytes(void **state)
{
	uint64_t item = 0x0102030405060708;
	struct bytes stmt = { .at = (const uint8_t *)"signed", .count = 6 };
	struct msg m = { .kind = MSG_BYE };

	(void)state;
	assert_hex(packed(&m), "3a00");
	m = (struct msg){ .kind = MSG_ENTRIES };
	m.u.entries.stmts = &stmt;
	m.u.entries.count = 1;
	assert_hex(packed(&m), "0a080a067369676e6564");
	m = (struct msg){ .kind = MSG_DIGEST };
	memset(m.u.digest.digest, 0x11, DIGEST_BYTES);
	m.u.digest.question = true;
	m.u.digest.members = 300;
	assert_hex(packed(&m), "12170a1011111111111111111111111111111111100118ac02");
	m = (struct msg){ .kind = MSG_SKETCH };
	m.u.sketch.salt = 0x0102030405060708;
	m.u.sketch.from = 16;
	m.u.sketch.symbols = stmt;
	assert_hex(packed(&m), "1a130908070605040302011010"
	                       "1a067369676e6564");
	m = (struct msg){ .kind = MSG_WANT };
	m.u.items.salt = 2;
	m.u.items.items = &item;
	m.u.items.count = 1;
	assert_hex(packed(&m), "2213090200000000000000"
	                       "12080102030405060708");
	m.kind = MSG_ANNOUNCE;
	m.u.items.salt = 0;
	assert_hex(packed(&m), "420a0a080102030405060708");
	m.u.items.repaired = true;
	assert_hex(packed(&m), "420c0a0801020304050607081001");
	m = (struct msg){ .kind = MSG_BEAT_ACK };
	m.u.beat_ack.number = 3;
	m.u.beat_ack.count = 4;
	assert_hex(packed(&m), "720408031004");
	m = (struct msg){ .kind = MSG_REDEEMED };
	m.u.redeemed.request = 5;
	m.u.redeemed.err = ERR_USED_UP;
	assert_hex(packed(&m), "3205080510f207");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_ways_and_pages),
		cmocka_unit_test(test_sketch),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_watchers),
		cmocka_unit_test(test_beats),
		cmocka_unit_test(test_redeem),
		cmocka_unit_test(test_redeemed),
		cmocka_unit_test(test_bye),
		cmocka_unit_test(test_bounds_of_entries),
		cmocka_unit_test(test_bounds_of_lists),
		cmocka_unit_test(test_bounds_of_redeem),
		cmocka_unit_test(test_fields_of_wrong_length_are_refused),
		cmocka_unit_test(test_too_many_entries_are_refused),
		cmocka_unit_test(test_hops_are_bounded),
		cmocka_unit_test(test_later_versions_are_tolerated),
		cmocka_unit_test(test_hostile_repetition_hits_the_budget),
		cmocka_unit_test(test_random_bytes_are_harmless),
		cmocka_unit_test(test_cut_messages_are_harmless),
		cmocka_unit_test(test_every_failing_allocation_is_told),
		cmocka_unit_test(test_golden_bytes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
