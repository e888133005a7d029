/*
 * Hello and welcome: how a link becomes a session.
 *
 * The order in which a hello is judged keeps strangers cheap and learns them nothing:
 *   1. its size, then its MAC under each of our identities: hashes only;
 *   2. the token bucket of its source address;
 *   3. two X25519 computations to open it: now the initiator's key is proved;
 *   4. the node's answer: member, joiner, told why not, or silence.
 * Up to the fourth every refusal looks alike: the link is closed without a byte.  A replayed hello
 * gets as far as the node, which knows the timestamp.
 *
 * Junk does not take tokens: who knows neither the mesh nor its member could otherwise use up
 * those of an honest neighbour behind the same address.
 *
 * The responder has a session only when a sealed frame has come, because until then the hello may
 * be somebody else's, replayed faster than its owner's own arrived.  The initiator sends that
 * frame (SEAL_READY) at once.
 *
 * Clocks: each side takes the other's clock as it was sent and adds half of the round trip.
 */
#include "smegd/wire/hub_priv.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

/* What an answer may tell us; anything else is no valid answer. */
static bool is_told(int err)
{
	switch (err) {
	case ERR_VERSION:
	case ERR_BAD_SIGNATURE:
	case ERR_NOT_ADMITTED:
	case ERR_NOT_AUTHORISED:
	case ERR_EXPIRED:
	case ERR_USED_UP:
	case ERR_WRONG_ROLE:
	case ERR_CLOCK_OFF:
	case ERR_EXPELLED:
	case ERR_IS_MEMBER:
	case ERR_ISSUER_AWAY:
	case ERR_BUSY:
	case ERR_LIMIT:
		return true;
	default:
		return false;
	}
}

static uint64_t clock_of(struct instant now)
{
	return MIN_OF((uint64_t)MAX_OF(now.unix_ms, 0), GREET_TIME_MAX);
}

/* Half of the time since `sent`. */
static int64_t half_trip(const struct step *s, struct instant sent)
{
	return (s->now.mono_ms - sent.mono_ms) / 2;
}

static int handshake_new(struct hub *h, struct link *l)
{
	assert(!l->handshake);
	l->handshake = mem_zalloc(h->mem, sizeof(*l->handshake));
	return l->handshake ? 0 : -ENOMEM;
}

/* The keys are agreed: from now on the link is sealed. */
static void seal_link(struct step *s, struct link *l, struct noise *n)
{
	struct noise_keys keys;

	noise_split(n, &keys);
	seal_init(&l->seal, &keys, l->is_dialled);
	assert(!l->is_sealed);
	l->is_sealed = true;
	s->hub->session_count++;
	rekey_arm(l, s->now);
}

/* --- the initiator -------------------------------------------------------------------------- */

static void hello_of(struct step *s,
                     const struct link *l,
                     const struct identity *self,
                     struct greet_hello *ret_says)
{
	struct hub *h = s->hub;

	h->last_timestamp_ms = MAX_OF(clock_of(s->now), h->last_timestamp_ms + 1);
	*ret_says = (struct greet_hello){
		.version_min = GREET_VERSION_MIN,
		.version_max = GREET_VERSION_MAX,
		.capabilities = GREET_CAPABILITIES,
		.timestamp_ms = h->last_timestamp_ms,
		.clock_ms = clock_of(s->now),
		.has_invite = l->pair.is_invited,
	};
	if (!ret_says->has_invite)
		return;
	ret_says->invite =
		(struct bytes){ .at = self->invite->raw, .count = self->invite->raw_bytes };
	ret_says->joiner = self->pair->sign_public;
	invite_prove(self->invite_pair, &self->pair->sign_public, &self->mesh_public,
	             &ret_says->proof);
}

