/*
 * Join, from the token to the admission.  (Create is in create.c, what follows in compare.c.)
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
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define JOIN_BUSY_MS 400 /* before a busy introducer is asked again; half to one and a half */

/*
 * Silence may also mean that more strangers have come at once from our address than an introducer
 * hears (wire/source.h): all places are tried again a few times, after doubling pauses.
 */
#define JOIN_ROUNDS 6
#define JOIN_SILENCE_MS 500
#define JOIN_SILENCE_MAX_MS (4 * MS_PER_SECOND)

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
		err = joining_check_name(st, name, true, diag);
	if (!err)
		err = joining_check_settings(st, c, diag);
	if (!err && !m && !joining_has_room(st))
		err = diag_set(diag, ERR_LIMIT, "this host is in as many meshes as it can be");
	return err;
}

static void join_checked(struct step *st, const struct command *c, const struct token *t)
{
	struct mesh *m =
		joining_prepare(st, c, &t->mesh_public, c->mesh[0] ? c->mesh : t->mesh_name);

	if (!m)
		return;
	m->role = c->role ? c->role : t->invite.limits.role;
	m->joining->token = *t;
	if (keypair_from_seed(&m->joining->invite_pair, t->invite_seed)) {
		joining_give_up(st, m, ERR_TOKEN, NULL);
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

void join_dial(struct step *st, struct mesh *m)
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

/* What a place came to; for what its member told, of what it speaks. */
static const char *words_of(int err)
{
	switch (err) {
	case ERR_EXPIRED:
		return "the token has expired";
	case ERR_USED_UP:
		return "the token has been used as often as it may be";
	case ERR_WRONG_ROLE:
		return "the token does not allow this role";
	case ERR_NOT_AUTHORISED:
		return "the token is not for this host, or its issuer is no administrator";
	case ERR_CLOCK_OFF:
		return "its clock and ours differ by more than 10 minutes";
	default:
		return err_text(err);
	}
}

static void words_of_failure(struct joining *j, const char *where, int err)
{
	size_t used = strlen(j->diag.text);

	if (!used)
		diag_set(&j->diag, err, "could not join: %s: %s", where, words_of(err));
	else
		snprintf(j->diag.text + used, sizeof(j->diag.text) - used, "; %s: %s", where,
		         words_of(err));
	switch (err) {
	case ERR_NAME_UNKNOWN:
		diag_hint(&j->diag, "see what this host's DNS says: getent ahosts NAME");
		break;
	case ERR_NO_ANSWER:
		diag_hint(&j->diag, "who answers there is no member of that mesh, or does not know "
		                    "this token; ask for a new one: smegctl invite");
		break;
	case ERR_CLOCK_OFF:
		diag_hint(&j->diag, "set this host's clock: timedatectl set-ntp true");
		break;
	case ERR_EXPIRED:
	case ERR_USED_UP:
	case ERR_WRONG_ROLE:
	case ERR_NOT_AUTHORISED:
		diag_hint(&j->diag, "ask for a new token: smegctl invite");
		break;
	case ERR_EXPELLED:
		diag_hint(&j->diag, "an administrator of that mesh knows why");
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

static void wait_a_while(struct step *st, struct joining *j, int64_t pause_ms)
{
	j->step = JOIN_WAITING;
	j->again_ms = st->now.mono_ms + rng_jitter(&st->n->rng, pause_ms, 50);
}

/* The last place has failed: may all be tried once more? */
static bool has_another_round(const struct mesh *m, int err)
{
	return (err == ERR_NO_ANSWER || err == ERR_CONNECT_TIMEOUT) && !m->expelled_ms &&
	       m->joining->round + 1 < JOIN_ROUNDS;
}

static void next_round(struct step *st, struct joining *j)
{
	j->bootstrap = 0;
	memset(&j->diag, 0, sizeof(j->diag));
	wait_a_while(st, j, MIN_OF((int64_t)JOIN_SILENCE_MS << j->round, JOIN_SILENCE_MAX_MS));
	j->round++;
}

/* This place did not help: on to the next, or that was it. */
void join_failed(struct step *st, struct mesh *m, int err)
{
	struct joining *j = m->joining;
	char text[ENDPOINT_TEXT_BYTES];
	bool is_last;

	let_go(st, j);
	if (err == ERR_BUSY) {
		/* Many join at once: everybody gets a turn before the deadline. */
		wait_a_while(st, j, JOIN_BUSY_MS);
		return;
	}
	hostport_text(&j->token.bootstraps[j->bootstrap].at, text);
	is_last = is_final(err) || ++j->bootstrap == j->token.bootstraps_count;
	if (is_last && has_another_round(m, err)) {
		next_round(st, j);
		return;
	}
	if (err == ERR_NO_ANSWER && m->expelled_ms)
		err = ERR_EXPELLED; /* others answer such a key with silence */
	words_of_failure(j, text, err);
	if (is_last)
		joining_give_up(st, m, err, &j->diag);
	else
		join_dial(st, m);
}

void join_device_ready(struct step *st, struct mesh *m, int err, const struct diag *diag)
{
	if (!m->joining || m->state != MESH_PREPARING)
		return;
	if (err) {
		joining_give_up(st, m, err, diag);
	} else if (m->joining->is_create) {
		create_finish(st, m);
	} else {
		m->state = MESH_ADMITTING;
		join_dial(st, m);
	}
}

bool join_owns_dial(struct step *st, uint64_t dial, int err)
{
	struct mesh *m;

	mesh_for_each(m, st->n)
		if (m->joining && m->joining->dial == dial) {
			join_failed(st, m, err);
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
		join_failed(st, m, ERR_NO_ANSWER);
}

static void remember_bootstraps(struct step *st, struct mesh *m)
{
	const struct token *t = &m->joining->token;

	for (size_t i = 0; i < t->bootstraps_count; i++) {
		struct peer *p = mesh_peer_make(st, m, &t->bootstraps[i].member);

		if (p && !p->known)
			mesh_peer_is_at(st, p, &t->bootstraps[i].at);
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
	if (m->expelled_ms) { /* the expel has become void */
		m->expelled_ms = 0;
		rows_put_expelled(st, m);
	}
	rows_put_mesh(st, m);
	joining_spend_key(st, m);
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
		join_failed(st, m, msg->u.redeemed.err);
		return;
	}
	for (size_t i = 0; i < msg->u.redeemed.count; i++)
		mesh_offer(st, m, msg->u.redeemed.stmts[i], s->id);
	self = mesh_self_entry(m);
	if (self && entry_admission(m->set, self))
		admitted(st, m, s);
	else
		join_failed(st, m, ERR_NO_ANSWER);
}
