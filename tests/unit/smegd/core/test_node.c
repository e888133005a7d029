/*
 * One node: commands, the order of effects, what a restart finds, and what it does about statements
 * on itself.
 */
#include "tests/unit/smegd/core/net.h"

#include <errno.h>
#include <stdio.h>

static struct stmt *self_record(const struct net *n, size_t host)
{
	const struct entry *e = mesh_self_entry(net_mesh(n, host, "home"));

	assert_non_null(e);
	assert_non_null(e->record);
	return e->record;
}

static void assert_log(const struct net *n, size_t host, const char *want)
{
	if (strcmp(n->hosts[host].log, want) != 0)
		fail_msg("the log of host %zu is\n%s\nand must be\n%s", host, n->hosts[host].log,
		         want);
}

static const struct command_result *set_alias(struct net *n, size_t host, const char *alias)
{
	struct command c = { .kind = CMD_SET, .mesh = "home", .settings.has_alias = true };

	snprintf(c.settings.alias, sizeof(c.settings.alias), "%s", alias);
	return net_do(n, host, &c);
}

static int leave(struct net *n, size_t host)
{
	struct command c = { .kind = CMD_LEAVE, .mesh = "home" };

	return net_do(n, host, &c)->err;
}

/* The alias of one host as another sees it. */
static const char *alias_of(const struct net *n, size_t seen_by, size_t host)
{
	static char text[LIMIT_NAME_BYTES + 1];
	const struct mesh *me = net_mesh(n, host, "home");
	const struct entry *e = set_find(net_mesh(n, seen_by, "home")->set, &me->self.box_public);
	struct record r;

	assert_non_null(e);
	record_read(e->record, &r);
	snprintf(text, sizeof(text), "%.*s", (int)r.alias.count, (const char *)r.alias.at);
	return text;
}

/* Hand a statement to a host, as if another had told it. */
static void tell(struct net *n, size_t host, size_t by, const struct stmt *s)
{
	struct bytes raw = s->raw;
	struct msg msg = { .kind = MSG_ENTRIES, .u.entries = { .stmts = &raw, .count = 1 } };
	struct event ev = { .kind = EV_MESSAGE };
	const struct peer *p =
		mesh_peer(net_mesh(n, host, "home"), &net_mesh(n, by, "home")->self.box_public);

	assert_non_null(p->session);
	ev.u.message.session = p->session->id;
	ev.u.message.msg = &msg;
	net_event(n, host, &ev);
	net_deliver(n);
}

/* --- create ----------------------------------------------------------------------------------- */

static void test_create_makes_the_device_first_and_stores_before_it_replies(void **state)
{
	struct net n;
	struct command c = net_create_command("home");
	const struct command_result *r;
	struct mesh_view v;

	(void)state;
	net_init(&n, 1);
	net_boot_all(&n);
	r = net_do(&n, 0, &c);
	assert_log(&n, 0,
	           "addresses\n"
	           "read\napply 7\ntrace applied\nread\n"
	           "put mesh\n"
	           "put state 1\nput state 3\n"
	           "put counter reserved-counter\nput state 4\n"
	           "put invite\n"
	           "reply ok\ntrace mesh-created\n");
	assert_int_equal(r->err, 0);
	assert_string_equal(r->mesh_name, "home");
	assert_string_equal(r->device, "smeg-home");
	assert_int_equal(r->members, 1);
	assert_int_equal(r->uses, 1);
	assert_int_equal(r->expires_ms, NET_NOW_MS + n.mono_ms + INVITE_LIFE_MS);
	assert_true(node_mesh_find(n.hosts[0].node, "home", &v));
	assert_true(v.is_administrator);
	assert_false(v.is_joining);
	assert_true(key_equal(&v.self, &r->key));
	assert_true(addr_equal(&v.address, &r->address));
	net_log_clear(&n, 0);
	net_run(&n, 7 * MS_PER_SECOND);
	assert_log(&n, 0, "read\n"); /* the roster has changed: itself; then nothing */
	net_fini(&n);
}

