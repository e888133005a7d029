/*
 * expel, appoint, revoke: who is meant, who may, and what becomes of the others.
 */
#include "tests/unit/smegd/core/net.h"

#include <string.h>

static struct command about(enum command_kind kind, const char *member)
{
	struct command c = { .kind = kind };

	strcpy(c.mesh, "home");
	strcpy(c.member, member);
	return c;
}

static const struct command_result *give(struct net *n,
                                         size_t host,
                                         enum command_kind kind,
                                         const char *member)
{
	struct command c = about(kind, member);
	const struct command_result *r = net_do(n, host, &c);

	net_run(n, 2 * MS_PER_SECOND);
	return r;
}

static void set_alias(struct net *n, size_t host, const char *alias)
{
	struct command c = { .kind = CMD_SET, .settings = { .has_alias = true } };

	strcpy(c.mesh, "home");
	strcpy(c.settings.alias, alias);
	assert_int_equal(net_do(n, host, &c)->err, 0);
	net_run(n, 2 * MS_PER_SECOND);
}

static const char *key_of(const struct net *n, size_t host)
{
	static char text[NET_HOSTS][KEY_TEXT_BYTES];

	key_text(&net_mesh(n, host, "home")->self.box_public, text[host]);
	return text[host];
}

static bool is_admin(const struct net *n, size_t seen_by, const struct key *sign_public)
{
	return set_is_administrator(net_mesh(n, seen_by, "home")->set, sign_public);
}

static struct net net;

static int setup(void **state)
{
	(void)state;
	net_init(&net, 3);
	net_make_home(&net);
	set_alias(&net, 0, "gate");
	set_alias(&net, 1, "printer");
	set_alias(&net, 2, "laptop");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_fini(&net);
	return 0;
}

static enum standing standing_of(size_t seen_by, const struct key *member)
{
	const struct entry *e = set_find(net_mesh(&net, seen_by, "home")->set, member);

	assert_non_null(e);
	return e->standing;
}

/* --- expel ---------------------------------------------------------------------------------- */

static void test_who_is_expelled_is_out_everywhere(void **state)
{
	struct key printer = net_mesh(&net, 1, "home")->self.box_public;
	const struct command_result *r = give(&net, 0, CMD_EXPEL, "printer");

	(void)state;
	assert_int_equal(r->err, 0);
	assert_string_equal(r->member_name, "printer");
	assert_true(key_equal(&r->member, &printer));
	assert_false(r->member_is_admin);
	assert_int_equal(r->members, 2);
	assert_null(net_mesh(&net, 1, "home"));
	assert_true(net_logged(&net, 1, "trace mesh-left"));
	assert_false(net.hosts[1].devices[0].box.d.exists);
	assert_int_equal(net.hosts[1].node->sessions.count, 0);
	for (size_t i = 0; i < 3; i += 2) {
		assert_int_equal(standing_of(i, &printer), STANDING_EXPELLED);
		assert_null(mesh_peer(net_mesh(&net, i, "home"), &printer)->session);
		assert_int_equal(net.hosts[i].devices[0].box.d.peers_count, 1);
	}
}

static void test_the_expelled_host_says_so_also_after_a_restart(void **state)
{
	(void)state;
	assert_null(node_expelled_from(net.hosts[1].node, 0));
	assert_int_equal(give(&net, 0, CMD_EXPEL, "printer")->err, 0);
	assert_string_equal(node_expelled_from(net.hosts[1].node, 0), "home");
	assert_null(node_expelled_from(net.hosts[1].node, 1));
	net_crash(&net, 1);
	net_boot(&net, 1);
	assert_string_equal(node_expelled_from(net.hosts[1].node, 0), "home");
	assert_null(node_expelled_from(net.hosts[0].node, 0));
}

static void test_who_has_left_was_not_expelled(void **state)
{
	struct command c = { .kind = CMD_LEAVE };

	(void)state;
	strcpy(c.mesh, "home");
	assert_int_equal(net_do(&net, 1, &c)->err, 0);
	net_run(&net, 5 * MS_PER_SECOND);
	assert_null(node_expelled_from(net.hosts[1].node, 0));
}

static void test_members_are_named_by_key_and_address_too(void **state)
{
	struct key printer = net_mesh(&net, 1, "home")->self.box_public;
	struct key laptop = net_mesh(&net, 2, "home")->self.box_public;
	char address[ADDR_TEXT_BYTES];
	struct addr a;

	(void)state;
	place_locator(net_mesh(&net, 2, "home")->id, &laptop, &a);
	addr_text(&a, address);
	assert_int_equal(give(&net, 0, CMD_EXPEL, key_of(&net, 1))->err, 0);
	assert_int_equal(standing_of(0, &printer), STANDING_EXPELLED);
	assert_int_equal(standing_of(0, &laptop), STANDING_IN);
	assert_int_equal(give(&net, 0, CMD_EXPEL, address)->err, 0);
	assert_int_equal(standing_of(0, &laptop), STANDING_EXPELLED);
}

