/*
 * Seals: golden bytes of the handshake and of sealed frames, and the life of epochs.
 *
 * The expected bytes were made by a second implementation (of docs/protocol/sessions.md, in another
 * language with another library), not by this one.
 */
#include "smegd/wire/seal.h"

#include "tests/unit/unit.h"

#include "base/err.h"
#include "tests/unit/smegd/wire/hex.h"

#include <string.h>

static const char *const hello_hex =
	"000000990136c6379cc3e86eb61796979106f418f20faa684ed28867b97f4a6a2dee5df8"
	"ce974e76b7018e3f22a1c4cf2678570f20f31e61f1ad41ce5ef4e146599ce06ec36a41e3"
	"a8a8d892d9990d48ef8677224451a5632688cf7ff1aee994f58a2bbd96a62625a9292098"
	"bbf271151ee2d1b419a6e486d99f3e70c968b1e4180213609fab6391f8fd458be03742c3"
	"5e69a50b60923f39b94d521f17";

static const char *const joiner_hex =
	"00000108019ff5cf8fef0c37b35c5c13958a785d1b0faa684ed28867b97f4a6a2dee5df8"
	"ce974e76b7018e3f22a1c4cf2678570f20f31e61f1ad41ce5ef4e146599ce06ec36a41e3"
	"a8a8d892d9990d48ef8677224451a5632688cf7ff1aee994f58a2bbd96a62625a9292098"
	"bbf271151ee2d1b419a6e486d99f3e70c968b1e4180213609fab6391f8fd458be09864bf"
	"a96d74eae0716e0e19159a0922f091a4f2947ad1794d9fe8d00d9d2766362f6edd45ce41"
	"5382e66346bec57e8ab3cba8c9adcce12304a3d215636e5e4c8de584cd8a35dfe3d8054f"
	"c964f8153209e1042b30a26e48353a0e6801f0077625fba17c4e3f07c7c85243304fb93b"
	"e7fa9f4dc41f5885e4364133f5311d09";

static const char *const welcome_hex =
	"0000005102ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e"
	"6b3ac65b57d6fc68dad7a69af9f8f62f3a79ffdf7922356b0bb19b6c8cf8b3c7f87d9d0d"
	"05ea9bf49b6f214871b0520ab6";

static const char *const hash_hex =
	"4e8974431d5c79a24098e0f88758a0d8eb5c8f8483cf471bbfad808da93cb0d1e638d10a"
	"72351f78fe9cfe9ef0006560b98dc5a61e3ac66dd9486cc278974525";

static const char *const ready_hex = "00000012107953370896efc40f247310c2cffeffaff6";

static const char *const bulk1_hex = "0000001411006b0d73aa5040abd99d972186678459ba2252";

static const char *const back_hex = "0000001411b42b0ba67977f69823b671690f537fc7f34361";

static const char *const rk1_hex =
	"30d3c865a48fceb3d6118577cf2e5f228d6ff69866264757785b253cb7a4806acca0b2fd"
	"da0c3a811e5104f4ed2f5d10d93819a0bb23c4909dc614f5c81afc90cd18d61f68028ece"
	"61bb00e61aed4939f199d538ed528e73ea2bd54d8aabe3fd";

static const char *const rk2_hex =
	"ba193836cff1f4e866c139715d306408d26a76f76d638a39afc1001084d25411f8dccd2f"
	"9100cdf992814c1e933bd615";

static const char *const ready1_hex = "0000001212caeae315e17d98c3f3e80cea0ce8feab47";

struct party {
	struct keypair pair; /* only its X25519 half */
	struct identity self;
	struct noise n;
	struct seal seal;
};

static struct party initiator;
static struct party responder;

static void party_init(struct party *p, int secret)
{
	memset(p, 0, sizeof(*p));
	memset(p->pair.box_secret, secret, KEY_BYTES);
	crypto_scalarmult_curve25519_base(p->pair.box_public.b, p->pair.box_secret);
	memcpy(p->self.mesh, "abcdefghijklmnop", MESH_ID_BYTES);
	memset(p->self.mesh_public.b, 0x55, KEY_BYTES);
	p->self.pair = &p->pair;
}

static const uint8_t *secret_of(int first)
{
	static uint8_t secret[NOISE_SECRET_BYTES];

	memset(secret, first, sizeof(secret));
	return secret;
}

