/*
 * What the daemon takes from the machine it runs on.
 *
 * The monotonic clock is CLOCK_BOOTTIME: a laptop that wakes after an hour must know that its
 * sessions are an hour old.
 *
 * The heap: one arena, as one thread does nearly all of the allocating and each of nng's would take
 * pages of its own; and what is large is mapped apart, so that it is gone when it is freed.  By
 * default the C library raises that threshold each time such a block is freed, and holes of the
 * size of a join's largest steps would stay for ever.  What is small leaves holes too: they are
 * given back now and then, whatever they lie between.
 *
 * Groups are looked up by getent(1): the modules of the name service (systemd's, LDAP's) stay out
 * of a process that holds keys, and out of its memory, where they would take 380 KiB for one
 * number.
 *
 * Directories are opened first and then looked at and changed through the descriptor, so that
 * nobody can swap a path between two looks; a link in place of the last name is refused.
 */
#include "smegd/host.h"

#include "base/addr.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEAP_APART_BYTES 65536
#define GETENT "/usr/bin/getent"
#define GETENT_NOT_FOUND 2

static void *heap_resize(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	if (bytes > 0)
		return realloc(ptr, bytes);
	free(ptr);
	return NULL;
}

const struct mem host_heap = { .resize = heap_resize };

void host_heap_setup(void)
{
	/* Neither fails; and if so, the process is larger. */
	if (!mallopt(M_ARENA_MAX, 1) || !mallopt(M_MMAP_THRESHOLD, HEAP_APART_BYTES))
		return;
}

void host_heap_trim(void)
{
	malloc_trim(0);
}

static int64_t clock_ms(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t))
		abort(); /* these two clocks are always there */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void host_clock(struct instant *ret)
{
	ret->mono_ms = clock_ms(CLOCK_BOOTTIME);
	ret->unix_ms = clock_ms(CLOCK_REALTIME);
}

int host_entropy(void *out, size_t bytes)
{
	size_t have = 0;

	while (have < bytes) {
		ssize_t n = getrandom((char *)out + have, bytes - have, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			have += (size_t)n;
	}
	return 0;
}

void host_harden(void)
{
	const struct rlimit none = { 0, 0 };

	umask(077);
	/* Neither can fail for a reason that we could do anything about. */
	if (prctl(PR_SET_DUMPABLE, 0) || setrlimit(RLIMIT_CORE, &none))
		return;
}

void host_label(char *out, size_t cap)
{
	char name[256];

	assert(cap > 0);
	out[0] = 0;
	if (gethostname(name, sizeof(name)))
		return;
	name[sizeof(name) - 1] = 0;
	name[strcspn(name, ".")] = 0;
	for (char *c = name; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + 'a' - 'A');
	if (name_is_label(name) && strlen(name) < cap)
		strcpy(out, name);
}

/* --- groups --------------------------------------------------------------------------------- */

/* Its standard output in *ret_fd.  0 or -errno. */
static int start_getent(const char *name, pid_t *ret_child, int *ret_fd)
{
	char word[] = "getent";
	char end[] = "--";
	char what[] = "group";
	char asked[256];
	char *argv[] = { word, end, what, asked, NULL };
	char *env[] = { NULL };
	posix_spawn_file_actions_t actions;
	int ends[2];
	int err;

	if ((size_t)snprintf(asked, sizeof(asked), "%s", name) >= sizeof(asked))
		return -ENAMETOOLONG;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	err = posix_spawn_file_actions_init(&actions);
	if (!err) {
		err = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
		if (!err)
			err = posix_spawn(ret_child, GETENT, &actions, NULL, argv, env);
		posix_spawn_file_actions_destroy(&actions);
	}
	close(ends[1]);
	*ret_fd = ends[0];
	if (err)
		close(ends[0]);
	return -err;
}

/* name:password:number:members; also what somebody else has who is asked for by number. */
static bool group_number(const char *line, const char *name, uint32_t *ret_gid)
{
	size_t count = strlen(name);
	const char *at = line + count;
	unsigned long number;
	char *end;

	if (strncmp(line, name, count) != 0 || *at != ':')
		return false;
	at = strchr(at + 1, ':');
	if (!at || at[1] < '0' || at[1] > '9')
		return false;
	number = strtoul(at + 1, &end, 10);
	if (*end != ':' || number > UINT32_MAX)
		return false;
	*ret_gid = (uint32_t)number;
	return true;
}

/* 0, -ENOENT, or another: it could not be asked. */
static int ask_getent(const char *name, uint32_t *ret_gid)
{
	char line[1024]; /* members may be cut off */
	size_t count = 0;
	ssize_t n = 0;
	pid_t child;
	int status;
	int fd = -1;
	int err = start_getent(name, &child, &fd);

	if (err)
		return err;
	do {
		n = read(fd, line + count, sizeof(line) - 1 - count);
		count += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	line[count] = 0;
	close(fd);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (group_number(line, name, ret_gid))
		return 0;
	return count > 0 || (WIFEXITED(status) && WEXITSTATUS(status) == GETENT_NOT_FOUND) ? -ENOENT
	                                                                                   : -EIO;
}

int host_group(const char *name, uint32_t *ret_gid)
{
	char buffer[16384];
	struct group entry;
	struct group *found;
	int err = ask_getent(name, ret_gid);

	if (!err || err == -ENOENT)
		return err;
	err = getgrnam_r(name, &entry, buffer, sizeof(buffer), &found);
	if (!found)
		return err && err != ENOENT ? -err : -ENOENT;
	*ret_gid = found->gr_gid;
	return 0;
}

/* --- directories ---------------------------------------------------------------------------- */

static int fail_directory(const struct host_directory *d,
                          const char *what,
                          int err,
                          struct diag *diag)
{
	diag_set(diag, err, "cannot %s %s: %s", what, d->path, err_text(err));
	if (err == -EACCES || err == -EPERM || err == -EROFS)
		diag_hint(diag, "run as root, or choose another place: `%s`", d->key);
	else if (err == -ENOENT)
		diag_hint(diag, "make the directory that it is in, or choose another: `%s`",
		          d->key);
	return err;
}

static int settle(const struct host_directory *d, int fd, bool *ret_kept_group, struct diag *diag)
{
	struct stat st;

	if (fstat(fd, &st))
		return fail_directory(d, "look at", -errno, diag);
	if (st.st_uid != geteuid()) {
		diag_set(diag, -EPERM, "%s belongs to another user (uid %u)", d->path,
		         (unsigned)st.st_uid);
		diag_hint(diag, "run as that user, or choose another place: `%s`", d->key);
		return -EPERM;
	}
	if (d->has_group && st.st_gid != d->gid && fchown(fd, (uid_t)-1, d->gid)) {
		if (errno != EPERM)
			return fail_directory(d, "set the group of", -errno, diag);
		*ret_kept_group = true;
	}
	if ((st.st_mode & 07777) != d->mode && fchmod(fd, d->mode))
		return fail_directory(d, "set the permissions of", -errno, diag);
	return 0;
}

int host_directory(const struct host_directory *d, bool *ret_kept_group, struct diag *diag)
{
	int err;
	int fd;

	*ret_kept_group = false;
	if (mkdir(d->path, d->mode & 0700) && errno != EEXIST)
		return fail_directory(d, "make", -errno, diag);
	fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_directory(d, "open", -errno, diag);
	err = settle(d, fd, ret_kept_group, diag);
	close(fd);
	return err;
}
