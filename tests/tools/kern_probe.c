/*
 * A backend of smegd/kern by hand, for scripts: open it, do one thing, print what came of it.
 *
 *	kern_probe [-b auto|kernel|userspace|none] [-g PROGRAM] [-r RUN_DIR] [-p PREFIX] DEVICE
 *VERB...
 *
 *	backend           which one was chosen
 *	read              the device, one setting a line, in a form that only changes with it
 *	steady N          N times: read, and apply an empty plan
 *	apply OP...       operations in order, each one argument:
 *	                    link-add  link-del  up  mtu N  key BASE64  port N
 *	                    peer KEY [create] [endpoint=A:P] [keepalive=S] [replace]
 *[allowed=P,P...] peer-del KEY  address-add A/B  address-del A/B route-add P [metric=N]  route-del
 *P [metric=N] addresses         of the host watch SECONDS     print "watching", then the first news
 *of the device
 *
 * Exit status: 0, 1 when the backend said no (its words are on standard error), 2 for bad usage.
 */
#include "base/addr.h"
#include "base/err.h"
#include "smegd/kern/kern.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPS_MAX 64
#define ALLOWED_MAX 64

static struct prefix allowed[OPS_MAX][ALLOWED_MAX];

static void *heap_resize(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	if (bytes > 0)
		return realloc(ptr, bytes);
	free(ptr);
	return NULL;
}

static const struct mem mem = { .resize = heap_resize };

static _Noreturn void usage(const char *about)
{
	fprintf(stderr, "kern_probe: bad usage: %s\n", about);
	exit(2);
}

static _Noreturn void failed(int err, const struct diag *diag)
{
	fprintf(stderr, "error: %s: %s\n", err_code(err),
	        diag->text[0] ? diag->text : err_text(err));
	if (diag->hint[0])
		fprintf(stderr, "hint: %s\n", diag->hint);
	exit(1);
}

/* Host bits are kept, unlike in prefix_parse(). */
static void address_read(const char *text, struct address *ret)
{
	char copy[PREFIX_TEXT_BYTES];
	char *slash;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (!slash)
		usage(text);
	*slash = 0;
	if (addr_parse(&ret->addr, copy))
		usage(text);
	ret->bits = (uint8_t)(atoi(slash + 1) + (addr_is_v4(&ret->addr) ? 96 : 0));
}

static void allowed_read(char *text, struct op *op, struct prefix *into)
{
	op->peer.allowed = into;
	for (char *at = strtok(text, ","); at; at = strtok(NULL, ",")) {
		if (op->peer.allowed_count == ALLOWED_MAX || prefix_parse(into, at))
			usage(at);
		into++;
		op->peer.allowed_count++;
	}
}

static void endpoint_read(const char *text, struct endpoint *ret)
{
	struct hostport h;

	if (hostport_parse(&h, text) || addr_parse(&ret->addr, h.host))
		usage(text);
	ret->port = h.port;
}

/* One word after the key of a peer, or after a route. */
static void option_read(char *word, struct op *op, struct prefix *into)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = 0;
	if (strcmp(word, "create") == 0) {
		op->peer.create = true;
	} else if (strcmp(word, "replace") == 0) {
		op->peer.replace_allowed = true;
	} else if (value && strcmp(word, "endpoint") == 0) {
		op->peer.set_endpoint = true;
		endpoint_read(value, &op->peer.endpoint);
	} else if (value && strcmp(word, "keepalive") == 0) {
		op->peer.set_keepalive = true;
		op->peer.keepalive_s = (uint16_t)atoi(value);
	} else if (value && strcmp(word, "allowed") == 0) {
		allowed_read(value, op, into);
	} else if (value && strcmp(word, "metric") == 0) {
		op->route.metric = (uint32_t)atoi(value);
	} else {
		usage(word);
	}
}

