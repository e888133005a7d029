/*
 * Joining: what the joiner, its introducer and the issuer do, also when one of them is away or does
 * not answer.
 */
#include "tests/unit/smegd/core/net.h"

#include <stdio.h>

static char *keep(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	return copy;
}

static int join(struct net *n, size_t host, const char *token)
{
	struct command c = net_join_command(token);
	const struct command_result *r = net_do(n, host, &c);

	assert_non_null(r);
	return r->err;
}

static size_t uses_left(const struct net *n, size_t host)
{
	struct map_node *pos;
	size_t uses = 0;

	map_for_each(pos, &net_mesh(n, host, "home")->issued)
		uses += container_of(pos, struct issued, node)->uses_left;
	return uses;
}

/* --- the way it should go ----------------------------------------------------------------------
 */

/* Up to where it is a member. */
static const char joiner_log[] = "addresses\n"
				 "put counter prepared-key\n"
				 "progress 1\n"
				 "read\napply 7\ntrace applied\nread\n"
				 "progress 2\n"
				 "dial 10.0.0.1 as joiner\n"
				 "progress 3\n"
				 "send redeem\n"
				 "put state 1 lazily\nput state 3 lazily\n"
				 "progress 4\n"
				 "send bye\nclose\n"
				 "put mesh\ndelete counter prepared-key\n"
				 "put counter reserved-counter\nput state 4\n";

static void test_a_join_goes_step_by_step(void **state)
{
	struct net n;

	(void)state;
	net_init(&n, 2);
	net_boot_all(&n);
	net_join(&n, 1, net_create(&n, 0, "home"));
	if (strncmp(n.hosts[1].log, joiner_log, strlen(joiner_log)) != 0)
		fail_msg("%s", n.hosts[1].log);
	assert_true(net_logged(&n, 1, "progress 5\n"));
	assert_int_equal(net_members(&n, 0, "home"), 2);
	assert_int_equal(net_members(&n, 1, "home"), 2);
	assert_true(net_agrees(&n, "home"));
	net_run(&n, MS_PER_SECOND);
	for (size_t i = 0; i < 2; i++) {
		const struct net_host *h = &n.hosts[i];

		assert_int_equal(h->devices[0].box.d.peers_count, 1);
		assert_int_equal(h->devices[0].box.peers[0].allowed_count, 1);
		assert_true(h->devices[0].box.peers[0].has_endpoint);
		assert_int_equal(h->devices[0].box.peers[0].endpoint.port, 51820);
	}
	net_fini(&n);
}

static void test_a_token_admits_as_many_as_it_says(void **state)
{
	struct net n;
	char *token;

	(void)state;
	net_init(&n, 5);
	net_boot_all(&n);
	token = keep(net_create(&n, 0, "home"));
	net_join(&n, 1, token);
	assert_int_equal(join(&n, 2, token), ERR_USED_UP);
	assert_int_equal(disk_count(&n.hosts[2].disk, ROW_MESH), 0);
	assert_false(n.hosts[2].devices[0].box.d.exists);
	free(token);
	token = keep(net_invite(&n, 0, "home", 2));
	net_join(&n, 2, token);
	net_join(&n, 3, token);
	assert_int_equal(join(&n, 4, token), ERR_USED_UP);
	free(token);
	token = keep(net_invite(&n, 0, "home", 0));
	net_join(&n, 4, token);
	free(token);
	assert_int_equal(net_members(&n, 4, "home"), 5);
	net_run(&n, MS_PER_SECOND);
	assert_true(net_agrees(&n, "home"));
	net_fini(&n);
}

static void test_an_issuer_that_restarts_remembers_what_is_used(void **state)
{
	struct net n;
	char *token;

	(void)state;
	net_init(&n, 3);
	net_boot_all(&n);
	token = keep(net_create(&n, 0, "home"));
	net_join(&n, 1, token);
	net_crash(&n, 0);
	net_boot(&n, 0);
	assert_int_equal(join(&n, 2, token), ERR_USED_UP);
	free(token);
	net_fini(&n);
}