static void test_the_token_of_a_new_mesh_leads_back_to_it(void **state)
{
	struct token *t = malloc(sizeof(*t));
	const struct bootstrap *b = &t->bootstraps[0];
	struct net n;
	const char *text;

	(void)state;
	net_init(&n, 1);
	net_boot_all(&n);
	text = net_create(&n, 0, "home");
	assert_int_equal(token_parse(text, strlen(text), t), 0);
	assert_string_equal(t->mesh_name, "home");
	assert_true(key_equal(&t->mesh_public, &net_mesh(&n, 0, "home")->mesh_public));
	assert_int_equal(t->bootstraps_count, 1);
	assert_string_equal(b->at.host, "10.0.0.1");
	assert_int_equal(b->at.port, 7000);
	assert_true(key_equal(&b->member, &net_mesh(&n, 0, "home")->self.box_public));
	token_fini(t);
	free(t);
	net_fini(&n);
}

static void test_without_a_device_nothing_is_stored(void **state)
{
	struct net n;
	struct command c = net_create_command("home");
	const struct command_result *r;

	(void)state;
	net_init(&n, 1);
	n.hosts[0].device_err = ERR_NO_WIREGUARD;
	net_boot_all(&n);
	r = net_do(&n, 0, &c);
	assert_int_equal(r->err, ERR_NO_WIREGUARD);
	assert_string_not_equal(r->diag.text, "");
	assert_int_equal(n.hosts[0].disk.rows.count, 0);
	assert_int_equal(node_mesh_count(n.hosts[0].node), 0);
	n.hosts[0].device_err = 0;
	net_create(&n, 0, "home");
	net_fini(&n);
}

static void test_a_foreign_interface_of_that_name_is_left_alone(void **state)
{
	struct net n;
	struct command c = net_create_command("home");
	struct key key = { { 0 } };
	struct mesh *m;

	(void)state;
	net_init(&n, 1);
	net_boot_all(&n);
	net_command(&n, 0, &c);
	m = net_mesh(&n, 0, "home");
	memcpy(n.hosts[0].devices[0].mesh, m->id, sizeof(m->id));
	box_init(&n.hosts[0].devices[0].box);
	n.hosts[0].devices[0].box.d.exists = true;
	n.hosts[0].devices[0].box.d.has_private_key = true;
	n.hosts[0].devices[0].box.d.listen_port = 1;
	box_insert(&n.hosts[0].devices[0].box, &key);
	net_deliver(&n);
	assert_int_equal(net_result(&n, 0, c.request)->err, -EEXIST);
	assert_int_equal(n.hosts[0].devices[0].box.d.listen_port, 1);
	assert_true(n.hosts[0].devices[0].box.d.exists);
	assert_false(net_logged(&n, 0, "apply"));
	net_fini(&n);
}

static void test_whoever_asked_and_is_gone_gets_no_reply(void **state)
{
	struct net n;
	struct command c = net_create_command("home");
	struct event gone = { .kind = EV_COMMAND_GONE };

	(void)state;
	net_init(&n, 1);
	net_boot_all(&n);
	gone.u.request = net_command(&n, 0, &c);
	net_event(&n, 0, &gone);
	net_run(&n, MS_PER_SECOND);
	assert_false(net_logged(&n, 0, "reply"));
	assert_int_equal(net_members(&n, 0, "home"), 1);
	net_fini(&n);
}

/* --- refusals ----------------------------------------------------------------------------------
 */

