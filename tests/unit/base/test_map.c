/*
 * The map against a sorted array, under random operations, with its invariants checked after each.
 *
 * SEED=n in the environment repeats a run; the seed is printed at the start.
 */
#include "tests/unit/unit.h"

#include "base/map.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_BYTES_HERE 4
#define ELEMENTS 4096
#define UNIVERSE 600 /* of keys, in the random run: few enough to meet again */

struct element {
	uint8_t key[KEY_BYTES_HERE];
	bool is_in;
	struct map_node node;
};

/* Static, as they are too many for a stack. */
static struct element elements[ELEMENTS];
static struct element others[ELEMENTS];

/* Element i has key i, big-endian: the order of keys is that of indexes. */
static void elements_init(struct element *e)
{
	for (uint32_t i = 0; i < ELEMENTS; i++) {
		e[i] = (struct element){ .key = { 0, 0, (uint8_t)(i >> 8), (uint8_t)i } };
		memset(&e[i].node, 0xab, sizeof(e[i].node));
	}
}

static struct element *element_of(struct map_node *node)
{
	return node ? container_of(node, struct element, node) : NULL;
}

static void rng_start(struct rng *r, uint64_t n)
{
	uint8_t seed[RNG_SEED_BYTES] = { 0 };

	for (unsigned i = 0; i < 8; i++)
		seed[i] = (uint8_t)(n >> 8 * i);
	rng_init(r, seed);
}

