/*
 * The client's end of the control socket: an nng stream over a Unix socket, used one step at a
 * time, each with a deadline.
 *
 * nng says "refused" both for a socket that is not there and for one that nobody listens on, so
 * the path is looked at first; for a person the two differ (smegd never ran here, or it died), and
 * so does what helps.
 *
 * A frame may take several reads, and a deadline may pass between them.  How far we are is kept in
 * the client, so that a caller who got ERR_TIMED_OUT may ask again.
 *
 * Rejected: nng's protocol sockets (design, section 7), and a plain connect(): deadlines on it take
 * as many lines as nng does, and smegd uses nng on the other end anyway.
 */
#include "api/client.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HEAD_BYTES 4
#define DIAL_TIMEOUT_MS 5000
#define SEND_TIMEOUT_MS 10000

struct client {
	const struct mem *mem;
	struct arena arena; /* what the last reply lives in */
	nng_stream *stream;
	nng_aio *aio;
	char path[128]; /* sun_path is shorter */

	/* The frame that is being read. */
	uint8_t head[HEAD_BYTES];
	uint8_t *body; /* NULL while the head is not complete */
	size_t body_bytes;
	size_t got; /* bytes of head, or of body */
};

/* --- words for what went wrong --- */

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static void hint_start(struct diag *diag)
{
	static const char *const units[] = {
		"/etc/systemd/system/smegd.service",
		"/usr/local/lib/systemd/system/smegd.service",
		"/usr/lib/systemd/system/smegd.service",
		"/lib/systemd/system/smegd.service",
	};

	if (exists("/run/systemd/system")) {
		for (size_t i = 0; i < ARRAY_LEN(units); i++) {
			if (exists(units[i])) {
				diag_hint(diag, "sudo systemctl start smegd");
				return;
			}
		}
	}
	diag_hint(diag, "start it as root: smegd");
}

static int fail_permission(const char *path, struct diag *diag)
{
	int err =
		diag_set(diag, ERR_NOT_PERMITTED, "not permitted to open smegd's socket %s", path);

	diag_hint(diag, "run it with sudo, or join the group: sudo usermod -aG smegmesh $USER");
	return err;
}

static int fail_hung_up(const struct client *c, struct diag *diag)
{
	int err = diag_set(diag, ERR_NO_DAEMON, "smegd at %s hung up before it had answered",
	                   c->path);

	diag_hint(diag, "see what it says: journalctl -u smegd -n 20");
	return err;
}

/* nng's error as ours, once connected. */
static int fail_stream(const struct client *c, int nng_err, const char *doing, struct diag *diag)
{
	switch (nng_err) {
	case NNG_ENOMEM:
		return diag_set(diag, -ENOMEM, "%s smegd: %s", doing, err_text(-ENOMEM));
	case NNG_ETIMEDOUT:
		return diag_set(diag, ERR_TIMED_OUT, "%s smegd at %s took too long", doing,
		                c->path);
	case NNG_ECLOSED:
	case NNG_ECONNSHUT:
	case NNG_ECONNRESET:
		return fail_hung_up(c, diag);
	default:
		return diag_set(diag, ERR_NO_DAEMON, "%s smegd at %s: %s", doing, c->path,
		                nng_strerror(nng_err));
	}
}

/* Is there a socket at `path` that we may look at? */
static int look_at(const char *path, struct diag *diag)
{
	struct stat st;
	int err;

	if (stat(path, &st) < 0) {
		switch (errno) {
		case ENOENT:
		case ENOTDIR:
			err = diag_set(diag, ERR_NO_DAEMON,
			               "smegd is not running: there is no socket %s", path);
			hint_start(diag);
			return err;
		case EACCES:
			return fail_permission(path, diag);
		default:
			return diag_set(diag, ERR_NO_DAEMON, "cannot look at smegd's socket %s: %s",
			                path, err_text(-errno));
		}
	}
	if (S_ISSOCK(st.st_mode))
		return 0;
	err = diag_set(diag, ERR_NO_DAEMON, "%s is not a socket", path);
	diag_hint(diag, "name the control socket of smegd: --socket " CONTROL_SOCKET_DEFAULT);
	return err;
}

