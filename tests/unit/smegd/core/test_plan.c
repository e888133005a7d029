/*
 * The plan: the fewest operations from what is there to what is wanted.
 *
 * Each row of the table starts from a device that is as wanted and changes one side of it.  The
 * property test applies plans for random pairs to a strict model of the kernel, in which an allowed
 * IP that is given to B leaves A, nothing can be made twice, and no route goes over a link that is
 * down.  It prints its seed; SEED=n repeats a run.
 */
#include "tests/unit/memtest.h"
#include "tests/unit/smegd/core/box.h"

#include "base/rng.h"
#include "smegd/core/plan.h"

#include <errno.h>
#include <stdio.h>

#define PEERS 8 /* keys 1.. ; the last two are foreign */
#define PEERS_OURS 6
#define PREFIXES 10
#define PLACES 8 /* addresses; the last three are outside of the own prefix */
#define PLACES_OURS 5
#define ROUTES 5
#define TEXT_BYTES 2048

static struct prefix own_prefix(void)
{
	struct prefix p;

	assert_int_equal(prefix_parse(&p, "fd00:0:0:1::/64"), 0);
	return p;
}

static struct key nth_key(size_t n)
{
	return (struct key){ { (uint8_t)(n + 1) } };
}

static struct prefix nth_prefix(size_t n)
{
	char text[PREFIX_TEXT_BYTES];
	struct prefix p;

	snprintf(text, sizeof(text), "fd00:0:0:1::%zx/128", n + 1);
	assert_int_equal(prefix_parse(&p, text), 0);
	return p;
}

static struct address nth_address(size_t n)
{
	struct address a = { .bits = 128 };
	char text[ADDR_TEXT_BYTES];

	snprintf(text, sizeof(text), n < PLACES_OURS ? "fd00:0:0:1::%zx" : "2001:db8::%zx",
	         n / 2 + 1);
	if (n % 2)
		a.bits = 64; /* the same address, of another length */
	assert_int_equal(addr_parse(&a.addr, text), 0);
	return a;
}

static struct route nth_route(size_t n)
{
	struct route r = { .metric = n % 2 ? 1024 : 2048 };
	char text[PREFIX_TEXT_BYTES];

	snprintf(text, sizeof(text), "fd00:0:0:%zx::/64", n / 2 + 1);
	assert_int_equal(prefix_parse(&r.to, text), 0);
	return r;
}

static struct endpoint nth_endpoint(size_t n)
{
	struct endpoint e = { .port = (uint16_t)(51820 + n) };

	assert_int_equal(addr_parse(&e.addr, "192.0.2.1"), 0);
	return e;
}

static bool key_is_ours(const void *ctx, const struct key *peer)
{
	(void)ctx;
	return peer->b[0] <= PEERS_OURS;
}

/* --- plans as text ---------------------------------------------------------------------------- */

struct text {
	char at[TEXT_BYTES];
	size_t count;
};

static void PRINTF_LIKE(2, 3) say(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	t->count += (size_t)vsnprintf(t->at + t->count, TEXT_BYTES - t->count, format, args);
	va_end(args);
	assert_true(t->count < TEXT_BYTES);
}

static void say_peer(struct text *t, const struct op *op)
{
	say(t, "%s %d", op->peer.create ? "make" : "set", op->peer.key.b[0]);
	if (op->peer.set_endpoint)
		say(t, " at %d", op->peer.endpoint.port);
	if (op->peer.set_keepalive)
		say(t, " keepalive %d", op->peer.keepalive_s);
	if (op->peer.replace_allowed)
		say(t, " only");
	for (size_t i = 0; i < op->peer.allowed_count; i++)
		say(t, " +%x", op->peer.allowed[i].addr.b[15]);
}

