/*
 * Where things are: overlay addresses and device names, made from hashes so that everyone can
 * recompute and so verify them.
 */
#ifndef SMEG_SMEGD_CORE_PLACE_H
#define SMEG_SMEGD_CORE_PLACE_H

#include "base/addr.h"
#include "crdt/admit.h"
#include "smegd/core/model.h"

/* fd + 48 bits of a labelled hash of the mesh id + 01: the mesh's /64. */
void place_prefix(const char mesh_id[MESH_ID_BYTES], struct prefix *ret);

/* The locator: the /64 and 64 bits of a labelled hash of the X25519 key, universal bit cleared. */
void place_locator(const char mesh_id[MESH_ID_BYTES], const struct key *member, struct addr *ret);

/*
 * The device of a mesh: PREFIX-NAME if that fits 15 bytes, else PREFIX- with the start of the name
 * and 4 characters of the mesh id, so that long names that begin alike stay apart.
 */
void place_device(const char *prefix,
                  const char *name,
                  const char mesh_id[MESH_ID_BYTES],
                  char out[DEVICE_NAME_BYTES]);

#endif
