/*
 * Group membership by name.
 *
 * The kernel tells a peer's uid and gid (SO_PEERCRED), and since Linux 4.13 its supplementary
 * groups (SO_PEERGROUPS); nng hands out only the former and keeps the descriptor to itself.  So the
 * groups are asked of the user database.  The difference shows in two cases: a process that dropped
 * a group still counts as in it, and one that was started before its user was added counts at once.
 * The second is what people expect; the first cannot reach the socket's file in any case, since
 * that the kernel checks against the process.
 */
#include "smegd/net/cred.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#define ENTRY_BYTES_FIRST 1024u
#define ENTRY_BYTES_MAX (1u << 20) /* a group line lists its members, so it may be long */
#define GROUPS_FIRST 64
#define GROUPS_MAX 65536 /* NGROUPS_MAX */

static bool find_group(const char *name, char *buffer, size_t bytes, gid_t *ret_gid, int *ret_err)
{
	struct group group;
	struct group *found = NULL;

	*ret_err = getgrnam_r(name, &group, buffer, bytes, &found);
	if (found)
		*ret_gid = group.gr_gid;
	return found;
}

static bool gid_of(const char *name, gid_t *ret_gid)
{
	for (size_t bytes = ENTRY_BYTES_FIRST; bytes <= ENTRY_BYTES_MAX; bytes *= 2) {
		char *buffer = malloc(bytes);
		int err = ENOMEM;
		bool found = buffer && find_group(name, buffer, bytes, ret_gid, &err);

		free(buffer);
		if (err != ERANGE)
			return found;
	}
	return false;
}

/* getgrouplist() says by its second argument how many there are when they do not fit. */
static bool is_listed(const char *user, gid_t primary, gid_t wanted)
{
	for (int room = GROUPS_FIRST; room <= GROUPS_MAX; room *= 4) {
		gid_t *groups = calloc((size_t)room, sizeof(*groups));
		int count = room;
		bool found = false;
		bool fits = groups && getgrouplist(user, primary, groups, &count) >= 0;

		for (int i = 0; fits && i < count; i++)
			found = found || groups[i] == wanted;
		free(groups);
		if (fits || !groups)
			return found;
	}
	return false;
}

static bool user_is_in(uid_t uid, gid_t wanted)
{
	for (size_t bytes = ENTRY_BYTES_FIRST; bytes <= ENTRY_BYTES_MAX; bytes *= 2) {
		char *buffer = malloc(bytes);
		struct passwd user;
		struct passwd *found = NULL;
		int err = buffer ? getpwuid_r(uid, &user, buffer, bytes, &found) : ENOMEM;
		bool is_in = found && (user.pw_gid == wanted ||
		                       is_listed(user.pw_name, user.pw_gid, wanted));

		free(buffer);
		if (err != ERANGE)
			return is_in;
	}
	return false;
}

bool cred_in_group(uint32_t uid, uint32_t gid, const char *name)
{
	gid_t wanted = 0;

	if (!gid_of(name, &wanted))
		return false;
	return gid == wanted || user_is_in(uid, wanted);
}
