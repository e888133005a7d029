/*
 * The set: what is let in, and how it is looked at.
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
#include "crdt/set.h"

#include "base/err.h"
#include "base/mem.h"
#include "crdt/set_priv.h"
#include "crdt/stmt_priv.h"

#include <assert.h>
#include <errno.h>

int set_new(const struct set_options *options, struct set **ret_set)
{
	struct set *s;

	assert(options->life_ms > 0);
	assert(options->members_max > 0);
	s = mem_zalloc(options->mem, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->mem = options->mem;
	s->mesh_public = options->mesh_public;
	s->life_ms = options->life_ms;
	s->members_max = options->members_max;
	map_init(&s->members, KEY_BYTES);
	map_init(&s->subjects, KEY_BYTES);
	map_init(&s->admins, KEY_BYTES);
	*ret_set = s;
	return 0;
}

void set_free(struct set *s)
{
	struct map_node *node;
	struct map_node *next;

	if (!s)
		return;
	map_for_each_safe(node, next, &s->members)
		entry_free(s, container_of(node, struct entry, node));
	map_for_each_safe(node, next, &s->admins) {
		struct admin *a = container_of(node, struct admin, node);

		map_remove(&s->admins, &a->node);
		stmt_unref(s->mem, a->stmt);
		mem_free(s->mem, a);
	}
	mem_free(s->mem, s);
}

/* An offer on its way through the gates. */
struct proposal {
	struct stmt stmt; /* borrows the bytes */
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
	case STMT_ADMISSION:
		return chain_find(p->entry->admissions, &p->stmt.signer);
	default:
		return chain_find(p->entry->expels, &p->stmt.signer);
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
		return p->entry && p->entry->admissions ? 0 : ERR_NOT_ADMITTED;
	if (!admin_find(s, &p->stmt.signer))
		return ERR_NOT_AUTHORISED;
	return !p->entry && s->members.count >= s->members_max ? ERR_LIMIT : 0;
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
	return stmt_verify(&p->stmt, &s->mesh_public);
}

static void register_put(const struct mem *m, struct stmt **place, struct stmt *stmt)
{
	stmt_unref(m, *place);
	*place = stmt;
}

static int entry_put(struct set *s, struct entry *e, struct stmt *stmt)
{
	int err = 0;

	if (stmt->kind == STMT_RECORD)
		register_put(s->mem, &e->record, stmt);
	else if (stmt->kind == STMT_REMOVE)
		register_put(s->mem, &e->remove, stmt);
	else if (stmt->kind == STMT_ADMISSION)
		err = chain_put(s->mem, &e->admissions, stmt);
	else
		err = chain_put(s->mem, &e->expels, stmt);
	return err;
}

static int member_apply(struct set *s,
                        const struct proposal *p,
                        struct stmt *stmt,
                        struct offered *ret_offered)
{
	struct entry *e = p->entry;
	int err;

	if (!e)
		e = entry_new(s, &stmt->member, &stmt->subject);
	if (!e)
		return -ENOMEM;
	ret_offered->entry = e;
	ret_offered->before = e->is_passing ? STANDING_VOID : e->standing;
	err = entry_put(s, e, stmt);
	if (err == 0)
		entry_update(s, e);
	return err;
}

/* Whoever this administrator admitted or expelled may stand differently now. */
static void roster_judge(struct set *s, const struct key *administrator)
{
	struct map_node *node;

	map_for_each(node, &s->members) {
		struct entry *e = container_of(node, struct entry, node);

		if (chain_find(e->admissions, administrator) ||
		    chain_find(e->expels, administrator))
			entry_judge(s, e);
	}
}

static int mesh_apply(struct set *s, const struct proposal *p, struct stmt *stmt)
{
	struct admin *a = p->admin;
	struct digest_sum sum;

	if (!a) {
		a = mem_zalloc(s->mem, sizeof(*a));
		if (!a)
			return -ENOMEM;
		a->subject = stmt->subject;
		map_insert(&s->admins, &a->node, a->subject.b);
	} else {
		sum = digest_of(a->stmt);
		digest_subtract(&s->mesh_sum, &sum);
	}
	register_put(s->mem, &a->stmt, stmt);
	sum = digest_of(stmt);
	digest_add(&s->mesh_sum, &sum);
	roster_judge(s, &a->subject);
	return 0;
}

static int proposal_apply(struct set *s, const struct proposal *p, struct offered *ret_offered)
{
	struct stmt *stmt = stmt_keep(s->mem, &p->stmt);
	int err;

	if (!stmt)
		return -ENOMEM;
	if (is_by_mesh_key(stmt))
		err = mesh_apply(s, p, stmt);
	else
		err = member_apply(s, p, stmt, ret_offered);
	if (err != 0) {
		stmt_unref(s->mem, stmt);
		return err;
	}
	ret_offered->offer = OFFER_NEW;
	ret_offered->stmt = stmt;
	ret_offered->roster_changed = is_by_mesh_key(stmt);
	return 0;
}

