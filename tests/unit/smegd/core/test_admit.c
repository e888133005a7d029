/*
 * The door: who may speak with us, and what is redeemed inside.
 */
#include "tests/unit/smegd/core/net.h"

#define NOW_MS (NET_NOW_MS + 1000000)

/* Host 0 made "home", host 1 is a member; keys and invites of others. */
struct door {
	struct net net;
	struct keypair joiner;
	struct keypair stranger;
	struct keypair other_mesh;
	struct keypair invite_pair;
	struct mesh *home;
};

static void pair_of(struct keypair *pair, uint8_t n)
{
	uint8_t seed[KEY_BYTES] = { n };

	while (keypair_from_seed(pair, seed))
		seed[1]++;
}

static void door_init(struct door *d)
{
	net_init(&d->net, 3);
	net_make_home(&d->net);
	d->home = net_mesh(&d->net, 0, "home");
	pair_of(&d->joiner, 1);
	pair_of(&d->stranger, 2);
	pair_of(&d->other_mesh, 3);
	pair_of(&d->invite_pair, 4);
}

static void door_fini(struct door *d)
{
	net_fini(&d->net);
}

static struct invite_limits limits_of(const struct door *d)
{
	return (struct invite_limits){
		.invite_key = d->invite_pair.sign_public,
		.role = ROLE_PEER,
		.issued_ms = NET_NOW_MS,
		.expires_ms = NOW_MS + 1,
	};
}

static enum admit knock(struct door *d, const struct hello *h, int *ret_err)
{
	const struct instant now = { .mono_ms = d->net.mono_ms, .unix_ms = NOW_MS };

	*ret_err = -1;
	return node_admit(d->net.hosts[0].node, h, now, ret_err);
}

static struct hello hello_of(const struct door *d, const struct key *peer)
{
	struct hello h = { .peer = *peer, .timestamp_ms = NOW_MS };

	memcpy(h.mesh, d->home->id, sizeof(h.mesh));
	return h;
}

/* --- the table ----------------------------------------------------------------------------------
 */

struct knock {
	struct hello h;
	struct invite_limits limits;
	const struct keypair *issuer;
	const struct key *mesh_public; /* that the invite is signed for */
	struct key proof_for;
};

static void nothing(struct door *d, struct knock *k)
{
	(void)d;
	(void)k;
}

static void stranger(struct door *d, struct knock *k)
{
	k->h = hello_of(d, &d->stranger.box_public);
}

static void member(struct door *d, struct knock *k)
{
	k->h = hello_of(d, &net_mesh(&d->net, 1, "home")->self.box_public);
}

static void member_of_other_mesh(struct door *d, struct knock *k)
{
	member(d, k);
	mesh_id_of(&d->other_mesh.sign_public, k->h.mesh);
}

static void expired(struct door *d, struct knock *k)
{
	(void)d;
	k->limits.expires_ms = NOW_MS;
}

static void other_mesh(struct door *d, struct knock *k)
{
	k->mesh_public = &d->other_mesh.sign_public;
}

static void by_a_stranger(struct door *d, struct knock *k)
{
	k->issuer = &d->stranger;
}

static void by_a_member(struct door *d, struct knock *k)
{
	k->issuer = &net_mesh(&d->net, 1, "home")->self;
}

static void for_other(struct door *d, struct knock *k)
{
	k->limits.has_for_key = true;
	k->limits.for_key = d->stranger.sign_public;
}

static void for_it(struct door *d, struct knock *k)
{
	k->limits.has_for_key = true;
	k->limits.for_key = d->joiner.sign_public;
}

static void proof_of_other(struct door *d, struct knock *k)
{
	k->proof_for = d->stranger.sign_public;
}

static void joiner_is_not_peer(struct door *d, struct knock *k)
{
	k->h.peer = d->stranger.box_public;
}

static void joiner_is_no_key(struct door *d, struct knock *k)
{
	(void)d;
	memset(&k->h.joiner, 0xff, sizeof(k->h.joiner));
	k->proof_for = k->h.joiner;
}

static void clock_ahead(struct door *d, struct knock *k)
{
	(void)d;
	k->h.timestamp_ms = NOW_MS + CLOCK_OFF_MS + 1;
}

static void clock_behind(struct door *d, struct knock *k)
{
	(void)d;
	k->h.timestamp_ms = NOW_MS - CLOCK_OFF_MS - 1;
}

static void clock_just_so(struct door *d, struct knock *k)
{
	(void)d;
	k->h.timestamp_ms = NOW_MS + CLOCK_OFF_MS;
}

