/*
 * The configuration: what is taken, and what an error says and where.
 */
#include "smegd/conf.h"

#include "smegd/kern/kern.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static int parse(struct conf *c, const char *text, struct diag *diag)
{
	*diag = (struct diag){ "", "" };
	return conf_parse(c, "f", (struct bytes){ (const uint8_t *)text, strlen(text) }, diag);
}

static void test_an_empty_file_is_all_defaults(void **state)
{
	static const char *const files[] = { "",   "\n", "# nothing\n", "---\n", "---\n...\n",
		                             "{}", "~" };
	struct conf want;

	(void)state;
	conf_defaults(&want);
	assert_int_equal(want.port, 21820);
	assert_int_equal(want.wireguard_port, 51820);
	assert_int_equal(want.backend, BACKEND_AUTO);
	assert_int_equal(want.log_level, LOG_INFO);
	assert_int_equal(want.heartbeat_interval_s, 10);
	assert_int_equal(want.pull_interval_s, 5);
	assert_int_equal(want.timeout_s, 12);
	assert_string_equal(want.state_directory, "/var/lib/smegmesh");
	assert_string_equal(want.run_directory, "/run/smegmesh");
	assert_string_equal(want.device_prefix, "smeg");
	assert_string_equal(want.group, "smegmesh");
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct diag diag;
		struct conf c;

		if (parse(&c, files[i], &diag))
			fail_msg("%s: %s", files[i], diag.text);
		assert_int_equal(conf_compare(&want, &c, NULL, 0), 0);
	}
}

static void test_every_key_is_taken(void **state)
{
	static const char text[] = "port: 1\n"
				   "listen: \"fd00::1\"\n"
				   "wireguardPort: 2\n"
				   "backend: userspace\n"
				   "stateDirectory: /s p/ä\n"
				   "runDirectory: '/r'\n"
				   "logLevel: debug\n"
				   "devicePrefix: wg0\n"
				   "mtu: 9000\n"
				   "keepAliveWg: 25\n"
				   "alias: host-1\n"
				   "endpoints: [a.example, \"[fd00::2]:77\", 198.51.100.1:5]\n"
				   "group: \"\"\n"
				   "admins:\n- alice\n- bob\n"
				   "heartbeatInterval: 300\n"
				   "pullInterval: 1h\n"
				   "timeout: \"5m\"\n";
	struct diag diag;
	struct conf c;

	(void)state;
	if (parse(&c, text, &diag))
		fail_msg("%s", diag.text);
	assert_int_equal(c.port, 1);
	assert_true(c.has_listen);
	assert_int_equal(c.listen.b[15], 1);
	assert_int_equal(c.wireguard_port, 2);
	assert_int_equal(c.backend, BACKEND_USERSPACE);
	assert_string_equal(c.state_directory, "/s p/ä");
	assert_string_equal(c.run_directory, "/r");
	assert_int_equal(c.log_level, LOG_DEBUG);
	assert_string_equal(c.device_prefix, "wg0");
	assert_int_equal(c.mtu, 9000);
	assert_int_equal(c.keep_alive_s, 25);
	assert_string_equal(c.alias, "host-1");
	assert_int_equal(c.endpoints.count, 3);
	assert_string_equal(c.endpoints.list[0].host, "a.example");
	assert_int_equal(c.endpoints.list[0].port, 0);
	assert_string_equal(c.endpoints.list[1].host, "fd00::2");
	assert_int_equal(c.endpoints.list[1].port, 77);
	assert_string_equal(c.group, "");
	assert_int_equal(c.admins.count, 2);
	assert_string_equal(c.admins.list[1], "bob");
	assert_int_equal(c.heartbeat_interval_s, 300);
	assert_int_equal(c.pull_interval_s, 3600);
	assert_int_equal(c.timeout_s, 300);
}