static void test_tokens_that_cannot_work_are_refused_before_anything_is_done(void **state)
{
	struct command client = net_invite_command("home", 1);
	struct command other = net_invite_command("home", 1);
	struct command c;
	struct net n;
	char *token;

	(void)state;
	net_init(&n, 2);
	net_boot_all(&n);
	token = keep(net_create(&n, 0, "home"));
	assert_int_equal(join(&n, 0, token), ERR_IS_MEMBER);
	token[20] ^= 1;
	assert_int_equal(join(&n, 1, token), ERR_TRUNCATED);
	assert_int_equal(join(&n, 1, "smeg2_AAAA"), ERR_VERSION);
	token[20] ^= 1;
	n.hosts[1].wall_ahead_ms = 2 * MS_PER_DAY;
	assert_int_equal(join(&n, 1, token), ERR_EXPIRED);
	n.hosts[1].wall_ahead_ms = 0;
	client.role = ROLE_CLIENT;
	c = net_join_command(net_do(&n, 0, &client)->token);
	c.role = ROLE_PEER;
	assert_int_equal(net_do(&n, 1, &c)->err, ERR_WRONG_ROLE);
	other.has_for_key = true;
	other.for_key = net_mesh(&n, 0, "home")->self.sign_public;
	assert_int_equal(join(&n, 1, net_do(&n, 0, &other)->token), ERR_NOT_AUTHORISED);
	assert_int_equal(n.hosts[1].disk.puts, 0);
	net_create(&n, 1, "home");
	assert_int_equal(join(&n, 1, token), ERR_EXISTS_MESH);
	c = net_join_command(token);
	snprintf(c.mesh, sizeof(c.mesh), "home-2");
	assert_int_equal(net_do(&n, 1, &c)->err, 0);
	free(token);
	net_fini(&n);
}

static void test_a_clock_that_is_off_is_told(void **state)
{
	struct net n;
	char *token;

	(void)state;
	net_init(&n, 2);
	net_boot_all(&n);
	token = keep(net_create(&n, 0, "home"));
	n.hosts[1].wall_ahead_ms = CLOCK_OFF_MS + MS_PER_MINUTE;
	assert_int_equal(join(&n, 1, token), ERR_CLOCK_OFF);
	/* Put right, it works at once. */
	n.hosts[1].wall_ahead_ms = 0;
	n.hosts[1].hello_ms = 0;
	assert_int_equal(join(&n, 1, token), 0);
	free(token);
	net_fini(&n);
}

/* --- introducers --------------------------------------------------------------------------------
 */

/* Hosts 0 and 1 in a mesh; a token by 0 that names both as places; 2 reaches 1 only. */
static char *cut_from_issuer(struct net *n, uint32_t uses)
{
	char *token;

	net_init(n, 3);
	net_boot_all(n);
	net_join(n, 1, net_create(n, 0, "home"));
	net_run(n, MS_PER_SECOND);
	token = keep(net_invite(n, 0, "home", uses));
	net_cut(n, 0, 2, true);
	return token;
}

static void test_an_introducer_passes_a_redemption_on(void **state)
{
	struct net n;
	char *token = cut_from_issuer(&n, 1);

	(void)state;
	assert_int_equal(join(&n, 2, token), 0);
	assert_int_equal(uses_left(&n, 0), 0);
	assert_int_equal(net_members(&n, 0, "home"), 3);
	assert_true(net_logged(&n, 2, "dial 10.0.0.1 as joiner\n"));
	assert_true(net_logged(&n, 2, "dial 10.0.0.2 as joiner\n"));
	assert_true(list_is_empty(&net_mesh(&n, 1, "home")->relays));
	free(token);
	net_fini(&n);
}

static void test_if_the_issuer_is_away_the_joiner_is_told(void **state)
{
	struct command c;
	const struct command_result *r;
	struct net n;
	char *token = cut_from_issuer(&n, 1);

	(void)state;
	net_crash(&n, 0);
	net_run(&n, MS_PER_SECOND);
	c = net_join_command(token);
	r = net_do(&n, 2, &c);
	assert_int_equal(r->err, ERR_ISSUER_AWAY);
	assert_non_null(strstr(r->diag.text, "10.0.0.2"));
	assert_non_null(strstr(r->diag.hint, "--uncounted"));
	assert_true(list_is_empty(&net_mesh(&n, 1, "home")->relays));
	net_boot(&n, 0);
	net_run(&n, MS_PER_MINUTE);
	assert_int_equal(join(&n, 2, token), 0);
	free(token);
	net_fini(&n);
}

