/*
 * Two hubs back to back: sessions up, messages over both lanes, sessions down.
 */
#include "smegd/wire/hub.h"

#include "tests/unit/smegd/wire/pipe.h"

#include "smegd/wire/frame.h"

#include <stdlib.h>
#include <string.h>

static struct world w;

static void test_session_comes_up_and_carries_messages(void **state)
{
	uint64_t a;
	uint64_t b;
	struct pipe *p;

	(void)state;
	world_init(&w, 2);
	p = world_join(&w, 0, 1);
	assert_int_equal(world_sessions(&w, 0, &a), 1);
	assert_int_equal(world_sessions(&w, 1, &b), 1);
	assert_int_equal(seen_last(&w, 0, EV_SESSION_UP)->dial, p->dial);
	assert_int_equal(seen_last(&w, 1, EV_SESSION_UP)->dial, 0);
	assert_true(
		key_equal(&seen_last(&w, 0, EV_SESSION_UP)->up.peer, &w.host[1].pair.box_public));
	assert_true(
		key_equal(&seen_last(&w, 1, EV_SESSION_UP)->up.peer, &w.host[0].pair.box_public));
	assert_string_equal(seen_last(&w, 1, EV_SESSION_UP)->up.mesh, w.host[0].identities[0].mesh);
	assert_int_equal(seen_last(&w, 0, EV_SESSION_UP)->up.remote.port, 1001);
	assert_int_equal(seen_last(&w, 1, EV_SESSION_UP)->up.remote.port, 1000);
	world_send_digest(&w, 0, a, LANE_CONTROL, 1);
	world_send_digest(&w, 0, a, LANE_BULK, 2);
	world_send_digest(&w, 1, b, LANE_BULK, 3);
	world_settle(&w);
	assert_int_equal(seen_count(&w, 1, EV_MESSAGE), 2);
	assert_int_equal(seen_last(&w, 1, EV_MESSAGE)->first, 2);
	assert_int_equal(seen_last(&w, 1, EV_MESSAGE)->session, b);
	assert_int_equal(seen_last(&w, 0, EV_MESSAGE)->first, 3);
	world_fini(&w);
}

/* The responder has no session before a sealed frame has come. */
static void test_responder_waits_for_the_first_sealed_frame(void **state)
{
	struct pipe *p;

	(void)state;
	world_init(&w, 2);
	p = world_dial(&w, 0, 1, false);
	pipe_connect(&w, p);
	assert_true(pipe_move(&w, p, 0, LANE_CONTROL));
	assert_int_equal(world_sessions(&w, 1, NULL), 0);
	assert_true(pipe_move(&w, p, 1, LANE_CONTROL));
	assert_int_equal(world_sessions(&w, 0, NULL), 1);
	assert_int_equal(world_sessions(&w, 1, NULL), 0);
	assert_true(pipe_move(&w, p, 0, LANE_CONTROL));
	assert_int_equal(world_sessions(&w, 1, NULL), 1);
	world_fini(&w);
}

static void test_any_portion_of_bytes_will_do(void **state)
{
	static const size_t portions[] = { 1, 2, 3, 4, 5, 6, 7, 16, 31, 100, 1000 };
	uint64_t a;
	uint64_t b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(portions); i++) {
		world_init(&w, 2);
		w.portion = portions[i];
		world_join(&w, 1, 0);
		assert_int_equal(world_sessions(&w, 0, &a), 1);
		assert_int_equal(world_sessions(&w, 1, &b), 1);
		for (uint8_t n = 1; n <= 20; n++) {
			world_send_digest(&w, 0, a, n % 2, n);
			world_send_digest(&w, 1, b, n % 2, n);
		}
		world_settle(&w);
		assert_int_equal(seen_count(&w, 0, EV_MESSAGE), 20);
		assert_int_equal(seen_count(&w, 1, EV_MESSAGE), 20);
		world_fini(&w);
	}
}

