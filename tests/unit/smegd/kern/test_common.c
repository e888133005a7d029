/*
 * How a plan is carried out: WireGuard's operations in runs, and the one that fails named exactly.
 *
 * The backend is a fake that notes what it is asked; nothing here reaches the kernel.
 */
#include "smegd/kern/common_priv.h"

#include "base/err.h"
#include "tests/unit/smegd/kern/recorded.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct fake {
	struct common common;
	char calls[256]; /* "a", "bcd": the first letters of the keys of each call, in order */
	char fails;      /* the key that is refused */
	int err;
};

static int fake_configure(struct common *c, const char *name, const struct op *ops, size_t count)
{
	struct fake *f = container_of(c, struct fake, common);
	char *at = f->calls + strlen(f->calls);
	bool is_refused = false;

	assert_string_equal(name, "smegx");
	for (size_t i = 0; i < count; i++) {
		*at++ = (char)ops[i].peer.key.b[0];
		is_refused = is_refused || ops[i].peer.key.b[0] == (uint8_t)f->fails;
	}
	strcpy(at, " ");
	return is_refused ? f->err : 0;
}

static const struct backend_ops fake_ops = { .configure = fake_configure };

/* Apply an operation for each letter of `keys`: capitals remove. */
static int apply(struct fake *f, const char *keys, size_t *failed, struct diag *diag)
{
	struct op ops[16] = { { .kind = OP_PEER_SET } };
	struct plan plan = { .ops = ops, .count = strlen(keys) };
	int err;

	for (size_t i = 0; i < plan.count; i++) {
		bool is_removal = keys[i] >= 'A' && keys[i] <= 'Z';

		ops[i].kind = is_removal ? OP_PEER_DEL : OP_PEER_SET;
		ops[i].peer.key.b[0] = (uint8_t)keys[i];
	}
	f->common.ops = &fake_ops;
	f->calls[0] = 0;
	err = common_apply(&f->common.kern, "smegx", &plan, failed, diag);
	watch_fini(&f->common.watch);
	return err;
}

static void test_how_runs_are_carried_out(void **state)
{
	static const struct {
		const char *name;
		const char *keys;
		char fails;
		int err;
		const char *calls;
		int want;
		size_t failed;
	} rows[] = {
		{ "nothing", "", 0, 0, "", 0, 99 },
		{ "all together", "abcd", 0, 0, "abcd ", 0, 99 },
		{ "one is refused", "abcd", 'c', -EINVAL, "abcd a b c ", -EINVAL, 2 },
		{ "the last is refused", "abcd", 'd', -EINVAL, "abcd a b c d ", -EINVAL, 3 },
		{ "a single one", "a", 'a', -EINVAL, "a ", -EINVAL, 0 },
		{ "no time for a second try", "abc", 'b', -ETIMEDOUT, "abc ", -ETIMEDOUT, 0 },
		{ "what is not there is removed", "A", 'A', -ENODEV, "A ", 0, 99 },
		{ "among others", "aBc", 'B', -ENODEV, "aBc a B c ", 0, 99 },
		{ "but not set", "aBc", 'a', -ENODEV, "aBc a ", -ENODEV, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake f = { .fails = rows[i].fails, .err = rows[i].err };
		size_t failed = 99;

		print_message("%s\n", rows[i].name);
		assert_int_equal(apply(&f, rows[i].keys, &failed, NULL), rows[i].want);
		assert_string_equal(f.calls, rows[i].calls);
		assert_int_equal(failed, rows[i].failed);
	}
}

static void test_a_failure_has_words(void **state)
{
	struct fake f = { .fails = 'b', .err = -EPERM };
	struct diag diag = { .text = "left over", .hint = "left over" };
	size_t failed = 0;

	(void)state;
	assert_int_equal(apply(&f, "a", &failed, &diag), 0);
	assert_string_equal(diag.text, "");
	assert_string_equal(diag.hint, "");
	assert_int_equal(apply(&f, "ab", &failed, &diag), -EPERM);
	assert_non_null(strstr(diag.text, "smegx: cannot set the peer YgAA"));
	assert_string_equal(diag.hint, "run smegd as root or with CAP_NET_ADMIN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_how_runs_are_carried_out),
		cmocka_unit_test(test_a_failure_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
