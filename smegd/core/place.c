/*
 * Locators and device names (design, section 8).
 *
 * A locator depends on the mesh id and the member's WireGuard key only: no allocation, no lease, no
 * conflict resolution.  64 bits of hash collide once in 2^32 members; where they do, the earlier
 * admission has the address and the other member is not rendered (desired.c).  A random address
 * with detection of duplicates was rejected: it proves nothing about who may use it.
 */
#include "smegd/core/place.h"

#include <stdio.h>
#include <string.h>

void place_prefix(const char mesh_id[MESH_ID_BYTES], struct prefix *ret)
{
	uint8_t hash[16];
	struct addr a = { { 0 } };

	hash_labelled("smeg prefix 1", mesh_id, MESH_ID_CHARS, hash, sizeof(hash));
	a.b[0] = 0xfd;
	memcpy(a.b + 1, hash, 6);
	a.b[7] = 0x01;
	prefix_make(ret, &a, 64);
}

void place_locator(const char mesh_id[MESH_ID_BYTES], const struct key *member, struct addr *ret)
{
	struct prefix p;
	uint8_t hash[16];

	place_prefix(mesh_id, &p);
	hash_labelled("smeg locator 1", member->b, sizeof(member->b), hash, sizeof(hash));
	*ret = p.addr;
	memcpy(ret->b + 8, hash, 8);
	ret->b[8] &= (uint8_t)~0x02;
}

void place_device(const char *prefix,
                  const char *name,
                  const char mesh_id[MESH_ID_BYTES],
                  char out[DEVICE_NAME_BYTES])
{
	size_t room = DEVICE_NAME_BYTES - 1 - strlen(prefix) - 1;

	memset(out, 0, DEVICE_NAME_BYTES);
	if (strlen(name) <= room)
		snprintf(out, DEVICE_NAME_BYTES, "%s-%s", prefix, name);
	else
		snprintf(out, DEVICE_NAME_BYTES, "%s-%.*s%.4s", prefix, (int)(room - 4), name,
		         mesh_id);
}
