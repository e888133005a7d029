/*
 * The set: its life, and how it is looked at.
 *
 * Entries are in two indexes: all of them by the key that statements name (subject), so that an
 * offer finds its registers without a conversion of keys, and the shown ones by the key that people
 * see and that orders members.  Passing entries are in the first alone, so they move nothing.
 *
 * A clone shares entries, not only statements: replicas of a mesh at rest are equal but for their
 * two arrays.  Whoever changes an entry first makes it its own (entry.c).
 */
#include "crdt/set.h"

#include "base/mem.h"
#include "crdt/set_priv.h"

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
	s->pool = options->pool;
	s->mesh_public = options->mesh_public;
	s->life_ms = options->life_ms;
	s->members_max = options->members_max;
	s->all.is_by_subject = true;
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
	for (size_t i = 0; i < s->all.count; i++)
		entry_unref(s->mem, s->all.list[i]);
	mem_free(s->mem, s->all.list);
	mem_free(s->mem, s->shown.list);
	mem_free(s->mem, s->group.words);
	map_for_each_safe(node, next, &s->admins) {
		struct admin *a = container_of(node, struct admin, node);

		map_remove(&s->admins, &a->node);
		stmt_unref(s->mem, a->stmt);
		mem_free(s->mem, a);
	}
	mem_free(s->mem, s);
}

static int clone_admins(const struct set *from, struct set *s)
{
	struct map_node *node;

	map_for_each(node, &from->admins) {
		const struct admin *a = container_of(node, struct admin, node);
		struct admin *copy = mem_dup(s->mem, a, sizeof(*a));

		if (!copy)
			return -ENOMEM;
		stmt_ref(copy->stmt);
		map_insert(&s->admins, &copy->node, copy->subject.b);
	}
	return 0;
}

static int clone_entries(const struct set *from, struct set *s)
{
	int err = index_copy(s->mem, &from->all, &s->all);

	if (err != 0)
		return err;
	for (size_t i = 0; i < s->all.count; i++) {
		assert(s->all.list[i]->refs < UINT32_MAX);
		s->all.list[i]->refs++;
	}
	err = index_copy(s->mem, &from->shown, &s->shown);
	return err ? err : group_copy(s->mem, &from->group, &s->group);
}

int set_clone(const struct set *from, struct set **ret_set)
{
	struct set *s = mem_dup(from->mem, from, sizeof(*from));
	int err;

	if (!s)
		return -ENOMEM;
	map_init(&s->admins, KEY_BYTES);
	s->all = (struct index){ .is_by_subject = true };
	s->shown = (struct index){ .is_by_subject = false };
	s->group = (struct group){ .words = NULL };
	err = clone_admins(from, s);
	if (err == 0)
		err = clone_entries(from, s);
	if (err != 0) {
		set_free(s);
		return err;
	}
	*ret_set = s;
	return 0;
}

const struct key *set_mesh_public(const struct set *s)
{
	return &s->mesh_public;
}

const struct entry *set_find(const struct set *s, const struct key *member)
{
	return index_find(&s->shown, member);
}

const struct entry *set_at(const struct set *s, size_t i)
{
	return i < s->shown.count ? s->shown.list[i] : NULL;
}

const struct entry *set_group_next(const struct set *s, size_t *at)
{
	*at = group_next(&s->group, *at);
	return set_at(s, *at);
}

size_t set_rank(const struct set *s, const struct key *member)
{
	return index_rank(&s->shown, member);
}

size_t set_count(const struct set *s)
{
	return s->shown.count;
}

size_t set_group_count(const struct set *s)
{
	return s->group.count;
}

bool set_is_administrator(const struct set *s, const struct key *sign_public)
{
	const struct admin *a = admin_find(s, sign_public);

	return a && a->stmt->kind == STMT_APPOINT;
}

bool set_honours_invites_of(const struct set *s, const struct key *issuer)
{
	const struct entry *e = entry_find(s, issuer);
	const struct held *h;

	if (!set_is_administrator(s, issuer))
		return false;
	if (!e)
		return true;
	held_for_each(h, e, STMT_EXPEL) {
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

static int held_visit(const struct entry *e, enum stmt_kind kind, set_visit *visit, void *ctx)
{
	const struct held *h;
	int err = 0;

	for (h = held_of(e, kind); h && err == 0; h = held_next(h))
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

static int entry_visit(const struct entry *e, set_visit *visit, void *ctx)
{
	int err = held_visit(e, STMT_EXPEL, visit, ctx);

	/* Of an expelled member that is otherwise forgotten, old admissions are not sent. */
	if (err == 0 && e->is_live)
		err = held_visit(e, STMT_ADMISSION, visit, ctx);
	if (err == 0 && e->remove)
		err = visit(ctx, e->remove);
	if (err == 0 && e->record)
		err = visit(ctx, e->record);
	return err;
}

int set_visit_member(const struct set *s, const struct key *member, set_visit *visit, void *ctx)
{
	const struct entry *e;

	if (!member)
		return mesh_visit(s, visit, ctx);
	e = set_find(s, member);
	return e ? entry_visit(e, visit, ctx) : 0;
}

int set_visit_all(const struct set *s, set_visit *visit, void *ctx)
{
	const struct entry *e;
	int err = mesh_visit(s, visit, ctx);

	for (size_t i = 0; err == 0 && (e = set_at(s, i)) != NULL; i++)
		err = entry_visit(e, visit, ctx);
	return err;
}

uint64_t counter_next(uint64_t last, int64_t unix_ms)
{
	uint64_t now_ms = unix_ms > 0 ? (uint64_t)unix_ms : 0;
	uint64_t next = last < UINT64_MAX ? last + 1 : last;

	return MAX_OF(next, now_ms);
}
