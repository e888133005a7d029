/*
 * The control socket's requests and answers.
 *
 * Reading is answered on the spot from the node's views.  Changing becomes a command of the node,
 * whose answer may come within the same step or a minute later; until then the client's place is in
 * the table of pending ones, which the number of connections bounds.
 *
 * An answer that does not fit into a frame is replaced by an error that says so, for a client that
 * gets nothing would wait.
 */
#include "smegd/ctl.h"

#include "api/version.h"
#include "smegd/ctl_priv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const struct {
	const char *verb; /* as in "may not VERB" */
	bool changes;
} kinds[REQUEST__COUNT] = {
	[REQUEST_VERSION] = { "ask for the version", false },
	[REQUEST_STATUS] = { "see the status", false },
	[REQUEST_LIST] = { "list members", false },
	[REQUEST_CREATE] = { "create a mesh", true },
	[REQUEST_JOIN] = { "join a mesh", true },
	[REQUEST_LEAVE] = { "leave a mesh", true },
	[REQUEST_INVITE] = { "invite members", true },
	[REQUEST_SET] = { "change settings", true },
	[REQUEST_KEY] = { "make a key", true },
	[REQUEST_EXPEL] = { "expel members", true },
	[REQUEST_APPOINT] = { "appoint administrators", true },
	[REQUEST_REVOKE] = { "revoke administrators", true },
};

static struct reply reply_of(int err, const struct diag *diag)
{
	struct reply r = { .kind = REPLY_DONE, .version = CONTROL_VERSION, .code = err_code(err) };

	r.daemon_version = SMEG_VERSION;
	if (err) {
		r.error = diag && diag->text[0] ? diag->text : err_text(err);
		r.hint = diag ? diag->hint : "";
	}
	return r;
}

static int encode(const struct reply *r, struct arena *arena, struct bytes *ret)
{
	struct diag diag = { "", "" };
	struct reply instead;
	int err = reply_encode(r, arena, ret);

	if (err != ERR_TOO_BIG)
		return err;
	diag_set(&diag, err, "the answer is larger than the control socket can carry");
	diag_hint(&diag, "ask for one mesh by its name");
	instead = reply_of(err, &diag);
	return reply_encode(&instead, arena, ret);
}

/* --- reading -------------------------------------------------------------------------------- */

static void fill_facts(const struct ctl *c, struct reply *r)
{
	r->backend = c->backend;
	r->port = c->port;
	r->uptime_ms = c->now.mono_ms - c->started_ms;
	r->now_unix_ms = c->now.unix_ms;
	r->frames_sent = c->frames_sent;
	r->bytes_sent = c->bytes_sent;
}

static int fail_mesh(const struct node *n, const char *name, struct diag *diag)
{
	const char *expelled;

	for (size_t i = 0; (expelled = node_expelled_from(n, i)); i++) {
		if (strcmp(expelled, name) != 0)
			continue;
		diag_set(diag, ERR_EXPELLED, "this host has been expelled from mesh \"%.64s\"",
		         name);
		diag_hint(diag, "its key is no good there any more; an administrator knows why");
		return ERR_EXPELLED;
	}
	diag_set(diag, ERR_NO_MESH, "there is no mesh \"%.64s\" on this host", name);
	diag_hint(diag, "which there are: smegctl status");
	return ERR_NO_MESH;
}

static int view_one(const struct ctl_viewing *v,
                    const char *name,
                    struct reply *r,
                    struct diag *diag)
{
	struct mesh_view m;

	if (!node_mesh_find(v->node, name, &m))
		return fail_mesh(v->node, name, diag);
	r->meshes = arena_alloc(v->arena, sizeof(*r->meshes));
	if (!r->meshes)
		return -ENOMEM;
	r->meshes_count = 1;
	return ctl_view_mesh(v, &m, &r->meshes[0]);
}

static int view_all(const struct ctl_viewing *v, struct reply *r)
{
	size_t count = node_mesh_count(v->node);
	struct mesh_view m;
	int err = 0;

	r->meshes = arena_alloc(v->arena, count * sizeof(*r->meshes));
	if (!r->meshes)
		return -ENOMEM;
	for (size_t i = 0; i < count && !err; i++) {
		if (!node_mesh_view(v->node, i, &m))
			break;
		err = ctl_view_mesh(v, &m, &r->meshes[i]);
		r->meshes_count = i + 1;
	}
	return err;
}

