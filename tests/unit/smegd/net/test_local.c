/*
 * The control socket's server side, with plain Unix sockets as clients.
 */
#include "tests/unit/smegd/net/rig.h"

#include "smegd/net/local.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

struct place {
	struct rig rig;
	struct local *local;
	char dir[64];
	char path[96];
};

static int try_open(struct place *p, struct diag *diag)
{
	struct local_options options = {
		.mem = &p->rig.mem.mem,
		.wake = rig_wake,
		.wake_ctx = &p->rig,
	};

	p->local = NULL;
	return local_open(&options, p->path, &p->local, diag);
}

static void place_make(struct place *p)
{
	rig_init(&p->rig);
	p->local = NULL;
	snprintf(p->dir, sizeof(p->dir), "/tmp/smeg-test-local-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/smegd.sock", p->dir);
}

static void place_open(struct place *p)
{
	struct diag diag = { 0 };

	place_make(p);
	if (try_open(p, &diag))
		fail_msg("%s", diag.text);
}

/* The socket is removed by local_close(), so the directory is empty. */
static void place_close(struct place *p)
{
	local_close(p->local);
	assert_int_equal(rmdir(p->dir), 0);
	rig_fini(&p->rig);
}

static struct local_news next(struct place *p)
{
	int64_t until_ms = rig_now() + RIG_PATIENCE_MS;
	struct local_news news;

	while (!local_next(p->local, &news))
		if (!rig_wait(&p->rig, until_ms))
			fail_msg("no news");
	return news;
}

static struct local_news expect(struct place *p, enum local_news_kind kind, uint64_t conn)
{
	struct local_news news = next(p);

	if (news.kind != kind)
		fail_msg("news %d of %u (%s) and not %d", (int)news.kind, (unsigned)news.conn,
		         err_text(news.err), (int)kind);
	if (conn)
		assert_int_equal(news.conn, conn);
	return news;
}

static void expect_nothing(struct place *p)
{
	struct local_news news;

	assert_false(local_next(p->local, &news));
}

static int unix_socket(const char *path, bool to_listen)
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

/* A client and its number. */
static int client(struct place *p, uint64_t *ret_conn)
{
	int fd = unix_socket(p->path, false);

	assert_true(fd >= 0);
	*ret_conn = expect(p, LOCAL_CONNECTED, 0).conn;
	return fd;
}

static void send_head(int fd, uint32_t count)
{
	uint8_t head[4] = { (uint8_t)(count >> 24), (uint8_t)(count >> 16), (uint8_t)(count >> 8),
		            (uint8_t)count };

	raw_send(fd, head, sizeof(head));
}

static void ask(int fd, const char *text)
{
	send_head(fd, (uint32_t)strlen(text));
	raw_send(fd, text, strlen(text));
}

static void expect_request(struct place *p, uint64_t conn, const char *text)
{
	struct local_news news = expect(p, LOCAL_REQUEST, conn);

	assert_int_equal(news.frame.count, strlen(text));
	assert_memory_equal(news.frame.at, text, strlen(text));
}

static void reply(struct place *p, uint64_t conn, const char *text, bool last)
{
	struct bytes frame = { (const uint8_t *)text, strlen(text) };

	assert_int_equal(local_reply(p->local, conn, frame, last), 0);
}

/* Receive so much while the loop runs, which has nothing to say but that it sends. */
static void receive(struct place *p, int fd, void *at, size_t count)
{
	for (size_t have = 0; have < count;) {
		struct local_news news;
		ssize_t now = raw_recv_some(fd, (char *)at + have, count - have);

		assert_true(now != 0);
		have += now > 0 ? (size_t)now : 0;
		if (local_next(p->local, &news))
			assert_int_equal(news.kind, LOCAL_DRAINED);
		else if (now < 0)
			rig_wait(&p->rig, rig_now() + 10);
	}
}

