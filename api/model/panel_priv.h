/*
 * One mesh in a picture: its size, and what is said about each member.
 */
#ifndef SMEG_API_MODEL_PANEL_PRIV_H
#define SMEG_API_MODEL_PANEL_PRIV_H

#include "api/model/layout.h"
#include "api/model/mesh.h"
#include "api/model/svg.h"

/* Tenths of a pixel. */
#define MARGIN 240
#define HEAD_HEIGHT 960 /* a panel's title and second line */
#define WIDTH_MIN 7400  /* what the legend needs */
#define LINE_HEIGHT 165

#define STATE_BYTES 64

struct panel {
	const struct mesh_info *mesh;
	int64_t now_ms;
	struct layout layout;
	int32_t width;
	int32_t height;
	struct point middle; /* of the rings, within the picture */
};

/* Without regard to where in the picture it will be: from its own top left corner. */
void panel_init(struct panel *p, const struct mesh_info *mesh, int64_t now_ms);

/* Where the drawn member `index` stands. */
struct point panel_at(const struct panel *p, size_t index);

/* In the group or about to be; the others are not in the picture. */
bool member_is_drawn(const struct member_info *m);
bool member_is_away(const struct member_info *m);
bool member_is_client(const struct member_info *m);

/* "", or what is the matter. */
void member_state_text(const struct member_info *m, int64_t now_ms, char out[STATE_BYTES]);

/* Columns of the alias, or of the beginning of the key that stands for it. */
size_t member_name_columns(const struct member_info *m);

/* That text, of at most `chars` characters. */
void put_member_name(struct svg *s, const struct member_info *m, size_t chars);

/* A circle or a rounded square around `at`. */
void put_shape(struct svg *s, struct point at, int32_t half, bool square, const char *class);

/* All that are drawn, with their labels. */
void put_members(struct svg *s, const struct panel *p);

#endif
