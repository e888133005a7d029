/*
 * smegctl status: is all well, and if not, what helps.
 *
 * Trouble comes with a hint each and stands with the mesh that it belongs to.
 */
#include "smegctl/cmd.h"
#include "smegctl/json.h"
#include "smegctl/print.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* From here on clocks are worth a warning; joining fails at CLOCK_OFF_MS. */
#define CLOCK_WARN_MS (30 * MS_PER_SECOND)

/* More than these are counted, not listed. */
#define TROUBLED_SHOWN 10

static const char *backend_words(const char *backend)
{
	if (strcmp(backend, "kernel") == 0)
		return "WireGuard in the kernel";
	if (strcmp(backend, "userspace") == 0)
		return "WireGuard in user space";
	return "no WireGuard";
}

static void print_daemon(struct call *c, const struct reply *r)
{
	char up[DURATION_BYTES];

	duration_text(r->uptime_ms, up);
	fprintf(c->out, "smegd %s, up %s, %s, port %" PRIu32 "\n", r->daemon_version, up,
	        backend_words(r->backend), r->port);
	if (strcmp(r->backend, "none") == 0) {
		print_tinted(c, "  ! tunnels are not made: this host only takes part in the gossip",
		             TINT_WARN);
		fputs("\n    hint: its configuration says backend: none; leave that out for "
		      "tunnels\n",
		      c->out);
	}
}

static void print_trouble(struct call *c, const char *text, const char *hint)
{
	print_tinted(c, text_make(c, "  ! %s", text), TINT_BAD);
	fputc('\n', c->out);
	if (hint[0])
		fprintf(c->out, "    hint: %s\n", hint);
}

static void print_clock(struct call *c, const struct mesh_info *m)
{
	int64_t off = m->clock_ahead_ms < 0 ? -m->clock_ahead_ms : m->clock_ahead_ms;
	char text[DURATION_BYTES];

	if (off < CLOCK_WARN_MS)
		return;
	duration_text(off, text);
	print_trouble(c,
	              text_make(c, "this host's clock is %s %s the others'", text,
	                        m->clock_ahead_ms > 0 ? "behind" : "ahead of"),
	              "timedatectl set-ntp true");
}

static bool is_troubled(const struct member_info *m)
{
	return !m->is_self &&
	       (strcmp(m->standing, "in") == 0 || strcmp(m->standing, "pruned") == 0) &&
	       strcmp(m->reachability, "reachable") != 0;
}

static const char *name_of(struct call *c, const struct mesh_info *m, const char *key)
{
	for (size_t i = 0; i < m->members_listed && key[0]; i++)
		if (strcmp(m->members[i].key, key) == 0)
			return member_name(c, &m->members[i]);
	return key[0] ? text_make(c, "%.8s...", key) : "-";
}

/* "gate, 3 s ago, answered by 57 members" */
static void print_leader(struct call *c, const struct mesh_info *m)
{
	char age[DURATION_BYTES];

	duration_text(m->beat_age_ms, age);
	print_fact(c, "leader", name_of(c, m, m->leader));
	print_fact(c, "last beat",
	           m->beat_age_ms < 0     ? "-"
	           : m->beat_members == 0 ? text_make(c, "%s ago", age)
	                                  : text_make(c, "%s ago, acknowledged by %" PRIu32, age,
	                                              m->beat_members));
}

static void print_members(struct call *c, const struct mesh_info *m, int64_t now_ms)
{
	size_t count = 0;
	struct cell state;

	for (size_t i = 0; i < m->members_listed; i++) {
		const struct member_info *member = &m->members[i];

		if (member->address_clash)
			print_trouble(c,
			              text_make(c, "%s has the same address as another member, %s",
			                        member_name(c, member), member->address),
			              "let it leave and join with a new key");
		if (!is_troubled(member) || ++count > TROUBLED_SHOWN)
			continue;
		state = member_state(c, member, now_ms);
		fprintf(c->out, "  - %s (%s) ", member_name(c, member), member->address);
		print_tinted(c, state.text, state.tint);
		fputc('\n', c->out);
	}
	if (count > TROUBLED_SHOWN)
		fprintf(c->out, "  - and %zu more: smegctl list %s\n", count - TROUBLED_SHOWN,
		        m->name);
}

