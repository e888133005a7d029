/*
 * The control socket's server side, with plain Unix sockets as clients.
 */
#include "tests/unit/smegd/net/place.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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
	struct local_news news = place_expect(p, LOCAL_REQUEST, conn);

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
	int fd = place_client(&p, &conn);

	ask(fd, "list");
	struct local_news news = place_expect(&p, LOCAL_REQUEST, conn);
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
	assert_int_equal(place_expect(&p, LOCAL_GONE, conn).err, 0);
	/* Gone: ignored. */
	reply(&p, conn, "late", true);
	local_drop(p.local, conn);
	place_expect_nothing(&p);
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
	int fd = place_client(&p, &conn);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		place_expect_nothing(&p);
		raw_send(fd, bytes + i, 1);
		/* Every byte is a wake: nothing is under way but its receive. */
		assert_true(rig_wait(&p.rig, rig_now() + RIG_PATIENCE_MS));
	}
	expect_request(&p, conn, "abc");
	close(fd);
	place_expect(&p, LOCAL_GONE, conn);
	place_close(&p);
}

/* What is asked ahead waits for the answer before it. */
static void test_one_request_at_a_time(void **state)
{
	struct place p;
	uint64_t conn;

	(void)state;
	place_open(&p);
	int fd = place_client(&p, &conn);
	ask(fd, "first");
	ask(fd, "second");
	ask(fd, "third");
	struct local_news news = place_expect(&p, LOCAL_REQUEST, conn);
	/* The frame is ours until the next call, whatever we answer. */
	reply(&p, conn, "1", true);
	assert_memory_equal(news.frame.at, "first", 5);
	expect_request(&p, conn, "second");
	place_expect_nothing(&p);
	place_expect_nothing(&p);
	reply(&p, conn, "2", false);
	place_expect(&p, LOCAL_DRAINED, conn);
	place_expect_nothing(&p);
	reply(&p, conn, "2", true);
	expect_request(&p, conn, "third");
	close(fd);
	place_expect(&p, LOCAL_GONE, conn);
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
	int fd = place_client(&p, &conn);
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
	place_expect(&p, LOCAL_GONE, conn);
	place_close(&p);
}

/* A frame that is too large or empty ends the connection, before anything is allocated for it. */
static void test_bad_frames_are_refused(void **state)
{
	struct place p;
	uint64_t conn;

	(void)state;
	place_open(&p);
	int fd = place_client(&p, &conn);
	size_t calls = p.rig.mem.calls;

	send_head(fd, LIMIT_CONTROL_BYTES + 1);
	assert_int_equal(place_expect(&p, LOCAL_GONE, conn).err, ERR_TOO_BIG);
	raw_recv_end(fd);
	close(fd);
	assert_int_equal(p.rig.mem.calls, calls);
	fd = place_client(&p, &conn);
	send_head(fd, 0);
	assert_int_equal(place_expect(&p, LOCAL_GONE, conn).err, ERR_MALFORMED);
	close(fd);

	/* Ours as well. */
	fd = place_client(&p, &conn);
	struct bytes big = { (const uint8_t *)&p, LIMIT_CONTROL_BYTES + 1 };
	assert_int_equal(local_reply(p.local, conn, big, false), ERR_TOO_BIG);
	assert_int_equal(local_reply(p.local, conn, (struct bytes){ 0 }, false), ERR_TOO_BIG);
	close(fd);
	place_expect(&p, LOCAL_GONE, conn);
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
	int fd = place_client(&p, &conn);
	ask(fd, "watch");
	expect_request(&p, conn, "watch");
	place_expect_nothing(&p);
	close(fd);
	assert_int_equal(place_expect(&p, LOCAL_GONE, conn).err, 0);

	/* Even one that has asked for more in the meantime. */
	fd = place_client(&p, &conn);
	ask(fd, "watch");
	expect_request(&p, conn, "watch");
	place_expect_nothing(&p);
	reply(&p, conn, "event", false);
	place_expect(&p, LOCAL_DRAINED, conn);
	expect_frame(&p, fd, "event");
	close(fd);
	place_expect(&p, LOCAL_GONE, conn);
	place_close(&p);
}

