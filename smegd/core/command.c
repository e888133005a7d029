/*
 * Commands of people, but create and join, which take several steps (join.c).
 *
 * Everything is checked before anything changes, so a refused command leaves no trace; what is
 * changed is stored durably before the reply leaves.  Errors carry words: what was asked, why it
 * was refused, and one command that helps.
 */
#include "smegd/core/command.h"

#include "smegd/core/node_priv.h"

#include <errno.h>
#include <string.h>

int command_fail(struct step *st, uint64_t request, int err, const struct diag *diag)
{
	struct command_result *r;

	if (!request)
		return err;
	r = step_result(st, request);
	if (!r)
		return err;
	r->err = err;
	if (diag)
		r->diag = *diag;
	if (!r->diag.text[0])
		diag_set(&r->diag, err, "%s", err_text(err));
	return err;
}

/* Reply with a result that was made before it was sure. */
void command_done(struct step *st, uint64_t request, const struct command_result *result)
{
	struct command_result *r = request ? step_result(st, request) : NULL;

	if (r)
		*r = *result;
}

void command_result_mesh(struct command_result *r, const struct mesh *m)
{
	memcpy(r->mesh_id, m->id, sizeof(r->mesh_id));
	memcpy(r->mesh_name, m->name, sizeof(r->mesh_name));
	memcpy(r->device, m->tunnel.name, sizeof(r->device));
	place_locator(m->id, &m->self.box_public, &r->address);
	r->key = m->self.box_public;
	r->members = mesh_live_members(m);
}

/* So that a record with the longest alias and description has room for them. */
#define PLACES_BYTES_MAX 3200
#define PLACE_BYTES 12 /* of a place, besides its host */

static int check_places(const struct settings *s, struct diag *diag)
{
	size_t bytes = 0;

	if (s->places_count > LIMIT_ENDPOINTS)
		return diag_set(diag, ERR_LIMIT, "more than %u endpoints", LIMIT_ENDPOINTS);
	for (size_t i = 0; i < s->places_count; i++) {
		const char *host = s->places[i].host;
		struct hostport parsed;

		if (hostport_parse(&parsed, host) || parsed.port)
			return diag_set(diag, ERR_USAGE,
			                "endpoint \"%s\" is neither a host name nor an address",
			                host);
		bytes += PLACE_BYTES + strlen(host);
	}
	if (bytes > PLACES_BYTES_MAX)
		return diag_set(diag, ERR_TOO_BIG,
		                "these endpoints do not fit into one record: name fewer, or "
		                "shorter ones");
	return 0;
}

/* The nearest valid name, if there is one. */
void command_hint_label(struct diag *diag, const char *name)
{
	char near[LIMIT_NAME_BYTES + 1] = "";
	size_t count = 0;

	for (; *name && count < LIMIT_NAME_BYTES; name++) {
		char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
		bool is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (is_good || (count && near[count - 1] != '-'))
			near[count++] = is_good ? c : '-';
	}
	while (count && near[count - 1] == '-')
		count--;
	near[count] = 0;
	diag_hint(diag, "for example: %s", count ? near : "home");
}

/* The form of settings; changes nothing. */
int command_settings(const struct settings *s, struct diag *diag)
{
	if (s->has_alias && s->alias[0] && !name_is_label(s->alias)) {
		diag_set(diag, ERR_BAD_NAME,
		         "alias \"%s\" is not a DNS label: use 1 to 63 of a-z, 0-9 and hyphen, "
		         "no hyphen at either end",
		         s->alias);
		command_hint_label(diag, s->alias);
		return ERR_BAD_NAME;
	}
	return s->has_places ? check_places(s, diag) : 0;
}

/* The only mesh of this host, which needs no name; NULL: none, or several. */
static struct mesh *only_mesh(const struct node *n, size_t *ret_count)
{
	struct mesh *only = NULL;
	struct mesh *m;

