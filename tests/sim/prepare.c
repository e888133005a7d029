/*
 * Disks of a mesh that nobody joined.
 *
 * Nothing here knows how the daemon stores things.  In a small world beside the real one a first
 * host creates the mesh and a second one joins; the second one's rows are the pattern for all
 * others, in which its seed and its key are replaced.  Each member then boots alone in that small
 * world and, hearing nobody, publishes its record: the shipped code has made every byte but the
 * admissions, which are signed here with the first host's key.
 *
 * Statements go into one base image below all disks, what is a host's own onto its disk.
 */
#include "tests/sim/prepare.h"

#include "crdt/admit.h"
#include "tests/sim/act.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ALONE_US (20 * SECOND_US) /* to publish a record that nobody answers */
#define BOOT_OVER_US SECOND_US    /* in which all hosts start */

struct pattern {
	struct world side; /* the small world */
	struct model model;
	struct keypair issuer;
	struct key mesh_public;
	struct keypair joiner;
	uint8_t mesh_row[LIMIT_STATEMENT_BYTES]; /* of the joiner */
	size_t mesh_row_bytes;
	size_t seed_at; /* in mesh_row */
	char mesh[MESH_ID_BYTES];
	uint8_t admission_key[ROW_KEY_BYTES_MAX];
	size_t admission_key_bytes;
	size_t member_at; /* in admission_key */
	uint64_t issued_ms;
	int64_t begins_us;       /* of a life alone */
	struct disk_image first; /* statements of the first host alone */
};

/* --- the pattern ----------------------------------------------------------------------------- */

static struct keypair pair_of(const struct host *h)
{
	struct identity id;

	if (node_identities(h->node, &id, 1) != 1)
		abort();
	return *id.pair;
}

static size_t offset_of(const uint8_t *in, size_t bytes, const uint8_t *what)
{
	const uint8_t *at = memmem(in, bytes, what, KEY_BYTES);

	assert(at);
	return (size_t)(at - in);
}

static void read_pattern(void *ctx, const struct row *row)
{
	struct pattern *p = ctx;
	struct stmt *s = NULL;

	if (row->table == ROW_MESH) {
		assert(row->value.count <= sizeof(p->mesh_row));
		memcpy(p->mesh_row, row->value.at, row->value.count);
		p->mesh_row_bytes = row->value.count;
		p->seed_at = offset_of(row->value.at, row->value.count, p->joiner.seed);
		memcpy(p->mesh, row->mesh, sizeof(p->mesh));
	}
	if (row->table != ROW_STATE || stmt_parse(&p->side.mem, row->value, &s) != 0)
		return;
	if (s->kind == STMT_ADMISSION && key_equal(&s->member, &p->joiner.box_public)) {
		memcpy(p->admission_key, row->key.at, row->key.count);
		p->admission_key_bytes = row->key.count;
		p->member_at = offset_of(row->key.at, row->key.count, s->member.b);
		p->issued_ms = s->counter;
	}
	stmt_unref(&p->side.mem, s);
}

static void make_pattern(struct pattern *p, const struct world *w, const struct model *m)
{
	struct world_options options = w->options;
	char token[TOKEN_TEXT_BYTES];
	struct identity id;

	options.devices = options.trace = false;
	options.loss_permille = 0;
	options.net = NET_LAN;
	world_init(&p->side, &options);
	p->side.is_quiet = true;
	model_init(&p->model, 3, m->mesh);
	while (p->side.hosts_count < 3)
		host_new(&p->side);
	host_boot(&p->side, p->side.hosts[0]);
	host_boot(&p->side, p->side.hosts[1]);
	create(&p->side, &p->model, 0);
	expect(&p->side, invite(&p->side, &p->model, 0, 1, token), "invite", 0);
	expect(&p->side, join(&p->side, &p->model, 1, token), "join", 1);
	world_pass(&p->side, 5 * SECOND_US);
	p->issuer = pair_of(p->side.hosts[0]);
	p->joiner = pair_of(p->side.hosts[1]);
	node_identities(p->side.hosts[0]->node, &id, 1);
	p->mesh_public = id.mesh_public;
	host_power_off(&p->side, p->side.hosts[0]);
	host_power_off(&p->side, p->side.hosts[1]);
	disk_visit(&p->side.hosts[1]->disk, read_pattern, p);
	assert(p->mesh_row_bytes && p->admission_key_bytes);
	p->begins_us = p->side.now_us;
}

/* --- one life alone -------------------------------------------------------------------------- */

static void put_mesh_row(struct pattern *p, struct host *h, const struct keypair *pair)
{
	struct row row = { .table = ROW_MESH, .key = { (const uint8_t *)"", 0 } };

	memcpy(row.mesh, p->mesh, sizeof(row.mesh));
	memcpy(p->mesh_row + p->seed_at, pair->seed, KEY_BYTES);
	row.value = (struct bytes){ p->mesh_row, p->mesh_row_bytes };
	disk_put(p->side.store, &h->disk, &row);
}

