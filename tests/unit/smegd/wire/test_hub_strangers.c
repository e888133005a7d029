/*
 * What strangers get (nothing), what they cost (little), and what those are told who prove
 * something.
 */
#include "smegd/wire/hub.h"

#include "tests/unit/smegd/wire/pipe.h"

#include "smegd/wire/frame.h"
#include "smegd/wire/hub_priv.h"
#include "smegd/wire/seal.h"

#include <string.h>

static struct world w;

static struct endpoint from_v4(uint8_t c, uint8_t d)
{
	const uint8_t v4[4] = { 198, 51, c, d };
	struct endpoint e = { .port = 4000 };

	addr_from_v4(&e.addr, v4);
	return e;
}

static struct pipe *pipe_of(uint64_t link)
{
	for (size_t i = 0; i < w.pipes; i++) {
		if (w.pipe[i].link[1] == link)
			return &w.pipe[i];
	}
	fail();
	return NULL;
}

/* Closed, and not a byte has left. */
static void assert_silent(uint64_t link)
{
	struct pipe *p = pipe_of(link);

	assert_true(p->flow[1].is_closing);
	assert_int_equal(p->flow[1].count[LANE_CONTROL], 0);
	assert_int_equal(p->flow[1].count[LANE_BULK], 0);
}

/* A valid hello of host `from` to host `to`, taken off the link; nobody has seen it. */
static struct bytes captured_hello(unsigned from, unsigned to, bool as_joiner, uint8_t *out)
{
	struct pipe *p = world_dial(&w, from, to, as_joiner);
	struct bytes hello;

	pipe_connect(&w, p);
	hello = flow_front(&p->flow[0], LANE_CONTROL);
	memcpy(out, hello.at, hello.count);
	p->flow[0].count[LANE_CONTROL] = 0;
	pipe_cut(&w, p);
	return (struct bytes){ .at = out, .count = hello.count };
}

static uint64_t say(const struct endpoint *from, struct bytes bytes)
{
	uint64_t link = world_stranger(&w, 0, from);

	world_bytes(&w, 0, link, bytes);
	return link;
}

static void test_junk_gets_no_byte_and_no_computation(void **state)
{
	static const uint8_t http[] = "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
	const struct endpoint from = from_v4(1, 1);
	uint8_t junk[FRAME_FIRST_BYTES_MAX];
	struct rng rng;

	(void)state;
	world_init(&w, 1);
	rng_init(&rng, (const uint8_t[RNG_SEED_BYTES]){ 1 });
	assert_silent(say(&from, (struct bytes){ .at = http, .count = sizeof(http) }));
	for (unsigned i = 0; i < 100; i++) {
		rng_bytes(&rng, junk, sizeof(junk));
		frame_head(junk, FRAME_HELLO, i * 10);
		assert_silent(say(&from, (struct bytes){ .at = junk, .count = 5 + i * 10 }));
	}
	/* Other frames than a hello, and longer ones than a hello may be. */
	for (unsigned type = 0; type < 256; type++) {
		frame_head(junk, (uint8_t)type, 300);
		assert_silent(say(&from, (struct bytes){ .at = junk, .count = 305 }));
	}
	frame_head(junk, FRAME_HELLO, FRAME_FIRST_BYTES_MAX - 4);
	assert_silent(say(&from, (struct bytes){ .at = junk, .count = 4 }));
	assert_int_equal(world_count(&w, 0).key_operations, 0);
	assert_int_equal(world_count(&w, 0).hellos, 358);
	assert_int_equal(world_count(&w, 0).hellos_refused, 358);
	assert_int_equal(world_count(&w, 0).hellos_limited, 0);
	assert_int_equal(w.host[0].asked, 0);
	assert_int_equal(w.seen_count, 0);
	world_fini(&w);
}