static void say_op(struct text *t, const struct op *op)
{
	char addr[ADDR_TEXT_BYTES];
	char prefix[PREFIX_TEXT_BYTES];

	addr_text(&op->address.addr, addr);
	prefix_text(&op->route.to, prefix);
	switch (op->kind) {
	case OP_LINK_ADD:
		say(t, "link");
		break;
	case OP_LINK_DEL:
		say(t, "no link");
		break;
	case OP_LINK_MTU:
		say(t, "mtu %u", op->mtu);
		break;
	case OP_LINK_UP:
		say(t, "up");
		break;
	case OP_DEVICE_KEY:
		say(t, "key %d", op->private_key[0]);
		break;
	case OP_DEVICE_PORT:
		say(t, "port %d", op->port);
		break;
	case OP_PEER_SET:
		say_peer(t, op);
		break;
	case OP_PEER_DEL:
		say(t, "unmake %d", op->peer.key.b[0]);
		break;
	case OP_ADDRESS_ADD:
	case OP_ADDRESS_DEL:
		say(t, "%caddress %s/%d", op->kind == OP_ADDRESS_ADD ? '+' : '-', addr,
		    op->address.bits);
		break;
	case OP_ROUTE_ADD:
	case OP_ROUTE_DEL:
		say(t, "%croute %s metric %u", op->kind == OP_ROUTE_ADD ? '+' : '-', prefix,
		    op->route.metric);
		break;
	}
}

static void say_plan(struct text *t, const struct plan *plan)
{
	t->count = 0;
	t->at[0] = 0;
	for (size_t i = 0; i < plan->count; i++) {
		if (i)
			say(t, "; ");
		say_op(t, &plan->ops[i]);
	}
}

/* --- the table -------------------------------------------------------------------------------- */

struct world {
	struct box want;
	struct box have;
};

/* Peers 1, 2, 3 with allowed IPs 1+2, 3+4, 5; both sides alike. */
static void world_init(struct world *w)
{
	struct box *b = &w->want;

	box_init(b);
	b->d.exists = b->d.up = b->d.has_private_key = true;
	b->d.mtu = 1420;
	b->d.private_key[0] = 7;
	b->d.listen_port = 51820;
	for (size_t i = 0; i < 3; i++) {
		struct key key = nth_key(i);
		struct wg_peer *p = box_insert(b, &key);

		p->keepalive_s = 25;
		p->has_endpoint = true;
		p->endpoint = nth_endpoint(i);
		for (size_t k = 2 * i; k < 2 * i + 2 && k < 5; k++) {
			struct prefix prefix = nth_prefix(k);

			box_allow(p, &prefix);
		}
	}
	b->addresses[b->d.addresses_count++] = nth_address(0);
	b->routes[b->d.routes_count++] = nth_route(1);
	box_copy(&w->have, &w->want);
}

static void nothing(struct world *w)
{
	(void)w;
}

static void empty_world(struct world *w)
{
	box_init(&w->have);
}

static void roamed(struct world *w)
{
	w->want.peers[0].has_endpoint = false;
	w->have.peers[0].endpoint.port = 9;
	w->have.peers[0].handshake_ms = 5;
	w->have.peers[0].rx_bytes = 6;
}

static void endpoint_lost(struct world *w)
{
	w->have.peers[0].has_endpoint = false;
}

static void endpoint_moved(struct world *w)
{
	w->want.peers[0].endpoint.port = 9;
}

static void keepalive_removed(struct world *w)
{
	w->want.peers[1].keepalive_s = 0;
}

static void keepalive_added(struct world *w)
{
	w->have.peers[1].keepalive_s = 0;
}

static void allowed_removed(struct world *w)
{
	struct prefix p = nth_prefix(1);

	box_disallow(&w->want.peers[0], &p);
}

static void last_allowed_removed(struct world *w)
{
	struct prefix p = nth_prefix(4);

	box_disallow(&w->want.peers[2], &p);
}

static void allowed_added(struct world *w)
{
	struct prefix p = nth_prefix(7);

	box_allow(&w->want.peers[0], &p);
}

static void allowed_added_and_removed(struct world *w)
{
	allowed_added(w);
	allowed_removed(w);
}

static void allowed_moved_forth(struct world *w)
{
	struct prefix p = nth_prefix(1);

	box_disallow(&w->want.peers[0], &p);
	box_allow(&w->want.peers[1], &p);
}

