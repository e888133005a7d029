/*
 * Netlink datagrams: the end of an answer, its verdict, and whose answer it is.
 */
#include "smegd/kern/nl_priv.h"

#include "base/err.h"
#include "tests/unit/smegd/kern/recorded.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>

#define A_TYPE 0x20

/* A datagram under construction. */
struct gram {
	alignas(struct nlmsghdr) uint8_t bytes[512];
	size_t count;
};

static struct nlmsghdr *gram_add(struct gram *g, uint16_t type, const void *payload, size_t bytes)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(g->bytes + g->count);

	m->nlmsg_type = type;
	m->nlmsg_seq = RECORDED_SEQ;
	m->nlmsg_pid = RECORDED_PORT;
	memcpy(mnl_nlmsg_put_extra_header(m, bytes), payload, bytes);
	g->count += m->nlmsg_len;
	return m;
}

static void gram_end(struct gram *g, uint16_t type, int32_t verdict)
{
	gram_add(g, type, &verdict, sizeof(verdict));
}

/* What was heard. */
struct heard {
	int count;
	int fail_at; /* 0: never */
};

static int on_message(const struct nlmsghdr *m, void *ctx)
{
	struct heard *h = ctx;

	assert_int_equal(m->nlmsg_type, A_TYPE);
	return ++h->count == h->fail_at ? -ENOMEM : 0;
}

static struct nl_await parse(const struct gram *g, struct heard *h)
{
	struct nl_await await = {
		.seq = RECORDED_SEQ, .port = RECORDED_PORT, .fn = on_message, .ctx = h
	};

	nl_parse(g->bytes, g->count, &await);
	return await;
}

static void test_an_answer_ends_with_its_verdict(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		int32_t verdict;
		int err;
	} rows[] = {
		{ "acknowledged", NLMSG_ERROR, 0, 0 },
		{ "refused", NLMSG_ERROR, -EPERM, -EPERM },
		{ "end of a dump", NLMSG_DONE, 0, 0 },
		{ "end of a failed dump", NLMSG_DONE, -ENODEV, -ENODEV },
		{ "a verdict that is none", NLMSG_ERROR, 5, ERR_MALFORMED },
		{ "a verdict out of range", NLMSG_DONE, -4096, ERR_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct gram g = { .count = 0 };
		struct heard h = { .count = 0 };
		struct nl_await await;

		print_message("%s\n", rows[i].name);
		gram_add(&g, A_TYPE, "abcd", 4);
		gram_end(&g, rows[i].type, rows[i].verdict);
		gram_add(&g, A_TYPE, "after", 5);
		await = parse(&g, &h);
		assert_true(await.is_done);
		assert_int_equal(await.err, rows[i].err);
		assert_int_equal(h.count, 1);
	}
}

static void test_answers_to_others_are_passed_over(void **state)
{
	struct gram g = { .count = 0 };
	struct heard h = { .count = 0 };
	struct nl_await await;

	(void)state;
	gram_add(&g, A_TYPE, "abcd", 4)->nlmsg_seq++;
	gram_add(&g, A_TYPE, "abcd", 4)->nlmsg_pid++;
	gram_add(&g, NLMSG_NOOP, "abcd", 4);
	await = parse(&g, &h);
	assert_false(await.is_done);
	assert_int_equal(await.err, 0);
	assert_int_equal(h.count, 0);
}

static void test_an_interrupted_dump_is_noted(void **state)
{
	struct gram g = { .count = 0 };
	struct heard h = { .count = 0 };
	struct nl_await await;

	(void)state;
	gram_add(&g, A_TYPE, "abcd", 4)->nlmsg_flags |= NLM_F_DUMP_INTR;
	gram_end(&g, NLMSG_DONE, 0);
	await = parse(&g, &h);
	assert_true(await.is_done);
	assert_true(await.is_interrupted);
	assert_int_equal(await.err, 0);
}

