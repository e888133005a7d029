/*
 * Takes the place of the C library's getaddrinfo() for everything in the program, nng too.  Names
 * it does not know go to the real one.
 */
#include "tests/unit/smegd/net/libc.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_blocked;
static unsigned stuck;
static atomic_bool is_slow;

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int real_getaddrinfo(const char *node,
                            const char *service,
                            const struct addrinfo *hints,
                            struct addrinfo **ret)
{
	getaddrinfo_fn *real;
	void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

	assert_non_null(symbol);
	memcpy(&real, &symbol, sizeof(real));
	return real(node, service, hints, ret);
}

void names_block(void)
{
	pthread_mutex_lock(&lock);
	is_blocked = true;
	pthread_mutex_unlock(&lock);
}

void names_release(void)
{
	pthread_mutex_lock(&lock);
	is_blocked = false;
	pthread_cond_broadcast(&changed);
	while (stuck)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

unsigned names_stuck(void)
{
	unsigned count;

	pthread_mutex_lock(&lock);
	count = stuck;
	pthread_mutex_unlock(&lock);
	return count;
}

static int hang(void)
{
	pthread_mutex_lock(&lock);
	stuck++;
	while (is_blocked)
		pthread_cond_wait(&changed, &lock);
	stuck--;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return EAI_AGAIN;
}

/* Numeric addresses as the real one gives them, joined to a list that freeaddrinfo() takes. */
static int give(const char *const *texts, size_t count, struct addrinfo **ret)
{
	struct addrinfo numeric = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo **at = ret;

	*ret = NULL;
	for (size_t i = 0; i < count; i++) {
		int err = real_getaddrinfo(texts[i], NULL, &numeric, at);

		if (err)
			return err;
		at = &(*at)->ai_next;
	}
	return 0;
}

int getaddrinfo(const char *node,
                const char *service,
                const struct addrinfo *hints,
                struct addrinfo **ret)
{
	static const char *const many[] = { "127.0.0.1", "127.0.0.2", "127.0.0.3",
		                            "127.0.0.4", "127.0.0.5", "127.0.0.6",
		                            "127.0.0.7", "127.0.0.8", "127.0.0.9" };
	static const char *const two[] = { "::1", "127.0.0.1" };
	size_t length = node ? strlen(node) : 0;

	if (length > 6 && strcmp(node + length - 6, ".stuck") == 0)
		return hang();
	if (length == 0)
		return real_getaddrinfo(node, service, hints, ret);
	if (strcmp(node, "later.test") == 0)
		return EAI_AGAIN;
	if (strcmp(node, "one.test") == 0)
		return give(two + 1, 1, ret);
	if (strcmp(node, "two.test") == 0)
		return give(two, 2, ret);
	if (strcmp(node, "many.test") == 0)
		return give(many, 9, ret);
	return real_getaddrinfo(node, service, hints, ret);
}

void connect_slowly(bool slowly)
{
	is_slow = slowly;
}

/* The type is how glibc declares it under _GNU_SOURCE. */
int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t bytes)
{
	static const struct timespec little = { .tv_nsec = 30000000 };
	int (*real)(int, __CONST_SOCKADDR_ARG, socklen_t);
	void *symbol = dlsym(RTLD_NEXT, "connect");

	assert_non_null(symbol);
	memcpy(&real, &symbol, sizeof(real));
	if (is_slow)
		nanosleep(&little, NULL);
	return real(fd, to, bytes);
}
