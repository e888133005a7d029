/*
 * How large a mesh's drawing is, and the words for its members.
 *
 * Nothing can be measured here, as there is no font: a column of text is taken to be as wide as a
 * digit of the fonts that the style asks for, and a little more.
 */
#include "api/model/panel_priv.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COLUMN_FEW 78 /* width of a column of text */
#define COLUMN_RING 68
#define KEY_CHARS 8

bool member_is_drawn(const struct member_info *m)
{
	return strcmp(m->standing, "in") == 0 || strcmp(m->standing, "admitted") == 0 ||
	       strcmp(m->standing, "pruned") == 0;
}

static size_t drawn_count(const struct mesh_info *mesh)
{
	size_t count = 0;

	for (size_t i = 0; i < mesh->members_listed; i++)
		count += member_is_drawn(&mesh->members[i]);
	return count;
}

bool member_is_away(const struct member_info *m)
{
	return !m->is_self && !m->is_reachable;
}

bool member_is_client(const struct member_info *m)
{
	return strcmp(m->role, "client") == 0;
}

void member_state_text(const struct member_info *m, int64_t now_ms, char out[STATE_BYTES])
{
	int64_t s = MAX_OF(now_ms - m->since_ms, 0) / MS_PER_SECOND;

	out[0] = 0;
	if (strcmp(m->standing, "admitted") == 0)
		snprintf(out, STATE_BYTES, "not joined yet");
	else if (m->is_self)
		snprintf(out, STATE_BYTES, "this host");
	else if (strcmp(m->standing, "pruned") == 0)
		snprintf(out, STATE_BYTES, "pruned, unreachable");
	else if (m->is_reachable)
		return;
	else if (m->since_ms <= 0)
		snprintf(out, STATE_BYTES, "unreachable");
	else if (s < 60)
		snprintf(out, STATE_BYTES, "unreachable %" PRId64 " s", s);
	else if (s < 60 * 60)
		snprintf(out, STATE_BYTES, "unreachable %" PRId64 " min", s / 60);
	else if (s < 24 * 60 * 60)
		snprintf(out, STATE_BYTES, "unreachable %" PRId64 " h", s / 60 / 60);
	else
		snprintf(out, STATE_BYTES, "unreachable %" PRId64 " d", s / 60 / 60 / 24);
}

void put_member_name(struct svg *s, const struct member_info *m, size_t chars)
{
	if (m->alias[0])
		svg_text_cut(s, m->alias, chars);
	else
		svg_text_cut(s, m->key, KEY_CHARS);
}

size_t member_name_columns(const struct member_info *m)
{
	return m->alias[0] ? text_columns(m->alias) : KEY_CHARS;
}

/* The widest label, in columns. */
static size_t label_columns(const struct panel *p)
{
	size_t widest = 0;

	for (size_t i = 0; i < p->mesh->members_listed; i++) {
		const struct member_info *m = &p->mesh->members[i];
		size_t name = member_name_columns(m);
		size_t address = text_columns(m->address);
		char state[STATE_BYTES];
		size_t columns;

		if (!member_is_drawn(m))
			continue;
		member_state_text(m, p->now_ms, state);
		if (p->layout.kind == LAYOUT_FEW)
			columns = MAX_OF(MAX_OF(name, address), strlen(state));
		else
			columns = name + address + strlen(state) + 4;
		widest = MAX_OF(widest, columns);
	}
	return widest;
}

/* The highest and the lowest of the members, from the middle. */
static void find_extent(const struct layout *l, int32_t *ret_top, int32_t *ret_bottom)
{
	*ret_top = 0;
	*ret_bottom = 0;
	for (size_t i = 0; i < l->count; i++) {
		struct point at = layout_at(l, i);

		*ret_top = MIN_OF(*ret_top, at.y);
		*ret_bottom = MAX_OF(*ret_bottom, at.y);
	}
}

void panel_init(struct panel *p, const struct mesh_info *mesh, int64_t now_ms)
{
	int32_t reach; /* from the middle to the ends of labels */
	int32_t rise;  /* from a member to the end of what is above or below it */
	int32_t columns;
	int32_t bottom;
	int32_t top;

	*p = (struct panel){ .mesh = mesh, .now_ms = now_ms };
	layout_init(&p->layout, drawn_count(mesh));
	columns = (int32_t)label_columns(p);
	find_extent(&p->layout, &top, &bottom);
	reach = p->layout.radius + p->layout.node + MARGIN;
	rise = p->layout.node + MARGIN;
	if (p->layout.kind == LAYOUT_FEW) {
		reach += columns * COLUMN_FEW;
		rise += 3 * LINE_HEIGHT;
	} else if (p->layout.kind == LAYOUT_RING) {
		reach += columns * COLUMN_RING;
		rise += columns * COLUMN_RING;
	}
	p->width = MAX_OF(2 * (reach + MARGIN), WIDTH_MIN);
	p->middle = (struct point){ .x = p->width / 2, .y = HEAD_HEIGHT + rise - top };
	p->height = p->middle.y + bottom + rise;
}

struct point panel_at(const struct panel *p, size_t index)
{
	struct point at = layout_at(&p->layout, index);

	return (struct point){ p->middle.x + at.x, p->middle.y + at.y };
}
