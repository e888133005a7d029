/*
 * What a hostile neighbour can make repair cost.
 */
#include "tests/unit/smegd/core/net.h"

#include "crdt/sketch.h"

#include <errno.h>
#include <stdio.h>

#define MINUTE_AND_MORE_MS (MS_PER_MINUTE + 5 * MS_PER_SECOND)

/* What host 0 sends to host 1. */
struct answers {
	size_t of[MSG_BEAT_ACK + 1];
};

static bool count(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct answers *a = ctx;

	if (from == 0 && to == 1)
		a->of[msg->kind]++;
	return true;
}

static void begin(struct net *n, struct answers *a)
{
	net_init(n, 2);
	n->hosts[0].options.no_devices = n->hosts[1].options.no_devices = true;
	net_make_home(n);
	net_run(n, MS_PER_MINUTE);
	memset(a, 0, sizeof(*a));
	n->filter = count;
	n->ctx = a;
}

static struct session *session_at_0(const struct net *n)
{
	const struct key *other = &net_mesh(n, 1, "home")->self.box_public;

	return mesh_peer(net_mesh(n, 0, "home"), other)->session;
}

/* As if host 1 had sent it to host 0. */
static void say(struct net *n, const struct msg *msg)
{
	struct event ev = { .kind = EV_MESSAGE };

	ev.u.message.session = session_at_0(n)->id;
	ev.u.message.msg = msg;
	net_event(n, 0, &ev);
}

/* A thousand of one kind within a second get 64 answers; a second later they get some again. */
static void test_costly_requests_are_served_so_often_in_a_second(void **state)
{
	static const enum msg_kind asked[] = { MSG_FETCH, MSG_WANT };
	uint64_t item = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		struct msg msg = { .kind = asked[i] };
		struct answers a;
		struct net n;

		begin(&n, &a);
		if (asked[i] == MSG_WANT) {
			msg.u.items.salt = 5;
			msg.u.items.items = &item;
			msg.u.items.count = 1;
		}
		for (int k = 0; k < 1000; k++)
			say(&n, &msg);
		assert_int_equal(session_at_0(&n)->mending.served, 1000);
		if (asked[i] == MSG_FETCH)
			assert_int_equal(a.of[MSG_ENTRIES], 64);
		net_run(&n, MS_PER_SECOND + 100);
		memset(&a, 0, sizeof(a));
		say(&n, &msg);
		if (asked[i] == MSG_FETCH)
			assert_int_equal(a.of[MSG_ENTRIES], 1);
		net_fini(&n);
	}
}

/* Symbols are made of the sketch that we sent last, of no other, and not without end. */
static void test_symbols_are_made_of_our_own_sketch_only(void **state)
{
	struct msg msg = { .kind = MSG_CONTINUE };
	struct answers a;
	struct net n;

	(void)state;
	begin(&n, &a);
	msg.u.more.salt = 77;
	msg.u.more.from = 8;
	msg.u.more.count = 8;
	say(&n, &msg);
	assert_int_equal(a.of[MSG_SKETCH], 0);
	session_at_0(&n)->mending.salt = 77;
	say(&n, &msg);
	assert_int_equal(a.of[MSG_SKETCH], 1);
	msg.u.more.count = UINT32_MAX;
	say(&n, &msg);
	msg.u.more.count = 0;
	say(&n, &msg);
	msg.u.more.count = 8;
	msg.u.more.from = UINT32_MAX - 3;
	say(&n, &msg);
	assert_int_equal(a.of[MSG_SKETCH], 1);
	net_fini(&n);
}

/* Rubbish for symbols ends the decoding; what is kept for it is one decoder at most. */
static void test_rubbish_for_a_sketch_leaves_nothing_behind(void **state)
{
	uint8_t rubbish[600];
	struct msg msg = { .kind = MSG_SKETCH };
	struct answers a;
	struct net n;

	(void)state;
	begin(&n, &a);
	for (unsigned k = 0; k < 200; k++) {
		for (size_t i = 0; i < sizeof(rubbish); i++)
			rubbish[i] = (uint8_t)(i * k + (i >> 3));
		msg.u.sketch.salt = k + 1;
		msg.u.sketch.from = k % 3 ? 0 : 8;
		msg.u.sketch.symbols = (struct bytes){ rubbish, k % 7 ? sizeof(rubbish) : k };
		say(&n, &msg);
		net_run(&n, 50);
	}
	assert_null(session_at_0(&n)->mending.decoding);
	net_run(&n, MS_PER_MINUTE);
	assert_true(net_agrees(&n, "home"));
	net_fini(&n); /* asserts that nothing leaked */
}

