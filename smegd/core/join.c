/*
 * Create and join: the commands that take several steps.
 *
 *   check -> PREPARING: make the device -> create: sign, store, reply
 *                                       -> join: ADMITTING: dial the token's places one by one,
 *                                          redeem -> ACTIVE: fetch the state from the introducer,
 *                                          compare digests with two other members -> reply
 *
 * The device comes first: if this host cannot have a tunnel, no use of an invite is wasted and
 * nothing is stored.  The member key is on disk before the first message leaves (the "prepared"
 * key), so a join that was cut off, by a crash or a lost answer, is repeated with the same key and
 * costs no second use: issuers answer it again from the admission that they have given.
 *
 * From the admission on this host is a member, whatever happens to the command: a failure up to
 * then undoes everything, a failure after it only says that the comparison was not completed.
 *
 * Comparing with two members besides the introducer shows up an introducer that hides half of the
 * mesh (design, section 3).  In a mesh that has no two others there is nobody to compare with.
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define JOIN_BUSY_MS 400 /* before a busy introducer is asked again; half to one and a half */
#define JOIN_ANSWER_MS (RELAY_TIMEOUT_MS + 2 * MS_PER_SECOND) /* to a redemption */
#define JOIN_ASK_MS 300 /* between two questions for digests while fetching and comparing */

/* --- failure -------------------------------------------------------------------------------- */

static void drop_joining(struct step *st, struct mesh *m)
{
	token_fini(&m->joining->token);
	keypair_fini(&m->joining->invite_pair);
	mem_free(st->n->mem, m->joining);
	m->joining = NULL;
}

/* Undo everything: nothing of this mesh was stored but, perhaps, that it was left before. */
static void give_up(struct step *st, struct mesh *m, int err, const struct diag *diag)
{
	struct session *s = session_by_id(st->n, m->joining->session);

	if (s)
		step_close(st, s);
	device_take_down(st, m);
	command_fail(st, m->joining->request, err, diag);
	m->state = m->last_counter ? MESH_LEFT : MESH_PREPARING;
	m->is_ending = true;
	drop_joining(st, m);
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
	drop_joining(st, m);
}

static void finish(struct step *st, struct mesh *m)
{
	struct command_result *r = NULL;

	if (m->joining->request)
		r = step_result(st, m->joining->request);
	if (r)
		command_result_mesh(r, m);
	step_trace(st, TRACE_MESH_JOINED, m, &m->self.box_public, 0);
	drop_joining(st, m);
}

/* --- beginning ------------------------------------------------------------------------------ */