static void allowed_moved_back(struct world *w)
{
	struct prefix p = nth_prefix(2);

	box_disallow(&w->want.peers[1], &p);
	box_allow(&w->want.peers[0], &p);
}

static void allowed_swapped(struct world *w)
{
	allowed_moved_forth(w);
	allowed_moved_back(w);
}

/* One moves away, another must vanish: then the whole list is written. */
static void allowed_moved_and_removed(struct world *w)
{
	struct prefix p = nth_prefix(0);

	allowed_moved_forth(w);
	box_disallow(&w->want.peers[0], &p);
}

static void peer_gone(struct world *w)
{
	struct key key = nth_key(1);

	box_remove(&w->want, &key);
}

static void peer_new(struct world *w)
{
	struct key key = nth_key(1);

	box_remove(&w->have, &key);
}

static void peer_new_and_bare(struct world *w)
{
	peer_new(w);
	w->want.peers[1].has_endpoint = false;
	w->want.peers[1].keepalive_s = 0;
	w->want.peers[1].allowed_count = 0;
}

/* Its allowed IPs go to another: first it goes, then they are given. */
static void peer_gone_and_heir(struct world *w)
{
	struct prefix p = nth_prefix(2);

	peer_gone(w);
	box_allow(&w->want.peers[0], &p);
}

static void peer_foreign(struct world *w)
{
	struct key key = nth_key(PEERS_OURS);
	struct prefix p = nth_prefix(9);

	box_allow(box_insert(&w->have, &key), &p);
}

static void peer_foreign_has_ours(struct world *w)
{
	struct key key = nth_key(PEERS_OURS);
	struct prefix p = nth_prefix(0);

	box_disallow(&w->have.peers[0], &p);
	box_allow(box_insert(&w->have, &key), &p);
}

static void address_foreign(struct world *w)
{
	w->have.addresses[w->have.d.addresses_count++] = nth_address(PLACES_OURS);
}

static void address_stale(struct world *w)
{
	w->have.addresses[w->have.d.addresses_count++] = nth_address(2);
}

static void address_gone(struct world *w)
{
	w->have.d.addresses_count = 0;
}

static void address_of_other_length(struct world *w)
{
	w->have.addresses[0].bits = 64;
}

static void route_stale(struct world *w)
{
	w->have.routes[w->have.d.routes_count++] = nth_route(3);
}

static void route_gone(struct world *w)
{
	w->have.d.routes_count = 0;
}

static void route_of_other_metric(struct world *w)
{
	w->have.routes[0].metric = 5;
}

static void mtu(struct world *w)
{
	w->have.d.mtu = 1280;
}

static void port(struct world *w)
{
	w->have.d.listen_port = 1;
}

static void key_other(struct world *w)
{
	w->have.d.private_key[0] = 8;
}

static void key_none(struct world *w)
{
	w->have.d.has_private_key = false;
}

/* A link that goes down loses its routes. */
static void down(struct world *w)
{
	w->have.d.up = false;
	w->have.d.routes_count = 0;
}