/* Ids of statements that nobody has are looked for, and nothing comes of it. */
static void test_what_nobody_has_is_not_given(void **state)
{
	uint64_t items[MSG_ITEMS_MAX];
	struct msg msg = { .kind = MSG_WANT };
	struct answers a;
	struct net n;

	(void)state;
	begin(&n, &a);
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		items[i] = UINT64_MAX - i;
	msg.u.items.items = items;
	msg.u.items.count = ARRAY_LEN(items);
	for (unsigned salt = 0; salt < 3; salt++) {
		msg.u.items.salt = salt;
		say(&n, &msg);
	}
	msg.u.items.count = 0;
	say(&n, &msg);
	assert_int_equal(a.of[MSG_ENTRIES], 0);
	assert_int_equal(n.hosts[0].step_err, 0);
	net_fini(&n);
}

/* A part that says it has so many symbols of so many items, and one that it has; freed by free().
 */
static struct bytes sketch_of(uint32_t total, uint32_t from, uint32_t count)
{
	struct sketch_symbol symbol = { .items = 7, .checks = 7, .count = (int32_t)total };
	struct sketch_part part = { .total = total, .from = from, .count = 1, .symbols = &symbol };
	uint8_t *bytes = malloc(SKETCH_BYTES_MAX(1) + 16);
	struct writer w;
	struct writer head;

	assert_non_null(bytes);
	writer_init(&w, bytes, SKETCH_BYTES_MAX(1) + 16);
	sketch_write(&part, &w);
	if (count != 1) { /* the head only, then nothing that it promised */
		writer_init(&head, bytes, SKETCH_BYTES_MAX(1) + 16);
		write_varint(&head, total);
		write_varint(&head, from);
		write_varint(&head, count);
		w.count = head.count;
	}
	return (struct bytes){ bytes, w.count };
}

static void say_sketch(struct net *n, uint64_t salt, uint32_t from, struct bytes symbols)
{
	struct msg msg = { .kind = MSG_SKETCH };

	msg.u.sketch.salt = salt;
	msg.u.sketch.from = from;
	msg.u.sketch.symbols = symbols;
	say(n, &msg);
	free((void *)(uintptr_t)symbols.at);
}

/* More symbols than there may be, or of more items, end the decoding before anything is made. */
static void test_absurd_counts_of_symbols_end_the_decoding(void **state)
{
	static const uint32_t absurd[] = { 0, LIMIT_SKETCH_SYMBOLS + 1, UINT32_MAX };
	struct answers a;
	struct net n;

	(void)state;
	begin(&n, &a);
	for (size_t i = 0; i < ARRAY_LEN(absurd); i++) {
		say_sketch(&n, 5, 0, sketch_of(3, 0, absurd[i]));
		assert_null(session_at_0(&n)->mending.decoding);
		assert_int_equal(a.of[MSG_CONTINUE], 0);
		net_run(&n, MINUTE_AND_MORE_MS);
	}
	say_sketch(&n, 5, 0, sketch_of(UINT32_MAX, 0, 1));
	assert_null(session_at_0(&n)->mending.decoding);
	say_sketch(&n, 5, LIMIT_SKETCH_INDEX, sketch_of(3, LIMIT_SKETCH_INDEX, 1));
	assert_null(session_at_0(&n)->mending.decoding);
	assert_int_equal(n.hosts[0].step_err, 0);
	net_fini(&n);
}

