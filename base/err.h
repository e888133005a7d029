/*
 * One number space for errors: 0 is success, -errno is what the system said, and our own codes go
 * down from -1000.  Every code has a stable name (for JSON) and a text (for people).
 */
#ifndef SMEG_BASE_ERR_H
#define SMEG_BASE_ERR_H

#include "base/defs.h"

/* X(name, number, "stable-code", "text") */
#define SMEG_ERRORS(X)                                                                     \
	X(MALFORMED, 1000, "malformed", "the bytes are not what they should be")           \
	X(TRUNCATED, 1001, "truncated", "the bytes end too early")                         \
	X(TOO_BIG, 1002, "too-big", "exceeds a limit")                                     \
	X(BAD_SIGNATURE, 1003, "bad-signature", "a signature does not verify")             \
	X(BAD_KEY, 1004, "bad-key", "not a valid key")                                     \
	X(VERSION, 1005, "version", "made by a version that this one does not know")       \
	X(WRONG_MESH, 1006, "wrong-mesh", "belongs to another mesh")                       \
	X(NOT_ADMITTED, 1007, "not-admitted", "not a member of this mesh")                 \
	X(NOT_AUTHORISED, 1008, "not-authorised", "the signer lacks the authority")        \
	X(EXPIRED, 1009, "expired", "has expired")                                         \
	X(USED_UP, 1010, "used-up", "has been used as often as it may be")                 \
	X(WRONG_ROLE, 1011, "wrong-role", "does not allow this role")                      \
	X(CLOCK_OFF, 1012, "clock-off", "the clocks disagree too much")                    \
	X(EXPELLED, 1013, "expelled", "has been expelled from the mesh")                   \
	X(STALE, 1014, "stale", "older than what is known")                                \
	X(AHEAD, 1015, "ahead", "dated too far in the future")                             \
	X(BAD_NAME, 1016, "bad-name", "not a valid DNS label")                             \
	X(EXISTS_MESH, 1017, "mesh-exists", "there is a mesh of this name already")        \
	X(NO_MESH, 1018, "no-such-mesh", "no such mesh")                                   \
	X(NO_MEMBER, 1019, "no-such-member", "no such member")                             \
	X(IS_MEMBER, 1020, "already-member", "is a member of this mesh already")           \
	X(NAME_UNKNOWN, 1021, "name-unknown", "the name does not resolve")                 \
	X(REFUSED, 1022, "connection-refused", "the connection was refused")               \
	X(CONNECT_TIMEOUT, 1023, "connect-timeout", "no answer to the connection attempt") \
	X(NO_ANSWER, 1024, "no-valid-answer", "connected, but got no valid answer")        \
	X(UNREACHABLE, 1025, "unreachable", "no route to the host")                        \
	X(ISSUER_AWAY, 1026, "issuer-away", "the issuer of the invite cannot be reached")  \
	X(TIMED_OUT, 1027, "timed-out", "took too long")                                   \
	X(NO_DAEMON, 1028, "daemon-unreachable", "smegd cannot be reached")                \
	X(NOT_PERMITTED, 1029, "not-permitted", "not permitted")                           \
	X(USAGE, 1030, "usage", "bad usage")                                               \
	X(NEWER_STORE, 1031, "newer-database", "the database was made by a newer version") \
	X(DAMAGED_STORE, 1032, "damaged-database", "the database is damaged")              \
	X(PORT_IN_USE, 1033, "port-in-use", "the port is in use")                          \
	X(NO_WIREGUARD, 1034, "no-wireguard", "no WireGuard is available")                 \
	X(CONFIG, 1035, "config", "the configuration is not valid")                        \
	X(BUSY, 1036, "busy", "another such request is under way")                         \
	X(NOT_ADMIN, 1037, "not-administrator", "this host is not an administrator")       \
	X(LIMIT, 1038, "limit", "a limit is reached")                                      \
	X(TOKEN, 1039, "bad-token", "not a valid token")                                   \
	X(INTERNAL, 1040, "internal", "internal error")

#define SMEG_ERROR_ENUM(name, number, code, text) ERR_##name = -(number),
enum smeg_error {
	SMEG_ERRORS(SMEG_ERROR_ENUM)
};
#undef SMEG_ERROR_ENUM

/* The text of any code, ours or -errno (own table: the C library's is not pure).  Never NULL. */
const char *err_text(int err);

/* The stable, hyphenated code ("used-up"; "system" for -errno codes without an own row; "ok"). */
const char *err_code(int err);

/* The error whose stable code is `code`, or ERR_INTERNAL. */
int err_from_code(const char *code);

/* Words for people: what was tried, on what, and what helps.  Truncated, always terminated. */
struct diag {
	char text[512];
	char hint[256]; /* one command or step that moves forward; may be empty */
};

/*
 * Set the text, by printf rules; clears the hint.  `d` may be NULL; the arguments may point into
 * it.  Returns `err`.
 */
int diag_set(struct diag *d, int err, const char *format, ...) PRINTF_LIKE(3, 4);

/* Set the hint, by printf rules.  `d` may be NULL. */
void diag_hint(struct diag *d, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
