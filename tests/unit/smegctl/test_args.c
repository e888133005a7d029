/*
 * smegctl: from the command line to the request, and what is said when it is wrong.
 */
#include "tests/unit/unit.h"

#include "tests/unit/smegctl/run.h"

#include "api/version.h"

#include <string.h>

static struct mesh_info mesh = { .id = "id",
	                         .name = "home",
	                         .device = "d",
	                         .address = "fd00::1",
	                         .prefix = "p",
	                         .key = "k",
	                         .role = "peer",
	                         .digest = "",
	                         .leader = "",
	                         .beat_age_ms = -1,
	                         .carrier = "",
	                         .problem = "",
	                         .hint = "" };
static const struct reply answer = { .kind = REPLY_DONE,
	                             .code = "ok",
	                             .daemon_version = SMEG_VERSION,
	                             .backend = "none",
	                             .token = "smeg1_answer",
	                             .key = "a-key",
	                             .member_key = "b-key",
	                             .member_name = "printer",
	                             .meshes = &mesh,
	                             .meshes_count = 1 };

#define DAY " expires=86400000"

struct asked {
	const char *line;
	const char *asked;
};

static void check_asked(const struct asked *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct run r = { .reply = &answer };

		run(&r, rows[i].line);
		if (r.status != 0 || strcmp(r.asked, rows[i].asked) != 0)
			fail_msg("%s: status %d\n  asked %s\n  not   %s\n%s", rows[i].line,
			         r.status, r.asked, rows[i].asked, r.talk);
		run_fini(&r);
	}
}

static void test_what_is_typed_is_what_is_asked(void **state)
{
	static const struct asked rows[] = {
		{ "version", "kind=1" },
		{ "status", "kind=2" },
		{ "status home", "kind=2 mesh=home" },
		{ "list", "kind=3" },
		{ "list home --all", "kind=3 mesh=home" },
		{ "list-meshes", "kind=3" },
		{ "visualise home", "kind=3 mesh=home" },
		{ "visualize", "kind=3" },
		{ "get-graph", "kind=3" },
		{ "create home", "kind=4 mesh=home" },
		{ "new-mesh home", "kind=4 mesh=home" },
		{ "create home --alias gate --description hi",
		  "kind=4 mesh=home alias=gate description=hi" },
		{ "create home -a gate -d hi -e 192.0.2.1 -e [2001:db8::1]:7 "
		  "--endpoint=a.example:9",
		  "kind=4 mesh=home alias=gate description=hi endpoints=given endpoint=192.0.2.1"
		  " endpoint=[2001:db8::1]:7 endpoint=a.example:9" },
		{ "create --alias=gate home", "kind=4 mesh=home alias=gate" },
		{ "--timeout 5s create home", "kind=4 mesh=home" },
		{ "-t5s create home", "kind=4 mesh=home" },
		{ "join smeg1_abc", "kind=5 token=smeg1_abc" },
		{ "join-mesh smeg1_abc", "kind=5 token=smeg1_abc" },
		{ "join smeg1_abc --name work --role client -e h -a x",
		  "kind=5 mesh=work alias=x endpoints=given endpoint=h token=smeg1_abc "
		  "role=client" },
		{ "leave home", "kind=6 mesh=home" },
		{ "leave -- -odd", "kind=6 mesh=-odd" },
		{ "invite", "kind=7 uses=counted uses=1" DAY },
		{ "invite home", "kind=7 mesh=home uses=counted uses=1" DAY },
		{ "invite --uses 5 --expires 90s -b",
		  "kind=7 uses=counted uses=5 expires=90000 bridge=1" },
		{ "invite --uncounted --role peer --for abc",
		  "kind=7 role=peer uses=uncounted" DAY " for=abc" },
		{ "set --alias gate", "kind=8 alias=gate" },
		{ "put-alias home --alias gate", "kind=8 mesh=home alias=gate" },
		{ "set --alias ''", "kind=8 alias=''" },
		{ "set --alias=", "kind=8 alias=''" },
		{ "set --description ''", "kind=8 description=''" },
		{ "set --endpoint h:1", "kind=8 endpoints=given endpoint=h:1" },
		{ "set --no-endpoint", "kind=8 endpoints=none" },
		{ "key", "kind=9" },
		{ "help", "" },
		{ "help join", "" },
		{ "join --help", "" },
		{ "--version", "" },
		{ "completion bash", "" },
	};

	(void)state;
	check_asked(rows, ARRAY_LEN(rows));
}

