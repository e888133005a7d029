/*
 * Disks of a mesh that nobody joined.
 *
 * Nothing here knows how the daemon stores things.  In a small world beside the real one a first
 * host creates the mesh and a second one joins; the second one's rows are the pattern for all
 * others, in which its seed, its key, its address and its watchers are replaced.  Admissions and
 * records are signed here; that a record says exactly what its host would say is seen when the
 * hosts start: one that differed would sign another; row calm tells how many did in the first
 * minute (0 of 1000, of 300, of 40).
 *
 * Statements go into one base image below all disks, what is a host's own onto its disk.  A set of
 * what the image says is made once, and hosts that boot share its entries.
 *
 * Rejected: to let each member live alone in the small world until it publishes (20 ms each, and
 * alone it has nobody to name as watcher: every host would sign anew after its start).
 */
#include "tests/sim/prepare.h"

#include "crdt/admit.h"
#include "tests/sim/act.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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
	struct stmt *record; /* of the joiner */
	uint8_t record_key[ROW_KEY_BYTES_MAX];
	size_t record_key_bytes;
	size_t record_member_at;
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
	} else if (s->kind == STMT_RECORD && key_equal(&s->member, &p->joiner.box_public)) {
		memcpy(p->record_key, row->key.at, row->key.count);
		p->record_key_bytes = row->key.count;
		p->record_member_at = offset_of(row->key.at, row->key.count, s->member.b);
		p->record = stmt_ref(s);
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
	model_init(&p->model, 2, m->mesh);
	while (p->side.hosts_count < 2)
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
	assert(p->mesh_row_bytes && p->admission_key_bytes && p->record);
}

/* --- one member ------------------------------------------------------------------------------ */

struct making {
	struct world *w;
	struct pattern *p;
	const struct keypair *pairs;
	size_t count;
};

static void put_state(struct making *mk, const uint8_t *key, size_t key_bytes, const struct stmt *s)
{
	struct row row = { .table = ROW_STATE, .key = { key, key_bytes }, .value = s->raw };

	memcpy(row.mesh, mk->p->mesh, sizeof(row.mesh));
	image_put(mk->w->store, mk->w->image, &row);
}

static void put_mesh_row(struct making *mk, struct host *h, const struct keypair *pair)
{
	struct pattern *p = mk->p;
	struct row row = { .table = ROW_MESH, .key = { (const uint8_t *)"", 0 } };

	memcpy(row.mesh, p->mesh, sizeof(row.mesh));
	memcpy(p->mesh_row + p->seed_at, pair->seed, KEY_BYTES);
	row.value = (struct bytes){ p->mesh_row, p->mesh_row_bytes };
	disk_put(mk->w->store, &h->disk, &row);
}

static void put_admission(struct making *mk, const struct keypair *pair)
{
	struct pattern *p = mk->p;
	struct admission a = { .role = ROLE_PEER, .issued_ms = p->issued_ms };
	struct stmt *s;

	a.subject = pair->sign_public;
	if (admission_sign(&p->side.mem, &a, &p->issuer, &p->mesh_public, &s) != 0)
		abort();
	memcpy(p->admission_key + p->member_at, s->member.b, KEY_BYTES);
	put_state(mk, p->admission_key, p->admission_key_bytes, s);
	stmt_unref(&p->side.mem, s);
}

static int order_ids(const void *a, const void *b)
{
	return watcher_id_compare(a, b);
}

static bool is_named(const struct record *r, const struct watcher_id *id)
{
	for (size_t i = 0; i < r->watchers_count; i++)
		if (watcher_id_compare(&r->watchers[i], id) == 0)
			return true;
	return false;
}

/* Random ones, as if the host had chosen among its sessions. */
static void name_watchers(const struct making *mk, unsigned index, struct record *r)
{
	size_t most = MIN_OF((size_t)LIMIT_WATCHERS, mk->count - 1);

	r->watchers_count = 0;
	while (r->watchers_count < most) {
		size_t other = (size_t)rng_below(&mk->w->rng, mk->count);
		struct watcher_id id = watcher_id_of(&mk->pairs[other].sign_public);

		if (other != index && !is_named(r, &id))
			r->watchers[r->watchers_count++] = id;
	}
	qsort(r->watchers, r->watchers_count, sizeof(*r->watchers), order_ids);
}