static const struct {
	const char *word;
	enum op_kind kind;
} kinds[] = {
	{ "link-add", OP_LINK_ADD },
	{ "link-del", OP_LINK_DEL },
	{ "mtu", OP_LINK_MTU },
	{ "up", OP_LINK_UP },
	{ "key", OP_DEVICE_KEY },
	{ "port", OP_DEVICE_PORT },
	{ "peer", OP_PEER_SET },
	{ "peer-del", OP_PEER_DEL },
	{ "address-add", OP_ADDRESS_ADD },
	{ "address-del", OP_ADDRESS_DEL },
	{ "route-add", OP_ROUTE_ADD },
	{ "route-del", OP_ROUTE_DEL },
};

static enum op_kind kind_read(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(word, kinds[i].word) == 0)
			return kinds[i].kind;
	}
	usage(word);
}

static void subject_read(const char *word, struct op *op)
{
	struct key key;

	if (op->kind == OP_LINK_MTU) {
		op->mtu = (uint32_t)atoi(word);
	} else if (op->kind == OP_DEVICE_PORT) {
		op->port = (uint16_t)atoi(word);
	} else if (op->kind == OP_ADDRESS_ADD || op->kind == OP_ADDRESS_DEL) {
		address_read(word, &op->address);
	} else if (op->kind == OP_ROUTE_ADD || op->kind == OP_ROUTE_DEL) {
		if (prefix_parse(&op->route.to, word))
			usage(word);
	} else {
		if (key_parse(&key, word))
			usage(word);
		memcpy(op->private_key, key.b, sizeof(op->private_key));
		op->peer.key = key;
	}
}

static void op_read(const char *text, struct op *op, struct prefix *into)
{
	char copy[4096];
	char *words[16];
	size_t count = 0;
	size_t i = 1;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *at = strtok(copy, " "); at && count < ARRAY_LEN(words); at = strtok(NULL, " "))
		words[count++] = at;
	if (count == 0)
		usage("an empty operation");
	op->kind = kind_read(words[0]);
	if (op->kind != OP_LINK_ADD && op->kind != OP_LINK_DEL && op->kind != OP_LINK_UP) {
		if (count < 2)
			usage(text);
		subject_read(words[i++], op);
	}
	for (; i < count; i++)
		option_read(words[i], op, into);
}

static void do_apply(struct kern *k, const char *name, char **args, size_t count)
{
	static struct op ops[OPS_MAX];
	struct plan plan = { .ops = ops, .count = count };
	struct diag diag = { .text = "" };
	size_t at = 0;
	int err;

	if (count > OPS_MAX)
		usage("too many operations");
	for (size_t i = 0; i < count; i++)
		op_read(args[i], &ops[i], allowed[i]);
	err = k->v->apply(k, name, &plan, &at, &diag);
	if (err) {
		fprintf(stderr, "operation %zu\n", at);
		failed(err, &diag);
	}
}

static void peer_print(const struct wg_peer *p)
{
	char text[ENDPOINT_TEXT_BYTES];

	key_text(&p->key, text);
	printf("peer %s", text);
	if (p->has_endpoint) {
		endpoint_text(&p->endpoint, text);
		printf(" endpoint=%s", text);
	}
	printf(" keepalive=%u handshake=%s allowed=", p->keepalive_s,
	       p->handshake_ms > 0 ? "yes" : "never");
	for (size_t i = 0; i < p->allowed_count; i++) {
		prefix_text(&p->allowed[i], text);
		printf("%s%s", i > 0 ? "," : "", text);
	}
	printf("\n");
	printf("traffic rx=%" PRIu64 " tx=%" PRIu64 "\n", p->rx_bytes, p->tx_bytes);
}

static void device_print(const struct device *d)
{
	char text[PREFIX_TEXT_BYTES];
	struct key key;

	printf("exists %s\nforeign %s\n", d->exists ? "yes" : "no", d->foreign ? "yes" : "no");
	if (!d->exists)
		return;
	memcpy(key.b, d->private_key, sizeof(key.b));
	key_text(&key, text);
	printf("up %s\nmtu %u\nkey %s\nport %u\n", d->up ? "yes" : "no", d->mtu,
	       d->has_private_key ? text : "none", d->listen_port);
	for (size_t i = 0; i < d->peers_count; i++)
		peer_print(&d->peers[i]);
	for (size_t i = 0; i < d->addresses_count; i++) {
		addr_text(&d->addresses[i].addr, text);
		printf("address %s/%d\n", text,
		       d->addresses[i].bits - (addr_is_v4(&d->addresses[i].addr) ? 96 : 0));
	}
	for (size_t i = 0; i < d->routes_count; i++) {
		prefix_text(&d->routes[i].to, text);
		printf("route %s metric=%u\n", text, d->routes[i].metric);
	}
}

