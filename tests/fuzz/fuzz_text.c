/*
 * Every parser of a short text: what parses, prints; what was printed, parses to the same value and
 * prints as the same text.  For keys and base64url the print is the input itself (one spelling).
 *
 * The input is a text; bytes from the first 0 on are cut off for parsers of C strings.
 */
#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/key.h"
#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BINARY_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_key(const char *text)
{
	struct key k;
	char printed[KEY_TEXT_BYTES];

	if (key_parse(&k, text) != 0)
		return;
	key_text(&k, printed);
	assert(strcmp(printed, text) == 0);
}

static void fuzz_addr(const char *text)
{
	struct addr a;
	struct addr back;
	char printed[ADDR_TEXT_BYTES];
	char again[ADDR_TEXT_BYTES];

	if (addr_parse(&a, text) != 0)
		return;
	addr_text(&a, printed);
	assert(addr_parse(&back, printed) == 0);
	assert(addr_equal(&a, &back));
	addr_text(&back, again);
	assert(strcmp(printed, again) == 0);
}

static void fuzz_prefix(const char *text)
{
	struct prefix p;
	struct prefix back;
	char printed[PREFIX_TEXT_BYTES];
	char again[PREFIX_TEXT_BYTES];

	if (prefix_parse(&p, text) != 0)
		return;
	assert(p.bits <= 128);
	assert(prefix_contains(&p, &p.addr));
	prefix_text(&p, printed);
	assert(prefix_parse(&back, printed) == 0);
	assert(prefix_equal(&p, &back));
	prefix_text(&back, again);
	assert(strcmp(printed, again) == 0);
}

static void fuzz_hostport(const char *text)
{
	struct hostport h;
	struct hostport back;
	char printed[ENDPOINT_TEXT_BYTES];
	char again[ENDPOINT_TEXT_BYTES];

	if (hostport_parse(&h, text) != 0)
		return;
	assert(h.host[0] != 0);
	hostport_text(&h, printed);
	assert(hostport_parse(&back, printed) == 0);
	assert(strcmp(h.host, back.host) == 0);
	assert(h.port == back.port);
	hostport_text(&back, again);
	assert(strcmp(printed, again) == 0);
}

static void fuzz_base64url(const char *text, size_t chars)
{
	uint8_t binary[BINARY_MAX];
	char printed[BINARY_MAX * 2];
	size_t count = 0;
	int err = base64url_parse(text, chars, binary, sizeof(binary), &count);

	assert(err != ERR_TOO_BIG || chars > BINARY_MAX);
	if (err != 0)
		return;
	base64url_text((struct bytes){ .at = binary, .count = count }, printed, sizeof(printed));
	assert(strlen(printed) == chars);
	assert(memcmp(printed, text, chars) == 0);
}

static void fuzz_label(const char *text)
{
	struct hostport h;

	/* A label is a host, unless it looks like a number. */
	if (name_is_label(text) && hostport_parse(&h, text) != 0)
		assert(text[0] >= '0' && text[0] <= '9');
}

static void fuzz_printable(const char *text, size_t chars)
{
	char out[64];

	text_printable(text, chars, out, sizeof(out));
	assert(strlen(out) == MIN_OF(chars, sizeof(out) - 1));
	for (size_t i = 0; out[i]; i++)
		assert(out[i] >= ' ' && out[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exact, so that the sanitizer sees a byte too many. */
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = 0;
	fuzz_key(text);
	fuzz_addr(text);
	fuzz_prefix(text);
	fuzz_hostport(text);
	fuzz_label(text);
	fuzz_printable(text, size);
	assert(text_distance(text, text) == 0 || strlen(text) > 32);
	fuzz_base64url(text, size);
	free(text);
	return 0;
}