/* What is wrong, what the error says (all of it, or its beginning), what the hint says. */
static const struct {
	const char *text;
	const char *error;
	const char *hint;
} bad[] = {
	/* unknown keys */
	{ "prot: 1", "f:1:1: there is no key \"prot\"", "did you mean: port" },
	{ "\n\n  Port: 1", "f:3:3: there is no key \"Port\"", "did you mean: port" },
	{ "keepalivewg: 1", "f:1:1: there is no key", "did you mean: keepAliveWg" },
	{ "port: 1\npullIntervall: 5", "f:2:1: there is no key", "did you mean: pullInterval" },
	{ "colour: red", "f:1:1: there is no key \"colour\"", "all keys: smegd --print-config" },
	{ "\"\\e[31m\": 1", "f:1:1: there is no key \"?[31m\"", "all keys" },
	{ "mtuu: 1", "f:1:1: there is no key", "did you mean: mtu" },
	{ "ab: 1", "f:1:1: there is no key", "all keys" },
	/* the prototype's */
	{ "gRPCPort: 4000", "f:1:1: gRPCPort is no longer a key", "write port instead" },
	{ "stubWg: true", "f:1:1: stubWg is no longer", "write backend: none instead" },
	{ "certificatePath: /x", "f:1:1: certificatePath is no longer", "remove it" },
	{ "privateKeyPath: /x", "f:1:1: privateKeyPath is no longer", "remove it" },
	{ "caCertificatePath: /x", "f:1:1: caCertificatePath is no longer", "remove it" },
	{ "skipCertVerification: true", "f:1:1: skipCertVerification is", "remove it" },
	{ "syncInterval: 2", "f:1:1: syncInterval is no longer", "pullInterval" },
	{ "clusterSize: 64", "f:1:1: clusterSize is no longer", "remove it" },
	{ "interClusterChance: 0.15", "f:1:1: interClusterChance is", "remove it" },
	{ "branch: 3", "f:1:1: branch is no longer", "remove it" },
	{ "infectionCount: 3", "f:1:1: infectionCount is no longer", "remove it" },
	{ "syncRate: 2", "f:1:1: syncRate is no longer", "pullInterval" },
	{ "syncTime: 2", "f:1:1: syncTime is no longer", "pullInterval" },
	{ "port: 1\n  \nbranchRate: 3", "f:3:1: branchRate is no longer", "members' keys" },
	{ "heartBeatTime: 20", "f:1:1: heartBeatTime is no longer", "write heartbeatInterval" },
	{ "pruneTime: 60", "f:1:1: pruneTime is no longer", "timeout" },
	{ "baseConfiguration:\n  role: peer", "f:1:1: baseConfiguration is", "smegctl invite" },
	/* numbers */
	{ "port: 0", "f:1:7: port is \"0\"; it must be 1..65535", "" },
	{ "port: 65536", "f:1:7: port is \"65536\"; it must be 1..65535", "" },
	{ "port: 12abc", "f:1:7: port is \"12abc\"", "" },
	{ "port: 010", "f:1:7: port is \"010\"", "" },
	{ "port: 0x10", "f:1:7: port is \"0x10\"", "" },
	{ "port: +1", "f:1:7: port is \"+1\"", "" },
	{ "port: -1", "f:1:7: port is \"-1\"", "" },
	{ "port: 1.0", "f:1:7: port is \"1.0\"", "" },
	{ "port: \" 1\"", "f:1:7: port is \" 1\"", "" },
	{ "port: \"\"", "f:1:7: port is \"\"", "" },
	{ "port: 18446744073709551617", "f:1:7: port is \"18446744073709551617\"", "" },
	{ "port: 4294967297", "f:1:7: port is \"4294967297\"", "" },
	{ "mtu: 1279", "f:1:6: mtu is \"1279\"; it must be 0 or 1280..9000 bytes", "" },
	{ "pullInterval: 0",
	  "f:1:15: pullInterval is \"0\"; it must be 1s..1h (seconds, or with a unit: s, m, h)",
	  "" },
	{ "pullInterval: 3601", "f:1:15: pullInterval is \"3601\"; it must be 1s..1h", "" },
	{ "pullInterval: 2h", "f:1:15: pullInterval is \"2h\"", "" },
	{ "heartbeatInterval: 0s", "f:1:20: heartbeatInterval is \"0s\"; it must be 1s..10m", "" },
	{ "heartbeatInterval: 601", "f:1:20: heartbeatInterval is \"601\"", "" },
	{ "heartbeatInterval: 11m", "f:1:20: heartbeatInterval is \"11m\"", "" },
	{ "heartbeatInterval: 1d", "f:1:20: heartbeatInterval is \"1d\"", "" },
	{ "heartbeatInterval: s", "f:1:20: heartbeatInterval is \"s\"", "" },
	{ "heartbeatInterval: 10 s", "f:1:20: heartbeatInterval is \"10 s\"", "" },
	{ "heartbeatInterval: 1.5s", "f:1:20: heartbeatInterval is \"1.5s\"", "" },
	{ "heartbeatInterval: 71582789m", "f:1:20: heartbeatInterval is \"71582789m\"", "" },
	{ "heartbeatInterval: 99999999999s", "f:1:20: heartbeatInterval is", "" },
	{ "timeout: 2", "f:1:10: timeout is \"2\"; it must be 3s..5m", "" },
	{ "timeout: 301", "f:1:10: timeout is \"301\"", "" },
	{ "wireguardPort: 65520", "f:1:16: wireguardPort is \"65520\"; it must be 1..65519", "" },
	/* other values */
	{ "backend: kernal",
	  "f:1:10: backend is \"kernal\"; it must be auto, kernel, userspace or none", "" },
	{ "logLevel: INFO",
	  "f:1:11: logLevel is \"INFO\"; it must be error, warning, info or debug", "" },
	{ "stateDirectory: lib", "f:1:17: stateDirectory is \"lib\"; it must be an absolute path",
	  "" },
	{ "stateDirectory: \"/a\\tb\"", "f:1:17: stateDirectory is", "" },
	{ "stateDirectory: \"/a\\x81b\"", "f:1:17: stateDirectory is", "" },
	{ "stateDirectory: \"/a\\Lb\"", "f:1:17: stateDirectory is", "" },
	{ "stateDirectory: \"/a\\uFEFFb\"", "f:1:17: stateDirectory is", "" },
	{ "stateDirectory: \"/a\\0b\"", "f:1:17: stateDirectory contains a zero byte", "" },
	{ "listen: localhost", "f:1:9: listen is \"localhost\"; it must be an IPv4 or IPv6 address",
	  "" },
	{ "listen: ff02::1", "f:1:9: listen is", "" },
	{ "listen: 0.0.0.0", "f:1:9: listen is", "" },
	{ "devicePrefix: eightchr", "f:1:15: devicePrefix is \"eightchr\"; it must be 1 to 7", "" },
	{ "devicePrefix: \"\"", "f:1:15: devicePrefix is \"\"", "" },
	{ "devicePrefix: ../x", "f:1:15: devicePrefix is", "" },
	{ "alias: Host", "f:1:8: alias is \"Host\"; it must be 1 to 63 of a-z", "" },
	{ "group: a b", "f:1:8: group is \"a b\"", "" },
	{ "group: -r", "f:1:8: group is \"-r\"", "" },
	{ "port:\nmtu: 1", "f:1:6: port has no value; it must be 1..65535", "remove the line" },
	{ "alias: ~", "f:1:8: alias has no value", "remove the line" },
	/* lists */
	{ "endpoints: a.example", "f:1:12: endpoints takes a list",
	  "write endpoints: [ONE, OTHER]" },
	{ "endpoints:\n- a\n- a:0", "f:3:3: endpoints: \"a:0\" is not valid; it takes a list", "" },
	{ "endpoints: [[a]]", "f:1:13: an element of endpoints must be a plain word", "" },
	{ "endpoints: [{a: b}]", "f:1:13: an element of endpoints must be a plain word", "" },
	{ "endpoints: [ , ]", "f:1:14: did not find expected node content", "" },
	{ "admins: [a/b]", "f:1:10: admins: \"a/b\" is not valid", "" },
	{ "admins: [a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,A,B,C,D,E,F,G]",
	  "f:1:74: admins: \"G\" is not valid; it takes a list of at most 32 user names", "" },
	/* shapes */
	{ "port: 1\nmtu: 0\nport: 2", "f:3:1: port is set a second time; it stands in line 1", "" },
	{ "port: [1]", "f:1:7: port takes one value", "" },
	{ "port: {a: 1}", "f:1:7: port takes one value", "" },
	{ "[port]: 1", "f:1:1: a key must be a plain word", "" },
	{ "- port", "f:1:1: expected lines of the form KEY: VALUE", "" },
	{ "port", "f:1:1: expected lines of the form KEY: VALUE", "" },
	{ "port: &a 1", "f:1:7: anchors, aliases and tags are not used here", "" },
	{ "port: *a", "f:1:7: anchors, aliases and tags are not used here", "" },
	{ "port: !!int 1", "f:1:7: anchors, aliases and tags are not used here", "" },
	{ "&a port: 1", "f:1:1: anchors, aliases and tags are not used here", "" },
	{ "endpoints: &a [x]", "f:1:12: anchors, aliases and tags are not used here", "" },
	{ "--- &a\nport: 1", "f:1:5: anchors, aliases and tags are not used here", "" },
	{ "port: 1\n---\nport: 2", "f:2:1: a second document", "" },
	/* not YAML */
	{ "port: 1\n\tmtu: 2", "f:2:1: found a tab character that violates indentation", "" },
	{ "port: \"1", "f:1:9: found unexpected end of stream while scanning a quoted scalar", "" },
	{ "port: 1\nmtu: \xff", "f:2:6: invalid leading UTF-8 octet", "" },
	{ "port: \x01", "f:1:7: control characters are not allowed", "" },
	{ "port: 1\n  mtu: 2", "f:1:7: port is \"1 mtu\"; it must be 1..65535", "" },
	{ "alias: a: b", "f:1:9: mapping values are not allowed in this context", "" },
};

