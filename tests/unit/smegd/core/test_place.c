/*
 * Addresses and device names: golden, because every host computes the same ones.
 */
#include "tests/unit/unit.h"

#include "base/defs.h"
#include "smegd/core/place.h"

#include <string.h>

static const char mesh_a[MESH_ID_BYTES] = "abcdefghijklmnop";
static const char mesh_b[MESH_ID_BYTES] = "abcdefghijklmnoq";

static void test_addresses_are_what_they_always_were(void **state)
{
	static const struct {
		const char *mesh;
		struct key key;
		const char *prefix;
		const char *locator;
	} rows[] = {
		{ mesh_a,
		  { { 0 } },
		  "fd02:ca1:369c:3a01::/64",
		  "fd02:ca1:369c:3a01:44d0:f146:d31d:5cfe" },
		{ mesh_a,
		  { { 1 } },
		  "fd02:ca1:369c:3a01::/64",
		  "fd02:ca1:369c:3a01:1d29:6dc5:b290:bd5f" },
		{ mesh_b,
		  { { 1 } },
		  "fd23:5e8d:4773:a801::/64",
		  "fd23:5e8d:4773:a801:1d29:6dc5:b290:bd5f" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[PREFIX_TEXT_BYTES];
		struct prefix p;
		struct addr a;

		place_prefix(rows[i].mesh, &p);
		prefix_text(&p, text);
		assert_string_equal(text, rows[i].prefix);
		place_locator(rows[i].mesh, &rows[i].key, &a);
		addr_text(&a, text);
		assert_string_equal(text, rows[i].locator);
		assert_true(prefix_contains(&p, &a));
	}
}

static void test_locators_lie_in_their_mesh_and_claim_no_hardware_address(void **state)
{
	struct prefix p;

	(void)state;
	place_prefix(mesh_a, &p);
	assert_int_equal(p.bits, 64);
	assert_int_equal(p.addr.b[0], 0xfd);
	assert_int_equal(p.addr.b[7], 0x01);
	for (size_t i = 0; i < 1000; i++) {
		struct key key = { { (uint8_t)i, (uint8_t)(i >> 8) } };
		struct addr a;

		place_locator(mesh_a, &key, &a);
		assert_true(prefix_contains(&p, &a));
		assert_int_equal(a.b[8] & 0x02, 0);
	}
}

static void test_device_names_fit_and_long_ones_stay_apart(void **state)
{
	static const struct {
		const char *prefix;
		const char *name;
		const char *mesh;
		const char *device;
	} rows[] = {
		{ "smeg", "home", mesh_a, "smeg-home" },
		{ "smeg", "a", mesh_a, "smeg-a" },
		{ "smeg", "tencharact", mesh_a, "smeg-tencharact" },
		{ "smeg", "elevenchars", mesh_a, "smeg-elevenabcd" },
		{ "smeg", "elevencharacters-and-more", mesh_a, "smeg-elevenabcd" },
		{ "wg", "elevenchars", mesh_a, "wg-elevenchars" },
		{ "sevench", "home", mesh_a, "sevench-home" },
		{ "sevench", "longer-name", mesh_a, "sevench-lonabcd" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char device[DEVICE_NAME_BYTES];

		memset(device, 0xab, sizeof(device));
		place_device(rows[i].prefix, rows[i].name, rows[i].mesh, device);
		assert_non_null(memchr(device, 0, sizeof(device)));
		assert_string_equal(device, rows[i].device);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_are_what_they_always_were),
		cmocka_unit_test(test_locators_lie_in_their_mesh_and_claim_no_hardware_address),
		cmocka_unit_test(test_device_names_fit_and_long_ones_stay_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
