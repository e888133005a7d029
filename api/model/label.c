/*
 * Members and their labels, in the three ways that fit few, many and very many.
 *
 * Each member is a group with a title, which viewers show as a tip: there stands everything,
 * however short the label is.
 */
#include "api/model/panel_priv.h"

#define SHORT_CHARS 11 /* of a name in a disc */

void put_shape(struct svg *s, struct point at, int32_t half, bool square, const char *class)
{
	if (square)
		svg_put(s,
		        "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
		        "rx=\"%d\"/>\n",
		        class, at.x - half, at.y - half, 2 * half, 2 * half, half / 2);
	else
		svg_put(s, "<circle class=\"%s\" cx=\"%d\" cy=\"%d\" r=\"%d\"/>\n", class, at.x,
		        at.y, half);
}

/* What a pointer that rests on it shows. */
static void put_tip(struct svg *s, const struct member_info *m, const char *state)
{
	svg_put(s, "<title>");
	put_member_name(s, m, SIZE_MAX);
	svg_put(s, "\n");
	svg_text(s, m->address);
	svg_put(s, "\n");
	svg_text(s, m->role);
	if (m->is_administrator)
		svg_put(s, ", administrator");
	if (state[0])
		svg_put(s, ", %s", state);
	if (m->description[0]) {
		svg_put(s, "\n");
		svg_text(s, m->description);
	}
	svg_put(s, "\n");
	svg_text(s, m->key);
	svg_put(s, "</title>\n");
}

static void put_node(struct svg *s,
                     const struct panel *p,
                     const struct member_info *m,
                     struct point at)
{
	int32_t half = p->layout.node;
	const char *class = member_is_away(m) ? "away" : member_is_client(m) ? "client" : "peer";
	char state[STATE_BYTES];

	member_state_text(m, p->now_ms, state);
	svg_put(s, "<g>");
	put_tip(s, m, state);
	if (m->is_self)
		put_shape(s, at, half + half / 3 + 12, member_is_client(m), "self");
	put_shape(s, at, half, member_is_client(m), class);
	svg_put(s, "</g>\n");
}

/* Several lines: beside the member, or above or below at the top and the bottom. */
static void put_label_few(struct svg *s,
                          const struct panel *p,
                          const struct member_info *m,
                          size_t index)
{
	struct point at = panel_at(p, index);
	int32_t side = p->layout.count > 1 ? turn_sin(index, p->layout.count) : 0;
	bool is_top = turn_cos(index, p->layout.count) > 0;
	int32_t away = p->layout.node + 130 + (m->is_self ? 40 : 0);
	const char *class = side > 2500 ? "" : side < -2500 ? " end" : " mid";
	char state[STATE_BYTES];
	int lines;

	member_state_text(m, p->now_ms, state);
	lines = state[0] ? 3 : 2;
	if (side > 2500 || side < -2500) {
		at.x += side > 0 ? away : -away;
		at.y += 45 - (lines - 1) * LINE_HEIGHT / 2;
	} else {
		at.y += is_top ? -away + 20 - (lines - 1) * LINE_HEIGHT : away + 90;
	}
	svg_put(s, "<text class=\"b%s\" x=\"%d\" y=\"%d\">", class, at.x, at.y);
	put_member_name(s, m, SIZE_MAX);
	svg_put(s, "</text>\n<text class=\"m%s\" x=\"%d\" y=\"%d\">", class, at.x,
	        at.y + LINE_HEIGHT);
	svg_text(s, m->address);
	svg_put(s, "</text>\n");
	if (state[0])
		svg_put(s, "<text class=\"%s%s\" x=\"%d\" y=\"%d\">%s</text>\n",
		        member_is_away(m) ? "bad" : "q", class, at.x, at.y + 2 * LINE_HEIGHT,
		        state);
}

/* The parts of a label from the member outwards; `part` counts from 0. */
static void put_ray_part(struct svg *s,
                         const struct panel *p,
                         const struct member_info *m,
                         int part)
{
	char state[STATE_BYTES];

	switch (part) {
	case 0:
		svg_put(s, "<tspan class=\"b\">");
		put_member_name(s, m, SIZE_MAX);
		break;
	case 1:
		svg_put(s, "<tspan class=\"m\">");
		svg_text(s, m->address);
		break;
	default:
		member_state_text(m, p->now_ms, state);
		svg_put(s, "<tspan class=\"%s\">%s", member_is_away(m) ? "bad" : "q", state);
		break;
	}
	svg_put(s, "</tspan>");
}

/* One line, pointing away from the middle; on the left half it is turned so as to be read. */
static void put_label_ray(struct svg *s,
                          const struct panel *p,
                          const struct member_info *m,
                          size_t index)
{
	struct point at = panel_at(p, index);
	bool is_left = 2 * index > p->layout.count;
	/* Tenths of a degree from the x axis, clockwise. */
	int32_t angle = (int32_t)(3600 * index / p->layout.count) + (is_left ? 900 : 2700);
	int32_t away = p->layout.node + 90 + (m->is_self ? 40 : 0);

	angle %= 3600;
	svg_put(s, "<text class=\"ray%s\" transform=\"translate(%d %d)rotate(%d.%d)\" ",
	        is_left ? " end" : "", at.x, at.y, angle / 10, angle % 10);
	svg_put(s, "x=\"%d\" y=\"36\">", is_left ? -away : away);
	put_ray_part(s, p, m, is_left ? 2 : 0);
	svg_put(s, " ");
	put_ray_part(s, p, m, 1);
	svg_put(s, " ");
	put_ray_part(s, p, m, is_left ? 0 : 2);
	svg_put(s, "</text>\n");
}

/* Name and, if there is any, trouble; the rest is in the tip. */
static void put_label_tiny(struct svg *s,
                           const struct panel *p,
                           const struct member_info *m,
                           size_t index)
{
	struct point at = panel_at(p, index);
	int32_t below = p->layout.node + 75 + (m->is_self ? 35 : 0);

	svg_put(s, "<text class=\"tiny%s\" x=\"%d\" y=\"%d\">", m->is_self ? " b" : "", at.x,
	        at.y + below);
	put_member_name(s, m, SHORT_CHARS);
	svg_put(s, "</text>\n");
	if (member_is_away(m) || m->is_self)
		svg_put(s, "<text class=\"tiny %s\" x=\"%d\" y=\"%d\">%s</text>\n",
		        m->is_self ? "q" : "bad", at.x, at.y + below + 65,
		        m->is_self ? "this host" : "unreachable");
}

void put_members(struct svg *s, const struct panel *p)
{
	size_t index = 0;

	for (size_t i = 0; i < p->mesh->members_listed; i++) {
		const struct member_info *m = &p->mesh->members[i];

		if (!member_is_drawn(m))
			continue;
		put_node(s, p, m, panel_at(p, index));
		if (p->layout.kind == LAYOUT_FEW)
			put_label_few(s, p, m, index);
		else if (p->layout.kind == LAYOUT_RING)
			put_label_ray(s, p, m, index);
		else
			put_label_tiny(s, p, m, index);
		index++;
	}
}