static void expect_frame(struct place *p, int fd, const char *text)
{
	char got[64];
	uint8_t head[4];

	receive(p, fd, head, sizeof(head));
	assert_int_equal(head[0] | head[1] | head[2], 0);
	assert_int_equal(head[3], strlen(text));
	receive(p, fd, got, strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

/* --- talking --- */

/* Ask, get several frames, ask again; the daemon knows who asks. */
static void test_request_gets_its_answer(void **state)
{
	struct place p;
	uint64_t conn;

	(void)state;
	place_open(&p);
	int fd = client(&p, &conn);

	ask(fd, "list");
	struct local_news news = expect(&p, LOCAL_REQUEST, conn);
	assert_memory_equal(news.frame.at, "list", 4);
	assert_int_equal(news.peer.uid, geteuid());
	assert_int_equal(news.peer.gid, getegid());
	assert_int_equal(news.peer.pid, getpid());
	reply(&p, conn, "one", false);
	reply(&p, conn, "two", false);
	reply(&p, conn, "end", true);
	expect_frame(&p, fd, "one");
	expect_frame(&p, fd, "two");
	expect_frame(&p, fd, "end");
	ask(fd, "more");
	expect_request(&p, conn, "more");
	close(fd);
	assert_int_equal(expect(&p, LOCAL_GONE, conn).err, 0);
	/* Gone: ignored. */
	reply(&p, conn, "late", true);
	local_drop(p.local, conn);
	expect_nothing(&p);
	place_close(&p);
}

/* Cut anywhere, a request is one. */
static void test_request_comes_in_pieces(void **state)
{
	static const uint8_t bytes[] = { 0, 0, 0, 3, 'a', 'b', 'c' };
	struct place p;
	uint64_t conn;

	(void)state;
	place_open(&p);
	int fd = client(&p, &conn);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		expect_nothing(&p);
		raw_send(fd, bytes + i, 1);
		/* Every byte is a wake: nothing is under way but its receive. */
		assert_true(rig_wait(&p.rig, rig_now() + RIG_PATIENCE_MS));
	}
	expect_request(&p, conn, "abc");
	close(fd);
	expect(&p, LOCAL_GONE, conn);
	place_close(&p);
}

/* What is asked ahead waits for the answer before it. */
static void test_one_request_at_a_time(void **state)
{
	struct place p;
	uint64_t conn;

	(void)state;
	place_open(&p);
	int fd = client(&p, &conn);
	ask(fd, "first");
	ask(fd, "second");
	ask(fd, "third");
	struct local_news news = expect(&p, LOCAL_REQUEST, conn);
	/* The frame is ours until the next call, whatever we answer. */
	reply(&p, conn, "1", true);
	assert_memory_equal(news.frame.at, "first", 5);
	expect_request(&p, conn, "second");
	expect_nothing(&p);
	expect_nothing(&p);
	reply(&p, conn, "2", false);
	expect(&p, LOCAL_DRAINED, conn);
	expect_nothing(&p);
	reply(&p, conn, "2", true);
	expect_request(&p, conn, "third");
	close(fd);
	expect(&p, LOCAL_GONE, conn);
	place_close(&p);
}

/* The largest frame passes in both directions. */
static void test_largest_frame_passes(void **state)
{
	struct place p;
	uint64_t conn;
	uint8_t *frame = malloc(LIMIT_CONTROL_BYTES);
	size_t done = 0;
	struct local_news news;

	(void)state;
	assert_non_null(frame);
	pattern_fill(frame, LIMIT_CONTROL_BYTES, 0, 5);
	place_open(&p);
	int fd = client(&p, &conn);
	send_head(fd, LIMIT_CONTROL_BYTES);
	while (!local_next(p.local, &news)) {
		done += raw_send_some(fd, frame + done, LIMIT_CONTROL_BYTES - done);
		rig_wait(&p.rig, rig_now() + (done < LIMIT_CONTROL_BYTES ? 1 : RIG_PATIENCE_MS));
	}
	assert_int_equal(news.kind, LOCAL_REQUEST);
	assert_int_equal(news.frame.count, LIMIT_CONTROL_BYTES);
	pattern_assert(news.frame.at, news.frame.count, 0, 5);

	struct bytes answer = { frame, LIMIT_CONTROL_BYTES };
	assert_int_equal(local_reply(p.local, conn, answer, true), 0);
	memset(frame, 0, LIMIT_CONTROL_BYTES);
	uint8_t head[4];
	receive(&p, fd, head, sizeof(head));
	receive(&p, fd, frame, LIMIT_CONTROL_BYTES);
	pattern_assert(frame, LIMIT_CONTROL_BYTES, 0, 5);
	free(frame);
	close(fd);
	expect(&p, LOCAL_GONE, conn);
	place_close(&p);
}

/* A frame that is too large or empty ends the connection, before anything is allocated for it. */
static void test_bad_frames_are_refused(void **state)
{
	struct place p;
	uint64_t conn;

	(void)state;
	place_open(&p);
	int fd = client(&p, &conn);
	size_t calls = p.rig.mem.calls;

	send_head(fd, LIMIT_CONTROL_BYTES + 1);
	assert_int_equal(expect(&p, LOCAL_GONE, conn).err, ERR_TOO_BIG);
	raw_recv_end(fd);
	close(fd);
	assert_int_equal(p.rig.mem.calls, calls);
	fd = client(&p, &conn);
	send_head(fd, 0);
	assert_int_equal(expect(&p, LOCAL_GONE, conn).err, ERR_MALFORMED);
	close(fd);

	/* Ours as well. */
	fd = client(&p, &conn);
	struct bytes big = { (const uint8_t *)&p, LIMIT_CONTROL_BYTES + 1 };
	assert_int_equal(local_reply(p.local, conn, big, false), ERR_TOO_BIG);
	assert_int_equal(local_reply(p.local, conn, (struct bytes){ 0 }, false), ERR_TOO_BIG);
	close(fd);
	expect(&p, LOCAL_GONE, conn);
	place_close(&p);
}

/* --- going --- */

/* A client that leaves amid a long answer is noticed, though nothing is read or sent. */
static void test_leaving_amid_an_answer_is_noticed(void **state)
{
	struct place p;
	uint64_t conn;

	(void)state;
	place_open(&p);
	int fd = client(&p, &conn);
	ask(fd, "watch");
	expect_request(&p, conn, "watch");
	expect_nothing(&p);
	close(fd);
	assert_int_equal(expect(&p, LOCAL_GONE, conn).err, 0);

	/* Even one that has asked for more in the meantime. */
	fd = client(&p, &conn);
	ask(fd, "watch");
	expect_request(&p, conn, "watch");
	expect_nothing(&p);
	reply(&p, conn, "event", false);
	expect(&p, LOCAL_DRAINED, conn);
	expect_frame(&p, fd, "event");
	close(fd);
	expect(&p, LOCAL_GONE, conn);
	place_close(&p);
}

/* Who asks and hangs up at once is heard first. */
static void test_request_before_hanging_up_is_heard(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	for (int i = 0; i < 100; i++) {
		int fd = unix_socket(p.path, false);

		ask(fd, "leave");
		close(fd);
		uint64_t conn = expect(&p, LOCAL_CONNECTED, 0).conn;
		expect_request(&p, conn, "leave");
		assert_int_equal(expect(&p, LOCAL_GONE, conn).err, 0);
	}
	place_close(&p);
}

/* Who does not read loses the connection when LOCAL_QUEUE_BYTES wait. */
static void test_overflow_ends_the_connection(void **state)
{
	static uint8_t part[1 << 20];
	struct place p;
	uint64_t conn;
	struct local_news news;
	size_t sent = 0;

	(void)state;
	place_open(&p);
	int fd = client(&p, &conn);
	ask(fd, "all");
	expect_request(&p, conn, "all");
	while (!local_next(p.local, &news)) {
		struct bytes frame = { part, sizeof(part) };

		assert_int_equal(local_reply(p.local, conn, frame, false), 0);
		sent += sizeof(part);
		assert_true(sent < 40u << 20);
	}
	assert_true(sent > LIMIT_CONTROL_BYTES);
	assert_int_equal(news.kind, LOCAL_GONE);
	assert_int_equal(news.err, ERR_LIMIT);
	close(fd);
	expect_nothing(&p);
	place_close(&p);
}

/* In portions, as LOCAL_DRAINED says, any amount passes. */
static void test_answer_in_portions(void **state)
{
	static uint8_t part[1 << 20];
	static uint8_t got[sizeof(part)];
	struct place p;
	uint64_t conn;
	size_t left = 50u << 20;
	size_t received = 0;
	unsigned parts = 0;
	struct bytes frame = { part, sizeof(part) - 4 };

	(void)state;
	place_open(&p);
	int fd = client(&p, &conn);
	ask(fd, "all");
	expect_request(&p, conn, "all");
	assert_int_equal(local_reply(p.local, conn, frame, false), 0);
	for (left -= sizeof(part); received < 50u << 20;) {
		struct local_news news;
		ssize_t now = raw_recv_some(fd, got, sizeof(got));

		assert_true(now != 0);
		received += now > 0 ? (size_t)now : 0;
		if (!local_next(p.local, &news)) {
			if (now < 0)
				rig_wait(&p.rig, rig_now() + 1);
			continue;
		}
		assert_int_equal(news.kind, LOCAL_DRAINED);
		left -= sizeof(part);
		parts++;
		assert_int_equal(local_reply(p.local, conn, frame, left == 0), 0);
	}
	assert_int_equal(left, 0);
	assert_int_equal(parts, 49);
	/* The answer is over: nobody is told to send more. */
	expect_nothing(&p);
	close(fd);
	expect(&p, LOCAL_GONE, conn);
	place_close(&p);
}

/* A drop lets out what is queued. */
static void test_drop_flushes(void **state)
{
	static uint8_t part[4 << 20];
	struct place p;
	uint64_t conn;
	size_t got = 0;

	(void)state;
	place_open(&p);
	int fd = client(&p, &conn);
	ask(fd, "all");
	expect_request(&p, conn, "all");
	assert_int_equal(local_reply(p.local, conn, (struct bytes){ part, sizeof(part) }, true), 0);
	local_drop(p.local, conn);
	for (ssize_t now = -1; now != 0;) {
		now = raw_recv_some(fd, part, sizeof(part));
		got += now > 0 ? (size_t)now : 0;
		expect_nothing(&p);
		if (now < 0)
			rig_wait(&p.rig, rig_now() + 1);
	}
	assert_int_equal(got, sizeof(part) + 4);
	close(fd);

	/* With nothing queued it closes at once. */
	fd = client(&p, &conn);
	local_drop(p.local, conn);
	raw_recv_end(fd);
	close(fd);
	expect_nothing(&p);

	/* Who does not read is given a second. */
	size_t idle = p.rig.mem.live;
	int64_t before = rig_now();
	fd = client(&p, &conn);
	assert_int_equal(local_reply(p.local, conn, (struct bytes){ part, sizeof(part) }, false),
	                 0);
	local_drop(p.local, conn);
	while (p.rig.mem.live > idle) {
		assert_true(rig_wait(&p.rig, before + RIG_PATIENCE_MS));
		expect_nothing(&p);
	}
	assert_true(rig_now() - before >= 999);
	close(fd);
	place_close(&p);
}

/* Clients come and go while the daemon answers and drops them and closes. */
static void test_close_while_clients_talk(void **state)
{
	unsigned seed = 11;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct place p;
		int fds[6];

		place_open(&p);
		for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
			fds[i] = unix_socket(p.path, false);
			ask(fds[i], "hello");
			ask(fds[i], "hello again");
		}
		seed = seed * 1103515245u + 12345u;
		for (unsigned turns = (seed >> 16) % 40; turns; turns--) {
			struct local_news news;

			if (!local_next(p.local, &news)) {
				rig_wait(&p.rig, rig_now() + 1);
				continue;
			}
			if (news.kind != LOCAL_REQUEST)
				continue;
			reply(&p, news.conn, "a long answer", false);
			reply(&p, news.conn, "is over", true);
			if (turns % 5 == 0)
				local_drop(p.local, news.conn);
			if (turns % 3 == 0 && fds[turns % 6] >= 0) {
				close(fds[turns % 6]);
				fds[turns % 6] = -1;
			}
		}
		place_close(&p);
		for (size_t i = 0; i < ARRAY_LEN(fds); i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
}

/* --- limits --- */

/* Connect as another user: credentials are a thread's, as far as the kernel cares. */
static int connect_as(const char *path, uid_t uid)
{
	int fd;

	assert_int_equal(syscall(SYS_setresuid, -1, uid, -1), 0);
	fd = unix_socket(path, false);
	assert_int_equal(syscall(SYS_setresuid, -1, 0, -1), 0);
	return fd;
}

/* 64 clients; of them 8 for root, so that others cannot lock it out. */
static void test_number_of_clients_is_limited(void **state)
{
	struct place p;
	int fds[LOCAL_CONNS_MAX];
	size_t count = 0;
	bool is_root = geteuid() == 0;

	(void)state;
	place_open(&p);
	if (is_root) {
		assert_int_equal(chmod(p.dir, 0755), 0);
		assert_int_equal(chmod(p.path, 0666), 0);
	}
	while (count < LOCAL_CONNS_MAX - LOCAL_CONNS_ROOT) {
		fds[count++] = is_root ? connect_as(p.path, 65534) : unix_socket(p.path, false);
		struct local_news news = expect(&p, LOCAL_CONNECTED, 0);

		assert_int_equal(news.peer.uid, is_root ? 65534 : geteuid());
	}
	int more = is_root ? connect_as(p.path, 65534) : unix_socket(p.path, false);
	while (is_root && count < LOCAL_CONNS_MAX) {
		fds[count++] = unix_socket(p.path, false);
		assert_int_equal(expect(&p, LOCAL_CONNECTED, 0).peer.uid, 0);
	}
	raw_wait(more, POLLIN);
	expect_nothing(&p);
	raw_recv_end(more);
	close(more);
	if (is_root) {
		more = unix_socket(p.path, false);
		assert_true(rig_wait(&p.rig, rig_now() + RIG_PATIENCE_MS));
		expect_nothing(&p);
		raw_recv_end(more);
		close(more);
	}
	/* One leaves, one may come. */
	close(fds[--count]);
	expect(&p, LOCAL_GONE, 0);
	fds[count++] = unix_socket(p.path, false);
	expect(&p, LOCAL_CONNECTED, 0);
	while (count)
		close(fds[--count]);
	place_close(&p);
}

/* --- the path --- */

static void test_socket_has_its_mode_and_goes(void **state)
{
	struct place p;
	struct stat st;
	mode_t before = umask(0);

	(void)state;
	place_open(&p);
	umask(before);
	assert_int_equal(stat(p.path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	local_close(p.local);
	p.local = NULL;
	assert_int_equal(stat(p.path, &st), -1);
	place_close(&p);
}

/* What a killed daemon left is removed; what a living one has is not. */
static void test_stale_socket_is_removed_living_is_not(void **state)
{
	struct place p;
	struct place second;
	struct diag diag = { 0 };
	uint64_t conn;

	(void)state;
	place_make(&p);
	close(unix_socket(p.path, true));
	assert_int_equal(try_open(&p, &diag), 0);

	rig_init(&second.rig);
	memcpy(second.path, p.path, sizeof(p.path));
	assert_int_equal(try_open(&second, &diag), ERR_BUSY);
	assert_null(second.local);
	assert_non_null(strstr(diag.text, p.path));
	assert_true(diag.hint[0] != 0);
	rig_fini(&second.rig);

	/* The probe was a client that said nothing; the first still listens. */
	expect(&p, LOCAL_CONNECTED, 0);
	expect(&p, LOCAL_GONE, 0);
	close(client(&p, &conn));
	expect(&p, LOCAL_GONE, conn);
	place_close(&p);
}

/* One whose queue is full is alive, too. */
static void test_busy_daemon_is_alive(void **state)
{
	struct place p;
	struct diag diag = { 0 };
	int clients[8];
	size_t count = 0;

	(void)state;
	place_make(&p);
	int listener = unix_socket(p.path, true);
	do
		clients[count] = unix_socket(p.path, false);
	while (clients[count] >= 0 && ++count < ARRAY_LEN(clients));
	assert_true(count < ARRAY_LEN(clients));
	assert_int_equal(try_open(&p, &diag), ERR_BUSY);
	while (count)
		close(clients[--count]);
	close(listener);
	assert_int_equal(unlink(p.path), 0);
	place_close(&p);
}

/* Nothing else is removed, and every refusal has words. */
static void test_unusable_paths_are_told(void **state)
{
	struct place p;
	struct diag diag = { 0 };
	struct stat st;

	(void)state;
	place_make(&p);
	int fd = open(p.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
	assert_int_equal(try_open(&p, &diag), -EEXIST);
	assert_non_null(strstr(diag.text, p.path));
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_size, 8);
	assert_int_equal(unlink(p.path), 0);

	/* A link to a socket is not a socket of ours either. */
	assert_int_equal(symlink("elsewhere", p.path), 0);
	assert_int_equal(try_open(&p, &diag), -EEXIST);
	assert_int_equal(unlink(p.path), 0);

	snprintf(p.path, sizeof(p.path), "%s/missing/smegd.sock", p.dir);
	assert_int_equal(try_open(&p, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "missing"));
	assert_non_null(strstr(diag.hint, "mkdir"));

	char name[200];
	struct local_options options = { &p.rig.mem.mem, rig_wake, &p.rig };
	snprintf(name, sizeof(name), "%s/%0120d", p.dir, 1);
	assert_int_equal(local_open(&options, name, &p.local, &diag), -ENAMETOOLONG);
	place_close(&p);
}

#define RIVALS 6

static void *rival(void *arg)
{
	struct place *p = arg;
	int err = try_open(p, NULL);

	return (void *)(intptr_t)err;
}

/* Of many that find a stale socket at once, one gets the path, and keeps it. */
static void test_one_of_many_gets_the_path(void **state)
{
	(void)state;
	for (int round = 0; round < 100; round++) {
		struct place p[RIVALS];
		pthread_t threads[RIVALS];
		unsigned won = 0;
		struct local *winner = NULL;

		place_make(&p[0]);
		close(unix_socket(p[0].path, true));
		for (size_t i = 0; i < RIVALS; i++) {
			if (i)
				rig_init(&p[i].rig);
			memcpy(p[i].path, p[0].path, sizeof(p[0].path));
			assert_int_equal(pthread_create(&threads[i], NULL, rival, &p[i]), 0);
		}
		for (size_t i = 0; i < RIVALS; i++) {
			void *err;

			assert_int_equal(pthread_join(threads[i], &err), 0);
			if ((intptr_t)err == 0)
				won++;
			else
				assert_int_equal((intptr_t)err, ERR_BUSY);
			if (p[i].local)
				winner = p[i].local;
		}
		assert_int_equal(won, 1);
		int fd = unix_socket(p[0].path, false);
		assert_true(fd >= 0);
		close(fd);
		local_close(winner);
		p[0].local = NULL;
		for (size_t i = 1; i < RIVALS; i++)
			rig_fini(&p[i].rig);
		place_close(&p[0]);
	}
}

/* --- memory --- */

static void test_memory_that_fails(void **state)
{
	int err = -ENOMEM;

	(void)state;
	for (size_t n = 1; err; n++) {
		struct place p;

		place_make(&p);
		p.rig.mem.fail_at = n;
		err = try_open(&p, NULL);
		if (err == 0) {
			int fd = unix_socket(p.path, false);

			ask(fd, "hello");
			for (struct pollfd at = { .fd = fd, .events = POLLIN };
			     poll(&at, 1, 0) == 0;) {
				struct local_news news;

				if (!local_next(p.local, &news))
					rig_wait(&p.rig, rig_now() + 1);
				else if (news.kind == LOCAL_GONE)
					assert_int_equal(news.err, -ENOMEM);
				else if (news.kind == LOCAL_REQUEST &&
				         local_reply(p.local, news.conn, news.frame, true))
					local_drop(p.local, news.conn);
			}
			close(fd);
			err = p.rig.mem.calls >= n ? -ENOMEM : 0;
		}
		assert_true(err == 0 || err == -ENOMEM);
		assert_true(n < 50);
		place_close(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_gets_its_answer),
		cmocka_unit_test(test_request_comes_in_pieces),
		cmocka_unit_test(test_one_request_at_a_time),
		cmocka_unit_test(test_largest_frame_passes),
		cmocka_unit_test(test_bad_frames_are_refused),
		cmocka_unit_test(test_leaving_amid_an_answer_is_noticed),
		cmocka_unit_test(test_request_before_hanging_up_is_heard),
		cmocka_unit_test(test_overflow_ends_the_connection),
		cmocka_unit_test(test_answer_in_portions),
		cmocka_unit_test(test_drop_flushes),
		cmocka_unit_test(test_close_while_clients_talk),
		cmocka_unit_test(test_number_of_clients_is_limited),
		cmocka_unit_test(test_socket_has_its_mode_and_goes),
		cmocka_unit_test(test_stale_socket_is_removed_living_is_not),
		cmocka_unit_test(test_busy_daemon_is_alive),
		cmocka_unit_test(test_unusable_paths_are_told),
		cmocka_unit_test(test_one_of_many_gets_the_path),
		cmocka_unit_test(test_memory_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
