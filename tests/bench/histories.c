/*
 * Random merge histories: does anything come back that was removed, or get lost that was added?
 *
 *	SEED=n       repeats a run (it is printed)
 *	HISTORIES=n  how many; 1 000 000 unless told otherwise
 *
 * A history: some replicas, a few members and administrators, and what they sign over several
 * lives: admissions, records, leaves, prunes, expels, appointments, revocations.  Statements come
 * to replicas in any order, again and again, also much later; replicas give each other what they
 * hold, shuffled and with losses; time passes and each forgets when it likes.  In the end all
 * forget once more and exchange until nothing is new.
 *
 * A history is bad if at any moment
 *	a replica that has taken a remove counts the member in by a record not above it, or one
 *	expelled by a statement that it took, or by a record below what it has forgotten;
 *	a forged statement is taken;
 * or if in the end
 *	the replicas differ;
 *	a record above all removes that any replica took, dated after what was forgotten, of a
 *	member surely admitted and never expelled, does not count it in everywhere.
 *
 * Statements are signed once and drawn from a pool.  The rules are those of the shipped code, with
 * nothing trusted; but a signature is computed once and remembered, and so is a key's other form:
 * this program puts itself before libsodium.
 */
#include "base/mem.h"
#include "base/rng.h"
#include "crdt/admit.h"
#include "crdt/record.h"
#include "crdt/set.h"

#include <dlfcn.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ADMINS 2
#define MEMBERS 4
#define TIMES 8
#define REPLICAS_MAX 4
#define POOL_MAX 512
#define STEPS_MAX 48
#define ROUNDS_MAX 20
#define LIFE MS_PER_DAY
#define TICK (LIFE / 3)
#define T0 1700000000000LL

/* --- remembered cryptography ------------------------------------------------------------------ */

#define VERDICTS 4096u /* slots; a power of two, some four times what is signed */

struct verdict {
	bool is_known;
	int err;
	uint8_t sig[64];
	uint8_t pk[32];
	uint8_t *text;
	size_t bytes;
};

struct form {
	bool is_known;
	int err;
	uint8_t ed[32];
	uint8_t box[32];
};

/* As libsodium's functions have no context. */
static struct verdict verdicts[VERDICTS];
static struct form forms[256];

static void *real(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f)
		abort();
	return f;
}

static void *must_alloc(size_t bytes)
{
	void *p = malloc(bytes ? bytes : 1);

	if (!p)
		abort();
	return p;
}

int crypto_sign_verify_detached(const unsigned char *sig,
                                const unsigned char *m,
                                unsigned long long mlen,
                                const unsigned char *pk)
{
	static int (*verify)(const unsigned char *, const unsigned char *, unsigned long long,
	                     const unsigned char *);
	uint32_t at;

	memcpy(&at, sig, sizeof(at));
	for (at ^= pk[0];; at++) {
		struct verdict *v = &verdicts[at % VERDICTS];

		if (!v->is_known) {
			if (!verify)
				*(void **)&verify = real("crypto_sign_verify_detached");
			v->is_known = true;
			v->err = verify(sig, m, mlen, pk);
			v->bytes = (size_t)mlen;
			v->text = must_alloc(v->bytes);
			memcpy(v->text, m, v->bytes);
			memcpy(v->sig, sig, sizeof(v->sig));
			memcpy(v->pk, pk, sizeof(v->pk));
		}
		if (v->bytes == mlen && memcmp(v->sig, sig, sizeof(v->sig)) == 0 &&
		    memcmp(v->pk, pk, sizeof(v->pk)) == 0 && memcmp(v->text, m, v->bytes) == 0)
			return v->err;
	}
}

int crypto_sign_ed25519_pk_to_curve25519(unsigned char *box, const unsigned char *ed)
{
	static int (*convert)(unsigned char *, const unsigned char *);

	for (size_t at = ed[0];; at++) {
		struct form *f = &forms[at % ARRAY_LEN(forms)];

		if (!f->is_known) {
			if (!convert)
				*(void **)&convert = real("crypto_sign_ed25519_pk_to_curve25519");
			f->is_known = true;
			f->err = convert(f->box, ed);
			memcpy(f->ed, ed, sizeof(f->ed));
		}
		if (memcmp(f->ed, ed, sizeof(f->ed)) == 0) {
			memcpy(box, f->box, sizeof(f->box));
			return f->err;
		}
	}
}

