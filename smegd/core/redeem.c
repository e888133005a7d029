/*
 * Invites seen from inside the mesh: introducers relay, issuers admit, and the door for those who
 * dial us (node_admit).
 *
 * An introducer decides nothing: it passes a redemption to the issuer and the answer back.  The
 * issuer puts the use on disk before the admission leaves.  The same joiner with the same invite
 * gets the same admission again without a second use, from anybody who knows it; so a lost answer
 * costs nothing, and an introducer asks again whenever the issuer comes back: what it had sent may
 * have been lost with the session, and the joiner would wait in vain until the deadline.
 *
 * At the door a stranger gets no byte.  Whoever proves to hold the secret of an invite by one of
 * our administrators is told what is wrong with it (expired, made for another, clock off).
 */
#include "smegd/core/node_priv.h"

#include <errno.h>
#include <string.h>

#define RELAYS_MAX 256
#define RELAY_HOPS_MAX 4
#define SEEN_MAX LIMIT_MEMBERS
#define SEEN_LIFE_MS (2 * MS_PER_DAY)

/* --- the door ------------------------------------------------------------------------------- */

static bool is_replay(const struct node *n, const struct hello *h)
{
	const struct map_node *node = map_find(&n->seen, h->peer.b);

	return node && h->timestamp_ms <= container_of(node, struct seen, node)->timestamp_ms;
}

static bool remember(struct node *n, const struct hello *h)
{
	struct map_node *node = map_find(&n->seen, h->peer.b);
	struct seen *seen;

	if (node) {
		seen = container_of(node, struct seen, node);
	} else {
		if (n->seen.count >= SEEN_MAX)
			return false;
		seen = mem_zalloc(n->mem, sizeof(*seen));
		if (!seen)
			return false;
		seen->key = h->peer;
		map_insert(&n->seen, &seen->node, seen->key.b);
	}
	seen->timestamp_ms = h->timestamp_ms;
	if (!seen->is_unsaved) {
		seen->is_unsaved = true;
		seen->next_unsaved = n->unsaved;
		n->unsaved = seen;
	}
	return true;
}

/* Is this an invite of ours, held by who shows it?  Says nothing on whether it still counts. */
static bool knows_invite(const struct mesh *m, const struct hello *h, struct invite *invite)
{
	struct key box;
	int proof;

	if (invite_parse(h->invite, &m->mesh_public, invite) ||
	    !set_honours_invites_of(m->set, &invite->limits.issuer) ||
	    key_to_box(&h->joiner, &box) || !key_equal(&box, &h->peer))
		return false;
	proof = invite_check_proof(invite, &h->joiner, &m->mesh_public, &h->proof);
	return proof == 0 || proof == ERR_NOT_AUTHORISED; /* made for another: is told so */
}

static bool is_expelled(const struct mesh *m, const struct key *member)
{
	const struct entry *e = set_find(m->set, member);

	return e && e->standing == STANDING_EXPELLED;
}

static int check_invite(const struct invite *invite, const struct key *joiner, struct instant now)
{
	if ((int64_t)invite->limits.expires_ms <= now.unix_ms)
		return ERR_EXPIRED;
	if (invite->limits.has_for_key && !key_equal(&invite->limits.for_key, joiner))
		return ERR_NOT_AUTHORISED;
	return 0;
}

static int check_clock(const struct hello *h, struct instant now)
{
	int64_t ahead = (int64_t)h->timestamp_ms - now.unix_ms;

	return ahead > CLOCK_OFF_MS || ahead < -CLOCK_OFF_MS ? ERR_CLOCK_OFF : 0;
}

static enum admit admit_joiner(const struct mesh *m,
                               const struct hello *h,
                               struct instant now,
                               int *ret_err)
{
	struct invite invite;

	if (!knows_invite(m, h, &invite))
		return ADMIT_SILENT;
	/* So old that it may be the replay of one whose timestamp is forgotten (redeem_age). */
	if (now.unix_ms - (int64_t)h->timestamp_ms > SEEN_LIFE_MS)
		return ADMIT_SILENT;
	*ret_err = check_clock(h, now);
	if (!*ret_err)
		*ret_err = check_invite(&invite, &h->joiner, now);
	return *ret_err ? ADMIT_TELL : ADMIT_JOINER;
}

