/*
 * Where a tunnel's packets go: what WireGuard learned is never undone while it works.
 */
#include "tests/unit/smegd/core/net.h"

#include <stdio.h>

/* Host 0 looks at host 1, which names three places. */
struct look {
	struct net net;
	struct step st;
	struct peer *peer;
	struct wg_peer have;
	struct wg_peer want;
};

static void set_places(struct net *n, size_t host, const char *const *hosts)
{
	struct command c = { .kind = CMD_SET, .mesh = "home", .settings.has_places = true };

	for (; *hosts; hosts++)
		snprintf(c.settings.places[c.settings.places_count++].host, HOST_NAME_MAX_BYTES,
		         "%s", *hosts);
	assert_int_equal(net_do(n, host, &c)->err, 0);
}

static void look_init(struct look *l, const char *const *hosts)
{
	struct net *n = &l->net;

	memset(l, 0, sizeof(*l));
	net_init(n, 2);
	net_make_home(n);
	set_places(n, 1, hosts);
	l->st = (struct step){ .n = n->hosts[0].node, .fx = &n->hosts[0].fx };
	l->st.now = (struct instant){ n->mono_ms, NET_NOW_MS + n->mono_ms };
	l->peer = mesh_peer(net_mesh(n, 0, "home"), &net_mesh(n, 1, "home")->self.box_public);
	l->peer->session = NULL; /* no proof of a place, unless a test says so */
	l->peer->tx_seen = 0;
	l->peer->endpoint_since_ms = l->st.now.mono_ms;
}

/* What is written, as text; "" nothing. */
static const char *choose(struct look *l, bool have)
{
	static char text[ENDPOINT_TEXT_BYTES];

	memset(&l->want, 0, sizeof(l->want));
	endpoint_choose(&l->st, l->peer, have ? &l->have : NULL, &l->want);
	text[0] = 0;
	if (!l->want.has_endpoint)
		return text;
	endpoint_text(&l->want.endpoint, text);
	l->have.has_endpoint = true;
	l->have.endpoint = l->want.endpoint;
	return text;
}

static void pass(struct look *l, int64_t ms)
{
	l->st.now.mono_ms += ms;
	l->st.now.unix_ms += ms;
}

static const char *const three[] = { "192.0.2.1", "192.0.2.2", "192.0.2.3", NULL };

static void test_a_new_peer_gets_the_first_place(void **state)
{
	struct look l;

	(void)state;
	look_init(&l, three);
	assert_string_equal(choose(&l, false), "192.0.2.1:51820");
	net_fini(&l.net);
}

static void test_the_address_of_a_session_that_we_dialled_comes_first(void **state)
{
	struct session s = { .dialled = true, .remote.port = 7000 };
	struct look l;

	(void)state;
	look_init(&l, three);
	assert_int_equal(addr_parse(&s.remote.addr, "198.51.100.7"), 0);
	l.peer->session = &s;
	assert_string_equal(choose(&l, false), "198.51.100.7:51820");
	s.dialled = false; /* it dialled us: perhaps from behind a NAT */
	assert_string_equal(choose(&l, false), "192.0.2.1:51820");
	l.peer->session = NULL;
	net_fini(&l.net);
}

static void test_a_tunnel_that_works_is_left_where_it_is(void **state)
{
	struct look l;

	(void)state;
	look_init(&l, three);
	l.have.has_endpoint = true;
	assert_int_equal(addr_parse(&l.have.endpoint.addr, "203.0.113.9"), 0);
	l.have.endpoint.port = 4;
	for (int i = 0; i < 100; i++) {
		l.have.handshake_ms = l.st.now.unix_ms - HANDSHAKE_FRESH_MS + 1;
		l.have.tx_bytes += 1000;
		assert_string_equal(choose(&l, true), "");
		pass(&l, ENDPOINT_TRY_MS);
	}
	net_fini(&l.net);
}

static void test_an_idle_tunnel_is_left_where_it_is(void **state)
{
	struct look l;

	(void)state;
	look_init(&l, three);
	choose(&l, false);
	for (int i = 0; i < 100; i++) {
		pass(&l, MS_PER_MINUTE);
		assert_string_equal(choose(&l, true), "");
	}
	net_fini(&l.net);
}

static void test_a_place_that_does_not_answer_is_given_up_after_a_while(void **state)
{
	static const char *const next[] = { "192.0.2.2:51820", "192.0.2.3:51820", "192.0.2.1:51820",
		                            "192.0.2.2:51820" };
	struct look l;

	(void)state;
	look_init(&l, three);
	choose(&l, false);
	for (size_t i = 0; i < ARRAY_LEN(next); i++) {
		l.have.tx_bytes += 148;
		assert_string_equal(choose(&l, true), "");
		pass(&l, ENDPOINT_TRY_MS - 1);
		l.have.tx_bytes += 148;
		assert_string_equal(choose(&l, true), "");
		pass(&l, 1);
		assert_string_equal(choose(&l, true), next[i]);
	}
	net_fini(&l.net);
}

static void test_a_roamed_tunnel_that_died_goes_back_to_the_first_place(void **state)
{
	struct look l;

	(void)state;
	look_init(&l, three);
	choose(&l, false);
	l.have.endpoint.port = 9;
	l.have.tx_bytes = 148;
	choose(&l, true);
	pass(&l, ENDPOINT_TRY_MS);
	assert_string_equal(choose(&l, true), "192.0.2.1:51820");
	net_fini(&l.net);
}

static void test_a_single_place_is_written_once(void **state)
{
	static const char *const one[] = { "192.0.2.1", NULL };
	struct look l;

	(void)state;
	look_init(&l, one);
	assert_string_equal(choose(&l, false), "192.0.2.1:51820");
	for (int i = 0; i < 10; i++) {
		l.have.tx_bytes += 148;
		pass(&l, ENDPOINT_TRY_MS);
		assert_string_equal(choose(&l, true), "");
	}
	net_fini(&l.net);
}

static void test_names_are_for_dialling_and_not_for_packets(void **state)
{
	static const char *const names[] = { "gate.example.org", NULL };
	struct look l;

	(void)state;
	look_init(&l, names);
	assert_string_equal(choose(&l, false), "");
	assert_true(l.peer->lacks_address); /* so a session is sought, which knows */
	net_fini(&l.net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_peer_gets_the_first_place),
		cmocka_unit_test(test_the_address_of_a_session_that_we_dialled_comes_first),
		cmocka_unit_test(test_a_tunnel_that_works_is_left_where_it_is),
		cmocka_unit_test(test_an_idle_tunnel_is_left_where_it_is),
		cmocka_unit_test(test_a_place_that_does_not_answer_is_given_up_after_a_while),
		cmocka_unit_test(test_a_roamed_tunnel_that_died_goes_back_to_the_first_place),
		cmocka_unit_test(test_a_single_place_is_written_once),
		cmocka_unit_test(test_names_are_for_dialling_and_not_for_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
