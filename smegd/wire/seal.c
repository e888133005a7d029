/*
 * Handshake messages in their frames, and the sealing of everything after them.
 *
 * The prologue binds the handshake to this protocol and to one mesh; versions, capabilities and
 * clocks are in the payloads and so in the transcript: who changes one breaks the keys.
 *
 * Transport: ChaCha20-Poly1305 with the key of the direction; the nonce is the lane (32 bits) and
 * the number of the frame on its lane (64 bits), both little-endian as in Noise; the frame's head
 * is additional data.  Lanes count apart because the shell lets control frames overtake bulk
 * ones; within a lane nothing may be missing, come twice or out of order.
 *
 * Epochs.  A rekey gives new keys to both directions.  A side opens with them from the moment it
 * has them, and seals with them when it knows that the other side has them: the dialler at once,
 * the other with the first frame that it opens under them.  Frames under the old keys may still be
 * queued on a lane then; each lane therefore moves on with its own first new frame, never back,
 * and when both have moved the old key is wiped.  No timer, and no order between lanes is needed.
 *
 * A counter can't wrap: 2^64 frames at a million a second take half a million years.
 *
 * Rejected: Noise's Rekey(), which is a hash of the old key and heals nothing after a theft; keys
 * per lane instead of a nonce space per lane, which doubles what must be kept and wiped.
 */
#include "smegd/wire/seal.h"

#include "base/err.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define PROLOGUE "smegmesh 1"
#define PROLOGUE_REKEY "smegmesh 1 rekey"
#define MAC_LABEL "smeg hello mac"

_Static_assert(FRAME_HEAD_BYTES + SEAL_MAC_BYTES + NOISE_FIRST_BYTES + GREET_HELLO_BYTES_MAX <=
                       FRAME_FIRST_BYTES_MAX,
               "the longest hello fits");
_Static_assert(FRAME_HEAD_BYTES + NOISE_SECOND_BYTES + GREET_WELCOME_BYTES_MAX <=
                       FRAME_FIRST_BYTES_MAX,
               "the longest welcome fits");

/* --- handshake ------------------------------------------------------------------------------ */

static void hello_mac(uint8_t out[SEAL_MAC_BYTES],
                      const char mesh[MESH_ID_BYTES],
                      const struct key *responder,
                      struct bytes rest)
{
	uint8_t who[MESH_ID_CHARS + KEY_BYTES];
	uint8_t key[32];

	memcpy(who, mesh, MESH_ID_CHARS);
	memcpy(who + MESH_ID_CHARS, responder->b, KEY_BYTES);
	hash_labelled(MAC_LABEL, who, sizeof(who), key, sizeof(key));
	crypto_generichash_blake2b(out, SEAL_MAC_BYTES, rest.at, rest.count, key, sizeof(key));
	sodium_memzero(key, sizeof(key));
}

static void handshake_init(struct noise *n,
                           const struct identity *self,
                           const struct key *responder)
{
	uint8_t prologue[sizeof(PROLOGUE) + MESH_ID_CHARS + KEY_BYTES];
	struct writer w;

	writer_init(&w, prologue, sizeof(prologue));
	write_copy(&w, PROLOGUE, sizeof(PROLOGUE));
	write_copy(&w, self->mesh, MESH_ID_CHARS);
	write_copy(&w, self->mesh_public.b, KEY_BYTES);
	assert(w.count == sizeof(prologue));
	noise_init(n, writer_bytes(&w), responder);
}

int seal_hello(struct noise *n,
               const struct seal_caller *caller,
               const struct greet_hello *says,
               struct writer *w)
{
	uint8_t payload[GREET_HELLO_BYTES_MAX];
	uint8_t message[NOISE_FIRST_BYTES + GREET_HELLO_BYTES_MAX];
	uint8_t head[FRAME_HEAD_BYTES];
	uint8_t mac[SEAL_MAC_BYTES];
	struct writer p;
	struct writer m;
	int err;

	writer_init(&p, payload, sizeof(payload));
	greet_hello_write(says, &p);
	assert(!p.err);
	writer_init(&m, message, sizeof(message));
	handshake_init(n, caller->self, caller->peer);
	err = noise_first_write(n, caller->self->pair, caller->secret, writer_bytes(&p), &m);
	if (err)
		return err;
	hello_mac(mac, caller->self->mesh, caller->peer, writer_bytes(&m));
	frame_head(head, FRAME_HELLO, sizeof(mac) + m.count);
	write_copy(w, head, sizeof(head));
	write_copy(w, mac, sizeof(mac));
	write_copy(w, message, m.count);
	return w->err;
}