static void test_errors_say_what_and_where(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct diag diag;
		struct conf c;
		int err = parse(&c, bad[i].text, &diag);

		if (err != ERR_CONFIG || strncmp(diag.text, bad[i].error, strlen(bad[i].error)) ||
		    (bad[i].hint[0] ? !strstr(diag.hint, bad[i].hint) : diag.hint[0] != 0))
			fail_msg("%s\ngives %d: %s (%s)\nnot: %s (%s)", bad[i].text, err, diag.text,
			         diag.hint, bad[i].error, bad[i].hint);
	}
}

static void test_a_file_has_a_largest_size(void **state)
{
	static uint8_t file[CONF_FILE_BYTES + 1];
	struct diag diag;
	struct conf c;

	(void)state;
	memset(file, '#', sizeof(file));
	assert_int_equal(conf_parse(&c, "f", (struct bytes){ file, CONF_FILE_BYTES }, &diag), 0);
	assert_int_equal(conf_parse(&c, "f", (struct bytes){ file, CONF_FILE_BYTES + 1 }, &diag),
	                 ERR_CONFIG);
	assert_non_null(strstr(diag.text, "longer than 65536 bytes"));
}

static void test_depth_costs_nothing(void **state)
{
	static uint8_t file[CONF_FILE_BYTES];
	static const char openers[] = "[{";

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct diag diag;
		struct conf c;

		memset(file, openers[i], sizeof(file));
		assert_int_equal(conf_parse(&c, "f", (struct bytes){ file, sizeof(file) }, &diag),
		                 ERR_CONFIG);
	}
}