static void put_admission(struct pattern *p, struct host *h, const struct keypair *pair)
{
	struct admission a = { .role = ROLE_PEER, .issued_ms = p->issued_ms };
	struct row row = { .table = ROW_STATE };
	struct stmt *s;

	a.subject = pair->sign_public;
	if (admission_sign(&p->side.mem, &a, &p->issuer, &p->mesh_public, &s) != 0)
		abort();
	memcpy(row.mesh, p->mesh, sizeof(row.mesh));
	memcpy(p->admission_key + p->member_at, s->member.b, KEY_BYTES);
	row.key = (struct bytes){ p->admission_key, p->admission_key_bytes };
	row.value = s->raw;
	disk_put(p->side.store, &h->disk, &row);
	stmt_unref(&p->side.mem, s);
}

static bool has_published(struct world *w, void *ctx)
{
	struct pattern *p = ctx;
	struct member_view v;

	return check_member(w, &p->model, 2, 2, &v) && v.has_record;
}

/* The third host of the small world is whoever's turn it is. */
static struct host *live_alone(struct pattern *p, unsigned index, const struct keypair *pair)
{
	struct host *h = p->side.hosts[2];

	disk_fini(&h->disk);
	h->disk.base = &p->first;
	host_place(h, index);
	model_key(&p->model, 2, &pair->box_public);
	put_mesh_row(p, h, pair);
	put_admission(p, h, pair);
	if (!disk_commit(&h->disk))
		abort();
	p->side.now_us = p->begins_us;
	host_boot(&p->side, h);
	if (!world_run(&p->side, p->begins_us + ALONE_US, has_published, p))
		world_fail(&p->side, "host %u alone publishes nothing", index);
	if (!disk_commit(&h->disk))
		abort();
	host_power_off(&p->side, h);
	return h;
}

/* --- all of them ------------------------------------------------------------------------------ */

struct sorting {
	struct world *w;
	struct host *to; /* NULL: only statements are wanted */
	struct disk_image *image;
};

/* Statements are everybody's; the rest is the host's own, but for what it knew of handshakes. */
static void sort_row(void *ctx, const struct row *row)
{
	struct sorting *s = ctx;

	if (row->table == ROW_STATE)
		image_put(s->w->store, s->image, row);
	else if (s->to && row->table != ROW_SEEN)
		disk_put(s->w->store, &s->to->disk, row);
}

static void take(struct world *w, struct host *from, unsigned index)
{
	struct sorting s = { w, w->hosts[index], w->image };

	s.to->disk.base = w->image;
	disk_visit(&from->disk, sort_row, &s);
	if (!disk_commit(&s.to->disk))
		abort();
}

static void only_mesh_key(void *ctx, const struct row *row)
{
	struct pattern *p = ctx;
	struct stmt *s = NULL;

	if (row->table != ROW_STATE || stmt_parse(&p->side.mem, row->value, &s) != 0)
		return;
	if (s->kind == STMT_APPOINT || key_equal(&s->member, &p->issuer.box_public))
		image_put(p->side.store, &p->first, row);
	stmt_unref(&p->side.mem, s);
}

static void make_disks(struct world *w, struct model *m, struct pattern *p)
{
	struct keypair pair;

	disk_visit(&p->side.hosts[0]->disk, only_mesh_key, p);
	for (unsigned i = 0; i < m->count; i++) {
		struct host *from = i < 2 ? p->side.hosts[i] : NULL;

		if (i == 0)
			pair = p->issuer;
		else if (i == 1)
			pair = p->joiner;
		else
			keypair_generate(&pair, &w->rng);
		take(w, from ? from : live_alone(p, i, &pair), i);
		m->of[i] = EXPECT_IN;
		model_key(m, i, &pair.box_public);
		memcpy(m->members[i].seed, pair.seed, sizeof(pair.seed));
	}
	w->failures += p->side.failures;
}

static void boot_in_turn(struct world *w, size_t count)
{
	for (size_t i = 0; i < w->hosts_count; i++) {
		if (i < count)
			world_pass(w, BOOT_OVER_US / (int64_t)count);
		host_boot(w, w->hosts[i]);
	}
}

void prepare_disks(struct world *w, struct model *m, struct key *ret_mesh)
{
	struct pattern *p = calloc(1, sizeof(*p));

	assert(p);
	w->image = calloc(1, sizeof(*w->image));
	assert(w->image);
	while (w->hosts_count < m->count)
		host_new(w);
	make_pattern(p, w, m);
	make_disks(w, m, p);
	w->now_us = MAX_OF(w->now_us, p->begins_us + ALONE_US);
	*ret_mesh = p->mesh_public;
	image_fini(&p->first);
	model_fini(&p->model);
	p->side.hosts[2]->disk.base = NULL;
	world_fini(&p->side);
	free(p);
}

void prepare_mesh(struct world *w, struct model *m)
{
	struct key mesh;

	prepare_disks(w, m, &mesh);
	boot_in_turn(w, m->count);
}
