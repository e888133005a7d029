/*
 * The other end of the control socket, on a thread: reads one request and then does what its script
 * says.  For tests of what talks to smegd.
 */
#ifndef SMEG_TESTS_UNIT_API_CONTROL_SERVER_H
#define SMEG_TESTS_UNIT_API_CONTROL_SERVER_H

#include "tests/unit/unit.h"

#include "api/model/control.h"
#include "tests/unit/memtest.h"

#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* What the server sends once it has read the request: pieces, with pauses before them. */
struct piece {
	int pause_ms;
	const void *at;
	size_t bytes;
};

struct server {
	char dir[64];
	char path[96];
	nng_stream_listener *listener;
	nng_aio *aio;
	pthread_t thread;
	const struct piece *script;
	size_t script_count;
	bool closes_first; /* without reading */
	struct memtest mt; /* of its own thread */
	struct arena arena;
	struct request request; /* what it was asked */
	int request_err;
};

static inline void server_read_all(struct server *s, nng_stream *stream, void *at, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		nng_iov iov = { .iov_buf = (uint8_t *)at + done, .iov_len = bytes - done };

		assert_int_equal(nng_aio_set_iov(s->aio, 1, &iov), 0);
		nng_stream_recv(stream, s->aio);
		nng_aio_wait(s->aio);
		if (nng_aio_result(s->aio))
			return;
		done += nng_aio_count(s->aio);
	}
}

static inline void server_read_request(struct server *s, nng_stream *stream)
{
	uint8_t head[4] = { 0 }; /* stays so when the client goes away */
	struct reader r;
	uint32_t bytes;
	uint8_t *body;

	server_read_all(s, stream, head, sizeof(head));
	reader_init(&r, (struct bytes){ head, sizeof(head) });
	bytes = read_u32(&r);
	if (bytes == 0)
		return;
	assert_true(bytes <= CONTROL_REQUEST_BYTES);
	body = arena_alloc(&s->arena, bytes);
	server_read_all(s, stream, body, bytes);
	s->request_err = request_decode((struct bytes){ body, bytes }, &s->arena, &s->request);
}

static inline void server_send(struct server *s, nng_stream *stream, const struct piece *p)
{
	for (size_t done = 0; done < p->bytes;) {
		nng_iov iov = { .iov_buf = (uint8_t *)(uintptr_t)p->at + done,
			        .iov_len = p->bytes - done };

		assert_int_equal(nng_aio_set_iov(s->aio, 1, &iov), 0);
		nng_stream_send(stream, s->aio);
		nng_aio_wait(s->aio);
		if (nng_aio_result(s->aio))
			return;
		done += nng_aio_count(s->aio);
	}
}

static inline void *server_run(void *ctx)
{
	struct server *s = ctx;
	nng_stream *stream;

	nng_stream_listener_accept(s->listener, s->aio);
	nng_aio_wait(s->aio);
	if (nng_aio_result(s->aio))
		return NULL;
	stream = nng_aio_get_output(s->aio, 0);
	if (!s->closes_first) {
		server_read_request(s, stream);
		for (size_t i = 0; i < s->script_count; i++) {
			nng_msleep(s->script[i].pause_ms);
			server_send(s, stream, &s->script[i]);
		}
	}
	nng_stream_close(stream);
	nng_stream_free(stream);
	return NULL;
}

static inline int server_setup(void **state)
{
	struct server *s = calloc(1, sizeof(*s));
	char url[128];

	assert_non_null(s);
	snprintf(s->dir, sizeof(s->dir), "/tmp/smeg-client-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/sock", s->dir);
	snprintf(url, sizeof(url), "ipc://%s", s->path);
	memtest_init(&s->mt);
	arena_init(&s->arena, &s->mt.mem);
	assert_int_equal(nng_aio_alloc(&s->aio, NULL, NULL), 0);
	assert_int_equal(nng_stream_listener_alloc(&s->listener, url), 0);
	assert_int_equal(nng_stream_listener_listen(s->listener), 0);
	*state = s;
	return 0;
}

static inline void server_start(struct server *s, const struct piece *script, size_t count)
{
	s->script = script;
	s->script_count = count;
	assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

static inline void server_join(struct server *s)
{
	assert_int_equal(pthread_join(s->thread, NULL), 0);
}

static inline int server_teardown(void **state)
{
	struct server *s = *state;

	nng_stream_listener_close(s->listener);
	nng_stream_listener_free(s->listener);
	nng_aio_free(s->aio);
	arena_fini(&s->arena);
	unlink(s->path);
	rmdir(s->dir);
	free(s);
	return 0;
}

/* A reply as a frame, in the server's arena. */
static inline struct piece server_frame(struct server *s, int pause_ms, const struct reply *r)
{
	struct bytes body;
	struct writer w;
	uint8_t *out;

	assert_int_equal(reply_encode(r, &s->arena, &body), 0);
	out = arena_alloc(&s->arena, 4 + body.count);
	assert_non_null(out);
	writer_init(&w, out, 4 + body.count);
	write_u32(&w, (uint32_t)body.count);
	write_copy(&w, body.at, body.count);
	return (struct piece){ pause_ms, out, w.count };
}

#endif