/* Print, parse: the same values. */
static void check_round_trip(const struct conf *c)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	struct diag diag;
	struct conf back;

	assert_non_null(out);
	conf_print(c, out);
	fclose(out);
	if (parse(&back, text, &diag))
		fail_msg("%s\n%s", diag.text, text);
	assert_int_equal(conf_compare(c, &back, NULL, 0), 0);
	free(text);
}

/* Bare numbers are the prototype's seconds; what is printed has a unit. */
static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint32_t seconds;
	} good[] = { { "1", 1 },    { "1s", 1 },    { "90", 90 },   { "90s", 90 },
		     { "2m", 120 }, { "10m", 600 }, { "600", 600 }, { "600s", 600 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct diag diag = { "", "" };
		struct conf c;

		conf_defaults(&c);
		if (conf_set(&c, "x", "heartbeatInterval", good[i].text, &diag))
			fail_msg("%s: %s", good[i].text, diag.text);
		assert_int_equal(c.heartbeat_interval_s, good[i].seconds);
		check_round_trip(&c);
	}
}

static void test_what_is_printed_reads_back(void **state)
{
	struct diag diag;
	struct conf c;

	(void)state;
	conf_defaults(&c);
	check_round_trip(&c);
	assert_int_equal(
		parse(&c,
	              "listen: 198.51.100.1\nendpoints: [a, 'fd00::1', '[fd00::1]:9']\n"
	              "stateDirectory: '/a \"quoted\\path\" # no comment'\nadmins: [x, y]\n"
	              "group: ''\nbackend: none\nmtu: 1280\n",
	              &diag),
		0);
	check_round_trip(&c);
}