	*ret_count = 0;
	mesh_for_each(m, n) {
		if (mesh_is_over(m))
			continue;
		only = m;
		++*ret_count;
	}
	return *ret_count == 1 ? only : NULL;
}

static int no_mesh(const struct command *c, size_t count, struct diag *diag)
{
	if (c->mesh[0])
		diag_set(diag, ERR_NO_MESH, "there is no mesh \"%s\" on this host", c->mesh);
	else if (count)
		diag_set(diag, ERR_NO_MESH, "this host is in %zu meshes: name the one you mean",
		         count);
	else
		diag_set(diag, ERR_NO_MESH, "this host is in no mesh");
	diag_hint(diag, count ? "smegctl list" : "smegctl create NAME, or smegctl join TOKEN");
	return ERR_NO_MESH;
}

/* NULL: refused, and told so. */
struct mesh *command_mesh(struct step *st, const struct command *c)
{
	size_t count;
	struct mesh *only = only_mesh(st->n, &count);
	struct mesh *m = c->mesh[0] ? mesh_by_name(st->n, c->mesh) : only;
	struct diag diag;
	int err;

	if (m && m->state == MESH_ACTIVE)
		return m;
	if (m)
		err = diag_set(&diag, ERR_BUSY, "mesh \"%s\" is still being joined", m->name);
	else
		err = no_mesh(c, count, &diag);
	command_fail(st, c->request, err, &diag);
	return NULL;
}

/* --- leave ---------------------------------------------------------------------------------- */

static void run_leave(struct step *st, const struct command *c)
{
	struct mesh *m = command_mesh(st, c);
	const struct entry *self = m ? mesh_self_entry(m) : NULL;
	struct command_result *r;
	struct stmt *remove;
	int err;

	if (!m)
		return;
	r = step_alloc(st, sizeof(*r));
	if (!r)
		return;
	command_result_mesh(r, m);
	if (self && self->record) {
		err = remove_sign_leave(st->n->mem, self->record, &m->self, &m->mesh_public,
		                        &remove);
		if (err) {
			step_fail(st, err);
			return;
		}
		m->state = MESH_LEFT; /* so that nobody refutes our own remove */
		mesh_offer(st, m, remove->raw, 0);
		stmt_unref(st->n->mem, remove);
	}
	step_trace(st, TRACE_MESH_LEFT, m, NULL, 0);
	if (m->peers.count ||
	    set_count(m->set) > 1) /* also if their records are not here: they may have ours */
		mesh_leave_later(st, m);
	else
		mesh_leave(st, m);
	command_done(st, c->request, r);
}

/* --- invite --------------------------------------------------------------------------------- */

static void add_bootstrap(struct token *t, const struct key *member, const struct place *p)
{
	struct bootstrap *b;

	if (t->bootstraps_count == ARRAY_LEN(t->bootstraps) || !p->gossip_port)
		return;
	b = &t->bootstraps[t->bootstraps_count++];
	memset(b, 0, sizeof(*b));
	b->member = *member;
	b->at.port = p->gossip_port;
	if (p->kind == PLACE_NAME)
		memcpy(b->at.host, p->name.at, MIN_OF(p->name.count, sizeof(b->at.host) - 1));
	else
		addr_text(&p->addr, b->at.host);
}

/* Ourselves first, then the first place of others that we reach. */
static void add_bootstraps(const struct mesh *m, struct token *t)
{
	struct place places[LIMIT_ENDPOINTS];
	size_t count = own_places(m, places, ARRAY_LEN(places));
	struct map_node *pos;

	for (size_t i = 0; i < count && i < LIMIT_TOKEN_BOOTSTRAPS / 2; i++)
		add_bootstrap(t, &m->self.box_public, &places[i]);
	map_for_each(pos, &m->peers) {
		const struct peer *p = container_of(pos, struct peer, node);
		const struct entry *e = set_find(m->set, &p->key);
		struct record r;

		if (!p->session || !e || e->standing != STANDING_IN)
			continue;
		record_read(e->record, &r);
		if (r.role == ROLE_PEER && dial_order(m->owner, &r, places))
			add_bootstrap(t, &p->key, &places[0]);
	}
}