/* What is refused leaves no trace. */
static void check_refused(size_t host, enum command_kind kind, const char *member, int err)
{
	uint8_t before[DIGEST_BYTES];
	uint8_t after[DIGEST_BYTES];

	set_digest(net_mesh(&net, host, "home")->set, before);
	assert_int_equal(give(&net, host, kind, member)->err, err);
	set_digest(net_mesh(&net, host, "home")->set, after);
	assert_memory_equal(before, after, sizeof(before));
}

static const struct diag *words(size_t host)
{
	const struct net_host *h = &net.hosts[host];

	return &h->results[(h->results_count - 1) % NET_RESULTS].diag;
}

static void assert_says(size_t host, const char *text)
{
	if (!strstr(words(host)->text, text))
		fail_msg("\"%s\" does not say \"%s\"", words(host)->text, text);
	assert_true(words(host)->hint[0] != 0);
}

static void test_only_administrators_expel(void **state)
{
	(void)state;
	check_refused(1, CMD_EXPEL, "laptop", ERR_NOT_AUTHORISED);
	assert_says(1, "who is: gate");
}

static void test_no_host_expels_itself(void **state)
{
	(void)state;
	check_refused(0, CMD_EXPEL, "gate", ERR_USAGE);
	assert_string_equal(words(0)->hint, "smegctl leave home");
	check_refused(0, CMD_EXPEL, key_of(&net, 0), ERR_USAGE);
}

static void test_nobody_is_meant_by_what_nobody_has(void **state)
{
	static const char *const texts[] = {
		"nobody",
		"",
		"fd00::1",
		"192.0.2.1",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		check_refused(0, CMD_EXPEL, texts[i], ERR_NO_MEMBER);
		assert_says(0, "has no member");
	}
}

static void test_an_alias_of_two_names_neither(void **state)
{
	(void)state;
	set_alias(&net, 2, "printer");
	check_refused(0, CMD_EXPEL, "printer", ERR_USAGE);
	assert_says(0, "any of 2 members");
	assert_says(0, key_of(&net, 1));
	assert_says(0, key_of(&net, 2));
	assert_int_equal(give(&net, 0, CMD_EXPEL, key_of(&net, 2))->err, 0);
	assert_int_equal(net_members(&net, 0, "home"), 2);
}

/* One who left must not shield one who took its name; nor one who was expelled. */
static void test_who_is_in_comes_before_who_is_not(void **state)
{
	struct key printer = net_mesh(&net, 1, "home")->self.box_public;
	struct key laptop = net_mesh(&net, 2, "home")->self.box_public;

	(void)state;
	assert_int_equal(give(&net, 0, CMD_EXPEL, "printer")->err, 0);
	set_alias(&net, 2, "printer");
	assert_int_equal(give(&net, 0, CMD_EXPEL, "printer")->err, 0);
	assert_int_equal(standing_of(0, &printer), STANDING_EXPELLED);
	assert_int_equal(standing_of(0, &laptop), STANDING_EXPELLED);
}

static void test_whoever_has_the_key_of_the_expelled_stays_out(void **state)
{
	struct key printer = net_mesh(&net, 1, "home")->self.box_public;
	struct command join;
	char token[TOKEN_TEXT_BYTES];

	(void)state;
	assert_int_equal(give(&net, 0, CMD_EXPEL, "printer")->err, 0);
	strcpy(token, net_invite(&net, 0, "home", 1));
	join = net_join_command(token);
	assert_int_equal(net_do(&net, 1, &join)->err, ERR_EXPELLED);
	assert_says(1, "has been expelled from the mesh");
	assert_string_equal(node_expelled_from(net.hosts[1].node, 0), "home");
	net_run(&net, MS_PER_MINUTE);
	assert_int_equal(standing_of(0, &printer), STANDING_EXPELLED);
	assert_int_equal(net_members(&net, 0, "home"), 2);
}

/* --- appoint, and the invites of an administrator --------------------------------------------- */