/* Whatever salt a part has, it goes on with the sketch that was begun, or with none. */
static void test_a_part_of_another_sketch_is_dropped(void **state)
{
	static const uint64_t salts[] = { 0, 6, UINT64_MAX };
	struct answers a;
	struct net n;

	(void)state;
	begin(&n, &a);
	say_sketch(&n, 5, 1, sketch_of(3, 1, 1)); /* of none */
	assert_null(session_at_0(&n)->mending.decoding);
	say_sketch(&n, 5, 0, sketch_of(3, 0, 1));
	assert_non_null(session_at_0(&n)->mending.decoding);
	assert_int_equal(a.of[MSG_CONTINUE], 1);
	for (size_t i = 0; i < ARRAY_LEN(salts); i++)
		say_sketch(&n, salts[i], 1, sketch_of(3, 1, 1));
	assert_int_equal(a.of[MSG_CONTINUE], 1);
	say_sketch(&n, 5, 1, sketch_of(3, 1, 1));
	assert_true(a.of[MSG_CONTINUE] == 2 || !session_at_0(&n)->mending.decoding);
	net_fini(&n);
}

/* Nobody who has sent no sketch makes symbols, least of all of salt 0, which is none. */
static void test_nothing_goes_on_that_was_not_begun(void **state)
{
	struct msg msg = { .kind = MSG_CONTINUE };
	struct answers a;
	struct net n;

	(void)state;
	begin(&n, &a);
	assert_int_equal(session_at_0(&n)->mending.salt, 0);
	msg.u.more.count = 8;
	say(&n, &msg);
	assert_int_equal(a.of[MSG_SKETCH], 0);
	net_fini(&n);
}

static struct msg empty_page(uint8_t from, uint8_t to)
{
	struct msg msg = { .kind = MSG_ENTRIES };

	msg.u.entries.is_page = true;
	memset(msg.u.entries.from.b, from, KEY_BYTES);
	memset(msg.u.entries.to.b, to, KEY_BYTES);
	return msg;
}

/* Only the page of whom we asked is one: others neither get what it lacks nor are asked on. */
static void test_pages_that_nobody_asked_for_are_no_pages(void **state)
{
	struct msg msg = empty_page(0, 0x40);
	struct answers a;
	struct net n;

	(void)state;
	begin(&n, &a);
	say(&n, &msg);
	assert_int_equal(a.of[MSG_FETCH] + a.of[MSG_ENTRIES], 0);
	net_mesh(&n, 0, "home")->fetching = session_at_0(&n)->id + 1;
	net_mesh(&n, 0, "home")->fetching_ms = n.mono_ms;
	say(&n, &msg);
	assert_int_equal(a.of[MSG_FETCH] + a.of[MSG_ENTRIES], 0);
	net_fini(&n);
}

/*
 * Out of their order, or with ends the wrong way round, pages do no harm: each makes us ask once
 * for what follows it, and the last one ends the fetch.
 */
static void test_pages_out_of_order_end_with_the_last_one(void **state)
{
	struct msg pages[] = { empty_page(0x80, 0x90), empty_page(0x20, 0x30),
		               empty_page(0x70, 0x10), empty_page(0x10, 0xff),
		               empty_page(0x50, 0x60) };
	struct answers a;
	struct mesh *m;
	struct net n;

	(void)state;
	begin(&n, &a);
	m = net_mesh(&n, 0, "home");
	m->fetching = session_at_0(&n)->id;
	m->fetching_ms = n.mono_ms;
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		say(&n, &pages[i]);
	assert_int_equal(a.of[MSG_FETCH], 3);
	assert_int_equal(m->fetching, 0);
	net_run(&n, MINUTE_AND_MORE_MS);
	assert_true(net_agrees(&n, "home"));
	net_fini(&n);
}

/* What a sketch would find is what the next pages bring: for two seconds after the last request. */
static void test_no_sketch_is_taken_while_pages_come_in(void **state)
{
	struct answers a;
	struct mesh *m;
	struct net n;
	unsigned served;

	(void)state;
	begin(&n, &a);
	m = net_mesh(&n, 0, "home");
	m->fetching = session_at_0(&n)->id;
	m->fetching_ms = n.mono_ms;
	served = session_at_0(&n)->mending.served;
	say_sketch(&n, 5, 0, sketch_of(3, 0, 1));
	assert_null(session_at_0(&n)->mending.decoding);
	assert_int_equal(session_at_0(&n)->mending.served, served);
	m->fetching_ms = n.mono_ms - 2 * MS_PER_SECOND + 1;
	say_sketch(&n, 5, 0, sketch_of(3, 0, 1));
	assert_null(session_at_0(&n)->mending.decoding);
	m->fetching_ms = n.mono_ms - 2 * MS_PER_SECOND;
	say_sketch(&n, 5, 0, sketch_of(3, 0, 1));
	assert_non_null(session_at_0(&n)->mending.decoding);
	m->fetching = 0;
	net_fini(&n);
}