static void says_init(struct greet_hello *says, bool is_joiner)
{
	*says = (struct greet_hello){ .version_min = 1,
		                      .version_max = 1,
		                      .timestamp_ms = 1700000000001,
		                      .clock_ms = 1700000000000,
		                      .has_invite = is_joiner };
	says->invite = (struct bytes){ .at = (const uint8_t *)"limits", .count = 6 };
	memset(says->proof.b, 0x66, SIGNATURE_BYTES);
	memset(says->joiner.b, 0x77, KEY_BYTES);
}

static struct bytes hello(bool is_joiner)
{
	static uint8_t buffer[FRAME_FIRST_BYTES_MAX];
	struct seal_caller caller = { .self = &initiator.self,
		                      .peer = &responder.pair.box_public,
		                      .secret = secret_of(0x22) };
	struct greet_hello says;
	struct writer w;

	says_init(&says, is_joiner);
	writer_init(&w, buffer, sizeof(buffer));
	assert_int_equal(seal_hello(&initiator.n, &caller, &says, &w), 0);
	return writer_bytes(&w);
}

static struct bytes body(struct bytes frame)
{
	return (struct bytes){ .at = frame.at + FRAME_HEAD_BYTES,
		               .count = frame.count - FRAME_HEAD_BYTES };
}

static void parties(void)
{
	party_init(&initiator, 0x11);
	party_init(&responder, 0x33);
}

/* Up to keys on both sides. */
static void shake_hands(void)
{
	uint8_t scratch[FRAME_FIRST_BYTES_MAX];
	uint8_t buffer[FRAME_FIRST_BYTES_MAX];
	struct greet_welcome welcome = { .version = 1, .clock_ms = 1700000000500 };
	struct greet_hello got;
	struct noise_keys keys;
	struct writer w;

	parties();
	assert_int_equal(
		seal_hello_open(&responder.n, &responder.self, body(hello(false)), scratch, &got),
		0);
	writer_init(&w, buffer, sizeof(buffer));
	assert_int_equal(seal_welcome(&responder.n, secret_of(0x44), &welcome, &w), 0);
	assert_hex(writer_bytes(&w), welcome_hex);
	memset(&welcome, 0, sizeof(welcome));
	assert_int_equal(seal_welcome_open(&initiator.n, &initiator.self, body(writer_bytes(&w)),
	                                   scratch, &welcome),
	                 0);
	assert_int_equal(welcome.version, 1);
	assert_int_equal(welcome.err, 0);
	assert_int_equal(welcome.clock_ms, 1700000000500);
	noise_split(&responder.n, &keys);
	seal_init(&responder.seal, &keys, false);
	assert_true(sodium_is_zero((uint8_t *)&keys, sizeof(keys)));
	noise_split(&initiator.n, &keys);
	seal_init(&initiator.seal, &keys, true);
	assert_hex((struct bytes){ .at = initiator.seal.hash, .count = NOISE_HASH_BYTES },
	           hash_hex);
	assert_memory_equal(initiator.seal.hash, responder.seal.hash, NOISE_HASH_BYTES);
}

/* --- handshake ------------------------------------------------------------------------------ */

static void test_hello_gives_the_golden_bytes(void **state)
{
	uint8_t scratch[FRAME_FIRST_BYTES_MAX];
	struct greet_hello got;
	struct bytes frame;

	(void)state;
	parties();
	frame = hello(false);
	assert_hex(frame, hello_hex);
	assert_true(seal_hello_is_for(&responder.self, body(frame)));
	assert_int_equal(seal_hello_open(&responder.n, &responder.self, body(frame), scratch, &got),
	                 0);
	assert_true(key_equal(&responder.n.peer, &initiator.pair.box_public));
	assert_int_equal(got.timestamp_ms, 1700000000001);
	assert_int_equal(got.clock_ms, 1700000000000);
	assert_false(got.has_invite);
	frame = hello(true);
	assert_hex(frame, joiner_hex);
	assert_int_equal(seal_hello_open(&responder.n, &responder.self, body(frame), scratch, &got),
	                 0);
	assert_true(got.has_invite);
	assert_true(bytes_equal(got.invite,
	                        (struct bytes){ .at = (const uint8_t *)"limits", .count = 6 }));
	assert_int_equal(got.proof.b[63], 0x66);
	assert_int_equal(got.joiner.b[31], 0x77);
}