static const struct {
	const char *name;
	void (*change)(struct world *w);
	const char *plan;
} rows[] = {
	{ "nothing changed", nothing, "" },
	{ "empty world", empty_world,
	  "link; mtu 1420; key 7; port 51820; make 1 at 51820 keepalive 25 only +1 +2; "
	  "make 2 at 51821 keepalive 25 only +3 +4; make 3 at 51822 keepalive 25 only +5; "
	  "+address fd00:0:0:1::1/128; up; +route fd00:0:0:1::/64 metric 1024" },
	{ "a peer that roamed is left where it is", roamed, "" },
	{ "an endpoint that the kernel lost is given", endpoint_lost, "set 1 at 51820" },
	{ "a named endpoint is given", endpoint_moved, "set 1 at 9" },
	{ "a keepalive that was taken away is reset", keepalive_removed, "set 2 keepalive 0" },
	{ "a keepalive that is new", keepalive_added, "set 2 keepalive 25" },
	{ "an allowed IP that was taken away goes", allowed_removed, "set 1 only +1" },
	{ "the last allowed IP that was taken away goes", last_allowed_removed, "set 3 only" },
	{ "an allowed IP more is only added", allowed_added, "set 1 +8" },
	{ "one more and one less", allowed_added_and_removed, "set 1 only +1 +8" },
	{ "moved to a later peer", allowed_moved_forth, "set 2 +2" },
	{ "moved to an earlier peer", allowed_moved_back, "set 1 +3" },
	{ "swapped", allowed_swapped, "set 1 +3; set 2 +2" },
	{ "moved, and another gone", allowed_moved_and_removed, "set 1 only; set 2 +2" },
	{ "a peer less", peer_gone, "unmake 2" },
	{ "a peer more", peer_new, "make 2 at 51821 keepalive 25 only +3 +4" },
	{ "a peer more with nothing", peer_new_and_bare, "make 2 only" },
	{ "a peer less, and its heir", peer_gone_and_heir, "unmake 2; set 1 +3" },
	{ "a foreign peer is left alone", peer_foreign, "" },
	{ "an allowed IP of ours at a foreign peer is taken back", peer_foreign_has_ours,
	  "set 1 +1" },
	{ "a foreign address is left alone", address_foreign, "" },
	{ "a stale address of ours goes", address_stale, "-address fd00:0:0:1::2/128" },
	{ "an address that is gone comes back", address_gone, "+address fd00:0:0:1::1/128" },
	{ "an address of another length is made again", address_of_other_length,
	  "-address fd00:0:0:1::1/64; +address fd00:0:0:1::1/128" },
	{ "a stale route of ours goes", route_stale, "-route fd00:0:0:2::/64 metric 1024" },
	{ "a route that is gone comes back", route_gone, "+route fd00:0:0:1::/64 metric 1024" },
	{ "a route of another metric", route_of_other_metric,
	  "-route fd00:0:0:1::/64 metric 5; +route fd00:0:0:1::/64 metric 1024" },
	{ "mtu", mtu, "mtu 1420" },
	{ "port", port, "port 51820" },
	{ "another key", key_other, "key 7" },
	{ "no key yet", key_none, "key 7" },
	{ "a link that is down goes up, then come its routes", down,
	  "up; +route fd00:0:0:1::/64 metric 1024" },
};

static int make(const struct box *want, const struct box *have, struct arena *a, struct plan *ret)
{
	struct prefix own = own_prefix();
	struct plan_input in = {
		.want = &want->d,
		.have = &have->d,
		.own = &own,
		.is_ours = key_is_ours,
	};

	return plan_make(&in, a, ret);
}

static void test_each_change_costs_only_its_own_operations(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct text *t = malloc(sizeof(*t));
	struct memtest mt;
	struct arena a;

	(void)state;
	memtest_init(&mt);
	arena_init(&a, &mt.mem);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct plan plan;

		world_init(w);
		rows[i].change(w);
		assert_int_equal(make(&w->want, &w->have, &a, &plan), 0);
		say_plan(t, &plan);
		if (strcmp(t->at, rows[i].plan) != 0)
			fail_msg("%s:\n  is      %s\n  must be %s", rows[i].name, t->at,
			         rows[i].plan);
	}
	arena_fini(&a);
	memtest_assert_no_leak(&mt);
	free(w);
	free(t);
}

static void test_out_of_memory_is_told(void **state)
{
	struct world *w = malloc(sizeof(*w));
	size_t n;

	(void)state;
	world_init(w);
	empty_world(w);
	for (n = 1;; n++) {
		struct memtest mt;
		struct arena a;
		struct plan plan;
		int err;

		memtest_failing(&mt, n);
		arena_init(&a, &mt.mem);
		err = make(&w->want, &w->have, &a, &plan);
		arena_fini(&a);
		memtest_assert_no_leak(&mt);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
	}
	assert_true(n > 1);
	free(w);
}

/* --- the property ----------------------------------------------------------------------------- */

static bool toss(struct rng *r)
{
	return rng_below(r, 2);
}

