/*
 * Offers: what is let into a set.
 *
 * An offer goes through gates from cheap to dear: form, what we hold (most of what arrives is known
 * already and ends here, having cost no memory and no arithmetic on curves), dates, authority,
 * room, signatures.  Only then does a register move, and only upwards.
 *
 * Authority to be *kept* is wider than authority to *count*: a statement is kept if its signer was
 * ever appointed (for a record or remove: if its member was ever admitted), and whether it counts
 * is derived afterwards (entry.c).  Otherwise a replica that hears of a revocation first would
 * refuse what another one holds, and the two would never agree.  A stranger still can't fill our
 * memory; a revoked administrator can, up to members_max, and `life` takes it away again.
 *
 * What arrives before its authority is refused and comes again by repair: a replica sends in the
 * order of set_visit_member().
 */
#include "crdt/set_priv.h"

#include "base/err.h"
#include "base/mem.h"
#include "crdt/pool_priv.h"
#include "crdt/stmt_priv.h"

#include <errno.h>

/* An offer on its way through the gates. */
struct proposal {
	struct stmt stmt;    /* borrows the bytes */
	struct stmt *pooled; /* the same, if the pool has it; borrowed */
	struct entry *entry;
	struct admin *admin; /* appoint, revoke: the one it is about */
	struct offer_terms terms;
};

static bool is_by_mesh_key(const struct stmt *stmt)
{
	return stmt->kind == STMT_APPOINT || stmt->kind == STMT_REVOKE;
}

static bool is_by_administrator(const struct stmt *stmt)
{
	return stmt->kind == STMT_ADMISSION || stmt->kind == STMT_EXPEL;
}

/* What the register that this is for holds now. */
static const struct stmt *proposal_held(const struct proposal *p)
{
	if (is_by_mesh_key(&p->stmt))
		return p->admin ? p->admin->stmt : NULL;
	if (!p->entry)
		return NULL;
	switch (p->stmt.kind) {
	case STMT_RECORD:
		return p->entry->record;
	case STMT_REMOVE:
		return p->entry->remove;
	default:
		return held_find(p->entry, p->stmt.kind, &p->stmt.signer);
	}
}

static int dates_check(const struct set *s, const struct proposal *p)
{
	uint64_t now_ms = p->terms.now.unix_ms > 0 ? (uint64_t)p->terms.now.unix_ms : 0;
	uint64_t life_ms = (uint64_t)s->life_ms;
	uint64_t floor = s->floor;

	if (!p->terms.trusted && p->stmt.counter > now_ms &&
	    p->stmt.counter - now_ms > (uint64_t)RECORD_AHEAD_MS)
		return ERR_AHEAD;
	if (p->stmt.kind != STMT_RECORD && p->stmt.kind != STMT_REMOVE)
		return 0;
	if (!p->terms.trusted && now_ms > life_ms)
		floor = MAX_OF(floor, now_ms - life_ms);
	return p->stmt.counter < floor ? ERR_STALE : 0;
}

static int authority_check(const struct set *s, const struct proposal *p)
{
	if (is_by_mesh_key(&p->stmt))
		return !p->admin && s->admins.count >= LIMIT_ADMINS ? ERR_LIMIT : 0;
	if (!is_by_administrator(&p->stmt))
		return p->entry && held_of(p->entry, STMT_ADMISSION) ? 0 : ERR_NOT_ADMITTED;
	if (!admin_find(s, &p->stmt.signer))
		return ERR_NOT_AUTHORISED;
	return !p->entry && s->all.count >= s->members_max ? ERR_LIMIT : 0;
}

/* Convert the key, unless that was done before, and verify. */
static int proposal_believe(const struct set *s, struct proposal *p)
{
	int err = 0;

	if (p->entry)
		p->stmt.member = p->entry->member;
	else if (p->admin)
		p->stmt.member = p->admin->stmt->member;
	else if (key_is_zero(&p->stmt.member))
		err = stmt_member(&p->stmt);
	if (err != 0 || p->terms.trusted)
		return err;
	if (p->pooled && pool_is_verified(p->pooled, &s->mesh_public))
		return 0;
	return stmt_verify(&p->stmt, &s->mesh_public);
}

static void register_put(const struct mem *m, struct stmt **place, struct stmt *stmt)
{
	stmt_unref(m, *place);
	*place = stmt_ref(stmt);
}

static int entry_put(struct set *s, struct entry *e, struct stmt *stmt)
{
	if (is_by_administrator(stmt))
		return held_put(s->mem, e, stmt);
	register_put(s->mem, stmt->kind == STMT_RECORD ? &e->record : &e->remove, stmt);
	return 0;
}

