/*
 * What is stored and read back.  The bytes are pinned: a change of a row's form without a new
 * version would make every host forget its meshes.
 */
#include "tests/unit/smegd/core/net.h"

#include "base/err.h"
#include "tests/unit/smegd/core/rows_golden.h"

#include <errno.h>
#include <stdio.h>

/* A node without anything, and a step on it. */
struct bare {
	struct memtest mt;
	struct effects fx;
	struct node *node;
	struct step st;
};

static void bare_init(struct bare *b)
{
	struct node_options o = { .mem = &b->mt.mem, .device_prefix = "smeg", .no_devices = true };

	memtest_init(&b->mt);
	effects_init(&b->fx, &b->mt.mem);
	assert_int_equal(node_new(&o, &b->node), 0);
	b->st = (struct step){ .n = b->node, .fx = &b->fx };
	b->st.now = (struct instant){ 1, NET_NOW_MS };
}

static void bare_fini(struct bare *b)
{
	effects_fini(&b->fx);
	node_free(b->node);
	memtest_assert_no_leak(&b->mt);
}

static void pair_of(struct keypair *pair, uint8_t n)
{
	uint8_t seed[KEY_BYTES] = { n };

	while (keypair_from_seed(pair, seed))
		seed[1]++;
}

static void text(char *to, const char *from)
{
	memcpy(to, from, strlen(from) + 1);
}

/* A mesh with something in every field that is stored. */
static struct mesh *sample_mesh(struct bare *b)
{
	struct keypair pair;
	struct mesh *m;
	struct peer *p;

	pair_of(&pair, 1);
	m = mesh_new(&b->st, &pair.sign_public, "home");
	assert_non_null(m);
	m->state = MESH_ACTIVE;
	m->has_mesh_pair = true;
	m->mesh_pair = pair;
	pair_of(&m->self, 2);
	m->role = ROLE_CLIENT;
	m->wg_port = 0x1234;
	text(m->settings.alias, "gate");
	text(m->settings.description, "the way in");
	m->settings.places_count = 2;
	text(m->settings.places[0].host, "gate.example.org");
	m->settings.places[0].port = 7001;
	text(m->settings.places[1].host, "2001:db8::1");
	pair_of(&pair, 3);
	p = mesh_peer_make(&b->st, m, &pair.box_public);
	assert_non_null(p);
	mesh_peer_is_at(&b->st, p, &(struct hostport){ .host = "192.0.2.1", .port = 7002 });
	assert_non_null(p->known);
	return m;
}

/* One row of each kind, in the order in which the store returns them. */
static void put_all(struct bare *b, struct mesh *m)
{
	struct issued issued = { .id = { 1, 2, 3 }, .uses_left = 5, .expires_ms = NET_NOW_MS + 9 };
	struct seen seen = { .key = { { 9, 8, 7 } }, .timestamp_ms = NET_NOW_MS + 1 };

	rows_put_mesh(&b->st, m);
	rows_put_issued(&b->st, m, &issued);
	m->reserved_counter = NET_NOW_MS + 2;
	rows_put_counter(&b->st, m);
	assert_int_equal(set_raise_floor(m->set, NET_NOW_MS - 3), 0);
	rows_put_floor(&b->st, m);
	pair_of(&b->node->prepared, 4);
	rows_put_prepared(&b->st);
	rows_put_seen(&b->st, &seen);
	assert_int_equal(b->st.err, 0);
	assert_int_equal(b->fx.count, 6);
}

static int restore(struct bare *b, const struct row *row)
{
	struct event ev = { .kind = EV_RESTORE, .now = { 1, NET_NOW_MS }, .u.row = row };

	return node_step(b->node, &ev, &b->fx);
}

static void hex(struct bytes src, char *out)
{
	for (size_t i = 0; i < src.count; i++)
		sprintf(out + 2 * i, "%02x", src.at[i]);
	out[2 * src.count] = 0;
}

/* --- golden
 * --------------------------------------------------------------------------------------- */

static void test_rows_have_the_bytes_they_always_had(void **state)
{
	struct bare b;
	char *now = malloc(16384);

	(void)state;
	bare_init(&b);
	put_all(&b, sample_mesh(&b));
	for (size_t i = 0; i < b.fx.count; i++) {
		const struct row *row = &b.fx.list[i].u.persist.row;

		assert_int_equal(row->table, rows_golden[i].table);
		hex(row->key, now);
		assert_string_equal(now, rows_golden[i].key);
		hex(row->value, now);
		assert_string_equal(now, rows_golden[i].value);
	}
	free(now);
	bare_fini(&b);
}

