/*
 * The wanted device: who is a peer of whom, with which addresses.
 */
#include "tests/unit/smegd/core/net.h"

#include <stdio.h>

struct render {
	struct net net;
	struct step st;
	struct device have;
	struct device want;
};

static void render_init(struct render *r, size_t hosts)
{
	memset(r, 0, sizeof(*r));
	net_init(&r->net, hosts);
	net_make_home(&r->net);
	net_run(&r->net, MS_PER_SECOND);
}

static const struct device *render(struct render *r, size_t host)
{
	struct net_host *h = &r->net.hosts[host];

	r->st = (struct step){ .n = h->node, .fx = &h->fx };
	r->st.now = (struct instant){ r->net.mono_ms, NET_NOW_MS + r->net.mono_ms };
	assert_int_equal(desired_make(&r->st, net_mesh(&r->net, host, "home"), &r->have, &r->want),
	                 0);
	return &r->want;
}

static const struct wg_peer *find(const struct device *d, const struct key *key)
{
	for (size_t i = 0; i < d->peers_count; i++)
		if (key_equal(&d->peers[i].key, key))
			return &d->peers[i];
	return NULL;
}

static bool allows_locator(const struct render *r, const struct wg_peer *p, const struct key *of)
{
	struct prefix prefix;
	struct addr a;

	place_locator(net_mesh(&r->net, 0, "home")->id, of, &a);
	prefix_make(&prefix, &a, 128);
	return box_allows(p, &prefix);
}

/* A client that exists in statements only, known to host 0; carrier: NULL for none. */
static struct key add_client(struct render *r, uint8_t number, const struct key *carrier)
{
	struct mesh *m = net_mesh(&r->net, 0, "home");
	const struct mem *mem = &r->net.hosts[0].mt.mem;
	struct admission a = { .role = ROLE_CLIENT, .issued_ms = NET_NOW_MS };
	struct record record = { .role = ROLE_CLIENT, .counter = NET_NOW_MS };
	uint8_t seed[KEY_BYTES] = { number, 99 };
	struct keypair pair;
	struct stmt *s;

	while (keypair_from_seed(&pair, seed))
		seed[2]++;
	render(r, 0); /* a step of now */
	a.subject = pair.sign_public;
	record.has_carrier = carrier != NULL;
	if (carrier)
		record.carrier = *carrier;
	assert_int_equal(admission_sign(mem, &a, &m->self, &m->mesh_public, &s), 0);
	mesh_offer(&r->st, m, s->raw, 1);
	stmt_unref(mem, s);
	assert_int_equal(record_sign(mem, &record, &pair, &m->mesh_public, &s), 0);
	mesh_offer(&r->st, m, s->raw, 1);
	stmt_unref(mem, s);
	return pair.box_public;
}

static void test_the_device_itself(void **state)
{
	const struct device *d;
	const struct mesh *m;
	struct render r;
	struct prefix own;

	(void)state;
	render_init(&r, 1);
	m = net_mesh(&r.net, 0, "home");
	d = render(&r, 0);
	assert_string_equal(d->name, "smeg-home");
	assert_true(d->up && d->has_private_key);
	assert_memory_equal(d->private_key, m->self.box_secret, KEY_BYTES);
	assert_int_equal(d->mtu, DEVICE_MTU_DEFAULT);
	assert_int_equal(d->listen_port, 51820);
	assert_int_equal(d->peers_count, 0);
	assert_int_equal(d->addresses_count, 1);
	assert_int_equal(d->addresses[0].bits, 128);
	place_prefix(m->id, &own);
	assert_true(prefix_contains(&own, &d->addresses[0].addr));
	assert_int_equal(d->routes_count, 1);
	assert_true(prefix_equal(&d->routes[0].to, &own));
	net_fini(&r.net);
}

static void test_every_other_peer_has_its_own_address_and_no_more(void **state)
{
	struct render r;

	(void)state;
	render_init(&r, 4);
	for (size_t i = 0; i < 4; i++) {
		const struct device *d = render(&r, i);

		assert_int_equal(d->peers_count, 3);
		for (size_t k = 0; k < 3; k++) {
			assert_int_equal(d->peers[k].allowed_count, 1);
			assert_true(allows_locator(&r, &d->peers[k], &d->peers[k].key));
			assert_int_equal(d->peers[k].keepalive_s, 25);
			if (k)
				assert_true(key_compare(&d->peers[k - 1].key, &d->peers[k].key) <
				            0);
		}
	}
	net_fini(&r.net);
}

static void test_clients_stand_behind_their_carrier(void **state)
{
	const struct device *d;
	struct key carrier;
	struct key mine;
	struct key theirs[2];
	struct key nobodys;
	struct render r;

	(void)state;
	render_init(&r, 3);
	carrier = net_mesh(&r.net, 1, "home")->self.box_public;
	mine = add_client(&r, 1, &net_mesh(&r.net, 0, "home")->self.box_public);
	theirs[0] = add_client(&r, 2, &carrier);
	theirs[1] = add_client(&r, 3, &carrier);
	nobodys = add_client(&r, 4, NULL);
	d = render(&r, 0);
	assert_int_equal(d->peers_count, 4);
	assert_true(allows_locator(&r, find(d, &mine), &mine));
	assert_true(allows_locator(&r, find(d, &nobodys), &nobodys));
	assert_int_equal(find(d, &carrier)->allowed_count, 3);
	for (size_t i = 0; i < 2; i++) {
		assert_null(find(d, &theirs[i]));
		assert_true(allows_locator(&r, find(d, &carrier), &theirs[i]));
	}
	for (size_t i = 1; i < 3; i++)
		assert_true(prefix_compare(&find(d, &carrier)->allowed[i - 1],
		                           &find(d, &carrier)->allowed[i]) < 0);
	net_fini(&r.net);
}

/* A carrier must be a peer; one that is a client or gone carries nobody. */
static void test_a_carrier_that_is_none_carries_nobody(void **state)
{
	struct key stranger = { { 1 } };
	const struct device *d;
	struct key lost;
	struct key first;
	struct key second;
	struct render r;

	(void)state;
	render_init(&r, 2);
	lost = add_client(&r, 1, &stranger);
	first = add_client(&r, 2, NULL);
	second = add_client(&r, 3, &first);
	d = render(&r, 0);
	assert_int_equal(d->peers_count, 2);
	assert_null(find(d, &lost));
	assert_null(find(d, &second));
	assert_int_equal(find(d, &first)->allowed_count, 1);
	net_fini(&r.net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_device_itself),
		cmocka_unit_test(test_every_other_peer_has_its_own_address_and_no_more),
		cmocka_unit_test(test_clients_stand_behind_their_carrier),
		cmocka_unit_test(test_a_carrier_that_is_none_carries_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