static void test_commands_that_make_no_sense_are_refused_and_leave_no_trace(void **state)
{
	static const struct {
		struct command c;
		int err;
	} rows[] = {
		{ { .kind = CMD_CREATE, .mesh = "" }, ERR_BAD_NAME },
		{ { .kind = CMD_CREATE, .mesh = "Home" }, ERR_BAD_NAME },
		{ { .kind = CMD_CREATE, .mesh = "-a" }, ERR_BAD_NAME },
		{ { .kind = CMD_CREATE, .mesh = "home" }, ERR_EXISTS_MESH },
		{ { .kind = CMD_CREATE,
		    .mesh = "a",
		    .settings = { .has_alias = true, .alias = "_" } },
		  ERR_BAD_NAME },
		{ { .kind = CMD_LEAVE, .mesh = "away" }, ERR_NO_MESH },
		{ { .kind = CMD_SET, .mesh = "away" }, ERR_NO_MESH },
		{ { .kind = CMD_INVITE, .mesh = "away", .expires_in_ms = MS_PER_DAY },
		  ERR_NO_MESH },
		{ { .kind = CMD_INVITE, .mesh = "home" }, ERR_USAGE },
		{ { .kind = CMD_INVITE, .mesh = "home", .expires_in_ms = -1 }, ERR_USAGE },
		{ { .kind = CMD_INVITE, .mesh = "home", .expires_in_ms = INT64_MAX }, ERR_USAGE },
		{ { .kind = CMD_SET,
		    .mesh = "home",
		    .settings = { .has_alias = true, .alias = "a.b" } },
		  ERR_BAD_NAME },
		{ { .kind = CMD_SET,
		    .mesh = "home",
		    .settings = { .has_places = true, .places_count = LIMIT_ENDPOINTS + 1 } },
		  ERR_LIMIT },
		{ { .kind = CMD_SET,
		    .mesh = "home",
		    .settings = { .has_places = true,
		                  .places = { { .host = "no host" } },
		                  .places_count = 1 } },
		  ERR_USAGE },
		{ { .kind = CMD_SET,
		    .mesh = "home",
		    .settings = { .has_places = true, .places_count = 1 } },
		  ERR_USAGE },
		{ { .kind = CMD_JOIN }, ERR_TOKEN },
	};
	struct net n;
	size_t puts;

	(void)state;
	net_init(&n, 1);
	net_boot_all(&n);
	net_create(&n, 0, "home");
	net_run(&n, MS_PER_SECOND);
	puts = n.hosts[0].disk.puts;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command c = rows[i].c;
		const struct command_result *r = net_do(&n, 0, &c);

		assert_non_null(r);
		if (r->err != rows[i].err)
			fail_msg("row %zu: %s", i, err_code(r->err));
		assert_string_not_equal(r->diag.text, "");
		assert_int_equal(n.hosts[0].disk.puts, puts);
		assert_int_equal(node_mesh_count(n.hosts[0].node), 1);
	}
	net_fini(&n);
}

/* 16 endpoints with the longest of names would not fit into a record. */
static void test_settings_that_do_not_fit_into_a_record_are_refused(void **state)
{
	struct command c = {
		.kind = CMD_SET,
		.mesh = "home",
		.settings = { .has_places = true, .places_count = LIMIT_ENDPOINTS },
	};
	struct net n;

	(void)state;
	net_init(&n, 1);
	net_boot_all(&n);
	net_create(&n, 0, "home");
	for (size_t i = 0; i < LIMIT_ENDPOINTS; i++) {
		char *host = c.settings.places[i].host;

		memset(host, 'a', HOST_NAME_MAX_BYTES);
		host[60] = host[120] = host[180] = host[240] = '.';
	}
	assert_int_equal(net_do(&n, 0, &c)->err, ERR_TOO_BIG);
	assert_non_null(n.hosts[0].node);
	c.settings.places_count = 8;
	assert_int_equal(net_do(&n, 0, &c)->err, 0);
	net_invite(&n, 0, "home", 1);
	net_fini(&n);
}

static void test_defaults_that_make_no_sense_are_refused_like_settings(void **state)
{
	struct command c = net_create_command("home");
	struct net n;

	(void)state;
	net_init(&n, 1);
	snprintf(n.hosts[0].options.places[0].host, HOST_NAME_MAX_BYTES, "no host");
	n.hosts[0].options.places_count = 1;
	net_boot_all(&n);
	assert_int_equal(net_do(&n, 0, &c)->err, ERR_USAGE);
	n.hosts[0].options.places_count = 0;
	net_crash(&n, 0);
	snprintf(n.hosts[0].options.alias, LIMIT_NAME_BYTES, "_");
	net_boot(&n, 0);
	assert_int_equal(net_do(&n, 0, &c)->err, ERR_BAD_NAME);
	net_fini(&n);
}

