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

#define MESSAGE_VERSION 0u

/* Any body, and the envelope around it. */
struct packet {
	Sync__Envelope envelope;
	union {
		Sync__Entries entries;
		Sync__Digest digest;
		Sync__Sketch sketch;
		Sync__Want want;
		Sync__Redeem redeem;
		Sync__Redeemed redeemed;
		Sync__Bye bye;
		Sync__Announce announce;
		Sync__More more;
		Sync__Fetch fetch;
		Sync__Suspect suspect;
		Sync__Attest attest;
		Sync__Beat beat;
		Sync__BeatAck beat_ack;
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

/* Two things at once: to go on in a tree, and not. */
static bool is_contradictory(enum way way)
{
	unsigned last = (unsigned)way / WAY_LAST_1;

	return last && (way & WAY_ROOT || (unsigned)way & last);
}

static int check_entries(const struct msg *m)
{
	if (m->u.entries.way >= WAY__COUNT || is_contradictory(m->u.entries.way))
		return ERR_MALFORMED;
	if (m->u.entries.is_page && key_compare(&m->u.entries.from, &m->u.entries.to) > 0)
		return ERR_MALFORMED;
	return check_stmts(m->u.entries.stmts, m->u.entries.count);
}

static int check_beat(const struct msg *m)
{
	if (m->u.beat.beat.count == 0 || m->u.beat.way >= WAY__COUNT)
		return ERR_MALFORMED;
	if (m->u.beat.beat.count > MSG_BEAT_BYTES_MAX || m->u.beat.other.count > MSG_BEAT_BYTES_MAX)
		return ERR_TOO_BIG;
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
		return check_entries(m);
	case MSG_SKETCH:
		return m->u.sketch.symbols.count > MSG_SYMBOLS_BYTES_MAX ? ERR_TOO_BIG : 0;
	case MSG_WANT:
	case MSG_ANNOUNCE:
		return m->u.items.count > MSG_ITEMS_MAX ? ERR_TOO_BIG : 0;
	case MSG_BEAT:
		return check_beat(m);
	case MSG_REDEEM:
		return check_redeem(m);
	case MSG_REDEEMED:
		return check_stmts(m->u.redeemed.stmts, m->u.redeemed.count);
	case MSG_DIGEST:
	case MSG_CONTINUE:
	case MSG_FETCH:
	case MSG_SUSPECT:
	case MSG_ATTEST:
	case MSG_BEAT_ACK:
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
	p->u.entries.way = (uint32_t)m->u.entries.way;
	if (m->u.entries.is_page) {
		p->u.entries.from = data_of(m->u.entries.from.b, KEY_BYTES);
		p->u.entries.to = data_of(m->u.entries.to.b, KEY_BYTES);
	}
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

static int pack_sketch(const struct msg *m, struct packet *p, struct arena *a)
{
	(void)a;
	sync__sketch__init(&p->u.sketch);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_SKETCH;
	p->envelope.sketch = &p->u.sketch;
	p->u.sketch.salt = m->u.sketch.salt;
	p->u.sketch.from = m->u.sketch.from;
	p->u.sketch.symbols = data_of(m->u.sketch.symbols.at, m->u.sketch.symbols.count);
	return 0;
}

static int pack_more(const struct msg *m, struct packet *p, struct arena *a)
{
	(void)a;
	sync__more__init(&p->u.more);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_MORE;
	p->envelope.more = &p->u.more;
	p->u.more.salt = m->u.more.salt;
	p->u.more.from = m->u.more.from;
	p->u.more.count = m->u.more.count;
	return 0;
}

static int pack_items(const struct msg *m, struct arena *a, ProtobufCBinaryData *ret_data)
{
	size_t bytes = m->u.items.count * MSG_ITEM_BYTES;
	uint8_t *data = arena_alloc(a, bytes);
	struct writer w;

	if (!data)
		return -ENOMEM;
	writer_init(&w, data, bytes);
	for (size_t i = 0; i < m->u.items.count; i++)
		write_u64(&w, m->u.items.items[i]);
	assert(!w.err);
	*ret_data = data_of(data, bytes);
	return 0;
}

static int pack_want(const struct msg *m, struct packet *p, struct arena *a)
{
	sync__want__init(&p->u.want);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_WANT;
	p->envelope.want = &p->u.want;
	p->u.want.salt = m->u.items.salt;
	return pack_items(m, a, &p->u.want.items);
}

static int pack_announce(const struct msg *m, struct packet *p, struct arena *a)
{
	sync__announce__init(&p->u.announce);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_ANNOUNCE;
	p->envelope.announce = &p->u.announce;
	p->u.announce.repaired = m->u.items.repaired;
	return pack_items(m, a, &p->u.announce.items);
}

static int pack_fetch(const struct msg *m, struct packet *p, struct arena *a)
{
	(void)a;
	sync__fetch__init(&p->u.fetch);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_FETCH;
	p->envelope.fetch = &p->u.fetch;
	p->u.fetch.from = data_of(m->u.fetch.from.b, KEY_BYTES);
	return 0;
}

static int pack_suspect(const struct msg *m, struct packet *p, struct arena *a)
{
	(void)a;
	sync__suspect__init(&p->u.suspect);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_SUSPECT;
	p->envelope.suspect = &p->u.suspect;
	p->u.suspect.member = data_of(m->u.watch.member.b, KEY_BYTES);
	p->u.suspect.counter = m->u.watch.counter;
	return 0;
}

static int pack_attest(const struct msg *m, struct packet *p, struct arena *a)
{
	(void)a;
	sync__attest__init(&p->u.attest);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_ATTEST;
	p->envelope.attest = &p->u.attest;
	p->u.attest.member = data_of(m->u.watch.member.b, KEY_BYTES);
	p->u.attest.counter = m->u.watch.counter;
	p->u.attest.signature = data_of(m->u.watch.signature.b, SIGNATURE_BYTES);
	return 0;
}

static int pack_beat(const struct msg *m, struct packet *p, struct arena *a)
{
	(void)a;
	sync__beat__init(&p->u.beat);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_BEAT;
	p->envelope.beat = &p->u.beat;
	p->u.beat.beat = data_of(m->u.beat.beat.at, m->u.beat.beat.count);
	p->u.beat.way = (uint32_t)m->u.beat.way;
	p->u.beat.other = data_of(m->u.beat.other.at, m->u.beat.other.count);
	return 0;
}

static int pack_beat_ack(const struct msg *m, struct packet *p, struct arena *a)
{
	(void)a;
	sync__beat_ack__init(&p->u.beat_ack);
	p->envelope.body_case = SYNC__ENVELOPE__BODY_BEAT_ACK;
	p->envelope.beat_ack = &p->u.beat_ack;
	p->u.beat_ack.number = m->u.beat_ack.number;
	p->u.beat_ack.count = m->u.beat_ack.count;
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
	m->u.entries.way = from->way < WAY__COUNT ? (enum way)from->way : WAY__COUNT;
	m->u.entries.is_page = from->to.len != 0;
	if (m->u.entries.is_page && (copy_exact(m->u.entries.from.b, from->from, KEY_BYTES) ||
	                             copy_exact(m->u.entries.to.b, from->to, KEY_BYTES)))
		return ERR_MALFORMED;
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

static int unpack_sketch(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	const Sync__Sketch *from = e->sketch;

	(void)a;
	m->u.sketch.salt = from->salt;
	m->u.sketch.from = from->from;
	m->u.sketch.symbols = (struct bytes){ from->symbols.data, from->symbols.len };
	return 0;
}

static int unpack_more(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	(void)a;
	m->u.more.salt = e->more->salt;
	m->u.more.from = e->more->from;
	m->u.more.count = e->more->count;
	return 0;
}

static int unpack_items(ProtobufCBinaryData from, struct arena *a, struct msg *m)
{
	size_t count = from.len / MSG_ITEM_BYTES;
	struct reader r;

	if (count > MSG_ITEMS_MAX)
		return ERR_TOO_BIG;
	if (from.len % MSG_ITEM_BYTES != 0)
		return ERR_MALFORMED;
	m->u.items.items = arena_alloc(a, count * sizeof(*m->u.items.items));
	if (!m->u.items.items)
		return -ENOMEM;
	m->u.items.count = count;
	reader_init(&r, (struct bytes){ .at = from.data, .count = from.len });
	for (size_t i = 0; i < count; i++)
		m->u.items.items[i] = read_u64(&r);
	return reader_finish(&r);
}

static int unpack_want(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	m->u.items.salt = e->want->salt;
	return unpack_items(e->want->items, a, m);
}

static int unpack_announce(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	m->u.items.repaired = e->announce->repaired != 0;
	return unpack_items(e->announce->items, a, m);
}

static int unpack_fetch(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	(void)a;
	return copy_exact(m->u.fetch.from.b, e->fetch->from, KEY_BYTES);
}

static int unpack_suspect(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	(void)a;
	m->u.watch.counter = e->suspect->counter;
	return copy_exact(m->u.watch.member.b, e->suspect->member, KEY_BYTES);
}

static int unpack_attest(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	int err = copy_exact(m->u.watch.member.b, e->attest->member, KEY_BYTES);

	(void)a;
	m->u.watch.counter = e->attest->counter;
	if (err)
		return err;
	return copy_exact(m->u.watch.signature.b, e->attest->signature, SIGNATURE_BYTES);
}

static int unpack_beat(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	const Sync__Beat *from = e->beat;

	(void)a;
	m->u.beat.beat = (struct bytes){ from->beat.data, from->beat.len };
	m->u.beat.way = from->way < WAY__COUNT ? (enum way)from->way : WAY__COUNT;
	m->u.beat.other = (struct bytes){ from->other.data, from->other.len };
	return 0;
}

static int unpack_beat_ack(const Sync__Envelope *e, struct arena *a, struct msg *m)
{
	(void)a;
	m->u.beat_ack.number = e->beat_ack->number;
	m->u.beat_ack.count = e->beat_ack->count;
	return 0;
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
	[MSG_SKETCH] = { pack_sketch, unpack_sketch },
	[MSG_WANT] = { pack_want, unpack_want },
	[MSG_REDEEM] = { pack_redeem, unpack_redeem },
	[MSG_REDEEMED] = { pack_redeemed, unpack_redeemed },
	[MSG_BYE] = { pack_bye, unpack_bye },
	[MSG_ANNOUNCE] = { pack_announce, unpack_announce },
	[MSG_CONTINUE] = { pack_more, unpack_more },
	[MSG_FETCH] = { pack_fetch, unpack_fetch },
	[MSG_SUSPECT] = { pack_suspect, unpack_suspect },
	[MSG_ATTEST] = { pack_attest, unpack_attest },
	[MSG_BEAT] = { pack_beat, unpack_beat },
	[MSG_BEAT_ACK] = { pack_beat_ack, unpack_beat_ack },
};

_Static_assert((int)MSG_ENTRIES == (int)SYNC__ENVELOPE__BODY_ENTRIES &&
                       (int)MSG_DIGEST == (int)SYNC__ENVELOPE__BODY_DIGEST &&
                       (int)MSG_SKETCH == (int)SYNC__ENVELOPE__BODY_SKETCH &&
                       (int)MSG_WANT == (int)SYNC__ENVELOPE__BODY_WANT &&
                       (int)MSG_REDEEM == (int)SYNC__ENVELOPE__BODY_REDEEM &&
                       (int)MSG_REDEEMED == (int)SYNC__ENVELOPE__BODY_REDEEMED &&
                       (int)MSG_BYE == (int)SYNC__ENVELOPE__BODY_BYE &&
                       (int)MSG_ANNOUNCE == (int)SYNC__ENVELOPE__BODY_ANNOUNCE &&
                       (int)MSG_CONTINUE == (int)SYNC__ENVELOPE__BODY_MORE &&
                       (int)MSG_FETCH == (int)SYNC__ENVELOPE__BODY_FETCH &&
                       (int)MSG_SUSPECT == (int)SYNC__ENVELOPE__BODY_SUSPECT &&
                       (int)MSG_ATTEST == (int)SYNC__ENVELOPE__BODY_ATTEST &&
                       (int)MSG_BEAT == (int)SYNC__ENVELOPE__BODY_BEAT &&
                       (int)MSG_BEAT_ACK == (int)SYNC__ENVELOPE__BODY_BEAT_ACK,
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