static bool lose_relayed(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	size_t *lost = ctx;

	if (*lost || from != 1 || to != 0 || msg->kind != MSG_REDEEM)
		return true;
	++*lost;
	return false;
}

/* What was passed on is lost with the issuer's session; it is asked again when it is back. */
static void test_an_issuer_that_restarts_is_asked_again(void **state)
{
	struct command c;
	struct net n;
	char *token = cut_from_issuer(&n, 1);
	size_t lost = 0;
	uint64_t request;

	(void)state;
	n.filter = lose_relayed;
	n.ctx = &lost;
	c = net_join_command(token);
	request = net_command(&n, 2, &c);
	net_run(&n, MS_PER_SECOND);
	assert_int_equal(lost, 1);
	assert_null(net_result(&n, 2, request));
	net_crash(&n, 0);
	net_boot(&n, 0);
	net_run(&n, 3 * MS_PER_SECOND);
	assert_true(net_logged(&n, 2, "progress 4\n"));
	assert_int_equal(uses_left(&n, 0), 0);
	assert_int_equal(net_members(&n, 0, "home"), 3);
	assert_true(list_is_empty(&net_mesh(&n, 1, "home")->relays));
	net_run(&n, JOIN_COMPARE_MS);
	assert_int_equal(net_result(&n, 2, request)->err, 0);
	free(token);
	net_fini(&n);
}

/* By then the pauses between two attempts are longer than a joiner waits. */
static void test_an_issuer_that_was_away_for_long_is_sought_at_once(void **state)
{
	struct command c;
	struct net n;
	char *token = cut_from_issuer(&n, 1);
	uint64_t request;

	(void)state;
	net_cut(&n, 0, 1, true);
	net_run(&n, 5 * MS_PER_MINUTE);
	c = net_join_command(token);
	request = net_command(&n, 2, &c);
	net_run(&n, MS_PER_SECOND);
	assert_null(net_result(&n, 2, request));
	net_cut(&n, 0, 1, false);
	net_run(&n, 6 * MS_PER_SECOND);
	assert_true(net_logged(&n, 2, "progress 4\n"));
	net_run(&n, JOIN_COMPARE_MS);
	assert_int_equal(net_result(&n, 2, request)->err, 0);
	free(token);
	net_fini(&n);
}

/* Give host 0's mesh a second administrator. */
static void appoint(struct net *n, size_t host)
{
	struct mesh *home = net_mesh(n, 0, "home");
	struct bytes raw;
	struct msg msg = { .kind = MSG_ENTRIES, .u.entries = { .stmts = &raw, .count = 1 } };
	struct event ev = { .kind = EV_MESSAGE, .u.message.msg = &msg };
	struct stmt *s;

	assert_int_equal(appoint_sign(&n->hosts[0].mt.mem,
	                              &net_mesh(n, host, "home")->self.sign_public, NET_NOW_MS,
	                              &home->mesh_pair, &s),
	                 0);
	raw = s->raw;
	ev.u.message.session = net_mesh(n, host, "home")->sessions[0]->id;
	net_event(n, host, &ev);
	stmt_unref(&n->hosts[0].mt.mem, s);
	net_deliver(n);
}

static void test_any_administrator_honours_an_uncounted_invite(void **state)
{
	struct net n;
	char *token = cut_from_issuer(&n, 0);

	(void)state;
	appoint(&n, 1);
	net_crash(&n, 0);
	assert_int_equal(join(&n, 2, token), 0);
	free(token);
	net_fini(&n);
}

static void test_a_key_that_was_let_in_ahead_needs_no_issuer(void **state)
{
	struct command key = { .kind = CMD_KEY };
	struct command invite = net_invite_command("home", 1);
	struct net n;
	char *token = cut_from_issuer(&n, 0);

	(void)state;
	free(token);
	invite.has_for_key = true;
	invite.for_key = net_do(&n, 2, &key)->key;
	token = keep(net_do(&n, 0, &invite)->token);
	net_crash(&n, 0);
	assert_int_equal(join(&n, 2, token), 0);
	assert_true(key_equal(&net_mesh(&n, 2, "home")->self.sign_public, &invite.for_key));
	free(token);
	net_fini(&n);
}

/* --- lost answers -------------------------------------------------------------------------------
 */

