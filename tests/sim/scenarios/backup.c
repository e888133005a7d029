/*
 * Counters must not go back with a disk that did.
 */
#include "tests/sim/scenario.h"

#include <stdio.h>
#include <string.h>

/* A host's disk comes back from a backup; its next change must still be believed. */
static void run(struct world *w, struct model *m)
{
	struct command c = { .kind = CMD_SET };
	struct host *h;
	struct disk backup = { .base = NULL };

	raise_mesh(w, m);
	h = w->hosts[m->count - 1];
	disk_commit(&h->disk, NULL, NULL);
	disk_copy(&backup, &h->disk);
	name_mesh(&c, m);
	c.settings.has_alias = true;
	strcpy(c.settings.alias, "newer");
	expect(w, command(w, h, &c), "set", h->index);
	settle(w, m, MINUTE_US, "set before the restore");
	host_crash(w, h);
	disk_copy(&h->disk, &backup);
	disk_fini(&backup);
	host_boot(w, h);
	strcpy(c.settings.alias, "restored");
	expect(w, command(w, h, &c), "set", h->index);
	world_pass(w, 30 * SECOND_US);
	settle(w, m, MINUTE_US, "set after the restore");
	for (size_t i = 0; i < m->count; i++) {
		struct member_view v = { .is_self = false };
		struct mesh_view mesh;
		struct key key = m->members[h->index].key;

		/* The member before it in key order leads to it. */
		for (int b = KEY_BYTES - 1; b >= 0 && key.b[b]-- == 0; b--)
			;
		if (!node_mesh_find(w->hosts[i]->node, m->mesh, &mesh) ||
		    !node_member_next(w->hosts[i]->node, mesh.id, &key, &v) ||
		    !bytes_equal(v.record.alias, (struct bytes){ (const uint8_t *)"restored", 8 }))
			world_fail(w, "host %zu does not believe the restored host", i);
	}
	check_final(w, m);
}

SCENARIO(backup, "a disk comes back from a backup", 10)
