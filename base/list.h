/*
 * Intrusive, circular, doubly linked list.  A list is a node that is not part of an element; an
 * element that is in no list points to itself (list_init()).
 */
#ifndef SMEG_BASE_LIST_H
#define SMEG_BASE_LIST_H

#include "base/defs.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}

/* Put `item` last.  It must be in no list. */
static inline void list_add(struct list *l, struct list *item)
{
	item->prev = l->prev;
	item->next = l;
	l->prev->next = item;
	l->prev = item;
}

/* Take `item` out; it is left pointing to itself, so removing twice is harmless. */
static inline void list_remove(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

#define list_for_each(pos, head) for (pos = (head)->next; pos != (head); pos = pos->next)

/* `item` may be removed in the body; `tmp` is a second cursor. */
#define list_for_each_safe(pos, tmp, head) \
	for (pos = (head)->next, tmp = pos->next; pos != (head); pos = tmp, tmp = pos->next)

#endif