static void print_mesh(struct call *c, const struct mesh_info *m, int64_t now_ms)
{
	bool is_whole = m->reachable_count >= m->members_count;

	fputc('\n', c->out);
	print_tinted(c, m->name, TINT_BOLD);
	fprintf(c->out, "%s\n", m->is_joining ? " (joining)" : "");
	print_fact(c, "mesh", m->id);
	print_fact(c, "address", m->address);
	print_fact(
		c, "device",
		text_make(c, "%s, port %" PRIu32, m->device[0] ? m->device : "none", m->wg_port));
	print_fact(c, "role",
	           text_make(c, "%s%s", m->role, m->is_administrator ? ", administrator" : ""));
	fprintf(c->out, "  %-9s %" PRIu32 ", ", "members", m->members_count);
	print_tinted(c, text_make(c, "%" PRIu32 " reachable", m->reachable_count),
	             is_whole ? TINT_GOOD : TINT_WARN);
	fprintf(c->out, ", %" PRIu32 " session%s\n", m->sessions_count,
	        m->sessions_count == 1 ? "" : "s");
	if (strcmp(m->role, "client") == 0)
		print_fact(c, "carrier", name_of(c, m, m->carrier));
	print_leader(c, m);
	if (m->problem[0])
		print_trouble(c, m->problem, m->hint);
	print_clock(c, m);
	print_members(c, m, now_ms);
}

static json_t *json_status(const struct reply *r)
{
	json_t *meshes = json_array();

	for (size_t i = 0; i < r->meshes_count && meshes; i++) {
		if (json_array_append_new(meshes, json_mesh(&r->meshes[i]))) {
			json_decref(meshes);
			meshes = NULL;
		}
	}
	return json_pack("{s:{s:s, s:s, s:I, s:I, s:I, s:I, s:I}, s:o, s:o}", "smegd", "version",
	                 r->daemon_version, "backend", r->backend, "uptime_ms",
	                 (json_int_t)r->uptime_ms, "now_ms", (json_int_t)r->now_unix_ms, "port",
	                 (json_int_t)r->port, "frames_sent", (json_int_t)r->frames_sent,
	                 "bytes_sent", (json_int_t)r->bytes_sent, "meshes", meshes, "expelled_from",
	                 json_texts(r->expelled_from, r->expelled_from_count));
}

static int run(struct call *c)
{
	struct request r = { .kind = REQUEST_STATUS, .mesh = mesh_word(c) };
	struct reply reply;
	int err = c->ask(c, &r, &reply);

	if (err)
		return err;
	if (c->is_json)
		return json_print(c, json_status(&reply));
	print_daemon(c, &reply);
	for (size_t i = 0; i < reply.meshes_count; i++)
		print_mesh(c, &reply.meshes[i], reply.now_unix_ms);
	for (size_t i = 0; i < reply.expelled_from_count; i++) {
		fputc('\n', c->out);
		print_trouble(
			c,
			text_make(c, "this host has been expelled from %s", reply.expelled_from[i]),
			"an administrator of that mesh knows why");
	}
	fflush(c->out);
	if (reply.meshes_count == 0)
		fprintf(c->talk, "\nThis host is in no mesh.\n"
		                 "  hint: smegctl create NAME, or smegctl join TOKEN\n");
	return 0;
}

const struct command cmd_status = {
	.name = "status",
	.words = "[MESH]",
	.words_max = 1,
	.word_max = LIMIT_NAME_BYTES,
	.summary = "show how smegd and its meshes are, and what is wrong",
	.help = "With MESH, or where there is one only, members that are suspect (not heard\n"
		"of, but not given up) or unreachable are named, and since when. The leader is\n"
		"the live peer with the lowest key, which paces the beats.\n"
		"\n"
		"With --json: {\"smegd\": {...}, \"meshes\": [...]}; see `smegctl list` for\n"
		"members.\n",
	.run = run,
};