static void test_a_host_is_in_as_many_meshes_as_it_can_be(void **state)
{
	struct net n;
	struct command c = net_create_command("one-more");

	(void)state;
	net_init(&n, 1);
	n.hosts[0].options.no_devices = true;
	net_boot_all(&n);
	for (size_t i = 0; i < LIMIT_MESHES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "mesh-%zu", i);
		net_create(&n, 0, name);
		assert_int_equal(net_mesh(&n, 0, name)->wg_port, 51820 + i);
	}
	assert_int_equal(net_do(&n, 0, &c)->err, ERR_LIMIT);
	net_fini(&n);
}

static void test_without_an_address_there_is_a_mesh_but_no_token(void **state)
{
	struct event none = { .kind = EV_ADDRESSES };
	struct command invite = net_invite_command("home", 1);
	struct net n;

	(void)state;
	net_init(&n, 1);
	net_boot_all(&n);
	net_event(&n, 0, &none);
	assert_string_equal(net_create(&n, 0, "home"), "");
	assert_int_equal(net_do(&n, 0, &invite)->err, ERR_UNREACHABLE);
	assert_int_equal(disk_count(&n.hosts[0].disk, ROW_INVITE), 0);
	net_fini(&n);
}

/* --- set, key, leave ---------------------------------------------------------------------------
 */

static void test_settings_are_stored_and_told_and_the_same_again_is_not_signed(void **state)
{
	uint64_t counter;
	struct net n;

	(void)state;
	net_init(&n, 2);
	net_make_home(&n);
	assert_string_equal(alias_of(&n, 1, 0), "host-0");
	counter = self_record(&n, 0)->counter;
	assert_int_equal(set_alias(&n, 0, "gate")->err, 0);
	assert_string_equal(alias_of(&n, 1, 0), "gate");
	assert_true(self_record(&n, 0)->counter > counter);
	counter = self_record(&n, 0)->counter;
	assert_int_equal(set_alias(&n, 0, "gate")->err, 0);
	assert_true(self_record(&n, 0)->counter == counter);
	net_crash(&n, 0);
	net_boot(&n, 0);
	net_run(&n, 30 * MS_PER_SECOND);
	assert_true(self_record(&n, 0)->counter == counter);
	assert_string_equal(net_mesh(&n, 0, "home")->settings.alias, "gate");
	net_fini(&n);
}

static void test_the_key_to_join_with_is_made_once(void **state)
{
	struct command c = { .kind = CMD_KEY };
	struct net n;
	struct key key;

	(void)state;
	net_init(&n, 1);
	net_boot_all(&n);
	key = net_do(&n, 0, &c)->key;
	assert_true(key_equal(&net_do(&n, 0, &c)->key, &key));
	net_crash(&n, 0);
	net_boot(&n, 0);
	assert_true(key_equal(&net_do(&n, 0, &c)->key, &key));
	/* An invite may have been made for it. */
	net_create(&n, 0, "home");
	assert_false(key_equal(&net_mesh(&n, 0, "home")->self.sign_public, &key));
	assert_true(key_equal(&net_do(&n, 0, &c)->key, &key));
	net_fini(&n);
}

static void test_who_leaves_tells_and_keeps_only_its_key_and_counter(void **state)
{
	struct net n;

	(void)state;
	net_init(&n, 2);
	net_make_home(&n);
	assert_int_equal(n.hosts[0].devices[0].box.d.peers_count, 1);
	assert_int_equal(leave(&n, 1), 0);
	assert_int_equal(net_members(&n, 0, "home"), 1);
	assert_false(n.hosts[1].devices[0].box.d.exists);
	assert_int_equal(node_mesh_count(n.hosts[1].node), 0);
	assert_int_equal(leave(&n, 1), ERR_NO_MESH);
	net_run(&n, MS_PER_MINUTE);
	assert_int_equal(disk_count(&n.hosts[1].disk, ROW_STATE), 0);
	assert_int_equal(disk_count(&n.hosts[1].disk, ROW_MESH), 1);
	assert_int_equal(n.hosts[0].devices[0].box.d.peers_count, 0);
	assert_int_equal(net_mesh(&n, 0, "home")->sessions_count, 0);
	net_crash(&n, 1);
	net_boot(&n, 1);
	assert_int_equal(n.hosts[1].step_err, 0);
	net_log_clear(&n, 1);
	net_run(&n, MS_PER_MINUTE);
	assert_log(&n, 1, "");
	net_fini(&n);
}