/* Each allowed IP goes to one peer at most, as in the kernel. */
static void random_peers(struct rng *r, struct box *b, size_t keys)
{
	for (size_t i = 0; i < keys; i++) {
		struct key key = nth_key(i);
		struct wg_peer *p;

		if (toss(r))
			continue;
		p = box_insert(b, &key);
		p->keepalive_s = toss(r) ? 25 : 0;
		p->has_endpoint = toss(r);
		if (p->has_endpoint)
			p->endpoint = nth_endpoint((size_t)rng_below(r, 2));
	}
	for (size_t i = 0; i < PREFIXES && b->d.peers_count; i++) {
		struct prefix prefix = nth_prefix(i);

		if (rng_below(r, 3))
			box_allow(&b->peers[rng_below(r, b->d.peers_count)], &prefix);
	}
}

static void random_device(struct rng *r, struct box *b, bool wanted)
{
	box_init(b);
	if (!wanted && rng_below(r, 8) == 0)
		return;
	b->d.exists = true;
	b->d.up = wanted || toss(r);
	b->d.has_private_key = wanted || toss(r);
	b->d.private_key[0] = b->d.has_private_key ? (uint8_t)rng_below(r, 2) : 0;
	b->d.mtu = toss(r) ? 1420 : 1280;
	b->d.listen_port = (uint16_t)rng_below(r, 2);
	random_peers(r, b, wanted ? PEERS_OURS : PEERS);
	for (size_t i = 0; i < (wanted ? PLACES_OURS : PLACES); i++) {
		struct address a = nth_address(i);

		if (toss(r) && box_address(b, &a, true) == b->d.addresses_count)
			b->addresses[b->d.addresses_count++] = a;
	}
	for (size_t i = 0; i < ROUTES && b->d.up; i++)
		if (toss(r))
			b->routes[b->d.routes_count++] = nth_route(i);
}

static bool same_allowed(const struct wg_peer *a, const struct wg_peer *b)
{
	bool same = a->allowed_count == b->allowed_count;

	for (size_t i = 0; same && i < a->allowed_count; i++)
		same = box_allows(b, &a->allowed[i]);
	return same;
}

static bool somebody_wants(struct box *want, const struct prefix *p)
{
	for (size_t i = 0; i < want->d.peers_count; i++)
		if (box_allows(&want->peers[i], p))
			return true;
	return false;
}

static void check_wanted_peer(struct wg_peer *want, struct wg_peer *before, struct wg_peer *after)
{
	assert_non_null(after);
	assert_int_equal(after->keepalive_s, want->keepalive_s);
	assert_true(same_allowed(after, want));
	if (want->has_endpoint) {
		assert_true(after->has_endpoint);
		assert_true(endpoint_equal(&after->endpoint, &want->endpoint));
	} else {
		assert_int_equal(after->has_endpoint, before && before->has_endpoint);
		if (after->has_endpoint)
			assert_true(endpoint_equal(&after->endpoint, &before->endpoint));
	}
}

static void check_foreign_peer(struct box *want, struct wg_peer *before, struct wg_peer *after)
{
	assert_int_equal(!before, !after);
	if (!before)
		return;
	assert_int_equal(before->keepalive_s, after->keepalive_s);
	assert_int_equal(before->has_endpoint, after->has_endpoint);
	for (size_t i = 0; i < before->allowed_count; i++)
		assert_int_equal(box_allows(after, &before->allowed[i]),
		                 !somebody_wants(want, &before->allowed[i]));
}

static void check_after(struct box *want, struct box *before, struct box *after)
{
	assert_true(after->d.exists && after->d.up && after->d.has_private_key);
	assert_int_equal(after->d.mtu, want->d.mtu);
	assert_int_equal(after->d.listen_port, want->d.listen_port);
	assert_memory_equal(after->d.private_key, want->d.private_key, KEY_BYTES);
	for (size_t i = 0; i < PEERS; i++) {
		struct key key = nth_key(i);
		struct wg_peer *w = box_find(want, &key);

		if (w)
			check_wanted_peer(w, box_find(before, &key), box_find(after, &key));
		else if (i < PEERS_OURS)
			assert_null(box_find(after, &key));
		else
			check_foreign_peer(want, box_find(before, &key), box_find(after, &key));
	}
	for (size_t i = 0; i < PLACES; i++) {
		struct address a = nth_address(i);
		struct box *like = i < PLACES_OURS ? want : before;

		assert_int_equal(box_address(after, &a, false) < after->d.addresses_count,
		                 box_address(like, &a, false) < like->d.addresses_count);
	}
	assert_int_equal(after->d.routes_count, want->d.routes_count);
	for (size_t i = 0; i < want->d.routes_count; i++)
		assert_true(box_route(after, &want->routes[i]) < after->d.routes_count);
}

