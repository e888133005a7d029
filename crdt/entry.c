/*
 * One member's registers, and what follows from them.
 *
 * Standing, admission in force and digest are functions of the registers, of the mesh
 * key's statements and of the floor, and of nothing else: they are computed anew after each change
 * rather than moved along by rules, so that the order of arrival cannot leave a trace.
 *
 *   expelled   any expel in force.  An expel outlives the revocation of who signed it: else one
 *              who was thrown out would come back because the thrower left.  The exception is a
 *              revocation that says the key was stolen (see admit.c).
 *   void       no admission in force, or a record that claims more than the admission allows
 *   in         a record above the remove, or no remove
 *   left, pruned   by the cause of the remove, also when the record is not here
 *   admitted   none of these: we wait for the first record
 *
 * A change goes between entry_open() and entry_close(): the share in the digest is taken out before
 * and put in after, and an entry that clones share is copied first (its statements are not).
 *
 * An admission is in force while its issuer is appointed, or if the revocation lets the member
 * stay.  Among several the greatest counts, so a later admission can widen or narrow the role.
 */
#include "crdt/set_priv.h"

#include "base/mem.h"
#include "crdt/stmt_priv.h"

#include <assert.h>
#include <errno.h>

struct admin *admin_find(const struct set *s, const struct key *sign_public)
{
	struct map_node *node = map_find(&s->admins, sign_public->b);

	return node ? container_of(node, struct admin, node) : NULL;
}

struct entry *entry_find(const struct set *s, const struct key *subject)
{
	return index_find(&s->all, subject);
}

struct entry *entry_new(struct set *s, struct stmt *stmt)
{
	struct entry *e = mem_zalloc(s->mem, sizeof(*e));

	if (!e)
		return NULL;
	e->member = stmt->member;
	e->front = index_front(&stmt->subject);
	e->standing = STANDING_VOID;
	e->is_passing = true;
	e->refs = 1;
	e->held.stmt = stmt_ref(stmt);
	if (index_insert(s->mem, &s->all, e) != 0) {
		entry_unref(s->mem, e);
		return NULL;
	}
	return e;
}

void entry_unref(const struct mem *m, struct entry *e)
{
	assert(e->refs > 0);
	if (--e->refs > 0)
		return;
	stmt_unref(m, e->record);
	stmt_unref(m, e->remove);
	held_free(m, &e->held);
	mem_free(m, e);
}

/* An entry that is this set's alone. */
static struct entry *entry_own(struct set *s, struct entry *e)
{
	struct entry *own;

	if (e->refs == 1)
		return e;
	own = mem_alloc(s->mem, sizeof(*own));
	if (!own)
		return NULL;
	*own = *e;
	own->refs = 1;
	if (held_copy(s->mem, &e->held, &own->held) != 0) {
		mem_free(s->mem, own);
		return NULL;
	}
	if (own->record)
		stmt_ref(own->record);
	if (own->remove)
		stmt_ref(own->remove);
	index_replace(&s->all, e, own);
	if (!e->is_passing)
		index_replace(&s->shown, e, own);
	e->refs--;
	return own;
}

const struct key *entry_subject(const struct entry *e)
{
	const struct stmt *any = e->held.stmt ? e->held.stmt : e->record ? e->record : e->remove;

	assert(any);
	return &any->subject;
}

/* The appoint or revoke of who signed this; set_offer() lets nobody else's in. */
static const struct stmt *authority_of(const struct set *s, const struct stmt *stmt)
{
	const struct admin *a = admin_find(s, &stmt->signer);

	assert(a);
	return a->stmt;
}

bool expel_in_force(const struct set *s, const struct stmt *expel)
{
	const struct stmt *authority = authority_of(s, expel);

	return authority->kind == STMT_APPOINT || !revoke_is_stolen(authority);
}

static bool admission_in_force(const struct set *s, const struct stmt *admission)
{
	const struct stmt *authority = authority_of(s, admission);

	return authority->kind == STMT_APPOINT || revoke_lets_stay(authority, &admission->member);
}

