/*
 * The list of effects of one step.
 *
 * Effects and all they point to live in one arena that the next step empties, so nobody owns or
 * frees a single one.  A list that grows by doubling in the mem was preferred to a linked list in
 * the arena: shells and tests index it.
 */
#include "smegd/core/effect.h"

#include <errno.h>
#include <string.h>

void effects_init(struct effects *fx, const struct mem *m)
{
	memset(fx, 0, sizeof(*fx));
	arena_init(&fx->arena, m);
}

void effects_fini(struct effects *fx)
{
	if (!fx || !fx->arena.mem)
		return;
	mem_free(fx->arena.mem, fx->list);
	arena_fini(&fx->arena);
	memset(fx, 0, sizeof(*fx));
}

void effects_reset(struct effects *fx)
{
	arena_reset(&fx->arena);
	fx->count = 0;
}

struct effect *effects_add(struct effects *fx, enum effect_kind kind)
{
	void *list = fx->list;
	struct effect *e;

	if (mem_grow(fx->arena.mem, &list, fx->count, &fx->cap, sizeof(*fx->list)))
		return NULL;
	fx->list = list;
	e = &fx->list[fx->count++];
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	return e;
}

const char *trace_name(enum trace_kind kind)
{
	static const char *const names[] = {
		[TRACE_MESH_CREATED] = "mesh-created",
		[TRACE_MESH_JOINED] = "mesh-joined",
		[TRACE_MESH_LEFT] = "mesh-left",
		[TRACE_MEMBER_IN] = "member-in",
		[TRACE_MEMBER_OUT] = "member-out",
		[TRACE_SESSION_UP] = "session-up",
		[TRACE_SESSION_DOWN] = "session-down",
		[TRACE_DIAL_FAILED] = "dial-failed",
		[TRACE_REFUSED_STATEMENT] = "refused-statement",
		[TRACE_CLOCK_OFF] = "clock-off",
		[TRACE_DEVICE_ERROR] = "device-error",
		[TRACE_APPLIED] = "applied",
		[TRACE_REPAIR] = "repair",
		[TRACE_LOCATOR_CLASH] = "locator-clash",
		[TRACE_INVITE_USED] = "invite-used",
		[TRACE_REFUSED_JOIN] = "refused-join",
		[TRACE_SUSPECT] = "suspect",
		[TRACE_ATTESTED] = "attested",
		[TRACE_ABSTAINED] = "abstained",
		[TRACE_REFUTED] = "refuted",
		[TRACE_UPLINK_MOVED] = "uplink-moved",
		[TRACE_CARRIER_MOVED] = "carrier-moved",
	};

	if ((size_t)kind >= ARRAY_LEN(names) || !names[kind])
		return "unknown";
	return names[kind];
}
