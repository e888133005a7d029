/*
 * One member in twenty is hostile, and whoever ground the lowest key is among them: do they get an
 * honest member removed, or anything believed that nobody signed who may?
 *
 * Hostile hosts run the shipped daemon, keep their sessions by it, and say forged things besides,
 * some five a second each, for a minute: see the table of attacks.  A member of whose four
 * watchers more than two are hostile is beyond what the quorum promises: there the third holds
 * still.
 *
 * hostile_bad counts honest hosts' replicas in which an honest member is not in, and the statements
 * on honest hosts' disks that speak of an honest member's removal or do not verify, or are an
 * administrator's and not by one.  Each replica is looked at every ten seconds and in the end.
 */
#include "tests/sim/measure.h"

#include "crdt/admit.h"
#include "crdt/beat.h"
#include "tests/sim/act.h"
#include "tests/sim/tap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SHARE 20 /* one in so many is hostile */
#define ATTACK_US MINUTE_US
#define ROUND_US (SECOND_US / 5)
#define LOOK_ROUNDS 50 /* between two looks at all replicas */
#define SESSIONS 16    /* the last ones of each hostile host */
#define ITEMS MSG_ITEMS_MAX

struct villain {
	unsigned host;
	struct keypair pair;
	uint64_t sessions[SESSIONS];
	size_t next_session;
	uint64_t counter; /* of its own records */
};

struct war {
	struct world *w;
	struct model *m;
	struct tap tap;
	struct key mesh;
	struct key issuer; /* Ed25519: the one administrator */
	struct villain *villains;
	size_t villains_count;
	struct stmt **records; /* by host: the latest that was seen */
	struct stmt **first;   /* by host: as they were at the beginning */
	uint64_t said;
	uint64_t bad;
};

/* --- looking ---------------------------------------------------------------------------------- */

static long host_of(const struct war *x, const struct key *box)
{
	struct map_node *node = map_find(&x->m->by_key, box->b);

	return node ? (long)container_of(node, struct model_member, node)->host : -1;
}

static bool is_honest(const struct war *x, long host)
{
	return host >= 0 && x->m->of[host] == EXPECT_IN;
}

struct looking {
	struct war *x;
	uint64_t bad;
};

static bool is_false(struct war *x, const struct stmt *s)
{
	bool removes = s->kind == STMT_REMOVE || s->kind == STMT_EXPEL;
	bool administers = s->kind == STMT_ADMISSION || s->kind == STMT_EXPEL;

	return stmt_verify(s, &x->mesh) != 0 ||
	       (administers && !key_equal(&s->signer, &x->issuer)) || s->kind == STMT_REVOKE ||
	       (removes && is_honest(x, host_of(x, &s->member)));
}

static void look_at_row(void *ctx, const struct row *row)
{
	struct looking *l = ctx;
	struct stmt *s;

	if (row->table != ROW_STATE || stmt_parse(&l->x->w->mem, row->value, &s) != 0)
		return;
	l->bad += is_false(l->x, s);
	stmt_unref(&l->x->w->mem, s);
}

static uint64_t not_in(const struct war *x, const struct node *n)
{
	struct member_view member;
	struct mesh_view v;
	struct key after = { { 0 } };
	uint64_t in = 0;
	uint64_t honest = 0;

	if (!node_mesh_find(n, x->m->mesh, &v))
		return 1;
	while (node_member_next(n, v.id, &after, &member)) {
		after = member.key;
		in += member.standing == STANDING_IN && is_honest(x, host_of(x, &member.key));
	}
	for (size_t i = 0; i < x->m->count; i++)
		honest += is_honest(x, (long)i);
	return honest - in;
}

/* Everything: also what is on the disks. */
static void look(struct war *x, bool at_disks)
{
	struct looking l = { .x = x };

	for (size_t i = 0; i < x->m->count; i++) {
		if (!is_honest(x, (long)i))
			continue;
		l.bad += not_in(x, x->w->hosts[i]->node);
		if (at_disks)
			disk_visit(&x->w->hosts[i]->disk, look_at_row, &l);
	}
	x->bad += l.bad;
}