/* --- one repair at a time --------------------------------------------------------------------- */

#define EXTRA_MAX 40
#define MENDING_MS 250
#define MUCH 16

struct items {
	struct sketch_key key;
	uint64_t list[100];
	size_t count;
};

static int add_item(void *ctx, const struct stmt *s)
{
	struct items *items = ctx;
	uint8_t digest[DIGEST_BYTES];

	assert_true(items->count + EXTRA_MAX < ARRAY_LEN(items->list));
	stmt_digest16(s, digest);
	items->list[items->count++] = sketch_item(&items->key, digest);
	return 0;
}

/* Host 1 says in a sketch that it has all that host 0 has, and so many more. */
static void say_it_has_more(struct net *n, uint8_t salt, size_t extra)
{
	const uint8_t text[8] = { 0, 0, 0, 0, 0, 0, 0, salt };
	struct items items = { .count = 0 };
	struct sketch_symbol symbols[200];
	struct sketch_part part = { .count = ARRAY_LEN(symbols), .symbols = symbols };
	struct sketch_set set = { .items = items.list };
	uint8_t *bytes = malloc(SKETCH_BYTES_MAX(ARRAY_LEN(symbols)));
	struct writer w;

	assert_non_null(bytes);
	hash_labelled("smeg sketch 1", text, sizeof(text), items.key.b, sizeof(items.key.b));
	assert_int_equal(set_visit_all(net_mesh(n, 0, "home")->set, add_item, &items), 0);
	for (size_t i = 0; i < extra; i++) {
		const uint8_t digest[DIGEST_BYTES] = { salt, (uint8_t)i };

		items.list[items.count++] = sketch_item(&items.key, digest);
	}
	set.count = items.count;
	sketch_make(&items.key, &set, &part);
	writer_init(&w, bytes, SKETCH_BYTES_MAX(ARRAY_LEN(symbols)));
	sketch_write(&part, &w);
	say_sketch(n, salt, 0, (struct bytes){ bytes, w.count });
}

/* While what one neighbour was asked for is coming nobody else is asked for much. */
static void test_much_is_asked_of_one_at_a_time(void **state)
{
	struct answers a;
	struct mesh *m;
	struct net n;

	(void)state;
	begin(&n, &a);
	m = net_mesh(&n, 0, "home");
	say_it_has_more(&n, 1, EXTRA_MAX);
	assert_int_equal(a.of[MSG_WANT], 1);
	assert_true(m->mending_until_ms == n.mono_ms + MENDING_MS);
	say_it_has_more(&n, 2, MUCH + 1);
	assert_int_equal(a.of[MSG_WANT], 1);
	say_it_has_more(&n, 3, MUCH);
	assert_int_equal(a.of[MSG_WANT], 2);
	m->mending_until_ms = n.mono_ms + 1;
	say_it_has_more(&n, 4, MUCH + 1);
	assert_int_equal(a.of[MSG_WANT], 2);
	m->mending_until_ms = n.mono_ms;
	say_it_has_more(&n, 5, MUCH + 1);
	assert_int_equal(a.of[MSG_WANT], 3);
	net_fini(&n);
}

/* How many sketches host 0 begins in so long, while host 1 differs from it all the time. */
static size_t begun_in(int64_t for_ms, bool mending)
{
	struct msg other = { .kind = MSG_DIGEST };
	struct answers a;
	struct mesh *m;
	struct net n;

	begin(&n, &a);
	m = net_mesh(&n, 0, "home");
	other.u.digest.members = 2;
	for (int64_t end_ms = n.mono_ms + for_ms; n.mono_ms < end_ms; net_run(&n, 10)) {
		m->mending_until_ms = mending ? n.mono_ms + 1000 : 0;
		say(&n, &other);
	}
	net_fini(&n);
	return a.of[MSG_SKETCH];
}

static void test_no_sketch_is_begun_while_another_is_under_way(void **state)
{
	(void)state;
	assert_true(begun_in(MS_PER_SECOND, false) > 0);
	assert_int_equal(begun_in(MS_PER_SECOND, true), 0);
}

