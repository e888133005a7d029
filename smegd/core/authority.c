/*
 * expel, appoint, revoke: what administrators and the holder of the mesh key do to members.
 *
 * All three are statements that enter by mesh_offer() like any other; here is decided only who is
 * meant, whether this host can sign it so that others believe it, and what a revocation lets stay.
 *
 * A member is named by key, address or alias.  Aliases are free text of their owners, so two
 * members may have one: then nobody is meant, and the error lists the keys.  Who is in the group is
 * looked at before who has left, and that before who was expelled: a host that was set up anew
 * must not be shielded by its predecessor.  A statement about the expelled is allowed, for one
 * administrator may have to confirm what another, whose key was stolen, has signed.
 *
 * Dates: a register only moves up, so a statement is dated above the one that it replaces whatever
 * the clock says.
 *
 * A revocation lists whose admission rests on the revoked one alone.  Those are all that the set
 * would put out; listing everybody it ever admitted would reach the limit of a statement sooner.
 * Where they do not fit, and this host is another administrator, it admits them itself first, with
 * the same rights.  Rejected: to refuse and leave that to people, who would have to do it three
 * thousand times.
 *
 * To expel an administrator does not take its office: that is the mesh key's to take, and the
 * result says so.
 */
#include "smegd/core/command.h"

#include "smegd/core/node_priv.h"

#include <errno.h>
#include <string.h>

#define CANDIDATES_SHOWN 4
#define NAMES_BYTES 320

/* --- who is meant --------------------------------------------------------------------------- */

enum rank {
	RANK_CURRENT, /* in the group, or about to be */
	RANK_FORMER,
	RANK_EXPELLED,
	RANK__COUNT
};

static enum rank rank_of(const struct entry *e)
{
	switch (e->standing) {
	case STANDING_IN:
	case STANDING_ADMITTED:
	case STANDING_PRUNED:
		return RANK_CURRENT;
	case STANDING_EXPELLED:
		return RANK_EXPELLED;
	case STANDING_LEFT:
	case STANDING_VOID:
		break;
	}
	return RANK_FORMER;
}

/* "" if it has none. */
static void alias_of(const struct entry *e, char out[LIMIT_NAME_BYTES + 1])
{
	struct record r;

	out[0] = 0;
	if (!e->record)
		return;
	record_read(e->record, &r);
	memcpy(out, r.alias.at, MIN_OF(r.alias.count, LIMIT_NAME_BYTES));
	out[MIN_OF(r.alias.count, LIMIT_NAME_BYTES)] = 0;
}

/* For people: its alias, or else its key. */
static void name_of(const struct entry *e, char out[LIMIT_NAME_BYTES + 1])
{
	_Static_assert(KEY_TEXT_BYTES <= LIMIT_NAME_BYTES + 1, "a key is a name");
	alias_of(e, out);
	if (!out[0])
		key_text(&e->member, out);
}

static bool has_alias(const struct entry *e, const char *alias)
{
	char own[LIMIT_NAME_BYTES + 1];

	alias_of(e, own);
	return own[0] && strcmp(own, alias) == 0;
}

static bool has_address(const struct mesh *m, const struct entry *e, const struct addr *a)
{
	struct addr own;

	place_locator(m->id, &e->member, &own);
	return memcmp(&own, a, sizeof(own)) == 0;
}

struct search {
	size_t count;
	const struct entry *first[CANDIDATES_SHOWN];
};

static void found(struct search *s, const struct entry *e)
{
	if (s->count < CANDIDATES_SHOWN)
		s->first[s->count] = e;
	s->count++;
}

static void search(const struct mesh *m, const char *text, struct search *s)
{
	const struct entry *e;
	struct addr address;
	struct key key;

	memset(s, 0, sizeof(*s));
	if (key_parse(&key, text) == 0) {
		e = set_find(m->set, &key);
		if (e)
			found(s, e);
		return;
	}
	if (addr_parse(&address, text) == 0) {
		set_for_each(e, i, m->set)
			if (has_address(m, e, &address))
				found(s, e);
		return;
	}
	for (int rank = 0; rank < RANK__COUNT && !s->count; rank++)
		set_for_each(e, i, m->set)
			if ((int)rank_of(e) == rank && has_alias(e, text))
				found(s, e);
}

struct names {
	char text[NAMES_BYTES];
	size_t count;
};

/* Those that do not fit are left out whole. */
static void names_add(struct names *n, const char *name)
{
	size_t bytes = strlen(name);
	size_t comma = n->count ? 2 : 0;

	if (n->count + comma + bytes >= sizeof(n->text))
		return;
	memcpy(n->text + n->count, ", ", comma);
	memcpy(n->text + n->count + comma, name, bytes + 1);
	n->count += comma + bytes;
}

