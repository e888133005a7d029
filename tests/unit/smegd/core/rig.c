/*
 * See rig.h.
 */
#include "tests/unit/smegd/core/rig.h"

struct mesh *rig_home(struct rig *r, size_t i)
{
	struct mesh *m = net_mesh(&r->n, r->order[i], "home");

	assert_non_null(m);
	return m;
}

const struct key *rig_key(struct rig *r, size_t i)
{
	return &rig_home(r, i)->self.box_public;
}

size_t rig_place(const struct rig *r, size_t host)
{
	for (size_t i = 0; i < r->n.count; i++)
		if (r->order[i] == host)
			return i;
	return 0;
}

static void note(struct rig *r, size_t by, const struct msg *msg)
{
	struct heard *last = r->beats_count ? &r->beats[r->beats_count - 1] : NULL;
	struct beat beat;

	assert_int_equal(beat_parse(msg->u.beat.beat, &beat), 0);
	if (!key_equal(&beat.leader, rig_key(r, by)) || (last && last->number == beat.number))
		return;
	assert_true(r->beats_count < BEATS_MAX);
	r->beats[r->beats_count++] = (struct heard){ r->n.mono_ms, by, beat.number };
}

static bool overhear(void *ctx, size_t from, size_t to, const struct msg *msg)
{
	struct rig *r = ctx;
	size_t by = rig_place(r, from);

	if (msg->kind == MSG_BEAT_ACK) {
		r->acks++;
		return !r->keeps_acks[by];
	}
	r->questions[by] += msg->kind == MSG_DIGEST && msg->u.digest.question;
	r->sent[by] += msg->kind == MSG_BEAT;
	if (msg->kind != MSG_BEAT)
		return !r->no_watchers || msg->kind != MSG_ATTEST;
	r->casts[msg->u.beat.way]++;
	if (msg->u.beat.other.count)
		r->proofs++;
	else if (!r->mute[by])
		note(r, by, msg);
	return !r->mute[by] && !(r->deaf_1[rig_place(r, to)] && msg->u.beat.way == WAY_TREE_1);
}

static void rig_sort(struct rig *r)
{
	for (size_t i = 0; i < r->n.count; i++)
		r->order[i] = i;
	for (size_t i = 0; i < r->n.count; i++)
		for (size_t j = i + 1; j < r->n.count; j++)
			if (key_compare(rig_key(r, j), rig_key(r, i)) < 0) {
				size_t other = r->order[i];

				r->order[i] = r->order[j];
				r->order[j] = other;
			}
}

void rig_forget(struct rig *r)
{
	r->beats_count = r->proofs = r->acks = 0;
	memset(r->casts, 0, sizeof(r->casts));
}

void rig_listen(struct rig *r)
{
	rig_sort(r);
	r->n.filter = overhear;
	r->n.ctx = r;
}

/* What comes next begins just after a beat of the lowest. */
static void after_a_beat(struct rig *r)
{
	size_t count = r->beats_count;

	while (r->beats_count == count)
		net_run(&r->n, 1);
	assert_int_equal(r->beats[count].by, 0);
	rig_forget(r);
}

void rig_init(struct rig *r, size_t hosts)
{
	memset(r, 0, sizeof(*r));
	net_init(&r->n, hosts);
	net_make_home(&r->n);
	rig_listen(r);
	net_run(&r->n, 30 * MS_PER_SECOND);
	after_a_beat(r);
}

void rig_fini(struct rig *r)
{
	net_fini(&r->n);
}

size_t rig_leader(struct rig *r, size_t i)
{
	struct key leader;
	int64_t at_ms;
	uint32_t acknowledged;

	if (!beat_view(rig_home(r, i), &leader, &at_ms, &acknowledged))
		return SIZE_MAX;
	for (size_t j = 0; j < r->n.count; j++)
		if (r->n.hosts[r->order[j]].node && key_equal(rig_key(r, j), &leader))
			return j;
	return SIZE_MAX;
}

void rig_assert_all_follow(struct rig *r, size_t leader)
{
	for (size_t i = 0; i < r->n.count; i++)
		if (r->n.hosts[r->order[i]].node)
			assert_int_equal(rig_leader(r, i), leader);
}

uint32_t rig_acknowledged(struct rig *r, size_t i)
{
	return rig_home(r, i)->beats->acknowledged;
}

void rig_isolate(struct rig *r, size_t i, bool cut)
{
	for (size_t j = 0; j < r->n.count; j++)
		if (j != i)
			net_cut(&r->n, r->order[i], r->order[j], cut);
}

void rig_forge(struct rig *r, size_t i, uint64_t number, uint32_t members, struct forged *ret)
{
	struct beat beat = { .number = number, .members = members };

	beat_sign(&beat, &rig_home(r, i)->self, &rig_home(r, i)->mesh_public, ret->raw);
	ret->msg = (struct msg){ .kind = MSG_BEAT };
	ret->msg.u.beat.beat = (struct bytes){ ret->raw, BEAT_BYTES };
	ret->msg.u.beat.way = WAY_TREE_1;
}

uint64_t rig_now(const struct rig *r)
{
	return (uint64_t)(NET_NOW_MS + r->n.mono_ms);
}

void rig_say(struct rig *r, size_t from, size_t to, const struct msg *msg)
{
	struct peer *p = mesh_peer(rig_home(r, to), rig_key(r, from));
	struct event ev = { .kind = EV_MESSAGE };

	assert_true(p && p->session);
	ev.u.message.session = p->session->id;
	ev.u.message.msg = msg;
	net_event(&r->n, r->order[to], &ev);
	net_deliver(&r->n);
}
