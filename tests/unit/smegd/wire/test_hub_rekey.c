/*
 * New keys for sessions that go on: nothing is lost on either lane, and old keys are gone.
 */
#include "smegd/wire/hub.h"

#include "tests/unit/smegd/wire/pipe.h"

#include "smegd/wire/hub_priv.h"

#include <string.h>

static struct world w;
static struct pipe *p;
static uint64_t session[2];

/* Host 0 or 1 dials; end 0 of the pipe is always the dialler. */
static void start(unsigned dialler)
{
	world_init(&w, 2);
	p = world_join(&w, dialler, !dialler);
	assert_int_equal(world_sessions(&w, p->end[0], &session[0]), 1);
	assert_int_equal(world_sessions(&w, p->end[1], &session[1]), 1);
}

static void send(unsigned end, enum lane lane, uint8_t number)
{
	world_send_digest(&w, p->end[end], session[end], lane, number);
}

static const struct link *link_at(unsigned end)
{
	return link_find(w.host[p->end[end]].hub, p->link[end]);
}

static bool has_one_epoch(unsigned end)
{
	const struct link *l = link_at(end);

	return l && seal_is_settled(&l->seal) && !l->handshake;
}

static void assert_alive(void)
{
	assert_int_equal(world_sessions(&w, 0, NULL), 1);
	assert_int_equal(world_sessions(&w, 1, NULL), 1);
	assert_int_equal(world_count(&w, 0).frames_bad, 0);
	assert_int_equal(world_count(&w, 1).frames_bad, 0);
}

static void test_keys_change_every_two_hours(void **state)
{
	(void)state;
	for (unsigned dialler = 0; dialler < 2; dialler++) {
		struct seal before[2];

		start(dialler);
		for (unsigned round = 0; round < 5; round++) {
			before[0] = link_at(0)->seal;
			before[1] = link_at(1)->seal;
			assert_int_equal(hub_deadline(w.host[dialler].hub),
			                 w.now.mono_ms + REKEY_AFTER_MS);
			world_pass(&w, REKEY_AFTER_MS - 1);
			assert_int_equal(p->flow[0].count[LANE_CONTROL], 0);
			world_pass(&w, 1);
			assert_true(p->flow[0].count[LANE_CONTROL] > 0);
			world_settle(&w);
			for (unsigned end = 0; end < 2; end++) {
				const struct seal *now = &link_at(end)->seal;

				assert_true(has_one_epoch(end));
				assert_int_equal(now->tx_epoch, (round + 1) % 2);
				assert_memory_not_equal(now->hash, before[end].hash,
				                        sizeof(now->hash));
				assert_memory_not_equal(now->tx[now->tx_epoch].key,
				                        before[end].tx[!now->tx_epoch].key, 32);
				assert_memory_equal(now->rx[now->tx_epoch].key,
				                    link_at(!end)->seal.tx[now->tx_epoch].key, 32);
				/* Not a trace of the old ones. */
				assert_null(memmem(link_at(end), sizeof(struct link),
				                   before[end].tx[!now->tx_epoch].key, 32));
				assert_null(memmem(link_at(end), sizeof(struct link),
				                   before[end].rx[!now->tx_epoch].key, 32));
			}
			send(0, LANE_BULK, 1);
			send(1, LANE_CONTROL, 1);
			world_settle(&w);
			assert_int_equal(seen_count(&w, 0, EV_MESSAGE), round + 1);
			assert_int_equal(seen_count(&w, 1, EV_MESSAGE), round + 1);
		}
		assert_alive();
		world_fini(&w);
	}
}

/*
 * Random traffic on both lanes of both sides while keys change, moved in random order (each lane
 * in its own): everything arrives, once, in the order of its lane.
 */
