/*
 * The reply of a userspace WireGuard: any bytes give an error or a device that is sorted and within
 * its bounds; and what was read, sent as a request, has the form of one.
 */
#include "base/err.h"
#include "smegd/kern/uapi_priv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void peer_check(const struct wg_peer *p)
{
	struct op op = { .kind = OP_PEER_SET };
	struct secret s = { .at = NULL };

	assert(p->handshake_ms >= 0);
	for (size_t j = 0; j < p->allowed_count; j++) {
		assert(p->allowed[j].bits <= 128);
		assert(j == 0 || prefix_compare(&p->allowed[j - 1], &p->allowed[j]) < 0);
	}
	assert(p->endpoint.zone == 0);
	op.peer.key = p->key;
	op.peer.set_endpoint = p->has_endpoint;
	op.peer.endpoint = p->endpoint;
	op.peer.allowed = p->allowed;
	op.peer.allowed_count = p->allowed_count;
	uapi_add_op(&s, &op);
	assert(s.err == 0 && s.at[s.count - 1] == '\n');
	assert(!memmem(s.at, s.count, "\n\n", 2));
	secret_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct device d = { .exists = false };
	struct collect collect;
	struct arena arena;
	int err;

	collect_init(&collect, &heap);
	arena_init(&arena, &heap);
	err = uapi_parse((const char *)data, size, &d, &collect);
	assert(err <= 0);
	if (!err)
		err = collect_finish(&collect, &arena, &d);
	for (size_t i = 0; !err && i < d.peers_count; i++) {
		assert(i == 0 || key_compare(&d.peers[i - 1].key, &d.peers[i].key) < 0);
		peer_check(&d.peers[i]);
	}
	arena_fini(&arena);
	collect_fini(&collect);
	return 0;
}