struct loss {
	size_t from;
	size_t to;
	enum msg_kind kind;
	size_t lost;
};

static bool lose(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct loss *l = ctx;

	if (from != l->from || to != l->to || msg->kind != l->kind)
		return true;
	l->lost++;
	return false;
}

static void test_a_lost_answer_costs_no_second_use(void **state)
{
	struct loss loss = { 0, 1, MSG_REDEEMED, 0 };
	struct net n;
	struct key key;
	char *token;

	(void)state;
	net_init(&n, 2);
	net_boot_all(&n);
	token = keep(net_create(&n, 0, "home"));
	n.filter = lose;
	n.ctx = &loss;
	assert_int_equal(join(&n, 1, token), ERR_TIMED_OUT);
	assert_int_equal(loss.lost, 1);
	assert_int_equal(uses_left(&n, 0), 0);
	key = n.hosts[1].node->prepared.box_public;
	n.filter = NULL;
	assert_int_equal(join(&n, 1, token), 0);
	assert_true(key_equal(&net_mesh(&n, 1, "home")->self.box_public, &key));
	assert_int_equal(net_members(&n, 0, "home"), 2);
	net_run(&n, MS_PER_MINUTE);
	assert_int_equal(n.hosts[0].node->sessions.count, 1);
	free(token);
	net_fini(&n);
}

/* One that lets us in and then says nothing must not use up all of the time. */
static void test_an_introducer_that_is_silent_is_passed_over(void **state)
{
	struct loss loss = { 2, 0, MSG_REDEEM, 0 };
	struct net n;
	char *token = cut_from_issuer(&n, 1);

	(void)state;
	net_cut(&n, 0, 2, false);
	n.filter = lose;
	n.ctx = &loss;
	assert_int_equal(join(&n, 2, token), 0);
	assert_int_equal(loss.lost, 1);
	net_run(&n, MS_PER_MINUTE);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(n.hosts[i].node->sessions.count, 2);
	free(token);
	net_fini(&n);
}

/* It may be that too many have come at once. */
static void test_a_silent_introducer_is_asked_again(void **state)
{
	struct command c;
	struct net n;
	uint64_t request;

	(void)state;
	net_init(&n, 2);
	net_boot_all(&n);
	c = net_join_command(net_create(&n, 0, "home"));
	net_cut(&n, 0, 1, true);
	request = net_command(&n, 1, &c);
	net_run(&n, MS_PER_SECOND);
	assert_null(net_result(&n, 1, request));
	net_cut(&n, 0, 1, false);
	net_run(&n, 5 * MS_PER_SECOND);
	assert_non_null(net_result(&n, 1, request));
	assert_int_equal(net_result(&n, 1, request)->err, 0);
	net_fini(&n);
}

static void test_silence_ends_a_join_in_the_end(void **state)
{
	struct command c;
	struct net n;
	uint64_t request;
	const struct command_result *r;

	(void)state;
	net_init(&n, 2);
	net_boot_all(&n);
	c = net_join_command(net_create(&n, 0, "home"));
	net_cut(&n, 0, 1, true);
	request = net_command(&n, 1, &c);
	net_run(&n, 20 * MS_PER_SECOND);
	r = net_result(&n, 1, request);
	assert_non_null(r);
	assert_int_not_equal(r->err, 0);
	/* Of the last round, not of all of them. */
	assert_null(strchr(r->diag.text, ';'));
	net_fini(&n);
}

static void test_a_join_ends_in_time_whatever_happens(void **state)
{
	static const enum msg_kind kinds[] = { MSG_REDEEM, MSG_ENTRIES, MSG_DIGEST, MSG_FETCH };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct loss loss = { 1, 0, kinds[i], 0 };
		struct command c;
		struct net n;
		int64_t start;
		char *token;

		net_init(&n, 2);
		net_boot_all(&n);
		token = keep(net_create(&n, 0, "home"));
		n.filter = lose;
		n.ctx = &loss;
		start = n.mono_ms;
		c = net_join_command(token);
		assert_non_null(net_do(&n, 1, &c));
		assert_true(loss.lost > 0);
		assert_true(n.mono_ms - start <= JOIN_TIMEOUT_MS + MS_PER_SECOND);
		free(token);
		net_fini(&n);
	}
}