bool seal_hello_is_for(const struct identity *self, struct bytes body)
{
	uint8_t mac[SEAL_MAC_BYTES];

	if (body.count < SEAL_MAC_BYTES + NOISE_FIRST_BYTES)
		return false;
	hello_mac(mac, self->mesh, &self->pair->box_public,
	          (struct bytes){ .at = body.at + sizeof(mac), .count = body.count - sizeof(mac) });
	return sodium_memcmp(mac, body.at, sizeof(mac)) == 0;
}

int seal_hello_open(struct noise *n,
                    const struct identity *self,
                    struct bytes body,
                    uint8_t *scratch,
                    struct greet_hello *ret_says)
{
	struct bytes plain;
	int err;

	if (body.count < SEAL_MAC_BYTES + NOISE_FIRST_BYTES)
		return ERR_TRUNCATED;
	assert(body.count <= FRAME_FIRST_BYTES_MAX);
	handshake_init(n, self, &self->pair->box_public);
	err = noise_first_read(n, self->pair,
	                       (struct bytes){ .at = body.at + SEAL_MAC_BYTES,
	                                       .count = body.count - SEAL_MAC_BYTES },
	                       scratch);
	if (err)
		return err;
	plain = (struct bytes){ .at = scratch,
		                .count = body.count - SEAL_MAC_BYTES - NOISE_FIRST_BYTES };
	return greet_hello_read(plain, ret_says);
}

int seal_welcome(struct noise *n,
                 const uint8_t secret[NOISE_SECRET_BYTES],
                 const struct greet_welcome *says,
                 struct writer *w)
{
	uint8_t payload[GREET_WELCOME_BYTES_MAX];
	uint8_t message[NOISE_SECOND_BYTES + GREET_WELCOME_BYTES_MAX];
	uint8_t head[FRAME_HEAD_BYTES];
	struct writer p;
	struct writer m;
	int err;

	writer_init(&p, payload, sizeof(payload));
	greet_welcome_write(says, &p);
	assert(!p.err);
	writer_init(&m, message, sizeof(message));
	err = noise_second_write(n, secret, writer_bytes(&p), &m);
	if (err)
		return err;
	frame_head(head, FRAME_WELCOME, m.count);
	write_copy(w, head, sizeof(head));
	write_copy(w, message, m.count);
	return w->err;
}

int seal_welcome_open(struct noise *n,
                      const struct identity *self,
                      struct bytes body,
                      uint8_t *scratch,
                      struct greet_welcome *ret_says)
{
	struct bytes plain;
	int err;

	if (body.count < NOISE_SECOND_BYTES)
		return ERR_TRUNCATED;
	assert(body.count <= FRAME_FIRST_BYTES_MAX);
	err = noise_second_read(n, self->pair, body, scratch);
	if (err)
		return err;
	plain = (struct bytes){ .at = scratch, .count = body.count - NOISE_SECOND_BYTES };
	return greet_welcome_read(plain, ret_says);
}

void seal_rekey_init(struct noise *n,
                     const uint8_t session_hash[NOISE_HASH_BYTES],
                     const struct key *dialled)
{
	uint8_t prologue[sizeof(PROLOGUE_REKEY) + NOISE_HASH_BYTES];

	memcpy(prologue, PROLOGUE_REKEY, sizeof(PROLOGUE_REKEY));
	memcpy(prologue + sizeof(PROLOGUE_REKEY), session_hash, NOISE_HASH_BYTES);
	noise_init(n, (struct bytes){ .at = prologue, .count = sizeof(prologue) }, dialled);
}

/* --- transport ------------------------------------------------------------------------------ */

static void key_set(struct seal_key *k, const uint8_t raw[32])
{
	*k = (struct seal_key){ .present = true };
	memcpy(k->key, raw, sizeof(k->key));
}

static void keys_take(struct seal *s, unsigned epoch, struct noise_keys *keys, bool is_initiator)
{
	assert(!s->tx[epoch].present);
	assert(!s->rx[epoch].present);
	key_set(&s->tx[epoch], is_initiator ? keys->to_responder : keys->to_initiator);
	key_set(&s->rx[epoch], is_initiator ? keys->to_initiator : keys->to_responder);
	memcpy(s->hash, keys->hash, sizeof(s->hash));
	s->rx_newest = (uint8_t)epoch;
	sodium_memzero(keys, sizeof(*keys));
}

