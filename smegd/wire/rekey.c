/*
 * New keys for a session, every REKEY_AFTER_MS.
 *
 *	dialler                                  dialled
 *	REKEY_FIRST  (old keys, control)  ---->  opens with new keys from here on
 *	             <----  REKEY_SECOND (old keys, control)
 *	seals with new keys from here on
 *	READY on both lanes (new keys)    ---->  seals with new keys from here on
 *	             <----  READY on both lanes (new keys)
 *
 * It is the same handshake as the first one, within the session and bound to it by the hash of the
 * handshake before: new ephemeral keys, so what is recorded today stays closed to whoever steals
 * tomorrow's keys, and the static keys again, so that a thief of session keys alone is shut out.
 * The node is not asked again: it closes the sessions of whom it expels.
 *
 * READY on both lanes marks where the old keys end on each, so that they can be wiped although the
 * lane has nothing else to say (seal.c).
 *
 * Who dialled starts.  A dialler that does not is cut off after a grace period, and so is one that
 * starts far too often: each handshake costs four X25519 computations.
 */
#include "smegd/wire/hub_priv.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

static int rekey_broken(struct step *s, struct link *l)
{
	s->hub->counters.frames_bad++;
	return link_cut(s, l, ERR_MALFORMED);
}

void rekey_arm(struct link *l, struct instant now)
{
	l->keyed_ms = now.mono_ms;
	l->rekey_at_ms = now.mono_ms + REKEY_AFTER_MS + (l->is_dialled ? 0 : HUB_REKEY_LATE_MS);
}

static int rekey_start(struct step *s, struct link *l, const struct identity *self)
{
	uint8_t message[NOISE_FIRST_BYTES];
	uint8_t secret[NOISE_SECRET_BYTES];
	struct writer w;
	int err;

	l->handshake = mem_zalloc(s->hub->mem, sizeof(*l->handshake));
	if (!l->handshake)
		return -ENOMEM;
	seal_rekey_init(l->handshake, l->seal.hash, &l->pair.peer);
	rng_bytes(&s->hub->rng, secret, sizeof(secret));
	writer_init(&w, message, sizeof(message));
	err = noise_first_write(l->handshake, self->pair, secret, (struct bytes){ .at = NULL }, &w);
	sodium_memzero(secret, sizeof(secret));
	if (err)
		return rekey_broken(s, l);
	l->rekey_at_ms = s->now.mono_ms + HUB_REKEY_TIMEOUT_MS;
	link_schedule(s->hub, l);
	return session_say(s, l, LANE_CONTROL, SEAL_REKEY_FIRST, writer_bytes(&w));
}

int rekey_due(struct step *s, struct link *l)
{
	struct identity self;

	if (!l->is_dialled || l->handshake || !seal_is_settled(&l->seal))
		return link_cut(s, l, ERR_TIMED_OUT);
	if (!hub_identity(s->hub, l->pair.mesh, &self))
		return link_cut(s, l, ERR_NO_MESH);
	return rekey_start(s, l, &self);
}

/* Open the dialler's message and write ours.  A handshake with the same member, or none. */
static int rekey_respond(
	struct step *s, struct link *l, struct bytes msg, struct noise *n, struct writer *w)
{
	uint8_t secret[NOISE_SECRET_BYTES];
	uint8_t nothing[1];
	struct identity self;
	int err;

	if (msg.count != NOISE_FIRST_BYTES)
		return ERR_MALFORMED;
	if (!hub_identity(s->hub, l->pair.mesh, &self))
		return ERR_NO_MESH;
	seal_rekey_init(n, l->seal.hash, &self.pair->box_public);
	err = noise_first_read(n, self.pair, msg, nothing);
	if (!err && !key_equal(&n->peer, &l->pair.peer))
		err = ERR_BAD_KEY;
	if (err)
		return err;
	rng_bytes(&s->hub->rng, secret, sizeof(secret));
	err = noise_second_write(n, secret, (struct bytes){ .at = NULL }, w);
	sodium_memzero(secret, sizeof(secret));
	return err;
}

int rekey_first(struct step *s, struct link *l, struct bytes msg)
{
	uint8_t message[NOISE_SECOND_BYTES];
	struct noise_keys keys;
	struct noise n = { .operations = 0 };
	struct writer w;
	int err;

	if (l->is_dialled || !seal_is_settled(&l->seal) ||
	    s->now.mono_ms - l->keyed_ms < HUB_REKEY_EARLIEST_MS)
		return rekey_broken(s, l);
	writer_init(&w, message, sizeof(message));
	err = rekey_respond(s, l, msg, &n, &w);
	if (err) {
		noise_fini(&n);
		return rekey_broken(s, l);
	}
	err = session_say(s, l, LANE_CONTROL, SEAL_REKEY_SECOND, writer_bytes(&w));
	noise_split(&n, &keys);
	seal_next(&l->seal, &keys, false);
	rekey_arm(l, s->now);
	link_schedule(s->hub, l);
	return err;
}

/* Seal under the new keys, and mark on both lanes where they begin. */
static int rekey_switch(struct step *s, struct link *l)
{
	const struct bytes nothing = { .at = NULL };
	int err;

	if (!seal_switch(&l->seal))
		return 0;
	err = session_say(s, l, LANE_CONTROL, SEAL_READY, nothing);
	return err ? err : session_say(s, l, LANE_BULK, SEAL_READY, nothing);
}

int rekey_second(struct step *s, struct link *l, struct bytes msg)
{
	uint8_t nothing[1];
	struct noise_keys keys;
	struct identity self;

	if (!l->handshake || msg.count != NOISE_SECOND_BYTES)
		return rekey_broken(s, l);
	if (!hub_identity(s->hub, l->pair.mesh, &self))
		return link_cut(s, l, ERR_NO_MESH);
	if (noise_second_read(l->handshake, self.pair, msg, nothing) != 0)
		return rekey_broken(s, l);
	noise_split(l->handshake, &keys);
	mem_free(s->hub->mem, l->handshake);
	l->handshake = NULL;
	seal_next(&l->seal, &keys, true);
	rekey_arm(l, s->now);
	link_schedule(s->hub, l);
	return rekey_switch(s, l);
}

int rekey_follow(struct step *s, struct link *l)
{
	return rekey_switch(s, l);
}
