/*
 * Effects are carried out in order, and nothing leaves before the rows that it may speak of are on
 * the disk.
 *
 * Everything around daemon_carry.c is played by this file, which writes down what was called: one
 * letter for each.
 *
 *	p put a row (P durable)   ! commit
 *	s send   d dial   r reply   c close   o progress
 *	R read the device   A apply   a read addresses
 *	(x) an event of kind x went into the node
 */
#include "smegd/daemon_priv.h"
#include "smegd/host.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static char calls[256];
static const char *script[EV_ADDRESSES + 1]; /* by event kind: the effects of its step */
static int put_err;
static int commit_err;
static int kernel_err;
static struct daemon d;

static void call(char c)
{
	size_t n = strlen(calls);

	assert_true(n + 1 < sizeof(calls));
	calls[n] = c;
}

/* --- the parts, played ---------------------------------------------------------------------- */

static struct row a_row = { .table = ROW_STATE };
static struct op an_op = { .kind = OP_LINK_UP };
static struct plan a_plan = { .ops = &an_op, .count = 1 };

static enum effect_kind kind_of(char c)
{
	static const struct {
		char letter;
		enum effect_kind kind;
	} rows[] = { { 'p', FX_PERSIST },  { 'P', FX_PERSIST },       { 's', FX_SEND },
		     { 'd', FX_DIAL },     { 'r', FX_REPLY },         { 'c', FX_CLOSE },
		     { 'o', FX_PROGRESS }, { 'R', FX_READ_DEVICE },   { 'A', FX_APPLY },
		     { 't', FX_TRACE },    { 'a', FX_READ_ADDRESSES } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].letter == c)
			return rows[i].kind;
	fail_msg("no effect %c", c);
	return FX_TRACE;
}

int node_step(struct node *n, const struct event *ev, struct effects *out)
{
	const char *s = script[ev->kind];

	(void)n;
	call('(');
	call((char)('a' + ev->kind));
	call(')');
	effects_reset(out);
	script[ev->kind] = NULL;
	for (; s && *s; s++) {
		struct effect *e = effects_add(out, kind_of(*s));

		assert_non_null(e);
		if (e->kind == FX_PERSIST) {
			e->u.persist.row = a_row;
			e->u.persist.durable = *s == 'P';
		}
		if (e->kind == FX_APPLY)
			e->u.device.plan = &a_plan;
	}
	return 0;
}

int store_put(struct store *s, const struct row *row, struct diag *diag)
{
	(void)s;
	assert_int_equal(row->table, ROW_STATE);
	call('p');
	return put_err ? diag_set(diag, put_err, "put failed") : 0;
}

int store_commit(struct store *s, struct diag *diag)
{
	(void)s;
	call('!');
	return commit_err ? diag_set(diag, commit_err, "commit failed") : 0;
}

int daemon_send(struct daemon *of, const struct effect *e)
{
	(void)of;
	(void)e;
	call('s');
	return 0;
}

int daemon_dial(struct daemon *of, const struct effect *e)
{
	(void)of;
	(void)e;
	call('d');
	return 0;
}

int daemon_reply(struct daemon *of, const struct effect *e)
{
	(void)of;
	(void)e;
	call('r');
	return 0;
}

int daemon_progress(struct daemon *of, const struct effect *e)
{
	(void)of;
	(void)e;
	call('o');
	return 0;
}

int daemon_hang_up(struct daemon *of, uint64_t session)
{
	(void)of;
	(void)session;
	call('c');
	return 0;
}

void daemon_trace(const struct effect *e)
{
	(void)e;
	call('t');
}

void daemon_trace_plan(const char *device, const char *mesh, const struct plan *plan)
{
	(void)device;
	(void)mesh;
	(void)plan;
}

void daemon_problem(struct daemon *of,
                    const char *device,
                    const char *mesh,
                    const struct diag *diag)
{
	(void)of;
	(void)device;
	(void)mesh;
	(void)diag;
}

static int read_device(struct kern *k, const char *name, struct arena *arena, struct device *ret)
{
	(void)k;
	(void)name;
	(void)arena;
	call('R');
	ret->exists = true;
	return kernel_err;
}

static int apply(struct kern *k,
                 const char *name,
                 const struct plan *plan,
                 size_t *ret_failed,
                 struct diag *diag)
{
	(void)k;
	(void)name;
	assert_ptr_equal(plan, &a_plan);
	*ret_failed = 0;
	call('A');
	return kernel_err ? diag_set(diag, kernel_err, "apply failed") : 0;
}

static int addresses(struct kern *k, struct arena *arena, struct own_address **ret, size_t *count)
{
	(void)k;
	*ret = arena_alloc(arena, sizeof(**ret));
	*count = 1;
	call('a');
	return kernel_err;
}

static const struct kern_vtable vtable = {
	.name = "played",
	.read = read_device,
	.apply = apply,
	.addresses = addresses,
};
static struct kern kern = { &vtable };

