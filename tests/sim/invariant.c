/*
 * The cheap invariants.
 *
 *	believed   a statement that goes to a disk was signed by its owner, by an administrator whom
 *	           the mesh key appointed, by the mesh key, or by a quorum of the watchers that the
 *	           covered header names.  Judged by who held the pen (origin.h), so it does not
 *	           share a line with the code that verifies, nor with the pool that saves verifying.
 *	upwards    registers and own counters; nothing young is forgotten.
 *	roster     nobody who is live, reachable and in is counted out, at the moment it happens:
 *	           that it was taken back before anybody looked is no excuse.  (That somebody who
 *has left is counted in proves nothing: this host may hear of the two in that order.) bounds     of
 *base/limits.h and of the core's rings and lists.
 *
 * Rejected: to look at replicas here (a walk over 3000 members after each of a million steps), and
 * to verify again (it would be the same code).  Not judged: worlds with a gate, whose real daemons
 * sign where nobody sees it.
 */
#include "tests/sim/invariant.h"

#include "crdt/record.h"
#include "smegd/core/view.h"
#include "tests/sim/check.h"
#include "tests/sim/origin.h"

#include <string.h>

#define EFFECTS_MAX 4096 /* of a step, beside deletions and those for each member and session */
#define TODO_MAX 256
#define PART_BYTES (KEY_BYTES + SIGNATURE_BYTES)
#define TAG_WATCHERS 3

/* A statement's envelope, as docs/protocol/statements.md has it. */
struct words {
	uint8_t kind;
	struct bytes fields;
	const uint8_t *sig;
	struct bytes rest;
};

static bool words_read(struct bytes raw, struct words *ret)
{
	struct reader r;

	reader_init(&r, raw);
	ret->kind = read_u8(&r);
	read_u8(&r);
	ret->fields = read_bytes(&r, read_u16(&r));
	ret->sig = read_bytes(&r, SIGNATURE_BYTES).at;
	ret->rest = read_bytes(&r, reader_left(&r));
	return !r.err;
}

static struct bytes field(const struct words *s, uint64_t tag)
{
	struct reader r;

	reader_init(&r, s->fields);
	while (reader_left(&r)) {
		uint64_t got = read_varint(&r);
		struct bytes value = read_bytes(&r, read_varint(&r));

		if (got == tag && !r.err)
			return value;
	}
	return (struct bytes){ NULL, 0 };
}

/* --- believed --------------------------------------------------------------------------------- */

static bool names_watcher(struct bytes watchers, const uint8_t *key)
{
	for (size_t i = 0; i + WATCHER_ID_BYTES <= watchers.count; i += WATCHER_ID_BYTES)
		if (memcmp(watchers.at + i, key, WATCHER_ID_BYTES) == 0)
			return true;
	return false;
}

/* More than half of the watchers, each once, in ascending order. */
static bool is_quorum(const struct words *s, struct bytes parts)
{
	struct bytes watchers = field(s, TAG_WATCHERS);
	size_t count = parts.count / PART_BYTES;
	const uint8_t *last = NULL;

	for (const uint8_t *at = parts.at; at < parts.at + count * PART_BYTES; at += PART_BYTES) {
		const struct signer *by = origin_of(at + KEY_BYTES, ORIGIN_PRUNE, s->fields);

		if (!by || memcmp(signer_key(by)->b, at, KEY_BYTES) != 0 ||
		    !names_watcher(watchers, at) || (last && memcmp(last, at, KEY_BYTES) >= 0))
			return false;
		last = at;
	}
	return count >= 2 && count > watchers.count / WATCHER_ID_BYTES / 2;
}

static bool may_remove(const struct words *s, const struct signer *owner)
{
	struct bytes authority = { s->rest.at + 1, s->rest.count - 1 };

	if (s->rest.count < 1 + SIGNATURE_BYTES)
		return false;
	if (s->rest.at[0] == CAUSE_LEAVE)
		return origin_of(authority.at, ORIGIN_LEAVE, s->fields) == owner;
	return s->rest.at[0] == CAUSE_PRUNE && is_quorum(s, authority);
}