/* --- what hostile hosts know -------------------------------------------------------------------
 */

static void learn_row(void *ctx, const struct row *row)
{
	struct war *x = ctx;
	struct stmt *s;
	long host;

	if (row->table != ROW_STATE || stmt_parse(&x->w->mem, row->value, &s) != 0)
		return;
	host = s->kind == STMT_RECORD ? host_of(x, &s->member) : -1;
	if (host < 0) {
		stmt_unref(&x->w->mem, s);
		return;
	}
	if (!x->first[host])
		x->first[host] = stmt_ref(s);
	stmt_unref(&x->w->mem, x->records[host]);
	x->records[host] = s;
}

static struct villain *villain_of(struct war *x, unsigned host)
{
	for (size_t i = 0; i < x->villains_count; i++)
		if (x->villains[i].host == host)
			return &x->villains[i];
	return NULL;
}

/* Remember with whom they speak. */
static bool overhear(struct world *w, struct host *h, const struct effect *send, void *ctx)
{
	struct villain *v = villain_of(ctx, h->index);

	(void)w;
	if (!v)
		return true;
	for (size_t i = 0; i < SESSIONS; i++)
		if (v->sessions[i] == send->u.send.session)
			return true;
	v->sessions[v->next_session++ % SESSIONS] = send->u.send.session;
	return true;
}

/* How many villains before this one are among the watchers of `record`. */
static size_t accomplices(const struct war *x, const struct stmt *record, const struct villain *v)
{
	size_t count = 0;

	for (const struct villain *other = x->villains; other < v; other++)
		count += record_watches(record, &other->pair.sign_public);
	return count;
}

static uint64_t now_ms(const struct war *x)
{
	return (uint64_t)(SIM_EPOCH_UNIX_MS + world_ms(x->w));
}

static uint64_t any(const struct war *x, uint64_t below)
{
	return rng_below(&x->w->rng, below);
}

/* --- attacks: each fills in a message --------------------------------------------------------- */

struct attack {
	struct war *x;
	struct villain *by;
	const struct stmt *victim; /* an honest member's record */
	struct msg *msg;
	struct bytes list[2];
	uint8_t raw[2][LIMIT_STATEMENT_BYTES];
	uint64_t items[ITEMS];
};

/* But for what the wire refuses: to go on in a tree, and not. */
static enum way any_way(struct war *x)
{
	unsigned way = (unsigned)any(x, WAY__COUNT);
	unsigned last = way / WAY_LAST_1;

	return (enum way)(last ? way & ~(WAY_ROOT | last) : way);
}

static void say_raw(struct attack *a, size_t bytes)
{
	a->list[0] = (struct bytes){ a->raw[0], bytes };
	a->msg->kind = MSG_ENTRIES;
	a->msg->u.entries.stmts = a->list;
	a->msg->u.entries.count = 1;
	a->msg->u.entries.way = any_way(a->x);
}

static void say_stmt(struct attack *a, struct stmt *s)
{
	memcpy(a->raw[0], s->raw.at, s->raw.count);
	say_raw(a, s->raw.count);
	stmt_unref(&a->x->w->mem, s);
}

/* How many of its watchers may lie: a member that found only two or three stands but one. */
static size_t most_liars(const struct stmt *victim)
{
	struct watcher_id ids[LIMIT_WATCHERS];

	return record_watchers(victim, ids) < LIMIT_WATCHERS ? 1 : 2;
}

/* A watcher lies, within what the quorum stands; or one who is none does. */
static void attest_falsely(struct attack *a)
{
	struct attest attest;

	if (record_watches(a->victim, &a->by->pair.sign_public) &&
	    accomplices(a->x, a->victim, a->by) >= most_liars(a->victim))
		return;
	prune_attest(a->victim, &a->by->pair, &a->x->mesh, &attest);
	a->msg->kind = any(a->x, 4) ? MSG_ATTEST : MSG_SUSPECT;
	a->msg->u.watch.member = a->victim->member;
	a->msg->u.watch.counter = a->victim->counter;
	a->msg->u.watch.signature = attest.signature;
}