static void test_an_administrator_is_appointed_and_can_act(void **state)
{
	struct key printer = net_mesh(&net, 1, "home")->self.sign_public;
	const struct command_result *r;

	(void)state;
	r = give(&net, 0, CMD_APPOINT, "printer");
	assert_int_equal(r->err, 0);
	assert_true(r->member_is_admin && !r->is_unchanged);
	for (size_t i = 0; i < 3; i++)
		assert_true(is_admin(&net, i, &printer));
	r = give(&net, 0, CMD_APPOINT, "printer");
	assert_int_equal(r->err, 0);
	assert_true(r->is_unchanged);
	assert_int_equal(give(&net, 1, CMD_EXPEL, "laptop")->err, 0);
	assert_int_equal(net_members(&net, 0, "home"), 2);
}

static void test_only_the_host_with_the_mesh_key_appoints_and_revokes(void **state)
{
	(void)state;
	assert_int_equal(give(&net, 0, CMD_APPOINT, "printer")->err, 0);
	check_refused(1, CMD_APPOINT, "laptop", ERR_NOT_AUTHORISED);
	assert_says(1, "the key of mesh \"home\" is not on this host");
	check_refused(1, CMD_REVOKE, "gate", ERR_NOT_AUTHORISED);
}

static void test_only_members_are_appointed(void **state)
{
	(void)state;
	assert_int_equal(give(&net, 0, CMD_EXPEL, "printer")->err, 0);
	check_refused(0, CMD_APPOINT, "printer", ERR_NOT_ADMITTED);
}

static void expel_an_administrator(bool keep_invites)
{
	struct key printer = net_mesh(&net, 1, "home")->self.sign_public;
	struct command c = about(CMD_EXPEL, "printer");
	const struct command_result *r;

	assert_int_equal(give(&net, 0, CMD_APPOINT, "printer")->err, 0);
	assert_true(set_honours_invites_of(net_mesh(&net, 0, "home")->set, &printer));
	c.keep_invites = keep_invites;
	r = net_do(&net, 0, &c);
	assert_int_equal(r->err, 0);
	assert_true(r->member_is_admin); /* and people are told */
	net_run(&net, 2 * MS_PER_SECOND);
	for (size_t i = 0; i < 3; i += 2)
		assert_int_equal(set_honours_invites_of(net_mesh(&net, i, "home")->set, &printer),
		                 keep_invites);
}

static void test_an_expel_takes_the_invites_with_it(void **state)
{
	(void)state;
	expel_an_administrator(false);
}

static void test_an_expel_may_keep_the_invites(void **state)
{
	(void)state;
	expel_an_administrator(true);
}

/* To change one's mind about the invites, dates notwithstanding: the clock has gone back. */
static void test_a_second_expel_is_dated_above_the_first(void **state)
{
	struct key printer = net_mesh(&net, 1, "home")->self.sign_public;

	(void)state;
	expel_an_administrator(true);
	net.hosts[0].wall_ahead_ms -= MS_PER_HOUR;
	assert_int_equal(give(&net, 0, CMD_EXPEL, "printer")->err, 0);
	assert_false(set_honours_invites_of(net_mesh(&net, 0, "home")->set, &printer));
}

/* --- revoke --------------------------------------------------------------------------------- */

static void test_who_is_revoked_stays_and_so_do_its_members(void **state)
{
	struct key printer = net_mesh(&net, 1, "home")->self.sign_public;
	const struct command_result *r;

	(void)state;
	assert_int_equal(give(&net, 0, CMD_APPOINT, "printer")->err, 0);
	r = give(&net, 0, CMD_REVOKE, "gate"); /* who admitted all */
	assert_int_equal(r->err, 0);
	assert_false(r->member_is_admin);
	assert_int_equal(r->stay, 3);
	assert_int_equal(r->readmitted, 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(net_members(&net, i, "home"), 3);
		assert_false(is_admin(&net, i, &net_mesh(&net, 0, "home")->self.sign_public));
		assert_true(is_admin(&net, i, &printer));
	}
	check_refused(0, CMD_EXPEL, "laptop", ERR_NOT_AUTHORISED);
	assert_says(0, "who is: printer");
	r = give(&net, 0, CMD_REVOKE, "gate");
	assert_true(r->err == 0 && r->is_unchanged);
	assert_int_equal(give(&net, 0, CMD_APPOINT, "gate")->err, 0);
	assert_true(is_admin(&net, 2, &net_mesh(&net, 0, "home")->self.sign_public));
}

static void test_the_last_administrator_is_not_revoked_by_mistake(void **state)
{
	struct command c = about(CMD_REVOKE, "gate");

	(void)state;
	check_refused(0, CMD_REVOKE, "gate", ERR_USAGE);
	assert_says(0, "last administrator");
	c.is_stolen = true;
	assert_int_equal(net_do(&net, 0, &c)->err, 0);
	assert_int_equal(net_members(&net, 0, "home"), 3);
}

