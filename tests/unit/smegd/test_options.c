/*
 * The command line of smegd.
 */
#include "smegd/options.h"

#include "smegd/kern/kern.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static int parse(struct options *o, struct diag *d, const char *const *args)
{
	char *argv[8] = { (char *)(uintptr_t) "smegd" };
	int argc = 1;

	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
	*d = (struct diag){ "", "" };
	return options_parse(o, argc, argv, d);
}

#define PARSE(...) parse(&o, &d, (const char *const[]){ __VA_ARGS__, NULL })

static void test_options_are_taken_in_both_forms(void **state)
{
	struct options o;
	struct diag d;

	(void)state;
	assert_int_equal(parse(&o, &d, (const char *const[]){ NULL }), 0);
	assert_int_equal(o.action, OPTIONS_RUN);
	assert_null(o.file);
	assert_int_equal(PARSE("-c", "a.yaml", "--check"), 0);
	assert_string_equal(o.file, "a.yaml");
	assert_int_equal(o.action, OPTIONS_CHECK);
	assert_int_equal(PARSE("--config=b.yaml", "--print-config"), 0);
	assert_string_equal(o.file, "b.yaml");
	assert_int_equal(o.action, OPTIONS_PRINT);
	assert_int_equal(PARSE("--version"), 0);
	assert_int_equal(o.action, OPTIONS_VERSION);
	assert_int_equal(PARSE("-h", "--check"), 0);
	assert_int_equal(o.action, OPTIONS_HELP);
}

static void test_overrides_go_before_the_file(void **state)
{
	struct options o;
	struct diag d;
	struct conf c;

	(void)state;
	assert_int_equal(
		PARSE("-c", "/dev/null", "--port=4000", "--backend", "none", "-v", "debug"), 0);
	assert_int_equal(options_read_conf(&o, &c, &d), 0);
	assert_int_equal(c.port, 4000);
	assert_int_equal(c.backend, BACKEND_NONE);
	assert_int_equal(c.log_level, LOG_DEBUG);
	assert_int_equal(PARSE("-c", "/dev/null", "--state-dir", "/s", "--run-dir=/r"), 0);
	assert_int_equal(options_read_conf(&o, &c, &d), 0);
	assert_string_equal(c.state_directory, "/s");
	assert_string_equal(c.run_directory, "/r");
}

static void test_a_bad_override_is_bad_usage(void **state)
{
	struct options o;
	struct diag d;
	struct conf c;

	(void)state;
	assert_int_equal(PARSE("-c", "/dev/null", "--port", "0"), 0);
	assert_int_equal(options_read_conf(&o, &c, &d), ERR_USAGE);
	assert_string_equal(d.text, "--port: port is \"0\"; it must be 1..65535");
}

static void test_what_is_no_option_is_refused(void **state)
{
	struct options o;
	struct diag d;

	(void)state;
	assert_int_equal(PARSE("--prot"), ERR_USAGE);
	assert_string_equal(d.text, "--prot: there is no such option");
	assert_string_equal(d.hint, "smegd --help");
	assert_int_equal(PARSE("--por"), ERR_USAGE);
	assert_int_equal(PARSE("-x"), ERR_USAGE);
	assert_int_equal(PARSE("-"), ERR_USAGE);
	assert_int_equal(PARSE("--"), ERR_USAGE);
	assert_int_equal(PARSE("configuration.yaml"), ERR_USAGE);
	assert_string_equal(d.text,
	                    "configuration.yaml: smegd takes no words; a file goes with -c");
	assert_int_equal(PARSE("--port"), ERR_USAGE);
	assert_string_equal(d.text, "--port: it needs a value");
	assert_int_equal(PARSE("--check=yes"), ERR_USAGE);
	assert_string_equal(d.text, "--check: it takes no value");
}

static void test_exit_statuses_are_those_of_smegctl(void **state)
{
	(void)state;
	assert_int_equal(options_exit_status(0), 0);
	assert_int_equal(options_exit_status(ERR_USAGE), 2);
	assert_int_equal(options_exit_status(ERR_CONFIG), 2);
	assert_int_equal(options_exit_status(-EPERM), 4);
	assert_int_equal(options_exit_status(-EACCES), 4);
	assert_int_equal(options_exit_status(ERR_PORT_IN_USE), 1);
	assert_int_equal(options_exit_status(-ENOMEM), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_are_taken_in_both_forms),
		cmocka_unit_test(test_overrides_go_before_the_file),
		cmocka_unit_test(test_a_bad_override_is_bad_usage),
		cmocka_unit_test(test_what_is_no_option_is_refused),
		cmocka_unit_test(test_exit_statuses_are_those_of_smegctl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
