/*
 * Who may do what over the control socket.  Of users it takes for granted only that there is
 * nobody (65534, its group nogroup), as on any Debian, and no user 4242424.
 */
#include "smegd/access.h"

#include "tests/unit/unit.h"

#include <string.h>

#define NOBODY 65534u
#define NO_NAME 4242424u
#define OTHER 4242425u

static struct conf_users nobody = { .count = 2, .list = { "root", "nobody" } };
static struct conf_users nobody_at_all;

static struct access plain(void)
{
	return (struct access){
		.own_uid = 1234,
		.has_group = true,
		.gid = NOBODY,
		.group = "smegmesh",
		.admins = &nobody_at_all,
	};
}

static void test_root_and_the_daemons_user_may_all(void **state)
{
	struct access a = plain();
	struct diag d = { "", "" };

	(void)state;
	a.has_group = false;
	assert_int_equal(access_read(&a, 0, 7, "list", &d), 0);
	assert_int_equal(access_change(&a, 0, 7, "leave", &d), 0);
	assert_int_equal(access_read(&a, 1234, 7, "list", &d), 0);
	assert_int_equal(access_change(&a, 1234, 7, "leave", &d), 0);
}

static void test_members_of_the_group_may_read_only(void **state)
{
	struct access a = plain();
	struct diag d = { "", "" };

	(void)state;
	/* By the process's group, and by the user database. */
	assert_int_equal(access_read(&a, NO_NAME, NOBODY, "list", &d), 0);
	assert_int_equal(access_read(&a, NOBODY, 0, "list", &d), 0);
	assert_int_equal(access_change(&a, NOBODY, NOBODY, "leave a mesh", &d), ERR_NOT_PERMITTED);
	assert_string_equal(d.text,
	                    "user nobody (uid 65534) may not leave a mesh: only root and the "
	                    "users in `admins` may");
	assert_non_null(strstr(d.hint, "add nobody to `admins`"));
}

static void test_strangers_may_nothing(void **state)
{
	struct access a = plain();
	struct diag d = { "", "" };

	(void)state;
	assert_int_equal(access_read(&a, NO_NAME, 7, "list members", &d), ERR_NOT_PERMITTED);
	assert_string_equal(d.text,
	                    "uid 4242424 may not list members: only root and the members of group "
	                    "smegmesh may");
	assert_string_equal(d.hint, "sudo usermod -aG smegmesh USER, then log in again");
	assert_int_equal(access_change(&a, NO_NAME, 7, "leave", &d), ERR_NOT_PERMITTED);
	a.gid = OTHER;
	assert_int_equal(access_read(&a, NOBODY, NOBODY, "list", &d), ERR_NOT_PERMITTED);
	assert_non_null(strstr(d.hint, "usermod -aG smegmesh nobody"));
}

static void test_without_a_group_only_root_reads(void **state)
{
	struct access a = plain();
	struct diag d = { "", "" };

	(void)state;
	a.has_group = false;
	assert_int_equal(access_read(&a, NOBODY, NOBODY, "list", &d), ERR_NOT_PERMITTED);
	assert_non_null(strstr(d.text, "only root may"));
	/* A number left over must not count. */
	a.gid = 0;
	assert_int_equal(access_read(&a, NO_NAME, 0, "list", &d), ERR_NOT_PERMITTED);
}

static void test_admins_may_read_and_change(void **state)
{
	struct access a = plain();
	struct diag d = { "", "" };

	(void)state;
	a.gid = OTHER;
	a.admins = &nobody;
	assert_int_equal(access_read(&a, NOBODY, 7, "list", &d), 0);
	assert_int_equal(access_change(&a, NOBODY, 7, "leave", &d), 0);
	assert_int_equal(access_change(&a, NO_NAME, 7, "leave", &d), ERR_NOT_PERMITTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_and_the_daemons_user_may_all),
		cmocka_unit_test(test_members_of_the_group_may_read_only),
		cmocka_unit_test(test_strangers_may_nothing),
		cmocka_unit_test(test_without_a_group_only_root_reads),
		cmocka_unit_test(test_admins_may_read_and_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