static void test_only_administrators_are_revoked(void **state)
{
	(void)state;
	check_refused(0, CMD_REVOKE, "printer", ERR_USAGE);
	assert_says(0, "no administrator");
}

static void test_expels_by_a_stolen_key_are_void(void **state)
{
	struct key laptop = net_mesh(&net, 2, "home")->self.box_public;
	struct command c = about(CMD_REVOKE, "printer");
	const struct command_result *r;

	(void)state;
	assert_int_equal(give(&net, 0, CMD_APPOINT, "printer")->err, 0);
	assert_int_equal(give(&net, 1, CMD_EXPEL, "laptop")->err, 0);
	r = give(&net, 0, CMD_REVOKE, "printer");
	assert_int_equal(r->err, 0);
	assert_int_equal(r->returned, 0);
	assert_int_equal(standing_of(0, &laptop), STANDING_EXPELLED);
	c.is_stolen = true; /* as is found out later */
	r = net_do(&net, 0, &c);
	assert_int_equal(r->err, 0);
	assert_false(r->is_unchanged);
	assert_int_equal(r->returned, 1);
	net_run(&net, 2 * MS_PER_SECOND);
	for (size_t i = 0; i < 2; i++)
		assert_true(standing_of(i, &laptop) != STANDING_EXPELLED);
}

static void test_who_is_no_longer_expelled_may_join_again(void **state)
{
	struct command c = about(CMD_REVOKE, "printer");

	(void)state;
	assert_int_equal(give(&net, 0, CMD_APPOINT, "printer")->err, 0);
	assert_int_equal(give(&net, 1, CMD_EXPEL, "laptop")->err, 0);
	assert_string_equal(node_expelled_from(net.hosts[2].node, 0), "home");
	c.is_stolen = true;
	assert_int_equal(net_do(&net, 0, &c)->err, 0);
	net_run(&net, 2 * MS_PER_SECOND);
	net_join(&net, 2, net_invite(&net, 0, "home", 1));
	net_run(&net, 5 * MS_PER_SECOND);
	assert_true(net_agrees(&net, "home"));
	assert_int_equal(net_members(&net, 1, "home"), 3);
	c = (struct command){ .kind = CMD_LEAVE };
	strcpy(c.mesh, "home");
	assert_int_equal(net_do(&net, 2, &c)->err, 0);
	net_run(&net, 5 * MS_PER_SECOND);
	assert_null(node_expelled_from(net.hosts[2].node, 0));
}

/* Another administrator has signed it beforehand. */
static void test_an_expel_that_was_confirmed_stands(void **state)
{
	struct key laptop = net_mesh(&net, 2, "home")->self.box_public;
	struct command c = about(CMD_REVOKE, "printer");

	(void)state;
	assert_int_equal(give(&net, 0, CMD_APPOINT, "printer")->err, 0);
	assert_int_equal(give(&net, 1, CMD_EXPEL, "laptop")->err, 0);
	assert_int_equal(give(&net, 0, CMD_EXPEL, "laptop")->err, 0);
	c.is_stolen = true;
	assert_int_equal(net_do(&net, 0, &c)->returned, 0);
	assert_int_equal(standing_of(0, &laptop), STANDING_EXPELLED);
}

/* --- more than a revocation can name ---------------------------------------------------------- */

#define MANY 260

/* So many more, admitted by `host`, who never come. */
static void admit_many(size_t host)
{
	struct command c = net_invite_command("home", 0);

	c.has_for_key = true;
	for (size_t i = 0; i < MANY; i++) {
		uint8_t seed[KEY_BYTES] = { (uint8_t)i, (uint8_t)(i >> 8), 99 };
		struct keypair pair;

		while (keypair_from_seed(&pair, seed))
			seed[3]++;
		c.for_key = pair.sign_public;
		assert_int_equal(net_do(&net, host, &c)->err, 0);
	}
	net_run(&net, 5 * MS_PER_SECOND);
}

static size_t count_admitted(size_t host)
{
	const struct entry *e;
	size_t count = 0;

	set_for_each(e, i, net_mesh(&net, host, "home")->set)
		count += e->standing == STANDING_ADMITTED;
	return count;
}