static void test_changes_are_told_by_key(void **state)
{
	struct conf_change changes[8];
	struct diag diag;
	struct conf old;
	struct conf new;

	(void)state;
	conf_defaults(&old);
	assert_int_equal(parse(&new, "admins: [a]\nport: 5\nlogLevel: debug", &diag), 0);
	assert_int_equal(conf_compare(&old, &new, changes, ARRAY_LEN(changes)), 3);
	assert_string_equal(changes[0].key, "port");
	assert_true(changes[0].needs_restart);
	assert_string_equal(changes[1].key, "logLevel");
	assert_false(changes[1].needs_restart);
	assert_string_equal(changes[2].key, "admins");
	assert_false(changes[2].needs_restart);
}

static void test_overrides_are_checked_as_in_the_file(void **state)
{
	struct diag diag = { "", "" };
	struct conf c;

	(void)state;
	conf_defaults(&c);
	assert_int_equal(conf_set(&c, "--port", "port", "4000", &diag), 0);
	assert_int_equal(c.port, 4000);
	assert_int_equal(conf_set(&c, "--port", "port", "x", &diag), ERR_CONFIG);
	assert_string_equal(diag.text, "--port: port is \"x\"; it must be 1..65535");
	assert_int_equal(c.port, 4000);
}

static void test_a_missing_file_is_named(void **state)
{
	struct diag diag = { "", "" };
	struct conf c;

	(void)state;
	assert_int_equal(conf_read(&c, "/nonexistent/c.yaml", &diag), ERR_CONFIG);
	assert_non_null(strstr(diag.text, "cannot read /nonexistent/c.yaml: "));
	assert_non_null(strstr(diag.hint, "smegd --print-config >"));
	assert_int_equal(conf_read(&c, "/", &diag), ERR_CONFIG);
}

/* The keys of smegd.conf(5) are lines "*name*" and no others begin so. */
static void test_the_manual_has_the_keys_of_the_table(void **state)
{
	FILE *f = fopen("docs/smegd.conf.5.scd", "r");
	char line[512];
	size_t index = 0;

	(void)state;
	if (!f)
		skip();
	while (fgets(line, sizeof(line), f)) {
		const char *key = conf_key_name(index);
		char want[64];

		if (line[0] != '*' || strncmp(line, "*smeg", 5) == 0)
			continue;
		if (!key)
			fail_msg("the table has no key for: %s", line);
		snprintf(want, sizeof(want), "*%s*", key);
		if (strncmp(line, want, strlen(want)) != 0)
			fail_msg("the manual should go on with %s, not: %s", want, line);
		index++;
	}
	fclose(f);
	if (conf_key_name(index))
		fail_msg("the manual lacks %s", conf_key_name(index));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_file_is_all_defaults),
		cmocka_unit_test(test_every_key_is_taken),
		cmocka_unit_test(test_errors_say_what_and_where),
		cmocka_unit_test(test_a_file_has_a_largest_size),
		cmocka_unit_test(test_depth_costs_nothing),
		cmocka_unit_test(test_what_is_printed_reads_back),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_changes_are_told_by_key),
		cmocka_unit_test(test_overrides_are_checked_as_in_the_file),
		cmocka_unit_test(test_a_missing_file_is_named),
		cmocka_unit_test(test_the_manual_has_the_keys_of_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
