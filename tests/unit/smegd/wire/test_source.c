/*
 * Token buckets by source: rates, bounds, and who is forgotten.
 */
#include "smegd/wire/source.h"

#include "tests/unit/memtest.h"
#include "tests/unit/unit.h"

#include <errno.h>

static struct memtest mt;
static struct sources sources;

static int setup(void **state)
{
	(void)state;
	memtest_init(&mt);
	sources_init(&sources, &mt.mem);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sources_fini(&sources);
	memtest_assert_no_leak(&mt);
	return 0;
}

static struct instant at(int64_t mono_ms)
{
	return (struct instant){ .mono_ms = mono_ms };
}

static struct addr v4_of(unsigned n)
{
	const uint8_t v4[4] = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
	struct addr a;

	addr_from_v4(&a, v4);
	return a;
}

static struct source *get(const struct addr *a, int64_t now_ms)
{
	struct source *src;

	assert_int_equal(source_get(&sources, a, at(now_ms), &src), 0);
	return src;
}

static unsigned spend_all(struct source *src, int64_t now_ms)
{
	unsigned count = 0;

	while (source_spend(src, at(now_ms)))
		count++;
	return count;
}

static void test_burst_and_rate(void **state)
{
	struct addr a = v4_of(1);
	struct source *src = get(&a, 1000);

	(void)state;
	assert_int_equal(spend_all(src, 1000), SOURCE_BURST);
	assert_int_equal(spend_all(src, 1015), 0);
	assert_int_equal(spend_all(src, 1016), 1);
	assert_int_equal(spend_all(src, 2016), SOURCE_PER_SECOND);
	/* It fills up and no more, however long one waits, and a clock that stands gives nothing.
	 */
	assert_int_equal(spend_all(src, INT64_MAX), SOURCE_BURST);
	assert_int_equal(spend_all(src, INT64_MAX), 0);
}

static void test_addresses_of_one_network_are_one_source(void **state)
{
	struct addr a = { { 0x20, 1, 0, 0, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9 } };
	struct addr b = { { 0x20, 1, 0, 0, 0, 0, 0, 1, 1 } };
	struct addr c = { { 0x20, 1, 0, 0, 0, 0, 0, 2, 1 } };
	struct addr d = v4_of(1);
	struct addr e = v4_of(2);

	(void)state;
	assert_ptr_equal(get(&a, 0), get(&b, 0));
	assert_ptr_not_equal(get(&a, 0), get(&c, 0));
	assert_ptr_not_equal(get(&d, 0), get(&e, 0));
}

/* The least recently used is forgotten; one with half-open links is not. */
static void test_memory_is_bounded(void **state)
{
	struct addr a = v4_of(0);
	struct source *held = get(&a, 0);
	struct source *used;

	(void)state;
	source_hold(held);
	for (unsigned n = 1; n < LIMIT_SOURCES; n++) {
		a = v4_of(n);
		spend_all(get(&a, 0), 0);
	}
	assert_int_equal(sources.map.count, LIMIT_SOURCES);
	a = v4_of(1);
	used = get(&a, 0);
	for (unsigned n = 0; n < LIMIT_SOURCES / 2; n++) {
		a = v4_of(5000 + n);
		assert_non_null(get(&a, 0));
		assert_int_equal(sources.map.count, LIMIT_SOURCES);
	}
	a = v4_of(0);
	assert_ptr_equal(get(&a, 0), held);
	a = v4_of(1);
	assert_ptr_equal(get(&a, 0), used);
	assert_int_equal(spend_all(used, 0), 0);
	a = v4_of(2);
	assert_int_equal(spend_all(get(&a, 0), 0), SOURCE_BURST);
	source_release(&sources, held);
	assert_int_equal(held->half_open, 0);
}

/* When all are busy there is no source for another. */
static void test_all_busy(void **state)
{
	struct source *busy[LIMIT_SOURCES];
	struct addr a;

	(void)state;
	for (unsigned n = 0; n < LIMIT_SOURCES; n++) {
		a = v4_of(n);
		busy[n] = get(&a, 0);
		source_hold(busy[n]);
	}
	a = v4_of(9999);
	assert_null(get(&a, 0));
	source_release(&sources, busy[7]);
	assert_non_null(get(&a, 0));
}

static void test_out_of_memory_is_told(void **state)
{
	struct addr a = v4_of(1);
	struct source *src;

	(void)state;
	mt.fail_at = 1;
	assert_int_equal(source_get(&sources, &a, at(0), &src), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_burst_and_rate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses_of_one_network_are_one_source, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_memory_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_of_memory_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