static void do_read(struct kern *k, const char *name, struct arena *arena, bool is_quiet)
{
	struct diag diag = { .text = "" };
	struct device d;
	int err = k->v->read(k, name, arena, &d);

	if (err)
		failed(err, &diag);
	if (!is_quiet)
		device_print(&d);
}

static void do_addresses(struct kern *k, struct arena *arena)
{
	struct diag diag = { .text = "" };
	struct own_address *list;
	char text[ADDR_TEXT_BYTES];
	size_t count;
	int err = k->v->addresses(k, arena, &list, &count);

	if (err)
		failed(err, &diag);
	for (size_t i = 0; i < count; i++) {
		addr_text(&list[i].addr, text);
		printf("%s bits=%u interface=%u\n", text, list[i].bits, list[i].interface);
	}
}

static void do_watch(struct kern *k, const char *name, struct arena *arena, int seconds)
{
	struct pollfd p = { .fd = k->v->watch_fd(k), .events = POLLIN };
	struct diag diag = { .text = "" };
	struct kern_news news = { .devices_changed = false };
	int err;

	do_read(k, name, arena, true);
	printf("watching\n");
	fflush(stdout);
	while (!news.devices_changed && poll(&p, 1, seconds * 1000) > 0) {
		err = k->v->watch_read(k, &news);
		if (err)
			failed(err, &diag);
		if (news.addresses_changed)
			printf("addresses\n");
		if (news.devices_changed)
			printf("devices\n");
		fflush(stdout);
	}
}

static void run(struct kern *k, const char *name, char **args, size_t count)
{
	struct arena arena;

	arena_init(&arena, &mem);
	if (strcmp(args[0], "backend") == 0) {
		printf("%s\n", k->v->name);
	} else if (strcmp(args[0], "read") == 0) {
		do_read(k, name, &arena, false);
	} else if (strcmp(args[0], "steady") == 0 && count == 2) {
		for (int i = 0; i < atoi(args[1]); i++) {
			do_read(k, name, &arena, true);
			do_apply(k, name, NULL, 0);
		}
	} else if (strcmp(args[0], "apply") == 0) {
		do_apply(k, name, args + 1, count - 1);
	} else if (strcmp(args[0], "addresses") == 0) {
		do_addresses(k, &arena);
	} else if (strcmp(args[0], "watch") == 0 && count == 2) {
		do_watch(k, name, &arena, atoi(args[1]));
	} else {
		usage(args[0]);
	}
	arena_fini(&arena);
}

static enum backend backend_read(const char *text)
{
	static const char *const names[] = { "auto", "kernel", "userspace", "none" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0)
			return (enum backend)i;
	}
	usage(text);
}

int main(int argc, char **argv)
{
	struct kern_options options = { .backend = BACKEND_AUTO, .device_prefix = "smeg" };
	struct diag diag = { .text = "" };
	struct kern *k;
	int opt;
	int err;

	while ((opt = getopt(argc, argv, "+b:g:r:p:")) != -1) {
		if (opt == 'b')
			options.backend = backend_read(optarg);
		else if (opt == 'g')
			options.wireguard_go = optarg;
		else if (opt == 'r')
			options.run_dir = optarg;
		else if (opt == 'p')
			options.device_prefix = optarg;
		else
			usage(argv[optind - 1]);
	}
	if (argc - optind < 2 || strlen(argv[optind]) >= DEVICE_NAME_BYTES)
		usage("DEVICE VERB");
	err = kern_open(&options, &k, &diag);
	if (err)
		failed(err, &diag);
	run(k, argv[optind], argv + optind + 1, (size_t)(argc - optind - 1));
	k->v->free(k);
	return 0;
}