/* Nobody honours them any more. */
static void forget_expired(struct step *st, struct mesh *m)
{
	struct map_node *pos;
	struct map_node *tmp;

	map_for_each_safe(pos, tmp, &m->issued) {
		struct issued *i = container_of(pos, struct issued, node);

		if ((int64_t)i->expires_ms > st->now.unix_ms)
			continue;
		rows_delete_issued(st, m, i);
		map_remove(&m->issued, pos);
		mem_free(st->n->mem, i);
	}
}

static int remember_issued(struct step *st, struct mesh *m, const struct invite *invite)
{
	struct issued *i;

	if (!invite->limits.uses)
		return 0;
	if (m->issued.count >= LIMIT_INVITES)
		forget_expired(st, m);
	if (m->issued.count >= LIMIT_INVITES)
		return ERR_LIMIT;
	i = mem_zalloc(st->n->mem, sizeof(*i));
	if (!i)
		return -ENOMEM;
	memcpy(i->id, invite->id, sizeof(i->id));
	i->uses_left = invite->limits.uses;
	i->expires_ms = invite->limits.expires_ms;
	map_insert(&m->issued, &i->node, i->id);
	rows_put_issued(st, m, i);
	return 0;
}

/* `invite --for KEY`: the key is in from now on, whoever of us is there when it comes. */
static int admit_ahead(struct step *st, struct mesh *m, const struct invite *invite)
{
	struct admission a = {
		.subject = invite->limits.for_key,
		.role = invite->limits.role,
		.may_bridge = invite->limits.may_bridge,
		.issued_ms = invite->limits.issued_ms,
	};
	struct stmt *s;
	int err;

	memcpy(a.invite, invite->id, sizeof(a.invite));
	err = admission_sign(st->n->mem, &a, &m->self, &m->mesh_public, &s);
	if (err)
		return err;
	mesh_offer(st, m, s->raw, 0);
	stmt_unref(st->n->mem, s);
	return st->err;
}

static void limits_of(struct step *st,
                      const struct command *c,
                      const struct keypair *pair,
                      struct invite_limits *l)
{
	memset(l, 0, sizeof(*l));
	l->invite_key = pair->sign_public;
	l->role = c->role ? c->role : ROLE_PEER;
	l->may_bridge = c->may_bridge;
	l->issued_ms = (uint64_t)st->now.unix_ms;
	l->expires_ms = l->issued_ms + (uint64_t)c->expires_in_ms;
	l->uses = c->uses;
	l->has_for_key = c->has_for_key;
	l->for_key = c->for_key;
}

static int sign_token(struct step *st, struct mesh *m, const struct command *c, struct token *t)
{
	struct invite_limits limits;
	struct keypair pair;
	int err;

	keypair_generate(&pair, &st->n->rng);
	limits_of(st, c, &pair, &limits);
	t->mesh_public = m->mesh_public;
	memcpy(t->mesh_name, m->name, sizeof(t->mesh_name));
	memcpy(t->invite_seed, pair.seed, sizeof(t->invite_seed));
	err = invite_sign(&limits, &m->self, &m->mesh_public, &t->invite);
	keypair_fini(&pair);
	if (!err)
		err = remember_issued(st, m, &t->invite);
	if (!err && c->has_for_key)
		err = admit_ahead(st, m, &t->invite);
	return err;
}

