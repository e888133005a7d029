/*
 * A struct mem for tests: over malloc(), counted, and failing where it is told to.
 *
 * It is nastier than the C library on purpose: every resize moves the block, and memory that was
 * not asked to be zero is filled with 0xAB, so that a stale pointer or a forgotten initialisation
 * shows in the plain build and not only under a sanitizer.
 *
 * To walk every failure of a function, fail the n-th call for n = 1, 2, ... until it succeeds:
 *
 *	for (size_t n = 1;; n++) {
 *		struct memtest mt;
 *		memtest_failing(&mt, n);
 *		int err = thing_do(&thing, &mt.mem);
 *		thing_fini(&thing);
 *		memtest_assert_no_leak(&mt);
 *		if (err == 0)
 *			break;
 *		assert_int_equal(err, -ENOMEM);
 *	}
 */
#ifndef SMEG_TESTS_UNIT_MEMTEST_H
#define SMEG_TESTS_UNIT_MEMTEST_H

#include "tests/unit/unit.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* More than any test needs at once; a size gone wrong should fail alike in every build. */
#define MEMTEST_BYTES_MAX ((size_t)1 << 30)

struct memtest {
	struct mem mem; /* borrows the memtest: do not copy or move it while in use */
	size_t live;    /* blocks not freed yet */
	size_t calls;   /* requests for memory so far, failed ones too; frees do not count */
	size_t fail_at; /* the request that fails, counted from 1; 0 = never */
};

/* Before each block: its size, padded so that what follows is aligned for any type. */
struct memtest_head {
	alignas(max_align_t) size_t bytes;
};

static inline void *memtest_resize(void *ctx, void *ptr, size_t bytes)
{
	struct memtest *mt = ctx;
	struct memtest_head *old = ptr ? (struct memtest_head *)ptr - 1 : NULL;
	struct memtest_head *new;

	if (bytes == 0) {
		if (old) {
			assert_true(mt->live > 0);
			mt->live--;
			memset(ptr, 0xab, old->bytes);
			free(old);
		}
		return NULL;
	}
	if (++mt->calls == mt->fail_at || bytes > MEMTEST_BYTES_MAX)
		return NULL;
	new = malloc(sizeof(*new) + bytes);
	if (!new)
		return NULL;
	new->bytes = bytes;
	memset(new + 1, 0xab, bytes);
	if (old) {
		memcpy(new + 1, ptr, old->bytes < bytes ? old->bytes : bytes);
		memset(ptr, 0xab, old->bytes);
		free(old);
	} else {
		mt->live++;
	}
	return new + 1;
}

/* Fails at the n-th request; 0 = never. */
static inline void memtest_failing(struct memtest *mt, size_t n)
{
	*mt = (struct memtest){ .mem = { .ctx = mt, .resize = memtest_resize }, .fail_at = n };
}

static inline void memtest_init(struct memtest *mt)
{
	memtest_failing(mt, 0);
}

#define memtest_assert_no_leak(mt) assert_int_equal((mt)->live, 0)

#endif
