/*
 * A mesh as a picture: one self-contained SVG, the same bytes for the same view.
 */
#ifndef SMEG_API_MODEL_PICTURE_H
#define SMEG_API_MODEL_PICTURE_H

#include "api/model/mesh.h"
#include "base/bytes.h"

struct arena;

/* Members as circles, sessions and tunnels as lines, state by colour and by shape; a legend.  Texts
 * are escaped.  The result lives in the arena and is terminated. */
int picture_svg(const struct mesh_info *meshes,
                size_t count,
                int64_t now_unix_ms,
                struct arena *arena,
                struct bytes *ret) MUST_CHECK;

#endif