/* The second host's record, but for what differs from host to host. */
static void put_record(struct making *mk, unsigned index)
{
	struct pattern *p = mk->p;
	struct record r;
	struct stmt *s;

	record_read(p->record, &r);
	r.counter++;
	assert(r.places_count == 1);
	r.places[0].addr = mk->w->hosts[index]->at.addr;
	name_watchers(mk, index, &r);
	if (record_sign(&p->side.mem, &r, &mk->pairs[index], &p->mesh_public, &s) != 0)
		abort();
	memcpy(p->record_key + p->record_member_at, s->member.b, KEY_BYTES);
	put_state(mk, p->record_key, p->record_key_bytes, s);
	stmt_unref(&p->side.mem, s);
}

/* --- all of them ------------------------------------------------------------------------------ */

struct sorting {
	struct world *w;
	struct disk *to; /* NULL: statements are wanted, else what is not everybody's */
	bool mesh_row;
};

/* What a host knew of handshakes is of the small world. */
static void sort_row(void *ctx, const struct row *row)
{
	struct sorting *s = ctx;

	if (row->table == ROW_STATE && !s->to)
		image_put(s->w->store, s->w->image, row);
	else if (s->to && row->table != ROW_STATE && row->table != ROW_SEEN &&
	         (row->table != ROW_MESH || s->mesh_row))
		disk_put(s->w->store, s->to, row);
}

/* The first host keeps its own row, for it has the key of the mesh; others get the second one's. */
static void make_disk(struct making *mk, unsigned i)
{
	struct host *h = mk->w->hosts[i];
	struct sorting s = { mk->w, &h->disk, i == 0 };

	h->disk.base = mk->w->image;
	disk_visit(&mk->p->side.hosts[i ? 1 : 0]->disk, sort_row, &s);
	if (i)
		put_mesh_row(mk, h, &mk->pairs[i]);
	if (i > 1)
		put_admission(mk, &mk->pairs[i]);
	put_record(mk, i);
	if (!disk_commit(&h->disk, NULL, NULL))
		abort();
}

static void make_disks(struct world *w, struct model *m, struct pattern *p)
{
	struct keypair *pairs = sim_resize(NULL, m->count * sizeof(*pairs));
	struct making mk = { w, p, pairs, m->count };
	struct sorting s = { w, NULL, false };

	disk_visit(&p->side.hosts[1]->disk, sort_row, &s);
	pairs[0] = p->issuer;
	for (unsigned i = 1; i < m->count; i++)
		if (i == 1)
			pairs[i] = p->joiner;
		else
			keypair_generate(&pairs[i], &w->rng);
	for (unsigned i = 0; i < m->count; i++) {
		make_disk(&mk, i);
		m->of[i] = EXPECT_IN;
		model_key(m, i, &pairs[i].box_public);
		memcpy(m->members[i].seed, pairs[i].seed, sizeof(pairs[i].seed));
	}
	free(pairs);
	w->failures += p->side.failures;
}

struct loading {
	struct set *replica;
	struct instant now;
};

static void load_row(void *ctx, const struct row *row)
{
	struct loading *l = ctx;
	struct offered o;

	if (row->table != ROW_STATE)
		return;
	if (set_offer(l->replica, row->value, l->now, true, &o) || o.offer == OFFER_REFUSED)
		abort();
}

/* What the image says, once, for all hosts to share. */
static void make_replica(struct world *w, const struct pattern *p)
{
	struct set_options options = {
		.mem = &w->mem,
		.pool = w->pool,
		.mesh_public = p->mesh_public,
		.life_ms = w->options.life_ms ? w->options.life_ms : LIFE_MS,
		.members_max = LIMIT_MEMBERS,
	};
	struct loading l = { .now = { .mono_ms = world_ms(w),
		                      .unix_ms = w->options.epoch_unix_ms + world_ms(w) } };
	struct disk whole = { .base = w->image };

	if (set_new(&options, &w->image->replica))
		abort();
	memcpy(w->image->mesh, p->mesh, sizeof(p->mesh));
	l.replica = w->image->replica;
	disk_visit(&whole, load_row, &l);
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
	w->now_us = MAX_OF(w->now_us, p->side.now_us + SECOND_US);
	make_replica(w, p);
	stmt_unref(&p->side.mem, p->record);
	*ret_mesh = p->mesh_public;
	model_fini(&p->model);
	world_fini(&p->side);
	free(p);
}

void prepare_mesh(struct world *w, struct model *m)
{
	struct key mesh;

	prepare_disks(w, m, &mesh);
	/*
	 * At one moment: of those who start one after the other, the first find nobody, take
	 * others, and give them back later, which is half of the work of a start and nothing that
	 * rows are about.
	 */
	for (size_t i = 0; i < w->hosts_count; i++)
		host_boot(w, w->hosts[i]);
}