static const struct {
	const char *name;
	void (*change)(struct door *d, struct knock *k);
	enum admit verdict;
	int err;
} rows[] = {
	{ "stranger", stranger, ADMIT_SILENT, 0 },
	{ "member", member, ADMIT_MEMBER, 0 },
	{ "member, of a mesh we are not in", member_of_other_mesh, ADMIT_SILENT, 0 },
	{ "joiner, clock behind", clock_behind, ADMIT_TELL, ERR_CLOCK_OFF },
	{ "joiner", nothing, ADMIT_JOINER, 0 },
	{ "joiner, expired", expired, ADMIT_TELL, ERR_EXPIRED },
	{ "joiner, invite of another mesh", other_mesh, ADMIT_SILENT, 0 },
	{ "joiner, invite by a stranger", by_a_stranger, ADMIT_SILENT, 0 },
	{ "joiner, invite by a member", by_a_member, ADMIT_SILENT, 0 },
	{ "joiner, invite for another", for_other, ADMIT_TELL, ERR_NOT_AUTHORISED },
	{ "joiner, invite for it", for_it, ADMIT_JOINER, 0 },
	{ "joiner, proof of another", proof_of_other, ADMIT_SILENT, 0 },
	{ "joiner is not who speaks", joiner_is_not_peer, ADMIT_SILENT, 0 },
	{ "joiner is no key", joiner_is_no_key, ADMIT_SILENT, 0 },
	{ "joiner, clock ahead", clock_ahead, ADMIT_TELL, ERR_CLOCK_OFF },
	{ "joiner, clock just right", clock_just_so, ADMIT_JOINER, 0 },
};

static void sign_knock(const struct door *d, struct knock *k, struct invite *invite)
{
	assert_int_equal(invite_sign(&k->limits, k->issuer, k->mesh_public, invite), 0);
	invite_prove(&d->invite_pair, &k->proof_for, k->mesh_public, &k->h.proof);
	k->h.invite = (struct bytes){ invite->raw, invite->raw_bytes };
}

static void test_the_door(void **state)
{
	struct door d;

	(void)state;
	door_init(&d);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct knock k = {
			.h = hello_of(&d, &d.joiner.box_public),
			.limits = limits_of(&d),
			.issuer = &d.home->self,
			.mesh_public = &d.home->mesh_public,
			.proof_for = d.joiner.sign_public,
		};
		struct invite invite;
		enum admit verdict;
		int err;

		k.h.has_invite = true;
		k.h.joiner = d.joiner.sign_public;
		k.h.timestamp_ms += i; /* never a replay */
		rows[i].change(&d, &k);
		if (k.h.has_invite)
			sign_knock(&d, &k, &invite);
		verdict = knock(&d, &k.h, &err);
		if (verdict != rows[i].verdict || err != rows[i].err)
			fail_msg("%s: %d, %s", rows[i].name, verdict, err_code(err));
	}
	door_fini(&d);
}

/* --- replays ------------------------------------------------------------------------------------
 */

static void test_a_first_message_is_heard_once(void **state)
{
	struct event tick = { .kind = EV_TICK };
	struct door d;
	struct hello h;
	int err;

	(void)state;
	door_init(&d);
	h = hello_of(&d, &net_mesh(&d.net, 1, "home")->self.box_public);
	assert_false(node_has_unsaved(d.net.hosts[0].node));
	assert_int_equal(knock(&d, &h, &err), ADMIT_MEMBER);
	assert_true(node_has_unsaved(d.net.hosts[0].node));
	assert_int_equal(knock(&d, &h, &err), ADMIT_SILENT);
	h.timestamp_ms--;
	assert_int_equal(knock(&d, &h, &err), ADMIT_SILENT);
	h.timestamp_ms += 2;
	assert_int_equal(knock(&d, &h, &err), ADMIT_MEMBER);
	net_event(&d.net, 0, &tick); /* stored with the next step, whatever it is */
	assert_false(node_has_unsaved(d.net.hosts[0].node));
	net_crash(&d.net, 0);
	net_boot(&d.net, 0);
	d.home = net_mesh(&d.net, 0, "home");
	assert_int_equal(knock(&d, &h, &err), ADMIT_SILENT);
	h.timestamp_ms++;
	assert_int_equal(knock(&d, &h, &err), ADMIT_MEMBER);
	door_fini(&d);
}

static void test_strangers_are_not_remembered(void **state)
{
	struct door d;
	struct hello h;
	size_t seen;
	int err;

	(void)state;
	door_init(&d);
	seen = d.net.hosts[0].node->seen.count;
	h = hello_of(&d, &d.stranger.box_public);
	assert_int_equal(knock(&d, &h, &err), ADMIT_SILENT);
	assert_int_equal(d.net.hosts[0].node->seen.count, seen);
	door_fini(&d);
}

