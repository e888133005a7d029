/*
 * The one place where generated protobuf types meet our own.
 *
 * Unpacking is done in two steps.  protobuf-c builds its tree in the caller's arena, through an
 * allocator that has a budget: hostile bytes can ask for much more memory than they take (two
 * bytes make an empty entry of a list, and each costs it fifty), and the budget, not the library,
 * says where that ends.  Then one function per kind copies what it wants into a struct msg, and
 * message_check() has the last word, the same for what we send and what we get.
 *
 * Lists of fixed-size things travel as one byte string, not as repeated messages: a summary of a
 * thousand members is then one length check and a copy instead of three thousand allocations.
 *
 * Unknown fields are skipped.  An unknown body, or a later version of a known one, is not an error
 * but no message either: ERR_VERSION, which the caller ignores.
 *
 * Nothing is freed one by one; the arena does that.
 */
#include "smegd/wire/message.h"

#include "api/sync.pb-c.h"
#include "base/err.h"
#include "smegd/wire/greet.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define ITEM_BYTES (KEY_BYTES + FINGERPRINT_BYTES)
#define MESSAGE_VERSION 0u

/* Any body, and the envelope around it. */
struct packet {
	Sync__Envelope envelope;
	union {
		Sync__Entries entries;
		Sync__Digest digest;
		Sync__Summary summary;
		Sync__Want want;
		Sync__Redeem redeem;
		Sync__Redeemed redeemed;
		Sync__Bye bye;
	} u;
};

/* --- bounds --------------------------------------------------------------------------------- */

static int check_stmts(const struct bytes *stmts, size_t count)
{
	size_t sum = 0;

	if (count > MSG_ENTRIES_MAX)
		return ERR_TOO_BIG;
	for (size_t i = 0; i < count; i++) {
		if (stmts[i].count == 0)
			return ERR_MALFORMED;
		if (stmts[i].count > LIMIT_STATEMENT_BYTES)
			return ERR_TOO_BIG;
		sum += stmts[i].count;
	}
	return sum > MSG_ENTRIES_BYTES_MAX ? ERR_TOO_BIG : 0;
}

static int check_summary(const struct msg *m)
{
	const struct summary_item *items = m->u.summary.items;
	size_t count = m->u.summary.count;

	if (count > MSG_SUMMARY_MAX)
		return ERR_TOO_BIG;
	if (key_compare(&m->u.summary.from, &m->u.summary.to) > 0)
		return ERR_MALFORMED;
	for (size_t i = 1; i < count; i++) {
		if (key_compare(&items[i - 1].member, &items[i].member) >= 0)
			return ERR_MALFORMED;
	}
	if (count == 0)
		return 0;
	if (key_compare(&items[0].member, &m->u.summary.from) < 0 ||
	    key_compare(&items[count - 1].member, &m->u.summary.to) > 0)
		return ERR_MALFORMED;
	return 0;
}

static int check_redeem(const struct msg *m)
{
	if (m->u.redeem.invite.count == 0)
		return ERR_MALFORMED;
	if (m->u.redeem.invite.count > INVITE_LIMITS_BYTES_MAX || m->u.redeem.hops > MSG_HOPS_MAX)
		return ERR_TOO_BIG;
	return 0;
}

int message_check(const struct msg *m)
{
	switch (m->kind) {
	case MSG_ENTRIES:
		return check_stmts(m->u.entries.stmts, m->u.entries.count);
	case MSG_SUMMARY:
		return check_summary(m);
	case MSG_WANT:
		return m->u.want.count > MSG_WANT_MAX ? ERR_TOO_BIG : 0;
	case MSG_REDEEM:
		return check_redeem(m);
	case MSG_REDEEMED:
		return check_stmts(m->u.redeemed.stmts, m->u.redeemed.count);
	case MSG_DIGEST:
	case MSG_BYE:
		return 0;
	}
	return ERR_MALFORMED;
}

/* --- to bytes ------------------------------------------------------------------------------- */

/* protobuf-c's byte strings are not const, but packing only reads them. */
static ProtobufCBinaryData data_of(const void *at, size_t bytes)
{
	union {
		const void *in;
		uint8_t *out;
	} cast = { .in = at };

	return (ProtobufCBinaryData){ .data = cast.out, .len = bytes };
}