static int fail_dial(const char *path, int nng_err, struct diag *diag)
{
	int err;

	switch (nng_err) {
	case NNG_ENOMEM:
		return diag_set(diag, -ENOMEM, "cannot reach smegd: %s", err_text(-ENOMEM));
	case NNG_EPERM:
		return fail_permission(path, diag);
	case NNG_ETIMEDOUT:
		return diag_set(diag, ERR_TIMED_OUT, "smegd at %s does not take the connection",
		                path);
	case NNG_ECONNREFUSED:
	case NNG_ENOENT:
		err = diag_set(diag, ERR_NO_DAEMON,
		               "smegd is not running: nobody listens on its socket %s", path);
		hint_start(diag);
		return err;
	default:
		return diag_set(diag, ERR_NO_DAEMON, "cannot reach smegd at %s: %s", path,
		                nng_strerror(nng_err));
	}
}

/* --- connect --- */

static int dial(struct client *c, struct diag *diag)
{
	char url[sizeof("ipc://") + sizeof(c->path)];
	nng_stream_dialer *dialer = NULL;
	int nng_err;

	snprintf(url, sizeof(url), "ipc://%s", c->path);
	nng_err = nng_stream_dialer_alloc(&dialer, url);
	if (nng_err == 0) {
		nng_aio_set_timeout(c->aio, DIAL_TIMEOUT_MS);
		nng_stream_dialer_dial(dialer, c->aio);
		nng_aio_wait(c->aio);
		nng_err = nng_aio_result(c->aio);
	}
	if (nng_err == 0)
		c->stream = nng_aio_get_output(c->aio, 0);
	nng_stream_dialer_free(dialer);
	return nng_err ? fail_dial(c->path, nng_err, diag) : 0;
}

int client_open(const char *path, const struct mem *m, struct client **ret, struct diag *diag)
{
	struct client *c;
	int err;

	if (!path)
		path = CONTROL_SOCKET_DEFAULT;
	if (strlen(path) >= sizeof(c->path))
		return diag_set(diag, ERR_TOO_BIG, "the socket's path is too long: %s", path);
	err = look_at(path, diag);
	if (err)
		return err;
	c = mem_zalloc(m, sizeof(*c));
	if (!c)
		return diag_set(diag, -ENOMEM, "cannot reach smegd: %s", err_text(-ENOMEM));
	c->mem = m;
	arena_init(&c->arena, m);
	snprintf(c->path, sizeof(c->path), "%s", path);
	if (nng_aio_alloc(&c->aio, NULL, NULL) != 0)
		err = diag_set(diag, -ENOMEM, "cannot reach smegd: %s", err_text(-ENOMEM));
	if (!err)
		err = dial(c, diag);
	if (err) {
		client_close(c);
		return err;
	}
	*ret = c;
	return 0;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	if (c->stream) {
		nng_stream_close(c->stream);
		nng_stream_free(c->stream);
	}
	if (c->aio)
		nng_aio_free(c->aio);
	mem_free(c->mem, c->body);
	arena_fini(&c->arena);
	mem_free(c->mem, c);
}

/* --- send and receive --- */

/* What is to be sent or received, and how much of it has been. */
struct piece {
	void *at;
	size_t bytes;
	size_t *done;
};

typedef void transfer_fn(nng_stream *stream, nng_aio *aio);

/* By `run` (nng_stream_send or _recv) until all of it is done; 0 or nng's error. */
static int transfer(struct client *c, transfer_fn *run, struct piece p, nng_time deadline)
{
	while (*p.done < p.bytes) {
		nng_iov iov = { .iov_buf = (uint8_t *)p.at + *p.done,
			        .iov_len = p.bytes - *p.done };
		nng_time now = nng_clock();
		int nng_err;

		/* A deadline that has passed still takes what is there already. */
		nng_aio_set_timeout(c->aio, deadline > now ? (nng_duration)(deadline - now) : 1);
		nng_err = nng_aio_set_iov(c->aio, 1, &iov);
		if (nng_err)
			return nng_err;
		run(c->stream, c->aio);
		nng_aio_wait(c->aio);
		nng_err = nng_aio_result(c->aio);
		if (nng_err)
			return nng_err;
		*p.done += nng_aio_count(c->aio);
	}
	return 0;
}

