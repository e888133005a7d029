/*
 * A mesh as a drawing: one panel for each mesh, one below the other, and a legend.
 *
 * What a colour says is said by form and words as well: peers are circles and clients squares,
 * whoever cannot be reached has a dashed outline and the word, this host has a ring around it.
 * Lines are what this host has itself, tunnels and sessions; what others have among each other it
 * does not know, and nothing is drawn that is not known.
 *
 * Lengths are tenths of a pixel in a viewBox, so that all numbers are integers.  The picture brings
 * its own style and needs no font, script or file; it follows a dark background where the viewer
 * tells.  Text is measured by counting columns: good enough to keep labels inside.
 */
#include "api/model/picture.h"

#include "api/model/panel_priv.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LEGEND_HEIGHT 620

static const char style[] =
	"<style>\n"
	"svg{background:#fff;font-family:system-ui,'DejaVu Sans',sans-serif}\n"
	"text{fill:#1b2430;font-size:130px}\n"
	".h{font-size:260px;font-weight:600}\n"
	".q,.m{fill:#5c6b7a}\n"
	".m{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:120px}\n"
	".b{font-weight:600}\n"
	".ray{font-size:105px}.ray .m{font-size:100px}\n"
	".tiny{font-size:62px;text-anchor:middle}\n"
	".mid{text-anchor:middle}.end{text-anchor:end}\n"
	".peer{fill:#dbeafe;stroke:#2563eb;stroke-width:20}\n"
	".client{fill:#fef3c7;stroke:#b45309;stroke-width:20}\n"
	".away{fill:#eef0f3;stroke:#7b8794;stroke-width:20;stroke-dasharray:45 35}\n"
	".bad{fill:#b42318}\n"
	".self{fill:none;stroke:#1b2430;stroke-width:24}\n"
	".tunnel{fill:none;stroke:#2563eb;stroke-width:22;stroke-opacity:.6}\n"
	".session{fill:none;stroke:#334155;stroke-width:34;stroke-linecap:round;"
	"stroke-dasharray:1 90}\n"
	".many .tunnel{stroke-width:10;stroke-opacity:.22}\n"
	".many .session{stroke-width:20;stroke-dasharray:1 60;stroke-opacity:.7}\n"
	"@media(prefers-color-scheme:dark){svg{background:#11161d}text{fill:#e6ebf1}\n"
	".q,.m{fill:#9fb0c0}.peer{fill:#1e3a8a;stroke:#7aa7ff}\n"
	".client{fill:#573a0c;stroke:#f0b254}.away{fill:#1d242d;stroke:#8895a3}\n"
	".bad{fill:#ff8a7a}.self{stroke:#e6ebf1}.tunnel{stroke:#7aa7ff}"
	".session{stroke:#cbd5e1}}\n"
	"</style>\n";

/* --- lines --- */

/* False: this host is not drawn. */
static bool find_self(const struct panel *p, struct point *ret)
{
	size_t index = 0;

	for (size_t i = 0; i < p->mesh->members_listed; i++) {
		if (!member_is_drawn(&p->mesh->members[i]))
			continue;
		if (p->mesh->members[i].is_self) {
			*ret = panel_at(p, index);
			return true;
		}
		index++;
	}
	return false;
}

/* In a ring lines bend towards the middle, so that those to neighbours show. */
static void put_line(
	struct svg *s, const struct panel *p, struct point a, struct point b, const char *class)
{
	struct point bend = { (a.x + b.x + 2 * p->middle.x) / 4,
		              (a.y + b.y + 2 * p->middle.y) / 4 };

	if (p->layout.kind == LAYOUT_DISC || p->layout.count < 4)
		svg_put(s, "<path class=\"%s\" d=\"M%d %dL%d %d\"/>\n", class, a.x, a.y, b.x, b.y);
	else
		svg_put(s, "<path class=\"%s\" d=\"M%d %dQ%d %d %d %d\"/>\n", class, a.x, a.y,
		        bend.x, bend.y, b.x, b.y);
}

static void put_lines(struct svg *s, const struct panel *p)
{
	size_t index = 0;
	struct point self;

	if (!find_self(p, &self))
		return;
	svg_put(s, "<g%s>\n", p->layout.kind == LAYOUT_FEW ? "" : " class=\"many\"");
	for (size_t i = 0; i < p->mesh->members_listed; i++) {
		const struct member_info *m = &p->mesh->members[i];

		if (!member_is_drawn(m))
			continue;
		if (!m->is_self && m->has_tunnel)
			put_line(s, p, self, panel_at(p, index), "tunnel");
		if (!m->is_self && m->has_session)
			put_line(s, p, self, panel_at(p, index), "session");
		index++;
	}
	svg_put(s, "</g>\n");
}

