#include "tests/unit/smegctl/run.h"

#include <inttypes.h>
#include <string.h>

/* The fake daemon finds its run behind the call. */
struct run_call {
	struct call call;
	struct run *run;
};

static void add(struct run *r, const char *name, const char *value)
{
	size_t at = strlen(r->asked);

	if (value && value[0])
		snprintf(r->asked + at, sizeof(r->asked) - at, " %s=%s", name, value);
}

static void add_number(struct run *r, const char *name, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	if (value != 0)
		add(r, name, text);
}

static int fake_ask(struct call *c, const struct request *q, struct reply *ret)
{
	struct run *r = container_of(c, struct run_call, call)->run;

	snprintf(r->asked, sizeof(r->asked), "kind=%d", (int)q->kind);
	add(r, "mesh", q->mesh);
	add(r, "alias", q->has_alias ? q->alias[0] ? q->alias : "''" : "");
	add(r, "description", q->has_description ? q->description[0] ? q->description : "''" : "");
	if (q->has_endpoints)
		add(r, "endpoints", q->endpoints_count > 0 ? "given" : "none");
	for (size_t i = 0; i < q->endpoints_count; i++)
		add(r, "endpoint", q->endpoints[i]);
	add(r, "token", q->token);
	add(r, "role", q->role);
	if (q->kind == REQUEST_INVITE)
		add(r, "uses", q->uses > 0 ? "counted" : "uncounted");
	add_number(r, "uses", q->uses);
	add_number(r, "expires", q->expires_in_ms);
	add_number(r, "bridge", q->may_bridge);
	add(r, "for", q->for_key);
	add(r, "member", q->member);
	add_number(r, "keep", q->keep_invites);
	add_number(r, "stolen", q->is_stolen);
	if (r->err)
		return r->err;
	*ret = *r->reply;
	return 0;
}

static int split(char *line, char **argv)
{
	char *next = NULL;
	int argc = 0;

	argv[argc++] = strdup("smegctl");
	for (char *w = strtok_r(line, " ", &next); w; w = strtok_r(NULL, " ", &next)) {
		assert_true(argc < RUN_ARGS_MAX);
		argv[argc++] = strcmp(w, "''") == 0 ? strdup("") : strdup(w);
	}
	return argc;
}

void run(struct run *r, const char *line)
{
	struct run_call rc = { .run = r };
	struct call *c = &rc.call;
	char *argv[RUN_ARGS_MAX + 1] = { 0 };
	char *copy = strdup(line);
	struct memtest mt;
	size_t talk_bytes;
	int argc = split(copy, argv);

	memtest_init(&mt);
	r->asked[0] = 0;
	c->in = fmemopen((void *)(uintptr_t)(r->input && r->input[0] ? r->input : " "),
	                 r->input && r->input[0] ? strlen(r->input) : 1, "r");
	c->in_is_tty = !r->input;
	c->out = open_memstream(&r->out, &r->out_bytes);
	c->talk = open_memstream(&r->talk, &talk_bytes);
	c->has_colour = r->has_colour;
	c->ask = fake_ask;
	c->mem = &mt.mem;
	r->status = call_run(c, argc, argv);
	fclose(c->in);
	fclose(c->out);
	fclose(c->talk);
	free(copy);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	memtest_assert_no_leak(&mt);
}

void run_fini(struct run *r)
{
	free(r->out);
	free(r->talk);
	r->out = NULL;
	r->talk = NULL;
}