enum admit node_admit(struct node *n, const struct hello *hello, struct instant now, int *ret_err)
{
	const struct mesh *m = mesh_by_id(n, hello->mesh);
	const struct entry *e;
	enum admit verdict;

	*ret_err = 0;
	if (!m || is_replay(n, hello))
		return ADMIT_SILENT;
	if (m->state != MESH_ACTIVE && (m->state != MESH_LEAVING || hello->has_invite))
		return ADMIT_SILENT;
	if (is_expelled(m, &hello->peer))
		return ADMIT_SILENT;
	e = set_find(m->set, &hello->peer);
	if (hello->has_invite)
		verdict = admit_joiner(m, hello, now, ret_err);
	else
		verdict = e && entry_admission(m->set, e) ? ADMIT_MEMBER : ADMIT_SILENT;
	/* A clock that is put right goes back: its first message must not count as a replay. */
	if (verdict != ADMIT_SILENT && *ret_err != ERR_CLOCK_OFF && !remember(n, hello))
		return ADMIT_SILENT;
	return verdict;
}

bool node_has_unsaved(const struct node *n)
{
	return n->unsaved != NULL;
}

/* Timestamps of those who never became members are kept as long as a replay would be answered. */
void redeem_age(struct step *st)
{
	struct map_node *pos;
	struct map_node *tmp;

	map_for_each_safe(pos, tmp, &st->n->seen) {
		struct seen *seen = container_of(pos, struct seen, node);
		bool stays = seen->is_unsaved;
		struct mesh *m;

		mesh_for_each(m, st->n)
			stays |= set_find(m->set, &seen->key) != NULL;
		if (stays || st->now.unix_ms - (int64_t)seen->timestamp_ms <= SEEN_LIFE_MS)
			continue;
		rows_delete_seen(st, seen);
		map_remove(&st->n->seen, pos);
		mem_free(st->n->mem, seen);
	}
}

/* --- answers -------------------------------------------------------------------------------- */

static void answer_err(struct step *st, const struct session *s, uint64_t request, int err)
{
	struct msg msg = { .kind = MSG_REDEEMED };

	if (s->as_joiner)
		step_trace(st, TRACE_REFUSED_JOIN, s->mesh, NULL, err);
	msg.u.redeemed.request = request;
	msg.u.redeemed.err = err;
	step_send(st, s, LANE_CONTROL, &msg);
}

struct gather {
	struct bytes list[2 * LIMIT_ADMINS + 2];
	size_t count;
	bool admissions_only;
};

static int gather(void *ctx, const struct stmt *stmt)
{
	struct gather *g = ctx;

	if (g->admissions_only && stmt->kind != STMT_ADMISSION)
		return 0;
	if (g->count < ARRAY_LEN(g->list))
		g->list[g->count++] = stmt->raw;
	return 0;
}

/* The mesh key's statements and the admissions: what a joiner needs to believe the rest. */
static void answer_admission(struct step *st,
                             const struct session *s,
                             uint64_t request,
                             const struct key *member)
{
	struct gather *g = arena_alloc(&st->n->scratch, sizeof(*g));
	struct msg msg = { .kind = MSG_REDEEMED };
	int err;

	if (!g) {
		step_fail(st, -ENOMEM);
		return;
	}
	err = set_visit_member(s->mesh->set, NULL, gather, g);
	g->admissions_only = true;
	if (!err)
		err = set_visit_member(s->mesh->set, member, gather, g);
	if (err)
		step_fail(st, err);
	msg.u.redeemed.request = request;
	msg.u.redeemed.stmts = g->list;
	msg.u.redeemed.count = g->count;
	step_send(st, s, LANE_CONTROL, &msg);
}

