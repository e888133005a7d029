/*
 * What is known of other members, found by their keys: the quick way finds just what the map finds,
 * also of keys that begin with the same bits.
 */
#include "tests/unit/smegd/core/crowd.h"

#define KEYS 600
#define TURNS 20000

struct world {
	struct crowd c;
	struct mesh *m;
	struct key keys[KEYS];
	bool is_there[KEYS];
};

/* A third of them share their first bits. */
static void world_init(struct world *x)
{
	crowd_init(&x->c, 2, crowd_seed());
	x->m = &x->c.meshes[0];
	for (size_t i = 0; i < KEYS; i++) {
		rng_bytes(&x->c.rng, x->keys[i].b, KEY_BYTES);
		if (i % 3 == 0)
			x->keys[i].b[0] = x->keys[i].b[1] = 7;
		x->is_there[i] = mesh_peer(x->m, &x->keys[i]) != NULL;
		assert_false(x->is_there[i]);
	}
}

static void turn(struct world *x)
{
	size_t i = rng_below(&x->c.rng, KEYS);
	struct step st = crowd_step(&x->c, 0);
	struct peer *p = mesh_peer(x->m, &x->keys[i]);

	assert_int_equal(p != NULL, x->is_there[i]);
	assert_true(!p || key_equal(&p->key, &x->keys[i]));
	if (rng_below(&x->c.rng, 3) == 0)
		return;
	if (p)
		mesh_peer_drop(x->m, p);
	else
		assert_non_null(mesh_peer_make(&st, x->m, &x->keys[i]));
	x->is_there[i] = !p;
}

static void test_found_is_who_is_there(void **state)
{
	static struct world x;

	(void)state;
	world_init(&x);
	for (size_t i = 0; i < TURNS; i++)
		turn(&x);
	for (size_t i = 0; i < KEYS; i++)
		assert_int_equal(mesh_peer(x.m, &x.keys[i]) != NULL, x.is_there[i]);
	crowd_fini(&x.c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_is_who_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