static int pack_stmts(const struct bytes *stmts,
                      size_t count,
                      struct arena *a,
                      ProtobufCBinaryData **ret_list)
{
	ProtobufCBinaryData *list = arena_alloc(a, count * sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		list[i] = data_of(stmts[i].at, stmts[i].count);
	*ret_list = list;
	return 0;
}

static int pack_entries(const struct msg *m, struct packet *p, struct arena *a)
{
	sync__entries__init(&p->u.entries);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_ENTRIES;
	p->envelope.entries = &p->u.entries;
	p->u.entries.n_statements = m->u.entries.count;
	return pack_stmts(m->u.entries.stmts, m->u.entries.count, a, &p->u.entries.statements);
}

static int pack_digest(const struct msg *m, struct packet *p, struct arena *a)
{
	(void)a;
	sync__digest__init(&p->u.digest);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_DIGEST;
	p->envelope.digest = &p->u.digest;
	p->u.digest.digest = data_of(m->u.digest.digest, DIGEST_BYTES);
	p->u.digest.question = m->u.digest.question;
	p->u.digest.members = m->u.digest.members;
	return 0;
}

static int pack_summary(const struct msg *m, struct packet *p, struct arena *a)
{
	size_t count = m->u.summary.count;
	uint8_t *items = arena_alloc(a, count * ITEM_BYTES);
	struct writer w;

	if (!items)
		return -ENOMEM;
	writer_init(&w, items, count * ITEM_BYTES);
	for (size_t i = 0; i < count; i++) {
		write_copy(&w, m->u.summary.items[i].member.b, KEY_BYTES);
		write_copy(&w, m->u.summary.items[i].fingerprint, FINGERPRINT_BYTES);
	}
	assert(!w.err);
	sync__summary__init(&p->u.summary);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_SUMMARY;
	p->envelope.summary = &p->u.summary;
	p->u.summary.from = data_of(m->u.summary.from.b, KEY_BYTES);
	p->u.summary.to = data_of(m->u.summary.to.b, KEY_BYTES);
	p->u.summary.mesh_fingerprint = data_of(m->u.summary.mesh_fingerprint, FINGERPRINT_BYTES);
	p->u.summary.reply = m->u.summary.reply;
	p->u.summary.items = data_of(items, w.count);
	return 0;
}

static int pack_want(const struct msg *m, struct packet *p, struct arena *a)
{
	(void)a;
	_Static_assert(sizeof(struct key) == KEY_BYTES, "an array of keys is their bytes");
	sync__want__init(&p->u.want);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_WANT;
	p->envelope.want = &p->u.want;
	p->u.want.mesh = m->u.want.mesh;
	p->u.want.members = data_of(m->u.want.members, m->u.want.count * KEY_BYTES);
	return 0;
}

static int pack_redeem(const struct msg *m, struct packet *p, struct arena *a)
{
	(void)a;
	sync__redeem__init(&p->u.redeem);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_REDEEM;
	p->envelope.redeem = &p->u.redeem;
	p->u.redeem.request = m->u.redeem.request;
	p->u.redeem.invite = data_of(m->u.redeem.invite.at, m->u.redeem.invite.count);
	p->u.redeem.joiner = data_of(m->u.redeem.joiner.b, KEY_BYTES);
	p->u.redeem.proof = data_of(m->u.redeem.proof.b, SIGNATURE_BYTES);
	p->u.redeem.hops = m->u.redeem.hops;
	p->u.redeem.issuer = data_of(m->u.redeem.issuer.b, KEY_BYTES);
	return 0;
}

static int pack_redeemed(const struct msg *m, struct packet *p, struct arena *a)
{
	sync__redeemed__init(&p->u.redeemed);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_REDEEMED;
	p->envelope.redeemed = &p->u.redeemed;
	p->u.redeemed.request = m->u.redeemed.request;
	p->u.redeemed.error = greet_error_number(m->u.redeemed.err);
	p->u.redeemed.n_statements = m->u.redeemed.count;
	return pack_stmts(m->u.redeemed.stmts, m->u.redeemed.count, a, &p->u.redeemed.statements);
}

static int pack_bye(const struct msg *m, struct packet *p, struct arena *a)
{
	(void)m;
	(void)a;
	sync__bye__init(&p->u.bye);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_BYE;
	p->envelope.bye = &p->u.bye;
	return 0;
}

/* --- from bytes ----------------------------------------------------------------------------- */

static int copy_exact(void *out, ProtobufCBinaryData from, size_t bytes)
{
	if (from.len != bytes)
		return ERR_MALFORMED;
	memcpy(out, from.data, bytes);
	return 0;
}

static int unpack_stmts(const ProtobufCBinaryData *list,
                        size_t count,
                        struct arena *a,
                        struct bytes **ret_stmts)
{
	struct bytes *stmts;

	if (count > MSG_ENTRIES_MAX)
		return ERR_TOO_BIG;
	stmts = arena_alloc(a, count * sizeof(*stmts));
	if (!stmts)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		stmts[i] = (struct bytes){ .at = list[i].data, .count = list[i].len };
	*ret_stmts = stmts;
	return 0;
}

static int unpack_entries(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	const Sync__Entries *from = e->entries;

	m->u.entries.count = from->n_statements;
	return unpack_stmts(from->statements, from->n_statements, a, &m->u.entries.stmts);
}

static int unpack_digest(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	const Sync__Digest *from = e->digest;

	(void)a;
	m->u.digest.question = from->question;
	m->u.digest.members = from->members;
	return copy_exact(m->u.digest.digest, from->digest, DIGEST_BYTES);
}

static int unpack_items(ProtobufCBinaryData from, struct arena *a, struct msg *m)
{
	size_t count = from.len / ITEM_BYTES;
	struct summary_item *items;
	struct reader r;

	if (count > MSG_SUMMARY_MAX)
		return ERR_TOO_BIG;
	if (from.len % ITEM_BYTES != 0)
		return ERR_MALFORMED;
	items = arena_alloc(a, count * sizeof(*items));
	if (!items)
		return -ENOMEM;
	reader_init(&r, (struct bytes){ .at = from.data, .count = from.len });
	for (size_t i = 0; i < count; i++) {
		read_copy(&r, items[i].member.b, KEY_BYTES);
		read_copy(&r, items[i].fingerprint, FINGERPRINT_BYTES);
	}
	m->u.summary.items = items;
	m->u.summary.count = count;
	return reader_finish(&r);
}

static int unpack_summary(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	const Sync__Summary *from = e->summary;
	int err = copy_exact(m->u.summary.from.b, from->from, KEY_BYTES);

	if (!err)
		err = copy_exact(m->u.summary.to.b, from->to, KEY_BYTES);
	if (!err)
		err = copy_exact(m->u.summary.mesh_fingerprint, from->mesh_fingerprint,
		                 FINGERPRINT_BYTES);
	if (!err)
		err = unpack_items(from->items, a, m);
	m->u.summary.reply = from->reply;
	return err;
}

static int unpack_want(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	const Sync__Want *from = e->want;
	size_t count = from->members.len / KEY_BYTES;

	if (count > MSG_WANT_MAX)
		return ERR_TOO_BIG;
	if (from->members.len % KEY_BYTES != 0)
		return ERR_MALFORMED;
	m->u.want.mesh = from->mesh;
	m->u.want.count = count;
	m->u.want.members = arena_dup(a, from->members.data, from->members.len);
	return m->u.want.members ? 0 : -ENOMEM;
}

static int unpack_redeem(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	const Sync__Redeem *from = e->redeem;
	int err = copy_exact(m->u.redeem.joiner.b, from->joiner, KEY_BYTES);

	(void)a;
	if (!err)
		err = copy_exact(m->u.redeem.proof.b, from->proof, SIGNATURE_BYTES);
	if (!err)
		err = copy_exact(m->u.redeem.issuer.b, from->issuer, KEY_BYTES);
	if (!err && from->hops > MSG_HOPS_MAX)
		err = ERR_TOO_BIG;
	if (err)
		return err;
	m->u.redeem.request = from->request;
	m->u.redeem.hops = (uint8_t)from->hops;
	m->u.redeem.invite = (struct bytes){ .at = from->invite.data, .count = from->invite.len };
	return 0;
}

static int unpack_redeemed(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	const Sync__Redeemed *from = e->redeemed;

	m->u.redeemed.request = from->request;
	m->u.redeemed.err = greet_error_from(from->error);
	m->u.redeemed.count = from->n_statements;
	return unpack_stmts(from->statements, from->n_statements, a, &m->u.redeemed.stmts);
}

static int unpack_bye(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	(void)e;
	(void)a;
	(void)m;
	return 0;
}

/* --- both ----------------------------------------------------------------------------------- */

/* The numbers of the kinds are those of the oneof. */
static const struct kind {
	int (*pack)(const struct msg *m, struct packet *p, struct arena *a);
	int (*unpack)(const Sync__Envelope *e, struct arena *a, struct msg *m);
} kinds[] = {
	[MSG_ENTRIES] = { pack_entries, unpack_entries },
	[MSG_DIGEST] = { pack_digest, unpack_digest },
	[MSG_SUMMARY] = { pack_summary, unpack_summary },
	[MSG_WANT] = { pack_want, unpack_want },
	[MSG_REDEEM] = { pack_redeem, unpack_redeem },
	[MSG_REDEEMED] = { pack_redeemed, unpack_redeemed },
	[MSG_BYE] = { pack_bye, unpack_bye },
};

_Static_assert((int)MSG_ENTRIES == (int)SYNC__ENVELOPE__BODY_ENTRIES &&
                       (int)MSG_DIGEST == (int)SYNC__ENVELOPE__BODY_DIGEST &&
                       (int)MSG_SUMMARY == (int)SYNC__ENVELOPE__BODY_SUMMARY &&
                       (int)MSG_WANT == (int)SYNC__ENVELOPE__BODY_WANT &&
                       (int)MSG_REDEEM == (int)SYNC__ENVELOPE__BODY_REDEEM &&
                       (int)MSG_REDEEMED == (int)SYNC__ENVELOPE__BODY_REDEEMED &&
                       (int)MSG_BYE == (int)SYNC__ENVELOPE__BODY_BYE,
               "one number for a kind and its place in the oneof");

int message_pack(const struct msg *m,
                 struct message_room room,
                 struct arena *a,
                 struct message_packed *ret_packed)
{
	struct packet p;
	uint8_t *block;
	size_t bytes;
	int err;

	assert(message_check(m) == 0);
	sync__envelope__init(&p.envelope);
	p.envelope.version = MESSAGE_VERSION;
	err = kinds[m->kind].pack(m, &p, a);
	if (err)
		return err;
	bytes = sync__envelope__get_packed_size(&p.envelope);
	block = arena_alloc(a, room.before + bytes + room.after);
	if (!block)
		return -ENOMEM;
	sync__envelope__pack(&p.envelope, block + room.before);
	*ret_packed = (struct message_packed){ .block = block, .bytes = bytes };
	return 0;
}

/* What protobuf-c may take of an arena. */
struct budget {
	struct arena *arena;
	size_t left;
	bool is_out_of_memory;
};

static void *budget_alloc(void *data, size_t bytes)
{
	struct budget *b = data;
	void *ptr;

	if (bytes > b->left)
		return NULL;
	ptr = arena_alloc(b->arena, bytes);
	if (!ptr)
		b->is_out_of_memory = true;
	/* Also for nothing at all, so that no number of such calls is free. */
	b->left -= MIN_OF(b->left, MAX_OF(bytes, sizeof(max_align_t)));
	return ptr;
}

static void budget_free(void *data, void *ptr)
{
	(void)data;
	(void)ptr;
}

int message_unpack(struct bytes src, struct arena *a, struct msg *ret_m)
{
	struct budget budget = { .arena = a, .left = MESSAGE_MEMORY_BYTES / 4 * 3 };
	ProtobufCAllocator allocator = { budget_alloc, budget_free, &budget };
	const Sync__Envelope *e;
	struct msg m = { .kind = 0 };
	int err;

	assert(src.count <= LIMIT_FRAME_BYTES);
	e = sync__envelope__unpack(&allocator, src.count, src.at);
	if (!e)
		return budget.is_out_of_memory ? -ENOMEM : ERR_MALFORMED;
	if (e->version > MESSAGE_VERSION || e->body_case == SYNC__ENVELOPE__BODY__NOT_SET)
		return ERR_VERSION;
	assert(e->body_case < (int)ARRAY_LEN(kinds));
	m.kind = (enum msg_kind)e->body_case;
	err = kinds[m.kind].unpack(e, a, &m);
	if (!err)
		err = message_check(&m);
	if (!err)
		*ret_m = m;
	return err;
}
