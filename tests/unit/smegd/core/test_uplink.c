/*
 * A client's uplinks and carrier, in whole nodes: beats are lost on chosen ways, time is virtual.
 */
#include "tests/unit/smegd/core/net.h"

#define PEERS 6
#define CLIENT PEERS
#define INTERVAL_MS 10000
#define SILENT_MS (3 * INTERVAL_MS + 1500)

struct fixture {
	struct net n;
	bool mute[PEERS]; /* no beat of it gets to the client */
};

static bool pass(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	const struct fixture *f = ctx;

	return msg->kind != MSG_BEAT || to != CLIENT || !f->mute[from];
}

static struct mesh *client(const struct fixture *f)
{
	return net_mesh(&f->n, CLIENT, "home");
}

static size_t host_of(const struct fixture *f, const struct key *k)
{
	for (size_t i = 0; i < PEERS; i++)
		if (key_equal(&net_mesh(&f->n, i, "home")->self.box_public, k))
			return i;
	fail_msg("nobody has that key");
	return 0;
}

static size_t uplink(const struct fixture *f, size_t i)
{
	assert_non_null(client(f)->uplinks.of[i]);
	return host_of(f, &client(f)->uplinks.of[i]->key);
}

static size_t carrier(const struct fixture *f)
{
	struct key named;

	assert_true(carrier_named(client(f), &named));
	return host_of(f, &named);
}

static void start(struct fixture *f)
{
	struct command invite = net_invite_command("home", 1);

	memset(f, 0, sizeof(*f));
	net_init(&f->n, PEERS + 1);
	net_boot_all(&f->n);
	net_create(&f->n, 0, "home");
	for (size_t i = 1; i < PEERS; i++)
		net_join(&f->n, i, net_invite(&f->n, 0, "home", 1));
	invite.role = ROLE_CLIENT;
	net_join(&f->n, CLIENT, net_do(&f->n, 0, &invite)->token);
	net_run(&f->n, 3 * INTERVAL_MS);
	f->n.filter = pass;
	f->n.ctx = f;
	assert_int_not_equal(uplink(f, 0), uplink(f, 1));
}

static bool is_uplink(const struct fixture *f, size_t host)
{
	return uplink(f, 0) == host || uplink(f, 1) == host;
}

/* One is silent, the other is not: it alone goes, and only when another has taken its place. */
static void test_a_silent_uplink_is_replaced(void **state)
{
	struct fixture f;
	size_t silent;
	size_t other;

	(void)state;
	start(&f);
	silent = uplink(&f, 0);
	other = uplink(&f, 1);
	f.mute[silent] = true;
	net_run(&f.n, SILENT_MS - INTERVAL_MS);
	assert_true(is_uplink(&f, silent));
	for (int i = 0; i < 40; i++) {
		const struct uplinks *u = &client(&f)->uplinks;

		net_run(&f.n, 1000);
		assert_true(u->of[0] && u->of[0]->session && u->of[1] && u->of[1]->session);
	}
	assert_false(is_uplink(&f, silent));
	assert_true(is_uplink(&f, other));
	net_fini(&f.n);
}

/* Both are: one after the other goes, and beats come again. */
static void test_both_uplinks_are_replaced(void **state)
{
	struct fixture f;
	size_t silent[2];

	(void)state;
	start(&f);
	for (size_t i = 0; i < PEERS; i++)
		f.mute[i] = is_uplink(&f, i);
	silent[0] = uplink(&f, 0);
	silent[1] = uplink(&f, 1);
	net_run(&f.n, SILENT_MS + 4 * INTERVAL_MS);
	assert_false(is_uplink(&f, silent[0]));
	assert_false(is_uplink(&f, silent[1]));
	assert_true(beat_is_fresh(client(&f), (struct instant){ f.n.mono_ms, 0 }));
	net_fini(&f.n);
}

/* Nobody brings any: others are tried, more and more rarely, and nothing moves. */
static void test_without_a_leader_nothing_moves(void **state)
{
	struct fixture f;
	size_t before[2];
	size_t carried;
	size_t tries = 0;
	const struct peer *last = NULL;

	(void)state;
	start(&f);
	before[0] = uplink(&f, 0);
	before[1] = uplink(&f, 1);
	carried = carrier(&f);
	memset(f.mute, true, sizeof(f.mute));
	for (int i = 0; i < 600; i++) {
		const struct peer *trial;

		net_run(&f.n, 1000);
		trial = client(&f)->uplinks.trial;
		tries += trial && trial != last;
		last = trial;
	}
	assert_int_equal(uplink(&f, 0), before[0]);
	assert_int_equal(uplink(&f, 1), before[1]);
	assert_int_equal(carrier(&f), carried);
	print_message("%zu tries in ten minutes\n", tries);
	assert_in_range(tries, 3, 12);
	net_fini(&f.n);
}

/* The carrier is kept while it works, though nobody brings beats; not if it alone brings none. */
static void test_the_carrier_moves_if_it_alone_is_silent(void **state)
{
	struct fixture f;
	uint64_t counter;
	size_t first;

	(void)state;
	start(&f);
	net_run(&f.n, 60000);
	first = carrier(&f);
	counter = client(&f)->last_counter;
	net_run(&f.n, 2 * MS_PER_MINUTE);
	assert_int_equal(carrier(&f), first);
	assert_int_equal(client(&f)->last_counter, counter); /* nothing was signed */
	f.mute[first] = true;
	net_run(&f.n, SILENT_MS + 2 * INTERVAL_MS);
	assert_int_not_equal(carrier(&f), first);
	net_fini(&f.n);
}

/* A carrier that dies is left at once; when it is back it must prove itself first. */
static void test_the_carrier_returns_after_a_while(void **state)
{
	struct fixture f;
	struct key named;
	struct key key;
	size_t first;

	(void)state;
	start(&f);
	net_run(&f.n, 60000);
	first = carrier(&f);
	key = net_mesh(&f.n, first, "home")->self.box_public;
	net_crash(&f.n, first);
	net_run(&f.n, 1000);
	assert_true(carrier_named(client(&f), &named));
	assert_false(key_equal(&named, &key));
	net_boot(&f.n, first);
	net_run(&f.n, 20000);
	assert_int_not_equal(carrier(&f), first);
	net_run(&f.n, 60000);
	assert_int_equal(carrier(&f), first);
	net_fini(&f.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_silent_uplink_is_replaced),
		cmocka_unit_test(test_both_uplinks_are_replaced),
		cmocka_unit_test(test_without_a_leader_nothing_moves),
		cmocka_unit_test(test_the_carrier_moves_if_it_alone_is_silent),
		cmocka_unit_test(test_the_carrier_returns_after_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
