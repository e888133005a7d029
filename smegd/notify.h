/*
 * Telling the service manager how we are, as sd_notify(3) says: a datagram to NOTIFY_SOCKET.
 * Without one, nothing happens; libsystemd for forty lines would be a dependency too many.
 */
#ifndef SMEG_SMEGD_NOTIFY_H
#define SMEG_SMEGD_NOTIFY_H

#include "base/err.h"

struct notify {
	int fd;              /* -1: nobody to tell */
	int64_t watchdog_ms; /* half of what the manager waits; 0: it does not watch */
};

/*
 * The three texts are the environment's NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; each may be
 * NULL.  A path, or @name in the abstract name space.  ERR_MALFORMED, -errno: then nobody is told.
 */
int notify_open(struct notify *n, const char *socket, const char *usec, const char *pid) MUST_CHECK;
void notify_close(struct notify *n);

/* "READY=1" and the like, by printf rules.  Never blocks; what does not get through is lost. */
void notify_send(const struct notify *n, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