static void test_silence_is_closed_after_the_time_out(void **state)
{
	const struct endpoint from = from_v4(1, 1);
	uint64_t link;

	(void)state;
	world_init(&w, 1);
	link = world_stranger(&w, 0, &from);
	world_bytes(&w, 0, link, (struct bytes){ .at = (const uint8_t[]){ 0, 0, 1 }, .count = 3 });
	world_pass(&w, AUTH_TIMEOUT_MS - 1);
	assert_false(pipe_of(link)->flow[1].is_closing);
	world_pass(&w, 1);
	assert_silent(link);
	world_fini(&w);
}

/* The MAC depends on the mesh and on whom we take the other for. */
static void test_wrong_mesh_or_key_costs_no_computation(void **state)
{
	struct pipe *p;

	(void)state;
	world_init(&w, 3);
	/* Host 1 takes host 0 for host 2. */
	p = world_dial_key(&w, 1, 0, &w.host[2].pair.box_public);
	pipe_connect(&w, p);
	world_settle(&w);
	assert_int_equal(seen_last(&w, 1, EV_DIAL_FAILED)->err, ERR_NO_ANSWER);
	/* Host 1 thinks of another mesh; then of one with our id but another key. */
	w.host[1].identities[0].mesh[3] ^= 1;
	p = world_dial_key(&w, 1, 0, &w.host[0].pair.box_public);
	pipe_connect(&w, p);
	world_settle(&w);
	assert_int_equal(world_count(&w, 0).key_operations, 0);
	w.host[1].identities[0].mesh[3] ^= 1;
	w.host[1].identities[0].mesh_public.b[0] ^= 1;
	p = world_dial_key(&w, 1, 0, &w.host[0].pair.box_public);
	pipe_connect(&w, p);
	world_settle(&w);
	assert_int_equal(seen_count(&w, 1, EV_DIAL_FAILED), 3);
	assert_int_equal(w.host[0].asked, 0);
	assert_int_equal(world_count(&w, 0).hellos_refused, 3);
	world_fini(&w);
}

/* One daemon, several meshes: the MAC tells which one is meant. */
static void test_mesh_is_selected_by_the_hello(void **state)
{
	static const uint8_t seed[RNG_SEED_BYTES] = { 77 };
	struct keypair mesh;
	struct keypair pair;
	struct identity *other = &w.host[0].identities[1];
	struct rng rng;

	(void)state;
	world_init(&w, 2);
	rng_init(&rng, seed);
	keypair_generate(&mesh, &rng);
	keypair_generate(&pair, &rng);
	*other = (struct identity){ .mesh_public = mesh.sign_public, .pair = &pair };
	mesh_id_of(&mesh.sign_public, other->mesh);
	w.host[0].identities_count = 2;
	w.host[1].identities[0] = *other;
	w.host[1].identities[0].pair = &w.host[1].pair;
	pipe_connect(&w, world_dial_key(&w, 1, 0, &pair.box_public));
	world_settle(&w);
	assert_string_equal(seen_last(&w, 0, EV_SESSION_UP)->up.mesh, other->mesh);
	assert_int_equal(world_sessions(&w, 1, NULL), 1);
	world_fini(&w);
}

static void test_replayed_hello_gets_no_byte(void **state)
{
	const struct endpoint from = from_v4(1, 1);
	uint8_t hello[FRAME_FIRST_BYTES_MAX];
	struct bytes h;
	uint64_t link;

	(void)state;
	world_init(&w, 2);
	h = captured_hello(1, 0, false, hello);
	/* The first time it is as good as its owner's; but no session comes of it. */
	link = say(&from, h);
	assert_true(pipe_of(link)->flow[1].count[LANE_CONTROL] > 0);
	assert_int_equal(world_sessions(&w, 0, NULL), 0);
	assert_silent(say(&from, h));
	assert_int_equal(world_count(&w, 0).hellos, 2);
	assert_int_equal(world_count(&w, 0).hellos_refused, 1);
	world_pass(&w, AUTH_TIMEOUT_MS);
	assert_true(pipe_of(link)->flow[1].is_closing);
	assert_int_equal(seen_count(&w, 0, EV_SESSION_UP), 0);
	world_fini(&w);
}

