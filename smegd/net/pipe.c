/*
 * Bytes in and out of one nng stream.
 *
 * In: one receive at a time, and the next only when the loop has taken the data.  So a link holds
 * at most one buffer of input, and a peer that sends faster than we work is slowed down by TCP.
 * A daemon has a hundred links on which hardly anything comes, so the buffer is small until it was
 * full once, and again when little came.
 *
 * Out: one send at a time.  Whole chunks take turns, the control lane's first; a chunk that was
 * begun is finished, since the bytes of two frames cannot mix.  The kernel may take a part of a
 * chunk, and nng reports that as success with a count.
 *
 * The end is always reported by receiving.  When sending fails, the other side may have said why
 * and closed: those bytes are still to be read, and the receive after them fails too, because a
 * socket that broke while sending is at its end for reading as well.  For the same reason the first
 * failed receive is followed by another: on an error event nng fails what is waiting without
 * reading what the kernel still holds (its tcp_error()), but the descriptor stays open and a
 * further receive gets it.  A refusal that is sent and followed by a reset would be lost otherwise.
 *
 * Closing comes in two steps, as nng_aio_stop() waits: pipe_close() breaks the connection and
 * silences the handlers, at any time; pipe_fini() stops both aios, then frees the stream.  The
 * order matters: nng_stream_free() leaves the stream to a reaper thread, and no aio may be in it by
 * then.
 */
#include "smegd/net/pipe_priv.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>

struct chunk {
	struct list node;
	size_t count;
	size_t sent;
	uint8_t at[];
};

int pipe_error(int nng_err)
{
	switch (nng_err) {
	case 0:
	case NNG_ECLOSED:
	case NNG_ECONNSHUT:
		return 0;
	case NNG_ECONNRESET:
		return -ECONNRESET;
	case NNG_ECONNABORTED:
		return -ECONNABORTED;
	case NNG_ECONNREFUSED:
		return -ECONNREFUSED;
	case NNG_ETIMEDOUT:
		return -ETIMEDOUT;
	case NNG_EUNREACHABLE:
		return -EHOSTUNREACH;
	case NNG_EADDRINUSE:
		return -EADDRINUSE;
	case NNG_EADDRINVAL:
		return -EADDRNOTAVAIL;
	case NNG_ENOTSUP:
	case NNG_ESYSERR + EAI_ADDRFAMILY: /* how nng passes on what getaddrinfo() says */
		return -EAFNOSUPPORT;
	case NNG_ENOMEM:
		return -ENOMEM;
	case NNG_ENOFILES:
		return -EMFILE;
	case NNG_EPERM:
		return -EACCES;
	case NNG_ENOENT:
		return -ENOENT;
	case NNG_EINVAL:
		return -EINVAL;
	default:
		return nng_err > NNG_ESYSERR && nng_err < NNG_ESYSERR + 4096
		               ? -(nng_err - NNG_ESYSERR)
		               : -EIO;
	}
}

/* Another size for what comes next; nothing is in the buffer.  With no memory the old one does. */
static void fit(struct pipe *p, size_t room)
{
	uint8_t *buffer = p->room == room ? NULL : mem_alloc(p->mem, room);

	if (!buffer)
		return;
	mem_free(p->mem, p->buffer);
	p->buffer = buffer;
	p->room = room;
}

static void read_on(struct pipe *p)
{
	nng_iov iov = { .iov_buf = p->buffer, .iov_len = p->room };
	nng_aio *aio = op_begin(&p->recv);

	nng_aio_set_iov(aio, 1, &iov);
	nng_stream_recv(p->stream, aio);
}

static void received(struct op *o)
{
	struct pipe *p = container_of(o, struct pipe, recv);
	int err = nng_aio_result(o->aio);

	if (p->closed)
		return;
	if (err == 0) {
		p->got = nng_aio_count(o->aio);
		p->on->got(p);
		return;
	}
	if (p->err == 0)
		p->err = pipe_error(err);
	if (!p->ending) {
		p->ending = true;
		read_on(p);
		return;
	}
	p->on->ended(p, p->err);
}

static void drop_chunks(struct pipe *p)
{
	struct list *at;
	struct list *next;

	for (int lane = 0; lane < LANE__COUNT; lane++)
		list_for_each_safe(at, next, &p->lanes[lane])
			mem_free(p->mem, container_of(at, struct chunk, node));
	for (int lane = 0; lane < LANE__COUNT; lane++)
		list_init(&p->lanes[lane]);
	mem_free(p->mem, p->sending);
	p->sending = NULL;
	p->queued = 0;
}

static struct chunk *next_chunk(struct pipe *p)
{
	for (int lane = 0; lane < LANE__COUNT; lane++) {
		struct list *first = p->lanes[lane].next;

		if (first == &p->lanes[lane])
			continue;
		list_remove(first);
		return container_of(first, struct chunk, node);
	}
	return NULL;
}

