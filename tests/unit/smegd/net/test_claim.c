/*
 * Where the control socket is: its mode, what was there before, who else wants the place.
 */
#include "tests/unit/smegd/net/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_socket_has_its_mode_and_goes(void **state)
{
	struct place p;
	struct stat st;
	mode_t before = umask(0);

	(void)state;
	place_open(&p);
	umask(before);
	assert_int_equal(stat(p.path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	local_close(p.local);
	p.local = NULL;
	assert_int_equal(stat(p.path, &st), -1);
	place_close(&p);
}

/* What a killed daemon left is removed; what a living one has is not. */
static void test_stale_socket_is_removed_living_is_not(void **state)
{
	struct place p;
	struct place second;
	struct diag diag = { 0 };
	uint64_t conn;

	(void)state;
	place_make(&p);
	close(raw_unix(p.path, true));
	assert_int_equal(place_try(&p, &diag), 0);

	rig_init(&second.rig);
	memcpy(second.path, p.path, sizeof(p.path));
	assert_int_equal(place_try(&second, &diag), ERR_BUSY);
	assert_null(second.local);
	assert_non_null(strstr(diag.text, p.path));
	assert_true(diag.hint[0] != 0);
	rig_fini(&second.rig);

	/* The probe was a client that said nothing; the first still listens. */
	place_expect(&p, LOCAL_CONNECTED, 0);
	place_expect(&p, LOCAL_GONE, 0);
	close(place_client(&p, &conn));
	place_expect(&p, LOCAL_GONE, conn);
	place_close(&p);
}

/* One whose queue is full is alive, too. */
static void test_busy_daemon_is_alive(void **state)
{
	struct place p;
	struct diag diag = { 0 };
	int clients[8];
	size_t count = 0;

	(void)state;
	place_make(&p);
	int listener = raw_unix(p.path, true);
	do
		clients[count] = raw_unix(p.path, false);
	while (clients[count] >= 0 && ++count < ARRAY_LEN(clients));
	assert_true(count < ARRAY_LEN(clients));
	assert_int_equal(place_try(&p, &diag), ERR_BUSY);
	while (count)
		close(clients[--count]);
	close(listener);
	assert_int_equal(unlink(p.path), 0);
	place_close(&p);
}

/* Nothing else is removed, and every refusal has words. */
static void test_unusable_paths_are_told(void **state)
{
	struct place p;
	struct diag diag = { 0 };
	struct stat st;

	(void)state;
	place_make(&p);
	int fd = open(p.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
	assert_int_equal(place_try(&p, &diag), -EEXIST);
	assert_non_null(strstr(diag.text, p.path));
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_size, 8);
	assert_int_equal(unlink(p.path), 0);

	/* A link to a socket is not a socket of ours either. */
	assert_int_equal(symlink("elsewhere", p.path), 0);
	assert_int_equal(place_try(&p, &diag), -EEXIST);
	assert_int_equal(unlink(p.path), 0);

	snprintf(p.path, sizeof(p.path), "%s/missing/smegd.sock", p.dir);
	assert_int_equal(place_try(&p, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "missing"));
	assert_non_null(strstr(diag.hint, "mkdir"));

	char name[200];
	struct local_options options = { &p.rig.mem.mem, rig_wake, &p.rig };
	snprintf(name, sizeof(name), "%s/%0120d", p.dir, 1);
	assert_int_equal(local_open(&options, name, &p.local, &diag), -ENAMETOOLONG);
	place_close(&p);
}

#define RIVALS 6

static void *rival(void *arg)
{
	struct place *p = arg;
	int err = place_try(p, NULL);

	return (void *)(intptr_t)err;
}

/* Of many that find a stale socket at once, one gets the path, and keeps it. */
static void test_one_of_many_gets_the_path(void **state)
{
	(void)state;
	for (int round = 0; round < 100; round++) {
		struct place p[RIVALS];
		pthread_t threads[RIVALS];
		unsigned won = 0;
		struct local *winner = NULL;

		place_make(&p[0]);
		close(raw_unix(p[0].path, true));
		for (size_t i = 0; i < RIVALS; i++) {
			if (i)
				rig_init(&p[i].rig);
			memcpy(p[i].path, p[0].path, sizeof(p[0].path));
			assert_int_equal(pthread_create(&threads[i], NULL, rival, &p[i]), 0);
		}
		for (size_t i = 0; i < RIVALS; i++) {
			void *err;

			assert_int_equal(pthread_join(threads[i], &err), 0);
			if ((intptr_t)err == 0)
				won++;
			else
				assert_int_equal((intptr_t)err, ERR_BUSY);
			if (p[i].local)
				winner = p[i].local;
		}
		assert_int_equal(won, 1);
		int fd = raw_unix(p[0].path, false);
		assert_true(fd >= 0);
		close(fd);
		local_close(winner);
		p[0].local = NULL;
		for (size_t i = 1; i < RIVALS; i++)
			rig_fini(&p[i].rig);
		place_close(&p[0]);
	}
}

/* Who may read the directory can lock it; that keeps no daemon from starting. */
static void test_lock_that_stays_is_passed_over(void **state)
{
	struct place p;

	(void)state;
	place_make(&p);
	int fd = open(p.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	close(raw_unix(p.path, true));
	assert_int_equal(place_try(&p, NULL), 0);
	close(fd);
	place_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_socket_has_its_mode_and_goes),
		cmocka_unit_test(test_stale_socket_is_removed_living_is_not),
		cmocka_unit_test(test_busy_daemon_is_alive),
		cmocka_unit_test(test_unusable_paths_are_told),
		cmocka_unit_test(test_one_of_many_gets_the_path),
		cmocka_unit_test(test_lock_that_stays_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
