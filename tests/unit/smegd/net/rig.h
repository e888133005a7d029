/*
 * What the tests of smegd/net share: a loop that sleeps until it is woken, and plain sockets to
 * play the other side.  Nothing here sleeps for a fixed time: it waits for a condition until a
 * deadline.
 */
#ifndef SMEG_TESTS_UNIT_SMEGD_NET_RIG_H
#define SMEG_TESTS_UNIT_SMEGD_NET_RIG_H

#include "tests/unit/memtest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

/* A deadline that is met in milliseconds, but on a busy machine under a sanitizer... */
#define RIG_PATIENCE_MS 20000

/* A loop's side: memory, and a descriptor that wake() makes readable. */
struct rig {
	struct memtest mem;
	int event_fd;
	pthread_t loop;
	atomic_uint wakes;
	atomic_uint wakes_of_loop;   /* by its own calls */
	atomic_uint wakes_of_others; /* by nng's threads */
};

void rig_init(struct rig *r);
void rig_fini(struct rig *r); /* asserts that nothing leaked */
void rig_wake(void *rig);

int64_t rig_now(void);

/* Wait for a wake.  False: the deadline passed. */
bool rig_wait(struct rig *r, int64_t until_ms);

/* A port below 32768 that nobody has now, on IPv4 and IPv6. */
uint16_t rig_free_port(void);
bool rig_has_ipv6(void);

/* --- plain sockets --- */

/* Non-blocking, connected (or about to be); family AF_INET or AF_INET6, loopback. */
int raw_connect(int family, uint16_t port);

/* The same in two steps. */
int raw_socket(int family);
void raw_connect_to(int fd, int family, uint16_t port);

/* Listens on the loopback address.  Port 0: a free one below 32768. */
int raw_listen(int family, uint16_t port, int backlog, uint16_t *ret_port);

/* Wait for it with a deadline; asserted. */
int raw_accept(int listener);
void raw_wait(int fd, short events);

/* What fits now; 0: nothing. */
size_t raw_send_some(int fd, const void *at, size_t count);

/* All of it; asserted. */
void raw_send(int fd, const void *at, size_t count);

/* What is there: -1: nothing now, 0: the end (or a reset). */
ssize_t raw_recv_some(int fd, void *at, size_t count);

/* Exactly so many bytes; asserted. */
void raw_recv(int fd, void *at, size_t count);

/* Nothing but the end comes; asserted. */
void raw_recv_end(int fd);

/* Close with a reset. */
void raw_reset(int fd);

/* Bytes that say where they stand: each depends on its offset and on `salt`. */
void pattern_fill(uint8_t *at, size_t count, size_t offset, unsigned salt);
void pattern_assert(const uint8_t *at, size_t count, size_t offset, unsigned salt);

/* Open descriptors of this process. */
size_t rig_open_fds(void);

#endif
