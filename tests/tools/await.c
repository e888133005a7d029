/*
 * await: wait until many daemons count so many members, and have one digest.
 *
 *	await COUNT SECONDS SOCKET...
 *
 * They are asked over kept connections, round by round, all before the first answer is read: busy
 * ones answer late, and hundreds one after the other later than what is measured.  Those that have
 * been seen with COUNT are not asked again before all have: they are not to spend their time with
 * answering.  Then one round must find all digests equal.  Prints the milliseconds that
 * it took; exit status 1 and who is missing if it does not come to that in time.
 *
 * (A shell that starts smegctl and jq for each takes longer for a round than what is measured.)
 */
#include "api/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_MS 20000
#define ROUND_US 200000 /* three hundred answers cost as much as what is measured */

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

static void ask(struct daemon_seen *s)
{
	const struct request q = { .kind = REQUEST_STATUS };
	struct diag diag;
	int err = s->client ? 0 : client_open(s->path, &heap, &s->client, &diag);

	s->members = 0;
	s->digest[0] = '\0';
	if (!err)
		err = client_ask(s->client, &q, &diag);
	if (err)
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

/* All have counted that many, though each perhaps at another time. */
static bool all_count(struct daemon_seen *list, size_t count, uint32_t wanted)
{
	size_t lack = 0;

	look(list, count, wanted);
	for (size_t i = 0; i < count; i++)
		lack += list[i].members != wanted;
	if (lack)
		fprintf(stderr, "%lld ms: %zu count another number\n", (long long)now_ms(), lack);
	return lack == 0;
}

static bool all_agree(struct daemon_seen *list, size_t count, uint32_t wanted)
{
	size_t other = 0;

	look(list, count, 0);
	for (size_t i = 0; i < count; i++)
		other += list[i].members != wanted || strcmp(list[i].digest, list[0].digest) != 0;
	if (other)
		fprintf(stderr, "%lld ms: %zu differ from the first\n", (long long)now_ms(), other);
	return other == 0;
}

int main(int argc, char **argv)
{
	size_t count = argc > 3 ? (size_t)argc - 3 : 0;
	struct daemon_seen *list = calloc(count + 1, sizeof(*list));
	int64_t begun = now_ms();
	uint32_t wanted;
	int64_t end;

	if (!count || !list) {
		fputs("usage: await COUNT SECONDS SOCKET...\n", stderr);
		return 2;
	}
	wanted = (uint32_t)strtoul(argv[1], NULL, 10);
	end = begun + 1000 * strtol(argv[2], NULL, 10);
	for (size_t i = 0; i < count; i++)
		list[i].path = argv[3 + i];
	while (!all_count(list, count, wanted) || !all_agree(list, count, wanted)) {
		if (now_ms() > end) {
			for (size_t i = 0; i < count; i++)
				fprintf(stderr, "%s %u %s\n", list[i].path, list[i].members,
				        list[i].digest);
			return 1;
		}
		usleep(ROUND_US);
	}
	printf("%lld\n", (long long)(now_ms() - begun));
	return 0;
}