static uint64_t run_seed(void)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	print_message("SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

static void shuffle(struct rng *r, uint32_t *order, size_t count)
{
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (size_t i = count; i > 1; i--) {
		size_t j = rng_below(r, i);
		uint32_t tmp = order[i - 1];

		order[i - 1] = order[j];
		order[j] = tmp;
	}
}

static void node_check(const struct map *m, const struct map_node *node)
{
	const struct map_node *children[] = { node->left, node->right };

	for (unsigned i = 0; i < 2; i++) {
		const struct map_node *child = children[i];
		int order;

		if (!child)
			continue;
		assert_ptr_equal(child->up, node);
		assert_true(child->priority <= node->priority);
		order = memcmp(child->key, node->key, m->key_bytes);
		assert_true(i == 0 ? order < 0 : order > 0);
	}
}

/* Links, heap order, key order, count; returns the depth. */
static size_t map_check(const struct map *m)
{
	const struct map_node *before = NULL;
	struct map_node *node;
	size_t count = 0;
	size_t deepest = 0;

	assert_true(!m->root || !m->root->up);
	map_for_each(node, m) {
		size_t depth = 1;

		node_check(m, node);
		for (const struct map_node *up = node->up; up; up = up->up)
			depth++;
		deepest = MAX_OF(deepest, depth);
		assert_true(!before || memcmp(before->key, node->key, m->key_bytes) < 0);
		assert_ptr_equal(node->before, before);
		before = node;
		count++;
	}
	assert_int_equal(count, m->count);
	return deepest;
}

/* The reference: the first element at or after `i` that is in. */
static struct element *next_in(uint32_t i)
{
	while (i < UNIVERSE && !elements[i].is_in)
		i++;
	return i < UNIVERSE ? &elements[i] : NULL;
}

static void check_lookups(const struct map *m)
{
	size_t index = 0;

	for (uint32_t i = 0; i < UNIVERSE; i++) {
		struct element *e = &elements[i];

		assert_ptr_equal(element_of(map_find(m, e->key)), e->is_in ? e : NULL);
		assert_ptr_equal(element_of(map_at_least(m, e->key)), next_in(i));
		if (e->is_in)
			assert_ptr_equal(element_of(map_nth(m, index++)), e);
	}
	assert_int_equal(index, m->count);
	assert_ptr_equal(element_of(map_first(m)), next_in(0));
}

static void test_random_operations_agree_with_a_sorted_array(void **state)
{
	struct map m;
	struct rng r;

	(void)state;
	rng_start(&r, run_seed());
	elements_init(elements);
	map_init(&m, KEY_BYTES_HERE);
	for (unsigned step = 0; step < 6000; step++) {
		struct element *e = &elements[rng_below(&r, UNIVERSE)];
		/* Grow, then shrink, then grow: both full and empty are reached. */
		bool is_growing = step / 2000 % 2 == 0;

		if (e->is_in && rng_below(&r, is_growing ? 8 : 1) == 0) {
			map_remove(&m, &e->node);
			e->is_in = false;
		} else if (!e->is_in && rng_below(&r, is_growing ? 1 : 8) == 0) {
			map_insert(&m, &e->node, e->key);
			e->is_in = true;
		}
		if (step % 16 == 0)
			map_check(&m);
		if (step % 500 == 0)
			check_lookups(&m);
	}
	map_check(&m);
	check_lookups(&m);
}

static void test_an_empty_map_has_nothing(void **state)
{
	struct map m;

	(void)state;
	elements_init(elements);
	map_init(&m, KEY_BYTES_HERE);
	assert_null(map_first(&m));
	assert_null(map_find(&m, elements[0].key));
	assert_null(map_at_least(&m, elements[0].key));
	map_insert(&m, &elements[0].node, elements[0].key);
	map_remove(&m, &elements[0].node);
	assert_null(m.root);
	assert_null(map_first(&m));
	assert_int_equal(m.count, 0);
	assert_null(elements[0].node.key);
}

/* Same links between the same keys? */
static void assert_same_shape(const struct map *a, const struct map *b)
{
	struct map_node *x = map_first(a);
	struct map_node *y = map_first(b);

	while (x && y) {
		assert_memory_equal(x->key, y->key, a->key_bytes);
		assert_int_equal(!x->up, !y->up);
		if (x->up)
			assert_memory_equal(x->up->key, y->up->key, a->key_bytes);
		x = map_next(x);
		y = map_next(y);
	}
	assert_null(x);
	assert_null(y);
}

/* One map gets the even keys in order; the other all in disorder, then loses the odd ones. */
static void test_the_shape_does_not_depend_on_history(void **state)
{
	uint32_t order[UNIVERSE];
	struct map one;
	struct map two;
	struct rng r;

	(void)state;
	rng_start(&r, run_seed());
	elements_init(elements);
	elements_init(others);
	map_init(&one, KEY_BYTES_HERE);
	map_init(&two, KEY_BYTES_HERE);
	for (uint32_t i = 0; i < UNIVERSE; i += 2)
		map_insert(&one, &elements[i].node, elements[i].key);
	shuffle(&r, order, UNIVERSE);
	for (uint32_t i = 0; i < UNIVERSE; i++)
		map_insert(&two, &others[order[i]].node, others[order[i]].key);
	shuffle(&r, order, UNIVERSE);
	for (uint32_t i = 0; i < UNIVERSE; i++) {
		if (order[i] % 2 == 1)
			map_remove(&two, &others[order[i]].node);
	}
	assert_same_shape(&one, &two);
}

/* SipHash-2-4 under a zero key, read big-endian; computed apart. */
static void test_priorities_are_the_same_everywhere(void **state)
{
	struct map m;

	(void)state;
	elements_init(elements);
	map_init(&m, KEY_BYTES_HERE);
	map_insert(&m, &elements[1].node, elements[1].key);
	map_insert(&m, &elements[2].node, elements[2].key);
	assert_true(elements[1].node.priority == 0xf7b79f63f566766b);
	assert_true(elements[2].node.priority == 0x2452eb92fe0029b6);
}

/* Keys that come in order are the worst case of a plain tree.  4096 in perfect balance: 13. */
static void test_keys_in_order_give_no_deep_tree(void **state)
{
	struct map m;

	(void)state;
	elements_init(elements);
	map_init(&m, KEY_BYTES_HERE);
	for (uint32_t i = 0; i < ELEMENTS; i++)
		map_insert(&m, &elements[i].node, elements[i].key);
	assert_in_range(map_check(&m), 13, 40);
}

static void test_the_current_element_may_be_removed_and_overwritten(void **state)
{
	struct map_node *pos;
	struct map_node *tmp;
	uint32_t seen = 0;
	struct map m;

	(void)state;
	elements_init(elements);
	map_init(&m, KEY_BYTES_HERE);
	for (uint32_t i = 0; i < UNIVERSE; i++)
		map_insert(&m, &elements[i].node, elements[i].key);
	map_for_each_safe(pos, tmp, &m) {
		struct element *e = element_of(pos);

		assert_ptr_equal(e, &elements[seen]);
		if (seen++ % 3 > 0) {
			map_remove(&m, pos);
			memset(e, 0xab, sizeof(*e));
		}
	}
	assert_int_equal(seen, UNIVERSE);
	assert_int_equal(m.count, UNIVERSE / 3);
	map_check(&m);
}

/* Only the first key_bytes bytes count, and 32 bytes are a key like any other. */
static void test_the_width_of_keys_is_the_maps(void **state)
{
	uint8_t keys[3][32] = { { [31] = 2 }, { [31] = 1 }, { [0] = 1 } };
	struct map_node nodes[3];
	struct map wide;
	struct map narrow;

	(void)state;
	map_init(&wide, 32);
	for (unsigned i = 0; i < 3; i++)
		map_insert(&wide, &nodes[i], keys[i]);
	assert_ptr_equal(map_nth(&wide, 0), &nodes[1]);
	assert_ptr_equal(map_nth(&wide, 1), &nodes[0]);
	assert_ptr_equal(map_nth(&wide, 2), &nodes[2]);
	map_init(&narrow, 1);
	map_insert(&narrow, &nodes[0], keys[0]);
	assert_ptr_equal(map_find(&narrow, keys[1]), &nodes[0]);
	assert_null(map_find(&narrow, keys[2]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations_agree_with_a_sorted_array),
		cmocka_unit_test(test_an_empty_map_has_nothing),
		cmocka_unit_test(test_the_shape_does_not_depend_on_history),
		cmocka_unit_test(test_priorities_are_the_same_everywhere),
		cmocka_unit_test(test_keys_in_order_give_no_deep_tree),
		cmocka_unit_test(test_the_current_element_may_be_removed_and_overwritten),
		cmocka_unit_test(test_the_width_of_keys_is_the_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