/* The n-th request for memory fails, whatever is asked: the step says so, and nothing leaks. */
static bool fails_at(const struct msg *msg, bool is_fetching, size_t at)
{
	struct answers a;
	struct net n;
	bool failed;

	begin(&n, &a);
	session_at_0(&n)->mending.salt = 5;
	if (is_fetching) {
		net_mesh(&n, 0, "home")->fetching = session_at_0(&n)->id;
		net_mesh(&n, 0, "home")->fetching_ms = n.mono_ms;
	}
	n.hosts[0].mt.fail_at = n.hosts[0].mt.calls + at;
	say(&n, msg);
	failed = n.hosts[0].mt.calls >= n.hosts[0].mt.fail_at;
	assert_int_equal(n.hosts[0].step_err, failed ? -ENOMEM : 0);
	net_fini(&n); /* asserts that nothing leaked */
	return failed;
}

static void test_memory_that_fails_is_told_and_nothing_leaks(void **state)
{
	uint64_t items[2] = { 1, 2 };
	struct bytes symbols = sketch_of(3, 0, 1);
	struct msg messages[] = { { .kind = MSG_SKETCH }, { .kind = MSG_CONTINUE },
		                  { .kind = MSG_WANT },   { .kind = MSG_FETCH },
		                  empty_page(0, 0xff),    { .kind = MSG_DIGEST } };

	(void)state;
	messages[0].u.sketch.salt = messages[1].u.more.salt = messages[2].u.items.salt = 5;
	messages[0].u.sketch.symbols = symbols;
	messages[1].u.more.count = 8;
	messages[2].u.items.items = items;
	messages[2].u.items.count = 2;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		bool is_page = messages[i].kind == MSG_ENTRIES;
		size_t at = 1;

		while (at < 100 && fails_at(&messages[i], is_page, at))
			at++;
		assert_true(at < 100);
		/* The others may do with what is at hand. */
		assert_true(at > 1 || i > 1);
	}
	free((void *)(uintptr_t)symbols.at);
}

static int64_t aged(const struct mesh *m, int64_t unix_ms)
{
	return age_time(m, (struct instant){ .unix_ms = unix_ms }).unix_ms;
}

/* All forget at the same moments: each ten minutes, or six times a life that is shorter. */
static void test_things_age_at_the_same_moments_everywhere(void **state)
{
	static const struct {
		int64_t life_ms;
		int64_t interval_ms;
	} meshes[] = {
		{ LIFE_MS, 10 * MS_PER_MINUTE },
		{ MS_PER_HOUR, 10 * MS_PER_MINUTE },
		{ MS_PER_HOUR - 6, 10 * MS_PER_MINUTE - 1 },
		{ MS_PER_MINUTE, 10 * MS_PER_SECOND },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(meshes); i++) {
		struct mesh m = { .life_ms = meshes[i].life_ms };
		int64_t step = meshes[i].interval_ms;
		int64_t at = NET_NOW_MS - NET_NOW_MS % step;

		assert_true(aged(&m, at - 1) == at - step);
		assert_true(aged(&m, at) == at);
		assert_true(aged(&m, at + 1) == at);
		assert_true(aged(&m, at + step - 1) == at);
		assert_true(aged(&m, at + step) == at + step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_costly_requests_are_served_so_often_in_a_second),
		cmocka_unit_test(test_symbols_are_made_of_our_own_sketch_only),
		cmocka_unit_test(test_rubbish_for_a_sketch_leaves_nothing_behind),
		cmocka_unit_test(test_what_nobody_has_is_not_given),
		cmocka_unit_test(test_absurd_counts_of_symbols_end_the_decoding),
		cmocka_unit_test(test_a_part_of_another_sketch_is_dropped),
		cmocka_unit_test(test_nothing_goes_on_that_was_not_begun),
		cmocka_unit_test(test_pages_that_nobody_asked_for_are_no_pages),
		cmocka_unit_test(test_pages_out_of_order_end_with_the_last_one),
		cmocka_unit_test(test_no_sketch_is_taken_while_pages_come_in),
		cmocka_unit_test(test_much_is_asked_of_one_at_a_time),
		cmocka_unit_test(test_no_sketch_is_begun_while_another_is_under_way),
		cmocka_unit_test(test_memory_that_fails_is_told_and_nothing_leaks),
		cmocka_unit_test(test_things_age_at_the_same_moments_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
