/*
 * Accepting, and what to do when it fails.
 *
 * A failed accept is nearly always a lack of descriptors or memory.  The waiting connection stays
 * in the kernel's queue, so trying again at once would fail again at once and turn in a circle;
 * giving up would leave a daemon that looks alive and hears nobody.  So every failure is followed
 * by a pause, whatever it was.  During the pause nng does not poll the listening socket.
 */
#include "smegd/net/accept_priv.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static void accept_next(struct acceptor *a)
{
	nng_stream_listener_accept(a->listener, op_begin(&a->accept));
}

static void accept_done(struct op *o)
{
	struct acceptor *a = container_of(o, struct acceptor, accept);
	nng_stream *stream;

	if (nng_aio_result(o->aio)) {
		alarm_set(&a->pause, a->pump, ACCEPT_PAUSE_MS);
		return;
	}
	/* Before the next accept begins, which clears it. */
	stream = nng_aio_get_output(o->aio, 0);
	accept_next(a);
	a->accepted(a, stream);
}

static void paused(struct alarm *alarm)
{
	accept_next(container_of(alarm, struct acceptor, pause));
}

int acceptor_init(struct acceptor *a,
                  struct pump *p,
                  nng_stream_listener *listener,
                  void (*accepted)(struct acceptor *a, nng_stream *stream))
{
	*a = (struct acceptor){ .pump = p, .listener = listener, .accepted = accepted };
	alarm_init(&a->pause, paused);
	if (op_init(&a->accept, p, accept_done)) {
		acceptor_fini(a);
		return -ENOMEM;
	}
	accept_next(a);
	return 0;
}

void acceptor_fini(struct acceptor *a)
{
	if (!a->listener)
		return;
	alarm_clear(&a->pause);
	nng_stream_listener_close(a->listener);
	op_fini(&a->accept);
	nng_stream_listener_free(a->listener);
	memset(a, 0, sizeof(*a));
}