/* --- there and back
 * -------------------------------------------------------------------------------- */

static void test_what_is_stored_comes_back(void **state)
{
	struct bare a;
	struct bare b;
	struct mesh *was;
	struct mesh *is;
	struct keypair other;

	(void)state;
	bare_init(&a);
	bare_init(&b);
	was = sample_mesh(&a);
	put_all(&a, was);
	for (size_t i = 0; i < a.fx.count; i++)
		assert_int_equal(restore(&b, &a.fx.list[i].u.persist.row), 0);
	is = mesh_by_name(b.node, "home");
	assert_non_null(is);
	assert_string_equal(is->id, was->id);
	assert_memory_equal(&is->self, &was->self, sizeof(is->self));
	assert_true(is->has_mesh_pair);
	assert_memory_equal(&is->mesh_pair, &was->mesh_pair, sizeof(is->mesh_pair));
	assert_int_equal(is->role, ROLE_CLIENT);
	assert_int_equal(is->wg_port, 0x1234);
	assert_int_equal(is->life_ms, LIFE_MS);
	assert_string_equal(is->settings.alias, "gate");
	assert_string_equal(is->settings.description, "the way in");
	assert_int_equal(is->settings.places_count, 2);
	assert_memory_equal(is->settings.places, was->settings.places, sizeof(is->settings.places));
	assert_string_equal(is->tunnel.name, "smeg-home");
	pair_of(&other, 3);
	assert_string_equal(mesh_peer(is, &other.box_public)->known->host, "192.0.2.1");
	assert_true(is->reserved_counter == NET_NOW_MS + 2);
	assert_true(is->last_counter == NET_NOW_MS + 2); /* what was reserved may have been used */
	assert_true(set_floor(is->set) == NET_NOW_MS - 3);
	assert_int_equal(is->issued.count, 1);
	assert_true(b.node->has_prepared && b.node->prepared_stored);
	assert_memory_equal(&b.node->prepared, &a.node->prepared, sizeof(b.node->prepared));
	assert_int_equal(b.node->seen.count, 1);
	effects_reset(&b.fx);
	rows_put_mesh(&b.st, is);
	assert_true(
		bytes_equal(b.fx.list[0].u.persist.row.value, a.fx.list[0].u.persist.row.value));
	bare_fini(&a);
	bare_fini(&b);
}

static void test_a_whole_node_comes_back_from_its_disk(void **state)
{
	struct mesh_view before;
	struct mesh_view after;
	struct net n;

	(void)state;
	net_init(&n, 3);
	net_make_home(&n);
	for (size_t i = 0; i < 3; i++) {
		assert_true(node_mesh_find(n.hosts[i].node, "home", &before));
		net_crash(&n, i);
		net_boot(&n, i);
		assert_int_equal(n.hosts[i].step_err, 0);
		assert_true(node_mesh_find(n.hosts[i].node, "home", &after));
		assert_memory_equal(before.digest, after.digest, DIGEST_BYTES);
		assert_true(key_equal(&before.self, &after.self));
		assert_int_equal(before.members, after.members);
		assert_int_equal(before.is_administrator, after.is_administrator);
	}
	net_fini(&n);
}

/* --- damage
 * ----------------------------------------------------------------------------------------- */

/* Rows as a disk of a real host has them, and one of each other kind; calls visit() on each. */
static void each_row(void (*visit)(struct bare *b, const struct row *row))
{
	struct bare a;
	struct net n;

	bare_init(&a);
	put_all(&a, sample_mesh(&a));
	for (size_t i = 0; i < a.fx.count; i++) {
		struct bare b;

		bare_init(&b);
		if (i > 0)
			assert_int_equal(restore(&b, &a.fx.list[0].u.persist.row), 0);
		visit(&b, &a.fx.list[i].u.persist.row);
		bare_fini(&b);
	}
	bare_fini(&a);
	net_init(&n, 2);
	net_make_home(&n);
	for (size_t i = 0; i < disk_count(&n.hosts[1].disk, ROW_STATE); i++) {
		struct bare b;

		bare_init(&b);
		assert_int_equal(restore(&b, disk_nth(&n.hosts[1].disk, ROW_MESH, 0)), 0);
		visit(&b, disk_nth(&n.hosts[1].disk, ROW_STATE, i));
		bare_fini(&b);
	}
	net_fini(&n);
}