/* The MAC covers every byte, and is keyed by mesh and responder. */
static void test_mac_selects_the_mesh(void **state)
{
	uint8_t copy[FRAME_FIRST_BYTES_MAX];
	struct bytes frame;
	struct bytes b;

	(void)state;
	parties();
	frame = hello(true);
	memcpy(copy, frame.at, frame.count);
	b = body((struct bytes){ .at = copy, .count = frame.count });
	assert_false(seal_hello_is_for(&initiator.self, b));
	for (size_t i = 0; i < b.count; i++) {
		copy[FRAME_HEAD_BYTES + i] ^= 1;
		assert_false(seal_hello_is_for(&responder.self, b));
		copy[FRAME_HEAD_BYTES + i] ^= 1;
		assert_false(seal_hello_is_for(&responder.self,
		                               (struct bytes){ .at = b.at, .count = i }));
	}
	assert_true(seal_hello_is_for(&responder.self, b));
	for (size_t i = 0; i < MESH_ID_CHARS; i++) {
		responder.self.mesh[i] ^= 1;
		assert_false(seal_hello_is_for(&responder.self, b));
		responder.self.mesh[i] ^= 1;
	}
}

/* --- transport ------------------------------------------------------------------------------ */

static struct bytes sealed(struct seal *s,
                           enum lane lane,
                           enum seal_kind kind,
                           struct bytes content)
{
	static uint8_t buffer[1024];

	assert_true(content.count + SEAL_BYTES <= sizeof(buffer));
	if (content.count > 0)
		memcpy(buffer + SEAL_HEAD_BYTES, content.at, content.count);
	seal_frame(s, lane, kind, buffer, content.count);
	return (struct bytes){ .at = buffer, .count = content.count + SEAL_BYTES };
}

static int open(struct seal *s, struct bytes bytes, struct seal_opened *ret_opened)
{
	static uint8_t plain[1024];
	struct frame f = { .type = bytes.at[4],
		           .head = { .at = bytes.at, .count = FRAME_HEAD_BYTES },
		           .body = body(bytes) };

	return seal_open(s, &f, plain, ret_opened);
}

static const struct bytes bye = { .at = (const uint8_t *)"\x3a", .count = 2 };
static const struct bytes nothing = { .at = NULL, .count = 0 };

static void test_sealed_frames_give_the_golden_bytes(void **state)
{
	struct seal_opened got;
	struct bytes frame;

	(void)state;
	shake_hands();
	frame = sealed(&initiator.seal, LANE_CONTROL, SEAL_READY, nothing);
	assert_hex(frame, ready_hex);
	assert_int_equal(open(&responder.seal, frame, &got), 0);
	assert_int_equal(got.kind, SEAL_READY);
	assert_int_equal(got.content.count, 0);
	frame = sealed(&initiator.seal, LANE_BULK, SEAL_READY, nothing);
	assert_int_equal(open(&responder.seal, frame, &got), 0);
	frame = sealed(&initiator.seal, LANE_BULK, SEAL_MESSAGE, bye);
	assert_hex(frame, bulk1_hex);
	assert_int_equal(open(&responder.seal, frame, &got), 0);
	assert_int_equal(got.lane, LANE_BULK);
	assert_int_equal(got.kind, SEAL_MESSAGE);
	assert_true(bytes_equal(got.content, bye));
	frame = sealed(&responder.seal, LANE_BULK, SEAL_MESSAGE, bye);
	assert_hex(frame, back_hex);
	assert_int_equal(open(&initiator.seal, frame, &got), 0);
}

static void test_wrong_types_do_not_open(void **state)
{
	struct seal_opened got;
	uint8_t copy[64];
	struct bytes frame;

	(void)state;
	shake_hands();
	frame = sealed(&initiator.seal, LANE_CONTROL, SEAL_READY, nothing);
	memcpy(copy, frame.at, frame.count);
	frame.at = copy;
	for (unsigned type = 0; type < 256; type++) {
		copy[4] = (uint8_t)type;
		if (type != FRAME_SEALED)
			assert_int_equal(open(&responder.seal, frame, &got), ERR_MALFORMED);
	}
	copy[4] = FRAME_SEALED;
	for (size_t cut = FRAME_HEAD_BYTES; cut < frame.count; cut++)
		assert_int_equal(
			open(&responder.seal, (struct bytes){ .at = copy, .count = cut }, &got),
			ERR_MALFORMED);
	/* None of that has moved the counter. */
	assert_int_equal(open(&responder.seal, frame, &got), 0);
	assert_int_equal(open(&responder.seal, frame, &got), ERR_MALFORMED);
	/* Nor does a frame open at its sender. */
	frame = sealed(&initiator.seal, LANE_CONTROL, SEAL_READY, nothing);
	assert_int_equal(open(&initiator.seal, frame, &got), ERR_MALFORMED);
}

