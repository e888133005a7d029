/*
 * What is taken from the machine; above all that directories come out closed.
 */
#include "smegd/host.h"

#include "base/addr.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[] = "/tmp/smeg-host-XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(base))
		return -1;
	snprintf(path, sizeof(path), "%s/d", base);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	rmdir(path);
	return 0;
}

static int last(void **state)
{
	(void)state;
	return rmdir(base);
}

static int make(uint32_t mode, struct diag *diag)
{
	const struct host_directory d = { .path = path, .key = "stateDirectory", .mode = mode };
	bool kept;

	*diag = (struct diag){ "", "" };
	return host_directory(&d, &kept, diag);
}

static unsigned mode_of(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_a_directory_is_made_with_its_mode(void **state)
{
	struct diag diag;
	mode_t old = umask(077);

	(void)state;
	assert_int_equal(make(0750, &diag), 0);
	umask(old);
	assert_int_equal(mode_of(), 0750);
}

static void test_an_open_directory_is_closed(void **state)
{
	struct diag diag;

	(void)state;
	assert_int_equal(mkdir(path, 0777), 0);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(make(0700, &diag), 0);
	assert_int_equal(mode_of(), 0700);
}

static void test_a_link_in_its_place_is_refused(void **state)
{
	struct diag diag;

	(void)state;
	assert_int_equal(symlink("/tmp", path), 0);
	assert_true(make(0700, &diag) < 0);
	assert_non_null(strstr(diag.text, path));
}

static void test_a_file_in_its_place_is_refused(void **state)
{
	struct diag diag;
	FILE *f = fopen(path, "w");

	(void)state;
	assert_non_null(f);
	fclose(f);
	assert_int_equal(make(0700, &diag), -ENOTDIR);
}

static void test_a_missing_parent_is_told(void **state)
{
	const struct host_directory d = {
		.path = "/nonexistent/d",
		.key = "runDirectory",
		.mode = 0700,
	};
	struct diag diag = { "", "" };
	bool kept;

	(void)state;
	assert_int_equal(host_directory(&d, &kept, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "cannot make /nonexistent/d"));
	assert_non_null(strstr(diag.hint, "`runDirectory`"));
}

static void test_another_users_directory_is_refused(void **state)
{
	struct diag diag;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(make(0700, &diag), -EPERM);
	assert_non_null(strstr(diag.text, "belongs to another user (uid 65534)"));
}

static void test_the_group_is_set(void **state)
{
	const struct host_directory d = {
		.path = path,
		.key = "runDirectory",
		.mode = 0750,
		.has_group = true,
		.gid = 65534,
	};
	struct diag diag = { "", "" };
	struct stat st;
	bool kept;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(host_directory(&d, &kept, &diag), 0);
	assert_false(kept);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_gid, 65534);
	assert_int_equal(mode_of(), 0750);
}

static void test_clocks_and_entropy_are_there(void **state)
{
	uint8_t zero[32] = { 0 };
	uint8_t a[32] = { 0 };
	uint8_t b[32] = { 0 };
	struct instant one;
	struct instant two;

	(void)state;
	host_clock(&one);
	host_clock(&two);
	assert_true(one.mono_ms > 0 && two.mono_ms >= one.mono_ms);
	assert_true(one.unix_ms > 1600000000000);
	assert_int_equal(host_entropy(a, sizeof(a)), 0);
	assert_int_equal(host_entropy(b, sizeof(b)), 0);
	assert_memory_not_equal(a, zero, sizeof(a));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void test_the_host_name_is_a_label_or_nothing(void **state)
{
	char label[64];
	char small[2] = "x";

	(void)state;
	host_label(label, sizeof(label));
	assert_true(!label[0] || name_is_label(label));
	host_label(small, 1);
	assert_int_equal(small[0], 0);
}

static void test_groups_are_found_by_name(void **state)
{
	uint32_t gid = 7;

	(void)state;
	assert_int_equal(host_group("root", &gid), 0);
	assert_int_equal(gid, 0);
	assert_int_equal(host_group("no-such-group", &gid), -ENOENT);
	assert_int_equal(host_group("0", &gid), -ENOENT); /* a number is no name */
	assert_int_equal(host_group("roo", &gid), -ENOENT);
	assert_int_equal(host_group("-s", &gid), -ENOENT);
}

/* Of the name service nothing is loaded. */
static void test_looking_up_a_group_loads_no_modules(void **state)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[600];

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		assert_null(strstr(line, "libnss_"));
	fclose(f);
}

/* --- the heap; a sanitizer has one of its own --- */

#ifdef __SANITIZE_ADDRESS__
#define IS_OUR_HEAP false
#elif defined(__has_feature)
#define IS_OUR_HEAP !__has_feature(address_sanitizer)
#else
#define IS_OUR_HEAP true
#endif

static void need_our_heap(void)
{
	if (!IS_OUR_HEAP) {
		print_message("skipped: not the C library's heap\n");
		skip();
	}
}

/* Also after a larger one was freed, which by default makes the C library keep such blocks. */
static void test_large_blocks_are_mapped_apart(void **state)
{
	size_t before;
	void *block;

	(void)state;
	need_our_heap();
	host_heap_setup();
	mem_free(&host_heap, mem_alloc(&host_heap, 4u << 20));
	before = mallinfo2().hblks;
	block = mem_alloc(&host_heap, 300000); /* more than ever is free at the end of the heap */
	assert_int_equal(mallinfo2().hblks, before + 1);
	mem_free(&host_heap, block);
	assert_int_equal(mallinfo2().hblks, before);
}

static long resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* What is kept lies in between. */
static void test_trimming_gives_back_holes(void **state)
{
	enum {
		BLOCKS = 20000,
		BYTES = 1000,
		KEPT_EACH = 100
	};
	static void *blocks[BLOCKS];
	long before;

	(void)state;
	need_our_heap();
	for (size_t i = 0; i < BLOCKS; i++) {
		blocks[i] = mem_alloc(&host_heap, BYTES);
		memset(blocks[i], 1, BYTES);
	}
	for (size_t i = 0; i < BLOCKS; i++)
		if (i % KEPT_EACH)
			mem_free(&host_heap, blocks[i]);
	before = resident_bytes();
	host_heap_trim();
	assert_true(before - resident_bytes() > BLOCKS * BYTES / 2);
	for (size_t i = 0; i < BLOCKS; i += KEPT_EACH)
		mem_free(&host_heap, blocks[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_directory_is_made_with_its_mode, teardown),
		cmocka_unit_test_teardown(test_an_open_directory_is_closed, teardown),
		cmocka_unit_test_teardown(test_a_link_in_its_place_is_refused, teardown),
		cmocka_unit_test_teardown(test_a_file_in_its_place_is_refused, teardown),
		cmocka_unit_test(test_a_missing_parent_is_told),
		cmocka_unit_test_teardown(test_another_users_directory_is_refused, teardown),
		cmocka_unit_test_teardown(test_the_group_is_set, teardown),
		cmocka_unit_test(test_clocks_and_entropy_are_there),
		cmocka_unit_test(test_the_host_name_is_a_label_or_nothing),
		cmocka_unit_test(test_groups_are_found_by_name),
		cmocka_unit_test(test_looking_up_a_group_loads_no_modules),
		cmocka_unit_test(test_large_blocks_are_mapped_apart),
		cmocka_unit_test(test_trimming_gives_back_holes),
	};

	return cmocka_run_group_tests(tests, setup, last);
}
