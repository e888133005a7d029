/*
 * Power failures: a workload like the daemon's, 1000 of them at random places, and what is found.
 *
 *   SEED=n     the run to repeat (printed at the start); else a new one
 *   CRASHES=n  how many (1000)
 *
 * After each crash the database must hold exactly what the last returned commit left, or, if the
 * power went within a commit, what that one would have left: nothing of it is missing, nothing is
 * mixed.  So a counter that was reserved and an identity that was made are never lost.
 *
 * That the model of the disk and the check can tell is shown by the same workload on a disk that
 * only pretends to sync, and on a store that does not sync (OFF) or not at each commit (NORMAL).
 */
#include "tests/unit/smegd/store/scratch.h"
#include "tests/unit/smegd/store/tornvfs.h"

#include "base/rng.h"
#include "smegd/store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ROWS 48
#define VALUE_BYTES 24000
#define CRASHES_PER_WORLD 40
#define STEPS_PER_LIFE 40

enum special {
	IDENTITY_ONE,
	IDENTITY_TWO,
	COUNTER,
	FLOOR,
	STATE_FIRST
};

/* Rows are known by a version: 0 is "not there", and it determines the value. */
struct versions {
	uint64_t of[ROWS];
};

struct world {
	struct scratch scratch;
	struct rng rng;
	struct store *s;
	const char *pragma;   /* run after opening; NULL: none */
	struct versions was;  /* by the last commit that returned */
	struct versions will; /* with what was put since */
	bool is_in_doubt;     /* a commit did not return, so either may be */
	char broken[700];     /* what was found to be wrong */
};

static struct {
	unsigned crashes, opens, doubts_kept, doubts_lost, closes;
} stats;

/* --- rows --------------------------------------------------------------------------------- */

static void fill(uint8_t *at, size_t count, uint64_t x)
{
	for (size_t i = 0; i < count; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		at[i] = (uint8_t)(x >> 56);
	}
}

static void number(uint8_t *at, uint64_t v)
{
	struct writer w;

	writer_init(&w, at, 8);
	write_u64(&w, v);
}

static struct row row_at(size_t index, uint64_t version, uint8_t value[VALUE_BYTES])
{
	static uint8_t key[8];
	uint64_t x = index * 1000003 + version;
	size_t count = 8 + (x * 2654435761u) % (x % 19 ? 700 : VALUE_BYTES - 8);
	struct row row = { .table = ROW_STATE, .key = { key, sizeof(key) }, .mesh = "aaaa" };

	number(key, index);
	number(value, version);
	fill(value + 8, count - 8, x);
	switch (index) {
	case IDENTITY_ONE:
	case IDENTITY_TWO:
		row.table = ROW_MESH;
		row.key.count = 0;
		row.mesh[3] = index == IDENTITY_ONE ? 'a' : 'b';
		break;
	case COUNTER:
	case FLOOR:
		row.table = ROW_COUNTER;
		count = 8;
		break;
	default:
		break;
	}
	row.value = (struct bytes){ version > 0 ? value : NULL, version > 0 ? count : 0 };
	return row;
}

static size_t index_of(const struct row *row)
{
	struct reader r;

	if (row->table == ROW_MESH)
		return row->mesh[3] == 'a' ? IDENTITY_ONE : IDENTITY_TWO;
	reader_init(&r, row->key);
	return (size_t)read_u64(&r);
}

/* --- the check ------------------------------------------------------------------------------ */

static void broken(struct world *w, const char *what)
{
	if (!w->broken[0])
		snprintf(w->broken, sizeof(w->broken), "%s", what);
}

struct finding {
	struct world *world;
	struct versions found;
};

static int find(void *ctx, const struct row *row)
{
	static uint8_t value[VALUE_BYTES];
	struct finding *f = ctx;
	size_t index = index_of(row);
	struct reader r;
	struct row expected;
	uint64_t version;

	if (index >= ROWS)
		return ERR_MALFORMED;
	reader_init(&r, row->value);
	version = read_u64(&r);
	expected = row_at(index, version, value);
	if (version == 0 || !bytes_equal(row->value, expected.value))
		return ERR_MALFORMED;
	f->found.of[index] = version;
	return 0;
}

