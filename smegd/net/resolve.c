/*
 * getaddrinfo() on a few threads of our own.
 *
 * nng can resolve names, but takes every dial through its four resolver threads, numeric ones too,
 * and also the address of a listener, for which it blocks its caller.  getaddrinfo() cannot be
 * interrupted and takes tens of seconds when no name server answers, so that four dead names would
 * stop all dialling and the loop.  It also takes only the first address of a name and never tries
 * IPv4 when that is an IPv6 one of a host that cannot be reached so.  With this nng gets numbers
 * only.
 *
 * Threads are made when there is work and end when there is none.  A thread that hangs in the name
 * service when the resolver is freed outlives it: what threads use is counted, and the last one to
 * leave frees it.  A lookup is in the queue, with a thread, or posted; under the lock it is
 * always clear which, and so who frees it.
 *
 * Memory comes from malloc() and not from a struct mem, which is the loop's and knows no threads.
 */
#include "smegd/net/resolve_priv.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct resolver {
	pthread_mutex_t lock;
	struct list queue; /* of lookups no thread has yet */
	struct pump *pump; /* NULL: freed; touched under the lock */
	unsigned threads;
};

static void take_address(struct lookup *l, const struct addrinfo *info)
{
	struct endpoint *e = &l->found[l->count];

	*e = (struct endpoint){ 0 };
	if (info->ai_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, info->ai_addr, sizeof(in));
		addr_from_v4(&e->addr, (const uint8_t *)&in.sin_addr);
		l->count++;
	} else if (info->ai_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, info->ai_addr, sizeof(in6));
		memcpy(e->addr.b, &in6.sin6_addr, sizeof(e->addr.b));
		e->zone = in6.sin6_scope_id;
		l->count++;
	}
}

static int resolve_error(int gai_err, int sys_err)
{
	switch (gai_err) {
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return sys_err ? -sys_err : -EIO;
	default:
		return ERR_NAME_UNKNOWN;
	}
}

static void resolve(struct lookup *l)
{
	/* What the host has no addresses for cannot be dialled. */
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *list = NULL;
	int err = getaddrinfo(l->host, NULL, &hints, &list);

	if (err) {
		l->err = resolve_error(err, errno);
		return;
	}
	for (struct addrinfo *at = list; at && l->count < RESOLVE_ADDRESSES; at = at->ai_next)
		take_address(l, at);
	if (l->count == 0)
		l->err = ERR_NAME_UNKNOWN;
	freeaddrinfo(list);
}

/* The thread `self` leaves, or the owner does; the last one frees.  Unlocks. */
static void unlock_and_leave(struct resolver *r)
{
	bool is_last = r->threads == 0 && !r->pump;

	pthread_mutex_unlock(&r->lock);
	if (!is_last)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void *work(void *arg)
{
	struct resolver *r = arg;

	pthread_mutex_lock(&r->lock);
	while (!list_is_empty(&r->queue)) {
		struct lookup *l = container_of(r->queue.next, struct lookup, node);

		list_remove(&l->node);
		l->running = true;
		pthread_mutex_unlock(&r->lock);
		resolve(l);
		pthread_mutex_lock(&r->lock);
		l->running = false;
		/* Under the lock, so that the pump stays while we wake the loop. */
		if (l->forgotten)
			free(l);
		else
			pump_post(r->pump, &l->notice);
	}
	r->threads--;
	unlock_and_leave(r);
	return NULL;
}

static int start_thread(struct resolver *r)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all;
	sigset_t before;
	int err;

	/* Signals are the loop's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, work, r);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err == 0)
		r->threads++;
	return -err;
}

static void answered(struct notice *notice)
{
	struct lookup *l = container_of(notice, struct lookup, notice);

	l->done(l);
	free(l);
}

int resolver_new(struct pump *p, struct resolver **ret)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	list_init(&r->queue);
	r->pump = p;
	*ret = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	/* Those who asked have forgotten their lookups by now. */
	assert(list_is_empty(&r->queue));
	r->pump = NULL;
	unlock_and_leave(r);
}

int resolver_ask(struct resolver *r,
                 const char *host,
                 void (*done)(struct lookup *lookup),
                 void *owner,
                 struct lookup **ret)
{
	struct lookup *l = calloc(1, sizeof(*l));
	int err = 0;

	if (!l)
		return -ENOMEM;
	l->notice.run = answered;
	list_init(&l->notice.node);
	l->resolver = r;
	l->done = done;
	l->owner = owner;
	snprintf(l->host, sizeof(l->host), "%s", host);
	pthread_mutex_lock(&r->lock);
	list_add(&r->queue, &l->node);
	if (r->threads < RESOLVE_THREADS)
		err = start_thread(r);
	/* Some thread will come to it. */
	if (r->threads > 0)
		err = 0;
	if (err)
		list_remove(&l->node);
	pthread_mutex_unlock(&r->lock);
	if (err)
		free(l);
	else
		*ret = l;
	return err;
}

void lookup_forget(struct lookup *l)
{
	struct resolver *r;
	bool is_running;

	if (!l)
		return;
	r = l->resolver;
	pthread_mutex_lock(&r->lock);
	list_remove(&l->node);
	is_running = l->running;
	l->forgotten = true;
	if (!is_running)
		pump_retract(r->pump, &l->notice);
	pthread_mutex_unlock(&r->lock);
	if (!is_running)
		free(l);
}