static int several(const struct command *c, const struct search *s, struct diag *diag)
{
	struct names names = { .count = 0 };
	char key[KEY_TEXT_BYTES];

	for (size_t i = 0; i < MIN_OF(s->count, CANDIDATES_SHOWN); i++) {
		key_text(&s->first[i]->member, key);
		names_add(&names, key);
	}
	diag_set(diag, ERR_USAGE, "\"%s\" may be any of %zu members: %s%s", c->member, s->count,
	         names.text, s->count > CANDIDATES_SHOWN ? ", ..." : "");
	diag_hint(diag, "name the one you mean by its key");
	return ERR_USAGE;
}

static int find_member(const struct mesh *m,
                       const struct command *c,
                       const struct entry **ret,
                       struct diag *diag)
{
	struct search s;

	search(m, c->member, &s);
	if (s.count > 1)
		return several(c, &s, diag);
	if (s.count == 0) {
		diag_set(diag, ERR_NO_MEMBER,
		         "mesh \"%s\" has no member with the alias, key or address \"%s\"", m->name,
		         c->member);
		diag_hint(diag, "smegctl list %s --all", m->name);
		return ERR_NO_MEMBER;
	}
	*ret = s.first[0];
	return 0;
}

/* --- who may -------------------------------------------------------------------------------- */

static bool is_self(const struct mesh *m, const struct entry *e)
{
	return key_equal(&e->member, &m->self.box_public);
}

/* Those in the group; returns how many. */
static size_t administrators(const struct mesh *m, struct names *ret)
{
	const struct entry *e;
	char name[LIMIT_NAME_BYTES + 1];
	size_t count = 0;

	memset(ret, 0, sizeof(*ret));
	set_for_each(e, i, m->set) {
		if (e->standing != STANDING_IN || !set_is_administrator(m->set, entry_subject(e)))
			continue;
		name_of(e, name);
		names_add(ret, name);
		count++;
	}
	return count;
}

static int may_expel(const struct mesh *m, struct diag *diag)
{
	struct names names;
	size_t count;

	if (set_is_administrator(m->set, &m->self.sign_public))
		return 0;
	count = administrators(m, &names);
	diag_set(diag, ERR_NOT_AUTHORISED,
	         "this host is not an administrator of mesh \"%s\", so others would not believe "
	         "it; who is: %s",
	         m->name, count ? names.text : "nobody in the group");
	diag_hint(diag, "run the same command on an administrator");
	return ERR_NOT_AUTHORISED;
}

static int has_mesh_key(const struct mesh *m, struct diag *diag)
{
	if (m->has_mesh_pair)
		return 0;
	diag_set(diag, ERR_NOT_AUTHORISED,
	         "the key of mesh \"%s\" is not on this host, and only it appoints and revokes "
	         "administrators",
	         m->name);
	diag_hint(diag, "run the same command on the host that made the mesh");
	return ERR_NOT_AUTHORISED;
}

/* --- statements in force -------------------------------------------------------------------- */

/* The statement of one register, by kind, subject and signer. */
struct register_of {
	const struct key *subject;
	const struct key *signer; /* NULL: the mesh key */
	const struct stmt *held;
};

static int match(void *ctx, const struct stmt *s)
{
	struct register_of *r = ctx;

	if (r->signer && (s->kind != STMT_EXPEL || !key_equal(&s->signer, r->signer)))
		return 0;
	if (key_equal(&s->subject, r->subject))
		r->held = s;
	return 0;
}

/* Its appoint or revoke, or NULL. */
static const struct stmt *office_of(const struct mesh *m, const struct entry *e)
{
	struct register_of r = { .subject = entry_subject(e) };

	return set_visit_member(m->set, NULL, match, &r) ? NULL : r.held;
}

static const struct stmt *own_expel_of(const struct mesh *m, const struct entry *e)
{
	struct register_of r = { .subject = entry_subject(e), .signer = &m->self.sign_public };

	return set_visit_member(m->set, &e->member, match, &r) ? NULL : r.held;
}

static uint64_t dated_above(const struct step *st, const struct stmt *held)
{
	uint64_t now = (uint64_t)st->now.unix_ms;

	return held ? MAX_OF(now, held->counter + 1) : now;
}

/* Takes the statement.  False: refused, or out of memory. */
static bool enter(struct step *st, struct mesh *m, struct stmt *s)
{
	enum offer offer = mesh_offer(st, m, s->raw, 0);

	stmt_unref(st->n->mem, s);
	return offer == OFFER_NEW && !st->err;
}