static void traffic(uint64_t seed)
{
	uint8_t last[2][LANE__COUNT] = { { 0 } };
	uint8_t next[2][LANE__COUNT] = { { 0 } };
	uint8_t raw[RNG_SEED_BYTES] = { (uint8_t)seed, (uint8_t)(seed >> 8) };
	struct rng rng;

	rng_init(&rng, raw);
	start((unsigned)(seed % 2));
	for (unsigned n = 0; n < 400; n++) {
		unsigned end = (unsigned)rng_below(&rng, 2);
		enum lane lane = (enum lane)rng_below(&rng, 2);

		if (n == 100 || n == 250)
			world_pass(&w, REKEY_AFTER_MS);
		if (n == 249)
			world_settle(&w);
		if (rng_below(&rng, 2) && next[end][lane] < 120)
			send(end, lane, (uint8_t)(2 * ++next[end][lane] + lane));
		else
			pipe_move(&w, p, end, lane);
	}
	world_settle(&w);
	assert_alive();
	for (size_t i = 0; i < w.seen_count; i++) {
		const struct seen *s = &w.seen[i];
		unsigned end = s->host == p->end[0];
		enum lane lane = s->first % 2;

		if (s->kind == EV_MESSAGE)
			assert_int_equal(s->first / 2, ++last[end][lane]);
	}
	assert_memory_equal(last, next, sizeof(last));
	assert_true(has_one_epoch(0));
	assert_true(has_one_epoch(1));
	assert_int_equal(link_at(0)->seal.tx_epoch, 0);
	world_fini(&w);
}

static void test_frames_in_flight_survive(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 500; seed++)
		traffic(seed);
}

/* A bulk lane that is held up keeps the old key alive exactly until it has moved on. */
static void test_old_key_lives_until_both_lanes_have_moved(void **state)
{
	(void)state;
	start(0);
	send(0, LANE_BULK, 1);
	world_pass(&w, REKEY_AFTER_MS);
	while (pipe_move(&w, p, 0, LANE_CONTROL) || pipe_move(&w, p, 1, LANE_CONTROL))
		continue;
	assert_false(has_one_epoch(1));
	assert_true(pipe_move(&w, p, 0, LANE_BULK));
	assert_int_equal(seen_last(&w, 1, EV_MESSAGE)->first, 1);
	assert_false(has_one_epoch(1));
	assert_true(pipe_move(&w, p, 0, LANE_BULK));
	assert_true(has_one_epoch(1));
	/* The lane does not go back. */
	assert_false(has_one_epoch(0));
	assert_true(pipe_move(&w, p, 1, LANE_BULK));
	assert_true(has_one_epoch(0));
	assert_alive();
	world_fini(&w);
}

static void test_dialler_without_an_answer_gives_up(void **state)
{
	(void)state;
	start(0);
	world_pass(&w, REKEY_AFTER_MS);
	world_pass(&w, HUB_REKEY_TIMEOUT_MS - 1);
	assert_int_equal(world_sessions(&w, 0, NULL), 1);
	world_pass(&w, 1);
	assert_int_equal(world_sessions(&w, 0, NULL), 0);
	assert_int_equal(seen_last(&w, 0, EV_SESSION_DOWN)->err, ERR_TIMED_OUT);
	world_fini(&w);
}

/* The dialled side does not live with old keys for ever. */
static void test_dialler_that_never_starts_is_cut_off(void **state)
{
	struct host *h;

	(void)state;
	start(0);
	h = &w.host[1];
	w.now.mono_ms += REKEY_AFTER_MS + HUB_REKEY_LATE_MS - 1;
	assert_int_equal(hub_tick(h->hub, w.now, &h->out), 0);
	assert_int_equal(h->out.count, 0);
	w.now.mono_ms++;
	assert_int_equal(hub_tick(h->hub, w.now, &h->out), 0);
	assert_int_equal(h->out.count, 2);
	assert_int_equal(h->out.list[0].kind, HUB_CLOSE);
	assert_int_equal(h->out.list[1].event.u.session_down.err, ERR_TIMED_OUT);
	world_fini(&w);
}