static int member_apply(struct set *s,
                        const struct proposal *p,
                        struct stmt *stmt,
                        struct offered *ret_offered)
{
	struct entry *e = p->entry;
	int err = 0;

	if (e) {
		ret_offered->before = e->is_passing ? STANDING_VOID : e->standing;
		e = entry_open(s, e);
		err = e ? entry_put(s, e, stmt) : -ENOMEM;
	} else {
		e = entry_new(s, stmt);
		err = e ? 0 : -ENOMEM;
	}
	if (err != 0)
		return err;
	ret_offered->entry = e;
	return entry_close(s, e);
}

/* Whoever this administrator admitted or expelled may stand differently now. */
static int roster_judge(struct set *s, const struct key *administrator)
{
	int err = 0;

	for (size_t i = 0; i < s->all.count && err == 0; i++) {
		struct entry *e = s->all.list[i];

		if (held_find(e, STMT_ADMISSION, administrator) ||
		    held_find(e, STMT_EXPEL, administrator))
			err = entry_judge(s, e);
	}
	return err;
}

static int mesh_apply(struct set *s, const struct proposal *p, struct stmt *stmt)
{
	struct admin *a = p->admin;

	if (!a) {
		a = mem_zalloc(s->mem, sizeof(*a));
		if (!a)
			return -ENOMEM;
		a->subject = stmt->subject;
		map_insert(&s->admins, &a->node, a->subject.b);
	} else {
		digest_subtract(&s->mesh_sum, &a->stmt->digest);
	}
	register_put(s->mem, &a->stmt, stmt);
	digest_add(&s->mesh_sum, &stmt->digest);
	return roster_judge(s, &a->subject);
}

/* With a reference for the caller; NULL: out of memory. */
static struct stmt *proposal_keep(const struct set *s, const struct proposal *p)
{
	struct stmt *stmt;

	if (!s->pool)
		return stmt_keep(s->mem, &p->stmt);
	stmt = p->pooled ? stmt_ref(p->pooled) : pool_keep(s->pool, &p->stmt);
	if (stmt && !p->terms.trusted)
		pool_set_verified(stmt, &s->mesh_public);
	return stmt;
}

static int proposal_apply(struct set *s, const struct proposal *p, struct offered *ret_offered)
{
	struct stmt *stmt = proposal_keep(s, p);
	int err;

	if (!stmt)
		return -ENOMEM;
	if (is_by_mesh_key(stmt))
		err = mesh_apply(s, p, stmt);
	else
		err = member_apply(s, p, stmt, ret_offered);
	if (err == 0) {
		ret_offered->offer = OFFER_NEW;
		ret_offered->stmt = stmt;
		ret_offered->roster_changed = is_by_mesh_key(stmt);
	}
	stmt_unref(s->mem, stmt); /* the register has its own */
	return err;
}

static int proposal_run(struct set *s, struct proposal *p, struct offered *ret_offered)
{
	bool is_by_mesh = is_by_mesh_key(&p->stmt);
	const struct stmt *held;
	int err;

	*ret_offered = (struct offered){ .offer = OFFER_REFUSED, .before = STANDING_VOID };
	p->entry = is_by_mesh ? NULL : entry_find(s, &p->stmt.subject);
	p->admin = is_by_mesh ? admin_find(s, &p->stmt.subject) : NULL;
	held = proposal_held(p);
	if (held && stmt_compare(&p->stmt, held) <= 0) {
		ret_offered->offer = OFFER_KNOWN;
		return 0;
	}
	err = dates_check(s, p);
	if (err == 0)
		err = authority_check(s, p);
	if (err == 0)
		err = proposal_believe(s, p);
	ret_offered->err = err;
	return err == 0 ? proposal_apply(s, p, ret_offered) : 0;
}

int set_offer_scanned(struct set *s,
                      const struct stmt *scanned,
                      const struct offer_terms *terms,
                      struct offered *ret_offered)
{
	struct proposal p = { .stmt = *scanned, .terms = *terms };

	if (s->pool)
		p.pooled = pool_find(s->pool, scanned->raw);
	return proposal_run(s, &p, ret_offered);
}

int set_offer(struct set *s,
              struct bytes raw,
              struct instant now,
              bool trusted,
              struct offered *ret_offered)
{
	struct proposal p = { .terms = { .now = now, .trusted = trusted } };
	int err = 0;

	if (s->pool)
		p.pooled = pool_find(s->pool, raw);
	if (p.pooled)
		p.stmt = *p.pooled;
	else
		err = stmt_scan(raw, &p.stmt);
	if (err == 0)
		return proposal_run(s, &p, ret_offered);
	*ret_offered = (struct offered){
		.offer = OFFER_REFUSED,
		.before = STANDING_VOID,
		.err = err,
	};
	return 0;
}