int invite_make(struct step *st, struct mesh *m, const struct command *c, struct command_result *r)
{
	struct token *t = step_alloc(st, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	add_bootstraps(m, t);
	if (!t->bootstraps_count) {
		diag_set(&r->diag, ERR_UNREACHABLE,
		         "this host knows no address at which others could reach it");
		diag_hint(&r->diag, "smegctl set %s --endpoint HOST", m->name);
		return ERR_UNREACHABLE;
	}
	err = sign_token(st, m, c, t);
	if (!err)
		err = token_text(t, r->token);
	r->expires_ms = (int64_t)t->invite.limits.expires_ms;
	r->uses = t->invite.limits.uses;
	token_fini(t);
	return err;
}

static int check_invite(struct mesh *m, const struct command *c, struct diag *diag)
{
	if (!set_is_administrator(m->set, &m->self.sign_public)) {
		diag_set(diag, ERR_NOT_ADMIN,
		         "this host is not an administrator of mesh \"%s\", so others would not "
		         "believe its invites",
		         m->name);
		diag_hint(diag,
		          "run smegctl invite on an administrator (smegctl status shows who)");
		return ERR_NOT_ADMIN;
	}
	if (c->expires_in_ms < MS_PER_MINUTE || c->expires_in_ms > 366 * MS_PER_DAY)
		return diag_set(diag, ERR_USAGE, "an invite lasts from 1 minute to 366 days");
	return 0;
}

static void run_invite(struct step *st, const struct command *c)
{
	struct mesh *m = command_mesh(st, c);
	struct command_result *r;
	struct diag diag = { "", "" };
	int err;

	if (!m)
		return;
	err = check_invite(m, c, &diag);
	if (err) {
		command_fail(st, c->request, err, &diag);
		return;
	}
	r = step_alloc(st, sizeof(*r));
	if (!r)
		return;
	command_result_mesh(r, m);
	err = invite_make(st, m, c, r);
	if (err)
		command_fail(st, c->request, err, &r->diag);
	else
		command_done(st, c->request, r);
}

/* --- set, key ------------------------------------------------------------------------------- */

void command_take_settings(struct settings *to, const struct settings *from)
{
	if (from->has_alias)
		memcpy(to->alias, from->alias, sizeof(to->alias));
	if (from->has_description)
		memcpy(to->description, from->description, sizeof(to->description));
	if (from->has_places) {
		memcpy(to->places, from->places, sizeof(to->places));
		to->places_count = from->places_count;
	}
}

static void run_set(struct step *st, const struct command *c)
{
	struct mesh *m = command_mesh(st, c);
	struct command_result *r;
	struct diag diag = { "", "" };
	int err;

	if (!m)
		return;
	err = command_settings(&c->settings, &diag);
	if (err) {
		command_fail(st, c->request, err, &diag);
		return;
	}
	command_take_settings(&m->settings, &c->settings);
	rows_put_mesh(st, m);
	if (own_may_publish(m))
		own_publish(st, m, false);
	else
		own_changed(st, m);
	r = step_result(st, c->request);
	if (r)
		command_result_mesh(r, m);
}

/* The key of the next join: made once, on disk before anybody sees it. */
bool node_prepare_key(struct step *st)
{
	struct node *n = st->n;

	if (!n->has_prepared)
		keypair_generate(&n->prepared, &n->rng);
	n->has_prepared = true;
	if (!n->prepared_stored)
		rows_put_prepared(st);
	n->prepared_stored = true;
	return !st->err;
}

static void run_key(struct step *st, const struct command *c)
{
	struct command_result *r;

	if (!node_prepare_key(st))
		return;
	r = step_result(st, c->request);
	if (r)
		r->key = st->n->prepared.sign_public;
}

void command_run(struct step *st, const struct command *c)
{
	switch (c->kind) {
	case CMD_CREATE:
		create_begin(st, c);
		break;
	case CMD_JOIN:
		join_begin(st, c);
		break;
	case CMD_LEAVE:
		run_leave(st, c);
		break;
	case CMD_INVITE:
		run_invite(st, c);
		break;
	case CMD_SET:
		run_set(st, c);
		break;
	case CMD_KEY:
		run_key(st, c);
		break;
	case CMD_EXPEL:
	case CMD_APPOINT:
	case CMD_REVOKE:
		authority_run(st, c);
		break;
	}
}

void command_gone(struct step *st, uint64_t request)
{
	struct mesh *m;

	mesh_for_each(m, st->n)
		if (m->joining && m->joining->request == request)
			m->joining->request = 0;
}