static void send_on(struct pipe *p)
{
	struct chunk *chunk;
	nng_iov iov;
	nng_aio *aio;

	if (!p->stream || p->send.busy)
		return;
	if (!p->sending)
		p->sending = next_chunk(p);
	chunk = p->sending;
	if (!chunk)
		return;
	iov = (nng_iov){ .iov_buf = chunk->at + chunk->sent,
		         .iov_len = chunk->count - chunk->sent };
	aio = op_begin(&p->send);
	if (!p->is_urgent && p->queued == iov.iov_len)
		op_set_patience(&p->send, iov.iov_len);
	nng_aio_set_iov(aio, 1, &iov);
	nng_stream_send(p->stream, aio);
}

static void sent(struct op *o)
{
	struct pipe *p = container_of(o, struct pipe, send);
	int err = nng_aio_result(o->aio);
	size_t count = nng_aio_count(o->aio);

	if (p->closed)
		return;
	if (err) {
		p->broken = true;
		if (p->err == 0)
			p->err = pipe_error(err);
		drop_chunks(p);
		return;
	}
	assert(count > 0 && count <= p->sending->count - p->sending->sent && count <= p->queued);
	p->sending->sent += count;
	p->queued -= count;
	if (p->sending->sent == p->sending->count) {
		mem_free(p->mem, p->sending);
		p->sending = NULL;
	}
	send_on(p);
	if (p->queued == 0)
		p->on->drained(p);
}

int pipe_init(struct pipe *p,
              struct pump *pump,
              const struct mem *mem,
              const struct pipe_events *on,
              size_t queued_max)
{
	*p = (struct pipe){ .pump = pump, .mem = mem, .on = on, .queued_max = queued_max };
	for (int lane = 0; lane < LANE__COUNT; lane++)
		list_init(&p->lanes[lane]);
	p->room = PIPE_SMALL_BYTES;
	p->buffer = mem_alloc(mem, p->room);
	if (!p->buffer || op_init(&p->recv, pump, received) || op_init(&p->send, pump, sent))
		return -ENOMEM;
	return 0;
}

void pipe_start(struct pipe *p, nng_stream *stream)
{
	assert(!p->stream && !p->closed);
	p->stream = stream;
	read_on(p);
	send_on(p);
}

void pipe_close(struct pipe *p)
{
	if (!p->closed && p->stream)
		nng_stream_close(p->stream);
	p->closed = true;
}

void pipe_fini(struct pipe *p)
{
	if (!p->mem)
		return;
	pipe_close(p);
	op_fini(&p->recv);
	op_fini(&p->send);
	nng_stream_free(p->stream);
	drop_chunks(p);
	mem_free(p->mem, p->buffer);
	memset(p, 0, sizeof(*p));
}

struct bytes pipe_data(const struct pipe *p)
{
	return (struct bytes){ .at = p->buffer, .count = p->got };
}

void pipe_resume(struct pipe *p)
{
	size_t got = p->got;

	p->got = 0;
	if (p->closed)
		return;
	if (got == p->room)
		fit(p, PIPE_LARGE_BYTES);
	else if (got < PIPE_SMALL_BYTES)
		fit(p, PIPE_SMALL_BYTES);
	read_on(p);
}

static struct chunk *join(const struct mem *mem,
                          const struct bytes *parts,
                          size_t count,
                          size_t total)
{
	struct chunk *chunk = mem_alloc(mem, sizeof(*chunk) + total);

	if (!chunk)
		return NULL;
	list_init(&chunk->node);
	chunk->count = total;
	chunk->sent = 0;
	for (size_t i = 0, at = 0; i < count; at += parts[i++].count)
		if (parts[i].count)
			memcpy(chunk->at + at, parts[i].at, parts[i].count);
	return chunk;
}

int pipe_send(struct pipe *p, enum lane lane, const struct bytes *parts, size_t count)
{
	struct chunk *chunk;
	size_t total = 0;

	if (p->closed || p->broken)
		return 0;
	for (size_t i = 0; i < count; i++)
		total += parts[i].count;
	assert(total > 0 && lane < LANE__COUNT);
	if (total > p->queued_max || p->queued > p->queued_max - total)
		return ERR_LIMIT;
	chunk = join(p->mem, parts, count, total);
	if (!chunk)
		return -ENOMEM;
	list_add(&p->lanes[lane], &chunk->node);
	p->used = true;
	p->queued += total;
	op_hurry(&p->send); /* this one follows it */
	send_on(p);
	return 0;
}

void pipe_hurry(struct pipe *p)
{
	p->is_urgent = true;
	op_hurry(&p->send);
}

bool pipe_is_drained(const struct pipe *p)
{
	return p->queued == 0;
}

bool pipe_is_used(const struct pipe *p)
{
	return p->used;
}