/* The header of the victim and a cause; where the authority goes. */
static size_t begin_remove(struct attack *a, enum cause cause)
{
	const struct bytes of = a->victim->raw;
	size_t head = 4 + ((size_t)of.at[2] << 8 | of.at[3]) + SIGNATURE_BYTES;

	assert(head < of.count);
	memcpy(a->raw[0], of.at, head);
	a->raw[0][0] = STMT_REMOVE;
	a->raw[0][head] = (uint8_t)cause;
	return head + 1;
}

static int order_attests(const void *a, const void *b)
{
	const struct attest *x = a;
	const struct attest *y = b;

	return key_compare(&x->watcher, &y->watcher);
}

/* Parts by two villains whom it names as watchers, if there are, and by others. */
static size_t conspire(struct attack *a, struct attest parts[LIMIT_WATCHERS])
{
	size_t wanted = 1 + any(a->x, 3);
	size_t count = 0;

	for (size_t i = 0;
	     i < a->x->villains_count && count < MIN_OF(wanted, most_liars(a->victim)); i++)
		if (record_watches(a->victim, &a->x->villains[i].pair.sign_public))
			prune_attest(a->victim, &a->x->villains[i].pair, &a->x->mesh,
			             &parts[count++]);
	while (count < wanted) {
		struct watcher_id ids[LIMIT_WATCHERS];
		size_t watchers = record_watchers(a->victim, ids);
		const struct villain *v = &a->x->villains[any(a->x, a->x->villains_count)];
		bool is_watcher = record_watches(a->victim, &v->pair.sign_public);
		struct watcher_id own = watcher_id_of(&v->pair.sign_public);
		const struct watcher_id *name = watchers ? &ids[any(a->x, watchers)] : &own;

		/* A third one in its own name is beyond what the quorum stands. */
		if (is_watcher &&
		    (watchers < LIMIT_WATCHERS || watcher_id_compare(name, &own) == 0))
			break;
		prune_attest(a->victim, &v->pair, &a->x->mesh, &parts[count]);
		/* In the name of a watcher, whose id is known. */
		if (is_watcher || (watchers && any(a->x, 4)))
			memcpy(parts[count].watcher.b, name->b, WATCHER_ID_BYTES);
		count++;
	}
	qsort(parts, count, sizeof(*parts), order_attests);
	return count;
}

static void prune_falsely(struct attack *a)
{
	struct attest parts[LIMIT_WATCHERS];
	size_t count = conspire(a, parts);
	size_t head = begin_remove(a, CAUSE_PRUNE);

	for (size_t i = 0; i < count; i++) {
		memcpy(a->raw[0] + head, parts[i].watcher.b, KEY_BYTES);
		memcpy(a->raw[0] + head + KEY_BYTES, parts[i].signature.b, SIGNATURE_BYTES);
		head += KEY_BYTES + SIGNATURE_BYTES;
	}
	say_raw(a, head);
}

static void leave_falsely(struct attack *a)
{
	size_t head = begin_remove(a, CAUSE_LEAVE);
	struct attest attest;

	prune_attest(a->victim, &a->by->pair, &a->x->mesh, &attest);
	memcpy(a->raw[0] + head, attest.signature.b, SIGNATURE_BYTES);
	say_raw(a, head + SIGNATURE_BYTES);
}

static int order_ids(const void *a, const void *b)
{
	return watcher_id_compare(a, b);
}

static struct stmt *own_record(struct attack *a, uint64_t counter)
{
	struct record r = { .counter = counter, .role = ROLE_PEER };
	struct stmt *s;

