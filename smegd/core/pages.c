/*
 * The top of the ladder of repair (repair.c): the whole state in pages.
 *
 * A page holds all statements about the members of a range of keys, the first one also the mesh
 * key's.  Who asked for it knows therefore what of that range the other side lacks, sends that
 * back, and asks for the next one: the answering side keeps nothing.  One neighbour at a time is
 * asked.
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FETCH_TIMEOUT_MS (5 * MS_PER_SECOND)

static void ask_page(struct step *st, struct session *s, const struct key *from)
{
	struct msg msg = { .kind = MSG_FETCH };

	msg.u.fetch.from = *from;
	s->mesh->fetching = s->id;
	s->mesh->fetching_ms = st->now.mono_ms;
	step_send(st, s, LANE_CONTROL, &msg);
}

/* From one at a time: what two would bring is the same. */
void repair_fetch(struct step *st, struct session *s)
{
	const struct mesh *m = s->mesh;
	const struct key zero = { { 0 } };

	if (!m->fetching || st->now.mono_ms - m->fetching_ms >= FETCH_TIMEOUT_MS)
		ask_page(st, s, &zero);
}

/* The key just below; `k` is not zero. */
static struct key key_below(const struct key *k)
{
	struct key below = *k;

	for (size_t i = sizeof(below.b); i-- > 0 && below.b[i]-- == 0;)
		;
	return below;
}

/* The key just above; zero after the last one. */
static struct key key_above(const struct key *k)
{
	struct key above = *k;

	for (size_t i = sizeof(above.b); i-- > 0 && ++above.b[i] == 0;)
		;
	return above;
}

struct page {
	struct bytes list[MSG_ENTRIES_MAX];
	size_t count;
	size_t bytes;
	bool is_full;
};

static int add_to_page(void *ctx, const struct stmt *s)
{
	struct page *p = ctx;

	if (p->count == MSG_ENTRIES_MAX || p->bytes + s->raw.count > MSG_ENTRIES_BYTES_MAX) {
		p->is_full = true;
		return 1;
	}
	p->list[p->count++] = s->raw;
	p->bytes += s->raw.count;
	return 0;
}

/* All statements of one member, or none; what can't fit into an empty page goes as far as it does.
 */
static bool add_member(struct page *p, const struct set *set, const struct key *member)
{
	size_t count = p->count;
	size_t bytes = p->bytes;

	(void)!set_visit_member(set, member, add_to_page, p);
	if (!p->is_full || !count)
		return true;
	p->count = count;
	p->bytes = bytes;
	return false;
}

void repair_page(struct step *st, struct session *s, const struct msg *msg)
{
	const struct set *set = s->mesh->set;
	const struct key *from = &msg->u.fetch.from;
	struct page *p = arena_alloc(&st->n->scratch, sizeof(*p));
	struct msg page = { .kind = MSG_ENTRIES };
	const struct entry *e;
	size_t i = set_rank(set, from);

	if (!p) {
		step_fail(st, -ENOMEM);
		return;
	}
	if (!repair_may_serve(st, s))
		return;
	p->count = p->bytes = 0;
	p->is_full = false;
	if (key_is_zero(from))
		(void)!set_visit_member(set, NULL, add_to_page, p);
	while ((e = set_at(set, i)) && !p->is_full && add_member(p, set, &e->member))
		i++;
	page.u.entries.is_page = true;
	page.u.entries.from = *from;
	if (e)
		page.u.entries.to = key_below(&e->member);
	else
		memset(&page.u.entries.to, 0xff, sizeof(page.u.entries.to));
	page.u.entries.stmts = p->list;
	page.u.entries.count = p->count;
	step_send(st, s, LANE_BULK, &page);
}

/* What we hold of a page's range and the page does not. */
struct lacking {
	struct bytes *page; /* sorted */
	size_t count;
	struct teller *teller;
};

static int compare_raw(const void *a, const void *b)
{
	const struct bytes *x = a;
	const struct bytes *y = b;

	if (x->count != y->count)
		return x->count < y->count ? -1 : 1;
	return memcmp(x->at, y->at, x->count);
}

static int give_if_lacking(void *ctx, const struct stmt *s)
{
	struct lacking *l = ctx;

	if (!bsearch(&s->raw, l->page, l->count, sizeof(*l->page), compare_raw))
		teller_add(l->teller, s->raw);
	return 0;
}

static void give_lacking(struct step *st, struct session *s, const struct msg *msg)
{
	const struct set *set = s->mesh->set;
	size_t count = msg->u.entries.count;
	struct lacking l = {
		.page = step_alloc(st, (count + 1) * sizeof(*l.page)),
		.count = count,
		.teller = teller_new(st, s, LANE_BULK, WAY_NONE),
	};
	const struct entry *e;
	int err = 0;

	if (!l.page || !l.teller)
		return;
	if (count)
		memcpy(l.page, msg->u.entries.stmts, count * sizeof(*l.page));
	qsort(l.page, count, sizeof(*l.page), compare_raw);
	if (key_is_zero(&msg->u.entries.from))
		err = set_visit_member(set, NULL, give_if_lacking, &l);
	for (size_t i = set_rank(set, &msg->u.entries.from);
	     !err && (e = set_at(set, i)) && key_compare(&e->member, &msg->u.entries.to) <= 0; i++)
		err = set_visit_member(set, &e->member, give_if_lacking, &l);
	if (err)
		step_fail(st, err);
	teller_flush(l.teller);
}

void repair_entries(struct step *st, struct session *s, const struct msg *msg)
{
	struct key next = key_above(&msg->u.entries.to);

	if (s->mesh->fetching != s->id)
		return;
	if (!s->mesh->joining)
		give_lacking(st, s, msg);
	if (!key_is_zero(&next)) {
		ask_page(st, s, &next);
		return;
	}
	s->mesh->fetching = 0;
	s->mending.known = s->mesh->log.next;
	join_fetched(st, s->mesh);
	gossip_ask(st, s);
}
