/*
 * Starting wireguard-go, so that it outlives us.
 *
 * It must survive our end by Ctrl-C, by signal to our process group, and by crash; so it gets a
 * session of its own and is a grandchild, adopted by init, that we never have to reap.  Letting it
 * put itself into the background was rejected: it then stays in our process group, and the process
 * that listens on its socket is not the one that lives.
 *
 * Between fork and exec only calls are made that are safe in a program with threads.
 *
 * A pidfd tells us if it ends before it answers: a missing /dev/net/tun is known at once and not
 * after the time-out.
 */
#include "smegd/kern/uapi_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEP_MS 5 /* between two looks */

int program_find(const char *name, char *out, size_t cap)
{
	const char *path = getenv("PATH");
	const char *stop;
	int count;

	if (strchr(name, '/')) {
		count = snprintf(out, cap, "%s", name);
		return (size_t)count < cap && access(out, X_OK) == 0 ? 0 : -ENOENT;
	}
	for (path = path ? path : "/usr/sbin:/usr/bin:/sbin:/bin"; *path; path = stop + !!*stop) {
		stop = strchrnul(path, ':');
		count = snprintf(out, cap, "%.*s/%s", (int)(stop - path), path, name);
		if (stop > path && (size_t)count < cap && access(out, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

/* What the grandchild reports: its id, and then, only if exec() fails, why. */
static void report(int fd, int number)
{
	/* Smaller than PIPE_BUF, so whole or not at all; nothing could be done about a failure. */
	if (write(fd, &number, sizeof(number)) < 0)
		_exit(127);
}

/* In the grandchild.  Leaves nothing of ours open but `fd`, which exec() closes. */
static _Noreturn void become(const char *program, const char *device, int fd)
{
	const char *const argv[] = { program, "-f", device, NULL };
	const char *const envp[] = { "LOG_LEVEL=error", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		                     NULL };
	sigset_t none;
	int null;

	report(fd, getpid());
	/* It must survive until exec(), whatever number it has: move it to 3, close all above. */
	if (fd != 3 && dup2(fd, 3) < 0)
		goto out;
	fd = 3;
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		goto out;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || close_range(4, ~0u, 0) < 0 || chdir("/") < 0)
		goto out;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execve(program, (char *const *)argv, (char *const *)envp);
out:
	report(fd, errno);
	_exit(127);
}

/* Fork twice; the child is reaped here, the grandchild is init's. */
static int spawn(const char *program, const char *device, int fd)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return -errno;
	if (child == 0) {
		setsid();
		child = fork();
		if (child == 0)
			become(program, device, fd);
		_exit(child < 0 ? 1 : 0);
	}
	while (waitpid(child, &status, 0) < 0) {
		/* Somebody else reaps our children: then nothing can be known. */
		if (errno != EINTR)
			return 0;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EAGAIN;
}

/* Start it; its process id, or an error. */
static int spawn_reported(const char *program, const char *device)
{
	int ends[2];
	int pid;
	int why;
	int err;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	err = spawn(program, device, ends[1]);
	close(ends[1]);
	if (!err && read(ends[0], &pid, sizeof(pid)) != sizeof(pid))
		err = -ECHILD;
	if (!err && read(ends[0], &why, sizeof(why)) == sizeof(why))
		err = -why;
	close(ends[0]);
	return err ? err : pid;
}

int uapi_start(const char *program, const char *device, const char *path)
{
	struct pollfd ended = { .events = POLLIN };
	int pid = spawn_reported(program, device);
	int err = -ETIMEDOUT;

	if (pid < 0)
		return pid;
	ended.fd = pidfd_open(pid, 0);
	if (ended.fd < 0)
		return errno == ESRCH ? -ECHILD : -errno;
	for (int waited = 0; err == -ETIMEDOUT && waited < UAPI_TIMEOUT_MS; waited += STEP_MS) {
		if (uapi_is_alive(path))
			err = 0;
		else if (poll(&ended, 1, STEP_MS) > 0)
			err = -ECHILD;
	}
	close(ended.fd);
	return err;
}