int greeting_call(struct step *s, struct link *l)
{
	uint8_t buffer[FRAME_FIRST_BYTES_MAX];
	uint8_t secret[NOISE_SECRET_BYTES];
	struct identity self;
	struct greet_hello says;
	struct writer w;
	int err;

	if (!hub_identity(s->hub, l->pair.mesh, &self) ||
	    (l->pair.is_invited && (!self.invite || !self.invite_pair)))
		return link_cut(s, l, ERR_NO_MESH);
	if (key_equal(&self.pair->box_public, &l->pair.peer))
		return link_cut(s, l, ERR_BAD_KEY);
	err = handshake_new(s->hub, l);
	if (err)
		return err;
	hello_of(s, l, &self, &says);
	rng_bytes(&s->hub->rng, secret, sizeof(secret));
	writer_init(&w, buffer, sizeof(buffer));
	err = seal_hello(
		l->handshake,
		&(struct seal_caller){ .self = &self, .peer = &l->pair.peer, .secret = secret },
		&says, &w);
	sodium_memzero(secret, sizeof(secret));
	if (err)
		return link_cut(s, l, err);
	l->state = LINK_AWAIT_WELCOME;
	l->timestamp_ms = says.timestamp_ms;
	l->sent = s->now;
	l->auth_by_ms = s->now.mono_ms + AUTH_TIMEOUT_MS;
	link_schedule(s->hub, l);
	return link_send(s, l, LANE_CONTROL, writer_bytes(&w));
}

/* Open the welcome, or say what to tell the node: an error of ours, or the one that we were told.
 */
static int open_welcome(struct step *s,
                        struct link *l,
                        const struct frame *f,
                        struct greet_welcome *ret_says)
{
	uint8_t scratch[FRAME_FIRST_BYTES_MAX];
	struct identity self;

	if (!hub_identity(s->hub, l->pair.mesh, &self))
		return ERR_NO_MESH;
	if (f->type != FRAME_WELCOME ||
	    seal_welcome_open(l->handshake, &self, f->body, scratch, ret_says) != 0) {
		s->hub->counters.frames_bad++;
		return ERR_NO_ANSWER;
	}
	if (ret_says->err)
		return is_told(ret_says->err) ? ret_says->err : ERR_NO_ANSWER;
	if (ret_says->version < GREET_VERSION_MIN || ret_says->version > GREET_VERSION_MAX)
		return ERR_VERSION;
	return s->hub->session_count < LIMIT_SESSIONS ? 0 : ERR_LIMIT;
}

int greeting_welcome(struct step *s, struct link *l, const struct frame *f)
{
	struct greet_welcome says;
	int64_t ahead;
	int err = open_welcome(s, l, f, &says);

	if (err)
		return link_cut(s, l, err);
	seal_link(s, l, l->handshake);
	mem_free(s->hub->mem, l->handshake);
	l->handshake = NULL;
	l->capabilities = says.capabilities & GREET_CAPABILITIES;
	ahead = (int64_t)says.clock_ms - s->now.unix_ms + half_trip(s, l->sent);
	err = session_say(s, l, LANE_CONTROL, SEAL_READY, (struct bytes){ .at = NULL });
	return err ? err : session_up(s, l, ahead);
}

/* --- the responder -------------------------------------------------------------------------- */

int greeting_refuse(struct step *s, struct link *l)
{
	assert(l->state == LINK_AWAIT_HELLO);
	s->hub->counters.hellos++;
	s->hub->counters.hellos_refused++;
	return link_cut(s, l, 0);
}

/* Whom of us is it for? */
static bool find_called(const struct hub *h, struct bytes body, struct identity *ret_self)
{
	struct identity list[LIMIT_MESHES];
	size_t count = h->directory.identities(h->directory.ctx, list, LIMIT_MESHES);

	assert(count <= LIMIT_MESHES);
	for (size_t i = 0; i < count; i++) {
		if (!seal_hello_is_for(&list[i], body))
			continue;
		*ret_self = list[i];
		return true;
	}
	return false;
}

/* Is the hello what it claims, as far as arithmetic can tell?  Fills in the node's struct. */
static bool hello_is_sound(const struct identity *self,
                           const struct noise *n,
                           const struct greet_hello *says,
                           struct hello *ret_hello)
{
	struct key box;

	if (key_equal(&n->peer, &self->pair->box_public))
		return false;
	if (says->has_invite &&
	    (key_to_box(&says->joiner, &box) != 0 || !key_equal(&box, &n->peer)))
		return false;
	*ret_hello = (struct hello){
		.peer = n->peer,
		.timestamp_ms = says->timestamp_ms,
		.has_invite = says->has_invite,
		.invite = says->invite,
		.joiner = says->joiner,
		.proof = says->proof,
	};
	memcpy(ret_hello->mesh, self->mesh, MESH_ID_CHARS);
	return true;
}