/* Handshakes that are not due, or from the wrong side, end the session. */
static void test_rekey_out_of_turn_ends_the_session(void **state)
{
	static const struct {
		unsigned from;
		enum seal_kind kind;
		size_t bytes;
		int64_t after_ms;
	} rows[] = {
		{ 0, SEAL_REKEY_FIRST, NOISE_FIRST_BYTES, HUB_REKEY_EARLIEST_MS - 1 },
		{ 0, SEAL_REKEY_FIRST, NOISE_FIRST_BYTES, HUB_REKEY_EARLIEST_MS },
		{ 0, SEAL_REKEY_FIRST, 0, HUB_REKEY_EARLIEST_MS },
		{ 0, SEAL_REKEY_FIRST, NOISE_FIRST_BYTES + 1, HUB_REKEY_EARLIEST_MS },
		{ 0, SEAL_REKEY_SECOND, NOISE_SECOND_BYTES, HUB_REKEY_EARLIEST_MS },
		{ 1, SEAL_REKEY_FIRST, NOISE_FIRST_BYTES, HUB_REKEY_EARLIEST_MS },
		{ 1, SEAL_REKEY_SECOND, NOISE_SECOND_BYTES, HUB_REKEY_EARLIEST_MS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t frame[SEAL_BYTES + NOISE_FIRST_BYTES + 1] = { 0 };
		unsigned from = rows[i].from;
		struct link *l;

		start(0);
		world_pass(&w, rows[i].after_ms);
		l = link_find(w.host[from].hub, p->link[from]);
		memset(frame + SEAL_HEAD_BYTES, 9, rows[i].bytes);
		seal_frame(&l->seal, LANE_CONTROL, rows[i].kind, frame, rows[i].bytes);
		world_bytes(&w, p->end[!from], p->link[!from],
		            (struct bytes){ .at = frame, .count = SEAL_BYTES + rows[i].bytes });
		assert_int_equal(seen_last(&w, p->end[!from], EV_SESSION_DOWN)->err, ERR_MALFORMED);
		assert_int_equal(world_count(&w, p->end[!from]).frames_bad, 1);
		world_fini(&w);
	}
}

/* A perfect first message of a rekey, from that end and by that key pair. */
static void say_first(unsigned from, const struct keypair *by)
{
	const struct keypair *to = &w.host[p->end[!from]].pair;
	struct link *l = link_find(w.host[p->end[from]].hub, p->link[from]);
	uint8_t frame[SEAL_BYTES + NOISE_FIRST_BYTES];
	const uint8_t secret[NOISE_SECRET_BYTES] = { 3 };
	struct writer out;
	struct noise n;

	seal_rekey_init(&n, l->seal.hash, &to->box_public);
	writer_init(&out, frame + SEAL_HEAD_BYTES, NOISE_FIRST_BYTES);
	assert_int_equal(noise_first_write(&n, by, secret, (struct bytes){ .at = NULL }, &out), 0);
	seal_frame(&l->seal, LANE_CONTROL, SEAL_REKEY_FIRST, frame, out.count);
	world_bytes(&w, p->end[!from], p->link[!from],
	            (struct bytes){ .at = frame, .count = sizeof(frame) });
}

/* What is perfect in form is still refused too early, from the wrong side, of another key. */
static void test_rekey_is_for_the_dialler_in_due_time(void **state)
{
	static const struct {
		unsigned from;
		bool is_other;
		int64_t after_ms;
		bool is_fine;
	} rows[] = {
		{ 0, false, HUB_REKEY_EARLIEST_MS, true },
		{ 0, false, HUB_REKEY_EARLIEST_MS - 1, false },
		{ 0, true, HUB_REKEY_EARLIEST_MS, false },
		{ 1, false, HUB_REKEY_EARLIEST_MS, false },
	};
	static const uint8_t seed[RNG_SEED_BYTES] = { 99 };
	struct keypair other;
	struct rng rng;

	(void)state;
	rng_init(&rng, seed);
	keypair_generate(&other, &rng);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned to;

		start(0);
		to = p->end[!rows[i].from];
		world_pass(&w, rows[i].after_ms);
		say_first(rows[i].from,
		          rows[i].is_other ? &other : &w.host[p->end[rows[i].from]].pair);
		assert_int_equal(world_sessions(&w, to, NULL), rows[i].is_fine ? 1 : 0);
		assert_int_equal(world_count(&w, to).frames_bad, rows[i].is_fine ? 0 : 1);
		/* A second one before the first is done is one too many. */
		if (rows[i].is_fine)
			say_first(rows[i].from, &w.host[p->end[rows[i].from]].pair);
		assert_int_equal(world_sessions(&w, to, NULL), 0);
		world_fini(&w);
	}
}

