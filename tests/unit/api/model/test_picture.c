/*
 * api/model/picture: the same bytes for the same view, well-formed whatever members call
 * themselves.
 */
#include "tests/unit/unit.h"

#include "api/model/layout.h"
#include "api/model/picture.h"
#include "api/model/utf8.h"
#include "tests/unit/api/model/sample_mesh.h"
#include "tests/unit/golden.h"
#include "tests/unit/memtest.h"

#include <ctype.h>
#include <errno.h>
#include <time.h>

struct world {
	struct memtest mt;
	struct arena arena;
};

static int setup(void **state)
{
	static struct world w;

	memtest_init(&w.mt);
	arena_init(&w.arena, &w.mt.mem);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	arena_fini(&w->arena);
	memtest_assert_no_leak(&w->mt);
	return 0;
}

static const char *draw(struct world *w, const struct mesh_info *meshes, size_t count)
{
	struct bytes svg;

	assert_int_equal(picture_svg(meshes, count, SAMPLE_NOW_MS, &w->arena, &svg), 0);
	assert_int_equal(svg.at[svg.count], 0);
	assert_int_equal(strlen((const char *)svg.at), svg.count);
	return (const char *)svg.at;
}

/* --- a small reader of XML: elements balance, attributes are quoted, entities are known --- */

#define DEPTH_MAX 16

struct xml {
	const char *at;
	const char *names[DEPTH_MAX];
	size_t bytes[DEPTH_MAX];
	size_t depth;
};

static void check_entity(const char *at)
{
	static const char *const known[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strncmp(at, known[i], strlen(known[i])) == 0)
			return;
	}
	fail_msg("bare & at: %.40s", at);
}

static void check_attributes(struct xml *x)
{
	while (*x->at == ' ') {
		x->at++;
		assert_true(islower((unsigned char)*x->at));
		x->at += strcspn(x->at, "= \n<>\"");
		assert_int_equal(strncmp(x->at, "=\"", 2), 0);
		for (x->at += 2; *x->at != '"'; x->at++) {
			assert_true(*x->at && *x->at != '<');
			if (*x->at == '&')
				check_entity(x->at);
		}
		x->at++;
	}
}

/* At "<". */
static void check_tag(struct xml *x)
{
	bool closes = x->at[1] == '/';
	const char *name = x->at + 1 + closes;
	size_t bytes = strcspn(name, " />");

	x->at = name + bytes;
	if (closes) {
		assert_true(x->depth > 0);
		x->depth--;
		assert_int_equal(bytes, x->bytes[x->depth]);
		assert_memory_equal(name, x->names[x->depth], bytes);
	} else {
		check_attributes(x);
		if (*x->at == '/') {
			x->at++;
		} else {
			assert_true(x->depth < DEPTH_MAX);
			x->names[x->depth] = name;
			x->bytes[x->depth++] = bytes;
		}
	}
	assert_int_equal(*x->at++, '>');
}

static void assert_well_formed(const char *svg)
{
	struct xml x = { .at = svg };
	size_t left;
	size_t bytes;

	assert_int_equal(strncmp(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\"", 38), 0);
	for (left = strlen(svg); left > 0; left -= bytes, svg += bytes) {
		uint32_t code = utf8_next(svg, left, &bytes);

		assert_true(code == '\n' || utf8_is_safe(code));
	}
	while (*x.at) {
		if (*x.at == '<') {
			check_tag(&x);
			continue;
		}
		assert_int_not_equal(*x.at, '>');
		if (*x.at == '&')
			check_entity(x.at);
		x.at++;
	}
	assert_int_equal(x.depth, 0);
}

/* --- tests --- */

static void test_three_members_look_as_they_did(void **state)
{
	struct world *w = *state;
	struct mesh_info mesh = sample_mesh(&w->arena, 3);
	const char *svg = draw(w, &mesh, 1);

	assert_well_formed(svg);
	golden_assert("picture-3.svg", svg, strlen(svg));
}

static void test_every_number_of_members_is_well_formed(void **state)
{
	static const size_t counts[] = { 0, 1, 2, 4, 16, 17, 50, 120, 121, 127, 128, 1000 };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct mesh_info mesh = sample_mesh(&w->arena, counts[i]);

		assert_well_formed(draw(w, &mesh, 1));
	}
	assert_well_formed(draw(w, NULL, 0));
}

static void test_the_same_view_gives_the_same_bytes(void **state)
{
	struct world *w = *state;
	struct mesh_info a = sample_mesh(&w->arena, 40);
	struct mesh_info b = sample_mesh(&w->arena, 40);

	assert_string_equal(draw(w, &a, 1), draw(w, &b, 1));
}

static void test_names_cannot_break_out(void **state)
{
	static const char *const names[] = {
		"<script>alert(1)</script>",
		"\"/><image href=\"x",
		"a&b",
		"&amp;",
		"]]>",
		"\x1b[31mred",
		"\xff\xfe bad",
		"\xe2\x80\xaegnp",
		"\xef\xbf\xbf",
		"\xc3\xa4\xc3\xb6",
		"\xf0\x9f\x90\xa7",
	};
	struct world *w = *state;
	const size_t counts[] = { 3, 40, 200 };

	for (size_t n = 0; n < ARRAY_LEN(counts); n++) {
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			struct mesh_info mesh = sample_mesh(&w->arena, counts[n]);
			const char *svg;

			mesh.name = mesh.id = mesh.prefix = mesh.problem = names[i];
			for (size_t j = 0; j < 3; j++) {
				mesh.members[j].alias = j == 2 ? "" : names[i];
				mesh.members[j].key = names[i];
				mesh.members[j].address = names[i];
				mesh.members[j].description = names[i];
				mesh.members[j].role = names[i];
			}
			svg = draw(w, &mesh, 1);
			assert_well_formed(svg);
			assert_null(strstr(svg, "<script"));
			assert_null(strstr(svg, "<image"));
		}
	}
}

