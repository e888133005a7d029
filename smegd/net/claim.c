/*
 * Who may have the socket's path.
 *
 * A daemon that was killed leaves its socket behind, and bind() fails on it for ever.  Removing
 * whatever is there (the usual way) takes the path from a daemon that runs: it goes on,
 * unreachable. So we connect first, and remove only what refuses; nng does so as well, but asks
 * neither whether it is a socket (a regular file also "refuses") nor whether somebody else does the
 * same just now.
 *
 * The lock closes that gap: between our refused connect and our bind another daemon may bind, and
 * we would remove its living socket.  It is an flock() on the directory, because a lock file beside
 * the socket would itself be left behind.
 */
#include "smegd/net/claim_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_MS 1000
#define LOCK_PAUSE_MS 5

static void lock_patiently(int fd)
{
	static const struct timespec little = { .tv_nsec = LOCK_PAUSE_MS * 1000000 };

	for (int waited = 0; waited < LOCK_WAIT_MS; waited += LOCK_PAUSE_MS) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return;
		nanosleep(&little, NULL);
	}
}

static int lock_directory(const char *path, struct diag *diag)
{
	char copy[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *dir;
	int fd;
	int err;

	snprintf(copy, sizeof(copy), "%s", path);
	dir = dirname(copy);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		lock_patiently(fd);
		return fd;
	}
	err = -errno;
	diag_set(diag, err, "cannot use the directory %s for the control socket: %s", dir,
	         err_text(err));
	if (err == -ENOENT)
		diag_hint(diag, "mkdir -p %s", dir);
	return err;
}

/* 0: somebody accepts connections there; -ECONNREFUSED: nobody; -errno. */
static int probe(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		err = -errno;
	close(fd);
	/* Its queue is full: somebody is there, busy. */
	return err == -EAGAIN ? 0 : err;
}

static int make_free(const char *path, struct diag *diag)
{
	struct stat st;
	int err;

	if (lstat(path, &st) < 0) {
		err = errno == ENOENT ? 0 : -errno;
		return err ? diag_set(diag, err, "cannot look at %s: %s", path, err_text(err)) : 0;
	}
	if (!S_ISSOCK(st.st_mode)) {
		diag_set(diag, -EEXIST, "%s exists and is not a socket", path);
		diag_hint(diag, "move it away: mv %s %s.old", path, path);
		return -EEXIST;
	}
	err = probe(path);
	if (err == 0) {
		diag_set(diag, ERR_BUSY, "a daemon is listening at %s already", path);
		diag_hint(diag, "see which: ss -lxp src %s", path);
		return ERR_BUSY;
	}
	if (err != -ECONNREFUSED && err != -ENOENT)
		return diag_set(diag, err, "cannot tell who listens at %s: %s", path,
		                err_text(err));
	if (err == -ECONNREFUSED && unlink(path) < 0 && errno != ENOENT) {
		err = -errno;
		return diag_set(diag, err, "cannot remove the stale socket %s: %s", path,
		                err_text(err));
	}
	return 0;
}

int claim_path(const char *path, int *ret_lock, struct diag *diag)
{
	int lock;
	int err;

	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return diag_set(
			diag, -ENAMETOOLONG,
			"the path of the control socket is too long (107 bytes at most): %s", path);
	lock = lock_directory(path, diag);
	if (lock < 0)
		return lock;
	err = make_free(path, diag);
	if (err)
		claim_release(lock);
	else
		*ret_lock = lock;
	return err;
}

void claim_release(int lock)
{
	close(lock);
}
