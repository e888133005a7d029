/*
 * One member's registers, and what follows from them.
 *
 * Standing, admission in force, digest and fingerprint are functions of the registers, of the mesh
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
	struct map_node *node = map_find(&s->subjects, subject->b);

	return node ? container_of(node, struct entry, by_subject) : NULL;
}

struct entry *entry_new(struct set *s, const struct key *member, const struct key *subject)
{
	struct entry *e = mem_zalloc(s->mem, sizeof(*e));

	if (!e)
		return NULL;
	e->member = *member;
	e->subject = *subject;
	e->standing = STANDING_VOID;
	e->is_passing = true;
	map_insert(&s->members, &e->node, e->member.b);
	map_insert(&s->subjects, &e->by_subject, e->subject.b);
	return e;
}

void entry_free(struct set *s, struct entry *e)
{
	digest_subtract(&s->members_sum, &e->sum);
	s->shown_count -= !e->is_passing;
	s->group_count -= e->standing == STANDING_IN;
	map_remove(&s->members, &e->node);
	map_remove(&s->subjects, &e->by_subject);
	stmt_unref(s->mem, e->record);
	stmt_unref(s->mem, e->remove);
	chain_free(s->mem, &e->admissions);
	chain_free(s->mem, &e->expels);
	mem_free(s->mem, e);
}

/* Where this signer's statement is, or would be. */
static struct held **chain_place(struct held **chain, const struct key *signer)
{
	struct held **at = chain;

	while (*at && key_compare(&(*at)->stmt->signer, signer) < 0)
		at = &(*at)->next;
	return at;
}

struct stmt *chain_find(const struct held *chain, const struct key *signer)
{
	for (const struct held *h = chain; h; h = h->next) {
		if (key_equal(&h->stmt->signer, signer))
			return h->stmt;
	}
	return NULL;
}

int chain_put(const struct mem *m, struct held **chain, struct stmt *stmt)
{
	struct held **at = chain_place(chain, &stmt->signer);
	struct held *h = *at;

	if (h && key_equal(&h->stmt->signer, &stmt->signer)) {
		stmt_unref(m, h->stmt);
		h->stmt = stmt;
		return 0;
	}
	h = mem_zalloc(m, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->stmt = stmt;
	h->next = *at;
	*at = h;
	return 0;
}

void chain_free(const struct mem *m, struct held **chain)
{
	while (*chain) {
		struct held *h = *chain;

		*chain = h->next;
		stmt_unref(m, h->stmt);
		mem_free(m, h);
	}
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
	for (const struct held *h = e->expels; h; h = h->next) {
		if (expel_in_force(s, h->stmt))
			return true;
	}
	return false;
}

static struct stmt *entry_admission(const struct set *s, const struct entry *e)
{
	struct stmt *best = NULL;

	for (const struct held *h = e->admissions; h; h = h->next) {
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
	if (entry_is_expelled(s, e))
		return STANDING_EXPELLED;
	if (!e->admission)
		return STANDING_VOID;
	if (e->remove && (!e->record || e->record->counter <= e->remove->counter))
		return e->remove->cause == CAUSE_LEAVE ? STANDING_LEFT : STANDING_PRUNED;
	if (!e->record)
		return STANDING_ADMITTED;
	return role_is_within(e->record, e->admission) ? STANDING_IN : STANDING_VOID;
}

void entry_judge(struct set *s, struct entry *e)
{
	s->group_count -= e->standing == STANDING_IN;
	e->admission = entry_admission(s, e);
	e->standing = entry_standing(s, e);
	s->group_count += e->standing == STANDING_IN;
}

bool entry_is_live(const struct set *s, const struct entry *e)
{
	if (e->record || e->remove)
		return true;
	for (const struct held *h = e->admissions; h; h = h->next) {
		if (h->stmt->counter >= s->floor)
			return true;
	}
	return false;
}

static void chain_sum(const struct held *chain, struct digest_sum *sum)
{
	for (const struct held *h = chain; h; h = h->next) {
		struct digest_sum one = digest_of(h->stmt);

		digest_add(sum, &one);
	}
}

static struct digest_sum entry_sum(const struct entry *e, bool is_live)
{
	struct digest_sum sum = { 0, 0 };
	struct digest_sum one;

	chain_sum(e->expels, &sum);
	if (is_live)
		chain_sum(e->admissions, &sum);
	if (e->record) {
		one = digest_of(e->record);
		digest_add(&sum, &one);
	}
	if (e->remove) {
		one = digest_of(e->remove);
		digest_add(&sum, &one);
	}
	return sum;
}

void entry_update(struct set *s, struct entry *e)
{
	bool is_live = entry_is_live(s, e);

	entry_judge(s, e);
	s->shown_count -= !e->is_passing;
	e->is_passing = !is_live && !e->expels;
	s->shown_count += !e->is_passing;
	digest_subtract(&s->members_sum, &e->sum);
	e->sum = entry_sum(e, is_live);
	digest_add(&s->members_sum, &e->sum);
	digest_fingerprint(&e->sum, e->fingerprint);
}
