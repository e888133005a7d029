/*
 * smegctl list: who is in a mesh.
 *
 * As JSON, one object for each mesh, and always the same one whether one or several are shown: jq
 * reads a row of objects as well as one.
 */
#include "smegctl/cmd.h"
#include "smegctl/json.h"
#include "smegctl/print.h"

#include <errno.h>
#include <inttypes.h>

enum {
	COL_NAME,
	COL_ADDRESS,
	COL_ROLE,
	COL_STATE,
	COL_ENDPOINT,
	COL_HANDSHAKE,
	COL_RX,
	COL_TX,
	COLS
};

static void fill_row(struct call *c, struct cell *row, const struct member_info *m, int64_t now_ms)
{
	char age[DURATION_BYTES];
	char amount[AMOUNT_BYTES];

	row[COL_NAME] = (struct cell){ member_name(c, m), m->is_self ? TINT_BOLD : TINT_NONE };
	row[COL_ADDRESS].text = m->address;
	row[COL_ROLE].text =
		m->is_administrator ? text_make(c, "%s, administrator", m->role) : m->role;
	row[COL_STATE] = member_state(c, m, now_ms);
	row[COL_ENDPOINT].text = m->endpoint;
	if (m->handshake_ms > 0) {
		duration_text(now_ms - m->handshake_ms, age);
		row[COL_HANDSHAKE].text = text_make(c, "%s ago", age);
	}
	if (m->is_self || !m->has_tunnel)
		return;
	amount_text(m->rx_bytes, amount);
	row[COL_RX].text = text_make(c, "%s", amount);
	amount_text(m->tx_bytes, amount);
	row[COL_TX].text = text_make(c, "%s", amount);
}

static int print_mesh(struct call *c, const struct mesh_info *m, int64_t now_ms)
{
	static const char *const head[COLS] = { "NAME",     "ADDRESS",   "ROLE", "STATE",
		                                "ENDPOINT", "HANDSHAKE", "RX",   "TX" };
	static const bool right[COLS] = { [COL_RX] = true, [COL_TX] = true };
	struct cell *row;
	struct table t;

	if (table_init(c, &t, COLS, m->members_listed + 1))
		return diag_set(&c->diag, -ENOMEM, "%s", err_text(-ENOMEM));
	t.is_right = right;
	row = table_row(&t);
	for (size_t i = 0; i < COLS; i++)
		row[i] = (struct cell){ head[i], TINT_DIM };
	for (size_t i = 0; i < m->members_listed; i++) {
		if (c->args.given[OPT_ALL] || member_is_current(&m->members[i]))
			fill_row(c, table_row(&t), &m->members[i], now_ms);
	}
	table_print(c, &t);
	return 0;
}

static int print_all(struct call *c, const struct reply *r)
{
	int err = 0;

	if (r->meshes_count == 0) {
		fprintf(c->talk, "This host is in no mesh.\n"
		                 "  hint: smegctl create NAME, or smegctl join TOKEN\n");
		return 0;
	}
	for (size_t i = 0; i < r->meshes_count && !err; i++) {
		const struct mesh_info *m = &r->meshes[i];

		if (r->meshes_count > 1)
			fprintf(c->out, "%s%s  %s  %" PRIu32 " members\n", i > 0 ? "\n" : "",
			        m->name, m->id, m->members_count);
		err = print_mesh(c, m, r->now_unix_ms);
	}
	return err;
}

static int run(struct call *c)
{
	struct request r = { .kind = REQUEST_LIST, .mesh = mesh_word(c) };
	struct reply reply;
	int err = c->ask(c, &r, &reply);

	if (err)
		return err;
	if (!c->is_json)
		return print_all(c, &reply);
	for (size_t i = 0; i < reply.meshes_count && !err; i++)
		err = json_print(c, json_members(&reply.meshes[i]));
	return err;
}

static const struct option options[] = {
	{ OPT_ALL, 'A', "all", NULL, 0,
	  "also those who have left or were expelled (JSON: always)" },
};

static const char *const aliases[] = { "list-meshes", NULL };

const struct command cmd_list = {
	.name = "list",
	.aliases = aliases,
	.words = "[MESH]",
	.words_max = 1,
	.word_max = LIMIT_NAME_BYTES,
	.summary = "show the members of a mesh, or of all",
	.help = "With --json, one object for each mesh: {\"mesh\": id, \"members\": [...],\n"
		"\"local\": {...}}, the members in the order of their keys. What hosts agree on\n"
		"is in the members; what this host alone knows (reachability, handshakes,\n"
		"amounts) is in objects called \"local\":\n"
		"\n"
		"  smegctl list home --json | jq 'del(.. | .local?)'     the same on every host\n",
	.options = options,
	.options_count = ARRAY_LEN(options),
	.run = run,
};
