/*
 * The buffer for what comes in on a link: its size follows what comes.
 */
#include "tests/unit/smegd/net/side.h"

#include "smegd/net/pipe_priv.h"

#include <unistd.h>

#define CHUNK 60000u

/* The largest portion of the next `count` bytes from this link. */
static size_t largest_of(struct side *s, uint64_t link, size_t count, size_t *ret_first)
{
	size_t largest = 0;

	for (*ret_first = 0; count > 0;) {
		struct net_news news = side_expect(s, NET_BYTES, link);

		assert_in_range(news.data.count, 1, count);
		count -= news.data.count;
		largest = MAX_OF(largest, news.data.count);
		if (!*ret_first)
			*ret_first = news.data.count;
	}
	return largest;
}

/* A link has a large buffer while much comes, and only then. */
static void test_a_quiet_link_holds_little_memory(void **state)
{
	static const uint8_t bulk[CHUNK];
	struct side s;
	size_t first;

	(void)state;
	side_open(&s, 0);
	int fd = raw_connect(AF_INET, side_listen(&s, 0));
	uint64_t link = side_expect(&s, NET_ACCEPTED, 0).link;

	raw_send(fd, bulk, sizeof(bulk));
	assert_true(largest_of(&s, link, sizeof(bulk), &first) > PIPE_SMALL_BYTES);
	assert_true(first <= PIPE_SMALL_BYTES);
	for (int i = 0; i < 2; i++) {
		raw_send(fd, bulk, 1);
		largest_of(&s, link, 1, &first);
	}
	raw_send(fd, bulk, sizeof(bulk));
	largest_of(&s, link, sizeof(bulk), &first);
	assert_true(first <= PIPE_SMALL_BYTES);
	close(fd);
	side_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_quiet_link_holds_little_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