static bool must_touch(struct box *want, const struct wg_peer *w, const struct wg_peer *h)
{
	if (!h || w->keepalive_s != h->keepalive_s)
		return true;
	if (w->has_endpoint && !(h->has_endpoint && endpoint_equal(&w->endpoint, &h->endpoint)))
		return true;
	for (size_t i = 0; i < w->allowed_count; i++)
		if (!box_allows(h, &w->allowed[i]))
			return true;
	for (size_t i = 0; i < h->allowed_count; i++)
		if (!box_allows(w, &h->allowed[i]) && !somebody_wants(want, &h->allowed[i]))
			return true;
	return false;
}

/* One operation for each thing that differs, and none besides. */
static size_t count_differences(struct box *want, struct box *have)
{
	size_t n = !have->d.exists;

	n += !have->d.exists || have->d.mtu != want->d.mtu;
	n += !have->d.up;
	n += !have->d.has_private_key || have->d.private_key[0] != want->d.private_key[0];
	n += have->d.listen_port != want->d.listen_port;
	for (size_t i = 0; i < PEERS; i++) {
		struct key key = nth_key(i);
		struct wg_peer *w = box_find(want, &key);
		struct wg_peer *h = box_find(have, &key);

		n += w ? must_touch(want, w, h) : h && i < PEERS_OURS;
	}
	for (size_t i = 0; i < PLACES_OURS; i++) {
		struct address a = nth_address(i);

		n += (box_address(want, &a, false) < want->d.addresses_count) !=
		     (box_address(have, &a, false) < have->d.addresses_count);
	}
	for (size_t i = 0; i < ROUTES; i++) {
		struct route r = nth_route(i);

		n += (box_route(want, &r) < want->d.routes_count) !=
		     (box_route(have, &r) < have->d.routes_count);
	}
	return n;
}

static void one_random_case(struct rng *r, struct arena *a, struct box boxes[3])
{
	struct box *want = &boxes[0];
	struct box *have = &boxes[1];
	struct box *after = &boxes[2];
	struct plan plan;

	random_device(r, want, true);
	random_device(r, have, false);
	arena_reset(a);
	assert_int_equal(make(want, have, a, &plan), 0);
	assert_int_equal(plan.count, count_differences(want, have));
	box_copy(after, have);
	for (size_t i = 0; i < plan.count; i++)
		box_apply(after, &plan.ops[i]);
	check_after(want, have, after);
	assert_int_equal(make(want, after, a, &plan), 0);
	assert_int_equal(plan.count, 0);
}

static void test_a_plan_leads_to_what_is_wanted_and_no_further(void **state)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 1;
	struct box *boxes = malloc(3 * sizeof(*boxes));
	struct memtest mt;
	struct arena a;

	(void)state;
	memtest_init(&mt);
	arena_init(&a, &mt.mem);
	for (uint64_t i = 0; i < 4000; i++) {
		uint8_t bytes[RNG_SEED_BYTES] = { 0 };
		struct rng r;

		memcpy(bytes, &seed, sizeof(seed));
		rng_init(&r, bytes);
		if (!i)
			print_message("SEED=%llu and up\n", (unsigned long long)seed);
		one_random_case(&r, &a, boxes);
		seed++;
	}
	arena_fini(&a);
	memtest_assert_no_leak(&mt);
	free(boxes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_change_costs_only_its_own_operations),
		cmocka_unit_test(test_out_of_memory_is_told),
		cmocka_unit_test(test_a_plan_leads_to_what_is_wanted_and_no_further),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