/* The answer to a replayed hello can't be continued by who replayed it. */
static void test_welcome_is_useless_to_others(void **state)
{
	const struct endpoint from = from_v4(1, 1);
	uint8_t hello[FRAME_FIRST_BYTES_MAX];
	uint8_t ready[64] = { 0 };
	uint64_t link;

	(void)state;
	world_init(&w, 2);
	link = say(&from, captured_hello(1, 0, false, hello));
	frame_head(ready, FRAME_SEALED, 17);
	world_bytes(&w, 0, link, (struct bytes){ .at = ready, .count = 22 });
	assert_true(pipe_of(link)->flow[1].is_closing);
	assert_int_equal(seen_count(&w, 0, EV_SESSION_UP), 0);
	assert_int_equal(world_count(&w, 0).frames_bad, 1);
	/* Nor may a link that has not proved itself announce a large frame. */
	link = say(&from, captured_hello(1, 0, false, hello));
	frame_head(ready, FRAME_SEALED, FRAME_FIRST_BYTES_MAX);
	world_bytes(&w, 0, link, (struct bytes){ .at = ready, .count = 4 });
	assert_true(pipe_of(link)->flow[1].is_closing);
	world_fini(&w);
}

static void test_silent_refusal_looks_like_any_other(void **state)
{
	(void)state;
	world_init(&w, 2);
	w.host[0].admit = ADMIT_SILENT;
	world_join(&w, 1, 0);
	assert_int_equal(w.host[0].asked, 1);
	assert_int_equal(seen_last(&w, 1, EV_DIAL_FAILED)->err, ERR_NO_ANSWER);
	assert_int_equal(w.pipe[0].flow[1].count[LANE_CONTROL], 0);
	assert_int_equal(world_count(&w, 0).hellos_refused, 1);
	world_fini(&w);
}