/* Who asks and hangs up at once is heard first. */
static void test_request_before_hanging_up_is_heard(void **state)
{
	struct place p;

	(void)state;
	place_open(&p);
	for (int i = 0; i < 100; i++) {
		int fd = raw_unix(p.path, false);

		ask(fd, "leave");
		close(fd);
		uint64_t conn = place_expect(&p, LOCAL_CONNECTED, 0).conn;
		expect_request(&p, conn, "leave");
		assert_int_equal(place_expect(&p, LOCAL_GONE, conn).err, 0);
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
	int fd = place_client(&p, &conn);
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
	place_expect_nothing(&p);
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
	int fd = place_client(&p, &conn);
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
	place_expect_nothing(&p);
	close(fd);
	place_expect(&p, LOCAL_GONE, conn);
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
	int fd = place_client(&p, &conn);
	ask(fd, "all");
	expect_request(&p, conn, "all");
	assert_int_equal(local_reply(p.local, conn, (struct bytes){ part, sizeof(part) }, true), 0);
	int64_t before = rig_now();
	local_drop(p.local, conn);
	for (ssize_t now = -1; now != 0;) {
		now = raw_recv_some(fd, part, sizeof(part));
		got += now > 0 ? (size_t)now : 0;
		place_expect_nothing(&p);
		if (now < 0)
			rig_wait(&p.rig, rig_now() + 1);
	}
	/* All of it, unless the machine was so busy that the second was over. */
	assert_true(got == sizeof(part) + 4 || rig_now() - before >= 999);
	close(fd);

	/* With nothing queued it closes at once. */
	fd = place_client(&p, &conn);
	local_drop(p.local, conn);
	raw_recv_end(fd);
	close(fd);
	place_expect_nothing(&p);

	/* Who does not read is given a second. */
	size_t idle = p.rig.mem.live;
	before = rig_now();
	fd = place_client(&p, &conn);
	assert_int_equal(local_reply(p.local, conn, (struct bytes){ part, sizeof(part) }, false),
	                 0);
	local_drop(p.local, conn);
	while (p.rig.mem.live > idle) {
		assert_true(rig_wait(&p.rig, before + RIG_PATIENCE_MS));
		place_expect_nothing(&p);
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
			fds[i] = raw_unix(p.path, false);
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
	fd = raw_unix(path, false);
	assert_int_equal(syscall(SYS_setresuid, -1, 0, -1), 0);
	return fd;
}

/* One too many: no news, and the end. */
static void expect_hung_up(struct place *p, int fd)
{
	struct pollfd at = { .fd = fd, .events = POLLIN };
	int64_t until_ms = rig_now() + RIG_PATIENCE_MS;

	while (poll(&at, 1, 0) == 0) {
		assert_true(rig_now() < until_ms);
		rig_wait(&p->rig, rig_now() + 10);
		place_expect_nothing(p);
	}
	raw_recv_end(fd);
	close(fd);
}

/* 64 clients, 56 that are not root. */
static void test_number_of_clients_is_limited(void **state)
{
	struct place p;
	int fds[LOCAL_CONNS_MAX];
	size_t most = LOCAL_CONNS_MAX - (geteuid() == 0 ? 0 : LOCAL_CONNS_ROOT);
	size_t count = 0;
	uint64_t conn;

	(void)state;
	place_open(&p);
	while (count < most)
		fds[count++] = place_client(&p, &conn);
	expect_hung_up(&p, raw_unix(p.path, false));
	/* One leaves, one may come. */
	close(fds[--count]);
	place_expect(&p, LOCAL_GONE, conn);
	fds[count++] = place_client(&p, &conn);
	expect_hung_up(&p, raw_unix(p.path, false));
	while (count)
		close(fds[--count]);
	place_close(&p);
}

/* Others cannot lock root out.  Needs root, and a way to the directory for others. */
static void test_places_are_kept_for_root(void **state)
{
	struct place p;
	int fds[LOCAL_CONNS_MAX];
	size_t count = 0;
	uint64_t conn;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: not root\n");
		skip();
	}
	place_open(&p);
	assert_int_equal(chmod(p.dir, 0755), 0);
	assert_int_equal(chmod(p.path, 0666), 0);
	while (count < LOCAL_CONNS_MAX - LOCAL_CONNS_ROOT) {
		fds[count] = connect_as(p.path, 65534);
		if (fds[count] < 0) {
			place_close(&p);
			print_message("skipped: others have no way to the temporary folder\n");
			skip();
		}
		count++;
		assert_int_equal(place_expect(&p, LOCAL_CONNECTED, 0).peer.uid, 65534);
	}
	expect_hung_up(&p, connect_as(p.path, 65534));
	while (count < LOCAL_CONNS_MAX)
		fds[count++] = place_client(&p, &conn);
	expect_hung_up(&p, raw_unix(p.path, false));
	while (count)
		close(fds[--count]);
	place_close(&p);
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
		err = place_try(&p, NULL);
		if (err == 0) {
			int fd = raw_unix(p.path, false);

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
		cmocka_unit_test(test_places_are_kept_for_root),
		cmocka_unit_test(test_memory_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