/* A later version's kinds of frames are ignored; a ping is answered. */
static void test_unknown_kinds_are_ignored(void **state)
{
	(void)state;
	start(0);
	for (unsigned kind = 0; kind < 256; kind++) {
		uint8_t frame[SEAL_BYTES + 3] = { 0 };
		struct link *l = link_find(w.host[0].hub, p->link[0]);

		if (kind >= SEAL_MESSAGE && kind <= SEAL_REKEY_SECOND)
			continue;
		seal_frame(&l->seal, LANE_BULK, (enum seal_kind)kind, frame, 3);
		world_bytes(&w, 1, p->link[1],
		            (struct bytes){ .at = frame, .count = sizeof(frame) });
	}
	assert_int_equal(p->flow[1].count[LANE_CONTROL], SEAL_BYTES);
	world_settle(&w);
	assert_alive();
	world_fini(&w);
}

/* Messages that break a bound end the session; those of a later version are ignored. */
static void test_bad_messages_end_the_session(void **state)
{
	static const uint8_t later[] = { 0xf2, 0x06, 0x00 };           /* field 110, empty */
	static const uint8_t bad[] = { 0x12, 0x03, 0x0a, 0x01, 0x07 }; /* a digest of one byte */
	uint8_t frame[SEAL_BYTES + 16] = { 0 };
	struct link *l;

	(void)state;
	start(0);
	l = link_find(w.host[0].hub, p->link[0]);
	memcpy(frame + SEAL_HEAD_BYTES, later, sizeof(later));
	seal_frame(&l->seal, LANE_BULK, SEAL_MESSAGE, frame, sizeof(later));
	world_bytes(&w, 1, p->link[1],
	            (struct bytes){ .at = frame, .count = SEAL_BYTES + sizeof(later) });
	assert_int_equal(seen_count(&w, 1, EV_MESSAGE), 0);
	assert_alive();
	memcpy(frame + SEAL_HEAD_BYTES, bad, sizeof(bad));
	seal_frame(&l->seal, LANE_BULK, SEAL_MESSAGE, frame, sizeof(bad));
	world_bytes(&w, 1, p->link[1],
	            (struct bytes){ .at = frame, .count = SEAL_BYTES + sizeof(bad) });
	assert_int_equal(seen_last(&w, 1, EV_SESSION_DOWN)->err, ERR_MALFORMED);
	assert_int_equal(world_count(&w, 1).frames_bad, 1);
	world_fini(&w);
}

/* Who has left the mesh can't rekey: the session ends, without an assert. */
static void test_identity_that_is_gone_ends_the_session(void **state)
{
	(void)state;
	for (unsigned end = 0; end < 2; end++) {
		start(0);
		if (end == 0)
			w.host[0].identities_count = 0;
		world_pass(&w, REKEY_AFTER_MS);
		if (end == 1)
			w.host[1].identities_count = 0;
		world_settle(&w);
		assert_int_equal(world_sessions(&w, 0, NULL), 0);
		assert_int_equal(world_sessions(&w, 1, NULL), 0);
		world_fini(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_change_every_two_hours),
		cmocka_unit_test(test_frames_in_flight_survive),
		cmocka_unit_test(test_old_key_lives_until_both_lanes_have_moved),
		cmocka_unit_test(test_dialler_without_an_answer_gives_up),
		cmocka_unit_test(test_dialler_that_never_starts_is_cut_off),
		cmocka_unit_test(test_rekey_out_of_turn_ends_the_session),
		cmocka_unit_test(test_rekey_is_for_the_dialler_in_due_time),
		cmocka_unit_test(test_unknown_kinds_are_ignored),
		cmocka_unit_test(test_bad_messages_end_the_session),
		cmocka_unit_test(test_identity_that_is_gone_ends_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