/* --- expel ---------------------------------------------------------------------------------- */

static int not_self(const struct mesh *m, const struct entry *e, struct diag *diag)
{
	if (!is_self(m, e))
		return 0;
	diag_set(diag, ERR_USAGE, "this is the host itself, and no host can expel itself");
	diag_hint(diag, "smegctl leave %s", m->name);
	return ERR_USAGE;
}

static int expel(struct step *st, struct mesh *m, const struct command *c, struct command_result *r)
{
	const struct entry *e = NULL;
	struct stmt *s;
	int err = may_expel(m, &r->diag);

	if (!err)
		err = find_member(m, c, &e, &r->diag);
	if (!err)
		err = not_self(m, e, &r->diag);
	if (!err) {
		const struct expulsion x = {
			.subject = *entry_subject(e),
			.issued_ms = dated_above(st, own_expel_of(m, e)),
			.keep_invites = c->keep_invites,
		};

		r->member = e->member;
		name_of(e, r->member_name);
		r->member_is_admin = set_is_administrator(m->set, entry_subject(e));
		err = expel_sign(st->n->mem, &x, &m->self, &m->mesh_public, &s);
	}
	if (err)
		return err;
	return enter(st, m, s) ? 0 : ERR_INTERNAL;
}

/* --- appoint -------------------------------------------------------------------------------- */

static int is_in_group(const struct mesh *m, const struct entry *e, struct diag *diag)
{
	if (rank_of(e) == RANK_CURRENT)
		return 0;
	diag_set(diag, ERR_NOT_ADMITTED, "it has left mesh \"%s\", or was expelled from it",
	         m->name);
	diag_hint(diag, "smegctl list %s --all", m->name);
	return ERR_NOT_ADMITTED;
}

static int appoint(struct step *st,
                   struct mesh *m,
                   const struct command *c,
                   struct command_result *r)
{
	const struct entry *e = NULL;
	struct stmt *s;
	int err = has_mesh_key(m, &r->diag);

	if (!err)
		err = find_member(m, c, &e, &r->diag);
	if (!err)
		err = is_in_group(m, e, &r->diag);
	if (err)
		return err;
	r->member = e->member;
	name_of(e, r->member_name);
	r->member_is_admin = true;
	r->is_unchanged = set_is_administrator(m->set, entry_subject(e));
	if (r->is_unchanged)
		return 0;
	err = appoint_sign(st->n->mem, entry_subject(e), dated_above(st, office_of(m, e)),
	                   &m->mesh_pair, &s);
	if (err || enter(st, m, s))
		return err;
	return diag_set(&r->diag, ERR_LIMIT,
	                "mesh \"%s\" has had %u administrators, which is the most", m->name,
	                LIMIT_ADMINS);
}

/* --- revoke --------------------------------------------------------------------------------- */

/* Would be out if this administrator's admissions were void. */
static bool rests_on(const struct mesh *m, const struct entry *e, const struct key *administrator)
{
	const struct stmt *admission = entry_admission(m->set, e);

	return rank_of(e) == RANK_CURRENT && admission &&
	       key_equal(&admission->signer, administrator);
}

static size_t count_resting(const struct mesh *m, const struct key *administrator)
{
	const struct entry *e;
	size_t count = 0;

	set_for_each(e, i, m->set)
		count += rests_on(m, e, administrator);
	return count;
}

static size_t count_expelled(const struct mesh *m)
{
	const struct entry *e;
	size_t count = 0;

	set_for_each(e, i, m->set)
		count += e->standing == STANDING_EXPELLED;
	return count;
}

static int sign_revoke(struct step *st,
                       struct mesh *m,
                       const struct entry *who,
                       struct revocation *revocation,
                       struct stmt **ret)
{
	const struct entry *e;
	size_t room = count_resting(m, entry_subject(who));
	struct key *stay = step_alloc(st, (room + 1) * sizeof(*stay));

	if (!stay)
		return -ENOMEM;
	revocation->administrator = *entry_subject(who);
	revocation->issued_ms = dated_above(st, office_of(m, who));
	revocation->stay = stay;
	revocation->stay_count = 0;
	set_for_each(e, i, m->set)
		if (rests_on(m, e, entry_subject(who)))
			stay[revocation->stay_count++] = e->member;
	return revoke_sign(st->n->mem, revocation, &m->mesh_pair, ret);
}