static void test_the_unreachable_are_told_in_words(void **state)
{
	static const struct {
		int64_t since_ms;
		const char *words;
	} rows[] = {
		{ SAMPLE_NOW_MS - 59999, ">unreachable 59 s<" },
		{ SAMPLE_NOW_MS - 60000, ">unreachable 1 min<" },
		{ SAMPLE_NOW_MS - 3599999, ">unreachable 59 min<" },
		{ SAMPLE_NOW_MS - 3600000, ">unreachable 1 h<" },
		{ SAMPLE_NOW_MS - 86400000, ">unreachable 1 d<" },
		{ SAMPLE_NOW_MS + 5000, ">unreachable 0 s<" },
		{ 0, ">unreachable<" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mesh_info mesh = sample_mesh(&w->arena, 3);

		mesh.members[2].since_ms = rows[i].since_ms;
		if (!strstr(draw(w, &mesh, 1), rows[i].words))
			fail_msg("not in the picture: %s", rows[i].words);
	}
}

static void test_who_has_left_is_not_drawn(void **state)
{
	static const struct {
		const char *standing;
		bool is_drawn;
	} rows[] = { { "in", true },    { "admitted", true },  { "pruned", true },
		     { "left", false }, { "expelled", false }, { "void", false } };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mesh_info mesh = sample_mesh(&w->arena, 3);
		const char *svg;

		mesh.members[1].standing = rows[i].standing;
		svg = draw(w, &mesh, 1);
		assert_int_equal(strstr(svg, "printer") != NULL, rows[i].is_drawn);
		assert_non_null(strstr(svg, "this host"));
	}
}

/* No two members of a mesh may lie on each other. */
static void test_members_stand_apart(void **state)
{
	static const size_t counts[] = { 2, 16, 17, 120, 121, 500, 1000 };

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(counts); n++) {
		struct layout l;

		layout_init(&l, counts[n]);
		for (size_t i = 0; i < counts[n]; i++) {
			for (size_t j = 0; j < i; j++) {
				struct point a = layout_at(&l, i);
				struct point b = layout_at(&l, j);
				int64_t x = a.x - b.x;
				int64_t y = a.y - b.y;
				int64_t least = 2 * l.node + 10;

				assert_true(x * x + y * y >= least * least);
			}
			assert_true(llabs(layout_at(&l, i).x) <= l.radius + 10);
		}
	}
}

static void test_sine_is_near_enough(void **state)
{
	/* sin of 0, 30, 45, 60, 90 degrees and their like below zero, times 10000 */
	(void)state;
	assert_int_equal(turn_sin(0, 12), 0);
	assert_in_range(turn_sin(1, 12), 5000 - 17, 5000 + 17);
	assert_in_range(turn_sin(1, 8), 7071 - 17, 7071 + 17);
	assert_in_range(turn_sin(2, 12), 8660 - 17, 8660 + 17);
	assert_int_equal(turn_sin(3, 12), 10000);
	assert_int_equal(turn_sin(9, 12), -10000);
	assert_int_equal(turn_cos(0, 12), 10000);
	assert_int_equal(turn_cos(3, 12), 0);
	assert_int_equal(turn_cos(6, 12), -10000);
	assert_int_equal(turn_cos(9, 12), 0);
}

static void test_out_of_memory_is_told(void **state)
{
	struct world *w = *state;
	struct mesh_info mesh = sample_mesh(&w->arena, 3);

	for (size_t n = 1;; n++) {
		struct memtest mt;
		struct arena arena;
		struct bytes svg;
		int err;

		memtest_failing(&mt, n);
		arena_init(&arena, &mt.mem);
		err = picture_svg(&mesh, 1, SAMPLE_NOW_MS, &arena, &svg);
		arena_fini(&arena);
		memtest_assert_no_leak(&mt);
		if (err == 0)
			break;
		assert_int_equal(err, -ENOMEM);
	}
}

static void test_a_thousand_members_take_no_time(void **state)
{
	struct world *w = *state;
	struct mesh_info mesh = sample_mesh(&w->arena, 1000);
	clock_t before = clock();

	draw(w, &mesh, 1);
	/* 5 ms on a slow machine; sanitizers and a busy host get the rest. */
	assert_true(clock() - before < CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_three_members_look_as_they_did, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_every_number_of_members_is_well_formed, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_the_same_view_gives_the_same_bytes, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_names_cannot_break_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_unreachable_are_told_in_words, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_who_has_left_is_not_drawn, setup, teardown),
		cmocka_unit_test(test_members_stand_apart),
		cmocka_unit_test(test_sine_is_near_enough),
		cmocka_unit_test_setup_teardown(test_out_of_memory_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_thousand_members_take_no_time, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