/* --- the pool --------------------------------------------------------------------------------- */

struct item {
	struct stmt *stmt;
	bool is_forged;
};

struct lab {
	struct mem mem;
	struct rng rng;
	struct keypair mesh;
	struct keypair admins[ADMINS];
	struct keypair members[MEMBERS];
	struct item pool[POOL_MAX];
	size_t count;
	size_t authority; /* the first so many are by administrators and the mesh key */
};

static void must(int err)
{
	if (err) {
		fprintf(stderr, "histories: error %d\n", err);
		abort();
	}
}

static void *resize(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	if (bytes)
		return realloc(ptr, bytes);
	free(ptr);
	return NULL;
}

static void add(struct lab *l, struct stmt *s, bool is_forged)
{
	if (l->count == POOL_MAX)
		abort();
	l->pool[l->count++] = (struct item){ s, is_forged };
}

/* The same with one bit of the first signature's tail changed, and one of what it says. */
static void add_spoiled(struct lab *l, const struct stmt *of)
{
	uint8_t raw[LIMIT_STATEMENT_BYTES];
	struct stmt *s;

	memcpy(raw, of->raw.at, of->raw.count);
	raw[of->raw.count - 1] ^= 1;
	if (stmt_parse(&l->mem, (struct bytes){ raw, of->raw.count }, &s) == 0)
		add(l, s, true);
}

static struct stmt *admission(struct lab *l, const struct keypair *by, size_t member, uint64_t ms)
{
	struct admission a = { .role = ROLE_PEER, .issued_ms = ms };
	struct stmt *s;

	a.subject = l->members[member].sign_public;
	must(admission_sign(&l->mem, &a, by, &l->mesh.sign_public, &s));
	return s;
}

static struct stmt *expel(struct lab *l, const struct keypair *by, size_t member, uint64_t ms)
{
	struct expulsion x = { .issued_ms = ms };
	struct stmt *s;

	x.subject = l->members[member].sign_public;
	must(expel_sign(&l->mem, &x, by, &l->mesh.sign_public, &s));
	return s;
}

static struct stmt *revoke(struct lab *l, size_t admin, uint64_t ms, bool stay)
{
	struct revocation r = { .issued_ms = ms, .stay = &l->members[0].box_public };
	struct stmt *s;

	r.administrator = l->admins[admin].sign_public;
	r.stay_count = stay;
	must(revoke_sign(&l->mem, &r, &l->mesh, &s));
	return s;
}

static struct stmt *appoint(struct lab *l, const struct keypair *mesh, size_t admin, uint64_t ms)
{
	struct stmt *s;

	must(appoint_sign(&l->mem, &l->admins[admin].sign_public, ms, mesh, &s));
	return s;
}

static void add_authority(struct lab *l)
{
	for (size_t a = 0; a < ADMINS; a++)
		add(l, appoint(l, &l->mesh, a, T0), false);
	for (size_t m = 0; m < MEMBERS; m++)
		for (size_t t = 0; t < TIMES; t += 2)
			for (size_t a = 0; a < ADMINS; a++)
				add(l, admission(l, &l->admins[a], m, T0 + t * TICK + a), false);
	for (size_t a = 0; a < ADMINS; a++) {
		add(l, expel(l, &l->admins[a], MEMBERS - 1, T0 + 3 * TICK), false);
		add(l, revoke(l, a, T0 + 4 * TICK, a == 0), false);
		add(l, appoint(l, &l->mesh, a, T0 + 5 * TICK), false);
		/* By members and by one who made himself the mesh key. */
		add(l, appoint(l, &l->members[a], a, T0 + 6 * TICK), true);
		add(l, admission(l, &l->members[0], a + 1, T0 + TICK), true);
		add(l, expel(l, &l->members[0], a + 1, T0 + TICK), true);
		add_spoiled(l, l->pool[ADMINS + a].stmt);
	}
	l->authority = l->count;
}

static int order_ids(const void *a, const void *b)
{
	return watcher_id_compare(a, b);
}

/* A record with the other members as watchers, and `text`. */
static struct stmt *record(struct lab *l, size_t member, uint64_t ms, const char *text)
{
	struct record r = { .counter = ms, .role = ROLE_PEER };
	struct stmt *s;