	r.description = (struct bytes){ (const uint8_t *)"hostile", 7 };
	for (size_t i = 0; i < a->x->m->count && r.watchers_count < LIMIT_WATCHERS; i++) {
		size_t host = any(a->x, a->x->m->count);
		struct keypair pair;

		if (!is_honest(a->x, (long)host) ||
		    keypair_from_seed(&pair, a->x->m->members[host].seed))
			continue;
		r.watchers[r.watchers_count++] = watcher_id_of(&pair.sign_public);
	}
	qsort(r.watchers, r.watchers_count, sizeof(*r.watchers), order_ids);
	for (size_t i = 1; i < r.watchers_count; i++)
		if (!watcher_id_compare(&r.watchers[i - 1], &r.watchers[i]))
			r.watchers_count = 0;
	if (record_sign(&a->x->w->mem, &r, &a->by->pair, &a->x->mesh, &s))
		abort();
	return s;
}

/* Its own, signed well: others as its watchers, faster than anybody may. */
static void sign_fast(struct attack *a)
{
	a->by->counter = MAX_OF(a->by->counter + 1, now_ms(a->x));
	say_stmt(a, own_record(a, a->by->counter));
}

/* The victim's key, the villain's signature. */
static void sign_for_another(struct attack *a)
{
	struct stmt *s = own_record(a, now_ms(a->x));
	struct keypair pair;
	uint8_t *at;

	if (keypair_from_seed(&pair, a->x->m->members[host_of(a->x, &a->victim->member)].seed))
		abort();
	say_stmt(a, s);
	at = memmem(a->raw[0], a->list[0].count, a->by->pair.sign_public.b, KEY_BYTES);
	assert(at);
	memcpy(at, pair.sign_public.b, KEY_BYTES);
}

static void replay(struct attack *a)
{
	const struct stmt *old = a->x->first[any(a->x, a->x->m->count)];

	if (old)
		say_stmt(a, stmt_ref((struct stmt *)(uintptr_t)old));
}

static void admit_falsely(struct attack *a)
{
	struct admission adm = { .role = ROLE_PEER, .issued_ms = now_ms(a->x) };
	struct keypair stranger;
	struct stmt *s;

	keypair_generate(&stranger, &a->x->w->rng);
	adm.subject = stranger.sign_public;
	if (admission_sign(&a->x->w->mem, &adm, &a->by->pair, &a->x->mesh, &s))
		abort();
	say_stmt(a, s);
}

static void expel_falsely(struct attack *a)
{
	struct expulsion e = { .subject = a->victim->subject, .issued_ms = now_ms(a->x) };
	struct stmt *s;

	if (expel_sign(&a->x->w->mem, &e, &a->by->pair, &a->x->mesh, &s))
		abort();
	say_stmt(a, s);
}

/* As though it had the mesh key. */
static void rule_falsely(struct attack *a)
{
	struct revocation r = { .administrator = a->x->issuer, .issued_ms = now_ms(a->x) };
	struct stmt *s;
	int err;

	if (any(a->x, 2))
		err = appoint_sign(&a->x->w->mem, &a->by->pair.sign_public, now_ms(a->x),
		                   &a->by->pair, &s);
	else
		err = revoke_sign(&a->x->w->mem, &r, &a->by->pair, &s);
	if (err)
		abort();
	say_stmt(a, s);
}

static void garble(struct attack *a)
{
	size_t bytes = a->victim->raw.count;

	memcpy(a->raw[0], a->victim->raw.at, bytes);
	for (size_t i = 0; i < 1 + any(a->x, 4); i++)
		a->raw[0][any(a->x, bytes)] ^= (uint8_t)(1u << any(a->x, 8));
	say_raw(a, bytes);
}

static void digest_falsely(struct attack *a)
{
	a->msg->kind = MSG_DIGEST;
	rng_bytes(&a->x->w->rng, a->msg->u.digest.digest, DIGEST_BYTES);
	a->msg->u.digest.question = any(a->x, 2);
	a->msg->u.digest.members = any(a->x, 3) ? 0 : any(a->x, 1u << 20);
}

