/*
 * Measuring in processes of their own.
 *
 * The parent reads the oldest task's pipe to its end before it looks at the next: a task whose pipe
 * is full waits until it is its turn, and nothing can lock up.  Which order they end in makes no
 * difference to the figures.
 */
#include "tests/sim/task.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void tasks_init(struct tasks *t, struct measure *into, unsigned at_once)
{
	assert(at_once > 0 && at_once <= TASKS_MAX);
	*t = (struct tasks){ .into = into, .at_once = at_once };
}

/* --- the pipe --------------------------------------------------------------------------------- */

static void put(FILE *to, const void *at, size_t each, size_t count)
{
	if (fwrite(at, each, count, to) != count)
		abort();
}

static void put_series(FILE *to, const struct series *s)
{
	put(to, s, sizeof(*s), 1);
	put(to, s->samples, sizeof(*s->samples), s->count);
}

/* False: at the end. */
static bool get_series(FILE *from, struct measure *into)
{
	struct series s;
	struct series *to;

	if (fread(&s, sizeof(s), 1, from) != 1)
		return false;
	to = measure_series(into, s.name, s.unit, s.how);
	to->missing += s.missing;
	for (size_t i = 0; i < s.count; i++) {
		double sample;

		if (fread(&sample, sizeof(sample), 1, from) != 1)
			return false; /* its status will tell */
		measure_add(to, sample);
	}
	return true;
}

/* --- tasks ------------------------------------------------------------------------------------ */

static void collect(struct tasks *t)
{
	struct task *first = &t->list[0];
	int status;

	while (get_series(first->from, t->into))
		;
	fclose(first->from);
	if (waitpid(first->pid, &status, 0) != first->pid || status != 0) {
		fprintf(stderr, "# a measurement died: wait status %x\n", (unsigned)status);
		t->into->is_broken = true;
	}
	t->count--;
	memmove(&t->list[0], &t->list[1], t->count * sizeof(t->list[0]));
}

static void be_task(struct tasks *t, int fd, void (*run)(void *ctx, struct measure *b), void *ctx)
{
	struct measure b = { .nodes = t->into->nodes, .seeds = t->into->seeds };
	FILE *to = fdopen(fd, "w");

	if (!to)
		abort();
	run(ctx, &b);
	for (size_t i = 0; i < b.series_count; i++)
		put_series(to, &b.series[i]);
	fflush(NULL);
	_exit(ferror(to) || b.is_broken ? 1 : 0);
}

void task_start(struct tasks *t, void (*run)(void *ctx, struct measure *b), void *ctx)
{
	struct task new;
	int fds[2];

	if (t->count == t->at_once)
		collect(t);
	fflush(NULL); /* or it would be printed twice */
	if (pipe(fds))
		abort();
	new.pid = fork();
	if (new.pid < 0)
		abort();
	if (new.pid == 0) {
		close(fds[0]);
		be_task(t, fds[1], run, ctx);
	}
	close(fds[1]);
	new.from = fdopen(fds[0], "r");
	if (!new.from)
		abort();
	t->list[t->count++] = new;
}

void tasks_end(struct tasks *t)
{
	while (t->count)
		collect(t);
}