static void key_wipe(struct seal_key *k)
{
	sodium_memzero(k, sizeof(*k));
}

void seal_init(struct seal *s, struct noise_keys *keys, bool is_initiator)
{
	*s = (struct seal){ .tx_epoch = 0 };
	keys_take(s, 0, keys, is_initiator);
}

void seal_fini(struct seal *s)
{
	if (s)
		sodium_memzero(s, sizeof(*s));
}

bool seal_is_settled(const struct seal *s)
{
	return s->tx[0].present != s->tx[1].present && s->rx[0].present != s->rx[1].present;
}

void seal_next(struct seal *s, struct noise_keys *keys, bool is_initiator)
{
	assert(seal_is_settled(s));
	keys_take(s, !s->tx_epoch, keys, is_initiator);
}

bool seal_switch(struct seal *s)
{
	unsigned next = !s->tx_epoch;

	if (!s->tx[next].present)
		return false;
	key_wipe(&s->tx[s->tx_epoch]);
	s->tx_epoch = (uint8_t)next;
	return true;
}

static void nonce_of(uint8_t out[crypto_aead_chacha20poly1305_ietf_NPUBBYTES],
                     enum lane lane,
                     uint64_t count)
{
	memset(out, 0, crypto_aead_chacha20poly1305_ietf_NPUBBYTES);
	out[0] = (uint8_t)lane;
	for (unsigned i = 0; i < 8; i++)
		out[4 + i] = (uint8_t)(count >> (8 * i));
}

void seal_frame(
	struct seal *s, enum lane lane, enum seal_kind kind, uint8_t *frame, size_t content_bytes)
{
	struct seal_key *k = &s->tx[s->tx_epoch];
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	uint8_t type = FRAME_SEALED;
	size_t plain_bytes = SEAL_KIND_BYTES + content_bytes;

	assert(k->present);
	assert(lane < LANE__COUNT);
	if (lane == LANE_BULK)
		type |= FRAME_SEALED_BULK;
	if (s->tx_epoch)
		type |= FRAME_SEALED_ODD;
	frame_head(frame, type, plain_bytes + NOISE_TAG_BYTES);
	frame[FRAME_HEAD_BYTES] = (uint8_t)kind;
	nonce_of(nonce, lane, k->count[lane]++);
	crypto_aead_chacha20poly1305_ietf_encrypt(frame + FRAME_HEAD_BYTES, NULL,
	                                          frame + FRAME_HEAD_BYTES, plain_bytes, frame,
	                                          FRAME_HEAD_BYTES, NULL, nonce, k->key);
}

/* `lane` has moved to `epoch`; when all have, the older key has done its duty. */
static void lane_moved(struct seal *s, enum lane lane, uint8_t epoch)
{
	s->rx_epoch[lane] = epoch;
	for (unsigned i = 0; i < LANE__COUNT; i++) {
		if (s->rx_epoch[i] != epoch)
			return;
	}
	key_wipe(&s->rx[!epoch]);
}

int seal_open(struct seal *s,
              const struct frame *frame,
              uint8_t *plain,
              struct seal_opened *ret_opened)
{
	uint8_t epoch = frame->type & FRAME_SEALED_ODD ? 1 : 0;
	enum lane lane = frame->type & FRAME_SEALED_BULK ? LANE_BULK : LANE_CONTROL;
	struct seal_key *k = &s->rx[epoch];
	bool is_new = epoch != s->rx_epoch[lane];
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

	if ((frame->type & ~(FRAME_SEALED_BULK | FRAME_SEALED_ODD)) != FRAME_SEALED)
		return ERR_MALFORMED;
	if (frame->body.count < SEAL_KIND_BYTES + NOISE_TAG_BYTES)
		return ERR_MALFORMED;
	/* Back to an epoch that this lane has left is the same as no key. */
	if (!k->present || (is_new && epoch != s->rx_newest))
		return ERR_MALFORMED;
	nonce_of(nonce, lane, k->count[lane]);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, frame->body.at,
	                                              frame->body.count, frame->head.at,
	                                              frame->head.count, nonce, k->key) != 0)
		return ERR_MALFORMED;
	k->count[lane]++;
	if (is_new)
		lane_moved(s, lane, epoch);
	*ret_opened = (struct seal_opened){
		.lane = lane,
		.kind = plain[0],
		.content = { .at = plain + SEAL_KIND_BYTES,
		             .count = frame->body.count - SEAL_KIND_BYTES - NOISE_TAG_BYTES },
		.is_new_epoch = is_new,
	};
	return 0;
}
