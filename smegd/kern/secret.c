/*
 * Growing text that is wiped wherever it has been: it holds private keys.
 *
 * realloc() was rejected: it may move the text and leave the old copy in freed memory.
 */
#include "smegd/kern/secret_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_BYTES_FIRST 4096

void secret_fini(struct secret *s)
{
	if (s->at)
		explicit_bzero(s->at, s->cap);
	free(s->at);
	*s = (struct secret){ .at = NULL };
}

bool secret_room(struct secret *s, size_t bytes)
{
	size_t cap = s->cap ? s->cap : SECRET_BYTES_FIRST;
	char *grown;

	assert(bytes < SIZE_MAX / 4 && s->count < SIZE_MAX / 4);
	if (s->err)
		return false;
	if (s->at && bytes <= s->cap - s->count)
		return true;
	while (cap - s->count < bytes)
		cap *= 2;
	grown = malloc(cap);
	if (!grown) {
		s->err = -ENOMEM;
		return false;
	}
	if (s->at) {
		memcpy(grown, s->at, s->count);
		explicit_bzero(s->at, s->cap);
		free(s->at);
	}
	s->at = grown;
	s->cap = cap;
	return true;
}

void secret_add(struct secret *s, const char *format, ...)
{
	va_list args;
	int count;

	va_start(args, format);
	count = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(count >= 0);
	if (!secret_room(s, (size_t)count + 1))
		return;
	va_start(args, format);
	vsnprintf(s->at + s->count, (size_t)count + 1, format, args);
	va_end(args);
	s->count += (size_t)count;
}

void secret_add_hex(struct secret *s, const uint8_t bytes[32])
{
	static const char digits[] = "0123456789abcdef";

	if (!secret_room(s, 64))
		return;
	for (size_t i = 0; i < 32; i++) {
		s->at[s->count++] = digits[bytes[i] >> 4];
		s->at[s->count++] = digits[bytes[i] & 15];
	}
}
