/*
 * Create, and what create and join have in common: checking, preparing, giving up.
 *
 * Everything that can be refused is refused before anything changes.  A mesh in PREPARING is in
 * memory only; what is stored by then is the member key that it will use (the "prepared" key), and
 * giving up leaves nothing else behind.
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- failure -------------------------------------------------------------------------------- */

void joining_drop(struct step *st, struct mesh *m)
{
	token_fini(&m->joining->token);
	keypair_fini(&m->joining->invite_pair);
	mem_free(st->n->mem, m->joining);
	m->joining = NULL;
}

/* Undo everything: nothing of this mesh was stored but, perhaps, that it was left before. */
void joining_give_up(struct step *st, struct mesh *m, int err, const struct diag *diag)
{
	struct session *s = session_by_id(st->n, m->joining->session);

	if (s)
		step_close(st, s);
	device_take_down(st, m);
	command_fail(st, m->joining->request, err, diag);
	m->state = m->last_counter ? MESH_LEFT : MESH_PREPARING;
	m->is_ending = true;
	joining_drop(st, m);
}

/* The mesh ends while it is being joined: whoever asked for that gets an answer too. */
void join_left(struct step *st, struct mesh *m)
{
	const struct entry *self = mesh_self_entry(m);
	bool expelled = self && self->standing == STANDING_EXPELLED;
	struct diag diag;

	if (!m->joining)
		return;
	diag_set(&diag, expelled ? ERR_EXPELLED : ERR_NO_MESH,
	         expelled ? "this host is expelled from \"%s\"" : "\"%s\" was left meanwhile",
	         m->name);
	command_fail(st, m->joining->request, expelled ? ERR_EXPELLED : ERR_NO_MESH, &diag);
	joining_drop(st, m);
}

void joining_finish(struct step *st, struct mesh *m)
{
	struct command_result *r = NULL;

	if (m->joining->request)
		r = step_result(st, m->joining->request);
	if (r)
		command_result_mesh(r, m);
	step_trace(st, TRACE_MESH_JOINED, m, &m->self.box_public, 0);
	joining_drop(st, m);
}

/* --- beginning ------------------------------------------------------------------------------ */

int joining_check_name(struct step *st, const char *name, bool join, struct diag *diag)
{
	if (!name_is_label(name)) {
		diag_set(diag, ERR_BAD_NAME,
		         "mesh name \"%s\" is not a DNS label: use 1 to 63 of a-z, 0-9 and "
		         "hyphen, no hyphen at either end",
		         name);
		command_hint_label(diag, name);
		return ERR_BAD_NAME;
	}
	if (!mesh_by_name(st->n, name))
		return 0;
	diag_set(diag, ERR_EXISTS_MESH, "this host has a mesh named \"%s\" already", name);
	if (join)
		diag_hint(diag, "smegctl join --name OTHER-NAME TOKEN");
	return ERR_EXISTS_MESH;
}

static uint16_t free_wg_port(const struct node *n)
{
	for (uint16_t i = 0; i <= LIMIT_MESHES; i++) {
		uint16_t port = (uint16_t)(n->options.wg_port + i);
		bool taken = false;
		struct mesh *m;

		mesh_for_each(m, n)
			taken |= m->wg_port == port && !mesh_is_over(m);
		if (!taken)
			return port;
	}
	return n->options.wg_port;
}

/* What was given, and the daemon's defaults for the rest. */
/* What the host's configuration says, and over it what the command says. */
static void take_settings(const struct node *n, struct settings *to, const struct settings *s)
{
	memset(to, 0, sizeof(*to));
	to->has_alias = to->has_description = to->has_places = true;
	memcpy(to->alias, n->options.alias, sizeof(to->alias));
	memcpy(to->places, n->options.places, sizeof(to->places));
	to->places_count = n->options.places_count;
	command_take_settings(to, s);
}

/* The defaults too: a mesh whose record cannot be signed must not come about. */
int joining_check_settings(struct step *st, const struct command *c, struct diag *diag)
{
	struct settings all;

	take_settings(st->n, &all, &c->settings);
	return command_settings(&all, diag);
}

