/*
 * The log of the latest news: a ring of NEWS_LOG_MAX items, numbered from 1.
 *
 * Items are searched by their ids, for what is announced, and by member, for who signs too much:
 * in a flood several thousand times a second.  So items of one bucket form a chain from the latest
 * to the oldest; a chain ends where its numbers have left the ring, so nothing is ever unlinked.
 *
 * Rejected: looking through the ring (an eighth of what a flood costs), a map of ids (blocks to
 * allocate for what lives some seconds).
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <string.h>

uint64_t stmt_id(const struct stmt *s)
{
	uint8_t digest[DIGEST_BYTES];
	uint64_t id = 0;

	stmt_digest16(s, digest);
	for (size_t i = 0; i < sizeof(id); i++)
		id = id << 8 | digest[i];
	return id;
}

struct news *newslog_at(const struct mesh *m, uint64_t number)
{
	const struct newslog *l = &m->log;

	if (!l->list || number >= l->next || number + NEWS_LOG_MAX < l->next || !number)
		return NULL;
	return &l->list[number % NEWS_LOG_MAX];
}

uint64_t newslog_first(const struct mesh *m)
{
	return m->log.next > NEWS_LOG_MAX ? m->log.next - NEWS_LOG_MAX : 1;
}

static uint64_t *id_head(const struct mesh *m, uint64_t id)
{
	return &m->log.chains->ids[id % NEWS_CHAINS];
}

static uint64_t *member_head(const struct mesh *m, const struct key *member)
{
	return &m->log.chains->members[member->b[0] % NEWS_CHAINS];
}

struct news *newslog_find(const struct mesh *m, uint64_t id)
{
	struct news *item = m->log.list ? newslog_at(m, *id_head(m, id)) : NULL;

	while (item && item->id != id)
		item = newslog_at(m, item->older_id);
	return item;
}

/* Several watchers may have made the same remove: as one of them comes in a tree, so it goes on. */
static bool is_raw_of(const struct news *item, struct bytes raw)
{
	if (item->stmt->kind == STMT_REMOVE)
		return remove_is_same(item->stmt, raw);
	return item->stmt->raw.count == raw.count &&
	       memcmp(item->stmt->raw.at, raw.at, raw.count) == 0;
}

uint64_t newslog_find_raw(const struct mesh *m, struct bytes raw)
{
	for (uint64_t n = m->log.next; n-- > newslog_first(m);) {
		const struct news *item = newslog_at(m, n);

		if (item && is_raw_of(item, raw))
			return n;
	}
	return 0;
}

bool newslog_is_too_much(const struct mesh *m, const struct stmt *s, int64_t now_ms)
{
	const struct news *item = NULL;
	unsigned count = 0;

	if (s->kind == STMT_RECORD && m->log.list)
		item = newslog_at(m, *member_head(m, &s->member));
	for (; item; item = newslog_at(m, item->older_member)) {
		if (now_ms - item->at_ms > ORIGIN_BURST * MS_PER_SECOND)
			break;
		count += item->stmt->kind == STMT_RECORD &&
		         key_equal(&item->stmt->member, &s->member);
	}
	return count >= ORIGIN_BURST;
}

void rate_count(struct rate *r, int64_t now_ms)
{
	if (now_ms - r->second_ms >= MS_PER_SECOND) {
		r->last_second = now_ms - r->second_ms < 2 * MS_PER_SECOND ? r->this_second : 0;
		r->this_second = 0;
		r->second_ms = now_ms;
	}
	r->this_second++;
}

bool rate_is(const struct rate *r, unsigned news, int64_t now_ms)
{
	return now_ms - r->second_ms < 2 * MS_PER_SECOND &&
	       MAX_OF(r->last_second, r->this_second) >= news;
}

static bool prepare(struct step *st, struct newslog *l)
{
	if (l->list)
		return true;
	l->list = mem_zalloc(st->n->mem, NEWS_LOG_MAX * sizeof(*l->list));
	l->chains = l->list ? mem_zalloc(st->n->mem, sizeof(*l->chains)) : NULL;
	l->next = l->due = l->announced = 1;
	if (l->chains)
		return true;
	mem_free(st->n->mem, l->list);
	l->list = NULL;
	step_fail(st, -ENOMEM);
	return false;
}

/* Where it stands, it is the latest of its chains. */
static void link_item(struct mesh *m, struct news *item, uint64_t number)
{
	uint64_t *id = id_head(m, item->id);
	uint64_t *member = member_head(m, &item->stmt->member);

	item->older_id = *id;
	item->older_member = *member;
	*id = *member = number;
}

struct news *newslog_add(struct step *st, struct mesh *m, struct stmt *s)
{
	struct newslog *l = &m->log;
	struct news *item;

	if (!prepare(st, l))
		return NULL;
	rate_count(&l->rate, st->now.mono_ms);
	item = &l->list[l->next % NEWS_LOG_MAX];
	if (item->stmt)
		stmt_unref(st->n->mem, item->stmt);
	memset(item, 0, sizeof(*item));
	item->stmt = stmt_ref(s);
	item->id = stmt_id(s);
	item->at_ms = st->now.mono_ms;
	link_item(m, item, l->next);
	l->next++;
	l->due = MAX_OF(l->due, newslog_first(m));
	return item;
}

void newslog_fini(struct mesh *m)
{
	const struct mem *mem = m->owner->mem;

	for (size_t i = 0; m->log.list && i < NEWS_LOG_MAX; i++)
		if (m->log.list[i].stmt)
			stmt_unref(mem, m->log.list[i].stmt);
	mem_free(mem, m->log.list);
	mem_free(mem, m->log.chains);
	memset(&m->log, 0, sizeof(m->log));
}