/* Admit whoever rests on `who`, as this host and with the same rights. */
static int admit_over(struct step *st, struct mesh *m, const struct entry *who, size_t *ret_count)
{
	const struct entry *e;
	/* Copied: what `who` points to holds until the set changes. */
	const struct key subject = *entry_subject(who);

	set_for_each(e, i, m->set) {
		struct admission a;
		struct stmt *s;
		int err;

		if (!rests_on(m, e, &subject))
			continue;
		admission_read(entry_admission(m->set, e), &a);
		a.issued_ms = dated_above(st, entry_admission(m->set, e));
		memset(a.invite, 0, sizeof(a.invite));
		err = admission_sign(st->n->mem, &a, &m->self, &m->mesh_public, &s);
		if (err)
			return err;
		if (!enter(st, m, s))
			return ERR_INTERNAL;
		++*ret_count;
	}
	return 0;
}

static int too_many(const struct mesh *m, const struct entry *who, struct diag *diag)
{
	char name[LIMIT_NAME_BYTES + 1];

	name_of(who, name);
	diag_set(diag, ERR_TOO_BIG,
	         "%zu members are in by the admission of %s alone, and a revocation can name some "
	         "230 that stay; nothing was changed",
	         count_resting(m, entry_subject(who)), name);
	diag_hint(diag,
	          "if this host were an administrator, and another than %s, it would admit "
	          "them anew",
	          name);
	return ERR_TOO_BIG;
}

static int make_revoke(struct step *st,
                       struct mesh *m,
                       const struct entry *who,
                       bool is_stolen,
                       struct command_result *r)
{
	bool can_admit = set_is_administrator(m->set, &m->self.sign_public) && !is_self(m, who);
	struct revocation revocation = { .is_stolen = is_stolen };
	size_t expelled = count_expelled(m);
	struct stmt *s = NULL;
	int err = sign_revoke(st, m, who, &revocation, &s);

	if (err == ERR_TOO_BIG && !can_admit)
		return too_many(m, who, &r->diag);
	if (err == ERR_TOO_BIG) {
		err = admit_over(st, m, who, &r->readmitted);
		if (!err)
			err = sign_revoke(st, m, who, &revocation, &s);
	}
	if (err)
		return err;
	r->stay = revocation.stay_count;
	if (!enter(st, m, s))
		return ERR_INTERNAL;
	r->returned = expelled - count_expelled(m);
	return 0;
}

/* So that the mesh does not end up with nobody who can invite. */
static int is_not_last(const struct mesh *m,
                       const struct entry *e,
                       const struct command *c,
                       struct diag *diag)
{
	struct names names;

	if (c->is_stolen || e->standing != STANDING_IN || administrators(m, &names) > 1)
		return 0;
	diag_set(diag, ERR_USAGE,
	         "it is the last administrator of mesh \"%s\": nobody could invite or expel any "
	         "more",
	         m->name);
	diag_hint(diag, "appoint another first: smegctl appoint MEMBER --mesh %s", m->name);
	return ERR_USAGE;
}

/* 0: there is something to revoke, unless *ret_done. */
static int check_office(const struct mesh *m,
                        const struct entry *e,
                        const struct command *c,
                        bool *ret_done,
                        struct diag *diag)
{
	const struct stmt *office = office_of(m, e);

	*ret_done = false;
	if (!office) {
		diag_set(diag, ERR_USAGE, "it is no administrator of mesh \"%s\"", m->name);
		diag_hint(diag, "who is: smegctl list %s", m->name);
		return ERR_USAGE;
	}
	if (office->kind == STMT_APPOINT)
		return is_not_last(m, e, c, diag);
	*ret_done = revoke_is_stolen(office) || !c->is_stolen;
	return 0;
}

static int revoke(struct step *st,
                  struct mesh *m,
                  const struct command *c,
                  struct command_result *r)
{
	const struct entry *e = NULL;
	int err = has_mesh_key(m, &r->diag);

	if (!err)
		err = find_member(m, c, &e, &r->diag);
	if (!err)
		err = check_office(m, e, c, &r->is_unchanged, &r->diag);
	if (err)
		return err;
	r->member = e->member;
	name_of(e, r->member_name);
	return r->is_unchanged ? 0 : make_revoke(st, m, e, c->is_stolen, r);
}

/* --- all three ------------------------------------------------------------------------------ */

void authority_run(struct step *st, const struct command *c)
{
	struct mesh *m = command_mesh(st, c);
	struct command_result *r = m ? step_alloc(st, sizeof(*r)) : NULL;
	int err;

	if (!r)
		return;
	if (c->kind == CMD_EXPEL)
		err = expel(st, m, c, r);
	else if (c->kind == CMD_APPOINT)
		err = appoint(st, m, c, r);
	else
		err = revoke(st, m, c, r);
	if (err) {
		command_fail(st, c->request, err, &r->diag);
		return;
	}
	command_result_mesh(r, m);
	command_done(st, c->request, r);
}