static void sketch_falsely(struct attack *a)
{
	size_t bytes = any(a->x, 700);

	rng_bytes(&a->x->w->rng, a->raw[0], bytes);
	a->msg->kind = MSG_SKETCH;
	a->msg->u.sketch.salt = 1 + any(a->x, 3);
	a->msg->u.sketch.symbols = (struct bytes){ a->raw[0], bytes };
}

static void ask_too_much(struct attack *a)
{
	static const enum msg_kind kinds[] = { MSG_WANT, MSG_ANNOUNCE, MSG_CONTINUE, MSG_FETCH };

	a->msg->kind = kinds[any(a->x, ARRAY_LEN(kinds))];
	if (a->msg->kind == MSG_FETCH) {
		rng_bytes(&a->x->w->rng, a->msg->u.fetch.from.b, KEY_BYTES);
		return;
	}
	if (a->msg->kind == MSG_CONTINUE) {
		a->msg->u.more.salt = any(a->x, 3);
		a->msg->u.more.from = (uint32_t)any(a->x, 4096);
		a->msg->u.more.count = (uint32_t)any(a->x, 4096);
		return;
	}
	rng_bytes(&a->x->w->rng, (uint8_t *)a->items, sizeof(a->items));
	a->msg->u.items.items = a->items;
	a->msg->u.items.count = ITEMS;
	a->msg->u.items.salt = a->msg->kind == MSG_WANT ? any(a->x, 3) : 0;
}

/* Of its own name, one or two that contradict each other; or of the victim's. */
static void beat_falsely(struct attack *a)
{
	struct beat b = { .number = now_ms(a->x) + any(a->x, 3), .members = 7 };
	uint8_t *at;

	a->msg->kind = MSG_BEAT;
	for (size_t i = 0; i < 2; i++) {
		rng_bytes(&a->x->w->rng, b.digest, sizeof(b.digest));
		beat_sign(&b, &a->by->pair, &a->x->mesh, a->raw[i]);
		at = memmem(a->raw[i], BEAT_BYTES, a->by->pair.box_public.b, KEY_BYTES);
		if (at && any(a->x, 3) == 0)
			memcpy(at, a->victim->member.b, KEY_BYTES);
	}
	a->msg->u.beat.beat = (struct bytes){ a->raw[0], BEAT_BYTES };
	a->msg->u.beat.way = any(a->x, 2) ? WAY_TREE_1 : WAY_TREE_2;
	if (any(a->x, 2))
		a->msg->u.beat.other = (struct bytes){ a->raw[1], BEAT_BYTES };
}

static void count_falsely(struct attack *a)
{
	a->msg->kind = MSG_BEAT_ACK;
	a->msg->u.beat_ack.number = now_ms(a->x);
	a->msg->u.beat_ack.count = (uint32_t)any(a->x, 1u << 31);
}

static void (*const attacks[])(struct attack *a) = {
	attest_falsely, prune_falsely,  leave_falsely, sign_fast,    sign_for_another,
	replay,         admit_falsely,  expel_falsely, rule_falsely, garble,
	digest_falsely, sketch_falsely, ask_too_much,  beat_falsely, count_falsely,
};

/* --- the war ------------------------------------------------------------------------------------
 */

/* Of some, the one with most villains among its watchers. */
static const struct stmt *draw_victim(struct war *x)
{
	const struct villain *end = x->villains + x->villains_count;
	size_t tries = 1 + any(x, 2) * 50;
	const struct stmt *best = NULL;

	for (size_t i = any(x, x->m->count); tries || !best; i = (i + 1) % x->m->count) {
		const struct stmt *s = x->records[i];

		tries -= tries > 0;
		if (s && is_honest(x, (long)i) &&
		    (!best || accomplices(x, s, end) > accomplices(x, best, end)))
			best = s;
	}
	return best;
}