static void test_who_has_left_may_come_back_and_who_was_expelled_may_not(void **state)
{
	struct command leave = { .kind = CMD_LEAVE, .mesh = "home" };
	struct expulsion x = { .issued_ms = NET_NOW_MS };
	struct key gone;
	struct door d;
	struct hello h;
	struct stmt *s;
	struct step st = { .n = NULL };
	int err;

	(void)state;
	door_init(&d);
	gone = net_mesh(&d.net, 1, "home")->self.box_public;
	x.subject = net_mesh(&d.net, 1, "home")->self.sign_public;
	assert_int_equal(net_do(&d.net, 1, &leave)->err, 0);
	h = hello_of(&d, &gone);
	assert_int_equal(knock(&d, &h, &err), ADMIT_MEMBER);
	assert_int_equal(
		expel_sign(&d.net.hosts[0].mt.mem, &x, &d.home->self, &d.home->mesh_public, &s), 0);
	st.n = d.net.hosts[0].node;
	st.fx = &d.net.hosts[0].fx;
	st.now.unix_ms = NET_NOW_MS;
	assert_int_equal(mesh_offer(&st, d.home, s->raw, 0), OFFER_NEW);
	stmt_unref(&d.net.hosts[0].mt.mem, s);
	h.timestamp_ms++;
	assert_int_equal(knock(&d, &h, &err), ADMIT_SILENT);
	door_fini(&d);
}

static void test_a_mesh_that_was_left_has_no_door(void **state)
{
	struct command leave = { .kind = CMD_LEAVE, .mesh = "home" };
	struct door d;
	struct hello h;
	int err;

	(void)state;
	door_init(&d);
	h = hello_of(&d, &net_mesh(&d.net, 1, "home")->self.box_public);
	assert_int_equal(net_do(&d.net, 0, &leave)->err, 0);
	assert_int_equal(knock(&d, &h, &err), ADMIT_SILENT);
	door_fini(&d);
}

/* --- inside: redemptions by members that may be hostile ------------------------------------------
 */

struct answers {
	size_t count;
	int err;
};

static bool see_answer(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct answers *a = ctx;

	if (from != 0 || to != 1 || msg->kind != MSG_REDEEMED)
		return true;
	a->count++;
	a->err = msg->u.redeemed.err;
	return true;
}

/* Host 1 asks host 0 to honour an invite; returns the answer. */
static int redeem(struct door *d, const struct keypair *issuer, const struct invite_limits *limits)
{
	struct answers answers = { 0, 0 };
	struct event ev = { .kind = EV_MESSAGE };
	struct msg msg = { .kind = MSG_REDEEM };
	struct invite invite;

	assert_int_equal(invite_sign(limits, issuer, &d->home->mesh_public, &invite), 0);
	msg.u.redeem.request = 77;
	msg.u.redeem.invite = (struct bytes){ invite.raw, invite.raw_bytes };
	msg.u.redeem.joiner = d->joiner.sign_public;
	invite_prove(&d->invite_pair, &d->joiner.sign_public, &d->home->mesh_public,
	             &msg.u.redeem.proof);
	ev.u.message.session =
		mesh_peer(d->home, &net_mesh(&d->net, 1, "home")->self.box_public)->session->id;
	ev.u.message.msg = &msg;
	d->net.filter = see_answer;
	d->net.ctx = &answers;
	net_event(&d->net, 0, &ev);
	net_run(&d->net, 12 * MS_PER_SECOND);
	d->net.filter = NULL;
	assert_int_equal(answers.count, 1);
	return answers.err;
}

static void test_nobody_but_administrators_makes_invites(void **state)
{
	struct invite_limits limits;
	struct door d;

	(void)state;
	door_init(&d);
	limits = limits_of(&d);
	assert_int_not_equal(redeem(&d, &net_mesh(&d.net, 1, "home")->self, &limits), 0);
	assert_int_not_equal(redeem(&d, &d.stranger, &limits), 0);
	assert_null(set_find(d.home->set, &d.joiner.box_public));
	assert_int_equal(redeem(&d, &d.home->self, &limits), 0);
	assert_non_null(set_find(d.home->set, &d.joiner.box_public));
	door_fini(&d);
}

static void test_an_expelled_key_is_told_so(void **state)
{
	struct expulsion x = { .issued_ms = NET_NOW_MS };
	struct invite_limits limits;
	struct step st = { .n = NULL };
	struct stmt *s;
	struct door d;

	(void)state;
	door_init(&d);
	limits = limits_of(&d);
	x.subject = d.joiner.sign_public;
	assert_int_equal(
		expel_sign(&d.net.hosts[0].mt.mem, &x, &d.home->self, &d.home->mesh_public, &s), 0);
	st.n = d.net.hosts[0].node;
	st.fx = &d.net.hosts[0].fx;
	st.now.unix_ms = NET_NOW_MS;
	assert_int_equal(mesh_offer(&st, d.home, s->raw, 0), OFFER_NEW);
	stmt_unref(&d.net.hosts[0].mt.mem, s);
	assert_int_equal(redeem(&d, &d.home->self, &limits), ERR_EXPELLED);
	door_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_door),
		cmocka_unit_test(test_a_first_message_is_heard_once),
		cmocka_unit_test(test_strangers_are_not_remembered),
		cmocka_unit_test(test_who_has_left_may_come_back_and_who_was_expelled_may_not),
		cmocka_unit_test(test_a_mesh_that_was_left_has_no_door),
		cmocka_unit_test(test_nobody_but_administrators_makes_invites),
		cmocka_unit_test(test_an_expelled_key_is_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