/* New keys from the golden rekey; `ret` for both sides. */
static void rekey(struct noise_keys *ret_initiator, struct noise_keys *ret_responder)
{
	uint8_t buffer[NOISE_FIRST_BYTES];
	uint8_t none[1];
	struct writer w;

	seal_rekey_init(&initiator.n, initiator.seal.hash, &responder.pair.box_public);
	seal_rekey_init(&responder.n, responder.seal.hash, &responder.pair.box_public);
	writer_init(&w, buffer, sizeof(buffer));
	assert_int_equal(
		noise_first_write(&initiator.n, &initiator.pair, secret_of(0x88), nothing, &w), 0);
	assert_hex(writer_bytes(&w), rk1_hex);
	assert_int_equal(noise_first_read(&responder.n, &responder.pair, writer_bytes(&w), none),
	                 0);
	writer_init(&w, buffer, sizeof(buffer));
	assert_int_equal(noise_second_write(&responder.n, secret_of(0x99), nothing, &w), 0);
	assert_hex(writer_bytes(&w), rk2_hex);
	assert_int_equal(noise_second_read(&initiator.n, &initiator.pair, writer_bytes(&w), none),
	                 0);
	noise_split(&initiator.n, ret_initiator);
	noise_split(&responder.n, ret_responder);
}

static void test_epochs_follow_each_other(void **state)
{
	struct noise_keys a;
	struct noise_keys b;
	struct seal_opened got;
	uint8_t old_bulk[64];
	struct bytes frame;
	struct bytes late = { .at = old_bulk };

	(void)state;
	shake_hands();
	assert_true(seal_is_settled(&initiator.seal));
	assert_false(seal_switch(&initiator.seal));
	frame = sealed(&initiator.seal, LANE_BULK, SEAL_MESSAGE, bye);
	late.count = frame.count;
	memcpy(old_bulk, frame.at, frame.count);
	rekey(&a, &b);
	seal_next(&responder.seal, &b, false);
	seal_next(&initiator.seal, &a, true);
	assert_false(seal_is_settled(&initiator.seal));
	assert_true(seal_switch(&initiator.seal));
	assert_false(seal_switch(&initiator.seal));
	frame = sealed(&initiator.seal, LANE_CONTROL, SEAL_READY, nothing);
	assert_hex(frame, ready1_hex);
	assert_int_equal(open(&responder.seal, frame, &got), 0);
	assert_true(got.is_new_epoch);
	/* The old key still opens what was on its way on the other lane, and only there. */
	assert_int_equal(open(&responder.seal, late, &got), 0);
	assert_false(got.is_new_epoch);
	old_bulk[4] ^= FRAME_SEALED_BULK;
	assert_int_equal(open(&responder.seal, late, &got), ERR_MALFORMED);
	frame = sealed(&initiator.seal, LANE_BULK, SEAL_READY, nothing);
	assert_int_equal(open(&responder.seal, frame, &got), 0);
	assert_true(got.is_new_epoch);
	assert_true(sodium_is_zero((uint8_t *)&responder.seal.rx[0], sizeof(struct seal_key)));
	assert_true(seal_switch(&responder.seal));
	assert_true(sodium_is_zero((uint8_t *)&responder.seal.tx[0], sizeof(struct seal_key)));
	assert_true(seal_is_settled(&responder.seal));
	seal_fini(&responder.seal);
	assert_true(sodium_is_zero((uint8_t *)&responder.seal, sizeof(responder.seal)));
	seal_fini(NULL);
}

/* After a lane has moved on, a frame of the epoch before is refused even though its key is there.
 */
static void test_lanes_do_not_go_back(void **state)
{
	struct noise_keys a;
	struct noise_keys b;
	struct seal_opened got;
	struct seal old;

	(void)state;
	shake_hands();
	rekey(&a, &b);
	seal_next(&responder.seal, &b, false);
	seal_next(&initiator.seal, &a, true);
	old = initiator.seal;
	seal_switch(&initiator.seal);
	assert_int_equal(open(&responder.seal,
	                      sealed(&initiator.seal, LANE_CONTROL, SEAL_READY, nothing), &got),
	                 0);
	assert_int_equal(
		open(&responder.seal, sealed(&old, LANE_CONTROL, SEAL_READY, nothing), &got),
		ERR_MALFORMED);
	assert_int_equal(open(&responder.seal, sealed(&old, LANE_BULK, SEAL_READY, nothing), &got),
	                 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_gives_the_golden_bytes),
		cmocka_unit_test(test_mac_selects_the_mesh),
		cmocka_unit_test(test_sealed_frames_give_the_golden_bytes),
		cmocka_unit_test(test_wrong_types_do_not_open),
		cmocka_unit_test(test_epochs_follow_each_other),
		cmocka_unit_test(test_lanes_do_not_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