/* Which meshes this host was thrown out of: nothing else would show them. */
static int view_expelled(const struct ctl *c, struct arena *arena, struct reply *r)
{
	const char *name;

	r->expelled_from = arena_alloc(arena, LIMIT_MESHES * sizeof(*r->expelled_from));
	if (!r->expelled_from)
		return -ENOMEM;
	for (size_t i = 0; i < LIMIT_MESHES && (name = node_expelled_from(c->node, i)); i++)
		r->expelled_from[r->expelled_from_count++] = name;
	return 0;
}

/* Status and list. */
static int view(struct ctl *c, const struct request *r, struct arena *arena, struct bytes *ret)
{
	bool is_list = r->kind == REQUEST_LIST;
	struct ctl_viewing v = {
		.node = c->node,
		.arena = arena,
		.now = c->now,
		.with_members = is_list || r->mesh[0] || node_mesh_count(c->node) == 1,
	};
	struct diag diag = { "", "" };
	struct reply reply = reply_of(0, NULL);
	int err;

	if (r->mesh[0])
		err = view_one(&v, r->mesh, &reply, &diag);
	else
		err = view_all(&v, &reply);
	if (!err && !is_list)
		err = view_expelled(c, arena, &reply);
	if (err == -ENOMEM)
		return err;
	if (err)
		reply = reply_of(err, &diag);
	fill_facts(c, &reply);
	return encode(&reply, arena, ret);
}

/* --- changing ------------------------------------------------------------------------------- */

static struct ctl_pending *pending_find(struct ctl *c, uint64_t request)
{
	for (size_t i = 0; i < ARRAY_LEN(c->pending); i++)
		if (c->pending[i].request == request)
			return &c->pending[i];
	return NULL;
}

static int begin_command(struct ctl *c,
                         const struct ctl_asked *asked,
                         const struct request *r,
                         struct arena *arena,
                         struct ctl_todo *ret)
{
	struct command *command = arena_alloc(arena, sizeof(*command));
	struct ctl_pending *p = pending_find(c, 0);
	struct diag diag = { "", "" };
	int err;

	if (!command)
		return -ENOMEM;
	err = ctl_command(r, command, &diag);
	if (err) {
		struct reply reply = reply_of(err, &diag);

		return encode(&reply, arena, &ret->reply);
	}
	assert(p); /* a connection has one request under way */
	command->request = ++c->last_request;
	*p = (struct ctl_pending){
		.request = command->request,
		.conn = asked->conn,
		.kind = r->kind,
	};
	ret->command = command;
	return 0;
}

static int check_access(const struct ctl *c,
                        const struct local_peer *peer,
                        enum request_kind kind,
                        struct diag *diag)
{
	const char *verb = kinds[kind].verb;

	if (kinds[kind].changes)
		return access_change(&c->access, peer->uid, peer->gid, verb, diag);
	return access_read(&c->access, peer->uid, peer->gid, verb, diag);
}

static int refuse(int err, struct diag *diag, struct arena *arena, struct ctl_todo *ret)
{
	struct reply reply = reply_of(err, diag);

	return encode(&reply, arena, &ret->reply);
}

/* Bytes that are no request; an older or newer program must learn why. */
static int refuse_frame(int err, struct arena *arena, struct ctl_todo *ret)
{
	struct diag diag = { "", "" };

	if (err == ERR_VERSION) {
		diag_set(&diag, err,
		         "smegd %s speaks version %d of the control protocol, and this request is "
		         "of another",
		         SMEG_VERSION, CONTROL_VERSION);
		diag_hint(&diag, "restart smegd after an upgrade: systemctl restart smegd");
	} else {
		diag_set(&diag, err, "not a request: %s", err_text(err));
	}
	return refuse(err, &diag, arena, ret);
}

int ctl_request(struct ctl *c,
                const struct ctl_asked *asked,
                struct arena *arena,
                struct ctl_todo *ret)
{
	struct request r;
	struct reply reply;
	struct diag diag = { "", "" };
	int err;

