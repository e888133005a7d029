/*
 * await: wait until many daemons count so many members, and have one digest.
 *
 *	await COUNT SECONDS [-k PID]... SOCKET...
 *
 * They are asked over kept connections, all before the first answer is read: busy ones answer late,
 * and hundreds one after the other later than what is measured.  No more than the first few are
 * asked before these have COUNT, and nobody again who has been seen with it: a round of all costs
 * three hundred daemons on two processors more than a second of them, which is to be theirs.  Then
 * one round must find all digests equal, which is begun when those of the first few are.
 *
 * The processes given are killed (SIGKILL) when there is a connection to each daemon, and time
 * counts from then.  Prints the milliseconds until all had been seen with COUNT, and until all
 * digests were equal; exit status 1 and who is missing if it does not come to that in time.
 *
 * (A shell that starts smegctl and jq for each takes longer for a round than what is measured.)
 */
#include "api/client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_MS 20000
#define ROUND_US 200000
#define PORTION 16

struct daemon_seen {
	const char *path;
	struct client *client;
	bool is_asked;
	uint32_t members;
	char digest[72];
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

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void lose(struct daemon_seen *s, const struct diag *diag)
{
	fprintf(stderr, "await: %s: %s\n", s->path, diag->text);
	client_close(s->client);
	s->client = NULL;
}

static void reach(struct daemon_seen *s)
{
	struct diag diag;

	if (!s->client && client_open(s->path, &heap, &s->client, &diag))
		lose(s, &diag);
}

static void ask(struct daemon_seen *s)
{
	const struct request q = { .kind = REQUEST_STATUS };
	struct diag diag;

	s->members = 0;
	s->digest[0] = '\0';
	reach(s);
	if (s->client && client_ask(s->client, &q, &diag))
		lose(s, &diag);
}

static void hear(struct daemon_seen *s)
{
	struct diag diag;
	struct reply r;
	int err;

	do
		err = client_next(s->client, ANSWER_TIMEOUT_MS, &r, &diag);
	while (!err && r.kind != REPLY_DONE);
	if (err) {
		lose(s, &diag);
	} else if (r.meshes_count) {
		s->members = r.meshes[0].members_count;
		snprintf(s->digest, sizeof(s->digest), "%s", r.meshes[0].digest);
	}
}

/* Those that do not count so many, or all (0). */
static void look(struct daemon_seen *list, size_t count, uint32_t wanted)
{
	for (size_t i = 0; i < count; i++)
		if ((list[i].is_asked = !wanted || list[i].members != wanted))
			ask(&list[i]);
	for (size_t i = 0; i < count; i++)
		if (list[i].is_asked && list[i].client)
			hear(&list[i]);
}

/* Of these, how many do not count that many; they may have been asked at different times. */
static size_t count_lacking(struct daemon_seen *list, size_t count, uint32_t wanted)
{
	size_t lacking = 0;

	look(list, count, wanted);
	for (size_t i = 0; i < count; i++)
		lacking += list[i].members != wanted;
	return lacking;
}

static bool all_count(struct daemon_seen *list, size_t count, uint32_t wanted)
{
	size_t lacking = count_lacking(list, MIN_OF(count, (size_t)PORTION), wanted);

	if (!lacking)
		lacking = count_lacking(list, count, wanted);
	if (lacking)
		fprintf(stderr, "%lld ms: %zu count another number\n", (long long)now_ms(),
		        lacking);
	return lacking == 0;
}

static size_t count_other(struct daemon_seen *list, size_t count, uint32_t wanted)
{
	size_t other = 0;

	look(list, count, 0);
	for (size_t i = 0; i < count; i++)
		other += list[i].members != wanted || strcmp(list[i].digest, list[0].digest) != 0;
	return other;
}

/* Where some of the first differ, the others are not asked. */
static bool all_agree(struct daemon_seen *list, size_t count, uint32_t wanted)
{
	size_t other = count_other(list, MIN_OF(count, (size_t)PORTION), wanted);

	if (!other)
		other = count_other(list, count, wanted);
	if (other)
		fprintf(stderr, "%lld ms: %zu differ from the first\n", (long long)now_ms(), other);
	return other == 0;
}

static void print_all(const struct daemon_seen *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "%s %u %s\n", list[i].path, list[i].members, list[i].digest);
}

typedef bool all_are(struct daemon_seen *list, size_t count, uint32_t wanted);

/* A list, and until when we wait for it. */
struct wait {
	struct daemon_seen *list;
	size_t count;
	uint32_t wanted;
	int64_t begun_ms;
	int64_t end_ms;
};

/* ret: the milliseconds since the beginning; -1: not in time. */
static int64_t wait_for(const struct wait *w, all_are *is_so)
{
	while (!is_so(w->list, w->count, w->wanted)) {
		if (now_ms() > w->end_ms) {
			print_all(w->list, w->count);
			return -1;
		}
		usleep(ROUND_US);
	}
	return now_ms() - w->begun_ms;
}

static int run(struct wait *w, char **victims, size_t victims_count, int64_t seconds)
{
	int64_t counted;
	int64_t agreed;

	for (size_t i = 0; i < w->count; i++)
		reach(&w->list[i]);
	w->begun_ms = now_ms();
	w->end_ms = w->begun_ms + 1000 * seconds;
	for (size_t i = 0; i < victims_count; i++)
		if (kill((pid_t)strtol(victims[2 * i + 1], NULL, 10), SIGKILL))
			perror(victims[2 * i + 1]);
	counted = wait_for(w, all_count);
	if (counted < 0)
		return 1;
	agreed = wait_for(w, all_agree);
	if (agreed < 0)
		return 1;
	printf("%lld %lld\n", (long long)counted, (long long)agreed);
	return 0;
}

int main(int argc, char **argv)
{
	size_t victims = 0;
	struct wait w = { .count = 0 };
	int first = 3;

	for (; first + 1 < argc && strcmp(argv[first], "-k") == 0; first += 2)
		victims++;
	w.count = argc > first ? (size_t)(argc - first) : 0;
	w.list = calloc(w.count + 1, sizeof(*w.list));
	if (!w.count || !w.list) {
		fputs("usage: await COUNT SECONDS [-k PID]... SOCKET...\n", stderr);
		return 2;
	}
	w.wanted = (uint32_t)strtoul(argv[1], NULL, 10);
	for (size_t i = 0; i < w.count; i++)
		w.list[i].path = argv[first + (int)i];
	return run(&w, argv + 3, victims, strtol(argv[2], NULL, 10));
}