int set_offer_scanned(struct set *s,
                      const struct stmt *scanned,
                      const struct offer_terms *terms,
                      struct offered *ret_offered)
{
	struct proposal p = { .stmt = *scanned, .terms = *terms };
	const struct stmt *held;
	int err;

	*ret_offered = (struct offered){ .offer = OFFER_REFUSED, .before = STANDING_VOID };
	p.entry = is_by_mesh_key(scanned) ? NULL : entry_find(s, &scanned->subject);
	p.admin = is_by_mesh_key(scanned) ? admin_find(s, &scanned->subject) : NULL;
	held = proposal_held(&p);
	if (held && stmt_compare(scanned, held) <= 0) {
		ret_offered->offer = OFFER_KNOWN;
		return 0;
	}
	err = dates_check(s, &p);
	if (err == 0)
		err = authority_check(s, &p);
	if (err == 0)
		err = proposal_believe(s, &p);
	if (err != 0) {
		ret_offered->err = err;
		return 0;
	}
	return proposal_apply(s, &p, ret_offered);
}

int set_offer(struct set *s,
              struct bytes raw,
              struct instant now,
              bool trusted,
              struct offered *ret_offered)
{
	struct offer_terms terms = { .now = now, .trusted = trusted };
	struct stmt scanned;
	int err = stmt_scan(raw, &scanned);

	if (err == 0)
		return set_offer_scanned(s, &scanned, &terms, ret_offered);
	*ret_offered = (struct offered){
		.offer = OFFER_REFUSED,
		.before = STANDING_VOID,
		.err = err,
	};
	return 0;
}

const struct key *set_mesh_public(const struct set *s)
{
	return &s->mesh_public;
}

/* The first entry from `node` on that is shown. */
static const struct entry *entry_shown(const struct map_node *node)
{
	for (; node; node = map_next(node)) {
		const struct entry *e = container_of(node, struct entry, node);

		if (!e->is_passing)
			return e;
	}
	return NULL;
}

const struct entry *set_find(const struct set *s, const struct key *member)
{
	struct map_node *node = map_find(&s->members, member->b);
	const struct entry *e = node ? container_of(node, struct entry, node) : NULL;

	return e && !e->is_passing ? e : NULL;
}

const struct entry *set_first(const struct set *s)
{
	return entry_shown(map_first(&s->members));
}

const struct entry *set_next(const struct entry *e)
{
	return entry_shown(map_next(&e->node));
}

size_t set_count(const struct set *s)
{
	return s->shown_count;
}

size_t set_group_count(const struct set *s)
{
	return s->group_count;
}

bool set_is_administrator(const struct set *s, const struct key *sign_public)
{
	const struct admin *a = admin_find(s, sign_public);

	return a && a->stmt->kind == STMT_APPOINT;
}

bool set_honours_invites_of(const struct set *s, const struct key *issuer)
{
	const struct entry *e = entry_find(s, issuer);

	if (!set_is_administrator(s, issuer))
		return false;
	for (const struct held *h = e ? e->expels : NULL; h; h = h->next) {
		if (expel_in_force(s, h->stmt) && !expel_keeps_invites(h->stmt))
			return false;
	}
	return true;
}

void set_digest(const struct set *s, uint8_t out[DIGEST_BYTES])
{
	struct digest_sum sum = s->mesh_sum;

	digest_add(&sum, &s->members_sum);
	digest_bytes(&sum, out);
}

void set_mesh_fingerprint(const struct set *s, uint8_t out[FINGERPRINT_BYTES])
{
	digest_fingerprint(&s->mesh_sum, out);
}

static int chain_visit(const struct held *chain, set_visit *visit, void *ctx)
{
	int err = 0;

	for (const struct held *h = chain; h && err == 0; h = h->next)
		err = visit(ctx, h->stmt);
	return err;
}

static int mesh_visit(const struct set *s, set_visit *visit, void *ctx)
{
	struct map_node *node;
	int err = 0;

	for (node = map_first(&s->admins); node && err == 0; node = map_next(node))
		err = visit(ctx, container_of(node, struct admin, node)->stmt);
	return err;
}

int set_visit_member(const struct set *s, const struct key *member, set_visit *visit, void *ctx)
{
	const struct entry *e;
	int err;

	if (!member)
		return mesh_visit(s, visit, ctx);
	e = set_find(s, member);
	if (!e)
		return 0;
	err = chain_visit(e->expels, visit, ctx);
	/* Of an expelled member that is otherwise forgotten, old admissions are not sent. */
	if (err == 0 && entry_is_live(s, e))
		err = chain_visit(e->admissions, visit, ctx);
	if (err == 0 && e->remove)
		err = visit(ctx, e->remove);
	if (err == 0 && e->record)
		err = visit(ctx, e->record);
	return err;
}

uint64_t counter_next(uint64_t last, int64_t unix_ms)
{
	uint64_t now_ms = unix_ms > 0 ? (uint64_t)unix_ms : 0;
	uint64_t next = last < UINT64_MAX ? last + 1 : last;

	return MAX_OF(next, now_ms);
}