/* The node lets him in; what stands against it on our side?  Else l is what he comes as. */
static int admit_link(struct step *s, struct link *l, const struct hello *hello, enum admit admit)
{
	struct hub *h = s->hub;
	bool as_joiner = admit == ADMIT_JOINER && hello->has_invite;

	memcpy(l->pair.mesh, hello->mesh, MESH_ID_CHARS);
	l->pair.peer = hello->peer;
	l->pair.is_invited = hello->has_invite;
	/* One that takes another's place is not one more. */
	if (h->session_count >= LIMIT_SESSIONS && !link_of_pair(h, &l->pair))
		return ERR_LIMIT;
	if (as_joiner && h->joiner_count >= HUB_JOINERS_MAX)
		return ERR_BUSY;
	l->timestamp_ms = hello->timestamp_ms;
	l->joiner = hello->joiner;
	l->as_joiner = as_joiner;
	h->joiner_count += as_joiner;
	return 0;
}

/* Answer: with err 0 the link awaits its first sealed frame, else it ends here. */
static int answer(struct step *s, struct link *l, struct noise *n, const struct greet_welcome *says)
{
	uint8_t buffer[FRAME_FIRST_BYTES_MAX];
	uint8_t secret[NOISE_SECRET_BYTES];
	unsigned before = n->operations;
	struct writer w;
	int err;

	rng_bytes(&s->hub->rng, secret, sizeof(secret));
	writer_init(&w, buffer, sizeof(buffer));
	err = seal_welcome(n, secret, says, &w);
	sodium_memzero(secret, sizeof(secret));
	s->hub->counters.key_operations += n->operations - before;
	if (err)
		return greeting_refuse(s, l);
	err = link_send(s, l, LANE_CONTROL, writer_bytes(&w));
	if (err)
		return err;
	s->hub->counters.hellos++;
	if (says->err)
		return link_cut(s, l, 0);
	seal_link(s, l, n);
	l->state = LINK_AWAIT_READY;
	l->sent = s->now;
	link_schedule(s->hub, l);
	return 0;
}

/* Ask the node about an opened hello, and answer. */
static int judge(struct step *s,
                 struct link *l,
                 struct noise *n,
                 const struct greet_hello *says,
                 const struct hello *hello)
{
	struct hub *h = s->hub;
	struct greet_welcome welcome = { .clock_ms = clock_of(s->now) };
	enum admit admit;

	admit = h->directory.admit(h->directory.ctx, hello, s->now, &welcome.err);
	if (admit == ADMIT_SILENT)
		return greeting_refuse(s, l);
	if (admit == ADMIT_TELL) {
		welcome.err = welcome.err ? welcome.err : ERR_INTERNAL;
		return answer(s, l, n, &welcome);
	}
	welcome.version = greet_version(says, GREET_VERSION_MIN, GREET_VERSION_MAX);
	welcome.capabilities = GREET_CAPABILITIES;
	welcome.err = welcome.version ? admit_link(s, l, hello, admit) : ERR_VERSION;
	if (welcome.err)
		welcome.version = 0;
	l->capabilities = says->capabilities & GREET_CAPABILITIES;
	l->clock_ahead_ms = (int64_t)says->clock_ms - s->now.unix_ms;
	return answer(s, l, n, &welcome);
}

int greeting_hello(struct step *s, struct link *l, const struct frame *f)
{
	uint8_t scratch[FRAME_FIRST_BYTES_MAX];
	struct identity self;
	struct greet_hello says;
	struct hello hello;
	struct noise n;
	int err;

	if (f->type != FRAME_HELLO || !find_called(s->hub, f->body, &self))
		return greeting_refuse(s, l);
	if (!source_spend(l->source, s->now)) {
		s->hub->counters.hellos_limited++;
		return greeting_refuse(s, l);
	}
	err = seal_hello_open(&n, &self, f->body, scratch, &says);
	s->hub->counters.key_operations += n.operations;
	if (err || !hello_is_sound(&self, &n, &says, &hello))
		err = greeting_refuse(s, l);
	else
		err = judge(s, l, &n, &says, &hello);
	noise_fini(&n);
	sodium_memzero(scratch, sizeof(scratch));
	return err;
}
