/*
 * Names and texts of errors, and the words for people that go with them.
 *
 * Two tables serve the three lookups.  Our own rows come from the list in the header; those for
 * -errno codes are written here, because strerror() is not pure (it reads the locale and, on some
 * systems, a static buffer) and its texts differ between C libraries, which would show in golden
 * tests. Only errors that a daemon of this kind meets have a text; the others share one.
 *
 * An errno row has a stable code only where a program could act on it.  Codes are unique, so
 * err_from_code(err_code(e)) == e for every e that has a row with a code.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err_row {
	int err;
	const char *code; /* NULL: "system" */
	const char *text;
};

#define OURS(name, number, code, text) { ERR_##name, code, text },

static const struct err_row our_rows[] = { SMEG_ERRORS(OURS) };

static const struct err_row other_rows[] = {
	{ 0, "ok", "success" },
	{ -ENOMEM, "out-of-memory", "out of memory" },
	{ -EPERM, NULL, "operation not permitted" },
	{ -ENOENT, NULL, "no such file or directory" },
	{ -EINTR, NULL, "interrupted" },
	{ -EIO, NULL, "input or output error" },
	{ -ENXIO, NULL, "no such device or address" },
	{ -E2BIG, NULL, "argument list too long" },
	{ -EBADF, NULL, "bad file descriptor" },
	{ -ECHILD, NULL, "no child process" },
	{ -EAGAIN, NULL, "try again" },
	{ -EACCES, NULL, "permission denied" },
	{ -EFAULT, NULL, "bad address" },
	{ -EBUSY, NULL, "device or resource busy" },
	{ -EEXIST, NULL, "exists already" },
	{ -ENODEV, NULL, "no such device" },
	{ -ENOTDIR, NULL, "not a directory" },
	{ -EISDIR, NULL, "is a directory" },
	{ -EINVAL, NULL, "invalid argument" },
	{ -ENFILE, NULL, "too many open files in the system" },
	{ -EMFILE, NULL, "too many open files" },
	{ -EFBIG, NULL, "file too large" },
	{ -ENOSPC, NULL, "no space left on the device" },
	{ -ESPIPE, NULL, "not seekable" },
	{ -EROFS, NULL, "read-only file system" },
	{ -EPIPE, NULL, "broken pipe" },
	{ -ERANGE, NULL, "result out of range" },
	{ -ENAMETOOLONG, NULL, "name too long" },
	{ -ENOSYS, NULL, "not implemented by the kernel" },
	{ -ENOTEMPTY, NULL, "directory not empty" },
	{ -ELOOP, NULL, "too many symbolic links" },
	{ -EPROTO, NULL, "protocol error" },
	{ -EBADMSG, NULL, "bad message" },
	{ -EOVERFLOW, NULL, "value too large" },
	{ -EILSEQ, NULL, "invalid character sequence" },
	{ -ENOTSOCK, NULL, "not a socket" },
	{ -EDESTADDRREQ, NULL, "destination address required" },
	{ -EMSGSIZE, NULL, "message too long" },
	{ -EPROTONOSUPPORT, NULL, "protocol not supported" },
	{ -EOPNOTSUPP, NULL, "operation not supported" },
	{ -EAFNOSUPPORT, NULL, "address family not supported" },
	{ -EADDRINUSE, NULL, "address in use" },
	{ -EADDRNOTAVAIL, NULL, "address not available" },
	{ -ENETDOWN, NULL, "network is down" },
	{ -ENETUNREACH, NULL, "network is unreachable" },
	{ -ECONNABORTED, NULL, "connection aborted" },
	{ -ECONNRESET, NULL, "connection reset by the other side" },
	{ -ENOBUFS, NULL, "no buffer space left" },
	{ -EISCONN, NULL, "connected already" },
	{ -ENOTCONN, NULL, "not connected" },
	{ -ETIMEDOUT, NULL, "timed out" },
	{ -ECONNREFUSED, NULL, "connection refused" },
	{ -EHOSTDOWN, NULL, "host is down" },
	{ -EHOSTUNREACH, NULL, "host is unreachable" },
	{ -EALREADY, NULL, "under way already" },
	{ -EINPROGRESS, NULL, "in progress" },
	{ -EDQUOT, NULL, "disk quota exceeded" },
	{ -ECANCELED, NULL, "cancelled" },
};

/* Is it in the part of the number space that -errno has? */
static bool err_is_system(int err)
{
	return err < 0 && err > ERR_MALFORMED;
}

static const struct err_row *row_find(int err)
{
	for (size_t i = 0; i < ARRAY_LEN(our_rows); i++) {
		if (our_rows[i].err == err)
			return &our_rows[i];
	}
	for (size_t i = 0; i < ARRAY_LEN(other_rows); i++) {
		if (other_rows[i].err == err)
			return &other_rows[i];
	}
	return NULL;
}

const char *err_text(int err)
{
	const struct err_row *row = row_find(err);

	if (row)
		return row->text;
	return err_is_system(err) ? "system error" : "unknown error";
}

const char *err_code(int err)
{
	const struct err_row *row = row_find(err);

	if (row && row->code)
		return row->code;
	return err_is_system(err) ? "system" : err_code(ERR_INTERNAL);
}

int err_from_code(const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(our_rows); i++) {
		if (strcmp(our_rows[i].code, code) == 0)
			return our_rows[i].err;
	}
	for (size_t i = 0; i < ARRAY_LEN(other_rows); i++) {
		if (other_rows[i].code && strcmp(other_rows[i].code, code) == 0)
			return other_rows[i].err;
	}
	return ERR_INTERNAL;
}

int diag_set(struct diag *d, int err, const char *format, ...)
{
	char text[sizeof(d->text)] = "";
	va_list args;

	if (!d)
		return err;
	/* By way of a second buffer: callers put the old text into the new one. */
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	memcpy(d->text, text, sizeof(text));
	d->hint[0] = 0;
	return err;
}

void diag_hint(struct diag *d, const char *format, ...)
{
	char hint[sizeof(d->hint)] = "";
	va_list args;

	if (!d)
		return;
	va_start(args, format);
	vsnprintf(hint, sizeof(hint), format, args);
	va_end(args);
	memcpy(d->hint, hint, sizeof(hint));
}