/* Rows are tried one after the other on one node: a refused one must leave no trace. */
static void cut(struct bare *b, const struct row *row)
{
	for (size_t count = 0; count < row->value.count; count++) {
		struct row r = *row;
		uint8_t *value = malloc(count + 1);
		int err;

		memcpy(value, row->value.at, count);
		r.value = (struct bytes){ value, count };
		err = restore(b, &r);
		if (err != ERR_MALFORMED)
			fail_msg("table %d cut to %zu of %zu: %s", row->table, count,
			         row->value.count, err_code(err));
		free(value);
		if (row->table == ROW_MESH) {
			bare_fini(b);
			bare_init(b);
		}
	}
}

static void test_rows_that_were_cut_are_refused(void **state)
{
	(void)state;
	each_row(cut);
}

static void newer(struct bare *b, const struct row *row)
{
	struct row r = *row;
	uint8_t *value = malloc(row->value.count);

	memcpy(value, row->value.at, row->value.count);
	value[row->table == ROW_STATE ? 1 : 0]++;
	r.value.at = value;
	assert_int_equal(restore(b, &r), ERR_VERSION);
	free(value);
}

static void test_rows_of_a_newer_version_are_refused(void **state)
{
	(void)state;
	each_row(newer);
}

static void flip(struct bare *b, const struct row *row)
{
	uint8_t *value = malloc(row->value.count);

	for (size_t bit = 0; bit < 8 * row->value.count; bit++) {
		struct row r = *row;
		int err;

		memcpy(value, row->value.at, row->value.count);
		value[bit / 8] ^= (uint8_t)(1 << bit % 8);
		r.value.at = value;
		err = restore(b, &r);
		if (err && err != ERR_MALFORMED && err != ERR_VERSION)
			fail_msg("table %d, bit %zu: %s", row->table, bit, err_code(err));
		if (row->table == ROW_MESH) {
			bare_fini(b);
			bare_init(b);
		}
	}
	free(value);
}

static void test_flipped_bits_do_no_harm(void **state)
{
	(void)state;
	each_row(flip);
}

/* A row that was restored must not end the node later: what it says is as strict as a command. */
static void test_a_mesh_row_that_makes_no_sense_is_refused(void **state)
{
	struct bare a;
	struct mesh *m;

	(void)state;
	bare_init(&a);
	m = sample_mesh(&a);
	for (int i = 0; i < 6; i++) {
		struct settings good = m->settings;
		struct keypair pair = m->mesh_pair;
		struct bare b;

		bare_init(&b);
		m->role = i == 0 ? (enum role)3 : ROLE_PEER;
		m->life_ms = i == 1 ? 0 : i == 2 ? -1 : LIFE_MS;
		if (i == 3)
			text(m->settings.alias, "No Label");
		if (i == 4)
			text(m->settings.places[1].host, "no host");
		if (i == 5)
			pair_of(&m->mesh_pair, 9);
		effects_reset(&a.fx);
		rows_put_mesh(&a.st, m);
		if (restore(&b, &a.fx.list[0].u.persist.row) != ERR_MALFORMED)
			fail_msg("row %d", i);
		m->settings = good;
		m->mesh_pair = pair;
		bare_fini(&b);
	}
	bare_fini(&a);
}

static void test_rows_of_meshes_that_are_gone_are_passed_over(void **state)
{
	struct bare a;
	struct bare b;

	(void)state;
	bare_init(&a);
	bare_init(&b);
	put_all(&a, sample_mesh(&a));
	for (size_t i = 1; i < 4; i++)
		assert_int_equal(restore(&b, &a.fx.list[i].u.persist.row), 0);
	assert_true(list_is_empty(&b.node->meshes));
	bare_fini(&a);
	bare_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_have_the_bytes_they_always_had),
		cmocka_unit_test(test_what_is_stored_comes_back),
		cmocka_unit_test(test_a_whole_node_comes_back_from_its_disk),
		cmocka_unit_test(test_rows_that_were_cut_are_refused),
		cmocka_unit_test(test_rows_of_a_newer_version_are_refused),
		cmocka_unit_test(test_flipped_bits_do_no_harm),
		cmocka_unit_test(test_a_mesh_row_that_makes_no_sense_is_refused),
		cmocka_unit_test(test_rows_of_meshes_that_are_gone_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
