/*
 * What does not need the inside of a host; the rest is in host.c.
 */
#include "tests/sim/tap.h"

bool tap_is_alive(const struct msg *msg)
{
	return msg->kind == MSG_DIGEST && !msg->u.digest.question && !msg->u.digest.members;
}

uint64_t tap_repair_bytes(const struct tap *t)
{
	static const enum msg_kind kinds[] = { MSG_ENTRIES,  MSG_DIGEST,   MSG_SKETCH, MSG_WANT,
		                               MSG_ANNOUNCE, MSG_CONTINUE, MSG_FETCH };
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		sum += t->bytes[kinds[i]];
	return sum;
}