/* Many frames in one portion, the last of them cut: nothing is lost, nothing is early. */
static void test_several_frames_in_one_portion(void **state)
{
	uint8_t all[4096];
	size_t count = 0;
	struct pipe *p;
	uint64_t a;

	(void)state;
	world_init(&w, 2);
	p = world_join(&w, 0, 1);
	world_sessions(&w, 0, &a);
	for (uint8_t n = 1; n <= 10; n++)
		world_send_digest(&w, 0, a, LANE_CONTROL, n);
	count = p->flow[0].count[LANE_CONTROL];
	assert_in_range(count, 1, sizeof(all));
	memcpy(all, p->flow[0].at[LANE_CONTROL], count);
	p->flow[0].count[LANE_CONTROL] = 0;
	world_bytes(&w, 1, p->link[1], (struct bytes){ .at = all, .count = count - 1 });
	assert_int_equal(seen_count(&w, 1, EV_MESSAGE), 9);
	world_bytes(&w, 1, p->link[1], (struct bytes){ .at = all + count - 1, .count = 1 });
	assert_int_equal(seen_count(&w, 1, EV_MESSAGE), 10);
	world_fini(&w);
}

/* Lanes are independent: bulk may arrive after any number of control frames, and before. */
static void test_lanes_may_overtake_each_other(void **state)
{
	struct pipe *p;
	uint64_t a;

	(void)state;
	world_init(&w, 2);
	p = world_join(&w, 0, 1);
	world_sessions(&w, 0, &a);
	for (uint8_t n = 1; n <= 6; n++)
		world_send_digest(&w, 0, a, n % 2 ? LANE_BULK : LANE_CONTROL, n);
	for (unsigned n = 0; n < 3; n++)
		assert_true(pipe_move(&w, p, 0, LANE_CONTROL));
	for (unsigned n = 0; n < 3; n++)
		assert_true(pipe_move(&w, p, 0, LANE_BULK));
	assert_int_equal(seen_count(&w, 1, EV_MESSAGE), 6);
	assert_int_equal(world_sessions(&w, 1, NULL), 1);
	world_fini(&w);
}

static void test_clock_is_measured_with_half_the_round_trip(void **state)
{
	struct pipe *p;

	(void)state;
	world_init(&w, 2);
	w.host[1].clock_ahead_ms = 5000;
	p = world_dial(&w, 0, 1, false);
	pipe_connect(&w, p);
	world_pass(&w, 40);
	pipe_move(&w, p, 0, LANE_CONTROL);
	world_pass(&w, 40);
	pipe_move(&w, p, 1, LANE_CONTROL);
	assert_int_equal(seen_last(&w, 0, EV_SESSION_UP)->up.clock_ahead_ms, 5000);
	world_pass(&w, 40);
	pipe_move(&w, p, 0, LANE_CONTROL);
	assert_int_equal(seen_last(&w, 1, EV_SESSION_UP)->up.clock_ahead_ms, -5000);
	world_fini(&w);
}

/* A clock that was set back: timestamps still grow, and the clock is told as it is. */
static void test_clock_set_back_does_not_lock_out(void **state)
{
	struct pipe *p;

	(void)state;
	world_init(&w, 2);
	p = world_join(&w, 0, 1);
	pipe_cut(&w, p);
	w.host[0].clock_ahead_ms = -MS_PER_HOUR;
	world_join(&w, 0, 1);
	assert_int_equal(world_sessions(&w, 1, NULL), 1);
	assert_int_equal(seen_last(&w, 1, EV_SESSION_UP)->up.clock_ahead_ms, -MS_PER_HOUR);
	assert_int_equal(seen_last(&w, 0, EV_SESSION_UP)->up.clock_ahead_ms, MS_PER_HOUR);
	world_fini(&w);
}

static void test_node_closes_a_session(void **state)
{
	uint64_t a;

	(void)state;
	world_init(&w, 2);
	world_join(&w, 0, 1);
	world_sessions(&w, 0, &a);
	world_send_digest(&w, 0, a, LANE_BULK, 9);
	world_close(&w, 0, a);
	assert_int_equal(world_sessions(&w, 0, NULL), 0);
	assert_int_equal(seen_last(&w, 0, EV_SESSION_DOWN)->err, 0);
	world_settle(&w);
	assert_int_equal(world_sessions(&w, 1, NULL), 0);
	assert_int_equal(seen_last(&w, 1, EV_MESSAGE)->first, 9);
	/* What is gone is ignored. */
	world_send_digest(&w, 0, a, LANE_BULK, 10);
	world_close(&w, 0, a);
	world_close(&w, 0, 12345);
	assert_int_equal(seen_count(&w, 0, EV_SESSION_DOWN), 1);
	world_fini(&w);
}

