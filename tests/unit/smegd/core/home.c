/*
 * See home.h.
 */
#include "tests/unit/smegd/core/home.h"

void home_init(struct net *n, size_t hosts)
{
	net_init(n, hosts);
	net_make_home(n);
	net_run(n, 30 * MS_PER_SECOND); /* all have chosen, and all know */
	assert_true(net_agrees(n, "home"));
}

struct mesh *home_mesh(const struct net *n, size_t host)
{
	struct mesh *m = net_mesh(n, host, "home");

	assert_non_null(m);
	return m;
}

const struct key *home_key(const struct net *n, size_t host)
{
	return &home_mesh(n, host)->self.box_public;
}

const struct entry *home_seen(const struct net *n, size_t by, const struct key *key)
{
	const struct entry *e = set_find(home_mesh(n, by)->set, key);

	assert_non_null(e);
	return e;
}

struct watched *home_watched(const struct net *n, size_t by, const struct key *key)
{
	struct map_node *pos = map_find(&home_mesh(n, by)->watching->watched, key->b);

	return pos ? container_of(pos, struct watched, node) : NULL;
}

void home_isolate(struct net *n, size_t host, bool cut)
{
	for (size_t i = 0; i < n->count; i++)
		if (i != host)
			net_cut(n, host, i, cut);
}

/* Falls silent without a word, as a host that loses its power. */
struct key home_vanish(struct net *n, size_t host)
{
	struct key key = *home_key(n, host);

	home_isolate(n, host, true);
	net_crash(n, host);
	return key;
}

bool home_has_pruned(const struct net *n, const struct key *key)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->hosts[i].node && !key_equal(home_key(n, i), key) &&
		    home_seen(n, i, key)->standing != STANDING_PRUNED)
			return false;
	return true;
}

bool home_has(const struct net *n, const struct key *key)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->hosts[i].node && home_seen(n, i, key)->standing != STANDING_IN)
			return false;
	return true;
}

/* How long until it is so; at most max_ms. */
int64_t home_until(struct net *n,
                   bool (*is_so)(const struct net *n, const struct key *key),
                   const struct key *key,
                   int64_t max_ms)
{
	int64_t start = n->mono_ms;

	net_deliver(n);
	while (!is_so(n, key) && n->mono_ms - start < max_ms)
		net_run(n, 1);
	return n->mono_ms - start;
}

void home_abstain(const struct net *n, size_t host)
{
	home_mesh(n, host)->watching->abstain_until_ms = TIME_NEVER;
}

struct session *home_session(const struct net *n, size_t at, size_t with)
{
	struct peer *p = mesh_peer(home_mesh(n, at), home_key(n, with));

	assert_non_null(p);
	assert_non_null(p->session);
	return p->session;
}

void home_break(struct net *n, size_t a, size_t b)
{
	struct event down = { .kind = EV_SESSION_DOWN };

	down.u.session_down.session = home_session(n, a, b)->id;
	for (size_t i = 0; i < n->sessions_count; i++)
		if (n->sessions[i].id == down.u.session_down.session)
			n->sessions[i].open[0] = n->sessions[i].open[1] = false;
	net_event(n, a, &down);
	net_event(n, b, &down);
}

/* As if host `from` had sent it to host `to`, which may be hostile of it. */
void home_say(struct net *n, size_t from, size_t to, const struct msg *msg)
{
	struct event ev = { .kind = EV_MESSAGE };

	ev.u.message.session = home_session(n, to, from)->id;
	ev.u.message.msg = msg;
	net_event(n, to, &ev);
}

struct msg home_suspect(const struct net *n, size_t about)
{
	struct msg msg = { .kind = MSG_SUSPECT };

	msg.u.watch.member = *home_key(n, about);
	msg.u.watch.counter = mesh_self_entry(home_mesh(n, about))->record->counter;
	return msg;
}

struct msg home_attest(const struct net *n, size_t by, size_t about)
{
	struct msg msg = home_suspect(n, about);
	struct attest a;

	msg.kind = MSG_ATTEST;
	prune_attest(mesh_self_entry(home_mesh(n, about))->record, &home_mesh(n, by)->self,
	             &home_mesh(n, by)->mesh_public, &a);
	msg.u.watch.signature = a.signature;
	return msg;
}

bool home_watches(const struct net *n, size_t of, size_t host)
{
	return record_watches(mesh_self_entry(home_mesh(n, of))->record,
	                      &home_mesh(n, host)->self.sign_public);
}

/* All watchers that host `of` names sign against it; it hears so from the first of them. */
size_t home_prune(struct net *n, size_t of)
{
	const struct mem *mem = &n->hosts[of].mt.mem;
	const struct stmt *record = mesh_self_entry(home_mesh(n, of))->record;
	struct msg msg = { .kind = MSG_ENTRIES };
	struct attest list[LIMIT_WATCHERS];
	size_t count = 0;
	size_t by = of;
	struct stmt *remove;

	for (size_t i = 0; i < n->count; i++) {
		if (!home_watches(n, of, i))
			continue;
		by = i;
		prune_attest(record, &home_mesh(n, i)->self, &home_mesh(n, i)->mesh_public,
		             &list[count++]);
	}
	assert_int_equal(remove_make_prune(mem, record, list, count, &remove), 0);
	msg.u.entries.stmts = &remove->raw;
	msg.u.entries.count = 1;
	home_say(n, by, of, &msg);
	stmt_unref(mem, remove);
	assert_int_equal(mesh_self_entry(home_mesh(n, of))->standing, STANDING_PRUNED);
	return count;
}