static void test_after_a_failure_the_end_is_still_found(void **state)
{
	struct gram g = { .count = 0 };
	struct heard h = { .fail_at = 2 };
	struct nl_await await;

	(void)state;
	for (int i = 0; i < 4; i++)
		gram_add(&g, A_TYPE, "abcd", 4);
	gram_end(&g, NLMSG_DONE, 0);
	await = parse(&g, &h);
	assert_true(await.is_done);
	assert_int_equal(await.err, -ENOMEM);
	assert_int_equal(h.count, 2);
}

static void test_a_datagram_cut_anywhere_is_malformed(void **state)
{
	struct gram g = { .count = 0 };
	size_t first;

	(void)state;
	gram_add(&g, A_TYPE, "abcd", 4);
	first = g.count;
	gram_end(&g, NLMSG_DONE, 0);
	for (size_t count = 1; count < g.count; count++) {
		struct nl_await await = { .seq = RECORDED_SEQ, .port = RECORDED_PORT };
		uint8_t *cut = malloc(count);

		assert_non_null(cut);
		memcpy(cut, g.bytes, count);
		nl_parse(cut, count, &await);
		free(cut);
		assert_false(await.is_done);
		assert_int_equal(await.err, count == first ? 0 : ERR_MALFORMED);
	}
}

static void test_lengths_that_cannot_be_are_malformed(void **state)
{
	/* The last is negative to libmnl, and so passes there. */
	static const uint32_t lengths[] = { 0, 4, 15, 21, UINT32_MAX - 3 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct gram g = { .count = 0 };
		struct heard h = { .count = 0 };

		gram_add(&g, A_TYPE, "abcd", 4)->nlmsg_len = lengths[i];
		assert_int_equal(parse(&g, &h).err, ERR_MALFORMED);
		assert_int_equal(h.count, 0);
	}
}

static void test_attributes_are_sorted_by_type(void **state)
{
	struct gram g = { .count = 0 };
	const struct nlattr *table[4];
	struct nlmsghdr *m = gram_add(&g, A_TYPE, "head", 4);
	char text[4];

	(void)state;
	mnl_attr_put_u32(m, 1, 11);
	mnl_attr_put_u16(m, 9, 99);
	mnl_attr_put_u32(m, 1, 12);
	mnl_attr_put_strz(m, 3, "longer");
	assert_int_equal(nl_message_attrs(m, 4, table, 3), 0);
	assert_int_equal(nl_u32(table[1], 0), 12);
	assert_null(table[2]);
	assert_int_equal(nl_u32(table[2], 5), 5);
	/* Of another length than asked for. */
	assert_int_equal(nl_u16(table[1], 5), 5);
	assert_int_equal(nl_u64(table[1], 5), 5);
	nl_text(table[3], text, sizeof(text));
	assert_string_equal(text, "lon");
	nl_text(NULL, text, sizeof(text));
	assert_string_equal(text, "");
	m->nlmsg_len -= 8;
	assert_int_equal(nl_message_attrs(m, 4, table, 3), ERR_MALFORMED);
	m->nlmsg_len = sizeof(*m) + 3;
	assert_int_equal(nl_message_attrs(m, 4, table, 3), ERR_MALFORMED);
}

static void test_recorded_refusals(void **state)
{
	(void)state;
	assert_int_equal(recorded_parse("refused", NULL, NULL), -EPERM);
	assert_int_equal(recorded_parse("notwireguard", NULL, NULL), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_ends_with_its_verdict),
		cmocka_unit_test(test_answers_to_others_are_passed_over),
		cmocka_unit_test(test_an_interrupted_dump_is_noted),
		cmocka_unit_test(test_after_a_failure_the_end_is_still_found),
		cmocka_unit_test(test_a_datagram_cut_anywhere_is_malformed),
		cmocka_unit_test(test_lengths_that_cannot_be_are_malformed),
		cmocka_unit_test(test_attributes_are_sorted_by_type),
		cmocka_unit_test(test_recorded_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