static void test_broken_link_ends_the_session(void **state)
{
	struct host *h;
	struct pipe *p;
	uint64_t first;
	uint64_t again;

	(void)state;
	world_init(&w, 2);
	h = &w.host[0];
	p = world_join(&w, 0, 1);
	world_sessions(&w, 0, &first);
	assert_int_equal(hub_link_down(h->hub, p->link[0], ERR_LIMIT, w.now, &h->out), 0);
	assert_int_equal(h->out.count, 1);
	assert_int_equal(h->out.list[0].event.kind, EV_SESSION_DOWN);
	assert_int_equal(h->out.list[0].event.u.session_down.err, ERR_LIMIT);
	assert_int_equal(h->out.list[0].event.u.session_down.session, first);
	/* Bytes, news and time of a link that is gone do nothing. */
	assert_int_equal(hub_link_down(h->hub, p->link[0], 0, w.now, &h->out), 0);
	assert_int_equal(h->out.count, 0);
	assert_int_equal(
		hub_bytes(h->hub, p->link[0], (struct bytes){ .at = NULL }, w.now, &h->out), 0);
	assert_int_equal(
		hub_connected(h->hub, p->link[0], &(struct endpoint){ .port = 1 }, w.now, &h->out),
		0);
	assert_int_equal(h->out.count, 0);
	p->is_open[0] = false;
	pipe_cut(&w, p);
	world_join(&w, 0, 1);
	/* Numbers are not used again. */
	again = seen_last(&w, 0, EV_SESSION_UP)->session;
	assert_true(again > first);
	world_fini(&w);
}

/* --- dials that come to nothing ------------------------------------------------------------- */

static void test_dial_fails_before_it_is_connected(void **state)
{
	static const int errs[] = { ERR_REFUSED, ERR_NAME_UNKNOWN, ERR_CONNECT_TIMEOUT };

	(void)state;
	world_init(&w, 2);
	for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
		struct pipe *p = world_dial(&w, 0, 1, false);
		struct host *h = &w.host[0];

		assert_int_equal(hub_link_down(h->hub, p->link[0], errs[i], w.now, &h->out), 0);
		assert_int_equal(h->out.count, 1);
		assert_int_equal(h->out.list[0].event.kind, EV_DIAL_FAILED);
		assert_int_equal(h->out.list[0].event.u.dial_failed.err, errs[i]);
		assert_int_equal(h->out.list[0].event.u.dial_failed.dial, p->dial);
	}
	world_fini(&w);
}

static void test_dial_without_an_answer_fails(void **state)
{
	struct pipe *p;

	(void)state;
	world_init(&w, 2);
	p = world_dial(&w, 0, 1, false);
	assert_int_equal(hub_deadline(w.host[0].hub), TIME_NEVER);
	pipe_connect(&w, p);
	assert_int_equal(hub_deadline(w.host[0].hub), w.now.mono_ms + AUTH_TIMEOUT_MS);
	world_pass(&w, AUTH_TIMEOUT_MS - 1);
	assert_int_equal(seen_count(&w, 0, EV_DIAL_FAILED), 0);
	world_pass(&w, 1);
	assert_int_equal(seen_last(&w, 0, EV_DIAL_FAILED)->err, ERR_NO_ANSWER);
	assert_int_equal(hub_deadline(w.host[0].hub), TIME_NEVER);
	/* The other side, which got nothing either, has closed without a byte. */
	assert_true(p->flow[1].is_closing);
	assert_int_equal(p->flow[1].count[LANE_CONTROL], 0);
	/* Closed by the other side: the same. */
	p = world_dial(&w, 0, 1, false);
	pipe_connect(&w, p);
	pipe_cut(&w, p);
	assert_int_equal(seen_count(&w, 0, EV_DIAL_FAILED), 2);
	assert_int_equal(seen_last(&w, 0, EV_DIAL_FAILED)->err, ERR_NO_ANSWER);
	world_fini(&w);
}