static nng_time deadline_after(int64_t timeout_ms)
{
	int64_t most = INT32_MAX; /* nng_duration */

	return nng_clock() + (nng_time)MAX_OF(MIN_OF(timeout_ms, most), 0);
}

int client_ask(struct client *c, const struct request *r, struct diag *diag)
{
	struct request sent = *r;
	struct bytes body;
	struct writer w;
	uint8_t *frame;
	size_t done = 0;
	int err;

	sent.version = CONTROL_VERSION;
	arena_reset(&c->arena);
	err = request_encode(&sent, &c->arena, &body);
	if (err)
		return diag_set(diag, err, "cannot make the request: a part of it %s",
		                err_text(err));
	frame = arena_alloc(&c->arena, HEAD_BYTES + body.count);
	if (!frame)
		return diag_set(diag, -ENOMEM, "cannot ask smegd: %s", err_text(-ENOMEM));
	writer_init(&w, frame, HEAD_BYTES + body.count);
	write_u32(&w, (uint32_t)body.count);
	write_copy(&w, body.at, body.count);
	assert(w.err == 0);
	err = transfer(c, nng_stream_send, (struct piece){ frame, w.count, &done },
	               deadline_after(SEND_TIMEOUT_MS));
	return err ? fail_stream(c, err, "sending to", diag) : 0;
}

/* Once the head is complete. */
static int body_begin(struct client *c, struct diag *diag)
{
	struct reader r;
	uint32_t bytes;

	reader_init(&r, (struct bytes){ .at = c->head, .count = sizeof(c->head) });
	bytes = read_u32(&r);
	if (bytes == 0 || bytes > LIMIT_CONTROL_BYTES)
		return diag_set(diag, ERR_MALFORMED, "what listens on %s does not speak as smegd",
		                c->path);
	c->body = mem_alloc(c->mem, bytes);
	if (!c->body)
		return diag_set(diag, -ENOMEM, "cannot take smegd's answer: %s", err_text(-ENOMEM));
	c->body_bytes = bytes;
	c->got = 0;
	return 0;
}

static void body_end(struct client *c)
{
	mem_free(c->mem, c->body);
	c->body = NULL;
	c->got = 0;
}

static int fail_decode(const struct client *c, int err, struct diag *diag)
{
	if (err != ERR_VERSION)
		return diag_set(diag, err, "cannot read the answer of smegd at %s: %s", c->path,
		                err_text(err));
	diag_set(diag, err,
	         "smegd at %s speaks another version of the control protocol than this "
	         "program, which speaks %d",
	         c->path, CONTROL_VERSION);
	diag_hint(diag, "after an upgrade: sudo systemctl restart smegd");
	return err;
}

int client_next(struct client *c, int64_t timeout_ms, struct reply *ret, struct diag *diag)
{
	nng_time deadline = deadline_after(timeout_ms);
	int err;

	if (!c->body) {
		err = transfer(c, nng_stream_recv,
		               (struct piece){ c->head, sizeof(c->head), &c->got }, deadline);
		if (err)
			return fail_stream(c, err, "waiting for", diag);
		err = body_begin(c, diag);
		if (err)
			return err;
	}
	err = transfer(c, nng_stream_recv, (struct piece){ c->body, c->body_bytes, &c->got },
	               deadline);
	if (err)
		return fail_stream(c, err, "waiting for", diag);
	arena_reset(&c->arena);
	err = reply_decode((struct bytes){ .at = c->body, .count = c->body_bytes }, &c->arena, ret);
	body_end(c);
	return err ? fail_decode(c, err, diag) : 0;
}
