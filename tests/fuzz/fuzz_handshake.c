/*
 * Links and handshakes, both sides, with the fuzzer in between.
 *
 * A dialler and a responder are real hubs.  The input is a list of commands of two bytes each: what
 * to do, and a number.  The fuzzer may pass on what one sends, cut it, change it, say it again or
 * say something else.  A fuzzer can't make a MAC, so there are also commands that open a hello's
 * payload: it is sealed as it must be and then read.
 *
 * Whatever happens: no assert, no leak, and nobody has a session that the other could not have
 * agreed to: both hubs only ever see each other's key.
 */
#include "base/err.h"
#include "smegd/wire/hub.h"
#include "smegd/wire/seal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define QUEUE_BYTES 65536

struct side {
	struct hub *hub;
	struct hub_outputs out;
	struct keypair pair;
	struct identity identity;
	uint8_t queue[QUEUE_BYTES]; /* what it has sent */
	size_t queued;
	size_t passed;
	uint64_t session;
	struct side *other;
};

static struct side sides[2];
static struct instant now;
static struct key mesh_public;

static void *resize(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	if (bytes == 0) {
		free(ptr);
		return NULL;
	}
	return realloc(ptr, bytes);
}

static const struct mem mem = { .resize = resize };

static size_t identities(void *ctx, struct identity *out, size_t cap)
{
	struct side *s = ctx;

	assert(cap >= 1);
	out[0] = s->identity;
	return 1;
}

static enum admit admit(void *ctx, const struct hello *hello, struct instant at, int *ret_err)
{
	struct side *s = ctx;

	(void)at;
	assert(key_equal(&hello->peer, &s->other->pair.box_public));
	*ret_err = ERR_EXPIRED;
	return hello->timestamp_ms % 3 ? ADMIT_MEMBER : ADMIT_TELL;
}

static void finish(struct side *s, int err)
{
	assert(err == 0);
	for (size_t i = 0; i < s->out.count; i++) {
		const struct hub_output *o = &s->out.list[i];

		if (o->kind == HUB_SEND && o->frame.count <= QUEUE_BYTES - s->queued) {
			memcpy(s->queue + s->queued, o->frame.at, o->frame.count);
			s->queued += o->frame.count;
		}
		if (o->kind != HUB_EVENT)
			continue;
		if (o->event.kind == EV_SESSION_UP) {
			assert(key_equal(&o->event.u.session_up.peer, &s->other->pair.box_public));
			s->session = o->event.u.session_up.session;
		}
		if (o->event.kind == EV_MESSAGE)
			assert(o->event.u.message.msg->kind == MSG_BYE);
	}
}

static void side_init(unsigned i)
{
	struct side *s = &sides[i];
	struct hub_options options = { .mem = &mem };
	uint8_t seed[KEY_BYTES] = { (uint8_t)(1 + i) };
	int err;

	while (keypair_from_seed(&s->pair, seed) != 0)
		seed[1]++;
	s->identity.mesh_public = mesh_public;
	memcpy(s->identity.mesh, "abcdefghijklmnop", MESH_ID_BYTES);
	s->identity.pair = &s->pair;
	s->other = &sides[!i];
	s->queued = 0;
	s->passed = 0;
	s->session = 0;
	options.directory.ctx = s;
	options.directory.identities = identities;
	options.directory.admit = admit;
	options.seed[0] = (uint8_t)i;
	err = hub_new(&options, &s->hub);
	assert(err == 0);
	hub_outputs_init(&s->out, &mem);
}

static void start(void)
{
	const struct endpoint at = { .port = 1 };
	struct effect dial = { .kind = FX_DIAL };
	struct side *a = &sides[0];
	struct side *b = &sides[1];

	now = (struct instant){ .mono_ms = 1000, .unix_ms = 1700000000000 };
	side_init(0);
	side_init(1);
	dial.u.dial.dial = 1;
	dial.u.dial.peer = b->pair.box_public;
	memcpy(dial.u.dial.mesh, a->identity.mesh, MESH_ID_BYTES);
	finish(a, hub_dial(a->hub, 1, &dial, now, &a->out));
	finish(a, hub_connected(a->hub, 1, &at, now, &a->out));
	finish(b, hub_accepted(b->hub, 1, &at, now, &b->out));
}

static void give(struct side *to, const uint8_t *at, size_t count)
{
	uint8_t *copy = malloc(count + 1);

	assert(copy);
	if (count > 0)
		memcpy(copy, at, count);
	finish(to,
	       hub_bytes(to->hub, 1, (struct bytes){ .at = copy, .count = count }, now, &to->out));
	free(copy);
}

/* Up to `count` of the bytes that `from` has sent and that are not passed on yet. */
static void pass(struct side *from, size_t count)
{
	size_t at = from->passed;

	count = MIN_OF(count, from->queued - at);
	from->passed += count;
	give(from->other, from->queue + at, count);
}

static void say(struct side *s, uint8_t number)
{
	struct msg m = { .kind = MSG_BYE };
	struct effect fx = { .kind = FX_SEND };

	fx.u.send.session = s->session;
	fx.u.send.lane = number & 1 ? LANE_BULK : LANE_CONTROL;
	fx.u.send.msg = &m;
	finish(s, hub_send(s->hub, &fx, now, &s->out));
}

static void pass_time(uint8_t number)
{
	now.mono_ms += (int64_t)number * number * number;
	now.unix_ms += (int64_t)number * number * number;
	for (unsigned i = 0; i < 2; i++)
		finish(&sides[i], hub_tick(sides[i].hub, now, &sides[i].out));
}

static void command(uint8_t what, uint8_t number)
{
	struct side *s = &sides[what & 1];

	switch (what >> 1 & 7) {
	case 0:
	case 1:
		pass(s, QUEUE_BYTES);
		break;
	case 2:
		pass(s, number);
		break;
	case 3: /* change one of the next bytes */
		if (s->queued - s->passed > number)
			s->queue[s->passed + number] ^= (uint8_t)(1 << (what >> 4 & 7));
		break;
	case 4: /* say again */
		s->passed -= MIN_OF(s->passed, number);
		break;
	case 5:
		give(s, (const uint8_t[]){ 0, 0, 0, 1, number }, 5);
		break;
	case 6:
		say(s, number);
		break;
	case 7:
		pass_time(number);
		break;
	}
}

/* Payloads behind the seals. */
static void read_payloads(struct bytes src)
{
	struct greet_welcome welcome;
	struct greet_hello hello;

	if (greet_hello_read(src, &hello) == 0) {
		assert(hello.version_min <= hello.version_max);
		assert(hello.clock_ms <= GREET_TIME_MAX && hello.timestamp_ms <= GREET_TIME_MAX);
		assert(!hello.has_invite ||
		       (hello.invite.count > 0 && hello.invite.count <= INVITE_LIMITS_BYTES_MAX));
	}
	if (greet_welcome_read(src, &welcome) == 0)
		assert(welcome.clock_ms <= GREET_TIME_MAX && welcome.err <= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] == 0xff) {
		read_payloads((struct bytes){ .at = data + 1, .count = size - 1 });
		return 0;
	}
	start();
	if (data[0] == 0xfe)
		give(&sides[1], data + 1, size - 1);
	else if (data[0] == 0xfd)
		give(&sides[0], data + 1, size - 1);
	for (size_t i = 0; data[0] < 0xfd && i + 1 < MIN_OF(size, 128); i += 2)
		command(data[i], data[i + 1]);
	for (unsigned i = 0; i < 2; i++) {
		hub_free(sides[i].hub);
		hub_outputs_fini(&sides[i].out);
	}
	return 0;
}