	r.description = (struct bytes){ (const uint8_t *)text, strlen(text) };
	for (size_t i = 0; i < MEMBERS; i++)
		if (i != member)
			r.watchers[r.watchers_count++] = watcher_id_of(&l->members[i].sign_public);
	qsort(r.watchers, r.watchers_count, sizeof(*r.watchers), order_ids);
	must(record_sign(&l->mem, &r, &l->members[member], &l->mesh.sign_public, &s));
	return s;
}

static struct stmt *prune(struct lab *l, size_t member, const struct stmt *covered, size_t but)
{
	struct attest attests[LIMIT_WATCHERS];
	size_t count = 0;
	struct stmt *s;

	for (size_t i = 0; i < MEMBERS; i++)
		if (i != member && i != (member + but) % MEMBERS)
			prune_attest(covered, &l->members[i], &l->mesh.sign_public,
			             &attests[count++]);
	must(remove_make_prune(&l->mem, covered, attests, count, &s));
	return s;
}

static void add_lives(struct lab *l)
{
	for (size_t m = 0; m < MEMBERS; m++) {
		for (size_t t = 0; t < TIMES; t++) {
			struct stmt *one = record(l, m, T0 + t * TICK, "one");
			struct stmt *other = record(l, m, T0 + t * TICK, "other");
			struct stmt *leave;

			must(remove_sign_leave(&l->mem, one, &l->members[m], &l->mesh.sign_public,
			                       &leave));
			add(l, one, false);
			add(l, other, false);
			add(l, record(l, m, T0 + t * TICK + 1, "later"), false);
			add(l, leave, false);
			add(l, prune(l, m, one, 1 + t % 3), false);
			add(l, prune(l, m, other, 1 + (t + 1) % 3), false);
			if (t % 4 == 0) {
				add_spoiled(l, one);
				add_spoiled(l, leave);
				add_spoiled(l, l->pool[l->count - 3].stmt);
			}
		}
	}
}

static void lab_init(struct lab *l, uint64_t seed)
{
	uint8_t bytes[RNG_SEED_BYTES] = { 0 };

	memset(l, 0, sizeof(*l));
	l->mem.resize = resize;
	rng_init(&l->rng, bytes); /* the keys are always the same */
	keypair_generate(&l->mesh, &l->rng);
	for (size_t i = 0; i < ADMINS; i++)
		keypair_generate(&l->admins[i], &l->rng);
	for (size_t i = 0; i < MEMBERS; i++)
		keypair_generate(&l->members[i], &l->rng);
	add_authority(l);
	add_lives(l);
	memcpy(bytes, &seed, sizeof(seed));
	rng_init(&l->rng, bytes);
}

/* --- one history --------------------------------------------------------------------------------
 */

/* What was taken about a member: by one replica, or by any. */
struct memory {
	uint64_t removed; /* the greatest counter of a remove */
	uint64_t added;   /* the greatest counter of a record that counted it in */
	bool is_expelled;
};

struct replica {
	struct set *set;
	struct memory of[MEMBERS];
	bool is_revoked; /* has taken a revocation */
};

struct history {
	struct lab *l;
	struct replica replicas[REPLICAS_MAX];
	size_t count;
	int64_t now_ms;
	const char *bad; /* NULL: not */
};

static size_t member_of(const struct lab *l, const struct key *member)
{
	size_t i = 0;

	while (i < MEMBERS && !key_equal(&l->members[i].box_public, member))
		i++;
	return i;
}

static struct instant now_of(const struct history *h)
{
	return (struct instant){ .mono_ms = h->now_ms - T0 + 1, .unix_ms = h->now_ms };
}

static void remember(struct history *h, struct replica *r, const struct stmt *s)
{
	size_t i = member_of(h->l, &s->member);

	if (s->kind == STMT_REVOKE)
		r->is_revoked = true;
	if (i == MEMBERS)
		return;
	if (s->kind == STMT_REMOVE)
		r->of[i].removed = MAX_OF(r->of[i].removed, s->counter);
	if (s->kind == STMT_EXPEL)
		r->of[i].is_expelled = true;
	if (s->kind == STMT_RECORD)
		r->of[i].added = MAX_OF(r->of[i].added, s->counter);
}

static void judge_replica(struct history *h, const struct replica *r)
{
	const struct entry *e;

	set_for_each(e, at, r->set) {
		size_t i = member_of(h->l, &e->member);

		if (e->standing != STANDING_IN)
			continue;
		if (i == MEMBERS)
			h->bad = "a stranger is in";
		else if (r->of[i].is_expelled)
			h->bad = "an expelled member is back";
		else if (e->record->counter <= r->of[i].removed)
			h->bad = "a removed member is back";
		else if (e->record->counter < set_floor(r->set))
			h->bad = "a forgotten record counts";
	}
}

