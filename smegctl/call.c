/*
 * One run: parse, ask, and say what went wrong.
 *
 * Data goes to `out` and everything else to `talk`, so that output can be piped.  With --json an
 * error is data too: an object on `out`, beside an exit status that is not 0; whoever reads JSON
 * then finds it in one place, and its code is stable where the words are not.
 */
#include "smegctl/cmd.h"

#include "api/client.h"
#include "api/version.h"
#include "smegctl/json.h"
#include "smegctl/print.h"

#include <errno.h>
#include <string.h>
#include <time.h>

int exit_status(int err)
{
	switch (err) {
	case 0:
		return 0;
	case ERR_USAGE:
		return 2;
	case ERR_NO_DAEMON:
		return 3;
	case ERR_NOT_PERMITTED:
	case ERR_NOT_ADMIN:
	case ERR_NOT_AUTHORISED:
	case -EPERM:
	case -EACCES:
		return 4;
	case ERR_NO_MESH:
	case ERR_NO_MEMBER:
	case -ENOENT:
		return 5;
	case ERR_TIMED_OUT:
	case ERR_CONNECT_TIMEOUT:
		return 6;
	default:
		return 1;
	}
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The time is up.  `last` is what the daemon said it was doing. */
static int fail_late(struct call *c, const char *last)
{
	char wait[DURATION_BYTES];

	duration_text(c->timeout_ms, wait);
	diag_set(&c->diag, ERR_TIMED_OUT, "smegd has not finished within %s%s%s", wait,
	         last[0] ? "; its last step: " : "", last);
	diag_hint(&c->diag, "see how it stands: smegctl status; wait longer: --timeout 5m");
	return ERR_TIMED_OUT;
}

/* What the daemon answered, as our own result. */
static int check_reply(struct call *c, const struct reply *r)
{
	int err = err_from_code(r->code);

	if (err == 0)
		return 0;
	diag_set(&c->diag, err, "%s", r->error[0] ? r->error : err_text(err));
	diag_hint(&c->diag, "%s", r->hint);
	return err;
}

int ask_daemon(struct call *c, const struct request *r, struct reply *ret)
{
	int64_t deadline = now_ms() + c->timeout_ms;
	char last[160] = "";
	struct reply reply;
	int err = 0;

	if (!c->client)
		err = client_open(c->socket, c->mem, &c->client, &c->diag);
	if (!err)
		err = client_ask(c->client, r, &c->diag);
	while (!err) {
		err = client_next(c->client, deadline - now_ms(), &reply, &c->diag);
		if (err == ERR_TIMED_OUT)
			return fail_late(c, last);
		if (err)
			return err;
		if (reply.kind == REPLY_DONE) {
			*ret = reply;
			return check_reply(c, ret);
		}
		print_progress(c, &reply);
		snprintf(last, sizeof(last), "%s", reply.text);
	}
	return err;
}

static void print_error(struct call *c, int err)
{
	const char *name = c->args.command ? c->args.command->name : "";

	if (c->is_json) {
		json_error(c, err);
		return;
	}
	fflush(c->out);
	fprintf(c->talk, "smegctl%s%s: %s\n", name[0] ? " " : "", name, c->diag.text);
	if (c->diag.hint[0])
		fprintf(c->talk, "  hint: %s\n", c->diag.hint);
}

/* Even when the command line does not parse. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0)
			return true;
	}
	return false;
}

static int prepare(struct call *c)
{
	const struct args *a = &c->args;

	if (a->given[OPT_SOCKET])
		c->socket = a->values[OPT_SOCKET];
	c->is_json = a->given[OPT_JSON];
	c->timeout_ms = a->command->timeout_ms ? a->command->timeout_ms : TIMEOUT_DEFAULT_MS;
	if (a->given[OPT_TIMEOUT])
		return duration_parse(c, "--timeout", a->values[OPT_TIMEOUT], &c->timeout_ms);
	return 0;
}

static int run(struct call *c, int argc, char **argv)
{
	int err;

	c->is_json = wants_json(argc, argv);
	if (argc < 2)
		help_print(c->talk, NULL);
	err = args_parse(c, argc, argv);
	if (err)
		return err;
	if (c->args.given[OPT_HELP]) {
		help_print(c->out, c->args.command);
		return 0;
	}
	if (!c->args.command) {
		fprintf(c->out, "smegctl %s\n", SMEG_VERSION);
		return 0;
	}
	err = prepare(c);
	return err ? err : c->args.command->run(c);
}

int call_run(struct call *c, int argc, char **argv)
{
	int err;

	arena_init(&c->arena, c->mem);
	c->diag = (struct diag){ 0 };
	err = run(c, argc, argv);
	if (!err && (fflush(c->out) != 0 || ferror(c->out)))
		err = diag_set(&c->diag, -EIO, "cannot write the output: %s", err_text(-errno));
	if (err) {
		if (!c->diag.text[0])
			diag_set(&c->diag, err, "%s", err_text(err));
		print_error(c, err);
	}
	client_close(c->client);
	c->client = NULL;
	arena_fini(&c->arena);
	return exit_status(err);
}