static bool entry_is_expelled(const struct set *s, const struct entry *e)
{
	const struct held *h;

	held_for_each(h, e, STMT_EXPEL) {
		if (expel_in_force(s, h->stmt))
			return true;
	}
	return false;
}

const struct stmt *entry_admission(const struct set *s, const struct entry *e)
{
	const struct stmt *best = NULL;
	const struct held *h;

	held_for_each(h, e, STMT_ADMISSION) {
		if (best && stmt_compare(h->stmt, best) <= 0)
			continue;
		if (admission_in_force(s, h->stmt))
			best = h->stmt;
	}
	return best;
}

static bool role_is_within(const struct stmt *record, const struct stmt *admission)
{
	struct admission a;

	admission_read(admission, &a);
	return a.role == ROLE_PEER || record_role(record) == ROLE_CLIENT;
}

static enum standing entry_standing(const struct set *s, const struct entry *e)
{
	const struct stmt *admission;

	if (entry_is_expelled(s, e))
		return STANDING_EXPELLED;
	admission = entry_admission(s, e);
	if (!admission)
		return STANDING_VOID;
	if (e->remove && (!e->record || e->record->counter <= e->remove->counter))
		return e->remove->cause == CAUSE_LEAVE ? STANDING_LEFT : STANDING_PRUNED;
	if (!e->record)
		return STANDING_ADMITTED;
	return role_is_within(e->record, admission) ? STANDING_IN : STANDING_VOID;
}

/* Do the admissions count: is there a record, a remove, or one that is young?  See set_age(). */
static bool entry_is_live(const struct set *s, const struct entry *e)
{
	const struct held *h;

	if (e->record || e->remove)
		return true;
	held_for_each(h, e, STMT_ADMISSION) {
		if (h->stmt->counter >= s->floor)
			return true;
	}
	return false;
}

struct digest_sum entry_sum(const struct entry *e)
{
	struct digest_sum sum = { 0, 0 };

	for (const struct held *h = held_first(e); h; h = h->next) {
		if (e->is_live || h->stmt->kind == STMT_EXPEL)
			digest_add(&sum, &h->stmt->digest);
	}
	if (e->record)
		digest_add(&sum, &e->record->digest);
	if (e->remove)
		digest_add(&sum, &e->remove->digest);
	return sum;
}

struct entry *entry_open(struct set *s, struct entry *e)
{
	struct digest_sum sum;

	e = entry_own(s, e);
	if (!e)
		return NULL;
	sum = entry_sum(e);
	digest_subtract(&s->members_sum, &sum);
	return e;
}

/* It is shown, or no more; who is not shown is not in. */
static int entry_show(struct set *s, struct entry *e, bool was_shown)
{
	size_t at = index_rank(&s->shown, &e->member);

	if (was_shown) {
		index_remove(&s->shown, e);
		group_remove(&s->group, at);
		return 0;
	}
	if (group_insert(s->mem, &s->group, at, s->shown.count + 1) != 0)
		return -ENOMEM;
	return index_insert(s->mem, &s->shown, e);
}

int entry_close(struct set *s, struct entry *e)
{
	bool was_passing = e->is_passing;
	bool was_in = e->standing == STANDING_IN && !was_passing;
	struct digest_sum sum;
	int err = 0;

	e->is_live = entry_is_live(s, e);
	e->is_passing = !e->is_live && !held_of(e, STMT_EXPEL);
	e->standing = entry_standing(s, e);
	sum = entry_sum(e);
	digest_add(&s->members_sum, &sum);
	if (was_passing != e->is_passing)
		err = entry_show(s, e, !was_passing);
	if (!err && !e->is_passing && was_in != (e->standing == STANDING_IN))
		group_set(&s->group, index_rank(&s->shown, &e->member), !was_in);
	return err;
}

int entry_judge(struct set *s, struct entry *e)
{
	if (entry_standing(s, e) == e->standing)
		return 0;
	e = entry_open(s, e);
	return e ? entry_close(s, e) : -ENOMEM;
}
