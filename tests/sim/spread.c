/*
 * Trackers on what hosts say of each other, by the same views that `smegctl` shows: whatever way
 * the core takes to get something across, a host knows it when its view says so.
 */
#include "tests/sim/spread.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watch {
	struct model *m;
	struct bytes text; /* of a change */
	unsigned origin;
	const struct crash *crash;
};

struct traffic traffic_of(const struct world *w)
{
	return (struct traffic){ w->bytes, w->messages };
}

static bool knows_text(struct world *w, struct host *h, void *ctx)
{
	const struct watch *watch = ctx;
	struct member_view v;

	return h->is_up && check_member(w, watch->m, h->index, watch->origin, &v) && v.has_record &&
	       bytes_equal(v.record.description, watch->text);
}

static bool knows_crash(struct world *w, struct host *h, void *ctx)
{
	const struct watch *watch = ctx;
	struct member_view v;

	for (size_t i = 0; h->is_up && i < watch->crash->count; i++)
		if (check_member(w, watch->m, h->index, watch->crash->victims[i], &v) &&
		    v.standing == STANDING_IN && v.is_reachable)
			return false;
	return true;
}

/* Only hosts that are up now have to know. */
static size_t start(struct world *w, const struct model *m, struct tracker *t)
{
	tracker_init(t, w->hosts_count);
	for (size_t i = 0; i < w->hosts_count; i++) {
		const struct host *h = w->hosts[i];

		if (h->is_up && i < m->count && m->of[i] == EXPECT_IN)
			continue;
		t->known_us[i] = 0;
		t->missing--;
	}
	w->tracker = t;
	return t->missing;
}

static bool all_know(struct world *w, void *ctx)
{
	(void)ctx;
	return !w->tracker->missing;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Those that died meanwhile need not know any more. */
static void judge(const struct world *w,
                  const struct tracker *t,
                  int64_t begun_us,
                  struct spread *s)
{
	int64_t *list = sim_resize(NULL, (s->hosts + 1) * sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; i < w->hosts_count; i++) {
		if (t->known_us[i] > 0 && count < s->hosts)
			list[count++] = t->known_us[i] - begun_us;
		else if (t->known_us[i] < 0 && w->hosts[i]->is_up)
			s->missing++;
	}
	qsort(list, count, sizeof(*list), by_time);
	s->last_us = count ? list[count - 1] : 0;
	s->median_us = count ? list[count / 2] : 0;
	free(list);
}

static void follow(
	struct world *w, struct tracker *t, int64_t begun_us, int64_t within_us, struct spread *s)
{
	world_run(w, begun_us + within_us, all_know, NULL);
	judge(w, t, begun_us, s);
	w->tracker = NULL;
	tracker_fini(t);
}

static uint64_t marked(const struct world *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w->hosts_count; i++)
		sum += w->hosts[i]->marked;
	return sum;
}

void spread_tell(
	struct world *w, struct model *m, unsigned origin, int64_t within_us, struct spread *ret)
{
	struct watch watch = { .m = m, .origin = origin };
	struct tracker t;
	int64_t begun_us = w->now_us;
	struct command c = { .kind = CMD_SET };
	char *text = c.settings.description;

	memset(ret, 0, sizeof(*ret));
	memcpy(c.mesh, m->mesh, sizeof(c.mesh));
	c.settings.has_description = true;
	snprintf(text, sizeof(c.settings.description), "change %08x by %05u at %014lld",
	         (unsigned)rng_u64(&w->rng), origin, (long long)begun_us);
	watch.text = (struct bytes){ (const uint8_t *)text, strlen(text) };
	ret->hosts = start(w, m, &t);
	t.knows = knows_text;
	t.ctx = &watch;
	crypto_mark(watch.text);
	host_command(w, w->hosts[origin], &c);
	follow(w, &t, begun_us, within_us, ret);
}

void spread_change(
	struct world *w, struct model *m, unsigned origin, int64_t within_us, struct spread *ret)
{
	struct traffic before = traffic_of(w);
	uint64_t marked_before = marked(w);
	int64_t begun_us = w->now_us;

	spread_tell(w, m, origin, within_us, ret);
	world_run(w, begun_us + ret->last_us + SPREAD_TAIL_US, NULL, NULL);
	crypto_mark((struct bytes){ NULL, 0 });
	ret->copies = (double)(marked(w) - marked_before) / (double)ret->hosts;
	ret->bytes = (double)(w->bytes - before.bytes) / (double)ret->hosts;
	ret->portions = (double)(w->messages - before.portions) / (double)ret->hosts;
}

void spread_crash(struct world *w,
                  struct model *m,
                  const struct crash *crash,
                  int64_t within_us,
                  struct spread *ret)
{
	struct watch watch = { .m = m, .crash = crash };

	for (size_t i = 0; i < crash->count; i++) {
		struct host *h = w->hosts[crash->victims[i]];

		m->of[h->index] = EXPECT_DEAD;
		if (crash->is_told)
			host_crash(w, h);
		else
			host_power_off(w, h);
	}
	spread_follow(w, m, &(struct tracking){ knows_crash, &watch }, within_us, ret);
}

void spread_follow(struct world *w,
                   const struct model *m,
                   const struct tracking *tracking,
                   int64_t within_us,
                   struct spread *ret)
{
	struct tracker t;

	memset(ret, 0, sizeof(*ret));
	ret->hosts = start(w, m, &t);
	t.knows = tracking->knows;
	t.ctx = tracking->ctx;
	follow(w, &t, w->now_us, within_us, ret);
}
