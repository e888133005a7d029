/*
 * Who may do what over the control socket.
 *
 * The socket tells uid and gid of the process that connected, not its supplementary groups, so the
 * group's members are looked up in the user database.  That may ask a directory server and take its
 * time; it happens only for those who are neither root nor ourselves.
 *
 * Names in `admins` are looked up at each request as well: a user who is deleted and made anew with
 * another number is another user.
 */
#include "smegd/access.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NSS_BYTES 16384
#define GROUPS_MAX 256

struct person {
	uint32_t uid;
	uint32_t gid; /* of its process */
	bool has_name;
	char name[64];
	gid_t groups[GROUPS_MAX];
	int groups_count;
};

static void look_up(struct person *p, uint32_t uid, uint32_t gid)
{
	char buffer[NSS_BYTES];
	struct passwd entry;
	struct passwd *found = NULL;

	memset(p, 0, sizeof(*p));
	p->uid = uid;
	p->gid = gid;
	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) || !found)
		return;
	p->has_name = true;
	snprintf(p->name, sizeof(p->name), "%s", found->pw_name);
	p->groups_count = GROUPS_MAX;
	/* -1: more groups than fit; those that do are filled in. */
	if (getgrouplist(found->pw_name, found->pw_gid, p->groups, &p->groups_count) < 0)
		p->groups_count = GROUPS_MAX;
}

static bool is_in_group(const struct access *a, const struct person *p)
{
	if (!a->has_group)
		return false;
	if (p->gid == a->gid)
		return true;
	for (int i = 0; i < p->groups_count; i++)
		if (p->groups[i] == a->gid)
			return true;
	return false;
}

static bool is_admin(const struct access *a, const struct person *p)
{
	for (size_t i = 0; p->has_name && i < a->admins->count; i++)
		if (strcmp(a->admins->list[i], p->name) == 0)
			return true;
	return false;
}

static int refuse(const struct person *p, const char *verb, const char *who, struct diag *diag)
{
	return diag_set(diag, ERR_NOT_PERMITTED, "%s%s%suid %u%s may not %s: %s may",
	                p->has_name ? "user " : "", p->name, p->has_name ? " (" : "", p->uid,
	                p->has_name ? ")" : "", verb, who);
}

int access_read(
	const struct access *a, uint32_t uid, uint32_t gid, const char *verb, struct diag *diag)
{
	struct person p;
	char who[96];

	if (uid == 0 || uid == a->own_uid)
		return 0;
	look_up(&p, uid, gid);
	if (is_in_group(a, &p) || is_admin(a, &p))
		return 0;
	if (!a->has_group) {
		refuse(&p, verb, "only root", diag);
		diag_hint(diag, "use sudo");
		return ERR_NOT_PERMITTED;
	}
	snprintf(who, sizeof(who), "only root and the members of group %s", a->group);
	refuse(&p, verb, who, diag);
	diag_hint(diag, "sudo usermod -aG %s %s, then log in again", a->group,
	          p.has_name ? p.name : "USER");
	return ERR_NOT_PERMITTED;
}

int access_change(
	const struct access *a, uint32_t uid, uint32_t gid, const char *verb, struct diag *diag)
{
	struct person p;

	if (uid == 0 || uid == a->own_uid)
		return 0;
	look_up(&p, uid, gid);
	if (is_admin(a, &p))
		return 0;
	refuse(&p, verb, "only root and the users in `admins`", diag);
	if (p.has_name)
		diag_hint(diag, "use sudo, or add %s to `admins` in %s", p.name, CONF_FILE_DEFAULT);
	else
		diag_hint(diag, "use sudo");
	return ERR_NOT_PERMITTED;
}
