/*
 * A sqlite VFS, "torn", that loses what was not synced, for tests.
 *
 * It writes through to the default VFS and remembers of each file what is durable and what was
 * done to it since.  After a crash the files on the disk are what a machine that lost its power may
 * find: of every unsynced write, truncation, creation and removal any part, in any order, torn at
 * sectors of 512 bytes.  The same seed and calls give the same files.
 *
 * It also fails the n-th operation, and can pretend to sync.  One for the process, one thread.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_STORE_TORNVFS_H
#define SMEG_TESTS_UNIT_SMEGD_STORE_TORNVFS_H

#include "base/defs.h"

#define TORNVFS "torn"

enum torn_fault {
	TORN_NONE,
	TORN_FULL,  /* half of a write's sectors, then no space; other operations succeed */
	TORN_ERROR, /* half of a write's sectors, then an I/O error */
};

struct torn_plan {
	uint64_t seed;
	uint64_t crash_at;     /* in this operation the power goes; 0: never */
	uint64_t fail_at;      /* this operation fails; 0: none */
	bool fails_once;       /* and not the later ones too */
	enum torn_fault fault; /* how */
	bool ignores_syncs;
};

/* Forget all files, and begin to count operations (what changes files) at 1. */
void torn_start(const struct torn_plan *plan);

/* Keep the files, replace the plan (but for its seed), begin to count at 1. */
void torn_plan(const struct torn_plan *plan);

uint64_t torn_operations(void);

/* Has the power gone?  Then every operation fails until torn_crash(). */
bool torn_is_dead(void);

/*
 * Let the files be what is found after the power came back, which all is durable.  Nothing may be
 * open any more.  The plan is then one without faults.
 */
void torn_crash(void);

#endif
