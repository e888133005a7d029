#include "tests/unit/smegd/kern/recorded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes recorded(const char *name)
{
	char path[256];
	uint8_t *at = malloc(65536);
	size_t count;
	FILE *f;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", name);
	f = fopen(path, "rb");
	if (!f || !at)
		fail_msg("cannot read %s: run from the root of the tree", path);
	count = fread(at, 1, 65536, f);
	fclose(f);
	at = realloc(at, count);
	assert_non_null(at);
	return (struct bytes){ at, count };
}

void recorded_free(struct bytes b)
{
	free((void *)(uintptr_t)b.at);
}

int recorded_parse(const char *name, nl_message_fn fn, void *ctx)
{
	struct nl_await await = {
		.seq = RECORDED_SEQ, .port = RECORDED_PORT, .fn = fn, .ctx = ctx
	};
	char path[64];
	struct bytes b;

	snprintf(path, sizeof(path), "netlink/%s", name);
	b = recorded(path);
	nl_parse(b.at, b.count, &await);
	recorded_free(b);
	return await.err;
}

void recorded_truncate(const char *name, void (*fn)(const struct nlmsghdr *m))
{
	struct nlmsghdr head;
	char path[64];
	struct bytes b;
	uint8_t *cut;

	snprintf(path, sizeof(path), "netlink/%s", name);
	b = recorded(path);
	memcpy(&head, b.at, sizeof(head));
	for (uint32_t count = sizeof(head); count < head.nlmsg_len; count++) {
		struct nlmsghdr shorter = head;

		cut = malloc(count);
		assert_non_null(cut);
		shorter.nlmsg_len = count;
		memcpy(cut, b.at, count);
		memcpy(cut, &shorter, sizeof(shorter));
		fn((const struct nlmsghdr *)(const void *)cut);
		free(cut);
	}
	recorded_free(b);
}

struct key recorded_key(uint8_t fill)
{
	struct key k;

	memset(k.b, fill, sizeof(k.b));
	k.b[31] = 0x40;
	return k;
}