/* A mesh in PREPARING with its own key, port and settings; NULL: out of memory. */
struct mesh *joining_prepare(struct step *st,
                             const struct command *c,
                             const struct key *mesh_public,
                             const char *name)
{
	char id[MESH_ID_BYTES];
	struct joining *j;
	struct mesh *m;

	mesh_id_of(mesh_public, id);
	m = mesh_by_id(st->n, id);
	if (m && m->state == MESH_LEAVING) {
		mesh_leave(st, m);
		dial_sweep(st);
		mesh_sweep(st);
	}
	if (!m) {
		if (c->kind == CMD_JOIN && !node_prepare_key(st))
			return NULL;
		m = mesh_new(st, mesh_public, name);
		if (!m)
			return NULL;
		/* The prepared key is kept for a join: an invite may have been made for it. */
		if (c->kind == CMD_JOIN)
			m->self = st->n->prepared;
		else
			keypair_generate(&m->self, &st->n->rng);
	}
	memcpy(m->name, name, strlen(name) + 1);
	place_device(st->n->options.device_prefix, name, m->id, m->tunnel.name);
	m->wg_port = free_wg_port(st->n);
	m->state = MESH_PREPARING;
	take_settings(st->n, &m->settings, &c->settings);
	j = mem_zalloc(st->n->mem, sizeof(*j));
	if (!j) {
		step_fail(st, -ENOMEM);
		return NULL;
	}
	j->request = c->request;
	j->step_since_ms = st->now.mono_ms;
	j->deadline_ms = st->now.mono_ms + JOIN_TIMEOUT_MS;
	m->joining = j;
	m->tunnel.is_dirty = true;
	m->tunnel.is_made = false;
	m->tunnel.read_ms = st->now.mono_ms;
	return m;
}

bool joining_has_room(struct step *st)
{
	size_t count = 0;
	struct mesh *m;

	mesh_for_each(m, st->n)
		count++;
	return count < LIMIT_MESHES;
}

void create_begin(struct step *st, const struct command *c)
{
	struct diag diag = { "", "" };
	struct keypair pair;
	struct mesh *m;
	int err = joining_check_name(st, c->mesh, false, &diag);

	if (!err)
		err = joining_check_settings(st, c, &diag);
	if (!err && !joining_has_room(st))
		err = diag_set(&diag, ERR_LIMIT,
		               "this host is in %u meshes, which is as many as it can be",
		               LIMIT_MESHES);
	if (err) {
		command_fail(st, c->request, err, &diag);
		return;
	}
	keypair_generate(&pair, &st->n->rng);
	m = joining_prepare(st, c, &pair.sign_public, c->mesh);
	if (m) {
		m->has_mesh_pair = true;
		m->mesh_pair = pair;
		m->joining->is_create = true;
		if (st->n->options.no_devices)
			join_device_ready(st, m, 0, NULL);
	}
	keypair_fini(&pair);
}

/* --- create --------------------------------------------------------------------------------- */

static int offer_signed(struct step *st, struct mesh *m, int err, struct stmt *s)
{
	if (err)
		return err;
	mesh_offer(st, m, s->raw, 0);
	stmt_unref(st->n->mem, s);
	return st->err;
}

/* The first statements of a mesh: its creator is appointed, and admits itself. */
static int found(struct step *st, struct mesh *m)
{
	const struct admission a = {
		.subject = m->self.sign_public,
		.role = ROLE_PEER,
		.may_bridge = true,
		.issued_ms = (uint64_t)st->now.unix_ms,
	};
	struct stmt *s = NULL;
	int err = appoint_sign(st->n->mem, &m->self.sign_public, a.issued_ms, &m->mesh_pair, &s);

	err = offer_signed(st, m, err, s);
	if (err)
		return err;
	err = admission_sign(st->n->mem, &a, &m->self, &m->mesh_public, &s);
	return offer_signed(st, m, err, s);
}

/* The key is the mesh's from now on; the next join makes another. */
void joining_spend_key(struct step *st, const struct mesh *m)
{
	struct node *n = st->n;

	if (!n->has_prepared || !key_equal(&n->prepared.box_public, &m->self.box_public))
		return;
	keypair_fini(&n->prepared);
	n->has_prepared = n->prepared_stored = false;
	rows_delete_prepared(st);
}

void create_finish(struct step *st, struct mesh *m)
{
	const struct command invite = {
		.kind = CMD_INVITE,
		.role = ROLE_PEER,
		.uses = 1,
		.expires_in_ms = INVITE_LIFE_MS,
	};
	struct command_result *r = step_alloc(st, sizeof(*r));
	uint64_t request = m->joining->request;
	int err;

	if (!r)
		return;
	m->state = MESH_ACTIVE;
	rows_put_mesh(st, m);
	err = found(st, m);
	if (err) {
		step_fail(st, err);
		return;
	}
	mesh_start(st, m);
	m->counter_known = true;
	own_publish(st, m, true);
	command_result_mesh(r, m);
	/* Without a known address there is no token yet; the mesh is made all the same. */
	err = invite_make(st, m, &invite, r);
	if (err && err != ERR_UNREACHABLE)
		step_fail(st, err);
	command_done(st, request, r);
	step_trace(st, TRACE_MESH_CREATED, m, &m->self.box_public, 0);
	joining_drop(st, m);
}