static bool versions_equal(const struct versions *a, const struct versions *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void say_what_differs(struct world *w, const struct versions *found)
{
	char text[200];

	for (size_t i = 0; i < ROWS; i++) {
		if (found->of[i] == w->was.of[i])
			continue;
		snprintf(text, sizeof(text), "row %zu has version %d, after %d was committed%s", i,
		         (int)found->of[i], (int)w->was.of[i],
		         w->is_in_doubt ? " (a commit was under way)" : "");
		broken(w, text);
	}
}

static bool passes_integrity_check(struct store *s)
{
	sqlite3_stmt *st = NULL;
	bool is_good =
		sqlite3_prepare_v2(s->db, "PRAGMA integrity_check", -1, &st, NULL) == SQLITE_OK &&
		sqlite3_step(st) == SQLITE_ROW &&
		strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;

	sqlite3_finalize(st);
	return is_good;
}

static void check(struct world *w)
{
	struct finding f = { .world = w };
	struct diag diag = { 0 };

	if (store_load(w->s, find, &f, &diag) != 0)
		broken(w, diag.text[0] ? diag.text : "a value is not what was put");
	else if (!passes_integrity_check(w->s))
		broken(w, "integrity_check");
	else if (versions_equal(&f.found, &w->was))
		stats.doubts_lost += w->is_in_doubt && !versions_equal(&w->was, &w->will);
	else if (w->is_in_doubt && versions_equal(&f.found, &w->will))
		stats.doubts_kept++;
	else
		say_what_differs(w, &f.found);
	w->was = f.found;
	w->will = f.found;
	w->is_in_doubt = false;
}

/* --- the workload --------------------------------------------------------------------------- */

/* An error is one only while there is power. */
static bool went_well(struct world *w, int err, const struct diag *diag)
{
	if (err != 0 && !torn_is_dead())
		broken(w, diag->text);
	return err == 0;
}

static bool put(struct world *w, size_t index, uint64_t version)
{
	static uint8_t value[VALUE_BYTES];
	struct row row = row_at(index, version, value);
	struct diag diag = { 0 };

	if (!went_well(w, store_put(w->s, &row, &diag), &diag))
		return false;
	w->will.of[index] = version;
	return true;
}

static bool commit(struct world *w)
{
	struct diag diag = { 0 };

	w->is_in_doubt = true;
	if (!went_well(w, store_commit(w->s, &diag), &diag))
		return false;
	w->is_in_doubt = false;
	w->was = w->will;
	return true;
}

static bool put_state(struct world *w)
{
	uint64_t count = 1 + rng_below(&w->rng, 8);

	for (uint64_t i = 0; i < count; i++) {
		size_t index = STATE_FIRST + rng_below(&w->rng, ROWS - STATE_FIRST);
		bool deletes = rng_below(&w->rng, 8) == 0;

		if (!put(w, index, deletes ? 0 : 1 + rng_below(&w->rng, 1u << 30)))
			return false;
	}
	return true;
}

static bool step(struct world *w)
{
	uint64_t dice = rng_below(&w->rng, 100);

	if (dice < 50)
		return put_state(w);
	if (dice < 80)
		return put(w, COUNTER, w->will.of[COUNTER] + 1) && commit(w);
	if (dice < 85)
		return put(w, FLOOR, w->will.of[FLOOR] + 1);
	if (dice < 90 && w->will.of[IDENTITY_ONE] == 0)
		return put(w, IDENTITY_ONE, 7) && commit(w);
	if (dice < 92 && w->will.of[IDENTITY_TWO] == 0)
		return put(w, IDENTITY_TWO, 7) && commit(w);
	return commit(w);
}

static void close_store(struct world *w)
{
	/* A put that failed has taken the whole transaction with it. */
	if (store_is_dirty(w->s))
		w->is_in_doubt = true;
	store_close(w->s);
	w->s = NULL;
	if (!torn_is_dead()) {
		stats.closes++;
		w->was = w->will;
		w->is_in_doubt = false;
	}
}

/* From a start to a power failure, be it after a clean end. */
static void live(struct world *w, bool ignores_syncs)
{
	static const int log_pages[] = { 5, 20, 100, 1000 };
	static const uint64_t far[] = { 40, 40, 300, 2000 };
	struct torn_plan plan = { .crash_at = 1 + rng_below(&w->rng, far[rng_below(&w->rng, 4)]),
		                  .ignores_syncs = ignores_syncs };
	struct diag diag = { 0 };

	torn_plan(&plan);
	if (went_well(w, store_open(w->scratch.path, TORNVFS, &w->s, &diag), &diag)) {
		sqlite3_wal_autocheckpoint(w->s->db, log_pages[rng_below(&w->rng, 4)]);
		if (w->pragma)
			sqlite3_exec(w->s->db, w->pragma, NULL, NULL, NULL);
		stats.opens++;
		if (!torn_is_dead())
			check(w);
		for (int i = 0; i < STEPS_PER_LIFE && !torn_is_dead() && !w->broken[0]; i++) {
			if (!step(w))
				break;
		}
		close_store(w);
	}
	if (!w->is_in_doubt)
		w->will = w->was;
	torn_crash();
	stats.crashes++;
}

/* Without faults: is all there? */
static void live_to_look(struct world *w)
{
	struct diag diag = { 0 };

	torn_plan(&(struct torn_plan){ 0 });
	if (!went_well(w, store_open(w->scratch.path, TORNVFS, &w->s, &diag), &diag))
		return;
	check(w);
	store_close(w->s);
	w->s = NULL;
}

/* Returns whether the rule held; else says how it was broken. */
static bool world_run(uint64_t seed,
                      unsigned crashes,
                      const char *pragma,
                      bool ignores_syncs,
                      char broken_out[700])
{
	struct world w = { .pragma = pragma };
	uint8_t rng_seed[RNG_SEED_BYTES] = { 1 };

	memcpy(rng_seed + 8, &seed, sizeof(seed));
	rng_init(&w.rng, rng_seed);
	scratch_init(&w.scratch);
	torn_start(&(struct torn_plan){ .seed = seed });
	for (unsigned i = 0; i < crashes && !w.broken[0]; i++) {
		/* Of a rename of unsynced bytes there is no model. */
		live(&w, ignores_syncs && file_is_there(w.scratch.path));
	}
	if (!w.broken[0])
		live_to_look(&w);
	scratch_fini(&w.scratch);
	strcpy(broken_out, w.broken);
	return !w.broken[0];
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static uint64_t seed;

static void test_what_was_committed_survives_power_failures(void **state)
{
	unsigned left = (unsigned)number_from("CRASHES", 1000);
	char text[700];

	(void)state;
	for (unsigned i = 0; left > 0; i++) {
		unsigned crashes = MIN_OF(left, CRASHES_PER_WORLD);

		if (!world_run(seed + i, crashes, NULL, false, text))
			fail_msg("%s; again: SEED=%llu CRASHES=%u", text,
			         (unsigned long long)(seed + i), crashes);
		left -= crashes;
	}
	print_message("%u crashes, %u opens before them, %u clean ends; "
	              "of commits under way %u were kept, %u not\n",
	              stats.crashes, stats.opens, stats.closes, stats.doubts_kept,
	              stats.doubts_lost);
	if (stats.crashes >= 500) {
		assert_true(stats.opens > stats.crashes / 2);
		assert_true(stats.doubts_kept > 0 && stats.doubts_lost > 0 && stats.closes > 0);
	}
}

static bool is_noticed(const char *pragma, bool ignores_syncs)
{
	char text[700];

	for (unsigned i = 0; i < 20; i++) {
		if (!world_run(seed + i, CRASHES_PER_WORLD, pragma, ignores_syncs, text)) {
			print_message("noticed in world %u: %s\n", i, text);
			return true;
		}
	}
	return false;
}

static void test_a_disk_that_only_pretends_to_sync_is_noticed(void **state)
{
	(void)state;
	assert_true(is_noticed(NULL, true));
}

static void test_a_store_that_does_not_sync_is_noticed(void **state)
{
	(void)state;
	assert_true(is_noticed("PRAGMA synchronous=OFF", false));
}

static void test_a_store_that_does_not_sync_each_commit_is_noticed(void **state)
{
	(void)state;
	assert_true(is_noticed("PRAGMA synchronous=NORMAL", false));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_committed_survives_power_failures),
		cmocka_unit_test(test_a_disk_that_only_pretends_to_sync_is_noticed),
		cmocka_unit_test(test_a_store_that_does_not_sync_is_noticed),
		cmocka_unit_test(test_a_store_that_does_not_sync_each_commit_is_noticed),
	};

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 1;
	seed = number_from("SEED", seed >> 32);
	print_message("SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