static void test_what_is_asked_about_members(void **state)
{
	static const struct asked rows[] = {
		{ "expel printer", "kind=10 member=printer" },
		{ "expel printer --mesh home --keep-invites",
		  "kind=10 mesh=home member=printer keep=1" },
		{ "expel fd00::1 -m home", "kind=10 mesh=home member=fd00::1" },
		{ "appoint printer", "kind=11 member=printer" },
		{ "appoint printer --mesh home", "kind=11 mesh=home member=printer" },
		{ "revoke printer", "kind=12 member=printer" },
		{ "revoke --stolen printer -m home", "kind=12 mesh=home member=printer stolen=1" },
	};

	(void)state;
	check_asked(rows, ARRAY_LEN(rows));
}

static void test_bad_usage_is_explained(void **state)
{
	static const struct {
		const char *line;
		const char *text;
		const char *hint;
	} rows[] = {
		{ "frobnicate", "smegctl: there is no command 'frobnicate'", "smegctl --help" },
		{ "joni", "there is no command 'joni'", "did you mean: smegctl join" },
		{ "stauts", "there is no command 'stauts'", "did you mean: smegctl status" },
		{ "leav-mesh", "there is no command", "did you mean: smegctl leave-mesh" },
		{ "x", "there is no command 'x'", "smegctl --help" },
		{ "create", "smegctl create: create needs NAME", "smegctl create --help" },
		{ "create a b", "create does not take 'b'", "smegctl create --help" },
		{ "leave", "leave needs MESH", "smegctl leave --help" },
		{ "expel", "expel needs MEMBER", "smegctl expel --help" },
		{ "expel a b", "expel does not take 'b'", "smegctl expel --help" },
		{ "expel a --stolen", "expel has no option --stolen", "" },
		{ "appoint", "appoint needs MEMBER", "smegctl appoint --help" },
		{ "revoke", "revoke needs MEMBER", "smegctl revoke --help" },
		{ "revoke a --keep-invites", "revoke has no option --keep-invites", "" },
		{ "create home --alais x", "create has no option --alais",
		  "did you mean: --alias" },
		{ "create home --jsno", "create has no option --jsno", "did you mean: --json" },
		{ "create home --zzz=1", "create has no option --zzz", "smegctl create --help" },
		{ "list --alias x", "list has no option --alias", "" },
		{ "--alias x", "smegctl has no option --alias", "smegctl --help" },
		{ "list -z", "list has no option -z", "smegctl list --help" },
		{ "create home --alias", "--alias needs a value: --alias NAME", "" },
		{ "create home -a", "--alias needs a value: --alias NAME", "" },
		{ "list --all=yes", "--all takes no value", "" },
		{ "create home -a x -a y", "--alias is given twice", "" },
		{ "create home -e x/y",
		  "--endpoint takes HOST, HOST:PORT or [IPV6]:PORT, not 'x/y'", "" },
		{ "set --endpoint h --no-endpoint", "exclude each other", "" },
		{ "set", "set what?", "smegctl set --help" },
		{ "set home", "set what?", "" },
		{ "join smeg1_a --role boss", "--role is peer or client, not 'boss'", "" },
		{ "join", "join needs the invite", "smegctl join --help" },
		{ "join smeg1_a --token-file f", "exclude each other", "" },
		{ "invite --uses 0", "--uses is a number from 1 to 100000, not '0'", "" },
		{ "invite --uses 100001", "--uses is a number from 1 to 100000", "" },
		{ "invite --uses 99999999999999999999999", "--uses is a number", "" },
		{ "invite --uses 5x", "--uses is a number", "" },
		{ "invite --uses -5", "--uses is a number", "" },
		{ "invite --uses 3 --uncounted", "exclude each other", "" },
		{ "visualise --format png", "--format is svg or json, not 'png'", "" },
		{ "completion zsh", "there is completion for bash, not for 'zsh'", "" },
		{ "help nothing", "there is no command 'nothing'", "" },
		{ "status --timeout 5", "--timeout '5' lacks its unit: 5s, 5m, 5h or 5d", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct run r = { .reply = &answer };

		run(&r, rows[i].line);
		if (r.status != 2 || !strstr(r.talk, rows[i].text) ||
		    !strstr(r.talk, rows[i].hint) || !strstr(r.talk, "\n  hint: "))
			fail_msg("%s: status %d: %s", rows[i].line, r.status, r.talk);
		assert_string_equal(r.out, "");
		assert_string_equal(r.asked, "");
		run_fini(&r);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		const char *asked; /* NULL: refused */
	} rows[] = {
		{ "1s", "expires=1000" },
		{ "90s", "expires=90000" },
		{ "15m", "expires=900000" },
		{ "24h", "expires=86400000" },
		{ "7d", "expires=604800000" },
		{ "3650d", "expires=315360000000" },
		{ "007d", "expires=604800000" },
		{ "3651d", NULL },
		{ "0s", NULL },
		{ "24", NULL },
		{ "h", NULL },
		{ "1.5h", NULL },
		{ "24H", NULL },
		{ "24hh", NULL },
		{ "1h30m", NULL },
		{ "-1h", NULL },
		{ "+1h", NULL },
		{ "''", NULL },
		{ "99999999999999999999999999d", NULL },
		{ "18446744073709551616s", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct run r = { .reply = &answer };
		char line[80];

		snprintf(line, sizeof(line), "invite --expires %s", rows[i].text);
		run(&r, line);
		if (r.status != (rows[i].asked ? 0 : 2) ||
		    (rows[i].asked && !strstr(r.asked, rows[i].asked)))
			fail_msg("%s: status %d, %s %s", rows[i].text, r.status, r.asked, r.talk);
		run_fini(&r);
	}
}

/* A word may be as long as the daemon would take it, and no longer. */
static void test_lengths_are_checked_here(void **state)
{
	static const struct {
		const char *before;
		size_t max;
	} rows[] = { { "create ", LIMIT_NAME_BYTES },
		     { "set --alias ", LIMIT_NAME_BYTES },
		     { "set --description ", LIMIT_DESCRIPTION_BYTES },
		     { "join smeg1_a --name ", LIMIT_NAME_BYTES } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t more = 0; more < 2; more++) {
			struct run r = { .reply = &answer };
			char line[600];
			size_t at = strlen(rows[i].before);

			memcpy(line, rows[i].before, at);
			memset(line + at, 'a', rows[i].max + more);
			line[at + rows[i].max + more] = 0;
			run(&r, line);
			assert_int_equal(r.status, more ? 2 : 0);
			assert_int_equal(strstr(r.talk, "longer than") != NULL, more);
			run_fini(&r);
		}
	}
}

static void test_a_token_is_read_from_where_it_is(void **state)
{
	static const struct {
		const char *line;
		const char *input;
		const char *token; /* NULL: refused */
	} rows[] = {
		{ "join -", "smeg1_abc", "smeg1_abc" },
		{ "join -", "smeg1_abc\n", "smeg1_abc" },
		{ "join", " \n smeg1_abc \r\n\n", "smeg1_abc" },
		{ "join", "smegctl join smeg1_abc\n", "smeg1_abc" },
		{ "join", "sudo smegctl join smeg1_abc\n", "smeg1_abc" },
		{ "join", "smeg2_later\n", "smeg2_later" },
		{ "join smeg1_arg", "smeg1_stdin", "smeg1_arg" },
		{ "join", "", NULL },
		{ "join -", "nothing of the kind\n", NULL },
		{ "join notatoken", NULL, NULL },
		{ "join -", NULL, NULL },
		{ "join", "from smeg1_old: smeg1_new\n", "smeg1_new" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct run r = { .reply = &answer, .input = rows[i].input };
		char asked[64];

		run(&r, rows[i].line);
		snprintf(asked, sizeof(asked), "kind=5 token=%s",
		         rows[i].token ? rows[i].token : "");
		if (r.status != (rows[i].token ? 0 : 1) ||
		    strcmp(r.asked, rows[i].token ? asked : "") != 0)
			fail_msg("%s: status %d, %s %s", rows[i].line, r.status, r.asked, r.talk);
		run_fini(&r);
	}
}

static void test_a_token_is_read_from_a_file(void **state)
{
	char path[] = "/tmp/smeg-token-XXXXXX";
	struct run r = { .reply = &answer };
	char line[80];
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	(void)state;
	assert_non_null(f);
	fputs("smegctl join smeg1_file\n", f);
	fclose(f);
	snprintf(line, sizeof(line), "join --token-file %s", path);
	run(&r, line);
	assert_int_equal(r.status, 0);
	assert_string_equal(r.asked, "kind=5 token=smeg1_file");
	run_fini(&r);
	f = fopen(path, "w");
	for (int i = 0; i < 6000; i++)
		fputc('s', f);
	fclose(f);
	run(&r, line);
	assert_int_equal(r.status, 1);
	assert_non_null(strstr(r.talk, "too long"));
	run_fini(&r);
	remove(path);
	run(&r, line);
	assert_int_equal(r.status, 5);
	assert_non_null(strstr(r.talk, "no such file"));
	run_fini(&r);
}

static void test_no_error_repeats_a_secret(void **state)
{
	static const char *const lines[] = {
		"smeg1_SECRET",
		"create home smeg1_SECRET",
		"join smeg1_SECRET smeg1_SECRET",
		"join --role smeg1_SECRET",
		"join smeg1_SECRET --bogus=smeg1_SECRET",
		"join --smeg1_SECRET",
		"--smeg1_SECRET=x",
		"invite --uses smeg1_SECRET",
		"invite --expires smeg1_SECRET",
		"invite --expires 5smeg1_SECRET",
		"set --endpoint /smeg1_SECRET",
		"visualise --format smeg1_SECRET",
		"help smeg1_SECRET",
		"completion smeg1_SECRET",
		"list --json smeg1_SECRET smeg1_SECRET",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct run r = { .reply = &answer };

		run(&r, lines[i]);
		assert_int_equal(r.status, 2);
		if (strstr(r.talk, "SECRET") || strstr(r.out, "SECRET"))
			fail_msg("%s: %s%s", lines[i], r.talk, r.out);
		run_fini(&r);
	}
}

/* What is typed may contain anything. */
static void test_errors_are_printable(void **state)
{
	struct run r = { .reply = &answer };

	(void)state;
	run(&r, "\x1b[31mred\xff");
	assert_int_equal(r.status, 2);
	assert_null(strchr(r.talk, 0x1b));
	assert_null(strchr(r.talk, 0xff));
	run_fini(&r);
}

static void test_no_command_shows_all_commands(void **state)
{
	struct run r = { .reply = &answer };

	(void)state;
	run(&r, "");
	assert_int_equal(r.status, 2);
	assert_string_equal(r.out, "");
	for (const struct command *const *c = commands; *c; c++)
		assert_non_null(strstr(r.talk, (*c)->name));
	run_fini(&r);
}

/* The table itself: names are unique, letters too within a command, and counts fit. */
static void test_the_table_is_sound(void **state)
{
	(void)state;
	for (const struct command *const *c = commands; *c; c++) {
		const struct option *o = (*c)->options;

		assert_ptr_equal(command_find((*c)->name), *c);
		for (const char *const *a = (*c)->aliases; a && *a; a++)
			assert_ptr_equal(command_find(*a), *c);
		assert_true((*c)->words_min <= (*c)->words_max && (*c)->words_max <= WORDS_MAX);
		assert_int_equal((*c)->words_max > 0, (*c)->words[0] != 0);
		assert_non_null((*c)->run);
		for (size_t i = 0; i < (*c)->options_count; i++) {
			for (size_t j = 0; j < i; j++) {
				assert_string_not_equal(o[i].name, o[j].name);
				assert_true(!o[i].letter || o[i].letter != o[j].letter);
				assert_int_not_equal(o[i].id, o[j].id);
			}
			for (size_t j = 0; j < global_options_count; j++) {
				assert_string_not_equal(o[i].name, global_options[j].name);
				assert_true(o[i].letter != global_options[j].letter);
			}
		}
	}
}

static void assert_named(const char *manual,
                         const char *before,
                         const char *name,
                         const char *after)
{
	char text[80];

	snprintf(text, sizeof(text), "%s%s%s", before, name, after);
	if (!strstr(manual, text))
		fail_msg("docs/smegctl.1.scd does not name %s", text);
}

/* The manual is written by hand; that it is whole is checked here. */
static void test_the_manual_names_everything(void **state)
{
	static char manual[32768];
	FILE *f = fopen("docs/smegctl.1.scd", "re");

	(void)state;
	assert_non_null(f);
	assert_true(fread(manual, 1, sizeof(manual) - 1, f) < sizeof(manual) - 1);
	fclose(f);
	for (size_t i = 0; i < global_options_count; i++)
		assert_named(manual, "*--", global_options[i].name, "*");
	for (const struct command *const *c = commands; *c; c++) {
		assert_named(manual, "\n*", (*c)->name, "*");
		for (const char *const *a = (*c)->aliases; a && *a; a++)
			assert_named(manual, "*", *a, "*");
		for (size_t i = 0; i < (*c)->options_count; i++)
			assert_named(manual, "*--", (*c)->options[i].name, "*");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_typed_is_what_is_asked),
		cmocka_unit_test(test_what_is_asked_about_members),
		cmocka_unit_test(test_bad_usage_is_explained),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_lengths_are_checked_here),
		cmocka_unit_test(test_a_token_is_read_from_where_it_is),
		cmocka_unit_test(test_a_token_is_read_from_a_file),
		cmocka_unit_test(test_no_error_repeats_a_secret),
		cmocka_unit_test(test_errors_are_printable),
		cmocka_unit_test(test_no_command_shows_all_commands),
		cmocka_unit_test(test_the_table_is_sound),
		cmocka_unit_test(test_the_manual_names_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