/* --- restarts ----------------------------------------------------------------------------------
 */

static void test_a_restart_changes_nothing(void **state)
{
	struct mesh_view before;
	struct mesh_view after;
	uint64_t counter;
	struct net n;

	(void)state;
	net_init(&n, 3);
	net_make_home(&n);
	assert_true(node_mesh_find(n.hosts[1].node, "home", &before));
	counter = self_record(&n, 1)->counter;
	net_crash(&n, 1);
	net_run(&n, 300);
	net_log_clear(&n, 1);
	net_boot(&n, 1);
	net_run(&n, MS_PER_MINUTE);
	assert_true(node_mesh_find(n.hosts[1].node, "home", &after));
	assert_true(key_equal(&before.self, &after.self));
	assert_true(addr_equal(&before.address, &after.address));
	assert_memory_equal(before.digest, after.digest, DIGEST_BYTES);
	assert_int_equal(before.wg_port, after.wg_port);
	assert_true(self_record(&n, 1)->counter == counter);
	assert_false(net_logged(&n, 1, "put state"));
	assert_false(net_logged(&n, 1, "apply"));
	assert_true(net_agrees(&n, "home"));
	net_fini(&n);
}

/* Who was away for longer was pruned; it comes back as the same, and no tunnel went meanwhile. */
static void test_who_was_away_and_pruned_comes_back(void **state)
{
	struct mesh_view before;
	struct mesh_view after;
	uint64_t counter;
	struct net n;

	(void)state;
	net_init(&n, 3);
	net_make_home(&n);
	assert_true(node_mesh_find(n.hosts[1].node, "home", &before));
	counter = self_record(&n, 1)->counter;
	net_crash(&n, 1);
	net_run(&n, MS_PER_MINUTE);
	assert_int_equal(net_members(&n, 0, "home"), 2);
	assert_int_equal(n.hosts[0].devices[0].box.d.peers_count, 2);
	net_run(&n, PRUNED_KEEP_MS);
	assert_int_equal(n.hosts[0].devices[0].box.d.peers_count, 1);
	net_boot(&n, 1);
	net_run(&n, MS_PER_MINUTE);
	assert_true(node_mesh_find(n.hosts[1].node, "home", &after));
	assert_true(key_equal(&before.self, &after.self));
	assert_true(addr_equal(&before.address, &after.address));
	assert_true(self_record(&n, 1)->counter > counter);
	assert_true(net_agrees(&n, "home"));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(net_members(&n, i, "home"), 3);
		assert_int_equal(n.hosts[i].devices[0].box.d.peers_count, 2);
	}
	net_fini(&n);
}

static void test_counters_never_go_back_whatever_the_clock_does(void **state)
{
	static const int64_t ahead[] = {
		0, -366 * MS_PER_DAY, 12 * MS_PER_HOUR, -MS_PER_HOUR, -19000 * MS_PER_DAY, 0
	};
	uint64_t last = 0;
	struct net n;

	(void)state;
	net_init(&n, 2);
	net_make_home(&n);
	for (size_t i = 0; i < 4 * ARRAY_LEN(ahead); i++) {
		char alias[16];

		n.hosts[1].wall_ahead_ms = ahead[i % ARRAY_LEN(ahead)];
		snprintf(alias, sizeof(alias), "try-%zu", i);
		assert_int_equal(set_alias(&n, 1, alias)->err, 0);
		if (self_record(&n, 1)->counter <= last)
			fail_msg("%zu: %llu after %llu", i,
			         (unsigned long long)self_record(&n, 1)->counter,
			         (unsigned long long)last);
		last = self_record(&n, 1)->counter;
		net_run(&n, 300);
		if (i % 3 == 2) {
			net_crash(&n, 1);
			net_boot(&n, 1);
		}
		n.hosts[1].hello_ms = 0;
		net_run(&n, 30 * MS_PER_SECOND);
	}
	net_fini(&n);
}