/* Has this key been admitted by this invite before? */
static bool is_admitted_by(const struct mesh *m,
                           const struct key *member,
                           const struct invite *invite)
{
	const struct entry *e = set_find(m->set, member);
	struct admission a;

	if (!e || !entry_admission(m->set, e))
		return false;
	admission_read(entry_admission(m->set, e), &a);
	return memcmp(a.invite, invite->id, sizeof(a.invite)) == 0;
}

/* --- the issuer ----------------------------------------------------------------------------- */

static int spend_use(struct step *st, struct mesh *m, const struct invite *invite)
{
	struct map_node *node = map_find(&m->issued, invite->id);
	struct issued *i = node ? container_of(node, struct issued, node) : NULL;

	if (!invite->limits.uses)
		return 0;
	if (!i || !i->uses_left)
		return ERR_USED_UP;
	i->uses_left--;
	rows_put_issued(st, m, i);
	return 0;
}

static int admit(struct step *st,
                 struct mesh *m,
                 const struct invite *invite,
                 const struct key *joiner)
{
	struct admission a = {
		.subject = *joiner,
		.role = invite->limits.role,
		.may_bridge = invite->limits.may_bridge,
		.issued_ms = (uint64_t)st->now.unix_ms,
	};
	struct stmt *s;
	int err = spend_use(st, m, invite);

	if (err)
		return err;
	memcpy(a.invite, invite->id, sizeof(a.invite));
	err = admission_sign(st->n->mem, &a, &m->self, &m->mesh_public, &s);
	if (err)
		return err;
	mesh_offer(st, m, s->raw, 0);
	step_trace(st, TRACE_INVITE_USED, m, &s->member, 0);
	stmt_unref(st->n->mem, s);
	return st->err;
}

/* --- the introducer ------------------------------------------------------------------------- */

static void send_relay(struct step *st, struct relay *r, const struct session *to)
{
	struct msg msg = { .kind = MSG_REDEEM };

	msg.u.redeem.request = r->request;
	msg.u.redeem.invite = (struct bytes){ r->invite.raw, r->invite.raw_bytes };
	msg.u.redeem.joiner = r->joiner;
	msg.u.redeem.proof = r->proof;
	msg.u.redeem.hops = (uint8_t)(r->hops + 1);
	msg.u.redeem.issuer = r->issuer;
	step_send(st, to, LANE_CONTROL, &msg);
	r->sent = true;
}

static size_t count_relays(const struct mesh *m)
{
	const struct list *pos;
	size_t count = 0;

	list_for_each(pos, &m->relays)
		count++;
	return count;
}

/* Somebody who holds an invite waits: an issuer that was away for long is not left to its back-off.
 */
static void seek_issuer(struct step *st, struct peer *p)
{
	p->backoff_ms = 0;
	if (!p->dial)
		dial_peer(st, p);
}