static void strike(struct war *x, struct villain *v)
{
	static struct attack a; /* large */
	struct host *h = x->w->hosts[v->host];
	uint64_t session = v->sessions[any(x, SESSIONS)];
	struct msg msg = { .kind = MSG_BYE };

	a.x = x;
	a.by = v;
	a.victim = draw_victim(x);
	a.msg = &msg;
	attacks[any(x, ARRAY_LEN(attacks))](&a);
	if (msg.kind == MSG_BYE || !session || !h->is_up || h->is_paused)
		return;
	x->said++;
	tap_say(x->w, h, session, &msg);
}

static void fight(struct war *x)
{
	int64_t until_us = x->w->now_us + ATTACK_US;

	for (unsigned round = 0; x->w->now_us < until_us; round++) {
		if (round % LOOK_ROUNDS == 0) {
			disk_visit(&x->w->hosts[x->villains[0].host]->disk, learn_row, x);
			look(x, false);
		}
		for (size_t i = 0; i < x->villains_count; i++)
			strike(x, &x->villains[i]);
		world_pass(x->w, ROUND_US);
	}
}

static void enlist(struct war *x, unsigned host)
{
	struct villain *v = &x->villains[x->villains_count++];

	v->host = host;
	x->m->of[host] = EXPECT_DEAD;
	if (keypair_from_seed(&v->pair, x->m->members[host].seed))
		abort();
}

/* Not the administrator, whose power is another question. */
static void choose_villains(struct war *x)
{
	/* In a small mesh more, or no member had two of them as watchers. */
	size_t wanted = MAX_OF(x->m->count / SHARE, MIN_OF(x->m->count / 6, 10));
	unsigned lowest = 1;

	for (unsigned i = 2; i < x->m->count; i++)
		if (key_compare(&x->m->members[i].key, &x->m->members[lowest].key) < 0)
			lowest = i;
	enlist(x, lowest);
	while (x->villains_count < wanted) {
		unsigned i = 1 + (unsigned)any(x, x->m->count - 1);

		if (is_honest(x, i))
			enlist(x, i);
	}
}

static void prepare(struct war *x)
{
	struct keypair issuer;
	struct identity id;

	raise_mesh(x->w, x->m);
	world_pass(x->w, MINUTE_US);
	if (node_identities(x->w->hosts[0]->node, &id, 1) != 1)
		abort();
	x->mesh = id.mesh_public;
	if (keypair_from_seed(&issuer, x->m->members[0].seed))
		abort();
	x->issuer = issuer.sign_public;
	x->records = calloc(x->m->count, sizeof(*x->records));
	x->first = calloc(x->m->count, sizeof(*x->first));
	x->villains = calloc(x->m->count, sizeof(*x->villains));
	assert(x->records && x->first && x->villains);
	choose_villains(x);
	x->tap.send = overhear;
	x->tap.ctx = x;
	x->w->tap = &x->tap;
	world_pass(x->w, 10 * SECOND_US);
}

static void finish(struct war *x)
{
	x->w->tap = NULL;
	for (size_t i = 0; i < x->m->count; i++) {
		stmt_unref(&x->w->mem, x->records[i]);
		stmt_unref(&x->w->mem, x->first[i]);
	}
	free(x->records);
	free(x->first);
	free(x->villains);
}

static void run(struct measure *b, struct world *w, struct model *m)
{
	struct war x = { .w = w, .m = m };

	prepare(&x);
	look(&x, true);
	fight(&x);
	world_pass(w, MINUTE_US);
	look(&x, true);
	check_final(w, m);
	measure_add(measure_series(b, "hostile_bad", "1", SUM_TOTAL), (double)x.bad);
	measure_add(measure_series(b, "hostile_said", "1", SUM_LEAST), (double)x.said);
	finish(&x);
}

/* Signatures are real anyway; the rest of a hostile member's powers are those of any peer. */
static void options(struct world_options *o)
{
	(void)o;
	crypto_use_real(false);
}

GROUP(hostile, "hostile members among 300: hostile_bad", options)