static int check_name(struct step *st, const char *name, bool join, struct diag *diag)
{
	if (!name_is_label(name)) {
		diag_set(diag, ERR_BAD_NAME,
		         "mesh name \"%s\" is not a DNS label: use 1 to 63 of a-z, 0-9 and "
		         "hyphen, no hyphen at either end",
		         name);
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
static void take_settings(const struct node *n, struct settings *to, const struct settings *s)
{
	const char *alias = s->has_alias ? s->alias : n->options.alias;

	memset(to, 0, sizeof(*to));
	to->has_alias = to->has_description = to->has_places = true;
	memcpy(to->alias, alias, strlen(alias) + 1);
	if (s->has_description)
		memcpy(to->description, s->description, sizeof(to->description));
	if (s->has_places) {
		memcpy(to->places, s->places, sizeof(to->places));
		to->places_count = s->places_count;
	} else {
		memcpy(to->places, n->options.places, sizeof(to->places));
		to->places_count = n->options.places_count;
	}
}

/* The defaults too: a mesh whose record cannot be signed must not come about. */
static int check_settings(struct step *st, const struct command *c, struct diag *diag)
{
	struct settings all;

	take_settings(st->n, &all, &c->settings);
	return command_settings(&all, diag);
}

/* A mesh in PREPARING with its own key, port and settings; NULL: out of memory. */
static struct mesh *prepare(struct step *st,
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

static bool has_room(struct step *st)
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
	int err = check_name(st, c->mesh, false, &diag);

	if (!err)
		err = check_settings(st, c, &diag);
	if (!err && !has_room(st))
		err = diag_set(&diag, ERR_LIMIT,
		               "this host is in %u meshes, which is as many as it can be",
		               LIMIT_MESHES);
	if (err) {
		command_fail(st, c->request, err, &diag);
		return;
	}
	keypair_generate(&pair, &st->n->rng);
	m = prepare(st, c, &pair.sign_public, c->mesh);
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
static void spend_prepared(struct step *st, const struct mesh *m)
{
	struct node *n = st->n;

	if (!n->has_prepared || !key_equal(&n->prepared.box_public, &m->self.box_public))
		return;
	keypair_fini(&n->prepared);
	n->has_prepared = n->prepared_stored = false;
	rows_delete_prepared(st);
}

static void create_finish(struct step *st, struct mesh *m)
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
	drop_joining(st, m);
}

/* --- join: the token ------------------------------------------------------------------------ */

static int token_words(int err, struct diag *diag)
{
	switch (err) {
	case ERR_TRUNCATED:
		diag_set(diag, err,
		         "the token is cut short or mistyped: its check bytes do not fit");
		break;
	case ERR_VERSION:
		diag_set(diag, err, "the token was made by a newer version of smegmesh");
		break;
	case ERR_BAD_SIGNATURE:
		diag_set(diag, err, "the token is not valid for its mesh: a signature is wrong");
		break;
	default:
		diag_set(diag, err, "this is not a smegmesh token (it begins with smeg1_)");
		break;
	}
	diag_hint(diag, "ask for a new one: smegctl invite");
	return err;
}

static int check_limits(struct step *st,
                        const struct command *c,
                        const struct token *t,
                        struct diag *diag)
{
	const struct invite_limits *l = &t->invite.limits;
	const struct node *n = st->n;

	if ((int64_t)l->expires_ms <= st->now.unix_ms) {
		diag_set(diag, ERR_EXPIRED,
		         "the token has expired (or this host's clock is ahead)");
		diag_hint(diag, "ask for a new one: smegctl invite");
		return ERR_EXPIRED;
	}
	if (c->role == ROLE_PEER && l->role == ROLE_CLIENT) {
		diag_set(diag, ERR_WRONG_ROLE, "the token admits a client, not a peer");
		diag_hint(diag, "leave out --role, or ask for: smegctl invite --role peer");
		return ERR_WRONG_ROLE;
	}
	if (l->has_for_key &&
	    (!n->has_prepared || !key_equal(&l->for_key, &n->prepared.sign_public))) {
		diag_set(diag, ERR_NOT_AUTHORISED, "the token was made for another host's key");
		diag_hint(diag, "smegctl key shows this host's; then: smegctl invite --for KEY");
		return ERR_NOT_AUTHORISED;
	}
	return 0;
}

/* A join under way with the prepared key; no two meshes may get the same. */
static const struct mesh *prepared_user(const struct node *n)
{
	const struct mesh *m;

	mesh_for_each(m, n)
		if (m->joining && n->has_prepared &&
		    key_equal(&m->self.box_public, &n->prepared.box_public))
			return m;
	return NULL;
}

static int check_join(struct step *st,
                      const struct command *c,
                      const struct token *t,
                      struct diag *diag)
{
	const char *name = c->mesh[0] ? c->mesh : t->mesh_name;
	char id[MESH_ID_BYTES];
	const struct mesh *m;
	const struct mesh *other;
	int err;

	mesh_id_of(&t->mesh_public, id);
	m = mesh_by_id(st->n, id);
	if (m && m->state == MESH_ACTIVE) {
		diag_set(diag, ERR_IS_MEMBER,
		         "this host is a member of that mesh already, as \"%s\"", m->name);
		diag_hint(diag, "smegctl status %s", m->name);
		return ERR_IS_MEMBER;
	}
	if (m && !mesh_is_over(m))
		return diag_set(diag, ERR_BUSY, "a join of that mesh is under way");
	other = m ? NULL : prepared_user(st->n);
	if (other) {
		diag_set(diag, ERR_BUSY, "this host is just joining \"%s\"", other->name);
		diag_hint(diag, "when that is done, try again: smegctl status");
		return ERR_BUSY;
	}
	err = check_limits(st, c, t, diag);
	if (!err)
		err = check_name(st, name, true, diag);
	if (!err)
		err = check_settings(st, c, diag);
	if (!err && !m && !has_room(st))
		err = diag_set(diag, ERR_LIMIT, "this host is in as many meshes as it can be");
	return err;
}

static void join_checked(struct step *st, const struct command *c, const struct token *t)
{
	struct mesh *m = prepare(st, c, &t->mesh_public, c->mesh[0] ? c->mesh : t->mesh_name);

	if (!m)
		return;
	m->role = c->role ? c->role : t->invite.limits.role;
	m->joining->token = *t;
	if (keypair_from_seed(&m->joining->invite_pair, t->invite_seed)) {
		give_up(st, m, ERR_TOKEN, NULL);
		return;
	}
	step_progress(st, c->request, 1, "token for mesh \"%s\"; preparing the tunnel", m->name);
	if (st->n->options.no_devices)
		join_device_ready(st, m, 0, NULL);
}

void join_begin(struct step *st, const struct command *c)
{
	struct token *t = step_alloc(st, sizeof(*t));
	struct diag diag = { "", "" };
	int err;

	if (!t)
		return;
	err = token_parse((const char *)c->token.at, c->token.count, t);
	if (err)
		err = token_words(err, &diag);
	else
		err = check_join(st, c, t, &diag);
	if (err)
		command_fail(st, c->request, err, &diag);
	else
		join_checked(st, c, t);
	token_fini(t);
}

/* --- join: dialling the places of the token ------------------------------------------------- */

static void dial_bootstrap(struct step *st, struct mesh *m)
{
	struct joining *j = m->joining;
	const struct bootstrap *b = &j->token.bootstraps[j->bootstrap];
	char text[ENDPOINT_TEXT_BYTES];
	struct effect *e;

	hostport_text(&b->at, text);
	step_progress(st, j->request, 2, "connecting to %s", text);
	j->step = JOIN_DIALLING;
	j->step_since_ms = st->now.mono_ms;
	j->dial = ++st->n->next_dial;
	e = step_fx(st, FX_DIAL);
	e->u.dial.dial = j->dial;
	memcpy(e->u.dial.mesh, m->id, sizeof(e->u.dial.mesh));
	e->u.dial.peer = b->member;
	e->u.dial.at = b->at;
	e->u.dial.as_joiner = true;
}

/* Errors that another introducer would not mend. */
static bool is_final(int err)
{
	return err == ERR_EXPIRED || err == ERR_USED_UP || err == ERR_CLOCK_OFF ||
	       err == ERR_WRONG_ROLE || err == ERR_NOT_AUTHORISED || err == ERR_EXPELLED;
}

static void words_of_failure(struct joining *j, const char *where, int err)
{
	size_t used = strlen(j->diag.text);

	if (!used)
		diag_set(&j->diag, err, "could not join: %s: %s", where, err_text(err));
	else
		snprintf(j->diag.text + used, sizeof(j->diag.text) - used, "; %s: %s", where,
		         err_text(err));
	switch (err) {
	case ERR_NO_ANSWER:
		diag_hint(&j->diag, "who answers there is no member of that mesh, or does not know "
		                    "this token; ask for a new one: smegctl invite");
		break;
	case ERR_CLOCK_OFF:
		diag_hint(&j->diag, "set this host's clock: timedatectl set-ntp true");
		break;
	case ERR_EXPIRED:
	case ERR_USED_UP:
		diag_hint(&j->diag, "ask for a new token: smegctl invite");
		break;
	case ERR_ISSUER_AWAY:
		diag_hint(&j->diag, "the host that made the token must be up, or use one made with "
		                    "smegctl invite --uncounted");
		break;
	default:
		diag_hint(&j->diag, "check that smegd runs there and that the port is open");
		break;
	}
}

/* Who was dialled may answer later: nobody listens any more. */
static void let_go(struct step *st, struct joining *j)
{
	struct session *s = session_by_id(st->n, j->session);

	if (s && !s->is_closing)
		step_close(st, s);
	j->dial = 0;
	j->session = 0;
}

/* This place did not help: on to the next, or that was it. */
static void bootstrap_failed(struct step *st, struct mesh *m, int err)
{
	struct joining *j = m->joining;
	char text[ENDPOINT_TEXT_BYTES];

	let_go(st, j);
	if (err == ERR_BUSY) {
		/* Many join at once: everybody gets a turn before the deadline. */
		j->step = JOIN_WAITING;
		j->again_ms = st->now.mono_ms + rng_jitter(&st->n->rng, JOIN_BUSY_MS, 50);
		return;
	}
	hostport_text(&j->token.bootstraps[j->bootstrap].at, text);
	words_of_failure(j, text, err);
	if (!is_final(err) && ++j->bootstrap < j->token.bootstraps_count)
		dial_bootstrap(st, m);
	else
		give_up(st, m, err, &j->diag);
}

void join_device_ready(struct step *st, struct mesh *m, int err, const struct diag *diag)
{
	if (!m->joining || m->state != MESH_PREPARING)
		return;
	if (err) {
		give_up(st, m, err, diag);
	} else if (m->joining->is_create) {
		create_finish(st, m);
	} else {
		m->state = MESH_ADMITTING;
		dial_bootstrap(st, m);
	}
}

bool join_owns_dial(struct step *st, uint64_t dial, int err)
{
	struct mesh *m;

	mesh_for_each(m, st->n)
		if (m->joining && m->joining->dial == dial) {
			bootstrap_failed(st, m, err);
			return true;
		}
	return false;
}

/* --- join: redeeming ------------------------------------------------------------------------ */

void join_session_up(struct step *st, struct session *s)
{
	struct mesh *m = s->mesh;
	struct joining *j = m->joining;
	struct msg msg = { .kind = MSG_REDEEM };

	step_progress(st, j->request, 3, "asking to be admitted");
	j->step = JOIN_REDEEMING;
	j->step_since_ms = st->now.mono_ms;
	j->session = s->id;
	j->dial = 0;
	j->introducer = j->token.bootstraps[j->bootstrap].member;
	j->redeem_request = ++m->next_request;
	msg.u.redeem.request = j->redeem_request;
	msg.u.redeem.invite = (struct bytes){ j->token.invite.raw, j->token.invite.raw_bytes };
	msg.u.redeem.joiner = m->self.sign_public;
	invite_prove(&j->invite_pair, &m->self.sign_public, &m->mesh_public, &msg.u.redeem.proof);
	if (key_to_box(&j->token.invite.limits.issuer, &msg.u.redeem.issuer))
		memset(&msg.u.redeem.issuer, 0, sizeof(msg.u.redeem.issuer));
	step_send(st, s, LANE_CONTROL, &msg);
}

void join_session_down(struct step *st, struct mesh *m, uint64_t session)
{
	if (m->joining && m->joining->session == session && m->joining->step == JOIN_REDEEMING)
		bootstrap_failed(st, m, ERR_NO_ANSWER);
}

static void remember_bootstraps(struct step *st, struct mesh *m)
{
	const struct token *t = &m->joining->token;

	for (size_t i = 0; i < t->bootstraps_count; i++) {
		struct peer *p = mesh_peer_make(st, m, &t->bootstraps[i].member);

		if (p && !p->known.port)
			p->known = t->bootstraps[i].at;
	}
}

/* From here on this host is a member. */
static void admitted(struct step *st, struct mesh *m, struct session *s)
{
	struct joining *j = m->joining;

	step_progress(st, j->request, 4, "admitted; fetching the members");
	j->step = JOIN_FETCHING;
	j->step_since_ms = st->now.mono_ms;
	j->session = 0;
	step_close(st, s);
	remember_bootstraps(st, m);
	m->state = MESH_ACTIVE;
	rows_put_mesh(st, m);
	spend_prepared(st, m);
	mesh_start(st, m);
	m->counter_known = true;
	own_publish(st, m, true);
}

void join_redeemed(struct step *st, struct session *s, const struct msg *msg)
{
	struct mesh *m = s->mesh;
	struct joining *j = m->joining;
	const struct entry *self;

	if (!j || j->session != s->id || msg->u.redeemed.request != j->redeem_request)
		return;
	if (msg->u.redeemed.err) {
		bootstrap_failed(st, m, msg->u.redeemed.err);
		return;
	}
	for (size_t i = 0; i < msg->u.redeemed.count; i++)
		mesh_offer(st, m, msg->u.redeemed.stmts[i], s->id);
	self = mesh_self_entry(m);
	if (self && self->admission)
		admitted(st, m, s);
	else
		bootstrap_failed(st, m, ERR_NO_ANSWER);
}

/* --- join: fetching and comparing ------------------------------------------------------------ */

/* Members besides us and the introducer that could be asked. */
static size_t others_to_ask(const struct mesh *m, const struct key *introducer)
{
	size_t count = 0;

	for (const struct entry *e = set_first(m->set); e; e = set_next(e))
		count += e->standing == STANDING_IN &&
		         !key_equal(&e->member, &m->self.box_public) &&
		         !key_equal(&e->member, introducer);
	return MIN_OF(count, ARRAY_LEN(m->joining->agreed_keys));
}

/* Sessions with random others; the ring's neighbours come by themselves. */
static void dial_random(struct step *st, struct mesh *m)
{
	for (unsigned i = 0; i < 2 && m->peers.count; i++) {
		struct map_node *node =
			map_nth(&m->peers, (size_t)rng_below(&st->n->rng, m->peers.count));
		struct peer *p = container_of(node, struct peer, node);
		const struct entry *e = set_find(m->set, &p->key);

		if (e && e->standing == STANDING_IN && !p->session && !p->dial &&
		    st->now.mono_ms >= p->dial_again_ms)
			dial_peer(st, p);
	}
}

static void begin_comparing(struct step *st, struct mesh *m)
{
	struct joining *j = m->joining;

	j->step = JOIN_COMPARING;
	j->step_since_ms = st->now.mono_ms;
	step_progress(st, j->request, 5, "comparing with other members");
	dial_random(st, m);
	m->maintain_ms = st->now.mono_ms;
}

static void count_agreement(struct joining *j, const struct key *peer)
{
	for (size_t i = 0; i < j->agreed; i++)
		if (key_equal(&j->agreed_keys[i], peer))
			return;
	if (j->agreed < ARRAY_LEN(j->agreed_keys))
		j->agreed_keys[j->agreed++] = *peer;
}

void join_digest(struct step *st, struct session *s)
{
	struct mesh *m = s->mesh;
	struct joining *j = m->joining;

	if (!j || !s->is_equal || s->as_joiner)
		return;
	if (j->step == JOIN_FETCHING)
		begin_comparing(st, m);
	if (j->step == JOIN_COMPARING && !key_equal(&s->peer->key, &j->introducer))
		count_agreement(j, &s->peer->key);
	if (j->step == JOIN_COMPARING && j->agreed >= others_to_ask(m, &j->introducer))
		finish(st, m);
}

static void tick_member(struct step *st, struct mesh *m)
{
	struct joining *j = m->joining;

	if (j->step == JOIN_COMPARING && st->now.mono_ms - j->step_since_ms >= JOIN_COMPARE_MS) {
		step_progress(st, j->request, 5,
		              "joined; only %zu of %zu other members could be compared with",
		              j->agreed, others_to_ask(m, &j->introducer));
		finish(st, m);
		return;
	}
	if (st->now.mono_ms - j->asked_ms < JOIN_ASK_MS)
		return;
	j->asked_ms = st->now.mono_ms;
	gossip_ask_all(st, m, JOIN_ASK_MS);
	if (j->step == JOIN_COMPARING)
		dial_random(st, m);
}

static void out_of_time(struct step *st, struct mesh *m)
{
	struct joining *j = m->joining;
	struct diag diag = { "", "" };

	if (m->state == MESH_PREPARING) {
		diag_set(&diag, ERR_TIMED_OUT, "the interface %s could not be made ready in time",
		         m->tunnel.name);
		give_up(st, m, ERR_TIMED_OUT, &diag);
		return;
	}
	if (m->state == MESH_ADMITTING) {
		j->bootstrap = j->token.bootstraps_count - 1; /* no more of them */
		bootstrap_failed(st, m, ERR_TIMED_OUT);
		return;
	}
	diag_set(&diag, ERR_TIMED_OUT,
	         "this host is admitted to \"%s\", but could not fetch its members yet; it goes on "
	         "trying",
	         m->name);
	diag_hint(&diag, "smegctl status %s", m->name);
	command_fail(st, j->request, ERR_TIMED_OUT, &diag);
	drop_joining(st, m);
}

/* When the place that is being tried has had its time. */
static int64_t step_deadline(const struct joining *j)
{
	if (j->step == JOIN_DIALLING)
		return j->step_since_ms + DIAL_TIMEOUT_MS;
	if (j->step == JOIN_REDEEMING)
		return j->step_since_ms + JOIN_ANSWER_MS;
	return TIME_NEVER;
}

void join_tick(struct step *st, struct mesh *m)
{
	struct joining *j = m->joining;

	if (!j)
		return;
	if (st->now.mono_ms >= j->deadline_ms) {
		out_of_time(st, m);
	} else if (st->now.mono_ms >= step_deadline(j)) {
		bootstrap_failed(st, m, ERR_TIMED_OUT);
	} else if (j->step == JOIN_WAITING && st->now.mono_ms >= j->again_ms) {
		dial_bootstrap(st, m);
	} else if (j->step == JOIN_FETCHING || j->step == JOIN_COMPARING) {
		tick_member(st, m);
	}
}

int64_t join_deadline(const struct mesh *m)
{
	const struct joining *j = m->joining;
	int64_t at;

	if (!j)
		return TIME_NEVER;
	if (j->step == JOIN_WAITING)
		return MIN_OF(j->deadline_ms, j->again_ms);
	if (j->step == JOIN_FETCHING || j->step == JOIN_COMPARING)
		return MIN_OF(j->deadline_ms, j->asked_ms + JOIN_ASK_MS);
	at = step_deadline(j);
	return MIN_OF(j->deadline_ms, at);
}