static void test_a_join_that_hangs_while_fetching_can_be_left_and_repeated(void **state)
{
	struct command leave = { .kind = CMD_LEAVE, .mesh = "home" };
	struct command c;
	struct loss loss = { 0, 1, MSG_DIGEST, 0 };
	struct net n;
	char *token;

	(void)state;
	net_init(&n, 2);
	net_boot_all(&n);
	token = keep(net_create(&n, 0, "home"));
	n.filter = lose;
	n.ctx = &loss;
	c = net_join_command(token);
	net_command(&n, 1, &c);
	net_run(&n, 2 * MS_PER_SECOND);
	assert_true(net_logged(&n, 1, "progress 4"));
	assert_null(net_result(&n, 1, c.request));
	assert_int_equal(net_do(&n, 1, &leave)->err, 0);
	assert_non_null(net_result(&n, 1, c.request));
	assert_int_not_equal(net_result(&n, 1, c.request)->err, 0);
	n.filter = NULL;
	net_run(&n, MS_PER_SECOND);
	assert_int_equal(join(&n, 1, token), 0);
	free(token);
	net_fini(&n);
}

/* Others join at the same time: no digest is the joiner's, and it is asked for again and again. */
struct moving {
	size_t joiner;
	size_t questions;
	size_t pages;
};

static bool differ(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct moving *mv = ctx;

	mv->pages += msg->kind == MSG_ENTRIES && msg->u.entries.is_page;
	if (msg->kind != MSG_DIGEST)
		return true;
	mv->questions += from == mv->joiner && msg->u.digest.question;
	if (to == mv->joiner)
		((struct msg *)msg)->u.digest.digest[0] ^= 0xff;
	return true;
}

static void test_a_join_ends_while_all_others_move(void **state)
{
	struct moving mv = { .joiner = 5 };
	struct command c;
	struct net n;
	char *token;

	(void)state;
	net_init(&n, 6);
	net_boot_all(&n);
	net_create(&n, 0, "home");
	token = keep(net_invite(&n, 0, "home", 9));
	for (size_t i = 1; i < 5; i++)
		assert_int_equal(join(&n, i, token), 0);
	net_run(&n, MS_PER_MINUTE);
	n.filter = differ;
	n.ctx = &mv;
	c = net_join_command(token);
	net_command(&n, 5, &c);
	net_run(&n, JOIN_COMPARE_MS + 2 * MS_PER_SECOND);
	assert_non_null(net_result(&n, 5, c.request));
	assert_int_equal(net_result(&n, 5, c.request)->err, 0);
	assert_true(net_logged(&n, 5, "progress 5"));
	assert_int_equal(mv.pages, 1);
	/* Some eight rounds, and one look at what moved each 200 ms; it were hundreds. */
	print_message("%zu questions\n", mv.questions);
	assert_in_range(mv.questions, 4, 8 * 4 + 17 * 5);
	n.filter = NULL;
	net_run(&n, MS_PER_MINUTE);
	assert_true(net_agrees(&n, "home"));
	free(token);
	net_fini(&n);
}

/* Each mesh gets a key of its own, and there is one that is prepared. */
static void test_one_join_at_a_time(void **state)
{
	struct loss loss = { 2, 0, MSG_REDEEM, 0 };
	struct command c;
	struct net n;
	char *home;
	char *shop;

	(void)state;
	net_init(&n, 3);
	net_boot_all(&n);
	home = keep(net_create(&n, 0, "home"));
	shop = keep(net_create(&n, 1, "shop"));
	n.filter = lose;
	n.ctx = &loss;
	c = net_join_command(home);
	net_command(&n, 2, &c);
	net_run(&n, MS_PER_SECOND);
	assert_null(net_result(&n, 2, c.request));
	assert_int_equal(join(&n, 2, shop), ERR_BUSY);
	n.filter = NULL;
	net_run(&n, MS_PER_MINUTE);
	assert_non_null(net_result(&n, 2, c.request));
	assert_int_equal(join(&n, 2, home), 0);
	assert_int_equal(join(&n, 2, shop), 0);
	assert_false(key_equal(&net_mesh(&n, 2, "home")->self.box_public,
	                       &net_mesh(&n, 2, "shop")->self.box_public));
	free(home);
	free(shop);
	net_fini(&n);
}

