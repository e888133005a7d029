/*
 * Tokens.  First the input as text, as a person would paste it; then as the binary form, put into
 * text with check bytes that hold, which the fuzzer would hardly find.  What parses prints, and
 * parses to the same again.
 */
#include "crdt/invite.h"

#include "base/err.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_BYTES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t chars)
{
	struct token t;
	struct token again;
	char printed[TOKEN_TEXT_BYTES];
	int err = token_parse(text, chars, &t);

	if (err != 0) {
		assert(err == ERR_TOKEN || err == ERR_VERSION || err == ERR_TRUNCATED ||
		       err == ERR_MALFORMED || err == ERR_BAD_SIGNATURE);
		return;
	}
	assert(t.bootstraps_count >= 1 && t.bootstraps_count <= LIMIT_TOKEN_BOOTSTRAPS);
	assert(name_is_label(t.mesh_name));
	assert(token_text(&t, printed) == 0);
	assert(token_parse(printed, strlen(printed), &again) == 0);
	assert(again.bootstraps_count == t.bootstraps_count);
	assert(strcmp(again.mesh_name, t.mesh_name) == 0);
	token_fini(&t);
	token_fini(&again);
}

static void check_binary(const uint8_t *data, size_t size)
{
	uint8_t binary[LIMIT_TOKEN_BYTES];
	uint8_t hash[16];
	char text[TOKEN_TEXT_BYTES] = "smeg1_";

	if (size == 0 || size + CHECK_BYTES > sizeof(binary))
		return;
	memcpy(binary, data, size);
	hash_labelled("smeg token", binary, size, hash, sizeof(hash));
	memcpy(binary + size, hash, CHECK_BYTES);
	base64url_text((struct bytes){ binary, size + CHECK_BYTES }, text + 6, sizeof(text) - 6);
	check(text, strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exact, so that the sanitizer sees a byte too many. */
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	check(text, size);
	check_binary(data, size);
	free(text);
	return 0;
}