	memset(ret, 0, sizeof(*ret));
	if (asked->frame.count > CONTROL_REQUEST_BYTES)
		return refuse_frame(ERR_TOO_BIG, arena, ret);
	err = request_decode(asked->frame, arena, &r);
	if (err)
		return err == -ENOMEM ? err : refuse_frame(err, arena, ret);
	err = check_access(c, &asked->peer, r.kind, &diag);
	if (err)
		return refuse(err, &diag, arena, ret);
	if (kinds[r.kind].changes)
		return begin_command(c, asked, &r, arena, ret);
	if (r.kind != REQUEST_VERSION)
		return view(c, &r, arena, &ret->reply);
	reply = reply_of(0, NULL);
	fill_facts(c, &reply);
	return encode(&reply, arena, &ret->reply);
}

/* --- the node's answers --------------------------------------------------------------------- */

/* The mesh as it is now; after leave there is only what the result says. */
static int fill_mesh(const struct ctl *c,
                     const struct command_result *result,
                     struct arena *arena,
                     struct reply *r)
{
	struct ctl_viewing v = { .node = c->node, .arena = arena, .now = c->now };
	struct mesh_view m;

	if (!result->mesh_id[0])
		return 0;
	r->meshes = arena_alloc(arena, sizeof(*r->meshes));
	if (!r->meshes)
		return -ENOMEM;
	r->meshes_count = 1;
	if (node_mesh_find(c->node, result->mesh_id, &m))
		return ctl_view_mesh(&v, &m, &r->meshes[0]);
	r->meshes[0].id = result->mesh_id;
	r->meshes[0].name = result->mesh_name;
	return 0;
}

static int fill_member(const struct command_result *result, struct arena *arena, struct reply *r)
{
	char *key = arena_alloc(arena, KEY_TEXT_BYTES);

	if (!key)
		return -ENOMEM;
	if (!key_is_zero(&result->member))
		key_text(&result->member, key);
	r->member_key = key;
	r->member_name = result->member_name;
	r->member_is_administrator = result->member_is_admin;
	r->is_unchanged = result->is_unchanged;
	r->stay_count = (uint32_t)result->stay;
	r->readmitted_count = (uint32_t)result->readmitted;
	r->returned_count = (uint32_t)result->returned;
	return 0;
}

static int fill_result(const struct ctl *c,
                       const struct command_result *result,
                       struct arena *arena,
                       struct reply *r)
{
	char *key = arena_alloc(arena, KEY_TEXT_BYTES);

	if (!key)
		return -ENOMEM;
	if (!key_is_zero(&result->key))
		key_text(&result->key, key);
	r->key = key;
	r->token = result->token;
	r->token_expires_ms = result->expires_ms;
	r->token_uses = result->uses;
	if (fill_member(result, arena, r))
		return -ENOMEM;
	return fill_mesh(c, result, arena, r);
}

int ctl_reply(struct ctl *c,
              const struct effect *reply,
              struct arena *arena,
              uint64_t *ret_conn,
              struct bytes *ret)
{
	const struct command_result *result = reply->u.reply.result;
	struct ctl_pending *p = pending_find(c, reply->u.reply.request);
	struct reply r = reply_of(result->err, &result->diag);
	int err = 0;

	assert(reply->kind == FX_REPLY && reply->u.reply.request);
	*ret_conn = 0;
	if (!p)
		return 0;
	*ret_conn = p->conn;
	memset(p, 0, sizeof(*p));
	fill_facts(c, &r);
	if (!result->err)
		err = fill_result(c, result, arena, &r);
	return err ? err : encode(&r, arena, ret);
}

int ctl_progress(struct ctl *c,
                 const struct effect *progress,
                 struct arena *arena,
                 uint64_t *ret_conn,
                 struct bytes *ret)
{
	const struct command_progress *from = progress->u.progress.progress;
	const struct ctl_pending *p = pending_find(c, progress->u.progress.request);
	struct reply r = {
		.kind = REPLY_PROGRESS,
		.version = CONTROL_VERSION,
		.step = from->step,
		.steps = from->steps,
		.text = from->text,
	};

	assert(progress->kind == FX_PROGRESS && progress->u.progress.request);
	*ret_conn = p ? p->conn : 0;
	return p ? reply_encode(&r, arena, ret) : 0;
}

uint64_t ctl_gone(struct ctl *c, uint64_t conn)
{
	for (size_t i = 0; i < ARRAY_LEN(c->pending); i++) {
		struct ctl_pending *p = &c->pending[i];

		if (p->request && p->conn == conn) {
			uint64_t request = p->request;

			memset(p, 0, sizeof(*p));
			return request;
		}
	}
	return 0;
}
