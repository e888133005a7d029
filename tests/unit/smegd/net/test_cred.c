/*
 * Who is in a group.  The user database is this file's: it takes the place of the C library's.
 */
#include "tests/unit/unit.h"

#include "smegd/net/cred.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define GID_SMEG 700
#define GID_USERS 100

/* What the database needs of a buffer, and how many groups "busy" is in. */
static size_t entry_bytes;
static int busy_groups;

int getgrnam_r(
	const char *name, struct group *group, char *buffer, size_t bytes, struct group **ret)
{
	(void)buffer;
	*ret = NULL;
	if (bytes < entry_bytes)
		return ERANGE;
	if (strcmp(name, "broken") == 0)
		return EIO;
	if (strcmp(name, "smegmesh") != 0)
		return 0;
	memset(group, 0, sizeof(*group));
	group->gr_gid = GID_SMEG;
	*ret = group;
	return 0;
}

int getpwuid_r(uid_t uid, struct passwd *user, char *buffer, size_t bytes, struct passwd **ret)
{
	static const struct {
		uid_t uid;
		gid_t gid;
		const char *name;
	} users[] = { { 1, GID_USERS, "alice" }, { 2, GID_SMEG, "bob" }, { 3, GID_USERS, "busy" } };

	*ret = NULL;
	if (bytes < entry_bytes)
		return ERANGE;
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		if (users[i].uid != uid)
			continue;
		memset(user, 0, sizeof(*user));
		snprintf(buffer, bytes, "%s", users[i].name);
		user->pw_name = buffer;
		user->pw_gid = users[i].gid;
		*ret = user;
	}
	return 0;
}

/* "busy" is in many groups, the last of which is ours. */
int getgrouplist(const char *user, gid_t group, gid_t *groups, int *count)
{
	int all = strcmp(user, "busy") == 0 ? busy_groups : 1;
	int room = *count;

	*count = all;
	if (room < all)
		return -1;
	for (int i = 0; i < all; i++)
		groups[i] = i == 0 ? group : i == all - 1 ? GID_SMEG : (gid_t)(10000 + i);
	return all;
}

static void test_primary_and_supplementary_groups_count(void **state)
{
	static const size_t sizes[] = { 1, 1024, 1025, 70000 };
	static const int counts[] = { 2, 64, 65, 3000, 65536 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		entry_bytes = sizes[i];
		busy_groups = 2;
		assert_false(cred_in_group(1, GID_USERS, "smegmesh"));
		/* It runs with the group, by newgrp(1) say. */
		assert_true(cred_in_group(1, GID_SMEG, "smegmesh"));
		assert_true(cred_in_group(2, GID_USERS, "smegmesh"));
		for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
			busy_groups = counts[k];
			assert_true(cred_in_group(3, GID_USERS, "smegmesh"));
		}
		busy_groups = 1;
		assert_false(cred_in_group(3, GID_USERS, "smegmesh"));
	}
}

static void test_unknown_is_not_in(void **state)
{
	(void)state;
	entry_bytes = 1;
	busy_groups = 2;
	assert_false(cred_in_group(99, GID_USERS, "smegmesh"));
	assert_true(cred_in_group(99, GID_SMEG, "smegmesh"));
	assert_false(cred_in_group(3, GID_SMEG, "nosuch"));
	assert_false(cred_in_group(3, 0, "broken"));
	/* What does not fit in any memory we give is not there. */
	entry_bytes = 1u << 30;
	assert_false(cred_in_group(2, GID_SMEG, "smegmesh"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_primary_and_supplementary_groups_count),
		cmocka_unit_test(test_unknown_is_not_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
