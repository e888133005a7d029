/*
 * Repair: making two replicas equal that are not, whatever the trees lost.
 *
 * Every sign of life carries a digest.  If it is not ours, we look again CHECK_AFTER_MS later, when
 * news that are under way have come; if nothing has moved since and it still differs, the ladder
 * begins, cheapest first:
 *
 *	1. what is new since the two were last equal and was not given to us by it: few statements
 *as they are, more by their ids; a neighbour that missed one record gets just that
 *	2. a rateless sketch of all statements: 8 symbols, then as many as are asked for; who
 *decodes it knows both halves of the difference, sends its own and asks for the other
 *	3. pages of the whole state, where the sketch would be longer than them, and for who is new:
 *	   the receiver sends back what a page lacks
 *
 * When halves of a mesh meet again, all differ from many of their neighbours, and each of them
 *could give all that is lacking.  So for MENDING_MS after a host has sent a sketch, or asked for
 *much, and while what was announced as repaired streams in, it begins no other and asks nobody else
 *for much; it still gives to all who begin.  Members that sign too much can't keep up such a
 *stream: what they sign then is not told.
 *
 * Who has had news lets the other side begin, for it will decode and give at once what that lacks;
 * of equals the lower key begins.  A register that moved counts twice, as what was and as what is:
 * if ours is all news we give it and ask for nothing, if it is all old we ask and give nothing.
 * Where that was wrong the next digest shows it, and the half that is left is plain.
 *
 * The answering side keeps nothing but the items of the last sketch that it began: pages and
 * statements are made anew from the replica when they are asked for.  Of a sketch begun before that
 * the symbols are as well; if the replica changed in between, the decoding fails and is begun
 *again.
 *
 * What a hostile neighbour can cost: SERVED_MAX costly requests a second (each at most a pass over
 * all statements or one page), one decoding of SYMBOLS_MAX symbols.
 *
 * Rejected: fingerprints of all entries (40 bytes a member for one difference), Merkle trees (three
 * round trips, and a tree to keep).
 */
#include "smegd/core/node_priv.h"

#include "crdt/sketch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_AFTER_MS 30
#define RECHECK_MS 200      /* between two looks at what keeps moving, over all neighbours */
#define STORM_CHECK_MS 700  /* instead of both while many join, or sign: all is moving */
#define PATIENCE_MS 60      /* more, for the other side to catch us up */
#define MENDING_MS 250      /* how long what one neighbour was asked for may take */
#define MUCH 16             /* statements */
#define REPAIR_PAUSE_MS 500 /* between two repairs that we begin with one neighbour */
#define CATCH_UP_MAX 4      /* statements that are sent without a sketch */
#define CATCH_UP_IDS_MAX 64 /* statements that are named without a sketch */
#define SYMBOLS_FIRST 8u    /* in the first flight; and in any other at least */
#define SYMBOLS_FEW 64u
#define SYMBOLS_PER_NEWS 2u    /* expected to be needed */
#define SYMBOLS_STEP_MAX 2048u /* in a later one */
#define SYMBOLS_MAX 8192u      /* of one sketch; beyond: pages */
#define SERVED_MAX 64          /* costly requests of one neighbour a second */
#define FETCH_SHARE 4          /* pages when more than a quarter of the members is missing */
#define FETCH_BUSY_MS (2 * MS_PER_SECOND) /* since the last page was asked for: they are coming */

struct decoding {
	uint64_t salt;
	struct sketch_key key;
	uint64_t *items;
	struct sketch_set ours; /* of those items */
	struct sketch_decoder *decoder;
};

void repair_end(const struct mem *mem, struct session *s)
{
	struct decoding *d = s->mending.decoding;

	s->mending.decoding = NULL;
	if (!d)
		return;
	sketch_decoder_free(d->decoder);
	mem_free(mem, d->items);
	mem_free(mem, d);
}

/* --- the own items --------------------------------------------------------------------------- */

static void key_of(uint64_t salt, struct sketch_key *ret_key)
{
	uint8_t text[8];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(salt >> (56 - 8 * i));
	hash_labelled("smeg sketch 1", text, sizeof(text), ret_key->b, sizeof(ret_key->b));
}

struct gathering {
	const struct mem *mem;
	struct sketch_key key;
	void *items;
	size_t count;
	size_t cap;
};