static void test_a_create_whose_device_never_answers_ends(void **state)
{
	struct command c = net_create_command("home");
	struct event ev = { .kind = EV_COMMAND, .u.command = &c };
	struct event tick = { .kind = EV_TICK };
	struct memtest mt;
	struct effects fx;
	struct node *node;
	struct node_options o = { .mem = &mt.mem, .device_prefix = "smeg" };
	struct event start = { .kind = EV_START };

	(void)state;
	memtest_init(&mt);
	effects_init(&fx, &mt.mem);
	c.request = 1;
	assert_int_equal(node_new(&o, &node), 0);
	assert_int_equal(node_step(node, &start, &fx), 0);
	assert_int_equal(node_step(node, &ev, &fx), 0);
	tick.now.mono_ms = JOIN_TIMEOUT_MS;
	assert_int_equal(node_step(node, &tick, &fx), 0);
	for (size_t i = 0; i < fx.count; i++) {
		if (fx.list[i].kind != FX_REPLY)
			continue;
		assert_int_equal(fx.list[i].u.reply.result->err, ERR_TIMED_OUT);
		assert_null(strstr(fx.list[i].u.reply.result->diag.text, "join"));
		c.request = 0;
	}
	assert_int_equal(c.request, 0);
	assert_int_equal(node_mesh_count(node), 0);
	effects_fini(&fx);
	node_free(node);
	memtest_assert_no_leak(&mt);
}

/* --- again --------------------------------------------------------------------------------------
 */

static void assert_slot_empty(const struct slot *s)
{
	assert_true(!s->want && !s->use && !s->few);
}

static void assert_knows_no_peer(const struct mesh *m)
{
	assert_int_equal(m->peers.count, 0);
	for (size_t i = 0; i < RING; i++)
		assert_slot_empty(&m->ring[i]);
	for (size_t t = 0; t < TREES; t++)
		for (size_t l = 0; l < TREE_LEVELS; l++)
			for (size_t d = 0; d < TREE_DIGITS; d++)
				assert_slot_empty(&m->trees[t].slots[l][d]);
}

static void test_who_joins_again_after_leaving_is_the_same_member(void **state)
{
	struct command leave = { .kind = CMD_LEAVE, .mesh = "home" };
	struct net n;
	struct key key;

	(void)state;
	net_init(&n, 3);
	net_make_home(&n);
	key = net_mesh(&n, 1, "home")->self.box_public;
	for (int round = 0; round < 3; round++) {
		const struct mesh *m = net_mesh(&n, 1, "home");

		assert_int_equal(net_do(&n, 1, &leave)->err, 0);
		net_run(&n, MS_PER_SECOND);
		assert_int_equal(m->state, MESH_LEFT);
		assert_knows_no_peer(m);
		assert_int_equal(net_members(&n, 2, "home"), 2);
		if (round == 1) {
			net_crash(&n, 1);
			net_boot(&n, 1);
		}
		net_join(&n, 1, net_invite(&n, 0, "home", 1));
		assert_true(key_equal(&net_mesh(&n, 1, "home")->self.box_public, &key));
		net_run(&n, MS_PER_SECOND);
		assert_int_equal(net_members(&n, 2, "home"), 3);
		assert_true(net_agrees(&n, "home"));
	}
	net_fini(&n);
}

static void test_meshes_of_one_host_do_not_mix(void **state)
{
	struct command leave = { .kind = CMD_LEAVE, .mesh = "one" };
	struct net n;

	(void)state;
	net_init(&n, 3);
	net_boot_all(&n);
	net_join(&n, 1, net_create(&n, 0, "one"));
	net_join(&n, 0, net_create(&n, 1, "two"));
	net_join(&n, 2, net_invite(&n, 0, "one", 1));
	net_run(&n, 10 * MS_PER_SECOND);
	assert_int_equal(net_members(&n, 0, "one"), 3);
	assert_int_equal(net_members(&n, 1, "one"), 3);
	assert_int_equal(net_members(&n, 0, "two"), 2);
	assert_null(net_mesh(&n, 2, "two"));
	for (size_t i = 0; i < 2; i++) {
		const struct mesh *one = net_mesh(&n, i, "one");
		const struct mesh *two = net_mesh(&n, i, "two");

		assert_false(key_equal(&one->self.box_public, &two->self.box_public));
		assert_int_not_equal(one->wg_port, two->wg_port);
		assert_string_not_equal(one->tunnel.name, two->tunnel.name);
		assert_int_equal(one->sessions_count, 2);
		assert_int_equal(two->sessions_count, 1);
	}
	assert_int_equal(net_do(&n, 0, &leave)->err, 0);
	net_run(&n, MS_PER_SECOND);
	assert_int_equal(net_members(&n, 0, "two"), 2);
	assert_int_equal(net_mesh(&n, 0, "two")->sessions_count, 1);
	assert_int_equal(net_members(&n, 1, "one"), 2);
	net_fini(&n);
}