/* The others know of a greater counter: it is adopted, and what is set now is signed above it. */
static void test_a_restored_backup_is_heard_again(void **state)
{
	struct disk backup;
	uint64_t counter;
	struct net n;

	(void)state;
	net_init(&n, 3);
	net_make_home(&n);
	disk_copy(&backup, &n.hosts[1].disk);
	n.hosts[1].wall_ahead_ms = MS_PER_HOUR;
	assert_int_equal(set_alias(&n, 1, "later")->err, 0);
	counter = self_record(&n, 1)->counter;
	net_run(&n, MS_PER_SECOND);
	net_crash(&n, 1);
	disk_fini(&n.hosts[1].disk);
	n.hosts[1].disk = backup;
	n.hosts[1].wall_ahead_ms = 0;
	net_boot(&n, 1);
	net_run(&n, 30 * MS_PER_SECOND);
	assert_true(self_record(&n, 1)->counter > counter);
	assert_string_equal(alias_of(&n, 0, 1), "host-1");
	assert_true(net_agrees(&n, "home"));
	net_fini(&n);
}

/* --- statements on oneself ----------------------------------------------------------------------
 */

static void test_a_prune_of_a_living_member_is_refuted(void **state)
{
	const struct keypair *self;
	struct attest attests[2];
	struct stmt *record;
	struct stmt *prune;
	struct mesh *m;
	struct record r;
	struct net n;

	(void)state;
	net_init(&n, 3);
	net_make_home(&n);
	m = net_mesh(&n, 1, "home");
	self = &m->self;
	record_read(self_record(&n, 1), &r);
	r.counter += 1000;
	r.watchers[0] = watcher_id_of(&net_mesh(&n, 0, "home")->self.sign_public);
	r.watchers[1] = watcher_id_of(&net_mesh(&n, 2, "home")->self.sign_public);
	r.watchers_count = 2;
	if (watcher_id_compare(&r.watchers[0], &r.watchers[1]) > 0) {
		struct watcher_id id = r.watchers[0];

		r.watchers[0] = r.watchers[1];
		r.watchers[1] = id;
	}
	assert_int_equal(record_sign(&n.hosts[0].mt.mem, &r, self, &m->mesh_public, &record), 0);
	prune_attest(record, &net_mesh(&n, 0, "home")->self, &m->mesh_public, &attests[0]);
	prune_attest(record, &net_mesh(&n, 2, "home")->self, &m->mesh_public, &attests[1]);
	assert_int_equal(remove_make_prune(&n.hosts[0].mt.mem, record, attests, 2, &prune), 0);
	tell(&n, 0, 2, prune);
	net_run(&n, 5 * MS_PER_SECOND);
	assert_true(self_record(&n, 1)->counter > record->counter);
	assert_int_equal(net_members(&n, 0, "home"), 3);
	assert_int_equal(net_members(&n, 1, "home"), 3);
	stmt_unref(&n.hosts[0].mt.mem, record);
	stmt_unref(&n.hosts[0].mt.mem, prune);
	net_run(&n, MS_PER_MINUTE);
	assert_true(net_agrees(&n, "home"));
	net_fini(&n);
}

static void expel(struct net *n, size_t whom, size_t told, size_t by)
{
	const struct mesh *admin = net_mesh(n, 0, "home");
	struct expulsion x = {
		.subject = net_mesh(n, whom, "home")->self.sign_public,
		.issued_ms = NET_NOW_MS,
	};
	const struct mem *mem = &n->hosts[0].mt.mem;
	struct stmt *s;

	assert_int_equal(expel_sign(mem, &x, &admin->self, &admin->mesh_public, &s), 0);
	tell(n, told, by, s);
	stmt_unref(mem, s);
}

static bool not_from_2_to_1(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	(void)ctx;
	(void)msg;
	return !(from == 2 && to == 1);
}

static void test_an_expelled_member_is_told_and_leaves(void **state)
{
	struct net n;

	(void)state;
	net_init(&n, 3);
	net_make_home(&n);
	n.filter = not_from_2_to_1;
	expel(&n, 1, 0, 2);
	assert_true(net_logged(&n, 1, "trace mesh-left"));
	assert_null(net_mesh(&n, 1, "home"));
	assert_false(n.hosts[1].devices[0].box.d.exists);
	net_run(&n, MS_PER_MINUTE);
	assert_int_equal(disk_count(&n.hosts[1].disk, ROW_STATE), 0);
	for (size_t i = 0; i < 3; i += 2) {
		assert_int_equal(net_members(&n, i, "home"), 2);
		assert_int_equal(net_mesh(&n, i, "home")->sessions_count, 1);
		assert_int_equal(n.hosts[i].devices[0].box.d.peers_count, 1);
	}
	net_fini(&n);
}