static bool offer(struct history *h, struct replica *r, const struct item *item)
{
	struct offered offered;

	must(set_offer(r->set, item->stmt->raw, now_of(h), false, &offered));
	if (item->is_forged && offered.offer == OFFER_NEW)
		h->bad = "a forged statement was taken";
	if (offered.offer == OFFER_NEW)
		remember(h, r, item->stmt);
	return offered.offer == OFFER_NEW;
}

struct gathered {
	struct item list[POOL_MAX];
	size_t count;
};

static int gather(void *ctx, const struct stmt *s)
{
	struct gathered *g = ctx;

	if (g->count == POOL_MAX)
		abort();
	g->list[g->count++].stmt = stmt_ref((struct stmt *)(uintptr_t)s);
	return 0;
}

/* Give all that one holds to another; shuffled: in any order, with losses.  How much was new. */
static size_t give(struct history *h, size_t from, size_t to, bool shuffled)
{
	struct gathered g = { .count = 0 };
	struct rng *rng = &h->l->rng;
	size_t news = 0;

	must(set_visit_all(h->replicas[from].set, gather, &g));
	for (size_t i = g.count; shuffled && i > 1; i--) {
		size_t with = rng_below(rng, i);
		struct item t = g.list[i - 1];

		g.list[i - 1] = g.list[with];
		g.list[with] = t;
	}
	for (size_t i = 0; i < g.count; i++) {
		g.list[i].is_forged = false;
		if (!shuffled || rng_below(rng, 4) > 0)
			news += offer(h, &h->replicas[to], &g.list[i]);
		stmt_unref(&h->l->mem, g.list[i].stmt);
	}
	return news;
}

/* Mostly of the present; now and then anything. */
static const struct item *draw(struct history *h)
{
	struct lab *l = h->l;
	bool is_authority = rng_below(&l->rng, 4) == 0;
	size_t from = is_authority ? 0 : l->authority;
	size_t to = is_authority ? l->authority : l->count;
	const struct item *item;
	unsigned tries = 0;

	do
		item = &l->pool[from + rng_below(&l->rng, to - from)];
	while (rng_below(&l->rng, 8) > 0 && tries++ < 8 &&
	       ((int64_t)item->stmt->counter > h->now_ms ||
	        (int64_t)item->stmt->counter < h->now_ms - LIFE));
	return item;
}

static void tell(struct history *h)
{
	const struct item *item = draw(h);

	for (size_t i = 0; i < h->count; i++)
		for (size_t times = rng_below(&h->l->rng, 3); times > 0; times--)
			offer(h, &h->replicas[i], item);
}

static void forget(struct history *h, struct replica *r)
{
	must(set_age(r->set, now_of(h), NULL, NULL));
}

static void step(struct history *h)
{
	struct rng *rng = &h->l->rng;
	uint64_t what = rng_below(rng, 20);
	size_t one = rng_below(rng, h->count);

	if (what < 13)
		tell(h);
	else if (what < 16)
		give(h, one, rng_below(rng, h->count), true);
	else if (what < 18)
		h->now_ms += (int64_t)rng_below(rng, TICK);
	else
		forget(h, &h->replicas[one]);
	for (size_t i = 0; i < h->count; i++)
		judge_replica(h, &h->replicas[i]);
}

static void exchange(struct history *h)
{
	size_t news = 1;

	for (size_t i = 0; i < h->count; i++)
		forget(h, &h->replicas[i]);
	for (unsigned round = 0; news && round < ROUNDS_MAX; round++) {
		news = 0;
		for (size_t i = 0; i < h->count; i++)
			for (size_t k = 0; k < h->count; k++)
				news += i != k ? give(h, i, k, false) : 0;
	}
	for (size_t i = 0; i < h->count; i++)
		judge_replica(h, &h->replicas[i]);
	if (news)
		h->bad = "there is no end of news";
}

/* What any of them took. */
static struct memory union_of(const struct history *h, size_t member, bool *ret_revoked)
{
	struct memory all = { .added = 0 };