static void test_wrong_answers_fail_the_dial(void **state)
{
	static const uint8_t wrong[][12] = {
		{ 0, 0, 0, 1, FRAME_WELCOME },
		{ 0, 0, 0, 1, FRAME_HELLO },
		{ 0, 0, 0, 8, FRAME_SEALED, 1, 2, 3, 4, 5, 6, 7 },
		{ 'H', 'T', 'T', 'P', '/', '1', '.', '1', ' ', '4', '0', '0' },
		{ 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct pipe *p;

		world_init(&w, 2);
		p = world_dial(&w, 0, 1, false);
		pipe_connect(&w, p);
		world_bytes(&w, 0, p->link[0],
		            (struct bytes){ .at = wrong[i], .count = sizeof(wrong[i]) });
		assert_int_equal(seen_count(&w, 0, EV_DIAL_FAILED), 1);
		assert_int_equal(seen_last(&w, 0, EV_DIAL_FAILED)->err, ERR_NO_ANSWER);
		assert_true(p->flow[0].is_closing);
		assert_int_equal(world_count(&w, 0).frames_bad, 1);
		world_fini(&w);
	}
}

static void test_dial_to_nobody_fails(void **state)
{
	struct key zero = { { 0 } };
	struct pipe *p;

	(void)state;
	world_init(&w, 2);
	/* Oneself. */
	p = world_dial_key(&w, 0, 1, &w.host[0].pair.box_public);
	pipe_connect(&w, p);
	assert_int_equal(seen_last(&w, 0, EV_DIAL_FAILED)->err, ERR_BAD_KEY);
	/* A key that is none. */
	p = world_dial_key(&w, 0, 1, &zero);
	pipe_connect(&w, p);
	assert_int_equal(seen_count(&w, 0, EV_DIAL_FAILED), 2);
	assert_int_equal(seen_last(&w, 0, EV_DIAL_FAILED)->err, ERR_BAD_KEY);
	/* A mesh that we are not in any more. */
	p = world_dial(&w, 0, 1, false);
	w.host[0].identities_count = 0;
	pipe_connect(&w, p);
	assert_int_equal(seen_count(&w, 0, EV_DIAL_FAILED), 3);
	assert_int_equal(seen_last(&w, 0, EV_DIAL_FAILED)->err, ERR_NO_MESH);
	assert_int_equal(w.captured_count, 0);
	world_fini(&w);
}

/* --- what is on the link -------------------------------------------------------------------- */

static bool captured_has(struct bytes what)
{
	return memmem(w.captured, w.captured_count, what.at, what.count) != NULL;
}

/* Neither keys nor mesh nor text appear on the link in the clear. */
static void test_nothing_is_readable_on_the_link(void **state)
{
	static const char text[] = "an-alias-that-nobody-else-may-read";
	struct bytes stmt = { .at = (const uint8_t *)text, .count = strlen(text) };
	struct msg m = { .kind = MSG_ENTRIES };
	uint64_t a;

	(void)state;
	world_init(&w, 3);
	world_invite(&w, 2);
	world_join(&w, 0, 1);
	w.host[1].admit = ADMIT_JOINER;
	pipe_connect(&w, world_dial(&w, 2, 1, true));
	world_settle(&w);
	assert_int_equal(world_sessions(&w, 2, NULL), 1);
	world_sessions(&w, 0, &a);
	m.u.entries.stmts = &stmt;
	m.u.entries.count = 1;
	world_send(&w, 0, a, LANE_BULK, &m);
	world_settle(&w);
	assert_int_equal(seen_last(&w, 1, EV_MESSAGE)->msg, MSG_ENTRIES);
	assert_true(w.captured_count > 800);
	assert_false(captured_has(stmt));
	for (unsigned i = 0; i < 3; i++) {
		const struct keypair *pair = &w.host[i].pair;

		assert_false(captured_has((struct bytes){ pair->box_public.b, KEY_BYTES }));
		assert_false(captured_has((struct bytes){ pair->sign_public.b, KEY_BYTES }));
	}
	assert_false(captured_has((struct bytes){ w.mesh_public.b, KEY_BYTES }));
	assert_false(captured_has(
		(struct bytes){ (const uint8_t *)w.host[0].identities[0].mesh, MESH_ID_CHARS }));
	assert_false(captured_has((struct bytes){ w.host[2].invite.raw, 32 }));
	world_fini(&w);
}

/* --- damage --------------------------------------------------------------------------------- */

/* Change one bit of frame `index` (of all from `from`), and see that both sides survive it. */
static void change(unsigned from, unsigned index, size_t bit, bool *ret_is_done)
{
	struct pipe *p;
	uint64_t a;
	uint64_t b;

	world_init(&w, 2);
	p = world_dial(&w, 0, 1, false);
	pipe_connect(&w, p);
	for (unsigned n = 0; n < 3; n++) {
		unsigned sender = n % 2;
		struct bytes frame = flow_front(&p->flow[sender], LANE_CONTROL);

		if (sender == from && n / 2 == index) {
			*ret_is_done = bit >= 8 * frame.count;
			if (!*ret_is_done)
				p->flow[sender].at[LANE_CONTROL][bit / 8] ^=
					(uint8_t)(1 << bit % 8);
		}
		if (frame.count == 0)
			break;
		/* As a whole, in case its length was changed. */
		world_bytes(&w, p->end[!sender], p->link[!sender],
		            (struct bytes){ .at = frame.at, .count = frame.count });
		p->flow[sender].count[LANE_CONTROL] = 0;
	}
	if (!*ret_is_done) {
		assert_int_equal(world_sessions(&w, 1, &b), 0);
		world_pass(&w, AUTH_TIMEOUT_MS);
		pipe_close(&w, p, 0);
		pipe_close(&w, p, 1);
		assert_int_equal(world_sessions(&w, 0, &a), 0);
	} else {
		assert_int_equal(world_sessions(&w, 1, &b), 1);
	}
	world_fini(&w);
}

/* No bit of the handshake can be changed without ending it: hello, welcome, ready. */
static void test_every_bit_of_the_handshake_counts(void **state)
{
	static const unsigned frames[][2] = { { 0, 0 }, { 1, 0 }, { 0, 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		bool is_done = false;

		for (size_t bit = 0; !is_done; bit += 3)
			change(frames[i][0], frames[i][1], bit, &is_done);
	}
}

/* The same of a message in a session; lost, repeated and swapped frames end it, too. */
static void test_every_bit_of_a_sealed_frame_counts(void **state)
{
	bool is_done = false;

	(void)state;
	for (size_t bit = 0; !is_done; bit++) {
		struct pipe *p;
		struct bytes frame;
		uint64_t a;

		world_init(&w, 2);
		p = world_join(&w, 0, 1);
		world_sessions(&w, 0, &a);
		world_send_digest(&w, 0, a, LANE_BULK, 1);
		frame = flow_front(&p->flow[0], LANE_BULK);
		is_done = bit >= 8 * frame.count;
		if (!is_done)
			p->flow[0].at[LANE_BULK][bit / 8] ^= (uint8_t)(1 << bit % 8);
		world_bytes(&w, 1, p->link[1], frame);
		/* A length that grew leaves the frame unfinished: the next one completes it. */
		if (!is_done && world_sessions(&w, 1, NULL) == 1 &&
		    !seen_count(&w, 1, EV_MESSAGE)) {
			uint8_t more[LIMIT_FRAME_BYTES] = { 0 };

			world_bytes(&w, 1, p->link[1],
			            (struct bytes){ .at = more, .count = sizeof(more) });
		}
		assert_int_equal(seen_count(&w, 1, EV_MESSAGE), is_done ? 1 : 0);
		assert_int_equal(world_sessions(&w, 1, NULL), is_done ? 1 : 0);
		if (!is_done)
			assert_int_equal(seen_last(&w, 1, EV_SESSION_DOWN)->err, ERR_MALFORMED);
		world_fini(&w);
	}
}

enum damage {
	LOSE,
	REPEAT,
	SWAP,
	OTHER_LANE,
	DAMAGES
};

static void test_frames_out_of_order_end_the_session(void **state)
{
	(void)state;
	for (enum damage d = LOSE; d < DAMAGES; d++) {
		uint8_t one[128];
		uint8_t two[128];
		struct bytes a = { .at = one };
		struct bytes b = { .at = two };
		struct bytes frame;
		struct pipe *p;
		uint64_t session;

		world_init(&w, 2);
		p = world_join(&w, 0, 1);
		world_sessions(&w, 0, &session);
		world_send_digest(&w, 0, session, LANE_BULK, 1);
		world_send_digest(&w, 0, session, LANE_BULK, 2);
		frame = flow_front(&p->flow[0], LANE_BULK);
		a.count = b.count = frame.count;
		memcpy(one, frame.at, a.count);
		memcpy(two, frame.at + a.count, b.count);
		if (d == OTHER_LANE)
			one[4] ^= FRAME_SEALED_BULK;
		if (d == REPEAT || d == OTHER_LANE)
			world_bytes(&w, 1, p->link[1], a);
		world_bytes(&w, 1, p->link[1], d == REPEAT ? a : b);
		assert_int_equal(world_sessions(&w, 1, NULL), 0);
		assert_int_equal(seen_count(&w, 1, EV_MESSAGE), d == REPEAT ? 1 : 0);
		assert_int_equal(seen_last(&w, 1, EV_SESSION_DOWN)->err, ERR_MALFORMED);
		world_fini(&w);
	}
}

/* --- memory --------------------------------------------------------------------------------- */

static void everything(void)
{
	uint64_t session = 0;

	pipe_connect(&w, world_dial(&w, 0, 1, false));
	pipe_connect(&w, world_dial(&w, 1, 0, false));
	world_settle(&w);
	if (w.err)
		return;
	world_sessions(&w, 0, &session);
	w.portion = 7;
	world_send_digest(&w, 0, session, LANE_BULK, 1);
	world_send_digest(&w, 0, session, LANE_CONTROL, 2);
	world_settle(&w);
	world_pass(&w, REKEY_AFTER_MS);
	world_settle(&w);
	world_close(&w, 0, session);
	world_settle(&w);
}

/* Whichever request for memory fails, it is told, and nothing leaks. */
static void test_every_failing_allocation_is_told(void **state)
{
	(void)state;
	for (size_t n = 1;; n++) {
		int err;

		world_init_failing(&w, 2, n);
		if (!w.err)
			everything();
		err = w.err;
		if (!err) {
			assert_int_equal(world_sessions(&w, 0, NULL), 0);
			assert_int_equal(seen_count(&w, 1, EV_MESSAGE), 2);
		}
		world_fini(&w);
		if (!err)
			break;
		assert_in_range(n, 1, 10000);
	}
	hub_free(NULL);
	hub_outputs_fini(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session_comes_up_and_carries_messages),
		cmocka_unit_test(test_responder_waits_for_the_first_sealed_frame),
		cmocka_unit_test(test_any_portion_of_bytes_will_do),
		cmocka_unit_test(test_several_frames_in_one_portion),
		cmocka_unit_test(test_lanes_may_overtake_each_other),
		cmocka_unit_test(test_clock_is_measured_with_half_the_round_trip),
		cmocka_unit_test(test_clock_set_back_does_not_lock_out),
		cmocka_unit_test(test_node_closes_a_session),
		cmocka_unit_test(test_broken_link_ends_the_session),
		cmocka_unit_test(test_dial_fails_before_it_is_connected),
		cmocka_unit_test(test_dial_without_an_answer_fails),
		cmocka_unit_test(test_wrong_answers_fail_the_dial),
		cmocka_unit_test(test_dial_to_nobody_fails),
		cmocka_unit_test(test_nothing_is_readable_on_the_link),
		cmocka_unit_test(test_every_bit_of_the_handshake_counts),
		cmocka_unit_test(test_every_bit_of_a_sealed_frame_counts),
		cmocka_unit_test(test_frames_out_of_order_end_the_session),
		cmocka_unit_test(test_every_failing_allocation_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