static int setup(void **state)
{
	(void)state;
	memset(calls, 0, sizeof(calls));
	memset(script, 0, sizeof(script));
	put_err = commit_err = kernel_err = 0;
	memset(&d, 0, sizeof(d));
	d.kern = &kern;
	d.now.mono_ms = 5000;
	d.commit_ms = TIME_NEVER;
	list_init(&d.queue);
	effects_init(&d.fx, &host_heap);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	while (!list_is_empty(&d.queue))
		daemon_queue_free(container_of(d.queue.next, struct queued, link));
	effects_fini(&d.fx);
	return 0;
}

/* --- tests ---------------------------------------------------------------------------------- */

static int tick(const char *effects)
{
	struct event ev = { .kind = EV_TICK };

	memset(calls, 0, sizeof(calls));
	script[EV_TICK] = effects;
	return daemon_step(&d, &ev);
}

static void test_a_durable_row_is_committed_before_anything_leaves(void **state)
{
	static const struct {
		const char *effects;
		const char *calls;
	} rows[] = {
		{ "Ps", "(d)p!s" },        { "Pd", "(d)p!d" },   { "Pr", "(d)p!r" },
		{ "PPsPr", "(d)pp!sp!r" }, { "Pss", "(d)p!ss" }, { "sP", "(d)sp" },
		{ "ps", "(d)ps" },    /* it may wait */
		{ "pPs", "(d)pp!s" }, /* but goes with one that may not */
		{ "Pps", "(d)pp!s" },      { "Pot", "(d)pot" },  { "Pc", "(d)pc" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		teardown(state);
		setup(state);
		assert_int_equal(tick(rows[i].effects), 0);
		assert_string_equal(calls, rows[i].calls);
	}
}

static void test_one_commit_serves_several_steps(void **state)
{
	(void)state;
	assert_int_equal(tick("P"), 0);
	assert_true(d.must_commit);
	assert_int_equal(tick("P"), 0);
	assert_string_equal(calls, "(d)p");
	assert_int_equal(tick("s"), 0);
	assert_string_equal(calls, "(d)!s");
	assert_false(d.must_commit);
	assert_int_equal(tick("s"), 0);
	assert_string_equal(calls, "(d)s");
}

static void test_what_can_wait_has_a_second(void **state)
{
	(void)state;
	assert_int_equal(tick("p"), 0);
	assert_int_equal(d.commit_ms, 6000);
	d.now.mono_ms = 5500;
	assert_int_equal(tick("p"), 0);
	assert_int_equal(d.commit_ms, 6000); /* as of the first */
	assert_false(d.must_commit);
	assert_int_equal(daemon_commit(&d), 0);
	assert_true(d.commit_ms == TIME_NEVER);
}

static void test_nothing_leaves_after_the_disk_failed(void **state)
{
	(void)state;
	commit_err = -EIO;
	assert_int_equal(tick("Pscr"), -EIO);
	assert_string_equal(calls, "(d)p!");
	assert_string_equal(d.diag.text, "commit failed");
	commit_err = 0;
	put_err = -ENOSPC;
	assert_int_equal(tick("ps"), -ENOSPC);
	assert_string_equal(calls, "(d)p");
	assert_string_equal(d.diag.text, "put failed");
}

static void test_answers_wait_until_the_step_is_done(void **state)
{
	(void)state;
	assert_int_equal(tick("RaAs"), 0);
	assert_string_equal(calls, "(d)RaAs");
	script[EV_DEVICE] = "As";
	assert_int_equal(daemon_drain(&d), 0);
	/* The answer to the apply of EV_DEVICE comes behind those that waited. */
	assert_string_equal(calls, "(d)RaAs(l)As(o)(m)(m)");
	assert_true(list_is_empty(&d.queue));
}

static void test_what_the_kernel_refuses_goes_into_the_answer(void **state)
{
	const struct queued *q;

	(void)state;
	kernel_err = -EPERM;
	assert_int_equal(tick("RA"), 0);
	q = container_of(d.queue.next, struct queued, link);
	assert_int_equal(q->event.kind, EV_DEVICE);
	assert_int_equal(q->event.u.device.err, -EPERM);
	assert_null(q->event.u.device.device);
	assert_true(q->event.u.device.diag->text[0]);
	q = container_of(d.queue.prev, struct queued, link);
	assert_int_equal(q->event.kind, EV_APPLIED);
	assert_int_equal(q->event.u.applied.err, -EPERM);
	assert_int_equal(q->event.u.applied.failed, OP_LINK_UP);
	assert_string_equal(q->event.u.applied.diag->text, "apply failed");
	/* Addresses that cannot be read change nothing. */
	assert_int_equal(tick("a"), 0);
	assert_ptr_equal(container_of(d.queue.prev, struct queued, link), q);
}

static void test_no_memory_for_the_kernel_is_the_end(void **state)
{
	(void)state;
	kernel_err = -ENOMEM;
	assert_int_equal(tick("R"), -ENOMEM);
	assert_int_equal(tick("a"), -ENOMEM);
	assert_true(d.diag.text[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_durable_row_is_committed_before_anything_leaves),
		TEST(test_one_commit_serves_several_steps),
		TEST(test_what_can_wait_has_a_second),
		TEST(test_nothing_leaves_after_the_disk_failed),
		TEST(test_answers_wait_until_the_step_is_done),
		TEST(test_what_the_kernel_refuses_goes_into_the_answer),
		TEST(test_no_memory_for_the_kernel_is_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