/* --- clients ------------------------------------------------------------------------------------
 */

static size_t peers_of(const struct net *n, size_t host)
{
	return n->hosts[host].devices[0].box.d.peers_count;
}

static void test_a_client_names_a_carrier_that_it_reaches(void **state)
{
	struct command invite = net_invite_command("home", 1);
	const struct mesh *m;
	struct record r;
	struct net n;
	size_t carrier = 0;

	(void)state;
	net_init(&n, 4);
	net_boot_all(&n);
	net_join(&n, 1, net_create(&n, 0, "home"));
	net_join(&n, 2, net_invite(&n, 0, "home", 1));
	invite.role = ROLE_CLIENT;
	net_join(&n, 3, net_do(&n, 0, &invite)->token);
	net_run(&n, 10 * MS_PER_SECOND);
	m = net_mesh(&n, 3, "home");
	for (int round = 0; round < 2; round++) {
		record_read(mesh_self_entry(m)->record, &r);
		assert_true(r.has_carrier);
		for (carrier = 0; carrier < 3; carrier++)
			if (n.hosts[carrier].node &&
			    key_equal(&net_mesh(&n, carrier, "home")->self.box_public, &r.carrier))
				break;
		assert_true(carrier < 3); /* one that is up */
		assert_int_equal(peers_of(&n, 3), 1);
		assert_true(key_equal(&n.hosts[3].devices[0].box.peers[0].key, &r.carrier));
		assert_int_equal(n.hosts[3].devices[0].box.peers[0].allowed[0].bits, 64);
		for (size_t i = 0; i < 3; i++)
			if (n.hosts[i].node)
				assert_int_equal(peers_of(&n, i), 2 + (i == carrier));
		if (round == 0)
			net_crash(&n, carrier);
		net_run(&n, MS_PER_MINUTE);
	}
	net_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_join_goes_step_by_step),
		cmocka_unit_test(test_a_token_admits_as_many_as_it_says),
		cmocka_unit_test(test_an_issuer_that_restarts_remembers_what_is_used),
		cmocka_unit_test(test_tokens_that_cannot_work_are_refused_before_anything_is_done),
		cmocka_unit_test(test_a_clock_that_is_off_is_told),
		cmocka_unit_test(test_an_introducer_passes_a_redemption_on),
		cmocka_unit_test(test_if_the_issuer_is_away_the_joiner_is_told),
		cmocka_unit_test(test_an_issuer_that_restarts_is_asked_again),
		cmocka_unit_test(test_an_issuer_that_was_away_for_long_is_sought_at_once),
		cmocka_unit_test(test_any_administrator_honours_an_uncounted_invite),
		cmocka_unit_test(test_a_key_that_was_let_in_ahead_needs_no_issuer),
		cmocka_unit_test(test_a_lost_answer_costs_no_second_use),
		cmocka_unit_test(test_an_introducer_that_is_silent_is_passed_over),
		cmocka_unit_test(test_a_silent_introducer_is_asked_again),
		cmocka_unit_test(test_silence_ends_a_join_in_the_end),
		cmocka_unit_test(test_a_join_ends_in_time_whatever_happens),
		cmocka_unit_test(test_a_join_that_hangs_while_fetching_can_be_left_and_repeated),
		cmocka_unit_test(test_a_join_ends_while_all_others_move),
		cmocka_unit_test(test_one_join_at_a_time),
		cmocka_unit_test(test_a_create_whose_device_never_answers_ends),
		cmocka_unit_test(test_who_joins_again_after_leaving_is_the_same_member),
		cmocka_unit_test(test_meshes_of_one_host_do_not_mix),
		cmocka_unit_test(test_a_client_names_a_carrier_that_it_reaches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
