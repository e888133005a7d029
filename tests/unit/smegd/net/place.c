/* See place.h. */
#include "tests/unit/smegd/net/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

int place_try(struct place *p, struct diag *diag)
{
	struct local_options options = {
		.mem = &p->rig.mem.mem,
		.wake = rig_wake,
		.wake_ctx = &p->rig,
	};

	p->local = NULL;
	return local_open(&options, p->path, &p->local, diag);
}

void place_make(struct place *p)
{
	rig_init(&p->rig);
	p->local = NULL;
	snprintf(p->dir, sizeof(p->dir), "/tmp/smeg-test-local-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/smegd.sock", p->dir);
}

void place_open(struct place *p)
{
	struct diag diag = { 0 };

	place_make(p);
	if (place_try(p, &diag))
		fail_msg("%s", diag.text);
}

void place_close(struct place *p)
{
	local_close(p->local);
	assert_int_equal(rmdir(p->dir), 0);
	rig_fini(&p->rig);
}

struct local_news place_next(struct place *p)
{
	int64_t until_ms = rig_now() + RIG_PATIENCE_MS;
	struct local_news news;

	while (!local_next(p->local, &news))
		if (!rig_wait(&p->rig, until_ms))
			fail_msg("no news");
	return news;
}

struct local_news place_expect(struct place *p, enum local_news_kind kind, uint64_t conn)
{
	struct local_news news = place_next(p);

	if (news.kind != kind)
		fail_msg("news %d of %u (%s) and not %d", (int)news.kind, (unsigned)news.conn,
		         err_text(news.err), (int)kind);
	if (conn)
		assert_int_equal(news.conn, conn);
	return news;
}

void place_expect_nothing(struct place *p)
{
	struct local_news news;

	assert_false(local_next(p->local, &news));
}

int raw_unix(const char *path, bool to_listen)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	assert_true(fd >= 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (to_listen)
		err = bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 1);
	else
		err = connect(fd, (const struct sockaddr *)&sa, sizeof(sa));
	if (err == 0)
		return fd;
	close(fd);
	return -1;
}

int place_client(struct place *p, uint64_t *ret_conn)
{
	int fd = raw_unix(p->path, false);

	assert_true(fd >= 0);
	*ret_conn = place_expect(p, LOCAL_CONNECTED, 0).conn;
	return fd;
}