static int relay(struct step *st,
                 struct session *s,
                 const struct msg *msg,
                 const struct invite *invite)
{
	struct mesh *m = s->mesh;
	struct relay *r;
	struct peer *p;

	if (msg->u.redeem.hops >= RELAY_HOPS_MAX || count_relays(m) >= RELAYS_MAX)
		return ERR_ISSUER_AWAY;
	r = mem_zalloc(st->n->mem, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->request = ++m->next_request;
	r->back_session = s->id;
	r->back_request = msg->u.redeem.request;
	r->deadline_ms = st->now.mono_ms + RELAY_TIMEOUT_MS;
	r->invite = *invite;
	r->joiner = msg->u.redeem.joiner;
	r->proof = msg->u.redeem.proof;
	r->hops = msg->u.redeem.hops;
	list_add(&m->relays, &r->link);
	if (key_to_box(&invite->limits.issuer, &r->issuer))
		return 0; /* runs into its deadline */
	p = mesh_member_peer(st, m, &r->issuer);
	if (p && p->session)
		send_relay(st, r, p->session);
	else if (p)
		seek_issuer(st, p);
	return 0;
}

/*
 * Whoever asks may be hostile, a member too: what is signed by somebody whose invites do not count
 * must not pass, or every member could admit whom it likes.
 */
static int check_redeem(const struct session *s,
                        const struct msg *msg,
                        struct instant now,
                        struct invite *invite,
                        struct key *member)
{
	const struct key *joiner = &msg->u.redeem.joiner;
	const struct mesh *m = s->mesh;
	int err;

	if (s->as_joiner && !key_equal(joiner, &s->joiner))
		return ERR_NOT_AUTHORISED;
	err = invite_parse(msg->u.redeem.invite, &m->mesh_public, invite);
	if (err)
		return err;
	if (!set_honours_invites_of(m->set, &invite->limits.issuer))
		return ERR_NOT_AUTHORISED;
	err = invite_check_proof(invite, joiner, &m->mesh_public, &msg->u.redeem.proof);
	if (!err)
		err = key_to_box(joiner, member);
	if (!err && is_expelled(m, member))
		err = ERR_EXPELLED;
	return err ? err : check_invite(invite, joiner, now);
}

void redeem_message(struct step *st, struct session *s, const struct msg *msg)
{
	const struct key *joiner = &msg->u.redeem.joiner;
	uint64_t request = msg->u.redeem.request;
	struct mesh *m = s->mesh;
	struct invite invite;
	struct key member;
	bool ours;
	int err = check_redeem(s, msg, st->now, &invite, &member);

	if (err) {
		answer_err(st, s, request, err);
		return;
	}
	if (is_admitted_by(m, &member, &invite)) {
		answer_admission(st, s, request, &member);
		return;
	}
	ours = key_equal(&invite.limits.issuer, &m->self.sign_public) ||
	       (!invite.limits.uses && set_is_administrator(m->set, &m->self.sign_public));
	err = ours ? admit(st, m, &invite, joiner) : relay(st, s, msg, &invite);
	if (err == -ENOMEM)
		step_fail(st, err);
	else if (err)
		answer_err(st, s, request, err);
	else if (ours)
		answer_admission(st, s, request, &member);
}

static void end_relay(struct step *st, struct relay *r)
{
	list_remove(&r->link);
	mem_free(st->n->mem, r);
}

static void pass_back(struct step *st, const struct relay *r, const struct msg *msg)
{
	struct session *back = session_by_id(st->n, r->back_session);
	struct msg copy = *msg;

	copy.u.redeemed.request = r->back_request;
	if (back && back->mesh && !back->is_closing)
		step_send(st, back, LANE_CONTROL, &copy);
}

void redeemed_message(struct step *st, struct session *s, const struct msg *msg)
{
	struct list *pos;
	struct list *tmp;

	if (s->as_joiner) {
		join_redeemed(st, s, msg);
		return;
	}
	list_for_each_safe(pos, tmp, &s->mesh->relays) {
		struct relay *r = container_of(pos, struct relay, link);

		if (r->request != msg->u.redeemed.request || !r->sent ||
		    !key_equal(&r->issuer, &s->peer->key))
			continue;
		/* We will know the newcomer when it comes back as a member. */
		for (size_t i = 0; i < msg->u.redeemed.count; i++)
			mesh_offer(st, s->mesh, msg->u.redeemed.stmts[i], s->id);
		pass_back(st, r, msg);
		end_relay(st, r);
	}
}

void redeem_session_up(struct step *st, struct session *s)
{
	struct list *pos;

	list_for_each(pos, &s->mesh->relays) {
		struct relay *r = container_of(pos, struct relay, link);

		if (key_equal(&r->issuer, &s->peer->key))
			send_relay(st, r, s);
	}
}

void redeem_tick(struct step *st, struct mesh *m)
{
	const struct msg away = { .kind = MSG_REDEEMED, .u.redeemed.err = ERR_ISSUER_AWAY };
	struct list *pos;
	struct list *tmp;

	list_for_each_safe(pos, tmp, &m->relays) {
		struct relay *r = container_of(pos, struct relay, link);

		if (st->now.mono_ms < r->deadline_ms)
			continue;
		pass_back(st, r, &away);
		end_relay(st, r);
	}
}