static uint64_t item_of(const struct sketch_key *key, const struct stmt *s)
{
	uint8_t digest[DIGEST_BYTES];

	stmt_digest16(s, digest);
	return sketch_item(key, digest);
}

static int gather(void *ctx, const struct stmt *s)
{
	struct gathering *g = ctx;
	int err = mem_grow(g->mem, &g->items, g->count, &g->cap, sizeof(uint64_t));

	if (!err)
		((uint64_t *)g->items)[g->count++] = item_of(&g->key, s);
	return err;
}

/* Items of all our statements, allocated; NULL: st->err is set. */
static uint64_t *own_items(struct step *st, const struct mesh *m, uint64_t salt, size_t *ret_count)
{
	struct gathering g = { .mem = st->n->mem };

	key_of(salt, &g.key);
	if (set_visit_all(m->set, gather, &g)) {
		mem_free(st->n->mem, g.items);
		step_fail(st, -ENOMEM);
		return NULL;
	}
	*ret_count = g.count;
	return g.items;
}

void repair_forget(struct mesh *m)
{
	mem_free(m->owner->mem, m->sketched.items);
	m->sketched = (struct sketched){ 0, NULL, 0 };
}

/*
 * Those of a sketch of ours, kept until all is equal or another one is begun: where halves of a
 * mesh differ, each of five flights was a pass over all statements, and more than the sketch
 * itself.
 */
static const struct sketched *sketched(struct step *st, struct mesh *m, uint64_t salt)
{
	struct sketched *k = &m->sketched;

	if (!k->items || k->salt != salt) {
		repair_forget(m);
		k->salt = salt;
		k->items = own_items(st, m, salt, &k->count);
	}
	return k->items ? k : NULL;
}

/* --- giving what was named ---------------------------------------------------------------------
 */

