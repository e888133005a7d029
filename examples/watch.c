/*
 * watch: a small client of the control socket.  Asks smegd once a second and prints who came into
 * reach, who went out of it, and who is new.
 *
 *	watch [SOCKET]
 *
 * All that a program needs to talk to smegd is in api/client.h: open, ask, take replies until the
 * one that says done.  What a reply holds lives until the next call, so the last state is kept in
 *an arena of our own.
 */
#include "api/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_MS 5000

struct seen {
	struct arena arena;
	char **keys; /* "mesh key", those within reach */
	size_t count;
};

static void *heap_resize(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	if (bytes > 0)
		return realloc(ptr, bytes);
	free(ptr);
	return NULL;
}

static const struct mem heap = { .resize = heap_resize };

static bool seen_has(const struct seen *s, const char *key)
{
	for (size_t i = 0; i < s->count; i++) {
		if (strcmp(s->keys[i], key) == 0)
			return true;
	}
	return false;
}

/* -1: no memory. */
static int seen_add(struct seen *s, const struct mesh_info *mesh, const struct member_info *m)
{
	size_t bytes = strlen(mesh->name) + strlen(m->alias) + strlen(m->key) + 3;
	char *text = arena_alloc(&s->arena, bytes);

	if (!text)
		return -1;
	snprintf(text, bytes, "%s %s %s", mesh->name, m->key, m->alias);
	s->keys[s->count++] = text;
	return 0;
}

/* All that are within reach now. */
static int seen_fill(struct seen *s, const struct reply *r)
{
	size_t most = 1;

	arena_init(&s->arena, &heap);
	s->count = 0;
	for (size_t i = 0; i < r->meshes_count; i++)
		most += r->meshes[i].members_listed;
	s->keys = arena_alloc(&s->arena, most * sizeof(*s->keys));
	if (!s->keys)
		return -1;
	for (size_t i = 0; i < r->meshes_count; i++) {
		const struct mesh_info *mesh = &r->meshes[i];

		for (size_t j = 0; j < mesh->members_listed; j++) {
			if (mesh->members[j].is_reachable && seen_add(s, mesh, &mesh->members[j]))
				return -1;
		}
	}
	return 0;
}

/* Those in `a` that are not in `b`. */
static void print_new(const char *sign, const struct seen *a, const struct seen *b)
{
	for (size_t i = 0; i < a->count; i++) {
		if (!seen_has(b, a->keys[i]))
			printf("%s %s\n", sign, a->keys[i]);
	}
	fflush(stdout);
}

static int ask(const char *path, struct client **c, struct reply *r, struct diag *diag)
{
	const struct request q = { .kind = REQUEST_LIST };
	int err = *c ? 0 : client_open(path, &heap, c, diag);

	if (!err)
		err = client_ask(*c, &q, diag);
	do {
		if (!err)
			err = client_next(*c, ANSWER_TIMEOUT_MS, r, diag);
	} while (!err && r->kind != REPLY_DONE);
	if (!err && err_from_code(r->code))
		return diag_set(diag, err_from_code(r->code), "%s", r->error);
	if (err) {
		client_close(*c);
		*c = NULL;
	}
	return err;
}

int main(int argc, char **argv)
{
	struct seen last = { .arena = { .mem = &heap } };
	struct client *c = NULL;

	for (;; sleep(1)) {
		struct seen now;
		struct reply r;
		struct diag diag;

		/* smegd may be restarted under us; we try again. */
		if (ask(argc > 1 ? argv[1] : NULL, &c, &r, &diag)) {
			fprintf(stderr, "watch: %s\n", diag.text);
			continue;
		}
		if (seen_fill(&now, &r))
			return 1;
		print_new("+", &now, &last);
		print_new("-", &last, &now);
		arena_fini(&last.arena);
		last = now;
	}
}