/* --- the whole --- */

static void put_head(struct svg *s, const struct panel *p)
{
	const struct mesh_info *mesh = p->mesh;

	svg_put(s, "<text class=\"h\" x=\"%d\" y=\"%d\">", MARGIN, MARGIN + 200);
	svg_text(s, mesh->name);
	svg_put(s, "</text>\n<text class=\"q\" x=\"%d\" y=\"%d\">", MARGIN, MARGIN + 440);
	svg_text(s, mesh->id);
	svg_put(s, " \xc2\xb7 ");
	svg_text(s, mesh->prefix);
	svg_put(s, " \xc2\xb7 %" PRIu32 " member%s, %" PRIu32 " reachable</text>\n",
	        mesh->members_count, mesh->members_count == 1 ? "" : "s", mesh->reachable_count);
	if (mesh->problem[0]) {
		svg_put(s, "<text class=\"bad\" x=\"%d\" y=\"%d\">", MARGIN, MARGIN + 660);
		svg_text(s, mesh->problem);
		svg_put(s, "</text>\n");
	}
}

static void put_panel(struct svg *s, struct panel *p, int32_t width, int32_t top)
{
	svg_put(s, "<g transform=\"translate(0 %d)\">\n", top);
	put_head(s, p);
	p->middle.x = width / 2;
	put_lines(s, p);
	put_members(s, p);
	if (p->layout.count == 0)
		svg_put(s, "<text class=\"q mid\" x=\"%d\" y=\"%d\">no members</text>\n",
		        p->middle.x, p->middle.y);
	svg_put(s, "</g>\n");
}

static void put_legend(struct svg *s, int32_t top)
{
	static const struct {
		const char *shape; /* NULL: a line */
		const char *line;
		const char *text;
		int32_t x;
	} rows[] = {
		{ "peer", NULL, "peer", 0 },
		{ "client", NULL, "client", 850 },
		{ "self", NULL, "this host", 1800 },
		{ "away", NULL, "unreachable", 2950 },
		{ NULL, "tunnel", "WireGuard tunnel", 4250 },
		{ NULL, "session", "session", 6050 },
	};

	svg_put(s, "<g transform=\"translate(%d %d)\">\n", MARGIN + 80, top + LEGEND_HEIGHT / 2);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct point at = { rows[i].x, 0 };

		if (rows[i].shape)
			put_shape(s, at, 80, strcmp(rows[i].shape, "client") == 0, rows[i].shape);
		else
			svg_put(s, "<path class=\"%s\" d=\"M%d 0H%d\"/>\n", rows[i].line, at.x - 80,
			        at.x + 200);
		svg_put(s, "<text class=\"q\" x=\"%d\" y=\"45\">%s</text>\n",
		        at.x + (rows[i].shape ? 170 : 290), rows[i].text);
	}
	svg_put(s, "</g>\n");
}

static void draw(struct svg *s, const struct mesh_info *meshes, size_t count, int64_t now_ms)
{
	int32_t width = WIDTH_MIN;
	int32_t height = count > 0 ? 0 : HEAD_HEIGHT;
	struct panel p;

	for (size_t i = 0; i < count; i++) {
		panel_init(&p, &meshes[i], now_ms);
		width = MAX_OF(width, p.width);
		height += p.height;
	}
	svg_put(s,
	        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
	        "height=\"%d\" role=\"img\">\n<title>smegmesh</title>\n",
	        width, height + LEGEND_HEIGHT, width / 10, (height + LEGEND_HEIGHT) / 10);
	svg_raw(s, style);
	height = count > 0 ? 0 : HEAD_HEIGHT;
	if (count == 0)
		svg_put(s, "<text class=\"q\" x=\"%d\" y=\"%d\">This host is in no mesh.</text>\n",
		        MARGIN, MARGIN + 200);
	for (size_t i = 0; i < count; i++) {
		panel_init(&p, &meshes[i], now_ms);
		put_panel(s, &p, width, height);
		height += p.height;
	}
	put_legend(s, height);
	svg_put(s, "</svg>\n");
}

int picture_svg(const struct mesh_info *meshes,
                size_t count,
                int64_t now_unix_ms,
                struct arena *arena,
                struct bytes *ret)
{
	struct svg s = { 0 };
	size_t bytes;
	char *out;

	draw(&s, meshes, count, now_unix_ms);
	bytes = s.count;
	out = arena_alloc(arena, bytes + 1);
	if (!out)
		return -ENOMEM;
	s = (struct svg){ .at = out };
	draw(&s, meshes, count, now_unix_ms);
	*ret = (struct bytes){ .at = (const uint8_t *)out, .count = bytes };
	return 0;
}