/* Who has proved a key or an invite is told why not, in codes that make sense. */
static void test_refusal_is_told(void **state)
{
	static const struct {
		int tell;
		int told;
	} rows[] = {
		{ ERR_EXPIRED, ERR_EXPIRED },
		{ ERR_USED_UP, ERR_USED_UP },
		{ ERR_CLOCK_OFF, ERR_CLOCK_OFF },
		{ ERR_NOT_ADMITTED, ERR_NOT_ADMITTED },
		{ ERR_ISSUER_AWAY, ERR_ISSUER_AWAY },
		{ ERR_NO_DAEMON, ERR_NO_ANSWER },
		{ ERR_NAME_UNKNOWN, ERR_NO_ANSWER },
		{ -5, ERR_NO_ANSWER },
		{ 0, ERR_NO_ANSWER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		world_init(&w, 2);
		world_invite(&w, 1);
		w.host[0].admit = ADMIT_TELL;
		w.host[0].tell = rows[i].tell;
		pipe_connect(&w, world_dial(&w, 1, 0, true));
		world_settle(&w);
		assert_int_equal(seen_count(&w, 1, EV_DIAL_FAILED), 1);
		assert_int_equal(seen_last(&w, 1, EV_DIAL_FAILED)->err, rows[i].told);
		assert_int_equal(w.seen_count, 1);
		assert_false(w.pipe[0].is_open[0] || w.pipe[0].is_open[1]);
		world_fini(&w);
	}
}

static void test_joiner_comes_with_invite_and_proof(void **state)
{
	const struct hello *h;

	(void)state;
	world_init(&w, 2);
	world_invite(&w, 1);
	w.host[0].admit = ADMIT_JOINER;
	pipe_connect(&w, world_dial(&w, 1, 0, true));
	world_settle(&w);
	h = &w.host[0].hello;
	assert_true(h->has_invite);
	assert_true(key_equal(&h->peer, &w.host[1].pair.box_public));
	assert_true(key_equal(&h->joiner, &w.host[1].pair.sign_public));
	assert_string_equal(h->mesh, w.host[1].identities[0].mesh);
	assert_int_equal(h->timestamp_ms, w.now.unix_ms);
	assert_int_equal(
		invite_check_proof(&w.host[1].invite, &h->joiner, &w.mesh_public, &h->proof), 0);
	assert_true(seen_last(&w, 0, EV_SESSION_UP)->up.as_joiner);
	assert_true(key_equal(&seen_last(&w, 0, EV_SESSION_UP)->up.joiner,
	                      &w.host[1].pair.sign_public));
	assert_false(seen_last(&w, 1, EV_SESSION_UP)->up.as_joiner);
	world_fini(&w);
}

/* A daemon without the invite that it should prove does not dial. */
static void test_joiner_without_invite_does_not_dial(void **state)
{
	(void)state;
	world_init(&w, 2);
	pipe_connect(&w, world_dial(&w, 1, 0, true));
	assert_int_equal(seen_last(&w, 1, EV_DIAL_FAILED)->err, ERR_NO_MESH);
	assert_int_equal(w.captured_count, 0);
	world_fini(&w);
}

/* --- hellos that our own hub would not make -------------------------------------------------- */

/* Says what it likes as host `as`, to host 0. */
static uint64_t craft(unsigned as, const struct greet_hello *says, struct noise *n)
{
	static const uint8_t secret[NOISE_SECRET_BYTES] = { 5 };
	const struct endpoint from = from_v4(1, 1);
	struct seal_caller caller = { .self = &w.host[as].identities[0],
		                      .peer = &w.host[0].pair.box_public,
		                      .secret = secret };
	uint8_t buffer[FRAME_FIRST_BYTES_MAX];
	struct writer out;

	writer_init(&out, buffer, sizeof(buffer));
	assert_int_equal(seal_hello(n, &caller, says, &out), 0);
	return say(&from, writer_bytes(&out));
}

/* What host 0 answered to host `as`. */
static struct greet_welcome answer(unsigned as, uint64_t link, struct noise *n)
{
	struct bytes frame = flow_front(&pipe_of(link)->flow[1], LANE_CONTROL);
	uint8_t scratch[FRAME_FIRST_BYTES_MAX];
	struct greet_welcome says;

	assert_true(frame.count > 0);
	assert_int_equal(frame.at[4], FRAME_WELCOME);
	assert_int_equal(
		seal_welcome_open(n, &w.host[as].identities[0],
	                          (struct bytes){ .at = frame.at + 5, .count = frame.count - 5 },
	                          scratch, &says),
		0);
	return says;
}

static void test_versions_are_negotiated(void **state)
{
	static const struct {
		uint16_t min;
		uint16_t max;
		int err;
		uint16_t version;
	} rows[] = {
		{ 1, 1, 0, 1 },      { 0, 1, 0, 1 },           { 1, 9, 0, 1 },
		{ 0, 0xffff, 0, 1 }, { 2, 9, ERR_VERSION, 0 }, { 0, 0, ERR_VERSION, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct greet_hello says = { .version_min = rows[i].min,
			                    .version_max = rows[i].max,
			                    .capabilities = UINT64_MAX,
			                    .timestamp_ms = 5,
			                    .clock_ms = 5 };
		struct greet_welcome got;
		struct noise n;
		uint64_t link;

		world_init(&w, 2);
		link = craft(1, &says, &n);
		got = answer(1, link, &n);
		assert_int_equal(got.err, rows[i].err);
		assert_int_equal(got.version, rows[i].version);
		assert_int_equal(got.clock_ms, w.now.unix_ms);
		assert_int_equal(pipe_of(link)->flow[1].is_closing, rows[i].err != 0);
		world_fini(&w);
	}
}

static void test_unsound_hellos_get_no_byte(void **state)
{
	struct greet_hello says = { .version_min = 1, .version_max = 1, .has_invite = true };
	struct noise n;
	uint64_t link;

	(void)state;
	world_init(&w, 3);
	says.invite = (struct bytes){ .at = (const uint8_t *)"limits", .count = 6 };
	/* The joiner's key is another's. */
	says.joiner = w.host[2].pair.sign_public;
	assert_silent(craft(1, &says, &n));
	/* Or none. */
	memset(&says.joiner, 0xff, sizeof(says.joiner));
	assert_silent(craft(1, &says, &n));
	/* Oneself, by whatever way. */
	says.joiner = w.host[0].pair.sign_public;
	assert_silent(craft(0, &says, &n));
	says.has_invite = false;
	assert_silent(craft(0, &says, &n));
	/* A range of versions that is none, and times beyond all clocks. */
	says.version_max = 0;
	assert_silent(craft(1, &says, &n));
	says.version_max = 1;
	says.timestamp_ms = GREET_TIME_MAX + 1;
	assert_silent(craft(1, &says, &n));
	assert_int_equal(w.host[0].asked, 0);
	says.timestamp_ms = GREET_TIME_MAX;
	says.clock_ms = GREET_TIME_MAX;
	link = craft(1, &says, &n);
	assert_int_equal(answer(1, link, &n).err, 0);
	assert_int_equal(w.host[0].asked, 1);
	world_fini(&w);
}

/* A message before the handshake closes the link. */
static void test_messages_before_the_handshake_close_the_link(void **state)
{
	const struct endpoint from = from_v4(1, 1);
	uint8_t frame[64] = { 0 };

	(void)state;
	world_init(&w, 1);
	for (uint8_t type = FRAME_SEALED; type < FRAME_SEALED + 4; type++) {
		frame_head(frame, type, 40);
		assert_silent(say(&from, (struct bytes){ .at = frame, .count = 45 }));
	}
	world_fini(&w);
}

/* --- limits --------------------------------------------------------------------------------- */

static void test_half_open_links_of_one_source_are_bounded(void **state)
{
	struct endpoint from = from_v4(1, 1);
	uint64_t last = 0;

	(void)state;
	world_init(&w, 1);
	for (unsigned i = 0; i < LIMIT_HALF_OPEN_PER_SOURCE; i++)
		last = world_stranger(&w, 0, &from);
	assert_false(pipe_of(last)->flow[1].is_closing);
	from.port++;
	assert_silent(world_stranger(&w, 0, &from));
	/* Another source is not held by that. */
	from = from_v4(1, 2);
	last = world_stranger(&w, 0, &from);
	assert_false(pipe_of(last)->flow[1].is_closing);
	/* Time makes room. */
	world_pass(&w, AUTH_TIMEOUT_MS);
	from = from_v4(1, 1);
	last = world_stranger(&w, 0, &from);
	assert_false(pipe_of(last)->flow[1].is_closing);
	world_fini(&w);
}

/* One /64 is one source. */
static void test_sources_of_ipv6_are_networks(void **state)
{
	struct endpoint from = { .addr = { { 0x20, 0x01, 0x0d, 0xb8 } }, .port = 1 };
	uint64_t last = 0;

	(void)state;
	world_init(&w, 1);
	for (unsigned i = 0; i < LIMIT_HALF_OPEN_PER_SOURCE; i++) {
		from.addr.b[15] = (uint8_t)i;
		last = world_stranger(&w, 0, &from);
	}
	assert_false(pipe_of(last)->flow[1].is_closing);
	from.addr.b[8] = 9;
	assert_silent(world_stranger(&w, 0, &from));
	from.addr.b[7] = 9;
	last = world_stranger(&w, 0, &from);
	assert_false(pipe_of(last)->flow[1].is_closing);
	world_fini(&w);
}

/* When too many are half-open the oldest goes, so that nobody can be kept out for long. */
static void test_oldest_half_open_link_makes_room(void **state)
{
	uint64_t links[LIMIT_HALF_OPEN + 1];

	(void)state;
	world_init(&w, 1);
	for (unsigned i = 0; i <= LIMIT_HALF_OPEN; i++) {
		struct endpoint from = from_v4((uint8_t)(i / 64), 1);

		links[i] = world_stranger(&w, 0, &from);
		assert_int_equal(pipe_of(links[0])->flow[1].is_closing, i == LIMIT_HALF_OPEN);
	}
	assert_silent(links[0]);
	assert_false(pipe_of(links[1])->flow[1].is_closing);
	assert_false(pipe_of(links[LIMIT_HALF_OPEN])->flow[1].is_closing);
	world_fini(&w);
}

/* Valid hellos cost computations only at the rate of their source; junk takes no tokens. */
static void test_hellos_of_one_source_are_limited(void **state)
{
	const struct endpoint from = from_v4(1, 1);
	const struct endpoint other = from_v4(1, 2);
	uint8_t buffer[FRAME_FIRST_BYTES_MAX];
	uint8_t junk[200] = { 0 };
	struct bytes hello;
	uint64_t before;

	(void)state;
	world_init(&w, 2);
	hello = captured_hello(1, 0, false, buffer);
	say(&from, hello);
	frame_head(junk, FRAME_HELLO, sizeof(junk) - 5);
	say(&from, (struct bytes){ .at = junk, .count = sizeof(junk) });
	for (unsigned i = 1; i < SOURCE_BURST; i++) {
		w.pipes--; /* the test's table of links is short */
		assert_silent(say(&from, hello));
	}
	assert_int_equal(world_count(&w, 0).hellos_limited, 0);
	before = world_count(&w, 0).key_operations;
	assert_silent(say(&from, hello));
	assert_int_equal(world_count(&w, 0).hellos_limited, 1);
	assert_int_equal(world_count(&w, 0).key_operations, before);
	/* Another source still gets through, and time gives new tokens. */
	say(&other, hello);
	assert_int_equal(world_count(&w, 0).key_operations, before + 2);
	world_pass(&w, 1000 / SOURCE_PER_SECOND + 1);
	say(&from, hello);
	assert_int_equal(world_count(&w, 0).key_operations, before + 4);
	say(&from, hello);
	assert_int_equal(world_count(&w, 0).hellos_limited, 2);
	world_fini(&w);
}

/* Go on to a session, as the initiator of a crafted hello. */
static void go_on(unsigned as, uint64_t link, struct noise *n)
{
	uint8_t ready[SEAL_BYTES];
	struct noise_keys keys;
	struct seal seal;

	assert_int_equal(answer(as, link, n).err, 0);
	noise_split(n, &keys);
	seal_init(&seal, &keys, true);
	seal_frame(&seal, LANE_CONTROL, SEAL_READY, ready, 0);
	world_bytes(&w, 0, link, (struct bytes){ .at = ready, .count = sizeof(ready) });
}

/*
 * Sessions are bounded, and the one too many is told; but one that takes the place of another of
 * the same member is not one more.  All are from one address: those that are up count as half-open
 * no longer.
 */
static void test_sessions_are_bounded(void **state)
{
	struct greet_hello says = { .version_min = 1, .version_max = 1, .timestamp_ms = 1 };
	uint64_t links[LIMIT_SESSIONS];
	struct keypair first;
	struct noise n;
	struct rng rng;
	uint64_t link;

	(void)state;
	world_init(&w, 2);
	rng_init(&rng, (const uint8_t[RNG_SEED_BYTES]){ 4 });
	for (unsigned i = 0; i < LIMIT_SESSIONS; i++) {
		keypair_generate(&w.host[1].pair, &rng);
		if (i == 0)
			first = w.host[1].pair;
		w.host[0].seen_count = 0;
		links[i] = craft(1, &says, &n);
		go_on(1, links[i], &n);
		world_pass(&w, 1000 / SOURCE_PER_SECOND + 1);
	}
	assert_int_equal(seen_count(&w, 0, EV_SESSION_UP), LIMIT_SESSIONS);
	assert_int_equal(w.host[0].hub->half_open_count, 0);
	keypair_generate(&w.host[1].pair, &rng);
	w.host[0].seen_count = 0;
	link = craft(1, &says, &n);
	assert_int_equal(answer(1, link, &n).err, ERR_LIMIT);
	world_dial(&w, 0, 1, false);
	assert_int_equal(seen_last(&w, 0, EV_DIAL_FAILED)->err, ERR_LIMIT);
	w.host[1].pair = first;
	says.timestamp_ms++;
	go_on(1, craft(1, &says, &n), &n);
	assert_int_equal(seen_count(&w, 0, EV_SESSION_DOWN), 1);
	assert_true(pipe_of(links[0])->flow[1].is_closing);
	/* Room is made by closing. */
	world_close(&w, 0, 2);
	keypair_generate(&w.host[1].pair, &rng);
	w.host[0].seen_count = 0;
	link = craft(1, &says, &n);
	assert_int_equal(answer(1, link, &n).err, 0);
	world_fini(&w);
}

/* Sessions of joiners are few, whatever their invites allow. */
static void test_joiners_are_bounded(void **state)
{
	struct greet_hello says = { .version_min = 1, .version_max = 1, .has_invite = true };
	struct noise n;
	struct rng rng;
	uint64_t link;

	(void)state;
	world_init(&w, 2);
	w.host[0].admit = ADMIT_JOINER;
	rng_init(&rng, (const uint8_t[RNG_SEED_BYTES]){ 3 });
	says.invite = (struct bytes){ .at = (const uint8_t *)"limits", .count = 6 };
	for (unsigned i = 0; i <= HUB_JOINERS_MAX; i++) {
		w.host[0].seen_count = 0;
		keypair_generate(&w.host[1].pair, &rng);
		says.joiner = w.host[1].pair.sign_public;
		link = craft(1, &says, &n);
		assert_int_equal(answer(1, link, &n).err, i == HUB_JOINERS_MAX ? ERR_BUSY : 0);
	}
	/* Those that did not go on give their places back. */
	world_pass(&w, AUTH_TIMEOUT_MS);
	w.host[0].seen_count = 0;
	link = craft(1, &says, &n);
	assert_int_equal(answer(1, link, &n).err, 0);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_junk_gets_no_byte_and_no_computation),
		cmocka_unit_test(test_silence_is_closed_after_the_time_out),
		cmocka_unit_test(test_wrong_mesh_or_key_costs_no_computation),
		cmocka_unit_test(test_mesh_is_selected_by_the_hello),
		cmocka_unit_test(test_replayed_hello_gets_no_byte),
		cmocka_unit_test(test_welcome_is_useless_to_others),
		cmocka_unit_test(test_silent_refusal_looks_like_any_other),
		cmocka_unit_test(test_refusal_is_told),
		cmocka_unit_test(test_joiner_comes_with_invite_and_proof),
		cmocka_unit_test(test_joiner_without_invite_does_not_dial),
		cmocka_unit_test(test_versions_are_negotiated),
		cmocka_unit_test(test_unsound_hellos_get_no_byte),
		cmocka_unit_test(test_messages_before_the_handshake_close_the_link),
		cmocka_unit_test(test_half_open_links_of_one_source_are_bounded),
		cmocka_unit_test(test_sources_of_ipv6_are_networks),
		cmocka_unit_test(test_oldest_half_open_link_makes_room),
		cmocka_unit_test(test_hellos_of_one_source_are_limited),
		cmocka_unit_test(test_sessions_are_bounded),
		cmocka_unit_test(test_joiners_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