	*ret_revoked = false;
	for (size_t i = 0; i < h->count; i++) {
		const struct memory *m = &h->replicas[i].of[member];

		all.removed = MAX_OF(all.removed, m->removed);
		all.added = MAX_OF(all.added, m->added);
		all.is_expelled |= m->is_expelled;
		*ret_revoked |= h->replicas[i].is_revoked;
	}
	return all;
}

/* True if it is surely in, and so must be everywhere. */
static bool judge_member(struct history *h, size_t member)
{
	const struct key *key = &h->l->members[member].box_public;
	bool is_revoked;
	struct memory all = union_of(h, member, &is_revoked);
	bool is_sure = !all.is_expelled && !is_revoked && all.added > all.removed &&
	               all.added >= set_floor(h->replicas[0].set);

	for (size_t i = 0; i < h->count; i++) {
		const struct entry *e = set_find(h->replicas[i].set, key);

		if (is_sure &&
		    (!e || e->standing != STANDING_IN || e->record->counter != all.added))
			h->bad = "an add is lost";
	}
	return is_sure;
}

static size_t judge(struct history *h)
{
	uint8_t first[DIGEST_BYTES];
	uint8_t other[DIGEST_BYTES];
	size_t sure = 0;

	set_digest(h->replicas[0].set, first);
	for (size_t i = 1; i < h->count; i++) {
		set_digest(h->replicas[i].set, other);
		if (memcmp(first, other, sizeof(first)) != 0)
			h->bad = "the replicas differ";
	}
	for (size_t m = 0; m < MEMBERS; m++)
		sure += judge_member(h, m);
	return sure;
}

static void open_replicas(struct history *h)
{
	struct set_options options = {
		.mem = &h->l->mem,
		.mesh_public = h->l->mesh.sign_public,
		.life_ms = LIFE,
		.members_max = 64,
	};

	h->count = 2 + rng_below(&h->l->rng, REPLICAS_MAX - 1);
	for (size_t i = 0; i < h->count; i++) {
		must(set_new(&options, &h->replicas[i].set));
		/* Most know the administrators. */
		for (size_t a = 0; a < ADMINS && rng_below(&h->l->rng, 4) > 0; a++)
			offer(h, &h->replicas[i], &h->l->pool[a]);
	}
}

/* How many members had to be in. */
static size_t live(struct lab *l, const char **ret_bad)
{
	struct history h = { .l = l, .now_ms = T0 };
	size_t steps = 8 + rng_below(&l->rng, STEPS_MAX - 8);
	size_t sure;

	open_replicas(&h);
	for (size_t i = 0; i < steps; i++)
		step(&h);
	exchange(&h);
	sure = judge(&h);
	for (size_t i = 0; i < h.count; i++)
		set_free(h.replicas[i].set);
	*ret_bad = h.bad;
	return sure;
}

static uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* Each history has a seed of its own: one that is bad is found again by SEED=that HISTORIES=1. */
int main(void)
{
	uint64_t seed = env_number("SEED", (uint64_t)time(NULL) * 1000003u);
	uint64_t histories = env_number("HISTORIES", 1000000);
	static struct lab l;
	uint8_t bytes[RNG_SEED_BYTES] = { 0 };
	uint64_t bad = 0;
	uint64_t sure = 0;

	must(sodium_init() < 0 ? -1 : 0);
	fprintf(stderr, "SEED=%llu\n", (unsigned long long)seed);
	lab_init(&l, seed);
	for (uint64_t i = 0; i < histories; i++) {
		const char *why;
		uint64_t own = seed + i;

		memcpy(bytes, &own, sizeof(own));
		rng_init(&l.rng, bytes);
		sure += live(&l, &why);
		if (why && bad++ < 10)
			fprintf(stderr, "SEED=%llu: %s\n", (unsigned long long)own, why);
	}
	for (size_t i = 0; i < l.count; i++)
		stmt_unref(&l.mem, l.pool[i].stmt);
	fprintf(stderr, "%llu histories, %llu members had to be in\n",
	        (unsigned long long)histories, (unsigned long long)sure);
	/* Where nobody has to be in, nothing was shown. */
	if (sure < histories / 4)
		bad++;
	printf("{\"name\":\"histories_bad\",\"nodes\":0,\"value\":%llu,\"unit\":\"1\","
	       "\"samples\":%llu,\"seeds\":1}\n",
	       (unsigned long long)bad, (unsigned long long)histories);
	return bad != 0;
}