static int compare_items(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

struct giving {
	struct sketch_key key;
	uint64_t *wanted; /* ascending */
	size_t count;
	struct teller *teller;
};

static int give_if_wanted(void *ctx, const struct stmt *s)
{
	struct giving *g = ctx;
	uint64_t item = item_of(&g->key, s);

	if (bsearch(&item, g->wanted, g->count, sizeof(item), compare_items))
		teller_add(g->teller, s->raw);
	return 0;
}

static void give(struct step *st, struct session *s, uint64_t salt, const struct msg *items)
{
	size_t count = items->u.items.count;
	struct giving g = {
		.wanted = step_alloc(st, count * sizeof(*g.wanted)),
		.count = count,
		.teller = teller_new(st, s, LANE_BULK, WAY_NONE),
	};

	if (!g.wanted || !g.teller || !count)
		return;
	memcpy(g.wanted, items->u.items.items, count * sizeof(*g.wanted));
	qsort(g.wanted, count, sizeof(*g.wanted), compare_items);
	key_of(salt, &g.key);
	if (set_visit_all(s->mesh->set, give_if_wanted, &g))
		step_fail(st, -ENOMEM);
	teller_flush(g.teller);
}

/* May this neighbour make us work once more in this second? */
bool repair_may_serve(struct step *st, struct session *s)
{
	struct mending *r = &s->mending;

	if (st->now.mono_ms - r->served_ms >= MS_PER_SECOND) {
		r->served_ms = st->now.mono_ms;
		r->served = 0;
	}
	return r->served++ < SERVED_MAX;
}

/* What another neighbour would give us is mostly what is coming. */
static bool is_mending(const struct step *st, const struct mesh *m)
{
	return st->now.mono_ms < m->mending_until_ms;
}

void repair_mending(struct mesh *m, int64_t until_ms)
{
	m->mending_until_ms = MAX_OF(m->mending_until_ms, until_ms);
}

/* --- 1: what it has not seen --------------------------------------------------------------------
 */

/* How many news there were since we were last equal. */
static uint64_t news_since(const struct session *s)
{
	const struct newslog *l = &s->mesh->log;
	uint64_t from = MAX_OF(s->mending.known, 1);

	return l->list && from < l->next ? l->next - from : 0;
}

/* The statements that it has not given us, in order; at most CATCH_UP_IDS_MAX. */
static size_t not_its(const struct session *s, const struct news *list[CATCH_UP_IDS_MAX])
{
	const struct mesh *m = s->mesh;
	size_t count = 0;

	for (uint64_t n = m->log.next - news_since(s); n < m->log.next; n++) {
		const struct news *item = newslog_at(m, n);

		if (item && !news_is_from(item, s))
			list[count++] = item;
	}
	return count;
}

static void send_ids(struct step *st, struct session *s, const struct news *const *list, size_t n)
{
	struct msg msg = { .kind = MSG_ANNOUNCE };
	uint64_t ids[CATCH_UP_IDS_MAX];

	for (size_t i = 0; i < n; i++)
		ids[i] = list[i]->id;
	msg.u.items.items = ids;
	msg.u.items.count = n;
	step_send(st, s, LANE_CONTROL, &msg);
}

/* True if something was sent. */
static bool catch_up(struct step *st, struct session *s)
{
	const struct news *list[CATCH_UP_IDS_MAX];
	struct teller *t;
	size_t count;

	if (!news_since(s) || news_since(s) > CATCH_UP_IDS_MAX)
		return false;
	count = not_its(s, list);
	if (!count)
		return false;
	s->mending.known = s->mesh->log.next;
	if (count > CATCH_UP_MAX) {
		send_ids(st, s, list, count);
		return true;
	}
	t = teller_new(st, s, LANE_CONTROL, WAY_NONE);
	for (size_t i = 0; t && i < count; i++)
		teller_add(t, list[i]->stmt->raw);
	if (t)
		teller_flush(t);
	return t != NULL;
}

/* --- 2: sketches ---------------------------------------------------------------------------------
 */

struct flight {
	uint64_t salt;
	uint32_t from;
	uint32_t count;
};

static void send_symbols(struct step *st, struct session *s, const struct flight *f)
{
	struct msg msg = { .kind = MSG_SKETCH, .u.sketch = { .salt = f->salt, .from = f->from } };
	struct sketch_part part = { .from = f->from, .count = f->count };
	const struct sketched *ours = sketched(st, s->mesh, f->salt);
	struct sketch_set set;
	struct sketch_key key;
	uint8_t *bytes = step_alloc(st, SKETCH_BYTES_MAX(f->count));
	struct writer w;

	part.symbols = step_alloc(st, f->count * sizeof(*part.symbols));
	if (ours && bytes && part.symbols) {
		key_of(f->salt, &key);
		set = (struct sketch_set){ .items = ours->items, .count = ours->count };
		sketch_make(&key, &set, &part);
		writer_init(&w, bytes, SKETCH_BYTES_MAX(f->count));
		sketch_write(&part, &w);
		msg.u.sketch.symbols = (struct bytes){ bytes, w.count };
		step_send(st, s, LANE_CONTROL, &msg);
	}
}

/*
 * As many as our news make likely, then a quarter as many again; past SYMBOLS_FEW as many again:
 * each flight is a pass over all statements for both sides, and ten bytes a symbol are little
 * beside what so many differ in.
 */
static uint32_t symbols_next(const struct session *s, uint32_t received)
{
	uint64_t expected = SYMBOLS_PER_NEWS * MIN_OF(news_since(s), SYMBOLS_STEP_MAX);
	uint64_t more = received < SYMBOLS_FEW ? received / 4 : received;
	uint64_t count = expected > received ? expected - received : more;

	count = MAX_OF(count, SYMBOLS_FIRST);
	return (uint32_t)MIN_OF(count, SYMBOLS_STEP_MAX);
}

static void begin_sketch(struct step *st, struct session *s)
{
	struct flight f = { 0, 0, symbols_next(s, 0) };

	do
		f.salt = rng_u64(&st->n->rng);
	while (!f.salt);
	s->mending.salt = f.salt;
	repair_mending(s->mesh, st->now.mono_ms + MENDING_MS);
	send_symbols(st, s, &f);
}

static struct decoding *begin_decoding(struct step *st, struct session *s, uint64_t salt)
{
	struct decoding *d = mem_zalloc(st->n->mem, sizeof(*d));

	repair_end(st->n->mem, s);
	if (!d) {
		step_fail(st, -ENOMEM);
		return NULL;
	}
	s->mending.decoding = d;
	d->salt = salt;
	d->items = own_items(st, s->mesh, salt, &d->ours.count);
	d->ours.items = d->items;
	key_of(salt, &d->key);
	if (!d->items ||
	    sketch_decoder_new(st->n->mem, &d->key, &d->ours, SYMBOLS_MAX, &d->decoder)) {
		step_fail(st, -ENOMEM);
		return NULL;
	}
	return d;
}

static uint64_t *copy_theirs(struct step *st, const struct sketch_difference *diff)
{
	uint64_t *copy = step_alloc(st, diff->theirs_count * sizeof(*copy));

	if (copy && diff->theirs_count)
		memcpy(copy, diff->theirs, diff->theirs_count * sizeof(*copy));
	return copy;
}

static uint64_t *copy_ours(struct step *st,
                           const struct decoding *d,
                           const struct sketch_difference *diff)
{
	uint64_t *copy = step_alloc(st, diff->ours_count * sizeof(*copy));

	for (size_t i = 0; copy && i < diff->ours_count; i++)
		copy[i] = d->items[diff->ours[i]];
	return copy;
}

struct freshness {
	struct giving giving;
	const struct mesh *mesh;
	size_t fresh;
};

static int count_if_fresh(void *ctx, const struct stmt *s)
{
	struct freshness *f = ctx;
	const struct giving *g = &f->giving;
	uint64_t item = item_of(&g->key, s);

	if (bsearch(&item, g->wanted, g->count, sizeof(item), compare_items))
		f->fresh += newslog_find(f->mesh, stmt_id(s)) != NULL;
	return 0;
}

/* How many of our half of the difference are among the latest news; sorts them. */
static size_t count_fresh(struct step *st, const struct mesh *m, uint64_t salt, struct msg *ours)
{
	struct freshness f = { .mesh = m };

	f.giving.wanted = ours->u.items.items;
	f.giving.count = ours->u.items.count;
	if (!m->log.list || !f.giving.count)
		return 0;
	qsort(f.giving.wanted, f.giving.count, sizeof(*f.giving.wanted), compare_items);
	key_of(salt, &f.giving.key);
	if (set_visit_all(m->set, count_if_fresh, &f))
		step_fail(st, -ENOMEM);
	return f.fresh;
}

/* Exchange the two halves of the difference.  See above for what is left to the next time. */
static void exchange(struct step *st, struct session *s, const struct msg *want, struct msg *ours)
{
	size_t theirs_count = want->u.items.count;
	size_t ours_count = ours->u.items.count;
	size_t fresh = count_fresh(st, s->mesh, want->u.items.salt, ours);
	bool ask = theirs_count && (!ours_count || fresh < ours_count || theirs_count > ours_count);
	bool tell = ours_count && (!theirs_count || fresh || ours_count > theirs_count);

	if (ask && theirs_count > MUCH) {
		ask = !is_mending(st, s->mesh);
		if (ask)
			repair_mending(s->mesh, st->now.mono_ms + MENDING_MS);
	}
	/* On one lane: what ours replaces is gone when it is asked for. */
	if (tell)
		give(st, s, want->u.items.salt, ours);
	if (ask && theirs_count > MSG_ITEMS_MAX)
		repair_fetch(st, s);
	else if (ask)
		step_send(st, s, LANE_BULK, want);
}

static void decoded(struct step *st, struct session *s, struct decoding *d)
{
	struct sketch_difference diff = sketch_difference(d->decoder);
	struct msg want = { .kind = MSG_WANT, .u.items = { .salt = d->salt } };
	struct msg ours = { .kind = MSG_WANT };

	want.u.items.items = copy_theirs(st, &diff);
	want.u.items.count = diff.theirs_count;
	ours.u.items.items = copy_ours(st, d, &diff);
	ours.u.items.count = diff.ours_count;
	if (st->err)
		return;
	exchange(st, s, &want, &ours);
	s->mending.known = s->mesh->log.next;
	repair_end(st->n->mem, s);
}

static void ask_more(struct step *st, struct session *s, const struct decoding *d)
{
	struct msg more = { .kind = MSG_CONTINUE };

	more.u.more.salt = d->salt;
	more.u.more.from = sketch_received(d->decoder);
	more.u.more.count = symbols_next(s, more.u.more.from);
	step_send(st, s, LANE_CONTROL, &more);
}

static enum sketch_state decode(struct step *st, struct decoding *d, struct bytes symbols)
{
	enum sketch_state state = SKETCH_FAILED;
	size_t cap = LIMIT_SKETCH_SYMBOLS;
	struct sketch_symbol *room = arena_alloc(&st->n->scratch, cap * sizeof(*room));
	struct sketch_part part;

	if (!room) {
		step_fail(st, -ENOMEM);
		return SKETCH_FAILED;
	}
	if (sketch_read(symbols, room, cap, &part))
		return SKETCH_FAILED;
	if (sketch_decode(d->decoder, &part, &state))
		step_fail(st, -ENOMEM);
	return state;
}

/*
 * Pages are coming in: what a sketch would find is mostly what the next ones bring, and each of our
 * neighbours would find it anew.
 */
static bool is_fetching(const struct step *st, const struct mesh *m)
{
	return m->fetching && st->now.mono_ms - m->fetching_ms < FETCH_BUSY_MS;
}

static void on_sketch(struct step *st, struct session *s, const struct msg *msg)
{
	struct decoding *d = s->mending.decoding;
	enum sketch_state state;

	if (is_fetching(st, s->mesh))
		return;
	/* Both began at once: that of the lower key goes on. */
	if (msg->u.sketch.from == 0 && s->mending.begun_ms &&
	    st->now.mono_ms - s->mending.begun_ms < REPAIR_PAUSE_MS && s->mending.salt &&
	    key_compare(&s->mesh->self.box_public, &s->peer->key) < 0)
		return;
	if (msg->u.sketch.from == 0) {
		d = repair_may_serve(st, s) ? begin_decoding(st, s, msg->u.sketch.salt) : NULL;
		s->mending.check_ms = 0;
		s->mending.waited = 0;
	}
	if (!d || st->err || d->salt != msg->u.sketch.salt)
		return;
	state = decode(st, d, msg->u.sketch.symbols);
	if (st->err)
		return;
	if (state == SKETCH_DONE) {
		decoded(st, s, d);
	} else if (state == SKETCH_MORE && sketch_received(d->decoder) < SYMBOLS_MAX) {
		ask_more(st, s, d);
	} else {
		repair_end(st->n->mem, s);
		if (!is_mending(st, s->mesh))
			repair_fetch(st, s);
	}
}

static void on_more(struct step *st, struct session *s, const struct msg *msg)
{
	struct flight f = { msg->u.more.salt, msg->u.more.from, msg->u.more.count };

	/* Only of the sketch that we sent last. */
	if (!f.salt || f.salt != s->mending.salt || f.count > SYMBOLS_STEP_MAX || !f.count ||
	    f.from > SYMBOLS_MAX || !repair_may_serve(st, s))
		return;
	send_symbols(st, s, &f);
}

/* --- digests -------------------------------------------------------------------------------------
 */

/* So far apart that pages are cheaper than a sketch. */
static bool is_far(const struct session *s)
{
	uint64_t ours = set_count(s->mesh->set);
	uint64_t theirs = s->mending.members;
	uint64_t gap = theirs > ours ? theirs - ours : ours - theirs;

	return s->mending.members && gap > 16 && gap > MAX_OF(ours, theirs) / FETCH_SHARE;
}

static void check_later(struct step *st, struct session *s, int64_t after_ms)
{
	s->mending.check_ms = st->now.mono_ms + after_ms;
	s->mesh->look_ms = MIN_OF(s->mesh->look_ms, s->mending.check_ms);
}

/* The other side may have just what we lack at hand, or be the one that had better begin. */
static unsigned turns_to_wait(const struct session *s)
{
	bool is_lower = !s->peer || key_compare(&s->mesh->self.box_public, &s->peer->key) < 0;

	return 1 + (news_since(s) ? 2u : 0u) + (is_lower ? 0u : 1u);
}

static void begin(struct step *st, struct session *s)
{
	struct mending *r = &s->mending;
	bool must_wait;

	if (r->begun_ms && st->now.mono_ms - r->begun_ms < REPAIR_PAUSE_MS)
		return;
	r->begun_ms = st->now.mono_ms;
	step_trace(st, TRACE_REPAIR, s->mesh, s->peer ? &s->peer->key : NULL, 0);
	if (is_fetching(st, s->mesh)) {
		check_later(st, s, REPAIR_PAUSE_MS);
		return;
	}
	must_wait = r->waited < turns_to_wait(s);
	if (catch_up(st, s)) {
		r->waited = 0;
		return;
	}
	if (must_wait) {
		r->waited++;
		r->begun_ms = 0;
		check_later(st, s, PATIENCE_MS + (s->peer ? s->peer->rtt_ms : 0));
		return;
	}
	r->waited = 0;
	if (is_mending(st, s->mesh)) {
		r->begun_ms = 0;
		check_later(st, s, MENDING_MS);
		return;
	}
	/* Who has much less fetches; the other side waits for that. */
	if (!is_far(s))
		begin_sketch(st, s);
	else if (s->mending.members > set_count(s->mesh->set))
		repair_fetch(st, s);
}

/* No two replicas are equal for long, and what one lacks is on its way to it. */
static bool is_moving(const struct mesh *m, int64_t now_ms)
{
	return mesh_is_settling(m, now_ms) || news_is_flood(m, now_ms);
}

void repair_tick(struct step *st, struct session *s)
{
	struct mending *r = &s->mending;
	uint8_t mine[DIGEST_BYTES];

	if (r->check_ms && st->now.mono_ms < r->check_ms)
		s->mesh->look_ms = MIN_OF(s->mesh->look_ms, r->check_ms);
	if (!r->check_ms || st->now.mono_ms < r->check_ms)
		return;
	r->check_ms = 0;
	set_digest(s->mesh->set, mine);
	if (memcmp(mine, r->theirs, sizeof(mine)) == 0)
		return;
	if (memcmp(mine, r->ours, sizeof(mine)) == 0) {
		begin(st, s);
	} else if (st->now.mono_ms >= s->mesh->recheck_ms) {
		/*
		 * Both have moved on, perhaps: what was compared is no longer there.  Where all
		 * move for long one neighbour will do; a pull comes round to the others.
		 */
		s->mesh->recheck_ms =
			st->now.mono_ms +
			(is_moving(s->mesh, st->now.mono_ms) ? STORM_CHECK_MS : RECHECK_MS);
		gossip_ask(st, s);
	}
}

static void answer(struct step *st, struct session *s)
{
	struct msg msg = { .kind = MSG_DIGEST };

	set_digest(s->mesh->set, msg.u.digest.digest);
	msg.u.digest.members = set_count(s->mesh->set);
	step_send(st, s, LANE_CONTROL, &msg);
}

static void compare(struct step *st, struct session *s, const struct msg *msg)
{
	struct mending *r = &s->mending;
	struct mesh *m = s->mesh;

	set_digest(m->set, r->ours);
	memcpy(r->theirs, msg->u.digest.digest, sizeof(r->theirs));
	if (msg->u.digest.members)
		r->members = msg->u.digest.members;
	s->is_equal = memcmp(r->ours, r->theirs, sizeof(r->ours)) == 0;
	if (s->is_equal) {
		m->counter_known = true;
		repair_forget(m);
		r->known = m->log.next;
		r->check_ms = 0;
		r->salt = 0;
		r->waited = 0;
	} else if (m->joining && m->joining->step == JOIN_FETCHING) {
		repair_fetch(st, s);
	} else if (!r->check_ms) {
		check_later(st, s, is_moving(m, st->now.mono_ms) ? STORM_CHECK_MS : CHECK_AFTER_MS);
	}
}

void repair_digest(struct step *st, struct session *s, const struct msg *msg)
{
	if (msg->u.digest.question) {
		answer(st, s);
	} else if (s->is_asking) {
		s->is_asking = false;
		if (s->peer) {
			near_measured(st, s, MAX_OF(1, st->now.mono_ms - s->asked_ms));
		}
	}
	compare(st, s, msg);
	if (s->is_equal && s->mesh->state == MESH_LEAVING)
		mesh_leave(st, s->mesh); /* somebody knows now */
	else
		join_digest(st, s);
}

void repair_message(struct step *st, struct session *s, const struct msg *msg)
{
	if (msg->kind == MSG_SKETCH)
		on_sketch(st, s, msg);
	else if (msg->kind == MSG_CONTINUE)
		on_more(st, s, msg);
	else if (msg->kind == MSG_FETCH)
		repair_page(st, s, msg);
	else if (msg->kind == MSG_WANT && repair_may_serve(st, s))
		give(st, s, msg->u.items.salt, msg);
}