/* --- invites ------------------------------------------------------------------------------------
 */

static void test_only_administrators_invite(void **state)
{
	struct command c = net_invite_command("home", 1);
	struct net n;

	(void)state;
	net_init(&n, 2);
	net_make_home(&n);
	assert_int_equal(net_do(&n, 1, &c)->err, ERR_NOT_ADMIN);
	assert_int_equal(disk_count(&n.hosts[1].disk, ROW_INVITE), 0);
	net_fini(&n);
}

static void test_an_uncounted_invite_needs_no_row(void **state)
{
	struct net n;

	(void)state;
	net_init(&n, 1);
	net_boot_all(&n);
	net_create(&n, 0, "home");
	net_invite(&n, 0, "home", 0);
	assert_int_equal(disk_count(&n.hosts[0].disk, ROW_INVITE), 1); /* create's own */
	net_invite(&n, 0, "home", 7);
	assert_int_equal(disk_count(&n.hosts[0].disk, ROW_INVITE), 2);
	net_fini(&n);
}

static void test_invites_that_have_expired_make_room(void **state)
{
	struct command c = net_invite_command("home", 1);
	struct net n;
	size_t count = 1;

	(void)state;
	net_init(&n, 1);
	n.hosts[0].options.no_devices = true;
	net_boot_all(&n);
	net_create(&n, 0, "home");
	net_log_clear(&n, 0);
	for (; count < LIMIT_INVITES; count++)
		assert_int_equal(net_do(&n, 0, &c)->err, 0);
	assert_int_equal(net_do(&n, 0, &c)->err, ERR_LIMIT);
	n.hosts[0].wall_ahead_ms = 2 * MS_PER_DAY;
	net_invite(&n, 0, "home", 1);
	assert_int_equal(net_mesh(&n, 0, "home")->issued.count, 1);
	assert_int_equal(disk_count(&n.hosts[0].disk, ROW_INVITE), 1);
	net_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_makes_the_device_first_and_stores_before_it_replies),
		cmocka_unit_test(test_the_token_of_a_new_mesh_leads_back_to_it),
		cmocka_unit_test(test_without_a_device_nothing_is_stored),
		cmocka_unit_test(test_a_foreign_interface_of_that_name_is_left_alone),
		cmocka_unit_test(test_whoever_asked_and_is_gone_gets_no_reply),
		cmocka_unit_test(test_commands_that_make_no_sense_are_refused_and_leave_no_trace),
		cmocka_unit_test(test_settings_that_do_not_fit_into_a_record_are_refused),
		cmocka_unit_test(test_defaults_that_make_no_sense_are_refused_like_settings),
		cmocka_unit_test(test_a_host_is_in_as_many_meshes_as_it_can_be),
		cmocka_unit_test(test_without_an_address_there_is_a_mesh_but_no_token),
		cmocka_unit_test(
			test_settings_are_stored_and_told_and_the_same_again_is_not_signed),
		cmocka_unit_test(test_the_key_to_join_with_is_made_once),
		cmocka_unit_test(test_who_leaves_tells_and_keeps_only_its_key_and_counter),
		cmocka_unit_test(test_a_restart_changes_nothing),
		cmocka_unit_test(test_who_was_away_and_pruned_comes_back),
		cmocka_unit_test(test_counters_never_go_back_whatever_the_clock_does),
		cmocka_unit_test(test_a_restored_backup_is_heard_again),
		cmocka_unit_test(test_a_prune_of_a_living_member_is_refuted),
		cmocka_unit_test(test_an_expelled_member_is_told_and_leaves),
		cmocka_unit_test(test_only_administrators_invite),
		cmocka_unit_test(test_an_uncounted_invite_needs_no_row),
		cmocka_unit_test(test_invites_that_have_expired_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