/* `key` of the row: kind, member, and for administrators' statements the signer. */
static bool is_signed(const struct words *s, struct bytes key)
{
	static const char *const labels[] = {
		[STMT_APPOINT] = ORIGIN_APPOINT,     [STMT_REVOKE] = ORIGIN_REVOKE,
		[STMT_ADMISSION] = ORIGIN_ADMISSION, [STMT_RECORD] = ORIGIN_RECORD,
		[STMT_REMOVE] = ORIGIN_RECORD,       [STMT_EXPEL] = ORIGIN_EXPEL,
	};
	const uint8_t *member = key.at + 1;
	const struct signer *by;

	if (s->kind >= ARRAY_LEN(labels) || !labels[s->kind] || key.count < 1 + KEY_BYTES)
		return false;
	by = origin_of(s->sig, labels[s->kind], s->fields);
	if (!by)
		return false;
	switch (s->kind) {
	case STMT_APPOINT:
	case STMT_REVOKE:
		return signer_is_mesh(by);
	case STMT_ADMISSION:
	case STMT_EXPEL:
		return key.count == 1 + 2 * KEY_BYTES &&
		       memcmp(signer_key(by)->b, member + KEY_BYTES, KEY_BYTES) == 0 &&
		       origin_is_administrator(signer_key(by));
	default:
		return memcmp(signer_box(by)->b, member, KEY_BYTES) == 0 &&
		       (s->kind == STMT_RECORD || may_remove(s, by));
	}
}

void invariant_persist(struct world *w, const struct host *h, const struct row *row)
{
	struct words s;

	if (w->gate || row->table != ROW_STATE || !row->value.at)
		return;
	if (!words_read(row->value, &s) || !is_signed(&s, row->key))
		world_fail(w, "host %u believes a statement of kind %u that nobody signed who may",
		           h->index, row->value.at[0]);
}

/* --- upwards ---------------------------------------------------------------------------------- */

static uint64_t counter_of(const struct words *s)
{
	bool has_issuer = s->kind == STMT_ADMISSION || s->kind == STMT_EXPEL;
	struct reader r;

	reader_init(&r, field(s, has_issuer ? 3 : 2));
	return read_u64(&r);
}

/* Admissions go with the member, expels and the mesh key's stay for ever. */
static bool may_forget(const struct world *w,
                       const struct host *h,
                       const struct row *row,
                       const struct words *s)
{
	int64_t life_ms = w->options.life_ms ? w->options.life_ms : LIFE_MS;
	struct mesh_view v;

	/* Who joins again begins with nothing. */
	if (s->kind == STMT_ADMISSION || !node_mesh_find(h->node, row->mesh, &v) || v.is_joining)
		return true;
	return (s->kind == STMT_RECORD || s->kind == STMT_REMOVE) &&
	       (int64_t)counter_of(s) + life_ms <= host_unix_ms(w, h);
}

void invariant_row(struct world *w,
                   const struct host *h,
                   const struct row *row,
                   struct bytes before)
{
	struct words was;
	struct words is;

	if (w->gate || row->table != ROW_STATE || !before.at || !words_read(before, &was))
		return;
	if (!row->value.at && !may_forget(w, h, row, &was))
		world_fail(w, "host %u forgets a young statement of kind %u", h->index, was.kind);
	if (row->value.at && words_read(row->value, &is) && counter_of(&is) < counter_of(&was))
		world_fail(w, "host %u: a register of kind %u goes back", h->index, was.kind);
}

/* --- roster ----------------------------------------------------------------------------------- */

void invariant_roster(struct world *w,
                      const struct host *h,
                      enum trace_kind kind,
                      const struct key *who)
{
	const struct model *m = w->model;
	long at = m ? check_host_of(m, who) : -1;
	const struct host *subject = at >= 0 ? w->hosts[at] : NULL;

	if (!subject)
		return;
	if (kind == TRACE_MEMBER_OUT && m->of[at] == EXPECT_IN && !subject->is_leaving &&
	    !check_is_excused(w, h, subject))
		world_fail(w, "host %u counts host %ld out, which is live", h->index, at);
}

/* --- bounds ----------------------------------------------------------------------------------- */

static size_t count_deletions(const struct effects *fx)
{
	size_t count = 0;

	for (size_t i = 0; i < fx->count; i++)
		count += fx->list[i].kind == FX_PERSIST && !fx->list[i].u.persist.row.value.at;
	return count;
}

/* Who leaves deletes all rows, and so may who ages: but no row twice, and none that is not there.
 */
static void check_effects(struct world *w, const struct host *h, size_t most, size_t rows)
{
	size_t deletions;

	if (w->fx.count <= EFFECTS_MAX)
		return;
	deletions = count_deletions(&w->fx);
	if (deletions > rows || w->fx.count - deletions > most)
		world_fail(w, "host %u: %zu effects, %zu of them deletions, of %zu rows", h->index,
		           w->fx.count, deletions, rows);
}

void invariant_step(struct world *w, const struct host *h, size_t rows)
{
	struct node_load load;
	const char *excess = node_excess(h->node, &load);

	if (excess)
		world_fail(w, "host %u: %s out of bounds", h->index, excess);
	check_effects(w, h, EFFECTS_MAX + 8 * load.sessions + 4 * load.members, rows);
	if (h->todo_count > TODO_MAX)
		world_fail(w, "host %u: %zu answers wait", h->index, h->todo_count);
	if (origin_take_setbacks())
		world_fail(w, "host %u signed a record whose counter is not above its last",
		           h->index);
}