static void test_too_many_to_name_are_admitted_anew(void **state)
{
	const struct command_result *r;

	(void)state;
	assert_int_equal(give(&net, 0, CMD_APPOINT, "printer")->err, 0);
	admit_many(1);
	assert_int_equal(count_admitted(0), MANY);
	r = give(&net, 0, CMD_REVOKE, "printer");
	assert_int_equal(r->err, 0);
	assert_int_equal(r->readmitted, MANY);
	assert_int_equal(r->stay, 0);
	net_run(&net, 10 * MS_PER_SECOND);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(count_admitted(i), MANY);
	assert_true(net_agrees(&net, "home"));
}

static void test_too_many_to_name_are_refused_where_nobody_can_admit_them(void **state)
{
	(void)state;
	assert_int_equal(give(&net, 0, CMD_APPOINT, "printer")->err, 0);
	admit_many(0);
	check_refused(0, CMD_REVOKE, "gate", ERR_TOO_BIG);
	assert_says(0, "263 members are in by the admission of gate alone");
	assert_true(is_admin(&net, 0, &net_mesh(&net, 0, "home")->self.sign_public));
}

/* --- views ---------------------------------------------------------------------------------- */

static struct member_view view_of(size_t host, const struct key *member)
{
	struct member_view v;
	struct key before = *member;

	for (size_t i = KEY_BYTES; i-- > 0;)
		if (before.b[i]--)
			break;
	assert_true(node_member_next(net.hosts[host].node, net_mesh(&net, host, "home")->id,
	                             &before, &v));
	assert_true(key_equal(&v.key, member));
	return v;
}

static void test_members_are_shown_reachable_suspect_and_unreachable(void **state)
{
	struct key printer = net_mesh(&net, 1, "home")->self.box_public;
	struct peer *p = mesh_peer(net_mesh(&net, 0, "home"), &printer);

	(void)state;
	assert_int_equal(view_of(0, &printer).reachability, REACHABLE);
	p->is_suspect = true;
	assert_int_equal(view_of(0, &printer).reachability, SUSPECT);
	assert_true(view_of(0, &printer).is_reachable);
	net_crash(&net, 1);
	net_run(&net, MS_PER_MINUTE);
	assert_int_equal(view_of(0, &printer).reachability, UNREACHABLE);
	assert_false(view_of(0, &printer).is_reachable);
	assert_int_equal(view_of(0, &net_mesh(&net, 0, "home")->self.box_public).reachability,
	                 REACHABLE);
}

static void test_the_leader_is_shown_when_it_is_known(void **state)
{
	struct mesh *m = net_mesh(&net, 0, "home");
	struct mesh_view v;

	(void)state;
	net_run(&net, 3 * HEARTBEAT_INTERVAL_MS);
	for (size_t host = 0; host < net.count; host++) {
		assert_true(node_mesh_find(net.hosts[host].node, "home", &v));
		assert_true(key_equal(&v.leader, &set_at(m->set, 0)->member));
		assert_in_range(v.beat_age_ms, 0, HEARTBEAT_INTERVAL_MS + MS_PER_SECOND);
		if (key_equal(&v.leader, &v.self))
			assert_int_equal(v.beat_members, net.count - 1); /* the others */
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_is_expelled_is_out_everywhere),
		TEST(test_the_expelled_host_says_so_also_after_a_restart),
		TEST(test_who_has_left_was_not_expelled),
		TEST(test_members_are_named_by_key_and_address_too),
		TEST(test_only_administrators_expel),
		TEST(test_no_host_expels_itself),
		TEST(test_nobody_is_meant_by_what_nobody_has),
		TEST(test_an_alias_of_two_names_neither),
		TEST(test_who_is_in_comes_before_who_is_not),
		TEST(test_whoever_has_the_key_of_the_expelled_stays_out),
		TEST(test_an_administrator_is_appointed_and_can_act),
		TEST(test_only_the_host_with_the_mesh_key_appoints_and_revokes),
		TEST(test_only_members_are_appointed),
		TEST(test_an_expel_takes_the_invites_with_it),
		TEST(test_an_expel_may_keep_the_invites),
		TEST(test_a_second_expel_is_dated_above_the_first),
		TEST(test_who_is_revoked_stays_and_so_do_its_members),
		TEST(test_the_last_administrator_is_not_revoked_by_mistake),
		TEST(test_only_administrators_are_revoked),
		TEST(test_expels_by_a_stolen_key_are_void),
		TEST(test_who_is_no_longer_expelled_may_join_again),
		TEST(test_an_expel_that_was_confirmed_stands),
		TEST(test_too_many_to_name_are_admitted_anew),
		TEST(test_too_many_to_name_are_refused_where_nobody_can_admit_them),
		TEST(test_members_are_shown_reachable_suspect_and_unreachable),
		TEST(test_the_leader_is_shown_when_it_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
